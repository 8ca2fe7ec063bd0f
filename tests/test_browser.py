"""The page in a real Chromium: ask, read the streamed answer, open a citation, see the passage lit in its article."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pages import EVIL, HOST, ask, focused, in_sight, shot, visit
from tests.test_ui_guard import end, start
from ui.guard import hash_password
from ui.strings import EN

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

SLOW = """
import sys, time
from pathlib import Path
from rag.config import Config
from rag.errors import LibraryCorrupt
from rag.types import Answer
from ui.app import serve

def slow(library, question, *, history=(), as_of=None, event=None, year=None, rewrite=True):
    if "damaged" in question:
        raise LibraryCorrupt("The library's file is damaged. Put it back from a backup.")
    if "surprise" in question:
        raise ValueError("a secret of the server")
    try:
        for i in range(1, 200):
            yield Answer(question, question, "word " * i, done=False)
            time.sleep(0.05)
        yield Answer(question, question, "the end")
    finally:
        Path(sys.argv[2]).touch()

serve(Config(library=Path(sys.argv[1]), llm="none", port=int(sys.argv[3])), ask_stream=slow, browser=False)
"""


def test_a_question_is_answered_and_its_passage_is_lit(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
        assert "2024 Harbour Awards" in page.inner_text("#welcome")
        assert page.title() == "Recap"
        shot(page, "wide-first")
        ask(page, "Who hosted the 2024 Harbour Awards?")
        assert "Mira Sandoval" in page.inner_text("#live .answer")
        assert EN.engine_reader in page.inner_text("#live .by")
        shot(page, "wide-answer")

        marker = page.get_by_role("button", name=re.compile(r"^Source 1: Backstage at the 2024 Harbour Awards"))
        marker.first.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#reader mark.lit")
        page.wait_for_function("() => document.activeElement.classList.contains('headline')")
        assert HOST in page.inner_text("#reader mark.lit")
        assert in_sight(page, "#reader mark.lit")
        for said in ("Backstage at the 2024 Harbour Awards", "Published 8 September 2024", "fireworks over the water"):
            assert said in page.inner_text("#reader")
        shot(page, "wide-evidence")
        page.keyboard.press("Escape")
        assert focused(page).startswith("Source 1: Backstage")


def test_a_follow_up_is_shown_as_understood_and_can_be_asked_as_written(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, "Who received the Golden Anchor Award at the 2024 Harbour Awards?")
        assert not page.is_visible("#plain")
        ask(page, "and in 2023?")
        understood = page.inner_text("#live .standalone")
        assert "Golden Anchor Award" in understood
        assert "2023" in understood
        shot(page, "wide-follow-up")
        page.click("#live button[value^='edit:']")
        page.wait_for_function(
            "() => document.querySelector('#question textarea').value.includes('Golden Anchor Award')"
        )
        page.click("#notice button[value^='unedit:']")
        page.wait_for_function("() => document.querySelector('#question textarea').value === ''")
        page.click("#plain")
        page.wait_for_function(
            "() => !document.querySelector('#live .standalone') && document.querySelector('#live .by')"
        )
        assert page.inner_text("#live .question") == "and in 2023?"
        assert not page.is_visible("#plain")


def test_an_older_answer_brings_its_evidence_back(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, "Who received the Golden Anchor Award in 2024?")
        ask(page, "And the year before?")
        assert "Bela Tarn" in page.inner_text("#live .answer")
        assert EN.standalone in page.inner_text("#live .standalone")
        assert "2023" in page.inner_text("#live .standalone")
        page.locator("#live button.cite").first.click()
        page.wait_for_function("() => document.querySelector('#reader mark.lit')?.textContent.includes('Bela Tarn')")
        page.locator("#past button.cite").first.click()
        page.wait_for_function("() => document.querySelector('#reader mark.lit')?.textContent.includes('Ada Moss')")
        page.wait_for_timeout(200)
        assert in_sight(page, "#reader mark.lit")
        shot(page, "wide-two-turns")
        page.click("#new")
        page.wait_for_selector("#welcome .welcome")
        assert page.locator(".turn").count() == 0


@pytest.mark.parametrize(
    ("width", "height", "scheme", "name"), [(390, 844, "light", "phone"), (360, 740, "dark", "phone-dark")]
)
def test_on_a_phone_the_article_is_a_sheet(
    browser: Browser, url: str, width: int, height: int, scheme: str, name: str
) -> None:
    with visit(browser, url, width=width, height=height, color_scheme=scheme, has_touch=True) as page:
        shot(page, f"{name}-first")
        ask(page, "Who received the Golden Anchor Award in 2024?")
        assert in_sight(page, "#question textarea")
        shot(page, f"{name}-answer")
        page.locator("#live button.cite").first.tap()
        page.wait_for_selector("#reader mark.lit")
        page.wait_for_function("() => document.activeElement.classList.contains('headline')")
        assert "Ada Moss" in page.inner_text("#reader mark.lit")
        assert in_sight(page, "#reader mark.lit")
        assert page.evaluate("document.querySelector('#screens').inert")
        shot(page, f"{name}-sheet")
        page.get_by_role("button", name=EN.close).tap()
        assert not page.locator("#evidence").is_visible()
        assert focused(page).startswith("Source 1: Backstage")


def test_hostile_coverage_is_shown_as_text(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, "Who hosted the 2022 Harbour Awards?")
        assert "<img src=x onerror=alert(1)>" in page.inner_text("#live .sources")
        page.locator("#live button.cite").first.click()
        page.wait_for_selector("#reader mark.lit")
        assert "Rudi Vane hosted" in page.inner_text("#reader mark.lit")
        page.wait_for_timeout(300)
        inside = "#talk img, #evidence img, #desk iframe, #desk script, #desk svg[onload], #desk style"
        assert page.locator(inside).count() == 0
        assert page.locator('a[href^="javascript"]').count() == 0
        assert f'<img src="{EVIL}/a.png"' in page.inner_text("#reader")
        shot(page, "wide-hostile")
        ask(page, "What of <img src=x onerror=alert(7)> and ![x](http://evil.example/q.png)?")
        assert "<img src=x onerror=alert(7)>" in page.inner_text("#live .question")
        page.wait_for_timeout(300)
        assert page.locator(inside).count() == 0


def test_what_the_coverage_does_not_say(browser: Browser, url: str) -> None:
    with visit(browser, url, color_scheme="dark") as page:
        ask(page, "What is the capital of France?")
        assert page.locator("#live .turn.abstained").count() == 1
        assert EN.abstained in page.inner_text("#live")
        assert page.locator("#live button.cite").count() == 0
        shot(page, "wide-dark-abstained")
        page.fill("#question textarea", "   ")
        page.keyboard.press("Enter")
        page.wait_for_selector("#notice .notice")
        assert page.inner_text("#notice") == EN.no_question


def test_an_example_question_is_asked_with_a_click(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        page.wait_for_selector("#examples button:visible")
        example = page.locator("#examples button:visible").first
        words = example.inner_text()
        assert "Harbour Awards" in words
        example.click()
        page.wait_for_selector("#live .turn.done")
        assert page.inner_text("#live .question") == words
        assert not page.locator("#welcome").is_visible()


def test_the_scope_is_kept(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        page.click("#scope input")
        page.get_by_role("option", name="2023 Harbour Awards").click()
        ask(page, "Who received the Golden Anchor Award?")
        assert EN.scoped.format(scope="2023 Harbour Awards") in page.inner_text("#live")
        assert "Ada Moss" not in page.inner_text("#live .answer")


def test_two_people_do_not_see_each_other(browser: Browser, url: str) -> None:
    with visit(browser, url) as one, visit(browser, url) as two:
        ask(one, "Who hosted the 2024 Harbour Awards?")
        assert two.locator(".turn").count() == 0
        ask(two, "Who received the Golden Anchor Award in 2023?")
        assert "Bela Tarn" in two.inner_text("#live")
        assert "Bela Tarn" not in one.inner_text("body")


def test_tab_reaches_everything(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, "Who hosted the 2024 Harbour Awards?")
        page.focus("#question textarea")
        seen = []
        for _ in range(14):
            page.keyboard.press("Shift+Tab")
            seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
            if "cite" in seen[-1]:
                break
        assert "cite" in seen[-1], seen
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"


def slow_server(covered: Path, closed: Path, port: int = 0) -> tuple[subprocess.Popen[str], str]:
    """Start a server whose engine takes ten seconds a question; it touches `closed` when it is told to stop."""
    command = [sys.executable, "-c", textwrap.dedent(SLOW), str(covered), str(closed), str(port)]
    server = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert server.stdout is not None
    return server, server.stdout.readline().split()[4]


def test_a_server_that_restarts_in_mid_answer_loses_nothing(browser: Browser, covered: Path, tmp_path: Path) -> None:
    server, url = start(covered)
    with visit(browser, url, watched=False) as page:
        ask(page, "Who hosted the 2024 Harbour Awards?")
        end(server)
        server, _ = slow_server(covered, tmp_path / "closed", port=int(url.rpartition(":")[2]))
        page.reload()
        page.wait_for_function("() => document.querySelector('#live')?.innerText.includes('Mira Sandoval')")
        page.fill("#question textarea", "A long one")
        page.keyboard.press("Enter")
        page.wait_for_selector("#live .turn.streaming .answer")
        server.kill()
        server.communicate()
        page.wait_for_function("() => document.body.innerText.includes('Connection to the server was lost')")
        shot(page, "wide-lost")
        server, _ = start(covered, "--port", url.rpartition(":")[2])
        try:
            page.wait_for_function(
                "() => document.querySelectorAll('.turn').length === 2 && document.querySelector('#live .turn.stopped')",
                timeout=40_000,
            )
            assert "Mira Sandoval" in page.inner_text("#past")
            assert EN.stopped in page.inner_text("#live")
            page.click("#again")
            page.wait_for_selector("#live .turn.done")
            assert "A long one" in page.inner_text("#live .question")
        finally:
            end(server)


def test_a_stopped_answer_stops(browser: Browser, covered: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    server, url = slow_server(covered, closed)
    try:
        with visit(browser, url) as page:
            page.fill("#question textarea", "A long one")
            page.keyboard.press("Enter")
            page.wait_for_selector("#live .turn.streaming .answer")
            assert page.get_attribute("#live", "aria-busy") == "true"
            shot(page, "wide-streaming")
            page.click("#stop")
            page.wait_for_selector("#live .turn.stopped")
            page.wait_for_timeout(500)
            before = page.inner_text("#live .answer")
            page.wait_for_timeout(500)
            assert page.inner_text("#live .answer") == before
            assert EN.stopped in page.inner_text("#live")
            assert page.get_attribute("#live", "aria-busy") == "false"
            deadline = time.monotonic() + 5
            while not closed.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert closed.exists(), "the engine was not told to stop"

            ask(page, "a damaged library")
            assert "Put it back from a backup." in page.inner_text("#live .failure")
            ask(page, "a surprise")
            assert page.inner_text("#live .failure").endswith(EN.error_any)
            assert "secret" not in page.content()
            shot(page, "wide-failed")
    finally:
        log = end(server)
    assert "a secret of the server" in log, "what went wrong is in the server's log"


def test_an_empty_library_says_how_to_fill_it(browser: Browser, tmp_path: Path) -> None:
    server, url = start(tmp_path / "none")
    try:
        with visit(browser, url) as page:
            assert EN.empty_title in page.inner_text("#welcome")
            page.get_by_role("button", name=EN.empty_add).click()
            page.wait_for_selector("#files")
            shot(page, "wide-empty-library")
            page.get_by_role("tab", name=EN.screen_explore).click()
            page.wait_for_selector("#explore .vacant")
            page.get_by_role("tab", name=EN.screen_ask).click()
            assert "recap ingest" in page.inner_text("#welcome code")
            shot(page, "wide-empty")
    finally:
        end(server)


def test_a_visitor_signs_in_and_out(browser: Browser, tmp_path: Path) -> None:
    server, url = start(tmp_path / "none", RECAP_AUTH=f"mira:{hash_password('correct horse')}")
    try:
        page = browser.new_context().new_page()
        page.goto(url)
        page.wait_for_selector("input[type=password]", timeout=30_000)
        page.locator("input").first.fill("mira")
        page.fill("input[type=password]", "correct horse")
        page.keyboard.press("Enter")
        page.wait_for_selector("#question textarea", timeout=30_000)
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
        page.get_by_role("link", name=EN.sign_out).click()
        page.wait_for_selector("input[type=password]", timeout=30_000)
        assert page.context.cookies() == []
        page.context.close()
    finally:
        end(server)
