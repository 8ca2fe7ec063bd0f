"""A library as a person uses it, in any order, against a plain dict: a state machine whose run n is always the same.

Files are written, edited, copied with a date, touched and deleted; ingested, removed, and ingested again; processes are
killed in the middle of it, at the k-th statement that changes something; the embedder fails; the library is opened again,
by several readers too, rebuilt, copied, and set to other chunks. After every step every open handle must hold exactly what
the dict says, byte for byte, findable by words and by vector.
"""

from __future__ import annotations

import atexit
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.torture import Row

ROOT = Path(__file__).parents[2]
STEPS = 40
FILES = 9  # at most: enough for pieces, copies and copies of copies
EDITS = 3  # sentences that are added to a piece before it is no copy of its own copies

# Loads everything once and forks a process for each run. The k-th statement that changes something is its last: `kill -9`, so nothing is
# rolled back, closed or flushed by anybody but the system.
_DRIVER = """
import json, os, signal, sqlite3, sys
from pathlib import Path
import chromadb, datasketch, filelock
from rag.config import Config
from rag.ingest import pipeline
from rag.store.library import Library
from tests.conftest import CountingEmbedder

def run(folder, tokens, k, commands):
    left, connect = [k], sqlite3.connect

    def count(statement):
        left[0] -= statement.startswith(("INSERT", "UPDATE", "DELETE", "BEGIN IMMEDIATE", "COMMIT"))
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(*args, **more):
        db = connect(*args, **more)
        db.set_trace_callback(count)
        return db

    sqlite3.connect = counted
    config = Config(library=Path(folder), llm="none", reader="rules", chunk_tokens=tokens)
    with Library.open(config, create=True, embedder=CountingEmbedder()) as library:
        for verb, what in commands:
            getattr(pipeline, verb)(library, what)

for line in sys.stdin:
    if not (pid := os.fork()):
        run(*json.loads(line))
        os._exit(0)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


@cache
def _driver() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )

    def end() -> None:
        if process.stdin is not None:
            process.stdin.close()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()

    atexit.register(end)
    return process


def killed_at(k: int, folder: Path, tokens: int, *commands: tuple[str, list[str]]) -> bool:
    """Run commands on a library in another process that is killed at its k-th changing statement; tell whether it was."""
    process = _driver()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([str(folder), tokens, k, commands]) + "\n")
    process.stdin.flush()
    status = int(process.stdout.readline())
    assert status in (0, signal.SIGKILL), f"the process that was to be killed ended with {status}"
    return status != 0


# --- the articles ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """What a file holds: the piece (its number makes its words), sentences added to it, and a copy's date (None: no copy)."""

    number: int
    edits: tuple[int, ...] = ()
    day: date | None = None

    @property
    def own_title(self) -> str | None:
        """The headline, which a copy has lost."""
        return None if self.day else "The Story of the " + " ".join(_word(self.number * 1000 + k) for k in range(3))

    @property
    def text(self) -> str:
        """What must be in the library."""
        body = [_sentences(self.number * 1000 + p * 100, 4) for p in range(2 + self.number % 3)]
        body += [_sentences(self.number * 100_000 + e * 100, 1) for e in self.edits]
        return "\n\n".join([*([self.own_title] if self.own_title else []), *body])

    @property
    def file(self) -> str:
        """What the file holds."""
        return f"date {self.day.isoformat()} {self.text}" if self.day else self.text


def _apart(found: dict[str, str], wanted: dict[str, str]) -> str:
    """Say where two libraries differ."""
    names = sorted(n for n in found | wanted if found.get(n) != wanted.get(n))
    return f"{names} differ: {found.get(names[0])!r} is there, {wanted.get(names[0])!r} should be"


def _word(seed: int) -> str:
    rng = random.Random(seed)
    return "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(4))


def _sentences(seed: int, n: int) -> str:
    return " ".join("The " + " ".join(_word(seed * 97 + s * 13 + k) for k in range(11)) + "." for s in range(n))


State = dict[str, Piece]  # file name -> what the library holds of it


# --- the machine -------------------------------------------------------------------------------------------------------

_which = st.integers(0, 10_000)
_some = st.lists(st.integers(0, FILES - 1), min_size=1, max_size=4, unique=True)


