"""Read articles from files, folders, globs, JSONL, web pages and feeds; say of each failure what it is and go on.

What a folder may hold beside articles is skipped in silence when it plainly is no document (hidden files, pictures,
sound, video, fonts, style sheets, scripts, programs, the `*_files` folder of a saved web page). Every other file that
Recap does not read (.doc, .zip, .csv, no ending at all) is rejected, because it may hold an article that would be
missed. PDF and Word properties give title and author, but no date: theirs is the day the file was made.
"""

from __future__ import annotations

import glob
import gzip
import json
import os
import re
import stat
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote, urlsplit

from rag.errors import BlockedURL, ReadError, ReadTimeout
from rag.ingest import parse
from rag.ingest.sandbox import Sandbox

if TYPE_CHECKING:
    from rag.ingest.fetch import Page

MAX_FILE = 50_000_000  # bytes of one document
MAX_TEXT = 5_000_000  # characters of one article
MAX_LINE = 10_000_000  # bytes of one JSONL line
MAX_JSONL = 2_000_000_000  # bytes of one JSONL file, unpacked
MAX_BAD_LINES = 1_000  # bad JSONL lines in a row, after which the file is taken for something else
MAX_BLANK_LINES = 1_000_000  # of one JSONL file: 2 MB of gzip can hold 2,000 million
FEED_SECONDS = 600.0  # for all items of a feed: the library's writer waits as long
LATE_ITEMS = 5  # of one host in a feed, after which it is asked no more
SUBSTANTIAL = 500  # characters: what a feed carries itself counts as an article from here on

KNOWN = ".txt, .md, .html, .pdf, .docx, .jsonl and .jsonl.gz"
_TEXT = (".txt", ".text")
_MARKDOWN = (".md", ".markdown")
_HTML = (".html", ".htm", ".xhtml")
_JSONL = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_ENDINGS = (*_JSONL, *_TEXT, *_MARKDOWN, *_HTML, ".pdf", ".docx")
_NO_DOCUMENT = re.compile(
    r".\.(png|jpe?g|gif|webp|svg|bmp|ico|tiff?|heic|avif|psd|mp[34]|m4[av]|wav|ogg|flac|mov|avi|mkv|webm|woff2?|ttf|otf|eot|"
    r"css|scss|less|m?js|tsx?|jsx|map|py[co]?|so|o|a|dll|dylib|exe|bin|class|jar|wasm|sh|bat|ps1|c|h|cpp|rs|go|"
    r"lock|log|tmp|bak|swp|db|sqlite3?|toml|ini|cfg|ya?ml)$"
)
_NO_DOCUMENT_NAMES = frozenset({"thumbs.db", "desktop.ini", "makefile", "license", "licence"})


