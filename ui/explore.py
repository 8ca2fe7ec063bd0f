"""The library to look around in: events, a timeline, who is seen with whom. Pure: data in, one line of HTML out.

Every picture has a list of buttons beside it and a table under it. Pictures are computed here, the same for the same
data: nothing moves, nothing overlaps.

What it does not know: Gradio, the library, which buttons lead where (page.js and the desk do).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rag.explore import EventPage, Moment, Pair, Piece, SeenWith, Sighting
from rag.types import Article, Event
from ui.render import act, day, text
from ui.strings import EN, Strings

EVENTS = 24  # listed before the rest is folded away
MOMENTS = 60
PAIRS = 12
SIGHTINGS = 3  # of a pair
DRAWN = 24  # people in the picture
ROWS = 300  # of a table

# --- events -----------------------------------------------------------------------------------------------------------


def events(found: Sequence[tuple[Event, int]], s: Strings = EN) -> str:
    """Render all events and editions, in the order given, each with its day and its number of articles."""
    if not found:
        return _nothing("x-events", s.x_events, s.x_no_events)
    rows = [
        f"<li>{_event_button(e, s)}<span>{_facts(day(e.start, s), _n(n, s.article_one, s.article_many))}</span></li>"
        for e, n in found
    ]
    listing = f'<ul class="x-rows">{"".join(rows[:EVENTS])}</ul>'
    if rest := rows[EVENTS:]:
        more = _n(len(rest), s.x_event_more_one, s.x_event_more_many)
        listing += _folded(more, f'<ul class="x-rows">{"".join(rest)}</ul>')
    return f'<section class="x-part x-events"><h2 class="x-title">{text(s.x_events)}</h2>{listing}</section>'


def event(page: EventPage, questions: Sequence[str], s: Strings = EN) -> str:
    """Render the page of one edition: its dates, its pieces with their copies, and questions that it answers.

    The name itself stands in the trail above; here it is a heading for those who hear the page.
    """
    counted = _n(page.articles, s.article_one, s.article_many)
    if len(page.pieces) != page.articles:
        counted = f"{counted}, {s.independent.format(n=len(page.pieces))}"
    facts = [
        s.x_held.format(date=day(page.event.start, s)) if page.event.start else s.x_held_unknown,
        _span(page.first, page.last, s),
        counted,
        _n(page.captions, s.x_caption_one, s.x_caption_many) if page.captions else "",
        ", ".join(page.outlets[:6]),
    ]
    parts = [f'<h2 class="x-unseen">{text(page.event.label)}</h2><p class="x-facts">{_facts(*facts)}</p>']
    if questions:
        asked = "".join(
            f"<li>{act('ask', q, label=q, name=s.x_ask_name.format(question=q), kind='plain')}</li>" for q in questions
        )
        parts.append(f'<h3 class="x-label">{text(s.x_questions)}</h3><ul class="x-questions">{asked}</ul>')
    pieces = "".join(f"<li>{_piece(p, s)}</li>" for p in page.pieces)
    parts.append(f'<h3 class="x-label">{text(s.x_articles)}</h3><ol class="x-pieces">{pieces}</ol>')
    return f'<section class="x-part x-event">{"".join(parts)}</section>'


def _piece(piece: Piece, s: Strings) -> str:
    shown = _article_button(piece.article, s) + f'<p class="meta">{_where(piece.article, s)}</p>'
    if not piece.copies:
        return shown
    copies = "".join(
        f'<li>{_article_button(a, s)}<p class="meta">{_where(a, s)}</p></li>'
        for a in sorted(piece.copies, key=lambda a: (a.published or date.max, a.id))
    )
    return shown + _folded(_n(len(piece.copies), s.x_copy_one, s.x_copy_many), f'<ul class="x-copies">{copies}</ul>')


def _article_button(a: Article, s: Strings) -> str:
    title = a.title or s.no_title
    return act("passage", a.id, 0, 0, label=title, name=s.x_open.format(title=title), kind="x-headline")


def _event_button(e: Event, s: Strings) -> str:
    return act("event", e.key, e.edition or "", label=e.label, name=s.event_open.format(event=e.label), kind="x-name")


def _where(a: Article, s: Strings) -> str:
    return _facts(a.outlet or "", day(a.published, s) or s.undated)


def _span(first: date | None, last: date | None, s: Strings) -> str:
    if first is None or last is None:
        return s.x_published_unknown
    if first == last:
        return s.published.format(date=day(first, s))
    return s.x_published_span.format(first=day(first, s), last=day(last, s))


# --- the timeline -----------------------------------------------------------------------------------------------------


def timeline(moments: Sequence[Moment], s: Strings = EN) -> str:
    """Render moments in order of time: a strip drawn to scale, a rail with a button for each, a table.

    Of more than MOMENTS, the days of events go before pieces and later ones before earlier ones; the rest is counted.
    """
    dated = [m for m in moments if m.day]
    undated = [m for m in moments if not m.day]
    head = f'<h2 class="x-title">{text(s.x_timeline)}</h2>'
    if not dated and not undated:
        return _nothing("x-timeline", s.x_timeline, s.x_no_moments)
    parts = [head]
    about = len({m.event.label if m.event else "" for m in moments}) > 1  # else it need not be said each time
    if dated:
        key = f'<span class="x-key-held">{_dot(True)}{text(s.x_key_held)}</span><span>{_dot(False)}{text(s.x_key_published)}</span>'
        parts.append(f'<p class="x-key">{key}</p>')
        parts.append(_strip(dated, s))
        parts.append(_rail(dated, s, about=about))
    if undated:
        rows = "".join(f"<li>{_moment_button(m, s)}{_moment_meta(m, s, about=about)}</li>" for m in undated[:ROWS])
        words = _n(len(undated), s.x_undated_one, s.x_undated_many)
        parts.append(_folded(words, f'<ul class="x-undated">{rows}</ul>{_left(len(undated) - ROWS, s)}'))
    parts.append(_folded(s.x_as_table, _moment_table([*dated, *undated], s)))
    return f'<section class="x-part x-timeline">{"".join(parts)}</section>'


_STRIP_W, _STRIP_H, _R = 720, 84, 4.5
_BINS = 72


def _strip(dated: Sequence[Moment], s: Strings) -> str:
    """Draw moments along time, to scale: a filled dot for a day held, outlined ones, or a bar, for what was published."""
    first, last = _days(dated)[0], _days(dated)[-1]
    days = (last - first).days
    if days < 2 or len(dated) < 3:
        return ""
    pad = 2 * _R
    width = _STRIP_W - 2 * pad
    bins = min(_BINS, days + 1)

    def place(d: date) -> int:
        return min(bins - 1, (d - first).days * bins // (days + 1))

    def x(b: int) -> float:
        return pad + (b + 0.5) * width / bins

    held: dict[int, list[str]] = {}
    told: dict[int, int] = {}
    for m in dated:
        assert m.day is not None
        if m.kind == "held":
            held.setdefault(place(m.day), []).append(f"{m.title}, {day(m.day, s)}")
        else:
            told[place(m.day)] = told.get(place(m.day), 0) + 1
    base = _STRIP_H - 8
    parts = [f'<line class="x-axis" x1="0" y1="{base}" x2="{_STRIP_W}" y2="{base}"/>']
    most = max(told.values(), default=0)
    fits = int((base - 4 * _R - 6) / (2 * _R + 1))
    for b, n in sorted(told.items()):
        if most <= fits:
            parts += [
                f'<circle class="x-told" cx="{x(b):.1f}" cy="{base - _R - 2 - i * (2 * _R + 1):.1f}" r="{_R - 0.75}"/>'
                for i in range(n)
            ]
        else:
            high = max(2.0, (base - 4 * _R - 6) * n / most)
            wide = max(1.5, width / bins - 2)
            parts.append(
                f'<rect class="x-bar" x="{x(b) - wide / 2:.1f}" y="{base - high:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'
            )
    for b, names in sorted(held.items()):
        said = f"<title>{text('; '.join(names[:6]))}</title>"
        parts.append(f'<circle class="x-held" cx="{x(b):.1f}" cy="{_R + 1}" r="{_R}">{said}</circle>')
        parts.append(f'<line class="x-drop" x1="{x(b):.1f}" y1="{2 * _R + 2}" x2="{x(b):.1f}" y2="{base}"/>')
    words = s.x_strip.format(first=day(first, s), last=day(last, s))
    marks = "".join(
        f'<span style="left:{100 * at:.1f}%"{_edge(at)}>{text(name)}</span>' for at, name in _ticks(first, last, s)
    )
    return (
        f'<svg class="chart x-strip" width="{_STRIP_W}" height="{_STRIP_H}" role="img"><title>{text(words)}</title>'
        f'{"".join(parts)}</svg><p class="x-ticks">{marks}</p>'
    )


def _edge(at: float) -> str:
    return ' class="x-first"' if at < 0.08 else ' class="x-last"' if at > 0.92 else ""


def _ticks(first: date, last: date, s: Strings) -> list[tuple[float, str]]:
    """Choose up to four days to name along a strip: (place from 0 to 1, name), far enough apart for a phone."""
    days = max(1, (last - first).days)
    steps = min(3, max(1, days // 21))
    out: list[tuple[float, str]] = []
    for i in range(steps + 1):
        d = first + timedelta(days=round(days * i / steps))
        short = s.months_short[d.month - 1]
        if days > 5 * 365:
            name = str(d.year)
        elif days > 45:
            name = s.x_tick_month.format(month=short, year=d.year)
        else:
            name = s.x_tick_day.format(day=d.day, month=short)
        if not out or out[-1][1] != name:
            out.append((i / steps, name))
    return out


def _rail(dated: Sequence[Moment], s: Strings, *, about: bool) -> str:
    shown = _chosen(dated)
    groups: list[tuple[tuple[int, int], list[Moment]]] = []
    for m in shown:
        assert m.day is not None
        its = (m.day.year, m.day.month)
        if not groups or groups[-1][0] != its:
            groups.append((its, []))
        groups[-1][1].append(m)
    out = []
    if len(shown) < len(dated):
        out.append(f'<p class="meta">{text(s.x_moments_of.format(n=len(shown), all=len(dated)))}</p>')
    for (year, month), each in groups:
        name = s.x_month.format(month=s.months[month - 1], year=year)
        rows = []
        for n, m in enumerate(each):
            assert m.day is not None
            again = n > 0 and each[n - 1].day == m.day
            when = "" if again else text(s.x_day.format(day=m.day.day, month=s.months[m.day.month - 1]))
            rows.append(
                f'<li class="x-moment x-is-{m.kind}"><time datetime="{m.day.isoformat()}">{when}</time>{_knot(m.kind == "held")}'
                f"<div>{_moment_button(m, s)}{_moment_meta(m, s, about=about)}</div></li>"
            )
        out.append(f'<h3 class="x-month">{text(name)}</h3><ol class="x-rail">{"".join(rows)}</ol>')
    return "".join(out)


def _chosen(dated: Sequence[Moment]) -> list[Moment]:
    if len(dated) <= MOMENTS:
        return list(dated)
    ranked = sorted(range(len(dated)), key=lambda i: (dated[i].kind != "held", dated[i].event is None, -i))
    return [dated[i] for i in sorted(ranked[:MOMENTS])]


def _knot(held: bool) -> str:
    """A stretch of the rail with its dot: the row's own height long."""
    dot = f'<circle class="{"x-held" if held else "x-told"}" cx="9" cy="13" r="{5 if held else 4}"/>'
    return (
        f'<svg class="x-knot" width="18" height="100%"><line class="x-axis" x1="9" y1="0" x2="9" y2="100%"/>{dot}</svg>'
    )


