"""Fit the reader's network: the same run on a CPU (bf16) and on a GPU, resumed where it stopped."""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from rag.errors import RecapError
from rag.model.reader import pack
from rag.store.embed import load_tokenizer, packaged_model_dir
from rag.train.data import Lessons, Question
from rag.train.net import ReaderNet, new_net

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run is made of; two runs of one recipe on one machine see the same batches."""

    epochs: float = 4.0
    rate: float = 1.5e-4  # of the encoder, at its highest
    head_rate: float = 1e-3
    warmup: float = 0.05  # share of the steps
    decay: float = 0.01
    dropout: float = 0.05
    batch_tokens: int = 3600  # padding included
    windows: tuple[int, int] = (80, 200)  # tokens of text shown, drawn for each example: less is faster and more varied
    misses: float = 0.35  # near misses for each question that has an answer
    no_header: float = 0.3  # share of examples that do without
    lessons: int = 1  # times that the project's own questions come in an epoch
    reviews: float = 0.4  # share of the questions on reviews and forum posts, which are least like coverage
    rank_weight: float = 0.5
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Example:
    """One packed row: `span` are token positions (0, 0: not here; None: here, but nobody marked where)."""

    ids: list[int]
    first: int
    span: tuple[int, int] | None
    relevant: bool


@dataclass(frozen=True, slots=True)
class Encoded:
    """All texts as tokens, once."""

    lessons: Lessons
    questions: list[list[int]]
    texts: list[tuple[list[int], list[tuple[int, int]]]]  # ids, characters
    headers: list[list[int]]


def encode(lessons: Lessons) -> Encoded:
    """Tokenize questions, passages and headers."""
    tokenizer = load_tokenizer()

    def of(texts: Sequence[str]) -> list[Any]:
        return list(tokenizer.encode_batch(list(texts), add_special_tokens=False))

    return Encoded(
        lessons,
        [e.ids for e in of([q.text for q in lessons.questions])],
        [(e.ids, e.offsets) for e in of([p.text for p in lessons.passages])],
        [e.ids for e in of([p.header for p in lessons.passages])],
    )


def tokens_of(offsets: Sequence[tuple[int, int]], span: tuple[int, int]) -> tuple[int, int] | None:
    """Return the (first, last) tokens that hold the characters of `span`."""
    inside = [n for n, (s, e) in enumerate(offsets) if s < span[1] and e > span[0]]
    return (inside[0], inside[-1]) if inside else None


def epoch(data: Encoded, near: Sequence[tuple[int, ...]], *, number: int, recipe: Recipe) -> Iterator[list[Example]]:
    """Yield the batches of an epoch. Rows of like length together, batches in random order."""
    rng = random.Random(recipe.seed * 1000 + number)  # noqa: S311
    rows: list[Example] = []
    for i, q in enumerate(data.lessons.questions):
        if any(c in q.corpus for c in ("amazon", "reddit")) and rng.random() > recipe.reviews:
            continue
        for _ in range(recipe.lessons if q.corpus == "lessons" else 1):
            if q.passage is not None:
                rows.append(_example(data, i, q, q.passage, rng, recipe))
            wrong = [*q.not_in, *near[i]]
            often = 1.0 if q.passage is None else 2 * recipe.misses if q.corpus == "lessons" else recipe.misses
            if wrong and rng.random() < often:
                # what was read for it and does not say, else the nearest: those are the hard ones
                pick = (
                    rng.choice(q.not_in)
                    if q.not_in and (q.passage is None or rng.random() < 0.5)
                    else rng.choice(wrong)
                )
                rows.append(_example(data, i, q, pick, rng, recipe))
    rng.shuffle(rows)
    rows.sort(key=lambda r: len(r.ids) // 16)
    batches: list[list[Example]] = [[]]
    for r in rows:
        if batches[-1] and (len(batches[-1]) + 1) * len(r.ids) > recipe.batch_tokens:
            batches.append([])
        batches[-1].append(r)
    rng.shuffle(batches)
    yield from batches


def _example(data: Encoded, i: int, q: Question, passage: int, rng: random.Random, recipe: Recipe) -> Example:
    ids, offsets = data.texts[passage]
    header = [] if rng.random() < recipe.no_header else data.headers[passage]
    here = passage == q.passage
    marked = tokens_of(offsets, rng.choice(q.spans)) if here and q.spans else None
    width = rng.randint(*recipe.windows)
    low, high = 0, max(0, len(ids) - width)
    if marked:
        width = max(width, marked[1] - marked[0] + 1)
        low, high = max(0, marked[1] + 1 - width), min(marked[0], max(0, len(ids) - width))
    elif here:
        low, high = 0, 0  # where it is said is not known: show all of it
        width = len(ids)
    begin = rng.randint(min(low, high), max(low, high))
    row, first = pack(data.questions[i], header, ids[begin : begin + min(width, 400)])
    if marked:
        return Example(row, first, (marked[0] - begin + first, marked[1] - begin + first), True)
    return Example(row, first, None if here else (0, 0), here)


def tensors(batch: Sequence[Example]) -> dict[str, Tensor]:
    """Pad a batch: (n, length) ids, mask, segments."""
    width = max(len(r.ids) for r in batch)
    out = {
        k: torch.zeros((len(batch), width), dtype=torch.long) for k in ("input_ids", "attention_mask", "token_type_ids")
    }
    for n, r in enumerate(batch):
        out["input_ids"][n, : len(r.ids)] = torch.tensor(r.ids)
        out["attention_mask"][n, : len(r.ids)] = 1
        out["token_type_ids"][n, r.first : len(r.ids)] = 1
    return out


def loss_of(net: ReaderNet, batch: Sequence[Example], recipe: Recipe, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the span loss (where one is marked, or none is there) and the relevance loss of a batch."""
    with torch.autocast(device.type, dtype=torch.bfloat16):
        start, end, relevance = net(**{k: t.to(device) for k, t in tensors(batch).items()})
    known = [n for n, r in enumerate(batch) if r.span is not None]
    if known:
        spans = torch.tensor([r.span for r in batch if r.span is not None], device=device)
        span = (F.cross_entropy(start[known], spans[:, 0]) + F.cross_entropy(end[known], spans[:, 1])) / 2
    else:  # only rows that nobody marked
        span = start.sum() * 0
    rank = F.binary_cross_entropy_with_logits(
        relevance, torch.tensor([float(r.relevant) for r in batch], device=device)
    )
    return span, rank