@dataclass(frozen=True, slots=True)
class Raw:
    """An article as it was read: decoded, in NFC, its lines kept; `clean.py` makes an Article of it."""

    source: str
    text: str
    title: str | None = None
    url: str | None = None
    authors: tuple[str, ...] = ()
    outlet: str | None = None
    published: date | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that could not be read, and why, in a sentence."""

    source: str
    reason: str


Found = Raw | Rejected
Get = Callable[[str], "Page"]


def read(
    locations: Sequence[str], *, get: Get | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Found]:
    """Read every location in order: a file, a folder (recursive, sorted), a glob, a web page or a feed.

    `get` fetches an address (default: `rag.ingest.fetch.fetch`); `clock` counts the seconds that a feed has. What two
    locations share is read once. Nothing is raised for a location that cannot be read: it comes as a Rejected.
    """
    if get is None:
        from rag.ingest.fetch import fetch

        get = fetch
    seen: set[str] = set()
    with Sandbox() as sandbox:
        for place in locations:
            place = os.fspath(place)
            if not place.strip():
                yield Rejected(place, "An empty location was given. Name a file, a folder or a web address.")
            elif re.match(r"\s*https?:", place, re.I):
                yield from _read_url(place.strip(), get=get, sandbox=sandbox, seen=seen, clock=clock)
            elif (m := re.match(r"\s*([a-z][a-z0-9+.-]+)://", place, re.I)) and m[1].lower() != "file":
                yield Rejected(
                    _show(place), f"{_show(place)} is not an address that Recap fetches. Use http:// or https://."
                )
            else:
                yield from _read_path(place, sandbox=sandbox, seen=seen)


# --- files ------------------------------------------------------------------------------------------------------------


def _read_path(place: str, *, sandbox: Sandbox, seen: set[str]) -> Iterator[Found]:
    if place.lower().startswith("file://"):
        place = unquote(urlsplit(place).path)
    path = os.path.expanduser(place)
    name = _show(place)
    try:
        if os.path.isdir(path):
            yield from _read_folder(path, name, sandbox=sandbox, seen=seen)
        elif os.path.lexists(path):
            yield from _read_file(path, name, sandbox=sandbox, seen=seen)
        elif glob.has_magic(path):
            yield from _read_glob(path, name, sandbox=sandbox, seen=seen)
        else:
            hint = ""
            if re.match(r"(?:www\.)?[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}/|www\.", place, re.I):
                hint = " If it is a web address, put https:// in front."
            yield Rejected(name, f"No such file or folder: {name}.{hint}")
    except ValueError:  # a NUL in the path
        yield Rejected(name, f"No such file or folder: {name}.")


def _read_glob(pattern: str, name: str, *, sandbox: Sandbox, seen: set[str]) -> Iterator[Found]:
    paths = sorted(glob.glob(pattern, recursive=True))
    if not paths:
        yield Rejected(name, f"Nothing matches {name}. Check the pattern, and quote it if your shell expands it.")
    for path in paths:
        if os.path.isdir(path):
            # "**" lists the files inside as well: a folder that holds nothing of its own is no fault then
            if not re.search(r"\*\*[/\\]?$", pattern):
                yield from _read_folder(path, _show(path), sandbox=sandbox, seen=seen)
        elif not _passed_over(os.path.basename(path)) and not _holds_facts(path):
            yield from _read_file(path, _show(path), sandbox=sandbox, seen=seen)


def _read_folder(folder: str, name: str, *, sandbox: Sandbox, seen: set[str]) -> Iterator[Found]:
    empty = True
    top = os.path.realpath(folder)
    for path, e in _walk(folder):
        shown = _show(path)
        if e is not None:
            empty = False
            yield Rejected(shown, f"The folder {shown} cannot be opened: {_os_reason(e)}.")
            continue
        leads = os.path.realpath(path) if os.path.islink(path) else path
        outside = leads != path and not leads.startswith(os.path.join(top, ""))
        if _passed_over(os.path.basename(path)) or (not outside and _holds_facts(path)):
            continue
        empty = False
        if outside:
            # whoever made the folder chose where it leads, and need not be whom the file belongs to
            told = f"{shown} is a link that leads out of the folder. If you want that file, name it by itself."
            yield Rejected(Path(os.path.abspath(path)).as_uri(), told)
        else:
            yield from _read_file(path, shown, sandbox=sandbox, seen=seen)
    if empty:
        yield Rejected(name, f"The folder {name} holds no articles. Recap reads {KNOWN}.")


def _walk(folder: str) -> Iterator[tuple[str, OSError | None]]:
    """List the files under a folder, in order, and the folders that cannot be opened with why.

    Not by `os.walk`, which raises RecursionError a thousand folders down.
    """
    left = [folder]
    while left:
        here = left.pop()
        try:
            with os.scandir(here) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as e:
            yield here, e
            continue
        folders = [entry for entry in entries if _is_folder(entry)]
        files = [entry.name for entry in entries if not _is_folder(entry)]
        stems = {os.path.splitext(f)[0] for f in files if f.lower().endswith(_HTML)}
        for file in files:
            yield os.path.join(here, file), None
        left.extend(
            entry.path
            for entry in reversed(folders)
            if not entry.is_symlink()
            and not entry.name.startswith(".")
            and not (entry.name.endswith("_files") and entry.name.removesuffix("_files") in stems)
        )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle: opening it says so
        return False


def _passed_over(file: str) -> bool:
    """Tell what is not worth a word in a folder: it plainly holds no article."""
    lower = file.lower()
    return lower.startswith((".", "~$")) or lower in _NO_DOCUMENT_NAMES or _NO_DOCUMENT.search(lower) is not None


def _holds_facts(path: str) -> bool:
    """Tell whether a file in a folder holds questions for `recap eval`, which are no articles."""
    if not path.lower().endswith(_JSONL):
        return False
    try:
        with _open(path) as f:
            packed = path.lower().endswith(".gz")
            row = json.loads((gzip.GzipFile(fileobj=f) if packed else f).readline(MAX_LINE))
    except (OSError, EOFError, ValueError, RecursionError, zlib.error, ReadError):
        return False  # reading it says what is wrong
    return isinstance(row, dict) and "question" in row and bool({"answers", "type"} & row.keys()) and "text" not in row


def _read_file(path: str, name: str, *, sandbox: Sandbox, seen: set[str]) -> Iterator[Found]:
    path = os.path.abspath(path)
    source = Path(path).as_uri()
    if source in seen:
        return
    seen.add(source)
    lower = path.lower()
    if not lower.endswith(_ENDINGS):
        yield Rejected(source, f"Recap reads {KNOWN}; {name} is none of them{_advice(lower)}.")
        return
    try:
        with _open(path) as f:
            if lower.endswith(_JSONL):
                yield from _read_jsonl(f, source, name, packed=lower.endswith(".gz"))
                return
            data = f.read(MAX_FILE + 1)
        yield _document(data, lower, source, name, sandbox=sandbox)
    except OSError as e:
        yield Rejected(source, f"{name} cannot be opened: {_os_reason(e)}.")
    except ReadError as e:
        yield Rejected(source, f"{name} {e}")


def _advice(lower: str) -> str:
    ending = os.path.splitext(lower)[1]
    if ending in (".doc", ".rtf", ".odt", ".pages", ".epub", ".docm", ".dotx"):
        return ". Save it as .docx or .txt"
    if ending in (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"):
        return ". Unpack it first"
    if ending in (".json", ".csv", ".tsv", ".xml", ".xlsx", ".parquet"):
        return ". Turn it into .jsonl, one article a line: url, title, text, authors, published"
    return ""


def _open(path: str) -> IO[bytes]:
    """Open a regular file. A pipe or a device would be waited for, for ever.

    Raises: OSError, ReadError.
    """
    f = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
    info = os.fstat(f.fileno())
    if not stat.S_ISREG(info.st_mode):
        f.close()
        raise ReadError("is not a file (it is a pipe, a device or a socket).")
    if info.st_size > MAX_FILE and not path.lower().endswith(_JSONL):
        f.close()
        raise ReadError(_too_large())
    return f


def _too_large() -> str:
    return f"is larger than {MAX_FILE // 1_000_000} MB, too large for one article. Split it, or make it .jsonl."


def _document(data: bytes, lower: str, source: str, name: str, *, sandbox: Sandbox) -> Found:
    """Make an article of a whole file. Raises: ReadError."""
    if len(data) > MAX_FILE:
        raise ReadError(_too_large())
    if not data.strip(b" \t\r\n\x0b\x0c\x00\xef\xbb\xbf"):
        raise ReadError("is empty.")
    if lower.endswith(_HTML):
        return _raw(source, sandbox.parse("html", data))
    if lower.endswith(".pdf"):
        return _raw(source, sandbox.parse("pdf", data))
    if lower.endswith(".docx"):
        return _raw(source, sandbox.parse("docx", data))
    if lower.endswith(_MARKDOWN):
        return _raw(source, sandbox.parse("markdown", data))
    return _raw(source, _plain(data))


def _plain(data: bytes, charset: str | None = None) -> dict[str, Any]:
    """Decode plain text, which needs no parser and so no child process. Raises: ReadError."""
    if len(data) > 4 * MAX_TEXT and not parse.binary(data):  # no encoding takes more bytes: decoded, it may be 200 MB
        raise ReadError(
            f"holds more than {MAX_TEXT:,} characters, too many for one article. Split it, or make it .jsonl."
        )
    try:
        return {"text": parse.plain_text(data, charset)}
    except parse.Unreadable as e:
        raise ReadError(str(e)) from e


def _raw(source: str, fields: dict[str, Any], *, url: str | None = None) -> Raw:
    """Build a Raw from a parser's fields. Raises: ReadError when the text is too long for an article."""
    text = str(fields["text"])
    if len(text) > MAX_TEXT:
        raise ReadError(
            f"holds {len(text):,} characters; an article has at most {MAX_TEXT:,}. Split it, or make it .jsonl."
        )
    day = fields.get("published")
    return Raw(
        source=source,
        text=text,
        title=fields.get("title"),
        url=url or fields.get("url"),
        authors=tuple(fields.get("authors") or ()),
        outlet=fields.get("outlet"),
        published=date.fromisoformat(day) if day else None,
    )


