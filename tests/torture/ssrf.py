"""Addresses that lead into this machine, its neighbours or a metadata server, given in every way that one can be given.

A case is one address of the table, given in one way. A listener on both loopbacks must see nothing, and (in the server)
nothing may even be tried: an audit hook writes down every name that is asked for and every connection that is begun.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.loopback_web import PUBLIC, Listener, Public, Web
from tests.torture import Row

# P stands for the listener's port, so that the port check alone never saves the day
HOSTS = [
    # loopback, and its odd spellings
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1",
    "0177.0.0.1", "0177.1", "017700000001", "127.0.0.01", "00000177.0.0.1", "127.0x0.0.1", "127.0.0.1.", "0X7F000001",
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "ⓛocalhost",
    # unspecified
    "0", "0.0.0.0", "0.0", "0x0", "00000000000", "[::]",
    # IPv6 loopback, IPv4 inside IPv6
    "[::1]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::127.0.0.1]", "[::7f00:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::ffff:0:127.0.0.1]", "[::FFFF:7F00:0001]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[2002:a9fe:a9fe::]", "[2001:0:7f00:1::]", "[2001:db8::5efe:127.0.0.1]",
    "[2a00:1450::5efe:127.0.0.1]", "[2a00:1450::200:5efe:7f00:1]",
    "[fec0::1]", "[fe80::1]", "[fe80::1%25lo]", "[::1%25lo]", "[fc00::1]", "[fd00::1]", "[ff02::1]", "[ff01::1]",
    "[100::1]", "[2001:2::1]", "[3fff::1]", "[2001:10::1]", "[5f00::1]",
    # private, shared, link-local, metadata
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1.1", "100.64.0.1",
    "100.127.255.255", "169.254.169.254", "2852039166", "0xa9fea9fe", "169.254.170.2", "100.100.100.200",
    "192.0.0.1", "192.0.0.170", "192.0.0.192", "168.63.129.16", "[fd00:ec2::254]", "[::ffff:169.254.169.254]",
    # reserved, multicast, broadcast, documentation, benchmarks
    "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250",
    "240.0.0.1", "255.255.255.255",
]  # fmt: skip
URLS = [f"http://{h}:P/x" for h in HOSTS] + [
    "https://127.0.0.1:P/",
    "http://127.0.0.1/",
    "http://127.0.0.1:8080/",
    "http://127.0.0.1:22/",
    "http://127.0.0.1:6379/",
    # user names, backslashes, spaces, escapes: what two parsers read in two ways
    "http://news.example@127.0.0.1:P/",
    "http://news.example:80@127.0.0.1:P/",
    "http://127.0.0.1:P@news.example/",
    "http://news.example\\@127.0.0.1:P/",
    "http://127.0.0.1:P\\@news.example/",
    "http:\\\\127.0.0.1:P/",
    "http:/\\127.0.0.1:P/",
    "http://news.example%40127.0.0.1:P/",
    "http://127.0.0.1%2f@news.example/",
    "http://127%2e0%2e0%2e1:P/",
    "http://127.0.0.1:P#@news.example/",
    "http://127.0.0.1:P?@news.example/",
    "http://news.example &@127.0.0.1:P# @news.example/",
    "http://127.0.0.1\t:P/",
    "http://[::ffff:127.0.0.1%]:P/",
    "http://[::1:P/",
    "http://127.0.0.1:P:80/",
    "http://:P/",
    "http:127.0.0.1:P/",
    "http:///127.0.0.1:P/",
    # other protocols
    "file:///etc/passwd",
    "ftp://127.0.0.1:P/",
    "gopher://127.0.0.1:P/_x",
    "dict://127.0.0.1:P/x",
    "ldap://127.0.0.1:P/",
    "jar:http://127.0.0.1:P/!/",
    "view-source:http://127.0.0.1:P/",
    "data:text/html,<p>x</p>",
    "javascript:alert(1)",
    # names that resolve to what is not public, alone or among others
    "http://private.test:P/",
    "http://mixed.test:P/",
    "http://mapped.test:P/",
    "http://scoped.test:P/",
    "http://metadata.test:P/latest/meta-data/",
]
NAMES = {
    "private.test": ["127.0.0.1"],
    "mixed.test": [PUBLIC, "127.0.0.1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "scoped.test": ["fe80::1%lo"],
    "metadata.test": ["169.254.169.254"],
}

WAYS = ("fetched", "redirect", "feed", "mentioned", "typed", "file")
STEP = 7  # the first few cases are of all parts of the table
BODY = "A long account of the evening that the page carries itself, of the harbour and who came to see it. " * 20


class Given:
    """The small web, the listener, and a real server whose add box is filled in (started when first needed)."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "tried"
        self.web, self.listener = Web(), Listener()
        self.http: Any = None
        self.server: subprocess.Popen[str] | None = None
        self.taking = 0

    def start(self) -> None:
        """Start the server, with the listener's port among those of the web."""
        import httpx

        from tests.test_ui_guard import serving

        command = [
            sys.executable,
            "-m",
            "tests.torture.ssrf",
            str(self.folder / "library"),
            str(self.listener.port),
            str(self.log),
        ]
        self.server, url = serving(command, cwd=Path(__file__).parents[2])
        self.http = httpx.Client(base_url=url, timeout=60)
        config = self.http.get("/config").json()
        names = {c["id"]: c["props"].get("elem_id") for c in config["components"]}
        self.taking = next(d["id"] for d in config["dependencies"] if "web" in [names.get(i) for i in d["inputs"]])

    def take_in(self, files: list[Any] | None, address: str) -> str:
        """Send what the add button sends; return all that the server says, as text."""
        session = os.urandom(6).hex()
        body = {"data": [files, address, None], "fn_index": self.taking, "session_hash": session}
        joined = self.http.post("/gradio_api/queue/join", json=body)
        if joined.status_code != 200:
            return str(joined.text)
        said = []
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as events:
            for line in events.iter_lines():
                said.append(line)
                if '"process_completed"' in line:
                    break
        return "\n".join(said)

    def tried(self) -> list[str]:
        """Return what the server's process has begun to reach so far."""
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []

    def close(self) -> None:
        """End everything."""
        if self.server is not None:
            from tests.test_ui_guard import end

            self.http.close()
            end(self.server)
        self.web.close()
        self.listener.close()


