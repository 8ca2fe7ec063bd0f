"""The benchmark beside other systems: its data, its judgement, its parts; on a small corpus of our own."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import date
from math import log2
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import growth, realtimeqa, systems
from eval.__main__ import main
from eval.metrics import answer_normalise, holds_answer
from eval.parts import answer_part, disk_bytes, peak_rss_mb, run_part
from eval.questions import METRICS, WITHIN, Passage, Question, digest, first_words, judge, load, sample, write
from eval.sidebyside import markdown, plot
from eval.systems import Corpus, build, search_all, windows
from rag.errors import RecapError
from rag.retrieve.query import understand
from rag.retrieve.search import search
from tests.conftest import CountingEmbedder

TOPICS = {
    "bridge": ("The mayor of Port Alder opened the Lantern Bridge.", "Who opened the Lantern Bridge?", "The mayor"),
    "harvest": ("Farmers in Quillmere harvested forty tonnes of plums.", "What was harvested in Quillmere?", "plums"),
    "race": ("Ines Calder won the sailing race around Gull Island.", "Who won the sailing race?", "Ines Calder"),
    "museum": ("The museum in Tarnby bought a whale skeleton.", "What did the museum in Tarnby buy?", "whale skeleton"),
}
FILLER = (
    "The council met again on {day} to speak about the {thing}, and the meeting ended after {n} hours without a vote."
)


def article(name: str, sentence: str, n: int) -> dict[str, object]:
    filler = " ".join(FILLER.format(day=f"day{n}", thing=f"{name}{i}", n=i + 2) for i in range(12))
    return {
        "url": f"https://news.example/{name}", "title": f"News of the {name}", "text": f"{sentence} {filler}",
        "authors": [], "published": f"2023-02-{n + 1:02}",
    }  # fmt: skip


def data_rows() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Four articles that each answer a question, eight that answer none."""
    articles = [article(name, said, n) for n, (name, (said, _, _)) in enumerate(TOPICS.items())]
    articles += [article(f"other{i}", f"Nothing of note was seen in village {i}.", 10 + i) for i in range(8)]
    questions = [
        {
            "id": f"2023020{n // 2}_{n % 2}", "date": f"2023-02-{n + 3:02}", "question": asked, "answer": answer,
            "choices": [answer, "no one"], "evidence": "SECRETEVIDENCE said so.",
            "urls": [f"https://news.example/{name}", f"https://news.example/other{n}"],
            "answer_urls": [f"https://news.example/{name}"],
        }
        for n, (name, (_, asked, answer)) in enumerate(TOPICS.items())
    ]  # fmt: skip
    questions.append(questions[0] | {"id": "20230209_0", "answer_urls": []})
    return articles, questions


