from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.names import find_names, fold


def names(text: str) -> list[str]:
    return [n.text for n in find_names(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("then Ana Lima met Kim Oduya", ["Ana Lima", "Kim Oduya"]),
        ("we saw Ana Lima, Jo Berg and Kim Oduya", ["Ana Lima", "Jo Berg", "Kim Oduya"]),
        ("he thanked Ana", ["Ana"]),
        ("a picture of J. Berg and Jo B. Berg", ["J. Berg", "Jo B. Berg"]),
        ("Beyoncé sang", ["Beyoncé"]),
        ("nobody of note was there", []),
        ("", []),
        ("1234 5678 !?", []),
    ],
)
def test_names_are_found_by_their_capitals_in_order(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("then Ludwig van Dorn and Ana de Vega sang", ["Ludwig van Dorn", "Ana de Vega"]),
        ("she won Song of the Year", ["Song of the Year"]),
        ("the Queen of Alder spoke", ["Queen of Alder"]),
    ],
)
def test_small_words_between_capitals_belong_to_the_name(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize("mark", ["'s", "’s"])
def test_a_possessive_is_no_part_of_the_name_and_the_offsets_agree(mark: str) -> None:
    text = f"it was Ana Lima{mark} night"
    (name,) = find_names(text)
    assert name.text == "Ana Lima"
    assert text[name.start : name.end] == "Ana Lima"


@pytest.mark.parametrize("mark", ["'", "’"])
def test_the_possessive_of_a_name_in_s(mark: str) -> None:
    assert names(f"that was the Rovers{mark} night") == ["Rovers"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Striker Luca Ferrand scored.", ["Luca Ferrand"]),
        ("Coach Olga Brandt smiled.", ["Olga Brandt"]),
        ("Defender Karl Munk was sent off.", ["Karl Munk"]),
        ("King Ludo arrived.", ["King Ludo"]),
        ("Queen Ada Lind arrived.", ["Queen Ada Lind"]),
    ],
)
def test_a_role_that_opens_a_sentence_is_no_name_but_a_title_is(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("When Ana Lima sang, it rained.", ["Ana Lima"]),
        ("However, the rain stopped.", []),
        ("On Sunday she left.", []),
        ("They left. Then Kim Oduya came.", ["Kim Oduya"]),
        ("Plenty of rain fell.", []),
        ("Photo Ana Lima", ["Ana Lima"]),
    ],
)
def test_a_word_that_opens_a_sentence_is_no_name(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_the_keeps_its_place_in_a_name_in_mid_sentence_and_not_behind_a_full_stop() -> None:
    assert names("then The Kid LAROI sang") == ["The Kid LAROI"]
    assert names("The Kid LAROI and Kim Oduya") == ["The Kid LAROI", "Kim Oduya"]
    assert names("It rained. The Harbour Five sang.") == ["Harbour Five"]


@pytest.mark.parametrize("name", ["iHeartRadio", "iPod", "eBay"])
def test_a_small_letter_in_front_of_the_capital_belongs_to_the_name(name: str) -> None:
    assert names(f"he works for {name} now") == [name]


@pytest.mark.parametrize("word", ["Jean-Luc", "O’Hara", "McRae", "R&B"])
def test_marks_inside_a_word_do_not_cut_it(word: str) -> None:
    assert names(f"she likes {word} more") == [word]


@given(st.text(max_size=120))
def test_every_name_stands_where_it_says_and_they_do_not_overlap(text: str) -> None:
    found = find_names(text)
    assert all(text[n.start : n.end] == n.text and len(n.text) >= 2 for n in found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


@given(
    st.lists(
        st.sampled_from("Ana Lima Kim's The the of and, Best. Striker “Oduya” it-Girl ’s 2024 J. iPod\n".split(" ")),
        max_size=12,
    )
)
def test_offsets_hold_in_text_made_of_hard_words(words: list[str]) -> None:
    text = " ".join(words)
    found = find_names(text)
    assert all(text[n.start : n.end] == n.text for n in found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("a", "b"), [("Beyoncé", "beyonce"), ("O’Hara", "o'hara"), ("STRASSE", "straße"), ("ＡＢＣ", "abc")]
)
def test_names_that_differ_in_case_accent_or_quote_fold_alike(a: str, b: str) -> None:
    assert fold(a) == fold(b)


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=60))
def test_folding_plain_text_only_changes_the_case_and_only_once(text: str) -> None:
    assert fold(text) == text.lower() == fold(fold(text))
