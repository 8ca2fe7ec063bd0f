"""A conversation as Markdown, with its sources: what a person takes along. Pure.

What it does not know: where the file goes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from rag.answer.sentences import literal
from ui import render
from ui.history import Talk, restated
from ui.strings import EN, Strings


def markdown(talk: Talk, s: Strings = EN) -> str:
    """Return the conversation as Markdown: each question, its answer, and under it every source with its quotes."""
    parts = [
        f"# {literal(talk['title'] or s.title)}",
        *(_turn(t, s) for t in talk["turns"] if t["state"] != "streaming"),
    ]
    return "\n\n".join(parts) + "\n"


def file_name(talk: Talk) -> str:
    """Name the file after the conversation: "recap-who-hosted-the-2024-vmas.md"."""
    words = re.sub(r"[^a-z0-9]+", "-", talk["title"].lower()).strip("-")[:60].strip("-")
    return f"recap-{words or 'conversation'}.md"


def _turn(t: Mapping[str, Any], s: Strings) -> str:
    parts = [f"## {literal(t['question'])}"]
    if restated(t):
        parts.append(f"{s.standalone}: {literal(t['standalone'])}")
    if t["scope"]:
        parts.append(s.scoped.format(scope=literal(t["scope"])))
    if t["state"] == "failed":
        parts.append(f"**{s.failed}.** {literal(t['error'])}")
    cited = {str(c["marker"]) for c in t["citations"]}
    # an answer is text with [n] and lines that begin with a dash; nothing in it is to become a link, an image or markup
    parts.append("\n".join(_answer_line(line, cited) for line in t["text"].splitlines()))
    if t["state"] == "stopped":
        parts.append(f"*{s.stopped}*")
    parts += [f"*{literal(n)}*" for n in t["notes"]]
    if t["citations"]:
        parts.append(f"**{s.sources}** ({render.independent(t['citations'], s)})\n\n{_sources(t, s)}")
    if t["engine"]:
        parts.append(f"{s.engine}: {literal(render.engine(t['engine'], s))}")
    return "\n\n".join(p for p in parts if p)


def _answer_line(line: str, cited: Collection[str]) -> str:
    """Write a line of an answer, with the markers of its citations: unless they would be a link or name its target."""
    dash, words = re.match(r"(\s*[-*•]\s+)?(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]

    def marker(match: re.Match[str]) -> str:
        follows = match.string[match.end() : match.end() + 1]
        active = follows == "(" or (follows == ":" and match.start() == 0)
        return f"[{match[1]}]" if match[1] in cited and not active else match.group()

    return ("- " if dash else "") + re.sub(r"(?<!!)\\\[(\d{1,3})\\\]", marker, literal(words))


def _sources(t: Mapping[str, Any], s: Strings) -> str:
    groups: dict[int, list[Mapping[str, Any]]] = {}
    for c in t["citations"]:
        groups.setdefault(c["marker"], []).append(c)
    lines = []
    for n, cited in sorted(groups.items()):
        c = cited[0]
        title = literal(c["title"] or s.no_title)
        url = render.safe_url(c["url"])
        name = f"[{title}](<{url}>)" if url else title
        about = ", ".join(literal(p) for p in (c["outlet"], render.dated(c, s)) if p)
        lines.append(f"{n}. {name}, {about}")
        seen = set()
        for each in cited:
            if (each["start"], each["end"]) not in seen:
                seen.add((each["start"], each["end"]))
                lines.append(f"   > {literal(each['quote'])} ({render.verdict(each, s) or s.supported})")
    return "\n".join(lines)
