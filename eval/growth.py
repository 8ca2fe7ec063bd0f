"""How Recap's library grows, takes a change, and what its embedding runtime costs in neighbours: parts of the benchmark.

`python -m eval.growth grow|synthetic|change|overlap ...`.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.parts import answer_part, disk_bytes, environment, peak_rss_mb, progress, run_part, spread, timed
from eval.questions import ARTICLES, QUESTIONS, Question, load_questions
from eval.systems import Recap, open_library

if TYPE_CHECKING:
    from rag.store.embed import Embedder, Vectors
    from rag.store.library import Library

OVERLAP_CHUNKS, OVERLAP_QUESTIONS = 2000, 200
REBUILD_QUESTIONS = 50
COLD_RUNS = 3
_SENTENCE, _SENTENCES, _PARAGRAPH = 18, 110, 5  # words, sentences and sentences a paragraph of a made-up article
_ROUND = 1000  # made-up articles that are ingested at once


def size_of(library: Path, questions: Path) -> dict[str, Any]:
    """Measure a library in processes of their own: opening, warm search, a cold `recap ask`, bytes."""
    found = run_part("eval.growth", "ask", library, questions)
    asked = load_questions(questions)[0].text
    command = [sys.executable, "-m", "rag", "ask", asked, "--library", str(library)]
    cold = [
        timed(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, env=environment(), check=False))
        for _ in range(COLD_RUNS)
    ]
    return found | {"bytes": disk_bytes(library), "cold_ask_s": statistics.median(cold)}


def ask(library: Path, questions: Sequence[Question], *, embedder: Embedder | None = None) -> dict[str, Any]:
    """Open a library for reading and search it for each question: seconds to open, percentiles in ms, memory.

    `first_s`: the first question, models loading. A process that has imported nothing yet pays for that in `open_s`.
    """
    began = time.perf_counter()
    with open_library(library, embedder=embedder) as opened:
        _ = opened.index
        open_s = time.perf_counter() - began
        recap = Recap(opened)
        first_s = timed(lambda: recap.search(questions[0]))
        for q in questions[:10]:
            recap.search(q)
        took = [timed(lambda q=q: recap.search(q)) for q in questions]  # type: ignore[misc]
        counts = opened.counts()
    return {
        "articles": counts["articles"], "chunks": counts["chunks"], "open_s": open_s, "first_s": first_s,
        "search_ms": spread(took), "rss_mb": peak_rss_mb(),
    }  # fmt: skip


# --- made-up chunks ---------------------------------------------------------------------------------------------------


class RandomEmbedder:
    """Stands in for a model while made-up text is ingested: a random unit vector for each text, always the same."""

    def __init__(self, name: str, dim: int) -> None:
        self.name = name
        self.dim = dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (n, dim) float32 rows of unit length."""
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            seed = hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8]
            row[:] = np.random.default_rng(int.from_bytes(seed)).standard_normal(self.dim)
            row /= np.linalg.norm(row)
        return rows


def synthetic(corpus: Path, source: Path, chunks: int, folder: Path) -> dict[str, Any]:
    """Copy a library to `folder`/library and add made-up articles, by the ordinary ingest, until it has `chunks` more.

    Their words are drawn as often as in the corpus, so that full text has as much to weigh as in real articles; each
    vector is random, which for a graph is the hardest case. Run again, it takes up where it stopped.
    """
    from rag.ingest.pipeline import ingest

    library, of = folder / "library", folder / "source.json"
    with open_library(source) as opened:
        before, name = opened.counts()["chunks"], opened.meta("embedder") or ""
        dim = opened.rows("SELECT length(vector) / 4 FROM chunks LIMIT 1")[0][0]
        told = json.dumps([before, name, opened.meta("settings")])
    if not of.is_file() or of.read_text(encoding="utf-8") != told:  # none yet, or the library has changed since
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, library)
        of.write_text(told, encoding="utf-8")
    vocabulary, weights = _word_counts(corpus / ARTICLES[0])
    seconds, made = 0.0, 0
    with open_library(library, write=True, embedder=RandomEmbedder(name, dim)) as opened:
        start = opened.counts()["chunks"]
        rounds = opened.rows("SELECT count(*) FROM articles WHERE url LIKE 'https://made-up.invalid/%'")[0][0]
        with progress("Made-up chunks to add", before + chunks - start) as tell:
            while (now := opened.counts()["chunks"]) < before + chunks:
                tell(now - start)
                per_article = (now - before) / rounds if rounds else 20
                n = max(1, min(_ROUND, int((before + chunks - now) / per_article) + 1))
                file = folder / "made-up.jsonl"
                _write_made_up(file, vocabulary, weights, range(rounds, rounds + n))
                seconds += timed(lambda f=file: ingest(opened, [str(f)]))  # type: ignore[misc]
                rounds += n
                made = opened.counts()["chunks"] - start
        total = opened.counts()["chunks"] - before
    return {
        "made_up": total,
        "added": made,
        "chunks_per_s": made / seconds if seconds else None,
        "ingest_rss_mb": peak_rss_mb(),
    }


def _word_counts(file: Path) -> tuple[list[str], list[int]]:
    counts: Counter[str] = Counter()
    with file.open(encoding="utf-8") as f:
        for n, line in enumerate(f):
            if n % 10 == 0 or n < 200:
                counts.update(w for w in json.loads(line)["text"].split() if w.isalpha())
    words = [w for w, _ in counts.most_common()] or ["word"]
    return words, [counts[w] or 1 for w in words]


