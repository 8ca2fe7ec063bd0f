"""Known facts: read them from JSONL or YAML, and check them against the articles that they are about.

A fact names its evidence as a document and a quote, never as a chunk: chunking anew must not break it. `answers` has
plain strings (aliases of one answer; for type `multi` each is an answer of its own and all must be said) or lists of
aliases (all lists must be met, by any alias each).
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

from eval.metrics import contains
from rag.errors import RecapError
from rag.types import Article, Chunk, Turn

FactType = Literal["fact", "multi", "temporal", "followup", "unanswerable", "false_premise", "wrong_edition"]
TYPES: tuple[FactType, ...] = get_args(FactType)
ANSWERABLE: tuple[FactType, ...] = ("fact", "multi", "temporal", "followup")
ENDINGS = (".jsonl", ".yaml", ".yml")
_SHOWN = 10  # problems listed in one error

_KEYS = frozenset(
    "id type as_of history question standalone answers must_not evidence correction cluster split pinned twin note".split()
)
_QUOTES = str.maketrans("‘’‚‛“”„‟′″", "''''\"\"\"\"'\"")


class FactsError(RecapError):
    """A fact file that cannot be used; says the file, the line and what to do."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a fact is said: `doc` is the article's URL or source, or the end of one after a slash ("vmas-2024.txt")."""

    doc: str
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A question whose right answer is known.

    `answers`: all groups must be said, by any alias each. `correction`: any of these corrects a false premise.
    `must_not`: what no right answer says. Facts of one `cluster` stand or fall together (the bootstrap draws clusters).
    `twin`: id of the true fact that a false-premise or wrong-edition one is paired with. `where` is "file:line".
    """

    id: str
    type: FactType
    question: str
    standalone: str | None = None
    as_of: date | None = None
    history: tuple[Turn, ...] = ()
    answers: tuple[tuple[str, ...], ...] = ()
    must_not: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    correction: tuple[str, ...] = ()
    cluster: str = ""
    split: str = "test"
    pinned: bool = False
    twin: str | None = None
    where: str = ""

    @property
    def answerable(self) -> bool:
        """Whether the coverage says it, so that declining is wrong."""
        return self.type in ANSWERABLE

    @property
    def gold(self) -> tuple[str, ...]:
        """Bare answers to compare a short answer with: the aliases, or the first of each group joined."""
        if len(self.answers) == 1:
            return self.answers[0]
        return (", ".join(group[0] for group in self.answers),) if self.answers else ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a fact: `where` is "file:line", `text` says what to do."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def load_facts(paths: Sequence[str | Path]) -> list[Fact]:
    """Read fact files, in order.

    Raises: FactsError with file, line and advice for everything that is wrong in them.
    """
    facts, problems = read_facts(paths)
    if problems:
        more = f"\n... and {len(problems) - _SHOWN} more." if len(problems) > _SHOWN else ""
        raise FactsError("\n".join(map(str, problems[:_SHOWN])) + more)
    if not facts:
        raise FactsError(f"No facts in {', '.join(map(str, paths))}. Put one fact a line (JSONL), or a YAML list.")
    return facts


def read_facts(paths: Sequence[str | Path]) -> tuple[list[Fact], list[Problem]]:
    """Read fact files: the facts that are sound, and what is wrong with the others."""
    facts: list[Fact] = []
    problems: list[Problem] = []
    for path in map(Path, paths):
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            problems.append(Problem(f"{path}", "not UTF-8 text. Save it as UTF-8."))
            continue
        except OSError as e:
            problems.append(Problem(f"{path}", f"{e.strerror or e}. Give the path of a .jsonl or .yaml file of facts."))
            continue
        if path.suffix.lower() not in ENDINGS:
            problems.append(Problem(f"{path}", f"not a fact file. Facts are read from {', '.join(ENDINGS)}."))
            continue
        rows = _jsonl(text, path) if path.suffix.lower() == ".jsonl" else _yaml(text, path)
        for where, row in rows:
            if isinstance(row, Problem):
                problems.append(row)
                continue
            found: list[Problem] = []
            fact = _fact(row, where, found)
            problems.extend(found)
            if fact is not None and not found:
                facts.append(fact)
    first: dict[str, str] = {}
    for f in facts:
        if f.id in first:
            problems.append(Problem(f.where, f"id {f.id!r} is taken by {first[f.id]}. Give one of them another id."))
        first.setdefault(f.id, f.where)
    return facts, problems


def _jsonl(text: str, path: Path) -> Iterable[tuple[str, Any]]:
    for n, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{n}"
        try:
            yield where, json.loads(line)
        except (json.JSONDecodeError, RecursionError) as e:
            reason = f"{e.msg} at column {e.colno}" if isinstance(e, json.JSONDecodeError) else "nested too deep"
            yield where, Problem(where, f"not JSON ({reason}). Put one JSON object on each line.")


def _yaml(text: str, path: Path) -> Iterable[tuple[str, Any]]:
    import yaml

    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return
        if isinstance(root, yaml.MappingNode):  # facts: [...]
            root = next((v for k, v in root.value if k.value == "facts"), root)
        if not isinstance(root, yaml.SequenceNode):
            where = f"{path}:{root.start_mark.line + 1}"
            yield where, Problem(where, "not a list of facts. Begin each fact with `- id:`.")
            return
        for node in root.value:
            yield f"{path}:{node.start_mark.line + 1}", loader.construct_object(node, deep=True)
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        yield where, Problem(where, f"not YAML ({getattr(e, 'problem', None) or e}). Correct the line.")
    except (ValueError, RecursionError) as e:  # a date such as 2024-02-31
        yield str(path), Problem(str(path), f"a value cannot be read ({e}). Correct it, or put it in quotes.")
    finally:
        loader.dispose()


def _fact(row: Any, where: str, problems: list[Problem]) -> Fact | None:
    def bad(text: str) -> None:
        problems.append(Problem(where, text))

    if not isinstance(row, dict):
        bad('not an object. A fact looks like {"id": ..., "type": ..., "question": ..., "answers": [...]}.')
        return None
    if unknown := sorted(str(k) for k in row if k not in _KEYS):
        bad(f"unknown key {', '.join(unknown)}. Known are {', '.join(sorted(_KEYS))}.")
    fact_type = row.get("type")
    if fact_type not in TYPES:
        bad(f"type {fact_type!r} is unknown. Use one of {', '.join(TYPES)}.")
        return None
    ident, question = _text(row, "id", bad, needed=True), _text(row, "question", bad, needed=True)
    evidence = _evidence(row.get("evidence"), bad)
    fact = Fact(
        id=ident,
        type=fact_type,
        question=question,
        standalone=_text(row, "standalone", bad) or None,
        as_of=_date(row.get("as_of"), bad),
        history=_history(row.get("history"), bad),
        answers=_answers(row.get("answers"), fact_type, bad),
        must_not=_texts(row, "must_not", bad),
        evidence=evidence,
        correction=_texts(row, "correction", bad),
        cluster=_text(row, "cluster", bad) or ident,
        split=_text(row, "split", bad) or "test",
        pinned=row.get("pinned") is True,
        twin=_text(row, "twin", bad) or None,
        where=where,
    )
    if not isinstance(row.get("pinned", False), bool):
        bad("pinned is not true or false.")
    if fact.answerable and not row.get("answers"):
        bad(f"a fact of type {fact.type} needs answers. List every form that counts as right.")
    if not fact.answerable and row.get("answers"):
        bad(f"a fact of type {fact.type} has no answers. Empty the list; put what sets it right under correction.")
    if fact.type == "followup" and not row.get("history"):
        bad("a follow-up needs history. Give the turns before the question.")
    if fact.type in ("wrong_edition", "false_premise") and not (fact.must_not or fact.correction):
        bad(f"a fact of type {fact.type} needs must_not or correction. Else any answer would pass.")
    return fact


def _text(row: Mapping[str, Any], key: str, bad: Callable[[str], None], *, needed: bool = False) -> str:
    value = row.get(key)
    if isinstance(value, (int, float, date)) and not isinstance(value, bool):
        value = str(value)  # YAML reads `2024` as a number and `2024-09-11` as a date
    if value is not None and not isinstance(value, str):
        bad(f"{key} is not text. Put it in quotes.")
        return ""
    if needed and not (value or "").strip():
        bad(f"{key} is missing.")
    return (value or "").strip()


def _texts(row: Mapping[str, Any], key: str, bad: Callable[[str], None]) -> tuple[str, ...]:
    value = row.get(key) or []
    if not isinstance(value, list):
        bad(f"{key} is not a list. Write [...].")
        return ()
    texts = tuple(_text({key: v}, key, bad) for v in value)
    if any(v is None or (isinstance(v, str) and not v.strip()) for v in value):
        bad(f"{key} has an empty entry. Take it out.")
    return tuple(t for t in texts if t)


def _answers(value: Any, fact_type: str, bad: Callable[[str], None]) -> tuple[tuple[str, ...], ...]:
    if not value:
        return ()
    if not isinstance(value, list):
        bad("answers is not a list. Write [...].")
        return ()
    if all(isinstance(v, list) for v in value):
        groups = [_texts({"answers": v}, "answers", bad) for v in value]
    elif fact_type == "multi":
        groups = [_texts({"answers": v if isinstance(v, list) else [v]}, "answers", bad) for v in value]
    elif any(isinstance(v, list) for v in value):
        bad("answers mixes text and lists. Use text for aliases of one answer, or a list for each answer.")
        return ()
    else:
        groups = [_texts({"answers": value}, "answers", bad)]
    if any(v == [] for v in value):
        bad("answers has an empty entry. Take it out.")
    return tuple(g for g in groups if g)


def _date(value: Any, bad: Callable[[str], None]) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value)[:10] if isinstance(value, date) else value)
    except (TypeError, ValueError):
        bad(f"as_of {value!r} is not a date. Write YYYY-MM-DD.")
        return None


def _history(value: Any, bad: Callable[[str], None]) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    for t in value if isinstance(value, list) else [] if value is None else [value]:
        if (
            not isinstance(t, dict)
            or t.get("role") not in ("user", "assistant")
            or not isinstance(t.get("content"), str)
        ):
            bad('history is not a list of turns. A turn is {"role": "user" or "assistant", "content": "..."}.')
            return ()
        turns.append(Turn(role=t["role"], content=t["content"]))
    return tuple(turns)


def _evidence(value: Any, bad: Callable[[str], None]) -> tuple[Evidence, ...]:
    found: list[Evidence] = []
    for e in value if isinstance(value, list) else [] if value is None else [value]:
        doc, quote = (e.get("doc"), e.get("quote")) if isinstance(e, dict) else (None, None)
        if not isinstance(doc, str) or not isinstance(quote, str) or not doc.strip() or not quote.strip():
            bad('evidence is not a list of quotes. A quote is {"doc": URL or file name, "quote": "..."}.')
            return ()
        found.append(Evidence(doc=doc.strip(), quote=quote))
    return tuple(found)


# --- facts and articles --------------------------------------------------------------------------------------------


def fold(text: str) -> str:
    """Fold what may differ between a quote and its article: white space, Unicode forms (NFKC), curly quotes."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_QUOTES).split())


