"""The extractive reader: answers from the words of the coverage with no language model, or says that they do not say.

It picks the sentence, item or caption that says what is asked, reads the bare answer out of it where a rule can (who did
it, to whom, with whom, which title, when, how many, who said so, who took the picture), and frames it in one dated
sentence around a verbatim quote. What it does not know: paraphrase beyond a thesaurus, arithmetic, or anything that takes
two articles to work out. It would rather decline than guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from rag.answer.asking import (
    PRIZE,
    Asked,
    Kind,
    asks_clock,
    asks_published,
    is_event_date,
    kind_of,
    plainly,
    take_apart,
    type_of,
)
from rag.answer.expected import is_dateline, may_be
from rag.answer.extract import Extracted, decide, extract, features, may_extract, may_give
from rag.answer.frame import frame, refuse, shown
from rag.answer.match import Matcher, Vocabulary, name_match, thesaurus
from rag.answer.people import person, photographed_with, photographer
from rag.answer.span import AWARD, ENOUGH, SURE_NAME, Reading, Span, alone, day
from rag.answer.things import (
    PLACE,
    REASON,
    ROLE,
    by_pattern,
    byline,
    clock,
    confirmation,
    denial,
    event_date,
    moment,
    number,
    prizes_of_event,
    role,
    speech,
    thing,
    venue,
)
from rag.answer.units import Unit, units_of
from rag.errors import ReaderModelError
from rag.ingest.events import editions_said, find_mentions, load_names
from rag.ingest.names import fold
from rag.retrieve.words import stem, tokens
from rag.types import Answer, Article, Hit, Query

if TYPE_CHECKING:
    from rag.ingest.events import Names
    from rag.store.library import Library


PIECES = 6  # of coverage that are read each by itself, to see whether they agree
TOLD = 2  # of those that say otherwise are quoted in a note
ONE_ANSWER = ("when", "where", "how_many")
ONE_PERSON = re.compile(
    r"\b(?:host|hosts|hosted|hosting|presenter|emcee\w*|directed|director|beat|defeated|succeeded|replaced|chaired|led|headlined)\b"
    r"|\b(?:won|wins?|received|got|took|winner)\b.{0,40}\b(?:award|prize|best|trophy|medal|cup|final|title|race|election|of the (?:year|summer|century|decade|night|match|tournament))\b"
)
ANY = re.compile(r"\b(?:all|every|everyone|list|some|any|others?|else|names|people who|which of|who all|nomin\w+)\b")
RULED = 16  # hits that the rules look through
SURE_VERB = 0.7  # what somebody is asked to have done must be said, not only who and when

_NEGATED = re.compile(
    r"\b(?:never|not once|not|no|without|nobody|n[o']t|(?:did|does|do|was|were|is|has|have|had|wo|ca|could|would)n['’]t)\b",
    re.I,
)

_LOST = re.compile(
    r"\b(?:loss|lost|losing|lose|snub\w*|missed out|missing out|denied|failed|robbed|nominat\w+|up for|in the running)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Found:
    """What the hits say. `reading` is the answer to give; `guess` the best there is, given or not; `confidence` that the
    guess is right (None: only rules have read). `ruled` and `extracted` are what rules and model read, `values` what tells
    which of them is right; `read` are the ids of the chunks that were read.
    """

    reading: Reading | None = None
    guess: Reading | None = None
    confidence: float | None = None
    ruled: Reading | None = None
    extracted: Extracted | None = None
    values: tuple[float, ...] = ()
    read: tuple[str, ...] = ()
    each: tuple[Span, ...] = ()


def read_answer(query: Query, hits: Sequence[Hit], *, library: Library) -> Answer:
    """Answer from the words of the hits, or decline and say what is covered.

    Raises: LibraryError, EmbedError.
    """
    found = read_hits(query, hits, library=library)
    if found.reading is None:
        return Answer(
            question=query.asked, standalone_question=query.text, text=refuse(query, hits, library=library), abstained=True,
            engine="reader", sources=tuple(hits), confidence=found.confidence, read=found.read,
        )  # fmt: skip
    answer = replace(frame(query, found.reading, hits), confidence=found.confidence, read=found.read)
    return replace(answer, notes=(*answer.notes, *otherwise(found.each, answer)))


def disagreeing(query: Query, answer: Answer, hits: Sequence[Hit], *, library: Library) -> tuple[str, ...]:
    """Say in a note, if so, that the reader finds other answers in the passages than a language model gave.

    Raises: LibraryError, EmbedError.
    """
    pieces = {h.article.cluster or h.article.id for h in hits}
    if len(pieces) < 2 or not _has_one_answer(kind_of(plainly(query.text)), query.text):
        return ()  # reading costs as much as all else that is done for an answer
    return otherwise(read_hits(query, hits, library=library).each, answer)


def _has_one_answer(kind: Kind, text: str) -> bool:
    low = fold(text)
    one = kind in ONE_ANSWER or (kind == "who" and ONE_PERSON.search(low))
    return bool(one) and not ANY.search(low)


def otherwise(each: Sequence[Span], answer: Answer) -> tuple[str, ...]:
    """Say in a note, if so, what other coverage says instead: no conflict between sources is decided in silence."""
    told = " ".join([answer.text, answer.short or "", *(c.quote for c in answer.citations)])
    backed = [s for s in each if _says(told, s.short)]
    cited = {c.article_id for c in answer.citations}
    against = [s for s in each if s not in backed and s.unit.article.id not in cited]
    if not against or not (backed or cited & {s.unit.article.id for s in each}):
        return ()
    return tuple(f"Sources disagree. {_by(s.unit.article)}: “{shown(s.unit.text, s.short)}”" for s in against[:TOLD])


def _by(article: Article) -> str:
    """Name who said it and when: "Harbour Post, 6 June 2031"; without an outlet, the headline."""
    when = day(article.published) if article.published else ""
    return ", ".join(p for p in (article.outlet or f"“{article.title}”", when) if p)


def _says(told: str, short: str) -> bool:
    """Tell whether a text holds a bare answer, or the part of it that names it (the last word of a name)."""
    have, want = set(tokens(told)), tokens(short)
    return all(w in have for w in want) or (bool(want) and want[-1] in have and not want[-1].isdigit())


def read_hits(query: Query, hits: Sequence[Hit], *, library: Library) -> Found:
    """Read the hits by rule, and by the model if there is one. Raises: LibraryError, EmbedError."""
    names = load_names(library.config.events_file)
    uses = library.config.uses

    def eligible(unit: Unit) -> bool:
        return not uses("editions") or _eligible(query, unit, names)

    able = _able(hits, eligible)
    units = [u for u in units_of(able) if eligible(u)]
    read = tuple(h.chunk.id for h in able)
    if not units:
        return Found(read=read)
    vocabulary = Vocabulary.of(units)
    asked = take_apart(query, vocabulary=vocabulary, names=names)
    if _CHAT.fullmatch(fold(asked.text)):
        return Found(read=read)  # "thanks!" asks nothing
    matcher = Matcher(vocabulary, embedder=library.embedder)
    matcher.prepare(asked.terms)
    ruled = _read(query, asked, units, matcher, ranked=uses("ranking"))
    if ruled is not None and not _may_be(asked, ruled):
        ruled = None
    by_rules = Found(ruled, ruled, ruled=ruled, read=read)
    if library.reader is None or not may_extract(asked):
        return replace(by_rules, each=_each(query, asked, units, matcher, None))
    try:
        found = extract(
            query, asked, able, library.reader,
            eligible=lambda u: eligible(u) and (asked.negative or not _denied(asked, u)),
            covered=lambda u: matcher.coverage(asked.terms, u)[0], ranked=uses("ranking"),
        )  # fmt: skip
    except ReaderModelError as e:
        library.reader_failed(e)
        return by_rules
    each = _each(query, asked, units, matcher, found)
    by_rules = replace(by_rules, each=each)
    if found is None:
        return by_rules
    values = features(query, asked, ruled, found)
    guess, sure = decide(asked, ruled, found, values)
    given = may_give(asked, guess is ruled, found, sure)
    return Found(guess if given else None, guess, sure, ruled, found, values, read, each)


def _each(
    query: Query, asked: Asked, units: Sequence[Unit], matcher: Matcher, found: Extracted | None
) -> tuple[Span, ...]:
    """Read each piece of coverage by itself, where only one answer can be right: what each says, if it says enough."""
    if not _has_one_answer(asked.kind, asked.text) or asked.negative or is_event_date(asked):
        return ()
    pieces: dict[str, list[Unit]] = {}
    for u in units:
        pieces.setdefault(_piece(u), []).append(u)
    out = []
    for piece, own in islice(pieces.items(), PIECES) if len(pieces) > 1 else ():
        ruled = _read(query, asked, own, matcher)
        if (
            ruled is None and asked.kind == "how_many"
        ):  # "how many came": an answer too vague to give may still disagree
            ruled = number(asked, _score(asked, own, matcher))
        spans = [s for s in ruled.spans if alone_in(s.short)] if ruled else []
        spans += [
            Span(c.unit, c.text, c.unit.start, c.unit.end, c.worth)
            for c in (found.each if found else ())
            if _piece(c.unit) == piece and matcher.coverage(asked.terms, c.unit)[0] >= ENOUGH
        ]
        out += spans[:1]
    return tuple(out)


def _piece(unit: Unit) -> str:
    return unit.article.cluster or unit.article.id


def alone_in(short: str) -> bool:
    """Tell whether a bare answer is one thing, not a list of several."""
    return bool(short) and not re.search(r", | and ", short)


def _may_be(asked: Asked, ruled: Reading) -> bool:
    """Tell whether what the rules read is of the kind that is asked for; whoever it was need not have a name."""
    named = asked.kind in ("who", "with", "credit", "yes_no") or may_be(asked, ruled.short)
    return named and not any(is_dateline(s.short, s.unit.text) for s in ruled.spans)


def _able(hits: Sequence[Hit], eligible: Callable[[Unit], bool]) -> list[Hit]:
    """Return the first hits that hold a unit that may answer; no more of them are cut into units than are read."""
    may = (h for h in hits if any(eligible(u) for u in units_of([h])))
    return list(islice(may, RULED))


def _eligible(query: Query, unit: Unit, names: Names) -> bool:
    """Only coverage of the event and edition asked for may answer; a sentence that names another edition is of that one."""
    article = unit.article
    if query.event is None:
        if query.year is None:
            return True
        years = {e.edition for e in article.events} | {str(d.year) for d in (article.published, article.date) if d}
        return str(query.year) in years or str(query.year) in unit.text
    wanted = query.event.edition
    said = editions_said(unit.text, query.event.key, names)
    if said:
        return wanted is None or wanted in said
    about = [e for e in article.events if e.key == query.event.key]
    if about:
        return wanted is None or any(e.edition == wanted for e in about)
    named = any(m.key == query.event.key for m in find_mentions(unit.scope, names))
    return named and wanted is None


def _read(
    query: Query, asked: Asked, units: Sequence[Unit], matcher: Matcher, *, ranked: bool = True
) -> Reading | None:
    if asked.kind == "written" or (asked.kind == "when" and asks_published(asked)):
        return byline(asked, units, query)
    if is_event_date(asked):
        return event_date(units)
    if not asked.hard and asks_clock(asked):
        return clock(asked, (), units)
    if not asked.hard and asked.kind != "with":
        if asked.kind == "where":
            return venue(asked, units)
        listed = type_of(asked.noun) == "award" and (asked.noun or "").endswith("s")
        return prizes_of_event(units) if listed else None
    scored = _score(asked, units, matcher)
    if not ranked:
        scored = [(1.0, u) for _, u in sorted(scored, key=lambda s: (s[1].rank, s[1].start))]
    if (
        about := re.fullmatch(
            r"(?:who|what)(?:'s|s| is| was| are| were)\s+(.+?)(?:'s? (?:role|job|profession|occupation))?\s*\??",
            fold(asked.text),
        )
    ) and (
        len(asked.names) == 1
        and all(t.is_name or t.words[0] in ROLE for t in asked.terms)
        and about
        and asked.preposition is None
        and not AWARD.search(asked.text)
        and not PRIZE.search(asked.text)
        and not set(asked.names[0].words) & {"best", "year", "award"}
    ):
        return role(asked, units)
    by_kind: dict[str, Callable[[], Reading | None]] = {
        "with": lambda: photographed_with(asked, units, matcher) or person(asked, scored),
        "credit": lambda: photographer(asked, units, matcher),
        "who": lambda: person(asked, scored),
        "say": lambda: speech(asked, scored),
        "when": lambda: clock(asked, scored, units) if asks_clock(asked) else moment(asked, scored),
        "where": lambda: by_pattern(asked, scored, PLACE),
        "why": lambda: by_pattern(asked, scored, REASON),
        "how_many": lambda: number(asked, scored),
        "yes_no": lambda: confirmation(asked, scored) or denial(asked, _score(asked, units, matcher, denied=True)),
    }
    return by_kind.get(asked.kind, lambda: thing(asked, scored))()


def _score(asked: Asked, units: Sequence[Unit], matcher: Matcher, *, denied: bool = False) -> list[tuple[float, Unit]]:
    """Units that say enough of the question, best first; those that deny it are left out, or alone are kept."""
    out: list[tuple[float, Unit]] = []
    for u in units:
        if u.kind == "byline" or (u.kind == "title" and asked.kind in ("who", "with", "where", "why")):
            continue
        if any(name_match(t, u) < SURE_NAME for t in asked.names):
            continue
        covered, _ = matcher.coverage(asked.terms, u)
        if asked.verb and matcher.term(asked.verb, u) < SURE_VERB:
            continue
        if asked.kind in ("what", "say") and asked.preposition == "about" and not re.search(r"\babout\b", u.text):
            continue
        denies = not asked.negative and not _ASKS_SPEECH.search(asked.text) and _denied(asked, u)
        if covered < ENOUGH or denies != denied:
            continue
        own, _ = matcher.coverage(asked.hard, alone(u))
        bonus = 0.25 * own - 0.002 * min(u.rank, 40) - (0.05 if u.kind == "title" else 0.0)
        out.append((covered + bonus, u))
    return sorted(out, key=lambda s: (-s[0], s[1].article.id, s[1].start))


_CHAT = re.compile(
    r"\W*(?:(?:ok|okay|thanks|thank you|thx|hello|hi|hey|great|cool|nice|bye|good (?:morning|evening))\W*)+(?:at the .*)?"
)
_ASKS_SPEECH = re.compile(r"\b(?:say|said|says|joked?|quote|words|told|called|stated)\b", re.I)


def _denied(asked: Asked, u: Unit) -> bool:
    """The unit says that it did NOT happen: everywhere a term stands, a negation, a loss or a nomination governs it."""
    table = thesaurus()
    stems = [(m.start(), stem(ws[0])) for m in re.finditer(r"[^\W_][\w’']*", u.text) if (ws := tokens(m.group()))]
    asks_loss = any(w in _LOSING for t in asked.hard for w in t.words)
    lost = [] if asks_loss else [m.start() for m in _LOST.finditer(u.text)]
    negated = [m.start() for m in _NEGATED.finditer(u.text)]
    if not lost and not negated:
        return False
    for t in asked.hard:
        wanted = {stem(w) for w in t.words}
        at = [p for p, s in stems if s in wanted]
        if t.is_name and len(t.words) > 1:  # "Album of the Year" stands where all of it stands
            whole = r"\W+".join(re.escape(w) for w in t.words)
            at = [m.start() for m in re.finditer(whole, fold(u.text))] or at
        if not at and not t.is_name:
            at = [p for p, s in stems if any(s in table.get(w, ()) for w in wanted)]
        if at and all(_governed(u.text, p, negated, lost) for p in at):
            return True
    return False


_LOSING = frozenset(
    "lose lost loss losing miss missed nominate nominated nominees nominee nominations contender contenders up".split()
)

_APART = re.compile(r"[;:.]|[,.!?][\"”]|,\s+(?:and|but|while|though|as|who)\s+[a-z]|\bbut\b")


def _governed(text: str, at: int, negated: Sequence[int], lost: Sequence[int]) -> bool:
    before = any(0 <= at - n <= 60 and not _APART.search(text[n:at]) for n in negated)
    return before or any(abs(at - n) <= 90 and not _APART.search(text[min(at, n) : max(at, n)]) for n in lost)


__all__ = ["read_answer", "refuse"]
