"""The trained reader's choice between passages, and between what it reads and what the rules read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

import pytest

from rag.answer.asking import Asked
from rag.answer.chain import ask
from rag.answer.extract import (
    FEATURES,
    MODEL_RIGHT,
    RULES_RIGHT,
    SHOWN,
    Extracted,
    another_tie,
    decide,
    extract,
    features,
    may_extract,
    may_give,
    named,
    probability,
    trimmed,
)
from rag.answer.match import Term
from rag.answer.span import Reading, Span, same_name
from rag.answer.units import Unit, article_units
from rag.errors import ReaderModelError
from rag.model.reader import Read
from rag.store.library import Library
from rag.types import Article, Chunk, Hit, Query

_TEXT = "Odalys Brandt hosted the Harbour Prizes on Sunday. Kofi Mensah’s band played for 40 minutes."
_QUERY = Query("who hosted the Harbour Prizes?", "who hosted the Harbour Prizes?")


def _hit(n: int, text: str = _TEXT) -> Hit:
    article = Article(id=f"a{n}", source="s", title="A night", text=text, published=date(2024, 9, 11))
    return Hit(rank=n, score=1 / n, chunk=Chunk(f"c{n}", f"a{n}", 0, len(text), text), article=article)


class _Scripted:
    """Reads the given words out of each passage, with the given strength."""

    def __init__(self, *found: tuple[str, float]) -> None:
        self.found = found

    def read(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Read]:
        out = []
        for (said, strength), (_, text) in zip(self.found, passages, strict=True):
            at = text.index(said)
            out.append(Read(at, at + len(said), strength, 0.0, strength))
        return out


def _asked(kind: str = "who", *names: str) -> Asked:
    terms = tuple(Term(tuple(n.lower().split()), is_name=True) for n in names) or (Term(("hosted",)),)
    return Asked(kind, "q", terms, terms if names else (), None, False, False)  # type: ignore[arg-type]


def _extract(*found: tuple[str, float], asked: Asked | None = None) -> Extracted | None:
    hits = [_hit(n) for n in range(1, len(found) + 1)]
    return extract(_QUERY, asked or _asked(), hits, _Scripted(*found), eligible=lambda u: True, covered=lambda u: 0.8)  # type: ignore[arg-type]


def test_the_strongest_answer_is_quoted_with_its_sentence() -> None:
    found = _extract(("Kofi Mensah", 1.0), ("Odalys Brandt", 3.0))
    assert found is not None
    assert found.reading.short == "Odalys Brandt"
    assert found.reading.spans[0].unit.text.startswith("Odalys Brandt hosted")
    ahead = (3.0 + 3.0 - 2 * math.log(2)) - (1.0 + 1.0)  # span + relevance, less what the second passage's rank costs
    assert (found.margin, found.relevance, found.lead, found.votes) == (3.0, 3.0, pytest.approx(ahead), 1)
    assert found.covered == 0.8


def test_two_passages_that_agree_outweigh_one_that_is_a_little_stronger() -> None:
    found = _extract(("Kofi Mensah", 2.0), ("Odalys Brandt", 1.8), ("Odalys Brandt", 1.7))
    assert found is not None
    assert found.reading.short == "Odalys Brandt"
    assert found.votes == 2


def test_passages_that_may_not_answer_are_left_out() -> None:
    found = extract(
        _QUERY, _asked(), [_hit(1)], _Scripted(("Odalys Brandt", 3.0)), eligible=lambda u: False, covered=lambda u: 0.8
    )  # type: ignore[arg-type]
    assert found is None


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("“Odalys Brandt”,", "Odalys Brandt"),
        ("dalys Bran", "Odalys Brandt"),
        ("Kofi Mensah’s", "Kofi Mensah"),
        (" 40 ", "40"),
    ],
)
def test_spans_end_where_words_do(said: str, kept: str) -> None:
    text = f"Here “Odalys Brandt”, and Kofi Mensah’s 40 songs, -5 degrees, .5 percent at McDonald's, Perth (Australia) at 5 a.m. {_TEXT}"
    at = text.index(said)
    start, end = trimmed(text, at, at + len(said))
    assert text[start:end] == kept


def test_a_weekday_is_worked_out() -> None:
    found = _extract(("Sunday", 3.0), asked=_asked("when"))
    assert found is not None
    assert found.reading.note == "“Sunday” in an article of 11 September 2024 is Sunday, 8 September 2024."


def test_names_of_the_question_must_be_in_the_article() -> None:
    assert named(_asked("who"), _hit(1).article) == 1.0
    assert named(_asked("who", "Harbour", "Ana Ruiz"), _hit(1).article) == 0.5


def test_a_span_that_runs_into_the_next_sentence_is_no_answer() -> None:
    assert _extract(("Sunday. Kofi Mensah", 3.0), asked=_asked("what")) is None


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [("Swift", "Taylor Swift", True), ("guilty", "not guilty", False), ("one", "one million", False), ("5", "1.5", False),
     ("40", "40 minutes", True), ("May 3", "May", False), ("Taylor Hill", "Taylor Swift", False)],
)  # fmt: skip
def test_what_counts_as_the_same_answer(a: str, b: str, same: bool) -> None:
    assert same_name(a, b) is same_name(b, a) is same


def test_yes_no_and_small_talk_are_not_for_the_model() -> None:
    assert may_extract(_asked("who"))
    assert not may_extract(_asked("yes_no"))
    assert not may_extract(Asked("who", "q", (), (), None, True, False))


def _found(strength: float, *, named: float = 1.0, covered: float = 0.9, short: str = "Odalys Brandt") -> Extracted:
    unit: Unit = article_units(_hit(1).article)[0]
    return Extracted(Reading(short, (Span(unit, short, 0, 10),)), strength, strength, strength + 5, 1, named, covered)


def _decide(kind: str, ruled: Reading | None, found: Extracted) -> tuple[Reading, float]:
    asked = _asked(kind)
    return decide(asked, ruled, found, features(_QUERY, asked, ruled, found))


def test_features_stand_in_their_order() -> None:
    unit = article_units(_hit(1).article)[1]
    other = Reading("Kofi Mensah", (Span(unit, "Kofi Mensah", 0, 10, 0.9),))
    row = dict(zip(FEATURES, features(_QUERY, _asked(), other, _found(4.0, named=0.5, covered=0.7)), strict=True))
    assert row == {
        "margin": 1.0, "relevance": 1.0, "lead": 2.0, "votes": 1 / 3, "named": 0.5, "covered": 0.7, "agreed": 0.0,
        "disagreed": 1.0, "event": 0.0, "ruled": 0.9, "terms": 0.1, "bias": 1.0,
    }  # fmt: skip
    assert len(FEATURES) == len(MODEL_RIGHT) == len(RULES_RIGHT)


def test_a_stronger_span_in_a_sentence_that_says_more_is_likelier_right() -> None:
    weak, strong = _decide("who", None, _found(-9.0, covered=0.1)), _decide("who", None, _found(9.0, covered=1.0))
    assert 0 < weak[1] < SHOWN < strong[1] < 1


def test_what_pictures_show_stays_with_the_rules() -> None:
    unit = article_units(_hit(1).article)[1]
    ruled = Reading("Kofi Mensah", (Span(unit, "Kofi Mensah", 0, 10, 1.0),))
    assert _decide("with", ruled, _found(9.0))[0] is ruled
    same = Reading("Brandt", (Span(unit, "Brandt", 0, 10, 1.0),))
    assert _decide("who", same, _found(9.0))[1] > _decide("who", ruled, _found(9.0))[1]  # agreement counts


def test_probability_is_the_logistic_of_the_weighted_sum() -> None:
    assert probability([2.0, -1.0], [1.0, 2.0]) == 0.5
    assert probability([1.0], [0.0]) == 0.5
    assert probability([1.0], [2.0]) == pytest.approx(1 / (1 + math.exp(-2)))


@pytest.mark.parametrize(
    ("said", "other"),
    [("Petra Voss brought her husband, Anton.", True), ("Petra Voss brought her wife, Ann.", False),
     ("Petra Voss sang.", False), ("The husband of Petra Voss's wife sang.", False)],
)  # fmt: skip
def test_a_husband_is_no_answer_to_who_the_wife_is(said: str, other: bool) -> None:
    asked = Asked(
        "who",
        "who is Petra Voss's wife?",
        (Term(("petra", "voss"), is_name=True), Term(("wife",))),
        (),
        None,
        False,
        False,
    )
    assert another_tie(asked, article_units(_hit(1, said).article)[0]) is other


def test_a_short_question_must_be_said_by_the_sentence() -> None:
    sure = 0.9
    assert may_give(_asked(), True, _found(9.0), 0.2)
    assert not may_give(_asked(), True, _found(9.0), 0.1)
    assert may_give(_asked(), False, _found(9.0), sure)
    assert not may_give(_asked(), False, _found(9.0, covered=0.3), sure)
    assert not may_give(_asked(), False, _found(9.0, named=0.5), sure)
    assert not may_give(_asked(), False, _found(9.0), 0.2)
    long = Asked("what", "q", tuple(Term((w,)) for w in "a b c d e f g".split()), (), None, False, False)
    assert may_give(long, False, _found(9.0, covered=0.3), sure)
    assert not may_give(long, True, _found(9.0), 0.1)


def test_a_model_that_fails_at_work_leaves_the_rules(tiny_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def read(self, *_: object) -> list[Read]:
            raise ReaderModelError("The reader's model failed (Fail). Run `recap doctor`.")

    monkeypatch.setattr(tiny_library, "_reader", Broken())
    monkeypatch.setattr(tiny_library, "reader_fault", None)
    answer = ask(tiny_library, "who hosted the 2024 Lantern Music Awards?")
    assert answer.short == "Ines Calder"
    assert any("failed" in n and "rules alone" in n for n in answer.notes)
    assert tiny_library.reader is None
