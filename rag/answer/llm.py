"""Language models: the only file that names a provider.

A `ChatModel` turns messages into pieces of text and fails only with an LLMError whose message is a sentence. The
clients (llama-index's packages) are built for one reply and thrown away: nothing is shared between two users, and a
key is read from the environment at that moment, never kept, shown or logged.

What it does not know: prompts, sources, citations. What the client libraries take for success and is none (an empty
stream, no choices, a web page, an end without a reason) is found here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from rag.answer.prompt import ANSWER_TOKENS, Message
from rag.answer.replay import Replay, load_replay
from rag.config import Config
from rag.errors import ConfigError, LLMAuthError, LLMBadResponse, LLMError, LLMTimeout, LLMUnavailable

PROBE_S = 1.0  # how long `auto` waits for one configured provider
RETRY_AFTER_S = 5.0  # a 429 that asks for a longer pause is not waited for
MAX_CHARS = 16_000  # an answer is a few sentences; a model that goes on and on is cut here
REPLAY = "replay:"
KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "openai-like": "RECAP_LLM_API_KEY"}
BASES = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}
PREFERRED = {
    "openai": ("gpt-4.1-mini", "gpt-4o-mini", "gpt-5.4-mini", "gpt-4.1", "gpt-4o"),
    "anthropic": ("claude-sonnet", "claude-haiku", "claude"),
}


class ChatModel(Protocol):
    """A language model, as the rest of Recap sees it."""

    @property
    def name(self) -> str:
        """Say provider and model: "openai-like:tiny"."""

    @property
    def context_tokens(self) -> int:
        """Give the window in tokens, prompt and answer together."""

    def stream(self, messages: Sequence[Message], *, deadline: float) -> Iterator[str]:
        """Yield the reply in pieces until it is complete; `deadline` is a reading of `time.monotonic()`.

        Closing the iterator cancels the request. Raises: LLMError, also after pieces were yielded: the reply is then
        cut off.
        """


@dataclass(frozen=True, slots=True)
class LLMStatus:
    """What `recap doctor` says: `lines` are sentences, `ok` is false when something that is configured fails."""

    ok: bool
    model: str | None
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Remote:
    """A model behind a provider's client. Holds no key."""

    provider: str
    model: str
    base_url: str = field(repr=False)  # may carry a password
    context_tokens: int
    first_token_s: float

    @property
    def name(self) -> str:
        return f"{self.provider}:{self.model}"

    def stream(self, messages: Sequence[Message], *, deadline: float) -> Iterator[str]:
        pieces = self._once(messages, deadline=deadline)
        try:
            first = next(pieces, None)
        except _RateLimited as e:
            now = time.monotonic()
            if e.retry_after is None or e.retry_after > RETRY_AFTER_S or now + e.retry_after >= deadline:
                raise
            time.sleep(e.retry_after)
            pieces = self._once(messages, deadline=deadline)
            first = next(pieces, None)
        with contextlib.closing(pieces):
            if first is not None:
                yield first
                yield from pieces

    def _once(self, messages: Sequence[Message], *, deadline: float) -> Generator[str, None, None]:
        where = _host(self.base_url)
        exchange = _Exchange()
        events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        key = _key(self.provider)
        started = time.monotonic()
        # The client blocks while it reads; in a thread of its own it can be left behind when time is up.
        worker = threading.Thread(
            target=_converse, args=(self, key, tuple(messages), exchange, events), name="recap-llm", daemon=True
        )
        worker.start()
        visible = _Visible()
        said = ""
        reason: str | None = None
        heard = False
        try:
            while True:
                limit = deadline if heard else min(deadline, started + self.first_token_s)
                try:
                    kind, value = events.get(timeout=max(0.0, limit - time.monotonic()))
                except queue.Empty:
                    waited = time.monotonic() - started
                    what = "had not finished its answer" if said else "gave no answer"
                    raise LLMTimeout(f"{self.name} at {where} {what} within {waited:.0f} s.") from None
                if kind == "error":
                    raise _explain(value, model=self, exchange=exchange, said=bool(said)) from None
                if kind == "end":
                    break
                text, finish, alive = value
                heard = heard or alive or bool(text)
                reason = finish or reason
                if text and (piece := visible.feed(text)):
                    room = MAX_CHARS - len(said)  # a server may send all it has in one piece
                    said += piece[:room]
                    if room:
                        yield piece[:room]
                    if len(piece) > room:
                        reason = "length"
                        break
            if piece := visible.end():
                said += piece
                yield piece
        finally:
            exchange.cancel()
        if not said.strip():
            if "html" in exchange.content_type:
                raise LLMBadResponse(
                    f"The server at {where} sent a web page instead of an answer: check RECAP_LLM_BASE_URL, "
                    "which usually ends in /v1."
                )
            if reason in ("content_filter", "refusal"):
                raise LLMBadResponse(f"{self.name} withheld its answer (content filter).")
            raise LLMBadResponse(f"{self.name} at {where} sent an empty answer.")
        if reason in ("length", "max_tokens"):
            raise LLMBadResponse(f"{self.name} reached its length limit in mid-answer.")
        if reason is None:
            raise LLMBadResponse(f"The answer of {self.name} at {where} broke off.")


