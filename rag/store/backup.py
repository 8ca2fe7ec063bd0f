"""A library in one file and back: `recap backup`, `recap restore`.

A backup is a library file itself, made by SQLite's `VACUUM INTO`: one state of the library however many processes write
meanwhile, without the pages that removed articles left behind, and nothing beside it that could be forgotten. What else
lies in the library's folder and cannot be made again (feedback, uploaded files) is a table of it, and a digest over all
rows says whether it still is what was written. Put in the place of a library's file by hand it is that library; the
vector index, which is derived, is made anew by whoever writes first. What it does not know: when to make one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path

from rag.config import Config
from rag.errors import LibraryCorrupt, LibraryError, LibraryLocked, LibraryMissing
from rag.store.library import BESIDE, FILE, RESTORED, RESTORING, SCHEMA, VERSION, Library, connect, take_lock

FEEDBACK, UPLOADS = "feedback.jsonl", "uploads"  # of rag.feedback and ui.adding: what cannot be made again
PART = ".part"  # a folder beside what is being made; nothing stands under the final name before it is verified
SCRATCH = RESTORING
# What a run that was killed can have left in its scratch folder; the lock last, it says that the rest is ours.
_BACKUP_LEFT = (FILE, *(FILE + rest for rest in BESIDE), "writer.lock")
_RESTORE_LEFT = (*_BACKUP_LEFT, "index", FEEDBACK, UPLOADS)  # and what begins with "index."
_DATABASE = "chroma.sqlite3"  # of rag.store.vectors: what makes a folder `index` one of ours
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PRIVATE = 0o600  # a library holds what people asked and uploaded
_INSTRUCTIONS = 50_000  # of SQLite's machine between two looks at how far it is: some ms
_COPIED = 4 << 20  # bytes at once
_KEPT = "CREATE TABLE kept (name TEXT PRIMARY KEY, content BLOB NOT NULL)"
_KEPT_SCHEMA = {("table", "kept", _KEPT), ("index", "sqlite_autoindex_kept_1", "")}
# The order is part of the digest. `indexed` is of the vector index, `backup` is where the digest stands.
_ROWS = (
    f"SELECT key, value FROM meta WHERE key != '{RESTORED}' ORDER BY key",
    "SELECT * FROM articles ORDER BY id",
    "SELECT * FROM article_events ORDER BY article_id, key, edition, main",
    "SELECT * FROM bands ORDER BY key, article_id",
    "SELECT * FROM copies ORDER BY a, b",
    "SELECT n, id, article_id, start, end, kind, header, text, vector FROM chunks ORDER BY n",
    "SELECT * FROM kept ORDER BY name",
)
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made or restored. `when` is UTC, ISO 8601 ("" for a library file that is no backup).

    `beside` are the files beside the library that it holds, `aside` what a restored library replaced and where it is kept.
    """

    file: Path
    articles: int
    chunks: int
    size: int
    when: str = ""
    beside: tuple[str, ...] = ()
    aside: tuple[Path, ...] = ()


def backup(library: Library, file: Path, *, force: bool = False, progress: Progress | None = None) -> Backup:
    """Write the library to `file`, verified, while other processes may go on writing to it.

    `progress(what, share)` is told what is being done and how much of it is done, 0 to 1. An existing file is replaced
    only with `force`. Raises: LibraryError (then there is nothing new under any name), LibraryCorrupt.
    """
    tell = progress or _silent
    _check_place(library.path, file, force=force)
    part = file.with_name(file.name + PART)
    damaged = f"The library {library.path} is damaged, and no backup was made. Run `recap doctor --mend`."
    with _told(file, damaged), _scratch(part, library.path):
        made = part / FILE
        _copy_rows(library.path / FILE, made, tell)
        tell("Keeping what lies beside", 0.0)
        beside = _take_along(library.path, made)
        tell("Verifying", 0.0)
        found = _verified(made, library.path, kept=True)
        made.chmod(_PRIVATE)
        _sync(made)
        if force:
            os.replace(made, file)
        else:
            _place(made, file)
        _sync(file.parent)
    return replace(found, file=file, beside=tuple(beside))


