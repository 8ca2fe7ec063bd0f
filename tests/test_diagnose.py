"""Where wrong answers are lost: by hand for each stage, and for real on coverage of our own that is spoilt in one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eval import Fact, evaluate
from eval.diagnose import MEANING, STAGES, count, diagnose
from eval.facts import Evidence
from eval.report import markdown, page
from eval.run import Result, Run
from rag.answer import chain
from rag.config import Config
from rag.ingest.pipeline import ingest
from rag.store.library import Library
from rag.types import Turn
from tests.conftest import write_articles
from tests.small_coverage import LANTERN_2023, LANTERN_2024

HELD = {
    "document": True,
    "held": True,
    "about": ["2024 Lantern Music Awards"],
    "rank": 2,
    "candidates": 50,
    "read": True,
    "place": 2,
    "given": 16,
    "drafted": True,
    "passage": "Ines Calder hosted.",
}
GONE = HELD | {"document": False, "held": False, "rank": None, "read": False}
UNFOUND, UNREAD = HELD | {"rank": None, "read": False}, HELD | {"rank": 20, "read": False}
CITED = {"marker": 1, "title": "t", "quote": "q", "verdict": "supported"}
OTHER = CITED | {"edition": "2023", "edition_of": "2023 Lanterns", "event": "2023 Lantern Music Awards"}
SAME = CITED | {"edition": "2024", "edition_of": "2024 Lanterns", "event": "2024 Lantern Music Awards"}
QUOTE = {"doc": "lantern-2024.txt", "quote": "hosted by Ines Calder"}


def wrong(kind: str = "fact", **more: Any) -> Result:
    row: dict[str, Any] = {
        "id": "f",
        "type": kind,
        "question": "who hosted the 2024 Lanterns",
        "right": False,
        "answer": "Bruno Salt [1]",
        "short": "Bruno Salt",
        "gold": [["Ines Calder", "Calder"]],
        "evidence": [QUOTE],
        "found": [HELD],
        "citations": [SAME],
    }
    return Result(**row | more)


DECLINES: dict[str, Any] = {"abstained": True, "answer": "The coverage doesn't say.", "short": None, "citations": []}
NONE: dict[str, Any] = {"gold": [], "evidence": [], "found": []}


@pytest.mark.parametrize(
    ("result", "stage"),
    [
        (wrong(found=[GONE]), "not in the library"),
        (wrong(found=[UNFOUND]), "not retrieved"),
        (wrong(found=[UNREAD]), "ranked out"),
        (wrong(), "read wrongly"),
        (wrong(**DECLINES), "abstained wrongly"),
        (wrong(**DECLINES | {"found": [UNFOUND]}), "not retrieved"),
        (wrong(citations=[OTHER]), "wrong edition"),
        (wrong(citations=[OTHER], question="who hosted the Lanterns"), "read wrongly"),
        (wrong(scores={"other_edition": 1.0}), "wrong edition"),
        (wrong(draft="Ines Calder hosted [1]."), "verified away"),
        (wrong(**DECLINES | {"draft": "Ines Calder hosted [1]."}), "verified away"),
        (wrong(draft="NOT_IN_SOURCES"), "read wrongly"),
        (wrong(draft="Ines Calder.", found=[HELD | {"drafted": False}]), "read wrongly"),
        (wrong(draft="Ines Calder.", found=[UNREAD]), "ranked out"),
        (wrong(short="Ines Calder"), "not shown"),
        (wrong(answer="Ines Calder"), "not cited"),
        (wrong(answer="Ines Calder, not Bruno Salt", must_not=["Bruno Salt"]), "said what must not be said"),
        (wrong(must_not=["Bruno Salt"]), "read wrongly"),
        (wrong(error="ValueError: odd"), "error"),
        (wrong(evidence=[], found=[]), "not traced"),
        (wrong(found=[]), "not traced"),
        (wrong("unanswerable", **NONE), "answered the unanswerable"),
        (wrong("unanswerable", **NONE, must_not=["Bruno Salt"]), "said what must not be said"),
        (wrong("unanswerable", **NONE | {"citations": [OTHER]}), "wrong edition"),
        (wrong("unanswerable", **NONE | {"citations": [OTHER, SAME]}), "answered the unanswerable"),
        (
            wrong("unanswerable", **NONE | {"citations": [OTHER]}, question="how many did he win"),
            "answered the unanswerable",
        ),
        (wrong("wrong_edition", **NONE | {"citations": [OTHER]}, must_not=["Bruno Salt"]), "wrong edition"),
        (wrong("wrong_edition", **NONE, must_not=["Bruno Salt"]), "said what must not be said"),
        (wrong("wrong_edition", **NONE, correction=["Calder"]), "answered the unanswerable"),
        (
            wrong("wrong_edition", **NONE | DECLINES, must_not=["coverage"]),
            "said what must not be said",
        ),
        (wrong("false_premise", **NONE, correction=["Calder"]), "answered the unanswerable"),
    ],
)
def test_each_stage(result: Result, stage: str):
    found = diagnose(result)
    assert found is not None
    assert found.stage == stage
    assert found.why.endswith(".") or stage == "error"


def test_what_is_right_is_not_diagnosed():
    assert diagnose(wrong(right=True)) is None


def test_pieces_for_one_answer_are_alternatives_and_the_answer_lost_first_counts():
    quotes = [QUOTE, {"doc": "b.txt", "quote": "Calder was the host"}, {"doc": "c.txt", "quote": "Jo Berg sang"}]
    one = wrong(evidence=quotes, found=[GONE, HELD, GONE])
    assert diagnose(one).stage == "read wrongly"  # type: ignore[union-attr]
    both = wrong("multi", gold=[["Ines Calder", "Calder"], ["Jo Berg"]], evidence=quotes, found=[HELD, HELD, UNFOUND])
    assert diagnose(both).stage == "not retrieved"  # type: ignore[union-attr]
    said = dataclasses.replace(both, answer="Jo Berg", short="Jo Berg")
    told = diagnose(said)
    assert told is not None
    assert told.stage == "read wrongly"
    assert "leaves Ines Calder out" in told.why


@pytest.mark.parametrize(
    ("understood", "stage"),
    [
        ("who hosted the 2023 Lanterns", "misread question"),
        ("who hosted", "misread question"),
        ("who hosted the 2024 Lanterns with Jo Berg", "misread question"),
        ("who was the host of the 2024 Lanterns", "abstained wrongly"),
    ],
)
def test_a_followup_is_misread_if_its_names_or_figures_are_and_not_if_its_words_are(understood: str, stage: str):
    asked = wrong(
        "followup",
        **DECLINES,
        question="who hosted it",
        standalone="who hosted the 2024 Lanterns",
        standalone_question=understood,
        scores={"standalone_right": 1.0},
    )
    assert diagnose(asked).stage == stage  # type: ignore[union-attr]
    wrong_alone_too = dataclasses.replace(asked, scores={"standalone_right": 0.0})
    assert diagnose(wrong_alone_too).stage == "abstained wrongly"  # type: ignore[union-attr]


def diagnosed(*results: Result) -> list[Result]:
    return [dataclasses.replace(r, diagnosis=dataclasses.asdict(d)) if (d := diagnose(r)) else r for r in results]


def test_wrong_answers_are_counted_by_type_and_stage_in_a_fixed_order():
    got = count(diagnosed(wrong(), wrong(), wrong(found=[GONE]), wrong("unanswerable", **NONE), wrong(right=True)))
    assert got["n"] == 4
    assert list(got["stages"].items()) == [
        ("not in the library", 1),
        ("read wrongly", 2),
        ("answered the unanswerable", 1),
    ]
    assert got["by_type"] == {
        "fact": {"not in the library": 1, "read wrongly": 2},
        "unanswerable": {"answered the unanswerable": 1},
    }
    assert set(MEANING) == set(STAGES)


def test_both_reports_tell_where_each_answer_was_lost():
    results = diagnosed(wrong(), wrong(found=[GONE], id="gone"))
    run = Run(results=tuple(results), about={})
    shown = markdown(results, run.summary())
    assert "| not in the library | 1 | 1 | no article of the library says it |" in shown
    assert shown.index("Where wrong answers were lost") < shown.index("Right, by type")
    html = page(results, run.summary())
    assert "There is no lantern-2024.txt, nor does another article." in html
    assert html.index("Where wrong answers were lost") < html.index("Right, by type") < html.index("read wrongly (1)")
    assert "No answer of this run carries a confidence" in html


def test_a_run_of_before_there_were_diagnoses_still_has_its_page():
    run = Run(results=(wrong(),), about={})
    assert "who hosted the 2024 Lanterns" in page(run.results, run.summary())
    assert "Where wrong answers were lost" not in markdown(run.results, run.summary())


# --- for real --------------------------------------------------------------------------------------------------------

HOST = Fact(
    id="host",
    type="fact",
    question="who hosted the 2024 Lantern Music Awards",
    answers=(("Ines Calder",),),
    evidence=(Evidence("lantern-2024.txt", "on Sunday, May 5, hosted by Ines Calder"),),
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of two invented editions, by the real embedder."""
    folder = tmp_path_factory.mktemp("shelf")
    texts = {"lantern-2024.txt": LANTERN_2024, "lantern-2023.txt": LANTERN_2023}
    with Library.open(Config(library=folder / "library", llm="none"), write=True, create=True) as library:
        assert not ingest(library, [str(write_articles(folder / "articles", texts))]).rejected
    return folder / "library"


