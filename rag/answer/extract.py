"""The trained reader: hits -> the span that answers, with a calibrated probability that it does.

What it does not know: who "she" is in a sentence that the passage does not hold, arithmetic, and yes or no.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from rag.answer.asking import Asked, asks_published, is_event_date
from rag.answer.expected import is_dateline, may_be
from rag.answer.span import Reading, Span, day, same_name
from rag.answer.units import Unit, units_near
from rag.answer.window import weigh, window
from rag.ingest.events import resolve_relative
from rag.model.reader import Read, header_of
from rag.retrieve.words import stem, tokens
from rag.types import Article, Hit, Query

if TYPE_CHECKING:
    from rag.model.reader import ReaderModel

PASSAGES = 5  # read in full
WORDS = 170  # of each
SOFT = 4.0  # logits: what several passages say counts together, softly
EARLY = 2.0  # logits that a passage loses for each e-fold of its rank
ALONE = 8.0  # the lead of an answer that no other stands beside
SHOWN = 0.4  # probability from which an answer of the model is given
SHOWN_BY_RULES = 0.3  # and one of the rules to a longer question
SHOWN_SHORT = 0.15  # ... to a short one, where they mostly decline by themselves
SHORT = 5  # terms: what the rules read for a question as short is right 19 times of 20 (seeds/facts.jsonl)
COVERED = (
    0.75  # of such a question must be said where the model alone finds an answer: "husband" is no answer to "wife"
)
BY_RULES = ("with", "credit")  # what pictures show is laid out by rule, and listed whole
FEATURES = "margin relevance lead votes named covered agreed disagreed event ruled terms bias".split()
MODEL_RIGHT = (0.27, 0.77, 0.21, 0.42, -1.06, 1.74, 0.97, -0.80, 0.10, 1.08, -1.14, -2.39)
RULES_RIGHT = (-0.44, 0.21, 0.84, -1.91, 0.81, -1.70, 2.01, -1.35, 0.85, 1.18, -2.16, 0.66)
_TIES = (
    ("husband", "wife"),
    ("mother", "father"),
    ("son", "daughter"),
    ("brother", "sister"),
    ("uncle", "aunt"),
    ("king", "queen"),
)
_EITHER = re.compile(r"\b(?:or|v|vs|versus|against|between)\b", re.I)
_NOT_FROM = dict.fromkeys(
    ("who", "with", "where", "why"), ("title", "byline")
)  # a headline clips, a byline names the reporter
_EDGE = " \t\n.,;:!?\"'“”‘’()[]—–-"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span that a passage gives: the hit it stands in, its score, and what the model made of the passage.

    `rank` of the passage is from 1; `best` is set for the first span of a passage.
    """

    hit: Hit
    unit: Unit
    text: str
    score: float
    read: Read
    rank: int = 1
    best: bool = True

    @property
    def worth(self) -> float:
        """How good it is against those of other passages, in logits."""
        return self.score + self.read.relevance - EARLY * math.log(self.rank)


@dataclass(frozen=True, slots=True)
class Extracted:
    """The best answer, and what tells how good it is.

    `margin` and `relevance` are those of its best passage, in logits; `lead` is how far it is ahead of the best other answer;
    `votes` the passages that say it before all else, and rather than "not here"; `named` the share of the question's names that
    its article holds; `covered` the share of the question (weighted) that the sentence it stands in says.
    """

    reading: Reading
    margin: float
    relevance: float
    lead: float
    votes: int
    named: float
    covered: float
    each: tuple[Candidate, ...] = ()  # what each passage says before all else, and rather than "not here"


def may_extract(asked: Asked) -> bool:
    """Tell whether the model can answer such a question at all: a yes is no span, and small talk asks nothing."""
    by_rule = is_event_date(asked) or (asked.kind == "when" and asks_published(asked))
    return asked.kind not in ("yes_no", "written") and bool(asked.hard) and not by_rule


