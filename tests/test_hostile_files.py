"""Hostile files: each is rejected with a reason or read, within the limits, and the article beside it still comes in.

The bombs are made here, small on disk; nothing is downloaded.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import resource
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.errors import ReadError
from rag.ingest import parse
from rag.ingest import read as reading
from rag.ingest.read import Raw, Rejected, read
from rag.ingest.sandbox import Sandbox

SECONDS = 30.0
GOOD = "The lamps of the harbour were lit at eight, and the band played until midnight.\n"


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_rejected_or_read_in_time_and_the_next_one_comes_in(name: str, folder: Path) -> None:
    make, reason = FILES[name]
    bad, good = folder / name, folder / "good.txt"
    bad.write_bytes(make())
    good.write_text(GOOD)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of the whole process: other tests may have set it
    start = time.monotonic()
    first, *rest = read([str(bad), str(good)])
    took = time.monotonic() - start
    bad.unlink()
    assert took < SECONDS + 5
    assert rest == [Raw(source=good.as_uri(), text=GOOD.strip())]
    if reason is not None:
        assert isinstance(first, Rejected)
        assert reason in first.reason
    if isinstance(first, Rejected):
        assert first.source.startswith(bad.as_uri())
        assert name in first.reason
        assert first.reason.endswith(".")
    else:
        assert len(first.text) <= reading.MAX_TEXT
        assert "root:" not in first.text  # /etc/passwd of the external entity
    # the parent never holds more than the file and its text
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 600_000


def test_a_gigabyte_is_not_read(folder: Path) -> None:
    for ending in ("txt", "html", "pdf", "docx", "md"):
        path = folder / f"huge.{ending}"
        with path.open("wb") as f:
            f.truncate(1_000_000_000)  # sparse: no disk is used
        start = time.monotonic()
        (found,) = read([str(path)])
        path.unlink()
        assert isinstance(found, Rejected)
        assert "larger than 50 MB" in found.reason
        assert time.monotonic() - start < 5


def test_a_gigabyte_of_jsonl_without_a_line_end(folder: Path) -> None:
    path = folder / "huge.jsonl"
    with path.open("wb") as f:
        f.write(b"{" * 1000)
        f.truncate(1_000_000_000)
    start = time.monotonic()
    found = list(read([str(path)]))
    path.unlink()
    assert [type(x) for x in found] == [Rejected]
    assert time.monotonic() - start < SECONDS


def test_what_is_no_file_is_not_waited_for(folder: Path) -> None:
    pipe = folder / "pipe.txt"
    os.mkfifo(pipe)
    (found,) = read([str(pipe)])
    pipe.unlink()
    assert isinstance(found, Rejected)
    assert "is not a file" in found.reason
    (device,) = read(["/dev/zero"])
    assert isinstance(device, Rejected)
    link = folder / "zero.txt"
    link.symlink_to("/dev/zero")
    (found,) = read([str(link)])
    link.unlink()
    assert isinstance(found, Rejected)
    assert "is not a file" in found.reason


def test_names_cannot_turn_a_line_around_or_break_a_terminal(tmp_path: Path) -> None:
    for name in (
        "a\u202edab.bad",
        "b<img src=x onerror=alert(1)>.bad",
        "c\nd.bad",
        "e\x1b[2J.bad",
        os.fsdecode(b"f\xff.bad"),
    ):
        (tmp_path / name).write_bytes(b"words")
    found = list(read([str(tmp_path)]))
    assert len(found) == 5
    for item in found:
        assert isinstance(item, Rejected)
        item.source.encode("ascii")
        assert item.reason.isprintable()
        item.reason.encode("utf-8")


# --- the sandbox ------------------------------------------------------------------------------------------------------

HTML = b"<html><body><article><p>" + GOOD.encode() * 5 + b"</p></article></body></html>"


def test_one_child_reads_many_documents_and_none_is_started_for_text(folder: Path) -> None:
    with Sandbox() as sandbox:
        for _ in range(30):
            assert "harbour" in sandbox.parse("html", HTML)["text"]
        assert sandbox.starts == 1


def test_a_child_that_hangs_is_ended_and_replaced() -> None:
    slow = b"<html><body>" + b"<p>a<br>" * 1_500_000
    with Sandbox(seconds=0.2) as sandbox:
        start = time.monotonic()
        with pytest.raises(ReadError, match="took longer than 0 seconds"):
            sandbox.parse("html", slow)
        assert time.monotonic() - start < 15
        sandbox.seconds = 20
        assert "harbour" in sandbox.parse("html", HTML)["text"]
        assert sandbox.starts == 2


def test_a_child_that_dies_is_replaced() -> None:
    with Sandbox() as sandbox:
        sandbox.parse("html", HTML)
        assert sandbox._child is not None
        sandbox._child.kill()
        sandbox._child.wait()
        assert "harbour" in sandbox.parse("html", HTML)["text"]
        assert sandbox.starts == 2


def test_memory_is_limited_and_the_limit_is_said() -> None:
    with Sandbox(memory=64 << 20) as sandbox:
        with pytest.raises(ReadError, match="needs more than 64 MB"):
            sandbox.parse("pdf", pdf(packed(b"BT /F1 9 Tf (abcdefghij) Tj ET " * 2_000_000, 1), "/FlateDecode"))
        assert "harbour" in sandbox.parse("html", HTML)["text"]


def test_the_child_gets_no_keys_and_writes_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with Sandbox() as sandbox:
        sandbox.parse("html", HTML)
        assert sandbox._child is not None
        pid = sandbox._child.pid
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        limits = Path(f"/proc/{pid}/limits").read_text()
    assert b"sk-secret" not in environment
    assert "Max file size             0" in limits


def test_the_child_ends_with_its_reader(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(HTML)
    (tmp_path / "b.html").write_bytes(HTML)
    before = _children()
    found = read([str(tmp_path)])
    next(found)
    assert len(_children() - before) == 1
    found.close()  # type: ignore[attr-defined]
    assert _children() - before == set()


def _children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


def test_messages_with_the_child_are_bounded() -> None:
    pipe = io.BytesIO()
    parse.send(pipe, {"a": 1}, b"x" * 100)
    pipe.seek(0)
    assert parse.receive(pipe, limit=1_000) == ({"a": 1}, b"x" * 100)
    pipe.seek(0)
    assert parse.receive(pipe, limit=50) is None
    assert parse.receive(io.BytesIO(b"\0" * 7), limit=50) is None


# --- at random --------------------------------------------------------------------------------------------------------


def test_damaged_documents_are_read_or_rejected(tmp_path: Path) -> None:
    """150 files with some bytes changed, cut or repeated: each gives exactly one answer."""
    seeds = {
        "html": HTML,
        "pdf": pdf(zlib.compress(b"BT /F1 9 Tf (" + GOOD.strip().encode() + b") Tj ET"), "/FlateDecode"),
        "docx": docx(W + para(GOOD.encode()) * 20 + END),
        "md": b"---\ntitle: Lamps\n---\n# Lamps\n" + GOOD.encode(),
        "txt": GOOD.encode("utf-16"),
        "jsonl": json.dumps({"text": GOOD, "url": "https://news.example/a"}).encode(),
    }
    chance = random.Random(20240911)
    for n in range(150):
        ending = list(seeds)[n % len(seeds)]
        data = bytearray(seeds[ending])
        for _ in range(chance.randint(1, 12)):
            at = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randint(1, 40)]
                case _:
                    data[at:at] = data[at : at + chance.randint(1, 40)] * chance.randint(1, 3)
        (tmp_path / f"{n:03}.{ending}").write_bytes(bytes(data))
    found = list(read([str(tmp_path)]))
    files = {f.source.partition("#")[0] for f in found if f.source.startswith("file:")}
    unnamed = {path.as_uri() for path in tmp_path.iterdir()} - files
    assert all(name.endswith(".jsonl") for name in unnamed)  # those lines go by the address that they give
    assert len(found) >= 150
    for item in found:
        if isinstance(item, Raw):
            item.text.encode("utf-8")
            assert item.text.strip()
        else:
            assert item.reason.endswith(".")
