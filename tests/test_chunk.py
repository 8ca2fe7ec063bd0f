"""Chunks: exact offsets, nothing left out, nothing that the embedder would not read, items and captions whole."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.ingest.chunk import HEADER_TOKENS, _words, chunk, embedder_tokenize, header
from rag.ingest.clean import clean
from rag.store.embed import MAX_TOKENS, load_tokenizer
from rag.types import Article, Chunk, Event
from tests.conftest import GALLERY, LISTICLE

TOKENIZER = load_tokenizer()


def article(text: str, *, title: str = "A Night at the Harbour", event: Event | None = None) -> Article:
    return Article(id="a1", source="file:///a.txt", title=title, text=text, events=(event,) if event else ())


def tokens(text: str) -> int:
    return len(TOKENIZER.encode(text, add_special_tokens=False).ids)


def sound(a: Article, chunks: list[Chunk]) -> None:
    covered = set()
    for c in chunks:
        assert a.text[c.start : c.end] == c.text
        assert c.text == c.text.strip() != ""
        assert c.article_id == a.id
        assert len(TOKENIZER.encode(c.text).ids) <= MAX_TOKENS
        covered |= set(range(c.start, c.end))
    assert [n for n, letter in enumerate(a.text) if not letter.isspace() and n not in covered] == []
    assert len({c.id for c in chunks}) == len(chunks)
    assert all(a.start < b.start and a.end < b.end for a, b in pairwise(chunks))


line = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["1. Ana sang.", "2. Jo fell off the stage", "Ana and Jo", "Photo: Getty Images", "", "  ", "7."]),
    st.lists(st.sampled_from("the boat came home. la la Ana 3 — “fish” harbour, X.Y".split()), max_size=90).map(
        " ".join
    ),
    st.builds(
        lambda c, n: c * n,
        st.sampled_from(["x", "漢", "😀", "ha ", "1.", "a-", "Mr. ", "\u0301", "?! "]),
        st.integers(1, 700),
    ),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(line, max_size=25).map("\n".join),
    st.integers(16, 400),
    st.none() | st.integers(0, 400),
    st.text(max_size=400),
)
@example("ha " * 900, 180, None, "T")
@example("The boat came home. " * 200, 60, 30, "漢" * 300)
@example("x" * 9000, 180, None, "x" * 9000)
def test_offsets_are_exact_nothing_is_left_out_and_all_of_it_is_read(
    text: str, chunk_tokens: int, overlap: int | None, title: str
) -> None:
    a = article(clean(text, title=title).text, title=title)
    chunks = chunk(a, chunk_tokens=chunk_tokens, overlap=overlap)
    sound(a, chunks)
    assert all(tokens(c.text) <= chunk_tokens for c in chunks)
    assert all(tokens(c.header) <= HEADER_TOKENS for c in chunks)


words = st.one_of(
    st.text(max_size=9),
    st.text("aZ.,-'“”’ßéİﬁ½漢。ｶか한\u0301\u200d😀🏽0", max_size=70),
    st.builds(lambda c, n: c * n, st.sampled_from(["x", "漢", "한", "a-", "é", "\u0301"]), st.integers(1, 150)),
    st.sampled_from(
        ["Harbour,", "HARBOUR’s", "don't", "U.S.", "(“No!”)", "naïve", "http://a.example/b?c=d&e=" + "f" * 30]
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(words, max_size=30).map(" ".join))
def test_a_text_is_as_long_as_its_words_together(text: str) -> None:
    text = clean(text).text
    assert _words(text, embedder_tokenize()).sums[-1] == tokens(text)


def test_the_tokenizer_reads_a_word_once_and_a_text_without_spaces_a_few_times() -> None:
    read = 0

    def tokenize(part: str) -> list[str]:
        nonlocal read
        read += len(part)
        return embedder_tokenize()(part)  # type: ignore[return-value]

    sentences = "Boat number 7 came home. " * 4000
    chunk(article("\n".join([sentences, *["The boat came home."] * 4000])), chunk_tokens=60, tokenize=tokenize)
    assert read < 200
    for unspaced in ("x", "a-", "漢", "한", "\u0301"):
        read = 0
        chunk(article(unspaced * 20_000), chunk_tokens=60, tokenize=tokenize)
        assert read < 20_000 * len(unspaced) * 100


def test_chunks_keep_to_the_budget() -> None:
    text = " ".join(f"Boat number {n} came home to the harbour with fish." for n in range(200))
    for budget in (40, 90, 180):
        sizes = [tokens(c.text) for c in chunk(article(text), chunk_tokens=budget)]
        assert max(sizes) <= budget
        assert sorted(sizes)[1] > budget * 0.5  # all but the last are well filled


def test_paragraphs_are_packed_until_the_next_does_not_fit() -> None:
    lines = [f"“Boat no. {n},” said Zoë’s café-owner: naïve 漢字 — {n * 7919}." for n in range(60)]
    for budget in range(100, 150):
        chunks = chunk(article("\n".join(lines)), chunk_tokens=budget)
        assert len(chunks) > 3
        for a, b in pairwise(chunks):
            assert tokens(a.text) <= budget < tokens(a.text + "\n" + b.text.split("\n")[0])


def test_white_space_beside_what_neighbours_share_makes_no_chunk_longer_than_its_tokens_may_be() -> None:
    text = ("who held the golden lantern for her and came ba" + " " * 200 + "ck together after eleven years ") * 3
    for chunk_tokens in (12, 14, 20):
        chunks = chunk(article(text), chunk_tokens=chunk_tokens)
        sound(article(text), chunks)
        assert max(len(c.text) for c in chunks) <= 12 * chunk_tokens


def test_a_chunk_fills_what_the_embedder_reads() -> None:
    a = article(" ".join(f"Boat number {n} came home." for n in range(300)), title="word " * 100)
    assert MAX_TOKENS - 20 < max(tokens(c.text) for c in chunk(a, chunk_tokens=999)) <= MAX_TOKENS - 2
    assert header(a, tokenize=embedder_tokenize(), header_tokens=0) == ""


def test_neighbours_of_a_long_paragraph_share_whole_sentences() -> None:
    text = " ".join(f"Boat number {n} came home." for n in range(100))
    chunks = chunk(article(text), chunk_tokens=60)
    for a, b in pairwise(chunks):
        shared = text[b.start : a.end]
        assert shared.startswith("Boat number")
        assert shared.endswith("home.")
        assert 0 < tokens(shared) <= 60 // 6


def test_how_much_neighbours_share_can_be_set() -> None:
    text = " ".join(f"Boat number {n} came home." for n in range(100))
    for overlap, least, most in ((0, 0, 0), (20, 12, 20), (30, 24, 30), (500, 24, 30)):  # half of a chunk at most
        chunks = chunk(article(text), chunk_tokens=60, overlap=overlap)
        shared = [tokens(text[b.start : a.end]) if b.start < a.end else 0 for a, b in pairwise(chunks)]
        assert least <= min(shared)
        assert max(shared) <= most


FILLER = "The boat came home to the harbour with fish and the band played on. "


@pytest.mark.parametrize(
    ("end", "begin"),
    [
        ("it was over.", "Gov. Kay Ivey signed it"),
        ("it was over.", "St. Luke’s is full"),
        ("it was over.", "At 8 p.m. Friday they left"),
        ("it was over.", "On Sept. 11 they left"),
        ("it was over.", "Richard J. Daley left"),
        ("it was over.", "The U.S. Senate left"),
        ("it was over.", "No. 16 Syracuse left"),
        ("“It was over.”", "“They left” is what Ana said"),
        ("(It was over!)", "They left (with fish)"),
        ("was it over?", "“Yes!” she said and left"),
        ("it was over…", "Or was it that 3.5 million left"),
        ("it was over.", "‘Well’ she said and left"),
    ],
)
def test_long_paragraphs_are_cut_where_a_sentence_ends(end: str, begin: str) -> None:
    """The cut falls inside `begin` if its full stop is taken for an end: it is nearest to the budget."""
    for rest in range(8):
        text = FILLER * 3 + end + " " + begin + " " + "and then the boats " * 9 + "were gone. " + FILLER * 5
        at = text.index(begin)
        budget = tokens(text[: at + len(begin)]) + rest
        first, second, *_ = chunk(article(text), chunk_tokens=budget, overlap=0)
        assert (first.end, second.start) == (at - 1, at)


def test_lines_of_a_long_item_stay_whole_and_no_piece_is_a_scrap() -> None:
    lines = ["1. Ana.", FILLER * 3, FILLER * 4 + "Short.", FILLER * 2, "2. Jo.", "3. Kim."]
    a = article(clean("\n".join(lines)).text)
    chunks = [c for c in chunk(a, chunk_tokens=100, overlap=0) if "boat" in c.text]
    assert [c.text.count("boat") for c in chunks] == [3, 6]  # by sentences alone it were [6, 3]
    scrap = article("Well. " + "But then the boats and the fish " * 60 + "went home.")
    assert min(tokens(c.text) for c in chunk(scrap, chunk_tokens=100, overlap=0)[:-1]) > 60


def test_a_sentence_too_long_is_cut_at_a_clause() -> None:
    text = "; ".join("then boat after boat came home to the harbour" for _ in range(60)) + "."
    chunks = chunk(article(text), chunk_tokens=57, overlap=0)
    assert all(c.text.endswith((";", ".")) for c in chunks)


def test_chinese_is_cut_where_a_sentence_ends() -> None:
    text = "船在星期五回到了港口。" * 40 + "“船到家了！”他们都这样说。" * 9
    chunks = chunk(article(text), chunk_tokens=60)
    assert len(chunks) > 5
    assert {c.text[-1] for c in chunks} <= set("。”")
    assert {c.text[0] for c in chunks} <= set("船“他")


def test_numbered_items_stay_whole_with_their_caption_and_credit() -> None:
    cleaned = clean(LISTICLE)
    chunks = chunk(article(cleaned.text, title=cleaned.title or ""), chunk_tokens=180)
    items = [c.text for c in chunks if c.kind == "item"]
    assert len(items) == 4
    assert [t[:2] for t in items] == ["1.", "2.", "3.", "4."]
    assert items[0].endswith(
        "Ana Lima between her brothers, laughing\nMax Stone / Getty Images for Example".replace("\n", "\n")
    )
    assert "Kim hugging Jo's envelope" in items[1]
    assert "Theo Park / Getty Images" in items[1]
    assert "Park" not in items[2]


def test_an_item_that_is_too_long_is_cut_and_stays_an_item() -> None:
    text = "1. " + "The boat came home with fish. " * 60 + "\n2. Short.\n3. Shorter."
    a = article(clean(text, title="Three").text)
    chunks = chunk(a, chunk_tokens=100)
    sound(a, chunks)
    assert {c.kind for c in chunks} == {"item"}


def test_captions_go_with_their_credits_a_few_to_a_chunk() -> None:
    pairs = "\n".join(f"Ana Lima and Guest{n} OduyaPhoto: Getty Images" for n in range(40))
    a = article(clean(GALLERY + "\n" + pairs).text)
    captions = [c for c in chunk(a, chunk_tokens=180) if c.kind == "caption"]
    assert len(captions) > 3
    for c in captions:
        lines = c.text.split("\n")
        assert len(lines) % 2 == 0
        assert all(x.startswith("Photo: ") for x in lines[1::2])
        assert not any("Photo" in x for x in lines[::2])
        assert len(embedder_tokenize()(c.text)) <= 90


def test_the_header_is_title_event_and_day() -> None:
    event = Event(key="e", name="Lantern Music Awards", edition="2024", start=date(2024, 5, 5))
    a = article("Text.", event=event)
    assert chunk(a, chunk_tokens=180)[0].header == "A Night at the Harbour | 2024 Lantern Music Awards | 2024-05-05"
    assert chunk(article("Text."), chunk_tokens=180)[0].header == "A Night at the Harbour"


@pytest.mark.parametrize(
    "title", ["Word " * 200, "漢" * 500, "x" * 5000, "http://a.example/" + "q/" * 400, "", "😀" * 300]
)
def test_no_header_is_longer_than_sixty_tokens(title: str) -> None:
    event = Event(key="e", name="Grand " * 80 + "Festival", edition="2024", start=date(2024, 5, 5))
    made = header(article("Text.", title=title, event=event), tokenize=embedder_tokenize())
    assert len(TOKENIZER.encode(made, add_special_tokens=False).ids) <= HEADER_TOKENS
    assert made.endswith("2024-05-05")
    assert title[:8].strip() in made


def test_ids_come_from_article_header_and_words() -> None:
    text = "\n\n".join(f"Paragraph {n}. " + "The boat came home with fish. " * 20 for n in range(6))
    first = chunk(article(text), chunk_tokens=120)
    assert [c.id for c in first] == [c.id for c in chunk(article(text), chunk_tokens=120)]
    shifted = chunk(article("Another opening of the very same article.\n\n" + text), chunk_tokens=120)
    assert {c.id for c in first[1:]} <= {c.id for c in shifted}  # moved, but the same words: the same chunk
    other = chunk(article(text, title="Another Title"), chunk_tokens=120)
    assert not {c.id for c in first} & {c.id for c in other}


def test_equal_passages_have_ids_of_their_own() -> None:
    a = article("\n".join(["1. The same words.", "2. Other words.", "3. More.", "1. The same words.", "5. End."]))
    chunks = chunk(a, chunk_tokens=180)
    sound(a, chunks)


def test_a_text_of_nothing_has_no_chunks() -> None:
    assert chunk(article(""), chunk_tokens=180) == []
    assert chunk(article(" \n "), chunk_tokens=180) == []
