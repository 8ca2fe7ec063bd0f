"""Show a run: JSON lines, a summary, Markdown, one HTML page that needs nothing else, JUnit for CI."""

from __future__ import annotations

import dataclasses
import html
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from eval.facts import TYPES
from eval.run import MEANS, Result, Run
from rag.errors import RecapError

NAMES = {
    "fact": "Fact",
    "multi": "Several answers",
    "temporal": "Date",
    "followup": "Follow-up",
    "unanswerable": "Unanswerable",
    "false_premise": "False premise",
    "wrong_edition": "Wrong edition",
    "all": "All",
}
_STAGES = {
    "search": "search (10 passages)",
    "retrieve": "ask: find",
    "answer": "ask: answer",
    "total": "ask: all",
}


def write(run: Run, out: Path) -> None:
    """Write run.jsonl, summary.json, report.md, report.html and junit.xml into the folder `out`.

    Raises: RecapError when the folder cannot be written.
    """
    summary = run.summary()
    files = {
        "run.jsonl": "".join(json.dumps(dataclasses.asdict(r), ensure_ascii=False) + "\n" for r in run.results),
        "summary.json": json.dumps(summary, ensure_ascii=False, indent=2) + "\n",
        "report.md": markdown(run.results, summary),
        "report.html": page(run.results, summary),
        "junit.xml": junit(run.results),
    }
    write_files(out, files)


def write_files(out: Path, files: Mapping[str, str]) -> None:
    """Write `files` (name -> text) to the folder `out`, each whole or not at all.

    Raises: RecapError when the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            scratch = out / f".{name}.new"
            scratch.write_text(text, encoding="utf-8", errors="backslashreplace")
            os.replace(scratch, out / name)
    except OSError as e:
        raise RecapError(f"Cannot write the report to {out}: {e.strerror}. Choose another folder with --out.") from e


def load(path: str | Path) -> Run:
    """Read a run that `write` wrote: its folder, or its run.jsonl.

    Raises: RecapError when there is none or it is damaged.
    """
    path = Path(path)
    file = path / "run.jsonl" if path.is_dir() else path
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
        results = tuple(Result(**row) for row in rows)
        beside = file.with_name("summary.json")
        about = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    except OSError as e:
        raise RecapError(
            f"There is no run at {path} ({e.strerror}). Make one with `recap eval FACTS --out DIR`."
        ) from e
    except (ValueError, TypeError) as e:
        raise RecapError(f"{file} is not a run of this version of Recap. Make it again with `recap eval`.") from e
    if not results:
        raise RecapError(f"The run at {path} is empty. Make it again with `recap eval FACTS --out DIR`.")
    return Run(results=results, about=about)


# --- figures as text -------------------------------------------------------------------------------------------------


def percent(x: float | None) -> str:
    """0.9125 -> "91.2%"."""
    return "-" if x is None else f"{100 * x:.1f}%"


def interval(i: Mapping[str, Any] | None, *, scale: float = 100) -> str:
    """A mean with its interval: "91.2 [85.0, 96.4]", in percent unless `scale` says otherwise."""
    if not i:
        return "-"
    digits = 1 if scale == 100 else 2
    return " ".join(
        (f"{scale * i['mean']:.{digits}f}", f"[{scale * i['low']:.{digits}f}, {scale * i['high']:.{digits}f}]")
    )


def _count(i: Mapping[str, Any]) -> str:
    return f"{round(i['mean'] * i['n'])}/{i['n']}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(_cell(c) for c in cells) + " |"

    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def gold_of(r: Result) -> str:
    """What would have been right, in words."""
    if r.gold:
        return "; ".join(group[0] for group in r.gold)
    either = f"declines, or says {' or '.join(r.correction)}" if r.correction else "declines"
    return f"{either}; never says {', '.join(r.must_not)}" if r.must_not else either


def verdict(summary: Mapping[str, Any]) -> str:
    """The run in one sentence."""
    right = summary["right"]["all"]
    parts = [f"{_count(right)} facts right"]
    if summary["pinned"]:
        wrong = summary["pinned_wrong"]
        parts.append(f"pinned facts wrong: {', '.join(wrong)}" if wrong else f"all {summary['pinned']} pinned right")
    if summary["errors"]:
        parts.append(f"{len(summary['errors'])} raised an error")
    return "; ".join(parts) + "."


def _tables(summary: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """The report's tables: (heading, column heads, rows)."""
    right = summary["right"]
    rows = [[NAMES[t], _count(i), interval(i)] for t in (*TYPES, "all") if (i := right.get(t))]
    declining = summary["abstention"]
    share = [
        ["answerable: right", interval(summary["answerable_right"])],
        ["unanswerable: declined", interval(summary["unanswerable_declined"])],
        ["answerable, but declined", interval(declining["false_abstention"])],
        ["declined, and rightly so", interval(declining["precision"])],
        ["answers of another edition", str(len(summary["wrong_edition"]))],
    ]
    if len(splits := summary["answerable_right_by_split"]) > 1:
        share[1:1] = [[f"answerable: right, split {name}", interval(i)] for name, i in splits.items()]
    if summary["pairs"]["n"]:
        share.append(
            ["traps and their true twins: both right", f"{summary['pairs']['both_right']}/{summary['pairs']['n']}"]
        )
    if summary["followups"]["n"]:
        f = summary["followups"]
        share.append(
            ["follow-ups right, asked standing alone", f"{f['right']}/{f['n']}, {f['standalone_right']}/{f['n']}"]
        )
    means = [
        [label, interval(i, scale=1 if name == "crag" else 100), str(i["n"])]
        for name, label in MEANS.items()
        if (i := summary["means"].get(name))
    ]
    speed = [
        [_STAGES.get(s, s), f"{t['p50']:.0f}", f"{t['p95']:.0f}"]
        for s, t in sorted(
            summary["latency_ms"].items(), key=lambda x: list(_STAGES).index(x[0]) if x[0] in _STAGES else 9
        )
    ]
    if summary.get("cold_ms") is not None:
        speed.append(["first question, cold", f"{summary['cold_ms']:.0f}", ""])
    return [
        ("Right, by type", ["Type", "Right", "% [95%]"], rows),
        ("Answering and declining", ["", "% [95%]"], share),
        ("Passages, answers, citations", ["", "% [95%]", "n"], means),
        ("Time (ms)", ["Stage", "p50", "p95"], speed),
    ]


