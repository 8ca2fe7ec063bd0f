"""Put facts to a library and judge what comes back, one verdict a fact.

When an answer is right:

- `fact`, `multi`, `temporal`, `followup`: it was not declined, says every answer (any alias each; whole words, case,
  accents and punctuation apart), says nothing of `must_not`, and has at least one citation.
- `unanswerable`: it was declined, and says nothing of `must_not`.
- `false_premise`, `wrong_edition`: it was declined or says a `correction`, and says nothing of `must_not`.

A question whose answer raised an error is wrong, whatever its type. Retrieval: a passage is relevant if its article is
the document of a piece of evidence (or a copy stands for it) and it holds the quote; a passage that is found twice
counts once; of a piece that is held in copies, one copy counts.

What it does not know: how a figure is computed (metrics.py), how a run is shown (report.py).
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import subprocess
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from eval import metrics
from eval.diagnose import count, diagnose
from eval.facts import ANSWERABLE, TYPES, Fact, FactsError, fold, is_doc
from eval.resume import Kept, facts_hash, made_of
from rag.errors import EmbedError, LibraryError
from rag.types import Answer, Article, Hit, Turn

if TYPE_CHECKING:
    from datetime import date

    from rag.config import Config
    from rag.store.library import Library

TOP_K = 10
QUOTED = 5  # words that no other article has by chance
_MARK = re.compile(r"\s*\[\d+\]")
_PACKAGES = ("recap", "chromadb", "llama-index-core", "numpy", "openvino", "tokenizers")
MEANS = {  # score -> what a person reads
    "hit@1": "hit@1",
    "hit@5": "hit@5",
    "hit@10": "hit@10",
    "mrr@10": "MRR@10",
    "ndcg@10": "nDCG@10",
    "contains": "answer contains the gold",
    "em": "exact match (SQuAD)",
    "f1": "token F1 (SQuAD)",
    "em_unicode": "exact match (Unicode)",
    "f1_unicode": "token F1 (Unicode)",
    "citation_precision": "citation precision",
    "citation_recall": "citation recall",
    "citation_gold": "citations that show the gold",
    "crag": "CRAG score (-1 to 1)",
}


class Ask(Protocol):
    """What answers: `rag.ask`."""

    def __call__(
        self, library: Library, question: str, *, history: Sequence[Turn] = (), as_of: date | None = None
    ) -> Answer: ...


class Find(Protocol):
    """What finds: the question understood, then `rag.search`."""

    def __call__(
        self,
        library: Library,
        question: str,
        *,
        history: Sequence[Turn] = (),
        as_of: date | None = None,
        top_k: int = 8,
    ) -> Sequence[Hit]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One fact's outcome, as JSON holds it: a line of run.jsonl.

    `reason` says why it is wrong ("" when right). `scores` hold None where a figure is not defined. `hits[i]` has rank
    i+1. `error` is set when the question raised one. `draft` is what a language model wrote before it was checked.

    Of a wrong answer, `diagnosis` has the `stage` at which it was lost, and `why`; `found[i]` says how far `evidence[i]` came:
    `document` and `held` (is it in the library; `about` which editions), `rank` among so many `candidates` (None: not there),
    `read` by what answered, in which `place` of so many `given`, `drafted` if a language model that wrote a draft had it,
    and the `passage`.
    """

    id: str
    type: str
    question: str
    standalone: str | None = None
    as_of: str | None = None
    history: list[dict[str, str]] = field(default_factory=list)
    cluster: str = ""
    split: str = "test"
    pinned: bool = False
    twin: str | None = None
    gold: list[list[str]] = field(default_factory=list)
    must_not: list[str] = field(default_factory=list)
    correction: list[str] = field(default_factory=list)
    evidence: list[dict[str, str]] = field(default_factory=list)
    right: bool
    reason: str = ""
    answer: str = ""
    short: str | None = None
    abstained: bool = False
    engine: str = ""
    standalone_question: str = ""
    citations: list[dict[str, Any]] = field(default_factory=list)
    hits: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    scores: dict[str, float | None] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    draft: str | None = None
    found: list[dict[str, Any]] = field(default_factory=list)
    diagnosis: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """All results of one evaluation, with what is needed to repeat it (`about`: config, corpus, code, versions)."""

    results: tuple[Result, ...]
    about: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """Every figure of the run, as summary.json holds it."""
        return summarise(self.results, self.about)