def _dot(held: bool) -> str:
    return f'<svg class="x-dot" width="12" height="12"><circle class="{"x-held" if held else "x-told"}" cx="6" cy="6" r="{5 if held else 4}"/></svg>'


def _moment_button(m: Moment, s: Strings) -> str:
    if m.kind == "held" and m.event is not None:
        return _event_button(m.event, s)
    title = m.title or s.no_title
    return act("passage", m.article_id, 0, 0, label=title, name=s.x_open.format(title=title), kind="x-headline")


def _moment_meta(m: Moment, s: Strings, *, about: bool) -> str:
    if m.kind == "held":
        return f'<p class="x-unseen">{text(s.x_was_held)}</p>'
    copies = _n(m.copies - 1, s.x_copy_one, s.x_copy_many) if m.copies > 1 else ""
    facts = _facts(m.outlet or "", s.x_about.format(event=m.event.label) if m.event and about else "", copies)
    return f'<p class="meta">{facts}</p>' if facts else ""


def _moment_table(moments: Sequence[Moment], s: Strings) -> str:
    rows = []
    for m in moments[-ROWS:] if len(moments) > ROWS else moments:
        what = s.x_key_held if m.kind == "held" else s.x_key_published
        rows.append(
            (day(m.day, s) or s.undated, what, m.title or s.no_title, m.outlet or "", m.event.label if m.event else "")
        )
    heads = (s.x_col_day, s.x_col_what, s.x_col_title, s.x_col_outlet, s.x_col_event)
    return _table(s.x_timeline, heads, rows) + _left(len(moments) - ROWS, s)


