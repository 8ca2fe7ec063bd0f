"""What people thought of answers: kept whole whatever happens, and made into facts that the eval suite really runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eval.__main__ import main as eval_main
from eval.facts import check_facts, load_facts
from eval.metrics import contains
from eval.metrics import words as eval_words
from rag import feedback as module
from rag.__main__ import run
from rag.errors import FeedbackError, RecapError
from rag.feedback import (
    FILE,
    Feedback,
    _holds,
    _words,
    add,
    as_json,
    drafts,
    of_turn,
    read,
    read_counted,
    remove,
    write_facts,
)
from rag.store.library import Library
from rag.types import Turn
from tests.small_coverage import small_library
from ui import history

ROOT = Path(__file__).resolve().parents[1]
HOSTED = "Who hosted the 2024 Lantern Music Awards?"
SONG = "Who won Song of the Year at the 2024 Lantern Music Awards?"


def down(**more: Any) -> Feedback:
    given = {"question": HOSTED, "answer": "Bruno Salt hosted them [1].", "short": "Bruno Salt", "reason": "wrong"}
    return Feedback(**({"verdict": "down", "when": "2024-11-21T12:00:00+00:00"} | given | more))


def child(code: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# --- kept -------------------------------------------------------------------------------------------------------------


def test_what_was_added_is_read_again(tmp_path: Path) -> None:
    first = down(
        comment="It says so\nin the piece.",
        right_answer="Ines Calder",
        standalone=HOSTED,
        history=(("user", "hello"), ("assistant", "Hello [1].")),
        engine="reader",
        scope="2024 Lantern Music Awards",
        citations=(module.Cited(article_id="a", quote="hosted by", source="file:///a.txt", start=3, end=12, marker=1),),
    )
    second = Feedback(verdict="up", question=SONG)
    ids = [add(tmp_path, first), add(tmp_path, second)]
    assert len(set(ids)) == 2
    assert [f.id for f in read(tmp_path)] == ids
    assert [as_json(f) | {"id": ""} for f in read(tmp_path)] == [as_json(first), as_json(second)]
    assert (tmp_path / FILE).read_bytes().count(b"\n") == 2
    assert read(tmp_path / "nothing") == []


def test_a_turn_of_the_page_is_enough(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        from rag.answer.chain import ask

        talk = history.grow(history.begin(history.new(), HOSTED, scope="2024"), ask(library, HOSTED))
        turn = talk["turns"][0]
        given = of_turn(
            turn,
            verdict="down",
            reason="source",
            history=[Turn("user", "hi"), ("assistant", "Ask me about the coverage.")],
        )
        assert not library.writable
        add(library.path, given)
        [kept] = read(library.path)
        assert (kept.question, kept.short, kept.answer, kept.scope) == (HOSTED, turn["short"], turn["text"], "2024")
        assert kept.history == (("user", "hi"), ("assistant", "Ask me about the coverage."))
        [cited] = kept.citations
        article = library.article(cited.article_id)
        assert article
        assert article.text[cited.start : cited.end] == cited.quote
        assert (cited.marker, cited.verdict) == (1, "supported")
        json.dumps(as_json(kept))


def test_a_turn_with_nothing_right_in_it_is_refused_or_emptied() -> None:
    with pytest.raises(FeedbackError, match="no question"):
        of_turn({"question": 3}, verdict="up")
    odd = {
        "question": "q",
        "text": 7,
        "short": ["x"],
        "citations": [1, {}, {"article_id": "a", "quote": "b", "start": "x"}],
    }
    f = of_turn(odd, verdict="down")
    assert (f.answer, f.short, f.reason) == ("", None, "other")
    assert [(c.quote, c.start) for c in f.citations] == [("b", 0)]
    assert of_turn({"question": "q", "citations": 5}, verdict="up").citations == ()


@pytest.mark.parametrize(
    "wrong",
    [{"verdict": "sideways"}, {"reason": "because"}, {"question": " \0 "}, {"when": "yesterday"}, {"history": (("system", "x"),)}],
)  # fmt: skip
def test_what_cannot_be_feedback_is_refused_in_a_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(RecapError, match=r"\.$"):
        down(**wrong)


def test_what_people_type_is_bounded_and_steers_nothing(tmp_path: Path) -> None:
    add(tmp_path, down(comment="\x1b[31mred\x07 \u202egnol\ud800 a\u2028b" + "x" * 9_000, right_answer="y" * 9_000))
    [kept] = read(tmp_path)
    assert kept.comment.startswith("[31mred gnol a\nb")
    assert len(kept.comment) == len(kept.right_answer) == 2_000
    talk = tuple(("user", "w" * 9_000) for _ in range(50))
    most = down(
        comment="ж" * 9_000,
        answer="ж" * 90_000,
        history=talk,
        citations=(module.Cited(article_id="a", quote="ж" * 9_000),) * 99,
    )
    before = (tmp_path / FILE).stat().st_size
    add(tmp_path, most)
    assert (tmp_path / FILE).stat().st_size - before < 400_000
    assert len(read(tmp_path)[1].history) == 20


def test_an_up_has_no_reason_and_times_are_utc() -> None:
    assert Feedback(verdict="up", question="q", reason="wrong").reason == ""
    assert Feedback(verdict="up", question="q", when="2024-11-22T01:00:00+02:00").when == "2024-11-21T23:00:00+00:00"
    assert Feedback(verdict="up", question="q").when.endswith("+00:00")


def test_torn_and_foreign_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    ident = add(tmp_path, down())
    whole = (tmp_path / FILE).read_bytes()
    row = json.loads(whole)
    bad = [
        b'{"verdict": "do', b"\xff\xfe\x00", b"[1, 2]", b"3", b"null", b"[" * 100_000, b'{"id": "x"}', whole.strip(),
        *(json.dumps(row | more).encode() for more in (
            {"id": "../x"}, {"id": 5}, {"id": "b", "when": ""}, {"id": "b", "verdict": "x"}, {"id": "b", "question": None},
            {"id": "b", "history": [["user", "x"]]}, {"id": "b", "history": [{"role": [], "content": "x"}]}, {"id": "b", "reason": {}},
        )),
    ]  # fmt: skip
    (tmp_path / FILE).write_bytes(whole + b"\n".join(bad) + b"\n\n")
    found, skipped = read_counted(tmp_path)
    assert [f.id for f in found] == [ident]
    assert skipped == len(bad)


def test_after_a_crash_in_mid_line_the_next_begins_a_line(tmp_path: Path) -> None:
    add(tmp_path, down())
    torn = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(torn + torn[: len(torn) // 2])
    add(tmp_path, down(question=SONG))
    found, skipped = read_counted(tmp_path)
    assert [f.question for f in found] == [HOSTED, SONG]
    assert skipped == 1


def test_two_processes_and_their_threads_write_whole_lines(tmp_path: Path) -> None:
    code = """
