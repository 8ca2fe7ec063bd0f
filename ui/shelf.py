"""The library as a table: articles in, one line of HTML out. Pure.

    articles --gather--> Holdings --shelve(view)--> Shelf --table--> markup

A row is a piece of coverage. Its lead is the longest copy, as everywhere else in Recap: it holds all that the others
hold, and "copy of" names it. The other copies are folded in under it. Holdings keep what a row shows and what it is
found by, not the text, so that a year of news can stay in memory between two clicks.

What it does not know: Gradio, the library's file, who may change it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from rag.types import Article, Event
from ui.render import act, day, safe_url, text, whole
from ui.strings import EN, Strings

COLUMNS = ("headline", "outlet", "published", "event")
DEFAULT = "published"
PAGE = 50  # rows
_SOUGHT = 200  # characters of a search that are read
_TITLE = 300  # characters of a headline that are shown
# Letters that have no accent to take off, and marks that are typed in more than one way.
_LIKE = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i",
                       "’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‐": "-", "‑": "-"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says of one article. `words` is its length; `sought` what a search looks in, folded."""

    id: str
    title: str
    outlet: str | None
    published: date | None
    published_lent: bool
    event: Event | None
    url: str | None
    words: int
    size: int
    sought: str


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of coverage: the longest article that carries it, and its other copies, longest first."""

    lead: Row
    copies: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that a library holds, and how many different editions of events it covers."""

    pieces: tuple[Piece, ...] = ()
    articles: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """What a visitor has asked to see. `page` counts from 1."""

    words: str = ""
    sort: str = DEFAULT
    descending: bool = True
    page: int = 1

    def by(self, column: str) -> View:
        """Sort by a column from its natural side, or turn it round if it is sorted by that already."""
        if column not in COLUMNS:
            return self
        down = not self.descending if column == self.sort else column == "published"
        return replace(self, sort=column, descending=down, page=1)

    def turned(self, page: object) -> View:
        """Go to a page; one that is no number stays where it is."""
        digits = str(page)
        return replace(self, page=int(digits)) if digits.isascii() and digits.isdigit() and len(digits) < 9 else self

    def seeking(self, words: str) -> View:
        """Look for other words, from the first page."""
        return replace(self, words=" ".join(str(words).split())[:_SOUGHT], page=1)


@dataclass(frozen=True, slots=True)
class Shelf:
    """One page of the table. `found` counts the pieces that match; `first` is the number of the first row here, from 1.

    `by_copy` are the leads that were found by a copy only: their copies are shown open.
    """

    rows: tuple[Piece, ...]
    view: View
    found: int
    first: int
    pages: int
    holdings: Holdings
    by_copy: frozenset[str] = frozenset()


# --- what is in it ----------------------------------------------------------------------------------------------------


def gather(articles: Iterable[Article]) -> Holdings:
    """Group articles into pieces. An article without a cluster is a piece of its own."""
    groups: dict[str, list[Row]] = {}
    editions: set[tuple[str, str | None]] = set()
    for a in articles:
        groups.setdefault(a.cluster or a.id, []).append(_row(a))
        if a.event is not None:
            editions.add((a.event.key, a.event.edition))
    pieces = []
    for rows in groups.values():
        rows.sort(key=lambda r: (-r.size, r.id))  # as Library.cluster has them
        pieces.append(Piece(rows[0], tuple(rows[1:])))
    return Holdings(tuple(pieces), sum(len(p.copies) + 1 for p in pieces), len(editions))


def shelve(articles: Holdings | Iterable[Article], view: View) -> Shelf:
    """Search, sort and cut a page. A page or a column that does not exist is the nearest one that does.

    What a column does not know (no date, no outlet, no event) stands last in either direction.
    """
    held = articles if isinstance(articles, Holdings) else gather(articles)
    sort = view.sort if view.sort in COLUMNS else DEFAULT
    terms = _terms(view.words)
    found, by_copy = [], set()
    for p in held.pieces:
        if _holds(p.lead, terms):
            found.append(p)
        elif any(_holds(c, terms) for c in p.copies):
            found.append(p)
            by_copy.add(p.lead.id)
    found = _ordered(found, sort, descending=view.descending)
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(view.page, 1), pages)
    at = (page - 1) * PAGE
    shown = tuple(found[at : at + PAGE])
    return Shelf(
        rows=shown,
        view=replace(view, sort=sort, page=page),
        found=len(found),
        first=at + 1 if shown else 0,
        pages=pages,
        holdings=held,
        by_copy=frozenset(by_copy & {p.lead.id for p in shown}),
    )


