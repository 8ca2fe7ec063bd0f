"""The published benchmarks, on files in their formats with invented content: read, asked, scored by hand."""

from __future__ import annotations

import bz2
import gzip
import json
import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from eval import crag, multihop, rgb
from eval.__main__ import main
from eval.benchmarks import Said, by_group, rows, says, spaced
from eval.metrics import crag_points
from rag.config import Config
from rag.errors import RecapError


def said(text: str, short: str = "", *, declined: bool = False, notes: tuple[str, ...] = ()) -> Said:
    return Said(text, short, declined, "reader", notes, 1.0)


# --- files ------------------------------------------------------------------------------------------------------------


def test_lists_and_lines_are_read_packed_or_not(tmp_path: Path) -> None:
    lines = b'\xef\xbb\xbf{"a": 1}\n\n{"a": 2}\n'
    (tmp_path / "x.jsonl").write_bytes(lines)
    (tmp_path / "x.jsonl.bz2").write_bytes(bz2.compress(lines))
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "x.json").write_bytes(b'\n[{"a": 1},\n {"a": 2}]')
    for file in tmp_path.iterdir():
        assert [r["a"] for _, r in rows(file)] == [1, 2], file


@pytest.mark.parametrize(
    ("data", "told"),
    [(b'{"a": 1}\n{"a":', "Line 2 of"), (b"[1]", "Item 1 of"), (b'"x"\n', "not a JSON object"), (b"[{", "not JSON")],
)
def test_a_damaged_file_is_told_with_its_place(data: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(RecapError, match=told):
        list(rows(tmp_path / "x.json"))


def test_a_cut_or_missing_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.bz2").write_bytes(bz2.compress(b'{"a": 1}\n' * 50)[:-10])
    for file in ("x.bz2", "none.json"):
        with pytest.raises(RecapError, match="cannot be read"):
            list(rows(tmp_path / file))


def test_a_sample_is_of_the_whole_file() -> None:
    assert spaced(range(10), 3) == [0, 3, 6]
    assert spaced("ab", 5) == spaced("ab", None) == ["a", "b"]


# --- judging ----------------------------------------------------------------------------------------------------------


def test_an_answer_must_say_the_gold_whole_and_a_yes_must_be_the_answer() -> None:
    assert says(said("It was Ana Lima's song."), ["Ana Lima"])
    assert says(said("A long text.", "Ana Lima"), ["x", "ana lima"])
    assert not says(said("It was Anastasia."), ["Ana"])
    assert not says(said("It was Ana Lima.", declined=True), ["Ana Lima"])
    assert says(said("Yes: both say so."), ["yes"])
    assert says(said("They agree.", "No"), ["No"])
    assert not says(said("There was no rain."), ["No"])
    assert not says(said("There was no rain."), ["Yes"])


def test_means_are_of_all_and_of_each_group_and_leave_out_what_is_not_defined() -> None:
    records = [{"id": i, "type": t, "s": s} for i, t, s in (("1", "a", 1.0), ("2", "a", 0.0), ("3", "b", None))]
    found = by_group(records, ["s"], "type")
    assert [(k, g["n"], g["s"] and g["s"]["mean"]) for k, g in found.items()] == [
        ("all", 3, 0.5),
        ("a", 2, 0.5),
        ("b", 1, None),
    ]


# --- MultiHop-RAG -----------------------------------------------------------------------------------------------------

BRIDGE = "The mayor of Port Alder, Odalys Brandt, opened the Lantern Bridge on Monday after three years of work."
PLUMS = "Farmers in Quillmere harvested forty tonnes of plums, said Odalys Brandt, who visited the orchards on Friday."


def test_passages_are_scored_as_the_script_of_multihop_does() -> None:
    q = multihop.Query(
        "1", "Who?", "Odalys Brandt", "inference_query", ("opened the  Lantern\nBridge", "forty tonnes", "never said")
    )
    passages = ["x", BRIDGE, BRIDGE, PLUMS, "x"]
    # rank 2: 1 new fact / 2; rank 3: nothing new; rank 4: 1 / 4; over 3 facts
    assert multihop.found(q, passages) == {"hits@4": 1, "hits@10": 1, "map@10": (1 / 2 + 1 / 4) / 3, "mrr@10": 1 / 2}
    assert multihop.found(q, ["x"] * 10 + [BRIDGE]) == dict.fromkeys(multihop.FOUND, 0)
    assert multihop.found(q, ["x"] * 4 + [PLUMS])["hits@4"] == 0
    null = multihop.Query("2", "Who?", "Insufficient information.", multihop.NULL, ())
    assert set(multihop.found(null, passages).values()) == {None}


def official_multihop(retrieved: list[str], gold: list[str]) -> tuple[float, float, float, float]:
    """The rules of retrieval_evaluate.py for one query: Hits@4, Hits@10, MAP@10, MRR@10."""
    gold = [g.replace(" ", "").replace("\n", "") for g in gold]
    known: set[str] = set()
    total, first, four, ten = 0.0, 0, 0.0, 0.0
    for rank, text in enumerate((r.replace(" ", "").replace("\n", "") for r in retrieved[:10]), start=1):
        if any(g in text for g in gold):
            ten, first, four = 1.0, first or rank, max(four, float(rank <= 4))
            new = {g for g in gold if g in text} - known
            known |= new
            total += len(new) / rank
    return four, ten, total / min(len(gold), 10), 1 / first if first else 0.0


def test_multihop_scores_agree_with_the_script_on_any_ranking() -> None:
    rng = random.Random(7)
    words = [f"fact {i} said\nhere" for i in range(6)]
    for _ in range(200):
        gold = rng.sample(words, rng.randint(1, 4))
        passages = [" and ".join(rng.sample(words, rng.randint(0, 2))) for _ in range(rng.randint(0, 12))]
        got = multihop.found(multihop.Query("1", "?", "x", "inference_query", tuple(gold)), passages)
        assert [got[k] for k in multihop.FOUND] == pytest.approx(official_multihop(passages, gold))


def test_a_null_query_must_be_declined_and_any_other_answered() -> None:
    null = multihop.Query("1", "?", "Insufficient information.", multihop.NULL, ())
    other = multihop.Query("2", "?", "The Lantern Bridge", "inference_query", ("x",))
    assert multihop.judged(null, said("Not said.", declined=True))["right"] == 1
    assert multihop.judged(null, said("Insufficient information.", "x"))["right"] == 0
    assert multihop.judged(other, said("The mayor", "the mayor")) == {"right": 0, "shares a word": 1, "declined": 0}
    assert multihop.judged(other, said("The Lantern Bridge", declined=True)) == {
        "right": 0,
        "shares a word": 0,
        "declined": 1,
    }


@pytest.fixture
def multihop_files(tmp_path: Path) -> Path:
    folder = tmp_path / "MultiHop-RAG" / "dataset"
    folder.mkdir(parents=True)
    articles = [
        ("bridge", BRIDGE),
        ("plums", PLUMS),
        ("whale", "The museum in Tarnby bought a whale skeleton from a retired captain."),
    ]
    corpus = [
        {"title": f"News of the {n}", "author": "Rosa Field", "source": "Example Daily", "published_at": "2023-10-02T10:00:00+00:00",
         "category": "news", "url": f"https://news.example/{n}", "body": body}
        for n, body in articles
    ]  # fmt: skip
    queries = [
        {"query": "Who opened the Lantern Bridge?", "answer": "Odalys Brandt",
         "question_type": "inference_query", "evidence_list": [
             {"title": "News of the bridge", "author": "Rosa Field", "url": "https://news.example/bridge", "source": "Example Daily",
              "category": "news", "published_at": "2023-10-02T10:00:00+00:00", "fact": BRIDGE},
             {"title": "News of the plums", "url": "https://news.example/plums", "fact": PLUMS}]},
        {"query": "Which astronaut painted the lighthouse of Gull Island?", "answer": "Insufficient information.",
         "question_type": "null_query", "evidence_list": []},
    ]  # fmt: skip
    (folder / "corpus.json").write_text(json.dumps(corpus))
    (folder / "MultiHopRAG.json").write_text(json.dumps(queries))
    return folder


def test_multihop_runs_from_its_files_and_keeps_its_library(
    multihop_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["multihop", str(multihop_files.parent), "--out", str(out)]) == 0
    assert "| inference_query | 1 | 100.0" in capsys.readouterr().out
    summary = json.loads((out / "multihop.json").read_text())
    assert summary["library"] | {"seconds": 0, "chunks": 3} == {
        "articles": 3,
        "chunks": 3,
        "added": 3,
        "rejected": 0,
        "seconds": 0,
    }
    assert summary["types"]["all"]["hits@4"]["n"] == 1, "a null query has no evidence to find"
    records = [json.loads(line) for line in (out / "multihop.jsonl").read_text().splitlines()]
    assert [(r["type"], r["right"]) for r in records] == [("inference_query", 1.0), ("null_query", 1.0)]
    assert records[0]["map@10"] == pytest.approx(1.0) or records[0]["hits@10"] == 1
    assert "arXiv 2401.15391" in (out / "multihop.md").read_text()
    assert main(["multihop", str(multihop_files / "MultiHopRAG.json"), "--out", str(out), "--limit", "1"]) == 0
    again = json.loads((out / "multihop.json").read_text())
    assert (again["library"]["added"], again["questions"]) == (0, 1)


def test_multihop_without_its_files_is_told(multihop_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (multihop_files / "corpus.json").unlink()
    assert main(["multihop", str(multihop_files)]) == 2
    assert "no corpus.json in" in capsys.readouterr().err
    (multihop_files / "corpus.json").write_text('[{"title": "x"}]')
    assert main(["multihop", str(multihop_files)]) == 2
    assert 'has no "body"' in capsys.readouterr().err


# --- RGB --------------------------------------------------------------------------------------------------------------

GOOD = tuple(f"Odalys Brandt opened the Lantern Bridge in Port Alder, paper {i} wrote." for i in range(6))
BAD = tuple(f"The ferry of Port Alder was late again on day {i}." for i in range(6))


def item(kind: rgb.Kind = "noise", **changes: Any) -> rgb.Item:
    given: dict[str, Any] = {
        "id": "x/0", "kind": kind, "query": "Who opened the Lantern Bridge?", "answers": (("Odalys Brandt", "Mayor Brandt"),),
        "positive": tuple((g,) for g in GOOD), "negative": BAD,
    }  # fmt: skip
    return rgb.Item(**(given | changes))


@pytest.mark.parametrize(("noise", "good"), [(0, 5), (0.2, 4), (0.4, 3), (0.6, 2), (0.8, 1), (1, 0)])
def test_the_noise_ratio_is_the_share_of_passages_that_do_not_answer(noise: float, good: int) -> None:
    docs = rgb.draw(item(), noise)
    assert (len(docs), sum(d in GOOD for d in docs)) == (5, good)
    assert docs == rgb.draw(item(), noise), "the same draw each time"


def test_few_passages_of_one_kind_are_made_up_for_by_the_other() -> None:
    few = rgb.draw(item(positive=(("only",),)), 0)
    assert sorted(few) == sorted(("only", *BAD[:4]))
    assert sum(d in GOOD for d in rgb.draw(item(negative=BAD[:1]), 0.8)) == 4
    assert rgb.draw(item(negative=BAD[:1]), 1) == [BAD[0]], "with nothing but noise no answer is let in"


def test_integration_draws_from_each_part_of_the_answer_first() -> None:
    parts = (("a1", "a2", "a3"), ("b1", "b2"))
    docs = rgb.draw(item("integration", positive=parts), 0.4)
    assert {d[0] for d in docs} >= {"a", "b"}
    assert sum(d in BAD for d in docs) == 2
    most_noise = rgb.draw(item("integration", positive=parts), 0.8)
    assert sorted(d[0] for d in most_noise if d not in BAD) == ["a", "b"], "no part is left out for noise"


def test_counterfactual_passages_are_the_false_ones() -> None:
    wrong = tuple(g.replace("Odalys Brandt", "Bruno Salt") for g in GOOD[:3])
    assert sorted(rgb.draw(item("counterfactual", wrong=wrong), 0)) == sorted(wrong)


def test_rgb_answers_are_judged_by_every_part_and_any_alias() -> None:
    two = item(answers=(("Odalys Brandt", "Mayor Brandt"), ("Monday",)))
    assert rgb.judged(two, said("It was MAYOR BRANDT, on monday."), 0)["right"] == 1
    assert rgb.judged(two, said("It was Mayor Brandt."), 0)["right"] == 0
    assert rgb.judged(item(), said("Odalys Brandt, it seems.", declined=True), 0.2)["right"] == 0
    assert [rgb.judged(item(), said("x", declined=d), 1)["right"] for d in (True, False)] == [1, 0]
    false = item("counterfactual", wrong=("w",), false="Bruno Salt")
    found = rgb.judged(false, said("Bruno Salt.", notes=("The passages contradict each other.",)), 0)
    assert (found["right"], found["false answer"], found["detected"]) == (0, 1, 1)
    assert rgb.judged(item(), said("Bruno Salt."), 0)["detected"] is None


@pytest.fixture
def rgb_files(tmp_path: Path) -> Path:
    folder = tmp_path / "RGB" / "data"
    folder.mkdir(parents=True)
    query = {"id": 0, "query": "Who opened the Lantern Bridge?", "negative": BAD}
    wrong = [g.replace("Odalys Brandt", "Bruno Salt") for g in GOOD]
    lines = {
        "en.json": query | {"answer": [["Odalys Brandt", "O. Brandt"]], "positive": GOOD},
        "en_int.json": query | {"query": "Who opened the Lantern Bridge and where?", "positive": [GOOD[:2], GOOD[2:]],
                                "answer": [["Odalys Brandt"], ["Port Alder"]]},
        "en_fact.json": query | {"answer": "Odalys Brandt", "fakeanswer": "Bruno Salt", "positive": GOOD, "positive_wrong": wrong},
    }  # fmt: skip
    for name, line in lines.items():
        (folder / name).write_text(json.dumps(line) + "\n")
    return folder


def test_rgb_runs_from_its_files(rgb_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rgb", str(rgb_files.parent), "--out", str(tmp_path / "out")]) == 0
    assert "| en, noise 0.8 | 1 |" in capsys.readouterr().out
    summary = json.loads((tmp_path / "out" / "rgb.json").read_text())
    assert list(summary["groups"]) == [
        *(f"en, noise {n}" for n in ("0", "0.2", "0.4", "0.6", "0.8", "1")),
        *(f"en_int, noise {n}" for n in ("0", "0.2", "0.4")), "en_fact, noise 0",
    ]  # fmt: skip
    records = [json.loads(line) for line in (tmp_path / "out" / "rgb.jsonl").read_text().splitlines()]
    by = {r["group"]: r for r in records}
    assert by["en, noise 0"]["right"] == by["en, noise 0.8"]["right"] == 1
    assert by["en, noise 1"]["declined"] == 1, "what the other draws hold is not looked at"
    assert (by["en_fact, noise 0"]["right"], by["en_fact, noise 0"]["false answer"]) == (0, 1)


def test_rgb_without_a_file_or_an_answer_is_told(rgb_files: Path, tmp_path: Path) -> None:
    with pytest.raises(RecapError, match="none of en"):
        rgb.load(tmp_path / "nowhere")
    (rgb_files / "en.json").write_text('{"query": "Who?", "positive": ["x"]}\n')
    with pytest.raises(RecapError, match='has no "answer"'):
        rgb.load(rgb_files / "en.json")
    (rgb_files / "en.json").write_text("\n")
    with pytest.raises(RecapError, match="holds no questions"):
        rgb.load(rgb_files / "en.json")


# --- CRAG -------------------------------------------------------------------------------------------------------------

PAGE = """<!doctype html><html><head><title>The bridge is open</title>
<meta property="article:published_time" content="2024-03-04"></head><body><nav>Home News Sport</nav><article><h1>The bridge is open</h1>
<p>{0}</p><p>It took three years and cost forty million crowns, and the first to cross it was a baker with her dog, who had waited
since five in the morning.</p></article></body></html>"""


def crag_row(ident: str, query: str, answer: str, html: str, **more: Any) -> dict[str, Any]:
    pages = [{"page_name": "The bridge", "page_url": "https://news.example/b", "page_snippet": "Luca Ferrand &amp; co.", "page_result": html,
              "page_last_modified": " Wed, 06 Mar 2024 03:19:02 GMT"}]  # fmt: skip
    return {
        "interaction_id": ident, "query_time": "03/05/2024, 23:18:31 PT", "domain": "open", "question_type": "simple",
        "static_or_dynamic": "static", "query": query, "answer": answer, "alt_ans": [], "split": 0, "search_results": pages,
    } | more  # fmt: skip


@pytest.fixture
def crag_file(tmp_path: Path) -> Path:
    lines = [
        crag_row("a-1", "who opened the lantern bridge?", "brandt", PAGE.format(BRIDGE), alt_ans=["odalys brandt"]),
        crag_row("b-2", "who painted the lighthouse of gull island?", "nils aker", PAGE.format(PLUMS), domain="music", question_type="set"),
        crag_row("c-3", "who opened the lantern bridge?", "invalid question", "", question_type="false_premise"),
    ]  # fmt: skip
    file = tmp_path / "crag.jsonl.bz2"
    file.write_bytes(bz2.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    return file


def test_crag_questions_are_read_in_either_form(tmp_path: Path, crag_file: Path) -> None:
    first = next(crag.load(crag_file))
    assert (first.gold, first.asked) == (("brandt", "odalys brandt"), date(2024, 3, 5))
    old = crag_row("d", "who?", "x", "", alternative_answers='["y", " "]')
    del old["alt_ans"]
    (tmp_path / "old.jsonl").write_text(json.dumps(old))
    assert next(crag.load(tmp_path / "old.jsonl")).gold == ("x", "y")
    assert crag.day_of("yesterday") is crag.day_of("13/45/2024, 1:00:00 PT") is None


def test_crag_answers_score_one_nought_or_minus_one() -> None:
    asked = crag.Item("1", "who?", ("brandt",), None, "simple", "open", "static", ())
    answers = [said("It was Brandt."), said("", declined=True), said("It was Salt.")]
    found = [crag.judged(asked, s) for s in answers]
    assert [f["score"] for f in found] == [1, 0, -1] == [crag_points(True, False), 0, -1]
    assert [(f["accuracy"], f["missing"], f["hallucination"]) for f in found] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


def test_crag_runs_from_its_file_each_question_within_its_own_pages(
    crag_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["crag", str(crag_file), "--out", str(out)]) == 0
    assert "| music | 1 |" in capsys.readouterr().out
    records = {r["id"]: r for r in map(json.loads, (out / "crag.jsonl").read_text().splitlines())}
    assert (records["a-1"]["accuracy"], records["a-1"]["asked"]) == (1, "2024-03-05")
    assert records["b-2"]["declined"]
    assert records["c-3"]["missing"], "the bridge is in the pages of another question"
    pages = [json.loads(line) for line in (out / "pages.jsonl").read_text().splitlines()]
    assert pages[0]["published"] == "2024-03-04"
    assert "Home News Sport" not in pages[0]["text"]
    assert pages[2]["text"] == "Luca Ferrand & co.", "a page that cannot be parsed gives its snippet"


def test_crag_goes_on_where_it_was_stopped(crag_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    config = Config(library=out / "library", llm="none")
    crag.run(crag_file, config=config, out=out, limit=1)
    kept = (out / "pages.jsonl").read_text()
    (out / "pages.jsonl").write_text(kept.replace("Port Alder", "Port Elsewhere") + '{"url": "https://crag.inv')
    summary = crag.run(crag_file, config=config, out=out)
    lines = (out / "pages.jsonl").read_text().splitlines()
    assert [json.loads(line)["url"][-5:] for line in lines] == ["a-1/0", "b-2/0", "c-3/0"]
    assert "Port Elsewhere" in lines[0], "what was parsed is not parsed again"
    assert summary["library"]["articles"] == 3


def test_crag_tells_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps(crag_row("a", "who?", "x", "") | {"search_results": []}))
    for file, told in (("none.jsonl", "There is no file"), ("x.jsonl", "no search_results")):
        assert main(["crag", str(tmp_path / file), "--out", str(tmp_path / "out")]) == 2
        assert told in capsys.readouterr().err
