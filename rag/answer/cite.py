"""Citations: bind each sentence of an answer to the words that say it, and judge it (pure).

A sentence is supported when one of the passages that were given says it: its names, numbers, dates, edition, speaker
and polarity by match, the rest by the share of its content words, or by nearness in meaning; and the trained reader, asked
who it was, must not find somebody else. The quote is the shortest run of sentences of the passage that carries it, verbatim.
What speaks to a machine and not to a reader backs nothing. The same answer always gets the same verdicts.

What it does not know: inference. One that puts the right words together in a new relation can pass (who did what to whom is
only compared for neighbouring words and asked for the first people), and a far paraphrase is not found, however true.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache

from rag.answer.claims import (
    CONNECT,
    FRAME,
    GENERIC,
    MEDIUM,
    PRONOUNS,
    SHOWN_THERE,
    THINGS,
    WEEKDAYS,
    Day,
    Facts,
    Name,
    facts_of,
    fold,
    is_person,
    plainly,
    stem_of,
    words_of,
)
from rag.answer.sentences import parse_markers, plain, split_sentences, take_sentences
from rag.types import Citation, Event, Hit, Verdict

SUPPORTED = 0.55  # share of the sentence's content words that its quote has
PARTIAL = 0.4
ALIKE = 0.62  # cosine from which other words for it count as saying it, where every name, figure and date is matched
OTHERWISE = 6.0  # logits above "not here" from which the reader's own answer speaks against a sentence
AROUND = 150  # characters beside a quote that the reader is shown
NEAR = 0.5  # an unsupported sentence is shown, marked, only if a passage has that much of it
LONGEST = 2000  # characters of a sentence that are looked at; nobody writes longer ones
SEGMENTS = 3  # a quote has at most so many sentences


# --- sources ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that was given to the model, cut into sentences and read for facts. Made by `read_sources`."""

    n: int
    hit: Hit
    spans: tuple[tuple[int, int], ...]  # in the article's text
    facts: tuple[Facts, ...]
    phrases: str  # every word of the article, for phrase search
    about: Facts  # event, outlet, authors
    title: Facts
    events: tuple[Event, ...] = field(default=())
    credits: tuple[bool, ...] = ()  # which of the spans are the credit of a picture
    apart: tuple[bool, ...] = ()  # which begin an item or a picture of their own


def read_sources(hits: Sequence[Hit]) -> tuple[Source, ...]:
    """Prepare the passages, numbered from 1 as in the prompt, for `check_sentence`."""
    return tuple(
        replace(_read(Hit(rank=0, score=0.0, chunk=hit.chunk, article=hit.article)), n=n, hit=hit)
        for n, hit in enumerate(hits, start=1)
    )


@lru_cache(maxsize=256)
def _read(hit: Hit) -> Source:
    """Read a passage, whichever its place among the found ones; kept, since the same are found again and again."""
    article, chunk = hit.article, hit.chunk
    spans: list[tuple[int, int]] = []
    at = chunk.start
    clauses = (c for piece in take_sentences(chunk.text, final=True)[0] for c in re.split(r"(?<=;)(?=\s)", piece))
    for piece in clauses:  # what stands behind a semicolon is another claim, often about another person
        start, end = at + len(piece) - len(piece.lstrip()), at + len(piece.rstrip())
        at += len(piece)
        if end > start:
            spans.append((start, end))
    title = "" if _orders(article.title, 0) else article.title
    barred = _orders(chunk.text, chunk.start)
    spans = [(a, b) for a, b in spans if not any(a < e and s < b for s, e in barred)]
    texts = [chunk.text[a - chunk.start : b - chunk.start] for a, b in spans]
    credits = tuple(bool(_CREDIT.match(t)) for t in texts)
    names = [e.name for e in article.events] + [e.short or "" for e in article.events]
    about = " | ".join([*names, article.outlet or "", *article.authors])
    return Source(
        n=0,
        hit=hit,
        spans=tuple(spans),
        facts=tuple(facts_of(t) for t in texts),
        phrases=_phrases(f"{title} |\n{article.text}"),
        about=facts_of(about),
        title=facts_of(title),
        events=article.events,
        credits=credits,
        apart=tuple(bool(_ITEM.match(t)) or (n > 0 and credits[n - 1] and not credits[n]) for n, t in enumerate(texts)),
    )


def _orders(text: str, at: int) -> list[tuple[int, int]]:
    """Find the lines that speak to a machine and not to a reader; what they say backs nothing. `at`: where text begins.

    An order may run over a line's end, and what it dictates may stand on the next line.
    """
    lines = [
        (m.start(), m.end(), unicodedata.normalize("NFKC", _unseen(m.group()))) for m in re.finditer(r"[^\n]+", text)
    ]
    barred: set[int] = set()
    for n, (_, _, line) in enumerate(lines):
        if _is_order(line):
            barred.add(n)
            if not re.search(r"[.!?…][\"”’)\]]*\s*$", line) or re.search(r"\bfollows\b|:\W*$", line):
                barred.add(n + 1)
        elif n + 1 < len(lines) and _is_order(f"{line[-200:]} {lines[n + 1][2][:200]}"):
            barred |= {n, n + 1}
    return [(at + s, at + e) for n, (s, e, _) in enumerate(lines) if n in barred]


@lru_cache(maxsize=8192)
def _is_order(line: str) -> bool:
    """Tell whether a line speaks to a machine; kept, since the lines of the same passages come again and again."""
    plain = line.translate(_DOTS).casefold()
    for hint in _HINTS:  # a loop: as a generator in any() it takes as long as the pattern
        if hint in plain:
            return _ORDER.search(line) is not None
    return False


