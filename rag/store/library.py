"""The library: articles, chunks, full text and vectors in one SQLite file, the source of truth.

Every row that was acknowledged is durable (`synchronous=FULL`); the Chroma index beside it is derived and can be made
again from here at any time. One process writes at a time (a lock file), any number read. What it does not know: files,
web pages, embedding, ranking.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.config import Config
from rag.errors import EmbedError, LibraryCorrupt, LibraryError, LibraryLocked, LibraryMissing, ReaderModelError
from rag.store.fulltext import COLUMNS, TOKENIZE, FullText, best
from rag.types import Article, Chunk, Event

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from rag.model.reader import ReaderModel
    from rag.store.embed import Embedder, Vectors
    from rag.store.vectors import VectorIndex

FILE = "library.sqlite3"
VERSION = 2
RESTORED = "backup"  # a key of `meta`: this file was put in place, and what index stands beside it is not of it
BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a file, by the end of its name
RESTORING = "restore.part"  # a folder in a library's: where a restore works
SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE articles (
    id TEXT PRIMARY KEY, source TEXT NOT NULL UNIQUE, url TEXT, text TEXT NOT NULL,
    own_title TEXT, title TEXT NOT NULL, authors TEXT NOT NULL, outlet TEXT,
    own_published TEXT, published TEXT, lent INTEGER NOT NULL,
    events TEXT NOT NULL, cluster TEXT NOT NULL, content_key TEXT NOT NULL, derived_key TEXT NOT NULL);
CREATE INDEX articles_cluster ON articles(cluster);
CREATE INDEX articles_url ON articles(url);
CREATE TABLE article_events (
    article_id TEXT NOT NULL REFERENCES articles(id) ON DELETE CASCADE, key TEXT NOT NULL, edition TEXT, main INTEGER NOT NULL);
CREATE INDEX article_events_article ON article_events(article_id);
CREATE INDEX article_events_key ON article_events(key, edition);
CREATE TABLE bands (key TEXT NOT NULL, article_id TEXT NOT NULL REFERENCES articles(id) ON DELETE CASCADE);
CREATE INDEX bands_key ON bands(key);
CREATE INDEX bands_article ON bands(article_id);
CREATE TABLE copies (a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY (a, b));
CREATE TABLE chunks (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, article_id TEXT NOT NULL REFERENCES articles(id),
    start INTEGER NOT NULL, end INTEGER NOT NULL, kind TEXT NOT NULL, header TEXT NOT NULL, text TEXT NOT NULL,
    vector BLOB NOT NULL, indexed INTEGER NOT NULL DEFAULT 0);
CREATE INDEX chunks_article ON chunks(article_id);
CREATE INDEX chunks_pending ON chunks(indexed) WHERE indexed = 0;
CREATE TABLE tombstones (chunk_id TEXT PRIMARY KEY);
CREATE VIRTUAL TABLE chunks_fts USING fts5(
    {", ".join(COLUMNS)}, content='chunks', content_rowid='n', tokenize="{TOKENIZE}");
CREATE TRIGGER chunks_added AFTER INSERT ON chunks BEGIN
    INSERT INTO chunks_fts(rowid, header, text) VALUES (new.n, new.header, new.text); END;
CREATE TRIGGER chunks_removed AFTER DELETE ON chunks BEGIN
    INSERT INTO chunks_fts(chunks_fts, rowid, header, text) VALUES ('delete', old.n, old.header, old.text);
    INSERT OR IGNORE INTO tombstones VALUES (old.id); END;
"""
_QUICK_CHECK_BYTES = 64 << 20
_CACHE_KIB = 32 << 10  # of a connection at most: with SQLite's own 2 MB, half of a search goes into reading pages again
KEPT_CHARACTERS = 8_000_000  # of articles that are kept parsed: some 1,500
_CHUNK = "id, article_id, start, end, kind, header, text"


@dataclass(frozen=True, slots=True)
class Stored:
    """An article with what is not part of its public face: its own metadata before any was lent, and its keys."""

    article: Article
    own_title: str | None
    own_published: date | None
    content_key: str
    derived_key: str


@dataclass(slots=True)
class _Kept:
    """Articles that were read lately, so that a question does not parse again what the one before has parsed."""

    generation: int
    articles: dict[str, Article] = field(default_factory=dict)
    characters: int = 0


