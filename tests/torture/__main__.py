"""`python -m tests.torture [ROW...] [--out DIR] [--cases N]`: every fault with all its cases, and a report of what the counts prove.

Each row runs in a process of its own. A case that kills its process, or that takes too long, has failed; the next goes on in a
new process. What was done stands in OUT/results.jsonl, a line a case: a run that was stopped goes on there, unless the code
has changed since. Exit status: 0 all held; 1 something did not; 2 a row could not run here.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.torture import NAMES, Row, row

ROOT = Path(__file__).parents[2]
START_S = 300.0  # for what stands around a row's cases: a server, a browser, a library
_IMPORTS = re.compile(r"\b(tests(?:\.\w+)*)(?: import (?:\(([^)]*)\)|([\w, ]+)))?")
_WHY = 600  # characters of a failure that are kept


@dataclass(frozen=True)
class Result:
    """One case. `why` is "" when it held; `figures` are what it measured."""

    row: str
    n: int
    code: str  # digest of the code that ran
    seconds: float
    why: str = ""
    figures: dict[str, float] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description="Break Recap in every way we know.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"some of {' '.join(NAMES)} (default: all)")
    parser.add_argument("--out", type=Path, default=ROOT / "artifacts" / "torture", metavar="DIR")
    parser.add_argument("--cases", type=int, metavar="N", help="at most N cases a row")
    parser.add_argument("--anew", action="store_true", help="forget what was run before")
    parser.add_argument("--child", nargs=2, metavar=("CASES", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if unknown := set(args.rows) - set(NAMES):
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    if args.child:
        return _child(row(args.rows[0]), [int(n) for n in args.child[0].split(",")], Path(args.child[1]))
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "results.jsonl"
    if args.anew:
        file.unlink(missing_ok=True)
    names = args.rows or list(NAMES)
    code = {name: code_digest(name) for name in names}
    done = {(r.row, r.n): r for r in load(file) if r.code == code.get(r.row)}
    missing: dict[str, str] = {}
    try:
        for name in names:
            r = row(name)
            if why := r.missing():
                missing[name] = why
                print(f"{name}: not run. {why}", flush=True)
                continue
            wanted = range(min(r.full, args.cases or r.full))
            left = [n for n in wanted if (name, n) not in done]
            with file.open("a", encoding="utf-8") as out:
                for result in run_row(r, left, code[name], said=_tell(r, len(wanted), len(wanted) - len(left))):
                    done[name, result.n] = result
                    out.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
                    out.flush()
    except KeyboardInterrupt:
        print(f"\nStopped. What was done is in {file}; the same command goes on there.", file=sys.stderr)
        return 130
    text = report([row(n) for n in names], list(done.values()), missing)
    (args.out / "report.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\nWritten to {args.out / 'report.md'}.")
    failed = any(r.why for k, r in done.items() if k[0] in names)
    return 1 if failed else 2 if missing else 0


def code_digest(name: str) -> str:
    """Return a digest of all code that a case of a row may run: results of other code prove nothing."""
    product = (p for top in ("rag", "ui", "eval") for p in (ROOT / top).rglob("*"))
    files = {p for p in product if p.suffix in (".py", ".js", ".css", ".toml", ".onnx")}
    left = [Path(__file__), Path(__file__).with_name(f"{name}.py")]
    while left:
        files.add(p := left.pop())
        left += {f for f in _used(p) if f not in files}
    digest = hashlib.sha256()
    for p in sorted(files):
        digest.update(str(p.relative_to(ROOT)).encode() + b"\0" + p.read_bytes())
    return digest.hexdigest()[:12]


def _used(file: Path) -> Iterator[Path]:
    """Yield the files under tests/ that one names, be it in a program that it gives to another process."""
    for module, *imported in _IMPORTS.findall(file.read_text(encoding="utf-8")):
        place = ROOT.joinpath(*module.split("."))
        for f in (place, place / "__init__", *(place / word for word in re.findall(r"\w+", " ".join(imported)))):
            if (found := f.with_suffix(".py")).is_file():
                yield found


def load(file: Path) -> list[Result]:
    """Read results; a last line that was cut off is left out."""
    out = []
    for line in file.read_text(encoding="utf-8").split("\n") if file.exists() else ():
        with contextlib.suppress(ValueError, TypeError):
            out.append(Result(**json.loads(line)))
    return out


def run_row(r: Row, cases: Sequence[int], code: str, *, said: Callable[[Result], None]) -> Iterator[Result]:
    """Run cases of a row in processes of their own, a new one after each that dies."""
    left = list(cases)
    while left:
        with tempfile.TemporaryDirectory(prefix=f"recap-torture-{r.name}-", ignore_cleanup_errors=True) as folder:
            for result in _one_process(r, left, code, folder):
                left.remove(result.n)
                said(result)
                yield result


def _one_process(r: Row, cases: Sequence[int], code: str, folder: str) -> Iterator[Result]:
    """Yield the results of one child; when it dies or hangs, the case that it was at has failed."""
    command = [sys.executable, "-m", "tests.torture", r.name, "--child", ",".join(map(str, cases)), folder]
    log = Path(folder) / "stderr"
    with log.open("w") as errors:
        child = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
    assert child.stdout is not None
    at, began = cases[0], time.monotonic()
    finished = False
    try:
        limit = START_S + r.limit_s
        until = [began + limit]
        for line in _lines(child.stdout, until):
            if not line.startswith("torture "):
                continue
            message = json.loads(line[8:])
            if "begin" in message:
                at, began, limit = message["begin"], time.monotonic(), r.limit_s
            elif "end" in message:
                finished = True
            else:
                began, limit = time.monotonic(), START_S
                yield Result(code=code, row=r.name, **message)
            until[0] = began + limit
    finally:
        hung = child.poll() is None and not finished
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(30 if finished else 2)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    if not finished:
        what = f"took longer than {limit:.0f} s" if hung else f"its process ended with {child.returncode}"
        tail = log.read_text(encoding="utf-8", errors="replace")[-_WHY:]
        yield Result(r.name, at, code, time.monotonic() - began, f"{what}. {tail}".strip())


def _lines(stream: IO[str], until: Sequence[float]) -> Iterator[str]:
    """Yield lines until the end, or until `until[0]` (a reading of the monotonic clock, which may be moved) has passed."""
    os.set_blocking(stream.fileno(), False)
    rest = b""
    with selectors.DefaultSelector() as ready:
        ready.register(stream, selectors.EVENT_READ)
        while (left := until[0] - time.monotonic()) > 0:
            if not ready.select(min(left, 1.0)):
                continue
            data = os.read(stream.fileno(), 65536)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            yield from (line.decode() for line in whole)


def _child(r: Row, cases: Iterable[int], folder: Path) -> int:
    """Run cases in this process and write what became of each, for the parent."""

    def write(message: dict[str, Any]) -> None:
        print("torture " + json.dumps(message), flush=True)

    shared = folder / "around"
    shared.mkdir()
    with r.around(shared) as given:
        for n in cases:
            own = folder / str(n)
            own.mkdir()
            write({"begin": n})
            began, why = time.monotonic(), ""
            figures: dict[str, float] = {}
            try:
                figures = r.case(n, given, own) or {}
            except Exception as e:
                where = traceback.extract_tb(e.__traceback__)[-1]
                why = f"{type(e).__name__} in {Path(where.filename).name}:{where.lineno}: {e}"[:_WHY]
            write({"n": n, "seconds": round(time.monotonic() - began, 3), "why": why, "figures": figures})
            shutil.rmtree(own, ignore_errors=True)
        write({"end": True})
    return 0


def _tell(r: Row, of: int, before: int) -> Callable[[Result], None]:
    """Return what draws the progress: a line that is rewritten on a terminal, every tenth elsewhere."""
    seen = {"done": before, "failed": 0}
    print(f"{r.name}: {r.fault}{f' ({before} of {of} were done before)' if before else ''}", flush=True)

    def tell(result: Result) -> None:
        seen["done"] += 1
        seen["failed"] += bool(result.why)
        if result.why:
            print(f"\n  case {result.n} FAILED: {result.why}", flush=True)
        if sys.stdout.isatty():
            print(
                f"\r  {seen['done']} of {of}, {seen['failed']} failed",
                end="\n" if seen["done"] == of else "",
                flush=True,
            )
        elif seen["done"] == of or seen["done"] % max(1, of // 10) == 0:
            print(f"  {seen['done']} of {of}, {seen['failed']} failed", flush=True)

    return tell


# --- the report -------------------------------------------------------------------------------------------------------


def bound(cases: int, failed: int) -> float:
    """Return the share of such faults that may still get through, at 95%.

    Source: the rule of three, 3/n, when none failed; else the upper end of Clopper and Pearson's one-sided interval.
    """
    if not cases:
        return 1.0
    if not failed:
        return min(1.0, 3 / cases)
    from scipy.stats import beta

    return 1.0 if failed == cases else float(beta.ppf(0.95, failed + 1, cases - failed))


def report(rows: Sequence[Row], results: Sequence[Result], missing: dict[str, str]) -> str:
    """Draw the Markdown table: a row a fault, then every failed case."""
    lines = [
        "| fault | must hold | cases | failed | true rate at most (95%) | time | measured |",
        "|---|---|---|---|---|---|---|",
    ]
    bad: list[str] = []
    for r in rows:
        own = sorted((x for x in results if x.row == r.name), key=lambda x: x.n)
        failed = [x for x in own if x.why]
        count = f"{len(own)}" if len(own) >= r.full else f"{len(own)} of {r.full}"
        rate = f"{100 * bound(len(own), len(failed)):.1f}%" if own else "-"
        if r.name in missing:
            count = f"not run: {missing[r.name]}"
        took = f"{sum(x.seconds for x in own):.0f} s"
        lines.append(
            f"| **{r.name}**: {r.fault} | {r.required} | {count} | {len(failed)} | {rate} | {took} | {_figures(own)} |"
        )
        bad += [f"- {r.name} {x.n}: {x.why}".replace("\n", " ") for x in failed]
    return "\n".join([*lines, "", *(["Failed:", "", *bad, ""] if bad else [])])


def _figures(results: Sequence[Result]) -> str:
    """Return each figure that the cases measured: one value, or the median and the largest; of percentages the mean."""
    names = dict.fromkeys(k for r in results for k in r.figures)
    out = []
    for name in names:
        values = sorted(r.figures[name] for r in results if name in r.figures)
        middle, most = values[len(values) // 2], values[-1]
        if "%" in name:
            out.append(f"{name} {sum(values) / len(values):.3g}")
            continue
        out.append(f"{name} {middle:.4g}" + (f" (at most {most:.4g})" if most != middle else ""))
    return ", ".join(out)


if __name__ == "__main__":
    sys.exit(main())
