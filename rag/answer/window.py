"""The part of a passage that fits a question best: what a small model reads is cut down to it first. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from rag.retrieve.words import content_words, stem, tokens

_SNAP = 15  # words that a window may move to begin with a sentence
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_BEGINS = re.compile(r"(?:^|[.!?…][\"”’)\]]*\s+|\n\s*)(?=\S)")


def weigh(question: str, texts: Sequence[str]) -> dict[str, float]:
    """Weigh the question's word stems by how rare they are among the texts.

    Source: the inverse document frequency of BM25, Robertson and Zaragoza 2009.
    """
    wanted = {stem(w) for w in content_words(question)}
    held = Counter(s for t in texts for s in {stem(w) for w in tokens(t)} & wanted)
    return {s: math.log1p((len(texts) - held[s] + 0.5) / (held[s] + 0.5)) + 0.1 for s in wanted}


def window(text: str, weights: Mapping[str, float], *, words: int) -> tuple[int, int]:
    """Return the characters of the run of `words` words that says most of the question, from the start of a sentence if near."""
    at = [(m.start(), m.end()) for m in _WORD.finditer(text)]
    if len(at) <= words:
        return 0, len(text)
    worth = [stem(t[0]) if (t := tokens(text[s:e])) else "" for s, e in at]
    inside: Counter[str] = Counter()
    score, best, begin = 0.0, -1.0, 0
    for n, s in enumerate(worth):
        if s in weights:
            inside[s] += 1
            score += weights[s] if inside[s] == 1 else 0.1 * weights[s]
        if n >= words and (gone := worth[n - words]) in weights:
            inside[gone] -= 1
            score -= weights[gone] if inside[gone] == 0 else 0.1 * weights[gone]
        if n >= words - 1 and score > best + 1e-9:
            best, begin = score, n - words + 1
    # The words around the match matter on both sides: put what was found into the middle.
    found = [n for n in range(begin, begin + words) if worth[n] in weights]
    middle = (found[0] + found[-1]) // 2 if found else begin + words // 2
    begin = max(0, min(middle - words // 2, len(at) - words))
    # From the start of a sentence, if one is near enough for all of what was found to stay inside.
    low = max(0, (found[-1] if found else begin) - words + 1, begin - _SNAP)
    starts = [m.end() for m in _BEGINS.finditer(text)]
    near = [s for s in starts if at[low][0] <= s <= at[begin][0]]
    first = next(n for n in range(len(at)) if at[n][0] >= near[-1]) if near else begin
    last = first + words - 1
    return at[first][0], at[last][1] if last < len(at) - 1 else len(text)
