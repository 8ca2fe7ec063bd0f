"""Runs of `recap eval` as markup: pure functions, data in, one line of HTML out, under the rules of render.py.

`overview` is all runs, as a picture and as a table; `run` is one of them. Buttons: `run:NAME` opens a run, `ask:QUESTION`
asks a fact's question, `replay:NAME:FACT_ID` opens one that needs more than its question (what was said before it, or the
day it is asked as of), `screen:eval` goes back. What it does not know: files, Gradio, the library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from ui.render import act, day, decimal, text
from ui.render import engine as engine_name
from ui.runs import Flips, Result, Run, Runs, Share
from ui.strings import EN, Strings

SHOWN = 60  # facts in one list
CHART = 20  # runs in the picture
_LONG = 600  # characters of an answer
_MARK = re.compile(r"\s*\[\d{1,3}\]")
_W, _H, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 320, 78, 14, 16, 82  # user units of the picture; _BOTTOM holds 3 lines


# --- all runs --------------------------------------------------------------------------------------------------------


def overview(found: Runs, s: Strings = EN) -> str:
    """Render all runs: their figures over time, and a table of them, newest first."""
    head = f'<h2 class="e-title" tabindex="-1">{text(s.runs_title)}</h2><p class="e-lede">{text(s.runs_what)}</p>'
    left_out = "".join(
        f'<p class="meta">{text(_number(n, one, many))}</p>'
        for n, one, many in (
            (found.older, s.runs_older_one, s.runs_older_many),
            (found.skipped, s.runs_skipped_one, s.runs_skipped_many),
        )
        if n
    )
    if not found.runs:
        return f'<div class="e-page">{head}{_empty(found.folder, s)}{left_out}</div>'
    letters = _letters(found.runs)
    picture = f'<h3 class="label">{text(s.runs_chart)}</h3>{_chart(found.runs, letters, s)}'
    table = f'<h3 class="label">{text(s.runs_list)}</h3>{_table(found.runs, letters, s)}'
    note = f'<p class="meta">{text(s.runs_time_note)}</p>'
    return f'<div class="e-page">{head}{picture}{table}{note}{left_out}</div>'


def gone(s: Strings = EN) -> str:
    """Render the place of a run that is no longer there."""
    return f'<div class="e-page">{_back(s)}<p class="e-lede">{text(s.run_gone)}</p></div>'


def _empty(folder: str, s: Strings) -> str:
    return (
        f'<div class="e-vacant"><h3>{text(s.runs_empty)}</h3><p>{text(s.runs_empty_body)}</p>'
        f"<p><code>{text(s.runs_command)}</code></p><p>{text(s.runs_empty_after.format(folder=folder))}</p></div>"
    )


def _table(runs: Sequence[Run], letters: Mapping[str, str], s: Strings) -> str:
    heads = (
        s.runs_col_run,
        s.runs_col_right,
        s.runs_col_answered,
        s.runs_col_declined,
        s.runs_col_edition,
        s.runs_col_time,
        s.runs_col_engine,
        s.runs_col_facts,
    )
    rows = []
    for r in runs:
        stamp = f'<time datetime="{r.when.isoformat()}">{text(_when(r.when, s))}</time>'
        files = " ".join(p for p in (letters.get(r.name, ""), ", ".join(r.fact_files)) if p)
        edition = "" if r.other_edition is None else str(r.other_edition)
        cells = (
            _cell(_of(r.right, s), _with_interval(r.right, s)),
            _cell(_percent(r.answered_right, s) or s.runs_none, _interval(r.answered_right, s)),
            text(_percent(r.declined_right, s) or s.runs_none),
            text(edition or s.runs_none),
            _cell(_times(r, s.runs_half, s) or s.runs_none, _times(r, s.runs_most, s)),
            text(engine_name(r.engine, s)),
            _cell(str(r.n), _cut(files, 60)),
        )
        name = f'<th scope="row">{_open(r, s)}<span class="meta">{stamp}</span></th>'
        rows.append(f"<tr>{name}{''.join(f'<td>{c}</td>' for c in cells)}</tr>")
    top = "".join(f'<th scope="col">{text(h)}</th>' for h in heads)
    return (
        f'<div class="e-wide" tabindex="0" role="region" title="{text(s.runs_list)}"><table class="e-runs">'
        f"<thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _open(r: Run, s: Strings) -> str:
    title = s.runs_open.format(name=r.name, when=_when(r.when, s))
    return str(act("run", r.name, label=r.name, name=title, kind="e-run"))


def _letters(runs: Sequence[Run]) -> dict[str, str]:
    """A letter for each set of comparable runs (run name -> letter), the oldest first; none where there is one set."""
    order: list[object] = []
    for r in reversed(runs):
        if (key := r.series or r.name) not in order:
            order.append(key)
    if len(order) < 2:
        return {}
    return {r.name: _letter(order.index(r.series or r.name)) for r in runs}


def _letter(n: int) -> str:
    """0 -> "A", 25 -> "Z", 26 -> "AA"."""
    return (_letter(n // 26 - 1) if n >= 26 else "") + chr(ord("A") + n % 26)


# --- the picture -----------------------------------------------------------------------------------------------------


def _chart(runs: Sequence[Run], letters: Mapping[str, str], s: Strings) -> str:
    shown = list(reversed(runs[:CHART]))  # the oldest at the left
    if len(shown) < 2:
        return f'<p class="e-later">{text(s.runs_chart_later)}</p>'
    step = (_W - _LEFT - _RIGHT) / len(shown)
    xs = [_LEFT + (i + 0.5) * step for i in range(len(shown))]
    seen = [a.mean if a.low is None else a.low for r in shown if (a := r.answered_right)]
    seen += [d.mean for r in shown if (d := r.declined_right)]
    floor = min(0.8, int(10 * min(seen, default=0.0) + 1e-9) / 10)
    bottom = _H - _BOTTOM

    def y(v: float) -> float:
        return bottom - (v - floor) / (1 - floor) * (bottom - _TOP)

    parts = []
    grain = 0.05 if floor >= 0.8 else 0.1 if floor >= 0.5 else 0.2 if floor >= 0.2 else 0.25
    v = 1.0
    while v >= floor - 1e-9:
        parts.append(
            f'<line class="e-grid" x1="{_LEFT}" x2="{_W - _RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>'
            f'<text class="e-tick" x="{_LEFT - 8}" y="{y(v) + 4:.1f}" text-anchor="end">'
            f"{text(s.runs_percent.format(x=f'{100 * v:.0f}'))}</text>"
        )
        v -= grain
    groups: dict[object, list[int]] = {}
    for i, r in enumerate(shown):
        groups.setdefault(r.series or r.name, []).append(i)
    for members in groups.values():
        band = [(xs[i], a) for i in members if (a := shown[i].answered_right) and a.low is not None]
        if len(band) > 1:
            top = [f"{x:.1f} {y(a.high or 0):.1f}" for x, a in band]
            low = [f"{x:.1f} {y(a.low or 0):.1f}" for x, a in reversed(band)]
            parts.append(f'<path class="e-band" d="M{"L".join(top + low)}Z"/>')
    for kind, of in (("declined", _declined), ("right", _answered)):
        for members in groups.values():
            line = [f"{xs[i]:.1f} {y(share.mean):.1f}" for i in members if (share := of(shown[i]))]
            if len(line) > 1:
                parts.append(f'<path class="e-line e-{kind}" d="M{"L".join(line)}"/>')
    for i, r in enumerate(shown):
        parts.append(_points(r, xs[i], y, s))
    parts.append(_feet(shown, xs, bottom, letters, s))
    key = "".join(
        f'<li><svg class="e-swatch" width="30" height="12"><path class="e-line e-{kind}" d="M0 6L30 6"/>{mark}</svg>'
        f"{text(words)}</li>"
        if kind != "edition"
        else f'<li><svg class="e-swatch" width="30" height="12">{mark}</svg>{text(words)}</li>'
        for kind, mark, words in (
            ("right", _dot(15, 6), s.runs_key_right),
            ("declined", _square(15, 6), s.runs_key_declined),
            ("edition", _diamond(15, 6), s.runs_key_edition),
        )
    )
    sets = f'<p class="meta">{text(s.runs_key_sets)}</p>' if letters else ""
    title = s.runs_chart_of.format(n=len(shown))
    return (
        f'<ul class="e-key">{key}</ul><svg class="chart e-chart" width="{_W}" height="{_H if letters else _H - 23}" role="img">'
        f"<title>{text(title)}</title>{''.join(parts)}</svg>{sets}"
    )


def _answered(r: Run) -> Share | None:
    return r.answered_right


def _declined(r: Run) -> Share | None:
    return r.declined_right


def _points(r: Run, x: float, y: Callable[[float], float], s: Strings) -> str:
    out = []
    for share, words, mark in (
        (r.declined_right, s.runs_col_declined, _square),
        (r.answered_right, s.runs_col_answered, _dot),
    ):
        if share:
            said = s.runs_point.format(
                name=r.name, when=_when(r.when, s), figure=words, percent=_with_interval(share, s)
            )
            out.append(f"<g><title>{text(said)}</title>{mark(x, y(share.mean))}</g>")
    return "".join(out)


def _feet(shown: Sequence[Run], xs: Sequence[float], bottom: float, letters: Mapping[str, str], s: Strings) -> str:
    """Under the picture: answers about another edition, when each run began, and its letter."""
    out = []
    times = [r.when.astimezone() for r in shown]
    one_day = len({t.date() for t in times}) == 1
    free = 0.0  # where the next label may begin
    for r, x, t in zip(shown, xs, times, strict=True):
        marked = bool(r.other_edition) and len(shown) <= 12  # there is room for the number alone otherwise
        if marked:
            out.append(_diamond(x, bottom + 16))
        if r.other_edition is not None:
            shift = 12 if marked else 0
            out.append(
                f'<text class="{"e-count" if r.other_edition else "e-tick"}" x="{x + shift:.1f}" y="{bottom + 21}" '
                f'text-anchor="{"start" if shift else "middle"}">{r.other_edition}</text>'
            )
        label = s.runs_clock.format(hour=t.hour, minute=t.minute) if one_day else _short(t, s)
        if x - 40 >= free:
            out.append(f'<text class="e-tick" x="{x:.1f}" y="{bottom + 46}" text-anchor="middle">{text(label)}</text>')
            free = x + 45
        if letter := letters.get(r.name):
            out.append(f'<text class="e-tick" x="{x:.1f}" y="{bottom + 69}" text-anchor="middle">{letter}</text>')
    return "".join(out)


def _dot(x: float, y: float) -> str:
    return f'<circle class="e-dot" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'


def _square(x: float, y: float) -> str:
    return f'<rect class="e-square" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'


def _diamond(x: float, y: float) -> str:
    return f'<path class="e-diamond" d="M{x:.1f} {y - 5:.1f}L{x + 5:.1f} {y:.1f}L{x:.1f} {y + 5:.1f}L{x - 5:.1f} {y:.1f}Z"/>'


# --- one run ---------------------------------------------------------------------------------------------------------


def run(
    it: Run, results: Sequence[Result], flipped: Flips | None = None, since: Run | None = None, s: Strings = EN
) -> str:
    """Render one run: its figures, pinned facts that are wrong, what flipped since the run `since`, and what is wrong.

    `flipped` and `since` are None when no earlier run is comparable. The arguments are those of `runs.open_run`.
    """
    about = [s.run_name.format(name=it.name), engine_name(it.engine, s), ", ".join(it.fact_files)]
    if it.articles is not None:
        about.append(_number(it.articles, s.article_one, s.article_many))
    if it.git:
        about.append(s.run_code.format(git=it.git[:10]))
    head = (
        f'{_back(s)}<h2 class="e-title" tabindex="-1">{text(s.run_title.format(when=_when(it.when, s)))}</h2>'
        f'<p class="meta">{" · ".join(text(_cut(a, 120)) for a in about if a)}</p>'
    )
    facts = {r.id: r for r in results}
    wrong = [r for r in facts.values() if not r.right]
    pinned = [r for r in wrong if r.pinned]
    lost = {b.id: a for a, b in flipped.lost} if flipped else {}
    rest = [r for r in wrong if not r.pinned and r.id not in lost]
    parts = [head, _figures(it, s), _types(it, s)]
    if pinned:
        parts.append(_facts(s.run_pinned_wrong, "", [_fact(it, r, s, before=lost.get(r.id)) for r in pinned], s))
    if flipped is None or since is None or not flipped.n:
        parts.append(f'<p class="e-later">{text(s.run_first)}</p>')
    else:
        when = _when(since.when, s)
        under = s.run_since.format(when=when)
        if since.corpus and it.corpus and since.corpus != it.corpus:
            under = f"{under}. {s.run_changed}"
        if not flipped.lost and not flipped.won:
            parts.append(f'<p class="e-later">{text(s.run_still.format(when=when))}</p>')
        for heading, pairs in ((s.run_lost, flipped.lost), (s.run_won, flipped.won)):
            if not pairs:
                continue
            below = [(a, b) for a, b in pairs if b.right or not b.pinned]
            note = under
            if above := len(pairs) - len(below):  # pinned and wrong: shown already
                note = f"{under.rstrip('.')}. {_number(above, s.run_above_one, s.run_above_many)}"
            items = [_fact(it, b, s, before=a) for a, b in below]
            parts.append(_facts(heading, note, items, s, count=len(pairs)))
    if rest:
        heading = s.run_wrong if len(rest) == len(wrong) else s.run_wrong_too
        parts.append(_facts(heading, "", [_fact(it, r, s) for r in rest], s))
    if results and not wrong:
        parts.append(f'<p class="e-later">{text(s.run_all_right)}</p>')
    if (lacking := it.n - len(facts)) > 0:
        parts.append(f'<p class="e-later">{text(_number(lacking, s.run_lacking_one, s.run_lacking_many))}</p>')
    return f'<div class="e-page">{"".join(parts)}</div>'


def _back(s: Strings) -> str:
    return f"<p>{act('screen', 'eval', label=s.run_back, kind='e-back')}</p>"


def _figures(it: Run, s: Strings) -> str:
    pinned = None
    if it.pinned:
        pinned = s.runs_of.format(k=max(0, it.pinned - len(it.pinned_wrong)), n=it.pinned)
    rows = (
        (s.runs_col_right, _figure(it.right, s)),
        (s.runs_col_answered, _figure(it.answered_right, s)),
        (s.runs_col_declined, _figure(it.declined_right, s)),
        (s.run_declined_wrong, _figure(it.declined_wrong, s)),
        (s.runs_key_edition, None if it.other_edition is None else str(it.other_edition)),
        (s.run_pinned, pinned),
        (s.run_errors, str(it.errors) if it.errors else None),
        (s.runs_col_time, _times(it, s.run_half, s) if it.p50 is not None and it.p95 is not None else None),
    )
    items = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in rows if value)
    return f'<h3 class="label">{text(s.run_figures)}</h3><dl class="e-figures">{items}</dl>'


def _types(it: Run, s: Strings) -> str:
    """Shares by type: a bar beside its figures, in one table. The bars need no viewBox: their lengths are percentages."""
    rows = []
    for kind, share in it.by_type:
        name = _type(kind, s)
        title = s.run_bar.format(type=name, percent=_with_interval(share, s))
        whisker = ""
        if share.low is not None and share.high is not None:
            whisker = (
                f'<line class="e-whisker" x1="{100 * share.low:.1f}%" x2="{100 * share.high:.1f}%" y1="10" y2="10"/>'
            )
        bar = (
            f'<svg class="e-bar" width="100%" height="12" role="img"><title>{text(title)}</title>'
            f'<rect class="e-track" x="0" y="3" width="100%" height="4"/>'
            f'<rect class="e-fill" x="0" y="3" width="{100 * share.mean:.1f}%" height="4"/>{whisker}</svg>'
        )
        rows.append(
            f'<tr><th scope="row">{text(name)}</th><td class="e-picture">{bar}</td><td>{_of(share, s)}</td>'
            f"<td>{text(_percent(share, s))}</td></tr>"
        )
    if not rows:
        return ""
    heads = "".join(
        f'<th scope="col">{text(h)}</th>' for h in (s.run_col_type, s.run_col_bar, s.runs_col_facts, s.runs_col_right)
    )
    return (
        f'<h3 class="label">{text(s.run_types)}</h3><table class="e-types"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _facts(heading: str, under: str, items: Sequence[str], s: Strings, *, count: int | None = None) -> str:
    more = len(items) - SHOWN
    tail = f'<p class="meta">{text(_number(more, s.run_more_one, s.run_more_many))}</p>' if more > 0 else ""
    line = f'<p class="meta">{text(under)}</p>' if under else ""
    listing = f'<ul class="e-facts">{"".join(items[:SHOWN])}</ul>' if items else ""
    return (
        f'<section class="e-group"><h3>{text(heading)} <span class="e-n">{count or len(items)}</span></h3>{line}'
        f"{listing}{tail}</section>"
    )


def _fact(it: Run, r: Result, s: Strings, *, before: Result | None = None) -> str:
    """Render one fact: what was asked, what was expected, what was said (and `before`), and why that is wrong."""
    meta = [_type(r.type, s), s.run_as_of.format(date=day(r.as_of, s)) if r.as_of else "", r.id]
    if r.pinned:
        meta.insert(0, s.run_is_pinned)
    asked = [t.content for t in r.history if t.role == "user"]
    after = ""
    if asked:
        said = " ".join(f'<q dir="auto">{text(_cut(a))}</q>' for a in asked[-3:])
        after = f'<div class="e-after">{text(s.run_after)} {said}</div>'
    told = [(s.run_expected, expected(r, s), "")]
    if before:
        told.append((s.run_before, _said(before, s), why(before, s)))
    told.append((s.run_now if before else s.run_said, _said(r, s), why(r, s)))
    rows = "".join(
        f'<dt>{text(name)}</dt><dd dir="auto">{text(words)}{f"<span class={chr(34)}e-why{chr(34)}>{text(bad)}</span>" if bad else ""}</dd>'
        for name, words, bad in told
    )
    target = ("replay", it.name, r.id) if r.history or r.as_of else ("ask", r.question)
    title = s.run_chat_of.format(question=_cut(r.question, 160))
    return (
        f'<li class="e-fact">{after}<div class="e-question" dir="auto">{text(_cut(r.question))}</div>'
        f'<div class="meta">{" · ".join(text(_cut(m, 80)) for m in meta if m)}</div><dl class="e-told">{rows}</dl>'
        f"{act(*target, label=s.run_chat, name=title, kind='e-chat')}</li>"
    )


def expected(r: Result, s: Strings = EN) -> str:
    """Say in words what would have been right: one name of each answer, or declining."""
    if r.gold:
        words = "; ".join(group[0] for group in r.gold)
    elif r.correction:
        words = s.run_decline_or.format(answers=s.run_or.join(r.correction))
    else:
        words = s.run_decline
    return _cut(s.run_never.format(answers=words, never=s.run_or.join(r.must_not)) if r.must_not else words)


def why(r: Result, s: Strings = EN) -> str:
    """Say why a result is wrong, in the page's words where eval's are known; "" when it is right."""
    if r.right:
        return ""
    known: dict[str, str] = {
        "declined": s.why_declined,
        "no citation": s.why_no_citation,
        "answered what the coverage does not say": s.why_answered,
        "neither declined nor corrected": s.why_neither,
    }
    if r.reason in known:
        return known[r.reason]
    for start, words in (("does not say ", s.why_lacks), ("says ", s.why_says), ("error: ", s.why_error)):
        if r.reason.startswith(start):
            return str(words.format(words=_cut(r.reason.removeprefix(start), 300)))
    return _cut(r.reason, 300)


def _said(r: Result, s: Strings) -> str:
    return _cut(_MARK.sub("", r.answer)) or s.run_nothing


def _type(kind: str, s: Strings) -> str:
    names: dict[str, str] = {
        "fact": s.type_fact,
        "multi": s.type_multi,
        "temporal": s.type_temporal,
        "followup": s.type_followup,
        "unanswerable": s.type_unanswerable,
        "false_premise": s.type_false_premise,
        "wrong_edition": s.type_wrong_edition,
    }
    return names.get(kind, kind)


# --- figures as words ------------------------------------------------------------------------------------------------


def _percent(share: Share | None, s: Strings) -> str:
    return s.runs_percent.format(x=decimal(100 * share.mean, 1, s)) if share else ""


def _with_interval(share: Share, s: Strings) -> str:
    """ "95.6% (92.7% to 98.2%)", or without what is in brackets where it is not known."""
    inside = _interval(share, s)
    return f"{_percent(share, s)} ({inside})" if inside else _percent(share, s)


def _interval(share: Share | None, s: Strings) -> str:
    if share is None or share.low is None or share.high is None:
        return ""
    low, high = (s.runs_percent.format(x=decimal(100 * v, 1, s)) for v in (share.low, share.high))
    return str(s.runs_interval.format(low=low, high=high))


def _of(share: Share, s: Strings) -> str:
    """ "217 of 227"; "" where the number of facts is not known."""
    return s.runs_of.format(k=round(share.mean * share.n), n=share.n) if share.n else ""


def _figure(share: Share | None, s: Strings) -> str | None:
    if share is None:
        return None
    return ", ".join(p for p in (_of(share, s), _with_interval(share, s)) if p)


def _times(r: Run, words: str, s: Strings) -> str:
    if r.p50 is None or r.p95 is None:
        return ""
    return words.format(p50=decimal(r.p50 / 1000, 2, s), p95=decimal(r.p95 / 1000, 2, s))


def _when(when: datetime, s: Strings) -> str:
    """A moment in the server's own time: "11 September 2024, 10:15"."""
    local = when.astimezone()
    time = s.runs_clock.format(hour=local.hour, minute=local.minute)
    return str(s.runs_when.format(date=day(local.date(), s), time=time))


def _short(when: datetime, s: Strings) -> str:
    return str(s.runs_day.format(day=when.day, month=s.months_short[when.month - 1]))


def _cell(figure: str, under: str) -> str:
    return f'{text(figure)}<span class="meta">{text(under)}</span>' if under else text(figure)


def _cut(words: str, limit: int = _LONG) -> str:
    """The words, cut at a space where they are long."""
    words = " ".join(words.split())
    return words if len(words) <= limit else words[:limit].rsplit(" ", 1)[0] + " …"


def _number(n: int, one: str, many: str) -> str:
    return one if n == 1 else many.format(n=n)
