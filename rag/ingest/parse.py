"""Turn the bytes of one document into text and metadata: HTML, PDF, DOCX, feeds, and any character encoding.

The parsers take strangers' files, so `sandbox.py` runs this file as a program of its own, under limits (`serve`, at the
end). It therefore imports nothing of Recap, and the heavy libraries only when a document needs them.
"""

from __future__ import annotations

import codecs
import html
import io
import json
import os
import re
import sys
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from functools import cache
from typing import IO, Any
from urllib.parse import urlsplit

MAX_UNPACKED = 100_000_000  # bytes of a DOCX, unzipped
MAX_ENTRIES = 5_000  # files in a DOCX
MAX_ITEMS = 500  # entries of a feed
MAX_NODES = 400_000  # elements of a page: trafilatura is quadratic on some shapes
LITTLE = 250  # characters: an extraction shorter than this is checked against the plain one

Fields = dict[str, Any]


class Unreadable(Exception):
    """The document cannot be read; the message continues a sentence that starts with its name."""


# --- characters -------------------------------------------------------------------------------------------------------

# What a label on the web means in practice. Source: WHATWG Encoding Standard, section 4.2.
_LABELS = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "iso-8859-9": "cp1254",
    "tis-620": "cp874",
}
# The codecs of the encodings that the standard (section 4.1) names. Python knows others by name: some take quadratic time
# (idna, punycode), some read escapes that a browser shows (unicode_escape, utf-7).
_ENCODINGS = frozenset({
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp866", "cp874", "cp932", "cp949", "cp1250", "cp1251", "cp1252",
    "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5",
    "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16",
    "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "gb18030", "big5", "big5hkscs", "euc_jp", "iso2022_jp",
})  # fmt: skip
# Other names of those that _LABELS puts in their place.
_MEANT = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030",
    "euc_kr": "cp949", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
}  # fmt: skip
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark starts with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What articles are written in. The detector knows 90 more, and on short texts it picks them.
_CANDIDATES = [
    "cp1252", "cp932", "euc_jp", "iso2022_jp", "gb18030", "big5", "cp949", "cp1251",
    "koi8_r", "cp1250", "iso8859_2", "cp1253", "cp1254", "cp1255", "cp1256", "cp874",
]  # fmt: skip
_SAMPLE = 65_536

