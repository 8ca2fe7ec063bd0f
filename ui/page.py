"""The page: Gradio Blocks around a `Desk`. Four screens, one evidence panel beside them.

    browser --gr events--> answer() --snapshots--> render.turn() --gr.Markdown--> browser
                       a marker's click --#open--> Desk.evidence() --> panel
              any other drawn button --#act------> act() --> the screen that it belongs to

Three hidden boxes carry what page.js has to say: #open (a citation), #act ("VERB:ARGUMENT:..."), and #resume/#kept (a
conversation, or the list of them, out of the browser's storage). Two hidden texts carry the other way: #keep (what is to
be stored) and #download (a file). State is per session: `talk`, the open conversation, and `seat`, what else one visitor
has before them.

Why gr.Markdown and neither gr.HTML nor gr.Chatbot: gr.HTML and every `js=` are run through eval, which our CSP forbids;
gr.Chatbot names each message for screen readers with its raw markup. The last turn has a component of its own, so that
streaming redraws nothing else. Why not gr.BrowserState: it keeps one value, so of two tabs the last to write would
delete the other's conversations.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ui import export, history, render, shelf
from ui.desk import EXAMPLES, SCOPE_ALL, Desk
from ui.strings import EN, LANGUAGES, Strings

if TYPE_CHECKING:
    import gradio as gr

WORKERS = 16  # questions answered at the same time
WAITING = 100  # questions that may wait for their turn
SCREENS = ("ask", "explore", "library", "eval")
Shown = dict[Any, Any]  # component -> what it shows


def new_seat() -> dict[str, Any]:
    """Return what a visitor has before them who has just come."""
    return {
        "lang": EN.lang, "talks": [], "place": ("events",), "view": shelf.View(), "run": "", "editing": None, "judging": None
    }  # fmt: skip


def read_act(value: Any) -> tuple[str, list[str]]:
    """Return (verb, arguments) of what page.js sent: "VERB:ARGUMENT:...~CLICK", each argument percent-encoded."""
    verb, *arguments = str(value).rpartition("~")[0].split(":")
    return verb, [unquote(a) for a in arguments]


def make(desk: Desk) -> gr.Blocks:
    """Return the page for a library."""
    import gradio as gr

    s = EN
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    quick: dict[str, Any] = {"queue": False, **private}
    # no sanitising is switched off anywhere: markup passes our escaping first, then Gradio's sanitiser
    shown: dict[str, Any] = {"sanitize_html": True, "latex_delimiters": []}
    small: dict[str, Any] = {"size": "sm"}
    first = desk.first_screen(s)
    worded: list[tuple[Any, Callable[[Strings], dict[str, Any]]]] = []  # what is to be said anew in another language

    def say(component: Any, words: Callable[[Strings], dict[str, Any]]) -> Any:
        worded.append((component, words))
        return component

    def button(words: Callable[[Strings], str], name: str, **more: Any) -> Any:
        return say(gr.Button(words(s), elem_id=name, **more), lambda s: {"value": words(s)})

    with gr.Blocks(title=s.title, fill_width=True, analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        talk = gr.State(history.new(), time_to_live=86400)
        seat = gr.State(new_seat(), time_to_live=86400)
        with gr.Row(elem_id="bar"):
            brand = gr.Markdown(render.header(s), elem_id="brand", **shown)
            speaker = gr.Markdown(render.speaker(desk.engine_at_once(s), s), elem_id="engine", **shown)
            other = gr.Button(_other(s).language_name, elem_id="lang", **small)
        with gr.Row(elem_id="desk", equal_height=False):
            with gr.Column(elem_id="screens", scale=3, min_width=280), gr.Tabs(elem_id="tabs", selected="ask") as tabs:
                with say(gr.Tab(s.screen_ask, id="ask", elem_id="screen-ask"), lambda s: {"label": s.screen_ask}):
                    with gr.Row(elem_id="chat", equal_height=False):
                        with gr.Column(elem_id="shelf", scale=0, min_width=200):
                            with gr.Row(elem_id="shelfhead"):
                                new = button(lambda s: s.new, "new", **small)
                                button(lambda s: s.close, "talks-close", **small)
                            talks = gr.Markdown(render.talks([], "", s), elem_id="talks", **shown)
                        with gr.Column(elem_id="talk", scale=3, min_width=280):
                            with gr.Column(elem_id="thread"):
                                welcome = gr.Markdown(first.welcome, elem_id="welcome", **shown)
                                with gr.Row(elem_id="examples") as examples:
                                    # filled on arrival: a question never changes under the hand that chooses it
                                    buttons = [
                                        gr.Button("", elem_classes="example", visible=False, **small)
                                        for _ in range(EXAMPLES)
                                    ]
                                past = gr.Markdown("", elem_id="past", **shown)
                                live = gr.Markdown("", elem_id="live", **shown)
                                with gr.Column(elem_id="judge", visible=False) as form:
                                    judge_title = gr.Markdown(render.label(s.rate_title), elem_id="judgehead", **shown)
                                    reason = say(
                                        gr.Radio(_reasons(s), label=s.rate_reason, elem_id="reason"),
                                        lambda s: {"choices": _reasons(s), "label": s.rate_reason},
                                    )
                                    right = say(
                                        gr.Textbox(label=s.rate_right, elem_id="right", max_length=500, lines=1),
                                        lambda s: {"label": s.rate_right},
                                    )
                                    comment = say(
                                        gr.Textbox(label=s.rate_comment, elem_id="comment", max_length=2000, lines=2),
                                        lambda s: {"label": s.rate_comment},
                                    )
                                    judge_said = gr.Markdown("", elem_id="judgesaid", **shown)
                                    with gr.Row(elem_id="judgerow"):
                                        send = button(lambda s: s.rate_send, "send", variant="primary", **small)
                                        leave = button(lambda s: s.cancel, "leave", **small)
                                with gr.Row(elem_id="after", visible=False) as after:
                                    again = button(lambda s: s.again, "again", **small)
                                    plain = button(lambda s: s.as_written, "plain", visible=False, **small)
                                    take = button(lambda s: s.export, "export", **small)
                            with gr.Column(elem_id="composer"):
                                notice = gr.Markdown("", elem_id="notice", **shown)
                                with gr.Row(elem_id="askrow"):
                                    box = say(
                                        gr.Textbox(
                                            label=s.ask_label,
                                            show_label=False,
                                            placeholder=s.ask_placeholder,
                                            lines=1,
                                            max_lines=6,
                                            max_length=desk.library.config.max_question_chars,
                                            autofocus=True,
                                            container=False,
                                            elem_id="question",
                                            scale=1,
                                        ),
                                        lambda s: {"label": s.ask_label, "placeholder": s.ask_placeholder},
                                    )
                                    ask = button(lambda s: s.ask, "ask", variant="primary", scale=0, min_width=84)
                                    stop = button(lambda s: s.stop, "stop", scale=0, min_width=84, visible=False)
                                with gr.Row(elem_id="under"):
                                    scope = say(
                                        gr.Dropdown(
                                            first.scopes,
                                            value=SCOPE_ALL,
                                            label=s.scope,
                                            elem_id="scope",
                                            filterable=False,
                                            visible=len(first.scopes) > 2,
                                        ),
                                        lambda s: {"label": s.scope, "choices": desk.first_screen(s).scopes},
                                    )
                                    button(lambda s: s.talks, "talks-open", **small)
                with say(
                    gr.Tab(s.screen_explore, id="explore", elem_id="screen-explore"),
                    lambda s: {"label": s.screen_explore},
                ) as explore_tab:
                    explored = gr.Markdown(render.loading(s), elem_id="explore", elem_classes="sheet-page", **shown)
                with (
                    say(
                        gr.Tab(s.screen_library, id="library", elem_id="screen-library"),
                        lambda s: {"label": s.screen_library},
                    ) as library_tab,
                    gr.Column(elem_id="library", elem_classes="sheet-page"),
                ):
                    library_head = gr.Markdown(render.library_head(s, read_only=desk.read_only), **shown)
                    with gr.Column(elem_id="adding", visible=not desk.read_only):
                        with gr.Row(elem_id="addrow"):
                            files = say(
                                gr.File(
                                    file_count="multiple",
                                    label=s.add_files,
                                    elem_id="files",
                                    height=150,
                                    type="filepath",
                                ),
                                lambda s: {"label": s.add_files},
                            )
                            with gr.Column(elem_id="webcol"):
                                web = say(
                                    gr.Textbox(
                                        label=s.add_web, placeholder="https://", elem_id="web", max_length=2000, lines=1
                                    ),
                                    lambda s: {"label": s.add_web},
                                )
                                add = button(lambda s: s.add, "add", variant="primary", **small)
                        added = gr.Markdown("", elem_id="added", **shown)
                    words = say(
                        gr.Textbox(
                            label=s.shelf_search,
                            placeholder=s.shelf_search_hint,
                            elem_id="words",
                            max_length=200,
                            lines=1,
                        ),
                        lambda s: {"label": s.shelf_search, "placeholder": s.shelf_search_hint},
                    )
                    table = gr.Markdown(render.loading(s), elem_id="table", **shown)
                with say(
                    gr.Tab(s.screen_eval, id="eval", elem_id="screen-eval"), lambda s: {"label": s.screen_eval}
                ) as eval_tab:
                    evaluated = gr.Markdown(render.loading(s), elem_id="eval", elem_classes="sheet-page", **shown)
            with gr.Column(elem_id="evidence", scale=2, min_width=280):
                with gr.Row(elem_id="grip"):  # page.js closes it
                    grip = gr.Markdown(render.label(s.evidence), elem_id="gripname", **shown)
                    button(lambda s: s.close, "close", **small)
                panel = gr.Markdown(render.evidence_note(s.evidence_empty), elem_id="reader", **shown)
        hidden: dict[str, Any] = {"visible": "hidden"}
        target = gr.Textbox(elem_id="open", label="open", max_length=40, **hidden)
        acted = gr.Textbox(elem_id="act", label="act", max_length=4000, **hidden)
        begin = gr.Textbox(elem_id="begin", label="begin", max_length=12_000, **hidden)
        resume = gr.Textbox(elem_id="resume", label="resume", **hidden)
        kept = gr.Textbox(elem_id="kept", label="kept", **hidden)
        keep = gr.Markdown("", elem_id="keep", **shown)
        download = gr.Markdown("", elem_id="download", **shown)

        drawn = [
            talk, seat, welcome, examples, past, live, after, plain, ask, stop, notice, box, talks, keep, form, tabs
        ]  # fmt: skip

        def strings(seat: dict[str, Any]) -> Strings:
            return LANGUAGES.get(seat["lang"], EN)

        def screen(t: history.Talk, seat: dict[str, Any], *, said: str = "") -> Shown:
            """Return what the ask screen shows for a conversation."""
            s = strings(seat)
            busy, begun = history.running(t), bool(t["turns"])
            return {
                talk: t,
                seat_of: seat,
                live: render.turn(t["turns"][-1], s) if begun else "",
                welcome: gr.update(visible=not begun),
                examples: gr.update(visible=not begun),
                past: render.turns(t["turns"][:-1], s),
                after: gr.update(visible=begun and not busy),
                plain: gr.update(visible=history.rewritten(t)),
                ask: gr.update(visible=not busy),
                stop: gr.update(visible=busy),
                notice: said,
                talks: render.talks(seat["talks"], t["id"], s),
                form: gr.update(visible=False),
            }

        seat_of = seat

        def stored(t: history.Talk, seat: dict[str, Any], *, whole: bool = False) -> Shown:
            """Return what the browser is to keep of a conversation; the seat's list of them has it then."""
            seat["talks"] = history.listed(seat["talks"], t)
            return {keep: render.outgoing("keep", history.record(t, whole=whole))}

        def answer(
            question: str, chosen: str, t: history.Talk, seat: dict[str, Any], *, rewrite: bool = True
        ) -> Iterator[Shown]:
            s = strings(seat)
            if said := desk.objection(question, s):
                yield {notice: render.notice(said)}
                return
            if history.running(t):
                return
            forked = False
            if seat["editing"] is not None:
                before, t = t, history.fork(t, seat["editing"])
                forked = t["id"] != before["id"]
            seat = seat | {"editing": None, "judging": None}
            with contextlib.closing(desk.answer(question, chosen, t, rewrite=rewrite, s=s)) as steps:
                for i, (grown, whole) in enumerate(steps):
                    if whole:
                        saved = stored(grown, seat, whole=forked and i == 0)
                        yield screen(grown, seat) | saved | ({box: ""} if i == 0 else {})
                    else:
                        yield {talk: grown, live: render.turn(grown["turns"][-1], s)}

        def retry(chosen: str, t: history.Talk, seat: dict[str, Any]) -> Iterator[Shown]:
            if t["turns"] and not history.running(t):
                yield from answer(t["turns"][-1]["question"], chosen, history.drop(t), seat | {"editing": None})

        def as_written(chosen: str, t: history.Talk, seat: dict[str, Any]) -> Iterator[Shown]:
            if history.rewritten(t):
                question = t["turns"][-1]["question"]
                yield from answer(question, chosen, history.drop(t), seat | {"editing": None}, rewrite=False)

        def from_elsewhere(value: str, seat: dict[str, Any]) -> Iterator[Shown]:
            """Ask, in a new conversation, a question that another screen offers."""
            verb, given = read_act(value)
            t, question = history.new(), given[0] if given else ""
            if verb == "replay" and len(given) == 2:
                found = desk.asked_in(*given)
                question = found[0] if found else ""
                t = history.said_before(found[1]) if found else t
            for i, step in enumerate(answer(question, SCOPE_ALL, t, seat | {"editing": None})):
                yield step | ({tabs: gr.update(selected="ask"), scope: SCOPE_ALL} if i == 0 else {})

        asking = [talk, seat]
        started = [
            gr.on([box.submit, ask.click], answer, [box, scope, *asking], drawn, **private),
            *(b.click(answer, [b, scope, *asking], drawn, **private) for b in buttons),
            again.click(retry, [scope, *asking], drawn, **private),
            plain.click(as_written, [scope, *asking], drawn, **private),
            begin.change(from_elsewhere, [begin, seat], [*drawn, scope], **private),
        ]

        def stopped(t: history.Talk, seat: dict[str, Any]) -> Shown:
            t = history.stop(t)
            return screen(t, seat) | (stored(t, seat) if t["turns"] else {})

        def cleared(seat: dict[str, Any]) -> Shown:
            s = strings(seat)
            seat = seat | {"editing": None, "judging": None}
            return screen(history.new(), seat) | {panel: render.evidence_note(s.evidence_empty), box: ""}

        def resumed(value: str, seat: dict[str, Any]) -> Shown:
            """Open a conversation that the browser kept."""
            t = history.restored(_json(value).get("talk"))
            seat = _with_list(seat, _json(value)) | {"editing": None, "judging": None}
            s = strings(seat)
            if t is None:
                return {notice: render.notice(s.talk_gone)}
            return screen(t, seat) | {panel: render.evidence_note(s.evidence_empty)}

        def listed(value: str, t: history.Talk, seat: dict[str, Any]) -> Shown:
            """Take in what the browser says that it keeps: the list, and the language on arrival."""
            told = _json(value)
            seat = _with_list(seat, told)
            s = strings(seat)
            shown_now: Shown = {seat_of: seat, talks: render.talks(seat["talks"], t["id"], s)}
            if told.get("forgot") and told["forgot"] == t["id"] and not history.running(t):
                shown_now |= cleared(seat)
            if (lang := told.get("lang")) in LANGUAGES and lang != seat["lang"]:
                shown_now |= speak(lang, t, seat)
            return shown_now

        # first cancel, then say so: the other way round, one more snapshot could overwrite what was said
        stop.click(None, None, None, cancels=started, **quick).then(stopped, asking, drawn, **quick)
        new.click(None, None, None, cancels=started, **quick).then(cleared, seat, [*drawn, panel], **quick)
        resume.change(None, None, None, cancels=started, **quick).then(
            resumed, [resume, seat], [*drawn, panel], **quick
        )
        target.change(
            lambda value, t, seat: desk.evidence(value, t, strings(seat)),
            [target, *asking],
            panel,
            trigger_mode="always_last",
            **quick,
        )
        take.click(
            lambda t, seat: render.outgoing("download", export.markdown(t, strings(seat)), name=export.file_name(t)),
            asking,
            download,
            **quick,
        )

        # -- every other button that is drawn

        def act(value: str, t: history.Talk, seat: dict[str, Any]) -> Shown:
            verb, given = read_act(value)
            s = strings(seat)
            match verb, given:
                case "passage", [article, start, end]:
                    return {panel: desk.passage(article, start, end, s)}
                case ("event", [_, _]) | ("person", [_]):
                    seat = seat | {"place": (verb, *given)}
                    return {
                        seat_of: seat,
                        explored: desk.explore(seat["place"], s),
                        tabs: gr.update(selected="explore"),
                    }
                case "screen", [name] if name in SCREENS:
                    seat = seat | {"place": ("events",), "run": ""}
                    return {seat_of: seat, tabs: gr.update(selected=name)} | show(name, seat)
                case "sort", [column]:
                    seat = seat | {"view": seat["view"].by(column)}
                    return {seat_of: seat, table: desk.shelf(seat["view"], s)}
                case "page", [number]:
                    seat = seat | {"view": seat["view"].turned(number)}
                    return {seat_of: seat, table: desk.shelf(seat["view"], s)}
                case "remove", [article]:
                    return {table: desk.shelf(seat["view"], s, asking=article)}
                case "remove!", [article]:
                    said = desk.remove(article, s)
                    return {added: said, table: desk.shelf(seat["view"], s)}
                case "find", [typed]:
                    seat = seat | {"view": seat["view"].seeking(typed)}
                    return {seat_of: seat, words: typed, table: desk.shelf(seat["view"], s)}
                case "keep", _:
                    return {table: desk.shelf(seat["view"], s)}
                case "run", [name]:
                    return {seat_of: seat | {"run": name}, evaluated: desk.run(name, s)}
            if given and given[0].isdigit() and not history.running(t):
                return about_turn(verb, int(given[0]), t, seat)
            return {}

        def about_turn(verb: str, number: int, t: history.Talk, seat: dict[str, Any]) -> Shown:
            s = strings(seat)
            turn = next((each for each in t["turns"] if each["id"] == number), None)
            if turn is None:
                return {notice: render.notice(s.no_turn)}
            last = turn is t["turns"][-1]
            if verb == "order":
                t = history.change(t, number, by_time=not turn["by_time"])
                return screen(t, seat) | {keep: render.outgoing("keep", history.record(t, whole=True))}
            if verb == "edit":
                seat = seat | {"editing": number}
                said = render.editing(number, s.edit_notice if last else s.edit_fork, s)
                return {seat_of: seat, box: turn["standalone"] if last else turn["question"], notice: said}
            if verb == "unedit":
                return {seat_of: seat | {"editing": None}, box: "", notice: ""}
            if verb == "good":
                return judged(t, seat, number, {"verdict": "up", "reason": "", "comment": "", "right_answer": ""})
            if verb == "bad":
                seat = seat | {"judging": number}
                return {
                    seat_of: seat,
                    form: gr.update(visible=True),
                    reason: None,
                    right: "",
                    comment: "",
                    judge_said: "",
                }
            return {}

        def judged(t: history.Talk, seat: dict[str, Any], number: int, judgement: dict[str, str]) -> Shown:
            s = strings(seat)
            t, said = desk.judge(t, number, judgement, s)
            shown_now = screen(t, seat, said=render.notice(said) if said else "")
            return shown_now | {keep: render.outgoing("keep", history.record(t, whole=True))}

        def sent(why: str | None, right: str, comment: str, t: history.Talk, seat: dict[str, Any]) -> Shown:
            s = strings(seat)
            if seat["judging"] is None:
                return {form: gr.update(visible=False)}
            if why not in s.rate_reasons:
                return {judge_said: render.notice(s.rate_reason_missing)}
            said = {"verdict": "down", "reason": str(why), "comment": comment, "right_answer": right}
            return judged(t, seat | {"judging": None}, seat["judging"], said)

        every = [
            *drawn, panel, explored, table, added, evaluated, scope, *buttons, speaker, brand, other, reason, right,
            comment, judge_said, judge_title, grip, library_head, words,
        ]  # fmt: skip
        acted.change(act, [acted, *asking], every, **quick)
        send.click(sent, [reason, right, comment, *asking], [*drawn, judge_said], **quick)
        leave.click(lambda seat: {seat_of: seat | {"judging": None}, form: gr.update(visible=False)}, seat, [seat, form], **quick)  # fmt: skip

        # -- the other screens are drawn when they are looked at

        def show(name: str, seat: dict[str, Any]) -> Shown:
            s = strings(seat)
            if name == "explore":
                return {explored: desk.explore(seat["place"], s)}
            if name == "library":
                return {table: desk.shelf(seat["view"], s)}
            if name == "eval":
                return {evaluated: desk.run(seat["run"], s) if seat["run"] else desk.runs(s)}
            return {}

        explore_tab.select(lambda seat: show("explore", seat), seat, explored, **quick)
        library_tab.select(lambda seat: show("library", seat), seat, table, **quick)
        eval_tab.select(lambda seat: show("eval", seat), seat, evaluated, **quick)

        def searched(typed: str, seat: dict[str, Any]) -> Shown:
            seat = seat | {"view": seat["view"].seeking(typed)}
            return {seat_of: seat, table: desk.shelf(seat["view"], strings(seat))}

        words.change(searched, [words, seat], [seat, table], trigger_mode="always_last", **quick)

        def take_in(paths: list[str] | None, address: str, seat: dict[str, Any]) -> Iterator[Shown]:
            s = strings(seat)
            yield {add: gr.update(interactive=False), added: render.loading(s)}
            for step in desk.add([Path(p) for p in paths or []], address, s):
                yield {added: step}
            yield {add: gr.update(interactive=True), files: None, web: "", table: desk.shelf(seat["view"], s)}

        if not desk.read_only:
            gr.on(
                [add.click, web.submit],
                take_in,
                [files, web, seat],
                [add, added, files, web, table],
                concurrency_limit=1,
                **private,
            )

        # -- languages

        def speak(lang: str, t: history.Talk, seat: dict[str, Any]) -> Shown:
            """Return the whole page in another language."""
            s = LANGUAGES[lang]
            seat = seat | {"lang": lang}
            now = desk.first_screen(s)
            shown_now = screen(t, seat)
            for component, said in worded:  # some are shown or hidden at the same time
                shown_now[component] = gr.update(**said(s)) | shown_now.get(component, {})
            return shown_now | {
                brand: render.header(s),
                speaker: render.speaker(desk.engine(s), s),
                other: gr.update(value=_other(s).language_name),
                welcome: gr.update(value=now.welcome, visible=not t["turns"]),
                grip: render.label(s.evidence),
                judge_title: render.label(s.rate_title),
                panel: render.evidence_note(s.evidence_empty),
                library_head: render.library_head(s, read_only=desk.read_only),
                explored: render.loading(s),
                table: render.loading(s),
                evaluated: render.loading(s),
            }

        spoken = list({id(c): c for c in [*every, *(c for c, _ in worded)]}.values())

        def switch(t: history.Talk, seat: dict[str, Any]) -> Shown:
            seat_lang = _other(strings(seat)).lang
            return speak(seat_lang, t, seat)

        other.click(switch, asking, spoken, **quick).then(
            lambda seat: {k: v for name in SCREENS for k, v in show(name, seat).items()},
            seat,
            [explored, table, evaluated],
            **quick,
        )
        kept.change(listed, [kept, *asking], spoken, **quick)

        def arrive(seat: dict[str, Any]) -> Shown:
            """Return the first screen as the library is now; touches nothing that a quick question may have drawn."""
            now = desk.first_screen(strings(seat))
            return {
                welcome: gr.update(value=now.welcome),
                scope: gr.update(choices=now.scopes, visible=len(now.scopes) > 2),
                **{
                    b: gr.update(value=now.examples[i] if i < len(now.examples) else "", visible=i < len(now.examples))
                    for i, b in enumerate(buttons)
                },
            }

        page.load(arrive, seat, [welcome, scope, *buttons], **quick)
        page.load(lambda seat: render.speaker(desk.engine(strings(seat)), strings(seat)), seat, speaker, **quick)

    page.queue(api_open=False, max_size=WAITING, default_concurrency_limit=WORKERS)
    return page


def _other(s: Strings) -> Strings:
    """Return the language that the page can be switched to."""
    names = list(LANGUAGES)
    return LANGUAGES[names[(names.index(s.lang) + 1) % len(names)]]


def _reasons(s: Strings) -> list[tuple[str, str]]:
    return [(words, code) for code, words in s.rate_reasons.items()]


def _json(value: Any) -> dict[str, Any]:
    """Read what page.js sent; {} for anything that is not an object."""
    try:
        read = json.loads(value)
    except (TypeError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _with_list(seat: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    return seat | ({"talks": history.restored_list(told["talks"])} if "talks" in told else {})
