"""History + question -> Query: the standalone question and the event, edition and year that it names.

Follow-ups are rewritten by rules: another year or event put into the question before ("and the year before?"), another
name put into it ("and Tate McRae?"), a pronoun replaced by who or what was spoken of ("what is her husband's name?").
The rewriting is always shown to the person and can be switched off. What it does not know: gender, or anything that the
conversation does not say.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from rag.ingest.events import edition_asked, find_mentions, load_names, resolve_question
from rag.ingest.names import find_names, fold
from rag.retrieve.words import SPELLED, content_words, mend, tokens
from rag.types import Event, Query, Turn

if TYPE_CHECKING:
    from rag.ingest.events import Names
    from rag.store.library import Library

_YEAR = re.compile(r"(?<![-/\d])(?:19|20)\d{2}(?![-/\d])")
_LEAD = re.compile(
    r"^(?:(?:and|but|so|ok(?:ay)?|also|then|now|what about|how about|what of|same (?:question )?for|or|"
    r"and what about|and how about)\b[\s,]*)+",
    re.I,
)
_BEFORE = re.compile(
    r"\b(?:the\s+)?(?:year before(?: that)?|previous (?:year|one|edition)|one before(?: that)?|prior year)\b", re.I
)
_AFTER = re.compile(
    r"\b(?:the\s+)?(?:year after(?: that)?|next (?:year|one|edition)|following year|one after(?: that)?)\b", re.I
)
_LAST_YEAR = re.compile(r"\b(?:last|this) year(?:['’]?s)?(?: (?:one|show|edition))?\b", re.I)
_PERSON = re.compile(r"\b(?:he|she|him|her|his|hers|they|them|their|theirs|himself|herself|themselves)\b", re.I)
_THING = re.compile(r"\b(?:it|its|that|this|there|those|these)\b", re.I)
_IT = re.compile(r"\b(?:it|there|that(?!\s+\w))\b", re.I)
_WHOLE = re.compile(r"(?:when|where|who|what|which|how)\b.*?\b(?:was|were|is|are|did|do|does|will)\b", re.I)
_OCCASION = re.compile(
    r"\b(?:the|that|this)\s+(?:same\s+)?(?:show|ceremony|event|awards?(?: show)?|night|gala|festival|match|game|concert|edition)\b",
    re.I,
)
_PLAIN = re.compile(r"\b(?:win|wins|won|winner|winners|host|hosts|hosted|perform|performs|performed|opened|closed|nominated|"
                    r"award|awards|best|of the year|held|venue|lineup|presented|headlined?)\b", re.I)  # fmt: skip


def understand(question: str, *, library: Library, history: Sequence[Turn] = (), as_of: date | None = None) -> Query:
    """Read a question in its conversation.

    `as_of` is the day it is asked (today when None): "last year's Grammys" counts from it.
    """
    names = load_names(library.config.events_file)
    day = as_of or date.today()
    asked = " ".join(question.split())
    text = asked
    if history and library.config.uses("followups"):
        text = standalone(asked, history, as_of=day, names=names, library=library)
    event, year = resolve_question(text, as_of=day, names=names)
    if event is None:  # "music awads": a misspelled name is still that event's
        mended = mend(text, near) if (near := _nearly(text, names.words)) else text
        if mended != text:
            event, year = resolve_question(mended, as_of=day, names=names)
    if event is not None and event.edition is None and (as_of or _LATEST.search(text)):
        event = _latest(event, text, library=library, names=names, as_of=day)
    return Query(text=text, asked=asked, event=event, year=year, as_of=as_of, rewritten=text != asked)


_LATEST = re.compile(r"\b(?:most recent|latest|newest|last)\b", re.I)


def _latest(event: Event, text: str, *, library: Library, names: Names, as_of: date) -> Event:
    """Pick the edition that the calendar says is meant, if the library has it; else the newest in it that was held by `as_of`."""
    held = [e for e, _ in library.events() if e.key == event.key and e.edition]
    known = names.known.get(event.key)
    meant = edition_asked(known, text, as_of=as_of) if known else None
    if meant and any(e.edition == meant for e in held):
        return replace(event, edition=meant)
    if known and known.months and not _LATEST.search(text):
        return event  # the calendar does not say, or the library does not have it: no edition is put above another
    past = [e for e in held if e.start and e.start <= as_of]
    return replace(event, edition=max(past, key=lambda e: e.start or date.min).edition) if past else event


def _nearly(text: str, known: frozenset[str]) -> frozenset[str]:
    """Keep of the `known` words those that some word of `text` may be a misspelling of: nearly the same letters."""
    by_letter = _by_letter(known)
    near: set[str] = set()
    for w in {w for w in tokens(text) if len(w) >= 5}:
        letters = Counter(w)
        for k, have in by_letter.get(w[0], ()):
            if abs(len(k) - len(w)) <= 2 and 2 * (letters & have).total() >= SPELLED * (len(k) + len(w)):
                near.add(k)
    return frozenset(near)


@lru_cache(maxsize=4)
def _by_letter(known: frozenset[str]) -> dict[str, list[tuple[str, Counter[str]]]]:
    table: dict[str, list[tuple[str, Counter[str]]]] = defaultdict(list)
    for k in sorted(known):
        table[k[0]].append((k, Counter(k)))
    return table


def standalone(question: str, history: Sequence[Turn], *, as_of: date, names: Names, library: Library) -> str:
    """Rewrite a follow-up so that it can be understood alone; return it unchanged when it already can."""
    if re.fullmatch(r"\W*(?:(?:ok|okay|thanks|thank you|thx|hello|hi|hey|great|cool|nice|bye)\W*)+", question, re.I):
        return question
    previous = _replay(history, as_of=as_of, names=names, library=library)
    if previous is None:
        return question
    before, reply = previous
    spoken = _spoken_of(before, reply, library=library, names=names)
    event, year = resolve_question(before, as_of=as_of, names=names)
    own_event, own_year = resolve_question(question, as_of=as_of, names=names)
    if event is None and own_event is None:
        event = _event_of_reply(reply, names=names)
    bare = _LEAD.sub("", question).strip(" ?.!,")

    shift = -1 if _BEFORE.search(bare) else 1 if _AFTER.search(bare) else 0
    base = int(event.edition) if event and event.edition and event.edition.isdigit() else year
    if shift and base and len(tokens(_BEFORE.sub("", _AFTER.sub("", bare)))) <= 3:
        return _with_year(before, base + shift, event)
    rest = _LAST_YEAR.sub("", _YEAR.sub("", _without_events(bare, names)))
    fragment = not [
        w for w in content_words(rest) if w not in ("happened", "edition", "ones", "year", "awards", "show")
    ]
    whole = _WHOLE.match(bare) and not _THING.search(bare) and own_event is not None
    if (own_year or own_event) and fragment and not whole:  # "and in 2024?", "what about the Grammys?"
        changed = (
            _with_event(before, own_event, names)
            if own_event and own_event.key != (event.key if event else "")
            else before
        )
        new_year = own_year or (
            int(own_event.edition) if own_event and own_event.edition and own_event.edition.isdigit() else None
        )
        return _with_year(changed, new_year, own_event or event) if new_year else changed
    if _is_name_fragment(question, bare, library=library) and spoken.asked_about:
        return _put_name(before, spoken.asked_about, bare)
    if detail := _put_detail(question, before, spoken.answered):
        return detail
    if _refers_inside(question, library=library, names=names):
        spoken = _Spoken([], [])
    text = question
    text = _put_picture(text, before, reply, names)
    if spoken.person:
        several = _PLURAL.search(f"{before} {reply}")
        if several and spoken.asked_about and re.search(r"\btheir\b", text, re.I):
            text = re.sub(
                r"\btheir\b",
                f"{_possessive(spoken.asked_about[0])} {several.group().lower()}'",
                text,
                count=1,
                flags=re.I,
            )
        text = _put_possessor(text, spoken.person)
    text = _resolve_words(text, spoken, event, person_only=own_event is not None and not _OCCASION.search(text))
    anaphoric = text != question
    named = _YEAR.search(text) or find_mentions(text, names, asked=True)
    if event and not named and (anaphoric or _elliptical(text) or _is_plain(text)):
        text = f"{text.rstrip(' ?.!')} at the {event.short_label}?"
    elif year and not event and not named and (anaphoric or _elliptical(text) or _is_plain(text)):
        text = f"{text.rstrip(' ?.!')} in {year}?"
    if _elliptical(question) and not anaphoric:
        core = before.rstrip(" ?.!")
        text = f"{_LEAD.sub('', question).strip(' ?.!')} ({core})?" if content_words(question) == [] else text
    return text


_RELATIONS = (
    "husband|wife|partner|son|sons|daughter|daughters|kid|kids|child|children|mother|father|mom|dad|sister|brother|"
    "parents|boyfriend|girlfriend|friend|bestie|bandmates?|co-star"
)
_RELATION = re.compile(rf"\b(?:the\s+)?(?P<noun>{_RELATIONS})(?P<own>['’]?s)?\b", re.I)
_DETAIL = re.compile(r"^(?:for|with|to|from|about|on|at|in)\s+(?:which|what|who|whom|whose)\b", re.I)
_BASE = {"won": "win", "got": "get", "hosted": "host", "received": "receive", "presented": "present", "performed": "perform",
         "debuted": "debut", "wore": "wear", "gave": "give", "took": "take", "said": "say"}  # fmt: skip


def _put_possessor(text: str, person: str) -> str:
    """ "son's name?" -> "what is Carson Daly's son's name?"; "what's the kid's name" -> "what's Carson Daly's kid's name"."""
    if _PERSON.search(text) or not (m := _RELATION.search(text)):
        return text
    if (
        find_names(text[1:])
        or re.search(r"(?<!what)(?<!who)(?<!where)['’]s\s+$", text[: m.start()], re.I)
        or len(content_words(text)) > 4
    ):
        return text
    lead = "" if re.match(r"(?:who|what|where|when|how|which|is|was|did|does|do|are|were)", text, re.I) else "what is "
    return f"{lead}{text[: m.start()]}{_possessive(person)} {m.group('noun')}{m.group('own') or ''}{text[m.end() :]}"


_PLURAL = re.compile(r"\b(?:sons|daughters|kids|children|parents|sisters|brothers|friends|bandmates)\b", re.I)
_THAT_PICTURE = re.compile(r"\b(?:that|this|the)\s+(?:photo|picture|pic|image|shot)\b", re.I)


def _put_picture(text: str, before: str, reply: str, names: Names) -> str:
    """ "who took that picture?" -> "who took the picture of Ann and Bob?"."""
    people = list(dict.fromkeys([*_proper(before, names), *_proper(re.split(r"\[\d|\(", reply)[0], names)]))[:3]
    m = _THAT_PICTURE.search(text)
    if not m or not people or _proper(text[1:], names):
        return text
    listed = people[0] if len(people) == 1 else ", ".join(people[:-1]) + " and " + people[-1]
    return f"{text[: m.start()]}the picture of {listed}{text[m.end() :]}"


def _put_detail(question: str, before: str, answered: list[str]) -> str | None:
    """ "for which song" after "who won best afrobeats" -> "which song did Ann and Bob win best afrobeats for"."""
    if not _DETAIL.match(question) or len(question.split()) > 4:
        return None
    preposition, _, asked = question.strip(" ?.!").partition(" ")
    m = re.match(r"who\s+(\w+)\s+(.*)$", before.strip(" ?.!"), re.I)
    if m and answered:
        verb = _BASE.get(m.group(1).lower(), m.group(1))
        return f"{asked} did {' and '.join(answered)} {verb} {m.group(2)} {preposition}?"
    return f"{before.strip(' ?.!')} {question.strip(' ?.!')}?"


class _Spoken:
    """Who and what the conversation was last about: the question's own names, the reply's first name, the event."""

    def __init__(self, asked_about: list[str], answered: list[str]) -> None:
        self.asked_about = asked_about
        self.answered = answered

    @property
    def person(self) -> str | None:
        return next(iter([*self.answered, *self.asked_about]), None)


def _replay(history: Sequence[Turn], *, as_of: date, names: Names, library: Library) -> tuple[str, str] | None:
    """Return the last question, itself made standalone, and the reply to it."""
    questions = [i for i, t in enumerate(history) if t.role == "user"]
    if not questions:
        return None
    at = questions[-1]
    reply = " ".join(t.content for t in history[at + 1 :] if t.role == "assistant")
    earlier = history[max(0, at - 6) : at]
    before = history[at].content
    if earlier:
        before = standalone(before, earlier, as_of=as_of, names=names, library=library)
    return " ".join(before.split()), " ".join(reply.split())


def _spoken_of(before: str, reply: str, *, library: Library, names: Names) -> _Spoken:
    asked = _names_in(before, library=library, names=names)
    known = {fold(n) for n in asked}
    first_sentence = re.split(r"(?<=[.!?])\s|\[\d", reply, maxsplit=1)[0]
    replied = [n for n in _proper(first_sentence, names) if fold(n) not in known]
    related = _RELATION.search(before) and re.match(r"\W*(?:did|was|were|is|are|has|had|does)\b", before, re.I)
    who = related or re.match(
        r"\W*(?:who|which|whose|what (?:artist|singer|band|rapper|actor|actress|group|person))\b", before, re.I
    )
    says_nothing = re.search(r"coverage (?:does ?n[o']t|doesn’t) say|not (?:named|say)", reply, re.I)
    if says_nothing or not replied:
        return _Spoken(asked, [])
    if who or not asked:  # "Who hosted?" - "Megan ...": "she" is the answer
        joined = (
            re.match(rf"{re.escape(replied[0])}((?:,| and|, and|&)\s+{re.escape(replied[1])})?", first_sentence)
            if len(replied) > 1
            else None
        )
        return _Spoken(asked, replied[: 2 if joined and joined.group(1) else 1])
    return _Spoken(asked, [])


def _proper(text: str, names: Names) -> list[str]:
    spans = [(m.start, m.end) for m in find_mentions(text, names)]
    return [
        n.text
        for n in find_names(re.sub(r"\[\d+\]", "", text))
        if not any(s < n.end and n.start < e for s, e in spans) and not re.fullmatch(r"VMAs?|I|OK|MTV", n.text)
    ]


def _names_in(question: str, *, library: Library, names: Names) -> list[str]:
    """Names in a question, also when it is typed in lower case: then the coverage's own spelling is looked up."""
    written = [
        n
        for n in _proper(question, names)
        if not re.match(r"(?:who|what|when|where|which|how|why|did|was|is|does)\b", n, re.I)
    ]
    if written:
        return written
    found: dict[str, int] = {}
    low = f" {fold(question)} "
    rows = library.search_text(content_words(question), limit=12)
    texts = [c.text for c in library.chunks_by_id(i for i, _ in rows).values()]
    for text in texts:
        for n in find_names(text):
            m = re.search(rf"(?<!\w){re.escape(fold(n.text))}(?!\w)", low)
            common = " " not in n.text and any(re.search(rf"\b{re.escape(n.text.lower())}\b", t) for t in texts)
            if m and len(n.text) > 3 and not common and not find_mentions(n.text, names):
                found.setdefault(n.text, m.start())
    best = sorted(found, key=lambda n: (-len(n), found[n]))
    out = [n for k, n in enumerate(best) if not any(fold(n) in fold(b) for b in best[:k])]
    return sorted(out, key=lambda n: found[n])


