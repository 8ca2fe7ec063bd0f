"""The guard alone, and the real server behind it: headers, closed routes, limits, passwords, addresses."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag.errors import ConfigError
from ui import guard, limits
from ui.app import free_port
from ui.strings import EN


async def hello(scope: Any, receive: Any, send: Any, *, status: int = 200) -> None:
    """Read the whole body, then answer with its length and a header that must not get out."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    headers = [(b"access-control-allow-origin", b"*"), (b"content-security-policy", b"none"), (b"x-kept", b"1")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": str(size).encode()})


def ask(
    method: str = "GET",
    path: str = "/",
    *,
    wrapped: guard.Guard | None = None,
    host: str = "127.0.0.1",
    headers: dict[str, str] | None = None,
    content: Any = None,
    uploads: bool = False,
    client: str = "127.0.0.1",
) -> httpx.Response:
    app = wrapped or guard.Guard(hello, uploads=uploads)

    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=(client, 1234))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}:7860") as http:
            return await http.request(method, path, headers=headers, content=content)

    return asyncio.run(go())


# --- the guard alone ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/gradio_api/upload", "/gradio_api/file=http://evil.example/"])
def test_every_response_carries_our_headers(path: str) -> None:
    response = ask("GET", path)
    for name, value in guard.HEADERS:
        assert response.headers.get_list(name.decode()) == [value.decode()]
    assert "access-control-allow-origin" not in response.headers
    assert (response.headers.get("x-kept") == "1") == (response.status_code == 200)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/assets/index-Dph_x.js", 200),
        ("GET", "/gradio_api/queue/data?session_hash=abc", 200),
        ("GET", "/gradio_api/heartbeat/abc123", 200),
        ("POST", "/gradio_api/queue/join?", 200),
        ("POST", "/gradio_api/run/predict", 200),
        ("GET", "/gradio_api/file=http://169.254.169.254/latest", 403),
        ("GET", "/gradio_api/file=/etc/passwd", 403),
        ("GET", "/gradio_api/file/etc/passwd", 403),
        ("GET", "/gradio_api/proxy=https://evil.example", 403),
        ("GET", "/?deep_link=x", 404),
        ("GET", "/?deep%5flink=abc", 404),
        ("GET", "/?a=b&deep_link", 404),
        ("GET", "/assets/../../secret", 404),
        ("GET", "/gradio_api/info", 404),
        ("GET", "/gradio_api/openapi.json", 404),
        ("GET", "/gradio_api/dev/reload", 404),
        ("GET", "/gradio_api/token", 404),
        ("GET", "/gradio_api/runs", 404),
        ("GET", "/monitoring", 404),
        ("GET", "/svelte/x.js", 404),
        ("POST", "/gradio_api/upload", 404),
        ("POST", "/gradio_api/vibe-edit", 404),
        ("POST", "/gradio_api/call/answer", 404),
        ("POST", "/gradio_api/component_server", 404),
        ("POST", "/gradio_api/process_recording", 404),
        ("PUT", "/", 405),
        ("OPTIONS", "/gradio_api/queue/join", 405),
    ],
)
def test_only_the_routes_that_the_page_needs_are_open(method: str, path: str, status: int) -> None:
    assert ask(method, path).status_code == status


def test_uploads_are_open_where_articles_may_be_added_and_bounded() -> None:
    assert ask("POST", guard.UPLOAD, uploads=True).status_code == 200
    assert ask("GET", guard.UPLOAD_PROGRESS, uploads=True).status_code == 200
    assert ask("POST", guard.UPLOAD, content=b"x" * (guard.BODY_LIMIT + 1), uploads=True).status_code == 200
    long = {"content-length": str(guard.UPLOAD_LIMIT + 1)}
    assert ask("POST", guard.UPLOAD, headers=long, uploads=True).status_code == 413

    async def pieces() -> Any:  # chunked: no length header at all
        yield b"x"

    assert ask("POST", guard.UPLOAD, content=pieces(), uploads=True).status_code == 411
    assert ask("POST", guard.UPLOAD, headers={"sec-fetch-site": "cross-site"}, uploads=True).status_code == 403


