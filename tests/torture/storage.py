"""What the rows about storage share: processes that really die, coverage of our own, and what a whole library is.

A driver process loads everything once and forks a process for each call, so that a kill costs no import and nothing that
dies takes the tests along.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.store.library import Library

ROOT = Path(__file__).parents[2]
CALL_S = 50.0  # for one call; the row's own limit is longer


# --- processes --------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """A call in a process of its own."""

    driver: Driver
    pid: int
    files: Path  # .json: what it returned or raised; .out, .err: what it wrote
    began: float
    seconds: float = 0.0
    status: int | None = None
    _over: int = field(default=-1)

    def __post_init__(self) -> None:
        self._over = os.pidfd_open(self.pid)  # it is no child of ours; the driver leaves it a zombie until `wait`

    def over(self, timeout_s: float) -> bool:
        """Wait until the process has ended; tell whether it has."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._over, selectors.EVENT_READ)
            return bool(ready.select(timeout_s))

    def kill(self) -> None:
        """`kill -9`."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._over, signal.SIGKILL)

    def wait(self, timeout_s: float = CALL_S) -> int:
        """Return how it ended, as `waitpid` says it: 0, or the signal that killed it. Raises: AssertionError."""
        if self.status is None:
            ended = self.over(timeout_s)
            self.seconds = time.monotonic() - self.began
            if not ended:
                self.kill()
            self.status = self.driver.reap(self.pid)
            os.close(self._over)
            assert ended, f"a process did not end within {timeout_s:.0f} s"
        return self.status

    def value(self) -> Any:
        """Wait, and return what the call returned. Raises: AssertionError, with what it raised or how it died."""
        status = self.wait()
        file = self.files.with_suffix(".json")
        assert (status, file.exists()) == (0, True), f"the process died ({status & 127}): {self.said('err')[-300:]}"
        done = json.loads(file.read_text(encoding="utf-8"))
        assert "raised" not in done, done["raised"]
        return done["value"]

    def said(self, which: str) -> str:
        """What it wrote to standard output ("out") or standard error ("err")."""
        return self.files.with_suffix(f".{which}").read_text(encoding="utf-8", errors="replace")


class Driver:
    """Forks a process for each call of a function `MODULE:NAME` with plain arguments."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.storage"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it has loaded everything

    def start(self, function: Callable[..., Any], *args: Any) -> Run:
        """Begin a call; `args` are plain data, a Path goes as text."""
        self._calls += 1
        files = self._folder / str(self._calls)
        call = {"function": f"{function.__module__}:{function.__name__}", "args": args, "files": files}
        began = time.monotonic()
        return Run(self, int(self._ask(json.dumps({"start": call}, default=str))), files, began)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call and return the value. Raises: AssertionError, with what the call raised or how its process died."""
        return self.start(function, *args).value()

    def reap(self, pid: int) -> int:
        return int(self._ask(json.dumps({"wait": pid})))

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def close(self) -> None:
        """End the driver."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@contextlib.contextmanager
def driver(folder: Path) -> Iterator[Driver]:
    """A driver for the length of a block."""
    made = Driver(folder / "calls")
    try:
        yield made
    finally:
        made.close()


def _serve() -> None:
    import chromadb
    import datasketch
    import filelock

    import rag.__main__
    import rag.doctor
    import rag.ingest.pipeline
    import rag.ingest.read
    import tests.conftest

    del chromadb, datasketch, filelock, rag, tests
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            print(os.waitpid(asked["wait"], 0)[1], flush=True)
        elif pid := os.fork():
            print(pid, flush=True)
        else:
            _call(**asked["start"])


def _call(function: str, args: Sequence[Any], files: str) -> None:
    done: dict[str, Any] = {}
    for stream, end in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{files}.{end}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        module, name = function.split(":")
        done["value"] = getattr(importlib.import_module(module), name)(*args)
    except BaseException as e:
        said = str(e) if isinstance(e, AssertionError) else f"{type(e).__name__}: {e}"
        at = e.__traceback__
        while at and at.tb_next:
            at = at.tb_next
        where = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at else "?"
        done = {"raised": f"{said or 'it did not hold'} ({where})"}
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    Path(f"{files}.json").write_text(json.dumps(done), encoding="utf-8")
    os._exit(0)


# --- coverage and libraries -------------------------------------------------------------------------------------------


def stories(seed: int, *, count: int = 18, copies: int = 4) -> list[dict[str, Any]]:
    """Rows of JSONL: pieces of which some are dated copies of others, some long; every sentence has a word of its own."""
    rng = random.Random(seed)
    words = "boat lamp quay crate net sail tide rope crew salt gull mast oar buoy reef bell pier hull knot wind".split()

    def sentence(n: int, k: int) -> str:
        return f"The {rng.choice(words)} of {rng.choice(words)} q{seed}x{n}x{k} met the {rng.choice(words)}."

    def row(n: int) -> dict[str, Any]:
        body = " ".join(sentence(n, k) for k in range(rng.choice([8, 16, 40])))
        return {"url": f"https://news.example/{n:02d}", "title": f"Story {n} of the Port Alder Harbour", "text": body}

    out = [row(n) for n in range(count)]
    for n in range(copies):
        url, day = f"https://copies.example/{n:02d}", f"2023-05-{n + 10}"
        out.append({"url": url, "title": None, "text": out[n]["text"], "published": day})
    return out


