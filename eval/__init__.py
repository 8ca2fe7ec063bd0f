"""Known facts about the coverage, put to Recap and judged.

    with Library.open(Config.load()) as library:
        run = evaluate(library, load_facts(["seeds/facts.jsonl"]))
    run.summary()["right"]["all"], [(r.id, r.reason) for r in run.results if not r.right]

`eval.report.load` reads a run that `out=` wrote, `eval.compare.compare` sets two beside each other, `eval.ablate.ablate` tells
what each part of the engine is worth.
"""

from eval.facts import Fact, FactsError, load_facts
from eval.run import Result, Run, evaluate

__all__ = ["Fact", "FactsError", "Result", "Run", "evaluate", "load_facts"]
