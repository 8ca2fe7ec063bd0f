"""The data, the errors and the settings."""

from __future__ import annotations

import ast
import dataclasses
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import errors, types
from rag.config import Config
from rag.errors import ConfigError, RecapError
from rag.types import Article, Event

ROOT = Path(__file__).parents[1]
NONE = Path("no-such-file.toml")
EVENT = Event(key="e", name="MTV Video Music Awards", edition="2024", start=date(2024, 9, 11), short="VMAs")


# -- types ---------------------------------------------------------------------------------------------------------------


def test_labels() -> None:
    assert (EVENT.label, EVENT.short_label) == ("2024 MTV Video Music Awards", "2024 VMAs")
    assert Event(key="e", name="Met Gala").label == Event(key="e", name="Met Gala").short_label == "Met Gala"


def test_the_date_of_an_article_is_its_event_s_else_its_own() -> None:
    a = Article(id="a", source="s", title="t", text="x", published=date(2024, 9, 12), events=(EVENT,))
    assert (a.event, a.date) == (EVENT, date(2024, 9, 11))
    undated = dataclasses.replace(EVENT, start=None)
    assert dataclasses.replace(a, events=(undated,)).date == date(2024, 9, 12)
    assert dataclasses.replace(a, events=()).event is None
    assert dataclasses.replace(a, events=(), published=None).date is None


def test_every_type_is_frozen_and_needs_the_standard_library_alone() -> None:
    kinds = [t for t in vars(types).values() if dataclasses.is_dataclass(t)]
    assert len(kinds) == 8
    assert all(t.__dataclass_params__.frozen and hasattr(t, "__slots__") for t in kinds)  # type: ignore[attr-defined]
    modules = {
        n.module for n in ast.walk(ast.parse((ROOT / "rag/types.py").read_text())) if isinstance(n, ast.ImportFrom)
    }
    assert modules == {"__future__", "dataclasses", "datetime", "typing"}


# -- errors --------------------------------------------------------------------------------------------------------------


def drawn() -> dict[str, str]:
    """The tree in the module's docstring: name -> name of its parent."""
    parents: list[str] = []
    out: dict[str, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        if m := re.match(r"((?:[│ ]   )*)(?:[├└]── )?([A-Z]\w+)(?:  |$)", line):
            depth = line.index(m.group(2)) // 4
            parents[depth:] = [m.group(2)]
            if depth:
                out[m.group(2)] = parents[depth - 1]
    return out


def test_the_tree_is_as_it_is_drawn() -> None:
    real = {e.__name__: e.__base__.__name__ for e in all_errors() if e is not RecapError and e.__base__}
    assert drawn() == real
    assert sorted(errors.__all__) == sorted([*real, "RecapError"])
    assert all(e.__doc__ for e in all_errors())


def all_errors() -> list[type[Exception]]:
    return [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, RecapError)]


def test_every_message_that_is_raised_ends_as_a_sentence() -> None:
    """Of those written out in the source: the last character is a full stop (or what a caller is given to print)."""
    names = {e.__name__ for e in all_errors()}
    for file in (ROOT / "rag").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and node.args:
                last = node.args[0]
                if isinstance(last, ast.JoinedStr):
                    last = last.values[-1]
                if isinstance(last, ast.Constant):
                    assert str(last.value).rstrip()[-1] in ".?!", f"{file.name}:{node.lineno}"


# -- config --------------------------------------------------------------------------------------------------------------


def test_defaults() -> None:
    config = Config.load({}, toml=NONE)
    assert config == Config()
    assert (config.library, config.llm, config.host, config.port) == (Path(".recap"), "auto", "127.0.0.1", 7860)


def test_a_flag_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    toml = tmp_path / "recap.toml"
    toml.write_text('port = 1\nhost = "file"\nllm = "none"\n')
    config = Config.load({"RECAP_PORT": "2", "RECAP_HOST": " env "}, toml=toml, port=3, llm_base_url=None)
    assert (config.port, config.host, config.llm, config.llm_base_url) == (3, "env", "none", None)


def test_an_empty_variable_is_none() -> None:
    assert Config.load({"RECAP_PORT": "", "RECAP_LIBRARY": "  "}, toml=NONE) == Config()


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"RECAP_LLM": "gemini:x"}, "gemini:x"),
        ({"RECAP_LLM": "openai"}, "openai:MODEL"),
        ({"RECAP_LLM": "openai:"}, "openai:MODEL"),
        ({"RECAP_PORT": "http"}, "RECAP_PORT='http'"),
        ({"RECAP_PORT": "70000"}, "0 to 65535"),
        ({"RECAP_PORT": "-1"}, "0 to 65535"),
        ({"RECAP_TOP_K": "many"}, "RECAP_TOP_K='many'"),
        ({"RECAP_LLM_DEADLINE_S": "soon"}, "RECAP_LLM_DEADLINE_S"),
        ({"RECAP_READ_ONLY": "perhaps"}, "RECAP_READ_ONLY='perhaps'"),
    ],
)
def test_a_wrong_setting_is_a_sentence(env: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as e:
        Config.load(env, toml=NONE)
    assert says in str(e.value)
    assert str(e.value).endswith(".")


@pytest.mark.parametrize(
    ("said", "means"), [("1", True), ("true", True), (" Yes ", True), ("0", False), ("FALSE", False), ("off", False)]
)
def test_yes_and_no_can_be_said_in_a_few_ways(said: str, means: bool) -> None:
    assert Config.load({"RECAP_READ_ONLY": said}, toml=NONE).read_only is means


def test_the_file_says_yes_and_no_as_toml_does_and_a_flag_still_wins(tmp_path: Path) -> None:
    toml = tmp_path / "recap.toml"
    toml.write_text("read_only = true\n")
    assert Config.load({}, toml=toml).read_only is True
    assert Config.load({"RECAP_READ_ONLY": "0"}, toml=toml).read_only is False
    assert Config.load({"RECAP_READ_ONLY": "0"}, toml=toml, read_only=True).read_only is True
    toml.write_text("read_only = 2\n")
    with pytest.raises(ConfigError, match="neither yes nor no"):
        Config.load({}, toml=toml)


@pytest.mark.parametrize("content", ["port = ", "colour = 'red'", b"\xff\xfe"])
def test_a_wrong_file_is_a_sentence(tmp_path: Path, content: str | bytes) -> None:
    toml = tmp_path / "recap.toml"
    toml.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=r"recap\.toml .*\.$"):
        Config.load({}, toml=toml)


@given(
    st.dictionaries(
        st.sampled_from([f"RECAP_{f.name.upper()}" for f in dataclasses.fields(Config)]), st.text(max_size=12)
    )
)
def test_any_environment_is_a_config_or_a_sentence(env: dict[str, str]) -> None:
    message = None
    try:
        assert isinstance(Config.load(env, toml=NONE), Config)
    except ConfigError as e:
        message = str(e)
    assert message is None or message.endswith(".")


@pytest.mark.parametrize(
    "content", ["top_k = inf", "llm_deadline_s = " + "9" * 400, "port = " + "9" * 5000, "a = " + "[" * 5000]
)
def test_a_number_or_a_nesting_without_end_is_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "recap.toml").write_text(content)
    with pytest.raises(ConfigError, match=r"\.$"):
        Config.load({}, toml=tmp_path / "recap.toml")
