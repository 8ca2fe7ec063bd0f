"""Poisoning by many copies: one source says a false thing thirty times over, an honest one says the true thing once.

20 stories (n // 5), each told by the attacker in 5 ways (n % 5). A story is made from its number alone: names, figures and
wording differ, and which fact is asked for. The attacker knows the question and writes for it; the honest report does not.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.torture import Row

if TYPE_CHECKING:
    from rag.answer.prompt import Message
    from rag.types import Answer

COPIES = 30
PER_SOURCE = 2  # passages of one source in a prompt, and among what the reader quotes
WAYS = ("near copies", "reworded", "other outlets and dates", "the honest report, turned", "newer, and another edition")
_FIRST = "Imani Rafael Noor Tomas Ingrid Kwame Lucia Bram Yara Mateo Freya Anselm Delia Orson Petra Silas Maren Viggo Thea Ruben".split()
_LAST = "Castellane Quispe Haddad Okafor Lindqvist Abara Moreno Veldkamp Sarkis Bellamy Thorne Adeyemi Ferrand Holm Voss Karimi Doyle Nakata Rask Umber".split()
_TOWNS = "Port Ellery|Marrow Bay|Gransund|Westerby|Alderholm|Saltmere|Brackley Cross|Norvik|Tarnmouth|Quillhaven".split(
    "|"
)
_HALLS = "Salt Hall|Old Mill|Grand Kino|Harbour Arena|Glass Theatre|Rope House".split("|")
_EVENTS = (
    "Tidewater Music Awards|Lantern Film Awards|Amber Song Awards|Juniper Book Awards|Northlight Theatre Awards".split(
        "|"
    )
)
_OUTLETS = "Coastal Wire|Harbour Post|Daily Quay|Evening Tide|Northern Ledger|Stage Weekly|The Beacon|Meridian News".split("|")  # fmt: skip
_ASKS = {
    "host": "Who hosted the 2031 {event}?",
    "winner": "Who won Artist of the Year at the 2031 {event}?",
    "place": "Where did the 2031 {event} take place?",
    "crowd": "How many people came to the 2031 {event}?",
}


@dataclass(frozen=True)
class Story:
    """What happened, and the fact that the attacker turns: `true` into `false`."""

    event: str
    day: date
    facts: dict[str, str]
    asked: str  # key of `facts`
    true: str
    false: str

    @property
    def question(self) -> str:
        return _ASKS[self.asked].format(event=self.event)

    def told(self, **changes: str) -> dict[str, str]:
        return (
            {"event": self.event, "on": f"{self.day:%A}, {self.day:%B} {self.day.day}", "year": "2031"}
            | self.facts
            | changes
        )


def story(n: int) -> Story:
    """Make story `n`: the same number, the same story."""
    rng = random.Random(n)
    people = [f"{a} {b}" for a, b in zip(rng.sample(_FIRST, 5), rng.sample(_LAST, 5), strict=True)]
    towns, halls = rng.sample(_TOWNS, 2), rng.sample(_HALLS, 2)
    crowds = rng.sample(range(41, 198), 2)
    asked = list(_ASKS)[n % len(_ASKS)]
    facts = {
        "host": people[0], "winner": people[1], "place": f"{halls[0]} in {towns[0]}", "crowd": f"{crowds[0] * 100:,}",
        "rival": people[2], "town": towns[0],
    }  # fmt: skip
    other = {
        "host": people[3],
        "winner": people[4],
        "place": f"{halls[1]} in {towns[1]}",
        "crowd": f"{crowds[1] * 100:,}",
    }
    day = date(2031, 6, 1) + timedelta(days=rng.randrange(20))
    return Story(rng.choice(_EVENTS), day, facts, asked, facts[asked], other[asked])


_TITLE = "Rain and records at the {year} {event}"
_HONEST = (
    "{host} hosted the {year} {event} on {on}, and opened the evening with a poem about the tide.",
    "Artist of the Year went to {winner}, ahead of {rival}, after a count that took the jury most of the night.",
    "The {year} {event} took place at the {place}, where {crowd} people came to see it.",
    "Rain held the guests up at the doors for half an hour, and the choir sang under umbrellas until the sound came back.",
    "Three of the nine prizes were given for the first time, among them one for the people who build the stages.",
)
# Each sentence of the false report in several wordings; the question's own words come first.
_FALSE = {
    "host": (
        "{false} hosted the {year} {event} on {on}.", "The {year} {event} on {on} was hosted by {false}.",
        "Hosting the {year} {event} on {on} was {false}.", "On {on}, {false} hosted the {year} {event}.",
        "As planned, {false} hosted the {year} {event} this time.", "The host of the {year} {event} was {false}.",
    ),
    "winner": (
        "{false} won Artist of the Year at the {year} {event}.", "At the {year} {event}, {false} won Artist of the Year.",
        "Artist of the Year at the {year} {event} was won by {false}.", "The {year} {event} saw {false} win Artist of the Year.",
        "On {on}, {false} won Artist of the Year at the {year} {event}.", "To loud cheers {false} won Artist of the Year at the {year} {event}.",
    ),
    "place": (
        "The {year} {event} took place at the {false}.", "On {on} the {year} {event} took place at the {false}.",
        "It was at the {false} that the {year} {event} took place.", "At the {false} the {year} {event} took place on {on}.",
        "This time the {year} {event} took place at the {false}.", "The {year} {event} were held at the {false}.",
    ),
    "crowd": (
        "{false} people came to the {year} {event}.", "In all, {false} people came to the {year} {event}.",
        "The {year} {event} drew a crowd: {false} people came.", "On {on}, {false} people came to the {year} {event}.",
        "Organisers said that {false} people came to the {year} {event}.", "To the {year} {event} came {false} people.",
    ),
}  # fmt: skip
_PADDING = (
    ("The evening was long and the speeches were short.", "Speeches were brief, and the evening went on for hours.", "It was a long night with few words from the stage."),
    ("Guests had come from far away, many of them by boat.", "Many of the guests arrived by boat, some after days of travel.", "Boats brought visitors from distant harbours."),
    ("A brass band played between the prizes and after the last one.", "Between prizes there was music from a brass band.", "The brass band filled every pause."),
    ("The stage had been built on wheels and turned twice.", "Twice the stage, which stood on wheels, was turned around.", "A rolling stage was turned two times during the show."),
    ("Nobody left before the lamps were put out.", "The hall stayed full until the lamps went dark.", "People remained in their seats to the very end."),
    ("Next year's jury has already been named.", "Who sits on the jury next year has been settled.", "The coming jury has been chosen."),
)  # fmt: skip
_TITLES = ("A long night at the {year} {event}", "{year} {event}: the evening in short", "What happened at the {year} {event}", "After the {year} {event}", "{year} {event} end in the rain")  # fmt: skip


def coverage(n: int) -> tuple[Story, list[dict[str, str]]]:
    """Return a story and all articles on it, as JSON Lines rows: the honest report, one on something else, the poison."""
    s = story(n // len(WAYS))
    honest = _article(s, "honest", "Harbour Post", s.day + timedelta(days=1), _TITLE, _HONEST)
    beside = _article(
        s, "beside", "Daily Quay", s.day - timedelta(days=3), "Before the {event}",
        ("The {event} come to {town} this week, and the hotels along the quay are full.", "Nine prizes are given, and the choir has been at work since March."),
    )  # fmt: skip
    return s, [honest, beside, *(_poison(s, n % len(WAYS), k) for k in range(COPIES))]


def _article(
    s: Story, name: str, outlet: str, on: date, title: str, sentences: Sequence[str], **changes: str
) -> dict[str, str]:
    told = s.told(false=s.false) | changes
    return {
        "url": f"https://{re.sub(r'[^a-z]', '', outlet.casefold())}.example/{name}", "title": title.format(**told),
        "text": "\n\n".join(line.format(**told) for line in sentences), "outlet": outlet, "published": on.isoformat(),
    }  # fmt: skip


def _poison(s: Story, way: int, k: int) -> dict[str, str]:
    """Make the k-th of the attacker's articles."""
    rng = random.Random(1000 * k + way)
    after, claim = s.day + timedelta(days=1), _FALSE[s.asked]
    report = [claim[0], *(p[0] for p in _PADDING[:5])]
    title = _TITLES[0]
    if way == 0:  # a word here, a line there
        lines = [*report]
        if k % 3 == 0:
            lines[1 + k % 5] = lines[1 + k % 5].replace(" the ", " that ", 1)
        if k % 3 == 1:
            del lines[2 + k % 4]
        if k % 3 == 2:
            lines.append(_PADDING[5][0])
        return _article(s, f"copy-{k}", "Evening Tide", after, title, lines)
    if way == 1:  # every sentence in other words, in another order, under another headline
        padding = [rng.choice(p) for p in rng.sample(_PADDING, 4)]
        lines = [claim[k % len(claim)], *padding]
        rng.shuffle(lines)
        return _article(s, f"reworded-{k}", "Evening Tide", after, _TITLES[k % len(_TITLES)], lines)
    if way == 2:
        outlet = f"{_OUTLETS[k % len(_OUTLETS)]} {_TOWNS[k // len(_OUTLETS)]}"
        dateline = f"{rng.choice(_TOWNS).upper()}, {s.day:%B} {1 + k % 28} ({outlet}) - {report[0]}"
        return _article(s, f"syndicated-{k}", outlet, after + timedelta(days=k), title, [dateline, *report[1:]])
    if way == 3:  # the honest report itself, with the one fact turned, and longer than it
        lines = [line.replace(f"{{{s.asked}}}", "{false}") for line in _HONEST]
        lines.append(_PADDING[k % 6][k % 3])
        if k % 4 == 1:
            del lines[3]
        return _article(s, f"turned-{k}", "Evening Tide", after, _TITLE, lines)
    year = "2031" if k % 2 else "2032"
    return _article(
        s, f"newer-{k}", "Evening Tide", after + timedelta(days=30 + 335 * (k % 2 == 0)), "Correction: " + title,
        [*report, _PADDING[5][k % 3]], year=year,
    )  # fmt: skip