def fold(value: str) -> str:
    """Write text as it is searched and sorted: lower case, no accents, one kind of quote and dash, single spaces."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", value.casefold()) if not unicodedata.combining(c))
    return " ".join(bare.casefold().translate(_LIKE).split())


def _row(a: Article) -> Row:
    e = a.event
    file = unquote(urlsplit(a.source).path.rpartition("/")[2]) if a.source.startswith("file:") else ""
    address = f"{a.url} {unquote(a.url)}" if a.url else ""
    parts = [
        a.title,
        a.outlet or "",
        ", ".join(a.authors),
        e.label if e else "",
        e.short_label if e else "",
        address,
        file,
    ]
    return Row(
        id=a.id,
        title=a.title,
        outlet=a.outlet,
        published=a.published,
        published_lent=a.published_lent,
        event=e,
        url=a.url,
        words=len(a.text.split()),
        size=len(a.text),
        sought="\n".join(fold(p) for p in parts if p),
    )


def _terms(words: str) -> list[str]:
    return [t for t in (w.strip("\"'") for w in fold(words[:_SOUGHT]).split()) if t]


def _holds(row: Row, terms: Sequence[str]) -> bool:
    return all(t in row.sought for t in terms)


def _ordered(pieces: Iterable[Piece], sort: str, *, descending: bool) -> list[Piece]:
    keys: dict[str, Callable[[Row], Any]] = {
        "headline": lambda r: _natural(r.title),
        "outlet": lambda r: _natural(r.outlet or ""),
        "published": lambda r: r.published,
        "event": lambda r: (_natural(r.event.name), _natural(r.event.edition or "")) if r.event else None,
    }
    key = keys[sort]
    by_name = sorted(pieces, key=lambda p: (_natural(p.lead.title), p.lead.id))
    known = [(k, p) for p in by_name if (k := key(p.lead))]
    unknown = [p for p in by_name if not key(p.lead)]
    known.sort(key=lambda kp: kp[0], reverse=descending)  # stable: what is equal stays in the order of the headlines
    return [p for _, p in known] + unknown


@lru_cache(maxsize=1 << 16)
def _natural(value: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key by which "9 things" stands before "10 things"; () where there is nothing to go by."""
    bare = re.sub(r"^\W+", "", fold(value))
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.findall(r"\d{1,18}|\D+", bare))


# --- as it is drawn ---------------------------------------------------------------------------------------------------


def table(shelf: Shelf, s: Strings = EN, read_only: bool = False, *, asking: str = "") -> str:
    """Render a page of the library. `asking` is the article whose removal is being asked about, in its place.

    Sends `sort:COLUMN`, `page:N`, `passage:ID:0:0`, `event:KEY:EDITION`, `find:` (search for nothing: show all), and
    unless read-only `remove:ID`, `remove!:ID` and `keep:`.
    """
    if not shelf.holdings.articles:
        body = s.l_empty_read_only if read_only else s.l_empty_body
        return f'<div class="l-vacant"><h2>{text(s.l_empty)}</h2><p>{text(body)}</p></div>'
    counts = text(totals(shelf.holdings, s))
    if not shelf.found:
        return (
            f'<div class="l-shelf"><p class="l-counts">{counts}</p><div class="l-vacant">'
            f'<h2 dir="auto">{text(s.l_none.format(words=shelf.view.words))}</h2><p>{text(s.l_none_body)}</p>'
            f"<p>{act('find', '', label=s.l_all, kind='l-plain')}</p></div></div>"
        )
    said = []
    if _terms(shelf.view.words):
        said.append(_count(shelf.found, s.l_match_one, s.l_match_many, s, words=shelf.view.words))
    if shelf.pages > 1:
        last = shelf.first + len(shelf.rows) - 1
        said.append(s.l_range.format(first=whole(shelf.first, s), last=whole(last, s), n=whole(shelf.found, s)))
    aside = "".join(f'<span class="l-said" dir="auto">{text(each)}</span>' for each in said)
    heads = "".join(_head(c, shelf.view, s) for c in COLUMNS)
    heads += f'<th scope="col" class="l-words">{text(s.l_words)}</th>'
    if not read_only:
        heads += f'<th scope="col" class="l-act"><span class="l-sr">{text(s.l_act)}</span></th>'
    rows = "".join(_piece(p, shelf, s, read_only=read_only, asking=asking) for p in shelf.rows)
    return (
        f'<div class="l-shelf"><table class="l-table"><caption><span class="l-sr">{text(s.l_caption)}: </span>'
        f'<span class="l-counts">{counts}</span>{aside}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>'
        f"</table>{_pager(shelf, s)}</div>"
    )


