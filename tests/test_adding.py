"""Adding and removing from the page, while another handle on the library goes on reading."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import ask
from rag.config import Config
from rag.errors import ReadError
from rag.ingest import fetch as fetching
from rag.ingest.pipeline import ingest
from rag.store.library import Library, writer_active
from tests.conftest import REPORT, CountingEmbedder, write_articles
from tests.loopback_web import Web
from tests.small_coverage import COPY_2024, LANTERN_2024, MATCH
from ui import adding
from ui.adding import Adding, Outcome, Removed, add, outcome, remove, removed, safe_name, settle, uploads, web_address
from ui.desk import Desk
from ui.strings import EN


class Page:
    """What the page has: a folder of uploads, a library, and a handle that was opened for reading before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = Config(library=folder / "library", llm="none", reader="rules")
        self.embedder = CountingEmbedder()
        Library.open(self.config, create=True).close()
        self.reader = Library.open(self.config, embedder=self.embedder)
        self.n = 0

    def upload(self, name: str, content: str | bytes) -> Path:
        """Put a file where Gradio does: in a folder of its own."""
        self.n += 1
        file = self.folder / "gradio" / str(self.n) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def steps(self, *locations: Path | str, **more: Any) -> list[Adding]:
        return list(add(self.config, list(locations), embedder=self.embedder, **more))

    def add(self, *locations: Path | str, **more: Any) -> Adding:
        return self.steps(*locations, **more)[-1]

    def kept(self) -> list[str]:
        folder = uploads(self.config.library)
        return sorted(os.listdir(folder)) if folder.exists() else []

    def text(self, name: str) -> str:
        return (uploads(self.config.library) / name).read_text()

    def titles(self) -> list[str]:
        return sorted(a.title for a in self.reader.articles())


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    made = Page(tmp_path)
    yield made
    adding.halt()
    made.reader.close()


def kinds(done: Adding) -> list[tuple[str, str]]:
    return [(o.name, o.kind) for o in done.outcomes]


# -- adding --------------------------------------------------------------------------------------------------------------


def test_the_handle_that_was_open_before_answers_from_what_was_added(tmp_path: Path) -> None:
    config = Config(library=tmp_path / "library", llm="none", reader="rules")
    with Library.open(config, create=True) as writer:
        ingest(writer, [str(write_articles(tmp_path / "a", {"report.txt": REPORT}))])
    upload = write_articles(tmp_path / "up", {"lantern.txt": LANTERN_2024}) / "lantern.txt"
    with Library.open(config) as reader:
        question = "Who hosted the 2024 Lantern Music Awards?"
        assert ask(reader, question).abstained
        done = list(add(config, [upload], embedder=reader.embedder))[-1]
        assert (done.failed, kinds(done)) == ("", [("lantern.txt", "added")])
        answer = ask(reader, question)
        assert answer.short == "Ines Calder"
        assert answer.citations[0].article_id == done.outcomes[0].article_id
        assert not reader.writable
        assert remove(config, [done.outcomes[0].article_id], embedder=reader.embedder).titles
        assert ask(reader, question).abstained


def test_every_file_gets_its_outcome_in_order_and_the_lock_is_free_at_the_last(page: Page) -> None:
    files = [
        page.upload("report.txt", REPORT),
        page.upload("noise.txt", b"\x00\x01\x02\xff" * 500),
        page.upload("m.md", MATCH),
    ]
    steps = page.steps(*files)
    done = steps[-1]
    assert not writer_active(page.config.library)
    assert kinds(done) == [("report.txt", "added"), ("noise.txt", "rejected"), ("m.md", "added")]
    assert [s.done for s in steps] == sorted(s.done for s in steps)
    assert [s.state for s in steps if s.state == "done"] == ["done"]
    assert (done.done, done.total, done.reading, done.failed) == (3, 3, "", "")
    assert page.kept() == ["m.md", "report.txt"]
    why = done.outcomes[1].why
    assert why.startswith("noise.txt ")
    assert str(page.folder) not in why
    assert done.outcomes[0].title == "Fishermen Open the New Market at Port Alder"


