"""`recap eval crag PATH`: CRAG, questions with the five web pages a search returned for each.

PATH is `crag_task_1_and_2_dev_v4.jsonl.bz2` or a file like it (.jsonl, .gz, .bz2), an object a line: interaction_id,
query_time ("03/05/2024, 23:18:31 PT"), domain, question_type, static_or_dynamic, query, answer, alt_ans (a list; older files:
alternative_answers, a list written as text), search_results with page_name, page_url, page_snippet, page_result (html),
page_last_modified (when a server last touched the page: no date of publication, and not used as one).

The score is +1 for a right answer, 0 for a declined one, -1 for a wrong one. The authors let a language model judge; here an
answer is right when it says the gold or an alternative, whole. Golds that are sentences are seldom said so: accuracy is a
lower bound, hallucination an upper one.
Source: Yang et al. 2024, CRAG, Comprehensive RAG Benchmark (arXiv 2406.04744); github.com/facebookresearch/CRAG,
docs/dataset.md and local_evaluation.py.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.benchmarks import (
    Row,
    Said,
    asked,
    by_group,
    closing,
    fill_from,
    groups_table,
    list_of,
    put,
    rows,
    says,
    summed_up,
    text_of,
    write,
)
from eval.metrics import crag_points
from eval.parts import progress
from rag.config import Config
from rag.errors import ReadError, RecapError
from rag.ingest.parse import web_url
from rag.ingest.pipeline import article_id
from rag.store.library import Library

if TYPE_CHECKING:
    from rag.ingest.sandbox import Sandbox

PAGES = "pages.jsonl"
_HEADS = {"score": "score (-1 to 1)", "accuracy": "accuracy", "missing": "missing", "hallucination": "hallucination"}


@dataclass(frozen=True, slots=True)
class Page:
    """A page that the search returned: `url` is its name in the library, `address` its own."""

    url: str
    address: str = ""
    html: str = ""
    snippet: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A question as it was asked on `asked`; `gold`: the answer and the others that count as right."""

    id: str
    query: str
    gold: tuple[str, ...]
    asked: date | None
    type: str
    domain: str
    change: str
    pages: tuple[Page, ...]


def load(file: Path) -> Iterator[Item]:
    """Read the questions one by one: their pages do not fit into memory together. Raises: RecapError."""
    if not file.is_file():
        raise RecapError(f"There is no file {file}. Name the .jsonl or .jsonl.bz2 that CRAG publishes.")
    for where, row in rows(file):
        ident = text_of(row, "interaction_id", where)
        pages = [p for p in list_of(row, "search_results", where) if isinstance(p, dict)]
        yield Item(
            id=ident,
            query=text_of(row, "query", where),
            gold=(text_of(row, "answer", where), *_others(row)),
            asked=day_of(str(row.get("query_time") or "")),
            type=str(row.get("question_type") or "?"),
            domain=str(row.get("domain") or "?"),
            change=str(row.get("static_or_dynamic") or "?"),
            pages=tuple(
                Page(
                    url=f"https://crag.invalid/{re.sub(r'[^A-Za-z0-9-]', '-', ident)}/{n}",
                    address=str(p.get("page_url") or ""),
                    html=str(p.get("page_result") or ""),
                    snippet=str(p.get("page_snippet") or ""),
                )
                for n, p in enumerate(pages)
            ),
        )


def _others(row: Row) -> list[str]:
    value: Any = row.get("alt_ans") or row.get("alternative_answers") or []
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    return [str(v) for v in value if str(v).strip()] if isinstance(value, list) else []


def day_of(query_time: str) -> date | None:
    """Return the day of "MM/DD/YYYY, HH:MM:SS PT"; None when it is written otherwise."""
    found = re.match(r"\s*(\d{1,2})/(\d{1,2})/(\d{4})\b", query_time)
    try:
        return date(int(found[3]), int(found[1]), int(found[2])) if found else None
    except ValueError:
        return None