class Library:
    """An open library. Reading is safe from many threads; open it with `write=True` to change it."""

    def __init__(self, config: Config, *, lock: BaseFileLock | None, embedder: Embedder | None = None) -> None:
        self.config = config
        self.path = Path(config.library)
        self._lock = lock
        self._local = threading.local()
        self._connections: dict[threading.Thread, sqlite3.Connection] = {}
        self._guard = threading.RLock()
        self._given = embedder
        self._embedder: Embedder | None = None
        self._index: VectorIndex | None = None
        self._reader: ReaderModel | None = None
        self.reader_fault: str | None = "" if config.reader == "rules" else None  # None: not tried yet
        self._events: tuple[int, list[tuple[Event, int]]] | None = None
        self._matrix: tuple[int, str, list[str], Vectors] | None = None  # generation, embedder, ids, vectors
        self._full_text: FullText | None = None
        self._size: tuple[int, int] | None = None
        self._articles: _Kept | None = None
        self._known: tuple[int, ...] | None = None  # which file it was that was opened

    @classmethod
    def open(
        cls,
        config: Config,
        *,
        write: bool = False,
        create: bool = False,
        embedder: Embedder | None = None,
        verify: bool = True,
    ) -> Library:
        """Open the library at `config.library`; `create` makes it when there is none, and opens it for writing.

        `embedder` stands in for the model that the configuration names. Without `verify` rows that are damaged are let
        pass, for who means to mend them.

        Raises: LibraryMissing, LibraryLocked (another process writes), LibraryCorrupt (damaged: refused).
        """
        file = config.library / FILE
        if not file.is_file():
            _check_unfinished(config.library)
            if (config.library / "index").exists():
                raise LibraryCorrupt(
                    f"The library in {config.library} has an index but no {FILE}. Put the file back from a backup "
                    "(`recap restore FILE --force`), or remove the folder and ingest again."
                )
            if not create:
                raise LibraryMissing(
                    f"There is no library at {config.library}. Make one with `recap ingest PATH_OR_URL`, "
                    "or name another with --library."
                )
        lock = None
        if write or create:
            try:
                config.library.mkdir(parents=True, exist_ok=True)
            except OSError as e:
                raise LibraryError(
                    f"Cannot make the library folder {config.library}: {e.strerror}. Choose another."
                ) from e
            lock = take_lock(config.library)
        library = cls(config, lock=lock, embedder=embedder)
        try:
            if create and not file.is_file():
                library._create()
            library._check(verify=verify)
        except BaseException:
            library.close()
            raise
        return library

    def _create(self) -> None:
        scratch = self.path / f"{FILE}.new"
        for leftover in self.path.glob(f"{FILE}.new*"):
            leftover.unlink()
        with _translated(self.path):
            connection = sqlite3.connect(scratch, isolation_level=None)
            try:
                connection.executescript(
                    f"PRAGMA page_size=8192; PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; BEGIN; {SCHEMA} "
                    f"INSERT INTO meta VALUES ('generation', '0'); PRAGMA user_version={VERSION}; COMMIT;"
                )
            finally:
                connection.close()
            now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
            for rest in BESIDE:  # of a file that is gone: SQLite would write them into this one
                with suppress(FileNotFoundError):
                    (self.path / (FILE + rest)).rename(self.path / f"{FILE}{rest}.before-{now}")
            scratch.rename(self.path / FILE)  # never a half-made library, even after kill -9

    def _check(self, *, verify: bool) -> None:
        file = self.path / FILE
        with _translated(self.path):
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise LibraryCorrupt(
                    f"The library {file} was made by a newer version of Recap (it says {version}, not {VERSION}). "
                    "Update Recap; if it is up to date, put a backup in its place (`recap restore FILE --force`)."
                )
            if version != VERSION:
                raise LibraryCorrupt(
                    f"The file {file} is not a library of this version of Recap (it says {version}, not {VERSION}). "
                    "Put it back from a backup (`recap restore FILE --force`), or remove the folder and ingest again."
                )
            small = verify and file.stat().st_size <= _QUICK_CHECK_BYTES
            if small and (said := self.integrity()) != "ok":
                raise _corrupt(self.path, said)
            try:
                int(self._db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0])
            except (TypeError, ValueError) as e:
                raise _corrupt(self.path) from e
            if self._lock is not None:  # kept in the file from then on; not before it is known to be a library
                self._db.execute("PRAGMA journal_mode=WAL")
            if small:
                self._check_full_text()

    @property
    def _db(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None and not connection.in_transaction and self._local.state != _state(self.path / FILE):
            # Every thread closes its own: another's may be in use. What was read of the old file is of no use to any.
            connection.close()
            connection = self._local.connection = None
        if connection is None:
            state = _state(self.path / FILE)
            with self._guard:
                if self._known not in (None, state):
                    if self._lock is not None:
                        raise LibraryError(
                            f"The file {self.path / FILE} was removed or replaced while it was written to. Run it again."
                        )
                    self._forget()
                self._known = state
            connection = connect(self.path / FILE)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA temp_store=MEMORY")
            connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
            self._local.connection, self._local.state = connection, state
            with self._guard:
                # Servers make and drop threads all day: without this every one would leave a file open.
                for thread in [t for t in self._connections if not t.is_alive()]:
                    self._connections.pop(thread).close()
                self._connections[threading.current_thread()] = connection
        return connection

    def _forget(self) -> None:
        """Drop what is kept in memory of a file that is no longer there."""
        self._events = self._matrix = self._full_text = self._size = self._articles = None
        if self._index is not None:
            self._index.drop()
            self._index = None

    @property
    def writable(self) -> bool:
        """Whether this handle holds the writer's lock."""
        return self._lock is not None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block that is written as a whole or not at all, and count a new generation."""
        if self._lock is None:
            raise LibraryError("This library is open for reading only.")
        with _translated(self.path):
            db = self._db
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'generation'")
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Run a block of queries that all see one state of the file, whatever another process writes meanwhile."""
        with _translated(self.path):
            db = self._db
            if db.in_transaction:
                yield db
                return
            db.execute("BEGIN")
            try:
                yield db
            finally:
                if db.in_transaction:
                    db.execute("COMMIT")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Run a query and return its rows. Raises: LibraryCorrupt."""
        with _translated(self.path):
            return self._db.execute(sql, parameters).fetchall()

    @property
    def generation(self) -> int:
        """A number that grows with every change."""
        return int(self.rows("SELECT value FROM meta WHERE key = 'generation'")[0][0])

    @property
    def size(self) -> int:
        """The number of chunks."""
        generation = self.generation
        if self._size is None or self._size[0] != generation:
            self._size = (generation, int(self.rows("SELECT count(*) FROM chunks")[0][0]))
        return self._size[1]

    def integrity(self) -> str:
        """Return "ok", or what is wrong with the file.

        SQLite sees a torn structure, not a changed byte inside a text or a vector: those are checked against the keys
        that were made from them (about 0.2 ms an article).
        """
        with self.snapshot():  # else an article that another process adds meanwhile looks like damage
            if (said := str(self.rows("PRAGMA quick_check")[0][0])) != "ok":
                return said
            return next((what for _, what in self.damaged()), "ok")

    def damaged(self) -> Iterator[tuple[str, str]]:
        """Yield (article id, what is wrong) for each article that is not what was stored, or whose chunks are not.

        The id is "" for chunks of no article. Run it in a `snapshot` where another process may write.
        """
        chunks = 0
        ids = [r["id"] for r in self.rows("SELECT id FROM articles ORDER BY id")]
        for part in _parts(ids, 100):
            n, wrong = self._look_at(part)
            chunks += n
            if wrong is None:
                continue
            one_by_one = [(i, what) for i in part if (what := self._look_at([i])[1])]
            yield from one_by_one or ((i, wrong) for i in part)
        if chunks != self.counts()["chunks"]:
            yield "", "there are chunks of no article"

    def _look_at(self, ids: Sequence[str]) -> tuple[int, str | None]:
        """Return how many chunks some articles have, and what is wrong with the articles or the chunks."""
        rows = self.rows(f"SELECT * FROM chunks WHERE article_id IN ({_marks(ids)})", ids)
        try:
            stored = self.stored(ids)
        except LibraryCorrupt:
            return len(rows), "an article cannot be read"
        texts = {s.article.id: s.article.text for s in stored}
        return len(rows), _wrong_article(stored) or _wrong_chunk(texts, rows)

    def _check_full_text(self) -> None:
        """Compare the full-text index with the chunks; a writer makes it again, a reader refuses it."""
        db = self._db
        try:
            db.execute("PRAGMA busy_timeout = 0")
            db.execute("INSERT INTO chunks_fts(chunks_fts, rank) VALUES ('integrity-check', 1)")
        except sqlite3.OperationalError:
            return  # a writer is at work, or the folder is read-only: SQLite needs the right to write for this
        except sqlite3.DatabaseError as e:
            if not self.writable:
                raise LibraryCorrupt(
                    f"The full-text index of the library {self.path} is damaged; no article is lost. Run `recap rebuild`."
                ) from e
            with self.transaction() as writing:
                writing.execute("INSERT INTO chunks_fts(chunks_fts) VALUES ('rebuild')")
        finally:
            db.execute("PRAGMA busy_timeout = 30000")

    def meta(self, key: str) -> str | None:
        """A setting kept with the library."""
        found = self.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return str(found[0][0]) if found else None

    def set_meta(self, values: Mapping[str, str]) -> None:
        """Keep settings with the library."""
        with self.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(values.items()))

    # -- reading ---------------------------------------------------------------------------------------------------

    def articles(self) -> list[Article]:
        """Every article, newest event first, then by title."""
        found = [_article(r) for r in self.rows("SELECT * FROM articles")]
        return sorted(found, key=lambda a: (-(a.date or date.min).toordinal(), a.title, a.id))

    def article(self, article_id: str) -> Article | None:
        """The article with this id."""
        return self.articles_by_id([article_id]).get(article_id)

    def articles_by_id(self, ids: Iterable[str]) -> dict[str, Article]:
        """The articles with these ids; unknown ones are left out."""
        if self.writable:  # may be in the middle of a change that is taken back
            return {a.article.id: a.article for a in self.stored(ids)}
        generation = self.generation  # before the rows: a change in between makes both out of date
        with self._guard:
            kept = self._articles
            if kept is None or kept.generation != generation or kept.characters >= KEPT_CHARACTERS:
                kept = self._articles = _Kept(generation)
            wanted = set(ids)
            known = {i: kept.articles[i] for i in wanted & kept.articles.keys()}
        read = {a.article.id: a.article for a in self.stored(wanted - known.keys())}
        with self._guard:
            for i, article in read.items():
                if kept.characters < KEPT_CHARACTERS:
                    kept.articles[i] = article
                    kept.characters += len(article.text)
        found = known | read
        return {i: found[i] for i in sorted(found)}

    def stored(self, ids: Iterable[str]) -> list[Stored]:
        """The articles with these ids, with their own metadata and keys."""
        out: list[Stored] = []
        for part in _parts(sorted(set(ids))):
            for r in self.rows(f"SELECT * FROM articles WHERE id IN ({_marks(part)})", part):
                a = _article(r)
                # a date that was not lent is the article's own
                own = date.fromisoformat(r["own_published"]) if r["own_published"] else None
                out.append(Stored(a, r["own_title"], own, r["content_key"], r["derived_key"]))
        return out

    def find(self, id_or_url: str) -> list[str]:
        """Article ids that an id, a URL, a source or the end of a path names."""
        rows = self.rows(
            "SELECT id FROM articles WHERE id = ?1 OR url = ?1 OR source = ?1 OR source = ?2",
            (id_or_url, _as_uri(id_or_url)),
        )
        if not rows and "/" not in id_or_url:
            escaped = id_or_url.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
            rows = self.rows("SELECT id FROM articles WHERE source LIKE ? ESCAPE '\\'", (f"%/{escaped}",))
        return sorted(r["id"] for r in rows)

    def cluster(self, cluster_id: str) -> list[Article]:
        """The copies of one piece, the longest first."""
        found = [_article(r) for r in self.rows("SELECT * FROM articles WHERE cluster = ?", (cluster_id,))]
        return sorted(found, key=lambda a: (-len(a.text), a.id))

    def chunks(self, article_id: str) -> list[Chunk]:
        """The chunks of an article, in order."""
        return [
            _chunk(r)
            for r in self.rows(f"SELECT {_CHUNK} FROM chunks WHERE article_id = ? ORDER BY start, id", (article_id,))
        ]

    def chunk(self, chunk_id: str) -> Chunk | None:
        """The chunk with this id."""
        return self.chunks_by_id([chunk_id]).get(chunk_id)

    def chunks_by_id(self, ids: Iterable[str]) -> dict[str, Chunk]:
        """The chunks with these ids; unknown ones are left out."""
        out: dict[str, Chunk] = {}
        for part in _parts(list(ids)):
            for r in self.rows(f"SELECT {_CHUNK} FROM chunks WHERE id IN ({_marks(part)})", part):
                out[r["id"]] = _chunk(r)
        return out

    def events(self) -> list[tuple[Event, int]]:
        """Every main event and edition with its number of articles, newest first."""
        generation = self.generation
        if self._events is None or self._events[0] != generation:
            merged: dict[tuple[str, str | None], tuple[Event, int]] = {}
            for r in self.rows("SELECT events FROM articles WHERE events != '[]' ORDER BY id"):
                event = _event(json.loads(r["events"])[0])
                known, n = merged.get((event.key, event.edition), (event, 0))
                merged[event.key, event.edition] = (known if known.start else event, n + 1)
            ordered = sorted(
                merged.values(), key=lambda e: (-(e[0].start or date.min).toordinal(), -(_year(e[0]) or 0), e[0].name)
            )
            self._events = (generation, ordered)
        return self._events[1]

    def counts(self) -> dict[str, int]:
        """Numbers of articles, chunks, pieces (clusters) and chunks not yet in the vector index."""
        sql = (
            "SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM chunks),"
            " (SELECT count(DISTINCT cluster) FROM articles), (SELECT count(*) FROM chunks WHERE indexed = 0)"
        )
        return dict(zip(("articles", "chunks", "pieces", "pending"), self.rows(sql)[0], strict=True))

    # -- searching -------------------------------------------------------------------------------------------------

    @property
    def embedder(self) -> Embedder:
        """The embedding model, loaded on first use.

        Raises: EmbedError, also for a reader whose model is not the one that the library was made with: the vectors of
        two models have nothing to say to each other.
        """
        with self._guard:
            if self._embedder is None:
                from rag.store.embed import load_embedder

                self._embedder = self._given or load_embedder(self.config)
        made_with = None if self.writable else self.meta("embedder")
        if made_with not in (None, self._embedder.name):
            raise EmbedError(
                f"The library {self.path} was made with the embedding model {made_with}, not {self._embedder.name}. "
                "Set RECAP_EMBED_MODEL back, or run `recap ingest` with the new one: it makes all vectors anew."
            )
        return self._embedder

    @property
    def reader(self) -> ReaderModel | None:
        """The reader's model, loaded on first use; None when it is switched off, missing or damaged.

        `reader_fault` then says why, and is "" when it is switched off.
        """
        with self._guard:
            if self._reader is None and self.reader_fault is None:
                from rag.model.reader import ReaderModel

                try:
                    self._reader = ReaderModel()
                except ReaderModelError as e:
                    self.reader_fault = str(e)
            return self._reader

    def reader_failed(self, why: ReaderModelError) -> None:
        """Do without the reader's model from now on: it has failed at work."""
        with self._guard:
            self._reader, self.reader_fault = None, str(why)

    @property
    def index(self) -> VectorIndex:
        """The vector index, probed on first use and rebuilt when it is wrong."""
        with self._guard:
            if self._index is None:
                from rag.store.vectors import VectorIndex

                self._index = VectorIndex(self)
            return self._index

    def search_text(
        self, words: Sequence[str], *, limit: int, within: set[str] | None = None
    ) -> list[tuple[str, float]]:
        """Rank chunks by BM25 (FTS5, stemmed): `(chunk_id, score)`, a higher score is better.

        `within` keeps to the chunks of these articles.
        """
        if not words or within == set():
            return []
        with self.snapshot() as db:
            full_text = self._full_text_at(db)
            scores = full_text.scores(db, words)
            if within is not None:
                sql = "SELECT n FROM chunks WHERE article_id IN (SELECT value FROM json_each(?))"
                rows = np.array([r[0] for r in db.execute(sql, (json.dumps(sorted(within)),))], dtype=np.int64)
                of_these = np.zeros_like(scores)
                of_these[rows] = scores[rows]
                scores = of_these
            found = best(scores, limit=limit)
            id_of = {
                r["n"]: r["id"]
                for part in _parts(found.tolist())
                for r in db.execute(f"SELECT n, id FROM chunks WHERE n IN ({_marks(part)})", part)
            }
        ranked = sorted((-float(scores[n]), i) for n, i in id_of.items())
        return [(i, -score) for score, i in ranked[:limit]]

    def _full_text_at(self, db: sqlite3.Connection) -> FullText:
        generation = int(db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0])
        known = self._full_text
        if known is None or known.generation != generation:
            known = self._full_text = FullText.read(db, generation)
        return known

    def search_exact(self, vector: Vectors, *, limit: int, within: set[str] | None = None) -> list[tuple[str, float]]:
        """Rank chunks by cosine with an exact scan of the stored vectors: what the index must agree with."""
        ids, matrix = self.matrix()
        if within is not None:  # ids begin with their article's and are in order: an article's chunks stand together
            spans = [(bisect_left(ids, f"{a}-"), bisect_left(ids, f"{a}.")) for a in sorted(within)]
            places = np.concatenate([np.empty(0, np.int64), *(np.arange(*span) for span in spans)])
            few = len(places) < len(ids) // 8  # else copying them costs more than scanning all
            scores = matrix[places] @ vector if few else (matrix @ vector)[places] if ids else np.empty(0, np.float32)
        else:
            places = np.arange(len(ids))
            scores = matrix @ vector if ids else np.empty(0, np.float32)
        if limit <= 0 or not len(scores):
            return []
        # Equal vectors may differ in the last bit by where they stand: ties are told by 6 digits, then by id.
        least = np.partition(scores, -limit)[-limit] - 2e-6 if limit < len(scores) else -2.0
        found = [(ids[places[n]], float(scores[n])) for n in np.flatnonzero(scores >= least)]
        return sorted(found, key=lambda p: (-round(p[1], 6), p[0]))[:limit]

    def matrix(self) -> tuple[list[str], Vectors]:
        """Every chunk id in order with its vector: `n` ids, `(n, dim)` float32."""
        with self._guard:
            if self._matrix is None or self._matrix[0] != self.generation:
                with self.snapshot() as db:
                    self._matrix = self._read_matrix(db)
            return self._matrix[2], self._matrix[3]

    def _read_matrix(self, db: sqlite3.Connection) -> tuple[int, str, list[str], Vectors]:
        """Read the vectors that are not in memory yet: a library that is being written is asked again and again."""
        meta = dict(db.execute("SELECT key, value FROM meta WHERE key IN ('generation', 'embedder')").fetchall())
        generation, embedder = int(meta["generation"]), meta.get("embedder", "")
        rows = db.execute("SELECT id, n FROM chunks ORDER BY id").fetchall()
        ids = [r[0] for r in rows]
        if not ids:
            return generation, embedder, ids, np.empty((0, 0), np.float32)
        dim = db.execute("SELECT length(vector) / 4 FROM chunks LIMIT 1").fetchone()[0]
        matrix = np.empty((len(ids), dim), np.float32)
        old = self._matrix
        place_of = {i: n for n, i in enumerate(old[2])} if old and old[1] == embedder else {}
        place = np.fromiter((place_of.get(i, -1) for i in ids), dtype=np.int64, count=len(ids))
        known = place >= 0
        if old and known.any():
            matrix[known] = old[3][place[known]]
        to = {rows[at][1]: int(at) for at in np.flatnonzero(~known)}
        if known.any():
            sql = "SELECT n, vector FROM chunks WHERE n IN (SELECT value FROM json_each(?)) ORDER BY n"
            missing = db.execute(sql, (json.dumps(list(to)),))
        else:  # in the order of the file: by id it would read every page many times
            missing = db.execute("SELECT n, vector FROM chunks ORDER BY n")
        while part := missing.fetchmany(2000):
            data = b"".join(r[1] for r in part)
            if len(data) != 4 * dim * len(part):
                raise _corrupt(self.path, "vectors of different lengths")
            matrix[[to[r[0]] for r in part]] = np.frombuffer(data, dtype=np.float32).reshape(len(part), dim)
        return generation, embedder, ids, matrix

    def articles_about(self, *, event: str | None, year: int | None) -> set[str] | None:
        """Ids of the articles about an event (its key) and a year; None when neither is given."""
        if event is None and year is None:
            return None
        found: set[str] | None = None
        if event is not None:
            sql = "SELECT article_id FROM article_events WHERE key = ?" + (" AND edition = ?" if year else "")
            found = {r[0] for r in self.rows(sql, (event, str(year)) if year else (event,))}
        elif year is not None:
            sql = (
                "SELECT id FROM articles WHERE id IN (SELECT article_id FROM article_events WHERE edition = ?1)"
                " OR (published LIKE ?1 || '-%' AND id NOT IN (SELECT article_id FROM article_events WHERE edition IS NOT NULL))"
            )
            found = {r[0] for r in self.rows(sql, (str(year),))}
        return found

    # -- closing ---------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close every connection and give back the writer's lock."""
        with self._guard:
            if self._index is not None:
                self._index.close()
                self._index = None
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()
            self._local = threading.local()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_unfinished(folder: Path) -> None:
    """Refuse a folder without a library where there was one, or should be one soon. Raises: LibraryCorrupt."""
    if kept := sorted(p for p in folder.glob(f"{FILE}.before-*") if not p.name.endswith(BESIDE)):
        raise LibraryCorrupt(
            f"There is no {FILE} in {folder}, but {kept[-1].name}, which a restore put aside. Rename that to {FILE}, "
            "or put a backup in its place (`recap restore FILE --force`)."
        )
    if (folder / RESTORING / FILE).exists():
        raise LibraryCorrupt(
            f"A restore into {folder} was stopped. Run `recap restore FILE --force` again, "
            f"or remove {folder / RESTORING} to begin with an empty library."
        )


