"""Parts of a benchmark, each in a process of its own, so that none is warmed, or made larger, by another."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rag.errors import RecapError

FAILED = "failed"  # the key under which a part tells why it could not run


def environment() -> dict[str, str]:
    """The environment of a part: Recap as it ships (no `RECAP_*` but the cache), no language model, no hub."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("RECAP_") or k == "RECAP_CACHE"}
    quiet = {"PYTHONWARNINGS": "ignore", "TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "true"}
    return own | {"RECAP_LLM": "none", "HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False"} | quiet


def run_part(module: str, *words: str | Path) -> dict[str, Any]:
    """Run `python -m module words...`; return the JSON object on the last line of its output.

    Its standard error is ours. Raises: RecapError when it failed, with its own sentence where it has one.
    """
    command = [sys.executable, "-m", module, *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment())
    lines = done.stdout.splitlines()
    try:
        result: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    except ValueError:
        result = {}
    if done.returncode or FAILED in result or not result:
        why = result.get(FAILED) or f"It ended with status {done.returncode}; what it said stands above."
        raise RecapError(f"The part {' '.join(map(str, words[:2]))} of the benchmark failed. {why}")
    return result


def answer_part(do: Callable[[], dict[str, Any]]) -> int:
    """Be a part: do it and print its JSON, or the sentence of the RecapError that ended it. Returns the exit status."""
    try:
        print(json.dumps(do()))
    except RecapError as e:
        print(json.dumps({FAILED: str(e)}))
        return 2
    return 0


def peak_rss_mb() -> float:
    """The most memory that this process has held, in MB.

    By /proc where there is one: what `getrusage` says of a process starts at its parent's size.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6


def disk_bytes(folder: Path) -> int:
    """Bytes of the files in a folder and the folders in it."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def timed(do: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


@contextlib.contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Tell how far something is: `tell(done)` moves a bar on a terminal, else writes a line for each tenth."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        print(f"{name}: {total:,}", file=sys.stderr, flush=True)
        told = 0

        def line(done: int) -> None:
            nonlocal told
            if total >= 100 and done * 10 // total > told:
                told = done * 10 // total
                print(f"{name}: {done:,} of {total:,}", file=sys.stderr, flush=True)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, completed=done)


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """The 50th and the 95th percentile in ms of times in seconds."""
    from eval.metrics import percentile

    return {"p50": (percentile(seconds, 50) or 0.0) * 1000, "p95": (percentile(seconds, 95) or 0.0) * 1000}


def about() -> dict[str, Any]:
    """Tell where and with what something was measured."""
    from importlib.metadata import PackageNotFoundError, version

    from eval.run import git_revision

    packages = {}
    for name in ("chromadb", "openvino", "numpy", "tokenizers", "sentence-transformers", "llama-index-core", "bm25s"):
        with contextlib.suppress(PackageNotFoundError):
            packages[name] = version(name)
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "git": git_revision(),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else [],
        "packages": packages,
    }
