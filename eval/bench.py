"""`make bench` (= `python -m eval.bench`): how fast, and how large, beside its limit and a baseline of the same run.

Machines differ and are noisy: read the ratios. Each part runs in a process of its own, so that none is warmed, or made
larger, by another. Nothing here fails for being slow, and no language model is asked.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.parts import about, answer_part, environment, peak_rss_mb, run_part

if TYPE_CHECKING:
    from rag.config import Config

QUESTION = "Who hosted the 2024 VMAs?"
COLD_RUNS = 5
WARM_QUESTIONS = 200
GENERATED = 200  # articles
SAMPLE = 300  # articles of the news questions
EMBEDDED = 64  # chunks that both runtimes embed
_START = [sys.executable, "-c", "pass"]
_IMPORTS = [sys.executable, "-c", "import rag, chromadb, openvino"]  # what a question cannot do without


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure. `limit` is what it should not pass (a speed: not fall below), in the same unit; None: none is set.

    `ratio` is value / baseline, where `baseline` was measured in the same run and `beside` says what it is.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    beside: str = ""
    baseline: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.baseline if self.baseline else None


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, write the JSON. Returns 0, however slow it was."""
    parser = argparse.ArgumentParser("python -m eval.bench", description="Measure Recap on this machine.")
    parser.add_argument("--seeds", type=Path, default=Path("seeds"), metavar="DIR", help="articles and facts.jsonl")
    parser.add_argument("--out", type=Path, default=Path("runs") / "bench.json", metavar="FILE")
    parser.add_argument(
        "--realtimeqa",
        type=Path,
        metavar="DIR",
        default=os.environ.get("RECAP_BENCH_DATA") or None,
        help=f"news questions: measure on {SAMPLE} of their articles too (default: $RECAP_BENCH_DATA)",
    )
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.part:
        name, *words = args.part
        return answer_part(lambda: _PARTS[name](*words))
    with tempfile.TemporaryDirectory(prefix="recap-bench-") as folder:
        figures = measure(args.seeds.resolve(), Path(folder))
    print(table(figures))
    rows = [asdict(f) | {"ratio": f.ratio} for f in figures]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"about": about(), "figures": rows}, indent=1) + "\n", encoding="utf-8")
    print(f"\nWritten to {args.out}")
    return _beside_others(args.realtimeqa, args.out.parent / "realtimeqa")


def _beside_others(data: Path | None, out: Path) -> int:
    """Run `recap eval realtimeqa` on a sample of the data, if there are any."""
    from eval.__main__ import main as evaluate

    if data is None:
        print(
            "Finding passages was not measured: name a folder of news questions with --realtimeqa or RECAP_BENCH_DATA."
        )
        return 0
    print()
    return evaluate(["realtimeqa", str(data), "--articles", str(SAMPLE), "--change", "--out", str(out)])


