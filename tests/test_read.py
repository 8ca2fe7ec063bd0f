"""Reading: each format gives its text line by line with the metadata that it carries; each failure is one sentence."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.config import Config
from rag.errors import ReadError, ReadTimeout
from rag.ingest import parse, pipeline
from rag.ingest import read as reading
from rag.ingest.fetch import Page, fetch
from rag.ingest.read import Raw, Rejected, read
from rag.store.library import Library
from tests.conftest import CountingEmbedder
from tests.loopback_web import Public, Web

TEXT = "The lamps of the harbour were lit at eight.\n\nThe band played until midnight, and Ana Lima sang."

GALLERY = """<!DOCTYPE html><html lang="en"><head><title>Backstage at the 2024 Lantern Awards | Example Weekly</title>
<meta property="og:site_name" content="Example Weekly"><meta name="author" content="Rosa Field">
<meta property="article:published_time" content="2024-05-06T10:00:00Z">
<link rel="canonical" href="https://weekly.example/gallery/lantern-2024"></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/music">Music</a></li></ul></nav>
<main><article><h1>Backstage at the 2024 Lantern Awards</h1>
<p>The lights went down in Lisbon on Sunday night, and the guests gathered behind the stage for pictures.</p>
<figure><img src="a.jpg" alt="two people"><figcaption>Ana Lima &amp; Jo Berg
  <span class="credit">Photo: Max Stone for Example Radio</span></figcaption></figure>
<figure><img src="b.jpg"><figcaption>Kim Oduya with her award<span>Photo: Getty Images</span></figcaption></figure>
<figure><img src="c.jpg">
<figcaption><p>The Harbour Five and Lou Marsh</p><p>Photo: Getty Images</p></figcaption></figure>
<ol><li>Ana Lima sang first.</li><li><p>Jo Berg fell off the stage.</p></li></ol>
<ul><li>Five awards were given.</li></ul>
<figure><img src="d.jpg"><figcaption>Pat Reed</figcaption></figure>
<blockquote>"Nobody wanted to go home," Lima said.</blockquote>
<p>The party went on until the fish market opened at five, and the organisers called it the best year so far.</p>
</article></main><aside><h2>Read more</h2><ul><li>Ten hats you can buy today</li></ul></aside>
<footer><p>Copyright 2019 Example Weekly. Cookie settings.</p></footer></body></html>"""
GALLERY_LINES = [
    "The lights went down in Lisbon on Sunday night, and the guests gathered behind the stage for pictures.",
    "Ana Lima & Jo Berg",
    "Photo: Max Stone for Example Radio",
    "Kim Oduya with her award",
    "Photo: Getty Images",
    "The Harbour Five and Lou Marsh",
    "Photo: Getty Images",
    "1. Ana Lima sang first.",
    "2. Jo Berg fell off the stage.",
    "- Five awards were given.",
    "Pat Reed",
    '"Nobody wanted to go home," Lima said.',
    "The party went on until the fish market opened at five, and the organisers called it the best year so far.",
]


def one(path: Path | str) -> Raw:
    found = list(read([str(path)]))
    assert len(found) == 1
    assert isinstance(found[0], Raw), found[0]
    return found[0]


def reason(place: Path | str) -> str:
    found = list(read([str(place)]))
    assert len(found) == 1
    assert isinstance(found[0], Rejected), found[0]
    return found[0].reason


def write(path: Path, data: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


# --- text and its encodings -------------------------------------------------------------------------------------------


def test_text_comes_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "a b#1.txt", TEXT)
    assert one(path) == Raw(source=f"file://{tmp_path}/a%20b%231.txt", text=TEXT)


ENCODED = {
    "utf-8": "Beyoncé’s night – “grand”",
    "utf-8-sig": "Beyoncé’s night",
    "utf-16": "Beyoncé’s night",
    "utf-16-le": "Beyoncé’s night, at some length",
    "utf-16-be": "Beyoncé’s night, at some length",
    "utf-32": "Beyoncé’s night",
    "cp1252": "Beyoncé’s café – “grand”, said Zoë",
    "cp932": "ビヨンセはグラミー賞で話題になった。会場は満員だった。",
    "euc_jp": "音楽賞の授賞式が昨日ロサンゼルスで行われた。",
    "iso2022_jp": "音楽賞の授賞式が昨日行われた。",
    "gb18030": "音乐大奖昨晚在洛杉矶举行，许多明星到场。",
    "cp949": "음악 시상식이 어젯밤 로스앤젤레스에서 열렸다.",
    "cp1251": "Музыкальная премия прошла в Лос-Анджелесе, и все были рады",
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_encodings(encoding: str, tmp_path: Path) -> None:
    assert one(write(tmp_path / "a.txt", ENCODED[encoding].encode(encoding))).text == ENCODED[encoding]


@pytest.mark.parametrize(
    "label", ["idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7", "hex", "no\0ne"]
)
def test_a_label_that_is_no_encoding_of_the_web_is_ignored(label: str) -> None:
    data = b"\\u0041 +AEEAQg- caf\xe9 " * 5
    assert parse.decode(data, label) == parse.decode(data) == data.decode("cp1252")
    assert parse._codec(label) is None


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("ISO-8859-1", "cp1252"), ("iso8859-1", "cp1252"), ("l1", "cp1252"), ("windows-1252", "cp1252"),
        ("us-ascii", "cp1252"), ("Shift_JIS", "cp932"), ("windows-31j", "cp932"), ("x-sjis", "cp932"),
        ("gb2312", "gb18030"), ("GBK", "gb18030"), ("korean", "cp949"), ("iso-8859-9", "cp1254"), ("latin5", "cp1254"),
        ("iso-8859-15", "iso8859-15"), ("'koi8-u'", "koi8-u"), ("macintosh", "mac-roman"), ("big5-hkscs", "big5hkscs"),
        ("windows-874", "cp874"), ("utf-16le", "utf-16-le"), ("ibm866", "cp866"), ("utf-32", None), ("cp037", None),
        ("nothing", None),
    ],
)  # fmt: skip
def test_a_label_means_what_it_means_on_the_web(label: str, codec: str | None) -> None:
    assert parse._codec(label) == codec


def test_every_encoding_of_the_web_is_known_by_the_name_of_its_codec() -> None:
    assert {codecs.lookup(name).name for name in parse._ENCODINGS} == parse._ENCODINGS


def test_utf8_with_a_wrong_byte_stays_utf8(tmp_path: Path) -> None:
    data = "Beyoncé and Zoë went to the café. ".encode() * 20
    assert one(write(tmp_path / "a.txt", data[:-1] + b"\xe9 end")).text == data[:-1].decode() + "\ufffd end"


def test_lines_nfc_and_controls(tmp_path: Path) -> None:
    raw = "one\r\ntwo\rthree\u2028four\x0bfive\n\n\nBeyonce\u0301\x00\x07 \u202eevil\U000e0041\n"
    assert one(write(tmp_path / "a.txt", raw)).text == "one\ntwo\nthree\nfour\nfive\n\n\nBeyoncé evil"


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_decode_to_text_that_can_be_stored(data: bytes) -> None:
    text = parse.tidy(parse.decode(data))
    text.encode("utf-8")
    assert "\x00" not in text
    assert "\r" not in text
    assert parse.tidy(text) == text


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_utf8_text_comes_back(text: str) -> None:
    assert parse.tidy(parse.decode(b"\xef\xbb\xbf" + text.encode())) == parse.tidy(text)


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n ", b"\xef\xbb\xbf", b"\xff\xfe \x00\n\x00", b"\x00\x00"])
@pytest.mark.parametrize("ending", ["txt", "md", "html", "pdf", "docx", "jsonl"])
def test_empty_files(data: bytes, ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a.{ending}", data)
    told = reason(path)
    assert told.startswith(f"{path} ")
    if ending in ("txt", "md", "html") or data[:1] not in (b"\xff", b"\0"):
        assert told == f"{path} is empty."


# --- Markdown ---------------------------------------------------------------------------------------------------------


def test_markdown(tmp_path: Path) -> None:
    raw = one(
        write(
            tmp_path / "a.md",
            """---
