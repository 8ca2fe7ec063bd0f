"""Runs of `recap eval`, read from the folder that holds them: figures, results, and the facts that flipped.

A run is a folder with a summary.json and a run.jsonl, as eval/report.py writes them. Keys read of summary.json:
`started` (ISO time), `engines`, `n`, `right` ({"all" or a type of fact: share}), `answerable_right`,
`unanswerable_declined`, `abstention.false_abstention` (shares), `wrong_edition`, `pinned_wrong`, `errors` (ids), `pinned`
(a count), `latency_ms.total` ({"p50", "p95"}), `facts` (digest of the fact set), `fact_files` (names), `corpus`
({"articles", "hash"}), `git`. A share is {"mean", "low", "high", "n"}, fractions. Keys read of a line of run.jsonl: `id`,
`type`, `question`, `as_of`, `history`, `gold`, `must_not`, `correction`, `right`, `reason`, `answer`, `abstained`,
`pinned`. Only `n`, `right.all`, `id`, `question` and `right` must be there.

The name of a run comes from the browser, and the files from anywhere: a name never leaves the folder, no link is
followed, and what is damaged, of another kind or huge is left out. What it does not know: eval, Gradio, markup.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any

from rag.types import Turn

SUMMARY_BYTES = 20_000_000  # of a summary, and of one line of run.jsonl
RESULTS_BYTES = 200_000_000  # of a run.jsonl, which is read a line at a time
FOLDERS = 2000  # looked into
_NAMED = re.compile(r"(\d{8})-(\d{6})")  # what `recap eval` calls a folder that was not named: local time


@dataclass(frozen=True, slots=True)
class Share:
    """A fraction (0 to 1) of `n` facts, with its 95% interval where the summary has one."""

    mean: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One evaluation. None stands for what its summary does not say.

    `answered_right` is of the facts that the coverage answers, `declined_right` of those that it does not,
    `declined_wrong` the share of the former that were declined. `other_edition` counts answers about another edition
    than the one asked about. `p50`, `p95`: ms from question to answer. `facts`: digest of the fact set, "" if unknown.
    """

    name: str
    when: datetime
    n: int
    right: Share
    engines: tuple[str, ...] = ()
    by_type: tuple[tuple[str, Share], ...] = ()
    answered_right: Share | None = None
    declined_right: Share | None = None
    declined_wrong: Share | None = None
    other_edition: int | None = None
    pinned: int | None = None
    pinned_wrong: tuple[str, ...] = ()
    errors: int = 0
    p50: float | None = None
    p95: float | None = None
    facts: str = ""
    fact_files: tuple[str, ...] = ()
    articles: int | None = None
    corpus: str = ""
    git: str = ""

    @property
    def engine(self) -> str:
        """What answered: the language model, if one did, whatever the reader had to stand in for."""
        return ", ".join([e for e in self.engines if e != "reader"] or self.engines)

    @property
    def series(self) -> tuple[str, str] | None:
        """What comparable runs share, the fact set and the engine; None when the fact set is not known."""
        return (self.facts, self.engine) if self.facts else None


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a folder, newest first; `skipped` folders could not be used, `older` runs are beyond the limit."""

    folder: str = ""
    runs: tuple[Run, ...] = ()
    skipped: int = 0
    older: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One fact's outcome. `reason` says in eval's words why it is wrong. `gold`: groups of aliases, all to be said."""

    id: str
    type: str
    question: str
    as_of: date | None = None
    history: tuple[Turn, ...] = ()
    gold: tuple[tuple[str, ...], ...] = ()
    must_not: tuple[str, ...] = ()
    correction: tuple[str, ...] = ()
    right: bool
    reason: str = ""
    answer: str = ""
    abstained: bool = False
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Flips:
    """Facts whose verdict changed, as (result before, result after), of `n` that were compared."""

    n: int = 0
    lost: tuple[tuple[Result, Result], ...] = ()
    won: tuple[tuple[Result, Result], ...] = ()


# --- runs ------------------------------------------------------------------------------------------------------------