_MAGIC = (
    (b"\x7fELF", "a program (ELF)"),
    (b"MZ\x90\x00", "a program (EXE)"),
    (b"\x89PNG", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"%PDF-", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "an old office document (such as .doc)"),
    (b"{\\rtf", "an RTF document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"OggS", "sound or video"),
    (b"ID3", "sound"),
)


def binary(data: bytes) -> str | None:
    """Say what the bytes are when they are not text, None when they may be text."""
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    head = data[:_SAMPLE]
    if not head or any(head.startswith(bom) for bom, _ in _BOMS) or _utf16(head):
        return None
    strange = sum(head.count(c) for c in (*range(7), *range(14, 27), 28, 29, 30, 31, 127))
    return "binary data" if strange > max(4, len(head) * 0.01) else None


def _utf16(head: bytes) -> str | None:
    """Name the byte order of UTF-16 without a mark: Latin text has a NUL in every second byte."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(1, len(head) // 2)
    if odd > half * 0.4 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.4 and odd < half * 0.05:
        return "utf-16-be"
    return None


def decode(data: bytes, declared: str | None = None) -> str:
    """Decode bytes to text: a byte-order mark wins, then UTF-8, then what was declared, then what it looks like.

    A wrong byte becomes U+FFFD; nothing is raised.
    """
    for bom, name in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(name, "replace")
    if order := _utf16(data[:_SAMPLE]):
        return data.decode(order, "replace")
    # ISO-2022-JP is pure ASCII bytes, so UTF-8 would swallow it
    if b"\x1b$" in data[:_SAMPLE] and b"\x1b(" in data[:_SAMPLE]:
        try:
            return data.decode("iso2022_jp")
        except UnicodeDecodeError:
            pass
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = sum(1 for c in text[:_SAMPLE] if c > "\x7f" and c != "\ufffd")
    if wrong <= len(text) * 0.001 + 1 and right > wrong * 3:
        return text  # UTF-8 with a stray or a cut byte
    if declared and (codec := _codec(declared)):
        try:
            return data.decode(codec, "strict")
        except UnicodeDecodeError:
            pass
    from charset_normalizer import from_bytes

    best = from_bytes(_lines_with_high_bytes(data), cp_isolation=_CANDIDATES).best()
    # on a handful of accented bytes the code pages tie: Western Europe's is by far the likeliest in English news
    high = sum(1 for b in data[:_SAMPLE] if b > 0x7F)
    guess = best.encoding if best and (high > 12 or best.encoding in ("cp932", "euc_jp", "gb18030")) else "cp1252"
    if guess in ("cp1250", "cp1254", "iso8859_2") and _valid(data, "cp1252"):
        seen = data[:_SAMPLE].decode(guess, "ignore").lower()
        guess = guess if any(c in seen for c in "şğıąęłőűčřťńľ") else "cp1252"
    return data.decode(guess, "replace")


def _codec(declared: str) -> str | None:
    """Name the codec that a declared label means, None when it is no encoding of the web."""
    label = declared.strip().strip("\"'").lower()
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
    except (LookupError, ValueError):
        return None
    name = _MEANT.get(name, name)
    return name if name in _ENCODINGS else None


def _valid(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _lines_with_high_bytes(data: bytes) -> bytes:
    """Give the detector what tells encodings apart: the lines that are not ASCII, at most 64 kB."""
    found = b"\n".join(line for line in data[: _SAMPLE * 16].splitlines() if any(b > 0x7F for b in line[:2000]))
    return (found or data)[:_SAMPLE]


_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Controls, marks of byte order, lone surrogates, and characters that show nothing and can carry hidden text (Unicode
# tags) or turn the line around (overrides): none of them is something that a person read in the article.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u202d\u202e\ufeff\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


@cache
def _mark_runs() -> re.Pattern[str]:
    marks = "".join(chr(c) for c in range(0x300, 0x1E94B) if unicodedata.combining(chr(c)))
    return re.compile(f"([{marks}]{{30}})[{marks}]+")


def tidy(text: str) -> str:
    """Normalise to NFC with `\\n` line ends, without control characters; the lines stay as they are."""
    # a text has few different characters: asking those first is 20 times faster than the patterns on the whole
    letters = "".join(set(text))
    if _BREAKS.search(letters):
        text = _BREAKS.sub("\n", text)
    if _UNSEEN.search(letters):
        text = _UNSEEN.sub("", text)
    if not text.isascii():
        if any(map(unicodedata.combining, letters)):
            # Sorting combining marks is quadratic. Source: UAX 15, stream-safe text format, runs of at most 30.
            text = _mark_runs().sub(r"\1", text)
        text = unicodedata.normalize("NFC", text)
    return text


# --- metadata ---------------------------------------------------------------------------------------------------------


def line(value: object, *, limit: int = 300) -> str | None:
    """Make a title or a name of one line out of anything, None when nothing is left."""
    if not isinstance(value, str):
        return None
    text = " ".join(tidy(html.unescape(value[: limit * 20])).split())
    return text[:limit].strip() or None


_NOBODY = re.compile(
    r"^(?:administrator|admin|root|user|owner|author|unknown|anonymous|none|null|n/?a|staff|editor|python-docx|"
    r"microsoft( office)?( user)?|windows user|default|test|pc|hp|dell|lenovo)$",
    re.I,
)


def people(value: object, *, depth: int = 2) -> list[str]:
    """Split authors, however they were written, into names: at most 20, in order, each once; lists nest `depth` deep."""
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, (list, tuple)):
        found = [name for item in value[:100] for name in people(item, depth=depth - 1)] if depth else []
    elif text := line(value, limit=2000):
        text = re.sub(r"^(?:written\s+)?by\b[:\s]+", "", text, flags=re.I)
        parts = re.split(r"\s*[;|\n]\s*|\s+(?:and|&)\s+", text)
        # "Rosa Field, Tom Hale" are two people, "Field, Rosa" is one
        found = [
            name
            for part in parts
            for name in (part.split(",") if all(" " in p.strip() for p in part.split(",")) else [part])
        ]
    else:
        return []
    names = (re.sub(r"^(?:by|and)\s+", "", n.strip(" ,."), flags=re.I) for n in found)
    kept = [n for n in names if n and len(n) <= 100 and "://" not in n and not _NOBODY.match(n)]
    return list(dict.fromkeys(kept))[:20]


def day(value: object, *, today: date | None = None) -> str | None:
    """Read a date of publication as ISO `YYYY-MM-DD`; None when it is none, ambiguous (03/04/2023) or in the future."""
    text = line(value, limit=60)
    if text is None:
        return None
    found: date | None = None
    if m := re.match(r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)", text) or re.match(r"(\d{4})(\d\d)(\d\d)(?:T|$)", text):
        try:
            found = date(int(m[1]), int(m[2]), int(m[3]))
        except ValueError:
            return None
    elif re.search(r"\b\d{4}\b", text):
        found = _written_day(text)
    limit = (today or date.today()) + timedelta(days=2)
    return found.isoformat() if found and date(1600, 1, 1) <= found <= limit else None


def _written_day(text: str) -> date | None:
    from datetime import datetime

    from dateutil import parser

    days = set()
    # a part that the text does not name is taken from `default`, and "03/04" depends on the reader: those disagree
    for first, default in ((False, datetime(2001, 1, 1)), (True, datetime(2002, 2, 2))):
        try:
            days.add(parser.parse(text, default=default, dayfirst=first, ignoretz=True).date())
        except (ValueError, OverflowError, TypeError, RecursionError):
            return None
    return days.pop() if len(days) == 1 else None


def web_url(value: object) -> str | None:
    """Return an http(s) address as it was given, None when it is anything else or carries markup."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    if len(text) > 2000 or not re.match(r"https?://[^/?#\s@]+(?:[/?#]|$)", text, re.I):
        return None
    if re.search(r"[\s\x00-\x20\x7f<>\"'`\\{}|^\ud800-\udfff\u202a-\u202e\u2066-\u2069]", text):
        return None
    try:
        urlsplit(text)  # "http://[x/" raises there, and would raise wherever the address is taken apart again
    except ValueError:
        return None
    return text


def masked(address: str) -> str:
    """Take a user name and password out of a web address that is to be shown."""
    return re.sub(r"^(\s*(?:https?:[/\\]*|[a-z][a-z0-9+.-]*://))[^/?#]*@", r"\1…@", address, flags=re.I)


# --- plain text -------------------------------------------------------------------------------------------------------


def plain_text(data: bytes, charset: str | None = None) -> str:
    """Decode a whole file of text, its lines kept. Raises: Unreadable when it is none, or empty."""
    if kind := binary(data):
        raise Unreadable(f"is not text: it holds {kind}.")
    text = tidy(decode(data, charset)).strip("\n")
    if not text.strip():
        raise Unreadable("is empty.")
    if text.count("\ufffd") > len(text) * 0.05 or not any(map(str.isalnum, text)):
        raise Unreadable("is not text: it holds binary data, or is in an encoding that Recap does not know.")
    return text


# --- Markdown ---------------------------------------------------------------------------------------------------------

_FRONT = re.compile(r"\A---[ \t]*\n(.{0,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
# Markup to what a person reads. Bounded repeats: a hostile line must not make them quadratic.
_MARKUP: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"^[ \t]{0,3}(?:```|~~~).{0,100}$", re.M), ""),
    (re.compile(r"^[ \t]{0,3}\[[^\]\n]{1,200}\]:[ \t]\S{1,2000}.{0,300}$", re.M), ""),
    (re.compile(r"!?\[([^\[\]\n]{0,1000})\]\((?:[^()\n]|\([^()\n]{0,300}\)){0,2000}\)"), r"\1"),
    (re.compile(r"!?\[([^\[\]\n]{1,1000})\]\[[^\[\]\n]{0,200}\]"), r"\1"),
    (re.compile(r"<(https?://[^\s<>]{1,2000})>"), r"\1"),
    (re.compile(r"^[ \t]{0,3}#{1,6}[ \t]++(.{0,2000}?)[ \t]*+#{0,6}+[ \t]*+$", re.M), r"\1"),
    (re.compile(r"^(?:[ \t]{0,3}>[ \t]?){1,5}", re.M), ""),
    (re.compile(r"^[ \t]{0,3}(?:={3,}|-{3,}|\*{3,}|_{3,}|(?:[*_-][ \t]){2,20}[*_-])[ \t]*$", re.M), ""),
    (re.compile(r"^([ \t]{0,12})[*+][ \t]+", re.M), r"\1- "),
    (re.compile(r"(\*\*|__)(?=\S)([^*_\n]{1,500})(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]{1,500})(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<![\w_])_(?=[^\s_])([^_\n]{1,500})(?<=\S)_(?![\w_])"), r"\1"),
    (re.compile(r"`([^`\n]{1,500})`"), r"\1"),
    (
        re.compile(r"</?(?:p|br|b|i|em|strong|div|span|figure|figcaption|img|a|u|sub|sup|small|cite)\b[^<>]{0,1000}>"),
        "",
    ),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!>~|-])"), r"\1"),
]


