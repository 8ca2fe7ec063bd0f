"""`recap eval realtimeqa DIR --answers`: what the reader answers to real news questions, and how well it knows how sure it is.

Each question is read with its own articles (what a news search returned for it), as the published systems were given them,
and with the whole year. Those that an article answers are read once more with every article that says the answer taken away, if
any is left then. Where the choices of the quiz are known, one of them is chosen too, from all and, as RealTimeQA has it,
from all but one that is drawn and "none of the above" in its place. No language model.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.metrics import answer_normalise, bootstrap_mean, exact_match, holds_answer, risk_coverage, token_f1
from eval.parts import answer_part, peak_rss_mb, progress, spread
from eval.questions import Question, load_questions
from eval.systems import open_library

if TYPE_CHECKING:
    from rag.answer.reader import Found
    from rag.store.library import Library
    from rag.types import Query

BINS = 10
RIGHT_F1 = 0.5  # token F1 from which a guess counts as right, for calibration
# Source: Kasai et al. 2023, rescored by SQuAD's rules: EM / token F1 with the articles; the last where they hold the answer.
PUBLISHED = (
    ("GPT-3 (2022)", 40.7, 49.7), ("RAG with DPR's reader (2022)", 26.1, 32.1), ("GPT-3 (2023)", 27.8, 35.7),
    ("GPT-3, answer is there (2022)", 59.2, 67.8), ("RAG with DPR's reader, answer is there (2022)", 41.2, 49.0),
)  # fmt: skip
# Source: the predictions in realtimeqa_public/baseline_results against its past/, rescored: share of right choices in percent,
# all choices / one replaced by "none of the above"; 810 questions of 2022, 1,249 of 2023.
CHOSEN = (
    ("GPT-3 with the articles (2022)", 73.0, 64.4), ("RAG with the articles (2022)", 57.0, 46.0),
    ("GPT-3 with the articles (2023)", 58.3, 49.2), ("RAG with the articles (2023)", 32.5, 29.2),
    ("GPT-3, closed book (2023)", 44.0, 32.5),
)  # fmt: skip
PASSAGES = 8  # that are looked through for a choice


def measure(library: Path, file: Path, *, choices: Path | None = None, limit: int | None = None) -> dict[str, Any]:
    """Answer every question of `file` from the library of its articles; figures, and a record of each in `records`.

    `choices`: the file of questions that has them (default: `file`).
    """
    questions = load_questions(file, answered=False)[:limit]
    given = choices_of(choices or file)
    with open_library(library) as opened:
        ids = urls_of(opened)
        records, took = [], []
        with progress("Questions to answer", len(questions)) as tell:
            for n, q in enumerate(questions, start=1):
                began = time.perf_counter()
                whole = _read(opened, q, None)
                took.append(time.perf_counter() - began)
                own, holds = own_articles(opened, q, ids)
                with_own = _read(opened, q, own)
                records.append(
                    {"id": q.id, "quiz": q.quiz, "question": q.text, "gold": q.answer, "there": bool(holds), "own": with_own,
                     "without": _read(opened, q, own - holds) if holds and own - holds else None, "year": whole}
                )  # fmt: skip
                if q.id in given:
                    spans, passages = _said(opened, q, own)
                    records[-1]["choice"] = chosen(
                        q.id, given[q.id], q.answer, guess=with_own["guess"], spans=spans, passages=passages
                    )
                tell(n)
    return figures(records) | {"answer_ms": spread(took), "rss_mb": peak_rss_mb(), "records": records}


def urls_of(library: Library) -> dict[str, str]:
    """Map the URLs of a library's articles to their ids."""
    return {r["url"]: r["id"] for r in library.rows("SELECT id, url FROM articles WHERE url IS NOT NULL")}


