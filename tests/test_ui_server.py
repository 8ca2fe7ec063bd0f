"""The real server, over HTTP: its settings and routes, signing in and out, what one visitor may ask of it, uploads."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.test_ui_guard import ask, end, hello, serving, start
from ui import app, guard, limits, spool
from ui.strings import EN

# serves with an engine that answers at once, or that answers when it is let; writes down what Gradio was told
SERVER = """
import json, os, sys, time
from pathlib import Path
from ui import app
from rag.config import Config
from rag.types import Answer

folder = Path(sys.argv[1])

def engine(library, question, **more):
    while question.startswith("slow") and not (folder / "go").exists():
        time.sleep(0.05)
    yield Answer(question, question, "It was so.")

app.set_environment()
import gradio

launch = gradio.Blocks.launch

def every(routes):
    for r in routes:
        if hasattr(r, "path"):
            yield r
        else:  # newer FastAPIs keep a router that was included whole
            yield from every(r.original_router.routes)

def told(blocks, **kwargs):
    given = launch(blocks, **kwargs)
    queue, served = blocks._queue, blocks.app
    now = {
        "launch": {k: v for k, v in kwargs.items() if isinstance(v, (str, int, float, bool, list, type(None)))},
        "blocks": {k: getattr(blocks, k) for k in ("analytics_enabled", "api_open", "show_error", "share", "max_file_size",
                   "allowed_paths", "blocked_paths", "enable_monitoring", "is_running", "ssr_mode", "pwa", "mcp_server")},
        "delete_cache": blocks.delete_cache,
        "queue": [queue.max_size, queue.default_concurrency_limit],
        "capacity": served.state_holder.capacity,
        "outermost": type(served.middleware_stack).__name__,
        "components": [[type(c).__name__, getattr(c, "sanitize_html", None)] for c in blocks.blocks.values()],
        "routes": [[r.path, sorted(getattr(r, "methods", None) or [])] for r in every(served.routes)],
        "environment": {k: os.environ.get(k) for k in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "GRADIO_TEMP_DIR")},
        "cache": blocks.GRADIO_CACHE,
    }
    (folder / "told.json").write_text(json.dumps(now))
    return given

gradio.Blocks.launch = told
app.serve(Config(library=folder / "library", llm="none", reader="rules", port=0), ask_stream=engine, browser=False)
"""


class Server:
    """The server, and what a program can say to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process, self.url = serving([sys.executable, "-c", textwrap.dedent(SERVER), str(folder)])
        self.http = httpx.Client(base_url=self.url, timeout=60)
        self.told = json.loads((folder / "told.json").read_text())
        config = self.http.get("/config").json()
        self.functions = config["dependencies"]
        self.names = {c["id"]: c["props"].get("elem_id") for c in config["components"]}

    def function(self, box: str, event: str) -> dict[str, Any]:
        """Return the function that an event of a component starts, else the one that is given what it holds."""
        ours = [d for d in self.functions if d["backend_fn"]]
        begun = [d for d in ours if any(self.names.get(t[0]) == box and t[1] == event for t in d["targets"])]
        return (begun or [d for d in ours if box in [self.names.get(i) for i in d["inputs"]]])[0]

    def send(self, box: str, event: str, *values: Any, session: str, state: int = 3) -> httpx.Response:
        """Send what the page sends for an event, past every limit of the browser's."""
        fn = self.function(box, event)
        body = {"data": [*values, *[None] * state], "fn_index": fn["id"], "session_hash": session}
        return self.http.post(f"/gradio_api/{'queue/join' if fn['queue'] else 'run/predict'}", json=body)

    def listen(self, session: str, ends: int = 1) -> str:
        """Return what the server says to a session, until `ends` events are over."""
        said = ""
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as events:
            for line in events.iter_lines():
                said += line + "\n"
                ends -= '"process_completed"' in line
                if ends <= 0:
                    return said
        return said

    def ask(self, question: str, session: str) -> str:
        joined = self.send("ask", "click", question, "", session=session)
        return self.listen(session) if joined.status_code == 200 else joined.text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    yield made
    made.http.close()
    end(made.process)
    assert made.process.returncode == 0


# --- settings and routes ----------------------------------------------------------------------------------------------


