"""`recap eval rgb PATH`: RGB, what noise, missing answers, scattered answers and false passages do to an answer.

PATH is a file, or a folder with some of en.json, en_refine.json, en_int.json, en_fact.json (zh_* alike). JSON lines:
id, query, answer, positive, negative (passages that answer and that do not). `answer` is a text or a list; of its items
each must be said, an item that is a list by any alias of it. In *_int `positive` is a list of lists, one for each part of the
answer; *_fact has positive_wrong (the passages made false) and fakeanswer too.

For each noise ratio five passages are drawn as the authors' script draws them (its seed, its order), and asked about alone.
Source: Chen et al. 2024, Benchmarking Large Language Models in Retrieval-Augmented Generation (AAAI; arXiv 2309.01431);
github.com/chen700564/RGB, evalue.py.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from eval.benchmarks import (
    Row,
    Said,
    asked,
    by_group,
    closing,
    fill,
    groups_table,
    list_of,
    put,
    rows,
    summed_up,
    text_of,
    write,
)
from rag.config import Config
from rag.errors import RecapError
from rag.ingest.pipeline import article_id
from rag.store.library import Library

Kind = Literal["noise", "integration", "counterfactual"]
NOISE: dict[Kind, tuple[float, ...]] = {
    "noise": (0, 0.2, 0.4, 0.6, 0.8, 1), "integration": (0, 0.2, 0.4), "counterfactual": (0,),
}  # fmt: skip
FILES = ("en.json", "en_refine.json", "en_int.json", "en_fact.json", "zh.json", "zh_refine.json", "zh_int.json", "zh_fact.json")  # fmt: skip
PASSAGES = 5
SEED = 2333  # the authors' script's
TITLE = "Document"  # without one a passage of one line would be taken for a headline, and a headline answers nothing
_HEADS = {
    "right": "right",
    "declined": "declined",
    "false answer": "gives the false answer",
    "detected": "tells of an error",
}
_DETECTED = re.compile(r"factual error|inconsisten|contradict|disagree|事实性错误", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """A question with its passages. `answers`: all must be said, by any alias each. `wrong`: the passages made false."""

    id: str
    kind: Kind
    query: str
    answers: tuple[tuple[str, ...], ...]
    positive: tuple[tuple[str, ...], ...]
    negative: tuple[str, ...]
    wrong: tuple[str, ...] = ()
    false: str = ""


def load(path: Path, *, limit: int | None = None) -> dict[str, list[Item]]:
    """Read the questions of a file, or of each known file of a folder: name -> the first `limit`. Raises: RecapError."""
    files = [path] if path.is_file() else [path / n for n in FILES if (path / n).is_file()]
    if not files and (path / "data").is_dir():
        return load(path / "data", limit=limit)
    if not files:
        raise RecapError(
            f"There is none of {', '.join(FILES[:4])} at {path}. Name a file of RGB, or the folder with them."
        )
    found = {f.stem: list(_items(f, limit)) for f in files}
    if empty := [n for n, items in found.items() if not items]:
        raise RecapError(f"{empty[0]} of {path} holds no questions. Get it again.")
    return found


def _items(file: Path, limit: int | None) -> Iterator[Item]:
    for n, (where, row) in enumerate(rows(file)):
        if n == limit:
            return
        positive = list_of(row, "positive", where)
        nested = any(isinstance(p, list) for p in positive)
        wrong = tuple(map(str, list_of(row, "positive_wrong", where)))
        yield Item(
            id=f"{file.stem}/{row.get('id', n)}",
            kind="counterfactual" if wrong else "integration" if nested else "noise",
            query=text_of(row, "query", where),
            answers=_answers(row.get("answer"), where),
            positive=tuple(tuple(map(str, p)) if isinstance(p, list) else (str(p),) for p in positive),
            negative=tuple(map(str, list_of(row, "negative", where))),
            wrong=wrong,
            false=str(row.get("fakeanswer") or ""),
        )


def _answers(value: Any, where: str) -> tuple[tuple[str, ...], ...]:
    groups = tuple(tuple(map(str, g)) if isinstance(g, list) else (str(g),) for g in (value if isinstance(value, list) else [value]))  # fmt: skip
    if not value or not all(groups):
        raise RecapError(f'{where} has no "answer". Name a file that the authors of RGB publish.')
    return groups


def draw(item: Item, noise: float, *, n: int = PASSAGES, seed: int = SEED) -> list[str]:
    """Draw `n` passages of which the share `noise` does not answer; fewer where there are fewer. As evalue.py does."""
    rng = random.Random(seed)  # noqa: S311
    bad = math.ceil(n * noise)
    good = n - bad
    if item.kind == "integration":
        docs = _one_of_each(item, good, rng)
        docs += item.negative[: max(0, n - len(docs))]
    elif item.kind == "counterfactual":
        at = rng.sample(range(len(item.wrong)), min(len(item.wrong), good))
        docs = [item.wrong[i] for i in at] + list(item.negative[:bad])
    else:
        if noise < 1 and bad > len(item.negative):
            bad, good = len(item.negative), n - len(item.negative)
        elif noise < 1 and good > len(item.positive):
            good, bad = len(item.positive), n - len(item.positive)
        docs = [p[0] for p in item.positive[:good]] + list(item.negative[:bad])
    rng.shuffle(docs)
    return docs


def _one_of_each(item: Item, good: int, rng: random.Random) -> list[str]:
    """One passage of each part of the answer, then seconds, thirds, until there are `good`."""
    parts = [list(p) for p in item.positive]
    for p in parts:
        rng.shuffle(p)
    docs = [p[0] for p in parts if p]
    for i in range(1, max(map(len, parts), default=0)):
        for p in parts:
            if len(docs) < good and len(p) > i:
                docs.append(p[i])
    return docs


def run(path: Path, *, config: Config, out: Path, limit: int | None = None) -> Row:
    """Ingest the passages, ask within each draw, score, write the reports to `out`; return the summary. Raises: RecapError."""
    files = load(path, limit=limit)
    todo = [(name, i, noise, draw(i, noise)) for name, items in files.items() for i in items for noise in NOISE[i.kind]]
    passages = dict.fromkeys(d for *_, docs in todo for d in docs if any(c.isalnum() for c in d))
    ingested = fill(config, ({"url": _url(p), "title": TITLE, "text": p} for p in passages))

    def record(library: Library, one: tuple[str, Item, float, list[str]]) -> Row:
        name, item, noise, docs = one
        said = put(library, item.query, within={article_id(_url(d)) for d in docs})
        told: Row = {
            "id": item.id,
            "file": name,
            "kind": item.kind,
            "noise": noise,
            "group": f"{name}, noise {noise:g}",
        }
        told |= {"question": item.query, "gold": [list(g) for g in item.answers]}
        return told | said.row() | judged(item, said, noise)

    records = asked(config, todo, record)
    summary = summed_up(records, ingested) | {"groups": by_group(records, tuple(_HEADS), "group")}
    summary["groups"].pop("all")  # a mean over noise ratios says nothing
    summary["corrected"] = _corrected(records)
    write(out, "rgb", summary, records, markdown(summary))
    return summary


def _url(passage: str) -> str:
    return f"https://rgb.invalid/{hashlib.sha256(passage.encode('utf-8', 'backslashreplace')).hexdigest()[:24]}"


def judged(item: Item, said: Said, noise: float) -> dict[str, float | None]:
    """Judge by the authors' rules: every answer is in the text (any alias, case apart); with nothing but noise it is declined.

    `false answer` and `detected` (the answer, or a note to it, tells that passages are wrong) are of false passages only.
    """
    text = f"{said.text}\n{said.short}".lower()
    holds = not said.declined and all(any(a.lower() in text for a in group) for group in item.answers)
    told = "\n".join((said.text, *said.notes))
    false = item.kind == "counterfactual"
    return {
        "right": float(said.declined if noise == 1 else holds),
        "declined": float(said.declined),
        "false answer": float(bool(item.false) and not said.declined and item.false.lower() in text) if false else None,
        "detected": float(bool(_DETECTED.search(told))) if false else None,
    }


def _corrected(records: Sequence[Row]) -> float | None:
    """The share of the detected errors whose answer is right all the same; None when none was detected."""
    told = [r["right"] for r in records if r["detected"]]
    return sum(told) / len(told) if told else None


def markdown(summary: Row) -> str:
    """Lay the figures out beside those of the paper."""
    corrected = summary["corrected"]
    return "\n".join(
        [
            "# RGB", "", closing(summary), "", groups_table(summary["groups"], _HEADS, "Passages"), "",
            "Right: the answer holds every gold (by letters, case apart); with noise 1, where no passage answers, it is declined. "
            f"Of the errors told of, right all the same: {'-' if corrected is None else f'{100 * corrected:.1f}%'}. "
            "Recap says what its passages say: it cannot know better than a false one.", "",
            "The test beds are those of Chen et al. 2024, arXiv 2309.01431.",
        ]
    )  # fmt: skip
