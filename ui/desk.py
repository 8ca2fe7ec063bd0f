"""What the page needs of the engine and the library, as markup and plain data. Holds nothing of any user.

Every method answers with something that can be shown: a failure is a sentence, and the log has the rest.

What it does not know: Gradio, sessions.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag import explore as explored
from rag import feedback
from rag.answer.chain import SURE
from rag.errors import RecapError
from rag.types import Answer, Article, Event, Turn
from ui import adding, explore, history, render, runs, runs_view, shelf
from ui.strings import EN, Strings

if TYPE_CHECKING:
    from rag.store.library import Library

AskStream = Callable[..., Iterator[Answer]]

log = logging.getLogger("recap.ui")
EXAMPLES = 4
SHOWN = 8  # events on the first screen
ASKED_ABOUT = 6  # events that the examples are about
EVENT_QUESTIONS = 6  # on an event's page, at most
SNAPSHOT_S = 0.05  # snapshots that come faster than this are not all drawn
SCOPE_ALL = ""
_PAGES_KEPT = 64  # drawn pages of events and people, thrown away when the library changes


def most_covered(events: Sequence[tuple[Event, int]], n: int) -> list[tuple[Event, int]]:
    """Return the `n` events with the most articles, in the order given."""
    best = sorted(range(len(events)), key=lambda i: (-events[i][1], i))[:n]
    return [events[i] for i in sorted(best)]


class First:
    """What the first screen shows."""

    def __init__(self, welcome: str, examples: list[str], scopes: list[tuple[str, str]]) -> None:
        self.welcome, self.examples, self.scopes = welcome, examples, scopes


class Desk:
    """The engine and the library, as one page needs them. Shared by all visitors."""

    def __init__(self, library: Library, *, ask_stream: AskStream | None = None) -> None:
        self.library = library
        self.runs_folder = library.config.runs
        self._ask = ask_stream
        self._tried: dict[str, bool] = {}  # question -> the library answers it
        self._drawn: tuple[int, dict[tuple[object, ...], str]] = (-1, {})
        self._held: tuple[int, shelf.Holdings] = (-1, shelf.Holdings())
        self._lock = threading.Lock()
        self._removing = threading.Lock()  # one at a time may wait for the library: those who wait hold a thread each

    @property
    def read_only(self) -> bool:
        """Whether visitors may add and remove articles."""
        return self.library.config.read_only

    # -- asking ----------------------------------------------------------------------------------------------------

    def objection(self, question: Any, s: Strings) -> str | None:
        """Say why a question cannot be asked, None if it can. Checked here: the browser's own limit binds nobody."""
        limit = self.library.config.max_question_chars
        if not isinstance(question, str) or not question.strip():
            return s.no_question
        return s.too_long.format(n=len(question), limit=limit) if len(question) > limit else None

    def answer(
        self,
        question: str,
        chosen: str,
        talk: history.Talk,
        *,
        rewrite: bool = True,
        as_of: date | None = None,
        s: Strings = EN,
    ) -> Iterator[tuple[history.Talk, bool]]:
        """Yield (conversation, whole) while the answer grows; `whole` where more than the last turn changed.

        `rewrite=False` asks the question as it was written, `as_of` as on another day than today. Never raises: a failure is a sentence in the turn.
        """
        event, year, words = self.scope(chosen, s)
        talk = history.begin(
            talk,
            " ".join(history.whole_text(question).split()),
            scope=words,
            chosen=chosen if words else "",
            as_of=as_of.isoformat() if as_of else "",
            name=secrets.token_hex(6),
            when=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        yield talk, True
        try:
            snapshots = self._engine()(
                self.library,
                talk["turns"][-1]["question"],
                history=history.turns(talk),
                as_of=as_of,
                event=event,
                year=year,
                rewrite=rewrite,
            )
            drawn = 0.0
            with contextlib.closing(snapshots):
                for snapshot in snapshots:
                    talk = history.grow(talk, snapshot)
                    if not snapshot.done and time.monotonic() - drawn >= SNAPSHOT_S:
                        drawn = time.monotonic()
                        yield talk, False
            if history.running(talk):
                talk = history.stop(talk)
        except RecapError as e:
            talk = history.fail(talk, str(e))
        except Exception:
            log.exception("The question could not be answered.")
            talk = history.fail(talk, s.error_any)
        yield talk, True

    def evidence(self, target: str, talk: history.Talk, s: Strings) -> str:
        """Return the article that a marker points to ("TURN-INDEX"), its passage lit; a sentence if there is none."""
        try:
            turn_id, _, index = str(target).partition(".")[0].partition("-")
            found = history.find(talk, int(turn_id), int(index))
        except (ValueError, AttributeError, TypeError, KeyError):
            found = None
        if found is None:
            return render.evidence_note(s.no_source)
        turn, citation = found
        return self._said(lambda: self._cited(turn, int(index), citation, s), s, note=render.evidence_note)

    def _cited(self, turn: dict[str, Any], index: int, citation: dict[str, Any], s: Strings) -> str:
        article = self.library.article(citation["article_id"])
        if article is None or article.text[citation["start"] : citation["end"]] != citation["quote"]:
            return render.evidence_note(s.gone)
        return render.reader(article, turn, index, **self._around(article), s=s)

    def _around(self, article: Article) -> dict[str, Any]:
        """Return what the article reader shows beside the text: how many copies there are, and its passages."""
        copies = len(self.library.cluster(article.cluster)) if article.cluster else 1
        return {"copies": copies, "chunks": self.library.chunks(article.id)}

    def passage(self, article_id: str, start: str, end: str, s: Strings) -> str:
        """Return an article with the span `start`..`end` lit (0..0: nothing), wherever it was found."""

        def found() -> str:
            article = self.library.article(article_id)
            if article is None or not start.isdigit() or not end.isdigit() or int(end) > len(article.text):
                return render.evidence_note(s.gone_passage)
            return render.passage(article, int(start), int(end), **self._around(article), s=s)

        return self._said(found, s, note=render.evidence_note)

    def judge(
        self, talk: history.Talk, turn_id: int, judgement: dict[str, str], s: Strings
    ) -> tuple[history.Talk, str]:
        """Keep what a person said of an answer; return the conversation that knows it, and a sentence if it failed."""
        at = next((i for i, t in enumerate(talk["turns"]) if t["id"] == turn_id), None)
        if at is None:
            return talk, s.no_turn
        if talk["turns"][at]["judged"]:
            return talk, ""
        before = history.turns({"turns": talk["turns"][: at + 1]})
        try:
            said = feedback.of_turn(talk["turns"][at], history=before, **judgement)
            feedback.add(self.library.config.library, said)
        except RecapError as e:
            return talk, str(e)
        except Exception:
            log.exception("The feedback could not be kept.")
            return talk, s.error_any
        return history.change(talk, turn_id, judged=judgement["verdict"]), ""

    # -- the first screen ------------------------------------------------------------------------------------------

    def first_screen(self, s: Strings) -> First:
        """Read the library as it is now: what it covers, questions to start from, what can be searched in."""
        try:
            events, counts = self.library.events(), self.library.counts()
        except RecapError as e:
            return First(render.notice(str(e)), [], [(s.scope_all, SCOPE_ALL)])
        except Exception:
            log.exception("The library could not be read.")
            return First(render.notice(s.error_any), [], [(s.scope_all, SCOPE_ALL)])
        scopes = self._offer(events, s)
        if not counts["articles"]:
            vacant = render.empty(str(self.library.config.library), read_only=self.read_only, s=s)
            return First(vacant, [], scopes)
        first = render.welcome(
            most_covered(events, SHOWN), counts["articles"], counts["pieces"], total=len(events), s=s
        )
        return First(first, self._pick(events, s), scopes)

    def scope(self, chosen: Any, s: Strings) -> tuple[str | None, int | None, str]:
        """Return (event key, year, words) for a choice of the scope list; (None, None, "") for everything."""
        if not isinstance(chosen, str) or not chosen:
            return None, None, ""
        kind, _, rest = chosen.partition(":")
        key, _, year = rest.rpartition(":")
        try:
            offered = self._offer(self.library.events(), s)
        except RecapError:
            offered = []
        label = next((label for label, value in offered if value == chosen), "")
        if not label or kind not in ("event", "year"):
            return None, None, ""
        return (key or None) if kind == "event" else None, int(year) if year.isdigit() else None, label

    def engine_at_once(self, s: Strings) -> str:
        """Say what can be said about the engine without looking for one."""
        named = {"none": s.engine_reader, "auto": s.engine_wait}
        return named.get(self.library.config.llm, self.library.config.llm)

    def engine(self, s: Strings) -> str:
        """Say which engine will speak. Looks for a language model on the first call: up to a few seconds."""
        try:
            from rag.answer.llm import load_llm

            model = load_llm(self.library.config)
        except RecapError as e:
            return str(e)
        except Exception:
            log.exception("The engine could not be found.")
            return s.engine_reader
        return render.engine(model.name if model else "reader", s)

    def warm(self) -> None:
        """Load what the first question needs, then find out which example questions the library answers."""
        try:
            self.library.embedder.embed(["warm"])
            self.engine(EN)
            for question in self._candidates(self.library.events(), EN):
                self.answers(question)
        except RecapError as e:
            log.warning("%s", e)
        except Exception:
            log.warning(
                "Warming up failed, so the first question will be slower.", exc_info=log.isEnabledFor(logging.DEBUG)
            )

    def answers(self, question: str) -> bool:
        """Tell whether the library answers a question, without a language model."""
        if question not in self._tried:
            from rag.answer.reader import read_answer
            from rag.retrieve.query import understand
            from rag.retrieve.search import search

            query = understand(question, library=self.library)
            found = read_answer(query, search(self.library, query, top_k=8), library=self.library)
            sure = found.confidence is None or found.confidence >= SURE
            self._tried[question] = not found.abstained and sure
        return self._tried[question]

    # -- the other screens -----------------------------------------------------------------------------------------

    def explore(self, place: tuple[str, ...], s: Strings) -> str:
        """Return a place of the explore screen: ("events",), ("event", KEY, EDITION) or ("person", NAME)."""

        def found() -> str:
            if place[0] == "event" and len(place) == 3:
                return self._event(place[1], place[2] or None, s)
            if place[0] == "person" and len(place) == 2:
                together = explored.seen_with(self.library, person=place[1])
                return render.trail("", s) + explore.seen_with(together, s, person=place[1])
            events = self.library.events()
            if not events:
                return render.vacant(s.explore_empty, s)
            together = explored.seen_with(self.library)
            moments = explored.timeline(self.library)
            return explore.events(events, s) + explore.timeline(moments, s) + explore.seen_with(together, s)

        return self._kept(("explore", s.lang, *place), found, s)

    def _event(self, key: str, edition: str | None, s: Strings) -> str:
        page = explored.event_page(self.library, key, edition)
        if page is None:
            return render.trail("", s) + render.vacant(s.event_gone, s)
        together = explored.seen_with(self.library, event=key, edition=edition)
        people = [p.name for p in together.people[:3]]
        label = page.event.short_label
        tries = [t.format(event=label) for t in s.templates]
        tries += [t.format(event=label, person=p) for p in people for t in s.person_templates]
        questions = [q for q in dict.fromkeys(tries) if self.answers(q)][:EVENT_QUESTIONS]
        moments = explored.timeline(self.library, event=key, edition=edition)
        drawn = explore.event(page, questions, s) + explore.timeline(moments, s) + explore.seen_with(together, s)
        return render.trail(page.event.label, s) + drawn

    def shelf(self, view: shelf.View, s: Strings, *, asking: str = "") -> str:
        """Return the library's table as `view` wants it; `asking`: the article whose removal is to be confirmed."""

        def found() -> str:
            generation = self.library.generation
            if self._held[0] != generation:
                self._held = (generation, shelf.gather(self.library.articles()))
            return shelf.table(shelf.shelve(self._held[1], view), s, self.read_only, asking=asking)

        return self._said(found, s)

    def add(self, files: list[Path], web: str, s: Strings) -> Iterator[tuple[str, bool]]:
        """Add uploaded files and a web address; yield what is to be shown while it goes on, and whether it was taken."""
        locations: list[Path | str] = [*files]
        if web.strip():
            address, why = adding.web_address(web, s)
            if why:
                yield render.notice(why), False
                return
            locations.append(address)
        temporary = Path(os.environ.get("GRADIO_TEMP_DIR", tempfile.gettempdir()))
        try:
            embedder = self.library.embedder
        except RecapError as e:
            yield render.notice(str(e)), False
            return
        work = adding.add(self.library.config, locations, embedder=embedder, inside=temporary, s=s)
        taken = False
        with contextlib.closing(work) as steps:
            for step in steps:
                taken = step.state == "done" and not step.failed
                yield adding.outcome(step, s), not step.failed
        if taken:  # else it may be sent again as it lies there
            adding.discard(files, inside=temporary)

    def remove(self, article_id: str, s: Strings) -> str:
        """Take an article out of the library; return the sentence that says so."""

        def done() -> str:
            return adding.removed(
                adding.remove(self.library.config, [article_id], embedder=self.library.embedder, s=s), s
            )

        if not self._removing.acquire(blocking=False):
            return adding.removed(adding.Removed(failed=s.l_busy_remove), s)
        try:
            return self._said(done, s)
        finally:
            self._removing.release()

    def runs(self, s: Strings) -> str:
        """Return the evaluation's overview."""
        return self._said(lambda: runs_view.overview(runs.read_runs(self.runs_folder), s), s)

    def run(self, name: str, s: Strings) -> str:
        """Return one evaluation run."""

        def found() -> str:
            opened = runs.open_run(self.runs_folder, name)
            return runs_view.run(*opened, s) if opened else runs_view.gone(s)

        return self._said(found, s)

    def asked_in(self, run: str, fact: str) -> tuple[str, tuple[Turn, ...], date | None]:
        """Return (question, what stood before it, the day it was asked) of a fact in an evaluation run; "" if unknown."""
        try:
            found = runs.result(self.runs_folder, run, fact)
        except Exception:
            log.exception("The run could not be read.")
            found = None
        return (found.question, found.history, found.as_of) if found else ("", (), None)

    # -- under the hood --------------------------------------------------------------------------------------------

    def _said(self, make: Callable[[], str], s: Strings, *, note: Callable[[str], str] = render.notice) -> str:
        """Return what `make` draws, or the sentence that says why not."""
        try:
            return make()
        except RecapError as e:
            return note(str(e))
        except Exception:
            log.exception("Something could not be shown.")
            return note(s.error_any)

    def _kept(self, key: tuple[object, ...], make: Callable[[], str], s: Strings) -> str:
        """Draw a page, or take it as it was drawn before, if the library has not changed since."""

        def found() -> str:
            generation = self.library.generation
            with self._lock:
                if self._drawn[0] != generation:
                    if self._drawn[0] >= 0:
                        self._tried = {}
                        threading.Thread(target=self.warm, name="recap-warm", daemon=True).start()
                    self._drawn = (generation, {})
                pages = self._drawn[1]
            if key not in pages:
                drawn = make()
                with self._lock:
                    while len(pages) >= _PAGES_KEPT:
                        pages.pop(next(iter(pages)))
                    pages[key] = drawn
            return pages.get(key) or make()

        return self._said(found, s)

    def _engine(self) -> AskStream:
        if self._ask is None:
            from rag.answer.chain import ask_stream

            self._ask = ask_stream
        return self._ask

    def _candidates(self, events: list[tuple[Event, int]], s: Strings) -> list[str]:
        labels = [e.short_label for e, _ in most_covered(events, ASKED_ABOUT)]
        return list(dict.fromkeys(t.format(event=label) for t in s.templates for label in labels))

    def _pick(self, events: list[tuple[Event, int]], s: Strings) -> list[str]:
        """Choose a few questions: ones the library is known to answer, events and kinds of question in turn."""
        labels = [e.short_label for e, _ in most_covered(events, ASKED_ABOUT)]
        picked: list[str] = []
        for i, template in enumerate(s.templates):
            turned = labels[i % len(labels) :] + labels[: i % len(labels)] if labels else []
            good = [q for q in (template.format(event=x) for x in turned) if self._tried.get(q)]
            picked += good[:1]
        if not picked:
            picked = [s.template_any.format(event=label) for label in labels]
        return list(dict.fromkeys(picked))[:EXAMPLES]

    def _offer(self, events: list[tuple[Event, int]], s: Strings) -> list[tuple[str, str]]:
        editions, years = [], set()
        for e, _ in events:
            year = int(e.edition) if (e.edition or "").isdigit() else (e.start.year if e.start else None)
            if year:
                years.add(year)
            editions.append((e.short_label, f"event:{e.key}:{year or ''}"))
        spans = [(s.scope_year.format(year=y), f"year::{y}") for y in sorted(years, reverse=True)]
        unique = {value: label for label, value in [(s.scope_all, SCOPE_ALL), *editions, *spans]}
        return [(label, value) for value, label in unique.items()]
