"""The systems that the benchmark puts side by side, and what is measured of each, as parts with a process of their own.

A corpus is a folder with `articles.jsonl` and `questions.jsonl`; each system keeps its index beside them.
`python -m eval.systems build|search SYSTEM CORPUS LIBRARY`.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eval.parts import answer_part, disk_bytes, peak_rss_mb, progress, spread, timed
from eval.questions import ARTICLES, QUESTIONS, ArticleRow, Passage, Question, judge, load_questions
from rag.config import Config
from rag.errors import RecapError

if TYPE_CHECKING:
    from rag.store.embed import Embedder
    from rag.store.library import Library

NAMES = {"starter": "llama-index starter", "bm25": "BM25", "dense": "dense only", "recap": "Recap"}
HINT = 'pip install "recap[bench]"'
_NEEDS = {
    "starter": ("llama_index.embeddings.huggingface", "llama_index.vector_stores.chroma"),
    "bm25": ("bm25s", "Stemmer"),
}
_PACKAGES = {
    "starter": ("llama-index-core", "llama-index-embeddings-huggingface", "chromadb", "sentence-transformers", "torch"),
    "bm25": ("bm25s", "PyStemmer"),
}
_WARM_UP = 10  # questions asked before the clock runs


class System(Protocol):
    """An index that is open for questions."""

    def search(self, question: Question) -> list[Passage]:
        """Find ten passages, best first."""
        ...

    def own(self, urls: Iterable[str]) -> list[str]:
        """Return every passage of these articles."""
        ...


def missing(system: str) -> list[str]:
    """The packages that a system needs and that are not installed."""
    out = []
    for name in _NEEDS.get(system, ()):
        with contextlib.suppress(ImportError, ValueError):
            if find_spec(name) is not None:
                continue
        out.append(name)
    return out


# --- building ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Corpus:
    """Where the articles are, and where the library that Recap makes of them is."""

    folder: Path
    library: Path

    def index(self, system: str) -> Path:
        """The folder that holds a system's index: what is counted as bytes on disk."""
        return self.library if system in ("recap", "dense") else self.folder / system


def build(system: str, corpus: Corpus, *, embedder: Embedder | None = None) -> dict[str, Any]:
    """Index the articles, unless that has been done; return what it took the first time.

    Recap takes up where a killed run stopped: articles/s is then of the articles that were left.
    Raises: RecapError.
    """
    marker = corpus.folder / f"{system}.built.json"
    key = _key(system, corpus)
    before: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        before = json.loads(marker.read_text(encoding="utf-8"))
    if before.get("key") == key and corpus.index(system).is_dir():
        return before
    if system == "recap":
        made = _build_recap(corpus, before, embedder)
    else:
        shutil.rmtree(corpus.index(system), ignore_errors=True)
        articles = _articles(corpus)
        if system == "starter":
            from eval.starter import build as build_starter

            with progress("llama-index starter: articles to split and embed, in one call", len(articles)):
                made = build_starter(articles, corpus.index(system))
        else:
            made = _build_bm25(articles, corpus.index(system))
    n, seconds = made["articles"], made["seconds"]
    made |= {
        "key": key, "articles_per_s": n / seconds if n and seconds else None,
        "rss_mb": made.get("rss_mb") or peak_rss_mb(), "bytes": disk_bytes(corpus.index(system)),
    }  # fmt: skip
    marker.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return made


def _key(system: str, corpus: Corpus) -> dict[str, Any]:
    if system != "recap":
        return {p: version(p) for p in _PACKAGES[system]}
    from rag.ingest.pipeline import PIPELINE_VERSION

    config = Config()
    return {
        "library": str(corpus.library.resolve()), "pipeline": PIPELINE_VERSION,
        "chunk_tokens": config.chunk_tokens, "embed_model": config.embed_model,
    }  # fmt: skip


