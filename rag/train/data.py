"""Training files -> questions with the passages that hold their answers. Pure but for reading the files.

Formats: SQuAD 1.1 JSON, CLAPNQ JSONL (both gzipped or not), and lessons: JSON Lines of an article with its questions.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any

from rag.errors import RecapError
from rag.model.reader import header_of

LESSONS = Path(__file__).parent / "lessons"
Span = tuple[int, int]  # characters of the passage


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that may hold answers. `article` groups passages of one document; `header` is its title and date."""

    corpus: str
    article: str
    header: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what was marked for it.

    `passage` (an index) says the answer, at any of `spans`; None when no passage does. With a passage but no spans, the
    passage answers and nobody marked where. `not_in` are passages that were read for it and do not say.
    """

    text: str
    corpus: str
    passage: int | None
    spans: tuple[Span, ...] = ()
    answers: tuple[str, ...] = ()
    not_in: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Lessons:
    """Passages, and the questions on them. `apart`: articles that are held out, and are no near misses either."""

    passages: list[Passage]
    questions: list[Question]
    apart: frozenset[str] = frozenset()


def load(folder: Path, *, own: Path = LESSONS) -> Lessons:
    """Read every training file of `folder`, and the project's own lessons. Raises: RecapError."""
    found = Lessons([], [])
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        name = path.name.removesuffix(".gz")
        if name.startswith("xquad"):
            continue  # the test set
        if name.endswith(".json"):
            _squad(path, name.removesuffix(".json"), found)
        elif name.endswith(".jsonl") and name.startswith("clapnq"):
            _clapnq(path, found)
    if not found.questions:
        raise RecapError(f"No training files in {folder}: SQuAD-format *.json(.gz) or clapnq*.jsonl(.gz) are read.")
    for path in sorted(own.glob("*.jsonl")):
        _lessons(path, found)
    return found


