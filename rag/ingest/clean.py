"""What an article says about itself, its clean text, and the shape of that text. Pure.

Cleaning changes white space and decodes entities; it never rewords: a quote from the page is still in the text. A
photo credit glued to its caption gets a line of its own, a sentence broken over lines is joined, "7." alone on a line
rejoins its item.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Literal

from dateutil import parser as dateparser

BlockKind = Literal["title", "byline", "text", "item", "caption"]

_SPACES = re.compile(r"[ \t\u00a0\u2000-\u200a\u202f\u205f\u3000]+")
_BREAKS = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\u0085\u2028\u2029]")
_INVISIBLE = re.compile(
    r"[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]"
)  # not the joiners: they spell words
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # controls, and halves of pairs: not UTF-8
_STRONG = r"(?:Photo|Photos|Photograph|Photography)(?i:\s+credit|\s+courtesy(?:\s+of)?|\s+by)?\s*:\s*"
_WEAK = r"(?:Image|Picture|Pic|Credit)(?i:\s+credit|\s+courtesy(?:\s+of)?|\s+by)?\s*:\s*"  # also "Best Picture: ..."
_AGENCY = (
    r"(?:Getty|FilmMagic|WireImage|Shutterstock|Reuters|REUTERS|AFP|AP|EPA|Alamy|Zuma|ZUMA|Imagn|Magnum|Rex|Invision|"
    r"Instagram|Splash|Redux)"
)
_MEDIA = (
    rf"(?:{_AGENCY}|Images|Press|Photo|Photos|Variety|USA TODAY|Agency|Archive|Network|Media|News|Times|Post|Sentinel)"
)
_NAME = r"[^\W\d_a-z][\w.'’-]*"
_PEOPLE = rf"{_NAME}(?:\s+(?:{_NAME}|de|van|von|di|la|le)){{0,4}}"
_LABELLED = re.compile(rf"(?:(?P<strong>{_STRONG})|(?P<weak>{_WEAK}))(?P<who>\S.{{0,119}})")
_CREDIT_BY = re.compile(
    r"(?:(?:Photo|Photograph|Picture|Image|Illustration)s?\s+(?:by|courtesy(?:\s+of)?)\s+|AP Photo/)(?P<who>\S.{0,119})"
)
_SLASHED = re.compile(rf"(?:{_PEOPLE}\s*/.{{0,60}}\b{_MEDIA}\b|{_PEOPLE}\s*\|.{{0,60}}\b{_AGENCY}\b).{{0,40}}")
_AGENCY_ALONE = re.compile(r"(?:Getty Images|AP Photo|AFP via Getty Images|Shutterstock|WireImage|FilmMagic)")
_GLUED = (
    re.compile(rf"(?P<caption>.{{2,300}}?)\s*+(?P<credit>{_STRONG}\S.{{0,119}})"),
    re.compile(rf"(?P<caption>.{{1,300}}?[^\s(]|.{{2,300}}?[.!?][\"”’)]?\s+)(?P<credit>{_WEAK}\S.{{0,119}})"),
    re.compile(r"(?P<caption>.{2,400}?[\w.!?”\"])\s*(?P<credit>\([^()]{4,140}\))"),
    re.compile(rf"(?P<caption>.{{15,400}}?[.!?][\"”’)]?)\s+(?P<credit>{_PEOPLE}\s*/[^.!?]{{2,80}})"),
)
ABBREVIATED = re.compile(r"\b(?:[A-Z]|Rep|Sen|Gov|Dr|Mrs?|Ms|St|Jr|Sr|Lt|Col|Gen|Capt|Sgt|Prof|Rev|Inc|No|vs)\.$")
_SMALL = frozenset("for of de van von di da la le via by the and courtesy du del der den y e".split())
_ITEM = re.compile(r"^(?P<n>\d{1,3})[.)](?:\s+\S|$)")
_BYLINE = re.compile(
    rf"^(?i:by|words by|written by|story by|reported by)\s+(?P<names>{_PEOPLE}(?:\s*(?:,|\band\b|&)\s*{_PEOPLE}){{0,3}})"
    r"(?:\s*[|,–—-]\s*(?P<outlet>[A-Z][\w .&'’-]{1,40}))?$"
)
_STAFF = re.compile(
    r"^(?P<outlet>[A-Z][\w.&'’-]*(?:\s+[A-Z][\w.&'’-]*){0,3})\s+"
    r"(?:Staff(?:\s+(?:Writer|Reporter))?|Contributor|Correspondent|Reporter|Editor|News Desk)$"
)
_OUTLET = re.compile(r"[A-Z][\w.&'’]*(?:\s[A-Z][\w.&'’]*){0,3}")
_DATELINE = re.compile(
    r"^(?:[A-Z][\w .,'’-]{0,40}\s+)?(?:\((?P<inside>CNN|Reuters|REUTERS|AP|AFP|BBC|UPI)\)|(?P<outlet>CNN|Reuters|REUTERS|AP|AFP|BBC|UPI))"
    r"\s*[—–-]"
)
_SELF = re.compile(
    r"\b(?i:(?:check|come) back (?:with|at|to)(?: the)?|stay tuned (?:to|with)|stick with)\s+(?P<outlet>[a-z]{0,2}[A-Z][\w.&]*(?:\s+[A-Z][\w.&]*){0,2})"
)
_DATE_TEXT = r"(?:\d{4}-\d{2}-\d{2}|(?:[A-Z][a-z]{2,8}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4})|(?:\d{1,2}\s+[A-Z][a-z]{2,8}\.?\s+\d{4}))"
_DATE_PREFIX = re.compile(
    rf"^\s*(?:date|published|posted|updated|last updated|first published)(?:\s+on)?\s*:?\s*(?P<date>{_DATE_TEXT})"
    r"(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2})?)?[\s|.,–—-]*",
    re.I,
)
_CITY_DATE = re.compile(
    rf"^[A-Z][A-Z .’'-]{{2,30}}(?:,\s[A-Z][\w .]{{1,14}})?,\s(?P<date>{_DATE_TEXT})\s*(?:\([A-Za-z]+\)\s*)?[—–-]"
)
_DATE_ONLY = re.compile(rf"^\s*(?P<date>{_DATE_TEXT})\s*$")
_ENDS_SENTENCE = re.compile(r"(?:[.!?:;…]|\.\.\.)[\"'”’)\]]*$")
_OPEN_END = re.compile(
    r"(?:,|—|–|\b(?:a|an|the|and|or|but|of|in|on|at|to|for|with|by|from|as|is|was|were|are|be|been|that|which|who|whose|"
    r"her|his|their|its|our|my|your|this|these|those|had|has|have|not|into|over|than|when|while))$",
    re.I,
)
_SHORT = 500  # characters: no longer line is a byline or a credit
_END = 60  # characters of a line that tell whether its sentence goes on


@dataclass(frozen=True, slots=True)
class Cleaned:
    """An article's clean text and what it says about itself."""

    text: str
    title: str | None
    authors: tuple[str, ...]
    outlet: str | None
    published: date | None


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of clean text that belongs together: `text[start:end]`.

    An "item" is a numbered entry with its caption and credit, a "caption" a caption line with its credit line.
    `credit` is the offset at which the credit begins, None when there is none.
    """

    kind: BlockKind
    start: int
    end: int
    credit: int | None = None


def clean(
    text: str,
    *,
    title: str | None = None,
    authors: tuple[str, ...] = (),
    outlet: str | None = None,
    published: date | None = None,
) -> Cleaned:
    """Clean `text` and read off what the given metadata lacks: headline, byline, outlet, date published."""
    text = decode(text)
    if m := _DATE_PREFIX.match(text[:200]):
        published = published or parse_date(m.group("date"))
        text = text[m.end() :]
    lines = [_SPACES.sub(" ", line).strip() for line in text.split("\n")]
    lines = [part for line in lines for part in split_credit(line)]
    while lines and not lines[0]:
        lines.pop(0)
    at_title = _title_line(lines) if title is None else None
    if at_title is not None:
        title = lines[at_title]
    head = lines[:14]
    for i, line in enumerate(head):
        if (m := _BYLINE.match(line)) and not _ENDS_SENTENCE.search(line):
            authors = authors or _split_names(m.group("names"))
            outlet = outlet or (m.group("outlet") or None)
        elif (m := _STAFF.match(line)) and not outlet and i > 0:
            outlet = m.group("outlet")
        elif (
            ((m := _DATE_ONLY.match(line)) and published is None)
            or ((m := _DATE_PREFIX.match(line)) and published is None and m.end() >= len(line))
            or ((m := _CITY_DATE.match(line)) and published is None)
        ):
            published = parse_date(m.group("date"))
        elif (m := _DATELINE.match(line)) and not outlet:
            outlet = m.group("outlet") or m.group("inside")
    body = "\n".join(unwrap(lines, keep=at_title))
    body = re.sub(r"\n{3,}", "\n\n", body).strip()
    if outlet is None and (m := _SELF.search(body)):
        outlet = m.group("outlet")
    if title and outlet is None:  # "Headline | CNN"
        headline, bar, last = title.rpartition(" | ")
        outlet = last if bar and len(headline) > 12 and len(last) < 50 and _OUTLET.fullmatch(last) else None
    clean_title = _SPACES.sub(" ", decode(title).replace("\n", " ")).strip() if title else None
    return Cleaned(text=body, title=clean_title or None, authors=authors, outlet=outlet, published=published)


def decode(text: str) -> str:
    """Decode entities (also doubly escaped ones), normalise to NFC and "\\n", drop invisible and control characters."""
    for _ in range(2):
        decoded = html.unescape(text)
        if decoded == text:
            break
        text = decoded
    text = _INVISIBLE.sub("", _BREAKS.sub("\n", unicodedata.normalize("NFC", text)))
    return _UNPRINTABLE.sub("", text)


def split_credit(line: str) -> list[str]:
    """Split a photo credit off its caption: "Ann and BobPhoto: Cy" -> ["Ann and Bob", "Photo: Cy"]."""
    if len(line) > 500 or is_credit(line):
        return [line]
    for pattern in _GLUED:
        m = pattern.fullmatch(line)
        if (
            m
            and is_credit(m.group("credit"))
            and re.search(r"\w", m.group("caption"))
            and not ABBREVIATED.search(m.group("caption").strip())
        ):
            return [m.group("caption").strip(), re.sub(r":(?=\S)", ": ", m.group("credit").strip(), count=1)]
    return [line]


def is_credit(line: str) -> bool:
    """Tell whether a line is a photo credit ("Kevin Mazur / Getty Images for MTV", "Photo: Getty Images")."""
    line = line.strip()
    if not 4 <= len(line) < 160:
        return False
    if line[0] == "(" and line[-1] == ")":
        line = line[1:-1].strip()
    if m := _LABELLED.fullmatch(line):
        who = m.group("who")
        return _names_someone(who) and (bool(m.group("strong")) or " " in who or "/" in who)
    if m := _CREDIT_BY.fullmatch(line):
        return _names_someone(m.group("who"))
    return bool(_AGENCY_ALONE.fullmatch(line) or (_SLASHED.fullmatch(line) and _names_someone(line)))


def _names_someone(text: str) -> bool:
    """Names and small words alone, as in a credit: no sentence."""
    words = re.findall(r"[^\W\d_][\w.'’-]*", text)
    named = [any(c.isupper() for c in w) or not w.isascii() for w in words]
    return bool(words) and named[0] and all(n or w in _SMALL for n, w in zip(named, words, strict=True))


def _title_line(lines: list[str]) -> int | None:
    """The first line is a headline when it is short, not a sentence that ends in a full stop, and more follows."""
    if len(lines) < 2 or not lines[0]:
        return None
    line, following = lines[0], next((x for x in lines[1:] if x), "")
    if not 8 <= len(line) <= 160 or is_credit(line) or is_credit(following) or not following:
        return None
    if re.search(r"[.:,;]$", line) or _ITEM.match(line) or (not line[0].isalnum() and line[0] not in "\"'“‘"):
        return None
    if lines[1] and following[0].islower():  # a sentence broken over two lines
        return None
    words = re.findall(r"[^\W\d_][\w'’-]*", line)
    capital = sum(w[0].isupper() for w in words) / max(1, len(words))
    return 0 if (not lines[1]) or capital >= 0.6 or following.lower().startswith("by ") else None


def _split_names(names: str) -> tuple[str, ...]:
    return tuple(n.strip() for n in re.split(r"\s*(?:,|\band\b|&)\s*", names) if n.strip())


def parse_date(text: str) -> date | None:
    """Parse a full calendar date; None when it is none, or one that no article can have."""
    try:
        found = dateparser.parse(text, fuzzy=False).date()
    except (ValueError, OverflowError):
        return None
    return found if 1600 <= found.year <= 2200 else None  # days are counted from it, and the calendar has an end


def unwrap(lines: list[str], *, keep: int | None = None) -> list[str]:
    """Join lines that were broken in mid-sentence; blank lines, items, captions and credits stay apart."""
    out: list[str] = []
    last = _Joined([""])
    for i, line in enumerate(lines):
        joinable = (
            line
            and last.parts[0]
            and not (keep is not None and i == keep + 1)
            and not _ITEM.match(line)
            and not is_credit(line)
            and not is_credit(last.short)
        )
        if joinable and _runs_on(last, line):
            last.add(line)
            continue
        if i:
            out.append(" ".join(last.parts))
        last = _Joined([line])
    return [*out, " ".join(last.parts)] if lines else []


@dataclass(slots=True)
class _Joined:
    """A line in the making: joining a million lines one by one, and looking at all of them for each, is quadratic."""

    parts: list[str]
    short: str = ""  # the whole of it, "" when it is too long to be a number, a byline or a credit
    words: int = 0
    lower: int = 0  # words that begin with a small letter
    counted: int = 0  # parts

    def __post_init__(self) -> None:
        self._measure()

    def add(self, line: str) -> None:
        self.parts.append(line)
        self._measure()

    def _measure(self) -> None:
        if len(self.parts) == 1 or self.short:
            whole = " ".join(self.parts)
            self.short = whole if len(whole) <= _SHORT else ""

    def end(self) -> str:
        return " ".join(self.parts[-_END:])[-_END:] if len(self.parts[-1]) < _END else self.parts[-1][-_END:]

    def prose(self) -> bool:
        """Tell whether two words in five begin with a small letter."""
        for part in self.parts[self.counted :]:
            words = part.split()
            self.words += len(words)
            self.lower += sum(w[0].islower() for w in words)
        self.counted = len(self.parts)
        return self.lower >= 0.4 * self.words


def _runs_on(previous: _Joined, line: str) -> bool:
    if re.fullmatch(r"\d{1,3}[.)]", previous.short):
        return True
    if _ENDS_SENTENCE.search(previous.end()):
        return False
    if _BYLINE.match(line) or _BYLINE.match(previous.short) or _STAFF.match(line):
        return False
    if line[0].islower() or _OPEN_END.search(previous.end()):
        return True
    # A long unfinished line of prose followed by more prose: a hard wrap before a capital.
    long = len(previous.short) >= 45 or not previous.short
    return long and len(line) >= 30 and previous.prose() and bool(re.search(r"[.!?:](?:\s|$)", line))


def blocks(text: str, *, title: str | None = None) -> list[Block]:
    """Cut clean text into its blocks, in order; together they cover every line that is not blank."""
    lines: list[tuple[int, int, str]] = []
    at = 0
    for raw in text.split("\n"):
        if raw.strip():
            lines.append((at, at + len(raw), raw))
        at += len(raw) + 1
    credit_after = [i + 1 < len(lines) and is_credit(lines[i + 1][2]) for i in range(len(lines))]
    numbers = {i: int(m.group("n")) for i, (_, _, s) in enumerate(lines) if (m := _ITEM.match(s))}
    numbered = _item_lines(numbers)
    out: list[Block] = []
    i = 0
    while i < len(lines):
        start, end, line = lines[i]
        if i == 0 and title and line == title:
            out.append(Block("title", start, end))
            i += 1
        elif i in numbered:
            last, credit, j = i, None, i + 1
            while j < len(lines) and j not in numbered:
                if is_credit(lines[j][2]):
                    credit = lines[j][0] if credit is None else credit
                    last = j
                elif credit is not None or (lines[j][0] - start > 900) or not _in_item(j, numbered, credit_after):
                    break
                else:
                    last = j
                j += 1
            out.append(Block("item", start, lines[last][1], credit))
            i = last + 1
        elif credit_after[i] and len(line) <= 400:
            out.append(Block("caption", start, lines[i + 1][1], lines[i + 1][0]))
            i += 2
        elif is_credit(line):
            out.append(Block("caption", start, end, start))
            i += 1
        elif i < 14 and (_BYLINE.match(line) or _STAFF.match(line)) and not _ENDS_SENTENCE.search(line):
            out.append(Block("byline", start, end))
            i += 1
        else:
            out.append(Block("text", start, end))
            i += 1
    return out


def _item_lines(numbers: dict[int, int]) -> set[int]:
    """Lines whose numbers rise (or fall) along the article belong to a list; a lone "3. " does not."""
    if len(numbers) < 2:
        return set()
    order = sorted(numbers)
    rising = sum(numbers[b] > numbers[a] for a, b in pairwise(order))
    falling = len(order) - 1 - rising
    return set(order) if max(rising, falling) >= 0.8 * (len(order) - 1) else set()


def _in_item(j: int, numbered: set[int], credit_after: list[bool]) -> bool:
    """A line after a numbered one is part of the item when its caption, or when another item follows it closely."""
    if credit_after[j]:
        return True
    return any(k in numbered for k in range(j + 1, min(j + 6, max(numbered) + 1)))
