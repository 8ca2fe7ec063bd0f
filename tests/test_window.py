"""Windows hold what the question asks for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.answer.window import weigh, window

_FILLER = " ".join(f"Filler sentence number {n} says nothing at all." for n in range(60))


def test_window_holds_the_words_of_the_question() -> None:
    text = f"{_FILLER} Odalys Brandt hosted the Harbour Prizes. {_FILLER}"
    start, end = window(text, weigh("who hosted the Harbour Prizes?", [text]), words=40)
    assert "Odalys Brandt hosted the Harbour Prizes." in text[start:end]
    assert len(text[start:end].split()) <= 40
    assert text[start - 1] == " " and text[start - 2] == "."  # begins with a sentence  # noqa: PT018


def test_short_text_stays_whole() -> None:
    assert window("Two words", {}, words=40) == (0, 9)
    assert window("", {}, words=40) == (0, 0)


@given(st.text(max_size=600), st.text(max_size=60), st.integers(1, 50))
def test_window_is_inside_of_the_text(text: str, question: str, words: int) -> None:
    start, end = window(text, weigh(question, [text]), words=words)
    assert 0 <= start <= end <= len(text)


def test_rare_words_weigh_more() -> None:
    weights = weigh("prizes of Harbour", ["prizes here", "prizes there", "Harbour prizes"])
    assert weights["harbour"] > weights["prize"]


def test_moving_to_the_start_of_a_sentence_loses_nothing_of_what_was_found() -> None:
    text = f"{' '.join(f'w{i}' for i in range(100))}. Z {' '.join(f'x{i}' for i in range(65))} Brandt"
    start, end = window(text, {"brandt": 3.0}, words=60)
    assert "Brandt" in text[start:end]