class Machine(RuleBasedStateMachine):
    """Does to a library whatever a person may do, and to `held`, a dict, what that means."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="recap-machine-"))
        self.articles = self.folder / "articles"
        self.articles.mkdir()
        self.files: State = {}
        self.held: State = {}
        self.pieces = 0
        self.tokens = 250
        self.refreshed = 250  # chunk_tokens that the articles in the library were cut by
        self.generation = 0
        self.readers: list[Any] = []
        self.writer = self.open(write=True)

    def open(self, folder: Path | None = None, *, write: bool = False, fail_after: int | None = None) -> Any:
        from rag.config import Config
        from rag.store.library import Library
        from tests.conftest import CountingEmbedder

        config = Config(library=folder or self.folder / "library", llm="none", reader="rules", chunk_tokens=self.tokens)
        return Library.open(config, write=write, create=write, embedder=CountingEmbedder(fail_after=fail_after))

    def teardown(self) -> None:
        for handle in [*self.readers, self.writer]:
            handle.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- files -----------------------------------------------------------------------------------------------------

    def write(self, name: str, piece: Piece) -> None:
        self.files[name] = piece
        (self.articles / name).write_text(piece.file, encoding="utf-8")

    def new_name(self, which: int) -> str | None:
        free = [n for n in (f"{k}.txt" for k in range(FILES)) if n not in self.files]
        return free[which % len(free)] if free else None

    @rule(which=_which, how_many=st.integers(1, 3))
    def a_new_file(self, which: int, how_many: int) -> None:
        for k in range(how_many):
            if name := self.new_name(which + k):
                self.pieces += 1
                self.write(name, Piece(self.pieces))

    @precondition(lambda self: self.files)
    @rule(which=_which, of=_which, days=st.integers(0, 700))
    def a_dated_copy(self, which: int, of: int, days: int) -> None:
        name = self.new_name(which)
        if name:
            original = self.files[sorted(self.files)[of % len(self.files)]]
            self.write(name, replace(original, day=date(2023, 1, 1) + timedelta(days=days)))

    @precondition(lambda self: self.files)
    @rule(which=_which, other=st.booleans())
    def an_edit(self, which: int, other: bool) -> None:
        name = sorted(self.files)[which % len(self.files)]
        piece = self.files[name]
        if other or len(piece.edits) >= EDITS:
            self.pieces += 1
            self.write(name, Piece(self.pieces, day=piece.day))
        else:
            self.write(name, replace(piece, edits=(*piece.edits, which % 7 + 10 * len(piece.edits))))

    @precondition(lambda self: self.files)
    @rule(which=_which)
    def a_touch(self, which: int) -> None:
        os.utime(self.articles / sorted(self.files)[which % len(self.files)], (which, which))

    @precondition(lambda self: self.files)
    @rule(which=_which)
    def a_file_is_deleted(self, which: int) -> None:
        name = sorted(self.files)[which % len(self.files)]
        del self.files[name]
        (self.articles / name).unlink()

    # -- the library -----------------------------------------------------------------------------------------------

    def chosen(self, some: list[int]) -> list[str]:
        return sorted({sorted(self.files)[n % len(self.files)] for n in some})

    def path(self, name: str) -> str:
        return str(self.articles / name)

    def id_of(self, name: str) -> str:
        from rag.ingest.pipeline import article_id

        return article_id((self.articles / name).resolve().as_uri())

    @precondition(lambda self: self.files)
    @rule()
    def ingest_all(self) -> None:
        from rag.ingest.pipeline import ingest

        before = self.held
        report = ingest(self.writer, [str(self.articles)])
        self.held = self.held | self.files
        new = {n for n in self.files if n not in before}
        changed = {n for n in self.files if n in before and before[n] != self.files[n]}
        said = [{s.rsplit("/", 1)[1] for s in sources} for sources in (report.added, report.updated)]
        assert said == [new, changed], f"reported {said}, were {new} and {changed}"
        assert not report.rejected
        # what was cut by other settings is cut anew, even where it is in no file any more
        self.refreshed = self.tokens
        self.grown(changed=bool(new or changed))
        again = ingest(self.writer, [str(self.articles)])
        assert (again.added, again.updated, again.rejected, again.chunks_embedded) == ((), (), (), 0)
        assert self.writer.generation == self.generation, "the second run of one ingest changed something"

    @precondition(lambda self: self.files)
    @rule(some=_some)
    def ingest_some(self, some: list[int]) -> None:
        from rag.ingest.pipeline import ingest

        names = self.chosen(some)
        before = self.held
        ingest(self.writer, [self.path(n) for n in names])
        self.held = before | {n: self.files[n] for n in names}
        self.refreshed = self.tokens
        self.grown(changed=self.held != before)

    @precondition(lambda self: self.held)
    @rule(which=_which)
    def remove(self, which: int) -> None:
        from rag.ingest.pipeline import remove

        name = sorted(self.held)[which % len(self.held)]
        assert remove(self.writer, [self.id_of(name), "0123456789abcdef"]) == 1
        self.held = {n: p for n, p in self.held.items() if n != name}
        self.grown(changed=True)

    @precondition(lambda self: self.files)
    @rule(some=_some, k=st.integers(1, 80))
    def killed_while_ingesting(self, some: list[int], k: int) -> None:
        names = self.chosen(some)
        after = self.held | {n: self.files[n] for n in names}
        self.kill(k, after, ("ingest", [self.path(n) for n in names]))

    @precondition(lambda self: self.held)
    @rule(which=_which, k=st.integers(1, 25))
    def killed_while_removing(self, which: int, k: int) -> None:
        name = sorted(self.held)[which % len(self.held)]
        after = {n: p for n, p in self.held.items() if n != name}
        self.kill(k, after, ("remove", [self.id_of(name)]))

    def kill(self, k: int, after: State, command: tuple[str, list[str]]) -> None:
        """Kill a process at its work: the library then holds what it held, or all that it was to hold; never a mixture."""
        self.writer.close()
        died = killed_at(k, self.folder / "library", self.tokens, command)
        self.writer = self.open(write=True)
        before = self.held
        found = self.texts(self.writer)
        if died and found != self.said(after):
            assert found == self.said(before), "a killed process left neither what was there nor what was to be there"
        else:
            assert found == self.said(after), "what a process acknowledged is not there"
            self.held = after
        assert self.writer.generation >= self.generation
        self.generation = self.writer.generation
        self.refreshed = 0  # some articles may have been cut anew, others not
        # opening a library for writing does not touch its index before it is needed: bring it up, as any use does
        assert self.writer.index is not None

    @precondition(lambda self: self.files)
    @rule(after=st.integers(0, 4))
    def the_embedder_fails(self, after: int) -> None:
        from rag.errors import EmbedError
        from rag.ingest.pipeline import ingest

        self.writer.close()
        self.writer = self.open(write=True, fail_after=after)
        before = self.generation
        try:
            ingest(self.writer, [str(self.articles)])
            self.held = self.held | self.files  # nothing of it had to be embedded, or less than fails
            self.refreshed = self.tokens
        except EmbedError:
            self.refreshed = 0
        self.writer.close()
        self.writer = self.open(write=True)
        assert self.writer.generation >= before
        self.generation = self.writer.generation

    @rule(tokens=st.sampled_from((60, 250)))
    def opened_again(self, tokens: int) -> None:
        self.writer.close()
        self.tokens = tokens
        self.writer = self.open(write=True)

    @rule()
    def a_reader_comes(self) -> None:
        if len(self.readers) > 1:
            self.readers.pop(0).close()
        self.readers.append(self.open())

    @precondition(lambda self: self.readers)
    @rule()
    def a_reader_leaves(self) -> None:
        self.readers.pop().close()

    @rule()
    def a_second_writer_is_refused(self) -> None:
        from rag.errors import LibraryLocked

        try:
            self.open(write=True).close()
        except LibraryLocked:
            return
        raise AssertionError("two writers had the library open")

    @rule()
    def rebuild(self) -> None:
        from rag.doctor import rebuild

        assert rebuild(self.writer) == self.writer.counts()["chunks"]
        self.grown(changed=True)

    @rule()
    def the_index_is_lost(self) -> None:
        self.writer.close()
        for handle in self.readers:
            handle.close()
        self.readers = []
        shutil.rmtree(self.folder / "library" / "index", ignore_errors=True)
        self.writer = self.open(write=True)

    @rule()
    def a_copy_of_the_folder(self) -> None:
        """What a backup is: the folder, copied while nobody writes.

        By another process: to close a file of SQLite's gives up every lock that this process has on it, readers' too.
        """
        self.writer.close()
        copy = self.folder / "copy"
        subprocess.run(["cp", "-R", str(self.folder / "library"), str(copy)], check=True)
        self.writer = self.open(write=True)
        with self.open(copy) as other:
            self.check(other)
        shutil.rmtree(copy)

    def grown(self, *, changed: bool) -> None:
        now = self.writer.generation
        assert now >= self.generation + changed, f"the generation was {self.generation} and is {now}"
        self.generation = now

    # -- what must hold --------------------------------------------------------------------------------------------

    def said(self, state: State) -> dict[str, str]:
        return {n: p.text for n, p in state.items()}

    def texts(self, handle: Any) -> dict[str, str]:
        return {a.source.rsplit("/", 1)[1]: a.text for a in handle.articles()}

    @invariant()
    def every_handle_holds_what_the_dict_says(self) -> None:
        for handle in (self.writer, *self.readers):
            self.check(handle)

    def check(self, handle: Any) -> None:
        """Compare all that a handle gives with `held`."""
        import numpy as np

        from rag.retrieve.words import content_words

        if handle is self.writer:
            self.grown(changed=False)  # bringing up its index counts as a change
        articles = {a.source.rsplit("/", 1)[1]: a for a in handle.articles()}
        found = {n: a.text for n, a in articles.items()}
        assert found == self.said(self.held), _apart(found, self.said(self.held))
        for name, piece in self.held.items():
            a = articles[name]
            copies = {n: p for n, p in self.held.items() if p.number == piece.number}
            days = sorted(p.day for p in copies.values() if p.day)
            assert a.id == self.id_of(name)
            assert a.cluster == min(self.id_of(n) for n in copies), (
                f"{name} is in a cluster with others than {sorted(copies)}"
            )
            assert a.published == (piece.day or (days[0] if days else None)), f"{name} is dated {a.published}"
            assert a.published_lent == (piece.day is None and bool(days))
            titles = {p.own_title for p in copies.values()} - {None}
            assert a.title in titles or (not titles and a.title), f"{name} has the title {a.title}"
        chunks = [c for a in articles.values() for c in handle.chunks(a.id)]
        for name, a in articles.items():
            reach = 0
            for c in (c for c in chunks if c.article_id == a.id):
                assert a.text[c.start : c.end] == c.text
                assert not a.text[reach : max(reach, c.start)].strip(), f"a part of {name} is in no chunk"
                reach = max(reach, c.end)
            assert not a.text[reach:].strip(), f"the end of {name} is in no chunk"
        counts = handle.counts()
        ids, vectors = handle.matrix()
        assert sorted(ids) == sorted(c.id for c in chunks)
        pieces = len({p.number for p in self.held.values()})
        assert (counts["articles"], counts["chunks"], counts["pieces"]) == (len(articles), len(chunks), pieces)
        assert handle.size == len(chunks)
        assert handle.rows("SELECT count(*) FROM chunks_fts")[0][0] == len(chunks)
        for c in chunks:
            words = content_words(c.text)[:6]
            assert c.id in dict(handle.search_text(words, limit=len(chunks))), f"the words of {c.id} do not find it"
        for i in random.Random(len(chunks)).sample(range(len(ids)), min(6, len(ids))):
            found = handle.index.search(vectors[i], limit=len(ids))
            assert {f for f, _ in found} == set(ids), "the index does not have the chunks that the library has"
            exact = handle.search_exact(vectors[i], limit=len(ids))
            assert np.allclose([s for _, s in found], [s for _, s in exact], atol=1e-4)
            assert dict(found)[ids[i]] > 0.999
        if handle is self.writer:
            assert handle.index.ids() == set(ids)
            assert handle.counts()["pending"] == 0
            assert handle.rows("SELECT count(*) FROM tombstones")[0][0] == 0
            assert handle.integrity() == "ok"


def run(n: int, *, steps: int = STEPS) -> None:
    """Run the machine as number n has it: the same steps each time.

    Hypothesis first tries the shortest run there is, then one from the seed; what fails is not made shorter here.
    """
    machine = hypothesis.seed(n)(type("Machine", (Machine,), {}))
    settings = hypothesis.settings(
        max_examples=2,
        stateful_step_count=steps,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(machine, settings=settings)


def _case(n: int, given: Any, folder: Path) -> dict[str, float]:
    run(n)
    return {"steps": STEPS}


ROW = Row(
    "machine",
    "any order of ingesting, editing, copying, removing, killing, failing, rebuilding, copying the library, with readers",
    "the library is what a plain dict says, in every handle, after every step",
    quick=3,
    full=200,
    case=_case,
    limit_s=240.0,
)
