"""Parse strangers' documents in a child process with limits on memory and time, kept for the next document.

It is a limit on what a hostile file can cost, not a security boundary: the child runs as the same user. It is given no
keys (of the environment only what starting Python needs) and can put no bytes into a file; code that runs in it could still
remove files, and read the parent's environment where the system lets a user read that of the own processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from threading import Timer
from types import TracebackType
from typing import Any

from rag.errors import ReadError
from rag.ingest import parse

MEMORY = 448 * 1024 * 1024  # bytes, beyond the 60 MB that the child needs for its libraries: with them 512 MiB
SECONDS = 25.0  # with starting the child on a busy machine, 30
_MAX_REPLY = 128 * 1024 * 1024
_KEEP = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")


class Sandbox:
    """A child process for parsing, started when the first document needs it. Use it as a context manager.

    One thread at a time.
    """

    def __init__(self, *, memory: int = MEMORY, seconds: float = SECONDS) -> None:
        self.memory = memory
        self.seconds = seconds
        self.starts = 0
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def parse(self, kind: str, data: bytes, **hints: str | None) -> dict[str, Any]:
        """Parse one document of `kind` ("html", "pdf", "docx", "feed").

        Raises: ReadError whose message continues a sentence that starts with the document's name.
        """
        child = self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        late: list[bool] = []

        def stop() -> None:
            late.append(True)
            child.kill()

        timer = Timer(self.seconds, stop)
        timer.daemon = True
        timer.start()
        reply = None
        try:
            with suppress(OSError, ValueError):  # the child is gone: said below
                parse.send(child.stdin, {"kind": kind, **hints}, data)
                reply = parse.receive(child.stdout, limit=_MAX_REPLY)
        finally:
            timer.cancel()
            if reply is None:
                self.close()
        if late:
            self.close()
            told = f"took longer than {self.seconds:.0f} seconds to read."
            raise ReadError(f"{told} Save its text as .txt and ingest that.")
        if reply is None:
            raise ReadError("made its reader fail. Open it, save it again, and ingest the copy.")
        answer = reply[0]
        if not answer.pop("healthy", False):
            self.close()
        if error := answer.get("error"):
            if error == "memory":
                error = f"needs more than {self.memory >> 20} MB to read. Save its text as .txt and ingest that."
            raise ReadError(str(error))
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self.close()
        self._child = subprocess.Popen(
            # -P: the working directory must not decide which modules the child imports
            [sys.executable, "-P", parse.__file__, str(self.memory), str(int(self.seconds))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if k in _KEEP},
        )
        self.starts += 1
        assert self._child.stdout is not None
        if parse.receive(self._child.stdout, limit=_MAX_REPLY) is None:
            self.close()
            raise ReadError("cannot be read: Recap's document reader does not start. Run `recap doctor`.")
        return self._child

    def close(self) -> None:
        """End the child process, if there is one."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was left in the buffer has nowhere to go
                    pipe.close()
        child.wait()
