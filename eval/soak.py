"""A soak of the page: a real server asked many questions over HTTP, as browsers ask; memory, times, errors, cross-talk.

`python -m eval.soak LIBRARY FACTS [--questions 500] [--visitors 8]` starts `python -m ui` over the library, lets each
visitor ask in a conversation of their own, and prints JSON: resident memory after every tenth and its growth over the
second half (before, caches fill), milliseconds a question, errors, and answers that another visitor's question got. With Playwright and a Chromium it also
measures the first visit: milliseconds until a question can be typed. What it does not know: whether answers are right.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from eval.facts import load_facts
from eval.parts import answer_part, environment, progress, spread
from rag.errors import RecapError

_VISITS = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Read the flags and soak; exit status 0, or 2 when it could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m eval.soak", description="Ask a real page many questions.")
    parser.add_argument("library", type=Path)
    parser.add_argument("facts", type=Path)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--visitors", type=int, default=8, help="how many ask at the same time")
    args = parser.parse_args(argv)
    return answer_part(lambda: soak(args.library, args.facts, questions=args.questions, visitors=args.visitors))


def soak(library: Path, facts: Path, *, questions: int, visitors: int) -> dict[str, Any]:
    """Ask `questions` questions of the facts, drawn with a fixed seed, from `visitors` threads at a time."""
    texts = [f.question for f in load_facts([facts]) if not f.history]
    rng = random.Random(1)  # noqa: S311
    asked = [rng.choice(texts) for _ in range(questions)]
    command = [sys.executable, "-m", "ui", "--library", str(library), "--port", "0", "--no-browser"]
    with Path(os.devnull).open("w") as nowhere:
        server = subprocess.Popen(command, env=environment(), text=True, stdout=subprocess.PIPE, stderr=nowhere)
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        if found is None:
            raise RecapError("The page did not start. Run it alone to see why: python -m ui")
        url = found[0]
        _Visitor(url).ask(asked[0])  # the models load
        first = first_visit(url)
        took: list[float] = []
        wrong: list[str] = []
        memory: list[tuple[int, float]] = []
        waiting = iter(asked)
        lock = threading.Lock()

        def visit() -> None:
            visitor = _Visitor(url)
            while True:
                with lock:
                    question = next(waiting, None)
                if question is None:
                    return
                began = time.perf_counter()
                trouble = visitor.ask(question)
                with lock:
                    took.append(time.perf_counter() - began)
                    if trouble:
                        wrong.append(trouble)
                    if len(took) in marks:
                        memory.append((len(took), _rss_mb(server.pid)))
                    tell(len(took))

        marks = {round(questions * i / 10) for i in range(1, 11)}
        with progress("Questions", questions) as tell:
            threads = [threading.Thread(target=visit) for _ in range(visitors)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        half, end = memory[len(memory) // 2 - 1][1], memory[-1][1]
        return {
            "questions": questions, "visitors": visitors, "errors": len(wrong), "said": sorted(set(wrong))[:5],
            "answer_ms": spread(took), "rss_mb": memory, "rss_growth": end / half - 1, "first_visit_ms": first,
        }  # fmt: skip
    finally:
        server.terminate()
        server.wait(timeout=60)


class _Visitor:
    """One browser's session with the page."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = os.urandom(6).hex()
        config = httpx.get(url + "/config", timeout=60).json()
        names = {c["id"]: c["props"].get("elem_id") for c in config["components"]}
        self.asking = next(
            d["id"] for d in config["dependencies"] if any(names.get(t[0]) == "ask" and t[1] == "click" for t in d["targets"])
        )  # fmt: skip
        self.live = next(
            i for d in config["dependencies"] if d["id"] == self.asking for i, o in enumerate(d["outputs"]) if names.get(o) == "live"
        )  # fmt: skip

    def ask(self, question: str) -> str:
        """Ask; return what went wrong, "" for an answer to this very question."""
        body = {"data": [question, "", None, None, None], "fn_index": self.asking, "session_hash": self.session}
        httpx.post(self.url + "/gradio_api/queue/join", json=body, timeout=60).raise_for_status()
        drawn, done = "", False
        where = {"session_hash": self.session}
        with httpx.stream("GET", self.url + "/gradio_api/queue/data", params=where, timeout=60) as events:
            for line in events.iter_lines():
                if not line.startswith("data: "):
                    continue
                message = json.loads(line[6:])
                if message["msg"] == "process_completed":
                    done = bool(message["success"])
                if message["msg"] in ("process_generating", "process_completed") and message["output"].get("data"):
                    drawn = _grown(drawn, message["output"]["data"][self.live])
                if message["msg"] == "process_completed":
                    break
        heading = re.sub(r"<[^>]+>", "", drawn.partition("</h2>")[0])
        if not done or "failure" in drawn:
            return "the page reported an error"
        return "" if html.unescape(heading) == " ".join(question.split()) else "another question's answer"


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