def fit(
    lessons: Lessons, near: Sequence[tuple[int, ...]], folder: Path, *, recipe: Recipe, tell: Callable[[str], None]
) -> ReaderNet:
    """Train, or go on from the checkpoint in `folder`, which a run of the same recipe has left. Raises: RecapError."""
    torch.manual_seed(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = new_net(packaged_model_dir(), dropout=recipe.dropout).to(device)
    data = encode(lessons)
    lengths = [len(list(epoch(data, near, number=n, recipe=recipe))) for n in range(math.ceil(recipe.epochs))]
    steps = int(sum(lengths) * recipe.epochs / len(lengths))
    heads = [p for name, p in net.named_parameters() if not name.startswith("encoder.")]
    body = [p for name, p in net.named_parameters() if name.startswith("encoder.") and p.requires_grad]
    groups = [{"params": body, "lr": recipe.rate}, {"params": heads, "lr": recipe.head_rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.decay, betas=(0.9, 0.98))
    warm = max(1, int(steps * recipe.warmup))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min((n + 1) / warm, max(0.0, (steps - n) / max(1, steps - warm)))
    )
    made_of = hashlib.sha256(repr((lessons.passages, lessons.questions, list(near))).encode()).hexdigest()[:12]
    told = asdict(recipe) | {"windows": list(recipe.windows), "lessons_hash": made_of, "steps": steps}
    done = _resume(folder, told, net, optimizer, schedule)
    step, began, shown, losses = 0, time.monotonic(), time.monotonic(), [0.0, 0.0, 0.0]
    net.train()
    for number in range(math.ceil(recipe.epochs)):
        for batch in epoch(data, near, number=number, recipe=recipe):
            if step >= steps:
                break
            step += 1
            if step <= done:
                continue
            span, rank = loss_of(net, batch, recipe, device)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(span + recipe.rank_weight * rank)
            torch.nn.utils.clip_grad_norm_([*body, *heads], 1.0)
            optimizer.step()
            schedule.step()
            losses = [losses[0] + span.item(), losses[1] + rank.item(), losses[2] + 1]
            if time.monotonic() - shown > 20 or step == steps:
                row = {
                    "step": step, "of": steps, "epoch": number, "span_loss": round(losses[0] / losses[2], 4),
                    "rank_loss": round(losses[1] / losses[2], 4), "seconds": round(time.monotonic() - began, 1),
                }  # fmt: skip
                left = (steps - step) * (time.monotonic() - began) / (step - done)
                tell(
                    f"step {step:,} of {steps:,}: span {row['span_loss']}, relevance {row['rank_loss']}, {left / 60:.0f} min left"
                )
                with (folder / LOG).open("a", encoding="utf-8") as f:
                    f.write(json.dumps(row) + "\n")
                shown, losses = time.monotonic(), [0.0, 0.0, 0.0]
            if step % 250 == 0 or step == steps:
                _save(folder, told, step, net, optimizer, schedule)
    return net.eval()


def _resume(folder: Path, told: dict[str, Any], net: ReaderNet, optimizer: Any, schedule: Any) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / CHECKPOINT).is_file():
        return 0
    kept = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    if kept["recipe"] != told:
        raise RecapError(f"{folder} holds a run of another recipe or other lessons. Give another folder with --out.")
    net.load_state_dict(kept["net"])
    optimizer.load_state_dict(kept["optimizer"])
    schedule.load_state_dict(kept["schedule"])
    torch.set_rng_state(kept["rng"])
    return int(kept["step"])


def _save(folder: Path, told: dict[str, Any], step: int, net: ReaderNet, optimizer: Any, schedule: Any) -> None:
    scratch = folder / f".{CHECKPOINT}"
    kept = {
        "recipe": told, "step": step, "net": net.state_dict(), "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(), "rng": torch.get_rng_state(),
    }  # fmt: skip
    torch.save(kept, scratch)
    scratch.replace(folder / CHECKPOINT)


def trained(folder: Path) -> ReaderNet:
    """Load the network of the checkpoint in `folder`. Raises: RecapError."""
    if not (folder / CHECKPOINT).is_file():
        raise RecapError(f"{folder} holds no checkpoint. Train first.")
    net = new_net(packaged_model_dir())
    net.load_state_dict(torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)["net"])
    return net.eval()