def evaluate(
    library: Library,
    facts: Iterable[Fact],
    *,
    out: Path | None = None,
    seed: int | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
    ask: Ask | None = None,
    find: Find | None = None,
) -> Run:
    """Ask every fact's question and judge the answers; `results` are in the order of `facts`.

    `out` is a folder for the reports. A run that was stopped in it goes on where it was, if facts, library, configuration,
    code and day are the same; `say` is told in a sentence which it was. `seed` shuffles the order of asking. `jobs` asks so
    many at a time: latencies are then those of a busy machine (`about["latency_comparable"]` is False).
    `progress(done, total)` is told after each fact. `ask` and `find` replace the engine; nothing of theirs is taken up again.
    The first question is asked twice: once cold (`about["cold_ms"]`), then warm like the others.
    Raises: FactsError without facts; LibraryError and EmbedError, which would spoil every fact alike.
    """
    facts = list(facts)
    if not facts:
        raise FactsError("There are no facts to run. Give a file that holds some.")
    own = ask is not None or find is not None
    if ask is None:
        from rag.answer.chain import ask as ask_engine

        ask = ask_engine
    find = find or _find
    coverage = _Coverage(library)
    made = made_of(library, facts) if not own else None
    began = time.perf_counter()
    started = datetime.now(UTC)
    cold_ms: float | None = None
    with Kept(out, made, total=len(facts)) if out and made else contextlib.nullcontext() as kept:
        if say and kept and kept.note:
            say(kept.note)
        earlier = {i: Result(**row) for i, row in kept.done.items()} if kept else {}
        found = {f.id: earlier[f.id] for f in facts if f.id in earlier}
        left = [f for f in facts if f.id not in found]
        if seed is not None:
            left = [left[i] for i in np.random.default_rng(seed).permutation(len(left))]
        resumed = len(found)
        if left:
            _answered(ask, library, facts[0].question, facts[0])
            cold_ms = round(_ms_since(began), 1)
        judged = partial(_result, library=library, coverage=coverage, ask=ask, find=find)
        with contextlib.closing(_each(judged, left, jobs=jobs)) as results:
            for result in results:
                found[result.id] = result
                if kept:
                    kept.add(dataclasses.asdict(result))
                if progress:
                    progress(len(found), len(facts))
    about = {
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - began, 1),
        "cold_ms": cold_ms,
        "resumed": resumed,
        "seed": seed,
        "jobs": jobs,
        "latency_comparable": jobs == 1,
        "made_of": made,
        "config": public_config(library.config),
        "corpus": coverage.about(),
        "facts": facts_hash(facts),
        "fact_files": sorted({Path(f.where.rpartition(":")[0]).name for f in facts if f.where}),
        **_code(),
    }
    run = Run(results=tuple(found[f.id] for f in facts), about=about)
    if out is not None:
        from eval.report import write

        write(run, out)
    if kept:
        kept.finish()
    return run


def _each(do: Callable[[Fact], Result], facts: Sequence[Fact], *, jobs: int) -> Generator[Result, None, None]:
    """Yield the results as they come, so many at a time; who stops listening still waits for those that are being asked."""
    if jobs <= 1:
        yield from map(do, facts)
        return
    with ThreadPoolExecutor(jobs, thread_name_prefix="recap-eval") as pool:
        asked = [pool.submit(do, f) for f in facts]
        try:
            for done in as_completed(asked):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _find(
    library: Library, question: str, *, history: Sequence[Turn] = (), as_of: date | None = None, top_k: int = 8
) -> Sequence[Hit]:
    from rag.retrieve.query import understand
    from rag.retrieve.search import search

    return search(library, understand(question, library=library, history=history, as_of=as_of), top_k=top_k)


def _answered(ask: Ask, library: Library, question: str, fact: Fact, *, history: bool = True) -> Answer | str:
    """The answer, or the error as one line. A crash is a result like any other: the facts after it are still asked."""
    try:
        return ask(library, question, history=fact.history if history else (), as_of=fact.as_of)
    except (LibraryError, EmbedError):
        raise
    except Exception as e:
        return " ".join(f"{type(e).__name__}: {e}".split())