def test_gradio_is_told_the_secure_settings_and_keeps_them(server: Server) -> None:
    told = server.told
    assert told["blocks"] == {
        "analytics_enabled": False, "api_open": False, "show_error": False, "share": False, "max_file_size": 20 * 1024**2,
        "allowed_paths": [], "blocked_paths": [str((server.folder / "library").resolve())], "enable_monitoring": False,
        "is_running": True, "ssr_mode": False, "pwa": False, "mcp_server": False,
    }  # fmt: skip
    assert told["delete_cache"] == [3600, 86400]
    assert told["queue"] == [100, 16]
    assert told["capacity"] == limits.KEPT == 500
    assert told["launch"]["server_name"] == "127.0.0.1"
    assert told["launch"]["strict_cors"] is True
    assert told["outermost"] == "Guard"
    assert told["environment"]["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert told["environment"]["HF_HUB_DISABLE_TELEMETRY"] in ("1", "True")
    assert told["cache"] == told["environment"]["GRADIO_TEMP_DIR"]
    assert (server.folder / "library") not in Path(told["cache"]).parents
    assert oct(Path(told["cache"]).stat().st_mode)[-3:] == "700"
    shown = {name for name, sanitized in told["components"] if sanitized is not None}
    assert shown == {"Markdown"}
    assert all(sanitized for name, sanitized in told["components"] if name == "Markdown")
    assert not {"HTML", "Chatbot", "Image"} & {name for name, _ in told["components"]}


# what the page needs; every other route of Gradio's must be closed
OPEN = {
    "GET": {
        "/", "/config", "/config/", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", "/logout", "/static/{path:path}",
        "/assets/{path:path}", "/gradio_api/theme.css", "/gradio_api/startup-events", "/gradio_api/user", "/gradio_api/user/",
        "/gradio_api/login_check", "/gradio_api/login_check/", "/gradio_api/app_id", "/gradio_api/app_id/",
        "/gradio_api/queue/data", "/gradio_api/heartbeat/{session_hash}", "/gradio_api/upload_progress",
    },
    "POST": {
        "/login", "/login/", "/gradio_api/queue/join", "/gradio_api/run/{api_name}", "/gradio_api/run/{api_name}/",
        "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/reset/", "/gradio_api/upload",
    },
}  # fmt: skip
FILLED = {"path": "a.js", "session_hash": "abc", "api_name": "predict"}


def filled(route: str) -> str:
    """Return a path of a route."""
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: FILLED.get(m[1], "x"), route)


def test_every_route_of_gradio_that_the_page_does_not_need_is_closed(server: Server) -> None:
    routes = {(m, p) for p, methods in server.told["routes"] for m in methods}
    assert len(routes) > 70, "Gradio's routes could not be read"
    closed = [(m, p) for m, p in routes if p not in OPEN.get("GET" if m == "HEAD" else m, set())]
    assert len(closed) > 40
    ours = {v.decode() for v in guard._REASONS.values()}
    for method, path in sorted(closed):
        response = server.http.request(method, filled(path), json={} if method == "POST" else None)
        assert response.status_code in (403, 404, 405), (method, path, response.status_code)
        if method != "HEAD":
            assert response.text in ours, f"{method} {path} was answered by Gradio: {response.text[:100]}"
    needed = {(m, p) for m, paths in OPEN.items() for p in paths}
    assert not {(m, p) for m, p in needed if not p.endswith("/") and p != "/logout"} - routes, "no longer there"


def test_everything_that_is_answered_carries_our_headers(server: Server) -> None:
    preflight = {"origin": "http://localhost:9", "access-control-request-method": "POST"}
    junk = {"fn_index": 10**6, "data": [], "session_hash": "junk"}
    with httpx.Client(base_url=server.url, headers={"connection": "close"}) as fresh:
        found = [
            fresh.get("/"),
            fresh.get("/nowhere"),
            fresh.get("/assets/nothing.js"),
            fresh.options("/gradio_api/queue/join", headers=preflight),
            fresh.get("/", headers={"origin": "http://localhost:9"}),
            fresh.post("/gradio_api/queue/join", content=b"{"),
            fresh.post("/gradio_api/run/predict", json=junk),
            fresh.get("/gradio_api/upload_progress", params={"upload_id": "none"}),
        ]
    server.send("ask", "click", " ", "", session="headers")
    with server.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": "headers"}) as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        found.append(events)
    assert {r.status_code for r in found} >= {200, 404, 405, 422, 500}
    for response in found:
        for name, value in guard.HEADERS:
            assert response.headers.get_list(name.decode()) == [value.decode()], response.request.url
        assert not [h for h in response.headers if h.startswith("access-control-")], response.request.url


