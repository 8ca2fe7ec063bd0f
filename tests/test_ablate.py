"""Parts switched off and an engine broken on purpose: what it costs is measured, and the suite notices.

Coverage and facts are our own, the engine is real: small passages and few candidates, so that every part has something to do.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from eval import Fact, evaluate
from eval.__main__ import main
from eval.ablate import (
    PARTS,
    SABOTAGES,
    UNCHANGED,
    Noticed,
    ablate,
    failures,
    markdown,
    moved,
    notice,
    noticed_markdown,
    parts_of,
    self_test,
    without,
    worths,
)  # fmt: skip
from eval.compare import compare
from eval.facts import Evidence, FactType, check_facts, load_facts
from eval.metrics import holm
from eval.record import add, lacking
from eval.run import Result, Run
from rag.answer.chain import ask
from rag.answer.llm import forget
from rag.config import PARTS as SWITCHES
from rag.config import Config
from rag.errors import ConfigError, RecapError
from rag.ingest.pipeline import ingest
from rag.retrieve.search import search
from rag.store.library import Library
from rag.types import Turn
from tests.small_coverage import COVERAGE

NONE = Path("none.toml")
GUARDS = Path(__file__).parents[1] / "eval" / "guards"
L24, L23, TIDE, MATCH = "lantern-2024.txt", "lantern-2023.txt", "tidewater-2024.txt", "match.txt"
BEFORE = (
    Turn("user", "who hosted the 2024 Lantern Music Awards?"),
    Turn("assistant", "Ines Calder hosted the 2024 Lantern Music Awards."),
)


def fact(name: str, question: str, answer: str, doc: str, quote: str, kind: FactType = "fact", **more: Any) -> Fact:
    given = {"answers": ((answer,),), "evidence": (Evidence(doc, quote),), "cluster": name} | more
    return Fact(id=name, type=kind, question=question, **given)


FACTS = [
    fact("host24", "who hosted the 2024 Lantern Music Awards", "Ines Calder", L24, "hosted by Ines Calder", pinned=True),
    fact("host23", "who hosted the 2023 Lantern Music Awards", "Bruno Salt", L23, "hosted by Bruno Salt"),
    fact("song24", "who won song of the year at the 2024 Lantern Music Awards", "Ana Lima", L24, "Ana Lima won Song of the Year"),
    fact("new23", "who won best new artist at the 2023 Lantern Music Awards", "Nils Aker", L23, "The prize for Best New Artist went to Nils Aker"),
    fact("husband", "who is Petra Voss married to", "Anton Reik", L24, "her husband, Anton Reik"),
    fact("laundry", "what did Tilda Noor say after winning album of the year about where she wrote the record", "laundry", L24, "in a laundry room"),
    fact("latest", "who won song of the year", "Mara Quist", L23, "Mara Quist won Song of the Year", as_of=date(2023, 5, 11)),
    fact("album", "who won album of the year", "Tilda Noor", L24, "after winning Album of the Year"),
    fact("title", "what is the name of the song that Ana Lima sang to win the song of the year award in 2024", "Paper Boats", L24, '"Paper Boats"'),
    fact("venue", "where were the 2024 Lantern Music Awards held", "Harbour Hall", L24, "took place at the Harbour Hall"),
    fact("gave", "who presented the award for best new artist", "Jo Berg", L24, "Jo Berg presented the award"),
    fact("late", "why did the football game start after its time", "rain", MATCH, "because of heavy rain"),
    fact("before", "and the year before?", "Bruno Salt", L23, "hosted by Bruno Salt", "followup", history=BEFORE, pinned=True),
    Fact(id="not-held", type="unanswerable", question="who hosted the 2024 Brit Awards", cluster="not-held"),
    Fact(id="not-said", type="unanswerable", question="who designed the trophy of the 2024 Lantern Music Awards", cluster="not-said", pinned=True),
    Fact(id="other", type="wrong_edition", question="who presented the award for best new artist at the 2023 Lantern Music Awards", must_not=("Jo Berg",), cluster="other"),
]  # fmt: skip


def _by_address(file: Path) -> Path:
    """The coverage with addresses of its own: ids, which decide between equals, are then the same in any folder."""
    days = {L24: "2024-05-06", L23: "2023-05-10", TIDE: "2024-03-04", MATCH: "2024-06-02"}
    rows = []
    for name, text in COVERAGE.items():
        title, _, body = text.partition("\n")
        rows.append({"url": f"https://example.org/{name}", "title": title, "text": body, "published": days.get(name)})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("ablate")
    config = Config(library=folder / "library", llm="none", chunk_tokens=60, candidates=4)
    with Library.open(config, create=True) as writer:
        assert not ingest(writer, [str(_by_address(folder / "articles.jsonl"))]).rejected
    with Library.open(config) as reader:
        yield reader


@pytest.fixture(scope="module")
def noticed(library: Library) -> dict[str, Noticed]:
    """The whole self-test over the facts above, by what was broken."""
    return {n.broken: n for n in self_test(library, FACTS)}


# --- the switches ----------------------------------------------------------------------------------------------------


def test_parts_are_named_in_the_environment_the_file_or_by_flag(tmp_path: Path):
    assert Config.load({"RECAP_WITHOUT": " lexical, dense,lexical "}, toml=NONE).without == ("lexical", "dense")
    toml = tmp_path / "recap.toml"
    toml.write_text('without = ["recency"]\n')
    assert Config.load({}, toml=toml).without == ("recency",)
    assert Config.load({}, toml=toml, without=("boost",)).without == ("boost",)
    assert all(Config().uses(part) for part in SWITCHES)
    assert not Config(without=("dense",)).uses("dense")
    with pytest.raises(ConfigError, match="'sparse' is no part that can be switched off"):
        Config.load({"RECAP_WITHOUT": "dense,sparse"}, toml=NONE)
    toml.write_text("without = 3\n")
    with pytest.raises(ConfigError, match="no list of names"):
        Config.load({}, toml=toml)


def test_a_part_is_switched_off_once_and_verification_only_with_a_language_model():
    assert set(parts_of(Config(llm="none"))) == set(PARTS) - {"verification"}
    less = without(without(Config(llm="none"), "dense"), "reader")
    assert (less.without, less.reader) == (("dense",), "rules")
    assert not {"dense", "reader"} & set(parts_of(less))
    for part in ("dense", "verification", "nonsense"):
        with pytest.raises(RecapError, match=f"{part} cannot be switched off here. Choose from lexical"):
            parts_of(less, ["boost", part])


# --- does the suite notice? ------------------------------------------------------------------------------------------


def test_an_unchanged_engine_is_never_noticed(noticed: dict[str, Noticed]):
    same = noticed[UNCHANGED]
    assert same.how == ""
    assert not moved(same.comparison)
    assert same.comparison.n == len(FACTS)


@pytest.mark.parametrize("part", [p for p in PARTS if p not in ("verification", "ranking", "joining")])
def test_every_part_that_is_off_shows_in_the_comparison(part: str, noticed: dict[str, Noticed]):
    assert moved(noticed[part].comparison)


@pytest.mark.parametrize(
    ("part", "lost"),
    [("recency", "latest"), ("editions", "other"), ("editions", "not-held"), ("followups", "before")],
)  # fmt: skip
def test_the_fact_that_needs_a_part_flips_without_it(part: str, lost: str, noticed: dict[str, Noticed]):
    assert lost in [b.id for _, b in noticed[part].comparison.lost]


@pytest.mark.parametrize("name", SABOTAGES)
def test_every_sabotage_is_noticed(name: str, noticed: dict[str, Noticed]):
    assert noticed[name].comparison.fails, noticed_markdown(list(noticed.values()))


def test_what_the_sample_cannot_show_the_guards_do(tmp_path: Path):
    """Recency and the trained reader: switched off, each turns pinned facts of `eval/guards` wrong, and no other part does."""
    facts = load_facts([GUARDS / "facts.jsonl"])
    config = Config(library=tmp_path / "library", llm="none")
    with Library.open(config, create=True) as writer:
        assert not ingest(writer, [str(GUARDS / "articles.jsonl")]).rejected
    with Library.open(config) as library:
        assert check_facts(facts, library.articles(), chunks=library.chunks) == []
        same, *found = self_test(library, facts, parts=["recency", "reader"], sabotages=())
    assert not moved(same.comparison)
    assert same.comparison.right["all"].n == len(facts)
    assert {n.broken: n.how for n in found} == {"recency": "gate", "reader": "gate"}
    assert all(i.endswith(("first", "latest", "then", "now")) for i in found[0].comparison.pinned_lost)
    assert {"patrol", "crane"} <= set(found[1].comparison.pinned_lost)


def test_the_gate_falls_when_a_pinned_fact_does_and_the_table_says_how_each_was_noticed(noticed: dict[str, Noticed]):
    gated = {name for name, n in noticed.items() if n.how == "gate"}
    assert gated >= {
        "reader always declines",
        "citations left out",
        "another edition preferred",
        "a crash on some questions",
    }
    found = list(noticed.values())
    assert failures(found) == []
    blind = [replace(n, how="", comparison=found[0].comparison) if n.broken == "ranking reversed" else n for n in found]
    assert failures(blind) == ["Not stopped: ranking reversed. Pin facts that it makes wrong."]
    unsteady = [
        replace(n, comparison=noticed["citations left out"].comparison) if n.broken == UNCHANGED else n for n in found
    ]
    assert failures(unsteady)[0].startswith("An unchanged engine was noticed")
    rows = [line for line in noticed_markdown(found).splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ")[0][2:] for row in rows] == list(noticed)


def test_sabotage_leaves_nothing_behind(library: Library, noticed: dict[str, Noticed]):
    again = evaluate(library, FACTS[:3]).results
    assert not moved(compare(again, evaluate(library, FACTS[:3]).results))
    assert all(r.right for r in again)


def test_ranking_and_joining_are_switched_where_they_are(library: Library):
    asked = "where did Ana Lima and Davi Lima stand and who were the brothers of Ana Lima"
    stored = {c.text for a in library.articles() for c in library.chunks(a.id)}
    assert not {h.chunk.text for h in search(library, FACTS[0].question)} <= stored, "neighbours are one passage"
    with Library.open(without(library.config, "joining"), embedder=library.embedder) as apart:
        assert {h.chunk.text for h in search(apart, FACTS[0].question)} <= stored
    with Library.open(without(library.config, "ranking"), embedder=library.embedder) as unweighed:
        assert ask(unweighed, asked).short != ask(library, asked).short
        assert search(unweighed, asked) == search(library, asked)


# --- what a part is worth --------------------------------------------------------------------------------------------


def results(flips: str) -> list[Result]:
    """A result for each letter: right where it is "="."""
    return [
        Result(
            id=str(n), type="fact", question="q", cluster=str(n), right=c == "=", answer=c, timings_ms={"total": 10.0}
        )
        for n, c in enumerate(flips)
    ]


def test_what_a_part_is_worth_is_what_is_right_with_it_and_wrong_without():
    whole = Run(results=tuple(results("=========x")), about={})
    less = {"dense": "x========x", "lexical": "xxxxxxxx=x", "boost": "=========x", "recency": "=========="}
    found = {w.part: w for w in worths(whole, {p: Run(tuple(results(f)), {}) for p, f in less.items()})}
    assert {p: w.verdict for p, w in found.items()} == {
        "dense": "cannot tell (n = 10)",
        "lexical": "helps",  # 8 of 10: p = 2 / 2**8, times 4
        "boost": "cannot tell (n = 10)",
        "recency": "cannot tell (n = 10)",
    }
    assert found["lexical"].p == pytest.approx(4 * 2 / 2**8)
    assert (found["lexical"].answers, found["boost"].answers, found["recency"].answers) == (8, 0, 1)
    assert found["dense"].comparison.right["all"].mean == pytest.approx(0.1)
    assert found["recency"].comparison.right["all"].mean == pytest.approx(-0.1)


def test_p_values_are_corrected_for_how_many_were_tried():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_ablation_by_the_command_line_is_kept_and_taken_up_again(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RECAP_CANDIDATES", "4")
    rows = [
        {"id": f.id, "type": f.type, "question": f.question, "answers": [f.answers[0][0]], "cluster": f.cluster}
        | {"evidence": [dataclasses.asdict(e) for e in f.evidence], "as_of": f.as_of and f.as_of.isoformat()}
        for f in FACTS if f.id in ("host24", "latest", "song24")
    ]  # fmt: skip
    (tmp_path / "facts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ["ablate", str(tmp_path / "facts.jsonl"), "--library", str(library.path), "--llm", "none", "--parts"]
    assert main([*words, "recency,dense", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "As it is: 3/3 facts right" in said.out
    row = next(line for line in said.out.splitlines() if "`recency`" in line)
    assert "| +33.3 [" in row
    assert "| 1, 0 |" in row
    assert row.endswith("| cannot tell (n = 3) |")
    table = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert table["parts"]["recency"]["won"] == ["latest"]
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {
        "whole",
        "without-recency",
        "without-dense",
        "ablation.md",
    }
    assert main([*words, "recency,boost", "--out", str(tmp_path / "out")]) == 0
    again = capsys.readouterr()
    assert again.err.count("taken from") == 2, "the run as it is, and that without recency"
    assert main([*words, "verification"]) == 2
    assert "verification cannot be switched off here" in capsys.readouterr().err


def test_what_verification_is_worth_shows_with_a_recorded_model(library: Library, tmp_path: Path):
    """A model that adds a sentence which nobody wrote: checked, it is dropped."""
    file, replies = tmp_path / "recording.jsonl", tmp_path / "replies.jsonl"
    add(file, (), model="nobody yet", note="")
    host = replace(FACTS[0], must_not=("Zed Quill",))
    with Library.open(replace(library.config, llm=f"replay:{file}"), embedder=library.embedder) as asked:
        facts = tmp_path / "facts.jsonl"
        facts.write_text(json.dumps({"id": "host", "type": "unanswerable", "question": host.question}))
        keys = [row["key"] for row in lacking(asked, facts=[facts])]
    reply = "ANSWER: Ines Calder\nInes Calder hosted the 2024 Lantern Music Awards [1]. Zed Quill hosted the 2031 Opera Ball [1]."
    replies.write_text("".join(json.dumps({"key": k, "reply": reply}) + "\n" for k in keys))
    add(file, [replies], model="a-model", note="by hand")
    forget()
    with Library.open(replace(library.config, llm=f"replay:{file}"), embedder=library.embedder) as spoken:
        found = ablate(spoken, [host], parts=["verification"])
    assert {r.engine for r in found.whole.results} == {"replay:a-model"}
    assert [b.id for _, b in found.worths[0].comparison.won] == ["host24"]
    assert found.worths[0].comparison.means["citation_precision"].mean > 0
    assert "sentences of a language model checked" in markdown(found)
    assert notice("verification", found.whole.results, [found.worths[0].comparison.won[0][0]]).how == "gate"
