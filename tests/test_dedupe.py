"""Copies: cut and broken ones are found, records that differ in a fact are not, and the order of arrival is nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.clean import clean
from rag.ingest.dedupe import bands, clusters, contradict, is_copy, key_facts, shingles, words
from tests.conftest import ARTICLES, COPY, LISTICLE, REPORT

_WHO = ("Ana Lima", "Jo Berg", "Kim Oduya", "Lou Marsh", "Mara Quist")
_PLACE = ("the north pier", "the old harbour", "the lighthouse", "the long bridge", "the ferry dock", "the salt house")
_WHAT = ("crates of fish", "coils of rope", "barrels of salt", "lamps", "letters from the islands", "new nets", "sails")
_THEN = ("nobody slept", "the band played on", "the gulls came", "it rained until dawn", "the children cheered")
STORY = " ".join(
    f"{_WHO[n % 5]} came to {_PLACE[n % 6]} with {n + 3} {_WHAT[n % 7]}, and {_THEN[(n * 3) % 5]} while {_WHO[(n + 2) % 5]} sang."
    for n in range(30)
)

MATCH = (
    "{home} beat {away} {score} on {day} in front of a full house at {ground}. {scorer} opened the scoring after {minute} "
    "minutes with a header from a corner, and the visitors never found an answer in a match that was short of chances but "
    "not of tackles. The second half began with rain and ended with a red card for a late challenge on the keeper. The "
    "manager said afterwards that his side had worked hard all week and deserved the three points. The next match is away "
    "from home in a week, when two players come back from injury and the captain may be rested."
)
ALDER = MATCH.format(
    home="Alder", away="Brook", score="2-1", day="Sunday", ground="Quay Park", scorer="Lima", minute=12
)


def test_words_leave_out_numbering_and_credits() -> None:
    assert words("1. Ana’s Boat\nPhoto: Getty Images\n2) came home") == ["ana's", "boat", "came", "home"]
    assert shingles("a b c d e") == {"a b c d", "b c d e"}
    assert shingles("a b c") == frozenset()


def test_a_copy_with_items_missing_and_lines_broken() -> None:
    whole, cut = clean(LISTICLE).text, clean(COPY).text
    assert is_copy(whole, cut)
    assert is_copy(cut, whole)
    assert set(bands(whole)) & set(bands(cut))


@pytest.mark.parametrize("seed", range(8))
def test_copies_of_a_piece_are_found(seed: int) -> None:
    """Any half of the sentences, wrapped anew, with a line of the other site in front."""
    rng = random.Random(seed)
    sentences = [f"{s}." for s in STORY.split(". ") if s]
    kept = [s for s in sentences if rng.random() < 0.6] or sentences[:5]
    text = " ".join(kept).split()
    width = rng.choice([7, 11, 30])
    copy = "Subscribe to the Example Weekly\n\n" + "\n".join(
        " ".join(text[i : i + width]) for i in range(0, len(text), width)
    )
    copy = clean(copy, title="T").text
    assert is_copy(STORY, copy)
    assert is_copy(copy, STORY)
    assert set(bands(STORY)) & set(bands(copy))


@pytest.mark.parametrize(
    "other",
    [
        {
            "home": "Crane",
            "away": "Dale",
            "score": "3-0",
            "day": "Monday",
            "ground": "Mill Lane",
            "scorer": "Berg",
            "minute": 31,
        },
        {
            "home": "Alder",
            "away": "Brook",
            "score": "2-2",
            "day": "Sunday",
            "ground": "Quay Park",
            "scorer": "Lima",
            "minute": 12,
        },
        {
            "home": "Alder",
            "away": "Brook",
            "score": "2-1",
            "day": "Sunday",
            "ground": "Quay Park",
            "scorer": "Lima",
            "minute": 14,
        },
        {
            "home": "Alder",
            "away": "Dale",
            "score": "2-1",
            "day": "Sunday",
            "ground": "Quay Park",
            "scorer": "Oduya",
            "minute": 12,
        },
    ],
)
def test_reports_of_one_form_are_not_copies(other: dict[str, object]) -> None:
    report = MATCH.format(**other)
    assert len(shingles(ALDER) & shingles(report)) > 0.5 * len(shingles(ALDER))  # alike indeed
    assert not is_copy(ALDER, report)
    assert not is_copy(report, ALDER)
    assert is_copy(ALDER, ALDER)


def test_a_figure_that_changed_is_no_copy_but_a_figure_that_was_cut_is() -> None:
    tail = STORY
    early = f"At least 12 people were hurt when the pier gave way. {tail}"
    late = f"At least 15 people were hurt when the pier gave way. {tail}"
    assert not is_copy(early, late)
    assert is_copy(early, tail)
    assert is_copy(early, f"At least 12 people were hurt when the pier gave way. {tail}\n3 comments\nUpdated 4.15 pm")


def test_another_edition_is_no_copy() -> None:
    assert not is_copy(LISTICLE, LISTICLE.replace("2023", "2024").replace("Ana", "Bea").replace("Kim", "Tom"))


def test_a_notice_under_strange_headlines_is_no_copy() -> None:
    notice = (
        "We will use the details that you have shared to manage your registration, as our privacy policy says. " * 3
    )
    notice += (
        "Would you like to receive the newsletter of our partners, who share our values and our love of the quay? " * 2
    )
    assert is_copy(notice, notice)
    assert not is_copy(notice, notice, titles=("A million for each child", "The king of the ring is held"))
    assert is_copy(notice, notice, titles=("Boats of Alder come home", "Alder welcomes its boats"))
    assert is_copy(STORY, STORY, titles=("Lima and Oduya sang", "Children cheered"))  # it speaks of both


def test_a_headline_that_a_longer_copy_lacks_is_no_other_fact() -> None:
    """The copy lost the headline and gained a sentence, so that the piece itself is the shorter of the two."""
    headline = "The Keeper and the Lamp"
    body = (
        "the lamp was lit before dusk and it burned until a small grey boat came round the point with no one at its oars. "
        "nobody knew whose it was, so it lay on the shingle for a week and then for a year, under snow and weed."
    )
    piece, copy = f"{headline}\n\n{body}", f"{body} in spring somebody painted the hull and took it out to fish again."
    assert key_facts(piece) == {"keeper", "lamp"}
    for one, other in (((piece, headline), (copy, None)), ((piece, headline), (copy, headline))):
        assert is_copy(one[0], other[0], titles=(one[1], other[1]))
        assert is_copy(other[0], one[0], titles=(other[1], one[1]))
    # another headline does deny it, and what the text itself says is asked for all the same
    assert not is_copy(piece, copy, titles=(headline, "Who Lit the Old Lamp"))
    assert not is_copy(piece.replace("dusk", "Dusk 9"), copy.replace("dusk", "Dusk 8"), titles=(headline, None))


def test_band_keys_are_the_same_in_every_process() -> None:
    """They are kept in libraries: with other keys the copies of old articles would no longer be found."""
    keys = bands(STORY)
    assert len(keys) == 42
    assert (keys[0], keys[41]) == ("000:c142ed:103e5ed:41b26b", "123:15b6077:dbe83a:84c62d")


def test_short_texts_are_never_copies() -> None:
    assert bands("Ana and Jo on the quay") == []
    assert not is_copy("Ana and Jo on the quay", "Ana and Jo on the quay")


def test_key_facts_are_numbers_and_names_inside_sentences() -> None:
    assert key_facts("The boat of Ana Lima cost 42 crowns. Nobody paid.\nPhoto: Max Stone") == {"ana", "lima", "42"}


def test_pieces_of_our_own_are_not_copies_of_each_other() -> None:
    texts = {k: clean(v).text for k, v in ARTICLES.items()}
    pairs = {(a, b) for a in texts for b in texts if a < b and is_copy(texts[a], texts[b])}
    assert pairs == {("copy.txt", "listicle.txt")}


texts = st.lists(
    st.sampled_from([*STORY.split(". "), *ALDER.split(". "), *REPORT.split(". ")]), min_size=1, max_size=14
).map(". ".join)


@settings(max_examples=60, deadline=None)
@given(texts, texts)
def test_being_a_copy_goes_both_ways(a: str, b: str) -> None:
    assert is_copy(a, b) == is_copy(b, a)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=20), st.randoms())
def test_clusters_do_not_depend_on_order(pairs: list[tuple[int, int]], rng: random.Random) -> None:
    ids = [f"{n:02d}" for n in range(13)]
    named = [(f"{a:02d}", f"{b:02d}") for a, b in pairs]
    first = clusters(ids, named)
    shuffled = [(b, a) if rng.random() < 0.5 else (a, b) for a, b in named]
    rng.shuffle(shuffled)
    rng.shuffle(ids)
    assert clusters(ids, shuffled) == first
    assert all(first[a] == first[b] for a, b in named)
    assert all(c == min(i for i in ids if first[i] == c) for c in first.values())


def test_pairs_with_strangers_are_passed_over() -> None:
    assert clusters(["a"], [("a", "gone"), ("gone", "other")]) == {"a": "a"}


def test_a_turned_name_makes_no_copy_however_long_the_rest() -> None:
    """A word in hundreds: the copy must not stand for the piece that it contradicts."""
    told = "Mara Quist opened the new harbour hall with a poem about the tide."
    whole = f"{told} {STORY}"
    assert is_copy(whole, f"{told} {STORY} And so to bed.")
    assert not is_copy(whole, f"{told.replace('Mara Quist', 'Otto Blank')} {STORY} And so to bed.")
    assert contradict(told, told.replace("Mara Quist", "Otto Blank"))
    assert not contradict(told, told.replace("Mara Quist", "Quist"))
    assert not contradict(told, "Otto Blank opened the window.")


@pytest.mark.parametrize("dateline", ["(Reuters) - ", "PORT ALDER, June 5 (Coastal Wire) - ", "WESTERBY — "])
def test_an_agencys_place_and_day_are_no_facts_of_a_report(dateline: str) -> None:
    assert key_facts(f"{dateline}{ALDER}") == key_facts(ALDER)
    assert "bts" in key_facts("The hall, said BTS and Lima - The band - was full.")