def _show(path: str) -> str:
    """Write a name so that it cannot turn a line around or break a terminal: what does not print becomes U+FFFD.

    A password in an address is left out.
    """
    shown = "".join(c if c.isprintable() else "\ufffd" for c in parse.masked(path.strip()))
    return shown if len(shown) <= 200 else f"{shown[:100]}…{shown[-99:]}"


def _os_reason(e: OSError) -> str:
    known = {
        PermissionError: "you have no permission to read it",
        FileNotFoundError: "it is gone, or a link to nothing",
    }
    return next((text for kind, text in known.items() if isinstance(e, kind)), (e.strerror or "it fails").lower())


# --- JSONL ------------------------------------------------------------------------------------------------------------


def _read_jsonl(f: IO[bytes], source: str, name: str, *, packed: bool) -> Iterator[Found]:
    """Read an article a line; a bad line is rejected with its number and the rest goes on."""
    magic = f.read(2)
    f.seek(0)
    if (magic == b"\x1f\x8b") != packed:
        told = "is not a gzip file. Rename it .jsonl" if packed else "is a gzip file. Rename it .jsonl.gz"
        yield Rejected(source, f"{name} {told}." if magic else f"{name} is empty.")
        return
    lines = cast("IO[bytes]", gzip.GzipFile(fileobj=f)) if packed else f
    number = total = bad = blank = articles = 0
    try:
        while chunk := lines.readline(MAX_LINE + 1):
            number += 1
            total += len(chunk)
            if total > MAX_JSONL:
                raise ReadError(
                    f"unpacks to more than {MAX_JSONL // 1_000_000_000} GB; the rest was not read. Split it."
                )
            if number == 1 and (kind := parse.binary(chunk)):
                raise ReadError(f"is not JSONL: it holds {kind}.")
            if number == 1 and chunk.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise ReadError("is in UTF-16. Save it as UTF-8.")
            try:
                if len(chunk) > MAX_LINE:
                    while chunk and not chunk.endswith(b"\n") and total <= MAX_JSONL:
                        chunk = lines.readline(MAX_LINE)
                        total += len(chunk)
                    raise ReadError(f"is longer than {MAX_LINE // 1_000_000} MB.")
                if not chunk.strip(b"\xef\xbb\xbf \t\r\n\x00"):
                    blank += 1
                    if blank > MAX_BLANK_LINES:
                        break
                    continue
                yield _json_line(chunk, f"{source}#{number}")
                articles, bad = articles + 1, 0
            except ReadError as e:
                yield Rejected(f"{source}#{number}", f"Line {number} of {name} {e}")
                bad += 1
                if bad >= MAX_BAD_LINES:
                    raise ReadError(f"has {bad:,} bad lines in a row; the rest was not read.") from e
        if blank > MAX_BLANK_LINES:
            raise ReadError(f"has more than {MAX_BLANK_LINES:,} blank lines; the rest was not read.")
        if not articles and not bad:
            raise ReadError("is empty.")
    except ReadError as e:
        yield Rejected(source, f"{name} {e}")
    except (OSError, EOFError, zlib.error):
        yield Rejected(
            source, f"{name} is damaged after line {number}: what came before it was read, the rest was not."
        )


