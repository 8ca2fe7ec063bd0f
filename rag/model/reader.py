"""The reader's model: question and passage -> where the answer stands, whether it is there, how well the passage fits.

An int8 ONNX file of 23 MB that stands beside this module, run by ONNX Runtime: no torch, no key, no GPU. How it was made
and what it can do is in its CARD.md; `python -m rag.train` makes it anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.errors import ReaderModelError

MODEL_DIR = Path(__file__).parent
MODEL_FILE, TOKENIZER_FILE, SUMS_FILE = "reader.onnx", "tokenizer.json", "sums.json"
MAX_QUESTION = 48  # tokens
MAX_HEADER = 32  # tokens
MAX_SPAN = 30  # tokens of an answer
SPANS = 10  # that are told of a passage
CLS, SEP = 101, 102
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Read:
    """What the model makes of one passage.

    `start`, `end` are characters of the passage; `span` is the score of that span and `none` that of "not here", in logits
    (`margin` is their difference); `relevance` is a logit too. `others` are the next best spans: (start, end, score).
    """

    start: int
    end: int
    span: float
    none: float
    relevance: float
    others: tuple[tuple[int, int, float], ...] = ()

    @property
    def margin(self) -> float:
        """How much better the span is than "not here"."""
        return self.span - self.none


def header_of(title: str, published: date | None) -> str:
    """What the reader is told of an article beside the passage: its title and the day it was published."""
    day = f"{published.day} {published:%B %Y}" if published else ""
    return f"{title} ({day})" if title and day else title or day


def pack(question: Sequence[int], header: Sequence[int], text: Sequence[int]) -> tuple[list[int], int]:
    """Return the ids of [CLS] question [SEP] (header [SEP]) text [SEP], and where the text begins: there segment 1 does."""
    ids = [CLS, *question[:MAX_QUESTION], SEP]
    if header:
        ids += [*header[:MAX_HEADER], SEP]
    return [*ids, *text, SEP], len(ids)


def best_spans(
    start: Floats, end: Floats, *, first: int, most: int = SPANS, longest: int = MAX_SPAN
) -> list[tuple[int, int, float]]:
    """Return (first token, last token, score) of the best spans at or behind `first`, best first; `start`, `end`: (length,)
    logits. Without a token there, one of no worth."""
    n = len(start) - first
    if n <= 0:
        return [(first, first, -1e4)]
    scores = start[first:, None] + end[None, first:]  # (n, n): from row to column
    allowed = np.tri(n, n, longest - 1, dtype=bool) & ~np.tri(n, n, -1, dtype=bool)
    flat = np.where(allowed, scores, -np.inf).ravel()
    found = np.argpartition(-flat, min(most, n * n) - 1)[:most]
    found = found[np.lexsort((found, -flat[found]))]
    return [(first + int(at) // n, first + int(at) % n, float(flat[at])) for at in found if np.isfinite(flat[at])]


class ReaderModel:
    """The model, loaded. Safe to call from several threads."""

    def __init__(self, folder: Path = MODEL_DIR, *, threads: int = 2) -> None:
        """Load and verify the files. Raises: ReaderModelError."""
        try:
            import onnxruntime as ort
            from tokenizers import Tokenizer

            sums = check(folder)
            options = ort.SessionOptions()
            options.intra_op_num_threads = threads
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            options.log_severity_level = 3
            self._session = ort.InferenceSession(str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        except ReaderModelError:
            raise
        except Exception as e:  # the runtime's own errors have no common base
            raise ReaderModelError(
                f"The reader's model in {folder} cannot be loaded ({type(e).__name__}). Reinstall Recap."
            ) from e
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.name = f"recap-reader@{sums[MODEL_FILE][:8]}"

    def read(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Read]:
        """Read (header, text) passages for a question. Text beyond 512 tokens in all is not seen. Raises: ReaderModelError."""
        asked = self._encode([question])[0].ids
        headers = (
            {h: e.ids for h, e in zip(hs, self._encode(hs), strict=True)}
            if (hs := sorted({h for h, _ in passages}))
            else {}
        )
        encoded = self._encode([t for _, t in passages])
        packed = []
        for (header, _), e in zip(passages, encoded, strict=True):
            room = 512 - min(len(asked), MAX_QUESTION) - min(len(headers[header]), MAX_HEADER) - 4
            packed.append(pack(asked, headers[header], e.ids[:room]))
        out = []
        for (ids, first), e in zip(packed, encoded, strict=True):
            start, end, relevance = self._run(ids, first)
            last = len(ids) - 1
            spans = [
                (e.offsets[a - first][0], e.offsets[b - first][1], score) if last > first else (0, 0, score)
                for a, b, score in best_spans(start[:last], end[:last], first=first)
            ]
            (here, there, score), *others = spans
            out.append(Read(here, there, score, float(start[0] + end[0]), relevance, tuple(others)))
        return out

    def _encode(self, texts: Sequence[str]) -> list[Any]:
        return list(
            self._tokenizer.encode_batch(
                [t.encode("utf-8", "replace").decode() for t in texts], add_special_tokens=False
            )
        )

    def _run(self, ids: Sequence[int], first: int) -> tuple[Floats, Floats, float]:
        """Run one row by itself: int8 scales its activations by all that is in a batch, and what a passage gets must not
        hang on the passages beside it."""
        segments = [0] * first + [1] * (len(ids) - first)
        given = {"input_ids": [ids], "attention_mask": [[1] * len(ids)], "token_type_ids": [segments]}
        try:
            start, end, relevance = self._session.run(None, {k: np.array(v, np.int64) for k, v in given.items()})
        except Exception as e:
            raise ReaderModelError(f"The reader's model failed ({type(e).__name__}). Run `recap doctor`.") from e
        return start[0], end[0], float(relevance[0])


def check(folder: Path = MODEL_DIR) -> dict[str, str]:
    """Compare the model's files with their SHA-256, and return those. Raises: ReaderModelError."""
    try:
        sums: dict[str, str] = json.loads((folder / SUMS_FILE).read_text(encoding="utf-8"))
        for name in (MODEL_FILE, TOKENIZER_FILE):
            with (folder / name).open("rb") as f:
                if hashlib.file_digest(f, "sha256").hexdigest() != sums[name]:
                    raise ReaderModelError(f"The reader's {name} in {folder} is damaged. Reinstall Recap.")
        return sums
    except (OSError, ValueError, KeyError) as e:
        raise ReaderModelError(f"The reader's model is missing from {folder}. Reinstall Recap.") from e
