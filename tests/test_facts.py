"""Facts are read from two formats, and what is wrong with them is said with file and line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.facts import SCHEMA, TYPES, Fact, FactsError, check_facts, check_suite, fold, is_doc, load_facts, read_facts
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
        ('{"id": ' + "9" * 5000 + "}", "facts.jsonl:2: not JSON (a number is too long)"),
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


# --- with each other --------------------------------------------------------------------------------------------------

QUOTE = [{"doc": "vmas.txt", "quote": "Megan hosted"}]


def between(folder: Path, **other: object) -> list[str]:
    """What is wrong between HOST and another fact that asks the same in other words of the file."""
    row = {
        "id": "b",
        "type": "fact",
        "question": "Who hosted then?",
        "standalone": "Who hosted?",
        "evidence": QUOTE,
    } | other
    return [p.text for p in check_facts(facts(folder, HOST, row), [ARTICLE])]


def test_answers_that_cannot_both_hold_are_a_contradiction(tmp_path: Path):
    [said] = between(tmp_path, answers=["Shakira"])
    assert (
        said
        == "b contradicts host (facts.jsonl:1): 'Megan Thee Stallion' and 'Shakira' cannot both be the answer. Correct one of them."
    )
    assert between(tmp_path, answers=["Thee Stallion"]) == [], "a form of the same name"
    assert between(tmp_path, type="multi", answers=["Megan", "Shakira"]) == [], "one of several"
    assert between(tmp_path, answers=["Shakira"], as_of="2020-01-01") == [], "another day is another question"
    assert between(tmp_path, answers=["Shakira"], standalone="Who sang?") == []


def test_an_answer_that_another_fact_bars_is_a_contradiction(tmp_path: Path):
    [said] = between(tmp_path, answers=["Megan Thee Stallion"], must_not=["Megan Thee"])[1:]
    assert "'Megan Thee Stallion' is right in host, and b bars 'Megan Thee'" in said


@pytest.mark.parametrize("kind", ["unanswerable", "wrong_edition", "false_premise"])
def test_a_question_with_an_answer_has_no_twin_without_one(tmp_path: Path, kind: str):
    [said] = between(tmp_path, type=kind, must_not=["Shakira"], evidence=[])
    assert f"host has an answer, b says that there is none ({kind})" in said


def test_a_twin_must_be_true(tmp_path: Path):
    first = {"id": "x", "type": "unanswerable", "question": "who ate"}
    found = check_facts(facts(tmp_path, first, first | {"id": "y", "question": "who sat", "twin": "x"}), [])
    assert [p.text for p in found] == ["y: its twin 'x' has no answer either. Pair it with a fact that is true."]


def test_a_wrong_quote_is_shown_the_passage_that_comes_nearest(tmp_path: Path):
    near = facts(tmp_path, HOST | {"evidence": [{"doc": "vmas.txt", "quote": "Megan has hosted the show"}]})
    [problem] = check_facts(near, [ARTICLE])
    assert "Nearest: 'hosted'" not in problem.text
    assert problem.text.endswith("Nearest: 'the show.'.") or "Nearest: 'Megan   hosted'." in problem.text
    other = Article(id="a2", source="file:///news/grammys.txt", title="G", text="Nobody ate there.")
    far = facts(tmp_path, HOST | {"evidence": [{"doc": "vmas.txt", "quote": "Nobody ate there"}]})
    [problem] = check_facts(far, [ARTICLE, other])
    assert problem.text.endswith("file:///news/grammys.txt says it.")


def test_a_document_that_two_pieces_answer_to_is_ambiguous(tmp_path: Path):
    twin = dataclasses.replace(
        ARTICLE, id="a2", source="file:///old/vmas.txt", url="https://y.example/vmas", cluster="other"
    )
    [problem] = check_facts(facts(tmp_path, HOST), [ARTICLE, twin])
    assert "vmas.txt names 2 articles (https://x.example/2024/vmas, https://y.example/vmas)" in problem.text
    same = dataclasses.replace(ARTICLE, cluster="c"), dataclasses.replace(twin, cluster="c")
    assert check_facts(facts(tmp_path, HOST), list(same)) == [], "copies of one piece stand for each other"


def test_what_weakens_a_suite_is_noted_and_is_no_error(tmp_path: Path):
    rows = [HOST | {"id": f"f{n}", "question": f"who hosted show {n}", "pinned": n == 0} for n in range(10)]
    rows += [{"id": "no", "type": "unanswerable", "question": "who ate"}]
    notes = check_suite(facts(tmp_path, *rows))
    assert {n.level for n in notes} == {"note"}
    said = "\n".join(map(str, notes))
    assert "facts.jsonl:1: note: 10 of 11 facts are of type fact" in said
    assert "facts.jsonl:11: note: no fact of type unanswerable is pinned" in said
    assert "only 1 of type unanswerable" in said
    assert "1 of type unanswerable without a true twin: no (line 11)" in said
    assert "no facts of type multi, temporal, followup, false_premise, wrong_edition." in said
    assert "no fact of type fact is pinned" not in said


@pytest.mark.parametrize(
    ("question", "near"),
    [
        ("Who hosts the show?", True),
        ("who hosted the shows", True),
        ("who hosted the 2023 show", False),
        ("who left the show", False),
    ],
)
def test_questions_that_are_nearly_one_are_noted(tmp_path: Path, question: str, near: bool):
    rows = [HOST | {"question": "who hosted the show"}, HOST | {"id": "b", "question": question}]
    said = [n.text for n in check_suite(facts(tmp_path, *rows)) if "nearly" in n.text]
    assert bool(said) is near


def test_check_exits_0_with_notes_and_1_with_an_error_and_says_so_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "vmas.txt").write_text(
        "A Night To Remember\n\nMegan hosted the show, and everybody stayed until the end.\n"
    )
    good = write(tmp_path, HOST)
    assert main(["check", str(good), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["facts"], told["errors"]) == (1, 0)
    assert told["notes"] == len(told["problems"]) > 0
    assert told["problems"][0] | {"text": ""} == {"file": str(good), "line": 1, "level": "note", "text": ""}
    write(tmp_path, HOST, HOST | {"id": "b", "answers": ["Shakira"]})
    assert main(["check", str(good)]) == 1
    said = capsys.readouterr().out
    assert f"{good}:2: b contradicts host" in said
    assert said.rstrip().split("\n")[-1].startswith("2 facts, 2 problems. ")


# --- the schema -------------------------------------------------------------------------------------------------------

TURN = {"role": "user", "content": "hi"}
GOOD = [
    HOST, HOST | {"id": 7}, HOST | {"type": "multi", "answers": ["a", ["b", "c"]]}, HOST | {"answers": [["a"], ["b", "c"]]},
    HOST | {"answers": [2024, 1.5]}, HOST | {"as_of": "2024-09-12"}, HOST | {"as_of": None, "twin": None, "history": None},
    HOST | {"type": "followup", "history": [TURN]}, HOST | {"type": "followup", "history": TURN}, HOST | {"type": "temporal"},
    {"id": "a", "type": "unanswerable", "question": "q"}, {"id": "a", "type": "unanswerable", "question": "q", "answers": []},
    {"id": "a", "type": "wrong_edition", "question": "q", "must_not": ["x"]},
    {"id": "a", "type": "false_premise", "question": "q", "correction": ["x"], "answers": None},
    HOST | {"evidence": {"doc": "a", "quote": "b"}}, HOST | {"pinned": True, "note": "why", "split": "dev", "cluster": "c"},
]  # fmt: skip
BAD = [
    [], "x", 5, None, {}, HOST | {"type": "facts"}, HOST | {"id": " "}, HOST | {"question": None}, HOST | {"question": ["a"]},
    HOST | {"id": True}, HOST | {"anwsers": []}, HOST | {"answers": []}, HOST | {"answers": "Megan"}, HOST | {"answers": [True]},
    HOST | {"answers": ["a", ["b"]]}, HOST | {"answers": [["a"], []]}, HOST | {"answers": [" "]}, HOST | {"answers": [None]},
    HOST | {"must_not": [" "]}, HOST | {"must_not": "x"}, HOST | {"as_of": "September"}, HOST | {"as_of": 2024},
    HOST | {"as_of": "20240912"}, HOST | {"as_of": "2024-02-31"}, HOST | {"history": ["hi"]}, HOST | {"history": [TURN | {"role": "x"}]},
    HOST | {"evidence": [{"doc": "x"}]}, HOST | {"evidence": "x"}, HOST | {"evidence": [{"doc": "", "quote": "x"}]},
    HOST | {"pinned": "yes"}, HOST | {"pinned": None}, HOST | {"type": "followup"}, HOST | {"type": "followup", "history": []},
    HOST | {"type": "unanswerable"}, HOST | {"type": "wrong_edition", "answers": []}, HOST | {"note": ["a"]},
    {"id": "a", "type": "fact", "question": "q"}, HOST | {"split": {}}, HOST | {"cluster": ["a"]},
]  # fmt: skip


@pytest.fixture(scope="module")
def valid() -> Callable[[object], bool]:
    import jsonschema  # chromadb brings it

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker(["date"]))
    return checker.is_valid


def test_schema_and_loader_agree_on_what_a_fact_is(tmp_path: Path, valid: Callable[[object], bool]):
    for row in [*GOOD, *BAD]:
        loaded = not read_facts([write(tmp_path, json.dumps(row))])[1]
        assert (valid(row), loaded) == ((row in GOOD), (row in GOOD)), row


def test_every_shipped_fact_is_valid_by_the_schema(valid: Callable[[object], bool]):
    seeds = Path(__file__).parent.parent / "seeds" / "facts.jsonl"
    rows = [json.loads(line) for line in seeds.read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 200
    assert [r["id"] for r in rows if not valid(r)] == []


def test_the_schema_names_the_types_and_keys_of_the_loader_and_is_installed_with_it():
    from eval.facts import _KEYS

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert tuple(schema["properties"]["type"]["enum"]) == TYPES
    assert set(schema["properties"]) == _KEYS
    assert SCHEMA.parent == Path(load_facts.__code__.co_filename).parent


def test_a_control_character_in_yaml_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "facts.yaml").write_bytes(b"- id: a\x00\n")
    facts, problems = read_facts([tmp_path / "facts.yaml"])
    assert not facts
    assert "not YAML" in str(problems[0])
