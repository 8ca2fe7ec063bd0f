"""`recap eval` (= `python -m eval`): run facts, check facts, compare runs, find passages beside others. Thin.

Exit status: 0 pass; 1 a pinned fact is wrong, or flipped to wrong or the run is worse (`compare`), or a fact is bad
(`check`); 2 could not run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import RecapError

if TYPE_CHECKING:
    from eval.facts import Fact
    from rag.config import Config
    from rag.store.library import Library
    from rag.types import Article

_ARTICLES = (".txt", ".md", ".html", ".htm", ".pdf", ".docx", ".jsonl", ".jsonl.gz")
_NO_ARTICLES = ("readme", "license", "licence", "notice", "changelog", "contributing")

_BENCHMARKS = {
    "multihop": "Ask the questions of MultiHop-RAG (a folder with corpus.json and MultiHopRAG.json), over several articles each.",
    "rgb": "Ask the questions of RGB (a file, or a folder with en.json, en_int.json, en_fact.json) with noise among the passages.",
    "crag": "Ask the questions of CRAG (.jsonl or .jsonl.bz2), each with the web pages that a search returned for it.",
}

_EPILOG = """also:
  recap eval check FACTS... [--library DIR]   find bad evidence, contradictions, doubles, missing answers and twins
  recap eval new ARTICLE [--out FILE]         draft facts from an article, for you to accept
  recap eval compare A B [C...]               compare runs (folders that --out wrote) with A; 1 if worse, or a pinned fact became wrong
  recap eval ablate FACTS...                  what each part of Recap is worth: the same facts with each part off
  recap eval realtimeqa DIR                   find the passages that answer real news questions, beside other systems
  recap eval squad FILE                       read a SQuAD-format set with the reader's model
  recap eval verdicts [FILE]                  check labelled sentences against their passages
  recap eval attacks --llm NAME               put articles with hidden instructions to a language model
  recap eval spoken DIR --library LIB --llm NAME   put real news questions, each with its own articles, to a language model
  recap eval multihop PATH (rgb PATH, crag PATH)   a published benchmark, read from its own files
  recap eval export RUN --format NAME         a run, or facts, as ragas, promptfoo or squad reads them

