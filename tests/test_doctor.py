"""The doctor: says nothing is wrong when nothing is, and finds damage that was really done, with what mends it."""

from __future__ import annotations

import json
import os
import re
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
from rag.__main__ import run
from rag.config import Config
from rag.doctor import Finding, examine, mend, rebuild
from rag.errors import ReaderModelError
from rag.ingest.pipeline import ingest
from rag.retrieve.search import search
from rag.store import embed
from rag.store.library import FILE, Library
from tests.conftest import ARTICLES, write_articles
from tests.loopback_llm import LoopbackLLM
from tests.test_pipeline import consistent, content

NAMES = ["python", "packages", "model", "reader", "library", "vectors", "index", "llm", "disk", "leftovers"]


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
        found = {f.name: f for f in examine(config)}
        assert all(f.ok for f in found.values())
        assert "converted copy was damaged, and was made again" in found["model"].text
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


# --- mending ----------------------------------------------------------------------------------------------------------


def rows(config: Config) -> dict[str, Any]:
    """What the library holds, damaged or not, but for the numbers and the state of its chunks."""
    db = sqlite3.connect(config.library / FILE)
    db.row_factory = sqlite3.Row
    tables = {
        "articles": "SELECT * FROM articles ORDER BY id",
        "chunks": "SELECT id, article_id, start, end, kind, header, text, vector FROM chunks ORDER BY id",
        "events": "SELECT * FROM article_events ORDER BY article_id, key, edition",
        "bands": "SELECT * FROM bands ORDER BY key, article_id",
        "copies": "SELECT * FROM copies ORDER BY a, b",
    }
    out = {name: [tuple(r) for r in db.execute(sql)] for name, sql in tables.items()}
    db.close()
    return out


@pytest.fixture(scope="module")
def model() -> embed.Embedder:
    """The packaged model, loaded once."""
    return embed.load_embedder(Config())