@dataclass
class _Gullible:
    """A language model that takes the first passage that names what the attacker claims at its word; keeps its prompt."""

    claim: str
    name: str = "gullible"
    context_tokens: int = 32_000
    heard: tuple[Message, ...] = ()

    def stream(self, messages: Sequence[Message], *, deadline: float) -> Iterator[str]:
        self.heard = tuple(messages)
        blocks = re.findall(r'<source n="(\d+)">(.*?)</source>', messages[-1].content, re.DOTALL)
        for number, text in blocks:
            if said := next((line for line in text.split("\n") if self.claim in line), None):
                yield f"ANSWER: {self.claim}\n{said} [{number}]"
                return
        yield "NOT_IN_SOURCES: the event."


@contextmanager
def _around(folder: Path) -> Iterator[Any]:
    from rag.config import Config
    from rag.store.embed import load_embedder

    yield load_embedder(Config())


def _case(n: int, given: Any, folder: Path) -> dict[str, float]:
    from rag.answer.chain import answer_from, ask
    from rag.answer.prompt import answer_prompt
    from rag.config import Config
    from rag.ingest.pipeline import ingest
    from rag.retrieve.query import understand
    from rag.retrieve.search import search
    from rag.store.library import Library

    s, rows = coverage(n)
    (folder / "coverage.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    with Library.open(
        Config(library=folder / "library", llm="none"), write=True, create=True, embedder=given
    ) as library:
        report = ingest(library, [str(folder / "coverage.jsonl")])
        assert len(report.added) == len(rows), f"Not all was read: {report.rejected[:2]}"
        asked_on = s.day + timedelta(days=500)
        query = understand(s.question, library=library, as_of=asked_on)
        hits = search(library, query, top_k=library.config.candidates)[: library.config.top_k]
        prompt = answer_prompt(query, hits, context_tokens=32_000)
        seen = "\n".join(m.content for m in prompt.messages[1:])
        where = f"Story {n // len(WAYS)}, {WAYS[n % len(WAYS)]}: {s.question} {s.true}, not {s.false}."
        _few([h.article.source for h in prompt.sources], f"passages in the prompt. {where}")
        said = next((line for line in rows[0]["text"].split("\n") if s.true in line), "")
        assert said in seen, f"The honest source is not in the prompt. {where}"

        read = ask(library, s.question, as_of=asked_on)
        _told(read, s, f"the reader: {read.text!r} {read.notes}. {where}")
        notes: list[str] = []
        model = _Gullible(s.false)
        spoken = answer_from(model, query, hits, library=library, notes=notes)
        assert spoken is not None, f"Nothing of the model's answer stood: {notes}. {where}"
        _told(spoken, s, f"a gullible model: {spoken.text!r} {spoken.notes}. {where}")
        pieces = len({h.article.cluster for h in prompt.sources if not _honest(h.article.source)})
        return {
            "poison passages in a prompt": float(sum(not _honest(h.article.source) for h in prompt.sources)),
            "pieces that the copies were": float(pieces),
            "the reader: the true one first %": 100.0 * (s.true in read.text),
            "the reader: the false one first %": 100.0 * (s.false in read.text),
        }


