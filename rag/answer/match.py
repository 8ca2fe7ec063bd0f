"""How much of a question a unit of coverage says: words by stem, thesaurus, spelling and meaning; names strictly.

What it does not know: syntax. "Ann beat Bob" and "Bob beat Ann" match the same words; the reader's span rules tell them
apart where they can.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rag.answer.units import Unit
from rag.ingest.names import find_names, fold
from rag.retrieve.words import stem, stems, tokens

if TYPE_CHECKING:
    from rag.store.embed import Embedder, Vectors

EXACT, SYNONYM, NEARBY, MEANING = 1.0, 0.9, 0.85, 0.75
ALIKE = (
    0.66  # cosine of two single words from which they count as saying the same (dad/father 0.90, sons/daughters 0.65)
)
REMEMBERED = 50_000  # words whose vectors are kept, about 80 MB; then they are forgotten and begin anew
SPELLED = 0.84  # difflib ratio from which a longer word counts as misspelled


@lru_cache(maxsize=1)
def thesaurus() -> dict[str, frozenset[str]]:
    """Return, for the stem of a word in a question, the stems that may stand for it in coverage."""
    data = tomllib.loads((Path(__file__).parent / "thesaurus.toml").read_text(encoding="utf-8"))
    out: dict[str, set[str]] = {}
    for row in data["sets"]:
        stems = {stem(w) for w in row}
        for s in stems:
            out.setdefault(s, set()).update(stems)
    for first, *rest in data["one_way"]:
        out.setdefault(stem(first), set()).update(stem(w) for w in rest)
    return {k: frozenset(v) for k, v in out.items()}


@lru_cache(maxsize=1)
def phrases() -> tuple[tuple[str, str], ...]:
    """Return the turns of phrase with the words that they stand for, folded."""
    data = tomllib.loads((Path(__file__).parent / "thesaurus.toml").read_text(encoding="utf-8"))
    return tuple((fold(p), fold(words)) for p, words in data["phrases"])


def phrase_stems(text: str) -> frozenset[str]:
    """Return the stems that the turns of phrase in `text` stand for ("took home" -> win)."""
    low = fold(text)
    return frozenset(stem(w) for phrase, words in phrases() if phrase in low for w in words.split())


@lru_cache(maxsize=1)
def known_words() -> frozenset[str]:
    """Every word of the thesaurus, folded."""
    data = tomllib.loads((Path(__file__).parent / "thesaurus.toml").read_text(encoding="utf-8"))
    return frozenset(w for row in (*data["sets"], *data["one_way"]) for w in row)


@dataclass(frozen=True, slots=True)
class Term:
    """Something of a question that a unit must say: a word or a whole name. `soft` words name the kind of answer."""

    words: tuple[str, ...]
    is_name: bool = False
    soft: bool = False
    weight: float = 1.0

    @property
    def text(self) -> str:
        """The term as it was asked, folded."""
        return " ".join(self.words)


@dataclass(slots=True)
class Vocabulary:
    """The words and names of the units that were found, with how rare each is among them."""

    units: int
    df: dict[str, int] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    lower: set[str] = field(default_factory=set)
    lower_stems: set[str] = field(default_factory=set)
    names: dict[tuple[str, ...], str] = field(default_factory=dict)

    @classmethod
    def of(cls, units: Sequence[Unit]) -> Vocabulary:
        """Read the vocabulary of `units`."""
        v = cls(units=len(units))
        for u in units:
            ws = set(tokens(f"{u.scope}"))
            v.words |= ws
            for s in {stem(w) for w in ws}:
                v.df[s] = v.df.get(s, 0) + 1
            if u.kind == "title":
                continue  # every word of a headline has a capital
            for text in (u.text, u.credit):
                v.lower.update(w for w in re.findall(r"(?<![\w’'-])[a-z][\w’'-]+", text))
                for n in find_names(text):
                    parts = tokens(n.text)
                    v.names.setdefault(tuple(parts[1:] if parts[0] == "the" and len(parts) > 1 else parts), n.text)
        v.lower_stems = {stem(w) for t in v.lower for w in tokens(t)}
        return v

    def idf(self, word: str) -> float:
        """Rarity of a word from 0.3 (everywhere) to 1 (nowhere)."""
        n = self.df.get(stem(word), 0)
        return (
            max(0.3, math.log((self.units + 1) / (n + 0.5)) / math.log((self.units + 1) / 0.5)) if self.units else 1.0
        )


@lru_cache(maxsize=4096)
def unit_words(unit: Unit) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Stems of a unit's own text, of its whole block, and of the names that its pronouns imply."""
    own = frozenset(stems(unit.text)) | phrase_stems(unit.text)
    scope = frozenset(stems(unit.scope)) | phrase_stems(unit.scope)
    if unit.continues:  # "...and Billy!": what was done is said in the item before
        scope |= frozenset(stems(unit.before)) | phrase_stems(unit.before)
    implied = frozenset(stem(w) for n in unit.implied for w in tokens(n))
    return own, scope, implied


