from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.units import Unit, article_units, units_of
from rag.types import Article, Chunk, Hit
from tests.small_coverage import COVERAGE

RAIN = """Rain At The Quay

Ana Lima opened the night. She sang twice, and then she left. "It was cold, but nobody noticed a thing," the singer said.

Kim Oduya and Jo Berg came late. But the duo stayed to the end.

1. Ana hugged Kim!

2. ...and Billy!
"""


# As cleaning leaves it: the credit on a line of its own.
WINNERS = COVERAGE["lantern-2023.txt"].replace("BlankPhoto", "Blank\nPhoto")


def article(text: str, name: str = "a") -> Article:
    return Article(id=name, source=f"file://{name}", title=text.split("\n")[0], text=text)


def units(text: str) -> tuple[Unit, ...]:
    return article_units(article(text))


def unit(text: str, part: str, kind: str = "sentence") -> Unit:
    (found,) = [u for u in units(text) if part in u.text and u.kind == kind]
    return found


@pytest.mark.parametrize("text", COVERAGE.values(), ids=list(COVERAGE))
def test_every_unit_is_verbatim_and_they_follow_each_other(text: str) -> None:
    found = units(text)
    assert all(text[u.start : u.end] == u.text and u.text.strip() == u.text != "" for u in found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    assert all(u.text[n.start : n.end] == n.text for u in found for n in u.names)


@settings(max_examples=80, deadline=None)
@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(
                ["Ana Lima", "she", '"', "said.", "\n", "\n\n", "1. ", "...and", ";", "Photo: Jo Berg", "Kim\n"]
            )
        ).map(" ".join),
    )
)
def test_any_text_is_cut_into_verbatim_units(text: str) -> None:
    for u in article_units(article(text)):
        assert text[u.start : u.end] == u.text


def test_sentences_items_captions_bylines_and_titles_are_told_apart() -> None:
    text = COVERAGE["lantern-2024.txt"]
    assert unit(text, "5 Things", "title")
    assert unit(text, "By Rosa Field", "byline")
    assert unit(text, "Jo Berg presented").item
    assert not unit(text, "took place").item
    assert unit(text, "Jo Berg and Kim Oduya laughing", "caption").item
    assert not unit(WINNERS, "Vera Holm", "caption").item


def test_the_number_of_an_item_is_no_part_of_it() -> None:
    assert unit(COVERAGE["lantern-2024.txt"], "Lou Marsh").text.startswith("Lou Marsh")


def test_an_item_and_its_caption_share_the_scope_and_the_credit() -> None:
    text = COVERAGE["lantern-2024.txt"]
    said, shown = unit(text, "Jo Berg presented"), unit(text, "laughing", "caption")
    assert said.scope == shown.scope
    assert "laughing" in said.scope
    assert said.credit == shown.credit == "Theo Park / Getty Images"
    assert text[said.credit_at :].startswith("Theo Park")


def test_the_credit_is_no_part_of_a_caption() -> None:
    shown = unit(WINNERS, "Vera Holm", "caption")
    assert shown.text == "Vera Holm and Otto Blank"
    assert shown.credit == "Photo: Max Stone for Example Radio"


def test_a_pronoun_implies_the_name_of_the_sentence_before() -> None:
    assert unit(RAIN, "opened").implied == ()
    assert unit(RAIN, "She sang").implied == ("Ana Lima",)
    assert unit(RAIN, "nobody noticed").implied == ("Ana Lima",)


def test_a_duo_implies_both_names() -> None:
    assert unit(RAIN, "the duo").implied == ("Kim Oduya", "Jo Berg")


def test_an_item_that_goes_on_implies_the_one_before() -> None:
    billy = unit(RAIN, "Billy")
    assert billy.continues
    assert billy.before == "Ana hugged Kim!"
    assert billy.implied == ("Ana",)


def test_units_of_hits_are_those_that_the_passages_touch_each_once_with_the_best_rank() -> None:
    a = article(RAIN)
    at = RAIN.index("Kim Oduya")
    early = Chunk(id="1", article_id="a", start=0, end=at, text=RAIN[:at])
    late = Chunk(id="2", article_id="a", start=RAIN.index("She"), end=len(RAIN), text=RAIN[RAIN.index("She") :])
    found = units_of([Hit(1, 1.0, late, a), Hit(2, 0.5, early, a)])
    assert len({(u.start, u.end) for u in found}) == len(found) == len(units(RAIN))
    ranks = {u.text: u.rank for u in found}
    assert ranks["She sang twice, and then she left."] == 1
    assert ranks["Ana Lima opened the night."] == 2
    assert units_of([]) == []


def test_a_passage_gives_only_its_own_units() -> None:
    at = RAIN.index("Kim Oduya")
    chunk = Chunk(id="1", article_id="a", start=at, end=at + 20, text=RAIN[at : at + 20])
    assert [u.text for u in units_of([Hit(1, 1.0, chunk, article(RAIN))])] == ["Kim Oduya and Jo Berg came late."]
