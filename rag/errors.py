"""Every failure that Recap reports on purpose. Each message is a sentence that says what to do.

RecapError
├── ConfigError            a setting is wrong (unknown provider, bad port, bad date)
├── ReadError              an article cannot be read (empty, binary, unreadable PDF, dead URL); the rest goes on
│   ├── BlockedURL         an address that Recap will not fetch (private, loopback, metadata)
│   └── ReadTimeout        it took too long
├── LibraryError           the library cannot be used
│   ├── LibraryMissing     there is none at this path
│   ├── LibraryLocked      another process is writing to it
│   └── LibraryCorrupt     its file is damaged: refused, never started empty in silence
├── FeedbackError          what a person thought of an answer cannot be kept or read
├── EmbedError             the embedding model is missing or failed
├── ReaderModelError       the reader's model is missing or damaged; the quoting reader answers instead
└── LLMError               the language model failed; the reader answers instead
    ├── LLMUnavailable     no server, wrong host, wrong model name, missing package
    ├── LLMAuthError       the key is missing or refused
    ├── LLMTimeout         no answer within the deadline
    └── LLMBadResponse     an answer that is none (empty, HTML, garbage, cut off)
"""

from __future__ import annotations

__all__ = [
    "BlockedURL",
    "ConfigError",
    "EmbedError",
    "FeedbackError",
    "LLMAuthError",
    "LLMBadResponse",
    "LLMError",
    "LLMTimeout",
    "LLMUnavailable",
    "LibraryCorrupt",
    "LibraryError",
    "LibraryLocked",
    "LibraryMissing",
    "ReadError",
    "ReadTimeout",
    "ReaderModelError",
    "RecapError",
]


class RecapError(Exception):
    """Base of every error that Recap raises on purpose."""


class ConfigError(RecapError):
    """A setting is wrong."""


class ReadError(RecapError):
    """An article cannot be read."""


class BlockedURL(ReadError):
    """An address that Recap will not fetch."""


class ReadTimeout(ReadError):
    """An article took too long to fetch or to read."""


class LibraryError(RecapError):
    """The library cannot be used."""


class LibraryMissing(LibraryError):
    """There is no library at this path."""


class LibraryLocked(LibraryError):
    """Another process is writing to the library."""


class LibraryCorrupt(LibraryError):
    """The library's file is damaged."""


class FeedbackError(RecapError):
    """What a person thought of an answer cannot be kept or read."""


class EmbedError(RecapError):
    """The embedding model is missing or failed."""


class ReaderModelError(RecapError):
    """The reader's model is missing or damaged."""


class LLMError(RecapError):
    """The language model failed."""


class LLMUnavailable(LLMError):
    """No such server, model or package."""


class LLMAuthError(LLMError):
    """The key is missing or was refused."""


class LLMTimeout(LLMError):
    """No answer within the deadline."""


class LLMBadResponse(LLMError):
    """The reply is not an answer: empty, HTML, garbage or cut off."""