def restore(config: Config, file: Path, *, force: bool = False, progress: Progress | None = None) -> Backup:
    """Make the library at `config.library` from a backup; its vector index is made anew from its rows.

    The backup is copied beside, verified and made ready before anything is touched. A library that is there is replaced
    only with `force`, and kept under the names that are returned. `progress` as in `backup`.
    Raises: LibraryMissing (no such backup), LibraryCorrupt (the backup is damaged), LibraryLocked, LibraryError.
    """
    tell = progress or _silent
    folder = config.library
    _check_backup(file)
    _check_folder(folder, force=force)
    made = [p for p in (folder, *folder.parents) if not p.exists()]
    locked = (folder / "writer.lock").exists()
    try:
        with _told(folder, f"{file} is damaged. Nothing was changed. Restore another backup, or ingest again."):
            folder.mkdir(parents=True, exist_ok=True)
            lock = take_lock(folder)
            try:
                _sweep(folder / SCRATCH, file)
            except BaseException:
                lock.release()
                raise
            try:
                return _restore(config, file, tell)
            finally:
                shutil.rmtree(folder / SCRATCH, ignore_errors=True)
                lock.release()
    except BaseException:
        if not locked:
            (folder / "writer.lock").unlink(missing_ok=True)
        for p in made:
            with suppress(OSError):
                p.rmdir()
        raise


def _restore(config: Config, file: Path, tell: Progress) -> Backup:
    folder, scratch = config.library, config.library / SCRATCH
    scratch.mkdir(mode=0o700)
    _copy_file(file, scratch / FILE, tell)
    tell("Verifying", 0.0)
    found = _verified(scratch / FILE, file, kept=False)
    tell("Making the index", 0.0)
    beside = _take_out(scratch / FILE, scratch, older=_generation(folder / FILE))
    with Library.open(replace(config, library=scratch), write=True) as library:
        library.index.sync()
    _sync(scratch / FILE)

    with _taken_back() as moves:
        aside = _swap(folder, scratch, beside, moves)
    for name in ("index", "index.seal"):
        if (scratch / name).exists():
            with suppress(OSError):  # derived: the next writer makes it again
                (scratch / name).rename(folder / name)
    _sync(folder)
    return replace(found, file=folder / FILE, beside=tuple(beside), aside=tuple(aside))


def _swap(folder: Path, scratch: Path, beside: Sequence[str], moves: _Moves) -> list[Path]:
    """Put what was restored in the place of what is there; return under what names that is kept."""
    file = folder / FILE
    stamp = _free_stamp([folder / name for name in (FILE, "index", *beside)])
    aside: list[Path] = []
    if (folder / "index.seal").exists():
        moves.rename(folder / "index.seal", scratch / "index.seal.old")
    if (folder / "index" / _DATABASE).is_file():
        moves.rename(folder / "index", scratch / "index.old")
    elif os.path.lexists(folder / "index"):  # not made by us, as far as can be told
        aside.append(moves.rename(folder / "index", _aside(folder / "index", stamp)))
    for name in (FILE, *beside):  # never open to more people than what it replaces
        there = (folder / name).is_file()
        (scratch / name).chmod(stat.S_IMODE((folder / name).stat().st_mode) if there else _PRIVATE)
    for name in beside:
        new, old = scratch / name, folder / name
        if not old.parent.exists():
            old.parent.mkdir()
            moves.made(old.parent)
        if old.exists() and old.read_bytes() == new.read_bytes():
            continue
        if os.path.lexists(old):
            aside.append(moves.rename(old, _aside(old, stamp)))
        moves.rename(new, old)
    if file.exists():
        # Under both names until it is replaced: whenever this is killed, there is a library.
        _write_log(file)
        aside.insert(0, moves.link(file, _aside(file, stamp)))
    for rest in BESIDE:  # what the old file may still need, under its new name
        if os.path.lexists(folder / (FILE + rest)):
            moves.rename(folder / (FILE + rest), folder / (_aside(file, stamp).name + rest))
    os.replace(scratch / FILE, file)  # from here on it is the library
    return aside