def test_a_snapshot_comes_while_the_work_is_still_going_on(page: Page) -> None:
    files = [
        page.upload(f"{n}.txt", f"Report {n}\n\nThe harbour of town {n} opened its gate number {n}.") for n in range(3)
    ]
    slow = threading.Event()

    class Waiting(CountingEmbedder):
        def embed(self, texts: Any) -> Any:
            slow.wait(20)
            return super().embed(texts)

    steps = add(page.config, files, embedder=Waiting())
    seen = next(s for s in steps if s.state == "reading")
    assert (seen.reading, seen.total) == ("0.txt", 3)
    assert writer_active(page.config.library)
    slow.set()
    assert len(list(steps)[-1].outcomes) == 3


def test_a_file_of_the_same_name_is_a_new_version_of_its_article(page: Page) -> None:
    page.add(page.upload("report.txt", REPORT))
    again = page.add(page.upload("report.txt", REPORT))
    assert kinds(again) == [("report.txt", "unchanged")]
    other = REPORT.replace("Open the New Market", "Leave the Old Market").replace("forty boats", "fifty boats")
    done = page.add(page.upload("report.txt", other))
    assert kinds(done) == [("report.txt", "updated")]
    assert done.outcomes[0].replaced == "Fishermen Open the New Market at Port Alder"
    assert page.titles() == ["Fishermen Leave the Old Market at Port Alder"]
    assert page.text("report.txt") == other
    assert page.kept() == ["report.txt"]


def test_a_bad_file_of_the_same_name_leaves_article_and_file_as_they_were(page: Page) -> None:
    page.add(page.upload("report.txt", REPORT))
    done = page.add(page.upload("report.txt", b"\x00\xff\x00" * 400))
    assert kinds(done) == [("report.txt", "rejected")]
    assert page.text("report.txt") == REPORT
    assert page.kept() == ["report.txt"]
    assert page.titles() == ["Fishermen Open the New Market at Port Alder"]


def test_two_files_of_one_name_do_not_overwrite_each_other_in_silence(page: Page) -> None:
    done = page.add(page.upload("a.txt", REPORT), page.upload("a.txt", MATCH), page.upload("a.txt", REPORT))
    assert kinds(done) == [("a.txt", "added"), ("a.txt", "rejected"), ("a.txt", "unchanged")]
    assert done.outcomes[1].why == EN.l_same_name
    assert page.text("a.txt") == REPORT


def test_a_copy_says_of_what(page: Page) -> None:
    done = page.add(page.upload("long.txt", LANTERN_2024), page.upload("cut.txt", COPY_2024))
    assert [o.kind for o in done.outcomes] == ["added", "added"]
    assert done.outcomes[0].copy_of == ""
    assert done.outcomes[1].copy_of == "5 Things You Missed At The 2024 Lantern Music Awards"
    assert "Copy of" in outcome(done)


def test_a_file_of_many_says_each_line_and_stays_if_any_was_good(page: Page) -> None:
    rows = [
        json.dumps({"text": f"The pier of village {n} was painted in colour {n}.", "title": f"Pier {n}"})
        for n in range(3)
    ]
    packed = gzip.compress("\n".join([rows[0], "{broken", rows[1], rows[2]]).encode())
    done = page.add(page.upload("many.jsonl.gz", packed))
    assert kinds(done) == [
        ("many.jsonl.gz, line 1", "added"),
        ("many.jsonl.gz, line 3", "added"),
        ("many.jsonl.gz, line 4", "added"),
        ("many.jsonl.gz, line 2", "rejected"),
    ]
    assert page.kept() == ["many.jsonl.gz"]
    first = [o.article_id for o in done.outcomes if o.kind == "added"]
    assert remove(page.config, first[:2], embedder=page.embedder).titles == ("Pier 0", "Pier 1")
    assert page.kept() == ["many.jsonl.gz"]  # an article of it is left
    remove(page.config, first[2:], embedder=page.embedder)
    assert page.kept() == []