def name_match(term: Term, unit: Unit, *, fuzzy: bool = True) -> float:
    """How surely a unit speaks of a name: in full, by part of it, by a pronoun; 0 when another full name shares the part."""
    want = [stem(w) for w in term.words]
    best = 0.0
    # A paragraph of speech keeps its speaker from sentence to sentence, but not the prize that one of them names.
    whole = (
        unit.item
        or unit.kind == "caption"
        or not ({stem(w) for w in term.words} & thesaurus().keys() or {"of", "best"} & set(term.words))
    )
    around = (unit.scope,) if whole else ()
    for texts, value in (((unit.text,), EXACT), (around, NEARBY), (unit.implied, NEARBY)):
        for text in texts:
            have = stems(text)
            if _run_in(want, have) or (len(want) == 1 and want[0] in have):
                best = max(best, value)
            elif part := _part_of(want, text):
                best = max(best, value * part)
        if best:
            return best
    if fuzzy:
        for n in unit.names:
            if _spelled_alike(term.text, fold(n.text)):
                return NEARBY
    return 0.0


def _run_in(want: Sequence[str], have: Sequence[str]) -> bool:
    k = len(want)
    return any(list(have[i : i + k]) == list(want) for i in range(len(have) - k + 1))


def _part_of(want: Sequence[str], text: str) -> float:
    """A unit may call "Taylor Swift" Taylor or Swift, and "Beyoncé" Bey; but "Taylor Hill" is somebody else."""
    for have in _name_stems(text):
        shared = [w for w in have if w in want]
        if shared and (set(have) <= set(want) or set(want) <= set(have)):
            return 0.95
        for h in have:
            for w in want:
                if len(h) >= 3 and len(w) > len(h) and w.startswith(h) and h not in ("the", "and", "dan", "ann"):
                    return 0.85
    return 0.0


@lru_cache(maxsize=16384)
def _name_stems(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(stems(n.text) for n in find_names(text))


def _spelled_alike(a: str, b: str) -> bool:
    if min(len(a), len(b)) < 5 or abs(len(a) - len(b)) > 2:
        return False
    return difflib.SequenceMatcher(None, a, b).ratio() >= SPELLED + 0.04 and a.split()[0][0] == b.split()[0][0]


_SAYING = frozenset(
    stem(w) for w in "say said joke joked quip told tell gush state speech words comment remark".split()
)


class Matcher:
    """Scores units against the terms of one question; word vectors are remembered for the life of the embedder."""

    def __init__(self, vocabulary: Vocabulary, *, embedder: Embedder | None) -> None:
        self.vocabulary = vocabulary
        self._embedder = embedder
        self._alike: dict[str, frozenset[str]] = {}

    def prepare(self, terms: Sequence[Term]) -> None:
        """Find, for each word that the coverage lacks, the words there that mean or spell about the same."""
        for t in terms:
            for w in t.words:
                if t.is_name or stem(w) in self._alike:
                    continue
                near: set[str] = set()
                if stem(w) not in self.vocabulary.df and len(w) >= 5:
                    close = difflib.get_close_matches(w, self.vocabulary.words, n=2, cutoff=SPELLED)
                    near.update(stem(c) for c in close if c[0] == w[0])
                if self._embedder is not None and not near and len(w) >= 3 and not any(c.isdigit() for c in w):
                    near.update(_same_meaning(w, tuple(sorted(self.vocabulary.lower)), self._embedder))
                self._alike[stem(w)] = frozenset(near)

    def term(self, t: Term, unit: Unit) -> float:
        """Return how surely `unit` says `t`, 0 to 1."""
        if t.is_name:
            return name_match(t, unit)
        own, scope, implied = unit_words(unit)
        total = 0.0
        for w in t.words:
            s = stem(w)
            others = thesaurus().get(s, frozenset())
            near = self._alike.get(s, frozenset())
            if s in own:
                total += EXACT
            elif (s in _SAYING and '"' in unit.text.replace("“", '"')) or others & own:
                total += SYNONYM
            elif s in scope:
                total += NEARBY
            elif s in implied or near & own:
                total += MEANING + 0.05
            elif others & scope or near & scope:
                total += MEANING
        return total / len(t.words)

    def coverage(self, terms: Sequence[Term], unit: Unit) -> tuple[float, float]:
        """Return the weighted share of the terms that a unit says, and the least share of any name or hard word."""
        total = got = 0.0
        least = 1.0
        for t in terms:
            m = self.term(t, unit)
            if t.soft and not m:
                continue  # the kind of answer need not be named
            total += t.weight
            got += t.weight * m
            if not t.soft:
                least = min(least, m)
        return (got / total if total else 0.0), least


def _same_meaning(word: str, vocabulary: tuple[str, ...], embedder: Embedder) -> set[str]:
    import numpy as np

    # Taken out before anything is put in: another thread, or this one, may empty what is remembered at any time.
    known = {w: v for w in {word, *vocabulary} if (v := _WORDS.get((embedder.name, w))) is not None}
    missing = [w for w in {word, *vocabulary} if w not in known]
    if missing:
        if len(_WORDS) > REMEMBERED:
            _WORDS.clear()
        for w, v in zip(missing, embedder.embed(missing), strict=True):
            known[w] = _WORDS[embedder.name, w] = v
    if not vocabulary:
        return set()
    rows = np.stack([known[w] for w in vocabulary])
    scores = rows @ known[word]
    return {stem(w) for w, s in zip(vocabulary, scores, strict=True) if s >= ALIKE and stem(w) != stem(word)}


_WORDS: dict[tuple[str, str], Vectors] = {}
