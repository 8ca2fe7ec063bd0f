"""Show a run: JSON lines, a summary, Markdown, one HTML page that needs nothing else, JUnit for CI."""

from __future__ import annotations

import dataclasses
import html
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints
from xml.sax.saxutils import escape, quoteattr  # nosec B406  # it writes XML and parses none

from eval.diagnose import MEANING, STAGES
from eval.facts import TYPES
from eval.run import MEANS, Result, Run
from rag.answer.sentences import literal
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
_LOST = "Where wrong answers were lost"
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
        results = tuple(_result(row) for row in rows)
        beside = file.with_name("summary.json")
        about = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    except OSError as e:
        raise RecapError(
            f"There is no run at {path} ({e.strerror}). Make one with `recap eval FACTS --out DIR`."
        ) from e
    except (ValueError, TypeError, RecursionError) as e:
        raise RecapError(f"{file} is not a run of this version of Recap. Make it again with `recap eval`.") from e
    if not results:
        raise RecapError(f"The run at {path} is empty. Make it again with `recap eval FACTS --out DIR`.")
    return Run(results=results, about=about)


def _result(row: Any) -> Result:
    """Make a result of a line that anybody may have written. Raises: TypeError, ValueError."""
    result = Result(**row)
    for name, kind in get_type_hints(Result).items():
        if not _fits(getattr(result, name), kind):
            raise TypeError(name)
    for name, keys in (("history", {"role", "content"}), ("evidence", {"doc", "quote"}), ("hits", {"text"})):
        if not all(keys <= each.keys() for each in getattr(result, name)):
            raise ValueError(name)
    if not all(result.gold):
        raise ValueError("gold")
    return result


def _fits(value: Any, kind: Any) -> bool:
    """Tell whether what JSON holds is of a type as a dataclass states it."""
    of = get_args(kind)
    if kind is Any:
        return True
    if isinstance(kind, UnionType):
        return any(_fits(value, k) for k in of)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_fits(v, of[0]) for v in value)
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(_fits(v, of[1]) for v in value.values())
    if kind is float:
        return isinstance(value, int | float) and abs(value) < 1e300  # neither NaN nor infinite
    return isinstance(value, kind)


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