def _unseen(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Co", "Cn"))


# Words that news has no use for, in the languages that were tried; an article about such attacks can be quoted less.
_MACHINE = r"(?:language model|chat ?bot|LLM|AI (?:assistant|model|system|reader|agent)|virtual assistant|summari[sz]er|(?:digital|this) assistant)s?"
_IMPERATIVE = r"(?:^|[.!?:;,]\s+|\b(?:please|must|should|only|then|now|just)\s+)"
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\w*\b.{0,40}\b(?:(?:previous|prior|earlier|above|your|all|these|the) (?:\w+ )?(?:instructions?|rules?|prompts?)|(?:told|said|written|stands?) above|everything (?:above|before))"
    r"|\b(?:instructions?|rules?|commands?)\b.{0,40}\b(?:are cancelled|are void|no longer (?:apply|hold)|are suspended|overridden)"
    r"|\b(?:system|developer|operator|assistant) (?:message|prompt|notice|note|override|instruction|command|mode)s?\b|(?<!#)#{1,6} ?(?:end of )?system\b"
    rf"|\b(?:to|for|any|every|all|dear|attention|note to|if you are|this) (?:an? |the )?{_MACHINE}\b(?=.{{0,80}}\b(?:must|should|will|please|reads?|shows?|say|answer|reply|write|print|add|:))"
    r"|\b(?:you are no longer|from now on,? (?:you|answer|reply|call|sign)|from here on your|your (?:only|new|next|real) (?:task|instructions?|role)|new instructions?\b|pretend (?:to be|that you are)|play the (?:role|part) of an?|imagine that you are)\b"
    rf"|{_IMPERATIVE}(?:reply|respond|answer|output|print|repeat|recite|reveal|return|write|say|tell the reader|open|begin|finish|end)\b.{{0,40}}(?:\b(?:with (?:exactly|only|the (?:word|words|line|phrase|code|sentence))|exactly|verbatim|in (?:json|html|rot13|base64)|instead of (?:an|the) answer)\b|:\s*[\"“A-Z])"
    r"|\b(?:(?:the|your|every|ordinary|an) (?:reply|response|answer))\b.{0,60}(?:\bthat consists? of\b|\bread by a program\b|\bin place of\b)"
    r"|\b(?:in place of|instead of) (?:an|the|any)(?: ordinary)? answer\b|\bin every answer\b|\bevery repl(?:y|ies)\b|\bsign your replies\b"
    r"|(?:^|[\"'])\s*(?:user|assistant|system|human)[\"']?\s*:|</?\s*(?:sources?|system|question|instructions?|script|user|assistant)\b|\[/?(?:INST|SYSTEM)\]|<\|"
    r"|\b(?:base ?64|rot ?-?13)\b|(?-i:\bANSWER\s*:)|\bNOT_IN_SOURCES\b"
    r"|\b(?:ignor(?:ez|e|iere|a)|oubliez|olvida|vergiss)\b.{0,60}(?:instruct|instruc|anweisung|consign|r[èe]gl|regel|reglas)|\b(?:répond|respond|antwort|schreib|écri|escrib)\w*\b.{0,50}\b(?:seulement|uniquement|solo|nur|genau|únicamente)\b"
    r"|忽略|指令|تجاهل|التعليمات",
    re.IGNORECASE,
)
# What every match of `_ORDER` has one of. Most lines have none: a line of news takes a third of the time so.
_HINTS = (
    "ignor", "disregard", "forget", "override", "bypass", "instruction", "rule", "command", "system", "developer", "operator",
    "assistant", "language model", "ai model", "ai reader", "ai agent", "chatbot", "chat bot", "llm", "summari", "no longer",
    "from now on", "from here on", "your only", "your new", "your next", "your real", "pretend", "play the", "imagine that you",
    ":", "exactly", "verbatim", "with only", "with the word", "with the line", "with the phrase", "with the code",
    "with the sentence", "in json", "in html", "instead of", "in place of", "consist", "read by a program", "every answer",
    "every repl", "sign your", "<", "[inst", "[/inst", "base64", "base 64", "rot13", "rot 13", "rot-13", "rot -13",
    "not_in_sources", "oubliez", "olvida", "vergiss", "répond", "respond", "antwort", "schreib", "écri", "escrib", "忽略", "指令",
    "تجاهل", "التعليمات",
)  # fmt: skip
_DOTS = {0x130: "i", 0x131: "i"}  # İ and ı are an i to IGNORECASE, and not to casefold()
_CREDIT = re.compile(
    r"(?:photo|picture|image|credit)s?(?: by)?\s*:|.{0,80}(?:\bGetty Images\b|\bFilmMagic\b|\bWireImage\b|\bAP Photo\b|\bReuters\b)(?: for \w+)?\W*$",
    re.IGNORECASE,
)
_ITEM = re.compile(r"\d{1,3}[.)]\s")


@lru_cache(maxsize=256)
def _phrases(text: str) -> str:
    for start, end in reversed(_orders(text, 0)):
        text = text[:start] + text[end:]
    return plainly(text)


