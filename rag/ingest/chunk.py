"""Article -> Chunks; `article.text[c.start:c.end] == c.text`, always. Pure but for loading the tokenizer.

Blocks stay whole: a numbered item with its caption and credit is one chunk, captions of a gallery are packed a few to
a chunk, paragraphs are packed up to the budget; what is longer is cut at the ends of sentences, else of clauses, else
between words. A chunk fits the 256 tokens that the embedder reads, and every letter of the article is in one. Its header
(title, event, date) is embedded by itself.

The tokenizer sees each word once, not each article: BERT cuts at white space before it does anything else, so the size
of a passage is the sum of the sizes of its words, exactly, and few of a text's words are new.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from rag.ingest.clean import ABBREVIATED, blocks
from rag.store.embed import MAX_TOKENS
from rag.store.library import chunk_digest
from rag.types import Article, Chunk, ChunkKind

HEADER_TOKENS = 60
OVERLAP_PART = 6  # pieces of a long block share up to a sixth of a chunk's tokens
_DATE_TOKENS = 8  # "2024-05-05" and two bars
_CHARS_PER_TOKEN = 12  # a run of letters without a space is one unknown token however long: count its length instead
_LONG_WORD = 40  # longer ones are counted, and may be cut, by their parts: an address, or a language without spaces
_KNOWN_WORDS = 1 << 17  # about 15 MB
_CJK = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df"
_ALONE = rf"!-/:-@\[-`{{-~。、，！？{_CJK}"  # what the tokenizer cuts off as a token of its own
_PART = re.compile(rf"[{_ALONE}]|[^{_ALONE}]+")
_CLOSERS = "\"'”’»)]*」』"
_SENTENCE_END = re.compile(rf"(?:[.!?…]|(?P<wide>[。！？]))[{re.escape(_CLOSERS)}]*$")
_SENTENCE_LAST = frozenset(".!?…。！？" + _CLOSERS)
_CLAUSE_LAST = frozenset(",;:—–")
_WIDE_CLAUSE_LAST = frozenset("、，；")
Span = tuple[int, int, ChunkKind]
Tokenize = Callable[[str], Sequence[Any]]


@lru_cache(maxsize=1)
def embedder_tokenize() -> Tokenize:
    """Return the embedder's own tokenizer as text -> tokens (no special tokens, never truncated)."""
    from rag.store.embed import load_tokenizer

    tokenizer = load_tokenizer()
    pieces = tokenizer.model.tokenize

    def tokenize(text: str) -> list[str]:
        if text.isascii() and text.isalnum():  # nothing else is done to a plain word: ten times faster
            return [token.value for token in pieces(text.lower())]
        return list(tokenizer.encode(text, add_special_tokens=False).tokens)

    return tokenize


def header(article: Article, *, tokenize: Tokenize, header_tokens: int = HEADER_TOKENS) -> str:
    """Write what every chunk of an article is about: title, event, date; at most `header_tokens` tokens."""
    most_title = (header_tokens - _DATE_TOKENS) * 9 // 13  # 36 of 60
    title = _clipped(article.title, most_title, tokenize)
    most_event = header_tokens - _DATE_TOKENS - most_title
    event = _clipped(article.event.label, most_event, tokenize) if article.event else ""
    day = article.date.isoformat() if article.date and header_tokens >= _DATE_TOKENS else ""
    return " | ".join(part for part in (title, event, day) if part)


