"""The command line, through real processes: what it prints, in which shape, and how it ends when something is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag.__main__ import run
from rag.config import Config
from rag.store.library import Library
from tests.conftest import ARTICLES, COPY, GALLERY, write_articles
from tests.loopback_llm import LoopbackLLM

RECAP = (sys.executable, "-m", "rag")
HOSTED = "Who hosted the 2024 Lantern Music Awards?"
ANSWER_KEYS = {
    "id", "question", "standalone_question", "answer", "answer_short", "abstained", "engine", "citations", "notes", "timings_ms",
}  # fmt: skip
CITATION_KEYS = {
    "marker", "article_id", "chunk_id", "title", "url", "published", "quote", "start", "end", "verdict",
}  # fmt: skip
HIT_KEYS = {
    "rank", "score", "article_id", "chunk_id", "url", "title", "published", "text", "start", "end",
}  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    """This process's environment without any setting or key of Recap's."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("RECAP_") or k == "RECAP_CACHE"}
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "NO_COLOR"):
        own.pop(name, None)
    return own | {"RECAP_LLM": "none", "OLLAMA_HOST": "127.0.0.1:9", "HF_HUB_OFFLINE": "1"} | more


def heed_ctrl_c() -> None:
    """For a child that is to be stopped: one that a shell put in the background would ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Shell:
    """Runs `recap` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, *words: str | Path, stdin: str | None = None, status: int | None = 0, **env: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*RECAP, *map(str, words)],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment(**env),
            cwd=self.folder,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert status is None or done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start it as a shell does in the foreground: Ctrl+C is heeded."""
        return subprocess.Popen(
            [*RECAP, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=self.folder,
            preexec_fn=heed_ctrl_c,
        )  # fmt: skip

    def fails(self, *words: str | Path, says: str, status: int = 2, stdin: str | None = None, **env: str) -> None:
        """Expect one sentence on stderr and nothing on stdout."""
        done = self(*words, stdin=stdin, status=status, **env)
        assert done.stdout == ""
        assert re.search(says, done.stderr), done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stderr.rstrip().endswith((".", ". ", ")")), done.stderr


@pytest.fixture
def recap(tmp_path: Path) -> Shell:
    folder = tmp_path / "shell"
    folder.mkdir()
    return Shell(folder)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that `recap ingest` made of the four articles."""
    folder = tmp_path_factory.mktemp("filled")
    write_articles(folder / "articles", ARTICLES)
    Shell(folder)("ingest", "articles", "--library", folder / "library")
    return folder / "library"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, filled: Path, tmp_path: Path) -> Iterator[Path]:
    """For tests that call `run` in this process: a clean environment that names the filled library."""
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)
    monkeypatch.setenv("RECAP_LLM", "none")
    monkeypatch.setenv("RECAP_LIBRARY", str(filled))
    monkeypatch.chdir(tmp_path)
    return filled


