"""Files made by hand to do harm: bombs, loops, lies about what they are, links out of their folder, names that are markup.

Each is ingested among honest files by an engine that is limited and watched (engine.py). The bombs are made here, small on
disk; nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import socket
import stat
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.loopback_web import Listener, Web
from tests.torture import Row
from tests.torture.engine import CANARY, LIMIT_S, Engine, figures, missing, must_hold, write_honest


def pdf(stream: bytes, filters: str, *, extra: bytes = b"") -> bytes:
    """Write a PDF of one page whose content is `stream`, packed as `filters` says."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d/Filter[%s]>>stream\n%s\nendstream" % (len(stream), filters.encode(), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out = b"%PDF-1.4\n"
    places = []
    for n, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (n, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + extra + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)


def packed(data: bytes, times: int) -> bytes:
    for _ in range(times):
        data = zlib.compress(data, 9)
    return data


def docx(document: bytes, *, more: dict[str, bytes] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(
            "[Content_Types].xml",
            '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
            'wordprocessingml.document.main+xml"/></Types>',
        )
        z.writestr(
            "_rels/.rels",
            '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
            'officeDocument" Target="word/document.xml"/></Relationships>',
        )
        z.writestr("word/document.xml", document)
        for name, data in (more or {}).items():
            z.writestr(name, data)
    return out.getvalue()


W = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
END = b"</w:body></w:document>"


def para(text: bytes) -> bytes:
    return b"<w:p><w:r><w:t>" + text + b"</w:t></w:r></w:p>"


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 20) for n in range(12))
    + b"]>"
)


def lying_zip() -> bytes:
    """Make a DOCX whose directory says that its 200 MB document has 100 bytes."""
    whole = docx(W + para(b"x") + b" " * 200_000_000 + END)
    at = whole.rfind(b"word/document.xml") - 46
    assert whole[at : at + 4] == b"PK\x01\x02"
    return whole[: at + 24] + struct.pack("<I", 100) + whole[at + 28 :]


def many_entries() -> bytes:
    return docx(W + para(b"x") + END, more={f"word/media/{n}.xml": b"" for n in range(6_000)})


def elf() -> bytes:
    return b"\x7fELF\x02\x01\x01" + bytes(9) + random.Random(1).randbytes(4_000)