# --- signing in -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def behind_password(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, address = start(tmp_path_factory.mktemp("auth") / "library", RECAP_AUTH="mira:correct horse")
    yield address
    log = end(process)
    assert EN.plain_auth in log
    assert "correct horse" not in log
    assert "Traceback" not in log


def sign_in(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post("/login", data={"username": "mira", "password": "correct horse"}, headers=headers)


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_signing_out_ends_it(behind_password: str) -> None:
    with httpx.Client(base_url=behind_password) as client:
        (cookie,) = sign_in(client).headers.get_list("set-cookie")
        assert "Secure" not in cookie, "over plain HTTP the browser would drop it"
        assert re.fullmatch(r"access-token-unsecure-\S+=\S+; Path=/; HttpOnly; SameSite=Lax", cookie)
        held = dict(client.cookies)
        assert client.get("/config").status_code == 200
        from_elsewhere = client.get("/logout", headers={"sec-fetch-site": "cross-site"})
        assert from_elsewhere.status_code == 403
        assert client.get("/config").status_code == 200
        assert client.get("/logout").status_code == 302
        assert client.get("/config").status_code == 401
        assert client.get("/config", cookies=held).status_code == 401, "the old cookie still opened it"


def test_behind_a_proxy_that_speaks_https_the_cookie_is_secure(behind_password: str) -> None:
    with httpx.Client(base_url=behind_password) as client:
        cookies = sign_in(client, **{"x-forwarded-proto": "https"}).headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert all(c.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure") for c in cookies)


def test_who_has_not_signed_in_reaches_nothing(behind_password: str) -> None:
    with httpx.Client(base_url=behind_password) as client:
        for path in ("queue/data?session_hash=a", "heartbeat/a", "app_id", "upload_progress?upload_id=a"):
            assert client.get(f"/gradio_api/{path}").status_code == 401, path
        for path in ("queue/join", "run/predict", "cancel", "reset", "upload"):
            assert client.post(f"/gradio_api/{path}", json={}).status_code == 401, path
        assert client.get("/gradio_api/app_id", cookies={"access-token-x": "y"}).status_code == 401
        assert client.get("/").status_code == 200


def test_signing_in_is_slowed_down_whatever_address_a_request_says_that_it_is_from(behind_password: str) -> None:
    def guess(n: int) -> int:
        told = {"x-forwarded-for": f"198.51.100.{n}"}
        form = {"username": "ada", "password": f"guess {n}"}
        return httpx.post(f"{behind_password}/login", data=form, headers=told).status_code

    tries = [guess(n) for n in range(guard.TRIES_NAME + 3)]
    assert tries == [400] * guard.TRIES_NAME + [429] * 3


def test_a_password_is_hashed_by_a_command(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "rag", "password"],
        input="correct horse\n", text=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert made.returncode == 0
    line = re.fullmatch(r"RECAP_AUTH='(user:scrypt:\S+)'\n", made.stdout)
    assert line
    assert not re.search(r"\bgradio\b", made.stderr)
    assert guard.is_hashed(line[1])
    assert guard.password_check(line[1])("user", "correct horse")
    process, address = start(tmp_path / "library", RECAP_AUTH=line[1])
    try:
        form = {"username": "user", "password": "correct horse"}
        assert httpx.post(f"{address}/login", data=form).status_code == 200
    finally:
        log = end(process)
    assert EN.plain_auth not in log
    short = subprocess.run(
        [sys.executable, "-m", "rag", "password"], input="short\n", text=True, capture_output=True, timeout=60
    )
    assert short.returncode == 2
    assert short.stderr == "The password has 5 characters. Take one of at least 8.\n"


def test_a_password_is_asked_for_twice_at_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from rag.__main__ import run

    given = iter(["correct horse", "correct horsf"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(given))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert run(["password"]) == 2
    assert "The two differ" in capsys.readouterr().err


# --- what one visitor may ask -----------------------------------------------------------------------------------------


def test_a_thousand_questions_of_one_person_end_in_a_sentence_and_the_others_are_answered(server: Server) -> None:
    other: list[tuple[bool, float]] = []
    over = threading.Event()

    def another() -> None:
        while not over.is_set():
            began = time.monotonic()
            good = "It was so." in server.ask("Who was it?", os.urandom(6).hex())
            other.append((good, time.monotonic() - began))
            time.sleep(0.2)

    with ThreadPoolExecutor(9) as people:
        waiting = people.submit(another)
        refused = [
            r.status_code
            for r in people.map(
                lambda n: server.send("ask", "click", f"Question {n}?", "", session="flood"), range(1000)
            )
        ]
        over.set()
        waiting.result()
    assert set(refused) == {200, 429}
    assert all(good for good, _ in other), other
    # slowly enough for the first limit, too many for the second
    said = []
    for n in range(limits.QUESTIONS.session + 3):
        said.append(server.ask(f"Question {n}?", "patient"))
        while EN.asked_often not in said[-1] and "Too much was asked for" in said[-1]:
            time.sleep(0.2)
            said[-1] = server.ask(f"Question {n}?", "patient")
    assert "It was so." in said[0]
    assert all(EN.asked_often in s for s in said[-3:])
    assert "It was so." in server.ask("Who was it?", "somebody else")


def test_a_full_queue_says_so_and_one_person_does_not_fill_it(server: Server) -> None:
    sessions = [f"full {n}" for n in range(5)]
    try:
        for n in range(20):
            assert server.send("ask", "click", f"slow {n}", "", session="greedy").status_code == 200
        said = server.listen("greedy", 16)
        assert said.count("process_completed") >= 16, "all but a few are over at once"
        codes = [server.send("ask", "click", f"slow {n}", "", session=s) for s in sessions for n in range(4)]
        assert {r.status_code for r in codes} == {200}
        filled_up = [server.send("ask", "click", "slow", "", session=f"more {n}") for n in range(150)]
        assert {r.status_code for r in filled_up} == {200, 503}
        assert "full" in filled_up[-1].json()["detail"]
    finally:
        (server.folder / "go").touch()
    until = time.monotonic() + 60
    while "It was so." not in (said := server.ask("Who was it?", os.urandom(6).hex())) and time.monotonic() < until:
        time.sleep(0.2)
    assert "It was so." in said


def test_adding_and_judging_without_end_are_sentences(server: Server) -> None:
    def added() -> str:
        server.send("add", "click", None, "ftp://x", session="adder", state=1)
        return server.listen("adder")

    said = [added() for _ in range(limits.ADDINGS.session + 2)]
    assert sum(EN.l_often in s for s in said) == 2
    server.ask("Who was it?", "judge")
    often = 0
    for n in range(limits.JUDGEMENTS.session + 2):
        judged = server.send("act", "change", f"good:1~{n}", session="judge")
        if judged.status_code == 429:
            time.sleep(limits.REQUESTS.seconds)
            judged = server.send("act", "change", f"good:1~{n}", session="judge")
        often += EN.judged_often in judged.text
    assert often == 2
    assert len((server.folder / "library" / "feedback.jsonl").read_text().splitlines()) == 1


def test_removing_counts_as_adding(server: Server) -> None:
    said = [server.send("act", "change", f"remove!:nothing~{n}", session="remover") for n in range(22)]
    assert [EN.l_often in s.text for s in said] == [False] * limits.ADDINGS.session + [True] * 2


def test_uploads_have_a_limit_of_bytes_for_each_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "UPLOADED", 1000)
    wrapped = guard.Guard(hello, uploads=True)

    async def upload(address: str) -> int:
        transport = httpx.ASGITransport(app=wrapped, client=(address, 1))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.post(guard.UPLOAD, content=b"x" * 400)).status_code

    assert [asyncio.run(upload("192.0.2.1")) for _ in range(4)] == [200, 200, 429, 429]
    assert asyncio.run(upload("192.0.2.2")) == 200
    assert [asyncio.run(upload("127.0.0.1")) for _ in range(4)] == [200] * 4


def test_few_uploads_come_at_the_same_time() -> None:
    over = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await over.wait()
        await hello(scope, receive, send)

    wrapped = guard.Guard(slow, uploads=True)

    async def upload(address: str) -> int:
        transport = httpx.ASGITransport(app=wrapped, client=(address, 1))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.post(guard.UPLOAD, content=b"x")).status_code

    async def all_of_them() -> None:
        places = ["192.0.2.1"] * 4 + ["127.0.0.1"] * 4
        coming = [asyncio.create_task(upload(place)) for place in places]
        await asyncio.sleep(0.2)
        assert await upload("192.0.2.2") == 429, "eight in all"
        coming.pop().cancel()
        await asyncio.sleep(0.1)
        assert await upload("192.0.2.1") == 429, "four from one place"
        coming.append(asyncio.create_task(upload("192.0.2.2")))
        await asyncio.sleep(0.2)
        over.set()
        assert await asyncio.gather(*coming) == [200] * 8
        assert await upload("192.0.2.1") == 200

    asyncio.run(asyncio.wait_for(all_of_them(), 30))
    assert not wrapped.uploading


