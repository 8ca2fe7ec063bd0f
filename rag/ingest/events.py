"""Which event, which edition, which day an article or a question is about. Pure.

Three sources of names: `events.toml` (people can add a file of their own), the general form of a name with a year ("the
2024 Harvest Cup", "Riverside Festival 2025") for events that no file knows, and a country's elections. An edition is the
one said, or follows from the date and the months in which the event is held. What it does not know: whether an article
is any good, or which event matters to the person who asks.
"""

from __future__ import annotations

import calendar
import hashlib
import re
import tomllib
import unicodedata
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from rag.errors import ConfigError
from rag.types import Event

_HEADS = (
    "Awards|Festival|Fest|Cup|Championships|Championship|Open|Games|Olympics|Finals|Final|Conference|Summit|"
    "Elections|Election|Convention|Gala|Prize|Prizes|Grand Prix|Marathon|Derby|Classic|Bowl|Expo|Fashion Week|Forum|"
    "Parade|Ball|Fair|Biennale|Regatta|Rally|Congress|Symposium|Hackathon|Concert|Honors|Contest|Showcase"
)
_YEAR = r"(?:19|20)\d{2}"
_CAP = r"(?:[A-Z][\w.'’&-]*|of|the|and|for|de|du|&)"
_YEAR_SAID = re.compile(rf"(?<!\w){_YEAR}(?!\w)")
_AFTER_YEAR = re.compile(rf"\s+(?P<name>(?=[A-Z])(?:{_CAP}\s+){{0,5}}?(?:[A-Z][\w'’&-]*\s+)(?:{_HEADS}))\b")
_BEFORE_YEAR = re.compile(rf"\b(?P<name>(?:[A-Z][\w'’&-]*\s+)(?:{_CAP}\s+){{0,4}}?(?:{_HEADS}))\s+(?:in\s+|of\s+)?$")
_ENDS = r"(?!\s+(?-i:[A-Z][a-z]))"  # "Football Bowl Subdivision" is no bowl
_ASKED = re.compile(rf"\b(?P<y1>{_YEAR})\s+(?P<n1>(?:[\w'’&.-]+\s+){{1,4}}?(?:{_HEADS}))\b{_ENDS}", re.I)
_ASKED_AFTER = re.compile(
    rf"(?:^|[,;:]\s+|\b(?:the|at|of|for|in)\s+)(?P<n2>(?:(?!the\b|at\b|of\b|for\b|in\b)[\w'’&.-]+\s+){{1,4}}?(?:{_HEADS}))"
    rf"\s+(?:in\s+|of\s+)?(?P<y2>{_YEAR})\b",
    re.I,
)
_ASKED_BARE = re.compile(
    rf"\b(?:the|at)\s+(?P<n3>(?:(?!the\b|at\b|of\b|for\b|in\b)[A-Z][\w'’&.-]+\s+){{1,4}}(?:{_HEADS}))\b(?<!Congress)(?<!Conference){_ENDS}"
)
_TOO_GENERAL = frozenset(  # a year beside one of these is no event's name: whose it is, is not said
    slug
    for word in ("primary", "general", "special", "world", "national", "state", "league", "conference", "division")
    for head in _HEADS.lower().split("|")
    for slug in (f"{word}-{head}", f"{word}-{head}s")
)
_LEAGUE = re.compile(
    r"\b(?:Conference|Congress|Cup|Classic|Forum|Final|Open|Games)$"
)  # often a body, a season or a series

