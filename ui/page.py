"""What the page does: Gradio's events, carried to a `Desk` and back into what is shown.

    browser --gr events--> answer() --snapshots--> render.turn() --gr.Markdown--> browser
                       a marker's click --#open--> Desk.evidence() --> panel
              any other drawn button --#act------> act() --> the screen that it belongs to

State is per session: `talk`, the open conversation (history.py), `notes`, what goes with it, and `seat`, what else one
visitor has before them. Handlers of the conversation read `seat` and never write it.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import gradio as gr
from gradio.blocks import BlocksConfig

from ui import export, history, limits, render
from ui.desk import SCOPE_ALL, Desk
from ui.layout import Layout, next_language
from ui.strings import EN, LANGUAGES, Strings

WORKERS = 16  # questions answered at the same time
WAITING = 100  # questions that may wait for their turn
ACT_LIMIT = 12_000  # characters; a question in percent-encoding is the longest
SCREENS = ("ask", "explore", "library", "eval")
Seat = dict[str, Any]
Notes = dict[str, Any]
Shown = dict[Any, Any]  # component -> what it shows
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_QUICK: dict[str, Any] = {"queue": False, **_PRIVATE}


def make(desk: Desk) -> gr.Blocks:
    """Return the page for a library."""
    with _Blocks(title=EN.title, fill_width=True, analytics_enabled=False, delete_cache=(3600, 86400)) as blocks:
        Page(desk, Layout(desk)).wire(blocks)
    blocks.default_config.__class__ = _Config
    # Nobody is shown a place in the queue. By default all who wait are told theirs whenever one leaves it: a hundred at
    # once are five thousand messages.
    blocks.queue(api_open=False, max_size=WAITING, default_concurrency_limit=WORKERS, status_update_rate=60)
    return blocks


class _Blocks(gr.Blocks):
    """Gradio's, that touches only what a step of an event names.

    Gradio makes each output of the event anew, also those that are left alone: a millisecond each, sixteen a step.
    """

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        outputs = list(block_fn.outputs)
        named = [c for c in outputs if c in predictions] if isinstance(predictions, dict) else []
        if len(outputs) < 2 or not named or len(named) < len(predictions):
            return await super().postprocess_data(block_fn, predictions, state)
        only = copy.copy(block_fn)
        only.outputs = named
        given = predictions if len(named) > 1 else predictions[named[0]]
        done = dict(zip(named, await super().postprocess_data(only, given, state), strict=True))
        return [done[c] if c in done else None if c.stateful else gr.skip() for c in outputs]


class _Config(BlocksConfig):
    """Gradio's, of which a session keeps no description of every component: only deep links would need it, and their
    route is closed. To make it took a tenth of the server's time, anew for every visitor and every update."""

    def __copy__(self) -> Any:
        of_session = super().__copy__()
        of_session.config_for_block = lambda *_: {}
        return of_session


def read_act(value: Any) -> tuple[str, list[str]]:
    """Return (verb, arguments) of what page.js sent: "VERB:ARGUMENT:...~CLICK", each argument percent-encoded."""
    verb, *arguments = str(value)[:ACT_LIMIT].rpartition("~")[0].split(":")
    return verb, [unquote(a) for a in arguments]


