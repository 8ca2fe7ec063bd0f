"""The library to look around in: events, a timeline, who is seen with whom. Pure: data in, one line of HTML out.

Every picture has a list of buttons beside it and a table under it, and is the same for the same data: nothing moves,
nothing overlaps.

What it does not know: Gradio, the library, which buttons lead where (page.js and the desk do).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from rag.explore import EventPage, Moment, Pair, Piece, SeenWith, Sighting
from rag.types import Article, Event
from ui import network
from ui.network import Cluster
from ui.render import act, dated, day, text
from ui.strings import EN, Strings

EVENTS = 24  # listed before the rest is folded away
MOMENTS = 60
PAIRS = 12
SIGHTINGS = 3  # of a pair
DRAWN = 40  # people in the picture
KNOT = 24  # people of one group in it
SMALL = 5  # people: a group so small is drawn the same in a wide column
EGO = 480  # px, of the picture of one person's company
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
    return _facts(a.outlet or "", _dated(a.published, a.event.start if a.event else None, s))


def _dated(published: date | None, held: date | None, s: Strings) -> str:
    return dated({"published": published, "held": held}, s)


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
    people = len(_listed(found))
    more = found.more_people + len(found.people) - people  # some of the kept are seen with none of the others
    count = [
        _n(people - 1, s.x_partner_one, s.x_partner_many) if who else _n(people, s.x_person_one, s.x_person_many),
        _n(more, s.x_people_more_one, s.x_people_more_many) if more else "",
    ]
    said = [text(s.x_seen_how)]
    if found.unread:
        said.append(text(s.x_unread.format(n=found.articles, all=found.articles + found.unread)))
    about = len({g.event for p in found.pairs for g in p.sightings}) > 1
    reached: set[str] = set()
    rows = [_pair(n, found, who, s, about=about, reached=reached) for n in range(len(found.pairs))]
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
        f'<p class="x-how">{" ".join(said)}</p>'
        f'<div class="{"x-two" if who else "x-one"}">{graph(found, s)}<div class="x-list">{listing}</div></div>'
        f"{_folded(s.x_as_table, table + _left(len(found.pairs) - ROWS, s))}</section>"
    )


def _listed(found: SeenWith) -> set[str]:
    return {name for p in found.pairs for name in (p.a, p.b)}


def _turned(who: str | None) -> Callable[[Pair], Pair]:
    return lambda p: Pair(p.b, p.a, p.sightings) if p.b == who else p


def _pair(n: int, found: SeenWith, who: str | None, s: Strings, *, about: bool, reached: set[str]) -> str:
    pair = _turned(who)(found.pairs[n])
    buttons = []
    for name in (pair.a, pair.b):
        if name != who:
            mark = "" if name in reached else f" {person_mark(found, name)}"
            reached.add(name)
            words = s.x_person_open.format(person=name)
            buttons.append(act("person", name, label=name, name=words, kind=f"x-person{mark}"))
    times = _n(len(pair.sightings), s.x_time_one, s.x_time_many)
    head = f'{f" <span>{text(s.x_and)}</span> ".join(buttons)} <span class="x-times">{text(times)}</span>'
    quotes = [_sighting(g, s, about=about, mark="" if i else pair_mark(n)) for i, g in enumerate(pair.sightings)]
    listing = f'<ul class="x-quotes">{"".join(quotes[:SIGHTINGS])}</ul>'
    if rest := quotes[SIGHTINGS:]:
        more = _n(len(rest), s.x_sighting_more_one, s.x_sighting_more_many)
        listing += _folded(more, f'<ul class="x-quotes">{"".join(rest)}</ul>')
    return f'<li><p class="x-pair">{head}</p>{listing}</li>'


def _sighting(g: Sighting, s: Strings, *, about: bool, mark: str) -> str:
    kind = s.x_in_caption if g.kind == "caption" else s.x_in_sentence
    facts = _facts(kind, g.outlet or "", _dated(g.published, g.held, s), g.event or "" if about else "")
    name = s.x_quote_open.format(quote=g.quote)
    shown = f"x-quote {mark}".strip()
    button = act("passage", g.article_id, g.start, g.end, label=_clipped(g.quote), name=name, kind=shown)
    return f'<li>{button}<p class="meta">{facts}</p></li>'


def _clipped(quote: str, most: int = 320) -> str:
    return quote if len(quote) <= most else f"{quote[: quote.rfind(' ', 0, most)]}…"


# --- the picture of who is seen with whom ---------------------------------------------------------------------------


def graph(found: SeenWith, s: Strings = EN) -> str:
    """Draw people as dots with a line for each pair, those who hang together in a picture of their own.

    A large group is drawn twice, for a narrow and for a wide column; the style sheet shows one. Each line and each
    person carries the mark of the button in the list that says the same (`pair_mark`, `person_mark`): page.js clicks it.
    """
    drawn = groups(found)
    if not drawn:
        return ""
    pictures = []
    for group in drawn:
        one = other = place(found, group, room=network.SLIM)
        if len(group) > SMALL or found.person:
            other = place(found, group, room=network.BROAD)
        if one == other:
            pictures.append(_picture(one, found, s))
        else:
            rows = max(1, min(4, round(other.height / 100)))
            span = f" x-span x-rows-{rows}" if other.width > network.CELL else ""
            pictures += [_picture(one, found, s, kind=" x-slim"), _picture(other, found, s, kind=f" x-broad{span}")]
    left = len(_listed(found)) - sum(map(len, drawn))
    note = f" {_n(left, s.x_undrawn_one, s.x_undrawn_many)}" if left > 0 else ""
    return (
        f'<figure class="x-graph"><div class="x-nets">{"".join(pictures)}</div>'
        f'<figcaption class="meta">{text(s.x_graph_how + note)}</figcaption></figure>'
    )


def pair_mark(n: int) -> str:
    """Name the class that the line of the nth pair shares with the first quote of it."""
    return f"go-{n}"


def person_mark(found: SeenWith, name: str) -> str:
    """Name the class that the dot of a person shares with a button that leads to who is seen with them."""
    return next((f"go-p{n}" for n, p in enumerate(found.people) if p.name == name), "")


def groups(found: SeenWith) -> list[list[str]]:
    """Choose at most DRAWN people and split them into those who hang together, the largest group first.

    Of a group larger than KNOT only the most often seen are drawn.
    """
    people = _drawn(found, DRAWN)
    out = network.groups(people, _links(found, people))
    if out and len(out[0]) > KNOT:
        people = _drawn(found, KNOT)
        out = network.groups(people, _links(found, people))
    return out


def layout(found: SeenWith, *, room: float) -> list[Cluster]:
    """Place people in pictures at most `room` px wide. The same for the same data; labels never overlap."""
    return [place(found, group, room=room) for group in groups(found)]


def place(found: SeenWith, group: Sequence[str], *, room: float) -> Cluster:
    """Place one group: around the person whom it is about, where that has room, else by who is seen with whom."""
    weight = {p.name: p.sightings for p in found.people}
    if found.person in group:
        others = [n for n in group if n != found.person]
        if drawn := network.ego(found.person, others, weight, room=min(room, EGO)):
            return drawn
    links = _links(found, group)
    return network.cluster(group, links, weight, room=room if len(group) > SMALL else network.CELL)


def _drawn(found: SeenWith, most: int) -> list[str]:
    """Choose at most so many people, pairs seen most often first; nobody is drawn without a line."""
    seen = {p.name for p in found.people}
    out: list[str] = []
    for p in found.pairs:
        new = [n for n in (p.a, p.b) if n in seen and n not in out]
        if len(out) + len(new) <= most:
            out += new
    return out


def _links(found: SeenWith, people: Sequence[str]) -> dict[str, dict[str, int]]:
    links: dict[str, dict[str, int]] = {n: {} for n in people}
    for p in found.pairs:
        if p.a in links and p.b in links:
            links[p.a][p.b] = links[p.b][p.a] = len(p.sightings)
    return links


def _picture(cluster: Cluster, found: SeenWith, s: Strings, *, kind: str = "") -> str:
    at = {n.name: n for n in cluster.nodes}
    lines = []
    for i, p in enumerate(found.pairs):
        if p.a not in at or p.b not in at:
            continue
        a, b = at[p.a], at[p.b]
        way = f'd="M{a.x:.1f} {a.y:.1f}L{b.x:.1f} {b.y:.1f}"'
        wide = 1.25 + 0.9 * min(4, len(p.sightings) - 1)
        words = s.x_edge.format(a=p.a, b=p.b, times=_n(len(p.sightings), s.x_time_one, s.x_time_many))
        lines.append(
            f'<g class="x-tie {pair_mark(i)}"><title>{text(words)}</title><path class="x-hit" {way}/>'
            f'<path class="x-edge" {way} stroke-width="{wide:.2f}"/></g>'
        )
    dots = []
    for n in cluster.nodes:
        mine = n.name == found.person
        mark = "x-me" if mine else f"x-node {person_mark(found, n.name)}"
        dots.append(
            f'<g class="{mark}"><title>{text(n.name)}</title><circle cx="{n.x:.1f}" cy="{n.y:.1f}" r="{n.r:.1f}"/>'
            f'<text x="{n.tx:.1f}" y="{n.ty:.1f}" text-anchor="{n.anchor}">{text(n.label)}</text></g>'
        )
    words = s.x_graph_person.format(person=found.person) if found.person else ", ".join(at)
    return (
        f'<svg class="chart x-net{kind}" width="{cluster.width:.0f}" height="{cluster.height:.0f}" role="img">'
        f"<title>{text(words)}</title>{''.join(lines)}{''.join(dots)}</svg>"
    )


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