def test_uploads_are_refused_when_their_folder_is_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(spool, "MOST", 1000)
    now = 0.0
    wrapped = guard.Guard(hello, uploads=True, clock=lambda: now)

    def upload(size: int) -> httpx.Response:
        return ask("POST", guard.UPLOAD, wrapped=wrapped, content=b"x" * size)

    (tmp_path / "within").mkdir()
    (tmp_path / "within" / "a.txt").write_bytes(b"x" * 500)
    assert [upload(300).status_code for _ in range(2)] == [200, 507]
    assert upload(300).text == "There is no room for more uploads just now. Try again later."
    now = spool.LOOKED_S
    assert upload(300).status_code == 200, "what came is gone again"
    (tmp_path / "within" / "a.txt").unlink()
    now *= 2
    assert upload(1000).status_code == 200


def test_what_an_upload_left_that_broke_off_is_swept_up(tmp_path: Path) -> None:
    now = time.time()
    (tmp_path / "0123").mkdir()
    left, going, kept, icon = (tmp_path / name for name in ("tmpabcd", "tmpefgh", "0123/tmpijkl", "favicon.svg"))
    for file in (left, going, kept, icon):
        file.write_text("x")
        os.utime(file, (now - 7200, now - 7200))
    os.utime(going, (now - 600, now - 600))
    outside = tmp_path / "0123" / "b.txt"
    outside.write_text("x")
    (tmp_path / "tmplink").symlink_to(outside)
    assert spool.sweep(tmp_path, now) == 1
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["b.txt", "favicon.svg", "tmpefgh", "tmpijkl", "tmplink"]  # fmt: skip
    assert not left.exists()
    assert spool.sweep(None, now) == 0