# --- the check -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Support:
    """How far one passage carries a sentence: its verdict and the quote's place in the article's text."""

    source: Source
    verdict: Verdict
    start: int
    end: int
    overlap: float
    missing: frozenset[str] = frozenset()
    conflict: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence of an answer, judged. `keep` is false when nothing in the sources comes near it.

    `about_sources` marks a remark on what the sources do not say: it needs no citation and is no answer. `near` is what
    comes nearest to an unsupported sentence.
    """

    text: str
    verdict: Verdict
    support: tuple[Support, ...] = ()
    keep: bool = True
    about_sources: bool = False
    break_before: str = " "
    near: Support | None = None


Reads = Callable[[str, str, str], tuple[str, float]]  # question, headline, passage -> answer, how sure (logits)
Alike = Callable[[str, Sequence[str]], Sequence[float]]  # a text, others -> how near in meaning each is, -1 to 1


def check_sentence(
    sentence: str,
    *,
    sources: Sequence[Source],
    event: Event | None = None,
    alike: Alike | None = None,
    reads: Reads | None = None,
    break_before: str = " ",
) -> Checked:
    """Judge one sentence of an answer, markers included, against the passages that were given.

    Markers that point nowhere are dropped; a sentence without a marker, or whose marker does not carry it, gets the
    passage that does. `event` is the edition that the question asks about: a fact about another edition must name it.
    `alike` tells whether a passage says in other words what it does not say in the same; `reads` answers a question from a
    passage: where it finds somebody else than the sentence names, the sentence is only "partial".
    """
    text, markers, judged = _opened(sentence, break_before)
    if judged is not None:
        return judged
    facts = facts_of(text)
    found = [_support(facts, s, event=event) for s in sources]
    if (less := _CONTRAST.sub("", _UNSAID.sub("", text))) != text and not any(s.verdict == "supported" for s in found):
        facts = facts_of(less)
        found = [_support(facts, s, event=event) for s in sources]
    if alike is not None and not any(s.verdict == "supported" for s in found):
        found = _in_other_words(text, facts, found, alike)
    by_n = {s.source.n: s for s in found}
    cited = [by_n[n] for n in markers if n in by_n]
    good = [s for s in cited if s.verdict == "supported"]
    if not any(s.verdict == "supported" for s in found) and (pictures := _seen_with(facts, sources, event)):
        return Checked(text, "supported", pictures, break_before=break_before)
    if not good and len(cited) > 1 and (joined := _jointly(facts, cited)):
        return Checked(text, "supported", joined, break_before=break_before)
    others = [s for s in found if s.verdict == "supported"]
    if not good and others:
        good = [_best(others)]  # the marker is missing or wrong, and a passage does say it
    if good and reads is not None and _somebody_else(text, facts, good[0], reads):
        return Checked(text, "partial", tuple(replace(s, verdict="partial") for s in good), break_before=break_before)
    if good:
        return Checked(text, "supported", tuple(good), break_before=break_before)
    partly = [s for s in cited if s.verdict == "partial"] or [s for s in found if s.verdict == "partial"][:1]
    if partly:
        return Checked(text, "partial", tuple(partly), break_before=break_before)
    near = _best(cited or found) if found else None
    against = any(s.conflict and not s.missing and s.overlap >= NEAR for s in found)
    keep = (
        near is not None
        and not (near.conflict or against)
        and (near.overlap >= NEAR or sum(is_person(n) for n in facts.names) > 1)
        and len(near.missing) <= 1
        and all(re.search(r"[^\W\d_]", m) and any(_has(s.phrases, m) for s in sources) for m in near.missing)
    )
    return Checked(
        text, "unsupported", (near,) if near and keep else (), keep=keep, break_before=break_before, near=near
    )


def as_said(sentence: str, *, sources: Sequence[Source], break_before: str = " ") -> Checked:
    """Leave a sentence and its markers as the model gave them, unchecked: what `check_sentence` is measured against.

    Each citation still has the verdict of its own passage, so that it can be counted.
    """
    text, markers, judged = _opened(sentence, break_before)
    if judged is not None:
        return judged
    cited = tuple(_support(facts_of(text), s, event=None) for s in sources if s.n in markers)
    carried = bool(cited) and all(s.verdict == "supported" for s in cited)
    return Checked(text, "supported" if carried else "partial", cited, break_before=break_before)


def _opened(sentence: str, break_before: str) -> tuple[str, tuple[int, ...], Checked | None]:
    """Return a sentence's plain text, its markers, and its judgement where it claims nothing that could be checked."""
    text, markers = parse_markers(sentence[:LONGEST])
    text = plain(text)
    if not re.search(r"[^\W_]", text):
        return text, markers, Checked("", "unsupported", keep=False)
    if about_sources(text):
        return text, markers, Checked(text, "supported", about_sources=True, break_before=break_before)
    return text, markers, None


def about_sources(text: str) -> bool:
    """Tell whether a sentence is a remark on what the sources do not say: it claims nothing, and needs no citation."""
    said = text.strip()
    opening = re.match(r"(?:However|But|Also|Still),? ", said)
    return bool(_ABOUT_SOURCES.fullmatch(said)) and not _TELLS.search(said[opening.end() :] if opening else said)


_GIVEN_BY = r"(?:sources?|articles?|coverage|passages?|reports?|texts?|captions?)"
_ABOUT_SOURCES = re.compile(
    rf"(?:(?:however|but|also|still),? )?(?:(?:the|these|those|none of the|other) )?(?:\w+ ){{0,2}}{_GIVEN_BY}\b[^.;:,]{{0,40}}?\b(?:do|does|did)(?: not|n['’]t) "
    r"(?:\w+ )?(?:say|name|mention|state|tell|give|report|identify|cover|list|specify|describe|explain|include|contain|show|confirm|quote|indicate|provide|discuss|detail)\b[^.;:]*[.!]?"
    rf"|[^.;:,]{{1,80}}\b(?:not|isn['’]t|aren['’]t|nowhere)\b[^.;:]{{0,40}}?\b(?:in|by) the (?:\w+ )?{_GIVEN_BY}[.!]?"
    r"|no [^.;:,]{1,60} (?:is|are|was|were) (?:reported|mentioned|named|given|listed)[^.;:,]{0,30}[.!]?"
    r"|[^.;:,]{1,60} (?:is|are|was|were) not (?:reported|mentioned|stated|specified)[^.;:,]{0,30}[.!]?"
    rf"|no {_GIVEN_BY}\b[^.;:]{{0,30}}\b(?:says?|names?|mentions?|states?|identif\w+|covers?|reports?|lists?|gives?)\b[^.;:]*[.!]?",
    re.IGNORECASE,
)
# A remark has nothing to tell: no figure but a year, nobody to call, no second claim.
_TELLS = re.compile(
    r"\b(?:you|your|call|click|visit|pay|account|password|but|because|however)\b|\b(?!(?:19|20)\d\d\b)\d{2,}",
    re.IGNORECASE,
)
_UNSAID = re.compile(
    r"[;,] (?:but |and |though )?(?:the |his |her |its )?(?:[a-z]+ ){1,5}(?:is|are|was|were) not (?:reported|mentioned|named|given|listed|identified|stated)(?=[.;]|$)"
)
# "Swift, not Perry, won": what is denied by the way needs no passage of its own
_CONTRAST = re.compile(
    r",\s+(?:and\s+)?not\s+(?:by\s+|to\s+|with\s+|the\s+)?(?:(?<![\w’'.&-])[A-Z][\w’'.&-]*\s*){1,4}(?=[,.;]|\s*$)"
)


