from __future__ import annotations

import pytest

from rag.answer.asking import Asked, kind_of
from rag.answer.expected import is_dateline, may_be
from rag.answer.match import Term


def asked(question: str, noun: str | None = None) -> Asked:
    return Asked(kind_of(question), question, (Term(("x",)),), (), noun, False, False)


@pytest.mark.parametrize(
    ("question", "noun", "good", "bad"),
    [
        ("which country signed the treaty?", "country", ("Tonga", "the Tongan capital's host, New Zealand", "the UK"), ("Danielle Okafor", "WIRE", "twenty-three")),
        ("in which state was the storm?", "state", ("California", "western North Carolina"), ("Karla Nemeth", "the governor")),
        ("in which month does it open?", "month", ("September", "late May"), ("Miriam Levine", "2024")),
        ("when did the ferry first sail?", None, ("in 1993", "last Tuesday", "the night of the storm"), ("Kim Petersen", "the harbour")),
        ("how many people came?", None, ("12,400", "two dozen"), ("the crowd",)),
        ("what percentage of voters agreed?", "percentage", ("3.4%", "a third"), ("Bank of Ellery",)),
        ("how much did prices rise?", None, ("70 percent", "by half"), ("the union",)),
        ("who sang?", None, ("Mensah",), ("the band",)),
        ("which company bought the pier?", "company", ("Quay Holdings", "3M"), ("in city",)),
        ("what was discovered on the beach?", None, ("a large piece of wood", "Wood"), (" ",)),
    ],
)  # fmt: skip
def test_only_what_is_of_the_kind_asked_for_can_answer(
    question: str, noun: str | None, good: tuple[str, ...], bad: tuple[str, ...]
) -> None:
    assert [t for t in good if not may_be(asked(question, noun), t)] == []
    assert [t for t in bad if may_be(asked(question, noun), t)] == []


@pytest.mark.parametrize(
    ("text", "sentence", "is_one"),
    [
        ("WASHINGTON", "WASHINGTON (Wire) - The senate met.", True),
        ("NEW DELHI", "NEW DELHI — Rescuers dug on.", True),
        ("NATO", "NATO met in the harbour.", False),
        ("Washington", "Washington, the capital, was quiet.", False),
    ],
)
def test_where_a_report_was_written_is_no_answer(text: str, sentence: str, is_one: bool) -> None:
    assert is_dateline(text, sentence) is is_one