def chunk(
    article: Article,
    *,
    chunk_tokens: int,
    overlap: int | None = None,
    tokenize: Tokenize | None = None,
) -> list[Chunk]:
    """Cut an article into chunks of at most `chunk_tokens` tokens (and no more than the embedder reads), in order.

    `overlap` is the most tokens that neighbouring pieces of one long block share (None: a sixth; at most a half).
    `tokenize` must cut as BERT's does, at white space and ASCII punctuation and whatever the case: sizes are sums over words.
    """
    tokenize = tokenize or embedder_tokenize()
    chunk_tokens = max(12, min(chunk_tokens, MAX_TOKENS - 2))  # [CLS] and [SEP]
    overlap = chunk_tokens // OVERLAP_PART if overlap is None else max(0, min(overlap, chunk_tokens // 2))
    front = header(article, tokenize=tokenize)
    seen: dict[str, int] = {}
    out: list[Chunk] = []
    for start, end, kind in _spans(article, chunk_tokens=chunk_tokens, overlap=overlap, tokenize=tokenize):
        text = article.text[start:end]
        digest = chunk_digest(front, text)
        nth = seen[digest] = seen.get(digest, -1) + 1
        name = f"{article.id}-{digest}" + (f"-{nth}" if nth else "")
        out.append(Chunk(id=name, article_id=article.id, start=start, end=end, text=text, kind=kind, header=front))
    return out


