"""Fetch one page or feed from the public web, and nothing that is not public.

An address that a stranger can choose (a feed's link, a redirect) must not make this machine talk to itself, to its
neighbours or to a cloud's metadata server. The check is made where the connection is made: the name is resolved here,
every address it has is checked, and the connection goes to an address that was checked. A second answer from the name
server (DNS rebinding) or a second reading of the URL can therefore not lead elsewhere. TLS still checks the name.

RECAP_ALLOW_PRIVATE_URLS=1 admits private and loopback addresses and every port, for people who ingest from their own
network. Link-local addresses (metadata servers) stay blocked.
"""

from __future__ import annotations

import os
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any, Literal

from rag.errors import BlockedURL, ReadError, ReadTimeout
from rag.ingest.parse import masked

if TYPE_CHECKING:
    import ssl

    from httpcore import NetworkStream
    from httpx import URL

PORTS = frozenset({80, 443, 8080, 8443})
MAX_BYTES = 20_000_000  # of a body, decompressed
DEADLINE_S = 20.0  # for everything: names, redirects, headers and body
MAX_REDIRECTS = 5
USER_AGENT = "Recap/0.1 (reads the articles that its user asks for)"

Kind = Literal["html", "feed", "pdf", "text"]
Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int, float], list[str]]
Connect = Callable[[str, int, float], "NetworkStream"]


@dataclass(frozen=True, slots=True)
class Page:
    """What an address answered: `url` is the final one, `body` is decompressed, `charset` as the server declared it."""

    url: str
    kind: Kind
    body: bytes
    charset: str | None = None


# Source: IANA special-purpose address registries. Spelled out, because `is_global` lets some through and changes
# between versions of Python.
_BLOCKED_V4 = [
    IPv4Network(n)
    for n in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # the metadata and DNS server inside Azure: a public number, but never public
    )
]  # fmt: skip
_PUBLIC_V6 = IPv6Network("2000::/3")
_BLOCKED_V6 = [
    IPv6Network(n)
    for n in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address; withdrawn by RFC 7526
        "2620:4f:8000::/48",
        "3fff::/20",
    )
]
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
# What a person may open up for their own network.
_PRIVATE: list[IPv4Network | IPv6Network] = [
    *map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    *map(IPv6Network, ("::1/128", "fc00::/7")),
]
# Metadata servers that live inside those ranges.
_METADATA = {ip_address(a) for a in ("100.100.100.200", "fd00:ec2::254", "fd20:ce::254")}


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the public internet; IPv4 inside IPv6 counts as what it is."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if address in _MAPPED or address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        # the interface part 0:5efe:a.b.c.d is ISATAP, another IPv4 address in disguise
        if (int(address) >> 32) & 0xFCFFFFFF == 0x00005EFE:
            return False
        return address in _PUBLIC_V6 and address.is_global and not any(address in n for n in _BLOCKED_V6)
    return address.is_global and not any(address in n for n in _BLOCKED_V4)


def _permitted(address: Address, *, allow_private: bool) -> bool:
    if is_public(address):
        return True
    if isinstance(address, IPv6Address) and address in _MAPPED:
        address = IPv4Address(int(address) & 0xFFFFFFFF)
    return allow_private and address not in _METADATA and any(address in n for n in _PRIVATE)


def literal(host: str) -> Address | None:
    """Read a host that spells an address, in any way that a system accepts (127.1, 0x7f000001, 017700000001)."""
    bare = host.strip("[]").rstrip(".")
    try:
        return ip_address(bare)
    except ValueError:
        pass
    if re.fullmatch(r"[0-9a-fx.]+", bare, re.I) and bare[:1].isdigit():
        try:
            return IPv4Address(socket.inet_aton(bare))
        except (OSError, ValueError):
            return None
    return None


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """Ask the system for the addresses of a host, in its order of preference.

    Raises: OSError when there are none, TimeoutError (which is one) when no answer came in time.
    """
    from threading import Thread

    answer: list[Any] = []

    def ask() -> None:
        try:
            answer.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as e:
            answer.append(e)

    # getaddrinfo has no timeout of its own; a daemon thread does not hold up the end of the program
    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer:
        raise TimeoutError("the name server did not answer")
    if isinstance(answer[0], Exception):
        raise OSError(str(answer[0])) from answer[0]
    return list(dict.fromkeys(str(info[4][0]) for info in answer[0]))