@pytest.fixture
def quick(model: embed.Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what costs seconds and is not damaged: loading models, asking the index in another process."""
    monkeypatch.setattr(embed, "load_embedder", lambda config: model)
    for name in ("_reader", "_index"):
        monkeypatch.setattr(doctor, name, lambda *_: iter(()))
    monkeypatch.setattr(doctor, "_wrong_files", lambda package: "")


OTHER = np.eye(1, 384, 7, dtype=np.float32).tobytes().hex()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (["UPDATE chunks SET start = start + 1, end = end + 1 WHERE n = 3"], "does not stand where it should; made again"),
        (["DROP TRIGGER chunks_removed", "UPDATE chunks SET text = text || '!' WHERE n = 2"], "is not what was stored; made again"),
        (["UPDATE chunks SET text = text || ' zebra' WHERE n < 4"], "is not what was stored; made again"),
        (["UPDATE chunks SET header = 'another' WHERE n = 2"], "is not what was stored; made again"),
        (["UPDATE chunks SET id = 'nothing' WHERE n = 2"], "is not what was stored; made again"),
        ([f"UPDATE chunks SET vector = x'{OTHER}' WHERE n = 1"], "was not that of its text; made again"),
        ([f"UPDATE chunks SET vector = x'{OTHER}'"], "was not that of its text; made again"),
        (["UPDATE chunks SET vector = zeroblob(1536) WHERE n = 1"], "a vector is not what was stored; made again"),
        (["UPDATE chunks SET vector = substr(vector, 1, 8) WHERE n = 1"], "vectors of different lengths; made again"),
        (["DELETE FROM chunks WHERE n = 2"], "the passages were not those of its text; made again"),
        (["DELETE FROM chunks WHERE article_id = (SELECT min(id) FROM articles)"], "the passages were not"),
        (["UPDATE article_events SET edition = '1999'"], "the events were not"),
        (["DELETE FROM article_events"], "the events were not"),
        (["DELETE FROM copies", "DELETE FROM bands"], "the copies were not"),
        (["DELETE FROM copies"], "the copies were not"),
        (["UPDATE bands SET key = key || 'x' WHERE article_id = (SELECT a FROM copies)"], "the copies were not"),
        (["INSERT INTO copies SELECT min(id), max(id) FROM articles"], "the copies were not"),
        (["UPDATE articles SET title = 'Another'"], "is not what was stored; made again"),
        (["UPDATE articles SET events = '[]', cluster = 'c'"], "is not what was stored; made again"),
        (["UPDATE articles SET id = 'x' || substr(id, 2) WHERE id = (SELECT max(id) FROM articles)"], "had the id x[0-9a-f]{15}: it has that"),
        (["UPDATE articles SET id = 'x' || substr(id, 2)"], "had the id x[0-9a-f]{15}: it has that"),
        (["UPDATE articles SET id = 'x'  WHERE id = (SELECT max(id) FROM articles)", "UPDATE chunks SET article_id = 'x' WHERE article_id = (SELECT max(article_id) FROM bands)"], "had the id x: it has that"),
        (["INSERT INTO chunks_fts(chunks_fts) VALUES ('delete-all')"], "The full-text index was made again"),
        (["INSERT INTO bands VALUES ('k', 'gone')"], "1 row of no article"),
        (["INSERT INTO chunks VALUES (99, 'gone-x', 'gone', 0, 1, 'text', '', 'x', x'00', 0)"], "1 row of no article"),
        (["UPDATE chunks SET indexed = 0 WHERE n = 1"], "behind by 1 chunk and has been brought up"),
        (["INSERT INTO tombstones VALUES ('x')"], "behind by 1 chunk and has been brought up"),
    ],
)  # fmt: skip
def test_what_is_derived_is_mended(damage: list[str], says: str, config: Config, quick: None) -> None:
    before = rows(config)
    change(config, *damage)
    if "DROP" in damage[0]:
        change(config, TRIGGER)
    damaged = rows(config)
    found = wrong(config)
    assert found or "behind" in says  # which the index says
    assert rows(config) == damaged  # looking changes nothing
    repairs = list(mend(config))
    assert [f for f in repairs if not f.ok] == []
    assert any(re.search(says, f.text) for f in repairs), repairs
    assert wrong(config) == {}
    assert rows(config) == before
    assert list(mend(config)) == []
    with Library.open(config, write=True) as library:
        consistent(library)


TRIGGER = """CREATE TRIGGER chunks_removed AFTER DELETE ON chunks BEGIN
    INSERT INTO chunks_fts(chunks_fts, rowid, header, text) VALUES ('delete', old.n, old.header, old.text);
    INSERT OR IGNORE INTO tombstones VALUES (old.id); END"""


def test_an_index_of_the_file_is_mended(config: Config, quick: None) -> None:
    """Half of its entries are another's, as a write that went astray leaves it."""
    change(
        config,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE INDEX articles_url ON articles(outlet)' WHERE name = 'articles_url'",
        "PRAGMA writable_schema = RESET",
        "REINDEX articles_url",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE INDEX articles_url ON articles(url)' WHERE name = 'articles_url'",
    )
    assert "An index of the file is not that of its rows" in wrong(config)["library"]
    repairs = list(mend(config))
    assert "The indexes of the file were made again" in repairs[0].text
    assert wrong(config) == {}


def test_the_index_is_mended(config: Config) -> None:
    shutil.rmtree(config.library / "index")
    assert [f.name for f in mend(config)] == ["index"]
    assert wrong(config) == {}
    with Library.open(config, write=True) as library:
        library.index._collection.delete(ids=sorted(library.index.ids())[:1])
    repairs = list(mend(config))
    assert [(f.name, f.ok) for f in repairs] == [("index", True)]
    assert wrong(config) == {}
    for file in (config.library / "index").rglob("*"):
        if file.is_file() and file.stat().st_size > 512:
            file.write_bytes(bytes(file.stat().st_size))
    assert [f.name for f in mend(config)] == ["index"]
    assert wrong(config) == {}


def test_an_index_that_changed_without_a_trace_is_mended(config: Config) -> None:
    file = config.library / "index" / "chroma.sqlite3"
    was, data = file.stat(), bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert "not what was written (chroma.sqlite3). Run `recap rebuild`" in wrong(config)["index"]
    assert [f.name for f in mend(config)] == ["index"]
    assert wrong(config) == {}
    assert [(f.name, f.text) for f in mend(config)] == []


def test_nothing_is_mended_where_nothing_is_wrong(config: Config, quick: None) -> None:
    with Library.open(config) as library:
        before = (library.generation, content(library))
    assert list(mend(config)) == []
    with Library.open(config) as library:
        assert (library.generation, content(library)) == before
    assert list(mend(Config(library=config.library / "none", llm="none"))) == []
    assert not (config.library / "none").exists()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE articles SET text = replace(text, 'a', 'e') WHERE id = (SELECT min(id) FROM articles)",
        "UPDATE articles SET source = 'file:///another' WHERE id = (SELECT min(id) FROM articles)",
        "UPDATE articles SET authors = '[' WHERE id = (SELECT min(id) FROM articles)",
        "UPDATE articles SET text = CAST(x'ff00fe' AS TEXT) WHERE id = (SELECT min(id) FROM articles)",
    ],
)
def test_an_article_that_is_damaged_is_said_with_what_to_do(damage: str, config: Config, quick: None) -> None:
    change(
        config,
        damage,
        "UPDATE chunks SET start = start + 1, end = end + 1 WHERE article_id = (SELECT max(id) FROM articles)",
    )
    db = sqlite3.connect(config.library / FILE)
    before = (
        list(db.execute("SELECT id, CAST(text AS BLOB), derived_key FROM articles")),
        list(db.execute("SELECT * FROM chunks")),
    )
    repairs = list(mend(config))
    assert [f for f in repairs if not f.ok]
    assert all("Run `recap restore FILE --force`" in f.text for f in repairs if not f.ok), repairs
    assert "damaged" in wrong(config)["library"]
    after = (
        list(db.execute("SELECT id, CAST(text AS BLOB), derived_key FROM articles")),
        list(db.execute("SELECT * FROM chunks")),
    )
    assert after == before  # not made worse
    db.close()


