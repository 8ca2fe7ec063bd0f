"""A library written without a pause: articles added, edited and removed, round after round, until it is told to stop.

`python -m eval.churn LIBRARY` is the other process of `python -m eval.soak --ingest`. Its articles are invented; each round
opens the library as `recap ingest` does and closes it again. A line of JSON a round: how many were added, edited and removed
by then. On SIGTERM it takes its articles out and ends.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from rag.config import Config
from rag.ingest.pipeline import ingest, remove
from rag.store.embed import load_embedder
from rag.store.library import Library

KEPT = 30  # articles of ours that stand in the library at a time
_STEM = (
    "Bra",
    "Cor",
    "Del",
    "Fen",
    "Gri",
    "Hal",
    "Jor",
    "Kel",
    "Lun",
    "Mor",
    "Nor",
    "Pel",
    "Quin",
    "Ros",
    "Sta",
    "Tor",
)
_END = ("ben", "dane", "fell", "gate", "ham", "lock", "mere", "nes", "rick", "sund", "ton", "vale", "wick", "yard")
_DID = (
    "opened",
    "closed",
    "played at",
    "spoke at",
    "left",
    "praised",
    "paid for",
    "arrived late at",
    "sang at",
    "filmed",
)
_WHAT = ("the regatta", "the winter market", "the poetry night", "the lamp parade", "the boat race", "the quay concert")
_HOW = ("in heavy rain", "before a full hall", "with both sisters", "for the third time", "without a ticket", "at noon")


def main(argv: Sequence[str] | None = None) -> int:
    """Write until SIGTERM or SIGINT comes; exit status 0."""
    parser = argparse.ArgumentParser(prog="python -m eval.churn", description="Write a library without a pause.")
    parser.add_argument("library", type=Path)
    args = parser.parse_args(argv)
    over: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, _: over.append(number))
    config = Config(library=args.library, llm="none")
    embedder = load_embedder(config)
    done = {"added": 0, "edited": 0, "removed": 0}
    standing: list[Path] = []
    with tempfile.TemporaryDirectory(prefix="recap-churn-") as folder:
        for turn in range(sys.maxsize):
            rng = random.Random(turn)  # noqa: S311
            new = Path(folder) / f"{turn}.txt"
            new.write_text(article(turn), encoding="utf-8")
            standing.append(new)
            if len(standing) > 1:
                old = rng.choice(standing[:-1])
                old.write_text(edited(old.read_text(encoding="utf-8"), rng), encoding="utf-8")
            with Library.open(config, write=True, embedder=embedder) as library:
                report = ingest(library, [folder])
                done["added"] += len(report.added)
                done["edited"] += len(report.updated)
                gone = standing if over else standing[:-KEPT]
                done["removed"] += remove(library, [i for p in gone for i in library.find(p.resolve().as_uri())])
            for p in gone:
                p.unlink()
            standing = [p for p in standing if p.exists()]
            print(json.dumps(done), flush=True)
            if over:
                return 0
    return 0


def article(n: int) -> str:
    """Invent the `n`-th article: a headline, a byline, a day and 5 to 30 paragraphs of two sentences."""
    rng = random.Random(n + 1_000_003)  # noqa: S311
    day = date(2024, 1, 1) + timedelta(days=rng.randrange(360))
    head = f"{_name(rng)} {rng.choice(_DID)} {rng.choice(_WHAT)}\nBy {_name(rng)}\n{day:%B} {day.day}, {day.year}\n"
    return "\n".join([head, *(f"{_sentence(rng)} {_sentence(rng)}\n" for _ in range(rng.randint(5, 30)))])


def edited(text: str, rng: random.Random) -> str:
    """Put a new sentence into a paragraph, as a newsroom corrects a report."""
    parts = text.split("\n\n")
    at = rng.randrange(1, len(parts))
    parts[at] = f"{parts[at].rstrip()} {_sentence(rng)}\n"
    return "\n\n".join(parts)


def _sentence(rng: random.Random) -> str:
    return f"{_name(rng)} {rng.choice(_DID)} {rng.choice(_WHAT)} in {_place(rng)} {rng.choice(_HOW)}."


def _name(rng: random.Random) -> str:
    return f"{_place(rng)} {_place(rng)}"


def _place(rng: random.Random) -> str:
    return rng.choice(_STEM) + rng.choice(_END)


if __name__ == "__main__":
    sys.exit(main())
