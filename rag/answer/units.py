"""Hits -> units: the sentences, items and captions that a reader can quote, with who their pronouns speak of. Pure.

What it does not know: grammar. Who "she", "the duo" or "the rapper" is, is the first name of the nearest sentence before
that has one of its own; right often enough to count a name as implied, never enough to put it into a quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from rag.answer.sentences import split_sentences
from rag.ingest.clean import Block, blocks
from rag.ingest.events import find_mentions, load_names
from rag.ingest.names import Name, find_names
from rag.types import Article, Hit

UnitKind = Literal["sentence", "caption", "title", "byline"]

_ANAPHOR = re.compile(
    r"\b(?:[Hh]e|[Ss]he|[Tt]hey|him|[Hh]er|[Hh]is|[Tt]heir|them|hers|theirs)\b"
    r"|\b[Tt]he (?:\w+ )?(?:pair|duo|trio|couple|two|three|group|band|rapper|singer|artist|star|model|actor|actress|vocalist|"
    r"songstress|musician|performer|comedian|player|striker|coach|champion|winner|former|alum|father-to-be|mother-to-be|"
    r"sisters|brothers|siblings|icon|legend|superstar|pop star|newcomer|hitmaker|crooner|frontman)\b"
    r"|\b[Tt]he (?:[A-Z][\w’'-]+ ){1,3}(?:alum|star|singer|actor|actress|rapper|artist|icon|vocalist)\b"
    r"|\b[Tt]he [\"“][^\"”]{2,40}[\"”] (?:singer|artist|star|rapper|vocalist|hitmaker|songstress|actor|actress|crooner|musician)"
)
_SPEECH = re.compile(r"[\"“][^\"“”]{25,}")
_EPITHET = re.compile(
    r"\b[Tt]he (?:former )?(?:[A-Z][\w’'-]+ ){1,3}(?:alum|star|singer|actor|actress|rapper|artist|icon|vocalist)\b"
)
_CONTINUES = re.compile(r"^(?:\d{1,3}[.)]\s*)?(?:\.\.\.|…)")
_CLAUSES = re.compile(r"(?<=[^\s\d];)\s+(?=(?:and |but )?[A-Z])")
_SHORT = 40  # blocks: an article that is read whole
_LEAD = 4  # blocks before, for who is spoken of
_NUMBER = re.compile(r"^\d{1,3}[.)]\s*")
_QUOTED = re.compile(r"[\"“][^\"“”]{1,400}[\"”]")


@dataclass(frozen=True, slots=True)
class Unit:
    """Something to quote: `article.text[start:end] == text`.

    `scope` is the whole block (an item with its caption, a paragraph); `implied` the names that its pronouns speak of;
    `credit` the photo credit of its block; `before` the unit ahead of it; `rank` the best hit that holds it;
    `continues` tells that it goes on from `before` ("...and Billy!").
    """

    article: Article
    kind: UnitKind
    start: int
    end: int
    text: str
    scope: str
    block: int
    names: tuple[Name, ...]
    implied: tuple[str, ...] = ()
    credit: str = ""
    credit_at: int = -1
    before: str = ""
    rank: int = 99
    item: bool = False
    continues: bool = False


@lru_cache(maxsize=256)
def _blocks(article: Article) -> tuple[Block, ...]:
    return tuple(blocks(article.text, title=article.title))


def article_units(article: Article) -> tuple[Unit, ...]:
    """Cut a whole article into units, in order."""
    return _units(article, 0, len(_blocks(article)))


def units_near(article: Article, start: int, end: int) -> list[Unit]:
    """Return the units that touch the characters `start` to `end`.

    Of a long article only what is near is looked at: who a pronoun speaks of stands in the _LEAD blocks before, or nowhere.
    """
    every = _blocks(article)
    inside = [n for n, b in enumerate(every) if b.start < end and start < b.end]
    if not inside:
        return []
    whole = len(every) <= _SHORT
    found = _units(article, 0 if whole else max(0, inside[0] - _LEAD), len(every) if whole else inside[-1] + 1)
    return [u for u in found if u.start < end and start < u.end]


@lru_cache(maxsize=1024)
def _units(article: Article, first: int, last: int) -> tuple[Unit, ...]:
    """Cut blocks `first` to `last` into units."""
    out: list[Unit] = []
    focus: tuple[str, ...] = ()
    before = ""
    for n, block in list(enumerate(_blocks(article)))[first:last]:
        scope = article.text[block.start : block.end]
        credit = article.text[block.credit : block.end].strip() if block.credit is not None else ""
        for kind, start, end in _spans(article.text, block):
            text = article.text[start:end]
            names = tuple(find_names(text))
            own = _subject(text, names)
            free = _QUOTED.sub(lambda m: " " * len(m.group()), text)
            pronoun = _ANAPHOR.search(free)
            at = text.find(own[0]) if own else len(text)
            continues = bool(_CONTINUES.match(_NUMBER.sub("", scope if block.kind == "item" else text)))
            leads = continues or (pronoun is not None and pronoun.start() < at)
            spoken = _QUOTED.search(text) is not None and not own
            implied = focus if (leads or spoken) and kind == "sentence" else ()
            unit = Unit(
                article=article, kind=kind, start=start, end=end, text=text,
                scope=scope if block.kind in ("item", "caption") or _SPEECH.search(text) else text, block=n, names=names,
                implied=implied, credit=credit, credit_at=block.credit if block.credit is not None else -1, before=before,
                item=block.kind == "item", continues=continues,
            )  # fmt: skip
            out.append(unit)
            if kind == "sentence":
                if own and not leads:
                    focus = own
                before = text
        if block.kind in ("title", "caption"):
            focus = () if block.kind == "title" else focus
    return tuple(out)


def units_of(hits: Sequence[Hit]) -> list[Unit]:
    """Return the units that the hits hold, each once, those of better hits first."""
    ranks: dict[tuple[str, int, int], int] = {}
    found: dict[tuple[str, int, int], Unit] = {}
    for hit in hits:
        for u in units_near(hit.article, hit.chunk.start, hit.chunk.end):
            key = (hit.article.id, u.start, u.end)
            ranks.setdefault(key, hit.rank)
            found.setdefault(key, u)
    return [replace(u, rank=ranks[k]) for k, u in found.items()]


def _spans(text: str, block: Block) -> Iterable[tuple[UnitKind, int, int]]:
    end = block.credit if block.credit is not None else block.end
    if block.kind in ("title", "byline", "caption"):
        kind: UnitKind = "caption" if block.kind == "caption" else "title" if block.kind == "title" else "byline"
        stop = block.start + len(text[block.start : end].rstrip()) if end > block.start else block.end
        yield kind, block.start, stop
        return
    at = block.start
    lines = text[block.start : end].split("\n")
    told = False
    for line in lines:
        start = at
        at += len(line) + 1
        body = line.strip()
        if not body:
            continue
        start += len(line) - len(line.lstrip())
        if block.kind == "item" and told:
            yield "caption", start, start + len(body)
            continue
        told = True
        skip = _NUMBER.match(body) if block.kind == "item" else None
        here = start + (skip.end() if skip else 0)
        for piece in split_sentences(text[here : start + len(body)]):
            for clause in _CLAUSES.split(piece):
                if not (clause := clause.strip()):
                    continue
                found = text.find(clause, here)
                if found >= 0:
                    yield "sentence", found, found + len(clause)
                    here = found + len(clause)


def _subject(text: str, names: Sequence[Name]) -> tuple[str, ...]:
    """The first names of a sentence, joined by commas and "and", outside quotation marks and not behind "by" or "with"."""
    aside = [m.span() for m in (*_QUOTED.finditer(text), *_EPITHET.finditer(text))]
    aside += [(m.start, m.end) for m in find_mentions(text, load_names())]
    free = [
        n for n in names if not any(s < n.end and n.start < e for s, e in aside) and n.text not in ("VIP", "MTV", "TV")
    ]
    if not free:
        return ()
    if re.search(
        r"\b(?:involving|with|by|like|including|at|for|of)\s+(?:the\s+)?$", text[: free[0].start]
    ) and not re.search(r"[Ss]peaking of $", text[: free[0].start]):
        return ()
    out = [free[0]]
    for n in free[1:]:
        if re.fullmatch(r"\s*(?:,|and|&|,\s*and)\s*", text[out[-1].end : n.start]):
            out.append(n)
        else:
            break
    return tuple(n.text for n in out)
