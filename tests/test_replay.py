"""Recorded replies as a language model: the right one for the exact prompt, a refusal for any other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.record import add, lacking
from rag.answer.chain import ask
from rag.answer.llm import describe, forget, load_llm
from rag.answer.prompt import Message, answer_prompt
from rag.answer.replay import Replay, load_replay, prompt_key
from rag.config import Config
from rag.errors import ConfigError, LLMBadResponse, RecapError
from rag.ingest.pipeline import ingest
from rag.types import Query
from tests.test_chain import GOOD, FakeLibrary, _seams  # noqa: F401
from tests.test_cite import HITS, VMA24

ASKED = "Who hosted the 2024 VMAs?"


def _prompt(question: str = ASKED) -> tuple[Message, ...]:
    return answer_prompt(Query(question, question, event=VMA24), HITS, context_tokens=32_000).messages


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    replies = tmp_path / "replies.jsonl"
    replies.write_text(json.dumps({"key": prompt_key(_prompt()), "reply": GOOD}) + "\n")
    file = tmp_path / "recording.jsonl"
    assert add(file, [replies], model="a-model", note="by hand") == 1
    forget()
    return file


def _library(file: Path) -> Any:
    return FakeLibrary(Config(llm=f"replay:{file}"))


def test_every_character_of_a_prompt_counts() -> None:
    system, user = _prompt()
    assert prompt_key((system, user)) == prompt_key(_prompt())
    assert prompt_key((system, replace(user, content=user.content + " "))) != prompt_key((system, user))
    assert prompt_key((replace(system, role="user"), user)) != prompt_key((system, user))


def test_the_recorded_reply_goes_through_the_whole_chain(recording: Path) -> None:
    got = ask(_library(recording), ASKED)
    assert (got.engine, got.short, got.abstained) == ("replay:a-model", "Megan Thee Stallion", False)
    assert got.citations[0].verdict == "supported"
    assert got.notes == ()


def test_a_prompt_that_was_never_asked_is_refused_and_the_reader_answers(recording: Path) -> None:
    model = load_llm(Config(llm=f"replay:{recording}"))
    assert isinstance(model, Replay)
    assert model.missed is None  # what people ask is kept for a recorder alone
    model.missed = {}
    got = ask(_library(recording), "Who performed at the 2024 VMAs?")
    assert got.engine == "reader"
    assert got.notes == (
        "replay:a-model has no reply to this prompt: it has changed, or was never asked; the reader answered instead.",
    )
    assert [m[1].content.count("Who performed") for m in model.missed.values()] == [1]
    with pytest.raises(LLMBadResponse):
        list(model.stream(_prompt("another"), deadline=0))


def test_the_doctor_tells_what_is_recorded(recording: Path) -> None:
    assert describe(Config(llm=f"replay:{recording}")).lines == ("replay:a-model: 1 recorded replies.",)


@pytest.mark.parametrize("text", ["", "no json", '{"key": "1", "reply": "x"}', '{"recorded": {}}\n{"key": "1"}', "[1]"])
def test_what_is_no_recording_is_said(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(text)
    with pytest.raises(ConfigError, match="is no recording"):
        load_replay(file)
    with pytest.raises(ConfigError, match="is no recording"):
        load_replay(tmp_path / "none.jsonl")


def test_a_reply_may_have_any_character(recording: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.jsonl"
    more.write_text(json.dumps({"key": "k", "reply": "one\u2028two\u0085three"}) + "\n")
    assert add(recording, [more], model="a-model", note="") == 2
    assert load_replay(recording).replies["k"] == "one\u2028two\u0085three"


def test_replies_are_added_and_replaced(recording: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.jsonl"
    more.write_text('{"key": "k", "reply": " first "}\n\n{"key": "k", "reply": "second"}\n')
    assert add(recording, [more], model="a-model", note="") == 2
    assert load_replay(recording).replies["k"] == "second"


def test_what_lacks_a_reply_is_listed_with_its_prompt(
    recording: Path, tmp_path: Path, make_library: Any, articles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the real search and reader
    library = make_library(llm=f"replay:{recording}")
    ingest(library, [str(articles)])
    facts = tmp_path / "facts.jsonl"
    facts.write_text(json.dumps({"id": "a", "type": "unanswerable", "question": "who sang at the 2024 vmas?"}) + "\n")
    (row,) = lacking(library, facts=[facts])
    assert [m["role"] for m in row["messages"]] == ["system", "user"]
    assert "who sang at the 2024 vmas?" in row["messages"][1]["content"]
    assert prompt_key([Message(**m) for m in row["messages"]]) == row["key"]
    with pytest.raises(RecapError, match="--recording"):
        lacking(make_library("other"), facts=[facts])


def test_a_recording_that_nests_without_end_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="is no recording"):
        load_replay(tmp_path / "r.jsonl")
