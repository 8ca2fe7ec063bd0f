"""What a question asks for: its kind, its terms and its names, against the vocabulary of the coverage found. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rag.answer.match import Term, Vocabulary, known_words, phrases, thesaurus
from rag.ingest.events import Names, find_mentions
from rag.ingest.names import ROLES as NAME_ROLES
from rag.ingest.names import find_names, fold
from rag.retrieve.words import STOP, mend, stem, tokens
from rag.types import Query

Kind = Literal["who", "what", "when", "where", "why", "how_many", "how", "say", "with", "credit", "yes_no", "written"]

# The noun that a what- or which-question asks for, by the form that its answer takes in coverage.
TITLES = frozenset("song track single album hit record movie film show series book tune smash music".split())
AWARDS = frozenset("award prize honor honour trophy category accolade grammy vma oscar emmy title medal".split())
PEOPLE = frozenset(
    """artist singer rapper person people star celebrity celeb actor actress band group player team duo trio musician
    performer pair couple sisters brothers siblings friends rivals man woman guy member act celebs celebrities artists singers rappers stars musicians performers
    name names men women guys girl boy lady ladies ladies""".split()
)
ROLES = frozenset(
    "designer director photographer writer author reporter host winner speaker producer stylist judge".split()
)
# What people do in a picture or at a party without its being said: no caption has these words.
_LIGHT = frozenset(
    """all along appear appears around be been chat chatted chatting different each everybody everyone foto get got group hang hanging hung it join joined joins meet member members met mingle mingled moment more names other others out pal party pics pix pose posed posing sat saw seated see share shared shoot shot show shows sit sitting snap snapped spend stand standing stood take taken talk talked them third time took turn turned turns up""".split()
)
_HELD = frozenset(
    "exact calendar monday tuesday wednesday thursday friday saturday sunday fall fell on held happen take place occur date day time when start begin air year month took long ago weekday week".split()
)
_GENERIC = frozenset(
    """name names called call happened happen happening thing things one person people list tell know mentioned mention
    event events ceremony show night awards edition year date day time part kind type lot while during official exactly
    actually really also named go going went back old made make makes hard number exact calendar full precise gave give gives had share shared two three four five six both video mtv came come comes paid pays famous simply just spotted belongs belong third person identify different celebrity described promises promised article articles announced featured shown
    included appear appears appeared gallery caption list piece story group tv telecast broadcast""".split()
)

_YES_NO = re.compile(r"^(?:did|was|were|is|are|does|do|has|have|had|can|could|will|would)\b", re.I)
_WITH = re.compile(
    r"\b(?:with|alongside|beside|next to|together|along with|else|share[ds]?|same)\b|\bphotos?\b.*\b(?:of|with)\b", re.I
)
_PHOTO = re.compile(
    r"\b(?:photograph|photo|foto|pix|pictur|pose|posing|snap|pic|image|shot|seen|spotted|caught|caption|frame|gallery|backstage)\w*",
    re.I,
)
_CREDIT = re.compile(
    r"\b(?:who|which (?:photographer|agency)|what (?:photographer|agency)|whose)\b.{0,24}\b(?:(?:took|takes|captured|behind|got)\b"
    r".{0,30}\b(?:foto|photo|pic|picture|image|shot|snap|snapshot)|shot|snapped|photographed|credited)|\bphoto(?:graph)?(?:er)?(?:s|'s)? (?:of|for|who|credit|by)\b|\bphotographer\b|\bphoto credit\b|"
    r"\b(?:photo|picture|pic|image|shot)s? credited\b|\bcredit(?:ed)? for (?:the )?(?:photo|picture|image|shot)|"
    r"\b(?:outlet|agency|company)\b.{0,50}\b(?:shoot|shot|photograph\w*|credit\w*|photo|picture)\b|"
    r"\bwho took the\b.{0,20}\bclose.?up\b|\bworks? for (?:which|what)\b|"
    r"\b(?:photo|picture|image)\b.{0,50}\bcredit\b|\bwhich agency\b|\bwhat agency\b", re.I,
)  # fmt: skip
_BEING_SHOT = re.compile(
    r"\b(?:was|were|is|are|get|got|been|being)\b.{0,40}\b(?:photographed|pictured|snapped|shot|captured)\b", re.I
)
_SAY = re.compile(
    r"\bwhat (?:did|does|was|were|had|has)\b.{0,60}?\b(?:say|said|joke|tell|told|state|think|call|quip|remark|advise|advice|words?|"
    r"declare|admit|argue|quote|comment|thank)\b|\b(?:quote|words|said what|message|advice|comment|remark)\b|\bsay about\b", re.I,
)  # fmt: skip
_WROTE = re.compile(
    r"\b(?:who (?:wrote|authored|reported|penned|published)|author of|byline|written by|which (?:outlet|site|publication|website|"
    r"newspaper|magazine) (?:published|ran|wrote|covered)|who is the (?:author|writer|reporter))\b", re.I,
)  # fmt: skip
_ABOUT = re.compile(r"\b(?:talk|chat|speak|spoke|discuss|laugh|argue|joke|gossip)\w*\s+about\b")
_RECENT = re.compile(
    r"\b(?:last|this) (?:year|week|month|night|weekend|sunday)s?|years? ago|recent|latest|yesterday|tonight|today"
)
_WHEN = frozenset(
    "yesterday tonight today last this year years week weeks month night weekend sunday ago recent latest recently".split()
)
_PUBLISHED = re.compile(r"\b(?:published|posted|come out|came out|article dated|publication date)\b", re.I)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question taken apart. `noun` is what a what- or which-question asks for ("song"); `names` are its names."""

    kind: Kind
    text: str
    terms: tuple[Term, ...]
    names: tuple[Term, ...]
    noun: str | None
    event_only: bool
    negative: bool
    preposition: str | None = None
    verb: Term | None = None

    @property
    def hard(self) -> tuple[Term, ...]:
        """The terms that are not only the kind of answer asked for."""
        return tuple(t for t in self.terms if not t.soft)


