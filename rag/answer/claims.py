"""What a sentence claims, as far as it can be compared: names, figures, dates, who did it, who said it, what is denied (pure).

What it does not know: meaning. Everything is read off words, capitals and their neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.answer.sentences import STARTERS

STOP = frozenset(
    str.split(
        "a an the this that these those and or but nor so if then than as at by for from in into of off on "
        "onto out over to up with without within about after before during while when where who whom whose "
        "which what how why is are was were be been being am do does did done doing have has had having will "
        "would can could shall should may might must it its he him his she her hers they them their theirs we "
        "us our you your i me my mine there here also both each such some any all only just very more most "
        "other another own same too s t don now once again according source sources article articles coverage "
        "passage passages report reports reported published publication dated year day time event edition one "
        "two per via among including included took take taken takes place held hold happened happen called "
        "came come went go"
    )
)
_NEG = frozenset(
    str.split(
        "not no never none nobody nothing neither nor without cannot missing lacks lacked omitted failed fails "
        "declined denied refused hardly scarcely"
    )
)
_NEARLY = frozenset(("almost", "nearly"))
_REJECTED = frozenset(str.split("rejected rejects denied denies dismissed dismisses refuted refutes disputed disputes"))
PRONOUNS = frozenset(
    str.split(
        "he she they him her them his hers their theirs who whose duo pair trio singer rapper actor actress "
        "vocalist alum"
    )
)
_TITLES = frozenset(str.split("mr mrs ms dr sir president senator"))
GENERIC = frozenset(str.split("award awards show ceremony gala trophy event edition annual prize the"))
THINGS = frozenset(
    str.split(
        "award awards music video best new artist album song record year show ceremony arena center centre "
        "stadium prize academy red carpet tour global impact vanguard mtv entertainment images photo "
        "collaboration collab performance rock pop hip hop latin group debut summer life world grammy grammys "
        "vmas vma oscars emmy"
    )
)
CONNECT = frozenset(str.split("of the de la del da do dos von van der den y & bin al"))
_SPEECH = frozenset(
    str.split(
        "said says say saying told tells stated states called calls noted notes joked quipped added wrote "
        "explained recalled gushed admitted revealed announced declared insisted quoted shared exclaimed "
        "remarked warned argued claimed promised complained predicted insists warns claims conceded suggested"
    )
)
_AUX = frozenset(str.split("was were is are be been being has have had also then later again got gets"))
_MONTHS = {
    m: i // 2 + 1
    for i, m in enumerate(
        str.split(
            "january jan february feb march mar april apr may may june jun july jul august aug september sep "
            "october oct november nov december dec"
        )
    )
} | {"sept": 9}
WEEKDAYS = {d: i for i, d in enumerate(str.split("monday tuesday wednesday thursday friday saturday sunday"))}
NUMBERS = {
    w: i
    for i, w in enumerate(
        str.split(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
            "sixteen seventeen eighteen nineteen twenty"
        )
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_ORDINALS = {
    w: i + 1 for i, w in enumerate(str.split("first second third fourth fifth sixth seventh eighth ninth tenth"))
}
# What an answer says of the article and not of the event.
FRAME = frozenset(str.split("articl report piec headlin describ titl publish accord stori list item"))
MEDIUM = frozenset(str.split("pictur caption credit imag"))
SHOWN_THERE = MEDIUM | frozenset(
    str.split("get appear alon togeth pose pair besid alongsid stand stood next captur side")
)
# Verbs that newsrooms use for one another. Left: stems as Snowball gives them.
_SAME = {
    **dict.fromkeys(
        str.split("receiv got get given gave give accept honor honour won win award earn collect present name hand"),
        "get",
    ),
    **dict.fromkeys(("host", "emce", "mc"), "host"),
    **dict.fromkeys(("photograph", "pictur", "photo", "pose", "snap", "seen", "shown", "show", "captur"), "pictur"),
    **dict.fromkeys(str.split("said say told tell state note gush joke quip call ad remark"), "say"),
    **dict.fromkeys(("perform", "sang", "sing", "sung", "perfom"), "perform"),
    **dict.fromkeys(("hug", "embrac"), "hug"),
    **dict.fromkeys(("son", "daughter", "child", "children", "kid"), "child"),
}  # fmt: skip
_GETTING = frozenset(str.split("received receives won wins accepted accepts got took earned collected"))
_GIVEN = frozenset(str.split("honored honoured awarded given presented handed named crowned"))
_FOLDS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "’": "'", "‘": "'", "‐": "-", "‑": "-"}
)


@dataclass(frozen=True, slots=True)
class Word:
    text: str  # folded: no case, no diacritics, no possessive
    start: int
    end: int
    capital: bool
    opens: bool  # the first word of a sentence or of a quotation: its capital says nothing


Name = tuple[str, ...]
Day = tuple[int | None, int, int | None]  # year, month, day


@dataclass(frozen=True, slots=True)
class Facts:
    words: tuple[Word, ...]
    names: tuple[Name, ...]
    numbers: frozenset[float]
    measures: frozenset[tuple[float, str]]  # numbers with their unit, "" where none stands beside them
    changes: frozenset[tuple[float, float]]  # from the one to the other
    counted: tuple[tuple[frozenset[float], frozenset[str]], ...]  # of each clause with numbers: them, its words' stems
    done: frozenset[tuple[Name, str, Name]]  # who, what as a stem, to whom: "Norvik to buy Telmar"
    years: frozenset[int]
    ordinals: frozenset[int]
    days: frozenset[Day]
    weekdays: frozenset[int]
    stems: frozenset[str]  # of content words, names and figures left out
    all_stems: frozenset[str]
    negated: frozenset[str]  # stems that a negation governs
    roles: dict[str, frozenset[str]]  # "host" -> the words of the names of who did it
    speakers: tuple[Name, ...]
    actors: tuple[Name, ...]  # people who are not only spoken of, to or with
    relative: frozenset[int]  # years told by how far they are: last year -1
    frame: int | None  # the year that the sentence opens with, or how far it is: "Last year's final", "In 2024,"
    dated: tuple[tuple[frozenset[int], frozenset[str]], ...]  # of each clause with a year: the years, its words' stems


def fold(text: str) -> str:
    """Drop case and diacritics, and make quotes and hyphens one kind."""
    if text.isascii():  # most is, and nothing of it has an accent
        return text.casefold()
    text = unicodedata.normalize("NFKD", text.casefold().translate(_FOLDS))
    return "".join(c for c in text if not unicodedata.combining(c)).translate(_FOLDS)


@lru_cache(maxsize=20_000)
def stem_of(word: str) -> str:
    stem = str(_stemmer().stemWord(word))
    return _SAME.get(stem, stem)


@lru_cache(maxsize=1)
def _stemmer():  # type: ignore[no-untyped-def]  # the library has no types
    import snowballstemmer

    return snowballstemmer.stemmer("english")


_WORD = re.compile(r"\d+(?:[.,]\d+)*(?:st|nd|rd|th)?(?![^\W_])|[^\W_]+(?:['’][^\W_]+)*")


def plainly(text: str) -> str:
    """Return a text's words as `words_of` folds them, a space around each: for phrase search in whole articles."""
    return f" {' '.join(w.removesuffix(chr(39) + 's') for w in _WORD.findall(fold(text)))} "


