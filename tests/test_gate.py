"""The gate: the sample coverage is read afresh, and Recap answers the known facts about it with no language model.

A fact that is known to be wrong for now has the split `dev-known-wrong` and is left out; there should be few.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eval import Result, Run, evaluate, load_facts
from eval.__main__ import articles_beside
from eval.facts import ANSWERABLE, Fact, check_facts
from eval.report import gold_of
from rag.config import Config
from rag.ingest.pipeline import ingest
from rag.store.library import Library

FILES = sorted((Path(__file__).resolve().parent.parent / "seeds").glob("facts*.jsonl"))
FACTS: list[Fact] = [f for f in load_facts(FILES) if f.split != "dev-known-wrong"]
NO_LLM = 0.9  # what has to be answered right, and what has to be declined, without a language model


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    config = Config.load({"RECAP_LLM": "none"}, toml=Path("none.toml"), library=tmp_path_factory.mktemp("gate"))
    with Library.open(config, write=True, create=True) as library:
        report = ingest(library, [str(p) for p in articles_beside(FILES)])
        assert report.rejected == ()
        yield library


@pytest.fixture(scope="module")
def run(library: Library) -> Run:
    run = evaluate(library, FACTS)
    assert {r.engine for r in run.results} == {"reader"}
    return run


def failed(results: list[Result]) -> str:
    """Each failed fact, as the message of a failed gate shows it."""
    return "\n" + "\n".join(
        f"{r.id}: {r.question}\n    {r.reason}\n    said: {r.answer}\n    gold: {gold_of(r)}" for r in results
    )


def test_the_facts_are_many_of_every_type_and_true(library: Library):
    assert len(FACTS) >= 80
    assert {f.type for f in FACTS} >= {*ANSWERABLE, "unanswerable", "wrong_edition", "false_premise"}
    assert sum(f.pinned for f in FACTS) >= 10
    assert [str(p) for p in check_facts(FACTS, library.articles(), chunks=library.chunks)] == []


def test_nine_in_ten_answerable_facts_are_right(run: Run):
    asked = [r for r in run.results if r.type in ANSWERABLE]
    wrong = [r for r in asked if not r.right]
    assert len(wrong) <= (1 - NO_LLM) * len(asked), failed(wrong)


def test_nine_in_ten_unanswerable_questions_are_declined(run: Run):
    asked = [r for r in run.results if r.type == "unanswerable"]
    wrong = [r for r in asked if not r.right]
    assert len(wrong) <= (1 - NO_LLM) * len(asked), failed(wrong)


def test_nine_in_ten_false_premises_are_declined_or_corrected(run: Run):
    asked = [r for r in run.results if r.type == "false_premise"]
    wrong = [r for r in asked if not r.right]
    assert len(wrong) <= (1 - NO_LLM) * len(asked), failed(wrong)


def test_no_answer_is_of_another_edition(run: Run):
    wrong = [r for r in run.results if r.scores.get("other_edition")]
    assert not wrong, failed(wrong)


def test_every_pinned_fact_is_right(run: Run):
    wrong = [r for r in run.results if r.pinned and not r.right]
    assert not wrong, failed(wrong)


def test_every_citation_is_its_articles_own_words(run: Run, library: Library):
    cited = [(r.id, c) for r in run.results for c in r.citations]
    assert cited
    for name, c in cited:
        article = library.article(c["article_id"])
        assert article is not None, name
        assert article.text[c["start"] : c["end"]] == c["quote"], name
        assert c["quote"].strip(), name