def _json_line(chunk: bytes, source: str) -> Raw:
    """Make an article of one JSONL line. Raises: ReadError."""
    try:
        row = json.loads(chunk.decode("utf-8-sig"))
    except UnicodeDecodeError as e:
        raise ReadError("is not UTF-8.") from e
    except (ValueError, RecursionError) as e:
        raise ReadError("is not valid JSON.") from e
    if not isinstance(row, dict):
        raise ReadError("is not a JSON object with url, title, text, authors, published.")
    try:
        return _row(row, source)
    except RecursionError as e:  # what nests that deep is no article, and must not cost the lines around it
        raise ReadError("is not valid JSON.") from e


def _row(row: dict[str, Any], source: str) -> Raw:
    """Make an article of an object of JSON. Raises: ReadError."""
    text = row.get("text")
    if not isinstance(text, str):
        raise ReadError('has no "text".')
    text = parse.tidy(text).strip("\n")
    if not any(c.isalnum() for c in text):
        raise ReadError('has an empty "text".')
    url = parse.web_url(row.get("url"))
    fields = {
        "text": text,
        "title": parse.line(row.get("title")),
        "authors": parse.people(row.get("authors") or row.get("author")),
        "outlet": parse.line(row.get("outlet"), limit=100),
        "published": parse.day(row.get("published")),
    }
    return _raw(url or source, fields, url=url)


