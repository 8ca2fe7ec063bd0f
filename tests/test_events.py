"""Events: which, of what edition, on what day; the calendar is arithmetic, checked against the calendar."""

from __future__ import annotations

import os
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ConfigError
from rag.ingest.events import (
    WEEKDAYS,
    editions_said,
    event_date,
    find_mentions,
    load_names,
    resolve_article,
    resolve_question,
    resolve_relative,
    slug,
)
from rag.types import Event

NAMES = load_names()
TODAY = date(2024, 9, 12)
DAYS = st.dates(date(1990, 1, 1), date(2060, 12, 31))
VMAS, GRAMMYS = "mtv-video-music-awards", "grammy-awards"


def mentioned(text: str, *, asked: bool = False) -> list[tuple[str, str | None]]:
    return [(m.key, m.edition) for m in find_mentions(text, NAMES, asked=asked)]


def asked(question: str, *, as_of: date = TODAY) -> tuple[str | None, str | None, int | None]:
    event, year = resolve_question(question, as_of=as_of, names=NAMES)
    return (event.key if event else None), (event.edition if event else None), year


# -- names and editions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the 2024 MTV Video Music Awards", [(VMAS, "2024")]),
        ("at the VMAs", [(VMAS, None)]),
        ("the 2023 VMAs and the 2024 VMAs", [(VMAS, "2023"), (VMAS, "2024")]),
        ("VMAs 2023", [(VMAS, "2023")]),
        ("the MTV VMAs, 2023", [(VMAS, "2023")]),
        ("2023's Video Music Awards", [(VMAS, "2023")]),
        ("the '23 VMAs", [(VMAS, "2023")]),
        ("the ’99 Grammys", [(GRAMMYS, "1999")]),
        ("the 66th Grammy Awards", [(GRAMMYS, "2024")]),  # the 1st was held in 1959
        ("the 66th Annual Grammys", [(GRAMMYS, "2024")]),
        ("the 96th Academy Awards", [("academy-awards", "2024")]),
        ("the 77th Tony Awards", [("tony-awards", "2024")]),
        ("Super Bowl LVIII", [("super-bowl", "2024")]),
        ("Super Bowl XLIX", [("super-bowl", "2015")]),
        ("Super Bowl 58", [("super-bowl", "2024")]),
        ("the Super Bowl, 24-10", [("super-bowl", None)]),
        ("COP28", [("un-climate-change-conference", "2023")]),
        ("Euro 2024", [("uefa-european-championship", "2024")]),
        ("Women's Euro 2022", [("uefa-womens-championship", "2022")]),
        ("the Women’s World Cup", [("fifa-womens-world-cup", None)]),
        ("Grammy Museum", []),
        ("some brits paid in euros and one holds a masters degree", []),
        ("Old Masters were sold", []),
        ("GRAMMYS", [(GRAMMYS, None)]),
        ("the Latin Grammys", [("latin-grammy-awards", None)]),
    ],
)
def test_known_names(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert mentioned(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at the 2024 Harvest Cup in Leeds", [("harvest-cup", "2024")]),
        ("Riverside Book Festival 2025 opens", [("riverside-book-festival", "2025")]),
        ("the 2023 Festival of the Lamps Parade", [("festival-of-the-lamps-parade", "2023")]),
        ("In 2023 and the World Chess Championship of 2022", [("world-chess-championship", "2022")]),
        ("the Harvest Cup", []),  # no year, no file knows it
        ("in 2024 the cup was full", []),
        ("a 2024 festival", []),
    ],
)
def test_names_that_no_file_knows(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert mentioned(text) == expected


def test_a_question_names_events_in_any_case() -> None:
    assert mentioned("who won the 2024 harvest cup?", asked=True) == [("harvest-cup", "2024")]
    assert mentioned("who won at the harvest cup 2024?", asked=True) == [("harvest-cup", "2024")]
    assert mentioned("who won the Harvest Cup?", asked=True) == [("harvest-cup", None)]
    assert mentioned("who hosted the vmas", asked=True) == [(VMAS, None)]


def test_a_file_adds_names_and_wins(tmp_path: Path) -> None:
    extra = tmp_path / "events.toml"
    extra.write_text('[[event]]\nname = "Port Alder Regatta"\nshort = "the Regatta"\nfirst = 1900\naliases = ["PAR"]\n')
    names = load_names(extra)
    assert [(m.key, m.edition) for m in find_mentions("the 24th PAR and the VMAs", names)] == [
        ("port-alder-regatta", "1924"),
        (VMAS, None),
    ]
    extra.write_text('[[event]]\nname = "Paris Auto Rally"\naliases = ["PAR"]\n')
    os.utime(extra, ns=(1, 1))  # edited: read again
    assert find_mentions("PAR", load_names(extra))[0].key == "paris-auto-rally"
    assert load_names(extra).key != names.key


@pytest.mark.parametrize(
    "content",
    ["[[event]]\nshort = 'x'", "event = 3", "event = [1]", "not toml [", "[[event]]\nname = 4", b"\xff\xfe\x00"],
)
def test_a_file_that_cannot_be_used_is_a_sentence(tmp_path: Path, content: str | bytes) -> None:
    extra = tmp_path / "events.toml"
    extra.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=r"events file .*\.$"):
        load_names(extra)
    with pytest.raises(ConfigError, match="cannot be opened"):
        load_names(tmp_path / "absent.toml")