def read_runs(folder: Path, *, limit: int = 50) -> Runs:
    """Read the summaries in the folders right below `folder`: the newest `limit` runs, by when they began.

    A folder without a summary.json is no run and not counted; a link, or a summary that is torn, not of a run of facts,
    or over 20 MB, is.
    """
    try:
        with os.scandir(folder) as entries:
            found = [e.name for e in entries if e.is_symlink() or e.is_dir(follow_symlinks=False)]
    except OSError:
        return Runs(str(folder))
    found = sorted((n for n in found if not n.startswith(".")), reverse=True)  # DATE-TIME: the newest first
    runs, skipped = [], 0
    for name in found[:FOLDERS]:
        run = read_run(folder, name)
        if run is not None:
            runs.append(run)
        elif (folder / name).is_symlink() or os.path.lexists(folder / name / "summary.json"):
            skipped += 1
    runs.sort(key=lambda r: (r.when, r.name), reverse=True)
    return Runs(str(folder), tuple(runs[:limit]), skipped, max(0, len(runs) - limit))


def read_run(folder: Path, name: str) -> Run | None:
    """Read one run's summary; None when there is no such run, or none that can be used."""
    inside = _inside(folder, name)
    if inside is None:
        return None
    try:
        with _regular(inside / "summary.json", SUMMARY_BYTES) as file:
            changed = os.fstat(file.fileno()).st_mtime
            summary = json.loads(file.read(SUMMARY_BYTES + 1))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(summary, dict):
        return None
    right = _dict(summary, "right")
    n, overall = _count(summary.get("n")), _share(right.get("all"))
    if not n or overall is None:
        return None
    speed = _dict(summary, "latency_ms")
    total = _dict(speed, "total") or _dict(speed, "answer")
    corpus = _dict(summary, "corpus")
    edition = summary.get("wrong_edition")
    return Run(
        name=name,
        when=_started(summary.get("started")) or _named(name) or datetime.fromtimestamp(changed, UTC),
        n=n,
        right=overall,
        engines=_texts(summary.get("engines")),
        by_type=tuple((_clean(t), share) for t, i in right.items() if t != "all" and (share := _share(i))),
        answered_right=_share(summary.get("answerable_right")),
        declined_right=_share(summary.get("unanswerable_declined")),
        declined_wrong=_share(_dict(summary, "abstention").get("false_abstention")),
        other_edition=len(edition) if isinstance(edition, list) else None,
        pinned=_count(summary.get("pinned")),
        pinned_wrong=_texts(summary.get("pinned_wrong")),
        errors=len(_texts(summary.get("errors"))),
        p50=_figure(total.get("p50")),
        p95=_figure(total.get("p95")),
        facts=_text(summary.get("facts")),
        fact_files=_texts(summary.get("fact_files")),
        articles=_count(corpus.get("articles")),
        corpus=_text(corpus.get("hash")),
        git=_text(summary.get("git")),
    )


def previous(runs: Sequence[Run], run: Run) -> Run | None:
    """Return the newest of `runs` that is older than `run` and comparable with it: same facts, same engine."""
    older = [r for r in runs if r.series and r.series == run.series and (r.when, r.name) < (run.when, run.name)]
    return max(older, key=lambda r: (r.when, r.name), default=None)


def open_run(folder: Path, name: str) -> tuple[Run, list[Result], Flips | None, Run | None] | None:
    """Read one run whole: its figures, its facts, what flipped since the last comparable run, and that run.

    None when there is no such run; no flips when nothing comparable is older.
    """
    run = read_run(folder, name)
    if run is None:
        return None
    found = results(folder, name)
    since = previous(read_runs(folder, limit=FOLDERS).runs, run)
    return run, found, flips(results(folder, since.name), found) if since else None, since


# --- results ---------------------------------------------------------------------------------------------------------


def results(folder: Path, name: str) -> list[Result]:
    """Read a run's facts, in their order; lines that are torn or lack an id, a question or a verdict are left out."""
    return list(_results(folder, name))


def result(folder: Path, name: str, fact_id: str) -> Result | None:
    """Find one fact of a run: what a conversation needs is its `history`, `question` and `as_of` (None for today)."""
    return next((r for r in _results(folder, name) if r.id == fact_id), None)


def flips(older: Sequence[Result], newer: Sequence[Result]) -> Flips:
    """Compare two runs fact by fact; a fact that is asked or judged otherwise by now is not compared."""
    before = {r.id: r for r in older}
    after = {r.id: r for r in newer}
    pairs = [(before[i], r) for i, r in after.items() if i in before and _asked(before[i]) == _asked(r)]
    return Flips(
        n=len(pairs),
        lost=tuple((a, b) for a, b in pairs if a.right and not b.right),
        won=tuple((a, b) for a, b in pairs if b.right and not a.right),
    )


