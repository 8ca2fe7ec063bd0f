"""`recap eval multihop PATH`: MultiHop-RAG, questions over several news articles, by its authors' rules.

PATH is the folder with `corpus.json` and `MultiHopRAG.json` (or one that holds it as `dataset`). Both are JSON lists:
an article has title, author, source, published_at, category, url, body; a question query, answer, question_type
(inference_query, comparison_query, temporal_query, null_query) and evidence_list, whose items have a `fact` (words of an
article) and its url, title, source.
Source: Tang and Yang 2024, MultiHop-RAG (arXiv 2401.15391); github.com/yixuantt/MultiHop-RAG, retrieval_evaluate.py and
qa_evaluate.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.benchmarks import (
    Row,
    Said,
    asked,
    by_group,
    closing,
    fill,
    groups_table,
    list_of,
    put,
    rows,
    says,
    spaced,
    summed_up,
    text_of,
    write,
)
from eval.facts import fold
from eval.metrics import hit_at, mrr_at
from eval.report import table
from rag.config import Config
from rag.errors import RecapError
from rag.store.library import Library

CORPUS, QUERIES = "corpus.json", "MultiHopRAG.json"
NULL = "null_query"
TOP_K = 10
FOUND = ("hits@4", "hits@10", "map@10", "mrr@10")
_HEADS = {
    "hits@4": "Hits@4", "hits@10": "Hits@10", "map@10": "MAP@10", "mrr@10": "MRR@10", "right": "right",
    "shares a word": "right by a shared word", "declined": "declined",
}  # fmt: skip
# Source: Tang and Yang 2024: retrieval in chunks of 256 tokens, with and without bge-reranker-large; answers from the
# retrieved passages and from the gold evidence. (Hits@4, Hits@10, MRR@10)
RETRIEVAL = (
    ("text-embedding-ada-002 + bge-reranker-large", None, 70.6, 54.8),
    ("voyage-02 + bge-reranker-large (the best)", 66.3, 74.7, 58.6),
)
ANSWERS = (("GPT-4", 56, 89),)  # accuracy: passages retrieved, gold evidence given


@dataclass(frozen=True, slots=True)
class Query:
    """A question. `facts`: words of articles that together answer it; none for a null query, which is to be declined."""

    id: str
    text: str
    answer: str
    type: str
    facts: tuple[str, ...]


def load(path: Path) -> tuple[list[Row], list[Query]]:
    """Read the articles (as ingest takes them) and the questions. Raises: RecapError."""
    folder = path.parent if path.is_file() else path
    folder = next((f for f in (folder, folder / "dataset") if (f / QUERIES).is_file()), folder)
    if lacking := [n for n in (CORPUS, QUERIES) if not (folder / n).is_file()]:
        raise RecapError(f"There is no {' and no '.join(lacking)} in {folder}. Name the folder that holds both.")
    articles = [
        {
            "url": row.get("url"), "title": row.get("title"), "text": text_of(row, "body", where),
            "authors": row.get("author"), "outlet": row.get("source"), "published": str(row.get("published_at") or "")[:10],
        }
        for where, row in rows(folder / CORPUS)
    ]  # fmt: skip
    queries = [
        Query(
            id=str(n),
            text=text_of(row, "query", where),
            answer=text_of(row, "answer", where),
            type=text_of(row, "question_type", where),
            facts=tuple(text_of(e, "fact", where) for e in list_of(row, "evidence_list", where)),
        )
        for n, (where, row) in enumerate(rows(folder / QUERIES))
    ]
    if not queries:
        raise RecapError(f"{folder / QUERIES} holds no questions. Get it again.")
    return articles, queries


def run(path: Path, *, config: Config, out: Path, limit: int | None = None) -> Row:
    """Ingest the corpus, search and ask, score, write the reports to `out`; return the summary. Raises: RecapError."""
    from rag.retrieve.query import understand
    from rag.retrieve.search import search

    articles, queries = load(path)
    queries = spaced(queries, limit)
    ingested = fill(config, articles)

    def record(library: Library, q: Query) -> Row:
        hits = search(library, understand(q.text[: config.max_question_chars], library=library), top_k=TOP_K)
        said = put(library, q.text)
        told: Row = {"id": q.id, "type": q.type, "question": q.text, "gold": q.answer}
        return told | said.row() | found(q, [h.chunk.text for h in hits]) | judged(q, said)

    records = asked(config, queries, record)
    summary = summed_up(records, ingested) | {"types": by_group(records, tuple(_HEADS), "type")}
    write(out, "multihop", summary, records, markdown(summary))
    return summary


def found(query: Query, passages: Sequence[str]) -> dict[str, float | None]:
    """Score the first ten passages as the authors' script does; None for a query without evidence, which it leaves out.

    A passage counts if it holds a fact, white space apart. What the script calls MAP is not the usual one: at each such
    rank it adds the facts that are new there over the rank, and divides by the number of facts (at most 10).
    """
    if query.type == NULL or not query.facts:
        return dict.fromkeys(FOUND)
    facts = ["".join(fold(f).split()) for f in query.facts]
    held = [{f for f in facts if f in "".join(fold(p).split())} for p in passages[:TOP_K]]
    seen: set[str] = set()
    total = 0.0
    for rank, here in enumerate(held, start=1):
        total += sum(f in here and f not in seen for f in dict.fromkeys(facts)) / rank
        seen |= here
    gains = [bool(h) for h in held]
    scores = (hit_at(gains, 4), hit_at(gains, 10), total / min(len(facts), 10), mrr_at(gains))
    return dict(zip(FOUND, scores, strict=True))


def judged(query: Query, said: Said) -> dict[str, float]:
    """Judge an answer: a null query must be declined, any other must say the gold.

    `shares a word`: the rule of the authors' script, which takes any word in common (split at spaces) for right.
    """
    if query.type == NULL:
        return {"right": float(said.declined), "shares a word": float(said.declined), "declined": float(said.declined)}
    words = set((said.short or said.text).lower().split()) & set(query.answer.lower().split())
    return {
        "right": float(says(said, [query.answer])),
        "shares a word": float(bool(words) and not said.declined),
        "declined": float(said.declined),
    }


def markdown(summary: Row) -> str:
    """Lay the figures out beside those of the paper."""
    shown = [
        table(["Published: passages", "Hits@4", "Hits@10", "MRR@10"], [[n, *("-" if x is None else f"{x:.1f}" for x in f)] for n, *f in RETRIEVAL]),
        table(["Published: answers", "right, passages retrieved", "right, gold evidence given"], [[n, *map(str, f)] for n, *f in ANSWERS]),
    ]  # fmt: skip
    return "\n".join(
        [
            "# MultiHop-RAG", "", closing(summary), "", groups_table(summary["types"], _HEADS, "Type"), "",
            "Right: says the gold, whole (a null query: is declined). A hit is a passage with words of the evidence; null "
            "queries have none. Recap joins passages that follow on each other, the published systems cut at 256 tokens.", "",
            "\n\n".join(shown), "", "Source: Tang and Yang 2024, arXiv 2401.15391, sections 4.1 and 4.2.",
        ]
    )  # fmt: skip
