"""A conversation as Markdown, with its sources: what a person takes along. Pure.

What it does not know: where the file goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ui import render
from ui.history import Talk, restated
from ui.strings import EN, Strings

_ACTIVE = re.compile(r"([\\`*_\[\]<>#|~])")


def markdown(talk: Talk, s: Strings = EN) -> str:
    """Return the conversation as Markdown: each question, its answer, and under it every source with its quotes."""
    parts = [f"# {plain(talk['title'] or s.title)}", *(_turn(t, s) for t in talk["turns"] if t["state"] != "streaming")]
    return "\n\n".join(parts) + "\n"


def file_name(talk: Talk) -> str:
    """Name the file after the conversation: "recap-who-hosted-the-2024-vmas.md"."""
    words = re.sub(r"[^a-z0-9]+", "-", talk["title"].lower()).strip("-")[:60].strip("-")
    return f"recap-{words or 'conversation'}.md"


def plain(value: object) -> str:
    """Write any text on one line so that Markdown reads nothing into it."""
    return _ACTIVE.sub(r"\\\1", " ".join(str(value).split()))


def _turn(t: Mapping[str, Any], s: Strings) -> str:
    parts = [f"## {plain(t['question'])}"]
    if restated(t):
        parts.append(f"{s.standalone}: {plain(t['standalone'])}")
    if t["scope"]:
        parts.append(s.scoped.format(scope=plain(t["scope"])))
    if t["state"] == "failed":
        parts.append(f"**{s.failed}.** {plain(t['error'])}")
    # an answer is text with [n] and lines that begin with a dash; nothing in it is to become a link, an image or markup
    parts.append("\n".join(_answer_line(line) for line in t["text"].splitlines()))
    if t["state"] == "stopped":
        parts.append(f"*{s.stopped}*")
    parts += [f"*{plain(n)}*" for n in t["notes"]]
    if t["citations"]:
        parts.append(f"**{s.sources}** ({render.independent(t['citations'], s)})\n\n{_sources(t, s)}")
    if t["engine"]:
        parts.append(f"{s.engine}: {plain(render.engine(t['engine'], s))}")
    return "\n\n".join(p for p in parts if p)


def _answer_line(line: str) -> str:
    dash, words = re.match(r"(\s*[-*•]\s+)?(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
    return ("- " if dash else "") + re.sub(r"\\\[(\d{1,3})\\\]", r"[\1]", plain(words))


def _sources(t: Mapping[str, Any], s: Strings) -> str:
    groups: dict[int, list[Mapping[str, Any]]] = {}
    for c in t["citations"]:
        groups.setdefault(c["marker"], []).append(c)
    lines = []
    for n, cited in sorted(groups.items()):
        c = cited[0]
        title = plain(c["title"] or s.no_title)
        url = render.safe_url(c["url"])
        name = f"[{title}](<{url}>)" if url else title
        about = ", ".join(plain(p) for p in (c["outlet"], render.dated(c, s)) if p)
        lines.append(f"{n}. {name}, {about}")
        seen = set()
        for each in cited:
            if (each["start"], each["end"]) not in seen:
                seen.add((each["start"], each["end"]))
                lines.append(f"   > {plain(each['quote'])} ({render.verdict(each, s) or s.supported})")
    return "\n".join(lines)
