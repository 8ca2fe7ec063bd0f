"""What people thought of answers: one JSON line each in `LIBRARY/feedback.jsonl`, and the fact drafts made of them.

The file lies beside the library's SQLite file, so that a page that reads the library can keep feedback. What it does not
know: the page, how facts are judged. Drafts are written as `eval/facts.py` reads them.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from rag.errors import FeedbackError
from rag.types import Turn

if TYPE_CHECKING:
    from rag.store.library import Library
    from rag.types import Article, Chunk

Thumb = Literal["up", "down"]
Reason = Literal["", "wrong", "edition", "source", "refused", "unsaid", "incomplete", "other"]
Draft = dict[str, Any]

FILE = "feedback.jsonl"
MAX_BYTES = 20 << 20
MAX_WORDS = 2_000  # characters of a comment, a right answer, a question
MAX_ANSWER = 20_000  # characters
MAX_MESSAGE = 4_000  # characters of one message of the history
MAX_MESSAGES = 20
MAX_CITATIONS = 30
_WAIT_S = 5.0
_BARE_WORDS = 8  # an answer with more is a sentence, and no answer will say it word for word
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they turn a terminal's line around
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SAID = {  # reason -> what the note of a draft says of the answer
    "wrong": "wrong",
    "edition": "from another edition",
    "source": "badly sourced",
    "refused": "declined though the coverage says it",
    "unsaid": "given though the coverage does not say it",
    "incomplete": "incomplete",
    "other": "not good",
    "": "right",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A passage that the answer cited: `source` is its article's URL or source, "" when neither is known."""

    article_id: str
    quote: str
    source: str = ""
    start: int = 0
    end: int = 0
    verdict: str = ""
    marker: int = 0

    def __post_init__(self) -> None:
        for name in ("article_id", "quote", "source", "verdict"):
            _set(self, name, _clean(getattr(self, name), MAX_WORDS))
        for name in ("start", "end", "marker"):
            n = getattr(self, name)
            _set(self, name, n if type(n) is int and 0 <= n < 1 << 31 else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What a person thought of one answer, and the turn that it is about.

    `when` is UTC, ISO 8601 to the second (now when ""). `reason` says what is wrong ("" for up; "other" when a down gives
    none). `right_answer` is what the person says would be right. `history`: (role, content) pairs that stood before,
    oldest first. `scope` says in words what was searched ("" = everything). Texts are cut to their bounds and rid of
    control characters. `id` is given by `add`.

    Raises: FeedbackError for an unknown verdict, reason or role, a `when` that is no time, an empty question.
    """

    verdict: Thumb
    question: str
    reason: Reason = ""
    comment: str = ""
    right_answer: str = ""
    standalone: str = ""
    history: tuple[tuple[str, str], ...] = ()
    answer: str = ""
    short: str | None = None
    abstained: bool = False
    engine: str = ""
    scope: str = ""
    citations: tuple[Cited, ...] = ()
    when: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in ("up", "down"):
            raise FeedbackError("Feedback is a thumb up or a thumb down. Choose one.")
        if self.reason not in get_args(Reason):
            raise FeedbackError(f"That is no reason that Recap knows. Use one of {', '.join(get_args(Reason)[1:])}.")
        _set(self, "reason", "" if self.verdict == "up" else self.reason or "other")
        _set(self, "when", _time(self.when))
        _set(self, "question", " ".join(_clean(self.question, MAX_WORDS).split()))
        if not self.question:
            raise FeedbackError("There is no question that this feedback is about. Ask one first.")
        _set(self, "standalone", " ".join(_clean(self.standalone, MAX_WORDS).split()) or self.question)
        for name in ("comment", "right_answer", "engine", "scope"):
            _set(self, name, _clean(getattr(self, name), MAX_WORDS).strip())
        _set(self, "answer", _clean(self.answer, MAX_ANSWER))
        _set(self, "short", _clean(self.short, MAX_WORDS).strip() or None)
        _set(self, "abstained", self.abstained is True)
        _set(self, "id", self.id if isinstance(self.id, str) and _ID.fullmatch(self.id) else "")
        said = [(role, _clean(content, MAX_MESSAGE)) for role, content in self.history]
        if any(role not in ("user", "assistant") for role, _ in said):
            raise FeedbackError("The conversation before the answer cannot be read. Ask the question again.")
        _set(self, "history", tuple((role, content) for role, content in said if content.strip())[-MAX_MESSAGES:])
        _set(self, "citations", tuple(self.citations)[:MAX_CITATIONS])


def of_turn(
    turn: Mapping[str, Any],
    *,
    verdict: Thumb,
    reason: Reason = "",
    comment: str = "",
    right_answer: str = "",
    history: Iterable[Turn | tuple[str, str]] = (),
) -> Feedback:
    """Return feedback on a turn of a conversation, given as plain data (the keys of `ui/history.py`).

    What is missing or of another type is left out. Raises: FeedbackError.
    """
    return Feedback(
        verdict=verdict,
        reason=reason,
        comment=comment,
        right_answer=right_answer,
        question=turn.get("question", ""),
        standalone=turn.get("standalone", ""),
        history=tuple((t.role, t.content) if isinstance(t, Turn) else (t[0], t[1]) for t in history),
        answer=turn.get("text", ""),
        short=turn.get("short"),
        abstained=turn.get("abstained", False),
        engine=turn.get("engine", ""),
        scope=turn.get("scope", ""),
        citations=_citations(turn.get("citations")),
    )


def as_json(feedback: Feedback) -> dict[str, Any]:
    """Return the feedback as a line of the file has it."""
    history = [{"role": role, "content": content} for role, content in feedback.history]
    return asdict(feedback) | {"history": history}


# --- kept in the library ---------------------------------------------------------------------------------------------


def add(library_folder: Path, feedback: Feedback) -> str:
    """Append the feedback to the library's file, durably, and return its id.

    Safe beside any number of threads and processes that do the same, and with the library open for reading.
    Raises: FeedbackError (full or read-only disk, file full, busy); then nothing of it was written.
    """
    path = Path(library_folder) / FILE
    ident = secrets.token_hex(6)
    line = json.dumps(as_json(replace(feedback, id=ident)), ensure_ascii=False).encode() + b"\n"
    with _locked(path):
        if path.exists() and path.stat().st_size + len(line) > MAX_BYTES:
            raise FeedbackError(
                f"{path} holds {MAX_BYTES >> 20} MB of feedback and takes no more. Export it with "
                "`recap feedback --json > FILE`, then remove it."
            )
        _append(path, line)
    return ident


def read(library_folder: Path) -> list[Feedback]:
    """Return all feedback, oldest first. Raises: FeedbackError when the file cannot be opened."""
    return read_counted(library_folder)[0]


def read_counted(library_folder: Path) -> tuple[list[Feedback], int]:
    """Return all feedback, oldest first, and how many lines were skipped (torn, or something else).

    Raises: FeedbackError when the file cannot be opened.
    """
    path = Path(library_folder) / FILE
    found: dict[str, Feedback] = {}
    skipped = 0
    for line in _lines(path):
        feedback = _feedback(line)
        if feedback is None or feedback.id in found:
            skipped += bool(line.strip())
        else:
            found[feedback.id] = feedback
    return list(found.values()), skipped


def remove(library_folder: Path, feedback_id: str) -> bool:
    """Take one piece of feedback out for good; False when there is none with this id. Raises: FeedbackError."""
    path = Path(library_folder) / FILE
    if not path.exists():
        return False
    with _locked(path):
        lines = _lines(path)
        kept = [line for line in lines if not ((f := _feedback(line)) and f.id == feedback_id)]
        if len(kept) == len(lines):
            return False
        scratch = path.with_name(f"{FILE}.new")
        scratch.unlink(missing_ok=True)
        _append(scratch, b"".join(line + b"\n" for line in kept if line.strip()))
        scratch.replace(path)
        _sync_folder(path.parent)
    return True


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    folder = path.parent
    if not folder.is_dir():  # the lock would make it
        raise FeedbackError(f"The feedback was not kept: there is no library at {folder}. Name another with --library.")
    try:
        # A new lock each time: two threads that share one would both hold it.
        with FileLock(folder / "feedback.lock", timeout=_WAIT_S):
            yield
    except Timeout as e:
        raise FeedbackError(
            f"Other feedback is being written to {path}. Yours was not kept; send it again in a moment."
        ) from e
    except OSError as e:
        if e.errno in _FULL:
            raise FeedbackError(
                f"The disk is full: the feedback was not kept. Free some space for {folder}, then send it again."
            ) from e
        raise FeedbackError(
            f"The feedback was not kept: {path} cannot be written ({(e.strerror or str(e)).lower()}). "
            f"Check that {folder} is there and may be written to."
        ) from e


def _append(path: Path, data: bytes) -> None:
    """Append whole lines or nothing. A line that a crash left torn is ended first. Raises: OSError."""
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        size = os.fstat(fd).st_size
        if size:
            os.lseek(fd, size - 1, os.SEEK_SET)
            if os.read(fd, 1) != b"\n":
                data = b"\n" + data
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, size)
            raise
    finally:
        os.close(fd)
    if not size:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder durable, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _lines(path: Path) -> list[bytes]:
    """The lines of the file without their ends. Past the bound there is nothing of ours."""
    try:
        with path.open("rb") as f:
            return f.read(MAX_BYTES + 1).split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as e:
        raise FeedbackError(
            f"The feedback in {path} cannot be read: {(e.strerror or str(e)).lower()}. Check its permissions."
        ) from e


def _feedback(line: bytes) -> Feedback | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not row.get("when"):
        return None
    history = row.get("history")
    values = {k: row[k] for k in Feedback.__dataclass_fields__ if k in row and k not in ("history", "citations")}
    try:
        feedback = Feedback(
            history=tuple((t["role"], t["content"]) for t in history) if isinstance(history, list) else (),
            citations=_citations(row.get("citations")),
            **values,
        )
    except (FeedbackError, TypeError, KeyError):
        return None
    return feedback if feedback.id else None


def _citations(rows: Any) -> tuple[Cited, ...]:
    known = ("article_id", "quote", "start", "end", "verdict", "marker")
    return tuple(
        Cited(source=c.get("source") or c.get("url") or "", **{k: c[k] for k in known if k in c})
        for c in (rows if isinstance(rows, (list, tuple)) else ())
        if isinstance(c, Mapping) and c.get("article_id") and c.get("quote")
    )


def _time(when: Any) -> str:
    if not when:
        return datetime.now(UTC).isoformat(timespec="seconds")
    try:
        at = datetime.fromisoformat(when)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")
    except (TypeError, ValueError, OverflowError) as e:
        raise FeedbackError(f"{str(when)[:40]!r} is not a time. Write it as 2024-09-12T20:15:00+00:00.") from e


def _clean(text: Any, limit: int) -> str:
    """Cut a text to its bound, without what steers a terminal or tears a line apart."""
    if not isinstance(text, str):
        return ""
    flat = text[: 2 * limit].replace("\u2028", "\n").replace("\u2029", "\n").replace("\x85", "\n")
    kept = (c for c in flat if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in _BIDI))
    return "".join(kept)[:limit]


def _set(frozen: Any, name: str, value: Any) -> None:
    object.__setattr__(frozen, name, value)


# --- fact drafts -----------------------------------------------------------------------------------------------------


def drafts(feedbacks: Iterable[Feedback], library: Library | None = None, *, include_up: bool = False) -> list[Draft]:
    """Return the facts that the feedback makes, as `eval/facts.py` reads them; each has a `note` on what to check.

    `library` is where the evidence is looked up. A down makes a draft when it says what is right, or that an answer was
    given that is not; an up only with `include_up`. The same question with the same answer counts once, and one that
    nobody answered gives way to one that somebody did.
    """
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], Draft] = {}
    for f in feedbacks:
        kind, right = _kind(f, include_up=include_up)
        key = (_words(f.standalone), _words(right))
        if kind and key not in found:
            found[key] = _draft(f, kind, right, library)
    answered = {question for question, right in found if right}
    return [d for (question, right), d in found.items() if right or question not in answered]


def write_facts(path: Path, rows: Sequence[Draft]) -> int:
    """Append the drafts whose id a fact file does not hold yet, and return how many; what it holds stays as it is.

    Raises: FeedbackError when it is no .jsonl file, holds something else, or cannot be written.
    """
    if path.suffix.lower() != ".jsonl":
        raise FeedbackError(f"{path} is not a .jsonl file. Drafts are written as JSON lines; name it so.")
    try:
        known = _ids(path)
        new = [row for row in rows if row["id"] not in known]
        if new:
            _append(path, b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in new))
    except OSError as e:
        why = "the disk is full" if e.errno in _FULL else (e.strerror or str(e)).lower()
        raise FeedbackError(f"{path} cannot be written: {why}. Nothing of it was changed; name another file.") from e
    return len(new)


def _ids(path: Path) -> set[str]:
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except FileNotFoundError:
        return set()
    ids = set()
    for n, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or "id" not in row or "question" not in row or "type" not in row:
            raise FeedbackError(f"{path} line {n} is not a fact. Correct it, or name another file.")
        ids.add(str(row["id"]))
    return ids


def _kind(f: Feedback, *, include_up: bool) -> tuple[str, str]:
    """The type of the fact that this makes ("" for none), and its right answer ("" for none)."""
    answerable = "followup" if f.history else "fact"
    given = bool(f.answer.strip()) and not f.abstained
    if f.verdict == "up":
        if not include_up:
            return "", ""
        if f.abstained:
            return "unanswerable", ""
        return (answerable, f.short) if f.short and _words(f.short) else ("", "")
    if f.reason == "unsaid":
        return ("unanswerable", "") if given else ("", "")
    if _words(f.right_answer):
        return answerable, " ".join(f.right_answer.split())
    if f.reason == "edition" and given and f.short:
        return "wrong_edition", ""
    return ("unanswerable", "") if f.reason in ("wrong", "edition") and given else ("", "")


def _draft(f: Feedback, kind: str, right: str, library: Library | None) -> Draft:
    evidence, looked_up = _evidence(f, right, library) if right else ([], False)
    must_not = []
    if f.verdict == "down" and f.short and f.reason in ("wrong", "edition", "unsaid"):
        must_not = [] if _holds(right, f.short) else [f.short]
    draft: Draft = {
        "id": f"feedback-{f.id}",
        "type": kind,
        "as_of": f.when[:10],
        "history": as_json(f)["history"],
        "question": f.question,
        "standalone": f.standalone,
        "answers": [right] if right else [],
        "must_not": must_not,
        "evidence": evidence,
        "split": "dev",  # drawn from what went wrong: nothing to report a rate on
        "note": _note(f, kind, right, found=bool(evidence), looked_up=looked_up),
    }
    return {k: v for k, v in draft.items() if v}


def _note(f: Feedback, kind: str, right: str, *, found: bool, looked_up: bool) -> str:
    said = [f"Draft from feedback of {f.when[:10]} (the answer was {_SAID[f.reason]}). Check it before it counts."]
    if f.comment:
        said.append(f"They wrote: “{' '.join(f.comment.split())[:300]}”.")
    if kind == "wrong_edition":
        said.append(
            "Declining counts as right. If the coverage has the edition asked for, make it a fact with answers."
        )
    elif not right and f.verdict == "down" and f.reason != "unsaid":
        said.append("Nobody said what is right, so declining counts as right. If the coverage says it, make it a fact.")
    if len(_words(right)) > _BARE_WORDS:
        said.append("Shorten answers to the bare name, date or figure: an answer must say it word for word.")
    if right and f.reason == "incomplete":
        said.append("If these are several answers, make it type multi and list each.")
    if right and not found:
        said.append("Add evidence: no passage that says it was found.")
    elif looked_up:
        said.append("The evidence was looked up, not cited: check that it says so.")
    if f.scope:
        said.append(f"It was asked of {f.scope} alone; the eval asks everything.")
    return " ".join(said)


def _evidence(f: Feedback, right: str, library: Library | None) -> tuple[list[dict[str, str]], bool]:
    """Quotes that say the right answer, and whether they were looked up: the cited ones, else one from the library."""
    articles = library.articles_by_id(c.article_id for c in f.citations) if library else {}
    quotes = []
    for c in f.citations:
        a = articles.get(c.article_id)
        doc = _doc(a) if a else "" if library else c.source
        says = _holds(c.quote, right) or (f.verdict == "up" and c.verdict == "supported")
        if doc and says and (library is None or _stands(c.quote, library.chunks(c.article_id))):
            quotes.append({"doc": doc, "quote": c.quote})
    if quotes or library is None:
        return [q for i, q in enumerate(quotes) if q not in quotes[:i]], False
    from rag.retrieve.words import content_words

    cited = [chunk for article_id in articles for chunk in library.chunks(article_id)]
    found = _best(cited, f.standalone, right)
    if found is None:
        ranked = [i for i, _ in library.search_text(content_words(f"{f.standalone} {right}"), limit=50)]
        by_id = library.chunks_by_id(ranked)
        found = _best([by_id[i] for i in ranked if i in by_id], f.standalone, right)
    if found is None:
        return [], False
    chunk, quote = found
    article = articles.get(chunk.article_id) or library.article(chunk.article_id)
    return ([{"doc": _doc(article), "quote": quote}], True) if article else ([], False)


def _best(chunks: Iterable[Chunk], question: str, right: str) -> tuple[Chunk, str] | None:
    """The sentence that says the right answer beside most words of the question; of equal ones the first.

    One without any such word is none: a name alone stands in many a passage that says something else of it.
    """
    from rag.answer.sentences import split_sentences
    from rag.retrieve.words import content_words, stem, stems

    asked = {stem(w) for w in content_words(question)}
    found: tuple[int, Chunk, str] | None = None
    for chunk in chunks:
        for line in chunk.text.split("\n"):
            # A sentence that does not hold it whole (an answer of two sentences) leaves its line.
            for quote in [s for s in split_sentences(line) if s in line and _holds(s, right)] or [line.strip()]:
                if not _holds(quote, right):
                    continue
                beside = len(asked & set(stems(quote)))
                if beside > (found[0] if found else 0):
                    found = (beside, chunk, quote)
    return found[1:] if found else None


def _doc(article: Article) -> str:
    """What names an article in a fact: its URL, or the name of its file, the same on every machine."""
    if article.url:
        return article.url
    return article.source.rsplit("/", 1)[-1] if article.source.startswith("file://") else article.source


def _stands(quote: str, chunks: Iterable[Chunk]) -> bool:
    """Tell whether a passage holds the quote still: the article may have changed since."""
    flat = " ".join(quote.split())
    return any(flat in " ".join(chunk.text.split()) for chunk in chunks)


def _holds(text: str, phrase: str) -> bool:
    want = " ".join(_words(phrase))
    return bool(want) and f" {want} " in f" {' '.join(_words(text))} "


def _words(text: str) -> tuple[str, ...]:
    """Bare words as `eval.metrics.words` has them, which judges the draft; a test holds the two together."""
    text = unicodedata.normalize("NFKD", text.replace("’", "'")).casefold()
    text = unicodedata.normalize("NFC", "".join(c for c in text if not unicodedata.combining(c)))
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"\b([^\W\d_])\.(?=[^\W\d_]\b)", r"\1", text)
    every = tuple(re.findall(r"[぀-ヿ㐀-鿿가-힯]|[^\W_぀-ヿ㐀-鿿가-힯]+", text))
    return tuple(w for w in every if w not in ("a", "an", "the")) or every