@pytest.mark.parametrize(
    ("listens", "asked", "status"),
    [
        ("127.0.0.1", "localhost", 200),
        ("127.0.0.1", "127.0.0.1", 200),
        ("127.0.0.1", "[::1]", 200),
        ("127.0.0.1", "evil.example", 421),  # DNS rebinding
        ("127.0.0.1", "192.0.2.7", 421),
        ("0.0.0.0", "192.0.2.7", 200),  # an address cannot be rebound
        ("0.0.0.0", "evil.example", 421),
        ("0.0.0.0", "recap.example", 200),
    ],
)
def test_the_host_must_be_ours(monkeypatch: pytest.MonkeyPatch, listens: str, asked: str, status: int) -> None:
    monkeypatch.setenv("RECAP_TRUSTED_HOSTS", "recap.example, other.example")
    assert ask(wrapped=guard.Guard(hello, host=listens), host=asked).status_code == status


@pytest.mark.parametrize("host", ["evil.example@localhost", "localhost/", "localhost?x", "localhost#x", "localhost\\x"])
def test_a_host_is_a_name_and_nothing_else(host: str) -> None:
    assert ask(headers={"host": host}).status_code == 421


async def told(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the headers that came through."""
    said = "\n".join(f"{k.decode()}: {v.decode()}" for k, v in scope["headers"]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said})


def test_no_header_of_a_browser_says_where_the_page_is() -> None:
    wrapped = guard.Guard(told)
    elsewhere = {"x-forwarded-host": "evil.example", "x-gradio-server": "http://evil.example", "x-kept": "1"}
    said = ask(wrapped=wrapped, headers=elsewhere).text
    assert "evil.example" not in said
    assert "x-kept: 1" in said
    assert "x-forwarded-host: localhost" in ask(wrapped=wrapped, headers={"x-forwarded-host": "localhost"}).text
    hosts = [(b"host", b"evil.example"), (b"host", b"127.0.0.1")]
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": hosts, "scheme": "http", "query_string": b""}
    asyncio.run(wrapped(scope, None, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 400


def test_a_websocket_is_refused_with_our_headers() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": [], "extensions": {"websocket.http.response": {}}}
    asyncio.run(guard.Guard(hello)(scope, None, send))  # type: ignore[arg-type]
    assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 403)
    assert set(guard.HEADERS) <= set(sent[0]["headers"])
    assert sent[1]["type"] == "websocket.http.response.body"
    sent.clear()
    asyncio.run(guard.Guard(hello)(scope | {"extensions": None}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://127.0.0.1:7860"}, 200),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_other_sites_cannot_post(headers: dict[str, str], status: int) -> None:
    assert ask("POST", "/gradio_api/queue/join", headers=headers).status_code == status


def test_large_bodies_are_refused_whatever_their_length_header_says() -> None:
    path = "/gradio_api/queue/join"
    assert ask("POST", path, content=b"x" * guard.BODY_LIMIT).text == str(guard.BODY_LIMIT)
    assert ask("POST", path, content=b"x" * (guard.BODY_LIMIT + 1)).status_code == 413

    async def pieces() -> Any:  # chunked: no length header at all
        for _ in range(guard.BODY_LIMIT // 65536 + 2):
            yield b"x" * 65536

    assert ask("POST", path, content=pieces()).status_code == 413
    assert ask("POST", path, headers={"content-length": "-1"}).status_code == 413


@pytest.mark.parametrize("path", ["/login", "/gradio_api/run/predict", guard.UPLOAD])
def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(guard, "BODY_S", 0.1)
    monkeypatch.setattr(guard, "PART_S", 0.1)
    sent: list[Any] = []

    async def receive() -> Any:
        if not sent:
            sent.append(None)
            return {"type": "http.request", "body": b"half", "more_body": True}
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-length", b"100")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "scheme": "http", "query_string": b""}
    asyncio.run(asyncio.wait_for(guard.Guard(hello, uploads=True)(scope, receive, send), 10))
    assert sent[1]["status"] == 408
    assert (b"connection", b"close") in sent[1]["headers"]
    assert sent[2]["body"] == b"The request did not come in time."


def test_an_upload_that_comes_drop_by_drop_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "UPLOAD_S", 0.3)

    async def drops() -> Any:
        for _ in range(1000):
            await asyncio.sleep(0.02)
            yield b"x"

    headers = {"content-length": "1000"}
    began = time.monotonic()
    assert ask("POST", guard.UPLOAD, headers=headers, content=drops(), uploads=True).status_code == 408
    assert time.monotonic() - began < 5


def test_naming_files_is_little_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))

    def name(*paths: str) -> httpx.Response:
        files = json.dumps({"data": [[{"path": path} for path in paths]]})
        return ask("POST", "/gradio_api/queue/join", content=files)

    inside = [str(tmp_path / f"{n}" / "a.txt") for n in range(50 + 1)]
    assert name(*inside[1:]).status_code == 200
    refused = name(*inside)
    assert (refused.status_code, refused.json()["detail"]) == (403, EN.l_too_many.format(limit=50))
    assert name(str(tmp_path / ("a" * 1024))).status_code == 403
    for many in (["a/" * 40_000], inside[:1] * 15_000, ["a/" * 500] * 2000):
        body = json.dumps({"data": [{"path": path} for path in many]})
        began = time.process_time()
        assert ask("POST", "/gradio_api/queue/join", content=body).status_code == 403
        assert time.process_time() - began < 0.8, f"{len(many)} paths of {len(many[0])} characters"


def attempt(wrapped: guard.Guard, name: str = "mira", *, address: str = "192.0.2.1") -> int:
    """Try to sign in from an address."""

    async def go() -> int:
        transport = httpx.ASGITransport(app=wrapped, client=(address, 1))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.post("/login", data={"username": name, "password": "guess"})).status_code

    return asyncio.run(go())


def test_signing_in_is_slowed_down() -> None:
    now = 0.0
    wrapped = guard.Guard(partial(hello, status=400), clock=lambda: now)
    statuses = [ask("POST", "/login", wrapped=wrapped).status_code for _ in range(guard.TRIES + 2)]
    assert statuses == [400] * guard.TRIES + [429, 429]
    assert ask("POST", "/login/", wrapped=wrapped).status_code == 429
    assert ask("POST", "/login", wrapped=wrapped).json()["detail"].startswith("Too many wrong attempts")
    now = guard.TRIES_IN_S
    assert ask("POST", "/login", wrapped=wrapped).status_code == 400


def test_one_name_cannot_be_tried_from_everywhere() -> None:
    wrapped = guard.Guard(partial(hello, status=400))
    names = ["mira", " Mira ", "MIRA"]
    tries = [attempt(wrapped, names[n % 3], address=f"192.0.2.{n}") for n in range(guard.TRIES_NAME + 1)]
    assert tries == [400] * guard.TRIES_NAME + [429]
    assert attempt(wrapped, "ada", address="192.0.2.1") == 400
    others = [attempt(wrapped, f"n{n}", address=f"198.51.100.{n}") for n in range(guard.TRIES_ALL)]
    assert others.count(400) == guard.TRIES_ALL - guard.TRIES_NAME - 1


def test_who_has_signed_in_is_not_locked_out_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "KNOWN", 2)
    good = {"192.0.2.1"}

    async def signs_in(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send, status=200 if scope["client"][0] in good else 400)

    wrapped = guard.Guard(signs_in)
    assert attempt(wrapped, address="192.0.2.1") == 200
    for n in range(guard.TRIES_ALL):
        attempt(wrapped, address=f"198.51.100.{n}")
        attempt(wrapped, f"n{n}", address=f"198.51.100.{n}")
    good.add("192.0.2.2")
    assert attempt(wrapped, address="192.0.2.2") == 429, "a new address waits"
    assert attempt(wrapped, address="192.0.2.1") == 200
    good.clear()
    tries = [attempt(wrapped, address="192.0.2.1") for _ in range(guard.TRIES + 1)]
    assert tries == [400] * guard.TRIES + [429], "but may not guess without end"
    later = guard.Guard(hello)
    for n in range(5):
        assert attempt(later, address=f"192.0.2.{n}") == 200
    assert list(later.known) == ["192.0.2.3", "192.0.2.4"]


def test_one_network_of_ipv6_is_one_address() -> None:
    wrapped = guard.Guard(partial(hello, status=400))
    tries = [attempt(wrapped, f"n{n}", address=f"2001:db8:0:1::{n:x}") for n in range(guard.TRIES + 2)]
    assert tries == [400] * guard.TRIES + [429] * 2
    assert attempt(wrapped, address="2001:db8:0:2::1") == 400


def test_a_hundred_people_behind_one_address_can_sign_in() -> None:
    wrapped = guard.Guard(hello)
    assert [attempt(wrapped) for _ in range(100)] == [200] * 100


def test_a_tab_that_sends_without_end_is_told_so_and_the_others_are_not() -> None:
    now = 0.0
    wrapped = guard.Guard(hello, clock=lambda: now)

    def send(session: str) -> httpx.Response:
        return ask("POST", "/gradio_api/queue/join", wrapped=wrapped, content=json.dumps({"session_hash": session}))

    flood = [send("one").status_code for _ in range(limits.REQUESTS.session + 20)]
    assert flood == [200] * limits.REQUESTS.session + [429] * 20
    assert send("one").json()["detail"] == "Too much was asked for at once. Wait a moment, then try again."
    assert [send(f"another {n}").status_code for n in range(100)] == [200] * 100
    now = limits.REQUESTS.seconds
    assert send("one").status_code == 200


def test_nobody_makes_sessions_without_end() -> None:
    now = 0.0
    wrapped = guard.Guard(hello, clock=lambda: now)

    def send(session: str, client: str = "192.0.2.7") -> int:
        nonlocal now
        now += 0.01  # slow enough for the limit on requests
        said = json.dumps({"session_hash": session})
        return ask("POST", "/gradio_api/run/predict", wrapped=wrapped, content=said, client=client).status_code

    assert [send(f"{n}") for n in range(400)] == [200] * 400, "three times a hundred people, and more"
    assert [send(f"new {n}") for n in range(20)] == [429] * 20
    assert send("7") == 200, "who is known goes on"
    assert send("at this machine", "127.0.0.1") == 200
    assert send("7" + "x" * 64) == 403
    now = 600.0
    assert send("new") == 200


def test_a_session_that_was_pushed_out_counts_as_new() -> None:
    now = 0.0
    made = limits.Sessions(clock=lambda: now)
    for n in range(limits.KEPT + 1):
        assert made.admits(limits.Visitor(f"{n}", f"192.0.2.{n % 200}"))
        assert made.admits(limits.Visitor("0", "192.0.2.1")), "who is used stays"
    full = [made.admits(limits.Visitor(f"more {n}", "198.51.100.1")) for n in range(limits.NEW + 1)]
    assert full == [True] * limits.NEW + [False]
    assert made.admits(limits.Visitor(f"more {limits.NEW - 1}", "198.51.100.1"))
    assert not made.admits(limits.Visitor("1", "198.51.100.1")), "its conversation is gone, and would push out another"
    now = limits.NEW_IN_S
    assert made.admits(limits.Visitor("1", "198.51.100.1"))


@pytest.mark.parametrize(
    ("address", "user", "where"),
    [
        ("127.0.0.1", None, ""),
        ("::1", None, ""),
        ("192.0.2.1", None, "192.0.2.1"),
        ("::ffff:127.0.0.1", None, ""),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("2001:db8:0:1:a:b:c:d", None, "2001:db8:0:1::/64"),
        ("2001:db8:0:1::9", "mira", "mira@2001:db8:0:1::/64"),
        ("127.0.0.1", "mira", "mira@127.0.0.1"),
        ("?", None, "?"),
    ],
)
def test_a_place_is_an_address_or_a_name_at_one(address: str, user: str | None, where: str) -> None:
    assert limits.place(address, user) == where


def test_limits_leave_room_for_a_hundred_people_and_stop_one() -> None:
    now = 0.0
    meter = limits.Meter(limits.QUESTIONS, clock=lambda: now)
    people = [limits.Visitor(f"s{n}", "192.0.2.1") for n in range(100)]
    assert all(meter.admits(who) for who in people for _ in range(limits.QUESTIONS.place // 100))
    assert not meter.admits(limits.Visitor("new", "192.0.2.1"))
    assert meter.admits(limits.Visitor("new", "192.0.2.2"))
    own = limits.Visitor("mine", "")
    assert sum(meter.admits(own) for _ in range(1000)) == limits.QUESTIONS.session
    assert all(meter.admits(limits.Visitor(f"tab {n}", "")) for n in range(1000))
    now = limits.QUESTIONS.seconds
    assert meter.admits(own)


def test_a_session_has_few_answers_under_way() -> None:
    now = 0.0
    going = limits.AtOnce(2, clock=lambda: now)
    one, other = limits.Visitor("one", ""), limits.Visitor("other", "")
    with going.one(one) as a, going.one(one) as b, going.one(one) as c, going.one(other) as d:
        assert (a, b, c, d) == (True, True, False, True)
        now = 1000.0  # an answer whose end was never heard of
        with going.one(one) as later:
            assert later
    with going.one(one) as a:
        assert a
    assert going._going == {}


@pytest.mark.parametrize(
    ("given", "https", "kept"),
    [
        (
            "access-token-unsecure-x=t; HttpOnly; Path=/; SameSite=lax",
            False,
            "access-token-unsecure-x=t; Path=/; HttpOnly; SameSite=Lax",
        ),
        ("access-token-x=t; HttpOnly; Path=/; SameSite=none; Secure", False, None),
        (
            "access-token-x=t; HttpOnly; Path=/; SameSite=none; Secure",
            True,
            "access-token-x=t; Path=/; HttpOnly; SameSite=Lax; Secure",
        ),
        ('other=""; Max-Age=0; Domain=example', True, 'other=""; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure'),
    ],
)
def test_cookies_are_kept_from_scripts_and_other_sites(given: str, https: bool, kept: str | None) -> None:
    assert guard._cookie(given, https=https) == kept


# --- passwords and addresses -------------------------------------------------------------------------------------


def test_a_password_may_be_given_as_its_hash() -> None:
    hashed = guard.hash_password("correct horse")
    assert "correct" not in hashed
    assert hashed != guard.hash_password("correct horse")
    for secret in ("correct horse", hashed):
        check = guard.password_check(f"mira:{secret}")
        assert check("mira", "correct horse")
        assert check(" mira ", "correct horse")
        assert not check("mira", "correct horsf")
        assert not check("ada", "correct horse")
        assert not check("mira", "")
        assert not check("mira", "x" * 5000)
    assert not guard.password_check(f"mira:{hashed}")("mira", hashed)


@pytest.mark.parametrize("auth", ["mira", "mira:", "mira:short", ":longenough1", " :longenough1"])
def test_a_weak_setting_is_refused(auth: str) -> None:
    with pytest.raises(ConfigError, match="RECAP_AUTH"):
        guard.password_check(auth)


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("example.org", False),
        ("localhost.example.org", False),
    ],
)
def test_what_counts_as_this_machine_only(host: str, inside: bool) -> None:
    assert guard.is_loopback(host) is inside


def test_a_busy_port_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} on 127.0.0.1 is already in use"):
            free_port("127.0.0.1", port)
    assert free_port("127.0.0.1", 0) > 0
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1"):
        free_port("192.0.2.1", 7860)


# --- the real server ---------------------------------------------------------------------------------------------


def start(library: Path, *flags: str, **env: str) -> tuple[subprocess.Popen[str], str]:
    """Start `python -m ui` on a free port; return the process and its address."""
    return serving(
        [sys.executable, "-m", "ui", "--library", str(library), "--port", "0", "--no-browser", *flags], **env
    )


def serving(command: list[str], *, cwd: Path | None = None, **env: str) -> tuple[subprocess.Popen[str], str]:
    """Start a program that serves the page; return the process and the address that it says."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith("RECAP_")} | {"RECAP_LLM": "none", **env}
    server = subprocess.Popen(command, env=settings, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert server.stdout is not None
    line = server.stdout.readline()
    found = re.search(r"http://\S+", line)
    if found is None:
        server.kill()
        pytest.fail(f"The server did not start: {line} {server.communicate()[1]}")
    return server, found[0]


def end(server: subprocess.Popen[str]) -> str:
    """Stop a server as Ctrl+C does; return what it wrote to stderr."""
    server.send_signal(signal.SIGINT)
    try:
        return server.communicate(timeout=20)[1]
    except subprocess.TimeoutExpired:
        server.kill()
        raise


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server, address = start(tmp_path_factory.mktemp("empty") / "library")
    yield address
    end(server)
    assert server.returncode == 0


def test_the_real_server_seals_every_response(url: str) -> None:
    for path in ("/", "/theme.css", "/favicon.ico", "/nothing", "/gradio_api/file=http://127.0.0.1:1/", "/config"):
        response = httpx.get(url + path)
        assert response.headers["content-security-policy"] == guard.CSP
        assert response.headers["x-content-type-options"] == "nosniff"
    assert httpx.get(url + "/gradio_api/file=http://127.0.0.1:1/").status_code == 403
    kept = httpx.post(url + "/gradio_api/upload", files={"files": ("a.txt", b"<b>x</b>")}).json()[0]
    assert httpx.get(f"{url}/gradio_api/file={kept}").status_code == 403, "what was uploaded is not served"
    assert httpx.get(url, headers={"host": "evil.example"}).status_code == 421


def test_the_page_names_no_other_server(url: str) -> None:
    page = httpx.get(url).text
    config = httpx.get(url + "/config").json()
    assert '"share": true' not in page
    assert config["footer_links"] == []
    assert not re.search(r"fonts\.(googleapis|gstatic)", page + httpx.get(url + "/theme.css").text)


def joined(url: str, fn: int, data: list[Any]) -> dict[str, Any]:
    """Call one of the page's functions as a program would, past every limit that the browser keeps."""
    session = "s" + os.urandom(5).hex()
    body = {"data": data, "fn_index": fn, "session_hash": session, "event_data": None, "trigger_id": None}
    assert httpx.post(f"{url}/gradio_api/queue/join", json=body).status_code == 200
    with httpx.stream("GET", f"{url}/gradio_api/queue/data", params={"session_hash": session}, timeout=20) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.partition(": ")[2]) if line.startswith("data: ") else {}
            if message.get("msg") in ("process_completed", "process_generating"):
                return message
    raise AssertionError


def test_the_length_of_a_question_is_checked_by_the_server(url: str) -> None:
    said = json.dumps(joined(url, 0, ["x" * 2001, "", None, None, None]))
    assert "at most 2000 are read" in said
    assert EN.no_question in json.dumps(joined(url, 0, ["  ", "", None, None, None]))
    long = b"x" * (guard.BODY_LIMIT + 1)
    assert httpx.post(f"{url}/gradio_api/queue/join", content=long).status_code == 413


def test_junk_gets_no_traceback(url: str) -> None:
    for data in (
        ["q", "no such scope", None, None, None],
        [{"a": 1}, "", None, None, None],
        [None, None, None, None, None],
        [],
        ["q", ["x"], {"turns": 1}, None, {"lang": 1}],
    ):
        said = json.dumps(joined(url, 0, data))
        assert "Traceback" not in said
        assert '.py"' not in said


def listeners(url: str, box: str) -> list[int]:
    """The page's functions that are given what one of its hidden boxes holds."""
    config = httpx.get(url + "/config").json()
    number = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == box)
    found = [d["id"] for d in config["dependencies"] if number in d["inputs"] and d["backend_fn"]]
    assert found
    return found