def take_apart(query: Query, *, vocabulary: Vocabulary, names: Names) -> Asked:
    """Take a question apart against what the coverage found has in it."""
    text = plainly(query.text)
    for phrase, words in phrases():
        text = re.sub(rf"\b{re.escape(phrase)}\b", words.split()[0], text, flags=re.I)
    text = mend(
        text,
        frozenset(
            vocabulary.words | known_words() | names.words | PEOPLE | TITLES | AWARDS | ROLES | NAME_ROLES | _GENERIC
        ),
    )
    plain = _without_event(text, names)
    low = fold(plain)
    kind = kind_of(text)
    noun = _noun(low)
    found = _names(text, plain, vocabulary, names)
    found += _prizes(plain, {w for t in found for w in t.words})
    named = [w for t in found for w in t.words]
    terms: list[Term] = list(found)
    rest = list(tokens(plain))
    for w in named:
        if w in rest:
            rest.remove(w)
    for w in dict.fromkeys(rest):
        base = stem(w)
        if w in ("got", "get", "gets") and re.search(rf"\b{w} \w+(?:ed|en)\b", low):
            continue  # "got called out": a passive
        if w in STOP or re.fullmatch(r"(?:19|20)\d\d|\d", w) or (w in _WHEN and _RECENT.search(low)):
            continue
        soft = (
            w in _GENERIC
            or (base == (stem(noun) if noun else None) and noun not in ROLES)
            or (kind in ("with", "credit") and bool(_PHOTO.fullmatch(w)))
        )
        soft = soft or (
            kind == "credit"
            and w in ("photographer", "agency", "took", "shot", "credit", "credited", "photographers", "take")
        )
        soft = soft or (
            type_of(noun) is not None
            and re.search(rf"\b{re.escape(w)} {re.escape(noun or '')}\b", low) is not None
            and w not in named
        )
        soft = soft or (w in PEOPLE and base != "perform")
        soft = soft or (
            kind == "with"
            and w
            in (
                "stood",
                "stand",
                "stands",
                "posing",
                "pose",
                "next",
                "beside",
                "alongside",
                "side",
                "standing",
                "sitting",
                "seated",
                "else",
                "together",
            )
        )
        soft = soft or (
            w == "speech"
            and re.search(r"\b(?:in|of|during|from) (?:his|her|their|the|a)\b.{0,20}\bspeech", low) is not None
        )
        soft = soft or (kind == "say" and w in ("speech", "quote", "joke", "words", "say", "said", "comment"))
        soft = (
            soft
            or (kind == "when" and w in _HELD)
            or (
                kind == "where"
                and w
                in (
                    "held",
                    "place",
                    "venue",
                    "city",
                    "location",
                    "located",
                    "staged",
                    "take",
                    "took",
                    "hosted",
                    "played",
                    "happen",
                )
            )
        )
        terms.append(Term((w,), soft=soft, weight=(0.25 if soft else 1.0) * vocabulary.idf(w)))
    if kind in ("who", "what") and found and _together(low, [t for t in terms if not t.is_name]):
        kind = "with"
    if (
        kind == "who"
        and not found
        and all(t.soft or _PHOTO.fullmatch(t.words[0]) for t in terms)
        and _PHOTO.search(low)
    ):
        kind = "with"  # "who was photographed backstage at the 2024 VMAs"
    if kind == "with":
        terms = [replace(t, soft=True) if t.words[0] in _LIGHT and not t.is_name else t for t in terms]
    hard = [t for t in terms if not t.soft]
    low = _main_clause(low)
    did = re.match(
        r"(?:so |and )?(?:who|which (?:\w+ )?(?:artist|singer|rapper|band|group|star|player|team|person|actor|actress|celebrity))"
        r"(?: was| were| is| has| had| else| all| also| both| the)*\s+([a-z][\w]+)", low,
    )  # fmt: skip
    if (
        did is None
        and kind == "who"
        and found
        and (after := re.match(r"who(?:m)?\s+(?:else\s+)?(?:did|does|do)\s+(.*)", low))
    ):
        words_after = tokens(after.group(1))
        at_name = max((words_after.index(w) for t in found for w in t.words if w in words_after), default=-1)
        did_word = next(
            (w for w in words_after[at_name + 1 :] if any(t.words == (w,) and not t.is_name for t in hard)), None
        )
        verb = next((t for t in hard if t.words == (did_word,)), None)
    else:
        verb = None
    verb = (
        verb or next((t for t in hard if did and t.words == (did.group(1),) and not t.is_name), None)
        if kind == "who"
        else None
    )
    return Asked(
        verb=verb,
        kind=kind,
        text=text,
        terms=tuple(terms),
        names=tuple(found),
        noun=noun,
        event_only=not hard,
        negative=bool(
            re.search(
                r"\b(?:never|not|n't|without|omit|left out|leave out|forg[eo]t|snub\w*|lost|lose|miss(?:ed)?|fail\w*)\b",
                low,
            )
        ),
        preposition="about"
        if _ABOUT.search(low)
        else m.group(1)
        if (m := re.search(r"\b(about|on|for|from|to|with|of|by|in)\W*$", low))
        else None,
    )


