"""A thousand files that were valid once: bytes flipped, cut off, spliced with others, repeated, numbers and lengths wrong.

A case is ten files of one seed, ingested in one run among honest ones by the engine of engine.py; feeds come from a
server on loopback.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.loopback_web import Web
from tests.torture import Row
from tests.torture.engine import LIMIT_S, Engine, figures, missing, must_hold, write_honest
from tests.torture.hostile import END, LAUGHS, W, docx, page_pdf, para, pdf

FILES = 10  # of a case
NAMES = ("Ana Lima", "Jo Berg", "Kim Oduya", "Lou Marsh", "Mara Quist", "Tilda Noor", "Bruno Salt", "Ines Calder")
PLACES = ("the harbour hall", "the old mill", "Port Alder", "the Grand Kino", "Quay Park", "Gransund")
DONE = ("sang twice", "won the lantern", "lit the lamps", "opened the market", "thanked the band", "lost the envelope")


def sentences(chance: random.Random, n: int) -> list[str]:
    """Write sentences of invented news."""
    return [
        f"{chance.choice(NAMES)} {chance.choice(DONE)} at {chance.choice(PLACES)} on May {chance.randint(1, 28)}, "
        f"{chance.randint(1990, 2024)}, before {chance.randint(20, 9_000)} people."
        for _ in range(n)
    ]


def text_file(chance: random.Random) -> bytes:
    said = "\n\n".join(["The 2024 Lantern Music Awards", "By Rosa Field", *sentences(chance, 12)])
    return said.encode(chance.choice(("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252")))


def markdown_file(chance: random.Random) -> bytes:
    head = "---\ntitle: Lamps: an evening\nauthors: [Rosa Field, Tom Hale]\ndate: 2024-05-06\n---\n# Lamps\n\n"
    return (
        head + "\n\n".join(f"- **{s[:9]}** [{s[9:]}](https://news.example/a)" for s in sentences(chance, 12))
    ).encode()


def html_file(chance: random.Random) -> bytes:
    body = "".join(f"<p>{s} <a href='/x'>&eacute;&#233;</a></p>" for s in sentences(chance, 10))
    figure = (
        "<figure><img src=a.png><figcaption>Jo Berg <span class=credit>Photo: Max Stone</span></figcaption></figure>"
    )
    story = {
        "@type": "NewsArticle",
        "headline": "Lamps",
        "datePublished": "2024-05-06",
        "author": [{"name": "Rosa Field"}],
    }
    return (
        "<!DOCTYPE html><html><head><meta charset=utf-8><title>Lamps</title><script type='application/ld+json'>"
        f"{json.dumps(story)}</script></head><body><nav>Menu</nav><article><h1>Lamps</h1>{body}{figure}<ol><li>One</li><li>Two"
        f"</li></ol><table><tr><td>a</td><td>b</td></tr></table></article></body></html>"
    ).encode()


def pdf_file(chance: random.Random) -> bytes:
    lines = "".join(f"({s}) Tj T* " for s in sentences(chance, 10))
    page = f"BT /F1 9 Tf 12 TL 40 700 Td {lines}ET".encode()
    return page_pdf(page) if chance.random() < 0.5 else pdf(zlib.compress(page), "/FlateDecode")


def docx_file(chance: random.Random) -> bytes:
    cells = b"".join(b"<w:tc>" + para(s.encode()) + b"</w:tc>" for s in sentences(chance, 3))
    rows = b"<w:tbl>" + (b"<w:tr>" + cells + b"</w:tr>") * 3 + b"</w:tbl>"
    document = W + b"".join(para(s.encode()) for s in sentences(chance, 10)) + rows + END
    if chance.random() < 0.5:
        return docx(document)
    # damage inside of what is packed, which the checksum would else hide from the parser
    hurt, out = damaged(document, chance), io.BytesIO(docx(document))
    with zipfile.ZipFile(out) as z:
        parts = {name: z.read(name) for name in z.namelist()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in parts.items():
            z.writestr(name, hurt if name == "word/document.xml" else data)
    return out.getvalue()


def jsonl_file(chance: random.Random) -> bytes:
    rows = [
        {"url": f"https://news.example/{chance.random()}", "title": s[:30], "text": s * 3, "authors": ["Rosa Field"], "published": "2024-05-06"}
        for s in sentences(chance, 8)
    ]  # fmt: skip
    return "".join(json.dumps(row, ensure_ascii=chance.random() < 0.5) + "\n" for row in rows).encode()


def gzip_file(chance: random.Random) -> bytes:
    return gzip.compress(damaged(jsonl_file(chance), chance) if chance.random() < 0.5 else jsonl_file(chance))


def feed_file(chance: random.Random) -> bytes:
    said = sentences(chance, 8)
    if chance.random() < 0.5:
        items = "".join(
            f"<item><title>{s[:30]}</title><guid>{n}</guid><pubDate>Mon, 06 May 2024 09:00:00 GMT</pubDate>"
            f"<description><![CDATA[<p>{s * 6}</p>]]></description></item>"
            for n, s in enumerate(said)
        )
        return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Lamps</title>{items}</channel></rss>'.encode()
    items = "".join(
        f"<entry><title>{s[:30]}</title><id>{n}</id><updated>2024-05-06T09:00:00Z</updated><author><name>Rosa Field</name></author>"
        f'<content type="html">&lt;p&gt;{s * 6}&lt;/p&gt;</content></entry>'
        for n, s in enumerate(said)
    )
    return f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Lamps</title>{items}</feed>'.encode()


KINDS: tuple[tuple[str, Callable[[random.Random], bytes]], ...] = (
    ("pdf", pdf_file), ("docx", docx_file), ("html", html_file), ("jsonl.gz", gzip_file), ("txt", text_file),
    ("jsonl", jsonl_file), ("xml", feed_file), ("md", markdown_file),
)  # fmt: skip


# --- damage -----------------------------------------------------------------------------------------------------------


def flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 3, 10, 100))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def overwrite(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at : at + chance.randint(1, 64)] = chance.randbytes(chance.randint(1, 64))


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(1, len(data)) :]


def drop(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randint(1, max(2, len(data) // 8))]


def splice(data: bytearray, chance: random.Random) -> None:
    """Put a part of a document of another kind (or of a bomb) in the middle."""
    other = chance.choice((*(make for _, make in KINDS if make is not docx_file), lambda _: LAUGHS))(chance)
    start, at = chance.randrange(len(other)), chance.randrange(len(data))
    data[at:at] = other[start : start + chance.randint(1, 4_000)]


def repeat(data: bytearray, chance: random.Random) -> None:
    """Repeat a block until it is up to 300 kB."""
    at, size = chance.randrange(len(data)), chance.choice((1, 4, 16, 64, 500))
    block = bytes(data[at : at + size])
    data[at:at] = block * chance.choice((2, 10, 1_000, 300_000 // max(1, len(block))))


def repeat_piece(data: bytearray, chance: random.Random) -> None:
    """Repeat something that means something: a tag, a key, an object, a line."""
    pieces = list(re.finditer(rb"<[^<>]{1,80}>|<<|\[|\{|\"[^\"]{1,40}\"|[^\n]{1,200}\n|/\w+", bytes(data)))
    if pieces:
        piece = chance.choice(pieces)
        data[piece.start() : piece.start()] = piece.group() * chance.choice((2, 50, 5_000))


def number(data: bytearray, chance: random.Random) -> None:
    """Change a number that is written in digits: a length, an offset, a count, a date."""
    if found := list(re.finditer(rb"\d+", bytes(data))):
        where = chance.choice(found)
        to = chance.choice((b"0", b"-1", b"1", b"2147483648", b"18446744073709551616", b"9" * 400, b"1e999", b"NaN"))
        data[where.start() : where.end()] = to


def length(data: bytearray, chance: random.Random) -> None:
    """Change two or four bytes to the largest, the least, or one more: lengths, where a format keeps them binary."""
    marks = [m.start() + chance.randrange(4, 46) for m in re.finditer(rb"PK..|\x1f\x8b", bytes(data), re.S)]
    at = min(chance.choice(marks or [chance.randrange(len(data))]), len(data) - 1)
    size = chance.choice((2, 4))
    data[at : at + size] = chance.choice((b"\xff", b"\x00", b"\x7f", b"\x80"))[:1] * size


DAMAGE: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip, cut, splice, repeat, number, length, drop, overwrite, repeat_piece,
)  # fmt: skip


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Damage data once to four times."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        if len(out) > 1:
            chance.choice(DAMAGE)(out, chance)
    return bytes(out)


@cache
def specimens(n: int) -> tuple[tuple[str, bytes], ...]:
    """Return the files of a case: the kinds in turn, each with the damage whose turn it is, and some more."""
    out = []
    for k in range(n * FILES, (n + 1) * FILES):
        chance = random.Random(k)
        ending, make = KINDS[k % len(KINDS)]
        data = bytearray(make(chance))
        DAMAGE[k % len(DAMAGE)](data, chance)
        if chance.random() < 0.4 and len(data) > 1:
            data = bytearray(damaged(bytes(data), chance))
        out.append((f"{k:04}.{ending}", bytes(data)))
    return tuple(out)


# --- the row ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    engine: Engine
    web: Web


@contextmanager
def around(folder: Path) -> Iterator[Given]:
    engine, web = Engine(folder, RECAP_ALLOW_PRIVATE_URLS="1"), Web()
    try:
        yield Given(engine, web)
    finally:
        engine.close()
        web.close()


def case(n: int, given: Given, folder: Path) -> dict[str, float]:
    """Ingest ten damaged files among honest ones, and the feeds of them from a server."""
    files = folder / "files"
    files.mkdir()
    feeds = []
    for name, data in specimens(n):
        if name.endswith("xml"):
            given.web.put(f"/{name}", data, "application/rss+xml")
            feeds.append(given.web.url(f"/{name}", host="127.0.0.1"))
        else:
            (files / name).write_bytes(data)
    write_honest(files)
    web = given.web.port if feeds else None
    out = must_hold(given.engine, files, [str(files), *feeds], folder / "library", web=web)
    told = {s.partition("#")[0] for s in (*out.report["added"], *out.report["updated"], *out.rejected)}
    for name, _ in specimens(n):
        # lines go by the address that they give, items of feeds by their page
        assert name.endswith(("jsonl", "jsonl.gz", "xml")) or (files / name).as_uri() in told, (
            f"nothing was said of {name}"
        )
    return figures(out) | {"rejected": len(out.rejected)}


ROW = Row(
    name="fuzzed",
    fault="ten files that were valid once, damaged",
    required="read or rejected with a reason in 30 s, the reader in 512 MiB; the honest come in, nothing else is touched",
    quick=2,
    full=100,
    case=case,
    around=around,
    limit_s=LIMIT_S + 60,
    missing=missing,
)
