"""A soak of the page: a real server asked many questions over HTTP, as browsers ask; memory, times, errors, cross-talk.

`python -m eval.soak LIBRARY FACTS [--questions 500] [--visitors 8] [--ingest]` starts `python -m ui` over the library, lets
each visitor ask in conversations of their own, and prints JSON: resident memory after every tenth and its growth over the
second half (before, caches fill), milliseconds a question, errors, and answers that another visitor's question got. With
--ingest the library's copy is written by another process all the time (eval/churn.py), after a tenth as many questions
without it, to compare with. With Playwright and a Chromium it also measures the first visit: milliseconds until a question
can be typed. What it does not know: whether answers are right.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from eval.facts import load_facts
from eval.parts import answer_part, environment, progress, spread
from rag.errors import RecapError

_VISITS = 5
_A_TALK = 10  # questions after which a visitor begins a new conversation
_LEAST = 40  # questions that a 95th percentile is taken of


def main(argv: Sequence[str] | None = None) -> int:
    """Read the flags and soak; exit status 0, or 2 when it could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m eval.soak", description="Ask a real page many questions.")
    parser.add_argument("library", type=Path)
    parser.add_argument("facts", type=Path)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--visitors", type=int, default=8, help="how many ask at the same time")
    parser.add_argument("--ingest", action="store_true", help="with articles added, edited and removed meanwhile")
    a = parser.parse_args(argv)
    do = soak_with_ingest if a.ingest else soak
    return answer_part(lambda: do(a.library, a.facts, questions=a.questions, visitors=a.visitors))


def soak(library: Path, facts: Path, *, questions: int, visitors: int) -> dict[str, Any]:
    """Ask `questions` questions of the facts, drawn with a fixed seed, from `visitors` threads at a time."""
    with serving(library) as page:
        talks = drawn_talks(facts, questions)
        Visitor(page.url).ask(talks[0][0])  # the models load
        first = first_visit(page.url)
        run = visited(page, talks, visitors=visitors)
    return {"questions": questions, "visitors": visitors, **told(run), "first_visit_ms": first}


