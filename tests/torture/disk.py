"""A disk that is really full: a small tmpfs, mounted for one case."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture import Row
from tests.torture.storage import (
    Driver,
    checked,
    config,
    driver,
    edited,
    findable,
    opened,
    sentence,
    stories,
    whole,
    write_rows,
)

_PAGE = 4096
_ROOM = "64m"  # after somebody has freed some space
_GONE = "https://copies.example/01"


@dataclass(frozen=True)
class Shape:
    """What runs out of space: `work` on a library that holds `base`, on a disk that holds all of it, or one folder."""

    work: str
    base: str = "first"
    on: str = ""  # the folder of the library that the small disk is mounted on; "": all of it


SHAPES = (
    Shape("update"),
    Shape("remove", on="index"),
    Shape("first", base=""),
    Shape("page"),
    Shape("remove"),
    Shape("update", on="index"),
    Shape("rebuild"),
    Shape("page", on="uploads"),
    Shape("chunks"),
    Shape("rebuild", on="index"),
)


@dataclass
class Given:
    """What the cases share. `known`: by shape, the bytes that its undisturbed work needs, and the digest afterwards."""

    driver: Driver
    folder: Path
    known: dict[Shape, tuple[int, str]] = field(default_factory=dict)


@contextlib.contextmanager
def around(folder: Path) -> Iterator[Given]:
    """Write the articles, and a library of them."""
    write_rows(folder / "first.jsonl", rows := stories(1))
    write_rows(folder / "update.jsonl", edited(rows))
    for n, r in enumerate(stories(2, count=4, copies=0)):
        (folder / "uploads").mkdir(exist_ok=True)
        (folder / "uploads" / f"{n}.txt").write_text(f"{r['title']}\n\n{r['text'] * 8}", encoding="utf-8")
    with driver(folder) as started:
        assert started.call(work, "first", folder / "base-first", folder, folder)["failed"] == ""
        yield Given(started, folder)


def missing() -> str | None:
    """Say why no disk can be made here."""
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("mount"):
        return "Mounting a small disk needs root (and Linux's mount)."
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        try:
            with _disk(Path(folder), 1 << 20):
                return None
        except OSError as e:
            return str(e)


@contextlib.contextmanager
def _disk(folder: Path, size: int) -> Iterator[None]:
    """A disk of `size` bytes at `folder` for the length of a block. Raises: OSError."""
    folder.mkdir(exist_ok=True)
    made = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(made, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"This machine does not let us mount a disk ({done.stderr.strip()}).")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def _base(shape: Shape, given: Given, room: int) -> Iterator[tuple[Path, Path]]:
    """What the work starts from, on a disk with `room` bytes left: the library, and where the disk is mounted."""
    base = given.folder / f"base-{shape.base}"
    place = given.folder / "at-work"
    library = place / "library"
    shutil.rmtree(place, ignore_errors=True)
    mount = library / shape.on if shape.on else place
    mount.mkdir(parents=True)
    there = base / shape.on
    taken = sum(-(-p.stat().st_size // _PAGE) * _PAGE for p in there.rglob("*") if p.is_file())
    with _disk(mount, taken + max(_PAGE, room // _PAGE * _PAGE)):
        if base.exists():
            shutil.copytree(base, library, dirs_exist_ok=True)
        yield library, mount


def case(n: int, given: Given, folder: Path) -> dict[str, float]:
    """Run out of space at a random size of disk; look; free some space; do it again."""
    rng = random.Random(n)
    shape = SHAPES[n % len(SHAPES)]
    base = given.folder / f"base-{shape.base}"
    if shape not in given.known:
        with _base(shape, given, 64 << 20) as (library, mount):
            before = _used(mount)
            done = given.driver.call(work, shape.work, library, given.folder, mount)
            assert not done["failed"], done["failed"]
            given.known[shape] = (done["peak"] - before, given.driver.call(checked, library))
    needed, undisturbed = given.known[shape]
    share = rng.choice([0.0, rng.uniform(0.02, 0.9), rng.uniform(0.02, 0.9)])
    for _attempt in range(8):
        with _base(shape, given, int(needed * share)) as (library, mount):
            done = given.driver.call(work, shape.work, library, given.folder, mount)
            if not done["failed"]:
                share *= 0.5  # it had enough
                continue
            assert sentence(done["failed"]), f"no sentence: {done['failed'][:300]}"
            answers = given.driver.call(look, library, base, shape.work, done["kept"])
            subprocess.run(["mount", "-o", f"remount,size={_ROOM}", str(mount)], check=True)
            for again in (False, True):  # the second time there is nothing left to do
                retry = given.driver.call(work, shape.work, library, given.folder, mount)
                assert not retry["failed"], f"with space again: {retry['failed'][:300]}"
                twice = set(done["kept"]) & set(retry["changed"])
                assert not twice, f"{len(twice)} articles were acknowledged, and then done again"
                assert not (again and retry["changed"]), "a third run changes something"
                assert given.driver.call(checked, library) == undisturbed, "the library is not what it would have been"
            return {"KB short": needed * (1 - share) // 1024, "acknowledged": len(done["kept"]), "read on": answers}
    raise AssertionError("the disk was never full")


def _used(disk: Path) -> int:
    return shutil.disk_usage(disk).used


def work(name: str, library: str, given: str, mount: str) -> dict[str, Any]:
    """In a process of its own: do it; what failed, the articles that are acknowledged, those that changed, bytes used."""
    from rag.doctor import rebuild
    from rag.errors import RecapError
    from rag.ingest import pipeline
    from tests.conftest import CountingEmbedder
    from ui import adding

    pipeline._BATCH_ARTICLES = 4
    kept: list[str] = []
    changed: list[str] = []
    failed = ""
    peak = 0
    settings = {"chunk_tokens": 60} if name == "chunks" else {}
    store, derive = pipeline._store, pipeline._write_derived

    def storing(into: Any, batch: Any, run: Any) -> None:
        nonlocal peak
        store(into, batch, run)
        peak = max(peak, _used(Path(mount)))
        kept.extend(s.article.id for s in batch)

    def deriving(into: Any, fresh: Any, *args: Any, **options: Any) -> None:
        derive(into, fresh, *args, **options)
        changed.extend(s.article.id for s in fresh)

    pipeline._store = storing  # type: ignore[assignment]
    pipeline._write_derived = deriving  # type: ignore[assignment]
    try:
        if name == "page":
            uploads = sorted((Path(given) / "uploads").iterdir())
            for said in adding.add(config(library), uploads, embedder=CountingEmbedder()):
                failed = said.failed
                kept = [o.article_id for o in said.outcomes if o.kind in ("added", "updated", "unchanged")]
            failed = failed or next((o.why for o in said.outcomes if o.kind == "rejected"), "")
        else:
            with opened(library, write=True, **settings) as writer:
                if name == "remove":
                    gone = writer.find(_GONE)
                    pipeline.remove(writer, gone)
                    changed = gone
                elif name == "rebuild":
                    rebuild(writer)
                else:
                    file = "first" if name == "chunks" else name
                    report = pipeline.ingest(writer, [str(Path(given) / f"{file}.jsonl")])
                    changed = [] if name == "chunks" else changed
                    assert len(kept) == sum(map(len, (report.added, report.updated, report.unchanged)))
                peak = max(peak, _used(Path(mount)))
    except RecapError as e:
        failed = str(e)
    return {"failed": failed, "kept": kept, "changed": changed, "peak": max(peak, _used(Path(mount)))}


def look(library: str, base: str, name: str, kept: list[str]) -> int:
    """See what a reader finds on the full disk: all of it, 1; or, where there is not one page left, that it is full, 0."""
    from rag.errors import LibraryError, LibraryMissing

    try:
        _read(library, base, name, kept)
    except LibraryMissing as e:
        if kept or Path(base).exists():
            raise AssertionError("the library is gone") from e
    except LibraryError as e:  # SQLite needs 32 KB beside the file to read it
        if "disk is full" not in str(e):
            raise
        return 0
    return 1


def _read(library: str, base: str, name: str, kept: list[str]) -> None:
    before: set[str] = set()
    if Path(base).exists():
        with opened(base) as reader:
            before = {a.id for a in reader.articles()} - (set(reader.find(_GONE)) if name == "remove" else set())
    with opened(library) as reader:
        now = {a.id for a in reader.articles()}
        assert before | set(kept) <= now, f"{len((before | set(kept)) - now)} acknowledged articles are lost"
        whole(reader)
        findable(reader)
        for file in (Path(library) / "uploads").glob("*.txt"):
            assert any(a.source == file.resolve().as_uri() for a in reader.articles()), (
                "an upload is kept, its article is not"
            )


ROW = Row(
    name="disk",
    fault="the disk is full (library, index or uploads) in the middle of a change",
    required="a sentence; nothing acknowledged is lost; with space again the next run ends in the same library",
    quick=2,
    full=20,
    case=case,
    around=around,
    missing=missing,
)