def test_more_articles_than_one_file_may_have_are_not_all_read(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding, "MAX_ARTICLES", 30)
    rows = [json.dumps({"text": f"Boat {n} came home with {n} crates of herring."}) for n in range(40)]
    done = page.add(page.upload("many.jsonl", "\n".join(rows)), page.upload("report.txt", REPORT))
    assert [o.kind for o in done.outcomes].count("added") == 24 + 1  # the batch that was full, and the next file
    assert any("more than 30 articles" in o.why for o in done.outcomes)
    assert page.kept() == ["many.jsonl", "report.txt"]
    assert done.failed == ""


def test_limits_on_size_number_and_what_unpacks(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding, "MAX_FILE", 1000)
    monkeypatch.setattr(adding, "MAX_UNPACKED", 5000)
    bomb = gzip.compress(b"a" * 100_000)
    assert len(bomb) < 1000
    done = page.add(
        page.upload("big.txt", "x" * 1001), page.upload("bomb.jsonl.gz", bomb), page.upload("ok.txt", REPORT)
    )
    assert [o.kind for o in done.outcomes] == ["rejected", "rejected", "added"]
    assert page.kept() == ["ok.txt"]
    monkeypatch.setattr(adding, "MAX_AT_ONCE", 2)
    done = page.add(*[page.upload(f"{n}.txt", REPORT) for n in range(3)])
    assert (done.state, done.outcomes) == ("done", ())
    assert "2 files" in done.failed
    assert page.add().failed == EN.l_no_file


# -- who may write -------------------------------------------------------------------------------------------------------


def test_another_process_that_writes_is_waited_for_and_then_told_of(page: Page) -> None:
    page.add(page.upload("match.txt", MATCH))
    hold = textwrap.dedent(f"""
        from rag.config import Config
        from rag.store.library import Library
        with Library.open(Config.load({{}}, library={str(page.config.library)!r}), write=True):
            print("open", flush=True)
            input()
    """)
    upload = page.upload("report.txt", REPORT)
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        steps = page.steps(upload, wait_s=0)
        assert [s.state for s in steps][-1] == "done"
        assert (steps[-1].failed, steps[-1].outcomes) == (EN.l_busy, ())
        found = page.reader.articles()[0].id
        assert remove(page.config, [found], wait_s=0, embedder=page.embedder) == Removed(failed=EN.l_busy_remove)
        assert len(page.titles()) == 1
        assert page.kept() == ["match.txt"]
        assert upload.exists()
        # it lets go while somebody waits
        waiting = add(page.config, [upload], embedder=page.embedder, wait_s=30)
        next(s for s in waiting if s.state == "waiting")
        other.stdin.write("\n")
        other.stdin.close()
        assert kinds(list(waiting)[-1]) == [("report.txt", "added")]


def test_who_stops_looking_stops_the_work_and_frees_the_lock(page: Page) -> None:
    files = [page.upload(f"{n}.txt", f"Report {n}\n\nThe harbour of town {n} has {n} gates.") for n in range(20)]

    class Slow(CountingEmbedder):
        def embed(self, texts: Any) -> Any:
            time.sleep(0.05)
            return super().embed(texts)

    steps = add(page.config, files, embedder=Slow())
    next(s for s in steps if s.done >= 2)
    steps.close()  # type: ignore[attr-defined]
    adding.halt()
    assert not writer_active(page.config.library)
    n = len(page.titles())
    assert 2 <= n < 20
    assert len(page.kept()) == n