def parse_markdown(data: bytes, *, charset: str | None = None) -> Fields:
    """Take the front matter and the first heading as metadata, and the markup out of the text.

    Raises: Unreadable.
    """
    fields: Fields = {}
    text = _without_comments(plain_text(data, charset))
    if m := _FRONT.match(text):
        fields, text = _front_matter(m[1]), text[m.end() :]
    if "title" not in fields and (m := re.search(r"^#[ \t]++(\S.{0,1000}?)[ \t]*+#*+[ \t]*+$", text, re.M)):
        heading = m[1]
        for pattern, plain in _MARKUP[2:]:
            heading = pattern.sub(plain, heading)
        fields["title"] = line(heading)
    for pattern, plain in _MARKUP:
        text = pattern.sub(plain, text)
    text = re.sub(r"(?<![ \t])[ \t]+$", "", re.sub(r"\n{3,}", "\n\n", text), flags=re.M).strip("\n")
    if not text.strip():
        raise Unreadable("holds no text.")
    return {"text": text, **fields}


def _front_matter(block: str) -> Fields:
    """Read `key: value` lines and `- item` lists. Not YAML: a title with a colon is no error here."""
    values: dict[str, list[str]] = {}
    key = ""
    for row in block.split("\n")[:200]:
        if m := re.match(r"([A-Za-z][\w -]{0,40}?)[ \t]*:[ \t]*(.*)", row):
            key = m[1].lower()
            values[key] = [m[2]] if m[2].strip() else []
        elif key and (m := re.match(r"[ \t]*-[ \t]+(.+)", row)):
            values[key].append(m[1])

    def first(*keys: str) -> list[str]:
        for k in keys:
            if found := [_unquoted(v) for v in values.get(k, [])]:
                return found
        return []

    authors = first("authors", "author", "byline", "by")
    if len(authors) == 1 and (m := re.fullmatch(r"\[(.*)\]", authors[0])):
        authors = [_unquoted(v) for v in m[1].split(",")]
    one = {
        "title": line(" ".join(first("title", "headline"))),
        "url": web_url(" ".join(first("url", "link", "canonical", "canonical_url"))),
        "outlet": line(" ".join(first("outlet", "site", "publication", "publisher", "source")), limit=100),
        "published": day(" ".join(first("published", "date", "pubdate", "publish_date", "published_at"))),
        "authors": people(authors),
    }
    return {k: v for k, v in one.items() if v}


