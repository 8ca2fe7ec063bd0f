"""Facts are read from two formats, and what is wrong with them is said with file and line."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from eval.facts import Fact, FactsError, check_facts, fold, is_doc, load_facts, read_facts
from rag.errors import RecapError
from rag.types import Article, Chunk, Turn

HOST = {
    "id": "host",
    "type": "fact",
    "question": "who hosted",
    "answers": ["Megan Thee Stallion", "Megan"],
    "evidence": [{"doc": "vmas.txt", "quote": "Megan hosted"}],
}
ARTICLE = Article(
    id="a1",
    source="file:///news/vmas.txt",
    url="https://x.example/2024/vmas",
    title="VMAs",
    text="It was “big”.\nMegan   hosted\nthe show. Nobody sang.",
)


def write(folder: Path, *rows: object, name: str = "facts.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows), encoding="utf-8")
    return path


def one(folder: Path, **changes: object) -> Fact:
    [fact] = load_facts([write(folder, HOST | changes)])
    return fact


def problems(folder: Path, *rows: object, name: str = "facts.jsonl") -> list[str]:
    return [str(p).removeprefix(f"{folder}/") for p in read_facts([write(folder, *rows, name=name)])[1]]


def test_a_line_is_a_fact(tmp_path: Path):
    fact = one(
        tmp_path,
        as_of="2024-09-12",
        history=[{"role": "user", "content": "hi"}],
        must_not=["Shakira"],
        pinned=True,
        split="dev",
    )
    assert fact.answers == (("Megan Thee Stallion", "Megan"),)
    assert fact.gold == ("Megan Thee Stallion", "Megan")
    assert (fact.as_of, fact.history) == (date(2024, 9, 12), (Turn("user", "hi"),))
    assert (fact.must_not, fact.pinned, fact.split) == (("Shakira",), True, "dev")
    assert fact.cluster == "host", "a fact is its own cluster unless it says another"
    assert fact.where == f"{tmp_path}/facts.jsonl:1"


def test_answers_of_multi_are_all_wanted_and_each_may_have_aliases(tmp_path: Path):
    assert one(tmp_path, type="multi", answers=["Milan", "Sasha"]).answers == (("Milan",), ("Sasha",))
    fact = one(tmp_path, type="multi", answers=["Milan", ["Sasha", "Alexander"]])
    assert fact.answers == (("Milan",), ("Sasha", "Alexander"))
    assert fact.gold == ("Milan, Sasha",)
    assert one(tmp_path, answers=[["Milan"], ["Sasha"]]).answers == (("Milan",), ("Sasha",)), "lists in any type"


def test_yaml_says_the_same_as_jsonl(tmp_path: Path):
    text = """
# a comment
facts:
  - id: host
    type: temporal
    as_of: 2024-09-12
    question: which year
    answers: [2024, 2024-09-11]
    evidence: [{doc: vmas.txt, quote: Megan hosted}]
  - {id: ate, type: unanswerable, question: who ate}