# --- the web ----------------------------------------------------------------------------------------------------------


def _read_url(url: str, *, get: Get, sandbox: Sandbox, seen: set[str], clock: Callable[[], float]) -> Iterator[Found]:
    if url in seen:
        return
    seen.add(url)
    try:
        page = get(url)
        if page.kind == "feed":
            yield from _read_feed(page, get=get, sandbox=sandbox, seen=seen, clock=clock)
        elif page.url == url or page.url not in seen:
            seen.add(page.url)
            yield _read_page(page, sandbox=sandbox)
    except BlockedURL as e:
        yield Rejected(_show(url), str(e))
    except ReadError as e:
        yield Rejected(_show(url), str(e))


def _read_page(page: Page, *, sandbox: Sandbox) -> Raw:
    """Make an article of a fetched page. Raises: ReadError."""
    try:
        if page.kind == "pdf":
            fields = sandbox.parse("pdf", page.body)
        elif page.kind == "html":
            fields = sandbox.parse("html", page.body, url=page.url, charset=page.charset)
        elif page.url.lower().endswith(_MARKDOWN):
            fields = sandbox.parse("markdown", page.body, charset=page.charset)
        else:
            fields = _plain(page.body, page.charset)
        own = parse.web_url(fields.get("url"))
        # a page may name its own address, not another site's
        return _raw(page.url, fields, url=own if own and _site(own) == _site(page.url) else page.url)
    except ReadError as e:
        raise ReadError(f"{_show(page.url)} {e}") from e


