"""Two runs side by side: flips each way, differences as arithmetic, and the exit status that a gate reads."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval import metrics
from eval.__main__ import main
from eval.compare import PRIMARY, compare, markdown
from eval.report import load, write
from eval.run import Result, Run
from rag.errors import RecapError


def result(name: str, right: bool, kind: str = "fact", **more: Any) -> Result:
    row = {
        "id": name,
        "type": kind,
        "question": f"{name}?",
        "cluster": name,
        "right": right,
        "answer": f"{right} {name}",
    }
    return Result(**(row | {"scores": {"f1": 1.0 if right else 0.5, "em": None}} | more))


def runs(flips: str, kind: str = "fact", **more: Any) -> tuple[list[Result], list[Result]]:
    """Two runs of a fact for each letter: = right in both, - lost, + won, x wrong in both."""
    before = [result(f"{kind}{n}", c in "=-", kind, **more) for n, c in enumerate(flips)]
    after = [result(f"{kind}{n}", c in "=+", kind, **more) for n, c in enumerate(flips)]
    return before, after


def test_flips_differences_and_the_exact_test():
    c = compare(*runs("====--+x++"))
    assert [b.id for _, b in c.lost] == ["fact4", "fact5"]
    assert [b.id for _, b in c.won] == ["fact6", "fact8", "fact9"]
    assert c.n == 10
    assert c.right["all"].mean == pytest.approx((3 - 2) / 10)
    assert c.means["f1"].mean == pytest.approx((3 * 0.5 - 2 * 0.5) / 10)
    assert "em" not in c.means, "a figure that neither run defines"
    # 5 flips, 2 or fewer lost: (1 + 5 + 10) / 32 on one side
    assert c.p == min(1, 2 * (1 + 5 + 10) / 2**5)
    assert c.verdict == "cannot tell"


def test_better_and_worse_take_six_flips_one_way():
    # 2 / 2**5 = 0.0625, 2 / 2**6 = 0.03125; an interval over so few facts says nothing
    assert compare(*runs("+++++")).verdict == "cannot tell"
    assert compare(*runs("++++++")).verdict == "better"
    assert compare(*runs("------")).verdict == "worse"


def test_a_run_compared_with_itself_moves_nothing():
    before, _ = runs("==-+x")
    c = compare(before, before)
    assert (c.lost, c.won, c.p, c.verdict) == ((), (), 1, "cannot tell")
    assert (c.right["all"].low, c.right["all"].high) == (0, 0)


def test_differences_are_given_by_type():
    (a, b), (d, e) = runs("=="), runs("+x", "multi")
    c = compare(a + d, b + e)
    assert {t: i.mean for t, i in c.right.items()} == {"all": 1 / 4, "fact": 0, "multi": 1 / 2}


def test_only_facts_that_are_asked_alike_are_compared():
    before = [result("same", True), result("gone", True), result("edited", True), result("gold", True)]
    after = [
        result("same", True),
        result("new", False),
        result("edited", False, question="other?"),
        result("gold", False, gold=[["b"]]),
    ]
    c = compare(before, after)
    assert (c.n, c.only_a, c.only_b, c.changed) == (1, ("gone",), ("new",), ("edited", "gold"))
    text = markdown(c)
    assert "Only in A: gone." in text
    assert "Only in B: new." in text
    assert "not compared: edited, gold." in text
    with pytest.raises(RecapError, match="share no fact"):
        compare([result("a", True)], [result("b", True)])


def test_markdown_shows_both_answers_of_each_flip():
    text = markdown(compare(*runs("==-+", gold=[["the gold"]])))
    assert "**Cannot tell** (n = 4): became right 1, became wrong 1; by McNemar's exact p = 1, below 0.05" in text
    lost = text.split("## Became wrong (1)")[1]
    assert "| fact2 | fact2? | True fact2 | False fact2 | the gold |" in lost
    assert "| fact3 | fact3? | False fact3 | True fact3 | the gold |" in text.split("## Became right (1)")[1]


@pytest.mark.parametrize(("flips", "pinned", "code"), [("==-+", True, 1), ("==-+", False, 0), ("x=++", True, 0)])
def test_a_flip_fails_the_comparison_only_when_its_fact_is_pinned(
    flips: str, pinned: bool, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name, results in zip("ab", runs(flips, pinned=pinned), strict=True):
        write(Run(results=tuple(results), about={}), tmp_path / name)
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b" / "run.jsonl")]) == code
    said = capsys.readouterr().out
    assert ("Pinned facts that became wrong: fact2." in said) is (code == 1)


def shown(values: list[float | None], **more: Any) -> list[Result]:
    """A run of right facts whose citations show the gold so far."""
    return [
        result(f"f{n}", True, scores={"citation_gold": v, "mrr@10": 1.0, "em": 1.0}, **more)
        for n, v in enumerate(values)
    ]


def test_a_figure_that_surely_falls_makes_a_run_worse_though_no_fact_flips(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    before, after = shown([1.0] * 30), shown([0.0] * 10 + [1.0] * 20)
    c = compare(before, after)
    assert (c.lost, c.figures_lower, c.verdict, c.fails) == ((), ("citation_gold",), "worse", True)
    assert c.figure_p["citation_gold"] == pytest.approx(2 * 2 / 2**10), "ten fell and none rose; two figures are judged"
    back = compare(after, before)
    assert (back.figures_higher, back.verdict, back.fails) == (("citation_gold",), "better", False)
    for name, results in (("a", before), ("b", after)):
        write(Run(results=tuple(results), about={}), tmp_path / name)
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    said = capsys.readouterr().out
    assert "**Worse** (n = 30): became right 0, became wrong 0" in said
    assert "Surely lower: citations that show the gold (-33.3 [" in said
    assert "| MRR@10 | +0.0 [+0.0, +0.0] | 30 | 1 | cannot tell |" in said
    assert "| exact match (SQuAD) | +0.0 [+0.0, +0.0] | 30 |  | not judged |" in said


def test_few_that_fall_or_as_many_that_rise_are_no_verdict():
    one = shown([1.0] * 40)
    assert compare(one, shown([0.0] * 5 + [1.0] * 35)).verdict == "cannot tell", "2 / 2**5, twice for two figures"
    assert compare(shown([1.0] * 9 + [0.0] * 8), shown([0.0] * 9 + [1.0] * 8)).verdict == "cannot tell"
    assert compare(one, one).figure_p == {"mrr@10": 1, "citation_gold": 1}
    assert not compare(one, shown([None] * 40)).fails, "a figure that one run lacks is not compared"
    together = shown([1.0] * 40, cluster="one"), shown([0.0] * 12 + [1.0] * 28, cluster="one")
    assert compare(*together).verdict == "cannot tell", "one cluster"


def test_runs_that_differ_by_chance_alone_are_seldom_called_worse(monkeypatch: pytest.MonkeyPatch):
    """By the rule one of 20 at most; a build that answers the same is never called anything."""
    bootstrap, flips = metrics.bootstrap_mean, metrics.sign_flip
    monkeypatch.setattr(metrics, "bootstrap_mean", lambda v, c, **k: bootstrap(v, c, **k | {"resamples": 400}))
    monkeypatch.setattr(metrics, "sign_flip", lambda a, b, c: flips(a, b, c, resamples=400))
    rng = np.random.default_rng(5)

    def run() -> list[Result]:
        drawn = rng.random((20, len(PRIMARY) + 1)).repeat(3, axis=0)  # 20 clusters of three, each of one mind
        rows = enumerate(drawn)
        return [
            result(
                f"f{n}",
                d[0] < 0.8,
                cluster=str(n // 3),
                scores={f: float(x < 0.7) for f, x in zip(PRIMARY, d[1:], strict=True)},
            )
            for n, d in rows
        ]

    worse = sum(compare(run(), run()).fails for _ in range(150))
    assert worse <= 15, "5% of 150 is 7.5; 15 or more come once in a hundred"


def test_over_enough_clusters_the_interval_decides_and_says_so():
    c = compare(*runs("=" * 30 + "+" * 5))
    assert (c.verdict, c.p) == ("better", 0.0625), "5 of 35, all one way: the interval is above zero"
    assert "which excludes zero; McNemar's exact p = 0.0625" in c.rule
    assert compare(*runs("=" * 30 + "-" * 5)).verdict == "worse"
    assert compare(*runs("=" * 30 + "++-")).verdict == "cannot tell"


def test_facts_that_flip_together_count_once():
    before, after = runs("=" * 40 + "+" * 8)
    assert compare(before, after).verdict == "better"
    joined = [
        [dataclasses.replace(r, cluster=r.cluster if n < 40 else "one") for n, r in enumerate(run)]
        for run in (before, after)
    ]
    c = compare(*joined)
    assert c.p < 0.05, "McNemar takes the eight for independent"
    assert c.verdict == "cannot tell", "they are one cluster, which a resample often leaves out"


def test_each_type_has_its_flips_and_its_own_verdict():
    (a, b), (d, e) = runs("=" * 12), runs("+" * 12, "multi")
    text = markdown(compare(a + d, b + e))
    assert "| Fact | +0.0 [+0.0, +0.0] | 12 | +0 | -0 | cannot tell |" in text
    assert "| Several answers | +100.0 [+100.0, +100.0] | 12 | +12 | -0 | better |" in text


def test_a_pinned_fact_that_the_later_run_lacks_is_said():
    before = [result("same", True), result("gone", True, pinned=True)]
    c = compare(before, [result("same", True)])
    assert (c.pinned_gone, c.pinned_lost) == (("gone",), ())
    assert "Pinned in A and not compared: gone." in markdown(c)


def test_every_later_run_is_compared_with_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name, flips in (("a", "=="), ("b", "=="), ("c", "=-")):
        results = runs(flips, pinned=True)[0 if name == "a" else 1]
        write(Run(results=tuple(results), about={}), tmp_path / name)
    paths = [str(tmp_path / name) for name in "abc"]
    assert main(["compare", *paths]) == 1, "a pinned fact is lost in the third"
    said = capsys.readouterr().out
    assert "# Recap eval: b compared with a" in said
    assert "# Recap eval: c compared with a" in said
    assert main(["compare", *paths[:2]]) == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"history": 3}, {"history": [{"role": "user"}]}, {"evidence": [None]}, {"evidence": [{}]}, {"gold": [[]]}, {"hits": [{}]},
        {"scores": {"f1": {}}}, {"scores": {"f1": float("nan")}}, {"pinned": "yes"}, {"id": None}, {"question": ["x"]},
    ],
)  # fmt: skip
def test_a_run_of_other_types_is_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    row = {"id": "a", "type": "fact", "question": "Who?", "right": True, "gold": [["Ann"]]}
    (tmp_path / "run.jsonl").write_text(json.dumps(row) + "\n")
    assert load(tmp_path).results[0].id == "a"
    (tmp_path / "run.jsonl").write_text(json.dumps(row | changed) + "\n")
    with pytest.raises(RecapError, match="is not a run"):
        load(tmp_path)


def test_a_run_that_nests_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text("[" * 100_000)
    with pytest.raises(RecapError, match="is not a run"):
        load(tmp_path)