class PromptTooLong(LLMBadResponse):
    """The server's window is smaller than `context_tokens` told."""


class _RateLimited(LLMUnavailable):
    """Too many requests; `retry_after` in seconds, None when the server does not say."""

    retry_after: float | None = None


class _Exchange:
    """One request on the wire: what came back, and the sockets to cut when nobody waits for it any more."""

    def __init__(self) -> None:
        self.status = 0
        self.content_type = ""
        self.retry_after: float | None = None
        self.cancelled = threading.Event()
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def on_request(self, request: Any) -> None:
        request.extensions = {**request.extensions, "trace": self._trace}

    def on_response(self, response: Any) -> None:
        self.status = int(response.status_code)
        self.content_type = response.headers.get("content-type", "").lower()
        with contextlib.suppress(ValueError):  # it may be a date: then it is not waited for
            self.retry_after = max(0.0, float(response.headers.get("retry-after", "")))

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        if name in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            sock = info["return_value"].get_extra_info("socket")
            if isinstance(sock, socket.socket):
                with self._lock:
                    self._sockets.append(sock)
            if self.cancelled.is_set():
                self.cancel()

    def cancel(self) -> None:
        """Cut the connection. Closing alone would not wake a thread that waits in recv(); a shutdown does."""
        self.cancelled.set()
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for sock in sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not SSLSocket's, which another thread is using


class _Visible:
    """Drop a leading `<think>...</think>`, which some servers leave in the text of reasoning models."""

    def __init__(self) -> None:
        self._buffer = ""
        self._open: bool | None = None  # None: not known yet whether the reply begins with a thought

    def feed(self, text: str) -> str:
        if self._open is False:
            return text
        self._buffer += text
        head = self._buffer.lstrip()
        if self._open is None:
            if head.startswith("<think>"):
                self._open = True
            elif not "<think>".startswith(head[:7]):
                self._open = False
                return head
        if self._open and (end := self._buffer.find("</think>")) >= 0:
            self._open = False
            return self._buffer[end + len("</think>") :].lstrip()
        return ""

    def end(self) -> str:
        """Return what was held back: the start of a reply that could have become a thought and did not."""
        return self._buffer.lstrip() if self._open is None else ""


def load_llm(config: Config) -> ChatModel | None:
    """Return the language model that `config` names, None when it names none or `auto` finds none that answers.

    `auto` looks, in this order, at RECAP_LLM_BASE_URL, OPENAI_API_KEY, ANTHROPIC_API_KEY and a local Ollama; when
    RECAP_LLM_BASE_URL is set nothing else is tried, so that text meant for that server goes to no other. The result is
    kept for the process.
    Raises: ConfigError, LLMAuthError (no key), LLMUnavailable (a package is missing).
    """
    if config.llm == "none":
        return None
    with _loading:
        return _load(config.llm, config.llm_base_url, config.llm_first_token_s)[0]


