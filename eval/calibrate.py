"""`python -m eval.calibrate DATA LIBRARY FACTS SEEDS`: fit how sure the reader is of the model's answers and of its rules'.

What it is fitted to: half of the quizzes of a RealTimeQA folder (with the questions' own articles, with all, and with those
that hold the answer taken away), and the facts of the "dev" split. The other half of the quizzes is printed beside it. Prints
the two rows of weights that rag/answer/extract.py holds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eval.answers import RIGHT_F1, calibration, own_articles, read, urls_of
from eval.facts import ANSWERABLE, load_facts
from eval.metrics import contains, token_f1
from eval.parts import progress
from eval.questions import QUESTIONS, load_questions
from eval.systems import open_library
from rag.answer import extract
from rag.types import Query

if TYPE_CHECKING:
    from rag.store.library import Library

Floats = npt.NDArray[np.float64]
RIDGE = 1.0  # of the weights' squares, against some thousand rows
_OF_FACTS = 4.0  # what a row of the facts weighs: there are fewer of them, and they are what Recap is for


@dataclass(frozen=True, slots=True)
class Row:
    """One question read: the features, whether the model and (None: silent) the rules are right."""

    values: tuple[float, ...]
    model: bool
    rules: bool | None
    weight: float = 1.0
    tuned: bool = True


def rows_of(
    library: Library, query: Query, within: set[str] | None, right: Callable[[str], bool]
) -> Iterator[tuple[tuple[float, ...], bool, bool | None]]:
    """Read a question as the reader does, and yield the features and who is right, if the model says anything."""
    found = read(library, query, within)
    if found.extracted is not None:
        yield found.values, right(found.extracted.reading.short), right(found.ruled.short) if found.ruled else None


def fit(rows: Sequence[Row], *, of: str) -> Floats:
    """Fit a logistic regression by Newton's steps: (features,) weights."""
    kept = [r for r in rows if getattr(r, of) is not None]
    x = np.array([r.values for r in kept])
    y = np.array([float(getattr(r, of)) for r in kept])
    each = np.array([r.weight for r in kept])
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ w)))
        gradient = x.T @ (each * (y - p)) - RIDGE * w
        hessian = (x * (each * p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(len(w))
        step = np.linalg.solve(hessian, gradient)
        w += step
        if np.abs(step).max() < 1e-6:
            break
    return w


def collect(data: Path, library: Path, facts: Path, seeds: Path, *, every: int) -> list[Row]:
    """Read the questions and the facts."""
    from rag.retrieve.query import understand

    out = []
    questions = load_questions(data / QUESTIONS, answered=False)
    quizzes = sorted({q.quiz for q in questions})
    tuned = set(quizzes[::2])
    questions = questions[::every]
    with open_library(library) as opened, progress("Questions to read", len(questions)) as tell:
        ids = urls_of(opened)
        for n, q in enumerate(questions):
            query = understand(q.text, library=opened, as_of=q.date)
            own, holds = own_articles(opened, q, ids)

            def right(said: str, answer: str = q.answer) -> bool:
                return token_f1(said, [answer]) >= RIGHT_F1

            for within in (own, own - holds if holds else None):
                if within:
                    out += [Row(*r, 1.0, q.quiz in tuned) for r in rows_of(opened, query, within, right)]
            tell(n + 1)
    with open_library(seeds) as opened:
        for fact in load_facts([facts]):
            if fact.split != "dev":
                continue
            query = understand(fact.question, library=opened, history=fact.history, as_of=fact.as_of or date.today())
            golds = fact.answers if fact.type in ANSWERABLE else ()

            def right_fact(said: str, golds: Any = golds) -> bool:
                return bool(golds) and all(
                    any(contains(said, a) or contains(a, said) for a in aliases) for aliases in golds
                )

            out += [Row(*r, _OF_FACTS) for r in rows_of(opened, query, None, right_fact)]
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Fit and print."""
    parser = argparse.ArgumentParser(prog="python -m eval.calibrate", description=__doc__)
    for name in ("data", "library", "facts", "seeds"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--every", type=int, default=1, help="only every n-th question")
    args = parser.parse_args(argv)
    rows = collect(args.data, args.library, args.facts, args.seeds, every=args.every)
    for name, of in (("MODEL_RIGHT", "model"), ("RULES_RIGHT", "rules")):
        weights = fit([r for r in rows if r.tuned], of=of)
        print(f"{name} = ({', '.join(f'{w:.2f}' for w in weights)})")
        for told, side in (("tuned", True), ("kept back", False)):
            kept = [r for r in rows if r.tuned is side and getattr(r, of) is not None]
            reads = [
                {"confidence": extract.probability(list(weights), r.values), "f1": float(getattr(r, of))} for r in kept
            ]
            found = calibration(reads)
            share = sum(r["f1"] for r in reads) / max(1, len(reads))
            print(f"  {told}: {len(reads)} rows, right {share:.3f}, calibration error {found['error']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
