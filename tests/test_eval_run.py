"""Runs, judged and reported: the engine is a fake that says what the test tells it to; the rest is real."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import eval as package
from eval import Fact, FactsError, evaluate
from eval.__main__ import articles_beside, main
from eval.facts import Evidence
from eval.report import load, markdown, page, write
from eval.run import TOP_K, Run, distinct, judge, public_config
from rag.config import Config
from rag.errors import LibraryCorrupt, LLMTimeout, RecapError
from rag.types import Answer, Article, Chunk, Citation, Event, Hit, Turn

ROOT = Path(__file__).resolve().parent.parent
VMAS = "mtv-video-music-awards"


def event(year: str) -> Event:
    return Event(key=VMAS, name="MTV Video Music Awards", edition=year, short="VMAs")


TEXT = "Megan hosted.\nKaty Perry got the Vanguard.\nRain fell."
A24 = Article("a24", "file:///n/v24.txt", "VMAs 2024", TEXT, events=(event("2024"),), cluster="a24")
A23 = Article("a23", "file:///n/v23.txt", "VMAs 2023", "Shakira got it.", events=(event("2023"),), cluster="a23")
COPY = Article("a23c", "file:///n/v23c.txt", "VMAs 2023", "Shakira\ngot it.", events=(event("2023"),), cluster="a23")


def chunks(article: Article) -> list[Chunk]:
    found, at = [], 0
    for n, line in enumerate(article.text.split("\n") if article.id == "a24" else [article.text]):
        found.append(Chunk(f"{article.id}-{n}", article.id, at, at + len(line), line))
        at += len(line) + 1
    return found


BY_ID = {a.id: a for a in (A24, A23, COPY)}
LIBRARY: Any = SimpleNamespace(
    config=Config(library=Path("lib"), auth="me:secret", llm_base_url="http://me:pw@127.0.0.1:9/v1?key=k"),
    articles=lambda: list(BY_ID.values()),
    chunks=lambda i: chunks(BY_ID[i]),
)


def hit(chunk_id: str, rank: int = 1, copies: tuple[str, ...] = ()) -> Hit:
    article = BY_ID[chunk_id.partition("-")[0]]
    chunk = next(c for c in chunks(article) if c.id == chunk_id)
    return Hit(rank=rank, score=1 / rank, chunk=chunk, article=article, copies=copies)


def cite(chunk_id: str, verdict: Any = "supported", sentence: int = 0) -> Citation:
    h = hit(chunk_id)
    return Citation(
        1,
        h.article.id,
        chunk_id,
        h.article.title,
        h.chunk.text,
        h.chunk.start,
        h.chunk.end,
        event=h.article.event,
        verdict=verdict,
        sentence=sentence,
    )


def says(text: str, *, short: str | None = None, cites: tuple[Citation, ...] = (cite("a24-0"),), **more: Any) -> Answer:
    return Answer(question="q", standalone_question="q", text=text, short=short, citations=cites, **more)


DECLINED = Answer(question="q", standalone_question="q", text="The coverage does not say.", abstained=True)


def fact(kind: Any = "fact", **more: Any) -> Fact:
    answers = (("Megan Thee Stallion", "Megan"),) if kind in ("fact", "followup", "temporal") else ()
    evidence = (Evidence("v24.txt", "Megan hosted."),) if answers else ()
    return Fact(**({"id": "f", "type": kind, "question": "q?", "answers": answers, "evidence": evidence} | more))


class Engine:
    """Answers and finds what it is told to, and notes what it was asked."""

    def __init__(self, *answers: Answer | Exception, hits: tuple[Hit, ...] = ()) -> None:
        self.answers, self.hits = answers, hits
        self.asked: list[tuple[str, Any, Any]] = []

    def ask(self, library: Any, question: str, *, history: Any = (), as_of: Any = None) -> Answer:
        self.asked.append((question, tuple(history), as_of))
        got = self.answers[min(len(self.asked) - 1, len(self.answers) - 1)]
        if isinstance(got, Exception):
            raise got
        return got

    def find(self, library: Any, question: str, *, history: Any = (), as_of: Any = None, top_k: int = 8) -> Any:
        assert top_k in (TOP_K, LIBRARY.config.candidates)
        return self.hits


def run(facts: list[Fact], *answers: Answer | Exception, hits: tuple[Hit, ...] = (), **more: Any) -> Any:
    """One answer for all facts, or one for each."""
    each = (answers[0], *answers) if len(answers) > 1 else answers  # the first is asked twice: cold, then warm
    engine = Engine(*each, hits=hits)
    return evaluate(LIBRARY, facts, ask=engine.ask, find=engine.find, **more)


# --- what is right ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "answer", "why"),
    [
        (fact(), says("Megan hosted [1]."), ""),
        (fact(), says("It was MEGAN [1]"), ""),
        (fact(), says("Shakira hosted [1]."), "does not say Megan Thee Stallion"),
        (fact(), says("Megan hosted.", cites=()), "no citation"),
        (fact(), DECLINED, "declined"),
        (fact(), says("Megan, I guess", abstained=True), "declined"),
        (fact(must_not=("Shakira",)), says("Megan, after Shakira [1]"), "says Shakira"),
        (fact(answers=(("1",),)), says("Nobody said [1]"), "does not say 1"),
        (fact("multi", answers=(("Milan",), ("Sasha",))), says("Milan and Sasha [1]"), ""),
        (fact("multi", answers=(("Milan",), ("Sasha",))), says("Milan [1]"), "does not say Sasha"),
        (fact("unanswerable"), DECLINED, ""),
        (fact("unanswerable"), says("Megan [1]"), "answered what the coverage does not say"),
        (fact("unanswerable", must_not=("coverage",)), DECLINED, "says coverage"),
        (fact("wrong_edition", must_not=("Megan",)), DECLINED, ""),
        (fact("wrong_edition", must_not=("Megan",)), says("Megan [1]"), "says Megan"),
        (fact("wrong_edition", must_not=("Megan",)), says("Shakira [1]"), "neither declined nor corrected"),
        (fact("false_premise", correction=("sons",)), says("She has sons [1]"), ""),
        (fact("false_premise", correction=("sons",), must_not=("Mia",)), says("Not sons but Mia [1]"), "says Mia"),
    ],
)
def test_what_is_right_for_each_type(given: Fact, answer: Answer, why: str):
    assert judge(given, answer) == (not why, why)


def test_markers_are_no_part_of_what_is_said():
    assert judge(fact(answers=(("Megan hosted the night",),)), says("Megan [1] hosted[2] the night"))[0]


# --- retrieval -------------------------------------------------------------------------------------------------------


def scores(given: Fact, *hits: Hit) -> dict[str, float | None]:
    return run([given], says("x"), hits=hits).results[0].scores


def test_a_passage_is_relevant_if_it_is_of_the_document_and_holds_the_quote():
    got = scores(fact(), hit("a24-1", 1), hit("a24-0", 2), hit("a23-0", 3))
    assert (got["hit@1"], got["hit@5"], got["mrr@10"]) == (0, 1, 1 / 2)


def test_a_quote_that_no_passage_holds_leaves_retrieval_undefined():
    got = scores(fact(evidence=(Evidence("v24.txt", "Megan hosted. Katy"),)), hit("a24-0"))
    assert "hit@1" not in got
    assert "hit@1" not in scores(fact("unanswerable"), hit("a24-0"))


def test_a_copy_stands_for_its_piece_and_counts_once():
    both = fact(evidence=(Evidence("v23.txt", "Shakira got it."), Evidence("v23c.txt", "Shakira got it.")))
    got = scores(both, hit("a23-0", 1, copies=("a23c",)))
    assert got["ndcg@10"] == 1, "one passage of two copies is all there is to find"
    only_copy = fact(evidence=(Evidence("v23c.txt", "Shakira got it."),))
    assert scores(only_copy, hit("a23-0", 1, copies=("a23c",)))["hit@1"] == 1
    assert scores(only_copy, hit("a23-0", 1))["hit@1"] == 0, "found, but it stands for no copy"


def test_a_passage_that_is_found_twice_counts_once():
    twice = distinct([hit("a23c-0", 3), hit("a23-0", 2), hit("a24-0", 1), hit("a24-0", 4)])
    assert [h.chunk.id for h in twice] == ["a24-0", "a23-0"], "by rank; the copy differs by a line end only"
    got = scores(fact(), hit("a23-0", 1), hit("a23-0", 2), hit("a24-0", 3))
    assert got["mrr@10"] == 1 / 2


# --- a run -----------------------------------------------------------------------------------------------------------


def test_history_and_day_reach_the_engine_and_the_first_question_is_asked_cold():
    engine = Engine(says("Megan"))
    given = fact("followup", history=(Turn("user", "before"),), as_of=date(2024, 9, 12), standalone="who hosted")
    seen: list[tuple[int, int]] = []
    got = evaluate(LIBRARY, [given], ask=engine.ask, find=engine.find, progress=lambda *x: seen.append(x))
    with_history = ("q?", given.history, given.as_of)
    assert engine.asked == [with_history, with_history, ("who hosted", (), given.as_of)]
    assert seen == [(1, 1)]
    assert got.about["cold_ms"] >= 0


def test_the_gap_of_followups_is_to_the_same_question_standing_alone():
    given = fact("followup", history=(Turn("user", "x"),), standalone="who hosted")
    engine = Engine(DECLINED, DECLINED, says("Megan"))  # cold, with its history, alone
    summary = evaluate(LIBRARY, [given], ask=engine.ask, find=engine.find).summary()["followups"]
    assert (summary["n"], summary["right"], summary["standalone_right"], summary["gap"]["mean"]) == (1, 0, 1, 1)


def test_a_crash_is_one_wrong_fact_and_the_rest_goes_on():
    facts = [fact(id="a"), fact(id="b"), fact("unanswerable", id="c")]
    got = run(facts, says("Megan"), ValueError("odd\nthing"), LLMTimeout("No answer within 60 s."))
    assert [r.right for r in got.results] == [True, False, False]
    assert got.results[1].reason == "error: ValueError: odd thing"
    assert got.summary()["errors"] == ["b", "c"]


def test_a_library_that_fails_ends_the_run():
    with pytest.raises(LibraryCorrupt):
        run([fact()], LibraryCorrupt("damaged"))
    with pytest.raises(FactsError, match="no facts"):
        run([], DECLINED)


def test_the_summary_is_arithmetic_over_the_facts():
    facts = [
        fact(id="right", pinned=True),
        fact(id="wrong", cluster="w", split="dev"),
        fact(id="declined", pinned=True),
        fact("unanswerable", id="no"),
        fact("unanswerable", id="invented"),
        fact("wrong_edition", id="trap", must_not=("Megan",), twin="right"),
    ]
    # two sentences, the second cited in part only
    half = (cite("a24-0"), cite("a24-1", "partial", 1))
    answers = [
        says("Megan hosted [1]. Rain fell [1].", short="Megan", cites=half, confidence=0.9),
        says("Shakira [1].", short="Shakira", confidence=0.6),
        DECLINED,
        DECLINED,
        says("Yes [1]."),
        DECLINED,
    ]
    s = run(facts, *answers, hits=(hit("a24-0"),)).summary()
    assert s["n"] == 6
    assert s["right"]["all"]["mean"] == 3 / 6
    assert s["right"]["multi"] is None
    assert s["answerable_right"]["mean"] == 1 / 3
    assert {name: (i["mean"], i["n"]) for name, i in s["answerable_right_by_split"].items()} == {
        "dev": (0, 1),
        "test": (1 / 2, 2),
    }
    assert s["unanswerable_declined"]["mean"] == 1 / 2
    assert s["abstention"]["false_abstention"]["mean"] == 1 / 3
    assert s["abstention"]["precision"]["mean"] == 1 / 2, "two declined, one rightly; traps apart"
    assert s["abstention"]["recall"]["mean"] == 1 / 2
    assert s["means"]["em"]["mean"] == s["means"]["f1"]["mean"] == 1 / 3
    assert s["means"]["contains"]["mean"] == 1 / 3
    assert s["means"]["citation_precision"]["mean"] == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert s["means"]["citation_recall"]["mean"] == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert s["means"]["crag"]["mean"] == (1 - 1 + 0 + 1 - 1 + 1) / 6
    assert s["means"]["hit@1"] == s["means"]["ndcg@10"]
    assert s["means"]["hit@1"]["n"] == 3
    assert s["risk_coverage"] == [[1 / 6, 0], [2 / 6, 1 / 2]], "one answer has no confidence"
    assert (s["calibration"]["n"], s["calibration"]["none"]) == (2, 1)
    assert s["calibration"]["error"] == pytest.approx((0.1 + 0.6) / 2)
    lost = {"ranked out": 1, "read wrongly": 1, "answered the unanswerable": 1}
    assert s["diagnosis"]["stages"] == lost, "what declined had read nothing"
    assert s["diagnosis"]["by_type"]["unanswerable"] == {"answered the unanswerable": 1}
    assert s["pairs"] == {"n": 1, "both_right": 1, "lost": []}
    assert (s["pinned"], s["pinned_wrong"]) == (2, ["declined"])
    assert s["wrong"] == ["wrong", "declined", "invented"]
    assert set(s["latency_ms"]) == {"search", "total"}


def test_another_edition_is_seen_by_the_facts_own_words():
    asked = fact(id="a", question="who got it at the 2023 VMAs", answers=(("Shakira",),), evidence=_e("v23.txt"))
    no_year = dataclasses.replace(asked, id="b", question="who got it", standalone=None)
    trap = fact("wrong_edition", id="c", must_not=("Katy Perry",))
    declined = dataclasses.replace(asked, id="d")
    other, right = says("Perry", cites=(cite("a24-1"),)), says("Shakira", cites=(cite("a23-0"),))
    got = run([asked, no_year, trap, declined], other, other, says("Katy Perry"), DECLINED)
    assert got.summary()["wrong_edition"] == ["a", "c"]
    assert run([asked], right).summary()["wrong_edition"] == []


def _e(doc: str) -> tuple[Evidence, ...]:
    return (Evidence(doc, "Shakira got it."),)


def test_secrets_stay_out_of_what_is_written():
    shown = public_config(LIBRARY.config)
    assert (shown["auth"], shown["llm_base_url"]) == ("set", "http://127.0.0.1:9/v1")
    assert json.dumps(shown)


def test_the_corpus_hash_knows_the_text_and_not_the_place():
    def corpus(*articles: Article) -> Any:
        held = SimpleNamespace(**vars(LIBRARY) | {"articles": lambda: list(articles)})
        engine = Engine(DECLINED)
        return evaluate(held, [fact()], ask=engine.ask, find=engine.find).about["corpus"]["hash"]

    moved = dataclasses.replace(A24, id="other", source="file:///elsewhere/v24.txt")
    BY_ID["other"] = moved
    try:
        assert corpus(A24, A23) == corpus(A23, A24) == corpus(A23, moved)
    finally:
        del BY_ID["other"]
    assert corpus(A24) != corpus(dataclasses.replace(A24, text=TEXT + "!"))


# --- reports ---------------------------------------------------------------------------------------------------------

HOSTILE = '<img src=x onerror=alert(1)> | `a`\x00\x1b & "q" ‘é’'


@pytest.fixture
def written(tmp_path: Path) -> tuple[Any, Path]:
    facts = [
        fact(id="ok"),
        fact(id="bad|<b>", question=HOSTILE, pinned=True, must_not=("Shakira",), history=(Turn("user", HOSTILE),)),
        fact("unanswerable", id="oops"),
    ]
    answers = says("Megan", confidence=0.9), says(HOSTILE, notes=(HOSTILE,)), RuntimeError(HOSTILE)
    got = run(facts, *answers, hits=(hit("a24-0"),), out=tmp_path / "deep" / "out")
    return got, tmp_path / "deep" / "out"


def test_a_run_is_read_back_as_it_was_written(written: tuple[Any, Path]):
    got, out = written
    assert load(out).results == load(out / "run.jsonl").results == got.results
    summary = json.loads((out / "summary.json").read_text())
    assert summary == json.loads(json.dumps(got.summary()))
    assert {"config", "corpus", "facts", "git", "versions", "started"} <= set(summary)
    assert "secret" not in (out / "summary.json").read_text() + (out / "report.html").read_text()
    assert sorted(p.name for p in out.iterdir()) == [
        "junit.xml",
        "report.html",
        "report.md",
        "run.jsonl",
        "summary.json",
    ]


def test_junit_parses_and_counts(written: tuple[Any, Path]):
    suites = ET.parse(written[1] / "junit.xml").getroot()
    counts = {s.get("name"): (s.get("tests"), s.get("failures"), s.get("errors")) for s in suites}
    assert counts == {"fact": ("2", "1", "0"), "unanswerable": ("1", "0", "1")}
    failure = suites.find(".//failure")
    assert failure is not None
    assert "does not say Megan Thee Stallion" in str(failure.get("message"))
    assert "onerror" in str(failure.text)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_runs_nothing_and_fetches_nothing(written: tuple[Any, Path]):
    text = (written[1] / "report.html").read_text()
    tags = Tags()
    tags.feed(text)
    assert not {t for t, _ in tags.seen} & {"script", "img", "link", "iframe", "object", "base"}
    assert not [a for _, attrs in tags.seen for a in attrs if a.startswith("on") or a in ("src", "href")]
    assert [t for t, _ in tags.seen].count("svg") == 2, "risk and coverage, calibration; the bars need none"
    pictures = [attrs.get("aria-label") for _, attrs in tags.seen if attrs.get("role") == "img"]
    assert "lost" in str(pictures[0]), "where wrong answers were lost comes first"
    assert len(pictures) == 6
    assert len(set(pictures)) == 6
    assert [t for t, _ in tags.seen].count("table") >= len(pictures)
    assert "default-src" in text
    assert "<mark>Megan hosted.</mark>" in text, "the gold is lit in the passage that holds it"


def test_markdown_lists_each_failed_fact_with_its_answer_and_the_gold(written: tuple[Any, Path]):
    text = (written[1] / "report.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| 📌 bad"))
    assert "does not say Megan Thee Stallion" in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 7, "a bar in the text does not make a column"
    assert "1/3 facts right; pinned facts wrong: bad|<b>; 1 raised an error." in text


def test_an_answer_is_words_and_no_markup_in_the_report():
    got = run([fact()], says("Nobody ![1](http://evil.example/p.png) <img src=http://evil.example/a.png>"))
    text = markdown(got.results, got.summary())
    assert "evil.example" in text
    for markup in ("![", " <img", "http://"):
        assert markup not in text


def test_a_run_without_failures_and_one_of_declined_facts_have_pages():
    for got in (run([fact()], says("Megan")), run([fact("unanswerable")], DECLINED)):
        assert "Every fact is right." in page(got.results, got.summary())
        assert "## Wrong" not in markdown(got.results, got.summary())


@pytest.mark.parametrize("text", [None, "", "x", "[1]", '{"id": "a"}', '{"id":"a","nonsense":1}'])
def test_a_run_that_cannot_be_read_is_one_sentence(tmp_path: Path, text: str | None):
    if text is not None:
        (tmp_path / "run.jsonl").write_text(text)
    with pytest.raises(RecapError, match="recap eval"):
        load(tmp_path)


def test_reports_that_cannot_be_written_are_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecapError, match="Choose another folder with --out"):
        run([fact()], DECLINED, out=tmp_path / "file" / "out")


# --- the command line ------------------------------------------------------------------------------------------------


def write_facts(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "facts.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows))
    return path


ROW = {"id": "no", "type": "unanswerable", "question": "what is the capital of France"}


def test_a_file_beside_the_facts_that_nests_too_deep_is_left_to_the_reading(tmp_path: Path):
    (tmp_path / "facts.jsonl").write_text('{"question": "Who?"}')
    (tmp_path / "deep.jsonl").write_text("[" * 100_000)
    assert [p.name for p in articles_beside([tmp_path / "facts.jsonl"])] == ["deep.jsonl"]


def test_articles_beside_the_facts_are_found_and_nothing_else(tmp_path: Path):
    own = write_facts(tmp_path, ROW)
    for name in ("b.txt", "a.html", "README.md", "LICENSE.txt", ".hidden.txt", "x.png", "facts.yaml"):
        (tmp_path / name).write_text("x")
    (tmp_path / "more.jsonl").write_text(json.dumps(ROW))
    (tmp_path / "articles.jsonl").write_text('{"title": "t", "text": "b"}')
    assert [p.name for p in articles_beside([own])] == ["a.html", "articles.jsonl", "b.txt"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["FACTS", "--library", "gone"], "There is no library at"),
        (["check", "FACTS", "--library", "gone"], "There is no library at"),
        (["gone.jsonl"], "gone.jsonl: No such file"),
        (["FACTS", "--llm", "magic"], "'magic' is not a language model"),
        (["compare", "gone", "gone"], "There is no run at gone"),
        (["FACTS", "--split", "train"], "No fact has the split 'train'. Use one of test."),
        (["FACTS", "--limit", "0"], "'0' is not a number from 1"),
        ([], "required: FACTS"),
    ],
)
def test_what_cannot_run_is_said_in_a_sentence_and_exits_with_2(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    write_facts(tmp_path, ROW)
    assert main(["facts.jsonl" if w == "FACTS" else w for w in words]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


def test_escape_codes_in_a_fact_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write_facts(tmp_path, ROW | {"id": "a\x1b]0;title\x07"}, ROW | {"type": "\x1b[2J"})
    assert main(["check", str(path), "--library", str(tmp_path / "gone")]) == 2
    assert main([str(path)]) == 2
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "is unknown" in said.err


def test_a_reader_that_goes_away_is_no_traceback_and_does_not_hide_the_exit_status(tmp_path: Path):
    lost = [
        dataclasses.replace(r, right=False) for r in run([fact(pinned=True)], says("Megan"), out=tmp_path / "a").results
    ]
    write(Run(results=tuple(lost), about={}), tmp_path / "b")
    words = [sys.executable, "-m", "eval", "compare", str(tmp_path / "a"), str(tmp_path / "b")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 1


def test_help_names_the_other_commands_and_is_quick(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    assert "recap eval compare A B" in capsys.readouterr().out
    code = "import sys, eval.__main__ as m; m.main(['-h']); print([x for x in ('chromadb','gradio','torch') if x in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    assert done.stdout.endswith("[]\n")


def test_the_package_gives_what_it_names():
    assert all(hasattr(package, name) for name in package.__all__)
    assert package.evaluate is evaluate


ARTICLE = """2024 MTV Video Music Awards: the night in short