import sys, threading
from pathlib import Path
from rag.feedback import Feedback, add
def work(n):
    for i in range(10):
        add(Path(sys.argv[1]), Feedback(verdict="up", question=f"{sys.argv[2]} {n} {i}", comment="word " * 300))
threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
"""
    children = [child(code, tmp_path, name) for name in ("a", "b")]
    for c in children:
        _, err = c.communicate(timeout=120)
        assert (c.returncode, err) == (0, "")
    found, skipped = read_counted(tmp_path)
    assert skipped == 0
    assert len({f.id for f in found}) == 60
    assert {f.question for f in found} == {f"{p} {n} {i}" for p in "ab" for n in range(3) for i in range(10)}


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """A limit on the size of files stands in for it: the write ends in mid-line, as on a full disk."""
    code = """
import resource, sys
from pathlib import Path
from rag.errors import FeedbackError
from rag.feedback import Feedback, add
folder = Path(sys.argv[1])
add(folder, Feedback(verdict="up", question="first"))
size = (folder / "feedback.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
try:
    add(folder, Feedback(verdict="up", question="second", comment="x" * 1000))
except FeedbackError as e:
    print(e)
print((folder / "feedback.jsonl").stat().st_size == size)
"""
    c = child(code, tmp_path)
    out, err = c.communicate(timeout=60)
    assert (c.returncode, err) == (0, "")
    assert "disk is full" in out
    assert "Free some space" in out
    assert out.endswith("True\n")
    assert [f.question for f in read(tmp_path)] == ["first"]


@pytest.fixture
def locked_folder() -> Iterator[Path]:
    """A folder that nobody but root may write to, where anybody may look."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_written_to_is_named(locked_folder: Path) -> None:
    code = """
import os, sys
from pathlib import Path
import filelock
from rag.errors import FeedbackError
from rag.feedback import Feedback, add, read
if os.getuid() == 0:
    os.setuid(65534)
try:
    add(Path(sys.argv[1]), Feedback(verdict="up", question="q"))
except FeedbackError as e:
    print(e)
print(read(Path(sys.argv[1])))
"""
    c = child(code, locked_folder)
    out, err = c.communicate(timeout=60)
    assert (c.returncode, err) == (0, "")
    assert "permission denied" in out
    assert f"Check that {locked_folder}" in out
    assert out.endswith("[]\n")
    assert list(locked_folder.iterdir()) == []


def test_no_folder_and_no_file_at_its_place_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(FeedbackError, match=r"not kept.*nowhere"):
        add(tmp_path / "nowhere", down())
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / FILE).mkdir()
    with pytest.raises(FeedbackError, match="not kept"):
        add(tmp_path, down())
    with pytest.raises(FeedbackError, match="cannot be read"):
        read(tmp_path)


