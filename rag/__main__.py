"""The command line: `recap` (= `python -m rag`). Thin: it reads words, calls the engine, and writes text or JSON.

Exit status: 0 done; 1 something was rejected, not found or found wrong, or a line of a batch was bad; 2 it could not be
done (one sentence on stderr says why); 130 stopped by Ctrl+C.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rag.errors import ConfigError, EmbedError, LibraryError, RecapError

if TYPE_CHECKING:
    from datetime import date

    from rag.config import Config
    from rag.feedback import Feedback
    from rag.ingest.pipeline import IngestReport, Progress
    from rag.store.backup import Backup
    from rag.store.library import Library
    from rag.types import Answer, Article, Hit, Turn

STOPPED = 130  # 128 + SIGINT, as shells have it
Json = dict[str, Any]


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter is no reason to fail
    try:
        status = _run(words)
        sys.stdout.flush()
        return status
    except RecapError as e:
        _complain(str(e))
        return 2
    except KeyboardInterrupt:
        _complain("Stopped.")
        return STOPPED
    except BrokenPipeError:  # who was reading has gone, and wants no more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as e:
        if os.environ.get("RECAP_DEBUG"):
            raise
        _complain(_unexpected(e))
        return 2


def _run(words: list[str]) -> int:
    if (rest := _eval_words(words)) is not None:
        from eval.__main__ import main

        return main(rest)
    args = _parser().parse_args(words)
    command: Callable[[argparse.Namespace], int] = args.run
    return command(args)


def _eval_words(words: Sequence[str]) -> list[str] | None:
    """Return what `recap [--library DIR] eval ...` hands on to `python -m eval`, None for any other command."""
    before: list[str] = []
    at = 0
    while at < len(words) and words[at].startswith("--library"):
        n = 1 if "=" in words[at] else 2
        before += words[at : at + n]
        at += n
    if at >= len(words) or words[at] != "eval":
        return None
    rest = list(words[at + 1 :])
    return rest if rest[:1] == ["compare"] else rest[:1] + before + rest[1:] if rest[:1] == ["check"] else before + rest


def _parser() -> argparse.ArgumentParser:
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument(
        "--library",
        metavar="DIR",
        default=argparse.SUPPRESS,  # else a subcommand's default would hide what stands before it
        help="the library (default: $RECAP_LIBRARY, else ./.recap)",
    )
    parser = argparse.ArgumentParser(
        "recap",
        description="Ask about events; get a dated answer with the exact passage that says so.",
        parents=[everywhere],
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, does: Callable[[argparse.Namespace], int] | None, help: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".", parents=[everywhere])
        made.set_defaults(run=does)
        return made

    p = command(
        "ingest", _ingest, "read articles into the library: files, folders, globs, web pages, feeds, .jsonl[.gz]"
    )
    p.add_argument("locations", nargs="+", metavar="PATH_OR_URL")
    p.add_argument("--if-empty", action="store_true", help="only when the library holds no article yet")
    _json_flag(p)

    p = command("ask", _ask, "answer a question from the coverage, with the passages that say so")
    _question_flags(p)
    p.add_argument("--llm", metavar="NAME", help="none, auto, or PROVIDER:MODEL (default: $RECAP_LLM, else auto)")

    p = command("search", _search, "find the passages for a question, best first")
    _question_flags(p)
    p.add_argument("--top-k", type=_positive, metavar="N", help="how many passages (default: 8)")

    p = command("articles", _articles, "list the articles in the library")
    _json_flag(p)

    p = command("remove", _remove, "take articles out of the library")
    p.add_argument("articles", nargs="+", metavar="ID_OR_URL")
    _json_flag(p)

    p = command("chat", _chat, "open the chat in a browser")
    p.add_argument("--host", help="address to listen on (default 127.0.0.1; any other needs RECAP_AUTH)")
    p.add_argument("--port", type=int, help="port to listen on (default 7860; 0 takes a free one)")
    p.add_argument("--llm", metavar="NAME", help="none, auto, or PROVIDER:MODEL (default: $RECAP_LLM, else auto)")
    p.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    p.add_argument("--read-only", action="store_true", default=None, help="the page adds and removes nothing")

    command("password", _password, "make the hash of a password, for RECAP_AUTH")

    command("eval", None, "put known facts to the library and judge the answers (see `recap eval --help`)")

    p = command("feedback", _feedback, "list what people thought of answers, or make fact drafts of it")
    only = p.add_mutually_exclusive_group()
    only.add_argument("--json", action="store_true", help="write it all as JSON lines")
    only.add_argument("--facts", metavar="FILE", help="add the new fact drafts to FILE (.jsonl) for `recap eval`")
    only.add_argument("--remove", metavar="ID", help="take one out for good")
    p.add_argument("--include-up", action="store_true", help="with --facts: of answers that were found right too")

    p = command("backup", _backup, "write the library to a file, verified, also while it is being written to")
    p.add_argument("file", metavar="FILE")
    p.add_argument("--force", action="store_true", help="replace FILE when it is there already")
    _json_flag(p)

    p = command("restore", _restore, "make the library (--library DIR, new or empty) from a backup")
    p.add_argument("file", metavar="FILE")
    p.add_argument("--force", action="store_true", help="also where a library is: it is kept under another name")
    _json_flag(p)

    p = command("doctor", _doctor, "look at models, library, index and language model; say what is wrong")
    p.add_argument("--mend", action="store_true", help="mend what can be mended, and look again")
    p.add_argument("--llm", metavar="NAME", help="none, auto, or PROVIDER:MODEL (default: $RECAP_LLM, else auto)")
    _json_flag(p)

    command("rebuild", _rebuild, "make the vector index and the full-text index again from the library")
    return parser


def _json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="write JSON")


def _question_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", nargs="*", metavar="QUESTION")
    parser.add_argument("--batch", metavar="FILE", help="JSONL in, JSONL out, in order; - reads standard input")
    parser.add_argument("--as-of", metavar="DATE", help="the day the question is asked, as 2024-09-12 (default: today)")
    _json_flag(parser)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _config(args: argparse.Namespace) -> Config:
    from rag.config import Config

    given = {k: getattr(args, k, None) for k in ("library", "llm", "host", "port", "top_k", "read_only")}
    return Config.load(**given)


@contextlib.contextmanager
def _library(args: argparse.Namespace, *, write: bool = False, create: bool = False) -> Iterator[Library]:
    from rag.store.library import Library

    with Library.open(_config(args), write=write, create=create) as library:
        yield library


# --- articles ---------------------------------------------------------------------------------------------------------


def _ingest(args: argparse.Namespace) -> int:
    from rag.ingest.pipeline import ingest

    if args.if_empty and _holds_articles(args):
        return 0
    with _library(args, write=True, create=True) as library:
        with _progress() as progress, _stoppable(progress) as heeding:
            report = ingest(library, args.locations, progress=heeding)
        total = library.counts()["articles"]
    if args.json:
        _say_json(_report_json(report, library=str(library.path), total=total))
    else:
        _say_report(report, total=total)
    return 1 if report.rejected else 0


def _holds_articles(args: argparse.Namespace) -> bool:
    from rag.errors import LibraryMissing

    try:
        with _library(args) as library:
            return library.counts()["articles"] > 0
    except LibraryMissing:
        return False


def _report_json(report: IngestReport, *, library: str, total: int) -> Json:
    return {
        "library": library,
        "articles": total,
        "added": list(report.added),
        "updated": list(report.updated),
        "unchanged": list(report.unchanged),
        "merged": [{"source": source, "copy_of": first} for source, first in report.merged],
        "rejected": [{"source": r.source, "reason": r.reason} for r in report.rejected],
        "chunks_embedded": report.chunks_embedded,
        "notes": list(report.notes),
    }


def _say_report(report: IngestReport, *, total: int) -> None:
    for sign, sources in (("+", report.added), ("~", report.updated)):
        for source in sources:
            _say(f"{sign} {_shown(source)}")
    for source, first in report.merged:
        _say(f"= {_shown(source)} is a copy of {_shown(first)}")
    for r in report.rejected:
        _say(f"! {_line(r.reason)}")
    counts = {
        "added": len(report.added),
        "updated": len(report.updated),
        "unchanged": len(report.unchanged),
        "merged as a copy": len(report.merged),
        "rejected": len(report.rejected),
    }
    said = ", ".join(f"{n:,} {what}" for what, n in counts.items() if n) or "nothing to do"
    _say(f"{said[0].upper()}{said[1:]}. The library holds {total:,} article{'' if total == 1 else 's'}.")
    for note in report.notes:
        _say(_small(note))


def _shown(source: str) -> str:
    """A source as a person knows it: a path, relative where it can be, or a web address, on one line."""
    from urllib.parse import unquote

    if source.startswith("file://"):
        path = unquote(source.removeprefix("file://"))
        near = os.path.relpath(path)
        source = path if near.startswith("..") else near
    return "".join(c if c.isprintable() else "\ufffd" for c in source)


def _line(text: str) -> str:
    """Text on one line: a title may be a file's name, which can hold line ends."""
    return " ".join(text.split())