@pytest.fixture
def asked(shelf: Path) -> Callable[..., Result]:
    def ask(fact: Fact, **settings: Any) -> Result:
        with Library.open(Config(library=shelf, **{"llm": "none"} | settings)) as library:
            return evaluate(library, [fact]).results[0]

    return ask


def test_a_quote_of_another_paper_is_not_in_the_library(asked: Callable[..., Result]):
    elsewhere = Evidence("tidewater.txt", "The prize for the best boat went to the Mary Anne")
    got = asked(dataclasses.replace(HOST, answers=(("Mary Anne",),), evidence=(elsewhere,)))
    assert got.diagnosis is not None
    assert got.diagnosis["stage"] == "not in the library"
    assert (got.found[0]["document"], got.found[0]["held"]) == (False, False)


def test_a_long_quote_is_held_whatever_its_article_is_called_and_a_short_one_is_not(asked: Callable[..., Result]):
    long = dataclasses.replace(HOST, answers=(("X",),), evidence=(Evidence("renamed.txt", HOST.evidence[0].quote),))
    got = asked(long)
    assert (got.found[0]["document"], got.found[0]["held"], got.found[0]["read"]) == (False, True, True)
    short = dataclasses.replace(long, evidence=(Evidence("renamed.txt", "Ines Calder"),))
    assert not asked(short).found[0]["held"]