# --- seen with --------------------------------------------------------------------------------------------------------


def seen_with(found: SeenWith, s: Strings = EN, person: str | None = None) -> str:
    """Render who is seen with whom: a picture, a list whose quotes open their passages, a table."""
    who = found.person or person
    title = s.x_seen_person.format(person=who) if who else s.x_seen
    if not found.pairs:
        return _nothing("x-seen", title, s.x_seen_nobody.format(person=who) if who else s.x_seen_none)
    count = [
        _n(len(found.people) - 1, s.x_partner_one, s.x_partner_many)
        if who
        else _n(len(found.people), s.x_person_one, s.x_person_many),
        _n(found.more_people, s.x_people_more_one, s.x_people_more_many) if found.more_people else "",
    ]
    said = [text(s.x_seen_how)]
    if found.unread:
        said.append(text(s.x_unread.format(n=found.articles, all=found.articles + found.unread)))
    about = len({g.event for p in found.pairs for g in p.sightings}) > 1
    rows = [_pair(p, who, s, about=about) for p in found.pairs]
    listing = f'<ul class="x-pairs">{"".join(rows[:PAIRS])}</ul>'
    if rest := rows[PAIRS:]:
        more = _n(len(rest), s.x_pair_more_one, s.x_pair_more_many)
        listing += _folded(more, f'<ul class="x-pairs">{"".join(rest)}</ul>')
    table = _table(
        title,
        (s.x_col_person, s.x_col_with, s.x_col_times, s.x_col_quote),
        [(p.a, p.b, str(len(p.sightings)), p.sightings[0].quote) for p in map(_turned(who), found.pairs[:ROWS])],
    )
    return (
        f'<section class="x-part x-seen"><h2 class="x-title">{text(title)}</h2><p class="x-facts">{_facts(*count)}</p>'
        f'<p class="x-how">{" ".join(said)}</p><div class="x-two">{graph(found, s)}<div class="x-list">{listing}</div></div>'
        f"{_folded(s.x_as_table, table + _left(len(found.pairs) - ROWS, s))}</section>"
    )


