"""A conversation as plain data: what one session keeps, and what a click needs to find its evidence again.

Everything here is JSON: dicts, lists, strings and numbers, so that a conversation can live in a `gr.State`, in a
browser or in an export. The functions return new conversations and never change the one they were given.

What it does not know: markup, Gradio, the library.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import accumulate, islice
from typing import Any

from rag.types import Answer, Citation, Hit, Turn

Talk = dict[str, Any]  # {"id": str, "title": str, "when": str, "next": int, "turns": [turn, ...]}
TURNS_KEPT = 50  # older ones leave the page: a conversation does not grow without end
TALKS_LISTED = 100
ALSO_KEPT = 12  # passages that were found and not cited, of one answer
_TITLE = 80  # characters of the first question that name a conversation
_LONG, _MANY = 20_000, 60  # characters of a text, entries of a list that come back from a browser
_TIMES = 20  # of an answer's timings
_HEAVY = 1_000_000  # bytes of a conversation that comes back: fifty honest turns are half of it at most


def new() -> Talk:
    """Return an empty conversation; it is named when it begins."""
    return {"id": "", "title": "", "when": "", "next": 1, "turns": []}


def begin(
    talk: Talk, question: str, *, scope: str = "", chosen: str = "", as_of: str = "", name: str = "", when: str = ""
) -> Talk:
    """Add a turn that waits for its answer; `scope` says in words what was searched ("" = everything).

    `chosen` is the same as the list of scopes has it, `as_of` the day it is asked on ("" = today); both to ask it again.
    `name` is the id that a new conversation takes and a mark of the turn, `when` the time of the question (ISO, UTC).
    """
    turn = {
        "id": talk["next"],
        "key": name,  # tells two tabs' turns of one number apart
        "question": question,
        "chosen": chosen,
        "as_of": as_of,
        "standalone": question,
        "scope": scope,
        "text": "",
        "short": None,
        "abstained": False,
        "engine": "",
        "confidence": None,
        "citations": [],
        "also": [],
        "notes": [],
        "timings": {},
        "truncated": False,
        "state": "streaming",  # then done, stopped or failed
        "error": "",
        "by_time": False,  # its sources in time order
        "judged": "",  # what the person said of it: up or down
    }
    turns = [*talk["turns"], turn][-TURNS_KEPT:]
    return talk | {
        "id": talk["id"] or name,
        "title": talk["title"] or question[:_TITLE],
        "when": when or talk["when"],
        "next": talk["next"] + 1,
        "turns": turns,
    }


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
        confidence=answer.confidence,
        citations=[cite(c) for c in answer.citations],
        also=[found(h) for h in answer.sources if h.chunk.id not in cited][:ALSO_KEPT],
        notes=list(answer.notes),
        timings=dict(answer.timings_ms),
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
    return talk | {"turns": talk["turns"][:-1]}


def fork(talk: Talk, turn_id: int) -> Talk:
    """Return the conversation as it stood before a turn, to ask that turn anew.

    The last turn is simply taken back. Before an earlier one a new conversation begins, and the old one stays as it is:
    nothing that was answered is lost.
    """
    before = [t for t in talk["turns"] if t["id"] < turn_id]
    if talk["turns"] and talk["turns"][-1]["id"] == turn_id:
        return drop(talk)
    return talk | {"id": "", "title": before[0]["question"][:_TITLE] if before else "", "turns": before}


def change(talk: Talk, turn_id: int, **changes: Any) -> Talk:
    """Change what is kept of one turn."""
    return talk | {"turns": [t | changes if t["id"] == turn_id else t for t in talk["turns"]]}


def entry(talk: Talk) -> dict[str, Any]:
    """Return what the list of conversations shows of this one."""
    return {k: talk[k] for k in ("id", "title", "when")}


def listed(talks: list[dict[str, Any]], talk: Talk) -> list[dict[str, Any]]:
    """Return the list of conversations with this one in it as it is now, the latest first."""
    others = [t for t in talks if t["id"] != talk["id"]]
    return sorted([entry(talk), *others], key=lambda t: str(t["when"]), reverse=True)[:TALKS_LISTED]


def record(talk: Talk, *, whole: bool = False) -> str:
    """Return what the browser keeps of a conversation, as JSON: the turns that it has, and the last one (or all)."""
    turns = talk["turns"] if whole else talk["turns"][-1:]
    ids = [t["id"] for t in talk["turns"]]
    return json.dumps(entry(talk) | {"next": talk["next"], "ids": ids, "turns": turns}, ensure_ascii=False)


def restored(data: Any) -> Talk | None:
    """Read a conversation that comes back from a browser; None when it is none.

    A browser may send anything, so every field is brought to its type and a bounded size. Quotes are checked against the
    article once more when they are opened.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("turns"), list):
        return None
    name = str(data.get("id", ""))
    turns = _latest([t for t in map(_restored_turn, data["turns"][-TURNS_KEPT:]) if t], _HEAVY)
    if not re.fullmatch(r"[0-9a-f]{12}", name) or not turns:
        return None
    turns.sort(key=lambda t: t["id"])
    following = max(_whole(data.get("next")), turns[-1]["id"] + 1)
    talk = {"id": name, "title": _words(data.get("title"), _TITLE), "when": _words(data.get("when"), 40)}
    return talk | {"next": following, "turns": turns}


