"""Every language says everything: the same blanks to fill in, nothing left in English, set as its readers expect."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from string import Formatter

import pytest

from ui.render import day
from ui.strings import EN, FR, LANGUAGES, Strings

ENGLISH_COVERAGE = {"templates", "person_templates", "template_any"}  # questions put to articles in English
COMMANDS = {"empty_command", "runs_command"}
# words that French spells as English does
SAME = {
    "title", "article_one", "article_many", "sources", "source", "how_headline", "how_score", "talks", "talk", "l_page",
    "l_sum_copy_many", "run_code", "run_col_type", "type_temporal", "x_articles",
}  # fmt: skip
ENGLISH = set(
    "the of and is are was not this that it with no from to by at has have been who what which your for".split()
)
THIN, HARD = "\u202f", "\u00a0"


def said(s: Strings) -> Iterator[tuple[str, str]]:
    """Yield (name, words) of every string: a dict's as FIELD.KEY, a tuple's as FIELD.INDEX."""
    for f in dataclasses.fields(s):
        value = getattr(s, f.name)
        if isinstance(value, str):
            yield f.name, value
        else:
            entries = value.items() if isinstance(value, dict) else enumerate(value)
            yield from ((f"{f.name}.{k}", words) for k, words in entries)


def french() -> Iterator[tuple[str, str]]:
    for name, words in said(FR):
        if name.partition(".")[0] not in ENGLISH_COVERAGE | COMMANDS:
            yield name, words


def blanks(words: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(words) if name is not None)


@pytest.mark.parametrize("s", LANGUAGES.values(), ids=LANGUAGES)
def test_a_language_fills_the_same_blanks_as_english(s: Strings) -> None:
    ours, theirs = dict(said(s)), dict(said(EN))
    assert ours.keys() == theirs.keys()
    wrong = {name: (ours[name], theirs[name]) for name in ours if blanks(ours[name]) != blanks(theirs[name])}
    assert wrong == {}


@pytest.mark.parametrize("s", LANGUAGES.values(), ids=LANGUAGES)
def test_nothing_is_empty_or_has_spaces_at_its_ends(s: Strings) -> None:
    bare = {"run_or", "thousands"}  # stand between two words, or within a number
    assert [name for name, words in said(s) if not words] == []
    assert [name for name, words in said(s) if words != words.strip() and name not in bare] == []


@pytest.mark.parametrize("s", LANGUAGES.values(), ids=LANGUAGES)
def test_a_year_has_twelve_months_and_every_language_goes_by_its_own_code(s: Strings) -> None:
    assert len(set(s.months)) == 12
    assert LANGUAGES[s.lang] is s
    assert len({each.language_name for each in LANGUAGES.values()}) == len(LANGUAGES)


@pytest.mark.parametrize("s", LANGUAGES.values(), ids=LANGUAGES)
def test_no_two_months_look_alike_on_the_chart_of_runs(s: Strings) -> None:
    assert len({s.runs_day.format(day=1, month=m) for m in s.months}) == 12


def test_nothing_is_left_in_english_but_what_is_known_to_be_the_same() -> None:
    english = dict(said(EN))
    left = {
        name
        for name, words in french()
        if words == english[name] and re.search(r"[^\W\d_]", re.sub(r"\{[^}]*\}", "", words))
    }
    assert left == SAME


def test_the_questions_put_to_english_coverage_and_the_commands_stay_as_they_are() -> None:
    for name in ENGLISH_COVERAGE | COMMANDS:
        assert getattr(FR, name) == getattr(EN, name)


def test_no_english_word_stands_in_a_french_sentence() -> None:
    found = {
        name: ENGLISH & set(re.findall(r"[^\W\d_]+", re.sub(r"\{[^}]*\}", "", words).lower()))
        for name, words in french()
    }
    assert {name: words for name, words in found.items() if words} == {}


def test_french_elides_with_the_apostrophe_of_print() -> None:
    lost = re.compile(r"(?i)\b(?:[ldjnsct]|qu|jusqu|lorsqu|puisqu|quelqu)\s+[aeiouyhàâéèêîôûœ]")
    straight = [name for name, words in french() if "'" in words]
    bare = [name for name, words in french() if lost.search(words)]
    assert (straight, bare) == ([], [])


def test_french_keeps_its_spaces_before_punctuation_and_inside_guillemets() -> None:
    for name, words in french():
        prose = re.sub(r"https?://|\{host\}:\{port\}|user:\w+|\{\w+:[^}]*\}", "", words)
        assert not re.search(rf"[^{THIN}][;?!]", prose), name
        assert not re.search(rf"[^{HARD}]:", prose), name
        assert not re.search(rf"«[^{HARD}]|[^{HARD}]»", prose), name
        assert "“" not in prose, name
        assert not re.search(r"[}\d] (?:s|ms|Mo|%|h)(?!\w)", prose), name


def test_french_options_and_commands_are_the_english_ones() -> None:
    def typed(s: Strings) -> dict[str, set[str]]:
        option = r"--[a-z-]+|RECAP_\w+(?:=\S+\w)?|python -m ui|recap (?:ingest|doctor|eval)|https?://\S*|127\.0\.0\.1|\w+\.html"
        return {name: set(re.findall(option, words)) for name, words in said(s)}

    assert typed(FR) == typed(EN)


def test_a_french_date_is_written_in_lower_case_the_day_first() -> None:
    assert day("2024-08-11", FR) == "11 août 2024"
    assert FR.runs_when.format(date=day("2024-02-29", FR), time=FR.runs_clock.format(hour=9, minute=5)) == (
        f"29 février 2024 à 9{HARD}h{HARD}05"
    )
