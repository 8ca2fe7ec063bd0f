"""Questions with the articles that answer them, in RealTimeQA's shape: read, sampled, judged. No system is known here.

A folder holds `articles.jsonl` (or .gz: url, title, text, authors, published) and `questions.jsonl` (id, date, question,
answer, urls, answer_urls). What else a line holds, an `evidence` text above all, is not even kept.
Source: Kasai et al. 2023, RealTime QA (generation setting).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from eval.metrics import hit_at, holds_answer, mrr_at, ndcg_at
from rag.errors import RecapError

ARTICLES = ("articles.jsonl", "articles.jsonl.gz")
QUESTIONS = "questions.jsonl"
WORDS = 800  # what five passages of 160 words hold
WITHIN = f"hit in {WORDS} words"
METRICS = ("hit@1", "hit@5", "hit@10", "MRR@10", "nDCG@10", WITHIN, "article MRR@10")
_KEPT = ("url", "title", "text", "authors", "published")
_QUESTIONS_OF = 5  # articles a question in a sample: about three are its own, the others are in the way

ArticleRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """A question asked on `date`. `urls`: what a news search returned for it; `answer_urls`: those that say the answer."""

    id: str
    date: date
    text: str
    answer: str
    urls: tuple[str, ...]
    answer_urls: tuple[str, ...]

    @property
    def quiz(self) -> str:
        """The quiz that it was part of: questions of one quiz are of one week's news, and not independent."""
        return self.id.rpartition("_")[0] or self.id


@dataclass(frozen=True, slots=True)
class Passage:
    """What a system returned: a text of the article at `url`. `copies`: other articles that carry it, where it knows."""

    url: str
    text: str
    id: str = ""
    copies: tuple[str, ...] = ()


# --- reading ----------------------------------------------------------------------------------------------------------


def load(folder: Path) -> tuple[list[ArticleRow], list[Question]]:
    """Read the articles, and the questions that one of them answers, in the order of the files.

    An article that stands there twice counts once. Raises: RecapError.
    """
    if not folder.is_dir():
        raise RecapError(f"There is no folder {folder}. Name one that holds {ARTICLES[0]}[.gz] and {QUESTIONS}.")
    file = next((folder / n for n in ARTICLES if (folder / n).is_file()), None)
    if file is None:
        raise RecapError(f"There is no {ARTICLES[0]} or {ARTICLES[1]} in {folder}. Put one there, an article a line.")
    articles: dict[str, ArticleRow] = {}
    for where, row in _lines(file):
        for key in ("url", "text"):
            if not isinstance(row.get(key), str) or not row[key].strip():
                raise RecapError(f'{where} has no "{key}". Each line needs url, title, text, authors, published.')
        articles.setdefault(row["url"], {k: row.get(k) for k in _KEPT})
    if not articles:
        raise RecapError(f"{file} is empty. Put an article on each line: url, title, text, authors, published.")
    questions = load_questions(folder / QUESTIONS, articles)
    if not questions:
        raise RecapError(
            f"No question in {folder / QUESTIONS} has an answer_url that is among the articles: nothing can be scored. "
            "Check that both files belong together."
        )
    return list(articles.values()), questions


def load_questions(file: Path, articles: Iterable[str] | None = None, *, answered: bool = True) -> list[Question]:
    """Read the questions of a file that one of `articles` (URLs; None: whatever it names) answers.

    `answered=False`: those that none answers too. Raises: RecapError.
    """
    if not file.is_file():
        raise RecapError(f"There is no {file.name} in {file.parent}. Put one there, a question a line.")
    known = None if articles is None else set(articles)
    out = []
    for where, row in _lines(file):
        try:
            question = Question(
                id=_text(row, "id"),
                date=date.fromisoformat(_text(row, "date")),
                text=_text(row, "question"),
                answer=_text(row, "answer"),
                urls=tuple(u for u in row.get("urls") or () if known is None or u in known),
                answer_urls=tuple(u for u in row.get("answer_urls") or () if known is None or u in known),
            )
        except (KeyError, TypeError, ValueError) as e:
            told = f"has no {e}" if isinstance(e, KeyError) else f"cannot be used: {e}"
            raise RecapError(
                f"{where} {told}. Each line needs id, date (YYYY-MM-DD), question, answer, urls, answer_urls."
            ) from e
        if question.answer_urls or not answered:
            out.append(question)
    if len({q.id for q in out}) != len(out):
        raise RecapError(f"{file} has an id twice. Give each question its own.")
    return out


def _text(row: Mapping[str, Any], key: str) -> str:
    if not isinstance(row[key], str):
        raise ValueError(f'"{key}" is not a text')
    return str(row[key])


