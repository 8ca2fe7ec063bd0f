"""A language model's server that misbehaves: 13 ways to fail, each met on five ways into Recap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.torture import Row

KEY = "sk-torture-0123456789abcdef"
TOTAL_S = 60.0  # within which there is an answer, whatever the server does
# as tests/loopback_llm.FAILURES, in an order that puts different kinds first
MODES = (
    "html", "silent", "eof", "no_choices", "empty", "401", "drip", "drop", "garbage", "429", "500", "404", "too_long",
)  # fmt: skip
# question, the bare answer, a sentence that the coverage backs, the start of another
ASKED = (
    ("Who hosted the 2024 Lantern Music Awards?", "Ines Calder", "The 2024 Lantern Music Awards were hosted by Ines Calder", "At the 2024 Lantern Music Aw"),
    ("Who won Song of the Year at the 2024 Lantern Music Awards?", "Ana Lima", "Ana Lima won Song of the Year at the 2024 Lantern Music Awards", "She thanked her two br"),
    ("Who hosted the 2023 Lantern Music Awards?", "Bruno Salt", "The 2023 Lantern Music Awards were hosted by Bruno Salt", "They took pl"),
    ("Who won Best Director at the 2024 Tidewater Film Awards?", "Gil Ansel", "Gil Ansel won Best Director for “The Salt Road” at the 2024 Tidewater Film Awards", "It was dedic"),
    ("Who performed \"Lighthouse\" at the 2024 Tidewater Film Awards?", "Edda Lorn", "Edda Lorn performed “Lighthouse” with a choir of forty children", "It was rain"),
)  # fmt: skip
ECHOES = (
    "nginx",
    "doctype",
    "not json",
    "no, and your key",
    "maximum context length",
    "Traceback",
    "[DONE]",
    "choices",
)


@dataclass(frozen=True)
class _Given:
    library: Path
    embedder: Any
    llm: Any  # of the page
    page: Any


@dataclass(frozen=True)
class _Said:
    """What a person got, by whichever way."""

    text: str
    engine: str
    notes: tuple[str, ...]
    truncated: bool
    everything: str  # all that was shown or written
    took_s: float


@contextmanager
def _around(folder: Path) -> Iterator[_Given]:
    from eval.soak import Visitor, serving
    from rag.store.embed import load_embedder
    from tests.loopback_llm import FAILURES, LoopbackLLM
    from tests.small_coverage import small_library

    assert sorted(MODES) == sorted(FAILURES)
    with small_library(folder) as library:
        embedder = load_embedder(library.config)
    with LoopbackLLM("ok", _good) as llm:
        env = {
            "RECAP_LLM": "openai-like:tiny", "RECAP_LLM_BASE_URL": llm.base_url, "RECAP_LLM_API_KEY": KEY,
            "RECAP_LLM_FIRST_TOKEN_S": "4", "RECAP_LLM_DEADLINE_S": "5",
        }  # fmt: skip
        with serving(folder / "library", **env) as page:
            with Visitor(page.url) as first:
                shown = first.ask(ASKED[0][0])
            assert ASKED[0][1] in shown.answer, shown
            assert "openai-like:tiny" in shown.markup, shown
            yield _Given(folder / "library", embedder, llm, page)


def _good(body: dict[str, Any]) -> str:
    """Answer rightly, from the passage that says so."""
    return _words(body, cut=False)


def _words(body: dict[str, Any], *, cut: bool) -> str:
    from tests.loopback_llm import source_of

    asked = str(body["messages"][-1]["content"])
    _, short, sentence, half = next(a for a in ASKED if a[0] in asked or a[1] in asked.rpartition("<question>")[2])
    n = source_of(body, short) or 1
    return f"ANSWER: {short}\n{sentence} [{n}]. {half}" if cut else f"ANSWER: {short}\n{sentence} [{n}]."


def _case(n: int, given: _Given, folder: Path) -> dict[str, float]:
    mode, way = _CASES[n]
    asked = ASKED[(n + way) % len(ASKED)]
    # where a refusal cannot follow the first words, it comes as an event with an error in it
    partly = way in (1, 3) and (n % 2 == 0 or way == 1)
    said = (_by_ask, _by_stream, _by_command, _by_page, _by_follow_up)[way](given, mode, asked, partly=partly)
    _judge(said, asked, mode, partly=partly, way=way)
    return {"longest s": said.took_s} if mode in ("silent", "drip") else {}


def _judge(said: _Said, asked: tuple[str, str, str, str], mode: str, *, partly: bool, way: int) -> None:
    """Hold what was said against what must be: said plainly, in time, without the key."""
    assert KEY[:14] not in said.everything, f"{mode}: the key was shown"
    for echo in ECHOES:
        assert echo not in said.everything, (
            f"{mode}: {echo!r} of the server reached the person: {said.text!r} {said.notes}"
        )
    assert said.took_s <= TOTAL_S, f"{mode}: the answer took {said.took_s:.0f} s"
    _, short, sentence, half = asked
    assert said.notes, f"{mode}: nothing says that the language model failed: {said.text!r}"
    if partly:
        assert (said.truncated, said.engine == "reader") == (True, False), (
            f"{mode}: half an answer is not marked: {said}"
        )
        assert said.notes[0].endswith("; what it had said until then is shown."), said.notes
        assert sentence in said.text, f"{mode}: {said.text!r}"
        assert half not in said.text, f"{mode}: {said.text!r}"
    else:
        assert said.engine == "reader" or way == 4, f"{mode}: {said.engine} is named for {said.text!r}"
        assert not said.truncated, f"{mode}: a whole answer is marked as cut off"
        end = "the reader answered instead" if said.engine == "reader" else "the follow-up was put into words by rules"
        assert any(note.endswith(f"; {end}.") for note in said.notes), said.notes
    assert short in said.text, f"{mode}: {said.text!r} does not say {short}"


# --- the ways in ------------------------------------------------------------------------------------------------------


@contextmanager
def _library(given: _Given, **settings: Any) -> Iterator[Any]:
    """Open the library with a model, whose key stands in the environment."""
    from rag.answer.llm import forget
    from rag.config import Config
    from rag.store.library import Library

    forget()
    with (
        patch.dict(os.environ, {"RECAP_LLM_API_KEY": KEY, "OPENAI_API_KEY": KEY}),
        Library.open(Config(library=given.library, **settings), embedder=given.embedder) as library,
    ):
        yield library
    forget()


@contextmanager
def _server(mode: str, asked: tuple[str, str, str, str], *, partly: bool) -> Iterator[Any]:
    """A server that fails at once, or after a whole sentence and half of another."""
    from tests.loopback_llm import LoopbackLLM

    _, short, sentence, half = asked
    with LoopbackLLM(mode, half) as llm:
        if partly:
            llm.after = f"ANSWER: {short}\n{sentence} [1]. {half}"
        yield llm


def _told(answer: Any, everything: Any, took_s: float) -> _Said:
    return _Said(answer.text, answer.engine, answer.notes, answer.truncated, repr(everything), took_s)


def _by_ask(given: _Given, mode: str, asked: tuple[str, str, str, str], *, partly: bool) -> _Said:
    """`ask`, by OpenAI's own provider; what ends a silence is the total deadline, not the one of the first words."""
    from rag.answer.chain import ask

    deadline_s = 1.0 + 0.5 * ASKED.index(asked)
    slow = mode in ("silent", "drip")
    with _server(mode, asked, partly=partly) as llm:
        settings = {"llm_deadline_s": deadline_s if slow else TOTAL_S, "llm_first_token_s": TOTAL_S}
        with _library(given, llm="openai:gpt-4o-mini", llm_base_url=llm.base_url, **settings) as library:
            began = time.monotonic()
            answer = ask(library, asked[0])
            took_s = time.monotonic() - began
        if slow:
            _ended_by(deadline_s, answer.notes[0], took_s, llm)
        assert set(llm.keys) == {KEY}, "the server was not asked with the key"
    return _told(answer, answer, took_s)