# name of the file -> (what is in it, a word of the reason; None: it may be read, too)
FILES: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "elf.txt": (elf, "a program"),
    "zip.txt": (lambda: docx(W + END), "a zip archive"),
    "png.txt": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG"),
    "random.txt": (lambda: random.Random(2).randbytes(50_000), "binary data"),
    "random.md": (lambda: random.Random(3).randbytes(50_000), "binary data"),
    "random.html": (lambda: random.Random(4).randbytes(50_000), "binary data"),
    "random.pdf": (lambda: random.Random(5).randbytes(50_000), "not a PDF"),
    "random.docx": (lambda: random.Random(6).randbytes(50_000), "not a readable Word document"),
    "random.jsonl": (lambda: random.Random(7).randbytes(50_000), "binary data"),
    "random.jsonl.gz": (lambda: random.Random(8).randbytes(50_000), "not a gzip file"),
    "nuls.txt": (lambda: bytes(10_000), "is empty"),
    "nuls2.txt": (lambda: b"a" + bytes(10_000), "binary data"),
    "pdf.txt": (lambda: b"%PDF-1.4\n" + bytes(100), "a PDF"),
    "ole.docx": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5_000), "old or a locked Word"),
    "empty.docx": (lambda: docx(W + END), "holds no text"),
    "nodoc.docx": (lambda: gzip.compress(b"x"), "not a readable Word document"),
    "bomb.docx": (lambda: docx(W + para(b"A" * 200_000_000) + END), "unpacks to more than 100 MB"),
    "bomb90.docx": (lambda: docx(W + para(b"<w:br/>" * 13_000_000) + END), None),
    "lying.docx": (lying_zip, "not a readable Word document"),
    "entries.docx": (many_entries, "unpacks to more than"),
    "laughs.docx": (lambda: docx(LAUGHS + W + para(b"&m;") + END), None),
    "xxe.docx": (
        lambda: docx(b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + W + para(b"&x; words here") + END),
        None,
    ),
    "deep.docx": (lambda: docx(W + b"<w:p>" * 100_000 + END), "not a readable Word document"),
    "cut.docx": (lambda: docx(W + para(b"words" * 1000) + END)[:300], "not a readable Word document"),
    "flate1.pdf": (lambda: pdf(packed(b" " * 300_000_000, 1), "/FlateDecode"), None),
    "flate3.pdf": (lambda: pdf(packed(b" " * 300_000_000, 3), "/FlateDecode/FlateDecode/FlateDecode"), None),
    "flate40.pdf": (lambda: pdf(packed(b"BT (x) Tj ET " * 9_000, 40), "/FlateDecode" * 40), None),
    "text20m.pdf": (lambda: pdf(packed(b"BT /F1 9 Tf (abcdefghij) Tj ET " * 2_000_000, 1), "/FlateDecode"), None),
    "runlength.pdf": (lambda: pdf(b"\x81 " * 2_000_000 + b"\x80", "/RunLengthDecode"), None),
    "ascii85.pdf": (lambda: pdf(b"z" * 20_000_000 + b"~>", "/ASCII85Decode"), None),
    "loop.pdf": (
        lambda: pdf(b"BT (x) Tj ET", "").replace(b"/Kids[3 0 R]/Count 1", b"/Kids[2 0 R]/Count 9"),
        None,
    ),
    "nopages.pdf": (lambda: b"%PDF-1.4\ntrailer<</Root 1 0 R>>\n%%EOF", "PDF"),
    "picture.pdf": (lambda: pdf(zlib.compress(b"q 612 0 0 792 0 0 cm Q"), "/FlateDecode"), "has no text layer"),
    "cut.pdf": (lambda: pdf(zlib.compress(b"BT (words) Tj ET"), "/FlateDecode")[:150], "PDF"),
    "xref.pdf": (lambda: b"%PDF-1.4\nxref\n0 99999999\n" + b"0000000000 65535 f \n" * 200_000, "PDF"),
    "deep.html": (lambda: b"<html><body>" + b"<div>" * 100_000 + b"words", None),
    "deep2.html": (lambda: b"<html><body>" + b"<b><i>" * 100_000 + b"words " * 500, None),
    "deeplist.html": (lambda: b"<html><body><p>words " * 10 + b"<ul><li>" * 50_000 + b"words " * 100, None),
    "wide.html": (lambda: b"<html><body>" + b"<p>a<br>" * 1_500_000, None),
    "attributes.html": (lambda: b"<html><body><p " + b"a=b " * 1_000_000 + b">words</p>", None),
    "entities.html": (lambda: LAUGHS + b"<html><body><p>&m;&m;&m; words</p>", None),
    "entities2.html": (lambda: b"<html><body><p>" + b"&notit;&#x110000;&#0;&#xD800;" * 200_000, None),
    "comments.html": (lambda: b"<html><body>" + b"<!--" * 1_000_000, "no article text"),
    "ldjson.html": (
        lambda: b'<html><head><script type="application/ld+json">' + b"[" * 1_000_000 + b"</script></head><p>two words",
        None,
    ),
    "meta.html": (lambda: b"<html><head>" + b'<meta name="author" content="A B">' * 30_000 + b"</head><p>words", None),
    "title.html": (lambda: b"<html><title>" + b"t " * 5_000_000 + b"</title><p>words words", None),
    "oneword.html": (lambda: b"<html><body><p>" + b"x" * 10_000_000, None),
    "figures.html": (lambda: b"<html><body>" + b"<figure><figcaption>" * 50_000 + b"words", None),
    "ol.html": (lambda: b"<html><body><ol><li>" * 20_000 + b"words", None),
    "unclosed.html": (lambda: b"<" * 5_000_000, None),
    "dates.html": (lambda: b"<html><body>" + b"<p>2023-09-12 12/09/2023 Sept 12, 2023</p>" * 30_000, None),
    "combining.txt": (lambda: ("words " + "\u0316\u0301" * 1_000_000).encode(), None),
    "brackets.md": (lambda: b"[" * 1_000_000 + b"words" + b"](" * 500_000, None),
    "stars.md": (lambda: b"**a *b __c _d `e " * 200_000, None),
    "comment.md": (lambda: b"<!-- " * 400_000 + b"words", None),
    "tags.md": (lambda: b"<p " * 500_000 + b"words", None),
    "front.md": (lambda: b"---\n" + b"a: b\n" * 400_000 + b"words", None),
    "heads.md": (lambda: (b"# " + b"# " * 1_000 + b"\n") * 500 + b"words", None),
    "nested.jsonl": (lambda: b"[" * 1_000_000 + b"\n", "not valid JSON"),
    "nested2.jsonl": (lambda: b'{"a":' * 100_000 + b"\n", "not valid JSON"),
    "digits.jsonl": (lambda: b'{"text": ' + b"9" * 1_000_000 + b"}\n", "not valid JSON"),
    "longline.jsonl": (lambda: b'{"text": "' + b"a" * 12_000_000 + b'"}\n', "longer than 10 MB"),
    "bomb.jsonl.gz": (lambda: gzip.compress(bytes(100_000_000), 1), "binary data"),
    "bomb2.jsonl.gz": (lambda: gzip.compress(b"a" * 100_000_000, 1), "longer than 10 MB"),
    "cut.jsonl.gz": (lambda: gzip.compress(random.Random(9).randbytes(9999).hex().encode())[:-500], "damaged"),
}  # fmt: skip


WORDS = "The lighthouse of Gransund was painted white again in the spring of that year. "
JAPANESE = "水曜日の夜、港の灯りがともり、楽団は真夜中まで演奏した。" * 20
CHINESE = "星期三晚上，港口的灯亮了，乐队一直演奏到午夜，人们在码头上跳舞。" * 20
RUSSIAN = "В среду вечером в гавани зажглись огни, и оркестр играл до полуночи. " * 20


def members(member: bytes, times: int) -> bytes:
    """Write a gzip file of many equal members: small, quick to make, and endless to unpack."""
    return gzip.compress(member, 9) * times


def overlapping_zip() -> bytes:
    """Make a DOCX whose directory names one packed entry 1,000 times: 100 GB out of 200 kB."""
    whole = docx(W + para(b"A" * 99_000_000) + END)
    start = whole.rfind(b"PK\x05\x06")
    at = whole.rfind(b"PK\x01\x02", 0, start)
    entry, first = whole[at:start], int.from_bytes(whole[start + 16 : start + 20], "little")
    listed = whole[first:start] + entry * 1_000
    return whole[:first] + listed + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1_003, 1_003, len(listed), first, 0)


