"""Markup is made of escaped text only: every test parses what was rendered as a browser would."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.types import Answer, Article, Chunk, Citation, Event, Hit
from ui import history, render
from ui.strings import EN

GALA = Event("harbour-gala", "Harbour Gala", "2024", date(2024, 9, 11), "Gala")
TEXT = "The gala opened at noon.\n\nMira Sandoval hosted it.\nShe wore green.\n\nIt ended at nine."
HOSTED = "Mira Sandoval hosted it."
GREEN = "She wore green."
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![pixel](http://evil.example/p.png)",
    "[click](javascript:alert(1))",
    "javascript:alert(1)",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "</p></section><iframe src=http://evil.example>",
    "<style>@import url(http://evil.example/x.css)</style>",
    "<svg><script>alert(1)</script></svg>",
    "a\n\n# heading\n\n<b>bold</b>",
    "`code` ``` fence ``` ~~~ $$x$$ \\(x\\)",
    "abc\u202egpj.exe\u2066x\u2069\u200b",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!--",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "\x00\x1b[31mred",
)
TAGS = set(
    "section h2 h3 p q div span button ol ul li br article header a mark nav "
    "details summary dl dt dd table caption thead tbody tr th td".split()
)
ATTRIBUTES = set("class id dir type value title tabindex role href target rel scope".split())


class Seen(HTMLParser):
    """What a parser finds in a piece of markup."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.other: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    handle_decl = unknown_decl = handle_pi = handle_comment

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.tags if t == tag]

    def buttons(self, kind: str) -> list[dict[str, str | None]]:
        return [a for a in self.all("button") if kind in (a["class"] or "").split()]

    def values(self, kind: str) -> list[str | None]:
        return [a["value"] for a in self.buttons(kind)]


def harmless(markup: str) -> Seen:
    seen = Seen(markup)
    assert seen.open == []
    assert seen.other == []
    assert {t for t, _ in seen.tags} <= TAGS
    assert {name for _, a in seen.tags for name in a} <= ATTRIBUTES
    assert "\n" not in markup, "a line break ends the HTML block, and Markdown takes over"
    assert "![" not in markup
    assert "](" not in markup
    assert "`" not in markup
    assert "$" not in markup
    for a in seen.all("a"):
        assert re.match(r"https?://", a["href"] or "")
        assert a["rel"] == "noopener noreferrer nofollow"
        assert a["target"] == "_blank"
    return seen


def article(**changes: object) -> Article:
    values: dict[str, object] = {
        "id": "a",
        "source": "file:///gala.txt",
        "title": "A night at the harbour",
        "text": TEXT,
        "url": "https://www.harbour.example/gala",
        "authors": ("Jo Writer",),
        "outlet": "Harbour Post",
        "published": date(2024, 9, 12),
        "events": (GALA,),
        "cluster": "c",
    }
    return Article(**(values | changes))  # type: ignore[arg-type]


def cited(quote: str = HOSTED, *, marker: int = 1, **changes: object) -> Citation:
    at = TEXT.find(quote)
    values: dict[str, object] = {
        "marker": marker,
        "article_id": "a",
        "chunk_id": f"k{marker}",
        "title": "A night at the harbour",
        "quote": quote,
        "start": at,
        "end": at + len(quote),
        "url": "https://www.harbour.example/gala",
        "published": date(2024, 9, 12),
        "outlet": "Harbour Post",
        "event": GALA,
    }
    return Citation(**(values | changes))  # type: ignore[arg-type]


def talk(answer: Answer | None = None, question: str = "Who hosted the gala?") -> history.Talk:
    begun = history.begin(history.new(), question)
    return history.grow(begun, answer) if answer else begun


def answered(text: str, *citations: Citation, **changes: object) -> history.Talk:
    values = {"question": "Who hosted the gala?", "standalone_question": "Who hosted the gala?", "text": text}
    return talk(Answer(**(values | {"citations": citations} | changes)))  # type: ignore[arg-type]


def last(t: history.Talk) -> Seen:
    return harmless(render.turn(t["turns"][-1]))


