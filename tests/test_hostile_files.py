"""Hostile files: each is rejected with a reason or read, within the limits, and the article beside it still comes in.

The table of them is tests/torture/hostile.py; here are the parts that need no whole engine.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from rag.errors import ReadError
from rag.ingest import parse
from rag.ingest import read as reading
from rag.ingest.read import Raw, Rejected, read
from rag.ingest.sandbox import Sandbox
from tests.torture.fuzzed import specimens
from tests.torture.hostile import FILES, SLOW, packed, pdf

GOOD = "The lamps of the harbour were lit at eight, and the band played until midnight.\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def test_hostile_files_are_rejected_or_read_and_the_next_ones_come_in(folder: Path) -> None:
    """All of the table that take no time, in one run; each by itself, through the whole engine, in `make torture`."""
    names = [name for name in FILES if name not in SLOW]
    good = folder / "good.txt"
    good.write_text(GOOD)
    for name in names:
        (folder / name).write_bytes(FILES[name][0]())
    found = list(read([str(folder / name) for name in [*names, "good.txt"]]))
    assert found[-1] == Raw(source=good.as_uri(), text=GOOD.strip())
    for name in names:
        own = [item for item in found if item.source.partition("#")[0] == (folder / name).as_uri()]
        reasons = [item.reason for item in own if isinstance(item, Rejected)]
        word = FILES[name][1]
        assert word is None or any(word in reason for reason in reasons), (name, reasons)
        assert own or name.endswith("jsonl")  # lines go by the address that they give
        assert all(name in reason and reason.endswith(".") for reason in reasons)
        for item in own:
            if isinstance(item, Raw):
                assert 0 < len(item.text) <= reading.MAX_TEXT
                assert "root:" not in item.text  # /etc/passwd of the external entity
    for name in names:
        (folder / name).unlink()


def test_damaged_documents_are_read_or_rejected(tmp_path: Path) -> None:
    for name, data in (pair for n in range(2, 12) for pair in specimens(n)):
        (tmp_path / name).write_bytes(data)
    found = list(read([str(tmp_path)]))
    files = {item.source.partition("#")[0] for item in found if item.source.startswith("file:")}
    unnamed = {path.as_uri() for path in tmp_path.iterdir()} - files
    assert all(name.endswith((".jsonl", ".jsonl.gz")) for name in unnamed)
    for item in found:
        if isinstance(item, Raw):
            item.text.encode("utf-8")
            assert item.text.strip()
        else:
            assert item.reason.endswith(".")


def test_a_line_end_repeated_for_ever_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BLANK_LINES", 10)
    path = folder / "blank.jsonl"
    path.write_text(json.dumps({"text": GOOD}) + "\n" * 12)
    raw, told = read([str(path)])
    assert isinstance(raw, Raw)
    assert isinstance(told, Rejected)
    assert told.reason == f"{path} has more than 10 blank lines; the rest was not read."


def test_folders_may_nest_deeper_than_python_recurses(tmp_path: Path) -> None:
    here = tmp_path
    for _ in range(1_100):
        here = here / "d"
        os.mkdir(here)
    (here / "deep.txt").write_text(GOOD)
    (found,) = read([str(tmp_path)])
    assert isinstance(found, Raw)
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)  # shutil.rmtree recurses


def test_a_link_is_followed_within_its_folder_and_where_it_was_named(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside.txt", tmp_path / "folder"
    outside.write_text(GOOD)
    folder.mkdir()
    (folder / "a.txt").write_text("Forty boats brought their catch.")
    (folder / "b.txt").symlink_to("a.txt")
    (folder / "c.txt").symlink_to(outside)
    a, b, c = read([str(folder)])
    assert isinstance(a, Raw)
    assert isinstance(b, Raw)
    assert isinstance(c, Rejected)
    assert "is a link that leads out of the folder" in c.reason
    assert isinstance(next(read([str(folder / "c.txt")])), Raw)


def test_text_that_would_be_too_long_is_not_decoded_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_TEXT", 1_000)
    monkeypatch.setattr(parse, "plain_text", lambda *_: pytest.fail("it was decoded"))
    path = folder / "long.txt"
    path.write_text("words " * 1_000)
    (found,) = read([str(path)])
    assert isinstance(found, Rejected)
    assert "holds more than 1,000 characters" in found.reason


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
