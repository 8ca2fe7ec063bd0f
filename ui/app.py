"""The server: opens the library, shows the page behind the guard, and closes everything on the way out.

What it does not know: what the page shows.
"""

from __future__ import annotations

import atexit
import contextlib
import inspect
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import typing
from pathlib import Path
from typing import Any

from rag.config import Config
from rag.errors import ConfigError, LibraryMissing
from ui import adding, guard, limits
from ui.desk import AskStream, Desk
from ui.strings import EN, Strings

log = logging.getLogger("recap.ui")


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


def serve(config: Config, *, ask_stream: AskStream | None = None, browser: bool | None = None, s: Strings = EN) -> None:
    """Open the library and show the page until Ctrl+C. `browser`: open one (None: only where there is a desktop).

    Raises: RecapError when the address cannot be used, a password is missing, or the library cannot be opened.
    """
    set_environment()
    host = config.host.strip("[]")
    if not guard.is_loopback(host) and not config.auth:
        raise ConfigError(s.needs_auth.format(host=host))
    auth = guard.password_check(config.auth) if config.auth else None
    if config.auth and not guard.is_hashed(config.auth):
        log.warning(s.plain_auth)
    port = free_port(host, config.port, s)

    from rag.store.library import Library
    from ui import theme
    from ui.page import make

    try:
        library = Library.open(config)
    except LibraryMissing:
        Library.open(config, create=True).close()  # let the writer's lock go: the page only reads
        library = Library.open(config)
    with library:
        desk = Desk(library, ask_stream=ask_stream)
        page = make(desk)
        _keep_signatures(page)
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
            state_session_capacity=limits.KEPT,
            enable_monitoring=False,
            strict_cors=True,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            run_history=False,
            footer_links=[],
            theme=theme.theme(),
            head=theme.head(),
            favicon_path=theme.favicon(Path(os.environ["GRADIO_TEMP_DIR"])),
            app_kwargs={
                "lifespan": guard.outermost(host=host, uploads=not config.read_only),
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
        adding.halt()
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


def _keep_signatures(blocks: Any) -> None:
    """Have Python read the parameters of each kind of component, and the types of each handler, once.

    Gradio makes a component anew for each update and asks `inspect` for its parameters twice, and evaluates a handler's
    annotations at each call: a fifth of the server's time when a hundred people ask at once.
    """
    for kind in {base for b in blocks.blocks.values() for base in type(b).__mro__ if base is not object}:
        made: Any = kind.__init__
        while made is not None:
            if inspect.isfunction(made):
                made.__signature__ = inspect.signature(made)  # type: ignore[attr-defined]
            made = getattr(made, "__wrapped__", None)
    for event in blocks.fns.values():
        handler: Any = inspect.unwrap(event.fn) if event.fn else None
        for fn in {event.fn, handler, getattr(handler, "__func__", None)} - {None}:
            if inspect.isfunction(fn):
                fn.__annotations__ = typing.get_type_hints(fn)


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
