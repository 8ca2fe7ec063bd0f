"""read -> clean -> dedupe -> resolve -> chunk -> embed -> store, in batches that are written whole or not at all.

What the library holds afterwards depends only on the articles, not on their order, nor on how often the run was killed:
ids are made from sources and content, a batch is embedded before its one transaction, and whatever the index still lacks
is brought up at the next opening. If the embedder fails, the old version of an article goes on answering.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from rag.errors import RecapError
from rag.ingest.chunk import chunk
from rag.ingest.clean import clean
from rag.ingest.dedupe import bands, clusters, is_copy
from rag.ingest.events import load_names, resolve_article
from rag.ingest.read import Raw, Rejected, read
from rag.store.embed import embed_passages
from rag.store.library import Library, Stored, content_key, derived_digest, event_json
from rag.store.library import article_id as article_id
from rag.types import Article, Chunk

PIPELINE_VERSION = "7"  # raise it when cleaning, copies, events or chunking change: every article is then made anew
_BATCH_ARTICLES = 24  # in one transaction, and embedded together; the index follows at the end, or at the next opening


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did, by source. `merged` are the copies: (source, source of the piece that it is a copy of)."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    merged: tuple[tuple[str, str], ...] = ()
    rejected: tuple[Rejected, ...] = ()
    chunks_embedded: int = 0
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Run:
    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    embedded: int = 0


Progress = Callable[[str, int], None]


def ingest(library: Library, locations: Sequence[str], *, progress: Progress | None = None) -> IngestReport:
    """Bring the library up to what `locations` hold.

    `progress(source, done)` is called for each article read. Articles that are gone from a folder stay in the library
    until they are removed.
    Raises: LibraryError, EmbedError; what cannot be read is in the report instead.
    """
    run = _Run()
    index = library.index  # probes, and finishes what an interrupted run left
    settings = _settings_key(library)
    _same_embedder(library, run)
    stale = _mark_settings(library, settings)
    batch: list[Stored] = []
    seen: set[str] = set()
    try:
        for n, found in enumerate(read(locations), start=1):
            if progress:
                progress(found.source, n)
            if isinstance(found, Rejected):
                run.rejected.append(found)
                continue
            stored = _own(found)
            if stored.article.id in seen:
                continue  # the same source named twice: the first stands
            seen.add(stored.article.id)
            if not stored.article.text:
                run.rejected.append(Rejected(found.source, "It holds no text that could be an article."))
                continue
            batch.append(stored)
            if len(batch) >= _BATCH_ARTICLES:
                _store(library, batch, run)
                batch = []
        _store(library, batch, run)
        if stale:
            _refresh(library, run)
            library.set_meta({"settings": settings})
    except RecapError:
        with suppress(RecapError):
            index.sync()  # what was stored is worth an index, and the first error worth more than another
        raise
    index.sync()
    return IngestReport(
        added=tuple(run.added),
        updated=tuple(run.updated),
        unchanged=tuple(run.unchanged),
        merged=tuple(_merged(library, [*run.added, *run.updated])),
        rejected=tuple(run.rejected),
        chunks_embedded=run.embedded,
        notes=tuple(index.notes),
    )


def remove(library: Library, ids: Iterable[str]) -> int:
    """Take articles out of the library; return how many were in it."""
    gone = {s.article.id: s for s in library.stored(ids)}
    around = {a.id for s in gone.values() for a in library.cluster(s.article.cluster)} - set(gone)
    # Copies that had a date or a title lent to them take it back in the same transaction: killed or not, no half of it.
    _write_derived(library, [], {}, _Run(), also=around, gone=tuple(gone))
    library.index.sync()
    return len(gone)


def remake(library: Library, ids: Iterable[str]) -> int:
    """Make everything that is derived of these articles again from their stored text; return the number of chunks embedded.

    What the library has of it is not looked at: it may be damaged. Raises: LibraryError, EmbedError.
    """
    run = _Run()
    every = sorted(set(ids))
    for at in range(0, len(every), _BATCH_ARTICLES):
        part = [replace(s, derived_key="") for s in library.stored(every[at : at + _BATCH_ARTICLES])]
        _write_derived(library, part, {s.article.id: bands(s.article.text) for s in part}, run, anew=True)
    return run.embedded


def has_its_copies(library: Library, s: Stored) -> bool:
    """Tell whether an article stands under the bands and the copies that its text makes; True where settings are to change."""
    if library.meta("settings") != _settings_key(library):
        return True
    i, keys = s.article.id, bands(s.article.text)
    stored = sorted(r["key"] for r in library.rows("SELECT key FROM bands WHERE article_id = ?", (i,)))
    rows = library.rows("SELECT a, b FROM copies WHERE a = ?1 OR b = ?1", (i,))
    return stored == sorted(keys) and {(r["a"], r["b"]) for r in rows} == _copies(library, {i: s}, {i: keys})


def _own(raw: Raw) -> Stored:
    cleaned = clean(raw.text, title=raw.title, authors=raw.authors, outlet=raw.outlet, published=raw.published)
    article = Article(
        id=article_id(raw.source),
        source=raw.source,
        title="",
        text=cleaned.text,
        url=raw.url or (raw.source if raw.source.startswith(("http://", "https://")) else None),
        authors=cleaned.authors,
        outlet=cleaned.outlet,
        published=cleaned.published,
    )
    key = content_key(article, own_title=cleaned.title, own_published=cleaned.published)
    return Stored(article, cleaned.title, cleaned.published, key, "")


def _store(library: Library, batch: Sequence[Stored], run: _Run) -> None:
    """Write what is new or changed of a batch, with the copies that it joins or leaves."""
    known = {s.article.id: s for s in library.stored(s.article.id for s in batch)}
    changed: list[Stored] = []
    for s in batch:
        old = known.get(s.article.id)
        if old is None:
            run.added.append(s.article.source)
        elif old.content_key != s.content_key:
            run.updated.append(s.article.source)
        else:
            run.unchanged.append(s.article.source)
            continue
        changed.append(s)
    if changed:
        left = {
            a.id for s in changed if s.article.id in known for a in library.cluster(known[s.article.id].article.cluster)
        }
        keys = {s.article.id: bands(s.article.text) for s in changed}
        _write_derived(library, changed, keys, run, also=left)


def _write_derived(
    library: Library,
    changed: Sequence[Stored],
    new_bands: dict[str, list[str]],
    run: _Run,
    *,
    also: Iterable[str] = (),
    gone: Sequence[str] = (),
    anew: bool = False,
) -> None:
    """Derive clusters, lent dates, events and chunks of `changed` and of every article that they touch; write them.

    `also` are articles whose cluster may have changed, `gone` are taken out. `anew` trusts no chunk that is there.
    """
    fresh = {s.article.id: s for s in changed}
    pairs = _copies(library, fresh, new_bands)
    kept = [
        (r["a"], r["b"])
        for r in library.rows("SELECT a, b FROM copies")
        if not {r["a"], r["b"]} & (new_bands.keys() | set(gone))
    ]
    every = set(fresh) | {i for p in (*pairs, *kept) for i in p} | set(also)
    cluster_of = clusters(every, [*kept, *pairs])
    touched = {cluster_of[i] for i in (*fresh, *also)}
    members: dict[str, list[Stored]] = {}
    around = [i for i in every if cluster_of[i] in touched and i not in fresh]
    for s in [*fresh.values(), *library.stored(around)]:
        members.setdefault(cluster_of[s.article.id], []).append(s)

    derived: list[tuple[Stored, list[Chunk]]] = []
    for cluster, group in members.items():
        for s in group:
            made = _derive(library, s, group, cluster)
            if made.derived_key != s.derived_key:
                derived.append((made, chunk(made.article, chunk_tokens=library.config.chunk_tokens)))
    vectors = _embed(library, [c for _, chunks in derived for c in chunks], run, anew=anew)
    with library.transaction() as db:
        for i in gone:
            db.execute("DELETE FROM chunks WHERE article_id = ?", (i,))
            db.execute("DELETE FROM copies WHERE a = ?1 OR b = ?1", (i,))
            db.execute("DELETE FROM articles WHERE id = ?", (i,))
        for i in new_bands:
            db.execute("DELETE FROM copies WHERE a = ?1 OR b = ?1", (i,))
        for s, chunks in derived:
            if anew:
                db.execute("DELETE FROM chunks WHERE article_id = ?", (s.article.id,))
            _write_article(db, s, chunks, vectors)
        for i, keys in new_bands.items():
            db.execute("DELETE FROM bands WHERE article_id = ?", (i,))
            db.executemany("INSERT INTO bands VALUES (?, ?)", [(k, i) for k in keys])
        db.executemany("INSERT OR IGNORE INTO copies VALUES (?, ?)", sorted(pairs))


def _copies(library: Library, fresh: dict[str, Stored], new_bands: dict[str, list[str]]) -> set[tuple[str, str]]:
    """Pairs of copies in which at least one article is new."""
    by_key: dict[str, list[str]] = {}
    candidates: set[tuple[str, str]] = set()
    for i, keys in new_bands.items():
        for k in keys:
            for other in by_key.setdefault(k, []):
                candidates.add((min(i, other), max(i, other)))
            by_key[k].append(i)
        rows = library.rows(
            "SELECT DISTINCT article_id FROM bands WHERE key IN (SELECT value FROM json_each(?))", (json.dumps(keys),)
        )
        candidates |= {(min(i, r[0]), max(i, r[0])) for r in rows if r[0] != i and r[0] not in new_bands}
    known = fresh | {s.article.id: s for s in library.stored({i for p in candidates for i in p} - fresh.keys())}
    return {
        (a, b)
        for a, b in candidates
        if a in known
        and b in known
        and is_copy(known[a].article.text, known[b].article.text, titles=(known[a].own_title, known[b].own_title))
    }


def _derive(library: Library, s: Stored, group: Sequence[Stored], cluster: str) -> Stored:
    """Fill in what an article takes from its copies (date, title) and what follows from that (event, edition, day)."""
    dates = sorted(m.own_published for m in group if m.own_published)
    published = s.own_published or (dates[0] if dates else None)
    longest = sorted((m for m in group if m.own_title), key=lambda m: (-len(m.article.text), m.article.id))
    headline = s.own_title or (longest[0].own_title if longest else None) or ""
    title = headline or _first_words(s.article)
    names = load_names(library.config.events_file)
    article = replace(
        s.article,
        title=title,
        published=published,
        published_lent=s.own_published is None and published is not None,
        events=resolve_article(headline, s.article.text, published=published, names=names),
        cluster=cluster,
    )
    inputs = [PIPELINE_VERSION, s.content_key, library.config.chunk_tokens]
    key = derived_digest(article) + hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
    return replace(s, article=article, derived_key=key)


def _first_words(article: Article) -> str:
    """Name an article that has no headline by its opening words; failing that by its file."""
    opening = " ".join(article.text.split())
    if sentence := re.match(r".{20,90}?[.!?](?=\s+[A-Z“\"])", opening):
        return sentence.group()
    if len(opening) >= 20:
        clipped = opening[:91]
        return opening if len(opening) <= 90 else clipped[: clipped.rfind(" ")].rstrip(" ,;:—–-") + "…"
    return unquote(Path(urlsplit(article.source).path).stem) or article.source


def _embed(library: Library, chunks: Sequence[Chunk], run: _Run, *, anew: bool = False) -> dict[str, bytes]:
    """Return each chunk's vector; what the library has already is not embedded again, unless all is made `anew`."""
    have: dict[str, bytes] = {}
    for at in range(0, 0 if anew else len(chunks), 500):
        ids = json.dumps([c.id for c in chunks[at : at + 500]])
        rows = library.rows("SELECT id, vector FROM chunks WHERE id IN (SELECT value FROM json_each(?))", (ids,))
        have.update((r["id"], r["vector"]) for r in rows)
    missing = [c for c in chunks if c.id not in have]
    if missing:
        rows_of = embed_passages(library.embedder, [(c.header, c.text) for c in missing])
        have.update((c.id, _bytes(v)) for c, v in zip(missing, rows_of, strict=True))
        run.embedded += len(missing)
    return have