def out(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


# --- ask --------------------------------------------------------------------------------------------------------------


def test_ask_answers_with_the_passage(recap: Shell, filled: Path) -> None:
    done = recap("ask", HOSTED, "--library", filled)
    first, *rest = done.stdout.splitlines()
    assert "Ines Calder" in first
    assert first.endswith("[1]")
    text = "\n".join(rest)
    assert re.search(r"^\[1\] .*2024 Lantern Music Awards", text, re.M)
    assert re.search("“.*hosted by Ines Calder", " ".join(text.split()))
    assert "Engine: reader" in text
    assert "\033" not in done.stdout
    assert done.stderr == ""


def test_the_json_of_ask(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", HOSTED, "--json"]) == 0
    answer = out(capsys)
    assert set(answer) >= ANSWER_KEYS
    assert (answer["id"], answer["question"], answer["engine"]) == (None, HOSTED, "reader")
    assert answer["answer_short"] == "Ines Calder"
    assert answer["abstained"] is False
    assert set(answer["timings_ms"]) == {"retrieve", "answer", "total"}
    (citation,) = answer["citations"]
    assert set(citation) >= CITATION_KEYS
    assert citation["url"].startswith("file:///")
    assert citation["url"].endswith("/articles/gallery.txt")
    assert citation["published"] is None
    assert citation["event_date"] == "2024-05-05"
    with Library.open(Config(library=here)) as library:
        article = library.article(citation["article_id"])
    assert article is not None
    assert article.text[citation["start"] : citation["end"]] == citation["quote"]


def test_a_date_that_is_known_is_iso(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["search", "newcomer envelope piano", "--json"])
    hits = out(capsys)["hits"]
    assert {h["published"] for h in hits if "listicle" in h["url"]} == {"2023-05-11"}


def test_what_the_coverage_does_not_say_is_no_failure(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "What is the capital of France?", "--json"]) == 0
    answer = out(capsys)
    assert (answer["abstained"], answer["answer_short"], answer["citations"]) == (True, None, [])


def test_as_of_is_the_day_of_asking(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["ask", "Who hosted last year's Lantern Music Awards?", "--json", "--as-of"]
    assert run([*asked, "2025-01-01"]) == 0
    assert out(capsys)["answer_short"] == "Ines Calder"
    assert run([*asked, "2024-12-31"]) == 0
    assert out(capsys)["answer_short"] != "Ines Calder"


# --- batches ----------------------------------------------------------------------------------------------------------

LINES = [
    {"id": "a", "question": HOSTED},
    {"id": 2, "question": "What is the capital of France?"},
    {"question": "And what did the hall cost?", "as_of": "2024-09-12"},
    {"id": {"n": 4}, "question": "Who hosted it?", "history": [
        {"role": "user", "content": "When were the 2024 Lantern Music Awards?"}, {"role": "assistant", "content": "May 5"}]},
]  # fmt: skip


@pytest.mark.parametrize("command", ["ask", "search"])
def test_a_batch_is_answered_in_order(command: str, here: Path, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "batch.jsonl"
    file.write_text("\ufeff" + "\n\n".join(map(json.dumps, LINES)), encoding="utf-8")
    assert run([command, "--batch", str(file)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["id"] for r in rows] == ["a", 2, None, {"n": 4}]
    if command == "ask":
        assert all(set(r) >= ANSWER_KEYS for r in rows)
        assert [r["abstained"] for r in rows[:2]] == [False, True]
        assert "2024" in rows[3]["standalone_question"]
        assert rows[3]["question"] == "Who hosted it?"
    else:
        assert all({"id", "question", "hits"} <= set(r) for r in rows)
        assert rows[3]["hits"][0]["url"].endswith("gallery.txt")


def test_a_batch_loads_its_models_once(here: Path, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    from rag.store import embed

    loaded: list[Config] = []
    load = embed.load_embedder
    monkeypatch.setattr(embed, "load_embedder", lambda config: (loaded.append(config), load(config))[1])
    (tmp_path / "b").write_text("\n".join(json.dumps({"question": f"{HOSTED} {n}"}) for n in range(5)))
    assert run(["ask", "--batch", "b"]) == 0
    assert len(loaded) == 1
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_a_bad_line_costs_only_itself(recap: Shell, filled: Path) -> None:
    bad = [
        "{", "[]", '{"id": 3}', '{"id": 4, "question": " "}', '{"id": 5, "question": "Who?", "as_of": "yesterday"}',
        '{"id": 6, "question": "Who?", "history": [{"role": "system", "content": "x"}]}', '{"id": 7, "question": 7}',
        json.dumps({"id": 8, "question": "why " * 1000}), "\xff",
    ]  # fmt: skip
    lines = [*bad, json.dumps({"id": 10, "question": HOSTED})]
    done = recap("ask", "--batch", "-", "--library", filled, stdin="\n".join(lines), status=1)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["id"] for r in rows] == [None, None, 3, 4, 5, 6, 7, 8, None, 10]
    assert [set(r) for r in rows[:-1]] == [{"id", "error"}] * 9
    assert "Line 1 is not JSON" in rows[0]["error"]
    assert "2024-09-12" in rows[4]["error"]
    assert rows[-1]["answer_short"] == "Ines Calder"


def test_an_answer_is_written_as_soon_as_it_is_known(filled: Path, tmp_path: Path) -> None:
    """Also: Ctrl+C in the middle ends it with 130 and one word, and who asked has had all until then."""
    p = subprocess.Popen(
        [*RECAP, "ask", "--batch", "-", "--library", str(filled)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=tmp_path,
        preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    assert p.stdin
    assert p.stdout
    assert p.stderr
    try:
        p.stdin.write(json.dumps({"question": HOSTED}).encode() + b"\n")
        p.stdin.flush()
        assert select.select([p.stdout], [], [], 60)[0]
        assert json.loads(p.stdout.readline())["answer_short"] == "Ines Calder"
        p.send_signal(signal.SIGINT)
        assert p.wait(20) == 130
        assert p.stderr.read() == b"Stopped.\n"
    finally:
        p.kill()
        p.communicate()


# --- search, articles, remove -----------------------------------------------------------------------------------------


def test_the_json_of_search(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["search", "--top-k", "2", "--json", "Who hosted the 2024 Lantern Music Awards?"]) == 0
    found = out(capsys)
    assert set(found) == {"id", "question", "hits"}
    assert [h["rank"] for h in found["hits"]] == [1, 2]
    assert all(set(h) >= HIT_KEYS for h in found["hits"])
    with Library.open(Config(library=here)) as library:
        for h in found["hits"]:
            article = library.article(h["article_id"])
            assert article is not None
            assert article.text[h["start"] : h["end"]] == h["text"]
    run(["search", HOSTED])
    assert capsys.readouterr().out.startswith("1. ")


def test_ingest_articles_remove(recap: Shell, tmp_path: Path) -> None:
    write_articles(recap.folder / "articles", ARTICLES)
    done = recap("ingest", "articles")
    assert "+ articles/gallery.txt\n" in done.stdout
    assert "= articles/copy.txt is a copy of articles/listicle.txt\n" in done.stdout
    assert done.stdout.endswith("4 added, 1 merged as a copy. The library holds 4 articles.\n")
    assert done.stderr == ""  # no bar: this is no terminal
    again = recap("ingest", "articles", "--json")
    report = json.loads(again.stdout)
    assert len(report["unchanged"]) == 4
    assert (report["added"], report["chunks_embedded"], report["rejected"]) == ([], 0, [])
    write_articles(recap.folder / "articles", {"report.txt": ARTICLES["report.txt"].replace("forty", "fifty")})
    assert "~ articles/report.txt\n1 updated, 3 unchanged." in recap("ingest", "articles").stdout

    listed = json.loads(recap("articles", "--json").stdout)["articles"]
    assert {a["url"].rpartition("/")[2] for a in listed} == set(ARTICLES)
    assert len({a["cluster"] for a in listed}) == 3
    assert "seven-legged" not in recap("articles").stdout
    report_id = next(a["id"] for a in listed if a["url"].endswith("report.txt"))

    done = recap("remove", report_id, "articles/gallery.txt", report_id, "nothing.txt", status=1)  # one is named twice
    assert "2 removed. The library holds 2 articles." in done.stdout
    assert done.stderr == "There is no article nothing.txt in the library. `recap articles` lists them.\n"
    assert {a["source"].rpartition("/")[2] for a in json.loads(recap("articles", "--json").stdout)["articles"]} == {
        "copy.txt",
        "listicle.txt",
    }
    assert json.loads(recap("ask", HOSTED, "--json").stdout)["abstained"] is True


def test_a_name_of_several_articles_removes_none(recap: Shell) -> None:
    for folder in ("a", "b"):
        write_articles(recap.folder / folder, {"same.txt": f"{GALLERY}\nSeen from {folder}."})
    recap("ingest", "a", "b")
    recap.fails("remove", "same.txt", says="same.txt names 2 articles: .* Nothing was removed")
    assert len(json.loads(recap("articles", "--json").stdout)["articles"]) == 2


def test_if_empty_fills_once(recap: Shell) -> None:
    write_articles(recap.folder / "first", {"a.txt": GALLERY})
    write_articles(recap.folder / "second", {"b.txt": COPY})
    assert "1 added" in recap("ingest", "--if-empty", "first").stdout
    assert recap("ingest", "--if-empty", "second").stdout == ""


def test_a_bar_on_a_terminal(recap: Shell, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    write_articles(recap.folder / "articles", {"[b]\033[2J.txt": GALLERY})
    ours, theirs = pty.openpty()
    p = subprocess.Popen(
        [*RECAP, "ingest", "articles"],
        stdout=subprocess.PIPE, stderr=theirs, env=environment(TERM="xterm", COLUMNS="120"), cwd=recap.folder,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
        if not data:
            break
        seen += data
    assert p.wait(60) == 0
    os.close(ours)
    assert p.stdout
    p.stdout.close()
    assert b"Reading" in seen
    assert b"\033[2J" not in seen


# --- when something is wrong ------------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_listed_with_its_reason(recap: Shell) -> None:
    articles = write_articles(recap.folder / "articles", {"a.txt": GALLERY, "empty.txt": ""})
    (articles / "binary.txt").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 8)
    (articles / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that follows is one")
    done = recap("ingest", "articles", "http://127.0.0.1:9/dead", status=1)
    rejected = [line for line in done.stdout.splitlines() if line.startswith("! ")]
    assert [any(name in line for line in rejected) for name in ("empty.txt", "binary.txt", "broken.pdf", "127.0.0.1")]
    assert len(rejected) == 4
    assert done.stdout.splitlines()[-1] == "1 added, 4 rejected. The library holds 1 article."
    report = json.loads(recap("ingest", "articles", "--json", status=1).stdout)
    assert all(r["source"] and r["reason"].endswith(".") for r in report["rejected"])


@pytest.mark.parametrize("place", ["folder", "nowhere", "*.txt"])
def test_nothing_to_read(place: str, recap: Shell) -> None:
    (recap.folder / "folder").mkdir()
    done = recap("ingest", place, status=1)
    assert done.stdout.startswith("! ")
    assert done.stdout.endswith("1 rejected. The library holds 0 articles.\n")


@pytest.mark.parametrize(
    ("words", "env", "says"),
    [
        (["ask", "Who?"], {}, r"There is no library at \.recap\. Make one with `recap ingest"),
        (["search", "Who?", "--library", "nowhere"], {}, "There is no library at nowhere"),
        (["remove", "x"], {}, "There is no library"),
        (["rebuild"], {}, "There is no library"),
        (["ask", "Who?"], {"RECAP_LLM": "hal:9000"}, "'hal:9000' is not a language model that Recap knows. Use none, auto"),
        (["ask", "Who?", "--llm", "openai"], {}, "'openai' is not a language model"),
        (["ask", "Who?", "--as-of", "12/09/2024"], {}, "'12/09/2024' is not a date. Write it as 2024-09-12"),
        (["ask", "Who?"], {"RECAP_PORT": "web"}, "RECAP_PORT='web' is not a valid int"),
        (["chat", "--port", "70000"], {}, "RECAP_PORT=70000 is not a port"),
        (["chat", "--host", "0.0.0.0", "--no-browser"], {}, "RECAP_AUTH"),
        (["ask"], {}, "There is no question"),
        (["ask", "  "], {}, "There is no question"),
        (["ask", "Who?", "--batch", "-"], {}, "Give a question or --batch, not both"),
        (["search", "--batch", "nowhere.jsonl"], {}, "The batch file nowhere.jsonl cannot be opened: no such file"),
    ],
)  # fmt: skip
def test_each_failure_is_a_sentence(words: list[str], env: dict[str, str], says: str, recap: Shell) -> None:
    recap.fails(*words, says=says, **env)


def test_a_question_that_is_too_long(recap: Shell, filled: Path) -> None:
    for command in ("ask", "search"):
        recap.fails(command, "why " * 600, "--library", filled, says="has 2399 characters; at most 2000 are read")


def test_a_damaged_library_is_refused(recap: Shell) -> None:
    (recap.folder / ".recap").mkdir()
    (recap.folder / ".recap" / "library.sqlite3").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    for words in (["ask", "Who?"], ["ingest", "."], ["articles"]):
        recap.fails(*words, says="`recap doctor --mend` mends what it can; else put it back from a backup")


def test_a_locked_library(recap: Shell, filled: Path) -> None:
    with Library.open(Config(library=filled), write=True):
        began = time.monotonic()
        recap.fails("ingest", ".", "--library", filled, says="Another process is writing to the library")
        assert time.monotonic() - began < 10
        recap.fails("remove", "x", "--library", filled, says="Another process is writing")
        assert "Ines Calder" in recap("ask", HOSTED, "--library", filled).stdout  # reading goes on


def test_a_wrong_key(recap: Shell, filled: Path) -> None:
    with LoopbackLLM("401") as server:
        env = {
            "RECAP_LLM": "openai:gpt-4o-mini",
            "OPENAI_API_KEY": "sk-wrong-key",
            "RECAP_LLM_BASE_URL": server.base_url,
        }
        doctor = recap("doctor", "--library", filled, status=1, **env)
        assert re.search(r"^WRONG  llm  .*OPENAI_API_KEY", doctor.stdout, re.M)
        answer = json.loads(recap("ask", HOSTED, "--json", "--library", filled, **env).stdout)
    assert (answer["engine"], answer["answer_short"]) == ("reader", "Ines Calder")
    (note,) = answer["notes"]
    assert "OPENAI_API_KEY" in note
    assert note.endswith("the reader answered instead.")
    assert "sk-wrong-key" not in doctor.stdout + json.dumps(answer)


def test_the_model_that_spoke_is_named(recap: Shell, filled: Path) -> None:
    with LoopbackLLM("ok", "Ines Calder hosted the 2024 Lantern Music Awards [1].") as server:
        words = ("ask", HOSTED, "--json", "--library", filled, "--llm", "openai-like:tiny")
        answer = json.loads(recap(*words, RECAP_LLM_BASE_URL=server.base_url).stdout)
    assert answer["engine"] == "openai-like:tiny"
    assert "Ines Calder" in answer["answer"]


def test_what_nobody_expected_is_a_sentence_too(here: Path, monkeypatch: Any, capsys: Any) -> None:
    def fail(self: Library) -> None:
        raise ValueError("seven\nlegs")

    monkeypatch.setattr(Library, "articles", fail)
    assert run(["articles"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Something went wrong that Recap did not expect (ValueError: seven legs).")
    assert said.count("\n") == 1
    monkeypatch.setenv("RECAP_DEBUG", "1")
    with pytest.raises(ValueError, match="legs"):
        run(["articles"])


def test_a_reader_that_goes_away_is_no_failure(filled: Path, tmp_path: Path) -> None:
    for words in (["articles"], ["search", "lantern", "--json"], ["doctor"]):
        p = subprocess.Popen(
            [*RECAP, *words, "--library", str(filled)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=tmp_path,
        )  # fmt: skip
        assert p.stdout
        p.stdout.close()
        assert p.stderr
        assert p.stderr.read() == b""
        assert p.wait(60) == 0
        p.stderr.close()


def test_ctrl_c_in_the_middle_of_an_ingest(recap: Shell) -> None:
    lines = "\n".join(json.dumps({"title": f"Report {n}", "text": f"{GALLERY} {n}"}) for n in range(3000))
    (recap.folder / "many.jsonl").write_text(lines)
    p = recap.start("ingest", "many.jsonl")
    until = time.monotonic() + 60
    while not (recap.folder / ".recap" / "library.sqlite3").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    p.send_signal(signal.SIGINT)
    said = p.communicate(timeout=60)
    assert said == ("", "Stopped.\n")
    assert p.returncode in (130, -signal.SIGINT)  # Python's own doing if it was just running exec(); 130 in a shell
    recap("articles")  # and what is there can be used


def test_ctrl_c_that_a_library_swallows(here: Path, monkeypatch: Any, capsys: Any) -> None:
    from rag.ingest import pipeline

    cleaned: list[str] = []

    def clean(text: str, **known: Any) -> Any:
        cleaned.append(text)
        if len(cleaned) == 3:
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        return whole(text, **known)

    whole = pipeline.clean
    monkeypatch.setattr(pipeline, "clean", clean)
    Path("many.jsonl").write_text("\n".join(json.dumps({"title": f"Report {n}", "text": GALLERY}) for n in range(9)))
    assert run(["ingest", "many.jsonl", "--library", "new"]) == 130
    assert capsys.readouterr().err == "Stopped.\n"
    assert len(cleaned) == 3


# --- settings, help, hostile text -------------------------------------------------------------------------------------


def test_the_library_may_stand_before_or_after_the_command(recap: Shell, filled: Path) -> None:
    (recap.folder / "recap.toml").write_text('library = "elsewhere"')
    for words in (
        ("--library", filled, "articles"),
        ("articles", "--library", filled),
        (f"--library={filled}", "articles"),
    ):
        assert recap(*words, RECAP_LIBRARY="nowhere").stdout.count("\n") == 8
    recap.fails("articles", RECAP_LIBRARY="nowhere", says="no library at nowhere")
    recap.fails("articles", says="no library at elsewhere")


def test_eval_is_handed_on(here: Path, monkeypatch: Any) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr("eval.__main__.main", lambda words: given.append(words) or 1)
    assert run(["eval", "facts.jsonl", "--out", "x"]) == 1
    run(["--library", "L", "eval", "facts.jsonl", "--limit", "3"])
    run(["--library=L", "eval", "check", "facts.jsonl"])
    run(["--library", "L", "eval", "compare", "A", "B"])
    assert given == [
        ["facts.jsonl", "--out", "x"],
        ["--library", "L", "facts.jsonl", "--limit", "3"],
        ["check", "--library=L", "facts.jsonl"],
        ["compare", "A", "B"],
    ]


def test_help_loads_nothing_heavy(recap: Shell) -> None:
    code = (
        "import sys\nfrom rag.__main__ import run\n"
        "try:\n    run(['--help'])\nexcept SystemExit as e:\n    assert e.code == 0\n"
        "print({m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    told = done.stdout.splitlines()
    for command in ("ingest", "ask", "search", "articles", "remove", "chat", "password", "eval", "doctor", "rebuild"):
        assert any(line.startswith(f"    {command} ") for line in told)
    for heavy in ("numpy", "chromadb", "llama_index", "openvino", "torch", "gradio", "rich", "httpx", "filelock"):
        assert f"'{heavy}'" not in told[-1]


def test_a_command_that_does_not_exist(recap: Shell) -> None:
    done = recap("sing", status=2)
    assert "invalid choice: 'sing'" in done.stderr


def test_text_cannot_steer_the_terminal_nor_break_the_lines(recap: Shell) -> None:
    row = {
        "title": "Red \033[31malert\u2028bell\007",
        "text": f"{GALLERY}\n\u2028Bye\u0085now\u2029.",
        "url": "https://x.example/a",
    }
    (recap.folder / "a.jsonl").write_text(json.dumps(row))
    told = [
        recap("ingest", "a.jsonl").stdout,
        recap("articles").stdout,
        recap("ask", HOSTED).stdout,
        recap("search", HOSTED).stdout,
    ]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "".join(told))
    for words in (["articles"], ["ask", HOSTED], ["search", HOSTED]):
        done = recap(*words, "--json").stdout
        assert len(done.splitlines()) == 1
        assert json.loads(done)


def test_a_name_cannot_forge_a_line_nor_turn_one_around(recap: Shell) -> None:
    forged = "a\n+ bank.txt\u202etxt.x"
    (recap.folder / f"{forged}.txt").write_text("Ana sang.")  # too short for a title of its own: the file's name is it
    (recap.folder / f"{forged}.doc").write_text("x")
    row = {
        "title": "Red \u2067alert\u200f",
        "outlet": "Ann\u202d",
        "text": f"{GALLERY}\n\u2066Bye",
        "url": "https://x.example/a",
    }
    (recap.folder / "b.jsonl").write_text(json.dumps(row))
    told = [
        recap("ingest", ".", status=1).stdout,
        recap("articles").stdout,
        recap("search", "who sang").stdout,
        recap("ask", HOSTED).stdout,
        recap("remove", "https://x.example/a").stdout,
    ]
    assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", "".join(told))
    assert not [line for line in "".join(told).splitlines() if line.startswith("+ bank")]
    assert "a\ufffd+ bank.txt\ufffdtxt.x.txt" in told[0]


def test_a_terminal_without_the_letters(recap: Shell, filled: Path) -> None:
    done = recap("ask", HOSTED, "--library", filled, PYTHONIOENCODING="ascii")
    assert "Ines Calder" in done.stdout
    assert "\\u201c" in done.stdout
    assert (
        "Ines"
        in json.loads(recap("ask", HOSTED, "--json", "--library", filled, PYTHONIOENCODING="ascii").stdout)["answer"]
    )


# --- chat -------------------------------------------------------------------------------------------------------------


def test_chat_may_be_stopped_while_it_is_still_loading(recap: Shell) -> None:
    p = recap.start("chat", "--port", "0", "--no-browser")
    assert p.stdout
    while "http://127.0.0.1:" not in (line := p.stdout.readline()):
        assert line, "it ended before it opened"
    p.send_signal(signal.SIGINT)
    _, said = p.communicate(timeout=60)
    assert (p.returncode, said) == (0, "")


def test_chat_opens_on_a_library_that_does_not_exist_yet(recap: Shell) -> None:
    import httpx

    p = recap.start("chat", "--port", "0", "--no-browser")
    assert p.stdout
    try:
        url = ""
        while not url and (line := p.stdout.readline()):
            url = "".join(re.findall(r"http://127\.0\.0\.1:\d+", line)[:1])
        assert url
        assert httpx.get(url, timeout=20).status_code == 200
        assert (recap.folder / ".recap" / "library.sqlite3").is_file()
        p.send_signal(signal.SIGINT)
        assert p.wait(30) in (0, 130)
        assert p.stderr
        assert "Traceback" not in p.stderr.read()
    finally:
        p.kill()
        p.communicate()
    done = recap("ask", HOSTED)
    assert "The coverage doesn’t say" in done.stdout or "recap ingest" in done.stdout