def put(folder: Path, articles: object, questions: object, *, packed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("articles", articles), ("questions", questions)):
        text = rows if isinstance(rows, str) else "".join(json.dumps(r) + "\n" for r in rows)  # type: ignore[attr-defined]
        if packed and name == "articles":
            (folder / "articles.jsonl.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / f"{name}.jsonl").write_text(text)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return put(tmp_path / "data", *data_rows())


@pytest.fixture
def corpus(tmp_path: Path, data: Path) -> Corpus:
    """The data as the parts see them, with a library by the embedder that needs no model."""
    folder = tmp_path / "corpus"
    write(folder, *load(data))
    made = Corpus(folder, folder / "library")
    build("recap", made, embedder=CountingEmbedder())
    return made


def question(**changes: object) -> Question:
    given_ = {"id": "1_0", "date": date(2023, 2, 1), "text": "Who?", "answer": "Ines Calder", "urls": (), "answer_urls": ("a",)}  # fmt: skip
    return Question(**(given_ | changes))  # type: ignore[arg-type]


# --- reading ----------------------------------------------------------------------------------------------------------


def test_only_questions_that_an_article_answers_count_and_the_evidence_is_not_kept(data: Path) -> None:
    articles, questions = load(data)
    assert (len(articles), len(questions)) == (12, 4)
    assert "SECRETEVIDENCE" not in repr(questions) + repr(articles)
    assert [q.quiz for q in questions] == ["20230200", "20230200", "20230201", "20230201"]
    assert questions[0].date == date(2023, 2, 3)


def test_packed_articles_doubles_and_unknown_urls(tmp_path: Path) -> None:
    articles, questions = data_rows()
    questions[1]["answer_urls"] = ["https://news.example/gone"]
    found = load(put(tmp_path / "d", [*articles, articles[0] | {"text": "Another."}], questions, packed=True))
    assert len(found[0]) == 12
    assert "Another." not in [a["text"] for a in found[0]]
    assert len(found[1]) == 3, "a question whose own article is not there cannot be scored"


GOOD_A, GOOD_Q = (json.dumps(rows[0]) for rows in data_rows())


@pytest.mark.parametrize(
    ("articles", "questions", "says"),
    [
        (None, None, "no folder"),
        (None, GOOD_Q, "no articles.jsonl"),
        (GOOD_A, None, "no questions.jsonl"),
        ("", GOOD_Q, "is empty"),
        (GOOD_A + "\n{", GOOD_Q, "Line 2 of"),
        (GOOD_A + "\n[1]", GOOD_Q, "not a JSON object"),
        ('{"url": "u"}', GOOD_Q, 'no "text"'),
        ('{"url": 3, "text": "t"}', GOOD_Q, 'no "url"'),
        (GOOD_A, "nonsense", "Line 1 of"),
        (GOOD_A, '{"id": "1", "date": "2023-01-01", "question": "?"}', "'answer'"),
        (GOOD_A, '{"id": "1", "date": "soon", "question": "?", "answer": "x"}', "YYYY-MM-DD"),
        (GOOD_A, '{"id": 1, "date": "2023-01-01", "question": "?", "answer": "x"}', "is not a text"),
        (GOOD_A, GOOD_Q.replace("answer_urls", "other_urls"), "nothing can be scored"),
        (GOOD_A, "", "nothing can be scored"),
        (GOOD_A, GOOD_Q + "\n" + GOOD_Q, "an id twice"),
    ],
)
def test_bad_data_are_one_sentence_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], articles: str | None, questions: str | None, says: str
) -> None:
    folder = tmp_path / "d"
    for name, text in (("articles", articles), ("questions", questions)):
        if text is not None:
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.jsonl").write_text(text)
    assert main(["realtimeqa", str(folder), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert "Traceback" not in told
    assert len(told.splitlines()) == 1


def test_a_damaged_archive_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = put(tmp_path / "d", *data_rows(), packed=True)
    file = folder / "articles.jsonl.gz"
    file.write_bytes(file.read_bytes()[:-30])
    assert main(["realtimeqa", str(folder)]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--systems", "google"], ["--systems", ","], ["--articles", "0"], ["--grow", "1,x"]])
def test_wrong_words_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["realtimeqa", "d", *words]) == 2
    assert "error" in capsys.readouterr().err


def test_a_library_may_stand_before_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--library", "l", "realtimeqa", str(tmp_path / "none")]) == 2
    assert "no folder" in capsys.readouterr().err


# --- sampling ---------------------------------------------------------------------------------------------------------


def test_a_sample_keeps_the_articles_of_its_questions_then_what_was_found_for_them(data: Path) -> None:
    every, questions = load(data)
    articles, drawn = sample(every, questions, n_articles=4, n_questions=2)
    urls = {str(a["url"]) for a in articles}
    assert len(articles) == 4
    assert len(drawn) == 2
    assert urls == {u for q in drawn for u in q.urls}
    more, same = sample(every, questions, n_articles=7, n_questions=2)
    assert same == drawn
    assert urls < {str(a["url"]) for a in more}
    assert len(more) == 7


def test_a_sample_hangs_on_its_seed_alone(data: Path) -> None:
    every, questions = load(data)
    drawn = [sample(every, questions, n_articles=6, n_questions=2, seed=s) for s in (1, 1, 2, 3, 4, 5)]
    assert drawn[0] == drawn[1]
    assert len({digest(a) for a, _ in drawn}) > 1


def test_a_sample_asks_a_fifth_as_many_questions_and_drops_those_that_do_not_fit(data: Path) -> None:
    every, questions = load(data)
    assert len(sample(every, questions, n_articles=11)[1]) == 2
    assert len(sample(every, questions)[1]) == 4
    articles, drawn = sample(every, questions, n_articles=3, n_questions=4)
    assert len(drawn) == 3
    assert {u for q in drawn for u in q.answer_urls} == {a["url"] for a in articles}
    wide = [question(answer_urls=("a", "b", "c"))]
    with pytest.raises(RecapError, match="--articles"):
        sample([{"url": u, "text": u} for u in "abcd"], wide, n_articles=2)


# --- judging ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer", "held"),
    [
        ("Biden’s plan", "Biden", True),
        ("a glitch-free start", "The glitch", True),
        ("It cost $1,500.", "$1,500", True),
        ("Megans", "Megan", False),
        ("Calder and Ines", "Ines Calder", False),
        ("the", "the", False),
        ("anything", "", False),
    ],
)
def test_an_answer_is_held_by_whole_words_next_to_each_other(text: str, answer: str, held: bool) -> None:
    assert holds_answer(text, answer) is held


def test_the_answer_normaliser_is_squads_with_a_space_for_punctuation() -> None:
    assert answer_normalise("“The Little-Mermaid”, an  A to Z") == "little mermaid to z"


def test_a_hit_needs_the_article_and_the_answer() -> None:
    right, wrong = "It was Ines Calder.", "It was the mayor."
    passages = [Passage("b", right), Passage("a", wrong), Passage("a", right), Passage("b", wrong), Passage("a", right)]
    got = judge(question(), passages, [right, right, wrong, right])
    assert [got[f"hit@{k}"] for k in (1, 5, 10)] == [0, 1, 1]
    assert got["MRR@10"] == 1 / 3
    best = 1 / log2(2) + 1 / log2(3) + 1 / log2(4)
    assert got["nDCG@10"] == pytest.approx((1 / log2(4) + 1 / log2(6)) / best)
    assert got["article MRR@10"] == 1 / 2, "the second article is the question's own, whatever its passage says"
    assert got["relevant"] == 3
    assert [h["right"] for h in got["hits"]] == [False, False, True, False, True]


def test_an_answer_that_was_cut_in_two_counts_as_missed() -> None:
    got = judge(question(), [Passage("a", "It was Ines"), Passage("a", "Calder.")], ["It was Ines", "Calder."])
    assert (got["nDCG@10"], got["MRR@10"], got["relevant"], got["article MRR@10"]) == (0, 0, 0, 1)


def test_passages_that_a_system_joins_may_say_what_none_says_alone() -> None:
    got = judge(question(), [Passage("a", "It was Ines Calder.")], ["It was Ines", "Calder."])
    assert (got["nDCG@10"], got["relevant"]) == (1, 1)


def test_the_copy_of_an_own_article_counts_apart() -> None:
    got = judge(question(), [Passage("b", "Ines Calder", copies=("a",))], ["Ines Calder"])
    assert (got["hit@5"], got["hit@5, copies too"]) == (0, 1)


def test_ten_passages_count() -> None:
    passages = [Passage("b", "nothing")] * 10 + [Passage("a", "Ines Calder")]
    got = judge(question(), passages, ["Ines Calder"])
    assert not any(got[m] for m in METRICS)


def test_words_are_cut_off_where_the_budget_ends() -> None:
    passages = [Passage("a", "one two three"), Passage("b", "four five six"), Passage("c", "seven")]
    assert [p.text for p in first_words(passages, 5)] == ["one two three", "four five"]
    long = Passage("a", "x " * 799 + "Ines Calder")
    assert judge(question(), [long], [])[WITHIN] == 0, "the answer's second word is the 801st"
    assert judge(question(), [Passage("a", long.text[2:])], [])[WITHIN] == 1


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=14), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_judgements_agree_with_ir_measures(drawn: list[tuple[bool, bool]], unfound: int) -> None:
    import ir_measures
    from ir_measures import RR, Success, nDCG

    passages = [Passage("a" if own else "b", "Ines Calder" if says else "x") for own, says in drawn]
    gains = [own and says for own, says in drawn]
    got = judge(question(), passages, ["Ines Calder"] * (sum(gains) + unfound))
    qrels = [ir_measures.Qrel("q", f"d{i}", 1) for i, g in enumerate(gains) if g]
    qrels += [ir_measures.Qrel("q", f"unfound{i}", 1) for i in range(unfound)]
    if not qrels:
        assert got["nDCG@10"] == got["MRR@10"] == got["hit@10"] == 0
        return
    ranked = [ir_measures.ScoredDoc("q", f"d{i}", float(len(gains) - i)) for i in range(len(gains))]
    theirs = ir_measures.calc_aggregate([nDCG @ 10, RR @ 10, Success @ 1, Success @ 5, Success @ 10], qrels, ranked)
    assert got["nDCG@10"] == pytest.approx(theirs[nDCG @ 10])
    assert got["MRR@10"] == pytest.approx(theirs[RR @ 10])
    assert [got[f"hit@{k}"] for k in (1, 5, 10)] == [theirs[Success @ k] for k in (1, 5, 10)]


