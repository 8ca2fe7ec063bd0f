"""What, how many, when, where, why, yes: what a unit says for a question that does not ask who. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answer.asking import Asked, asks_published, type_of
from rag.answer.match import Term, name_match, thesaurus
from rag.answer.people import does_it, person, speaker
from rag.answer.span import (
    AWARD,
    CLOCK,
    QUOTED,
    SURE_NAME,
    Reading,
    Span,
    alone,
    candidates,
    day,
    listing,
    positions,
    run_text,
    runs_of,
    span,
)
from rag.answer.units import Unit, article_units
from rag.ingest.events import MONTHS
from rag.ingest.names import fold
from rag.retrieve.words import stem, tokens
from rag.types import Article, Query

NUMBER_WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty dozens hundreds thousands".split()
)

_NUMBER = re.compile(
    rf"(?<![\w-])(?:[$£€]?\d[\d,.]*\d|[$£€]?\d|{'|'.join(NUMBER_WORDS)})(?:\s+(?:million|billion|thousand|hundred))?(?!\w)",
    re.I,
)

PLACE = re.compile(
    r"\b(?:in|at|on|inside|outside|near|backstage at|onto|down|to|into)\s+(?:the\s+|a\s+|her\s+|his\s+|their\s+)?"
    r"(?:(?:VIP (?:area|section)|red carpet|audience|stage|crowd|seats?|front row|stands|"
    r"table|hallways?|corridors?|halls?|arena|stadium|theat(?:re|er)|hotel|park|city|street|club|bar|restaurant|airport)\b|"
    r"(?:[A-Z][\w’'-]+(?:\s+[A-Z][\w’'-]+)*))"
    r"|\b(?:backstage|onstage|behind the scenes)\b"
)

REASON = re.compile(
    r"\b(?:because(?: of)?|due to|owing to|thanks to|in honou?r of|in order to|so that|so as to|since|for (?:never |not )?\w+ing|"
    r"after \w+ing|following)\b[^.;]{4,140}", re.I,
)  # fmt: skip


def thing(asked: Asked, scored: Sequence[tuple[float, Unit]]) -> Reading | None:
    kind = type_of(asked.noun)
    group = asked.noun is not None and stem(asked.noun) in _GROUPS
    if kind == "person" and not group:
        return person(asked, scored)
    spans: list[Span] = []
    # "What happened with X", "how did X arrive": the sentence itself is the answer.
    whole = asked.kind == "how" or (kind is None and all(t.is_name for t in asked.hard) and not asked.noun)
    for score, u in scored[:10]:
        if whole:
            if score >= 1.0 and u.kind == "sentence":
                spans.append(span(u, u.text, score))
            continue
        if short := _named_thing(asked, u, kind):
            spans.append(span(u, short, score + 0.15))
        elif kind is None and score >= 1.0 and asked.preposition != "about":
            spans.append(span(u, u.text, score - 0.1))
    if not spans:
        return person(asked, scored) if group else None
    best = max(spans, key=lambda s: s.score)
    return Reading(best.short, (best,))


def _named_thing(asked: Asked, u: Unit, kind: str | None) -> str | None:
    said = {stem(w) for t in asked.terms if not t.soft for w in t.words}
    at = positions(asked, u)
    anchor = at[0][0] if at else 0

    def new(text: str) -> bool:
        return not {stem(w) for w in tokens(text)} <= said

    if kind == "title":
        found = [m for m in QUOTED.finditer(u.text) if new(m.group(1)) and len(m.group(1).split()) <= 8]
        if found:
            best = min(found, key=lambda m: abs(m.start() - anchor))
            return best.group(1).strip(" .,!")
        if m := re.search(
            r"\b[Tt]he (?:former )?((?:[A-Z][\w’'-]++ ?){1,4})(?= ?(?:alum|star|actor|actress|singer|veteran))", u.text
        ):
            return m.group(1).strip()
        return None
    if kind == "award":
        awards = [m for m in AWARD.finditer(u.text) if new(m.group()) and not re.match(r"(?:of|the)\s*$", m.group())]
        awards = [m for m in awards if not find_event(m.group())]
        if not asked.negative:  # "has not once given X": a prize that was not won
            awards = [
                m for m in awards if not re.search(r"\b(?:never|not|nor|without)\b[^.;:]{0,60}$", u.text[: m.start()])
            ]
        if awards and asked.noun and asked.noun.endswith("s"):
            return listing(list(dict.fromkeys(re.sub(r"^(?:the|of)\s+", "", m.group()).strip() for m in awards)))
        if awards:
            best = min(awards, key=lambda m: abs(m.start() - anchor))
            return re.sub(r"^(?:the|of)\s+", "", best.group()).strip()
        return None
    noun = asked.noun
    if (
        noun
        and stem(noun) in _GROUPS
        and (m := re.search(r"\b(?:of|from|in)\s+((?:The\s)?[A-Z][\w’'-]+(?:\s[A-Z][\w’'-]+)*)", u.text))
        and new(m.group(1))
    ):
        return m.group(1)
    if noun:
        for m in re.finditer(rf"\b{re.escape(noun[: max(4, len(noun) - 2)])}\w*", u.text, re.I):
            for n in candidates(asked, u, titles=True):
                if re.fullmatch(
                    r"\s*(?:,|:|—|called|named|is|was|\s)*[\"“]?", u.text[m.end() : n.start]
                ) or re.fullmatch(r",?\s*(?:a|an|the)?\s*", u.text[n.end : m.start()]):
                    return n.text
    if phrase := _object_phrase(asked, u):
        return phrase
    names = [n for n in candidates(asked, u, titles=True) if new(n.text)]
    if names and at:
        end = at[-1][1]
        after = [n for n in names if n.start >= end]
        return (after or names)[0].text if len(names) <= 3 else None
    return None


_PHRASE_END = re.compile(
    r"\.(?!\d)|[;:!?—–]|,\s|\s(?:and|but|while|when|as|who|which|before|after|during|because|that)\s|\s*$"
)


def _object_phrase(asked: Asked, u: Unit) -> str | None:
    """Read what somebody did something to: the words after the verb that was asked for, up to the end of the phrase."""
    low = fold(asked.text)
    m = re.match(r"(?:so |and )?what\s+(?:else\s+)?(?:did|does|do|was|were|is|are)\b", low)
    verbs = [p for p in positions(asked, u) if not p[2].soft]
    if not m or not verbs:
        return None
    end = verbs[-1][1]
    rest = u.text[end:]
    lead = re.match(r"\s+(?:up|out|off|on|to|for|at|with|in|by|into|from)?\s*", rest)
    start = end + (lead.end() if lead else 0)
    stop = _PHRASE_END.search(u.text, start)
    phrase = u.text[start : stop.start() if stop else len(u.text)].strip(" ,'\"”")
    return phrase if 1 <= len(phrase.split()) <= 9 and re.search(r"[a-z]{3}", phrase) and start > end else None


_GROUPS = frozenset(stem(w) for w in "band group team duo trio club boyband label company".split())

ROLE = frozenset("role job profession occupation position who".split())


def role(asked: Asked, units: Sequence[Unit]) -> Reading | None:
    """Say who somebody is: the word of role or relation beside the name ("her husband, X"; "editor X")."""
    spans = []
    for u in units:
        if u.kind != "sentence" or name_match(asked.names[0], alone(u)) < SURE_NAME:
            continue
        for n in u.names:
            if not {stem(w) for w in asked.names[0].words} & {stem(w) for w in tokens(n.text)}:
                continue
            before = re.search(
                r"(?<![\w’'-])((?:(?:[Hh]er|[Hh]is|[Tt]heir|[Tt]he)\s+)?(?:(?!said\b)[a-z-]+\s)?[a-z][a-z-]{3,}),?\s*$",
                u.text[: n.start],
            )
            after = re.match(r",\s+((?:her|his|their|the|a|an|one of)\s+[^,.;:]{3,60})", u.text[n.end :])
            found = after or before
            if found and not re.fullmatch(
                r"(?:with|and|like|included?|featuring|alongside|while|when|after)\W*", found.group(1).split()[-1]
            ):
                text = found.group(1).strip()
                owners = [o for o in candidates(asked, u) if o.end <= n.start]
                if owners and (m := re.match(r"(?:her|his)\s+", text, re.I)):
                    text = f"{owners[-1].text}’s {text[m.end() :]}"
                spans.append(span(u, text, 1.0 if after else 0.9))
    best = max(spans, key=lambda s: s.score, default=None)
    if best is None:
        for u in units:
            if any(set(asked.names[0].words) <= set(tokens(a)) for a in u.article.authors):
                lead = next((x for x in article_units(u.article) if x.kind == "byline"), u)
                return Reading(f"the writer of “{u.article.title}”", (span(lead, "", 1.0),))
    return Reading(best.short, (best,)) if best else None


def prizes_of_event(units: Sequence[Unit]) -> Reading | None:
    """Name the prizes of an event: those of the sentence that names the most."""
    spans = []
    for u in units:
        if u.kind == "sentence":
            found = dict.fromkeys(
                re.sub(r"^(?:the|of)\s+", "", m.group()).strip()
                for m in AWARD.finditer(u.text)
                if not find_event(m.group())
            )
            spans += [span(u, listing(list(found)), float(len(found)))] if len(found) > 1 else []
    best = max(spans, key=lambda s: s.score, default=None)
    return Reading(best.short, (best,)) if best else None


def find_event(text: str) -> bool:
    """Tell whether a name is that of an event and not of a prize."""
    return bool(re.search(r"\b(?:Video Music Awards|Grammys|VMAs|Awards)$", text))


def speech(asked: Asked, scored: Sequence[tuple[float, Unit]]) -> Reading | None:
    spans = []
    for score, u in scored:
        quotes = [m for m in re.finditer(r"[\"“]([^\"“”]{2,500})(?:[\"”]|$)", u.text) if len(m.group(1).split()) >= 2]
        opened = u.scope[: max(0, u.scope.find(u.text))].count('"') % 2 == 1 and not quotes
        if not quotes and not opened:
            if re.search(r"\b(?:said|told|joked|noted|stated|asked) (?:that|to|him|her|them)\b", u.text):
                spans.append(span(u, u.text, score))
            continue
        speakers = speaker(u)
        if asked.names and not any(_same_person(t, s) for t in asked.names for s in speakers):
            continue
        wanted = {stem(w) for t in asked.hard if not t.is_name for w in t.words}
        best = max(quotes, key=lambda m: len(wanted & {stem(w) for w in tokens(m.group(1))}), default=None)
        short = best.group(1).strip(" ,") if best else u.text.strip('"” ')
        overlap = len(wanted & {stem(w) for w in tokens(short)})
        spans.append(span(u, short, score + 0.1 * overlap))
    if not spans:
        return None
    best_span = max(spans, key=lambda s: s.score)
    return Reading(best_span.short, (best_span,))


def _same_person(t: Term, name: str) -> bool:
    return bool({stem(w) for w in t.words} & {stem(w) for w in tokens(name)})


def number(asked: Asked, scored: Sequence[tuple[float, Unit]]) -> Reading | None:
    m = re.search(
        r"\b(?:how many|how much|number of)\s+(?:of\s+)?(?:\w+\s+(?=\w+\s+(?:did|do|does|was|were|are|is|has|have)\b))?([a-z][\w-]*)",
        fold(asked.text),
    )
    noun = m.group(1) if m else None
    if noun in ("did", "does", "was", "were", "are", "is", "had", "has", "have"):
        noun = None
    age = re.search(r"\bhow old\b", asked.text, re.I)
    spans: list[Span] = []
    nouns = {stem(noun), *thesaurus().get(stem(noun), ())} if noun else set()
    for score, u in scored[:10]:
        for m in _NUMBER.finditer(u.text):
            after = [stem(w) for w in tokens(u.text[m.end() : m.end() + 60])][:6]
            if re.fullmatch(r"(?:19|20)\d\d", m.group()) or (
                age and not re.search(r"year|old|,", u.text[m.end() : m.end() + 12])
            ):
                continue
            of_them = re.match(r"\s+of\s+(?:them|these|those)\b", u.text[m.end() :])
            if (
                (not noun and (of_them or (asked.hard and len(m.group()) <= 9)))
                or (of_them and noun and nouns & {stem(w) for w in tokens(u.text[: m.start()])})
                or set(after) & nouns
                or (
                    noun
                    and stem(noun) in {stem(w) for w in tokens(u.scope)}
                    and (
                        re.match(r"\s+(?:more|others?|times|in total)", u.text[m.end() :])
                        or re.search(r"\b(?:another|other|total of)\s+$", u.text[: m.start()])
                    )
                )
            ):
                # The nearer the noun behind a number, the likelier it is what is counted.
                gap = next((i for i, w in enumerate(after) if w in nouns), 3 if not of_them else 0)
                spans.append(span(u, m.group(), score + 0.1 - 0.03 * gap))
        if noun and not age and not any(s.unit is u for s in spans):
            for start, end, t in positions(asked, u):
                if stem(noun) not in {stem(w) for w in t.words} and stem(tokens(u.text[start:end])[0]) not in nouns:
                    continue
                for run in runs_of(u.text, candidates(asked, u)):
                    if len(run) > 1 and re.fullmatch(r"\s*(?:,|:|—)?\s*", u.text[end : run[0].start]):
                        count = NUMBER_WORDS[len(run) - 1] if len(run) <= 20 else str(len(run))
                        spans.append(span(u, f"{count.capitalize()}: {run_text(run)}", score))
    if not spans:
        return None
    best = max(spans, key=lambda s: s.score)
    return Reading(best.short, (best,))


def moment(asked: Asked, scored: Sequence[tuple[float, Unit]]) -> Reading | None:
    """When something happened: a date in the unit itself, else the day of the event at which it happened."""
    for score, u in scored[:6]:
        if m := _DATE_SAID.search(u.text):
            return Reading(m.group().strip(" ,()"), (span(u, m.group(), score),))
    for score, u in scored[:6]:
        event = u.article.event
        if (
            event
            and event.start
            and score >= 1.0
            and not re.search(r"\b(?:will|due|next|going to|upcoming|release|born|birthday)\b", asked.text, re.I)
        ):
            return Reading(day(event.start), (span(u, day(event.start), score),))
    return None


_DATE_SAID = re.compile(
    r"\b(?:" + "|".join(m.capitalize() for m in MONTHS if len(m) > 3) + r")\.? \d{1,2}(?:st|nd|rd|th)?(?:, \d{4})?\b"
    r"|\b\d{1,2} (?:" + "|".join(m.capitalize() for m in MONTHS if len(m) > 3) + r")(?: \d{4})?\b"
)


def clock(asked: Asked, scored: Sequence[tuple[float, Unit]], units: Sequence[Unit]) -> Reading | None:
    """The time of day at which something happened; of an event with nothing else asked, the one at which it begins or ends."""
    wanted = {stem(w) for t in asked.hard for w in t.words}
    if not wanted:
        about = {stem(w) for w in tokens(asked.text)} & _BEGIN_OR_END
        wanted = about - _BEGINS or set(_BEGINS)
        scored = [(1.0, u) for u in units if wanted & {stem(w) for w in tokens(u.text)}]
    for score, u in scored[:6]:
        said = [m.start() for m in re.finditer(r"[^\W_]+", u.text) if stem(fold(m.group())) in wanted]
        times = list(CLOCK.finditer(u.text))
        if times:  # "doors open at six, it starts at eight": the time that stands nearest to what is asked
            best = min(times, key=lambda m: (min((abs(m.start() - at) for at in said), default=0), m.start()))
            return Reading(best.group().strip(), (span(u, best.group().strip(), score),))
    return None


_BEGINS = frozenset(stem(w) for w in "start begin began kick air broadcast underway".split())
_BEGIN_OR_END = _BEGINS | {stem(w) for w in "end finish close over".split()}


def event_date(units: Sequence[Unit]) -> Reading | None:
    """The day of the event, from the sentence that lets it be worked out."""
    dated = [u for u in units if u.article.event and u.article.event.start]
    if not dated:
        return None
    first = min(dated, key=lambda u: (u.rank, u.article.id))
    start = first.article.event.start if first.article.event else None
    if start is None:
        return None
    weekday = start.strftime("%A")
    month = start.strftime("%B")
    said = f"{weekday}, {day(start)}"
    event = first.article.event
    sentence = f"The {event.short_label} took place on {said}." if event else None
    explicit = re.compile(rf"\b{month[:3]}\w*\.?\s+{start.day}\b|\b{start.day}\s+{month}", re.I)
    for u in article_units(first.article):
        if explicit.search(u.text):
            return Reading(said, (span(u, weekday, 1.0),), sentence=sentence)
    for u in article_units(first.article):
        if m := re.search(
            rf"\b{weekday}(?:\s+(?:night|evening|afternoon|morning))?|\b(?:last night|tonight|yesterday|today)\b",
            u.text,
            re.I,
        ):
            published = first.article.published
            note = f"Worked out from “{m.group()}” in an article of {day(published)}." if published else None
            return Reading(said, (span(u, weekday, 1.0),), note, sentence)
    return None


def by_pattern(asked: Asked, scored: Sequence[tuple[float, Unit]], pattern: re.Pattern[str]) -> Reading | None:
    for score, u in scored[:6]:
        at = positions(asked, u)
        found = [
            m
            for m in pattern.finditer(u.text)
            if not re.search(r"\b(?:Awards?|VMAs?|Grammys?|(?:19|20)\d\d|[A-Z][a-z]+day|MTV|TV)\b", m.group())
        ]
        if not found:
            continue
        anchor = at[-1][1] if at else 0
        best = min(found, key=lambda m: (m.start() < anchor, abs(m.start() - anchor)))
        return Reading(best.group().strip(), (span(u, best.group(), score),))
    return None


_HELD_AT = re.compile(
    r"\b(?:held|took place|takes? place|taking place|staged|played|hosted|won|beat\w*|final)\b[^.;]{0,60}?\b(?P<place>(?:in|at)\s+(?:the\s+)?"
    r"(?:[A-Z][\w’'-]+(?:\s+[A-Z][\w’'-]+){0,4}))"
)
_VENUE = re.compile(
    r"(?:Stadium|Arena|Cent(?:er|re)|Hall|Theat(?:re|er)|Garden|Park|Field|Dome|Coliseum|Square|Palace|Ground|Club|Hotel)$"
)


def venue(asked: Asked, units: Sequence[Unit]) -> Reading | None:
    """Where an event was held, when a sentence says that it took place there or names a venue of it."""
    for u in sorted(units, key=lambda u: (u.article.id, u.start)):
        for m in _HELD_AT.finditer(u.text) if u.kind == "sentence" else ():
            place = m.group("place")
            held = re.match(r"(?:held|t|staged|hosted)", m.group())
            if (
                not find_event(place)
                and (held or _VENUE.search(place))
                and not re.search(r"\b(?:[A-Z][a-z]+day|(?:19|20)\d\d)", place)
            ):
                return Reading(place, (span(u, place, 1.0),))
    return None


def confirmation(asked: Asked, scored: Sequence[tuple[float, Unit]]) -> Reading | None:
    """Say yes only when one unit says all of it; a no is not read out of silence."""
    for score, u in scored[:4]:
        own = all(name_match(t, u) >= SURE_NAME for t in asked.names)
        if own and score >= 1.05 and asked.hard and does_it(asked, u):
            return Reading("Yes", (span(u, "Yes", score),))
    return None


def denial(asked: Asked, denied: Sequence[tuple[float, Unit]]) -> Reading | None:
    """Say no when one unit says all of it and denies it."""
    for score, u in denied[:2]:
        if score >= 0.98 and asked.hard and does_it(asked, u):
            return Reading("No", (span(u, "No", score),))
    return None


def byline(asked: Asked, units: Sequence[Unit], query: Query) -> Reading | None:
    """Who wrote an article, for whom, and when it was published."""
    articles = list({u.article.id: u.article for u in sorted(units, key=lambda u: u.rank)}.values())
    said = {w for t in asked.names for w in t.words}
    if said:  # "who wrote the iHeart gallery": of that outlet, or by that writer

        def about(a: Article) -> set[str]:
            return set(tokens(" ".join([a.outlet or "", a.title, *a.authors])))

        articles = [a for a in articles if said & about(a)]
    wants_outlet = re.search(r"\b(?:outlet|site|publication|website|newspaper|magazine)\b", asked.text, re.I)
    published = asks_published(asked) and asked.kind == "when"
    for a in articles:
        if published and a.published:
            lead = next(iter(u for u in article_units(a) if u.kind in ("title", "sentence")), None)
            note = "The date is that of a copy of the article." if a.published_lent else None
            return Reading(day(a.published), (span(lead, day(a.published), 1.0),), note) if lead else None
        value = a.outlet if wants_outlet else listing(a.authors)
        if value and not published:
            want = fold(value.split(" and ")[0].split(",")[0])
            unit = next((u for u in article_units(a) if want in fold(u.text)), None) or next(
                iter(article_units(a)), None
            )
            return Reading(value, (span(unit, value, 1.0),)) if unit else None
    return None
