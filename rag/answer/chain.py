"""Query -> Hits -> Answer, streamed as growing snapshots.

With a language model each sentence is shown as soon as it is complete and checked; whenever the model fails, or says
nothing that the sources carry, the reader answers and a note says so in one sentence.

What it does not know: providers (llm.py), prompts (prompt.py), how a sentence is checked (cite.py). It keeps nothing
between two calls, so two users share nothing.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import deque
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from rag.answer.cite import LONGEST, NEAR, Alike, Checked, Reads, as_said, check_sentence, read_sources, render, says
from rag.answer.frame import frame
from rag.answer.llm import ChatModel, PromptTooLong, load_llm, unanswered
from rag.answer.prompt import ANSWER, CANARY, NOT_IN_SOURCES, answer_prompt, parse_rewrite, rewrite_prompt
from rag.answer.reader import disagreeing, read_answer, refuse
from rag.answer.sentences import plain, take_sentences
from rag.answer.span import Reading, Span
from rag.answer.units import units_near
from rag.errors import LLMAuthError, LLMError, LLMUnavailable, ReaderModelError, RecapError
from rag.retrieve.query import understand
from rag.retrieve.search import search
from rag.types import Answer, Hit, Query, Turn

if TYPE_CHECKING:
    from rag.model.reader import ReaderModel
    from rag.store.embed import Embedder
    from rag.store.library import Library

REWRITE_S = 6.0  # a follow-up that the model has not rewritten by then is rewritten by rules
HANDOVER_S = 1.0  # kept back from the total deadline for the reader
SURE = 0.5  # confidence from which the reader's answer stands where a model declined without its passage
HISTORY = 12  # turns; what lies further back is not what "her" refers to


def ask(
    library: Library,
    question: str,
    *,
    history: Sequence[Turn] = (),
    as_of: date | None = None,
    event: str | None = None,
    year: int | None = None,
    within: Collection[str] | None = None,
    rewrite: bool = True,
) -> Answer:
    """Answer `question` from the library.

    `as_of` is the day on which the question is asked; `event` (an `Event.key`), `year` and `within` (ids of articles)
    filter the coverage; `rewrite=False` leaves `history` out of the question.
    Raises: RecapError when the question is empty or too long, a setting is wrong, or the library cannot be used. A
    language model that fails is no error: the reader answers and `notes` says so.
    """
    snapshots = ask_stream(
        library, question, history=history, as_of=as_of, event=event, year=year, within=within, rewrite=rewrite
    )
    return deque(snapshots, maxlen=1).pop()


def ask_stream(
    library: Library,
    question: str,
    *,
    history: Sequence[Turn] = (),
    as_of: date | None = None,
    event: str | None = None,
    year: int | None = None,
    within: Collection[str] | None = None,
    rewrite: bool = True,
) -> Iterator[Answer]:
    """Yield growing snapshots of the answer; each replaces the one before, the last has `done=True`.

    Closing the iterator cancels a running request. Parameters and errors as in `ask`.
    """
    clock = _Clock(deadline_s=library.config.llm_deadline_s)
    question = _checked(question, limit=library.config.max_question_chars)
    notes: list[str] = []
    model = _model(library, notes)
    turns = tuple(history)[-HISTORY:] if rewrite else ()
    query, model = _understood(library, question, turns, as_of=as_of, model=model, clock=clock, notes=notes)
    # The reader judges every candidate itself; a model, and the page, get the best few.
    candidates = search(library, query, top_k=library.config.candidates, event=event, year=year, within=within)
    hits = candidates[: library.config.top_k]
    clock.found = time.monotonic()
    answer: Answer | None = None
    seen: list[Hit] = []
    draft: list[str] = []
    if model is not None and hits:
        spoken = _spoken(model, query, hits, library=library, clock=clock, notes=notes, seen=seen, draft=draft)
        with contextlib.closing(spoken) as snapshots:
            for answer in snapshots:
                if not answer.done:
                    yield replace(answer, timings_ms=clock.read())
    declined = answer.engine if answer is not None and answer.done and answer.abstained else None
    if declined or answer is None or not answer.done:
        read = read_answer(query, candidates, library=library)
        if answer is None or not declined or _further_down(read, seen):
            if declined:
                notes.append(f"{declined} found nothing in its passages; the reader found this in another.")
            if library.reader_fault:
                notes.append(f"{library.reader_fault} Until then rules alone read the coverage.")
            hits = _with_cited(read, candidates, top_k=library.config.top_k)
            answer = replace(read, notes=(*notes, *read.notes), done=True)
    read_ids = tuple(h.chunk.id for h in seen) if answer.read is None else answer.read
    yield replace(
        answer,
        sources=_cited_first(answer, hits),
        timings_ms=clock.read(),
        read=read_ids,
        draft="".join(draft) or None,
    )


def _further_down(read: Answer, seen: Sequence[Hit]) -> bool:
    """Tell whether the reader is sure of an answer, and has it from passages that the model was not given."""
    if read.abstained or (read.confidence is not None and read.confidence < SURE):
        return False
    return not any(
        h.article.id == c.article_id and h.chunk.start < c.end and c.start < h.chunk.end
        for c in read.citations
        for h in seen
    )


def _with_cited(answer: Answer, candidates: Sequence[Hit], *, top_k: int) -> list[Hit]:
    """Keep the best hits and every hit that is cited."""
    cited = {c.chunk_id for c in answer.citations}
    return [h for h in candidates if h.rank <= top_k or h.chunk.id in cited]


@dataclass(slots=True)
class _Clock:
    """When it began, when the hits were there, when the first words were; seconds of `time.monotonic()`."""

    deadline_s: float
    started: float = field(default_factory=time.monotonic)
    found: float | None = None

    @property
    def deadline(self) -> float:
        return self.started + self.deadline_s - min(HANDOVER_S, self.deadline_s / 10)

    def read(self) -> dict[str, float]:
        now = time.monotonic()
        found = self.found or now
        spans = {"retrieve": found - self.started, "answer": now - found, "total": now - self.started}
        return {name: round(seconds * 1000, 1) for name, seconds in spans.items()}


def _checked(question: str, *, limit: int) -> str:
    question = " ".join(question.split())
    if not question:
        raise RecapError("The question is empty. Type a question about the coverage.")
    if len(question) > limit:
        raise RecapError(f"The question has {len(question)} characters; at most {limit} are read. Shorten it.")
    return question


def _model(library: Library, notes: list[str]) -> ChatModel | None:
    try:
        model = load_llm(library.config)
        if model is None and (why := unanswered(library.config)):
            notes.append(_instead(why))
    except LLMError as e:
        notes.append(_instead(e))
        return None
    return model


def _instead(why: object) -> str:
    return f"{str(why).rstrip('.')}; the reader answered instead."


# --- the question --------------------------------------------------------------------------------------------------

_LEANS = re.compile(
    r"\b(?:he|she|it|they|him|her|his|hers|its|them|their|theirs|that|this|those|these|there|then|same|other|others"
    r"|ones?|else|again|before|after|next|previous)\b|^(?:and|but|or|so|also|why|how about|what about)\b",
    re.IGNORECASE,
)


def _understood(
    library: Library,
    question: str,
    history: Sequence[Turn],
    *,
    as_of: date | None,
    model: ChatModel | None,
    clock: _Clock,
    notes: list[str],
) -> tuple[Query, ChatModel | None]:
    """Fold the history into the question, by the model if there is one, else by rules.

    A model that cannot be reached is given up here, so that nobody waits for it twice.
    """
    by_rules = understand(question, library=library, history=history, as_of=as_of)
    leans = by_rules.rewritten or len(question.split()) <= 4 or _LEANS.search(question)
    if model is None or not history or not leans or not library.config.uses("followups"):
        return by_rules, model
    messages = rewrite_prompt(question, history, as_of=as_of)
    try:
        reply = "".join(model.stream(messages, deadline=min(time.monotonic() + REWRITE_S, clock.deadline)))
    except (LLMUnavailable, LLMAuthError) as e:
        notes.append(_instead(e))
        return by_rules, None
    except LLMError as e:
        notes.append(f"{str(e).rstrip('.')}; the follow-up was put into words by rules.")
        return by_rules, model
    text = parse_rewrite(reply, question=question, history=history)
    if text is None:
        return by_rules, model
    query = understand(text, library=library, as_of=as_of)
    return replace(query, asked=question, rewritten=text.casefold() != question.casefold()), model


def answer_from(
    model: ChatModel, query: Query, hits: Sequence[Hit], *, library: Library, notes: list[str]
) -> Answer | None:
    """Let a model answer from given passages, every sentence checked; None when nothing it says stands, with a note why."""
    clock = _Clock(deadline_s=library.config.llm_deadline_s)
    spoken = _spoken(model, query, hits, library=library, clock=clock, notes=notes, seen=[], draft=[])
    last = deque(spoken, maxlen=1)
    return last[0] if last and last[0].done else None


# --- the answer of a language model --------------------------------------------------------------------------------


def _spoken(
    model: ChatModel,
    query: Query,
    hits: Sequence[Hit],
    *,
    library: Library,
    clock: _Clock,
    notes: list[str],
    seen: list[Hit],
    draft: list[str],
) -> Generator[Answer, None, None]:
    """Yield what the model says, sentence by checked sentence; end without `done` when the reader must answer.

    `notes` is added to; `seen` becomes the passages that the model was given, `draft` the pieces of its reply.
    """
    blank = Answer(query.asked, query.text, "", engine=model.name, sources=tuple(hits), done=False)

    alike, reads = nearness(library.embedder), reading(library.reader) if library.reader else None

    def check(sentence: str, gap: str) -> Checked:
        if not library.config.uses("verification"):
            return as_said(sentence, sources=sources, break_before=gap)
        return check_sentence(sentence, sources=sources, event=query.event, alike=alike, reads=reads, break_before=gap)

    reply = _Reply()
    checked: list[Checked] = []
    failure: LLMError | None = None
    window = model.context_tokens
    for retry in (False, True):
        prompt = answer_prompt(query, hits, context_tokens=window)
        sources = read_sources(prompt.sources)
        seen[:] = prompt.sources
        try:
            with contextlib.closing(_closable(model.stream(prompt.messages, deadline=clock.deadline))) as pieces:
                for piece in pieces:
                    draft.append(piece)
                    for sentence, gap in reply.feed(piece):
                        checked.append(check(sentence, gap))
                        if checked[-1].keep:
                            text, citations = render(checked)
                            yield replace(blank, text=text, citations=citations)
                    if reply.declined:
                        break
            for sentence, gap in reply.end():
                checked.append(check(sentence, gap))
        except PromptTooLong as e:
            failure = e
            window //= 2
            if not retry:
                continue
        except LLMError as e:
            failure = e
        else:
            failure = None
        break
    kept = [c for c in checked if c.keep]
    told = [c for c in kept if not c.about_sources and c.verdict != "unsupported"]
    if failure is not None and not told:
        notes.append(_instead(failure))
        return
    if reply.declined or (not told and kept and all(c.about_sources for c in kept)) or _elsewhere(told, query):
        text = refuse(query, hits, library=library)
        yield replace(blank, text=text, abstained=True, notes=tuple(notes), done=True)
        return
    if not told and (quoted := _quoted(query, reply.short, checked, hits, reads)):
        notes.append(f"What {model.name} made of it could not be checked; the passage itself is quoted.")
        yield replace(quoted, engine=model.name, notes=tuple(notes), done=True)
        return
    if not told:
        notes.append(f"No sentence of {model.name} could be found in the sources; the reader answered instead.")
        return
    if failure is not None:
        notes.append(f"{str(failure).rstrip('.')}; what it had said until then is shown.")
    text, citations = render(kept)
    yield replace(blank, text=text, citations=citations)  # the bare answer may take the reader a moment
    short = _short(reply.short, told, query, hits, library=library)
    answer = replace(blank, text=text, citations=citations, short=short, truncated=failure is not None, done=True)
    yield replace(answer, notes=(*notes, *disagreeing(query, answer, prompt.sources, library=library)))


def reading(model: ReaderModel) -> Reads:
    """Answer questions by the trained reader; a model that fails has no answer."""

    def read(question: str, title: str, passage: str) -> tuple[str, float]:
        try:
            found = model.read(question, [(title, passage)])[0]
        except ReaderModelError:
            return "", 0.0
        return passage[found.start : found.end], found.margin

    return read


def _quoted(
    query: Query, short: str | None, checked: Sequence[Checked], hits: Sequence[Hit], reads: Reads | None
) -> Answer | None:
    """Quote the sentence that holds the model's bare answer, if the trained reader finds the same answer in it."""
    if reads is None:
        return None
    for near in (c.near for c in checked if c.near is not None):
        if short is None or near.conflict or near.overlap < NEAR:
            continue
        for unit in units_near(near.source.hit.article, near.start, near.end):
            found, _ = reads(query.text, unit.article.title, unit.text)
            if says(short, [unit.text]) and (says(short, [found]) or says(found, [short])):
                said = " ".join(unit.text.split())
                span = Span(unit, short, unit.start, unit.end, near.overlap)
                return frame(query, Reading(short, (span,), sentence=f"{short}: “{said}”"), hits)
    return None