def test_too_few_candidates_do_not_hold_the_passage(asked: Callable[..., Result]):
    prize = Fact(
        id="pony",
        type="fact",
        question="what happened in Port Alder on the night when Ana Lima thanked her brothers",
        answers=(("nobody said this",),),
        evidence=(Evidence("lantern-2023.txt", "Mara Quist won Song of the Year for"),),
    )
    got = asked(prize, candidates=1)
    assert got.diagnosis is not None
    assert got.diagnosis["stage"] == "not retrieved"
    assert got.found[0]["passage"] is not None, "to be shown in the report, found or not"
    assert asked(prize).diagnosis["stage"] != "not retrieved"  # type: ignore[index]


class Model:
    """A language model that says what it is told to."""

    name = "told"
    context_tokens = 32_000

    def __init__(self, reply: str) -> None:
        self.reply = reply

    def stream(self, messages: object, *, deadline: float) -> Iterator[str]:
        yield from (self.reply[n : n + 7] for n in range(0, len(self.reply), 7))


def test_what_the_check_took_out_of_a_draft_is_verified_away(
    asked: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
):
    draft = "ANSWER: Ines Zorn\nInes Zorn juggled seven burning chairs for the Queen of Spain in Lisbon [1]."
    monkeypatch.setattr(chain, "load_llm", lambda config: Model(draft))
    got = asked(dataclasses.replace(HOST, answers=(("Ines Zorn",),)))
    assert got.draft == draft
    assert "Zorn" not in got.answer
    assert got.diagnosis is not None
    assert got.diagnosis["stage"] == "verified away"


def test_a_model_that_is_given_one_passage_and_declines_is_ranked_out(
    asked: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(chain, "load_llm", lambda config: Model("NOT_IN_SOURCES"))
    fact = Fact(
        id="odd",
        type="fact",
        question="which vegetable did Ana Lima juggle at the 2024 Lantern Music Awards",
        answers=(("nobody said this",),),
        evidence=(Evidence("lantern-2023.txt", "took place at the Old Mill in Gransund"),),
    )
    got = asked(fact, top_k=1)
    assert got.engine == "told"
    assert got.diagnosis is not None
    assert (got.found[0]["given"], got.diagnosis["stage"]) == (1, "ranked out")


def test_the_reader_tells_what_it_has_read_and_a_followup_that_lost_its_event_is_misread(asked: Callable[..., Result]):
    late = Fact(
        id="late",
        type="followup",
        question="who hosted that one",
        standalone=HOST.question,
        history=(Turn("user", "when was the 2023 Lantern Music Awards"), Turn("assistant", "On Tuesday, May 9. [1]")),
        answers=HOST.answers,
        evidence=HOST.evidence,
    )
    got = asked(late)  # the history speaks of 2023, the fact is of 2024
    assert got.diagnosis is not None
    assert got.diagnosis["stage"] == "misread question"
    with_nothing = asked(dataclasses.replace(HOST, answers=(("X",),)))
    assert with_nothing.found[0]["given"] >= 1
    assert with_nothing.diagnosis["stage"] == "read wrongly"  # type: ignore[index]
