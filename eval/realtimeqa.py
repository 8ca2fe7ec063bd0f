"""`recap eval realtimeqa DIR`: Recap beside what people would pick instead, on real news questions, in one run.

Each system indexes the same articles and answers the same questions, in processes of its own. What was built is kept in
OUT/work and is not built again; the figures of a build are those of the first time.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eval.metrics import bootstrap_mean, paired_difference
from eval.parts import about, run_part
from eval.questions import METRICS, QUESTIONS, ArticleRow, Question, digest, load, sample, write
from eval.systems import HINT, NAMES, Corpus, missing
from rag.errors import RecapError

SYSTEMS = tuple(NAMES)
OWN = "recap"  # the system that the others are compared with
_COPIES = "hit@5, copies too"


def run(
    data: Path,
    *,
    out: Path,
    library: Path | None = None,
    n_articles: int | None = None,
    n_questions: int | None = None,
    systems: Sequence[str] = SYSTEMS,
    seed: int = 1,
    grow: Sequence[int] = (),
    synthetic: int | None = None,
    change: bool = False,
    overlap: bool = False,
    answers: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Build, search and score; write summary.json, report.md, plot.svg and SYSTEM.jsonl to `out`; return the summary.

    `library`: where Recap's library is or will be (default: beside the others). Raises: RecapError.
    """
    every, questions = load(data)
    articles, questions = sample(every, questions, n_articles=n_articles, n_questions=n_questions, seed=seed)
    folder = out / "work" / digest(articles)
    corpus = Corpus(folder, library or folder / "library")
    _write_corpus(folder, articles, questions)
    n = len(articles)
    summary: dict[str, Any] = {
        "data": {
            "articles": n, "of_articles": len(every), "questions": len(questions), "seed": seed,
            "quizzes": len({q.quiz for q in questions}), "digest": digest(articles),
        },
        "systems": {}, "skipped": {},
    }  # fmt: skip
    records: dict[str, list[dict[str, Any]]] = {}
    for system in [s for s in SYSTEMS if s in systems]:
        if lacking := missing(system):
            summary["skipped"][system] = f"{NAMES[system]} was skipped: it needs {', '.join(lacking)} ({HINT})."
            say(summary["skipped"][system])
            continue
        built = _built(system, corpus)
        found = run_part("eval.systems", "search", system, corpus.folder, corpus.library)
        records[system] = found.pop("records")
        summary["systems"][system] = {"build": built, "search": found}
    if not records:
        raise RecapError(f"None of the systems could run. Install what they need: {HINT}.")
    score(summary, records, questions)
    if answers or overlap or change or grow or synthetic:
        _built(OWN, corpus)
    if answers:
        asked = data if n == len(every) and n_questions is None else folder
        found = run_part("eval.answers", corpus.library, asked / QUESTIONS, data / QUESTIONS)
        records["answers"] = found.pop("records")
        summary["answers"] = found
    if overlap:
        summary["overlap"] = run_part("eval.growth", "overlap", corpus.folder, corpus.library)
    if change:
        summary["change"] = run_part("eval.growth", "change", corpus.folder, corpus.library, folder / "change")
    if grow:
        summary["growth"] = _grow(grow, every, questions, corpus, n, seed=seed, folder=out / "work", say=say)
    if synthetic:
        place = folder / f"made-up-{synthetic}"
        summary["synthetic"] = run_part(
            "eval.growth", "synthetic", corpus.folder, corpus.library, str(synthetic), place
        ) | _size(place / "library", folder)
    summary["about"] = about()
    _write_results(out, summary, records)
    return summary


def _write_corpus(folder: Path, articles: Sequence[ArticleRow], questions: Sequence[Question]) -> None:
    try:
        write(folder, articles, questions)
    except OSError as e:
        raise RecapError(f"Cannot write to {folder}: {e.strerror}. Choose another folder with --out.") from e


def _built(system: str, corpus: Corpus) -> dict[str, Any]:
    """Build by a part; the library of Recap serves dense search too."""
    return run_part("eval.systems", "build", OWN if system == "dense" else system, corpus.folder, corpus.library)


def _size(library: Path, folder: Path) -> dict[str, Any]:
    from eval.growth import size_of

    return size_of(library, folder / QUESTIONS)


def _grow(
    sizes: Sequence[int], every: Sequence[ArticleRow], questions: Sequence[Question], whole: Corpus, n: int, *,
    seed: int, folder: Path, say: Callable[[str], None],
) -> list[dict[str, Any]]:  # fmt: skip
    """Build and measure Recap at several numbers of articles, each a part of the next, and at that of this run."""
    order = list(range(len(every)))
    random.Random(seed).shuffle(order)  # noqa: S311
    rows = []
    for size in sorted(set(sizes)):
        if size >= len(every):
            say(f"--grow {size:,}: there are only {len(every):,} articles, and they are measured anyway.")
            continue
        some = [every[i] for i in sorted(order[:size])]
        corpus = Corpus(folder / digest(some), folder / digest(some) / "library")
        _write_corpus(corpus.folder, some, questions)
        rows.append(_built(OWN, corpus) | {"search": _size(corpus.library, corpus.folder)})
    rows.append(_built(OWN, whole) | {"search": _size(whole.library, whole.folder)})
    return [
        {
            "articles": r["search"]["articles"], "chunks": r["search"]["chunks"], "articles_per_s": r["articles_per_s"],
            "ingest_rss_mb": r["rss_mb"], **{k: v for k, v in r["search"].items() if k not in ("articles", "chunks")},
        }
        for r in rows
    ]  # fmt: skip


# --- scoring ----------------------------------------------------------------------------------------------------------


def score(
    summary: dict[str, Any], records: Mapping[str, Sequence[Mapping[str, Any]]], questions: Sequence[Question]
) -> None:
    """Add to `summary` each system's means, and its difference from Recap's, with 95% intervals over the quizzes.

    `records[system]` has a `judge` for each of `questions`, in their order.
    """
    quizzes = [q.quiz for q in questions]
    for system, of in records.items():
        words = [w for r in of for w in r["words"]]
        interval = {m: asdict(i) for m in (*METRICS, _COPIES) if (i := bootstrap_mean([r[m] for r in of], quizzes))}
        summary["systems"][system] |= {
            "metrics": interval,
            "words": sum(words) / len(words) if words else 0.0,
            "cut": sum(r["relevant"] == 0 for r in of),
        }
    summary["differences"] = {}
    if OWN not in records:
        return
    for system in [s for s in records if s != OWN]:
        pairs = {m: ([r[m] for r in records[system]], [r[m] for r in records[OWN]]) for m in METRICS}
        summary["differences"][system] = {
            m: asdict(i) for m, (theirs, ours) in pairs.items() if (i := paired_difference(theirs, ours, quizzes))
        }


def _write_results(out: Path, summary: Mapping[str, Any], records: Mapping[str, Sequence[object]]) -> None:
    from eval.report import write_files
    from eval.sidebyside import markdown, plot

    files = {
        "summary.json": json.dumps(summary, ensure_ascii=False, indent=1) + "\n",
        "report.md": markdown(summary),
        "plot.svg": plot(summary),
    }
    files |= {f"{s}.jsonl": "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in of) for s, of in records.items()}
    write_files(out, files)