def _asked(r: Result) -> tuple[object, ...]:
    return (r.type, r.question, r.as_of, r.history, r.gold, r.must_not, r.correction)


def _results(folder: Path, name: str) -> Iterator[Result]:
    inside = _inside(folder, name)
    if inside is None:
        return
    try:
        with _regular(inside / "run.jsonl", RESULTS_BYTES) as file:
            while line := file.readline(SUMMARY_BYTES):
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(row, dict) and (found := _result(row)) is not None:
                    yield found
    except OSError:
        return


def _result(row: dict[str, Any]) -> Result | None:
    fact_id, question, right = _text(row.get("id")), _text(row.get("question")), row.get("right")
    if not fact_id or not question or not isinstance(right, bool):
        return None
    gold = row.get("gold")
    return Result(
        id=fact_id,
        type=_text(row.get("type")),
        question=question,
        as_of=_day(row.get("as_of")),
        history=_turns(row.get("history")),
        gold=tuple(g for group in gold if (g := _texts(group))) if isinstance(gold, list) else (),
        must_not=_texts(row.get("must_not")),
        correction=_texts(row.get("correction")),
        right=right,
        reason=_text(row.get("reason")),
        answer=_text(row.get("answer")),
        abstained=row.get("abstained") is True,
        pinned=row.get("pinned") is True,
    )


# --- files -----------------------------------------------------------------------------------------------------------


def _inside(folder: Path, name: str) -> Path | None:
    """The folder `name` right below `folder`; None when the name could lead elsewhere, or is a link or no folder."""
    if not name or name.startswith(".") or re.search(r"[/\\\x00]", name) or _clean(name) != name:
        return None
    try:
        mode = os.lstat(folder / name).st_mode
    except (OSError, ValueError):
        return None
    return folder / name if stat.S_ISDIR(mode) else None


def _regular(path: Path, limit: int) -> IO[bytes]:
    """Open a plain file of at most `limit` bytes, never through a link, never waiting on a pipe.

    Raises: OSError when it is anything else.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    about = os.fstat(file.fileno())
    if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
        file.close()
        raise OSError(f"{path} is no file, or too large")
    return file


# --- values, whatever JSON holds -------------------------------------------------------------------------------------


def _clean(text: str) -> str:
    """The text without lone surrogates, which no page can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _text(value: object) -> str:
    return _clean(value) if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_clean(v) for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _dict(of: dict[str, Any], key: str) -> dict[str, Any]:
    value = of.get(key)
    return value if isinstance(value, dict) else {}


def _figure(value: object) -> float | None:
    """A finite number from 0 to 10^9, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e9:
        return None
    return float(value) if math.isfinite(value) else None


def _count(value: object) -> int | None:
    got = _figure(value)
    return None if got is None else int(got)


def _share(value: object) -> Share | None:
    if not isinstance(value, dict):
        return None
    mean, low, high = (_figure(value.get(key)) for key in ("mean", "low", "high"))
    if mean is None or mean > 1:
        return None
    if low is None or high is None or not low <= mean <= high <= 1:
        low = high = None
    return Share(mean, low, high, _count(value.get("n")))


def _turns(value: object) -> tuple[Turn, ...]:
    rows = value if isinstance(value, list) else []
    turns = []
    for row in rows:
        role = row.get("role") if isinstance(row, dict) else None
        if role in ("user", "assistant") and (content := _text(row.get("content"))):
            turns.append(Turn(role, content))
    return tuple(turns)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _started(value: object) -> datetime | None:
    try:
        got = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if got is None or not 1971 <= got.year <= 9000:
        return None
    return got if got.tzinfo else got.replace(tzinfo=UTC)


def _named(name: str) -> datetime | None:
    if not (m := _NAMED.match(name)):
        return None
    try:
        got = datetime.strptime(f"{m[1]}{m[2]}", "%Y%m%d%H%M%S")
        return got.astimezone() if 1971 <= got.year <= 9000 else None
    except (ValueError, OverflowError, OSError):
        return None