def connect(address: str, port: int, seconds: float) -> NetworkStream:
    """Open a connection to an address."""
    from httpcore import SyncBackend

    return SyncBackend().connect_tcp(address, port, timeout=seconds)


def fetch(
    url: str,
    *,
    allow_private: bool | None = None,
    ports: frozenset[int] = PORTS,
    deadline_s: float = DEADLINE_S,
    max_bytes: int = MAX_BYTES,
    resolve: Resolve = resolve,
    connect: Connect = connect,
) -> Page:
    """Fetch a page, feed, PDF or plain text over http(s), following at most five redirects, each checked.

    `allow_private` None asks RECAP_ALLOW_PRIVATE_URLS. Proxies named in the environment are not used.
    Raises: BlockedURL, ReadError.
    """
    if allow_private is None:
        allow_private = os.environ.get("RECAP_ALLOW_PRIVATE_URLS", "").strip() == "1"
    import httpcore

    end = time.monotonic() + deadline_s
    network = _network(end, allow_private, resolve, connect)
    target = _checked(url, ports=None if allow_private else ports)
    with httpcore.ConnectionPool(ssl_context=_tls(), network_backend=network, max_connections=2) as pool:
        for _ in range(MAX_REDIRECTS + 1):
            try:
                with pool.stream("GET", _wire(target), headers=_headers(target), extensions=_timeouts(end)) as reply:
                    place = _redirect(reply)
                    if place is None:
                        return _page(target, reply, end=end, max_bytes=max_bytes)
            except (httpcore.TimeoutException, TimeoutError) as e:
                told = f"did not answer within {deadline_s:.0f} seconds"
                raise ReadTimeout(_sentence(target.host, told)) from e
            except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as e:
                raise ReadError(_sentence(target.host, f"did not answer ({_cause(e)})")) from e
            target = _checked(_join(target, place), ports=None if allow_private else ports)
    raise ReadError(_sentence(target.host, f"redirected more than {MAX_REDIRECTS} times"))


def _sentence(host: str, told: str) -> str:
    return f"{host} {told}. Check the address, or save the page and ingest the file."


def _cause(e: Exception) -> str:
    """Say in a few words why a connection failed, without control characters out of the server's reply."""
    text = re.sub(r"[^\x20-\x7e]+", " ", str(e)).strip()[:120]
    if "Name or service not known" in text or "nodename nor servname" in text or "No address associated" in text:
        return "there is no such host"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not valid"
    text = re.sub(r"^\[Errno -?\d+\]\s*", "", text)
    return text[:1].lower() + text[1:] if text else "the connection broke off"


def _checked(url: str, *, ports: frozenset[int] | None) -> URL:
    """Parse an address and refuse every form that could mean two things, or leads to a place that is no web page."""
    from httpx import URL, InvalidURL

    shown = masked(re.sub(r"[^\x21-\x7e]", "?", url))[:200]
    if re.search(r"[\x00-\x20\x7f-\x9f\\\u2028\u2029\ud800-\udfff]", url) or len(url) > 4000:
        raise BlockedURL(
            f"{shown} is not an address that Recap fetches: it has spaces, backslashes or control characters."
        )
    m = re.match(r"https?://([^/?#]+)", url, re.I)
    if m is None:
        raise BlockedURL(
            f"{shown} is not an address that Recap fetches. Give one that starts with http:// or https://."
        )
    if "@" in m[1] or "%" in m[1]:
        raise BlockedURL(f"{shown} has a user name or an escape in front of its path. Give the plain address.")
    try:
        parsed = URL(url).copy_with(fragment=None)
        host = parsed.host
    except (InvalidURL, UnicodeError, ValueError) as e:
        raise BlockedURL(f"{shown} is not a valid address. Check it for typing errors.") from e
    if not host or parsed.userinfo:
        raise BlockedURL(f"{shown} names no host. Check it for typing errors.")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    if ports is not None and port not in ports:
        known = ", ".join(map(str, sorted(ports)))
        raise BlockedURL(
            f"{shown} is on port {port}. Recap fetches from ports {known}; save the page and ingest the file."
        )
    return parsed