class _Moves:
    """What was moved, and how to take it back: (what stands where it should not, what undoes that)."""

    def __init__(self) -> None:
        self.undo: list[tuple[Path, Callable[[], object]]] = []

    def rename(self, old: Path, new: Path) -> Path:
        """Give a file or folder a name that is free."""
        old.rename(new)
        self.undo.append((new, lambda: new.rename(old)))
        return new

    def link(self, old: Path, new: Path) -> Path:
        """Give a file a second name, or a copy under it on a disk without links."""
        self.undo.append((new, lambda: new.unlink(missing_ok=True)))
        try:
            os.link(old, new)
        except OSError:
            shutil.copy2(old, new)
            _sync(new)
        return new

    def made(self, folder: Path) -> None:
        """Remember a folder that was made."""
        self.undo.append((folder, folder.rmdir))


@contextmanager
def _taken_back() -> Iterator[_Moves]:
    """Undo all that was moved in a block that fails, the last first. Raises: LibraryError when that fails as well."""
    moves = _Moves()
    try:
        yield moves
    except BaseException as e:
        left = []
        for path, undo in reversed(moves.undo):
            try:
                undo()
            except OSError:
                left.append(path)
        if left:
            why = _reason(e) if isinstance(e, OSError) else str(e) or "it was stopped"
            names = ", ".join(map(str, left))
            raise LibraryError(
                f"The restore failed ({why}), and not all could be put back: {names}. "
                "Give what is called .before- its old name, or restore again."
            ) from e
        raise


def _write_log(file: Path) -> None:
    """Bring what stands in a library's log into its file, as far as that can be done."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(file, isolation_level=None, timeout=5)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# --- what may be written where ----------------------------------------------------------------------------------------


def _check_place(library: Path, file: Path, *, force: bool) -> None:
    if file.is_dir():
        raise LibraryError(f"{file} is a folder. Name a file in it, as {file / 'recap.backup'}.")
    if not file.parent.is_dir():
        raise LibraryError(f"There is no folder {file.parent}. Make it, or name a file elsewhere.")
    if file.parent.resolve().is_relative_to(library.resolve()):
        raise LibraryError(f"{file} lies in the library's own folder and would be lost with it. Name a file elsewhere.")
    if os.path.lexists(file) and not (file.is_file() or file.is_symlink()):
        raise LibraryError(f"{file} is no regular file. Name another.")
    for rest in (file.with_name(file.name + rest) for rest in BESIDE):
        if os.path.lexists(rest):  # SQLite would take it for the backup's, and write it into it
            raise LibraryError(f"{rest} stands beside it, left by another file. Remove it, or name another file.")
    if os.path.lexists(file) and not force:
        raise LibraryError(f"{file} is there already and was left as it is. Name another, or add --force.")


def _check_backup(file: Path) -> None:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise LibraryMissing(f"{file} is no file. Name a backup that `recap backup` made.")
        with file.open("rb") as f:
            head = f.read(16)
    except FileNotFoundError as e:
        raise LibraryMissing(f"There is no backup at {file}. Name a file that `recap backup` made.") from e
    except OSError as e:
        raise LibraryError(f"The backup {file} cannot be read: {_reason(e)}. Check its permissions.") from e
    if head != b"SQLite format 3\0":
        raise LibraryCorrupt(
            f"{file} is no backup of Recap. Nothing was changed. Name a file that `recap backup` made."
        )


def _check_folder(folder: Path, *, force: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise LibraryError(f"{folder} is a file. Name a folder with --library.")
    try:
        inside = {p.name for p in folder.iterdir()} - {"writer.lock"}
    except OSError as e:
        raise LibraryError(f"The folder {folder} cannot be read: {_reason(e)}. Check its permissions.") from e
    if inside and not force:
        raise LibraryError(
            f"The folder {folder} is not empty and was left as it is. Name another with --library, "
            "or add --force: the library that is there is then kept under another name."
        )
    if inside and not _is_library(folder):
        raise LibraryError(f"The folder {folder} holds other things than a library. Name another with --library.")


def _is_library(folder: Path) -> bool:
    """Tell whether a folder is, or was, a library: a lock alone proves nothing, nor does somebody's folder `index`."""
    locked = (folder / "writer.lock").exists()
    was = (folder / SCRATCH).is_dir() or (folder / "index" / _DATABASE).is_file()
    return (folder / FILE).exists() or any(folder.glob(f"{FILE}.before-*")) or (locked and was)


