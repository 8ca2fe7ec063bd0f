"""Ten thousand articles by the real embedder: what `recap ingest` needs of memory, from the first to the last."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from tests.torture import Row
from tests.torture.engine import ROOT, missing

ARTICLES = int(os.environ.get("RECAP_TORTURE_ARTICLES", "10000"))  # fewer while this is worked on
WORDS = 400  # of an article
RSS_MB = 1_500.0  # 10^6 bytes
LIMIT_S = 3_600.0  # twenty minutes where nothing else runs
VOCABULARY = 20_000

_ONSETS = "b br d dr f fl g gl h k kl l m n p pr r s st t tr v w z".split()
_VOWELS = "a e i o u ai ea ou".split()
_CODAS = ["", "", "n", "r", "l", "s", "nd", "rt", "m"]
_SMALL = (
    "the a of and in to on at with for by from was were had has will that this after before its their her his".split()
)
_KINDS = ("Lantern Music Awards", "Harvest Cup", "Tidewater Film Awards", "Harbour Summit", "Salt Road Race")


@cache
def vocabulary() -> tuple[str, ...]:
    """Return invented words, the same every time."""
    chance = random.Random(0)
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        parts = (
            chance.choice(_ONSETS) + chance.choice(_VOWELS) + chance.choice(_CODAS)
            for _ in range(chance.choice((1, 2, 2)))
        )
        words["".join(parts)] = None
    return tuple(words)


def article(n: int) -> dict[str, object]:
    """Write article `n`: its title, its day, its people, an event for two in three, and some 400 words of which no two
    articles have the same."""
    chance, words = random.Random(n), vocabulary()
    common = int(len(words) ** 0.5)  # half of all words are among the first few: what repeats in any language
    people = [" ".join(w.title() for w in chance.sample(words, 2)) for _ in range(4)]
    day = date(2005, 1, 1) + timedelta(days=chance.randrange(7_000))
    event = (
        f"The {day.year} {chance.choice(_KINDS)}"
        if n % 3
        else f"The {chance.choice(words).title()} {chance.choice(words)}"
    )
    said: list[str] = []
    count = 0
    while count < WORDS:
        size = chance.randint(8, 22)
        row = [
            chance.choice(_SMALL) if k % 4 else words[chance.randrange(common if chance.random() < 0.5 else len(words))]
            for k in range(size)
        ]
        row[0] = chance.choice((chance.choice(people), event)) if chance.random() < 0.5 else row[0].capitalize()
        if chance.random() < 0.2:
            row.append(str(chance.randint(2, 9_000)))
        count += size
        said.append(" ".join(row) + (".\n\n" if chance.random() < 0.2 else ". "))
    title = f"{event}: {' '.join(chance.sample(words, 4)).title()}"
    return {
        "url": f"https://news.example/{n}", "title": title, "text": "".join(said).strip(), "authors": people[:1],
        "published": day.isoformat(),
    }  # fmt: skip


def articles(n: int) -> Iterator[str]:
    """Write n articles as JSONL."""
    return (json.dumps(article(i)) + "\n" for i in range(n))


def case(n: int, given: None, folder: Path) -> dict[str, float]:
    """Ingest them all in a process of its own, which the system asks for the most memory that it ever had."""
    from rag.config import Config
    from rag.store.library import Library

    source, library = folder / "articles.jsonl", folder / "library"
    with source.open("w", encoding="utf-8") as f:
        f.writelines(articles(ARTICLES))
    began = time.monotonic()
    command = [sys.executable, "-m", "rag", "ingest", "--json", "--library", str(library), str(source)]
    env = {k: v for k, v in os.environ.items() if not k.startswith("RECAP_") or k == "RECAP_CACHE"} | {
        "RECAP_LLM": "none"
    }
    with (folder / "report").open("wb") as report:
        child = subprocess.Popen(command, cwd=ROOT, env=env, stdout=report)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - began
    assert child.returncode == 0, f"recap ingest ended with {child.returncode}"
    said = json.loads((folder / "report").read_text(encoding="utf-8"))
    assert len(said["added"]) == ARTICLES, f"{len(said['added'])} of {ARTICLES} came in"
    assert len(said["merged"]) <= ARTICLES // 100, f"{len(said['merged'])} were taken for copies"
    with Library.open(Config(library=library, llm="none")) as opened:
        counts = opened.counts()
    assert counts["articles"] == ARTICLES
    mb = usage.ru_maxrss * 1024 / 1e6
    assert mb <= RSS_MB, f"it had {mb:.0f} MB"
    return {"rss_mb": round(mb), "articles": ARTICLES, "chunks": counts["chunks"], "seconds": round(took, 1)}


ROW = Row(
    name="memory",
    fault="10,000 articles of 400 words, by the real embedder",
    required="at most 1.5 GB",
    quick=0,
    full=1,
    case=case,
    limit_s=LIMIT_S,
    missing=missing,
)
