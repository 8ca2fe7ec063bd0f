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
    edition_asked,
    edition_near,
    editions_said,
    event_date,
    find_mentions,
    load_names,
    nth_weekday,
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
    [
        "[[event]]\nname = 'x'\nmonths = [13]",
        "[[event]]\nname = 'x'\non = 'tenth Monday in May'",
        "[[event]]\nname = 'x'\nweekday = 'Someday'",
        "[[event]]\nname = 'x'\nheld = { 2020 = ['spring'] }",
    ],
)
def test_an_entry_that_cannot_be_used_is_a_sentence(tmp_path: Path, content: str) -> None:
    extra = tmp_path / "events.toml"
    extra.write_text(content)
    with pytest.raises(ConfigError, match=r"entry that cannot be used .*may hold\.$"):
        load_names(extra)


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


# -- names that several events, or things that are no events, have --------------------------------------------------------


def key_of(text: str, day: date | None = None, *, asked: bool = False) -> list[tuple[str, str | None]]:
    return [(m.key, m.edition) for m in find_mentions(text, NAMES, asked=asked, day=day) if not m.passing]


@pytest.mark.parametrize(
    ("text", "day", "expected"),
    [
        ("the 2026 World Cup", None, [("fifa-world-cup", "2026")]),
        ("the 2019 World Cup", None, [("fifa-womens-world-cup", "2019")]),  # the men's are even years
        ("the World Cup", date(2014, 6, 20), [("fifa-world-cup", None)]),
        (
            "the World Cup and its skiers, the slalom and the downhill of skiing",
            date(2017, 1, 9),
            [("ski-world-cup", None)],
        ),
        ("the Olympics", date(2018, 2, 15), [("summer-olympics", None)]),  # no word of winter beside it
        ("the 2018 Olympics", None, [("winter-olympics", "2018")]),
        (
            "at the Olympics, where curling and figure skating drew crowds",
            date(2018, 2, 15),
            [("winter-olympics", None)],
        ),
        ("the US Open golf, a birdie at the US Open", date(2018, 6, 15), [("us-open-golf", None)] * 2),
        ("the US Open, where tennis fans", date(2018, 9, 5), [("us-open-tennis", None)]),
        ("Under-20 World Cup", date(2015, 5, 29), []),
        ("a chairman of the Masters", None, []),  # no golf in sight
        ("the Masters at Augusta", None, [("masters-tournament", None)]),
        ("Oscar Mayer, at the Oscars", None, [("academy-awards", None)]),
        ("Democrats lost the 2010 election", None, [("us-midterm-elections", "2010")]),
        ("Democrats won the 2012 election", None, [("us-presidential-election", "2012")]),
        ("Democrats lost an election", None, []),
        ("France's 2017 presidential election", None, [("french-election", "2017")]),
        ("the French presidential runoff", None, [("french-election", None)]),
        ("the Springfield mayoral race", None, [("springfield-mayoral-election", None)]),
        ("the Harding murder trial", None, [("harding-trial", None)]),
        ("the trial of Ann Harding", None, [("harding-trial", None)]),
        ("the Acme vaccine trial, with a placebo", None, []),
        ("their 1st World Series crown", None, [("world-series", None)]),
        ("the Lantern Football Bowl Subdivision in 2025", None, []),
    ],
)
def test_what_a_name_means_follows_from_the_text_and_the_calendar(
    text: str, day: date | None, expected: list[tuple[str, str | None]]
) -> None:
    assert key_of(text, day) == expected


@pytest.mark.parametrize(
    "text",
    ["a two-time Grammy winner", "won an Emmy", "the canine equivalent of the Olympics", "former Super Bowl champion"],
)
def test_a_name_that_only_says_who_somebody_is_is_in_passing(text: str) -> None:
    assert [m.passing for m in find_mentions(text, NAMES)] == [True]
    assert resolve_question(f"Who is {text}?", as_of=TODAY, names=NAMES)[0] is None


def test_a_relative_year_beside_a_name_counts_from_the_day_of_the_text() -> None:
    assert key_of("next year's Met Gala", date(2017, 10, 26)) == [("met-gala", "2018")]
    assert key_of("next year's Met Gala") == [("met-gala", None)]