@contextmanager
def _scratch(part: Path, library: Path) -> Iterator[None]:
    """Make a folder, ours alone, and take it away in the end; what a killed backup left in it goes first."""
    _check_scratch(part, library)
    part.mkdir(mode=0o700, exist_ok=True)
    try:
        lock = take_lock(part)
    except LibraryLocked as e:
        raise LibraryLocked(f"Another process is making a backup in {part}. Wait until it is done.") from e
    try:
        for name in _BACKUP_LEFT[:-1]:
            (part / name).unlink(missing_ok=True)
        yield
    finally:
        with suppress(OSError):  # no more than our own: what somebody put there meanwhile stays
            for name in _BACKUP_LEFT:
                (part / name).unlink(missing_ok=True)
            part.rmdir()
        lock.release()


def _check_scratch(part: Path, library: Path) -> None:
    """Refuse a scratch folder that is not a backup's own. Raises: LibraryError, OSError."""
    name = part.name.removesuffix(PART)
    advice = f"A backup to {name} is made there first. Name another file, or move {part} away."
    if part.is_symlink():
        raise LibraryError(f"{part} is a link and was left as it is. {advice}")
    if library.resolve().is_relative_to(part.resolve()):
        raise LibraryError(f"{part} holds the library itself and was left as it is. {advice}")
    inside = {p.name for p in part.iterdir()} if part.is_dir() else set()
    if not inside <= set(_BACKUP_LEFT) or (inside and "writer.lock" not in inside) or _keeps_log(part / FILE):
        raise LibraryError(f"{part} holds other things than a stopped backup and was left as it is. {advice}")


def _sweep(scratch: Path, file: Path) -> None:
    """Remove what a killed restore left. Raises: LibraryError when it is not that, or holds what is to be restored."""
    if scratch.is_symlink():
        raise LibraryError(f"{scratch} is a link and was left as it is. Move it away, then restore again.")
    if file.resolve().is_relative_to(scratch.resolve()):
        raise LibraryError(f"{file} lies where restoring works. Move it elsewhere, then restore it from there.")
    inside = [p.name for p in scratch.iterdir()] if scratch.is_dir() else []
    if others := [name for name in inside if name not in _RESTORE_LEFT and not name.startswith("index.")]:
        what = f"{scratch} holds other things than a stopped restore ({sorted(others)[0]})"
        raise LibraryError(f"{what} and was left as it is. Move it away, then restore again.")
    shutil.rmtree(scratch, ignore_errors=True)


def _keeps_log(file: Path) -> bool:
    """Tell whether a file is a library that was written to: a backup in the making has no log (SQLite's header, byte 18)."""
    try:
        with file.open("rb") as f:
            return f.read(19)[18:] == b"\x02"
    except FileNotFoundError:
        return False


def _place(made: Path, file: Path) -> None:
    """Give a file its name unless there is one of that name. Raises: LibraryError, OSError."""
    try:
        os.link(made, file)  # unlike a rename it fails when somebody was quicker
    except FileExistsError as e:
        raise LibraryError(f"{file} is there already and was left as it is. Name another, or add --force.") from e
    except OSError:  # a disk without links
        if os.path.lexists(file):
            raise
        made.rename(file)


def _free_stamp(paths: Sequence[Path]) -> str:
    """Return the time as a part of names under which none of these was put aside yet."""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    stamps = (f"{now}-{n}" if n > 1 else now for n in count(1))
    return next(
        s for s in stamps if not any(os.path.lexists(f"{_aside(p, s)}{rest}") for p in paths for rest in ("", *BESIDE))
    )


def _aside(path: Path, stamp: str) -> Path:
    return path.with_name(f"{path.name}.before-{stamp}")


# --- rows -------------------------------------------------------------------------------------------------------------