def connect(file: Path) -> sqlite3.Connection:
    """Open a library file that is there; none is made.

    In a folder that cannot be written SQLite could not make the files that it keeps beside one: what has no log is then
    read as a file that nobody changes.
    """
    how = "mode=ro&immutable=1" if _is_fixed(file) else "mode=rw"
    return sqlite3.connect(
        f"{file.resolve().as_uri()}?{how}", uri=True, isolation_level=None, timeout=30, check_same_thread=False
    )


def _is_fixed(file: Path) -> bool:
    try:
        log = file.with_name(f"{file.name}-wal").stat().st_size
    except OSError:
        log = 0
    return not log and not os.access(file.parent, os.W_OK)


def _state(file: Path) -> tuple[int, ...]:
    """Which file it is that stands there; of one that is read as if nobody changed it, which version of it."""
    try:
        s = file.stat()
    except OSError:
        return ()
    return (s.st_dev, s.st_ino, *((s.st_size, s.st_mtime_ns) if _is_fixed(file) else ()))


def take_lock(folder: Path) -> BaseFileLock:
    """Take the writer's lock of a folder. Raises: LibraryLocked (within a second), LibraryError."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "writer.lock", timeout=0.5, thread_local=False)
    try:
        lock.acquire()
    except Timeout as e:
        raise LibraryLocked(
            f"Another process is writing to the library {folder}. Wait until it is done, then try again."
        ) from e
    except OSError as e:
        raise LibraryError(f"Cannot lock the library {folder}: {e.strerror}. Check the folder's permissions.") from e
    return lock


def writer_active(folder: Path) -> bool:
    """Tell whether some process holds the writer's lock."""
    from filelock import FileLock, Timeout

    if not (folder / "writer.lock").exists():
        return False  # to ask would make one, in a folder that may be no library at all
    try:
        with FileLock(folder / "writer.lock", timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _corrupt(path: Path, said: str | None = None) -> LibraryCorrupt:
    why = f" ({' '.join(said.split())[:200]})" if said else ""
    return LibraryCorrupt(
        f"The library file {path / FILE} is damaged{why}. Nothing was changed. `recap doctor --mend` mends what it can; "
        "else put it back from a backup (`recap restore FILE --force`), or remove the folder and ingest again."
    )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as e:
        said = str(e)
        if "locked" in said or "busy" in said:
            raise LibraryLocked(f"The library {path} is busy. Try again in a moment.") from e
        name = getattr(e, "sqlite_errorname", "")  # what Python itself finds wrong has none
        if "full" in said or name == "SQLITE_IOERR_SHMSIZE":  # or no room for what SQLite keeps beside it
            raise LibraryError(
                f"The disk is full; nothing was lost. Free some space for {path} and run it again."
            ) from e
        if "readonly" in said or "unable to open" in said:
            raise LibraryError(f"The library {path} cannot be opened: {said}. Check its permissions.") from e
        if "disk I/O" in said:
            raise LibraryError(f"The disk failed under {path}: {said}. Check the disk, then run it again.") from e
        raise _corrupt(path) from e
    except (sqlite3.DatabaseError, UnicodeDecodeError) as e:
        raise _corrupt(path) from e


def _parts(ids: Sequence[Any], size: int = 500) -> Iterator[Sequence[Any]]:
    for at in range(0, len(ids), size):
        yield ids[at : at + size]


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))