def _somebody_else(text: str, facts: Facts, support: Support, reads: Reads) -> bool:
    """Ask the passage who it was, for each of the first people of a sentence, and tell whether it names another."""
    source = support.source
    if source.hit.chunk.kind != "text" or any(source.credits):
        return False  # the pictures beside it show others
    folded = fold(text)
    article = source.hit.article
    around = article.text[max(0, support.start - AROUND) : support.end + AROUND]
    people = [n for n in facts.names if is_person(n) and len(n) > 1][:2]
    said = {w.text for w in facts.words}
    for name in people if len(folded) == len(text) else ():
        at = re.search(r"\b" + r"\W+".join(map(re.escape, name)) + r"\b(?:['’]s\b)?", folded)
        if at is None:
            continue
        joined = re.search(r"(?:\band|&|,)\s*$", folded[: at.start()]) or re.match(
            r"\s*(?:and\b|&|,)", folded[at.end() :]
        )
        if joined:  # "who and Ann Lee sang" is no question
            continue
        who = "whose" if at.group().endswith(("'s", "’s")) else "who"
        answer, sure = reads(f"{text[: at.start()]}{who}{text[at.end() :]}".rstrip(". ") + "?", article.title, around)
        found = {w.text for w in words_of(answer)}
        another = _FULL_NAME.fullmatch(answer.strip()) and not found & said
        if sure > OTHERWISE and another:
            return True
    return False


_FULL_NAME = re.compile(r"(?:[a-z]+ )?(?:[A-ZÀ-ÞŠŽČĆĐŁŚŻ][\w’'.-]+\s?){2,4}")


def _in_other_words(text: str, facts: Facts, found: Sequence[Support], alike: Alike) -> list[Support]:
    """Raise the verdict of windows that lack nothing but the words, where they mean the same."""
    lacking = [(s, _inside(s)) for s in found if not s.missing and not s.conflict]
    open_ = [s for s, inside in lacking if _tells_of(facts, inside) and not _counted_otherwise(facts, inside)]
    if not open_:
        return list(found)
    shown = [f"{s.source.hit.article.title}. {s.source.hit.article.text[s.start : s.end]}" for s in open_]
    near = dict(zip((s.source.n for s in open_), alike(_undated(text), shown), strict=True))
    return [replace(s, verdict="supported") if near.get(s.source.n, -1.0) >= ALIKE else s for s in found]


def _tells_of(facts: Facts, inside: Sequence[Facts]) -> bool:
    """Tell whether a quote has anything of a sentence by itself, and not in the headline above it alone."""
    named = {w for name in facts.names for w in name}
    return any(_shares(facts, f) or any(w.text in named for w in f.words) for f in inside)


def _inside(support: Support) -> list[Facts]:
    """Return the facts of the sentences that a quote is made of."""
    spans = zip(support.source.spans, support.source.facts, strict=True)
    return [f for (a, b), f in spans if a < support.end and b > support.start]


def _undated(text: str) -> str:
    """Leave out the day, which is checked by itself: a passage seldom says it."""
    return re.sub(
        r",? (?:(?:held |dated |published )?(?:on|of) )?(?:the )?(?:night of )?(?:\w+day, )?(?:\d{1,2} [A-Z][a-z]+|[A-Z][a-z]+ \d{1,2},?) (?:19|20)\d\d,?",
        "",
        text,
    )


def _best(found: Iterable[Support]) -> Support:
    return max(found, key=lambda s: (-len(s.missing) - 2 * s.conflict, round(s.overlap, 3), -s.source.n))


def _jointly(facts: Facts, cited: Sequence[Support]) -> tuple[Support, ...] | None:
    """Accept a sentence that two passages carry together: every fact in one of them, and most of the words."""
    if any(s.conflict for s in cited):
        return None
    missing = frozenset.intersection(*(s.missing for s in cited))
    stems = {stem for s in cited for f in _inside(s) for stem in f.all_stems}
    share = len(facts.stems & stems) / len(facts.stems) if facts.stems else 1.0
    if missing or share < SUPPORTED:
        return None
    return tuple(replace(s, verdict="partial") for s in cited if s.overlap > 0)


def _seen_with(facts: Facts, sources: Sequence[Source], event: Event | None) -> tuple[Support, ...]:
    """Find the pictures for a sentence that lists with whom somebody was seen: each pair in a caption of its own.

    Nothing when one pair is in none, or when the sentence says more than who was seen, and when.
    """
    people = [n for n in facts.names if is_person(n)]
    if (
        len(people) < 3
        or facts.negated
        or not facts.stems & (MEDIUM | {"pair"})
        or facts.stems - SHOWN_THERE - FRAME - {"pair", "backstag"}
    ):
        return ()
    for anchor in people:
        found = [_picture(anchor, other, facts, sources, event) for other in people if other != anchor]
        kept = [s for s in found if s is not None]
        if len(kept) == len(found):
            return tuple({(s.source.n, s.start): s for s in kept}.values())
    return ()


