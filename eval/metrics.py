"""What right is, in numbers. Pure: text and figures in, figures out.

Rates are fractions from 0 to 1; None stands for "not defined here" (no citation, nothing relevant) and is left out of
means. Ranks count from 1. What it does not know: facts, libraries, files.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
SEED = 20240911
_TINY = 1e-9  # a change that is only rounding

# --- retrieval -------------------------------------------------------------------------------------------------------


def hit_at(gains: Sequence[bool], k: int) -> float:
    """1 if something relevant is among the first `k`. `gains[i]`: the hit of rank i+1 is relevant."""
    return float(any(gains[:k]))


def mrr_at(gains: Sequence[bool], k: int = 10) -> float:
    """Reciprocal rank of the first relevant hit among the first `k`, else 0."""
    return next((1 / rank for rank, gain in enumerate(gains[:k], start=1) if gain), 0.0)


def ndcg_at(gains: Sequence[bool], relevant: int, k: int = 10) -> float | None:
    """Discounted gain over the best possible with `relevant` passages; None when there are none.

    Source: Järvelin and Kekäläinen 2002, binary gains, log2(rank + 1); IDCG over min(k, relevant).
    """
    if relevant < 1:
        return None
    dcg = sum(1 / math.log2(rank + 1) for rank, gain in enumerate(gains[:k], start=1) if gain)
    return dcg / sum(1 / math.log2(rank + 1) for rank in range(1, min(k, relevant) + 1))


# --- answers ---------------------------------------------------------------------------------------------------------

_ARTICLES = frozenset(("a", "an", "the"))
# Chinese characters, kana and Hangul are written without spaces: each is a word of its own here.
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힯]|[^\W_぀-ヿ㐀-鿿가-힯]+")
Normalise = Callable[[str], str]


def squad_normalise(text: str) -> str:
    """Lower case, no ASCII punctuation, no articles, single spaces.

    Source: the official SQuAD evaluation script (Rajpurkar et al. 2016), `normalize_answer`.
    """
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def words(text: str) -> tuple[str, ...]:
    """Split into bare words: case, accents, punctuation, articles and digit grouping apart ("Beyoncé's" beyonce s).

    A text of articles alone keeps them.
    """
    text = unicodedata.normalize("NFKD", text.replace("’", "'")).casefold()
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)  # 1,250
    text = re.sub(r"\b([^\W\d_])\.(?=[^\W\d_]\b)", r"\1", text)  # U.S. = US
    every = tuple(_WORD.findall(text))
    return tuple(w for w in every if w not in _ARTICLES) or every


def unicode_normalise(text: str) -> str:
    """`words` as one string: what SQuAD's normaliser does for ASCII, for any script."""
    return " ".join(words(text))


def exact_match(said: str, gold: Sequence[str], *, normalise: Normalise = squad_normalise) -> float:
    """1 if the normalised answer equals any alias."""
    return float(any(normalise(said) == normalise(g) for g in gold))


def token_f1(said: str, gold: Sequence[str], *, normalise: Normalise = squad_normalise) -> float:
    """The best token F1 with any alias. Source: the official SQuAD evaluation script, `f1_score`."""
    return max((_f1(normalise(said).split(), normalise(g).split()) for g in gold), default=0.0)


