"""Which event, which edition, which day an article or a question is about. Pure.

Two sources of names: `events.toml` (people can add a file of their own), and the general form of a name with a year
("the 2024 Harvest Cup", "Riverside Festival 2025") for events that no file knows. What it does not know: whether an
article is any good, or which event matters to the person who asks.
"""

from __future__ import annotations

import calendar
import hashlib
import re
import tomllib
import unicodedata
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from rag.errors import ConfigError
from rag.types import Event

_HEADS = (
    "Awards|Festival|Fest|Cup|Championships|Championship|Open|Games|Olympics|Finals|Final|Conference|Summit|"
    "Elections|Election|Convention|Gala|Prize|Prizes|Grand Prix|Marathon|Derby|Classic|Bowl|Expo|Fashion Week|Forum|"
    "Parade|Ball|Fair|Biennale|Regatta|Rally|Congress|Symposium|Hackathon|Concert|Honors|Contest|Showcase"
)
_YEAR = r"(?:19|20)\d{2}"
_CAP = r"(?:[A-Z][\w.'’&-]*|of|the|and|for|de|du|&)"
_GENERAL = re.compile(rf"\b(?P<y1>{_YEAR})\s+(?P<n1>(?=[A-Z])(?:{_CAP}\s+){{0,5}}?(?:[A-Z][\w'’&-]*\s+)(?:{_HEADS}))\b")
_GENERAL_AFTER = re.compile(
    rf"\b(?P<n2>(?:[A-Z][\w'’&-]*\s+)(?:{_CAP}\s+){{0,4}}?(?:{_HEADS}))\s+(?:in\s+|of\s+)?(?P<y2>{_YEAR})\b"
)
_ASKED = re.compile(rf"\b(?P<y1>{_YEAR})\s+(?P<n1>(?:[\w'’&.-]+\s+){{1,4}}?(?:{_HEADS}))\b", re.I)
_ASKED_AFTER = re.compile(
    rf"\b(?:the|at|of|for|in)\s+(?P<n2>(?:(?!the\b|at\b|of\b|for\b|in\b)[\w'’&.-]+\s+){{1,4}}?(?:{_HEADS}))"
    rf"\s+(?:in\s+|of\s+)?(?P<y2>{_YEAR})\b",
    re.I,
)
_ASKED_BARE = re.compile(
    rf"\b(?:the|at)\s+(?P<n3>(?:(?!the\b|at\b|of\b|for\b|in\b)[A-Z][\w'’&.-]+\s+){{1,4}}(?:{_HEADS}))\b"
)

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
    """One line of the alias file. `first` + n is the year of the nth edition."""

    key: str
    name: str
    short: str | None
    first: int | None
    numbered: bool  # "Super Bowl 58", "COP28": the number after the name counts editions


