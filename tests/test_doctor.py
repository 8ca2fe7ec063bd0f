"""The doctor: says nothing is wrong when nothing is, and finds damage that was really done, with what mends it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag import doctor
from rag.config import Config
from rag.doctor import Finding, examine, rebuild
from rag.errors import ReaderModelError
from rag.ingest.pipeline import ingest
from rag.retrieve.search import search
from rag.store import embed
from rag.store.library import FILE, Library
from tests.conftest import ARTICLES, write_articles
from tests.loopback_llm import LoopbackLLM

NAMES = ["python", "packages", "model", "reader", "library", "vectors", "index", "llm", "disk"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library by the real model, to be copied."""
    folder = tmp_path_factory.mktemp("sound")
    with Library.open(Config(library=folder / "library", llm="none"), create=True) as library:
        ingest(library, [str(write_articles(folder / "articles", ARTICLES))])
    return folder / "library"


@pytest.fixture
def config(sound: Path, tmp_path: Path) -> Config:
    return Config(library=Path(shutil.copytree(sound, tmp_path / "library")), llm="none")


def wrong(config: Config) -> dict[str, str]:
    """What is wrong, by name."""
    return {f.name: f.text for f in examine(config) if not f.ok}


def change(config: Config, *statements: str) -> None:
    """Do something to the library file behind Recap's back."""
    db = sqlite3.connect(config.library / FILE, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


def test_a_sound_library(config: Config) -> None:
    found = list(examine(config))
    assert [f.name for f in found] == NAMES
    assert [f for f in found if not f.ok] == []
    assert "4 articles (3 pieces)" in found[4].text
    assert all(f.text.endswith(".") for f in found)


def test_reading_leaves_a_library_sound(config: Config) -> None:
    for _ in range(2):
        with Library.open(config) as library:
            assert search(library, "Who hosted the 2024 Lantern Music Awards?")
    assert wrong(config) == {}


def test_looking_changes_no_row(config: Config) -> None:
    with Library.open(config) as library:
        before = (library.generation, library.counts())
    list(examine(config))
    with Library.open(config) as library:
        assert (library.generation, library.counts()) == before


def test_no_library(tmp_path: Path) -> None:
    assert "`recap ingest" in wrong(Config(library=tmp_path / "none", llm="none"))["library"]
    assert not (tmp_path / "none").exists()


def test_an_empty_library(tmp_path: Path) -> None:
    config = Config(library=tmp_path / "new", llm="none")
    Library.open(config, create=True).close()
    assert wrong(config) == {}


@pytest.mark.parametrize(
    ("damage", "name", "says"),
    [
        (["UPDATE chunks SET start = start + 1, end = end + 1 WHERE n = 3"], "library", "does not stand where it should"),
        (["INSERT INTO chunks_fts(chunks_fts) VALUES ('delete-all')"], "library", "full-text index .* `recap rebuild`"),
        (["DROP TRIGGER chunks_removed", "UPDATE chunks SET text = text || '!' WHERE n = 2"], "library", "damaged"),
        (["UPDATE articles SET text = replace(text, 'a', 'e')"], "library", "damaged.*backup"),
        (["INSERT INTO bands VALUES ('k', 'gone')"], "library", "1 row of the file belong"),
        (["UPDATE chunks SET indexed = 0 WHERE n = 1"], "index", "stopped before .* `recap rebuild`"),
        (["INSERT INTO tombstones VALUES ('x')"], "index", "stopped before"),
    ],
)  # fmt: skip
def test_damage_to_the_file(damage: list[str], name: str, says: str, config: Config) -> None:
    import re

    change(config, *damage)
    assert re.search(says, wrong(config)[name])


def test_bytes_of_the_file(config: Config) -> None:
    file = config.library / FILE
    data = bytearray(file.read_bytes())
    data[8192:16384] = b"\xa5" * 8192
    file.write_bytes(data)
    assert "damaged" in wrong(config)["library"]


def test_a_vector_of_another_text(config: Config) -> None:
    other = np.zeros(384, dtype=np.float32)
    other[7] = 1
    db = sqlite3.connect(config.library / FILE)
    db.execute("UPDATE chunks SET vector = ?", (other.tobytes(),))
    db.commit()
    db.close()
    found = wrong(config)
    assert "is not that of its text" in found["vectors"]
    assert "index" in found  # the index still has the right ones


def test_an_index_that_is_gone_is_mended_by_rebuild(config: Config) -> None:
    shutil.rmtree(config.library / "index")
    assert "`recap rebuild`" in wrong(config)["index"]
    with Library.open(config, write=True) as library:
        n = rebuild(library)
    assert n > 0
    assert wrong(config) == {}


def test_a_damaged_index_is_found_and_mended(config: Config) -> None:
    for file in (config.library / "index").rglob("*"):
        if file.is_file() and file.stat().st_size > 512:
            data = bytearray(file.read_bytes())
            data[64 : len(data) // 2] = bytes(len(data) // 2 - 64)
            file.write_bytes(data)
    assert "`recap rebuild`" in wrong(config)["index"]
    with Library.open(config, write=True) as library:
        rebuild(library)
    assert wrong(config) == {}


def test_a_full_text_index_is_mended_by_rebuild(config: Config) -> None:
    change(config, "INSERT INTO chunks_fts(chunks_fts) VALUES ('delete-all')")
    with Library.open(config, write=True) as library:
        rebuild(library)
        assert library.search_text(["lantern"], limit=5) != []
    assert wrong(config) == {}


def test_an_index_that_lacks_a_vector(config: Config) -> None:
    with Library.open(config, write=True) as library:
        library.index._collection.delete(ids=sorted(library.index.ids())[:1])
    assert "`recap rebuild`" in wrong(config)["index"]


def test_an_index_that_kills_who_opens_it(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.run
    dead = subprocess.CompletedProcess([], -11, b"", b"")
    ours = lambda words, **more: dead if "rag.doctor" in words else real(words, **more)  # noqa: E731
    monkeypatch.setattr(subprocess, "run", ours)
    assert wrong(config) == {
        "index": "The vector index cannot be asked: the process that did so died. Run `recap rebuild`."
    }


def test_a_library_that_is_being_written(config: Config) -> None:
    with Library.open(config, write=True):
        found = {f.name: f for f in examine(config)}
    assert found["library"].ok
    assert found["index"] == Finding(
        "index", True, "Another process is writing to the library; the index was not looked at."
    )


def test_a_damaged_model(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = embed._cached_ir(embed.packaged_model_dir()).parent
    copy = Path(shutil.copytree(source, tmp_path / "cache" / source.name))
    weights = bytearray((copy / "model.bin").read_bytes())
    weights[60_000_000:70_000_000] = bytes(10_000_000)  # as a torn copy leaves it: the right size, zeroes inside
    (copy / "model.bin").write_bytes(weights)
    monkeypatch.setenv("RECAP_CACHE", str(tmp_path / "cache"))
    before = (source / "model.bin").read_bytes()
    for damaged in (bytes(weights), b""):  # found when it is loaded, and converted anew
        (copy / "model.bin").write_bytes(damaged)
        assert wrong(config) == {}
        assert (copy / "model.bin").read_bytes() == before


def test_a_library_of_another_model(config: Config) -> None:
    change(config, "UPDATE meta SET value = 'other' WHERE key = 'embedder'")
    assert "was made with the embedding model other" in wrong(config)["vectors"]


def test_a_language_model_that_refuses(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAP_LLM_API_KEY", "sk-wrong")
    with LoopbackLLM("401") as server:
        settings = Config(library=config.library, llm="openai-like:tiny", llm_base_url=server.base_url)
        said = wrong(settings)
    assert list(said) == ["llm"]
    assert "RECAP_LLM_API_KEY" in said["llm"]
    assert "sk-wrong" not in said["llm"]


def test_a_full_disk(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**10, 10**10 - 10**8, 10**8))
    assert wrong(config)["disk"].startswith("Only 100 MB are free where the library is")


def test_packages_that_are_missing_or_old() -> None:
    class Own:
        requires = (
            "numpy>=1",
            "numpy>=99",
            "no-such-package",
            "also-none; extra == 'test'",
            "none; python_version < '3'",
        )

    own: Any = Own()
    n, said = doctor._wanting(own)
    assert n == 3
    assert said[1:] == ["no-such-package (missing)"]
    assert said[0].endswith("(needs >=99)")


def test_a_check_that_fails_is_a_finding(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Callable[[], None]:
        raise ZeroDivisionError("seven")

    monkeypatch.setattr(doctor, "_rows", fail)
    assert wrong(config)["library"] == "This could not be looked at (ZeroDivisionError: seven)."


def test_a_damaged_reader_is_said(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise ReaderModelError("The reader's reader.onnx is damaged. Reinstall Recap.")

    monkeypatch.setattr("rag.model.reader.ReaderModel", load)
    found = {f.name: f for f in examine(config)}
    assert not found["reader"].ok
    assert "damaged" in found["reader"].text
    off = {f.name: f for f in examine(replace(config, reader="rules"))}
    assert off["reader"].ok
    assert "switched off" in off["reader"].text
