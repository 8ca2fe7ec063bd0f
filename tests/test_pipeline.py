"""Ingest: what the library holds depends on the articles alone."""

from __future__ import annotations

import gzip
import json
import random
import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rag.config import Config
from rag.errors import EmbedError
from rag.ingest.pipeline import article_id, ingest, remove
from rag.store.library import FILE, Library
from tests.conftest import ARTICLES, GALLERY, REPORT, CountingEmbedder, write_articles
from tests.torture.storage import consistent, content

Make = Callable[..., Library]


def dump(library: Library) -> list[str]:
    """Every table of the library, but for the generation and the state of the index."""
    db = sqlite3.connect(library.path / FILE)
    try:
        return [line for line in db.iterdump() if "'generation'" not in line]
    finally:
        db.close()


def source(folder: Path, name: str) -> str:
    return (folder / name).resolve().as_uri()


def by_name(library: Library) -> dict[str, Any]:
    return {a.source.rsplit("/", 1)[1]: a for a in library.articles()}


def test_what_an_article_says_about_itself_is_read(library: Library) -> None:
    found = by_name(library)
    listicle = found["listicle.txt"]
    assert listicle.title == "7 Quiet Moments From The 2023 Lantern Music Awards"
    assert (listicle.authors, listicle.outlet) == (("Rosa Field",), "Example Weekly")
    assert listicle.event.label == "2023 Lantern Music Awards"
    gallery = found["gallery.txt"]
    assert gallery.event.start == date(2024, 5, 5)
    assert found["report.txt"].outlet == "Reuters"
    assert found["report.txt"].title == "Fishermen Open the New Market at Port Alder"
    consistent(library)


def test_a_copy_shares_its_cluster_and_lends_its_date(library: Library, articles: Path) -> None:
    found = by_name(library)
    listicle, copy = found["listicle.txt"], found["copy.txt"]
    assert listicle.cluster == copy.cluster == min(listicle.id, copy.id)
    assert (listicle.published, listicle.published_lent) == (date(2023, 5, 11), True)
    assert (copy.published, copy.published_lent) == (date(2023, 5, 11), False)
    assert listicle.event.start == date(2023, 5, 9)  # the Tuesday before Thursday, 11 May
    assert copy.title == listicle.title  # a copy that lost its headline takes it back
    assert len({found[n].cluster for n in ("gallery.txt", "report.txt", "copy.txt")}) == 3


def test_a_lent_date_is_taken_back_when_its_lender_goes(library: Library) -> None:
    assert remove(library, [by_name(library)["copy.txt"].id]) == 1
    listicle = by_name(library)["listicle.txt"]
    assert (listicle.published, listicle.published_lent) == (None, False)
    assert listicle.cluster == listicle.id
    assert all("2023-05-09" not in c.header for c in library.chunks(listicle.id))
    consistent(library)


def test_removing_one_is_as_if_it_had_never_been_there(make_library: Make, library: Library, articles: Path) -> None:
    for name in ARTICLES:
        ingest(library, [str(articles)])
        remove(library, [article_id(source(articles, name))])
        consistent(library)
        rest = make_library(f"without-{name}")
        ingest(rest, [str(articles / n) for n in ARTICLES if n != name])
        assert content(library) == content(rest)
    assert remove(library, ["no-such-id"]) == 0


def test_ingesting_twice_is_ingesting_once(library: Library, articles: Path) -> None:
    before = dump(library)
    embedder: Any = library.embedder
    embedded = len(embedder.texts)
    report = ingest(library, [str(articles)])
    assert len(report.unchanged) == 4
    assert (report.added, report.updated, report.rejected, report.merged) == ((), (), (), ())
    assert report.chunks_embedded == 0
    assert len(embedder.texts) == embedded
    assert dump(library) == before


def test_naming_a_source_twice_takes_it_once(make_library: Make, articles: Path) -> None:
    library = make_library()
    report = ingest(library, [str(articles), str(articles / "report.txt"), str(articles / "*.txt")])
    assert len(report.added) == len(set(report.added)) == 4


def test_an_edit_replaces_only_the_chunks_that_it_touches(make_library: Make, tmp_path: Path) -> None:
    paragraphs = [f"Paragraph {n} tells of boat {n * 7} and its crew. " * 12 for n in range(8)]
    folder = write_articles(tmp_path / "a", {"boats.txt": "The Boats of Port Alder\n\n" + "\n\n".join(paragraphs)})
    library = make_library()
    ingest(library, [str(folder)])
    before = {r["id"]: r["n"] for r in library.rows("SELECT id, n FROM chunks")}
    paragraphs[5] = paragraphs[5].replace("crew", "cook")
    write_articles(folder, {"boats.txt": "The Boats of Port Alder\n\n" + "\n\n".join(paragraphs)})
    embedder: Any = library.embedder
    embedder.texts.clear()
    report = ingest(library, [str(folder)])
    after = {r["id"]: r["n"] for r in library.rows("SELECT id, n FROM chunks")}
    new = after.keys() - before.keys()
    assert report.updated == (source(folder, "boats.txt"),)
    assert report.chunks_embedded == len(embedder.texts) - 1 == len(new) < len(before)  # and its header
    assert all("cook" in c.text for c in library.chunks_by_id(new).values())
    assert all(after[i] == before[i] for i in after.keys() & before.keys())  # the very same rows
    assert not library.search_text(["crew", "35"], limit=50) or all(
        "boat 35 and its crew" not in c.text for c in library.chunks_by_id(after).values()
    )
    consistent(library)


