"""The chain through the real client libraries, against a server on loopback; retrieval and the reader are fakes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer import chain
from rag.answer.chain import ask, ask_stream
from rag.answer.llm import forget
from rag.config import Config
from rag.errors import ConfigError, RecapError
from rag.types import Answer, Citation, Hit, Query, Turn
from tests.conftest import CountingEmbedder
from tests.loopback_llm import FAILURES, LoopbackLLM
from tests.test_cite import HITS, VMA23, VMA24
from tests.torture.parsers import at_most

pytest.importorskip("llama_index.llms.openai_like")  # imported here, so that no test's clock counts the import

GOOD = "ANSWER: Megan Thee Stallion\nMegan Thee Stallion hosted the 2024 VMAs on September 11, 2024 [1]."
ASKED = "Who hosted the 2024 VMAs?"


class FakeLibrary:
    reader: Any = None

    def __init__(self, config: Config) -> None:
        self.config = config
        self.reader_fault = ""
        self.embedder = CountingEmbedder()


@pytest.fixture(autouse=True)
def _seams(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def understand(text: str, *, library: Any, history: Sequence[Turn] = (), as_of: date | None = None) -> Query:
        event = VMA24 if "2024" in text else VMA23 if "2023" in text else None
        return Query(f"by rules: {text}" if history else text, text, event=event, as_of=as_of, rewritten=bool(history))

    def read_answer(query: Query, hits: Sequence[Hit], *, library: Any) -> Answer:
        quote = hits[0].chunk.text.split("\n")[0]
        start = hits[0].chunk.start
        cited = Citation(1, "a1", hits[0].chunk.id, "t", quote, start, start + len(quote))
        return Answer(query.asked, query.text, f"{quote} [1]", short="the reader's", citations=(cited,))

    monkeypatch.setattr(chain, "understand", understand)
    monkeypatch.setattr(chain, "search", lambda library, query, **_: list(HITS))
    monkeypatch.setattr(chain, "read_answer", read_answer)
    monkeypatch.setattr(chain, "refuse", lambda query, hits, *, library: "Recap has the 2023 and 2024 VMAs.")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OLLAMA_HOST", "RECAP_LLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    forget()
    yield
    forget()


def library(server: LoopbackLLM | None = None, **settings: Any) -> Any:
    if server is None:
        return FakeLibrary(Config(llm="none", **settings))
    return FakeLibrary(Config(llm="openai-like:tiny", llm_base_url=server.base_url, **settings))


def answer(text: str, question: str = ASKED, **more: Any) -> Answer:
    with LoopbackLLM("ok", text) as server:
        return ask(library(server), question, **more)


def test_without_a_model_the_reader_answers() -> None:
    got = ask(library(), ASKED)
    assert (got.engine, got.notes, got.done) == ("reader", (), True)
    assert set(got.timings_ms) == {"retrieve", "answer", "total"}
    assert got.timings_ms["total"] >= got.timings_ms["retrieve"] >= 0


def test_a_checked_cited_answer() -> None:
    got = answer(GOOD)
    assert got.text == "Megan Thee Stallion hosted the 2024 VMAs on September 11, 2024 [1]."
    assert (got.short, got.engine, got.abstained, got.truncated) == (
        "Megan Thee Stallion",
        "openai-like:tiny",
        False,
        False,
    )
    assert got.notes == ()
    (cited,) = got.citations
    assert cited.verdict == "supported"
    assert cited.quote == HITS[0].article.text[cited.start : cited.end]
    assert got.sources[0].chunk.id == cited.chunk_id


def test_sentences_arrive_one_by_one_and_the_answer_line_never_shows() -> None:
    text = GOOD + " Katy Perry received the Video Vanguard Award at the 2024 VMAs [1]."
    with LoopbackLLM("ok", text) as server:
        snapshots = list(ask_stream(library(server), ASKED))
    assert [s.done for s in snapshots] == [False, False, True]
    assert "ANSWER" not in "".join(s.text for s in snapshots)
    assert snapshots[1].text.startswith(snapshots[0].text)
    assert len(snapshots[0].citations) == 1
    assert len(snapshots[1].citations) == 2


def test_cited_sources_come_first() -> None:
    got = answer("ANSWER: Shakira\nShakira received the Video Vanguard Award in 2023 [2].", "Who got it?")
    assert [h.chunk.id for h in got.sources] == ["c2", "c1", "c3"]


def test_invented_sentences_are_dropped_and_the_rest_stays() -> None:
    got = answer(GOOD + " Lionel Messi sang the anthem in Paris [2].")
    assert "Messi" not in got.text
    assert got.short == "Megan Thee Stallion"
    assert got.notes == ()


def test_when_nothing_is_left_the_reader_answers_and_says_so() -> None:
    got = answer("ANSWER: Lionel Messi\nLionel Messi sang the anthem in Paris [2].")
    assert got.engine == "reader"
    assert got.notes == ("No sentence of openai-like:tiny could be found in the sources; the reader answered instead.",)
    assert "Messi" not in got.text + str(got.short)


def test_a_claim_that_cannot_be_checked_gives_way_to_the_passage_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeLibrary, "reader", object())
    monkeypatch.setattr(chain, "reading", lambda _: lambda *__: ("Tate McRae", 1.0))
    said = "Perry later stood, it was whispered by 3 courtiers, for a picture with Tate McRae [1]."
    got = answer(f"ANSWER: Tate McRae\n{said}", "Who was pictured with Perry?")
    assert got.text == "Tate McRae: “Perry later stood for a picture with Tate McRae.” [1]"
    assert got.notes == ("What openai-like:tiny made of it could not be checked; the passage itself is quoted.",)
    assert (got.short, got.engine, got.citations[0].verdict) == ("Tate McRae", "openai-like:tiny", "supported")
    other = answer(f"ANSWER: Eminem\n{said}", "Who was pictured with Perry?")
    assert other.engine == "reader"  # the reader finds another in that passage


@pytest.mark.parametrize(
    "text", ["NOT_IN_SOURCES: the 2024 VMAs", "ANSWER: NOT_IN_SOURCES\nx", "**NOT_IN_SOURCES**", "not in sources."]
)
def test_a_model_that_declines_gives_the_useful_refusal(text: str) -> None:
    got = answer(text, "Who hosted the 2023 VMAs?")
    assert (got.abstained, got.short, got.citations) == (True, None, ())
    assert got.text == "Recap has the 2023 and 2024 VMAs."
    assert got.engine == "openai-like:tiny"


def _read_from(start: int, end: int, *, confidence: float | None = None) -> Any:
    def read_answer(query: Query, hits: Sequence[Hit], *, library: Any) -> Answer:
        quote = hits[0].article.text[start:end]
        cited = Citation(1, hits[0].article.id, hits[0].chunk.id, "t", quote, start, end)
        return Answer(query.asked, query.text, f"{quote} [1]", short="x", citations=(cited,), confidence=confidence)

    return read_answer


def test_what_the_model_was_not_given_may_still_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    said, question = "NOT_IN_SOURCES: the 2024 VMAs", "Who hosted the 2023 VMAs?"
    inside = HITS[0].chunk.start
    monkeypatch.setattr(chain, "read_answer", _read_from(inside, inside + 5))
    assert answer(said, question).abstained  # the model saw it, and found that it does not answer
    monkeypatch.setattr(chain, "read_answer", _read_from(90_000, 90_005))
    got = answer(said, question)
    assert (got.abstained, got.engine, got.done) == (False, "reader", True)
    assert got.notes == ("openai-like:tiny found nothing in its passages; the reader found this in another.",)
    monkeypatch.setattr(chain, "read_answer", _read_from(90_000, 90_005, confidence=0.3))
    assert answer(said, question).abstained


def test_only_remarks_on_the_sources_are_an_abstention() -> None:
    assert answer("The sources do not say who hosted.", "Who hosted the 2023 VMAs?").abstained


def test_the_other_editions_fact_is_no_answer() -> None:
    got = answer(
        "ANSWER: Megan Thee Stallion\nMegan Thee Stallion hosted the 2024 VMAs [1].", "Who hosted the 2023 VMAs?"
    )
    assert got.abstained
    assert got.short is None


@pytest.mark.parametrize(
    "text",
    [
        "Megan Thee Stallion hosted the 2024 VMAs [1].",
        "ANSWER: Megan Thee Stallion hosted the 2024 VMAs [1].",
        "Answer: Rihanna\n\nMegan Thee Stallion hosted the 2024 VMAs [1].",
        "\n**ANSWER:** Megan Thee Stallion [1]\n\nMegan Thee Stallion hosted the 2024 VMAs [1].",
    ],
)
def test_models_that_take_the_answer_line_lightly(text: str) -> None:
    got = answer(text)
    assert got.text == "Megan Thee Stallion hosted the 2024 VMAs [1]."
    assert got.short in ("Megan Thee Stallion", "Megan Thee Stallion hosted the 2024 VMAs.")


REPLIES = (
    GOOD + "\n\nSee [2]. More",
    "\n**ANSWER:** x [1]\n\nOne. Two [2].",
    "ANSWER: all on one line [1].",
    "An answer. Not in the form.",
    "NOT_IN_SOURCES: the 2024 VMAs",
    "NOT_IN_SOURCES. Shakira won [1]. And more.",
    "Sorry: not in sources. Shakira won [1].",
    "ANSWER: sorry, NOT_IN_SOURCES\nShakira won [1].",
    "Not everyone came. Answers were given [1].",
    "",
    "ANSWER:",
    "ANSWER: x\n \n",
)


@given(st.sampled_from(REPLIES), st.lists(st.integers(0, 80), max_size=8))
def test_a_reply_reads_the_same_however_it_is_cut(text: str, cuts: list[int]) -> None:
    def read(pieces: list[str]) -> tuple[list[tuple[str, str]], str | None, bool]:
        reply = chain._Reply()
        said = [pair for piece in pieces for pair in reply.feed(piece)]
        return said + reply.end(), reply.short, reply.declined

    ends = sorted({*(min(c, len(text)) for c in cuts), len(text)})
    pieces = [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    assert read(pieces) == read([text])


def test_an_answer_line_without_end_is_no_bare_answer_and_costs_no_time() -> None:
    reply = chain._Reply()
    with at_most(2.0):  # a minute where each of its words may be the beginning of an address
        said = [*reply.feed(f"ANSWER: {'0' * 200_000}\nMegan hosted. "), *reply.end()]
    assert (said, reply.short) == ([("Megan hosted.", " ")], None)


def test_links_and_images_do_not_survive() -> None:
    got = answer(GOOD + " ![x](https://evil.example/x.png) See [here](https://evil.example) now.")
    assert "evil" not in got.text
    assert "![" not in got.text


@pytest.mark.parametrize("mode", FAILURES)
def test_in_every_failure_the_reader_answers_in_time_and_says_so_in_one_sentence(mode: str) -> None:
    half = "ANSWER: Megan Thee Stallion\nMegan Thee Stall"
    with LoopbackLLM(mode, half) as server:
        started = time.monotonic()
        got = ask(library(server, llm_first_token_s=0.6, llm_deadline_s=1.5), ASKED)
        assert time.monotonic() - started < 20  # the window probe (1 s), the deadline (1.5 s), and a very slow machine
    assert (got.engine, got.short, got.done, got.truncated) == ("reader", "the reader's", True, False)
    (note,) = got.notes
    assert note.endswith("; the reader answered instead.")
    assert note.count(". ") == 0


def test_a_broken_off_answer_keeps_its_checked_sentences_and_is_marked() -> None:
    for mode in ("drop", "eof", "length"):
        with LoopbackLLM(mode, GOOD + " Katy Perry received the Video Vang") as server:
            got = ask(library(server), ASKED)
        assert got.truncated, mode
        assert got.text == "Megan Thee Stallion hosted the 2024 VMAs on September 11, 2024 [1]."
        assert len(got.notes) == 1
        forget()


def test_a_window_smaller_than_told_gets_a_shorter_prompt_once() -> None:
    with LoopbackLLM("too_long") as server:
        ask(library(server), ASKED)
    assert len(server.requests) == 2


def test_closing_the_stream_cancels_the_request() -> None:
    with LoopbackLLM("slow", GOOD + " And so on it went [1]. More [1].") as server:
        snapshots = ask_stream(library(server), ASKED)
        assert not next(snapshots).done
        snapshots.close()  # type: ignore[attr-defined]
        assert server.hung_up.wait(2)


HISTORY = (Turn("user", ASKED), Turn("assistant", "Megan Thee Stallion hosted the 2024 VMAs [1]."))


def test_a_follow_up_is_rewritten_by_the_model_and_shown() -> None:
    with LoopbackLLM("ok", "ANSWER: Shakira\nShakira received the Video Vanguard Award in 2023 [2].") as server:
        server.replies = ["Who got the award at the 2023 VMAs?"]
        got = ask(library(server), "And who got the award the year before?", history=HISTORY)
    assert got.question == "And who got the award the year before?"
    assert got.standalone_question == "Who got the award at the 2023 VMAs?"
    assert got.short == "Shakira"
    assert "<conversation>" in server.requests[0]["messages"][1]["content"]
    assert "conversation" not in server.requests[1]["messages"][1]["content"]


def test_a_bad_rewrite_falls_back_to_rules() -> None:
    with LoopbackLLM("ok", GOOD) as server:
        server.replies = ["Did Rihanna host?"]
        got = ask(library(server), "And who hosted it?", history=HISTORY)
    assert got.standalone_question == "by rules: And who hosted it?"


def test_rewriting_can_be_turned_off() -> None:
    with LoopbackLLM("ok", GOOD) as server:
        got = ask(library(server), "And who hosted it in 2024?", history=HISTORY, rewrite=False)
    assert len(server.requests) == 1
    assert got.standalone_question == "And who hosted it in 2024?"


def test_a_dead_server_is_not_waited_for_twice() -> None:
    with LoopbackLLM("500") as server:
        got = ask(library(server), "And who hosted it?", history=HISTORY)
    assert len(server.requests) == 1
    assert got.engine == "reader"
    assert len(got.notes) == 1


def test_without_hits_no_model_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "search", lambda library, query, **_: [])
    monkeypatch.setattr(
        chain, "read_answer", lambda q, hits, *, library: Answer(q.asked, q.text, "Nothing.", abstained=True)
    )
    with LoopbackLLM("ok", GOOD) as server:
        assert ask(library(server), "What is the capital of France?").abstained
    assert server.requests == []


def test_a_missing_key_is_a_note_and_a_wrong_setting_an_error() -> None:
    got = ask(FakeLibrary(Config(llm="openai:gpt-4o")), ASKED)  # type: ignore[arg-type]
    assert got.engine == "reader"
    assert "OPENAI_API_KEY is not set" in got.notes[0]
    with pytest.raises(ConfigError):
        ask(FakeLibrary(Config(llm="openai-like:tiny")), ASKED)  # type: ignore[arg-type]


@pytest.mark.parametrize(("question", "says"), [("", "empty"), (" \n ", "empty"), ("x" * 2001, "at most 2000")])
def test_questions_that_cannot_be_asked(question: str, says: str) -> None:
    with pytest.raises(RecapError, match=says):
        ask(library(), question)


def test_the_chain_imports_nothing_heavy() -> None:
    code = (
        "import sys, rag.answer.chain; "
        "print([m for m in ('llama_index', 'chromadb', 'openvino', 'torch', 'gradio') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert out.stdout.strip() == "[]", out.stderr