def _unquoted(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _without_comments(text: str) -> str:
    parts, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start)) >= 0:
        parts.append(text[at:start])
        at = end + 3
    return "".join(parts) + text[at:]


# --- HTML -------------------------------------------------------------------------------------------------------------

_DECLARED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{2,40})""", re.I)
_DROP = {
    "script", "style", "noscript", "template", "nav", "aside", "footer", "form", "button", "select", "option", "iframe",
    "object", "svg", "canvas", "head", "input", "textarea", "label", "dialog", "menu", "audio", "video", "math",
}  # fmt: skip
_BLOCKS = {
    "p", "div", "section", "article", "main", "body", "li", "ul", "ol", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5",
    "h6", "figure", "figcaption", "blockquote", "pre", "table", "tr", "header", "address", "hr", "details", "summary",
}  # fmt: skip
_CREDIT = re.compile(r"credit|source|copyright|photograph|byline|attribution|agency", re.I)
_CREDITS = re.compile(r"\s*(?:photo|image|picture|credit|courtesy|source|getty|©)", re.I)
_CAPTION = re.compile(r"(?:^|[\s_-])caption(?:$|[\s_-]|text)", re.I)
_CLUTTER = re.compile(
    r"cookie|consent|newsletter|subscribe|share|social|related|recommend|promo|advert|breadcrumb|comment", re.I
)
# trafilatura writes "- " before the number that we put into a numbered item
_NUMBERED = re.compile(r"^(?:[-*•]\s+)(?=\d{1,4}\.\s)", re.M)


def parse_html(data: bytes, *, url: str | None = None, charset: str | None = None) -> Fields:
    """Extract the article of a page: each paragraph, item, caption and credit on a line of its own.

    Raises: Unreadable.
    """
    from lxml import etree  # type: ignore[import-untyped]

    declared = charset
    if declared is None and (m := _DECLARED.search(data[:4096])):
        declared = m[1].decode("ascii")
    if kind := binary(data):
        raise Unreadable(f"is not a web page: it holds {kind}.")
    text = re.sub(r"^\s*<\?xml[^>]{0,200}\?>", "", tidy(decode(data, declared)))
    if not text.strip():
        raise Unreadable("is empty.")
    root = _tree(text)
    if root is None or sum(1 for _ in root.iter()) > MAX_NODES:
        raise Unreadable("is not a page that Recap can read: its markup is broken or far too large.")
    found = _meta(root, url)
    marks = _open_up(root)
    body = _article(root, url)
    plain = plain_html(root)
    flat = " ".join(body.split())
    missing = sum(1 for mark in marks if mark not in flat)
    glued = 3 * (body.count("\n") + 1) < plain.count("\n")
    # trafilatura sometimes keeps the paragraphs and loses the gallery or the list, or glues all of it to one line, or
    # finds next to nothing
    if (len(body) < LITTLE and len(plain) > 1.5 * len(body)) or missing > len(marks) // 3 or glued:
        body = plain if glued or len(plain) > len(body) else body
    body = tidy("\n".join(" ".join(part.split()) for part in body.splitlines() if part.strip()))
    if not any(c.isalnum() for c in body):
        raise Unreadable("holds no article text.")
    etree.clear_error_log()
    return {"text": body, **found}


def _tree(text: str) -> Any:
    from lxml import etree
    from lxml import html as lxml_html

    parser = lxml_html.HTMLParser(remove_comments=True, remove_pis=True, no_network=True, huge_tree=False)
    try:
        root = lxml_html.document_fromstring(text, parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return None
    return root


def _meta(root: Any, url: str | None) -> Fields:
    """Read title, authors, outlet, day and address, and the captions that the text must keep."""
    from trafilatura.metadata import extract_metadata

    try:
        # not extensive: the extensive search takes any date on the page, such as the copyright's
        doc = extract_metadata(_copy(root), default_url=url, extensive=False)
        title, author, site, published, own = doc.title, doc.author, doc.sitename, doc.date, doc.url
    except Exception:  # a bug in a metadata reader must not cost the article
        title = author = site = published = own = None
    if not title:
        title = next((e.text_content() for e in root.iter("h1", "title") if e.text_content().strip()), None)
    outlet = line(site, limit=100)
    if author and outlet:  # a byline block often runs on: "Rosa Field Example Weekly Staff"
        author = re.sub(
            rf"\s*\b{re.escape(outlet)}\s+(?:staff|contributor|writer|reporter)[^;,]*", "", author, flags=re.I
        )
    return {
        "title": line(title),
        "authors": people(author),
        "outlet": None if outlet and re.fullmatch(r"[\w-]+(\.[\w-]+)+(:\d+)?", outlet) else outlet,
        "published": day(published),
        "url": web_url(own),
    }


def _copy(root: Any) -> Any:
    from copy import deepcopy

    return deepcopy(root)


def _inside(e: Any, tags: tuple[str, ...]) -> bool:
    return next(e.iterancestors(*tags), None) is not None


def _open_up(root: Any) -> list[str]:
    """Rewrite what the extractor would lose: captions and telling headings become paragraphs, items carry their number.

    Return the first line of each caption and each heading, which the extracted text must hold.
    """
    marks: list[str] = []
    for figure in list(root.iter("figure")):
        if figure.getparent() is None or figure.find(".//table") is not None or figure.find(".//figure") is not None:
            continue
        lines = [part for caption in figure.iter("figcaption") for part in _lines(caption)]
        inner = [e for e in figure.iter("p", "blockquote", "pre", "h2", "h3") if not _inside(e, ("figcaption",))]
        if not lines or inner:
            continue
        if not _beside(figure):
            marks.append(lines[0])
        _become(figure, lines)
    for e in list(root.iter("figcaption", "div", "p", "dd", "dt", "span")):  # captions of other makes
        if e.getparent() is None or (e.tag != "figcaption" and not _captioned(e)):
            continue
        lines = _lines(e)
        if lines and not _beside(e):
            marks.append(lines[0])
        _become(e, lines)
    for heading in list(root.iter("h2", "h3", "h4")):
        text = " ".join(heading.text_content().split())
        linked = any(" ".join(a.text_content().split()) == text for a in heading.iter("a")) or _inside(heading, ("a",))
        if not text or linked or _beside(heading):  # a heading that is a link announces another article
            continue
        marks.append(text)
        # the item of a list article, or a sentence: text rather than a title above text
        if re.match(r"\d{1,3}\s?[.):]", text) or text.endswith(":") or len(text) > 60:
            _become(heading, [text])
    for ol in root.iter("ol"):
        start = ol.get("start", "1")
        number = int(start) if re.fullmatch(r"\d{1,4}", start) else 1
        for n, li in enumerate(ol.iterchildren("li"), number):
            own = "".join(li.itertext()).lstrip()
            if own and not re.match(rf"{n}\s*[.):]", own):
                first = next((c for c in li.iterchildren() if isinstance(c.tag, str)), None)
                host = first if first is not None and first.tag == "p" and not (li.text or "").strip() else li
                host.text = f"{n}. {(host.text or '').lstrip()}"
    return marks


def _become(e: Any, lines: list[str]) -> None:
    """Turn an element into one paragraph for each line, without the class that makes an extractor drop it."""
    from lxml.html import Element  # type: ignore[import-untyped]

    tail = e.tail
    e.clear()
    e.tag, e.tail = "div", tail
    for part in lines:
        p = Element("p")
        p.text = part
        e.append(p)


def _captioned(e: Any) -> bool:
    if not _CAPTION.search(e.get("class", "")) or e.getparent().tag in ("p", "button", "a", "h1", "h2", "h3"):
        return False
    if next(e.iter("img", "figure", "video", "iframe", "table", "article", "button"), None) is not None:
        return False
    return len(e.text_content()) <= 600


def _beside(e: Any) -> bool:
    """Tell whether an element stands beside the article: in a menu, a sidebar, or a box of links."""
    return any(
        a.tag in _DROP or (a.tag not in ("body", "html") and _CLUTTER.search(f"{a.get('class', '')} {a.get('id', '')}"))
        for a in e.iterancestors()
    )


def _lines(caption: Any) -> list[str]:
    """Split a caption into its lines: the words, then the credit that a child element marks."""
    parts: list[str] = [caption.text or ""]

    def walk(e: Any, depth: int) -> None:
        for child in e.iterchildren():
            if not isinstance(child.tag, str):
                continue
            apart = child.tag in _BLOCKS or child.tag in ("small", "cite", "br") or _marked(child)
            apart = apart or bool(_CREDITS.match(child.text or ""))
            if apart:
                parts.append("")
            parts[-1] += child.text or ""
            if depth < 20:
                walk(child, depth + 1)
            if apart:
                parts.append("")
            parts[-1] += child.tail or ""

    walk(caption, 0)
    return [text for part in parts if (text := " ".join(part.split()))]


def _marked(e: Any) -> bool:
    return bool(_CREDIT.search(f"{e.get('class', '')} {e.get('itemprop', '')} {e.get('data-testid', '')}"))


def _article(root: Any, url: str | None) -> str:
    import trafilatura

    try:
        doc = trafilatura.bare_extraction(_copy(root), url=url, include_comments=False, include_tables=True)
    except RecursionError:
        return ""
    text = (doc.text if doc is not None else None) or ""
    return _NUMBERED.sub("", text)


def plain_html(root: Any) -> str:
    """Read the main part of a page block by block, without judging it: what remains when the extractor finds little."""
    mains = [e for e in root.iter("main", "article") if len(e.text_content()) > LITTLE]
    mains += [e for e in root.iter("div", "section") if e.get("role") == "main" or e.get("itemprop") == "articleBody"]
    top = max(mains, key=lambda e: len(e.text_content()), default=None)
    if top is None:
        top = root.find("body") if root.find("body") is not None else root
    parts: list[str] = [""]
    # iterative: pages nest deeper than Python's stack
    stack: list[tuple[Any, bool]] = [(top, True)]
    while stack:
        e, entering = stack.pop()
        block = e.tag in _BLOCKS
        if not entering:
            if block:
                parts.append("")
            elif e.tag in ("td", "th"):
                parts[-1] += " "
            if e is not top:
                parts[-1] += e.tail or ""
            continue
        clutter = e is not top and _CLUTTER.search(f"{e.get('class', '')} {e.get('id', '')}")
        if e.tag in _DROP or clutter or (e.tag == "header" and not _inside(e, ("article", "main"))):
            parts[-1] += (e.tail or "") if e is not top else ""
            continue
        if block or e.tag == "br":
            parts.append("")
        parts[-1] += e.text or ""
        stack.append((e, False))
        stack.extend((c, True) for c in reversed(list(e.iterchildren())) if isinstance(c.tag, str))
    return "\n".join(text for part in parts if (text := " ".join(part.split())))


# --- PDF --------------------------------------------------------------------------------------------------------------


def parse_pdf(data: bytes) -> Fields:
    """Extract the text of a PDF, its lines joined to paragraphs, and its title and author where they are plausible.

    A PDF's dates say when the file was made, not when the article was published: they are not read.
    Raises: Unreadable.
    """
    import logging

    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError, LimitReachedError, PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    if b"%PDF-" not in data[:1024]:
        raise Unreadable("is not a PDF, whatever its name says.")
    locked = "is locked with a password. Save an unlocked copy and ingest that."
    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable(locked)
        pages = [page.extract_text() or "" for page in reader.pages]
        info = reader.metadata
        title, author = (info.title, info.author) if info else (None, None)
    except (DependencyError, FileNotDecryptedError) as e:
        raise Unreadable(locked) from e
    except LimitReachedError as e:
        raise Unreadable("unpacks to far more than its size. Save its text as .txt and ingest that.") from e
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, AssertionError) as e:
        raise Unreadable("is not a readable PDF. Open it, save it again, and ingest the copy.") from e
    if not pages:
        raise Unreadable("is a PDF without pages.")
    text = tidy("\n".join(paragraphs(page) for page in pages))
    if sum(c.isalnum() for c in text) < 20:
        raise Unreadable("has no text layer: its pages are pictures. Run it through OCR and ingest the result.")
    return {"text": text, "title": _file_title(title), "authors": people(author)}


def paragraphs(page: str) -> str:
    """Join the lines of a page to paragraphs: a line that reaches the margin goes on in the next one."""
    lines = [" ".join(part.split()) for part in tidy(page).split("\n")]
    full = sorted(len(part) for part in lines if part)
    if not full:
        return ""
    margin = full[int(len(full) * 0.9)] * 0.8
    out: list[str] = []
    goes_on = False
    for part in lines:
        if not part:
            goes_on = False
            continue
        if goes_on and not re.match(r"(?:\d{1,3}[.)]|[-•*–])\s", part):
            if re.search(r"[a-z]-$", out[-1]) and part[0].islower():
                out[-1] = out[-1][:-1] + part
            else:
                out[-1] += f" {part}"
        else:
            out.append(part)
        goes_on = len(part) >= margin and len(part) >= 40
    return "\n".join(out)


_BY_PROGRAM = re.compile(
    r"\.(docx?|pdf|indd|qxd|rtf|tmp|html?|txt|odt)$|^(microsoft|untitled|document\d*\b|print|scan|word document$)", re.I
)


def _file_title(value: object) -> str | None:
    """Accept a title out of a file's properties unless a program wrote it."""
    title = line(value)
    if title is None or len(title) < 5 or " " not in title:
        return None
    return None if _BY_PROGRAM.search(title) else title


