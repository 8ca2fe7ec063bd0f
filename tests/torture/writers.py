"""Processes that race for one library: the command line, the page's engine, a killed one."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture import Row
from tests.torture.storage import (
    ROOT,
    Driver,
    Run,
    checked,
    config,
    copied,
    driver,
    opened,
    sentence,
    stories,
    whole,
    write_rows,
)

LOSER_S = 2.0  # Source: the table of requirements
_HOLD_S = 30.0
REMOVE = "https://copies.example/01"  # the date of another article is lent by it: without it that is embedded anew

# The first of each shape holds the lock in the middle of its work, or all begin at once. "cold": a `python -m rag` that
# has yet to load everything, as a person starts it.
SHAPES: tuple[tuple[str, ...], ...] = (
    ("at once", "ingest a", "ingest b"),
    ("in the middle", "page", "remove"),
    ("in the middle", "ingest a", "page"),
    ("in the middle", "rebuild", "ingest b"),
    ("in the middle", "ingest a", "cold ingest b"),
    ("at once", "ingest a", "ingest b", "remove"),
    ("in the middle", "remove", "rebuild"),
    ("killed", "ingest a", "ingest b"),
    ("at once", "page", "ingest a", "remove", "ingest b"),
    ("in the middle", "rebuild", "cold remove"),
)


@dataclass
class Given:
    """What the cases share; `known` is the digest of the library after some works, done one after the other."""

    driver: Driver
    folder: Path
    known: dict[frozenset[str], str] = field(default_factory=dict)

    def undisturbed(self, works: frozenset[str]) -> str:
        """Return the digest of a library after `works`, which come to the same in any order."""
        if works not in self.known:
            library = copied(self.folder / "base", self.folder / "at-work")
            for name in sorted(works):  # "remove" after "ingest"
                assert self.driver.call(act, name, library, self.folder, "")["status"] == 0
            self.known[works] = self.driver.call(checked, library)
        return self.known[works]


@contextlib.contextmanager
def around(folder: Path) -> Iterator[Given]:
    """Write three lots of articles, and a library of the first."""
    write_rows(folder / "base.jsonl", stories(1, count=10, copies=3))
    for n, name in enumerate(("a", "b"), start=2):
        rows = [r | {"url": r["url"].replace("example", f"{name}.example")} for r in stories(n, count=10, copies=2)]
        write_rows(folder / f"{name}.jsonl", rows)
    upload = stories(4, count=1, copies=0)[0]
    (folder / "upload.txt").write_text(f"{upload['title']}\n\n{upload['text']}", encoding="utf-8")
    with driver(folder) as started:
        assert started.call(act, "ingest base", folder / "base", folder, "")["status"] == 0
        yield Given(started, folder)


def case(n: int, given: Given, folder: Path) -> dict[str, float]:
    """Race; look at who won and what the others said; let them try again."""
    how, *names = SHAPES[n % len(SHAPES)]
    library = copied(given.folder / "base", given.folder / "at-work")
    go = folder / "go"
    holding = folder / "go.held"
    before = set(given.driver.call(sources, library))

    def start(name: str) -> Run:
        return given.driver.start(act, name, library, given.folder, go)

    running = {names[0]: start(names[0])}
    if how != "at once":
        _until(holding, running[names[0]])
    if how == "killed":
        running.pop(names[0]).kill()
        assert given.driver.call(act, names[1], library, given.folder, "")["status"] == 0, "a killed one is in the way"
        done, losers, seconds = set(names[1:]), [names[0]], 0.0
    else:
        cold = [name for name in names[1:] if name.startswith("cold ")]
        running |= {name: start(name) for name in names[1:] if name not in cold}
        lost, took = _losers(running, len(names) - 1 - len(cold))
        for name in cold:
            lost[name], took[name] = _cold(name, library, given.folder)
        winner = next(iter(running.keys() - lost.keys()))
        for name, said in lost.items():
            _gave_up(name, said, took[name])
        assert running[winner].status is None, f"{winner} did not hold the library while the others gave up"
        seen = set(given.driver.call(sources, library))  # somebody reads while the winner is at work
        assert seen >= before - {REMOVE}, "a reader misses what was there before"
        go.touch()
        won = running[winner].value()
        assert won["status"] == 0, f"{winner} had the library and failed: {won['said']}"
        done, losers, seconds = {winner}, list(lost), max(took.values())
    assert given.driver.call(checked, library) == given.undisturbed(frozenset(done)), "what one did is lost or mixed"
    for name in losers:
        again = given.driver.call(act, name.removeprefix("cold "), library, given.folder, "")
        assert again["status"] == 0, f"{name} cannot do it afterwards: {again['said']}"
    everything = frozenset(name.removeprefix("cold ") for name in names)
    assert given.driver.call(checked, library) == given.undisturbed(everything), (
        "after all were done one is lost or mixed"
    )
    return {"seconds until the second gave up": round(seconds, 2)} if seconds else {}


def _until(file: Path, run: Run) -> None:
    until = time.monotonic() + _HOLD_S
    while not file.exists():
        if time.monotonic() > until or run.over(0.005):
            raise AssertionError(f"the first never got to work: {run.said('err')[-200:]}")


def _losers(running: dict[str, Run], count: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Wait until `count` have ended; return what they said, and the seconds since each began."""
    lost: dict[str, Any] = {}
    took: dict[str, float] = {}
    until = time.monotonic() + _HOLD_S
    while len(lost) < count:
        assert time.monotonic() < until, f"{count - len(lost)} wait on while another holds the library"
        for name, run in running.items():
            if name not in lost and run.over(0.002):
                lost[name] = run.value()
                took[name] = lost[name]["seconds"]
    return lost, took


