"""A small web on loopback for the tests of fetching, and a network that looks public and leads to it.

`Web` serves what the tests put into `pages`. `Public` is the pair of seams of `fetch`: names resolve to an address that
is public (93.184.216.34), and a connection to that address goes to the Web. Every other connection is recorded, made
for real, and so would be seen by a listener.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpcore

PUBLIC = "93.184.216.34"
Handler = Callable[[BaseHTTPRequestHandler], None]


class Web:
    """A server on 127.0.0.1; `pages` maps a path (without its query) to a handler."""

    def __init__(self) -> None:
        self.pages: dict[str, Handler] = {}
        self.seen: list[str] = []
        self.headers: list[dict[str, str]] = []
        web = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.seen.append(self.path)
                web.headers.append({k.lower(): v for k, v in self.headers.items()})
                handler = web.pages.get(self.path.partition("?")[0])
                try:
                    if handler is None:
                        self.send_error(404)
                    else:
                        handler(self)
                except OSError:
                    pass  # the client has hung up, as some tests want

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.daemon_threads = True
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def url(self, path: str, *, host: str = "news.example") -> str:
        return f"http://{host}:{self.port}{path}"

    def put(self, path: str, body: bytes | str, content_type: str = "text/html; charset=utf-8", **headers: str) -> str:
        """Serve a body at a path; return its address."""
        data = body.encode() if isinstance(body, str) else body

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            request.send_header("Content-Type", content_type)
            request.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                request.send_header(name.replace("_", "-"), value)
            request.end_headers()
            request.wfile.write(data)

        self.pages[path] = answer
        return self.url(path)

    def redirect(self, path: str, target: str, status: int = 302) -> str:
        """Answer with a redirect whose Location is `target`, byte for byte."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.wfile.write(f"HTTP/1.0 {status} Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())

        self.pages[path] = answer
        return self.url(path)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@dataclass
class Public:
    """The seams that make the Web look public. `names` adds names with addresses of their own."""

    web: Web
    names: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)

    @property
    def seams(self) -> dict[str, Any]:
        ports = frozenset({80, 443, 8080, 8443, self.web.port})
        return {"resolve": self.resolve, "connect": self.connect, "ports": ports}

    def resolve(self, host: str, port: int, seconds: float) -> list[str]:
        self.asked.append(host)
        if host in self.names:
            return self.names[host]
        if host.endswith(".example"):
            return [PUBLIC]
        if host.rstrip(".").lower().endswith("localhost"):
            return [str(info[4][0]) for info in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)]
        raise OSError("[Errno -2] Name or service not known")

    def connect(self, address: str, port: int, seconds: float) -> httpcore.NetworkStream:
        self.connected.append(address)
        to = "127.0.0.1" if address == PUBLIC else address
        return httpcore.SyncBackend().connect_tcp(to, self.web.port if address == PUBLIC else port, timeout=seconds)


class Listener:
    """Listens on a port of both loopbacks and counts who knocks."""

    def __init__(self) -> None:
        self.knocks = 0
        self.sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port = int(self.sockets[0].getsockname()[1])
        with suppress(OSError):  # a machine without IPv6
            self.sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for s in self.sockets:
            threading.Thread(target=self._accept, args=(s,), daemon=True).start()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            self.knocks += 1
            client.close()

    def close(self) -> None:
        for s in self.sockets:
            with suppress(OSError):  # close() alone leaves accept() waiting
                s.shutdown(socket.SHUT_RDWR)
            s.close()