def nearness(embedder: Embedder) -> Alike:
    """Compare meanings by their vectors: cosines, -1 to 1."""

    def near(text: str, others: Sequence[str]) -> list[float]:
        vectors = embedder.embed([text, *others])
        return [float(vectors[0] @ v) for v in vectors[1:]]

    return near


def _closable(pieces: Iterator[str]) -> Generator[str, None, None]:
    yield from pieces


def _elsewhere(told: Sequence[Checked], query: Query) -> bool:
    """Tell whether all that was said is about another edition than the one that was asked for."""
    asked = query.event
    if asked is None or asked.edition is None or not told:
        return False
    mains = [s.source.hit.article.event for c in told for s in c.support]
    return bool(mains) and all(
        e is not None and e.key == asked.key and e.edition not in (None, asked.edition) for e in mains
    ) and not any(asked.edition in c.text for c in told)  # fmt: skip


def _short(
    given: str | None, told: Sequence[Checked], query: Query, hits: Sequence[Hit], *, library: Library
) -> str | None:
    """Choose the bare answer: the model's own if the checked text says it, else the reader's, else a sentence."""
    texts = [c.text for c in told]
    quotes = [s.source.hit.article.text[s.start : s.end] for c in told for s in c.support]
    if given and (given.casefold().rstrip(".") in ("yes", "no") or says(given, [" ".join(texts), *quotes])):
        return given
    read = read_answer(query, hits, library=library).short
    return read if read and says(read, texts) else texts[0]


