"""A run that is stopped goes on where it was, and only if nothing has changed: the engine and the library are real."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval import Fact, Run, evaluate
from eval import resume as module
from eval import run as run_module
from eval.__main__ import main
from eval.facts import Evidence
from eval.report import load, markdown
from eval.resume import PARTIAL, unfinished
from rag.errors import RecapError
from rag.store.library import Library

HOST = Evidence("gallery.txt", "hosted by Ines Calder")
FACTS = [
    Fact(id="host", type="fact", question="who hosted the 2024 Lantern Music Awards", answers=(("Ines Calder",),), evidence=(HOST,)),
    Fact(id="cost", type="fact", question="what did the fish market cost", answers=(("4.2 million",),)),
    Fact(id="capital", type="unanswerable", question="what is the capital of France"),
    Fact(id="trophy", type="unanswerable", question="who made the trophy of the 2024 Lantern Music Awards"),
]  # fmt: skip


def verdicts(run: Run) -> list[Any]:
    """All of a run but its times, as JSON has it."""
    rows = [{k: v for k, v in dataclasses.asdict(r).items() if k != "timings_ms"} for r in run.results]
    return list(json.loads(json.dumps(rows)))


def stop_after(n: int) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        if done == n:
            raise KeyboardInterrupt

    return tell


def stopped(library: Library, out: Path, after: int = 2) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluate(library, FACTS, out=out, progress=stop_after(after))


def test_a_stopped_run_goes_on_where_it_was_and_ends_like_one_that_was_not(tiny_library: Library, tmp_path: Path):
    whole = evaluate(tiny_library, FACTS)
    stopped(tiny_library, tmp_path)
    assert unfinished(tmp_path) == (2, 4)
    told: list[str] = []
    seen: list[tuple[int, int]] = []
    run = evaluate(tiny_library, FACTS, out=tmp_path, say=told.append, progress=lambda *x: seen.append(x))
    assert told == ["Went on: 2 of 4 facts had been asked before."]
    assert seen == [(3, 4), (4, 4)]
    assert run.about["resumed"] == 2
    assert verdicts(run) == verdicts(whole) == verdicts(load(tmp_path))
    assert unfinished(tmp_path) is None
    assert not (tmp_path / PARTIAL).exists()
    told.clear()
    assert evaluate(tiny_library, FACTS, out=tmp_path, say=told.append).about["resumed"] == 0
    assert told == [], "a run that is whole is run anew"


def test_order_and_number_at_a_time_change_no_verdict_and_results_stay_in_the_files_order(tiny_library: Library):
    plain = evaluate(tiny_library, FACTS)
    shuffled, again = (evaluate(tiny_library, FACTS, seed=3, jobs=n) for n in (1, 3))
    assert verdicts(shuffled) == verdicts(again) == verdicts(plain)
    assert [r.id for r in again.results] == [f.id for f in FACTS]
    assert (plain.about["latency_comparable"], again.about["latency_comparable"]) == (True, False)
    said = [markdown(run.results, run.summary()) for run in (plain, again)]
    assert ["not to be compared" in text for text in said] == [False, True]
    asked: list[str] = []

    def ask(library: Any, question: str, **more: Any) -> Any:
        asked.append(question)
        raise ValueError

    evaluate(tiny_library, FACTS, seed=3, ask=ask)
    assert sorted(asked[1:]) == sorted(f.question for f in FACTS)
    assert asked[1:] != [f.question for f in FACTS], "asked in another order"


def _other_facts(library: Library, patch: pytest.MonkeyPatch) -> tuple[Library, list[Fact]]:
    return library, [replace(FACTS[0], answers=(("Ines",),)), *FACTS[1:]]


def _other_code(library: Library, patch: pytest.MonkeyPatch) -> tuple[Library, list[Fact]]:
    patch.setattr(module, "code_hash", lambda: "other")
    return library, FACTS


def _other_configuration(library: Library, patch: pytest.MonkeyPatch) -> tuple[Library, list[Fact]]:
    return Library.open(replace(library.config, without=("recency",)), embedder=library.embedder), FACTS


def _other_library(library: Library, patch: pytest.MonkeyPatch) -> tuple[Library, list[Fact]]:
    articles = library.articles()
    patch.setattr(library, "articles", lambda: [replace(articles[0], title="Another"), *articles[1:]])
    return library, FACTS


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_other_facts, "facts"),
        (_other_code, "code"),
        (_other_configuration, "configuration"),
        (_other_library, "library"),
    ],
)
def test_anything_that_changed_starts_the_run_anew_and_says_what(
    change: Any, what: str, tiny_library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stopped(tiny_library, tmp_path)
    library, facts = change(tiny_library, monkeypatch)
    told: list[str] = []
    run = evaluate(library, facts, out=tmp_path, say=told.append)
    assert told == [f"Started anew: the {what} changed since 2 of 4 facts were asked."]
    assert (run.about["resumed"], len(run.results)) == (0, 4)
    if library is not tiny_library:
        library.close()


def test_a_library_elsewhere_with_the_same_in_it_is_the_same(tiny_library: Library):
    elsewhere = replace(tiny_library.config, host="0.0.0.0", runs=Path("other"))
    with Library.open(elsewhere, embedder=tiny_library.embedder) as other:
        assert module.made_of(other, FACTS) == module.made_of(tiny_library, FACTS)


def test_a_torn_line_is_asked_again_and_a_damaged_file_starts_anew(tiny_library: Library, tmp_path: Path):
    stopped(tiny_library, tmp_path)
    file = tmp_path / PARTIAL
    whole = file.read_text()
    file.write_text(whole[:-20])  # the power went in the middle of the second fact
    run = evaluate(tiny_library, FACTS, out=tmp_path)
    assert run.about["resumed"] == 1
    assert len(load(tmp_path).results) == 4
    for damage in ("", "{}\n", "\x00" * 40, whole.replace('"made_of"', '"x"'), whole + "[1]\n", whole + '{"id": {}}\n'):
        file.write_text(damage)
        told: list[str] = []
        assert evaluate(tiny_library, FACTS[:1], out=tmp_path, say=told.append).about["resumed"] == 0
        assert told == [f"{file} is damaged, so the run starts anew."]


def test_what_another_engine_says_is_not_taken_for_ours(tiny_library: Library, tmp_path: Path):
    def ask(library: Any, question: str, **more: Any) -> Any:
        raise ValueError

    with pytest.raises(KeyboardInterrupt):
        evaluate(tiny_library, FACTS, out=tmp_path, ask=ask, progress=stop_after(2))
    assert unfinished(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_asked(tiny_library: Library, tmp_path: Path):
    (tmp_path / "file").write_text("")
    seen: list[int] = []
    with pytest.raises(RecapError, match="Choose another folder with --out"):
        evaluate(tiny_library, FACTS, out=tmp_path / "file", progress=lambda done, _: seen.append(done))
    assert seen == []


def test_stopped_by_hand_the_command_says_how_to_go_on_and_does(
    tiny_library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    rows = [{"id": f.id, "type": f.type, "question": f.question} for f in FACTS if f.type == "unanswerable"]
    (tmp_path / "facts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = [str(tmp_path / "facts.jsonl"), "--library", str(tiny_library.path), "--llm", "none"]
    words += ["--out", str(tmp_path / "out"), "--seed", "1"]
    judged, before = [], run_module._result

    def result(fact: Fact, **more: Any) -> Any:
        if judged:
            raise KeyboardInterrupt
        judged.append(fact.id)
        return before(fact, **more)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_result", result)
        assert main(words) == 2
    said = capsys.readouterr()
    assert f"After 1 of 2 facts. To go on, run the same command with --out {tmp_path / 'out'}." in said.err
    assert "Traceback" not in said.err
    assert main(words) == 0
    said = capsys.readouterr()
    assert "Went on: 1 of 2 facts had been asked before." in said.err
    assert "/2 facts right" in said.out
    assert main([*words, "--jobs", "2"]) == 0
    assert "2 were asked at a time: do not compare these latencies" in capsys.readouterr().out


def test_what_was_kept_may_nest_without_end(tmp_path: Path) -> None:
    (tmp_path / PARTIAL).write_text("[" * 100_000 + "\n")
    assert unfinished(tmp_path) is None
