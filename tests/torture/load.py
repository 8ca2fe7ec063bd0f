"""A long day for the page: thousands of questions while another process keeps writing to the library."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.torture import Row
from tests.torture.people import DEEDS, MOST, deed, made_library, name

QUESTIONS = int(os.environ.get("RECAP_TORTURE_QUESTIONS", "2000"))  # fewer while one works on it
VISITORS = 4
PEOPLE = 100
GROWTH = 0.05  # of the server's memory over the second half
SLOWER = 2.0  # loaded by idle p95


def write_facts(file: Path) -> Path:
    """Write what is asked: what the library says, what it does not, follow-ups, and editions."""
    rows: list[dict[str, Any]] = []

    def fact(kind: str, question: str, *answers: str, before: tuple[str, str] | None = None) -> None:
        history = (
            [{"role": "user", "content": before[0]}, {"role": "assistant", "content": before[1]}] if before else []
        )
        row = {"id": f"f{len(rows)}", "type": kind, "question": question, "history": history, "answers": list(answers)}
        rows.append(row)

    for person in range(0, PEOPLE, 2):
        d = deed(person, person % len(DEEDS))
        fact("fact", d.question, d.mark)
        other = deed(person, (person + 1) % len(DEEDS))
        short = other.question.replace(name(person), "they")
        fact("followup", f"And {short[0].lower()}{short[1:]}", other.mark, before=(d.question, d.mark))
    for person in range(PEOPLE, MOST):
        fact("unanswerable", deed(person, 0).question)
    for year, host in (("2024", "Ines Calder"), ("2023", "Bruno Salt")):
        for _ in range(10):
            fact("fact", f"Who hosted the {year} Lantern Music Awards?", host)
    for _ in range(10):
        question = "Who hosted the 2024 Lantern Music Awards?"
        fact("followup", "And in 2023?", "Bruno Salt", before=(question, "Ines Calder"))
        fact("unanswerable", "Who hosted the 2019 Lantern Music Awards?")
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def _case(n: int, given: Any, folder: Path) -> dict[str, float]:
    from eval.soak import soak_with_ingest
    from tests.conftest import write_articles
    from tests.small_coverage import COVERAGE

    library = made_library(folder, PEOPLE, write_articles(folder / "shows", COVERAGE))
    facts = write_facts(folder / "facts.jsonl")
    told = soak_with_ingest(library, facts, questions=QUESTIONS, visitors=VISITORS)
    assert not told["errors"] + told["idle"]["errors"], (
        f"{told['errors']} errors: {told['said']} {told['idle']['said']}"
    )
    rss = dict(told["rss_mb"])
    figures = {
        "idle p95 ms": told["idle"]["answer_ms"]["p95"],
        "loaded p95 ms": told["answer_ms"]["p95"],
        "ratio": told["ratio"],
        "start MB": rss[0],
        "half MB": rss[round(QUESTIONS / 2)],
        "end MB": rss[QUESTIONS],
        "growth %": 100 * told["rss_growth"],
        **told["ingest"],
    }
    measured = ", ".join(f"{k} {v:.4g}" for k, v in figures.items())
    assert all(told["ingest"].values()), f"the other process did not add, edit and remove: {measured}"
    assert told["rss_growth"] <= GROWTH, f"the server's memory grew over the second half: {measured}"
    assert told["ratio"] <= SLOWER, f"an ingest makes questions too slow: {measured}"
    return figures


ROW = Row(
    name="load",
    fault=f"{QUESTIONS:,} mixed questions while articles are added, edited and removed all the time",
    required="0 errors, memory +5% at most over the second half, p95 within 2 x of the idle p95",
    quick=0,
    full=1,
    case=_case,
    limit_s=1800,
)
