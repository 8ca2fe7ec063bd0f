"""Many people who ask at the same moment: the real page, and a language model that takes its time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torture import Row
from tests.torture.people import DEEDS, deed, made_library

PEOPLE = 120
USERS = 100
STREAM_S = 1.0
FIRST_TOKEN_S = 10.0  # p95


@dataclass(frozen=True)
class _Given:
    page: Any  # eval.soak.Page


@contextmanager
def _around(folder: Path) -> Iterator[_Given]:
    from eval.soak import Visitor, serving
    from tests.loopback_llm import LoopbackLLM

    library = made_library(folder, PEOPLE)
    with LoopbackLLM("ok", _reply, over_s=STREAM_S) as llm:
        settings = {"RECAP_LLM": "openai-like:tiny", "RECAP_LLM_BASE_URL": llm.base_url}
        with serving(library, **settings) as page:
            with Visitor(page.url) as first:
                first.ask("Who was there?")  # the models load
            yield _Given(page)
            said = page.log.read_text(encoding="utf-8")
            assert "Traceback" not in said, said


def _reply(body: dict[str, Any]) -> str:
    """Answer as a model would that reads its passages: with sentences of theirs, and the number where each stands."""
    from tests.loopback_llm import source_of

    asked = str(body["messages"][-1]["content"]).rpartition("<question>")[2]
    for person in range(PEOPLE):
        deeds = [deed(person, kind) for kind in range(len(DEEDS))]
        for d in deeds:
            if d.question in asked and (n := source_of(body, d.sentence)):
                more = (each.sentence for each in deeds if each is not d and source_of(body, each.sentence) == n)
                said = [d.sentence, *more][:2]
                return f"ANSWER: {d.mark}\n" + " ".join(f"{sentence[:-1]} [{n}]." for sentence in said)
    return "NOT_IN_SOURCES: other people"


def _case(n: int, given: _Given, folder: Path) -> dict[str, float]:
    from eval.metrics import percentile
    from eval.soak import Drawn, Visitor

    deeds = [deed((user + 17 * n) % PEOPLE, (user + n) % len(DEEDS)) for user in range(USERS)]
    shown: dict[int, Drawn] = {}
    errors: list[str] = []
    ready = threading.Barrier(USERS)

    def ask(user: int) -> None:
        try:
            with Visitor(given.page.url) as visitor:
                ready.wait()
                shown[user] = visitor.ask(deeds[user].question)
        except Exception as e:
            ready.abort()
            errors.append(f"{type(e).__name__}: {e}")

    before = _cpu_s(given.page.pid)
    threads = [threading.Thread(target=ask, args=(user,)) for user in range(USERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, f"{len(errors)} of {USERS} were not answered: {sorted(set(errors))[:3]}"
    for user, drawn in shown.items():
        assert not drawn.trouble, f"user {user}: {drawn.trouble}"
        own = deeds[user].mark
        others = [d.mark for d in deeds if d.mark != own and d.mark in drawn.answer]
        assert not others, f"user {user} got another's answer: {drawn.answer!r} has {others}"
        assert own in drawn.answer, f"user {user} did not get {own}, but {drawn.answer!r} {drawn.notes}"
        assert drawn.first_s is not None
    first = [drawn.first_s for drawn in shown.values() if drawn.first_s is not None]
    whole = [drawn.whole_s for drawn in shown.values()]
    p95 = percentile(first, 95) or 0.0
    cpu = (_cpu_s(given.page.pid) - before) / USERS
    assert p95 <= FIRST_TOKEN_S, f"the first words came after {p95:.1f} s for 5 of 100 users ({cpu:.2f} s of CPU each)"
    return {
        "p50 first token s": percentile(first, 50) or 0.0,
        "p95 first token s": p95,
        "p95 whole s": percentile(whole, 95) or 0.0,
        "server CPU s a user": cpu,
    }


def _cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used, with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


ROW = Row(
    name="users",
    fault=f"{USERS} chat users ask at the same moment, over a stream of {STREAM_S:.0f} s",
    required=f"0 errors, 0 cross-talk, p95 to the first token <= {FIRST_TOKEN_S:.0f} s",
    quick=0,  # the library alone takes as long as many other rows
    full=3,
    case=_case,
    around=_around,
    limit_s=120,
)