title: "Lamps: a night to remember"
date: 2024-05-06
authors:
  - Rosa Field
  - Tom Hale
url: https://weekly.example/lamps
site: Example Weekly
tags: [a, b]
---
# Lamps

The **band** played *until* [midnight](https://x.example/a_(b)), said `Ana` and snake_case * 2.

![Kim Oduya with her award](kim.jpg)

1. First item
* Second item

> A quotation.

<!-- not for readers -->
***
## Later
2 * 3 * 4, and 5\\*6
""",
        )
    )
    assert raw.title == "Lamps: a night to remember"
    assert raw.published == date(2024, 5, 6)
    assert raw.authors == ("Rosa Field", "Tom Hale")
    assert (raw.url, raw.outlet) == ("https://weekly.example/lamps", "Example Weekly")
    assert raw.text.split("\n") == [
        "Lamps",
        "",
        "The band played until midnight, said Ana and snake_case * 2.",
        "",
        "Kim Oduya with her award",
        "",
        "1. First item",
        "- Second item",
        "",
        "A quotation.",
        "",
        "Later",
        "2 * 3 * 4, and 5*6",
    ]


def test_markdown_without_front_matter_takes_its_heading(tmp_path: Path) -> None:
    raw = one(write(tmp_path / "a.md", "Some words\n\n# The *Night* of [Lamps](x) #\n\nMore words\n"))
    assert raw.title == "The Night of Lamps"


@pytest.mark.parametrize(
    ("line", "authors"),
    [("author: Rosa Field", ("Rosa Field",)), ("author: [Rosa Field, 'Tom Hale']", ("Rosa Field", "Tom Hale")),
     ("by: Rosa Field and Tom Hale", ("Rosa Field", "Tom Hale")), ("author:", ())],
)  # fmt: skip
def test_front_matter_authors(line: str, authors: tuple[str, ...], tmp_path: Path) -> None:
    assert one(write(tmp_path / "a.md", f"---\n{line}\n---\nwords")).authors == authors


# --- HTML -------------------------------------------------------------------------------------------------------------


def test_a_gallery_keeps_its_captions_credits_and_items_on_their_lines(tmp_path: Path) -> None:
    raw = one(write(tmp_path / "a.html", GALLERY))
    assert raw.title == "Backstage at the 2024 Lantern Awards"
    assert raw.authors == ("Rosa Field",)
    assert raw.outlet == "Example Weekly"
    assert raw.published == date(2024, 5, 6)
    assert raw.url == "https://weekly.example/gallery/lantern-2024"
    lines = raw.text.split("\n")
    assert [x for x in lines if x in GALLERY_LINES] == GALLERY_LINES
    assert set(lines) - set(GALLERY_LINES) <= {"Backstage at the 2024 Lantern Awards"}


def test_captions_without_paragraphs_around_them(tmp_path: Path) -> None:
    names = ["Ana Lima", "Jo Berg", "Kim Oduya", "Lou Marsh", "Pat Reed", "Sam Ito"]
    figures = "".join(
        f"<figure><img src='{n}.jpg'><figcaption>{n} and a guest<em>Photo: Getty Images</em></figcaption></figure>"
        for n in names
    )
    page = f"<html><body><header>Menu</header><article><h1>In pictures</h1>{figures}</article></body></html>"
    lines = one(write(tmp_path / "a.html", page)).text.split("\n")
    assert [x for x in lines if x.endswith("a guest")] == [f"{n} and a guest" for n in names]
    assert lines.count("Photo: Getty Images") == len(names)


LISTICLE = """<html><head><title>3 Pure Things</title><meta property="og:site_name" content="ExampleFeed"></head><body>
<div id="buzz"><header class="headline"><h1>3 Pure Things At The Lamp Awards</h1></header>
<div class="item item-text"><p>In case you missed it, Tuesday night was the lamp show. Here are the moments:</p></div>
<div class="item"><h2 class="item__title"><span class="n">1.</span>
<span>Ana Lima brought her sons to the show:</span></h2>
<figure><img src=x><figcaption><p>Ana and her sons</p><span class="item__attribution">Kevin Q / Getty Images</span>
</figcaption></figure></div>
<div class="item"><h2 class="item__title"><span class="n">2.</span> <span>Jo Berg met Kim&#x27;s band:</span></h2>
<figure><img src=x><figcaption>Jo hugs Kim<cite>Taylor H / FilmMagic</cite></figcaption></figure></div>
<div class="item"><h2 class="item__title"><span class="n">3.</span>
<span>Finally, Lou posed with the statues:</span></h2>
<div><img src=x></div><div class="wp-caption-text">Lou with statues</div>
<p class="attribution">Max / Getty Images</p></div>
<div class="related-posts"><h2>More to read about hats, and about some other things that are sold</h2></div>
</div><footer>Imprint</footer></body></html>"""


def test_what_stands_around_an_article_stays_out(tmp_path: Path) -> None:
    teasers = "".join(
        f"<div class='river'><h3><a href='/{n}'>Another story number {n}</a></h3></div>" for n in range(9)
    )
    page = (
        "<html><body><div class='cookie-banner'><p>We value your privacy.</p></div><nav><a href='/'>Home</a></nav><main>"
        f"<h1>Night of the lamps</h1>{BODY}<h2>What came after</h2>{BODY}{teasers}</main>"
        "<div class='newsletter'><h2>Sign up for our newsletter</h2></div><footer><p>Imprint</p></footer></body></html>"
    )
    text = one(write(tmp_path / "a.html", page)).text
    assert text.count("Paragraph 11 tells at some length how the harbour was lit that evening.") == 2
    assert "What came after" in text.split("\n")
    for other in ("Another story", "privacy", "Home", "newsletter", "Imprint"):
        assert other not in text


def test_a_gallery_of_another_make(tmp_path: Path) -> None:
    names = ["Ana Lima", "Jo Berg", "Kim Oduya", "Lou Marsh", "Pat Reed", "Sam Ito"]
    slides = "".join(
        f"<div class='slide'><div><img src='{n}.jpg'></div><div class='slide-caption'>{n} and a guest</div>"
        "<div class='slide-credit'>Photo: Getty Images</div></div>"
        for n in names
    )
    page = f"<html><body><article><h1>In pictures</h1><p>The guests came on Sunday.</p>{slides}</article></body></html>"
    lines = one(write(tmp_path / "a.html", page)).text.split("\n")
    assert lines[lines.index("The guests came on Sunday.") + 1 :] == [
        line for n in names for line in (f"{n} and a guest", "Photo: Getty Images")
    ]


def test_a_listicle_keeps_its_numbered_items_whole(tmp_path: Path) -> None:
    raw = one(write(tmp_path / "a.html", LISTICLE))
    lines = raw.text.split("\n")
    assert lines[lines.index("1. Ana Lima brought her sons to the show:") :] == [
        "1. Ana Lima brought her sons to the show:",
        "Ana and her sons",
        "Kevin Q / Getty Images",
        "2. Jo Berg met Kim's band:",
        "Jo hugs Kim",
        "Taylor H / FilmMagic",
        "3. Finally, Lou posed with the statues:",
        "Lou with statues",
        "Max / Getty Images",
    ]
    assert "In case you missed it, Tuesday night was the lamp show. Here are the moments:" in lines


def test_a_page_of_which_the_extractor_finds_little_is_read_plainly(tmp_path: Path) -> None:
    rows = "".join(f"<div>Award {n}<br>goes to singer number {n}</div>" for n in range(20))
    page = (
        f"<html><body><nav>Menu</nav><div>{rows}</div><script>var x = 1</script><footer>Imprint</footer></body></html>"
    )
    lines = one(write(tmp_path / "a.html", page)).text.split("\n")
    assert "Award 19" in lines
    assert "goes to singer number 19" in lines
    assert not {"Menu", "Imprint", "var x = 1"} & set(lines)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "cp932"])
def test_html_in_its_declared_encoding(encoding: str, tmp_path: Path) -> None:
    word = "音楽賞" if encoding == "cp932" else "Beyoncé"
    label = {"cp1252": "iso-8859-1", "cp932": "Shift_JIS"}.get(encoding, encoding)
    body = f"<p>{word} " + "words of an article that is long enough to be taken for one. " * 6
    page = f"<html><head><meta charset='{label}'><title>{word} x</title></head><body><article>{body}</article></body>"
    raw = one(write(tmp_path / "a.html", page.encode(encoding)))
    assert raw.text.startswith(word)
    assert raw.title == f"{word} x"


def test_markup_in_the_metadata_is_text(tmp_path: Path) -> None:
    page = (
        "<html><head><title>a</title><meta property='og:title' content='&lt;img src=x onerror=alert(1)&gt; the night'>"
        "<meta name='author' content='javascript:alert(1)//https://x.example'>"
        "<link rel='canonical' href='javascript:alert(1)'></head><body><article><p>"
        + "Words of an article that go on. "
        * 20
    )
    raw = one(write(tmp_path / "a.html", page))
    assert raw.url is None
    assert not any(c in a for a in raw.authors for c in ":/<")
    assert raw.title == "<img src=x onerror=alert(1)> the night"  # text, to be escaped where it is shown


# --- PDF and DOCX -----------------------------------------------------------------------------------------------------


def make_pdf(paragraphs: list[str], *, title: str = "", author: str = "", password: str | None = None) -> bytes:
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

    out = io.BytesIO()
    encrypt = StandardEncryption(password, strength=128) if password is not None else None
    document = SimpleDocTemplate(out, title=title, author=author, encrypt=encrypt)
    style = getSampleStyleSheet()["Normal"]
    document.build([x for p in paragraphs for x in (Paragraph(p, style), Spacer(1, 12))])
    return out.getvalue()


LONG = "The lamps of the harbour were lit at eight, and everybody who had a boat came out to see them burn. " * 3


def test_pdf_lines_become_paragraphs(tmp_path: Path) -> None:
    raw = one(
        write(tmp_path / "a.pdf", make_pdf([LONG, "Ana Lima sang."], title="Night of the lamps", author="Rosa Field"))
    )
    assert raw.text == f"{LONG.strip()}\nAna Lima sang."
    assert (raw.title, raw.authors) == ("Night of the lamps", ("Rosa Field",))
    assert raw.published is None  # the file was made today; the article was not written today


@pytest.mark.parametrize("title", ["Microsoft Word - lamps.docx", "untitled", "lamps.indd", "x"])
def test_a_title_that_a_program_wrote_is_none(title: str, tmp_path: Path) -> None:
    raw = one(
        write(tmp_path / "a.pdf", make_pdf(["The lamps were lit at eight."], title=title, author="Administrator"))
    )
    assert (raw.title, raw.authors) == (None, ())


def test_locked_and_textless_pdfs(tmp_path: Path) -> None:
    locked = write(tmp_path / "locked.pdf", make_pdf([LONG], password="secret"))
    assert reason(locked) == f"{locked} is locked with a password. Save an unlocked copy and ingest that."
    assert one(write(tmp_path / "open.pdf", make_pdf([LONG], password=""))).text == LONG.strip()
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.rect(10, 10, 200, 200, fill=1)
    canvas.save()
    assert "has no text layer" in reason(write(tmp_path / "scan.pdf", out.getvalue()))


def test_paragraphs() -> None:
    page = (
        "Night of the lamps\nThe lamps of the harbour were lit at eight, and every-\nbody who had a boat came out to"
        " see them burn for\nhours.\n1. Ana Lima sang first, and she sang for an hour or so\n"
        "2. Jo Berg fell off the stage"
    )
    assert parse.paragraphs(page).split("\n") == [
        "Night of the lamps",
        "The lamps of the harbour were lit at eight, and everybody who had a boat came out to see them burn for hours.",
        "1. Ana Lima sang first, and she sang for an hour or so",
        "2. Jo Berg fell off the stage",
    ]


def test_docx(tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    document.core_properties.title = ""
    document.core_properties.author = "Rosa Field; Tom Hale"
    document.add_heading("Night of the lamps", 0)
    document.add_paragraph("The lamps were lit\tat eight.")
    for item in ("Ana Lima sang first.", "Jo Berg fell."):
        document.add_paragraph(item, style="List Number")
    document.add_paragraph("Five awards", style="List Bullet")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Best song", "Kim Oduya"
    document.add_paragraph("The end.")
    document.save(str(tmp_path / "a.docx"))
    raw = one(tmp_path / "a.docx")
    assert raw.text.split("\n") == [
        "Night of the lamps",
        "The lamps were lit at eight.",
        "1. Ana Lima sang first.",
        "2. Jo Berg fell.",
        "- Five awards",
        "Best song | Kim Oduya",
        "The end.",
    ]
    assert (raw.title, raw.authors) == ("Night of the lamps", ("Rosa Field", "Tom Hale"))
    assert raw.published is None


# --- JSONL ------------------------------------------------------------------------------------------------------------

ROWS: list[Any] = [
    {"url": "https://weekly.example/a", "title": "A &amp; B", "text": TEXT, "authors": ["Rosa Field"],
     "published": "2024-05-06"},
    {"text": "No address here", "authors": "Rosa Field and Tom Hale", "published": "Sept. 14, 2023"},
    {"url": "javascript:alert(1)", "text": "A false address", "published": "soon", "authors": None},
]  # fmt: skip


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_jsonl(name: str, tmp_path: Path) -> None:
    rows = [json.dumps(r) for r in ROWS]
    lines = [
        rows[0],
        "",
        "{broken",
        rows[1],
        "[1, 2]",
        '{"title": "no text"}',
        '{"text": "  "}',
        '{"text": 5}',
        rows[2],
    ]
    data = "\n".join(lines).encode()
    data = data.replace(b"{broken", b'{"text": "\xff"}\n{broken')
    path = write(tmp_path / name, gzip.compress(data) if name.endswith("gz") else data)
    found = list(read([str(path)]))
    file = path.as_uri()
    assert [f for f in found if isinstance(f, Raw)] == [
        Raw(
            "https://weekly.example/a",
            TEXT,
            "A & B",
            "https://weekly.example/a",
            ("Rosa Field",),
            None,
            date(2024, 5, 6),
        ),
        Raw(f"{file}#5", "No address here", authors=("Rosa Field", "Tom Hale"), published=date(2023, 9, 14)),
        Raw(f"{file}#10", "A false address"),
    ]
    assert [f for f in found if isinstance(f, Rejected)] == [
        Rejected(f"{file}#3", f"Line 3 of {path} is not UTF-8."),
        Rejected(f"{file}#4", f"Line 4 of {path} is not valid JSON."),
        Rejected(f"{file}#6", f"Line 6 of {path} is not a JSON object with url, title, text, authors, published."),
        Rejected(f"{file}#7", f'Line 7 of {path} has no "text".'),
        Rejected(f"{file}#8", f'Line 8 of {path} has an empty "text".'),
        Rejected(f"{file}#9", f'Line 9 of {path} has no "text".'),
    ]


def test_jsonl_strings_that_cannot_be_stored_are_mended(tmp_path: Path) -> None:
    (found,) = read([str(write(tmp_path / "a.jsonl", '{"text": "a\\ud800b\\u0000c", "title": "\\udfff"}'))])
    assert found == Raw(f"{(tmp_path / 'a.jsonl').as_uri()}#1", "abc")


def test_a_long_line_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LINE", 100)
    data = '{"text": "one"}\n{"text": "' + "x" * 1_000 + '"}\n{"text": "three"}'
    found = list(read([str(write(tmp_path / "a.jsonl", data))]))
    assert [getattr(f, "text", None) for f in found] == ["one", None, "three"]
    assert [f.source.rpartition("#")[2] for f in found] == ["1", "2", "3"]


@pytest.mark.parametrize(("open_", "shut"), [("[", "]"), ('[{"name": ', "}]")])
def test_authors_that_nest_without_end_cost_nothing_else(open_: str, shut: str, tmp_path: Path) -> None:
    deep = '{"text": "two", "authors": ' + open_ * 450 + '"A B"' + shut * 450 + "}"
    path = write(tmp_path / "a.jsonl", f'{{"text": "one"}}\n{deep}\n{{"text": "three"}}')
    assert [(f.text, f.authors) for f in read([str(path)]) if isinstance(f, Raw)] == [
        ("one", ()), ("two", ()), ("three", ()),
    ]  # fmt: skip


def test_a_line_that_nests_too_deep_is_rejected_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deep(value: object) -> list[str]:
        return deep(value) if value else []

    monkeypatch.setattr(parse, "people", deep)
    path = write(tmp_path / "a.jsonl", '{"text": "one"}\n{"text": "two", "authors": "A B"}\n{"text": "three"}')
    found = list(read([str(path)]))
    assert [getattr(f, "text", None) for f in found] == ["one", None, "three"]
    assert getattr(found[1], "reason", "") == f"Line 2 of {path} is not valid JSON."


def test_the_wrong_file_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BAD_LINES", 5)
    found = list(read([str(write(tmp_path / "a.jsonl", "not json\n" * 50))]))
    assert len(found) == 6
    assert "has 5 bad lines in a row; the rest was not read." in getattr(found[-1], "reason", "")


def test_a_damaged_archive_gives_what_came_before(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"text": f"article {n} " + os.urandom(300).hex()}) + "\n" for n in range(300))
    path = write(tmp_path / "a.jsonl.gz", gzip.compress(lines.encode())[:-5_000])
    *good, last = read([str(path)])
    assert len(good) > 200
    assert all(isinstance(g, Raw) for g in good)
    assert isinstance(last, Rejected)
    assert "is damaged after line" in last.reason


# --- dates and people -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2023-09-14", "2023-09-14"), ("2023-09-14T22:00:00-07:00", "2023-09-14"), ("20230914", "2023-09-14"),
        ("Thu, 14 Sep 2023 10:00:00 GMT", "2023-09-14"), ("September 14, 2023", "2023-09-14"),
        ("14/09/2023", "2023-09-14"),
        ("03/04/2023", None), ("2023", None), ("September 2023", None), ("2023-13-45", None), ("2999-01-01", None),
        ("Tuesday", None), ("", None), (None, None), (20230914, None),
    ],
)  # fmt: skip
def test_day(written: object, iso: str | None) -> None:
    assert parse.day(written) == iso


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("By Rosa Field", ["Rosa Field"]), ("Field, Rosa", ["Field, Rosa"]), (["A B", "A B", " "], ["A B"]),
        ("Rosa Field, Tom Hale and Ivy Chen", ["Rosa Field", "Tom Hale", "Ivy Chen"]), ([{"name": "A B"}], ["A B"]),
        ([["A B"], [["C D"]]], ["A B"]),
        ("https://x.example/rosa", []), ("admin", []), (None, []), (7, []), ("Sean O&#x27;Neil", ["Sean O'Neil"]),
    ],
)  # fmt: skip
def test_people(written: object, names: list[str]) -> None:
    assert parse.people(written) == names


# --- locations --------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_in_order_and_what_is_no_document_is_passed_over(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "sub/c.md", "sub/deeper/d.TXT", ".hidden.txt", ".git/e.txt", "p.jpg", "s.css",
                 "page.html", "page_files/advert.html", "old.doc", "table.csv", "noending", "bundle.zip"):  # fmt: skip
        write(tmp_path / name, "<p>" + "Words of an article. " * 20 if name.endswith("html") else "words")
    found = list(read([str(tmp_path)]))
    names = [f.source.removeprefix(tmp_path.as_uri() + "/") for f in found]
    assert names == [
        "a.txt",
        "b.txt",
        "bundle.zip",
        "noending",
        "old.doc",
        "page.html",
        "table.csv",
        "sub/c.md",
        "sub/deeper/d.TXT",
    ]
    rejected = {n: f.reason for n, f in zip(names, found, strict=True) if isinstance(f, Rejected)}
    assert set(rejected) == {"bundle.zip", "noending", "old.doc", "table.csv"}
    start = "Recap reads .txt, .md, .html, .pdf, .docx, .jsonl and .jsonl.gz; "
    assert all(r.startswith(start) for r in rejected.values())
    assert rejected["old.doc"].endswith("old.doc is none of them. Save it as .docx or .txt.")
    assert rejected["bundle.zip"].endswith("Unpack it first.")
    assert list(read([str(tmp_path)])) == found


def test_what_is_named_is_read_or_rejected_never_passed_over(tmp_path: Path) -> None:
    told = reason(write(tmp_path / "p.jpg", "x"))
    assert told == f"Recap reads .txt, .md, .html, .pdf, .docx, .jsonl and .jsonl.gz; {tmp_path}/p.jpg is none of them."
    assert one(write(tmp_path / ".hidden.txt", "words")).text == "words"


def test_globs(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c.md", "p.jpg", "sub/d.txt"):
        write(tmp_path / name, f"words {name}")
    texts = [getattr(f, "text", None) for f in read([f"{tmp_path}/*.txt"])]
    assert texts == ["words a.txt", "words b.txt"]
    assert len(list(read([f"{tmp_path}/**/*.txt"]))) == 3
    assert len(list(read([f"{tmp_path}/**"]))) == 4
    assert reason(f"{tmp_path}/*.pdf").startswith(f"Nothing matches {tmp_path}/*.pdf.")
    assert one(write(tmp_path / "odd[1].txt", "odd")).text == "odd"  # a name with a pattern's characters


def test_the_same_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.txt", "words")
    monkeypatch.chdir(tmp_path)
    assert len(list(read([str(path), "a.txt", str(tmp_path), "*.txt", path.as_uri(), "./a.txt"]))) == 1


FACT = '{"id": "a", "type": "fact", "question": "Who sang?", "answers": ["Ana Lima"]}\n'


@pytest.mark.parametrize("name", ["facts.jsonl", "facts.jsonl.gz"])
def test_facts_for_the_evaluation_are_passed_over_in_a_folder(name: str, tmp_path: Path) -> None:
    data = FACT.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (tmp_path / "a.txt").write_text(TEXT)
    assert [type(f) for f in read([str(tmp_path)])] == [Raw]
    assert [type(f) for f in read([str(tmp_path / "*")])] == [Raw]
    assert [type(f) for f in read([str(tmp_path / name)])] == [Rejected]  # it was asked for by name


@pytest.mark.parametrize(
    "line", ['{"question": "Who?", "type": "fact", "text": "Ana sang."}', '{"question": "Who?"}', "[1]", "{", ""]
)
def test_what_only_resembles_facts_is_read_or_rejected(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(line)
    assert len(list(read([str(tmp_path)]))) == 1


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path / "p.jpg", "x")
    told = f"The folder {tmp_path} holds no articles. Recap reads .txt, .md, .html, .pdf, .docx, .jsonl and .jsonl.gz."
    assert reason(tmp_path) == told


@pytest.mark.parametrize("place", ["nowhere.txt", "no/where", "data:text/html,x", "javascript:alert(1)", "a\0b"])
def test_missing_paths(place: str) -> None:
    assert reason(place).startswith("No such file or folder: ")


def test_a_web_address_without_its_start_is_recognised() -> None:
    assert reason("www.example.org/a").endswith("If it is a web address, put https:// in front.")
    assert reason("").startswith("An empty location")
    assert "Use http:// or https://" in reason("ftp://example.org/a")


def test_a_password_in_an_address_is_not_shown(web: Web, get: Any) -> None:
    addresses = [
        "http://bob:hunter2@news.example/", "HTTPS://bob:hun@ter2@news.example/a", "ftp://bob:hunter2@x.example/",
        "http:bob:hunter2@news.example", "http://bob:hunter2\\@news.example", web.redirect("/r", "//bob:hunter2@x.example/"),
        web.redirect("/s", "http://bob:hunter2@x.example/"),
        rss(web, item("http://bob:hunter2@x.example/", text="Short") + item("//bob:hunter2@x.example/2", text="Short")),
    ]  # fmt: skip
    found = list(read(addresses, get=get))
    assert len(found) == len(addresses) + 1
    assert all(isinstance(f, Rejected) for f in found)
    assert not any("ter2" in str(f) or "bob" in str(f) for f in found)
    assert "http://…@news.example/ has a user name" in str(found[0])


@pytest.mark.parametrize("address", ["https://x.example/@ann/a", "http://x.example?a=b@c", "/a//b@c", "file:///a@b"])
def test_what_is_no_password_is_shown(address: str) -> None:
    assert parse.masked(address) == address


def test_a_link_to_nothing_and_a_file_without_permission(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "gone.txt")
    assert reason(tmp_path / "a.txt") == f"{tmp_path}/a.txt cannot be opened: it is gone, or a link to nothing."
    if os.geteuid():  # root may read everything
        write(tmp_path / "b.txt", "x").chmod(0)
        assert "you have no permission to read it" in reason(tmp_path / "b.txt")


def test_a_link_in_a_circle_ends(tmp_path: Path) -> None:
    write(tmp_path / "sub/a.txt", "words")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    assert len(list(read([str(tmp_path)]))) == 1


def test_an_article_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_TEXT", 100)
    assert "holds 101 characters; an article has at most 100." in reason(write(tmp_path / "a.txt", "x" * 101))


def test_importing_is_light() -> None:
    code = "import sys, rag.ingest.read; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"httpx", "lxml", "trafilatura", "pypdf", "docx", "feedparser", "charset_normalizer", "numpy"} & set(
        loaded
    )


# --- the web ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def web() -> Any:
    w = Web()
    yield w
    w.close()


@pytest.fixture
def get(web: Web) -> Any:
    seams = Public(web).seams
    return lambda url: fetch(url, **seams)


BODY = "".join(f"<p>Paragraph {n} tells at some length how the harbour was lit that evening.</p>" for n in range(12))


def page(title: str, head: str = "", body: str = BODY) -> str:
    return (
        f"<html><head><title>{title}</title>{head}</head><body><article><h1>{title}</h1>{body}</article></body></html>"
    )


def test_a_web_page(web: Web, get: Any) -> None:
    web.put("/lamps", GALLERY.replace("https://weekly.example/gallery/lantern-2024", "http://news.example/true?id=1"))
    start = web.redirect("/short", "/lamps")
    (raw,) = read([start], get=get)
    assert isinstance(raw, Raw)
    assert raw.source == web.url("/lamps")  # where the redirect ended
    assert raw.url == "http://news.example/true?id=1"
    assert raw.title == "Backstage at the 2024 Lantern Awards"
    assert "Kim Oduya with her award" in raw.text.split("\n")


def test_a_page_cannot_claim_the_address_of_another_site(web: Web, get: Any) -> None:
    url = web.put("/p", page("Lamps", "<link rel='canonical' href='https://bank.example/login'>"))
    (raw,) = read([url], get=get)
    assert isinstance(raw, Raw)
    assert raw.url == url


@pytest.mark.parametrize("address", ["http://[x/", "http://[::1", "http://a\u2100b/"])
def test_an_address_that_cannot_be_taken_apart_is_none(address: str, web: Web, get: Any, tmp_path: Path) -> None:
    assert parse.web_url(address) is None
    url = web.put("/a.md", f"---\nurl: {address}\n---\nwords", "text/plain")
    path = write(tmp_path / "a.jsonl", json.dumps({"url": address, "text": "words"}))
    assert [f.source for f in read([url, str(path)], get=get)] == [url, f"{path.as_uri()}#1"]


def test_pdf_and_text_from_the_web(web: Web, get: Any) -> None:
    urls = [web.put("/a.pdf", make_pdf([LONG]), "application/pdf"),
            web.put("/a.txt", "Beyoncé".encode("cp1252"), "text/plain"),
            web.put("/a.md", "# Lamps\n\nwords", "text/plain")]  # fmt: skip
    found = [f for f in read(urls, get=get) if isinstance(f, Raw)]
    assert [(f.source, f.text) for f in found] == [
        (urls[0], LONG.strip()), (urls[1], "Beyoncé"), (urls[2], "Lamps\n\nwords"),
    ]  # fmt: skip
    assert found[2].title == "Lamps"


def test_the_charset_of_the_header_counts(web: Web, get: Any) -> None:
    data = page("Lamps", body="<p>Музыкальная премия прошла вчера. " * 10).encode("koi8_r")
    (raw,) = read([web.put("/p", data, "text/html; charset=koi8-r")], get=get)
    assert isinstance(raw, Raw)
    assert "Музыкальная премия" in raw.text


def test_a_dead_page_is_rejected_and_the_rest_goes_on(web: Web, get: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "words")
    found = list(read([web.url("/gone"), str(path), "http://nowhere.test/"], get=get))
    assert [type(f) for f in found] == [Rejected, Raw, Rejected]
    assert "news.example answered 404 (Not Found)." in getattr(found[0], "reason", "")


def rss(web: Web, items: str) -> str:
    return web.put(
        "/feed.xml",
        f"<?xml version='1.0'?><rss version='2.0'><channel><title>Example Weekly</title>{items}</channel></rss>",
        "application/rss+xml",
    )


def test_a_feed(web: Web, get: Any) -> None:
    web.put("/one", page("One"))
    web.put("/two", page("Two", "<meta name='author' content='Tom Hale'>"))
    long = "&lt;p&gt;" + "The feed itself tells the story of the evening at length. " * 12 + "&lt;/p&gt;"
    url = rss(
        web,
        f"<item><title>One!</title><link>{web.url('/one')}</link><pubDate>Thu, 14 Sep 2023 10:00 GMT</pubDate></item>"
        "<item><title>Two!</title><link>/two</link></item>"
        f"<item><title>Three</title><link>/three</link><description>{long}</description>"
        "<author>rosa@x.example (Rosa Field)</author></item>"
        "<item><title>Four</title><link>/four</link><description>Too short</description></item>"
        f"<item><title>Five</title><guid isPermaLink='false'>five</guid><description>{long}</description></item>"
        "<item><title>Six</title></item>"
        f"<item><title>One again</title><link>{web.url('/one')}</link></item>",
    )
    found = list(read([url], get=get))
    raws = {f.title: f for f in found if isinstance(f, Raw)}
    assert list(raws) == ["One", "Two", "Three", "Five"]
    assert raws["One"].published == date(2023, 9, 14)
    assert raws["One"].outlet == "Example Weekly"
    assert raws["Two"].authors == ("Tom Hale",)
    assert raws["Three"].source == raws["Three"].url == web.url("/three")  # its page answers 404
    assert raws["Three"].text.startswith("The feed itself tells")
    assert raws["Five"].source == f"{url}#five"
    reasons = [f.reason for f in found if isinstance(f, Rejected)]
    assert len(reasons) == 2
    assert "answered 404" in reasons[0]
    assert "(Six) has no link" in reasons[1]


STORY = "The feed itself tells the story of the evening at length. " * 12


def item(link: str, *, title: str = "Arrested", text: str = STORY, more: str = "") -> str:
    return f"<item><title>{title}</title><link>{link}</link><description>{text}</description>{more}</item>"


@pytest.mark.parametrize(
    ("feed", "page", "speaks"),
    [
        ("news.example", "news.example", True), ("www.news.example", "news.example", True),
        ("news.example", "m.news.example", True), ("feeds.news.example", "www.news.example", True),
        ("rss.news.example", "news.example", True), ("news.example", "blog.news.example", True),
        ("www.news.example", "blog.news.example", True),
        ("evil.example", "news.example", False), ("evil.news.example", "news.example", False),
        ("evil.news.example", "good.news.example", False), ("vil.example", "evil.example", False),
        ("feed.blogs.example", "good.blogs.example", False),
    ],
)  # fmt: skip
def test_a_feed_speaks_for_its_own_site_and_what_is_below_it(feed: str, page: str, speaks: bool) -> None:
    assert reading._speaks_for(f"http://{feed}/rss", f"https://{page}/a") is speaks


def test_a_feed_puts_no_words_under_the_address_of_another_site(web: Web, get: Any) -> None:
    web.put("/whole", page("Whole"))
    web.put("/short", "<html><body><article><p>Subscribe to read on about the harbour.</p></article></body></html>")
    web.redirect("/b", web.url("/short"))
    more = "<author>e@x.example (Eve Evil)</author><pubDate>Thu, 14 Sep 2023 10:00 GMT</pubDate>"
    links = [web.url(path) for path in ("/gone", "/whole", "/short")]
    rss(web, "".join(item(link, more=more) for link in links))
    url = web.url("/feed.xml", host="evil.example")
    found = list(read([url], get=get))
    own, whole, short = (f for f in found if isinstance(f, Raw))
    assert (own.source, own.url, own.title) == (
        f"{url}#{links[0].replace(':', '%3A').replace('/', '%2F')}",
        None,
        "Arrested",
    )
    assert own.text.startswith("The feed itself tells")
    assert (whole, short) == tuple(read(links[1:], get=get))
    assert found == list(read([url], get=get))
    # a way round by an address of the feed's own
    rss(web, item("/b"))
    (raw,) = read([url], get=get)
    assert raw == short


def test_what_a_feed_says_itself_is_the_same_article_the_next_time(web: Web, get: Any, tmp_path: Path) -> None:
    rss(web, item(web.url("/gone")) + item(web.url("/gone/too"), title="Again"))
    url = web.url("/feed.xml", host="evil.example")
    with Library.open(Config.load(library=tmp_path, llm="none"), create=True, embedder=CountingEmbedder()) as library:
        reports = []
        for _ in range(2):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(pipeline, "read", lambda places: read(places, get=get))
                reports.append(pipeline.ingest(library, [url]))
        assert (len(reports[0].added), len(reports[1].unchanged), library.counts()["articles"]) == (2, 2, 2)
        assert reports[1].added == reports[1].updated == ()
        assert all(source.startswith(f"{url}#") for source in reports[0].added)


def test_a_host_that_keeps_a_feed_waiting_is_asked_five_times(web: Web, get: Any) -> None:
    web.put("/one", page("One"))
    links = [f"http://slow.example/{n}" for n in range(12)]
    rss(web, "".join(item(link, text="Short") for link in links) + item(links[0] + "x") + item(web.url("/one")))
    asked = []

    def waiting(url: str) -> Page:
        asked.append(url)
        if "slow" in url:
            raise ReadTimeout("slow.example did not answer within 20 seconds.")
        return get(url)  # type: ignore[no-any-return]

    url = web.url("/feed.xml")
    found = list(read([url], get=waiting))
    assert asked == [url, *links[:5], web.url("/one")]
    reasons = [f.reason for f in found if isinstance(f, Rejected)]
    assert reasons[:-1] == ["slow.example did not answer within 20 seconds."] * 5
    assert reasons[-1] == f"slow.example kept 5 items of the feed {url} waiting; its others were not fetched."
    # what the feed itself carries of a page that is not asked for is kept
    assert [f.source.partition("#")[0] for f in found if isinstance(f, Raw)] == [url, web.url("/one")]


def test_a_feed_has_ten_minutes(web: Web, get: Any) -> None:
    for n in range(5):
        web.put(f"/{n}", page(str(n)))
    rss(web, "".join(item(web.url(f"/{n}")) for n in range(5)))
    seconds = iter([1_000.0, 1_000.0, 1_300.0, 1_599.0, 1_600.0])
    *raws, last = read([web.url("/feed.xml")], get=get, clock=lambda: next(seconds))
    assert [f.source for f in raws] == [web.url(f"/{n}") for n in range(3)]
    assert isinstance(last, Rejected)
    assert last.reason.endswith("/feed.xml took longer than 10 minutes; its last 2 items were not read.")


def test_an_atom_feed(web: Web, get: Any) -> None:
    web.put("/one", page("One"))
    url = web.put(
        "/atom",
        "<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'><title>Example Weekly</title><entry>"
        f"<title>One</title><link href='{web.url('/one')}'/><updated>2023-09-14T10:00:00Z</updated>"
        "<author><name>Rosa Field</name></author>"
        "</entry></feed>",
        "application/atom+xml",
    )
    (raw,) = read([url], get=get)
    assert isinstance(raw, Raw)
    assert (raw.title, raw.authors, raw.published) == ("One", ("Rosa Field",), date(2023, 9, 14))


def test_a_feed_with_entities_is_no_bomb(web: Web, get: Any) -> None:
    entities = "<!ENTITY a 'ha'>" + "".join(
        f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 20}'>" for n in range(12)
    )  # fmt: skip
    url = web.put(
        "/feed.xml",
        f"<?xml version='1.0'?><!DOCTYPE r [{entities}<!ENTITY x SYSTEM 'file:///etc/passwd'>]><rss version='2.0'>"
        "<channel><item><title>&m;</title><description>&x;</description></item></channel></rss>",
        "application/rss+xml",
    )
    (found,) = read([url], get=get)
    assert isinstance(found, Rejected)
    assert "root:" not in found.reason


@pytest.mark.parametrize("body", ["<rss version='2.0'><channel></channel></rss>", "<rss", "<?xml version='1.0'?>"])
def test_a_feed_without_items(body: str, web: Web, get: Any) -> None:
    (found,) = read([web.put("/feed.xml", body, "application/rss+xml")], get=get)
    assert isinstance(found, Rejected)


def test_nothing_that_a_fetch_raises_on_purpose_stops_the_rest(tmp_path: Path) -> None:
    def broken(url: str) -> Page:
        raise ReadError("x.example did not answer.")

    path = write(tmp_path / "a.txt", "words")
    found = list(read(["https://x.example/", str(path)], get=broken))
    assert found == [Rejected("https://x.example/", "x.example did not answer."), Raw(path.as_uri(), "words")]


def test_a_heading_of_spaces_holds_nothing_up() -> None:
    found = parse.parse_markdown(
        ("# \t." + " \t" * 40_000 + "x\n\nThe market opened." + " " * 300_000 + "Then it rained.").encode()
    )
    assert found["text"].endswith("Then it rained.")


def test_a_feed_with_a_character_that_is_none_is_refused_and_an_empty_description_read() -> None:
    item = "<item><title>x</title><description/></item>"
    with pytest.raises(parse.Unreadable):
        parse.parse_feed(f'<rss version="2.0"><channel><title>A &#x110000; b</title>{item}</channel></rss>'.encode())
    assert (
        parse.parse_feed(f'<rss version="2.0"><channel>{item}</channel></rss>'.encode())["entries"][0]["title"] == "x"
    )
