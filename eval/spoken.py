"""`recap eval spoken DIR --library LIB --llm NAME`: a language model's answers to real news questions, through the whole chain.

Each question of a RealTimeQA folder whose own articles say the answer is asked with those articles alone, as the published
systems were. The model may be a recording (`replay:FILE`): then only what was recorded is counted, and how many prompts
were not there is told.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eval.answers import own_articles, urls_of
from eval.metrics import bootstrap_mean, citation_precision, citation_recall, contains, exact_match, token_f1
from eval.parts import progress, spread
from eval.questions import QUESTIONS, Question, load_questions
from rag.answer.chain import ask_stream
from rag.answer.cite import about_sources
from rag.answer.sentences import split_sentences
from rag.errors import RecapError
from rag.store.library import Library
from rag.types import Answer


def measure(library: Library, data: Path, *, every: int = 1) -> dict[str, Any]:
    """Ask every n-th question that its own articles answer. Raises: RecapError when there is none."""
    questions = load_questions(data / QUESTIONS, answered=True)[::every]
    ids = urls_of(library)
    records = []
    with progress("Questions to ask", len(questions)) as tell:
        for n, q in enumerate(questions, start=1):
            own, holds = own_articles(library, q, ids)
            if holds:
                answer, first = _timed(library, q, own)
                asked = {"id": q.id, "quiz": q.quiz, "question": q.text, "gold": q.answer, "first_ms": first}
                records.append(asked | _record(answer, q.answer))
            tell(n)
    if not records:
        raise RecapError(f"None of the questions of {data} can be answered from the articles of this library.")
    return figures(records) | {"records": records}


def _timed(library: Library, q: Question, own: set[str]) -> tuple[Answer, float | None]:
    """Ask, and tell after how many ms the first checked sentence was there; None when the reader answered."""
    began = time.perf_counter()
    first = None
    answer: Answer | None = None
    for answer in ask_stream(library, q.text, as_of=q.date, within=own):
        if first is None and answer.text and not answer.abstained and answer.engine != "reader":
            first = round((time.perf_counter() - began) * 1000, 1)
    assert answer is not None  # the last snapshot always comes
    return answer, first


def _record(answer: Answer, gold: str) -> dict[str, Any]:
    short = answer.short or ""
    cited = [c.sentence for c in answer.citations if c.verdict == "supported"]
    said = not answer.abstained
    return {
        "answer": answer.text, "short": answer.short, "abstained": answer.abstained, "engine": answer.engine, "notes": list(answer.notes),
        "em": exact_match(short, [gold]), "f1": token_f1(short, [gold]), "contains": float(said and contains(answer.text, gold)),
        "verdicts": [c.verdict for c in answer.citations],
        "citation_precision": citation_precision([c.verdict for c in answer.citations]) if said else None,
        "citation_recall": citation_recall(sum(not about_sources(s) for s in split_sentences(answer.text)), cited) if said else None,
        "ms": answer.timings_ms.get("total", 0.0),
    }  # fmt: skip


def figures(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sum up what the model itself answered; `fell back`: the reader had to, which is no figure of the model."""
    own = [r for r in records if r["engine"] != "reader"]
    out: dict[str, Any] = {
        "questions": len(records),
        "fell back": len(records) - len(own),
        "engines": sorted({r["engine"] for r in records}),
    }
    for name in ("em", "f1", "contains", "citation_precision", "citation_recall"):
        kept = [r for r in own if r[name] is not None]
        interval = bootstrap_mean([r[name] for r in kept], [r["quiz"] for r in kept])
        out[name] = asdict(interval) if interval else None
    firsts = [r["first_ms"] for r in own if r.get("first_ms") is not None]
    out["first_ms"] = spread([ms / 1000 for ms in firsts]) if firsts else None
    out["abstained"] = statistics.fmean(r["abstained"] for r in own) if own else None
    return out


def markdown(found: dict[str, Any]) -> str:
    """Lay the figures out as lines."""

    def percent(x: Any) -> str:
        return "-" if x is None else f"{100 * x['mean']:.1f} [{100 * x['low']:.1f}, {100 * x['high']:.1f}]"

    rows = [
        ("exact match (SQuAD)", percent(found["em"])), ("token F1 (SQuAD)", percent(found["f1"])),
        ("answer contains the gold", percent(found["contains"])), ("citation precision", percent(found["citation_precision"])),
        ("citation recall", percent(found["citation_recall"])),
        ("declined", "-" if found["abstained"] is None else f"{100 * found['abstained']:.1f}"),
        ("first checked sentence after, ms: p50, p95", "-" if not found["first_ms"] else f"{found['first_ms']['p50']:.0f}, {found['first_ms']['p95']:.0f}"),
    ]  # fmt: skip
    head = (
        f"{found['questions']} questions whose own articles say the answer; answered by {', '.join(found['engines'])}"
    )
    lines = [
        f"{head}; the reader had to step in for {found['fell back']}, which are not counted:",
        "",
        "| | |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows)])
