"""BM25 over FTS5's postings: the scores that FTS5 itself would give, whatever was asked before or written since."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.pipeline import ingest, remove
from rag.store import fulltext
from rag.store.fulltext import COLUMNS, TOKENIZE, WEIGHTS, FullText, best
from rag.store.library import Library
from tests.conftest import write_articles

WORDS = ("boat", "boats", "fish", "harbour", "O'Brien", "café", "cafe", "u", "s", "2024", "the", "running")


def make(docs: list[tuple[str, str]]) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute(f'CREATE VIRTUAL TABLE chunks_fts USING fts5({", ".join(COLUMNS)}, tokenize="{TOKENIZE}")')
    db.executemany("INSERT INTO chunks_fts(header, text) VALUES (?, ?)", docs)
    return db


def by_fts5(db: sqlite3.Connection, words: list[str]) -> dict[int, float]:
    match = " OR ".join(f'"{w}"' for w in words)
    weights = ", ".join(map(str, WEIGHTS))
    sql = f"SELECT rowid, -bm25(chunks_fts, {weights}) FROM chunks_fts WHERE chunks_fts MATCH ?"
    return dict(db.execute(sql, (match,)).fetchall())


text = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(text, text), max_size=12), st.lists(st.sampled_from([*WORDS, "o'brien", "u-s"]), min_size=1))
def test_scores_are_those_of_fts5(docs: list[tuple[str, str]], words: list[str]) -> None:
    """Phrases (o'brien), stems, accents, words said twice, and words that half of the rows hold included."""
    db = make(docs)
    scores = FullText.read(db, 1).scores(db, words)
    assert {int(n): scores[n] for n in np.flatnonzero(scores)} == pytest.approx(by_fts5(db, words), rel=1e-5)


def test_a_score_worked_out_by_hand() -> None:
    db = make([("fish", "boat boat"), ("", "boat"), ("", "gull"), ("", "gull"), ("", "gull")])
    scores = FullText.read(db, 1).scores(db, ["fish", "boat"])
    average = (3 + 1 + 1 + 1 + 1) / 5
    fish = math.log((5 - 1 + 0.5) / (1 + 0.5)) * (0.6 * 2.2) / (0.6 + 1.2 * (0.25 + 0.75 * 3 / average))
    boat = math.log((5 - 2 + 0.5) / (2 + 0.5)) * (2 * 2.2) / (2 + 1.2 * (0.25 + 0.75 * 3 / average))
    assert scores[1] == pytest.approx(fish + boat, rel=1e-6)
    assert not scores[3:].any()


def test_rows_that_tie_with_the_last_are_all_returned() -> None:
    scores = np.array([0.0, 2.0, 1.0, 3.0, 1.0, 0.0])
    assert best(scores, limit=1).tolist() == [3]
    assert best(scores, limit=3).tolist() == [1, 2, 3, 4]
    assert best(scores, limit=9).tolist() == [1, 2, 3, 4]
    assert best(scores, limit=0).tolist() == []


def test_postings_are_kept_and_the_oldest_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fulltext, "_MOST_POSTINGS", 5)
    db = make([("", "boat fish gull")] * 2)
    index = FullText.read(db, 1)
    before = index.scores(db, ["boat", "fish", "boat", "gull"])
    assert list(index._kept) == ["boat", "gull"]
    assert index._held == 4
    assert (index.scores(db, ["gull", "fish", "boat", "boat"]) == before).all()


def test_a_write_is_seen_by_the_next_question(library: Library, make_library: Callable[..., Library]) -> None:
    reader = make_library(write=False)
    for at in (library, reader):
        assert not at.search_text(["zeppelin"], limit=3)
    folder = write_articles(library.path.parent / "more", {"z.txt": "Airship\n\nA zeppelin landed on the long pier."})
    ingest(library, [str(folder)])
    (one,) = library.find("z.txt")
    for at in (library, reader):
        assert [i.split("-")[0] for i, _ in at.search_text(["zeppelin"], limit=3)] == [one]
    remove(library, [one])
    for at in (library, reader):
        assert not at.search_text(["zeppelin"], limit=3)


def test_within_keeps_the_order_and_the_scores(library: Library) -> None:
    words = ["harbour", "lantern", "fish", "ana"]
    every = library.search_text(words, limit=100)
    for a in library.articles():
        kept = [(i, s) for i, s in every if i.startswith(a.id)]
        assert library.search_text(words, limit=100, within={a.id}) == kept
        assert library.search_text(words, limit=1, within={a.id}) == kept[:1]


def test_search_in_the_midst_of_a_write(library: Library) -> None:
    with library.transaction():
        assert library.search_text(["fish"], limit=3)