def _write_article(db: Any, s: Stored, chunks: Sequence[Chunk], vectors: dict[str, bytes]) -> None:
    a = s.article
    row = (
        a.id,
        a.source,
        a.url,
        a.text,
        s.own_title,
        a.title,
        json.dumps(a.authors, ensure_ascii=False),
        a.outlet,
        _iso(s.own_published),
        _iso(a.published),
        int(a.published_lent),
        json.dumps([event_json(e) for e in a.events], ensure_ascii=False),
        a.cluster,
        s.content_key,
        s.derived_key,
    )
    columns = (
        "source=excluded.source, url=excluded.url, text=excluded.text, own_title=excluded.own_title, title=excluded.title,"
        " authors=excluded.authors, outlet=excluded.outlet, own_published=excluded.own_published,"
        " published=excluded.published, lent=excluded.lent, events=excluded.events, cluster=excluded.cluster,"
        " content_key=excluded.content_key, derived_key=excluded.derived_key"
    )
    db.execute(f"INSERT INTO articles VALUES ({','.join('?' * 15)}) ON CONFLICT(id) DO UPDATE SET {columns}", row)
    db.execute("DELETE FROM article_events WHERE article_id = ?", (a.id,))
    db.executemany(
        "INSERT INTO article_events VALUES (?, ?, ?, ?)",
        [(a.id, e.key, e.edition, int(n == 0)) for n, e in enumerate(a.events)],
    )
    old = {r["id"]: r for r in db.execute("SELECT id, start, end FROM chunks WHERE article_id = ?", (a.id,))}
    new = {c.id: c for c in chunks}
    db.executemany("DELETE FROM chunks WHERE id = ?", [(i,) for i in old if i not in new])
    for c in chunks:
        if c.id in old:
            db.execute("UPDATE chunks SET start = ?, end = ?, kind = ? WHERE id = ?", (c.start, c.end, c.kind, c.id))
        else:
            db.execute(
                "INSERT INTO chunks (id, article_id, start, end, kind, header, text, vector) VALUES (?,?,?,?,?,?,?,?)",
                (c.id, c.article_id, c.start, c.end, c.kind, c.header, c.text, vectors[c.id]),
            )
            db.execute("DELETE FROM tombstones WHERE chunk_id = ?", (c.id,))