_OPENS = re.compile(r"[.!?…:\n\"“”‘*•]")


@lru_cache(maxsize=20_000)
def _own(word: str) -> str:
    """Fold a word, its possessive 's removed."""
    return fold(word).removesuffix("'s")


def words_of(text: str) -> tuple[Word, ...]:
    out: list[Word] = []
    opens = True
    last = 0
    for match in _WORD.finditer(text):
        between = text[last : match.start()]
        opens = opens or bool(_OPENS.search(between))
        raw = match.group()
        out.append(Word(_own(raw), match.start(), match.end(), any(c.isupper() for c in raw), opens))
        opens, last = False, match.end()
    return tuple(out)


@lru_cache(maxsize=4_096)
def facts_of(text: str) -> Facts:
    words = words_of(text)
    used: set[int] = set()
    days, years, weekdays = _dates(text, words, used)
    numbers, ordinals = _figures(words, used)
    names = _names(text, words, used)
    named = {i for run in names for i in run}
    content = [i for i, w in enumerate(words) if w.text not in STOP and w.text not in _NEG and i not in used]
    stems = frozenset(stem_of(words[i].text) for i in content if i not in named and len(words[i].text) > 1) - {"say"}
    negated = _negated(words, named)
    plainly = " ".join(w.text for w in words)
    if re.search(r"\b(?:went|took|walked|going|taking) (?:home|away)\b", plainly):
        stems |= {"get"}
    if re.search(r"\bmissed out\b|\blost (?:to|out)\b|\bloss\b", plainly):
        stems |= {"get"}
        negated |= {"get"}
    return Facts(
        words=words,
        names=tuple(dict.fromkeys(tuple(words[i].text for i in run) for run in names)),
        numbers=frozenset(numbers.values()),
        measures=frozenset((n, _unit(text, words, i)) for i, n in numbers.items()),
        changes=_changes(words, numbers),
        counted=_counted(text, words, numbers),
        done=_done(text, words, names),
        years=frozenset(years),
        ordinals=frozenset(ordinals),
        days=frozenset(days),
        weekdays=frozenset(weekdays),
        stems=stems,
        all_stems=frozenset(stem_of(w.text) for w in words),
        negated=negated,
        roles=_roles(words, names),
        speakers=_speakers(words, names),
        actors=tuple(
            name
            for run in names
            if is_person(name := tuple(words[i].text for i in run))
            and not (run[0] and words[run[0] - 1].text in ("of", "about", "to", "with", "for", "by"))
        ),
        relative=frozenset(_RELATIVE[m.group(1).casefold()] for m in _RELATIVE_YEAR.finditer(text)),
        frame=_frame(text),
        dated=_dated_clauses(text),
    )


