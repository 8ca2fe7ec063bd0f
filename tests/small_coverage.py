"""Coverage of our own for the tests of question, search and reader: two editions of an award show, another show, a match."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.config import Config
from rag.ingest.pipeline import ingest
from rag.store.library import Library
from tests.conftest import write_articles

LANTERN_2024 = """5 Things You Missed At The 2024 Lantern Music Awards

By Rosa Field

May 6, 2024

The 2024 Lantern Music Awards took place at the Harbour Hall in Port Alder on Sunday, May 5, hosted by Ines Calder. Here is what happened between the prizes:

1. Ana Lima won Song of the Year for "Paper Boats" and thanked her two brothers, Ciro and Davi.

Ana Lima and Davi Lima on the stairs
Max Stone / Getty Images for Example

2. Jo Berg presented the award for Best New Artist to Kim Oduya, who forgot the envelope on the piano.

Jo Berg and Kim Oduya laughing
Theo Park / Getty Images

3. Lou Marsh did not win Album of the Year, because his record came out a week too late.

4. Petra Voss brought her husband, Anton Reik, and their three daughters to the red carpet.

5. "I wrote this one in a laundry room with no heating," Tilda Noor said after winning Album of the Year for "Cold Rooms."
"""

LANTERN_2023 = """The Winners Of The 2023 Lantern Music Awards

By Rosa Field

May 10, 2023

The 2023 Lantern Music Awards took place at the Old Mill in Gransund on Tuesday, May 9, hosted by Bruno Salt.

Mara Quist won Song of the Year for "Glass Orchard" and sang it twice.

The prize for Best New Artist went to Nils Aker, who was nominated for three more.

Ana Lima was nominated for Album of the Year but lost to Ivo Kern.

Vera Holm and Otto BlankPhoto: Max Stone for Example Radio
"""

TIDEWATER_2024 = """Tidewater Film Awards 2024: Rain, Ropes And A Record

By Simon Oake

March 4, 2024

The 2024 Tidewater Film Awards took place at the Grand Kino in Westerby on Sunday, March 3, hosted by Dora Flint.

Gil Ansel won Best Director for "The Salt Road" and dedicated it to his teacher, Hanna Bode.

Edda Lorn performed "Lighthouse" with a choir of forty children.
"""

MATCH = """Alder Rovers Beat Westerby United To Reach The Final

By Paul Kern

PORT ALDER, June 2, 2024 - Alder Rovers beat Westerby United 3-1 on Saturday before a crowd of 18,400 at Quay Park.

Striker Luca Ferrand scored twice in the first half and Emil Toft added a third after the break.

Westerby defender Karl Munk was sent off in the 70th minute for a late tackle.

"We never stopped running, and tonight the legs said thank you," said coach Olga Brandt.

The kick-off was delayed by 20 minutes because of heavy rain over the harbour.
"""

COPY_2024 = LANTERN_2024.split("\n", 6)[6]

COVERAGE = {
    "lantern-2024.txt": LANTERN_2024,
    "lantern-2024-copy.txt": COPY_2024,
    "lantern-2023.txt": LANTERN_2023,
    "tidewater-2024.txt": TIDEWATER_2024,
    "match.txt": MATCH,
}


@contextmanager
def small_library(folder: Path) -> Iterator[Library]:
    """Read `COVERAGE` with the real embedder and open the library for reading."""
    config = Config(library=folder / "library", llm="none")
    with Library.open(config, create=True) as writer:
        report = ingest(writer, [str(write_articles(folder / "articles", COVERAGE))])
        assert not report.rejected
    with Library.open(config) as reader:
        yield reader