def test_a_failing_model_is_a_sentence_and_keeps_what_was_done_before(page: Page) -> None:
    page.embedder.fail_after = 6
    done = page.add(
        page.upload("a.txt", MATCH), *[page.upload(f"{n}.txt", REPORT.replace("4.2", f"{n}.7")) for n in range(9)]
    )
    assert done.failed == "The embedding model failed."
    page.embedder.fail_after = None
    assert [o.kind for o in done.outcomes].count("added") == len(page.titles()) == len(page.kept())
    assert not writer_active(page.config.library)


def test_a_fault_of_our_own_is_a_sentence_too(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr("rag.ingest.pipeline.ingest", broken)
    done = page.add(page.upload("a.txt", MATCH))
    assert (done.failed, done.state) == (EN.l_failed, "done")
    assert page.kept() == []
    assert not writer_active(page.config.library)


def test_a_library_of_another_model_is_not_made_anew_by_a_visitor(page: Page) -> None:
    page.add(page.upload("a.txt", MATCH))
    other = CountingEmbedder("another")
    done = list(add(page.config, [page.upload("b.txt", REPORT)], embedder=other))[-1]
    assert done.failed == EN.l_other_model
    assert other.texts == []
    assert len(page.titles()) == 1


def test_a_library_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    config = Config(library=tmp_path / "none", llm="none")
    done = list(add(config, ["https://news.example/"], embedder=CountingEmbedder()))[-1]
    assert "There is no library" in done.failed
    assert "There is no library" in remove(config, ["x"]).failed


def test_read_only_adds_and_removes_nothing_whoever_asks(page: Page) -> None:
    page.add(page.upload("a.txt", MATCH))
    found = page.reader.articles()[0].id
    page.config = replace(page.config, read_only=True)
    assert page.add(page.upload("b.txt", REPORT)) == Adding(1, state="done", failed=EN.l_read_only)
    assert remove(page.config, [found]) == Removed(failed=EN.l_read_only)
    assert len(page.titles()) == 1
    assert page.kept() == ["a.txt"]


def test_questions_get_their_turn_while_much_is_embedded(page: Page) -> None:
    assert adding.Polite(page.embedder).embed([]).shape == (0, page.embedder.dim)
    texts = [f"text {n}" for n in range(100)]
    assert (adding.Polite(page.embedder).embed(texts) == CountingEmbedder().embed(texts)).all()


# -- what a visitor may name ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "", "  ", None, "/etc/passwd", "~/notes.txt", "*.txt", "file:///etc/passwd", "FILE:///etc/passwd", "ftp://a.example/x",
        "notes.txt", "www.example.org/x", "javascript:alert(1)", "https:/etc/passwd", "https:///etc/passwd", "https:etc",
        "https://user:pw@a.example/", "https://a.example/ /etc/passwd", "https://a.example/\n/etc/passwd",
        "https://a.example\\@b.example/", "http://[::1", "https://a.example/" + "x" * 3000, "https://a.example/\u202e", 7,
        "../../etc/passwd", "\\\\server\\share", "data:text/plain,x", "-", "https://", "https://<b>.example/",
    ],
)  # fmt: skip
def test_only_web_addresses_may_be_typed(typed: object, page: Page) -> None:
    address, why = web_address(typed)
    assert address == ""
    assert why.endswith(".")
    # ... and what reaches `add` without having been asked for is refused there again, unread
    done = page.add(str(typed))
    assert [o.kind for o in done.outcomes] == ["rejected"]
    assert page.titles() == []


@pytest.mark.parametrize("typed", ["https://a.example/x?y=1#z", " HTTP://a.example ", "http://127.0.0.1:8080/feed.xml"])
def test_a_web_address_is_passed_on_as_it_is(typed: str) -> None:
    assert web_address(typed) == (typed.strip(), "")


@given(st.text(max_size=30))
def test_whatever_is_typed_never_reaches_the_reader_as_a_place_on_this_machine(typed: str) -> None:
    for given_ in (typed, f"https://{typed}", f"file://{typed}"):
        address, why = web_address(given_)
        assert bool(address) != bool(why)
        assert not address or address.lower().startswith(("http://", "https://"))


