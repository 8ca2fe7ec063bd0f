"""Faults and attacks, each with the number of cases that is required of it: what breaks, and what must still hold.

A `Row` is one fault of the table. Its cases are numbered, and a case is made from its number alone: the same number, the
same fault. `make test` runs the first few of every row (tests/test_torture.py), `make torture` all of them
(`python -m tests.torture`): a process a row, so that a fault that kills its process is one failed case.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

# In the order of the report. Each is a module here, with a `ROW`.
NAMES = (
    "kill", "writers", "disk", "corrupt", "embedder", "backup", "memory", "machine", "llm", "users", "load",
    "hostile", "fuzzed", "parsers", "ssrf", "markup", "injection", "poison",
)  # fmt: skip


def _nothing(folder: Path) -> AbstractContextManager[Any]:
    return nullcontext()


@dataclass(frozen=True)
class Row:
    """A fault, what must hold, and a case of it.

    `case(n, given, folder)` makes case `n` (from 0) in an empty folder of its own and raises AssertionError, saying what
    did not hold; any other exception is a failed case too. What it returns, if anything, are figures for the report.
    `around(folder)` is entered once for all cases of a process, `given` is what it gives (a server, a browser).
    """

    name: str
    fault: str
    required: str
    quick: int  # cases in `make test`: the first ones, so that the shapes come in turn
    full: int  # cases in `make torture`
    case: Callable[[int, Any, Path], dict[str, float] | None]
    around: Callable[[Path], AbstractContextManager[Any]] = _nothing
    limit_s: float = 60.0  # a case that takes longer has failed, and its process is ended
    missing: Callable[[], str | None] = lambda: None  # why this row cannot run on this machine


def row(name: str) -> Row:
    """Return the row of a name."""
    found: Row = import_module(f"tests.torture.{name}").ROW
    return found