def test_keys_are_stable() -> None:
    assert slug("MTV Video Music Awards") == VMAS
    assert slug("People’s Choice – Awards!") == "peoples-choice-awards"
    assert slug("Fête de la Musique") == "fete-de-la-musique"


# -- questions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who hosted the 2024 VMAs?", (VMAS, "2024", None)),
        ("who won at last year's grammys", (GRAMMYS, "2023", None)),
        ("who won at last years grammys", (GRAMMYS, "2023", None)),
        ("Who hosts this year’s VMAs?", (VMAS, "2024", None)),
        ("Who hosted the VMAs two years ago?", (VMAS, "2022", None)),
        ("Who hosted the VMAs?", (VMAS, None, None)),
        ("Which shows were held in 2023?", (None, None, 2023)),
        ("What happened on 2023-09-12?", (None, None, None)),  # a day, not a year
        ("Did 2000 people come?", (None, None, 2000)),
        ("Who won the 66th Grammys?", (GRAMMYS, "2024", None)),
        ("What is the capital of France?", (None, None, None)),
        ("who sang in '23", (None, None, 2023)),
        ("who sang in the '90s", (None, None, None)),
    ],
)
def test_what_a_question_names(question: str, expected: tuple[str | None, str | None, int | None]) -> None:
    assert asked(question) == expected


@given(DAYS)
def test_last_year_counts_from_the_day_it_is_asked(day: date) -> None:
    assert asked("Who won last year's Grammys?", as_of=day) == (GRAMMYS, str(day.year - 1), None)
    assert asked("What happened this year?", as_of=day) == (None, None, day.year)


def test_editions_said_outright() -> None:
    assert editions_said("Unlike the 2023 VMAs, the 2024 VMAs ...", VMAS, NAMES) == {"2023", "2024"}
    assert editions_said("the VMAs", VMAS, NAMES) == set()


# -- the calendar ----------------------------------------------------------------------------------------------------------


def test_tuesday_night_in_an_article_of_thursday() -> None:
    assert resolve_relative("Tuesday night", published=date(2023, 9, 14)) == date(2023, 9, 12)


@given(DAYS, st.sampled_from(sorted(WEEKDAYS)), st.sampled_from(["{}", "{} night", "on {}", "last {}"]))
def test_a_weekday_is_the_last_one_up_to_the_day_published(published: date, weekday: str, form: str) -> None:
    day = resolve_relative(form.format(weekday.title()), published=published)
    assert day is not None
    assert day.weekday() == WEEKDAYS[weekday]
    assert 0 <= (published - day).days <= 6


@given(DAYS, st.sampled_from(sorted(WEEKDAYS)))
def test_next_is_after_and_coming_is_from_the_day_on(published: date, weekday: str) -> None:
    after = resolve_relative(f"next {weekday.title()}", published=published)
    coming = resolve_relative(f"coming {weekday.title()}", published=published)
    assert after is not None
    assert coming is not None
    assert after.weekday() == coming.weekday() == WEEKDAYS[weekday]
    assert 1 <= (after - published).days <= 7
    assert 0 <= (coming - published).days <= 6


@given(DAYS)
def test_words_for_days(published: date) -> None:
    days = {"last night": -1, "yesterday": -1, "tonight": 0, "today": 0, "this evening": 0, "tomorrow": 1}
    for words, away in days.items():
        assert resolve_relative(words, published=published) == published + timedelta(days=away)
    assert resolve_relative("some day", published=published) is None


@given(DAYS, st.sampled_from(["%B %d", "%b. %d", "%d %B", "%d of %B", "%B %dth"]))
def test_an_explicit_day_takes_its_year_from_the_edition(day: date, form: str) -> None:
    text = f"It was held on {day.strftime(form)}, and all came."
    if day.strftime("%b.") == "May." and "." in form:
        text = text.replace("May.", "May")
    if (day.month, day.day) != (2, 29):
        assert event_date(text, edition=str(day.year), published=None) == day
        assert event_date(text, edition=None, published=day) == day


@given(DAYS)
def test_a_weekday_and_a_day_give_the_year(day: date) -> None:
    """Of the year published and its neighbours, the one in which that day fell on that weekday."""
    said = f"It was held on {day.strftime('%A evening (%B %d)')}, and all came."
    for published in (day + timedelta(days=20), day + timedelta(days=200)):
        if (day.month, day.day) != (2, 29):
            assert event_date(said, edition=None, published=published) == day


@given(DAYS)
def test_a_full_date_is_itself(day: date) -> None:
    for text in (
        f"It was on {day.isoformat()}.",
        f"It was on {day.strftime('%d %B %Y')}.",
        f"On {day.strftime('%B %d, %Y')}.",
    ):
        assert event_date(text, edition=None, published=None) == day