def _cold(name: str, library: Path, given: Path) -> tuple[dict[str, Any], float]:
    """Start Recap as a person does; seconds from nothing to its end, less those that it waited for others to use the CPU."""
    argv = _argv(name.removeprefix("cold "), str(library), str(given))
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "rag", *argv], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    seconds = time.monotonic() - began
    with contextlib.suppress(OSError, ValueError, IndexError):
        seconds -= int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[1]) / 1e9
    _, said = process.communicate()
    return {"status": process.returncode, "said": said}, seconds


def _gave_up(name: str, said: dict[str, Any], seconds: float) -> None:
    assert said["status"] == 2, f"{name} came second and ended with {said['status']}: {said['said'][-200:]}"
    text = said["said"].strip()
    assert sentence(text), f"{name} came second and said no sentence: {text[-200:]!r}"
    assert re.search("writing to the library|changing the library", text), f"{name} says: {text}"
    assert seconds <= LOSER_S, f"{name} came second and took {seconds:.1f} s to say so"


def _argv(name: str, library: str, given: str) -> list[str]:
    command, _, lot = name.partition(" ")
    rest = {"ingest": [str(Path(given) / f"{lot}.jsonl")], "remove": [REMOVE], "rebuild": []}[command]
    return ["--library", library, command, *rest]


def act(name: str, library: str, given: str, go: str) -> dict[str, Any]:
    """In a process of its own: do it, but stop in the middle until the file `go` is there; the status and what was said."""
    import contextlib
    import io

    import rag.store.embed
    from rag.__main__ import run
    from rag.ingest import pipeline
    from rag.store.vectors import VectorIndex
    from tests.conftest import CountingEmbedder

    def hold() -> None:
        if not go:
            return
        Path(f"{go}.held").touch()
        until = time.monotonic() + _HOLD_S
        while not Path(go).exists() and time.monotonic() < until:
            time.sleep(0.01)

    class Waiting(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Any:
            hold()
            return super().embed(texts)

    pipeline._BATCH_ARTICLES = 4
    rag.store.embed.load_embedder = lambda config: Waiting()
    began = time.monotonic()
    if name == "page":
        status, said = _page(library, given, Waiting())
        return {"status": status, "said": said, "seconds": time.monotonic() - began}
    if name == "rebuild":
        sync = VectorIndex.sync

        def held(self: VectorIndex) -> None:
            hold()
            sync(self)

        VectorIndex.sync = held  # type: ignore[method-assign]
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        status = run(_argv(name, library, given))
    return {"status": status, "said": errors.getvalue(), "seconds": time.monotonic() - began}


def _page(library: str, given: str, embedder: Any) -> tuple[int, str]:
    """Add an upload as the page does: 0, or 2 and what it says."""
    from ui.adding import add

    upload = Path(given) / "upload.txt"
    *_, last = add(config(library), [upload], embedder=embedder, wait_s=0.0)
    if last.failed:
        kept = Path(library) / "uploads" / upload.name
        assert not kept.exists(), "the page could not add a file and kept it all the same"
    return (2 if last.failed else 0), last.failed


def sources(library: str) -> list[str]:
    """What somebody who reads finds, every article of it whole."""
    with opened(library) as reader:
        whole(reader)
        return sorted(a.source for a in reader.articles())


ROW = Row(
    name="writers",
    fault="two or more processes race to change one library",
    required="the second ends within 2 s with status 2 and a sentence; nothing of either is lost or mixed",
    quick=2,
    full=20,
    case=case,
    around=around,
)