def unanswered(config: Config) -> str | None:
    """Say in a sentence that `auto` found a configured provider which did not answer, None if there is none such."""
    if config.llm != "auto":
        return None
    with _loading:
        model, findings = _load(config.llm, config.llm_base_url, config.llm_first_token_s)
    return None if model else next((line for ok, line in findings if not ok), None)


def forget() -> None:
    """Look for a model again on the next `load_llm`."""
    with _loading:
        _load.cache_clear()


def describe(config: Config) -> LLMStatus:
    """Look now, not in the cache: what is configured, what answers, what to do."""
    if config.llm == "none":
        return LLMStatus(True, None, ("No language model (RECAP_LLM=none): the reader answers.",))
    try:
        if config.llm == "auto":
            model, findings = _auto(config.llm_base_url, config.llm_first_token_s)
        elif config.llm.startswith(REPLAY):
            replay = _replayed(config.llm)
            return LLMStatus(True, replay.name, (f"{replay.name}: {len(replay.replies):,} recorded replies.",))
        else:
            model = _named(config.llm, config.llm_base_url, config.llm_first_token_s)
            findings = (_check(model),)
    except (LLMError, ConfigError) as e:
        return LLMStatus(False, None, (str(e),))
    lines = [line for _, line in findings]
    if config.llm == "auto" and model is None and not lines:
        lines.append(
            "No language model is configured: the reader answers. Set RECAP_LLM, for example ollama:MODEL, to use one."
        )
    return LLMStatus(all(ok for ok, _ in findings), model.name if model else None, tuple(lines))


_loading = threading.RLock()
Finding = tuple[bool, str]


@cache
def _load(spec: str, base_url: str | None, first_token_s: float) -> tuple[ChatModel | None, tuple[Finding, ...]]:
    if spec.startswith(REPLAY):
        return _replayed(spec), ()
    return _auto(base_url, first_token_s) if spec == "auto" else (_named(spec, base_url, first_token_s), ())


def _replayed(spec: str) -> Replay:
    return load_replay(Path(spec.removeprefix(REPLAY)).expanduser())


def _named(spec: str, base_url: str | None, first_token_s: float) -> _Remote:
    provider, _, model = spec.partition(":")
    base = _base(provider, base_url)
    if provider in ("openai", "anthropic"):
        _key(provider)
    if provider == "anthropic" and importlib.util.find_spec("llama_index.llms.anthropic") is None:
        raise LLMUnavailable('Anthropic\'s models need one more package: pip install "recap[anthropic]".')
    remote = _Remote(provider, model, base, _window(provider, model), first_token_s)
    if provider == "openai-like":
        with contextlib.suppress(LLMError):  # the server tells its window, or says nothing and is asked later
            return replace(remote, context_tokens=_models(remote).get(model) or remote.context_tokens)
    return remote


def _base(provider: str, base_url: str | None) -> str:
    env = os.environ
    if provider == "openai":
        base = base_url or env.get("OPENAI_BASE_URL") or env.get("OPENAI_API_BASE") or BASES[provider]
    elif provider == "anthropic":
        base = base_url or env.get("ANTHROPIC_BASE_URL") or BASES[provider]
    elif provider == "ollama":
        host = base_url or env.get("OLLAMA_HOST") or "127.0.0.1:11434"
        base = host if "://" in host else f"http://{host}"
        parts = urlsplit(base)
        with contextlib.suppress(ValueError):
            if parts.port is None and not parts.path.strip("/"):
                base = f"{base.rstrip('/')}:11434"
        base = base.replace("//0.0.0.0", "//127.0.0.1")  # the address a server listens on is not one to call
    else:
        base = base_url or ""
        if not base:
            raise ConfigError("RECAP_LLM=openai-like needs RECAP_LLM_BASE_URL, for example http://127.0.0.1:8000/v1 .")
    try:
        parts = urlsplit(base)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError("RECAP_LLM_BASE_URL is not a web address. Use one like http://127.0.0.1:8000/v1 .")
    return base.rstrip("/")