def _articles(corpus: Corpus) -> list[ArticleRow]:
    with (corpus.folder / ARTICLES[0]).open(encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def open_library(folder: Path, *, write: bool = False, embedder: Embedder | None = None) -> Library:
    """Open a library as `recap` does with no setting made; `write` makes it if there is none."""
    from rag.store.library import Library

    return Library.open(Config(library=folder, llm="none"), write=write, create=write, embedder=embedder)


def _build_recap(corpus: Corpus, before: dict[str, Any], embedder: Embedder | None) -> dict[str, Any]:
    from rag.ingest.pipeline import ingest

    file = corpus.folder / ARTICLES[0]
    with file.open("rb") as f:
        total = sum(1 for _ in f)
    with open_library(corpus.library, write=True, embedder=embedder) as library:
        library.embedder.embed(["warm"])
        with progress("Recap: articles to ingest", total) as tell:
            began = time.perf_counter()
            report = ingest(library, [str(file)], progress=lambda _, done: tell(done))
            seconds = time.perf_counter() - began
        counts = library.counts()
    if counts["articles"] > total:
        raise RecapError(
            f"The library {corpus.library} holds {counts['articles'] - total:,} articles that are not of this "
            "benchmark. Name another with --library, or leave it out."
        )
    made = len(report.added) + len(report.updated)
    if not made and before.get("articles_per_s"):  # its settings changed, its articles did not
        return before | {"passages": counts["chunks"]}
    return {
        "seconds": seconds, "articles": made, "resumed": made + len(report.rejected) < total,
        "passages": counts["chunks"], "copies": counts["articles"] - counts["pieces"],
        "rejected": [r.reason for r in report.rejected], "chunks_embedded": report.chunks_embedded,
    }  # fmt: skip


# --- BM25 -------------------------------------------------------------------------------------------------------------

WINDOW = 160  # words
_PASSAGES = "passages.jsonl"


def windows(text: str, size: int = WINDOW) -> list[str]:
    """Cut a text into runs of `size` words that share none."""
    spans = [m.span() for m in re.finditer(r"\S+", text)]
    return [text[spans[i][0] : spans[min(i + size, len(spans)) - 1][1]] for i in range(0, len(spans), size)]


def _build_bm25(articles: Sequence[ArticleRow], folder: Path) -> dict[str, Any]:
    import bm25s
    import Stemmer

    with progress("BM25: articles to index", len(articles)):
        began = time.perf_counter()
        passages = [(a["url"], text) for a in articles for text in windows(a["text"])]
        tokens = bm25s.tokenize(
            [text for _, text in passages], stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False
        )
        ranking = bm25s.BM25()
        ranking.index(tokens, show_progress=False)
        ranking.save(str(folder))
        with (folder / _PASSAGES).open("w", encoding="utf-8", errors="backslashreplace") as f:
            f.writelines(json.dumps(p, ensure_ascii=False) + "\n" for p in passages)
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "articles": len(articles), "passages": len(passages)}


class BM25:
    """Okapi BM25 (k1 1.5, b 0.75) of stemmed words without the commonest, over passages of 160 words."""

    def __init__(self, folder: Path) -> None:
        import bm25s
        import Stemmer

        stemmer = Stemmer.Stemmer("english")

        def tokenize(text: str) -> Any:
            return bm25s.tokenize([text], stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)

        self._tokenize = tokenize
        self._ranking = bm25s.BM25.load(str(folder))
        with (folder / _PASSAGES).open(encoding="utf-8") as f:
            self._passages: list[tuple[str, str]] = [(url, text) for url, text in map(json.loads, f)]
        self._of: dict[str, list[str]] = {}
        for url, text in self._passages:
            self._of.setdefault(url, []).append(text)

    def search(self, question: Question) -> list[Passage]:
        """Find ten passages, best first."""
        k = min(10, len(self._passages))
        found, scores = self._ranking.retrieve(self._tokenize(question.text), k=k, show_progress=False)
        pairs = zip(found[0].tolist(), scores[0].tolist(), strict=True)
        return [Passage(self._passages[n][0], self._passages[n][1], str(n)) for n, score in pairs if score > 0]

    def own(self, urls: Iterable[str]) -> list[str]:
        """Return every passage of these articles."""
        return [text for u in urls for text in self._of.get(u, ())]