def _headers(target: URL) -> list[tuple[bytes, bytes]]:
    host = target.netloc  # idna-encoded, with the port where it is not the default
    return [
        (b"Host", host),
        (b"User-Agent", USER_AGENT.encode()),
        (b"Accept", b"text/html,application/xhtml+xml,application/rss+xml,application/atom+xml,application/pdf;q=0.9,"
                    b"text/xml;q=0.9,text/plain;q=0.8"),
        (b"Accept-Encoding", b"gzip"),
    ]  # fmt: skip


def _wire(target: URL) -> Any:
    """Hand the parsed address on in parts, so that nothing parses it a second time."""
    from httpcore import URL

    return URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)


def _timeouts(end: float) -> dict[str, Any]:
    left = max(0.001, end - time.monotonic())
    return {"timeout": {"connect": left, "read": left, "write": left, "pool": left}}


@cache
def _tls() -> ssl.SSLContext:
    from httpx import create_ssl_context

    return create_ssl_context()


def _network(end: float, allow_private: bool, resolve: Resolve, connect: Connect) -> Any:
    """Build the network that httpcore uses: it resolves, checks, pins, and keeps one deadline for every wait."""
    import httpcore

    def left() -> float:
        seconds = end - time.monotonic()
        if seconds <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return seconds

    class Timed(httpcore.NetworkStream):
        # a server that sends a byte a second never meets a timeout for each read: the deadline is the sum
        def __init__(self, stream: NetworkStream) -> None:
            self.stream = stream

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            return self.stream.read(max_bytes, timeout=left())

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            self.stream.write(buffer, timeout=left())

        def close(self) -> None:
            self.stream.close()

        def start_tls(
            self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
        ) -> NetworkStream:
            return Timed(self.stream.start_tls(ssl_context, server_hostname, timeout=left()))

        def get_extra_info(self, info: str) -> Any:
            return self.stream.get_extra_info(info)

    class Pinned(httpcore.NetworkBackend):
        def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Any = None,
        ) -> NetworkStream:
            failed: Exception = OSError("there is no such host")
            for address in _addresses(host, port, left(), allow_private=allow_private, resolve=resolve):
                try:
                    return Timed(connect(str(address), port, min(left(), 10.0)))
                except (httpcore.ConnectError, httpcore.ConnectTimeout, OSError) as e:
                    failed = e
            raise failed

    return Pinned()


def _addresses(host: str, port: int, seconds: float, *, allow_private: bool, resolve: Resolve) -> list[Address]:
    """List the addresses of a host; one that is not public among them condemns them all.

    Raises: BlockedURL; OSError when the host has none.
    """
    spelled = literal(host)
    if spelled is not None:
        found = [spelled]
    else:
        # a name that only looks like an address must not reach a resolver that reads it as one
        try:
            found = [ip_address(a.partition("%")[0]) for a in resolve(host, port, seconds)]
        except UnicodeError as e:
            raise OSError("there is no such host") from e
    for address in found:
        if not _permitted(address, allow_private=allow_private):
            raise BlockedURL(
                f"{host} leads to {address}, which is not on the public internet. "
                "To ingest from your own network, set RECAP_ALLOW_PRIVATE_URLS=1."
            )
    return found[:4]


def _header(reply: Any, name: bytes) -> str:
    return next((v.decode("latin-1") for k, v in reply.headers if k.lower() == name), "")


def _redirect(reply: Any) -> str | None:
    if reply.status not in (301, 302, 303, 307, 308):
        return None
    place = _header(reply, b"location")
    if not place:
        return None
    try:
        return place.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return place


def _join(target: URL, place: str) -> str:
    """Resolve a redirect against the page that it came from, after refusing what would be read in two ways."""
    from httpx import InvalidURL

    if re.match(r"https?://", place, re.I) or re.search(r"[\x00-\x20\x7f\\]", place):
        return place  # checked as it stands
    try:
        return str(target.join(place))
    except (InvalidURL, UnicodeError, ValueError):
        return place