def _picture(a: Name, b: Name, facts: Facts, sources: Sequence[Source], event: Event | None) -> Support | None:
    for source in sources:
        for k, inside in enumerate(source.facts):
            words = _spaced(inside)
            if not source.credits[k] and _has(words, " ".join(a)) and _has(words, " ".join(b)):
                shown = source.hit.chunk.kind == "caption" or any(source.credits[k : k + 2])
                if _wrong_edition(facts, [inside], source, event=event) or _opposed(facts, [inside]):
                    continue
                if shown and not _dates_missing(facts, [inside], source) and facts.years <= _years([inside], source):
                    return Support(source, "supported", *source.spans[k], 1.0)
    return None


def _support(facts: Facts, source: Source, *, event: Event | None) -> Support:
    """Find the shortest run of the passage's sentences that carries most of the sentence, and judge it."""
    best: Support | None = None
    rank = (-9.0, 0, 0)
    # The best first: what is missing or contradicts only takes from what a window's words give, so the rest need no look.
    windows = sorted(_windows(facts, source), key=lambda w: -w[0])
    for most, order, i, j, overlap in windows:
        if most < rank[0]:
            break
        s = _window(facts, source, i, j, overlap=overlap, event=event)
        # A longer quote must earn its length; a contradiction is only escaped by a window without one.
        score = s.overlap - 0.4 * len(s.missing) - 0.6 * s.conflict - 0.08 * (j - i)
        if (score, s.start - s.end, -order) > rank:
            best, rank = s, (score, s.start - s.end, -order)
    if best is None:
        chunk = source.hit.chunk
        return Support(source, "unsupported", chunk.start, chunk.end, 0.0, frozenset({"?"}))
    return best


def _windows(facts: Facts, source: Source) -> Iterator[tuple[float, int, int, int, float | None]]:
    """Yield (the score that it can have at most, its number, first, last, overlap) of each run that may be quoted."""
    order = 0
    for i in range(len(source.spans)):
        for j in range(i, min(i + SEGMENTS, len(source.spans))):
            if j > i and source.apart[j]:
                break  # the next item, or the next picture, tells of something else
            if j > i and source.credits[i]:
                break  # a credit belongs to the picture before it
            if (
                j > i
                and not source.credits[j]
                and source.hit.chunk.kind != "item"
                and not (_shares(facts, source.facts[i]) and _shares(facts, source.facts[j]))
            ):
                continue  # a name next door says nothing about what is told here
            overlap = _overlap(facts, source, i, j)
            order += 1
            yield (1.0 if overlap is None else overlap) - 0.08 * (j - i), order, i, j, overlap


def _shares(facts: Facts, inside: Facts) -> bool:
    if facts.speakers and any(n in inside.names for n in facts.names):
        return True  # who spoke, or about whom, often stands beside the words; the speaker is checked by itself
    return bool(facts.stems & inside.all_stems or facts.numbers & inside.numbers or facts.days & inside.days)


def _overlap(facts: Facts, source: Source, i: int, j: int) -> float | None:
    """Return the share of the sentence's words that a window says, 0 to 1; None where it has none to say."""
    inside = source.facts[i : j + 1]
    wanted = facts.stems - FRAME
    shows = facts.stems & MEDIUM or (facts.words and facts.words[0].text in ("another", "others", "other"))
    if shows and (any(source.credits[i : j + 2]) or source.hit.chunk.kind == "caption"):
        wanted -= SHOWN_THERE  # that it is a picture, the credit under it tells
    stems = frozenset().union(*(f.all_stems for f in inside), source.title.all_stems, source.about.all_stems)
    # The "Award" in a name is not the verb.
    stems = (stems - {"get"}) | frozenset().union(*(f.stems for f in inside))
    return len(wanted & stems) / len(wanted) if wanted else None


def _window(facts: Facts, source: Source, i: int, j: int, *, overlap: float | None, event: Event | None) -> Support:
    inside = source.facts[i : j + 1]
    before = source.facts[max(0, i - (4 if facts.speakers else 2)) : i]
    start, end = source.spans[i][0], source.spans[j][1]
    words = _spaced(*inside)
    earlier = _spaced(*before, source.title)
    pronoun = any(w.text in PRONOUNS for f in inside for w in f.words)
    earlier += " ".join(_subject_before(source, i)) + " "
    if any(w.text in _RELATIONS for f in inside for w in f.words):  # "his wife": the next sentence may name her
        pronoun = True
        earlier += _spaced(*source.facts[j + 1 : j + 2])
    missing: set[str] = set()
    for name in facts.names:
        missing |= _name_missing(name, words=words, earlier=earlier if pronoun else "", source=source)
    numbers = frozenset().union(*(f.numbers for f in inside), source.title.numbers)
    ordinals = frozenset().union(*(f.ordinals for f in inside), source.title.ordinals, _editions(source))
    missing |= {f"{n:g}" for n in facts.numbers - numbers - {float(o) for o in ordinals}}
    missing |= _units_missing(facts, (*inside, source.title))
    # "Her first book" is a debut as well: only later places are figures that must stand there.
    missing |= {f"{n}th" for n in facts.ordinals - ordinals - {1} if n > 3 or not numbers & {float(n)}}
    missing |= _dates_missing(facts, inside, source)
    missing |= {str(y) for y in facts.years - _years(inside, source)}
    if overlap is None:
        overlap = 0.0 if missing else 1.0
    conflict = (
        _wrong_edition(facts, inside, source, event=event)
        or _framed_otherwise(facts, source, i, j)
        or _opposed(facts, inside)
        or _changed_otherwise(facts, inside)
        or _done_otherwise(facts, inside)
        or _other_actor(facts, inside)
        or _other_speaker(facts, source, i, j)
    )
    verdict: Verdict = "unsupported"
    if not missing and not conflict:
        # A bare name is in the passage, but that is not a claim that could be checked.
        told = bool(facts.stems) or len(facts.names) + len(facts.numbers) + len(facts.days) > 1
        if told and overlap >= SUPPORTED and not _counted_otherwise(facts, inside):
            verdict = "supported"
        elif overlap >= PARTIAL and not facts.speakers:
            verdict = "partial"
    return Support(source, verdict, start, end, overlap, frozenset(missing), conflict)