@contextlib.contextmanager
def _progress() -> Iterator[Progress | None]:
    """Show what is being read, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("Reading"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,} articles"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[name]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, name="")

        def tell(source: str, done: int) -> None:
            bar.update(task, completed=done, name=escape(_visible(_shown(source))[-60:]))

        yield tell


@contextlib.contextmanager
def _stoppable(progress: Progress | None) -> Iterator[Progress]:
    """Yield a `progress` that ends the run after Ctrl+C, wherever it was pressed.

    The KeyboardInterrupt of Ctrl+C is lost when it is raised inside an extension module that clears the errors it meets
    (in CPython before 3.13 `PyObject_HasAttr` does): the run would go on as if nobody had pressed anything.
    """
    import signal

    pressed = False

    def press(signum: int, frame: object) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    def heeding(source: str, done: int) -> None:
        if pressed:
            raise KeyboardInterrupt
        if progress:
            progress(source, done)

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored (nohup), or another's
        yield heeding
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield heeding
    finally:
        signal.signal(signal.SIGINT, before)


def _articles(args: argparse.Namespace) -> int:
    with _library(args) as library:
        articles = library.articles()
        if args.json:
            _say_json({"library": str(library.path), "articles": [_article_json(a) for a in articles]})
            return 0
        if not articles:
            _say("The library holds no articles. Add some with `recap ingest PATH_OR_URL`.")
    for a in articles:
        _say(f"{a.id}  {a.published or '----------'}  {_line(a.title)}")
        more = [a.outlet or "", a.event.short_label if a.event else "", _shown(a.url or a.source)]
        _say(_small(" " * 30 + " · ".join(_line(m) for m in more if m)))
    return 0


def _article_json(a: Article) -> Json:
    return {
        "id": a.id,
        "url": a.url or a.source,
        "source": a.source,
        "title": a.title,
        "authors": list(a.authors),
        "outlet": a.outlet,
        "published": _iso(a.published),
        "published_lent": a.published_lent,
        "event": a.event.label if a.event else None,
        "event_date": _iso(a.event.start) if a.event else None,
        "events": [{"key": e.key, "label": e.label, "date": _iso(e.start)} for e in a.events],
        "cluster": a.cluster,
        "characters": len(a.text),
    }


def _remove(args: argparse.Namespace) -> int:
    from rag.ingest.pipeline import remove

    unknown: list[str] = []
    gone: list[Article] = []
    with _library(args, write=True) as library:
        for name in args.articles:
            found = list(library.articles_by_id(library.find(name)).values())
            if not found:
                unknown.append(name)
            elif len(found) > 1:
                ids = ", ".join(f"{a.id} ({_shown(a.source)})" for a in found)
                raise RecapError(f"{name} names {len(found)} articles: {ids}. Nothing was removed; give an id.")
            gone += [a for a in found if a not in gone]
        remove(library, [a.id for a in gone])
        total = library.counts()["articles"]
    if args.json:
        _say_json({"removed": [_article_json(a) for a in gone], "unknown": unknown, "articles": total})
    else:
        for a in gone:
            _say(f"- {_line(a.title)} ({_shown(a.source)})")
        _say(f"{len(gone)} removed. The library holds {total:,} article{'' if total == 1 else 's'}.")
    for name in unknown:
        _complain(f"There is no article {name} in the library. `recap articles` lists them.")
    return 1 if unknown else 0


# --- questions --------------------------------------------------------------------------------------------------------


def _ask(args: argparse.Namespace) -> int:
    from rag.answer.chain import ask

    def answer(library: Library, asked: Asked) -> Json:
        found = ask(library, asked.question, history=asked.history, as_of=asked.as_of)
        return answer_json(found, library=library, id=asked.id)

    if args.batch is not None:
        return _batch(args, answer)
    question, as_of = _question(args), _day(args.as_of)
    with _library(args) as library:
        found = ask(library, question, as_of=as_of)
        if args.json:
            _say_json(answer_json(found, library=library))
        else:
            _say_answer(found)
    return 0


def _search(args: argparse.Namespace) -> int:
    from rag.retrieve.query import understand
    from rag.retrieve.search import search

    def find(library: Library, asked: Asked) -> list[Hit]:
        query = understand(asked.question, library=library, history=asked.history, as_of=asked.as_of)
        return search(library, query, top_k=library.config.top_k)

    def hits(library: Library, asked: Asked) -> Json:
        return hits_json(asked.question, find(library, asked), id=asked.id)

    if args.batch is not None:
        return _batch(args, hits)
    asked = Asked(_question(args), as_of=_day(args.as_of))
    with _library(args) as library:
        asked.check(library)
        found = find(library, asked)
    if args.json:
        _say_json(hits_json(asked.question, found))
        return 0
    for hit in found:
        a = hit.article
        about = [a.title, a.outlet or "", _iso(a.published) or "", a.event.short_label if a.event else ""]
        _say(f"{hit.rank}. {' · '.join(_line(x) for x in about if x)}")
        _say(_indented(hit.chunk.text))
        _say(_small(f"   {_shown(a.url or a.source)}\n"))
    if not found:
        _say("Nothing was found.")
    return 0


class Asked:
    """A question with what belongs to it, as a line of a batch or the command line gives it."""

    def __init__(
        self, question: str, *, id: Any = None, history: Sequence[Turn] = (), as_of: date | None = None
    ) -> None:
        self.question, self.id, self.history, self.as_of = " ".join(question.split()), id, history, as_of

    def check(self, library: Library) -> None:
        """Raises: RecapError when the question is empty or too long."""
        limit = library.config.max_question_chars
        if not self.question:
            raise RecapError("The question is empty. Type a question about the coverage.")
        if len(self.question) > limit:
            raise RecapError(f"The question has {len(self.question)} characters; at most {limit} are read. Shorten it.")


def _question(args: argparse.Namespace) -> str:
    question = " ".join(args.question)
    if not question.strip():
        raise RecapError("There is no question. Give one in quotes, or a file of them with --batch.")
    return question


def _batch(args: argparse.Namespace, answer: Callable[[Library, Asked], Json]) -> int:
    """Answer line by line, in order. A bad line costs only itself; a library that fails ends it.

    Raises: RecapError.
    """
    if args.question:
        raise RecapError("Give a question or --batch, not both.")
    default = _day(args.as_of)
    status = 0
    with _opened(args.batch) as lines, _library(args) as library:
        for number, line in enumerate(lines, start=1):
            if not line.strip(b"\xef\xbb\xbf \t\r\n"):
                continue
            row: Json = {}
            try:
                row = _row(line, number)
                asked = _asked(row, number, as_of=default)
                asked.check(library)
                _say_json(answer(library, asked))
            except (LibraryError, EmbedError):
                raise  # every question after it would fail alike
            except RecapError as e:
                status = 1
                _say_json({"id": row.get("id"), "error": str(e)})
            except (BrokenPipeError, KeyboardInterrupt):
                raise
            except Exception as e:
                if os.environ.get("RECAP_DEBUG"):
                    raise
                status = 1
                _say_json({"id": row.get("id"), "error": _unexpected(e)})
    return status


@contextlib.contextmanager
def _opened(file: str) -> Iterator[Iterable[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    with contextlib.ExitStack() as stack:
        try:
            lines = stack.enter_context(open(file, "rb"))
        except OSError as e:
            raise RecapError(f"The batch file {file} cannot be opened: {(e.strerror or str(e)).lower()}.") from e
        yield lines


def _row(line: bytes, number: int) -> Json:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as e:
        raise RecapError(f"Line {number} is not JSON.") from e
    if not isinstance(row, dict):
        raise RecapError(f"Line {number} is not a JSON object with a question.")
    return row


def _asked(row: Json, number: int, *, as_of: date | None) -> Asked:
    from rag.types import Turn

    question, history, day = row.get("question"), row.get("history") or [], row.get("as_of")
    if not isinstance(question, str) or not question.strip():
        raise RecapError(f"Line {number} has no question.")
    if not isinstance(history, list) or not all(
        isinstance(t, dict) and t.get("role") in ("user", "assistant") and isinstance(t.get("content"), str)
        for t in history
    ):
        raise RecapError(
            f'The history of line {number} is not a list of {{"role": "user" or "assistant", "content": "..."}}.'
        )
    if day is not None and not isinstance(day, str):
        raise RecapError(f"The as_of of line {number} is not a date. Write it as 2024-09-12.")
    turns = [Turn(t["role"], t["content"]) for t in history]
    return Asked(question, id=row.get("id"), history=turns, as_of=_day(day) or as_of)


def _day(text: str | None) -> date | None:
    """Read a date. Raises: ConfigError."""
    from datetime import date

    if text is None:
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as e:
        raise ConfigError(f"{text!r} is not a date. Write it as 2024-09-12.") from e


# --- what goes out ----------------------------------------------------------------------------------------------------


def answer_json(answer: Answer, *, library: Library, id: Any = None) -> Json:
    """An answer as `recap ask --json` writes it."""
    sources = library.articles_by_id(c.article_id for c in answer.citations if not c.url)
    return {
        "id": id,
        "question": answer.question,
        "standalone_question": answer.standalone_question,
        "answer": answer.text,
        "answer_short": answer.short,
        "abstained": answer.abstained,
        "confidence": None if answer.confidence is None else round(answer.confidence, 3),
        "engine": answer.engine,
        "citations": [
            {
                "marker": c.marker,
                "article_id": c.article_id,
                "chunk_id": c.chunk_id,
                "title": c.title,
                "url": c.url or (sources[c.article_id].source if c.article_id in sources else None),
                "published": _iso(c.published),
                "quote": c.quote,
                "start": c.start,
                "end": c.end,
                "verdict": c.verdict,
                "outlet": c.outlet,
                "event": c.event.label if c.event else None,
                "event_date": _iso(c.event.start) if c.event else None,
                "sentence": c.sentence,
                "copies": list(c.copies),
            }
            for c in answer.citations
        ],
        "notes": list(answer.notes),
        "truncated": answer.truncated,
        "timings_ms": answer.timings_ms,
    }


def hits_json(question: str, hits: Sequence[Hit], *, id: Any = None) -> Json:
    """Hits as `recap search --json` writes them."""
    return {
        "id": id,
        "question": question,
        "hits": [
            {
                "rank": h.rank,
                "score": round(h.score, 6),
                "article_id": h.article.id,
                "chunk_id": h.chunk.id,
                "url": h.article.url or h.article.source,
                "title": h.article.title,
                "published": _iso(h.article.published),
                "text": h.chunk.text,
                "start": h.chunk.start,
                "end": h.chunk.end,
                "outlet": h.article.outlet,
                "event": h.article.event.label if h.article.event else None,
                "event_date": _iso(h.article.event.start) if h.article.event else None,
                "kind": h.chunk.kind,
                "copies": list(h.copies),
            }
            for h in hits
        ],
    }


def _say_answer(answer: Answer) -> None:
    if answer.standalone_question.casefold() != answer.question.casefold():
        _say(_small(f"Understood as: {answer.standalone_question}"))
    _say(_wrapped(answer.text))
    for c in answer.citations:
        event = c.event.short_label if c.event else ""
        when = f"happened {c.event.start.isoformat()}" if c.event and c.event.start else ""
        published = f"published {c.published.isoformat()}" if c.published else "date of publication unknown"
        about = [c.title, c.outlet or "", ", ".join(x for x in (event, when) if x), published]
        mark = "" if c.verdict == "supported" else f" ({c.verdict})"
        _say(f"\n[{c.marker}] {' · '.join(_line(x) for x in about if x)}{mark}")
        _say(_indented(f"“{c.quote}”"))
    notes = [*answer.notes, *(["The answer was cut off."] if answer.truncated else [])]
    total = answer.timings_ms.get("total")
    took = f", {total / 1000:.1f} s" if total else ""
    _say("")
    for note in [*notes, f"Engine: {answer.engine}{took}"]:
        _say(_small(_wrapped(note)))


def _wrapped(text: str, indent: str = "") -> str:
    import shutil
    import textwrap

    width = min(100, shutil.get_terminal_size((100, 24)).columns)
    options: Any = {"initial_indent": indent, "subsequent_indent": indent, "break_on_hyphens": False}
    return "\n".join(
        textwrap.fill(line, width, break_long_words=False, **options) if line.strip() else ""
        for line in text.split("\n")
    )


def _indented(text: str) -> str:
    return _wrapped(text, "    ")


def _small(text: str) -> str:
    """Dim, where there is a terminal that can; marked so that `_visible` lets it through."""
    dim = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\0dim{text}\0plain" if dim else text


def _say(text: str) -> None:
    shown = "".join(
        _visible(part) if i % 2 == 0 else f"\033[2m{_visible(part)}\033[0m"
        for i, part in enumerate(text.replace("\0plain", "\0dim").split("\0dim"))
    )
    print(shown, flush=True)


def _say_json(value: Json) -> None:
    # Line separators stand inside strings only; escaped, a reader that splits at them still finds one object a line.
    text = json.dumps(value, ensure_ascii=False)
    for c in "\x85\u2028\u2029":
        text = text.replace(c, f"\\u{ord(c):04x}")
    data = text.encode("utf-8", "backslashreplace") + b"\n"  # a lone surrogate becomes its JSON escape
    sys.stdout.flush()
    if hasattr(sys.stdout, "buffer"):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        sys.stdout.write(data.decode())


def _complain(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(_visible(text), file=sys.stderr, flush=True)


def _visible(text: str) -> str:
    """Take out what would steer a terminal: an article or a file name may hold escape codes.

    Marks that turn the line around (Unicode's bidirectional controls) go too: what they enclose reads as what it is not.
    """
    return "".join(c for c in text if c in "\n\t" or (unicodedata.category(c) != "Cc" and c not in _TURNING))


_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _unexpected(e: Exception) -> str:
    said = " ".join(str(e).split())[:200]
    return (
        f"Something went wrong that Recap did not expect ({type(e).__name__}{': ' + said if said else ''}). "
        "`recap doctor` may know why; RECAP_DEBUG=1 shows where."
    )


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


# --- feedback ---------------------------------------------------------------------------------------------------------


def _feedback(args: argparse.Namespace) -> int:
    from rag.errors import LibraryMissing
    from rag.feedback import as_json, read_counted, remove

    folder = _config(args).library
    if not folder.is_dir():
        raise LibraryMissing(f"There is no library at {folder}. Name another with --library.")
    if args.remove is not None:
        if not remove(folder, args.remove):
            raise RecapError(f"There is no feedback {args.remove}. `recap feedback` lists what there is.")
        _say(f"Feedback {args.remove} was removed.")
        return 0
    found, skipped = read_counted(folder)
    if skipped:
        _complain(f"Left out of the feedback: {skipped:,} line{'' if skipped == 1 else 's'} that cannot be read.")
    if args.json:
        for f in found:
            _say_json(as_json(f))
    elif not found:
        _say("There is no feedback yet. In `recap chat`, a thumb under an answer leaves some.")
    elif args.facts is not None:
        _say_drafts(args, found)
    else:
        for f in found:
            _say(f"{f.when[:10]}  {f.verdict:4}  {f.reason:10}  {_line(f.question)}")
            right = f"should be: {f.right_answer}" if f.right_answer else ""
            more = [f.id, *(" ".join(m.split()) for m in (f.short or "", right, f.comment))]
            _say(_small(" " * 12 + " · ".join(m for m in more if m)))
    return 0


def _say_drafts(args: argparse.Namespace, found: Sequence[Feedback]) -> None:
    import shlex
    from pathlib import Path

    from rag.feedback import drafts, write_facts

    try:
        with _library(args) as library:
            rows = drafts(found, library, include_up=args.include_up)
    except LibraryError as e:
        _complain(f"{e} No evidence is looked up.")
        rows = drafts(found, include_up=args.include_up)
    if not rows:
        _say("None of the feedback makes a fact: that takes a right answer, or an answer that was called wrong.")
        return
    new = write_facts(Path(args.facts), rows)
    there = f"; {len(rows) - new:,} stood there already and stay as they are" if new < len(rows) else ""
    _say(f"{new:,} draft{'' if new == 1 else 's'} added to {args.facts}{there}.")
    words = f"{shlex.quote(args.facts)} --library {shlex.quote(str(_config(args).library))}"
    _say(f"Check them first (each has a note), then run: recap eval {words}")


# --- the rest ---------------------------------------------------------------------------------------------------------


def _chat(args: argparse.Namespace) -> int:
    import logging

    from ui.app import serve

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    serve(_config(args), browser=False if args.no_browser else None)
    return 0


def _backup(args: argparse.Namespace) -> int:
    from pathlib import Path

    from rag.store.backup import backup

    with _library(args) as library, _bar() as progress:
        made = backup(library, Path(args.file).expanduser(), force=args.force, progress=progress)
    if args.json:
        _say_json(_backup_json(made))
        return 0
    _say(f"Backed up and verified: {_holding(made)} in {made.file} ({made.size / 1e6:,.1f} MB).")
    return 0


def _restore(args: argparse.Namespace) -> int:
    from pathlib import Path

    from rag.store.backup import restore

    config = _config(args)
    with _bar() as progress:
        made = restore(config, Path(args.file).expanduser(), force=args.force, progress=progress)
    if args.json:
        _say_json(_backup_json(made))
        return 0
    of = f" of {made.when[:10]}" if made.when else ""
    _say(f"Restored and verified: {_holding(made)}{of} in {config.library}.")
    for path in made.aside:
        _say(f"What was there is kept as {path}.")
    if made.aside:
        _say(_small("If `recap chat` is open on this library, start it again."))
    return 0


def _holding(made: Backup) -> str:
    """What a backup holds, in words."""
    counted = ((made.articles, "article"), (made.chunks, "passage"), (len(made.beside), "file"))
    said = [f"{n:,} {what}{'' if n == 1 else 's'}" for n, what in counted]
    return f"{said[0]} ({said[1]})" + (f" and {said[2]} beside" if made.beside else "")


def _backup_json(made: Backup) -> Json:
    return {
        "file": str(made.file),
        "articles": made.articles,
        "chunks": made.chunks,
        "bytes": made.size,
        "when": made.when or None,
        "beside": list(made.beside),
        "aside": [str(p) for p in made.aside],
    }


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[str, float], None] | None]:
    """Show what is being done and how much of it, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share, total=1.0 if share else None)


