"""Reciprocal rank fusion. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

K = 60


def rrf(rankings: Iterable[Sequence[str]], *, k: int = K) -> dict[str, float]:
    """Fuse ranked lists of ids: score(d) = sum over lists of 1 / (k + rank), rank from 1.

    Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods", SIGIR 2009.
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, name in enumerate(dict.fromkeys(ranking), start=1):
            scores[name] = scores.get(name, 0.0) + 1.0 / (k + rank)
    return scores