def _lines(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) of each line that is not empty."""
    number = 0
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as f:
            for number, line in enumerate(f, start=1):
                if not line.strip(b"\xef\xbb\xbf \t\r\n"):
                    continue
                where = f"Line {number} of {file}"
                try:
                    row = json.loads(line.decode("utf-8-sig"))
                except (ValueError, RecursionError) as e:
                    raise RecapError(f"{where} is not JSON. Correct it, or take it out.") from e
                if not isinstance(row, dict):
                    raise RecapError(f"{where} is not a JSON object. Correct it, or take it out.")
                yield where, row
    except (OSError, EOFError, zlib.error) as e:
        raise RecapError(f"{file} cannot be read after line {number} ({type(e).__name__}). Get it again.") from e


# --- sampling ---------------------------------------------------------------------------------------------------------


def sample(
    articles: Sequence[ArticleRow],
    questions: Sequence[Question],
    *,
    n_articles: int | None = None,
    n_questions: int | None = None,
    seed: int = 1,
) -> tuple[list[ArticleRow], list[Question]]:
    """Draw questions, then the articles that answer them, then what else was found for them, then others.

    A question is left out when its own articles no longer fit. Both lists keep the order of the files; of few articles
    a fifth as many questions are drawn unless `n_questions` is given. Raises: RecapError when no question fits.
    """
    if n_articles is not None and n_questions is None and n_articles < len(articles):
        n_questions = max(1, n_articles // _QUESTIONS_OF)
    rng = random.Random(seed)  # noqa: S311
    drawn = list(questions) if n_questions is None else rng.sample(questions, min(n_questions, len(questions)))
    if n_articles is None or n_articles >= len(articles):
        ids = {q.id for q in drawn}
        return list(articles), [q for q in questions if q.id in ids]
    chosen: dict[str, None] = {}
    kept = set()
    for q in drawn:
        more = [u for u in q.answer_urls if u not in chosen]
        if len(chosen) + len(more) <= n_articles:
            chosen.update(dict.fromkeys(more))
            kept.add(q.id)
    if not kept:
        raise RecapError(f"No question fits into {n_articles} articles. Choose more with --articles.")
    longest = max((len(q.urls) for q in drawn), default=0)
    near = [q.urls[i] for i in range(longest) for q in drawn if q.id in kept and i < len(q.urls)]
    others = [a["url"] for a in articles]
    rng.shuffle(others)
    for url in (*near, *others):
        if len(chosen) == n_articles:
            break
        chosen.setdefault(url)
    return [a for a in articles if a["url"] in chosen], [q for q in questions if q.id in kept]


def digest(articles: Sequence[ArticleRow]) -> str:
    """Identify a list of articles by what they say: 12 hex digits."""
    made = hashlib.sha256()
    for a in articles:
        made.update(json.dumps(a, sort_keys=True, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    return made.hexdigest()[:12]


def write(folder: Path, articles: Sequence[ArticleRow], questions: Sequence[Question]) -> None:
    """Write both files into a folder, as `load` reads them, unless the same articles stand there."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / ARTICLES[0]
    if not file.is_file():
        scratch = folder / f"{ARTICLES[0]}.new"
        with scratch.open("w", encoding="utf-8", errors="backslashreplace") as f:
            f.writelines(json.dumps(a, ensure_ascii=False) + "\n" for a in articles)
        scratch.replace(file)
    rows = [asdict(q) | {"question": q.text, "date": q.date.isoformat()} for q in questions]
    (folder / QUESTIONS).write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")


# --- judging ----------------------------------------------------------------------------------------------------------


def judge(question: Question, passages: Sequence[Passage], own: Iterable[str]) -> dict[str, Any]:
    """What the first ten passages for a question are worth, one value a metric.

    A passage is right if it is of an article that answers the question and says the answer. `own` are all passages of
    those articles in the system's index: the best possible order has the right ones among them first; if none says the
    answer (it was cut in two), nDCG is 0. Two metrics do not reward long passages: `hit in 800 words` cuts the ranked
    passages off after as many words; `article MRR@10` is the rank of the first article that answers the question among
    the articles of the ten passages, whatever the passage says.
    """
    passages = passages[:10]
    answers = set(question.answer_urls)
    says = [holds_answer(p.text, question.answer) for p in passages]
    gains = [p.url in answers and s for p, s in zip(passages, says, strict=True)]
    shared = [(p.url in answers or bool(answers & {*p.copies})) and s for p, s in zip(passages, says, strict=True)]
    # a system may join passages of its index: together they may say what none of them says alone
    relevant = max(sum(holds_answer(text, question.answer) for text in own), sum(gains))
    ranked = list(dict.fromkeys(p.url for p in passages))
    return {
        **{f"hit@{k}": hit_at(gains, k) for k in (1, 5, 10)},
        "MRR@10": mrr_at(gains),
        "nDCG@10": ndcg_at(gains, relevant) or 0.0,
        WITHIN: hit_at([p.url in answers and holds_answer(p.text, question.answer) for p in first_words(passages)], 10),
        "article MRR@10": mrr_at([u in answers for u in ranked]),
        "hit@5, copies too": hit_at(shared, 5),
        "relevant": relevant,
        "words": [len(p.text.split()) for p in passages],
        "hits": [
            {"url": p.url, "id": p.id, "says": s, "right": g} for p, s, g in zip(passages, says, gains, strict=True)
        ],
    }


def first_words(passages: Sequence[Passage], limit: int = WORDS) -> list[Passage]:
    """Return the passages, best first, as far as `limit` words reach; the last one is cut."""
    out = []
    for p in passages:
        words = p.text.split()[:limit]
        if words:
            out.append(replace(p, text=" ".join(words)))
        limit -= len(words)
    return out
