"""Near-identical and syndicated copies -> clusters. Pure.

A copy may be cut, so Jaccard similarity of the whole texts is low (about 0.4 for a listicle without its captions):
MinHash bands find candidates from 0.3 up, and the shingles of the SHORTER text that the longer one holds decide. Two
records that differ in a key fact (another score, another name, another edition) are not copies, however alike, nor are
pages that hold the same notice of their website under headlines that have nothing in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from rag.ingest.clean import is_credit

_PERMUTATIONS = 128
_ROWS = 3  # 42 bands of 3 rows: half of all pairs at Jaccard (1/42)^(1/3) = 0.29 become candidates
_SCHEME = "affine32"  # keys are kept: another scheme would make others of the same text
_SHINGLE = 4
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIN_SHINGLES = 25
_CONTAINED = 0.7
_FACTS_CONTAINED = 0.9
_SENTENCE = 4

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_SENTENCES = re.compile(r"(?<=[.!?])[\"”’)]*\s+")
_DATELINE = re.compile(  # "PORT ELLERY, June 5 (Coastal Wire) - ", "(Reuters) - "
    r"^(?:[A-Z][A-Z.' -]{2,40}(?:, [A-Z][a-z]+\.?(?: \d{1,2})?(?:, \d{4})?)?(?: ?\([^()\n]{2,40}\))?|\([^()\n]{2,40}\)) ?[-–—]{1,2} (?=[\w\"“])"
)
_NUMBERING = re.compile(r"^\d{1,3}[.)]\s*", re.M)


def words(text: str) -> list[str]:
    """Return the words of the running text in lower case: no credits, no list numbers."""
    running = "\n".join(line for line in text.split("\n") if not is_credit(line))
    return _WORD.findall(_NUMBERING.sub("", running).lower().replace("’", "'"))


def shingles(text: str) -> frozenset[str]:
    """Return the set of runs of four words."""
    w = words(text)
    return frozenset(" ".join(w[i : i + _SHINGLE]) for i in range(max(0, len(w) - _SHINGLE + 1)))


def bands(text: str) -> list[str]:
    """Return the MinHash band keys of `text`: two texts that share one are worth comparing; [] for a text too short."""
    from datasketch import MinHash

    grams = _gram_hashes(words(text))
    if len(grams) < _MIN_SHINGLES:
        return []
    sketch = MinHash(num_perm=_PERMUTATIONS, hashfunc=int, permutations=_permutations(), scheme=_SCHEME)
    sketch.update_batch(grams.tolist())
    values = sketch.hashvalues.tolist()
    return [
        f"{at:03d}:" + ":".join(f"{v:x}" for v in values[at : at + _ROWS])
        for at in range(0, _PERMUTATIONS - _ROWS + 1, _ROWS)
    ]


@lru_cache(maxsize=1)
def _permutations() -> Any:
    from datasketch import MinHash

    return MinHash(num_perm=_PERMUTATIONS, seed=1, scheme=_SCHEME).permutations  # drawn once, not for every article


def _gram_hashes(w: Sequence[str]) -> npt.NDArray[np.uint32]:
    """Return the hashes of the runs of four words, each once: CRC-32 of a word, then a polynomial over the run."""
    n = len(w) - _SHINGLE + 1
    if n <= 0:
        return np.empty(0, dtype=np.uint32)
    one = np.fromiter((crc32(x.encode()) for x in w), dtype=np.uint64, count=len(w))
    run = np.zeros(n, dtype=np.uint64)
    for k in range(_SHINGLE):
        run = run * _ODD + one[k : k + n]  # modulo 2^64
    return np.unique((run >> np.uint64(32)).astype(np.uint32))


def is_copy(a: str, b: str, *, titles: tuple[str | None, str | None] = (None, None)) -> bool:
    """Tell whether the shorter of two texts is a (cut) copy of the longer."""
    (title_a, title_b), grams_a, grams_b = titles, shingles(a), shingles(b)
    if (len(grams_a), a) > (len(grams_b), b):
        a, b, title_a, title_b, grams_a, grams_b = b, a, title_b, title_a, grams_b, grams_a
    if len(grams_a) < _MIN_SHINGLES or len(grams_a & grams_b) < _CONTAINED * len(grams_a):
        return False
    if _strangers(title_a, title_b, a):
        return False
    # A headline that a copy has lost, or has beside its text, denies nothing: its capitals would be facts that are missing.
    facts = key_facts(a if title_b else _headless(a, title_a))
    told = key_facts(b) | {w.lower() for w in _WORD.findall(title_b or "")}
    if facts and len(facts & told) < _FACTS_CONTAINED * len(facts):
        return False
    of_a, of_b = _counts(a), _counts(b)
    return all(of_a[s] & of_b[s] for s in of_a.keys() & of_b.keys()) and not contradict(a, b)


def contradict(a: str, b: str) -> bool:
    """Tell whether a sentence stands in both texts with other names: "X hosted the gala", "Y hosted the gala".

    Each has a name there that the other's sentence lacks, and one of them is nowhere in the other text: an abridged copy,
    or one in another order, has only names of the whole.
    """
    names_a, names_b = _names_by_form(a), _names_by_form(b)
    shared = names_a.keys() & names_b.keys()
    if not shared:
        return False
    all_a, all_b = set(words(a)), set(words(b))
    apart = ((names_a[form] - names_b[form], names_b[form] - names_a[form]) for form in shared)
    return any(in_a and in_b and (in_a - all_b or in_b - all_a) for in_a, in_b in apart)


def _names_by_form(text: str) -> dict[str, set[str]]:
    """Map each sentence, its names and numbers left out, to those that it gives."""
    out: dict[str, set[str]] = {}
    for line in text.split("\n"):
        if is_credit(line):
            continue
        for sentence in _SENTENCES.split(running(line)):
            found = _WORD.findall(sentence)
            plain = [w for w in found if w[0].islower()]
            if len(plain) >= _SENTENCE and len(plain) < len(found):
                form = " ".join(w if w[0].islower() else "#" for w in found)
                out.setdefault(re.sub(r"#(?: #)+", "#", form), set()).update(
                    w.lower().replace("’", "'") for w in found if not w[0].islower()
                )
    return out


def _strangers(one: str | None, other: str | None, text: str) -> bool:
    """Two headlines without a word in common, over a text that speaks of neither."""
    first, second = ({w for w in words(t or "") if len(w) > 3} for t in (one, other))
    said = set(words(text))
    return bool(first and second) and not first & second and not (first <= said or second <= said)


def _headless(text: str, title: str | None) -> str:
    first, _, rest = text.partition("\n")
    return rest if title and first == title else text


def _counts(text: str) -> dict[str, set[tuple[str, ...]]]:
    """Map each sentence, its numbers left out, to the numbers it gives: "at least # were hurt" -> {("12",)}."""
    out: dict[str, set[tuple[str, ...]]] = {}
    for line in text.split("\n"):
        for sentence in _SENTENCES.split(running(line)):
            found = [w.lower() for w in _WORD.findall(sentence)]
            numbers = tuple(w for w in found if w[0].isdigit())
            form = " ".join("#" if w[0].isdigit() else w for w in found)
            # short lines are the page's ("3 comments", "updated 4.15 pm"), not the article's
            if numbers and sum(w[0].islower() for w in _WORD.findall(sentence)) >= _SENTENCE:
                out.setdefault(form, set()).add(numbers)
    return out


def running(line: str) -> str:
    """Leave out what an outlet puts before a sentence: the number of an item, the place and day of a report."""
    return _DATELINE.sub("", _NUMBERING.sub("", line))


def key_facts(text: str) -> frozenset[str]:
    """Return the numbers and the capitalised words inside sentences: what tells two records of one form apart."""
    found: set[str] = set()
    for line in text.split("\n"):
        if is_credit(line):
            continue
        line = running(line)
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