# -- the calendar of an event ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "year", "expected"),
    [
        ("first Monday in May", 2018, date(2018, 5, 7)),
        ("last Monday in May", 2021, date(2021, 5, 31)),
        ("Sunday before the last Monday in May", 2021, date(2021, 5, 30)),
        ("Tuesday after the first Monday in November", 2016, date(2016, 11, 8)),
        ("Monday after the first Monday in May", 2018, date(2018, 5, 14)),
        ("Monday before the first Monday in May", 2018, date(2018, 4, 30)),
        ("some Monday in May", 2018, None),
        ("first Monday in Maytime", 2018, None),
    ],
)
def test_a_day_of_the_calendar(rule: str, year: int, expected: date | None) -> None:
    assert nth_weekday(rule, year) == expected


@given(st.integers(1950, 2060))
def test_an_election_is_held_on_the_second_to_the_eighth_of_november(year: int) -> None:
    day = nth_weekday("Tuesday after the first Monday in November", year)
    assert day is not None
    assert (day.weekday(), day.month) == (1, 11)
    assert 2 <= day.day <= 8


@pytest.mark.parametrize(
    ("key", "day", "expected"),
    [
        ("super-bowl", date(2018, 11, 1), "2019"),
        ("super-bowl", date(2018, 3, 1), "2018"),
        ("super-bowl", date(2018, 8, 14), None),  # half a year from either
        ("fifa-world-cup", date(2017, 6, 1), "2018"),
        ("summer-olympics", date(2021, 7, 30), "2020"),  # moved to 2021
        ("emmy-awards", date(2024, 1, 16), "2023"),  # held in January
        ("us-presidential-election", date(2017, 2, 1), "2016"),
        ("carnival", date(2017, 2, 1), None),
    ],
)
def test_the_edition_that_a_bare_name_means_is_the_nearest(key: str, day: date, expected: str | None) -> None:
    known = NAMES.known.get(key)
    assert (edition_near(known, day) if known else None) == expected


@pytest.mark.parametrize(
    ("question", "day", "expected"),
    [
        ("Who won the Grammys?", date(2018, 9, 12), "2018"),
        ("Who will host the Grammys?", date(2018, 9, 12), "2019"),
        ("Who won at the Grammys this week?", date(2018, 2, 1), "2018"),
        ("Who leads the Grammys?", date(2017, 12, 12), None),  # those to come are near
        ("Who won the Grammys?", date(2018, 2, 20), "2018"),
    ],
)
def test_the_edition_that_a_question_means(question: str, day: date, expected: str | None) -> None:
    assert edition_asked(NAMES.known[GRAMMYS], question, as_of=day) == expected


def test_a_bare_sunday_is_the_coming_one_in_a_preview_and_the_last_one_in_a_report() -> None:
    preview = "Guests arrive for the Oscars on Sunday and hope for sun."
    report = "It rained when the Oscars were held on Sunday."
    assert about("Oscars 2019: what to know", preview, date(2019, 2, 22))[0].start == date(2019, 2, 24)
    assert about("Oscars 2019: the rain", report, date(2019, 2, 25))[0].start == date(2019, 2, 24)
    assert (
        about("Oscars 2019: the host", "A host of the Oscars was found on Friday.", date(2019, 2, 23))[0].start is None
    )


def test_a_day_out_of_the_months_of_the_event_is_not_believed() -> None:
    assert about("Oscars 2019: the date", "The Oscars film opens on May 26.", date(2019, 3, 1))[0].start is None
    assert about("The Met Gala of 2018", "The Met Gala is near.", date(2018, 4, 1))[0].start == date(2018, 5, 7)
    assert about("Met Gala 2020", "The Met Gala on May 4 was called off.", date(2020, 5, 4))[0].start is None


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
        ("Which singer of the 1990s died?", (None, None, None)),
        ("Which song from 1988 won at the Grammys?", (GRAMMYS, None, None)),  # the song's year
        ("In 1988, who won the Grammys?", (GRAMMYS, "1988", None)),
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
    text = "At the Grammys, Swift spoke of the VMAs. The 2023 VMAs were hers; at the VMAs she sang."
    (event, *others) = about("Backstage at the 2024 Grammys", text)
    assert (event.key, event.edition, event.short_label) == (GRAMMYS, "2024", "2024 Grammys")
    assert [e.key for e in others] == [VMAS]


def test_an_event_named_in_passing_is_not_what_it_is_about() -> None:
    assert (
        about("Tutu is buried", "Desmond Tutu, who won the Nobel Prize, was buried on Sunday.", date(2022, 1, 3)) == ()
    )


FILLER = "Nothing of note was said there, and nobody came to hear it. " * 40


