"""The vector index: Chroma, derived from the library, probed on open and rebuilt when it is wrong.

A library of a year's news is scanned: Chroma is asked only where that would take too long.

A damaged index can kill the process that opens or asks it. So the writer breaks a seal before its first write and, when
it closes in good order, seals the files again: sizes, times, hashes. Files that are as they were sealed are trusted; a
graph that is not, or that no seal vouches for (the writer was killed), is never opened but made again from the library.
Chroma's own database changes at every opening: if only that differs, it is first opened and asked in a subprocess.
The seal and the library hold one mark, new with every seal: of an index or a library that was put back from a backup
without the other, the files are sound and the rows are not.
Even a reader's Chroma writes to its files when it opens, and a process that reads while another writes may see half a
file. So the writer holds `index.lock` for as long as it is open, and a reader that cannot share it, or that sees newer
rows than its index, scans the library's own vectors instead: the same answer, a few ms later.
Chroma is used directly and not through llama-index's `ChromaVectorStore`: that import costs a cold question 2 s, and it
would keep text and metadata a second time (5 times the bytes, a fifth of the speed).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rag.errors import LibraryError, LibraryLocked, RecapError
from rag.store.library import RESTORED

try:
    import fcntl
except ImportError:  # no such locks on this system: readers scan, the writer is alone by the library's own lock
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from rag.store.embed import Vectors
    from rag.store.library import Library

COLLECTION = "chunks"
DATABASE = "chroma.sqlite3"
LENGTHS, ROWS = "length.bin", "data_level0.bin"
_ELEMENTS, _ROW_BYTES = slice(20, 28), slice(28, 36)  # of the graph's header.bin: how many vectors, bytes a vector
States = dict[str, tuple[int, int, str | None]]  # file -> size, time, hash
# Chroma's own search_ef 100 and M 16 miss up to a fifth of the 50 nearest among like passages. Over 92,831 passages of
# news these miss 0.6 of 1,000 of the 10 nearest to a question; a construction_ef of 200 costs twice the time to build
# (1.0 ms a chunk) and misses 0.3.
_GRAPH = {"hnsw:space": "cosine", "hnsw:search_ef": 800, "hnsw:construction_ef": 100, "hnsw:M": 32}
_BATCH = 5000  # Chroma takes at most 5,461 rows at once
_PROBE_S = 60
# Over 100,000 vectors a scan takes 7 ms and misses nothing; Chroma takes 3 and misses some, and a process pays 2 s of CPU
# to import and load it. Below this many chunks nobody asks it.
_SCANNED = 150_000
_READERS_S = 5.0  # how long a writer waits for readers in mid-question
_MARK = "sealed"  # a key of the seal and of the library's `meta`; both hold the same word, or neither does
_State = Literal["missing", "unfinished", "damaged", "out of step", "touched", "sound"]
_opening = threading.Lock()


class VectorIndex:
    """Nearest chunks by cosine. Scans the library while it is small, and while the index is behind it."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.path = library.path.resolve() / "index"
        self.notes: list[str] = []
        self._collection: Any = None
        self._system: Any = None
        self._generation = -1  # of the library, when the index was last known to agree with it
        self._failed_at: int | None = None
        self._wrote = False
        self._doubtful = False
        self._guard = threading.Lock()
        self._held: int | None = None
        self._opened = False  # by a reader
        if library.writable:
            self._open_to_write()
        elif self._asked_for():
            self._open_to_read()

    # -- opening ---------------------------------------------------------------------------------------------------

    def _open_to_write(self) -> None:
        self._hold()
        try:
            state = self._state()
            if state == "sound":
                try:
                    self._connect()
                    self._seal_database()
                except LibraryError:
                    state = "damaged"
            if state != "sound":
                if self._library.rows("SELECT 1 FROM chunks LIMIT 1"):
                    self.notes.append(f"The vector index was {state} and has been rebuilt from the library.")
                self.rebuild()
            self.sync()
        except BaseException:
            self.close()
            raise

    def _open_to_read(self) -> None:
        self._opened = True
        if not self.path.exists():
            with self._shared() as alone:  # else a writer is just making it
                if alone and self._library.size and not self.path.exists():
                    self._say("The vector index is missing; searching without it. Run `recap rebuild`.")
            return
        library = self._library
        with self._shared() as alone:
            if not alone:
                return
            generation = library.generation
        state = self._state()  # not under the lock: a writer should not wait for a probe
        with self._shared() as alone:
            if not alone or library.generation != generation:
                return  # a writer is at work: what was just seen means nothing
            if state == "sound":
                self._connect_to_read()
            else:
                self._say(f"The vector index is {state}; searching without it. Run `recap rebuild`.")

    def _connect(self) -> None:
        import chromadb
        from chromadb.api.shared_system_client import SharedSystemClient

        try:
            with _opening:
                client = chromadb.PersistentClient(path=str(self.path), settings=_settings())
                # Chroma keeps one system per path for the life of the process: a rebuilt index would never be seen, and
                # closing one library would close another that is open on the same folder. Take ours out of its list.
                self._system = SharedSystemClient._identifier_to_system.pop(str(self.path), None)
                SharedSystemClient._identifier_to_refcount.pop(str(self.path), None)
            self._collection = client.get_or_create_collection(COLLECTION, embedding_function=None, metadata=_GRAPH)
        except Exception as e:
            self._disconnect()
            raise LibraryError(
                f"The vector index in {self.path} cannot be opened ({type(e).__name__}). Run `recap rebuild`."
            ) from e

    def _connect_to_read(self) -> bool:
        """Open the index if it agrees with the library's rows. Only while no writer can be at work."""
        library = self._library
        generation = library.generation
        behind = library.rows(
            "SELECT EXISTS (SELECT 1 FROM chunks WHERE indexed = 0), EXISTS (SELECT 1 FROM tombstones)"
        )[0]
        if behind[0] or behind[1] or library.meta(RESTORED) is not None:
            return False  # a killed ingest, or a backup put in place, left work for the next writer
        try:
            self._connect()
        except LibraryError:
            self._failed(generation)
            return False
        self._generation = generation
        self.notes.clear()
        self._seal_database()
        return True

    # -- searching -------------------------------------------------------------------------------------------------

    def search(self, vector: Vectors, *, limit: int, within: set[str] | None = None) -> list[tuple[str, float]]:
        """Return the `limit` chunks nearest to a unit vector: `(chunk_id, cosine)`, best first.

        `within` keeps to the chunks of these articles (an exact scan: a filter would cost an approximate index recall).
        """
        if within is None and limit > 0 and self._asked_for():
            return self.ask(vector, limit=limit)
        return self._library.search_exact(vector, limit=limit, within=within)

    def ask(self, vector: Vectors, *, limit: int) -> list[tuple[str, float]]:
        """Search as `search` does in a library that is too large to be scanned: by Chroma, unless it is behind."""
        self._open_once()
        found = self._query(vector, limit) if self._library.writable else self._query_shared(vector, limit)
        return found if found is not None else self._library.search_exact(vector, limit=limit)

    def _asked_for(self) -> bool:
        return self._opened or self._library.size > _SCANNED

    def _open_once(self) -> None:
        if not self._opened and not self._library.writable:
            with self._guard:
                if not self._opened:
                    self._open_to_read()

    def _query_shared(self, vector: Vectors, limit: int) -> list[tuple[str, float]] | None:
        with self._shared() as alone:
            if not alone:
                return None
            with self._guard:
                generation = self._library.generation
                if self._generation != generation:
                    # Another process wrote and is done. A sealed index opens in ms; one that is not waits for a probe.
                    if generation == self._failed_at or self._look() != "sound":
                        return None
                    self._disconnect()
                    if not self._connect_to_read():
                        return None
            return self._query(vector, limit)

    def _query(self, vector: Vectors, limit: int) -> list[tuple[str, float]] | None:
        """Ask Chroma; None when it cannot be trusted to know every row."""
        collection, generation = self._collection, self._library.generation
        if collection is None or self._generation != generation:
            return None
        try:
            n = collection.count()
            if n == 0:
                return []
            found = collection.query(query_embeddings=[vector.tolist()], n_results=min(limit, n), include=["distances"])
        except Exception:  # an index that fails in use is not worth a question: the library can answer
            if collection is self._collection:  # else another thread has just opened a newer one
                self._failed(generation)
            return None
        pairs = [(i, 1.0 - float(d)) for i, d in zip(found["ids"][0], found["distances"][0], strict=True)]
        return sorted(pairs, key=lambda p: (-round(p[1], 6), p[0]))

    def _failed(self, generation: int) -> None:
        self._disconnect()
        self._failed_at = generation
        self._break_seal()  # the next writer makes it anew
        self._say("The vector index failed; searching without it. Run `recap rebuild`.")

    def _say(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    # -- writing ---------------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Bring the index up to the library: drop what was removed, add what is pending. The library must be writable."""
        library = self._library
        if self._collection is None:
            raise LibraryError(f"The vector index in {self.path} is not open. Run `recap rebuild`.")
        gone = [r["chunk_id"] for r in library.rows("SELECT chunk_id FROM tombstones")]
        while pending := library.rows("SELECT id, vector FROM chunks WHERE indexed = 0 ORDER BY id LIMIT ?", (_BATCH,)):
            ids = [r["id"] for r in pending]
            vectors = np.stack([np.frombuffer(r["vector"], dtype=np.float32) for r in pending])
            with self._written():
                self._collection.upsert(ids=ids, embeddings=vectors)
            with library.transaction() as db:
                db.executemany("UPDATE chunks SET indexed = 1 WHERE id = ?", [(i,) for i in ids])
        if gone:
            alive = set(library.chunks_by_id(gone))  # removed and added again: it was upserted above
            dead = [i for i in gone if i not in alive]
            for at in range(0, len(dead), _BATCH):
                with self._written():
                    self._collection.delete(ids=dead[at : at + _BATCH])
            with library.transaction() as db:
                db.executemany("DELETE FROM tombstones WHERE chunk_id = ?", [(i,) for i in gone])
        self._generation = library.generation

    @contextmanager
    def _written(self) -> Iterator[None]:
        self._break_seal()
        if not self._wrote:  # a copy of the library that is made from now on is not of the index as it was sealed
            self._library.set_meta({_MARK: ""})
        self._wrote = True
        try:
            yield
        except Exception as e:
            self._doubtful = True  # a batch that Chroma refused has been seen to come back when it is opened again
            raise LibraryError(
                f"The vector index could not be written ({type(e).__name__}: {' '.join(str(e).split())[:120]}). "
                "The articles are safe in the library; free some disk space and run it again."
            ) from e

    def ids(self) -> set[str]:
        """Every chunk id in the index."""
        self._open_once()
        return set(self._collection.get(include=[])["ids"]) if self._collection is not None else set()

    def rebuild(self, *, change: Callable[[Any], None] | None = None) -> None:
        """Make the index again from the library's vectors. The library must be writable.

        `change(db)` may write new vectors in the transaction that marks all of them as not yet indexed.
        """
        self._disconnect()
        self._break_seal()
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path, ignore_errors=True)
        elif self.path.exists():
            self.path.unlink()
        with self._library.transaction() as db:
            if change:
                change(db)
            db.execute("UPDATE chunks SET indexed = 0")
            db.execute("DELETE FROM tombstones")
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, '')", (_MARK,))
            db.execute("DELETE FROM meta WHERE key = ?", (RESTORED,))
        self._connect()
        self._wrote, self._doubtful = True, False
        self.sync()

    def close(self) -> None:
        """Let go of Chroma; a writer seals what it wrote, unless a write failed."""
        opened, writable = self._collection is not None, self._library.writable
        as_sealed = opened and not self._wrote and self._look() == "sound"
        self._disconnect()
        if as_sealed:  # Chroma writes to its files once more as it stops
            with self._shared() if not writable else nullcontext(True) as alone:
                if alone and (writable or self._generation == self._library.generation) and self._look() == "touched":
                    self._seal_database()
        if opened and writable and self._wrote and not self._doubtful:
            mark = os.urandom(8).hex()
            with suppress(RecapError):  # a full disk: no seal, then
                self._library.set_meta({_MARK: mark})
                self._write_seal(_file_states(self.path, hashed=True), mark)
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def drop(self) -> None:
        """Let go of Chroma without a look at the files: they are another library's by now."""
        self._disconnect()

    def _disconnect(self) -> None:
        system, self._system, self._collection = self._system, None, None
        if system is not None:
            with suppress(Exception):  # stopped already
                system.stop()

    # -- one writer or many readers --------------------------------------------------------------------------------

    def _hold(self) -> None:
        """Keep readers off the index until `close`. Raises: LibraryLocked."""
        if fcntl is None:
            return
        try:
            held = os.open(self._library.path / "index.lock", os.O_RDWR | os.O_CREAT, 0o644)
            self._wanted.touch()  # else readers that take turns would keep a writer out for good
        except OSError as e:
            raise LibraryError(
                f"Cannot lock the index of {self._library.path}: {e.strerror}. Check the folder's permissions."
            ) from e
        until = time.monotonic() + _READERS_S
        try:
            while True:
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as e:
                    if time.monotonic() > until:
                        os.close(held)
                        raise LibraryLocked(
                            f"Another process does not let go of the index of {self._library.path}. Try again in a moment."
                        ) from e
                    time.sleep(0.01)
                else:
                    self._held = held
                    return
        finally:
            self._wanted.unlink(missing_ok=True)

    @property
    def _wanted(self) -> Path:
        return self._library.path / "index.wanted"

    @contextmanager
    def _shared(self) -> Iterator[bool]:
        """Tell whether no writer can touch the index for the length of the block."""
        if fcntl is None or self._wanted.exists():
            yield False
            return
        try:
            held = os.open(self._library.path / "index.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:  # a folder that may not be written
            yield False
            return
        try:
            try:
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
                alone = True
            except OSError:
                alone = False
            yield alone
        finally:
            os.close(held)

    # -- seal and probe --------------------------------------------------------------------------------------------

    @property
    def _seal(self) -> Path:
        return self._library.path / "index.seal"

    def _break_seal(self) -> None:
        with suppress(OSError):
            self._seal.unlink(missing_ok=True)

    def _write_seal(self, states: States, mark: str | None) -> None:
        try:
            scratch = self._seal.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
            scratch.write_text(json.dumps(states if mark is None else {**states, _MARK: mark}), encoding="utf-8")
            scratch.replace(self._seal)
        except OSError:
            self._break_seal()

    def _seal_database(self) -> None:
        """Chroma's database changed as a reader opened it; nobody else could have changed it since it was looked at."""
        try:
            states = json.loads(self._seal.read_text(encoding="utf-8"))
            mark = states.pop(_MARK, None)
        except (OSError, ValueError, AttributeError, TypeError):
            return
        # What a reader's Chroma writes again as it was keeps its hash; only its time is new.
        now = _file_states(self.path)
        fresh = {k: (*v[:2], "" if k == DATABASE else states[k][2]) for k, v in now.items() if k in states}
        if now.keys() == states.keys():
            self._write_seal(fresh, mark)

    def _look(self) -> _State:
        """Compare the files with their seal, and the seal with the library."""
        if not self.path.exists():
            return "missing"
        try:
            sealed = json.loads(self._seal.read_text(encoding="utf-8"))
            mark = sealed.pop(_MARK, None)
            then = {str(k): (int(size), int(changed), str(digest)) for k, (size, changed, digest) in sealed.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return "unfinished"
        if mark != self._library.meta(_MARK):
            return "out of step"
        now = _file_states(self.path)
        if now.keys() != then.keys():
            return "damaged"
        differ = [k for k in now if now[k][:2] != then[k][:2] and _digest(self.path / k) != then[k][2]]
        if differ and differ != [DATABASE]:
            return "damaged"
        return "touched" if differ else "sound"

    def _state(self) -> _State:
        """Compare the files with their seal, and ask in a subprocess where that leaves a doubt."""
        state = self._look()
        if state != "missing" and self._library.meta(RESTORED) is not None:
            return "unfinished"
        if state == "touched":
            return "sound" if self._probe() else "damaged"
        return state

    def _probe(self) -> bool:
        """Open the index in a subprocess and look for vectors that must be there."""
        rows = self._library.rows("SELECT id, vector FROM chunks WHERE indexed = 1 ORDER BY id")
        step = max(1, len(rows) // 12)
        known = [(r["id"], np.frombuffer(r["vector"], dtype=np.float32).tolist()) for r in rows[::step]]
        pending = {r["id"] for r in self._library.rows("SELECT id FROM chunks WHERE indexed = 0")}
        gone = {r["chunk_id"] for r in self._library.rows("SELECT chunk_id FROM tombstones")}
        task = {
            "path": str(self.path),
            "known": known,
            "least": len(rows),
            "most": len(rows) + len(pending) + len(gone),
        }
        try:
            done = subprocess.run(
                [sys.executable, "-m", "rag.store.vectors"],
                input=json.dumps(task).encode(),
                capture_output=True,
                timeout=_PROBE_S,
                check=False,
                cwd=Path(__file__).parents[2],
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


def altered(library: Library) -> list[str]:
    """Return the files of an index that are not, byte for byte, what its writer sealed.

    To read them all takes too long for every opening, which compares sizes and times. An index without a seal, or with
    another library's, is not looked at: it is made again as it is opened.
    """
    folder = library.path.resolve() / "index"
    try:
        sealed = json.loads((library.path / "index.seal").read_text(encoding="utf-8"))
        if sealed.pop(_MARK, None) != library.meta(_MARK):
            return []
        # a reader that opened Chroma's database has left no hash of it
        return [str(k) for k, (_, _, digest) in sealed.items() if digest and _digest(folder / k) != digest]
    except (OSError, ValueError, TypeError, AttributeError):
        return []


def _file_states(folder: Path, *, hashed: bool = False) -> States:
    """Sizes, times and hashes of the index's files; what SQLite makes and unmakes on its own is left out."""
    return {
        str(p.relative_to(folder)): (
            s.st_size,
            s.st_mtime_ns,
            _digest(p) if hashed else "",
        )
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.name.endswith(("-wal", "-shm", "-journal")) and (s := p.stat())
    }


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as f:
            if path.name in (LENGTHS, ROWS):  # only what is in use: the rest of these is memory that was never set
                header = path.with_name("header.bin").read_bytes()
                size = 4 if path.name == LENGTHS else int.from_bytes(header[_ROW_BYTES], "little")
                used = int.from_bytes(header[_ELEMENTS], "little") * size
                return hashlib.sha256(f.read(min(used, path.stat().st_size))).hexdigest()
            return hashlib.file_digest(f, "sha256").hexdigest()
    except OSError:
        return None


def _settings() -> Any:
    from chromadb.config import Settings

    return Settings(
        _env_file=None, anonymized_telemetry=False, allow_reset=False
    )  # no .env of whoever's folder this is


def probe(path: str, known: Sequence[tuple[str, list[float]]], *, least: int, most: int) -> bool:
    """Tell whether the index at `path` holds and finds what it must. May kill the process: run it in one of its own."""
    import chromadb

    client = chromadb.PersistentClient(path=path, settings=_settings())
    collection = client.get_collection(COLLECTION, embedding_function=None)
    if not least <= collection.count() <= most:
        return False
    for chunk_id, vector in known:
        found = collection.query(query_embeddings=[vector], n_results=5, include=["distances"])
        ids, distances = found["ids"][0], found["distances"][0]
        if chunk_id not in ids and not (distances and distances[-1] < 1e-4):  # more than 5 equal texts
            return False
    return True


if __name__ == "__main__":
    task = json.load(sys.stdin)
    try:
        sys.exit(0 if probe(task["path"], task["known"], least=task["least"], most=task["most"]) else 3)
    except Exception:
        sys.exit(4)