def test_a_server_on_this_machine_is_not_fetched(page: Page) -> None:
    web = Web()
    try:
        address = web.put("/report", f"<html><body><article>{REPORT}</article></body></html>", host="127.0.0.1")
        done = page.add(address)
        assert [o.kind for o in done.outcomes] == ["rejected"]
        assert web.seen == []
    finally:
        web.server.shutdown()


def test_a_page_and_a_feed_are_read_and_each_article_gets_its_line(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    paragraphs = "".join(f"<p>{p}</p>" for p in REPORT.split("\n\n"))
    html = f"<html><head><title>Fishermen Open the New Market</title></head><body><article>{paragraphs}</article></body></html>"
    feed = (
        '<?xml version="1.0"?><rss version="2.0"><channel><title>Port Alder Post</title>'
        "<item><title>Fishermen</title><link>https://post.example/report</link></item>"
        "<item><title>Nothing</title><link>https://post.example/gone</link></item></channel></rss>"
    )

    def get(url: str) -> fetching.Page:
        if url.endswith("/gone"):
            raise ReadError(
                "post.example answered 404 (Not Found). Check the address, or save the page and ingest the file."
            )
        kind: Any = "feed" if url.endswith(".xml") else "html"
        return fetching.Page(url, kind, (feed if kind == "feed" else html).encode(), "utf-8")

    monkeypatch.setattr(fetching, "fetch", get)
    steps = page.steps("https://post.example/feed.xml", "https://post.example/report")
    done = steps[-1]
    assert kinds(done) == [
        ("https://post.example/report", "added"),
        ("https://post.example/gone", "rejected"),
        ("https://post.example/report", "updated"),  # the page itself does not name its outlet, the feed did
    ]
    assert page.kept() == []  # nothing was uploaded


def test_a_path_is_taken_for_an_upload_only_where_uploads_lie(page: Page, tmp_path: Path) -> None:
    inside = tmp_path / "gradio"
    good = page.upload("a.txt", MATCH)
    secret = tmp_path / "secret.txt"
    secret.write_text(REPORT)
    link = inside / "link.txt"
    link.symlink_to(secret)
    done = page.add(good, secret, inside / "1" / ".." / ".." / "secret.txt", link, inside=inside)
    assert [o.kind for o in done.outcomes] == ["added", "rejected", "rejected", "rejected"]
    assert page.kept() == ["a.txt"]
    # a link is not followed even where no folder is named
    assert [o.kind for o in page.add(link, inside / "nothing.txt", inside).outcomes] == ["rejected"] * 3


# -- names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("report.txt", "report.txt"),
        ("Été à Łódź (2).pdf", "Été à Łódź (2).pdf"),
        ("e\u0301.txt", "é.txt"),
        ("news.jsonl.gz", "news.jsonl.gz"),
    ],
)
def test_a_plain_name_stays(name: str, kept: str) -> None:
    assert safe_name(name) == kept


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd", "..", ".", "", "/", "a/../b.txt", "..\\..\\x.txt", ".hidden.txt", "a\x00b.txt", "a\nb.txt",
        "\u202etxt.exe", "a*?[b].txt", "x" * 5000 + ".txt", "é" * 300 + ".jsonl.gz", "." * 300, " .txt", "~$x.txt", "\ud800.txt",
        "con<>:|.txt", "name.with.a.very.long.ending." + "y" * 300,
    ],
)  # fmt: skip
def test_a_hostile_name_becomes_a_plain_one(name: str, tmp_path: Path) -> None:
    kept = safe_name(name)
    assert kept == safe_name(name)
    assert kept not in ("", ".", "..")
    assert not kept.startswith(".")
    assert not set(kept) & set("/\\*?[]\x00\n\u202e")
    assert len(kept.encode()) <= 160
    file = tmp_path / kept
    file.write_text("x")
    assert file.resolve().parent == tmp_path.resolve()