def _by_stream(given: _Given, mode: str, asked: tuple[str, str, str, str], *, partly: bool) -> _Said:
    """`ask_stream`, failing after some words; a silence lasts until the total deadline as it ships."""
    from rag.answer.chain import ask_stream
    from rag.config import Config

    assert Config().llm_deadline_s == TOTAL_S
    deadline_s = TOTAL_S if mode == "silent" else 4.0 if mode == "drip" else TOTAL_S
    with (
        _server(mode, asked, partly=partly) as llm,
        _library(given, llm="openai-like:tiny", llm_base_url=llm.base_url, llm_deadline_s=deadline_s) as library,
    ):
        began = time.monotonic()
        snapshots = list(ask_stream(library, asked[0]))
        took_s = time.monotonic() - began
        if mode in ("silent", "drip"):
            _ended_by(deadline_s, snapshots[-1].notes[0], took_s, llm)
    assert [s.done for s in snapshots] == [False] * (len(snapshots) - 1) + [True], "the last snapshot alone is done"
    return _told(snapshots[-1], snapshots, took_s)


def _ended_by(deadline_s: float, note: str, took_s: float, llm: Any) -> None:
    """Hold that the total deadline ended a reply: nothing before it did, and the server saw its client go."""
    kept = deadline_s - min(1.0, deadline_s / 10)  # a little is kept for the reader
    assert took_s >= kept - 0.05, f"it was given up after {took_s:.1f} s of {deadline_s:.0f}"
    assert " within " in note, note
    assert llm.hung_up.wait(10), "the request was left open"


