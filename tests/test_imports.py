"""The direction of imports, read from the source: types, errors, config <- ingest, store <- retrieve <- answer <- ui, eval."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(p for part in ("rag", "ui", "eval") for p in (ROOT / part).rglob("*.py"))

# layer -> what it may import of ours, beside itself
MAY = {
    "rag.types": set(),
    "rag.errors": set(),
    "rag.config": {"rag.errors", "rag.types"},
    "rag.ingest": {"rag.types", "rag.errors", "rag.config", "rag.store"},
    "rag.model": {"rag.errors"},
    "rag.store": {"rag.types", "rag.errors", "rag.config", "rag.model"},
    "rag.retrieve": {"rag.types", "rag.errors", "rag.config", "rag.model", "rag.store", "rag.ingest"},
    "rag.answer": {"rag.types", "rag.errors", "rag.config", "rag.model", "rag.store", "rag.ingest", "rag.retrieve"},
    "rag.explore": {"rag.types", "rag.store", "rag.ingest", "rag.answer"},
    "rag.train": {"rag"},
    "rag.doctor": {"rag"},
    "rag.__main__": {"rag", "ui", "eval"},
    "rag": {"rag"},
    "ui": {"rag", "ui"},
    "eval": {"rag", "eval"},
}
PURE = ("rag/ingest/clean.py", "rag/ingest/events.py", "rag/ingest/names.py", "rag/ingest/dedupe.py", "rag/retrieve/fuse.py", "rag/retrieve/words.py", "rag/answer/prompt.py", "rag/answer/sentences.py", "rag/answer/claims.py", "rag/answer/cite.py")  # fmt: skip
HEAVY = {
    "llama_index": {"eval/starter.py", "rag/answer/llm.py", "rag/retrieve/llamaindex.py"},
    "chromadb": {"eval/starter.py", "rag/store/vectors.py"},
    "openvino": {"rag/store/embed.py"},
    "onnxruntime": {"rag/model/reader.py", "rag/train/export.py"},
    "torch": {"rag/store/embed.py", "rag/train/export.py", "rag/train/fit.py", "rag/train/net.py"},
    "transformers": {"rag/store/embed.py", "rag/train/net.py"},
    "sentence_transformers": {"rag/store/embed.py"},
    "gradio": {"ui/layout.py", "ui/page.py", "ui/theme.py"},
    "trafilatura": {"rag/ingest/parse.py"},
    "pypdf": {"rag/ingest/parse.py"},
    "docx": {"rag/ingest/parse.py"},
    "feedparser": {"rag/ingest/parse.py"},
    "sqlite3": {"rag/store/backup.py", "rag/store/library.py", "rag/doctor.py", "ui/history.py"},
    "datasketch": {"rag/ingest/dedupe.py"},
}


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(file: Path, *, at_load: bool = False) -> set[str]:
    """Full names of modules that a file imports; `at_load` leaves out those inside functions and TYPE_CHECKING."""
    out: set[str] = set()

    def visit(node: ast.AST) -> None:
        if at_load and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        ):
            return
        if isinstance(node, ast.Import):
            out.update(a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports by dots"
            assert node.module
            out.update(f"{node.module}.{a.name}" for a in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text(encoding="utf-8")))
    return out


def layer(module: str) -> str:
    """The longest layer that a module's name begins with: "rag.ingest.clean" -> "rag.ingest"."""
    return max((m for m in MAY if module == m or module.startswith(f"{m}.")), key=len, default=module)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_imports_go_one_way(file: Path) -> None:
    own = layer(name_of(file))
    for module in imported(file):
        if module.split(".")[0] not in ("rag", "ui", "eval", "tests"):
            continue
        assert not module.startswith("tests"), f"{file} imports tests"
        other = layer(module)
        allowed = MAY[own] | {own}
        assert other in allowed or any(a in ("rag", "ui", "eval") and other.startswith(a) for a in allowed), (
            f"{name_of(file)} ({own}) imports {module} ({other})"
        )


@pytest.mark.parametrize("file", [ROOT / p for p in PURE], ids=name_of)
def test_pure_modules_touch_no_disk_network_or_process(file: Path) -> None:
    effects = {
        "sqlite3",
        "subprocess",
        "socket",
        "httpx",
        "urllib.request",
        "tempfile",
        "shutil",
        "threading",
        "chromadb",
    }
    tops = {m.split(".")[0] for m in imported(file)} | imported(file)
    assert not tops & effects
    assert not any(m.startswith(("rag.store", "rag.config")) for m in imported(file))


@pytest.mark.parametrize("package", HEAVY)
def test_heavy_packages_are_imported_in_few_files(package: str) -> None:
    users = {
        str(f.relative_to(ROOT)) for f in FILES if any(m == package or m.startswith(f"{package}.") for m in imported(f))
    }
    assert users, f"nothing imports {package} any more: take it out of this list"
    assert users <= HEAVY[package]


@pytest.mark.parametrize("package", sorted(set(HEAVY) - {"sqlite3"}))
def test_heavy_packages_are_imported_late(package: str) -> None:
    for f in FILES:
        if f.is_relative_to(ROOT / "rag") and not f.is_relative_to(ROOT / "rag" / "train"):  # a program of its own
            assert not any(m == package or m.startswith(f"{package}.") for m in imported(f, at_load=True)), name_of(f)


def test_every_layer_has_its_rule() -> None:
    for f in FILES:
        assert layer(name_of(f)) in MAY


LIGHT = """
import sys
{code}
heavy = {heavy!r}
print(sorted(m for m in sys.modules if m.split(".")[0] in heavy))
"""


@pytest.mark.parametrize(
    ("code", "also"),
    [
        ("import rag", {"numpy", "httpx", "tokenizers"}),
        ("from rag import Config, Library, Query", set()),
        ("import rag.retrieve.search, rag.retrieve.query, rag.answer.chain, rag.ingest.pipeline, rag.__main__", set()),
        ("import rag.explore", set()),
        ("import rag.ingest.read, rag.ingest.fetch, rag.store.vectors, rag.store.embed, rag.answer.llm", set()),
    ],
)
def test_importing_costs_nothing_heavy(code: str, also: set[str]) -> None:
    heavy = (set(HEAVY) - {"sqlite3"}) | also
    done = subprocess.run(
        [sys.executable, "-c", LIGHT.format(code=code, heavy=heavy)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "[]"


def test_a_question_loads_no_torch(tmp_path: Path) -> None:
    """The path of a question, really walked: torch and its like cost 11 s and 450 MB."""
    code = f"""
from pathlib import Path
from rag import Config, Library, search
from tests.conftest import CountingEmbedder, REPORT
from rag.ingest.pipeline import ingest
folder = Path({str(tmp_path)!r})
(folder / "a.txt").write_text(REPORT)
with Library.open(Config(library=folder / "l", llm="none"), create=True, embedder=CountingEmbedder()) as library:
    ingest(library, [str(folder / "a.txt")])
with Library.open(Config(library=folder / "l", llm="none"), embedder=CountingEmbedder()) as library:
    assert search(library, "Who opened the market?")
"""
    heavy = {
        "torch",
        "transformers",
        "sentence_transformers",
        "llama_index",
        "gradio",
        "trafilatura",
        "pypdf",
        "pandas",
    }
    done = subprocess.run(
        [sys.executable, "-c", LIGHT.format(code=code, heavy=heavy)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("file", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_binds_each_of_its_names_once(file):
    # A pattern that was bound again further down took the place of the first, in silence, in the function between them.
    bound: list[str] = []
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        bound += [
            n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        ]
        bound += [node.name] if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else []
    assert sorted(bound) == sorted(set(bound))