def _as_uri(path: str) -> str:
    try:
        return Path(path).resolve().as_uri()
    except (ValueError, OSError):
        return path


def _year(event: Event) -> int | None:
    return int(event.edition) if event.edition and event.edition.isdigit() else None


def _event(d: dict[str, Any]) -> Event:
    start = date.fromisoformat(d["start"]) if d["start"] else None
    return Event(key=d["key"], name=d["name"], edition=d["edition"], start=start, short=d["short"])


def event_json(e: Event) -> dict[str, Any]:
    """An event as plain data."""
    day = e.start.isoformat() if e.start else None
    return {"key": e.key, "name": e.name, "edition": e.edition, "start": day, "short": e.short}


def article_id(source: str) -> str:
    """Return the id of the article from `source`: 16 hex digits, the same on every run."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def content_key(article: Article, *, own_title: str | None, own_published: date | None) -> str:
    """Return the key of what an article's source says: the same key, the same content."""
    day = own_published.isoformat() if own_published else None
    content = [article.source, article.url, own_title, article.authors, article.outlet, day, article.text]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:32]


def derived_digest(article: Article) -> str:
    """Return the key of what was derived for an article: title, date, cluster, events."""
    day = article.published.isoformat() if article.published else None
    derived = [article.title, day, article.published_lent, article.cluster, [event_json(e) for e in article.events]]
    return hashlib.sha256(json.dumps(derived, ensure_ascii=False).encode()).hexdigest()[:16]


