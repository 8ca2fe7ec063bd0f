"""How answers to real news questions are summed up: by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval.__main__ import main
from eval.answers import calibration, choices_of, choose, chosen, figures, markdown
from eval.squad import run as run_squad
from rag.errors import RecapError


def _read(f1: float, *, given: bool = True, confidence: float | None = 0.5) -> dict[str, Any]:
    return {"guess": "x", "given": given, "confidence": confidence, "em": float(f1 == 1), "f1": f1, "article": None}


def _record(own: dict[str, Any], without: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": "1_0", "quiz": "1", "there": without is not None, "own": own, "without": without, "year": own}


def test_a_declined_guess_counts_as_a_guess_and_not_as_an_answer() -> None:
    found = figures(
        [_record(_read(1.0), _read(0.0, given=False)), _record(_read(0.6, given=False)), _record(_read(0.0))]
    )
    own = found["own"]
    assert own["given"] == pytest.approx(2 / 3)
    assert own["guess f1"]["mean"] == pytest.approx((1 + 0.6 + 0) / 3)
    assert own["answer f1"]["mean"] == pytest.approx((1 + 0 + 0) / 3)
    assert own["answer em"]["mean"] == pytest.approx(1 / 3)
    assert own["right of given"] == pytest.approx(1 / 2)
    assert (found["questions"], found["there"], found["declined without"]) == (3, 1, 1.0)


def test_calibration_error_is_weighed_by_the_bins() -> None:
    reads = [
        _read(1.0, confidence=0.95),
        _read(0.0, confidence=0.95),
        _read(0.0, confidence=0.05),
        _read(0.0, confidence=None),
    ]
    found = calibration(reads)
    assert found["n"] == 3
    assert found["error"] == pytest.approx(2 / 3 * abs(1 / 2 - 0.95) + 1 / 3 * 0.05)
    assert [b["n"] for b in found["bins"]] == [1, 2]
    assert calibration([])["error"] is None


def test_questions_with_no_article_left_are_no_twins() -> None:
    alone = _record(_read(1.0)) | {"there": True}
    found = figures([alone, _record(_read(1.0, confidence=1.0), _read(0.0, confidence=0.0, given=False))])
    assert (found["there"], found["twins"], found["calibration"]["n"]) == (2, 1, 2)
    assert found["calibration"]["error"] == pytest.approx(0.0)


def test_the_report_says_all() -> None:
    found = figures([_record(_read(1.0), _read(0.0, given=False))]) | {
        "answer_ms": {"p50": 1.0, "p95": 2.0},
        "rss_mb": 3.0,
    }
    text = "\n".join(markdown(found))
    assert "| own, answer is there | 1 | 100.0" in text
    assert "26.1 / 32.1" in text


CHOICES = ["Ana Lima", "Bruno Salt", "Ines Calder", "Kim Oduya"]


def test_the_choice_is_the_one_that_what_was_read_speaks_for() -> None:
    assert choose(CHOICES, "Ms. Ines Calder") == 2
    spans = [("the harbour", 9.0), ("Kim Oduya", 1.0), ("Bruno Salt", 3.0)]
    assert choose(CHOICES, "Salt of the earth and the sea", spans=spans[:2]) == 3, "a span near a choice beats one word"
    assert choose(CHOICES, "", spans=spans) == 1, "the best of those near a choice"
    assert choose(CHOICES, "Salt of the earth and the sea") == 1, "one word is better than nothing"
    assert choose(CHOICES, "nobody", passages=["x", "Kim Oduya sang.", "Ana Lima sang."]) == 3
    assert choose(CHOICES, "nobody", spans=[("a harbour", 5.0)], passages=["Anastasia Limaton"]) is None


def test_none_of_the_above_is_right_only_when_the_answer_was_taken_away() -> None:
    seen = set()
    for n in range(40):
        found = chosen(f"q{n}", CHOICES, "Ana Lima", guess="Ana Lima")
        assert (found["right"], found["pick"]) == (1.0, "Ana Lima")
        assert found["nota pick"] == (None if found["removed"] else "Ana Lima")
        assert found["nota right"] == 1.0
        wrong = chosen(f"q{n}", CHOICES, "Ana Lima", guess="", passages=["Kim Oduya or Bruno Salt"])
        assert (wrong["right"], wrong["nota right"]) == (0.0, 0.0), (
            "another choice is named, with the answer there or not"
        )
        assert found == chosen(f"q{n}", CHOICES, "Ana Lima", guess="Ana Lima"), "drawn by the id"
        seen.add(found["removed"])
    assert seen == {True, False}


def test_choices_are_read_where_they_hold_the_answer(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "answer": "b", "choices": ["a", "b"]},
        {"id": "2", "answer": "c", "choices": ["a", "b"]},
        {"id": "3", "answer": "x"},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    assert choices_of(tmp_path / "q.jsonl") == {"1": ["a", "b"]}


def test_shares_of_right_choices_are_told_beside_the_published_ones() -> None:
    there, not_there = _record(_read(1.0), _read(0.0, given=False)), _record(_read(0.0))
    there["choice"] = {"pick": "a", "right": 1.0, "nota pick": None, "removed": True, "nota right": 1.0}
    not_there["choice"] = {"pick": None, "right": 0.0, "nota pick": None, "removed": False, "nota right": 0.0}
    found = figures([there, not_there, _record(_read(1.0))])
    of = found["choices"]
    means = {k: v["mean"] for k, v in of.items() if k != "questions"}
    assert of["questions"] == 2
    assert means == {
        "original": 0.5, "original, answer is there": 1, "nota": 0.5, "nota, answer is there": 1, "nota, answer left": 0,
        "nota, answer removed": 1,
    }  # fmt: skip
    text = "\n".join(markdown(found | {"answer_ms": {"p50": 1.0, "p95": 2.0}, "rss_mb": 3.0}))
    assert "Multiple choice, with their own articles (2 questions" in text
    assert "RAG with the articles (2023) 32.5 / 29.2" in text
    assert figures([_record(_read(1.0))])["choices"] is None


def _squad(folder: Path) -> Path:
    context = "Odalys Brandt hosted the Harbour Prizes in Turku."
    qas = [
        {
            "id": "1",
            "question": "Who hosted the Harbour Prizes?",
            "answers": [{"text": "Odalys Brandt", "answer_start": 0}],
        },
        {"id": "2", "question": "Where were the prizes?", "answers": [{"text": "Oslo", "answer_start": 0}]},
    ]
    file = folder / "set.json"
    file.write_text(json.dumps({"data": [{"title": "T", "paragraphs": [{"context": context, "qas": qas}]}]}))
    return file


def test_a_squad_set_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_squad(_squad(tmp_path), out=tmp_path / "out")
    assert (found["questions"], found["em"]["mean"]) == (2, 0.5)
    rows = [json.loads(line) for line in (tmp_path / "out" / "squad.jsonl").read_text().splitlines()]
    assert rows[0]["said"] == "Odalys Brandt"
    assert main(["squad", str(_squad(tmp_path))]) == 0
    assert "2 questions: EM 50.0" in capsys.readouterr().out


def test_a_file_that_is_no_set_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(RecapError, match="not a SQuAD-format"):
        run_squad(tmp_path / "bad.json")
    assert main(["squad", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