def plainly(question: str) -> str:
    """Strip a question of what is not asked: greetings, asides, instructions; "w" is with, "whos hair" whose."""
    first, mark, rest = question.strip().partition("?")  # "when was it? the weekday is enough"
    text = (
        first + mark
        if len(first.split()) >= 3 and not re.search(r"\b(?:who|what|which|when|where)\b", rest, re.I)
        else question.strip()
    )
    text = re.sub(
        r"^(?:(?:omg|ok|okay|hey|hi|quiz|credit check|please|pls|plz|btw|so|um|well|and|i need)\b[:,!.\s]*)+",
        "",
        text,
        flags=re.I,
    )
    text = re.sub(
        r"[\s,]*\b(?:pls|plz|please|lol|omg|thanks|thx|again|yes or no|tell me|in total|that night|all \d)\W*$",
        "",
        text,
        flags=re.I,
    )
    text = re.sub(r",\s*the one\b.*$", "", text, flags=re.I)
    text = re.sub(r",?\s*\baccording to (?:the )?[\w'’ ]{2,30}(?=$|[?.,])", "", text, flags=re.I)
    text = re.sub(r"^(?:besides|apart from|other than|aside from)\b[^,]*,\s*", "", text, flags=re.I)
    text = re.sub(r"\bw/?(?=\s)", "with", text)
    text = re.sub(r"\bwhich [a-z]+?(?:['’]s|s['’]?) (?=[a-z]+ (?:did|was|is|were|does)\b)", "whose ", text, flags=re.I)
    text = re.sub(r"\bwhos(?=\s+[a-z]+\s+(?:did|was|is|were|does)\b)", "whose", text, flags=re.I)
    return text or question


