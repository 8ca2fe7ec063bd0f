"""The page: Gradio Blocks around `ask_stream`, and the server that shows it.

    browser --gr events--> answer() --snapshots--> render.turn() --gr.Markdown--> browser
                                                  a marker's click --#open--> evidence() --render.reader()--> panel

State is one conversation a session, as plain data (history.py). Markup is made in render.py, the network is guarded
in guard.py, the words are in strings.py. What it does not know: how an answer is found.

Why gr.Markdown and neither gr.HTML nor gr.Chatbot: gr.HTML and every `js=` are run through eval, which our CSP
forbids; gr.Chatbot names each message for screen readers with its raw markup. The last turn has a component of its
own, so that streaming redraws nothing else.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.config import Config
from rag.errors import ConfigError, LibraryMissing, RecapError
from rag.types import Answer, Event
from ui import guard, history, render
from ui.strings import EN, Strings

if TYPE_CHECKING:
    import gradio as gr

    from rag.store.library import Library

AskStream = Callable[..., Iterator[Answer]]

log = logging.getLogger("recap.ui")
EXAMPLES = 4
SNAPSHOT_S = 0.05  # snapshots that come faster than this are not all drawn
SCOPE_ALL = ""
WORKERS = 16  # questions answered at the same time
WAITING = 100  # questions that may wait for their turn


def set_environment() -> None:
    """Set what Gradio and the hub read while they are imported: no telemetry, and a temporary folder of our own."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ["GRADIO_SHARE"] = "False"
    os.environ["GRADIO_MCP_SERVER"] = "False"
    for name in ("GRADIO_ALLOWED_PATHS", "GRADIO_NUM_WORKERS", "GRADIO_ROOT_PATH", "GRADIO_WATCH_DIRS"):
        os.environ.pop(name, None)
    # Gradio asks its own server at startup whether it is there: that must not go through a proxy.
    for name in ("NO_PROXY", "no_proxy"):
        have = [h for h in os.environ.get(name, "").split(",") if h]
        os.environ[name] = ",".join(dict.fromkeys([*have, "127.0.0.1", "localhost", "::1"]))
    if "RECAP_UI_TEMP" not in os.environ:
        folder = tempfile.mkdtemp(prefix="recap-ui-")
        os.environ["RECAP_UI_TEMP"] = os.environ["GRADIO_TEMP_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def build(library: Library, *, ask_stream: AskStream | None = None, s: Strings = EN) -> gr.Blocks:
    """Return the page for a library. `ask_stream` is the engine (`rag.answer.chain.ask_stream` by default)."""
    return _page(Desk(library, ask_stream=ask_stream, s=s))


def _page(desk: Desk) -> gr.Blocks:
    set_environment()
    import gradio as gr

    s = desk.s
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    # no sanitising is switched off anywhere: markup passes our escaping first, then Gradio's sanitiser
    shown: dict[str, Any] = {"sanitize_html": True, "latex_delimiters": []}
    first = desk.first_screen()

    with gr.Blocks(title=s.title, fill_width=True, analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        talk = gr.State(history.new(), time_to_live=86400)
        with gr.Row(elem_id="bar"):
            gr.Markdown(render.header(s), elem_id="brand", **shown)
            speaker = gr.Markdown(render.speaker(desk.engine_at_once(), s), elem_id="engine", **shown)
        with gr.Row(elem_id="desk", equal_height=False):
            with gr.Column(elem_id="talk", scale=3, min_width=280):
                with gr.Column(elem_id="thread"):
                    welcome = gr.Markdown(first.welcome, elem_id="welcome", **shown)
                    with gr.Row(elem_id="examples") as examples:
                        # filled on arrival: a question never changes under the hand that chooses it
                        buttons = [
                            gr.Button("", elem_classes="example", visible=False, size="sm") for _ in range(EXAMPLES)
                        ]
                    past = gr.Markdown("", elem_id="past", **shown)
                    live = gr.Markdown("", elem_id="live", **shown)
                    with gr.Row(elem_id="after", visible=False) as after:
                        again = gr.Button(s.again, elem_id="again", size="sm")
                        plain = gr.Button(s.as_written, elem_id="plain", size="sm", visible=False)
                        edit = gr.Button(s.edit, elem_id="edit", size="sm")
                        new = gr.Button(s.new, elem_id="new", size="sm")
                with gr.Column(elem_id="composer"):
                    notice = gr.Markdown("", elem_id="notice", **shown)
                    with gr.Row(elem_id="askrow"):
                        box = gr.Textbox(
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
                        )
                        ask = gr.Button(s.ask, elem_id="ask", variant="primary", scale=0, min_width=84)
                        stop = gr.Button(s.stop, elem_id="stop", scale=0, min_width=84, visible=False)
                    scope = gr.Dropdown(
                        first.scopes,
                        value=SCOPE_ALL,
                        label=s.scope,
                        elem_id="scope",
                        filterable=False,
                        visible=len(first.scopes) > 2,
                    )
            with gr.Column(elem_id="evidence", scale=2, min_width=280):
                with gr.Row(elem_id="grip"):  # the head of the sheet on a phone; page.js closes it
                    gr.Markdown(render.label(s.evidence), elem_id="gripname", **shown)
                    gr.Button(s.close, elem_id="close", size="sm")
                panel = gr.Markdown(render.evidence_note(s.evidence_empty), elem_id="reader", **shown)
        target = gr.Textbox(elem_id="open", visible="hidden", label="open", max_length=40)

        drawn = [talk, welcome, examples, past, live, after, plain, ask, stop, notice, box]

        def screen(t: history.Talk, *, whole: bool = True, **more: Any) -> dict[Any, Any]:
            """Return what every component shows for a conversation; not `whole`: only the turn that grows."""
            growing = {talk: t, live: render.turn(t["turns"][-1], s) if t["turns"] else ""}
            if not whole:
                return growing
            busy, begun = history.running(t), bool(t["turns"])
            return growing | {
                welcome: gr.update(visible=not begun),
                examples: gr.update(visible=not begun),
                past: render.turns(t["turns"][:-1], s),
                after: gr.update(visible=begun and not busy),
                plain: gr.update(visible=history.rewritten(t)),
                ask: gr.update(visible=not busy),
                stop: gr.update(visible=busy),
                notice: more.get("said", ""),
            }

        def answer(question: str, chosen: str, t: history.Talk, *, rewrite: bool = True) -> Iterator[dict[Any, Any]]:
            if said := desk.objection(question):
                yield {notice: render.notice(said)}
                return
            if history.running(t):
                return
            with contextlib.closing(desk.answer(question, chosen, t, rewrite=rewrite)) as steps:
                for i, (grown, whole) in enumerate(steps):
                    yield screen(grown, whole=whole) | ({box: ""} if i == 0 else {})

        def retry(chosen: str, t: history.Talk) -> Iterator[dict[Any, Any]]:
            if t["turns"] and not history.running(t):
                yield from answer(t["turns"][-1]["question"], chosen, history.drop(t))

        def as_written(chosen: str, t: history.Talk) -> Iterator[dict[Any, Any]]:
            if history.rewritten(t):
                yield from answer(t["turns"][-1]["question"], chosen, history.drop(t), rewrite=False)

        started = [
            gr.on([box.submit, ask.click], answer, [box, scope, talk], drawn, **private),
            *(b.click(answer, [b, scope, talk], drawn, **private) for b in buttons),
            again.click(retry, [scope, talk], drawn, **private),
            plain.click(as_written, [scope, talk], drawn, **private),
        ]
        quick: dict[str, Any] = {"queue": False, **private}
        # first cancel, then say so: the other way round, one more snapshot could overwrite what was said
        stop.click(None, None, None, cancels=started, **quick).then(
            lambda t: screen(history.stop(t)), talk, drawn, **quick
        )
        new.click(None, None, None, cancels=started, **quick).then(
            lambda: screen(history.new()) | {panel: render.evidence_note(s.evidence_empty)},
            None,
            [*drawn, panel],
            **quick,
        )
        edit.click(lambda t: t["turns"][-1]["standalone"] if t["turns"] else "", talk, box, **quick)
        target.change(desk.evidence, [target, talk], panel, trigger_mode="always_last", **quick)

        def arrive() -> dict[Any, Any]:
            """Return the first screen as the library is now; touches nothing that a quick question may have drawn."""
            now = desk.first_screen()
            return {
                welcome: gr.update(value=now.welcome),
                scope: gr.update(choices=now.scopes, visible=len(now.scopes) > 2),
                **{
                    b: gr.update(value=now.examples[i] if i < len(now.examples) else "", visible=i < len(now.examples))
                    for i, b in enumerate(buttons)
                },
            }

        page.load(arrive, None, [welcome, scope, *buttons], **quick)
        page.load(lambda: render.speaker(desk.engine(), s), None, speaker, **quick)

    page.queue(api_open=False, max_size=WAITING, default_concurrency_limit=WORKERS)
    return page


class First:
    """What the first screen shows."""

    def __init__(self, welcome: str, examples: list[str], scopes: list[tuple[str, str]]) -> None:
        self.welcome, self.examples, self.scopes = welcome, examples, scopes


class Desk:
    """What the page needs of the engine; holds nothing of any user."""

    def __init__(self, library: Library, *, ask_stream: AskStream | None, s: Strings) -> None:
        self.library = library
        self.s = s
        self._scopes: list[tuple[str, str]] = [(s.scope_all, SCOPE_ALL)]
        self._ask = ask_stream
        self._tried: dict[str, bool] = {}  # example question -> the library answers it

    def objection(self, question: Any) -> str | None:
        """Say why a question cannot be asked, None if it can. Checked here: the browser's own limit binds nobody."""
        limit = self.library.config.max_question_chars
        if not isinstance(question, str) or not question.strip():
            return self.s.no_question
        return self.s.too_long.format(n=len(question), limit=limit) if len(question) > limit else None

    def answer(
        self, question: str, chosen: str, talk: history.Talk, *, rewrite: bool = True
    ) -> Iterator[tuple[history.Talk, bool]]:
        """Yield (conversation, whole) while the answer grows; `whole` where more than the last turn changed.

        `rewrite=False` asks the question as it was written. Never raises: a failure is a sentence in the turn.
        """
        event, year, words = self.scope(chosen)
        talk = history.begin(talk, " ".join(question.split()), scope=words)
        yield talk, True
        try:
            snapshots = self._engine()(
                self.library,
                talk["turns"][-1]["question"],
                history=history.turns(talk),
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
            talk = history.fail(talk, self.s.error_any)
        yield talk, True

    def evidence(self, target: str, talk: history.Talk) -> str:
        """Return the article that a marker points to ("TURN-INDEX"), its passage lit; a sentence if there is none."""
        try:
            turn_id, _, index = str(target).partition(".")[0].partition("-")
            found = history.find(talk, int(turn_id), int(index))
        except (ValueError, AttributeError):
            found = None
        if found is None:
            return render.evidence_note(self.s.no_source)
        turn, citation = found
        try:
            article = self.library.article(citation["article_id"])
            if article is None or article.text[citation["start"] : citation["end"]] != citation["quote"]:
                return render.evidence_note(self.s.gone)
            copies = len(self.library.cluster(article.cluster)) if article.cluster else 1
            chunks = self.library.chunks(article.id)
            return render.reader(article, turn, int(index), copies=copies, chunks=chunks, s=self.s)
        except RecapError as e:
            return render.evidence_note(str(e))
        except Exception:
            log.exception("The article could not be shown.")
            return render.evidence_note(self.s.error_any)

    def first_screen(self) -> First:
        """Read the library as it is now: what it covers, questions to start from, what can be searched in."""
        try:
            events, counts = self.library.events(), self.library.counts()
        except RecapError as e:
            return First(render.notice(str(e)), [], [(self.s.scope_all, SCOPE_ALL)])
        except Exception:
            log.exception("The library could not be read.")
            return First(render.notice(self.s.error_any), [], [(self.s.scope_all, SCOPE_ALL)])
        self._scopes = self._offer(events)  # the library's, the same for everybody
        if not counts["articles"]:
            return First(render.empty(str(self.library.config.library), self.s), [], self._scopes)
        first = render.welcome(events, counts["articles"], counts["pieces"], s=self.s)
        return First(first, self._pick(events), self._scopes)

    def scope(self, chosen: str) -> tuple[str | None, int | None, str]:
        """Return (event key, year, words) for a choice of the scope list; (None, None, "") for everything."""
        kind, _, rest = (chosen or "").partition(":")
        key, _, year = rest.rpartition(":")
        label = next((label for label, value in self._scopes if value == chosen), "")
        if not label or kind not in ("event", "year"):
            return None, None, ""
        return (key or None) if kind == "event" else None, int(year) if year.isdigit() else None, label

    def engine_at_once(self) -> str:
        """Say what can be said about the engine without looking for one."""
        named = {"none": self.s.engine_reader, "auto": self.s.engine_wait}
        return named.get(self.library.config.llm, self.library.config.llm)

    def engine(self) -> str:
        """Say which engine will speak. Looks for a language model on the first call: up to a few seconds."""
        try:
            from rag.answer.llm import load_llm

            model = load_llm(self.library.config)
        except RecapError as e:
            return str(e)
        except Exception:
            log.exception("The engine could not be found.")
            return self.s.engine_reader
        return render.engine(model.name if model else "reader", self.s)

    def warm(self) -> None:
        """Load what the first question needs, then find out which example questions the library answers."""
        try:
            self.library.embedder.embed(["warm"])
            self.engine()
            from rag.answer.reader import read_answer
            from rag.retrieve.query import understand
            from rag.retrieve.search import search

            for question in self._candidates(self.library.events()):
                query = understand(question, library=self.library)
                answer = read_answer(query, search(self.library, query, top_k=8), library=self.library)
                self._tried[question] = not answer.abstained
        except RecapError as e:
            log.warning("%s", e)
        except Exception:
            log.warning(
                "Warming up failed, so the first question will be slower.", exc_info=log.isEnabledFor(logging.DEBUG)
            )

    def _engine(self) -> AskStream:
        if self._ask is None:
            from rag.answer.chain import ask_stream

            self._ask = ask_stream
        return self._ask

    def _candidates(self, events: list[tuple[Event, int]]) -> list[str]:
        labels = [e.short_label for e, _ in events[:6]]
        return list(dict.fromkeys(t.format(event=label) for t in self.s.templates for label in labels))

    def _pick(self, events: list[tuple[Event, int]]) -> list[str]:
        """Choose a few questions: ones the library is known to answer, events and kinds of question in turn."""
        labels = [e.short_label for e, _ in events[:6]]
        picked: list[str] = []
        for i, template in enumerate(self.s.templates):
            turned = labels[i % len(labels) :] + labels[: i % len(labels)] if labels else []
            good = [q for q in (template.format(event=x) for x in turned) if self._tried.get(q)]
            picked += good[:1]
        if not picked:
            picked = [self.s.template_any.format(event=label) for label in labels]
        return list(dict.fromkeys(picked))[:EXAMPLES]

    def _offer(self, events: list[tuple[Event, int]]) -> list[tuple[str, str]]:
        editions, years = [], set()
        for e, _ in events:
            year = int(e.edition) if (e.edition or "").isdigit() else (e.start.year if e.start else None)
            if year:
                years.add(year)
            editions.append((e.short_label, f"event:{e.key}:{year or ''}"))
        spans = [(self.s.scope_year.format(year=y), f"year::{y}") for y in sorted(years, reverse=True)]
        unique = {value: label for label, value in [(self.s.scope_all, SCOPE_ALL), *editions, *spans]}
        return [(label, value) for value, label in unique.items()]


def serve(config: Config, *, ask_stream: AskStream | None = None, browser: bool | None = None, s: Strings = EN) -> None:
    """Open the library and show the page until Ctrl+C. `browser`: open one (None: only where there is a desktop).

    Raises: RecapError when the address cannot be used, a password is missing, or the library cannot be opened.
    """
    set_environment()
    host = config.host.strip("[]")
    if not guard.is_loopback(host) and not config.auth:
        raise ConfigError(s.needs_auth.format(host=host))
    auth = guard.password_check(config.auth) if config.auth else None
    port = free_port(host, config.port, s)

    from starlette.middleware import Middleware

    from rag.store.library import Library
    from ui import theme

    try:
        library = Library.open(config)
    except LibraryMissing:
        Library.open(config, create=True).close()  # let the writer's lock go: the page only reads
        library = Library.open(config)
    with library:
        desk = Desk(library, ask_stream=ask_stream, s=s)
        page = _page(desk)
        warming = threading.Thread(target=desk.warm, name="recap-warm", daemon=True)
        warming.start()
        page.launch(
            server_name=host,
            server_port=port,
            auth=auth,
            auth_message=s.login,
            inbrowser=False,
            share=False,
            show_error=False,
            quiet=True,
            prevent_thread_lock=True,
            allowed_paths=[],
            blocked_paths=[str(config.library.resolve())],
            max_file_size="20mb",
            state_session_capacity=1000,
            enable_monitoring=False,
            strict_cors=True,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            run_history=False,
            footer_links=[],
            theme=theme.theme(),
            head=theme.head(s),
            favicon_path=theme.favicon(Path(os.environ["GRADIO_TEMP_DIR"])),
            app_kwargs={
                "middleware": [Middleware(guard.Guard, host=host)],
                "docs_url": None,
                "redoc_url": None,
                "openapi_url": None,
            },
        )
        url = f"http://{'[' + host + ']' if ':' in host else host}:{port}"
        print(s.serving.format(url=url), flush=True)
        if browser or (browser is None and has_desktop()):
            import webbrowser

            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        _wait_for_the_end()
        page.close(verbose=False)
        warming.join()  # Python must not end while a model is being loaded: the C++ underneath would abort


def _wait_for_the_end() -> None:
    """Return on Ctrl+C or when asked to terminate, so that what was opened is closed and swept up."""
    over = threading.Event()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: over.set())
    with contextlib.suppress(KeyboardInterrupt):
        while not over.wait(3600):
            pass


def free_port(host: str, port: int, s: Strings = EN) -> int:
    """Return `port` if it can be listened on (0: any that is free). Raises: ConfigError, saying what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except OSError as e:
        import errno

        if e.errno == errno.EADDRINUSE:
            raise ConfigError(s.port_busy.format(port=port, host=host)) from e
        reason = (e.strerror or str(e)).lower()
        raise ConfigError(s.bind_denied.format(host=host, port=port, reason=reason)) from e


def has_desktop() -> bool:
    """Tell whether a browser window would be seen here: a person at a terminal, and a display."""
    if not sys.stdout.isatty():
        return False
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
