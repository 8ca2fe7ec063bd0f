"""What the coverage holds, to look around in: a page an event, a timeline, and who is seen with whom.

Everything shown is read off the articles by rules of form and can be opened where it stands: a sighting is an exact span
of an article. In a caption everybody named is together; in a sentence only those who are said to be ("posed with",
"A and B hugged"). Precision comes first: a sentence that could be read otherwise is left out.

What it does not know: faces, grammar beyond these forms, who shares a name with whom in two articles.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations, pairwise, product
from typing import TYPE_CHECKING, Literal

from rag.answer.sentences import split_sentences
from rag.answer.span import AWARD, QUOTED, belongs
from rag.ingest.clean import blocks, is_credit
from rag.ingest.events import MONTHS, WEEKDAYS, find_mentions, load_names
from rag.ingest.names import ROLES, find_names, fold
from rag.types import Article, Event

if TYPE_CHECKING:
    from rag.store.library import Library

SightingKind = Literal["caption", "sentence"]
MomentKind = Literal["held", "published"]
PEOPLE = 40  # of a view, at most
MOST_ARTICLES = 200  # read for one view; about 5 ms each
_ITS_OWN = 60  # characters: a longer caption that stands in two pieces is of one picture

# --- what an event has ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of coverage: its longest copy and the other ones; `published` is the earliest day printed on any."""

    article: Article
    copies: tuple[Article, ...] = ()
    published: date | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """All that the library has of one edition: pieces, newest first, and what they add up to.

    `articles` counts copies, `len(pieces)` does not; `captions` counts the picture captions of the pieces.
    """

    event: Event
    pieces: tuple[Piece, ...]
    articles: int
    captions: int
    outlets: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A day on the timeline: an event was held, or a piece was published (None: on no known day).

    `article_id` is the piece's, "" for a day an event was held; `copies` counts the articles that carry the piece.
    """

    day: date | None
    kind: MomentKind
    event: Event | None
    article_id: str = ""
    title: str = ""
    outlet: str | None = None
    copies: int = 1


def pieces_of(articles: Iterable[Article]) -> tuple[Piece, ...]:
    """Group articles into pieces by their cluster, newest first, undated ones last."""
    by_cluster: dict[str, list[Article]] = {}
    for a in articles:
        by_cluster.setdefault(a.cluster or a.id, []).append(a)
    out = []
    for group in by_cluster.values():
        main, *copies = sorted(group, key=lambda a: (-len(a.text), a.id))
        days = [a.published for a in group if a.published]
        out.append(Piece(main, tuple(copies), min(days) if days else None))
    return tuple(
        sorted(out, key=lambda p: (-(p.published or date.min).toordinal(), fold(p.article.title), p.article.id))
    )


def event_page(library: Library, key: str, edition: str | None) -> EventPage | None:
    """Gather what the library has of an event and edition (None or "": articles that say no edition); None when nothing."""
    found = next((e for e, _ in library.events() if e.key == key and (e.edition or "") == (edition or "")), None)
    if found is None:
        return None
    articles = list(library.articles_by_id(_about(library, key, edition)).values())
    pieces = pieces_of(articles)
    days = [a.published for a in articles if a.published]
    outlets = Counter(a.outlet for a in articles if a.outlet)
    return EventPage(
        event=found,
        pieces=pieces,
        articles=len(articles),
        captions=sum(len(captions_of(p.article)) for p in pieces),
        outlets=tuple(sorted(outlets, key=lambda o: (-outlets[o], o))),
        first=min(days, default=None),
        last=max(days, default=None),
    )


def timeline(library: Library, *, event: str | None = None, edition: str | None = None) -> tuple[Moment, ...]:
    """Put the days that events were held and pieces were published in order of time; undated pieces come last.

    `event` and `edition` keep to one page's (edition None or "": articles that say none); without `event`, everything.
    """
    if event is None:
        articles: Iterable[Article] = library.articles()
    else:
        articles = library.articles_by_id(_about(library, event, edition)).values()
    events = [
        e for e, _ in library.events() if event is None or (e.key == event and (e.edition or "") == (edition or ""))
    ]
    return moments_of(pieces_of(articles), events)


def moments_of(pieces: Iterable[Piece], events: Iterable[Event]) -> tuple[Moment, ...]:
    """Turn events and pieces into moments, in order of time."""
    out = [Moment(e.start, "held", e, title=e.label) for e in events if e.start]
    for p in pieces:
        a = p.article
        out.append(Moment(p.published, "published", a.event, a.id, a.title, a.outlet, 1 + len(p.copies)))
    return tuple(sorted(out, key=lambda m: (m.day or date.max, m.kind != "held", fold(m.title), m.article_id)))


def _about(library: Library, key: str, edition: str | None) -> list[str]:
    """Ids of the articles whose main event it is, in this edition (None or "": in none that they say)."""
    sql = "SELECT article_id FROM article_events WHERE main = 1 AND key = ? AND edition IS ?"
    return sorted({str(r[0]) for r in library.rows(sql, (key, edition or None))})


# --- seen with --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sighting:
    """A caption or sentence that shows people together: `article.text[start:end] == quote`.

    `names` are those who are together, in full as the article has them, in the order of the quote; `held` is the day of
    the event that the article is about.
    """

    article_id: str
    start: int
    end: int
    quote: str
    kind: SightingKind
    names: tuple[str, ...]
    published: date | None = None
    outlet: str | None = None
    event: str | None = None
    held: date | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people, in alphabetical order, with where they are seen together: captions first, the newest first."""

    a: str
    b: str
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with the number of sightings in company, and of people in it."""

    name: str
    sightings: int
    partners: int


@dataclass(frozen=True, slots=True)
class SeenWith:
    """People seen together, the most often seen first.

    `person` is whom it is about, by the name that the coverage uses, None for a view of all. `articles` counts what was
    read, `unread` the articles that might say more; `more_people` those beyond the limit.
    """

    people: tuple[Person, ...] = ()
    pairs: tuple[Pair, ...] = ()
    person: str | None = None
    articles: int = 0
    unread: int = 0
    more_people: int = 0


def seen_with(
    library: Library,
    *,
    event: str | None = None,
    edition: str | None = None,
    person: str | None = None,
    people: int = PEOPLE,
) -> SeenWith:
    """Find who is seen with whom: in the coverage of an event and edition, around one person, or anywhere.

    At most MOST_ARTICLES articles are read: those about the event, those that name the person, or those with the most
    captions and words of company; the newest where that does not decide.
    """
    ids = None if event is None else _about(library, event, edition)
    if person is not None:
        naming = _naming(library, person)
        ids = naming if ids is None else sorted(set(ids) & set(naming))
    if ids is None:
        ids = _promising(library)
    kept = _newest(library, ids)
    found = group_sightings(sightings_in(library.articles_by_id(kept).values()), person=person, people=people)
    return replace(found, articles=len(kept), unread=len(ids) - len(kept))


def _newest(library: Library, ids: Sequence[str]) -> list[str]:
    """Keep MOST_ARTICLES of the ids, those published last."""
    if len(ids) <= MOST_ARTICLES:
        return list(ids)
    day_of = {str(r[0]): str(r[1] or "") for r in library.rows("SELECT id, published FROM articles")}
    return sorted(ids, key=lambda i: (day_of.get(i, ""), i), reverse=True)[:MOST_ARTICLES]


def _naming(library: Library, person: str) -> list[str]:
    """Ids of the articles that have the name as a phrase, whatever its case and accents."""
    words = re.findall(r"\w+", person)
    if not words:
        return []
    return _matching(library, '"' + " ".join(words) + '"')


def _promising(library: Library) -> list[str]:
    """Ids of all articles with captions, or with words that say who was with whom."""
    captioned = {str(r[0]) for r in library.rows("SELECT DISTINCT article_id FROM chunks WHERE kind = 'caption'")}
    words = ("posed with", "pose with", "hugged", "embraced", "arm in arm", "hand in hand", "alongside", "backstage", "chatted with")  # fmt: skip
    return sorted(captioned | set(_matching(library, " OR ".join(f'"{w}"' for w in words))))


def _matching(library: Library, query: str) -> list[str]:
    sql = "SELECT DISTINCT article_id FROM chunks WHERE n IN (SELECT rowid FROM chunks_fts WHERE chunks_fts MATCH ?)"
    return sorted(str(r[0]) for r in library.rows(sql, (f"text : ({query})",)))


def sightings_in(articles: Iterable[Article]) -> list[tuple[str, Sighting]]:
    """Find the sightings of articles with the cluster of each; where copies show two people, the longest copy counts."""
    out: list[tuple[str, Sighting]] = []
    for piece in sorted(pieces_of(articles), key=lambda p: p.article.id):
        known: set[frozenset[str]] = set()
        for article in (piece.article, *piece.copies):
            new: set[frozenset[str]] = set()
            for s in sightings(article):
                pairs = {frozenset((_key(a), _key(b))) for a, b in combinations(s.names, 2)}
                if pairs - known:
                    out.append((piece.article.cluster, s))
                    new |= pairs
            known |= new
    return out


def group_sightings(
    found: Sequence[tuple[str, Sighting]], *, person: str | None = None, people: int = PEOPLE
) -> SeenWith:
    """Turn sightings into pairs and people; `person` keeps to the pairs of one, `people` limits how many are kept."""
    spelled: dict[str, Counter[str]] = {}
    pairs: dict[tuple[str, str], list[Sighting]] = {}
    from_cluster: dict[tuple[str, str], dict[str, str]] = {}
    first_in: dict[tuple[str, str, str], str] = {}
    want = _key(person) if person is not None else None
    for cluster, s in found:
        for name in s.names:
            spelled.setdefault(_key(name), Counter())[name] += 1
        for one, other in combinations(sorted({_key(n) for n in s.names}), 2):
            told = (one, other, fold(s.quote))
            if len(s.quote) > _ITS_OWN and first_in.setdefault(told, s.article_id) != s.article_id:
                continue  # one picture that several pieces carry
            # copies of a piece may both show them: what the first copy has counts
            if from_cluster.setdefault((one, other), {}).setdefault(cluster, s.article_id) == s.article_id:
                pairs.setdefault((one, other), []).append(s)
    if want is not None:
        pairs = {k: v for k, v in pairs.items() if want in k}
    partners: dict[str, set[str]] = {}
    seen_in: dict[str, set[tuple[str, int]]] = {}
    for (one, other), where in pairs.items():
        for mine, theirs in ((one, other), (other, one)):
            partners.setdefault(mine, set()).add(theirs)
            seen_in.setdefault(mine, set()).update((s.article_id, s.start) for s in where)
    name_of = {k: max(c, key=lambda n: (c[n], n != n.upper(), n)) for k, c in spelled.items()}
    ranked = sorted(partners, key=lambda k: (k != want, -len(seen_in[k]), -len(partners[k]), k))
    kept = set(ranked[: max(2, people)])
    shown = sorted(
        ((k, v) for k, v in pairs.items() if kept.issuperset(k)), key=lambda p: (-len(p[1]), -_captions(p[1]), p[0])
    )
    return SeenWith(
        people=tuple(Person(name_of[k], len(seen_in[k]), len(partners[k])) for k in ranked if k in kept),
        pairs=tuple(Pair(name_of[a], name_of[b], tuple(sorted(v, key=_order))) for (a, b), v in shown),
        person=name_of.get(want, person) if want is not None else None,
        more_people=len(ranked) - len(kept),
    )


def _captions(found: Sequence[Sighting]) -> int:
    return sum(s.kind == "caption" for s in found)


def _order(s: Sighting) -> tuple[bool, int, str, int]:
    return (s.kind != "caption", -(s.published or date.min).toordinal(), s.article_id, s.start)


def _key(name: str) -> str:
    """A name for comparing: case, accents and full stops folded."""
    return " ".join(re.findall(r"[^\W_]+", fold(name).replace("'", "").replace(".", "")))


# --- one article ------------------------------------------------------------------------------------------------------

_OF_WHOM = re.compile(
    r"\s+(?:alum|fans?|star|concert|show|tour|albums?|songs?|film|movie|series|jersey|shirt|gown|hat|officials?|police|spokes\w+|foes|allies|aides|supporters|critics|backers|loyalists|family|administration|campaign)\b"
)
_LONG_CAPTION = 240  # characters: longer ones tell a story, and are read as sentences
_CAPTION_WORDS = 18  # beside the names
_NEAR = 60  # characters before and behind a name that can say what it is
_BODY = r"(?:shoulder|cheek|arm|hand|hair|lap|waist|face|head|neck|back|ear|knee|side|nose|forehead)s?"
_OF_THE_BODY = re.compile(rf"['’]s?\s+(?:[\w-]+\s)?{_BODY}\b")
_NOT_IN_PICTURE = re.compile(
    r"\b(?:statue|portrait|poster|cut-?out|wax|mural|impersonator|look-?alike|dressed (?:up )?as|costume|tribute|logo|doll|"
    r"signs? (?:for|of|with)|fans? of|supporters? of|in memory|remember\w*|late|without|instead|not|no|file photo|"
    r"wearing an?|jersey|shirt|screen|album|cover of)\b",
    re.I,
)
_PLACED = re.compile(
    r"\b(?:in|near|outside|inside|during|from|across|around|via|the|wearing|wears|wore|vs|versus|"
    r"(?<!smile )(?<!smiles )(?<!smiling )(?<!looks )(?<!looking )(?<!waves )(?<!waving )(?<!laughs )(?<!laughing )at)\.?\s+$"
)
_LOOSE = re.compile(r"\b(?:on|onto|for|after|before|against|towards?|about|under|over|than)\s+$")
_OF_SOMEBODY = re.compile(r"[A-Z][\w’'-]*\s+of\s+$")
_FAMILY = re.compile(r"\b(?:sister|brother|sibling|twin|famil|couple|married|spouse)", re.I)
_PLACE_FIRST = frozenset("new north south east west los las san santa el saint st fort mount lake port cape costa puerto hong saudi sri great northern southern eastern western grand george united upper lower central old downtown super".split())  # fmt: skip
_NO_PERSON = frozenset(
    """ministry prev next cottage markets food air lines stores airways motors holdings slam academy actor actress afc agency airlines airport album albums alliance america american arena army artist artists
    assembly association athletic avenue award awards bank bar beach best billboard boulevard bowl bridge brothers
    building bureau cafe campus capitol carpet castle cathedral center central centre challenge championship
    championships channel city classic club coalition coast collab college comedy commission committee company
    conference congress convention corp council county court cup department derby disney district dodgers eagles
    emmy emmys entertainment express facebook factory fair fashion fc federation festival film filmmagic films
    final finals force foundation friday fund gala gallery games garden gardens getty globe globes government
    grammy grammys group guard guild hbo heights hills honors hospital hotel house images inc industries instagram
    institute international island islands journal kingdom korea lab lakers league library lounge magazine mall
    marathon medal media memorial mountain museum music nation national nations navy nba netflix network news nfl
    night office olympics open opera orchestra organization oscar oscars pageant palace parliament party photo
    photos pictures plaza police policy port premiere president press prix prize productions radio railway record
    records red region republic resort restaurant reuters review revue river room rovers royals school sea series
    service show shutterstock society song south speedway spotify square stadium states station street studio
    studios summit sunday supreme team teens theater theatre tiktok times today tonight tony tour tower trail
    trophy trust tv twitter union united university valley variety veterans video village vmas vogue voice vs
    wanderers warriors wars week weekly west wireimage world yankees yard year york youtube zoo""".split()
)
_NEVER = frozenset(
    """i ok vip tv us usa uk eu un l r l-r left right top bottom center above below inset clockwise mom dad mum mama papa
    christmas easter halloween god jesus sir madam english spanish internet covid covid-19 afrobeats hollywood broadway paris
    london tokyo rome milan berlin madrid chicago boston miami dallas houston atlanta seattle denver detroit vegas brooklyn
    manhattan california texas florida nevada arizona georgia ohio africa asia europe america kyiv moscow beijing davos
    cannes venice nashville coachella glastonbury lollapalooza wembley wimbledon black white american americans republican republicans democrat democrats
    catholic christian jewish muslim""".split()
)
_PEOPLE_TOO = frozenset("milan paris georgia dallas houston brooklyn rome denver london".split())  # also given names
_LEADING = frozenset(
    """pregnant newlywed newlyweds sister sisters brother brothers twins siblings smiling singers actors rappers actresses
    stars hosts presenters winners nominees mr mrs ms dr sen rep gov gen sir dame late former future fellow close-up exes
    parents spouses friends pals wife husband son daughter couple duo trio musicians designers models comedians
    alongside joining featuring crown left right centre center top bottom clockwise inset front row""".split()
)
_TITLES = ROLES | frozenset(
    """rep sen gov dr mr mrs ms sir dame congressman congresswoman minister chancellor ceo gm executive auditor councilwoman
    councilman commissioner sheriff justice attorney general deputy undersecretary gen col maj affairs plaintiff defendant suspect survivor victim chef lt sgt correspondent anchor spokesperson
    then-president then-prince us u.s ex-president""".split()
)
_STYLED = frozenset("prince princess king queen pope duke duchess lord lady sir dame".split())  # part of the name
_NO_SURNAME = (_TITLES - ROLES) | frozenset(
    "minister president secretary governor director analyst manager officer captain photographer ap afp reuters getty cnn".split()
)
_CREDITED = frozenset("ap afp reuters cnn epa getty images bbc abc nbc cbs nbcuniversal mtv espn".split())
_PLACES_OF = frozenset(
    "hall house bank board court city state department university gulf isle tower church school day son".split()
)
_TITLED = _STYLED | {"president", "rapper", "singer"}
_KIN = (
    r"(?:husband|wife|son|daughter|mother|father|mom|dad|mum|brother|sister|twin|cousin|nephew|niece|uncle|aunt|grandmother|"
    r"grandfather|boyfriend|girlfriend|partner|fianc[eé]e?|spouse|friend|pal|bestie|bandmate|co-star|costar|teammate|"
    r"collaborator|date|colleague|counterpart|child|kid|baby|editor|stylist|co-host|"
    + "|".join(sorted(w for w in ROLES if w.isalpha()))
    + r")(?:s|ren)?"
)
_BEFORE_ROLE = r"(?:(?:also|her|his|their|the|a|an|both|fellow|former|longtime|then|teen|teenage|young|elder|younger|older|eldest|two|three|four|other|real-life|on-screen|late-night)\s+){0,3}(?:[a-z-]+\s+)?"
_JOINER = re.compile(rf"(?:\s*+(?:,(?:\s++and|\s*+&)?|&)|\s++and)\s++(?:(?:{_BEFORE_ROLE}{_KIN}|her|his|their),?\s+)?")
_TWO_CAPITALS = re.compile(r"[^\W\d_a-z].*?\s[^\W\d_a-z]", re.S)
_LOWER = re.compile(r"(?<![\w’'-])[a-z][\w’'-]+")
_SOMEWHERE = re.compile(r"\b(?:in|at|near|from|of|the) ([A-Z][\w’'-]+)")
_SELF = frozenset(("i", "i've", "i'm", "i'd", "i'll"))
_STYLED_BEHIND = re.compile(r",\s+(?:the\s+)?(?:Prince|Princess|Duke|Duchess|Queen|King|Countess|Earl)\b")
_NICK = re.compile(r"\s[\"“(](?P<nick>[A-Z][\w’'-]+)[\"”)]\s")

# A sentence is read as a skeleton: every run of names ("A, B and C") stands as one mark, quotations are blanked.
_OPEN, _SHUT = "\ue000", "\ue001"
_MARK = rf"{_OPEN}(\d+){_SHUT}"
_W = rf"[^\s{_OPEN}{_SHUT},;:.!?()—–]+"  # a word that is nobody, and no stop
_ASIDE = rf"(?:\s*\([^(){_OPEN}]{{1,60}}\)|,\s[^,;:—–{_OPEN}]{{1,60}},)?"
_ADVERB = r"(?:\w+ly|also|both|all|then|later|even|once|again|have|has|had|were|was|are|is|being|been|just|still|finally|often|backstage|onstage|who)"
_TO_ARG = r"(?:(?:(?:two|three|four|some|one|both) of (?:her|his|their) )?[^\W\d_][^\W\d_’'-]*,?\s+|[—–]\s*(?=(?:her|his|their)\b))"  # "her friends", "her son,"
_ARG = rf"\s+(?:(?!(?:of|in|at|for|from|to|on|about|by|that|who|which|and|or|not|as|the|while|when|whose|than)\b){_TO_ARG}){{0,6}}?{_MARK}(?!['’]s?\b(?!\s+{_BODY}))"
_ARTICLE = r"(?:a|an|the|some|their|his|her|this|that|one|another)"
_MEETING = (
    r"(?:pos(?:e|ed|es|ing)|str(?:ike|ikes|iking|uck) an?(?: \w+)? pose|chat(?:s|ted|ting)?|(?:catch(?:es|ing)?|caught) up|"
    r"danc(?:e|ed|es|ing)|duet(?:s|ted|ting)?|laugh(?:s|ed|ing)?|cuddl(?:e|es|ed|ing)|coz(?:y|ied|ying) up|"
    r"mingl(?:e|ed|es|ing)|h[au]ng(?:s|ing)? out|hobnobb?(?:ed|ing)?|reunit(?:e|ed|es|ing)|part(?:y|ied|ying)|"
    r"(?:hold|held|holding|holds) hands|(?:share|shared|shares|sharing) (?:a|an|the|some) (?:[\w-]+ ){0,3}?(?:moment|hug|laugh|kiss|stage|embrace|"
    r"dance|duet|smile|smooch|drink|meal|joke|giggle|chat|selfie|photo)|crack(?:s|ed|ing) up|goof(?:s|ed|ing) around|"
    r"s[ai]t(?:s|ting)?(?: down)?|seated|st(?:ood|and|ands|anding)|arriv(?:e|ed|es|ing)|walk(?:s|ed|ing)?|stroll(?:s|ed|ing)?|"
    r"(?:step|stepped|stepping|steps) out|attend(?:s|ed|ing)?|(?:show|showed|shows|showing) up|"
    r"perform(?:s|ed|ing)?|s[aiu]ng|singing|sings|(?:take|took|takes|taking|hit|hits|hitting) the (?:stage|red carpet|carpet)|"
    r"celebrat(?:e|ed|es|ing)|toast(?:s|ed|ing)?|photographed|pictured|snapped|spotted|seen|"
    r"(?:take|took|takes|taking|snap|had) (?:a |an |some |the |her |his |their )?(?:[\w-]+ )?(?:photos?|pictures?|selfies?)(?: taken)?|stopp?(?:ed|s|ing)? for (?:a|some) (?:[\w-]+ )?(?:chat|photo|picture|selfie|hug)s?|"
    r"lin(?:ed|es|ing) up for (?:a|some) (?:photo|picture|selfie)s?|got the giggles|work(?:s|ed|ing)? (?:her|his|their) angles|"
    r"met(?: up)?|meets?(?: up)?|(?:(?<=\bis )|(?<=are )|(?<=was )|(?<=were )|(?<=pictured )|(?<=seen ))meeting|hugg(?:ed|ing)|embrac(?:ed|ing)|talk(?:ed|ing)|dined|dining|(?:have|has|had) (?:a |an )?(?:[\w-]+ )?(?:chat|catch-up|lunch|dinner|drinks?))"
)
_BESIDE = r"(?:with|alongside|beside|next to|together with|side by side with|arm in arm with|hand in hand with)"
_WITH = re.compile(rf"{_MARK}{_ASIDE}(?P<gap>(?:\s+{_W}){{0,8}}?)\s+(?P<verb>{_MEETING})(?P<mid>(?:\s+{_W}){{0,6}}?)\s+{_BESIDE}{_ARG}")  # fmt: skip
_NEXT = re.compile(rf"{_MARK}(?P<gap>(?:\s+{_W}){{0,8}}?)\s+(?P<verb>beside|next to|side by side with|arm in arm with|hand in hand with){_ARG}")  # fmt: skip
_AMONG = re.compile(
    rf"\b(?:[Ss]he|[Hh]e|[Tt]hey)\b(?P<gap>(?:\s+{_W}){{0,4}}?)\s+(?P<verb>{_MEETING})(?P<mid>(?:\s+{_W}){{0,4}}?)\s+{_BESIDE}{_ARG}"
)
_TOUCH = re.compile(
    rf"{_MARK}{_ASIDE}(?P<gap>(?:\s+{_W}){{0,6}}?)\s+(?P<verb>hugg(?:ed|ing)|hugs|embrac(?:ed|es|ing)|kiss(?:ed|es|ing)|high-fiv(?:ed|es|ing)|"
    rf"greet(?:ed|s|ing)|serenad(?:ed|es|ing)|(?:ran|runs|running|bumped|bumping) into|(?:brought|brings|bringing) (?:along|out)|"
    rf"danced with|talk(?:ed|ing|s) to|chatt(?:ed|ing) to){_ARG}"
)
_JOINED = re.compile(
    rf"{_MARK}(?P<gap>{_ASIDE}(?:\s+{_W}){{0,4}}?,?)\s+(?P<verb>joined|accompanied|flanked|escorted)(?P<mid>(?:\s+{_W}){{0,4}}?)\s+by{_ARG}(?! in \w+ing)"
)
_CAME_WITH = re.compile(
    rf"{_MARK},?\s+(?P<verb>alongside|together with|with (?:her|his|their) (?:[a-z-]+ )?{_KIN},?){_ARG}(?=(?P<rest>[^;:—–]*))"
)
_FORMS = (_WITH, _NEXT, _TOUCH, _JOINED, _CAME_WITH, _AMONG)
_EACH_OTHER = r"\b(?:together|side by side|each other(?!['’])|one another(?!['’])|hand in hand|arm in arm)\b"
_END_OF_IT = r"(?=\s*(?:[,.;:!?—–)]|$|(?:on|in|at|as|after|before|during|while|backstage|onstage|and|outside|following|with|for|together)\b))"
_BOTH = re.compile(
    rf"{_MARK}{_ASIDE},?(?P<gap>(?:\s+{_ADVERB}){{0,3}})\s+(?P<verb>pos(?:e|ed|es|ing)|str(?:ike|uck|iking) a(?: \w+)? pose|"
    rf"(?:hug(?:ged|ging)?|embrac(?:e|ed|ing)|kiss(?:ed|ing)?){_END_OF_IT}|chat(?:ted|ting)?|cuddl(?:e|ed|ing)|reunit(?:e|ed|ing)|s[ai]t(?:ting)?|"
    rf"stroll(?:ed|ing)?|walk(?:ed|ing)? (?:\w+ )?the(?: \w+)? carpet|(?:step|stepped|stepping) out|duetted|held hands|danc(?:e|ed|ing)|"
    rf"(?:share|shared|sharing) (?:a|an|the|some) (?:[\w-]+ ){{0,3}}?(?:moment|hug|laugh|kiss|stage|embrace|dance|duet|smile|joke|chat|selfie|photo))\b"
)
_TOGETHER = (
    r"(?:pos(?:e|ed|es|ing)|pose|danc\w+|laugh\w*|smil\w+|s[ai]t(?:ting)?|seated|st(?:ood|and|anding)|arriv\w+|walk\w*|stroll\w*|attend\w*|"
    r"perform\w*|s[aiu]ng|singing|duet\w*|stage|celebrat\w+|toast\w*|photographed|pictured|snapped|spotted|seen|st[eo]le?|moment|minute|"
    r"accept\w*|hold|held|holding|left|appear\w*|returned|wav(?:e|ed|ing)|hung|hang|dined|lunch|dinner|partied)"
)
_WHOLE = re.compile(
    rf"{_MARK}{_ASIDE},?(?P<verb>(?:(?:\s+(?:{_W}|\([^()]*\))){{0,6}}?\s+{_TOGETHER}(?:\s+{_W}){{0,6}}?\s+(?:together|side by side|hand in hand|arm in arm)|"
    rf"(?:\s+{_W}){{0,4}}?\s+(?:arms (?:\w+ )?|hug\w* |embrac\w+ |kiss\w* |next to |beside |lean\w+ (?:on|against) |hold\w* (?:on to )?|smil\w+ at |greet\w* )"
    rf"(?:each other|one another)(?!['’])|(?:\s+{_W}){{0,3}}?\s+(?:side by side|hand in hand|arm in arm)))\b"
)
_WATCHING = re.compile(  # in captions: "Ann Lee sings as Bob Roy looks on"
    rf"{_MARK}(?P<verb>[^{_OPEN};:—–]*?)\s+(?:as|while)\s+(?:(?!(?:of|for|by)\b){_TO_ARG}){{0,3}}?{_MARK}(?:,[^,{_OPEN}]{{1,40}},)?\s+(?:looks? on|listens?|watch(?:es)?|smiles?|stands?|applauds?|laughs?)\b"
)
_SIDES = re.compile(
    rf"{_MARK},?\s+\(?(?:left|right|center|centre|middle|second from (?:left|right)|far (?:left|right))\)?(?![\w-])"
)
_NOT_SO = re.compile(
    r"\b(?:not|never|no longer|without|neither|nor|den(?:y|ied|ies|ying)|refus\w+|avoid\w*|instead of|rather than|would|will|could|should|might|"
    r"may|can|hop(?:e|es|ed|ing)|want(?:s|ed|ing)?|plan(?:s|ned|ning)?|dream\w*|wish\w*|set to|slated|scheduled|expected|due|(?:was|were|is|are) to|going to|if|"
    r"ask(?:s|ed|ing)?|urg(?:e|es|ed|ing)|rumou?r\w*|alleg\w+|reportedly|supposed\w*|imagin\w+|pretend\w*|phone|virtual\w*|online|video call|"
    r"zoom|tweet\w*|letter|parody|sketch|movie|film|fiction\w*|character\w*|plays?|playing|portray\w*|role|agree(?:s|d)?|"
    r"said|says|told|tells|"
    r"series|episode|(?<!the-)(?<!the )scenes?|animated|cartoon|painting|compar\w+|tied|accus\w+|alive|level|school|college|university|classes|dissent|opinion|ruling|on the line|alone|way|romance|affair|feud|fight\w*|battl\w+|to meet|studied|born|\w+n['’]t|"
    r"ready to|meant to|able to|invit\w+|forward to|used to|final|semi-?finals?|quarterfinals?|opponents?|rivals?|"
    r"(?:1[89]|20)\d\d)\b",
    re.I,
)
_NOT_AFTER = re.compile(
    r"\s+(?:said|says|told|added|wrote|recalled|explained|noted|their way|on the (?:\w+ )?(?:board|committee|panel|court|bench|council))\b"
)
_WITH_A = re.compile(r"\s+(?:\([^()]*\)\s+)?with (?:an?|his|her|their) ")
_DONE_ALIKE = re.compile(
    r"\b(?:dissented|wrote|argued|voted|signed|sponsored|introduced|called|urged|demanded|sued|opposed)\b"
)
_CUE = re.compile(
    rf"\b(?:{_MEETING}|joined|accompanied|flanked|escorted|hug|hugs|embrace|kiss(?:ed|es|ing)?|high-fiv\w+|greet\w*|serenad\w+|(?:ran|runs|running|bumped|bumping) into|"
    rf"br(?:ought|ings|inging) (?:along|out)|talks to|alongside|beside|next to|together|side by side|each other|one another|held hands|with (?:her|his|their))\b"
)


@dataclass(frozen=True, slots=True)
class _Named:
    """A person at `text[start:end]` of a caption or sentence; `whole` is the name in full, "" when that is not known."""

    text: str
    start: int
    end: int
    whole: str


def captions_of(article: Article) -> list[tuple[int, int]]:
    """Find the picture captions of an article: spans of its text, without their credits."""
    return [(start, end) for kind, start, end in _stretches(article) if kind == "caption"]


def sightings(article: Article) -> list[Sighting]:
    """Find everything in one article that shows people together, in order."""
    stretches = list(_stretches(article))
    told = [
        (kind, s, e)
        for kind, start, end in stretches
        for s, e in (
            [(start, end)]
            if kind == "caption" and end - start <= _LONG_CAPTION
            else _sentences(article.text, start, end)
        )
        if (kind == "caption" or _CUE.search(article.text, s, e)) and _TWO_CAPITALS.search(article.text, s, e)
    ]
    if not told:
        return []
    if not any(kind == "caption" or _may_say(article.text[s:e]) for kind, s, e in told):
        return []
    people = _People.of(article, stretches)
    event, held = (article.event.label, article.event.start) if article.event else (None, None)
    out: list[Sighting] = []
    for kind, start, end in told:
        quote = article.text[start:end]
        groups = _in_caption(quote, people) if kind == "caption" else _in_sentence(quote, people)
        out += [
            Sighting(article.id, start, end, quote, kind, names, article.published, article.outlet, event, held)
            for names in groups
        ]
    return out


def _stretches(article: Article) -> Iterator[tuple[SightingKind, int, int]]:
    """Cut an article into captions and paragraphs, without credits, title and byline."""
    text = article.text
    for block in blocks(text, title=article.title):
        if block.kind in ("title", "byline"):
            continue
        end = block.credit if block.credit is not None else block.end
        captioned = block.kind == "caption" or (block.kind == "item" and block.credit is not None)
        at = block.start
        for n, line in enumerate(text[block.start : end].split("\n")):
            start, at = at, at + len(line) + 1
            body = line.strip()
            if not body or is_credit(body):
                continue
            start += len(line) - len(line.lstrip())
            caption = captioned and (block.kind == "caption" or n > 0)
            yield "caption" if caption else "sentence", start, start + len(body)


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    here = start
    for piece in split_sentences(text[start:end]):
        at = text.find(piece, here, end)
        if at < 0:
            continue
        if number := re.match(r"\d{1,3}[.)]\s*", piece):
            at, piece = at + number.end(), piece[number.end() :]
        here = at + len(piece)
        if piece:
            yield at, here


@dataclass(slots=True)
class _People:
    """Who is who in one article: full names by their words, and single names that captions vouch for."""

    full_of: dict[str, set[str]]  # a first or last word, folded -> full names
    longer: dict[str, str]  # key of a name that another begins with -> that other name
    partners: set[str]  # keys of single words that stand beside others in a caption
    subjects: set[str]  # keys of single words that are written with a capital wherever they stand
    not_people: frozenset[str]  # folded names of the outlet, the authors' employer, the events
    demonyms: frozenset[str]

    @classmethod
    def of(cls, article: Article, stretches: Sequence[tuple[SightingKind, int, int]]) -> _People:
        names = load_names()
        demonyms = frozenset({fold(d) for d in names.demonyms.values()} | {fold(d) for d in names.demonyms})
        own = {fold(article.outlet)} if article.outlet else set()
        for e in article.events:
            own |= {fold(e.name), fold(e.short or e.name)}
        people = cls({}, {}, set(), set(), frozenset(own), demonyms)
        spelled: dict[str, str] = {}
        often: Counter[str] = Counter()
        for kind, start, end in stretches:
            text = article.text[start:end]
            found = people.named(text, caption=kind == "caption", resolve=False)
            for n in found:
                if " " in n.text:
                    spelled.setdefault(_key(n.text), n.text)
                else:
                    often[n.text] += 1
            for one, other in pairwise(found) if _FAMILY.search(text) else ():
                # "Sisters Ana and Eva Lima": Ana Lima
                if (
                    " " not in one.text
                    and " " in other.text
                    and re.fullmatch(r"\s+and\s+", text[one.end : other.start])
                ):
                    both = f"{one.text} {other.text.split()[-1]}"
                    spelled.setdefault(_key(both), both)
        for key, name in spelled.items():
            longer = {k for k in spelled if k != key and f" {k} ".startswith(f" {key} ")}
            if len(longer) == 1:  # "Lil Nas" is Lil Nas X
                people.longer[key] = spelled[longer.pop()]
                continue
            words = key.split()
            for word in {words[0], words[-1]}:
                people.full_of.setdefault(word, set()).add(name)
        # a word for a thing, or a place, also stands where it cannot be a person's name
        things = {*_LOWER.findall(article.text), *(w.lower() for w in _SOMEWHERE.findall(article.text))}
        people.subjects |= {_key(name) for name, n in often.items() if n > 1 and name.lower() not in things}
        for kind, start, end in stretches:
            if kind == "caption" and end - start <= _LONG_CAPTION:
                found = people.named(article.text[start:end], caption=True)
                if len(found) > 1:
                    people.partners |= {_key(n.text) for n in found if " " not in n.text}
        return people

    def named(self, text: str, *, caption: bool, resolve: bool = True) -> list[_Named]:
        """Find the people that a caption or sentence names; without `resolve` all that might be names of people."""
        mentions = [(m.start, m.end) for m in find_mentions(text, load_names())] if resolve else []
        quoted = [m.span() for m in QUOTED.finditer(text)]
        out: list[_Named] = []
        place_ends = -1
        for name, start, end in _full_names(text):
            if any(a < end and start < b for a, b in mentions) or any(a <= start and end <= b for a, b in quoted):
                continue
            before = text[max(0, start - _NEAR) : start]
            if _PLACED.search(before) or text[place_ends:start] == ", ":  # "in Belfast, Northern Ireland"
                place_ends = end
            cut = _trimmed(name, start, before)
            if cut is None or (place_ends == end and not _body_follows(text[end : end + _NEAR])):
                continue
            name, start = cut
            end = start + len(name)
            if not self._may_be(
                name, text[max(0, start - _NEAR) : start], text[end : end + _NEAR], caption=caption, resolve=resolve
            ):
                continue
            whole = self._whole(name, text, start, end, caption=caption) if resolve else name
            if not whole:
                continue
            out.append(_Named(name, start, end, whole))
        return out

    def _whole(self, name: str, text: str, start: int, end: int, *, caption: bool) -> str:
        """The name in full: "Swift" is Taylor Swift where the article has one Swift; "" where nobody vouches for it."""
        key = _key(name)
        if " " in name:
            return self.longer.get(key, name)
        known = self.full_of.get(key, set())
        if _STYLED_BEHIND.match(text[end:]):
            known = set()  # "Catherine, Princess of Wales": not the other Catherine
        near = {k for k in known if k in text[:start]}  # "Ana Lima hugged Bob, and Lima ..."
        for few in (near, known):
            if len(few) == 1:
                return next(iter(few))
        if known:
            return ""  # which of them is not said
        if key in self.partners or (key in self.subjects and caption):
            return name
        beside = _BEFORE_PARTNER.search(text[:start]) or _AFTER_PARTNER.match(text[end:]) or _body_follows(text[end:])
        return name if caption and beside else ""

    def _may_be(self, name: str, before: str, after: str, *, caption: bool, resolve: bool) -> bool:
        words = name.split()
        low = [fold(w).strip(".,") for w in words]
        single = len(words) == 1
        if len(words) > 5 or any(c.isdigit() for c in name) or len(name) < 2 or fold(name) in self.not_people:
            return False
        if (single and re.search(r"-[a-z]", name)) or " the " in name or _SELF.intersection(low):
            return False
        if any(w in _NO_PERSON for w in low) or AWARD.fullmatch(name) or low[0] in _PLACE_FIRST:
            return False
        if (
            any(w in MONTHS or w in WEEKDAYS for w in low)
            or fold(name) in self.demonyms
            or (not single and low[-1].rstrip("s") in self.demonyms | {"american"})
        ):
            return False
        if low[0] in self.demonyms and not caption:
            return False  # "American Idol"; but French Montana where a picture shows him
        known = resolve and caption and low[0] in self.full_of
        if single and not known and (low[0] in ROLES or low[0] in _LEADING):
            return False
        if single and low[0] in _NEVER and not (caption and low[0] in _PEOPLE_TOO):
            return False
        if words[0] == "The" and not caption:
            return False
        if not caption and single and name.isupper():
            return False
        if after.startswith("/") or low[-1] in _NO_SURNAME:
            return False
        if not _body_follows(after):
            if _OF_SOMEBODY.search(before) or (resolve and _LOOSE.search(before)):
                return False
            if belongs(after) or (resolve and re.match(r"['’]s?\s", after)):
                return False
        return not _OF_WHOM.match(after)


_BEFORE_PARTNER = re.compile(
    r"\b(?:and|with|alongside|beside|next to|hugs|hugging|kisses|kissing)\s+(?:(?:a|an|the|her|his|their)\s+)?(?:[a-z-]+\s+)?$|&\s+$"
)
_AFTER_PARTNER = re.compile(
    r",?\s+(?:and|with|alongside|hugs?|hugging|embraces?|kisses)\b|\s+&|,\s+[A-Z][\w’'-]*(?:,\s+[A-Z][\w’'-]*)*,?\s+(?:and|&)\s"
)


def _body_follows(after: str) -> bool:
    return _OF_THE_BODY.match(after) is not None


def _trimmed(name: str, start: int, before: str) -> tuple[str, int] | None:
    """Take off what is no part of a name: "Sisters Chloe", "Yeonjun of TXT"; None when nobody is left."""
    words = list(re.finditer(r"\S+", name))
    first = 0
    for n, word in enumerate(words[:-1]):
        low = fold(word.group()).strip(".,")
        role = low in _TITLES and low not in _STYLED
        if role or low.endswith("'s") or (n == first and (low in _LEADING or low in _CREDITED)):
            first = n + 1  # "PIF Governor Ann Lee", "CNN's Ann Lee", "Pregnant Ann Lee"
        if n == first and low == "of":
            first = n + 2  # "Secretary of State Ann Lee"
    if first >= len(words) or (before.endswith("/") and not first):
        return None
    at = words[first].start()
    name, start = name[at:], start + at
    if (head := re.match(r"(.+?)\s+of\s+", name)) is not None:
        if fold(head[1]).split()[-1] in _TITLED | _PLACES_OF or " the " in name:
            return None
        name = head[1]
    return name, start


_MORE = re.compile(
    r"(?:[ \t]+(?:al|el|bin|ben|ibn)[- ][A-Z][\w’-]+|[ \t]+(?![\x00-\x7f])[^\W\d_][\w'’.-]*(?<![.])(?:[ \t]+[A-Z][\w'’.-]*\w)*)+"
)
_LESS = re.compile(r"(?<![\w’'-])(?![\x00-\x7f])[^\W\d_][\w'’-]*[ \t]+$")


def _full_names(text: str) -> Iterator[tuple[str, int, int]]:
    """Find names; 'Remington "Remy" Alexander' is one, and so is one with a capital outside ASCII ("Julián Álvarez")."""
    found = find_names(text)
    at = 0
    reached = 0
    while at < len(found):
        n = found[at]
        start, end = n.start, n.end
        at += 1
        if start < reached:
            continue
        while (m := _NICK.match(text, end)) is not None:
            last = next((o for o in found if o.start == m.end()), None)
            if last is None:
                break
            end = last.end
        if (m := _MORE.match(text, end)) is not None and (m.group().isascii() or m.group().strip()[0].isupper()):
            end = m.end()
        if (
            (m := _LESS.search(text, max(0, start - _NEAR), start)) is not None
            and m.group()[0].isupper()
            and m.start() >= reached
        ):
            start = m.start()
        reached = end
        yield text[start:end], start, end


def _in_caption(quote: str, people: _People) -> list[tuple[str, ...]]:
    """Everybody whom a caption names, if it is a caption of a gallery: no sentence that speaks of others, too."""
    if len(quote) > _LONG_CAPTION or quote.rstrip(')”"').endswith("."):
        return _in_sentence(quote, people, caption=True)
    found = people.named(quote, caption=True)
    rest = quote
    for n in found:
        rest = rest.replace(n.text, " ")
    if len(re.findall(r"[^\W\d_][\w’'-]*", rest)) > _CAPTION_WORDS or _NOT_IN_PICTURE.search(quote):
        return []
    names = _distinct(n.whole for n in found)
    return [names] if 2 <= len(names) <= 12 else []


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    kept: dict[str, str] = {}
    for n in names:
        kept.setdefault(_key(n), n)
    kept.pop("", None)
    return tuple(kept.values())


def _in_sentence(quote: str, people: _People, *, caption: bool = False) -> list[tuple[str, ...]]:
    """Those whom a sentence says to be together, group by group."""
    found = people.named(quote, caption=caption)
    if len(found) < 2:
        return []
    skeleton, runs = _skeleton(quote, found)
    together: list[list[_Named]] = []
    forms: tuple[re.Pattern[str], ...] = _FORMS
    if caption:
        sides = [int(g) for g in _SIDES.findall(skeleton)]
        if len(sides) > 1:  # "Ann Lee, left, and Bob Roy, right"
            together.append([n for i in sides for n in runs[i]])
        forms = (*_FORMS, _WATCHING)
    for form in forms:
        at = 0
        while (m := form.search(skeleton, at)) is not None:
            at = m.start() + 1
            if not _stands(skeleton, m):
                continue
            if form is _CAME_WITH and not re.search(rf"\b(?:{_MEETING})\b", m["rest"]) and "with " not in m["verb"]:
                continue
            marks = [int(g) for g in re.findall(_MARK, m.group())]
            group = list(runs[marks[-1]])
            if form is not _AMONG:
                mine = runs[marks[0]]
                group = [*mine, *group] if len(mine) <= 2 else []
                if len(mine) > 2:
                    together += [[one, other] for one, other in product(mine, runs[marks[-1]])]
            together.append(group)
    for form in (_BOTH, _WHOLE):
        for m in form.finditer(skeleton):
            run = runs[int(m[1])]
            if len(run) < 2 or not _stands(skeleton, m):
                continue
            clause = re.split(r"[;:—–]", skeleton[m.start() :])[0]
            if form is _WHOLE or len(run) == 2 or re.search(_EACH_OTHER, clause):
                together.append(list(run))
    groups = {_distinct(n.whole for n in sorted(g, key=lambda n: n.start)) for g in together}
    sets = {g: {_key(n) for n in g} for g in groups if len(g) > 1}
    return sorted(g for g in sets if not any(sets[g] < sets[o] for o in sets))


def _may_say(quote: str) -> bool:
    """Tell cheaply, without knowing who is a person, whether a sentence has one of the forms."""
    names = [_Named(n, start, end, n) for n, start, end in _full_names(quote)]
    skeleton = _skeleton(quote, names)[0] if len(names) > 1 else ""
    return any(form.search(skeleton) for form in (*_FORMS, _BOTH, _WHOLE))


def _stands(skeleton: str, m: re.Match[str]) -> bool:
    """It is said as a fact, of the one who is the subject."""
    clause = max(skeleton.rfind(c, 0, m.start()) for c in ";:—–.") + 1
    if _NOT_SO.search(skeleton[clause : m.end()]) or re.match(r"\s*(?:in|during|for)\s+(?:the\s+)?(?:1[89]|20)\d\d", skeleton[m.end() :]):  # fmt: skip
        return False
    if _NOT_AFTER.match(skeleton[m.end() :]) or (m.re is _JOINED and _DONE_ALIKE.search(skeleton, m.end())):
        return False
    gap = m.groupdict().get("gap") or ""
    if m.re is _TOUCH and m["verb"].startswith("greet") and _WITH_A.match(skeleton[m.end() :]):
        return False  # with a home run
    if m.re is _TOUCH and m["verb"].startswith("embraced") and re.search(r"\b(?:\w+ly|more|has|have)\b", gap):
        return False  # an idea, or a candidate
    if re.search(r"\b(?:who|that|which|whose|as|when|after|before|because|but|since|where|than)\b", gap.removeprefix(" who")):  # fmt: skip
        return False
    before = skeleton[clause : m.start()]
    behind = re.search(
        r"\b(?:of|by|for|with|from|to|at|in|on|like|about|against|than|as|alongside|beside)\s+(?:\w+\s)?$", before
    )
    verb = m.groupdict().get("verb") or ""
    return not behind or re.match(r"\w+ing\b", verb.strip()) is not None


def _skeleton(quote: str, found: Sequence[_Named]) -> tuple[str, list[list[_Named]]]:
    """Write a sentence with a mark for each run of names."""
    blank = QUOTED.sub(lambda m: " " * len(m.group()), quote.replace(_OPEN, " ").replace(_SHUT, " "))
    runs: list[list[_Named]] = []
    for n in found:
        if runs and _JOINER.fullmatch(blank[runs[-1][-1].end : n.start]):
            runs[-1].append(n)
        else:
            runs.append([n])
    split: list[list[_Named]] = []
    for run in runs:
        between = [blank[a.end : b.start] for a, b in pairwise(run)]
        if len(run) > 1 and not any(re.search(r"\band\b|&", b) for b in between):
            split += [[n] for n in run]  # "his wife, Ann Lee, Bob Roy": not a list
        else:
            split.append(run)
    out, at = [], 0
    for i, run in enumerate(split):
        out += [blank[at : run[0].start], f"{_OPEN}{i}{_SHUT}"]
        at = run[-1].end
    out.append(blank[at:])
    return re.sub(r"\s+", " ", "".join(out)), split
