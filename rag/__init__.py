"""Recap: ask about events; get a dated answer with the exact passage that says so.

    from rag import Config, Library, ask, ingest

    config = Config.load()
    with Library.open(config, create=True) as library:
        ingest(library, ["coverage/"])
    with Library.open(config) as library:
        print(ask(library, "Who hosted the 2024 VMAs?").text)

Names are loaded when they are first used, so that `import rag` costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.answer.chain import ask, ask_stream
    from rag.config import Config
    from rag.errors import RecapError
    from rag.ingest.pipeline import IngestReport, ingest, remove
    from rag.retrieve.query import understand
    from rag.retrieve.search import search
    from rag.store.library import Library
    from rag.types import Answer, Article, Chunk, Citation, Event, Hit, Query, Turn

__all__ = [
    "Answer",
    "Article",
    "Chunk",
    "Citation",
    "Config",
    "Event",
    "Hit",
    "IngestReport",
    "Library",
    "Query",
    "RecapError",
    "Turn",
    "ask",
    "ask_stream",
    "ingest",
    "remove",
    "search",
    "understand",
]

_FROM = {
    **dict.fromkeys(("Answer", "Article", "Chunk", "Citation", "Event", "Hit", "Query", "Turn"), "rag.types"),
    **dict.fromkeys(("ask", "ask_stream"), "rag.answer.chain"),
    **dict.fromkeys(("IngestReport", "remove"), "rag.ingest.pipeline"),
    "Config": "rag.config",
    "Library": "rag.store.library",
    "RecapError": "rag.errors",
    "search": "rag.retrieve.search",
    "understand": "rag.retrieve.query",
}

# OpenVINO reports every import to its maker over the network, unless asked not to in a file in the user's home. A
# package that cannot be imported is one that it does without.
if "openvino" not in sys.modules:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    if name == "ingest":
        return import_module("rag.ingest")  # a package of that name that can be called: see there
    if name not in _FROM:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_FROM[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