def test_a_writer_that_does_not_end_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    monkeypatch.setattr(module, "_WAIT_S", 0.1)
    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(tmp_path / "feedback.lock"):
            held.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        with pytest.raises(FeedbackError, match="again in a moment"):
            add(tmp_path, down())
    finally:
        leave.set()
        thread.join()
    assert add(tmp_path, down())


def test_the_file_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1 << 20)
    size = (1 << 20) - 100
    (tmp_path / FILE).write_bytes(b"x" * size + b"\n")
    with pytest.raises(FeedbackError, match=r"holds 1 MB.*recap feedback --json.*remove it"):
        add(tmp_path, down())
    assert (tmp_path / FILE).stat().st_size == size + 1


def test_one_is_taken_out_and_the_rest_stays_as_it_is(tmp_path: Path) -> None:
    first, second = add(tmp_path, down()), add(tmp_path, down(question=SONG))
    with (tmp_path / FILE).open("ab") as f:
        f.write(b"not ours\n")
    assert not remove(tmp_path, "nobody")
    assert remove(tmp_path, first)
    assert not remove(tmp_path, first)
    assert [f.id for f in read(tmp_path)] == [second]
    assert (tmp_path / FILE).read_bytes().endswith(b"\nnot ours\n")
    assert not remove(tmp_path / "nowhere", first)


# --- made into facts ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with small_library(tmp_path_factory.mktemp("small")) as opened:
        yield opened


def draft(f: Feedback, library: Library | None = None, **options: Any) -> dict[str, Any]:
    [row] = drafts([f], library, **options)
    return row


def asked(library: Library, question: str, **more: Any) -> Feedback:
    """A question really answered, and what somebody thought of it."""
    from rag.answer.chain import ask

    talk = history.grow(history.begin(history.new(), question), ask(library, question))
    return of_turn(talk["turns"][0], **more)


def test_a_right_answer_makes_a_fact() -> None:
    row = draft(down(right_answer=" Ines\nCalder ", id="abc"))
    assert row.pop("note")
    assert row == {
        "id": "feedback-abc",
        "type": "fact",
        "as_of": "2024-11-21",
        "question": HOSTED,
        "standalone": HOSTED,
        "answers": ["Ines Calder"],
        "must_not": ["Bruno Salt"],
        "split": "dev",
    }


def test_what_was_said_before_makes_it_a_followup() -> None:
    before = (("user", HOSTED), ("assistant", "Ines Calder [1]."))
    row = draft(
        down(
            question="and in 2023?",
            standalone=HOSTED.replace("2024", "2023"),
            right_answer="Bruno Salt",
            history=before,
        )
    )
    assert (row["type"], row["question"], row["standalone"]) == (
        "followup",
        "and in 2023?",
        HOSTED.replace("2024", "2023"),
    )
    assert row["history"] == [{"role": "user", "content": HOSTED}, {"role": "assistant", "content": "Ines Calder [1]."}]