"""
    facts = load_facts([write(tmp_path, text, name="facts.yaml")])
    assert [f.id for f in facts] == ["host", "ate"]
    assert facts[0].answers == (("2024", "2024-09-11"),), "numbers and dates are read as they are written"
    assert facts[0].as_of == date(2024, 9, 12)
    assert [f.where.rpartition(":")[2] for f in facts] == ["4", "10"]
    plain_list = load_facts([write(tmp_path, "- {id: ate, type: unanswerable, question: who ate}", name="b.yml")])
    assert plain_list[0].id == "ate"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{not json", "facts.jsonl:2: not JSON"),
        ("[1]", "facts.jsonl:2: not an object"),
        (HOST | {"type": "facts"}, "facts.jsonl:2: type 'facts' is unknown. Use one of fact, multi,"),
        (HOST | {"id": "  "}, "facts.jsonl:2: id is missing"),
        (HOST | {"question": None}, "facts.jsonl:2: question is missing"),
        (HOST | {"question": ["a"]}, "facts.jsonl:2: question is not text"),
        (HOST | {"anwsers": []}, "facts.jsonl:2: unknown key anwsers"),
        (HOST | {"answers": []}, "facts.jsonl:2: a fact of type fact needs answers"),
        (HOST | {"answers": "Megan"}, "facts.jsonl:2: answers is not a list"),
        (HOST | {"answers": [True]}, "facts.jsonl:2: answers is not text. Put it in quotes"),
        (HOST | {"answers": ["a", ["b"]]}, "facts.jsonl:2: answers mixes text and lists"),
        (HOST | {"answers": [["a"], []]}, "facts.jsonl:2: answers has an empty entry"),
        (HOST | {"must_not": [" "]}, "facts.jsonl:2: must_not has an empty entry"),
        (HOST | {"as_of": "September"}, "facts.jsonl:2: as_of 'September' is not a date"),
        (HOST | {"as_of": 2024}, "facts.jsonl:2: as_of 2024 is not a date"),
        (HOST | {"history": ["hi"]}, "facts.jsonl:2: history is not a list of turns"),
        (HOST | {"evidence": [{"doc": "x"}]}, "facts.jsonl:2: evidence is not a list of quotes"),
        (HOST | {"pinned": "yes"}, "facts.jsonl:2: pinned is not true or false"),
        (HOST | {"type": "followup"}, "facts.jsonl:2: a follow-up needs history"),
        (HOST | {"type": "unanswerable"}, "facts.jsonl:2: a fact of type unanswerable has no answers"),
        (HOST | {"type": "wrong_edition", "answers": []}, "facts.jsonl:2: a fact of type wrong_edition needs must_not"),
        (HOST, "facts.jsonl:2: id 'host' is taken by "),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, row: object, says: str):
    found = problems(tmp_path, HOST, row)
    assert len(found) == 1
    assert found[0].startswith(says)
    with pytest.raises(FactsError, match=r"facts\.jsonl:2"):
        load_facts([tmp_path / "facts.jsonl"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- id: a\n  type: [", "facts.yaml:2: not YAML"),
        ("- {id: no, type: unanswerable, question: q}", "facts.yaml:1: id is not text. Put it in quotes"),
        ("hello: 1", "facts.yaml:1: not a list of facts"),
        ("- {id: a, type: unanswerable, question: q, as_of: 2024-02-31}", "facts.yaml: a value cannot be read"),
        ("- &x {id: a, question: *y}", "facts.yaml:1: not YAML"),
        ("- !!python/object:os.system {}", "facts.yaml:1: not YAML"),
    ],
)
def test_bad_yaml_is_said_with_its_line(tmp_path: Path, text: str, says: str):
    found = problems(tmp_path, text, name="facts.yaml")
    assert found[0].startswith(says)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path):
    (tmp_path / "latin.jsonl").write_bytes(b"\xe9\xff")
    for name, says in (("none.jsonl", "No such file"), ("latin.jsonl", "not UTF-8"), (".", "directory")):
        with pytest.raises(FactsError, match=says):
            load_facts([tmp_path / name])
    with pytest.raises(FactsError, match="No facts in"):
        load_facts([write(tmp_path, "", name="empty.jsonl")])
    with pytest.raises(FactsError, match="not a fact file"):
        load_facts([write(tmp_path, "x", name="facts.csv")])
    assert issubclass(FactsError, RecapError)


def test_only_the_first_ten_problems_are_listed(tmp_path: Path):
    with pytest.raises(FactsError) as e:
        load_facts([write(tmp_path, *["x"] * 12)])
    assert str(e.value).count("not JSON") == 10
    assert str(e.value).endswith("... and 2 more.")


def test_fold_forgives_space_and_quotes_and_nothing_else():
    assert fold("“It’s\u00a0 here”\n…") == '"It\'s here" ...'
    assert fold("Reneé") != fold("Renee")
    assert fold("Rene\u0301e") == fold("Renée")


def test_a_doc_is_a_url_a_source_or_the_end_of_one():
    for doc in ("https://x.example/2024/vmas", "2024/vmas", "file:///news/vmas.txt", "vmas.txt", "news/vmas.txt"):
        assert is_doc(doc, ARTICLE), doc
    for doc in ("mas.txt", "vmas.tx", "https://x.example", ""):
        assert not is_doc(doc, ARTICLE), doc


def facts(folder: Path, *rows: dict[str, object]) -> list[Fact]:
    return load_facts([write(folder, *rows)])


def test_check_finds_what_the_articles_do_not_say(tmp_path: Path):
    def check(**changes: object) -> list[str]:
        return [p.text for p in check_facts(facts(tmp_path, HOST | changes), [ARTICLE])]

    assert check() == []
    assert check(evidence=[{"doc": "vmas.txt", "quote": 'was "big". Megan hosted the show'}]) == []
    assert "does not say 'Megan danced'" in check(evidence=[{"doc": "vmas.txt", "quote": "Megan danced"}])[0]
    assert "no article grammys.txt" in check(evidence=[{"doc": "grammys.txt", "quote": "Megan hosted"}])[0]
    assert "has no evidence" in check(evidence=[])[0]
    assert "its twin 'gone' does not exist" in check(twin="gone")[0]
    assert check(twin="host") == []
    assert "'Megan Thee Stallion' is right and holds 'Stallion'" in check(must_not=["Stallion"])[0]


def test_check_finds_a_quote_that_no_passage_holds_whole(tmp_path: Path):
    row = HOST | {"evidence": [{"doc": "vmas.txt", "quote": "the show. Nobody sang"}]}
    cut = ARTICLE.text.index("Nobody")
    halves = [Chunk("1", "a1", 0, cut, ARTICLE.text[:cut]), Chunk("2", "a1", cut, 99, ARTICLE.text[cut:])]
    whole = [Chunk("1", "a1", 0, 99, ARTICLE.text)]
    found = check_facts(facts(tmp_path, row), [ARTICLE], chunks=lambda _: halves)
    assert "no single passage of vmas.txt holds" in found[0].text
    assert check_facts(facts(tmp_path, row), [ARTICLE], chunks=lambda _: whole) == []


def test_check_finds_a_question_asked_twice(tmp_path: Path):
    again = HOST | {"id": "again", "question": "Who  hosted"}
    found = check_facts(facts(tmp_path, HOST, again), [ARTICLE])
    assert [str(p).rpartition("/")[2] for p in found] == [
        "facts.jsonl:2: again: the same question is asked twice. Remove one."
    ]
    later = again | {"as_of": "2025-01-01"}
    assert check_facts(facts(tmp_path, HOST, later), [ARTICLE]) == [], "another day is another question"