def restored_list(data: Any) -> list[dict[str, Any]]:
    """Read a list of conversations that comes back from a browser."""
    found = []
    for t in data[:TALKS_LISTED] if isinstance(data, list) else []:
        if isinstance(t, Mapping) and re.fullmatch(r"[0-9a-f]{12}", str(t.get("id", ""))):
            found.append(
                {"id": str(t["id"]), "title": _words(t.get("title"), _TITLE), "when": _words(t.get("when"), 40)}
            )
    return sorted(found, key=lambda t: t["when"], reverse=True)


def _latest(turns: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Return the last of the turns, as many as have room in `most` bytes together."""
    sizes = accumulate(len(json.dumps(t, ensure_ascii=False).encode()) for t in reversed(turns))
    return turns[len(turns) - sum(size <= most for size in sizes) :]


def _restored_turn(data: Any) -> dict[str, Any] | None:
    if not isinstance(data, Mapping) or _whole(data.get("id")) < 1 or not isinstance(data.get("question"), str):
        return None
    fresh = begin(new() | {"next": _whole(data["id"])}, _words(data["question"]))["turns"][0]
    state = data.get("state")
    for k in ("standalone", "scope", "text", "engine", "error", "chosen", "key"):
        fresh[k] = _words(data.get(k))
    fresh["as_of"] = _day(_words(data.get("as_of"))) or ""
    confidence = data.get("confidence")
    timings = data.get("timings")
    notes = data.get("notes")
    return fresh | {
        "short": _words(data["short"]) if isinstance(data.get("short"), str) else None,
        "confidence": _number(confidence) if confidence is not None else None,
        "timings": _restored_times(timings) if isinstance(timings, Mapping) else {},
        "notes": [_words(n) for n in notes[:_MANY]] if isinstance(notes, list) else [],
        "citations": _restored_sources(data.get("citations"), cited=True),
        "also": _restored_sources(data.get("also"), cited=False),
        "abstained": data.get("abstained") is True,
        "truncated": data.get("truncated") is True,
        "by_time": data.get("by_time") is True,
        "judged": data["judged"] if data.get("judged") in ("up", "down") else "",
        # it was answering when the page went away: what had come by then is what there is
        "state": state if state in ("done", "stopped", "failed") else "stopped",
    }


def _restored_times(data: Mapping[Any, Any]) -> dict[str, float]:
    return {_words(str(k), 20): _number(v) for k, v in islice(data.items(), _TIMES)}


def _restored_sources(data: Any, *, cited: bool) -> list[dict[str, Any]]:
    out = []
    for c in data[:_MANY] if isinstance(data, list) else []:
        if not isinstance(c, Mapping):
            continue
        each: dict[str, Any] = {k: _words(c.get(k)) for k in ("article_id", "chunk_id", "title")}
        each |= {
            k: _words(c[k]) if isinstance(c.get(k), str) else None for k in ("outlet", "published", "held", "event")
        }
        each |= {k: _day(each[k]) for k in ("published", "held")}
        each |= {k: _whole(c.get(k)) for k in ("start", "end")}
        if cited:
            each |= {k: _words(c.get(k)) for k in ("quote", "url")} | {
                k: _whole(c.get(k)) for k in ("marker", "sentence")
            }
            known = c.get("verdict") in ("supported", "partial", "unsupported")
            each["verdict"] = c["verdict"] if known else "unsupported"
            copies = c.get("copies")
            each["copies"] = [_words(x, 64) for x in copies[:_MANY]] if isinstance(copies, list) else []
        else:
            each |= {"rank": _whole(c.get("rank")), "score": _number(c.get("score"))}
        out.append(each)
    return out


def _words(value: Any, most: int = _LONG) -> str:
    return whole_text(value[:most]) if isinstance(value, str) else ""


def whole_text(value: str) -> str:
    """Return text without the halves of characters that a browser can send and UTF-8 cannot hold."""
    return value.encode("utf-8", "replace").decode("utf-8")


def _day(value: str | None) -> str | None:
    try:
        return date.fromisoformat(value or "").isoformat()
    except ValueError:
        return None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else 0


def _number(value: Any) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
    return float(value) if good else 0.0


def running(talk: Talk) -> bool:
    """Tell whether the last turn still grows."""
    return bool(talk["turns"]) and talk["turns"][-1]["state"] == "streaming"


def rewritten(talk: Talk) -> bool:
    """Tell whether the last question was answered in other words than it was asked in."""
    last = talk["turns"][-1] if talk["turns"] and not running(talk) else None
    return last is not None and restated(last)


def restated(turn: Mapping[str, Any]) -> bool:
    """Tell whether a turn's question was understood in other words than it was asked in."""
    return bool(turn["standalone"].strip()) and not same(turn["question"], turn["standalone"])


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


def said_before(said: Sequence[Turn]) -> Talk:
    """Return a conversation in which this was said, to go on from it."""
    talk = new()
    for turn in said:
        if turn.role == "user":
            talk = begin(talk, turn.content)
        elif talk["turns"]:
            talk = _last(talk, text=turn.content, state="done")
    return stop(talk) if talk["turns"] else talk


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
        "event": a.event.label if a.event else None,
        "held": a.event.start.isoformat() if a.event and a.event.start else None,
        "rank": h.rank,
        "score": h.score,
        "start": h.chunk.start,
        "end": h.chunk.end,
    }


def _last(talk: Talk, **changes: Any) -> Talk:
    *before, turn = talk["turns"]
    return talk | {"turns": [*before, turn | changes]}