@pytest.mark.parametrize(
    ("short", "right", "reason", "kept"),
    [
        ("Bruno Salt", "Ines Calder", "wrong", True),
        ("Bruno Salt", "Ines Calder", "edition", True),
        ("Bruno Salt", "Ines Calder", "source", False),
        ("Calder", "Ines Calder", "wrong", False),
        ("ines CALDER.", "Ines Calder", "wrong", False),
        ("1,250", "1250 people", "wrong", False),
        ("Bruno Salt", "not Bruno Salt but Ines Calder", "wrong", False),
        (None, "Ines Calder", "wrong", False),
    ],
)
def test_the_wrong_answer_must_not_be_said_unless_the_right_one_says_it(
    short: str | None, right: str, reason: Any, kept: bool
) -> None:
    assert draft(down(short=short, right_answer=right, reason=reason)).get("must_not") == ([short] if kept else None)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"reason": "wrong"}, "unanswerable"),
        ({"reason": "unsaid"}, "unanswerable"),
        ({"reason": "unsaid", "right_answer": "It says nothing of it"}, "unanswerable"),
        ({"reason": "edition"}, "wrong_edition"),
        ({"reason": "edition", "short": None}, "unanswerable"),
        ({"reason": "refused", "right_answer": "Ines Calder", "abstained": True, "short": None}, "fact"),
        ({"reason": "incomplete", "right_answer": "Ines Calder"}, "fact"),
        ({"reason": "refused", "abstained": True}, None),
        ({"reason": "wrong", "abstained": True}, None),
        ({"reason": "wrong", "answer": ""}, None),
        ({"reason": "wrong", "right_answer": "?!"}, "unanswerable"),
        ({"reason": "incomplete"}, None),
        ({"reason": "source"}, None),
        ({"reason": "other"}, None),
    ],
)
def test_what_each_reason_makes(given: dict[str, Any], kind: str | None, tmp_path: Path) -> None:
    rows = drafts([down(**given)])
    assert [r["type"] for r in rows] == ([kind] if kind else [])
    if rows:
        write_facts(tmp_path / "facts.jsonl", rows)
        [fact] = load_facts([tmp_path / "facts.jsonl"])
        assert fact.type == kind


def test_an_up_makes_a_fact_on_request(library: Library) -> None:
    good = asked(library, HOSTED, verdict="up")
    assert drafts([good], library) == []
    row = draft(good, library, include_up=True)
    assert (row["type"], row["answers"], row.get("must_not")) == ("fact", ["Ines Calder"], None)
    assert [(e["doc"], "hosted by Ines Calder" in e["quote"]) for e in row["evidence"]] == [("lantern-2024.txt", True)]
    declined = asked(library, "Who designed the trophy of the 2024 Lantern Music Awards?", verdict="up")
    assert declined.abstained
    assert draft(declined, library, include_up=True)["type"] == "unanswerable"
    assert drafts([Feedback(verdict="up", question="q", answer="It rained.")], include_up=True) == []


def test_evidence_is_the_cited_quote_that_says_it(library: Library) -> None:
    cited = asked(library, HOSTED, verdict="down", reason="source", right_answer="ines calder")
    row = draft(cited, library)
    assert row["evidence"] == [{"doc": "lantern-2024.txt", "quote": cited.citations[0].quote}]
    assert "looked up" not in row["note"]


def test_evidence_is_looked_up_in_the_cited_article_first(library: Library) -> None:
    [article_id] = library.find("lantern-2024.txt")
    marsh = module.Cited(article_id=article_id, quote="Lou Marsh did not win Album of the Year", verdict="supported")
    album = {"question": "Who won Album of the Year at the 2024 Lantern Music Awards?", "short": "Lou Marsh"}
    row = draft(down(right_answer="Tilda Noor", citations=(marsh,), **album), library)
    [found] = row["evidence"]
    assert found["doc"] == "lantern-2024.txt"
    assert "Tilda Noor said after winning Album of the Year" in found["quote"]
    assert "looked up" in row["note"]


def test_evidence_is_looked_up_in_the_library_then(library: Library) -> None:
    refused = down(
        reason="refused", abstained=True, short=None, right_answer="18,400", question="How many saw the Rovers win?"
    )
    [found] = draft(refused, library)["evidence"]
    assert found["doc"] == "match.txt"
    assert found["quote"].endswith("before a crowd of 18,400 at Quay Park.")


@pytest.mark.parametrize("right", ["Nobody In This Coverage", "Emil Toft"])  # he scored a goal, and hosted nothing
def test_evidence_that_is_nowhere_is_left_to_a_person(library: Library, right: str) -> None:
    row = draft(down(right_answer=right), library)
    assert "evidence" not in row
    assert "Add evidence" in row["note"]


