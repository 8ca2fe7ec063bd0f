"""Query -> list[Hit]: dense and lexical, fused; the event and edition that the question names as a soft boost.

Soft, with one hard edge: when the question names an edition, no passage of another edition of that event stands above
one of the right edition. What is never done: leaving articles out because their event was not recognised.

A question that names no date is most often about what has just happened, so what was published shortly before it is asked
weighs more. Passages of an article that follow on each other are one hit: two halves of an answer are found together, and the
place in the list that is saved goes to another article.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from rag.ingest.dedupe import contradict, running
from rag.ingest.dedupe import words as text_words
from rag.ingest.events import editions_said, load_names
from rag.ingest.names import find_names
from rag.retrieve.fuse import rrf
from rag.retrieve.words import content_words, stem, tokens
from rag.types import Article, Chunk, Hit, Query

if TYPE_CHECKING:
    from rag.ingest.events import Names
    from rag.store.library import Library

EVENT_BOOST = 1.6  # the question's event and edition
OTHER_EVENT = 0.7  # the question names an event, the article is about another
FRESH_BOOST = 0.7  # published on the day the question is asked: x 1.7
FRESH_DAYS = 14.0  # after which that is down to a third
AHEAD_DAYS = 14  # a day that is this much later than the question's is no news of its time
JOINED = 2  # passages that follow on each other make one hit
SAME_WORDS = 0.95  # share of the words that the same passage in two unrelated articles has in common
SAME_CLAIM = 2  # passages that say the same in answer to a question: more are echoes, whoever they are by
HEARD = 20  # passages that may come to be read or go into a prompt; what stands behind them crowds nothing out
SAME_PASSAGE = 0.7  # share of the shorter passage's words that a copy must hold
_SENTENCES = re.compile(r"(?<=[.!?])[\"”’)]*\s+|\n+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = re.compile(
    rf"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|{_MONTH}(?: \d{{1,2}}\b)?|\d{{1,2}} {_MONTH})\b", re.I
)
Ranked = tuple[Chunk, Article, float]


def search(
    library: Library,
    query: Query | str,
    *,
    top_k: int = 8,
    event: str | None = None,
    year: int | None = None,
    within: Collection[str] | None = None,
) -> list[Hit]:
    """Find the passages for a question, best first, no passage twice.

    `event` (an `Event.key`), `year` and `within` (article ids) filter hard, as a person who sets them expects.
    Raises: LibraryError, EmbedError.
    """
    if isinstance(query, str):
        from rag.retrieve.query import understand

        query = understand(query, library=library)
    about = library.articles_about(event=event, year=year)
    if within is not None:
        about = set(within) if about is None else about & set(within)
    limit = max(2 * library.config.candidates, top_k)
    uses = library.config.uses
    dense, lexical = [], []
    if uses("dense"):
        vector = library.embedder.embed([query.text])[0]
        dense = [i for i, _ in library.index.search(vector, limit=limit, within=about)]
    if uses("lexical"):
        lexical = [i for i, _ in library.search_text(content_words(query.text), limit=limit, within=about)]
    fused = rrf([dense, lexical])
    chunks = library.chunks_by_id(fused)
    articles = library.articles_by_id(c.article_id for c in chunks.values())
    names = load_names(library.config.events_file)
    boosted, dated = uses("boost"), uses("recency")
    scored = []
    for i, c in chunks.items():
        if c.article_id not in articles:
            continue
        article = articles[c.article_id]
        factor, wrong_edition = affinity(query, article, c.text, names=names) if boosted else (1.0, False)
        fresh = freshness(query, article) if dated else 1.0
        scored.append((wrong_edition, -fused[i] * factor * fresh, i))
    scored.sort()
    ranked: dict[bool, list[Ranked]] = {False: [], True: []}
    for wrong_edition, score, i in scored[: 4 * top_k]:
        ranked[wrong_edition].append((chunks[i], articles[chunks[i].article_id], -score))
    # What is of the wrong edition is not joined to what is of the right one, or it would stand as high.
    join = joined if uses("joining") else list
    apart = [*join(ranked[False]), *join(ranked[True])]
    if not uses("clusters"):
        return [Hit(rank=n, score=s, chunk=c, article=a) for n, (c, a, s) in enumerate(apart[:top_k], start=1)]
    return _without_echoes(query, _without_copies(apart, top_k=len(apart)), top_k=top_k)


def freshness(query: Query, article: Article) -> float:
    """Weigh how recent an article was when the question was asked: 1 to 1 + FRESH_BOOST.

    1 for a question that names a year, or the edition of a year, that was over by then: it asks about the past.
    """
    if article.published is None:
        return 1.0
    asked = query.as_of or date.today()
    edition = query.event.edition if query.event else None
    named = int(edition[:4]) if edition and edition[:4].isdigit() else query.year
    age = (asked - article.published).days
    if age < -AHEAD_DAYS or (named is not None and named < asked.year):
        return 1.0
    return 1.0 + FRESH_BOOST * math.exp(-max(age, 0) / FRESH_DAYS)


def joined(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Join passages of running text that follow on each other, up to JOINED of them, at the best one's rank and id.

    Captions and list items stay alone: their neighbours speak of something else.
    """
    kept: list[Ranked] = []
    parts: list[int] = []
    of_article: dict[str, list[int]] = {}
    for chunk, article, score in ranked:
        near = of_article.setdefault(article.id, [])
        for n in near:
            first = kept[n][0]
            if parts[n] < JOINED and first.kind == chunk.kind == "text" and _adjacent(first, chunk, article):
                start, end = min(first.start, chunk.start), max(first.end, chunk.end)
                whole = replace(first, start=start, end=end, text=article.text[start:end])
                kept[n] = (whole, article, kept[n][2])
                parts[n] += 1
                break
        else:
            near.append(len(kept))
            kept.append((chunk, article, score))
            parts.append(1)
    return kept