def test_a_file_that_is_torn_is_said_with_what_to_do(config: Config, quick: None) -> None:
    file = config.library / FILE
    data = bytearray(file.read_bytes())
    data[8192 * 6 :] = b"\xa5" * len(data[8192 * 6 :])
    file.write_bytes(data)
    [found] = [f for f in mend(config) if not f.ok]
    assert "recap restore FILE --force" in found.text
    assert file.read_bytes() == data


def test_vectors_of_another_model_are_not_mended_by_this_one(config: Config, quick: None) -> None:
    change(
        config,
        "UPDATE meta SET value = 'other' WHERE key = 'embedder'",
        "UPDATE chunks SET start = start + 1 WHERE n = 1",
    )
    before = rows(config)
    [found] = list(mend(config))
    assert not found.ok
    assert "without other" in found.text
    assert rows(config) == before


def test_a_library_that_is_being_written_is_not_mended(config: Config, quick: None) -> None:
    with Library.open(config, write=True):
        [found] = list(mend(config))
    assert not found.ok
    assert "Another process is writing" in found.text


def test_what_stopped_runs_left_is_swept(
    config: Config, quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Path(shutil.copytree(embed.converted_dir(embed.packaged_model_dir()).parent, tmp_path / "cache"))
    monkeypatch.setenv("RECAP_CACHE", str(cache))
    old = [config.library / n for n in ("library.sqlite3.new", "feedback.jsonl.new", "index.wanted", "index.12-34")]
    for path in old:
        path.write_text("half")
    (config.library / "restore.part").mkdir()
    (cache / ".convert-abc").mkdir()
    old += [config.library / "restore.part", cache / ".convert-abc"]
    kept = [config.library / n for n in ("feedback.jsonl", "index.seal", "index.notes", "mine.new")]
    for path in kept:
        path.touch()
    for path in old:
        os.utime(path, (1, 1))
    (cache / ".convert-now").mkdir()  # another process may be at it
    found = {f.name: f for f in examine(config)}["leftovers"]
    assert found.ok
    assert "6 files" in found.text
    swept = {f.text.split(" was left")[0] for f in mend(config) if f.name == "leftovers"}
    assert swept == {str(p) for p in old if p.name != "index.wanted"}  # that one went as the index was opened
    assert not any(p.exists() for p in old)
    assert all(p.exists() for p in kept)
    assert (cache / ".convert-now").exists()
    assert {f.name: f for f in examine(config)}["leftovers"].text.startswith("Nothing is left over")


def test_a_converted_model_that_was_converted_wrong_is_converted_again(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = embed.converted_dir(embed.packaged_model_dir())
    copy = Path(shutil.copytree(source, tmp_path / "cache" / source.name))
    weights = bytearray((copy / "model.bin").read_bytes())
    weights[60_000_000:70_000_000] = bytes(10_000_000)
    (copy / "model.bin").write_bytes(weights)
    (copy / "sums.json").write_text(json.dumps(embed._sums(copy)))  # the checksum of what is wrong
    monkeypatch.setenv("RECAP_CACHE", str(tmp_path / "cache"))
    assert "`recap doctor --mend`" in wrong(config)["model"]
    repairs = [f for f in mend(config) if f.name == "model"]
    assert [f.ok for f in repairs] == [True]
    assert "converted again" in repairs[0].text
    assert (copy / "model.bin").read_bytes() == (source / "model.bin").read_bytes()
    assert wrong(config) == {}


def test_a_file_of_the_embedding_model_that_is_not_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor._wrong_files(doctor._EMBED_PACKAGE) == ""
    info = tmp_path / "tiny_model-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-model\nVersion: 1\n")
    (info / "RECORD").write_text(
        "weights.bin,sha256=LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564,3\ntiny_model-1.dist-info/RECORD,,\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for data, says in ((b"foo", ""), (b"fop", "weights.bin")):
        (tmp_path / "weights.bin").write_bytes(data)
        assert doctor._wrong_files("tiny-model") == says
    (tmp_path / "weights.bin").unlink()
    assert doctor._wrong_files("tiny-model") == "weights.bin"


def test_the_command_mends_and_looks_again(config: Config, quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    change(config, "UPDATE chunks SET start = start + 1, end = end + 1 WHERE n = 3")
    words = ["doctor", "--library", str(config.library), "--llm", "none"]
    assert run(words) == 1
    assert "WRONG  library" in capsys.readouterr().out
    assert run([*words, "--mend"]) == 0
    said = capsys.readouterr().out
    assert re.search("mended library .*made again from its text", said)
    assert said.rstrip().endswith("All is well.")
    assert run([*words, "--mend", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["repairs"]) == (True, [])
