"""The library as a table: what a row says, how it is searched, sorted, cut and drawn."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.pipeline import ingest
from rag.store.library import Library
from rag.types import Article, Event
from tests.conftest import write_articles
from tests.small_coverage import COVERAGE
from ui.shelf import COLUMNS, PAGE, View, confirm, fold, gather, shelve, table, totals

LANTERN = Event(key="lantern", name="Lantern Music Awards", edition="2024", start=date(2024, 5, 5), short="Lanterns")
TIDE = Event(key="tide", name="Tidewater Film Awards", edition="2023")


def piece(n: int | str, title: str = "A Night In Port Alder", **more: Any) -> Article:
    given = {"source": f"file:///a/{n}.txt", "text": "one two three", "cluster": f"c{n}"} | more
    return Article(id=f"id{n}", title=title, **given)


SHELF = [
    piece(1, "Émile Toft's Überraschung", outlet="Zeit & Ziel", published=date(2024, 5, 6), events=(LANTERN,)),
    piece(2, "10 Quiet Moments", outlet="Alder Post", published=date(2023, 1, 2), authors=("Rosa Field",)),
    piece(3, "9 Quiet Moments", outlet=None, published=None, events=(TIDE,), url="https://www.news.example/a/b?x=1"),
    piece(4, "“Zebra” Wins", outlet="alder post", published=date(2024, 5, 7), text="a b c d e f", cluster="pair"),
    piece(5, "Zebra, Shorter", outlet="Gransund Echo", published=date(2024, 5, 8), text="a b c", cluster="pair"),
]


def ids(view: View, articles: list[Article] | None = None) -> list[str]:
    return [p.lead.id for p in shelve(articles or SHELF, view).rows]


def values(markup: str) -> list[str]:
    return [unescape(v) for v in re.findall(r'<button[^>]* value="([^"]*)"', markup)]


# -- rows ----------------------------------------------------------------------------------------------------------------


def test_copies_stand_under_the_longest_article_of_their_piece() -> None:
    held = gather(SHELF)
    assert (held.articles, len(held.pieces), held.events) == (5, 4, 2)
    pair = next(p for p in held.pieces if p.copies)
    assert (pair.lead.id, [c.id for c in pair.copies]) == ("id4", ["id5"])
    assert totals(held) == "5 articles, 4 independent, 2 events"


def test_an_article_without_a_cluster_is_a_piece_of_its_own() -> None:
    held = gather([piece(1, cluster=""), piece(2, cluster="")])
    assert len(held.pieces) == 2
    assert totals(held) == "2 articles"


def test_the_lead_is_the_one_that_the_library_calls_the_original(library: Library) -> None:
    articles = library.articles()
    for p in gather(articles).pieces:
        cluster = library.cluster(library.articles_by_id([p.lead.id])[p.lead.id].cluster)
        assert [p.lead.id, *(c.id for c in p.copies)] == [a.id for a in cluster]


# -- sorting -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "down", "order"),
    [
        ("headline", False, ["id3", "id2", "id1", "id4"]),  # 9 before 10, accents and quotes do not count
        ("headline", True, ["id4", "id1", "id2", "id3"]),
        ("outlet", False, ["id2", "id4", "id1", "id3"]),  # none: last
        ("outlet", True, ["id1", "id2", "id4", "id3"]),  # ... either way, and equals keep the order of their headlines
        ("published", True, ["id4", "id1", "id2", "id3"]),
        ("published", False, ["id2", "id1", "id4", "id3"]),
        ("event", False, ["id1", "id3", "id2", "id4"]),
        ("event", True, ["id3", "id1", "id2", "id4"]),
    ],
)
def test_every_column_sorts_both_ways_and_what_is_unknown_stands_last(
    column: str, down: bool, order: list[str]
) -> None:
    assert ids(View(sort=column, descending=down)) == order


def test_a_column_is_turned_round_by_choosing_it_again_and_the_page_starts_anew() -> None:
    view = View(page=3)
    assert (view.sort, view.descending) == ("published", True)
    again = view.by("published")
    assert (again.descending, again.page) == (False, 1)
    other = again.by("headline")
    assert (other.sort, other.descending) == ("headline", False)
    assert other.by("published").descending is True
    assert other.by("text; DROP TABLE") == other


@given(
    st.sampled_from([*COLUMNS, "bogus"]), st.booleans(), st.text(max_size=6), st.integers(-3, 9), st.permutations(SHELF)
)
def test_any_view_shows_each_match_once_whatever_the_order_it_came_in(
    column: str, down: bool, words: str, page: int, articles: list[Article]
) -> None:
    view = View(words, column, down, page)
    shelf = shelve(articles, view)
    shown = [p.lead.id for p in shelf.rows]
    assert len(shown) == len(set(shown)) == shelf.found  # fewer than a page
    assert shown == ids(view)
    assert shelf.view.page == 1
    assert "\n" not in table(shelf)


@given(st.lists(st.one_of(st.none(), st.dates()), max_size=12))
def test_dates_fall_and_the_undated_follow(days: list[date | None]) -> None:
    shelf = shelve([piece(n, published=d) for n, d in enumerate(days)], View())
    got = [p.lead.published for p in shelf.rows]
    dated = [d for d in got if d]
    assert dated == sorted(dated, reverse=True)
    assert got[len(dated) :] == [None] * days.count(None)


# -- searching -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("emile", ["id1"]),
        ("ÜBERRASCHUNG ziel", ["id1"]),
        ("quiet field", ["id2"]),
        ("quiet", ["id2", "id3"]),
        ("2024 lantern", ["id1"]),
        ("lanterns", ["id1"]),
        ("news.example/a", ["id3"]),
        ("3.txt", ["id3"]),
        ('"zebra"', ["id4"]),
        ("quiet zebra", []),
        ("   ", ["id4", "id1", "id2", "id3"]),
        ('"', ["id4", "id1", "id2", "id3"]),
    ],
)
def test_every_word_must_be_in_one_article_somewhere(words: str, found: list[str]) -> None:
    assert sorted(ids(View(words))) == sorted(found)


def test_a_piece_is_found_by_its_copy_and_then_shows_it() -> None:
    shelf = shelve(SHELF, View("gransund"))
    assert [p.lead.id for p in shelf.rows] == ["id4"]
    assert shelf.by_copy == {"id4"}
    assert '<details class="l-copies" open>' in table(shelf)
    assert '<details class="l-copies">' in table(shelve(SHELF, View("zebra wins")))
    # the words of two copies are not pooled
    assert shelve(SHELF, View("gransund wins")).found == 0


@given(st.text(max_size=40))
def test_folding_is_done_once_and_for_all(value: str) -> None:
    assert fold(fold(value)) == fold(value)


def test_letters_without_an_accent_to_take_off_are_folded_too() -> None:
    assert fold("Łódź Ørsted’s  STRASSE straße") == "lodz orsted's strasse strasse"


# -- pages ---------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 130), st.integers(-5, 10**9))
@settings(max_examples=25)
def test_a_page_that_does_not_exist_is_the_nearest_that_does(n: int, page: int) -> None:
    shelf = shelve([piece(i) for i in range(n)], View(page=page))
    assert shelf.pages == max(1, -(-n // PAGE))
    assert shelf.view.page == min(max(page, 1), shelf.pages)
    assert len(shelf.rows) == min(PAGE, n - (shelf.view.page - 1) * PAGE)


def test_pages_together_hold_every_piece_once() -> None:
    many = [piece(i, title=f"Report {i % 7}") for i in range(120)]
    held = gather(many)
    seen = [p.lead.id for n in (1, 2, 3) for p in shelve(held, View(page=n)).rows]
    assert len(seen) == 120
    assert sorted(seen) == sorted(a.id for a in many)


def test_the_pager_leads_to_the_neighbours_and_to_both_ends() -> None:
    held = gather(piece(i) for i in range(PAGE * 12))
    middle = table(shelve(held, View(page=6)))
    assert [v for v in values(middle) if v.startswith("page")] == [
        "page:5",
        "page:1",
        "page:5",
        "page:7",
        "page:12",
        "page:7",
    ]
    assert "251 to 300 of 600" in middle
    first = table(shelve(held, View()))
    assert [v for v in values(first) if v.startswith("page")] == ["page:2", "page:12", "page:2"]
    assert "page:" not in table(shelve(SHELF, View()))


@pytest.mark.parametrize("page", ["", "x", "-1", "²", "1" * 30, None, "3.5"])
def test_a_page_that_is_no_number_stays_where_it_is(page: object) -> None:
    assert View(page=2).turned(page) == View(page=2)
    assert View(page=2).turned("7").page == 7


# -- drawing -------------------------------------------------------------------------------------------------------------


def test_the_table_is_a_real_one_with_sorted_heads_and_a_way_into_every_article() -> None:
    markup = table(shelve(SHELF, View()))
    assert "<caption>" in markup
    assert markup.count('<th scope="col"') == 6
    assert markup.count('<th scope="row"') == 4
    assert re.search(r'title="Published, newest first\. Choose it for oldest first"', markup)
    assert re.search(r'title="Sort by Headline, A to Z"', markup)
    assert markup.count('class="l-mark"') == 1
    found = values(markup)
    assert [v for v in found if v.startswith("sort")] == [f"sort:{c}" for c in COLUMNS]
    assert {v for v in found if v.startswith("passage")} == {f"passage:id{n}:0:0" for n in range(1, 6)}
    assert {v for v in found if v.startswith("remove")} == {f"remove:id{n}" for n in range(1, 6)}
    assert {v for v in found if v.startswith("event")} == {"event:lantern:2024", "event:tide:2023"}
    assert "5 articles, 4 independent, 2 events" in markup
    assert "1 more copy" in markup
    assert 'href="https://www.news.example/a/b?x=1"' in markup
    assert ">news.example</a>" in markup
    assert '<time datetime="2024-05-07">7 May 2024</time>' in markup
    assert "undated" in markup


def test_read_only_shows_all_and_removes_nothing() -> None:
    shelf = shelve(SHELF, View())
    for asking in ("", "id1", "id5"):
        markup = table(shelf, read_only=True, asking=asking)
        assert not [v for v in values(markup) if v.startswith(("remove", "keep"))]
        assert len([v for v in values(markup) if v.startswith("passage")]) == 5
        assert markup.count('<th scope="col"') == 5


def test_removing_asks_first_in_the_place_of_what_goes() -> None:
    shelf = shelve(SHELF, View())
    lead = table(shelf, asking="id4")
    assert values(lead).count("remove!:id4") == 1
    assert values(lead).count("keep:") == 1
    assert "Its other copy stays." in lead
    copy = table(shelf, asking="id5")
    assert values(copy).count("remove!:id5") == 1
    assert '<details class="l-copies" open>' in copy
    assert "remove!" not in "".join(values(table(shelf, asking="no such id")))
    said = unescape(re.sub(r"<[^>]+>", "", confirm(SHELF[0])))
    assert "Remove “Émile Toft's Überraschung” (Zeit & Ziel, 6 May 2024) from the library?" in said


def test_an_empty_library_and_a_search_for_nothing_say_what_to_do() -> None:
    assert "Add files" in table(shelve([], View()))
    assert "Add files" not in table(shelve([], View()), read_only=True)
    nothing = table(shelve(SHELF, View("“nowhere” <b>")))
    assert "Nothing matches" in nothing
    assert "<b>" not in nothing
    assert values(nothing) == ["find:"]
    assert "5 articles" in nothing


HOSTILE = '</td><script>alert(1)</script> [x](javascript:y) <img src=x onerror="z"> \n\n# h \u202e`*_$'


def test_nothing_from_an_article_becomes_markup() -> None:
    event = Event(key='k":evil/\n', name=HOSTILE, edition='20"24')
    hostile = Article(
        id='a"b:c',
        source="file:///x",
        title=HOSTILE,
        text="t",
        outlet=HOSTILE,
        events=(event,),
        url="javascript:alert(1)",
    )
    markup = table(shelve([hostile], View(HOSTILE)), asking=hostile.id) + table(
        shelve([hostile], View()), asking=hostile.id
    )
    assert "\n" not in markup
    for bad in ("<script", "<img", "href=", "\u202e", "`", "](", "*_"):
        assert bad not in markup
    found = values(markup)
    key, edition = next(v for v in found if v.startswith("event:")).split(":")[1:]
    assert (unquote(key), unquote(edition)) == (event.key, event.edition)
    assert unquote(next(v for v in found if v.startswith("remove!:")).split(":")[1]) == hostile.id


def test_a_headline_without_end_is_cut_and_one_that_is_missing_is_named() -> None:
    assert len(table(shelve([piece(1, "word " * 5000)], View()))) < 5000
    assert "Untitled article" in table(shelve([piece(1, " ")], View()))


def test_a_library_that_was_really_read_is_drawn(make_library: Callable[..., Library], tmp_path: Any) -> None:
    library = make_library()
    ingest(library, [str(write_articles(tmp_path / "a", COVERAGE))])
    markup = table(shelve(library.articles(), View("lantern 2024")))
    assert "1 match for" in markup
    assert "1 more copy" in markup
    assert "event:" in "".join(values(markup))
