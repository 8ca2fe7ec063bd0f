"""What can be looked around in: events, the timeline, who is seen with whom; and the pictures of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import combinations
from pathlib import Path
from urllib.parse import unquote

import pytest

from rag import explore
from rag.explore import Moment, Pair, Person, SeenWith, Sighting, group_sightings, seen_with, sightings
from rag.ingest.clean import clean
from rag.ingest.pipeline import ingest
from rag.store.library import Library
from rag.types import Article, Event
from tests.conftest import write_articles
from ui import explore as drawn
from ui import network
from ui.network import Cluster
from ui.strings import EN
from ui.strings import Strings as Words

GALLERY = """Behind the curtain at the 2024 Lantern Music Awards

By Rosa Field

May 6, 2024

The 2024 Lantern Music Awards filled the harbour hall in Port Alder on Sunday, May 5, and the cameras went backstage.

Ana Lima and Kim OduyaPhoto: Getty Images
Jo BergPhoto: Getty Images
Ana Lima, Jo Berg and Zuri Photo: Max Stone for Example Radio
Ana Lima and Kim OduyaPhoto: Getty Images
Petra Voss of The Tide, Otto Blank and Nils Aker of The TidePhoto: Getty Images
"""
REPORT = """Rain did not stop the 2023 Lantern Music Awards

By Simon Oake

May 10, 2023

The 2023 Lantern Music Awards took place at the Old Mill in Gransund on Tuesday, May 9.

Mara Quist posed with Ivo Kern on the stairs before the doors opened. Tilda Noor beat Mara Quist's record by four votes.

Vera Holm and her husband, Otto Blank, shared a quiet moment in the second row.
"""
OTHER = """The harbour fair opened in the rain

June 2, 2023

