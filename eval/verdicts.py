"""`recap eval verdicts [FILE]`: how well the checker of cited sentences knows what a passage says, on labelled pairs.

A pair is a passage and a sentence, labelled supported or not; what is not is wrong in a name, a number, an edition, a speaker,
a negation, or invented. A verdict of "supported" counts as yes, "partial" and "unsupported" as no. The pairs that ship are
written on Recap's own training articles: 200 ("dev") that the checker was tuned on, and 200 ("test") that it was not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.answer.cite import Alike, Reads, check_sentence, read_sources
from rag.errors import RecapError
from rag.types import Article, Chunk, Event, Hit

if TYPE_CHECKING:
    from rag.types import Verdict

PAIRS = Path(__file__).parent / "data" / "verdicts.jsonl"


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and the passage that it cites; `asked` is the event that the question was about, if that is known."""

    id: str
    kind: str
    split: str
    hit: Hit
    sentence: str
    supported: bool
    asked: Event | None


def load_pairs(file: Path = PAIRS) -> list[Pair]:
    """Read labelled pairs. Raises: RecapError."""
    out = []
    try:
        for line in file.read_text(encoding="utf-8").split("\n"):
            if line.strip():
                out.append(_pair(json.loads(line)))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as e:
        raise RecapError(f"{file} holds no labelled pairs ({type(e).__name__}: {e}).") from e
    if not out:
        raise RecapError(f"{file} is empty.")
    return out


def _pair(row: dict[str, Any]) -> Pair:
    text, title = row["passage"], row["title"]
    published = date.fromisoformat(row["published"]) if row.get("published") else None
    event = None
    if told := row.get("event"):
        start = date.fromisoformat(told["start"]) if told.get("start") else None
        event = Event(key=told["key"], name=told["name"], edition=told.get("edition"), start=start)
    article = Article(
        id=row["id"], source=row["id"], title=title, text=text, published=published, outlet=row.get("outlet"),
        events=(event,) if event else (),
    )  # fmt: skip
    chunk = Chunk(f"{row['id']}-0", row["id"], 0, len(text), text)
    asked = (
        Event(key=event.key, name=event.name, edition=row["asked_edition"])
        if event and row.get("asked_edition")
        else None
    )
    hit = Hit(rank=1, score=1.0, chunk=chunk, article=article)
    return Pair(row["id"], row["kind"], row["split"], hit, row["sentence"], row["label"] == "supported", asked)


def judged(pairs: Sequence[Pair], *, alike: Alike | None = None, reads: Reads | None = None) -> list[Verdict]:
    """Check every pair."""
    return [
        check_sentence(
            f"{p.sentence} [1]", sources=read_sources([p.hit]), event=p.asked, alike=alike, reads=reads
        ).verdict
        for p in pairs
    ]


def figures(pairs: Sequence[Pair], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Precision and recall of "supported" and of "not supported", and the share judged right of each kind."""
    yes = [v == "supported" for v in verdicts]
    both = sum(y and p.supported for y, p in zip(yes, pairs, strict=True))
    neither = sum(not y and not p.supported for y, p in zip(yes, pairs, strict=True))
    right: Counter[str] = Counter(p.kind for y, p in zip(yes, pairs, strict=True) if y == p.supported)
    of = Counter(p.kind for p in pairs)
    true = sum(p.supported for p in pairs)
    return {
        "pairs": len(pairs),
        "supported": {"precision": both / max(1, sum(yes)), "recall": both / max(1, true)},
        "not supported": {
            "precision": neither / max(1, len(yes) - sum(yes)),
            "recall": neither / max(1, len(pairs) - true),
        },
        "right": {kind: [right[kind], n] for kind, n in of.items()},
    }


def markdown(found: dict[str, Any]) -> str:
    """Lay the figures out."""
    rows = [
        f"| {name} | {100 * found[name]['precision']:.1f} | {100 * found[name]['recall']:.1f} |"
        for name in ("supported", "not supported")
    ]
    kinds = [f"| {kind} | {right} of {n} |" for kind, (right, n) in found["right"].items()]
    return "\n".join(
        [
            f"{found['pairs']} pairs",
            "",
            "| verdict | precision | recall |",
            "|---|---|---|",
            *rows,
            "",
            "| kind | judged right |",
            "|---|---|",
            *kinds,
        ]
    )