def method_zip(method: int) -> bytes:
    """Make a DOCX whose document is packed by a method of that number."""
    whole = bytearray(docx(W + para(b"words") + END))
    for mark, to in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = whole.rfind(mark)
        whole[at + to : at + to + 2] = method.to_bytes(2, "little")
    return bytes(whole)


def parts(**named: bytes) -> dict[str, bytes]:
    return {name.replace("__", "/").replace("_xml", ".xml"): data for name, data in named.items()}


STYLE_LOOP = parts(
    word__styles_xml=b'<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:style w:type='
    b'"paragraph" w:styleId="A"><w:name w:val="A"/><w:basedOn w:val="A"/></w:style></w:styles>'
)


def raw_pdf(*objects: bytes, trailer: bytes = b"<</Root 1 0 R>>") -> bytes:
    """Write a PDF of these objects, numbered from 1."""
    out, places = b"%PDF-1.7\n", []
    for n, item in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (n, item)
    xref = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % p for p in places)
    return out + xref + b"trailer%s\nstartxref\n%d\n%%%%EOF" % (trailer, len(out))


def stream(data: bytes, more: bytes = b"") -> bytes:
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(data), more, data)


def page_pdf(content: bytes, resources: bytes = b"/Font<</F1 5 0 R>>", *more: bytes) -> bytes:
    """Write a PDF of one page; `more` are objects from 6."""
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<<%s>>>>" % resources,
        stream(content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *more,
    )


SAY = b"BT /F1 9 Tf (The lighthouse of Gransund was painted white again) Tj ET"


def pages_without_end() -> bytes:
    """Make a PDF of 2^30 pages: 30 floors of a tree, each of which has the next one twice."""
    floors = [b"<</Type/Pages/Count %d/Kids[%d 0 R %d 0 R]>>" % (2 ** (30 - n), n + 3, n + 3) for n in range(30)]
    leaf = b"<</Type/Page/MediaBox[0 0 9 9]/Contents 33 0 R>>"
    return raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", *floors, leaf, stream(SAY))