def test_an_edit_and_its_undoing_leave_no_trace(library: Library, articles: Path) -> None:
    before = content(library)
    for name, text in ARTICLES.items():
        write_articles(articles, {name: text.replace("harbour", "station").replace("Ana Lima", "Bea Soto")})
    ingest(library, [str(articles)])
    assert content(library) != before
    write_articles(articles, ARTICLES)
    ingest(library, [str(articles)])
    assert content(library) == before
    consistent(library)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_arrival_does_not_matter(make_library: Make, articles: Path, seed: int) -> None:
    third = " date 2023-05-13 " + ARTICLES["copy.txt"].removeprefix(" date 2023-05-11 ")
    write_articles(articles, {"third.txt": third})
    whole = make_library("whole")
    ingest(whole, [str(articles)])
    names = [*ARTICLES, "third.txt"]
    random.Random(seed).shuffle(names)
    piecemeal = make_library("piecemeal")
    for name in names:
        ingest(piecemeal, [str(articles / name)])
    assert content(piecemeal) == content(whole)
    assert len({a.cluster for a in whole.articles()}) == 3
    consistent(piecemeal)


def test_when_the_embedder_fails_the_old_version_still_answers(make_library: Make, articles: Path) -> None:
    library = make_library()
    ingest(library, [str(articles)])
    before = content(library)
    write_articles(articles, {"report.txt": REPORT.replace("forty boats", "sixty boats")})
    embedder: Any = library.embedder
    embedder.fail_after = len(embedder.texts)
    with pytest.raises(EmbedError):
        ingest(library, [str(articles)])
    assert content(library) == before
    assert library.search_text(["forty"], limit=5)
    consistent(library)
    embedder.fail_after = None
    assert ingest(library, [str(articles)]).updated == (source(articles, "report.txt"),)
    assert not library.search_text(["forty"], limit=5)
    assert library.search_text(["sixty"], limit=5)


@pytest.mark.parametrize("after", range(0, 40, 4))
def test_wherever_the_embedder_fails_nothing_is_half_done(make_library: Make, tmp_path: Path, after: int) -> None:
    many = {
        f"{n:02d}.txt": f"Story {n} of the harbour\n\nBoat {n} came home with {n + 3} crates of fish."
        for n in range(40)
    }
    folder = write_articles(tmp_path / "many", many)
    library = make_library(embedder=CountingEmbedder(fail_after=after))
    with pytest.raises(EmbedError):
        ingest(library, [str(folder)])
    assert library.counts()["articles"] % 24 == 0  # whole batches
    assert library.counts()["pending"] == 0  # and the index knows them
    consistent(library)
    embedder: Any = library.embedder
    embedder.fail_after = None
    ingest(library, [str(folder)])
    undisturbed = make_library("undisturbed")
    ingest(undisturbed, [str(folder)])
    assert content(library) == content(undisturbed)


def test_when_the_embedder_fails_in_a_removal_nothing_is_removed(library: Library) -> None:
    before = content(library)
    embedder: Any = library.embedder
    embedder.fail_after = len(embedder.texts)
    with pytest.raises(EmbedError):  # the listicle's header loses its date, so it would have to be embedded again
        remove(library, [by_name(library)["copy.txt"].id])
    assert content(library) == before


def test_what_cannot_be_read_is_rejected_and_the_rest_goes_on(make_library: Make, articles: Path) -> None:
    (articles / "empty.txt").write_text("")
    (articles / "blank.txt").write_text(" \n\n\t")
    (articles / "program.txt").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 20)
    (articles / "broken.pdf").write_bytes(b"%PDF-1.7 nothing of the kind")
    library = make_library()
    report = ingest(library, [str(articles), str(articles / "absent.txt")])
    assert len(report.added) == 4
    named = {r.source.rsplit("/", 1)[-1]: r.reason for r in report.rejected}
    assert set(named) == {"empty.txt", "blank.txt", "program.txt", "broken.pdf", "absent.txt"}
    assert all(reason.rstrip().endswith(".") for reason in named.values())


