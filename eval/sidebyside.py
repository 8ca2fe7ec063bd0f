"""Show what `eval.realtimeqa` measured: Markdown tables, and one SVG that needs nothing else. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eval.questions import METRICS, WITHIN
from eval.systems import NAMES

Summary = Mapping[str, Any]


def markdown(summary: Summary) -> str:
    """Lay a summary out as tables, with what must be known to read them."""
    data, systems = summary["data"], summary["systems"]
    part = (
        ""
        if data["articles"] == data["of_articles"]
        else f" (a sample of {data['of_articles']:,}, seed {data['seed']})"
    )
    lines = [
        "# Finding the passage",
        "",
        f"{data['articles']:,} articles{part}, {data['questions']:,} questions of {data['quizzes']:,} quizzes that one of "
        "their own articles answers. A hit is a passage of such an article that says the answer. "
        "95% bootstrap intervals, quizzes drawn whole.",
        "",
        *_table(["", *(NAMES[s] for s in systems)], _side_by_side(systems)),
    ]
    if summary["differences"]:
        rows = [
            [m, *(_points(d.get(m), signed=True) for d in summary["differences"].values())]
            for m in METRICS
        ]  # fmt: skip
        lines += ["", "Recap less each other, question by question:", ""]
        lines += _table(["", *(f"less {NAMES[s]}" for s in summary["differences"])], rows)
    lines += ["", *(f"- {n}" for n in notes(summary))]
    if found := summary.get("answers"):
        from eval.answers import markdown as answers

        lines += answers(found)
    if growth := summary.get("growth"):
        lines += ["", "How Recap grows:", "", *_table(_GROWTH_HEAD, [_growth_row(g) for g in growth])]
    if made := summary.get("synthetic"):
        row = {"articles_per_s": None, **made}
        rate = f", ingested at {made['chunks_per_s']:,.0f} chunks/s" if made["chunks_per_s"] else ""
        lines += [
            "",
            f"With {made['made_up']:,} chunks of made-up text in it, not embedded{rate}:",
            "",
            *_table(_GROWTH_HEAD, [_growth_row(row)]),
        ]
    return "\n".join(lines) + "\n"


def notes(summary: Summary) -> list[str]:
    """What must be known to read the figures, a sentence or two each."""
    out = list(summary["skipped"].values())
    systems = summary["systems"]
    if s := systems.get("starter"):
        b = s["build"]
        out.append(
            f"The starter's embedding model reads the first {b['reads_tokens']} tokens of each passage, which has up to "
            f"1,024 by its own count: {b['tokens_lost']:,} of {b['tokens']:,} tokens ({b['tokens_lost'] / b['tokens']:.0%}) "
            "were never embedded."
        )
    sizes = {round(s["words"], -1) for s in systems.values()}
    if len(sizes) > 1:
        out.append(
            "A longer passage holds an answer more easily: hit@k, MRR and nDCG favour it. Compare systems whose passages differ in "
            f"size by {WITHIN} (the ranked passages cut off after as many words) and by article MRR@10 (the rank of the first "
            "article that answers, among those of the ten passages)."
        )
    for name, s in systems.items():
        if s["cut"]:
            out.append(
                f"{NAMES[name]}: for {s['cut']} questions no passage in the index says the answer (cut in two, or cleaned away)."
            )
    if (r := systems.get("recap")) and r["build"].get("resumed"):
        out.append("Recap's articles/s are of the articles that were left when a stopped run was taken up again.")
    if o := summary.get("overlap"):
        out.append(
            f"Embedding as shipped finds {o['mean']:.1%} of the ten nearest of {o['chunks']:,} chunks that fp32 finds, over "
            f"{o['questions']} questions (the worst: {o['least']:.0%}), at {o['shipped_chunks_per_s']:.0f} chunks/s instead of "
            f"{o['fp32_chunks_per_s']:.0f}."
        )
    if c := summary.get("change"):
        out.append(
            f"One edited article is ingested in {c['edit_s']:.2f} s ({c['chunks_embedded']} chunks embedded); the library opens in "
            f"{c['open_s']:.2f} s in a new process, {c['reopen_s']:.2f} s again; a rebuilt index ({c['rebuild_s']:.1f} s) gives the "
            f"same ten passages for {c['identical']} of {c['questions']} questions."
        )  # fmt: skip
    return out


_GROWTH_HEAD = [
    "articles", "chunks", "articles/s", "peak MB, ingest", "MB on disk", "open s", "search p50 ms", "p95 ms",
    "peak MB, search", "cold ask s",
]  # fmt: skip


def _growth_row(g: Mapping[str, Any]) -> list[str]:
    return [
        f"{g['articles']:,}", f"{g['chunks']:,}", _number(g["articles_per_s"]), _number(g["ingest_rss_mb"]),
        _number(g["bytes"] / 1e6), _number(g["open_s"]), _number(g["search_ms"]["p50"]), _number(g["search_ms"]["p95"]),
        _number(g["rss_mb"]), _number(g["cold_ask_s"]),
    ]  # fmt: skip


def _side_by_side(systems: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    rows = [[m, *(_points(s["metrics"].get(m)) for s in systems.values())] for m in METRICS]
    costs: list[tuple[str, list[float | None]]] = [
        ("words a passage found", [s["words"] for s in systems.values()]),
        ("passages in the index", [s["build"]["passages"] for s in systems.values()]),
        ("search p50, ms", [s["search"]["search_ms"]["p50"] for s in systems.values()]),
        ("search p95, ms", [s["search"]["search_ms"]["p95"] for s in systems.values()]),
        ("articles/s", [s["build"]["articles_per_s"] for s in systems.values()]),
        ("peak MB, indexing", [s["build"]["rss_mb"] for s in systems.values()]),
        ("peak MB, searching", [s["search"]["rss_mb"] for s in systems.values()]),
        ("MB on disk", [s["build"]["bytes"] / 1e6 for s in systems.values()]),
    ]
    return rows + [[name, *map(_number, values)] for name, values in costs]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(r)} |" for r in (head, ["---", *["---:"] * (len(head) - 1)], *rows)]


def _points(interval: Mapping[str, float] | None, *, signed: bool = False) -> str:
    """A share from 0 to 1 as percent, with its interval."""
    if interval is None:
        return "-"
    sign = "+" if signed else ""
    return f"{100 * interval['mean']:{sign}.1f} [{100 * interval['low']:{sign}.1f}, {100 * interval['high']:{sign}.1f}]"


def _number(x: float | None) -> str:
    return "-" if x is None else f"{x:,.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


# --- picture ----------------------------------------------------------------------------------------------------------

_COLOURS = {"starter": "#b3541e", "bm25": "#7a6a00", "dense": "#7a4fa3", "recap": "#1f6fb2"}
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1b1f24}.h{font-weight:600;font-size:14px}.dim{fill:#5b6470}"
    ".axis{stroke:#d8dde3}.zero{stroke:#5b6470}.whisker{stroke:#1b1f24;stroke-opacity:.75}"
)
_LEFT, _WIDTH, _ROW, _RIGHT = 160, 420, 20, 180
_SHOWN = ("hit@5", "MRR@10", WITHIN, "article MRR@10")


def plot(summary: Summary) -> str:
    """Draw a summary as one SVG: shares with intervals, differences from Recap, time and speed, growth, risk by coverage."""
    systems = summary["systems"]
    body: list[str] = []
    y = 30
    y = _bars(body, y, systems)
    if summary["differences"]:
        y = _differences(body, y + 26, summary["differences"])
    for title, unit, values in (
        ("Warm search, 95th percentile", "ms", {s: v["search"]["search_ms"]["p95"] for s, v in systems.items()}),
        (
            "Indexing with embedding",
            "articles/s",
            {s: v["build"]["articles_per_s"] for s, v in systems.items() if s in ("starter", "recap")},
        ),
    ):
        y = _costs(body, y + 26, title, unit, values)
    growth = [*summary.get("growth", ()), *([summary["synthetic"]] if summary.get("synthetic") else ())]
    if len(growth) > 1:
        y = _growth(body, y + 26, growth)
    if summary.get("answers") and summary["answers"]["calibration"]["n"]:
        y = _risk(body, y + 26, summary["answers"]["calibration"])
    data = summary["data"]
    width, height = _LEFT + _WIDTH + _RIGHT, y + 34
    body.append(
        _text(16, y + 22, f"{data['articles']:,} articles, {data['questions']:,} questions; 95% intervals", "dim")
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>Finding the passage: {', '.join(NAMES[s] for s in systems)}</title><style>{_STYLE}</style>"
        f'<rect width="{width}" height="{height}" fill="#fff"/>{"".join(body)}</svg>\n'
    )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _bars(body: list[str], y: int, systems: Summary) -> int:
    body.append(_text(16, y, "Found, of 100 questions", "h"))
    top, y = y + 8, y + 12
    bars: list[str] = []
    for metric in _SHOWN:
        bars.append(_text(16, y + _ROW * len(systems) / 2 + 4, metric, "dim"))
        for name, s in systems.items():
            i = s["metrics"][metric]
            bars.append(
                f'<rect x="{_LEFT}" y="{y + 3}" width="{i["mean"] * _WIDTH:.1f}" height="{_ROW - 6}" fill="{_COLOURS[name]}"/>'
            )
            bars.append(
                _line("whisker", _LEFT + i["low"] * _WIDTH, y + _ROW / 2, _LEFT + i["high"] * _WIDTH, y + _ROW / 2)
            )
            bars.append(
                _text(_LEFT + i["high"] * _WIDTH + 6, y + 14, f"{100 * i['mean']:.1f}  {NAMES[name]}")
            )  # fmt: skip
            y += _ROW
        y += 8
    body += [_line("axis", _LEFT + v * _WIDTH, top, _LEFT + v * _WIDTH, y) for v in (0, 0.25, 0.5, 0.75, 1)]
    body += bars
    body += [_text(_LEFT + v * _WIDTH, y + 14, f"{100 * v:.0f}", "dim", "middle") for v in (0, 0.25, 0.5, 0.75, 1)]
    return y + 14


def _differences(body: list[str], y: int, differences: Mapping[str, Mapping[str, Any]]) -> int:
    body.append(_text(16, y, "Recap less each other, in points", "h"))
    shown = [(m, s, d[m]) for m in _SHOWN for s, d in differences.items()]
    low: float = min(0.0, *(i["low"] for _, _, i in shown))
    high: float = max(0.0, *(i["high"] for _, _, i in shown))
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return _LEFT + (value - low) / span * _WIDTH

    top, y = y + 8, y + 12
    for n, (metric, system, i) in enumerate(shown):
        if n % len(differences) == 0:
            y += 6 if n else 0
            body.append(_text(16, y + _ROW * len(differences) / 2 + 4, metric, "dim"))
        middle = y + _ROW / 2
        body.append(_line("whisker", x(i["low"]), middle, x(i["high"]), middle))
        body.append(f'<circle cx="{x(i["mean"]):.1f}" cy="{middle:.1f}" r="4.5" fill="{_COLOURS[system]}"/>')
        body.append(_text(_LEFT + _WIDTH + 8, y + 14, f"{100 * i['mean']:+.1f}  {NAMES[system]}"))
        y += _ROW
    body.append(_line("zero", x(0), top, x(0), y))
    body.append(_text(x(0), y + 14, "0", "dim", "middle"))
    for value in {low, high} - {0.0}:
        body.append(_text(x(value), y + 14, f"{100 * value:+.0f}", "dim", "middle"))
    return y + 14


def _costs(body: list[str], y: int, title: str, unit: str, values: Mapping[str, float | None]) -> int:
    body.append(_text(16, y, f"{title}, {unit}", "h"))
    y += 8
    most = max((v for v in values.values() if v), default=1.0)
    for name, value in values.items():
        width = (value or 0.0) / most * _WIDTH
        body.append(_text(_LEFT - 8, y + 14, NAMES[name], "", "end"))
        body.append(f'<rect x="{_LEFT}" y="{y + 3}" width="{width:.1f}" height="{_ROW - 6}" fill="{_COLOURS[name]}"/>')
        body.append(_text(_LEFT + width + 6, y + 14, _number(value)))
        y += _ROW
    return y


def _growth(body: list[str], y: int, growth: Sequence[Mapping[str, Any]]) -> int:
    body.append(_text(16, y, "Recap's warm search by chunks in the library, 95th percentile, ms", "h"))
    height, y = 120, y + 14
    chunks = max(g["chunks"] for g in growth)
    most = max(g["search_ms"]["p95"] for g in growth)
    points = [
        (_LEFT + g["chunks"] / chunks * _WIDTH, y + 16 + height * (1 - g["search_ms"]["p95"] / most), g) for g in growth
    ]
    body.append(_line("axis", _LEFT, y + 16 + height, _LEFT + _WIDTH, y + 16 + height))
    body.append(_line("axis", _LEFT, y + 16, _LEFT, y + 16 + height))
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py, _ in points)
    body.append(f'<polyline points="{path}" fill="none" stroke="{_COLOURS["recap"]}" stroke-width="2"/>')
    for px, py, g in points:
        body.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{_COLOURS["recap"]}"/>')
        body.append(_text(px + 7, py - 5, _number(g["search_ms"]["p95"])))
    body.append(_text(_LEFT - 8, y + 20 + height, "0", "dim", "end"))
    body.append(_text(_LEFT + _WIDTH, y + 32 + height, f"{chunks:,} chunks", "dim", "end"))
    return y + 32 + height


def _risk(body: list[str], y: int, found: Mapping[str, Any]) -> int:
    """Draw how many of the surest answers are wrong, and how often a stated confidence is right."""
    body.append(
        _text(16, y, "The reader's answers: wrong ones among the surest (line); right ones by confidence (dots)", "h")
    )
    height, y = 160, y + 30
    blue = _COLOURS["recap"]

    def at(across: float, up: float) -> tuple[float, float]:
        return _LEFT + across * _WIDTH, y + height * (1 - up)

    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    body += [_line("axis", x0, y0, x1, y0), _line("axis", x0, y0, x0, y1), _line("axis", x0, y0, x1, y1)]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in (at(c, r) for c, r in found["risk_coverage"]))
    body.append(f'<polyline points="{path}" fill="none" stroke="{blue}" stroke-width="2"/>')
    most = max(b["n"] for b in found["bins"])
    for b in found["bins"]:
        cx, cy = at(b["confidence"], b["right"])
        body.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{3 + 6 * (b["n"] / most) ** 0.5:.1f}" fill="{_COLOURS["starter"]}" fill-opacity="0.7"/>'
        )
    body += [_text(_LEFT - 8, y + 4, "100%", "dim", "end"), _text(_LEFT - 8, y0 + 4, "0", "dim", "end")]
    body.append(_text(x1, y0 + 18, "share answered; confidence", "dim", "end"))
    return int(y0) + 20