class _Reply:
    """Take the growing reply apart: the ANSWER line, a refusal, and sentences with the space before them."""

    def __init__(self) -> None:
        self.short: str | None = None
        self.declined = False
        self._head: str | None = ""  # None once the first line is behind
        self._rest = ""
        self._gap = " "

    def feed(self, piece: str) -> list[tuple[str, str]]:
        if self.declined:
            return []
        if self._head is None:
            return self._sentences(piece, final=False)
        self._head = (self._head + piece).lstrip(" \t\r\n*#>`_\"'“")
        line, newline, rest = self._head.partition("\n")
        begins = line.upper().replace(" ", "_")
        if not newline and any(begins.startswith(m) or m.startswith(begins) for m in ("ANSWER", NOT_IN_SOURCES)):
            return []  # wait for the end of the line
        return self._opened(line, newline + rest)

    def end(self) -> list[tuple[str, str]]:
        first = self._opened(self._head, "") if self._head else []
        return first + self._sentences("", final=True)

    def _opened(self, line: str, rest: str) -> list[tuple[str, str]]:
        """Read the first line: a refusal, the bare answer, or already the first sentence."""
        match = re.match(r"ANSWER\W*?:[\s*_]*(.*)", line, re.IGNORECASE | re.DOTALL)
        said = match.group(1) if match else line
        # Of a line that is already a sentence only the beginning counts: the rest of it may not have come yet.
        at = said.upper().replace(" ", "_").find(NOT_IN_SOURCES)
        if at == 0 or (at > 0 and match):
            self.declined = True
            self._head = None
            return []
        if match is None:
            self._head = None
            return self._sentences(line + rest, final=False)
        if not rest.strip():
            if rest:
                self._head = f"{line}\n"  # only blank lines so far: a body may follow
                return []
            self._head = None
            return self._sentences(said, final=False)  # the whole reply is this line
        self._head = None
        if len(said) <= LONGEST:  # no bare answer is longer, and to make it plain may take the square of its length
            short = plain(re.sub(r"\s*[\[【][^\]】]*[\]】]", "", said)).strip(' .*_`"“”')
            self.short = short if 0 < len(short) <= 200 else None
        return self._sentences(rest.lstrip(), final=False)

    def _sentences(self, piece: str, *, final: bool) -> list[tuple[str, str]]:
        found, self._rest = take_sentences(self._rest + piece, final=final)
        if len(self._rest) > LONGEST:
            found, self._rest = [*found, self._rest], ""
        out: list[tuple[str, str]] = []
        for sentence in found:
            echo = NOT_IN_SOURCES in sentence or ANSWER in sentence or CANARY in sentence.casefold()
            if not echo:  # of the rules, not an answer
                out.append((sentence.strip(), self._gap))
            tail = sentence[len(sentence.rstrip()) :]
            self._gap = "\n\n" if tail.count("\n") > 1 else "\n" if "\n" in tail else " "
        return out


def _cited_first(answer: Answer, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    order: dict[str, int] = {}
    for c in answer.citations:
        order.setdefault(c.chunk_id, len(order))
    return tuple(sorted(answer.sources or hits, key=lambda h: order.get(h.chunk.id, len(order))))
