"""A reading -> the dated, cited sentence that a person reads; and the useful refusal when there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag.answer.cite import citation
from rag.answer.span import MOST_CITED, Reading, Span, day, listing
from rag.ingest.names import fold
from rag.types import Answer, Article, Citation, Hit, Query

if TYPE_CHECKING:
    from rag.store.library import Library


QUOTE_CHARS = 260


def occasion(article: Article) -> str:
    """Name the event and its day in brackets: "2024 VMAs, 11 September 2024"."""
    event = article.event
    if event and (event.edition or event.start):
        return ", ".join(part for part in (event.short_label, day(event.start) if event.start else None) if part)
    parts = [article.outlet, day(article.published) if article.published else None]
    return ", ".join(p for p in parts if p)


def frame(query: Query, reading: Reading, hits: Sequence[Hit]) -> Answer:
    spans = reading.spans[:MOST_CITED]
    citations = tuple(_cited(s, n, hits) for n, s in enumerate(spans, start=1))
    markers = "".join(f"[{c.marker}]" for c in citations)
    when = occasion(spans[0].unit.article)
    where = f" ({when})" if when else ""
    if len({s.unit.article.id for s in spans}) > 1 and len({occasion(s.unit.article) for s in spans}) > 1:
        where = " (" + "; ".join(dict.fromkeys(o for s in spans if (o := occasion(s.unit.article)))) + ")"
    short = reading.short.strip()
    quote = shown(citations[0].quote, short)
    # Each name of a list carries its own marker: a citation stands at its claim.
    each = listing([f"{s.short} [{n}]" for n, s in enumerate(spans, start=1)]) if len(spans) > 1 else short
    if reading.sentence:
        text = f"{reading.sentence} {markers}"
    elif _bare(short)[:80] == _bare(quote)[:80] and len(short.split()) > 6:
        text = f"{when or spans[0].unit.article.title}: “{quote}” {markers}"
    elif sentence := _in_the_questions_words(query, each):
        text = f"{sentence}{_day_only(spans[0].unit.article, sentence) or where}. {markers if len(spans) == 1 else ''}".rstrip()
    elif len(spans) > 1:
        text = f"{each}{where}."
    else:
        text = f"{short}{where}: “{quote}” {markers}"
    return Answer(
        question=query.asked,
        standalone_question=query.text,
        text=text,
        short=short,
        engine="reader",
        citations=citations,
        sources=tuple(hits),
        notes=(reading.note,) if reading.note else (),
    )


def _bare(text: str) -> str:
    return re.sub(r"\W+", " ", fold(text)).strip()


def _day_only(article: Article, sentence: str) -> str | None:
    """The day alone in brackets, when the sentence names the event already."""
    event = article.event
    if event and event.start and event.short_label in sentence:
        return f" ({day(event.start)})"
    return None


def shown(quote: str, short: str) -> str:
    """Clip a long quote around the answer for the running text; the citation keeps all of it."""
    quote = re.sub(r"\s*\n\s*", " / ", quote.strip())
    quote = quote.replace("“", "‘").replace("”", "’").replace('"', "'").rstrip(":")
    if len(quote) <= QUOTE_CHARS:
        return quote
    at = max(0, fold(quote).find(fold(short[:40])))
    start = max(0, min(at - QUOTE_CHARS // 2, len(quote) - QUOTE_CHARS))
    start = quote.find(" ", start) + 1 if start else 0
    end = quote.rfind(" ", start, start + QUOTE_CHARS) if start + QUOTE_CHARS < len(quote) else len(quote)
    return ("…" if start else "") + quote[start:end].strip(" ,;") + ("…" if end < len(quote) else "")


def _in_the_questions_words(query: Query, short: str) -> str | None:
    """Turn "who hosted the 2024 vmas" into "X hosted the 2024 VMAs" where that needs no grammar."""
    m = re.fullmatch(
        r"who\s+(hosted|won|received|got|presented|performed at|headlined|opened|closed|directed)\s++(.{3,80}?)\s*+\??",
        query.text,
        re.I,
    )
    if not m or len(short) > 240:
        return None
    rest = m.group(2)
    event = query.event
    if event:
        label = event.short_label
        pattern = rf"(?:\b(?:at|in|of)\s+)?(?:the\s+)?(?:(?:19|20)\d\d\s+)?(?:mtv\s+)?(?:{re.escape(event.short or event.name)}|{re.escape(event.name)})(?:\s+(?:in\s+)?(?:19|20)\d\d)?"
        found = re.search(pattern, rest, re.I)
        if not found:
            return None
        lead = "at the " if re.match(r"at|in\b", found.group(), re.I) else "the "
        rest = rest[: found.start()] + lead + label + rest[found.end() :]
    elif query.year is None and rest == rest.lower():
        return None
    if re.search(r"\b(?:last|this) year", rest) or (rest == rest.lower()):
        return None
    verb = {"got": "received"}.get(m.group(1).lower(), m.group(1).lower())
    return f"{short} {verb} {rest}"


def _cited(span: Span, marker: int, hits: Sequence[Hit]) -> Citation:
    a = span.unit.article
    hit = next(
        (h for h in hits if h.article.id == a.id and h.chunk.start < span.end and span.start < h.chunk.end), None
    )
    if hit is None:
        hit = next(h for h in hits if h.article.id == a.id)
    return citation(hit, span.start, span.end, marker=marker)


def refuse(query: Query, hits: Sequence[Hit], *, library: Library) -> str:
    """Say that the coverage does not say, and what is covered instead."""
    covered = library.events()
    if not covered:
        n = library.counts()["articles"]
        return f"The coverage doesn’t say. Recap has {n} article{'s' if n != 1 else ''}, about no event that it knows by name."
    every = listing([e.short_label for e, _ in covered[:6]]) + (" and more" if len(covered) > 6 else "")
    if query.event is not None:
        same = [(e, n) for e, n in covered if e.key == query.event.key]
        exact = [(e, n) for e, n in same if query.event.edition in (None, e.edition)]
        if exact:
            e, n = exact[0]
            on = f" ({day(e.start)})" if e.start else ""
            none = "none of them says" if n > 2 else "neither article says" if n == 2 else "it does not say"
            others = [o.short_label for o, _ in covered if (o.key, o.edition) != (e.key, e.edition)][:5]
            also = f" Recap also has the {listing(others)}." if others else ""
            return f"The coverage doesn’t say. Recap has {n} article{'s' if n != 1 else ''} on the {e.short_label}{on}, and {none}.{also}"
        if same:
            return f"The coverage doesn’t say: Recap has nothing on the {query.event.short_label}. It covers the {listing([e.short_label for e, _ in same])}."
        return f"The coverage doesn’t say: Recap has nothing on the {query.event.short_label}. It covers the {every}."
    if query.year is not None and not any(str(query.year) == e.edition for e, _ in covered):
        return f"The coverage doesn’t say: Recap has nothing on {query.year}. It covers the {every}."
    return f"The coverage doesn’t say. Recap covers the {every}."