def _by_command(given: _Given, mode: str, asked: tuple[str, str, str, str], *, partly: bool) -> _Said:
    """`recap ask --json`, the model found by `auto`."""
    with _server(mode, asked, partly=partly) as llm:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("RECAP_", "OPENAI"))} | {
            "RECAP_LLM": "auto", "RECAP_LLM_BASE_URL": llm.base_url, "RECAP_LLM_API_KEY": KEY,
            "RECAP_LLM_FIRST_TOKEN_S": "3", "RECAP_LLM_DEADLINE_S": "5",
        }  # fmt: skip
        if "RECAP_CACHE" in os.environ:
            env["RECAP_CACHE"] = os.environ["RECAP_CACHE"]
        command = [sys.executable, "-m", "rag", "ask", "--library", str(given.library), "--json", asked[0]]
        began = time.monotonic()
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=TOTAL_S)
        took_s = time.monotonic() - began
    assert done.returncode == 0, f"it ended with {done.returncode}: {done.stderr}"
    answer = json.loads(done.stdout)
    notes = tuple(answer["notes"])
    return _Said(answer["answer"], answer["engine"], notes, answer["truncated"], done.stdout + done.stderr, took_s)


def _by_page(given: _Given, mode: str, asked: tuple[str, str, str, str], *, partly: bool) -> _Said:
    """The page over HTTP: its server has answered before, and its model's server goes bad meanwhile."""
    from eval.soak import Visitor

    _, short, sentence, half = asked
    given.llm.mode, given.llm.text = mode, half
    given.llm.after = f"ANSWER: {short}\n{sentence} [1]. {half}" if partly else ""
    try:
        with Visitor(given.page.url) as visitor:
            shown = visitor.ask(asked[0])
    finally:
        given.llm.mode, given.llm.text, given.llm.after = "ok", _good, ""
    assert not shown.trouble, f"{mode}: {shown.trouble}"
    log = given.page.log.read_text(encoding="utf-8")
    engine = "openai-like:tiny" if "openai-like:tiny" in shown.markup.rpartition('class="by"')[2] else "reader"
    truncated = any("what it had said until then is shown" in each for each in shown.notes)
    return _Said(shown.answer, engine, tuple(shown.notes), truncated, shown.markup + log, shown.whole_s)


def _by_follow_up(given: _Given, mode: str, asked: tuple[str, str, str, str], *, partly: bool) -> _Said:
    """A follow-up whose rewriting fails; the answer that comes after it fails too in every second mode."""
    from rag.answer.chain import ask_stream
    from rag.types import Turn

    question, short, _, _ = asked
    again = MODES.index(mode) % 2 == 0
    history = (Turn("user", question), Turn("assistant", f"{short} [1]."))
    with _server(mode if again else "ok", asked, partly=False) as llm:
        llm.modes = [mode]
        if not again:
            llm.text = _good
        with _library(
            given, llm="openai-like:tiny", llm_base_url=llm.base_url, llm_first_token_s=3.0, llm_deadline_s=9.0
        ) as library:
            began = time.monotonic()
            snapshots = list(ask_stream(library, f"And again: {question}", history=history))
            took_s = time.monotonic() - began
    assert llm.requests, "the model was not asked to put the follow-up into words"
    return _told(snapshots[-1], snapshots, took_s)


_QUICK = (("html", 0), ("eof", 1), ("silent", 3), ("no_choices", 4))  # the command takes seconds to start
_CASES = (*_QUICK, *(pair for way in range(5) for mode in MODES if (pair := (mode, way)) not in _QUICK))

ROW = Row(
    name="llm",
    fault="the language model's server fails: 13 modes, by ask, stream, command, page and follow-up",
    required=f"said, or the reader answers and says so; within {TOTAL_S:.0f} s; half an answer is marked; no key shown",
    quick=4,
    full=len(_CASES),
    case=_case,
    around=_around,
    limit_s=120,
)