_CLAUSE = re.compile(r"[,;:()—–]|\b(?:who|which|but|while|when|whose)\b")
_AGO = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|\d{1,2}) years (?:ago|earlier|before)\b", re.IGNORECASE
)


def _dated_clauses(text: str) -> tuple[tuple[frozenset[int], frozenset[str]], ...]:
    """Read the years, or how far they are (below 0), off each clause that has one, and the stems beside them."""
    out = []
    for clause in _CLAUSE.split(text):
        years = {int(y) for y in re.findall(r"\b(?:19|20)\d\d\b", clause)}
        years |= {-NUMBERS.get(n.lower(), int(n) if n.isdecimal() else 1) for n in _AGO.findall(clause)}
        years |= {_RELATIVE[m.casefold()] for m in _OTHER_YEAR.findall(clause) if m.casefold() in ("last", "previous")}
        if years:
            stems = frozenset(stem_of(w.text) for w in words_of(clause) if w.text not in STOP and not w.text.isdigit())
            out.append((frozenset(years), stems - {stem_of("year"), stem_of("years"), "last", "previous", "ago"}))
    return tuple(out)


_RELATIVE = {"last": -1, "previous": -1, "this": 0, "next": 1, "following": 1}
_RELATIVE_YEAR = re.compile(r"\b(last|previous|this|next|following) (?:year|season|edition)\b", re.IGNORECASE)
_OTHER_YEAR = re.compile(
    _RELATIVE_YEAR.pattern + r"(?!['’]s)", re.IGNORECASE
)  # "from last year's winner" is of this year
_FRAMED = re.compile(
    r"\W*(?:(?:but|and|back|at|in|for|on|by|during|the)\s+)*(?:(?P<word>last|previous) year|(?P<ago>\w+) years (?:ago|earlier)|(?P<year>(?:19|20)\d\d)\b(?!\s*[-–]))",
    re.IGNORECASE,
)


def _frame(text: str) -> int | None:
    opens = _FRAMED.match(text)
    if opens is None:
        return None
    if opens["ago"]:
        return -NUMBERS.get(opens["ago"].lower(), int(opens["ago"]) if opens["ago"].isdecimal() else 1)
    return int(opens["year"]) if opens["year"] else -1


_DATE = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b|\b(\d{1,2})[/.](\d{1,2})[/.](\d{4})\b")
_MAYBE_DATE = re.compile(r"\d[-/.]\d")  # found, or not, in a quarter of the time