def test_a_quote_that_no_longer_stands_is_no_evidence(library: Library) -> None:
    gone = module.Cited(article_id="gone", quote="Ines Calder was the host", source="https://x.example/gone")
    assert draft(down(right_answer="Ines Calder", citations=(gone,)))["evidence"][0]["doc"] == "https://x.example/gone"
    [found] = draft(down(right_answer="Ines Calder", citations=(gone,)), library)["evidence"]
    assert found["doc"] in ("lantern-2024.txt", "lantern-2024-copy.txt")
    assert "hosted by Ines Calder" in found["quote"]


def test_the_same_complaint_counts_once_and_an_answer_wins() -> None:
    rows = drafts(
        [
            down(id="a"),
            down(id="b", right_answer="Ines Calder"),
            down(id="c", right_answer="ines  calder.", question=HOSTED.lower(), comment="again"),
            down(id="d", right_answer="Dora Flint"),
            down(id="e", question=SONG),
        ]
    )
    assert [r["id"] for r in rows] == ["feedback-b", "feedback-d", "feedback-e"]


def test_the_note_says_what_a_person_has_to_do() -> None:
    note = draft(
        down(right_answer="I am quite sure that it was Ines Calder herself", comment="see\nabove", scope="2024 VMAs")
    )["note"]
    assert "Draft" in note
    assert "They wrote: “see above”" in note
    assert "Shorten answers" in note
    assert "asked of 2024 VMAs alone" in note
    assert "multi" in draft(down(reason="incomplete", right_answer="Milan and Sasha"))["note"]
    assert "declining counts as right" in draft(down())["note"]


@pytest.mark.parametrize(
    "text",
    [
        "Beyoncé’s 1,250 fans",
        "the U.S. and A.B. Sons",
        "The",
        "a-b_c",
        "東京 2024",
        "12,34 and 1,234,567",
        "“No.”",
        "ﬁne Ⅳ",
    ],
)
def test_words_are_those_that_the_judge_compares(text: str) -> None:
    assert _words(text) == eval_words(text)
    assert _holds(f"x {text} y", text) == contains(f"x {text} y", text)


