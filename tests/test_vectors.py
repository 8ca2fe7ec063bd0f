"""The vector index: it finds what an exact scan finds, and no damage to it goes unseen or costs a question."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.config import Config
from rag.ingest.pipeline import ingest, remove
from rag.store.library import Library
from rag.store.vectors import VectorIndex, _file_states, altered
from tests.conftest import ARTICLES, CountingEmbedder, write_articles

Found = list[tuple[str, float]]


def open_library(folder: Path, *, write: bool = False) -> Library:
    return Library.open(Config(library=folder, llm="none"), write=write, embedder=CountingEmbedder())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("made")
    rng = random.Random(7)
    words = "boat lamp quay crate net sail tide rope crew salt gull mast oar buoy reef bell".split()
    many = {
        f"{n:03d}.txt": f"Story {n} of the harbour\n\n"
        + " ".join(rng.choice(words) + f"{rng.randrange(9)}" for _ in range(60))
        for n in range(120)
    }
    folder = write_articles(base / "articles", {**ARTICLES, **many})
    with Library.open(
        Config(library=base / "library", llm="none"), create=True, embedder=CountingEmbedder()
    ) as library:
        ingest(library, [str(folder)])
    return base / "library"


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "library")
    return tmp_path / "library"


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every library for one that is too large to be scanned."""
    monkeypatch.setattr("rag.store.vectors._SCANNED", -1)


def agree(a: Found, b: Found) -> None:
    """The same cosines; ids may differ where cosines tie."""
    assert [x for _, x in a] == pytest.approx([x for _, x in b], abs=1e-5)
    assert {i for i, x in a if x > b[-1][1] + 1e-4} == {i for i, x in b if x > b[-1][1] + 1e-4}


def questions(library: Library) -> Any:
    return library.embedder.embed(
        ["boat3 lamp1 quay", "net4 net5", "Ana Lima and her brothers", "reef0 bell8 tide2 gull"]
    )


def test_the_index_finds_what_an_exact_scan_finds(copy: Path) -> None:
    with open_library(copy) as library:
        assert library.index._collection is not None
        for vector in [*questions(library), *library.matrix()[1][::10]]:
            for limit in (1, 5, 50, 10_000):
                agree(library.index.search(vector, limit=limit), library.search_exact(vector, limit=limit))


def test_every_chunk_finds_itself(copy: Path) -> None:
    with open_library(copy) as library:
        ids, rows = library.matrix()
        for chunk_id, vector in zip(ids, rows, strict=True):
            found = library.index.search(vector, limit=3)
            assert found[0][1] == pytest.approx(1.0, abs=1e-5)
            assert chunk_id in dict(found)


def test_cosine_is_cosine(copy: Path) -> None:
    """Worked out by hand: equal texts 1; the opposite vector -1."""
    with open_library(copy) as library:
        vector = library.matrix()[1][0]
        assert library.index.search(vector, limit=1)[0][1] == pytest.approx(1.0, abs=1e-6)
        assert library.search_exact(-vector, limit=10_000)[-1][1] == pytest.approx(-1.0, abs=1e-6)


def test_a_filter_is_exact(copy: Path) -> None:
    with open_library(copy) as library:
        (about,) = {a.id for a in library.articles() if a.source.endswith("report.txt")}
        vector = questions(library)[0]
        found = library.index.search(vector, limit=50, within={about})
        assert {c.article_id for c in library.chunks_by_id(i for i, _ in found).values()} == {about}
        assert len(found) == len(library.chunks(about))
        assert library.index.search(vector, limit=50, within=set()) == []


def test_an_empty_library_has_nothing_near(tmp_path: Path) -> None:
    with Library.open(Config(library=tmp_path / "l", llm="none"), create=True, embedder=CountingEmbedder()) as library:
        assert library.index.search(library.embedder.embed(["x"])[0], limit=5) == []
        assert library.index.notes == []
    with open_library(tmp_path / "l") as library:
        assert library.index.search(library.embedder.embed(["x"])[0], limit=5) == []