# --- markers -----------------------------------------------------------------------------------------------------


def test_a_marker_is_a_button_named_after_its_source() -> None:
    t = answered("Mira Sandoval hosted it [1].", cited())
    button = last(t).buttons("cite")[0]
    assert button["title"] == "Source 1: A night at the harbour, Harbour Post, 12 September 2024"
    assert button["value"] == "1-0"
    assert history.find(t, 1, 0) == (t["turns"][0], history.cite(cited()))


def test_the_second_use_of_a_marker_opens_its_own_quote() -> None:
    t = answered("She hosted [1]. She wore green [1].", cited(HOSTED), cited(GREEN, sentence=1))
    assert last(t).values("cite") == ["1-0", "1-1"]
    assert [history.find(t, 1, i)[1]["quote"] for i in (0, 1)] == [HOSTED, GREEN]  # type: ignore[index]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("hosted  [1].", [("hosted", "[1]", ".")]),
        ("hosted\t[1] [2], and", [("hosted", "[1] [2]", ",")]),
        ("[1]", [("", "[1]", "")]),
        ("  [1] x[22]", [("", "[1]", ""), ("x", "[22]", "")]),
        ("one ] [3]!", [("", "[3]", "!")]),
        ("a" * 30 + " [1]", [("a" * 24, "[1]", "")]),
    ],
)
def test_a_mark_is_found_with_the_word_before_it(line: str, found: list[tuple[str, str, str]]) -> None:
    assert [(m["word"], m["marks"], m["stop"]) for m in render._MARKED.finditer(line)] == found


def test_a_marker_without_a_citation_is_left_out() -> None:
    seen = last(answered("She hosted [1] and sang [7].", cited()))
    assert seen.values("cite") == ["1-0"]
    assert "[" not in seen.words
    assert "and sang." in seen.words


def test_every_sentence_has_its_verdict_in_a_word() -> None:
    for verdict, word in (("partial", EN.partial), ("unsupported", EN.unsupported)):
        seen = last(answered("She hosted [1].", cited(verdict=verdict)))
        assert seen.words.count(word) == 2, "beside the sentence, and beside the quote"
        assert (seen.buttons("cite")[0]["title"] or "").endswith(f"({word})")
    t = answered("She hosted [1] [2].", cited(), cited(marker=2, verdict="unsupported"))
    assert render.answer_text(t["turns"][-1]).count(EN.unsupported) == 2, (
        "the worst of a sentence's marks, once in sight"
    )
    supported = answered("She hosted [1].", cited())
    assert EN.supported not in Seen(render.answer_text(supported["turns"][-1])).words, (
        "what is right needs no word there"
    )
    assert EN.supported in Seen(render.sources(supported["turns"][-1])).words
    assert EN.how_verdicts in last(supported).words


def test_one_label_says_how_far_an_answer_is_backed() -> None:
    def label(*citations: Citation, **changes: object) -> str | None:
        found = render.support(answered("Mira [1].", *citations, **changes)["turns"][-1])
        return found[1] if found else None

    assert label(cited(), confidence=0.93) == EN.support_high
    assert label(cited(), confidence=0.6) == EN.support_fair
    assert label(cited(), confidence=0.2) == EN.support_low
    assert label(cited(), engine="ollama:tiny") == EN.support_checked
    assert label(cited(), cited(verdict="partial"), confidence=0.93) == EN.support_partly
    assert label(cited(verdict="partial"), cited(verdict="unsupported")) == EN.support_unbacked
    assert label(abstained=True, confidence=0.1) is None
    assert label(cited(), abstained=True) is None


def test_raw_scores_stand_in_the_details_alone() -> None:
    hit = Hit(3, 0.0317, Chunk("other", "a", 0, 3, "The"), article())
    markup = render.turn(answered("Mira [1].", cited(), sources=(hit,), confidence=0.62)["turns"][-1])
    shown, _, hidden = markup.partition('<details class="how">')
    assert "0.0317" in hidden
    assert "6 in 10" in hidden
    assert "0.0317" not in shown
    assert "0.62" not in markup