@given(st.text(max_size=40), st.text(max_size=40))
def test_two_names_never_become_one(a: str, b: str) -> None:
    last = [unicodedata.normalize("NFC", n).replace("\\", "/").rpartition("/")[2] for n in (a, b)]
    assert (safe_name(a) == safe_name(b)) == (last[0] == last[1])


def test_an_upload_is_settled_in_one_step_and_can_be_taken_back(page: Page) -> None:
    first = settle(page.upload("a.txt", "one"), page.config.library)
    first.keep()
    second = settle(page.upload("a.txt", "two"), page.config.library)
    assert (second.path, page.text("a.txt")) == (first.path, "two")
    second.undo()
    assert page.text("a.txt") == "one"
    assert page.kept() == ["a.txt"]
    third = settle(page.upload("a.txt", "three"), page.config.library)
    third.keep()
    assert (page.kept(), page.text("a.txt")) == (["a.txt"], "three")
    new = settle(page.upload("b.txt", "x"), page.config.library)
    new.undo()
    assert page.kept() == ["a.txt"]


def test_what_a_killed_adding_left_is_swept_up(page: Page) -> None:
    settle(page.upload("a.txt", "one"), page.config.library).keep()
    settle(page.upload("a.txt", "two"), page.config.library)  # killed here
    (uploads(page.config.library) / ".new-x").write_text("half")
    page.add(page.upload("b.txt", REPORT))
    assert page.kept() == ["a.txt", "b.txt"]


def test_a_name_that_a_folder_has_is_a_sentence(page: Page) -> None:
    (uploads(page.config.library) / "a.txt").mkdir(parents=True)
    done = page.add(page.upload("a.txt", REPORT), page.upload("b.txt", MATCH))
    assert [o.kind for o in done.outcomes] == ["rejected", "added"]
    assert page.kept() == ["a.txt", "b.txt"]


def test_a_long_path_to_the_library_is_not_shown_either(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)
    page = Page(deep)
    with page.reader:
        done = page.add(page.upload("empty.txt", b" \n "))
    assert done.outcomes[0].why == "empty.txt is empty."


# -- removing ------------------------------------------------------------------------------------------------------------


def test_removing_takes_the_article_and_its_upload_and_leaves_the_copies(page: Page) -> None:
    done = page.add(page.upload("long.txt", LANTERN_2024), page.upload("cut.txt", COPY_2024))
    gone = remove(page.config, [done.outcomes[0].article_id, "no such id"], embedder=page.embedder)
    assert gone == Removed(("5 Things You Missed At The 2024 Lantern Music Awards",))
    assert page.kept() == ["cut.txt"]
    assert len(page.titles()) == 1
    assert remove(page.config, ["no such id"], embedder=page.embedder).failed == EN.l_gone
    assert remove(page.config, [], embedder=page.embedder).failed == EN.l_gone


