"""Training: what is read from the files, what a batch holds, that a stopped run goes on. The network is the real one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from rag.errors import RecapError
from rag.model.reader import ReaderModel
from rag.train.data import LESSONS, Lessons, Passage, Question, held_out, load, squad_questions
from rag.train.fit import Recipe, encode, epoch, fit, tokens_of, trained

_CONTEXT = "Odalys Brandt hosted the Harbour Prizes. They were held on 3 May 2031 in Turku."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    qas = [
        {"question": "who hosted the Harbour Prizes?", "answers": [{"text": "Odalys Brandt", "answer_start": 0}] * 2},
        {"question": "where were they held?", "answers": [{"text": "Turku", "answer_start": 73}]},
    ]
    squad = {"data": [{"title": "Harbour_Prizes", "paragraphs": [{"context": _CONTEXT, "qas": qas}]}]}
    with gzip.open(data / "new_wiki.json.gz", "wt") as f:
        json.dump(squad, f)
    (data / "xquad_en.json").write_text(json.dumps(squad))  # never trained on
    rows = [
        {"input": "what is tin", "passages": [{"title": "Tin", "text": "Tin is a metal ( Sn ) , it 's soft ."}], "output": [{"answer": "A metal."}]},
        {"input": "price of tin", "passages": [{"title": "Tin", "text": "Tin is a metal ."}], "output": [{"answer": ""}]},
    ]  # fmt: skip
    (data / "clapnq_dev.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return data


@pytest.fixture
def own(tmp_path: Path) -> Path:
    text = "A short night.\n\n1. Ana Ruiz with Bo Lind.\n\n2. Ana Ruiz with Cy Young."
    questions = [
        {"q": "who is with Bo Lind?", "a": ["Ana Ruiz"], "at": "Ana Ruiz with Bo Lind"},
        {"q": "who is with Dan Moss?", "a": []},
        {"q": "who is second with Ana Ruiz?", "a": ["Cy Young"]},
    ]
    folder = tmp_path / "lessons"
    folder.mkdir()
    row = {"title": "Seen", "published": "2031-05-03", "text": text, "questions": questions}
    (folder / "seen.jsonl").write_text(json.dumps(row) + "\n")
    return folder


def test_every_file_is_read_and_the_test_set_is_not(folder: Path, own: Path) -> None:
    found = load(folder, own=own)
    assert sorted({q.corpus for q in found.questions}) == ["clapnq", "lessons", "new_wiki"]
    host = next(q for q in found.questions if q.text.startswith("who hosted"))
    assert host.passage is not None
    passage = found.passages[host.passage]
    assert (passage.header, host.spans, host.answers) == ("Harbour Prizes", ((0, 13),), ("Odalys Brandt",))
    said, unsaid = (q for q in found.questions if q.corpus == "clapnq")
    assert found.passages[said.passage or 0].text == "Tin is a metal (Sn), it's soft."
    assert said.spans == ()
    assert unsaid.passage is None
    assert len(unsaid.not_in) == 1


def test_a_lesson_marks_the_place_that_says_it(folder: Path, own: Path) -> None:
    found = load(folder, own=own)
    lessons = [q for q in found.questions if q.corpus == "lessons"]
    with_bo, with_dan, second = lessons
    for q in (with_bo, second):
        assert q.passage is not None
        assert {found.passages[q.passage].text[s:e] for s, e in q.spans} == set(q.answers)
    assert found.passages[with_bo.passage or 0].header == "Seen (3 May 2031)"
    assert with_dan.passage is None
    assert {found.passages[n].article for n in with_dan.not_in} == {"seen/1"}


def test_an_answer_is_a_whole_word_and_its_other_places_are_no_misses(folder: Path, own: Path) -> None:
    filler = "\n\n".join(
        f"Paragraph {n} of the report has words about nothing in particular, and many of them." for n in range(40)
    )
    text = f"The champion likes ham.\n\n{filler}\n\nThere was ham again."
    row = {"title": "T", "text": text, "questions": [{"q": "what does the champion like?", "a": ["ham"]}]}
    (own / "seen.jsonl").write_text(json.dumps(row) + "\n")
    found = load(folder, own=own)
    (q,) = (q for q in found.questions if q.corpus == "lessons")
    assert q.passage is not None
    assert q.spans == ((19, 22),)
    assert not any("ham again" in found.passages[n].text for n in q.not_in)
    assert q.not_in


def test_bad_files_are_told_by_name(folder: Path, own: Path, tmp_path: Path) -> None:
    with pytest.raises(RecapError, match="No training files"):
        load(tmp_path / "none", own=own)
    (own / "bad.jsonl").write_text('{"title": "T", "text": "abc", "questions": [{"q": "q", "a": ["not there"]}]}\n')
    with pytest.raises(RecapError, match=r"bad\.jsonl:1.*not in the text"):
        load(folder, own=own)
    row = {"title": "T", "text": "ham and more", "questions": [{"q": "q", "a": ["ham"], "at": "no such words"}]}
    (own / "bad.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(RecapError, match="not in the text"):
        load(folder, own=own)
    (folder / "new_wiki.json.gz").write_bytes(b"no gzip")
    with pytest.raises(RecapError, match="new_wiki"):
        list(squad_questions(folder / "new_wiki.json.gz"))


def test_our_own_lessons_are_sound() -> None:
    """Every answer stands in its text, no question comes twice in an article, a third has no answer."""
    rows = [json.loads(line) for f in sorted(LESSONS.glob("*.jsonl")) for line in f.read_text("utf-8").splitlines()]
    questions = [q for r in rows for q in r["questions"]]
    assert len(questions) > 4000
    assert 0.2 < sum(not q["a"] for q in questions) / len(questions) < 0.45
    for r in rows:
        assert len({q["q"] for q in r["questions"]}) == len(r["questions"])
        for q in r["questions"]:
            assert all(a in r["text"] for a in q["a"]), q
            assert q.get("at", "") in r["text"], q


def test_held_out_documents_are_whole() -> None:
    passages = [Passage("lessons", f"l/{n}", "", "text") for n in range(400)]
    questions = [Question(f"q{n}", "lessons", n % 400) for n in range(1200)]
    train, apart = held_out(Lessons(passages, questions))
    assert 60 < len(apart.questions) < 180
    assert not {q.passage for q in train.questions} & {q.passage for q in apart.questions}
    few, of_few = held_out(Lessons(passages[:100], [q for q in questions if (q.passage or 0) < 100]))
    assert few.apart == {a for a in train.apart if int(a[2:]) < 100}  # a document that is added moves no other
    assert len(few.questions) + len(of_few.questions) == 300


def test_tokens_of_a_span() -> None:
    offsets = [(0, 3), (4, 9), (9, 10), (11, 15)]
    assert tokens_of(offsets, (4, 10)) == (1, 2)
    assert tokens_of(offsets, (12, 13)) == (3, 3)
    assert tokens_of(offsets, (3, 4)) is None


def test_a_batch_points_at_the_answer_whatever_the_window(folder: Path, own: Path) -> None:
    found = load(folder, own=own)
    data = encode(found)
    near: list[tuple[int, ...]] = [()] * len(found.questions)
    recipe = Recipe(windows=(4, 12), misses=1.0, reviews=1.0)
    seen = 0
    for number in range(5):
        for row in (r for batch in epoch(data, near, number=number, recipe=recipe) for r in batch):
            assert row.ids[0] == 101
            if row.span and row.span != (0, 0):
                said = row.ids[row.span[0] : row.span[1] + 1]
                golds = [e.ids for e in _tokens([a for q in found.questions for a in q.answers])]
                assert said in golds
                assert row.span[0] >= row.first
                seen += 1
    assert seen > 15
    again = [r for b in epoch(data, near, number=0, recipe=recipe) for r in b]
    assert again == [r for b in epoch(data, near, number=0, recipe=recipe) for r in b]


def _tokens(texts: list[str]):  # type: ignore[no-untyped-def]
    from rag.store.embed import load_tokenizer

    return load_tokenizer().encode_batch(texts, add_special_tokens=False)


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_is_exported(folder: Path, own: Path, tmp_path: Path) -> None:
    found = load(folder, own=own)
    near: list[tuple[int, ...]] = [()] * len(found.questions)
    recipe = Recipe(epochs=3, warmup=0.01, batch_tokens=400)
    told: list[str] = []
    fit(found, near, tmp_path / "run", recipe=recipe, tell=told.append)
    log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    fit(found, near, tmp_path / "run", recipe=recipe, tell=told.append)  # all steps are done: nothing more
    assert (tmp_path / "run" / "log.jsonl").read_text().splitlines() == log
    with pytest.raises(RecapError, match="another recipe"):
        fit(found, near, tmp_path / "run", recipe=Recipe(epochs=4, batch_tokens=400), tell=told.append)

    from rag.train.export import export

    small = export(trained(tmp_path / "run"), tmp_path / "run", ship=False, tell=told.append)
    exact = ReaderModel(tmp_path / "run" / "fp32").read("who hosted?", [("Harbour", _CONTEXT)])[0]
    quick = ReaderModel(small).read("who hosted?", [("Harbour", _CONTEXT)])[0]
    assert quick.relevance == pytest.approx(exact.relevance, abs=0.3)
    assert (small / "reader.onnx").stat().st_size < 26e6


@pytest.mark.parametrize("name", ["deep.json", "clapnq_deep.jsonl"])
def test_a_training_file_that_nests_too_deep_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("[" * 100_000)
    with pytest.raises(RecapError, match=r"deep\.jsonl? is not a"):
        load(tmp_path)


def test_a_lesson_that_nests_too_deep_is_said(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "deep.jsonl").write_text("[" * 100_000)
    with pytest.raises(RecapError, match=r"deep\.jsonl:1 is not a lesson"):
        load(folder, own=own)