def measure(seeds: Path, folder: Path) -> list[Figure]:
    """Run every part, `folder` being empty at the start."""
    library, many = folder / "library", folder / "many"
    generated = write_articles(folder / "articles", GENERATED)
    _part("ingest", folder / "first", seeds)  # converts the model if nobody has yet: not to be measured
    figures: list[Figure] = []

    def tell(*new: Figure) -> None:
        figures.extend(new)
        for f in new:
            print(f"{f.name}: {f.value:,.3g} {f.unit}", file=sys.stderr, flush=True)

    start, _ = _runs(_START, 7)
    help_, _ = _runs([sys.executable, "-m", "rag", "--help"], 7)
    tell(Figure("recap --help", _median(help_), "s", 0.3, "python alone", _median(start)))

    few = _part("ingest", library, seeds)
    lots = _part("ingest", many, generated)
    again = _part("ingest", many, generated)
    for name, run in (("seeds", few), (f"{GENERATED} generated", lots)):
        tell(
            Figure(
                f"ingest, {name}", run["articles"] / run["seconds"], "articles/s",
                beside="embedding alone", baseline=run["articles"] / run["embedding"],
            ),
            Figure(f"ingest, {name}: chunks", run["chunks"] / run["seconds"], "chunks/s"),
        )  # fmt: skip
    tell(
        Figure(
            "ingest again, unchanged", again["articles"] / again["seconds"], "articles/s",
            beside="the first time", baseline=lots["articles"] / lots["seconds"],
        ),
        Figure("ingest, peak memory", lots["rss_mb"], "MB", 1500),
    )  # fmt: skip

    ask = [sys.executable, "-m", "rag", "ask", QUESTION, "--library", str(library)]
    imports, _ = _runs(_IMPORTS, 3)
    cold, sizes = _runs(ask, COLD_RUNS)
    tell(
        Figure("cold ask, median", _median(cold), "s", 3.0, "its imports alone", _median(imports)),
        Figure("cold ask, slowest", max(cold), "s", 3.0, "its imports alone", _median(imports)),
        Figure("cold ask, peak memory", max(sizes), "MB"),
    )

    for name, where in (("seeds", library), (f"{GENERATED} articles", many)):
        warm = _part("ask", where, seeds / "facts.jsonl")
        tell(
            Figure(f"warm question, {name}, p50", warm["ask"][0], "ms", None, "its embedding", warm["embed"][0]),
            Figure(f"warm question, {name}, p95", warm["ask"][1], "ms", 300, "its embedding", warm["embed"][1]),
            Figure(f"search, {name}, p50", warm["search"][0], "ms", None, "full text alone", warm["text"][0]),
            Figure(f"search, {name}, p95", warm["search"][1], "ms", None, "full text alone", warm["text"][1]),
            Figure(f"vector index, {name}, p50", warm["index"][0], "ms", None, "exact scan", warm["exact"][0]),
        )
        if where == library:
            tell(Figure("warm process, peak memory", warm["rss_mb"], "MB"))

    ours, theirs = _part("embed", "openvino", many), _part("embed", "sentence-transformers", many)
    tell(
        Figure("embedding", ours["per_second"], "chunks/s", None, "sentence-transformers", theirs["per_second"]),
        Figure("embedding, from start", ours["load_s"], "s", None, "sentence-transformers", theirs["load_s"]),
        Figure("embedding, peak memory", ours["rss_mb"], "MB", None, "sentence-transformers", theirs["rss_mb"]),
    )
    return figures


def table(figures: Sequence[Figure]) -> str:
    """Lay the figures out as text."""
    rows = [("", "measured", "limit", "ratio to")]
    for f in figures:
        limit = "" if f.limit is None else f"{_number(f.limit)} {f.unit}"
        ratio = "" if f.ratio is None else f"{f.ratio:.2f} x {f.beside} ({_number(f.baseline or 0)} {f.unit})"
        rows.append((f.name, f"{_number(f.value)} {f.unit}", limit, ratio))
    widths = [max(len(r[i]) for r in rows) for i in range(3)]
    return "\n".join(
        f"{a:{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in rows
    )  # fmt: skip


def _number(x: float) -> str:
    return f"{x:,.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


# --- processes --------------------------------------------------------------------------------------------------------


def _runs(command: Sequence[str], times: int) -> tuple[list[float], list[float]]:
    """Return wall seconds and peak MB of each run."""
    seconds, sizes = [], []
    for _ in range(times):
        began = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment())
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds.append(time.perf_counter() - began)
        sizes.append(usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3))
        if child.returncode:
            raise SystemExit(f"{' '.join(command)} failed.")
    return seconds, sizes


def _part(name: str, *words: str | Path) -> dict[str, Any]:
    return run_part("eval.bench", "--part", name, *words)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


# --- parts ------------------------------------------------------------------------------------------------------------


def _config(library: str | Path) -> Config:
    from rag.config import Config

    return Config(library=Path(library), llm="none")


def _ingest(library: str, articles: str) -> dict[str, Any]:
    """Ingest; `embedding` are the seconds that the same chunks take by themselves, afterwards."""
    from rag.ingest.pipeline import ingest
    from rag.store.library import Library

    with Library.open(_config(library), create=True) as opened:
        opened.embedder.embed(["warm"])
        began = time.perf_counter()
        report = ingest(opened, [articles])
        seconds = time.perf_counter() - began
        texts = [f"{r['header']}\n{r['text']}" for r in opened.rows("SELECT header, text FROM chunks")]
        began = time.perf_counter()
        if report.chunks_embedded:
            opened.embedder.embed(texts)
        embedding = time.perf_counter() - began
    n = len(report.added) + len(report.unchanged)
    return {
        "articles": n, "chunks": len(texts), "seconds": seconds, "embedding": embedding, "rss_mb": peak_rss_mb(),
    }  # fmt: skip