def edited(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same pieces, a third of them with another word, and one sentence more."""
    return [
        r | {"text": r["text"].replace("boat", "ship") + f" A sentence was added to number {n}."} if n % 3 == 0 else r
        for n, r in enumerate(rows)
    ]


def write_rows(file: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write a .jsonl of articles."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return file


def config(folder: Path | str, **settings: Any) -> Any:
    """A configuration that needs no model."""
    from rag.config import Config

    return Config(library=Path(folder), llm="none", reader="rules", **settings)


def opened(folder: Path | str, *, write: bool = False, model: str = "counting", **settings: Any) -> Library:
    """Open a library whose vectors are counted by hand; one that is written is made when there is none."""
    from rag.store.library import Library
    from tests.conftest import CountingEmbedder

    return Library.open(config(folder, **settings), write=write, create=write, embedder=CountingEmbedder(model))


def ingested(folder: str, *files: str) -> None:
    """Ingest undisturbed."""
    from rag.ingest.pipeline import ingest

    with opened(folder, write=True) as library:
        for file in files:
            assert not ingest(library, [file]).rejected


def copied(library: Path, to: Path) -> Path:
    """Copy a closed library, with the times of its files."""
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(library, to)) if library.exists() else to


# --- what must hold ---------------------------------------------------------------------------------------------------


def content(library: Library) -> dict[str, list[tuple[Any, ...]]]:
    """What the library holds, in no order of arrival."""
    tables = {
        "articles": "SELECT * FROM articles ORDER BY id",
        "chunks": "SELECT id, article_id, start, end, kind, header, text, vector FROM chunks ORDER BY id",
        "events": "SELECT * FROM article_events ORDER BY article_id, key, edition",
        "copies": "SELECT * FROM copies ORDER BY a, b",
        "bands": "SELECT * FROM bands ORDER BY key, article_id",
    }
    return {k: [tuple(r) for r in library.rows(sql)] for k, sql in tables.items()}


def digest(library: Library) -> str:
    """The same digest, the same content."""
    import hashlib

    return hashlib.sha256(repr(content(library)).encode()).hexdigest()


def consistent(library: Library) -> None:
    """Every chunk is where its offsets say, in the full text, in the index once; nothing else is."""
    library.index.sync()
    chunks = {r["id"]: r for r in library.rows("SELECT * FROM chunks")}
    for c in chunks.values():
        article = library.article(c["article_id"])
        assert article is not None
        assert article.text[c["start"] : c["end"]] == c["text"]
    assert library.index.ids() == set(chunks), "the index does not hold the chunks of the library"
    assert library.rows("SELECT count(*) FROM chunks_fts")[0][0] == len(chunks)
    assert library.rows("SELECT count(*) FROM tombstones")[0][0] == 0
    assert library.counts()["pending"] == 0
    assert library.integrity() == "ok"


def checked(library: str) -> str:
    """Check a library at rest, and return its digest."""
    with opened(library, write=True) as writer:
        consistent(writer)  # what Chroma refused has been seen to come back
        whole(writer)
        said = digest(writer)
    with opened(library) as reader:
        findable(reader, ask=True)
    return said


def whole(library: Library) -> None:
    """No article is half there or there twice: its chunks cover it, and stand where their offsets say."""
    articles = library.articles()
    assert len({a.source for a in articles}) == len(articles), "an article is there twice"
    for a in articles:
        chunks = library.chunks(a.id)
        assert all(a.text[c.start : c.end] == c.text for c in chunks), f"a chunk of {a.source} is out of its place"
        covered = bytearray(len(a.text))
        for c in chunks:
            covered[c.start : c.end] = b"\1" * (c.end - c.start)
        missing = [n for n, letter in enumerate(a.text) if not covered[n] and not letter.isspace()]
        assert not missing, f"{a.source} is half there: {len(missing)} letters are in no chunk"
    assert library.integrity() == "ok"


def findable(library: Library, *, ask: bool = False) -> int:
    """Every chunk is found by its vector and by a word that only it has; return how many. `ask`: by Chroma if it can."""
    index = library.index
    ids, rows = library.matrix()
    known = library.chunks_by_id(ids)
    for chunk_id, vector in zip(ids, rows, strict=True):
        found = index.ask(vector, limit=8) if ask else index.search(vector, limit=8)
        assert chunk_id in dict(found) or [x for _, x in found[7:]] > [0.9999], f"a vector does not find {chunk_id}"
        assert all(i in known for i, _ in found), "the search finds what the library does not hold"
        if own := re.search(r"q\d+x\d+x\d+", known[chunk_id].text):
            assert chunk_id in dict(library.search_text([own.group()], limit=50)), f"a word does not find {chunk_id}"
    return len(ids)


def sentence(text: str) -> bool:
    """Tell whether an error is something to say to a person."""
    return bool(text) and text[0].isupper() and text.endswith(".") and "Traceback" not in text and "\n" not in text


if __name__ == "__main__":
    _serve()