def xref_loop() -> bytes:
    """Make a PDF whose table of objects is followed by itself."""
    whole = page_pdf(SAY)
    at = int(whole.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    return whole.replace(b"trailer<<", b"trailer<</Prev %d/XRefStm %d" % (at, at))


def cmap_pdf(ranges: bytes) -> bytes:
    font = b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/ToUnicode 7 0 R/DescendantFonts[]>>"
    cmap = b"begincmap 1 begincodespacerange <00000000> <FFFFFFFF> endcodespacerange " + ranges + b" endcmap"
    return page_pdf(b"BT /F1 9 Tf <0001000200030004> Tj ET" * 50, b"/Font<</F1 6 0 R>>", font, stream(cmap))


def lines_of(*rows: object) -> bytes:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()


FILES |= {
    # --- packed
    "zipzip.docx": (lambda: docx(docx(W + para(b"words") + END)), "not a readable Word document"),
    "onlyzip.docx": (lambda: zipped({"a.zip": zipped({"b.zip": zipped({"c": bytes(9_000_000)})})}), "not a readable Word document"),
    "overlap.docx": (overlapping_zip, "unpacks to more than 100 MB"),
    "method.docx": (lambda: method_zip(99), "not a readable Word document"),
    "lzma.docx": (lambda: method_zip(14), "not a readable Word document"),
    "locked.docx": (lambda: zipped({"EncryptionInfo": b"x" * 99, "EncryptedPackage": bytes(9999)}), "not a readable Word document"),
    "archive.zip": (lambda: zipped({"a.txt": WORDS.encode()}), "Unpack it first"),
    "gzgz.jsonl.gz": (lambda: gzip.compress(gzip.compress(gzip.compress(lines_of({"text": WORDS})))), "a gzip archive"),
    "trailing.jsonl.gz": (lambda: gzip.compress(lines_of({"text": WORDS})) + b"junk after it" * 9, "is damaged after line 1"),
    "header.jsonl.gz": (lambda: b"\x1f\x8b\x08", "is damaged after line 0"),
    "newlines.jsonl.gz": (lambda: members(b"\n" * 10_000_000, 201), "blank lines"),
    "endless.jsonl.gz": (lambda: members(b"a" * 10_000_000, 201), "longer than 10 MB"),
    "endless2.jsonl.gz": (lambda: members(b'{"a":"' + b"a" * 9_000_000 + b'"}\n', 230), "unpacks to more than 2 GB"),
    "facts.jsonl.gz": (lambda: members(b"a" * 50_000_000, 4), "longer than 10 MB"),
    # --- DOCX
    "columns.docx": (
        lambda: docx(W + b'<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="100000000"/></w:tcPr>' + para(b"wide") + b"</w:tc></w:tr></w:tbl>" + END),
        None,
    ),
    "merged.docx": (
        lambda: docx(W + b"<w:tbl>" + (b"<w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr>" + para(b"cell") + b"</w:tc></w:tr>") * 5_000 + b"</w:tbl>" + END),
        None,
    ),
    "styles.docx": (lambda: docx(W + para(WORDS.encode()) + END, more=STYLE_LOOP), None),
    "twice.docx": (lambda: doubled(), None),
    "utf16.docx": (lambda: docx(('<?xml version="1.0" encoding="utf-16"?>' + (W + para(WORDS.encode()) + END).decode()).encode("utf-16")), None),
    "attribute.docx": (lambda: docx(W + b'<w:p w:rsidR="' + b"a" * 20_000_000 + b'"/>' + para(WORDS.encode()) + END), None),
    # --- PDF
    "pages.pdf": (pages_without_end, None),
    "xrefloop.pdf": (xref_loop, None),
    "prev.pdf": (lambda: page_pdf(SAY).replace(b"trailer<<", b"trailer<</Prev 99999999999"), None),
    "length.pdf": (lambda: page_pdf(SAY).replace(b"/Length 61", b"/Length 4 0 R"), None),
    "form.pdf": (lambda: page_pdf(b"/Fm0 Do " + SAY, b"/XObject<</Fm0 6 0 R>>/Font<</F1 5 0 R>>", stream(b"/Fm0 Do /Fm0 Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</Fm0 6 0 R>>>>")), None),
    "cmap.pdf": (lambda: cmap_pdf(b"1 beginbfrange <00000000> <FFFFFFFF> <0000> endbfrange"), None),
    "cmap2.pdf": (lambda: cmap_pdf(b"100 beginbfrange " + b"<0000> <FFFF> <0000> " * 20_000 + b"endbfrange"), None),
    "predictor.pdf": (lambda: pdf(zlib.compress(bytes(50_000_000)), "/FlateDecode").replace(b"/Filter", b"/DecodeParms<</Predictor 15/Columns 1>>/Filter"), None),
    "columns.pdf": (lambda: pdf(zlib.compress(bytes(100)), "/FlateDecode").replace(b"/Filter", b"/DecodeParms<</Predictor 12/Columns 2000000000>>/Filter"), None),
    "lzw.pdf": (lambda: pdf(bytes([0x80, 0x0B, 0x60, 0x50]) * 1_000_000, "/LZWDecode"), None),
    "inline.pdf": (lambda: page_pdf(b"BI /W 9 /H 9 ID " + bytes(5_000_000)), None),
    "brackets.pdf": (lambda: page_pdf(b"[" * 1_000_000 + SAY), None),
    "parens.pdf": (lambda: page_pdf(b"BT (" + b"(" * 1_000_000 + b" Tj ET"), None),
    "dictionary.pdf": (lambda: page_pdf(SAY, b"/X" + b"<</A" * 50_000), None),
    "objects.pdf": (lambda: page_pdf(SAY, b"/Font<</F1 5 0 R>>", *[b"6 0 R"] * 50_000), None),
    "reference.pdf": (lambda: raw_pdf(b"1 0 R"), "PDF"),
    "locked.pdf": (lambda: page_pdf(SAY).replace(b"trailer<<", b"trailer<</Encrypt<</Filter/Standard/V 5/R 6/O(x)/U(x)/P 0>>/ID[(a)(b)]"), None),
    "middle.pdf": (lambda: b"x" * 1_000 + page_pdf(SAY), None),
    "launch.pdf": (lambda: page_pdf(SAY).replace(b"/Type/Catalog", b"/Type/Catalog/OpenAction<</S/Launch/F(/bin/sh)>>/AA<</WC<</S/JavaScript/JS(app.alert(1))>>>>"), None),
    # --- HTML
    "attribute.html": (lambda: b'<html><body><p title="' + b"a" * 10_000_000 + b'">' + WORDS.encode() * 9, None),
    "data.html": (lambda: b'<p><img src="data:image/png;base64,' + b"QUFB" * 5_000_000 + b'">' + WORDS.encode() * 9, None),
    "utf16.html": (lambda: f"<html><body><article><p>{WORDS * 9}</p></article></body></html>".encode("utf-16-le"), None),
    "utf32.html": (lambda: f"<html><body><article><p>{WORDS * 9}</p></article></body></html>".encode("utf-32"), None),
    "lies.html": (lambda: b'<meta charset="punycode"><p>' + (WORDS * 9).encode() + b"\xff\xfe\xe4" * 90_000, None),
    "escape.html": (lambda: b'<meta charset="unicode_escape"><p>' + (WORDS * 9).encode() + b"\\ud800 \\N{DIGIT ONE} \xff" * 9_000, None),
    "shiftjis.html": (lambda: b"<meta charset=shift_jis><p>" + JAPANESE.encode("cp932"), None),
    "plaintext.html": (lambda: b"<html><body><plaintext>" + b"</p><b>" * 500_000, None),
    "tables.html": (lambda: b"<html><body>" + b"<table><tr><td>" * 30_000 + WORDS.encode(), None),
    "forms.html": (lambda: b"<html><body>" + b"<select><option>" * 100_000 + b"</select><p>" + WORDS.encode() * 9, None),
    "links.html": (lambda: b"<html><body>" + b'<a href="/x">word word</a> ' * 190_000, None),
    "nuls.html": (lambda: b"<html>\x00<body>\x00<scr\x00ipt>" + (WORDS * 9).encode(), None),
    "svg.html": (lambda: b"<svg><math><mtext><table><mglyph><style><!--</style><img title='--&gt;'>" + (WORDS * 9).encode(), None),
    "author.html": (lambda: b'<html><head><meta name="author" content="' + b"By A, and B & " * 100_000 + b'"></head><body><p>' + WORDS.encode() * 9, None),
    "numbers.html": (lambda: b'<script type="application/ld+json">{"datePublished": ' + b"9" * 2_000_000 + b"}</script><p>" + WORDS.encode() * 9, None),
    # --- plain text
    "empty.txt": (lambda: b"", "is empty"),
    "empty.jsonl": (lambda: b"", "is empty"),
    "empty.pdf": (lambda: b"", "is empty"),
    "bom.txt": (lambda: b"\xef\xbb\xbf", "is empty"),
    "bom16.txt": (lambda: b"\xff\xfe", "empty"),
    "bom32.txt": (lambda: b"\xff\xfe\x00\x00", "empty"),
    "bom.jsonl": (lambda: b"\xef\xbb\xbf", "is empty"),
    "blank.txt": (lambda: b" \t\r\n" * 10_000, "is empty"),
    "utf16.txt": (lambda: WORDS.encode("utf-16"), None),
    "utf16le.txt": (lambda: WORDS.encode("utf-16-le"), None),
    "utf16be.txt": (lambda: WORDS.encode("utf-16-be"), None),
    "utf16cut.txt": (lambda: WORDS.encode("utf-16")[:-1], None),
    "utf32.txt": (lambda: WORDS.encode("utf-32"), None),
    "utf32be.txt": (lambda: b"\x00\x00\xfe\xff" + WORDS.encode("utf-32-be"), None),
    "utf32le.txt": (lambda: WORDS.encode("utf-32-le"), None),
    "shiftjis.txt": (lambda: JAPANESE.encode("cp932"), None),
    "eucjp.txt": (lambda: JAPANESE.encode("euc_jp"), None),
    "iso2022.txt": (lambda: JAPANESE.encode("iso2022_jp"), None),
    "gb18030.txt": (lambda: CHINESE.encode("gb18030"), None),
    "big5.txt": (lambda: b"\xac\xdd\xa9\xcf\xa4\xa7\xa4\xd1\xa1A" * 90, None),
    "koi8.txt": (lambda: RUSSIAN.encode("koi8_r"), None),
    "utf7.txt": (lambda: ("+ADw-script+AD4- " + WORDS).encode(), None),
    "overlong.txt": (lambda: WORDS.encode() + b"\xc0\xaf\xe0\x80\xaf\xed\xa0\x80\xf8\x88\x80\x80\x80" * 20, None),
    "oneline.txt": (lambda: b"word " * 2_000_000, "characters"),
    "oneword.txt": (lambda: b"x" * 400_000, None),
    "astral.txt": (lambda: "\U0001f3ee".encode() * 12_000_000, "characters"),
    "astral32.txt": (lambda: WORDS.encode("utf-32") * 150_000, "characters"),
    "lines.txt": (lambda: b"a\n" * 1_000_000, None),
    "fullstops.txt": (lambda: b".\n" * 2_400_000 + WORDS.encode(), None),
    "breaks.txt": (lambda: ("a\u2028b\x85c\x0b" * 100_000).encode(), None),
    "blanklines.txt": (lambda: b"words" + b"\n" * 4_000_000 + b"words", None),
    "ampersands.txt": (lambda: b"&" * 900_000 + b"&amp;amp;amp;lt;" * 9_000 + WORDS.encode(), None),
    "ansi.txt": (lambda: b"\x1b[2J\x1b]0;title\x07" + WORDS.encode() * 9, None),
    "overrides.txt": (lambda: ("\u202e\u2066\u2069\u200f" * 9_000 + WORDS * 9).encode(), None),
    "credits.txt": (lambda: b"Ana Lima and Jo BergPhoto: Getty Images\n" * 20_000, None),
    "items.txt": (lambda: b"".join(b"%d. The lamps were lit\n" % n for n in range(1, 30_000)), None),
    "parens.txt": (lambda: (b"(" * 499 + b"\n") * 4_000 + WORDS.encode(), None),
    "years.txt": (lambda: b"the 2024 2023 Gala Awards Awards " * 15_000, None),
    "capitals.txt": (lambda: b"Awards Gala Cup Final Ana Lima " * 15_000, None),
    "date.txt": (lambda: b"date " + b"9" * 100_000 + b"-09-09\n" + WORDS.encode(), None),
    # --- JSONL
    "mixed.jsonl": (
        lambda: lines_of({"text": WORDS}, "{", "[1]", "null", {"text": 7}, {"text": ""}, {"title": "x"}, '{"text": "cut', "\x00", {"text": WORDS * 2}),
        'has no "text"',
    ),
    "twice.jsonl": (lambda: b'{"text": "one", "text": "' + WORDS.encode() + b'", "title": "a", "title": "b"}\n', None),
    "nan.jsonl": (lambda: b'{"text": "' + WORDS.encode() + b'", "published": NaN, "title": Infinity, "url": -1e999, "authors": [NaN]}\n', None),
    "nantext.jsonl": (lambda: b'{"text": NaN}\n', 'has no "text"'),
    "surrogates.jsonl": (lambda: b'{"text": "\\ud800 words \\udfff here \\u0000", "title": "\\ud83d"}\n', None),
    "urls.jsonl": (lambda: lines_of(*({"text": f"{n} {WORDS}", "url": u} for n, u in enumerate(("javascript:alert(1)", "file:///etc/passwd", "http://a b", "https://x.example/" + "y" * 9_000)))), None),
    "authors.jsonl": (lambda: lines_of({"text": WORDS, "authors": [["A B"] * 9] * 50_000, "title": "t" * 2_000_000, "published": "1" * 2_000_000}), None),
    "utf16.jsonl": (lambda: lines_of({"text": WORDS}).decode().encode("utf-16"), "UTF-16"),
    "utf16le.jsonl": (lambda: lines_of({"text": WORDS}).decode().encode("utf-16-le"), None),
    "badlines.jsonl": (lambda: b"no json\n" * 500_000, "bad lines in a row"),
    "line200.jsonl": (lambda: b'{"text": "' + b"a" * 200_000_000 + b'"}\n' + lines_of({"text": WORDS}), "longer than 10 MB"),
    "cr.jsonl": (lambda: lines_of({"text": WORDS}).replace(b"\n", b"\r") * 9, "not valid JSON"),
    # --- one thing under another's name
    "html.txt": (lambda: b"<html><body><script>alert(1)</script><p>" + WORDS.encode(), None),
    "text.pdf": (lambda: WORDS.encode(), "not a PDF"),
    "text.docx": (lambda: WORDS.encode(), "not a readable Word document"),
    "docx.pdf": (lambda: docx(W + para(b"words") + END), "not a PDF"),
    "pdf.docx": (lambda: page_pdf(SAY), "not a readable Word document"),
    "pdf.html": (lambda: page_pdf(SAY), "a PDF"),
    "png.html": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(1_000), "a PNG"),
    "gzip.jsonl": (lambda: gzip.compress(lines_of({"text": WORDS})), "is a gzip file"),
    "plain.jsonl.gz": (lambda: lines_of({"text": WORDS}), "is not a gzip file"),
    "zip.jsonl.gz": (lambda: zipped({"a.jsonl": lines_of({"text": WORDS})}), "is not a gzip file"),
    "html.jsonl": (lambda: b"<html>\n<body>\n<p>words\n", "not valid JSON"),
    "elf.jsonl": (elf, "a program"),
    "elf.md": (elf, "a program"),
    "sqlite.txt": (lambda: b"SQLite format 3\x00" + bytes(4_000), "an SQLite database"),
    "rtf.txt": (lambda: b"{\\rtf1\\ansi words}", "an RTF document"),
}  # fmt: skip