The 2024 MTV Video Music Awards took place on Wednesday, September 11. Megan Thee Stallion hosted the show.
"""


def test_five_facts_beside_an_article_get_their_verdict_in_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """For real: reading, storing, finding and answering, with no language model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECAP_LLM", "none")
    monkeypatch.setenv("RECAP_LIBRARY", os.fspath(tmp_path / "not-this-one"))
    (tmp_path / "vmas.txt").write_text(ARTICLE)
    quote = {"doc": "vmas.txt", "quote": "Megan Thee Stallion hosted the show."}
    host = {"id": "host", "type": "fact", "question": "who hosted the 2024 VMAs", "answers": ["Megan Thee Stallion"]}
    facts = write_facts(tmp_path, host | {"evidence": [quote], "pinned": True}, ROW)
    assert main(["check", str(facts)]) == 0
    assert "2 facts, 0 problems." in capsys.readouterr().out
    assert main([str(facts), "--out", "one", "--llm", "none"]) == 0
    assert "2/2 facts right; all 1 pinned right." in capsys.readouterr().out
    assert not (tmp_path / "not-this-one").exists()
    # a wrong gold answer: the pinned fact fails the run, and comparing the runs says so
    write_facts(
        tmp_path, host | {"answers": ["Shakira"], "evidence": [quote | {"quote": "Shakira"}], "pinned": True}, ROW
    )
    assert main(["check", str(facts)]) == 1
    assert f"{facts}:1: host: vmas.txt does not say 'Shakira'" in capsys.readouterr().out
    assert main([str(facts), "--out", "two"]) == 1
    assert "pinned facts wrong: host" in capsys.readouterr().out
    assert main(["compare", "one", "one"]) == 0
    assert "Cannot tell" in capsys.readouterr().out
