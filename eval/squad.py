"""`recap eval squad FILE`: the reader's model on a SQuAD-format set, exact match and token F1 as SQuAD scores them.

Each question is read on its own paragraph alone, whole: no search, no threshold, no rules.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eval.metrics import bootstrap_mean, exact_match, token_f1
from eval.parts import progress
from eval.report import write_files
from rag.errors import RecapError
from rag.model.reader import MODEL_DIR, ReaderModel
from rag.train.data import squad_questions


def run(file: Path, *, model: Path = MODEL_DIR, out: Path | None = None) -> dict[str, Any]:
    """Read every question of `file`: {"questions", "em", "f1", ...}, 0 to 1 with 95% intervals. Raises: RecapError."""
    rows = list(squad_questions(file))
    if not rows:
        raise RecapError(f"{file} holds no questions.")
    reader = ReaderModel(model)
    records: list[dict[str, Any]] = []
    began = time.perf_counter()
    with progress("Questions to read", len(rows)) as tell:
        for n, (title, context, question, answers) in enumerate(rows):
            read = reader.read(question, [("", context)])[0]
            said = context[read.start : read.end]
            records.append(
                {"title": title, "question": question, "answers": answers, "said": said, "margin": round(read.margin, 3),
                 "relevance": round(read.relevance, 3), "em": exact_match(said, answers), "f1": token_f1(said, answers)}
            )  # fmt: skip
            tell(n + 1)
    seconds = time.perf_counter() - began
    titles = [r["title"] for r in records]
    summary = {
        "file": file.name, "model": reader.name, "questions": len(rows),
        "em": _interval([r["em"] for r in records], titles), "f1": _interval([r["f1"] for r in records], titles),
        "ms": round(1000 * seconds / len(rows), 1),
    }  # fmt: skip
    if out is not None:
        lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
        write_files(out, {"squad.json": json.dumps(summary, indent=1) + "\n", "squad.jsonl": lines})
    return summary


def _interval(values: Sequence[float], clusters: Sequence[str]) -> dict[str, float]:
    found = bootstrap_mean(values, clusters)
    assert found is not None
    return asdict(found)