def _f1(said: Sequence[str], gold: Sequence[str]) -> float:
    same = sum((Counter(said) & Counter(gold)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(said), same / len(gold)
    return float(2 * precision * recall / (precision + recall))


def contains(text: str, phrase: str) -> bool:
    """Tell whether `text` says `phrase`: its words, next to each other, whole ("Megan" is not in "Megans")."""
    want = unicode_normalise(phrase)
    return bool(want) and f" {want} " in f" {unicode_normalise(text)} "


def missing(text: str, answers: Sequence[Sequence[str]]) -> list[str]:
    """The answers that `text` does not say, each by its first alias. `answers`: groups of aliases."""
    return [group[0] for group in answers if not any(contains(text, alias) for alias in group)]


def said_of(text: str, phrases: Sequence[str]) -> list[str]:
    """Those of `phrases` that `text` says."""
    return [p for p in phrases if contains(text, p)]


def answer_normalise(text: str) -> str:
    """SQuAD's normalisation with a space for punctuation: "Biden's" holds "Biden", "glitch-free" "glitch".

    With punctuation taken out, as SQuAD has it, 134 of the 2,077 articles of 2023 that RealTimeQA names for an answer
    would not hold it; so all do.
    """
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", re.sub(r"[^\w\s]", " ", text.lower())).split())


def holds_answer(passage: str, answer: str) -> bool:
    """Tell whether a passage says an answer: its words, whole and next to each other, by `answer_normalise`."""
    want = answer_normalise(answer)
    return bool(want) and f" {want} " in f" {answer_normalise(passage)} "


# --- citations -------------------------------------------------------------------------------------------------------


def citation_precision(verdicts: Sequence[str]) -> float | None:
    """Supported citations over citations; None without any."""
    return verdicts.count("supported") / len(verdicts) if verdicts else None


def citation_recall(sentences: int, supported: Sequence[int]) -> float | None:
    """Answer sentences with a supported citation over answer sentences. `supported`: their indices, repeats allowed."""
    if sentences < 1:
        return None
    return len({s for s in supported if 0 <= s < sentences}) / sentences


# --- declining -------------------------------------------------------------------------------------------------------


def crag_points(right: bool, abstained: bool) -> float:
    """+1 right, 0 declined, -1 wrong; declining what the coverage does not say is right.

    Source: CRAG (Yang et al. 2024), with the score of a missing answer.
    """
    return 1.0 if right else 0.0 if abstained else -1.0


def risk_coverage(confidence: Sequence[float], right: Sequence[bool], total: int | None = None) -> list[list[float]]:
    """Points `[coverage, risk]`: answering only the k surest, how many are answered and what share of them is wrong.

    `total`: all questions, declined ones too (they are never covered). Equal confidence is one point, so order does not
    matter. Source: El-Yaniv and Wiener 2010.
    """
    total = total if total is not None else len(right)
    order = sorted(zip(confidence, right, strict=True), key=lambda pair: -pair[0])
    points: list[list[float]] = []
    wrong = 0
    for k, (sure, ok) in enumerate(order, start=1):
        wrong += not ok
        if k == len(order) or order[k][0] != sure:
            points.append([k / total, wrong / k])
    return points


# --- how sure the figures are ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95% bootstrap interval over `clusters` independent groups of `n` values."""

    mean: float
    low: float
    high: float
    n: int
    clusters: int


def bootstrap_mean(
    values: Sequence[float | bool | None], clusters: Sequence[str], *, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval | None:
    """Mean of `values` (None left out) with a percentile interval, whole clusters drawn with replacement.

    Returns None when no value is defined. Source: Efron 1979; cluster bootstrap, Cameron, Gelbach and Miller 2008.
    """
    pairs = [(float(v), c) for v, c in zip(values, clusters, strict=True) if v is not None]
    if not pairs:
        return None
    names = {c: i for i, c in enumerate(dict.fromkeys(c for _, c in pairs))}
    index = np.array([names[c] for _, c in pairs])
    sums = np.bincount(index, weights=[v for v, _ in pairs])  # (clusters,)
    sizes = np.bincount(index)  # (clusters,)
    rng = np.random.default_rng(seed)
    even = np.full(len(names), 1 / len(names))
    means = []
    for start in range(0, resamples, 1000):  # 1000 rows at a time: memory stays at 8 MB per 1,000 clusters
        drawn = rng.multinomial(len(names), even, size=min(1000, resamples - start))  # (rows, clusters)
        means.append(drawn @ sums / (drawn @ sizes))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    mean = float(sums.sum() / sizes.sum())
    return Interval(mean=mean, low=float(low), high=float(high), n=len(pairs), clusters=len(names))


def paired_difference(
    before: Sequence[float | bool | None],
    after: Sequence[float | bool | None],
    clusters: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval | None:
    """Mean of after - before over the facts that both define, with its interval."""
    pairs = zip(before, after, strict=True)
    changes = [None if a is None or b is None else float(b) - float(a) for a, b in pairs]
    return bootstrap_mean(changes, clusters, resamples=resamples, seed=seed)


def mcnemar(lost: int, won: int) -> float:
    """Two-sided exact p-value that facts flip either way with the same chance.

    `lost`: right before, wrong after; `won`: the other way. Source: McNemar 1947, exact binomial form.
    """
    n = lost + won
    tail = sum(math.comb(n, i) for i in range(min(lost, won) + 1))
    return min(1.0, 2 * tail / (1 << n))


def sign_flip(
    before: Sequence[float | bool | None],
    after: Sequence[float | bool | None],
    clusters: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> float | None:
    """Two-sided p-value that the paired change is as likely to be for the worse as for the better, whole clusters flipped.

    Exact up to 12 clusters that change, else over `resamples` random flips. None when no fact has a value in both.
    Source: Fisher 1935; paired randomisation of retrieval figures, Smucker, Allan and Carterette 2007.
    """
    changes: dict[str, float] = {}
    for a, b, c in zip(before, after, clusters, strict=True):
        if a is not None and b is not None:
            changes[c] = changes.get(c, 0.0) + float(b) - float(a)
    if not changes:
        return None
    moved = np.array([d for d in changes.values() if abs(d) > _TINY])
    seen = abs(moved.sum()) - _TINY
    if len(moved) <= 12:
        signs = 1 - 2 * (np.arange(1 << len(moved))[:, None] >> np.arange(len(moved)) & 1)  # (flips, clusters)
        return float(np.mean(abs(signs @ moved) >= seen))
    rng = np.random.default_rng(seed)
    as_far = sum(
        int((abs((1 - 2 * rng.integers(0, 2, (min(1000, resamples - at), len(moved)))) @ moved) >= seen).sum())
        for at in range(0, resamples, 1000)
    )
    return (1 + as_far) / (1 + resamples)


def holm(values: Sequence[float]) -> list[float]:
    """P-values corrected for how many there are, in their order. Source: Holm 1979, adjusted p-values."""
    out, worst = [1.0] * len(values), 0.0
    for rank, i in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        worst = max(worst, min(1.0, (len(values) - rank) * values[i]))
        out[i] = worst
    return out


def percentile(values: Sequence[float], q: float) -> float | None:
    """The `q`-th percentile (0 to 100, linear between ranks); None without values."""
    return float(np.percentile(values, q)) if len(values) else None
