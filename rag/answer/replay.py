"""A language model that is a file: replies that a real one gave, each bound to the exact prompt that it answers.

`RECAP_LLM=replay:FILE` runs the whole chain on them: no key, no network, the same answer each time. FILE is JSON Lines:
`{"recorded": {"model", "date", ...}}` first, then `{"key", "reply"}`, the key being `prompt_key(messages)`. A prompt that
the file does not hold, because it has changed or was never asked, is refused: nobody ever said that to it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.answer.prompt import Message
from rag.errors import ConfigError, LLMBadResponse

_PIECE = re.compile(r"\S+\s*|\s+")


def prompt_key(messages: Sequence[Message]) -> str:
    """Return what names a prompt: 16 hexadecimal digits of the SHA-256 of its roles and words."""
    said = json.dumps([[m.role, m.content] for m in messages], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


@dataclass(slots=True)
class Replay:
    """Replies by prompt. `missed`, where it is a dict, collects the prompts that were asked and are not there; else nothing
    of what is asked is kept."""

    name: str
    replies: dict[str, str]
    recorded: dict[str, str]
    context_tokens: int = 32_000
    missed: dict[str, tuple[Message, ...]] | None = None

    def stream(self, messages: Sequence[Message], *, deadline: float) -> Iterator[str]:
        """Yield the recorded reply word by word. Raises: LLMBadResponse when there is none."""
        key = prompt_key(messages)
        reply = self.replies.get(key)
        if reply is None:
            if self.missed is not None:
                self.missed[key] = tuple(messages)
            raise LLMBadResponse(f"{self.name} has no reply to this prompt: it has changed, or was never asked.")
        yield from _PIECE.findall(reply)


def load_replay(file: Path) -> Replay:
    """Read a recording. Raises: ConfigError."""
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
        recorded = rows[0]["recorded"]
        replies = {str(r["key"]): str(r["reply"]) for r in rows[1:]}
        told = {str(k): str(v) for k, v in recorded.items()}
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as e:
        raise ConfigError(
            f"RECAP_LLM=replay:{file} is no recording ({type(e).__name__}): give a file that `python -m eval.record` wrote."
        ) from e
    return Replay(f"replay:{told.get('model') or file.stem}", replies, told)