def test_who_removes_while_another_removal_waits_is_told_so_at_once(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over = threading.Event(), threading.Event()

    def waits(*_: object, **__: object) -> Removed:
        begun.set()
        over.wait(20)
        return Removed(("One",))

    monkeypatch.setattr(adding, "remove", waits)
    desk = Desk(page.reader)
    first: list[str] = []
    waiting = threading.Thread(target=lambda: first.append(desk.remove("a", EN)))
    waiting.start()
    assert begun.wait(20)
    try:
        began = time.monotonic()
        assert EN.l_busy_remove in desk.remove("b", EN)
        assert time.monotonic() - began < 5
    finally:
        over.set()
        waiting.join()
    assert "One" in first[0]
    assert "One" in desk.remove("b", EN), "and let in again"


def test_a_file_of_the_operator_s_own_is_never_deleted(page: Page) -> None:
    folder = write_articles(page.folder / "mine", {"report.txt": REPORT})
    with Library.open(page.config, write=True, embedder=page.embedder) as writer:
        ingest(writer, [str(folder)])
    assert remove(page.config, [page.reader.articles()[0].id], embedder=page.embedder).titles
    assert page.titles() == []
    assert (folder / "report.txt").exists()


# -- drawing -------------------------------------------------------------------------------------------------------------


def test_each_outcome_has_its_word() -> None:
    outcomes = (
        Outcome("a.txt", "added", title="Market", article_id="i1"),
        Outcome("b.txt", "updated", title="Harbour", article_id="i2", replaced="Old harbour"),
        Outcome("c.txt", "unchanged", title="Pier", article_id="i3"),
        Outcome("d.txt", "added", title="Market, cut", article_id="i4", copy_of="Market"),
        Outcome("e.txt", "rejected", why="e.txt is empty."),
    )
    markup = outcome(Adding(5, done=5, state="done", outcomes=outcomes))
    for word in (
        "Added",
        "Updated",
        "Already there",
        "Copy of",
        "Not added",
        "e.txt is empty.",
        "replaces “Old harbour”",
    ):
        assert word in markup
    assert "1 added, 1 copy, 1 updated, 1 already there, 1 not added" in markup
    assert 'value="passage:i1:0:0"' in markup
    assert "<progress" not in markup
    assert "\n" not in markup


def test_the_progress_says_what_is_read_in_words_and_in_a_bar() -> None:
    one = outcome(Adding(4, done=1, state="reading", reading="b.txt"))
    assert "Reading b.txt, 2 of 4" in one
    assert 'value="0.250"' in one
    feed = outcome(Adding(1, state="reading", reading="https://a.example/feed", article=7))
    assert "article 7" in feed
    assert 'value="' not in feed
    for state in ("waiting", "opening", "finishing"):
        assert "<progress" in outcome(Adding(1, state=state))  # type: ignore[arg-type]


def test_many_outcomes_are_cut_with_the_failures_first() -> None:
    many = tuple(Outcome(f"{n}.txt", "added", title="T", article_id="i") for n in range(300))
    markup = outcome(Adding(1, state="done", outcomes=(*many, Outcome("bad.txt", "rejected", why="It is empty."))))
    assert "bad.txt" in markup
    assert "and 201 more" in markup


def test_nothing_from_a_file_or_an_address_becomes_markup() -> None:
    bad = '<img src=x onerror=1>`](x)\n\n# "'
    outcomes = tuple(Outcome(bad, k, bad, bad, bad, bad, bad) for k in ("added", "updated", "unchanged", "rejected"))  # type: ignore[arg-type]
    for markup in (
        outcome(Adding(2, state="reading", reading=bad, outcomes=outcomes, failed=bad)),
        outcome(Adding(2, state="done", outcomes=outcomes, failed=bad)),
        removed(Removed((bad,))),
        removed(Removed(failed=bad)),
    ):
        assert "<img" not in markup
        assert "\n" not in markup
        assert "`" not in markup
    assert "2 articles removed" in removed(Removed(("a", "b")))


# -- the flag ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [["--read-only"], []])
def test_both_ways_to_start_the_page_take_the_flag_and_else_the_setting(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ui.__main__
    from rag.__main__ import run

    got: list[Config] = []
    stand_in = SimpleNamespace(serve=lambda config, **_: got.append(config))
    monkeypatch.setitem(sys.modules, "ui.app", stand_in)  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path)
    for setting in ("0", "1"):
        monkeypatch.setenv("RECAP_READ_ONLY", setting)
        assert ui.__main__.main([*flags, "--library", str(tmp_path), "--no-browser"]) == 0
        assert run(["chat", *flags, "--library", str(tmp_path), "--no-browser"]) == 0
    assert [c.read_only for c in got] == [bool(flags), bool(flags), True, True]
