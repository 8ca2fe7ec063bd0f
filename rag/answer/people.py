"""Who: the person or persons that a unit names for a question, with whom, and whose picture it is. Pure.

Rules of form, tried from the surest to the least: a role beside a name, who hands what to whom, a passive's agent, the
subject of the clause, its object, whom a pronoun means. What it does not know: grammar beyond these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rag.answer.asking import Asked
from rag.answer.match import Matcher, Term, name_match, thesaurus
from rag.answer.span import (
    AWARD,
    ENOUGH,
    MOST_CITED,
    QUOTED,
    SURE_NAME,
    Reading,
    Span,
    alone,
    belongs,
    candidates,
    joined,
    listing,
    positions,
    run_text,
    runs_of,
    span,
)
from rag.answer.units import Unit
from rag.ingest.names import Name, find_names, fold
from rag.retrieve.words import stem, tokens

SAID = re.compile(
    r"\b(?:said|says|saying|stated|told|gushed|noted|joked|quipped|added|declared|admitted|explained|recalled|remarked|argued|"
    r"commented|shared|tweeted|wrote|announced|cried|shouted|asked|insisted|signed off|advice|speech)\b"
)

_GIVE = re.compile(
    r"\b(?:pass(?:ed|es)?|present(?:s|ed|ing)?|g[ai]ves?|giving|given|hand(?:s|ed|ing)?|award(?:s|ed|ing)?|bestow\w*|went|goes|go)\b"
)

_CLAUSE = re.compile(r"[;:—–]|,\s+(?:and|but|while|when|as|who|which|whom|whose|after|before)\b")


def person(asked: Asked, scored: Sequence[tuple[float, Unit]]) -> Reading | None:
    spans: list[Span] = []
    for score, u in scored[:12]:
        if span := _read_person(asked, u, score):
            spans.append(span)
    if not spans:
        return None
    plural = re.search(
        r"\b(?:artists|performers|singers|people|celebs|celebrities|stars|names|all|list|everyone|lineup|line-up|acts)\b",
        asked.text,
        re.I,
    )
    performs = any(stem(w) in thesaurus().get("perform", ()) for t in asked.hard for w in t.words if not t.is_name)
    if plural or performs:  # the longer the list that a unit gives, the likelier it is the list that was asked for
        spans = [replace(s, score=s.score + 0.05 * min(4, s.short.count(",") + s.short.count(" and "))) for s in spans]
    best = max(spans, key=lambda s: s.score)
    winners = (
        len(asked.hard) == 1 and not asked.names and stem(asked.hard[0].words[0]) in ("win", "won", "winner", "receiv")
    )
    if winners:  # "who won at the 2023 VMAs": everyone of whom it is said
        told = [
            s
            for s in spans
            if s.unit.kind == "sentence"
            and AWARD.search(s.unit.text)
            and not re.search(rf"\\b(?:at|in)\\s+(?:the\\s+)?{re.escape(s.short)}", s.unit.text)
        ]
        return joined(told or [best])
    if plural or performs or object_question(asked):
        many = best.short.count(",") + best.short.count(" and ")
        lists = [s for s in spans if s is best or not many or " and " in s.short or _does(asked, s.unit)]
        chosen = [s for s in lists if s.score >= best.score - (0.22 if plural or performs else 0.06)]
        return joined(chosen)
    return Reading(best.short, (best,))


def does_it(asked: Asked, u: Unit) -> bool:
    """ "Did X beat Y": ask the unit who beat Y, and see that it is X. Without a verb, to be named is enough."""
    words = [t for t in asked.hard if not t.is_name]
    low = fold(asked.text)
    m = re.match(r"(did|does|do|has|have|had|was|were|is|are)\s+(.*)", low)
    if not words or not m or not asked.names:
        return True
    body = " ".join(tokens(m.group(2)))
    first = min(asked.names, key=lambda t: body.find(t.words[0]) if t.words[0] in body else len(body))
    rest = re.sub(r"^\W*", "", body.replace(" ".join(first.words), "", 1))
    aux = "was " if m.group(1) in ("was", "were", "is", "are") else ""
    names = tuple(t for t in asked.names if t is not first)
    who = replace(
        asked,
        kind="who",
        text=f"who {aux}{rest}",
        names=names,
        terms=tuple(t for t in asked.terms if t is not first),
        verb=words[0],
    )
    found = _read_person(who, u, 1.0)
    return found is not None and any(_same(first, n) for n in re.split(r", | and ", found.short))


def _same(t: Term, name: str) -> bool:
    have = {stem(w) for w in tokens(name)}
    want = {stem(w) for w in t.words}
    return bool(have) and (have <= want or want <= have)


def _does(asked: Asked, u: Unit) -> bool:
    """The unit has what was asked for as a verb ("performed"), not as a noun ("performance")."""
    words = [u.text[start:end] for start, end, _ in positions(asked, u)]
    return any(not re.search(r"(?:ances?|ers?|ors?|[ts]ions?|ments?)$", w) for w in words)


def object_question(asked: Asked) -> bool:
    return bool(
        re.search(
            r"\bwh?om?\s+(?:else\s+)?(?:did|does|do|was|were|is|are)\b|\bwith whom?\b|^(?:which|what) \w+ (?:did|does|do)\b",
            fold(asked.text),
        )
    ) and bool(asked.names)


def _read_person(asked: Asked, u: Unit, score: float) -> Span | None:
    low = fold(asked.text)
    names = candidates(asked, u)
    runs = runs_of(u.text, names)
    at = positions(asked, u)
    speaks = QUOTED.search(u.text) or SAID.search(u.text)
    if speaks and _WHO_SAID.search(low) and (who := speaker(u)):
        return span(u, listing(who), score + 0.2)
    if whose := re.search(r"\bwhose\s+([a-z]+)(?:\s+([a-z]+))?", low):
        for noun in whose.groups():
            if noun and noun not in ("did", "was", "were") and (owner := _owner(noun, u.text)):
                return span(u, owner, score + 0.2)
    if short := _inverse(asked, u):
        return span(u, short, score + 0.2)
    if _needs_inverse(asked, u):
        return None
    for start, end, t in at:  # "her husband, X", "cinematographer X"; "X, her husband"
        if re.search(rf"\bwho\s+{re.escape(t.words[0])}", low):
            continue  # "who hosted": a verb, not a role
        for run in runs:
            behind = run[0].start >= end
            if behind and re.fullmatch(r"\s*+(?:,|:|—|–|-)?\s*+(?:called|named)?\s*+", u.text[end : run[0].start]):
                return span(u, run_text(run), score + 0.2)
            if re.fullmatch(
                r",\s+(?:(?:her|his|their|the|a|an|who is|who was)\s+)?(?:[\w’'-]+\s+){0,3}?",
                u.text[run[-1].end : start],
            ) and re.match(r"['’]?s?[,;.:—–)]|$| on | of ", u.text[end:]):
                return span(u, run_text(run), score + 0.18)
    wins = {
        "win",
        "get",
        "got",
        "receiv",
        "won",
        "winner",
        "earn",
        "award",
        "honor",
        "accept",
        "given",
        "present",
        "recipi",
        "taken",
        "collect",
    }
    if ({stem(w) for t in asked.terms for w in t.words} & wins or "winner" in low) and not re.search(
        r"\bwho\s+(?:presented|gave|handed|passed)\b", low
    ):
        if not re.search(r"\bhonou?red\b", u.text):
            for to in re.finditer(r"\bwinner[,:]?\s+(?=[A-Z])|\bto\s+(?:this year['’]s winner,?\s+)?(?=[A-Z])", u.text):
                for run in runs:
                    if run[0].start == to.end() and _GIVE.search(u.text[: to.start()]):
                        return span(u, run_text(run), score + 0.2)
        for g in _GIVE.finditer(u.text):  # "to hand Ann the trophy"
            for run in runs:
                if re.fullmatch(r"\s+(?:the\s+)?", u.text[g.end() : run[0].start]) and re.match(
                    r"\s+(?:the|her|his|their|an?)\b", u.text[run[-1].end :]
                ):
                    return span(u, run_text(run), score + 0.2)
        if re.search(r"\b(?:present|hand(?:ed|ing)?|pass(?:ed|ing)?)\b", u.text) and not re.search(
            r"\b(?:presented|awarded|honou?red) with\b", u.text
        ):
            score -= 0.3  # the one who hands it over has not won it
    anchor = at[0][0] if at else None
    anchor_end = at[0][1] if at else None
    # "Who was sent off": the one to whom it is done, whom a sentence in the active names behind its verb.
    done_to = (
        asked.verb is not None
        and re.match(r"(?:who|which \w+)\s+(?:was|were|got|is)\s+[a-z]+(?:ed|en|t|n)\b", low) is not None
    )
    active = anchor is not None and not re.search(
        r"\b(?:was|were|been|being|is|are|got|get)\s+(?:\w+\s)?$", u.text[:anchor]
    )
    subject_asked = not object_question(asked) and not (done_to and active and not asked.names)
    if anchor is not None and anchor_end is not None:
        if subject_asked and (
            m := re.match(
                r"[\w\s]{0,12}\bby\s+(?:(?:the|former|his|her|their)\s+)*(?:[A-Z]\w+\s+[a-z]+\s+)?(?=[A-Z])",
                u.text[anchor_end:],
            )
        ):
            for run in runs:
                if run[0].start == anchor_end + m.end():
                    return span(u, run_text(run), score + 0.2)
        before = [
            r
            for r in runs
            if r[-1].end <= anchor
            and not re.search(r"\b(?:with|by|of|to|for|at|from|alongside|in)\s+(?:the\s+)?$", u.text[: r[0].start])
        ]
        after = [r for r in runs if r[0].start >= anchor_end]
        if subject_asked:
            hers = re.search(r"\b(?:her|his|their)\s+(?:[\w-]+\s+){0,4}$", u.text[:anchor])
            owners = [r for r in runs if hers and r[-1].end <= hers.start()]
            if owners and (
                at[0][2].words[0] in LOSSES or u.text[at[0][0] : at[0][1]].lower() in LOSSES
            ):  # "after her defeat": hers whose name stands nearest
                return span(u, run_text(owners[-1]), score + 0.1)
            same = [r for r in before if not _CLAUSE.search(u.text[r[-1].end : anchor])]
            pronoun = re.search(r"\b(?:he|she|they|[Tt]he (?:pair|duo|trio|group|couple))\b", u.text[:anchor], re.I)
            if same:
                return span(u, run_text(same[-1]), score + 0.1)
            if pronoun and (group := _GROUP.match(u.text)) and group.end() <= pronoun.start():
                return span(u, group[1], score + 0.05)
            if u.implied and (pronoun or not before) and not said_already(asked, u.implied):
                return span(u, listing(u.implied), score + 0.05)
            if before:
                return span(u, run_text(before[-1]), score + 0.05)
            if after:
                return span(u, run_text(after[0]), score)
        else:
            if after:
                return span(u, run_text(after[0]), score + 0.1)
            if before:
                return span(u, run_text(before[-1]), score)
    if runs:
        best = max(runs, key=len)
        return span(u, run_text(best), score - 0.05)
    if u.implied and not said_already(asked, u.implied):
        return span(u, listing(u.implied), score - 0.1)
    return None


# "The guys of NSYNC got back together; they ...": they are those, and nobody whom the sentences before named
_GROUP = re.compile(
    r"\W*((?:The|All|Both|Some)\s+(?:[a-z][\w-]*\s+){1,3}(?:of|from|in)\s+(?:the\s+)?[A-Z*][\w*’-]+(?:\s[A-Z][\w’-]+)*)"
)


def _owner(noun: str, text: str) -> str | None:
    """Read who has something out of "Rema's shoulder" or "the hair of the singer"."""
    described = r"(?:[Tt]he |[Aa]n? )?(?:[\"“][^\"”]+[\"”]|[A-Z][\w’-]+)(?:\s[\w’-]+){0,2}?"
    start = re.escape(noun[:5])
    if m := re.search(rf"\b{start}\w*\s+of\s+({described})(?=[,.;:]|\s(?:and|as|before|while|when|at|in)\b|$)", text):
        return m.group(1)
    if m := re.search(rf"({described})['’]s?\s+(?:\w+\s)?{start}", text):
        return re.sub(r"['’]s?$", "", m.group(1))
    return None


_CHILD = r"(?:son|daughter|child|kid|boy|girl)s?"

_INVERSE = {
    "dad|father|papa": rf"his\s+(?:[\w-]+\s+){{0,2}}{_CHILD}",
    "mom|mother|mum|mama": rf"her\s+(?:[\w-]+\s+){{0,2}}{_CHILD}",
    "parent|parents": rf"(?:his|her|their)\s+(?:[\w-]+\s+){{0,2}}{_CHILD}",
    "wife": r"her\s+(?:[\w-]+\s+){0,2}husband",
    "husband": r"his\s+(?:[\w-]+\s+){0,2}wife",
}


def _needs_inverse(asked: Asked, u: Unit) -> bool:
    """The unit has only the opposite relation ("his son" for a father that is asked for), and not with these people."""
    low = fold(asked.text)
    for relation, said in _INVERSE.items():
        if re.search(rf"\b(?:{relation})\b", low) and not re.search(rf"\b(?:{relation})\b", fold(u.scope)):
            return re.search(said, u.text) is not None
    return False


def _inverse(asked: Asked, u: Unit) -> str | None:
    """Read "who is King Combs' father" out of "Diddy and his son King Combs"."""
    low = fold(asked.text)
    for relation, said in _INVERSE.items():
        if not re.search(rf"\b(?:{relation})\b", low):
            continue
        for m in re.finditer(rf"\b{said},?\s+(?=[A-Z])", u.text):
            child = next((n for n in u.names if n.start == m.end()), None)
            if child is None or not any(
                {stem(w) for w in t.words} & {stem(w) for w in tokens(child.text)} for t in asked.names
            ):
                continue
            before = [n for n in candidates(asked, u) if n.end <= m.start()]
            return before[-1].text if before else (listing(u.implied) or None)
    return None


_WHO_SAID = re.compile(
    r"\bwho\b.{0,12}\b(?:said|says|say|stated|told|joked|quipped|gushed|declared|advised|noted|remarked|admitted|quoted)\b"
    r"|\battribut|\bwhose (?:words|quote|line)|\bwho called\b"
)


LOSSES = frozenset("lose lost loss losing missed miss defeat snubbed".split())


def said_already(asked: Asked, implied: Sequence[str]) -> bool:
    said = {stem(w) for t in asked.names for w in t.words}
    return all(said & {stem(w) for w in tokens(n)} for n in implied)


def speaker(u: Unit) -> tuple[str, ...]:
    """Who speaks in a unit: the name beside a verb of saying, else who its pronoun means, else whom the paragraph is about."""
    free = QUOTED.sub(lambda m: " " * len(m.group()), u.text)
    free = re.sub(r"\bof\s+[A-Z][\w’'-]+", lambda m: " " * len(m.group()), free)
    outside = [
        n
        for n in find_names(free)
        if not belongs(free[n.end :])
        and not re.search(r"\b[Tt]he\s+$", free[: n.start])
        and not AWARD.fullmatch(n.text)
    ]
    for n in outside:
        if re.match(
            r"\W*(?:\w+\s)?(?:said|says|stated|told|gushed|noted|joked|added|declared)", free[n.end :]
        ) or re.search(r"\b(?:said|told|added)\s+(?:[A-Z][\w’'-]+\s+)*(?:[a-z]+\s+)?$", free[: n.start]):
            return (n.text,)
    if u.implied:
        return u.implied
    subject = [
        n
        for n in outside
        if not re.search(r"\b(?:of|out|her|his|father,|mother,|with|to|for)\s+(?:father,?\s+)?$", free[: n.start])
    ]
    return (subject[0].text,) if subject else ()


def photographed_with(asked: Asked, units: Sequence[Unit], matcher: Matcher) -> Reading | None:
    """Name everyone who stands beside the names of the question, in captions first, then in items and sentences."""
    if not asked.names:
        return _gallery(units) if not [t for t in asked.hard if stem(t.words[0]) not in _PHOTO_STEMS] else None
    loose = [t for t in asked.hard if not t.is_name and stem(t.words[0]) not in _PHOTO_STEMS]
    told = [t for t in asked.terms if t.words[0] in _TOLD]
    found = _standing_with(asked, units, matcher, loose, told)
    # A caption names people and hardly ever says what they do: one word of the question may be missing from it.
    return found or (
        _standing_with(asked, [u for u in units if u.kind == "caption"], matcher, [], []) if len(loose) <= 1 else None
    )


_TOLD = frozenset("chat chatted chatting talk talked talking sit sat sitting seated meet met hug hugged".split())


def _standing_with(
    asked: Asked, units: Sequence[Unit], matcher: Matcher, loose: Sequence[Term], told: Sequence[Term]
) -> Reading | None:
    captions: list[Span] = []
    others: list[Span] = []
    for u in units:
        if u.kind in ("title", "byline") or any(
            name_match(t, u, fuzzy=u.kind == "caption") < SURE_NAME for t in asked.names
        ):
            continue
        if loose and matcher.coverage(loose, u)[0] < 0.7:
            continue
        in_text = all(name_match(t, alone(u)) >= SURE_NAME for t in asked.names)
        if u.kind == "caption" and not u.item:
            people = [n.text for n in candidates(asked, u)]
            if people and in_text:
                captions.append(span(u, listing(people), 1.0))
        elif u.kind == "sentence" and (
            u.continues
            or re.search(
                r"\b(?:pos(?:e[ds]?|ing)|pictured|photographed|photo|snapped|together|alongside|hug\w*|embrac\w+|shared|with)\b",
                u.text,
            )
        ):
            run = _beside(asked, u) if not told or matcher.coverage(told, u)[0] >= SURE_NAME else None
            if run:
                others.append(
                    span(u, run, 0.8 if re.search(r"\bpos(?:e|ed|ing)\b|pictured|photograph", u.text) else 0.6)
                )
    if captions:
        named = {fold(x) for s in captions for x in re.split(r", | and ", s.short)}
        posed = [
            s for s in others if s.score >= 0.8 and not any(fold(x) in named for x in re.split(r", | and ", s.short))
        ]
        return joined([*captions, *posed])
    return joined(others) if others else None


_PHOTO_STEMS = frozenset(stem(w) for w in thesaurus()["photograph"]) | {
    "frame",
    "galleri",
    "seen",
    "spot",
    "caption",
    "togeth",
    "els",
    "alongsid",
    "backstag",
    "share",
    "scene",
}


def _gallery(units: Sequence[Unit]) -> Reading | None:
    """Name those whom the captions of an event show, when nobody is asked for by name."""
    shown = [
        (u, [n.text for n in u.names])
        for u in sorted(units, key=lambda u: (u.article.id, u.start))
        if u.kind == "caption" and not u.item
    ]
    everyone = {fold(n) for _, people in shown for n in people}
    spans: list[Span] = []
    seen: set[str] = set()
    for u, people in shown:
        if people and len(spans) < MOST_CITED and not {fold(n) for n in people} & seen:
            spans.append(span(u, listing(people), 1.0))
            seen |= {fold(n) for n in people}
    rest = len(everyone) - len(seen)
    if not spans:
        return None
    more = f" and {rest} more" if rest > 0 else ""
    return Reading(
        listing([s.short for s in spans]) + more,
        tuple(spans),
        f"The captions name {len(everyone)} people in all." if rest > 0 else None,
    )


def _beside(asked: Asked, u: Unit) -> str | None:
    """The names joined to those of the question by what one of them does with the other."""
    names = candidates(asked, u)
    mine = [
        n
        for n in u.names
        if n not in names and any({stem(w) for w in t.words} & {stem(w) for w in tokens(n.text)} for t in asked.names)
    ]
    if not names:
        return listing(u.implied) if u.implied and mine and not said_already(asked, u.implied) else None
    best: list[str] = []
    for run in runs_of(u.text, names):
        near = [n for n in run if any(_in_one_breath(u.text, n, m) for m in mine)]
        if near and re.search(r"\band\b", u.text[run[0].start : run[-1].end]):
            near = list(run)  # "Ann, Bob and Cy posed with Dee": all of them; "Ann sang, Bob posed with Dee": Bob
        if near or (not mine and u.implied):
            best.extend(n.text for n in near or run)
    return listing(best) if best else None


def _in_one_breath(text: str, a: Name, b: Name) -> bool:
    """No comma, bracket or new clause stands between two names."""
    return not re.search(r"[,;.:()]|\bwho\b|\bwhile\b", text[min(a.end, b.end) : max(a.start, b.start)])


def photographer(asked: Asked, units: Sequence[Unit], matcher: Matcher) -> Reading | None:
    """Name the photographer or agency of the caption or item that shows what is asked."""
    rated: list[Span] = []
    agency = re.search(r"\b(?:agency|for whom|for what|who for|outlet)\b", asked.text, re.I)
    for u in units:
        if not u.credit or u.credit_at < 0:
            continue
        u = replace(u, implied=())  # a picture shows whom its caption names
        if any(name_match(t, u) < SURE_NAME for t in asked.names):
            continue
        covered, _ = matcher.coverage(asked.terms, u)
        if covered < ENOUGH and not (asked.names and covered >= 0.6):
            continue
        strangers = len(candidates(asked, u)) if u.kind == "caption" else 0
        who = credited(u.credit, agency=bool(agency))
        in_text = all(name_match(t, alone(u)) >= SURE_NAME for t in asked.names)
        end = u.credit_at + len(u.credit)
        if asked.names and all(
            name_match(t, replace(u, text=u.credit, scope=u.credit, names=())) >= SURE_NAME for t in asked.names
        ):
            in_text = True  # the photographer is the one who is asked about
            covered += 0.5
        rated.append(span(u, who, covered - 0.2 * strangers + (0.2 if in_text else 0.0), end=end))
    if not rated:
        return None
    best = max(rated, key=lambda s: (s.score, -s.start))
    same = [s for s in rated if s.score >= best.score - 0.01 and s.short != best.short]
    return joined([best, *same]) if same else Reading(best.short, (best,))


def credited(credit: str, *, agency: bool = False) -> str:
    """Read the person, or the agency, out of a photo credit."""
    body = re.sub(
        r"^\(?(?:Photo|Photos|Photograph|Image|Picture|Credit)s?(?:\s+(?:by|credit|courtesy(?: of)?))?\s*:?\s*",
        "",
        credit,
    ).strip(" )")
    person, _, rest = body.partition("/")
    if agency:
        return rest.strip() or (re.sub(r"^.*?\bfor\s+", "", body) if " for " in body else body)
    return person.strip()
