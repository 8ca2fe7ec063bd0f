"""A model's answers to news questions: what is counted, with a recording by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval.record import add, lacking
from eval.spoken import figures, markdown, measure
from rag.answer.llm import forget
from rag.errors import RecapError
from rag.ingest.pipeline import ingest

TEXT = "Odalys Brandt hosted the Harbour Prizes in Turku on 3 May 2031. The hall held 400 people."


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    url = "https://example.org/a"
    (folder / "articles.jsonl").write_text(
        json.dumps({"url": url, "title": "Harbour Prizes", "text": TEXT, "authors": [], "published": "2031-05-04"})
        + "\n"
    )
    rows = [
        {"id": "20310508_0", "date": "2031-05-08", "question": "Who hosted the Harbour Prizes?", "answer": "Odalys Brandt", "urls": [url], "answer_urls": [url]},
        {"id": "20310508_1", "date": "2031-05-08", "question": "How many did the hall hold?", "answer": "400 people", "urls": [url], "answer_urls": [url]},
    ]  # fmt: skip
    (folder / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


def test_only_what_the_model_said_is_counted(data: Path, tmp_path: Path, make_library: Any) -> None:
    forget()
    recording = tmp_path / "recording.jsonl"
    add(recording, (), model="m", note="")
    library = make_library(llm=f"replay:{recording}")
    ingest(library, [str(data / "articles.jsonl")])
    prompts = lacking(library, news=data)
    assert len(prompts) == 2
    hosted = next(p for p in prompts if "Who hosted" in p["messages"][1]["content"])
    replies = tmp_path / "replies.jsonl"
    said = "ANSWER: Odalys Brandt\nOdalys Brandt hosted the Harbour Prizes on 3 May 2031 [1]."
    replies.write_text(json.dumps({"key": hosted["key"], "reply": said}) + "\n")
    add(recording, [replies], model="m", note="")
    forget()
    found = measure(library, data)
    assert (found["questions"], found["fell back"], found["engines"]) == (2, 1, ["reader", "replay:m"])
    for name in ("em", "contains", "citation_precision", "citation_recall"):
        assert found[name]["mean"] == 1.0, name
    assert found["abstained"] == 0.0
    assert found["first_ms"]["p50"] > 0
    assert "the reader had to step in for 1" in markdown(found)
    forget()


def test_nothing_asked_is_nothing_counted(data: Path, make_library: Any) -> None:
    assert figures([])["em"] is None
    with pytest.raises(RecapError, match="None of the questions"):
        measure(make_library(), data)