# --- DOCX -------------------------------------------------------------------------------------------------------------


def parse_docx(data: bytes) -> Fields:
    """Extract the paragraphs and tables of a Word document in order, each on its line.

    Its dates say when the file was written, not when the article was published: they are not read.
    Raises: Unreadable.
    """
    broken = "is not a readable Word document (.docx). Open it, save it again, and ingest the copy."
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable("is an old or a locked Word document. Save it as .docx without a password.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as e:
        raise Unreadable(broken) from e
    # zipfile never reads more of an entry than its directory declares, so the sum of the declared sizes is a limit
    if len(entries) > MAX_ENTRIES or sum(e.file_size for e in entries) > MAX_UNPACKED:
        raise Unreadable(f"unpacks to more than {MAX_UNPACKED // 1_000_000} MB. Save its text as .txt and ingest that.")
    import docx
    from docx.table import Table

    try:
        document = docx.Document(io.BytesIO(data))
        parts: list[str] = []
        heading: str | None = None
        number = 0
        for block in document.iter_inner_content():
            if isinstance(block, Table):
                parts.extend(_rows(block))
                continue
            words = " ".join(block.text.split())
            style = (block.style.name if block.style is not None else "") or ""
            number = number + 1 if style.startswith("List Number") else 0
            if words and heading is None and style in ("Title", "Heading 1"):
                heading = words
            if words and number and not re.match(r"\d+[.)]", words):
                words = f"{number}. {words}"
            elif words and style.startswith("List Bullet"):
                words = f"- {words}"
            parts.append(words)
        core = document.core_properties
        title, author = _file_title(core.title), people(core.author)
    except MemoryError:
        raise
    except Exception as e:  # python-docx lets KeyError, XMLSyntaxError, AttributeError and others through
        raise Unreadable(broken) from e
    text = tidy("\n".join(p for p in parts if p))
    if not any(c.isalnum() for c in text):
        raise Unreadable("holds no text.")
    return {"text": text, "title": title or line(heading), "authors": author}


def _rows(table: Any) -> Iterator[str]:
    for row in table.rows:
        cells: list[str] = []
        for cell in row.cells:
            words = " ".join(cell.text.split())
            if words and (not cells or cells[-1] != words):  # a merged cell is listed once for each column
                cells.append(words)
        yield " | ".join(cells)


# --- feeds ------------------------------------------------------------------------------------------------------------


def parse_feed(data: bytes, *, url: str | None = None) -> Fields:
    """List the entries of an RSS or Atom feed: link, title, authors, day, and the text that the feed itself carries.

    Raises: Unreadable.
    """
    import feedparser

    # a stream, never a string: feedparser would open a string as an address or a path
    try:
        parsed = feedparser.parse(io.BytesIO(data), resolve_relative_uris=False)
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        OverflowError,
    ) as e:  # it takes &#x110000; for a character
        raise Unreadable("is not a feed that Recap can read.") from e
    if not parsed.get("version") and not parsed.entries:
        raise Unreadable("is not a feed that Recap can read.")
    entries = []
    for entry in parsed.entries[:MAX_ITEMS]:
        bodies = [c.get("value") or "" for c in entry.get("content", [])] + [entry.get("summary") or ""]
        body = max(bodies, key=len, default="")
        stamp = entry.get("published_parsed") or entry.get("updated_parsed")
        published = f"{stamp.tm_year:04}-{stamp.tm_mon:02}-{stamp.tm_mday:02}" if stamp else entry.get("published")
        entries.append(
            {
                "link": (entry.get("link") or "").strip(),
                "id": line(entry.get("id")),
                "title": line(_strip(entry.get("title") or "")),
                "authors": people([a.get("name") for a in entry.get("authors", [])] or entry.get("author")),
                "published": day(published),
                "text": _strip(body),
            }
        )
    title = line(_strip(parsed.feed.get("title") or ""))
    return {"title": title, "entries": entries, "more": len(parsed.entries) > MAX_ITEMS}


