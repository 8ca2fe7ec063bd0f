"""Drafts of facts: what patterns read out of coverage of our own, what of a model's words is kept, and who decides."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from eval.__main__ import main
from eval.draft import Draft, decide, draft_facts, draft_with_model, find_article
from eval.facts import FactsError, check_facts, load_facts, parse_fact
from rag.answer.prompt import Message
from rag.config import Config
from rag.errors import LLMUnavailable
from rag.ingest.pipeline import ingest
from rag.store.library import Library
from tests.loopback_llm import LoopbackLLM
from tests.small_coverage import small_library


@pytest.fixture(scope="module")
def coverage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with small_library(tmp_path_factory.mktemp("draft")) as library:
        yield library


def drafted(library: Library, name: str, n: int = 50) -> tuple[Draft, ...]:
    article = find_article(library, name)
    others = [a for a in library.articles() if a.id != article.id]
    return draft_facts(article, chunks=library.chunks(article.id), others=others, n=n)


def said(rows: Sequence[Draft]) -> dict[str, list[Any]]:
    return {r["question"]: r["answers"] for r in rows if "answers" in r}


def test_patterns_read_what_sentences_and_captions_say(coverage: Library):
    found = said(drafted(coverage, "lantern-2024.txt"))
    at = "at the 2024 Lantern Music Awards"
    assert found["Who hosted the 2024 Lantern Music Awards?"] == ["Ines Calder"]
    assert found["Where did the 2024 Lantern Music Awards take place?"] == ["the Harbour Hall", "Harbour Hall"]
    assert "May 5, 2024" in found["When did the 2024 Lantern Music Awards take place?"]
    assert found[f"Who won Song of the Year {at}?"] == ["Ana Lima"]
    assert found[f"What did Ana Lima win Song of the Year for {at}?"] == ["Paper Boats"]
    assert found[f"Who won Best New Artist {at}?"] == ["Kim Oduya"]
    assert found[f"Who presented Best New Artist to Kim Oduya {at}?"] == ["Jo Berg"]
    assert found['Who said "I wrote this one in a laundry room with no heating"?'] == ["Tilda Noor"]
    assert found["Who is Petra Voss' husband?"] == ["Anton Reik"]
    assert found[f"Who was photographed with Jo Berg {at}?"] == ["Kim Oduya"]
    assert found[f"Who took the photo of Jo Berg and Kim Oduya {at}?"] == ["Theo Park"]


def test_what_is_denied_or_only_hoped_for_is_not_drafted(coverage: Library):
    found = said([*drafted(coverage, "lantern-2024.txt"), *drafted(coverage, "lantern-2023.txt")])
    assert not any(a == ["Lou Marsh"] for a in found.values()), "he did not win"
    assert not any("Album of the Year" in q for q in found), (
        "one lost it, and one is said to have won it only in an aside"
    )


def test_a_match_has_its_winner_its_score_and_its_crowd(coverage: Library):
    found = said(drafted(coverage, "match.txt"))
    assert found["Who beat Westerby United?"] == ["Alder Rovers"]
    assert found["What was the score when Alder Rovers beat Westerby United?"][0] == "3-1"
    assert found["How big was the crowd at Quay Park?"] == ["18,400"]
    assert {r.get("as_of") for r in drafted(coverage, "match.txt") if "answers" in r} == {"2024-06-02"}, (
        "day of the report"
    )


GALA = """Harbour City Gala Raises $2.4 Million for Sea Rescue

October 18, 2025

HARBOUR CITY - Mira Sandoval hosted the gala on Friday night at the Old Customs House, and she kept 640 guests laughing.

The evening raised $2.4 million for the Coastal Rescue Trust, more than twice what last year's dinner brought in.

The jazz singer Ilse Brandt performed "Low Tide" with her trio before the auction. In May the town raised £96,000 for a new pier.

The highest bid came from shipbuilder Henrik Aas, who paid $85,000 for a week on a lighthouse island.

- The keynote was given by Priya Raman, the chief executive of Oakline, and it lasted two hours.

- Best in Show went to Studio Pell for its paper-thin piano.

Engineer Sunita Pawar designed the quieter wheels that made it possible. Walter Broom founded the Hedge Press in 1974.

