from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.asking import Asked, asks_published, is_event_date, plainly, take_apart, type_of
from rag.answer.match import Vocabulary
from rag.answer.units import article_units
from rag.ingest.events import load_names
from rag.types import Article, Query
from tests.small_coverage import COVERAGE

NAMES = load_names(None)
WORDS = Vocabulary.of(
    [
        u
        for name, text in COVERAGE.items()
        for u in article_units(Article(id=name, source=name, title=text.split("\n")[0], text=text))
    ]
)


def ask(question: str) -> Asked:
    return take_apart(Query(text=question, asked=question), vocabulary=WORDS, names=NAMES)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who hosted the 2024 Lantern Music Awards?", "who"),
        ("Which artist won Song of the Year?", "who"),
        ("Which song did Ana Lima win for?", "what"),
        ("Which award did Gil Ansel win?", "what"),
        ("How many daughters does Petra Voss have?", "how_many"),
        ("When was the 2024 Lantern Music Awards?", "when"),
        ("On which day did it rain?", "when"),
        ("Where were the 2024 Lantern Music Awards held?", "where"),
        ("In which city did it rain?", "where"),
        ("Why was the kick-off delayed?", "why"),
        ("How did Ana arrive?", "how"),
        ("What did Olga Brandt say?", "say"),
        ("Who said thank you?", "who"),
        ("Who took the photo of Jo Berg?", "credit"),
        ("Which photographer shot Vera Holm?", "credit"),
        ("Who was pictured with Jo Berg?", "with"),
        ("Who stood next to Jo Berg?", "with"),
        ("Did Lou Marsh win?", "yes_no"),
        ("Who wrote this article?", "written"),
    ],
)
def test_the_kind_of_a_question(question: str, kind: str) -> None:
    assert ask(question).kind == kind


def test_names_are_those_of_the_coverage_in_any_case_and_others_by_their_capitals() -> None:
    assert [t.words for t in ask("what did ana lima win").names] == [("ana", "lima")]
    assert [t.words for t in ask("what did Zoe Quill win").names] == [("zoe", "quill")]
    assert ask("what did it cost").names == ()


def test_a_prize_must_be_named_whole() -> None:
    assert ("song", "of", "the", "year") in [t.words for t in ask("who won song of the year").names]
    assert ("best", "director") in [t.words for t in ask("who won best director").names]


def test_the_event_of_a_question_is_not_among_its_terms() -> None:
    said = {w for t in ask("Who hosted the 2024 Lantern Music Awards?").terms for w in t.words}
    assert said == {"hosted"}


def test_what_somebody_did_is_the_verb_of_a_who_question() -> None:
    asked = ask("Who hosted the 2024 Lantern Music Awards?")
    assert asked.verb is not None
    assert asked.verb.words == ("hosted",)
    assert ask("What did Ana Lima win?").verb is None


def test_the_kind_of_answer_is_a_soft_word() -> None:
    asked = ask("Which song did Ana Lima win for?")
    assert asked.noun == "song"
    assert asked.preposition == "for"
    assert [t.words for t in asked.hard] == [("ana", "lima"), ("win",)]


def test_a_question_for_the_day_of_the_event_alone() -> None:
    assert is_event_date(ask("When was the 2024 Lantern Music Awards?"))
    assert is_event_date(ask("When did the 2024 Lantern Music Awards take place?"))
    assert not is_event_date(ask("When was Karl Munk sent off?"))
    assert not is_event_date(ask("Where was the 2024 Lantern Music Awards?"))


def test_a_question_for_the_day_of_publication() -> None:
    assert asks_published(ask("When was the article published?"))
    assert not asks_published(ask("When was the 2024 Lantern Music Awards?"))


@pytest.mark.parametrize(
    ("question", "negative"), [("Who never won?", True), ("Who did not win?", True), ("Who won?", False)]
)
def test_a_question_for_what_did_not_happen(question: str, negative: bool) -> None:
    assert ask(question).negative is negative


@pytest.mark.parametrize(
    ("question", "plain"),
    [
        ("hey, who hosted it pls", "who hosted it"),
        ("omg who won??? lol", "who won?"),
        ("who was she w/ tonight", "who was she with tonight"),
        ("who won, the one with the hat", "who won"),
        ("when was it? the weekday is enough", "when was it?"),
        ("whos hair was blue", "whose hair was blue"),
        ("who won, according to Example Radio?", "who won?"),
        ("Besides Ana, who won?", "who won?"),
        ("Who won?", "Who won?"),
        ("?", "?"),
        ("and", "and"),
    ],
)
def test_what_is_not_asked_is_taken_off(question: str, plain: str) -> None:
    assert plainly(question) == plain


@pytest.mark.parametrize(
    ("noun", "kind"),
    [("song", "title"), ("songs", "title"), ("award", "award"), ("trophies", "award"), ("singer", "person"),
     ("photographer", "person"), ("weather", None), (None, None)],
)  # fmt: skip
def test_the_form_of_the_answer_by_its_noun(noun: str | None, kind: str | None) -> None:
    assert type_of(noun) == kind


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(
    "who what when where why how many did with photo of the best Ana Lima of year song 2024 Lantern Music Awards w/ ? , ' \" 's".split()
), max_size=9).map(" ".join)))  # fmt: skip
def test_any_text_can_be_taken_apart(question: str) -> None:
    asked = ask(question)
    assert all(t.words and all(t.words) for t in asked.terms)
    assert set(asked.names) <= set(asked.terms)
    assert 0 <= len(asked.hard) <= len(asked.terms)
    assert plainly(question) or not question
