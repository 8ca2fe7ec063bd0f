"""No regular expression of ours goes wild: each is fed what makes it try again and again, made from its own pattern."""

from __future__ import annotations

import ast
import importlib
import random
import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.torture.parsers import TooSlow, at_most

ROOT = Path(__file__).parents[1]
LONG = 1000  # characters: as many as one line of a hostile page that a pattern is asked on without a bound of its own
MOST_S = 1.0  # of processor time; the slowest of ours needs a third of it, an exponential one a lifetime
ROUNDS = 1  # of drawing what the parts of a pattern match
_CALLS = ("compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer")
_WITHOUT = ("rag.train", "ui.__main__", "rag.__main__")


def patterns(top: str) -> Iterator[tuple[str, str, int, str]]:
    """Yield (place, pattern, flags, how it is asked) of every regular expression that the code under `top` spells out."""
    for file in sorted((ROOT / top).rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name.startswith(_WITHOUT):
            continue
        known: dict[str, Any] | None = None
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CALLS):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.args):
                continue
            known = known if known is not None else vars(importlib.import_module(name))
            flags = [k.value for k in node.keywords if k.arg == "flags"]
            at = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(node.func.attr, 2)
            flags += node.args[at : at + 1]
            zero = ast.parse("0", mode="eval").body
            try:
                pattern, bits = (_value(n, known) for n in (node.args[0], flags[0] if flags else zero))
            except NameError:
                continue  # made of what a function is given
            if isinstance(pattern, bytes):
                pattern = pattern.decode("latin-1")
            if isinstance(pattern, str):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", pattern, int(bits), node.func.attr


def _value(node: ast.expr, known: dict[str, Any]) -> Any:
    return eval(compile(ast.Expression(node), "pattern", "eval"), known)  # our own code


# -- strings that a pattern nearly matches -----------------------------------------------------------------------------


