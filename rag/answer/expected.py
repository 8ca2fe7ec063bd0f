"""What kind of thing can answer a question at all: a country, a month, a figure, a day. Pure.

A name in the right sentence is no answer when it is a person's and a country was asked for: better none than that.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rag.answer.asking import Asked, asks_clock
from rag.answer.span import CLOCK
from rag.ingest.events import MONTHS, WEEKDAYS, load_names
from rag.ingest.names import fold

_NUMBER = re.compile(r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|once|twice|half|hundred|thousand|million|first|second|third|none|no|zero|both)\b", re.I)  # fmt: skip
_AMOUNT = re.compile(
    r"\d|\b(?:half|third|quarter|double|doubled|tripled|hundred|thousand|million|billion|nothing|free)\b", re.I
)
_MONTHS = "|".join(MONTHS)
_MONTH = re.compile(rf"\b(?:{_MONTHS})\b", re.I)
_WHEN = re.compile(
    rf"\d|\b(?:{_MONTHS}|{'|'.join(WEEKDAYS)})\b|\b(?:today|tonight|tomorrow|yesterday|morning|afternoon|evening|night|noon|midnight|week|weekend|month|year"
    r"|decade|century|spring|summer|autumn|fall|winter|christmas|easter|eve|day|season|before|after|during|when|while|since|until|ago|later"
    r"|earlier|never|soon|now|date)\b",
    re.I,
)
_ASKS_AMOUNT = re.compile(r"\bhow much\b(?! (?:does|did|do|is|was) (?:[\w’'-]+ ){1,3}(?:like|love|hate|know|matter|care))|\bwhat (?:percentage|percent|share|proportion)\b", re.I)  # fmt: skip
_NAMED = frozenset(
    "city town village company firm team club university college airline bank author band group airport".split()
)
_LANDS = frozenset("country nation".split())
# Of the federations that the news asks about most.
_STATES = re.compile(
    r"\b(?:alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware|florida|georgia|hawaii|idaho|illinois|indiana|iowa|kansas"
    "|kentucky|louisiana|maine|maryland|massachusetts|michigan|minnesota|mississippi|missouri|montana|nebraska|nevada|new hampshire"
    "|new jersey|new mexico|new york|north carolina|north dakota|ohio|oklahoma|oregon|pennsylvania|rhode island|south carolina"
    "|south dakota|tennessee|texas|utah|vermont|virginia|washington|west virginia|wisconsin|wyoming|puerto rico|district of columbia"
    "|new south wales|victoria|queensland|tasmania|south australia|western australia|northern territory|bavaria|saxony|hesse|berlin"
    "|hamburg|bremen|brandenburg|thuringia|kerala|maharashtra|gujarat|punjab|rajasthan|assam|bihar|goa|karnataka|manipur|odisha|tamil nadu"
    "|telangana|uttar pradesh|uttarakhand|madhya pradesh|west bengal|andhra pradesh|haryana|jharkhand|jalisco|sonora|sinaloa|oaxaca|chiapas"
    r"|guerrero|nuevo leon|sao paulo|rio de janeiro|bahia|amazonas|minas gerais|lagos|borno|kaduna|kano|rivers)\b"
)


def may_be(asked: Asked, text: str) -> bool:
    """Tell whether a text can be an answer of the kind that is asked for."""
    noun = asked.noun or ""
    if asked.kind == "how_many":
        return bool(_NUMBER.search(text))
    if asks_clock(asked):
        return bool(CLOCK.search(text))
    if asked.kind == "when":
        return bool((_MONTH if noun == "month" else _WHEN).search(text))
    if _ASKS_AMOUNT.search(asked.text):
        return bool(_AMOUNT.search(text))
    if asked.kind in ("who", "with", "credit") or noun in _NAMED:
        return any(w[:1].isupper() or w[:1].isdigit() for w in text.split())
    if noun in _LANDS:
        return bool(_lands().search(fold(text)))
    if noun == "state":
        return bool(_STATES.search(fold(text)))
    return bool(fold(text).strip())


def is_dateline(text: str, sentence: str) -> bool:
    """Tell whether a text is only where a report was written: "WASHINGTON (Wire) - ..." """
    return text.isupper() and len(text) > 3 and re.match(rf"{re.escape(text)}\s*(?:,|\(|[-–—]|$)", sentence) is not None


@lru_cache(maxsize=1)
def _lands() -> re.Pattern[str]:
    """Compile the names of countries and of their people, folded. Source: CLDR's territories, as Babel has them."""
    from babel import Locale

    lands = {name for code, name in Locale("en").territories.items() if len(code) == 2}
    lands |= set("u.s us usa uk u.k america american england english scotland scottish wales welsh britain".split())
    lands |= {*load_names().demonyms, *load_names().demonyms.values()}
    return re.compile(rf"\b(?:{'|'.join(sorted((re.escape(fold(x)) for x in lands), key=lambda x: -len(x)))})\b")