def _event_of_reply(reply: str, *, names: Names) -> Event | None:
    mentions = find_mentions(reply, names)
    if not mentions:
        return None
    m = next((x for x in mentions if x.edition), mentions[0])
    return Event(key=m.key, name=m.name, edition=m.edition, short=m.short)


def _with_year(question: str, year: int, event: Event | None) -> str:
    changed = _LAST_YEAR.sub(f"the {year}", question) if _LAST_YEAR.search(question) else _YEAR.sub(str(year), question)
    if not _YEAR.search(changed):
        if event and (m := re.search(re.escape(event.short or event.name), changed, re.I)):
            changed = f"{changed[: m.start()]}{year} {changed[m.start() :]}"
        else:
            changed = f"{changed.rstrip(' ?.!')} in {year}?"
    return changed


def _with_event(question: str, event: Event, names: Names) -> str:
    mentions = find_mentions(question, names, asked=True)
    if not mentions:
        return f"{question.rstrip(' ?.!')} at the {event.short_label}?"
    m = mentions[0]
    return f"{question[: m.start]}{event.short or event.name}{question[m.end :]}"


def _without_events(text: str, names: Names) -> str:
    for m in reversed(find_mentions(text, names, asked=True)):
        text = text[: m.start] + text[m.end :]
    return text


