"""The engine in a process of its own, limited and watched: it ingests what a case gives it, one case after the other.

The process runs `recap ingest --json` as the command line does, again and again, so that what one case leaves behind (a
broken reader, memory that is not given back, a lock) is the next one's trouble. One that has died is replaced.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
READ_S = 30.0  # of one file; and of all that is done with what was read, up to embedding it
READER_MB = 512 * 1.048576  # the child that parses; MB are 10^6 bytes, its limit is in MiB
ENGINE_MB = 1_500.0
LIMIT_S = 300.0  # of an ingest that goes on and on
ADDRESSES = 4_000_000_000  # bytes of address space (OpenVINO reserves 1.8 GB of it)
CANARY = "CANARY-7391-PELICAN"  # stands in a file that no case may read
HONEST = {  # on both sides of the bad file, and of every kind that needs another part of the reader
    " honest.txt": "The lamps of the harbour were lit at eight, and the band played until midnight.\n",
    "zz honest.html": "<html><body><article><p>"
    + "Forty boats brought their catch to the new market on the quay on Monday morning. " * 4
    + "</p></article></body></html>",
    "zz honest.jsonl": json.dumps(
        {"text": "Mara Quist opened the wooden bridge over the Alder with a pair of garden shears."}
    ),
}
_DROPPED = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: root, too, is told that a file is not for it


@dataclass(frozen=True)
class Outcome:
    """What an ingest came to. Times in seconds, `reads` by source; memory in MB (10^6 bytes), at its peak."""

    status: int
    report: dict[str, Any]
    said: str  # on stderr
    seconds: float
    computing: float  # of the engine's own processor time, without embedding and index
    embedding: float
    reads: tuple[tuple[str, float], ...]  # the slowest 50
    touched: tuple[str, ...]  # written, made, removed outside of the library; connections; programs started
    engine_mb: float
    reader_mb: float

    @property
    def rejected(self) -> dict[str, str]:
        return {r["source"]: r["reason"] for r in self.report["rejected"]}


class Engine:
    """A process that ingests. `folder` becomes its home; nothing may be written there."""

    def __init__(self, folder: Path, **env: str) -> None:
        from rag.store.embed import cache_dir

        self.home = folder / "home"
        self.home.mkdir()
        keep = {k: v for k, v in os.environ.items() if not k.startswith("RECAP_")}
        places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(self.home))
        self.env = keep | places | {"RECAP_CACHE": str(cache_dir()), "PYTHONPATH": str(ROOT), "RECAP_LLM": "none"} | env
        self._child: subprocess.Popen[bytes] | None = None

    def ingest(self, locations: Sequence[str], library: Path, *, limit_s: float = LIMIT_S) -> Outcome:
        """Ingest as the command line does. Raises: AssertionError when the process dies or takes too long."""
        child = self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        with _Peak(child.pid) as peak:
            child.stdin.write(json.dumps({"locations": list(locations), "library": str(library)}).encode() + b"\n")
            child.stdin.flush()
            answer = _line(child.stdout.fileno(), limit_s)
        if answer is None:
            code = child.poll()
            self.close()
            raise AssertionError(
                f"the engine took longer than {limit_s:.0f} s" if code is None else f"the engine died ({code})"
            )
        try:
            return Outcome(**{**json.loads(answer), "reader_mb": peak.mb})
        except (TypeError, ValueError) as e:
            raise AssertionError(f"the engine said what is no report: {answer[:400]!r}") from e

    def _start(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.torture.engine"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.home, env=self.env, preexec_fn=_limited,
            )  # fmt: skip
        return self._child

    def close(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()


def _limited() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    libc = ctypes.CDLL(None)
    for capability in _DROPPED:
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; who is not root has none to drop


def _line(fd: int, limit_s: float) -> bytes | None:
    """Read one line, None when it does not come."""
    end, out = time.monotonic() + limit_s, b""
    while not out.endswith(b"\n"):
        if not select.select([fd], [], [], max(0.0, end - time.monotonic()))[0]:
            return None
        part = os.read(fd, 1 << 20)
        if not part:
            return None
        out += part
    return out


class _Peak:
    """The most memory that any reader of a process had: each is asked every few milliseconds for its own peak."""

    def __init__(self, pid: int) -> None:
        self.pid, self.mb = pid, 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            with contextlib.suppress(OSError, ValueError):
                for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
                    # until it runs the parser it is still the engine, with the engine's memory
                    if b"parse.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        self.mb = max(self.mb, peak_mb(pid))


def peak_mb(pid: str = "self") -> float:
    """Return the most memory that a process has had, in MB; 0 where the system does not say."""
    for row in Path(f"/proc/{pid}/status").read_text().splitlines():
        if row.startswith("VmHWM:"):
            return int(row.split()[1]) * 1024 / 1e6
    return 0.0


# --- what must hold ---------------------------------------------------------------------------------------------------


def write_honest(folder: Path) -> None:
    """Put the honest neighbours into a folder."""
    for name, text in HONEST.items():
        (folder / name).write_text(text, encoding="utf-8")


def must_hold(
    engine: Engine, files: Path, locations: Sequence[str], library: Path, *, web: int | None = None
) -> Outcome:
    """Ingest, and check all that must hold whatever the files are. `files` holds the honest neighbours beside the bad.

    `web` is the port on loopback that may be asked.

    Raises: AssertionError.
    """
    from rag.config import Config
    from rag.ingest.read import MAX_TEXT
    from rag.store.library import Library

    around = library.parent
    before = tree(around, without=library)
    out = engine.ingest(locations, library)
    if changed := sorted(before.items() ^ tree(around, without=library).items(), key=str):
        raise AssertionError(f"files outside of the library changed: {changed[:3]}")
    went = [t for t in out.touched if web is None or not (t.startswith("socket.connect") and t.endswith(f", {web})"))]
    assert not went, f"it went outside of the library: {went[:3]}"
    assert not list(engine.home.iterdir()), f"written to the home: {list(engine.home.iterdir())[:3]}"
    assert out.status == bool(out.rejected), f"exit status {out.status}: {out.said[-300:]}"
    assert "Traceback" not in out.said, out.said[-300:]
    for source, reason in out.rejected.items():
        plain = reason.endswith(".") and reason.isprintable() and len(reason) < 800
        assert plain, f"no reason for {source!r}: {reason!r}"
        assert source.isprintable(), f"not printable: {source!r}"
    for source, took in out.reads:
        assert took <= READ_S, f"{source!r} took {took:.1f} s to read"
    assert out.computing <= READ_S, f"{out.computing:.1f} s of computing, without embedding"
    assert out.reader_mb <= READER_MB, f"the reader had {out.reader_mb:.0f} MB"
    assert out.engine_mb <= ENGINE_MB, f"the engine had {out.engine_mb:.0f} MB"
    with Library.open(Config(library=library, llm="none")) as opened:
        texts = {r["source"]: r["text"] for r in opened.rows("SELECT source, text FROM articles")}
    for name in HONEST:
        source = (files / name).as_uri() + ("#1" if name.endswith(".jsonl") else "")
        assert source in texts, f"{name}, an honest file beside it, did not come in: {out.rejected.get(source)}"
    passwd = Path("/etc/passwd").read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    for source, text in texts.items():
        assert 0 < len(text) <= MAX_TEXT, f"{source!r} has {len(text)} characters"
        assert not any(x in text for x in (CANARY, passwd)), f"{source!r} holds what is in another file"
    return out


def tree(top: Path, *, without: Path) -> dict[str, tuple[int, int, int]]:
    """Return kind, size and time of change of all that is under a folder, by path; fifos and broken links, too."""
    out: dict[str, tuple[int, int, int]] = {}
    folders = [str(top)]
    while folders:  # not os.walk: it recurses, and some of these trees are deep
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:  # deeper than a path may be long
            for entry in entries:
                if entry.path == str(without):
                    continue
                info = entry.stat(follow_symlinks=False)
                out[entry.path] = (info.st_mode, info.st_size, info.st_mtime_ns)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return out


def figures(out: Outcome) -> dict[str, float]:
    """Return what a case measured."""
    return {
        "read_s": round(max((s for _, s in out.reads), default=0.0), 2),
        "reader_mb": round(out.reader_mb),
        "engine_mb": round(out.engine_mb),
    }


def missing() -> str | None:
    """Say why this cannot be watched here, None when it can."""
    told = Path(f"/proc/self/task/{os.getpid()}/children").exists()
    return None if told else "It needs Linux, whose /proc tells what a process and its children use."


# --- the process ------------------------------------------------------------------------------------------------------

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EMBEDDED = 300
_CHANGES = {
    "os.mkdir",
    "os.rename",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.remove",
    "os.rmdir",
    "os.chmod",
    "os.chown",
}


class _Watch:
    """Notes what Python does outside of `within`: an audit hook, which nothing in the process can take off."""

    def __init__(self) -> None:
        self.within: tuple[str, ...] = ()
        self.touched: list[str] = []
        self.on = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(args[0], str | bytes) and (args[2] or 0) & _WRITES:
            self._note(event, args[0])
        elif event in _CHANGES:
            for path in (a for a in args if isinstance(a, str | bytes)):
                self._note(event, path)
        elif event == "socket.connect":
            self.touched.append(f"{event} {args[1]!r}")
        elif event in ("os.system", "os.exec", "os.posix_spawn") or (
            event == "subprocess.Popen" and "parse.py" not in str(args[1])
        ):
            self.touched.append(f"{event} {args[:2]!r}"[:200])

    def _note(self, event: str, path: str | bytes) -> None:
        full = os.path.realpath(os.fsdecode(path))
        if full != os.devnull and not any(full == p or full.startswith(p + os.sep) for p in self.within):
            self.touched.append(f"{event} {full}")


def _serve() -> None:
    import numpy as np

    from rag.__main__ import run
    from rag.ingest import pipeline
    from rag.store.vectors import VectorIndex

    sys.dont_write_bytecode = True
    reply = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    watch = _Watch()
    sys.addaudithook(watch)
    reads: list[tuple[str, float]] = []
    embedding = [0.0, 0.0]  # by the clock, and of this process's own
    read, embed, sync = pipeline.read, pipeline.embed_passages, VectorIndex.sync

    def timed_read(*args: Any, **kwargs: Any) -> Iterator[Any]:
        found = read(*args, **kwargs)
        while True:
            began = time.monotonic()
            item = next(found, None)
            took = time.monotonic() - began
            if item is None:
                return
            reads.append((item.source, round(took, 3)))
            yield item

    def timed_embed(embedder: Any, passages: Sequence[tuple[str, str]]) -> Any:
        """Embed as ever, but of a text of megabytes only the first passages: the rest, minutes of it, is no news."""
        began, spent = time.monotonic(), time.process_time()
        try:
            rows = embed(embedder, passages[:_EMBEDDED])
            others = np.random.default_rng(0).standard_normal((len(passages) - len(rows), rows.shape[1]), np.float32)
            return np.concatenate([rows, others / np.linalg.norm(others, axis=1, keepdims=True)])
        finally:
            embedding[0] += time.monotonic() - began
            embedding[1] += time.process_time() - spent

    def timed_sync(self: VectorIndex) -> None:
        spent = time.process_time()
        try:
            sync(self)
        finally:
            embedding[1] += time.process_time() - spent

    pipeline.read, pipeline.embed_passages = timed_read, timed_embed  # type: ignore[attr-defined]
    VectorIndex.sync = timed_sync  # type: ignore[method-assign]
    for line in sys.stdin:
        asked = json.loads(line)
        reads.clear()
        watch.touched.clear()
        embedding[:] = [0.0, 0.0]
        watch.within = (os.path.realpath(asked["library"]), os.path.realpath(os.environ["RECAP_CACHE"]))
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        out, errors = io.StringIO(), io.StringIO()
        began, spent = time.monotonic(), time.process_time()
        watch.on = True
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            status = run(["ingest", "--json", "--library", asked["library"], "--", *asked["locations"]])
        watch.on = False
        took, spent = time.monotonic() - began, time.process_time() - spent
        said = errors.getvalue()
        try:
            report = json.loads(out.getvalue())
        except ValueError:
            report = {"rejected": [], "added": []}
        slowest = sorted(reads, key=lambda r: -r[1])[:50]
        answer = {
            "status": status, "report": report, "said": said[-4000:], "seconds": took, "computing": spent - embedding[1],
            "embedding": embedding[0], "reads": slowest, "touched": watch.touched[:10], "engine_mb": peak_mb(), "reader_mb": 0.0,
        }  # fmt: skip
        reply.write(json.dumps(answer).encode() + b"\n")
        reply.flush()


if __name__ == "__main__":
    _serve()
