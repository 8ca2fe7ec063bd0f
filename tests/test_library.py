"""The library file: missing, locked, damaged or full, it says so; it never starts empty in silence."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rag.config import Config
from rag.errors import LibraryCorrupt, LibraryError, LibraryLocked, LibraryMissing, RecapError
from rag.ingest.pipeline import ingest, remove
from rag.store.backup import backup
from rag.store.library import FILE, Library
from tests.conftest import ARTICLES, CountingEmbedder, write_articles

Make = Callable[..., Library]
ROOT = Path(__file__).parents[1]
PAGE = 8192


def config(folder: Path, **settings: Any) -> Config:
    return Config(library=folder, llm="none", **settings)


def sentence(error: BaseException) -> bool:
    text = str(error)
    return text[0].isupper() and text.endswith(".") and "Traceback" not in text and "\n" not in text


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed library, to be copied and then damaged."""
    base = tmp_path_factory.mktemp("made")
    many = {f"{n}.txt": f"Story {n} of the harbour\n\n{f'Boat {n} came home with fish. ' * 30}" for n in range(12)}
    folder = write_articles(base / "articles", {**ARTICLES, **many})
    with Library.open(config(base / "library"), create=True, embedder=CountingEmbedder()) as library:
        ingest(library, [str(folder)])
    return base / "library"


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "library")
    return tmp_path / "library"


@contextmanager
def writer(folder: Path, then: str = "print('open', flush=True); sys.stdin.read()") -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the library for writing; it ends when its standard input does."""
    code = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from rag.config import Config
        from rag.store.library import Library
        from rag.errors import RecapError
        try:
            library = Library.open(Config(library=Path({str(folder)!r}), llm="none"), write=True)
        except RecapError as e:
            print(type(e).__name__, e, flush=True)
            sys.exit(1)
        {then}
        library.close()
        """)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        yield process
    finally:
        process.stdin.close()  # type: ignore[union-attr]
        process.wait(30)
        process.stdout.close()  # type: ignore[union-attr]


# -- missing and wrong ---------------------------------------------------------------------------------------------------


def test_a_missing_library_says_how_to_make_one(tmp_path: Path) -> None:
    for write in (False, True):
        with pytest.raises(LibraryMissing, match="recap ingest") as e:
            Library.open(config(tmp_path / "none"), write=write)
        assert sentence(e.value)
    assert not (tmp_path / "none").exists()


def test_an_index_without_its_library_is_not_an_empty_library(copy: Path) -> None:
    (copy / FILE).unlink()
    for how in ({}, {"write": True}, {"create": True}):
        with pytest.raises(LibraryCorrupt, match="backup") as e:
            Library.open(config(copy), **how)  # type: ignore[arg-type]
        assert sentence(e.value)
    assert not (copy / FILE).exists()


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(LibraryError) as e:
            Library.open(config(folder), create=True)
        assert sentence(e.value)


def test_a_reader_cannot_write(copy: Path) -> None:
    with (
        Library.open(config(copy), embedder=CountingEmbedder()) as reader,
        pytest.raises(LibraryError, match="reading only"),
        reader.transaction(),
    ):
        pass


