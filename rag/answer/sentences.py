"""An answer's sentences: cut them as they stream, take their markers out, and make a model's words plain (pure)."""

from __future__ import annotations

import re
import unicodedata

# Possessive: what stands behind a dagger may hold what separates numbers, and every way to share it would be tried.
_N = r"(?:(?:sources?|src|refs?|passages?)\.?\s*)?[#^]?\d{1,3}(?:†[^\]】,;]{0,20}+)?+"
_BRACKETED = rf"[\[【]\s*{_N}(?:\s*(?:,|;|&|and|-|–|—)\s*{_N}){{0,7}}\s*[\]】]"
_MARK = rf"(?:{_BRACKETED}|\(\s*(?:source|src|passage)s?\s*#?\d{{1,3}}\s*\))"
MARK = re.compile(_MARK, re.IGNORECASE)
_WAIT = 120  # characters in which a bracket behind a full stop must close to be its marker; seven long ones have 90
_SOON = rf"(?=[\[【][^\]】]{{0,{_WAIT - 2}}}[\]】]|\([^)]{{0,{_WAIT - 2}}}\))"
_END = re.compile(rf"\n|[.!?…。]+[\"'”’»)*_]*(?:\s*{_SOON}{_MARK})*", re.IGNORECASE)
_SPACE = re.compile(r"\s*")
_ITEM = re.compile(r"(?:[-*•]\s*)?\d{1,3}")
_NEVER = frozenset(str.split("mr mrs ms mx dr st prof sen rep gov gen capt lt sgt vs feat ft approx rev hon"))
_MAYBE = frozenset(
    str.split(
        "jr sr inc co ltd corp etc al a.m p.m u.s u.k u.n l.a d.c n.y jan feb mar apr jun jul aug sep sept oct nov dec"
    )
)
STARTERS = frozenset(
    str.split(
        "the a an it he she they we you this that these those in on at as and but so then when while after "
        "before during both no not there here his her their its what who how if for with from by to one also "
        "however later"
    )
)


def take_sentences(text: str, *, final: bool) -> tuple[list[str], str]:
    """Cut what is complete off a growing text: (sentences, rest), with "".join(sentences) + rest == text.

    A sentence keeps the markers behind its full stop and the space that follows. While the text is not `final`,
    nothing is cut that later text could change, so cutting early gives the same sentences as cutting at the end.
    """
    pieces: list[str] = []
    begin = at = 0
    sentence = _Sentence(text, 0)
    while match := _END.search(text, at):
        at, stop = match.end(), match.start()
        if at < len(text) and not text[at].isspace() and match.group() != "\n":
            if not final and _unclosed(text, at):
                break
            continue  # 3.5, U.S.A
        start = _past_space(text, at)
        if start == len(text):
            break
        if "\n" not in text[stop:start]:
            verdict = _boundary(sentence, stop=stop, at=at, start=start, final=final)
            if verdict is None:
                break
            if not verdict:
                continue
        elif not final and match.group() != "\n" and _unclosed(text, start):
            break
        if text[begin:start].strip():
            pieces.append(text[begin:start])
            begin = start
        sentence = _Sentence(text, start)
        at = start
    if final and text[begin:]:
        pieces.append(text[begin:])
        begin = len(text)
    return pieces, text[begin:]


def split_sentences(text: str) -> list[str]:
    """Split an answer into its sentences, markers with them, outer space off."""
    return [piece.strip() for piece in take_sentences(text, final=True)[0] if piece.strip()]


class _Sentence:
    """A sentence that begins, and what has been counted of its quotation marks: each letter is looked at once.

    It knows nothing of the line before it: when a reply is streamed, that has been cut off already.
    """

    def __init__(self, text: str, begin: int) -> None:
        self.text = text
        self.begin = _past_space(text, begin)
        self._counted = self.begin
        self._straight = self._deep = 0
        self._line_end: int | None = None

    def quotes(self, at: int) -> bool:
        """Tell whether a quotation is open at `at`, which never goes back."""
        said = self.text[self._counted : at]
        self._counted = at
        self._straight += said.count('"')
        self._deep += said.count("“") - said.count("”")
        return self._straight % 2 == 1 or self._deep > 0

    def closes(self, at: int) -> bool | None:
        """Tell whether a quotation could close behind `at` on this line; None where the line has no end yet and it does not."""
        if self._line_end is None:  # a sentence never goes on past its line
            self._line_end = self.text.find("\n", at)
            end = self._line_end if self._line_end >= 0 else len(self.text)
            self._last_mark = max(self.text.rfind('"', at, end), self.text.rfind("”", at, end))
        return True if self._last_mark >= at else None if self._line_end < 0 else False


