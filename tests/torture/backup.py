"""Backups of a library that another process fills, edits and empties, now and then killed on the way: each is one state of it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.torture import Row

ROOT = Path(__file__).parents[2]
SHAPES = ("killed", "undisturbed")
BACKUPS = 4  # of one library, one after the other
STEPS = 24  # each an article that comes, changes or goes; said when it is done, with what the library then holds
UPLOADED = 6_000_000  # bytes beside the library, so that there is time to be killed in

# Has everything loaded and forks a process for each line: a kill falls into the work, not into an import. A line is a JSON
# list, ["write", library, articles, seed] or ["backup", library, file].
DRIVER = """
import json, os, sys, traceback
from pathlib import Path
import chromadb, datasketch, filelock
from tests.torture import backup
import rag.ingest.pipeline, rag.store.backup, tests.test_pipeline
for line in sys.stdin:
    what, *rest = json.loads(line)
    if not (pid := os.fork()):
        status = 1
        try:
            getattr(backup, f"do_{what}")(*rest)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    print(json.dumps({"pid": pid}), flush=True)
    print(json.dumps({"status": os.waitpid(pid, 0)[1]}), flush=True)
"""


class Driver:
    """Runs one thing at a time in a process of its own."""

    def __init__(self) -> None:
        self.pid = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def start(self, what: str, *rest: object) -> int:
        """Start it and return the id of its process."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([what, *map(str, rest)]) + "\n")
        self.process.stdin.flush()
        self.pid = int(self._said()["pid"])
        return self.pid

    def end(self) -> int:
        """Wait for it and return how it ended, as `os.waitpid` has it."""
        self.pid = 0
        return int(self._said()["status"])

    def stop(self) -> None:
        """End what is still running: a case that failed leaves nothing to the next."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.end()

    def _said(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End it, and what it may be waiting for."""
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait(60)
        self.process.stdout.close()  # type: ignore[union-attr]


@contextmanager
def around(folder: Path) -> Iterator[tuple[Driver, Driver]]:
    """One driver for who writes and one for who backs up."""
    drivers = Driver(), Driver()
    try:
        yield drivers
    finally:
        for d in drivers:
            d.close()


def case(n: int, given: tuple[Driver, Driver], folder: Path) -> dict[str, float]:
    """Back up a library while another process writes to it; restore every backup that came to its end."""
    try:
        return _case(n, *given, folder)
    finally:
        for d in given:
            d.stop()


def _case(n: int, writer: Driver, saver: Driver, folder: Path) -> dict[str, float]:
    rng = random.Random(n)
    library, log = folder / "library", folder / "library.log"
    (library / "uploads").mkdir(parents=True)
    (library / "uploads" / "film.pdf").write_bytes(rng.randbytes(UPLOADED))
    writer.start("write", library, folder / "articles", n)
    _wait(lambda: log.exists() and len(_states(log)) >= 3, 30)

    took, made, killed, while_written = 0.2, [], 0, 0
    for k in range(BACKUPS):
        file = folder / "out" / f"{k}.backup"
        file.parent.mkdir(exist_ok=True)
        before, began = len(_states(log)), time.monotonic()
        pid = saver.start("backup", library, file)
        if SHAPES[n % len(SHAPES)] == "killed" and k % 2:
            time.sleep(rng.uniform(0, 1.1) * took)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        status = saver.end()
        if status == signal.SIGKILL:
            killed += 1
            assert not file.exists() or _restores(file, folder / f"killed{k}"), "a killed backup left half a file"
            file.unlink(missing_ok=True)
            assert saver.start("backup", library, file), "again"  # the same command again: what was left is no obstacle
            status = saver.end()
        else:
            took = time.monotonic() - began
        assert status == 0, f"the backup ended with {status}"
        assert not file.with_name(f"{file.name}.part").exists(), "something is left beside the backup"
        while_written += len(_states(log)) < STEPS
        made.append((file, before))
    assert writer.end() == 0, "who wrote was disturbed"
    states = _states(log)
    assert len(states) == STEPS
    for file, before in made:
        held = _restores(file, folder / "restored" / file.stem)
        assert held in states, f"{file.name} holds no state that the library was in"
        latest = max(
            at for at, state in enumerate(states) if state == held
        )  # what is taken back is an earlier state again
        assert latest >= before - 1, f"{file.name} lacks what was acknowledged before it was begun"
    return {"killed": killed, "made while it was written to": while_written, "backup_s": round(took, 2)}


