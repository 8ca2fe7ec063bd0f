"""What is wrong, and how to mend it: `recap doctor`. And the mending of what is derived: `recap rebuild`.

Every check looks at the thing itself: the model embeds a sentence whose vector is known, every article is compared with
its chunks, the index is opened anew and asked for vectors that it must find, a language model is asked over the network.
Nothing is changed. What it does not know: how to mend the library file, which only a backup or another ingest can.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
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


def rebuild(library: Library) -> int:
    """Make the vector index and the full-text index again from the library's rows; return the number of chunks.

    The library must be writable. Raises: LibraryError.
    """
    index = library.index
    if not index.notes:  # else opening it has just made it again
        index.rebuild()
    with library.transaction() as db:
        db.execute("INSERT INTO chunks_fts(chunks_fts) VALUES ('rebuild')")
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
    import numpy as np

    from rag.store.embed import load_embedder

    model = load_embedder(config)
    vector = model.embed([_SENTENCE])[0]
    sound = vector.shape == (model.dim,) and bool(np.isfinite(vector).all()) and abs(np.linalg.norm(vector) - 1) < 1e-3
    if sound and config.embed_model == PACKAGED_MODEL:
        sound = bool(np.abs(vector[: len(_KNOWN)] - np.array(_KNOWN)).max() < 1e-3)
    if not sound:
        from rag.store.embed import cache_dir

        yield Finding(
            "model", False, f"{model.name} gives wrong vectors. Remove {cache_dir()}; it is then converted again."
        )
        return
    models.append(model)
    yield Finding("model", True, f"{model.name} loads, and embeds a sentence as it should ({model.dim} dimensions).")


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
                f"{_many(n['chunks'], 'chunk')}; the file, its full text and every offset agree.",
            )
        if model is not None:
            yield from _guarded("vectors", lambda: _vectors(library))
        yield from _guarded("index", lambda: _index(library))


def _rows(library: Library) -> Iterator[Finding]:
    """Yield what is wrong with the library's own rows."""
    from rag.errors import LibraryCorrupt

    backup = "Put the file back from a backup, or remove the folder and ingest again."
    if (said := library.integrity()) != "ok":
        yield Finding("library", False, f"The file is damaged ({said}). {backup}")
        return
    if orphans := library.rows("PRAGMA foreign_key_check"):
        yield Finding("library", False, f"{_many(len(orphans), 'row')} of the file belong to no article. {backup}")
    try:
        library.rows("INSERT INTO chunks_fts(chunks_fts, rank) VALUES ('integrity-check', 1)")
    except LibraryCorrupt:
        yield Finding("library", False, "The full-text index is not that of the articles. Run `recap rebuild`.")
    for article, chunk_id in _misplaced(library):
        yield Finding(
            "library",
            False,
            f"The passage {chunk_id} does not stand where it should in its article. Run `recap remove {article.id}`, "
            f"then ingest {article.source} again.",
        )


def _misplaced(library: Library) -> Iterator[tuple[Article, str]]:
    """Yield the first chunk of each article that is not what the article has at its offsets."""
    ids = [r["id"] for r in library.rows("SELECT id FROM articles ORDER BY id")]
    for i in ids[:: max(1, -(-len(ids) // ARTICLES))]:
        article = library.article(i)
        if article is None:
            continue  # removed by another process since
        bad = next((c.id for c in library.chunks(i) if article.text[c.start : c.end] != c.text), None)
        if bad:
            yield article, bad


def _vectors(library: Library) -> Iterator[Finding]:
    """Embed a few chunks anew: the stored vectors are those of this model and these texts."""
    import numpy as np

    from rag.store.embed import embed_passages

    rows = library.rows("SELECT id, article_id, header, text, vector FROM chunks ORDER BY id")
    rows = rows[:: max(1, -(-len(rows) // VECTORS))]
    if not rows:
        return
    made = embed_passages(library.embedder, [(r["header"], r["text"]) for r in rows])
    for r, vector in zip(rows, made, strict=True):
        stored = np.frombuffer(r["vector"], dtype=np.float32)
        if stored.shape != vector.shape or float(stored @ vector) < 0.999:
            text = "The stored vector of {} is not that of its text. Run `recap remove {}`, then ingest it again."
            yield Finding("vectors", False, text.format(r["id"], r["article_id"]))
            return
    yield Finding("vectors", True, f"{_many(len(rows), 'chunk')} embedded anew: the same vectors.")


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

    index = library.index
    rows = library.rows("SELECT id, vector FROM chunks ORDER BY id")
    inside = index.ids()
    missed = 0
    for r in rows[:: max(1, -(-len(rows) // VECTORS))]:
        found = index.search(np.frombuffer(r["vector"], dtype=np.float32), limit=5)
        missed += not any(i == r["id"] or cosine > 0.9999 for i, cosine in found)
    if index.notes:
        return False, " ".join(index.notes)
    if missed or inside != {r["id"] for r in rows}:
        have = f"The vector index holds {_many(len(inside), 'vector')}, not those of {_many(len(rows), 'chunk')}"
        return False, f"{have}. Run `recap rebuild`."
    return True, f"{_many(len(rows), 'vector')}, those of the library; known ones are found."


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


if __name__ == "__main__":
    from rag.store.library import Library

    with Library.open(Config(library=Path(sys.argv[1]))) as opened:
        print(json.dumps(_ask_index(opened)))