@pytest.mark.parametrize("box", ["act", "resume", "kept", "begin"])
@pytest.mark.parametrize(
    "value",
    [
        "", "x" * 5000, "{", "[]", "null", '{"talk": {"turns": [[]]}, "talks": {"a": 1}, "lang": ["fr"]}', "event:%ff:%00~1",
        "event:a:b~1", "person:~1", "passage:a:1:99999999999999999999~1", "passage:../../etc/passwd:0:1~2", "run:../../etc~1",
        "run:%2Fetc~1", "replay:a:b~1", "remove!:nothing~1", "page:-1~1", "sort:DROP TABLE~1", "order:1~1", "good:1~1",
        "screen:nowhere~1", "bad:²~1", "edit:99999~1", "[" * 100_000,
    ],
)  # fmt: skip
def test_whatever_comes_through_a_hidden_box_gets_no_traceback(url: str, box: str, value: str) -> None:
    for listener in listeners(url, box):
        body = {"data": [value, None, None, None], "fn_index": listener, "session_hash": "s" + os.urandom(5).hex()}
        response = httpx.post(f"{url}/gradio_api/run/predict", json=body, timeout=30)
        assert "Traceback" not in response.text
        assert '.py"' not in response.text
        assert "root:x:0" not in response.text


def test_a_click_from_nowhere_opens_nothing(url: str) -> None:
    (opener,) = listeners(url, "open")
    for target in ("1-0", "../../etc/passwd", "", "9" * 40, "1-0.5"):
        body = {"data": [target, None, None, None], "fn_index": opener, "session_hash": "nobody"}
        response = httpx.post(f"{url}/gradio_api/run/predict", json=body)
        assert response.status_code == 200
        assert EN.no_source.split(".")[0] in response.text


