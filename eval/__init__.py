"""Known facts about the coverage, put to Recap and judged: `evaluate(library, load_facts(["seeds/facts.jsonl"]))`."""

from eval.facts import Fact, FactsError, load_facts
from eval.run import Result, Run, evaluate

__all__ = ["Fact", "FactsError", "Result", "Run", "evaluate", "load_facts"]
