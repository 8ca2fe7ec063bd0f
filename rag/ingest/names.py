"""Names in running text: people, groups, titles, by their capitals. Pure; no model, no list of people.

What it does not know: who is a person and who is a place. A capital at the start of a sentence counts only when more
capitals follow or the word is none that opens sentences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = r"(?:[A-Z][\w'’.&-]*[\w]|[A-Z]\.?|[a-z]{1,2}[A-Z]\w+)"
_JOIN = r"(?:\s+(?:of the|of(?! The\b)|the|de|da|del|van|von|der|di|la|le|el|bin|al|ibn|y)(?=\s+[A-Z]))"
_NAME = re.compile(rf"(?<![\w’'-]){_WORD}(?:(?:{_JOIN})?[ \t]+{_WORD})*")
_OPENERS = frozenset(
    """a about after again all also although among an and another any anyone are as at away back backstage because before
    behind being both but by can check close-up despite did do does during each earlier either elsewhere even every
    everyone few finally first following for former from get give gone got had has have he hence her here him his how
    however i if in indeed instead into is it it's its just last later latest less like look make many may maybe me
    meanwhile mine more moreover most much music's my near nearly never next no nobody none nor not nothing now of off
    often on once one only onstage or other others our out outside over perhaps photo photos pregnant rather same says
    she should since smiling so some somehow someone something sometimes soon speaking still such take taken thanks that
    the their them then there therefore these they this those though three through thus to today together tonight
    too toward two under unlike until up upon us very was we well were what when where whether which while who whom whose
    why will with within without would yes yesterday yet you your close monday tuesday wednesday thursday friday saturday
    sunday january february march april may june july august september october november december""".split()
)


ROLES = frozenset(
    """striker captain coach referee president vice senator governor mayor minister singer rapper actor actress defender
    goalkeeper keeper midfielder forward winger quarterback pitcher batsman bowler director producer professor doctor judge
    chief officer manager spokesman spokeswoman spokesperson founder organiser organizer host presenter guitarist drummer
    bassist frontman frontwoman star model comedian musician artist author writer editor photographer cinematographer
    designer driver rider jockey swimmer sprinter player skipper chairman chairwoman chair secretary prosecutor detective
    speaker keynote analyst champion veteran legend rookie teammate colleague pop rock actor-director detective sergeant
    prime princess prince king queen pope bishop pastor""".split()
)


@dataclass(frozen=True, slots=True)
class Name:
    """A name at `text[start:end]`."""

    text: str
    start: int
    end: int


def find_names(text: str) -> list[Name]:
    """Find the names in `text`, in order, without the possessive "'s"."""
    out: list[Name] = []
    for m in _NAME.finditer(text):
        start, end = m.span()
        words = list(re.finditer(r"\S+", text[start:end]))
        while (
            words
            and words[0].group().lower().strip(".'’").replace("’", "'") in _OPENERS
            and not _is_the_name(words, text, start)
        ):
            words.pop(0)
        while (
            len(words) > 2
            and words[0].group().lower() in ROLES
            and words[0].group() not in ("King", "Queen", "Prince", "Princess")
        ):
            words.pop(0)  # "Striker Luca Ferreira": a capital only because the sentence opens
        if not words:
            continue
        s, e = start + words[0].start(), end
        if len(words) == 1 and s == start and _opens_sentence(text, s) and _NOT_AFTER_NAME.match(text, e):
            continue  # "Plenty of", "Scroll on": a capital only because a sentence opens
        body = re.sub(r"(?:['’]s|['’])$", "", text[s:e])
        if len(body) < 2 or body.lower() in _OPENERS:
            continue
        out.append(Name(body, s, s + len(body)))
    return out


_NOT_AFTER_NAME = re.compile(r"\s+(?:of|on|as|to|for|that|more|than|it|the|a|an|this|her|his|their|up|out|down)\b")


def _opens_sentence(text: str, at: int) -> bool:
    before = text[:at].rstrip(" \"“‘'(")
    return not before or before[-1] in ".!?\n:…—"


def _is_the_name(words: list[re.Match[str]], text: str, start: int) -> bool:
    """ "The Kid LAROI" and "The Warning" keep their article where it is capitalised in mid-sentence or opens a line."""
    first = words[0].group()
    if first != "The" or len(words) < 2:
        return False
    before = text[:start].rstrip(" ")
    return not before or before[-1] not in '.!?"”'


def fold(text: str) -> str:
    """Fold case, accents and quotes for comparing names."""
    import unicodedata

    plain = text.replace("’", "'").replace("‘", "'")
    if plain.isascii():  # most is, and nothing of it has an accent
        return plain.lower()
    plain = unicodedata.normalize("NFKD", plain)
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()
