"""The embedding model fails while articles are changed."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture import Row
from tests.torture.storage import consistent, copied, digest, findable, sentence, whole, write_rows

_QUESTION = "Who hosted the 2024 Lantern Music Awards?"
_OLD, _NEW = "Ines Calder", "Odo Brink"
_GONE = "https://news.example/lantern-2024.txt"  # its copy has its title from it: without it that is embedded anew


class _Broken(Exception):
    """An error of a kind that Recap knows nothing of."""


def _raises(error: type[BaseException]) -> Callable[[Any], Any]:
    def fail(rows: Any) -> Any:
        raise error("the model broke")

    return fail


def _worthless(rows: Any, value: float) -> Any:
    rows = rows.copy()
    rows[len(rows) // 2] = value
    return rows


# What becomes of the rows that the real model returned. "infer": OpenVINO's own call fails, underneath our code.
SHAPES: dict[str, Callable[[Any], Any]] = {
    "infer": _raises(RuntimeError),
    "NaN": lambda rows: _worthless(rows, float("nan")),
    "RuntimeError": _raises(RuntimeError),
    "zeros": lambda rows: _worthless(rows, 0.0),
    "a row too few": lambda rows: rows[:-1],
    "MemoryError": _raises(MemoryError),
    "too narrow": lambda rows: rows[:, :100],
    "an unknown error": _raises(_Broken),
    "infinite": lambda rows: _worthless(rows, float("inf")),
    "Ctrl+C": _raises(KeyboardInterrupt),
}
WORKS = ("an update", "a removal", "other chunks")


class Failing:
    """The real model, which fails from its call number `at` on (from 0) until it is mended."""

    def __init__(self, model: Any, shape: str, at: int) -> None:
        self.name, self.dim = model.name, model.dim
        self.model, self.shape, self.left = model, shape, at
        self.mended = False

    def embed(self, texts: Sequence[str]) -> Any:
        self.left -= 1
        if self.mended or self.left >= 0:
            return self.model.embed(texts)
        if self.shape != "infer":
            return SHAPES[self.shape](self.model.embed(texts))
        request, self.model._request = self.model._request, _Request()
        try:
            return self.model.embed(texts)
        finally:
            self.model._request = request


class _Request:
    def infer(self, inputs: Any) -> Any:
        raise RuntimeError("Exception from src/inference/src/cpp/infer_request.cpp:223")


@dataclass
class Given:
    """What the cases share: the real model, a library, and its digest after each undisturbed work with what it embedded."""

    model: Any
    folder: Path
    known: dict[str, tuple[str, int]] = field(default_factory=dict)

    def undisturbed(self, work: str) -> tuple[str, int]:
        """Return the digest of the library after `work`, and how often the model was called."""
        if work not in self.known:
            counting = Failing(self.model, "", 10**6)
            with opened(copied(self.folder / "base", self.folder / "at-work"), counting, work) as library:
                do(library, work, self.folder)
                self.known[work] = (digest(library), 10**6 - counting.left)
        return self.known[work]


@contextlib.contextmanager
def around(folder: Path) -> Iterator[Given]:
    """Load the model, and make a library."""
    from rag.config import Config
    from rag.ingest import pipeline
    from rag.store.embed import load_embedder
    from tests.small_coverage import COVERAGE

    batch, pipeline._BATCH_ARTICLES = pipeline._BATCH_ARTICLES, 2
    model = load_embedder(Config(llm="none"))
    rows = [{"url": f"https://news.example/{name}", "text": text} for name, text in COVERAGE.items()]
    write_rows(folder / "old.jsonl", rows)
    new = [
        r | {"text": r["text"].replace(_OLD, _NEW) + f"\n\nIt was the evening number {n}.\n"}
        for n, r in enumerate(rows)
    ]
    write_rows(folder / "new.jsonl", new)
    given = Given(model, folder)
    try:
        with opened(folder / "base", model) as library:
            pipeline.ingest(library, [str(folder / "old.jsonl")])
        yield given
    finally:
        pipeline._BATCH_ARTICLES = batch


def opened(folder: Path, model: Any, work: str = "") -> Any:
    """Open the library to be changed."""
    from rag.config import Config
    from rag.store.library import Library

    tokens = {"chunk_tokens": 60} if work == "other chunks" else {}
    return Library.open(Config(library=folder, llm="none", **tokens), create=True, embedder=model)


def do(library: Any, work: str, given: Path) -> None:
    """Change the library."""
    from rag.ingest.pipeline import ingest, remove

    if work == "a removal":
        remove(library, library.find(_GONE))
    else:
        assert not ingest(library, [str(given / ("new.jsonl" if work == "an update" else "old.jsonl"))]).rejected


def case(n: int, given: Given, folder: Path) -> dict[str, float]:
    """Let the model fail at one of its calls; ask; look; mend it; do it again."""
    from rag.errors import RecapError

    rng = random.Random(n)
    shapes = list(SHAPES)
    shape, work = shapes[n % len(shapes)], WORKS[(n + n // len(shapes)) % len(WORKS)]
    undisturbed, calls = given.undisturbed(work)
    place = copied(given.folder / "base", folder / "library")
    failing = Failing(given.model, shape, rng.randrange(calls))
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(_reader(place, given.model))  # the page, which was open before
        before = {s.article.id: s.content_key for s in reader.stored(a.id for a in reader.articles())}
        with opened(place, failing, work) as library:
            failed = ""
            try:
                do(library, work, given.folder)
            except RecapError as e:
                failed = str(e)
                assert sentence(failed), f"no sentence: {failed}"
            except KeyboardInterrupt:
                failed = "Ctrl+C"
            assert failed, "the model failed, and nobody said so"
        _answers(reader, before, work)
    with _reader(place, given.model) as reader:
        _answers(reader, before, work)
        whole(reader)
        findable(reader)
        kept = sum(1 for s in reader.stored(before) if s.content_key != before[s.article.id])
    failing.mended = True
    with opened(place, failing, work) as library:
        do(library, work, given.folder)
        consistent(library)
        whole(library)
        assert digest(library) == undisturbed, "after the model was mended the library is not what it would have been"
    with _reader(place, given.model) as reader:
        assert _answer(reader) == (_NEW if work == "an update" else _OLD), (
            "after the model was mended the answer is wrong"
        )
        findable(reader, ask=True)
    return {"articles updated before it failed": kept}


def _reader(place: Path, model: Any) -> Any:
    from rag.config import Config
    from rag.store.library import Library

    return Library.open(Config(library=place, llm="none"), embedder=model)


def _answer(reader: Any) -> str | None:
    from rag import ask

    short: str | None = ask(reader, _QUESTION).short
    return short


def _answers(reader: Any, before: dict[str, str], work: str) -> None:
    """The version of each article that the library holds is the one that answers; none is gone."""
    now = {s.article.source: s for s in reader.stored(before)}
    assert len(now) == len(before) == reader.counts()["articles"], "an article is gone"
    about = [s for source, s in now.items() if "lantern-2024" in source]
    said = {_NEW if s.content_key != before[s.article.id] else _OLD for s in about}
    answer = _answer(reader)
    assert answer in said, f"the library holds {said}, and the answer is {answer}"
    assert work == "an update" or said == {_OLD}


ROW = Row(
    name="embedder",
    fault="the embedding model fails in the middle of a change: errors, worthless vectors, Ctrl+C",
    required="the old version goes on answering; a sentence is said; the next run completes it",
    quick=3,
    full=30,
    case=case,
    around=around,
)