def totals(held: Holdings, s: Strings = EN) -> str:
    """Say how much there is: "12 articles, 9 independent, 4 events"."""
    parts = [_count(held.articles, s.article_one, s.article_many, s)]
    if len(held.pieces) != held.articles:
        parts.append(s.independent.format(n=whole(len(held.pieces), s)))
    if held.events:
        parts.append(_count(held.events, s.event_one, s.event_many, s))
    return ", ".join(parts)


def confirm(article: Article | Row, copies: int = 0, s: Strings = EN) -> str:
    """Ask whether an article is to be removed. `copies` counts its other copies, which stay."""
    title = _title(article, s)
    about = ", ".join(p for p in (article.outlet, day(article.published, s)) if p)
    asked = s.l_ask_about.format(title=title, about=about) if about else s.l_ask.format(title=title)
    stay = f" {_count(copies, s.l_stay_one, s.l_stay_many, s)}" if copies else ""
    return (
        f'<div class="l-confirm" role="group"><p dir="auto">{text(asked + stay)}</p><p class="l-choice">'
        f"{act('remove!', article.id, label=s.l_act, name=s.l_remove_name.format(title=title), kind='l-danger')}"
        f"{act('keep', '', label=s.l_keep, name=s.l_keep_name.format(title=title), kind='l-plain')}</p></div>"
    )


def _head(column: str, view: View, s: Strings) -> str:
    name = s.l_columns[column]
    orders = (s.l_oldest, s.l_newest) if column == "published" else (s.l_a_z, s.l_z_a)
    now, other = orders[view.descending], orders[not view.descending]
    if column == view.sort:
        label = act("sort", column, label=name, name=s.l_sorted.format(column=name, order=now, other=other))
        return f'<th scope="col" class="l-{column} l-by">{label} <span class="l-mark">{text(now)}</span></th>'
    first = orders[column == "published"]  # as View.by has it
    return f'<th scope="col" class="l-{column}">{act("sort", column, label=name, name=s.l_sort.format(column=name, order=first))}</th>'


def _piece(p: Piece, shelf: Shelf, s: Strings, *, read_only: bool, asking: str) -> str:
    r = p.lead
    title = _title(r, s)
    opened = act("passage", r.id, 0, 0, label=title, name=s.l_open.format(title=title), kind="l-open")
    head = f'<th scope="row" class="l-headline">{opened}{_copies(p, shelf, s, read_only=read_only, asking=asking)}</th>'
    outlet = "".join(
        f'<span class="{kind}" dir="auto">{part}</span>'
        for kind, part in (("l-name", text(r.outlet or "")), ("l-live", _live(r)))
        if part
    )
    about = ""
    if r.event is not None:
        name = s.l_to_event.format(event=r.event.label)
        about = act("event", r.event.key, r.event.edition or "", label=r.event.label, name=name, kind="l-event-link")
    cells = [
        ("l-outlet", s.l_columns["outlet"], outlet),
        ("l-published", s.l_columns["published"], _date(r, s)),
        ("l-event", s.l_columns["event"], about),
        ("l-words", s.l_words, text(whole(r.words, s))),
    ]
    # on a phone the row is a stack and its column's name stands before each part; a part that is empty is left out
    row = head + "".join(
        f'<td class="{kind}"><span class="l-key">{text(name)}</span>{cell}</td>'
        if cell
        else f'<td class="{kind} l-nil"></td>'
        for kind, name, cell in cells
    )
    if read_only:
        return f"<tr>{row}</tr>"
    row += f'<td class="l-act">{_remove(r, s)}</td>'
    if asking != r.id:
        return f"<tr>{row}</tr>"
    question = confirm(r, len(p.copies), s)
    return f'<tr class="l-doomed">{row}</tr><tr class="l-asking"><td colspan="6">{question}</td></tr>'