Colin Fry did not present the medal, and Pia Lund would have opened the bar. Gus Okafor gave it to her.
"""


def test_what_a_sentence_says_of_its_own_subject_is_drafted_without_a_known_event(tmp_path: Path):
    (tmp_path / "gala.txt").write_text(GALA)
    config = Config(library=tmp_path / "library", llm="none")
    with Library.open(config, create=True) as writer:
        assert not ingest(writer, [str(tmp_path / "gala.txt")]).rejected
        found = said(drafted(writer, "gala.txt"))
    assert found["Who hosted the gala?"] == ["Mira Sandoval"]
    assert found["How much did the evening raise for the Coastal Rescue Trust?"] == ["$2.4 million"]
    assert found["How much did the town raise for a new pier?"] == ["£96,000"], "the month is no doubt"
    assert found['Who performed "Low Tide"?'] == ["Ilse Brandt"]
    assert found["Who paid $85,000 for a week on a lighthouse island?"] == ["Henrik Aas"]
    assert found["Who was the keynote given by?"] == ["Priya Raman"]
    assert found["Who is the chief executive of Oakline?"] == ["Priya Raman"]
    assert found["Who won Best in Show?"] == ["Studio Pell"]
    assert found["Who designed the quieter wheels?"] == ["Sunita Pawar"]
    assert found["Who founded the Hedge Press in 1974?"] == ["Walter Broom"]
    assert not {"Colin Fry", "Pia Lund", "Gus Okafor"} & {a for answers in found.values() for a in answers}


def test_drafts_pass_the_check_and_quote_the_article(coverage: Library, tmp_path: Path):
    rows = [
        r
        for name in ("lantern-2024.txt", "lantern-2023.txt", "tidewater-2024.txt", "match.txt")
        for r in drafted(coverage, name)
    ]
    path = tmp_path / "drafts.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    facts = load_facts([path])
    assert len(facts) == len(rows) > 20
    assert check_facts(facts, coverage.articles(), chunks=coverage.chunks) == []
    assert all(r["note"].startswith("draft: ") for r in rows)


def test_twins_ask_what_the_coverage_does_not_say(coverage: Library):
    rows = drafted(coverage, "lantern-2024.txt")
    of = {r["id"]: r for r in rows}
    twins = [r for r in rows if "twin" in r]
    assert {t["type"] for t in twins} == {"wrong_edition", "unanswerable"}
    for t in twins:
        true = of[t["twin"]]
        assert "answers" in true
        assert rows.index(true) < rows.index(t)
        if t["type"] == "wrong_edition":
            assert t["question"] == true["question"].replace("2024", "2021")
            assert t["must_not"] == true["answers"]
    assert not any("2023" in t["question"] for t in twins), "the library has an article of that edition"


def test_n_counts_the_twins_and_drafts_keep_their_ids(coverage: Library):
    for n in (1, 2, 3, 6, 9):
        assert len(drafted(coverage, "lantern-2024.txt", n)) == n
    ids = {r["question"]: r["id"] for r in drafted(coverage, "lantern-2024.txt")}
    assert all(ids[r["question"]] == r["id"] for r in drafted(coverage, "lantern-2024.txt", 6) if r["question"] in ids)


def test_a_picture_question_counts_everybody_whom_the_coverage_shows_with_the_person(coverage: Library):
    found = said(drafted(coverage, "lantern-2024.txt"))
    assert not any("with Ana Lima" in q and a == ["Vera Holm"] for q, a in found.items())
    assert all(len(a) == 1 for q, a in found.items() if "photographed" in q)


def test_an_article_is_found_by_its_name_or_words_of_its_headline(coverage: Library):
    assert find_article(coverage, "match.txt").title.startswith("Alder Rovers Beat")
    assert find_article(coverage, "westerby final rovers").source.endswith("/match.txt")
    assert find_article(coverage, "missed lantern").source.endswith("/lantern-2024.txt"), "of copies the longest"
    with pytest.raises(FactsError, match=r"names \d articles. Give the id of one:\n  [0-9a-f]+  "):
        find_article(coverage, "lantern awards")
    with pytest.raises(FactsError, match="no article elephants in the library"):
        find_article(coverage, "elephants")


# --- a language model ---------------------------------------------------------------------------------------------------


class Says:
    """A model that says this, piece by piece, and then fails if it is to."""

    name = "test:model"
    context_tokens = 8_000

    def __init__(self, *rows: object, fails: bool = False) -> None:
        self.text = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows)
        self.fails = fails
        self.asked: list[tuple[Message, ...]] = []

    def stream(self, messages: Sequence[Message], *, deadline: float) -> Iterator[str]:
        self.asked.append(tuple(messages))
        yield from self.text if len(self.asked) == 1 else ""
        if self.fails:
            raise LLMUnavailable("It went away.")


GOOD = {"question": "Who scored twice for Alder Rovers?", "answers": ["Luca Ferrand"], "quote": "Striker Luca Ferrand scored twice in the first half"}  # fmt: skip


def by_model(library: Library, *rows: object, **more: Any) -> tuple[list[Draft], int, Says]:
    article, model = find_article(library, "match.txt"), Says(*rows, **more)
    found = draft_with_model(article, model, chunks=library.chunks(article.id))
    return [r for r in found.rows if "answers" in r], found.dropped, model


def test_a_models_draft_counts_when_quote_and_answer_stand(coverage: Library):
    rows, dropped, model = by_model(
        coverage,
        "Here you are:",
        GOOD,
        GOOD | {"question": "Who made it up?", "quote": "Luca Ferrand scored three times"},
        GOOD | {"question": "Who was the coach?", "answers": ["Olga Brandt"]},
        GOOD | {"question": "Did Luca Ferrand score?"},
        GOOD | {"question": "Who?", "answers": []},
        GOOD | {"question": ["Who?"]},
        '{"question": broken',
        "[1, 2]",
    )
    [row] = rows
    assert (row["type"], row["answers"]) == ("fact", ["Luca Ferrand"])
    assert row["evidence"] == [{"doc": "match.txt", "quote": GOOD["quote"]}]
    assert row["note"].startswith("draft: by test:model")
    assert dropped == 6
    assert parse_fact(row)[0] is not None
    assert "Westerby defender Karl Munk" in model.asked[0][1].content


def test_aliases_that_the_quote_does_not_hold_go(coverage: Library):
    rows, _, _ = by_model(coverage, GOOD | {"answers": ["Luca Ferrand", "The Fox", "Ferrand"]})
    assert rows[0]["answers"] == ["Luca Ferrand", "Ferrand"]


def test_a_reply_that_is_cut_off_counts_as_far_as_it_goes(coverage: Library):
    rows, dropped, _ = by_model(coverage, GOOD, '{"question": "Who was s', fails=True)
    assert [r["question"] for r in rows] == [GOOD["question"]]
    assert dropped == 1
    with pytest.raises(LLMUnavailable):
        by_model(coverage, fails=True)


# --- a person -------------------------------------------------------------------------------------------------------------


def person(*lines: str) -> Any:
    waiting = iter(lines)
    return lambda prompt: next(waiting, None)


def test_a_person_accepts_edits_skips_and_stops(coverage: Library):
    rows = [r for r in drafted(coverage, "lantern-2024.txt") if "twin" not in r]
    shown: list[str] = []
    kept = decide(
        rows, ask=person("a", "e", "Who was it?", "Ann / Ann Lee; Bob", "s", "x", "a", "q"), show=shown.append
    )
    assert [r["question"] for r in kept] == [rows[0]["question"], "Who was it?", rows[3]["question"]]
    assert (kept[1]["type"], kept[1]["answers"]) == ("multi", [["Ann", "Ann Lee"], ["Bob"]])
    assert rows[0]["question"] in shown[0]
    assert decide(rows, ask=person(), show=shown.append) == [], "nobody answers"


def test_the_twin_of_a_skipped_draft_is_not_asked_about(coverage: Library):
    rows = drafted(coverage, "lantern-2024.txt")
    twin = next(r for r in rows if "twin" in r)
    pair = [next(r for r in rows if r["id"] == twin["twin"]), twin]
    assert decide(pair, ask=person("s", "a"), show=lambda _: None) == []
    assert decide(pair, ask=person("a", "a"), show=lambda _: None)[1]["id"] == twin["id"]


# --- the command ----------------------------------------------------------------------------------------------------------


def test_new_prints_drafts_or_adds_those_that_a_file_lacks(
    coverage: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["new", "match.txt", "--library", str(coverage.config.library), "--llm", "none"]
    assert main(words) == 0
    told = capsys.readouterr()
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert rows
    assert f"{len(rows)} drafts by pattern from 'Alder Rovers Beat" in told.err
    out = tmp_path / "facts.jsonl"
    for written in (len(rows), 0):
        assert main([*words, "--out", str(out), "--yes"]) == 0
        assert f"{written} of {len(rows)} drafts written" in capsys.readouterr().err
    assert len(load_facts([out])) == len(rows)
    assert main([*words, "--out", str(tmp_path / "facts.csv")]) == 2
    assert main(["new", "elephants", "--library", str(coverage.config.library)]) == 2


def test_new_asks_on_a_terminal(coverage: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("s\na\nq\n"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["new", "match.txt", "--library", str(coverage.config.library), "--llm", "none"]) == 0
    told = capsys.readouterr()
    [row] = [json.loads(line) for line in told.out.splitlines()]
    assert row["note"].endswith("Accepted.")
    assert told.err.count("[a]ccept, [e]dit, [s]kip, [q]uit: ") == 3


def test_new_reads_a_file_that_no_library_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from tests.small_coverage import MATCH

    monkeypatch.chdir(tmp_path)
    (tmp_path / "piece.txt").write_text(MATCH, encoding="utf-8")
    assert main(["new", "piece.txt", "--llm", "none"]) == 0
    assert '"doc": "piece.txt"' in capsys.readouterr().out
    assert not (tmp_path / ".recap").exists()


def test_new_lets_a_configured_model_draft_and_says_what_it_dropped(
    coverage: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    words = ["new", "match.txt", "--library", str(coverage.config.library), "--llm", "openai-like:tiny"]
    with LoopbackLLM("ok", json.dumps(GOOD) + "\n" + json.dumps(GOOD | {"quote": "not there at all"})) as server:
        monkeypatch.setenv("RECAP_LLM_BASE_URL", server.base_url)
        assert main(words) == 0
    told = capsys.readouterr()
    assert json.loads(told.out.splitlines()[0])["question"] == GOOD["question"]
    assert "1 draft by openai-like:tiny" in told.err
    assert "; 1 dropped, which it does not bear out." in told.err
    assert main(words) == 0, "the server is gone: the patterns draft"
    told = capsys.readouterr()
    assert "Drafted by pattern instead." in told.err
    assert "Who beat Westerby United" in told.out