def _turned(who: str | None) -> Callable[[Pair], Pair]:
    return lambda p: Pair(p.b, p.a, p.sightings) if p.b == who else p


def _pair(pair: Pair, who: str | None, s: Strings, *, about: bool) -> str:
    pair = _turned(who)(pair)
    names = [n for n in (pair.a, pair.b) if n != who]
    buttons = [act("person", n, label=n, name=s.x_person_open.format(person=n), kind="x-person") for n in names]
    times = _n(len(pair.sightings), s.x_time_one, s.x_time_many)
    head = f'{f" <span>{text(s.x_and)}</span> ".join(buttons)} <span class="x-times">{text(times)}</span>'
    quotes = [_sighting(g, s, about=about) for g in pair.sightings]
    listing = f'<ul class="x-quotes">{"".join(quotes[:SIGHTINGS])}</ul>'
    if rest := quotes[SIGHTINGS:]:
        more = _n(len(rest), s.x_sighting_more_one, s.x_sighting_more_many)
        listing += _folded(more, f'<ul class="x-quotes">{"".join(rest)}</ul>')
    return f'<li><p class="x-pair">{head}</p>{listing}</li>'


def _sighting(g: Sighting, s: Strings, *, about: bool) -> str:
    kind = s.x_in_caption if g.kind == "caption" else s.x_in_sentence
    facts = _facts(kind, g.outlet or "", day(g.published, s) or s.undated, g.event or "" if about else "")
    name = s.x_quote_open.format(quote=g.quote)
    button = act("passage", g.article_id, g.start, g.end, label=_clipped(g.quote), name=name, kind="x-quote")
    return f'<li>{button}<p class="meta">{facts}</p></li>'