def _settings_key(library: Library) -> str:
    """Return the key of all that articles are derived by, beside themselves."""
    names = load_names(library.config.events_file)
    inputs = [PIPELINE_VERSION, library.config.chunk_tokens, names.key]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:32]


def _mark_settings(library: Library, settings: str) -> bool:
    """Tell whether articles in the library may have been derived by other settings.

    If so the old key is taken away first: a run that is killed half-way leaves a library of which none is true.
    """
    known = library.meta("settings")
    if known == settings:
        return False
    if not library.rows("SELECT 1 FROM articles LIMIT 1"):
        library.set_meta({"settings": settings})
        return False
    if known:
        library.set_meta({"settings": ""})
    return True


def _refresh(library: Library, run: _Run) -> None:
    """Derive every article anew: chunk size, names of events or the way of deriving have changed."""
    ids = [r["id"] for r in library.rows("SELECT id FROM articles ORDER BY id")]
    for at in range(0, len(ids), _BATCH_ARTICLES):
        part = library.stored(ids[at : at + _BATCH_ARTICLES])
        _write_derived(library, part, {s.article.id: bands(s.article.text) for s in part}, run)


def _same_embedder(library: Library, run: _Run) -> None:
    """Make all vectors anew when the library was made with another model: in one transaction, or not at all."""
    name, known = library.embedder.name, library.meta("embedder")
    if name == known:
        return
    rows = library.rows("SELECT id, header, text FROM chunks ORDER BY id") if known else []
    if not rows:
        library.set_meta({"embedder": name})
        return
    made: list[tuple[bytes, str]] = []
    for at in range(0, len(rows), 1000):
        part = rows[at : at + 1000]
        vectors = embed_passages(library.embedder, [(r["header"], r["text"]) for r in part])
        made += [(_bytes(v), r["id"]) for r, v in zip(part, vectors, strict=True)]

    def change(db: Any) -> None:
        db.executemany("UPDATE chunks SET vector = ? WHERE id = ?", made)
        db.execute("INSERT OR REPLACE INTO meta VALUES ('embedder', ?)", (name,))

    library.index.rebuild(change=change)
    run.embedded += len(made)


def _merged(library: Library, sources: Sequence[str]) -> Iterable[tuple[str, str]]:
    for a in sorted(library.articles_by_id(article_id(s) for s in sources).values(), key=lambda a: a.source):
        group = library.cluster(a.cluster)
        if len(group) > 1 and group[0].id != a.id:
            yield a.source, group[0].source


def _bytes(vector: Any) -> bytes:
    return np.ascontiguousarray(vector, dtype=np.float32).tobytes()


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
