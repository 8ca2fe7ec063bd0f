"""Files, pages and feeds -> articles, chunks and vectors in the library.

`from rag import ingest` gives this package, because Python binds a package to its name in the one above as soon as any
of its modules is imported. So the package can be called, and is then `pipeline.ingest`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.ingest.pipeline import IngestReport, Progress
    from rag.store.library import Library


class _Ingest(ModuleType):
    def __call__(self, library: Library, locations: Sequence[str], *, progress: Progress | None = None) -> IngestReport:
        """Bring the library up to what `locations` hold: see `rag.ingest.pipeline.ingest`."""
        from rag.ingest.pipeline import ingest

        return ingest(library, locations, progress=progress)


sys.modules[__name__].__class__ = _Ingest