def _result(fact: Fact, *, library: Library, coverage: _Coverage, ask: Ask, find: Find) -> Result:
    began = time.perf_counter()
    hits: Sequence[Hit] = ()
    error: str | None = None
    try:
        hits = find(library, fact.question, history=fact.history, as_of=fact.as_of, top_k=TOP_K)
    except (LibraryError, EmbedError):
        raise
    except Exception as e:
        error = " ".join(f"{type(e).__name__}: {e}".split())
    timings = {"search": round(_ms_since(began), 2)}
    began = time.perf_counter()
    got = _answered(ask, library, fact.question, fact)
    wall = round(_ms_since(began), 2)
    if isinstance(got, str):
        error = got
        answer = Answer(question=fact.question, standalone_question="", text="", engine="")
    else:
        answer = got
        timings |= {**got.timings_ms, "total": wall}
    right, reason = (False, f"error: {error}") if error else judge(fact, answer)
    seen = distinct(hits)
    gains = [coverage.relevant(hit, fact) for hit in seen]
    scores = _scores(fact, answer, right=right, gains=gains, relevant=max(coverage.count(fact), sum(gains)))
    scores["citation_gold"] = _cites_gold(fact, answer)
    scores["other_edition"] = coverage.other_edition(fact, answer) if fact.type != "unanswerable" else None
    if fact.type == "followup" and fact.standalone:
        alone = _answered(ask, library, fact.standalone, fact, history=False)
        scores["standalone_right"] = float(not isinstance(alone, str) and judge(fact, alone)[0])
    found: list[dict[str, Any]] = []
    if not right and not error and fact.evidence:
        found = coverage.trace(fact, answer, _candidates(fact, answer, library=library, find=find))
    result = Result(
        **told(fact),
        right=right,
        reason=reason,
        answer=answer.text,
        short=answer.short,
        abstained=answer.abstained,
        engine=answer.engine,
        standalone_question=answer.standalone_question,
        citations=[_citation(c) for c in answer.citations],
        hits=[_hit(h, gain) for h, gain in zip(seen, gains, strict=True)],
        notes=list(answer.notes),
        scores=scores,
        timings_ms=timings,
        error=error,
        draft=answer.draft,
        found=found,
    )
    lost = diagnose(result)
    return dataclasses.replace(result, diagnosis=dataclasses.asdict(lost)) if lost else result


def told(fact: Fact) -> dict[str, Any]:
    """What of a `Result` the fact alone decides, as its keyword arguments."""
    return {
        "id": fact.id,
        "type": fact.type,
        "question": fact.question,
        "standalone": fact.standalone,
        "as_of": fact.as_of.isoformat() if fact.as_of else None,
        "history": [{"role": t.role, "content": t.content} for t in fact.history],
        "cluster": fact.cluster,
        "split": fact.split,
        "pinned": fact.pinned,
        "twin": fact.twin,
        "gold": [list(group) for group in fact.answers],
        "must_not": list(fact.must_not),
        "correction": list(fact.correction),
        "evidence": [{"doc": e.doc, "quote": e.quote} for e in fact.evidence],
    }


def _candidates(fact: Fact, answer: Answer, *, library: Library, find: Find) -> Sequence[Hit]:
    """What the search gave to the engine; a language model keeps only the best of it."""
    most = library.config.candidates
    if answer.engine == "reader" and answer.sources:
        return answer.sources
    return find(library, answer.standalone_question or fact.question, as_of=fact.as_of, top_k=most)


def judge(fact: Fact, answer: Answer) -> tuple[bool, str]:
    """Tell whether the answer is right (the definitions are above) and, when it is not, why."""
    text = _MARK.sub("", answer.text)
    if bad := metrics.said_of(text, fact.must_not):
        return False, f"says {', '.join(bad)}"
    if not fact.answerable:
        if answer.abstained:
            return True, ""
        if fact.type == "unanswerable":
            return False, "answered what the coverage does not say"
        if metrics.said_of(text, fact.correction):
            return True, ""
        return False, "neither declined nor corrected"
    if answer.abstained:
        return False, "declined"
    if lacking := metrics.missing(text, fact.answers):
        return False, f"does not say {'; '.join(lacking)}"
    if not answer.citations:
        return False, "no citation"
    return True, ""


def distinct(hits: Sequence[Hit]) -> list[Hit]:
    """The hits without those whose passage came before, by id or by text."""
    kept: list[Hit] = []
    seen: set[str] = set()
    for hit in sorted(hits, key=lambda h: h.rank):
        names = {hit.chunk.id, fold(hit.chunk.text)}
        if not names & seen:
            kept.append(hit)
        seen |= names
    return kept


