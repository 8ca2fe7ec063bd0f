"""Files that are really damaged: the library, its full text, Chroma's files, the seal, the locks."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torture import Row
from tests.torture.storage import (
    Driver,
    consistent,
    copied,
    digest,
    driver,
    edited,
    findable,
    opened,
    sentence,
    stories,
    whole,
    write_rows,
)

FILE = "library.sqlite3"
PAGE = 8192
Damage = Callable[[random.Random, Path, Path], None]  # dice, the library, an older copy of it


# --- what is done to files --------------------------------------------------------------------------------------------


def _cut(rng: random.Random, file: Path) -> None:
    os.truncate(file, rng.choice([0, int(file.stat().st_size * rng.random()), file.stat().st_size - 1]))


def _overwrite(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as f:
        f.seek(at)
        f.write(data)


def _randomised(rng: random.Random, file: Path) -> None:
    size = file.stat().st_size
    length = min(size, rng.choice([64, 4096, size]))
    _overwrite(file, rng.randrange(size - length + 1), rng.randbytes(length))


def _zeroed(rng: random.Random, file: Path) -> None:
    size = file.stat().st_size
    length = min(size, rng.choice([512, PAGE, size]))
    _overwrite(file, rng.randrange(size - length + 1), bytes(length))


def _flipped(rng: random.Random, file: Path) -> None:
    data = bytearray(file.read_bytes())
    for _ in range(rng.choice([1, 3, 30])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    file.write_bytes(data)


def _page(rng: random.Random, file: Path) -> None:
    pages = file.stat().st_size // PAGE
    n = rng.randrange(pages)
    _overwrite(file, n * PAGE, rng.choice([bytes(PAGE), rng.randbytes(PAGE)]))


def _pages_swapped(rng: random.Random, file: Path) -> None:
    data = file.read_bytes()
    a, b = rng.sample(range(len(data) // PAGE), 2)
    _overwrite(file, a * PAGE, data[b * PAGE : (b + 1) * PAGE])
    _overwrite(file, b * PAGE, data[a * PAGE : (a + 1) * PAGE])


def _some(rng: random.Random, file: Path) -> None:
    rng.choice([_cut, _randomised, _zeroed, _flipped])(rng, file)


def _sql(file: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute(statement)
        db.commit()


# --- shapes -----------------------------------------------------------------------------------------------------------


def _to_library(damage: Callable[[random.Random, Path], None]) -> Damage:
    return lambda rng, library, older: damage(rng, library / FILE)


def _rows(rng: random.Random, library: Path, older: Path) -> None:
    n = rng.randrange(3, 20)
    statements = (
        f"UPDATE chunks SET text = replace(text, 'the', 'The') WHERE n = {n}",
        f"UPDATE chunks SET vector = zeroblob(256) WHERE n = {n}",
        f"UPDATE articles SET text = text || '!' WHERE rowid = {n}",
        f"UPDATE articles SET events = '[' WHERE rowid = {n}",
        "DELETE FROM meta",
        f"PRAGMA user_version = {n + 40}",
    )
    _sql(library / FILE, rng.choice(statements))


def _full_text(statement: str) -> Damage:
    return lambda rng, library, older: _sql(library / FILE, statement)


def _graph(name: str) -> Damage:
    def damage(rng: random.Random, library: Path, older: Path) -> None:
        found = sorted((library / "index").rglob(name))
        assert found, f"Chroma no longer writes {name}"
        for file in found:
            if file.stat().st_size:
                rng.choice([_cut, _randomised, _zeroed, lambda rng, file: file.unlink()])(rng, file)
            else:
                file.write_bytes(rng.randbytes(64))

    return damage


def _index_replaced(rng: random.Random, library: Path, older: Path) -> None:
    index = library / "index"
    shutil.rmtree(index)
    how = rng.randrange(3)
    if how == 0:
        index.write_text("no index")
    elif how == 1:
        index.mkdir()
        _sql(index / "chroma.sqlite3", "CREATE TABLE collections (id TEXT)")


def _older_index(rng: random.Random, library: Path, older: Path) -> None:
    """An index that was put back from a backup without its library, seal and all."""
    shutil.rmtree(library / "index")
    shutil.copytree(older / "index", library / "index")
    shutil.copy2(older / "index.seal", library / "index.seal")


def _older_library(rng: random.Random, library: Path, older: Path) -> None:
    """A library that was put back from a backup without its index."""
    shutil.copy2(older / FILE, library / FILE)


def _rows_lost(rng: random.Random, library: Path, older: Path) -> None:
    """What two writers do to Chroma: rows are gone, and nothing is said."""
    import chromadb

    from rag.store.vectors import COLLECTION, _settings

    client = chromadb.PersistentClient(path=str(library / "index"), settings=_settings())
    collection = client.get_collection(COLLECTION, embedding_function=None)
    collection.delete(ids=sorted(collection.get(include=[])["ids"])[:: rng.choice([2, 9, 40])])


def _seal(rng: random.Random, library: Path, older: Path) -> None:
    seal = library / "index.seal"
    how = rng.randrange(4)
    if how == 0:
        seal.unlink()
    elif how == 1:
        seal.write_bytes(rng.randbytes(200))
    elif how == 2:
        seal.write_text(rng.choice(["", "{}", "[]", "null", '{"chroma.sqlite3": 1}']))
    else:
        shutil.copy2(older / "index.seal", seal)


def _locks(rng: random.Random, library: Path, older: Path) -> None:
    for name in ("writer.lock", "index.lock", "index.wanted"):
        lock = library / name
        lock.unlink(missing_ok=True)
        if rng.random() < 0.3:
            lock.mkdir()
        elif rng.random() < 0.7:
            lock.write_bytes(rng.randbytes(100))


def _beside(rng: random.Random, library: Path, older: Path) -> None:
    """What another SQLite has left beside the library."""
    for name in rng.choice([("-journal",), ("-wal",), ("-wal", "-shm")]):
        (library / f"{FILE}{name}").write_bytes(rng.choice([b"", bytes(40_000), rng.randbytes(40_000)]))


# What becomes of the library: it is refused; its full text is made again by a writer; its index is; it does not matter.
SHAPES: dict[str, tuple[str, Damage]] = {
    "a page of the library": ("library", _to_library(_page)),
    "full text zeroed": (
        "text",
        _full_text("UPDATE chunks_fts_data SET block = zeroblob(length(block)) WHERE id > 10"),
    ),
    "vectors of the graph": ("index", _graph("data_level0.bin")),
    "Chroma's database": ("index", _graph("chroma.sqlite3")),
    "an older library": ("index", _older_library),
    "the seal": ("index", _seal),
    "the library cut off": ("library", _to_library(_cut)),
    "an older index": ("index", _older_index),
    "bits of the library": ("library", _to_library(_flipped)),
    "header of the graph": ("index", _graph("header.bin")),
    "rows of the library": ("library", _rows),
    "full text emptied": ("text", _full_text("INSERT INTO chunks_fts(chunks_fts) VALUES ('delete-all')")),
    "rows lost from Chroma": ("index", _rows_lost),
    "lock files": ("locks", _locks),
    "pages swapped": ("library", _to_library(_pages_swapped)),
    "lengths of the graph": ("index", _graph("length.bin")),
    "names of the graph": ("index", _graph("index_metadata.pickle")),
    "the library gone": ("library", lambda rng, library, older: (library / FILE).unlink()),
    "another index": ("index", _index_replaced),
    "files beside the library": ("beside", _beside),
}


# --- the cases --------------------------------------------------------------------------------------------------------


@dataclass
class Given:
    """What the cases share: a library, an older copy of it, and their digests."""

    driver: Driver
    folder: Path
    digests: dict[str, str]


@contextlib.contextmanager
def around(folder: Path) -> Iterator[Given]:
    """Make a library whose graph is in files of its own, and what it was before its last change."""
    rows = stories(1)
    write_rows(folder / "old.jsonl", rows)
    write_rows(folder / "new.jsonl", [*edited(rows), *stories(3, count=3, copies=0)])
    with driver(folder) as started:
        digests = started.call(make, folder)
        yield Given(started, folder, digests)


def make(folder: str) -> dict[str, str]:
    """In a process of its own: make both libraries, and return their digests."""
    from rag.ingest.pipeline import ingest, remove

    place = Path(folder)
    out = {}
    for name, file in (("older", "old.jsonl"), ("base", "new.jsonl")):
        with opened(place / "work", write=True) as library:
            assert not ingest(library, [str(place / file)]).rejected
            if name == "base":
                remove(library, library.find("https://news.example/05"))
            size = library.counts()["chunks"]
            for _ in range(1 + 1100 // size):  # Chroma writes its graph to files after 1,000 rows
                with library.transaction() as db:
                    db.execute("UPDATE chunks SET indexed = 0")
                library.index.sync()
            out[name] = digest(library)
        assert list((place / "work" / "index").rglob("data_level0.bin"))
        copied(place / "work", place / name)
    return out


def case(n: int, given: Given, folder: Path) -> dict[str, float]:
    """Damage files; open and search; let a writer mend what can be mended; open and search again."""
    names = list(SHAPES)
    shape = names[n % len(names)]
    what = SHAPES[shape][0]
    library = copied(given.folder / "base", given.folder / "work")  # Chroma keeps the path
    given.driver.call(damage, n, shape, library, given.folder / "older")
    before = _bytes(library / FILE)
    known = {given.digests["base"]}
    if shape == "an older library":  # it is a library, all of it, as it once was
        known = {given.digests["older"]}
    read = given.driver.call(look, library, False)
    written = given.driver.call(look, library, True)
    status, said = given.driver.call(command, library)
    for who in (read, written):
        if who["refused"]:
            assert sentence(who["refused"]), f"refused without a sentence: {who['refused'][:300]}"
        else:
            assert who["digest"] in known, f"{shape}: it was opened, and holds something else than before"
    if what == "library":
        if read["refused"]:
            assert written["refused"], "a reader refuses it, and a writer goes on"
            assert _bytes(library / FILE) == before, "a library that was refused was changed"
            assert (status, sentence(said)) == (2, True), f"the command line ended with {status}: {said[-200:]}"
            return {"refused": 1, "made again": 0, "harmless": 0}
        assert not written["refused"], f"a writer refuses what a reader reads: {written['refused'][:300]}"
    elif what == "text":
        assert "recap rebuild" in read["refused"], f"the full text is damaged, and a reader says: {read}"
    elif what == "index":
        assert not read["refused"], f"a damaged index costs a question: {read['refused'][:300]}"
    if what in ("locks", "beside") and (written["refused"] or read["refused"]):
        return {"refused": 1, "made again": 0, "harmless": 0}
    assert not written["refused"], f"it was not made again: {written['refused'][:300]}"
    mended = any("rebuilt" in note for note in written["notes"]) or what == "text"
    if what == "index" and not mended:
        assert not read["notes"], f"a reader says {read['notes']}, and a writer mends nothing"
    if mended and what == "index":
        assert read["notes"], "the index was damaged, and a reader did not say so"
    after = given.driver.call(look, library, False)
    assert not after["refused"], f"after a writer it is refused: {after['refused'][:300]}"
    assert not after["notes"], f"after a writer the index is still not used: {after['notes']}"
    assert after["asked"] or what == "locks", "after a writer Chroma is not asked"
    assert status == 0, f"the command line fails: {said[-200:]}"
    return {"refused": 0, "made again": int(mended), "harmless": int(not mended)}


def _bytes(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def damage(n: int, shape: str, library: str, older: str) -> None:
    """In a process of its own: Chroma writes once more as it ends."""
    SHAPES[shape][1](random.Random(n), Path(library), Path(older))


def look(library: str, write: bool) -> dict[str, Any]:
    """Open it, search for everything that is in it, and say what was found; or why it was refused."""
    import rag.store.vectors
    from rag.errors import RecapError

    rag.store.vectors._SCANNED = -1  # Chroma is asked, as in a library that is too large to be scanned
    try:
        with opened(library, write=write) as handle:
            index = handle.index
            if write:
                consistent(handle)
            whole(handle)
            findable(handle)
            return {
                "refused": "",
                "notes": list(index.notes),
                "digest": digest(handle),
                "asked": index._collection is not None,
            }
    except RecapError as e:
        return {"refused": str(e), "notes": [], "digest": "", "asked": False}


def command(library: str) -> tuple[int, str]:
    """Run `recap articles`: its exit status, and what it says of what is wrong."""
    import io

    from rag.__main__ import run

    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        status = run(["--library", library, "articles"])
    return status, errors.getvalue().strip()


ROW = Row(
    name="corrupt",
    fault="damaged files: the library, its full text, Chroma's files, the seal, the locks; older copies put back",
    required="found when it is opened, said, made again (index, full text) or refused (library); no search is empty or incomplete",
    quick=5,
    full=60,
    case=case,
    around=around,
)