def own_articles(library: Library, q: Question, ids: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """Return the ids of a question's own articles, and of those that say its answer."""
    own = {ids[u] for u in q.urls if u in ids}
    return own, {a.id for a in library.articles_by_id(own).values() if holds_answer(f"{a.title} {a.text}", q.answer)}


def read(library: Library, query: Query, within: set[str] | None) -> Found:
    """Search and read as `ask` does without a language model."""
    from rag.answer.reader import read_hits
    from rag.retrieve.search import search

    return read_hits(query, search(library, query, top_k=library.config.candidates, within=within), library=library)


def _read(library: Library, q: Question, within: set[str] | None) -> dict[str, Any]:
    from rag.retrieve.query import understand

    found = read(library, understand(q.text, library=library, as_of=q.date), within)
    guess = found.guess.short if found.guess else ""
    return {
        "guess": guess, "given": found.reading is not None, "confidence": found.confidence,
        "em": exact_match(guess, [q.answer]), "f1": token_f1(guess, [q.answer]),
        "article": found.guess.spans[0].unit.article.url if found.guess and found.guess.spans else None,
    }  # fmt: skip


# --- multiple choice --------------------------------------------------------------------------------------------------


def choices_of(file: Path) -> dict[str, list[str]]:
    """Map the ids of a file's questions to their choices, where they have two or more, the answer among them."""
    found = {}
    for line in file.read_text(encoding="utf-8-sig").split("\n"):
        row = json.loads(line) if line.strip() else {}
        choices = row.get("choices") or []
        if len(choices) > 1 and row.get("answer") in choices:
            found[str(row["id"])] = [str(c) for c in choices]
    return found


def _said(library: Library, q: Question, within: set[str]) -> tuple[list[tuple[str, float]], list[str]]:
    """What the reader's model would say, (span, how much better than "not here" in logits), and the first passages."""
    from rag.answer.extract import candidates
    from rag.retrieve.query import understand
    from rag.retrieve.search import search

    query = understand(q.text, library=library, as_of=q.date)
    hits = search(library, query, top_k=library.config.candidates, within=within)
    model = library.reader
    read = candidates(query, hits, model, eligible=lambda _: True) if model and hits else []
    return [(c.text, c.score - c.read.none) for c in read], [h.chunk.text for h in hits[:PASSAGES]]


def choose(
    choices: Sequence[str], guess: str, *, spans: Sequence[tuple[str, float]] = (), passages: Sequence[str] = ()
) -> int | None:
    """Return the place of the choice that what was read speaks for; None when it speaks for none.

    In turn: the one nearest to the guess by token F1, if that is RIGHT_F1 or more; the one whose span, near to it alike, the
    reader scores best; the one nearest to the guess by any word; the first that a passage says, best passage first.
    """

    def near(text: str) -> tuple[float, int]:
        return max(((token_f1(text, [c]), -n) for n, c in enumerate(choices)), default=(0.0, 0))

    alike, at = near(guess)
    if alike >= RIGHT_F1:
        return -at
    scored = [(score, -place) for text, score in spans for f1, place in [near(text)] if f1 >= RIGHT_F1]
    if scored:
        return max(scored, key=lambda s: s[0])[1]
    if alike > 0:
        return -at
    return next((n for p in passages for n, c in enumerate(choices) if holds_answer(p, c)), None)


def chosen(
    ident: str, choices: Sequence[str], answer: str, *, guess: str, spans: Sequence[tuple[str, float]] = (),
    passages: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Choose from all choices, and from all but one, where "none of the above" is right if that was the answer.

    The one is drawn by the question's id. `pick`: what was chosen, None for nothing, which is "none of the above".
    """
    gone = random.Random(ident).randrange(len(choices))  # noqa: S311
    left = [c for n, c in enumerate(choices) if n != gone]
    first, second = (choose(of, guess, spans=spans, passages=passages) for of in (choices, left))
    pick, other = (choices[first] if first is not None else None), (left[second] if second is not None else None)
    removed = answer_normalise(choices[gone]) == answer_normalise(answer)
    return {
        "pick": pick, "right": float(pick == answer), "nota pick": other, "removed": removed,
        "nota right": float(other is None if removed else other == answer),
    }  # fmt: skip


def _chosen(records: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Shares of right choices; None when no question has any."""
    rows = [r for r in records if r.get("choice")]
    if not rows:
        return None

    def share(of: Sequence[dict[str, Any]], name: str) -> dict[str, Any] | None:
        found = bootstrap_mean([r["choice"][name] for r in of], [r["quiz"] for r in of])
        return asdict(found) if found else None

    there = [r for r in rows if r["there"]]
    return {
        "questions": len(rows), "original": share(rows, "right"), "original, answer is there": share(there, "right"),
        "nota": share(rows, "nota right"), "nota, answer is there": share(there, "nota right"),
        "nota, answer left": share([r for r in rows if not r["choice"]["removed"]], "nota right"),
        "nota, answer removed": share([r for r in rows if r["choice"]["removed"]], "nota right"),
    }  # fmt: skip


# --- figures ----------------------------------------------------------------------------------------------------------


def figures(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sum records up: percent as 0 to 1, with 95% intervals over the quizzes."""
    there = [r for r in records if r["there"]]
    twins = [r for r in there if r["without"]]
    return {
        "questions": len(records), "there": len(there),
        "own": _scores(records, "own"), "own, answer is there": _scores(there, "own"),
        "year": _scores(records, "year"), "year, answer is there": _scores(there, "year"),
        "twins": len(twins), "declined without": statistics.fmean(not r["without"]["given"] for r in twins) if twins else None,
        "calibration": calibration([p for r in twins for p in (r["own"], r["without"])]), "choices": _chosen(records),
    }  # fmt: skip


def _scores(records: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """EM and F1 of every best guess, of what is given (0 where declined), and how much of what is given is right."""
    quizzes = [r["quiz"] for r in records]
    reads = [r[name] for r in records]
    given = [p for p in reads if p["given"]]
    out: dict[str, Any] = {"given": len(given) / len(reads) if reads else None}
    for metric in ("em", "f1"):
        for kind, values in (
            ("guess", [p[metric] for p in reads]),
            ("answer", [p[metric] * p["given"] for p in reads]),
        ):
            interval = bootstrap_mean(values, quizzes)
            out[f"{kind} {metric}"] = asdict(interval) if interval else None
    out["right of given"] = statistics.fmean(p["f1"] >= RIGHT_F1 for p in given) if given else None
    return out


def calibration(reads: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Expected calibration error of the confidence, its bins, and the risk at each coverage; `none`: reads without one.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: ECE = sum over bins of n_b / n *
    |share right - mean confidence|, 10 bins of equal width.
    """
    reads = list(reads)
    none = sum(p["confidence"] is None for p in reads)
    pairs = [(float(p["confidence"]), p["f1"] >= RIGHT_F1) for p in reads if p["confidence"] is not None]
    bins = []
    for b in range(BINS):
        inside = [(c, r) for c, r in pairs if min(int(c * BINS), BINS - 1) == b]
        if inside:
            sure, right = statistics.fmean(c for c, _ in inside), statistics.fmean(r for _, r in inside)
            bins.append({"n": len(inside), "confidence": sure, "right": right})
    n = len(pairs)
    error = sum(b["n"] / n * abs(b["right"] - b["confidence"]) for b in bins) if n else None
    risk = risk_coverage([c for c, _ in pairs], [r for _, r in pairs])
    return {"n": n, "none": none, "error": error, "bins": bins, "risk_coverage": risk[:: max(1, len(risk) // 100)]}


def markdown(found: dict[str, Any]) -> list[str]:
    """Lay the figures out as lines of a report."""

    def percent(x: Any) -> str:
        if x is None:
            return "-"
        return (
            f"{100 * x:.1f}"
            if isinstance(x, float)
            else f"{100 * x['mean']:.1f} [{100 * x['low']:.1f}, {100 * x['high']:.1f}]"
        )

    head = [
        "",
        "questions",
        "best guess EM",
        "best guess F1",
        "given",
        "given answers EM",
        "given answers F1",
        "right of given",
    ]
    lines = [
        "",
        "What the reader answers, with no language model:",
        "",
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
    ]
    for name in ("own", "own, answer is there", "year", "year, answer is there"):
        s = found[name]
        cells = [name, str(found["there"] if "there" in name else found["questions"])]
        cells += [percent(s[k]) for k in ("guess em", "guess f1", "given", "answer em", "answer f1", "right of given")]
        lines.append(f"| {' | '.join(cells)} |")
    of = found["calibration"]
    told = f"{100 * of['error']:.1f} points" if of["error"] is not None else "unknown"
    lines += [
        "",
        f"- A guess is the best answer there is, given or not; given answers count 0 where it was declined; right: token F1 of {RIGHT_F1} or more.",
        f"- With every article that says the answer taken away (some left: {found['twins']} questions), {percent(found['declined without'])}% are declined.",
        f"- Expected calibration error over those and their twins with the answer there: {told} ({of['n']} guesses, {of['none']} without a confidence).",
        f"- An answer over the whole year takes {found['answer_ms']['p50']:.0f} ms (p95 {found['answer_ms']['p95']:.0f}); memory {found['rss_mb']:.0f} MB.",
        "- Published with the articles (EM / F1): " + "; ".join(f"{n} {em} / {f1}" for n, em, f1 in PUBLISHED) + ".",
    ]
    if of := found.get("choices"):
        lines += [
            f"- Multiple choice, with their own articles ({of['questions']} questions; right, %): {percent(of['original'])}, where the articles "
            f"say the answer {percent(of['original, answer is there'])}; with one choice replaced by none of the above {percent(of['nota'])} "
            f"(the answer still there: {percent(of['nota, answer left'])}; replaced: {percent(of['nota, answer removed'])}).",
            "- Published, multiple choice / with none of the above: "
            + "; ".join(f"{n} {a} / {b}" for n, a, b in CHOSEN)
            + ".",
        ]
    return lines


def main(argv: Sequence[str]) -> int:
    """Be a part. Returns the exit status."""
    return answer_part(lambda: measure(Path(argv[0]), Path(argv[1]), choices=Path(argv[2]) if argv[2:] else None))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