def _write_made_up(file: Path, words: Sequence[str], weights: Sequence[int], numbers: range) -> None:
    size = _SENTENCE * _SENTENCES
    with file.open("w", encoding="utf-8", errors="backslashreplace") as f:
        for i in numbers:
            rng = random.Random(i)  # noqa: S311
            drawn = rng.choices(words, weights, k=size)
            sentences = [" ".join(drawn[a : a + _SENTENCE]).capitalize() + "." for a in range(0, size, _SENTENCE)]
            paragraphs = [" ".join(sentences[a : a + _PARAGRAPH]) for a in range(0, len(sentences), _PARAGRAPH)]
            row = {
                "url": f"https://made-up.invalid/{i}", "title": f"Made up, number {i}", "authors": [],
                "text": "\n\n".join(paragraphs), "published": f"20{10 + i % 15}-{1 + i % 12:02}-{1 + i % 28:02}",
            }  # fmt: skip
            f.write(json.dumps(row, ensure_ascii=False) + "\n")


# --- one change -------------------------------------------------------------------------------------------------------


def change(
    corpus: Path, source: Path, folder: Path, questions: Sequence[Question], *, embedder: Embedder | None = None
) -> dict[str, Any]:
    """Copy a library to `folder`; edit one article, open again, rebuild the index: seconds, and what has changed.

    `edit_s`: ingesting the edited article in a process that has the models loaded; `open_s`: opening for writing.
    `identical`: questions whose ten passages, in order, are the same from the rebuilt index.
    """
    from rag.ingest.pipeline import ingest

    shutil.rmtree(folder, ignore_errors=True)
    library = folder / "library"
    shutil.copytree(source, library)
    with (corpus / ARTICLES[0]).open(encoding="utf-8") as f:
        edited = json.loads(f.readline())
    edited["text"] += "\n\nCorrection: an earlier version of this article misspelled the name of a bridge."
    file = folder / "edited.jsonl"
    file.write_text(json.dumps(edited) + "\n", encoding="utf-8")
    began = time.perf_counter()
    with open_library(library, write=True, embedder=embedder) as opened:
        _ = opened.index
        open_s = time.perf_counter() - began
        opened.embedder.embed(["warm"])
        began = time.perf_counter()
        report = ingest(opened, [str(file)])
        edit_s = time.perf_counter() - began
        before = _top_ten(opened, questions)
        rebuild_s = timed(opened.index.rebuild)
        after = _top_ten(opened, questions)
    with open_library(library, embedder=embedder) as opened:
        reopen_s = timed(lambda: opened.index)
        again = _top_ten(opened, questions)
    shutil.rmtree(folder, ignore_errors=True)
    same = sum(a == b == c for a, b, c in zip(before, after, again, strict=True))
    return {
        "updated": len(report.updated), "chunks_embedded": report.chunks_embedded, "open_s": open_s, "edit_s": edit_s,
        "rebuild_s": rebuild_s, "reopen_s": reopen_s, "questions": len(questions), "identical": same,
    }  # fmt: skip


def _top_ten(library: Library, questions: Sequence[Question]) -> list[list[str]]:
    recap = Recap(library)
    return [[p.id for p in recap.search(q)] for q in questions]


# --- the runtime of the embedder --------------------------------------------------------------------------------------


def overlap(library: Path, questions: Sequence[Question], *, seed: int = 1) -> dict[str, Any]:
    """Embed a sample of chunks and the questions in fp32 and as shipped; compare the ten nearest of each question.

    Both sides are embedded anew, the questions too. `mean`: the share that both have, over the questions.
    """
    from rag.store.embed import OpenVINOEmbedder, packaged_model_dir

    with open_library(library) as opened:
        rows = opened.rows("SELECT header, text FROM chunks ORDER BY id")
        shipped: Embedder = opened.embedder
    rng = random.Random(seed)  # noqa: S311
    texts = [f"{r['header']}\n{r['text']}" for r in rng.sample(rows, min(OVERLAP_CHUNKS, len(rows)))]
    asked = [q.text for q in rng.sample(list(questions), min(OVERLAP_QUESTIONS, len(questions)))]
    exact = OpenVINOEmbedder(packaged_model_dir(), precision="f32")
    best, speed = [], []
    for name, model in (("fp32", exact), ("shipped", shipped)):
        model.embed(texts[:8])
        with progress(f"Chunks to embed, {name}", len(texts)) as tell:
            began = time.perf_counter()
            vectors = []
            for at in range(0, len(texts), 200):
                vectors.append(model.embed(texts[at : at + 200]))
                tell(at + 200)
            speed.append(len(texts) / (time.perf_counter() - began))
        scores = model.embed(asked) @ np.concatenate(vectors).T
        best.append(np.argsort(-scores, axis=1, kind="stable")[:, :10])
    shares = shared(*best)
    return {
        "chunks": len(texts), "questions": len(asked), "mean": float(np.mean(shares)), "least": float(np.min(shares)),
        "fp32_chunks_per_s": speed[0], "shipped_chunks_per_s": speed[1],
    }  # fmt: skip


def shared(a: Any, b: Any) -> list[float]:
    """Share of each row of `a`, (n, k) numbers, that the same row of `b` has too."""
    return [len(set(x) & set(y)) / len(x) for x, y in zip(a.tolist(), b.tolist(), strict=True)]


def main(argv: Sequence[str]) -> int:
    """Be a part. Returns the exit status."""
    part, *words = argv
    paths = [Path(w) for w in words]

    def do() -> dict[str, Any]:
        if part == "ask":
            return ask(paths[0], load_questions(paths[1]))
        if part == "synthetic":
            return synthetic(paths[0], paths[1], int(words[2]), paths[3])
        questions = load_questions(paths[0] / QUESTIONS)
        if part == "change":
            return change(paths[0], paths[1], paths[2], questions[:REBUILD_QUESTIONS])
        return overlap(paths[1], questions)

    return answer_part(do)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
