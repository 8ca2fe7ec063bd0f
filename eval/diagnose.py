"""Say where a wrong answer was lost: on the way from the library to the words, or because it should have been declined.

What it does not know: how a question is put (run.py), how a diagnosis is shown (report.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from eval import metrics
from eval.facts import ANSWERABLE, TYPES

if TYPE_CHECKING:
    from eval.run import Result

Stage = Literal[
    "misread question",
    "not in the library",
    "not retrieved",
    "ranked out",
    "abstained wrongly",
    "read wrongly",
    "wrong edition",
    "verified away",
    "not shown",
    "not cited",
    "answered the unanswerable",
    "said what must not be said",
    "error",
    "not traced",
]
STAGES: tuple[Stage, ...] = get_args(Stage)  # in the order in which they are shown
MEANING: dict[str, str] = {
    "misread question": "the follow-up was understood as another question: the same, standing alone, is answered right",
    "not in the library": "no article of the library says it",
    "not retrieved": "the gold passage is not among the candidates of the search",
    "ranked out": "the gold passage is a candidate, but below what is read",
    "abstained wrongly": "the gold passage was read, and the question declined",
    "read wrongly": "the gold passage was read, and something else was answered",
    "wrong edition": "the answer is about another event, or another edition of it",
    "verified away": "the language model had said it, and the check of its sentences took it out",
    "not shown": "the bare answer says it, the sentence that is shown does not",
    "not cited": "the right words, without a citation",
    "answered the unanswerable": "neither declined nor set right",
    "said what must not be said": "the answer holds words that make it wrong",
    "error": "the question raised an error",
    "not traced": "the fact names no evidence, or the run kept no trace of it",
}
_GENERIC = {"award", "awards", "annual", "of"}  # in the names of many events
_MARK = re.compile(r"\s*\[\d+\]")
_NOT_HELD, _NOT_FOUND, _NOT_READ, _READ = range(4)  # how far the evidence came


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Where an answer was lost, and the same for this one answer in words."""

    stage: Stage
    why: str


def diagnose(r: Result) -> Diagnosis | None:
    """Find the first step at which a result was lost; None when it is right.

    Several pieces of evidence for one answer are alternatives: the one that came furthest counts. Of several answers, the
    one that was lost first does. Before a change of the reader is blamed, the gold passage must have been read.
    """
    if r.right:
        return None
    if r.error:
        return Diagnosis("error", r.error)
    if r.type not in ANSWERABLE:
        return _should_have_declined(r)
    text = _MARK.sub("", r.answer)
    lacking = [g for g in r.gold if r.abstained or metrics.missing(text, [g])]
    said = metrics.said_of(text, r.must_not)
    if not lacking:
        if said:
            return Diagnosis("said what must not be said", f"It says the answer, and {_listed(said)} too.")
        return Diagnosis("not cited", "It says the answer, and cites nothing.")
    if r.type == "followup" and r.scores.get("standalone_right") and (unlike := _unlike(r)):
        why = f"Understood as “{r.standalone_question}”, {unlike}; “{r.standalone}” is answered right."
        return Diagnosis("misread question", why)
    if not r.evidence or len(r.found) != len(r.evidence):
        return Diagnosis(
            "not traced", "The fact names no evidence." if not r.evidence else "The run kept no trace of it."
        )
    step, piece = min(
        (max((_step(r.found[n]), -n) for n in _pieces(r, group)) for group in lacking), key=lambda at: at[0]
    )
    return _lost(r, step, -piece, lacking)


def _should_have_declined(r: Result) -> Diagnosis:
    text = _MARK.sub("", r.answer)
    said = metrics.said_of(text, r.must_not)
    if not r.abstained and _elsewhere(r):
        return Diagnosis("wrong edition", f"It answers from {_cited(r)}, which the question does not ask about.")
    if said:
        return Diagnosis("said what must not be said", f"It says {_listed(said)}.")
    if r.type == "unanswerable":
        return Diagnosis("answered the unanswerable", f"The coverage does not say; the answer rests on {_cited(r)}.")
    right = f" nor says {_listed(r.correction, 'or')}" if r.correction else ""
    return Diagnosis("answered the unanswerable", f"The question supposes what is not so; it neither declines{right}.")


def _elsewhere(r: Result) -> bool:
    """Tell whether the answer is about an event, or an edition of it, that the fact's own words do not name.

    A trap is also when it cites one such among others, or nothing that has an edition.
    """
    asked = f"{r.question} {r.standalone or ''}"
    foreign = [
        not metrics.contains(asked, c["edition"]) or not _event_words(c) & set(metrics.words(asked))
        for c in r.citations
        if c.get("edition")
    ]
    if r.type == "wrong_edition":
        return not foreign or any(foreign)
    return bool(foreign) and all(foreign) and bool(re.search(r"\d", asked))