def _main_clause(low: str) -> str:
    """ "When X won, whom did she thank" asks whom, not when."""
    m = re.match(
        r"(?:when|after|while|as|before|during)\b[^,?]*,\s*(?=(?:who|whom|what|which|where|how|did|was)\b)", low
    )
    return low[m.end() :] if m else low


_RELATIONS = (
    r"(?:son|daughter|kid|child|husband|wife|mother|father|mom|dad|sister|brother|partner|boyfriend|girlfriend)"
)


def _together(low: str, words: Sequence[Term]) -> bool:
    """A question who somebody was with, in words that a caption would not use ("who was X hanging with")."""
    if not re.search(
        r"\bwith\b|\bjoin(?:ed|s)?\b|\bnext to\b|\bbeside\b|\btwo (?:shots|pictures|photos|pics|snaps)\b|\bothers? in\b|\belse\b.{0,12}\bin (?:it|them|that)\b|\bmembers? of\b",
        low,
    ):
        return False
    asks = re.search(r"\b(?:who|whom|whos|everyone|everybody|others|names?|which|what)\b", low)
    return bool(asks) and all(t.soft or t.words[0] in _LIGHT or _PHOTO.fullmatch(t.words[0]) for t in words)


def _without_event(text: str, names: Names) -> str:
    for m in reversed(find_mentions(text, names, asked=True)):
        if re.search(r"\b(?:how many|number of|first|two|three|any)\s+$", text[: m.start], re.I):
            continue  # "how many Grammys": the prize, not the occasion
        before = re.sub(
            r"(?:\b(?:at|in|of|from|for|during)\s+)?(?:\bthe\s+)?(?:\b(?:19|20)\d\d\s+|\b\d+(?:st|nd|rd|th)\s+|['’]\d\d\s+)?(?:annual\s+)?(?:MTV\s+)?$",
            " ",
            text[: m.start],
            flags=re.I,
        )
        text = before + " " + re.sub(r"^['’]s\b", "", text[m.end :])
    return re.sub(r"\s+", " ", text).strip()


def kind_of(text: str) -> Kind:
    """Tell what kind of answer a question asks for."""
    return _kind(text, _main_clause(fold(text)))


