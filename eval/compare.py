"""Compare runs fact by fact: what flipped, by how much the figures moved, and whether that can be told from chance.

The rule: a run is better, or worse, when the 95% interval of the paired difference excludes zero, whole clusters drawn;
over fewer than FEW clusters, where such an interval says little, when McNemar's exact p is below SURE. McNemar counts
every fact as independent: in simulations without a difference it called one in 13 to 26% of runs whose facts stand or
fall in clusters of two to four, the interval in 4 to 5%.

Figures that are no verdict of a fact count too: those of PRIMARY, named beforehand, and no others. One is surely lower, or
higher, when its interval excludes zero and a sign-flip test over clusters, corrected by Holm for all of PRIMARY, is below
SURE. A run that has one surely lower is worse, whatever it won. So a run that differs by chance alone is called worse in at
most one of 20: 2.5% by the share that is right, 2.5% by a figure; one that answers the same never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from eval import metrics
from eval.facts import TYPES
from eval.metrics import Interval
from eval.report import NAMES, gold_of, table
from eval.run import MEANS, Result
from rag.answer.sentences import literal
from rag.errors import RecapError

SURE = 0.05
PRIMARY = ("mrr@10", "f1_unicode", "citation_precision", "citation_recall", "citation_gold")
FEW = 10  # clusters
_LISTED = 100  # flips listed each way


@dataclass(frozen=True, slots=True)
class Comparison:
    """Run B (the later) against run A (the first), over the facts that both hold.

    `lost`: (A's result, B's result) of facts right in A and wrong in B; `won` the other way. `right` has the change of
    the share that is right, over all and by type; `means` that of every other figure, `figure_p` the corrected p-value of those
    of PRIMARY. `only_a`, `only_b`: ids that the
    other run lacks; `changed`: ids whose question or gold differ, which are not compared. `pinned_gone`: pinned facts of A
    among those, which therefore no longer guard anything.
    """

    n: int
    lost: tuple[tuple[Result, Result], ...]
    won: tuple[tuple[Result, Result], ...]
    right: dict[str, Interval]
    means: dict[str, Interval]
    p: float
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    pinned_gone: tuple[str, ...] = ()
    figure_p: dict[str, float] = field(default_factory=dict)

    @property
    def pinned_lost(self) -> tuple[str, ...]:
        """Pinned facts that flipped from right to wrong."""
        return tuple(b.id for a, b in self.lost if a.pinned or b.pinned)

    @property
    def verdict(self) -> str:
        """ "better", "worse" or "cannot tell", by the rule above."""
        told = verdict(self.right["all"], lost=len(self.lost), won=len(self.won))
        if self.figures_lower or told == "worse":
            return "worse"
        return "better" if self.figures_higher else told

    @property
    def figures_lower(self) -> tuple[str, ...]:
        """The figures of PRIMARY that are surely lower."""
        return tuple(f for f, p in self.figure_p.items() if p < SURE and self.means[f].high < 0)

    @property
    def figures_higher(self) -> tuple[str, ...]:
        """The figures of PRIMARY that are surely higher."""
        return tuple(f for f, p in self.figure_p.items() if p < SURE and self.means[f].low > 0)

    @property
    def fails(self) -> bool:
        """Whether a gate should stop run B: a pinned fact became wrong, or it is worse."""
        return bool(self.pinned_lost) or self.verdict == "worse"

    @property
    def rule(self) -> str:
        """What the verdict on the share that is right goes by, with its figures."""
        i = self.right["all"]
        mcnemar = f"McNemar's exact p = {self.p:.3g}"
        if i.clusters < FEW:
            return f"by {mcnemar}, below {SURE} or not; {i.clusters} clusters are too few for an interval"
        held = "excludes" if i.low > 0 or i.high < 0 else "holds"
        return f"difference {_points(i)} points, which {held} zero; {mcnemar}"


def verdict(change: Interval, *, lost: int, won: int) -> str:
    """Say "better", "worse" or "cannot tell" of a change of the share that is right, by the rule above."""
    apart = change.low > 0 or change.high < 0
    sure = metrics.mcnemar(lost, won) < SURE if change.clusters < FEW else apart
    return "cannot tell" if not sure else "better" if change.mean > 0 else "worse"


def compare(before: Sequence[Result], after: Sequence[Result]) -> Comparison:
    """Compare the results of run B (`after`) with those of run A (`before`).

    Raises: RecapError when they share no fact.
    """
    a, b = {r.id: r for r in before}, {r.id: r for r in after}
    both = [i for i in a if i in b]
    changed = tuple(i for i in both if _asked(a[i]) != _asked(b[i]))
    pairs = [(a[i], b[i]) for i in both if i not in changed]
    if not pairs:
        raise RecapError("The two runs share no fact. Compare runs over the same fact file.")

    def change(pairs: Sequence[tuple[Result, Result]], of: Callable[[Result], float | bool | None]) -> Interval | None:
        clusters = [x.cluster for x, _ in pairs]
        return metrics.paired_difference([of(x) for x, _ in pairs], [of(y) for _, y in pairs], clusters)

    def score(name: str) -> Callable[[Result], float | None]:
        return lambda r: r.scores.get(name)

    clusters = [x.cluster for x, _ in pairs]
    chances: dict[str, float] = {}
    for name in PRIMARY:
        of = score(name)
        if (p := metrics.sign_flip([of(x) for x, _ in pairs], [of(y) for _, y in pairs], clusters)) is not None:
            chances[name] = p
    lost = tuple((x, y) for x, y in pairs if x.right and not y.right)
    won = tuple((x, y) for x, y in pairs if y.right and not x.right)
    groups = {"all": pairs} | {t: [p for p in pairs if p[0].type == t] for t in TYPES}
    kept = {x.id for x, _ in pairs}
    return Comparison(
        n=len(pairs),
        lost=lost,
        won=won,
        right={name: i for name, group in groups.items() if (i := change(group, lambda r: r.right))},
        means={name: i for name in MEANS if (i := change(pairs, score(name)))},
        p=metrics.mcnemar(len(lost), len(won)),
        only_a=tuple(i for i in a if i not in b),
        only_b=tuple(i for i in b if i not in a),
        changed=changed,
        pinned_gone=tuple(i for i in a if a[i].pinned and i not in kept),
        figure_p=dict(zip(chances, metrics.holm(list(chances.values())), strict=True)),
    )


def _asked(r: Result) -> tuple[object, ...]:
    return (r.type, r.question, r.as_of, r.history, r.gold, r.must_not, r.correction)


def markdown(c: Comparison, *, names: tuple[str, str] = ("A", "B")) -> str:
    """The comparison as Markdown, the verdict first. `names` are those of the two runs."""
    one, two = names
    lost, won = len(c.lost), len(c.won)
    lines = [
        f"# Recap eval: {two} compared with {one}",
        "",
        f"**{c.verdict.capitalize()}** (n = {c.n}): became right {won}, became wrong {lost}; {c.rule}.",
        "",
    ]
    for text, figures in (("Surely lower", c.figures_lower), ("Surely higher", c.figures_higher)):
        if figures:
            lines += [f"{text}: {', '.join(f'{MEANS[f]} ({_points(c.means[f])})' for f in figures)}.", ""]
    if c.pinned_lost:
        lines += [f"Pinned facts that became wrong: {', '.join(c.pinned_lost)}.", ""]
    for text, ids in (
        (f"Pinned in {one} and not compared", c.pinned_gone),
        (f"Only in {one}", c.only_a),
        (f"Only in {two}", c.only_b),
        (f"Asked or judged otherwise in {two}, so not compared", c.changed),
    ):
        if ids:
            lines += [f"{text}: {', '.join(ids[:_LISTED])}{' ...' if len(ids) > _LISTED else ''}.", ""]
    rows = []
    for name, i in c.right.items():
        up, down = (sum(name in ("all", x.type) for x, _ in flips) for flips in (c.won, c.lost))
        rows.append([NAMES[name], _points(i), str(i.n), f"+{up}", f"-{down}", verdict(i, lost=down, won=up)])
    head = ["Type", "points [95%]", "n", "became right", "became wrong", "verdict"]
    lines += [f"## Right: {two} - {one}", "", table(head, rows), ""]
    rows = [[MEANS[name], _points(i), str(i.n), *_judged(c, name)] for name, i in c.means.items()]
    head = ["", "points [95%]", "n", "p (Holm)", "verdict"]
    lines += [f"## Other figures: {two} - {one}", "", table(head, rows), ""]
    for heading, flips in (("Became wrong", c.lost), ("Became right", c.won)):
        if flips:
            rows = [
                [
                    ("📌 " if a.pinned or b.pinned else "") + b.id,
                    *map(literal, (b.question, a.answer or "-", b.answer or "-", gold_of(b))),
                ]
                for a, b in flips[:_LISTED]
            ]
            lines += [f"## {heading} ({len(flips)})", "", table(["Fact", "Question", one, two, "Gold"], rows), ""]
    return "\n".join(lines)


def _judged(c: Comparison, figure: str) -> tuple[str, str]:
    """The corrected p-value of a figure and its verdict; one that is not of PRIMARY is shown and not judged."""
    if figure not in c.figure_p:
        return "", "not judged"
    told = "worse" if figure in c.figures_lower else "better" if figure in c.figures_higher else "cannot tell"
    return f"{c.figure_p[figure]:.2g}", told


def _points(i: Interval) -> str:
    return f"{100 * i.mean:+.1f} [{100 * i.low:+.1f}, {100 * i.high:+.1f}]"
