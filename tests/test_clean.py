"""Cleaning: what an article says about itself, white space and entities; never a word more, less or other."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.ingest.clean import Cleaned, blocks, clean, decode, is_credit, parse_date, split_credit
from tests.conftest import COPY, GALLERY, LISTICLE, REPORT


def kinds(c: Cleaned) -> list[tuple[str, str]]:
    return [(b.kind, c.text[b.start : b.end]) for b in blocks(c.text, title=c.title)]


# -- entities, characters ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Rema&#x27;s shoulder", "Rema's shoulder"),
        ("R&amp;B &amp;amp; soul", "R&B & soul"),
        ("caf&eacute;", "café"),
        ("cafe\u0301", "café"),
        ("a\u200bb\ufeffc\u00add", "abcd"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # a joiner that spells a word
        ("a\r\nb\rc", "a\nb\nc"),
        ("one\u2028two\u2029three\x0cfour\x0bfive\u0085six", "one\ntwo\nthree\nfour\nfive\nsix"),
        ("a\x00b\x07c\ud83dd", "abcd"),
        ("tab\tkept", "tab\tkept"),
        ("&#0;&#xD800;", "\ufffd\ufffd"),
        ("😀 漢字 Vélez", "😀 漢字 Vélez"),
    ],
)
def test_decode(raw: str, text: str) -> None:
    assert decode(raw) == text


@given(st.text())
def test_decoded_text_can_be_kept(text: str) -> None:
    decoded = decode(text)
    decoded.encode()  # no half surrogates
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", decoded)


# -- credits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "caption", "credit"),
    [
        ("Ana LimaPhoto: Getty Images", "Ana Lima", "Photo: Getty Images"),
        ("Karol G Photo: Getty Images", "Karol G", "Photo: Getty Images"),
        ("Lil Nas XPhoto:Getty Images", "Lil Nas X", "Photo: Getty Images"),
        (
            "Ana Lima and Jo BergPhoto: Max Stone for exampleRadio",
            "Ana Lima and Jo Berg",
            "Photo: Max Stone for exampleRadio",
        ),
        ("LE SSERAFIMPhoto: Max Stone", "LE SSERAFIM", "Photo: Max Stone"),
        ("Ana dancesPicture: Jane Doe", "Ana dances", "Picture: Jane Doe"),
        ("They danced. (Photo by Max Stone/Getty Images)", "They danced.", "(Photo by Max Stone/Getty Images)"),
        ("They danced. (AP Photo/Max Stone)", "They danced.", "(AP Photo/Max Stone)"),
        ("Fans line the quay. Max Stone/Reuters", "Fans line the quay.", "Max Stone/Reuters"),
        (
            "Boats on June 3, 2022. Jo de la Cruz/AFP/Getty Images",
            "Boats on June 3, 2022.",
            "Jo de la Cruz/AFP/Getty Images",
        ),
    ],
)
def test_a_credit_is_split_off_its_caption(line: str, caption: str, credit: str) -> None:
    assert split_credit(line) == [caption, credit]
    assert is_credit(credit)
    assert not is_credit(line)
    assert not is_credit(caption)


@pytest.mark.parametrize(
    "line",
    [
        "Best Picture: Oppenheimer",
        "Best Picture: The Lamp at the Quay",
        "Best Motion Picture: Drama",
        "He won (Picture of the Year)",
        "Social Credit: the system that watches",
        "Her Image: a study of light",
        "Photo: a love story in two acts begins here",
        "Rock / Pop News: what we heard",
        "Governor Sam B. Reed spoke. The boats went out and/or came home in time for the Times.",
        "Former state Rep. Max Stone/Getty Images",
        "The Daily Post/The News Journal contributed to this story.",
        "CNN | News",
        "The boat came home.",
        "Photo",
        "(2022)",
        "",
    ],
)
def test_what_only_looks_like_a_credit_is_left_alone(line: str) -> None:
    assert split_credit(line) == [line]
    assert not is_credit(line)


@pytest.mark.parametrize(
    "line",
    [
        "Max Stone / Getty Images for Example",
        "Theo Park / Variety via Getty Images",
        "Taylor Reed / FilmMagic",
        "Photo: Getty Images",
        "Photo Credit: Jane Doe",
        "Photograph by Jane Doe",
        "Image: Jane Doe",
        "(Photo by Jane Doe/Getty Images)",
        "AP Photo/Jane Doe",
        "Getty Images",
    ],
)
def test_credits(line: str) -> None:
    assert is_credit(line)
    assert split_credit(line) == [line]


@given(st.text(max_size=600))
@example("Photo: Photo: Photo: A")
def test_splitting_loses_nothing(line: str) -> None:
    assert re.sub(r"\s", "", "".join(split_credit(line))) == re.sub(r"\s", "", line)


# -- lines ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (
            "In case you slept through it, Tuesday night was the 2023 Lantern\nMusic Awards, and the boats came out. They were\nmany.",
            "In case you slept through it, Tuesday night was the 2023 Lantern Music Awards, and the boats came out. They were many.",
        ),
        ("The boats came\nhome with fish.", "The boats came home with fish."),
        ("They met Kim and\nAna on the quay.", "They met Kim and Ana on the quay."),
        ("7.\nAna sang first.", "7. Ana sang first."),
        ("Ana sang.\nJo danced.", "Ana sang.\nJo danced."),
        ("Ana Lima\nJo Berg\nKim Oduya", "Ana Lima\nJo Berg\nKim Oduya"),
        ("They danced\n\nand sang.", "They danced\n\nand sang."),
        (
            "Ana and Jo\nPhoto: Getty Images\nand then some more words",
            "Ana and Jo\nPhoto: Getty Images\nand then some more words",
        ),
        ("One\n\n\n\n\nTwo", "One\n\nTwo"),
        ("a  b\u00a0\u2003c\t d", "a b c d"),
    ],
)
def test_lines_broken_in_mid_sentence_are_joined(raw: str, text: str) -> None:
    assert clean(raw, title="Given").text == text


@given(st.text(max_size=1500), st.none() | st.text(max_size=100))
@example("date 2023-09-14 Text", None)
@example("By Ann\n\nBy Ann", None)
def test_cleaning_never_rewords(text: str, title: str | None) -> None:
    """Every word of the text is there, in order, but for a date line that was taken off its front."""
    cleaned = clean(text, title=title)
    letters = re.sub(r"[\s:]", "", decode(text))  # "Photo:Getty" is given its space
    kept = re.sub(r"[\s:]", "", cleaned.text)
    assert letters.endswith(kept)
    assert len(letters) - len(kept) <= 60
    assert cleaned.text == cleaned.text.strip()
    assert cleaned.title is None or cleaned.title == cleaned.title.strip() != ""


@given(st.lists(st.text(max_size=80), max_size=12).map("\n".join))
def test_cleaning_clean_text_changes_nothing(text: str) -> None:
    once = clean(text, title="T").text
    twice = clean(once, title="T").text
    assert clean(twice, title="T").text == twice


# -- what an article says about itself -----------------------------------------------------------------------------------


def test_a_listicle() -> None:
    c = clean(LISTICLE)
    assert (c.title, c.authors, c.outlet) == (
        "7 Quiet Moments From The 2023 Lantern Music Awards",
        ("Rosa Field",),
        "Example Weekly",
    )
    found = kinds(c)
    assert [k for k, _ in found] == ["title", "byline", "byline", "text", "item", "item", "item", "item"]
    assert found[4][1].endswith("Ana Lima between her brothers, laughing\nMax Stone / Getty Images for Example")


def test_a_copy_with_broken_lines() -> None:
    c = clean(COPY)
    assert (c.title, c.published) == (None, date(2023, 5, 11))
    assert c.text.startswith("In case you slept through it, Tuesday night was the 2023 Lantern Music Awards, and")
    items = [t for k, t in kinds(c) if k == "item"]
    assert [t[:6] for t in items] == ["1. Ana", "3. The", "4. Lou"]
    assert "\n" not in items[0]


def test_a_gallery() -> None:
    c = clean(GALLERY)
    captions = [t for k, t in kinds(c) if k == "caption"]
    assert captions == [
        "Ana Lima\nPhoto: Getty Images",
        "Jo Berg and Kim Oduya\nPhoto: Max Stone for Example Radio",
        "The Harbour Five\nPhoto: Getty Images",
    ]


def test_a_report_of_an_agency() -> None:
    c = clean(REPORT)
    assert (c.title, c.outlet, c.authors) == ("Fishermen Open the New Market at Port Alder", "Reuters", ())
    assert "\n" in c.text


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("The Boats of Port Alder\n\nThey came home.", "The Boats of Port Alder"),
        ("The boats came home to the quay.\n\nThey had fish.", None),  # a sentence
        ("The boats came\nhome to the quay and had fish.", None),  # a sentence broken over two lines
        ("1. Ana sang\n\n2. Jo danced", None),
        ("Short\n\nToo short to be one.", None),
        ("x" * 200 + "\n\nMore.", None),
        ("Only One Line Here", None),
        ("Ana Lima and Jo Berg\nPhoto: Getty Images\nMore", None),  # a caption
        ("Six Boats Came Home on Sunday Night\nThe harbour was full of lamps.", "Six Boats Came Home on Sunday Night"),
    ],
)
def test_a_headline_is_taken_for_what_it_is(text: str, title: str | None) -> None:
    assert clean(text).title == title
    assert clean(text, title="Given").title == "Given"


@pytest.mark.parametrize(
    ("line", "authors", "outlet"),
    [
        ("By Rosa Field", ("Rosa Field",), None),
        ("by Rosa Field and Jo de la Cruz", ("Rosa Field", "Jo de la Cruz"), None),
        ("Words by Rosa Field, Kim Oduya", ("Rosa Field", "Kim Oduya"), None),
        ("By Rosa Field | Example Weekly", ("Rosa Field",), "Example Weekly"),
        ("By the time they came home", (), None),
        ("By Monday it was over.", (), None),
        ("Example Weekly Staff", (), "Example Weekly"),
    ],
)
def test_bylines(line: str, authors: tuple[str, ...], outlet: str | None) -> None:
    c = clean(f"A Headline of Some Length\n\n{line}\n\nThe boats came home.")
    assert (c.authors, c.outlet) == (authors, outlet)
    given = clean(f"A Headline of Some Length\n\n{line}\n\nText.", authors=("Ann",), outlet="Given")
    assert (given.authors, given.outlet) == (("Ann",), "Given")


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("date 2023-09-14 The boats came home.", date(2023, 9, 14)),
        ("Published: September 14, 2023 | The boats came home.", date(2023, 9, 14)),
        ("Updated 2023-09-14T10:00:00Z The boats came home.", date(2023, 9, 14)),
        ("The Boats of Port Alder\n\nSeptember 14, 2023\n\nThey came home.", date(2023, 9, 14)),
        ("The Boats of Port Alder\n\nPublished on 14 September 2023\n\nThey came home.", date(2023, 9, 14)),
        ("The boats came home on September 14, 2023, at night.", None),
        ("date 2023-99-99 The boats came home.", None),
    ],
)
def test_dates_printed_on_an_article(text: str, published: date | None) -> None:
    assert clean(text).published == published
    assert clean(text, published=date(2001, 1, 1)).published == date(2001, 1, 1)


@pytest.mark.parametrize(
    ("text", "outlet"),
    [
        ("CNN —\n\nThe boats came home.", "CNN"),
        ("PORT ALDER (AP) — The boats came home.", "AP"),
        ("PORT ALDER, Reuters - The boats came home.", "Reuters"),
        ("The boats came home. Stick with eRadio for more.", "eRadio"),
        ("Reuters reported that the boats came home.", None),
    ],
)
def test_outlets(text: str, outlet: str | None) -> None:
    assert clean(text, title="Given").outlet == outlet
    assert clean("The boats came home.", title="The Boats of Port Alder | CNN").outlet == "CNN"


def test_parse_date() -> None:
    assert parse_date("14 Sept. 2023") == date(2023, 9, 14)
    assert parse_date("soon") is None


# -- blocks --------------------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.sampled_from(
            ["1. Ana", "2. Jo sang:", "3.", "Photo: Getty Images", "Ana and Jo", "", "The boat came home."]
        ),
        max_size=30,
    )
)
def test_blocks_cover_every_line_once_and_in_order(lines: list[str]) -> None:
    c = clean("\n".join(lines), title="T")
    found = blocks(c.text, title=c.title)
    assert all(a.end <= b.start for a, b in pairwise(found))
    covered = {n for b in found for n in range(b.start, b.end)}
    assert all(n in covered for n, letter in enumerate(c.text) if not letter.isspace())
    assert all(b.credit is None or b.start <= b.credit < b.end for b in found)


def test_a_lone_number_makes_no_list() -> None:
    c = clean("The boats came home.\n3. This is no list.\nMore.", title="T")
    assert {k for k, _ in kinds(c)} == {"text"}


def test_a_list_may_count_down() -> None:
    c = clean("\n\n".join(f"{n}. Boat {n}" for n in range(20, 0, -1)), title="T")
    assert [t for k, t in kinds(c) if k == "item"] == [f"{n}. Boat {n}" for n in range(20, 0, -1)]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit", ["x", "X ", "a/", "By A ", "1. ", "| ", "A-", "(", "Photo: ", "and ", "&amp;", "J. ", "\n\n", "A|B"]
)
def test_no_text_takes_long(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    c = clean(text)
    blocks(c.text, title=c.title)
    clean("Text.", title=text[:20_000])
    clean("\n".join([text[:499]] * 40))


def test_a_year_that_no_article_has_is_no_date() -> None:
    assert parse_date("9999-12-31") is None
    assert clean("date 9999-12-31 The market opened yesterday.").published is None
