"""What other evaluation tools read: checked against the shapes that they document, and by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from eval.__main__ import main
from eval.interchange import DECLINES, FORMATS, Case, promptfoo, read, squad_dataset, squad_predictions, write
from eval.report import write as write_run
from eval.run import Result, Run
from rag.errors import RecapError

# Source: ragas/dataset_schema.py, SingleTurnSample: every field optional, of these types, and no other field.
SAMPLE = {
    "type": "object",
    "properties": {
        "user_input": {"type": "string"}, "response": {"type": "string"}, "reference": {"type": "string"},
        "retrieved_contexts": {"type": "array", "items": {"type": "string"}},
        "reference_contexts": {"type": "array", "items": {"type": "string"}},
    },
    "additionalProperties": False,
}  # fmt: skip
# Source: promptfoo.dev/docs/configuration/test-cases; the assertion types are those of "deterministic metrics".
TESTS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["vars", "assert"],
        "properties": {
            "description": {"type": "string"}, "metadata": {"type": "object"},
            "vars": {"type": "object", "additionalProperties": {"type": "string"}},
            "assert": {"type": "array", "minItems": 1, "items": {"oneOf": [
                {"properties": {"type": {"const": "icontains-any"}, "value": {"type": "array", "minItems": 1, "items": {"type": "string"}}}},
                {"properties": {"type": {"enum": ["not-icontains", "not-regex"]}, "value": {"type": "string"}}},
            ]}},
        },
        "additionalProperties": False,
    },
}  # fmt: skip
# Source: the SQuAD 2.0 files and evaluate-v2.0.py.
DATASET = {
    "type": "object",
    "required": ["version", "data"],
    "properties": {"data": {"type": "array", "items": {"required": ["title", "paragraphs"], "properties": {"paragraphs": {
        "type": "array", "items": {"required": ["context", "qas"], "properties": {"context": {"type": "string"}, "qas": {
            "type": "array", "items": {
                "required": ["id", "question", "answers", "is_impossible"],
                "properties": {"is_impossible": {"type": "boolean"}, "answers": {"type": "array", "items": {
                    "required": ["text", "answer_start"],
                    "properties": {"text": {"type": "string"}, "answer_start": {"type": "integer"}}}}},
            }}}}}}}}},
}  # fmt: skip

QUOTE = "Ana Lima won Song of the Year for Paper Boats."
FACTS: list[dict[str, Any]] = [
    {"id": "song", "type": "fact", "question": "Who won Song of the Year?", "answers": ["Ana Lima", "Lima"],
     "must_not": ["Ana"], "evidence": [{"doc": "a.txt", "quote": QUOTE}], "as_of": "2024-05-06"},
    {"id": "both", "type": "multi", "question": "Who came?", "answers": [["Ciro"], ["Davi", "David"]],
     "evidence": [{"doc": "a.txt", "quote": "Ciro and Davi came."}], "must_not": ["Bruno"]},
    {"id": "then", "type": "followup", "question": "For which song?", "standalone": "For which song did Ana Lima win?",
     "history": [{"role": "user", "content": "Who won {{it}}?"}], "answers": ["Paper Boats"],
     "evidence": [{"doc": "a.txt", "quote": QUOTE}]},
    {"id": "rain", "type": "unanswerable", "question": "Did it rain?"},
    {"id": "host", "type": "false_premise", "question": "Why did Ana Lima host?", "correction": ["Ines Calder"],
     "must_not": ["tired"]},
]  # fmt: skip


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    file = tmp_path / "facts.jsonl"
    file.write_text("".join(json.dumps(f) + "\n" for f in FACTS))
    return file


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of two facts: one answered, one declined."""
    song = Result(
        id="song", type="fact", question="Who won?", right=True, answer="Ana Lima won it. [1]", short="Ana Lima", gold=[["Ana Lima"]],
        evidence=[{"doc": "a.txt", "quote": QUOTE}],
        hits=[{"rank": 1, "score": 1.0, "chunk_id": "c", "article_id": "a", "title": "T", "url": "u", "published": None, "text": QUOTE, "relevant": True}],
    )  # fmt: skip
    rain = Result(
        id="rain", type="unanswerable", question="Did it rain?", right=True, answer="No one says.", abstained=True
    )
    write_run(Run(results=(song, rain), about={}), tmp_path / "run")
    return tmp_path / "run"


def test_a_run_becomes_a_ragas_dataset(run: Path) -> None:
    rows = [json.loads(line) for line in write(read(run), "ragas").splitlines()]
    for row in rows:
        jsonschema.validate(row, SAMPLE)
    assert rows[0] == {
        "user_input": "Who won?", "retrieved_contexts": [QUOTE], "response": "Ana Lima won it. [1]", "reference": "Ana Lima",
        "reference_contexts": [QUOTE],
    }  # fmt: skip
    assert rows[1]["reference"] == "The coverage does not say."