def _key(provider: str) -> str:
    """Read the provider's key. Raises: LLMAuthError when one is needed and none is set."""
    name = KEYS.get(provider)
    key = os.environ.get(name, "").strip() if name else ""
    if not key and provider in ("openai", "anthropic"):
        raise LLMAuthError(f"{name} is not set: export it, or choose another model with RECAP_LLM.")
    return key


def _window(provider: str, model: str) -> int:
    if provider == "openai":
        return 8_192 if model == "gpt-4" or model.startswith(("gpt-4-0613", "gpt-3.5")) else 128_000
    # Ollama's window is ours to ask for; of an unknown server assume little.
    return {"anthropic": 200_000, "ollama": 8_192}.get(provider, 4_096)


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


# --- what is configured, and does it answer ------------------------------------------------------------------------


def _auto(base_url: str | None, first_token_s: float) -> tuple[_Remote | None, tuple[Finding, ...]]:
    findings: list[Finding] = []
    if base_url:
        candidates = ["openai-like"]
    else:
        candidates = [p for p in ("openai", "anthropic") if os.environ.get(KEYS[p], "").strip()]
        if os.environ.get("OLLAMA_HOST", "").strip() or _listens("127.0.0.1", 11434):
            candidates.append("ollama")
    for provider in candidates:
        try:
            if provider == "anthropic" and importlib.util.find_spec("llama_index.llms.anthropic") is None:
                raise LLMUnavailable('ANTHROPIC_API_KEY needs one more package: pip install "recap[anthropic]".')
            asked = _Remote(provider, "", _base(provider, base_url), 0, first_token_s)
            served = _models(asked)
            model = _prefer(provider, served)
            if model is None:
                raise LLMUnavailable(f"The server at {_host(asked.base_url)} serves no chat model.")
        except (LLMError, ConfigError) as e:
            findings.append((False, str(e)))
            continue
        found = replace(asked, model=model, context_tokens=served[model] or _window(provider, model))
        findings.append((True, f"{found.name} answers at {_host(found.base_url)}."))
        return found, tuple(findings)
    return None, tuple(findings)


def _prefer(provider: str, served: Mapping[str, int]) -> str | None:
    chat = [m for m in served if not re.search(r"embed|rerank|whisper|tts|moderation|dall-e|image", m)]
    for start in PREFERRED.get(provider, ()):
        for model in chat:
            if model == start or (provider == "anthropic" and model.startswith(start)):
                return model
    if provider == "openai":
        return next((m for m in chat if m.startswith("gpt-")), None)
    return chat[0] if chat else None


def _check(model: _Remote) -> Finding:
    served = _try(lambda: _models(model))
    where = _host(model.base_url)
    if isinstance(served, LLMError):
        return False, str(served)
    known = {m.removesuffix(":latest") for m in served}
    if served and model.model.removesuffix(":latest") not in known:
        some = ", ".join(list(served)[:5])
        return False, f"The server at {where} has no model named {model.model!r}; it has {some}."
    return True, f"{model.name} answers at {where}."


def _try(call: Callable[[], Mapping[str, int]]) -> Mapping[str, int] | LLMError:
    try:
        return call()
    except LLMError as e:
        return e


def _models(model: _Remote) -> dict[str, int]:
    """Ask a server what it serves: name -> window in tokens, 0 when it does not say. Raises: LLMError."""
    import httpx

    key = _key(model.provider)
    if model.provider == "ollama":
        path, headers = "/api/tags", {}
    elif model.provider == "anthropic":
        path, headers = "/v1/models", {"x-api-key": key, "anthropic-version": "2023-06-01"}
    else:
        path, headers = "/models", {"authorization": f"Bearer {key}"} if key else {}
    exchange = _Exchange()
    try:
        with _client(model.base_url, timeout=PROBE_S, exchange=exchange) as client:
            response = client.get(f"{model.base_url}{path}", headers=headers)
            response.raise_for_status()
            body = response.json()
        rows = body["models" if model.provider == "ollama" else "data"]
        return {str(row["name" if model.provider == "ollama" else "id"]): _told_window(row) for row in rows}
    except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError) as e:
        raise _explain(e, model=model, exchange=exchange, said=False) from None