def attacks(pattern: str, flags: int, rng: random.Random, *, length: int = LONG) -> Iterator[str]:
    """Yield texts that drive a pattern far before they fail it: a way in, a repeat pumped up, and an end that fits nothing."""
    tree = parser.parse(pattern, flags)
    for path in _repeats(list(tree), []):
        before, body = path
        for _ in range(ROUNDS):
            start = "".join(_witness(item, rng) for item in before)
            pump = "".join(_witness(item, rng) for item in body) or "a"
            other = "".join(_witness(item, rng) for item in body) or "b"
            for text in (
                start + pump * (length // len(pump)),
                start + (pump + other) * (length // len(pump + other)),
                (start + pump) * (length // len(start + pump)),
            ):
                for end in ("\x00", "\n!"):
                    yield text[:length] + end


Item = tuple[Any, Any]


def _repeats(items: list[Item], before: list[Item]) -> Iterator[tuple[list[Item], list[Item]]]:
    """Yield (what stands before, what is repeated) of every repeat in a parsed pattern, the inner ones as well."""
    for n, (op, value) in enumerate(items):
        ahead = before + items[:n]
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            _, most, body = value
            if most == sre.MAXREPEAT or most > 3:
                yield ahead, list(body)
            yield from _repeats(list(body), ahead)
        elif op is sre.SUBPATTERN:
            yield from _repeats(list(value[-1]), ahead)
        elif op is sre.BRANCH:
            for way in value[1]:
                yield from _repeats(list(way), ahead)
        elif op in (sre.ASSERT, sre.ASSERT_NOT):
            yield from _repeats(list(value[1]), ahead)


_OF: dict[Any, str] = {
    sre.CATEGORY_SPACE: " \t\n", sre.CATEGORY_NOT_SPACE: "aB1.", sre.CATEGORY_DIGIT: "0129",
    sre.CATEGORY_NOT_DIGIT: "aB .", sre.CATEGORY_WORD: "aB1_", sre.CATEGORY_NOT_WORD: " .-'",
}  # fmt: skip


def _witness(item: Item, rng: random.Random) -> str:
    """Return a short text that a part of a pattern matches."""
    op, value = item
    if op is sre.LITERAL:
        return chr(value)
    if op is sre.NOT_LITERAL:
        return rng.choice([c for c in "aB1 .-" if ord(c) != value])
    if op is sre.ANY:
        return rng.choice("aB1 .")
    if op is sre.IN:
        return _one_of(value, rng)
    if op is sre.BRANCH:
        return "".join(_witness(i, rng) for i in rng.choice(value[1]))
    if op is sre.SUBPATTERN:
        return "".join(_witness(i, rng) for i in value[-1])
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        least, most, body = value
        times = rng.randint(least, min(int(most), least + 2))
        return "".join(_witness(i, rng) for _ in range(times) for i in body)
    return ""  # an assertion: what it wants is left to luck


def _one_of(parts: list[Item], rng: random.Random) -> str:
    if parts[0][0] is sre.NEGATE:
        barred = re.compile("[" + "".join(map(_class, parts[1:])) + "]")
        free = [c for c in "aB1 .-_'\"\n&" if not barred.match(c)]
        return rng.choice(free or ["é"])
    op, value = rng.choice(parts)
    if op is sre.LITERAL:
        return chr(value)
    if op is sre.RANGE:
        return chr(rng.randint(*value))
    return rng.choice(_OF.get(value, "a"))


def _class(part: Item) -> str:
    op, value = part
    if op is sre.LITERAL:
        return re.escape(chr(value))
    if op is sre.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    names = {"SPACE": r"\s", "DIGIT": r"\d", "WORD": r"\w"}
    kind = str(value).removeprefix("CATEGORY_")
    return names[kind.removeprefix("NOT_")].upper() if kind.startswith("NOT_") else names[kind]


def slowest(pattern: str, flags: int, how: str, rng: random.Random, *, length: int = LONG) -> tuple[float, str]:
    """Ask a pattern as the code does, on every attack; return the longest time in seconds, with its text.

    A time of infinity is one that was cut off.
    """
    compiled = re.compile(pattern, flags)
    worst = (0.0, "")
    for text in attacks(pattern, flags, rng, length=length):
        began = time.process_time()
        try:
            with at_most(MOST_S):
                if how == "match":
                    compiled.match(text)
                elif how == "fullmatch":
                    compiled.fullmatch(text)
                else:
                    for _ in compiled.finditer(text):
                        pass
        except TooSlow:
            return float("inf"), text
        worst = max(worst, (time.process_time() - began, text))
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("top", ["rag", "ui"])
def test_no_pattern_goes_wild(top: str) -> None:
    rng = random.Random(1)
    seen: set[tuple[str, int, str]] = set()
    for place, pattern, flags, how in patterns(top):
        if (pattern, flags, how) in seen:
            continue
        seen.add((pattern, flags, how))
        seconds, text = slowest(pattern, flags, how, rng)
        assert seconds < MOST_S, f"{place} needs {seconds} s for {text[:60]!r}... ({len(text)} characters)"
    assert len(seen) > 20


def test_what_reads_an_answer_takes_time_in_step_with_its_length() -> None:
    """A browser sends answers back as long as this, and each is drawn while nobody else is answered."""
    found = [p for p in patterns("ui") if p[0].startswith("ui/render.py")]
    assert len(found) > 4
    for place, pattern, flags, how in found:
        seconds, text = slowest(pattern, flags, how, random.Random(1), length=20_000)
        assert seconds < MOST_S, f"{place} needs {seconds} s for {text[:60]!r}... ({len(text)} characters)"


def test_a_wild_pattern_is_found() -> None:
    for wild in (r"(a+)+$", r"(?:x|x)*y"):
        assert slowest(wild, 0, "search", random.Random(1), length=200)[0] >= MOST_S, wild


if __name__ == "__main__":  # every pattern that needs more than a hundredth of what it may, and how that grows
    length = int(sys.argv[1]) if len(sys.argv) > 1 else LONG
    for t in sys.argv[2:] or ("rag", "ui", "eval"):
        for place, pattern, flags, how in patterns(t):
            worst, text = slowest(pattern, flags, how, random.Random(1), length=length)
            if worst > MOST_S / 100:
                half, _ = slowest(pattern, flags, how, random.Random(1), length=length // 2)
                print(
                    f"{worst:8.3f} s  x{worst / max(half, 1e-6):5.1f}  {place} {how} {pattern[:90]!r}  {text[:60]!r}",
                    flush=True,
                )