def _clipped(quote: str, most: int = 320) -> str:
    return quote if len(quote) <= most else f"{quote[: quote.rfind(' ', 0, most)]}…"


# --- the picture of who is seen with whom ---------------------------------------------------------------------------

_W, _FONT, _ROW, _RING = 470, 14, 27, 84
_TOP = 18


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
    box: tuple[float, float, float, float]


def graph(found: SeenWith, s: Strings = EN) -> str:
    """Draw people as dots on a ring, the one it is about in the middle, with a line for each pair; at most DRAWN."""
    nodes, height = layout(found)
    if len(nodes) < 2:
        return ""
    at = {n.name: n for n in nodes}
    cx, cy = _W / 2, height / 2
    lines = []
    for p in found.pairs:
        a, b = at.get(p.a), at.get(p.b)
        if a is None or b is None:
            continue
        wide = 1 + 0.75 * min(4, len(p.sightings) - 1)
        if found.person in (p.a, p.b):
            bend = f"L{b.x:.1f} {b.y:.1f}"
        else:  # towards the middle, the more the farther apart: lines between neighbours stay near the ring
            mx, my = (a.x + b.x) / 2, (a.y + b.y) / 2
            off = math.hypot(cx - mx, cy - my) or 1.0
            pull = min(0.8, (9 + 0.4 * math.hypot(a.x - b.x, a.y - b.y)) / off)
            bend = f"Q{mx + (cx - mx) * pull:.1f} {my + (cy - my) * pull:.1f} {b.x:.1f} {b.y:.1f}"
        words = s.x_edge.format(a=p.a, b=p.b, times=_n(len(p.sightings), s.x_time_one, s.x_time_many))
        lines.append(
            f'<path class="x-edge" d="M{a.x:.1f} {a.y:.1f}{bend}" stroke-width="{wide:.2f}"><title>{text(words)}</title></path>'
        )
    dots = [
        f'<g class="{"x-me" if n.name == found.person else "x-node"}"><title>{text(n.name)}</title>'
        f'<circle cx="{n.x:.1f}" cy="{n.y:.1f}" r="{n.r:.1f}"/>'
        f'<text x="{n.tx:.1f}" y="{n.ty:.1f}" text-anchor="{n.anchor}">{text(n.label)}</text></g>'
        for n in nodes
    ]
    words = s.x_graph_person.format(person=found.person) if found.person else s.x_graph
    left = len(found.people) - len(nodes)
    note = (
        f'<figcaption class="meta">{text(_n(left, s.x_undrawn_one, s.x_undrawn_many))}</figcaption>' if left > 0 else ""
    )
    return (
        f'<figure class="x-graph"><svg class="chart x-net" width="{_W}" height="{height:.0f}" role="img"><title>{text(words)}</title>'
        f"{''.join(lines)}{''.join(dots)}</svg>{note}</figure>"
    )