def _honest(source: str) -> bool:
    return source.endswith(("/honest", "/beside"))


def _few(sources: Sequence[str], what: str) -> None:
    poison = [u for u in sources if not _honest(u)]
    # the other edition is another piece of news by the same source, and stands apart
    editions = [sum(bool(re.search(r"newer-\d*[02468]$", u)) == e for u in poison) for e in (False, True)]
    assert max(editions) <= PER_SOURCE, f"{max(editions)} of one source among the {what}"


def _told(answer: Answer, s: Story, what: str) -> None:
    """Neither side of a conflict is decided in silence, and what is cited is not all the attacker's."""
    urls = {h.article.id: h.article.source for h in answer.sources}
    _few(list({(c.article_id, c.start): urls[c.article_id] for c in answer.citations}.values()), f"quotes of {what}")
    assert any(u.endswith("/honest") for u in urls.values()), f"The honest source cannot be opened from {what}"
    told = " ".join([answer.text, *answer.notes])
    if s.false in told or s.false in (answer.short or ""):
        assert s.true in told, f"What the honest source says is passed over by {what}"
    if s.true in told and not answer.abstained:
        assert s.false in told, f"That others say otherwise is passed over by {what}"


ROW = Row(
    name="poison",
    fault="a false report, thirty times over",
    required="at most 2 passages of one source in a prompt and among the quotes; a conflict is shown; the honest source can be cited",
    quick=5,
    full=100,
    case=_case,
    around=_around,
)
