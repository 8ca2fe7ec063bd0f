"""What stands between the network and Gradio: one ASGI layer, and the password check.

Gradio opens about seventy routes; the page needs these few. Everything else is closed here, because what is not
reachable needs no patch: the file proxy, the API, OAuth, monitoring, deep links, editing.

It stands outside everything of Gradio's (see `outermost`), so that errors and streams carry our headers too.

What it does not know: answers, articles, markup.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import json
import os
import re
import secrets
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from http.cookies import CookieError, SimpleCookie
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from rag.errors import ConfigError
from ui import limits, spool
from ui.adding import MAX_AT_ONCE
from ui.strings import EN

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

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
# what a browser needs to show the form to sign in; Gradio itself asks for a name on too few of the others
UNSIGNED = re.compile(
    r"/|/(?:assets|static)/[\w./@+-]+|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt|/config/?|/login/?|/logout"
    r"|/gradio_api/(?:theme\.css|startup-events|user/?|login_check/?)"
)
COOKIE = "access-token-"  # how Gradio's begin; "access-token-unsecure-" is the one without Secure
UPLOAD = "/gradio_api/upload"
UPLOAD_PROGRESS = "/gradio_api/upload_progress"
BODY_LIMIT = 2 * 1024 * 1024  # bytes; the largest honest request is a conversation out of the browser's storage
UPLOAD_LIMIT = 100 * 1024 * 1024  # bytes of one upload, all its files together
LOGIN_LIMIT = 16 * 1024  # bytes of a name and a password
BODY_S = 15.0  # seconds until a request's body must be there
UPLOADS_PLACE, UPLOADS = 4, 8  # that come at the same time: what is no file of one is held in memory
PART_S, UPLOAD_S = 30.0, 900.0  # ... until the next part of an upload must, and the whole of it
UPLOADED, UPLOADED_IN_S = 2 * 1024**3, 600.0  # bytes from one place, and in how many seconds
LONGEST_PATH = 1024  # characters of an upload's: the work on a path grows with the square of its length
LONGEST_SESSION = 64  # characters of the name that a browser gives itself
SWEPT_S = 600.0  # seconds between two sweeps of the folder of uploads
PASSWORD_LENGTH = 8  # characters, the least
TRIES, TRIES_IN_S = 5, 60.0  # wrong passwords from one address, and in how many seconds
TRIES_NAME = 20  # ... and for one name, from wherever
TRIES_ALL = 60  # ... and all together
KNOWN = 1000  # addresses that are remembered to have signed in


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
        self.tries = {n: limits.Window(n, TRIES_IN_S, clock) for n in (TRIES, TRIES_NAME, TRIES_ALL)}
        self.known = limits.Latest(KNOWN)  # addresses that somebody has signed in from
        self.requests = limits.Meter(limits.REQUESTS, clock)
        self.sessions = limits.Sessions(clock)
        self.uploaded = limits.Window(UPLOADED, UPLOADED_IN_S, clock)
        self.uploading: Counter[str] = Counter()  # place -> how many come just now
        self.spool = spool.Spool(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # Gradio 6 speaks HTTP only
            if "websocket.http.response" in (scope.get("extensions") or {}):
                head = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
                await send({"type": "websocket.http.response.start", "status": 403, "headers": head})
                await send({"type": "websocket.http.response.body", "body": _REASONS[403]})
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _sealed(message.get("headers", []), https=scope["scheme"] == "https")}
            await send(message)

        headers = {k.lower(): v.decode("latin-1") for k, v in scope["headers"]}
        path = scope["path"]
        one_host = sum(k.lower() == b"host" for k, _ in scope["headers"]) < 2
        if (status := self.refuse(scope, headers) if one_host else 400) is not None:
            await _reply(sealed, status)
            return
        scope = {
            **scope,
            "headers": [(k, v) for k, v in scope["headers"] if self.passes(k.lower(), v.decode("latin-1"))],
        }
        signed = _signed_in(scope, headers)
        if signed is None and not UNSIGNED.fullmatch(path):
            await _reply(sealed, 401)
        elif scope["method"] != "POST":
            await self.app(scope, receive, sealed)
        elif path.rstrip("/") == "/login":
            await self._login(scope, receive, sealed)
        elif path == UPLOAD:
            where = limits.place(_address(scope), signed)
            await self._upload(scope, receive, sealed, where, int(headers[b"content-length"]))
        else:
            await self._request(scope, receive, sealed, limits.place(_address(scope), signed))

    def refuse(self, scope: Scope, headers: dict[bytes, str]) -> int | None:
        """Return the status that turns this request away, None to let it pass."""
        path, method = scope["path"], scope["method"]
        if not self.trusts(headers.get(b"host", "")):
            return 421
        if path.startswith(("/gradio_api/file", "/file", "/gradio_api/proxy", "/proxy")):
            return 403
        if path == "/logout" and not _same_site(headers):
            return 403
        if method in ("GET", "HEAD"):
            if self.uploads and path == UPLOAD_PROGRESS:
                return None
            if not GET.fullmatch(path) or ".." in path:
                return 404
            asked = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
            return 404 if any(key == "deep_link" for key, _ in asked) else None
        if method != "POST":
            return 405
        if not POST.fullmatch(path) and not (self.uploads and path == UPLOAD):
            return 404
        if not _same_site(headers):
            return 403
        length = headers.get(b"content-length", "" if path == UPLOAD else "0")
        if path == UPLOAD and not length:
            return 411
        if not (length.isascii() and length.isdigit()) or int(length) > _limit(path):
            return 413
        return None

    def passes(self, name: bytes, value: str) -> bool:
        """Tell whether Gradio may see a header: from some it makes the address that it tells the page to speak to."""
        return name != b"x-gradio-server" and (name != b"x-forwarded-host" or self.trusts(value))

    def trusts(self, value: str) -> bool:
        """Tell whether a Host header names this server. A bare IP address cannot be rebound, a name can."""
        if set(value) & set("@/?#\\"):
            return False
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

    async def _login(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a name and a password be tried, unless too many were wrong. Who gets in is not counted."""
        body = await _body(receive, send, LOGIN_LIMIT)
        if body is None:
            return
        name = await _name(scope, body)
        where = limits.network(_address(scope))
        keys = [(TRIES, where), (TRIES_NAME, name), (TRIES_ALL, "")]
        if where in self.known:  # else anybody could lock out, by wrong tries from elsewhere, who has the password
            keys = keys[:1]
        if any(self.tries[most].full(key) for most, key in keys):
            await _reply(send, 429, (b"retry-after", str(int(TRIES_IN_S)).encode()), why=_SLOWED)
            return
        for most, key in keys:
            self.tries[most].note(key)

        async def heard(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                for most, key in keys:
                    self.tries[most].forgive(key)
                self.known.note(where)
            await send(message)

        await self.app(scope, _replay(body, receive), heard)

    async def _request(self, scope: Scope, receive: Receive, send: Send, where: str) -> None:
        """Pass on what a button of the page sends, unless one tab, or one place, sends without end."""
        body = await _body(receive, send, BODY_LIMIT)
        if body is None:
            return
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            said = {}  # Gradio reads it no better
        session = str(said.get("session_hash", "")) if isinstance(said, dict) else ""
        if len(session) > LONGEST_SESSION:
            await _reply(send, 403)
            return
        who = limits.Visitor(session, where)
        if not self.requests.admits(who):
            await _reply(send, 429, (b"retry-after", b"2"))
            return
        if not self.sessions.admits(who):
            await _reply(send, 429, (b"retry-after", b"60"))
            return
        named = list(islice(_files(said), MAX_AT_ONCE + 1))
        if len(named) > MAX_AT_ONCE:
            await _reply(send, 403, why=EN.l_too_many.format(limit=MAX_AT_ONCE).encode())
            return
        if not _are_uploads(named):
            await _reply(send, 403)
            return
        await self.app(scope, _replay(body, receive), send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send, where: str, size: int) -> None:
        """Pass an upload on, unless its place sends too much, or too many at once, or the folder is full."""
        going = self.uploading.total() >= UPLOADS or (where and self.uploading[where] >= UPLOADS_PLACE)
        if going or (where and self.uploaded.full(where, size)):
            await _reply(send, 429)
            return
        self.uploading[where] += 1
        try:
            if not await asyncio.to_thread(self.spool.takes, size):
                await _reply(send, 507)
                return
            if where:
                self.uploaded.note(where, size)
            await self._bounded(scope, receive, send)
        finally:
            self.uploading[where] -= 1
            if not self.uploading[where]:
                del self.uploading[where]

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an upload on, but no more bytes of it than one may have, whatever its length header said, and in time."""
        read, whole, started, refused, limit = 0, False, False, False, _limit(scope["path"])
        now = asyncio.get_running_loop().time
        until = now() + UPLOAD_S

        async def refuse(status: int, *headers: tuple[bytes, bytes]) -> Message:
            nonlocal refused
            refused = True
            if not started:
                await _reply(send, status, *headers)
            return {"type": "http.disconnect"}

        async def counted() -> Message:
            nonlocal read, whole
            if whole:  # whoever listens now, listens for the end of the connection
                return await receive()
            try:
                async with asyncio.timeout_at(min(now() + PART_S, until)):
                    message = await receive()
            except TimeoutError:
                return await refuse(408, _CLOSE)
            if message["type"] == "http.request":
                whole = not message.get("more_body")
                read += len(message.get("body", b""))
                if read > limit and not started:
                    return await refuse(413)
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
    return UPLOAD_LIMIT if path == UPLOAD else LOGIN_LIMIT if path.rstrip("/") == "/login" else BODY_LIMIT


def outermost(**settings: Any) -> Callable[[Any], contextlib.AbstractAsyncContextManager[None]]:
    """Return the lifespan of an app that puts a `Guard` around all of it, before the first request.

    Not `middleware=`: Gradio adds its own CORS layer outside of those, and Starlette its answer to errors.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        app.middleware_stack = Guard(app.middleware_stack, **settings)
        sweeping = asyncio.create_task(_sweeping())
        try:
            yield
        finally:
            sweeping.cancel()

    return lifespan


async def _sweeping() -> None:
    """Sweep the folder of uploads for as long as the server runs."""
    while True:
        await asyncio.to_thread(spool.sweep, spool.folder(), time.time())
        await asyncio.sleep(SWEPT_S)


def _sealed(headers: list[tuple[bytes, bytes]], *, https: bool) -> list[tuple[bytes, bytes]]:
    """Return a response's headers with ours in place of its own."""
    ours = {name for name, _ in HEADERS}
    kept = []
    for k, v in headers:
        if k.lower() in ours or k.lower().startswith(b"access-control-"):
            continue
        if k.lower() == b"set-cookie":
            if (cookie := _cookie(v.decode("latin-1"), https=https)) is None:
                continue
            v = cookie.encode("latin-1")
        kept.append((k, v))
    return [*kept, *HEADERS]


def _cookie(given: str, *, https: bool) -> str | None:
    """Return a cookie as it should be set, None for Gradio's twin that plain HTTP cannot keep.

    Lax, not Strict: who follows a link to Recap from a mail is signed in. Other sites' POSTs are refused anyway.
    """
    first, *rest = given.split("; ")
    if first.startswith(COOKIE) and not first.startswith(f"{COOKIE}unsecure-") and not https:
        return None
    rest = [r for r in rest if r.partition("=")[0].lower() in ("max-age", "expires")]
    return "; ".join([first, *rest, "Path=/", "HttpOnly", "SameSite=Lax", *(["Secure"] if https else [])])


def _signed_in(scope: Scope, headers: dict[bytes, str]) -> str | None:
    """Return the name that somebody signed in with, "" where nobody has to, None for who has not."""
    app = scope.get("app")
    if getattr(app, "auth", None) is None:
        return ""
    assert app is not None
    try:
        cookies = SimpleCookie(headers.get(b"cookie", ""))
    except CookieError:
        return None
    for name in (f"{COOKIE}{app.cookie_id}", f"{COOKIE}unsecure-{app.cookie_id}"):
        if name in cookies and (user := app.tokens.get(cookies[name].value)):
            return str(user)
    return None


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("?", 0))[0])