def about(summary: Mapping[str, Any]) -> str:
    """What was measured, in one line."""
    corpus = summary.get("corpus", {})
    git = summary.get("git")
    parts = [
        f"{corpus.get('articles', '?')} articles ({corpus.get('hash', '?')})",
        f"engine {', '.join(summary['engines']) or '?'}",
        f"embedder {summary.get('config', {}).get('embed_model', '?')}",
        f"code {git[:10] + '+' * git.endswith('+')}" if git else "",
        str(summary.get("started", "")),
    ]
    return " · ".join(p for p in parts if p)


def markdown(results: Sequence[Result], summary: Mapping[str, Any]) -> str:
    """The report as Markdown: the figures, then each failed fact with its answer and the gold."""
    lines = ["# Recap eval", "", verdict(summary), "", about(summary), ""]
    for heading, head, rows in _tables(summary):
        if rows:
            lines += [f"## {heading}", "", table(head, rows), ""]
    if failed := [r for r in results if not r.right]:
        lines += [f"## Wrong ({len(failed)})", ""]
        rows = [[("📌 " if r.pinned else "") + r.id, r.question, r.reason, r.answer or "-", gold_of(r)] for r in failed]
        lines += [table(["Fact", "Question", "Why wrong", "Answer", "Gold"], rows), ""]
    return "\n".join(lines)


