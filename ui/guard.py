"""What stands between the network and Gradio: one ASGI layer, and the password check.

Gradio opens about seventy routes; the page needs these few. Everything else is closed here, because what is not
reachable needs no patch: the file proxy, the API, OAuth, monitoring, deep links, editing.

What it does not know: answers, articles, markup.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from rag.errors import ConfigError
from ui.strings import EN

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; frame-src 'none'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)
GET = re.compile(
    r"/|/(?:assets|static)/[\w./@+-]+|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt|/config/?|/logout"
    r"|/gradio_api/(?:theme\.css|startup-events|user/?|login_check/?|app_id/?|queue/data|heartbeat/\w{1,64})"
)
POST = re.compile(r"/login/?|/gradio_api/(?:queue/join|run/predict/?|cancel|reset/?)")
UPLOAD = "/gradio_api/upload"
UPLOAD_PROGRESS = "/gradio_api/upload_progress"
BODY_LIMIT = 2 * 1024 * 1024  # bytes; the largest honest request is a conversation out of the browser's storage
UPLOAD_LIMIT = 100 * 1024 * 1024  # bytes of one upload, all its files together
PASSWORD_LENGTH = 8  # characters, the least
TRIES, TRIES_IN_S = 5, 60.0  # wrong passwords from one address, and in how many seconds
TRIES_ALL = 60  # ... and from all addresses together
_ADDRESSES_KEPT = 4096


class Guard:
    """Wrap Gradio: trusted hosts, closed routes, small bodies, slow logins, and our headers on every response."""

    def __init__(
        self,
        app: App,
        *,
        host: str = "127.0.0.1",
        uploads: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self.uploads = uploads
        self.hosts = trusted_hosts(host)
        self.any_address = not is_loopback(host)
        self.clock = clock
        self.tries: dict[str, deque[float]] = {}

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] == "websocket":  # Gradio 6 speaks HTTP only
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in HEADERS}
                kept = [
                    (k, v)
                    for k, v in message.get("headers", [])
                    if k.lower() not in ours and not k.lower().startswith(b"access-control-")
                ]
                message = {**message, "headers": [*kept, *HEADERS]}
            await send(message)

        headers = {k.lower(): v.decode("latin-1") for k, v in scope["headers"]}
        if (status := self.refuse(scope, headers)) is not None:
            await _reply(sealed, status)
            return
        if scope["path"].rstrip("/") == "/login" and scope["method"] == "POST" and not self._may_try(scope):
            await _reply(sealed, 429, (b"retry-after", str(int(TRIES_IN_S)).encode()))
            return
        await self._bounded(scope, receive, sealed)

    def refuse(self, scope: Scope, headers: dict[bytes, str]) -> int | None:
        """Return the status that turns this request away, None to let it pass."""
        path, method = scope["path"], scope["method"]
        if not self.trusts(headers.get(b"host", "")):
            return 421
        if path.startswith(("/gradio_api/file", "/file", "/gradio_api/proxy", "/proxy")):
            return 403
        if method in ("GET", "HEAD"):
            if self.uploads and path == UPLOAD_PROGRESS:
                return None
            if not GET.fullmatch(path) or ".." in path:
                return 404
            return 404 if b"deep_link" in scope.get("query_string", b"") else None
        if method != "POST":
            return 405
        if not POST.fullmatch(path) and not (self.uploads and path == UPLOAD):
            return 404
        if not _same_site(headers):
            return 403
        length = headers.get(b"content-length", "0")
        if not length.isdigit() or int(length) > _limit(path):
            return 413
        return None

    def trusts(self, value: str) -> bool:
        """Tell whether a Host header names this server. A bare IP address cannot be rebound, a name can."""
        try:
            name = (urlsplit(f"//{value}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address

    def _may_try(self, scope: Scope) -> bool:
        address = (scope.get("client") or ("?", 0))[0]
        now = self.clock()
        if len(self.tries) > _ADDRESSES_KEPT:
            self.tries = {k: v for k, v in self.tries.items() if v and now - v[-1] < TRIES_IN_S}
        for who, most in ((address, TRIES), ("", TRIES_ALL)):
            seen = self.tries.setdefault(who, deque())
            while seen and now - seen[0] >= TRIES_IN_S:
                seen.popleft()
            if len(seen) >= most:
                return False
        self.tries[address].append(now)
        self.tries[""].append(now)
        return True

    async def _bounded(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Pass the request on, but never more bytes of it than its path may have, whatever its length header said."""
        read, started, refused, limit = 0, False, False, _limit(scope["path"])

        async def counted() -> Message:
            nonlocal read, refused
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > limit and not started:
                    refused = True
                    await _reply(send, 413)
                    return {"type": "http.disconnect"}
            return message

        async def once(message: Message) -> None:
            nonlocal started
            if not refused:
                started = True
                await send(message)

        try:
            await self.app(scope, counted, once)
        except Exception:
            if not refused:  # a request that was cut off may well fail further in; it is already answered
                raise