def test_copies_count_as_one_source() -> None:
    def said(*citations: Citation) -> str:
        return render.independent([history.cite(c) for c in citations])

    assert said(cited()) == "1 article"
    assert said(cited(), cited(marker=2)) == "1 article"
    assert said(cited(copies=("b", "c", "d")), cited(article_id="e", marker=2)) == "5 articles, 2 independent"
    assert said(cited(copies=("b",)), cited(article_id="b", copies=("a",), marker=2)) == "2 articles, 1 independent"


def test_what_was_found_but_not_cited_stands_behind_what_was() -> None:
    def hit(n: int, when: date | None) -> Hit:
        return Hit(n, 0.1, Chunk(f"c{n}", f"a{n}", 5, 9, "text"), article(id=f"a{n}", published=when, events=()))

    hits = (hit(1, date(2024, 5, 1)), hit(2, None), hit(3, date(2023, 5, 1)))
    early, late = cited(published=date(2022, 1, 1), marker=2, start=0, end=3), cited(published=date(2024, 9, 9))
    t = answered("Mira [1]. Ada [2].", late, early, sources=hits)
    seen = last(t)
    assert seen.values("quote") == ["1-0", "1-1"]
    passages = ["passage:a1:5:9", "passage:a2:5:9", "passage:a3:5:9"]
    assert [v for v in seen.values("act") if (v or "").startswith("passage")] == passages
    assert "Also found: 3 passages" in seen.words
    assert "order:1" in seen.values("act")
    ordered = last(history.change(t, 1, by_time=True))
    assert ordered.values("quote") == ["1-1", "1-0"]
    assert [v for v in ordered.values("act") if (v or "").startswith("passage")] == [passages[i] for i in (2, 0, 1)]


@given(st.lists(st.integers(0, 4), max_size=8), st.lists(st.integers(1, 4), max_size=8))
def test_every_button_resolves(markers: list[int], citations: list[int]) -> None:
    """Whatever markers a text has, each button that is drawn stands for a citation with that very number."""
    t = answered(" ".join(f"w{i} [{n}]." for i, n in enumerate(markers)) or "x", *(cited(marker=n) for n in citations))
    markup = render.turn(t["turns"][-1])
    for button, shown in re.findall(r'class="cite" value="([\d-]+)"[^>]*>(\d+)<', markup):
        turn_id, _, index = button.partition("-")
        found = history.find(t, int(turn_id), int(index))
        assert found is not None
        assert found[1]["marker"] == int(shown)
    drawn = len(re.findall(r'class="cite"', markup))
    assert drawn == sum(n in citations for n in markers)


def test_sources_are_listed_once_with_each_quote_once() -> None:
    t = answered("A [1]. B [1]. C [2].", cited(HOSTED), cited(HOSTED, sentence=1), cited(GREEN, marker=2, sentence=2))
    seen = last(t)
    assert [a["class"] for a in seen.all("li")] == ["source", "source"]
    assert seen.values("quote") == ["1-0", "1-2"]


def test_an_undated_source_is_dated_by_its_event() -> None:
    c = history.cite(cited(published=None))
    assert render.dated(c) == "event of 11 September 2024"
    assert render.source_name(c) == "Source 1: A night at the harbour, Harbour Post, 11 September 2024"
    assert render.dated(history.cite(cited(published=None, event=None))) == EN.undated


# --- states ------------------------------------------------------------------------------------------------------


def test_the_standalone_question_is_shown_only_when_it_differs() -> None:
    same = answered("Yes.", standalone_question="who hosted  the gala")
    other = answered("Yes.", standalone_question="Who hosted the 2023 gala?")
    assert EN.standalone not in last(same).words.partition(EN.how)[0]
    assert "Understood as Who hosted the 2023 gala?" in last(other).words


