"""The public names: what they are, that they come late, and that importing them tells nobody."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import rag
from rag.store.library import Library

PUBLIC = {
    "Answer", "Article", "Chunk", "Citation", "Config", "Event", "Hit", "IngestReport", "Library", "Query", "RecapError",
    "Turn", "ask", "ask_stream", "ingest", "remove", "search", "understand",
}  # fmt: skip


def fresh(code: str) -> str:
    """What `code` prints in a new process."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_all_is_what_is_promised() -> None:
    assert set(rag.__all__) == PUBLIC
    assert set(dir(rag)) >= PUBLIC
    for name in rag.__all__:
        assert getattr(rag, name) is not None


def test_names_are_those_of_their_modules() -> None:
    from rag.answer.chain import ask
    from rag.retrieve.search import search
    from rag.types import Answer

    assert (rag.ask, rag.search, rag.Answer, rag.Library) == (ask, search, Answer, Library)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'serve'"):
        rag.serve  # noqa: B018


@pytest.mark.parametrize("before", ["", "import rag.ingest.pipeline", "from rag.ingest.read import read"])
def test_ingest_can_be_called_whatever_was_imported_before(before: str) -> None:
    assert fresh(f"{before}\nfrom rag import ingest\nimport rag.ingest.clean as c\nprint(callable(ingest), c.__name__)")
    assert fresh(f"{before}\nfrom rag import ingest; print(callable(ingest))") == "True"


def test_from_python(make_library: Callable[..., Library], articles: Path) -> None:
    from rag import ask, ask_stream, ingest, search

    library = make_library("api")
    report = ingest(library, [str(articles)])
    assert len(report.added) == 4
    assert search(library, "Who hosted the 2024 Lantern Music Awards?")[0].article.source.endswith("gallery.txt")
    answer = ask(library, "Who hosted the 2024 Lantern Music Awards?")
    assert answer.short == "Ines Calder"
    assert [a.text for a in ask_stream(library, "Who hosted the 2024 Lantern Music Awards?") if a.done] == [answer.text]


def test_importing_loads_nothing() -> None:
    loaded = fresh(
        "import sys\nbefore = set(sys.modules)\nimport rag\nfrom rag import ingest\n"
        "print(sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    assert loaded == str(["openvino_telemetry", "rag"])  # the first is blocked, not loaded


def test_openvino_tells_nobody_that_it_was_imported() -> None:
    """Without the block this prints a look-up of an analytics host (seen with openvino 2026.4)."""
    said = fresh(
        "import socket, sys, time\n"
        "def look_up(*a, **k):\n    print('look-up', a[0]); raise OSError('no network')\n"
        "socket.getaddrinfo = look_up\n"
        "socket.socket.connect = lambda self, to: print('connect', to)\n"
        "import rag, openvino\n"
        "time.sleep(0.5)\n"
        "print(hasattr(openvino, 'convert_model'), sys.modules['openvino_telemetry'])"
    )
    assert said == "True None"