_ALSO = {
    "united states": ("us", "u.s", "usa", "u.s.a", "america", "american", "americans"),
    "us": ("united states", "u.s", "usa", "america", "american", "americans"),
    "u.s": ("united states", "us", "usa", "america", "american", "americans"),
    "usa": ("united states", "us", "u.s"),
    "united kingdom": ("uk", "u.k", "britain", "british"),
    "uk": ("united kingdom", "u.k", "britain", "british"),
    "european union": ("eu", "e.u"),
    "eu": ("european union",),
    "united nations": ("un", "u.n"),
    "new york city": ("nyc", "new york"),
}


def _subject_before(source: Source, i: int) -> Name:
    """Return who the sentences before are about: the last that opens with a person's name."""
    for k in range(i - 1, max(-1, i - 7), -1):
        if source.apart[k + 1]:
            break
        opening = [w.text for w in source.facts[k].words[:4]]
        for name in source.facts[k].actors:
            if all(w in opening for w in name):
                return name
    return ()


def _name_missing(name: Name, *, words: str, earlier: str, source: Source) -> set[str]:
    """Return the name, or the part of it, that neither the window nor what it refers to has."""
    phrase = " ".join(name)
    if any(_has(words, other) for other in _ALSO.get(phrase, ())):
        return set()
    about = _spaced(source.about)
    if _has(words, phrase) or _has(about, phrase):
        return set()
    telling = [w for w in name if w not in GENERIC and w not in CONNECT and len(w) > 1]
    own = [w for w in telling if w not in THINGS or w == "vanguard"]
    if any(_has(words, w) or (earlier and _has(earlier, w)) for w in own) and _has(source.phrases, phrase):
        return set()  # "Perry", where the article says Katy Perry elsewhere
    if is_person(name) and earlier and _has(earlier, phrase):
        return set()  # "she", after the sentence or under the headline that names her
    if telling and all(_has(about, w) for w in telling):
        return set()  # "MTV VMAs", of an event whose name and short name have both words
    parts = _split_name(name)
    if len(parts) > 1 and is_person(name):
        return set().union(*(_name_missing(p, words=words, earlier=earlier, source=source) for p in parts))
    for cut in range(1, len(name)):  # two names side by side: "giving Beyoncé Album of the Year"
        if all(_has(words, " ".join(p)) or _has(earlier, " ".join(p)) for p in (name[:cut], name[cut:])):
            return set()
    if len(telling) > 1 and {stem_of(w) for w in telling} <= {stem_of(w) for w in words.split()}:
        return set()  # "Black Democrats", of Black Democratic lawmakers
    here = [w for w in telling if _has(words, w)]
    if not is_person(name) and here and all(w in here or _has(about, w) for w in telling):
        return set()
    return {phrase}


def _split_name(name: Name) -> list[Name]:
    parts: list[Name] = []
    run: list[str] = []
    for w in name:
        if w in CONNECT:
            if run:
                parts.append(tuple(run))
            run = []
        else:
            run.append(w)
    return [*parts, tuple(run)] if run else parts


def _spaced(*facts: Facts) -> str:
    """Put the words of sentences in a row, a space around each, for `_has`."""
    return f" {' '.join(w.text for f in facts for w in f.words)} "


def _own_stems(facts: Facts) -> frozenset[str]:
    """The stems of a claim's words, names too."""
    return facts.stems | {stem_of(w) for n in facts.names for w in n}


def _has(text: str, phrase: str) -> bool:
    if f" {phrase} " in text or f" {phrase}s " in text:
        return True
    return phrase.endswith("s") and len(phrase) > 4 and f" {phrase[:-1]} " in text


def _editions(source: Source) -> frozenset[int]:
    out = {int(m) for e in source.events for m in re.findall(r"\b(\d{1,3})(?:st|nd|rd|th)\b", f"{e.edition} {e.name}")}
    return frozenset(out | {int(m) for m in re.findall(r" (\d{1,3})(?:st|nd|rd|th) ", source.phrases)})


def _dates_missing(facts: Facts, inside: Sequence[Facts], source: Source) -> set[str]:
    article = source.hit.article
    known = [d for d in (article.published, *(e.start for e in source.events)) if d]
    days: set[Day] = {(d.year, d.month, d.day) for d in known}
    if article.published:  # "on Tuesday" is the last one before it was printed
        back = {(article.published.weekday() - w) % 7 for f in inside for w in f.weekdays}
        days |= {(d.year, d.month, d.day) for n in back for d in (article.published - timedelta(days=n),)}
    years = _years((), source)
    for y, m, d in frozenset().union(*(f.days for f in inside), source.title.days):
        days |= {(y, m, d)} if y or not years else {(own, m, d) for own in years}  # "September 11" of that edition
    missing = {
        "-".join(str(p) for p in want if p is not None)
        for want in facts.days
        if not any(_same_day(want, have) for have in days)
    }
    said = set().union(*(f.weekdays for f in inside))
    starts = {e.start.weekday() for e in source.events if e.start} | {d.weekday() for d in known}
    names = list(WEEKDAYS)
    return missing | {names[w] for w in facts.weekdays - said - starts}


