"""Language models: the real client libraries against a real server on loopback that misbehaves in every known way."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from rag.answer import llm as module
from rag.answer.llm import describe, forget, load_llm, unanswered
from rag.answer.prompt import Message
from rag.config import Config
from rag.errors import ConfigError, LLMAuthError, LLMBadResponse, LLMError, LLMTimeout, LLMUnavailable
from tests.loopback_llm import FAILURES, LoopbackLLM

KEY = "sk-secret-0123456789"
pytest.importorskip("llama_index.llms.openai_like")  # imported here, so that no test's clock counts the import
ASK = (Message("system", "Be brief."), Message("user", "Who hosted?"))


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "RECAP_LLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")  # nothing listens on the discard port
    monkeypatch.setattr(module, "_listens", lambda host, port: False)
    forget()
    yield
    forget()


def config(server: LoopbackLLM, **more: float) -> Config:
    first = more.get("first_token_s", 5.0)
    return Config(llm="openai-like:tiny", llm_base_url=server.base_url, llm_first_token_s=first)


def say(server: LoopbackLLM, *, first_token_s: float = 5.0, within: float = 10.0) -> str:
    model = load_llm(config(server, first_token_s=first_token_s))
    assert model is not None
    return "".join(model.stream(ASK, deadline=time.monotonic() + within))


def test_a_reply_is_streamed_through_the_real_client() -> None:
    with LoopbackLLM("ok", "Megan Thee Stallion hosted [1].") as server:
        assert say(server) == "Megan Thee Stallion hosted [1]."
    body = server.requests[0]
    assert body["stream"] is True
    assert body["model"] == "tiny"
    assert [m["role"] for m in body["messages"]] == ["system", "user"]


def test_the_window_is_the_one_that_the_server_tells() -> None:
    with LoopbackLLM() as server:
        model = load_llm(config(server))
    assert model is not None
    assert (model.name, model.context_tokens) == ("openai-like:tiny", 8192)


def test_the_openai_provider_speaks_to_the_base_url_with_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with LoopbackLLM("ok", "Yes [1].") as server:
        model = load_llm(Config(llm="openai:gpt-4o-mini", llm_base_url=server.base_url))
        assert model is not None
        assert "".join(model.stream(ASK, deadline=time.monotonic() + 30)) == "Yes [1]."
    assert server.keys == [KEY]


def test_openais_key_is_not_sent_to_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with LoopbackLLM("ok", "Yes.") as server:
        say(server)
    assert server.keys == ["none"]


EXPECTED = {
    "silent": LLMTimeout, "drip": LLMTimeout, "401": LLMAuthError, "429": LLMUnavailable, "500": LLMUnavailable,
    "404": LLMUnavailable, "too_long": LLMBadResponse, "html": LLMBadResponse, "eof": LLMBadResponse,
    "empty": LLMBadResponse, "no_choices": LLMBadResponse, "garbage": LLMBadResponse, "drop": LLMBadResponse,
}  # fmt: skip


@pytest.mark.parametrize("mode", FAILURES)
def test_every_failure_is_one_sentence_in_time_and_without_the_key(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAP_LLM_API_KEY", KEY)
    with LoopbackLLM(mode, "The host was Megan Thee Stallion, as the first source tells [1]." * 3) as server:
        model = load_llm(config(server, first_token_s=0.6))
        assert model is not None
        started = time.monotonic()
        with pytest.raises(LLMError) as caught:
            list(model.stream(ASK, deadline=started + 1.5))
        assert time.monotonic() - started < 15
    assert isinstance(caught.value, EXPECTED[mode])
    message = str(caught.value)
    assert message.endswith(".")
    assert len(message) < 200
    assert "\n" not in message
    seen = repr(caught.value) + repr(model) + repr(caught.value.__cause__)
    assert KEY not in message + seen


def test_nobody_listening_is_said_at_once() -> None:
    with LoopbackLLM() as server:
        base = server.base_url
    model = load_llm(Config(llm="openai-like:tiny", llm_base_url=base))
    assert model is not None
    with pytest.raises(LLMUnavailable, match=r"No language model answers at 127\.0\.0\.1"):
        list(model.stream(ASK, deadline=time.monotonic() + 30))


def test_a_drip_is_ended_by_the_deadline_even_after_the_first_words() -> None:
    with LoopbackLLM("slow", "word " * 200) as server:
        model = load_llm(config(server))
        assert model is not None
        started = time.monotonic()
        got: list[str] = []
        with pytest.raises(LLMTimeout, match="had not finished"):
            got.extend(model.stream(ASK, deadline=started + 0.7))
        assert 0.6 < time.monotonic() - started < 6
        assert server.hung_up.wait(10)


def test_closing_the_reply_hangs_up_on_the_server() -> None:
    with LoopbackLLM("slow", "one two three") as server:
        model = load_llm(config(server))
        assert model is not None
        pieces = model.stream(ASK, deadline=time.monotonic() + 30)
        assert next(pieces) == "one t"
        assert not server.hung_up.is_set()
        pieces.close()  # type: ignore[attr-defined]
        assert server.hung_up.wait(10)
        deadline = time.monotonic() + 10
        while any(t.name == "recap-llm" for t in threading.enumerate()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not any(t.name == "recap-llm" for t in threading.enumerate())


def test_a_wait_for_headers_that_never_come_is_cut_too() -> None:
    with LoopbackLLM("silent") as server:
        model = module._Remote("openai-like", "tiny", server.base_url, 4096, 0.3)
        with pytest.raises(LLMTimeout, match="gave no answer"):
            list(model.stream(ASK, deadline=time.monotonic() + 30))
        assert server.hung_up.wait(10)


def test_a_short_retry_after_is_honoured_once() -> None:
    with LoopbackLLM("429", "Patience [1].", retry_after="0.2") as server:
        started = time.monotonic()
        assert say(server) == "Patience [1]."
        assert 0.2 <= time.monotonic() - started < 20
    assert len(server.requests) == 2


def test_a_long_retry_after_is_not_waited_for() -> None:
    with LoopbackLLM("429", "x", retry_after="600") as server:
        started = time.monotonic()
        with pytest.raises(LLMUnavailable, match="429"):
            say(server)
        assert time.monotonic() - started < 60
    assert len(server.requests) == 1


def test_no_hidden_retries() -> None:
    with LoopbackLLM("500") as server, pytest.raises(LLMUnavailable):
        say(server)
    assert len(server.requests) == 1


def test_a_missing_done_after_a_stated_end_is_no_failure() -> None:
    with LoopbackLLM("no_done", "All said.") as server:
        assert say(server) == "All said."


def test_the_length_limit_is_an_answer_cut_off() -> None:
    with LoopbackLLM("length", "Half an ans") as server:
        model = load_llm(config(server))
        assert model is not None
        pieces = model.stream(ASK, deadline=time.monotonic() + 30)
        got = ""
        with pytest.raises(LLMBadResponse, match="length limit"):  # noqa: PT012 - what came before counts too
            for piece in pieces:
                got += piece
        assert got == "Half an ans"


@pytest.mark.parametrize("size", [1_000_000, module.MAX_CHARS - 1, 5])
def test_a_reply_without_end_is_cut_even_within_a_piece(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ". " * 500_000 if size > 5 else ". " * 10_000
    monkeypatch.setattr("tests.loopback_llm._pieces", lambda t: [t[i : i + size] for i in range(0, len(t), size)])
    with LoopbackLLM("ok", said) as server:
        model = load_llm(config(server))
        assert model is not None
        got = ""
        with pytest.raises(LLMBadResponse, match="length limit"):  # noqa: PT012 - what came before counts too
            for piece in model.stream(ASK, deadline=time.monotonic() + 30):
                assert piece
                got += piece
        assert got == said[: module.MAX_CHARS]


def test_thoughts_are_not_part_of_the_answer() -> None:
    with LoopbackLLM("think", "Katy Perry [1].") as server:
        assert say(server) == "Katy Perry [1]."


@pytest.mark.parametrize("text", ["<thin ice", "  plain", "<", "a < b"])
def test_what_only_looks_like_a_thought_is_kept(text: str) -> None:
    visible = module._Visible()
    out = "".join(visible.feed(c) for c in text) + visible.end()
    assert out == text.lstrip()


def test_auto_with_nothing_configured_is_none_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_HOST")
    started = time.monotonic()
    assert load_llm(Config()) is None
    assert time.monotonic() - started < 3
    assert unanswered(Config()) is None
    assert "No language model is configured" in describe(Config()).lines[0]


def test_auto_takes_the_first_model_of_the_configured_server_and_asks_once() -> None:
    with LoopbackLLM() as server:
        settings = Config(llm_base_url=server.base_url)
        model = load_llm(settings)
        assert model is not None
        assert model.name == "openai-like:tiny"
    assert load_llm(settings) is model  # the server is gone; it is not asked again
    assert not describe(settings).ok  # the doctor looks now


def test_auto_says_what_did_not_answer() -> None:
    with LoopbackLLM() as server:
        settings = Config(llm_base_url=server.base_url)
    assert load_llm(settings) is None
    assert "No language model answers at 127.0.0.1" in (unanswered(settings) or "")
    assert not describe(settings).ok


def test_a_refused_key_is_told_by_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with LoopbackLLM("401") as server:
        status = describe(Config(llm="openai:gpt-4o", llm_base_url=server.base_url))
    assert not status.ok
    assert "OPENAI_API_KEY" in status.lines[0]
    assert KEY not in str(status)


def test_the_doctor_names_the_models_that_are_there() -> None:
    with LoopbackLLM() as server:
        status = describe(Config(llm="openai-like:huge", llm_base_url=server.base_url))
    assert not status.ok
    assert "it has tiny" in status.lines[0]


def test_missing_parts_are_named() -> None:
    with pytest.raises(ConfigError, match="RECAP_LLM_BASE_URL"):
        load_llm(Config(llm="openai-like:tiny"))
    with pytest.raises(ConfigError, match="not a web address"):
        load_llm(Config(llm="openai-like:tiny", llm_base_url="tiny"))
    with pytest.raises(LLMAuthError, match="OPENAI_API_KEY is not set"):
        load_llm(Config(llm="openai:gpt-4o"))
    assert load_llm(Config(llm="none")) is None


@pytest.mark.parametrize("name", ["ollama:tiny", "anthropic:claude-sonnet-4-5"])
def test_the_other_protocols_end_as_they_should(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.startswith("anthropic"):  # an optional extra
        pytest.importorskip("llama_index.llms.anthropic")
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    for mode, error in [("ok", None), ("length", "length limit"), ("eof", "broke off")]:
        with LoopbackLLM(mode, "Shakira got it [2].") as server:
            root = server.base_url.removesuffix("/v1")
            model = load_llm(Config(llm=name, llm_base_url=root))
            assert model is not None
            got, said = "", None
            try:
                for piece in model.stream(ASK, deadline=time.monotonic() + 30):
                    got += piece
            except LLMError as e:
                said = str(e)
        assert got == "Shakira got it [2]."
        assert said is None if error is None else error in str(said)
    assert server.keys == ([KEY] if name.startswith("anthropic") else [""])


@pytest.mark.parametrize("name", ["ollama:tiny", "anthropic:claude-sonnet-4-5"])
@pytest.mark.parametrize("mode", ["silent", "401", "500", "404", "html"])
def test_the_other_providers_fail_in_sentences(name: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.startswith("anthropic"):
        pytest.importorskip("llama_index.llms.anthropic")
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with LoopbackLLM(mode) as server:
        root = server.base_url.removesuffix("/v1")
        model = load_llm(Config(llm=name, llm_base_url=root, llm_first_token_s=1.0))
        assert model is not None
        with pytest.raises(EXPECTED[mode]) as caught:
            list(model.stream(ASK, deadline=time.monotonic() + 30))
        assert KEY not in str(caught.value)
        assert mode != "silent" or server.hung_up.wait(10)


def test_the_doctor_sees_an_ollama() -> None:
    with LoopbackLLM() as server:
        root = server.base_url.removesuffix("/v1")
        status = describe(Config(llm="ollama:tiny", llm_base_url=root))
    assert status.ok
    assert status.model == "ollama:tiny"


def test_anthropic_without_its_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LLMUnavailable, match=r'pip install "recap\[anthropic\]"'):
        load_llm(Config(llm="anthropic:claude-sonnet"))


def test_ollamas_address_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, url in [("0.0.0.0", "http://127.0.0.1:11434"), ("box:1234", "http://box:1234")]:
        monkeypatch.setenv("OLLAMA_HOST", given)
        assert module._base("ollama", None) == url


def test_importing_the_module_brings_no_heavy_library() -> None:
    code = "import sys, rag.answer.llm; print([m for m in ('llama_index', 'openai', 'httpx') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert out.stdout.strip() == "[]"
