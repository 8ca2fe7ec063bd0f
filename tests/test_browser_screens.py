"""The rest of the page in a real Chromium: conversations, feedback, the other screens, languages, keyboards, axe."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pages import HOST, ask, focused, in_sight, shot, visit
from tests.test_browser import slow_server
from tests.test_ui_guard import end, start
from ui.strings import EN, FR

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
HOSTED = "Who hosted the 2024 Harbour Awards?"
AWARD = "Who received the Golden Anchor Award in 2024?"
SCREENS = (EN.screen_ask, EN.screen_explore, EN.screen_library, EN.screen_eval)


@contextmanager
def own_server(covered: Path, folder: Path, *flags: str, **env: str) -> Iterator[tuple[Path, str]]:
    """A server over a copy of the library, that a test may change."""
    library = folder / "library"
    shutil.copytree(covered, library)
    server, address = start(library, *flags, **({"RECAP_RUNS": str(folder / "runs")} | env))
    try:
        yield library, address
    finally:
        log = end(server)
    assert "Traceback" not in log, log


def go(page: Page, screen: str) -> None:
    page.get_by_role("tab", name=screen).click()
    page.wait_for_function("() => !document.querySelector('[role=tabpanel]:not([style*=none]) .sheet-page .waiting')")
    page.wait_for_timeout(200)


def questions(page: Page) -> list[str]:
    return page.locator(".turn .question").all_inner_texts()


def act(page: Page, verb: str, *, inside: str = "body") -> Any:
    return page.locator(f"{inside} button.act[value^='{verb}:']")


def told(page: Page, selector: str, words: str) -> None:
    """Wait until an element says these words."""
    page.wait_for_function(
        "([s, w]) => document.querySelector(s)?.innerText.includes(w)", arg=[selector, words], timeout=20_000
    )


# --- conversations ------------------------------------------------------------------------------------------------


def test_conversations_survive_a_reload_with_their_citations(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, HOSTED)
        ask(page, AWARD)
        page.click("#new")
        page.wait_for_function("() => !document.querySelector('.turn')")
        ask(page, "When did the 2023 Harbour Awards take place?")
        told(page, "#talks", "When did the 2023")
        page.reload()
        told(page, "#live", "When did the 2023 Harbour Awards take place?")
        assert questions(page) == ["When did the 2023 Harbour Awards take place?"]
        titles = page.locator("#talks .talk-open").all_inner_texts()
        assert titles == ["When did the 2023 Harbour Awards take place?", HOSTED]
        assert page.locator("#talks .talk-open[aria-current=true]").inner_text() == titles[0]
        page.locator("#talks .talk-open").nth(1).click()
        told(page, "#past", HOSTED)
        assert questions(page) == [HOSTED, AWARD]
        page.locator("#past button.cite").first.click()
        told(page, "#reader mark.lit", HOST)
        ask(page, "and in 2023?")  # the conversation goes on where it was
        assert "Golden Anchor" in page.inner_text("#live .standalone")
        shot(page, "wide-conversations")


def test_two_tabs_do_not_overwrite_each_other_s_conversations(browser: Browser, url: str) -> None:
    with visit(browser, url) as one:
        two = one.context.new_page()
        two.goto(url)
        two.wait_for_selector("#question textarea")
        ask(one, HOSTED)
        ask(two, AWARD)
        told(one, "#talks", AWARD)  # and each hears of the other's
        for page in (one, two):
            page.reload()
            told(page, "#talks", HOSTED)
            told(page, "#talks", AWARD)
        assert questions(one) == [HOSTED]
        assert questions(two) == [AWARD]


def test_a_conversation_is_deleted_with_a_second_click(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, HOSTED)
        told(page, "#talks", HOSTED)
        forget = page.get_by_role("button", name=EN.talks_forget_name.format(title=HOSTED))
        forget.click()
        assert page.locator("#talks .talk-open").count() == 1
        assert forget.inner_text() == EN.talks_sure
        forget.click()
        told(page, "#talks", EN.talks_none)
        assert questions(page) == []
        assert page.evaluate("Object.keys(localStorage).filter(k => k.startsWith('recap.talk'))") == []


def test_an_earlier_question_is_edited_without_losing_what_came_after(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, HOSTED)
        ask(page, AWARD)
        page.get_by_role("button", name=EN.edit_name.format(question=HOSTED)).click()
        told(page, "#notice", EN.edit_fork)
        assert page.input_value("#question textarea") == HOSTED
        assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
        ask(page, "Who hosted the 2022 Harbour Awards?")
        assert questions(page) == ["Who hosted the 2022 Harbour Awards?"]
        told(page, "#talks", "Who hosted the 2022")
        page.locator("#talks .talk-open").nth(1).click()
        told(page, "#past", HOSTED)
        assert questions(page) == [HOSTED, AWARD]


def test_an_answer_is_asked_again_in_its_place(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, HOSTED)
        first = page.get_attribute("#live .turn", "id")
        page.click("#again")
        page.wait_for_function("id => document.querySelector('#live .turn.done')?.id !== id", arg=first)
        page.wait_for_selector("#live .by")
        assert questions(page) == [HOSTED]
        page.reload()
        told(page, "#live", HOSTED)
        assert questions(page) == [HOSTED]


def test_a_conversation_is_exported_with_its_sources(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, HOSTED)
        with page.expect_download() as file:
            page.click("#export")
        assert file.value.suggested_filename == "recap-who-hosted-the-2024-harbour-awards.md"
        text = Path(file.value.path()).read_text(encoding="utf-8")
        assert f"## {HOSTED}" in text
        assert f"> {HOST}" in text
        assert "8 September 2024" in text


# --- evidence -----------------------------------------------------------------------------------------------------


def test_sources_come_in_time_order_on_request_and_what_was_found_opens(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, HOSTED)
        also = page.locator("#live .also-found")
        also.locator("summary").click()
        rows = also.locator("li").all_inner_texts()
        assert len(rows) > 1
        page.locator("#live button.act[value^='order:']").click()
        told(page, "#live .head", EN.order_cited)
        page.locator("#live .also-found summary").click()
        dates = re.findall(r"\d{4}", " ".join(re.findall(r"\d+ \w+ \d{4}", page.inner_text("#live .also-found"))))
        assert dates == sorted(dates)
        act(page, "passage", inside="#live .also-found").first.click()
        page.wait_for_selector("#reader mark.lit")
        assert in_sight(page, "#reader mark.lit")
        page.locator("#live .how summary").click()
        assert "ms" in page.inner_text("#live .how dl")
        shot(page, "wide-details")


# --- feedback -----------------------------------------------------------------------------------------------------


def test_what_is_called_wrong_becomes_a_fact_that_eval_reads(browser: Browser, covered: Path, tmp_path: Path) -> None:
    from eval.facts import load_facts
    from rag import feedback

    with own_server(covered, tmp_path) as (library, url), visit(browser, url) as page:
        ask(page, HOSTED)
        act(page, "good").click()
        told(page, "#live .judged", EN.judged_up)
        ask(page, AWARD)
        act(page, "bad", inside="#live").click()
        page.wait_for_selector("#judge")
        shot(page, "wide-feedback")
        page.click("#send")
        told(page, "#judgesaid", EN.rate_reason_missing)
        page.get_by_label(EN.rate_reasons["wrong"]).check()
        page.get_by_label(EN.rate_right).fill("Bela Tarn")
        page.get_by_label(EN.rate_comment).fill("It was <b>her</b> sister.")
        page.click("#send")
        told(page, "#live .judged", EN.judged_down)
        said = feedback.read(library)
        assert [(f.verdict, f.reason, f.right_answer) for f in said] == [("up", "", ""), ("down", "wrong", "Bela Tarn")]
        file = tmp_path / "drafts.jsonl"
        feedback.write_facts(file, feedback.drafts(said))
        (fact,) = load_facts([file])
        assert (fact.question, fact.answers) == (AWARD, (("Bela Tarn",),))
        page.reload()
        told(page, "#live .judged", EN.judged_down)  # it stays said


# --- the library --------------------------------------------------------------------------------------------------


def test_articles_are_added_found_and_removed(browser: Browser, covered: Path, tmp_path: Path) -> None:
    good = tmp_path / "lantern.txt"
    good.write_text(
        "Lantern Fest 2024 closes\nBy Ida Kron\nOctober 6, 2024\n\nThe Lantern Fest 2024 took place on October 5, 2024.\n\n"
        "Orla Finch opened the Lantern Fest 2024 with a song for the river.\n",
        encoding="utf-8",
    )
    bad = tmp_path / "photo.txt"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    with own_server(covered, tmp_path) as (_, url), visit(browser, url) as page:
        go(page, EN.screen_library)
        told(page, "#table", "Backstage at the 2024 Harbour Awards")
        page.set_input_files("#files input[type=file]", [str(good), str(bad)])
        page.wait_for_function("() => document.querySelectorAll('#files .file').length === 2")
        page.click("#add")
        told(page, "#added", EN.l_rejected)
        told(page, "#added", EN.l_added)
        told(page, "#table", "Lantern Fest 2024 closes")
        shot(page, "wide-library-added")
        page.get_by_label(EN.shelf_search).fill("lantern kron")
        page.wait_for_function("() => !document.querySelector('#table').innerText.includes('Harbour')")
        act(page, "passage", inside="#table").first.click()
        told(page, "#reader", "Orla Finch opened")
        shot(page, "wide-library-article")
        page.click("#close")
        page.wait_for_function("() => !document.querySelector('#evidence').checkVisibility()")
        go(page, EN.screen_ask)
        ask(page, "Who opened the Lantern Fest 2024?")
        assert "Orla Finch" in page.inner_text("#live .answer")
        go(page, EN.screen_library)
        act(page, "remove", inside="#table").first.click()
        page.wait_for_selector(".l-confirm")
        shot(page, "wide-library-remove")
        act(page, "remove!", inside="#table").click()
        told(page, "#added", "Lantern Fest 2024 closes")
        told(page, "#table", EN.l_none.format(words="lantern kron"))
        act(page, "find", inside="#table").click()
        told(page, "#table", "Backstage at the 2024 Harbour Awards")
        assert "Lantern" not in page.inner_text("#table")
        act(page, "sort", inside="#table").first.click()
        page.wait_for_function("() => document.querySelector('#table th.l-headline.l-by')")


@pytest.mark.parametrize(
    "typed", ["file:///etc/passwd", "/etc/passwd", "~/x", "ftp://a.example/b", "javascript:alert(1)"]
)
def test_only_web_addresses_are_read(browser: Browser, url: str, typed: str) -> None:
    with visit(browser, url) as page:
        go(page, EN.screen_library)
        page.get_by_label(EN.add_web).fill(typed)
        page.click("#add")
        page.wait_for_selector("#added [role=alert]")
        assert "root:x:0" not in page.content()


def test_a_read_only_library_offers_no_change(browser: Browser, covered: Path, tmp_path: Path) -> None:
    import httpx

    with own_server(covered, tmp_path, "--read-only") as (_, url), visit(browser, url) as page:
        go(page, EN.screen_library)
        told(page, "#table", "Backstage at the 2024 Harbour Awards")
        assert EN.read_only in page.inner_text("#library")
        assert not page.is_visible("#adding")
        assert act(page, "remove").count() == 0
        assert httpx.post(url + "/gradio_api/upload", files={"files": b"x"}).status_code == 404


# --- exploring ----------------------------------------------------------------------------------------------------


def test_an_event_has_a_page_and_its_questions_are_asked_with_a_click(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        page.get_by_role("button", name=EN.event_open.format(event="2024 Harbour Awards")).click()
        told(page, "#explore", "Backstage at the 2024 Harbour Awards")
        shot(page, "wide-event")
        act(page, "ask", inside="#explore").first.click()
        page.wait_for_selector("#live .turn.done")
        assert page.evaluate("document.body.dataset.screen") == "ask"
        assert page.locator("#live button.cite").count()
        go(page, EN.screen_explore)
        act(page, "screen", inside="#explore").first.click()
        told(page, "#explore", "2023 Harbour Awards")
        shot(page, "wide-explore")
        assert page.locator("#explore svg.chart[viewBox]").count()


@pytest.mark.parametrize("width", [1440, 390])
def test_a_line_of_the_picture_opens_its_caption_and_a_name_its_person(browser: Browser, url: str, width: int) -> None:
    def middle(kind: str, names: str) -> Any:
        """The point of a line or a dot that says these names, in the window."""
        return page.evaluate(
            """([kind, names]) => { const g = [...document.querySelectorAll(`#explore svg.x-net .${kind}`)].find(
                (g) => g.checkVisibility() && g.querySelector("title").textContent.startsWith(names));
            g.scrollIntoView({ block: "nearest" });
            const r = g.querySelector("path, circle").getBoundingClientRect();
            return [r.left + r.width / 2, r.top + r.height / 2] }""",
            [kind, names],
        )

    with visit(browser, url, width=width) as page:
        page.get_by_role("button", name=EN.event_open.format(event="2024 Harbour Awards")).click()
        page.wait_for_selector("#explore svg.x-net[viewBox]")
        page.mouse.move(*middle("x-tie", "Otto Blank and Petra Voss"))
        assert page.locator("#explore .x-tie:hover title").text_content() == EN.x_edge.format(
            a="Otto Blank", b="Petra Voss", times=EN.x_time_one
        )
        shot(page, f"seen-together-{width}")
        page.mouse.click(*middle("x-tie", "Otto Blank and Petra Voss"))
        told(page, "#reader mark.lit", "Petra Voss and Otto Blank on the quay")
        assert in_sight(page, "#reader mark.lit")
        page.click("#close")
        assert "Petra Voss and Otto Blank" in focused(page), "back to the quote in the list"
        page.mouse.click(*middle("x-node", "Nils Aker"))
        told(page, "#explore", EN.x_seen_person.format(person="Nils Aker"))
        page.wait_for_selector("#explore svg.x-net .x-me")
        assert act(page, "person", inside="#explore .x-list").all_inner_texts() == ["Petra Voss"]


# --- evaluation ---------------------------------------------------------------------------------------------------


def test_a_run_s_wrong_fact_is_opened_as_a_chat(browser: Browser, covered: Path, tmp_path: Path) -> None:
    from eval.facts import load_facts
    from eval.run import evaluate
    from rag.config import Config
    from rag.store.library import Library

    facts = tmp_path / "facts.jsonl"
    rows: list[dict[str, Any]] = [
        {"id": "host", "type": "fact", "question": HOSTED, "answers": ["Mira Sandoval"], "evidence": [{"doc": "gala.txt", "quote": HOST}]},
        {"id": "wrong", "type": "fact", "question": AWARD, "answers": ["Nobody at all"], "evidence": [{"doc": "gala.txt", "quote": HOST}]},
        {
            "id": "then", "type": "followup", "question": "and in 2023?", "standalone": "Who received the Golden Anchor Award in 2023?",
            "history": [{"role": "user", "content": AWARD}, {"role": "assistant", "content": "Ada Moss."}],
            "answers": ["Nobody at all"], "evidence": [{"doc": "earlier.txt", "quote": "Bela Tarn received the Golden Anchor Award"}],
        },
    ]  # fmt: skip
    facts.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    with Library.open(Config(library=covered, llm="none")) as library:
        evaluate(library, load_facts([facts]), out=tmp_path / "runs" / "20260101-100000")
    with own_server(covered, tmp_path) as (_, url), visit(browser, url) as page:
        go(page, EN.screen_eval)
        told(page, "#eval", "20260101-100000")
        act(page, "run").first.click()
        told(page, "#eval", "and in 2023?")
        shot(page, "wide-eval-run")
        act(page, "ask", inside="#eval").first.click()
        told(page, "#live", "Ada Moss")
        assert questions(page) == [AWARD]
        go(page, EN.screen_eval)
        act(page, "replay", inside="#eval").first.click()
        told(page, "#live", "Bela Tarn")
        assert questions(page) == [AWARD, "and in 2023?"]
        assert "Golden Anchor" in page.inner_text("#live .standalone")


# --- languages, keyboards, sizes ----------------------------------------------------------------------------------


def test_the_page_speaks_french_and_remembers_it(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, HOSTED)
        page.click("#lang")
        told(page, "#tabs", FR.screen_library)
        assert page.evaluate("document.documentElement.lang") == "fr"
        told(page, "#live", FR.sources)
        assert page.get_attribute("#question textarea", "placeholder") == FR.ask_placeholder
        marker = page.locator("#live button.cite").first
        assert marker.get_attribute("aria-label") == FR.source_name.format(
            n=1, name="Backstage at the 2024 Harbour Awards, 8 septembre 2024"
        )
        for screen in (FR.screen_explore, FR.screen_library, FR.screen_eval):
            go(page, screen)
            shot(page, f"french-{screen.lower()}")
        page.reload()
        told(page, "#tabs", FR.screen_library)
        told(page, "#live", FR.sources)
        page.click("#lang")
        told(page, "#tabs", EN.screen_library)
        told(page, "#live", EN.sources)


def test_a_french_browser_is_greeted_in_french(browser: Browser, url: str) -> None:
    with visit(browser, url, locale="fr-FR") as page:
        told(page, "#tabs", FR.screen_library)
        told(page, "#welcome", FR.tagline)
        shot(page, "french-first")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)])
def test_axe_finds_nothing_serious_on_any_screen(browser: Browser, url: str, scheme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    def check(page: Page, where: str) -> None:
        page.wait_for_timeout(300)
        found = Axe().run(page).response["violations"]
        serious = [
            f"{v['id']}: {n['html'][:160]} {n['any'][0]['message'] if n['any'] else ''}"
            for v in found
            if v["impact"] in ("serious", "critical")
            for n in v["nodes"]
        ]
        assert serious == [], where

    with visit(browser, url, width=width, color_scheme=scheme) as page:
        page.wait_for_selector("#examples button", state="visible")
        check(page, "first")
        ask(page, HOSTED)
        page.locator("#live .how summary").click()
        page.locator("#live .also-found summary").click()
        check(page, "answer")
        shot(page, f"{scheme}-{width}-answer")
        page.locator("#live button.cite").first.click()
        page.wait_for_selector("#reader mark.lit")
        check(page, "evidence")
        if width < 960:
            page.keyboard.press("Escape")
        ask(page, "What is the capital of France?")
        act(page, "bad", inside="#live").click()
        page.wait_for_selector("#judge")
        check(page, "feedback")
        for screen in SCREENS[1:]:
            go(page, screen)
            check(page, screen)
            shot(page, f"{scheme}-{width}-{screen.lower()}")
        go(page, EN.screen_explore)
        act(page, "event", inside="#explore").first.click()
        page.wait_for_selector("#explore .trail")
        check(page, "event")


def test_every_screen_is_reached_by_keyboard(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        page.wait_for_selector("#examples button", state="visible")
        page.evaluate("document.body.focus(); document.querySelector('#tabs [role=tab]').focus()")
        for name in SCREENS[1:]:
            for _ in range(8):
                if page.evaluate("document.activeElement.textContent.trim()") == name:
                    break
                page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.textContent.trim()") == name
            page.keyboard.press("Enter")
            page.wait_for_function(
                "n => document.querySelector('[role=tab][aria-selected=true]').innerText === n", arg=name
            )
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"
        go(page, EN.screen_library)
        told(page, "#table", "Backstage")
        page.locator("#words input, #words textarea").focus()
        for _ in range(30):
            page.keyboard.press("Tab")
            if "passage:" in (page.evaluate("document.activeElement.value") or ""):
                break
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.activeElement.classList.contains('headline')")
        page.keyboard.press("Escape")
        page.wait_for_function("() => (document.activeElement.value || '').startsWith('passage:')")


@pytest.mark.parametrize("width", [360, 600, 820, 1024, 1280, 1920])
def test_the_layout_holds(browser: Browser, url: str, width: int) -> None:
    with visit(browser, url, width=width) as page:
        ask(page, AWARD)
        shot(page, f"width-{width}-answer")
        for screen in SCREENS[1:]:
            go(page, screen)
            assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), screen
            shot(page, f"width-{width}-{screen.lower()}")
        go(page, EN.screen_ask)


def test_on_a_phone_conversations_are_behind_a_button(browser: Browser, url: str) -> None:
    with visit(browser, url, width=390, height=844, has_touch=True, is_mobile=True) as page:
        ask(page, HOSTED)
        page.click("#talks-open")
        told(page, "#talks", HOSTED)
        assert in_sight(page, "#talks .talk-open")
        assert page.evaluate("document.querySelector('#shelf').contains(document.activeElement)")
        shot(page, "phone-conversations")
        page.keyboard.press("Escape")
        assert focused(page) == EN.talks or page.evaluate("document.activeElement.id") == "talks-open"
        assert not page.is_visible("#talks")


# --- bad days -----------------------------------------------------------------------------------------------------


def test_a_slow_network_shows_the_page_and_the_answer(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        cdp = page.context.new_cdp_session(page)
        slow = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 20_000}
        cdp.send("Network.emulateNetworkConditions", slow)
        page.fill("#question textarea", HOSTED)
        page.keyboard.press("Enter")
        page.wait_for_selector("#live .turn.done", timeout=60_000)
        assert "Mira Sandoval" in page.inner_text("#live .answer")
        page.locator("#live button.cite").first.click()
        page.wait_for_selector("#reader mark.lit", timeout=30_000)


# --- what a visitor does meanwhile --------------------------------------------------------------------------------


def test_what_is_done_while_an_answer_streams_stays_done(browser: Browser, covered: Path, tmp_path: Path) -> None:
    server, url = slow_server(covered, tmp_path / "closed")
    try:
        with visit(browser, url) as page:
            ask(page, "a damaged library")
            page.fill("#question textarea", "A long one")
            page.keyboard.press("Enter")
            page.wait_for_selector("#live .turn.streaming .answer")
            page.locator("#past button[value^='edit:']").click()
            told(page, "#notice", EN.wait_for_answer)
            go(page, EN.screen_explore)
            act(page, "event", inside="#explore").first.click()
            page.wait_for_selector("#explore .trail")
            page.click("#lang")
            told(page, "#tabs", FR.screen_ask)
            page.get_by_role("tab", name=FR.screen_ask).click()
            page.wait_for_selector("#live .turn.done", timeout=30_000)
            page.get_by_role("tab", name=FR.screen_explore).click()
            page.wait_for_timeout(800)
            assert page.locator("#explore .trail").count() == 1, "the event is still open"
            page.click("#lang")
            told(page, "#tabs", EN.screen_ask)
    finally:
        end(server)


def test_an_answer_that_another_conversation_cuts_short_is_kept(
    browser: Browser, covered: Path, tmp_path: Path
) -> None:
    server, url = slow_server(covered, tmp_path / "closed")
    try:
        with visit(browser, url) as page:
            page.fill("#question textarea", "A long one")
            page.keyboard.press("Enter")
            told(page, "#live .answer", "word word word")
            page.click("#new")
            page.wait_for_function("() => !document.querySelector('.turn')")
            page.locator("#talks .talk-open").first.click()
            told(page, "#live", EN.stopped)
            assert "word word word" in page.inner_text("#live .answer")
    finally:
        end(server)


def test_two_tabs_on_one_conversation_go_apart(browser: Browser, url: str) -> None:
    with visit(browser, url) as one:
        ask(one, HOSTED)
        told(one, "#talks", HOSTED)
        two = one.context.new_page()
        two.goto(url)
        two.wait_for_selector("#talks .talk-open")
        two.locator("#talks .talk-open").first.click()
        told(two, "#live", HOSTED)
        ask(one, AWARD)
        ask(two, "Who hosted the 2022 Harbour Awards?")
        one.wait_for_timeout(500)
        kept = one.evaluate(
            "Object.keys(localStorage).filter(k => k.startsWith('recap.talk')).map(k => JSON.parse(localStorage[k])"
            ".turns.map(t => t.question).join('|')).sort()"
        )
        assert kept == sorted([f"{HOSTED}|{AWARD}", f"{HOSTED}|Who hosted the 2022 Harbour Awards?"])
        one.reload()
        told(one, "#live", AWARD)
        assert questions(one) == [HOSTED, AWARD]


def test_a_conversation_that_another_tab_deletes_stays_deleted(browser: Browser, url: str) -> None:
    with visit(browser, url) as one:
        ask(one, HOSTED)
        two = one.context.new_page()
        two.goto(url)
        two.wait_for_selector("#talks .talk-open")
        forget = two.locator("#talks button[value^='forget:']")
        forget.click()
        forget.click()
        told(one, "#talks", EN.talks_none)
        one.wait_for_function("() => !document.querySelector('.turn')")
        ask(one, AWARD)
        told(one, "#talks", AWARD)
        assert one.locator("#talks .talk-open").count() == 1


def test_a_browser_without_room_keeps_what_it_has_and_says_so(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        ask(page, HOSTED)
        page.click("#new")
        page.wait_for_function("() => !document.querySelector('.turn')")
        page.evaluate(
            "() => { let s = 'x'.repeat(1 << 20); for (let i = 0; s; ) { try { localStorage['other' + i++] = s }"
            " catch { s = s.slice(s.length >> 1 || 1) } } }"
        )
        ask(page, AWARD)
        told(page, "#notice", EN.talks_full)
        titles = page.evaluate(
            "Object.keys(localStorage).filter(k => k.startsWith('recap.talk')).map(k => JSON.parse(localStorage[k]).title)"
        )
        assert titles == [HOSTED]


def test_on_a_phone_the_event_of_an_article_leads_on(browser: Browser, url: str) -> None:
    with visit(browser, url, width=390, height=844, has_touch=True, is_mobile=True) as page:
        ask(page, HOSTED)
        page.locator("#live button.cite").first.tap()
        page.wait_for_selector("#reader mark.lit")
        page.locator("#reader button[value^='event:']").tap()
        page.wait_for_selector("#explore .trail")
        page.get_by_role("tab", name=EN.screen_library).tap()
        told(page, "#table", "Backstage at the 2024 Harbour Awards")


def test_a_refused_address_stays_to_be_mended(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        go(page, EN.screen_library)
        page.get_by_label(EN.add_web).fill("example.com/story")
        page.click("#add")
        page.wait_for_selector("#added [role=alert]")
        page.wait_for_timeout(300)
        assert page.input_value("#web textarea, #web input") == "example.com/story"


def test_the_first_article_changes_the_first_screen(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "fest.txt"
    file.write_text(
        "Lantern Fest 2024 closes\n\nOctober 6, 2024\n\nOrla Finch opened the Lantern Fest 2024 on October 5, 2024.\n"
    )
    server, url = start(tmp_path / "library")
    try:
        with visit(browser, url) as page:
            told(page, "#welcome", EN.empty_title)
            go(page, EN.screen_library)
            page.set_input_files("#files input[type=file]", [str(file)])
            page.wait_for_function("() => document.querySelectorAll('#files .file').length === 1")
            page.click("#add")
            told(page, "#added", EN.l_added)
            page.get_by_role("tab", name=EN.screen_ask).click()
            told(page, "#welcome", "2024 Lantern Fest")
    finally:
        end(server)