def _units_missing(facts: Facts, inside: Sequence[Facts]) -> set[str]:
    """Return the numbers that stand there with another unit only: 40 miles, of a pier of 40 metres."""
    theirs = frozenset().union(*(f.measures for f in inside))
    return {f"{n:g} {unit}" for n, unit in facts.measures if unit and not {(n, unit), (n, "")} & theirs}


def _same_day(want: Day, have: Day) -> bool:
    return want[1] == have[1] and all(
        w is None or h is None or w == h for w, h in ((want[0], have[0]), (want[2], have[2]))
    )


def _years(inside: Sequence[Facts], source: Source) -> set[int]:
    """Collect the years that a passage can speak for: those it says, its event's, else the one it was published in."""
    own: set[int] = set()
    for e in source.events[:1]:
        own |= {int(y) for y in re.findall(r"\b(?:19|20)\d\d\b", e.edition or "")}
        own |= {e.start.year} if e.start else set()
    published = source.hit.article.published
    if published and not own:
        own.add(published.year)
    base = published.year if published else max(own, default=0)
    relative = {base + step for f in inside for step in f.relative} if base else set()
    return own | source.title.years | relative | {y for f in inside for y in f.years | {d[0] for d in f.days if d[0]}}


def _wrong_edition(facts: Facts, inside: Sequence[Facts], source: Source, *, event: Event | None) -> bool:
    own = _own_stems(facts)
    said = {y for f in inside for years, stems in f.dated if stems & own for y in years}  # of the clause that tells it
    if facts.years and not facts.years & _years(inside, source):
        return True
    if event is None or event.edition is None:
        return False
    main = source.events[0] if source.events else None
    other = main is not None and main.key == event.key and main.edition not in (None, event.edition)
    asked = {int(y) for y in re.findall(r"\b(?:19|20)\d\d\b", event.edition)}
    # A fact about another edition than the one asked for must say so in the sentence itself.
    return other and not asked & said and not (facts.years - asked)


def _framed_otherwise(facts: Facts, source: Source, i: int, j: int) -> bool:
    """Tell whether the words are about another year than the answer's: "Last year's final went to", "In 2024, it was"."""
    asked = facts.years | {d[0] for d in facts.days if d[0]}
    if not asked:
        return False
    published, own = source.hit.article.published, _own_stems(facts)
    framed: set[int] = set()
    for k in range(i, j + 1):
        f = source.facts[k]
        if k > 0 and f.frame is None and f.words and f.words[0].text in _ANAPHORS and not source.apart[k]:
            f = source.facts[k - 1]
        if f.frame is not None and facts.stems & source.facts[k].all_stems and (f.frame > 1000 or published):
            framed.add(f.frame if f.frame > 1000 else (published.year if published else 0) + f.frame)
        for years, stems in source.facts[k].dated:  # "X, who won last year for Y"
            if len(stems & own) >= 2 and (published or min(years) > 1000):
                framed |= {y if y > 1000 else (published.year if published else 0) + y for y in years}
    return bool(framed) and not framed & asked


_RELATIONS = frozenset(
    str.split("wife husband father mother dad mom son daughter brother sister partner girlfriend boyfriend")
)
_ANAPHORS = frozenset(str.split("it he she they this that there his her their"))


_PAIRS = (
    "convicted acquitted|accepted rejected|accepted refused|approved rejected|approved blocked|resigned stayed|rose fell|risen fallen"
    "|increased decreased|raised lowered|raised cut|gained lost|won lost|allowed banned|alive dead|survived died|present absent"
    "|finished abandoned|finished retired|opened closed|started stopped|began ended|confirmed denied|confirmed cancelled|passed failed"
    "|passed rejected|guilty innocent|guilty cleared|bought sold|joined left|arrived left|supported opposed|praised criticised"
    "|hired fired|stopped continued|kept dropped|agreed refused|remembered forgot|named anonymous|more fewer|more less|highest lowest"
    "|largest smallest|longest shortest|oldest youngest|best worst|early late|success failure|victory defeat|beat lost"
)
_OPPOSITE: dict[str, set[str]] = {}
for _one, _other in (pair.split() for pair in _PAIRS.split("|")):
    _OPPOSITE.setdefault(stem_of(_one), set()).add(stem_of(_other))
    _OPPOSITE.setdefault(stem_of(_other), set()).add(stem_of(_one))


def _opposed(facts: Facts, inside: Sequence[Facts]) -> bool:
    """Tell whether a word that one side negates stands un-negated on the other."""
    theirs = frozenset().union(*(f.negated for f in inside))
    stems = frozenset().union(*(f.all_stems for f in inside))
    ours = facts.negated
    if not ours and not theirs:
        for stem in facts.stems - stems:
            if _OPPOSITE.get(stem, set()) & (stems - facts.all_stems):
                return True
        said, claimed = {w.text for f in inside for w in f.words}, {w.text for w in facts.words}
        if any({f"un{w}" for w in a - b if len(w) > 3} & (b - a) for a, b in ((said, claimed), (claimed, said))):
            return True  # unsafe, of what is said to be safe
    return (bool((ours & stems) - theirs) and not ours & theirs) or bool((theirs & facts.stems) - ours)


def _done_otherwise(facts: Facts, inside: Sequence[Facts]) -> bool:
    """Tell whether it was the other who did it: Telmar will buy Norvik, of "Norvik is to buy Telmar"."""
    theirs = frozenset().union(*(f.done for f in inside))
    return any((whom, what, who) in theirs and (who, what, whom) not in theirs for who, what, whom in facts.done)