def zipped(named: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in named.items():
            z.writestr(name, data)
    return out.getvalue()


def doubled() -> bytes:
    """Make a DOCX with two documents of one name."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return docx(W + para(b"first words") + END, more={"word/document.xml": W + para(b"second words") + END})


# --- what is more than bytes in a file --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a case is laid out: a folder to be ingested, a file outside of it, and a server that must not be asked."""

    files: Path
    secret: Path
    listener: str  # "http://127.0.0.1:PORT"
    web: Web

    def write(self, name: str, data: bytes | str = WORDS) -> Path:
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path


def sparse(ending: str) -> Callable[[Place], None]:
    def make(place: Place) -> None:
        with place.write(f"huge.{ending}", b"{" * 1_000).open("r+b") as f:
            f.truncate(1_000_000_000)  # no disk is used

    return make


def entities(place: Place) -> None:
    for n, where in enumerate(
        (place.secret.as_uri(), "file:///etc/passwd", f"{place.listener}/x", f"{place.listener}/x.dtd")
    ):
        head = f'<!DOCTYPE d SYSTEM "{place.listener}/d.dtd" [<!ENTITY x SYSTEM "{where}"><!ENTITY % p SYSTEM "{where}"> %p;]>'
        place.write(f"entity{n}.docx", docx(head.encode() + W + para(b"&x; the words of number %d" % n) + END))
        place.write(
            f"entity{n}.html", f'<?xml version="1.0"?>{head}<html><body><p>&x; {n} {WORDS * 4}</p></body></html>'
        )


def references(place: Place) -> None:
    at = place.listener
    place.write(
        "calls.html",
        f'<html><head><base href="{at}/"><link rel="stylesheet" href="{at}/a.css"><meta http-equiv="refresh" content="0;url={at}">'
        f'<script src="{at}/a.js"></script><link rel="canonical" href="{at}/c"></head><body><img src="{at}/i.png"><iframe src="{at}">'
        f'</iframe><object data="{at}"></object><p>{WORDS * 9}</p><xi:include href="{at}" xmlns:xi="http://www.w3.org/2001/XInclude"/>',
    )
    place.write("calls.md", f"![x]({at}/i.png) [y]({at}) <img src={at}/j.png>\n\n{WORDS}")
    place.write(
        "calls.pdf", page_pdf(SAY).replace(b"/Type/Catalog", f"/Type/Catalog/OpenAction<</S/URI/URI({at})>>".encode())
    )
    place.write(
        "file.pdf",
        page_pdf(SAY).replace(b"<</Length 61", f"<</F(/etc/passwd)/FFilter null/FS/URL/F({at})/Length 61".encode()),
    )


def relationships(place: Place) -> None:
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
    targets = (f"{place.listener}/t.dotm", place.secret.as_uri(), "../../../../../etc/passwd", "/etc/passwd")
    rels = "".join(
        f'<Relationship Id="r{n}" Type="{kinds}{kind}" Target="{target}"{mode}/>'
        for n, (kind, target, mode) in enumerate(
            (kind, target, mode)
            for kind in ("attachedTemplate", "image", "hyperlink", "aFChunk", "styles")
            for target in targets
            for mode in (' TargetMode="External"', "")
        )
    )
    head = '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    one = (
        head
        + "".join(
            f'<Relationship Id="r{n}" Type="{kinds}attachedTemplate" Target="{t}" TargetMode="External"/>'
            for n, t in enumerate(targets[:2])
        )
        + "</Relationships>"
    )
    for n, part in enumerate((head + rels + "</Relationships>", one)):
        text = (
            W
            + para(f"The words of document number {n}, and nothing else.".encode())
            + b'<w:altChunk r:id="r24" xmlns:r="x"/>'
            + END
        )
        place.write(f"rels{n}.docx", docx(text, more={"word/_rels/document.xml.rels": part.encode()}))