def layout(found: SeenWith) -> tuple[list[Node], float]:
    """Place at most DRAWN people: (nodes, height of the picture). The same for the same data; labels never overlap.

    Everyone has a row of their own on the left or the right half of a ring, and a label that points outward.
    """
    seen = {p.name: p.sightings for p in found.people}
    drawn: list[str] = [found.person] if found.person in seen else []
    for p in found.pairs:  # nobody is drawn without a line
        new = [n for n in (p.a, p.b) if n in seen and n not in drawn]
        if len(drawn) + len(new) <= DRAWN:
            drawn += new
    ring = _ordered([n for n in drawn if n != found.person], found.pairs)
    rows = max(1, (len(ring) + 1) // 2)
    middle = found.person if found.person in seen else None
    height = float(2 * _TOP + max(rows, 4) * _ROW)
    cx, cy = _W / 2, height / 2
    half = rows * _ROW / 2
    out = []
    if middle is not None:
        out.append(_node(middle, cx, cy, seen[middle], "middle", 2 * _RING - 22))
    right, left = ring[: (len(ring) + 1) // 2], ring[(len(ring) + 1) // 2 :]
    for side, names in ((1, right), (-1, left[::-1])):
        for i, name in enumerate(names):
            y = cy - len(names) * _ROW / 2 + (i + 0.5) * _ROW
            x = cx + side * max(18.0, _RING * math.sqrt(max(0.0, 1 - ((y - cy) / (half + _ROW / 3)) ** 2)))
            room = (_W - x if side > 0 else x) - 14
            out.append(_node(name, x, y, seen[name], "start" if side > 0 else "end", room))
    return out, height


def _node(name: str, x: float, y: float, sightings: int, anchor: str, room: float) -> Node:
    r = min(7.0, 2.6 + 0.9 * math.sqrt(sightings))
    label = name
    while _wide(label) > room and len(label) > 2:
        label = f"{label.rstrip('…')[:-1].rstrip()}…"
    width = _wide(label)
    if anchor == "middle":
        tx, ty = x, y - r - 7
        box = (x - width / 2, x + width / 2, ty - _FONT * 0.8, ty + _FONT * 0.25)
    else:
        tx, ty = (x + r + 5 if anchor == "start" else x - r - 5), y + _FONT * 0.34
        box = (tx, tx + width, ty - _FONT * 0.8, ty + _FONT * 0.25)
        if anchor == "end":
            box = (tx - width, tx, *box[2:])
    return Node(name, label, x, y, r, anchor, tx, ty, box)


def _wide(label: str) -> float:
    """About how wide a label is set, in units of the picture: rather too wide than too narrow."""
    total = 0.0
    for c in label:
        if c in "iljtfrI1.,:;'’|!()[] ":
            total += 0.36
        elif c in "mwMW@%…":
            total += 0.95
        elif c.isupper() or ord(c) > 0x24F:
            total += 0.74 if ord(c) < 0x1100 else 1.05
        else:
            total += 0.59
    return total * _FONT


def _ordered(names: Sequence[str], pairs: Sequence[Pair]) -> list[str]:
    """Order people around the ring so that those seen together stand near each other."""
    near: dict[str, dict[str, int]] = {n: {} for n in names}
    for p in pairs:
        if p.a in near and p.b in near:
            near[p.a][p.b] = near[p.b][p.a] = len(p.sightings)
    out: list[str] = []
    left = set(names)
    while left:
        here = min(left, key=lambda n: (len(near[n]) or 99, names.index(n)))  # from the end of a chain
        while True:
            out.append(here)
            left.discard(here)
            linked = {n for o in out for n in near[o]} & left
            if not linked:
                break
            here = max(
                linked,
                key=lambda n: (
                    max((i for i, o in enumerate(out) if n in near[o]), default=-1),
                    near[n].get(out[-1], 0),
                    -names.index(n),
                ),
            )
    return out


# --- under the hood ---------------------------------------------------------------------------------------------------


def _days(moments: Sequence[Moment]) -> list[date]:
    return sorted(m.day for m in moments if m.day)


def _n(n: int, one: str, many: str) -> str:
    return one if n == 1 else many.format(n=n)


def _facts(*parts: str) -> str:
    return " · ".join(text(p) for p in parts if p)


def _folded(summary: str, inside: str) -> str:
    return f'<details class="x-fold"><summary>{text(summary)}</summary>{inside}</details>'


def _left(n: int, s: Strings) -> str:
    return f'<p class="meta">{text(s.x_left_out.format(n=n))}</p>' if n > 0 else ""


def _nothing(kind: str, title: str, why: str) -> str:
    return f'<section class="x-part {kind}"><h2 class="x-title">{text(title)}</h2><p class="x-none">{text(why)}</p></section>'


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{text(h)}</th>' for h in heads)
    body = "".join("<tr>" + "".join(f'<td dir="auto">{text(cell)}</td>' for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="x-scroll"><table class="x-table"><caption>{text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
