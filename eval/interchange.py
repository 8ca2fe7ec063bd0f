"""`recap eval export RUN --format NAME`: a run, or facts, in the files that other evaluation tools read. Pure but for `read`.

- `ragas`: JSON lines of a RAGAS evaluation dataset, a single-turn sample each: user_input, reference, reference_contexts and,
  of a run, retrieved_contexts and response. Source: ragas/dataset_schema.py, SingleTurnSample, EvaluationDataset.from_jsonl.
- `promptfoo`: a list of test cases (YAML, or JSON where the file is named so) for `tests: file://...`: description, vars,
  assert, metadata. Only assertions that need neither JavaScript nor a model: icontains-any, not-icontains, not-regex.
  Source: promptfoo.dev/docs/configuration/test-cases and .../expected-outputs/deterministic.
- `squad`: of a run the predictions, {id: answer}, "" where it was declined; of facts the SQuAD 2.0 dataset to judge them by,
  a paragraph of quotes for each. Source: Rajpurkar et al. 2018, evaluate-v2.0.py (`preds`, `dataset`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eval.facts import ANSWERABLE, ENDINGS, load_facts
from eval.run import Result, told
from rag.errors import RecapError

FORMATS = ("ragas", "promptfoo", "squad")
# How Recap, and most models, say that they do not know: promptfoo has no notion of it.
DECLINES = (
    "doesn’t say", "doesn't say", "does not say", "don’t know", "don't know", "do not know", "no information", "cannot answer",
    "can’t answer", "can't answer", "not covered", "not mentioned", "insufficient information", "unable to answer",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fact, with what was answered where it was asked (else `answer` is None). `gold`: groups of aliases."""

    id: str
    type: str
    question: str
    standalone: str
    as_of: str | None
    history: tuple[tuple[str, str], ...]
    gold: tuple[tuple[str, ...], ...]
    must_not: tuple[str, ...]
    correction: tuple[str, ...]
    quotes: tuple[tuple[str, str], ...]
    answer: str | None = None
    short: str = ""
    declined: bool = False
    passages: tuple[str, ...] = ()

    @property
    def answerable(self) -> bool:
        """Whether the coverage says it."""
        return self.type in ANSWERABLE

    @property
    def golds(self) -> tuple[str, ...]:
        """Bare answers: the aliases of the one answer, or the first of each joined; without one, none."""
        return self.gold[0] if len(self.gold) == 1 else ((", ".join(g[0] for g in self.gold),) if self.gold else ())


def read(path: Path) -> list[Case]:
    """Read a run (its folder, or its run.jsonl) or a file of facts. Raises: RecapError."""
    if path.is_dir() or path.name == "run.jsonl":
        from eval.report import load

        return [_case(r) for r in load(path).results]
    if path.suffix.lower() not in ENDINGS:
        raise RecapError(f"{path} is neither a run nor facts. Name a folder that --out wrote, or a file of facts.")
    return [_case(Result(**told(f), right=False), asked=False) for f in load_facts([path])]


def _case(r: Result, *, asked: bool = True) -> Case:
    case = Case(
        id=r.id,
        type=r.type,
        question=r.question,
        standalone=r.standalone or r.question,
        as_of=r.as_of,
        history=tuple((t["role"], t["content"]) for t in r.history),
        gold=tuple(map(tuple, r.gold)),
        must_not=tuple(r.must_not),
        correction=tuple(r.correction),
        quotes=tuple((e["doc"], e["quote"]) for e in r.evidence),
    )
    if not asked:
        return case
    passages = tuple(h["text"] for h in r.hits)
    return replace(case, answer=r.answer, short=r.short or "", declined=r.abstained, passages=passages)