def test_scores_are_paired_and_clustered_by_quiz() -> None:
    asked = [question(id=f"{quiz}_{n}") for quiz in "12" for n in range(2)]
    found = [judge(q, [Passage("a", "Ines Calder")], ["Ines Calder"]) for q in asked]
    lost = [judge(q, [Passage("b", "x")], ["Ines Calder"]) for q in asked]
    summary: dict = {"systems": {"bm25": {}, "recap": {}}}
    realtimeqa.score(summary, {"bm25": [found[0], *lost[1:]], "recap": found}, asked)
    assert summary["systems"]["bm25"]["metrics"]["hit@5"]["mean"] == 1 / 4
    assert summary["systems"]["recap"]["words"] == 2
    difference = summary["differences"]["bm25"]["hit@5"]
    assert difference["mean"] == 3 / 4
    assert (difference["clusters"], difference["low"], difference["high"]) == (2, 1 / 2, 1)


# --- the systems ------------------------------------------------------------------------------------------------------


@given(st.text(alphabet="ab \n", max_size=60), st.integers(1, 5))
@settings(max_examples=60)
def test_windows_hold_every_word_once(text: str, size: int) -> None:
    cut = windows(text, size)
    assert " ".join(cut).split() == text.split()
    assert all(len(w.split()) == size for w in cut[:-1])
    assert all(w in text for w in cut)