Forty boats came to the harbour fair on Friday, and nobody sang.
"""


def article(text: str, **changes: object) -> Article:
    cleaned = clean(text)
    made = Article("a", "file:///a.txt", cleaned.title or "", cleaned.text, published=cleaned.published, cluster="a")
    return replace(made, **changes)  # type: ignore[arg-type]


def together(text: str) -> list[tuple[str, ...]]:
    """Who is together in a text that also says, far from it, who everybody is."""
    return [s.names for s in sightings(article(f"{text}\n"))]


@pytest.fixture
def filled(tmp_path: Path, make_library: Callable[..., Library]) -> Library:
    library = make_library()
    copy = GALLERY.replace("Jo BergPhoto: Getty Images\n", "").replace("May 6, 2024", "May 8, 2024")
    texts = {"gallery.txt": GALLERY, "copy.txt": copy, "report.txt": REPORT, "other.txt": OTHER}
    ingest(library, [str(write_articles(tmp_path / "texts", texts))])
    return library


def event_of(library: Library, edition: str) -> Event:
    return next(e for e, _ in library.events() if e.edition == edition)


# --- captions and sentences -------------------------------------------------------------------------------------------


def test_every_sighting_is_an_exact_span_of_its_article() -> None:
    for text in (GALLERY, REPORT):
        a = article(text)
        found = sightings(a)
        assert found
        for s in found:
            assert a.text[s.start : s.end] == s.quote
            assert len(s.names) > 1
            assert all(word in s.quote for name in s.names for word in name.split()[:1])


def test_everybody_in_a_caption_is_together_but_not_their_band_or_the_photographer() -> None:
    found = [s.names for s in sightings(article(GALLERY)) if s.kind == "caption"]
    assert found == [
        ("Ana Lima", "Kim Oduya"),
        ("Ana Lima", "Jo Berg", "Zuri"),
        ("Ana Lima", "Kim Oduya"),
        ("Petra Voss", "Otto Blank", "Nils Aker"),
    ]


@pytest.mark.parametrize(
    ("sentence", "names"),
    [
        ("Mara Quist posed with Ivo Kern on the stairs.", ("Mara Quist", "Ivo Kern")),
        ("Mara Quist hugged Ivo Kern backstage.", ("Mara Quist", "Ivo Kern")),
        ("Mara Quist and Ivo Kern shared a long laugh.", ("Mara Quist", "Ivo Kern")),
        ("Mara Quist and Ivo Kern threw their arms around each other.", ("Mara Quist", "Ivo Kern")),
        ("Mara Quist arrived with her teenage son, Ivo Kern, before noon.", ("Mara Quist", "Ivo Kern")),
        ("Mara Quist was joined on stage by drummer Ivo Kern.", ("Mara Quist", "Ivo Kern")),
        ("Mara Quist, alongside her editor Ivo Kern, posed for the cameras.", ("Mara Quist", "Ivo Kern")),
        ("Pregnant Mara Quist and her husband, Ivo Kern, shared a moment.", ("Mara Quist", "Ivo Kern")),
        ("Culture minister Mara Quist stood beside GOP Governor Ivo Kern.", ("Mara Quist", "Ivo Kern")),
        ('Mara "Mo" Quist kissed Ivo Álvarez.', ('Mara "Mo" Quist', "Ivo Álvarez")),
        ("She sat with her friends Mara Quist, Ivo Kern and Lou Marsh.", ("Mara Quist", "Ivo Kern", "Lou Marsh")),
    ],
)
def test_those_whom_a_sentence_says_to_be_together_are(sentence: str, names: tuple[str, ...]) -> None:
    assert together(f"It was a long evening by the water.\n\n{sentence}") == [names]


@pytest.mark.parametrize(
    "sentence",
    [
        "Mara Quist beat Ivo Kern's record.",
        "Mara Quist lost to Ivo Kern.",
        "Mara Quist and Ivo Kern were nominated for three prizes.",
        "Mara Quist did not pose with Ivo Kern.",
        "Mara Quist hopes to sing with Ivo Kern one day.",
        "Mara Quist said Lou Marsh would dance with Ivo Kern.",
        "Mara Quist talked by phone with Ivo Kern.",
        "Mara Quist's brother posed with Ivo Kern.",
        "Mara Quist posed with a portrait of Ivo Kern.",
        "Mara Quist and Ivo Kern battled each other in court.",
        "The fans of Mara Quist danced with Ivo Kern.",
        "Mara Quist performed at the Harbour Hall with the Port Alder Orchestra.",
        "Mara Quist posed with the Golden Anchor Award.",
        'Mara Quist sang "Dancing With Ivo Kern" twice.',
        "Mara Quist arrived in Port Alder. Ivo Kern sang alone.",
        "Mara Quist greeted Ivo Kern with a home run.",
    ],
)
def test_who_is_merely_mentioned_is_not_seen_with(sentence: str) -> None:
    assert together(f"It was a long evening by the water.\n\n{sentence}") == []


@pytest.mark.parametrize(
    "caption",
    [
        "Mara Quist beside a statue of Ivo Kern",
        "Mara Quist in Gransund, Kaldmark",
        "Mara Quist held off Ivo Kern in the last race of the year.",
        "Students walk along the quay of Port Alder with a long banner that nobody of the many people there could read",
        "Seven-time winner Mara Quist",
    ],
)
def test_a_caption_that_shows_one_person_makes_no_pair(caption: str) -> None:
    assert together(f"It was a long evening by the water.\n\n{caption}\nPhoto: Getty Images") == []


def test_a_part_of_a_name_is_the_person_whom_the_article_names_in_full() -> None:
    text = "1. Mara Quist sang for Ivo Kern.\n\nMara and Ivo hugging\nMax Stone / Getty Images\n\n2. Lou Marsh left.\n\nLou\nMax Stone / Getty Images\n"
    assert together(text) == [("Mara Quist", "Ivo Kern")]


def test_a_part_that_two_people_share_is_nobody() -> None:
    text = "Mara Quist sang. Mara Holm danced.\n\nMara hugged Ivo Kern."
    assert together(text) == []


def test_siblings_share_the_surname_that_is_said_once() -> None:
    assert together("Sisters Eva and Ana Lima shared a quiet moment.\n") == [("Eva Lima", "Ana Lima")]


# --- grouping ---------------------------------------------------------------------------------------------------------


def seen(*names: str, article: str = "a", start: int = 0, **more: object) -> tuple[str, Sighting]:
    quote = str(more.pop("quote", " and ".join(names)))
    made = Sighting(article, start, start + len(quote), quote, "caption", names)
    return article, replace(made, **more)  # type: ignore[arg-type]


def test_captions_come_first_and_names_are_compared_without_accents_and_case() -> None:
    found = group_sightings(
        [
            seen("José Ruiz", "LL Marsh", kind="sentence", published=date(2024, 5, 2)),
            seen("Jose Ruiz", "ll marsh", article="b", published=date(2023, 5, 2)),
        ]
    )
    assert [len(p.sightings) for p in found.pairs] == [2]
    assert [s.kind for s in found.pairs[0].sightings] == ["caption", "sentence"]
    assert len(found.people) == 2


def test_copies_of_a_piece_count_once_even_if_only_a_copy_shows_it(filled: Library) -> None:
    found = seen_with(filled, event=event_of(filled, "2024").key, edition="2024")
    assert found.articles == 2
    pair = next(p for p in found.pairs if {p.a, p.b} == {"Ana Lima", "Kim Oduya"})
    assert len(pair.sightings) == 2, "two pictures of the gallery, and none of its copy"
    assert len({s.article_id for s in pair.sightings}) == 1


def test_a_long_caption_that_two_pieces_carry_is_one_picture() -> None:
    quote = "Mara Quist and Ivo Kern on the stairs of the old mill, with lanterns in their hands"
    found = group_sightings(
        [seen("Mara Quist", "Ivo Kern", article=a, quote=quote) for a in ("a", "b")]
        + [seen("Mara Quist", "Ivo Kern", article=a) for a in ("c", "d")]
    )
    assert [s.article_id for s in found.pairs[0].sightings] == ["a", "c", "d"]


def test_one_person_s_view_has_that_person_in_every_pair(filled: Library) -> None:
    found = seen_with(filled, person="  ana LIMA ")
    assert found.person == "Ana Lima"
    assert found.people[0] == Person("Ana Lima", 3, 3)
    assert {n for p in found.pairs for n in (p.a, p.b)} == {"Ana Lima", "Kim Oduya", "Jo Berg", "Zuri"}
    assert all("Ana Lima" in (p.a, p.b) for p in found.pairs)


def test_only_the_most_seen_people_are_kept_and_the_others_counted() -> None:
    many = [seen("Hub One", f"Name{chr(97 + i)} Surname", start=i) for i in range(26)]
    found = group_sightings(many, people=10)
    assert (len(found.people), found.more_people, len(found.pairs)) == (10, 17, 9)


def test_an_event_s_view_has_only_its_edition(filled: Library) -> None:
    key = event_of(filled, "2024").key
    assert {s.event for p in seen_with(filled, event=key, edition="2023").pairs for s in p.sightings} == {
        "2023 Lantern Music Awards"
    }
    everything = seen_with(filled)
    assert {s.event for p in everything.pairs for s in p.sightings} == {
        "2023 Lantern Music Awards",
        "2024 Lantern Music Awards",
    }
    assert everything == seen_with(filled)


@pytest.mark.parametrize(
    "name", ["", "  ", "!!", '"', 'x" OR "y', "NEAR(a b)", "Nobody Here", "\0", "text:*", "é" * 500]
)
def test_any_name_can_be_asked_for(filled: Library, name: str) -> None:
    found = seen_with(filled, person=name)
    assert found.pairs == ()
    assert name.strip() == "" or text_of(drawn.seen_with(found, EN, person=name))


def test_an_empty_library_has_nothing_and_says_so(make_library: Callable[..., Library]) -> None:
    library = make_library()
    assert seen_with(library) == SeenWith()
    assert explore.timeline(library) == ()
    assert explore.event_page(library, "nothing", None) is None
    assert EN.x_seen_none in text_of(drawn.seen_with(seen_with(library), EN))
    assert EN.x_no_moments in text_of(drawn.timeline((), EN))
    assert EN.x_no_events in text_of(drawn.events([], EN))


def test_what_is_not_read_is_counted(filled: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explore, "MOST_ARTICLES", 1)
    found = seen_with(filled)
    assert (found.articles, found.unread) == (1, 2)
    assert EN.x_unread.format(n=1, all=3) in text_of(drawn.seen_with(found, EN))


# --- events and the timeline --------------------------------------------------------------------------------------------


def test_an_event_page_counts_pieces_once_and_articles_all(filled: Library) -> None:
    page = explore.event_page(filled, event_of(filled, "2024").key, "2024")
    assert page is not None
    assert (page.articles, len(page.pieces), len(page.pieces[0].copies)) == (2, 1, 1)
    assert page.captions == 5
    assert (page.first, page.last) == (date(2024, 5, 6), date(2024, 5, 8))
    assert page.pieces[0].published == date(2024, 5, 6)
    assert page.event.start == date(2024, 5, 5)
    assert explore.event_page(filled, page.event.key, "1999") is None


def test_the_timeline_has_each_day_held_and_each_piece_once_in_order(filled: Library) -> None:
    moments = explore.timeline(filled)
    assert [(m.kind, m.day) for m in moments] == [
        ("held", date(2023, 5, 9)),
        ("published", date(2023, 5, 10)),
        ("published", date(2023, 6, 2)),
        ("held", date(2024, 5, 5)),
        ("published", date(2024, 5, 6)),
    ]
    assert moments[-1].copies == 2
    one = explore.timeline(filled, event=event_of(filled, "2023").key, edition="2023")
    assert [m.day for m in one] == [date(2023, 5, 9), date(2023, 5, 10)]


def test_pieces_without_a_date_are_counted_at_the_end() -> None:
    dated, undated = article(OTHER), article("Nothing much happened\n\nAt all.", id="b", cluster="b")
    moments = explore.moments_of(explore.pieces_of([undated, dated]), [])
    assert [m.day for m in moments] == [date(2023, 6, 2), None]
    shown = drawn.timeline(moments, EN)
    assert EN.x_undated_one in text_of(shown)
    assert "passage:b:0:0" in values(shown)


# --- what is drawn ------------------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    "[click](javascript:alert(1)) ![x](http://evil.example/p.png)",
    '" onmouseover="alert(1)',
    "</title></svg><iframe src=http://evil.example>",
    "a\n\n# heading `code` $x$",
    "abc\u202egpj.exe",
)


def values(markup: str) -> list[str]:
    return re.findall(r'<button type="button" class="act[^"]*" value="([^"]*)"', markup)


def text_of(markup: str) -> str:
    import html

    return html.unescape(re.sub(r"<[^>]*>", " ", markup))


def everything(filled: Library, name: str = "") -> list[str]:
    page = explore.event_page(filled, event_of(filled, "2024").key, "2024")
    assert page is not None
    return [
        drawn.events(filled.events(), EN),
        drawn.event(page, ["Who hosted the show?"], EN),
        drawn.timeline(explore.timeline(filled), EN),
        drawn.seen_with(seen_with(filled), EN),
        drawn.seen_with(seen_with(filled, person="Ana Lima"), EN, person="Ana Lima"),
    ]


def test_every_button_leads_where_its_verb_says(filled: Library) -> None:
    verbs = set()
    for markup in everything(filled):
        assert "\n" not in markup
        for value in values(markup):
            verb, *arguments = (unquote(part) for part in value.split(":"))
            verbs.add(verb)
            if verb == "passage":
                found = filled.article(arguments[0])
                assert found is not None
                start, end = map(int, arguments[1:])
                assert 0 <= start <= end <= len(found.text)
            elif verb == "event":
                assert explore.event_page(filled, arguments[0], arguments[1]) is not None
            elif verb == "person":
                assert seen_with(filled, person=arguments[0]).pairs
            else:
                assert (verb, arguments) == ("ask", ["Who hosted the show?"])
    assert verbs == {"passage", "event", "person", "ask"}


def test_each_quote_s_button_has_its_exact_span(filled: Library) -> None:
    found = seen_with(filled)
    spans = {f"passage:{g.article_id}:{g.start}:{g.end}" for p in found.pairs for g in p.sightings}
    assert spans == {v for v in values(drawn.seen_with(found, EN)) if v.startswith("passage")}


@pytest.mark.parametrize("evil", HOSTILE)
def test_hostile_names_stay_text(evil: str) -> None:
    happened = Event(evil, evil, "2024", date(2024, 5, 5))
    found = group_sightings([seen(f"Ann {evil}", f"Bob {evil}", quote=evil, outlet=evil, event=evil)], person=None)
    piece = article(OTHER, title=evil, outlet=evil, events=(happened,), id=evil)
    page = explore.EventPage(happened, (explore.Piece(piece, (piece,), piece.published),), 2, 1, (evil,))
    moments = [Moment(date(2024, 5, d), "published", happened, evil, evil, evil) for d in range(1, 9)]
    for markup in (
        drawn.events([(happened, 1)], EN),
        drawn.event(page, [evil], EN),
        drawn.timeline([*moments, Moment(date(2024, 6, 1), "held", happened, title=evil)], EN),
        drawn.seen_with(found, EN),
        drawn.seen_with(SeenWith(person=evil), EN, person=evil),
    ):
        assert "\n" not in markup
        assert "\u202e" not in markup
        tags = set(re.findall(r"<(\w+)", markup))
        assert not tags & {"script", "iframe", "img", "style", "a"}
        for tag in re.findall(r"<[^>]*>", markup):
            assert 'onmouseover="' not in tag
            assert "![" not in tag
        assert "](" not in markup
        assert "`" not in markup


def a_web(people: int, shape: str = "web") -> SeenWith:
    names = [f"Person{chr(65 + i % 26)} Surname{'x' * (i % 15)}{i}" for i in range(people)]
    every = list(combinations(range(people), 2))
    pairs = {
        "web": [(a, b) for n, (a, b) in enumerate(every) if n % 7 == 0 or b == a + 1],
        "star": [(0, b) for b in range(1, people)],
        "chain": [(b - 1, b) for b in range(1, people)],
        "all": every,
        "pairs": [(b - 1, b) for b in range(1, people, 2)],
    }[shape]
    return group_sightings([seen(names[a], names[b], start=n) for n, (a, b) in enumerate(pairs)], people=people)


def check_nothing_overlaps(cluster: Cluster, room: float) -> None:
    assert cluster.width <= room
    for n in cluster.nodes:
        left, right, top, bottom = n.box
        assert 0 <= left < right <= cluster.width
        assert 0 <= top < bottom <= cluster.height
        assert n.r <= n.x <= cluster.width - n.r
        assert n.r <= n.y <= cluster.height - n.r
    for a, b in combinations(cluster.nodes, 2):
        apart = a.box[1] <= b.box[0] or b.box[1] <= a.box[0] or a.box[3] <= b.box[2] or b.box[3] <= a.box[2]
        assert apart, (a.name, b.name)
        assert math.hypot(a.x - b.x, a.y - b.y) >= a.r + b.r + 10, "too near for a line to be seen"
        for dot, label in ((a, b), (b, a)):
            left, right, top, bottom = label.box
            assert not (left < dot.x + dot.r and dot.x - dot.r < right and top < dot.y < bottom), (
                "a dot lies on a label"
            )


@pytest.mark.parametrize(
    ("people", "shape"),
    [(n, "web") for n in (*range(2, 25), 40)]
    + [(n, shape) for shape in ("star", "chain", "all", "pairs", "one") for n in (2, 3, 4, 7, 15, 24, 40)],
)
def test_no_label_of_the_picture_overlaps_another_or_leaves_it(people: int, shape: str) -> None:
    found = a_web(people, "web" if shape == "one" else shape)
    if shape == "one":
        me = found.people[0].name
        found = group_sightings([seen(me, p.name, start=n) for n, p in enumerate(found.people[1:])], person=me)
    for room in (network.SLIM, network.BROAD):
        clusters = drawn.layout(found, room=room)
        for cluster in clusters:
            check_nothing_overlaps(cluster, room)
            assert all(n.label == n.name for n in cluster.nodes), "names are drawn in full"
        names = [n.name for c in clusters for n in c.nodes]
        assert (
            len(set(names))
            == len(names)
            == min(people // 2 * 2 if shape == "pairs" else people, 40 if shape == "pairs" else drawn.KNOT)
        )


@pytest.mark.parametrize("length", [60, 400])
def test_a_name_that_is_wider_than_a_phone_is_shortened_and_still_overlaps_nothing(length: int) -> None:
    names = [f"{'Wwwww ' * (length // 6)}{i}" for i in range(9)]
    found = group_sightings([seen(a, b, start=n) for n, (a, b) in enumerate(combinations(names, 2))])
    (cluster,) = drawn.layout(found, room=network.SLIM)
    check_nothing_overlaps(cluster, network.SLIM)
    assert all(n.label.endswith("…") for n in cluster.nodes)
    assert {n.name for n in cluster.nodes} == {p.name for p in found.people}


def test_a_few_partners_take_little_room() -> None:
    heights = []
    for partners in (1, 2, 3, 8, 20):
        found = group_sightings(
            [seen("Mara Quist", f"Ivo Kern{'x' * i}", start=i) for i in range(partners)], person="Mara Quist"
        )
        (cluster,) = drawn.layout(found, room=network.BROAD)
        heights.append(cluster.height)
    assert heights == sorted(heights)
    assert heights[0] < 40
    assert heights[1] < 60


def test_those_who_hang_together_are_drawn_together_the_largest_group_first() -> None:
    told = [("Ana A", "Bea B"), ("Cai C", "Dov D"), ("Dov D", "Eli E"), ("Fay F", "Gus G"), ("Gus G", "Hal H"), ("Hal H", "Fay F"), ("Hal H", "Ida I")]  # fmt: skip
    found = group_sightings([seen(a, b, start=n) for n, (a, b) in enumerate(told)])
    assert [sorted(n.name[0] for n in c.nodes) for c in drawn.layout(found, room=network.SLIM)] == [
        ["F", "G", "H", "I"],
        ["C", "D", "E"],
        ["A", "B"],
    ]


def test_who_is_seen_more_often_has_a_larger_dot_and_a_thicker_line() -> None:
    found = group_sightings(
        [seen("Mara Quist", "Ivo Kern", start=i) for i in range(3)] + [seen("Mara Quist", "Lou Marsh", start=9)]
    )
    (cluster,) = drawn.layout(found, room=network.SLIM)
    size = {n.name: n.r for n in cluster.nodes}
    assert size["Mara Quist"] > size["Ivo Kern"] > size["Lou Marsh"]
    wide = [float(w) for w in re.findall(r'class="x-edge"[^>]* stroke-width="([\d.]+)"', drawn.graph(found, EN))]
    assert len(wide) == 2
    assert wide[0] > wide[1]


@pytest.mark.parametrize("person", [None, "Ana Lima"])
def test_each_line_and_dot_carries_the_mark_of_one_button_that_says_the_same(
    filled: Library, person: str | None
) -> None:
    found = seen_with(filled, person=person)
    markup = drawn.seen_with(found, EN, person=person)
    picture, listing = re.search(r"<figure.*?</figure>", markup), re.search(r'<div class="x-list">.*', markup)
    assert picture
    assert listing
    lines = set(re.findall(r'<g class="x-tie (go-\d+)"><title>([^<]+)</title>', picture[0]))
    dots = set(re.findall(r'<g class="x-node (go-p\d+)"><title>([^<]+)</title>', picture[0]))
    assert len(lines) == len(found.pairs)
    assert {name for _, name in dots} == {p.name for p in found.people} - {person}
    marked = re.findall(r'<button type="button" class="act [\w-]+ (go-p?\d+)" value="([^"]*)"', listing[0])
    assert len(dict(marked)) == len(marked), "no mark stands twice"
    leads = dict(marked)
    for mark, words in lines:
        p = found.pairs[int(mark.removeprefix("go-"))]
        assert p.a in text_of(words)
        assert p.b in text_of(words)
        g = p.sightings[0]
        assert leads[mark] == f"passage:{g.article_id}:{g.start}:{g.end}"
    for mark, name in dots:
        assert unquote(leads[mark]) == f"person:{name}"


def test_the_same_people_are_drawn_the_same_and_the_rest_is_counted() -> None:
    found = a_web(30)
    assert drawn.graph(found, EN) == drawn.graph(a_web(30), EN)
    markup = drawn.seen_with(found, EN)
    assert EN.x_undrawn_many.format(n=30 - drawn.KNOT) in text_of(markup)
    assert markup.count('class="x-node') == 2 * drawn.KNOT, "for a narrow and for a wide column"
    for p in found.people:
        assert p.name in text_of(markup), "everybody is in the list"


def test_nobody_is_drawn_or_counted_without_a_line() -> None:
    pairs = [(f"Left{i} Name", f"Right{i} Name") for i in range(30)]
    found = group_sightings([seen(a, b, start=i) for i, (a, b) in enumerate(pairs)], people=60)
    names = {n.name for c in drawn.layout(found, room=network.SLIM) for n in c.nodes}
    assert len(names) == drawn.DRAWN
    assert all(any({p.a, p.b} <= names and n in (p.a, p.b) for p in found.pairs) for n in names)
    cut = group_sightings([seen(a, b, start=i) for i, (a, b) in enumerate(pairs)], people=45)
    listed = {n for p in cut.pairs for n in (p.a, p.b)}
    assert len(listed) < len(cut.people), "some are kept whose company is not"
    facts = text_of(drawn.seen_with(cut, EN))
    assert EN.x_person_many.format(n=len(listed)) in facts
    assert EN.x_people_more_many.format(n=60 - len(listed)) in facts


def test_what_has_no_date_says_when_its_event_was_held(filled: Library) -> None:
    found = filled.article(
        seen_with(filled, event=event_of(filled, "2024").key, edition="2024").pairs[0].sightings[0].article_id
    )
    assert found is not None
    undated = replace(found, published=None)
    told = group_sightings([("c", s) for s in sightings(undated)])
    held = EN.of_event.format(date="5 May 2024")
    assert held in text_of(drawn.seen_with(told, EN))
    page = explore.EventPage(event_of(filled, "2024"), (explore.Piece(undated),), 1, 0)
    assert held in text_of(drawn.event(page, [], EN))
    nowhere = group_sightings([("c", replace(s, held=None)) for s in sightings(undated)])
    assert EN.undated in text_of(drawn.seen_with(nowhere, EN))


@pytest.mark.parametrize("n", [1, 2, 3, 60, 61, 900])
def test_a_timeline_of_any_length_is_drawn(n: int) -> None:
    gala = Event("gala", "Harbour Gala", "2024", date(2024, 3, 1))
    moments = [
        Moment(date.fromordinal(date(2021, 1, 1).toordinal() + i * 3), "published", None, f"a{i}", f"Piece {i}")
        for i in range(n - 1)
    ]
    moments = sorted([*moments, Moment(gala.start, "held", gala, title=gala.label)], key=lambda m: m.day or date.max)
    markup = drawn.timeline(moments, EN)
    assert len([v for v in values(markup) if v.startswith("passage")]) == min(n - 1, drawn.MOMENTS - 1)
    assert "event:gala:2024" in values(markup), "days of events go before pieces"
    assert markup.count("<tr>") == 1 + min(n, drawn.ROWS)
    if n > drawn.MOMENTS:
        assert EN.x_moments_of.format(n=drawn.MOMENTS, all=n) in text_of(markup)
    if strip := re.search(r'<svg class="chart x-strip".*?</svg>', markup):
        for x in re.findall(r' c?x="([\d.-]+)"', strip[0]):
            assert 0 <= float(x) <= drawn._STRIP_W
        for y in re.findall(r' c?y="([\d.-]+)"', strip[0]):
            assert 0 <= float(y) <= drawn._STRIP_H


def test_pictures_carry_their_size_a_title_and_no_colour_of_their_own(filled: Library) -> None:
    for markup in everything(filled):
        for svg in re.findall(r'<svg class="chart[^>]*>.*?</svg>', markup):
            assert re.match(r'<svg class="chart [\w -]+" width="\d+" height="\d+" role="img"><title>[^<]+</title>', svg)
        assert not re.search(r'(?:fill|stroke)="#|style="[^"]*color', markup)
        pictures = re.sub(r"<figure.*?</figure>", '<svg class="chart', markup)  # one of many parts
        assert pictures.count('<svg class="chart') <= markup.count("<table")


def test_a_table_says_what_the_picture_shows(filled: Library) -> None:
    found = seen_with(filled, person="Ana Lima")
    markup = drawn.seen_with(found, EN, person="Ana Lima")
    rows = re.findall(r"<tr>(.*?)</tr>", markup)[1:]
    assert len(rows) == len(found.pairs)
    assert all(row.startswith('<td dir="auto">Ana Lima</td>') for row in rows)


def test_every_word_comes_from_the_strings(filled: Library) -> None:
    loud = Words(
        **{
            name: "".join(p if p.startswith("{") else p.upper() for p in re.split(r"(\{[^}]*\})", value))
            for name in Words.__dataclass_fields__
            if name.startswith("x_") and isinstance(value := getattr(EN, name), str)
        }
    )
    quiet = {getattr(EN, n) for n in Words.__dataclass_fields__ if n.startswith("x_") and " " in str(getattr(EN, n))}
    found = seen_with(filled)
    for markup in (drawn.timeline(explore.timeline(filled), loud), drawn.seen_with(found, loud)):
        assert not [w for w in quiet if "{" not in w and w in text_of(markup)]


def test_a_pair_lists_its_first_quotes_and_folds_the_others() -> None:
    many = [seen("Mara Quist", "Ivo Kern", article=f"a{i}", start=i) for i in range(6)]
    found = group_sightings(many)
    assert isinstance(found.pairs[0], Pair)
    markup = drawn.seen_with(found, EN)
    assert EN.x_sighting_more_many.format(n=3) in text_of(markup)
    assert EN.x_time_many.format(n=6) in text_of(markup)
