"""How much one visitor may ask of the page in a while, so that none can take it from the others.

A session is a tab. A place is who is behind it: an address or, where people sign in, a name at an address; sessions are
made at will, places are not. Who sits at this very machine and signs in to nothing has no place: only sessions count.
The numbers leave room for a hundred people behind one address.

What it does not know: what is asked, and how it is answered.
"""

from __future__ import annotations

import contextlib
import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_KEYS = 4096  # visitors that are remembered


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so much a session, and a place, in so many seconds."""

    session: int
    place: int
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whom a limit is for; `place` is "" for who has none."""

    session: str
    place: str


QUESTIONS = Limit(120, 600)
ADDINGS = Limit(20, 200)
JUDGEMENTS = Limit(30, 300)
REQUESTS = Limit(40, 400, 2.0)  # so that no single tab fills the queue of 100
KEPT = 500  # sessions whose conversations the server holds: a megabyte each at most, see history.restored
NEW, NEW_IN_S = 400, 600.0  # sessions from one place, and in how many seconds: a hundred people may come four times
AT_ONCE = 4  # questions of a session that are being answered
_LONGEST_S = 120.0  # of an answer: one that never ended does not count for ever


class Window:
    """At most `most` in any `seconds`, for each key."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.seconds, self.clock = most, seconds, clock
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def full(self, key: str, weight: int = 1) -> bool:
        """Tell whether `weight` more is too much."""
        seen = self._seen.get(key)
        if seen is None:
            return weight > self.most
        now = self.clock()
        while seen and now - seen[0][0] >= self.seconds:
            seen.popleft()
        return sum(w for _, w in seen) + weight > self.most

    def note(self, key: str, weight: int = 1) -> None:
        """Count `weight` more."""
        now = self.clock()
        if len(self._seen) >= _KEYS:
            self._seen = {k: v for k, v in self._seen.items() if v and now - v[-1][0] < self.seconds}
        self._seen.setdefault(key, deque()).append((now, weight))

    def forgive(self, key: str) -> None:
        """Take back what was counted last."""
        if seen := self._seen.get(key):
            seen.pop()


class Meter:
    """Counts what visitors do, against a limit."""

    def __init__(self, limit: Limit, clock: Callable[[], float] = time.monotonic) -> None:
        self.sessions = Window(limit.session, limit.seconds, clock)
        self.places = Window(limit.place, limit.seconds, clock)
        self._lock = threading.Lock()

    def admits(self, who: Visitor) -> bool:
        """Count one more, and tell whether it is within the limit. What is refused does not count."""
        with self._lock:
            if self.sessions.full(who.session) or (who.place and self.places.full(who.place)):
                return False
            self.sessions.note(who.session)
            if who.place:
                self.places.note(who.place)
            return True


class Latest:
    """Remembers the latest used of names, at most so many."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._names: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def note(self, name: str) -> None:
        """Make a name the latest, and forget the oldest of too many."""
        self._names[name] = None
        self._names.move_to_end(name)
        if len(self._names) > self.most:
            self._names.popitem(last=False)


class Sessions:
    """Counts the sessions that each place makes. A browser names its own, and each new one takes the place of the oldest.

    It remembers as Gradio does, the latest used of as many: what is new to one is new to the other.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.made = Window(NEW, NEW_IN_S, clock)
        self._known = Latest(KEPT)

    def admits(self, who: Visitor) -> bool:
        """Tell whether a session is known, or may be made. Who has no place is at this machine: they are not counted."""
        if who.session not in self._known:
            if who.place and self.made.full(who.place):
                return False
            if who.place:
                self.made.note(who.place)
        self._known.note(who.session)
        return True


class AtOnce:
    """Counts what of a session is going on at the same time."""

    def __init__(self, most: int = AT_ONCE, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.clock = most, clock
        self._going: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def one(self, who: Visitor) -> Iterator[bool]:
        """Hold one for as long as the block lasts; False where there are too many."""
        began = self.clock()
        with self._lock:
            going = [t for t in self._going.get(who.session, []) if began - t < _LONGEST_S]
            good = len(going) < self.most
            self._going[who.session] = [*going, began] if good else going
        try:
            yield good
        finally:
            with self._lock:
                going = self._going.get(who.session, [])
                if good and began in going:
                    going.remove(began)
                if not going:
                    self._going.pop(who.session, None)


def place(address: str, user: str | None) -> str:
    """Return the place of a visitor: an address, with the name that was signed in with."""
    given = network(address)
    if user:
        return f"{user}@{given}"
    try:
        return "" if ipaddress.ip_address(given).is_loopback else given
    except ValueError:
        return given


def network(address: str) -> str:
    """Return what of an address tells visitors apart: of IPv6 the first half, whoever has that has all of the second."""
    try:
        given = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(given, ipaddress.IPv4Address) or given.is_loopback:
        return str(given)
    if given.ipv4_mapped:
        return str(given.ipv4_mapped)
    return str(ipaddress.ip_network((int(given) >> 64 << 64, 64)))
