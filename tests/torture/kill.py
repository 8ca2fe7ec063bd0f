"""`kill -9` while articles are added, changed and removed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture import Row
from tests.torture.storage import (
    Driver,
    config,
    consistent,
    copied,
    digest,
    driver,
    edited,
    findable,
    opened,
    stories,
    whole,
    write_rows,
)


@dataclass(frozen=True)
class Shape:
    """What is killed: `work` on a library that holds `base`."""

    name: str
    base: str
    work: tuple[tuple[str, ...], ...]
    settings: dict[str, Any] = field(default_factory=dict)
    model: str = "counting"


SHAPES = (
    Shape("the first ingest", "", (("ingest", "first"),)),
    Shape("an update", "first", (("ingest", "second"),)),
    Shape("the page adds", "first", (("page", "uploads"),)),
    Shape("a removal", "first", (("remove", "copy"), ("remove", "one"))),
    Shape("more articles", "half", (("ingest", "first"),)),
    Shape("other chunks", "first", (("ingest", "first"),), {"chunk_tokens": 60}),
    Shape("a rebuild", "first", (("rebuild",),)),
    Shape("an update and a removal", "first", (("ingest", "second"), ("remove", "one"), ("ingest", "first"))),
    Shape("another model", "first", (("ingest", "second"),), model="another"),
)
GONE = {"copy": "https://copies.example/01", "one": "https://news.example/02"}
_BATCH = 4  # articles in a transaction: a kill falls between and inside of many


@dataclass
class Given:
    """What the cases share: articles, undisturbed libraries, and how long the undisturbed work took."""

    driver: Driver
    folder: Path
    known: dict[str, tuple[float, int, str]] = field(default_factory=dict)  # shape -> seconds, statements, digest

    def base(self, shape: Shape) -> Path:
        """The library that the work starts from; "" is none."""
        folder = self.folder / f"base-{shape.base}"
        if shape.base and not folder.exists():
            self.driver.call(work, folder, [("ingest", shape.base)], self.folder, {}, "counting", "", None)
        return folder

    def undisturbed(self, shape: Shape, scratch: Path) -> tuple[float, int, str]:
        """Do the work to its end: seconds, SQL statements, digest of the library."""
        if shape.name not in self.known:
            library = copied(self.base(shape), scratch / "library")  # in its place: an upload's source is its path
            began = time.monotonic()
            statements = self.driver.call(work, library, shape.work, self.folder, shape.settings, shape.model, "", None)
            seconds = time.monotonic() - began
            self.known[shape.name] = (seconds, statements, self.finished(shape, library))
        return self.known[shape.name]

    def finished(self, shape: Shape, library: Path) -> str:
        """Do the work (again), check the library, and return its digest."""
        said: str = self.driver.call(finish, library, shape.work, self.folder, shape.settings, shape.model)
        return said


@contextlib.contextmanager
def around(folder: Path) -> Iterator[Given]:
    """Write the articles and start the driver."""
    rows = stories(1)
    write_rows(folder / "first.jsonl", rows)
    write_rows(folder / "half.jsonl", rows[: len(rows) // 2])
    write_rows(folder / "second.jsonl", edited(rows))
    for n, r in enumerate(stories(2, count=6, copies=0)):
        file = folder / "uploads" / f"{n}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{r['title']}\n\n{r['text']}", encoding="utf-8")
    with driver(folder) as started:
        yield Given(started, folder)


def case(n: int, given: Given, folder: Path) -> dict[str, float]:
    """Kill at a random moment, or at a random SQL statement; look; do it again to its end; compare."""
    rng = random.Random(n)
    shape = SHAPES[n % len(SHAPES)]
    # uploads lie inside the library: every case has its library at one path, or their sources would differ
    place = given.folder / "at-work"
    library = place / "library"
    seconds, statements, undisturbed = given.undisturbed(shape, place)
    by_clock = rng.random() < 0.5
    share = rng.uniform(0.02, 0.9)
    acks = folder / "acks"
    before = None
    for kill in range(1 + (rng.random() < 0.25)):  # some are killed again in what would have mended the first
        for _attempt in range(12):
            if kill == 0:
                copied(given.base(shape), library)
            acks.unlink(missing_ok=True)
            at = None if by_clock else max(1, int(share * statements))
            args = (library, shape.work, given.folder, shape.settings, shape.model, acks, at)
            run = given.driver.start(work, *args)
            if by_clock:
                run.over(share * seconds)
                run.kill()
            if run.wait() == signal.SIGKILL:
                break
            run.value()
            share *= 0.6  # it was done before; sooner, then
        else:
            assert kill, "no process could be killed"  # after the first kill there may be nothing left to do
        before = before or given.base(shape)
        share = rng.uniform(0.02, 0.6)
    acknowledged = acks.read_text(encoding="utf-8").split() if acks.exists() else []
    found = given.driver.call(look, library, before, shape.work, acknowledged, given.folder)
    assert given.finished(shape, library) == undisturbed, (
        f"after {shape.name} was killed and done again, the library is not what it would have been"
    )
    return {"acknowledged": len(acknowledged), "articles after the kill": found}


def work(
    folder: str,
    steps: Sequence[Sequence[str]],
    given: str,
    settings: dict[str, Any],
    model: str,
    acks: str,
    kill_at: int | None,
) -> int:
    """In a process of its own: do it, write down what is acknowledged, die at SQL statement `kill_at`; return their number."""
    import rag.store.library
    from rag.doctor import rebuild
    from rag.ingest import pipeline
    from tests.conftest import CountingEmbedder
    from ui import adding

    count = 0
    connect = rag.store.library.sqlite3.connect

    def tick(statement: str) -> None:
        nonlocal count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(*args: Any, **options: Any) -> Any:
        connection = connect(*args, **options)
        connection.set_trace_callback(tick)
        return connection

    out = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if acks else None

    def acknowledge(*said: str) -> None:
        if out is not None:
            os.write(out, "".join(f"{s}\n" for s in said).encode())

    store = pipeline._store

    def storing(library: Any, batch: Any, run: Any) -> None:
        store(library, batch, run)
        acknowledge(*(f"+{s.article.id}:{s.content_key}" for s in batch))

    rag.store.library.sqlite3.connect = traced
    pipeline._store = storing
    pipeline._BATCH_ARTICLES = _BATCH
    try:
        for kind, *names in steps:
            if kind == "page":
                files = sorted((Path(given) / "uploads").iterdir())
                for said in adding.add(config(folder, **settings), files, embedder=CountingEmbedder(model)):
                    acknowledge(*(f"={o.article_id}:{o.name}" for o in said.outcomes))
                    assert not said.failed, said.failed
                continue
            with opened(folder, write=True, model=model, **settings) as library:
                if kind == "ingest":
                    assert not pipeline.ingest(library, [str(Path(given) / f"{names[0]}.jsonl")]).rejected
                elif kind == "remove":
                    ids = [i for name in names for i in library.find(GONE[name])]
                    pipeline.remove(library, ids)
                    acknowledge(*(f"-{pipeline.article_id(GONE[name])}" for name in names))
                else:
                    rebuild(library)
    finally:
        rag.store.library.sqlite3.connect = connect
    return count


def look(folder: str, base: str, steps: Sequence[Sequence[str]], acknowledged: Sequence[str], given: str) -> int:
    """See what a killed run has left, as the page sees it: nothing that was acknowledged is lost, nothing half or twice."""
    from rag.ingest.pipeline import article_id
    from rag.store.library import FILE

    def keys(place: Path | str) -> dict[str, str]:
        with opened(place, model=_model_of(place)) as library:
            return {r["id"]: r["content_key"] for r in library.rows("SELECT id, content_key FROM articles")}

    if not (Path(folder) / FILE).exists():
        assert not [*acknowledged, *Path(base).glob(FILE)], "the library is gone"
        return 0
    now = keys(folder)
    removing = {article_id(GONE[name]) for kind, *names in steps if kind == "remove" for name in names}
    stored = {s[1:].partition(":")[0]: s.partition(":")[2] for s in acknowledged if s[0] == "+"}
    last = {s[1:].partition(":")[0]: s[0] for s in acknowledged if s[0] in "+-"}
    if Path(base).exists():
        lost = keys(base).keys() - now.keys() - removing
        assert not lost, f"{len(lost)} articles are lost that were there before"
    for i, kind in last.items():
        if kind == "-":
            assert i not in now or i in removing, "an article came back after it was removed"
        elif i not in removing:
            assert i in now, "an acknowledged article is lost"
    if len({s for s in acknowledged if s[0] == "+"}) == len(stored):  # no article was acknowledged in two versions
        wrong = [i for i, key in stored.items() if i in now and i not in removing and now[i] != key]
        assert not wrong, f"{len(wrong)} articles are not the version that was acknowledged"
    for s in acknowledged:
        if s[0] == "=":
            i, _, name = s[1:].partition(":")
            assert i in now, "an upload that the page called added is lost"
            kept = Path(folder) / "uploads" / name
            assert kept.read_bytes() == (Path(given) / "uploads" / name).read_bytes(), (
                "an upload's file is not what it was"
            )
    with opened(folder, model=_model_of(folder)) as library:
        whole(library)
        findable(library)
        return len(now)


def _model_of(folder: Path | str) -> str:
    import sqlite3

    from rag.store.library import FILE

    with contextlib.closing(sqlite3.connect(Path(folder) / FILE)) as db:
        found = db.execute("SELECT value FROM meta WHERE key = 'embedder'").fetchone()
    return str(found[0]) if found else "counting"


def finish(folder: str, steps: Sequence[Sequence[str]], given: str, settings: dict[str, Any], model: str) -> str:
    """Do the work to its end, check that nothing of the disturbance is left, and return the library's digest."""
    work(folder, steps, given, settings, model, "", None)
    with opened(folder, write=True, model=model, **settings) as library:
        consistent(library)
        whole(library)
        assert library.counts()["articles"]
        left = [p.name for p in (Path(folder) / "uploads").glob(".*")]
        assert not left, f"half an upload is left: {left}"
        said = digest(library)
    with opened(folder, model=model, **settings) as reader:
        findable(reader, ask=True)
        assert not reader.index.notes, reader.index.notes
    return said


ROW = Row(
    name="kill",
    fault="kill -9 while articles are added, changed and removed",
    required="0 acknowledged articles lost, 0 twice, 0 half; every chunk is found; the next run ends in the same library",
    quick=8,
    full=300,
    case=case,
    around=around,
)