def _is_name_fragment(question: str, bare: str, *, library: Library) -> bool:
    if not _LEAD.match(question) or len(bare.split()) > 5:
        return False
    if re.match(r"(?:who|what|when|where|which|how|why|did|was|is|does|were|are|in|at|on|the)\b", bare, re.I):
        return False
    if _PERSON.search(bare) or _THING.search(bare):
        return False
    return bool(find_names(bare)) or bool(
        _names_in(bare, library=library, names=load_names(library.config.events_file))
    )


# Who does or owns something, and not to whom it is done: "what did Ann Lee say of her song", but not "who hugged her".
_OWNED = r"(?!(?:at|in|on|with|to|for|from|by|during|and|after|before|about|when|while)\b)[a-z]"
_INSIDE = re.compile(rf"\b(?:he|she|they|(?:his|her|their)(?=\s+{_OWNED}))\b", re.I)


def _refers_inside(question: str, *, library: Library, names: Names) -> bool:
    """Tell whether a pronoun means somebody whom the question itself names before it; a place named there does not count."""
    if (m := _INSIDE.search(question)) is None:
        return False
    before = question[: m.start()]
    for name in _names_in(before, library=library, names=names):
        at = fold(before).find(fold(name))
        if at >= 0 and not re.search(r"\b(?:at|in|on|of|the|from|for)\s+$", before[:at], re.I):
            return True
    return False