MONTHS = {m.lower(): i for i, m in enumerate(calendar.month_name) if m}
MONTHS |= {m.lower(): i for i, m in enumerate(calendar.month_abbr) if m} | {"sept": 9}
WEEKDAYS = {d.lower(): i for i, d in enumerate(calendar.day_name)}
_MONTH = r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
_WDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_EXPLICIT = re.compile(
    rf"(?<![\w.])(?:(?P<wd>{_WDAY})(?:\s+(?:morning|afternoon|evening|night))?[,\s]*\(?\s*(?:on\s+)?)?"
    rf"(?:(?P<m>{_MONTH})\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<y>{_YEAR}))?"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<m2>{_MONTH})(?:,?\s+(?P<y2>{_YEAR}))?"
    rf"|(?P<iso>{_YEAR}-\d{{2}}-\d{{2}}))"
)
_RELATIVE = re.compile(
    rf"\b(?:(?P<next>next|this coming|coming)\s+)?(?P<wd>{_WDAY})\b|\b(?P<rel>last night|tonight|yesterday|today|"
    r"this (?:morning|afternoon|evening)|tomorrow)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Known:
    """One entry of the events file. `first` + n is the year of the nth edition."""

    key: str
    name: str
    short: str | None
    first: int | None = None
    numbered: bool = False  # "Super Bowl 58", "COP28": the number after the name counts editions
    months: tuple[int, ...] = ()  # in which it is held
    every: int = 1  # years between editions,
    anchor: int = 0  # counted from this one
    on: str | None = None  # "first Monday in May"
    weekday: int | None = None
    held: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # moved editions: edition -> "YYYY-MM" ...
    needs: re.Pattern[str] | None = None
    context: re.Pattern[str] | None = None

    def has_edition(self, year: int) -> bool:
        """Whether there is an edition of `year`, as far as the file knows."""
        return (year - self.anchor) % self.every == 0 or year in self.held

    def span(self, edition: int) -> tuple[date, date] | None:
        """Return the first and last day on which `edition` can be held; None when the file does not say."""
        if edition in self.held:
            days = [date.fromisoformat(f"{m}-01") for m in self.held[edition]]
        else:
            days = [date(edition + (m < self.months[0]), m, 1) for m in self.months]
        if not days:
            return None
        last = days[-1].replace(day=calendar.monthrange(days[-1].year, days[-1].month)[1])
        if self.on and edition not in self.held and (day := nth_weekday(self.on, edition)):
            return day, day
        return days[0], last


@dataclass(frozen=True, slots=True)
class Alias:
    """A name of an event, or of several that share it. `needy`: a common word, which counts in fitting company alone."""

    text: str
    keys: tuple[str, ...]
    strict: bool
    needy: bool
    dated: bool


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """All known names, found by their first word; `words` are those of at least five letters. Equal to itself alone."""

    key: str  # of the files that they were read from
    known: dict[str, Known]
    aliases: dict[str, Alias] = field(repr=False)
    by_first: dict[str, re.Pattern[str]] = field(repr=False)
    words: frozenset[str] = field(repr=False)
    demonyms: dict[str, str] = field(repr=False)  # "turkey" and "turkish" -> "Turkish"
    votes: re.Pattern[str] = field(repr=False)  # "Turkey's presidential runoff"


@dataclass(frozen=True, slots=True)
class Mention:
    """An event named in a text, at `[start, end)`, with the edition said beside it (None when none is).

    `keys` are all the events whose name it is, and `passing` tells that the text speaks of a person's past with
    it ("a two-time Grammy winner").
    """

    key: str
    name: str
    short: str | None
    edition: str | None
    start: int
    end: int
    keys: tuple[str, ...] = ()
    passing: bool = False


def slug(name: str) -> str:
    """Turn a name into a stable key: "MTV Video Music Awards" -> "mtv-video-music-awards"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower().replace("'", "")
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def load_names(extra: Path | None = None) -> Names:
    """Load the built-in names and those of `extra`, which win; a file that was edited is read again.

    Raises: ConfigError when `extra` cannot be used.
    """
    if extra is None:
        return _load_names(None, 0, 0)
    try:
        state = extra.stat()
    except OSError as e:
        raise ConfigError(f"The events file {extra} cannot be opened: {e.strerror}. Correct RECAP_EVENTS_FILE.") from e
    return _load_names(extra, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _load_names(extra: Path | None, _changed: int, _size: int) -> Names:
    sources = [(Path(__file__).parent / "events.toml").read_bytes()]
    builtin = tomllib.loads(sources[0].decode())
    rows = builtin["event"]
    if extra is not None:
        try:
            sources.append(extra.read_bytes())
            own = tomllib.loads(sources[1].decode()).get("event", [])
        except (OSError, ValueError, RecursionError) as e:  # also bytes, numbers and brackets without end
            raise ConfigError(
                f"The events file {extra} cannot be used: {e}. Each entry is [[event]] with a name."
            ) from e
        if not isinstance(own, list):
            raise ConfigError(f"The events file {extra} cannot be used. Each entry is [[event]] with a name.")
        rows = rows + own
    known: dict[str, Known] = {}
    aliases: dict[str, Alias] = {}
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            raise ConfigError(
                f"The events file {extra} has an entry without a name. Each entry is [[event]] with a name."
            )
        try:
            event = _known(row)
        except (TypeError, ValueError, AttributeError, KeyError, IndexError, OverflowError) as e:
            raise ConfigError(
                f"The events file {extra} has an entry that cannot be used ({row['name']}: {e}). "
                "The lines at the head of rag/ingest/events.toml say what an entry may hold."
            ) from e
        known[event.key] = event
        groups = {group: row.get(group, ()) for group in _GROUPS}
        for alias in dict.fromkeys([row["name"], *(a for group in groups.values() for a in group)]):
            strict, dated = alias in groups["exact"], alias in groups["dated"]
            shared = dated or alias in groups["shared"]
            before = aliases.get(_fold(alias))
            keys = (*before.keys, event.key) if before and shared and event.key not in before.keys else (event.key,)
            aliases[_fold(alias)] = Alias(alias, keys, strict, bool(event.needs) and (strict or shared), dated)
    by_first: dict[str, list[Alias]] = defaultdict(list)
    for a in aliases.values():
        by_first[_first_word(_fold(a.text))].append(a)
    return Names(
        key=hashlib.sha256(b"\0".join(sources)).hexdigest()[:16],
        known=known,
        aliases=aliases,
        by_first={w: _alternation(a) for w, a in by_first.items() if w},
        words=frozenset(w for alias in aliases for w in re.findall(r"[a-z]{5,}", alias)),
        demonyms={k.lower(): v for c, v in builtin["demonyms"].items() for k in (c, v)},
        votes=_votes(builtin["demonyms"]),
    )


def _votes(demonyms: Mapping[str, str]) -> re.Pattern[str]:
    """Compile what a country's or a place's election is called: "France's 2022 election", "the Chicago mayoral runoff"."""
    lands = "|".join(re.escape(x) for x in sorted({*demonyms, *demonyms.values()}, key=lambda x: (-len(x), x)))
    kinds = "presidential|general|parliamentary|snap|legislative|federal|national"
    return re.compile(
        rf"\b(?:(?P<land>{lands})(?:['’]s)?\s+(?:(?P<y1>{_YEAR})\s+)?(?:(?:{kinds})\s+)*(?:elections?|runoff|run-off)"
        rf"|(?P<place>[A-Z][\w.]+(?: [A-Z][\w.]+)?)(?:['’]s)?\s+(?:(?P<y2>{_YEAR})\s+)?"
        rf"(?P<kind>mayoral|gubernatorial|Senate|governor['’]s)\s+(?:elections?|runoff|run-off|race|recall))\b"
    )


_GROUPS = ("aliases", "exact", "shared", "dated")
_YEARS = range(1, 9999)  # the calendar's, and one to spare


def _known(row: Mapping[str, Any]) -> Known:
    for group in (*_GROUPS, "needs", "context"):
        if not isinstance(found := row.get(group, []), list) or not all(isinstance(a, str) for a in found):
            raise ValueError(f'{group} is no list of names, as ["a", "b"]')
    if not isinstance(row.get("short", ""), str):
        raise ValueError("short is no name")
    if not isinstance(first := row.get("first", 1), int) or not -9999 < first < 9999:
        raise ValueError("first is no year")
    if any(int(y) not in _YEARS for y in (row.get("anchor", 1) or 1, *row.get("held", {}))):
        raise ValueError("anchor and held have years from 1 to 9998")
    weekday = row.get("weekday")
    months = tuple(int(m) for m in row.get("months", ()))
    if any(not 1 <= m <= 12 for m in months):
        raise ValueError("months count from 1 to 12")
    on = row.get("on")
    if on is not None and nth_weekday(on, 2000) is None:
        raise ValueError(f'"{on}" is no day of the calendar')
    return Known(
        key=slug(row["name"]),
        name=row["name"],
        short=row.get("short"),
        first=row.get("first"),
        numbered=bool(row.get("numbered")),
        months=months,
        every=max(1, int(row.get("every", 1))),
        anchor=int(row.get("anchor", 0)),
        on=on,
        weekday=WEEKDAYS[weekday.lower()] if weekday else None,
        held={
            int(y): tuple(str(date.fromisoformat(f"{m}-01"))[:7] for m in when)
            for y, when in row.get("held", {}).items()
        },
        needs=_any_word(row.get("needs", ())),
        context=_any_word(row.get("context", ())),
    )


def _any_word(words: Sequence[str]) -> re.Pattern[str] | None:
    """Compile what finds any of the words, one or several of the thing, in text that is lower case."""
    body = "|".join(_spelled(w.lower()) for w in words)
    return re.compile(rf"(?<!\w)(?:{body})s?(?!\w)") if words else None


def _first_word(folded: str) -> str:
    m = re.search(r"[^\W_]+", folded)
    return m.group() if m else ""


def _alternation(aliases: Iterable[Alias]) -> re.Pattern[str]:
    longest_first = sorted(aliases, key=lambda a: (-len(a.text), a.text))
    body = "|".join(
        f"(?{'-i' if a.strict else 'i'}:{_spelled(a.text)})" if not a.strict else _spelled(a.text)
        for a in longest_first
    )
    return re.compile(rf"(?:{body})(?![\w-])(?!\s+Museum)")


def _spelled(alias: str) -> str:
    return re.escape(alias).replace(r"\ ", r"\s+").replace("'", "['’]")


def _fold(alias: str) -> str:
    return re.sub(r"\s+", " ", alias.replace("’", "'")).lower()


_NTH = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}


def nth_weekday(rule: str, year: int) -> date | None:
    """Return the day that "first Monday in May", or "Tuesday after the first Monday in November", is in `year`."""
    m = re.fullmatch(
        r"(?:(\w+) (after|before) the )?(first|second|third|fourth|last) (\w+) in (\w+)", rule.strip(), re.I
    )
    if not m:
        return None
    other, side, nth, name, month_name = (g.lower() if g else g for g in m.groups())
    month = MONTHS.get(month_name)
    if month is None or name not in WEEKDAYS or (other and other not in WEEKDAYS):
        return None
    last = calendar.monthrange(year, month)[1]
    days = [d for n in range(1, last + 1) if (d := date(year, month, n)).weekday() == WEEKDAYS[name]]
    day = days[_NTH[nth] - 1] if _NTH[nth] > 0 else days[-1]
    if other:
        away = (WEEKDAYS[other] - day.weekday()) % 7
        day += timedelta(days=(away or 7) if side == "after" else (away or 7) - 7 if away else -7)
    return day


def find_mentions(
    text: str, names: Names, *, asked: bool = False, day: date | None = None, company: str = ""
) -> list[Mention]:
    """Find every event named in `text`, in order; `asked` reads it as a question (names in any case).

    `day`, when the text was written, tells which of the events that share a name is meant, and whose "this year's" is;
    so do the words of `company`, what stands around `text` ("" for the text itself).
    """
    low = _lower(text)
    around = company.lower() if company else low
    hits: list[tuple[int, int, Alias]] = []
    for word in names.by_first.keys() & _WORD.findall(low):
        pattern = names.by_first[word]
        at = low.find(word)
        while at >= 0:
            if (at == 0 or not (low[at - 1].isalnum() or low[at - 1] in "_-")) and (m := pattern.match(text, at)):
                alias = names.aliases.get(_fold(m.group()))
                if alias is not None:
                    hits.append((at, m.end(), alias))
            at = low.find(word, at + 1)
    found: list[Mention] = []
    taken: list[tuple[int, int]] = []  # in order, none over another
    for start, end, alias in sorted(hits, key=lambda h: (h[0], -h[1])):
        if taken and taken[-1][1] > start:
            continue
        keys = [k for k in alias.keys if asked or not alias.needy or _in_company(names.known[k], around)]
        if not keys or _named_otherwise(text, start, end, alone=alias.strict and " " not in alias.text):
            continue
        keys, edition = _which(keys, text, start, end, low=around, names=names, day=day, asked=asked)
        known = names.known[keys[0]]
        if alias.dated and (edition is None or not known.has_edition(int(edition))):
            continue
        found.append(
            Mention(
                known.key,
                known.name,
                known.short,
                edition,
                start,
                end,
                keys=tuple(keys),
                passing=_in_passing(text, start, end),
            )
        )
        taken.append((start, end))
    for name, year, start, end in [*_votes_and_trials(text, names), *_by_form(text, asked=asked)]:
        if _overlaps(taken, start, end):
            continue
        key = slug(name)
        if any(k.endswith(f"-{key}") for k in names.known):
            continue
        found.append(Mention(key, name, None, year, start, end))
        insort(taken, (start, end))
    return sorted(found, key=lambda x: x.start)


_WORD = re.compile(r"[^\W_]+")


def _lower(text: str) -> str:
    """Lower-case letter by letter, so that offsets stay."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _in_company(known: Known, low: str) -> bool:
    return known.needs is None or known.needs.search(low) is not None


_OF_ANOTHER = re.compile(
    r"\b[A-Z][\w.]*(?:n|sh|se|ch|i|k|s|['’]s)\s+(?:\d{4}\s+)?$"
)  # "Brazil's presidential election"
_SMALLER = re.compile(  # "Under-20 World Cup"
    r"\b(?:(?:Under|U)[- ]?\d\d|Junior|Youth|Boys['’]?|Girls['’]?|High School|Minor League|Puppy|Kitten|Fantasy|Homeless|"
    r"Beach Soccer|Student)\s+(?:\d{4}\s+)?$",
    re.I,
)


def _named_otherwise(text: str, start: int, end: int, *, alone: bool) -> bool:
    """Whether a country, or a longer name around it, says that it is not the known event."""
    before = text[max(0, start - 40) : start]
    if _SMALLER.search(before):
        return True
    if alone and re.match(r" [A-Z][a-z]", text[end : end + 3]):
        return True  # "Oscar Mayer"
    if not re.match(r"presidential|elections?\b|vote\b", text[start:end], re.I) or not (
        m := _OF_ANOTHER.search(before)
    ):
        return False
    return not re.match(r"(?:US|U\.S\.|American|America['’]s|The|This|His|Its)\b", m.group())


def _which(
    keys: Sequence[str], text: str, start: int, end: int, *, low: str, names: Names, day: date | None, asked: bool
) -> tuple[list[str], str | None]:
    """Order the events that share a name by how well each fits, and read the edition said beside it."""
    said = {k: _edition_beside(text, start, end, names.known[k], day) for k in keys}
    if len(keys) == 1:
        return list(keys), said[keys[0]]

    def fit(key: str) -> tuple[bool, bool, int]:
        known, edition = names.known[key], said[key]
        held = edition is None or known.has_edition(int(edition))
        company = min(4, len(known.context.findall(low))) if known.context else 0
        likely = key == keys[0] or known.context is None or company >= (1 if asked else 2)
        return held, likely, _A_WORD * company - (_away(known, day) if day and edition is None else 0)

    best = max(keys, key=lambda k: (fit(k), -keys.index(k)))
    return [best, *(k for k in keys if k != best)], said[best]


_A_WORD = 45  # days from its calendar that a word of its own makes up for, where events share a name


def _away(known: Known, day: date) -> int:
    """Days from `day` to the nearest edition; a season's when the file does not say when it is held."""
    near = [_days_to(s, day) for y in _years_around(known, day) if (s := known.span(y))]
    return min(near) if near else 90


def _years_around(known: Known, day: date) -> list[int]:
    return [y for y in range(day.year - known.every - 1, day.year + known.every + 2) if known.has_edition(y)]


def _days_to(span: tuple[date, date], day: date) -> int:
    return max((span[0] - day).days, (day - span[1]).days, 0)


CLEAR = 1.3  # how many times nearer than the next an edition must be, to be the one that is meant


def edition_asked(known: Known, text: str, *, as_of: date) -> str | None:
    """Return the edition that a question asked on `as_of` means by the bare name: the last one held, or the one to come.

    "Who will host ..." is the next one, "who won ... this week" the nearest. None when it may be either: within 75 days
    before the next, or where the file does not say when it is held.
    """
    spans = [(s, y) for y in _years_around(known, as_of) if (s := known.span(y))]
    last = max((x for x in spans if x[0][0] <= as_of), default=None)
    coming = min((x for x in spans if x[0][1] >= as_of), default=None)
    if _SOON.search(text):
        return edition_near(known, as_of)
    if _TO_BE.search(text):
        return str(coming[1]) if coming else None
    if last is None or (coming and last is not coming and (coming[0][0] - as_of).days <= 75):
        return None
    return str(last[1])


_SOON = re.compile(
    r"\b(?:this|past|last) (?:past )?(?:week|weekend|month)|\b(?:on|last|this) (?:night|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)\b|"
    r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day(?: night)?['’]s\b|\b(?:yesterday|tonight|recently|just)\b",
    re.I,
)
_TO_BE = re.compile(
    r"\b(?:will|upcoming|going to|set to|due to|nominees|nominations|nominated|next|scheduled|slated)\b", re.I
)


def edition_near(known: Known, day: date) -> str | None:
    """Return the edition that a text of `day` means by the bare name: the nearest, held or to come; None in between."""
    near = sorted((_days_to(s, day), y) for y in _years_around(known, day) if (s := known.span(y)))
    if not near or (len(near) > 1 and near[1][0] < CLEAR * near[0][0]):
        return None
    return str(near[0][1])


_PASSING_BEFORE = re.compile(
    r"(?:\b(?:\w+-time|multiple|former|reigning|defending|winning (?:a|an|his|her|their|two|three)|"
    r"(?:won|win|wins|earned|nabbed|received) (?:a|an|his|her|their|its|two|three|four|five|six|seven|eight|nine|ten|\d{1,2}|multiple|"
    r"several|back-to-back)(?: first| second| third)?|(?:equivalent|version|answer) (?:of|to) the|nominated for (?:a|an|his|her|two|three|four)|a|an|his|her)\s+)(?:\d{4}\s+)?$",
    re.I,
)
_PASSING_AFTER = re.compile(r"\s+(?:winner|champion|champ|laureate|nominee|hero|veteran|medalist)s?\b(?!\s+list)", re.I)


def _in_passing(text: str, start: int, end: int) -> bool:
    """Whether the name only says who somebody is: "a two-time Grammy winner", "won an Oscar"."""
    return bool(_PASSING_BEFORE.search(text[max(0, start - 40) : start])) or bool(
        re.search(r"[a-z]$", text[start:end]) and _PASSING_AFTER.match(text, end)
    )


_TRIAL = re.compile(
    r"\b(?P<name>[A-Z][\w’'.-]+(?:\s+(?:v\.?|vs\.?|[A-Z][\w’'.-]+)){0,3}?)(?:['’]s)?\s+"
    r"(?:(?:[a-z]+|hush[- ]money|Murder|Fraud|Criminal)\s+){0,2}?[Tt]rial\b|\btrial of (?:[a-z]+ ){0,3}(?P<of>[A-Z][\w’'-]+(?: [A-Z][\w’'-]+){0,2})"
)
_MEDICINE = re.compile(r"\b(?:clinical|vaccines?|drug|patients|placebo|dose|phase|time) trials?\b|\bplacebo\b", re.I)


def _votes_and_trials(text: str, names: Names) -> Iterator[tuple[str, str | None, int, int]]:
    """Yield elections by country or place, and trials by the name they carry: `(name, edition, start, end)`."""
    end = 0
    for word in _VOTE_OR_TRIAL.finditer(text):
        at = max(end, word.start() - 70)
        if word.group("trial"):
            m = _TRIAL.search(text[at : word.end() + 60])
            who = re.sub(r"['’]s$", "", m.group("name") or m.group("of")).split() if m else []
            named = who and who[-1].lower() not in _NO_PARTY and who[-1][0].isupper()
            if m and named and not _MEDICINE.search(text):
                yield f"{who[-1]} trial", None, at + m.start(), at + m.end()
                end = at + m.end()
        elif m := names.votes.search(text[at : word.end()]):
            land, kind = m.group("land"), m.group("kind")
            name = f"{names.demonyms[land.lower()]} election" if land else f"{m.group('place')} {kind.lower()} election"
            yield name, m.group("y1") or m.group("y2"), at + m.start(), at + m.end()
            end = at + m.end()


_VOTE_OR_TRIAL = re.compile(r"[Ee]lections?\b|[Rr]un-?off\b|[Rr]ecall\b|[Rr]ace\b|(?P<trial>[Tt]rial\b)")
_NO_PARTY = frozenset(
    "the a an his her its their this that on at in for after during before as when if federal first second murder criminal "
    "civil jury supreme court public senate house impeachment show free new trial no each any one bench fair speedy former "
    "olympic olympics field fda covid covid-19".split()
)


def _by_form(text: str, *, asked: bool) -> Iterator[tuple[str, str | None, int, int]]:
    """Yield the names that no file knows: `(name, edition, start, end)`."""
    spans: list[tuple[str, str | None, int, int]] = []
    if asked:
        for pattern in (_ASKED, _ASKED_AFTER, _ASKED_BARE):
            for m in pattern.finditer(text):
                groups = {k: v for k, v in m.groupdict().items() if v}
                which = next(k for k in groups if k.startswith("n"))
                year = next((v for k, v in groups.items() if k.startswith("y")), None)
                spans.append((m.group(which), year, *m.span(which)))
    else:
        for y in _YEAR_SAID.finditer(text):
            if after := _AFTER_YEAR.match(text, y.end()):
                spans.append((after.group("name"), y.group(), *after.span("name")))
            at = max(0, y.start() - 100)
            if before := _BEFORE_YEAR.search(text[at : y.start()]):
                spans.append((before.group("name"), y.group(), at + before.start("name"), at + before.end("name")))
    for raw, year, start, end in spans:
        name = re.sub(r"\s+", " ", raw).strip()
        name = re.sub(r"^(?:(?:and|of|for|de|du|&|the|annual)\s+)+", "", name, flags=re.I)
        if not re.search(r"[A-Za-z]{2}", name) or " " not in name or slug(name) in _TOO_GENERAL:
            continue
        yield (name if any(c.isupper() for c in name) else name.title()), year, start, end


def _overlaps(taken: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    n = bisect_left(taken, (end, 0))
    return n > 0 and taken[n - 1][1] > start


def _edition_beside(text: str, start: int, end: int, known: Known, day: date | None) -> str | None:
    first, numbered = known.first, known.numbered
    if m := re.search(rf"\s({_YEAR})$", text[start:end]):  # an alias with its year: "Euro 2024"
        return m.group(1)
    before, after = text[max(0, start - 40) : start], text[end : end + 24]
    if m := re.search(rf"({_YEAR})(?:['’]s)?(?:\s+(?:annual|MTV|edition of the|edition of))*\s+$", before):
        return m.group(1)
    if m := re.search(r"['’](\d\d)\s+(?:annual\s+)?$", before):
        return str(_full_year(m.group(1)))
    if m := re.match(rf"(?:['’]s)?\s*+[,(]?\s*+(?:of|in|for|from|edition)?\s*+({_YEAR})\b", after):
        return m.group(1)
    if m := re.match(r"\s+['’](\d\d)\b(?!s)", after):
        return str(_full_year(m.group(1)))
    if first is not None:
        if m := re.search(r"\b(\d{2,3})(?:st|nd|rd|th)\s+(?:annual\s+)?$", before, re.I):  # "their 1st World Series"
            return str(first + int(m.group(1)))
        if (m := re.match(r"\s+([IVXLC]{2,})\b", after)) and (n := _roman(m.group(1))):
            return str(first + n)
        if numbered and (
            m := re.search(r"(?<!\d)(\d{1,3})$", text[start:end]) or re.match(r"\s+(\d{1,3})\b(?![-,.:]\d)", after)
        ):
            return str(first + int(m.group(1)))
    if day and (m := re.search(r"\b(this|last|next) year['’]?s\s+(?:annual\s+)?$", before, re.I)):
        shift = {"this": 0, "last": -1, "next": 1}[m.group(1).lower()]
        return str(day.year + shift)
    return None


def _full_year(two: str) -> int:
    """Read "'24" as 2024 and "'99" as 1999."""
    return int(two) + (2000 if int(two) < 60 else 1900)


def _roman(numeral: str) -> int:
    values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
    total = 0
    for here, following in zip(numeral, [*numeral[1:], "I"], strict=False):
        total += -values[here] if values[here] < values[following] else values[here]
    return total


def resolve_article(title: str, text: str, *, published: date | None, names: Names) -> tuple[Event, ...]:
    """Decide which event an article is about (first) and which others it is about as well.

    It is about an event that its headline names and its text speaks of, or that its opening names and its text keeps
    naming; one that is named in passing only, or in a digest of the day's news, is not. The edition is the headline's,
    else the one that text and calendar agree on most; the main event alone takes one from the calendar.
    """
    if not title.strip():
        title = text[: _sentence(text[:_HEAD], 0)[1]]  # no headline: the first sentence says what it is about
    digest = bool(_DIGEST.search(title))
    in_title = [] if digest else find_mentions(title, names, day=published, company=f"{title} {text}")
    in_text = find_mentions(text, names, day=published)
    if in_title or in_text:
        in_title, in_text = _agreed(in_title, in_text)
    counts: dict[str, list[Mention]] = defaultdict(list)
    for m in in_text:
        counts[m.key].append(m)
    heads: dict[str, list[Mention]] = defaultdict(list)
    for m in in_title:
        heads[m.key].append(m)
    about: list[tuple[float, int, str]] = []
    for order, key in enumerate(dict.fromkeys([*heads, *counts])):
        weight = _aboutness(heads[key], counts[key], title=title, text=text, known=names.known.get(key), digest=digest)
        if weight >= 1:
            about.append((-weight, order, key))
    events: list[Event] = []
    for _, _, key in sorted(about):
        first = (heads[key] or counts[key])[0]
        known = names.known.get(key)
        edition = _edition(heads[key], counts[key], title, known, published, main=not events)
        start = None
        if not events:
            spans = [(m.start, m.end) for m in counts[key] if m.start < _OPENING]
            start = event_date(text, edition=edition, published=published, mentions=spans, known=known)
        events.append(Event(key=key, name=first.name, edition=edition, start=start, short=first.short))
    return tuple(events)


def _agreed(in_title: list[Mention], in_text: list[Mention]) -> tuple[list[Mention], list[Mention]]:
    """Let a shared name mean the event that the article names in full, where it names one more than once."""
    everywhere = [*in_title, *in_text]
    full = Counter(m.key for m in [*in_title, *everywhere] if len(m.keys) < 2)
    named = {m.key: m for m in everywhere if full[m.key] >= 2}

    def put(m: Mention) -> Mention:
        other = next((named[k] for k in m.keys if k in named), None) if len(m.keys) > 1 else None
        if other is None or m.edition or full[m.key]:
            return m
        return replace(m, key=other.key, name=other.name, short=other.short)

    return [put(m) for m in in_title], [put(m) for m in in_text]


_HEAD = 700  # characters: the opening in which an article says what it is about
_DIGEST = re.compile(
    r"\b(?:(?:\d+|five|ten) things(?: you need)?(?: to know)?(?: today| (?:this|for|on) \w+)?\s*(?:[:|]|podcast|$|\.\.\.)|podcast|newsletter|news quiz|daily briefing|50 states|fifty states|this (?:date|day) in|"
    r"in review|week in|what to know today|top (?:stories|headlines)|news you need|who to watch on tv|trending searches|"
    r"the short list|live (?:updates|blog): (?:coronavirus|covid))",
    re.I,
)
_ALL_TIME = re.compile(
    r"\b(?:of all time|in history|all-time|ever|through the years|over the years|every .* since|timeline|rank(?:ed|ing))\b",
    re.I,
)


def _aboutness(
    heads: Sequence[Mention], said: Sequence[Mention], *, title: str, text: str, known: Known | None, digest: bool
) -> float:
    """Weigh how much an article is about an event: from 1 on it is."""
    told = [m for m in said if not m.passing]
    opening = sum(m.start < _HEAD for m in told)
    density = len(told) / max(1.0, len(text) / 1000)  # mentions in a thousand characters
    if any(not m.passing or m.edition for m in heads):
        edition = any(m.edition for m in heads)
        if len(text) > _BRIEF and not said and not (known and edition) and not _spoken_of(heads[0].name, text):
            return 0.0
        if known is None and not said and _LEAGUE.search(heads[0].name):
            return 0.0
        aside = bool(_BESIDE_TIME.search(title[: heads[0].start])) and not edition
        before, after = title[: heads[0].start], title[heads[0].end :]
        alone = not re.search(r"\w", f"{before.rpartition(',')[2]} {after.partition(',')[0]}".rstrip(" .…"))
        if alone and title.count(",") >= 2:
            return 0.0  # "COP28, a strike, a trial ...": the news of the day
        listed = not edition and "," in before and (alone or title.count(",") >= 2)
        if (aside or listed) and (density < 0.5 or not opening):
            return 0.0
        return 3 + 2 * density + opening
    if digest or known is None or not opening or title.count(",") >= 2:
        return 0.0
    cut = title.rstrip().endswith(("...", "…"))  # the headline may go on to name it
    enough = density >= (0.7 if cut else 1.0) and len(told) >= (4 if cut else 3) and opening >= 2
    return 1 + density if enough else 0.0


_MONTH_BEFORE = re.compile(rf"\b{_MONTH}\s+(?:\d{{1,2}},?\s+)?$")


_BRIEF = 1500  # characters: so short a text need not repeat the name that its headline gave


def _spoken_of(name: str, text: str) -> bool:
    """Whether a text under the headline of a trial or an election speaks of it, if only as "the trial"."""
    who, _, what = name.rpartition(" ")
    return (what == "trial" and text.count(who) >= 3) or (what == "election" and text.count("lection") >= 2)


def _edition(
    heads: Sequence[Mention],
    said: Sequence[Mention],
    title: str,
    known: Known | None,
    published: date | None,
    *,
    main: bool,
) -> str | None:
    """Choose the edition: the headline's; else by mentions (3 in the opening, later ones together at most 3) and calendar (4)."""
    votes: dict[str, float] = defaultdict(float)
    for m in heads:
        if m.edition:
            votes[m.edition] += 3
    if len(votes) == 1:
        return next(iter(votes))
    year = _YEAR_SAID.search(title)
    if year and _MONTH_BEFORE.search(title[: year.start()]):
        year = None  # "moved to January 2024"
    if not votes and year and heads and known and known.has_edition(int(year.group())):
        return year.group()
    later: dict[str, float] = defaultdict(float)
    for m in said:
        if m.edition and not m.passing:
            if m.start < _HEAD:
                votes[m.edition] += 3
            else:
                later[m.edition] += 1
    for e, n in later.items():
        votes[e] += min(3, n)
    if published and (main or votes):
        of_calendar = edition_near(known, published) if known and (known.months or known.held) else None
        if known and not known.months and known.every == 1:
            of_calendar = str(published.year)
        span = (known.every if known else 1) + 1
        votes = defaultdict(float, {e: v for e, v in votes.items() if abs(int(e) - published.year) <= span or v >= 6})
        if of_calendar and (main or of_calendar in votes) and not _ALL_TIME.search(title):
            votes[of_calendar] += 4
    if not votes and known is None and published and heads and heads[0].name.endswith("election"):
        return str(published.year)
    if not votes:
        return None
    return max(sorted(votes), key=lambda e: votes[e])


def event_date(
    text: str,
    *,
    edition: str | None,
    published: date | None,
    mentions: Sequence[tuple[int, int]] | None = None,
    known: Known | None = None,
) -> date | None:
    """Work out the day an event happened from the calendar, or from what the article's opening says.

    "Wednesday evening (September 11)" takes its year from the edition, or from the weekday and the date published;
    "Tuesday night" is the last Tuesday up to the date published. A day of another year than the edition's (one winter of
    grace, for shows held in the January after) is not believed, nor one out of the months in which the event is held,
    nor one whose sentence speaks neither of the event (at `mentions`, where they are known) nor of "the ceremony", nor
    one on which somebody only spoke. None when there is no such day.
    """
    opening = text[:_OPENING]
    year = int(edition) if edition and edition.isdigit() else None
    window = known.span(year) if known and year is not None else None
    if known and known.on and window and window[0] == window[1]:
        return window[0]
    if known and known.held and year in known.held and window is None:
        return None  # it was not held
    candidates: list[tuple[int, date, bool]] = []
    for m in _EXPLICIT.finditer(opening):
        day = _explicit_day(m, year=window[0].year if window else year, published=published)
        if day and not _is_dateline(opening, m.start()):
            candidates.append((m.start(), day, True))
    if published:
        for m in _RELATIVE.finditer(opening):
            if any(s <= m.start() + 30 and m.start() <= s + 30 for s, _, _ in candidates):
                continue  # the weekday of an explicit date
            soon = not m.group("next") and bool(_TO_COME.search(opening[: m.start()]))
            if known and m.group("wd") and not m.group("next"):
                soon = soon or _ahead(opening, m.start(), m.group("wd"), published)
            if day := resolve_relative(f"{'coming ' if soon else ''}{m.group()}", published=published):
                candidates.append((m.start(), day, False))
    spans = None if mentions is None else [(s, e) for s, e in mentions if not _BESIDE_TIME.search(opening[:s])]
    for at, day, explicit in sorted(candidates):
        if year is not None and not window and not (day.year == year or (day.year == year + 1 and day.month <= 3)):
            continue
        if window and not window[0] <= day <= window[1]:
            continue
        if known and known.weekday is not None and day.weekday() != known.weekday:
            continue
        start, end = _sentence(opening, at)
        if not explicit and known and _SPOKE.search(opening[start:end]):
            continue
        if not explicit and known and spans is not None:
            start, end = max(start, at - _BESIDE), min(end, at + _BESIDE)
        if explicit and start:  # "At the Grammys ... . The guests of Sunday, February 4, ..."
            start, _ = _sentence(opening, start - 1)
        if spans is None or any(start <= s < end for s, _ in spans) or _OCCASION.search(opening[start:end]):
            return day
    return None


_BESIDE = 110  # characters between a weekday and the event that it dates
_PAST = re.compile(
    r"\b(?:was|were|won|win|wins|took|beat|beats|defeated|swept|earned|last|held|had|became|delivered|returned|went|saw|made|"
    r"gave|came|ended|opened|kicked|began|sang|performed|received|picked|accepted|scored|capped|featured|dominated)\b",
    re.I,
)


def _ahead(text: str, at: int, weekday: str, published: date) -> bool:
    """Whether "Sunday" means the coming one: printed three days or more after the last, and told as nothing past."""
    since = (published.weekday() - WEEKDAYS[weekday.lower()]) % 7
    start, end = _sentence(text, at)
    return since >= 3 and not _PAST.search(text[start:end])


_SPOKE = re.compile(
    r"\b(?:said|told|announced|tweeted|confirmed|revealed|unveiled|according|reported|statement|nominat\w+)\b", re.I
)
_OPENING = 1500
_TO_COME = re.compile(
    r"\b(?:will|set to|due to|scheduled|slated|expected to|gets? under ?way|kicks? off|begins?|starts?|airs?|takes? place)\b"
    r"[^.!?\n]{0,60}$",
    re.I,
)
_BESIDE_TIME = re.compile(r"\b(?:before|after|since|until|ahead of|away from|following)\s+(?:[\w'’-]+\s+){0,2}$", re.I)
_OCCASION = re.compile(
    r"\b(?:the|this|that|last night['’]s|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day(?: night| evening)?['’]s?|\d,)\s+"
    r"(?:[\w'’-]+\s+){0,3}?(?:ceremony|show|event|awards?|gala|festival|telecast|broadcast|tournament|final|parade|race|match)\b",
    re.I,
)


def _sentence(text: str, at: int) -> tuple[int, int]:
    """Return the span of the sentence (and line) around an offset."""
    begin = max((m.end() for m in re.finditer(r"[.!?][\"”’)]*\s+(?=[A-Z\"“‘])|\n\s*\n", text[:at])), default=0)
    end = re.search(r"[.!?][\"”’)]*(?:\s+(?=[A-Z\"“‘])|$)|\n\s*\n", text[at:])
    return begin, at + end.end() if end else len(text)


def _explicit_day(m: re.Match[str], *, year: int | None, published: date | None) -> date | None:
    if m.group("iso"):
        return _valid_iso(m.group("iso"))
    month = MONTHS[(m.group("m") or m.group("m2")).rstrip(".").lower()]
    day = int(m.group("d") or m.group("d2"))
    said = m.group("y") or m.group("y2")
    weekday = WEEKDAYS[m.group("wd").lower()] if m.group("wd") else None
    if said:
        years: Sequence[int] = [int(said)]
    else:
        around = [
            y for base in (year, published.year if published else None) if base for y in (base, base - 1, base + 1)
        ]
        years = list(dict.fromkeys(around))
    dates = [d for y in years if (d := _valid(y, month, day))]
    if weekday is not None and not said:
        dates = [d for d in dates if d.weekday() == weekday] or dates[:1]
    return dates[0] if dates else None


def _valid(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _valid_iso(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _is_dateline(text: str, at: int) -> bool:
    if re.search(r"\b(?:published|updated|posted|date)\b[:\s]*$", text[max(0, at - 14) : at], re.I):
        return True
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    if re.fullmatch(r"[A-Z][A-Z .,’'-]{2,30}", text[start:at]) and re.match(
        r"[\w ,]{6,20}\s*(?:\([A-Za-z]+\)\s*)?[—–]", text[at:]
    ):
        return True  # "NORTHPORT, May 18, 2025 — "
    line = text[start : end if end >= 0 else len(text)]
    return len(line) <= 60 and not re.search(r"[.!?]$|\b(?:on|held|place)\b", line)  # a date on a line of its own


def resolve_relative(expression: str, *, published: date) -> date | None:
    """Turn "Tuesday night", "last night", "next Sunday" in a text of `published` into a day, by the calendar."""
    try:
        return _relative(expression, published)
    except OverflowError:  # the calendar ends in 9999
        return None


def _relative(expression: str, published: date) -> date | None:
    low = expression.lower()
    if low in ("last night", "yesterday"):
        return published - timedelta(days=1)
    if low == "tomorrow":
        return published + timedelta(days=1)
    if low in ("tonight", "today") or (low.startswith("this ") and not low.startswith("this coming")):
        return published
    m = re.search(_WDAY, expression, re.I)
    if not m:
        return None
    weekday = WEEKDAYS[m.group().lower()]
    if low.startswith(("next", "this coming", "coming")):
        if low.startswith("coming"):  # "kicks off on Sunday", printed on that Sunday
            return published + timedelta(days=(weekday - published.weekday()) % 7)
        return published + timedelta(days=(weekday - published.weekday() - 1) % 7 + 1)
    return published - timedelta(days=(published.weekday() - weekday) % 7)


@lru_cache(maxsize=4096)
def editions_said(text: str, key: str, names: Names) -> frozenset[str]:
    """Return the editions of event `key` that `text` names outright. Kept: the same passages are found again and again."""
    return frozenset(m.edition for m in find_mentions(text, names) if m.key == key and m.edition)


_LAST = re.compile(r"\blast year(?:['’]?s)?\b", re.I)
_THIS = re.compile(r"\bthis year(?:['’]?s)?\b", re.I)
_AGO = re.compile(r"\b(two|three|four|five|2|3|4|5) years ago\b", re.I)
_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5}


def resolve_question(text: str, *, as_of: date, names: Names) -> tuple[Event | None, int | None]:
    """Read the event and edition, or the bare year, that a question names; relative years count from `as_of`."""
    year: int | None = None
    said = re.search(rf"(?<![-/\d])({_YEAR})(?![-/\d]|s\b|['’]s\s+and\b)", text)
    if said:
        year = int(said.group(1))
    elif m := re.search(r"(?<!\w)['’](\d\d)(?=\W*$|\s+[a-z])", text):
        year = _full_year(m.group(1))
    elif _LAST.search(text):
        year = as_of.year - 1
    elif _THIS.search(text):
        year = as_of.year
    elif m := _AGO.search(text):
        word = m.group(1).lower()
        year = as_of.year - (_WORDS.get(word) or int(word))
    mentions = [m for m in find_mentions(text, names, asked=True, day=as_of) if not m.passing]
    if not mentions:
        return None, year
    best = next((m for m in mentions if m.edition), mentions[0])
    edition = best.edition
    if edition is None and year is not None and (not said or _IN_YEAR.search(text)):
        edition = str(year)
    return Event(key=best.key, name=best.name, edition=edition, short=best.short), None


_IN_YEAR = re.compile(
    rf"^\W*in\s+{_YEAR}\b|\b(?:in|of|for|during|at)\s+(?:the\s+)?{_YEAR}(?:\s+(?:one|show|edition))?\W*$", re.I
)
