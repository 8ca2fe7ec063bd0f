"""Adding to the library and removing from it while the page goes on answering.

    upload or address --add--> worker thread: lock, settle, ingest --snapshots--> outcome()

The page's own handle on the library is read-only. A second one is opened for writing for as long as it is needed and no
longer; it shares the embedding model that is loaded already. The page's handle sees the new articles at its next
question, because every search asks the file for its generation.

A visitor names bytes (an upload) or a web address, never a place on this machine: a Path is copied into
LIBRARY/uploads under a name of our making before anything reads it, and a str that is no http(s) address is refused here.
An article is identified by where it was read from, so a file of the same name is a new version of that article.

What it does not know: Gradio, sessions.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import logging
import os
import queue
import re
import shutil
import stat
import tempfile
import threading
import time
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from rag.config import Config
from rag.errors import LibraryLocked, ReadError, RecapError
from ui.render import act, safe_url, text
from ui.strings import EN, Strings

if TYPE_CHECKING:
    from rag.ingest.pipeline import IngestReport
    from rag.store.embed import Embedder, Vectors
    from rag.store.library import Library

UPLOADS = "uploads"  # the folder inside the library
MAX_FILE = 20_000_000  # bytes of an upload
MAX_UNPACKED = 100_000_000  # bytes of what a .gz holds
MAX_AT_ONCE = 50  # files and addresses
MAX_ARTICLES = 5_000  # of one file or feed: some six minutes of work
WAIT_S = 30.0  # for another writer, before giving up
NAME_BYTES = 150  # of a kept file's name, in UTF-8
AT_ONCE = 32  # texts that are embedded in one go while somebody may be asking
SHOWN = 100  # outcomes that are listed one by one
_LONGEST_ADDRESS = 2000
_GZ = (".gz",)

log = logging.getLogger("recap.ui")
Kind = Literal["added", "updated", "unchanged", "rejected"]
State = Literal["waiting", "opening", "reading", "finishing", "done"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one article, or of something that gave none.

    `name` is what the visitor called it (a file's name, an address); `copy_of` is the headline of the piece that it is a
    copy of, `replaced` the headline that it had before; `why` says why it was rejected.
    """

    name: str
    kind: Kind
    title: str = ""
    article_id: str = ""
    copy_of: str = ""
    replaced: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Adding:
    """How far the adding is. Each snapshot replaces the one before; `state` "done" is the last.

    `done` of `total` files and addresses are finished; `article` counts within a feed or a file of many. `failed` is a
    sentence when the whole had to be given up.
    """

    total: int
    done: int = 0
    state: State = "waiting"
    reading: str = ""
    article: int = 0
    outcomes: tuple[Outcome, ...] = ()
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal did: the headlines that are gone, or a sentence why it failed."""

    titles: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """An upload in its place in the library. `before` is a copy of the file that had its name, until it is kept."""

    path: Path
    digest: str
    before: Path | None = None

    def keep(self) -> None:
        """Let the older version go."""
        if self.before is not None:
            self.before.unlink(missing_ok=True)

    def undo(self) -> None:
        """Put the older version back, or leave no file at all."""
        if self.before is not None:
            os.replace(self.before, self.path)
        else:
            self.path.unlink(missing_ok=True)


class _Enough(RecapError):
    """Raised from the reading of a source to end it: what was read until then may have been stored."""


# --- what a visitor may name ------------------------------------------------------------------------------------------


def web_address(typed: object, s: Strings = EN) -> tuple[str, str]:
    """Return (address, "") for an http(s) address that may be read, else ("", why not, in a sentence).

    Whether it leads to a public server is found out when it is fetched, for each redirect anew.
    """
    given = str(typed or "").strip()
    if not given:
        return "", s.l_no_address
    if len(given) > _LONGEST_ADDRESS:
        return "", s.l_long_address
    if re.search(r"\s", given):
        return "", s.l_one_address
    if not re.match(r"https?://", given, re.I):
        return "", s.l_scheme
    if safe_url(given) is None:
        return "", s.l_bad_address
    return given, ""


def safe_name(name: str) -> str:
    """Return the name that an uploaded file is kept under: no path, no control or pattern character, bounded.

    The same name always gives the same one. Where something had to be changed, six digits of the whole name's hash are
    put in, so that two names never become one.
    """
    whole = unicodedata.normalize("NFC", name)
    last = re.split(r"[/\\]", whole)[-1]
    kept = "".join(c if c.isprintable() and c not in '*?[]<>:"|' else "-" for c in last)
    kept = kept.encode("utf-8", "replace").decode()  # a lone surrogate is no letter of any file's name
    kept = kept.strip().lstrip(".").rstrip(". ")
    stem, ending = _split(kept)
    stem = stem.strip() or "article"
    room = NAME_BYTES - len(ending.encode()) - 7
    if f"{stem}{ending}" == last and len(last.encode()) <= NAME_BYTES:
        return last
    digest = hashlib.sha256(last.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{stem.encode()[:room].decode(errors='ignore').rstrip()}-{digest}{ending}"


def _split(name: str) -> tuple[str, str]:
    m = re.search(r"((?:\.jsonl|\.ndjson)?\.[A-Za-z0-9]{1,8})$", name)
    return (name[: m.start()], m[1]) if m else (name, "")


# --- the files --------------------------------------------------------------------------------------------------------


def settle(upload: Path, library: Path, s: Strings = EN) -> Settled:
    """Copy an upload to LIBRARY/uploads under its safe name, in one step; an older file of that name is set aside.

    Call it only while holding the library's writer lock, and then `keep` or `undo` what it returns.
    Raises: ReadError.
    """
    folder = uploads(library)
    scratch = None
    try:
        folder.mkdir(exist_ok=True)
        with _regular(upload, s) as source:
            handle, made = tempfile.mkstemp(prefix=".new-", dir=folder)
            scratch = Path(made)
            with os.fdopen(handle, "wb") as copy:
                digest = hashlib.sha256()
                size = 0
                while part := source.read(1 << 20):
                    size += len(part)
                    if size > MAX_FILE:
                        raise ReadError(s.l_too_large.format(limit=MAX_FILE // 1_000_000))
                    digest.update(part)
                    copy.write(part)
                copy.flush()
                os.fsync(copy.fileno())
        if upload.name.lower().endswith(_GZ) and _unpacked(scratch, MAX_UNPACKED):
            raise ReadError(s.l_unpacks.format(limit=MAX_UNPACKED // 1_000_000))
        path = folder / safe_name(upload.name)
        before = None
        if path.is_file():
            before = folder / f".before-{digest.hexdigest()[:16]}"
            shutil.copyfile(path, before)
        scratch.chmod(0o644)
        os.replace(scratch, path)
        return Settled(path, digest.hexdigest(), before)
    except OSError as e:
        raise ReadError(s.l_cannot_keep.format(reason=(e.strerror or "it fails").lower())) from e
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)


def discard(files: Iterable[Path], *, inside: Path) -> None:
    """Remove uploads that were taken in, and the folders that they were alone in. Nothing outside of `inside`."""
    for file in files:
        if inside.resolve() in file.resolve().parents:
            with contextlib.suppress(OSError):
                file.unlink()
                file.parent.rmdir()


def uploads(library: Path) -> Path:
    """The folder of uploaded files, as an absolute path: the same for every handle on the library."""
    return Path(os.path.abspath(library)) / UPLOADS


def _regular(upload: Path, s: Strings) -> IO[bytes]:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(upload, flags)
    except (OSError, ValueError) as e:
        raise ReadError(s.l_no_upload) from e
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ReadError(s.l_no_upload)
    return os.fdopen(handle, "rb")


def _unpacked(path: Path, limit: int) -> bool:
    """Tell whether a gzip file holds more than `limit` bytes; what is wrong with it the reader says."""
    size = 0
    try:
        with gzip.open(path) as f:
            while part := f.read(1 << 20):
                size += len(part)
                if size > limit:
                    return True
    except (OSError, EOFError, zlib.error):
        pass
    return False


# --- adding -----------------------------------------------------------------------------------------------------------


def add(
    config: Config,
    locations: Sequence[Path | str],
    *,
    embedder: Embedder | None = None,
    inside: Path | None = None,
    wait_s: float = WAIT_S,
    s: Strings = EN,
) -> Iterator[Adding]:
    """Add uploads (Path) and web addresses (str) to the library; yield how far it is, at last `state` "done".

    `embedder` is the model that the page has loaded; `inside` is the folder that uploads must lie in; `wait_s` seconds are
    waited for another writer. When the last snapshot comes, the writer's lock is free again. Closing the iterator ends the
    work at the next article. Never raises for what is in a file, at an address or in the library: that is a sentence.
    """
    total = len(locations)
    refused = s.l_read_only if config.read_only else "" if total else s.l_no_file
    if not refused and total > MAX_AT_ONCE:
        refused = s.l_too_many.format(limit=MAX_AT_ONCE)
    if refused:
        yield Adding(total, state="done", failed=refused)
        return
    work = _Work(config, tuple(locations), embedder=embedder, inside=inside, wait_s=wait_s, s=s)
    try:
        work.start()
        while True:
            now = work.said.get()
            with contextlib.suppress(queue.Empty):  # who is slow to draw gets the latest
                while True:
                    now = work.said.get_nowait()
            yield now
            if now.state == "done":
                return
    finally:
        work.stop.set()


def halt(timeout_s: float = 60.0) -> None:
    """End all work at its next article and wait for it: for the end of the program."""
    with _guard:
        running = list(_running)
    for work in running:
        work.stop.set()
    until = time.monotonic() + timeout_s
    for work in running:
        work.thread.join(max(0.0, until - time.monotonic()))


class _Work:
    """One adding, in a thread of its own."""

    def __init__(
        self,
        config: Config,
        locations: tuple[Path | str, ...],
        *,
        embedder: Embedder | None,
        inside: Path | None,
        wait_s: float,
        s: Strings,
    ) -> None:
        self.config, self.locations, self.embedder, self.inside, self.s = config, locations, embedder, inside, s
        self.wait_s = wait_s
        self.said: queue.SimpleQueue[Adding] = queue.SimpleQueue()
        self.stop = threading.Event()
        self.now = Adding(len(locations))
        self.digests: dict[Path, str] = {}
        # not a daemon: killed in the middle of a computation, the C++ underneath would take the program down with it
        self.thread = threading.Thread(target=self._run, name="recap-add")

    def start(self) -> None:
        with _guard:
            _running.add(self)
        self.thread.start()

    def say(self, **changed: object) -> None:
        self.now = replace(self.now, **changed)  # type: ignore[arg-type]
        self.said.put(self.now)

    def _run(self) -> None:
        failed = ""
        try:
            failed = self._work()
        except RecapError as e:
            failed = str(e)
        except Exception:
            log.exception("Adding to the library failed.")
            failed = self.s.l_failed
        finally:
            with _guard:
                _running.discard(self)
            self.say(state="done", reading="", article=0, failed=failed)

    def _work(self) -> str:
        from rag.errors import EmbedError

        self.say(state="opening")
        library = _writer(
            self.config, self.embedder, self.wait_s, stop=self.stop, waiting=lambda: self.say(state="waiting")
        )
        if library is None:
            return str(self.s.l_stopped if self.stop.is_set() else self.s.l_busy)
        with library:
            # ingest would make every vector anew: that is not for a visitor to set off
            if library.meta("embedder") not in (None, library.embedder.name):
                raise EmbedError(self.s.l_other_model)
            _sweep(uploads(self.config.library))
            for n, place in enumerate(self.locations):
                if self.stop.is_set():
                    return str(self.s.l_stopped)
                self._one(library, n, place)
                self.say(done=n + 1)
            self.say(state="finishing", reading="", article=0)
        return str(self.s.l_stopped) if self.stop.is_set() else ""

    def _one(self, library: Library, n: int, place: Path | str) -> None:
        """Add one file or address. Raises: RecapError when the library or the model is at fault."""
        name = _file_name(place) if isinstance(place, Path) else " ".join(str(place).split())[:200]
        self.say(state="reading", reading=name, article=0, done=n)
        settled = None
        try:
            if isinstance(place, Path):
                settled = self._settle(place)
                location = str(settled.path)
            else:
                location, why = web_address(place, self.s)
                if why:
                    raise ReadError(why)
        except ReadError as e:
            self._note(Outcome(name, "rejected", why=str(e)))
            return
        stored = False
        try:
            stored = self._ingest(library, location, name, settled)
        finally:
            if settled is not None:
                _finish(settled, keep=stored)

    def _settle(self, upload: Path) -> Settled:
        if self.inside is not None and self.inside.resolve() not in upload.resolve().parents:
            raise ReadError(self.s.l_no_upload)
        settled = settle(upload, self.config.library, self.s)
        if self.digests.setdefault(settled.path, settled.digest) != settled.digest:
            settled.undo()
            raise ReadError(self.s.l_same_name)
        return settled

    def _ingest(self, library: Library, location: str, name: str, settled: Settled | None) -> bool:
        """Ingest one location and note what became of it; tell whether the library now holds anything of it."""
        from rag.ingest.pipeline import article_id, ingest

        was: dict[str, tuple[str, str] | None] = {}  # source -> what the library had of it: title, key of the content

        def progress(source: str, count: int) -> None:
            if self.stop.is_set():
                raise _Enough(self.s.l_stopped)
            if count > MAX_ARTICLES:
                raise _Enough(self.s.l_enough.format(limit=MAX_ARTICLES))
            known = library.stored([article_id(source)])
            was.setdefault(source, (known[0].article.title, known[0].content_key) if known else None)
            if count > 1:
                self.say(article=count)

        try:
            report = ingest(library, [location], progress=progress)
        except RecapError as e:
            now = {x.article.source: x.content_key for x in library.stored(article_id(source) for source in was)}
            new = [source for source, key in now.items() if was[source] is None]
            other = [source for source, key in now.items() if (old := was[source]) is not None and old[1] != key]
            self._note(*self._stored(library, {"added": new, "updated": other}, {}, was, name, settled))
            if not isinstance(e, _Enough):
                raise
            self._note(Outcome(name, "rejected", why=str(e)))
            return bool(new or other)
        kinds: dict[Kind, Sequence[str]] = {
            "added": report.added,
            "updated": report.updated,
            "unchanged": report.unchanged,
        }
        outcomes = self._stored(library, kinds, dict(report.merged), was, name, settled)
        self._note(*outcomes, *_rejections(report, name, settled, self.s))
        return bool(outcomes)

    def _stored(
        self,
        library: Library,
        kinds: Mapping[Kind, Sequence[str]],
        copy_of: Mapping[str, str],
        was: Mapping[str, tuple[str, str] | None],
        name: str,
        settled: Settled | None,
    ) -> list[Outcome]:
        from rag.ingest.pipeline import article_id

        sources = {source for group in kinds.values() for source in group} | set(copy_of.values())
        articles = library.articles_by_id(article_id(source) for source in sources)
        title = {a.source: a.title for a in articles.values()}
        place = {source: n for n, source in enumerate(was)}
        found = []
        for kind, group in kinds.items():
            for source in group:
                old = was.get(source)
                replaced = old[0] if kind == "updated" and old and old[0] != title.get(source, "") else ""
                outcome = Outcome(
                    name=_label(source, name, settled, self.s),
                    kind=kind,
                    title=title.get(source, ""),
                    article_id=article_id(source),
                    copy_of=title.get(copy_of.get(source, ""), ""),
                    replaced=replaced,
                )
                found.append((place.get(source, 0), outcome))
        return [outcome for _, outcome in sorted(found, key=lambda f: f[0])]

    def _note(self, *outcomes: Outcome) -> None:
        self.say(outcomes=(*self.now.outcomes, *outcomes))


class Polite:
    """The page's embedding model, asked for a few texts at a time: a question that is waiting gets its turn between."""

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self.dim = embedder.dim
        self._embedder = embedder

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed as the model does: (n, dim) rows."""
        import numpy as np

        rows = [np.empty((0, self.dim), dtype=np.float32)]
        for at in range(0, len(texts), AT_ONCE):
            if at:
                time.sleep(0.002)  # a lock that is let go and taken again at once is nobody else's
            rows.append(self._embedder.embed(texts[at : at + AT_ONCE]))
        return np.concatenate(rows)


_guard = threading.Lock()
_running: set[_Work] = set()


def _writer(
    config: Config,
    embedder: Embedder | None,
    wait_s: float,
    *,
    stop: threading.Event | None = None,
    waiting: Callable[[], object] = lambda: None,
) -> Library | None:
    """Open the library for writing; None when another writer did not let go in time. Raises: RecapError."""
    from rag.store.library import Library

    until = time.monotonic() + wait_s
    while True:
        try:
            return Library.open(
                config, write=True, embedder=embedder and Polite(embedder)
            )  # waits half a second itself
        except LibraryLocked:
            if time.monotonic() >= until or (stop is not None and stop.is_set()):
                return None
            waiting()


def _finish(settled: Settled, *, keep: bool) -> None:
    try:
        if keep:
            settled.keep()
        else:
            settled.undo()
    except OSError:  # the articles are in the library; the next adding sweeps up
        log.warning("The folder of uploads could not be put in order.", exc_info=True)


def _sweep(folder: Path) -> None:
    """Remove what an adding that was killed has left half-way. Only while holding the writer's lock."""
    for pattern in (".new-*", ".before-*"):
        for left in folder.glob(pattern):
            with contextlib.suppress(OSError):
                left.unlink()


