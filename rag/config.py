"""Recap's settings: one frozen `Config`. A flag wins over the environment, the environment over `recap.toml`.

Provider keys are not here: the provider's own variables (`OPENAI_API_KEY`, ...) are read where they are used, and are
never stored or shown.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rag.errors import ConfigError

PACKAGED_MODEL = "all-MiniLM-L6-v2"
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
PROVIDERS = ("openai", "anthropic", "ollama", "openai-like", "replay")
PARTS = {  # what `without` can switch off, to measure what it is worth; the trained reader has RECAP_READER=rules
    "lexical": "search by words",
    "dense": "search by meaning",
    "boost": "passages weighed by event and edition",
    "recency": "passages weighed by their day",
    "clusters": "copies shown as one",
    "joining": "neighbouring passages as one",
    "editions": "only the edition asked for may answer",
    "ranking": "answers of the passages weighed",
    "followups": "follow-ups rewritten",
    "verification": "sentences of a language model checked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, with its default. Times in seconds, sizes in tokens unless named otherwise."""

    library: Path = Path(".recap")
    llm: str = "auto"
    llm_base_url: str | None = None
    llm_first_token_s: float = 20.0
    llm_deadline_s: float = 60.0
    embed_model: str = PACKAGED_MODEL
    reader: str = "model"
    events_file: Path | None = None
    chunk_tokens: int = 250
    top_k: int = 8
    candidates: int = 50
    max_question_chars: int = 2000
    host: str = "127.0.0.1"
    port: int = 7860
    auth: str | None = None
    read_only: bool = False
    runs: Path = Path("runs")
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        provider, _, model = self.llm.partition(":")
        if self.llm not in ("none", "auto") and (provider not in PROVIDERS or not model):
            known = ", ".join(f"{p}:{'FILE' if p == 'replay' else 'MODEL'}" for p in PROVIDERS)
            raise ConfigError(
                f"RECAP_LLM={self.llm!r} is not a language model that Recap knows. Use none, auto, {known}."
            )
        if self.reader not in ("model", "rules"):
            raise ConfigError(f"RECAP_READER={self.reader!r} is no reader. Use model (trained) or rules (quotes only).")
        if unknown := [p for p in self.without if p not in PARTS]:
            raise ConfigError(
                f"RECAP_WITHOUT={','.join(unknown)!r} is no part that can be switched off. Use some of {', '.join(PARTS)}."
            )
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"RECAP_PORT={self.port} is not a port. Use a number from 0 to 65535.")

    def uses(self, part: str) -> bool:
        """Tell whether a part of `PARTS` is on, as all are unless an experiment says otherwise."""
        return part not in self.without

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None, *, toml: Path | None = None, **flags: Any) -> Config:
        """Read `recap.toml` (working directory), then `RECAP_*`, then `flags` (None = not given).

        Raises: ConfigError for an unknown key or a value of the wrong type.
        """
        env = os.environ if env is None else env
        path = toml or Path("recap.toml")
        values: dict[str, Any] = {}
        if path.is_file():
            try:
                values.update(tomllib.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, RecursionError) as e:  # also bytes, numbers and brackets without end
                raise ConfigError(f"{path} is not valid TOML: {e}. Correct the file, or move it away.") from e
        values = {str(k).lower(): v for k, v in values.items()}
        for f in fields(cls):
            name = f"RECAP_{f.name.upper()}"
            if env.get(name, "").strip():
                values[f.name] = env[name].strip()
        values.update({k: v for k, v in flags.items() if v is not None})
        types = {f.name: str(f.type) for f in fields(cls)}
        if unknown := sorted(set(values) - set(types)):
            raise ConfigError(
                f"{path} has settings that Recap does not know: {', '.join(unknown)}. See the README's list."
            )
        return cls(**{k: _cast(k, v, types[k]) for k, v in values.items()})


def _cast(name: str, value: Any, kind: str) -> Any:
    base = kind.removesuffix(" | None")
    if base == "bool":
        word = str(value).strip().lower()
        if word not in (*_YES, *_NO):
            raise ConfigError(f"RECAP_{name.upper()}={value!r} says neither yes nor no. Use 1 or 0.")
        return word in _YES
    if base == "tuple[str, ...]":
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)) or not all(isinstance(p, str) for p in parts):
            raise ConfigError(f"RECAP_{name.upper()}={value!r} is no list of names. Write some, with commas.")
        return tuple(dict.fromkeys(p.strip() for p in parts if p.strip()))
    want: dict[str, type[Any]] = {"Path": Path, "int": int, "float": float, "str": str}
    try:
        return Path(value).expanduser() if base == "Path" else want[base](value)
    except (
        TypeError,
        ValueError,
        OverflowError,
        RuntimeError,
    ) as e:  # OverflowError: inf; RuntimeError: the ~ of nobody
        raise ConfigError(f"RECAP_{name.upper()}={value!r} is not a valid {base}.") from e
