from __future__ import annotations

import pytest

from rag.answer.match import Matcher, Term, Vocabulary, name_match, phrase_stems, thesaurus
from rag.answer.units import Unit, article_units
from rag.retrieve.words import stem
from rag.types import Article
from tests.conftest import CountingEmbedder
from tests.small_coverage import COVERAGE

UNITS = [
    u
    for name, text in COVERAGE.items()
    if "copy" not in name
    for u in article_units(Article(id=name, source=name, title=text.split("\n")[0], text=text))
]
WORDS = Vocabulary.of(UNITS)


def unit(part: str) -> Unit:
    return next(u for u in UNITS if part in u.text)


def name(text: str) -> Term:
    return Term(tuple(text.split()), is_name=True)


def word(text: str, **more: object) -> Term:
    return Term((text,), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "part", "least", "most"),
    [
        ("ana lima", "Ana Lima won", 1.0, 1.0),
        ("ana", "Ana Lima won", 1.0, 1.0),
        ("lima", "Ana Lima won", 1.0, 1.0),
        ("ana hill", "Ana Lima won", 0.0, 0.0),  # somebody else
        ("bruno lima", "Ana Lima won", 0.0, 0.0),
        ("kim oduya", "Petra Voss brought", 0.0, 0.0),
        ("petra vos", "Petra Voss brought", 0.8, 0.9),  # misspelled
        ("theo park", "Jo Berg presented", 0.8, 0.9),  # in the same item: its credit
    ],
)
def test_a_name_is_matched_strictly(asked: str, part: str, least: float, most: float) -> None:
    assert least <= name_match(name(asked), unit(part)) <= most


def test_a_prize_in_a_sentence_is_not_matched_by_another_of_the_same_year() -> None:
    assert name_match(name("album of the year"), unit("Ana Lima won")) == 0.0
    assert name_match(name("song of the year"), unit("Ana Lima won")) == 1.0


def test_a_pronoun_matches_the_name_that_it_means_less_surely() -> None:
    text = "Rain\n\nAna Lima came. She sang."
    said, sang = [
        u for u in article_units(Article(id="r", source="r", title="Rain", text=text)) if u.kind == "sentence"
    ]
    assert name_match(name("ana lima"), said) == 1.0
    assert 0.8 <= name_match(name("ana lima"), sang) < 1.0


def test_misspelling_can_be_ruled_out() -> None:
    assert name_match(name("petra vos"), unit("Petra Voss brought"), fuzzy=False) == 0.0


@pytest.mark.parametrize(
    ("asked", "part", "expected"),
    [
        ("won", "Ana Lima won", 1.0),
        ("winning", "Ana Lima won", 0.9),
        ("thank", "Ana Lima won", 1.0),
        ("zebra", "Ana Lima won", 0.0),
        ("hosting", "took place at the Harbour Hall", 1.0),
    ],
)
def test_a_word_is_matched_by_stem_then_by_thesaurus(asked: str, part: str, expected: float) -> None:
    matcher = Matcher(WORDS, embedder=None)
    matcher.prepare([word(asked)])
    assert matcher.term(word(asked), unit(part)) == pytest.approx(expected)


def test_a_word_that_is_only_in_the_block_counts_less_than_one_in_the_sentence() -> None:
    matcher = Matcher(WORDS, embedder=None)
    matcher.prepare([word("laughing"), word("envelope")])
    assert (
        0
        < matcher.term(word("laughing"), unit("Jo Berg presented"))
        < matcher.term(word("envelope"), unit("Jo Berg presented"))
    )


def test_a_misspelled_word_is_matched_by_spelling() -> None:
    matcher = Matcher(WORDS, embedder=None)
    matcher.prepare([word("envelpoe")])
    assert 0 < matcher.term(word("envelpoe"), unit("Jo Berg presented")) < 1


def test_coverage_is_the_weighted_share_and_a_soft_word_that_is_missing_does_not_count() -> None:
    matcher = Matcher(WORDS, embedder=None)
    terms = [word("won", weight=3.0), word("zebra", weight=1.0)]
    matcher.prepare(terms)
    said = unit("Ana Lima won")
    assert matcher.coverage(terms, said) == (pytest.approx(3 / 4), 0.0)
    assert matcher.coverage([terms[0], word("zebra", weight=1.0, soft=True)], said) == (pytest.approx(1.0), 1.0)
    assert matcher.coverage([], said) == (0.0, 1.0)


def test_rarity_falls_with_the_number_of_units_that_have_the_word() -> None:
    assert WORDS.idf("zebra") == pytest.approx(1.0)
    assert WORDS.idf("zebra") > WORDS.idf("envelope") > WORDS.idf("the") >= 0.3
    assert Vocabulary.of([]).idf("zebra") == 1.0


def test_the_names_of_the_coverage_are_read_from_text_and_not_from_headlines() -> None:
    assert WORDS.names["ana", "lima"] == "Ana Lima"
    assert WORDS.names["olga", "brandt"] == "Olga Brandt"
    assert not any("missed" in parts for parts in WORDS.names)


def test_the_thesaurus_is_by_stem_and_a_set_goes_both_ways() -> None:
    table = thesaurus()
    assert stem("won") in table[stem("win")]
    assert stem("win") in table[stem("won")]


def test_turns_of_phrase_stand_for_words() -> None:
    assert stem("won") in phrase_stems("Ana took home the prize")
    assert phrase_stems("it rained") == frozenset()


def test_words_that_were_forgotten_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that had seen 50,000 words forgot all of them in the middle of a question, and could not answer that one."""
    monkeypatch.setattr("rag.answer.match.REMEMBERED", 3)
    embedder = CountingEmbedder("forgetful")
    for asked in ("ferry", "lantern", "ferry"):
        Matcher(WORDS, embedder=embedder).prepare([word(asked)])
    assert embedder.texts.count("ferry") >= 2