# --- Recap ------------------------------------------------------------------------------------------------------------


class _OnLibrary:
    def __init__(self, library: Library) -> None:
        self._library = library

    def own(self, urls: Iterable[str]) -> list[str]:
        """Return every passage of these articles."""
        sql = (
            "SELECT c.text FROM chunks c JOIN articles a ON a.id = c.article_id"
            " WHERE a.url IN (SELECT value FROM json_each(?))"
        )
        return [r["text"] for r in self._library.rows(sql, (json.dumps(list(urls)),))]


class Dense(_OnLibrary):
    """Recap's passages by their vectors alone."""

    def search(self, question: Question) -> list[Passage]:
        """Find ten passages, best first."""
        library = self._library
        found = library.index.search(library.embedder.embed([question.text])[0], limit=10)
        chunks = library.chunks_by_id([i for i, _ in found])
        articles = library.articles_by_id(c.article_id for c in chunks.values())
        ranked = [chunks[i] for i, _ in found if i in chunks]
        return [Passage(articles[c.article_id].url or "", c.text, c.id) for c in ranked]


class Recap(_OnLibrary):
    """Recap's search, asked on the day of the question."""

    def search(self, question: Question) -> list[Passage]:
        """Find ten passages, best first."""
        from rag.retrieve.query import understand
        from rag.retrieve.search import search

        library = self._library
        hits = search(library, understand(question.text, library=library, as_of=question.date), top_k=10)
        copies = library.articles_by_id(i for h in hits for i in h.copies)
        return [
            Passage(
                h.article.url or "",
                h.chunk.text,
                h.chunk.id,
                tuple(url for i in h.copies if i in copies and (url := copies[i].url)),
            )
            for h in hits
        ]


# --- searching --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def opened(system: str, corpus: Corpus, *, embedder: Embedder | None = None) -> Iterator[System]:
    """Open what `build` made."""
    if system == "starter":
        from eval.starter import Starter

        yield Starter(corpus.index(system))
    elif system == "bm25":
        yield BM25(corpus.index(system))
    else:
        with open_library(corpus.library, embedder=embedder) as library:
            _ = library.index  # opens it
            yield Recap(library) if system == "recap" else Dense(library)


def search_all(
    system: str, corpus: Corpus, questions: Sequence[Question], *, embedder: Embedder | None = None
) -> dict[str, Any]:
    """Ask every question, one at a time and warm; return figures, and a record of each in `records`.

    `open_s`: from nothing to an open index; `first_s`: the first question after it, models loading.
    """
    began = time.perf_counter()
    with (
        opened(system, corpus, embedder=embedder) as index,
        progress(f"{NAMES[system]}: questions", len(questions)) as tell,
    ):
        open_s = time.perf_counter() - began
        first_s = timed(lambda: index.search(questions[0]))
        for q in questions[:_WARM_UP]:
            index.search(q)
        records, took = [], []
        for n, q in enumerate(questions, start=1):
            began = time.perf_counter()
            passages = index.search(q)
            took.append(time.perf_counter() - began)
            records.append({"id": q.id, "ms": took[-1] * 1000} | judge(q, passages, index.own(q.answer_urls)))
            tell(n)
    return {
        "open_s": open_s, "first_s": first_s, "search_ms": spread(took), "rss_mb": peak_rss_mb(), "records": records,
    }  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Be a part: build, or search. Returns the exit status."""
    part, system, folder, library = argv
    corpus = Corpus(Path(folder), Path(library))

    def search_part() -> dict[str, Any]:
        return search_all(system, corpus, load_questions(corpus.folder / QUESTIONS))

    return answer_part(lambda: build(system, corpus) if part == "build" else search_part())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