def _adjacent(a: Chunk, b: Chunk, article: Article) -> bool:
    before, after = sorted((a, b), key=lambda c: c.start)
    return not article.text[before.end : after.start].strip()


def affinity(query: Query, article: Article, passage: str, *, names: Names) -> tuple[float, bool]:
    """Weigh how well a passage's event fits the question's: `(factor, it is of a wrong edition)`.

    An edition named in the passage itself wins over the article's ("last year's host ..." stays with its article).
    """
    if query.event is None:
        return 1.0, False
    about = [e for e in article.events if e.key == query.event.key]
    if not about:  # what is about no event that is known may well tell of this one
        return (OTHER_EVENT if article.events else 1.0), False
    wanted = query.event.edition
    if wanted is None:
        return EVENT_BOOST, False
    said = editions_said(passage, query.event.key, names)
    if said and wanted not in said:
        return 1.0, True
    if wanted in said or any(e.edition in (wanted, None) for e in about):
        return EVENT_BOOST, False
    return 1.0, True


def _without_copies(ranked: Sequence[Ranked], *, top_k: int) -> list[Hit]:
    """Keep each passage once: the copy in the longest article of its cluster stands for all, at the best rank."""
    kept: list[Hit] = []
    bags: list[tuple[int, int]] = []  # of each that is kept: its words as bits, and how many
    places: dict[str, int] = {}
    for chunk, article, score in ranked:
        words = _bag(chunk.text)
        bag = (sum(1 << places.setdefault(word, len(places)) for word in words), len(words))
        twin = next((n for n, hit in enumerate(kept) if _same(hit, bags[n], chunk, article, bag)), None)
        if twin is None:
            kept.append(Hit(rank=len(kept) + 1, score=score, chunk=chunk, article=article))
            bags.append(bag)
            continue
        first = kept[twin]
        others = {*first.copies, first.article.id, article.id}
        if len(article.text) > len(first.article.text):
            first = replace(first, chunk=chunk, article=article)
            bags[twin] = bag
        kept[twin] = replace(first, copies=tuple(sorted(others - {first.article.id})))
    return [replace(h, rank=n) for n, h in enumerate(kept[:top_k], start=1)]


