"""What several tests share: an embedder whose vectors are counted by hand, a few articles of our own, a small library."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import hypothesis
import numpy as np
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from rag.config import Config
from rag.ingest.pipeline import ingest
from rag.store.library import Library

hypothesis.settings.register_profile("recap", deadline=None)  # a busy machine is slow, not wrong
hypothesis.settings.load_profile("recap")
pytest_plugins = ["tests.pages"]  # the library, the server and the Chromium of the browser tests
DIM = 64


class CountingEmbedder:
    """A word counts 1 in the dimension that its SHA-256 names (first byte modulo 64); rows are then made unit length.

    Texts that share no word (and no dimension) are at cosine 0, equal texts at 1. `texts` is all that was embedded.
    """

    name = "counting"
    dim = DIM

    def __init__(self, name: str = "counting", *, fail_after: int | None = None) -> None:
        self.name = name
        self.texts: list[str] = []
        self.fail_after = fail_after

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        out = np.zeros((len(texts), DIM), dtype=np.float32)
        for row, text in zip(out, texts, strict=True):
            if self.fail_after is not None and len(self.texts) >= self.fail_after:
                from rag.errors import EmbedError

                raise EmbedError("The embedding model failed.")
            self.texts.append(text)
            for word in [*text.lower().split(), self.name]:
                row[hashlib.sha256(word.encode()).digest()[0] % DIM] += 1
            row /= np.linalg.norm(row)
        return out


GALLERY = """The 2024 Lantern Music Awards filled the harbour hall on Sunday evening (May 5), hosted by Ines Calder.
Ana LimaPhoto: Getty Images
Jo Berg and Kim OduyaPhoto: Max Stone for Example Radio
The Harbour Five Photo: Getty Images"""

LISTICLE = """7 Quiet Moments From The 2023 Lantern Music Awards

By Rosa Field

Example Weekly Staff

In case you slept through it, Tuesday night was the 2023 Lantern Music Awards, and the harbour hall was full. Here is what
the cameras caught between the prizes, from the stairs to the fish market:

1. Ana Lima brought her two brothers, Ciro and Davi, who held the golden lantern for her all night:

Ana Lima between her brothers, laughing
Max Stone / Getty Images for Example

2. Jo Berg gave the prize for best newcomer to Kim Oduya, and then forgot the envelope on the piano:

Kim hugging Jo&#x27;s envelope
Theo Park / Getty Images

3. The Harbour Five came back together after eleven years to hand over the prize for best song of the summer:

Five singers on one small stage
Max Stone / Getty Images for Example

4. Lou Marsh danced with the drummer of the house band while the lights were being repaired after the break:
"""

COPY = """ date 2023-05-11 In case you slept through it, Tuesday night was the 2023 Lantern
Music Awards, and the harbour hall was full. Here is what
the cameras caught between the prizes, from the stairs to the fish market:
1.
Ana Lima brought her two brothers, Ciro and Davi, who
held the golden lantern for her all night:
3.
The Harbour Five came back together after eleven years to hand over the
prize for best song of the summer:
4.
Lou Marsh danced with the drummer of the house band while the lights were being repaired after the break:
"""

REPORT = """Fishermen Open the New Market at Port Alder

PORT ALDER (Reuters) - The new fish market opened on Monday after three years of work, and forty boats brought their catch.

"Nobody believed that it would be ready," said Mara Quist, who leads the harbour council.

The hall cost 4.2 million crowns. It replaces the wooden hall of 1911, which burned down in the winter of 2019.
"""

ARTICLES = {"gallery.txt": GALLERY, "listicle.txt": LISTICLE, "copy.txt": COPY, "report.txt": REPORT}


def write_articles(folder: Path, articles: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in articles.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    """A folder with four articles of three pieces."""
    return write_articles(tmp_path / "articles", ARTICLES)


@pytest.fixture
def make_library(tmp_path: Path) -> Iterator[Callable[..., Library]]:
    """Open libraries by name, with an embedder that needs no model; they are closed at the end."""
    opened: list[Library] = []

    def make(name: str = "library", *, write: bool = True, embedder: object = None, **settings: object) -> Library:
        settings.setdefault(
            "reader", "rules"
        )  # vectors counted by hand go with an order that can be worked out by hand
        settings.setdefault("llm", "none")
        config = Config(library=tmp_path / name, **settings)  # type: ignore[arg-type]
        library = Library.open(config, write=write, create=write, embedder=embedder or CountingEmbedder())  # type: ignore[arg-type]
        opened.append(library)
        return library

    yield make
    for library in opened:
        library.close()


@pytest.fixture
def library(make_library: Callable[..., Library], articles: Path) -> Library:
    """A writable library that holds the four articles."""
    library = make_library()
    assert not ingest(library, [str(articles)]).rejected
    return library


@pytest.fixture(scope="session")
def tiny_library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The four articles by the real embedder, open for reading."""
    folder = tmp_path_factory.mktemp("tiny")
    config = Config(library=folder / "library", llm="none")
    with Library.open(config, create=True) as writer:
        ingest(writer, [str(write_articles(folder / "articles", ARTICLES))])
    with Library.open(config) as reader:
        yield reader
