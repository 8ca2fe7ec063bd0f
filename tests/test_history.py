"""Conversations as plain data: kept by a browser, read back from it, changed, exported."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rag.types import Chunk, Hit, Turn
from tests.test_render import GREEN, answered, article, cited, harmless
from ui import export, history, render
from ui.strings import EN

NAME = "0123456789ab"


def kept(*questions: str) -> history.Talk:
    """A conversation with these questions, each answered by the same citation."""
    t = history.new()
    for q in questions:
        t = history.begin(t, q, name=NAME, when="2024-09-12T10:00:00+00:00")
        grown = answered(f"Mira, {q} [1].", cited(), cited(GREEN, marker=2), confidence=0.7, timings_ms={"total": 12.5})
        t = t | {"turns": [*t["turns"][:-1], grown["turns"][0] | {k: t["turns"][-1][k] for k in ("id", "question")}]}
    return t


def test_a_conversation_is_plain_data_and_never_changed_in_place() -> None:
    hit = Hit(1, 0.5, Chunk("other", "a", 0, 3, "The"), article())
    t = answered("Mira [1].", cited(), sources=(hit,))
    before = copy.deepcopy(t)
    assert json.loads(json.dumps(t)) == t
    assert t["turns"][0]["also"][0]["chunk_id"] == "other"
    u = history.begin(t, "And the year before?")
    history.fail(u, "no")
    history.stop(u)
    history.change(u, 1, judged="up")
    history.fork(u, 1)
    assert t == before
    assert history.turns(u) == (Turn("user", "Who hosted the gala?"), Turn("assistant", "Mira [1]."))
    assert history.turns(history.fail(u, "no")) == history.turns(u)
    assert history.drop(u)["turns"] == t["turns"]
    assert [x["id"] for x in history.begin(history.drop(u), "Again?")["turns"]] == [1, 3]


def test_only_this_conversation_s_sources_are_found() -> None:
    t = answered("Mira [1].", cited())
    assert history.find(t, 1, 1) is None
    assert history.find(t, 1, -1) is None
    assert history.find(t, 2, 0) is None


def test_a_conversation_does_not_grow_without_end() -> None:
    t = history.new()
    for i in range(history.TURNS_KEPT + 5):
        t = history.begin(t, f"q{i}")
    assert len(t["turns"]) == history.TURNS_KEPT
    assert t["turns"][-1]["id"] == history.TURNS_KEPT + 5


def test_a_conversation_is_named_once_by_its_first_question() -> None:
    t = history.begin(history.begin(history.new(), "first", name=NAME, when="1"), "second", name="other", when="2")
    assert history.entry(t) == {"id": NAME, "title": "first", "when": "2"}
    assert history.listed([{"id": "b", "title": "", "when": "3"}, {"id": NAME, "title": "old", "when": "0"}], t) == [
        {"id": "b", "title": "", "when": "3"},
        history.entry(t),
    ]


# --- kept by the browser, and back -------------------------------------------------------------------------------


def stored(*records: str) -> dict[str, Any]:
    """What page.js makes of records that come one after the other."""
    talk: dict[str, Any] = {}
    for record in records:
        fresh = json.loads(record)
        turns = {x["id"]: x for x in [*talk.get("turns", []), *fresh["turns"]] if x["id"] in fresh["ids"]}
        talk = {k: fresh[k] for k in ("id", "title", "when", "next")} | {"turns": [turns[i] for i in sorted(turns)]}
    return talk


def test_what_the_browser_kept_comes_back_whole() -> None:
    one, three = kept("one"), kept("one", "two", "three")
    two = three | {"turns": three["turns"][:2], "next": 3}
    assert history.restored(stored(history.record(one), history.record(two), history.record(three))) == three
    assert history.restored(stored(history.record(three, whole=True))) == three


def test_a_turn_that_was_taken_back_is_not_kept() -> None:
    three = kept("one", "two", "three")
    again = history.begin(history.drop(three), "three, again", name=NAME)
    back = history.restored(stored(history.record(three, whole=True), history.record(again)))
    assert back is not None
    assert [t["question"] for t in back["turns"]] == ["one", "two", "three, again"]


def test_an_answer_that_was_cut_off_by_a_reload_is_marked_as_stopped() -> None:
    t = history.begin(kept("one"), "two", name=NAME)
    back = history.restored(stored(history.record(t, whole=True)))
    assert back is not None
    assert [x["state"] for x in back["turns"]] == ["done", "stopped"]
    assert not history.running(back)


def test_a_restored_answer_still_finds_its_evidence() -> None:
    back = history.restored(json.loads(history.record(kept("one"), whole=True)))
    assert back is not None
    found = history.find(back, 1, 1)
    assert found is not None
    assert found[1]["quote"] == GREEN
    assert GREEN in render.reader(article(), found[0], 1)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(sorted(kept("x")["turns"][0]))
SOURCE_FIELDS = st.sampled_from(sorted(kept("x")["turns"][0]["citations"][0]))


@given(FIELDS, JUNK, SOURCE_FIELDS, JUNK)
def test_whatever_a_browser_sends_back_can_be_drawn(field: str, value: Any, inner: str, other: Any) -> None:
    data = kept("one", "two")
    data["turns"][0][field] = value
    data["turns"][1]["citations"][0][inner] = other
    back = history.restored(data)
    if back is not None:
        for t in back["turns"]:
            harmless(render.turn(t))
            for i in range(len(t["citations"])):
                render.reader(article(), t, i)
        export.markdown(back)
        assert json.loads(history.record(back))


@given(JUNK)
def test_junk_is_no_conversation(value: Any) -> None:
    back = history.restored(value)
    assert back is None or back["turns"]
    assert isinstance(history.restored_list(value), list)


def test_a_huge_conversation_comes_back_bounded() -> None:
    data = kept(*(f"q{i}" for i in range(80)))
    data["turns"][-1]["text"] = "x" * 10**6
    data["turns"][-1]["citations"] *= 500
    back = history.restored(data)
    assert back is not None
    assert len(back["turns"]) == history.TURNS_KEPT
    assert len(json.dumps(back["turns"][-1])) < 10**5


def test_a_restored_conversation_has_a_weight_and_few_timings() -> None:
    data = kept("one", "two", "three")
    data["turns"][2]["timings"] = {f"{n} {'x' * 100}": 1.0 for n in range(190_000)}
    back = history.restored(data)
    assert back is not None
    assert len(back["turns"][2]["timings"]) == 20
    assert max(map(len, back["turns"][2]["timings"])) == 20
    data = kept(*(f"q{n}" for n in range(50)))
    for turn in data["turns"]:
        turn["text"] = turn["standalone"] = "é" * 19_000
    back = history.restored(data)
    assert back is not None
    assert len(json.dumps(back, ensure_ascii=False).encode()) < 1_000_000
    assert [t["question"] for t in back["turns"]] == [f"q{n}" for n in range(50)][-len(back["turns"]) :]
    assert len(back["turns"]) > 10
    for turn in data["turns"]:
        turn["citations"] = [{"quote": "é" * 20_000}] * 60
    assert history.restored(data) is None


# --- changed ------------------------------------------------------------------------------------------------------


def test_editing_the_last_question_takes_it_back_and_an_earlier_one_begins_anew() -> None:
    t = kept("one", "two", "three")
    assert history.fork(t, 3) == history.drop(t)
    begun = history.begin(history.fork(t, 2), "two, edited", name="fedcba987654")
    assert begun["id"] == "fedcba987654"
    assert [x["question"] for x in begun["turns"]] == ["one", "two, edited"]
    first = history.begin(history.fork(t, 1), "one, edited", name="fedcba987654")
    assert (first["title"], len(first["turns"])) == ("one, edited", 1)


def test_a_conversation_goes_on_from_what_was_said_before() -> None:
    said = (Turn("user", "Who hosted the 2024 gala?"), Turn("assistant", "Mira."), Turn("user", "And 2023?"), Turn("assistant", "Bela."))  # fmt: skip
    t = history.said_before(said)
    assert history.turns(history.begin(t, "And 2022?")) == said
    assert not history.running(t)
    assert history.said_before(()) == history.new()


# --- exported -----------------------------------------------------------------------------------------------------


def test_an_export_has_each_question_with_its_sources_and_verdicts() -> None:
    t = answered(
        "Mira hosted [1]:\n- in green [2]", cited(), cited(GREEN, marker=2, verdict="partial"), notes=("A note.",)
    )
    text = export.markdown(t)
    assert "## Who hosted the gala?" in text
    assert "Mira hosted [1]:\n- in green [2]" in text
    link = "1. [A night at the harbour](<https://www.harbour.example/gala>), Harbour Post, 12 September 2024"
    assert link in text
    assert f"   > {GREEN} ({EN.partial})" in text
    assert "*A note.*" in text
    assert export.file_name(kept("Who hosted the 2024 VMAs?")) == "recap-who-hosted-the-2024-vmas.md"
    assert export.file_name(kept("誰?")) == "recap-conversation.md"


def test_an_export_makes_no_links_or_markup_of_what_was_read() -> None:
    bad = "![x](http://evil.example/a.png) <b>b</b> [y](javascript:alert(1)) `c`"
    t = answered(f"{bad} [1]", cited(title=bad, url="javascript:alert(1)", outlet=bad), notes=(bad,))
    text = export.markdown(history.change(t, 1, question=bad))
    for markup in ("![x]", " [y", "<b>", " `c`"):
        assert markup not in text
    assert "\\[1\\]" not in text


LINKS = (
    "Rosa [1](http://evil.example/a) opened it ![1](http://evil.example/p.png) [1].",
    "Rosa opened it [1].\n\n[1]: http://evil.example/x\n- [1]: http://evil.example/y",
    "Rosa ![1] opened it [7](http://evil.example/z)[1].",
)


@pytest.mark.parametrize("text", LINKS)
def test_what_looks_like_a_marker_is_no_link_in_an_export(text: str) -> None:
    t = answered(text, cited(title="Rosa, [1]: http://evil.example", url=None))
    out = export.markdown(t)
    inline = [c for token in MarkdownIt().parse(out) for c in token.children or ()]
    assert not {c.type for c in inline} & {"link_open", "image"}
    assert "[1]." in out  # a marker stays one
    shown = "".join(c.content for c in inline)
    assert "http://evil.example" in shown
    assert "http://" not in out, "a bare address would be made a link of by itself"


def test_a_bare_address_is_words_in_an_export() -> None:
    out = export.markdown(answered("See https://evil.example, www.evil.example or a@evil.example [1].", cited()))
    assert "https:\\//evil.example, www\\.evil.example or a\\@evil.example [1]." in out