def _told_window(row: Mapping[str, Any]) -> int:
    meta = row.get("meta")
    for source in (row, meta if isinstance(meta, dict) else {}):
        for name in ("max_model_len", "n_ctx", "context_length", "context_window", "max_context_length"):
            value = source.get(name)
            if isinstance(value, int) and value > 0:
                return value
    return 0


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=0.2):
            return True
    except OSError:
        return False


# --- one conversation ----------------------------------------------------------------------------------------------


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()  # reads the certificates from disk: once


def _client(base_url: str, *, timeout: float, exchange: _Exchange, kind: Any = None) -> Any:
    """Open an HTTP client whose connections `exchange` can cut; `kind` is the class that a provider's library wants."""
    if kind is None:
        import httpx

        kind = httpx.Client
    local = urlsplit(base_url).hostname in ("127.0.0.1", "localhost", "::1")
    return kind(
        timeout=(min(timeout, 5.0), timeout, timeout, timeout),  # connect, read, write, pool
        verify=_tls(),
        trust_env=not local,  # a proxy is not the way to this machine
        follow_redirects=False,  # a key goes to the server that was named, to no other
        event_hooks={"request": [exchange.on_request], "response": [exchange.on_response]},
    )


def _client_class(provider: str) -> Any:
    """Return the class of HTTP client that the provider's library accepts: some moved on from httpx to httpx2."""
    if provider == "ollama":
        import ollama

        return type(ollama.Client()._client)
    if provider == "anthropic":
        import anthropic  # type: ignore[import-not-found, unused-ignore]

        return anthropic.DefaultHttpxClient
    import openai

    return openai.DefaultHttpxClient


def _converse(
    model: _Remote,
    key: str,
    messages: Iterable[Message],
    exchange: _Exchange,
    events: queue.SimpleQueue[tuple[str, Any]],
) -> None:
    """Run in a thread: put ("text", (delta, finish reason, alive)) for each piece, then "end" or "error"."""
    try:
        from llama_index.core.llms import ChatMessage, MessageRole

        chat = [ChatMessage(role=MessageRole(m.role), content=m.content) for m in messages]
        # Between two pieces the deadline of `_once` holds; this one only ends threads that were left behind.
        kind = _client_class(model.provider)
        with _client(model.base_url, timeout=120.0, exchange=exchange, kind=kind) as client:
            parts = _speaker(model, key, client).stream_chat(chat)
            with contextlib.closing(parts):
                for part in parts:
                    if exchange.cancelled.is_set():
                        return
                    alive = bool((part.additional_kwargs or {}).get("thinking_delta"))
                    events.put(("text", (part.delta or "", _finish(part.raw), alive)))
        events.put(("end", None))
    except Exception as e:  # whatever a client library raises is explained by the waiting side
        events.put(("error", e))