def test_a_second_server_on_the_port_says_so(url: str, tmp_path: Path) -> None:
    port = url.rpartition(":")[2]
    command = [sys.executable, "-m", "ui", "--library", str(tmp_path), "--port", port, "--no-browser"]
    done = subprocess.run(command, text=True, capture_output=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.strip() == EN.port_busy.format(port=port, host="127.0.0.1")


@pytest.mark.parametrize(
    ("flags", "env", "sentence"),
    [
        (["--host", "0.0.0.0"], {}, "a password is needed"),
        (["--host", "0.0.0.0"], {"RECAP_AUTH": "mira:short"}, "at least 8 characters"),
        (["--port", "99999"], {}, "is not a port"),
    ],
)
def test_what_is_unsafe_does_not_start(tmp_path: Path, flags: list[str], env: dict[str, str], sentence: str) -> None:
    command = [sys.executable, "-m", "ui", "--library", str(tmp_path), "--no-browser", *flags]
    settings = {k: v for k, v in os.environ.items() if not k.startswith("RECAP_")} | env
    done = subprocess.run(command, env=settings, text=True, capture_output=True, timeout=60)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_with_a_password_nothing_is_shown_before_it_is_given(tmp_path: Path) -> None:
    server, address = start(tmp_path / "library", RECAP_AUTH=f"mira:{guard.hash_password('correct horse')}")
    try:
        assert EN.empty_title not in httpx.get(address).text
        assert httpx.get(address + "/config").status_code == 401
        body = {"data": ["q", "", None], "fn_index": 0, "session_hash": "s"}
        assert httpx.post(address + "/gradio_api/queue/join", json=body).status_code == 401
        with httpx.Client() as client:
            wrong = client.post(address + "/login", data={"username": "mira", "password": "wrong horse"})
            right = client.post(address + "/login", data={"username": "mira", "password": "correct horse"})
            assert (wrong.status_code, right.status_code) == (400, 200)
            assert client.get(address + "/config").status_code == 200
        began = time.monotonic()
        tries = [
            httpx.post(address + "/login", data={"username": "mira", "password": f"guess {i}"}).status_code
            for i in range(guard.TRIES)
        ]
        assert tries[-1] == 429
        assert time.monotonic() - began < guard.TRIES_IN_S
    finally:
        log = end(server)
    assert "Traceback" not in log