def _ask(library: str, facts: str) -> dict[str, Any]:
    """Percentiles (50, 95) in ms over the facts' questions, each asked once after a warm-up."""
    from eval.facts import load_facts
    from rag.answer.chain import ask
    from rag.retrieve.query import understand
    from rag.retrieve.search import search
    from rag.retrieve.words import content_words
    from rag.store.library import Library

    asked = load_facts([facts])
    asked = [asked[i % len(asked)] for i in range(WARM_QUESTIONS)]
    with Library.open(_config(library)) as opened:
        for fact in asked[:10]:
            ask(opened, fact.question, history=fact.history, as_of=fact.as_of)
        result: dict[str, Any] = {
            "ask": _each(asked, lambda f: ask(opened, f.question, history=f.history, as_of=f.as_of)),
            "search": _each(asked, lambda f: search(opened, understand(f.question, library=opened, as_of=f.as_of))),
            "text": _each(asked, lambda f: opened.search_text(content_words(f.question), limit=50)),
            "embed": _each(asked, lambda f: opened.embedder.embed([f.question])),
            "rss_mb": peak_rss_mb(),
        }
        vectors = [opened.embedder.embed([f.question])[0] for f in asked]
        opened.search_exact(vectors[0], limit=50)
        result["exact"] = _each(vectors, lambda v: opened.search_exact(v, limit=50))
        result["index"] = _each(vectors, lambda v: opened.index.search(v, limit=50))
    return result


def _each(things: Sequence[Any], do: Callable[[Any], object]) -> tuple[float, float]:
    """Return the 50th and the 95th percentile in ms of doing it with each thing."""
    took = []
    for thing in things:
        began = time.perf_counter()
        do(thing)
        took.append((time.perf_counter() - began) * 1000)
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return cuts[49], cuts[94]


def _embed(runtime: str, library: str) -> dict[str, Any]:
    """Embed the first chunks of a library by one runtime; the best of three rounds."""
    from rag.store.embed import Embedder, OpenVINOEmbedder, SentenceTransformerEmbedder, packaged_model_dir
    from rag.store.library import Library

    with Library.open(_config(library)) as opened:
        rows = opened.rows("SELECT header, text FROM chunks ORDER BY id LIMIT ?", (EMBEDDED,))
        texts = [f"{r['header']}\n{r['text']}" for r in rows]
    began = time.perf_counter()
    folder = packaged_model_dir()
    model: Embedder = (
        OpenVINOEmbedder(folder) if runtime == "openvino" else SentenceTransformerEmbedder(str(folder))
    )  # fmt: skip
    model.embed(texts[:2])
    load_s = time.perf_counter() - began
    rounds = []
    for _ in range(3):
        began = time.perf_counter()
        model.embed(texts)
        rounds.append(time.perf_counter() - began)
    return {"load_s": load_s, "per_second": len(texts) / min(rounds), "rss_mb": peak_rss_mb()}


_PARTS: dict[str, Callable[..., dict[str, Any]]] = {"ingest": _ingest, "ask": _ask, "embed": _embed}


# --- articles ---------------------------------------------------------------------------------------------------------

_WHO = (
    "The mayor|A spokesman|The organiser|One of the guests|The drummer|Her manager|The jury|A visitor|The crew".split(
        "|"
    )
)
_DID = "praised|opened|left|described|missed|rebuilt|announced|filmed|paid for|forgot|returned|recorded".split("|")
_WHAT = (
    "the stage|a new song|the old harbour|three awards|the light show|a small choir|the winning film|the rain".split(
        "|"
    )
)
_WHERE = (
    "in the hall|behind the curtain|at the river|on Tuesday night|after the break|near the station|for an hour".split(
        "|"
    )
)
_WHY = "because of the storm|without a word|to long applause|for the second time|as planned|against all advice".split(
    "|"
)
_NAMES = "Lantern|Granite|Meadow|Copper|Harbour|Willow|Summit|Juniper|Falcon|Amber".split("|")


def write_articles(folder: Path, n: int, *, seed: int = 7) -> Path:
    """Write `n` articles of about 600 words, always the same for a seed, none a copy of another."""
    rng = random.Random(seed)  # noqa: S311
    folder.mkdir(parents=True)
    for i in range(n):
        event = f"{2000 + i % 25} {_NAMES[i % len(_NAMES)]} Music Awards"
        paragraphs = []
        for _ in range(8):
            sentences = []
            for _ in range(6):
                parts = [rng.choice(words) for words in (_WHO, _DID, _WHAT, _WHERE, _WHY)]
                sentences.append(f"{' '.join(parts)}, and {rng.randrange(10, 10_000)} people saw it.")
            paragraphs.append(" ".join(sentences))
        body = "\n\n".join(paragraphs)
        (folder / f"{i:04}.txt").write_text(f"What happened at the {event}, part {i}\n\n{body}\n", encoding="utf-8")
    return folder


if __name__ == "__main__":
    sys.exit(main())