def test_what_was_built_is_not_built_again(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    first = json.loads((corpus.folder / "recap.built.json").read_text())
    assert (first["articles"], first["resumed"]) == (12, False)
    assert first["bytes"] > 0
    again = CountingEmbedder()
    assert build("recap", corpus, embedder=again) == first
    assert again.texts == [], "nothing was even opened"
    monkeypatch.setattr("rag.ingest.pipeline.PIPELINE_VERSION", "another")
    rebuilt = build("recap", corpus, embedder=again)
    assert rebuilt["key"]["pipeline"] == "another"


def test_a_stopped_build_goes_on_and_says_so(tmp_path: Path, data: Path) -> None:
    articles, questions = load(data)
    part, whole = (Corpus(tmp_path / n, tmp_path / "library") for n in ("part", "whole"))
    write(part.folder, articles[:5], questions)
    build("recap", part, embedder=CountingEmbedder())
    write(whole.folder, articles, questions)
    made = build("recap", whole, embedder=CountingEmbedder())
    assert (made["articles"], made["resumed"]) == (7, True)


def test_a_library_with_other_articles_is_refused(tmp_path: Path, data: Path, corpus: Corpus) -> None:
    articles, questions = load(data)
    write(tmp_path / "few", articles[:5], questions)
    with pytest.raises(RecapError, match="7 articles that are not of this"):
        build("recap", Corpus(tmp_path / "few", corpus.library), embedder=CountingEmbedder())


@pytest.mark.parametrize("system", ["dense", "recap"])
def test_recap_and_its_vectors_are_asked_each_question(corpus: Corpus, data: Path, system: str) -> None:
    _, questions = load(data)
    found = search_all(system, corpus, questions, embedder=CountingEmbedder())
    assert [r["id"] for r in found["records"]] == [q.id for q in questions]
    assert all(r["relevant"] == 1 and 0 < len(r["hits"]) <= 10 for r in found["records"])
    assert found["search_ms"]["p50"] <= found["search_ms"]["p95"]
    if system == "recap":
        assert all(r["hit@5"] for r in found["records"])


def test_recap_is_asked_on_the_day_of_the_question(corpus: Corpus, data: Path) -> None:
    _, questions = load(data)
    with systems.opened("recap", corpus, embedder=CountingEmbedder()) as index:
        got = [p.id for p in index.search(questions[0])]
    with systems.open_library(corpus.library, embedder=CountingEmbedder()) as library:
        hits = search(library, understand(questions[0].text, library=library, as_of=questions[0].date), top_k=10)
        assert got == [h.chunk.id for h in hits]
        assert not library.search_text(["secretevidence"], limit=1), "the evidence is never indexed"


def test_bm25_finds_stems_and_nothing_for_strange_words(tmp_path: Path, data: Path) -> None:
    pytest.importorskip("bm25s")
    pytest.importorskip("Stemmer")
    corpus = Corpus(tmp_path / "c", tmp_path / "c" / "library")
    write(corpus.folder, *load(data))
    built = build("bm25", corpus)
    assert built["articles"] == 12
    assert built["passages"] == sum(len(windows(a["text"])) for a in load(data)[0])
    with systems.opened("bm25", corpus) as index:
        assert index.search(question(text="harvesting plum"))[0].url.endswith("/harvest")
        assert index.search(question(text="zzz")) == []
        assert len(index.own(["https://news.example/race", "unknown"])) == len(windows(load(data)[0][2]["text"]))


@pytest.mark.slow
def test_the_starter_is_llama_indexs_own_path_and_its_loss_is_counted(tmp_path: Path, data: Path) -> None:
    """In a process of its own, with the real model: torch would stay in this one."""
    if systems.missing("starter"):
        pytest.skip("needs the extra bench")
    articles, questions = load(data)
    articles[0]["text"] = f"{articles[0]['text']} " + "The bridge is long. " * 300
    corpus = Corpus(tmp_path / "c", tmp_path / "c" / "library")
    write(corpus.folder, articles[:4], questions)
    built = run_part("eval.systems", "build", "starter", corpus.folder, corpus.library)
    assert built["articles"] == 4
    assert built["passages"] > 4, "the long article is more than a passage of 1,024 tokens"
    assert built["reads_tokens"] == 256
    assert 0 < built["tokens_lost"] < built["tokens"]
    records = run_part("eval.systems", "search", "starter", corpus.folder, corpus.library)["records"]
    assert all(r["hit@5"] and r["relevant"] >= 1 for r in records)


def test_without_the_extra_a_system_is_skipped_and_the_hint_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systems, "_NEEDS", {"starter": ("no_such_package.at.all",), "bm25": ("no_such_package",)})
    assert systems.missing("starter") == ["no_such_package.at.all"]
    assert systems.missing("bm25") == ["no_such_package"]
    assert systems.missing("recap") == []


