"""Keep a run that is stopped: each outcome is on disk as soon as it is judged, bound to what the run is made of.

What it does not know: what an outcome holds (run.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from eval.facts import Fact
from rag.errors import LLMError, RecapError

if TYPE_CHECKING:
    from rag.config import Config
    from rag.store.library import Library

PARTIAL = "run.partial.jsonl"
_ELSEWHERE = ("library", "runs", "host", "port", "auth", "read_only")  # settings that change no answer
_ROOT = Path(__file__).resolve().parent.parent


def made_of(library: Library, facts: Sequence[Fact]) -> dict[str, str]:
    """Everything that decides the verdicts of a run, as hashes by the name that a person knows it by.

    The day is among them: a question that names none is asked today. Where the library lies is not.
    """
    articles = sorted(library.articles(), key=lambda a: a.id)
    held = [(a, library.chunks(a.id)) for a in articles]
    return {
        "facts": facts_hash(facts),
        "library": _digest(repr(row) for row in held),
        "configuration": _digest(_settings(library.config)),
        "code": code_hash(),
        "day": date.today().isoformat(),
    }


def facts_hash(facts: Iterable[Fact]) -> str:
    """Hash the facts; the file that they stand in does not count."""
    return hashlib.sha256(repr([dataclasses.replace(f, where="") for f in facts]).encode()).hexdigest()[:16]


@cache
def code_hash() -> str:
    """Hash every file of the engine, models included, and of the suite: what is committed or not makes no difference."""
    files = [p for p in (_ROOT / "rag").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    files += (_ROOT / "eval").glob("*.py")
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(_ROOT)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _settings(config: Config) -> Iterable[str]:
    from rag.answer.llm import load_llm

    for f in dataclasses.fields(config):
        if f.name not in _ELSEWHERE:
            yield f"{f.name}={getattr(config, f.name)!r}"
    for file in (config.events_file, Path(config.llm.partition(":")[2]) if config.llm.startswith("replay:") else None):
        if file is not None and file.is_file():
            yield hashlib.sha256(file.read_bytes()).hexdigest()
    try:
        model = load_llm(config)  # what "auto" finds today
    except LLMError as e:
        yield str(e)
    else:
        yield model.name if model else ""


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\x01".join(parts).encode(errors="backslashreplace")).hexdigest()[:16]


class Kept:
    """The outcomes of an unfinished run in its folder: `done` by id, those of an earlier sitting first.

    `note` is a sentence on what became of an earlier sitting, None when there was none.
    """

    def __init__(self, out: Path, made: Mapping[str, str], *, total: int) -> None:
        """Take up what was stopped in the folder `out`, if it was made of the same.

        Raises: RecapError when the folder cannot be written.
        """
        from eval.report import write_files

        self._file = out / PARTIAL
        self.done, self.note = self._earlier(made, total)
        head = json.dumps({"made_of": dict(made), "total": total})
        rows = [head, *(json.dumps(row, ensure_ascii=False) for row in self.done.values())]
        write_files(out, {PARTIAL: "".join(r + "\n" for r in rows)})  # without the line that was torn, if one was
        self._lines = self._file.open("a", encoding="utf-8", errors="backslashreplace")

    def _earlier(self, made: Mapping[str, str], total: int) -> tuple[dict[str, dict[str, Any]], str | None]:
        head, rows = _read(self._file)
        if head is None:
            return {}, f"{self._file} is damaged, so the run starts anew." if self._file.is_file() else None
        before = head["made_of"]
        if changed := [name for name in made if before.get(name) != made[name]]:
            others = f"{', '.join(changed[:-1])} and {changed[-1]}" if len(changed) > 1 else changed[0]
            return {}, f"Started anew: the {others} changed since {len(rows)} of {head['total']} facts were asked."
        return {r["id"]: r for r in rows}, f"Went on: {len(rows)} of {total} facts had been asked before."

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep one outcome, `row["id"]` being its fact's. Raises: RecapError."""
        try:
            self._lines.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._lines.flush()
        except OSError as e:
            raise RecapError(
                f"Cannot write {self._file}: {e.strerror}. Free some space and run the same command again."
            ) from e

    def finish(self) -> None:
        """Forget it: the run is whole, and written elsewhere."""
        self._lines.close()
        self._file.unlink(missing_ok=True)

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self._lines.close()


def unfinished(out: Path) -> tuple[int, int] | None:
    """How many facts of the run that was stopped in `out` are done, and of how many; None where none was."""
    head, rows = _read(out / PARTIAL)
    return None if head is None else (len(rows), int(head["total"]))


def _read(file: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The head and the whole lines of an unfinished run; a last line that was torn is left out."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")[:-1]
        head = json.loads(lines[0])
        rows = [json.loads(line) for line in lines[1:]]
    except (OSError, ValueError, IndexError, RecursionError):
        return None, []
    sound = isinstance(head, dict) and isinstance(head.get("made_of"), dict) and isinstance(head.get("total"), int)
    sound = sound and all(isinstance(r, dict) and isinstance(r.get("id"), str) for r in rows)
    return (head, rows) if sound else (None, [])
