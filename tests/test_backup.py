"""Backups: what is written is a whole library, what is restored is that library, and what fails leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag import feedback
from rag.config import Config
from rag.doctor import _leftovers, _sweep
from rag.errors import LibraryCorrupt, LibraryError, LibraryLocked, LibraryMissing
from rag.ingest.pipeline import article_id, ingest, remove
from rag.store import backup as module
from rag.store import vectors
from rag.store.backup import FEEDBACK, PART, UPLOADS, backup, restore
from rag.store.library import FILE, RESTORED, Library, writer_active
from tests.conftest import CountingEmbedder, write_articles
from tests.test_pipeline import consistent, content
from ui import adding

Make = Callable[..., Library]
ROOT = Path(__file__).parents[1]


def config(folder: Path) -> Config:
    return Config(library=folder, llm="none")


def opened(folder: Path, *, write: bool = False) -> Library:
    return Library.open(config(folder), write=write, embedder=CountingEmbedder())


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def sentence(error: BaseException) -> bool:
    text = str(error)
    return text[0] in "/TA" and text.endswith(".") and "\n" not in text and "Traceback" not in text


@pytest.fixture
def made(library: Library, tmp_path: Path) -> Path:
    """A backup of the four articles."""
    (tmp_path / "out").mkdir()
    backup(library, tmp_path / "out" / "b.recap")
    return tmp_path / "out" / "b.recap"


# --- there and back ---------------------------------------------------------------------------------------------------


def test_a_restored_library_is_the_one_that_was_backed_up(library: Library, made: Path, tmp_path: Path) -> None:
    restored = restore(config(tmp_path / "deep" / "new"), made)
    assert (restored.articles, restored.chunks) == (4, library.size)
    assert restored.when.startswith("20")
    with opened(tmp_path / "deep" / "new", write=True) as other:
        assert content(other) == content(library)
        consistent(other)
        assert other.index.notes == []  # it came with its index, made and sealed
        assert other.meta(RESTORED) is None
    assert names(made.parent) == {"b.recap"}
    assert not [n for n in names(tmp_path / "deep" / "new") if PART in n or "kept" in n]


def test_a_backup_is_a_library_file(library: Library, made: Path, tmp_path: Path) -> None:
    (tmp_path / "by-hand").mkdir()
    shutil.copy(made, tmp_path / "by-hand" / FILE)
    with opened(tmp_path / "by-hand") as other:
        assert content(other) == content(library)
        assert other.search_text(["lantern"], limit=3) == library.search_text(["lantern"], limit=3)
    with opened(tmp_path / "by-hand", write=True) as other:
        consistent(other)


def test_a_file_put_back_by_hand_beside_a_newer_index_is_not_asked_of_it(
    library: Library, made: Path, articles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "_SCANNED", -1)
    folder = library.path
    before = content(library)
    remove(library, [article_id((articles / "report.txt").resolve().as_uri())])
    library.close()
    shutil.copy(made, folder / FILE)
    chunks = {r[1]: r[-1] for r in before["chunks"]} or {}
    with opened(folder) as reader:
        for r in reader.rows("SELECT id, vector FROM chunks"):
            found = reader.index.search(np.frombuffer(r["vector"], np.float32), limit=len(chunks) or 50)
            assert r["id"] in dict(found)
    with opened(folder, write=True) as writer:
        assert "unfinished" in writer.index.notes[0]
        consistent(writer)
        assert content(writer) == before


def test_a_library_file_that_was_copied_by_hand_is_restored_too(library: Library, tmp_path: Path) -> None:
    library.set_meta({"late": "in the log beside it"})
    assert (library.path / f"{FILE}-wal").stat().st_size
    shutil.copytree(library.path, tmp_path / "copied")
    restored = restore(config(tmp_path / "new"), tmp_path / "copied" / FILE)
    assert (restored.articles, restored.when) == (4, "")
    with opened(tmp_path / "new", write=True) as other:
        assert content(other) == content(library)
        assert other.meta("late") == "in the log beside it"
        consistent(other)


def test_what_people_thought_and_uploaded_goes_along(library: Library, tmp_path: Path) -> None:
    assert feedback.FILE == FEEDBACK
    assert adding.UPLOADS == UPLOADS
    feedback.add(library.path, feedback.Feedback(verdict="down", question="who sang?", right_answer="Ana Lima"))
    with (library.path / FEEDBACK).open("ab") as f:
        f.write(b'{"when": "half a li')  # another process is writing it
    uploads = library.path / UPLOADS
    uploads.mkdir()
    (uploads / "report.pdf").write_bytes(b"%PDF-1.4 \xff\x00")
    (uploads / ".new-abc").write_bytes(b"scratch")
    done = backup(library, tmp_path / "b.recap")
    assert done.beside == (FEEDBACK, "uploads/report.pdf")
    restore(config(tmp_path / "new"), tmp_path / "b.recap")
    assert feedback.read(tmp_path / "new") == feedback.read(library.path)
    assert (tmp_path / "new" / UPLOADS / "report.pdf").read_bytes() == b"%PDF-1.4 \xff\x00"
    assert names(tmp_path / "new" / UPLOADS) == {"report.pdf"}


def test_what_was_removed_is_in_no_backup(library: Library, articles: Path, tmp_path: Path) -> None:
    assert b"forty boats" in (library.path / FILE).read_bytes() + (library.path / f"{FILE}-wal").read_bytes()
    remove(library, [article_id((articles / "report.txt").resolve().as_uri())])
    backup(library, tmp_path / "b.recap")
    assert b"forty boats" not in (tmp_path / "b.recap").read_bytes()


def test_an_empty_library_goes_there_and_back(make_library: Make, tmp_path: Path) -> None:
    backup(make_library(), tmp_path / "b.recap")
    assert restore(config(tmp_path / "new"), tmp_path / "b.recap").articles == 0
    with opened(tmp_path / "new") as other:
        assert other.counts()["articles"] == 0


def test_a_backup_while_another_process_holds_the_library(library: Library, tmp_path: Path) -> None:
    with library.transaction() as db:
        db.execute("INSERT INTO meta VALUES ('half', 'done')")
        with opened(library.path) as reader:
            backup(reader, tmp_path / "b.recap")
    restore(config(tmp_path / "new"), tmp_path / "b.recap")
    with opened(tmp_path / "new") as other:
        assert other.meta("half") is None
        assert content(other) == content(library)


def test_full_text_that_is_wrong_is_right_in_the_backup(library: Library, tmp_path: Path) -> None:
    library.rows("INSERT INTO chunks_fts(chunks_fts) VALUES ('delete-all')")
    backup(library, tmp_path / "b.recap")
    restore(config(tmp_path / "new"), tmp_path / "b.recap")
    with opened(tmp_path / "new") as other:
        assert other.search_text(["lantern"], limit=3)


def test_progress_is_told(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_INSTRUCTIONS", 500)
    library.set_meta({f"filler {n}": "x" * 100_000 for n in range(80)})  # more than SQLite keeps in memory
    told: list[tuple[str, float]] = []
    backup(library, tmp_path / "b.recap", progress=lambda *said: told.append(said))
    assert list(dict.fromkeys(what for what, _ in told)) == ["Copying", "Keeping what lies beside", "Verifying"]
    assert all(0 <= share <= 1 for _, share in told)
    assert max(share for _, share in told) > 0.3


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_written_is_open_to_no_more_people_than_what_it_replaces(library: Library, tmp_path: Path) -> None:
    feedback.add(library.path, feedback.Feedback(verdict="down", question="who sang?"))
    file, folder = tmp_path / "b", tmp_path / "new"
    seen: set[int] = set()
    backup(library, file, progress=lambda *_: seen.add(mode(tmp_path / f"b{PART}")))
    assert (mode(file), seen) == (0o600, {0o700})
    restore(config(folder), file)
    assert (mode(folder / FILE), mode(folder / FEEDBACK)) == (0o600, 0o600)
    (folder / FILE).chmod(0o640)
    file.chmod(0o644)
    done = restore(config(folder), file, force=True)
    assert (mode(folder / FILE), mode(folder / FEEDBACK), mode(done.aside[0])) == (0o640, 0o600, 0o640)


# --- what is there is not lost ----------------------------------------------------------------------------------------


def test_an_existing_file_is_replaced_only_on_demand(library: Library, made: Path) -> None:
    made.write_bytes(b"mine")
    with pytest.raises(LibraryError, match=r"there already .* --force"):
        backup(library, made)
    assert made.read_bytes() == b"mine"
    backup(library, made, force=True)
    assert made.read_bytes().startswith(b"SQLite format 3")
    assert names(made.parent) == {"b.recap"}


def test_a_file_that_appears_meanwhile_stays(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "b.recap"
    with pytest.raises(LibraryError, match="there already"):
        backup(library, file, progress=lambda what, _: file.write_bytes(b"mine") and None)
    assert file.read_bytes() == b"mine"
    assert not (tmp_path / f"b.recap{PART}").exists()


def test_a_library_is_replaced_only_on_demand_and_kept(library: Library, made: Path, articles: Path) -> None:
    folder = library.path
    before, generation = content(library), library.generation
    feedback.add(folder, feedback.Feedback(verdict="up", question="who sang?"))
    remove(library, [article_id((articles / "report.txt").resolve().as_uri())])
    after, newer = content(library), library.generation
    with pytest.raises(LibraryLocked):
        restore(config(folder), made, force=True)
    library.close()
    with pytest.raises(LibraryError, match=r"not empty .* --force"):
        restore(config(folder), made)
    done = restore(config(folder), made, force=True)
    assert [p.name.split(".before-")[0] for p in done.aside] == [FILE]
    with opened(folder, write=True) as other:
        assert content(other) == before
        assert other.generation > max(generation, newer)
        consistent(other)
    assert len(feedback.read(folder)) == 1  # the backup has none: what is there stays
    kept = folder.parent / "kept"
    kept.mkdir()
    done.aside[0].rename(kept / FILE)
    with opened(kept) as old:
        assert content(old) == after


def test_a_log_that_a_killed_writer_left_stays_with_its_file(library: Library, made: Path, tmp_path: Path) -> None:
    library.set_meta({"late": "in the log"})
    shutil.copytree(library.path, tmp_path / "killed")
    done = restore(config(tmp_path / "killed"), made, force=True)
    with opened(tmp_path / "killed") as other:
        assert other.meta("late") is None
    db = sqlite3.connect(done.aside[0])
    assert db.execute("SELECT value FROM meta WHERE key = 'late'").fetchone() == ("in the log",)
    db.close()


def test_a_damaged_library_is_replaced_and_kept(library: Library, made: Path) -> None:
    before = content(library)
    library.close()
    (library.path / FILE).write_bytes(b"\0" * 50_000)
    done = restore(config(library.path), made, force=True)
    assert done.aside[0].read_bytes() == b"\0" * 50_000
    with opened(library.path) as other:
        assert content(other) == before


def test_a_folder_of_other_things_is_left_alone(made: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "index").mkdir(parents=True)
    for force in (False, True):
        with pytest.raises(LibraryError):
            restore(config(home), made, force=force)
    assert names(home) == {"index"}


KILLED = """
import os, signal, sys
from pathlib import Path
from rag.config import Config
from rag.store.backup import restore
at, real = int(sys.argv[3]), [os.replace, os.rename, os.link, os.unlink]
def counted(act):
    def done(*a, **b):
        global at
        at -= any("library" in str(x) for x in a)
        if at < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*a, **b)
    return done
