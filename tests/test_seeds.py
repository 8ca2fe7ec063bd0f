"""The sample coverage and its facts.

Its shapes are the awkward ones of published pieces, its copy is a true near-copy, and every fact can be checked in it.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

SEEDS = Path(__file__).resolve().parent.parent / "seeds"
GALLERY, LISTICLE, COPY, RECAP = (
    "vmas-2024-backstage.txt",
    "vmas-2023-moments.txt",
    "vmas-2023-moments-copy.txt",
    "grammys-2024-backstage.txt",
)
CREDIT = re.compile(r"^(?P<who>.*?)(?P<gap>\s*)Photo:(?P<space>\s*)(?P<credit>.*?)(?P<tail>\s*)$", re.M)
ITEM = re.compile(r"^(\d+)\. (.+)$", re.M)
COPY_ITEM = re.compile(r"^(\d+)\.\n(.+?)(?=^\d+\.$|\Z)", re.M | re.S)


def raw(name: str) -> str:
    return (SEEDS / name).read_text(encoding="utf-8")


def fold(text: str) -> str:
    """Decode entities and make every run of white space one space."""
    return " ".join(html.unescape(text).split())


def shingles(text: str, n: int = 5) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", fold(text).lower())
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def test_gallery_captions_are_glued_to_their_credits_in_every_way():
    captions = list(CREDIT.finditer(raw(GALLERY)))
    assert len(captions) == 71
    assert {m["credit"] for m in captions} == {"Getty Images", "Rachel Kaplan for iHeartRadio"}
    assert {m["gap"] for m in captions} == {"", " "}
    assert {(m["credit"][0], m["space"]) for m in captions} == {("G", " "), ("R", " "), ("R", "")}
    assert {m["tail"] for m in captions if m["credit"] == "Getty Images"} == {"", " "}
    who = [m["who"] for m in captions]
    assert who.count("Quavo") == 3
    assert who.count("Taylor Swift and Post Malone") == 2
    assert "Grant Gibbs & Ashley Gill" in who
    assert not raw(GALLERY).startswith(("#", "\n"))
    assert len(raw(GALLERY).split("\n", 1)[0]) > 150, "there is no headline: the first line is the first paragraph"


def test_listicle_has_an_item_then_its_caption_then_its_agency():
    text = raw(LISTICLE)
    items = list(ITEM.finditer(text))
    assert [int(m[1]) for m in items] == list(range(1, 20))
    for m in items:
        blank, caption, agency, *_ = text[m.end() + 1 :].split("\n")
        assert blank == ""
        assert caption
        assert re.fullmatch(r"[A-Z]\w+ [A-Z]\w+ / .*(Getty Images|FilmMagic).*", agency), (m[1], agency)
    assert text.count("&#x27;") == 4
    assert "by Marlow Finch\n\nEncore Ledger Staff\n" in text
    tied = [int(m[1]) for m in items if m[2].startswith("...")]
    assert tied == [11, 15]
    assert all(items[n - 2][2].endswith("...") for n in tied), "an item that goes on starts where the last broke off"


def test_copy_starts_with_its_date_and_lacks_title_items_captions_and_some_line_ends():
    text = raw(COPY)
    assert text.startswith(" date 2023-09-14 If you skipped it, the 2023 MTV\nVideo Music Awards")
    assert date(2023, 9, 14).strftime("%A") == "Thursday", "so its Tuesday night is 12 September"
    assert [int(n) for n, _ in COPY_ITEM.findall(text)] == [n for n in range(1, 20) if n not in (2, 15)]
    assert sum("\n" in body.strip() for _, body in COPY_ITEM.findall(text)) == 5
    assert not re.search("Getty|FilmMagic|Marlow Finch|Encore Ledger", text)


def test_copy_says_nothing_but_what_the_listicle_says():
    original = {int(n): fold(t) for n, t in ITEM.findall(raw(LISTICLE))}
    for n, body in COPY_ITEM.findall(raw(COPY)):
        assert fold(body) == original[int(n)]
    a, b = shingles(raw(LISTICLE)), shingles(raw(COPY))
    assert len(a & b) / len(b) > 0.8, "nearly all of the copy is in the listicle"
    assert 0.3 < len(a & b) / len(a | b) < 0.8, "but the captions are not in the copy"


@pytest.mark.parametrize("other", [GALLERY, RECAP])
def test_no_other_piece_is_a_copy(other: str):
    a, b = shingles(raw(LISTICLE)), shingles(raw(other))
    assert len(a & b) / len(a | b) < 0.05


@pytest.mark.parametrize(
    ("quote", "speaker"),
    [
        ("my life was beautiful yesterday", "Record of the Year"),
        ("everyone in this world is spectacular", "Record of the Year"),
        ("I might’ve forgotten underwear", "Cyrus"),
        ("even by your own metrics", "Jay-Z"),
        ("When I get nervous, I tell the truth.”", "Jay-Z"),
    ],
)
def test_recap_quotes_stand_with_what_tells_their_speaker(quote: str, speaker: str):
    (paragraph,) = [p for p in raw(RECAP).split("\n") if quote in p]
    assert speaker in paragraph


def test_recap_has_a_headline_and_calls_people_by_nickname():
    headline, body = raw(RECAP).split("\n", 1)
    assert "2024 Grammys" in headline
    assert len(headline) < 100
    for nickname in ('"Karma" singer', '"Diet Mountain Dew" star', '"Single Ladies" singer', "Queen Bey"):
        assert nickname in body


FACTS: list[dict[str, Any]] = [json.loads(line) for line in raw("facts.jsonl").splitlines()]
BY_ID = {f["id"]: f for f in FACTS}
TUESDAY_NIGHT = "2023-09-12"
ANSWERED = ("fact", "multi", "temporal", "followup")


def plain(text: str) -> str:
    """Fold, drop accents and curly quotes, lower."""
    text = unicodedata.normalize("NFKD", fold(text)).translate(str.maketrans("“”’", '""\''))
    return "".join(c for c in text if not unicodedata.combining(c)).lower()


def passages(name: str) -> list[str]:
    """What a quote must lie within: a line or, in the gallery, a caption or its credit; the copy is unwrapped."""
    text = raw(name)
    if name == COPY:
        text = re.sub(r"(?<![:.])\n(?!\d+\.\n)", " ", text)
    return [fold(line) for line in CREDIT.sub(r"\g<who>\n\g<credit>", text).split("\n")]


def aliases(fact: dict[str, Any]) -> list[list[str]]:
    """The groups of which an answer must hold one alias each."""
    return fact["answers"] if fact["type"] == "multi" else [fact["answers"]]


def test_facts_are_many_of_every_type_and_split_evenly():
    count = Counter(f["type"] for f in FACTS)
    least = {"fact": 100, "multi": 15, "temporal": 12, "followup": 15}
    least |= {"unanswerable": 25, "wrong_edition": 12, "false_premise": 12}
    assert set(count) == set(least)
    assert {kind: n for kind, n in least.items() if count[kind] < n} == {}
    for kind, n in count.items():
        dev = sum(f["type"] == kind and f["split"] == "dev" for f in FACTS)
        assert abs(2 * dev - n) <= 2, (kind, dev, n)
    assert 20 <= sum(f.get("pinned", False) for f in FACTS) <= 40
    assert {f["type"] for f in FACTS if f.get("pinned")} == set(count), "the gate knows every type"


def test_fact_ids_are_unique_and_no_question_is_asked_twice():
    assert len(BY_ID) == len(FACTS)
    asked = Counter((f["question"].lower(), f.get("as_of"), str(f["history"])) for f in FACTS)
    assert asked.most_common(1)[0][1] == 1


def test_a_cluster_is_in_one_split_so_that_nothing_leaks():
    splits = defaultdict(set)
    for f in FACTS:
        splits[f["cluster"]].add(f["split"])
    assert all(len(s) == 1 for s in splits.values())
    assert {s for group in splits.values() for s in group} == {"dev", "test"}


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f["id"])
def test_fact_can_be_checked(fact: dict[str, Any]):
    for e in fact["evidence"]:
        assert e["quote"] == fold(e["quote"])
        assert any(e["quote"] in p for p in passages(e["doc"])), (e["doc"], e["quote"])
    quoted = plain(" ".join(e["quote"] for e in fact["evidence"]))
    for bad in fact["must_not"]:
        assert plain(bad) not in plain(fact["question"]), "a refusal that repeats the question would fail"
        assert plain(bad) not in quoted, "an answer that quotes its evidence would fail"
    if fact["type"] not in ANSWERED:
        assert fact["answers"] == []
        assert bool(fact["evidence"]) == (fact["type"] == "false_premise")
        return
    assert fact["evidence"]
    text = plain(" ".join(raw(e["doc"]) for e in fact["evidence"]))
    for group in aliases(fact):
        assert isinstance(group, list)
        assert min(map(len, group)) > 2 or group[0] == "19", "a longer word or number would hold so short an alias"
        worked_out = TUESDAY_NIGHT in group  # printed nowhere: the copy's date and "Tuesday night" give it
        assert worked_out or any(plain(a) in text for a in group), (group, "is not in the coverage")


TRAPS = ("wrong_edition", "false_premise")


@pytest.mark.parametrize("fact", [f for f in FACTS if f["type"] in TRAPS], ids=lambda f: f["id"])
def test_twin_is_the_same_thing_asked_rightly(fact: dict[str, Any]):
    twin = BY_ID[fact["twin"]]
    assert twin["type"] in ANSWERED
    assert twin["cluster"].split("-")[0] == fact["cluster"].split("-")[0], "the twin is about the same piece"
    if fact["type"] == "wrong_edition":
        says = plain(str(twin["answers"]))
        assert any(plain(bad) in says for bad in fact["must_not"]), "the wrong answer is the other edition's"
    else:
        quote = plain(" ".join(e["quote"] for e in fact["evidence"]))
        assert any(plain(right) in quote for right in fact["correction"]), "the evidence holds the correction"


def test_what_must_not_be_answered_has_a_twin_that_must():
    guarded = [f for f in FACTS if f["type"] in (*TRAPS, "unanswerable")]
    assert all(BY_ID[f["twin"]]["type"] in ANSWERED for f in guarded)


def test_followups_cannot_stand_alone_and_their_history_alternates():
    for f in FACTS:
        roles = [turn["role"] for turn in f["history"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2), f["id"]
        if f["type"] == "followup":
            assert roles
            assert f["standalone"] != f["question"], f["id"]


def test_gallery_and_listicle_are_asked_about_throughout():
    asked = {fold(e["quote"]) for f in FACTS for e in f["evidence"] if e["doc"] == LISTICLE}
    for number, item in ITEM.findall(raw(LISTICLE)):
        assert any(q in fold(item) or fold(item).startswith(q) for q in asked), f"nothing is asked about item {number}"
    pairs = [m["who"] for m in CREDIT.finditer(raw(GALLERY)) if re.search(r" and | & ", m["who"])]
    captions = {fold(e["quote"]) for f in FACTS for e in f["evidence"] if e["doc"] == GALLERY}
    missing = {who for who in pairs if fold(who) not in captions}
    assert missing <= {"Nicky Rothschild and Paris Hilton", "Paris Hilton and Nicky Rothschild"}, missing
