"""A real Chromium on a real server over a small library of text that is written here: what the browser tests share.

Every page is watched: a request that leaves the server's origin, an error in the console or a dialog fails the test that
caused it. Screenshots go to artifacts/ (not in git).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_ui_guard import end, start

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("RECAP_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None
)

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_GRADIO = "Method not implemented."  # what Gradio's own client says when it closes the progress of an upload
SHOTS = Path(__file__).parent.parent / "artifacts"
HOST = "Mira Sandoval hosted the 2024 Harbour Awards on Saturday evening"
GALA = f"""Backstage at the 2024 Harbour Awards
By Jo Writer
Harbour Post
September 8, 2024

The 2024 Harbour Awards filled the old pier with music on Saturday, September 7, 2024.

{HOST}, and opened the show with a poem about the tide.

{"".join(f"The band on boat number {i} played while the lamps were lit along the quay.{chr(10) * 2}" for i in range(30))}
Ada Moss received the Golden Anchor Award at the 2024 Harbour Awards for her song about the sea.

The evening ended at midnight with fireworks over the water.

Nils Aker and Petra VossPhoto: Getty Images
Petra Voss and Otto Blank on the quayPhoto: Getty Images
"""
EARLIER = """The 2023 Harbour Awards, in short
By Ola Reed
September 10, 2023

The 2023 Harbour Awards took place on Saturday, September 9, 2023, in the rain.

Bela Tarn received the Golden Anchor Award at the 2023 Harbour Awards.
"""
EVIL = "http://evil.example"
HOSTILE = f"""Scandal at the 2022 Harbour Awards <img src=x onerror=alert(1)>
By <script>alert(2)</script> Eve Hook
September 12, 2022

Rudi Vane hosted the 2022 Harbour Awards <script>alert(3)</script> <img src="{EVIL}/a.png" onerror="alert(4)"> ![p]({EVIL}/b.png) [x](javascript:alert(5)) on September 10, 2022.

<style>@import url({EVIL}/c.css)</style><iframe src="{EVIL}/d"></iframe><svg onload=alert(6)></svg>
"""


@pytest.fixture(scope="module")
def covered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from rag.config import Config
    from rag.ingest.pipeline import ingest
    from rag.store.library import Library

    folder = tmp_path_factory.mktemp("page")
    for name, text in (("gala.txt", GALA), ("earlier.txt", EARLIER), ("hostile.txt", HOSTILE)):
        (folder / name).write_text(text, encoding="utf-8")
    with Library.open(Config(library=folder / "library", llm="none"), create=True) as made:
        report = ingest(made, [str(folder)])
        assert len(report.added) == 3, report
    return folder / "library"


@pytest.fixture(scope="module")
def url(covered: Path) -> Iterator[str]:
    server, address = start(covered)
    yield address
    log = end(server)
    assert "Traceback" not in log, log


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("No Chromium: put chromium on PATH or set RECAP_CHROMIUM.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()


@contextmanager
def visit(
    browser: Browser, url: str, *, width: int = 1440, height: int = 900, watched: bool = True, **options: Any
) -> Iterator[Page]:
    """Open the page and wait until a question can be typed; whatever it does wrong meanwhile fails at the end.

    `watched=False` where the server is taken away: the browser's own errors say so.
    """
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", **options)
    page = context.new_page()
    wrong: list[str] = []
    page.route(re.compile(rf"^(?!{re.escape(url)}|data:|blob:)"), lambda route: route.abort())
    page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else wrong.append(r.url))
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") and m.text != _GRADIO else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("dialog", lambda d: (wrong.append(f"dialog {d.message}"), d.dismiss())[1])
    page.on("response", lambda r: wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    try:
        page.goto(url)
        page.wait_for_selector("#question textarea", timeout=30_000)
        yield page
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
        assert wrong == [] or not watched
    finally:
        context.close()


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    page.wait_for_timeout(150)
    page.screenshot(path=SHOTS / f"{name}.png")


def ask(page: Page, question: str) -> None:
    page.fill("#question textarea", question)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "q => { const t = document.querySelector('#live .turn:not(.streaming)');"
        " return t && t.querySelector('.question').textContent === q }",
        arg=question,
        timeout=30_000,
    )


def in_sight(page: Page, selector: str) -> bool:
    """Tell whether the first such element can be seen: inside the window, and nothing lies over it."""
    return bool(
        page.evaluate(
            """s => { const e = document.querySelector(s), r = e.getClientRects()[0];
            const x = r.left + Math.min(8, r.width / 2), y = r.top + r.height / 2;
            return e.contains(document.elementFromPoint(x, y)) }""",
            selector,
        )
    )


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.className"))