def _copy_rows(source: Path, made: Path, tell: Progress) -> None:
    with closing(connect(source)) as db:
        pages, free = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
        whole = max(1, (pages - free) * db.execute("PRAGMA page_size").fetchone()[0])

        def look() -> None:
            with suppress(OSError):
                tell("Copying", min(1.0, made.stat().st_size / whole))

        db.set_progress_handler(look, _INSTRUCTIONS)  # and where Ctrl+C is heeded
        db.execute("VACUUM INTO ?", (str(made),))


def _take_along(folder: Path, made: Path) -> list[str]:
    """Put what lies beside a library into its copy, mend the full text where it is wrong, and sign it all."""
    with closing(_own(made)) as db:
        db.execute("DROP TABLE IF EXISTS kept")  # of a backup that was put in place by hand
        db.execute(_KEPT)
        names = []
        for path in _beside(folder):
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # removed since
                continue
            if path.name == FEEDBACK:
                content = content[: content.rfind(b"\n") + 1]  # a line that is just being written has no end yet
            names.append(str(path.relative_to(folder)))
            db.execute("INSERT INTO kept VALUES (?, ?)", (names[-1], content))
        _mend_full_text(db)
        said = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "digest": _digest(db)}
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (RESTORED, json.dumps(said)))
        return names


