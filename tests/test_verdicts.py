"""The labelled pairs, and what the checker makes of them with words alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from eval.verdicts import figures, judged, load_pairs, markdown
from rag.errors import RecapError

PAIRS = load_pairs()
KINDS = ("wrong name", "wrong number", "wrong edition", "wrong speaker", "negated", "invented")


def test_there_are_200_pairs_of_every_kind_in_each_half() -> None:
    assert len(PAIRS) == len({p.id for p in PAIRS}) == 400
    for split in ("dev", "test"):
        counts = Counter(p.kind for p in PAIRS if p.split == split)
        assert counts == {"true": 80, **dict.fromkeys(KINDS, 20)}
    assert all(p.supported is (p.kind == "true") for p in PAIRS)
    passages = {s: {p.hit.chunk.text for p in PAIRS if p.split == s} for s in ("dev", "test")}
    assert not passages["dev"] & passages["test"]


def test_figures_are_counts() -> None:
    pairs = [PAIRS[0], next(p for p in PAIRS if not p.supported), next(p for p in PAIRS[1:] if p.supported)]
    found = figures(pairs, ["supported", "supported", "partial"])
    assert found["supported"] == {"precision": 1 / 2, "recall": 1 / 2}
    assert found["not supported"] == {"precision": 0.0, "recall": 0.0}
    assert "| supported | 50.0 | 50.0 |" in markdown(found)


def test_by_words_alone_most_verdicts_are_right() -> None:
    """Without the embedder, over all 400: the floor below which a change of the checker has broken something."""
    found = figures(PAIRS, judged(PAIRS, alike=None))
    assert found["supported"]["precision"] >= 0.75
    assert found["supported"]["recall"] >= 0.7
    floors = {
        "wrong number": 0.85,
        "wrong name": 0.65,
        "wrong speaker": 0.8,
        "wrong edition": 0.75,
        "negated": 0.6,
        "invented": 0.85,
    }
    for kind, floor in floors.items():
        right, n = found["right"][kind]
        assert right / n >= floor, kind


def test_a_file_without_pairs_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(RecapError, match="holds no labelled pairs"):
        load_pairs(tmp_path / "bad.jsonl")
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(RecapError, match="is empty"):
        load_pairs(tmp_path / "none.jsonl")


def test_a_file_that_nests_too_deep_holds_no_pairs(tmp_path: Path) -> None:
    (tmp_path / "deep.jsonl").write_text("[" * 100_000)
    with pytest.raises(RecapError, match="holds no labelled pairs"):
        load_pairs(tmp_path / "deep.jsonl")