def test_eval_reads_checks_and_runs_the_drafts(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [Turn("user", HOSTED), Turn("assistant", "Ines Calder hosted them [1].")]
    given = [
        down(id="host", right_answer="Ines Calder"),
        down(id="crowd", reason="refused", abstained=True, right_answer="18,400", question="How large was the crowd at Quay Park?"),
        down(id="then", right_answer="Bruno Salt", short="Ines Calder", question="Who hosted it in 2023?",
             standalone=HOSTED.replace("2024", "2023"), history=tuple((t.role, t.content) for t in before)),
        down(id="never", reason="unsaid", question="Who hosted the 2019 Lantern Music Awards?"),
        down(id="year", reason="edition", question="Who hosted the 2022 Lantern Music Awards?"),
        asked(library, SONG, verdict="up"),
    ]  # fmt: skip
    ids = [add(tmp_path, f) for f in given]
    file = tmp_path / "out" / "facts.jsonl"
    file.parent.mkdir()
    rows = drafts(read(tmp_path), library, include_up=True)
    assert write_facts(file, rows) == 6
    facts = load_facts([file])
    assert [f.id for f in facts] == [f"feedback-{i}" for i in ids]
    assert {f.split for f in facts} == {"dev"}
    assert check_facts(facts, library.articles(), chunks=library.chunks) == []
    status = eval_main([str(file), "--library", str(library.path), "--llm", "none", "--out", str(tmp_path / "run")])
    assert status == 0, capsys.readouterr()
    results = [json.loads(line) for line in (tmp_path / "run" / "run.jsonl").read_text().splitlines()]
    assert [r["id"] for r in results] == [f.id for f in facts]
    assert not any(r["error"] for r in results)
    assert results[0]["right"], "the library says who hosted it"


def test_drafts_are_added_beside_what_a_person_made_of_the_first(tmp_path: Path) -> None:
    file = tmp_path / "facts.jsonl"
    rows = drafts([down(id="a", right_answer="Ines Calder"), down(id="b", question=SONG, right_answer="Ana Lima")])
    assert write_facts(file, rows[:1]) == 1
    mended = file.read_text().replace("Ines Calder", "Ines Q. Calder").rstrip("\n")  # an editor leaves no end of line
    file.write_text(mended)
    assert write_facts(file, rows) == 1
    assert write_facts(file, rows) == 0
    first, second = file.read_text().splitlines()
    assert (first, json.loads(second)["id"]) == (mended, "feedback-b")


def test_what_is_no_fact_file_is_left_alone(tmp_path: Path) -> None:
    rows = drafts([down(right_answer="Ines Calder")])
    with pytest.raises(FeedbackError, match=r"not a \.jsonl file"):
        write_facts(tmp_path / "facts.yaml", rows)
    for text in ('{"url": "u", "title": "t", "text": "x"}\n', "words\n", "[1]\n"):
        (tmp_path / "a.jsonl").write_text(text)
        with pytest.raises(FeedbackError, match="line 1 is not a fact"):
            write_facts(tmp_path / "a.jsonl", rows)
        assert (tmp_path / "a.jsonl").read_text() == text
    with pytest.raises(FeedbackError, match="cannot be written: no such file"):
        write_facts(tmp_path / "nowhere" / "a.jsonl", rows)


# --- the command --------------------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The small library, named by the environment, without feedback before and after."""
    for name in [n for n in os.environ if n.startswith("RECAP_") and n != "RECAP_CACHE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RECAP_LIBRARY", str(library.path))
    monkeypatch.setenv("RECAP_LLM", "none")
    monkeypatch.chdir(tmp_path)
    yield library.path
    (library.path / FILE).unlink(missing_ok=True)


def test_the_command_lists_newest_last_and_steers_no_terminal(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["feedback"]) == 0
    assert "no feedback yet" in capsys.readouterr().out
    first = add(shelf, down(right_answer="Ines Calder", comment="read\nagain"))
    add(shelf, Feedback(verdict="up", question=SONG, when="2024-11-22T00:00:00"))
    raw = (shelf / FILE).read_text().replace("read\\nagain", "read\\nagain\\u001b[31m")  # by hand, past `add`
    (shelf / FILE).write_text(raw + "torn\n")
    assert run(["feedback"]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == f"2024-11-21  down  wrong       {HOSTED}"
    assert lines[1].strip() == f"{first} · Bruno Salt · should be: Ines Calder · read again[31m"
    assert lines[2].split() == ["2024-11-22", "up", *SONG.split()]
    assert "\033" not in said.out
    assert said.err == "Left out of the feedback: 1 line that cannot be read.\n"


def test_the_command_exports_json_lines(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["feedback", "--json"]) == 0
    assert capsys.readouterr().out == ""
    given = [down(right_answer="Ines Calder", history=(("user", "hi"),)), Feedback(verdict="up", question=SONG)]
    ids = [add(shelf, f) for f in given]
    assert run(["feedback", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r.pop("id") for r in rows] == ids
    assert [r | {"id": ""} for r in rows] == [json.loads(json.dumps(as_json(f))) for f in given]


def test_the_command_writes_drafts_and_says_what_next(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(shelf, down(reason="other"))
    assert run(["feedback", "--facts", "mine.jsonl"]) == 0
    assert "None of the feedback makes a fact" in capsys.readouterr().out
    assert not Path("mine.jsonl").exists()
    add(shelf, down(right_answer="Ines Calder"))
    assert run(["feedback", "--facts", "mine.jsonl"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 draft added to mine.jsonl.\n")
    words = said.rstrip().rpartition("then run: recap ")[2].split()
    assert words == ["eval", "mine.jsonl", "--library", str(shelf)]
    assert run(["eval", "check", *words[1:]]) == 0
    assert "1 fact, 0 problems." in capsys.readouterr().out
    assert run(["feedback", "--facts", "mine.jsonl"]) == 0
    assert "0 drafts added to mine.jsonl; 1 stood there already" in capsys.readouterr().out
    assert run(["feedback", "--facts", "mine.yaml"]) == 2


def test_a_damaged_library_still_gives_its_feedback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "library.sqlite3").write_bytes(b"no database")
    add(tmp_path, down(right_answer="Ines Calder"))
    out = tmp_path / "facts.jsonl"
    assert run(["feedback", "--library", str(tmp_path), "--facts", str(out)]) == 0
    said = capsys.readouterr()
    assert "No evidence is looked up" in said.err
    assert len(load_facts([out])) == 1


def test_the_command_removes_one_and_says_when_there_is_none(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ident = add(shelf, down())
    assert run(["feedback", "--remove", ident]) == 0
    assert read(shelf) == []
    assert run(["feedback", "--remove", ident]) == 2
    assert "There is no feedback" in capsys.readouterr().err
    assert run(["feedback", "--library", "nowhere"]) == 2
    assert "There is no library at nowhere" in capsys.readouterr().err