def test_the_server_sweeps_its_folder_of_uploads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(guard, "SWEPT_S", 0.05)

    async def run() -> None:
        async with guard.outermost()(SimpleNamespace(middleware_stack=hello)):
            for _ in range(2):
                left = tmp_path / "tmpabcd"
                left.write_text("x")
                os.utime(left, (1, 1))
                until = time.monotonic() + 10
                while left.exists() and time.monotonic() < until:
                    await asyncio.sleep(0.02)
                assert not left.exists()

    asyncio.run(run())


# --- what comes in ----------------------------------------------------------------------------------------------------


def test_an_upload_is_served_to_nobody_and_gone_when_it_is_in(server: Server) -> None:
    cache = Path(server.told["cache"])
    story = "The Lamp Fair\n\n" + "The lamps of the old quay were lit by Ada Moss on Sunday evening. " * 10
    (kept,) = server.http.post("/gradio_api/upload", files={"files": ("fair.txt", story.encode())}).json()
    assert cache in Path(kept).parents
    for path in (
        f"/gradio_api/file={kept}",
        f"/file={kept}",
        f"/gradio_api/file/{kept}",
        f"/static/{kept}",
        f"/assets/{kept}",
    ):
        assert server.http.get(path).status_code in (403, 404)
    named = {"path": kept, "orig_name": "fair.txt", "meta": {"_type": "gradio.FileData"}}
    server.send("add", "click", [named], "", session="upload", state=1)
    assert "l-added" in server.listen("upload")
    assert not Path(kept).exists()
    assert (server.folder / "library" / "uploads" / "fair.txt").read_text() == story


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "{library}/recap.db",
        "{cache}/../../etc/passwd",
        "{cache}",
        "{cache}/..",
        "http://127.0.0.1:9/",
        "\0",
    ],
)
def test_no_file_of_the_server_can_be_named_as_an_upload(server: Server, path: str) -> None:
    path = path.format(library=server.folder / "library", cache=server.told["cache"])
    named = {"path": path, "orig_name": "a.txt", "meta": {"_type": "gradio.FileData"}}
    refused = server.send("add", "click", [named], "", session="named", state=1)
    assert (refused.status_code, refused.text) == (403, "Recap does not serve this.")
    hidden = server.send("open", "change", {"deep": [named]}, session="named")
    assert hidden.status_code == 403


