"""What Recap is made of and what SECURITY.md promises of it: pins, hashes, the vector store without its server, named tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.torture import NAMES

ROOT = Path(__file__).parents[1]
CODE = sorted(p for top in ("rag", "ui", "eval") for p in (ROOT / top).rglob("*.py"))
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
MAKERS = ("create_collection", "get_collection", "get_or_create_collection")
SERVED = ("HttpClient", "AsyncHttpClient", "CloudClient", "EphemeralClient")


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def test_every_locked_file_has_a_hash_and_the_version_that_is_tested() -> None:
    pins = {_name(n): v for n, v in re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.M)}
    entries = re.split(r"\n(?=\S)", (ROOT / ".ci" / "requirements.lock").read_text().strip())
    locked = {_name(m[1]): m[2] for e in entries if (m := re.match(r"([\w.-]+)==([^\s;]+)", e))}
    assert len(locked) == len(entries) > 100
    assert all("--hash=sha256:" in e for e in entries)
    assert "torch" not in locked  # which build it is, is the index's choice
    assert {n: v for n, v in locked.items() if pins.get(n, v) != v} == {}
    named = re.findall(
        r'^    "([\w.-]+)[><=]', (ROOT / "pyproject.toml").read_text().split("[project.optional")[0], re.M
    )
    assert {_name(n) for n in named} - {"torch"} <= locked.keys(), "make lock"


@pytest.mark.parametrize("file", CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_chroma_is_embedded_without_its_server_and_never_embeds(file: Path) -> None:
    """CVE-2026-45829 and 45833 are of Chroma's server."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        source = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        for name in [source, *names]:
            assert not name.startswith(("chromadb.server", "chromadb.app", "chromadb.cli", "chromadb.utils")), name
            assert name not in SERVED, name
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        assert node.func.attr not in SERVED, ast.unparse(node)
        if node.func.attr in MAKERS:
            given = {k.arg: k.value for k in node.keywords}
            assert "embedding_function" in given, ast.unparse(node)
            assert ast.unparse(given["embedding_function"]) == "None", ast.unparse(node)


def test_what_security_md_names_is_there() -> None:
    assert re.findall(r"LLM\d\d:2025", SECURITY) == [f"LLM{n:02d}:2025" for n in range(1, 11)]
    for row in re.findall(r"row `(\w+)`", SECURITY):
        assert row in NAMES, row
    for file, test in re.findall(r"`(tests/\w+\.py)(?:::(\w+))?`", SECURITY):
        assert (ROOT / file).is_file(), file
        assert not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), test
    assert SECURITY.index("<!-- torture -->") < SECURITY.index("<!-- /torture -->")