def _dates(text: str, words: Sequence[Word], used: set[int]) -> tuple[set[Day], set[int], set[int]]:
    days: set[Day] = set()
    years: set[int] = set()
    weekdays: set[int] = set()
    for match in _DATE.finditer(text) if _MAYBE_DATE.search(text) else ():
        y, a, b, c, d, e = (int(g) if g else 0 for g in match.groups())
        pairs = [(y, a, b)] if y else [(e, c, d), (e, d, c)]
        days.update((y2, m, d2) for y2, m, d2 in pairs if 1 <= m <= 12 and 1 <= d2 <= 31)
        used.update(i for i, w in enumerate(words) if match.start() <= w.start < match.end())
    for i, w in enumerate(words):
        if i in used:
            continue
        if w.text in WEEKDAYS:
            weekdays.add(WEEKDAYS[w.text])
            used.add(i)
        month = _MONTHS.get(w.text)
        if month is None or not w.capital:
            continue
        around = {j: _ordinal(words[j].text) for j in (i - 1, i + 1, i - 2) if 0 <= j < len(words) and j not in used}
        day_at = next((j for j in (i + 1, i - 1) if around.get(j) is not None and (around[j] or 0) <= 31), None)
        if day_at is None and i >= 2 and words[i - 1].text == "of" and (around.get(i - 2) or 99) <= 31:
            day_at = i - 2
        year_at = next(
            (
                j
                for j in (max(i, day_at or 0) + 1, i + 1)
                if j < len(words) and re.fullmatch(r"(?:19|20)\d\d", words[j].text)
            ),
            None,
        )
        said = i > 0 and words[i - 1].text in ("in", "of", "since", "until", "by", "last", "next")
        if w.text in ("may", "march", "mar") and day_at is None and year_at is None and not said:
            continue
        day = around[day_at] if day_at is not None else None
        days.add((int(words[year_at].text) if year_at is not None else None, month, day))
        used.update(j for j in (i, day_at, year_at) if j is not None)
    for i, w in enumerate(words):
        if i not in used and re.fullmatch(r"(?:19|20)\d\d", w.text):
            years.add(int(w.text))
            used.add(i)
    return days, years, weekdays


def _ordinal(word: str) -> int | None:
    match = re.fullmatch(r"(\d{1,3})(?:st|nd|rd|th)?", word)
    return int(match.group(1)) if match else None


def _figures(words: Sequence[Word], used: set[int]) -> tuple[dict[int, float], set[int]]:
    """Read the numbers, by the index of the last word of each, and the ordinals."""
    numbers: dict[int, float] = {}
    ordinals: set[int] = set()
    i = 0
    while i < len(words):
        w = words[i].text
        if i in used:
            i += 1
            continue
        if match := re.fullmatch(r"([0-9]{1,6})(?:st|nd|rd|th)", w):
            ordinals.add(int(match.group(1)))
            used.add(i)
        elif w in _ORDINALS and w != "second":
            ordinals.add(_ORDINALS[w])
            used.add(i)
        elif _stands_for_names(words, i):
            used.add(i)
        elif re.fullmatch(r"\d+(?:[.,]\d+)*", w) or (w in NUMBERS and w not in ("zero", "one")):
            value = float(NUMBERS[w]) if w in NUMBERS else _number(w)
            used.add(i)
            if w in NUMBERS and value >= 20 and i + 1 < len(words) and 0 < NUMBERS.get(words[i + 1].text, 0) < 10:
                i += 1
                value += NUMBERS[words[i].text]
                used.add(i)
            if i + 1 < len(words) and words[i + 1].text in _SCALES:
                i += 1
                value *= _SCALES[words[i].text]
                used.add(i)
            numbers[i] = value
        i += 1
    return numbers, ordinals