LONG = "x" * 300_000


@pytest.mark.parametrize(
    ("box", "event", "values", "state", "most"),
    [
        ("ask", "click", (LONG, ""), 3, 40_000),
        ("words", "change", (LONG,), 1, 40_000),
        ("add", "click", (None, "https://" + LONG), 1, 40_000),
        ("send", "click", ("wrong", LONG, LONG), 3, 200_000),
        ("open", "change", (LONG,), 3, 40_000),
        ("act", "change", (f"find:{LONG}~1",), 3, 200_000),
        ("begin", "change", (f"ask:{LONG}~1",), 3, 200_000),
        ("resume", "change", (LONG,), 3, 200_000),
        ("kept", "change", (LONG,), 3, 200_000),
    ],
)
def test_every_box_has_a_length_that_the_server_keeps(
    server: Server, box: str, event: str, values: tuple[Any, ...], state: int, most: int
) -> None:
    session = os.urandom(6).hex()
    answer = server.send(box, event, *values, session=session, state=state)
    assert answer.status_code == 200
    said = server.listen(session) if "event_id" in answer.text else answer.text
    assert len(said) < most, f"{len(said):,} characters came back"
    assert said.count("x" * 5000) == 0


def test_the_parameters_of_a_component_are_read_once() -> None:
    """Gradio asks for them at every update; what it is told must stay what it was."""

    def wrapped(made: Any) -> Any:
        return functools.wraps(made)(lambda *given, **named: made(*given, **named))

    class Component:
        @wrapped
        def __init__(self, value: str = "", *, visible: bool = True) -> None: ...

    before = inspect.signature(Component.__init__), inspect.getfullargspec(Component.__init__.__wrapped__)  # type: ignore[attr-defined]

    def handler(self: Path, request: Any) -> Iterator[str]: ...

    event = SimpleNamespace(fn=handler)
    app._keep_signatures(SimpleNamespace(blocks={1: Component()}, fns={1: event}))
    assert handler.__annotations__ == {"self": Path, "request": Any, "return": Iterator[str]}
    after = inspect.signature(Component.__init__), inspect.getfullargspec(Component.__init__.__wrapped__)  # type: ignore[attr-defined]
    assert before == after
    assert inspect.signature(Component.__init__) is after[0]


STEPS = """
import asyncio
from ui import app
app.set_environment()
import gradio as gr
from gradio.state_holder import SessionState
from ui.page import _Blocks, _Config

with _Blocks() as blocks:
    shown = text, button, state, box = gr.Markdown(), gr.Button(), gr.State(), gr.Textbox()
    blocks.load(lambda: None, None, list(shown))
blocks.default_config.__class__ = _Config
assert not any(SessionState(blocks).config_values.values())
event = next(iter(blocks.fns.values()))
made = []
for component in (gr.Markdown, gr.Button, gr.Textbox):
    def init(self, *given, whole=component.__init__, **named):
        made.append(type(self).__name__)
        whole(self, *given, **named)
    component.__init__ = init
for said in ({text: "a"}, {button: gr.update(visible=False), state: 3}, {box: "", text: "b"}, {state: 1}):
    made.clear()
    ours = asyncio.run(blocks.postprocess_data(event, said, None))
    few = len(made)
    theirs = asyncio.run(gr.Blocks.postprocess_data(blocks, event, said, None))
    assert ours == theirs, (ours, theirs)
    assert few == (1 if button in said else 0) < len(made) - few, (few, made)
"""


def test_a_step_touches_only_what_it_names() -> None:
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
