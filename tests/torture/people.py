"""A library of invented people: each has an article of their own, with things that only they did, each with a mark of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SHOW = "2024 Harbour Awards"
# what is asked, what the article says, and what a thing is called there
DEEDS = (
    ("What did {name} carry at the {show}?", "{name} carried the {thing} at the {show}.", "copper heron {mark}"),
    ("What did {name} auction at the {show}?", "At the {show}, {name} auctioned the {thing} for charity.", "blue sextant {mark}"),
    ("What did {name} drop at the {show}?", "{name} dropped the {thing} on the stairs of the {show}.", "glass bell {mark}"),
)  # fmt: skip
_FIRST = ("Adra", "Belko", "Cirna", "Dovan", "Elisk", "Farun", "Gerta", "Hilmo", "Isaura", "Jorin", "Katla", "Lembit")
_LAST = ("Aldor", "Brask", "Conrad", "Dreyer", "Eskola", "Falk", "Gruner", "Hovland", "Istre", "Juhl", "Krantz")


@dataclass(frozen=True)
class Deed:
    """A question about one person, and the sentence and the mark that answer it."""

    question: str
    sentence: str
    mark: str


MOST = len(_FIRST) * len(_LAST)


def deed(person: int, kind: int) -> Deed:
    """Return what a person (0 to MOST - 1) did, of one of the kinds of `DEEDS`."""
    asked, said, thing = DEEDS[kind]
    mark = f"{'HSB'[kind]}Q{1000 + 7 * person}"
    words = {"name": name(person), "show": SHOW, "thing": thing.format(mark=mark)}
    return Deed(asked.format(**words), said.format(**words), mark)


def name(person: int) -> str:
    """Return a person's name; no two share it."""
    return f"{_FIRST[person % len(_FIRST)]} {_LAST[person // len(_FIRST)]}"


def write_people(folder: Path, people: int) -> Path:
    """Write an article for each of the first people, its sentences among paragraphs that say nothing of them."""
    from eval.churn import article

    folder.mkdir(parents=True, exist_ok=True)
    for person in range(people):
        _, _, rest = article(person).partition("\n")
        byline, *paragraphs = rest.split("\n\n")
        deeds = [deed(person, kind).sentence for kind in range(len(DEEDS))]
        said = [f"{own}\n\n{paragraph}" for own, paragraph in zip(deeds, paragraphs, strict=False)]
        head = f"{name(person)} at the {SHOW}\n{byline}"
        (folder / f"{person}.txt").write_text("\n\n".join([head, *said, *paragraphs[len(deeds) :]]), encoding="utf-8")
    return folder


def made_library(folder: Path, people: int, *more: Path) -> Path:
    """Ingest the articles of the first people, and other folders; return the library."""
    from rag.config import Config
    from rag.ingest.pipeline import ingest
    from rag.store.library import Library

    with Library.open(Config(library=folder / "library", llm="none"), create=True) as library:
        report = ingest(library, [str(write_people(folder / "people", people)), *map(str, more)])
        assert not report.rejected, report
        assert len(report.added) >= people, report
    return folder / "library"
