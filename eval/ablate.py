"""What each part of Recap is worth: the suite as it is, and again with each part off, paired fact by fact.

`python -m eval.ablate --self-test FACTS` asks the other thing of the suite: whether it notices an engine that is broken, by a
part that is off or by sabotage, and leaves one alone that is not.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval import metrics
from eval.compare import SURE, Comparison, compare
from eval.facts import TYPES, Fact
from eval.report import NAMES, load, table, write_files
from eval.resume import made_of
from eval.run import MEANS, Result, Run, evaluate
from rag.config import PARTS as SWITCHES
from rag.config import Config
from rag.errors import RecapError

if TYPE_CHECKING:
    from rag.store.library import Library

READER = "reader"  # has a setting of its own
PARTS = {**SWITCHES, READER: "the trained reader"}
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Worth:
    """What one part is worth: the run as it is (B) compared with the run without it (A).

    `comparison.won` are the facts that are right because of it. `ms` is the median time of an answer without and with it;
    `answers` how many answers read otherwise. `p` is McNemar's, corrected for the number of parts tried (Holm).
    """

    part: str
    comparison: Comparison
    ms: tuple[float, float]
    answers: int
    p: float

    @property
    def verdict(self) -> str:
        """ "helps", "hurts" or "cannot tell (n = ...)"."""
        if self.p >= SURE:
            return f"cannot tell (n = {self.comparison.n})"
        return "helps" if len(self.comparison.won) > len(self.comparison.lost) else "hurts"


@dataclass(frozen=True, slots=True)
class Ablation:
    """The run as it is, and what each part that was switched off is worth."""

    whole: Run
    worths: tuple[Worth, ...]


def without(config: Config, part: str) -> Config:
    """The configuration with a part of `PARTS` switched off."""
    return replace(config, reader="rules") if part == READER else replace(config, without=(*config.without, part))


def parts_of(config: Config, chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """The parts to switch off: `chosen`, else all that are on; verification only where there is a language model.

    Raises: RecapError for a part that is unknown, or already off.
    """
    from rag.answer.llm import load_llm

    on = [p for p in PARTS if config.uses(p) and (p != READER or config.reader != "rules")]
    if load_llm(config) is None:
        on.remove("verification") if "verification" in on else None
    if wrong := [p for p in chosen if p not in on]:
        raise RecapError(f"{', '.join(wrong)} cannot be switched off here. Choose from {', '.join(on)}.")
    return tuple(chosen) or tuple(on)


def ablate(
    library: Library,
    facts: Sequence[Fact],
    *,
    parts: Sequence[str] = (),
    out: Path | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    say: Say | None = None,
) -> Ablation:
    """Run the suite as it is and with each of `parts` (default: all) off.

    Each run is kept in a folder of `out`, and taken from there when it was made of the same; `progress` is told of facts
    over all runs. Raises: RecapError, as `evaluate`.
    """
    from rag.store.library import Library

    chosen = parts_of(library.config, parts)
    total = len(facts) * (len(chosen) + 1)
    runs: list[Run] = []

    def run(library: Library, name: str) -> None:
        before = len(facts) * len(runs)

        def tell(done: int, _: int) -> None:
            if progress:
                progress(before + done, total)

        folder = out / name if out else None
        kept = _finished(folder, made_of(library, facts)) if folder else None
        if kept and say:
            say(f"{name}: taken from {folder}.")
        named = (lambda text: say(f"{name}: {text}")) if say else None
        runs.append(kept or evaluate(library, facts, out=folder, jobs=jobs, progress=tell, say=named))
        tell(len(facts), total)

    run(library, "whole")
    for part in chosen:
        with Library.open(without(library.config, part), embedder=library.embedder) as less:
            run(less, f"without-{part}")
    found = Ablation(runs[0], worths(runs[0], dict(zip(chosen, runs[1:], strict=True))))
    if out:
        text = json.dumps(as_json(found), ensure_ascii=False, indent=1) + "\n"
        write_files(out, {"ablation.json": text, "ablation.md": markdown(found)})
    return found


def _finished(folder: Path, made: Mapping[str, str]) -> Run | None:
    try:
        kept = load(folder)
    except RecapError:
        return None
    return kept if kept.about.get("made_of") == dict(made) else None


def worths(whole: Run, less: Mapping[str, Run]) -> tuple[Worth, ...]:
    """What each part is worth. `less`: the run without it, by part."""
    comparisons = {part: compare(run.results, whole.results) for part, run in less.items()}
    p = metrics.holm([c.p for c in comparisons.values()])
    return tuple(
        Worth(part, c, (_median(less[part]), _median(whole)), _otherwise(less[part], whole), p[n])
        for n, (part, c) in enumerate(comparisons.items())
    )


def _median(run: Run) -> float:
    return metrics.percentile([r.timings_ms["total"] for r in run.results if "total" in r.timings_ms], 50) or 0.0


def _otherwise(a: Run, b: Run) -> int:
    before = {r.id: r.answer for r in a.results}
    return sum(before.get(r.id, r.answer) != r.answer for r in b.results)


# --- shown -----------------------------------------------------------------------------------------------------------

_FIGURES = {"hit@5": "hit@5", "mrr@10": "MRR@10", "citation_precision": "citation precision"}


def as_json(found: Ablation) -> dict[str, Any]:
    """The ablation as ablation.json holds it: shares as fractions, times in ms, ids of the facts that flip."""
    return {
        "n": len(found.whole.results),
        "made_of": found.whole.about.get("made_of"),
        "parts": {
            w.part: {
                "verdict": w.verdict,
                "right": {name: dataclasses.asdict(i) for name, i in w.comparison.right.items()},
                "means": {name: dataclasses.asdict(i) for name, i in w.comparison.means.items()},
                "p": w.comparison.p,
                "p_holm": w.p,
                "won": [b.id for _, b in w.comparison.won],
                "lost": [b.id for _, b in w.comparison.lost],
                "answers_changed": w.answers,
                "ms_without": w.ms[0],
                "ms_with": w.ms[1],
            }
            for w in found.worths
        },
    }


def markdown(found: Ablation) -> str:
    """The ablation as Markdown: what each part is worth, then by type of fact."""
    n = len(found.whole.results)
    right = sum(r.right for r in found.whole.results)
    head = ["Part", "worth, points right [95%]", "right by it, wrong by it", "answers changed", "p (Holm)"]
    head += [*_FIGURES.values(), "ms", ""]
    rows = []
    for w in sorted(found.worths, key=lambda w: -w.comparison.right["all"].mean):
        c = w.comparison
        figures = [_points(c.means.get(name)) for name in _FIGURES]
        flips = f"{len(c.won)}, {len(c.lost)}"
        rows.append([f"{PARTS[w.part]} (`{w.part}`)", _points(c.right["all"]), flips, str(w.answers), f"{w.p:.2g}"])
        rows[-1] += [*figures, f"{w.ms[1] - w.ms[0]:+.0f}", w.verdict]
    types = [t for t in TYPES if any(t in w.comparison.right for w in found.worths)]
    by_type = [
        [w.part, *(f"{100 * i.mean:+.1f}" if (i := w.comparison.right.get(t)) else "-" for t in types)]
        for w in found.worths
    ]
    return "\n".join(
        [
            "# Recap eval: what each part is worth",
            "",
            f"As it is: {right}/{n} facts right, {_median(found.whole):.0f} ms an answer (median). Each line: as it is, less "
            "the same with that part off, over the same facts.",
            "",
            table(head, rows),
            "",
            "## By type, points right",
            "",
            table(["Part", *(NAMES[t] for t in types)], by_type),
            "",
        ]
    )


def _points(i: metrics.Interval | None) -> str:
    return f"{100 * i.mean:+.1f} [{100 * i.low:+.1f}, {100 * i.high:+.1f}]" if i else "-"


# --- does the suite notice? ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _put(*places: tuple[object, str, Any]) -> Iterator[None]:
    """Put something else in the place of functions of the engine, for a while."""
    before = [(where, name, getattr(where, name)) for where, name, _ in places]
    try:
        for where, name, value in places:
            setattr(where, name, value)
        yield
    finally:
        for where, name, value in before:
            setattr(where, name, value)


def _reversed() -> AbstractContextManager[None]:
    """The worst passage first."""
    from rag.answer import chain
    from rag.retrieve import search as module

    found = module.search

    def search(*words: Any, **more: Any) -> Any:
        hits = found(*words, **more)
        return [replace(h, rank=n) for n, h in enumerate(reversed(hits), start=1)]

    return _put((module, "search", search), (chain, "search", search))


def _deaf() -> AbstractContextManager[None]:
    """The passages of another question: whatever is asked, the same is looked for."""
    from rag.answer import chain
    from rag.retrieve import search as module

    found = module.search

    def search(library: Any, query: Any, **more: Any) -> Any:
        return found(library, replace(query, text="what happened", event=None, year=None), **more)

    return _put((module, "search", search), (chain, "search", search))


def _mute() -> AbstractContextManager[None]:
    """A reader that always declines."""
    from rag.answer import chain, reader

    return _put((chain, "read_answer", lambda query, hits, *, library: _declined(query, hits, library, reader)))


def _declined(query: Any, hits: Any, library: Any, reader: Any) -> Any:
    from rag.types import Answer

    text = reader.refuse(query, hits, library=library)
    return Answer(query.asked, query.text, text, engine="reader", abstained=True, sources=tuple(hits))


def _bold() -> AbstractContextManager[None]:
    """A reader that never declines: where it has no answer, the first passage is one."""
    from rag.answer import chain
    from rag.answer.cite import citation
    from rag.answer.reader import read_answer as read
    from rag.types import Answer

    def answer(query: Any, hits: Any, *, library: Any) -> Any:
        got = read(query, hits, library=library)
        if not got.abstained or not hits:
            return got
        chunk = hits[0].chunk
        cited = (citation(hits[0], chunk.start, chunk.end, marker=1),)
        return Answer(query.asked, query.text, f"{chunk.text} [1]", short=chunk.text, engine="reader", citations=cited)

    return _put((chain, "read_answer", answer))


def _shifted() -> AbstractContextManager[None]:
    """Each citation points to the passage after its own."""
    from rag.answer import chain

    ask = chain.ask

    def shifted(*words: Any, **more: Any) -> Any:
        got = ask(*words, **more)
        ids = [h.chunk.id for h in got.sources]
        cited = []
        for c in got.citations:
            at = ids.index(c.chunk_id) if c.chunk_id in ids else -1
            hit = got.sources[(at + 1) % len(ids)]
            cited.append(
                replace(
                    c, article_id=hit.article.id, chunk_id=hit.chunk.id, title=hit.article.title, url=hit.article.url,
                    quote=hit.chunk.text, start=hit.chunk.start, end=hit.chunk.end, event=hit.article.event,
                )
            )  # fmt: skip
        return replace(got, citations=tuple(cited))

    return _put((chain, "ask", shifted))


def _uncited() -> AbstractContextManager[None]:
    """Answers without their citations."""
    from rag.answer import chain

    ask = chain.ask
    return _put((chain, "ask", lambda *words, **more: replace(ask(*words, **more), citations=())))


def _other_edition() -> AbstractContextManager[None]:
    """Another edition than the one that was asked for stands first, and may answer."""
    from rag.answer import reader
    from rag.retrieve import search as module

    weigh = module.affinity

    def affinity(*words: Any, **more: Any) -> tuple[float, bool]:
        factor, wrong = weigh(*words, **more)
        return (module.EVENT_BOOST, False) if wrong else (1.0, factor > 1.0)

    return _put((module, "affinity", affinity), (reader, "_eligible", lambda query, unit, names: True))


def _forgetful() -> AbstractContextManager[None]:
    """What was said before is not heard."""
    from rag.answer import chain

    ask = chain.ask
    return _put((chain, "ask", lambda *words, **more: ask(*words, **{**more, "history": ()})))


def _crashing() -> AbstractContextManager[None]:
    """Every question with a year in it raises."""
    from rag.answer import chain

    ask = chain.ask

    def crash(library: Any, question: str, **more: Any) -> Any:
        if "20" in question:
            raise ValueError("broken")
        return ask(library, question, **more)

    return _put((chain, "ask", crash))


SABOTAGES: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "ranking reversed": _reversed,
    "search deaf to the question": _deaf,
    "reader always declines": _mute,
    "reader never declines": _bold,
    "citations shifted by one": _shifted,
    "citations left out": _uncited,
    "another edition preferred": _other_edition,
    "history not heard": _forgetful,
    "a crash on some questions": _crashing,
}


@dataclass(frozen=True, slots=True)
class Noticed:
    """What the comparison with the whole engine says of a broken one (B).

    `how`, the strongest of it: "gate" when a pinned fact became wrong, "worse" by the verdict on facts and figures; both make
    `recap eval compare` exit 1. Else "flips" when a fact became wrong, "" when nothing shows.
    """

    broken: str
    comparison: Comparison
    how: str


def notice(broken: str, whole: Sequence[Result], results: Sequence[Result]) -> Noticed:
    """Compare a run of a broken engine with one of the whole."""
    c = compare(whole, results)
    return Noticed(broken, c, "gate" if c.pinned_lost else "worse" if c.fails else "flips" if c.lost else "")


UNCHANGED = "nothing (the same again)"


def self_test(
    library: Library,
    facts: Sequence[Fact],
    *,
    parts: Sequence[str] | None = None,
    sabotages: Sequence[str] = tuple(SABOTAGES),
    progress: Callable[[str], None] = lambda name: None,
) -> list[Noticed]:
    """Break the engine one way at a time; `UNCHANGED` comes first, asked in another order.

    `parts` are switched off (None: all there are), `sabotages` are from SABOTAGES.
    """
    from rag.store.library import Library

    progress("as it is")
    whole = evaluate(library, facts).results
    progress(UNCHANGED)
    found = [notice(UNCHANGED, whole, evaluate(library, facts, seed=1).results)]
    for part in parts_of(library.config) if parts is None else parts:
        progress(part)
        with Library.open(without(library.config, part), embedder=library.embedder) as less:
            found.append(notice(part, whole, evaluate(less, facts).results))
    for name in sabotages:
        progress(name)
        with SABOTAGES[name]():
            found.append(notice(name, whole, evaluate(library, facts).results))
    return found


def moved(c: Comparison) -> bool:
    """Tell whether a comparison shows any difference at all: a verdict, or any figure."""
    return bool(c.lost or c.won) or any(i.low or i.high or i.mean for i in c.means.values())


def failures(found: Sequence[Noticed]) -> list[str]:
    """What the suite should have noticed and did not, or the other way: a sentence each.

    A sabotage must stop a gate, or these facts guard little. A part that is off need not: they may do without it.
    """
    said = []
    for n in found:
        if n.broken == UNCHANGED and moved(n.comparison):
            said.append("An unchanged engine was noticed: its verdicts or figures differ from run to run.")
        if n.broken in SABOTAGES and not n.comparison.fails:
            said.append(f"Not stopped: {n.broken}{' (facts flipped)' if n.how else ''}. Pin facts that it makes wrong.")
    return said


def noticed_markdown(found: Sequence[Noticed]) -> str:
    """The self-test as Markdown."""
    rows = []
    for n in found:
        c = n.comparison
        flips = [str(len(c.lost)), str(len(c.won)), str(len(c.pinned_lost))]
        lower = ", ".join(MEANS[f] for f in c.figures_lower) or "-"
        rows.append([n.broken, *flips, lower, c.verdict, n.how or "-", str(int(c.fails))])
    head = [
        "Broken",
        "became wrong",
        "became right",
        "pinned lost",
        "figures surely lower",
        "verdict",
        "noticed by",
        "exit",
    ]
    return "\n".join([f"# Does the suite notice? n = {found[0].comparison.n}", "", table(head, rows), ""])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the self-test; 1 when a sabotage would pass a gate, or something whole was noticed. 2: could not run."""
    from eval.__main__ import library_of
    from eval.facts import load_facts

    parser = argparse.ArgumentParser(
        "python -m eval.ablate", description="Break Recap on purpose: does the suite notice?"
    )
    parser.add_argument("--self-test", action="store_true", required=True)
    parser.add_argument("facts", nargs="+", type=Path, metavar="FACTS")
    parser.add_argument("--library", type=Path, metavar="DIR", help="default: the articles beside the facts")
    parser.add_argument("--llm", metavar="NAME", default="none")
    args = parser.parse_args(argv)
    try:
        facts = load_facts(args.facts)
        with library_of(args, args.llm) as library:
            found = self_test(library, facts, progress=lambda name: print(name, file=sys.stderr, flush=True))
    except RecapError as e:
        print(e, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 2
    wrong = failures(found)
    print("\n".join([noticed_markdown(found), *wrong]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