def test_a_transaction_is_whole_or_not_at_all(copy: Path) -> None:
    with Library.open(config(copy), write=True, embedder=CountingEmbedder()) as library:
        before, generation = library.counts(), library.generation
        with pytest.raises(ZeroDivisionError), library.transaction() as db:
            db.execute("DELETE FROM chunks").fetchall()[1 // 0]
        assert (library.counts(), library.generation) == (before, generation)


# -- one writer ----------------------------------------------------------------------------------------------------------


def test_a_second_writer_gives_up_within_two_seconds(copy: Path) -> None:
    with writer(copy) as other:
        assert other.stdout.readline() == "open\n"  # type: ignore[union-attr]
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(LibraryLocked, match="Another process is writing") as e:
                Library.open(config(copy), write=True)
            assert time.monotonic() - began < 2
            assert sentence(e.value)
        with Library.open(config(copy), embedder=CountingEmbedder()) as reader:  # readers go on
            assert reader.counts()["articles"] == 16
    with Library.open(config(copy), write=True, embedder=CountingEmbedder()) as library:
        assert library.writable


def test_two_processes_cannot_both_write(copy: Path) -> None:
    with Library.open(config(copy), write=True, embedder=CountingEmbedder()), writer(copy) as other:
        line = other.stdout.readline()  # type: ignore[union-attr]
        assert line.startswith("LibraryLocked Another process is writing")


def test_a_killed_writer_leaves_no_lock(copy: Path) -> None:
    with writer(copy) as other:
        assert other.stdout.readline() == "open\n"  # type: ignore[union-attr]
        other.kill()
        other.wait(10)
        with Library.open(config(copy), write=True, embedder=CountingEmbedder()) as library:
            assert library.counts()["articles"] == 16


def test_two_writers_in_one_process_are_two_writers(copy: Path) -> None:
    with (
        Library.open(config(copy), write=True, embedder=CountingEmbedder()),
        pytest.raises(LibraryLocked),
    ):
        Library.open(config(copy), write=True, embedder=CountingEmbedder())


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"garbage" * 1000])
def test_what_the_lock_file_holds_does_not_matter(copy: Path, content: bytes) -> None:
    (copy / "writer.lock").write_bytes(content)
    (copy / "index.lock").write_bytes(content)
    with Library.open(config(copy), write=True, embedder=CountingEmbedder()) as library:
        assert len(library.index.ids()) == library.counts()["chunks"]


def test_a_lock_that_cannot_be_taken_is_a_sentence(copy: Path) -> None:
    (copy / "writer.lock").unlink(missing_ok=True)
    (copy / "writer.lock").mkdir()
    with pytest.raises(LibraryError) as e:
        Library.open(config(copy), write=True)
    assert sentence(e.value)


# -- damage --------------------------------------------------------------------------------------------------------------


def truncate(share: float) -> Callable[[Path], None]:
    return lambda file: os.truncate(file, int(file.stat().st_size * share))


