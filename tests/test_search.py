from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.ingest.events import editions_said, load_names
from rag.retrieve.search import (
    EVENT_BOOST,
    FRESH_BOOST,
    OTHER_EVENT,
    _without_echoes,
    affinity,
    freshness,
    joined,
    search,
)
from rag.store.library import Library
from rag.types import Article, Chunk, ChunkKind, Event, Hit, Query
from tests.small_coverage import small_library

QUESTIONS = (
    "Who hosted the {} Lantern Music Awards?",
    "Who won Song of the Year at the {} Lantern Music Awards?",
    "Album of the Year, Lantern Music Awards {}",
    "Who won Best New Artist at the {} Lantern Music Awards?",
    "Ana Lima at the {} Lantern Music Awards",
    "Where did the {} Lantern Music Awards take place?",
)
DAY = date(2024, 5, 9)
TEXT: tuple[ChunkKind] = ("text",)


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
        (asking(event=False, year=2023), article("2023"), "Rain.", (1.0, False)),
        (asking("2024"), replace(article("2024"), events=()), "Rain.", (1.0, False)),  # it may tell of this event
    ],
)
def test_how_well_a_passage_fits_the_event(
    query: Query, about: Article, passage: str, expected: tuple[float, bool]
) -> None:
    assert affinity(query, about, passage, names=load_names(None)) == expected


# --- how recent, and what belongs together ----------------------------------------------------------------------------


def dated(days: int) -> Article:
    """An article about no event, published this many days before DAY."""
    return Article(id="a", source="a", title="T", text="x", published=DAY - timedelta(days=days))


def test_what_has_just_happened_weighs_more() -> None:
    asked = Query(text="q", asked="q", as_of=DAY)
    weights = [freshness(asked, dated(days)) for days in (0, 1, 7, 30, 365)]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == 1 + FRESH_BOOST
    assert weights[-1] == pytest.approx(1.0)
    assert freshness(asked, dated(-1)) == 1 + FRESH_BOOST  # corrected, or dated, a day later
    assert freshness(asked, dated(-60)) == 1.0
    assert freshness(asked, replace(dated(0), published=None)) == 1.0


def test_a_year_or_an_edition_of_the_past_is_meant_however_old() -> None:
    later = DAY.replace(year=2025)
    new = replace(dated(0), published=later)
    for query in (asking("2024"), asking(event=False, year=2024)):
        assert freshness(replace(query, as_of=later), new) == 1.0
        assert freshness(replace(query, as_of=DAY), dated(0)) == 1 + FRESH_BOOST  # this year's
    assert freshness(replace(asking(None), as_of=later), new) == 1 + FRESH_BOOST


def ranked(text: str, *spans: tuple[str, ChunkKind]) -> list[tuple[Chunk, Article, float]]:
    """Passages of one article, best first."""
    a = Article(id="a", source="a", title="T", text=text)
    out = []
    for n, (part, kind) in enumerate(spans):
        start = text.index(part)
        c = Chunk(id=f"c{n}", article_id="a", start=start, end=start + len(part), text=part, kind=kind)
        out.append((c, a, 1.0 - n / 10))
    return out


def test_passages_that_follow_on_each_other_are_one() -> None:
    text = "One was here.\n\nTwo was there.\n\nThree came late.\n\nFour left."
    one, two, three, four = ((part, kind) for part in text.split("\n\n") for kind in TEXT)
    hits = joined(ranked(text, two, four, one, three))
    assert [(c.id, c.text, score) for c, _, score in hits] == [
        ("c0", "One was here.\n\nTwo was there.", 1.0),
        ("c1", "Three came late.\n\nFour left.", 0.9),
    ]
    for c, a, _ in hits:
        assert a.text[c.start : c.end] == c.text
    assert len(joined(ranked(text, one, three))) == 2  # what lies between was not found


def test_captions_and_items_stay_alone() -> None:
    text = "Ana Lima\n\nJo Berg\n\nThey sang."
    assert len(joined(ranked(text, ("Ana Lima", "caption"), ("Jo Berg", "caption"), ("They sang.", "text")))) == 3


def test_a_passage_of_another_edition_is_not_joined_to_one_of_the_right_edition(small: Library) -> None:
    hits = search(small, "Who hosted the 2023 Lantern Music Awards?", top_k=30)
    for h in hits:
        said = editions_said(h.chunk.text, "lantern-music-awards", load_names(None))
        assert not said >= {"2023", "2024"}, h.chunk.text


# --- echoes --------------------------------------------------------------------------------------------------------


def _said(n: int, text: str) -> Hit:
    piece = Article(id=f"a{n}", source=f"s{n}", title="", text=text, cluster=f"k{n}")
    return Hit(rank=n, score=1 / n, chunk=Chunk(f"c{n}", piece.id, 0, len(text), text), article=piece)


def test_a_claim_counts_twice_and_further_pieces_that_make_it_as_copies() -> None:
    hosted = ("{} hosted the Harbour Gala on June {}.", "The Harbour Gala on June {1} was hosted by {0}. It rained.")
    said = [hosted[n % 2].format("Mira Sandoval", n + 1) for n in range(5)]
    hits = [_said(n, t) for n, t in enumerate([*said, hosted[0].format("Ada Moss", 3)], start=1)]
    kept = _without_echoes(Query("Who hosted the Harbour Gala?", ""), hits, top_k=9)
    assert [h.article.id for h in kept] == ["a1", "a2", "a6"]
    assert [h.rank for h in kept] == [1, 2, 3]
    assert kept[1].copies == ("a3", "a4", "a5")


def test_other_editions_and_passages_beside_the_question_are_no_echoes() -> None:
    said = [f"Mira Sandoval hosted the {year} Harbour Gala." for year in (2021, 2022, 2023, 2024)]
    said += [f"Mira Sandoval wore green, and {n} boats came." for n in range(4)]
    hits = [_said(n, t) for n, t in enumerate(said, start=1)]
    assert len(_without_echoes(Query("Who hosted the Harbour Gala?", ""), hits, top_k=9)) == len(hits)