def _limit(path: str) -> int:
    return UPLOAD_LIMIT if path == UPLOAD else BODY_LIMIT


def is_loopback(host: str) -> bool:
    """Tell whether listening on `host` lets only this machine in."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def trusted_hosts(host: str) -> frozenset[str]:
    """Return the names that a Host header may carry; RECAP_TRUSTED_HOSTS adds some (commas between them)."""
    names = {"localhost", "127.0.0.1", "::1", host.strip("[]").lower()}
    if not is_loopback(host):
        names.add(socket.gethostname().lower())
    names |= {n.strip().lower() for n in os.environ.get("RECAP_TRUSTED_HOSTS", "").split(",") if n.strip()}
    return frozenset(names)


# --- passwords -------------------------------------------------------------------------------------------------------


def hash_password(password: str) -> str:
    """Return `scrypt:N:r:p$salt$hex`, to write into RECAP_AUTH in the password's place."""
    salt = secrets.token_hex(8)
    return f"scrypt:32768:8:1${salt}${_scrypt(password, salt, 32768, 8, 1)}"


def password_check(auth: str) -> Callable[[str, str], bool]:
    """Return the check of a name and a password against `auth` ("user:password" or "user:HASH").

    Raises: ConfigError when `auth` has no such form or the password is too short.
    """
    user, _, secret = auth.partition(":")
    if not user.strip() or len(secret) < PASSWORD_LENGTH:
        raise ConfigError(EN.bad_auth.format(n=PASSWORD_LENGTH))
    hashed = re.fullmatch(r"scrypt:(\d{1,7}):(\d{1,2}):(\d{1,2})\$([^$]{1,64})\$([0-9a-f]{128})", secret)

    def check(name: str, password: str) -> bool:
        if len(password) > 1024:
            return False
        if hashed:
            n, r, p = (int(hashed[i]) for i in (1, 2, 3))
            good = hmac.compare_digest(_scrypt(password, hashed[4], n, r, p), hashed[5])
        else:
            good = hmac.compare_digest(password.encode(), secret.encode())
        return hmac.compare_digest(name.strip().encode(), user.strip().encode()) and good

    if hashed:
        try:
            check(user, "")
        except ValueError as e:
            raise ConfigError(EN.bad_auth.format(n=PASSWORD_LENGTH)) from e
    return check


def _scrypt(password: str, salt: str, n: int, r: int, p: int) -> str:
    key = hashlib.scrypt(password.encode(), salt=salt.encode(), n=n, r=r, p=p, maxmem=132 * n * r * p + 65536, dklen=64)
    return key.hex()


def _same_site(headers: dict[bytes, str]) -> bool:
    """Tell whether a POST comes from our own page (or from a program that is no browser)."""
    if (site := headers.get(b"sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    if (origin := headers.get(b"origin")) is not None:
        return origin.partition("//")[2].lower() == headers.get(b"host", "").lower()
    return True


_REASONS = {
    403: b"Recap does not serve this.",
    404: b"Recap has no such page.",
    405: b"Recap does not answer this method.",
    413: b"The request is too large.",
    421: b"Recap does not go by this name. Add it to RECAP_TRUSTED_HOSTS if it should.",
    429: b"Too many attempts to sign in. Wait a minute.",
}


async def _reply(send: Callable[[Message], Awaitable[None]], status: int, *headers: tuple[bytes, bytes]) -> None:
    body = _REASONS[status]
    start = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