@pytest.mark.parametrize(
    ("title", "text"),
    [
        (
            "Debt deal, floods, NBA finals ...",
            "Also in the news: the NBA Finals begin on Thursday. The NBA Finals are near.",
        ),
        ("5 things to know: the Oscars and more", "The Oscars are on Sunday. The Oscars are near."),
        ("COP28, a war, a strike, a flood", "The COP28 talks began. At COP28 all spoke."),
        ("Two-time Grammy winner Ann Lee dies", "Ann Lee, a two-time Grammy winner, died. She won a Grammy in 1988."),
        ("Ann Lee buys a farm", "She sang at the Oscars and at the Oscars of 2001. " + FILLER),
        ("Gas prices fall before the midterms", "Gas prices fell, weeks before the midterms. " + FILLER),
    ],
)
def test_an_article_that_mentions_an_event_is_not_about_it(title: str, text: str) -> None:
    assert about(title, text, date(2022, 10, 5)) == ()


def test_a_list_about_one_event_is_no_digest() -> None:
    assert about("5 Things You Missed At The 2024 Harvest Cup", "The 2024 Harvest Cup was long.")[0].edition == "2024"


def test_without_a_headline_the_first_sentence_says_what_it_is_about() -> None:
    text = "The 2024 VMAs were held on Wednesday (September 11). " + FILLER
    assert [(e.key, e.edition, e.start) for e in about("", text)] == [(VMAS, "2024", date(2024, 9, 11))]
    assert about("", "Ann Lee went to sea. She had been at the 2024 VMAs. " + FILLER) == ()


def test_the_headline_cut_short_lets_the_text_speak() -> None:
    text = (
        "The Oscars will have a host. The Oscars had none. "
        + FILLER[:1500]
        + "So the Oscars said. At the Oscars all wait."
    )
    assert [e.key for e in about("Ann Lee was asked to host the ...", text, date(2018, 2, 1))] == ["academy-awards"]
    assert about("Ann Lee was asked to host", "At the Oscars. " + FILLER, date(2018, 2, 1)) == ()


@pytest.mark.parametrize(
    ("title", "text", "day", "edition"),
    [
        ("Oscar race heats up: the Oscars", "The Oscars draw near.", date(2018, 12, 9), "2019"),
        (
            "Oscars: what we know",
            "The Oscars are near. " + FILLER + "The Oscars of 1929 were short. " * 9,
            date(2018, 2, 9),
            "2018",
        ),
        ("What the 2013 World Series meant", "The World Series of 2013.", date(2023, 4, 16), "2013"),
        ("The best Oscars of all time", "The Oscars, ranked.", date(2019, 2, 18), None),
        ("Emmys moved to January 2024", "The 75th Emmys move.", date(2023, 8, 10), "2023"),
    ],
)
def test_the_edition_follows_from_headline_text_and_calendar(
    title: str, text: str, day: date, edition: str | None
) -> None:
    assert about(title, text, day)[0].edition == edition


def test_the_world_cup_of_an_article_on_the_womens_is_the_womens() -> None:
    text = "The Women's World Cup is under way. The Women's World Cup is long. All love the World Cup."
    events = about("A World Cup for all", text, date(2022, 12, 1))
    assert [e.key for e in events] == ["fifa-womens-world-cup"]


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
    assert about("OPEC cuts its output before the midterms", text, day)[0].start == date(2022, 11, 8)  # not Wednesday
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


@pytest.mark.parametrize(
    "question", ["Lantern Music Awards 2024: who hosted?", "album of the year, lantern music awards 2024"]
)
def test_a_question_may_begin_with_an_event_that_no_file_knows(question: str) -> None:
    event, year = resolve_question(question, as_of=date(2025, 1, 1), names=load_names(None))
    assert event is not None
    assert (event.key, event.edition, year) == ("lantern-music-awards", "2024", None)


@pytest.mark.parametrize(
    "row",
    [
        "aliases = 0", "aliases = [1]", "aliases = [[]]", "shared = 10:00:00", "needs = 'music'", "every = inf", "months = [inf]",
        "first = 'x'", "first = 99999", "anchor = 99999", "short = 3", "held = {99999 = ['2021-03']}", "first = " + "9" * 5000,
        "x = " + "[" * 5000,
    ],
)  # fmt: skip
def test_an_events_file_of_other_types_is_a_sentence(tmp_path: Path, row: str) -> None:
    file = tmp_path / "events.toml"
    file.write_text(f"[[event]]\nname = 'Lantern Music Awards'\n{row}\n")
    with pytest.raises(ConfigError, match=r"The events file .*cannot be used"):
        load_names(file)


def test_the_calendar_ends_without_an_error() -> None:
    assert resolve_relative("tomorrow", published=date.max) is None
    assert resolve_relative("last night", published=date.min) is None
    assert resolve_relative("next Sunday", published=date.max) is None