def _event_words(citation: Mapping[str, Any]) -> set[str]:
    return set(metrics.words(f"{citation['event']} {citation['edition_of']}")) - _GENERIC - {citation["edition"]}


def _unlike(r: Result) -> str:
    """How the question was understood otherwise than it is meant: the names and figures that differ; "" when none do.

    The rest may differ: that it is asked in other words is no misreading.
    """
    meant, understood = r.standalone or "", r.standalone_question
    lost = [n for n in _names(meant) if n not in metrics.words(understood)]
    added = [n for n in _names(understood) if n not in metrics.words(meant)]
    parts = [f"without “{' '.join(lost)}”"] * bool(lost) + [f"with “{' '.join(added)}”"] * bool(added)
    return " and ".join(parts)


def _names(question: str) -> list[str]:
    """The words of a question that are written as names or hold a digit; the first word is a name only with a digit."""
    tokens = question.split()
    named = [w for n, w in enumerate(tokens) if re.search(r"\d", w) or (n and w.lstrip("\"“‘'(")[:1].isupper())]
    return [w for w in metrics.words(" ".join(named)) if len(w) > 1]


def _pieces(r: Result, group: Sequence[str]) -> list[int]:
    """The pieces of evidence for one answer: those whose quote says it, else all."""
    saying = [n for n, e in enumerate(r.evidence) if not metrics.missing(e["quote"], [group])]
    return saying or list(range(len(r.evidence)))


def _step(found: Mapping[str, Any]) -> int:
    if not found["held"]:
        return _NOT_HELD
    return _READ if found["read"] else _NOT_FOUND if found["rank"] is None else _NOT_READ


def _lost(r: Result, step: int, piece: int, lacking: Sequence[Sequence[str]]) -> Diagnosis:
    doc, found = r.evidence[piece]["doc"], r.found[piece]
    words = _listed([g[0] for g in lacking])
    drafted = r.draft is not None and not metrics.missing(r.draft, lacking)
    all_the_same = " The language model had said it all the same." if drafted and step < _READ else ""
    if step == _NOT_HELD:
        why = f"{doc} does not hold the quote" if found["document"] else f"There is no {doc}"
        return Diagnosis("not in the library", f"{why}, nor does another article.{all_the_same}")
    if step == _NOT_FOUND:
        return Diagnosis(
            "not retrieved", f"The passage of {doc} is not among {found['candidates']} candidates.{all_the_same}"
        )
    if step == _NOT_READ:
        why = f"The passage of {doc} is candidate {found['rank']}; what answered was given {found['given']}.{all_the_same}"
        return Diagnosis("ranked out", why)
    if drafted and found["drafted"]:
        return Diagnosis("verified away", f"The language model had said {words}; what is shown does not.")
    if r.short and not r.abstained and not metrics.missing(r.short, lacking):
        return Diagnosis("not shown", f"The bare answer is “{r.short}”; the sentence leaves {words} out.")
    if r.abstained:
        return Diagnosis("abstained wrongly", f"The passage of {doc} was read ({_place(found)}).")
    if r.scores.get("other_edition") or _another(r, found):
        return Diagnosis("wrong edition", f"The passage of {doc} was read; the answer is from {_cited(r)}.")
    instead = f"; the answer is “{r.short}”" if r.short else ""
    if len(lacking) < len(r.gold):
        instead += f", which leaves {words} out"
    return Diagnosis("read wrongly", f"The passage of {doc} was read ({_place(found)}){instead}.")


def _place(found: Mapping[str, Any]) -> str:
    return f"candidate {found['rank']}, number {found['place']} of {found['given']} that were read"


def _another(r: Result, found: Mapping[str, Any]) -> bool:
    """Tell whether the question names the edition that the evidence is about, and all that is cited is about others."""
    about = [e for e in found.get("about", ()) if metrics.contains(f"{r.question} {r.standalone or ''}", e.split()[0])]
    cited = [c.get("event") for c in r.citations]
    return bool(about) and bool(cited) and all(e and e not in found["about"] for e in cited)


def _listed(words: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _cited(r: Result) -> str:
    titles = dict.fromkeys(str(c.get("edition_of") or c["title"]) for c in r.citations)
    return _listed([f"“{t}”" for t in titles]) or "nothing that is cited"


def count(results: Sequence[Result]) -> dict[str, Any]:
    """Count the wrong answers: `{"n", "stages": {stage: n}, "by_type": {type: {stage: n}}}`, none left out but zeros."""
    lost = [(r.type, d["stage"]) for r in results if not r.right and (d := r.diagnosis)]

    def counted(stages: Sequence[str]) -> dict[str, int]:
        times = Counter(stages)
        return {s: times[s] for s in STAGES if times[s]}

    by_type = {t: counted([s for of, s in lost if of == t]) for t in TYPES}
    return {
        "n": len(lost),
        "stages": counted([s for _, s in lost]),
        "by_type": {t: c for t, c in by_type.items() if c},
    }