class Page:
    """The handlers of the page's events. Holds nothing of any visitor, but how much each has asked for lately."""

    def __init__(self, desk: Desk, layout: Layout) -> None:
        self.desk = desk
        self.x = layout
        self.asked = limits.Meter(limits.QUESTIONS)
        self.at_once = limits.AtOnce()
        self.added = limits.Meter(limits.ADDINGS)
        self.judgements = limits.Meter(limits.JUDGEMENTS)

    def wire(self, blocks: gr.Blocks) -> None:
        """Connect every component with what it does."""
        x = self.x
        visitor = [x.talk, x.notes, x.seat]
        drawn = [
            x.talk, x.notes, x.welcome, x.examples, x.past, x.live, x.after, x.plain, x.ask, x.stop, x.notice, x.box, x.talks,
            x.keep, x.form, x.tabs, x.panel, x.scope,
        ]  # fmt: skip
        every = [
            *drawn, x.seat, x.explored, x.table, x.added, x.evaluated, x.words, x.reason, x.right, x.comment, x.judge_said,
            x.speaker, x.brand, x.language, x.judge_title, x.grip, x.library_head,
        ]  # fmt: skip
        spoken = list({id(c): c for c in [*every, *(c for c, _ in x.worded)]}.values())

        started = [
            gr.on([x.box.submit, x.ask.click], self.typed, [x.box, x.scope, *visitor], drawn, **_PRIVATE),
            *(b.click(self.answer, [b, x.scope, *visitor], drawn, **_PRIVATE) for b in x.example),
            x.again.click(self.retry, visitor, drawn, **_PRIVATE),
            x.plain.click(self.as_written, visitor, drawn, **_PRIVATE),
        ]
        # first cancel, then go on: the other way round, one more snapshot could overwrite what was drawn
        cancelled = x.begin.change(None, None, None, cancels=started, **_QUICK)
        started.append(cancelled.then(self.from_elsewhere, [x.begin, *visitor], drawn, **_PRIVATE))
        for trigger, handler, inputs, outputs in (
            (x.stop.click, self.stopped, visitor, drawn),
            (x.new.click, self.cleared, visitor, drawn),
            (x.resume.change, self.resumed, [x.resume, *visitor], spoken),
        ):
            trigger(None, None, None, cancels=started, **_QUICK).then(handler, inputs, outputs, **_QUICK)

        x.open.change(self.evidence, [x.open, *visitor], x.panel, trigger_mode="always_last", **_QUICK)
        x.act.change(self.act, [x.act, *visitor], every, **_QUICK)
        x.export.click(self.exported, visitor, x.download, **_QUICK)
        x.send.click(self.judgement, [x.reason, x.right, x.comment, *visitor], [*drawn, x.judge_said], **_QUICK)
        x.leave.click(self.not_judged, x.notes, [x.notes, x.form], **_QUICK)

        # the other screens are drawn when they are looked at
        x.explore_tab.select(lambda seat: self.show("explore", seat), x.seat, x.explored, **_QUICK)
        x.library_tab.select(lambda seat: self.show("library", seat), x.seat, x.table, **_QUICK)
        x.eval_tab.select(lambda seat: self.show("eval", seat), x.seat, x.evaluated, **_QUICK)
        x.words.change(self.search, [x.words, x.seat], [x.seat, x.table], trigger_mode="always_last", **_QUICK)
        if not self.desk.read_only:
            taken = [x.add, x.added, x.files, x.web, x.table]
            gr.on(
                [x.add.click, x.web.submit],
                self.take_in,
                [x.files, x.web, x.seat],
                taken,
                concurrency_limit=1,
                **_PRIVATE,
            )

        redrawn = [x.explored, x.table, x.evaluated]
        x.language.click(self.switch, visitor, spoken, **_QUICK).then(self.show_all, x.seat, redrawn, **_QUICK)
        x.kept.change(self.listed, [x.kept, *visitor], spoken, **_QUICK)
        for come in (blocks.load, x.ask_tab.select):  # the library may have changed meanwhile
            come(self.arrive, x.seat, [x.welcome, x.scope, *x.example], **_QUICK)
        blocks.load(self.engine, x.seat, x.speaker, **_QUICK)

    # -- the conversation ------------------------------------------------------------------------------------------

    def screen(self, t: history.Talk, notes: Notes, seat: Seat, *, said: str = "") -> Shown:
        """Return what the ask screen shows for a conversation."""
        s, x = _strings(seat), self.x
        busy, begun = history.running(t), bool(t["turns"])
        if notes["editing"] is not None and not said:
            last = begun and t["turns"][-1]["id"] == notes["editing"]
            said = render.editing(notes["editing"], s.edit_notice if last else s.edit_fork, s)
        return {
            x.talk: t,
            x.notes: notes,
            x.live: render.turn(t["turns"][-1], s) if begun else "",
            x.welcome: gr.update(visible=not begun),
            x.examples: gr.update(visible=not begun),
            x.past: render.turns(t["turns"][:-1], s),
            x.after: gr.update(visible=begun and not busy),
            x.plain: gr.update(visible=history.rewritten(t)),
            x.ask: gr.update(visible=not busy),
            x.stop: gr.update(visible=busy),
            x.notice: said,
            x.talks: render.talks(notes["talks"], t["id"], s),
            x.form: gr.update(visible=notes["judging"] is not None),
        }

    def store(self, t: history.Talk, *, whole: bool = False) -> Shown:
        """Return what the browser is to keep of a conversation: its last turn, or all of them."""
        return {self.x.keep: render.outgoing("keep", history.record(t, whole=whole))}

    def interrupted(self, t: history.Talk) -> Shown:
        """Return what the browser is to keep of an answer that another wish cut short."""
        return self.store(history.stop(t)) if history.running(t) else {}

    def typed(
        self, question: str, chosen: str, t: history.Talk, notes: Notes, seat: Seat, request: gr.Request
    ) -> Iterator[Shown]:
        """Ask what stands in the question box, and empty it."""
        for i, step in enumerate(self.answer(question, chosen, t, notes, seat, request)):
            yield step | ({self.x.box: ""} if i == 0 and self.x.talk in step else {})

    def answer(
        self,
        question: str,
        chosen: str,
        t: history.Talk,
        notes: Notes,
        seat: Seat,
        request: gr.Request,
        *,
        rewrite: bool = True,
        as_of: date | None = None,
    ) -> Iterator[Shown]:
        """Ask, and draw the answer as it grows."""
        s, x = _strings(seat), self.x
        if said := self.desk.objection(question, s):
            yield {x.notice: render.notice(said)}
            return
        if history.running(t):
            return
        who = _visitor(request)
        with self.at_once.one(who) as good:
            if not good or not self.asked.admits(who):
                yield {x.notice: render.notice(s.asked_often if good else s.asked_at_once)}
                return
            yield from self._answered(question, chosen, t, notes, seat, rewrite=rewrite, as_of=as_of)

    def _answered(
        self,
        question: str,
        chosen: str,
        t: history.Talk,
        notes: Notes,
        seat: Seat,
        *,
        rewrite: bool,
        as_of: date | None,
    ) -> Iterator[Shown]:
        s, x = _strings(seat), self.x
        whole = not t["id"]  # what stands before the question may be new to the browser
        if notes["editing"] is not None:
            before, t = t, history.fork(t, notes["editing"])
            whole = whole or t["id"] != before["id"]
        notes = notes | {"editing": None, "judging": None}
        steps = self.desk.answer(question, chosen, t, rewrite=rewrite, as_of=as_of, s=s)
        with contextlib.closing(steps):
            for i, (grown, settled) in enumerate(steps):
                if not settled:
                    yield {x.talk: grown, x.live: render.turn(grown["turns"][-1], s)}
                    continue
                notes = notes | {"talks": history.listed(notes["talks"], grown)}
                yield self.screen(grown, notes, seat) | self.store(grown, whole=whole and i == 0)

    def retry(self, t: history.Talk, notes: Notes, seat: Seat, request: gr.Request) -> Iterator[Shown]:
        """Ask the last question again, in its place."""
        yield from self._again(t, notes, seat, request, rewrite=True)

    def as_written(self, t: history.Talk, notes: Notes, seat: Seat, request: gr.Request) -> Iterator[Shown]:
        """Ask the last question again, with nothing of the conversation put into it."""
        yield from self._again(t, notes, seat, request, rewrite=False)

    def _again(
        self, t: history.Talk, notes: Notes, seat: Seat, request: gr.Request, *, rewrite: bool
    ) -> Iterator[Shown]:
        if not t["turns"] or history.running(t):
            return
        last = t["turns"][-1]
        as_of = date.fromisoformat(last["as_of"]) if last["as_of"] else None
        notes = notes | {"editing": None}
        yield from self.answer(
            last["question"], last["chosen"], history.drop(t), notes, seat, request, rewrite=rewrite, as_of=as_of
        )

    def from_elsewhere(
        self, value: str, t: history.Talk, notes: Notes, seat: Seat, request: gr.Request
    ) -> Iterator[Shown]:
        """Ask, in a new conversation, a question that another screen offers."""
        if kept := self.interrupted(t):
            yield kept
        verb, given = read_act(value)
        t, question, as_of = history.new(), given[0] if given else "", None
        if verb == "replay":
            question, said, as_of = self.desk.asked_in(*given) if len(given) == 2 else ("", (), None)
            t = history.said_before(said)
        to_chat: Shown = {
            self.x.tabs: gr.update(selected="ask"),
            self.x.scope: SCOPE_ALL,
            self.x.panel: render.evidence_note(_strings(seat).evidence_empty),
        }
        steps = self.answer(question, SCOPE_ALL, t, notes | {"editing": None}, seat, request, as_of=as_of)
        for i, step in enumerate(steps):
            yield step | (to_chat if i == 0 else {})

    def stopped(self, t: history.Talk, notes: Notes, seat: Seat) -> Shown:
        """Say that the answer was stopped."""
        t = history.stop(t)
        return self.screen(t, notes, seat) | (self.store(t) if t["turns"] else {})

    def cleared(self, t: history.Talk, notes: Notes, seat: Seat) -> Shown:
        """Begin a new conversation."""
        kept = self.interrupted(t)
        notes = notes | {"editing": None, "judging": None}
        blank = render.evidence_note(_strings(seat).evidence_empty)
        return self.screen(history.new(), notes, seat) | {self.x.panel: blank, self.x.box: ""} | kept

    def resumed(self, value: str, t: history.Talk, notes: Notes, seat: Seat) -> Shown:
        """Open a conversation that the browser kept; on arrival, in the language that it asks for."""
        told = _json(value)
        kept = self.interrupted(t)
        t = history.restored(told.get("talk")) or history.new()
        notes = _with_list(notes, told) | {"editing": None, "judging": None}
        if (lang := _language(told)) and lang != seat["lang"]:
            return self.speak(lang, t, notes, seat) | kept
        s = _strings(seat)
        said = "" if t["turns"] else render.notice(s.talk_gone)
        blank = render.evidence_note(s.evidence_empty)
        return self.screen(t, notes, seat, said=said) | {self.x.panel: blank} | kept

    def listed(self, value: str, t: history.Talk, notes: Notes, seat: Seat) -> Shown:
        """Take in what the browser says that it keeps: the list of conversations, and the language on arrival."""
        told = _json(value)
        notes = _with_list(notes, told)
        if (lang := _language(told)) and lang != seat["lang"]:
            return self.speak(lang, t, notes, seat)
        s = _strings(seat)
        shown: Shown = {self.x.notes: notes, self.x.talks: render.talks(notes["talks"], t["id"], s)}
        return shown | ({self.x.notice: render.notice(s.talks_full)} if told.get("full") is True else {})

    def exported(self, t: history.Talk, _: Notes, seat: Seat) -> str:
        """Hand the conversation to the browser as a file."""
        return render.outgoing("download", export.markdown(t, _strings(seat)), name=export.file_name(t))

    def evidence(self, value: str, t: history.Talk, _: Notes, seat: Seat) -> str:
        """Draw the article of a citation."""
        return self.desk.evidence(value, t, _strings(seat))

    # -- every other button that is drawn --------------------------------------------------------------------------

    def act(self, value: str, t: history.Talk, notes: Notes, seat: Seat, request: gr.Request) -> Shown:
        """Do what a drawn button says."""
        verb, given = read_act(value)
        s, x = _strings(seat), self.x
        match verb, given:
            case "passage", [article, start, end]:
                return {x.panel: self.desk.passage(article, start, end, s)}
            case ("event", [_, _]) | ("person", [_]):
                seat = seat | {"place": (verb, *given)}
                return {x.seat: seat, x.tabs: gr.update(selected="explore")} | self.show("explore", seat)
            case "screen", [name] if name in SCREENS:
                seat = seat | {"place": ("events",), "run": ""}
                return {x.seat: seat, x.tabs: gr.update(selected=name)} | self.show(name, seat)
            case "sort", [column]:
                return self.view(seat, seat["view"].by(column))
            case "page", [number]:
                return self.view(seat, seat["view"].turned(number))
            case "find", [words]:
                return self.view(seat, seat["view"].seeking(words)) | {x.words: words}
            case "remove", [article]:
                return {x.table: self.desk.shelf(seat["view"], s, asking=article)}
            case "remove!", [article]:
                if not self.added.admits(_visitor(request)):
                    return {x.added: render.notice(s.l_often)}
                said = self.desk.remove(article, s)  # first, or the table would still have it
                return {x.added: said, x.table: self.desk.shelf(seat["view"], s)}
            case "keep", _:
                return {x.table: self.desk.shelf(seat["view"], s)}
            case "run", [name]:
                seat = seat | {"run": name}
                return {x.seat: seat} | self.show("eval", seat)
            case _, [number] if number.isascii() and number.isdigit() and len(number) < 9:
                if history.running(t):
                    return {x.notice: render.notice(s.wait_for_answer)}
                return self.about_turn(verb, int(number), t, notes, seat, request)
        return {x.seat: seat}  # not a wish that the page knows

    def about_turn(
        self, verb: str, number: int, t: history.Talk, notes: Notes, seat: Seat, request: gr.Request
    ) -> Shown:
        """Do what a button within an answer says."""
        s, x = _strings(seat), self.x
        turn = next((each for each in t["turns"] if each["id"] == number), None)
        if turn is None:
            return {x.notice: render.notice(s.no_turn)}
        match verb:
            case "order":
                t = history.change(t, number, by_time=not turn["by_time"])
                return self.screen(t, notes, seat) | self.store(t, whole=True)
            case "edit":
                words = turn["standalone"] if turn is t["turns"][-1] else turn["question"]
                return self.screen(t, notes | {"editing": number}, seat) | {x.box: words}
            case "unedit":
                return self.screen(t, notes | {"editing": None}, seat) | {x.box: ""}
            case "good":
                return self.judged(t, notes, seat, request, number, {"verdict": "up"})
            case "bad":
                blank = {x.reason: None, x.right: "", x.comment: "", x.judge_said: ""}
                return self.screen(t, notes | {"judging": number}, seat) | blank
        return {x.seat: seat}

    def judged(
        self,
        t: history.Talk,
        notes: Notes,
        seat: Seat,
        request: gr.Request,
        number: int,
        judgement: dict[str, str],
    ) -> Shown:
        """Keep what was said of an answer, and show that it was."""
        s = _strings(seat)
        if self.judgements.admits(_visitor(request)):
            t, said = self.desk.judge(t, number, judgement, s)
        else:
            said = s.judged_often
        shown = self.screen(t, notes, seat, said=render.notice(said) if said else "")
        return shown | self.store(t, whole=True)

    def judgement(
        self,
        why: str | None,
        right: str,
        comment: str,
        t: history.Talk,
        notes: Notes,
        seat: Seat,
        request: gr.Request,
    ) -> Shown:
        """Take what a person says is wrong with an answer."""
        s, x = _strings(seat), self.x
        if notes["judging"] is None:
            return {x.form: gr.update(visible=False)}
        if why not in s.rate_reasons:
            return {x.judge_said: render.notice(s.rate_reason_missing)}
        said = {"verdict": "down", "reason": str(why), "comment": comment, "right_answer": right}
        return self.judged(t, notes | {"judging": None}, seat, request, notes["judging"], said)

    def not_judged(self, notes: Notes) -> Shown:
        """Put the form away."""
        return {self.x.notes: notes | {"judging": None}, self.x.form: gr.update(visible=False)}

    # -- the other screens -----------------------------------------------------------------------------------------

    def show(self, name: str, seat: Seat) -> Shown:
        """Draw a screen as the library is now."""
        s, x = _strings(seat), self.x
        match name:
            case "explore":
                return {x.explored: self.desk.explore(seat["place"], s)}
            case "library":
                return {x.table: self.desk.shelf(seat["view"], s)}
            case "eval":
                return {x.evaluated: self.desk.run(seat["run"], s) if seat["run"] else self.desk.runs(s)}
        return {}

    def show_all(self, seat: Seat) -> Shown:
        """Draw every screen."""
        return {k: v for name in SCREENS for k, v in self.show(name, seat).items()}

    def view(self, seat: Seat, view: Any) -> Shown:
        """Draw the library's table in another way."""
        return {self.x.seat: seat | {"view": view}, self.x.table: self.desk.shelf(view, _strings(seat))}

    def search(self, words: str, seat: Seat) -> Shown:
        """Look for words in the library's table."""
        return self.view(seat, seat["view"].seeking(words))

    def take_in(self, paths: list[str] | None, address: str | None, seat: Seat, request: gr.Request) -> Iterator[Shown]:
        """Add files and an address to the library, saying how far it is."""
        s, x = _strings(seat), self.x
        if not self.added.admits(_visitor(request)):
            yield {x.added: render.notice(s.l_often)}
            return
        yield {x.add: gr.update(interactive=False), x.added: render.loading(s)}
        taken = False
        for step, good in self.desk.add([Path(p) for p in paths or []], address or "", s):
            taken = good
            yield {x.added: step}
        emptied = {x.files: None, x.web: ""} if taken else {}  # what was refused may be mended and sent again
        yield {x.add: gr.update(interactive=True), x.table: self.desk.shelf(seat["view"], s)} | emptied

    # -- arriving, and languages -----------------------------------------------------------------------------------

    def arrive(self, seat: Seat) -> Shown:
        """Return the first screen as the library is now; touches nothing that a quick question may have drawn."""
        now, x = self.desk.first_screen(_strings(seat)), self.x
        return {
            x.welcome: gr.update(value=now.welcome),
            x.scope: gr.update(choices=now.scopes, visible=len(now.scopes) > 2),
            **{
                b: gr.update(value=now.examples[i] if i < len(now.examples) else "", visible=i < len(now.examples))
                for i, b in enumerate(x.example)
            },
        }

    def engine(self, seat: Seat) -> str:
        """Say which engine will answer."""
        s = _strings(seat)
        return render.speaker(self.desk.engine(s), s)

    def switch(self, t: history.Talk, notes: Notes, seat: Seat) -> Shown:
        """Speak the next language."""
        return self.speak(next_language(_strings(seat)).lang, t, notes, seat)

    def speak(self, lang: str, t: history.Talk, notes: Notes, seat: Seat) -> Shown:
        """Say the whole page in another language."""
        s, x = LANGUAGES[lang], self.x
        seat = seat | {"lang": lang}
        shown = self.screen(t, notes, seat)
        for component, words in x.worded:  # some are shown or hidden at the same time
            shown[component] = gr.update(**words(s)) | shown.get(component, {})
        return shown | {
            x.seat: seat,
            x.brand: render.header(s),
            x.speaker: self.engine(seat),
            x.language: gr.update(value=next_language(s).language_name),
            x.welcome: gr.update(value=self.desk.first_screen(s).welcome, visible=not t["turns"]),
            x.grip: render.label(s.evidence),
            x.judge_title: render.label(s.rate_title),
            x.library_head: render.library_head(s, read_only=self.desk.read_only),
        }


def _visitor(request: gr.Request) -> limits.Visitor:
    """Return whom a limit is for. A session is named by the browser, so by anybody."""
    client = request.client
    return limits.Visitor(
        str(request.session_hash)[:64], limits.place(client.host if client else "?", request.username)
    )


def _strings(seat: Seat) -> Strings:
    return LANGUAGES.get(seat["lang"], EN)


def _json(value: Any) -> dict[str, Any]:
    """Read what page.js sent; {} for anything that is not an object."""
    try:
        read = json.loads(value)
    except (TypeError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _with_list(notes: Notes, told: dict[str, Any]) -> Notes:
    return notes | ({"talks": history.restored_list(told["talks"])} if "talks" in told else {})


def _language(told: dict[str, Any]) -> str:
    lang = told.get("lang")
    return lang if isinstance(lang, str) and lang in LANGUAGES else ""
