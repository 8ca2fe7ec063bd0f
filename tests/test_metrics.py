"""Expected values are written as the arithmetic that gives them; two published scorers check ours."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import metrics as m

# --- retrieval -------------------------------------------------------------------------------------------------------


def test_hit_and_reciprocal_rank_count_ranks_from_1():
    gains = [False, False, True, False, True]
    assert [m.hit_at(gains, k) for k in (1, 2, 3, 5)] == [0, 0, 1, 1]
    assert m.mrr_at(gains) == 1 / 3
    assert m.mrr_at([False] * 10 + [True]) == 0
    assert m.hit_at([], 5) == m.mrr_at([]) == 0


def test_ndcg_discounts_by_rank_and_divides_by_the_best_possible():
    assert m.ndcg_at([False, True, True], 2) == pytest.approx((1 / log2(3) + 1 / log2(4)) / (1 / log2(2) + 1 / log2(3)))
    assert m.ndcg_at([True], 1) == 1
    assert m.ndcg_at([True], 30) == pytest.approx(1 / sum(1 / log2(r + 1) for r in range(1, 11))), (
        "IDCG over 10 at most"
    )
    assert m.ndcg_at([False] * 10 + [True], 1) == 0
    assert m.ndcg_at([True], 0) is None


@given(st.lists(st.booleans(), min_size=1, max_size=15), st.integers(0, 8))
@settings(max_examples=60, deadline=None)
def test_retrieval_figures_agree_with_ir_measures(gains: list[bool], unfound: int):
    import ir_measures
    from ir_measures import RR, Success, nDCG

    relevant = sum(gains) + unfound
    docs = [f"d{i}" for i in range(len(gains))]
    qrels = [ir_measures.Qrel("q", d, 1) for d, g in zip(docs, gains, strict=True) if g]
    qrels += [ir_measures.Qrel("q", f"unfound{i}", 1) for i in range(unfound)]
    if not qrels:
        assert m.ndcg_at(gains, relevant) is None
        return
    run = [ir_measures.ScoredDoc("q", d, float(len(docs) - i)) for i, d in enumerate(docs)]
    theirs = ir_measures.calc_aggregate([nDCG @ 10, RR @ 10, Success @ 1, Success @ 5, Success @ 10], qrels, run)
    assert m.ndcg_at(gains, relevant) == pytest.approx(theirs[nDCG @ 10])
    assert m.mrr_at(gains) == pytest.approx(theirs[RR @ 10])
    assert [m.hit_at(gains, k) for k in (1, 5, 10)] == [theirs[Success @ k] for k in (1, 5, 10)]


# --- answers ---------------------------------------------------------------------------------------------------------


def squad_script(said: str, gold: str) -> tuple[float, float]:
    """The rules of the official SQuAD 1.1 script, step by step as it has them: (exact match, F1)."""

    def remove_articles(text):
        return re.sub(r"\b(a|an|the)\b", " ", text)

    def white_space_fix(text):
        return " ".join(text.split())

    def remove_punc(text):
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    def normalize(s):
        return white_space_fix(remove_articles(remove_punc(s.lower())))

    prediction, truth = normalize(said).split(), normalize(gold).split()
    num_same = sum((Counter(prediction) & Counter(truth)).values())
    exact = float(normalize(said) == normalize(gold))
    if num_same == 0:
        return exact, 0
    precision = 1.0 * num_same / len(prediction)
    recall = 1.0 * num_same / len(truth)
    return exact, (2 * precision * recall) / (precision + recall)


@given(
    *[st.lists(st.sampled_from("The a an Katy Perry's perry Jay-Z 1,250 É — U.S. Beyoncé".split())).map(" ".join)] * 2
)
@settings(max_examples=300)
def test_exact_match_and_f1_agree_with_the_squad_script(said: str, gold: str):
    assert (m.exact_match(said, [gold]), m.token_f1(said, [gold])) == squad_script(said, gold)


AWKWARD = [
    "", "the", "The A an", "...", "a.b", "U.S.A.", "Don't", "it’s", "“Flowers”", "Jay-Z", "1,250", "$3.5m", "10 a.m.", "an-d the rest",
    "then theatre", "tab\tand\nline", "no\u00a0break", "É", "É".lower(), "e\u0301", "İstanbul", "ß", "東京", "_a_", "the_end", "а cyrillic a",
]  # fmt: skip


def test_exact_match_and_f1_agree_with_the_squad_script_on_awkward_strings():
    for said in AWKWARD:
        for gold in AWKWARD:
            got = (m.exact_match(said, [gold]), m.token_f1(said, [gold]))
            assert got == squad_script(said, gold), (said, gold)


@given(st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=300)
def test_exact_match_and_f1_agree_with_the_squad_script_on_any_text(said: str, gold: str):
    assert (m.exact_match(said, [gold]), m.token_f1(said, [gold])) == squad_script(said, gold)


def test_the_best_alias_counts():
    assert m.exact_match("the VMAs", ["Grammys", "VMAs!"]) == 1
    # one word of two is right, of one wanted: P = 1/2, R = 1/1
    assert m.token_f1("Katy Perry", ["Shakira", "Perry"]) == pytest.approx(2 * (1 / 2) * 1 / (1 / 2 + 1))
    assert m.token_f1("x", []) == m.exact_match("x", []) == 0


def test_the_unicode_normaliser_folds_what_squads_does_not():
    assert m.exact_match("Beyonce", ["Beyoncé"]) == 0
    assert m.exact_match("Beyonce", ["Beyoncé"], normalise=m.unicode_normalise) == 1
    assert m.exact_match("“Flowers”", ["Flowers"]) == 0
    assert m.exact_match("“Flowers”", ["Flowers"], normalise=m.unicode_normalise) == 1
    assert m.unicode_normalise("The STRASSE — straße") == "strasse strasse"
    assert m.unicode_normalise("in the U.S., 1,250 people; 3.5 or 12,34") == "in us 1250 people 3 5 or 12 34"
    assert m.unicode_normalise("The A") == "the a", "a text of articles alone keeps them"


@pytest.mark.parametrize(
    ("text", "phrase", "said"),
    [
        ("Megan Thee Stallion hosted.", "megan thee stallion", True),
        ("Shakira’s sons", "Shakira", True),
        ("Beyonce stopped", "Beyoncé", True),
        ("posed with Jay-Z.", "Jay Z", True),
        ("at The Warning", "Warning", True),
        ("Megans", "Megan", False),
        ("Megan and Stallion", "Megan Stallion", False),
        ("September 11", "September 1", False),
        ("2023", "202", False),
        ("東京で開催", "東京", True),
        ("anything", "", False),
        ("anything", "—", False),
        ("", "x", False),
    ],
)
def test_contains_wants_whole_words_next_to_each_other(text: str, phrase: str, said: bool):
    assert m.contains(text, phrase) is said


def test_missing_wants_one_alias_of_every_group():
    groups = [["Milan"], ["Sasha", "Alexander"]]
    assert m.missing("Milan and Alexander", groups) == []
    assert m.missing("Alexander", groups) == ["Milan"]
    assert m.missing("nobody", groups) == ["Milan", "Sasha"]
    assert m.said_of("Shakira and Perry", ["Katy Perry", "Perry"]) == ["Perry"]


# --- citations, declining --------------------------------------------------------------------------------------------


def test_citation_precision_and_recall():
    assert m.citation_precision(["supported", "partial", "supported", "unsupported"]) == 2 / 4
    assert m.citation_precision([]) is None
    assert m.citation_recall(3, [0, 0, 2]) == 2 / 3
    assert m.citation_recall(2, [0, 7]) == 1 / 2, "a citation of no sentence supports none"
    assert m.citation_recall(0, []) is None


def test_crag_points():
    assert [m.crag_points(*x) for x in ((True, False), (True, True), (False, True), (False, False))] == [1, 1, 0, -1]


def test_risk_coverage_answers_the_surest_first():
    points = m.risk_coverage([0.9, 0.2, 0.5, 0.5], [True, False, False, True], total=8)
    assert points == [[1 / 8, 0 / 1], [3 / 8, 1 / 3], [4 / 8, 2 / 4]]
    assert m.risk_coverage([0.5, 0.9, 0.5, 0.2], [True, True, False, False], total=8) == points, "order does not matter"
    assert m.risk_coverage([], [], total=3) == []


# --- how sure --------------------------------------------------------------------------------------------------------


def test_bootstrap_of_single_facts_is_as_wide_as_the_binomial():
    values = [1] * 80 + [0] * 20
    got = m.bootstrap_mean(values, [str(i) for i in range(100)])
    assert got is not None
    assert (got.mean, got.n, got.clusters) == (0.8, 100, 100)
    se = math.sqrt(0.8 * 0.2 / 100)
    assert got.low == pytest.approx(0.8 - 1.96 * se, abs=0.015)
    assert got.high == pytest.approx(0.8 + 1.96 * se, abs=0.015)


def test_facts_of_one_cluster_count_as_one_draw():
    # ten clusters of ten equal facts say no more than ten facts: the interval is sqrt(10) times as wide
    values = [float(i < 8) for i in range(10) for _ in range(10)]
    together = m.bootstrap_mean(values, [str(i) for i in range(10) for _ in range(10)])
    alone = m.bootstrap_mean(values, [str(i) for i in range(100)])
    assert together is not None
    assert alone is not None
    assert together.mean == alone.mean == pytest.approx(0.8)
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(math.sqrt(10), rel=0.2)


def test_bootstrap_leaves_undefined_out_and_is_the_same_each_time():
    got = m.bootstrap_mean([1, None, 0, 1], list("aabc"))
    assert got is not None
    assert (got.n, got.clusters, got.mean) == (3, 3, pytest.approx(2 / 3))
    assert m.bootstrap_mean([1, None, 0, 1], list("aabc")) == got
    assert m.bootstrap_mean([None], ["a"]) is None
    assert m.bootstrap_mean([], []) is None


def test_unequal_clusters_keep_their_weight():
    # clusters of 1 and 3 facts: a draw holds (1,1), (1,2) or (2,2); the mean of a draw is over its facts
    got = m.bootstrap_mean([1, 0, 0, 0], list("abbb"))
    assert got is not None
    assert got.mean == 1 / 4
    assert (got.low, got.high) == (0, 1)


def test_paired_difference_takes_the_shared_noise_away():
    rng = np.random.default_rng(1)
    before = list(rng.random(200))
    after = [b + 0.01 for b in before]
    got = m.paired_difference(before, after, [str(i) for i in range(200)])
    assert got is not None
    assert (got.low, got.mean, got.high) == (pytest.approx(0.01), pytest.approx(0.01), pytest.approx(0.01))
    partly = m.paired_difference([None, 0, 1], [1, 1, None], list("abc"))
    assert partly is not None
    assert (partly.mean, partly.n) == (1, 1)


def test_mcnemar_is_the_exact_binomial():
    assert m.mcnemar(0, 0) == 1
    assert m.mcnemar(0, 5) == m.mcnemar(5, 0) == 2 * 1 / 2**5
    assert m.mcnemar(1, 7) == 2 * (1 + 8) / 2**8
    assert m.mcnemar(3, 3) == 1


def test_percentile():
    assert m.percentile([1, 2, 3, 4], 50) == 2.5
    assert m.percentile([], 50) is None