def _file_name(upload: Path) -> str:
    return unicodedata.normalize("NFC", re.split(r"[/\\]", upload.name)[-1])[:200]


def _label(source: str, name: str, settled: Settled | None, s: Strings) -> str:
    """Name a source as the visitor knows it: the file that was chosen, else the address that was read."""
    if settled is None:
        return source
    file, _, line = source.partition("#")
    if file != settled.path.as_uri():
        return source  # a line of JSONL with an address of its own
    return s.l_line.format(name=name, n=line) if line else name


def _rejections(report: IngestReport, name: str, settled: Settled | None, s: Strings) -> list[Outcome]:
    out = []
    for r in report.rejected:
        why = r.reason
        if settled is not None:  # where the library lies is nothing to tell a visitor
            path = str(settled.path)
            why = why.replace(path, name).replace(_shortened(path), name)
        out.append(Outcome(_label(r.source, name, settled, s), "rejected", why=why))
    return out


def _shortened(path: str) -> str:
    """Write a path as the reader's sentences do."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in path)
    return shown if len(shown) <= 200 else f"{shown[:100]}…{shown[-99:]}"


# --- removing ---------------------------------------------------------------------------------------------------------


def remove(
    config: Config, ids: Iterable[str], *, embedder: Embedder | None = None, wait_s: float = 10.0, s: Strings = EN
) -> Removed:
    """Take articles out of the library, and their files out of uploads where no article of theirs is left.

    Unknown ids are passed over. Never raises for the state of the library: that is a sentence.
    """
    if config.read_only:
        return Removed(failed=s.l_read_only)
    try:
        from rag.ingest import pipeline

        library = _writer(config, embedder, wait_s)
        if library is None:
            return Removed(failed=s.l_busy_remove)
        with library:
            wanted = list(dict.fromkeys(str(i) for i in ids))
            known = library.articles_by_id(wanted)
            going = [known[i] for i in wanted if i in known]
            if not going:
                return Removed(failed=s.l_gone)
            pipeline.remove(library, [a.id for a in going])
            _clear(library, {a.source.partition("#")[0] for a in going})
        return Removed(tuple(a.title for a in going))
    except RecapError as e:
        return Removed(failed=str(e))
    except Exception:
        log.exception("Removing from the library failed.")
        return Removed(failed=s.l_failed_remove)


def _clear(library: Library, sources: Iterable[str]) -> None:
    folder = uploads(library.path)
    for source in sources:
        path = Path(unquote(urlsplit(source).path)) if source.startswith("file:") else None
        if path is None or path.parent != folder:
            continue
        # a whole file's source is its address; of a file of many each line has its own
        if not library.rows("SELECT 1 FROM articles WHERE source = ?1 OR substr(source, 1, ?2) = ?1 || '#'",
                            (source, len(source) + 1)):  # fmt: skip
            with contextlib.suppress(OSError):
                path.unlink()


# --- as it is drawn ---------------------------------------------------------------------------------------------------


def outcome(adding: Adding, s: Strings = EN) -> str:
    """Render how far an adding is and what became of each article, as one line of HTML.

    Sends `passage:ID:0:0`.
    """
    parts = []
    if adding.state != "done":
        # the first of one has no length that is known; the browser then shows that it is at work
        share = f' value="{adding.done / adding.total:.3f}"' if adding.total > 1 and adding.state == "reading" else ""
        words = text(_state(adding, s))
        parts.append(
            f'<p class="l-state" role="status">{words}</p><progress class="l-progress" title="{words}"{share}></progress>'
        )
    if adding.failed:
        parts.append(f'<p class="l-failed" role="alert">{text(adding.failed)}</p>')
    if adding.outcomes:
        if adding.state == "done":
            parts.append(f'<p class="l-sum" role="status">{text(_summary(adding.outcomes, s))}</p>')
        shown = adding.outcomes
        if len(shown) > SHOWN:  # what did not go well is worth more room
            shown = tuple(sorted(shown, key=lambda o: o.kind != "rejected")[:SHOWN])
        items = "".join(_item(o, s) for o in shown)
        if len(adding.outcomes) > SHOWN:
            items += f'<li class="l-more">{text(s.l_more.format(n=len(adding.outcomes) - SHOWN))}</li>'
        parts.append(f'<ul class="l-outcomes">{items}</ul>')
    return f'<div class="l-adding">{"".join(parts)}</div>'


def removed(done: Removed, s: Strings = EN) -> str:
    """Render what a removal did, as one line of HTML."""
    if done.failed:
        return f'<div class="l-adding"><p class="l-failed" role="alert">{text(done.failed)}</p></div>'
    many = len(done.titles) > 1
    said = s.l_removed_many.format(n=len(done.titles)) if many else s.l_removed.format(title="".join(done.titles))
    return f'<div class="l-adding"><p class="l-sum" role="status">{text(said)}</p></div>'


def _state(adding: Adding, s: Strings) -> str:
    if adding.state == "reading":
        line = s.l_reading_item if adding.article > 1 else s.l_reading
        return str(line.format(name=adding.reading, n=adding.done + 1, total=adding.total, article=adding.article))
    return str({"waiting": s.l_waiting, "opening": s.l_opening}.get(adding.state, s.l_finishing))


def _summary(outcomes: Sequence[Outcome], s: Strings) -> str:
    copies = sum(o.kind == "added" and bool(o.copy_of) for o in outcomes)
    count = {k: sum(o.kind == k for o in outcomes) for k in ("added", "updated", "unchanged", "rejected")}
    parts = [
        (count["added"] - copies, s.l_sum_added),
        (copies, s.l_sum_copy_one if copies == 1 else s.l_sum_copy_many),
        (count["updated"], s.l_sum_updated),
        (count["unchanged"], s.l_sum_unchanged),
        (count["rejected"], s.l_sum_rejected),
    ]
    return ", ".join(words.format(n=n) for n, words in parts if n)


def _item(o: Outcome, s: Strings) -> str:
    if o.kind == "rejected":
        return (
            f'<li class="l-rejected"><span class="l-kind">{text(s.l_rejected)}</span><div><p class="l-what" dir="auto">'
            f'{text(o.name)}</p><p class="l-facts" dir="auto">{text(o.why)}</p></div></li>'
        )
    copied = o.kind == "added" and o.copy_of
    word = s.l_copy_of if copied else {"added": s.l_added, "updated": s.l_updated}.get(o.kind, s.l_unchanged)
    title = o.title or s.no_title
    facts = [o.name] if o.name != title else []
    if copied:
        title = o.copy_of
    elif o.copy_of:
        facts.append(s.l_is_copy.format(title=o.copy_of))
    if o.replaced:
        facts.append(s.l_replaces.format(title=o.replaced))
    opened = act("passage", o.article_id, 0, 0, label=title, name=s.l_open.format(title=title), kind="l-open")
    return (
        f'<li class="l-{o.kind}"><span class="l-kind">{text(word)}</span><div><p class="l-what">{opened}</p>'
        f'<p class="l-facts" dir="auto">{text(" · ".join(facts))}</p></div></li>'
    )
