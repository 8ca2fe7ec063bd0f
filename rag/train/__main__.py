"""`python -m rag.train DATA --out DIR`: fit the reader's model and write it as int8 ONNX.

Run again after an interruption, it goes on where it stopped. With `--ship` the files that Recap loads are replaced.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import RecapError

if TYPE_CHECKING:
    from rag.train.fit import Recipe


def main(argv: Sequence[str] | None = None) -> int:
    """Train by command line; 0 when it is done, 2 when it cannot be."""
    from rag.train.fit import Recipe

    parser = argparse.ArgumentParser(prog="python -m rag.train", description=__doc__, allow_abbrev=False)
    parser.add_argument("data", type=Path, help="folder of SQuAD-format *.json(.gz) and clapnq*.jsonl(.gz) files")
    parser.add_argument("--out", type=Path, required=True, help="checkpoints, log, near misses, ONNX files")
    parser.add_argument("--ship", action="store_true", help="put the result where Recap loads it from")
    parser.add_argument(
        "--only-export", action="store_true", help="do not train further: export the checkpoint as it is"
    )
    for f in fields(Recipe):
        if isinstance(f.default, int | float):
            parser.add_argument(
                f"--{f.name.replace('_', '-')}", type=type(f.default), default=f.default, help="(%(default)s)"
            )
    args = parser.parse_args(argv)
    given = {f.name: getattr(args, f.name) for f in fields(Recipe) if hasattr(args, f.name)}
    began = time.monotonic()

    def tell(said: str) -> None:
        print(f"[{time.monotonic() - began:7.1f} s] {said}", file=sys.stderr, flush=True)

    try:
        run(args.data, args.out, replace(Recipe(), **given), tell=tell, ship=args.ship, train=not args.only_export)
    except RecapError as e:
        print(f"recap: {e}", file=sys.stderr)
        return 2
    return 0


def run(data: Path, out: Path, recipe: Recipe, *, tell: Callable[[str], None], ship: bool, train: bool) -> None:
    """Mine, fit, export."""
    from rag.train.data import held_out, load
    from rag.train.fit import fit, trained
    from rag.train.mine import mine

    lessons, _ = held_out(load(data))
    tell(f"{len(lessons.questions):,} questions on {len(lessons.passages):,} passages")
    if train:
        near = mine(lessons, cache=out, seed=recipe.seed, tell=tell)
        net = fit(lessons, near, out, recipe=recipe, tell=tell)
    else:
        net = trained(out)
    from rag.train.export import export

    export(net, out, ship=ship, tell=tell)


if __name__ == "__main__":
    sys.exit(main())