_UNITS = {
    word: unit
    for unit, words in {
        "dollar": "dollar dollars usd",
        "cent": "cent cents",
        "euro": "euro euros eur",
        "pound": "pound pounds gbp lb lbs sterling",
        "yen": "yen jpy",
        "percent": "percent per percentage",
        "second": "second seconds sec secs",
        "minute": "minute minutes min mins",
        "hour": "hour hours hr hrs",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "year years yr yrs",
        "decade": "decade decades",
        "metre": "metre metres meter meters",
        "kilometre": "kilometre kilometres kilometer kilometers km",
        "mile": "mile miles",
        "foot": "foot feet ft",
        "inch": "inch inches",
        "yard": "yard yards",
        "kilogram": "kilogram kilograms kilo kilos kg",
        "tonne": "tonne tonnes ton tons",
        "acre": "acre acres",
        "hectare": "hectare hectares",
    }.items()
    for word in words.split()
}
_BESIDE = STOP | frozenset(_UNITS) | frozenset(NUMBERS) | frozenset(_SCALES)
_BE = frozenset(str.split("was were is are be been being by"))
_SIGNS = {"$": "dollar", "£": "pound", "€": "euro", "¥": "yen"}
_KINDS_OF = frozenset(str.split("us u.s american canadian australian square cubic metric more full"))


def _unit(text: str, words: Sequence[Word], i: int) -> str:
    """Name the unit of the number whose last word is i: what stands before it as a sign, or behind it as a word."""
    first = i
    while first and (words[first].text in _SCALES or (_spelt(words[first]) and _spelt(words[first - 1]))):
        first -= 1
    if sign := _SIGNS.get(text[words[first].start - 1 : words[first].start]):
        return sign
    if text[words[i].end : words[i].end + 2].strip().startswith("%"):
        return "percent"
    after = [w.text for w in words[i + 1 : i + 3]]
    if after and after[0] in _KINDS_OF:
        after = after[1:]
    if after[:1] == ["per"] and after[1:] != ["cent"]:
        return ""
    return _UNITS.get(after[0], "") if after else ""


def _spelt(word: Word) -> bool:
    return word.text in NUMBERS or word.text in _SCALES


def _changes(words: Sequence[Word], numbers: Mapping[int, float]) -> frozenset[tuple[float, float]]:
    """Read what went "from 6 percent to 4"."""
    found = []
    for i, w in enumerate(words):
        if w.text != "from":
            continue
        before = [k for k in range(i + 1, min(i + 4, len(words))) if k in numbers][:1]
        for k in before:
            to = next((m for m in range(k + 1, min(k + 4, len(words))) if words[m].text == "to"), None)
            behind = [m for m in range(to + 1, min(to + 4, len(words))) if m in numbers][:1] if to else []
            found += [(numbers[k], numbers[m]) for m in behind]
    return frozenset(found)


_PART = re.compile(r"[;()—–]|[,:](?!\d)|\b(?:and|but|while|whereas)\b", re.IGNORECASE)


def _counted(
    text: str, words: Sequence[Word], numbers: Mapping[int, float]
) -> tuple[tuple[frozenset[float], frozenset[str]], ...]:
    """Read the numbers and places off each part of a sentence that has some, and the stems beside them."""
    found = []
    bounds = [0, *(m.start() for m in _PART.finditer(text))]
    for start, end in zip(bounds, [*bounds[1:], len(text)], strict=True):
        own = [i for i, w in enumerate(words) if start <= w.start < end]
        places = (re.fullmatch(r"(\d{1,3})(?:st|nd|rd|th)", words[i].text) for i in own)
        values = {numbers[i] for i in own if i in numbers} | {float(m[1]) for m in places if m}
        if values:
            beside = (words[i].text for i in own if i not in numbers and words[i].text not in _BESIDE)
            found.append((frozenset(values), frozenset(stem_of(w) for w in beside if not w[0].isdigit())))
    return tuple(found)


def _done(text: str, words: Sequence[Word], names: Sequence[Sequence[int]]) -> frozenset[tuple[Name, str, Name]]:
    """Read who did what to whom off a verb between two names; nothing where the verb is passive."""
    ends, starts = {run[-1]: run for run in names}, {run[0]: run for run in names}
    found = set()
    for i, w in enumerate(words):
        if w.capital or w.text in STOP or i + 1 not in starts:
            continue
        j = i - 1
        while j > 0 and i - j < 5 and not words[j].capital and words[j].text not in _BE:
            j -= 1
        if j in ends and re.fullmatch(r"[\w\s'’-]*", text[words[j].end : w.start]):
            who, whom = (tuple(words[k].text for k in run) for run in (ends[j], starts[i + 1]))
            found.add((who, stem_of(w.text), whom))
    return frozenset(found)


