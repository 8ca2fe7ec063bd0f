"""Everything of ours that reads what strangers wrote, fed what is nearly right: specimens with bytes flipped, spans
repeated, deleted and spliced, JSON of other types, numbers without end, halves of characters, marks that turn a line
around, brackets that nest for ever, and now and then a megabyte.

Case n asks parser n % len(PARSERS) with inputs made from seed n. A `RecapError` is an answer; anything else that is
raised is a fault, as is an answer that takes longer than `allowed`.
"""

from __future__ import annotations

import io
import json
import logging
import os
import random
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

from tests.torture import Row

INPUTS = 200  # of a case of the whole row
FEW = 20  # of a case of the first round, which `make test` runs
BIG = 20  # one input in so many is pumped up, to 100 kB and more
SECONDS = 2.0  # of processor time for an input of up to 100 kB
A_MB = 15.0  # and so many more for every megabyte
IMPORTS = 60.0  # and so many more for the first slow input of a case, which has loaded what it needs: it is asked twice


class TooSlow(BaseException):
    """A block took longer than it may. No `Exception`: what catches those must not catch this."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """End a block after so many seconds of this process's own time. Raises: TooSlow."""

    def stop(_: int, __: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def allowed(size: int) -> float:
    """Return the seconds that an input of `size` characters or bytes may take: linear, so that nothing quadratic passes."""
    return SECONDS + A_MB * max(0, size - 100_000) / 1e6


# --- making bad inputs ------------------------------------------------------------------------------------------------

NASTY = (
    "\ud800", "\udfff\ud800", "\0", "\x1b[31m", "\x85", "\u2028", "\u2029", "\ufeff", "\ufffe", "\u202e", "\u2066", "\u200f", "\u200d",
    "\u0301" * 40, "\U000e0041", "İ", "ŉ", "ß", "ﬁ", "²", "٣", "１２", "𝟚", "½", "Ⅷ", "e" + "\u0300" * 3, "\r", "\r\n", "\v", "\x1c", "\xa0",
    "1e999", "-1e-999", "NaN", "Infinity", "-0", "9" * 400, "0" * 100 + "1", "99999-99-99", "2023-02-30", "0000-00-00", "10000-01-01",
    "'", '"', "`", "\\", "\\u", "\\ud83d", "%", "%00", "%ff", "{", "}", "[", "]", "[" * 300, "{" * 300, '{"a":' * 200, "<", ">", "</", "<!--",
    "&#x110000;", "&#0;", "&amp;amp;", "&", "://", "@", "#", "?", "..", "../", "//", ":", ";", ",", "|", "~", "^", "$", "*", "+", "=", "!", "=cmd",
    "[1]", "[999]", "[1-9]", "[[1]]", "【1†x】", "(source 1)", "ANSWER:", "NOT_IN_SOURCES", "\n\n\n", " " * 200, "\t" * 50, "- - -", "...", "…",
    "__proto__", "None", "null", "true", "${x}", "{0}", "{question}", "%s", "日本語", "العربية", "👩‍👩‍👧‍👦", "Photo: ", " / Getty Images", "1. ", "By A and B",
    "January", "May 5", "5/6/7", "next Friday", "the 2024", "Awards", "Mr.", "U.S.", "St.", "’s", "“", "”",
)  # fmt: skip


def spoil(text: str, rng: random.Random, others: tuple[str, ...], *, big: bool = False) -> str:
    """Return the text with one to eight things wrong; `big`: pumped up to between 100 kB and a megabyte."""
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        a, b = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        b = min(b, a + rng.choice((1, 3, 20, 200, len(text))))
        span = text[a:b]
        match rng.randrange(9):
            case 0:
                text = text[:a] + text[b:]
            case 1:
                text = text[:a] + span * rng.choice((2, 5, 30)) + text[b:]
            case 2 | 3:
                text = text[:a] + rng.choice(NASTY) + text[a:]
            case 4:
                other = rng.choice(others)
                at = rng.randrange(len(other) + 1)
                text = text[:a] + other[at : at + rng.choice((5, 50, 500))] + text[b:]
            case 5:
                text = text[:a] + "".join(chr(min(0x10FFFF, ord(c) ^ (1 << rng.randrange(8)))) for c in span) + text[b:]
            case 6:
                text = text[:a] + rng.choice((str.upper, str.lower, str.swapcase, str.title))(span) + text[b:]
            case 7:
                text = text[:a] + "".join(rng.sample(span, len(span))) + text[b:]
            case 8:
                text = text[:a] + " ".join(rng.choice(NASTY) for _ in range(5)) + text[b:]
        text = text[:50_000]
    if big:
        size = rng.choice((100_000, 200_000, 1_000_000))
        a, b = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        b = min(b, a + rng.choice((1, 1, 2, 7, 60, 1000)))
        pump = text[a:b] or rng.choice(NASTY)
        text = text[:a] + pump * (size // len(pump)) + text[b:]
    return text


VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(10**400), 10**400, 0.5, 1e308, float("nan"), float("inf"), "", " ", "0", "x", "\ud800", "\0", "2024-05-05", "9999-12-31", "0001-01-01",
    "9" * 5000, [], [[]], [None], ["x"], [["x"]], {}, {"": None}, [{}], {"role": "user", "content": "x"}, "up", "done", "a" * 3000, "\u202e",
)  # fmt: skip


def warped(value: Any, rng: random.Random) -> Any:
    """Return the value with one to four of its parts of another type, gone, doubled or renamed."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 2, 4))):
        holder = {"": value}
        places: list[tuple[Any, Any]] = []

        def walk(at: Any, places: list[tuple[Any, Any]] = places) -> None:
            for k in list(at) if isinstance(at, dict) else range(len(at)):
                places.append((at, k))
                if isinstance(at[k], (dict, list)):
                    walk(at[k])

        walk(holder)
        at, k = rng.choice(places)
        match rng.randrange(6):
            case 0 if isinstance(at, dict) and at is not holder:
                at[rng.choice((k + "x", "id", "type", ""))] = at.pop(k)
            case 1 if at is not holder:
                del at[k]
            case 2 if isinstance(at, list):
                at[k:k] = [deepcopy(at[k]) for _ in range(rng.choice((1, 60)))]
            case 3 if isinstance(at[k], str):
                at[k] = spoil(at[k], rng, ("x", "2024", "a b c"))
            case 4:
                at[k] = rng.choice(([at[k]], {"x": at[k]}))
            case _:
                at[k] = deepcopy(rng.choice(VALUES))  # else a later change would put one into itself
        value = holder[""]
    return value


def as_json(value: Any, rng: random.Random, *, big: bool = False) -> str:
    """Write a warped value as JSON, often spoiled once more as text; `big`: with a part that is huge or nests for ever."""
    text = json.dumps(warped(value, rng), ensure_ascii=rng.random() < 0.5)
    if big and text:
        deep = rng.choice(
            ("[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000, '"' + "a " * 200_000 + '"', "9" * 100_000)
        )
        return re.sub(r'"[^"]*"(?=[,}\]])', lambda m: deep, text, count=1)
    return spoil(text, rng, (text, "null")) if rng.random() < 0.3 else text


def as_bytes(text: str, rng: random.Random) -> bytes:
    """Encode a text, in one way or another, and turn a bit now and then."""
    coding = rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-16-le", "cp1252", "shift_jis", "utf-7"))
    data = bytearray(
        text.encode(coding, "surrogatepass" if coding.startswith("utf-") and coding != "utf-7" else "replace")
    )
    for _ in range(rng.choice((0, 0, 1, 8)) if data else 0):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


# --- specimens, all invented ------------------------------------------------------------------------------------------

FACT = {
    "id": "host-2024", "type": "followup", "as_of": "2024-06-01", "question": "Who hosted it?", "standalone": "Who hosted the 2024 Lantern Music Awards?",
    "history": [{"role": "user", "content": "When were the awards?"}, {"role": "assistant", "content": "On May 5, 2024 [1]."}],
    "answers": [["Ines Calder", "Calder"]], "must_not": ["Jo Berg"], "evidence": [{"doc": "gallery.txt", "quote": "hosted by Ines Calder"}],
    "correction": [], "cluster": "c", "split": "dev", "pinned": True, "twin": "host-2023", "note": "n",
}  # fmt: skip
FACTS_YAML = """
- id: host-2024
  type: fact
  question: Who hosted the 2024 Lantern Music Awards?
  as_of: 2024-06-01
  answers: [Ines Calder, &a Calder]
  must_not: [*a, "Jo Berg"]
  evidence:
    - {doc: gallery.txt, quote: "hosted by Ines Calder"}
- {id: none, type: unanswerable, question: "Who won Best Boat?", twin: host-2024, pinned: true, cluster: 7}
- <<: {id: more}
  type: multi
  question: |
    Who danced?
  answers: [[Lou Marsh], [Kim Oduya, Kim]]
"""
TOML = """library = "coverage"
llm = "none"
llm_first_token_s = 3.5
llm_deadline_s = 60
top_k = 8
candidates = 50
port = 7860
host = "127.0.0.1"
read_only = true
without = ["lexical", "joining"]
events_file = "events.toml"
chunk_tokens = 200
"""
EVENTS = """[[event]]
name = "Lantern Music Awards"
short = "Lanterns"
aliases = ["the Lanterns", "LMAs"]
months = [4, 5]
first = 1990
numbered = true
on = "first Monday in May"
every = 2
anchor = 2024
held = {2020 = ["2021-03"]}
needs = ["music", "award"]
"""
HTML = """<!doctype html><html lang=en><head><meta charset=utf-8><title>Fishermen Open the Market | Example Weekly</title>
<meta property="article:published_time" content="2024-05-05T10:00:00Z"><link rel=canonical href="https://example.org/a">
<script type="application/ld+json">{"@type":"NewsArticle","headline":"Fishermen","author":{"name":"Rosa Field"},"datePublished":"2024-05-05"}</script>
</head><body><nav><a href=/>Home</a></nav><article><h1>Fishermen Open the Market</h1><p class=byline>By Rosa Field and Tom Hale</p>
<p>The new fish market opened on Monday after three years of work, and forty boats brought their catch &amp; their crews.</p>
<figure><img src=x.png alt="Ana Lima"><figcaption>Ana Lima at the quay<span class=credit>Max Stone / Getty Images</span></figcaption></figure>
<table><tr><td>Hall<td>4.2 million</tr></table><ol><li>Ana Lima sang.<li>Jo Berg danced.</ol><p>It replaces the hall of 1911.</p></article></body></html>"""
FEED = """<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>Example Weekly</title><item><title>Fishermen &amp; boats</title><link>https://example.org/1</link><guid>g1</guid><author>Rosa Field</author>
<pubDate>Sun, 05 May 2024 10:00:00 GMT</pubDate><description><![CDATA[<p>The market <b>opened</b>.</p>]]></description></item>
<item><title>Second</title><link>/2</link><content:encoded>&lt;p&gt;Text of the second piece.&lt;/p&gt;</content:encoded></item></channel></rss>"""
MARKDOWN = """---
title: "Fishermen: the market"
authors: [Rosa Field, Tom Hale]
date: 2024-05-05
tags:
  - fish
---
# Fishermen Open the *New* Market

The **new** fish [market](https://example.org/a_(b)) opened on `Monday`. ![Ana](x.png "t")

> quoted <b>text</b>
* one
1. two
"""
DATES = (
    "2024-05-05", "20240505T101500Z", "Sun, 05 May 2024 10:00:00 GMT", "May 5, 2024", "5 May 2024", "Sept. 11, 2024", "05/06/2023", "date 2023-05-11",
    "LONDON, May 5, 2024 (Reuters) -", "PORT ALDER (AP) -", "last night", "next Friday", "yesterday", "Monday", "2024-W18-7", "Published: 1st March 2023 | x",
)  # fmt: skip
QUESTIONS = (
    "Who hosted the 2024 Lantern Music Awards?", "and the year before?", "What about Jo Berg?", "who took that picture?", "for which song", "son's name?",
    "When did the fish market at Port Alder open, and what did it cost?", "what happened at last year's Lanterns", "Did Ana Lima bring her brothers?",
    "music awads 2023 who danced", "How many boats brought their catch on Monday?", "thanks",
)  # fmt: skip
REPLIES = (
    "ANSWER: Ines Calder\nInes Calder hosted the 2024 Lantern Music Awards on May 5, 2024 [1]. Jo Berg gave a prize [2, 3].\n- Kim Oduya [1]\n",
    "The new hall cost 4.2 million crowns [1][2]. It replaces the wooden hall of 1911 (source 1).\n\nSee [here](https://example.org/x) ![i](http://a.b/c.png).",
    "NOT_IN_SOURCES", "**ANSWER:** 4.2 million\n> \"It cost 4.2 million,\" said Mara Quist [1-3]【2†x】. <source n=\"1\"> The sources do not say who won.",
    "Question: Who hosted the 2024 Lantern Music Awards?", "{\"answer\": \"Ines Calder\"}", "```json\n{}\n```",
)  # fmt: skip
URLS = (
    "http://127.0.0.1/", "http://0x7f.1/", "http://017700000001/", "http://2130706433/", "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://example.org:8080/a?b=c#d",
    "https://user:pw@example.org/", "http://example.org\\@127.0.0.1/", "http://[fe80::1%25eth0]/", "http://1.1.1.1/", "http://①②⑦.0.0.1/", "http://localhost./", "https://xn--e1afmkfd.example/",
    "http://[2002:7f00:1::]/", "http://0/", "http://127.1:80/", "http://[::]/", "http://169.254.169.254/latest", "http://metadata.google.internal/", "//example.org/x", "file:///etc/passwd",
)  # fmt: skip
ACTS = (
    "passage:0123456789abcdef:0:20~1", "event:lantern-music-awards:2024~2", "person:Ana%20Lima~3", "screen:library~4", "sort:title~5", "page:2~6", "find:fish~7",
    "remove:0123456789abcdef~8", "keep:~9", "run:20240505-101500~10", "order:1~11", "edit:1~12", "unedit:1~13", "good:1~14", "bad:1~15", "replay:20240505-101500:host-2024~16",
)  # fmt: skip
CITATION = {
    "marker": 1, "article_id": "0123456789abcdef", "chunk_id": "0123456789abcdef-0", "title": "Fishermen", "quote": "hosted by Ines Calder", "start": 3, "end": 24,
    "url": "https://example.org/a", "published": "2024-05-05", "held": "2024-05-05", "outlet": "Reuters", "event": "2024 Lantern Music Awards", "verdict": "supported",
    "sentence": 0, "copies": ["a", "b"],
}  # fmt: skip
TURN = {
    "id": 1, "key": "k", "question": "Who hosted?", "chosen": "", "as_of": "2024-06-01", "standalone": "Who hosted the 2024 Lanterns?", "scope": "2024", "short": "Ines Calder",
    "text": "Ines Calder hosted [1].\n- Jo Berg [1]", "abstained": False, "engine": "reader", "confidence": 0.9, "citations": [CITATION], "also": [CITATION | {"rank": 2, "score": 0.3}],
    "notes": ["A note."], "timings": {"total": 12.5}, "truncated": False, "state": "done", "error": "", "by_time": True, "judged": "up",
}  # fmt: skip
TALK = {
    "id": "0123456789ab",
    "title": "Who hosted?",
    "when": "2024-06-01T10:00:00.000+00:00",
    "next": 3,
    "turns": [TURN, TURN | {"id": 2, "state": "failed", "error": "No."}],
}
FEEDBACK = {
    "verdict": "down", "question": "Who hosted the awards?", "reason": "wrong", "comment": "no", "right_answer": "Ines Calder", "standalone": "Who hosted the 2024 Lanterns?",
    "history": [{"role": "user", "content": "Hello?"}], "answer": "Jo Berg hosted [1].", "short": "Jo Berg", "abstained": False, "engine": "reader", "scope": "",
    "citations": [{"article_id": "0123456789abcdef", "quote": "hosted by Ines Calder", "source": "https://example.org/a", "start": 3, "end": 24, "verdict": "partial", "marker": 1}],
    "when": "2024-06-01T10:00:00+00:00", "id": "abc123",
}  # fmt: skip
SHARE = {"mean": 0.9, "low": 0.8, "high": 0.95, "n": 10, "clusters": 10}
SUMMARY = {
    "started": "2024-06-01T10:00:00+00:00", "engines": ["reader"], "n": 2, "right": {"all": SHARE, "fact": SHARE}, "answerable_right": SHARE, "unanswerable_declined": SHARE,
    "abstention": {"false_abstention": SHARE}, "wrong_edition": ["a"], "pinned": 1, "pinned_wrong": ["a"], "errors": [], "latency_ms": {"total": {"p50": 3.0, "p95": 9.0}},
    "facts": "f00", "fact_files": ["facts.jsonl"], "corpus": {"articles": 4, "hash": "abc"}, "git": "abc123",
}  # fmt: skip
RESULT = {
    "id": "host-2024", "type": "fact", "question": "Who hosted?", "as_of": "2024-06-01", "history": [{"role": "user", "content": "x"}], "gold": [["Ines Calder"]], "must_not": ["Jo"],
    "correction": [], "right": True, "reason": "", "answer": "Ines Calder hosted.", "abstained": False, "pinned": True, "cluster": "c", "scores": {"f1": 1.0},
}  # fmt: skip
PARTIAL = [
    {"made_of": {"facts": "f00", "library": "l", "configuration": "c", "code": "k", "day": "2024-06-01"}, "total": 2},
    RESULT,
]
RECORDING = [{"recorded": {"model": "m", "date": "2024-06-01"}}, {"key": "0123456789abcdef", "reply": REPLIES[0]}]
ASK_LINE = {
    "id": "q1",
    "question": QUESTIONS[0],
    "as_of": "2024-06-01",
    "history": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}],
}
ARTICLE_LINE = {
    "url": "https://example.org/a", "title": "Fishermen Open the Market", "authors": ["Rosa Field", {"name": "Tom Hale"}], "outlet": "Example Weekly", "published": "2024-05-05T10:00:00Z",
    "text": "PORT ALDER (Reuters) - The new fish market opened on Monday.\n1. Ana Lima\nMax Stone / Getty Images\n2. Jo Berg",
}  # fmt: skip


@cache
def _articles() -> tuple[str, ...]:
    from tests.conftest import ARTICLES

    return (
        *ARTICLES.values(),
        "\n".join(f"{n}. Item {n} of the list.\nAnn Lee / Getty Images" for n in range(9, 0, -1)),
    )


# --- what all cases of a process share --------------------------------------------------------------------------------


class Given:
    """A small library open for reading, its facts, and the page, each made when it is first wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open: list[Any] = []

    @property
    def library(self) -> Any:
        if not self.open:
            from rag.config import Config
            from rag.ingest.pipeline import ingest
            from rag.store.library import Library
            from tests.conftest import ARTICLES, CountingEmbedder, write_articles

            config = Config(library=self.folder / "library", llm="none", reader="rules", runs=self.folder / "runs")

            class Embedder(CountingEmbedder):  # takes halves of characters, as the real one does
                def embed(self, texts: Any) -> Any:
                    return super().embed([t.encode("utf-8", "replace").decode() for t in texts])

            with Library.open(config, create=True, embedder=Embedder()) as writer:
                ingest(writer, [str(write_articles(self.folder / "articles", ARTICLES))])
            self.open.append(Library.open(config, embedder=Embedder()))
        return self.open[0]

    @property
    def page(self) -> Any:
        if len(self.open) < 2:
            os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
            import gradio as gr

            from ui.desk import Desk
            from ui.layout import Layout
            from ui.page import Page

            desk = Desk(self.library)
            with gr.Blocks(analytics_enabled=False):
                self.open.append(Page(desk, Layout(desk)))
        return self.open[1]


@contextmanager
def around(folder: Path) -> Iterator[Given]:
    """Give what the parsers need beside their input, and close it."""
    given = Given(folder)
    try:
        yield given
    finally:
        if given.open:
            given.open[0].close()


# --- the parsers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parser:
    """One of our readers: `make(rng, big)` makes an input, `ask(input, given, folder, rng)` reads it and checks the result."""

    name: str
    make: Callable[[random.Random, bool], Any]
    ask: Callable[[Any, Given, Path, random.Random], None]


def texts(*specimens: str) -> Callable[[random.Random, bool], str]:
    """Make inputs of texts."""
    return lambda rng, big: spoil(rng.choice(specimens), rng, (*specimens, *NASTY), big=big)


def files(*specimens: str) -> Callable[[random.Random, bool], bytes]:
    """Make inputs of the bytes of files."""
    return lambda rng, big: as_bytes(texts(*specimens)(rng, big), rng)


def rows(*specimens: Any) -> Callable[[random.Random, bool], bytes]:
    """Make inputs of JSON lines, the specimens in their order, some of them bad."""

    def make(rng: random.Random, big: bool) -> bytes:
        lines = [as_json(s, rng, big=big) if rng.random() < 0.6 else json.dumps(s) for s in specimens]
        return ("\n".join(lines) + rng.choice(("", "\n", "\r\n"))).encode(
            "utf-8", "surrogatepass" if rng.random() < 0.2 else "replace"
        )

    return make


def settings(specimen: str) -> Callable[[random.Random, bool], bytes]:
    """Make inputs of a TOML file, sound as such, with values of other types and unknown keys; or spoiled as text."""
    values = (
        "0", "-1", "1e400", "inf", "nan", "9" * 400, "true", '""', "'x'", "[]", "[[]]", "{}", '["a", 1]', "2024-05-05", "10:00:00", '"\\u202e"', '"~nobody/x"',
        '"' + "a" * 3000 + '"', "[" * 90 + "]" * 90, "{a = {b = 1}}", '"(((("', '"first Monday in"', '"99th Foo in May"', "[13]", "[-1, 0]", "{2020 = [1]}", '{x = ["y"]}',
    )  # fmt: skip

    def make(rng: random.Random, big: bool) -> bytes:
        if big or rng.random() < 0.25:
            return files(specimen)(rng, big)
        lines = specimen.split("\n")
        for _ in range(rng.choice((1, 1, 2, 4))):
            n = rng.randrange(len(lines))
            key, equals, _value = lines[n].partition(" = ")
            lines[n] = (
                f"{key} = {rng.choice(values)}"
                if equals
                else rng.choice((lines[n], "", "[table]", "[[event]]", "unknown = 1"))
            )
        return "\n".join(lines).encode()

    return make


def one_json(specimen: Any) -> Callable[[random.Random, bool], str]:
    """Make inputs of one JSON value."""
    return lambda rng, big: as_json(specimen, rng, big=big)


def _file(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def plain_toml(data: bytes, given: Given, folder: Path, rng: random.Random) -> None:
    from rag.config import Config

    config = Config.load({}, toml=_file(folder, "recap.toml", data))
    assert isinstance(config.port, int)
    assert isinstance(config.top_k, int)


def environment(text: str, given: Given, folder: Path, rng: random.Random) -> None:
    from dataclasses import fields

    from rag.config import Config

    text = text.replace("\0", "")
    for f in rng.sample(fields(Config), 3):
        Config.load({f"RECAP_{f.name.upper()}": text}, toml=folder / "none.toml")


def events_file(data: bytes, given: Given, folder: Path, rng: random.Random) -> None:
    from rag.ingest.events import find_mentions, load_names, resolve_article, resolve_question

    names = load_names(_file(folder, f"events-{rng.randrange(10**9)}.toml", data))
    from datetime import date

    for text in _articles()[:2]:
        resolve_article("The 2024 Lantern Music Awards", text, published=date(2024, 5, 6), names=names)
        find_mentions(text, names)
    resolve_question(QUESTIONS[0], as_of=date(2024, 6, 1), names=names)


def facts(ending: str) -> Callable[[bytes, Given, Path, random.Random], None]:
    def ask(data: bytes, given: Given, folder: Path, rng: random.Random) -> None:
        from eval.facts import check_facts, check_suite, read_facts

        found, problems = read_facts([_file(folder, f"facts{ending}", data)])
        articles = given.library.articles()
        problems += check_facts(found, articles, chunks=given.library.chunks) + check_suite(found)
        for p in problems:
            str(p).encode("utf-8", "backslashreplace")
        for f in found:
            assert f.id
            assert f.question
            assert not f.answerable or f.gold

    return ask


def batch_line(data: bytes, given: Given, folder: Path, rng: random.Random) -> None:
    from rag.__main__ import _asked, _row, _say_json, hits_json

    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            asked = _asked(_row(line, number), number, as_of=None)
            asked.check(given.library)
            question(asked.question, given, folder, rng, history=asked.history, as_of=asked.as_of)
            with redirect_stdout(io.StringIO()) as said:
                _say_json(hits_json(asked.question, [], id=asked.id))
            json.loads(said.getvalue())


def question(
    text: str, given: Given, folder: Path, rng: random.Random, *, history: Any = None, as_of: Any = None
) -> None:
    """Ask as the chain does: checked, understood in its conversation, searched, and answered by the reader."""
    from rag.answer.chain import ask
    from rag.types import Turn

    if history is None:
        history = (
            (Turn("user", rng.choice(QUESTIONS)), Turn("assistant", rng.choice(REPLIES))) if rng.random() < 0.7 else ()
        )
        if rng.random() < 0.3:
            history = (*history, Turn("user", text), Turn("assistant", text[:3000]))
    answer = ask(given.library, text, history=history, as_of=as_of)
    assert answer.done
    assert answer.text
    for c in answer.citations:
        article = given.library.article(c.article_id)
        assert article is not None
        assert article.text[c.start : c.end] == c.quote
    answer.text.encode()
    answer.standalone_question.encode("utf-8", "surrogatepass")


def articles_jsonl(data: bytes, given: Given, folder: Path, rng: random.Random) -> None:
    from rag.ingest.read import Raw, read

    for found in read([str(_file(folder, "articles.jsonl", data))]):
        if isinstance(found, Raw):
            _sound(found, given, rng)
        else:
            assert found.reason.endswith("."), found.reason
            assert found.reason.isprintable(), repr(found.reason)


class _Here:
    """The reading child's work, done in this process."""

    def parse(self, kind: str, data: bytes, **hints: Any) -> Any:
        from rag.errors import ReadError
        from rag.ingest import parse

        try:
            return parse.PARSERS[kind](data, **hints)
        except (parse.Unreadable, RecursionError) as e:
            raise ReadError(str(e)) from e


def document(ending: str) -> Callable[[bytes, Given, Path, random.Random], None]:
    """Read a document as ingest does, but in this process: the one that is ended after 30 s has a row of its own."""

    def ask(data: bytes, given: Given, folder: Path, rng: random.Random) -> None:
        from rag.ingest.read import Raw, _document

        found = _document(data, f"a{ending}", "file:///a", "a", sandbox=_Here())  # type: ignore[arg-type]
        assert isinstance(found, Raw)
        _sound(found, given, rng)

    return ask


def _sound(raw: Any, given: Given, rng: random.Random) -> None:
    """Take what was read all the way to what is stored, and check it."""
    from datetime import date

    from rag.ingest.dedupe import bands, is_copy, key_facts
    from rag.ingest.events import load_names, resolve_article
    from rag.ingest.pipeline import _own

    stored = _own(raw)
    article = stored.article
    article.text.encode()
    for words in (stored.own_title or "", *article.authors, article.outlet or ""):
        words.encode()
        assert "\n" not in words, repr(words)
    assert not set(article.text) & {"\0", "\x1b", "\u202e", "\r"}
    events = resolve_article(stored.own_title or "", article.text, published=article.published, names=load_names(None))
    json.dumps([e.name for e in events]).encode()
    bands(article.text)
    key_facts(article.text)
    if len(article.text) < 100_000:
        is_copy(article.text, _articles()[0])
    chunked(article.text, given, Path(), rng)
    assert article.published is None or isinstance(article.published, date)


def chunked(text: str, given: Given, folder: Path, rng: random.Random) -> None:
    """Cut a text, which may be anything that UTF-8 can hold, and check that nothing is lost and nothing too large."""
    from rag.ingest.chunk import chunk, embedder_tokenize
    from rag.ingest.clean import blocks
    from rag.store.embed import MAX_TOKENS
    from rag.types import Article

    text = text.encode("utf-8", "replace").decode()
    budget = rng.choice((1, 12, 40, 250, 10_000))
    overlap = rng.choice((None, 0, 5, 1000))
    title = rng.choice(("", "A title", text[:2000], text.split("\n")[0]))
    at = 0
    for b in blocks(text, title=title):
        assert at <= b.start < b.end <= len(text)
        assert not text[at : b.start].strip()
        at = b.end
    assert not text[at:].strip()
    tokenize = embedder_tokenize()
    chunks = chunk(Article(id="a", source="s", title=title, text=text), chunk_tokens=budget, overlap=overlap)
    most = max(12, min(budget, MAX_TOKENS - 2))
    assert len({c.id for c in chunks}) == len(chunks)
    reach, before = 0, -1
    for c in chunks:
        assert text[c.start : c.end] == c.text
        assert c.text.strip()
        assert c.start > before or c.start >= reach  # in order, and none stands still
        assert not text[reach : c.start].strip(), "text between two chunks"
        assert len(c.text) <= 12 * most, (len(c.text), most)
        reach, before = max(reach, c.end), c.start
    assert not text[reach:].strip(), "text after the last chunk"
    for c in rng.sample(chunks, min(len(chunks), 10)):
        assert len(tokenize(c.text)) <= most, (len(tokenize(c.text)), most)


def dates(text: str, given: Given, folder: Path, rng: random.Random) -> None:
    from datetime import date

    from rag.__main__ import _day
    from rag.errors import ConfigError
    from rag.ingest.clean import clean, parse_date
    from rag.ingest.events import event_date, nth_weekday, resolve_relative
    from rag.ingest.parse import day, line, people, web_url

    found = day(text)
    assert found is None or date.fromisoformat(found).year >= 1600
    for each in (
        parse_date(text),
        resolve_relative(text, published=date(2024, 5, 5)),
        event_date(text, edition=None, published=date(2024, 5, 5)),
    ):
        assert each is None or isinstance(each, date)
    assert all(0 < len(name) <= 100 for name in people(text))
    assert len(line(text) or "x") <= 300
    assert (web_url(text) or "http").lower().startswith("http")
    with suppress(ConfigError):
        _day(text)
    nth_weekday(text, 2024)
    clean(f"{text}\n\nThe new market opened on Monday.\n\nBy {text}\n{text} The end.")


def names_and_events(text: str, given: Given, folder: Path, rng: random.Random) -> None:
    from datetime import date

    from rag.ingest.events import find_mentions, load_names, resolve_article, resolve_question
    from rag.ingest.names import find_names

    names = load_names(None)
    for n in find_names(text):
        assert text[n.start : n.end] == n.text
        assert n.text.strip()
    for asked in (False, True):
        last = 0
        for m in find_mentions(text, names, asked=asked, day=date(2024, 5, 5)):
            assert last <= m.start < m.end <= len(text)
            last = m.end
    events = resolve_article(
        text[:200],
        text,
        published=rng.choice((None, date(2024, 5, 5), date(1600, 1, 1), date(2200, 12, 31))),
        names=names,
    )
    assert len({e.key for e in events}) == len(events)
    resolve_question(text, as_of=date(2024, 5, 5), names=names)


def reply(text: str, given: Given, folder: Path, rng: random.Random) -> None:
    """Take a language model's reply apart, in pieces as in one, check its sentences, and read it as a rewritten question."""
    from rag.answer.chain import _Reply
    from rag.answer.cite import check_sentence, read_sources, render
    from rag.answer.prompt import parse_rewrite
    from rag.retrieve.query import understand
    from rag.retrieve.search import search
    from rag.types import Turn

    hits = search(given.library, understand(QUESTIONS[0], library=given.library), top_k=3)
    sources = read_sources(hits)
    whole, parts = _Reply(), _Reply()
    sentences = [*whole.feed(text), *whole.end()]
    if len(text) < 20_000:  # the same however it comes
        cut = sorted(rng.randrange(len(text) + 1) for _ in range(12))
        pieces = [text[a:b] for a, b in zip([0, *cut], [*cut, len(text)], strict=True)]
        streamed = [s for p in pieces for s in parts.feed(p)] + parts.end()
        if len(text) < 2000:
            assert (streamed, parts.short, parts.declined) == (sentences, whole.short, whole.declined), pieces
    checked = [check_sentence(s, sources=sources, break_before=gap) for s, gap in sentences[:60]]
    said, citations = render([c for c in checked if c.keep])[:2]
    assert not re.search(r"https?://|!\[|<", said), said
    for c in citations:
        article = given.library.article(c.article_id)
        assert article.text[c.start : c.end] == c.quote
    assert whole.short is None or 0 < len(whole.short) <= 200
    parse_rewrite(text, question=QUESTIONS[0], history=(Turn("user", "Hi"), Turn("assistant", text[:500])))


def recording(data: bytes, given: Given, folder: Path, rng: random.Random) -> None:
    from rag.answer.prompt import Message
    from rag.answer.replay import load_replay, prompt_key

    replay = load_replay(_file(folder, "replay.jsonl", data))
    asked = (Message("user", "x"),)
    replay.replies |= {prompt_key(asked): next(iter(replay.replies.values()), "x")}
    assert "".join(replay.stream(asked, deadline=0)) == replay.replies[prompt_key(asked)]


def talk(text: str, given: Given, folder: Path, rng: random.Random) -> None:
    """Take a conversation in from a browser, draw it, hand it out as a file, and give it to the browser again."""
    from ui import export, history, render
    from ui.layout import new_notes, new_seat
    from ui.page import _json
    from ui.strings import EN

    told = _json(text)
    found = history.restored(told)
    if found is not None:
        assert history.restored(json.loads(history.record(found, whole=True))) == found
        for t in found["turns"]:
            render.turn(t).encode()
        export.markdown(found).encode()
        assert re.fullmatch(r"recap-[a-z0-9-]+\.md", export.file_name(found))
        history.turns(found)
        history.fork(found, found["turns"][0]["id"])
    render.talks(
        history.restored_list([told, *(told.get("turns") or [])] if isinstance(told.get("turns"), list) else told), ""
    ).encode()
    kept = json.dumps({"talk": told, "talks": [told], "lang": "de"})
    shown = given.page.resumed(kept, history.new(), new_notes(), new_seat())
    back = shown[given.page.x.talk]
    given.page.listed(kept, back, new_notes(), new_seat())
    given.page.exported(back, new_notes(), new_seat())
    if back["turns"]:
        given.page.evidence(f"{back['turns'][0]['id']}-0.1", back, new_notes(), new_seat())
        given.page.desk.judge(back, back["turns"][-1]["id"], {"verdict": "down", "reason": "wrong"}, EN)


def acts(text: str, given: Given, folder: Path, rng: random.Random) -> None:
    """Click a button whose value is anything. The page does not raise, and does not log that it did not expect this."""
    import gradio as gr
    from starlette.requests import Request

    from ui import history
    from ui.layout import new_notes, new_seat
    from ui.page import read_act
    from ui.strings import EN

    held = given.library.articles()[0].id
    text = text.replace("0123456789abcdef", held)
    verb, given_to_it = read_act(text)
    assert isinstance(verb, str)
    assert all(isinstance(g, str) for g in given_to_it)
    t = history.restored(TALK) or history.new()
    seat = new_seat()
    asked_by = Request({"type": "http", "client": ("127.0.0.1", 1), "headers": [], "path": "/", "query_string": b""})
    visitor = gr.Request(asked_by, session_hash="s")
    for value in (
        text,
        f"{rng.choice(ACTS).split(':')[0]}:{text}~1",
        f"passage:{held}:{quote(text[:9], errors='ignore')}:9~2",
    ):
        if read_act(value)[0] == "remove!":
            continue
        shown = given.page.act(value, t, new_notes(), seat, visitor)
        given.page.show("explore", shown.get(given.page.x.seat, seat))
    given.page.evidence(text, t, new_notes(), seat)
    given.page.evidence(f"1-{text}", t, new_notes(), seat)
    given.page.search(text, seat)
    given.page.desk.scope(text, EN)


def feedback(data: bytes, given: Given, folder: Path, rng: random.Random) -> None:
    from rag.feedback import FILE, as_json, drafts, of_turn, read_counted, remove, write_facts

    _file(folder, FILE, data)
    found, skipped = read_counted(folder)
    assert len(found) + skipped <= data.count(b"\n") + 1
    for f in found:
        json.dumps(as_json(f), ensure_ascii=False).encode()
    made = drafts(found, given.library, include_up=True)
    out = folder / "facts.jsonl"
    assert write_facts(out, made) == len({d["id"] for d in made})
    assert write_facts(out, made) == 0
    if found:
        assert remove(folder, found[0].id)
        assert len(read_counted(folder)[0]) == len(found) - 1
    try:
        row = json.loads(data.split(b"\n")[0])
    except (ValueError, RecursionError):
        return
    if isinstance(row, dict):
        of_turn(row, verdict="up")


def eval_run(data: tuple[str, bytes, bytes], given: Given, folder: Path, rng: random.Random) -> None:
    """Show an evaluation run in the page, and read it in the terminal to compare it with a sound one."""
    from ui import runs, runs_view
    from ui.strings import EN

    summary, results, partial = data
    _file(folder / "runs" / "20240601-100000", "summary.json", summary.encode("utf-8", "surrogatepass"))
    _file(folder / "runs" / "20240601-100000", "run.jsonl", results)
    _file(folder / "runs" / "20240501-100000", "summary.json", json.dumps(SUMMARY).encode())
    _file(folder / "runs" / "20240501-100000", "run.jsonl", json.dumps(RESULT).encode())
    runs_view.overview(runs.read_runs(folder / "runs"), EN).encode()
    for name in ("20240601-100000", "20240501-100000"):
        opened = runs.open_run(folder / "runs", name)
        if opened:
            runs_view.run(*opened, EN).encode()
        runs.result(folder / "runs", name, "host-2024")

    from eval.resume import PARTIAL as KEPT
    from eval.resume import Kept, unfinished

    _file(folder / "kept", KEPT, partial)
    unfinished(folder / "kept")
    with Kept(folder / "kept", {"facts": "f00"}, total=2) as kept:
        kept.add({"id": "x"})
    assert unfinished(folder / "kept") is not None

    from eval import interchange, report
    from eval.compare import compare, markdown

    sound = report.load(folder / "runs" / "20240501-100000")
    strange = report.load(folder / "runs" / "20240601-100000")
    interchange.read(folder / "runs" / "20240601-100000")
    markdown(compare(sound.results, strange.results))


def _run_files(rng: random.Random, big: bool) -> tuple[str, bytes, bytes]:
    return (
        as_json(SUMMARY, rng, big=big) if rng.random() < 0.6 else json.dumps(SUMMARY),
        rows(RESULT, RESULT | {"id": "b", "right": False})(rng, big),
        rows(*PARTIAL)(rng, big) if rng.random() < 0.7 else "".join(json.dumps(r) + "\n" for r in PARTIAL).encode(),
    )


def address(text: str, given: Given, folder: Path, rng: random.Random) -> None:
    """Fetch an address where every name leads inside: no connection may be tried but to a public number."""
    from rag.errors import ReadError
    from rag.ingest.fetch import fetch, ip_address, is_public, literal
    from rag.ingest.read import _absolute, _site

    found = literal(text)
    assert found is None or str(found)
    tried: list[str] = []

    def connect(address: str, port: int, seconds: float) -> Any:
        tried.append(address)
        raise OSError("nobody is there")

    def resolve(host: str, port: int, seconds: float) -> list[str]:
        host.encode("idna")  # as the system's resolver does
        return [rng.choice(("127.0.0.1", "10.0.0.1", "::1", "fe80::1%eth0", "169.254.169.254", "::ffff:7f00:1"))]

    for place in (text, _absolute("http://example.org/feed", text)):
        said = ""
        try:
            fetch(place, allow_private=False, resolve=resolve, connect=connect)
        except ReadError as e:
            said = str(e)
        assert said, f"{place!r} was fetched"
        assert said.isprintable(), repr(said)
    assert all(is_public(ip_address(a)) for a in tried), (text, tried)
    with suppress(ValueError):
        _site("http://" + re.sub(r"[^a-z0-9.:-]", "", text))

    from ui.adding import web_address
    from ui.strings import EN

    shown, why = web_address(text, EN)
    assert why or shown


def feed(data: bytes, given: Given, folder: Path, rng: random.Random) -> None:
    from rag.errors import BlockedURL, ReadError
    from rag.ingest.fetch import Page
    from rag.ingest.read import Raw, _read_feed

    def get(url: str) -> Page:
        raise rng.choice((ReadError, BlockedURL))("It is gone.")

    page = Page("https://example.org/feed", "feed", data)
    for found in _read_feed(page, get=get, sandbox=_Here(), seen=set(), clock=lambda: 0.0):  # type: ignore[arg-type]
        if isinstance(found, Raw):
            assert found.text
            _sound(found, given, rng)
        else:
            assert found.reason.isprintable(), repr(found.reason)


PARSERS = (
    Parser("recap.toml", settings(TOML), plain_toml),
    Parser(
        "RECAP_ settings",
        texts("openai:gpt", "7860", "1", "lexical,dense", "~/x", "0.5", "127.0.0.1", "user:password"),
        environment,
    ),
    Parser("events.toml", settings(EVENTS), events_file),
    Parser("facts.jsonl", rows(FACT, FACT | {"id": "host-2023", "type": "fact", "history": []}), facts(".jsonl")),
    Parser("facts.yaml", files(FACTS_YAML), facts(".yaml")),
    Parser("ask --batch", rows(ASK_LINE), batch_line),
    Parser("question", texts(*QUESTIONS), question),
    Parser("articles.jsonl", rows(ARTICLE_LINE, ARTICLE_LINE | {"url": None}), articles_jsonl),
    Parser("article.txt", lambda rng, big: files(*_articles())(rng, big), document(".txt")),
    Parser("article.md", files(MARKDOWN), document(".md")),
    Parser("article.html", files(HTML), document(".html")),
    Parser("feed", files(FEED), feed),
    Parser("dates", texts(*DATES), dates),
    Parser("names and events", lambda rng, big: texts(*_articles(), *QUESTIONS)(rng, big), names_and_events),
    Parser("chunks", lambda rng, big: texts(*_articles(), "日本語の文章。" * 40, "x" * 900)(rng, big), chunked),
    Parser("reply", texts(*REPLIES), reply),
    Parser("recording", rows(*RECORDING), recording),
    Parser("conversation", one_json(TALK), talk),
    Parser("act", texts(*ACTS), acts),
    Parser("feedback.jsonl", rows(FEEDBACK, FEEDBACK | {"id": "def", "verdict": "up"}), feedback),
    Parser("eval run", _run_files, eval_run),
    Parser("address", texts(*URLS), address),
)


class _Unexpected(logging.Handler):
    """Keeps what the page logs about an exception that it did not expect; it shows the visitor a sentence."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.said.append(f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}")


def case(n: int, given: Given, folder: Path) -> dict[str, float]:
    """Feed parser n % len(PARSERS) with inputs from seed n: a few in the first round, which `make test` runs."""
    import time

    parser = PARSERS[n % len(PARSERS)]
    rng = random.Random(n)
    inputs = FEW if n < len(PARSERS) else INPUTS
    refused, slowest, cold = 0, 0.0, True
    heard = _Unexpected()
    page_log = logging.getLogger("recap.ui")
    page_log.addHandler(heard)
    before = page_log.propagate
    page_log.propagate = False
    try:
        for i in range(inputs):
            made = parser.make(rng, i % BIG == BIG - 1)
            size = sum(map(len, made)) if isinstance(made, tuple) else len(made)
            seed = rng.randrange(2**32)
            own, limit = folder / str(i), allowed(size)
            began = time.process_time()
            try:
                said = _asked(parser, made, given, own, seed, limit + IMPORTS * cold)
                # Modules are imported and the library is made for the first input that gets so far, seldom input 0 where
                # most are refused. What is slow once more was not slow for that.
                if time.process_time() - began > limit:
                    began, cold = time.process_time(), False
                    said = _asked(parser, made, given, folder / f"{i}-again", seed, limit)
            except TooSlow:
                raise AssertionError(
                    f"{parser.name} {i}: more than {limit:.1f} s for {size} of {_shown(made)}"
                ) from None
            except AssertionError as e:
                raise AssertionError(f"{parser.name} {i}: {e} {_shown(made)}") from e
            except Exception as e:
                where = e.__traceback__
                while where is not None and where.tb_next is not None:
                    where = where.tb_next
                place = f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}" if where else ""
                raise AssertionError(
                    f"{parser.name} {i}: {type(e).__name__} at {place}: {str(e)[:200]} {_shown(made)}"
                ) from e
            refused += said is not None
            assert said is None or _sentence(said), f"{parser.name} {i}: {said!r} is no sentence"
            assert not heard.said, f"{parser.name} {i}: the page did not expect {heard.said[0][:200]} {_shown(made)}"
            slowest = max(slowest, (time.process_time() - began) / limit)
    finally:
        page_log.propagate = before
        page_log.removeHandler(heard)
    return {"inputs": inputs, "refused": refused, "slowest (share of its time)": round(slowest, 3)}


def _asked(parser: Parser, made: Any, given: Given, folder: Path, seed: int, seconds: float) -> str | None:
    """Return how the input was refused, None when it was taken. Raises: TooSlow, and what no parser may raise."""
    from rag.errors import RecapError

    folder.mkdir()
    try:
        with at_most(seconds):
            parser.ask(made, given, folder, random.Random(seed))
    except RecapError as e:
        return str(e)
    return None


def _sentence(text: str) -> bool:
    """Tell whether an error is a sentence, or several, each on its line."""
    return bool(text.strip()) and "Traceback" not in text and text.rstrip()[-1] in ".!?\"')…"


def _shown(made: Any) -> str:
    text = repr(made)
    return text if len(text) <= 300 else f"{text[:150]} ... {text[-100:]}"


ROW = Row(
    "parsers",
    "what strangers wrote, spoiled: settings, facts, questions, articles, dates, replies, conversations, runs, addresses, feeds",
    "a RecapError or a clean result with its offsets right, in 2 s (and 15 s more a MB)",
    quick=len(PARSERS),
    full=5 * len(PARSERS),
    case=case,
    around=around,
    limit_s=300.0,
)
