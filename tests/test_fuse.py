from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieve.fuse import rrf

RANKINGS = st.lists(st.lists(st.text("abcdefgh", min_size=1, max_size=1), max_size=8), max_size=4)


def test_a_score_is_the_sum_of_the_reciprocal_ranks() -> None:
    fused = rrf([["a", "b", "c"], ["d", "e", "a"]])
    assert fused["a"] == pytest.approx(1 / (60 + 1) + 1 / (60 + 3))
    assert fused["b"] == pytest.approx(1 / (60 + 2))
    assert fused["d"] == pytest.approx(1 / (60 + 1))
    assert set(fused) == {"a", "b", "c", "d", "e"}


def test_k_can_be_set() -> None:
    assert rrf([["a"], ["b", "a"]], k=1)["a"] == pytest.approx(1 / 2 + 1 / 3)


def test_second_in_both_lists_beats_first_in_one() -> None:
    fused = rrf([["a", "b"], ["c", "b"]])
    assert max(fused, key=fused.__getitem__) == "b"


def test_an_id_that_a_list_repeats_counts_once_at_its_best_rank_and_takes_no_second_place() -> None:
    fused = rrf([["a", "a", "b"]])
    assert fused == {"a": pytest.approx(1 / 61), "b": pytest.approx(1 / 62)}


def test_nothing_fuses_to_nothing() -> None:
    assert rrf([]) == {}
    assert rrf([[], []]) == {}


@given(RANKINGS, st.randoms())
def test_the_order_of_the_lists_does_not_matter(rankings: list[list[str]], random: object) -> None:
    shuffled = list(rankings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rrf(shuffled) == pytest.approx(rrf(rankings))


@given(RANKINGS)
def test_every_score_is_positive_and_at_most_one_first_place_a_list(rankings: list[list[str]]) -> None:
    fused = rrf(rankings)
    assert set(fused) == {name for ranking in rankings for name in ranking}
    assert all(0 < score <= len(rankings) / 61 + 1e-12 for score in fused.values())


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=1), unique=True, min_size=2))
def test_one_list_keeps_its_order(ranking: list[str]) -> None:
    fused = rrf([ranking])
    assert sorted(fused, key=lambda name: -fused[name]) == ranking
