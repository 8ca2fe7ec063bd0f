"""The first cases of every fault in tests/torture; `make torture` runs them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import NAMES, row
from tests.torture.__main__ import _used


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [n for n in NAMES if row(n).quick])
def test_the_first_cases_hold(name: str, tmp_path: Path) -> None:
    r = row(name)
    if why := r.missing():
        pytest.skip(why)
    (tmp_path / "around").mkdir()
    with r.around(tmp_path / "around") as given:
        for n in range(r.quick):
            folder = tmp_path / str(n)
            folder.mkdir()
            r.case(n, given, folder)


def test_a_result_counts_until_code_changes_that_its_row_runs() -> None:
    found = {f.name for f in _used(Path(__file__).parent / "torture" / "users.py")}
    assert {"people.py", "loopback_llm.py"} <= found  # one is imported at the top, one in a function
    assert "markup.py" not in found
