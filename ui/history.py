"""A conversation as plain data: what one session keeps, and what a click needs to find its evidence again.

Everything here is JSON: dicts, lists, strings and numbers, so that a conversation can live in a `gr.State`, in a
browser or in an export. The functions return new conversations and never change the one they were given.

What it does not know: markup, Gradio, the library.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from rag.types import Answer, Citation, Hit, Turn

Talk = dict[str, Any]  # {"next": int, "turns": [turn, ...]}
TURNS_KEPT = 50  # older ones leave the page: a conversation does not grow without end


def new() -> Talk:
    """Return an empty conversation."""
    return {"next": 1, "turns": []}


def begin(talk: Talk, question: str, *, scope: str = "") -> Talk:
    """Add a turn that waits for its answer; `scope` says in words what was searched ("" = everything)."""
    turn = {
        "id": talk["next"],
        "question": question,
        "standalone": question,
        "scope": scope,
        "text": "",
        "short": None,
        "abstained": False,
        "engine": "",
        "citations": [],
        "also": [],
        "notes": [],
        "ms": None,
        "truncated": False,
        "state": "streaming",  # then done, stopped or failed
        "error": "",
    }
    return {"next": talk["next"] + 1, "turns": [*talk["turns"], turn][-TURNS_KEPT:]}


def grow(talk: Talk, answer: Answer) -> Talk:
    """Put a snapshot of the answer into the last turn."""
    cited = {c.chunk_id for c in answer.citations}
    return _last(
        talk,
        standalone=answer.standalone_question,
        text=answer.text,
        short=answer.short,
        abstained=answer.abstained,
        engine=answer.engine,
        citations=[cite(c) for c in answer.citations],
        also=[found(h) for h in answer.sources if h.chunk.id not in cited],
        notes=list(answer.notes),
        ms=answer.timings_ms.get("total"),
        truncated=answer.truncated,
        state="done" if answer.done else "streaming",
    )


def fail(talk: Talk, sentence: str) -> Talk:
    """Say in the last turn, in a sentence, why there is no answer."""
    return _last(talk, state="failed", error=sentence)


def stop(talk: Talk) -> Talk:
    """Mark the last turn as stopped, if it was still growing."""
    return _last(talk, state="stopped") if running(talk) else talk


def drop(talk: Talk) -> Talk:
    """Take the last turn back, to ask it again."""
    return {"next": talk["next"], "turns": talk["turns"][:-1]}


def running(talk: Talk) -> bool:
    """Tell whether the last turn still grows."""
    return bool(talk["turns"]) and talk["turns"][-1]["state"] == "streaming"


def rewritten(talk: Talk) -> bool:
    """Tell whether the last question was answered in other words than it was asked in."""
    last = talk["turns"][-1] if talk["turns"] and not running(talk) else None
    return last is not None and bool(last["standalone"].strip()) and not same(last["question"], last["standalone"])


def same(a: str, b: str) -> bool:
    """Tell whether two questions differ in case, spaces and the mark at their end alone."""
    return _bare(a) == _bare(b)


def _bare(question: str) -> str:
    return " ".join(question.split()).casefold().rstrip("?!. ")


def turns(talk: Talk) -> tuple[Turn, ...]:
    """Return what was said before the last turn, oldest first, as the engine reads it."""
    said: list[Turn] = []
    for turn in talk["turns"][:-1]:
        if turn["state"] in ("done", "stopped") and turn["text"]:
            said += [Turn("user", turn["question"]), Turn("assistant", turn["text"])]
    return tuple(said)


def find(talk: Talk, turn_id: int, index: int) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return (turn, citation) for the `index`-th citation of a turn, None if this conversation has no such thing."""
    for turn in talk["turns"]:
        if turn["id"] == turn_id and 0 <= index < len(turn["citations"]):
            return turn, turn["citations"][index]
    return None


def cite(c: Citation) -> dict[str, Any]:
    """Return a citation as plain data."""
    data = {f.name: getattr(c, f.name) for f in dataclasses.fields(c)}
    return data | {
        "published": c.published.isoformat() if c.published else None,
        "event": c.event.label if c.event else None,
        "held": c.event.start.isoformat() if c.event and c.event.start else None,
        "copies": list(c.copies),
    }


def found(h: Hit) -> dict[str, Any]:
    """Return a passage that was considered but not cited, as plain data without its text."""
    a = h.article
    return {
        "article_id": a.id,
        "chunk_id": h.chunk.id,
        "title": a.title,
        "outlet": a.outlet,
        "published": a.published.isoformat() if a.published else None,
        "start": h.chunk.start,
        "end": h.chunk.end,
    }


def _last(talk: Talk, **changes: Any) -> Talk:
    *before, turn = talk["turns"]
    return {"next": talk["next"], "turns": [*before, turn | changes]}
