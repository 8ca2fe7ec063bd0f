"""Answers, articles and coverage as markup: pure functions, data in, one line of HTML out.

Nothing that was read from outside reaches the page unescaped: `text()` is the only door. The markup is shown by
`gr.Markdown(sanitize_html=True)`, whose sanitiser drops `aria-*` and `data-*`; so a button carries its target in
`value` and its full name in `title`, and page.js turns the name into an `aria-label`. A line break would end the HTML
block for the Markdown parser, so none is ever written.

What it does not know: Gradio, the library, sessions.
"""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any
from urllib.parse import quote as percent
from urllib.parse import urlsplit

from rag.ingest.clean import is_credit
from rag.types import Article, Chunk, Event
from ui.history import restated
from ui.strings import EN, Strings

# Bidi controls and other invisible characters that could make text read differently from what it is.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
# Characters that mean something to Markdown or LaTeX: as entities they are letters to every parser on the way.
_ACTIVE = {ord(c): f"&#{ord(c)};" for c in "[]`*_$\\~|"}
_MARKER = re.compile(r"\[(\d{1,3})\]")
_MARKED = re.compile(
    # the lookbehind: spaces before a mark that is not there are tried once, not anew from each of them
    r"(?P<word>[^\s\[\]]{0,24})(?:(?<![ \t])[ \t]*)?(?P<marks>\[\d{1,3}\](?:[ \t]*\[\d{1,3}\])*)(?P<stop>[.,;:!?…\"'”’)]*)"
)
_SPACES = re.compile(r"(?:(?![\u00a0\u202f])\s)+")  # not the spaces that keep a colon on its line
SUPPORT_HIGH, SUPPORT_FAIR = 0.8, 0.5  # the reader's probability from which a label says so


def text(value: object) -> str:
    """Escape any value for the page: no markup, no Markdown, no line break, no invisible control survives."""
    plain = _INVISIBLE.sub("", _SPACES.sub(" ", str(value)))
    return html.escape(plain, quote=True).translate(_ACTIVE)