def extract(
    query: Query,
    asked: Asked,
    hits: Sequence[Hit],
    model: ReaderModel,
    *,
    eligible: Callable[[Unit], bool],
    covered: Callable[[Unit], float],
    ranked: bool = True,
) -> Extracted | None:
    """Read the best hits. None when no passage holds a span that can answer.

    `eligible` tells whether a unit may answer at all, `covered` how much of the question it says, 0 to 1. Not `ranked`: the
    first passage that says anything is taken at its word.
    Raises: ReaderModelError.
    """
    barred = _NOT_FROM.get(asked.kind, ("byline",))
    said = set() if _EITHER.search(asked.text) else set(tokens(asked.text))
    fit = [
        c
        for c in candidates(query, hits, model, eligible=eligible)
        if may_be(asked, c.text)
        and not is_dateline(c.text, c.unit.text)
        and c.unit.kind not in barred
        and not set(tokens(c.text)) <= said  # what the question says already is not what it asks for
        and not another_tie(asked, c.unit)
    ]
    return choose(asked, covered, fit, ranked=ranked)


def candidates(
    query: Query, hits: Sequence[Hit], model: ReaderModel, *, eligible: Callable[[Unit], bool]
) -> list[Candidate]:
    """Return the best spans of each of the first passages, of units that may answer; each text once a passage."""
    first = list(hits[:PASSAGES])
    weights = weigh(query.text, [h.chunk.text for h in hits])
    windows = [window(h.chunk.text, weights, words=WORDS) for h in first]
    shown = [
        (header_of(h.article.title, h.article.published), h.chunk.text[s:e])
        for h, (s, e) in zip(first, windows, strict=True)
    ]
    may = cache(eligible)
    out = []
    for rank, (h, (s, _), read) in enumerate(zip(first, windows, model.read(query.text, shown), strict=True), start=1):
        base = h.chunk.start + s
        texts: set[str] = set()
        for n, (begin, stop, score) in enumerate(((read.start, read.end, read.span), *read.others)):
            start, end = trimmed(h.article.text, base + begin, base + stop)
            text = h.article.text[start:end]
            if not text or text in texts:
                continue
            texts.add(text)
            unit = next(iter(units_near(h.article, start, start + 1)), None)
            if unit is not None and end <= unit.end and may(unit):
                out.append(Candidate(h, unit, text, score, read, rank, n == 0))
    return out


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave punctuation at the ends of a span out, and keep words whole: a sign, a bracket's pair, "a.m." belong to theirs."""
    while 0 < start < len(text) and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while 0 < end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
        end += 1
    while start < end and text[start] in _EDGE and not re.match(r"[-–.]\d", text[start:end]):
        start += 1
    while end > start and text[end - 1] in _EDGE:
        said = text[start:end]
        if (said[-1] == ")" and "(" in said) or re.search(r"\b(?:[ap]\.m|[A-Z]\.[A-Z]|Jr|Sr|Inc|Co)\.$", said):
            break
        end -= 1
    if text[start:end].endswith(("’s", "'s")) and re.match(r"\s+\w", text[end:]):
        end -= 2  # "Kofi Mensah's band"; but "McDonald's" stays at the end of a phrase
    return start, end


def choose(
    asked: Asked, covered: Callable[[Unit], float], found: Sequence[Candidate], *, ranked: bool = True
) -> Extracted | None:
    """Add up what the passages say for each answer, and take the best."""
    if not found:
        return None
    total: dict[tuple[str, ...], float] = {}
    for c in found:
        total[_key(c)] = total.get(_key(c), 0.0) + math.exp(c.worth / SOFT)
    best = max(total, key=lambda k: total[k]) if ranked else _key(found[0])
    first = max((c for c in found if _key(c) == best), key=lambda c: c.worth)
    others = [total[_key(c)] for c in found if not same_name(c.text, first.text)]
    text = re.sub(r"\s+", " ", first.text)
    return Extracted(
        Reading(
            text,
            (Span(first.unit, text, first.unit.start, first.unit.end, first.worth),),
            _worked_out(asked, first),
        ),
        first.score - first.read.none,
        first.read.relevance,
        SOFT * math.log(total[best] / max(others)) if others else ALONE,
        sum(c.best and c.read.margin > 0 and same_name(c.text, first.text) for c in found),
        named(asked, first.hit.article),
        covered(first.unit),
        tuple(c for c in found if c.best and c.read.margin > 0),
    )