def _copies(p: Piece, shelf: Shelf, s: Strings, *, read_only: bool, asking: str) -> str:
    if not p.copies:
        return ""
    items = []
    for c in p.copies:
        title = _title(c, s)
        facts = [
            text(c.outlet or ""),
            _date(c, s),
            _live(c),
            text(_count(c.words, s.l_count_one, s.l_count_many, s)),
        ]
        item = act("passage", c.id, 0, 0, label=title, name=s.l_open.format(title=title), kind="l-open")
        item += f'<span class="l-facts">{" · ".join(f for f in facts if f)}</span>'
        if not read_only:
            item += confirm(c, len(p.copies), s) if asking == c.id else _remove(c, s)
        items.append(f"<li>{item}</li>")
    opened = " open" if p.lead.id in shelf.by_copy or asking in {c.id for c in p.copies} else ""
    name = _count(len(p.copies), s.l_copies_one, s.l_copies_many, s)
    return f'<details class="l-copies"{opened}><summary>{text(name)}</summary><ul>{"".join(items)}</ul></details>'


def _remove(r: Row, s: Strings) -> str:
    button: str = act("remove", r.id, label=s.l_act, name=s.l_remove_name.format(title=_title(r, s)), kind="l-remove")
    return button


def _live(r: Row) -> str:
    if (url := safe_url(r.url)) is None:
        return ""
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    return f'<a href="{html.escape(url)}" target="_blank" rel="noopener noreferrer nofollow">{text(host)}</a>'


def _date(r: Row, s: Strings) -> str:
    if r.published is None:
        return f'<span class="l-undated">{text(s.undated)}</span>'
    lent = f' title="{text(s.l_lent)}"' if r.published_lent else ""
    return f'<time datetime="{r.published.isoformat()}"{lent}>{text(day(r.published, s))}</time>'


def _pager(shelf: Shelf, s: Strings) -> str:
    if shelf.pages == 1:
        return ""
    here, last = shelf.view.page, shelf.pages
    near = sorted({1, last, *range(max(1, here - 1), min(last, here + 1) + 1)})
    parts, before = [], 0
    for n in near:
        if n > before + 1:
            parts.append('<span class="l-gap">…</span>')
        name = s.l_page_of.format(n=whole(n, s), last=whole(last, s))
        if n == here:
            parts.append(f'<span class="l-here" title="{text(name)}">{text(whole(n, s))}</span>')
        else:
            parts.append(act("page", n, label=whole(n, s), name=s.l_page.format(n=whole(n, s)), kind="l-turn"))
        before = n
    if here > 1:
        parts.insert(
            0, act("page", here - 1, label=s.l_before, name=s.l_page.format(n=whole(here - 1, s)), kind="l-turn")
        )
    if here < last:
        parts.append(act("page", here + 1, label=s.l_after, name=s.l_page.format(n=whole(here + 1, s)), kind="l-turn"))
    return f'<nav class="l-pager" title="{text(s.l_pages)}">{"".join(parts)}</nav>'


def _title(r: Article | Row, s: Strings) -> str:
    title = r.title.strip() or s.no_title
    return title if len(title) <= _TITLE else f"{title[: _TITLE - 1].rstrip()}…"


def _count(n: int, one: str, many: str, s: Strings, **words: str) -> str:
    return (one if n == 1 else many).format(n=whole(n, s), **words)