def _strip(markup: str) -> str:
    """Turn a fragment of markup into lines of text."""
    if "<" not in markup:
        return tidy(html.unescape(markup))
    root = _tree(f"<html><body>{markup}</body></html>")
    if root is None:
        return ""
    _open_up(root)
    return tidy(plain_html(root))


# --- the program that runs under limits -------------------------------------------------------------------------------

PARSERS: dict[str, Callable[..., Fields]] = {
    "html": parse_html,
    "markdown": parse_markdown,
    "pdf": parse_pdf,
    "docx": parse_docx,
    "feed": parse_feed,
}


def send(pipe: IO[bytes], header: Fields, body: bytes = b"") -> None:
    """Write one message: the lengths of its header and body (8 bytes each), a JSON header, and the body."""
    head = json.dumps(header).encode("ascii")
    pipe.write(len(head).to_bytes(8, "big") + len(body).to_bytes(8, "big") + head)
    pipe.write(body)
    pipe.flush()


def receive(pipe: IO[bytes], *, limit: int) -> tuple[Fields, bytes] | None:
    """Read one message; None at the end of the pipe or when it is longer than `limit` bytes."""
    sizes = pipe.read(16)
    if len(sizes) < 16:
        return None
    head, body = int.from_bytes(sizes[:8], "big"), int.from_bytes(sizes[8:], "big")
    if head + body > limit:
        return None
    raw, rest = pipe.read(head), pipe.read(body)
    if len(raw) < head or len(rest) < body:
        return None
    header = json.loads(raw)
    return (header, rest) if isinstance(header, dict) else None