# --- JUnit -----------------------------------------------------------------------------------------------------------

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(results: Sequence[Result]) -> str:
    """The run as JUnit XML, a suite a type: what CI systems show."""
    suites = []
    for t in TYPES:
        rows = [r for r in results if r.type == t]
        if not rows:
            continue
        cases = []
        for r in rows:
            seconds = r.timings_ms.get("total", 0.0) / 1000
            case = f"<testcase classname={_attr('recap.' + t)} name={_attr(r.id)} time={_attr(f'{seconds:.3f}')}"
            if r.right:
                cases.append(case + "/>")
                continue
            kind = "error" if r.error else "failure"
            text = f"Question: {r.question}\nAnswer: {r.answer}\nGold: {gold_of(r)}"
            cases.append(
                f"{case}><{kind} message={_attr(r.reason)}>{escape(_NOT_XML.sub('?', text))}</{kind}></testcase>"
            )
        failures = sum(not r.right and not r.error for r in rows)
        errors = sum(bool(r.error) for r in rows)
        head = f'<testsuite name={_attr(t)} tests="{len(rows)}" failures="{failures}" errors="{errors}">'
        suites.append("\n".join([head, *cases, "</testsuite>"]))
    body = "\n".join(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="recap eval">\n{body}\n</testsuites>\n'


def _attr(text: str) -> str:
    return quoteattr(_NOT_XML.sub("?", text))


# --- the page --------------------------------------------------------------------------------------------------------

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#5b6470;--line:#d8dde3;--bg:#fff;--card:#f6f8fa;--mark:#2f6fb2;--bad:#b3261e;
--lit:#fff3bf}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--dim:#9aa4b1;--line:#343b45;--bg:#14171b;--card:#1d2127;--mark:#7db3ec;
--bad:#ff8a80;--lit:#5c4b00}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--bg);max-width:62rem;margin:0 auto;padding:1rem}
h1{margin:.5rem 0}h2{margin:2rem 0 .5rem;font-size:1.2rem}.dim{color:var(--dim)}.verdict{font-size:1.15rem;font-weight:600}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line)}
td:not(:first-child),th:not(:first-child){text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.wide{overflow-x:auto}svg{max-width:100%;height:auto}svg text{fill:var(--ink);font:13px system-ui,sans-serif}
svg .axis{stroke:var(--line)}svg .bar{fill:var(--mark)}svg .soft{fill:var(--mark);opacity:.45}svg .whisker{stroke:var(--ink)}
svg{display:block;margin:.7rem 0}svg .curve{stroke:var(--mark);stroke-width:2;fill:none}svg .dim{fill:var(--dim)}
details{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;padding:.5rem .8rem;background:var(--card)}
summary{cursor:pointer}.why{color:var(--bad)}dt{font-weight:600;margin-top:.5rem}dd{margin:0;overflow-wrap:anywhere}
mark{background:var(--lit);color:inherit}ol{margin:.2rem 0;padding-left:1.6rem}li.found{border-left:3px solid var(--mark);padding-left:.4rem}
"""
_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def _e(text: object) -> str:
    return html.escape(str(text))


def page(results: Sequence[Result], summary: Mapping[str, Any]) -> str:
    """The report as one HTML page: no script, and nothing fetched."""
    tables = {h: _table(head, rows) for h, head, rows in _tables(summary) if rows}
    failed = [r for r in results if not r.right]
    parts = [
        f"<h1>Recap eval</h1><p class=verdict>{_e(verdict(summary))}</p><p class=dim>{_e(about(summary))}</p>",
        "<h2>Right, by type</h2>",
        _type_bars(summary["right"]),
        tables.pop("Right, by type", ""),
    ]
    for heading, body in tables.items():
        parts.append(f"<h2>{_e(heading)}</h2>{body}")
        if heading == "Answering and declining" and summary["risk_coverage"]:
            parts.append(_risk_curve(summary["risk_coverage"]))
        if heading == "Time (ms)":
            parts.append(_time_bars(summary["latency_ms"]))
    parts.append(f"<h2>Wrong ({len(failed)})</h2>")
    parts += [_failure(r) for r in failed] or ["<p>Every fact is right.</p>"]
    shown = {k: summary.get(k) for k in ("config", "corpus", "facts", "git", "versions", "seconds")}
    parts.append(
        f"<h2>Made of</h2><details><summary>Settings and versions</summary><pre>{_e(_pretty(shown))}</pre></details>"
    )
    return (
        f'<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">'
        f'<meta http-equiv=Content-Security-Policy content="{_e(_CSP)}"><title>Recap eval</title><style>{_STYLE}</style>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th scope=col>{_e(h)}</th>" for h in head)
    body = "".join("<tr>" + "".join(f"<td>{_e(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<div class=wide><table><tr>{top}</tr>{body}</table></div>"


def _svg(width: int, height: int, title: str, body: Iterable[str]) -> str:
    head = f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{_e(title)}">'
    return f"<div class=wide>{head}<title>{_e(title)}</title>{''.join(body)}</svg></div>"


def _type_bars(right: Mapping[str, Mapping[str, Any] | None]) -> str:
    left, width, row = 130, 520, 26
    x: Callable[[float], float] = lambda v: left + v * width  # noqa: E731
    rows = [(t, i) for t in (*TYPES, "all") if (i := right.get(t))]
    body = [
        f'<line class=axis x1="{x(v):.0f}" x2="{x(v):.0f}" y1="0" y2="{len(rows) * row}"/>' for v in (0, 0.5, 0.9, 1)
    ]
    body += [
        f'<text class=dim x="{x(v):.0f}" y="{len(rows) * row + 16}" text-anchor="middle">{100 * v:.0f}%</text>'
        for v in (0, 0.5, 0.9, 1)
    ]
    for n, (t, i) in enumerate(rows):
        y = n * row
        body += [
            f'<text x="{left - 8}" y="{y + 18}" text-anchor="end">{_e(NAMES[t])}</text>',
            f'<rect class=bar x="{left}" y="{y + 5}" width="{i["mean"] * width:.1f}" height="{row - 10}"/>',
            f'<line class=whisker x1="{x(i["low"]):.1f}" x2="{x(i["high"]):.1f}" y1="{y + 13}" y2="{y + 13}"/>',
            f'<text x="{left + width + 10}" y="{y + 18}">{_count(i)}</text>',
        ]
    return _svg(left + width + 70, len(rows) * row + 24, "Share of facts right by type, with 95% intervals", body)


def _risk_curve(points: Sequence[Sequence[float]]) -> str:
    left, width, height = 60, 420, 180
    top = max(0.1, *(risk for _, risk in points))
    path = " ".join(f"{left + c * width:.1f},{height - r / top * (height - 20):.1f}" for c, r in points)
    body = [
        f'<line class=axis x1="{left}" x2="{left + width}" y1="{height}" y2="{height}"/>',
        f'<line class=axis x1="{left}" x2="{left}" y1="10" y2="{height}"/>',
        f'<polyline class=curve points="{path}"/>',
        f'<text class=dim x="{left - 6}" y="24" text-anchor="end">{percent(top)}</text>',
        f'<text class=dim x="{left - 6}" y="{height}" text-anchor="end">0%</text>',
        f'<text class=dim x="{left + width}" y="{height + 18}" text-anchor="end">share of the questions answered, surest first: 100%</text>',
        f'<text class=dim x="{left + 6}" y="12">wrong among the answered</text>',
    ]
    return _svg(left + width + 20, height + 26, "Risk and coverage", body)


def _time_bars(latency: Mapping[str, Mapping[str, float]]) -> str:
    stages = [s for s in _STAGES if s in latency]
    longest = max((latency[s]["p95"] for s in stages), default=0) or 1
    left, width, row = 170, 420, 26
    body = []
    for n, s in enumerate(stages):
        y, t = n * row, latency[s]
        body += [
            f'<text x="{left - 8}" y="{y + 18}" text-anchor="end">{_e(_STAGES[s])}</text>',
            f'<rect class=soft x="{left}" y="{y + 5}" width="{t["p95"] / longest * width:.1f}" height="{row - 10}"/>',
            f'<rect class=bar x="{left}" y="{y + 5}" width="{t["p50"] / longest * width:.1f}" height="{row - 10}"/>',
            f'<text x="{left + t["p95"] / longest * width + 8:.1f}" y="{y + 18}">{t["p50"]:.0f} / {t["p95"]:.0f} ms</text>',
        ]
    return _svg(
        left + width + 130, len(stages) * row, "Time a stage takes, median (dark) and 95th percentile (light)", body
    )


def _failure(r: Result) -> str:
    gold = "".join(f"<li>{_e(e['doc'])}: <q>{_e(e['quote'])}</q></li>" for e in r.evidence)
    turns = "".join(f"<li>{_e(t['role'])}: {_e(t['content'])}</li>" for t in r.history)
    cited = "".join(
        f"<li>[{_e(c['marker'])}] {_e(c['title'])}: <q>{_e(c['quote'])}</q> ({_e(c['verdict'])})</li>"
        for c in r.citations
    )
    hits = "".join(
        f"<li{' class=found' if h['relevant'] else ''}><b>{_e(h['title'])}</b> "
        f"<span class=dim>{_e(h['published'] or '')} · {h['score']:.4f}{' · holds the gold' if h['relevant'] else ''}</span>"
        f"<br>{_lit(h['text'], [e['quote'] for e in r.evidence])}</li>"
        for h in r.hits
    )
    rows = [
        ("Before", f"<ol>{turns}</ol>" if turns else ""),
        ("Understood as", _e(r.standalone_question) if r.standalone_question != r.question else ""),
        ("Answer", _e(r.answer or "-") + (" <span class=dim>(declined)</span>" if r.abstained else "")),
        ("Short", _e(r.short) if r.short else ""),
        ("Gold", _e(gold_of(r))),
        ("Gold passage", f"<ul>{gold}</ul>" if gold else ""),
        ("Citations", f"<ul>{cited}</ul>" if cited else ""),
        ("Notes", _e(" ".join(r.notes))),
        ("Hits", f"<ol>{hits}</ol>" if hits else "none"),
    ]
    body = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows if text)
    pin = "📌 " if r.pinned else ""
    day = f" <span class=dim>as of {_e(r.as_of)}</span>" if r.as_of else ""
    return (
        f"<details><summary>{pin}<b>{_e(r.question)}</b>{day} <span class=dim>{_e(r.id)} · {_e(NAMES.get(r.type, r.type))}</span>"
        f"<br><span class=why>{_e(r.reason)}</span></summary><dl>{body}</dl></details>"
    )


def _lit(text: str, quotes: Sequence[str]) -> str:
    """The passage, escaped, with the gold quotes marked where they stand in it, white space apart."""
    for quote in quotes:
        pattern = r"\s+".join(map(re.escape, quote.split()))
        if found := re.search(pattern, text):
            before, at, after = text[: found.start()], found.group(), text[found.end() :]
            return f"{_e(before)}<mark>{_e(at)}</mark>{_e(after)}"
    return _e(text)