@lru_cache(maxsize=2048)
def _bag(text: str) -> frozenset[str]:
    return frozenset(text_words(text))


def _same(hit: Hit, bag: tuple[int, int], chunk: Chunk, article: Article, other: tuple[int, int]) -> bool:
    (bits, size), (other_bits, other_size) = bag, other
    smaller, larger = (size, other_size) if size <= other_size else (other_size, size)
    of_cluster = hit.article.cluster == article.cluster
    if not of_cluster and (smaller <= 12 or smaller < SAME_WORDS * larger):
        return False
    if hit.article.id == article.id:
        return hit.chunk.text == chunk.text
    common = (bits & other_bits).bit_count()
    alike = smaller > 0 and common >= SAME_PASSAGE * smaller if of_cluster else common >= SAME_WORDS * larger
    # One turned name is a word in fifty: the longer article must not stand for the one that it contradicts.
    return alike and not contradict(hit.chunk.text, chunk.text)


# --- echoes ----------------------------------------------------------------------------------------------------------


def _without_echoes(query: Query, hits: Sequence[Hit], *, top_k: int) -> list[Hit]:
    """Keep SAME_CLAIM pieces that give the question the same names and figures; what more there are counts as their copies.

    Thirty articles that repeat a claim in other words, and in other outlets' names, are no more in an answer than two.
    """
    asked = frozenset(stem(w) for w in content_words(query.text))
    said = frozenset(tokens(query.text))
    kept: list[Hit] = []
    claims: list[_Claim | None] = []
    for at, hit in enumerate(hits):
        if len(kept) >= HEARD:
            kept.extend(hits[at:])
            break
        claim = _claim(hit.chunk.text, asked, said)
        same = [n for n, c in enumerate(claims) if c is not None and claim is not None and c.same(claim)]
        pieces = {kept[n].article.cluster for n in same}
        if hit.article.cluster in pieces or len(pieces) < SAME_CLAIM:
            kept.append(hit)
            claims.append(claim)
            continue
        first = kept[same[-1]]
        copies = {*first.copies, hit.article.id, *hit.copies} - {first.article.id}
        kept[same[-1]] = replace(first, copies=tuple(sorted(copies)))
    return [replace(h, rank=n) for n, h in enumerate(kept[:top_k], start=1)]


@dataclass(frozen=True, slots=True)
class _Claim:
    """The names and figures that a passage's nearest sentence adds to the question, and the years that it names."""

    facts: frozenset[str]
    years: frozenset[str]

    def same(self, other: _Claim) -> bool:
        if self.years and other.years and self.years != other.years:
            return False
        return self.facts <= other.facts or other.facts <= self.facts


def _claim(text: str, asked: frozenset[str], said: frozenset[str]) -> _Claim | None:
    """Read the sentence that has most of the question's words, at least half; None where it adds nothing to them."""
    most, best = max(((len(asked & stems), s) for s, stems in _told(text)), key=lambda h: h[0])
    if not most or 2 * most < len(asked):
        return None
    days, names = _named(best)
    years = frozenset(w for w in names if _YEAR.fullmatch(w))
    added = names - years - said
    facts = added - days or added  # which day it was is what counts only where nothing else is said
    return _Claim(frozenset(facts), years) if facts else None


# The same passages are found by one question after another.


@lru_cache(maxsize=1024)
def _told(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return each sentence of a passage with the stems of its words."""
    return tuple((s, frozenset(stem(w) for w in content_words(s))) for s in _SENTENCES.split(running(text)))


@lru_cache(maxsize=1024)
def _named(sentence: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of a sentence's days, and those of its names and figures."""
    days = frozenset(w for m in _DAY.finditer(sentence) for w in tokens(m.group()))
    figures = {w for w in tokens(sentence) if w[0].isdigit()}
    return days, frozenset(w for n in find_names(sentence) for w in tokens(n.text)) | figures