def _scores(
    fact: Fact, answer: Answer, *, right: bool, gains: Sequence[bool], relevant: int
) -> dict[str, float | None]:
    from rag.answer.cite import about_sources
    from rag.answer.sentences import split_sentences

    scores: dict[str, float | None] = {"right": float(right), "crag": metrics.crag_points(right, answer.abstained)}
    if relevant:
        scores |= {f"hit@{k}": metrics.hit_at(gains, k) for k in (1, 5, TOP_K)}
        scores |= {"mrr@10": metrics.mrr_at(gains, TOP_K), "ndcg@10": metrics.ndcg_at(gains, relevant, TOP_K)}
    if fact.answerable:
        short, gold = answer.short or "", fact.gold
        text = _MARK.sub("", answer.text)
        said = not metrics.missing(text, fact.answers) and not metrics.said_of(text, fact.must_not)
        scores |= {
            "em": metrics.exact_match(short, gold),
            "f1": metrics.token_f1(short, gold),
            "em_unicode": metrics.exact_match(short, gold, normalise=metrics.unicode_normalise),
            "f1_unicode": metrics.token_f1(short, gold, normalise=metrics.unicode_normalise),
            "contains": float(said and not answer.abstained),
        }
    if answer.text and not answer.abstained:
        supported = [c.sentence for c in answer.citations if c.verdict == "supported"]
        scores |= {
            "citation_precision": metrics.citation_precision([c.verdict for c in answer.citations]),
            "citation_recall": metrics.citation_recall(
                sum(not about_sources(s) for s in split_sentences(answer.text)), supported
            ),
            "confidence": answer.confidence,
        }
    return scores


def _cites_gold(fact: Fact, answer: Answer) -> float | None:
    """Share of the citations whose quote says an answer of the fact, or shares a quote with its evidence.

    By the fact alone: the verdict that a citation carries is the engine's own. None where nothing is cited, or to be said.
    """
    if answer.abstained or not fact.answerable or not answer.citations:
        return None
    said = [alias for group in fact.answers for alias in group]
    gold = [fold(e.quote) for e in fact.evidence]
    quotes = [fold(c.quote) for c in answer.citations]
    shown = [bool(q) and (any(q in g or g in q for g in gold) or bool(metrics.said_of(q, said))) for q in quotes]
    return sum(shown) / len(shown)