def test_states_look_different() -> None:
    waiting, growing = talk(), answered("Mira", done=False)
    abstained = answered("The coverage does not say.", abstained=True)
    classes = [last(t).all("section")[0]["class"] for t in (waiting, growing, answered("Mira."), abstained)]
    assert classes == ["turn streaming", "turn streaming", "turn done", "turn done abstained"]
    assert EN.reading in last(waiting).words
    assert EN.abstained in last(abstained).words
    failed = history.fail(talk(), "The library's file is damaged.")
    assert {"class": "failure", "role": "alert"} in last(failed).all("div")
    assert EN.stopped in last(history.stop(growing)).words
    assert EN.truncated in last(answered("Mira", truncated=True)).words


def test_engine_and_time_are_said_when_the_answer_is_done() -> None:
    assert "Reader, no language model · 0.12 s" in last(answered("Mira.", timings_ms={"total": 123.0})).words
    assert "ollama:tiny · 2.5 s" in last(answered("M.", engine="ollama:tiny", timings_ms={"total": 2500.0})).words
    assert EN.engine_reader not in last(answered("Mira.", done=False)).words


def test_paragraphs_and_lists() -> None:
    seen = last(answered("They came:\n- Mira [1]\n- Ada\n\nThat was all.", cited()))
    assert len(seen.all("li")) == 2 + 1  # two items, one source
    assert len([1 for t, a in seen.tags if t == "p" and not a]) == 2 + 1  # two paragraphs, one line in the details


# --- the article -------------------------------------------------------------------------------------------------


def opened(t: history.Talk, piece: Article, index: int = 0, **changes: object) -> str:
    return render.reader(piece, t["turns"][-1], index, **changes)  # type: ignore[arg-type]


def marked(markup: str, kind: str) -> list[str]:
    return [Seen(m).words for m in re.findall(rf'<mark class="{kind}">(.*?)</mark>', markup)]


def test_the_passage_is_lit_in_the_whole_article() -> None:
    t = answered("A [1]. B [2].", cited(HOSTED), cited(GREEN, marker=2))
    markup = opened(t, article(), copies=2)
    seen = harmless(markup)
    assert marked(markup, "lit") == [HOSTED]
    assert marked(markup, "also") == [GREEN]
    for line in TEXT.split("\n"):
        assert line in seen.words
    for said in (
        "Harbour Post",
        "By Jo Writer",
        "Published 12 September 2024",
        "About the 2024 Harbour Gala, held on 11 September 2024",
        "The coverage has 2 copies of this piece.",
        "Read it on harbour.example",
    ):
        assert said in seen.words
    assert seen.all("article")[0]["class"] == "reader at-1-0"


def test_a_quote_over_two_paragraphs_is_lit_in_both() -> None:
    quote = f"{HOSTED}\n{GREEN}"
    markup = opened(answered("A [1].", cited(quote)), article())
    assert marked(markup, "lit") == [HOSTED, GREEN]


@given(st.text(alphabet="ab<&\n '", max_size=60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_marking_loses_no_text(content: str, a: int, b: int, c: int) -> None:
    lit, also = (min(a, b), max(a, b)), (min(b, c), max(b, c))
    markup = render.body(content, lit, also=[also])
    paragraphs = [Seen(p).words for p in re.findall(r"<p[^>]*>(.*?)</p>", markup)]
    assert [p.split() for p in paragraphs] == [line.split() for line in content.split("\n") if line.strip()]
    want = content[lit[0] : lit[1]].split("\n")
    lines = [line for line in want if line]
    got = marked(markup, "lit")
    assert re.sub(r"\s", "", "".join(got)) == re.sub(r"\s", "", "".join(lines))


def test_captions_look_like_captions() -> None:
    at = TEXT.index(GREEN)
    markup = opened(
        answered("A [1].", cited()), article(), chunks=[Chunk("k", "a", at, at + len(GREEN), GREEN, "caption")]
    )
    assert markup.count('class="caption"') == 1
    assert "held on" not in opened(answered("A [1].", cited()), article(events=(Event("g", "Gala"),)))
    assert "printed on a copy" in opened(answered("A [1].", cited()), article(published_lent=True))


# --- links -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//evil.example/x",
        "/relative",
        "ftp://a.example/x",
        "https://",
        "https:///x",
        "https://user:pw@a.example/",
        "https://a.example\\@evil.example/",
        "https://a.example/\u202egpj",
        "https://a.example/ x",
        'https://a.example/"onmouseover="alert(1)',
        "https://a.example/<script>",
        "https://[::1/",
        "http\n://a.example",
    ],
)
def test_only_plain_web_addresses_become_links(url: str | None) -> None:
    assert render.safe_url(url) is None
    assert "<a " not in opened(answered("A [1].", cited()), article(url=url))


