"""Ingest, really killed: what was acknowledged stays, nothing is half there, and the next run ends in the same library."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from rag.config import Config
from rag.ingest.pipeline import article_id
from rag.store.library import FILE, Library
from tests.conftest import CountingEmbedder, write_articles
from tests.test_pipeline import consistent, content

ROOT = Path(__file__).parents[1]
KILLS = 24

# Loads everything once and forks a process for each run, so that a kill costs no import. Small batches: a kill falls
# between and inside of many.
DRIVER = """
import os, sys
from pathlib import Path
from rag.config import Config
from rag.ingest import pipeline
from rag.store.library import Library
from tests.conftest import CountingEmbedder
import chromadb, datasketch, filelock
pipeline._BATCH_ARTICLES = 4
for line in sys.stdin:
    folder, *commands = line.rstrip("\\n").split("\\t")
    if not (pid := os.fork()):
        with Library.open(Config(library=Path(folder), llm="none"), create=True, embedder=CountingEmbedder()) as library:
            for command in commands:
                if command.startswith("-"):
                    pipeline.remove(library, [command[1:]])
                else:
                    pipeline.ingest(library, [command])
        os._exit(0)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


class Driver:
    """Runs ingest in processes of its own, to their end or until they are killed."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def run(self, library: Path, *commands: str, kill_after: float | None = None) -> bool:
        """Run `commands` on a library; tell whether they came to their end before `kill -9`, `kill_after` seconds on."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\t".join([str(library), *commands]) + "\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        status = int(self.process.stdout.readline())
        assert status in (0, signal.SIGKILL)
        return status == 0

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.close()


def stories(seed: int) -> dict[str, str]:
    """Forty pieces: some dated copies of others, some long, some with items."""
    rng = random.Random(seed)
    words = "boat lamp quay crate net sail tide rope crew salt gull mast oar buoy reef bell pier hull knot wind".split()
    out: dict[str, str] = {}
    for n in range(32):
        body = " ".join(
            f"The {rng.choice(words)} of {rng.choice(words)} {rng.randrange(1000)} met the {rng.choice(words)}."
            for _ in range(rng.choice([8, 20, 60]))
        )
        out[f"{n:02d}.txt"] = f"Story {n} of the Port Alder Harbour\n\n{body}"
    for n in range(8):
        out[f"copy{n}.txt"] = f"date 2023-05-{n + 10} " + out[f"{n:02d}.txt"].split("\n\n", 1)[1]
    return out


def open_library(folder: Path) -> Library:
    return Library.open(Config(library=folder, llm="none"), create=True, embedder=CountingEmbedder())


def check(library: Library) -> None:
    consistent(library)
    rows: Any = library.rows("SELECT id, text, vector FROM chunks")
    assert rows
    for r in rows[:: max(1, len(rows) // 40)]:
        words = [w for w in r["text"].replace(".", "").lower().split() if w.isdigit()][:8]
        if words:
            assert r["id"] in dict(library.search_text(words, limit=len(rows)))


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_killing_ingest_anywhere_changes_nothing_about_where_it_ends(tmp_path: Path, driver: Driver) -> None:
    folder = write_articles(tmp_path / "articles", stories(1))
    dropped = article_id((folder / "copy1.txt").resolve().as_uri())
    commands = (str(folder), f"-{dropped}")

    reference = tmp_path / "undisturbed"
    assert driver.run(tmp_path / "warm", *commands)
    began = time.monotonic()
    assert driver.run(reference, *commands)
    length = time.monotonic() - began
    with open_library(reference) as library:
        check(library)
        whole = content(library)

    rng = random.Random(2)
    disturbed = tmp_path / "disturbed"
    acknowledged: set[str] = set()
    killed = runs = 0
    while killed < KILLS:
        runs += 1
        assert runs < 4 * KILLS
        killed += not driver.run(disturbed, *commands, kill_after=rng.uniform(0, 1.02) * length)
        if (disturbed / FILE).exists():
            with Library.open(Config(library=disturbed, llm="none"), embedder=CountingEmbedder()) as reader:
                articles = reader.articles()
                for a in articles:  # whole or not at all
                    chunks = reader.chunks(a.id)
                    assert all(a.text[c.start : c.end] == c.text for c in chunks)
                    covered = {n for c in chunks for n in range(c.start, c.end)}
                    assert all(n in covered for n, letter in enumerate(a.text) if not letter.isspace())
                assert acknowledged - {dropped} <= {a.id for a in articles}  # none lost
                acknowledged = {a.id for a in articles}
        if rng.random() < 0.4:  # from nothing again, so that not only the last steps are cut short
            shutil.rmtree(disturbed, ignore_errors=True)
            acknowledged = set()
    assert driver.run(disturbed, *commands)
    with open_library(disturbed) as library:
        assert content(library) == whole
        check(library)

    edited = {k: v.replace("boat", "ship") for k, v in stories(1).items() if sum(map(ord, k)) % 3 == 0}
    write_articles(folder, edited)
    assert driver.run(reference, str(folder))
    for share in (0.1, 0.25, 0.4, 0.55):
        driver.run(disturbed, str(folder), kill_after=share * length)
    assert driver.run(disturbed, str(folder))
    with open_library(reference) as library, open_library(disturbed) as other:
        assert content(other) == content(library) != whole
        check(other)