# -- damage --------------------------------------------------------------------------------------------------------------


def files(index: Path, name: str) -> list[Path]:
    return sorted(index.rglob(name))


def remove_index(index: Path) -> None:
    shutil.rmtree(index)


def empty_folder(index: Path) -> None:
    shutil.rmtree(index)
    index.mkdir()


def a_file_instead(index: Path) -> None:
    shutil.rmtree(index)
    index.write_text("no index")


def another_index(index: Path) -> None:
    import sqlite3

    shutil.rmtree(index)
    index.mkdir()
    db = sqlite3.connect(index / "chroma.sqlite3")
    db.execute("CREATE TABLE collections (id TEXT)")
    db.commit()
    db.close()


def lost_rows(index: Path) -> None:
    """What two writers do: rows gone, nothing said."""
    import chromadb
    from chromadb.api.shared_system_client import SharedSystemClient

    from rag.store.vectors import COLLECTION, _settings

    collection = chromadb.PersistentClient(path=str(index), settings=_settings()).get_collection(
        COLLECTION, embedding_function=None
    )
    collection.delete(ids=collection.get(include=[])["ids"][::9])
    SharedSystemClient._identifier_to_system.pop(str(index)).stop()
    SharedSystemClient._identifier_to_refcount.pop(str(index), None)


def on(name: str, damage: Callable[[Path], object]) -> Callable[[Path], None]:
    def apply(index: Path) -> None:
        found = files(index, name)
        assert found, f"Chroma no longer writes {name}"
        for f in found:
            damage(f)

    return apply


def random_bytes(f: Path) -> None:
    f.write_bytes(random.Random(str(f.name)).randbytes(f.stat().st_size))