def is_doc(doc: str, article: Article) -> bool:
    """Tell whether `doc` names the article: its URL or source, or the end of one after a slash."""
    return any(a == doc or a.endswith("/" + doc) for a in (article.url, article.source) if a)


def check_facts(
    facts: Sequence[Fact], articles: Sequence[Article], *, chunks: Callable[[str], Sequence[Chunk]] | None = None
) -> list[Problem]:
    """Compare facts with the articles: bad evidence, contradictions, missing twins, questions asked twice.

    `chunks` (article id -> its chunks) also finds quotes that no passage holds whole: nothing can count as retrieved.
    """
    problems: list[Problem] = []
    ids = {f.id for f in facts}
    folded: dict[str, str] = {}
    times = Counter((fold(f.question).lower(), f.as_of, f.history) for f in facts)
    said: set[tuple[object, ...]] = set()
    for f in facts:
        if f.answerable and not f.evidence:
            problems.append(Problem(f.where, f"{f.id} has no evidence. Quote the sentence that says it."))
        for e in f.evidence:
            docs = [a for a in articles if is_doc(e.doc, a)]
            if not docs:
                problems.append(
                    Problem(f.where, f"{f.id}: no article {e.doc} in the library. Ingest it, or correct doc.")
                )
                continue
            quote = fold(e.quote)
            holding = [a for a in docs if quote in folded.setdefault(a.id, fold(a.text))]
            if not holding:
                text = f"{f.id}: {e.doc} does not say {e.quote!r}. Copy the quote from the article as it stands."
                problems.append(Problem(f.where, text))
            elif chunks and not any(quote in fold(c.text) for a in holding for c in chunks(a.id)):
                text = f"{f.id}: no single passage of {e.doc} holds {e.quote!r}. Quote less, from one paragraph."
                problems.append(Problem(f.where, text))
        for bad in f.must_not:
            right = [a for group in f.answers for a in group] + list(f.correction)
            if clash := next((a for a in right if contains(a, bad)), None):
                problems.append(
                    Problem(f.where, f"{f.id}: {clash!r} is right and holds {bad!r}, which must not be said.")
                )
        if f.twin and f.twin not in ids:
            problems.append(Problem(f.where, f"{f.id}: its twin {f.twin!r} does not exist. Correct the id, or add it."))
        key = (fold(f.question).lower(), f.as_of, f.history)
        if times[key] > 1 and key in said:
            problems.append(Problem(f.where, f"{f.id}: the same question is asked twice. Remove one."))
        said.add(key)
    return problems