def _kind(text: str, low: str) -> Kind:
    if _WROTE.search(low):
        return "written"
    if (
        re.search(r"\b(?:which|what) (?:outlet|site|publication|website|newspaper|magazine)\b", low)
        and not _PHOTO.search(low)
        and not re.search(r"\bshoot|\blist\b", low)
    ):
        return "written"
    if re.search(r"\b(?:shot|photographed|taken|snapped|captured) by\W*$", low):
        return "credit"
    if _CREDIT.search(low) and not _BEING_SHOT.search(low):
        return "credit"
    if re.search(r"\bhow (?:many|much|old|long|tall|big|far|often)\b|\bnumber of\b", low):
        return "how_many"
    if _SAY.search(low) and not re.match(r"who\b", low):
        return "say"
    noun = _noun(low)
    who = (
        re.search(r"\b(?:who|whom|whose|whos)\b", low)
        or (noun in PEOPLE | ROLES and noun not in _GROUP_NOUNS)
        or re.match(
            r"(?:list|name)\b.{0,12}\b(?:performers?|artists?|acts|singers?|members?|people|stars|celeb\w*)\b", low
        )
        or re.search(
            r"\bwith (?:which|what)\b.{0,16}\b(?:person|people|artists?|stars?|singers?|men|women|rappers?)\b", low
        )
    )
    who = who or re.search(rf"\b{_RELATIONS}\b.{{0,12}}\b(?:called|named)\b|\battribute\b", low)
    if (
        who
        and _PHOTO.search(low)
        and (_WITH.search(low) or re.search(r"\bin the\b.{0,20}\b(?:photo|pic|image|shot|caption)", low))
    ):
        return "with"
    if who and re.search(r"\b(?:next to|beside|alongside|side by side|standing with|sitting with|seated with)\b", low):
        return "with"
    if re.search(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day or\b", low):
        return "when"
    if (
        re.match(
            r"when\b|(?:on |at |in |by )?(?:which|what) (?:[a-z]+ ){0,2}(?:date|day|time|year|month|weekday|night|evening)\b",
            low,
        )
        or re.search(r"\b(?:which|what) (?:day of the week|weekday)\b", low)
        or re.search(r"\bwhen\b\W*$|\bdate\b\W*$|\bdate of\b|\bwhat (?:day|date|year)\b", low)
    ):
        return "when"
    if re.match(r"where\b", low) or re.search(
        r"\b(?:which|what) (?:[a-z]+ )?(?:venue|city|place|arena|stadium|location|theater|theatre)\b", low
    ):
        return "where"
    if re.match(r"why\b|how come\b|for what reason|what (?:was )?the reason", low):
        return "why"
    if who:
        return "who"
    if re.match(r"how\b", low):
        return "how"
    if _YES_NO.match(low):
        return "yes_no"
    if re.search(r"\b(?:what|which)\b", low):
        return "what"
    if re.search(r"(?:['’]s|s['’])\s+[a-z]+\W*$", low) and not re.search(
        r"\b(?:name|song|award|album|speech)\W*$", low
    ):
        return "who"
    if re.search(
        r"\b(?:winner|host|presenter|performer|photographer|husband|wife|son|father|mother|editor|performers|lineup)s?\b",
        low,
    ):
        return "who"
    return "what"


_GROUP_NOUNS = frozenset("band group duo trio team".split())


def _noun(low: str) -> str | None:
    m = re.search(
        r"\b(?:what|which|name (?:of )?(?:the|a)?)\s+(?:(?:of his|of her|of their|of the|was|were|is|are|the|other|two|three|new|first|kind of|type of)\s+)*([a-z][\w-]+)(?:\s+([a-z][\w-]+))?",
        low,
    )
    if not m:
        return None
    first, second = m.group(1), m.group(2)
    for w in (second, first):
        if w and type_of(w):
            return w
    return first if first not in STOP else None


_NOUN_STEMS = frozenset(stem(w) for w in (*TITLES, *AWARDS, *PEOPLE))


def _names(text: str, plain: str, vocabulary: Vocabulary, names: Names) -> list[Term]:
    """Names of the question: those the coverage has, in any case, and those written with capitals that it lacks."""
    words = tokens(plain)
    stems = [stem(w) for w in words]
    found: list[Term] = []
    taken: set[int] = set()
    for parts in sorted(vocabulary.names, key=lambda p: (-len(p), p)):
        want = [stem(p) for p in parts]
        k = len(want)
        if k == 1 and (
            parts[0] in STOP
            or stem(parts[0]) in vocabulary.lower_stems
            or parts[0] in _GENERIC
            or len(parts[0]) < 3
            or want[0] in _NOUN_STEMS
        ):
            continue
        for i in range(len(stems) - k + 1):
            if stems[i : i + k] == want and not taken & set(range(i, i + k)):
                taken |= set(range(i, i + k))
                found.append(Term(tuple(words[i : i + k]), is_name=True, weight=1.5))
    spans = [(m.start, m.end) for m in find_mentions(text, names, asked=True)]
    quoted = [m.span() for m in re.finditer(r"[\"“”][^\"“”]+[\"“”]", text)]
    shouted = sum(c.isupper() for c in text) > 0.5 * max(1, sum(c.isalpha() for c in text))
    titled = (
        sum(w[0].isupper() for w in text.split() if w[0].isalpha()) > 0.7 * max(1, len(text.split()))
        and len(text.split()) > 3
    )
    if not shouted and not titled:
        for n in find_names(text):
            inside = any(s < n.end and n.start < e for s, e in spans) or any(s <= n.start < e for s, e in quoted)
            at = [i for i, w in enumerate(words) if w in tokens(n.text)]
            if (n.start == 0 and (" " not in n.text)) or inside or not at or set(at) & taken:
                continue
            if all(words[i] in vocabulary.lower or words[i] in STOP for i in at):
                continue  # "Best New Artist", "Song of the Year": words that the coverage also has in lower case
            taken |= set(at)
            found.append(Term(tuple(words[i] for i in at), is_name=True, weight=1.5))
    cased = any(c.isupper() for c in plain[1:])
    for parts in sorted(vocabulary.names):  # "Carson" of Carson Daly, "Miley" of Miley Cyrus
        part_stems = {stem(p) for p in parts}
        if part_stems & (_NOUN_STEMS | thesaurus().keys()):
            continue  # "Video Vanguard Award", "The Kid LAROI": the parts are words like others
        for i, s in enumerate(stems):
            common = words[i] in STOP or words[i] in _GENERIC or s in vocabulary.lower_stems or words[i].isdigit()
            if i in taken or len(words[i]) < 3 or s not in part_stems or common or s in thesaurus():
                continue
            if cased and not re.search(rf"\b{re.escape(words[i][:1].upper() + words[i][1:3])}", plain):
                continue
            taken.add(i)
            whole = [
                p
                for p in vocabulary.names
                if len(p) > 1 and words[i] in (p[0], p[-1]) and not {stem(x) for x in p} & thesaurus().keys()
            ]
            full = whole[0] if len({frozenset(p) for p in whole}) == 1 else (words[i],)
            found.append(Term(full, is_name=True, weight=1.5))
    return found


PRIZE = re.compile(
    r"\bbest(?:\s+[a-z&-]+){1,3}|\b[a-z]+ of the (?:year|summer|night|match|tournament|decade|century)\b", re.I
)


def _prizes(text: str, taken: set[str]) -> list[Term]:
    """A prize that a question names must be named whole: "best pop" is not met by a best picture and pop music."""
    out = []
    for m in PRIZE.finditer(text):
        words = tokens(m.group())
        if words[0] == "best":
            end = next((i for i, w in enumerate(words) if i and (w in STOP or w in _NOTPRIZE)), len(words))
            words = words[:end]
        if len(words) > 1 and not set(words) & taken:
            out.append(Term(tuple(words), is_name=True, weight=1.5))
    return out


_NOTPRIZE = frozenset(
    "friend friends moment moments photo photos part thing award winner winners host quote known dressed".split()
)


def is_event_date(asked: Asked) -> bool:
    """Tell whether a when-question asks for the day of the event itself."""
    return asked.kind == "when" and asked.event_only and not asks_clock(asked)


def asks_clock(asked: Asked) -> bool:
    """Tell whether a when-question asks for the time of day."""
    return asked.kind == "when" and bool(_ASKS_CLOCK.search(asked.text))


_ASKS_CLOCK = re.compile(r"\b(?:what|which)(?: exact)? (?:time|hour)\b(?! of (?:the )?year)|\bwhat o'?clock\b", re.I)


def asks_published(asked: Asked) -> bool:
    """Tell whether a question asks when an article was published."""
    return bool(_PUBLISHED.search(asked.text))


def type_of(noun: str | None) -> str | None:
    """Return "title", "award" or "person" for the noun of a what-question."""
    if noun is None:
        return None
    singular = re.sub(r"ies$", "y", noun) if noun.endswith("ies") else re.sub(r"s$", "", noun)
    for kind, group in (("title", TITLES), ("award", AWARDS), ("person", PEOPLE | ROLES)):
        if noun in group or singular in group:
            return kind
    return None


def all_names(texts: Sequence[str]) -> list[str]:
    """Every name in some texts, once."""
    return list(dict.fromkeys(n.text for t in texts for n in find_names(t)))
