"""`python -m eval.record`: make a recording for `RECAP_LLM=replay:FILE`, of any model's own words.

`ask` puts facts (or with --news the questions of a RealTimeQA folder) to the recording and writes the prompts that it lacks;
`add` takes replies (`{"key", "reply"}`, a line each) into it. A follow-up is asked only when its question has been rewritten:
ask, add and ask again until nothing is lacking. Who gave the replies stands in the recording's first line.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from eval.report import write_files
from rag.answer.llm import load_llm
from rag.answer.replay import Replay, load_replay
from rag.config import Config
from rag.errors import RecapError
from rag.store.library import Library


def lacking(
    library: Library, *, facts: Sequence[Path] = (), news: Path | None = None, every: int = 1, attacks: bool = False
) -> list[dict[str, Any]]:
    """Ask everything, and return what the library's recording had no reply to: {"key", "messages"}. Raises: RecapError."""
    model = load_llm(library.config)
    if not isinstance(model, Replay):
        raise RecapError("Name the recording: --recording FILE.")
    missed = model.missed = {}
    if facts:
        from eval.facts import load_facts
        from eval.run import evaluate

        evaluate(library, load_facts(list(facts)))
    if news is not None:
        from eval.spoken import measure

        measure(library, news, every=every)
    if attacks:
        from eval.attacks import load_attacks, run

        run(library, model, load_attacks())
    return [
        {"key": key, "messages": [{"role": m.role, "content": m.content} for m in messages]}
        for key, messages in missed.items()
    ]


def add(recording: Path, replies: Sequence[Path], *, model: str, note: str) -> int:
    """Take replies into a recording, which may be new; return how many it then has. Raises: RecapError."""
    kept = dict(load_replay(recording).replies) if recording.is_file() else {}
    for file in replies:
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
            if line.strip():
                try:
                    row = json.loads(line)
                    kept[str(row["key"])] = str(row["reply"]).strip()
                except (ValueError, KeyError, TypeError, RecursionError) as e:
                    raise RecapError(f"{file}:{number} is no reply ({type(e).__name__}: {e}).") from e
    head = {"recorded": {"model": model, "date": date.today().isoformat(), "note": note}}
    rows = [head, *({"key": k, "reply": kept[k]} for k in sorted(kept))]
    write_files(recording.parent, {recording.name: "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)})
    return len(kept)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m eval.record", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    asks = commands.add_parser("ask", help="write the prompts that a recording lacks")
    asks.add_argument("facts", nargs="*", type=Path)
    asks.add_argument("--news", type=Path, metavar="DIR")
    asks.add_argument("--every", type=int, default=1, metavar="N", help="only every n-th news question")
    asks.add_argument("--attacks", action="store_true", help="the hidden instructions of `recap eval attacks`")
    asks.add_argument("--library", type=Path, required=True)
    asks.add_argument("--recording", type=Path, required=True)
    asks.add_argument("--out", type=Path, required=True, help="JSON Lines of the prompts")
    adds = commands.add_parser("add", help="take replies into a recording")
    adds.add_argument("replies", nargs="+", type=Path)
    adds.add_argument("--recording", type=Path, required=True)
    adds.add_argument("--model", required=True, help="who gave the replies")
    adds.add_argument("--note", default="", help="how")
    args = parser.parse_args(argv)
    try:
        if args.command == "add":
            print(
                f"{add(args.recording, args.replies, model=args.model, note=args.note):,} replies in {args.recording}"
            )
            return 0
        if not args.recording.is_file():
            add(args.recording, (), model="nobody yet", note="")
        with Library.open(Config.load(library=args.library, llm=f"replay:{args.recording}")) as library:
            found = lacking(library, facts=args.facts, news=args.news, every=args.every, attacks=args.attacks)
        write_files(args.out.parent, {args.out.name: "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in found)})
        print(f"{len(found):,} prompts without a reply in {args.out}")
    except RecapError as e:
        print(e, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
