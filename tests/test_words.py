from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieve.words import STOP, content_words, mend, stem, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who hosted the 2024 VMAs?", ["who", "hosted", "the", "2024", "vmas"]),
        ("Beyoncé's Café", ["beyonce", "cafe"]),
        ("Ana’s brothers' prizes", ["ana", "brothers", "prizes"]),
        ("didn't", ["didn't"]),
        ("snake_case, half-time", ["snake", "case", "half", "time"]),
        ("", []),
        ("?!… —", []),
    ],
)
def test_words_are_folded_and_lose_their_possessive(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who won the prize?", ["won", "prize"]),
        ("Who hosted the gala that she hosted?", ["hosted", "gala"]),
        ("Who was it?", []),
        ("Prize, PRIZE, prize's", ["prize"]),
    ],
)
def test_only_words_that_carry_meaning_are_searched_for_each_once_in_order(question: str, expected: list[str]) -> None:
    assert content_words(question) == expected


@given(st.text(max_size=80))
def test_content_words_are_unique_words_of_the_text_and_no_grammar(text: str) -> None:
    words = content_words(text)
    assert len(words) == len(set(words))
    assert not set(words) & STOP
    assert [w for w in dict.fromkeys(tokens(text)) if w not in STOP] == words


KNOWN = frozenset({"awards", "hosted", "winner", "picture", "lantern"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("who hosted the music awads", "who hosted the music awards"),
        ("the winnr of the Lantren awards", "the winner of the lantern awards"),
        ("who hostd it", "who hosted it"),
    ],
)
def test_nearly_known_words_are_put_right(text: str, expected: str) -> None:
    assert mend(text, KNOWN) == expected


@pytest.mark.parametrize(
    "text",
    [
        "who hosted the awards",  # known already
        "hosting an award",  # other forms of known words
        "the pict",  # too short to be sure
        "bawards",  # another first letter
        "12345 x1234y",
        "wherever they travelled",
        "",
    ],
)
def test_other_words_stay_as_they_are(text: str) -> None:
    assert mend(text, KNOWN) == text


def test_the_least_length_of_a_word_that_is_mended_can_be_set() -> None:
    known = frozenset({"song"})
    assert mend("sogn", known) == "sogn"
    assert mend("sonng", known) == "song"
    assert mend("sonng", known, least=6) == "sonng"


@given(st.text(max_size=80))
def test_mending_never_fails_and_mends_once_and_for_all(text: str) -> None:
    once = mend(text, KNOWN)
    assert mend(once, KNOWN) == once


@pytest.mark.parametrize(
    "group", [("host", "hosts", "hosted", "hosting"), ("win", "wins"), ("award", "awards", "awarded")]
)
def test_forms_of_a_word_share_a_stem(group: tuple[str, ...]) -> None:
    assert len({stem(w) for w in group}) == 1


def test_different_words_have_different_stems() -> None:
    assert stem("host") != stem("prize") != stem("award")