def _files(said: object) -> Iterator[str]:
    """Yield what a request names as files, in whatever box: Gradio fetches, copies or keeps note of each."""
    left = [said]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            if isinstance(each.get("path"), str):
                yield each["path"]
            left += each.values()
        elif isinstance(each, list):
            left += each


def _are_uploads(paths: list[str]) -> bool:
    """Tell whether paths lie where uploads do: no address, no folder, nothing else of this machine."""
    if not paths:
        return True
    folder = spool.folder()
    if folder is None or any(len(path) > LONGEST_PATH for path in paths):
        return False
    try:
        inside = folder.resolve()
        return all(inside in Path(path).resolve().parents and not Path(path).is_dir() for path in paths)
    except (OSError, ValueError):
        return False


async def _body(receive: Receive, send: Send, limit: int) -> bytes | None:
    """Return a request's body, None where that was refused: it is too long, or does not come."""
    try:
        async with asyncio.timeout(BODY_S):
            body = await _whole(receive, limit)
    except TimeoutError:
        await _reply(send, 408, _CLOSE)
        return None
    if body is None:
        await _reply(send, 413)
    return body


async def _whole(receive: Receive, limit: int) -> bytes | None:
    """Return a request's body, None when it is longer than `limit` or breaks off."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body once more, then goes on listening."""
    left = [body]

    async def again() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": False} if left else await receive()

    return again