def write(cases: Sequence[Case], name: str, *, as_json: bool = False) -> str:
    """Return the cases as the text of a file in the format `name`; promptfoo's is YAML unless `as_json`."""
    if name == "ragas":
        return "".join(json.dumps(ragas(c), ensure_ascii=False) + "\n" for c in cases)
    if name == "squad":
        asked = any(c.answer is not None for c in cases)
        return (
            json.dumps(squad_predictions(cases) if asked else squad_dataset(cases), ensure_ascii=False, indent=1) + "\n"
        )
    if name != "promptfoo":
        raise RecapError(f"There is no format {name!r}. Use one of {', '.join(FORMATS)}.")
    tests = [promptfoo(c) for c in cases]
    if as_json:
        return json.dumps(tests, ensure_ascii=False, indent=1) + "\n"
    import yaml

    return str(yaml.safe_dump(tests, allow_unicode=True, sort_keys=False, width=120))


# --- the formats ------------------------------------------------------------------------------------------------------


def ragas(c: Case) -> dict[str, Any]:
    """A single-turn sample. A follow-up is asked as it would stand alone: the format knows one turn."""
    sample: dict[str, Any] = {"user_input": c.standalone}
    if c.answer is not None:
        sample |= {"retrieved_contexts": list(c.passages), "response": c.answer}
    return sample | {"reference": _reference(c), "reference_contexts": [q for _, q in c.quotes]}


def _reference(c: Case) -> str:
    if c.gold:
        return "; ".join(group[0] for group in c.gold)
    return "; ".join(c.correction) or "The coverage does not say."


def promptfoo(c: Case) -> dict[str, Any]:
    """A test case. `vars` are texts (a list would make a test of each item): question, as_of, history (JSON)."""
    given = {"question": c.question, "as_of": c.as_of or ""}
    if c.history:
        given["history"] = json.dumps([{"role": r, "content": t} for r, t in c.history], ensure_ascii=False)
    wanted = [list(g) for g in c.gold] if c.answerable else [[*c.correction, *DECLINES]]
    checks: list[dict[str, Any]] = [
        {"type": "icontains-any", "value": [_literal(a) for a in group]} for group in wanted
    ]
    return {
        "description": f"{c.id}: {c.question}",
        "vars": {k: _literal(v) for k, v in given.items()},
        "assert": [*checks, *(_never(bad, [a for group in wanted for a in group]) for bad in c.must_not)],
        "metadata": {"id": c.id, "type": c.type},
    }


def _never(bad: str, right: Sequence[str]) -> dict[str, str]:
    """What must not be said: as letters anywhere; as whole words where a right answer has the letters in another word."""
    if any(bad.lower() in a.lower() for a in right):
        return {"type": "not-regex", "value": _literal(rf"(?<!\w){re.escape(bad)}(?!\w)")}
    return {"type": "not-icontains", "value": _literal(bad)}


def _literal(text: str) -> str:
    """Keep promptfoo from filling in a template (Nunjucks), or opening a file, where a text only looks like one."""
    if "{{" in text or "{%" in text or "{#" in text or text.startswith("file://"):
        return f"{{% raw %}}{text}{{% endraw %}}"
    return text


def squad_predictions(cases: Sequence[Case]) -> dict[str, str]:
    """The bare answer of each, "" where it was declined: what evaluate-v2.0.py (and 1.1) takes."""
    return {c.id: "" if c.declined else c.short or c.answer or "" for c in cases}


def squad_dataset(cases: Sequence[Case]) -> dict[str, Any]:
    """A SQuAD 2.0 dataset. `answer_start` is -1 where the quotes have it in other words; the script does not read it."""
    data = []
    for c in cases:
        context = "\n".join(q for _, q in c.quotes)
        answers = [{"text": g, "answer_start": context.find(g)} for g in c.golds] if c.answerable else []
        asked = {"id": c.id, "question": c.standalone, "answers": answers, "is_impossible": not answers}
        title = c.quotes[0][0] if c.quotes else c.id
        data.append({"title": title, "paragraphs": [{"context": context, "qas": [asked]}]})
    return {"version": "v2.0", "data": data}