def counted(n: int | str, what: str) -> str:
    """1, "fact" -> "1 fact"; 2 -> "2 facts"."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def _count(i: Mapping[str, Any]) -> str:
    return f"{round(i['mean'] * i['n'])}/{i['n']}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(_cell(c) for c in cells) + " |"

    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\|", " ".join(text.split()))


def gold_of(r: Result) -> str:
    """What would have been right, in words."""
    if r.gold:
        return "; ".join(group[0] for group in r.gold)
    either = f"declines, or says {' or '.join(r.correction)}" if r.correction else "declines"
    return f"{either}; never says {', '.join(r.must_not)}" if r.must_not else either


def verdict(summary: Mapping[str, Any]) -> str:
    """The run in one sentence."""
    right = summary["right"]["all"]
    parts = [f"{_count(right)} {'fact' if right['n'] == 1 else 'facts'} right"]
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
    if not summary.get("latency_comparable", True):
        speed.append([f"{summary['jobs']} asked at a time: not to be compared with other runs", "", ""])
    return [
        (_LOST, *_lost_table(summary["diagnosis"])),
        ("Right, by type", ["Type", "Right", "% [95%]"], rows),
        ("Answering and declining", ["", "% [95%]"], share),
        ("Passages, answers, citations", ["", "% [95%]", "n"], means),
        ("Time (ms)", ["Stage", "p50", "p95"], speed),
    ]


def _lost_table(lost: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """A row for each stage at which something was lost, a column for each type that lost something."""
    types = list(lost["by_type"])
    rows = [
        [stage, str(n), *(str(lost["by_type"][t].get(stage, "")) for t in types), MEANING[stage]]
        for stage, n in lost["stages"].items()
    ]
    return ["Lost", "Wrong", *(NAMES[t] for t in types), "That is"], rows


def about(summary: Mapping[str, Any]) -> str:
    """What was measured, in one line."""
    corpus = summary.get("corpus", {})
    git = summary.get("git")
    parts = [
        f"{counted(corpus.get('articles', '?'), 'article')} ({corpus.get('hash', '?')})",
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
        others = ((r, map(literal, (r.question, r.reason, _lost_at(r), r.answer or "-", gold_of(r)))) for r in failed)
        rows = [[("📌 " if r.pinned else "") + r.id, *words] for r, words in others]
        lines += [table(["Fact", "Question", "Why wrong", "Lost", "Answer", "Gold"], rows), ""]
    return "\n".join(lines)


def _lost_at(r: Result) -> str:
    return f"{r.diagnosis['stage']}: {r.diagnosis['why']}" if r.diagnosis else "-"


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
            text = f"Question: {r.question}\nAnswer: {r.answer}\nGold: {gold_of(r)}\nLost: {_lost_at(r)}"
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

# Colours that carry black text and differ in lightness too; every segment also has its name in the list below it.
_COLOURS: dict[str, str] = {
    "misread question": "#e6a5cb",
    "not in the library": "#b9bfc8",
    "not retrieved": "#6fa8e8",
    "ranked out": "#a9dcf5",
    "abstained wrongly": "#f5c451",
    "read wrongly": "#f08a55",
    "wrong edition": "#b79bea",
    "verified away": "#5fc79f",
    "not shown": "#a5d6a0",
    "not cited": "#d9d36a",
    "answered the unanswerable": "#d3a27c",
    "said what must not be said": "#f2817f",
    "error": "#e8e8e8",
    "not traced": "#cfcfcf",
}
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#5b6470;--line:#d8dde3;--bg:#fff;--card:#f6f8fa;--mark:#2f6fb2;--soft:#a9c8e8;
--bad:#b3261e;--lit:#fff3bf;--edge:#6a7380}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--dim:#9aa4b1;--line:#343b45;--bg:#14171b;--card:#1d2127;--mark:#7db3ec;
--soft:#37577a;--bad:#ff8a80;--lit:#5c4b00;--edge:#8a94a1}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--bg);max-width:72rem;margin:0 auto;padding:1rem;
overflow-wrap:break-word}
h1{margin:.5rem 0}h2{margin:2.5rem 0 .6rem;font-size:1.3rem}h3{margin:1.4rem 0 .4rem;font-size:1rem}p{margin:.4rem 0}
.dim{color:var(--dim)}.verdict{font-size:1.15rem;font-weight:600}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line)}
td:not(:first-child),th:not(:first-child){text-align:right;font-variant-numeric:tabular-nums}td:not(:first-child){white-space:nowrap}
.wide{overflow-x:auto}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem 2.5rem;align-items:start}
.whole{display:grid;gap:1rem}.pair+.pair{margin-top:1.5rem}.pair>*,.whole>*{min-width:0}figure{margin:0}figcaption{font-weight:600;margin-bottom:.5rem}
figcaption small{display:block;font-weight:400;color:var(--dim);font-size:.85rem}
.bar{display:grid;grid-template-columns:min(9.5rem,36%) 1fr 5rem;gap:.6rem;align-items:center;min-height:1.9rem;font-size:.9rem}
.bar>:first-child{text-align:right;line-height:1.2}.bar>:last-child{font-variant-numeric:tabular-nums;white-space:nowrap;text-align:right}
.track{position:relative;height:1.2rem;background:var(--card);border:1px solid var(--line)}.track i{position:absolute;display:block}
.fill{left:0;top:0;bottom:0;background:var(--mark)}.fill.light{background:var(--soft)}
.whisker{top:calc(50% - 1px);height:2px;background:var(--ink);min-width:2px;box-shadow:0 0 0 1px var(--bg)}
.stack{display:flex;height:1.5rem}
.stack i{display:block;min-width:.8rem;overflow:hidden;color:#111;font:600 .8rem/1.5rem system-ui,sans-serif;text-align:center;
box-shadow:inset 0 0 0 1px var(--edge)}
.key{list-style:none;padding:0;margin:.8rem 0 0;font-size:.9rem}.key li{padding-left:1.3rem;text-indent:-1.3rem}
.chip{display:inline-block;width:.9rem;height:.9rem;border:1px solid var(--edge);vertical-align:-.1rem;margin-right:.35rem}
svg{display:block;width:100%;max-width:30rem;height:auto}svg text{fill:var(--ink);font:13px system-ui,sans-serif}
svg .axis{stroke:var(--line)}svg .ideal{stroke:var(--dim);stroke-dasharray:5 5}svg .curve{stroke:var(--mark);stroke-width:2.5;fill:none}
svg .dot{fill:var(--mark);stroke:var(--bg)}svg .dim{fill:var(--dim)}
details{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;padding:.5rem .8rem;background:var(--card)}
summary{cursor:pointer}.why{color:var(--bad)}dt{font-weight:600;margin-top:.6rem}dd{margin:0;overflow-wrap:anywhere}
mark{background:var(--lit);color:inherit}ol,ul{margin:.2rem 0;padding-left:1.6rem}ul.key{padding:0}
li.found{border-left:3px solid var(--mark);padding-left:.4rem}
pre{overflow-x:auto;font-size:.8rem}
@media(max-width:30rem){table{font-size:.8rem}th,td{padding:.3rem .35rem}}
@media print{details{break-inside:avoid}.track,.stack,.chip{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def _e(text: object) -> str:
    return html.escape(str(text))


def page(results: Sequence[Result], summary: Mapping[str, Any]) -> str:
    """The report as one HTML page: no script, and nothing fetched. Beside each picture stand its figures as a table."""
    tables = {h: (head, rows) for h, head, rows in _tables(summary) if rows}

    def section(heading: str, picture: str = "", *, wide: bool = False) -> str:
        if heading not in tables:
            return ""
        head, rows = tables[heading]
        if heading == _LOST:  # what the stages mean stands in the picture's key
            head, rows = head[:-1], [row[:-1] for row in rows]
        body = picture + _table(head, rows)
        return f"<section><h2>{_e(heading)}</h2><div class={'whole' if wide or not picture else 'pair'}>{body}</div></section>"

    failed = [r for r in results if not r.right]
    sure = [_with_table(*drawn) for drawn in (_risk_curve(summary), _reliability(summary)) if drawn]
    none = "<p class=dim>No answer of this run carries a confidence: how far it can be trusted cannot be drawn.</p>"
    shown = {k: summary.get(k) for k in ("config", "corpus", "facts", "git", "versions", "seconds")}
    parts = [
        f"<h1>Recap eval</h1><p class=verdict>{_e(verdict(summary))}</p><p class=dim>{_e(about(summary))}</p>",
        section(_LOST, _lost_bars(summary["diagnosis"]) if _LOST in tables else "", wide=True),
        section("Right, by type", _type_bars(summary["right"])),
        section("Answering and declining"),
        f"<section><h2>How sure it was</h2>{''.join(sure) or none}</section>",
        section("Passages, answers, citations", _metric_bars(summary["means"])),
        section("Time (ms)", _time_bars(summary["latency_ms"])),
        f"<section><h2>Wrong ({len(failed)})</h2>{_failures(failed)}</section>",
        f"<h2>Made of</h2><details><summary>Settings and versions</summary><pre>{_e(_pretty(shown))}</pre></details>",
    ]
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


def _figure(title: str, body: str, *, note: str = "") -> str:
    small = f"<small>{_e(note)}</small>" if note else ""
    return f'<figure><figcaption>{_e(title)}{small}</figcaption><div role=img aria-label="{_e(title)}">{body}</div></figure>'


def _with_table(picture: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return f"<div class=pair>{picture}{_table(head, rows)}</div>"


def _bar(label: str, body: str, told: str) -> str:
    return f"<div class=bar><span>{_e(label)}</span>{body}<span>{_e(told)}</span></div>"


def _chip(stage: str) -> str:
    return f'<span class=chip style="background:{_COLOURS.get(stage, "#ccc")}"></span>'


def _lost_bars(lost: Mapping[str, Any]) -> str:
    """A bar for each type, a segment for each stage; as long as the type has wrong answers."""
    most = max((sum(c.values()) for c in lost["by_type"].values()), default=1)
    rows = []
    for t in TYPES:
        if counted := lost["by_type"].get(t):
            n = sum(counted.values())
            segments = "".join(
                f'<i style="flex:{k};background:{_COLOURS[s]}" title="{_e(s)}: {k}">{k}</i>'
                for s in STAGES
                if (k := counted.get(s))
            )
            rows.append(
                _bar(
                    NAMES[t],
                    f'<div><div class=stack style="width:{100 * n / most:.2f}%">{segments}</div></div>',
                    str(n),
                )
            )
    key = "".join(f"<li>{_chip(s)}<b>{k} {_e(s)}</b>: {_e(MEANING[s])}</li>" for s, k in lost["stages"].items())
    return _figure("Wrong answers by type, and where they were lost", "".join(rows) + f"<ul class=key>{key}</ul>")


def _intervals(rows: Iterable[tuple[str, Mapping[str, Any], str]], *, title: str) -> str:
    """Bars from 0 to 100% with the 95% interval as a line: (label, mean with interval, what is told)."""
    bars = []
    for label, i, told in rows:
        low, high = 100 * i["low"], 100 * i["high"]
        body = (
            f'<div class=track><i class=fill style="width:{100 * i["mean"]:.2f}%"></i>'
            f'<i class=whisker style="left:min({low:.2f}%,100% - 2px);width:{high - low:.2f}%"></i></div>'
        )
        bars.append(_bar(label, body, told))
    return _figure(title, "".join(bars), note="From 0 to 100%; the line is the 95% interval.")


def _type_bars(right: Mapping[str, Mapping[str, Any] | None]) -> str:
    rows = [(NAMES[t], i, _count(i)) for t in (*TYPES, "all") if (i := right.get(t))]
    return _intervals(rows, title="Share of facts right, by type")


def _metric_bars(means: Mapping[str, Mapping[str, Any] | None]) -> str:
    rows = [
        (label, i, f"{100 * i['mean']:.1f}")
        for name, label in MEANS.items()
        if name != "crag" and (i := means.get(name))
    ]
    return _intervals(rows, title="Retrieval, answers and citations") if rows else ""


def _time_bars(latency: Mapping[str, Mapping[str, float]]) -> str:
    stages = [s for s in (*_STAGES, *latency) if s in latency]
    longest = max((latency[s]["p95"] for s in stages), default=0) or 1
    bars = []
    for s in dict.fromkeys(stages):
        p50, p95 = latency[s]["p50"], latency[s]["p95"]
        body = (
            f'<div class=track><i class="fill light" style="width:{100 * p95 / longest:.2f}%"></i>'
            f'<i class=fill style="width:{100 * p50 / longest:.2f}%"></i></div>'
        )
        bars.append(_bar(_STAGES.get(s, s), body, f"{p50:.0f} / {p95:.0f}"))
    return _figure("Milliseconds of each stage", "".join(bars), note="Dark: the median; light: 95 of 100 are quicker.")


_W, _H, _LEFT, _TOP = 330, 240, 46, 12  # of a plot's field, and the room beside it


def _plot(title: str, body: str, *, x: str, y: str, top: float = 1.0, note: str = "") -> str:
    """A plot whose axes go from 0 to 100%, and from 0 to `top`."""
    lines, bottom, right = [], _TOP + _H, _LEFT + _W
    for v in (0.0, 0.5, 1.0):
        across, up = _LEFT + v * _W, bottom - v * _H
        lines += [
            f'<line class=axis x1="{across:.0f}" x2="{across:.0f}" y1="{_TOP}" y2="{bottom}"/>',
            f'<line class=axis x1="{_LEFT}" x2="{right}" y1="{up:.0f}" y2="{up:.0f}"/>',
            f'<text class=dim x="{across:.0f}" y="{bottom + 17}" text-anchor="middle">{100 * v:.0f}%</text>',
            f'<text class=dim x="{_LEFT - 6}" y="{up + 5:.0f}" text-anchor="end">{100 * v * top:.3g}%</text>',
        ]
    middle = _TOP + _H / 2
    lines += [
        f'<text class=dim x="{_LEFT + _W / 2:.0f}" y="{bottom + 36}" text-anchor="middle">{_e(x)}</text>',
        f'<text class=dim x="-{middle:.0f}" y="-3" text-anchor="middle" transform="rotate(-90)">{_e(y)}</text>',
    ]
    box = f"-16 0 {right + 36} {bottom + 44}"
    head = f'<svg viewBox="{box}" role=img aria-label="{_e(title)}"><title>{_e(title)}</title>'
    small = f"<small>{_e(note)}</small>" if note else ""
    return f"<figure><figcaption>{_e(title)}{small}</figcaption>{head}{''.join(lines)}{body}</svg></figure>"


def _risk_curve(summary: Mapping[str, Any]) -> tuple[str, list[str], list[list[str]]] | None:
    points = summary["risk_coverage"]
    if not points:
        return None
    most = max(risk for _, risk in points)
    top = next(t for t in (0.1, 0.2, 0.5, 1.0) if most <= t)
    path = " ".join(f"{_LEFT + c * _W:.1f},{_TOP + _H - r / top * _H:.1f}" for c, r in points)
    body = f'<polyline class=curve points="{path}"/>' + "".join(
        f'<circle class=dot cx="{_LEFT + c * _W:.1f}" cy="{_TOP + _H - r / top * _H:.1f}" r="3"/>'
        for c, r in points[-1:]
    )
    told = summary["calibration"]
    note = (
        f"The surest first, by the answer's own confidence; {told['n']} of {told['n'] + told['none']} answers have one."
    )
    title = "Risk and coverage: wrong among the answered, as more is answered"
    picture = _plot(title, body, x="share of all questions answered", y="wrong among them", top=top, note=note)
    steps = [*range(0, len(points), max(1, len(points) // 8)), len(points) - 1]
    rows = [[percent(points[n][0]), percent(points[n][1])] for n in dict.fromkeys(steps)]
    return picture, ["Answered", "Wrong among them"], rows


def _reliability(summary: Mapping[str, Any]) -> tuple[str, list[str], list[list[str]]] | None:
    told = summary["calibration"]
    if not told["n"]:
        return None
    bottom, right = _TOP + _H, _LEFT + _W
    dots = [
        f'<circle class=dot cx="{_LEFT + b["confidence"] * _W:.1f}" cy="{bottom - b["right"] * _H:.1f}" '
        f'r="{3 + 9 * (b["n"] / told["n"]) ** 0.5:.1f}"><title>{b["n"]}</title></circle>'
        for b in told["bins"]
    ]
    line = f'<line class=ideal x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{_TOP}"/>'
    note = f"Expected calibration error {percent(told['error'])} over {told['n']} answers. The larger a dot, the more answers; dashed: as right as it says."
    picture = _plot(
        "Calibration: how often it is right, by its confidence",
        line + "".join(dots),
        x="confidence",
        y="right",
        note=note,
    )
    rows = [[percent(b["confidence"]), percent(b["right"]), str(b["n"])] for b in told["bins"]]
    return picture, ["Confidence", "Right", "Answers"], rows


def _failures(failed: Sequence[Result]) -> str:
    """The wrong answers, those lost at one stage together."""
    groups: dict[str, list[Result]] = {s: [] for s in (*STAGES, "")}
    for r in failed:
        groups[(r.diagnosis or {}).get("stage", "")].append(r)
    parts = []
    for stage, rows in groups.items():
        if rows and stage:
            parts.append(
                f"<h3>{_chip(stage)}{_e(stage)} ({len(rows)})</h3><p class=dim>{_e(_sentence(MEANING.get(stage, '')))}</p>"
            )
        parts += [_failure(r) for r in rows]
    return "".join(parts) or "<p>Every fact is right.</p>"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _failure(r: Result) -> str:
    quotes = [e["quote"] for e in r.evidence]
    gold = "".join(_gold_passage(r, n) for n in range(len(r.evidence)))
    turns = "".join(f"<li>{_e(t['role'])}: {_e(t['content'])}</li>" for t in r.history)
    cited = "".join(
        f"<li>[{_e(c['marker'])}] {_e(c['title'])}: <q>{_e(c['quote'])}</q> ({_e(c['verdict'])})</li>"
        for c in r.citations
    )
    hits = "".join(
        f"<li{' class=found' if h['relevant'] else ''}><b>{_e(h['title'])}</b> "
        f"<span class=dim>{_e(h['published'] or '')} · {h['score']:.4f}{' · holds the gold' if h['relevant'] else ''}</span>"
        f"<br>{_lit(h['text'], quotes)}</li>"
        for h in r.hits
    )
    lost = r.diagnosis or {}
    rows = [
        ("Where it was lost", f"{_chip(lost['stage'])}{_e(lost['stage'])}. {_e(lost['why'])}" if lost else ""),
        ("Before", f"<ol>{turns}</ol>" if turns else ""),
        ("Understood as", _e(r.standalone_question) if r.standalone_question != r.question else ""),
        ("Answer", _e(r.answer or "-") + (" <span class=dim>(declined)</span>" if r.abstained else "")),
        ("Short", _e(r.short) if r.short else ""),
        ("The language model's draft", _e(r.draft) if r.draft and r.draft != r.answer else ""),
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


def _gold_passage(r: Result, n: int) -> str:
    """A piece of evidence, how far it came, and its passage unless that is to be seen among the hits."""
    e, found = r.evidence[n], r.found[n] if n < len(r.found) else None
    if found is None:
        return f"<li>{_e(e['doc'])}: <q>{_e(e['quote'])}</q></li>"
    rank = found["rank"]
    far = (
        "not in the library"
        if not found["held"]
        else "not among the candidates"
        if rank is None
        else f"candidate {rank}"
    )
    far += "" if rank is None else ", read" if found["read"] else ", not read"
    seen = any(h["relevant"] and _lit(h["text"], [e["quote"]]) != _e(h["text"]) for h in r.hits)
    passage = f"<br>{_lit(found['passage'], [e['quote']])}" if found["passage"] and not seen else ""
    return f"<li>{_e(e['doc'])}: <q>{_e(e['quote'])}</q> <span class=dim>({far})</span>{passage}</li>"


def _lit(text: str, quotes: Sequence[str]) -> str:
    """The passage, escaped, with the gold quotes marked where they stand in it, white space and curly quotes apart."""
    spans: list[tuple[int, int]] = []
    for quote in quotes:
        if found := re.search(_pattern(quote), text):
            spans.append(found.span())
    out, at = [], 0
    for start, end in sorted(spans):
        if start >= at:
            out += [_e(text[at:start]), f"<mark>{_e(text[start:end])}</mark>"]
            at = end
    return "".join(out) + _e(text[at:])


def _pattern(quote: str) -> str:
    words = (re.escape(w) for w in quote.split())
    return r"\s+".join(re.sub(r"['‘’‚‛′]", "['‘’‚‛′]", re.sub(r'["“”„‟″]', '["“”„‟″]', w)) for w in words) or r"(?!)"