def _site(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.").removeprefix("m.").removeprefix("amp.")


def _speaks_for(feed: str, page: str) -> bool:
    """Tell whether a feed's words count for a page: on the feed's own site, or on a subdomain of its host.

    Not the other way round: whoever writes at evil.blogs.example is not blogs.example. And feeds.x.example speaks for
    x.example alone, because on a host of many sites somebody may have taken the name "feeds".
    """
    site, host = _site(feed), (urlsplit(feed).hostname or "").removeprefix("www.")
    own = re.sub(r"^(?:feeds?|rss)\.", "", site)
    return bool(host) and (_site(page) in (site, own) or (urlsplit(page).hostname or "").endswith(f".{host}"))


def _read_feed(
    page: Page, *, get: Get, sandbox: Sandbox, seen: set[str], clock: Callable[[], float]
) -> Iterator[Found]:
    until = clock() + FEED_SECONDS
    shown = _show(page.url)
    try:
        feed = sandbox.parse("feed", page.body, url=page.url)
    except ReadError as e:
        raise ReadError(f"{shown} {e}") from e
    if not feed["entries"]:
        yield Rejected(shown, f"The feed {shown} has no items.")
    get = _patient(get, page.url)
    for n, entry in enumerate(feed["entries"]):
        if clock() >= until:
            left = len(feed["entries"]) - n
            told = f"The feed {shown} took longer than {FEED_SECONDS / 60:.0f} minutes; its last {left} items were not read."
            yield Rejected(shown, told)
            return
        yield from _read_entry(entry, feed.get("title"), page.url, get=get, sandbox=sandbox, seen=seen)
    if feed["more"]:
        yield Rejected(shown, f"The feed {shown} has more than {parse.MAX_ITEMS} items; the rest was not read.")


class _GivenUp(ReadError):
    """A host kept a feed waiting too often."""


def _patient(get: Get, base: str) -> Get:
    """Fetch the pages of one feed, and ask a host no more that has kept `LATE_ITEMS` of them waiting."""
    late: Counter[str] = Counter()

    def page(link: str) -> Page:
        try:
            host = urlsplit(link).hostname or ""
        except ValueError:
            host = ""  # the fetch says what is wrong with it
        if late[host] >= LATE_ITEMS:
            raise _GivenUp(
                f"{_show(host)} kept {LATE_ITEMS} items of the feed {_show(base)} waiting; its others were not fetched."
            )
        try:
            return get(link)
        except ReadTimeout:
            late[host] += 1
            raise

    return page


def _read_entry(
    entry: dict[str, Any], outlet: str | None, base: str, *, get: Get, sandbox: Sandbox, seen: set[str]
) -> Iterator[Found]:
    """Read one item of a feed: its page, or what the feed itself carries of it when the page cannot be had.

    A feed may link to any page. Its words stand under that page's address only where it speaks for the page; else they
    would take the place of what the page itself says.
    """
    own = dict(entry, outlet=outlet)
    substantial = len(entry["text"]) >= SUBSTANTIAL
    link = _absolute(base, entry["link"]) if entry["link"] else None
    if link is None:
        if substantial:
            yield from _own_words(own, base, seen=seen)
        else:
            yield Rejected(
                _show(base), f"An item of the feed {_show(base)} ({entry['title'] or 'untitled'}) has no link."
            )
        return
    if link in seen:
        return
    seen.add(link)
    try:
        page = get(link)
        if page.url != link and page.url in seen:
            return
        if page.kind == "feed":
            raise ReadError(f"{_show(link)} is a feed inside a feed. Ingest it by itself.")
        seen.add(page.url)
        raw = _read_page(page, sandbox=sandbox)
    except BlockedURL as e:  # a feed that points inside this network is not to be trusted with the rest
        yield Rejected(_show(link), str(e))
    except ReadError as e:
        url = parse.web_url(link)
        if substantial and url and _speaks_for(base, url):
            yield _raw(url, own, url=url)
        elif substantial:
            yield from _own_words(own, base, seen=seen)
        elif not isinstance(e, _GivenUp):
            yield Rejected(_show(link), str(e))
        elif str(e) not in seen:  # one line for all of a host's items
            seen.add(str(e))
            yield Rejected(_show(base), str(e))
    else:
        yield _filled(raw, own) if _speaks_for(base, raw.source) else raw


def _own_words(own: dict[str, Any], base: str, *, seen: set[str]) -> Iterator[Raw]:
    """Read what a feed says itself as an article of the feed's, under the feed's address."""
    source = f"{base}#{quote(own['id'] or own['link'] or own['title'] or 'item', safe='')}"
    if source not in seen:
        seen.add(source)
        yield _raw(source, own)


def _filled(raw: Raw, own: dict[str, Any]) -> Raw:
    """Put in what a page lacks and its own feed says: a page behind a paywall or a consent banner holds less than that."""
    day = own["published"]
    return replace(
        raw,
        text=own["text"] if len(raw.text) < SUBSTANTIAL <= len(own["text"]) else raw.text,
        title=raw.title or own["title"],
        authors=raw.authors or tuple(own["authors"]),
        outlet=raw.outlet or own["outlet"],
        published=raw.published or (date.fromisoformat(day) if day else None),
    )


def _absolute(base: str, link: str) -> str:
    from urllib.parse import urljoin

    if re.match(r"[a-z][a-z0-9+.-]*:", link, re.I):
        return link  # checked by the fetch, as it stands
    try:
        return urljoin(base, link)
    except ValueError:
        return link