def soak_with_ingest(library: Path, facts: Path, *, questions: int, visitors: int) -> dict[str, Any]:
    """The same over a copy of the library, first as it is, then while another process writes to it without a pause.

    `idle` are the figures of a tenth of the questions before, `ratio` is loaded by idle p95, `ingest` what was written.
    """
    with tempfile.TemporaryDirectory(prefix="recap-soak-") as folder:
        copy = Path(folder) / "library"
        shutil.copytree(library, copy)
        with serving(copy) as page:
            talks = drawn_talks(facts, questions)
            Visitor(page.url).ask(talks[0][0])
            visited(page, drawn_talks(facts, _LEAST, seed=2), visitors=visitors)  # caches fill
            idle = visited(page, drawn_talks(facts, max(_LEAST, questions // 10), seed=3), visitors=visitors)
            with _writing(copy) as written:
                run = visited(page, talks, visitors=visitors)
    loaded, before = told(run), told(idle)
    ratio = loaded["answer_ms"]["p95"] / before["answer_ms"]["p95"]
    return {"questions": questions, "visitors": visitors, **loaded, "idle": before, "ratio": ratio, "ingest": written}


@contextlib.contextmanager
def _writing(library: Path) -> Iterator[dict[str, int]]:
    """Keep eval/churn.py at work meanwhile; what it did is in the dict afterwards. Raises: RecapError if it failed."""
    command = [sys.executable, "-m", "eval.churn", str(library)]
    writer = subprocess.Popen(command, env=environment(), text=True, stdout=subprocess.PIPE)
    written: dict[str, int] = {}
    assert writer.stdout is not None
    try:
        writer.stdout.readline()  # its first round is done: its models are loaded
        yield written
        running = writer.poll() is None
        writer.terminate()
        last = writer.communicate(timeout=120)[0].splitlines()[-1:]
        if not running or writer.returncode or not last:
            raise RecapError("The ingest that went on at the same time failed; what it said stands above.")
        written.update(json.loads(last[0]))
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()


@dataclass(frozen=True, slots=True)
class Page:
    """A server that runs: its address, its process, and the file that its standard error goes to."""

    url: str
    pid: int
    log: Path


@contextlib.contextmanager
def serving(library: Path, **settings: str) -> Iterator[Page]:
    """Run `python -m ui` over a library; `settings` are set in its environment. Raises: RecapError when it does not start."""
    command = [sys.executable, "-m", "ui", "--library", str(library), "--port", "0", "--no-browser"]
    with tempfile.TemporaryDirectory(prefix="recap-page-") as folder:
        log = Path(folder) / "stderr"
        with log.open("w") as errors:
            env = environment() | settings
            server = subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=errors)
        assert server.stdout is not None
        try:
            found = re.search(r"http://\S+", server.stdout.readline())
            if found is None:
                server.wait(60)
                raise RecapError(f"The page did not start. {log.read_text(encoding='utf-8')[-500:]}".strip())
            yield Page(found[0], server.pid, log)
        finally:
            server.terminate()
            try:
                server.wait(timeout=60)
            finally:
                server.kill()
                server.stdout.close()


def drawn_talks(facts: Path, questions: int, *, seed: int = 1) -> list[list[str]]:
    """Draw conversations with `questions` questions in all: a question of a fact, after those that stood before it."""
    before = [[*(t.content for t in f.history if t.role == "user"), f.question] for f in load_facts([facts])]
    rng = random.Random(seed)  # noqa: S311
    talks: list[list[str]] = []
    while (left := questions - sum(map(len, talks))) > 0:
        talks.append(rng.choice(before)[:left])
    return talks


@dataclass(frozen=True, slots=True)
class Run:
    """What became of many questions: seconds to the whole answer, what went wrong, and (questions done, MB) in between."""

    took: list[float]
    wrong: list[str]
    memory: list[tuple[int, float]]


def visited(page: Page, talks: Sequence[Sequence[str]], *, visitors: int) -> Run:
    """Ask the questions of the conversations, each conversation from one of `visitors` threads."""
    questions = sum(map(len, talks))
    marks = {round(questions * i / 10) for i in range(1, 11)}
    run = Run([], [], [(0, _rss_mb(page.pid))])
    waiting = iter(talks)
    lock = threading.Lock()

    def visit(tell: Callable[[int], None]) -> None:
        with Visitor(page.url) as visitor:
            asked = 0
            while True:
                with lock:
                    talk = next(waiting, None)
                if talk is None:
                    return
                if asked + len(talk) > _A_TALK:
                    visitor.begin_anew()
                    asked = 0
                asked += len(talk)
                for question in talk:
                    try:
                        answer = visitor.ask(question)
                        took, trouble = answer.whole_s, answer.trouble
                    except (httpx.HTTPError, ValueError, LookupError) as e:
                        took, trouble = 0.0, f"{type(e).__name__}: {e}"
                    with lock:
                        run.took.append(took)
                        if trouble:
                            run.wrong.append(trouble)
                        if len(run.took) in marks:
                            run.memory.append((len(run.took), _rss_mb(page.pid)))
                        tell(len(run.took))

    with progress("Questions", questions) as tell:
        threads = [threading.Thread(target=visit, args=(tell,)) for _ in range(visitors)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    return run


def told(run: Run) -> dict[str, Any]:
    """Return the figures of a run."""
    half, end = run.memory[len(run.memory) // 2][1], run.memory[-1][1]
    return {
        "errors": len(run.wrong), "said": sorted(set(run.wrong))[:5], "answer_ms": spread(run.took), "rss_mb": run.memory,
        "rss_growth": end / half - 1,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a visitor saw of an answer: the turn's markup, and seconds until its first words and until it was whole."""

    question: str
    markup: str
    done: bool
    first_s: float | None
    whole_s: float

    @property
    def answer(self) -> str:
        """The words of the answer alone, without sources and notes."""
        return _plain("".join(re.findall(r'<div class="answer"[^>]*>(.*?)</div>', self.markup, re.S)))

    @property
    def notes(self) -> list[str]:
        """The notes under the answer."""
        return [_plain(n) for n in re.findall(r"<li>(.*?)</li>", "".join(_NOTES.findall(self.markup)), re.S)]

    @property
    def trouble(self) -> str:
        """What went wrong, "" for an answer to this very question."""
        if not self.done or 'class="failure"' in self.markup:
            return "the page reported an error"
        heading = _plain(self.markup.partition("</h2>")[0])
        return "" if heading == " ".join(self.question.split()) else "another question's answer"


_NOTES = re.compile(r'<ul class="notes">(.*?)</ul>', re.S)


def _plain(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


class Visitor:
    """One browser's session with the page."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = os.urandom(6).hex()
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False, verify=False)  # noqa: S501  # nosec B501  # loopback
        config = self.client.get("/config").json()
        calls = config["dependencies"]
        names = {c["id"]: c["props"].get("elem_id") for c in config["components"]}

        def clicked(name: str) -> dict[str, Any]:
            return next(d for d in calls if any(names.get(t[0]) == name and t[1] == "click" for t in d["targets"]))

        asking, new = clicked("ask"), clicked("new")["id"]
        self.asking = asking["id"]
        self.anew = next(d["id"] for d in calls if d["trigger_after"] == new)
        self.live = next(i for i, o in enumerate(asking["outputs"]) if names.get(o) == "live")

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *exc: object) -> None:
        self.client.close()

    def begin_anew(self) -> None:
        """Begin a new conversation in the same window."""
        self._post("/gradio_api/run/predict", [None, None, None], self.anew)

    def ask(self, question: str) -> Drawn:
        """Ask, and wait until the answer is whole. Raises: httpx.HTTPError."""
        began = time.perf_counter()
        self._post("/gradio_api/queue/join", [question, "", None, None, None], self.asking)
        drawn, done, first = "", False, None
        where = {"session_hash": self.session}
        with self.client.stream("GET", "/gradio_api/queue/data", params=where) as events:
            for message in _messages(events.iter_lines()):
                if message["msg"] == "process_completed":
                    done = bool(message["success"])
                if message["msg"] in ("process_generating", "process_completed") and message["output"].get("data"):
                    drawn = _grown(drawn, message["output"]["data"][self.live])
                    if first is None and 'class="answer"' in drawn:
                        first = time.perf_counter() - began
                if message["msg"] == "process_completed":
                    break
        return Drawn(question, drawn, done, first, time.perf_counter() - began)

    def _post(self, path: str, data: list[Any], call: int) -> None:
        body = {"data": data, "fn_index": call, "session_hash": self.session}
        self.client.post(path, json=body).raise_for_status()


def _messages(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line[6:])


def _grown(before: str, change: Any) -> str:
    """Apply what the server sends of a text that grows: the text, or edits of the one before."""
    if isinstance(change, str):
        return change
    if isinstance(change, list):
        for action, path, value in change:
            if not path and action in ("replace", "append"):
                before = value if action == "replace" else before + value
    return before


def first_visit(url: str) -> dict[str, float] | None:
    """Milliseconds until a question can be typed, of a browser that has never been here; None without a Chromium."""
    chromium = os.environ.get("RECAP_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if chromium is None:
        return None
    took = []
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(_VISITS):
            page = browser.new_context().new_page()
            began = time.perf_counter()
            page.goto(url, wait_until="commit")
            page.wait_for_selector("#question textarea")
            page.fill("#question textarea", "ready")
            took.append(time.perf_counter() - began)
            page.context.close()
        browser.close()
    return spread(took)


def _rss_mb(pid: int) -> float:
    """Resident memory of a process in MB (10^6 bytes), from /proc."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main())
