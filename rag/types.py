"""The data that flows through Recap: `Article -> Chunk -> Hit -> Answer(Citation...)`.

Frozen dataclasses on the standard library alone. Nothing is thrown away on the way: a citation knows its chunk,
a chunk its article and its exact offsets, so that a click can land on the passage in the whole article.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Verdict = Literal["supported", "partial", "unsupported"]
ChunkKind = Literal["text", "caption", "item"]
Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Event:
    """One edition of an event, as an article or a question names it.

    `key` is stable and lower case ("mtv-video-music-awards"); `name` is what a person reads ("MTV Video Music
    Awards"); `edition` is the year or ordinal as text ("2024", "66th"), None when none is said; `start` is the day it
    happened (not the day it was written about), None when the coverage does not say.
    """

    key: str
    name: str
    edition: str | None = None
    start: date | None = None
    short: str | None = None

    @property
    def label(self) -> str:
        """The event as a person would say it: "2024 MTV Video Music Awards"."""
        return f"{self.edition} {self.name}" if self.edition else self.name

    @property
    def short_label(self) -> str:
        """The same with the everyday name: "2024 VMAs"."""
        name = self.short or self.name
        return f"{self.edition} {name}" if self.edition else name


@dataclass(frozen=True, slots=True)
class Article:
    """One piece of coverage: what was published, cleaned.

    `source` is where it was read from (a `file://` or `http(s)://` URI) and identifies it; `url` is its live page,
    None when none is known. `published` is the date printed on it; when `published_lent` is true the date was lent by
    a near-identical copy. `events` has the main event first. `cluster` is shared by copies of the same piece.
    """

    id: str
    source: str
    title: str
    text: str
    url: str | None = None
    authors: tuple[str, ...] = ()
    outlet: str | None = None
    published: date | None = None
    published_lent: bool = False
    events: tuple[Event, ...] = ()
    cluster: str = ""

    @property
    def event(self) -> Event | None:
        """The main event, if one was recognised."""
        return self.events[0] if self.events else None

    @property
    def date(self) -> date | None:
        """The day the event happened if known, else the day the article was published."""
        return (self.event.start if self.event else None) or self.published


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of an article: `article.text[start:end] == text`, always (offsets in characters).

    `header` (title, event, date) counts in search but is not part of the text.
    """

    id: str
    article_id: str
    start: int
    end: int
    text: str
    kind: ChunkKind = "text"
    header: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found for a question. `rank` counts from 1; `copies` are the other articles that carry the passage,
    or say the same of what was asked once two pieces have said it."""

    rank: int
    score: float
    chunk: Chunk
    article: Article
    copies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """What backs one sentence of an answer: `article.text[start:end] == quote`.

    `marker` is the n of [n] in the answer; `sentence` the index of the answer sentence that it supports.
    """

    marker: int
    article_id: str
    chunk_id: str
    title: str
    quote: str
    start: int
    end: int
    url: str | None = None
    published: date | None = None
    outlet: str | None = None
    event: Event | None = None
    verdict: Verdict = "supported"
    sentence: int = 0
    copies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question understood: standalone text, and the event, edition and dates that it names.

    `event` has the edition resolved ("last year's Grammys" with `as_of`); `year` is a year named without an event.
    `rewritten` tells that `text` differs from what was asked because history was folded in.
    """

    text: str
    asked: str
    event: Event | None = None
    year: int | None = None
    as_of: date | None = None
    rewritten: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What Recap says, growing while it streams: each snapshot replaces the one before, `done` marks the last.

    `text` carries [n] markers; `short` is the bare answer (None when abstained); `sources` are the hits that were
    considered, cited first; `truncated` tells that the engine stopped in mid-answer. `confidence` is the reader's
    calibrated probability, 0 to 1, that `short` is right, or that it would be had it not abstained; None when it has none.
    For who looks for what went wrong, and never shown: `read` are the ids of the chunks that the engine was given (None:
    not known), `draft` is what a language model wrote before it was checked, whoever answered in the end.
    """

    question: str
    standalone_question: str
    text: str
    short: str | None = None
    abstained: bool = False
    engine: str = "reader"
    citations: tuple[Citation, ...] = ()
    sources: tuple[Hit, ...] = ()
    notes: tuple[str, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    truncated: bool = False
    confidence: float | None = None
    read: tuple[str, ...] | None = None
    draft: str | None = None
    done: bool = True