exit status: 0 pass, 1 a pinned fact is wrong, 2 could not run"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = _command(words)
    parser = _parser(command)
    try:
        args = parser.parse_args(words)
    except SystemExit as e:  # argparse has said what is wrong
        return e.code if isinstance(e.code, int) else 2
    try:
        commands = {
            "run": _run, "check": _check, "compare": _compare, "ablate": _ablate, "realtimeqa": _realtimeqa, "squad": _squad, "spoken": _spoken,
            "verdicts": _verdicts, "attacks": _attacks, "export": _export, "new": _new, **dict.fromkeys(_BENCHMARKS, _benchmark),
        }  # fmt: skip
        return commands[command](args)
    except RecapError as e:
        print(_visible(str(e)), file=sys.stderr)
        return 2
    except OSError as e:
        print(_visible(f"Could not run: {e}. Free some space, or choose another folder with --out."), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 2


def _command(words: list[str]) -> str:
    """Take the command out of the words and return it; `--library DIR` may stand before it."""
    at = 0
    while at < len(words) and words[at].startswith("--library"):
        at += 1 if "=" in words[at] else 2
    named = (
        "check",
        "compare",
        "ablate",
        "realtimeqa",
        "squad",
        "spoken",
        "verdicts",
        "attacks",
        "export",
        "new",
        *_BENCHMARKS,
    )
    return words.pop(at) if at < len(words) and words[at] in named else "run"


def _parser(command: str) -> argparse.ArgumentParser:
    if command in _BENCHMARKS:
        return _benchmark_parser(command)
    if command == "export":
        parser = argparse.ArgumentParser(
            "recap eval export", description="Write a run, or facts, as another evaluation tool reads them."
        )
        parser.add_argument("run", type=Path, metavar="RUN", help="a folder that --out wrote, or a file of facts")
        parser.add_argument("--format", required=True, choices=("ragas", "promptfoo", "squad"))
        parser.add_argument("--out", type=Path, metavar="FILE", help="write there (default: print)")
        return parser
    if command == "realtimeqa":
        return _realtimeqa_parser()
    if command == "squad":
        parser = argparse.ArgumentParser(
            "recap eval squad", description="Read a SQuAD-format set with the reader's model."
        )
        parser.add_argument("file", type=Path, metavar="FILE", help="SQuAD 1.1 JSON, gzipped or not")
        parser.add_argument("--model", type=Path, metavar="DIR", help="another model than the one shipped")
        parser.add_argument("--out", type=Path, metavar="DIR", help="write squad.json and squad.jsonl there")
        return parser
    if command == "verdicts":
        parser = argparse.ArgumentParser(
            "recap eval verdicts", description="Check labelled sentences against their passages."
        )
        parser.add_argument(
            "file", nargs="?", type=Path, metavar="FILE", help="JSON Lines (default: the 400 that ship)"
        )
        parser.add_argument("--split", choices=("dev", "test"), help="only these")
        return parser
    if command == "attacks":
        parser = argparse.ArgumentParser(
            "recap eval attacks", description="Put articles with hidden instructions to a language model."
        )
        parser.add_argument("--llm", metavar="NAME", required=True, help="PROVIDER:MODEL, replay:FILE, or obedient")
        parser.add_argument("--limit", type=_positive, metavar="N", help="only the first N attacks")
        parser.add_argument("--out", type=Path, metavar="DIR", help="write attacks.json there")
        return parser
    if command == "spoken":
        parser = argparse.ArgumentParser(
            "recap eval spoken", description="Put real news questions, each with its own articles, to a language model."
        )
        parser.add_argument("data", type=Path, metavar="DIR", help="articles.jsonl[.gz] and questions.jsonl")
        parser.add_argument("--library", type=Path, metavar="DIR", required=True, help="one that holds the articles")
        parser.add_argument("--llm", metavar="NAME", required=True, help="PROVIDER:MODEL, or replay:FILE")
        parser.add_argument("--every", type=_positive, default=1, metavar="N", help="only every n-th question")
        parser.add_argument("--out", type=Path, metavar="DIR", help="write spoken.json there")
        return parser
    if command == "compare":
        parser = argparse.ArgumentParser(
            "recap eval compare", description="Compare later runs with run A, fact by fact."
        )
        parser.add_argument("a", metavar="A", help="folder of a run, or its run.jsonl")
        parser.add_argument("b", nargs="+", metavar="B", help="one or more later runs")
        return parser
    if command == "new":
        parser = argparse.ArgumentParser(
            "recap eval new", description="Draft facts from an article, for you to accept."
        )
        parser.add_argument("article", nargs="+", metavar="ARTICLE", help="id, URL, path, or words of the headline")
        parser.add_argument("--library", type=Path, metavar="DIR", help="default: $RECAP_LIBRARY, else ./.recap")
        parser.add_argument("--out", type=Path, metavar="FILE", help="add them to this .jsonl (default: print them)")
        parser.add_argument("--llm", metavar="NAME", help="none, auto, or PROVIDER:MODEL")
        parser.add_argument("--n", type=_positive, default=20, metavar="N", help="at most N drafts (default: 20)")
        parser.add_argument("--yes", action="store_true", help="take all without asking")
        return parser
    parser = argparse.ArgumentParser(
        "recap eval" if command == "run" else f"recap eval {command}",
        description={
            "check": "Compare facts with the articles.",
            "ablate": "Put known facts to Recap as it is, and again with each of its parts off: what is each worth?",
        }.get(command, "Put known facts to Recap and judge it."),
        epilog=_EPILOG if command == "run" else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("facts", nargs="+", metavar="FACTS", help="fact files, .jsonl or .yaml")
    library = "the library to ask (default: the articles beside the facts, else $RECAP_LIBRARY, else ./.recap)"
    parser.add_argument("--library", type=Path, metavar="DIR", help=library)
    if command == "check":
        parser.add_argument("--json", action="store_true", help="print one JSON object")
    if command in ("run", "ablate"):
        where = (
            "where the reports go (default: $RECAP_RUNS, else runs, and DATE-TIME in it); a stopped run goes on there"
        )
        kept = "keep every run there, and take those from there that are done (default: only show the table)"
        parser.add_argument("--out", type=Path, metavar="DIR", help=where if command == "run" else kept)
        parser.add_argument(
            "--jobs", type=_positive, default=1, metavar="N", help="ask N at a time: for a model's server"
        )
        parser.add_argument("--llm", metavar="NAME", help="none, auto, or PROVIDER:MODEL")
        parser.add_argument(
            "--split", metavar="NAME", help="only the facts of this split (tune on dev, report on test)"
        )
        parser.add_argument("--limit", type=_positive, metavar="N", help="only the first N facts")
    if command == "run":
        parser.add_argument("--seed", type=int, metavar="N", help="ask in another order (default: the file's)")
    if command == "ablate":
        parser.add_argument(
            "--parts", type=_names, default=(), metavar="A,B", help="only these, e.g. lexical,dense,reader"
        )
    return parser


def _realtimeqa_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "recap eval realtimeqa",
        description="Find the passages that answer real news questions: Recap beside llama-index's starter, BM25 and dense search.",
        epilog="What was built is kept in OUT/work: a second run only searches, a stopped one goes on. Remove it to start anew.",
    )
    parser.add_argument("data", type=Path, metavar="DIR", help="articles.jsonl[.gz] and questions.jsonl")
    parser.add_argument("--library", type=Path, metavar="DIR", help="where Recap's library goes (default: OUT/work)")
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path("runs") / "realtimeqa")
    parser.add_argument(
        "--articles", type=_positive, metavar="N", help="only N articles, those of the questions among them"
    )
    parser.add_argument(
        "--questions", type=_positive, metavar="N", help="only N questions (default: all; of a sample N/5)"
    )
    parser.add_argument("--systems", type=_systems, metavar="NAMES", help="some of starter,bm25,dense,recap")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what is drawn (default: 1)")
    parser.add_argument("--grow", type=_sizes, default=(), metavar="N,N", help="also build Recap with so many articles")
    parser.add_argument(
        "--synthetic", type=_positive, metavar="N", help="also add N chunks of made-up text, and search"
    )
    parser.add_argument("--answers", action="store_true", help="also answer every question with the reader")
    parser.add_argument("--change", action="store_true", help="also edit an article, reopen, and rebuild the index")
    parser.add_argument("--overlap", action="store_true", help="also compare the embedding runtime with fp32")
    return parser