def traversal(place: Place) -> None:
    evil = {
        f"{up}recap-torture-evil{n}.txt": b"evil"
        for n, up in enumerate(("../", "../../", "../../../../../../tmp/", "/tmp/", "..\\", "C:\\"))
    }
    place.write("traversal.docx", docx(W + para(WORDS.encode()) + END, more=evil))
    link = zipfile.ZipInfo("word/media/link")
    link.external_attr = 0o120777 << 16
    out = io.BytesIO(docx(W + para(b"The second one has a link in it, which leads to a folder.") + END))
    with zipfile.ZipFile(out, "a") as z:
        z.writestr(link, "/etc")
        z.writestr("word/media/link/evil.txt", "evil")
    place.write("link.docx", out.getvalue())


def names(place: Place) -> None:
    wild = (
        "a\u202etxt.exe.txt", "<img src=x onerror=alert(1)>.txt", "c\nd\re.txt", "e\x1b[2J\x07.txt", "&lt;b&gt;&#x1f;.txt", "-rf.txt",
        "--library=x.txt", "%2e%2e%2f%00.txt", "a?b#c.txt", "#1.jsonl", "*.txt", "[a-z]?.txt", "$(touch evil).txt", "`id`;.txt", "\u2066\u2067.md",
        "é.txt", "e\u0301.txt", "CON.txt", "a" * 251 + ".txt", " .txt", "...txt", "\U0001f3ee.txt", "'\" OR 1=1 --.txt", "https:.txt", "\\\\x\\y.txt",
    )  # fmt: skip
    for n, name in enumerate(wild):
        text = f"{n} {WORDS}"
        place.write(name, json.dumps({"text": text}) if name.endswith("jsonl") else text)
    with suppress(OSError):  # a file system that wants UTF-8
        Path(os.fsdecode(os.fsencode(place.files) + b"/f\xff\xfe.txt")).write_text("99 " + WORDS)
    for name in ("a\u202edab.bad", "b<img src=x onerror=alert(1)>.bad", "c\nd.bad", "e\x1b[2J.bad"):
        place.write(name)