def _past_space(text: str, at: int) -> int:
    gap = _SPACE.match(text, at)
    return gap.end() if gap else at


def _boundary(sentence: _Sentence, *, stop: int, at: int, start: int, final: bool) -> bool | None:
    """Tell whether the sentence ends at `stop`; None when only more text can tell."""
    text = sentence.text
    nxt = text[start]
    if not final and _unclosed(text, start):
        return None
    if nxt.islower():
        return False
    if text[stop] == "." and text[stop : stop + 2] != "..":
        if _ITEM.fullmatch(text, sentence.begin, stop):
            return False  # the number of a list item
        before = text[max(sentence.begin, stop - 40) : stop]
        word = re.split(r"[\s\"“”(\[—–-]", before)[-1].casefold()
        if word in _NEVER or (word in {"no", "nos"} and nxt.isdigit()):
            return False
        if word in _MAYBE or re.fullmatch(r"(?:[^\W\d_]\.)*[^\W\d_]", word):
            following = re.compile(r"[^\W_]+").match(text, start)
            if following and following.end() == len(text) and not final:
                return None
            if not following or following.group().casefold() not in STARTERS:
                return False
    if sentence.quotes(at):
        closes = sentence.closes(at)
        if closes:
            return False
        if closes is None and not final:
            return None
    return True


def _unclosed(text: str, start: int) -> bool:
    """Tell whether a bracket begins at `start` that more text could make a marker."""
    if text[start] not in "[【(":
        return False
    closers = ")" if text[start] == "(" else "]】"
    return len(text) - start < _WAIT and not any(c in text[start : start + _WAIT] for c in closers)


def parse_markers(sentence: str) -> tuple[str, tuple[int, ...]]:
    """Take the markers out of a sentence: (plain sentence, source numbers in order, each once)."""
    numbers: list[int] = []

    def note(match: re.Match[str]) -> str:
        body = re.sub(r"†[^\]】,;]*", "", match.group())
        last: int | None = None
        for token in re.findall(r"\d+|[-–—]", body):
            if not token.isdigit():
                continue
            n = int(token)
            if last is not None and re.search(rf"\b{last}\s*[-–—]\s*{n}\b", body) and last < n <= last + 8:
                numbers.extend(range(last + 1, n))
            numbers.append(n)
            last = n
        return ""

    text = MARK.sub(note, sentence)
    text = re.sub(r"\s+([.,;:!?])", r"\1", re.sub(r"[ \t]+", " ", text)).strip()
    return text, tuple(dict.fromkeys(numbers))


def plain(text: str) -> str:
    """Take out of a model's words what could fetch or lead anywhere: images, links, addresses, markup."""
    for _ in range(_PASSES):  # what is taken out may have stood between the halves of an address
        was, text = text, _stripped(text)
        if text == was:
            return text
    return re.sub(r"[\[\]<>/@]", "", text)  # nobody wraps words so deep but to hide an address


_PASSES = 5


def _stripped(text: str) -> str:
    text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))
    text = re.sub(r"\*\*|__|`+", "", text)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)?", "", text)
    text = re.sub(r"!\[[^\]]*\](?:\[[^\]]*\])?", "", text)
    text = re.sub(r"\[([^\[\]]*)\]\((?![\s\d])[^)]*\)?", r"\1", text)
    text = re.sub(r"<[^<>]*>?", "", text).replace(">", "")
    text = re.sub(r"\b[a-z][a-z0-9+.-]*://\S*", "", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(?:javascript|data|mailto|vbscript|file):\S*", "", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<![^\s(\"'“])//[\w-]+(?:\.[\w-]+)+\S*", "", text)
    text = re.sub(r"\b(?:www\.\S+|[\w-]+(?:\.[\w-]+)+/\S*)", "", text, flags=re.IGNORECASE)
    text = re.sub(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "", text)
    text = re.sub(
        r"\b(?:[a-z0-9-]+\.){2,}[a-z]{2,}\b|\b[a-z0-9-]+\.(?:example|test|invalid|info|biz|xyz|top)\b", "", text
    )
    text = re.sub(r"^\s*(?:#{1,6}\s+|>\s*|[*•]\s+)", "", text)
    return re.sub(r"[ \t]+", " ", re.sub(r"\(\s*\)", "", text)).strip()


_ACTIVE = re.compile(r"([\\`*_\[\]<>#|~@])|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)


def literal(value: object) -> str:
    """Write any text on one line so that Markdown reads nothing into it, and makes no link of a bare address."""
    return _ACTIVE.sub(r"\\\1", " ".join(str(value).split()))