def test_facts_become_a_ragas_dataset_without_answers(facts: Path) -> None:
    rows = [json.loads(line) for line in write(read(facts), "ragas").splitlines()]
    for row in rows:
        jsonschema.validate(row, SAMPLE)
    assert not any("response" in r or "retrieved_contexts" in r for r in rows)
    assert rows[2]["user_input"] == "For which song did Ana Lima win?", "a sample has one turn"
    assert [r["reference"] for r in rows] == [
        "Ana Lima",
        "Ciro; Davi",
        "Paper Boats",
        "The coverage does not say.",
        "Ines Calder",
    ]


def test_ragas_itself_reads_it(run: Path, tmp_path: Path) -> None:
    ragas = pytest.importorskip("ragas")
    (tmp_path / "set.jsonl").write_text(write(read(run), "ragas"))
    assert len(ragas.EvaluationDataset.from_jsonl(tmp_path / "set.jsonl")) == 2


def passes(test: dict[str, Any], answer: str) -> bool:
    """What promptfoo makes of an answer, by its documentation."""

    def one(check: dict[str, Any]) -> bool:
        if check["type"] == "icontains-any":
            return any(v.lower() in answer.lower() for v in check["value"])
        if check["type"] == "not-icontains":
            return check["value"].lower() not in answer.lower()
        return not re.search(check["value"], answer)

    return all(one(c) for c in test["assert"])


def test_facts_become_promptfoo_tests_that_judge_as_the_facts_do(facts: Path) -> None:
    tests = yaml.safe_load(write(read(facts), "promptfoo"))
    jsonschema.validate(tests, TESTS)
    assert tests == json.loads(write(read(facts), "promptfoo", as_json=True))
    song, both, then, rain, host = tests
    assert passes(both, "Ciro and David")
    assert not passes(both, "Only Ciro"), "every answer must be said"
    assert not passes(both, "Ciro, Davi and Bruno")
    assert passes(rain, f"The coverage {DECLINES[0]}.")
    assert not passes(rain, "Yes, all day.")
    assert passes(host, "Ines Calder hosted it.")
    assert not passes(host, "Ines Calder was tired.")
    assert song["vars"] == {"question": "Who won Song of the Year?", "as_of": "2024-05-06"}
    assert "{% raw %}" in then["vars"]["history"], "a template is not filled in"


def test_what_must_not_be_said_never_forbids_the_answer_that_holds_its_letters() -> None:
    case = Case(
        id="1", type="fact", question="Who?", standalone="Who?", as_of=None, history=(), gold=(("Anastasia Berg",),),
        must_not=("Ana",), correction=(), quotes=(),
    )  # fmt: skip
    test = promptfoo(case)
    assert passes(test, "Anastasia Berg")
    assert not passes(test, "Anastasia Berg and Ana")


def test_a_run_becomes_squad_predictions_and_facts_the_dataset_to_judge_them_by(run: Path, facts: Path) -> None:
    assert json.loads(write(read(run), "squad")) == {"song": "Ana Lima", "rain": ""}
    dataset = json.loads(write(read(facts), "squad"))
    jsonschema.validate(dataset, DATASET)
    asked = {q["id"]: (p["context"], q) for a in dataset["data"] for p in a["paragraphs"] for q in p["qas"]}
    context, song = asked["song"]
    assert [context[a["answer_start"] :][: len(a["text"])] for a in song["answers"]] == ["Ana Lima", "Lima"]
    assert asked["both"][1]["answers"] == [{"text": "Ciro, Davi", "answer_start": -1}]
    assert [i for i, (_, q) in asked.items() if q["is_impossible"]] == ["rain", "host"]


def test_a_declined_answer_is_no_prediction_and_a_long_one_stands_in_for_a_short_one() -> None:
    base = {"type": "fact", "question": "?", "standalone": "?", "as_of": None, "history": (), "gold": (), "must_not": (), "correction": (), "quotes": ()}  # fmt: skip
    cases = [Case(id="a", answer="It says so.", **base), Case(id="b", answer="x", short="y", declined=True, **base)]  # type: ignore[arg-type]
    assert squad_predictions(cases) == {"a": "It says so.", "b": ""}
    assert squad_dataset(cases)["data"][0]["paragraphs"][0]["qas"][0]["is_impossible"]


@pytest.mark.parametrize("name", FORMATS)
def test_the_command_writes_or_prints(name: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "file.json"
    assert main(["export", str(run), "--format", name, "--out", str(out)]) == 0
    assert main(["export", str(run), "--format", name]) == 0
    printed = capsys.readouterr().out
    assert "song" in printed or "Who won?" in printed
    assert yaml.safe_load(printed.splitlines()[0] if name == "ragas" else printed) == (
        json.loads(out.read_text().splitlines()[0]) if name == "ragas" else json.loads(out.read_text())
    )


def test_what_is_no_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(RecapError, match="neither a run nor facts"):
        read(tmp_path / "notes.txt")
    with pytest.raises(RecapError, match="no format 'csv'"):
        write([], "csv")
    assert main(["export", str(tmp_path), "--format", "squad"]) == 2
    assert "no run" in capsys.readouterr().err