def _put_name(question: str, asked: list[str], name: str) -> str:
    for old in asked:
        m = re.search(re.escape(old), question, re.I)
        if m:
            return f"{question[: m.start()]}{name}{question[m.end() :]}"
    return f"{question.rstrip(' ?.!')} {name}?"


def _resolve_words(text: str, spoken: _Spoken, event: Event | None, *, person_only: bool) -> str:
    if event:
        text = _OCCASION.sub(f"the {event.short_label}", text, count=1)
    person = spoken.person
    if person and (m := _PERSON.search(text)):
        word = m.group().lower()
        owns = word == "her" and re.match(rf"\s+{_OWNED}", text[m.end() :])
        possessive = word in ("his", "their", "hers", "theirs") or owns
        put = _possessive(person) if possessive else person
        text = f"{text[: m.start()]}{put}{text[m.end() :]}"
    elif not person_only and (m := _IT.search(text)):
        what = f"the {event.short_label}" if event else spoken.person
        if what and event and m.group().lower() == "there":
            what = f"at {what}"
        if what:
            text = f"{text[: m.start()]}{what}{text[m.end() :]}"
    return text


def _possessive(name: str) -> str:
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def _elliptical(text: str) -> bool:
    return bool(_LEAD.match(text)) or len(content_words(text)) <= 1


def _is_plain(text: str) -> bool:
    """A question of the occasion's own vocabulary that names nobody: "who won best new artist"."""
    lowered = text[:1].lower() + text[1:]
    return bool(_PLAIN.search(text)) and not [n for n in find_names(lowered) if " " in n.text]
