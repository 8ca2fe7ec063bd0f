"""The Evaluation screen: runs are read as eval writes them, and nothing that a folder holds can harm the page."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

import eval as package
from eval import Fact, evaluate
from eval.compare import compare
from eval.facts import Evidence
from eval.report import load
from rag.ingest.pipeline import ingest
from rag.store.library import Library
from rag.types import Turn
from tests.test_render import HOSTILE, Seen
from ui import runs, runs_view
from ui.runs import Flips, Result, Run, Runs, Share
from ui.strings import EN

SHARE = {"mean": 0.75, "low": 0.5, "high": 1.0, "n": 4, "clusters": 3}
SUMMARY: dict[str, Any] = {
    "started": "2024-09-12T08:30:00+00:00",
    "n": 4,
    "engines": ["reader"],
    "right": {
        "all": SHARE,
        "fact": SHARE,
        "multi": None,
        "unanswerable": {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 2},
    },
    "answerable_right": {"mean": 0.5, "low": 0.25, "high": 0.75, "n": 2},
    "unanswerable_declined": {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 2},
    "abstention": {
        "precision": SHARE,
        "recall": SHARE,
        "false_abstention": {"mean": 0.5, "low": 0.0, "high": 1.0, "n": 2},
    },
    "wrong_edition": ["a"],
    "pinned": 2,
    "pinned_wrong": ["a"],
    "errors": [],
    "latency_ms": {"total": {"p50": 120.4, "p95": 310.0}, "answer": {"p50": 1.0, "p95": 2.0}},
    "facts": "00112233",
    "fact_files": ["harbour.jsonl"],
    "corpus": {"articles": 3, "chunks": 9, "hash": "aa"},
    "git": "0123456789abcdef",
}
TAGS = set(
    "div section h2 h3 p q span button ul li dl dt dd table thead tbody tr th td time code svg title g path line rect circle text".split()
)
ATTRIBUTES = set(
    "class id dir type value title tabindex role scope datetime width height x y x1 x2 y1 y2 cx cy r d text-anchor".split()
)
VERBS = {"run", "ask", "replay", "screen"}


def row(**changes: Any) -> dict[str, Any]:
    """A line of run.jsonl, right unless it says otherwise."""
    base = {"id": "a", "type": "fact", "question": "Who hosted the gala?", "gold": [["Mira Sandoval", "Mira"]]}
    return base | {"right": True, "reason": "", "answer": "Mira Sandoval hosted it [1]."} | changes


def put(folder: Path, name: str, summary: Any = None, rows: list[Any] | None = None) -> Path:
    run = folder / name
    run.mkdir(parents=True)
    content = SUMMARY if summary is None else summary
    (run / "summary.json").write_text(content if isinstance(content, str) else json.dumps(content))
    lines = [r if isinstance(r, str) else json.dumps(r) for r in ([row()] if rows is None else rows)]
    (run / "run.jsonl").write_text("\n".join(lines) + "\n")
    return run


def at(days: int, **changes: Any) -> dict[str, Any]:
    started = datetime(2024, 9, 1, 12, tzinfo=UTC) + timedelta(days=days)
    return SUMMARY | {"started": started.isoformat()} | changes


def a_run(name: str = "one", days: int = 0, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "name": name,
        "when": datetime(2024, 9, 1, 12, tzinfo=UTC) + timedelta(days=days),
        "n": 4,
        "right": Share(0.75, 0.5, 1.0, 4),
        "engines": ("reader",),
        "by_type": (("fact", Share(0.75, 0.5, 1.0, 4)),),
        "answered_right": Share(0.7 + days / 100, 0.6, 0.9, 4),
        "declined_right": Share(0.9, 0.8, 1.0, 4),
        "other_edition": days % 3,
        "facts": "00",
        "p50": 120.0,
        "p95": 310.0,
    }
    return Run(**(values | changes))


def a_result(**changes: Any) -> Result:
    values: dict[str, Any] = {"id": "a", "type": "fact", "question": "Who hosted the gala?", "right": False}
    values |= {"gold": (("Mira Sandoval", "Mira"),), "reason": "declined", "answer": "The coverage does not say."}
    return Result(**(values | changes))


def harmless(markup: str) -> Seen:
    seen = Seen(markup)
    assert seen.open == []
    assert seen.other == []
    assert {t for t, _ in seen.tags} <= TAGS
    assert {name for _, a in seen.tags for name in a} <= ATTRIBUTES
    assert "\n" not in markup
    assert not set("`$") & set(markup)
    assert "![" not in markup
    assert "](" not in markup
    for b in seen.all("button"):
        verb, *arguments = (b["value"] or "").split(":")
        assert verb in VERBS
        assert all(re.fullmatch(r"[\w.~%-]+", a) for a in arguments)
        assert len(arguments) == (2 if verb == "replay" else 1)
        assert "act" in (b["class"] or "").split()
        assert b["type"] == "button"
        assert b["title"]
    return seen


def opened(folder: Path, name: str) -> tuple[Run, list[Result], Flips | None, Run | None]:
    got = runs.open_run(folder, name)
    assert got is not None
    return got


def values(seen: Seen) -> list[str]:
    return [b["value"] or "" for b in seen.all("button")]


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_run_is_read_with_its_figures(tmp_path: Path) -> None:
    put(tmp_path, "gala")
    found = runs.read_runs(tmp_path)
    assert (found.skipped, found.older) == (0, 0)
    (r,) = found.runs
    assert (r.name, r.n, r.engine, r.right) == ("gala", 4, "reader", Share(0.75, 0.5, 1.0, 4))
    assert r.when == datetime(2024, 9, 12, 8, 30, tzinfo=UTC)
    assert [t for t, _ in r.by_type] == ["fact", "unanswerable"]
    assert r.answered_right == Share(0.5, 0.25, 0.75, 2)
    assert r.declined_right is not None
    assert r.declined_wrong == Share(0.5, 0.0, 1.0, 2)
    assert (r.other_edition, r.pinned, r.pinned_wrong, r.errors) == (1, 2, ("a",), 0)
    assert (r.p50, r.p95) == (120.4, 310.0)
    assert (r.facts, r.fact_files, r.articles, r.corpus) == ("00112233", ("harbour.jsonl",), 3, "aa")


def test_what_eval_writes_is_what_is_read(tmp_path: Path) -> None:
    article = tmp_path / "gala.txt"
    article.write_text(
        "A Night At The 2024 Harbour Gala\n\nSeptember 12, 2024\n\n"
        "The 2024 Harbour Gala took place on Wednesday, September 11, hosted by Mira Sandoval in green.\n"
    )
    from rag.config import Config

    quote = Evidence("gala.txt", "hosted by Mira Sandoval in green")
    facts = [
        Fact(id="host", type="fact", question="Who hosted the 2024 Harbour Gala?", answers=(("Mira Sandoval",),), evidence=(quote,), pinned=True, cluster="1", where="set/gala.jsonl:1"),
        Fact(id="odd", type="fact", question="Who hosted the 2024 Harbour Gala, then?", answers=(("Nobody at all",),), must_not=("Mira",), evidence=(quote,), cluster="2", as_of=date(2024, 9, 20), where="set/gala.jsonl:2"),
        Fact(id="price", type="unanswerable", question="How much did a ticket cost?", history=(Turn("user", "hello"),), cluster="3", where="gala.jsonl:3"),
    ]  # fmt: skip
    with Library.open(Config.load(library=tmp_path / "lib", llm="none"), write=True, create=True) as library:
        ingest(library, [str(article)])
        evaluate(library, facts, out=tmp_path / "runs" / "first")
        evaluate(library, facts, out=tmp_path / "runs" / "second")
    found = runs.read_runs(tmp_path / "runs")
    assert (len(found.runs), found.skipped) == (2, 0)
    r = found.runs[0]
    written = load(tmp_path / "runs" / r.name)
    about = written.about
    assert (r.n, r.engines, r.pinned, r.fact_files) == (3, ("reader",), 1, ("gala.jsonl",))
    assert r.right.mean == about["right"]["all"]["mean"]
    assert r.answered_right == Share(**{k: about["answerable_right"][k] for k in ("mean", "low", "high", "n")})
    assert r.declined_right is not None
    assert (r.p50, r.p95) == (about["latency_ms"]["total"]["p50"], about["latency_ms"]["total"]["p95"])
    assert r.when.isoformat() == about["started"]
    assert r.facts == about["facts"]
    assert r.series == found.runs[1].series
    assert (r.articles, r.corpus) == (1, about["corpus"]["hash"])
    got = runs.results(tmp_path / "runs", r.name)
    assert [(g.id, g.right, g.reason, g.answer, g.pinned) for g in got] == [
        (w.id, w.right, w.reason, w.answer, w.pinned) for w in written.results
    ]
    assert got[0].right
    assert not got[1].right
    assert got[1].as_of == date(2024, 9, 20)
    assert got[2].history == (Turn("user", "hello"),)
    words = harmless(runs_view.run(*opened(tmp_path / "runs", r.name))).words
    assert "No fact flipped since the run of" in words


@pytest.mark.parametrize(
    "reason",
    [
        "declined",
        "no citation",
        "does not say Mira",
        "says Nobody",
        "answered what the coverage does not say",
        "neither declined nor corrected",
        "error: ValueError: x",
    ],
)
def test_every_reason_of_eval_has_words_of_the_page(reason: str) -> None:
    source = (Path(package.__file__).parent / "run.py").read_text()
    stem = re.split(r" (Mira|Nobody|ValueError)", reason)[0]
    assert f'"{stem}' in source, "eval says it otherwise by now"
    assert runs_view.why(a_result(reason=reason)) not in ("", reason)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "\x00\xff",
        "[" * 100_000,
        '{"systems": {}}',
        '{"n": 3, "right": []}',
        '{"n": 3, "right": {"all": {"mean": NaN}}}',
        '{"n": 3, "right": {"all": {"mean": 7}}}',
        '{"n": -1, "right": {"all": {"mean": 0.5}}}',
        '{"n": true, "right": {"all": {"mean": 0.5}}}',
        '{"n": 1e999, "right": {"all": {"mean": 0.5}}}',
        '{"n": ' + "9" * 5000 + "}",
    ],
)
def test_a_torn_or_foreign_summary_is_left_out_and_counted(tmp_path: Path, content: str) -> None:
    put(tmp_path, "bad", content)
    put(tmp_path, "good")
    (tmp_path / "work").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    found = runs.read_runs(tmp_path)
    assert [r.name for r in found.runs] == ["good"]
    assert found.skipped == 1
    assert EN.runs_skipped_one in harmless(runs_view.overview(found)).words


@pytest.mark.parametrize("key", sorted(SUMMARY))
@pytest.mark.parametrize("value", [None, 7, "x", [1, None, {}], {"all": 3, "total": "x"}, -1.5, True, 1e300])
def test_no_value_of_a_summary_can_break_the_screen(tmp_path: Path, key: str, value: Any) -> None:
    put(tmp_path, "odd", SUMMARY | {key: value})
    put(tmp_path, "old", at(-3))
    found = runs.read_runs(tmp_path)
    assert len(found.runs) + found.skipped == 2
    harmless(runs_view.overview(found))
    for r in found.runs:
        harmless(runs_view.run(*opened(tmp_path, r.name)))


def test_a_summary_with_nothing_but_its_core_is_read(tmp_path: Path) -> None:
    put(tmp_path, "20240912-083000", {"n": 2, "right": {"all": {"mean": 0.5}}})
    (r,) = runs.read_runs(tmp_path).runs
    assert r.when == datetime(2024, 9, 12, 8, 30).astimezone()
    assert r.series is None
    seen = harmless(runs_view.overview(Runs("runs", (r, a_run(days=9)))))
    assert "50.0%" in seen.words
    assert EN.runs_none in seen.words


def test_the_time_is_of_the_summary_else_of_the_name_else_of_the_file(tmp_path: Path) -> None:
    bare = {k: v for k, v in SUMMARY.items() if k != "started"}
    put(tmp_path, "20240101-000000", SUMMARY)
    put(tmp_path, "20240203-040506-again", bare)
    file = put(tmp_path, "plain", bare | {"started": "yesterday"}) / "summary.json"
    put(tmp_path, "99999999-999999", bare)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    by_name = {r.name: r.when for r in runs.read_runs(tmp_path).runs}
    assert by_name["20240101-000000"] == datetime(2024, 9, 12, 8, 30, tzinfo=UTC)
    assert by_name["20240203-040506-again"] == datetime(2024, 2, 3, 4, 5, 6).astimezone()
    assert by_name["plain"].timestamp() == 1_700_000_000
    assert by_name["99999999-999999"].year >= 2024


def test_the_newest_come_first_and_the_rest_is_counted(tmp_path: Path) -> None:
    for days, name in enumerate(["c", "a", "d", "b"]):
        put(tmp_path, name, at(days))
    found = runs.read_runs(tmp_path, limit=3)
    assert [r.name for r in found.runs] == ["b", "d", "a"]
    assert found.older == 1
    assert EN.runs_older_one in harmless(runs_view.overview(found)).words


def test_no_folder_is_no_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "none", tmp_path / "file", tmp_path):
        assert runs.read_runs(folder).runs == ()


def test_huge_files_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "big")
    monkeypatch.setattr(runs, "SUMMARY_BYTES", 100)
    assert (runs.read_runs(tmp_path).runs, runs.read_runs(tmp_path).skipped) == ((), 1)
    monkeypatch.setattr(runs, "RESULTS_BYTES", 10)
    assert runs.results(tmp_path, "big") == []


def test_a_line_that_is_too_long_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "one", rows=[row(id="long", answer="x" * 5000), row(id="short")])
    monkeypatch.setattr(runs, "SUMMARY_BYTES", 1000)
    assert [r.id for r in runs.results(tmp_path, "one")] == ["short"]


def test_links_and_pipes_are_never_followed(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside", "secret")
    folder = tmp_path / "runs"
    put(folder, "real")
    (folder / "link").symlink_to(outside)
    linked = put(folder, "files")
    for name in ("summary.json", "run.jsonl"):
        (linked / name).unlink()
        (linked / name).symlink_to(outside / name)
    piped = put(folder, "pipe")
    for name in ("summary.json", "run.jsonl"):
        (piped / name).unlink()
        os.mkfifo(piped / name)
    found = runs.read_runs(folder)
    assert ([r.name for r in found.runs], found.skipped) == (["real"], 3)
    for name in ("link", "files", "pipe"):
        assert runs.open_run(folder, name) is None
        assert runs.results(folder, name) == []


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../outside", "../outside/secret", "real/../../outside/secret", "..\\outside", "re\x00al", "/", "x" * 5000, "\ud800", ".hidden", "none"],
)  # fmt: skip
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    put(tmp_path / "outside", "secret")
    put(tmp_path / "runs", "real")
    put(tmp_path / "runs", ".hidden")
    assert runs.open_run(tmp_path / "runs", name) is None
    assert runs.open_run(tmp_path / "runs", str(tmp_path / "outside" / "secret")) is None
    assert runs.results(tmp_path / "runs", name) == []
    assert runs.result(tmp_path / "runs", name, "a") is None


def test_torn_lines_are_left_out_and_the_page_says_so(tmp_path: Path) -> None:
    good = row(id="b", right=False, reason="declined")
    bad = ["{torn", "[]", "", json.dumps({"id": "x"}), row(id=7), row(id="r", right="yes"), row(id="q", question="")]
    put(tmp_path, "one", rows=[row(), *bad, good])
    assert [r.id for r in runs.results(tmp_path, "one")] == ["a", "b"]
    words = harmless(runs_view.run(*opened(tmp_path, "one"))).words
    assert EN.run_lacking_many.format(n=2) in words


def test_a_lone_surrogate_reaches_no_page(tmp_path: Path) -> None:
    put(tmp_path, "one", SUMMARY | {"git": "\ud800"}, [row(question="who \udcff?", answer="\ud800", right=False)])
    runs_view.run(*opened(tmp_path, "one")).encode("utf-8")
    runs_view.overview(runs.read_runs(tmp_path)).encode("utf-8")


# --- what flipped ----------------------------------------------------------------------------------------------------


def test_flips_are_those_of_eval_compare(tmp_path: Path) -> None:
    def verdict(right: bool, **more: Any) -> dict[str, Any]:
        return row(right=right, reason="" if right else "declined", cluster="c", **more)

    before = [
        verdict(True, id="lost"), verdict(False, id="won"), verdict(True, id="kept"), verdict(True, id="gone"),
        verdict(True, id="asked"), verdict(True, id="judged"), verdict(True, id="day"), verdict(True, id="history"),
    ]  # fmt: skip
    after = [
        verdict(True, id="won"), verdict(False, id="lost"), verdict(True, id="kept"), verdict(False, id="new"),
        verdict(False, id="asked", question="Who?"), verdict(False, id="judged", must_not=["Mira"]),
        verdict(False, id="day", as_of="2024-09-20"), verdict(False, id="history", history=[{"role": "user", "content": "x"}]),
    ]  # fmt: skip
    put(tmp_path, "a", at(0), before)
    put(tmp_path, "b", at(1), after)
    got = runs.flips(runs.results(tmp_path, "a"), runs.results(tmp_path, "b"))
    want = compare(load(tmp_path / "a").results, load(tmp_path / "b").results)
    assert got.n == want.n == 3
    assert [b.id for _, b in got.lost] == [b.id for _, b in want.lost] == ["lost"]
    assert [b.id for _, b in got.won] == [b.id for _, b in want.won] == ["won"]


def test_only_runs_of_the_same_facts_and_engine_are_compared() -> None:
    now = a_run("now", 9)
    same, other, llm = a_run("same", 1), a_run("other", 5, facts="ff"), a_run("llm", 6, engines=("ollama:x", "reader"))
    later = a_run("later", 10)
    assert runs.previous((later, now, llm, other, same, a_run("first", 0)), now) == same
    assert runs.previous((now, llm), now) is None
    unknown = a_run("unknown", 9, facts="")
    assert runs.previous((unknown, a_run("older", 1, facts="")), unknown) is None
    assert llm.engine == "ollama:x"


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_empty_screen_says_how_to_make_a_run() -> None:
    seen = harmless(runs_view.overview(Runs("runs")))
    assert "recap eval seeds/facts.jsonl" in seen.words
    assert seen.all("table") == []


def test_every_run_is_a_row_with_its_button_and_its_figures() -> None:
    found = Runs("runs", (a_run("of/the day:2", 2), a_run("one", 1)))
    seen = harmless(runs_view.overview(found))
    assert [unquote(v) for v in values(seen)] == ["run:of/the day:2", "run:one"]
    assert len(seen.all("tr")) == 3
    for words in (
        "3 of 4",
        "75.0% (50.0% to 100.0%)",
        "71.0%",
        "60.0% to 90.0%",
        "half in 0.12 s",
        "95 in 100 in 0.31 s",
    ):
        assert words in seen.words
    assert [t["datetime"] for t in seen.all("time")] == ["2024-09-03T12:00:00+00:00", "2024-09-02T12:00:00+00:00"]


def test_a_line_joins_only_comparable_runs() -> None:
    mixed = (
        a_run("f", 5),
        a_run("e", 4, facts="ff"),
        a_run("d", 3),
        a_run("c", 2, engines=("ollama:x",)),
        a_run("b", 1),
    )
    seen = harmless(runs_view.overview(Runs("runs", mixed)))
    lines = [p["d"] or "" for p in seen.all("path") if p["class"] == "e-line e-right" and p["d"] != "M0 6L30 6"]
    assert [d.count("L") for d in lines] == [2], "b, d and f; c and e stand alone"
    assert EN.runs_key_sets in seen.words
    dots = [c for c in seen.all("circle") if c["r"] == "4.5"]
    assert len(dots) == 5 + 1, "a dot for each run, and one in the key"
    alone = harmless(runs_view.overview(Runs("runs", (a_run("b", 1), a_run("a", 0)))))
    assert EN.runs_key_sets not in alone.words


def test_the_picture_has_its_figures_in_the_table_beside_it() -> None:
    seen = harmless(runs_view.overview(Runs("runs", tuple(a_run(f"r{i}", i) for i in range(4, -1, -1)))))
    head, table = seen.words.split(EN.runs_list, 1)
    said = re.findall(r"r\d, [^%]*?: (?:Answered right|Rightly declined) ([\d.]+%)", head)
    assert len(said) == 10
    assert set(said) <= set(re.findall(r"[\d.]+%", table))
    assert [s for s in seen.all("svg") if "chart" in (s["class"] or "").split()]


def test_points_stay_within_the_picture() -> None:
    many = tuple(a_run(f"r{i}", i, answered_right=Share(i / 40, None, None, 4)) for i in range(39, -1, -1))
    markup = runs_view.overview(Runs("runs", many))
    seen = harmless(markup)
    assert len([c for c in seen.all("circle") if c["r"] == "4.5"]) == runs_view.CHART + 1
    chart = next(s for s in seen.all("svg") if "chart" in (s["class"] or ""))
    for c in seen.all("circle"):
        assert 0 <= float(c["cx"] or -1) <= float(chart["width"] or 0)
        assert 0 <= float(c["cy"] or -1) <= float(chart["height"] or 0)


def test_a_run_shows_pinned_then_lost_then_won_then_the_rest_each_once() -> None:
    pinned = a_result(id="pin", question="P?", pinned=True)
    lost, rest = a_result(id="lost", question="L?"), a_result(id="rest", question="R?")
    won = a_result(id="won", question="W?", right=True, reason="", answer="Mira Sandoval [1].")
    was = a_result(id="x", right=True, reason="", answer="It was Mira [2].")
    flipped = Flips(3, ((was, pinned), (was, lost)), ((a_result(answer="No word on it."), won),))
    seen = harmless(runs_view.run(a_run(n=4), [won, rest, lost, pinned], flipped, a_run("old", -1)))
    at = [
        seen.words.index(w)
        for w in (EN.run_pinned_wrong, "P?", EN.run_lost, "L?", EN.run_won, "W?", EN.run_wrong_too, "R?")
    ]
    assert at == sorted(at)
    assert values(seen) == ["screen:eval", "ask:P%3F", "ask:L%3F", "ask:W%3F", "ask:R%3F"]
    assert EN.run_above_one in seen.words
    assert f"{EN.run_lost} 2" in seen.words
    assert "It was Mira." in seen.words, "what it said before, without its markers"
    assert "No word on it." in seen.words
    assert EN.why_declined in seen.words


def test_a_fact_that_needs_more_than_its_question_is_replayed() -> None:
    before = (Turn("user", "Who won?"), Turn("assistant", "Jo Berg won."))
    facts = [a_result(id="f/1", history=before), a_result(id="day", as_of=date(2025, 1, 2))]
    seen = harmless(runs_view.run(a_run("a run"), facts))
    assert [unquote(v) for v in values(seen)[1:]] == ["replay:a run:f/1", "replay:a run:day"]
    assert "replay:a%20run:f%2F1" in values(seen)
    assert "Asked after: Who won?" in seen.words
    assert "as of 2 January 2025" in seen.words


def test_a_fact_is_found_with_what_its_conversation_needs(tmp_path: Path) -> None:
    history = [
        {"role": "user", "content": "Who won?"},
        {"role": "system", "content": "obey"},
        "x",
        {"role": "assistant"},
    ]
    put(tmp_path, "one", rows=[row(), row(id="f/1", question="And then?", history=history, as_of="2025-01-02")])
    found = runs.result(tmp_path, "one", "f/1")
    assert found is not None
    assert (found.question, found.history, found.as_of) == ("And then?", (Turn("user", "Who won?"),), date(2025, 1, 2))
    assert runs.result(tmp_path, "one", "none") is None


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (a_result(gold=(("A", "B"), ("C",))), "A; C"),
        (a_result(gold=(), must_not=("M", "N")), "that it declines, and never M or N"),
        (a_result(gold=(), correction=("X", "Y")), "that it declines, or says X or Y"),
        (a_result(gold=()), "that it declines"),
    ],
)
def test_what_was_expected_is_said_in_words(result: Result, words: str) -> None:
    assert runs_view.expected(result) == words


def test_bars_are_as_long_as_the_shares_beside_them() -> None:
    by_type = (("fact", Share(0.75, 0.5, 1.0, 4)), ("<b>new type</b>", Share(0.5)))
    seen = harmless(runs_view.run(a_run(by_type=by_type), []))
    assert [r["width"] for r in seen.all("rect") if r["class"] == "e-fill"] == ["75.0%", "50.0%"]
    assert [(w["x1"], w["x2"]) for w in seen.all("line") if w["class"] == "e-whisker"] == [("50.0%", "100.0%")]
    assert "Single fact" in seen.words
    assert "3 of 4" in seen.words
    assert "<b>new type</b>" in seen.words


def test_without_an_older_run_or_with_nothing_to_compare_no_flip_is_claimed() -> None:
    for flipped, since in ((None, None), (Flips(), a_run("old", -1))):
        seen = harmless(runs_view.run(a_run(), [a_result()], flipped, since))
        assert EN.run_first in seen.words
    seen = harmless(runs_view.run(a_run(corpus="b"), [a_result(right=True)], Flips(1), a_run("old", -1, corpus="a")))
    assert "No fact flipped since the run of" in seen.words
    assert EN.run_all_right in seen.words


def test_a_library_that_has_changed_is_told() -> None:
    lost = Flips(1, ((a_result(right=True), a_result()),))
    old = a_run("old", -1, corpus="a")
    assert EN.run_changed in runs_view.run(a_run(corpus="b"), [a_result()], lost, old)
    assert EN.run_changed not in runs_view.run(a_run(corpus="a"), [a_result()], lost, old)


def test_long_lists_and_long_answers_are_cut() -> None:
    facts = [a_result(id=f"f{i}", answer="word " * 5000) for i in range(runs_view.SHOWN + 5)]
    seen = harmless(markup := runs_view.run(a_run(n=len(facts)), facts))
    assert len(values(seen)) == 1 + runs_view.SHOWN
    assert EN.run_more_many.format(n=5) in seen.words
    assert len(markup) < 2000 * runs_view.SHOWN


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_text(hostile: str) -> None:
    r = a_run(hostile, engines=(hostile,), by_type=((hostile, Share(0.5, 0.1, 0.9, 2)),), facts=hostile, fact_files=(hostile,), git=hostile, corpus=hostile)  # fmt: skip
    fact = a_result(id=hostile, type=hostile, question=hostile, gold=((hostile,),), must_not=(hostile,), reason=f"says {hostile}", answer=hostile, pinned=True)  # fmt: skip
    asked = a_result(id=hostile + "2", reason=hostile, history=(Turn("user", hostile), Turn("assistant", hostile)))
    flipped = Flips(1, ((fact, fact),), ((fact, fact),))
    for markup in (
        runs_view.overview(Runs(hostile, (r, a_run()))),
        runs_view.overview(Runs(hostile)),
        runs_view.run(r, [fact, asked], flipped, r),
        runs_view.gone(),
    ):
        harmless(markup)


def test_any_button_leads_back_to_what_it_names(tmp_path: Path) -> None:
    name = "a b:c%2F&é"
    put(tmp_path, name, SUMMARY, [row(id="x:y/z", right=False, history=[{"role": "user", "content": "q"}])])
    (button,) = values(harmless(runs_view.overview(runs.read_runs(tmp_path))))
    assert runs.open_run(tmp_path, unquote(button.split(":")[1])) is not None
    replay = values(harmless(runs_view.run(*opened(tmp_path, name))))[1]
    _, run, fact = map(unquote, replay.split(":"))
    assert runs.result(tmp_path, run, fact) is not None