def _mend_full_text(db: sqlite3.Connection) -> None:
    try:
        db.execute("INSERT INTO chunks_fts(chunks_fts, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError:
        db.execute("INSERT INTO chunks_fts(chunks_fts) VALUES ('rebuild')")


def _beside(folder: Path) -> list[Path]:
    uploads = folder / UPLOADS
    inside = sorted(uploads.iterdir()) if uploads.is_dir() else []
    found = [folder / FEEDBACK, *(p for p in inside if not p.name.startswith("."))]
    return [p for p in found if p.is_file() and not p.is_symlink()]


def _take_out(made: Path, scratch: Path, *, older: int) -> list[str]:
    """Write the files that a backup holds beside it, and count a generation that no reader has seen of either."""
    names = []
    with closing(_own(made)) as db:
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept'").fetchone():
            for name, content in db.execute("SELECT name, content FROM kept ORDER BY name"):
                if name != FEEDBACK and (name.count("/") != 1 or not name.startswith(f"{UPLOADS}/") or "/." in name):
                    raise LibraryCorrupt(f"The backup would write {name!r}, which is no file of a library.")
                (scratch / name).parent.mkdir(exist_ok=True)
                with (scratch / name).open("wb") as f:
                    f.write(content)
                    os.fsync(f.fileno())
                names.append(name)
            db.execute("DROP TABLE kept")
        _mend_full_text(db)
        db.execute("UPDATE meta SET value = CAST(value AS INTEGER) + ? WHERE key = 'generation'", (older + 1,))
        db.execute("INSERT OR IGNORE INTO meta VALUES (?, '{}')", (RESTORED,))
    return names


def _verified(made: Path, source: Path, *, kept: bool) -> Backup:
    """Return what a library file holds; `source` is what to name when it is not sound. Raises: LibraryCorrupt."""
    advice = (
        "No backup was made. Run `recap doctor --mend`."
        if kept
        else "Nothing was changed. Restore another backup, or ingest again."
    )
    try:
        with closing(_own(made)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                what = f"was made by a newer version of Recap (it says {version}, not {VERSION})"
                raise LibraryCorrupt(f"{source} {what}. Nothing was changed. Update Recap, then run it again.")
            if version != VERSION:
                what = f"is not of this version of Recap (it says {version}, not {VERSION})"
                raise LibraryCorrupt(f"{source} {what}. {advice}")
            if _schema(db) - _KEPT_SCHEMA != _own_schema():
                raise LibraryCorrupt(f"{source} is damaged: its tables are not those of a library. {advice}")
            said = dict(db.execute("SELECT key, value FROM meta").fetchall())
            signed = json.loads(said.get(RESTORED, "{}"))
            if int(said["generation"]) < 0 or (signed.get("digest") and signed["digest"] != _digest(db)):
                raise LibraryCorrupt(f"{source} is damaged: it is not what was written. {advice}")
        with closing(Library(Config(library=made.parent), lock=None)) as library:
            if (wrong := library.integrity()) != "ok":
                raise LibraryCorrupt(f"{source} is damaged ({wrong}). {advice}")
            n = library.counts()
    except LibraryCorrupt as e:
        if str(e).startswith(str(source)):
            raise
        raise LibraryCorrupt(f"{source} is damaged. {advice}") from e
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError, AttributeError) as e:
        if isinstance(e, sqlite3.OperationalError) and "no such" not in str(e):
            raise
        raise LibraryCorrupt(f"{source} is damaged. {advice}") from e
    return Backup(made, n["articles"], n["chunks"], made.stat().st_size, when=str(signed.get("when", "")))


def _schema(db: sqlite3.Connection) -> set[tuple[str, str, str]]:
    """Return the tables, indexes and triggers of a file: (type, name, SQL)."""
    rows = db.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    return {(str(kind), str(name), " ".join(str(sql or "").split())) for kind, name, sql in rows}


@cache
def _own_schema() -> frozenset[tuple[str, str, str]]:
    """What a library consists of. A trigger or a view of somebody's would run as the file is read, and do what it likes."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(SCHEMA)
        return frozenset(_schema(db))


def _own(file: Path) -> sqlite3.Connection:
    """Open a file that nobody else knows yet: it is thrown away if anything fails, and made durable at the end."""
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("PRAGMA synchronous=OFF")
    db.execute("PRAGMA temp_store=MEMORY")
    return db


def _digest(db: sqlite3.Connection) -> str:
    """Return the SHA-256 of all rows, but for what is derived."""
    digest = hashlib.sha256()
    before, db.text_factory = db.text_factory, bytes
    try:
        for sql in _ROWS[:-1] if not _holds_kept(db) else _ROWS:
            digest.update(sql.encode())
            for row in db.execute(sql):
                for value in row:
                    data = value if isinstance(value, bytes) else str(value).encode()
                    digest.update(b"%d:" % len(data))
                    digest.update(data)
    finally:
        db.text_factory = before
    return digest.hexdigest()


def _holds_kept(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept'").fetchone() is not None


def _generation(file: Path) -> int:
    """The generation of a library that is to be replaced, 0 when it cannot be told."""
    if not file.is_file():
        return 0
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0])
    except (sqlite3.Error, TypeError, ValueError):
        return 0


# --- files ------------------------------------------------------------------------------------------------------------


def _copy_file(source: Path, made: Path, tell: Progress) -> None:
    """Copy a library file, with the log that stands beside one that is (or was) in use."""
    for rest in ("", "-wal"):
        old = source.with_name(source.name + rest)
        if rest and not old.is_file():
            continue
        whole = max(1, old.stat().st_size)
        with old.open("rb") as f, made.with_name(made.name + rest).open("wb") as out:
            while part := f.read(_COPIED):
                out.write(part)
                tell("Copying", min(1.0, out.tell() / whole))


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():  # some systems do not sync a folder
            raise
    finally:
        os.close(handle)


@contextmanager
def _told(place: Path, damaged: str) -> Iterator[None]:
    """Say in a sentence why something cannot be written at `place`, or that what is read is `damaged`."""
    try:
        yield
    except OSError as e:
        if e.errno in _FULL:
            raise _no_room(place) from e
        raise LibraryError(f"{place} cannot be written: {_reason(e)}. Check its folder, or name another.") from e
    except sqlite3.OperationalError as e:
        said = str(e)
        if "interrupted" in said:  # what is raised where SQLite tells of its progress ends it, and is lost there
            raise KeyboardInterrupt from e
        if "full" in said:
            raise _no_room(place) from e
        raise LibraryError(f"{place} cannot be written: {said}. Check the disk, then run it again.") from e
    except sqlite3.DatabaseError as e:
        raise LibraryCorrupt(damaged) from e


def _no_room(place: Path) -> LibraryError:
    return LibraryError(f"The disk is full: {place} was not written. Free some space there, or name another place.")


def _reason(e: OSError) -> str:
    return (e.strerror or str(e)).lower()


def _silent(what: str, share: float) -> None:
    pass