def test_the_live_link_carries_the_exact_quote() -> None:
    short = render.live_url("https://a.example/x?y=1#old", "Mira-Ann, hosted & sang")
    assert short == "https://a.example/x?y=1#:~:text=Mira%2DAnn%2C%20hosted%20%26%20sang"
    words = [f"w{i}" for i in range(30)]
    long = render.live_url("http://a.example/", " ".join(words))
    assert long == "http://a.example/#:~:text=w0%20w1%20w2%20w3%20w4,w25%20w26%20w27%20w28%20w29"
    assert unquote((short or "").partition("text=")[2]) == "Mira-Ann, hosted & sang"


# --- hostile text ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", HOSTILE)
def test_hostile_text_stays_text_everywhere(bad: str) -> None:
    content = f"{bad}\n{HOSTED}"
    at = content.index(HOSTED)
    piece = article(
        text=content, title=bad, authors=(bad, bad), outlet=bad, url=bad, events=(Event("g", bad, bad, None, bad),)
    )
    c = cited(title=bad, outlet=bad, url=bad, start=at, end=at + len(HOSTED), event=piece.event)
    answer = Answer(bad, f"{bad} standalone", f"{bad} [1]", citations=(c,), engine=bad, notes=(bad,))
    t = history.grow(history.begin(history.new(), bad, scope=bad), answer)
    harmless(render.turn(t["turns"][-1]))
    markup = opened(t, piece)
    harmless(markup)
    assert marked(markup, "lit") == [HOSTED]
    harmless(render.turn(history.fail(t, bad)["turns"][-1]))
    for more in (
        render.notice(bad),
        render.evidence_note(bad),
        render.speaker(bad),
        render.empty(bad),
        render.welcome([(Event("g", bad, bad), 2)], 2, 1),
        render.talks([{"id": bad, "title": bad, "when": bad}], bad),
        render.outgoing("keep", bad, name=bad),
        render.trail(bad),
        render.vacant(bad, heading=bad),
        render.passage(piece, at, at + len(HOSTED)),
    ):
        assert "evil.example>" not in more
        assert not {t for t, _ in Seen(more).tags} - TAGS - {"code"}


@given(st.text(max_size=200))
def test_escaped_text_is_one_line_without_markup(value: str) -> None:
    out = render.text(value)
    assert not set(out) & set("<>\"'[]`*_$\\~|\n\r\u2028\u2029\u202e\u2066\x00")
    seen = Seen(out)
    assert seen.tags == []
    kept = "".join(ch for ch in seen.words if not ch.isspace())
    assert kept == "".join(ch for ch in render._INVISIBLE.sub("", re.sub(r"\s+", " ", value)) if not ch.isspace())


# --- the first screen, and the conversation ----------------------------------------------------------------------


def test_the_first_screen_says_what_is_covered() -> None:
    seen = Seen(render.welcome([(GALA, 2), (Event("fair", "Town Fair"), 1)], 3, 2))
    assert EN.tagline in seen.words
    assert "3 articles, 2 independent, about 2 events" in seen.words
    assert "2024 Harbour Gala11 September 2024 · 2 articles" in seen.words
    assert "Town Fair1 article" in seen.words
    many = [(Event("e", "Fair", str(y)), 1) for y in range(2000, 2020)]
    assert "2,000 articles, 1,999 independent" in Seen(render.welcome(many, 2000, 1999)).words
    assert "and 12 more" in Seen(render.welcome(many[:8], 2000, 1999, total=20)).words
    assert "recap ingest" in Seen(render.empty(".recap")).words