def _key(found: Candidate) -> tuple[str, ...]:
    """What makes two candidates one answer: their words, articles apart."""
    said = tokens(found.text)
    return tuple(w for w in said if w not in ("the", "a", "an")) or tuple(said)


def named(asked: Asked, article: Article) -> float:
    """Return the share of the question's names that an article holds, 1 when it has none."""
    words = {stem(w) for w in tokens(f"{article.title} {article.text}")}
    held = [all(stem(w) in words for w in t.words) for t in asked.names]
    return sum(held) / len(held) if held else 1.0


def _worked_out(asked: Asked, found: Candidate) -> str | None:
    """Say which day "on Sunday" is."""
    published = found.hit.article.published
    if asked.kind != "when" or published is None or re.search(r"\d", found.text):
        return None
    on = resolve_relative(found.text, published=published)
    return f"“{found.text}” in an article of {day(published)} is {on:%A}, {day(on)}." if on else None


def features(query: Query, asked: Asked, ruled: Reading | None, found: Extracted) -> tuple[float, ...]:
    """What tells who is right, each about -1 to 3: FEATURES in their order, and 1 for the bias."""
    agreed = ruled is not None and same_name(ruled.short, found.reading.short)
    return (
        max(-12.0, min(12.0, found.margin)) / 4,
        max(-8.0, min(8.0, found.relevance)) / 4,
        min(8.0, found.lead) / 4,
        min(3, found.votes) / 3,
        found.named,
        found.covered,
        float(agreed),
        float(ruled is not None and not agreed),
        float(query.event is not None),
        min(1.5, max((s.score for s in ruled.spans), default=0.0)) if ruled else 0.0,
        min(10, len(asked.hard)) / 10,
        1.0,
    )


def probability(weights: Sequence[float], values: Sequence[float]) -> float:
    """Return the probability that an answer is right: a logistic regression, fitted by `python -m eval.calibrate`."""
    return 1 / (1 + math.exp(-sum(w * v for w, v in zip(weights, values, strict=True))))


def decide(asked: Asked, ruled: Reading | None, found: Extracted, values: Sequence[float]) -> tuple[Reading, float]:
    """Choose between what the rules read and what the model read, by their `features`: `(best guess, its probability)`."""
    of_model = probability(MODEL_RIGHT, values)
    if ruled is None:
        return found.reading, of_model
    of_rules = probability(RULES_RIGHT, values)
    by_rules = asked.kind in BY_RULES or len(asked.hard) <= SHORT or of_rules >= of_model
    return (ruled, of_rules) if by_rules else (found.reading, of_model)


def may_give(asked: Asked, ruled: bool, found: Extracted, sure: float) -> bool:
    """Tell whether a guess is good enough to be given; `ruled`: it is the rules'."""
    short = len(asked.hard) <= SHORT
    if ruled:
        return sure >= (SHOWN_SHORT if short else SHOWN_BY_RULES)
    # An article that lacks a name of the question does not say what the model finds in it.
    return sure >= SHOWN and found.named == 1.0 and (not short or found.covered >= COVERED)


def another_tie(asked: Asked, unit: Unit) -> bool:
    """Tell whether a unit speaks of the counterpart alone of the kinship asked for: of a husband where a wife is."""
    said = set(tokens(unit.scope))
    wanted = set(tokens(asked.text))
    ties = [pair for pair in (*_TIES, *((b, a) for a, b in _TIES)) if pair[0] in wanted and pair[1] not in wanted]
    return any(asked_for not in said and other in said for asked_for, other in ties)
