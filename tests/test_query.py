from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.ingest.events import load_names
from rag.retrieve.query import _nearly, understand
from rag.retrieve.words import mend
from rag.store.library import Library
from rag.types import Query, Turn
from tests.small_coverage import small_library


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with small_library(tmp_path_factory.mktemp("query")) as library:
        yield library


def talk(*turns: str) -> list[Turn]:
    """Question, reply, question, reply ..."""
    return [Turn("assistant" if n % 2 else "user", text) for n, text in enumerate(turns)]


HOST_2024 = talk(
    "Who hosted the 2024 Lantern Music Awards?",
    "Ines Calder hosted the 2024 Lantern Music Awards (5 May 2024). [1]",
)
SONG_2024 = talk(
    "Who won Song of the Year at the 2024 Lantern Music Awards?",
    "Ana Lima won Song of the Year at the 2024 Lantern Music Awards (5 May 2024). [1]",
)


def follow(library: Library, history: list[Turn], question: str) -> Query:
    return understand(question, library=library, history=history, as_of=date(2024, 6, 10))


# --- without history ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "key", "edition"),
    [
        ("Who hosted the 2024 Lantern Music Awards?", "lantern-music-awards", "2024"),
        ("who hosted the 2023 lantern music awards", "lantern-music-awards", "2023"),
        ("Who hosted the Lantern Music Awards in 2023?", "lantern-music-awards", "2023"),
        ("Who hosted the 2022 Lantern Music Awards?", "lantern-music-awards", "2022"),
        ("who hosted last year's Grammys", "grammy-awards", "2023"),
    ],
)
def test_a_question_names_its_event_and_edition(small: Library, question: str, key: str, edition: str) -> None:
    query = follow(small, [], question)
    assert query.event is not None
    assert (query.event.key, query.event.edition) == (key, edition)


def test_a_misspelled_event_is_still_that_event(small: Library) -> None:
    query = understand("who hosted the lantern music awads 2023", library=small)
    assert query.event is not None
    assert query.event.edition == "2023"


def test_a_year_without_an_event_is_kept_as_a_year(small: Library) -> None:
    query = understand("Who hosted in 2023?", library=small)
    assert query.event is None
    assert query.year == 2023


def test_a_question_about_no_event_has_none(small: Library) -> None:
    query = understand("Who was sent off?", library=small)
    assert (query.event, query.year, query.rewritten) == (None, None, False)


def test_spaces_and_line_breaks_are_made_single_spaces(small: Library) -> None:
    query = understand("  Who \n was   sent off? ", library=small)
    assert query.text == query.asked == "Who was sent off?"


# --- follow-ups --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question", ["and the year before?", "And in 2023?", "what about 2023?", "and the previous year"]
)
def test_an_earlier_year_is_put_into_the_question_before(small: Library, question: str) -> None:
    query = follow(small, HOST_2024, question)
    assert query.text == "Who hosted the 2023 Lantern Music Awards?"
    assert query.event is not None
    assert query.event.edition == "2023"
    assert query.rewritten
    assert query.asked == question


def test_the_year_after_counts_from_the_question_before(small: Library) -> None:
    history = talk("Who hosted the 2023 Lantern Music Awards?", "Bruno Salt hosted it. [1]")
    assert follow(small, history, "and the year after?").text == "Who hosted the 2024 Lantern Music Awards?"


def test_a_chain_of_follow_ups_counts_from_the_last_of_them(small: Library) -> None:
    history = [*HOST_2024, *talk("and the year before?", "Bruno Salt. [1]")]
    assert follow(small, history, "and the year before that?").text == "Who hosted the 2022 Lantern Music Awards?"
    assert follow(small, history, "and the year after?").text == "Who hosted the 2024 Lantern Music Awards?"


def test_another_event_is_put_into_the_question_before(small: Library) -> None:
    query = follow(small, HOST_2024, "what about the Tidewater Film Awards?")
    assert query.event is not None
    assert query.event.key == "tidewater-film-awards"
    assert "Lantern" not in query.text
    assert query.text.startswith("who hosted") or query.text.startswith("Who hosted")


@pytest.mark.parametrize(
    "question", ["when were the 2023 Lantern Music Awards", "Where are the Tidewater Film Awards?"]
)
def test_a_question_that_is_whole_by_itself_is_left_alone(small: Library, question: str) -> None:
    query = follow(small, HOST_2024, question)
    assert (query.text, query.rewritten) == (question, False)


def test_another_name_is_put_into_the_question_before(small: Library) -> None:
    history = talk(
        "What award did Ana Lima win at the 2024 Lantern Music Awards?", "Song of the Year (5 May 2024). [1]"
    )
    for question in ("and Tilda Noor?", "what about Tilda Noor?"):
        assert (
            follow(small, history, question).text == "What award did Tilda Noor win at the 2024 Lantern Music Awards?"
        )


def test_a_pronoun_is_the_person_of_the_answer(small: Library) -> None:
    query = follow(small, SONG_2024, "Who are her brothers?")
    assert "Ana Lima's brothers" in query.text
    assert "2024 Lantern Music Awards" in query.text


