"""How answers to real news questions are summed up: by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval.__main__ import main
from eval.answers import calibration, figures, markdown
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