def squad_questions(path: Path) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Yield (title, context, question, answers) of a SQuAD-format file. Raises: RecapError."""
    for title, context, qas in _paragraphs(path):
        for qa in qas:
            yield title, context, qa["question"], tuple(a["text"] for a in qa["answers"])


def _open(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _paragraphs(path: Path) -> Iterator[tuple[str, str, list[Any]]]:
    try:
        with _open(path) as f:
            articles = json.load(f)["data"]
        for article in articles:
            for paragraph in article["paragraphs"]:
                yield article.get("title", ""), paragraph["context"], paragraph["qas"]
    except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError) as e:
        raise RecapError(f"{path} is not a SQuAD-format file ({type(e).__name__}: {e}).") from e


def _squad(path: Path, corpus: str, found: Lessons) -> None:
    wiki = "wiki" in corpus
    for title, context, qas in _paragraphs(path):
        n = len(found.passages)
        article = title if wiki else f"{corpus}/{n}"  # elsewhere a title groups what has nothing in common
        found.passages.append(Passage(corpus, article, title.replace("_", " ") if wiki else "", context))
        for qa in qas:
            spans = {
                (a["answer_start"], a["answer_start"] + len(a["text"])) for a in qa["answers"] if a["text"].strip()
            }
            sound = tuple(sorted(s for s in spans if s[1] <= len(context)))
            texts = tuple(sorted({context[s:e] for s, e in sound}))
            if sound:
                found.questions.append(Question(qa["question"].strip(), corpus, n, sound, texts))


def _clapnq(path: Path, found: Lessons) -> None:
    try:
        with _open(path) as f:
            rows = [json.loads(line) for line in f if line.strip()]
    except (OSError, EOFError, ValueError, RecursionError) as e:
        raise RecapError(f"{path} is not a CLAPNQ file ({type(e).__name__}: {e}).") from e
    for row in rows:
        given = row["passages"][0]
        n = len(found.passages)
        found.passages.append(
            Passage("clapnq", f"clapnq/{given['title']}", given["title"], _untokenized(given["text"]))
        )
        said = any(o.get("answer") for o in row.get("output", ()))
        found.questions.append(
            Question(row["input"].strip(), "clapnq", n if said else None, not_in=() if said else (n,))
        )


def _untokenized(text: str) -> str:
    """Put "( 25 August ) , it 's" back together as it was written."""
    text = text.replace("``", '"').replace("''", '"').replace("-LRB-", "(").replace("-RRB-", ")")
    text = re.sub(r"\s+([,.;:!?)%]|'s\b|n't\b|'\s)", r"\1", text)
    return re.sub(r"([(])\s+|\s+([-–])\s+(?=\w)", lambda m: m.group(1) or m.group(2), text).strip()


def _lessons(path: Path, found: Lessons) -> None:
    """Cut each article as the library cuts it; an answer is where it stands first, or inside of `at`."""
    from rag.config import Config
    from rag.ingest.chunk import chunk
    from rag.types import Article

    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, title = row["text"], row["title"]
            published = date.fromisoformat(row["published"]) if row.get("published") else None
            asked = [(q["q"], tuple(q["a"]), q.get("at")) for q in row["questions"]]
        except (ValueError, KeyError, TypeError, RecursionError) as e:
            raise RecapError(f"{path}:{number} is not a lesson ({type(e).__name__}: {e}).") from e
        name = f"{path.stem}/{number}"
        article = Article(id=name, source=name, title=title, text=text, published=published)
        chunks = chunk(article, chunk_tokens=Config().chunk_tokens)
        header = header_of(title, published)
        first = len(found.passages)
        found.passages.extend(Passage("lessons", name, header, c.text) for c in chunks)
        for q, answers, at in asked:
            where = _places(text, answers, at)
            if answers and not where:
                raise RecapError(f"{path}:{number}: an answer to {q!r} is not in the text.")
            inside: dict[int, list[Span]] = {}
            for n, c in enumerate(chunks):
                for begin, end in where:
                    if c.start <= begin and end <= c.end:
                        inside.setdefault(n, []).append((begin - c.start, end - c.start))
            # What was not marked may say it in other words still: what holds the answer's words is left out.
            silent = [
                n for n, c in enumerate(chunks) if n not in inside and not any(_whole(a, c.text) for a in answers)
            ]
            others = tuple(first + n for n in silent)
            if not answers:
                found.questions.append(Question(q, "lessons", None, not_in=others))
            elif inside:
                n, spans = next(iter(inside.items()))
                found.questions.append(Question(q, "lessons", first + n, tuple(spans), answers, others))


def _places(text: str, answers: tuple[str, ...], at: str | None) -> list[Span]:
    base = text.find(at) if at else 0
    scope = text[base : base + len(at)] if at else text
    found = [(m, a) for a in answers if (m := _whole(a, scope)) and base >= 0]
    return [(base + m.start(), base + m.end()) for m, _ in found]


def _whole(answer: str, text: str) -> re.Match[str] | None:
    """Find an answer where it is no part of a longer word: "ham" is not in "champion"."""
    return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text)


def held_out(lessons: Lessons) -> tuple[Lessons, Lessons]:
    """Split into (for training, for calibration and choice): by documents, one in ten Wikipedia pages and lessons."""
    names = {p.article for p in lessons.passages if "wiki" in p.corpus or p.corpus == "lessons"}
    # By the name's own hash: a lesson that is added moves no other to the other side.
    apart = {n for n in names if hashlib.sha256(n.encode()).digest()[0] % 10 == 4}
    sides: tuple[list[Question], list[Question]] = ([], [])
    for q in lessons.questions:
        of = q.passage if q.passage is not None else q.not_in[0] if q.not_in else None
        sides[of is not None and lessons.passages[of].article in apart].append(q)
    return Lessons(lessons.passages, sides[0], frozenset(apart)), Lessons(lessons.passages, sides[1])
