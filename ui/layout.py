"""What stands where on the page: four screens, one evidence panel beside them. Components only, no behaviour.

Every component with words of its own is said once with what it says in any language (`say`), so that the page can be
spoken anew. Three hidden boxes carry what page.js has to say: #open (a citation), #act and #begin ("VERB:ARGUMENT:..."),
#resume and #kept (a conversation, or the list of them, out of the browser's storage). Two hidden texts carry the other
way: #keep (what is to be stored) and #download (a file).

Why gr.Markdown and neither gr.HTML nor gr.Chatbot: gr.HTML and every `js=` are run through eval, which our CSP forbids;
gr.Chatbot names each message for screen readers with its raw markup. The last turn has a component of its own, so that
streaming redraws nothing else. Why not gr.BrowserState: it keeps one value, so of two tabs the last to write would
delete the other's conversations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from ui import history, render, shelf
from ui.desk import EXAMPLES, SCOPE_ALL, Desk
from ui.strings import EN, LANGUAGES, Strings

# no sanitising is switched off anywhere: markup passes our escaping first, then Gradio's sanitiser
_SHOWN: dict[str, Any] = {"sanitize_html": True, "latex_delimiters": []}
_SMALL: dict[str, Any] = {"size": "sm"}
_HIDDEN: dict[str, Any] = {"visible": "hidden"}
_KEPT_S = 86400  # seconds that the state of a visitor who is gone is kept
Words = Callable[[Strings], dict[str, Any]]


def new_seat() -> dict[str, Any]:
    """Return what a visitor has before them who has just come, beside the conversation.

    `place` is where the explore screen is, `run` the evaluation run that is open. An answer that streams never writes it:
    what a visitor does meanwhile on another screen would be taken back when the answer ends.
    """
    return {"lang": EN.lang, "place": ("events",), "view": shelf.View(), "run": ""}


def new_notes() -> dict[str, Any]:
    """Return what goes with the conversation: the list of them all, and the turns being edited and judged (ids)."""
    return {"talks": [], "editing": None, "judging": None}


def next_language(s: Strings) -> Strings:
    """Return the language that the page can be switched to."""
    names = list(LANGUAGES)
    return LANGUAGES[names[(names.index(s.lang) + 1) % len(names)]]


def reasons(s: Strings) -> list[tuple[str, str]]:
    """Return what may be wrong with an answer, as (words, code)."""
    return [(words, code) for code, words in s.rate_reasons.items()]


class Layout:
    """The page's components, by name. Made within `gr.Blocks`, once, in the first language."""

    def __init__(self, desk: Desk) -> None:
        self.worded: list[tuple[Any, Words]] = []  # what is to be said anew in another language
        self._desk = desk
        self._first = desk.first_screen(EN)
        self.talk = gr.State(history.new(), time_to_live=_KEPT_S)
        self.notes = gr.State(new_notes(), time_to_live=_KEPT_S)
        self.seat = gr.State(new_seat(), time_to_live=_KEPT_S)
        with gr.Row(elem_id="bar"):
            self.brand = self._text("brand", render.header(EN))
            self.speaker = self._text("engine", render.speaker(desk.engine_at_once(EN), EN))
            if desk.library.config.auth:
                self._say(self._text("signout", render.sign_out(EN)), lambda s: {"value": render.sign_out(s)})
            self.language = gr.Button(next_language(EN).language_name, elem_id="lang", **_SMALL)
        with gr.Row(elem_id="desk", equal_height=False):
            with gr.Column(elem_id="screens", scale=3, min_width=280):
                self._screens()
            with gr.Column(elem_id="evidence", scale=2, min_width=280):
                with gr.Row(elem_id="grip"):  # page.js closes it
                    self.grip = self._text("gripname", render.label(EN.evidence))
                    self._button("close", lambda s: s.close, **_SMALL)
                self.panel = self._text("reader", render.evidence_note(EN.evidence_empty))
        self.open = gr.Textbox(elem_id="open", label="open", max_length=40, **_HIDDEN)
        self.act = gr.Textbox(elem_id="act", label="act", max_length=4000, **_HIDDEN)
        self.begin = gr.Textbox(elem_id="begin", label="begin", max_length=12_000, **_HIDDEN)
        self.resume = gr.Textbox(elem_id="resume", label="resume", **_HIDDEN)
        self.kept = gr.Textbox(elem_id="kept", label="kept", **_HIDDEN)
        self.keep = self._text("keep")
        self.download = self._text("download")

    def _screens(self) -> None:
        with gr.Tabs(elem_id="tabs", selected="ask") as self.tabs:
            with self._tab("ask", lambda s: s.screen_ask) as self.ask_tab:
                self._ask()
            with self._tab("explore", lambda s: s.screen_explore) as self.explore_tab:
                self.explored = self._text("explore", render.loading(EN), elem_classes="sheet-page")
            with self._tab("library", lambda s: s.screen_library) as self.library_tab:
                self._library()
            with self._tab("eval", lambda s: s.screen_eval) as self.eval_tab:
                self.evaluated = self._text("eval", render.loading(EN), elem_classes="sheet-page")

    def _ask(self) -> None:
        with gr.Row(elem_id="chat", equal_height=False):
            with gr.Column(elem_id="shelf", scale=0, min_width=200):
                with gr.Row(elem_id="shelfhead"):
                    self.new = self._button("new", lambda s: s.new, **_SMALL)
                    self._button("talks-close", lambda s: s.close, **_SMALL)
                self.talks = self._text("talks", render.talks([], "", EN))
            with gr.Column(elem_id="talk", scale=3, min_width=280):
                with gr.Column(elem_id="thread"):
                    self._thread()
                with gr.Column(elem_id="composer"):
                    self._composer()

    def _thread(self) -> None:
        self.welcome = self._text("welcome", self._first.welcome)
        with gr.Row(elem_id="examples") as self.examples:
            # filled on arrival: a question never changes under the hand that chooses it
            self.example = [gr.Button("", elem_classes="example", visible=False, **_SMALL) for _ in range(EXAMPLES)]
        self.past = self._text("past")
        self.live = self._text("live")
        with gr.Column(elem_id="judge", visible=False) as self.form:
            self.judge_title = self._text("judgehead", render.label(EN.rate_title))
            self.reason = self._say(
                gr.Radio(reasons(EN), label=EN.rate_reason, elem_id="reason"),
                lambda s: {"choices": reasons(s), "label": s.rate_reason},
            )
            self.right = self._box("right", lambda s: {"label": s.rate_right}, max_length=500)
            self.comment = self._box("comment", lambda s: {"label": s.rate_comment}, max_length=2000, lines=2)
            self.judge_said = self._text("judgesaid")
            with gr.Row(elem_id="judgerow"):
                self.send = self._button("send", lambda s: s.rate_send, variant="primary", **_SMALL)
                self.leave = self._button("leave", lambda s: s.cancel, **_SMALL)
        with gr.Row(elem_id="after", visible=False) as self.after:
            self.again = self._button("again", lambda s: s.again, **_SMALL)
            self.plain = self._button("plain", lambda s: s.as_written, visible=False, **_SMALL)
            self.export = self._button("export", lambda s: s.export, **_SMALL)

    def _composer(self) -> None:
        self.notice = self._text("notice")
        with gr.Row(elem_id="askrow"):
            self.box = self._box(
                "question",
                lambda s: {"label": s.ask_label, "placeholder": s.ask_placeholder},
                show_label=False,
                max_lines=6,
                max_length=self._desk.library.config.max_question_chars,
                autofocus=True,
                container=False,
                scale=1,
            )
            self.ask = self._button("ask", lambda s: s.ask, variant="primary", scale=0, min_width=84)
            self.stop = self._button("stop", lambda s: s.stop, scale=0, min_width=84, visible=False)
        with gr.Row(elem_id="under"):
            scopes = self._first.scopes
            self.scope = self._say(
                gr.Dropdown(
                    scopes, value=SCOPE_ALL, label=EN.scope, elem_id="scope", filterable=False, visible=len(scopes) > 2
                ),
                lambda s: {"label": s.scope, "choices": self._desk.first_screen(s).scopes},
            )
            self._button("talks-open", lambda s: s.talks, **_SMALL)

    def _library(self) -> None:
        with gr.Column(elem_id="library", elem_classes="sheet-page"):
            self.library_head = self._text("libraryhead", render.library_head(EN, read_only=self._desk.read_only))
            with gr.Column(elem_id="adding", visible=not self._desk.read_only):
                with gr.Row(elem_id="addrow"):
                    self.files = self._say(
                        gr.File(
                            file_count="multiple", label=EN.add_files, elem_id="files", height=150, type="filepath"
                        ),
                        lambda s: {"label": s.add_files},
                    )
                    with gr.Column(elem_id="webcol"):
                        self.web = self._box(
                            "web", lambda s: {"label": s.add_web}, placeholder="https://", max_length=2000
                        )
                        self.add = self._button("add", lambda s: s.add, variant="primary", **_SMALL)
                self.added = self._text("added")
            self.words = self._box(
                "words", lambda s: {"label": s.shelf_search, "placeholder": s.shelf_search_hint}, max_length=200
            )
            self.table = self._text("table", render.loading(EN))

    def _say(self, component: Any, words: Words) -> Any:
        self.worded.append((component, words))
        return component

    def _text(self, name: str, markup: str = "", **more: Any) -> Any:
        return gr.Markdown(markup, elem_id=name, **_SHOWN, **more)

    def _button(self, name: str, words: Callable[[Strings], str], **more: Any) -> Any:
        return self._say(gr.Button(words(EN), elem_id=name, **more), lambda s: {"value": words(s)})

    def _box(self, name: str, words: Words, *, lines: int = 1, **more: Any) -> Any:
        return self._say(gr.Textbox(elem_id=name, lines=lines, **(words(EN) | more)), words)

    def _tab(self, name: str, words: Callable[[Strings], str]) -> Any:
        return self._say(gr.Tab(words(EN), id=name, elem_id=f"screen-{name}"), lambda s: {"label": words(s)})
