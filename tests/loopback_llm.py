"""A language model server on loopback that can misbehave in every way that servers do.

OpenAI-compatible (`/v1/chat/completions`, `/v1/models`), streaming, on a port that the system chooses. It also speaks
Ollama's and Anthropic's protocols, for the modes "ok", "length" and "eof". `mode` says how it behaves; `text` is what it
says, or makes it of a request's body; `after` is said before a failure begins; `requests` keeps the bodies that it was sent;
`hung_up` is set when a client cuts a stream.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

# Each ends without an answer. "drop" and "eof" may have said something before.
FAILURES = (
    "silent", "401", "429", "500", "html", "eof", "empty", "no_choices", "garbage", "drip", "drop", "404", "too_long",
)  # fmt: skip
MODES = ("ok", "slow", "length", "think", "no_done", *FAILURES)


class LoopbackLLM:
    """Serve until the `with` block ends. `base_url` ends in /v1."""

    def __init__(
        self,
        mode: str = "ok",
        text: str | Callable[[dict[str, Any]], str] = "Nothing.",
        *,
        retry_after: str | None = None,
        after: str = "",
        over_s: float = 0.0,
    ) -> None:
        assert mode in MODES, mode
        self.mode, self.text, self.retry_after = mode, text, retry_after
        self.after = after
        self.over_s = over_s  # seconds that a whole reply takes
        self.replies: list[str] = []  # said first, one a request; then `text`
        self.modes: list[str] = []  # of the first requests; then `mode`
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.hung_up = threading.Event()
        self.closing = threading.Event()
        server = self

        class Handler(_Handler):
            llm = server

        self.http = _Server(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def __enter__(self) -> LoopbackLLM:
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    llm: LoopbackLLM
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.llm.mode == "silent":
            self.llm.closing.wait(30)
        elif self.llm.mode == "401":
            self._json(401, {"error": {"message": "Incorrect API key provided: " + self._key()}})
        else:
            data = [{"id": "tiny", "object": "model", "max_model_len": 8192}]
            self._json(200, {"object": "list", "data": data, "models": [{"name": "tiny:latest"}]})

    def do_POST(self) -> None:
        llm = self.llm
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        llm.requests.append(body)
        llm.keys.append(self._key())
        said = llm.replies.pop(0) if llm.replies else llm.text
        text = said if isinstance(said, str) else said(body)
        try:
            self._answer(llm.modes.pop(0) if llm.modes else llm.mode, text)
        except (BrokenPipeError, ConnectionResetError):
            llm.hung_up.set()

    def _answer(self, mode: str, text: str) -> None:
        status = {"401": 401, "429": 429, "500": 500, "404": 404, "too_long": 400}.get(mode)
        if mode == "429" and self.llm.retry_after and len(self.llm.requests) > 1:
            status, mode = None, "ok"  # it asked for patience and got it
        said = "maximum context length is 512" if mode == "too_long" else "no, and your key is " + self._key()
        error = {"error": {"message": said, "type": "x", "code": mode}}
        if self.llm.after and mode in FAILURES:
            return self._break_off(mode, text, error if status else None)
        if status:
            headers = {"retry-after": self.llm.retry_after} if mode == "429" and self.llm.retry_after else {}
            return self._json(status, error, headers)
        if mode == "silent":
            return self._hold(30)
        if mode == "html":
            page = _PAGE
            self._head("text/html; charset=utf-8", length=len(page))
            self.wfile.write(page)
            return None
        if self.path == "/api/chat":
            return self._ollama(mode, text)
        self._head("text/event-stream")
        if self.path.endswith("/messages"):
            return self._anthropic(mode, text)
        if mode == "empty":
            return self._end(done=True)
        if mode == "garbage":
            self._chunk(b"data: {\xff\xfe not json at all\n\n")
            return self._end(done=False)
        if mode == "no_choices":
            for _ in range(3):
                self._event({"choices": []})
            return self._end(done=True)
        if mode == "drip":
            line = self._line(text, None)
            for i in range(len(line)):
                self._chunk(line[i : i + 1])
                if self.llm.closing.wait(0.05):
                    break
            return None
        if mode == "think":
            text = "<think>The host is named in [1]. Let me see.</think>\n\n" + text
        self._say(text, over_s=0.05 * len(_pieces(text)) if mode == "slow" else self.llm.over_s)
        if mode == "slow":
            return self._hold(30)
        if mode == "drop":
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)  # in the middle of a chunked body
            return None
        if mode != "eof":
            reason = "length" if mode == "length" else "stop"
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        return self._end(done=mode not in ("eof", "no_done"))

    def _break_off(self, mode: str, text: str, error: dict[str, Any] | None) -> None:
        """Say `after`, then fail: a refusal comes as an event with an error in it, as servers send them in mid-stream."""
        self._head("text/event-stream")
        self._say(self.llm.after)
        if error:
            self._event(error)
        elif mode == "silent":
            return self._hold(90)
        elif mode == "html":
            self._chunk(_PAGE)
        elif mode == "no_choices":
            self._event({"choices": []})
        elif mode == "garbage":
            self._chunk(b"data: {\xff\xfe not json at all\n\n")
        elif mode == "drip":
            while not self.llm.closing.is_set():
                for byte in self._line(text, None):
                    self._chunk(bytes([byte]))
                    if self.llm.closing.wait(0.005):
                        break
            return None
        elif mode == "drop":
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        return self._end(done=mode in ("empty", "no_choices"))

    def _say(self, text: str, *, over_s: float = 0.0) -> None:
        pieces = _pieces(text)
        for piece in pieces:
            self._event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": piece}}]})
            if over_s:
                time.sleep(over_s / len(pieces))

    def _ollama(self, mode: str, text: str) -> None:
        self._head("application/x-ndjson")
        for piece in _pieces(text):
            message = {"role": "assistant", "content": piece}
            self._chunk(json.dumps({"model": "tiny", "message": message, "done": False}).encode() + b"\n")
        if mode != "eof":
            end = {"done": True, "done_reason": "length" if mode == "length" else "stop"}
            self._chunk(json.dumps({"model": "tiny", "message": {"role": "assistant", "content": ""}, **end}).encode())
        self._end(done=False)

    def _anthropic(self, mode: str, text: str) -> None:
        usage = {"input_tokens": 1, "output_tokens": 1}
        start = {"id": "m", "type": "message", "role": "assistant", "model": "tiny", "content": [], "usage": usage}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**start, "stop_reason": None, "stop_sequence": None}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        ]
        for piece in _pieces(text):
            delta = {"type": "text_delta", "text": piece}
            events.append({"type": "content_block_delta", "index": 0, "delta": delta})
        if mode != "eof":
            events.append({"type": "content_block_stop", "index": 0})
            stop = {"stop_reason": "max_tokens" if mode == "length" else "end_turn", "stop_sequence": None}
            events.append({"type": "message_delta", "delta": stop, "usage": usage})
            events.append({"type": "message_stop"})
        for event in events:
            self._chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        self._end(done=False)

    def _hold(self, seconds: float) -> None:
        """Say nothing more until the client hangs up."""
        self.connection.settimeout(0.05)
        for _ in range(int(seconds / 0.05)):
            try:
                if self.connection.recv(1) == b"":
                    self.llm.hung_up.set()
                    return
            except TimeoutError:
                if self.llm.closing.is_set():
                    return

    def _key(self) -> str:
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")

    def _json(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _head(self, kind: str, *, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        if length is None:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(length))
        self.end_headers()

    def _line(self, piece: str, reason: str | None) -> bytes:
        choice = {"index": 0, "delta": {"content": piece}, "finish_reason": reason}
        return b"data: " + json.dumps(_envelope({"choices": [choice]})).encode() + b"\n\n"

    def _event(self, body: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(_envelope(body)).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _end(self, *, done: bool) -> None:
        if done:
            self._chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")


_PAGE = b"<!doctype html><html><body>Welcome to nginx!</body></html>"


def _envelope(body: dict[str, Any]) -> dict[str, Any]:
    return {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "tiny", **body}


def source_of(body: dict[str, Any], words: str) -> int | None:
    """Return the number of the source in a request's prompt that holds these words, None where none does."""
    prompt = "\n".join(str(m["content"]) for m in body["messages"])
    for source in prompt.split("<source n=")[1:]:
        number, _, text = source.partition(">")
        if words in text.partition("</source>")[0]:
            return int(number.strip('"'))
    return None


def _pieces(text: str) -> list[str]:
    """Cut as tokenizers do: a few characters each, markers and words split anywhere."""
    return [text[i : i + 5] for i in range(0, len(text), 5)]
