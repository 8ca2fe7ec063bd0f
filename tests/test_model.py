"""The reader's model at its edges: what goes in, which span comes out, what a damaged file does. The shipped model is
tried on sentences written here."""

from __future__ import annotations

import shutil
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ReaderModelError
from rag.model.reader import (
    CLS,
    MAX_HEADER,
    MAX_QUESTION,
    MODEL_DIR,
    MODEL_FILE,
    SEP,
    TOKENIZER_FILE,
    ReaderModel,
    best_spans,
    check,
    header_of,
    pack,
)


def test_packed_row_is_question_header_text() -> None:
    assert pack([7, 8], [9], [1, 2, 3]) == ([CLS, 7, 8, SEP, 9, SEP, 1, 2, 3, SEP], 6)
    assert pack([7], [], [1]) == ([CLS, 7, SEP, 1, SEP], 3)
    ids, first = pack([7] * 99, [9] * 99, [1])
    assert first == MAX_QUESTION + MAX_HEADER + 3
    assert ids[first:] == [1, SEP]


def test_header_names_title_and_day() -> None:
    assert header_of("A night", date(2024, 9, 11)) == "A night (11 September 2024)"
    assert header_of("A night", None) == "A night"
    assert header_of("", date(2024, 9, 11)) == "11 September 2024"


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=9),
    st.integers(0, 8),
    st.integers(1, 4),
)
def test_best_spans_are_the_best_of_all_spans(scores: list[tuple[int, int]], first: int, longest: int) -> None:
    start = np.array([s for s, _ in scores], np.float32)
    end = np.array([e for _, e in scores], np.float32)
    every = [(a, b) for a, b in product(range(first, len(scores)), repeat=2) if 0 <= b - a < longest]
    found = best_spans(start, end, first=first, most=3, longest=longest)
    if not every:
        assert found == [(first, first, -1e4)]
        return
    spans = [(a, b) for a, b, _ in found]
    assert len(set(spans)) == len(spans) == min(3, len(every))
    assert set(spans) <= set(every)
    assert [score for _, _, score in found] == sorted((float(start[i] + end[j]) for i, j in every), reverse=True)[:3]


@pytest.fixture(scope="module")
def model() -> ReaderModel:
    return ReaderModel()


_NIGHT = (
    "The evening at the Harbour Hall began late. Odalys Brandt hosted the show and sang twice. "
    "Kofi Mensah was named singer of the year for the third time."
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("who hosted the show?", "Odalys Brandt"),
        ("Who was singer of the year?", "Kofi Mensah"),
        ("Where did the evening take place?", "Harbour Hall"),
    ],
)
def test_it_reads_out_the_answer(model: ReaderModel, question: str, answer: str) -> None:
    read = model.read(question, [("A night in Harbour (3 May 2031)", _NIGHT)])[0]
    assert answer in _NIGHT[read.start : read.end]
    assert len(_NIGHT[read.start : read.end]) <= len(answer) + 6
    assert read.margin > 0


def test_it_says_that_an_answer_is_not_here(model: ReaderModel) -> None:
    here, elsewhere = model.read(
        "who hosted the show?", [("", _NIGHT), ("", "The price of tin rose by 4% on Tuesday.")]
    )
    assert here.margin > 0 > elsewhere.margin
    assert here.relevance > elsewhere.relevance


def test_what_a_passage_gets_does_not_hang_on_its_company(model: ReaderModel) -> None:
    long = ("", " ".join([_NIGHT] * 9))
    alone = model.read("who hosted the show?", [("", _NIGHT)])[0]
    among = model.read("who hosted the show?", [long, ("", _NIGHT), ("Tin", "Tin rose.")])[1]
    assert alone == among


@pytest.mark.parametrize("text", ["", " ", "\ud800 broken", "\0", "你好" * 400, "a" * 5000])
def test_odd_text_is_read_without_an_error(model: ReaderModel, text: str) -> None:
    for question in ("who?", text):
        read = model.read(question, [(text[:100], text)])[0]
        assert 0 <= read.start <= read.end <= len(text)


def test_no_passages_no_reads(model: ReaderModel) -> None:
    assert model.read("who?", []) == []


def test_a_damaged_or_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReaderModelError, match="missing"):
        ReaderModel(tmp_path)
    for name in (MODEL_FILE, TOKENIZER_FILE, "sums.json"):
        shutil.copyfile(MODEL_DIR / name, tmp_path / name)
    check(tmp_path)
    whole = bytearray((tmp_path / MODEL_FILE).read_bytes())
    whole[len(whole) // 2] ^= 1
    (tmp_path / MODEL_FILE).write_bytes(whole)
    with pytest.raises(ReaderModelError, match="damaged"):
        ReaderModel(tmp_path)
