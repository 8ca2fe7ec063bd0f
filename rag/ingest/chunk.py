"""Article -> Chunks; `article.text[c.start:c.end] == c.text`, always. Pure but for loading the tokenizer.

Blocks stay whole: a numbered item with its caption and credit is one chunk, captions of a gallery are packed a few to
a chunk, paragraphs are packed up to the budget; what is longer is cut by llama-index's `SentenceSplitter` with the
embedder's own tokenizer. A chunk and its header (title, event, date) fit the 256 tokens that the embedder reads, and
every letter of the article is in a chunk.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from rag.ingest.clean import Block, blocks
from rag.store.embed import MAX_TOKENS
from rag.store.library import chunk_digest
from rag.types import Article, Chunk, ChunkKind

HEADER_TOKENS = 60
_TITLE_TOKENS = 36
_MOST_TOKENS = MAX_TOKENS - HEADER_TOKENS - 2  # [CLS] and [SEP]
_CHARS_PER_TOKEN = 12  # a run of letters without a space is one unknown token however long: count its length instead
Span = tuple[int, int, ChunkKind]
Tokenize = Callable[[str], Sequence[Any]]


@lru_cache(maxsize=1)
def embedder_tokenize() -> Tokenize:
    """Return the embedder's own tokenizer as text -> tokens (no special tokens, never truncated)."""
    from rag.store.embed import load_tokenizer

    tokenizer = load_tokenizer()
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).tokens)


def header(article: Article, *, tokenize: Tokenize) -> str:
    """Write what is embedded in front of each chunk: title, event, date; at most 60 tokens."""
    title = _clipped(article.title, _TITLE_TOKENS, tokenize)
    day = article.date.isoformat() if article.date else ""
    event = _clipped(article.event.label, HEADER_TOKENS - _TITLE_TOKENS - 8, tokenize) if article.event else ""
    return " | ".join(part for part in (title, event, day) if part)


def _clipped(text: str, limit: int, tokenize: Tokenize) -> str:
    if _size(text, tokenize) <= limit:
        return text
    ends = [m.start() for m in re.finditer(r"\s", text)]
    fits = bisect_left(ends, True, key=lambda end: _size(text[:end], tokenize) > limit)
    if fits:
        return text[: ends[fits - 1]].rstrip()
    return text[: bisect_left(range(len(text)), True, key=lambda end: _size(text[:end], tokenize) > limit) - 1]


def _size(text: str, tokenize: Tokenize) -> int:
    return max(len(tokenize(text)), -(-len(text) // _CHARS_PER_TOKEN))


def chunk(article: Article, *, chunk_tokens: int, tokenize: Tokenize | None = None) -> list[Chunk]:
    """Cut an article into chunks of at most `chunk_tokens` tokens (and no more than the embedder reads), in order."""
    tokenize = tokenize or embedder_tokenize()
    chunk_tokens = max(12, min(chunk_tokens, _MOST_TOKENS))
    front = header(article, tokenize=tokenize)
    seen: dict[str, int] = {}
    out: list[Chunk] = []
    for start, end, kind in _spans(article, chunk_tokens=chunk_tokens, tokenize=tokenize):
        text = article.text[start:end]
        digest = chunk_digest(front, text)
        nth = seen[digest] = seen.get(digest, -1) + 1
        name = f"{article.id}-{digest}" + (f"-{nth}" if nth else "")
        out.append(Chunk(id=name, article_id=article.id, start=start, end=end, text=text, kind=kind, header=front))
    return out


def _spans(article: Article, *, chunk_tokens: int, tokenize: Tokenize) -> Iterator[Span]:
    run: list[Block] = []
    size = 0
    caption_budget = chunk_tokens // 2  # a gallery chunk of too many names is near nothing in particular
    for block in blocks(article.text, title=article.title):
        tokens = _size(article.text[block.start : block.end], tokenize)
        kind: ChunkKind = block.kind if block.kind in ("caption", "item") else "text"
        budget = caption_budget if kind == "caption" else chunk_tokens
        if run and (kind == "item" or _kind(run[0]) != kind or size + tokens > budget):
            yield run[0].start, run[-1].end, _kind(run[0])
            run, size = [], 0
        if tokens > chunk_tokens:
            for start, end in _split_long(article.text, block.start, block.end, budget=chunk_tokens, tokenize=tokenize):
                yield start, end, kind
        else:
            run.append(block)
            size += tokens
    if run:
        yield run[0].start, run[-1].end, _kind(run[0])


def _kind(block: Block) -> ChunkKind:
    return block.kind if block.kind in ("caption", "item") else "text"


@lru_cache(maxsize=4)
def _splitter(budget: int, tokenize: Tokenize) -> Any:
    from llama_index.core.node_parser import SentenceSplitter

    return SentenceSplitter(
        chunk_size=budget,
        chunk_overlap=0,
        tokenizer=lambda text: range(_size(text, tokenize)),
        paragraph_separator="\n\n",
    )


def _split_long(text: str, start: int, end: int, *, budget: int, tokenize: Tokenize) -> Iterator[tuple[int, int]]:
    """Cut `text[start:end]` into spans of at most `budget` tokens that overlap by up to a sixth, whole sentences first.

    The splitter overlaps by itself, but then a passage that says the same words twice cannot be told where it is from.
    """
    overlap = budget // 6
    cuts: list[tuple[int, int]] = []
    at = start
    for piece in _splitter(budget - overlap, tokenize).split_text(text[start:end]):
        found = text.find(piece, at, end)
        if found < 0 or text[at:found].strip():
            break  # the splitter changed the text: what is left is cut by words
        cuts.append((found, found + len(piece)))
        at = found + len(piece)
    if text[at:end].strip():
        cuts.append((at, end))
    last: int | None = None
    for a, b in (part for cut in cuts for part in _fitting(text, *cut, budget=budget - overlap, tokenize=tokenize)):
        yield (a if last is None else _further_back(text, last, a, overlap=overlap, tokenize=tokenize)), b
        last = a


def _fitting(text: str, start: int, end: int, *, budget: int, tokenize: Tokenize) -> Iterator[tuple[int, int]]:
    """Cut a span that is too long between words, or within one that is too long itself."""
    widest = budget * _CHARS_PER_TOKEN
    while end - start > widest or _size(text[start:end], tokenize) > budget:
        ends = range(start + 1, min(end, start + widest) + 1)
        fits = bisect_left(ends, True, key=lambda e: _size(text[start:e], tokenize) > budget)
        cut = start + max(1, fits)
        space = max(text.rfind(c, start + 1, cut + 1) for c in " \n")
        cut = space if space > start else cut
        yield start, cut
        start = cut
        while start < end and text[start].isspace():
            start += 1
    if start < end:
        yield start, end


def _further_back(text: str, low: int, start: int, *, overlap: int, tokenize: Tokenize) -> int:
    """Find the first sentence, else the first word, after `low` from where it is at most `overlap` tokens to `start`."""
    low = max(low, start - overlap * _CHARS_PER_TOKEN)
    for boundary in (r"(?<=[.!?])[\"'”’)\]]*\s+(?=\S)", r"\s+(?=\S)"):
        starts = [m.end() for m in re.finditer(boundary, text[low:start])]
        n = bisect_left(starts, True, key=lambda s: _size(text[low + s : start], tokenize) <= overlap)
        if n < len(starts):
            return low + starts[n]
    return start
