"""Fetching: nothing that is not public is ever connected to; what a server can do wrong is a sentence."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from typing import Any

import httpcore
import pytest

from rag.errors import BlockedURL, ReadError, ReadTimeout
from rag.ingest.fetch import Page, fetch, is_public, literal
from tests.loopback_web import PUBLIC, Public, Web
from tests.torture.ssrf import ROW, URLS, WAYS, which

PAGE = "<html><head><title>Night of the lamps</title></head><body><article><h1>Night of the lamps</h1>" + "".join(
    f"<p>Paragraph {n} tells at some length how the harbour was lit and who came to see it that evening.</p>"
    for n in range(8)
)


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    w = Web()
    yield w
    w.close()


@pytest.fixture
def public(web: Web) -> Public:
    return Public(web)


# --- SSRF -------------------------------------------------------------------------------------------------------------


def test_the_table_is_as_long_as_the_requirement_and_each_address_is_given_in_every_way() -> None:
    assert len(set(URLS)) == len(URLS) >= 80
    assert len({which(n) for n in range(ROW.full)}) == ROW.full == len(URLS) * len(WAYS)


def test_a_name_is_asked_once_and_the_answer_is_kept(web: Web, public: Public) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])

    def rebinding(host: str, port: int, seconds: float) -> list[str]:
        return next(answers)

    page = fetch(web.put("/p", PAGE), **(public.seams | {"resolve": rebinding}))
    assert page.kind == "html"
    assert public.connected == [PUBLIC]
    assert next(answers) == ["127.0.0.1"]  # the second answer was never asked for


def test_a_redirect_asks_again_and_checks_again(web: Web, public: Public) -> None:
    web.redirect("/hop", "http://rebound.test/p")
    public.names["rebound.test"] = ["10.0.0.1"]
    with pytest.raises(BlockedURL, match=r"rebound\.test leads to 10\.0\.0\.1"):
        fetch(web.url("/hop"), **public.seams)
    assert public.connected == [PUBLIC]


@pytest.mark.parametrize("port", [21, 22, 25, 3306, 6379, 9200, 11211])
def test_only_the_ports_of_the_web(port: int, public: Public) -> None:
    with pytest.raises(BlockedURL, match=f"on port {port}"):
        fetch(f"http://news.example:{port}/", connect=public.connect, resolve=public.resolve)
    assert public.connected == []


def test_proxies_of_the_environment_are_not_used(web: Web, public: Public, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(web.put("/p", PAGE), **public.seams).body == PAGE.encode()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("93.184.216.34", True), ("2606:4700::1111", True), ("2a00:1450:4001::200e", True),
        ("::ffff:8.8.8.8", True), ("64:ff9b::8.8.8.8", True), ("172.32.0.1", True), ("100.128.0.1", True),
        ("::127.0.0.1", False), ("::8.8.8.8", False), ("2002:808:808::", False), ("224.0.0.1", False),
    ],
)  # fmt: skip
def test_is_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.1", "127.0.0.1"), ("0x7f000001", "127.0.0.1"),
     ("2130706433", "127.0.0.1"), ("0177.0.0.1", "127.0.0.1"),
     ("127.0.0.1.", "127.0.0.1"), ("[::1]", "::1"),
     ("example.org", None), ("1password.com", None), ("face.b00c", None)],
)  # fmt: skip
def test_literal(host: str, address: str | None) -> None:
    assert literal(host) == (None if address is None else ip_address(address))


# --- the private network, when asked for ------------------------------------------------------------------------------


def test_private_addresses_need_the_environment_variable(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    url = web.put("/p", PAGE).replace("news.example", "127.0.0.1")
    monkeypatch.delenv("RECAP_ALLOW_PRIVATE_URLS", raising=False)
    with pytest.raises(BlockedURL, match="on port"):
        fetch(url)
    monkeypatch.setenv("RECAP_ALLOW_PRIVATE_URLS", "1")
    assert fetch(url) == Page(url=url, kind="html", body=PAGE.encode(), charset="utf-8")


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "100.100.100.200", "[fd00:ec2::254]", "[fe80::1]", "224.0.0.1", "0.0.0.0", "192.0.0.192"],
)
def test_metadata_stays_blocked_even_then(host: str, public: Public) -> None:
    with pytest.raises(BlockedURL):
        fetch(f"http://{host}/", allow_private=True, connect=public.connect)
    assert public.connected == []


# --- what servers do --------------------------------------------------------------------------------------------------


def test_a_page_with_its_charset_and_headers(web: Web, public: Public) -> None:
    page = fetch(web.put("/p", PAGE, "text/html; charset=ISO-8859-1"), **public.seams)
    assert (page.kind, page.charset, page.url) == ("html", "ISO-8859-1", web.url("/p"))
    sent = web.headers[-1]
    assert sent["host"] == f"news.example:{web.port}"  # the name, although the connection goes to an address
    assert sent["user-agent"].startswith("Recap/")


def test_the_fragment_is_not_sent(web: Web, public: Public) -> None:
    assert fetch(web.put("/p", PAGE) + "#middle", **public.seams).url == web.url("/p")


def test_redirects_are_followed_five_times(web: Web, public: Public) -> None:
    web.put("/r0", PAGE)
    for n in range(1, 7):
        web.redirect(f"/r{n}", f"/r{n - 1}" if n % 2 else web.url(f"/r{n - 1}"), status=301 + n % 2)
    assert fetch(web.url("/r5"), **public.seams).url == web.url("/r0")
    with pytest.raises(ReadError, match=r"news\.example redirected more than 5 times"):
        fetch(web.url("/r6"), **public.seams)


def test_a_redirect_loop_ends(web: Web, public: Public) -> None:
    web.redirect("/loop", "/loop")
    with pytest.raises(ReadError, match="redirected more than 5 times"):
        fetch(web.url("/loop"), **public.seams)


@pytest.mark.parametrize(("status", "told"), [(404, r"404 \(Not Found\)"), (500, "500"), (403, "403"), (204, "204")])
def test_an_error_page_is_no_article(status: int, told: str, web: Web, public: Public) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", "text/html")
        request.end_headers()
        if status != 204:
            request.wfile.write(PAGE.encode())

    web.pages["/error"] = answer
    with pytest.raises(ReadError, match=rf"news\.example answered {told}.*save the page and ingest the file"):
        fetch(web.url("/error"), **public.seams)


def test_a_dead_address(public: Public) -> None:
    with pytest.raises(ReadError, match=r"gone\.test did not answer \(there is no such host\)\. Check the address"):
        fetch("http://gone.test/", **public.seams)


def test_a_closed_port(web: Web, public: Public) -> None:
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    with pytest.raises(ReadError, match=r"127\.0\.0\.1 did not answer \(connection refused\)"):
        fetch(f"http://127.0.0.1:{port}/", allow_private=True)


def test_tls_against_a_server_without_it(web: Web) -> None:
    with pytest.raises(ReadError, match="did not answer"):
        fetch(f"https://127.0.0.1:{web.port}/", allow_private=True)


def _slow(request: BaseHTTPRequestHandler, chunks: list[bytes]) -> None:
    for chunk in chunks:
        request.wfile.write(chunk)
        request.wfile.flush()
        time.sleep(0.1)


@pytest.mark.parametrize("stage", ["silent", "headers", "body"])
def test_a_slow_server_meets_the_deadline(stage: str, web: Web, public: Public) -> None:
    drip = [b"x"] * 100
    scripts = {
        "silent": [b""] * 100,
        "headers": [b"HTTP/1.1 200 OK\r\n", b"X-Slow: ", *drip],
        "body": [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\n", *drip],
    }
    web.pages["/slow"] = lambda request: _slow(request, scripts[stage])
    start = time.monotonic()
    with pytest.raises(ReadTimeout, match=r"news\.example did not answer within 1 seconds"):
        fetch(web.url("/slow"), deadline_s=1.0, **public.seams)
    assert time.monotonic() - start < 8  # the drip takes 10 s


def test_a_slow_name_server_meets_the_deadline(monkeypatch: pytest.MonkeyPatch, public: Public) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: time.sleep(30))
    start = time.monotonic()
    with pytest.raises(ReadTimeout, match="did not answer"):
        fetch("http://slow.example/", deadline_s=0.5, connect=public.connect)
    assert time.monotonic() - start < 20


def test_a_large_body_is_cut_off(web: Web, public: Public) -> None:
    url = web.put("/large", b"x" * 3_000_000, "text/plain")
    with pytest.raises(ReadError, match="sent more than 1 MB"):
        fetch(url, max_bytes=1_000_000, **public.seams)

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while True:
            request.wfile.write(b"x" * 65536)

    web.pages["/endless"] = endless
    with pytest.raises(ReadError, match="sent more than 1 MB"):
        fetch(web.url("/endless"), max_bytes=1_000_000, **public.seams)


def test_gzip_is_unpacked_and_a_bomb_is_not(web: Web, public: Public) -> None:
    assert (
        fetch(web.put("/z", gzip.compress(PAGE.encode()), Content_Encoding="gzip"), **public.seams).body
        == PAGE.encode()
    )
    bomb = gzip.compress(b"\0" * 200_000_000, compresslevel=1)
    url = web.put("/bomb", bomb, Content_Encoding="gzip")
    with pytest.raises(ReadError, match="sent more than 20 MB"):
        fetch(url, **public.seams)


@pytest.mark.parametrize("behind", [b"", b"\0" * 512, b"\x1f", b"garbage"])
@pytest.mark.parametrize("step", [1, 7, 1_000_000])
def test_gzip_of_several_members_is_unpacked_whole(step: int, behind: bytes, web: Web, public: Public) -> None:
    packed = gzip.compress(b"<p>one") + gzip.compress(b"") + gzip.compress(b" two") + behind

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n")
        for at in range(0, len(packed), step):
            request.wfile.write(packed[at : at + step])
            request.wfile.flush()

    web.pages["/members"] = answer
    assert fetch(web.url("/members"), **public.seams).body == b"<p>one two"


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (gzip.compress(b"x" * 600_000) * 2, "sent more than 1 MB"),
        (gzip.compress(b"") * 60_000, "sent more than 1 MB"),
        (gzip.compress(b"x") + gzip.compress(b"y" * 99)[:-9], "broke off"),
        (gzip.compress(b"x") + b"\x1f\x8b damaged", "damaged"),
    ],
)
def test_the_members_of_gzip_share_the_limits(members: bytes, told: str, web: Web, public: Public) -> None:
    url = web.put("/members", members, Content_Encoding="gzip")
    with pytest.raises(ReadError, match=told):
        fetch(url, max_bytes=1_000_000, **public.seams)


@pytest.mark.parametrize(
    ("coding", "body", "told"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(b"x")), "does not unpack"),
        ("br", b"\x0b\x02\x80x\x03", "does not unpack"),
        ("gzip", b"this is no gzip", "damaged"),
        ("gzip", gzip.compress(PAGE.encode())[:-20], "broke off"),
    ],
)
def test_other_packing_is_refused(coding: str, body: bytes, told: str, web: Web, public: Public) -> None:
    with pytest.raises(ReadError, match=told):
        fetch(web.put("/packed", body, Content_Encoding=coding), **public.seams)


def test_a_body_that_breaks_off(web: Web, public: Public) -> None:
    web.pages["/cut"] = lambda r: r.wfile.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9999\r\n\r\n<p>"
    ) and None  # fmt: skip
    with pytest.raises(ReadError, match="did not answer"):
        fetch(web.url("/cut"), **public.seams)


@pytest.mark.parametrize("reply", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00\x01\x02", b"HTTP/1.1 abc\r\n\r\n", b""])
def test_what_is_no_http(reply: bytes, web: Web, public: Public) -> None:
    web.pages["/nohttp"] = lambda r: r.wfile.write(reply) and None
    with pytest.raises(ReadError, match="did not answer"):
        fetch(web.url("/nohttp"), **public.seams)


@pytest.mark.parametrize(
    ("content_type", "body", "kind"),
    [
        ("text/html", b"<html>", "html"),
        ("application/xhtml+xml", b"<html>", "html"),
        ("application/rss+xml", b"<rss>", "feed"),
        ("application/atom+xml; charset=utf-8", b"<feed>", "feed"),
        ("text/xml", b"<?xml version='1.0'?><rss version='2.0'>", "feed"),
        ("text/xml", b"<?xml version='1.0'?><html xmlns='x'>", "html"),
        ("text/html", b"<?xml version='1.0'?>\n<rss version='2.0'>", "feed"),
        ("application/pdf", b"%PDF-1.4", "pdf"),
        ("text/plain", b"words", "text"),
        ("", b"<!DOCTYPE html><html>", "html"),
        ("", b"<rss version='2.0'>", "feed"),
        ("", b"words", "text"),
    ],
)
def test_kinds(content_type: str, body: bytes, kind: str, web: Web, public: Public) -> None:
    assert fetch(web.put("/kind", body, content_type), **public.seams).kind == kind


@pytest.mark.parametrize("content_type", ["image/png", "application/octet-stream", "video/mp4", "application/json"])
def test_other_content_is_refused(content_type: str, web: Web, public: Public) -> None:
    with pytest.raises(ReadError, match=rf"answered with '{content_type}'"):
        fetch(web.put("/other", b"x", content_type), **public.seams)


def test_tls_is_checked_for_the_name_and_not_the_address(public: Public) -> None:
    names: list[Any] = []

    class Fake(httpcore.NetworkStream):
        def start_tls(self, ssl_context: Any, server_hostname: Any = None, timeout: Any = None) -> Any:
            names.append((server_hostname, ssl_context.check_hostname, ssl_context.verify_mode.name))
            raise httpcore.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")

        def close(self) -> None:
            pass

    seams = public.seams | {"connect": lambda address, port, seconds: Fake()}
    with pytest.raises(ReadError, match=r"news\.example did not answer \(its certificate is not valid\)"):
        fetch("https://news.example/", **seams)
    assert names == [("news.example", True, "CERT_REQUIRED")]