def _limit(names: Iterable[tuple[str, int]]) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; the clock still holds
        return
    for name, value in names:
        try:
            which = getattr(resource, name)
            hard = resource.getrlimit(which)[1]
            resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
        except (AttributeError, ValueError, OSError):
            continue  # a limit that this system does not have


def _size() -> int:
    """Tell the size of this process's address space in bytes, 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as f:
            return int(f.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def serve(memory: int, seconds: int) -> None:
    """Parse what comes in on stdin, one document after the other, in at most `memory` bytes beyond the start."""
    import signal

    pipe_in, pipe_out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 0)
    os.dup2(quiet, 1)  # a library that prints must not write into the answer
    import charset_normalizer  # noqa: F401
    import dateutil.parser  # noqa: F401
    import docx  # noqa: F401
    import feedparser  # noqa: F401
    import pypdf  # noqa: F401
    import trafilatura.metadata  # noqa: F401

    sys.setrecursionlimit(3000)
    base = _size() or 200_000_000
    _limit([("RLIMIT_AS", base + memory), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0), ("RLIMIT_NOFILE", 64)])
    send(pipe_out, {"ready": True})
    while message := receive(pipe_in, limit=memory):
        header, body = message
        if hasattr(signal, "alarm"):
            signal.alarm(seconds + 5)  # ends this process should the parent be gone
        healthy = True
        try:
            answer = PARSERS[header.pop("kind")](body, **header)
        except Unreadable as e:
            answer = {"error": str(e)}
        except MemoryError:
            answer, healthy = {"error": "memory"}, False
        except RecursionError:
            answer = {"error": "nests too deeply to be read."}
        except Exception as e:
            answer = {"error": f"cannot be read ({type(e).__name__})."}
        if hasattr(signal, "alarm"):
            signal.alarm(0)
        # what a large document left behind counts against the next one: start afresh then
        answer["healthy"] = healthy and (_size() or base) < base + memory // 4
        del message, body
        send(pipe_out, answer)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
