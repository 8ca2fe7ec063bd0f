"""What the published benchmarks share: reading their files, a library that is kept, asking, figures, a report.

Nothing is downloaded: each reads what its authors publish from a path that is given. See `multihop.py`, `rgb.py`, `crag.py`.
"""

from __future__ import annotations

import bz2
import gzip
import json
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any, TypeVar

from eval.metrics import answer_normalise, bootstrap_mean, contains
from eval.parts import progress
from eval.report import interval, table, write_files
from rag.config import Config
from rag.errors import EmbedError, LibraryError, RecapError
from rag.store.library import Library

Row = dict[str, Any]
Item = TypeVar("Item")
_SHORT_GOLD = ("yes", "no", "before", "after")


@dataclass(frozen=True, slots=True)
class Said:
    """What came back for a question. `text` is what a person reads, `short` the bare answer; `error` is set when none came."""

    text: str
    short: str
    declined: bool
    engine: str
    notes: tuple[str, ...]
    ms: float
    error: str | None = None

    def row(self) -> Row:
        """Return it as JSON holds it."""
        return {
            "answer": self.text, "short": self.short, "declined": self.declined, "engine": self.engine,
            "notes": list(self.notes), "ms": self.ms, "error": self.error,
        }  # fmt: skip


# --- reading ----------------------------------------------------------------------------------------------------------


def rows(file: Path) -> Iterator[tuple[str, Row]]:
    """Yield (place, object) of a JSON list or of JSON lines, packed (.gz, .bz2) or not; lines are read one by one.

    Raises: RecapError that says file, line and what to do.
    """
    try:
        with _open(file) as f:
            head = f.readline()
            while head and not head.strip(b"\xef\xbb\xbf \t\r\n"):
                head = f.readline()
            if head.lstrip(b"\xef\xbb\xbf \t").startswith(b"["):
                yield from _list(head + f.read(), file)
                return
            number, line = 0, head
            while line:
                number += 1
                if line.strip(b"\xef\xbb\xbf \t\r\n"):
                    where = f"Line {number} of {file}"
                    yield where, _object(_json(line, where), where)
                line = f.readline()
    except (OSError, EOFError) as e:
        reason = getattr(e, "strerror", None) or "it is damaged"
        raise RecapError(
            f"{file} cannot be read ({reason}). Name the file that the benchmark's authors publish."
        ) from e


def _open(file: Path) -> IO[bytes]:
    if file.suffix == ".bz2":
        return bz2.open(file)
    return gzip.open(file) if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]


def _list(data: bytes, file: Path) -> Iterator[tuple[str, Row]]:
    for n, row in enumerate(_json(data, str(file)), start=1):
        where = f"Item {n} of {file}"
        yield where, _object(row, where)


def _json(data: bytes, where: str) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as e:
        raise RecapError(f"{where} is not JSON. Get the file again.") from e


def _object(row: object, where: str) -> Row:
    if not isinstance(row, dict):
        raise RecapError(f"{where} is not a JSON object. Get the file again.")
    return row


def text_of(row: Mapping[str, Any], key: str, where: str) -> str:
    """Return a text that must be there. Raises: RecapError."""
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise RecapError(f'{where} has no "{key}". Name the file that the benchmark\'s authors publish.')
    return value


