"""Known facts: read them from JSONL or YAML, check them against the articles that they are about and with each other.

`facts.schema.json` beside this file describes one fact to editors.

A fact names its evidence as a document and a quote, never as a chunk: chunking anew must not break it. `answers` has
plain strings (aliases of one answer; for type `multi` each is an answer of its own and all must be said) or lists of
aliases (all lists must be met, by any alias each).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args

from eval.metrics import contains, words
from rag.errors import RecapError
from rag.types import Article, Chunk, Turn

FactType = Literal["fact", "multi", "temporal", "followup", "unanswerable", "false_premise", "wrong_edition"]
TYPES: tuple[FactType, ...] = get_args(FactType)
ANSWERABLE: tuple[FactType, ...] = ("fact", "multi", "temporal", "followup")
ENDINGS = (".jsonl", ".yaml", ".yml")
SCHEMA = Path(__file__).with_name("facts.schema.json")  # JSON Schema, draft 2020-12
FEW = 10  # facts of a type: its figure cannot be told from chance
_SHOWN = 10  # problems listed in one error
_ALIKE = 0.8  # of the letters of two words: perhaps one
_NEAR = 0.4  # of the words of a passage and a quote: perhaps meant
_LONG = 240  # characters of a passage that are shown
_LISTED = 5  # facts named in one note

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
    """Something wrong with a fact: `where` is "file:line", `text` says what to do.

    An "error" makes a fact judge falsely; a "note" is for a person to weigh.
    """

    where: str
    text: str
    level: Literal["error", "note"] = "error"

    def __str__(self) -> str:
        return f"{self.where}: {'note: ' if self.level == 'note' else ''}{self.text}"


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
            fact, found = parse_fact(row, where=where)
            problems.extend(found)
            if fact is not None:
                facts.append(fact)
    first: dict[str, str] = {}
    for f in facts:
        if f.id in first:
            problems.append(Problem(f.where, f"id {f.id!r} is taken by {first[f.id]}. Give one of them another id."))
        first.setdefault(f.id, f.where)
    return facts, problems


def parse_fact(row: Any, *, where: str = "") -> tuple[Fact | None, list[Problem]]:
    """Read one fact from what JSON or YAML gave: the fact, None when it is not sound, and what is wrong with it."""
    problems: list[Problem] = []
    fact = _fact(row, where, problems)
    return (None if problems else fact), problems


def _jsonl(text: str, path: Path) -> Iterable[tuple[str, Any]]:
    for n, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{n}"
        try:
            yield where, json.loads(line)
        except json.JSONDecodeError as e:
            yield where, _not_json(where, f"{e.msg} at column {e.colno}")
        except RecursionError:
            yield where, _not_json(where, "nested too deep")
        except ValueError:  # Python reads no number of more than 4,300 digits
            yield where, _not_json(where, "a number is too long")


def _not_json(where: str, reason: str) -> Problem:
    return Problem(where, f"not JSON ({reason}). Put one JSON object on each line.")


def _yaml(text: str, path: Path) -> Iterable[tuple[str, Any]]:
    import yaml

    loader: Any = None
    try:
        loader = yaml.SafeLoader(text)  # reads ahead: a control character is found here
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
        said = getattr(e, "problem", None) or getattr(e, "reason", None) or e
        yield where, Problem(where, f"not YAML ({said}). Correct the line.")
    except (ValueError, RecursionError) as e:  # a date such as 2024-02-31
        yield str(path), Problem(str(path), f"a value cannot be read ({e}). Correct it, or put it in quotes.")
    finally:
        if loader is not None:
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
    _text(row, "note", bad)
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
        if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise ValueError  # fromisoformat also takes 20240912 and 2024-W37-4
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
    """Compare facts with the articles and with each other: bad evidence, contradictions, missing twins, doubles.

    `chunks` (article id -> its chunks) also finds quotes that no passage holds whole: nothing can count as retrieved.
    Every problem is an error; `check_suite` has the notes.
    """
    problems: list[Problem] = []
    by_id = {f.id: f for f in facts}
    folded: dict[str, str] = {}
    first: dict[tuple[object, ...], Fact] = {}

    def text_of(a: Article) -> str:
        return folded.setdefault(a.id, fold(a.text))

    for f in facts:

        def bad(text: str, where: str = f.where) -> None:
            problems.append(Problem(where, text))

        if f.answerable and not f.evidence:
            bad(f"{f.id} has no evidence. Quote the sentence that says it.")
        for e in f.evidence:
            docs = [a for a in articles if is_doc(e.doc, a)]
            if not docs:
                bad(f"{f.id}: no article {e.doc} in the library. Ingest it, or correct doc.")
                continue
            if len({a.cluster or a.id for a in docs}) > 1:
                which = ", ".join(a.url or a.source for a in docs[:_LISTED])
                bad(f"{f.id}: {e.doc} names {len(docs)} articles ({which}). Give more of the URL or path.")
            quote = fold(e.quote)
            holding = [a for a in docs if quote in text_of(a)]
            if not holding:
                text = f"{f.id}: {e.doc} does not say {e.quote!r}. Copy the quote from the article as it stands."
                bad(text + _instead(e.quote, docs, [a for a in articles if quote in text_of(a)]))
            elif chunks and not any(quote in fold(c.text) for a in holding for c in chunks(a.id)):
                bad(f"{f.id}: no single passage of {e.doc} holds {e.quote!r}. Quote less, from one paragraph.")
        for barred in f.must_not:
            if clash := next((a for a in _right(f) if contains(a, barred)), None):
                bad(f"{f.id}: {clash!r} is right and holds {barred!r}, which must not be said.")
        if f.twin and f.twin not in by_id:
            bad(f"{f.id}: its twin {f.twin!r} does not exist. Correct the id, or add it.")
        elif f.twin and not f.answerable and not by_id[f.twin].answerable:
            bad(f"{f.id}: its twin {f.twin!r} has no answer either. Pair it with a fact that is true.")
        other = first.setdefault((words(f.question), f.as_of, f.history), f)
        if other is not f:
            bad(f"{f.id}: the same question is asked twice. Remove one.")
    return problems + _contradictions(facts)


def check_suite(facts: Sequence[Fact]) -> list[Problem]:
    """Note what weakens a suite: types without a pinned fact, few or most of a type, no twin, questions nearly alike."""
    from rag.retrieve.words import stems

    notes: list[Problem] = []

    def note(fact: Fact, text: str) -> None:
        notes.append(Problem(fact.where, text, "note"))

    of_type = {t: [f for f in facts if f.type == t] for t in TYPES}
    for fact_type, group in of_type.items():
        if not group:
            continue
        if not any(f.pinned for f in group):
            note(group[0], f"no fact of type {fact_type} is pinned, so none can fail a run. Pin one that must hold.")
        if len(group) < FEW:
            note(group[0], f"only {len(group)} of type {fact_type}: its figure cannot be told from chance. Add some.")
        if len(facts) >= FEW and len(group) > 2 * len(facts) / 3:
            note(group[0], f"{len(group)} of {len(facts)} facts are of type {fact_type}: it decides the mean alone.")
        lone = [f for f in group if not f.answerable and not f.twin]
        if lone:
            named = ", ".join(f"{f.id} (line {f.where.rpartition(':')[2]})" for f in lone[:_LISTED])
            more = f" and {len(lone) - _LISTED} more" if len(lone) > _LISTED else ""
            note(
                lone[0],
                f"{len(lone)} of type {fact_type} without a true twin: {named}{more}. "
                "Name one under twin: what declines everything would pass these.",
            )
    if facts and (absent := [t for t, group in of_type.items() if not group]):
        note(facts[0], f"no facts of type {', '.join(absent)}. Add some: what is not asked is not known.")
    asked = [(f, words(f.question), frozenset(stems(f.question))) for f in facts]
    for (f, one, said), (g, two, also) in combinations(asked, 2):
        if len(said ^ also) > 2 or one == two or (f.as_of, f.history) != (g.as_of, g.history):
            continue
        if said and _misspelt(said - also, also - said):
            note(g, f"{g.id} is nearly the question of {f.id}: {f.question!r}. Keep both only if that is the point.")
    return notes


def _right(f: Fact) -> list[str]:
    return [alias for group in f.answers for alias in group] + list(f.correction)


def _misspelt(some: frozenset[str], others: frozenset[str]) -> bool:
    """Tell whether words that only one of two questions has are the same but for a letter; true without any."""
    if len(some) != len(others) or any(c.isdigit() for w in some | others for c in w):
        return not some and not others
    return all(SequenceMatcher(None, a, b).ratio() >= _ALIKE for a, b in zip(some, others, strict=True))


def _contradictions(facts: Sequence[Fact]) -> list[Problem]:
    """Facts that ask the same on the same day and cannot both be right. A follow-up asks its standalone question."""
    groups: dict[tuple[object, ...], list[Fact]] = {}
    for f in facts:
        if f.history and not f.standalone:
            continue  # what it asks is not said
        groups.setdefault((words(f.standalone or f.question), f.as_of), []).append(f)
    found = []
    for group in groups.values():
        for f, g in combinations(group, 2):
            if why := _contradiction(f, g):
                text = f"{g.id} contradicts {f.id} ({f.where.rpartition('/')[2]}): {why}. Correct one of them."
                found.append(Problem(g.where, text))
    return found


def _contradiction(f: Fact, g: Fact) -> str:
    """Why the same question cannot be right in both facts, "" when it can."""
    if f.answerable != g.answerable:
        yes, no = (f, g) if f.answerable else (g, f)
        return f"{yes.id} has an answer, {no.id} says that there is none ({no.type})"
    for one, other in ((f, g), (g, f)):
        for barred in other.must_not:
            if clash := next((a for a in _right(one) if contains(a, barred)), None):
                return f"{clash!r} is right in {one.id}, and {other.id} bars {barred!r}"
    if not f.answers or not g.answers:
        return ""
    # the shorter list may be a part of the longer one; each of its answers must stand there in some form
    few, many = sorted((f.answers, g.answers), key=len)
    lacking = [x for x in few if not any(_same(x, y) for y in many)]
    return f"{lacking[0][0]!r} and {many[0][0]!r} cannot both be the answer" if lacking else ""


def _same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether two groups of aliases can be one answer: some form of either holds one of the other."""
    return any(contains(a, b) or contains(b, a) for a in one for b in other)


def _instead(quote: str, docs: Sequence[Article], holding: Sequence[Article]) -> str:
    """Where the quote stands, or the passage that comes nearest to it; "" when nothing comes near."""
    if holding:
        return f" {holding[0].url or holding[0].source} says it."
    from rag.answer.sentences import split_sentences

    want = words(quote)
    match = SequenceMatcher(None, b=want, autojunk=False)
    best, score = "", _NEAR
    for piece in (s for a in docs for line in a.text.split("\n") for s in split_sentences(line)):
        have = words(piece)
        if not have:
            continue
        match.set_seq1(have)
        if match.real_quick_ratio() <= score or match.quick_ratio() <= score:
            continue
        if (ratio := match.ratio()) > score:
            best, score = piece, ratio
    return f" Nearest: {best[:_LONG]!r}." if best else ""