def random_middle(f: Path) -> None:
    size = f.stat().st_size
    with f.open("r+b") as h:
        h.seek(size // 3)
        h.write(random.Random(3).randbytes(max(8, size // 3)))


def zeros(f: Path) -> None:
    f.write_bytes(bytes(f.stat().st_size))


DAMAGE: dict[str, Callable[[Path], None]] = {
    "removed": remove_index,
    "an empty folder": empty_folder,
    "a file": a_file_instead,
    "another database": another_index,
    "lost rows": lost_rows,
    "database removed": on("chroma.sqlite3", Path.unlink),
    "database empty": on("chroma.sqlite3", lambda f: os.truncate(f, 0)),
    "database half": on("chroma.sqlite3", lambda f: os.truncate(f, f.stat().st_size // 2)),
    "database random": on("chroma.sqlite3", random_bytes),
    "database zero": on("chroma.sqlite3", zeros),
    "vectors removed": on("data_level0.bin", Path.unlink),
    "vectors half": on("data_level0.bin", lambda f: os.truncate(f, f.stat().st_size // 2)),
    "vectors random": on("data_level0.bin", random_bytes),
    "header random": on("header.bin", random_bytes),
    "header zero": on("header.bin", zeros),
    "lengths random": on("length.bin", random_bytes),
    "links random": on("link_lists.bin", random_middle),
    "names random": on("index_metadata.pickle", random_bytes),
}


@pytest.fixture(scope="module")
def persisted(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library with its graph written to files of its own (Chroma does so after 1,000 rows; a small one has none)."""
    folder = tmp_path_factory.mktemp("persisted") / "library"
    shutil.copytree(made, folder)
    with open_library(folder, write=True) as library:
        for _ in range(12):
            with library.transaction() as db:
                db.execute("UPDATE chunks SET indexed = 0")
            library.index.sync()
    assert files(folder / "index", "data_level0.bin")
    return folder


@pytest.mark.parametrize("shape", DAMAGE)
def test_damage_never_costs_an_answer_and_is_mended_by_the_next_writer(
    persisted: Path, tmp_path: Path, shape: str
) -> None:
    folder = tmp_path / "library"
    shutil.copytree(persisted, folder)
    before = _file_states(folder / "index", hashed=True) if (folder / "index").is_dir() else {}
    DAMAGE[shape](folder / "index")
    assert not (folder / "index").is_dir() or _file_states(folder / "index", hashed=True) != before, before
    with open_library(folder) as reader:
        for vector in questions(reader):
            agree(reader.index.search(vector, limit=20), reader.search_exact(vector, limit=20))
    with open_library(folder, write=True) as writer:
        index = writer.index
        assert index.ids() == {r["id"] for r in writer.rows("SELECT id FROM chunks")}
        for vector in questions(writer):
            agree(index.search(vector, limit=20), writer.search_exact(vector, limit=20))
        said = [n for n in index.notes if n.endswith("rebuilt from the library.")]
        assert index.notes == said
        assert len(said) == 1, _file_states(folder / "index")
    with open_library(folder) as reader:
        assert reader.index._collection is not None
        assert reader.index.notes == []


def test_a_graph_that_changed_without_a_trace_is_found_by_who_reads_all_of_it(persisted: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(persisted, tmp_path / "library"))
    [file] = files(folder / "index", "data_level0.bin")
    was, data = file.stat(), bytearray(file.read_bytes())
    with open_library(folder) as library:
        assert altered(library) == []
        data[300:310] = bytes(byte ^ 1 for byte in data[300:310])
        file.write_bytes(data)
        os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
        assert [Path(name).name for name in altered(library)] == ["data_level0.bin"]
        (folder / "index.seal").unlink()
        assert altered(library) == []  # it is made again


def test_a_reader_says_that_the_index_is_damaged(persisted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    shutil.copytree(persisted, folder)
    DAMAGE["database zero"](folder / "index")
    with open_library(folder) as reader:
        assert reader.index.notes == ["The vector index is damaged; searching without it. Run `recap rebuild`."]
        reader.index.search(questions(reader)[0], limit=3)
    assert files(folder / "index", "chroma.sqlite3")  # a reader mends nothing


def test_damage_while_a_reader_is_open_is_found_by_the_next(persisted: Path, tmp_path: Path) -> None:
    """A reader must not vouch, as it closes, for files that it did not check."""
    folder = tmp_path / "library"
    shutil.copytree(persisted, folder)
    with open_library(folder) as reader:
        reader.index.search(questions(reader)[0], limit=3)
        DAMAGE["database zero"](folder / "index")
        assert len(reader.index.search(questions(reader)[0], limit=3)) == 3
        index = reader.index
    assert index._look() != "sound"
    with open_library(folder) as reader:
        assert reader.index._collection is None
        assert len(reader.index.search(questions(reader)[0], limit=3)) == 3


def test_a_reader_does_not_vouch_for_what_changed_while_it_was_open(persisted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    shutil.copytree(persisted, folder)
    with open_library(folder) as reader:
        reader.index.search(questions(reader)[0], limit=3)
        index = reader.index
        with (folder / "index" / "chroma.sqlite3").open("r+b") as f:
            f.seek(-3, 2)
            f.write(b"???")
    assert index._look() == "touched"


def test_a_sound_index_is_not_probed_again(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_library(copy):
        pass
    with open_library(copy) as first:
        _ = first.index
    monkeypatch.setattr(VectorIndex, "_probe", lambda self: pytest.fail("probed"))
    for write in (False, True, False):
        with open_library(copy, write=write) as library:
            assert library.index._collection is not None


def test_rebuild_gives_the_same_answers(copy: Path) -> None:
    with open_library(copy, write=True) as library:
        before = [library.index.search(v, limit=10) for v in questions(library)]
        library.index.rebuild()
        for a, v in zip(before, questions(library), strict=True):
            agree(library.index.search(v, limit=10), a)


# -- unfinished work -----------------------------------------------------------------------------------------------------


def test_pending_and_removed_chunks_are_finished_on_open(copy: Path) -> None:
    with open_library(copy, write=True) as library:
        _ = library.index
        ids = [r["id"] for r in library.rows("SELECT id FROM chunks ORDER BY id")]
        with library.transaction() as db:  # what a killed process leaves: rows durable, the index behind
            db.execute("DELETE FROM chunks WHERE id = ?", (ids[0],))
            db.execute("UPDATE chunks SET indexed = 0 WHERE id IN (?, ?)", (ids[1], ids[2]))
        library.index._collection.delete(ids=[ids[1]])
    with open_library(copy) as reader:  # behind: scanned, not asked
        assert reader.index._collection is None
        assert ids[0] not in dict(reader.index.search(questions(reader)[0], limit=10_000))
        assert ids[1] in dict(reader.index.search(questions(reader)[0], limit=10_000))
        assert reader.index.notes == []
    with open_library(copy, write=True) as library:
        assert library.index.ids() == set(ids[1:])
        assert library.counts()["pending"] == 0
        assert library.rows("SELECT * FROM tombstones") == []
        assert library.index.notes == []  # nothing was damaged


# -- two handles in one process ------------------------------------------------------------------------------------------


def test_two_libraries_in_one_process_leave_each_other_alone(copy: Path, tmp_path: Path) -> None:
    more = write_articles(tmp_path / "more", {"x.txt": "The Zeppelin of Port Alder\n\nA zeppelin landed on the quay."})
    with open_library(copy) as reader:
        vector = reader.embedder.embed(["a zeppelin landed on the quay"])[0]
        before = reader.index.search(vector, limit=5)
        with open_library(copy, write=True) as writer:
            ingest(writer, [str(more)])
            during = reader.index.search(vector, limit=5)
            agree(during, writer.index.search(vector, limit=5))
        after = reader.index.search(vector, limit=5)
        assert during != before
        agree(after, during)
        assert reader.index._collection is not None
        with open_library(copy, write=True) as writer:
            remove(writer, writer.find("x.txt"))
            writer.index.rebuild()
        agree(reader.index.search(vector, limit=5), before)
        with open_library(copy) as second:
            agree(second.index.search(vector, limit=5), before)
        agree(reader.index.search(vector, limit=5), before)
        assert reader.index.notes == []


def test_one_after_the_other_sees_what_the_first_wrote(copy: Path, tmp_path: Path) -> None:
    for n in range(4):
        folder = write_articles(tmp_path / f"more{n}", {f"{n}.txt": f"Number {n}\n\nzeppelin{n} landed on quay {n}."})
        with open_library(copy, write=True) as writer:
            ingest(writer, [str(folder)])
        with open_library(copy) as reader:
            vector = reader.embedder.embed([f"Number {n} Number {n} zeppelin{n} landed on quay {n}."])[0]
            best = reader.index.search(vector, limit=1)[0][0]
            assert f"zeppelin{n}" in reader.chunks_by_id([best])[best].text


def test_a_dotenv_in_the_working_folder_is_not_read(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "ALLOW_RESET=TRUE\nCHROMA_API_IMPL=chromadb.api.fastapi.FastAPI\nIS_PERSISTENT=FALSE\n"
    )
    monkeypatch.chdir(tmp_path)
    with open_library(copy) as reader:
        assert reader.index._collection is not None
        agree(reader.index.search(questions(reader)[0], limit=5), reader.search_exact(questions(reader)[0], limit=5))


def test_only_what_a_writer_sealed_is_trusted(copy: Path) -> None:
    sealed = json.loads((copy / "index.seal").read_text())
    for p in (copy / "index").rglob("*"):
        os.utime(p)  # a backup that was put back: other times, the same bytes
    with open_library(copy) as reader:
        assert reader.index._collection is not None
    (copy / "index.seal").write_text(json.dumps(sealed | {"chroma.sqlite3": [0, 0, ""]}))
    with open_library(copy) as reader:
        assert reader.index._collection is not None  # probed, found sound
    (copy / "index.seal").write_text("not json")
    with open_library(copy) as reader:
        assert reader.index._collection is None
        assert reader.index.notes == ["The vector index is unfinished; searching without it. Run `recap rebuild`."]
    with open_library(copy, write=True) as writer:
        assert writer.index.notes == ["The vector index was unfinished and has been rebuilt from the library."]
        assert np.isfinite([x for _, x in writer.index.search(questions(writer)[0], limit=5)]).all()


def test_a_writer_that_is_killed_before_it_writes_costs_no_rebuild(copy: Path) -> None:
    """Over 100,000 chunks a rebuild takes minutes: an index that nobody changed must not be made again."""
    died = (
        "import os, sys; from pathlib import Path; from rag.config import Config; from rag.store.library import Library\n"
        "library = Library.open(Config(library=Path(sys.argv[1]), llm='none'), write=True); library.index; os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", died, str(copy)], cwd=Path(__file__).parents[1], check=False)
    assert done.returncode == 9
    with open_library(copy, write=True) as writer:
        assert writer.index.notes == []
        assert len(writer.index.ids()) == writer.counts()["chunks"]
    with open_library(copy) as reader:
        assert reader.index._collection is not None


def test_an_index_that_was_written_is_not_trusted_until_it_is_sealed(copy: Path) -> None:
    with open_library(copy, write=True) as library:
        assert library.index._look() == "sound"
        with library.transaction() as db:
            db.execute("UPDATE chunks SET indexed = 0 WHERE n = (SELECT min(n) FROM chunks)")
        library.index.sync()
        assert library.index._look() == "unfinished"
        index = library.index
    assert index._look() == "sound"


def test_a_scan_keeps_up_with_what_is_written(copy: Path, tmp_path: Path) -> None:
    """Only vectors that are new are read again, and the answers are those of a library that was just opened."""
    folder = write_articles(tmp_path / "more", {"new.txt": "Night of the Zeppelin\n\nA zeppelin landed on quay3."})
    with open_library(copy, write=True) as library:
        ids, rows = library.matrix()
        ingest(library, [str(folder)])
        remove(library, [ids[0].split("-")[0]])
        rows[1:] = 0.0  # what is in memory is not read from the file again
        now, kept = library.matrix()
        new = [n for n, i in enumerate(now) if i not in set(ids)]
        assert new
        assert not kept[[n for n in range(len(now)) if n not in new]].any()
        with open_library(copy) as fresh:
            assert fresh.matrix()[0] == now == sorted(now)
            assert (fresh.matrix()[1][new] == kept[new]).all()


def test_equal_vectors_are_ranked_by_id(copy: Path) -> None:
    with open_library(copy, write=True) as library:
        (one,) = library.rows("SELECT vector FROM chunks LIMIT 1")
        with library.transaction() as db:
            db.execute("UPDATE chunks SET vector = ? WHERE n % 2", (one["vector"],))
        found = library.search_exact(np.frombuffer(one["vector"], np.float32), limit=10)
        every = [r["id"] for r in library.rows("SELECT id FROM chunks WHERE n % 2 ORDER BY id")]
        assert [i for i, _ in found] == every[:10]


def test_a_library_that_can_be_scanned_does_not_load_chroma(copy: Path) -> None:
    """Importing and loading it would cost a cold question 2 s."""
    asked = (
        "import sys; from pathlib import Path; from rag.config import Config; from rag.store.library import Library\n"
        "from tests.conftest import CountingEmbedder\n"
        "with Library.open(Config(library=Path(sys.argv[1]), llm='none'), embedder=CountingEmbedder()) as library:\n"
        "    vector = library.embedder.embed(['boat3'])[0]\n"
        "    assert library.index.search(vector, limit=3) == library.search_exact(vector, limit=3) != []\n"
        "    print('chromadb' in sys.modules, library.index.notes)"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked, str(copy)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False []\n"


def test_a_reader_opens_the_index_when_it_is_asked_for(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.store.vectors._SCANNED", 150_000)
    for look in (lambda r: r.index.ids(), lambda r: r.index.ask(questions(r)[0], limit=3)):
        with open_library(copy) as reader:
            assert reader.index._collection is None
            assert look(reader)
            assert reader.index._collection is not None