def overwrite(at: float, length: int, seed: int | None) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        size = file.stat().st_size
        with file.open("r+b") as f:
            f.seek(int(size * at) // PAGE * PAGE)
            f.write(bytes(length) if seed is None else random.Random(seed).randbytes(length))
        os.truncate(file, size)

    return damage


def version(n: int) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        db = sqlite3.connect(file)
        db.execute(f"PRAGMA user_version={n}")
        db.close()

    return damage


def sql(*statements: str) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        db = sqlite3.connect(file)
        for s in statements:
            db.execute(s)
        db.commit()
        db.close()

    return damage


def replaced(content: bytes) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        file.write_bytes(content)

    return damage


DAMAGE: dict[str, Callable[[Path], None]] = {
    "no bytes": truncate(0),
    "one page": lambda file: os.truncate(file, PAGE),
    "half": truncate(0.5),
    "half a page off": lambda file: os.truncate(file, file.stat().st_size - 2048),
    "nine tenths": truncate(0.9),
    "all zero": overwrite(0, 1 << 20, None),
    "header zero": overwrite(0, 100, None),
    "header random": overwrite(0, 100, 1),
    "schema random": overwrite(0.0, PAGE, 2),
    "random page 20%": overwrite(0.2, PAGE, 3),
    "random page 50%": overwrite(0.5, PAGE, 4),
    "random page 80%": overwrite(0.8, PAGE, 5),
    "zero page 30%": overwrite(0.3, PAGE, None),
    "zero page 60%": overwrite(0.6, PAGE, None),
    "a text file": replaced(b"This was a library once.\n" * 400),
    "no library": lambda file: (replaced(b"")(file), sql("CREATE TABLE t (x)")(file))[0],
    "a version to come": version(99),
    "no version": version(0),
    "no generation": sql("DELETE FROM meta WHERE key = 'generation'"),
    "odd generation": sql("UPDATE meta SET value = 'x' WHERE key = 'generation'"),
    "a changed word": sql("UPDATE articles SET text = replace(text, 'fish', 'gold') WHERE rowid = 9"),
    "a changed chunk": sql("UPDATE chunks SET text = replace(text, 'fish', 'gold') WHERE n = 5"),
    "a changed vector": sql("UPDATE chunks SET vector = zeroblob(256) WHERE n = 7"),
    "a moved chunk": sql("UPDATE chunks SET start = start + 1, end = end + 1 WHERE n = 7"),
    "a changed headline": sql("UPDATE articles SET title = title || '?' WHERE rowid = 3"),
    "a changed date": sql("UPDATE articles SET published = '2001-01-01' WHERE rowid = 3"),
    "a changed event": sql("UPDATE articles SET events = replace(events, '2023', '2024') WHERE events LIKE '%2023%'"),
    "an orphan": sql("UPDATE chunks SET article_id = 'nobody' WHERE n = 4"),
    "a short vector": sql("UPDATE chunks SET vector = zeroblob(13) WHERE n = 7"),
    "a date that is none": sql("UPDATE articles SET published = '2023-99-99' WHERE rowid = 1"),
    "events that are none": sql("UPDATE articles SET events = '[{' WHERE rowid = 1"),
}


@pytest.mark.parametrize("shape", DAMAGE)
def test_damage_is_refused_and_nothing_changed(copy: Path, shape: str) -> None:
    file = copy / FILE
    DAMAGE[shape](file)
    before = file.read_bytes()
    for how in ({}, {"write": True}, {"create": True}):
        with pytest.raises(LibraryCorrupt, match="backup") as e:
            Library.open(config(copy), **how)  # type: ignore[arg-type]
        assert sentence(e.value), str(e.value)
    assert file.read_bytes() == before


@pytest.mark.parametrize("seed", range(40))
def test_random_bytes_anywhere_are_refused_or_harmless(copy: Path, seed: int, tmp_path: Path) -> None:
    """A byte may fall where nothing is kept; then every article and chunk must still be what it was."""
    rng = random.Random(seed)
    with Library.open(config(copy), embedder=CountingEmbedder()) as library:
        articles, chunks = library.articles(), library.rows("SELECT id, text, vector FROM chunks ORDER BY id")
    with (copy / FILE).open("r+b") as f:
        f.seek(rng.randrange((copy / FILE).stat().st_size - 16))
        f.write(rng.randbytes(rng.choice([1, 4, 16])))
    error: RecapError | None = None
    try:
        with Library.open(config(copy), embedder=CountingEmbedder()) as library:
            now = [(a.id, a.text, a.title) for a in library.articles()]
            rows = library.rows("SELECT id, text, vector FROM chunks ORDER BY id")
            assert now == [(a.id, a.text, a.title) for a in articles]
            assert [(r["id"], r["text"]) for r in rows] == [(r["id"], r["text"]) for r in chunks]
            library.search_text(["fish"], limit=5)
    except RecapError as e:
        error = e
    assert error is None or sentence(error)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE chunks_fts_data SET block = zeroblob(length(block)) WHERE id > 10",
        "DELETE FROM chunks_fts_data WHERE id > 10",
        "DELETE FROM chunks_fts_docsize",
        "INSERT INTO chunks_fts(chunks_fts) VALUES ('delete-all')",
    ],
)
def test_a_damaged_full_text_index_is_refused_and_made_again_by_a_writer(copy: Path, damage: str) -> None:
    with Library.open(config(copy), embedder=CountingEmbedder()) as library:
        before = library.search_text(["fish", "harbour"], limit=50)
    sql(damage)(copy / FILE)
    with pytest.raises(LibraryCorrupt, match=r"no article is lost\. Run `recap rebuild`\.") as e:
        Library.open(config(copy))
    assert sentence(e.value)
    for write in (True, False):
        with Library.open(config(copy), write=write, embedder=CountingEmbedder()) as library:
            assert library.search_text(["fish", "harbour"], limit=50) == before