def _benchmark_parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        f"recap eval {command}",
        description=_BENCHMARKS[command],
        epilog="The library is kept: a second run only asks, a stopped one goes on. Nothing is downloaded.",
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="what its authors publish")
    parser.add_argument("--library", type=Path, metavar="DIR", help="where the library goes (default: OUT/library)")
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path("runs") / command)
    parser.add_argument("--limit", type=_positive, metavar="N", help="only N questions (rgb: of each file)")
    parser.add_argument("--llm", metavar="NAME", default="none", help="PROVIDER:MODEL (default: none, the reader)")
    parser.set_defaults(command=command)
    return parser


def _systems(text: str) -> tuple[str, ...]:
    from eval.systems import NAMES

    chosen = tuple(w.strip() for w in text.split(",") if w.strip())
    if not chosen or (unknown := [w for w in chosen if w not in NAMES]):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) if chosen else 'nothing'} is none of {', '.join(NAMES)}")
    return chosen


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(w.strip() for w in text.split(",") if w.strip()))


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(_positive(w.strip()) for w in text.split(","))


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _chosen(args: argparse.Namespace) -> list[Fact]:
    from eval.facts import load_facts

    facts = load_facts(args.facts)
    splits = sorted({f.split for f in facts})
    if args.split and args.split not in splits:
        raise RecapError(f"No fact has the split {args.split!r}. Use one of {', '.join(splits)}.")
    return [f for f in facts if args.split in (None, f.split)][: args.limit]


def _run(args: argparse.Namespace) -> int:
    from eval.report import markdown
    from eval.run import evaluate

    facts = _chosen(args)
    with library_of(args, args.llm) as library, _progress("Asking", len(facts)) as tell:
        out = args.out or library.config.runs / datetime.now().strftime("%Y%m%d-%H%M%S")
        with _stoppable(out):
            run = evaluate(
                library, facts, out=out, seed=args.seed, jobs=args.jobs, progress=lambda done, _: tell(done), say=_tell
            )
    summary = run.summary()
    _show(markdown(run.results, summary))
    if args.jobs > 1:
        _say(f"{args.jobs} were asked at a time: do not compare these latencies with those of other runs.")
    _say(f"Reports: {out}/report.html, report.md, summary.json, run.jsonl, junit.xml")
    return 1 if summary["pinned_wrong"] else 0


