"""Where to draw people and the lines between them: dots, names beside them, nothing on top of anything else.

Lengths are CSS pixels: a picture is shown at its own size, so a name is as large on a phone as on a desk. The same
people and lines always give the same picture.

What it does not know: HTML, colours, what a sighting is.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

FONT = 13
CELL, SLIM, BROAD = 288, 320, 600  # the room there is in one column of several, on a phone, in two columns
_EDGE = 44.0  # a line, before it has to be longer
_ROW, _RING = 26, 84
_GROWN = 26  # times that a picture is drawn larger until nothing overlaps
_AREA = 2000  # px²: as bad as one part of what else is bad
_MORE = 5  # sizes that are compared from there on
_MANY = 9  # people in a group from which on fewer ways to turn it are tried
_TIGHT = 14  # people: a larger group never fits a phone by being drawn larger

Links = Mapping[str, Mapping[str, int]]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Node:
    """A person in the picture: a dot at (x, y), and a label that lies at (left, right, top, bottom)."""

    name: str
    label: str
    x: float
    y: float
    r: float
    anchor: str
    tx: float
    ty: float
    box: Box

    def moved(self, dx: float, dy: float) -> Node:
        """Return the same, elsewhere."""
        left, right, top, bottom = self.box
        box = (left + dx, right + dx, top + dy, bottom + dy)
        return replace(self, x=self.x + dx, y=self.y + dy, tx=self.tx + dx, ty=self.ty + dy, box=box)


@dataclass(frozen=True, slots=True)
class Cluster:
    """People who hang together, in a picture of their own."""

    nodes: tuple[Node, ...]
    width: float
    height: float


def groups(names: Sequence[str], links: Links) -> list[list[str]]:
    """Split people into those who hang together by any chain of lines: the largest group first."""
    left = dict.fromkeys(names)
    out = []
    for name in names:
        if name in left:
            group = [n for n in _nearest(name, links) if n in left]
            for n in group:
                del left[n]
            out.append(group)
    return sorted(out, key=len, reverse=True)


def cluster(names: Sequence[str], links: Links, weight: Mapping[str, int], *, room: float) -> Cluster:
    """Draw one group at most `room` wide: lines about equally long, a name on the side of its dot that is free.

    `weight` is how often each is seen. Of all the ways to turn the group the one that is smallest and clearest is kept.
    """
    at = _spread(names, links)
    ends = [(i, j) for i, j in combinations(range(len(names)), 2) if names[j] in links[names[i]]]
    if len(ends) > 3 * len(names):
        ends = []  # a knot: whatever is done, lines run through names
    turns = 24 if len(names) < 6 else 12 if len(names) < _MANY else 4
    best: tuple[float, Cluster] | None = None
    for k in range(turns):
        turned = [z * cmath.exp(1j * math.pi * k / turns) for z in at]
        narrow = len(names) > 4 and room <= SLIM
        tries: list[tuple[float, Cluster] | None] = []
        if narrow:
            tries += [_stacked(names, turned, ends, weight, room, room * share) for share in (0.2, 0.35, 0.5)]
        if not narrow or len(names) <= _TIGHT:
            tries.append(_fitted(names, turned, ends, weight, room, best[0] if best else math.inf))
        for found in tries:
            if found and (best is None or found[0] < best[0] - 1e-6):
                best = found
    return best[1] if best else _stacked(names, at, ends, weight, room, room / 3)[1]


def ego(me: str, others: Sequence[str], weight: Mapping[str, int], *, room: float) -> Cluster | None:
    """Draw one person between two half rings of the others, each in a row of their own; None where that has no room."""
    right, left = others[: (len(others) + 1) // 2], others[(len(others) + 1) // 2 :][::-1]
    wide = [max((wide_of(n) for n in side), default=0.0) + 14 for side in (left, right)]
    mine = wide_of(me)
    ring = max(float(_RING), mine / 2 + 14, min(_RING * 1.5, (room - sum(wide)) / 2))
    if not left:  # two people: a line with a name at each end
        wide, ring = [mine + 14, wide[1]], _RING / 2
    if sum(wide) + 2 * ring > room:
        return None
    rows = max(len(right), len(left))
    row = max(float(_ROW), min(40.0, 200 / rows))
    cx, cy, half = wide[0] + ring, 0.0, rows * row / 2
    middle = _node(me, (cx, cy), weight[me], "above")
    if not left:
        middle = _node(me, (cx - ring, cy), weight[me], "left")
    nodes = [middle]
    for sign, side in ((1, right), (-1, left)):
        for i, name in enumerate(side):
            y = cy - len(side) * row / 2 + (i + 0.5) * row
            off = math.sqrt(max(0.0, 1 - ((y - cy) / (half + row / 3)) ** 2))
            x = cx + sign * max(min(26.0, ring), ring * off)
            nodes.append(_node(name, (x, y), weight[name], "right" if sign > 0 else "left"))
    return _framed(nodes) if _clean(nodes) else None


def clipped(name: str, room: float) -> str:
    """Shorten a name that would not fit into `room`, which no usual one does."""
    if wide_of(name) <= room:
        return name
    label = name[: int(room / FONT / 0.3)]
    while wide_of(label) > room and len(label) > 2:
        label = f"{label.rstrip('…')[:-1].rstrip()}…"
    return label


@lru_cache(4096)
def wide_of(label: str) -> float:
    """About how wide a label is set: rather too wide than too narrow."""
    total = 0.0
    for c in label:
        if c in "iljtfrI1.,:;'’|!()[] ":
            total += 0.38
        elif c in "mwMW@%…":
            total += 0.98
        elif c.isupper() or ord(c) > 0x24F:
            total += 0.74 if ord(c) < 0x1100 else 1.05
        else:
            total += 0.62
    return total * FONT


# --- where the dots go ------------------------------------------------------------------------------------------------


def _nearest(start: str, links: Links) -> list[str]:
    """Everybody who can be reached from one, the nearer the earlier."""
    out = [start]
    for name in out:
        out += [n for n in sorted(links[name], key=lambda n: -links[name][n]) if n not in out]
    return out


def _spread(names: Sequence[str], links: Links) -> list[complex]:
    """Lay out a group so that distances in the plane are near those along its lines; the fewest crossings win.

    Source: stress majorization, Gansner, Koren and North 2004.
    """
    index = {n: i for i, n in enumerate(names)}
    near = [[index[m] for m in links[n] if m in index] for n in names]
    n = len(names)
    steps = [_steps(i, near) for i in range(n)]
    hub = min(range(n), key=lambda i: (sum(steps[i]), i))
    walk = _walked(near)
    ends = [(i, j) for i in range(n) for j in near[i] if i < j][: 3 * n]
    best: tuple[float, list[complex]] | None = None
    for start in (
        [cmath.rect(n / 6, 2 * math.pi * walk.index(i) / n) for i in range(n)],
        [cmath.rect(steps[hub][i] + 0.01 * i / n, 2 * math.pi * walk.index(i) / n) for i in range(n)],
    ):
        at = start
        for _ in range(60):
            for i in range(n):
                total, pull = 0.0, 0j
                for j in range(n):
                    if j != i:
                        gap = at[i] - at[j]
                        w = 1 / steps[i][j] ** 2
                        pull += w * (at[j] + steps[i][j] * (gap / abs(gap) if abs(gap) > 1e-9 else cmath.rect(1, i)))
                        total += w
                at[i] = pull / total
        stress = sum((abs(at[i] - at[j]) / steps[i][j] - 1) ** 2 for i, j in combinations(range(n), 2))
        crossed = sum(_crosses(at, e, f) for e, f in combinations(ends, 2))
        cost = crossed + stress / max(1, n)
        if best is None or cost < best[0] - 1e-9:
            best = (cost, at)
    assert best is not None
    return best[1]


def _steps(start: int, near: Sequence[Sequence[int]]) -> list[int]:
    """How many lines away everybody is from one."""
    far = {start: 0}
    todo = [start]
    for i in todo:
        for j in near[i]:
            if j not in far:
                far[j] = far[i] + 1
                todo.append(j)
    return [far[i] for i in range(len(near))]


def _walked(near: Sequence[Sequence[int]]) -> list[int]:
    """Everybody in the order of a walk along the lines, deep first, from the end of a chain."""
    out: list[int] = []
    todo = [min(range(len(near)), key=lambda i: (len(near[i]), i))]
    while todo:
        i = todo.pop()
        if i not in out:
            out.append(i)
            todo += sorted((j for j in near[i] if j not in out), key=lambda j: (-len(near[j]), j))
    return out


def _crosses(at: Sequence[complex], e: tuple[int, int], f: tuple[int, int]) -> bool:
    if set(e) & set(f):
        return False
    a, b, c, d = at[e[0]], at[e[1]], at[f[0]], at[f[1]]

    def side(p: complex, q: complex, r: complex) -> bool:
        return ((q - p).conjugate() * (r - p)).imag > 0

    return side(a, b, c) != side(a, b, d) and side(c, d, a) != side(c, d, b)


# --- where the names go -----------------------------------------------------------------------------------------------

_SIDES = {
    "right": 1 + 0j, "left": -1 + 0j, "below": 1j, "above": -1j,
    "right below": 0.7 + 0.7j, "left below": -0.7 + 0.7j, "right above": 0.7 - 0.7j, "left above": -0.7 - 0.7j,
}  # fmt: skip


def _fitted(
    names: Sequence[str],
    at: Sequence[complex],
    ends: Sequence[tuple[int, int]],
    weight: Mapping[str, int],
    room: float,
    most: float,
) -> tuple[float, Cluster] | None:
    """Draw a group larger until nothing overlaps, and taller where it gets too wide: (how bad it looks, the picture).

    None where it will look no better than `most`.
    """
    middle = (min(z.real for z in at) + max(z.real for z in at)) / 2
    sx = sy = _EDGE
    best: tuple[float, Cluster] | None = None
    more = _MORE
    for _ in range(_GROWN):
        points = [complex((z.real - middle) * sx, z.imag * sy) for z in at]
        nodes = _named(names, points, ends, weight, room)
        if _framed(nodes).width > room:
            nodes = _named(names, points, ends, weight, room, within=room / 2)
        drawn = _framed(nodes)
        if drawn.width * drawn.height / _AREA > min(most, best[0] if best else math.inf):
            break
        if drawn.width <= room and _clean(nodes):
            bad = _bad(drawn, ends, names)
            if best is None or bad < best[0]:
                best = bad, drawn
            more -= 1
            if not more or len(names) < 4:
                break
        if drawn.width > room:
            sx *= 0.88
            sy *= 1.03
        else:
            sx, sy = (sx * 1.1 if drawn.width < 0.9 * room else sx), sy * 1.1
    return best


def _named(
    names: Sequence[str],
    points: Sequence[complex],
    ends: Sequence[tuple[int, int]],
    weight: Mapping[str, int],
    room: float,
    within: float = math.inf,
) -> list[Node]:
    """Put each name where it is freest: beside its dot, under or over it, or at a corner; best not beyond ±`within`."""
    choices: list[list[tuple[float, Node]]] = []
    for i, name in enumerate(names):
        z = points[i]
        pull = sum(((points[j if k == i else k] - z) for k, j in ends if i in (k, j)), 0j)
        pull = pull / abs(pull) if abs(pull) > 1e-6 else 0j
        own = []
        for side, way in _SIDES.items():
            node = _node(clipped(name, room - 30), (z.real, z.imag), weight[name], side, name=name)
            left, right, top, bottom = node.box
            through = sum(min(12.0, _inside(points[a], points[b], node.box)) for a, b in ends)
            dots = sum(
                left - 8 < p.real < right + 8 and top - 8 < p.imag < bottom + 8 for j, p in enumerate(points) if j != i
            )
            cost = 0.6 * through + 60 * dots + 1.5 * (way.conjugate() * pull).real
            cost += 30 * (left < -within or right > within) + (0 if side in ("right", "left") else 0.8)
            own.append((cost, node))
        choices.append(own)
    chosen = [min(own, key=lambda c: c[0]) for own in choices]
    for _ in range(3):
        for i, own in enumerate(choices):
            rest = [c[1] for j, c in enumerate(chosen) if j != i]
            chosen[i] = min(own, key=lambda c: c[0] + 60 * sum(_over(c[1].box, n.box) for n in rest))
    return [c[1] for c in chosen]


def _stacked(
    names: Sequence[str],
    at: Sequence[complex],
    ends: Sequence[tuple[int, int]],
    weight: Mapping[str, int],
    room: float,
    spread: float,
) -> tuple[float, Cluster]:
    """Draw a group in a narrow column, its dots `spread` wide: whoever would lie on another moves down.

    Nothing overlaps, whatever the group: who shares a stretch of the width has a row of their own.
    """
    room -= 4  # of the frame
    low, high = min(z.real for z in at), max(z.real for z in at)
    nodes: list[Node] = []
    last = before = 0.0
    for row, i in enumerate(sorted(range(len(names)), key=lambda i: (round(at[i].imag, 6), round(at[i].real, 6), i))):
        label = clipped(names[i], room - 30)
        r, need = _size(weight[names[i]]), wide_of(label) + _size(weight[names[i]]) + 9
        x = (room - spread) / 2 + spread * (at[i].real - low) / (high - low or 1.0)
        fits = {"right": room - x >= need, "left": x >= need}
        side = "right" if fits["right"] and (x >= room / 2 or not fits["left"]) else "left"
        if not any(fits.values()):
            side, x = ("right", room - need) if x < room / 2 else ("left", need)
        y = last + min(_EDGE, (at[i].imag - before) * _EDGE) if row else 0.0
        node = _node(label, (x, y), weight[names[i]], side, name=names[i])
        for n in nodes:
            left, right = min(n.box[0], n.x - n.r), max(n.box[1], n.x + n.r)
            if min(node.box[0], x - r) < right + 7 and left < max(node.box[1], x + r) + 7:
                y = max(y, n.y + max(20.0, r + n.r + 11))
            elif abs(x - n.x) < r + n.r + 10:
                y = max(y, n.y + r + n.r + 10)
        nodes.append(node.moved(0, y - node.y))
        last, before = y, at[i].imag
    where = {n.name: n for n in nodes}
    points = [complex(where[n].x - room / 2, where[n].y) for n in names]
    better = _named(names, points, ends, weight, room, within=room / 2)
    pictures = [_framed(nodes)]
    if _clean(better) and _framed(better).width <= room + 4:
        pictures.append(_framed(better))
    return min(((_bad(drawn, ends, names), drawn) for drawn in pictures), key=lambda c: c[0])


def _bad(drawn: Cluster, ends: Sequence[tuple[int, int]], names: Sequence[str]) -> float:
    """How bad a picture looks: how large it is, names and dots that a line runs through, lines that cross."""
    at = {n.name: n for n in drawn.nodes}
    points = [complex(at[n].x, at[n].y) for n in names]
    cost = drawn.width * drawn.height / _AREA + 4 * sum(_crosses(points, e, f) for e, f in combinations(ends, 2))
    for k, name in enumerate(names):
        n = at[name]
        dot = (n.x - 7, n.x + 7, n.y - 7, n.y + 7)
        cost += min(18.0, sum(1.2 * _inside(points[i], points[j], n.box) for i, j in ends))
        cost += sum(min(14.0, 2 * _inside(points[i], points[j], dot)) for i, j in ends if k not in (i, j))
    return cost


def _size(sightings: int) -> float:
    return min(8.0, 2.9 + 1.1 * math.sqrt(sightings))


def _node(label: str, at: tuple[float, float], sightings: int, side: str, *, name: str = "") -> Node:
    x, y = at
    r = _size(sightings)
    width = wide_of(label)
    beside, _, corner = side.partition(" ")
    if beside in ("right", "left"):
        sign = 1 if beside == "right" else -1
        tx, ty, anchor = x + sign * (r + 5), y + FONT * 0.35, "start" if sign > 0 else "end"
        if corner:
            tx, ty = x + sign * (r + 1), y + r + FONT * 0.8 if corner == "below" else y - r - 2
        left = tx if sign > 0 else tx - width
    else:
        tx, ty, anchor = x, y + r + FONT + 2 if side == "below" else y - r - 6, "middle"
        left = tx - width / 2
    box = (left, left + width, ty - FONT * 0.8, ty + FONT * 0.25)
    return Node(name or label, label, x, y, r, anchor, tx, ty, box)


def _framed(nodes: Sequence[Node]) -> Cluster:
    """Move a picture into its frame: it begins at (0, 0)."""
    left = min(min(n.box[0], n.x - n.r) for n in nodes) - 2
    top = min(min(n.box[2], n.y - n.r) for n in nodes) - 3
    right = max(max(n.box[1], n.x + n.r) for n in nodes) + 2
    bottom = max(max(n.box[3], n.y + n.r) for n in nodes) + 3
    return Cluster(tuple(n.moved(-left, -top) for n in nodes), math.ceil(right - left), math.ceil(bottom - top))


def _clean(nodes: Sequence[Node]) -> bool:
    """Tell whether no name lies on another or on a dot, and no two dots are too near for a line between them."""
    for a, b in combinations(nodes, 2):
        if _over(a.box, b.box) or math.hypot(a.x - b.x, a.y - b.y) < a.r + b.r + 10:
            return False
        for dot, (left, right, top, bottom) in ((a, b.box), (b, a.box)):
            if (
                left < dot.x + dot.r + 1
                and dot.x - dot.r - 1 < right
                and top < dot.y + dot.r
                and dot.y - dot.r < bottom
            ):
                return False
    return True


def _over(a: Box, b: Box) -> bool:
    return a[0] < b[1] + 6 and b[0] < a[1] + 6 and a[2] < b[3] + 2 and b[2] < a[3] + 2


def _inside(a: complex, b: complex, box: Box) -> float:
    """Measure how much of the line from a to b lies in a box.

    Source: Liang and Barsky 1984.
    """
    left, right, top, bottom = box
    if (
        max(a.real, b.real) < left
        or min(a.real, b.real) > right
        or max(a.imag, b.imag) < top
        or min(a.imag, b.imag) > bottom
    ):
        return 0.0
    t0, t1 = 0.0, 1.0
    across = (b.real - a.real, left - a.real, right - a.real)
    down = (b.imag - a.imag, top - a.imag, bottom - a.imag)
    for d, low, high in (across, down):
        if abs(d) < 1e-9:
            if low > 0 or high < 0:
                return 0.0
            continue
        near, far = sorted((low / d, high / d))
        t0, t1 = max(t0, near), min(t1, far)
    return max(0.0, t1 - t0) * abs(b - a)