def test_formats_mix(make_library: Make, tmp_path: Path) -> None:
    folder = write_articles(
        tmp_path / "mixed", {"a.txt": REPORT, "b.md": "# The Lamp Shop\n\nIt sells lamps, 12 of them."}
    )
    (folder / "c.html").write_text(
        f"<html><head><title>Old Ships</title></head><body><article><h1>Old Ships</h1><p>{'The ships were old. ' * 30}</p>"
        "</article></body></html>"
    )
    lines = [
        {
            "url": "https://news.example/1",
            "title": "One",
            "text": GALLERY,
            "authors": ["Ann"],
            "published": "2024-05-06",
        },
        {
            "url": "https://news.example/2",
            "title": "Two \ud83d",
            "text": "Half a pair \ud83d stays out.",
            "published": None,
        },
    ]
    (folder / "d.jsonl.gz").write_bytes(gzip.compress("\n".join(json.dumps(x) for x in lines).encode()))
    library = make_library()
    report = ingest(library, [str(folder)])
    assert not report.rejected
    titles = {a.title for a in library.articles()}
    assert {"Fishermen Open the New Market at Port Alder", "The Lamp Shop", "Old Ships", "One"} <= titles
    one = next(a for a in library.articles() if a.title == "One")
    assert (one.url, one.authors, one.published) == ("https://news.example/1", ("Ann",), date(2024, 5, 6))
    consistent(library)


def test_other_settings_derive_everything_anew(make_library: Make, articles: Path, tmp_path: Path) -> None:
    small = make_library("one", chunk_tokens=40)
    ingest(small, [str(articles)])
    small.close()
    again = make_library("one", chunk_tokens=120)
    report = ingest(again, [str(articles)])
    assert len(report.unchanged) == 4
    direct = make_library("two", chunk_tokens=120)
    ingest(direct, [str(articles)])
    assert content(again) == content(direct)
    consistent(again)


def test_an_edited_events_file_is_read_again(make_library: Make, articles: Path, tmp_path: Path) -> None:
    names = tmp_path / "events.toml"
    names.write_text('[[event]]\nname = "Harbour Night"\n')
    library = make_library(events_file=names)
    ingest(library, [str(articles)])
    assert by_name(library)["report.txt"].event is None
    names.write_text('[[event]]\nname = "Port Alder Market"\naliases = ["new fish market", "New Market"]\n')
    ingest(library, [str(articles)])
    assert by_name(library)["report.txt"].event.key == "port-alder-market"
    consistent(library)


def test_half_a_change_of_settings_is_finished_by_the_next_run(make_library: Make, articles: Path) -> None:
    first = make_library("one", chunk_tokens=40)
    ingest(first, [str(articles)])
    first.close()
    second = make_library("one", chunk_tokens=120, embedder=CountingEmbedder(fail_after=0))
    with pytest.raises(EmbedError):
        ingest(second, [str(articles)])
    second.close()
    back = make_library("one", chunk_tokens=40)
    ingest(back, [])
    reference = make_library("two", chunk_tokens=40)
    ingest(reference, [str(articles)])
    assert content(back) == content(reference)


def test_another_model_makes_all_vectors_anew(make_library: Make, articles: Path) -> None:
    library = make_library()
    ingest(library, [str(articles)])
    old = content(library)["chunks"]
    library.close()
    reader = make_library(write=False, embedder=CountingEmbedder("another"))
    with pytest.raises(EmbedError, match=r"made with the embedding model counting, not another\. .*recap ingest"):
        _ = reader.embedder
    reader.close()
    failing = make_library(embedder=CountingEmbedder("another", fail_after=3))
    with pytest.raises(EmbedError):
        ingest(failing, [str(articles)])
    assert content(failing)["chunks"] == old
    failing.close()
    changed = make_library(embedder=CountingEmbedder("another"))
    report = ingest(changed, [str(articles)])
    assert report.chunks_embedded == len(old)
    direct = make_library("direct", embedder=CountingEmbedder("another"))
    ingest(direct, [str(articles)])
    assert content(changed) == content(direct)
    consistent(changed)


def test_progress_names_each_article(make_library: Make, articles: Path) -> None:
    seen: list[tuple[str, int]] = []
    ingest(make_library(), [str(articles)], progress=lambda name, done: seen.append((name, done)))
    assert [n for _, n in seen] == [1, 2, 3, 4]
    assert {s.rsplit("/", 1)[1] for s, _ in seen} == set(ARTICLES)


def test_the_report_names_the_copies(make_library: Make, articles: Path) -> None:
    report = ingest(make_library(), [str(articles)])
    assert report.merged == ((source(articles, "copy.txt"), source(articles, "listicle.txt")),)


def test_config_is_not_changed_by_opening(tmp_path: Path) -> None:
    config = Config(library=tmp_path / "x", llm="none")
    with Library.open(config, create=True, embedder=CountingEmbedder()) as library:
        assert library.config is config


def test_an_article_without_a_headline_is_about_the_event_of_its_first_sentence(
    make_library: Make, tmp_path: Path
) -> None:
    """Not of its first words: those that stand for a headline are cut before the event is named."""
    opening = (
        "Some of the best loved singers and bands of the whole of the north coast took the stage at the 2024 Lantern Music "
        "Awards on Sunday evening (May 5), but much of what happened was never on the screens.\n"
    )
    folder = write_articles(tmp_path / "a", {"gallery.txt": opening + "Behind the stage there was tea. " * 40})
    library = make_library()
    ingest(library, [str(folder)])
    (article,) = library.articles()
    assert "Lantern" not in article.title
    assert article.event is not None
    assert (article.event.label, article.event.start) == ("2024 Lantern Music Awards", date(2024, 5, 5))