@pytest.mark.parametrize(
    "question",
    [
        "what did Bruno Salt say when he won?",
        "Who handed Tilda Noor her prize?",
        "what did bruno salt do with his prize",
    ],
)
def test_a_pronoun_behind_a_name_means_that_name(small: Library, question: str) -> None:
    assert "Ana Lima" not in follow(small, SONG_2024, question).text
    asked = talk("What did Ana Lima wear?", "The coverage doesn't say.")
    assert "Ana Lima" not in follow(small, asked, question).text


def test_a_pronoun_to_whom_it_is_done_is_the_person_of_the_answer(small: Library) -> None:
    assert "Ana Lima" in follow(small, SONG_2024, "what did Bruno Salt give her?").text


def test_she_is_the_person_of_the_answer(small: Library) -> None:
    query = follow(small, SONG_2024, "What did she say?")
    assert query.text == "What did Ana Lima say at the 2024 Lantern Music Awards?"


def test_a_pronoun_is_the_person_of_the_question_when_the_answer_names_nobody(small: Library) -> None:
    history = talk("What did Petra Voss bring?", "her husband (5 May 2024). [1]")
    assert "Petra Voss' husband" in follow(small, history, "what is her husband's name?").text


def test_a_pronoun_is_the_person_of_the_question_when_the_coverage_did_not_say(small: Library) -> None:
    history = talk("What did Kim Oduya wear?", "The coverage doesn’t say. Recap covers the 2024 Lantern Music Awards.")
    assert "Kim Oduya" in follow(small, history, "what did she forget?").text


def test_their_names_after_daughters_are_the_daughters(small: Library) -> None:
    history = talk("Did Petra Voss bring her three daughters?", "Yes (5 May 2024). [1]")
    assert "Petra Voss' daughters' names" in follow(small, history, "what are their names?").text


def test_that_picture_is_the_one_of_those_who_were_named(small: Library) -> None:
    history = talk("Who was pictured with Kim Oduya?", "Jo Berg (2024 Lantern Music Awards, 5 May 2024). [1]")
    assert "the picture of Kim Oduya and Jo Berg" in follow(small, history, "who took that picture?").text


def test_for_which_song_asks_about_the_winner(small: Library) -> None:
    text = follow(small, SONG_2024, "for which song?").text
    assert text.startswith("which song did Ana Lima win Song of the Year")
    assert text.endswith("for?")


@pytest.mark.parametrize("question", ["who won song of the year?", "where was it held?", "who hosted the show?"])
def test_the_event_is_carried_along(small: Library, question: str) -> None:
    query = follow(small, HOST_2024, question)
    assert query.event is not None
    assert (query.event.key, query.event.edition) == ("lantern-music-awards", "2024")


def test_the_event_of_the_reply_is_carried_along_when_the_question_named_none(small: Library) -> None:
    history = talk("Who did Ana Lima lose to?", "Ivo Kern (2023 Lantern Music Awards, 9 May 2023). [1]")
    query = follow(small, history, "who hosted it?")
    assert query.event is not None
    assert query.event.edition == "2023"


@pytest.mark.parametrize(
    "question",
    [
        "Who won Song of the Year at the 2023 Lantern Music Awards?",
        "Who hosted the 2024 Tidewater Film Awards?",
        "Who scored twice for Alder Rovers?",
        "Who is Hanna Bode?",
        "What did Olga Brandt say?",
    ],
)
def test_a_question_that_stands_alone_is_left_alone(small: Library, question: str) -> None:
    query = follow(small, HOST_2024, question)
    assert query.text == question
    assert not query.rewritten


def test_a_first_question_is_never_rewritten(small: Library) -> None:
    for question in ("and the year before?", "who is she?", "for which song?"):
        assert not follow(small, [], question).rewritten


def test_two_conversations_never_mix(small: Library) -> None:
    other = talk("Who hosted the 2024 Tidewater Film Awards?", "Dora Flint hosted it. [1]")
    alone = follow(small, HOST_2024, "what did she say?").text
    assert "Ines Calder" in alone
    assert "Dora Flint" in follow(small, other, "what did she say?").text
    assert follow(small, HOST_2024, "what did she say?").text == alone


WORDS = st.sampled_from(
    "and the year before after who won what about 2023 2024 her his their names that picture for which song it Ana Lima "
    "Lantern Music Awards show ? . ' \" [1] husband's Grammys".split()
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=8).map(" ".join)), reply=st.text(max_size=40))
def test_any_question_after_anything_is_understood(small: Library, question: str, reply: str) -> None:
    history = [*HOST_2024, Turn("user", question), Turn("assistant", reply)]
    query = follow(small, history, question)
    assert query.asked == " ".join(question.split())
    assert query.rewritten == (query.text != query.asked)
    assert query == follow(small, history, question)


# --- spelling and editions ---------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from("grammmys oscrs music awads olimpics who won the best speling becuase wimbeldon".split()))
)
def test_looking_only_at_near_words_mends_as_well(words: list[str]) -> None:
    known = load_names().words
    text = " ".join(words)
    assert mend(text, _nearly(text, known)) == mend(text, known)


def test_an_edition_that_the_library_does_not_hold_is_not_asked_for(small: Library) -> None:
    query = understand("Who won at the Grammys?", library=small, as_of=date(2019, 5, 16))
    assert query.event is not None
    assert query.event.edition is None