@contextmanager
def around(folder: Path) -> Iterator[Given]:
    given = Given(folder)
    with ExitStack() as stack:
        stack.callback(given.close)
        yield given


def which(n: int) -> tuple[str, str]:
    """Return (address, way) of a case."""
    way = n % len(WAYS)
    return URLS[(n // len(WAYS) * STEP + way * 20) % len(URLS)], WAYS[way]


def case(n: int, given: Given, _: Path) -> dict[str, float]:
    url, way = which(n)
    target = url.replace(":P", f":{given.listener.port}")
    public = Public(given.web, names=dict(NAMES))
    seams = public.seams | {"ports": public.seams["ports"] | {given.listener.port}}
    knocks = given.listener.knocks
    given.web.seen.clear()
    if way in ("typed", "file"):
        _through_the_page(given, target, way)
    else:
        _through_the_reader(given.web, target, way, seams, inside=url[len("http://") : -len(":P/x")] in HOSTS)
    reached = [a for a in public.connected if a != PUBLIC]
    assert reached == [], f"{target} ({way}): a connection to {reached} was begun"
    assert given.listener.knocks == knocks, f"{target} ({way}): the listener was knocked at"
    return {"connections": float(given.listener.knocks)}


def _through_the_reader(web: Web, target: str, way: str, seams: dict[str, Any], *, inside: bool) -> None:
    from rag.errors import BlockedURL, ReadError
    from rag.ingest.fetch import fetch
    from rag.ingest.read import Rejected, read

    if way == "fetched":
        try:
            fetch(target, **seams)
        except BlockedURL:
            assert web.seen == [], f"{target}: refused, but only after {web.seen} was asked for"
            return
        raise AssertionError(f"{target} was fetched")
    if way == "redirect":
        # a Location that names no host of its own is a path on the same server, and ends as a 404 there
        try:
            page = fetch(web.redirect("/away", target), **seams)
        except ReadError:
            assert web.seen[0] == "/away"
            return
        raise AssertionError(f"{target}: the redirect was followed to {page.url}")
    escaped = target.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    if way == "feed":
        item = f"<item><title>T</title><link>{escaped}</link><description>{BODY}</description></item>"
        feed = f"<?xml version='1.0'?><rss version='2.0'><channel><title>F</title>{item}</channel></rss>"
        found = list(read([web.put("/feed.xml", feed, "application/rss+xml")], get=lambda u: fetch(u, **seams)))
        # a link into this network is refused even where the feed carries the text
        assert len(found) == 1, found
        assert isinstance(found[0], Rejected) or not inside, f"{target}: the feed's item was kept"
        return
    page = (
        f'<html><head><title>T</title><meta http-equiv="refresh" content="0; url={escaped}"><base href="{escaped}">'
        f'<link rel="canonical" href="{escaped}"><link rel="stylesheet" href="{escaped}"><script src="{escaped}"></script>'
        f'<meta property="og:url" content="{escaped}"></head><body><article><h1>T</h1><img src="{escaped}">'
        f'<iframe src="{escaped}"></iframe><p>{BODY}</p></article></body></html>'
    )
    found = list(read([web.put("/page", page)], get=lambda u: fetch(u, **seams)))
    assert web.seen == ["/page"], f"{target}: {web.seen} was asked for"
    assert len(found) == 1
    assert not isinstance(found[0], Rejected), found[0]
    assert found[0].url == web.url("/page"), f"{target} became the article's own address"


def _through_the_page(given: Given, target: str, way: str) -> None:
    if given.server is None:
        given.start()
    before = len(given.tried())
    if way == "typed":
        said = given.take_in(None, target)
        assert "l-rejected" in said or "notice" in said, f"{target}: no sentence says that it is refused: {said[-400:]}"
    else:  # Gradio fetches a file whose path is an address
        named = {"path": target, "url": target, "orig_name": "a.txt", "meta": {"_type": "gradio.FileData"}}
        said = given.take_in([named], "")
    tried = given.tried()[before:]
    if way == "typed":  # a name may be asked for, to see where it leads
        tried = [t for t in tried if not t.startswith("name ")]
    assert tried == [], f"{target} ({way}): the server tried {tried}"
    assert "l-added" not in said
    assert "Traceback" not in said
    assert '.py\\"' not in said


ROW = Row(
    name="ssrf",
    fault="addresses inside this network: fetched, redirected to, in a feed, mentioned by a page, typed, as an uploaded file",
    required="0 connections",
    quick=4 * len(WAYS),
    full=len(URLS) * len(WAYS),
    case=case,
    around=around,
)


def _serve(library: Path, port: int, log: Path) -> None:
    """Serve the page with the port admitted and the table's names known; write down what is reached for."""
    from rag.config import Config
    from rag.ingest import fetch as fetching
    from ui.app import serve

    real = fetching.resolve

    def resolve(host: str, at: int, seconds: float) -> list[str]:
        return NAMES[host] if host in NAMES else real(host, at, seconds)

    assert fetching.fetch.__kwdefaults__ is not None
    fetching.fetch.__kwdefaults__.update(ports=fetching.PORTS | {port}, resolve=resolve)

    def heard(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(args[1], tuple):
            line = f"connection {args[1][:2]}"
        elif event == "socket.getaddrinfo":
            line = f"name {args[0]!r}"
        else:
            return
        with log.open("a", encoding="utf-8") as out:
            out.write(line + "\n")

    sys.modules["uvloop"] = None  # type: ignore[assignment]  # it connects where no audit hook hears it
    sys.addaudithook(heard)
    serve(Config(library=library, llm="none", reader="rules", port=0), browser=False)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