def test_the_full_text_is_not_checked_while_another_writes(copy: Path) -> None:
    with Library.open(config(copy), write=True, embedder=CountingEmbedder()) as library, library.transaction():
        began = time.monotonic()
        with Library.open(config(copy), embedder=CountingEmbedder()) as reader:
            assert reader.search_text(["fish"], limit=3)
        assert time.monotonic() - began < 2


def test_damage_that_comes_while_it_is_open_is_a_sentence_or_unseen(copy: Path) -> None:
    """SQLite may still have the pages: then the answers are the old ones, not new ones out of nothing."""

    def look(library: Library) -> list[Any]:
        return [library.articles(), library.search_text(["fish"], limit=5), library.matrix()[0]]

    with Library.open(config(copy), embedder=CountingEmbedder()) as library:
        before = look(library)
        DAMAGE["all zero"](copy / FILE)
        error: RecapError | None = None
        try:
            assert look(library) == before
        except RecapError as e:
            error = e
        assert error is None or sentence(error)


def test_a_half_made_library_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / f"{FILE}.new").write_bytes(b"half")
    (tmp_path / "library" / f"{FILE}.new-journal").write_bytes(b"half")
    with Library.open(config(tmp_path / "library"), create=True, embedder=CountingEmbedder()) as library:
        assert library.counts()["articles"] == 0


# -- a full disk ---------------------------------------------------------------------------------------------------------

FULL = """
import resource, signal, sys
from pathlib import Path
from rag.config import Config
from rag.errors import RecapError
from rag.ingest.pipeline import ingest
from rag.store.library import Library
from tests.conftest import CountingEmbedder
folder, articles, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
library = Library.open(Config(library=folder, llm="none"), create=True, embedder=CountingEmbedder())
library.index
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the limit fails like one to a full disk
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
try:
    ingest(library, [articles])
except RecapError as e:
    print(type(e).__name__, e, flush=True)
    sys.exit(3)
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print("done", flush=True)
"""


@pytest.mark.parametrize("kib", [130, 200, 400, 600])
def test_a_write_that_fails_is_a_sentence_and_the_next_run_completes(tmp_path: Path, kib: int) -> None:
    many = {f"{n:02d}.txt": f"Story {n} of the harbour\n\n{f'Boat {n} came home with fish. ' * 120}" for n in range(60)}
    folder = write_articles(tmp_path / "articles", many)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "library"), str(folder), str(kib * 1024)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 3, (done.stdout, done.stderr)
    assert done.stdout.startswith("LibraryError The "), done.stdout
    assert done.stdout.rstrip().endswith(".")
    with Library.open(config(tmp_path / "library"), write=True, embedder=CountingEmbedder()) as library:
        acknowledged = {a.id: a for a in library.articles()}
        report = ingest(library, [str(folder)])
        assert len(report.unchanged) == len(acknowledged)
        assert library.counts()["articles"] == 60
        assert library.index.ids() == {r["id"] for r in library.rows("SELECT id FROM chunks")}
        assert library.integrity() == "ok"


# -- reading while others write, and from many threads ---------------------------------------------------------------------