def run(path: Path, *, config: Config, out: Path, limit: int | None = None) -> Row:
    """Parse and ingest the pages, ask each question within its own, score, write to `out`; return the summary.

    Pages that are parsed are kept in OUT/pages.jsonl and the library; a run that was stopped goes on. Raises: RecapError.
    """
    items = parse_pages(path, out / PAGES, limit=limit)
    ingested = fill_from(config, out / PAGES, sum(len(i.pages) for i in items))

    def record(library: Library, item: Item) -> Row:
        said = put(library, item.query, as_of=item.asked, within={article_id(p.url) for p in item.pages})
        told: Row = {
            "id": item.id,
            "type": item.type,
            "domain": item.domain,
            "change": item.change,
            "question": item.query,
        }
        told |= {"gold": list(item.gold), "asked": item.asked.isoformat() if item.asked else None}
        return told | said.row() | judged(item, said)

    records = asked(config, items, record)
    summary = summed_up(records, ingested)
    summary |= {name: by_group(records, tuple(_HEADS), key) for name, key in (("types", "type"), ("domains", "domain"), ("changes", "change"))}  # fmt: skip
    write(out, "crag", summary, records, markdown(summary))
    return summary


def parse_pages(path: Path, file: Path, *, limit: int | None = None) -> list[Item]:
    """Parse the pages as `recap ingest` parses web pages, a line each in `file`; what stands there is not parsed again.

    A page that cannot be parsed gives its snippet. Returns the questions; their pages are left without html, which would
    not fit into memory together. Raises: RecapError.
    """
    from rag.ingest.sandbox import Sandbox

    done = _kept(file)
    todo = sum(1 for _ in islice(load(path), limit))
    if not todo:
        raise RecapError(f"{path} holds no questions. Get it again.")
    items = []
    try:
        with (
            file.open("a", encoding="utf-8", errors="backslashreplace") as f,
            Sandbox() as sandbox,
            progress("Questions whose pages to parse", todo) as tell,
        ):
            for n, item in enumerate(islice(load(path), limit), start=1):
                for page in item.pages:
                    if page.url not in done:
                        done.add(page.url)
                        row = _parsed(sandbox, page) or {"text": html.unescape(page.snippet)}
                        f.write(json.dumps({"url": page.url, **row}, ensure_ascii=False) + "\n")
                items.append(replace(item, pages=tuple(Page(p.url, p.address) for p in item.pages)))
                tell(n)
    except OSError as e:
        raise RecapError(f"Cannot write to {file}: {e.strerror}. Choose another folder with --out.") from e
    if not done:
        raise RecapError(f"The questions of {path} have no search_results. Get the file of task 1, 2 or 3.")
    return items


def _kept(file: Path) -> set[str]:
    """The pages that an earlier run parsed; a line that it was stopped in is cut off."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = file.read_bytes().splitlines(keepends=True) if file.is_file() else []
        if lines and not lines[-1].endswith(b"\n"):
            file.write_bytes(b"".join(lines[:-1]))
            lines = lines[:-1]
        return {json.loads(line)["url"] for line in lines}
    except OSError as e:
        raise RecapError(f"Cannot write to {file}: {e.strerror}. Choose another folder with --out.") from e
    except (ValueError, KeyError, TypeError) as e:
        raise RecapError(f"{file} is damaged. Remove it, and run again.") from e


def _parsed(sandbox: Sandbox, page: Page) -> Row | None:
    if not page.html.strip():
        return None
    try:
        fields = sandbox.parse("html", page.html.encode("utf-8", "replace"), url=web_url(page.address), charset="utf-8")
    except ReadError:
        return None
    kept = {k: fields.get(k) for k in ("title", "text", "authors", "outlet", "published")}
    return kept if str(kept["text"] or "").strip() else None


def judged(item: Item, said: Said) -> dict[str, float]:
    """Judge an answer: right, missing (declined) or hallucinated. A false premise whose gold is "invalid question" is seldom
    answered so: declining it is missing, as the authors have it."""
    right = says(said, item.gold)
    return {
        "score": crag_points(right, said.declined),
        "accuracy": float(right),
        "missing": float(said.declined),
        "hallucination": float(not right and not said.declined),
    }


def markdown(summary: Row) -> str:
    """Lay the figures out beside those of the paper."""
    tables = [groups_table(summary[k], _HEADS, h, unit={"score"}) for k, h in (("types", "Type"), ("domains", "Domain"), ("changes", "Answer changes"))]  # fmt: skip
    return "\n".join(
        [
            "# CRAG", "", closing(summary), "", "\n\n".join(tables), "",
            "Right: says the gold or an alternative, whole, with no language model to judge: accuracy is a lower bound, "
            "hallucination an upper one.", "",
            "The definitions are those of Yang et al. 2024, arXiv 2406.04744; its figures are judged by language models.",
        ]
    )  # fmt: skip