def links(place: Place) -> None:
    for n, target in enumerate(
        ("/etc/passwd", place.secret, "/dev/zero", "/proc/self/environ", "/proc/kmsg", f"../{place.secret.name}")
    ):
        (place.files / f"link{n}.txt").symlink_to(target)
    (place.files / "itself.txt").symlink_to("itself.txt")
    (place.files / "nothing.html").symlink_to("gone.html")
    (place.files / "facts.jsonl").symlink_to("/etc/passwd")
    for name, to in (("up", ".."), ("here", "."), ("etc", "/etc"), ("folder.txt", "/")):
        (place.files / name).symlink_to(to, target_is_directory=True)
    os.link(
        place.write("hard.txt", "These words have two names, and are one article or two copies."),
        place.files / "hard2.txt",
    )


def no_files(place: Place) -> None:
    for ending in ("txt", "jsonl", "jsonl.gz", "html", "pdf"):
        os.mkfifo(place.files / f"pipe.{ending}")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
        before = os.getcwd()
        os.chdir(place.files)  # the path of a socket is short
        try:
            s.bind("socket.txt")
        finally:
            os.chdir(before)
    for n, name in ((5, "zero.txt"), (9, "urandom.jsonl"), (7, "full.html")):
        with suppress(OSError):  # only root makes devices
            os.mknod(place.files / name, 0o666 | stat.S_IFCHR, os.makedev(1, n))
    place.write("folder.txt/inside.txt")
    (place.files / "empty.pdf").mkdir()


def unreadable(place: Place) -> None:
    for name in ("locked.txt", "locked.jsonl", "locked.pdf"):
        place.write(name).chmod(0)
    place.write("folder/inside.txt")
    (place.files / "folder").chmod(0)


def deep_folders(place: Place) -> None:
    here = os.open(place.files, os.O_RDONLY)
    for n in range(1_125):  # deeper than Python recurses, then deeper than a path may be long
        name = "d" if n < 1_100 else "d" * 200
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
        if n % 500 == 0:
            with os.fdopen(os.open("deep.txt", os.O_WRONLY | os.O_CREAT, dir_fd=here), "w") as f:
                f.write(f"{n} {WORDS}")
    os.close(here)


def many_files(place: Place) -> None:
    for n in range(5_000):
        (place.files / f"{n}.txt").touch()


def feed(items: str, head: str = "") -> str:
    return f'<?xml version="1.0"?>{head}<rss version="2.0"><channel><title>Feed</title>{items}</channel></rss>'