def _page(target: URL, reply: Any, *, end: float, max_bytes: int) -> Page:
    host = target.host
    if reply.status != 200:
        from http.client import responses

        name = responses.get(reply.status)
        raise ReadError(_sentence(host, f"answered {reply.status}{f' ({name})' if name else ''}"))
    content_type = _header(reply, b"content-type")
    label = content_type.partition(";")[0].strip().lower()
    charset = re.search(r"charset\s*=\s*[\"']?([\w:.-]{2,40})", content_type, re.I)
    length = _header(reply, b"content-length")
    if length.isdigit() and int(length[:15]) > max_bytes:
        raise ReadError(_too_large(host, max_bytes))
    if label and not _readable(label):
        raise ReadError(
            f"{host} answered with {label[:60]!r}. Recap reads web pages, feeds, PDF and plain text; "
            "save the page as one of those and ingest the file."
        )
    body = b"".join(_body(reply, host, max_bytes))
    if time.monotonic() > end:
        raise ReadTimeout(_sentence(host, "sent its page too slowly"))
    return Page(str(target), _kind(label, body), body, charset[1] if charset else None)


def _too_large(host: str, max_bytes: int) -> str:
    return f"{host} sent more than {max_bytes / 1_000_000:.0f} MB. Save the page and ingest the file."


_GZIP = b"\x1f\x8b"


def _body(reply: Any, host: str, max_bytes: int) -> Iterator[bytes]:
    """Yield the body, decompressed in steps: a small reply may unpack to gigabytes."""
    coding = _header(reply, b"content-encoding").strip().lower()
    if coding in ("", "identity"):
        unpack = None
    elif coding in ("gzip", "x-gzip"):
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    elif coding == "deflate":
        unpack = zlib.decompressobj()
    else:
        raise ReadError(_sentence(host, f"sent its page in a form that Recap does not unpack ({coding[:40]!r})"))
    size = came = 0
    held = b""
    try:
        for sent in reply.iter_stream():
            came += len(sent)
            data, held = held + sent, b""
            while data:
                if unpack is not None and unpack.eof:  # a gzip file may have more members; what is none does not count
                    if len(data) < len(_GZIP):
                        held = data
                        break
                    if coding == "deflate" or not data.startswith(_GZIP):
                        return
                    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
                part = data if unpack is None else unpack.decompress(data, max_bytes - size + 1)
                size += len(part)
                if max(size, came) > max_bytes:
                    raise ReadError(_too_large(host, max_bytes))
                yield part
                data = b"" if unpack is None else unpack.unused_data
    except zlib.error as e:
        raise ReadError(_sentence(host, "sent a damaged page")) from e
    if unpack is not None and not unpack.eof and size:
        raise ReadError(_sentence(host, "broke off in the middle of the page"))


def _readable(label: str) -> bool:
    return bool(
        re.fullmatch(
            r"text/(html|plain|xml|markdown|x-markdown|rss|atom)|application/(xhtml\+xml|xml|rss\+xml|atom\+xml|rdf\+xml|"
            r"pdf|x-pdf|rss|atom)",
            label,
        )
    )


_FEED = re.compile(rb"<(?:rss|feed|rdf:RDF)[\s>]", re.I)


def _kind(label: str, body: bytes) -> Kind:
    """Decide what a body is by its label, and by its first bytes where the label says too little."""
    head = body[:2048].replace(b"\x00", b"")  # UTF-16 too
    if label.endswith("pdf") or head.startswith(b"%PDF-"):
        return "pdf"
    if label in ("text/html", "application/xhtml+xml"):
        # some servers label their feed as a page
        return "feed" if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<?xml") and _FEED.search(head) else "html"
    if "xml" in label or "rss" in label or "atom" in label:
        return "html" if re.search(rb"<html[\s>]", head, re.I) and not _FEED.search(head) else "feed"
    if label.startswith("text/"):
        return "text"
    if _FEED.search(head):
        return "feed"
    return "html" if re.search(rb"<(?:!doctype html|html|head|body)[\s>]", head, re.I) else "text"
