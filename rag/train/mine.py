"""Near misses for training: passages that our own search finds for a question and that do not hold its answer."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from rag.config import Config
from rag.ingest.dedupe import words as text_words
from rag.retrieve.fuse import rrf
from rag.retrieve.words import content_words, stem
from rag.store.embed import Vectors, load_embedder
from rag.train.data import Lessons, Question

KEPT = 8  # near misses of a question
_FOUND = 40  # of each of the two searches
_SKIPPED = 8  # of the best, where passages answer each other's questions: "What size is it?" of another review
_TIGHT = ("wiki", "clapnq", "lessons")


def mine(lessons: Lessons, *, cache: Path, seed: int, tell: Callable[[str], None]) -> list[tuple[int, ...]]:
    """Return for each question the passages of its corpus that are near and do not hold the answer, nearest first."""
    near: list[tuple[int, ...]] = [()] * len(lessons.questions)
    for corpus in sorted({p.corpus for p in lessons.passages}):
        inside = [n for n, p in enumerate(lessons.passages) if p.corpus == corpus and p.article not in lessons.apart]
        at = {n: i for i, n in enumerate(inside)}
        # Of a question without a known answer nobody can tell which other passages say it.
        asked = [i for i, q in enumerate(lessons.questions) if q.corpus == corpus and q.answers]
        questions = [lessons.questions[i] for i in asked]
        told = [[q.text, at.get(q.passage) if q.passage is not None else None, *q.answers] for q in questions]
        key = json.dumps([told, [lessons.passages[n].text for n in inside], seed, KEPT])
        file = cache / f"near-{corpus}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.json"
        if not file.is_file():
            tell(f"searching near misses in {corpus}: {len(questions):,} questions, {len(inside):,} passages")
            texts = [lessons.passages[n].text for n in inside]
            found = _near(
                corpus, texts, questions, [at[q.passage] if q.passage is not None else None for q in questions], seed
            )
            cache.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(found), encoding="utf-8")
        for i, row in zip(asked, json.loads(file.read_text(encoding="utf-8")), strict=True):
            near[i] = tuple(inside[n] for n in row)
    return near


def _near(
    corpus: str, texts: Sequence[str], questions: Sequence[Question], held_by: Sequence[int | None], seed: int
) -> list[list[int]]:
    embedder = load_embedder(Config())
    search = _Search(texts, embedder.embed(texts))
    bags = [f" {' '.join(text_words(t))} " for t in texts]
    vectors = embedder.embed([q.text for q in questions])
    skipped = 0 if any(t in corpus for t in _TIGHT) else _SKIPPED
    rng = random.Random(seed)  # noqa: S311
    out = []
    for q, vector, own in zip(questions, vectors, held_by, strict=True):
        said = [f" {' '.join(text_words(a))} " for a in q.answers]
        found = search(q.text, vector)[skipped:]
        misses = [
            n
            for n in found
            if n != own and (own is None or texts[n] != texts[own]) and not any(a in bags[n] for a in said)
        ][: 2 * KEPT]
        out.append(sorted(rng.sample(misses, min(KEPT, len(misses))), key=misses.index))
    return out


class _Search:
    """BM25 and vectors over a few thousand passages, fused as the library fuses them."""

    def __init__(self, texts: Sequence[str], vectors: Vectors) -> None:
        self._vectors = vectors
        bags = [[stem(w) for w in text_words(t)] for t in texts]
        average = sum(map(len, bags)) / max(len(bags), 1)
        self._rows: dict[str, dict[int, float]] = {}
        for n, bag in enumerate(bags):
            scale = 1.2 * (0.25 + 0.75 * len(bag) / average)
            for w in set(bag):
                often = bag.count(w)
                self._rows.setdefault(w, {})[n] = often * 2.2 / (often + scale)
        self._idf = {w: float(np.log1p((len(bags) - len(r) + 0.5) / (len(r) + 0.5))) for w, r in self._rows.items()}

    def __call__(self, question: str, vector: Vectors) -> list[int]:
        dense = np.argsort(-(self._vectors @ vector))[:_FOUND]
        scores: dict[int, float] = {}
        for w in {stem(w) for w in content_words(question)}:
            for n, value in self._rows.get(w, {}).items():
                scores[n] = scores.get(n, 0.0) + self._idf[w] * value
        lexical = sorted(scores, key=lambda n: -scores[n])[:_FOUND]
        fused = rrf([[str(n) for n in dense], [str(n) for n in lexical]])
        return [int(n) for n in sorted(fused, key=lambda n: -fused[n])]