@pytest.mark.parametrize(
    ("text", "edition", "published", "expected"),
    [
        ("The show on Wednesday evening (September 11) was long.", "2024", None, date(2024, 9, 11)),
        ("Tuesday night was the show.", "2023", date(2023, 9, 14), date(2023, 9, 12)),
        ("Tuesday night was the show.", "2023", None, None),  # no day to count from
        ("The ceremony, held on January 8, was long.", "2022", date(2023, 1, 10), date(2022, 1, 8)),
        ("It was held on January 5, 2025.", "2024", None, date(2025, 1, 5)),  # the winter after belongs to the edition
        ("It was held on October 5, 2025.", "2024", None, None),
        ("Published September 12, 2024. It was held on September 11.", "2024", None, date(2024, 9, 11)),
        ("In 2023 March came early.", None, date(2023, 3, 9), None),
        ("It was held on February 30.", "2024", None, None),
        ("Version 10.5 May 12 2020x", "2024", None, None),
        ("They may 4 times a day sing.", "2024", None, None),
    ],
)
def test_days_of_events(text: str, edition: str | None, published: date | None, expected: date | None) -> None:
    assert event_date(text, edition=edition, published=published) == expected


# -- articles ------------------------------------------------------------------------------------------------------------


def about(title: str, text: str, published: date | None = None) -> tuple[Event, ...]:
    return resolve_article(title, text, published=published, names=NAMES)


def test_the_headline_names_the_event() -> None:
    (event, *others) = about("Backstage at the 2024 Grammys", "Swift, who won at the VMAs and the 2023 VMAs, came.")
    assert (event.key, event.edition, event.short_label) == (GRAMMYS, "2024", "2024 Grammys")
    assert [e.key for e in others] == [VMAS]


def test_an_event_named_in_passing_is_not_what_it_is_about() -> None:
    assert (
        about("Tutu is buried", "Desmond Tutu, who won the Nobel Prize, was buried on Sunday.", date(2022, 1, 3)) == ()
    )


def test_the_edition_is_the_year_published_only_for_the_main_event() -> None:
    (event,) = about("The night of the VMAs", "It was long.", date(2023, 9, 14))
    assert event.edition == "2023"
    assert about("The night of the VMAs", "It was long.")[0].edition is None
    both = about("VMAs and Grammys", "The VMAs were long. The Grammys were longer.", date(2023, 9, 14))
    assert [(e.key, e.edition) for e in both] == [(VMAS, "2023"), (GRAMMYS, None)]


def test_the_day_is_that_of_the_event() -> None:
    day = date(2022, 10, 5)
    text = (
        "OPEC said Wednesday that it will cut its output, weeks before the midterm elections. The midterms are close."
    )
    assert about("OPEC cuts its output before the midterms", text, day)[0].start is None
    text = "The World Cup finally gets underway on Sunday after years of questions."
    assert about("The World Cup", text, date(2022, 11, 19))[0].start == date(2022, 11, 20)
    text = "The VMAs were held on Tuesday. A lawyer said on Friday that he was sorry."
    assert about("The VMAs", text, date(2023, 9, 16))[0].start == date(2023, 9, 12)
    text = "A lawyer said on Friday that he was sorry. He had been at the VMAs."
    assert about("The VMAs", text, date(2023, 9, 16))[0].start is None
    text = "At the 2024 Grammys much went unseen.\nThe guests who filled the halls on Sunday, February 4, sang."
    assert about("Backstage at the 2024 Grammys", text)[0].start == date(2024, 2, 4)


@given(st.text(max_size=400), st.text(max_size=80), st.none() | DAYS)
def test_any_text_is_about_something_or_nothing(text: str, title: str, published: date | None) -> None:
    for e in about(title, text, published):
        assert e.key == slug(e.name) != ""
        assert e.edition is None or e.edition.isdigit()


WILD = st.lists(
    st.sampled_from(
        "the 2024 VMAs Grammys Cup on Sunday September 11 , ( ) ’ 's will May 5th Super Bowl XL LL annual in of".split()
    ),
    max_size=30,
).map(" ".join)


@given(WILD, DAYS)
def test_mentions_are_where_they_say(text: str, day: date) -> None:
    for is_question in (False, True):
        found = find_mentions(text, NAMES, asked=is_question)
        assert all(0 <= m.start < m.end <= len(text) for m in found)
        assert all(a.end <= b.start for a, b in pairwise(found))
    resolve_question(text, as_of=day, names=NAMES)
    about("", text, day)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "unit",
    [
        "x",
        "A ",
        "2024 A ",
        "Ab of the ",
        "2024 ",
        "the ",
        "May ",
        "Sunday ",
        "VMAs ",
        "a.b ",
        "September 1",
        "Cup ",
        "XX",
    ],
)
def test_no_text_takes_long(unit: str) -> None:
    text = unit * (60_000 // len(unit))
    about(text[:500], text, TODAY)
    resolve_question(text[:4000], as_of=TODAY, names=NAMES)