def _counted_otherwise(facts: Facts, inside: Sequence[Facts]) -> bool:
    """Tell whether a number stands beside other words, and another one beside these: who scored in which minute."""
    for values, stems in facts.counted:
        for f in inside:
            own = [beside for others, beside in f.counted if values & others]
            other = [beside for others, beside in f.counted if not values & others]
            if not own or not other or not stems or not all(own):
                continue  # "Ada Moss, 86, ..." is of the words around it
            there, elsewhere = (max(len(stems & b) for b in part) for part in (own, other))
            if elsewhere > there and 2 * elsewhere >= len(stems) and elsewhere >= min(2, len(stems)):
                return not any(len(stems & b) >= elsewhere for g in inside for o, b in g.counted if values & o)
    return False


def _changed_otherwise(facts: Facts, inside: Sequence[Facts]) -> bool:
    """Tell whether what went from the one to the other went the other way."""
    theirs = frozenset().union(*(f.changes for f in inside))
    return any((b, a) in theirs and (a, b) not in theirs for a, b in facts.changes)


def _other_actor(facts: Facts, inside: Sequence[Facts]) -> bool:
    for verb, who in facts.roles.items():
        theirs = [f for f in inside if verb in f.roles]
        if theirs and not any(who & f.roles[verb] or _elided(f, who) for f in theirs):
            return True
    return False


def _elided(facts: Facts, who: Collection[str]) -> bool:
    """Tell whether a sentence goes on with somebody without saying the verb again: "and Ann Lee in the 80th"."""
    words = [w.text for w in facts.words]
    return any(
        words[k] in who
        and words[k - 1] in ("and", "but", "while")
        and next((w for w in words[k:] if w not in who), "") in _THEN
        for k in range(1, len(words))
    )


_THEN = frozenset(str.split("in on at after for with from by"))


def _other_speaker(facts: Facts, source: Source, i: int, j: int) -> bool:
    """Tell whether the words are somebody else's: the speaker named in the passage, or the last person before it."""
    if not facts.speakers:
        return False
    share = [len(facts.stems & source.facts[k].all_stems) for k in range(i, j + 1)]
    at = i + share.index(max(share))
    text = source.hit.article.text
    closes = text[source.spans[at][0] : source.spans[at][1]].rstrip()[-1:] in ('"', "”", "’")
    follows = (at + 1,) if closes and at + 1 < len(source.facts) else ()
    said = source.facts[at]
    if not said.speakers and said.actors and not re.search(r"[\"“”]|['‘]\w", text[slice(*source.spans[at])]):
        return not any(set(s) & set(n) for s in facts.speakers for n in said.actors)  # told of others, and by nobody
    for k in (at, *follows, *range(at - 1, max(-1, at - 5), -1)):
        named = source.facts[k].speakers or (
            tuple(n for n in source.facts[k].actors if _a_name(n, text)) if k < at else ()
        )
        if named:
            titled = {w.text for w in source.title.words}
            if not source.facts[k].speakers and any(set(s) <= titled for s in facts.speakers):
                return False  # nobody is said to have said it, and it is the headline's person who is spoken of
            return not any(set(s) & set(n) for s in facts.speakers for n in named)
    return False


def _a_name(name: Name, text: str) -> bool:
    """Tell a name from a word that only opens a sentence: a name has a capital elsewhere too."""
    return len(name) > 1 or bool(re.search(rf"[\w,;:’'] {re.escape(name[0].capitalize())}\b", text))


# --- the answer ------------------------------------------------------------------------------------------------------


def render(checked: Sequence[Checked]) -> tuple[str, tuple[Citation, ...]]:
    """Put the kept sentences together, markers renumbered by first appearance, with their citations.

    A marker stands for a passage; each citation is bound to its sentence and has that sentence's own quote.
    """
    numbers: dict[str, int] = {}
    citations: list[Citation] = []
    text = ""
    index = 0
    for sentence in checked:
        if not sentence.keep:
            continue
        marks = ""
        for s in sentence.support:
            hit = s.source.hit
            marker = numbers.setdefault(hit.chunk.id, len(numbers) + 1)
            marks += f"[{marker}]"
            verdict = _shown(sentence, s)
            citations.append(citation(hit, s.start, s.end, marker=marker, sentence=index, verdict=verdict))
        body = sentence.text
        if marks:
            stop = re.search(r"[.!?…]+[\"'”’)]*$", body)
            quoted = stop is not None and re.search(r"[\"'”’)]$", stop.group())
            cut = len(body) if stop is None or quoted else stop.start()
            body = f"{body[:cut]} {marks}{body[cut:]}"
        text += (sentence.break_before if text else "") + body
        index += len(split_sentences(body))
    return text, tuple(citations)


def _shown(sentence: Checked, support: Support) -> Verdict:
    # Two passages that carry a sentence together each carry a part; the sentence as a whole is supported.
    return "supported" if sentence.verdict == "supported" else support.verdict


def citation(
    hit: Hit, start: int, end: int, *, marker: int, sentence: int = 0, verdict: Verdict = "supported"
) -> Citation:
    """Cite the characters `start` to `end` of a hit's article."""
    article = hit.article
    return Citation(
        marker=marker,
        article_id=article.id,
        chunk_id=hit.chunk.id,
        title=article.title,
        quote=article.text[start:end],
        start=start,
        end=end,
        url=article.url,
        published=article.published,
        outlet=article.outlet,
        event=article.event,
        verdict=verdict,
        sentence=sentence,
        copies=hit.copies,
    )


def says(short: str, texts: Iterable[str]) -> bool:
    """Tell whether every word of a bare answer is in one of `texts`, case and diacritics apart."""
    want = {w.text for w in words_of(short) if w.text not in ("the", "a", "an")}
    return bool(want) and any(want <= {w.text for w in words_of(t)} for t in texts)
