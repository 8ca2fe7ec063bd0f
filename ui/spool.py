"""The folder that uploads come into: whether there is room for one more, and what nobody comes back for.

Gradio writes a file under a name of `tempfile`'s while it comes, and moves it into a folder of its own when it is whole.
An upload that breaks off, or stands in another field of the form, stays under the first name; Gradio's own sweep knows
only the second.

What it does not know: HTTP, Gradio.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

MOST = 4 * 1024**3  # bytes that the folder may hold; what is under way when it is looked at may pass it
LEFT_S = 3600.0  # seconds without a change, after which a file of tempfile's is nobody's: an upload may take 15 minutes
LOOKED_S = 5.0  # seconds between two looks at the whole folder


class Spool:
    """Says whether the folder has room. It looks now and then, and counts what was let in since."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._held, self._looked = 0, -LOOKED_S
        self._lock = threading.Lock()

    def takes(self, size: int) -> bool:
        """Count an upload in, and tell whether it has room. What is refused does not count."""
        with self._lock:
            if self.clock() - self._looked >= LOOKED_S:
                self._held, self._looked = held(folder()), self.clock()
            if self._held + size > MOST:
                return False
            self._held += size
            return True


def folder() -> Path | None:
    """Return where uploads come in, None where nothing was said of it."""
    named = os.environ.get("GRADIO_TEMP_DIR")
    return Path(named) if named else None


def held(where: Path | None) -> int:
    """Return how many bytes a folder holds, with all that is in it."""
    size = 0
    for within, _, names in os.walk(where) if where else ():
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(within, name)).st_size
    return size


def sweep(where: Path | None, now: float) -> int:
    """Remove the files of uploads that broke off, and return how many; `now` as the files' times are."""
    gone = 0
    for file in where.glob(f"{tempfile.gettempprefix()}*") if where else ():
        with contextlib.suppress(OSError):
            if file.is_file() and not file.is_symlink() and now - file.stat().st_mtime > LEFT_S:
                file.unlink()
                gone += 1
    return gone