def safe_url(url: str | None) -> str | None:
    """Return `url` if it is a plain http(s) address with a host and no user part, else None."""
    if not url or re.search(r"[\s<>\"'`\\\x00-\x1f\x7f]", url) or _INVISIBLE.search(url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    return url


def live_url(url: str | None, quote: str) -> str | None:
    """Return the live page's address with a text fragment for the exact quote (long quotes: first and last words).

    Source: WICG Scroll to Text Fragment, https://wicg.github.io/scroll-to-text-fragment/ .
    """
    if not (safe := safe_url(url)):
        return None
    words = quote.split()
    if not words:
        return safe
    runs = [" ".join(words)] if len(words) <= 12 else [" ".join(words[:5]), " ".join(words[-5:])]
    fragment = ",".join(percent(run, safe="").replace("-", "%2D") for run in runs)
    return f"{safe.partition('#')[0]}#:~:text={fragment}"


def day(value: date | str | None, s: Strings = EN) -> str:
    """Write a date as a person would: "11 September 2024"; "" when there is none."""
    if not value:
        return ""
    d = date.fromisoformat(value) if isinstance(value, str) else value
    return s.date.format(day=d.day, month=s.months[d.month - 1], year=d.year)


def source_name(c: Mapping[str, Any], s: Strings = EN) -> str:
    """Name a citation: "Source 2: headline, outlet, date"."""
    parts = [c["title"] or s.no_title, c.get("outlet"), day(c["published"] or c["held"], s) or s.undated]
    return s.source_name.format(n=c["marker"], name=", ".join(p for p in parts if p))


def dated(c: Mapping[str, Any], s: Strings = EN) -> str:
    """Say when a source was published or, where the coverage does not say, when its event was held."""
    if c["published"]:
        return day(c["published"], s)
    return s.of_event.format(date=day(c["held"], s)) if c["held"] else s.undated


# --- the conversation ------------------------------------------------------------------------------------------------


def turn(data: Mapping[str, Any], s: Strings = EN) -> str:
    """Render one question with its answer: waiting, growing, done, abstained, stopped or failed."""
    state, n = data["state"], int(data["id"])
    settled = state != "streaming"
    classes = ["turn", state] + (["abstained"] if data["abstained"] and state != "failed" else [])
    change = act("edit", n, label=s.edit, name=s.edit_name.format(question=data["question"])) if settled else ""
    parts = [f'<div class="asked"><h2 class="question" dir="auto">{text(data["question"])}</h2>{change}</div>']
    if data["scope"]:
        parts.append(f'<p class="aside">{text(s.scoped.format(scope=data["scope"]))}</p>')
    if restated(data):
        understood = f'{text(s.standalone)} <q dir="auto">{text(data["standalone"])}</q>'
        parts.append(f'<p class="aside standalone">{understood}</p>')
    if state == "failed":
        why = f'<p class="tag">{text(s.failed)}</p><p>{text(data["error"])}</p>'
        parts.append(f'<div class="failure" role="alert">{why}</div>')
    if data["text"]:
        tag = f'<p class="tag">{text(s.abstained)}</p>' if data["abstained"] else ""
        parts.append(f'<div class="answer" dir="auto">{tag}{answer_text(data, s)}</div>')
    elif not settled:
        parts.append(f'<p class="waiting">{text(s.reading)}<span class="dots"></span></p>')
    if state == "stopped":
        parts.append(f'<p class="aside">{text(s.stopped)}</p>')
    if data["truncated"] and state == "done" and not data["notes"]:  # else a note says how
        parts.append(f'<p class="aside warn">{text(s.truncated)}</p>')
    if settled and (words := support(data, s)):
        parts.append(f'<p class="support {words[0]}">{text(words[1])}</p>')
    if data["notes"]:
        parts.append('<ul class="notes">' + "".join(f"<li>{text(each)}</li>" for each in data["notes"]) + "</ul>")
    if data["citations"] and settled:
        parts.append(sources(data, s))
    if data["also"] and settled:
        parts.append(also_found(data, s))
    if settled and data["engine"]:
        total = data["timings"].get("total")
        spent = f" · {text(s.seconds.format(s=_seconds(total, s)))}" if total is not None else ""
        parts.append(f'<p class="by">{text(engine(data["engine"], s))}{spent}</p>')
        parts.append(f'<div class="foot">{judged(data, s)}{how(data, s)}</div>')
    return f'<section class="{" ".join(classes)}" id="turn-{n}">{"".join(parts)}</section>'


def act(verb: str, *arguments: object, label: str, name: str = "", kind: str = "") -> str:
    """Render a button that page.js carries to the server as VERB:ARGUMENT:...; `name` is its name in full."""
    value = ":".join([verb, *(percent(str(a), safe="") for a in arguments)])
    classes = f"act {kind}".strip()
    return (
        f'<button type="button" class="{classes}" value="{text(value)}" title="{text(name or label)}">'
        f'<span dir="auto">{text(label)}</span></button>'
    )


def support(data: Mapping[str, Any], s: Strings = EN) -> tuple[str, str] | None:
    """Say in one label how far an answer is backed: (class, words); None where nothing was claimed.

    The reader's own confidence is a calibrated probability; a language model has none, so its label is what the check of
    its sentences found.
    """
    if data["state"] == "failed" or data["abstained"] or not data["citations"]:
        return None
    verdicts = {c["verdict"] for c in data["citations"]}
    if "unsupported" in verdicts:
        return "low", s.support_unbacked
    if "partial" in verdicts:
        return "fair", s.support_partly
    p = data["confidence"]
    if p is None:
        return "high", s.support_checked
    if p >= SUPPORT_HIGH:
        return "high", s.support_high
    return ("fair", s.support_fair) if p >= SUPPORT_FAIR else ("low", s.support_low)


def judged(data: Mapping[str, Any], s: Strings = EN) -> str:
    """Render the two buttons that say whether an answer is right, or what was said."""
    n = int(data["id"])
    if data["judged"]:
        return f'<p class="judged">{text(s.judged_up if data["judged"] == "up" else s.judged_down)}</p>'
    about = data["question"]
    return '<div class="judge">' + (
        act("good", n, label=s.good, name=s.good_name.format(question=about))
        + act("bad", n, label=s.bad, name=s.bad_name.format(question=about))
        + "</div>"
    )


def how(data: Mapping[str, Any], s: Strings = EN) -> str:
    """Render what stands behind an answer: the probability, the times, the passages that were ranked and their scores."""
    facts = []
    if data["confidence"] is not None:
        facts.append((s.how_confidence, s.how_chance.format(n=round(data["confidence"] * 10))))
    if data["standalone"].strip():
        facts.append((s.how_question, data["standalone"]))
    facts += [(s.how_stages.get(k, k), s.how_ms.format(n=round(ms))) for k, ms in data["timings"].items()]
    listing = "".join(f"<dt>{text(k)}</dt><dd>{text(v)}</dd>" for k, v in facts)
    rows = "".join(
        f'<tr><td>{int(h["rank"])}</td><td dir="auto">{text(h["title"] or s.no_title)}</td><td>{h["score"]:.4f}</td></tr>'
        for h in sorted(data["also"], key=lambda h: h["rank"])
    )
    heads = "".join(f'<th scope="col">{text(h)}</th>' for h in (s.how_rank, s.how_headline, s.how_score))
    table = f"<table><caption>{text(s.how_hits)}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    words = f"<dl>{listing}</dl>{table if rows else ''}<p>{text(s.how_verdicts)}</p>"
    return f'<details class="how"><summary>{text(s.how)}</summary>{words}</details>'


def turns(data: Iterable[Mapping[str, Any]], s: Strings = EN) -> str:
    """Render several turns, one under the other."""
    return "".join(turn(t, s) for t in data)


def answer_text(data: Mapping[str, Any], s: Strings = EN) -> str:
    """Render the answer's paragraphs and lists, each [n] as a button for the citation it stands for.

    The k-th [n] of a text belongs to the k-th citation with marker n. A marker without a citation is left out: a
    marker never points to a missing source.
    """
    waiting: dict[int, list[int]] = {}
    for i, c in enumerate(data["citations"]):
        waiting.setdefault(c["marker"], []).append(i)

    def take(n: int) -> int | None:
        queue = waiting.get(n)
        if not queue:
            return None
        return queue.pop(0) if len(queue) > 1 else queue[0]

    def buttons(line: str) -> str:
        out, at = [], 0
        for m in _MARKED.finditer(line):
            taken = [i for n in _MARKER.findall(m["marks"]) if (i := take(int(n))) is not None]
            marks = "".join(marker(data, i, s) for i in taken)
            worst = min(taken, key=lambda i: _WORST.index(data["citations"][i]["verdict"]), default=None)
            word = text(m["word"]) + marks + text(m["stop"])
            if worst is not None and (said := verdict(data["citations"][worst], s)):
                word += f' <span class="verdict {data["citations"][worst]["verdict"]}">{text(said)}</span>'
            # a marker never stands alone on a line: it stays with the word before it and the stop behind it
            out += [text(line[at : m.start()]), f'<span class="nb">{word}</span>' if marks else word]
            at = m.end()
        out.append(text(line[at:]))
        return "".join(out).strip()

    blocks: list[str] = []
    for para in re.split(r"\n\s*\n", data["text"].strip()):
        items: list[str] = []
        lines: list[str] = []
        for line in para.splitlines():
            if bullet := re.match(r"\s*(?:[-*•–]|\d{1,2}[.)])\s+(.*)", line):
                items.append(f"<li>{buttons(bullet[1])}</li>")
            elif items:
                items.append(f'<li class="plain">{buttons(line)}</li>')
            elif line.strip():
                lines.append(buttons(line))
        if lines:
            blocks.append(f"<p>{'<br>'.join(lines)}</p>")
        if items:
            blocks.append(f"<ul>{''.join(items)}</ul>")
    return "".join(blocks)


def marker(data: Mapping[str, Any], index: int, s: Strings = EN) -> str:
    """Render the button of one citation; its name says the source and, if it is not "supported", the verdict."""
    c = data["citations"][index]
    name = source_name(c, s)
    if word := verdict(c, s):
        name = f"{name} ({word})"
    kind = f"cite {c['verdict']}" if c["verdict"] in ("partial", "unsupported") else "cite"
    target = f"{int(data['id'])}-{index}"
    return f'<button type="button" class="{kind}" value="{target}" title="{text(name)}">{int(c["marker"])}</button>'


_WORST = ("unsupported", "partial", "supported")


def verdict(c: Mapping[str, Any], s: Strings = EN) -> str:
    """Say in a word how far the quote carries the sentence; "" when it does."""
    return {"partial": s.partial, "unsupported": s.unsupported}.get(c["verdict"], "")


def sources(data: Mapping[str, Any], s: Strings = EN) -> str:
    """List the sources that an answer cites: headline, outlet, date, and each quote as a button to its passage."""
    groups: dict[int, list[int]] = {}
    for i, c in enumerate(data["citations"]):
        groups.setdefault(c["marker"], []).append(i)
    items = []
    for n, indexes in _ordered(groups, data):
        c = data["citations"][indexes[0]]
        meta = " · ".join(text(p) for p in (c["outlet"], dated(c, s)) if p)
        quotes, seen = [], set()
        for i in indexes:
            each = data["citations"][i]
            if (each["start"], each["end"]) in seen:
                continue
            seen.add((each["start"], each["end"]))
            word = verdict(each, s) or s.supported
            badge = f' <span class="verdict {each["verdict"]}">{text(word)}</span>'
            quotes.append(
                f'<button type="button" class="quote" value="{int(data["id"])}-{i}" '
                f'title="{text(source_name(each, s))}"><span dir="auto">{text(each["quote"])}</span>{badge}</button>'
            )
        items.append(
            f'<li class="source"><span class="n">{n}</span><div><p class="headline" dir="auto">'
            f'{text(c["title"] or s.no_title)}</p><p class="meta">{meta}</p>{"".join(quotes)}</div></li>'
        )
    order = ""
    if len({_when(c) for c in (*data["citations"], *data["also"])}) > 1:
        order = act("order", int(data["id"]), label=s.order_cited if data["by_time"] else s.order_time, kind="quiet")
    head = f'<h3 class="label">{text(s.sources)} <span>{text(independent(data["citations"], s))}</span></h3>{order}'
    return f'<div class="head">{head}</div><ol class="sources">{"".join(items)}</ol>'


def _ordered(groups: Mapping[int, list[int]], data: Mapping[str, Any]) -> list[tuple[int, list[int]]]:
    """Order an answer's sources by their number, or by when they were published, the undated last."""
    if not data["by_time"]:
        return sorted(groups.items())
    return sorted(groups.items(), key=lambda g: (_when(data["citations"][g[1][0]]), g[0]))


def _when(c: Mapping[str, Any]) -> str:
    return c["published"] or c["held"] or "9999"


def independent(citations: Sequence[Mapping[str, Any]], s: Strings = EN) -> str:
    """Say how much coverage backs an answer, copies counted once: "5 articles, 2 independent"."""
    pieces: list[set[str]] = []
    for c in citations:
        piece = {c["article_id"], *c["copies"]}
        touching = [p for p in pieces if p & piece]
        pieces = [p for p in pieces if not p & piece] + [piece.union(*touching)]
    total = _count(sum(map(len, pieces)), s.article_one, s.article_many, s)
    return total if sum(map(len, pieces)) == len(pieces) else f"{total}, {s.independent.format(n=len(pieces))}"


def also_found(data: Mapping[str, Any], s: Strings = EN) -> str:
    """List the passages that were considered and not cited, in the order found or in time order."""
    found = sorted(data["also"], key=_when) if data["by_time"] else data["also"]
    rows = "".join(
        "<li>"
        + act(
            "passage", h["article_id"], h["start"], h["end"], label=h["title"] or s.no_title,
            name=", ".join(p for p in (s.also_name.format(title=h["title"] or s.no_title), h["outlet"], dated(h, s)) if p),
        )
        + f'<span class="meta">{" · ".join(text(p) for p in (h["outlet"], dated(h, s)) if p)}</span></li>'
        for h in found
    )  # fmt: skip
    title = _count(len(found), s.also_one, s.also_many, s)
    return f'<details class="also-found"><summary>{text(title)}</summary><ol>{rows}</ol></details>'


def engine(name: str, s: Strings = EN) -> str:
    """Say which engine speaks: "Reader, no language model", or its own name."""
    return s.engine_reader if name in ("", "reader") else name


# --- the evidence ----------------------------------------------------------------------------------------------------


def reader(
    article: Article,
    data: Mapping[str, Any],
    index: int,
    *,
    copies: int = 1,
    chunks: Sequence[Chunk] = (),
    s: Strings = EN,
) -> str:
    """Render the whole article with one citation lit, and the answer's other quotes from it in a paler mark.

    `copies` counts the articles that are copies of this piece, itself included.
    """
    c = data["citations"][index]
    also = [
        (o["start"], o["end"])
        for o in data["citations"]
        if o["article_id"] == article.id and (o["start"], o["end"]) != (c["start"], c["end"])
    ]
    words = s.passage_for.format(n=c["marker"], question=data["question"])
    if said := verdict(c, s):
        words = f"{words} ({said})"
    name = s.source.format(n=c["marker"])
    strip = " · ".join(text(p) for p in (name, article.outlet, dated(c, s)) if p)
    lit = (c["start"], c["end"])
    return _article(
        article, lit, words, strip, at=f"{int(data['id'])}-{index}", also=also, copies=copies, chunks=chunks, s=s
    )


def passage(
    article: Article, start: int, end: int, *, copies: int = 1, chunks: Sequence[Chunk] = (), s: Strings = EN
) -> str:
    """Render the whole article with `article.text[start:end]` lit; nothing is lit where the span is empty."""
    on = dated({"published": article.published, "held": article.event.start if article.event else None}, s)
    strip = " · ".join(text(p) for p in (article.outlet or article.title, on) if p)
    at = f"{article.id}-{start}-{end}"
    return _article(article, (start, end), "", strip, at=at, copies=copies, chunks=chunks, s=s)


def _article(
    article: Article,
    lit: tuple[int, int],
    words: str,
    strip: str,
    *,
    at: str,
    also: Sequence[tuple[int, int]] = (),
    copies: int,
    chunks: Sequence[Chunk],
    s: Strings,
) -> str:
    meta = []
    if article.published:
        meta.append((s.lent if article.published_lent else s.published).format(date=day(article.published, s)))
    head = [f'<p class="for">{text(words)}</p>'] if words else []
    if article.outlet:
        head.append(f'<p class="outlet">{text(article.outlet)}</p>')
    head.append(f'<h2 class="headline" dir="auto" tabindex="-1">{text(article.title or s.no_title)}</h2>')
    if article.authors:
        head.append(f'<p class="byline">{text(s.by.format(authors=", ".join(article.authors)))}</p>')
    if copies > 1:
        meta.append(s.copies.format(n=copies))
    head.append("".join(f'<p class="meta">{text(m)}</p>' for m in meta))
    if (event := article.event) is not None:
        on = day(event.start, s)
        about = s.event_on.format(event=event.label, date=on) if on else s.event_line.format(event=event.label)
        head.append(
            act("event", event.key, event.edition or "", label=about, name=s.event_open.format(event=event.label), kind="quiet")
        )  # fmt: skip
    if (live := live_url(article.url, article.text[slice(*lit)])) is not None:
        host = (urlsplit(live).hostname or "").removeprefix("www.")
        head.append(
            f'<p class="live"><a href="{html.escape(live)}" target="_blank" rel="noopener noreferrer nofollow">'
            f"{text(s.live.format(host=host))}</a></p>"
        )
    captions = [(k.start, k.end) for k in chunks if k.kind == "caption"]
    prose = body(article.text, lit, also=also, captions=captions)
    top = f'<header>{"".join(head)}</header><p class="strip">{strip}</p>'
    return f'<article class="reader at-{text(at)}">{top}<div class="body">{prose}</div></article>'


def body(
    content: str,
    lit: tuple[int, int],
    *,
    also: Sequence[tuple[int, int]] = (),
    captions: Sequence[tuple[int, int]] = (),
) -> str:
    """Render an article's text as paragraphs with the spans marked: `lit` in <mark class="lit">, `also` paler.

    Lines within `captions` are set as captions; a photo credit is small wherever it stands.

    Spans are half-open character offsets into `content`; out of range they mark nothing. A span that crosses
    paragraphs is marked in each.
    """
    out = []
    at = 0
    for line in content.split("\n"):
        begin, end = at, at + len(line)
        at = end + 1
        if not line.strip():
            continue
        cuts = sorted({begin, end, *(min(max(p, begin), end) for span in (lit, *also) for p in span)})
        pieces = []
        for a, b in pairwise(cuts):
            piece = text(content[a:b])
            if lit[0] <= a < b <= lit[1]:
                piece = f'<mark class="lit">{piece}</mark>'
            elif any(x <= a and b <= y for x, y in also):
                piece = f'<mark class="also">{piece}</mark>'
            pieces.append(piece)
        kind = ' class="credit"' if is_credit(line) else ""
        if not kind and any(x <= begin and end <= y for x, y in captions):
            kind = ' class="caption"'
        out.append(f'<p{kind} dir="auto">{"".join(pieces)}</p>')
    return "".join(out)


def evidence_note(sentence: str) -> str:
    """Render a sentence where the article would be."""
    return f'<div class="blank"><p>{text(sentence)}</p></div>'


# --- the first screen ------------------------------------------------------------------------------------------------


def header(s: Strings = EN) -> str:
    """Render the name of the page; page.js reads the language of the page from it."""
    return f'<div class="brand" lang="{text(s.lang)}"><h1>{text(s.title)}</h1></div>'


def sign_out(s: Strings = EN) -> str:
    """Render the link that ends a visitor's being signed in."""
    return f'<a class="signout" href="/logout">{text(s.sign_out)}</a>'


def talks(listed: Sequence[Mapping[str, Any]], chosen: str, s: Strings = EN) -> str:
    """Render the list of conversations, the open one marked; page.js opens and deletes them."""
    if not listed:
        return f'<nav class="talks"><p class="meta">{text(s.talks_none)}</p></nav>'
    rows = []
    for t in listed:
        title = t["title"] or s.talk
        kind = ' class="current"' if t["id"] == chosen else ""
        open_it = act("talk", t["id"], label=title, kind="talk-open")
        drop = act("forget", t["id"], label=s.talks_forget, name=s.talks_forget_name.format(title=title), kind="quiet")
        rows.append(f"<li{kind}>{open_it}{drop}</li>")
    return f'<nav class="talks"><ul>{"".join(rows)}</ul></nav>'


def outgoing(kind: str, content: str, *, name: str = "") -> str:
    """Render what page.js is to take: percent-encoded, so that no parser on the way touches it."""
    return f'<div class="{kind}" title="{text(name)}">{percent(content, safe="")}</div>'


def trail(where: str, s: Strings = EN) -> str:
    """Render the way back to the overview, and where one is."""
    here = f'<span class="here" dir="auto">{text(where)}</span>' if where else ""
    return f'<nav class="trail">{act("screen", "explore", label=s.explore_back, kind="quiet")}{here}</nav>'


def vacant(words: str, s: Strings = EN, *, heading: str = "") -> str:
    """Render a screen that has nothing to show: why, and what to do."""
    head = f"<h2>{text(heading)}</h2>" if heading else ""
    return f'<div class="vacant">{head}<p>{text(words)}</p></div>'


def loading(s: Strings = EN) -> str:
    """Render a screen whose content is still to come."""
    return f'<p class="waiting">{text(s.loading)}<span class="dots"></span></p>'


def library_head(s: Strings = EN, *, read_only: bool = False) -> str:
    """Render the library screen's heading."""
    more = f'<p class="meta">{text(s.read_only)}</p>' if read_only else ""
    return f'<header class="screen-head"><h2>{text(s.screen_library)}</h2>{more}</header>'


def speaker(name: str, s: Strings = EN) -> str:
    """Render which engine will answer."""
    return f'<div class="engine"><span class="k">{text(s.engine)}</span> <span class="v">{text(name)}</span></div>'


def welcome(
    events: Sequence[tuple[Event, int]], articles: int, pieces: int, *, total: int | None = None, s: Strings = EN
) -> str:
    """Render what the page is for, in one line, and what the library covers.

    `articles` counts the copies of a piece, `pieces` does not; `total` counts the events when not all of them are given.
    """
    number = len(events) if total is None else total
    size = _count(articles, s.article_one, s.article_many, s)
    if pieces != articles:
        size = f"{size}, {s.independent.format(n=whole(pieces, s))}"
    if events:
        size = s.counts.format(articles=size, events=_count(number, s.event_one, s.event_many, s))
    rows = "".join(
        f"<li>{act('event', e.key, e.edition or '', label=e.label, name=s.event_open.format(event=e.label), kind='event')}"
        f'<span class="meta">{text(_facts(e, n, s))}</span></li>'
        for e, n in events
    )
    rest = act("screen", "explore", label=s.more_events.format(n=whole(number - len(events), s)), kind="quiet")
    more = f'<li class="more">{rest}</li>' if number > len(events) else ""
    listing = f'<ul class="coverage">{rows}{more}</ul>' if events else ""
    return (
        f'<div class="welcome"><p class="lede">{text(s.tagline)}</p>'
        f'<p class="label">{text(s.covered)} <span>{text(size)}</span></p>{listing}</div>'
    )


def empty(library: str, *, read_only: bool = False, s: Strings = EN) -> str:
    """Render the first screen of a library that has no articles: how to add some."""
    here = "" if read_only else f"<p>{act('screen', 'library', label=s.empty_add, kind='plain')}</p>"
    return (
        f'<div class="welcome"><p class="lede">{text(s.tagline)}</p><div class="vacant"><h2>{text(s.empty_title)}</h2>'
        f"<p>{text(s.empty_body)}</p>{here}"
        f"<p>{text(s.empty_or)}</p><p><code>{text(s.empty_command.format(library=shlex.quote(library)))}</code></p>"
        f"<p>{text(s.empty_after)}</p></div></div>"
    )


def label(words: str) -> str:
    """Render a small heading."""
    return f'<p class="label">{text(words)}</p>'


def notice(sentence: str, *, kind: str = "") -> str:
    """Render a sentence that is to be noticed; `kind` "quiet": one that only helps."""
    return (
        f'<div class="{f"notice {kind}".strip()}" role="{"status" if kind else "alert"}"><p>{text(sentence)}</p></div>'
    )


def editing(number: int, words: str, s: Strings = EN) -> str:
    """Render what will come of changing a question, and the way out of it."""
    leave = act("unedit", number, label=s.cancel, kind="quiet")
    return f'<div class="notice quiet" role="status"><p>{text(words)}</p>{leave}</div>'


def _facts(e: Event, n: int, s: Strings) -> str:
    return " · ".join(p for p in (day(e.start, s), _count(n, s.article_one, s.article_many, s)) if p)


def whole(n: int, s: Strings = EN) -> str:
    """Write a whole number, its thousands set apart as the language does."""
    return f"{n:,}".replace(",", s.thousands)


def _count(n: int, one: str, many: str, s: Strings) -> str:
    return one if n == 1 else many.format(n=whole(n, s))


def decimal(value: float, places: int, s: Strings = EN) -> str:
    """Write a number with so many places, as the language does."""
    return f"{value:.{places}f}".replace(".", s.decimal)


def _seconds(ms: float, s: Strings) -> str:
    return decimal(ms / 1000, 2 if ms < 995 else 1, s)