def feeds(place: Place) -> list[str]:
    story = f"<description>{WORDS * 9}</description>"
    entity = f'<!DOCTYPE d [<!ENTITY x SYSTEM "{place.listener}/x"><!ENTITY y SYSTEM "{place.secret.as_uri()}">]>'
    other = place.web.put("/other.xml", feed(f"<item>{story}</item>"), "application/rss+xml").replace(
        "news.example", "127.0.0.1"
    )
    bodies = {
        "laughs.xml": feed(f"<item><title>&m;</title>{story.replace('</', '&m;</')}</item>", LAUGHS[21:].decode()),
        "entity.xml": feed(f"<item><title>&x;</title>{story.replace('</', '&x;&y;</')}</item>", entity),
        "many.xml": feed("".join(f"<item><title>{n}</title><guid>{n}</guid></item>" for n in range(20_000))),
        "deep.xml": feed("<item>" * 100_000),
        "markup.xml": feed("<item><description><![CDATA[" + "<div>" * 100_000 + WORDS * 9 + "]]></description></item>"),
        "nested.xml": feed(f"<item><link>{other}</link></item><item><link>/nested.xml</link></item>" * 50),
        "cut.xml": feed(f"<item>{story}</item>" * 50)[:1500],
    }
    for name, body in bodies.items():
        place.web.put(f"/{name}", body, "application/rss+xml")
    place.web.put("/lies.txt", WORDS.encode() * 20 + b"\xff" * 90_000, "text/plain; charset=punycode")
    place.web.put("/packed.html", gzip.compress(bytes(300_000_000)), "text/html", Content_Encoding="gzip")
    return [place.web.url(f"/{name}", host="127.0.0.1") for name in (*bodies, "lies.txt", "packed.html")]


# name -> (lays it out, and names what is to be ingested beside the folder; words that the reasons must hold)
PLACES: dict[str, tuple[Callable[[Place], list[str] | None], tuple[str, ...]]] = {
    "links": (links, ("leads out of the folder", "link0.txt", "cannot be opened")),
    "no files": (no_files, ("pipe.txt is not a file", "pipe.jsonl is not a file", "socket.txt")),
    "unreadable": (unreadable, ("you have no permission to read it", "locked.pdf", "The folder")),
    "names": (names, ("Recap reads",)),
    "entities": (entities, ()),
    "relationships": (relationships, ()),
    "traversal": (traversal, ()),
    "references": (references, ()),
    "deep folders": (deep_folders, ("cannot be opened",)),
    "many files": (many_files, ("is empty",)),
    "feeds": (feeds, ("500 items", "feed inside a feed")),
    **{f"1 GB .{e}": (sparse(e), ("larger than 50 MB",)) for e in ("txt", "html", "pdf", "docx", "md")},
    "1 GB .jsonl": (sparse("jsonl"), ("binary data",)),
}
SLOW = frozenset(  # to make or to read, each by itself: left to `make torture`
    ("ascii85.pdf attribute.html attributes.html author.html bomb.docx bomb90.docx columns.docx data.html dates.html endless.jsonl.gz "
     "endless2.jsonl.gz facts.jsonl.gz flate1.pdf flate3.pdf line200.jsonl links.html lying.docx lzw.pdf meta.html newlines.jsonl.gz "
     "objects.pdf overlap.docx pages.pdf plaintext.html predictor.pdf runlength.pdf stars.md tables.html text20m.pdf title.html "
     "unclosed.html wide.html xref.pdf").split()
)  # fmt: skip
FIRST = (  # of `make test`: cheap, and of every kind
    "links", "1 GB .txt", "entities", "no files", "trailing.jsonl.gz", "utf16le.txt", "names", "deep folders", "mixed.jsonl", "laughs.docx",
    "xrefloop.pdf", "unreadable",
)  # fmt: skip
CASES = (*FIRST, *(name for name in (*FILES, *PLACES) if name not in FIRST))


@dataclass(frozen=True)
class Given:
    engine: Engine
    web: Web
    listener: Listener


@contextmanager
def around(folder: Path) -> Iterator[Given]:
    engine, web, listener = Engine(folder, RECAP_ALLOW_PRIVATE_URLS="1"), Web(), Listener()
    try:
        yield Given(engine, web, listener)
    finally:
        engine.close()
        web.close()
        listener.close()


def case(n: int, given: Given, folder: Path) -> dict[str, float]:
    """Ingest a hostile file among honest ones."""
    name = CASES[n]
    files, secret = folder / "files", folder / "secret.txt"
    files.mkdir()
    secret.write_text(f"{CANARY} is what no article may say.")
    place = Place(files, secret, f"http://127.0.0.1:{given.listener.port}", given.web)
    more: list[str] = []
    if name in FILES:
        make, word = FILES[name]
        reasons: tuple[str, ...] = (word,) if word else ()
        place.write(name, make())
    else:
        lay_out, reasons = PLACES[name]
        more = lay_out(place) or []
    write_honest(files)
    knocks = given.listener.knocks
    try:
        port = given.web.port if more else None
        out = must_hold(given.engine, files, [str(files), *more], folder / "library", web=port)
    finally:
        subprocess.run(["rm", "-rf", str(files)], check=True)  # shutil.rmtree cannot: some are too deep for it
    assert given.listener.knocks == knocks, "something called the listener"
    for word in reasons:
        assert any(word in reason for reason in out.rejected.values()), (
            f"no reason says {word!r}: {list(out.rejected.values())[:3]}"
        )
    if name in FILES:
        source = (files / name).as_uri()
        told = [s for s in (*out.report["added"], *out.rejected) if s.partition("#")[0] == source]
        assert told or name.endswith("jsonl"), "nothing was said of it"
        shown = [reason for s, reason in out.rejected.items() if s.partition("#")[0] == source]
        assert all(name in reason for reason in shown), shown
    return figures(out)


ROW = Row(
    name="hostile",
    fault="files made to do harm, among honest ones",
    required="read or rejected with a reason in 30 s, the reader in 512 MiB; the honest come in, nothing else is touched",
    quick=len(FIRST),
    full=len(CASES),
    case=case,
    around=around,
    limit_s=LIMIT_S + 60,
    missing=missing,
)