async def _name(scope: Scope, body: bytes) -> str:
    """Return the name that a login form carries, as one for all its spellings; "" for none."""
    from starlette.exceptions import HTTPException
    from starlette.requests import Request

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    try:
        async with Request(scope, _replay(body, nothing)).form(max_files=0) as form:
            return "name " + str(form.get("username", "")).strip().casefold()[:200]
    except (HTTPException, ValueError, KeyError, AssertionError):
        return "name "


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


_HASH = re.compile(r"scrypt:(\d{1,7}):(\d{1,2}):(\d{1,2})\$([^$]{1,64})\$([0-9a-f]{128})")


def is_hashed(auth: str) -> bool:
    """Tell whether "user:SECRET" holds a hash and not the password itself."""
    return bool(_HASH.fullmatch(auth.partition(":")[2]))


def password_check(auth: str) -> Callable[[str, str], bool]:
    """Return the check of a name and a password against `auth` ("user:password" or "user:HASH").

    Raises: ConfigError when `auth` has no such form or the password is too short.
    """
    user, _, secret = auth.partition(":")
    if not user.strip() or len(secret) < PASSWORD_LENGTH:
        raise ConfigError(EN.bad_auth.format(n=PASSWORD_LENGTH))
    hashed = _HASH.fullmatch(secret)

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
    400: b"A request names one host.",
    401: b"Sign in first.",
    403: b"Recap does not serve this.",
    404: b"Recap has no such page.",
    405: b"Recap does not answer this method.",
    408: b"The request did not come in time.",
    411: b"Say how long the upload is.",
    413: b"The request is too large.",
    421: b"Recap does not go by this name. Add it to RECAP_TRUSTED_HOSTS if it should.",
    429: b"Too much was asked for at once. Wait a moment, then try again.",
    507: b"There is no room for more uploads just now. Try again later.",
}
_CLOSE = (b"connection", b"close")  # the rest of a body that did not come is not waited for
_SLOWED = b"Too many wrong attempts to sign in. Wait a minute."


async def _reply(send: Send, status: int, *headers: tuple[bytes, bytes], why: bytes = b"") -> None:
    said = (why or _REASONS[status]).decode()
    told = bool(why) or status in (401, 429)
    # Gradio's own page reads `detail` or `error`, and shows it
    body = json.dumps({"detail": said, "error": said}).encode() if told else said.encode()
    kind = b"application/json" if told else b"text/plain; charset=utf-8"
    start = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
