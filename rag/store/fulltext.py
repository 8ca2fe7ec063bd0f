"""BM25 over the full-text index, with the postings of the words that were asked for kept in memory.

FTS5's own bm25() calls back for every row that holds any word of the question: 40 to 120 ms over 100,000 chunks. Here a
word's postings are read once in a lump and kept as arrays; the scores are the same. Nothing is stored: FTS5, which is
written in one transaction with its rows, stays the only index.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

COLUMNS = ("header", "text")
TOKENIZE = "porter unicode61 remove_diacritics 2"
WEIGHTS = (0.6, 1.0)  # of a word in the header, in the text
K1, B = 1.2, 0.75
LEAST_IDF = 1e-6  # of a word that half of the rows hold: it still matches
_MOST_POSTINGS = 16_000_000  # kept, at 8 bytes; the words of 300 questions over 300,000 chunks have 10 million
_OFFSET_BITS = 24
_VOCABULARY = (
    f"CREATE VIRTUAL TABLE temp.spelled USING fts5(word, content='', tokenize=\"{TOKENIZE}\")",
    "CREATE VIRTUAL TABLE temp.spelled_terms USING fts5vocab(temp, spelled, instance)",
    "CREATE VIRTUAL TABLE temp.chunk_terms USING fts5vocab(main, chunks_fts, instance)",
)


@dataclass(frozen=True, slots=True)
class Postings:
    """The rows that hold a word, `(n,)` int32 ascending, and what it adds to the score of each, `(n,)` float32."""

    rows: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]


@dataclass(slots=True)
class FullText:
    """The full-text index at one generation of the library."""

    generation: int
    count: int  # rows
    length_of: npt.NDArray[np.float32]  # by row number: K1 * (1 - B + B * length / average length)
    _kept: dict[str, Postings] = field(default_factory=dict)  # the one used last is last
    _held: int = 0  # postings in `_kept`
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def read(cls, db: Any, generation: int) -> FullText:
        """Read the lengths of all rows. Call it and `scores` in one read transaction."""
        rows = db.execute("SELECT id, sz FROM chunks_fts_docsize ORDER BY id").fetchall()
        size_of = {sz: _total(sz) for sz in {r[1] for r in rows}}
        ids = np.fromiter((r[0] for r in rows), dtype=np.int64, count=len(rows))
        sizes = np.fromiter((size_of[r[1]] for r in rows), dtype=np.float64, count=len(rows))
        length_of = np.zeros(int(ids[-1]) + 1 if len(ids) else 1, dtype=np.float32)
        if len(ids):
            length_of[ids] = K1 * (1 - B + B * sizes / max(float(sizes.mean()), 1e-9))
        return cls(generation, len(rows), length_of)

    def scores(self, db: Any, words: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return the BM25 score of every row, by row number; 0 where none of `words` occurs.

        Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; as in FTS5, a
        word counts by its column's weight, and the document frequency is over all columns.
        """
        out = np.zeros(len(self.length_of))
        for w in words:
            found = self._postings(db, w)
            out[found.rows] += found.scores
        return out

    def _postings(self, db: Any, word: str) -> Postings:
        with self._guard:
            found = self._kept.pop(word, None)
            if found is not None:
                self._kept[word] = found
                return found
        found = self._read_postings(db, word)
        with self._guard:
            if word not in self._kept:
                self._held += len(found.rows)
            self._kept[word] = found
            while self._held > _MOST_POSTINGS and len(self._kept) > 1:
                self._held -= len(self._kept.pop(next(iter(self._kept))).rows)
        return found

    def _read_postings(self, db: Any, word: str) -> Postings:
        at = _occurrences(db, word)
        each, column = at >> (_OFFSET_BITS + 1), (at >> _OFFSET_BITS) & 1
        rows, first = np.unique(each, return_index=True)  # `at` is ascending, so equal rows stand together
        if not len(rows) or int(rows[-1]) >= len(self.length_of):
            return Postings(np.empty(0, np.int32), np.empty(0, np.float32))
        often = np.add.reduceat(np.array(WEIGHTS)[column], first)
        idf = max(math.log((self.count - len(rows) + 0.5) / (len(rows) + 0.5)), LEAST_IDF)
        scores = idf * often * (K1 + 1) / (often + self.length_of[rows])
        return Postings(rows.astype(np.int32), scores.astype(np.float32))


def best(scores: npt.NDArray[np.float64], *, limit: int) -> npt.NDArray[np.int64]:
    """Return the numbers of the rows with the `limit` highest scores above 0, and of all that tie with the last."""
    found: npt.NDArray[np.int64] = np.flatnonzero(scores > 0)
    if limit <= 0:
        return found[:0]
    if limit >= len(found):
        return found
    least = float(np.partition(scores[found], -limit)[-limit])
    tied: npt.NDArray[np.int64] = found[scores[found] >= least]
    return tied


def _total(sizes: bytes) -> int:
    """Add up the columns' sizes of a row: FTS5 keeps them as SQLite varints, 7 bits a byte, high bits first."""
    total = value = 0
    for byte in sizes:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            total, value = total + value, 0
    return total


def _occurrences(db: Any, word: str) -> npt.NDArray[np.int64]:
    """Where a word occurs, ascending: row number, column, offset in one number. A word of several terms is a phrase."""
    if not db.execute("SELECT 1 FROM temp.sqlite_master WHERE name = 'chunk_terms'").fetchone():
        for statement in _VOCABULARY:
            db.execute(statement)
    found: npt.NDArray[np.int64] | None = None
    for n, term in enumerate(_terms(db, word)):
        # In a lump: a Python row for each of a common word's 76,000 occurrences takes five times as long.
        lump = db.execute(
            f"SELECT group_concat((doc << 1 | (col = ?)) << {_OFFSET_BITS} | offset) FROM temp.chunk_terms WHERE term = ?",
            (COLUMNS[1], term),
        ).fetchone()[0]
        at = np.fromstring(lump or "", dtype=np.int64, sep=",") - n
        at.sort()
        found = at if found is None else np.intersect1d(found, at, assume_unique=True)
    return found if found is not None else np.empty(0, np.int64)


def _terms(db: Any, word: str) -> list[str]:
    """Let FTS5 itself fold and stem a word."""
    db.execute("INSERT INTO temp.spelled(rowid, word) VALUES (1, ?)", (word.replace("\0", " "),))
    try:
        return [r[0] for r in db.execute("SELECT term FROM temp.spelled_terms ORDER BY offset")]
    finally:
        db.execute("INSERT INTO temp.spelled(spelled) VALUES ('delete-all')")