def _ablate(args: argparse.Namespace) -> int:
    from eval.ablate import ablate, markdown, parts_of

    facts = _chosen(args)
    with library_of(args, args.llm) as library:
        parts = parts_of(library.config, args.parts)
        with _progress("Asking", len(facts) * (len(parts) + 1)) as tell, _stoppable(args.out):
            found = ablate(
                library,
                facts,
                parts=parts,
                out=args.out,
                jobs=args.jobs,
                progress=lambda done, _: tell(done),
                say=_tell,
            )
    _show(markdown(found))
    if args.out:
        _say(f"Written: {args.out}/ablation.json, ablation.md, and a folder for each run")
    return 0


@contextlib.contextmanager
def _stoppable(out: Path | None) -> Iterator[None]:
    """Say, when a run is stopped by hand, how it goes on."""
    from eval.resume import unfinished

    try:
        yield
    except KeyboardInterrupt:
        folders = [out, *sorted(p for p in out.glob("*") if p.is_dir())] if out else []
        done = next((found for folder in folders if (found := unfinished(folder))), None)
        if done is None:
            raise
        _tell(f"After {done[0]} of {done[1]} facts. To go on, run the same command with --out {out}.")
        raise


def _tell(text: str) -> None:
    print(_visible(text), file=sys.stderr, flush=True)


def _check(args: argparse.Namespace) -> int:
    import json

    from eval.facts import check_facts, check_suite, read_facts
    from eval.report import counted

    facts, problems = read_facts(args.facts)
    if facts:
        with library_of(args, None) as library:
            problems += check_facts(facts, library.articles(), chunks=library.chunks)
    errors, notes = problems, check_suite(facts)
    if args.json:
        rows = []
        for p in errors + notes:
            file, _, line = p.where.rpartition(":")
            place = (file, int(line)) if file and line.isdigit() else (p.where, None)
            rows.append({"file": place[0], "line": place[1], "level": p.level, "text": p.text})
        print(json.dumps({"facts": len(facts), "errors": len(errors), "notes": len(notes), "problems": rows}))
        return 1 if errors else 0
    for problem in errors + notes:
        _say(str(problem))
    also = f" {counted(len(notes), 'note')}." if notes else ""
    _say(f"{counted(len(facts), 'fact')}, {counted(len(errors), 'problem')}.{also}")
    return 1 if errors else 0


def _new(args: argparse.Namespace) -> int:
    """Draft facts; a person decides on each where there is a terminal."""
    from eval.draft import decide, lines
    from eval.report import counted
    from rag.feedback import write_facts

    if args.out and args.out.suffix.lower() != ".jsonl":
        raise RecapError(f"{args.out} is not a .jsonl file. Drafts are written as JSON lines; name it so.")
    rows = _drafts(args)
    if not args.yes and sys.stdin.isatty() and sys.stderr.isatty():
        rows = decide(rows, ask=_ask_person, show=_tell)
    if args.out is None:
        for line in lines(rows).splitlines():
            _say(line)
        return 0
    written = write_facts(args.out, rows) if rows else 0
    _tell(f"{written} of {counted(len(rows), 'draft')} written to {args.out}. Check them: recap eval check {args.out}")
    return 0