def _wrong_article(stored: Iterable[Stored]) -> str | None:
    for s in stored:
        if s.article.id != article_id(s.article.source):  # then an ingest of its source would not find it
            return f"article {s.article.id} does not have the id of its source"
        own = content_key(s.article, own_title=s.own_title, own_published=s.own_published)
        if own != s.content_key or not s.derived_key.startswith(derived_digest(s.article)):
            return f"article {s.article.id} is not what was stored"
    return None


def _wrong_chunk(texts: Mapping[str, str], rows: Sequence[sqlite3.Row]) -> str | None:
    if not rows:
        return None
    for r in rows:
        if r["id"].split("-")[1:2] != [chunk_digest(r["header"], r["text"])]:
            return f"chunk {r['id']} is not what was stored"
        if texts[r["article_id"]][r["start"] : r["end"]] != r["text"]:
            return f"chunk {r['id']} does not stand where it should"
    if len({len(r["vector"]) for r in rows}) != 1 or len(rows[0]["vector"]) % 4:
        return "vectors of different lengths"
    vectors = np.frombuffer(b"".join(r["vector"] for r in rows), dtype=np.float32).reshape(len(rows), -1)
    with np.errstate(all="ignore"):
        unit = np.abs(np.einsum("ij,ij->i", vectors, vectors) - 1.0) < 1e-3
    return None if bool(unit.all()) else "a vector is not what was stored"


def chunk_digest(header: str, text: str) -> str:
    """Return the part of a chunk's id that is made from its content."""
    return hashlib.sha256(f"{header}\0{text}".encode()).hexdigest()[:16]


def _article(r: sqlite3.Row) -> Article:
    try:
        return _read_article(r)
    except (ValueError, TypeError, KeyError) as e:
        raise LibraryCorrupt(
            "An article in the library file is damaged. Put the file back from a backup (`recap restore FILE --force`), "
            "or remove the folder and ingest again."
        ) from e


def _read_article(r: sqlite3.Row) -> Article:
    return Article(
        id=r["id"],
        source=r["source"],
        title=r["title"],
        text=r["text"],
        url=r["url"],
        authors=tuple(json.loads(r["authors"])),
        outlet=r["outlet"],
        published=date.fromisoformat(r["published"]) if r["published"] else None,
        published_lent=bool(r["lent"]),
        events=tuple(_event(e) for e in json.loads(r["events"])),
        cluster=r["cluster"],
    )


def _chunk(r: sqlite3.Row) -> Chunk:
    return Chunk(
        id=r["id"],
        article_id=r["article_id"],
        start=r["start"],
        end=r["end"],
        text=r["text"],
        kind=r["kind"],
        header=r["header"],
    )
