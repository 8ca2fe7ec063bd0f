"""Words of a question: what is searched for and what is only grammar. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from rag.ingest.names import fold

STOP = frozenset(
    """a about all also am an and any anyone anybody are as at be been being both but by can could did do does doing for
    from get gets had has have having he her hers him his how i if in into is it its just let like me more most my no not
    of off on one ones or other our out over own please s she should so some someone such t tell than that the their
    them then there these they this those through to too up us very was we were what whats what's when where which while
    who whom whose who's whos why will with would you your know say says show give find anything something article
    articles coverage according many much might must may shall please confirm never ever
    whos besides again ok actually behind front before after during while near between among under""".split()
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def tokens(text: str) -> list[str]:
    """Return the words of `text`, folded (case, accents), possessive 's removed."""
    return [w.removesuffix("'s") for w in _WORD.findall(fold(text))]


def content_words(text: str) -> list[str]:
    """Return the words that carry meaning, folded, in order, each once."""
    return list(dict.fromkeys(w for w in tokens(text) if w not in STOP))


SPELLED = 0.84  # difflib ratio from which a word counts as a misspelling of another


def mend(text: str, known: frozenset[str], *, least: int = 5) -> str:
    """Put words that are nearly known ones right ("awads" -> "awards"); words that are known stay as they are.

    Only words of at least `least` letters that share their first letter with the known word are touched.
    """
    import difflib

    for w in dict.fromkeys(tokens(text)):
        if (
            len(w) < least
            or w in known
            or w in STOP
            or not w.isalpha()
            or stem(w) in {stem(k) for k in known if k[0] == w[0]}
        ):
            continue
        near = difflib.get_close_matches(
            w, [k for k in (*known, *STOP) if k[:1] == w[0] and abs(len(k) - len(w)) <= 2], n=1, cutoff=SPELLED
        )
        if near:
            text = re.sub(rf"\b{re.escape(w)}\b", near[0], text, flags=re.I)
    return text


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the English stem of a folded word ("hosting", "hosted" -> "host")."""
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=16384)
def stems(text: str) -> tuple[str, ...]:
    """Return the stems of the words of `text`, in order."""
    return tuple(stem(w) for w in tokens(text))