def _drafts(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Draft by the language model if one is configured and answers, else by patterns; says which."""
    from eval.draft import draft_facts, draft_with_model
    from eval.report import counted
    from rag.answer.llm import load_llm
    from rag.errors import LLMError

    with _article(args, " ".join(args.article)) as (library, article):
        chunks, others = library.chunks(article.id), [a for a in library.articles() if a.id != article.id]
        try:
            if model := load_llm(library.config):
                found = draft_with_model(article, model, chunks=chunks, others=others, n=args.n)
                dropped = f"; {found.dropped} dropped, which it does not bear out" if found.dropped else ""
                _tell(f"{counted(len(found.rows), 'draft')} by {model.name} from {article.title!r}{dropped}.")
                return list(found.rows)
        except LLMError as e:
            _tell(f"{e} Drafted by pattern instead.")
        rows = draft_facts(article, chunks=chunks, others=others, n=args.n)
        _tell(f"{counted(len(rows), 'draft')} by pattern from {article.title!r}.")
        return list(rows)


@contextlib.contextmanager
def _article(args: argparse.Namespace, name: str) -> Iterator[tuple[Library, Article]]:
    """The article that is named, in its library; a file that no library holds, in one made for the moment."""
    from eval.draft import find_article, is_path
    from rag.config import Config
    from rag.errors import LibraryError
    from rag.store.library import Library

    config, path = Config.load(library=args.library, llm=args.llm), is_path(name)
    try:
        with Library.open(config) as library:
            if library.find(name) or not path:
                yield library, find_article(library, name)
                return
    except LibraryError:
        if args.library or not path:
            raise
    with tempfile.TemporaryDirectory(prefix="recap-eval-", ignore_cleanup_errors=True) as folder:
        config = Config.load(library=Path(folder) / "library", llm=args.llm)
        _fill(config, [Path(name)])
        with Library.open(config) as library:
            articles = library.articles()
            if len(articles) > 1:
                raise RecapError(f"{name} holds {len(articles)} articles. Ingest it, and name one of them.")
            yield library, articles[0]


def _ask_person(prompt: str) -> str | None:
    """One line from the terminal, None at its end. The prompt goes where the drafts do not."""
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def _compare(args: argparse.Namespace) -> int:
    from eval.compare import compare, markdown
    from eval.report import load

    first = load(args.a).results
    failed = False
    for n, run in enumerate(args.b):
        comparison = compare(first, load(run).results)
        names = ("A", "B") if len(args.b) == 1 else (Path(args.a).name, Path(run).name)
        _show(("\n" if n else "") + markdown(comparison, names=names))
        failed = failed or comparison.fails
    return 1 if failed else 0


def _squad(args: argparse.Namespace) -> int:
    from eval.squad import run
    from rag.model.reader import MODEL_DIR

    found = run(args.file, model=args.model or MODEL_DIR, out=args.out)
    em, f1 = found["em"], found["f1"]
    print(
        f"{found['questions']:,} questions: EM {100 * em['mean']:.1f} [{100 * em['low']:.1f}, {100 * em['high']:.1f}], "
        f"F1 {100 * f1['mean']:.1f} [{100 * f1['low']:.1f}, {100 * f1['high']:.1f}], {found['ms']} ms a question"
    )
    return 0


def _verdicts(args: argparse.Namespace) -> int:
    from eval.verdicts import PAIRS, figures, judged, load_pairs, markdown
    from rag.answer.chain import nearness, reading
    from rag.config import Config
    from rag.model.reader import ReaderModel
    from rag.store.embed import load_embedder

    pairs = [p for p in load_pairs(args.file or PAIRS) if args.split in (None, p.split)]
    near, read = nearness(load_embedder(Config.load())), reading(ReaderModel())
    _show(markdown(figures(pairs, judged(pairs, alike=near, reads=read))))
    return 0


def _attacks(args: argparse.Namespace) -> int:
    """Run the attacks; 1 when something of the rules, or a link, is shown."""
    import json

    from eval.attacks import OBEDIENT, figures, load_attacks, markdown, run
    from eval.report import write_files
    from rag.answer.llm import load_llm
    from rag.config import Config
    from rag.store.library import Library

    obedient = args.llm == OBEDIENT
    with tempfile.TemporaryDirectory(prefix="recap-attacks-", ignore_cleanup_errors=True) as folder:
        config = Config.load(library=Path(folder) / "library", llm="none" if obedient else args.llm)
        model = load_llm(config)
        if model is None and not obedient:
            raise RecapError("No language model is configured. Name one with --llm.")
        with Library.open(config, write=True, create=True) as library:
            records = run(library, model, load_attacks()[: args.limit])
    found = figures(records)
    if args.out:
        write_files(args.out, {"attacks.json": json.dumps(found | {"records": records}, ensure_ascii=False) + "\n"})
    _show(markdown(found, model=model.name if model else OBEDIENT))
    return 1 if found["shown"]["leak"] or found["shown"]["link"] else 0


def _spoken(args: argparse.Namespace) -> int:
    import json

    from eval.report import write_files
    from eval.spoken import markdown, measure
    from rag.config import Config
    from rag.store.library import Library

    with Library.open(Config.load(library=args.library, llm=args.llm)) as library:
        found = measure(library, args.data, every=args.every)
    if args.out:
        write_files(args.out, {"spoken.json": json.dumps(found, ensure_ascii=False, indent=1) + "\n"})
    _show(markdown(found))
    return 0


def _benchmark(args: argparse.Namespace) -> int:
    """Run a published benchmark."""
    from importlib import import_module

    from rag.config import Config

    module = import_module(f"eval.{args.command}")
    config = Config.load(library=args.library or args.out / "library", llm=args.llm)
    summary = module.run(args.path, config=config, out=args.out, limit=args.limit)
    _show(module.markdown(summary))
    _say(
        f"Written: {args.out}/{args.command}.json, {args.command}.md, and a line for each question in {args.command}.jsonl"
    )
    return 0


def _export(args: argparse.Namespace) -> int:
    from eval.interchange import read, write
    from eval.report import write_files

    text = write(read(args.run), args.format, as_json=bool(args.out and args.out.suffix == ".json"))
    if args.out:
        write_files(args.out.parent, {args.out.name: text})
    else:
        _say(text.rstrip("\n"))
    return 0


def _realtimeqa(args: argparse.Namespace) -> int:
    from eval.realtimeqa import SYSTEMS, run
    from eval.sidebyside import markdown

    summary = run(
        args.data,
        out=args.out,
        library=args.library,
        n_articles=args.articles,
        n_questions=args.questions,
        systems=args.systems or SYSTEMS,
        seed=args.seed,
        grow=args.grow,
        synthetic=args.synthetic,
        change=args.change,
        overlap=args.overlap,
        answers=args.answers,
        say=lambda text: print(_visible(text), file=sys.stderr, flush=True),
    )
    _show(markdown(summary))
    _say(f"Written: {args.out}/summary.json, report.md, plot.svg, and a line for each question in SYSTEM.jsonl")
    return 0


@contextlib.contextmanager
def library_of(args: argparse.Namespace, llm: str | None) -> Iterator[Library]:
    """The library to ask: the one that is named, else one made for the moment of the articles beside the facts."""
    from rag.config import Config
    from rag.store.library import Library

    articles = [] if args.library else articles_beside(args.facts)
    if not articles:
        with Library.open(Config.load(library=args.library, llm=llm)) as library:
            yield library
        return
    with tempfile.TemporaryDirectory(prefix="recap-eval-", ignore_cleanup_errors=True) as folder:
        config = Config.load(library=Path(folder) / "library", llm=llm)
        _fill(config, articles)
        with Library.open(config) as library:
            yield library


def _fill(config: Config, articles: Sequence[Path]) -> None:
    from rag.ingest.pipeline import ingest
    from rag.store.library import Library

    with Library.open(config, write=True, create=True) as library:
        report = ingest(library, [str(a) for a in articles])
        for r in report.rejected:
            print(_visible(f"Left out: {r.reason}"), file=sys.stderr)
        if not library.articles():
            raise RecapError("None of the articles beside the facts can be read. Name a library with --library.")


def articles_beside(facts: Sequence[str | Path]) -> list[Path]:
    """The article files in the folders of the fact files; fact files, READMEs and licences are none."""
    own = {Path(f).resolve() for f in facts}
    folders = dict.fromkeys(f.parent for f in own)
    found = []
    for folder in folders:
        for file in sorted(folder.glob("*")):
            name = file.name.lower()
            if (
                not name.endswith(_ARTICLES)
                or name.startswith((".", *_NO_ARTICLES))
                or file in own
                or not file.is_file()
            ):
                continue
            if name.endswith(".jsonl") and _holds_facts(file):
                continue
            found.append(file)
    return found


def _holds_facts(file: Path) -> bool:
    import json

    try:
        with file.open(encoding="utf-8-sig") as f:
            row = json.loads(next((line for line in f if line.strip()), "null"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(row, dict) and "question" in row and "text" not in row


@contextlib.contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, completed=done)


def _show(text: str) -> None:
    """Print Markdown: laid out on a terminal, as it is elsewhere."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    if console.is_terminal:
        console.print(Markdown(_visible(text)))
    else:
        _say(text)


def _say(text: str) -> None:
    """Print; who reads may go away (`| head`), the exit status still counts."""
    try:
        print(_visible(text), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _visible(text: str) -> str:
    """Take out what would steer a terminal or turn its line around: an article or a fact file may hold such codes."""
    return "".join(c for c in text if c in "\n\t" or (unicodedata.category(c) != "Cc" and c not in _TURNING))


_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


if __name__ == "__main__":
    sys.exit(main())