def test_a_run_without_the_extra_says_what_to_install(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(systems, "_NEEDS", {"starter": ("no_such_package",), "bm25": ("no_such_package",)})
    assert main(["realtimeqa", str(data), "--systems", "starter,bm25", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3
    assert all('pip install "recap[bench]"' in line for line in told)


def test_the_benchmark_loads_no_extra_package_by_being_imported() -> None:
    code = "import sys, eval.realtimeqa, eval.growth, eval.starter; print({'bm25s', 'Stemmer', 'llama_index', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- growth, change, overlap ------------------------------------------------------------------------------------------


def test_made_up_chunks_are_added_by_the_ordinary_ingest(corpus: Corpus, data: Path, tmp_path: Path) -> None:
    with systems.open_library(corpus.library, embedder=CountingEmbedder()) as library:
        before = library.counts()["chunks"]
    made = tmp_path / "made"
    got = growth.synthetic(corpus.folder, corpus.library, 60, made)
    assert got["made_up"] == got["added"] >= 60
    again = growth.synthetic(corpus.folder, corpus.library, 60, made)
    assert (again["added"], again["made_up"]) == (0, got["made_up"])
    (made / "library" / "stays").touch()
    growth.synthetic(corpus.folder, corpus.library, 60, made)
    assert (made / "library" / "stays").exists()
    (made / "source.json").write_text("[]")
    growth.synthetic(corpus.folder, corpus.library, 60, made)
    assert not (made / "library" / "stays").exists(), "a copy of what the library no longer is was made anew"
    figures = growth.ask(made / "library", load(data)[1], embedder=CountingEmbedder())
    assert figures["chunks"] == before + got["made_up"]
    with systems.open_library(corpus.library, embedder=CountingEmbedder()) as library:
        assert library.counts()["chunks"] == before, "the library itself stays as it was"


def test_random_vectors_are_of_unit_length_and_of_their_text() -> None:
    rows = growth.RandomEmbedder("x", 16).embed(["a", "b", "a"])
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1)
    assert (rows[0] == rows[2]).all()
    assert abs(float(rows[0] @ rows[1])) < 0.99


def test_a_change_touches_one_article_and_a_rebuilt_index_answers_the_same(
    corpus: Corpus, data: Path, tmp_path: Path
) -> None:
    _, questions = load(data)
    got = growth.change(corpus.folder, corpus.library, tmp_path / "change", questions, embedder=CountingEmbedder())
    assert got["updated"] == 1
    assert 1 <= got["chunks_embedded"] <= 3
    assert got["identical"] == got["questions"] == 4
    assert not (tmp_path / "change").exists()


def test_overlap_is_the_share_of_the_same_neighbours() -> None:
    assert growth.shared(np.array([[1, 2], [3, 4]]), np.array([[2, 1], [3, 9]])) == [1.0, 0.5]


# --- parts, pictures, the whole ---------------------------------------------------------------------------------------


def test_a_part_that_fails_says_why_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> dict[str, object]:
        raise RecapError("No disk. Buy one.")

    assert answer_part(fail) == 2
    assert json.loads(capsys.readouterr().out) == {"failed": "No disk. Buy one."}
    with pytest.raises(RecapError, match=r"no questions\.jsonl"):
        run_part("eval.systems", "search", "recap", tmp_path, tmp_path)


def test_memory_and_disk_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "f").write_bytes(b"x" * 30)
    (tmp_path / "g").write_bytes(b"x" * 12)
    assert disk_bytes(tmp_path) == 42
    assert 10 < peak_rss_mb() < 100_000


def test_one_command_builds_searches_scores_and_draws(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All parts as the processes that they are, with the real model; the starter stays out, it takes 30 s to import."""
    out = tmp_path / "out"
    words = ["realtimeqa", str(data), "--out", str(out), "--systems", "bm25,dense,recap", "--grow", "5,99"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert "| hit@5 |" in told.out
    assert "--grow 99" in told.err
    summary = json.loads((out / "summary.json").read_text())
    assert [g["articles"] for g in summary["growth"]] == [5, 12]
    assert summary["systems"]["recap"]["metrics"]["hit@5"]["mean"] == 1
    assert set(summary["differences"]) == set(summary["systems"]) - {"recap"}
    records = [json.loads(line) for line in (out / "recap.jsonl").read_text().splitlines()]
    assert len(records) == summary["data"]["questions"] == 4
    assert (out / "report.md").read_text() == markdown(summary)
    assert (out / "plot.svg").read_text() == plot(summary)
    built = {f: f.stat().st_mtime_ns for f in out.glob("work/*/*.built.json")}
    assert main(words) == 0
    assert {f: f.stat().st_mtime_ns for f in out.glob("work/*/*.built.json")} == built, "nothing is built again"


def interval(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 4, "clusters": 2}


def made_summary() -> dict:
    def system(words: float) -> dict:
        return {
            "metrics": {m: interval(0.5) for m in METRICS}, "words": words, "cut": 1,
            "build": {"passages": 9, "articles_per_s": 3.0, "rss_mb": 500.0, "bytes": 10**7, "reads_tokens": 256,
                      "tokens": 1000, "tokens_lost": 700, "resumed": True},
            "search": {"search_ms": {"p50": 1.0, "p95": 2.0}, "rss_mb": 300.0},
        }  # fmt: skip

    size = {
        "articles": 5, "chunks": 70, "articles_per_s": 3.0, "ingest_rss_mb": 500.0, "bytes": 10**6, "open_s": 0.5,
        "search_ms": {"p50": 1.0, "p95": 2.0}, "rss_mb": 300.0, "cold_ask_s": 2.5,
    }  # fmt: skip
    return {
        "data": {"articles": 5, "of_articles": 9, "questions": 4, "seed": 1, "quizzes": 2},
        "systems": {"starter": system(600), "recap": system(110)},
        "skipped": {"bm25": "BM25 was <skipped>."},
        "differences": {"starter": {m: interval(0.2) for m in METRICS}},
        "growth": [size],
        "synthetic": size | {"made_up": 60, "added": 60, "chunks_per_s": 50.0},
        "overlap": {"mean": 0.99, "least": 0.9, "chunks": 10, "questions": 4, "shipped_chunks_per_s": 50, "fp32_chunks_per_s": 20},
        "change": {"edit_s": 1.0, "chunks_embedded": 1, "open_s": 1, "reopen_s": 1, "rebuild_s": 1, "identical": 4, "questions": 4},
    }  # fmt: skip


def test_the_table_says_what_must_be_known_to_read_it() -> None:
    told = markdown(made_summary())
    assert "| hit@5 | 50.0 [40.0, 60.0] | 50.0 [40.0, 60.0] |" in told
    assert "| hit@5 | +20.0 [+10.0, +30.0] |" in told
    assert "700 of 1,000 tokens (70%) were never embedded" in told
    for said in (
        "a sample of 9",
        "longer passage",
        "says the answer (cut",
        "taken up again",
        "99.0%",
        "made-up",
        "BM25 was",
    ):
        assert said in told
    heads = [line for line in told.splitlines() if line.startswith("|")]
    assert all(line.count("|") >= 3 for line in heads)


def test_the_plot_is_one_sound_picture_that_needs_nothing_else() -> None:
    drawn = plot(made_summary())
    root = ET.fromstring(drawn)
    assert "href" not in drawn
    assert "<script" not in drawn
    width = float(root.attrib["width"])
    for r in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(r.get("x", 0)) + float(r.attrib["width"]) <= width
    sure = {"n": 4, "risk_coverage": [[0.5, 0.0], [1.0, 0.25]], "bins": [{"n": 4, "confidence": 0.6, "right": 0.75}]}
    with_answers = plot(made_summary() | {"answers": {"calibration": sure}})
    assert with_answers.count("<polyline") == drawn.count("<polyline") + 1
    assert with_answers.count("<circle") == drawn.count("<circle") + 1
    assert plot(made_summary() | {"differences": {}, "growth": [], "synthetic": None}).count("Recap less") == 0
