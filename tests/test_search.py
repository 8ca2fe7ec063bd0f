from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.ingest.events import load_names
from rag.retrieve.search import EVENT_BOOST, OTHER_EVENT, YEAR_BOOST, affinity, search
from rag.store.library import Library
from rag.types import Article, Event, Hit, Query
from tests.small_coverage import small_library

QUESTIONS = (
    "Who hosted the {} Lantern Music Awards?",
    "Who won Song of the Year at the {} Lantern Music Awards?",
    "Album of the Year, Lantern Music Awards {}",
    "Who won Best New Artist at the {} Lantern Music Awards?",
    "Ana Lima at the {} Lantern Music Awards",
    "Where did the {} Lantern Music Awards take place?",
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with small_library(tmp_path_factory.mktemp("search")) as library:
        yield library


def edition(hit: Hit) -> str | None:
    return hit.article.event.edition if hit.article.event else None


def key(hit: Hit) -> str | None:
    return hit.article.event.key if hit.article.event else None


def test_the_passage_that_answers_comes_first(small: Library) -> None:
    assert "Ana Lima won" in search(small, "Who won Song of the Year at the 2024 Lantern Music Awards?")[0].chunk.text
    assert "sent off" in search(small, "Which defender was sent off?")[0].chunk.text
    assert "choir" in search(small, "Who performed with a choir of forty children?")[0].chunk.text


@pytest.mark.parametrize("question", [q.format("2024") for q in QUESTIONS])
def test_a_copy_is_no_second_passage(small: Library, question: str) -> None:
    hits = search(small, question, top_k=30)
    texts = [h.chunk.text for h in hits]
    assert len(texts) == len(set(texts))
    assert len({h.chunk.id for h in hits}) == len(hits)
    assert sum(text.startswith("1. Ana Lima won") for text in texts) == 1


def test_a_hit_names_the_articles_that_carry_a_copy_and_stands_in_the_longest(small: Library) -> None:
    hit = next(h for h in search(small, "Who won Song of the Year?", top_k=30) if "Ana Lima won" in h.chunk.text)
    copies = small.cluster(hit.article.cluster)
    assert len(copies) == 2
    assert len(hit.article.text) == max(len(a.text) for a in copies)
    assert {hit.article.id, *hit.copies} == {a.id for a in copies}
    assert hit.article.id not in hit.copies


@pytest.mark.parametrize("year", ["2023", "2024"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_no_wrong_edition_stands_above_the_right_one(small: Library, question: str, year: str) -> None:
    hits = [h for h in search(small, question.format(year), top_k=30) if key(h) == "lantern-music-awards"]
    right = [h.rank for h in hits if edition(h) == year]
    wrong = [h.rank for h in hits if edition(h) != year]
    assert right
    assert wrong  # they are kept, only lower
    assert max(right) < min(wrong)


def test_an_edition_that_nobody_covered_still_finds_something(small: Library) -> None:
    assert search(small, "Who hosted the 2019 Lantern Music Awards?")


@pytest.mark.parametrize(
    ("wanted", "count"), [("lantern-music-awards", 3), ("tidewater-film-awards", 1), ("grammy-awards", 0)]
)
def test_an_event_filters_hard(small: Library, wanted: str, count: int) -> None:
    hits = search(small, "Who hosted the show?", top_k=50, event=wanted)
    assert {key(h) for h in hits} <= {wanted}
    assert len({h.article.id for h in hits} | {i for h in hits for i in h.copies}) == count


@pytest.mark.parametrize("year", [2023, 2024])
def test_a_year_filters_hard(small: Library, year: int) -> None:
    hits = search(small, "Who hosted the Lantern Music Awards?", top_k=50, year=year)
    assert hits
    assert {h.article.date.year for h in hits if h.article.date} == {year}


def test_event_and_year_filter_together(small: Library) -> None:
    hits = search(small, "Who won?", top_k=50, event="lantern-music-awards", year=2023)
    assert {h.article.title for h in hits} == {"The Winners Of The 2023 Lantern Music Awards"}
    assert search(small, "Who won?", event="tidewater-film-awards", year=2023) == []


def test_top_k_is_kept_and_only_cuts_the_end_off(small: Library) -> None:
    question = "Who won Album of the Year at the 2024 Lantern Music Awards?"
    many = search(small, question, top_k=30)
    assert len(many) > 3
    for k in (1, 2, 3):
        assert search(small, question, top_k=k) == many[:k]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_any_text_finds_passages_with_ranks_that_count_from_one_the_same_twice(small: Library, question: str) -> None:
    hits = search(small, Query(text=question, asked=question), top_k=5)
    assert [h.rank for h in hits] == list(range(1, len(hits) + 1))
    assert len(hits) <= 5
    assert all(h.article.text[h.chunk.start : h.chunk.end] == h.chunk.text for h in hits)
    assert hits == search(small, Query(text=question, asked=question), top_k=5)


def test_an_empty_library_finds_nothing(make_library: object) -> None:
    assert search(make_library(), "Who hosted the 2024 Lantern Music Awards?") == []  # type: ignore[operator]


# --- affinity ----------------------------------------------------------------------------------------------------


def article(
    edition: str | None = "2024", *, key: str = "lantern-music-awards", published: date | None = None
) -> Article:
    events = (Event(key=key, name="Lantern Music Awards", edition=edition),)
    return Article(id="a", source="file://a", title="t", text="x", events=events, published=published)


def asking(edition: str | None = "2024", *, year: int | None = None, event: bool = True) -> Query:
    about = Event(key="lantern-music-awards", name="Lantern Music Awards", edition=edition) if event else None
    return Query(text="q", asked="q", event=about, year=year)


@pytest.mark.parametrize(
    ("query", "about", "passage", "expected"),
    [
        (asking("2024"), article("2024"), "Rain.", (EVENT_BOOST, False)),
        (asking("2024"), article("2023"), "Rain.", (1.0, True)),
        (asking("2024"), article(None), "Rain.", (EVENT_BOOST, False)),
        (asking(None), article("2023"), "Rain.", (EVENT_BOOST, False)),
        (asking("2024"), article("2024", key="other-awards"), "Rain.", (OTHER_EVENT, False)),
        # The passage's own edition wins over the article's.
        (asking("2024"), article("2024"), "It rained at the 2023 Lantern Music Awards.", (1.0, True)),
        (asking("2024"), article("2023"), "It will rain at the 2024 Lantern Music Awards.", (EVENT_BOOST, False)),
        (asking(event=False), article("2023"), "Rain.", (1.0, False)),
        (asking(event=False, year=2023), article("2023"), "Rain.", (YEAR_BOOST, False)),
        (asking(event=False, year=2024), article("2023"), "Rain.", (1.0, False)),
        (asking(event=False, year=2024), article("2023", published=date(2024, 1, 2)), "Rain.", (YEAR_BOOST, False)),
    ],
)
def test_how_well_a_passage_fits_the_event(
    query: Query, about: Article, passage: str, expected: tuple[float, bool]
) -> None:
    assert affinity(query, about, passage, names=load_names(None)) == expected