def _password(_: argparse.Namespace) -> int:
    """Ask twice at a terminal, else read a line of stdin; print the line that sets RECAP_AUTH."""
    from ui.guard import PASSWORD_LENGTH, hash_password

    if sys.stdin.isatty():
        from getpass import getpass

        given = getpass("Password: ")
        if given != getpass("Once more: "):
            raise ConfigError("The two differ. Run recap password again.")
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    if len(given) < PASSWORD_LENGTH:
        raise ConfigError(f"The password has {len(given)} characters. Take one of at least {PASSWORD_LENGTH}.")
    _say(f"RECAP_AUTH='user:{hash_password(given)}'")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from rag.doctor import Finding, examine, mend

    def told(findings: Iterable[Finding], good: str = "ok") -> list[Json]:
        out = []
        for f in findings:
            out.append({"name": f.name, "ok": f.ok, "text": f.text})
            if not args.json:
                _say(f"{good if f.ok else 'WRONG':6} {f.name:9} {f.text}")
        return out

    config = _config(args)
    findings, mending = told(examine(config)), {}
    if args.mend:
        if not args.json:
            _say("\nMending:\n")
        repairs = told(mend(config), "mended")
        if not args.json:
            _say("Nothing had to be mended." if not repairs else "\nLooking again:\n")
        mending = {"repairs": repairs, "before": findings}
        if repairs:
            findings = told(examine(config))
    wrong = sum(not f["ok"] for f in findings)
    if args.json:
        _say_json({"ok": not wrong, "findings": findings, **mending})
    else:
        _say("\nAll is well." if not wrong else f"\n{wrong} thing{' is' if wrong == 1 else 's are'} wrong.")
    return 1 if wrong else 0


def _rebuild(args: argparse.Namespace) -> int:
    from rag.doctor import rebuild

    with _library(args, write=True) as library:
        n = rebuild(library)
    _say(f"The indexes were made again from {n:,} chunk{'' if n == 1 else 's'} of the library.")
    return 0


if __name__ == "__main__":
    sys.exit(run())