@pytest.mark.parametrize("scanned", [-1, 150_000])
def test_a_reader_sees_what_another_process_adds_without_opening_again(
    copy: Path, tmp_path: Path, scanned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.store.vectors._SCANNED", scanned)
    more = write_articles(tmp_path / "more", {"x.txt": "The Zeppelin of Port Alder\n\nA zeppelin landed on the quay."})
    then = f"""
        from rag.ingest.pipeline import ingest
        from tests.conftest import CountingEmbedder
        library._given = CountingEmbedder()
        ingest(library, [{str(more)!r}])
        print('open', flush=True); sys.stdin.read()"""
    with Library.open(config(copy), embedder=CountingEmbedder()) as reader:
        vector = reader.embedder.embed(["a zeppelin landed on the quay"])[0]
        assert reader.index.search(vector, limit=3)
        assert reader.search_text(["zeppelin"], limit=3) == []
        with writer(copy, textwrap.dedent(then).strip().replace("\n", "\n        ")) as other:
            assert other.stdout.readline() == "open\n"  # type: ignore[union-attr]
            while_open = reader.index.search(vector, limit=3)
            assert "Zeppelin" in reader.chunks_by_id([while_open[0][0]])[while_open[0][0]].text
            assert len(reader.search_text(["zeppelin"], limit=3)) == 1
        after = reader.index.search(vector, limit=3)
        assert [i for i, _ in after] == [i for i, _ in while_open]
        assert (reader.index._collection is None) == (scanned > 0)  # the index again, not the scan
        assert reader.index.notes == []


def test_a_reader_that_has_read_an_article_sees_how_another_changes_it(copy: Path, tmp_path: Path) -> None:
    story = {"x.txt": "The Zeppelin of Port Alder\n\nA zeppelin landed on the quay."}
    folder = write_articles(tmp_path / "more", story)
    with Library.open(config(copy), write=True, embedder=CountingEmbedder()) as first:
        ingest(first, [str(folder)])
    with Library.open(config(copy), embedder=CountingEmbedder()) as reader:
        ids = reader.find("x.txt")
        (before,) = reader.articles_by_id(ids).values()
        assert reader.articles_by_id(ids)[before.id] is before  # not parsed again
        write_articles(tmp_path / "more", {"x.txt": story["x.txt"].replace("quay", "lighthouse")})
        with Library.open(config(copy), write=True, embedder=CountingEmbedder()) as other:
            ingest(other, [str(folder)])
        assert reader.articles_by_id(ids)[before.id].text.endswith("landed on the lighthouse.")
        (tmp_path / "more" / "x.txt").unlink()
        with Library.open(config(copy), write=True, embedder=CountingEmbedder()) as other:
            assert remove(other, ids) == 1
        assert reader.articles_by_id(ids) == {}


@pytest.mark.slow
def test_reading_goes_on_while_another_process_writes(copy: Path, tmp_path: Path) -> None:
    many = {f"w{n:03d}.txt": f"Night {n}\n\n{f'The lamp of pier {n} burned out. ' * 40}" for n in range(150)}
    more = write_articles(tmp_path / "more", many)
    then = f"""
        from rag.ingest.pipeline import ingest
        from tests.conftest import CountingEmbedder
        library._given = CountingEmbedder()
        print('open', flush=True)
        ingest(library, [{str(more)!r}])"""
    failures: list[BaseException] = []
    counted: list[int] = []
    with Library.open(config(copy), embedder=CountingEmbedder()) as reader:
        vector = reader.embedder.embed(["the lamp of the pier burned out"])[0]
        reader.index.search(vector, limit=5)
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                try:
                    found = reader.index.search(vector, limit=10)
                    known = reader.chunks_by_id(i for i, _ in found)
                    counted.append(reader.counts()["articles"])
                    reader.search_text(["lamp"], limit=10)
                    reader.articles()
                    assert len(found) == 10
                    assert known
                except BaseException as e:
                    failures.append(e)
                    return

        threads = [threading.Thread(target=ask) for _ in range(4)]
        with writer(copy, textwrap.dedent(then).strip().replace("\n", "\n        ")) as other:
            assert other.stdout.readline() == "open\n"  # type: ignore[union-attr]
            for t in threads:
                t.start()
            other.wait(60)
        time.sleep(0.2)
        stop.set()
        for t in threads:
            t.join()
        assert not failures, failures[0]
        assert reader.counts()["articles"] == 166
        assert counted == sorted(counted) or len(set(counted)) > 1
        by_index, by_scan = (f(vector, limit=10) for f in (reader.index.search, reader.search_exact))
        assert [x for _, x in by_index] == pytest.approx([x for _, x in by_scan], abs=1e-5)  # ids may tie


def test_what_is_added_while_the_rows_are_checked_is_no_damage(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Library._look_at

    def look_at(self: Library, ids: Any) -> Any:
        seen = real(self, ids)
        if self is reader:
            new = write_articles(tmp_path / "new", {"late.txt": "A late story of the harbour\n\nThe boats came home."})
            ingest(library, [str(new)])
        return seen

    with Library.open(library.config, embedder=CountingEmbedder()) as reader:
        monkeypatch.setattr(Library, "_look_at", look_at)
        assert reader.integrity() == "ok"
        assert library.counts()["articles"] == 5


def test_sixteen_threads_search_one_library(copy: Path) -> None:
    with Library.open(config(copy), embedder=CountingEmbedder()) as library:
        questions = [f"boat {n} came home with fish" for n in range(16)]
        vectors = library.embedder.embed(questions)
        alone = [
            (library.index.search(v, limit=5), library.search_text(q.split(), limit=5))
            for q, v in zip(questions, vectors, strict=True)
        ]
        together: list[Any] = [None] * 16
        barrier = threading.Barrier(16)

        def ask(n: int) -> None:
            barrier.wait()
            for _ in range(20):
                together[n] = (
                    library.index.search(vectors[n], limit=5),
                    library.search_text(questions[n].split(), limit=5),
                )

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert together == alone


def emptied(folder: Path) -> None:
    for p in folder.iterdir():
        shutil.rmtree(p) if p.is_dir() else p.unlink()


def test_a_reader_makes_no_library_where_it_was_removed(copy: Path, tmp_path: Path) -> None:
    with Library.open(config(copy), embedder=CountingEmbedder()) as reader:
        assert reader.articles()
        emptied(copy)
        for _ in range(2):
            with pytest.raises(LibraryError) as e:
                reader.articles()
            assert sentence(e.value)
        assert not (copy / FILE).exists()


def test_a_reader_goes_on_with_the_library_that_took_the_place_of_its_own(copy: Path, tmp_path: Path) -> None:
    folder = write_articles(tmp_path / "new", {"a.txt": f"A new story\n\n{'The pier was painted green. ' * 20}"})
    with Library.open(config(copy), embedder=CountingEmbedder()) as reader:
        vector = CountingEmbedder().embed(["pier painted green"])[0]
        for read in (
            reader.articles,
            reader.events,
            lambda: reader.size,
            lambda: reader.search_text(["pier"], limit=3),
        ):
            read()  # type: ignore[operator]
        reader.index.search(vector, limit=3)
        generation = reader.generation
        emptied(copy)
        with Library.open(config(copy), create=True, embedder=CountingEmbedder()) as other:
            ingest(other, [str(folder)])
            other.set_meta({"generation": str(generation - 2)})  # one for this, one for the seal
            [article] = other.articles()
        assert reader.generation == generation
        assert reader.articles() == [article]
        assert reader.size == len(reader.chunks(article.id))
        assert reader.chunks_by_id([i for i, _ in reader.search_text(["pier"], limit=3)])
        found = [i for i, _ in reader.index.search(vector, limit=50)]
        assert set(found) == {c.id for c in reader.chunks(article.id)}


def test_a_writer_stops_where_its_file_was_replaced(copy: Path, tmp_path: Path) -> None:
    with Library.open(config(copy), write=True, embedder=CountingEmbedder()) as writer:
        shutil.copy(copy / FILE, tmp_path / "other")
        (tmp_path / "other").replace(copy / FILE)
        with pytest.raises(LibraryError, match="replaced while it was written to") as e:
            writer.set_meta({"a": "b"})
        assert sentence(e.value)


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%3Fb", "a b'", 'é"é'])
def test_any_folder_name_will_do(name: str, copy: Path) -> None:
    folder = copy.rename(copy.with_name(name))
    with Library.open(config(folder), write=True, embedder=CountingEmbedder()) as library:
        assert library.articles()


def test_a_library_that_cannot_be_written_is_read(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("a folder that root cannot write needs a mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run([mount, "--bind", str(copy), str(disk)], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        subprocess.run([mount, "-o", "remount,bind,ro", str(disk)], check=True)
        with Library.open(config(disk), embedder=CountingEmbedder()) as reader:
            assert reader.articles()
            assert reader.search_text(["harbour"], limit=3)
            assert backup(reader, tmp_path / "b").articles == len(reader.articles())
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_log_of_a_file_that_is_gone_is_not_taken_for_a_new_ones(copy: Path, tmp_path: Path) -> None:
    with Library.open(config(copy), write=True, embedder=CountingEmbedder()) as library:
        library.set_meta({"old": "yes"})
        left = (copy / f"{FILE}-wal").read_bytes()
        assert left
    folder = tmp_path / "begun"
    folder.mkdir()
    (folder / f"{FILE}-wal").write_bytes(left)
    with Library.open(config(folder), create=True, embedder=CountingEmbedder()) as library:
        assert library.meta("old") is None
        assert library.articles() == []
    [aside] = folder.glob(f"{FILE}-wal.before-*")
    assert aside.read_bytes() == left


def test_a_library_of_a_newer_version_is_left_to_it(copy: Path) -> None:
    version(99)(copy / FILE)
    for how in ({}, {"write": True}, {"create": True}):
        with pytest.raises(LibraryCorrupt, match=r"newer version of Recap .*Update Recap") as e:
            Library.open(config(copy), **how)  # type: ignore[arg-type]
        assert sentence(e.value)
        assert "remove" not in str(e.value)


def test_threads_that_ended_leave_no_connection_open(copy: Path) -> None:
    with Library.open(config(copy), embedder=CountingEmbedder()) as library:
        for _ in range(30):
            t = threading.Thread(target=library.counts)
            t.start()
            t.join()
        assert len(library._connections) <= 2


# -- reading -------------------------------------------------------------------------------------------------------------


def test_questions_to_the_full_text_are_never_syntax(copy: Path) -> None:
    with Library.open(config(copy), embedder=CountingEmbedder()) as library:
        for words in (
            ['"'],
            ["fish\0"],
            ["NEAR(", "fish"],
            ["*"],
            ["fish OR"],
            ["-"],
            ["ﬁsh"],
            ["x" * 5000],
            ["😀"],
            [""],
        ):
            library.search_text(words, limit=3)
        library.search_text([f"word{n}" for n in range(3000)], limit=3)
        assert library.search_text([], limit=3) == []
        assert library.search_text(["fish"], limit=3, within=set()) == []


def test_full_text_is_stemmed_and_folded(library: Library) -> None:
    assert library.search_text(["fishermen"], limit=1)
    assert {i for i, _ in library.search_text(["boats"], limit=9)} == {
        i for i, _ in library.search_text(["boat"], limit=9)
    }


def test_articles_are_found_by_id_url_source_and_file_name(library: Library, articles: Path) -> None:
    (one,) = library.find("report.txt")
    assert library.find(one) == library.find(str(articles / "report.txt")) == [one]
    assert library.find("port.txt") == library.find("%") == library.find("") == []


def test_events_are_listed_with_their_articles(library: Library) -> None:
    listed = {(e.label, n) for e, n in library.events()}
    assert listed == {("2024 Lantern Music Awards", 1), ("2023 Lantern Music Awards", 2)}
    assert [e.edition for e, _ in library.events()] == ["2024", "2023"]  # newest first
    about = library.articles_about(event="lantern-music-awards", year=2023)
    assert about == {a.id for a in library.articles() if a.event and a.event.edition == "2023"}
    assert library.articles_about(event=None, year=None) is None
    assert library.articles_about(event="no-such", year=None) == set()