@dataclass(frozen=True, slots=True)
class Names:
    """All known names, compiled: one regular expression for any case, one for names that need their capitals."""

    key: str  # of the files that they were read from
    known: dict[str, Known]
    by_alias: dict[str, str] = field(repr=False)
    words: frozenset[str] = field(repr=False)
    any_case: re.Pattern[str] = field(repr=False)
    exact: re.Pattern[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mention:
    """An event named in a text, at `[start, end)`, with the edition said beside it (None when none is)."""

    key: str
    name: str
    short: str | None
    edition: str | None
    start: int
    end: int


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
    rows = tomllib.loads(sources[0].decode())["event"]
    if extra is not None:
        try:
            sources.append(extra.read_bytes())
            own = tomllib.loads(sources[1].decode()).get("event", [])
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
            raise ConfigError(
                f"The events file {extra} cannot be used: {e}. Each entry is [[event]] with a name."
            ) from e
        if not isinstance(own, list):
            raise ConfigError(f"The events file {extra} cannot be used. Each entry is [[event]] with a name.")
        rows = rows + own
    known: dict[str, Known] = {}
    by_alias: dict[str, str] = {}
    loose: set[str] = set()
    strict: set[str] = set()
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            raise ConfigError(
                f"The events file {extra} has an entry without a name. Each entry is [[event]] with a name."
            )
        key = slug(row["name"])
        known[key] = Known(
            key=key,
            name=row["name"],
            short=row.get("short"),
            first=row.get("first"),
            numbered=bool(row.get("numbered")),
        )
        for alias in (row["name"], *row.get("aliases", ())):
            loose.add(alias)
            by_alias[_fold(alias)] = key
        for alias in row.get("exact", ()):
            strict.add(alias)
            by_alias[_fold(alias)] = key
    key = hashlib.sha256(b"\0".join(sources)).hexdigest()[:16]
    words = frozenset(w for alias in by_alias for w in re.findall(r"[a-z]{5,}", alias))
    return Names(
        key=key,
        words=words,
        known=known,
        by_alias=by_alias,
        any_case=_alternation(loose, re.I),
        exact=_alternation(strict, 0),
    )


def _alternation(names: Iterable[str], flags: int) -> re.Pattern[str]:
    longest_first = sorted(names, key=lambda n: (-len(n), n))
    body = "|".join(re.escape(n).replace(r"\ ", r"\s+").replace("'", "['’]") for n in longest_first)
    return re.compile(rf"(?<![\w-])(?:{body})(?![\w-])(?!\s+Museum)", flags)


def _fold(alias: str) -> str:
    return re.sub(r"\s+", " ", alias.replace("’", "'")).lower()


def find_mentions(text: str, names: Names, *, asked: bool = False) -> list[Mention]:
    """Find every event named in `text`, in order; `asked` reads it as a question (names in any case)."""
    found: list[Mention] = []
    taken: list[tuple[int, int]] = []  # in order, none over another
    patterns = [names.any_case, names.exact]
    for pattern in patterns:
        for m in pattern.finditer(text):
            if _overlaps(taken, m.start(), m.end()):
                continue
            key = names.by_alias.get(_fold(m.group()))
            if key is None:
                continue
            known = names.known[key]
            edition = _edition_beside(text, m.start(), m.end(), known.first, known.numbered)
            found.append(Mention(key, known.name, known.short, edition, m.start(), m.end()))
            insort(taken, (m.start(), m.end()))
    general = [_ASKED, _ASKED_AFTER, _ASKED_BARE] if asked else [_GENERAL, _GENERAL_AFTER]
    for pattern in general:
        for m in pattern.finditer(text):
            groups = {k: v for k, v in m.groupdict().items() if v}
            which = next(k for k in groups if k.startswith("n"))
            start, end = m.span(which)
            if _overlaps(taken, start, end):
                continue
            name = re.sub(r"\s+", " ", m.group(which)).strip()
            name = re.sub(r"^(?:(?:and|of|for|de|du|&|the|annual)\s+)+", "", name, flags=re.I)
            if not re.search(r"[A-Za-z]{2}", name) or " " not in name:
                continue
            year = next((v for k, v in groups.items() if k.startswith("y")), None)
            title = name if any(c.isupper() for c in name) else name.title()
            found.append(Mention(slug(name), title, None, year, start, end))
            insort(taken, (start, end))
    return sorted(found, key=lambda x: x.start)


def _overlaps(taken: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    n = bisect_left(taken, (end, 0))
    return n > 0 and taken[n - 1][1] > start


def _edition_beside(text: str, start: int, end: int, first: int | None, numbered: bool) -> str | None:
    if m := re.search(rf"\s({_YEAR})$", text[start:end]):  # an alias with its year: "Euro 2024"
        return m.group(1)
    before, after = text[max(0, start - 40) : start], text[end : end + 24]
    if m := re.search(rf"({_YEAR})(?:['’]s)?(?:\s+(?:annual|MTV|edition of the|edition of))*\s+$", before):
        return m.group(1)
    if m := re.search(r"['’](\d\d)\s+(?:annual\s+)?$", before):
        return str(_full_year(m.group(1)))
    if m := re.match(rf"(?:['’]s)?\s*[,(]?\s*(?:of|in|for|from|edition)?\s*({_YEAR})\b", after):
        return m.group(1)
    if m := re.match(r"\s+['’](\d\d)\b(?!s)", after):
        return str(_full_year(m.group(1)))
    if first is not None:
        if m := re.search(r"\b(\d{1,3})(?:st|nd|rd|th)\s+(?:annual\s+)?$", before, re.I):
            return str(first + int(m.group(1)))
        if (m := re.match(r"\s+([IVXLC]{2,})\b", after)) and (n := _roman(m.group(1))):
            return str(first + n)
        if numbered and (
            m := re.search(r"(?<!\d)(\d{1,3})$", text[start:end]) or re.match(r"\s+(\d{1,3})\b(?![-,.:]\d)", after)
        ):
            return str(first + int(m.group(1)))
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

    A mention in the headline weighs 6, in the first 700 characters 3 with its edition and 2 without, later 1. An event
    that is named only in passing (weight under 3) is not one that the article is about. The edition is the one said most, weighted alike; where
    none is said it is the year of publication, for the main event alone.
    """
    weight: dict[str, float] = defaultdict(float)
    editions: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    first: dict[str, Mention] = {}
    for body, base in ((title, 6.0), (text, 0.0)):
        for m in find_mentions(body, names):
            w = base or ((3.0 if m.edition else 2.0) if m.start < 700 else 1.0)
            weight[m.key] += w
            first.setdefault(m.key, m)
            if m.edition:
                editions[m.key][m.edition] += w
    events: list[Event] = []
    for key in sorted(weight, key=lambda k: (-weight[k], first[k].start, k)):
        if weight[key] < 3 or (events and weight[key] < max(3.0, weight[slug(events[0].name)] / 3)):
            continue
        said = editions[key]
        edition = max(sorted(said), key=lambda e: said[e]) if said else None
        if edition is None and published and not events:
            edition = str(published.year)
        spans = [(m.start, m.end) for m in find_mentions(text[:_OPENING], names) if m.key == key] if not events else []
        start = event_date(text, edition=edition, published=published, mentions=spans) if not events else None
        events.append(Event(key=key, name=first[key].name, edition=edition, start=start, short=first[key].short))
    return tuple(events)


def event_date(
    text: str, *, edition: str | None, published: date | None, mentions: Sequence[tuple[int, int]] | None = None
) -> date | None:
    """Work out the day an event happened from what the article's opening says.

    "Wednesday evening (September 11)" takes its year from the edition, or from the weekday and the date published;
    "Tuesday night" is the last Tuesday up to the date published. A day of another year than the edition's (one winter of
    grace, for shows held in the January after) is not believed, nor is a day whose sentence speaks neither of the event
    (at `mentions`, where they are known) nor of "the ceremony". None when the opening names no such day.
    """
    opening = text[:_OPENING]
    year = int(edition) if edition and edition.isdigit() else None
    candidates: list[tuple[int, date, bool]] = []
    for m in _EXPLICIT.finditer(opening):
        day = _explicit_day(m, year=year, published=published)
        if day and not _is_dateline(opening, m.start()):
            candidates.append((m.start(), day, True))
    if published:
        for m in _RELATIVE.finditer(opening):
            if any(s <= m.start() + 30 and m.start() <= s + 30 for s, _, _ in candidates):
                continue  # the weekday of an explicit date
            soon = not m.group("next") and bool(_TO_COME.search(opening[: m.start()]))
            if day := resolve_relative(f"{'coming ' if soon else ''}{m.group()}", published=published):
                candidates.append((m.start(), day, False))
    spans = None if mentions is None else [(s, e) for s, e in mentions if not _BESIDE_TIME.search(opening[:s])]
    for at, day, explicit in sorted(candidates):
        if year is not None and not (day.year == year or (day.year == year + 1 and day.month <= 3)):
            continue
        start, end = _sentence(opening, at)
        if explicit and start:  # "At the Grammys ... . The guests of Sunday, February 4, ..."
            start, _ = _sentence(opening, start - 1)
        if spans is None or any(start <= s < end for s, _ in spans) or _OCCASION.search(opening[start:end]):
            return day
    return None


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


def editions_said(text: str, key: str, names: Names) -> set[str]:
    """Return the editions of event `key` that `text` names outright."""
    return {m.edition for m in find_mentions(text, names) if m.key == key and m.edition}


_LAST = re.compile(r"\blast year(?:['’]?s)?\b", re.I)
_THIS = re.compile(r"\bthis year(?:['’]?s)?\b", re.I)
_AGO = re.compile(r"\b(two|three|four|five|2|3|4|5) years ago\b", re.I)
_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5}


def resolve_question(text: str, *, as_of: date, names: Names) -> tuple[Event | None, int | None]:
    """Read the event and edition, or the bare year, that a question names; relative years count from `as_of`."""
    year: int | None = None
    if m := re.search(rf"(?<![-/\d])({_YEAR})(?![-/\d])", text):
        year = int(m.group(1))
    elif m := re.search(r"(?<!\w)['’](\d\d)(?=\W*$|\s+[a-z])", text):
        year = _full_year(m.group(1))
    elif _LAST.search(text):
        year = as_of.year - 1
    elif _THIS.search(text):
        year = as_of.year
    elif m := _AGO.search(text):
        word = m.group(1).lower()
        year = as_of.year - (_WORDS.get(word) or int(word))
    mentions = find_mentions(text, names, asked=True)
    if not mentions:
        return None, year
    with_edition = [m for m in mentions if m.edition]
    best = (with_edition or mentions)[0]
    edition = best.edition or (str(year) if year else None)
    return Event(key=best.key, name=best.name, edition=edition, short=best.short), None