def _wait(ready: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, "who writes has not begun"
        time.sleep(0.02)


def _states(log: Path) -> list[str]:
    """What the library held after each step that was acknowledged."""
    return log.read_text().split("\n")[:-1]


def _restores(file: Path, folder: Path) -> str:
    """Restore a backup, look at all of it, and return what it holds."""
    from rag.config import Config
    from rag.store.backup import restore
    from rag.store.library import Library
    from tests.conftest import CountingEmbedder

    config = Config(library=folder, llm="none")
    restore(config, file)
    assert len((folder / "uploads" / "film.pdf").read_bytes()) == UPLOADED
    with Library.open(config, write=True, embedder=CountingEmbedder()) as library:
        assert library.integrity() == "ok"
        assert not library.index.notes, f"the index of a restored library is not sound: {library.index.notes}"
        _finds_every_chunk(library)
        return _held(library)


def _finds_every_chunk(library: Any) -> None:
    import numpy as np

    rows = library.rows("SELECT id, text, vector FROM chunks")
    assert library.index.ids() == {r["id"] for r in rows}, "the index has other chunks than the library"
    for r in rows:
        vector = np.frombuffer(r["vector"], dtype=np.float32)
        for found in (library.index.ask(vector, limit=5), library.search_exact(vector, limit=5)):
            assert any(i == r["id"] or cosine > 0.9999 for i, cosine in found), f"{r['id']} is not found by its vector"
        words = [w for w in r["text"].lower().replace(".", "").split() if w.isdigit()][:6]
        if words:
            assert r["id"] in dict(library.search_text(words, limit=len(rows))), f"{r['id']} is not found by its words"


def _held(library: Any) -> str:
    """Return a digest of everything that the library holds."""
    import hashlib

    from tests.test_pipeline import content

    return hashlib.sha256(repr(content(library)).encode()).hexdigest()


# --- in processes of their own ----------------------------------------------------------------------------------------


def do_write(library: str, articles: str, seed: str) -> None:
    """Let articles come, change and go, one a step, and say after each what the library holds."""
    from rag.config import Config
    from rag.ingest.pipeline import article_id, ingest, remove
    from rag.store.library import Library
    from tests.conftest import CountingEmbedder

    rng = random.Random(int(seed) + 1000)
    folder, log = Path(articles), Path(library).with_suffix(".log")
    folder.mkdir()
    there: list[Path] = []
    with Library.open(Config(library=Path(library), llm="none"), create=True, embedder=CountingEmbedder()) as opened:
        for step in range(STEPS):
            act = rng.choice(("add", "add", "edit", "remove")) if len(there) > 2 else "add"
            path = folder / f"{step}.txt" if act == "add" else rng.choice(there)
            if act == "remove":
                there.remove(path)
                remove(opened, [article_id(path.resolve().as_uri())])
            else:
                path.write_text(_story(rng, step))
                there += [path] if act == "add" else []
                ingest(opened, [str(path)])
            with log.open("a") as out:
                out.write(_held(opened) + "\n")


def do_backup(library: str, file: str) -> None:
    """Back a library up, as the command does."""
    from rag.config import Config
    from rag.store.backup import backup
    from rag.store.library import Library

    with Library.open(Config(library=Path(library), llm="none")) as opened:
        backup(opened, Path(file))


def _story(rng: random.Random, step: int) -> str:
    words = "boat lamp quay crate net sail tide rope crew salt gull mast oar buoy reef bell pier hull knot wind".split()
    lines = (
        f"The {rng.choice(words)} of {rng.choice(words)} {rng.randrange(1000)} met the {rng.choice(words)}."
        for _ in range(rng.choice([8, 30, 90]))
    )
    return f"Story {step} of the Port Alder Harbour\n\n" + " ".join(lines)


ROW = Row(
    name="backup",
    fault="a backup while another process writes, and a backup that is killed",
    required=(
        "what is restored is sound, holds exactly one acknowledged state no older than the start, and every chunk is found; "
        "nothing stands under the final name of a killed one"
    ),
    quick=2,
    full=20,
    case=case,
    around=around,
    limit_s=180,
)