def _stands_for_names(words: Sequence[Word], i: int) -> bool:
    """Tell whether a number word counts nothing that could be checked: "the two stopped for a chat", "two captions"."""
    if any(w.text in ("caption", "captions") for w in words[i + 1 : i + 3]):
        return True
    if words[i].text not in ("two", "three", "four") or i == 0 or words[i - 1].text != "the":
        return False
    after = words[i + 1].text if i + 1 < len(words) else ""
    return not after.endswith("s") or after in _AUX | STOP


def _number(text: str) -> float:
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        text = text.replace(",", "")
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return float(re.sub(r"\D", "", text))


def _names(text: str, words: Sequence[Word], used: set[int]) -> list[list[int]]:
    """Find the runs of capitalised words, as indices; a lone opening word counts only if it looks like a name."""
    runs: list[list[int]] = []
    i = 0
    while i < len(words):
        if not _capital(words, i, used):
            i += 1
            continue
        run = [i]
        j = i + 1
        while j < len(words):
            gap = text[words[j - 1].end : words[j].start]
            if not re.fullmatch(r"[\s\-‐‑–&.'’]*", gap) or "\n" in gap:
                break
            inner = _capital(words, j, used) and not words[j].opens
            if not inner and not _connects(words, j, used):
                break
            run.append(j)
            j += 1
        while run and (words[run[0]].text in STOP | _TITLES or words[run[0]].text in CONNECT):
            run.pop(0)
        while run and words[run[-1]].text in CONNECT:
            run.pop()
        if run and not (len(run) == 1 and words[run[0]].opens and _ordinary(words[run[0]].text)):
            runs.append(run)
        i = j
    return runs


def _connects(words: Sequence[Word], j: int, used: set[int]) -> bool:
    """Tell whether word j joins two parts of a name: "Video of the Year", "Lana Del Rey"."""
    k = j
    while k < len(words) and words[k].text in CONNECT and k < j + 2:
        k += 1
    return k > j and k < len(words) and _capital(words, k, used) and not words[k].opens


def _capital(words: Sequence[Word], i: int, used: set[int]) -> bool:
    return words[i].capital and i not in used and words[i].text not in ("i", "i'm", "i've", "i'd", "i'll")


def _ordinary(word: str) -> bool:
    """Guess that a capital at the start of a sentence is only that."""
    common = str.split(
        "backstage photos people music fans performers host hosts winners stars musicians many several "
        "although because yes photo pictures images onstage afterwards together none nothing everyone "
        "whole entire meanwhile however music's instead thank thanks let please most neither next finally today tonight"
    )
    return (
        word in STOP or word in STARTERS or word in _NEG or word in common or word in NUMBERS
        or (len(word) > 4 and word.endswith(("ing", "ed", "ly")))
    )  # fmt: skip


def _negated(words: Sequence[Word], named: Collection[int]) -> frozenset[str]:
    """Find the stems that are denied: "did not win", "nearly won", "rejected a claim that she won"."""
    out: set[str] = set()
    for i, w in enumerate(words):
        if w.text in _NEARLY:
            if i + 1 == len(words) or not _is_done(words[i + 1].text):
                continue  # "nearly 500 people", "almost all", "almost immediately"
        elif w.text in _REJECTED and "that" in (said := [x.text for x in words[i + 1 : i + 5]]):
            i += 1 + said.index("that")
        elif not (w.text in _NEG or w.text.endswith("n't") or w.text in ("cant", "didnt")):
            continue
        after = (
            words[k].text
            for k in range(i + 1, min(i + 8, len(words)))
            if k not in named and words[k].text not in STOP | _NEG and not words[k].text.endswith("ly")
        )
        out.update(stem_of(x) for x in list(after)[:1])
    return frozenset(out)


def _is_done(word: str) -> bool:
    """Tell a verb in the past tense by its look."""
    return bool(
        re.search(r"ed$|^(?:won|lost|beat|sang|gave|got|took|led|met|made|wrote|ran|fell|rose|broke|cost|died)$", word)
    )


