"""What a reading is made of: spans of units, and the names, runs and positions in them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from rag.answer.asking import Asked
from rag.answer.match import Term, thesaurus
from rag.answer.units import Unit
from rag.ingest.events import MONTHS
from rag.ingest.names import ROLES, Name, find_names, fold
from rag.retrieve.words import stem, tokens
from rag.types import Article

if TYPE_CHECKING:
    pass


ENOUGH = 0.74  # share of the question (weighted) that a unit must say
SURE_NAME = 0.8  # every name of the question must be matched at least so well

MOST_CITED = 8

QUOTED = re.compile(r"[\"“]([^\"“”]{2,400})[\"”]")

AWARD = re.compile(
    r"(?:(?:[A-Z][\w’'-]*|Dr\.|of|the)\s+)*(?:Award|Prize|Trophy|Medal|Honor|Cup)s?\b"
    r"|\bBest (?:[A-Z][\w’'-]*(?:\s|\b))+|\b[A-Z]\w+ of the (?:Year|Summer|Century|Decade|Night|Match|Tournament)\b"
)
CLOCK = re.compile(
    r"\b\d{1,2}(?:[:.]\d\d)? ?(?:[ap]\.m\.|[ap]m\b)(?: (?:[A-Z]{2,4}\b|local time))?"
    r"|\b(?:[01]?\d|2[0-3]):[0-5]\d\b(?: (?:[A-Z]{2,4}\b|local time))?|\b(?:noon|midnight)\b|\b\w+ o['’]clock\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Span:
    """What a unit is quoted for: the bare answer and the part of the article that says it."""

    unit: Unit
    short: str
    start: int
    end: int
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The bare answer and the spans behind it, best first; `note` tells how a date was worked out;
    `sentence` is the whole answer in words where a rule can write it."""

    short: str
    spans: tuple[Span, ...]
    note: str | None = None
    sentence: str | None = None


def alone(u: Unit) -> Unit:
    return replace(u, scope=u.text)


def joined(spans: Sequence[Span]) -> Reading:
    """Put several bare answers together, each once."""
    shorts: list[str] = []
    kept: list[Span] = []
    for s in sorted(spans, key=lambda s: -s.score):
        new = [n for n in re.split(r", | and ", s.short) if not any(same_name(n, k) for k in shorts)]
        if new:
            shorts.extend(new)
            kept.append(replace(s, short=listing(new)))
    return Reading(listing(shorts), tuple(kept[:MOST_CITED]))


def listing(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""


_DECIDES = frozenset("not no never without half million billion thousand hundred percent least most".split())


def same_name(a: str, b: str) -> bool:
    """Tell whether one is the other or a part of it: "Swift", "Taylor Swift". A number or a negation is never a mere part."""
    x, y = tokens(a), tokens(b)
    more = set(x) ^ set(y)
    if x == y or not (x and y) or any(w in _DECIDES or any(c.isdigit() for c in w) for w in more):
        return x == y
    return set(x) <= set(y) or set(y) <= set(x)


def candidates(asked: Asked, u: Unit, *, titles: bool = False) -> list[Name]:
    """Names of a unit that the question does not have already."""
    said = [{stem(w) for w in t.words} for t in asked.names]
    said.append({stem(w) for t in asked.terms for w in t.words})
    quoted = [m.span() for m in QUOTED.finditer(u.text)]
    out = []
    for n in u.names:
        have = {stem(w) for w in tokens(n.text)}
        if any(have <= s for s in said) or any(s and s <= have for s in said[:-1]):
            continue
        if not titles and (
            any(s <= n.start < e for s, e in quoted) or AWARD.fullmatch(n.text) or n.text.startswith("Best ")
        ):
            continue
        if not titles and belongs(u.text[n.end :]):
            continue  # "Rovers goalkeeper Ann Lee": whose goalkeeper, not who
        if (
            re.fullmatch(
                r"(?:VIP|MTV|VMAs?|Video Music Awards|Grammys?|Photo|Getty Images|I|OK|TV|Music Awards)", n.text
            )
            or fold(n.text) in MONTHS
        ):
            continue
        if (
            not titles
            and re.search(r"\b(?:from|of)\s+$", u.text[: n.start])
            and any(
                o.end == n.start - len(re.search(r"\s+(?:from|of)\s+$", u.text[: n.start]).group())  # type: ignore[union-attr]
                for o in u.names
                if re.search(r"\s+(?:from|of)\s+$", u.text[: n.start]) and o.end < n.start
            )
        ):
            continue  # "Ann from The Band": where somebody belongs, not who
        if re.search(r"\b(?:Awards?|Grammys?|VMAs?|Tour|of the (?:Year|Summer))\b", n.text) and not titles:
            continue
        out.append(replace(n, text=_in_full(n.text, u)))
    return out


def belongs(after: str) -> bool:
    m = re.match(r"(?:['’]s?)?\s+(?:(?:former|head|assistant|star|lead)\s+)?([a-z]+)\s+(?=[A-Z])", after)
    return bool(m) and m is not None and m.group(1) in ROLES


def _in_full(name: str, u: Unit) -> str:
    """The caption of an item says "Selena", a report "Okoye": the item, or the article, says who that is in full."""
    if " " in name:
        return name
    for whole in (tuple(n.text for n in find_names(u.scope)), _full_names(u.article)):
        found = {w for w in whole if " " in w and name in (w.split()[0], w.split()[-1]) and not AWARD.search(w)}
        if len(found) == 1:
            return found.pop()
    return name


@lru_cache(maxsize=256)
def _full_names(article: Article) -> tuple[str, ...]:
    lines = (line for line in article.text.split("\n") if line.strip() != article.title)
    return tuple({n.text for line in lines for n in find_names(line) if len(n.text.split()) in (2, 3)})


def runs_of(text: str, names: Sequence[Name]) -> list[list[Name]]:
    """Group names that are joined by commas, "and" or a word of role ("and editor Ann Lee")."""
    runs: list[list[Name]] = []
    for n in names:
        between = text[runs[-1][-1].end : n.start] if runs else ""
        if runs and re.fullmatch(
            r"\s*(?:,|,?\s*and|&|,?\s*or)\s*(?:(?:also|her|his|their|the|fellow)\s+)?(?:[a-z-]+\s)?", between
        ):
            runs[-1].append(n)
        else:
            runs.append([n])
    return runs


def positions(asked: Asked, u: Unit) -> list[tuple[int, int, Term]]:
    """Where the question's words (not its names) stand in a unit."""
    out = []
    table = thesaurus()
    for m in re.finditer(r"[^\W_][\w’'-]*", u.text):
        word = tokens(m.group())
        if not word:
            continue
        s = stem(word[0])
        for t in asked.terms:
            if not t.is_name and any(s == stem(w) or s in table.get(stem(w), ()) for w in t.words):
                out.append((m.start(), m.end(), t))
                break
    exact = [p for p in out if stem(tokens(u.text[p[0] : p[1]])[0]) in {stem(w) for w in p[2].words}]
    hard = [p for p in exact if not p[2].soft] or [p for p in out if not p[2].soft]
    return hard or out


def run_text(run: Sequence[Name]) -> str:
    return listing([n.text for n in run])


def span(u: Unit, short: str, score: float, *, start: int | None = None, end: int | None = None) -> Span:
    return Span(u, short, u.start if start is None else start, u.end if end is None else end, score)


def day(d: date) -> str:
    return f"{d.day} {d:%B %Y}"