def tell(what, share):
    if what == "Making the index":
        for act in real:
            setattr(os, act.__name__, counted(act))
restore(Config(library=Path(sys.argv[1]), llm="none"), Path(sys.argv[2]), force=True, progress=tell)
"""


def test_a_restore_that_is_killed_leaves_a_library(library: Library, made: Path, tmp_path: Path) -> None:
    before = content(library)
    library.set_meta({"late": "in the log"})
    feedback.add(library.path, feedback.Feedback(verdict="up", question="who sang?"))
    status, at = -9, 0
    while status:
        folder = Path(shutil.copytree(library.path, tmp_path / f"killed{at}" / "library"))
        words = [sys.executable, "-c", KILLED, str(folder), str(made), str(at)]
        status = subprocess.run(words, cwd=ROOT, timeout=120, check=False).returncode
        assert status in (0, -9)
        with Library.open(config(folder), create=True, embedder=CountingEmbedder()) as other:
            assert content(other) == before
            assert other.meta("late") == "in the log" or other.generation > library.generation  # old or new, whole
        at += 1 if at else 4  # the first few are of making the index
    assert at > 6


def test_a_disk_without_links_keeps_a_copy(library: Library, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(library)
    library.close()

    def link(*_: object) -> None:
        raise OSError(1, "no links")

    monkeypatch.setattr(os, "link", link)
    done = restore(config(library.path), made, force=True)
    kept = Path(library.path.parent / "kept")
    kept.mkdir()
    done.aside[0].rename(kept / FILE)
    for folder in (library.path, kept):
        with opened(folder) as other:
            assert content(other) == before


@pytest.mark.parametrize("where", ["before", "scratch"])
def test_an_empty_library_is_not_begun_where_a_restore_was_stopped(
    where: str, library: Library, made: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "stopped"
    left = folder / f"{FILE}.before-20260101-000000" if where == "before" else folder / module.SCRATCH / FILE
    left.parent.mkdir(parents=True)
    shutil.copy(made, left)
    (folder / "writer.lock").touch()
    for how in ({}, {"write": True}, {"create": True}):
        with pytest.raises(LibraryCorrupt, match="restore") as e:
            Library.open(config(folder), **how)  # type: ignore[arg-type]
        assert sentence(e.value)
    list(_sweep(config(folder)))
    assert left.exists()
    assert restore(config(folder), made, force=True).articles == 4


def test_a_restore_that_fails_puts_everything_back(
    library: Library, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feedback.add(library.path, feedback.Feedback(verdict="down", question="who sang?"))
    (library.path / UPLOADS).mkdir()
    (library.path / UPLOADS / "a.txt").write_text("old")
    backup(library, made, force=True)
    feedback.add(library.path, feedback.Feedback(verdict="up", question="who danced?"))
    shutil.rmtree(library.path / UPLOADS)
    library.close()
    before = bytes_of(library.path)
    real = os.replace

    def fail(old: Any, new: Any) -> None:
        if Path(new) == library.path / FILE:
            raise PermissionError(13, "permission denied")
        real(old, new)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(LibraryError, match="cannot be written: permission denied") as e:
        restore(config(library.path), made, force=True)
    assert sentence(e.value)
    assert bytes_of(library.path) == before
    assert not (library.path / UPLOADS).exists()
    rename = os.rename

    def stuck(old: Any, new: Any) -> None:
        if Path(old).name.startswith(f"{FEEDBACK}.before-"):
            raise PermissionError(13, "permission denied")
        rename(old, new)

    monkeypatch.setattr(os, "rename", stuck)
    with pytest.raises(LibraryError, match=r"not all could be put back: .*feedback\.jsonl") as e:
        restore(config(library.path), made, force=True)
    assert sentence(e.value)


def test_two_restores_in_one_second_keep_both(library: Library, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Now(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime(2026, 1, 1, tzinfo=tz)

    monkeypatch.setattr(module, "datetime", Now)
    library.close()
    (library.path / FILE).write_bytes(b"the original")
    kept = [restore(config(library.path), made, force=True).aside[0] for _ in range(3)]
    assert [p.name for p in kept] == [f"{FILE}.before-20260101-000000{n}" for n in ("", "-2", "-3")]
    assert kept[0].read_bytes() == b"the original"


def test_a_lock_and_an_index_of_somebody_else_prove_no_library(made: Path, library: Library, tmp_path: Path) -> None:
    assert module._DATABASE == vectors.DATABASE
    home = tmp_path / "home"
    (home / "index").mkdir(parents=True)
    (home / "index" / "mine.txt").write_text("mine")
    list(_leftovers(config(home)))
    list(_sweep(config(home)))
    assert not writer_active(home)
    assert names(home) == {"index"}  # looking leaves no lock
    (home / "writer.lock").touch()
    with pytest.raises(LibraryError, match="other things than a library") as e:
        restore(config(home), made, force=True)
    assert sentence(e.value)
    shutil.copy(library.path / FILE, home)
    done = restore(config(home), made, force=True)
    [kept] = [p for p in done.aside if p.name.startswith("index")]
    assert (kept / "mine.txt").read_text() == "mine"
    with opened(home) as other:
        assert other.counts()["articles"] == 4


def test_a_library_that_lost_its_file_is_restored(made: Path, library: Library) -> None:
    before = content(library)
    library.close()
    (library.path / FILE).unlink()
    restore(config(library.path), made, force=True)
    with opened(library.path) as other:
        assert content(other) == before


def test_an_empty_folder_will_do(made: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert restore(config(tmp_path / "empty"), made).articles == 4


# --- what cannot be done ----------------------------------------------------------------------------------------------


def test_places_that_no_backup_can_be_written_to(library: Library, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file, says in (
        (tmp_path / "none" / "b", "There is no folder"),
        (tmp_path, "is a folder"),
        (library.path / "b", "own folder"),
        (library.path / FILE, "own folder"),
        (tmp_path / "pipe", "no regular file"),
    ):
        with pytest.raises(LibraryError, match=says) as e:
            backup(library, file, force=True)
        assert sentence(e.value)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("rest", ["-wal", "-shm", "-journal"])
def test_a_log_of_another_file_is_not_taken_for_the_backups(rest: str, library: Library, tmp_path: Path) -> None:
    (tmp_path / f"b{rest}").write_bytes(b"left")
    for force in (False, True):
        with pytest.raises(LibraryError, match=f"b{rest} stands beside it") as e:
            backup(library, tmp_path / "b", force=force)
        assert sentence(e.value)
    assert not (tmp_path / "b").exists()
    assert (tmp_path / f"b{rest}").read_bytes() == b"left"


def test_a_second_backup_to_the_same_file_at_once_is_refused(library: Library, tmp_path: Path) -> None:
    inside, go = threading.Event(), threading.Event()

    def wait(what: str, share: float) -> None:
        inside.set()
        go.wait(20)

    def first() -> None:
        with opened(library.path) as reader:
            backup(reader, tmp_path / "b", progress=wait)

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert inside.wait(20)
        with pytest.raises(LibraryLocked, match="Another process is making a backup"):
            backup(library, tmp_path / "b")
    finally:
        go.set()
        thread.join()
    assert (tmp_path / "b").is_file()
    assert not (tmp_path / f"b{PART}").exists()


def test_what_a_killed_backup_left_is_swept_by_the_next(library: Library, tmp_path: Path) -> None:
    part = tmp_path / f"b{PART}"
    part.mkdir()
    for name in (FILE, f"{FILE}-journal", "writer.lock"):
        (part / name).write_bytes(b"half")
    backup(library, tmp_path / "b")
    assert not part.exists()
    assert restore(config(tmp_path / "new"), tmp_path / "b").articles == 4


def bytes_of(folder: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "writer.lock"}


def test_a_folder_where_a_backup_would_work_is_left_alone_unless_it_is_one(library: Library, tmp_path: Path) -> None:
    library.close()
    other = Path(shutil.copytree(library.path, tmp_path / f"d{PART}"))  # as bare as a library can be
    for p in other.iterdir():
        if p.name not in (FILE, "writer.lock"):
            shutil.rmtree(p) if p.is_dir() else p.unlink()
    library.path.rename(tmp_path / f"a{PART}")
    (tmp_path / f"b{PART}").mkdir()
    (tmp_path / f"b{PART}" / "mine.txt").write_text("mine")
    (tmp_path / f"c{PART}").symlink_to(tmp_path / f"d{PART}")
    (tmp_path / f"e{PART}").mkdir()
    shutil.copy(other / FILE, tmp_path / f"e{PART}")
    before = bytes_of(tmp_path)
    with opened(tmp_path / f"a{PART}") as reader:
        for name, says in (
            ("a", "the library itself"),
            ("b", "other things"),
            ("c", "a link"),
            ("d", "other"),
            ("e", "other"),
        ):
            with pytest.raises(LibraryError, match=says) as e:
                backup(reader, tmp_path / name)
            assert sentence(e.value)
    assert bytes_of(tmp_path) == before


def test_what_somebody_puts_where_a_backup_works_stays(library: Library, tmp_path: Path) -> None:
    mine = tmp_path / f"b{PART}" / "mine.txt"
    backup(library, tmp_path / "b", progress=lambda *_: mine.write_text("mine") and None)
    assert mine.read_text() == "mine"
    assert names(mine.parent) == {"mine.txt"}


def test_a_folder_where_a_restore_would_work_is_left_alone_unless_it_is_one(
    library: Library, made: Path, tmp_path: Path
) -> None:
    library.close()
    scratch = library.path / module.SCRATCH
    scratch.mkdir()
    (scratch / "mine.txt").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(made, tmp_path / "elsewhere" / FILE)
    before = bytes_of(tmp_path)
    with pytest.raises(LibraryError, match=r"other things .*mine.txt") as e:
        restore(config(library.path), made, force=True)
    assert sentence(e.value)
    assert bytes_of(tmp_path) == before
    shutil.rmtree(scratch)
    scratch.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LibraryError, match="is a link"):
        restore(config(library.path), made, force=True)
    scratch.unlink()
    (tmp_path / "elsewhere").rename(scratch)  # what is to be restored is not swept first
    with pytest.raises(LibraryError, match="Move it elsewhere"):
        restore(config(library.path), scratch / FILE, force=True)
    assert (scratch / FILE).read_bytes() == made.read_bytes()


def test_ctrl_c_leaves_nothing(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_INSTRUCTIONS", 200)

    def press(at: str) -> Callable[[str, float], None]:
        def progress(what: str, share: float) -> None:
            if what == at:
                raise KeyboardInterrupt

        return progress

    (tmp_path / "out").mkdir()
    for at in ("Copying", "Verifying"):
        with pytest.raises(KeyboardInterrupt):
            backup(library, tmp_path / "out" / "b", progress=press(at))
        assert names(tmp_path / "out") == set()
    backup(library, tmp_path / "b")
    for at in ("Copying", "Verifying", "Making the index"):
        with pytest.raises(KeyboardInterrupt):
            restore(config(tmp_path / "out" / "deep" / "new"), tmp_path / "b", progress=press(at))
        assert names(tmp_path / "out") == set()


def damaged(file: Path, shape: str) -> None:
    data = bytearray(file.read_bytes())
    statements = {
        "an event of an article": "UPDATE article_events SET edition = '1999'",
        "a copy": "DELETE FROM copies",
        "a vector, hardly": "UPDATE chunks SET vector = zeroblob(0) || substr(vector, 1, 4) || substr(vector, 1, length(vector) - 4)",
        "a text": "UPDATE articles SET text = text || 'a'",
        "another version": "PRAGMA user_version = 1",
        "no generation": "DELETE FROM meta WHERE key = 'generation'",
        "no table": "DROP TABLE bands",
        "feedback": "UPDATE kept SET content = x'00'",
    }
    if shape in statements:
        db = sqlite3.connect(file, isolation_level=None)
        db.execute(statements[shape])
        db.close()
        return
    if shape == "half":
        del data[len(data) // 2 :]
    elif shape == "a page of zeros":
        data[3 * 8192 : 4 * 8192] = bytes(8192)
    elif shape == "empty":
        data.clear()
    elif shape == "text":
        data[:] = b"no database at all, but words\n" * 10
    file.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "shape",
    ["an event of an article", "a copy", "a vector, hardly", "a text", "another version", "no generation", "no table", "feedback", "half", "a page of zeros", "empty", "text"],
)  # fmt: skip
def test_a_damaged_backup_is_refused_and_nothing_touched(
    shape: str, library: Library, made: Path, tmp_path: Path
) -> None:
    if shape == "feedback":
        feedback.add(library.path, feedback.Feedback(verdict="up", question="who sang?"))
        backup(library, made, force=True)
    damaged(made, shape)
    library.close()
    before = {p: p.read_bytes() for p in sorted(library.path.rglob("*")) if p.is_file()}
    for folder, force in ((tmp_path / "new", False), (library.path, True)):
        with pytest.raises(LibraryCorrupt) as e:
            restore(config(folder), made, force=force)
        assert sentence(e.value)
        assert str(made) in str(e.value)
    assert not (tmp_path / "new").exists()
    assert {p: p.read_bytes() for p in sorted(library.path.rglob("*")) if p.is_file()} == before


def test_a_backup_of_a_newer_version_asks_for_that(made: Path, tmp_path: Path) -> None:
    db = sqlite3.connect(made)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LibraryCorrupt, match=r"newer version .*Update Recap") as e:
        restore(config(tmp_path / "new"), made)
    assert sentence(e.value)


@pytest.mark.parametrize(
    "statements",
    [
        "CREATE TRIGGER t AFTER UPDATE ON meta BEGIN DELETE FROM chunks; DELETE FROM articles; END",
        "DROP TABLE kept; CREATE VIEW kept AS WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k) SELECT n AS name, n AS content FROM k",
        "CREATE TABLE more (x)",
        "DROP INDEX bands_key; CREATE INDEX bands_key ON bands(key) WHERE key > 'm'",
        "DROP TRIGGER chunks_removed",
        "DROP TABLE kept; CREATE TABLE kept (name, content, more)",
    ],
)
def test_a_backup_of_other_tables_is_refused_unread(
    statements: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = sqlite3.connect(made)
    db.executescript(statements)
    db.close()
    monkeypatch.setattr(module, "_digest", lambda db: pytest.fail("it was read"))
    with pytest.raises(LibraryCorrupt, match="tables are not those of a library") as e:
        restore(config(tmp_path / "new"), made)
    assert sentence(e.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "name", ["../evil.txt", "uploads/../../evil", "/etc/evil", "writer.lock", "uploads/.hidden", "uploads/a/b"]
)
def test_a_backup_cannot_write_elsewhere(name: str, made: Path, tmp_path: Path) -> None:
    db = sqlite3.connect(made, isolation_level=None)
    db.execute("INSERT INTO kept VALUES (?, 'x')", (name,))
    signed = json.dumps({"digest": module._digest(db)})
    db.execute("UPDATE meta SET value = ? WHERE key = ?", (signed, RESTORED))
    db.close()
    with pytest.raises(LibraryCorrupt, match="no file of a library"):
        restore(config(tmp_path / "deep" / "new"), made)
    assert not (tmp_path / "deep").exists()


def test_no_such_backup(tmp_path: Path) -> None:
    for file in (tmp_path / "none", tmp_path):
        with pytest.raises(LibraryMissing) as e:
            restore(config(tmp_path / "new"), file)
        assert sentence(e.value)


def test_a_damaged_library_makes_no_backup(library: Library, tmp_path: Path) -> None:
    db = sqlite3.connect(library.path / FILE, isolation_level=None)
    db.execute("UPDATE articles SET text = text || 'a'")
    db.close()
    (tmp_path / "out").mkdir()
    with pytest.raises(LibraryCorrupt, match="recap doctor --mend"):
        backup(library, tmp_path / "out" / "b")
    assert names(tmp_path / "out") == set()


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    mount, disk = shutil.which("mount"), tmp_path / "disk"
    disk.mkdir()
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this machine does not let us mount: {done.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    library: Library, made: Path, small_disk: Path, tmp_path: Path
) -> None:
    many = {f"{n:02d}.txt": f"Story {n}\n\n{f'Boat {n} came home with fish. ' * 150}" for n in range(60)}
    ingest(library, [str(write_articles(tmp_path / "many", many))])
    with pytest.raises(LibraryError, match="The disk is full") as e:
        backup(library, small_disk / "b")
    assert sentence(e.value)
    assert names(small_disk) == set()
    backup(library, made, force=True)
    with pytest.raises(LibraryError, match="The disk is full"):
        restore(config(small_disk / "new"), made)
    assert names(small_disk) == set()


def test_a_disk_that_cannot_be_written_to_is_a_sentence(library: Library, made: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for act in (lambda: backup(library, small_disk / "b"), lambda: restore(config(small_disk / "new"), made)):
        with pytest.raises(LibraryError, match="cannot be written: read-only file system") as e:
            act()
        assert sentence(e.value)


# --- the command line -------------------------------------------------------------------------------------------------


def recap(*words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "rag", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def test_the_commands(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "b.recap"
    done = recap("backup", file, "--library", library.path)
    assert done.stdout.startswith(f"Backed up and verified: 4 articles ({library.size} passages) in {file} (")
    assert done.stderr == ""
    refused = recap("backup", file, "--library", library.path, status=2)
    assert refused.stdout == ""
    assert refused.stderr.endswith("or add --force.\n")
    assert json.loads(recap("restore", file, "--library", tmp_path / "new", "--json").stdout)["articles"] == 4
    again = recap("restore", file, "--library", tmp_path / "new", "--force").stdout
    assert "Restored and verified: 4 articles" in again
    assert f"What was there is kept as {tmp_path / 'new' / FILE}.before-" in again
    missing = recap("backup", tmp_path / "other", "--library", tmp_path / "none", status=2)
    assert "There is no library at" in missing.stderr
    assert not (tmp_path / "other").exists()
    assert not (tmp_path / "none").exists()