def list_of(row: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """Return a list, empty where there is none. Raises: RecapError when something else stands there."""
    value = row.get(key) or []
    if not isinstance(value, list):
        raise RecapError(f'"{key}" of {where} is not a list. Name the file that the benchmark\'s authors publish.')
    return value


def spaced(items: Sequence[Any], n: int | None) -> list[Any]:
    """Take `n` items (None: all) at equal distances, so that each part of a sorted file is in the sample."""
    if n is None or n >= len(items):
        return list(items)
    return [items[i * len(items) // n] for i in range(n)]


# --- library and questions --------------------------------------------------------------------------------------------


def fill(config: Config, articles: Iterable[Row]) -> Row:
    """Bring the library up to these articles (url, title, text, authors, outlet, published); return what that took.

    What is in it already is not embedded again, so a run that was stopped goes on. Raises: RecapError.
    """
    with tempfile.TemporaryDirectory(prefix="recap-benchmark-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "articles.jsonl"
        n = 0
        with file.open("w", encoding="utf-8", errors="backslashreplace") as f:
            for n, row in enumerate(articles, start=1):  # noqa: B007
                f.write(json.dumps(row, ensure_ascii=False) + "\n")
        if not n:
            raise RecapError("There are no passages to ask about. Name the files that the benchmark's authors publish.")
        return fill_from(config, file, n)


def fill_from(config: Config, file: Path, total: int) -> Row:
    """Bring the library up to the articles of a JSON lines file. Raises: RecapError."""
    from rag.ingest.pipeline import ingest

    began = time.perf_counter()
    with Library.open(config, write=True, create=True) as library, progress("Articles to ingest", total) as tell:
        report = ingest(library, [str(file)], progress=lambda _, done: tell(done))
        counts = library.counts()
    return {
        "articles": counts["articles"], "chunks": counts["chunks"], "added": len(report.added) + len(report.updated),
        "rejected": len(report.rejected), "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def put(library: Library, question: str, *, as_of: date | None = None, within: Collection[str] | None = None) -> Said:
    """Ask; an answer that fails is a declined one with its `error`. Raises: LibraryError, EmbedError: they would spoil all."""
    from rag.answer.chain import ask

    began = time.perf_counter()
    try:
        answer = ask(library, question, as_of=as_of, within=within)
    except (LibraryError, EmbedError):
        raise
    except Exception as e:
        ms = round((time.perf_counter() - began) * 1000, 1)
        return Said("", "", True, "", (), ms, " ".join(f"{type(e).__name__}: {e}".split()))
    ms = round((time.perf_counter() - began) * 1000, 1)
    return Said(answer.text, answer.short or "", answer.abstained, answer.engine, answer.notes, ms)


def asked(config: Config, items: Sequence[Item], record: Callable[[Library, Item], Row]) -> list[Row]:
    """Open the library and make a record of each item, in their order; tells how far it is."""
    records = []
    with Library.open(config) as library, progress("Questions to ask", len(items)) as tell:
        for n, item in enumerate(items, start=1):
            records.append(record(library, item))
            tell(n)
    return records


def says(said: Said, gold: Sequence[str]) -> bool:
    """Tell whether an answer that was not declined says one of the golds: its words, whole and next to each other.

    "Yes", "no", "before" and "after" must be the bare answer, or what the answer begins with: any text holds a "no".
    """
    return not said.declined and any(_one(said, g) for g in gold)


def _one(said: Said, gold: str) -> bool:
    want = answer_normalise(gold)
    if want in _SHORT_GOLD:
        return any(answer_normalise(text).split()[:1] == [want] for text in (said.short, said.text))
    return contains(said.text, gold) or contains(said.short, gold)


# --- figures ----------------------------------------------------------------------------------------------------------


def by_group(records: Sequence[Row], scores: Sequence[str], group: str) -> Row:
    """Mean and 95% interval of each score, of all records ("all") and of those of each value of `group`; None is left out."""
    names = ["all", *dict.fromkeys(r[group] for r in records)]
    return {n: _means([r for r in records if n in ("all", r[group])], scores) for n in names}


def _means(records: Sequence[Row], scores: Sequence[str]) -> Row:
    out: Row = {"n": len(records)}
    for s in scores:
        found = bootstrap_mean([r.get(s) for r in records], [str(r["id"]) for r in records])
        out[s] = asdict(found) if found else None
    return out


def summed_up(records: Sequence[Row], ingested: Row) -> Row:
    """Tell what every benchmark's summary holds: questions, engines, errors, time, library, code."""
    from eval.metrics import percentile
    from eval.run import git_revision

    return {
        "questions": len(records), "engines": sorted({r["engine"] for r in records if r["engine"]}),
        "errors": [r["id"] for r in records if r["error"]], "library": ingested, "git": git_revision(),
        "ms": {f"p{q}": percentile([r["ms"] for r in records], q) for q in (50, 95)},
    }  # fmt: skip


def groups_table(groups: Mapping[str, Any], heads: Mapping[str, str], first: str, *, unit: Collection[str] = ()) -> str:
    """Lay out what `by_group` returns, in percent; scores named in `unit` as they are."""
    lines = [
        [name, str(g["n"]), *(interval(g[s], scale=1 if s in unit else 100) for s in heads)]
        for name, g in groups.items()
    ]
    return table([first, "n", *heads.values()], lines)


def closing(summary: Row) -> str:
    """Say in a line what was run."""
    took, lib = summary["ms"], summary["library"]
    return (
        f"{summary['questions']:,} questions, answered by {', '.join(summary['engines']) or 'nobody'}; "
        f"{took['p50'] or 0:.0f} ms each (p95 {took['p95'] or 0:.0f}); {lib['articles']:,} articles in {lib['chunks']:,} "
        f"passages, {lib['rejected']:,} not readable; {len(summary['errors'])} questions raised an error."
    )


def write(out: Path, name: str, summary: Row, records: Sequence[Row], report: str) -> None:
    """Write NAME.json, NAME.md and NAME.jsonl (a line for each question). Raises: RecapError."""
    lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
    told = json.dumps(summary, ensure_ascii=False, indent=1) + "\n"
    write_files(out, {f"{name}.json": told, f"{name}.md": report + "\n", f"{name}.jsonl": lines})