def _roles(words: Sequence[Word], names: Sequence[Sequence[int]]) -> dict[str, frozenset[str]]:
    """Read who did it off neighbouring words: "X hosted", "hosted by X", "host X", "X was honored", "X received"."""
    ends = {run[-1]: run for run in names}
    starts = {run[0]: run for run in names}
    roles: dict[str, set[str]] = {}

    def note(role: str, run: Sequence[int]) -> None:
        who = roles.setdefault(role, set())
        while run:  # "X, Y and Z hosted"
            who.update(words[k].text for k in run)
            before = run[0] - 1
            run = (
                ends.get(before - 1, ()) if before >= 1 and words[before].text in ("and", "&") else ends.get(before, ())
            )

    for i, w in enumerate(words):
        if (w.capital and not w.opens) or w.text in STOP:
            continue  # a name, or no verb
        j = i - 1
        passive = False
        while j >= 0 and words[j].text in _AUX | {"the", "a"}:
            passive = passive or words[j].text in ("was", "were", "is", "been", "being", "got")
            j -= 1
        subject = ends.get(j)
        agent = _agent(words, starts, i)
        stem = stem_of(w.text)
        if w.text in ("host", "hosts", "emcee"):
            former = i > 0 and words[i - 1].text in _FORMER
            if (run := starts.get(i + 1) or subject) and not former:
                note("host", run)
        elif not re.search(r"(?:ed|es|won|got|took|given)$|^(?:beat|sang|gave|led|met|made|wrote|lost|ran)$", w.text):
            continue
        elif agent:
            note("give" if stem == "get" else stem, agent)
        elif w.text in (_GIVEN if passive else _GETTING):
            if subject:
                note("get", subject)
        elif subject and not passive and stem != "get":
            note(stem, subject)
    return {role: frozenset(who) for role, who in roles.items()}


_OBJECT_VERBS = frozenset(str.split("calls called tells told quoted recalled"))  # who stands behind them did not speak
_FORMER = frozenset(str.split("original former previous ex first then-host longtime usual intended"))


def _agent(words: Sequence[Word], starts: Mapping[int, Sequence[int]], i: int) -> Sequence[int] | None:
    """Find who did it: "presented by Ann Lee", "presented by the comedian Ann Lee"."""
    if i + 1 >= len(words) or words[i + 1].text != "by":
        return None
    for k in range(i + 2, min(i + 6, len(words))):
        if k in starts:
            return starts[k]
        if words[k].opens or (words[k].text in STOP and words[k].text not in ("the", "a", "an")):
            break
    return None


def _reports(words: Sequence[Word], at: int) -> bool:
    """Tell "wrote that it was over" from "wrote the song"."""
    return at + 1 >= len(words) or words[at + 1].text in ("that", "on", "in", "of", "about") or words[at + 1].opens


def _speakers(words: Sequence[Word], names: Sequence[Sequence[int]]) -> tuple[Name, ...]:
    out: list[Name] = []
    for run in names:
        name = tuple(words[k].text for k in run)
        if not is_person(name):
            continue
        after = [
            w.text if not w.capital and (w.text != "wrote" or _reports(words, k)) else ""
            for k, w in enumerate(words[run[-1] + 1 : run[-1] + 4], start=run[-1] + 1)
        ]
        before = [w.text for w in words[max(0, run[0] - 2) : run[0]]]
        back = run[0] - 1
        while (
            back >= max(0, run[0] - 4)
            and not words[back].capital
            and words[back].text not in _SPEECH
            and (words[back].text in ("the", "a") or words[back].text not in STOP)
        ):
            back -= 1
        if back >= 0 and words[back].text in ("said", "says") and run[0] - back <= 4:
            before = ["said"]  # "said the buyer, Ann Lee"
        says = any(w in _SPEECH for w in after[:2]) or (len(after) > 2 and after[2] in _SPEECH and after[0] in _AUX)
        if says or (before and before[-1] in _SPEECH - _OBJECT_VERBS) or before == ["according", "to"]:
            out.append(name)
    return tuple(out)


def is_person(name: Name) -> bool:
    return not any(w in THINGS or w in CONNECT - {"de", "la", "del", "van", "von", "da"} for w in name)