def _speaker(model: _Remote, key: str, client: Any) -> Any:
    """Build llama-index's client for one reply: no retries of its own, our connection."""
    if model.provider == "ollama":
        import ollama
        from llama_index.llms.ollama import Ollama

        own = ollama.Client(host=model.base_url)
        own._client = client  # it builds its own from a URL; ours can be cut
        client.base_url = model.base_url
        return Ollama(
            model=model.model,
            temperature=0.0,
            context_window=model.context_tokens,
            client=own,
            additional_kwargs={"num_predict": ANSWER_TOKENS},
        )
    if model.provider == "anthropic":
        import anthropic
        from llama_index.llms.anthropic import Anthropic

        speaker = Anthropic(
            model=model.model, temperature=0.0, max_tokens=ANSWER_TOKENS, max_retries=0, api_key=key,
            base_url=model.base_url,
        )  # fmt: skip
        speaker._client = anthropic.Anthropic(api_key=key, base_url=model.base_url, max_retries=0, http_client=client)
        return speaker
    from llama_index.llms.openai_like import OpenAILike

    # OpenAI's own newer models refuse any temperature but 1 and name the limit differently, so nothing is set there.
    old = model.provider == "openai-like" or model.model.startswith(("gpt-3", "gpt-4", "chatgpt"))
    return OpenAILike(
        model=model.model,
        api_base=model.base_url,
        api_key=key or "none",  # an empty one would make the library take OPENAI_API_KEY, which is not this server's
        is_chat_model=True,
        temperature=0.0 if old else 1.0,
        max_tokens=ANSWER_TOKENS if model.provider == "openai-like" else None,
        context_window=model.context_tokens,
        max_retries=0,
        http_client=client,
    )


def _finish(raw: Any) -> str | None:
    """Read why the model stopped from a provider's own event, None while it has not."""
    if isinstance(raw, Mapping) and "done" in raw:  # Ollama
        return str(raw.get("done_reason") or "stop") if raw["done"] else None
    if isinstance(raw, Mapping):  # Anthropic
        reason = getattr(raw.get("delta"), "stop_reason", None)
    else:  # OpenAI
        choices = getattr(raw, "choices", None)
        reason = getattr(choices[0], "finish_reason", None) if choices else None
    return str(reason) if reason else None


def _explain(error: Exception, *, model: _Remote, exchange: _Exchange, said: bool) -> LLMError:
    """Turn what a client raised into a sentence. The error's own text is read, never shown: it may hold the key."""
    where = _host(model.base_url)
    name = model.name if model.model else f"The server at {where}"
    place = f"{name} at {where}" if model.model else name
    text = str(error).lower()
    kinds = {k.__name__ for k in type(error).__mro__}
    if said:
        return LLMBadResponse(f"The answer of {place} broke off.")
    if isinstance(error, LLMError):
        return error
    status = exchange.status
    if status in (401, 403):
        key = KEYS.get(model.provider, "the key")
        return LLMAuthError(f"The server at {where} refused the key ({status}): check {key}.")
    if status == 429:
        limited = _RateLimited(f"The server at {where} takes no more requests for now (429): try again later.")
        limited.retry_after = exchange.retry_after
        return limited
    if status in (400, 413, 422) and re.search(r"context|too long|too large|maximum|token", text):
        return PromptTooLong(f"The passages do not fit into the window of {place} ({status}).")
    if status == 404:
        return LLMUnavailable(f"The server at {where} has no model named {model.model!r} (404): check RECAP_LLM.")
    if status >= 500:
        return LLMUnavailable(f"The server at {where} failed ({status}): try again later.")
    if status >= 300:
        return LLMUnavailable(f"The server at {where} refused the request ({status}): check RECAP_LLM_BASE_URL.")
    if "unknown model" in text:
        return LLMUnavailable(f"The installed package knows no model {model.model!r}: update it, or check RECAP_LLM.")
    if kinds & {"ImportError"}:
        return LLMUnavailable(f"{name} needs a package that is not installed: install Recap again.")
    if kinds & {"TimeoutException", "APITimeoutError", "TimeoutError"}:
        return LLMTimeout(f"The server at {where} did not answer in time.")
    if "html" in exchange.content_type:
        return LLMBadResponse(
            f"The server at {where} sent a web page instead of an answer: check RECAP_LLM_BASE_URL, which usually "
            "ends in /v1."
        )
    if status == 0 and kinds & {"HTTPError", "APIConnectionError", "OSError"}:
        return LLMUnavailable(f"No language model answers at {where}: start the server, or check RECAP_LLM_BASE_URL.")
    if status == 0:  # nothing was sent: the provider's library failed in itself
        return LLMUnavailable(f"{name} cannot be used with the packages that are installed: install Recap again.")
    return LLMBadResponse(f"{place} sent something that is not an answer.")