@dataclass(frozen=True, slots=True)
class _Words:
    """A text's words (or parts of long ones), n of them, with their tokens; i and j count words, not letters."""

    text: str
    starts: list[int]  # (n,)
    ends: list[int]  # (n,)
    sums: list[int]  # (n + 1,) tokens ahead of each word

    def size(self, i: int, j: int) -> int:
        """Return the tokens of words i to j, or more where they are very long for so few."""
        return max(self.sums[j] - self.sums[i], -(-(self.ends[j - 1] - self.starts[i]) // _CHARS_PER_TOKEN))

    def furthest(self, i: int, budget: int) -> int:
        """Find the last j so that words i to j fit; i when not even one does."""
        fits = bisect_right(self.sums, self.sums[i] + budget) - 1
        return min(fits, bisect_right(self.ends, self.starts[i] + budget * _CHARS_PER_TOKEN))

    def earliest(self, j: int, budget: int) -> int:
        """Find the first i so that words i to j fit; j when not even one does."""
        fits = bisect_left(self.sums, self.sums[j] - budget)
        return min(j, max(fits, bisect_left(self.starts, self.ends[j - 1] - budget * _CHARS_PER_TOKEN)))

    def begins_line(self, i: int) -> bool:
        return "\n" in self.text[self.ends[i - 1] : self.starts[i]]

    def begins_sentence(self, i: int) -> bool:
        """Tell whether a line or a sentence begins at word i; in doubt ("U.S. The", "Sept. 11"), it does not."""
        text, stop, start = self.text, self.ends[i - 1], self.starts[i]
        if self.begins_line(i):
            return True
        if text[stop - 1] not in _SENTENCE_LAST:
            return False
        before = text[max(0, stop - 12) : stop]
        end = _SENTENCE_END.search(before)
        if not end or text[start].islower() or (stop == start and (not end["wide"] or text[start] in _CLOSERS)):
            return False
        if end.group() != ".":
            return True
        # "Sept. 11", "p.m. Friday", "Gov. Ivey"
        return not (text[start].isdigit() or before[-3:-2] == "." or ABBREVIATED.search(before))

    def begins_clause(self, i: int) -> bool:
        last = self.text[self.ends[i - 1] - 1]
        return last in _WIDE_CLAUSE_LAST or (last in _CLAUSE_LAST and self.after_space(i))

    def after_space(self, i: int) -> bool:
        return self.ends[i - 1] < self.starts[i]


class _Tokens(dict[str, int]):
    """Word -> number of tokens, counted when first asked for."""

    def __init__(self, tokenize: Tokenize) -> None:
        self._tokenize = tokenize

    def __missing__(self, word: str) -> int:
        if len(self) >= _KNOWN_WORDS:
            self.clear()
        # Case and punctuation make no difference to it: "Harbour," is "harbour" and a comma, most likely known.
        parts = _PART.findall(word.lower()) if word.isascii() else [word]
        n = len(self._tokenize(word)) if parts == [word] else sum(map(self.__getitem__, parts))
        if len(word) <= _LONG_WORD:
            self[word] = n
        return n


@lru_cache(maxsize=4)
def _tokens(tokenize: Tokenize) -> _Tokens:
    return _Tokens(tokenize)


def _words(text: str, tokenize: Tokenize) -> _Words:
    words = text.split()
    if words and max(map(len, words)) > _LONG_WORD:
        words = [part for w in words for part in (_PART.findall(w) if len(w) > _LONG_WORD else (w,))]
    starts, ends, at = [], [], 0
    for word in words:
        starts.append(at := text.find(word, at))
        at += len(word)
        ends.append(at)
    return _Words(text, starts, ends, [*accumulate(map(_tokens(tokenize).__getitem__, words), initial=0)])


def _clipped(text: str, limit: int, tokenize: Tokenize) -> str:
    if limit < 1:
        return ""
    words = _words(text, tokenize)
    n = len(words.starts)
    fits = words.furthest(0, limit) if n else 0
    if fits == n:
        return text
    fits = next((i for i in range(fits, 0, -1) if words.after_space(i)), fits)
    if fits:
        return text[: words.ends[fits - 1]]
    return text[: next(_parts(text, words.starts[0], words.ends[0], budget=limit, tokenize=tokenize))[1]]


def _spans(article: Article, *, chunk_tokens: int, overlap: int, tokenize: Tokenize) -> Iterator[Span]:
    words = _words(article.text, tokenize)
    run: tuple[int, int, ChunkKind] | None = None
    for block in blocks(article.text, title=article.title):
        i, j = bisect_left(words.starts, block.start), bisect_left(words.starts, block.end)
        kind: ChunkKind = block.kind if block.kind in ("caption", "item") else "text"
        # a gallery chunk of too many names is near nothing in particular
        budget = chunk_tokens // 2 if kind == "caption" else chunk_tokens
        if run and (kind == "item" or run[2] != kind or words.size(run[0], j) > budget):
            yield words.starts[run[0]], words.ends[run[1] - 1], run[2]
            run = None
        if words.size(i, j) > chunk_tokens:
            for start, end in _pieces(words, i, j, budget=chunk_tokens - overlap, overlap=overlap, tokenize=tokenize):
                yield start, end, kind
        else:
            run = (run[0] if run else i, j, kind)
    if run:
        yield words.starts[run[0]], words.ends[run[1] - 1], run[2]


def _pieces(
    words: _Words, i: int, j: int, *, budget: int, overlap: int, tokenize: Tokenize
) -> Iterator[tuple[int, int]]:
    """Cut words i to j into spans of at most `budget` tokens and up to `overlap` more that they share with the last."""
    low = i
    while i < j:
        far = min(j, words.furthest(i, budget))
        if far == i:  # a word that is too long itself
            yield from _parts(words.text, words.starts[i], words.ends[i], budget=budget, tokenize=tokenize)
            low = i = i + 1
            continue
        cut = j if far == j else _cut(words, i, far)
        # And no longer than its tokens may be, where much white space lies between what is shared and the rest.
        fits = bisect_left(words.starts, words.ends[cut - 1] - (budget + overlap) * _CHARS_PER_TOKEN)
        shared = range(max(low, fits, words.earliest(i, overlap)), i) if i > low else range(0)
        first = next(filter(words.begins_sentence, shared), None)
        first = next(filter(words.after_space, shared), i) if first is None else first
        yield words.starts[first], words.ends[cut - 1]
        low, i = i + 1, cut


def _cut(words: _Words, i: int, far: int) -> int:
    """Find where to cut words i to far, a third of the way or further: at a line, a sentence, a clause, a word, anywhere."""
    ahead = words.sums[i] + (words.sums[far] - words.sums[i]) // 3
    places = range(far, max(i, bisect_left(words.sums, ahead) - 1), -1)
    for begins in (words.begins_line, words.begins_sentence, words.begins_clause, words.after_space):
        cut = next(filter(begins, places), None)
        if cut is not None:
            return cut
    return far


def _parts(text: str, start: int, end: int, *, budget: int, tokenize: Tokenize) -> Iterator[tuple[int, int]]:
    """Cut one word into spans of at most `budget` tokens."""
    while start < end:
        stops = range(start + 1, min(end, start + budget * _CHARS_PER_TOKEN) + 1)
        cut = start + max(1, bisect_right(stops, budget, key=lambda stop: len(tokenize(text[start:stop]))))
        yield start, cut
        start = cut
