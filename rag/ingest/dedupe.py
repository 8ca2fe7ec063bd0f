"""Near-identical and syndicated copies -> clusters. Pure.

A copy may be cut, so Jaccard similarity of the whole texts is low (about 0.4 for a listicle without its captions):
MinHash bands find candidates from 0.3 up, and the shingles of the SHORTER text that the longer one holds decide. Two
records that differ in a key fact (another score, another name, another edition) are not copies, however alike, nor are
pages that hold the same notice of their website under headlines that have nothing in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rag.ingest.clean import is_credit

_PERMUTATIONS = 128
_ROWS = 3  # 42 bands of 3 rows: half of all pairs at Jaccard (1/42)^(1/3) = 0.29 become candidates
_SHINGLE = 4
_MIN_SHINGLES = 25
_CONTAINED = 0.7
_FACTS_CONTAINED = 0.9
_SENTENCE = 4

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")


def words(text: str) -> list[str]:
    """Return the words of the running text in lower case: no credits, no list numbers."""
    lines = (re.sub(r"^\d{1,3}[.)]\s*", "", line) for line in text.split("\n") if not is_credit(line))
    return [w.lower().replace("’", "'") for line in lines for w in _WORD.findall(line)]


def shingles(text: str) -> frozenset[str]:
    """Return the set of runs of four words."""
    w = words(text)
    return frozenset(" ".join(w[i : i + _SHINGLE]) for i in range(max(0, len(w) - _SHINGLE + 1)))


def bands(text: str) -> list[str]:
    """Return the MinHash band keys of `text`: two texts that share one are worth comparing; [] for a text too short."""
    from datasketch import MinHash

    grams = shingles(text)
    if len(grams) < _MIN_SHINGLES:
        return []
    sketch = MinHash(num_perm=_PERMUTATIONS, seed=1)
    sketch.update_batch([g.encode() for g in sorted(grams)])
    values = sketch.hashvalues
    return [
        f"{at:03d}:" + ":".join(f"{int(v):x}" for v in values[at : at + _ROWS])
        for at in range(0, _PERMUTATIONS - _ROWS + 1, _ROWS)
    ]


def is_copy(a: str, b: str, *, titles: tuple[str | None, str | None] = (None, None)) -> bool:
    """Tell whether the shorter of two texts is a (cut) copy of the longer."""
    grams_a, grams_b = shingles(a), shingles(b)
    if (len(grams_a), a) > (len(grams_b), b):
        a, b, grams_a, grams_b = b, a, grams_b, grams_a
    if len(grams_a) < _MIN_SHINGLES or len(grams_a & grams_b) < _CONTAINED * len(grams_a):
        return False
    if _strangers(*titles, a):
        return False
    facts = key_facts(a)
    if facts and len(facts & key_facts(b)) < _FACTS_CONTAINED * len(facts):
        return False
    of_a, of_b = _counts(a), _counts(b)
    return all(of_a[s] & of_b[s] for s in of_a.keys() & of_b.keys())


def _strangers(one: str | None, other: str | None, text: str) -> bool:
    """Two headlines without a word in common, over a text that speaks of neither."""
    first, second = ({w for w in words(t or "") if len(w) > 3} for t in (one, other))
    said = set(words(text))
    return bool(first and second) and not first & second and not (first <= said or second <= said)


def _counts(text: str) -> dict[str, set[tuple[str, ...]]]:
    """Map each sentence, its numbers left out, to the numbers it gives: "at least # were hurt" -> {("12",)}."""
    out: dict[str, set[tuple[str, ...]]] = {}
    for line in text.split("\n"):
        for sentence in re.split(r"(?<=[.!?])[\"”’)]*\s+", re.sub(r"^\d{1,3}[.)]\s*", "", line)):
            found = [w.lower() for w in _WORD.findall(sentence)]
            numbers = tuple(w for w in found if w[0].isdigit())
            form = " ".join("#" if w[0].isdigit() else w for w in found)
            # short lines are the page's ("3 comments", "updated 4.15 pm"), not the article's
            if numbers and sum(w[0].islower() for w in _WORD.findall(sentence)) >= _SENTENCE:
                out.setdefault(form, set()).add(numbers)
    return out


def key_facts(text: str) -> frozenset[str]:
    """Return the numbers and the capitalised words inside sentences: what tells two records of one form apart."""
    found: set[str] = set()
    for line in text.split("\n"):
        if is_credit(line):
            continue
        line = re.sub(r"^\d{1,3}[.)]\s*", "", line)
        for m in _WORD.finditer(line):
            w = m.group()
            if any(c.isdigit() for c in w) or (
                w[0].isupper() and m.start() > 0 and line[m.start() - 2 : m.start()] != ". "
            ):
                found.add(w.lower())
    return frozenset(found)


def clusters(ids: Iterable[str], copies: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Give each id its cluster: the smallest id that it is joined to, whatever the order of the pairs."""
    parent = {i: i for i in ids}

    def root(i: str) -> str:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in copies:
        if a in parent and b in parent:
            ra, rb = root(a), root(b)
            parent[max(ra, rb)] = min(ra, rb)
    return {i: root(i) for i in parent}