class _Coverage:
    """The library as the facts see it: which passages hold a quote, which editions an evidence is about."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._articles = {a.id: a for a in library.articles()}
        self._texts: dict[str, list[str]] = {}
        self._whole: dict[str, str] = {}

    def about(self) -> dict[str, Any]:
        """Size and hash of the corpus. The hash leaves file paths out: the same articles give it on any machine."""
        rows = sorted(f"{a.title}\x00{a.url}\x00{a.published}\x00{a.text}" for a in self._articles.values())
        digest = hashlib.sha256("\x01".join(rows).encode()).hexdigest()[:16]
        chunks = sum(len(self._chunks(i)) for i in self._articles)
        return {"articles": len(rows), "chunks": chunks, "hash": digest}

    def _chunks(self, article_id: str) -> list[str]:
        if article_id not in self._texts:
            self._texts[article_id] = [fold(c.text) for c in self._library.chunks(article_id)]
        return self._texts[article_id]

    def _docs(self, fact: Fact) -> Iterator[tuple[str, Article]]:
        for e in fact.evidence:
            for a in self._articles.values():
                if is_doc(e.doc, a):
                    yield fold(e.quote), a

    def count(self, fact: Fact) -> int:
        """Number of passages that hold a quote; of the copies of one piece, only the richest counts."""
        found: dict[str, dict[str, set[int]]] = {}
        for quote, a in self._docs(fact):
            holding = {n for n, text in enumerate(self._chunks(a.id)) if quote in text}
            found.setdefault(a.cluster or a.id, {}).setdefault(a.id, set()).update(holding)
        return sum(max(map(len, copies.values())) for copies in found.values())

    def relevant(self, hit: Hit, fact: Fact) -> bool:
        """Tell whether a hit holds a quote of the fact, in its document or in a copy that stands for it."""
        text = fold(hit.chunk.text)
        stands_for = {hit.article.id, *hit.copies}
        return any(a.id in stands_for and quote in text for quote, a in self._docs(fact))

    def trace(self, fact: Fact, answer: Answer, candidates: Sequence[Hit]) -> list[dict[str, Any]]:
        """How far each piece of evidence came, as `Result.found` holds it.

        A quote of QUOTED words or more may stand in any article; a shorter one stands for itself in its own alone. Of one
        that no single passage holds, a passage with either half will do. Who does not say what it read has read its sources.
        """
        read = dict.fromkeys([h.chunk.id for h in answer.sources] if answer.read is None else answer.read)
        read |= dict.fromkeys(c.chunk_id for c in answer.citations)
        places = {i: n for n, i in enumerate(read, start=1)}
        rows = []
        for e in fact.evidence:
            quote = fold(e.quote)
            docs = [a for a in self._articles.values() if is_doc(e.doc, a)]
            holding = [a for a in docs if quote in self._folded(a)]
            if not holding and len(quote.split()) >= QUOTED:
                holding = [a for a in self._articles.values() if quote in self._folded(a)]
            chunks = [c.text for a in holding for c in self._library.chunks(a.id) if quote in fold(c.text)]
            words = quote.split()
            halves = " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])
            parts = [quote] if chunks else [p for p in halves if p]
            ids = {a.id for a in holding}
            gold = [
                h for h in candidates if ids & {h.article.id, *h.copies} and any(p in fold(h.chunk.text) for p in parts)
            ]
            rows.append(
                {
                    "document": bool(docs),
                    "held": bool(holding),
                    "about": sorted({e.label for a in holding for e in a.events if e.edition}),
                    "rank": min((h.rank for h in gold), default=None),
                    "candidates": len(candidates),
                    "read": any(h.chunk.id in read for h in gold),
                    "place": min((places[h.chunk.id] for h in gold if h.chunk.id in places), default=None),
                    "given": len(read),
                    "drafted": bool(answer.draft) and any(h.rank <= self._library.config.top_k for h in gold),
                    "passage": next(iter(chunks), gold[0].chunk.text if gold else None),
                }
            )
        return rows

    def _folded(self, article: Article) -> str:
        if article.id not in self._whole:
            self._whole[article.id] = fold(article.text)
        return self._whole[article.id]

    def other_edition(self, fact: Fact, answer: Answer) -> float | None:
        """1 if the answer cites another edition of the event than the one that the question names.

        Independent of how the engine reads the question: the edition must stand in the fact's own words and be the one
        that its evidence is about.
        """
        if fact.type == "wrong_edition":
            return float(not judge(fact, answer)[0])
        if answer.abstained:
            return 0.0
        wanted: dict[str, set[str]] = {}
        for _, a in self._docs(fact):
            for e in a.events:
                if e.edition and metrics.contains(f"{fact.question} {fact.standalone or ''}", e.edition):
                    wanted.setdefault(e.key, set()).add(e.edition)
        cited = [c.event for c in answer.citations if c.event and c.event.edition]
        return float(any(e.key in wanted and e.edition not in wanted[e.key] for e in cited))


def _citation(c: Any) -> dict[str, Any]:
    row = {k: getattr(c, k) for k in ("marker", "article_id", "chunk_id", "title", "url", "quote", "start", "end")}
    when = c.published.isoformat() if c.published else None
    edition = {"edition": c.event.edition, "edition_of": c.event.short_label, "event": c.event.label} if c.event else {}
    return {**row, "published": when, "verdict": c.verdict, "sentence": c.sentence, **edition}


def _hit(h: Hit, relevant: bool) -> dict[str, Any]:
    return {
        "rank": h.rank,
        "score": h.score,
        "chunk_id": h.chunk.id,
        "article_id": h.article.id,
        "title": h.article.title,
        "url": h.article.url or h.article.source,
        "published": h.article.published.isoformat() if h.article.published else None,
        "text": h.chunk.text,
        "relevant": relevant,
    }


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


# --- what the run was made of ----------------------------------------------------------------------------------------


def public_config(config: Config) -> dict[str, Any]:
    """The settings, without what is secret: whether there is a password, not which; no user or query in an address."""
    shown: dict[str, Any] = {}
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        shown[f.name] = str(value) if isinstance(value, Path) else value
    if shown.get("auth"):
        shown["auth"] = "set"
    if base := shown.get("llm_base_url"):
        parts = urlsplit(base)
        shown["llm_base_url"] = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return shown


def _code() -> dict[str, Any]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"git": git_revision(), "versions": versions}


def git_revision() -> str | None:
    """The commit of this code, "+" behind it when files differ; None outside a checkout."""

    def git(*words: str) -> str:
        here = Path(__file__).resolve().parent
        done = subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


# --- the figures -----------------------------------------------------------------------------------------------------


def summarise(results: Sequence[Result], about: Mapping[str, Any]) -> dict[str, Any]:
    """Every figure of quality.md over the results, intervals by bootstrap over clusters."""
    answerable = [r for r in results if r.type in ANSWERABLE]
    unanswerable = [r for r in results if r.type == "unanswerable"]
    decided = [*answerable, *unanswerable]
    answered = [r for r in results if not r.abstained and not r.error]
    right = {"all": _mean(results, lambda r: r.right)}
    right |= {t: _mean([r for r in results if r.type == t], lambda r: r.right) for t in TYPES}
    confident = [(c, r.right) for r in answered if (c := r.scores.get("confidence")) is not None]
    by_id = {r.id: r for r in results}
    pairs = [(r, by_id[r.twin]) for r in results if r.twin and r.twin in by_id]
    followups = [r for r in results if r.type == "followup" and "standalone_right" in r.scores]
    stages = sorted({s for r in results for s in r.timings_ms})
    return {
        **about,
        "n": len(results),
        "engines": sorted({r.engine for r in results if r.engine}),
        "right": right,
        "answerable_right_by_split": {
            name: _mean([r for r in answerable if r.split == name], lambda r: r.right)
            for name in sorted({r.split for r in answerable})
        },
        "answerable_right": _mean(answerable, lambda r: r.right),
        "unanswerable_declined": _mean(unanswerable, lambda r: r.abstained),
        "means": {name: _mean(results, _score(name)) for name in MEANS},
        "abstention": {
            "precision": _mean([r for r in decided if r.abstained], lambda r: r.type == "unanswerable"),
            "recall": _mean(unanswerable, lambda r: r.abstained),
            "false_abstention": _mean(answerable, lambda r: r.abstained),
        },
        "risk_coverage": metrics.risk_coverage([c for c, _ in confident], [ok for _, ok in confident], len(results)),
        "calibration": _calibration([(r.scores.get("confidence"), r.right) for r in answered]),
        "diagnosis": count(results),
        "pairs": {
            "n": len(pairs),
            "both_right": sum(a.right and b.right for a, b in pairs),
            "lost": [a.id for a, b in pairs if not (a.right and b.right)],
        },
        "followups": {
            "n": len(followups),
            "right": sum(r.right for r in followups),
            "standalone_right": sum(bool(r.scores["standalone_right"]) for r in followups),
            "gap": _mean(followups, lambda r: (r.scores["standalone_right"] or 0.0) - float(r.right)),
        },
        "latency_ms": {
            stage: {
                "p50": metrics.percentile([r.timings_ms[stage] for r in results if stage in r.timings_ms], 50),
                "p95": metrics.percentile([r.timings_ms[stage] for r in results if stage in r.timings_ms], 95),
            }
            for stage in stages
        },
        "wrong": [r.id for r in results if not r.right],
        "wrong_edition": [r.id for r in results if r.scores.get("other_edition")],
        "errors": [r.id for r in results if r.error],
        "pinned": sum(r.pinned for r in results),
        "pinned_wrong": [r.id for r in results if r.pinned and not r.right],
    }


def _calibration(answers: Sequence[tuple[float | None, bool]]) -> dict[str, Any]:
    """How far the confidence of the answers is off: `n` with one, `none` without, `error` (ECE), `bins`."""
    from eval.answers import calibration

    told = calibration([{"confidence": sure, "f1": float(right)} for sure, right in answers])
    return {key: told[key] for key in ("n", "none", "error", "bins")}


def _score(name: str) -> Callable[[Result], float | None]:
    return lambda r: r.scores.get(name)


def _mean(results: Sequence[Result], value: Callable[[Result], float | bool | None]) -> dict[str, Any] | None:
    got = metrics.bootstrap_mean([value(r) for r in results], [r.cluster for r in results])
    return dataclasses.asdict(got) if got else None
