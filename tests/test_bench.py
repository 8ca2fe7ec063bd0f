"""The benchmark's arithmetic and its articles; how fast anything is, is not tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval import bench
from eval.bench import Figure, _each, table, write_articles
from rag.ingest.dedupe import is_copy


def test_a_ratio_is_to_the_baseline_of_the_same_run() -> None:
    assert Figure("a", 3.0, "s", baseline=1.5).ratio == 2
    assert Figure("a", 3.0, "s").ratio is None


def test_the_table_shows_value_limit_and_ratio() -> None:
    lines = table(
        [Figure("cold ask", 1.234, "s", 6.0, "its imports", 0.617), Figure("memory", 1234, "MB")]
    ).splitlines()
    assert lines[1].split() == ["cold", "ask", "1.23", "s", "6.00", "s", "2.00", "x", "its", "imports", "(0.62", "s)"]
    assert lines[2].split() == ["memory", "1,234", "MB"]


def test_percentiles_are_of_the_things_done() -> None:
    done: list[int] = []
    p50, p95 = _each(range(20), done.append)
    assert done == list(range(20))
    assert 0 <= p50 <= p95


def test_the_articles_are_the_same_every_time_and_no_copies(tmp_path: Path) -> None:
    one = [p.read_text() for p in sorted(write_articles(tmp_path / "one", 8).iterdir())]
    two = [p.read_text() for p in sorted(write_articles(tmp_path / "two", 8).iterdir())]
    assert one == two
    assert 450 < len(one[0].split()) < 900
    assert not any(is_copy(a, b) for i, a in enumerate(one) for b in one[:i])


def test_without_news_questions_it_says_so_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench._beside_others(None, tmp_path) == 0
    told = capsys.readouterr().out
    assert "RECAP_BENCH_DATA" in told
    assert len(told.splitlines()) == 1


def test_with_news_questions_it_measures_a_sample_of_their_articles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("eval.__main__.main", lambda words: asked.append(words) or 0)
    assert bench._beside_others(tmp_path, tmp_path / "out") == 0
    assert asked[0][:4] == ["realtimeqa", str(tmp_path), "--articles", str(bench.SAMPLE)]


def test_bench_data_may_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Path | None] = []
    monkeypatch.setattr(bench, "measure", lambda seeds, folder: [])
    monkeypatch.setattr(bench, "_beside_others", lambda data, out: given.append(data) or 0)
    monkeypatch.delenv("RECAP_BENCH_DATA", raising=False)
    assert bench.main(["--out", str(tmp_path / "b.json")]) == 0
    monkeypatch.setenv("RECAP_BENCH_DATA", str(tmp_path))
    assert bench.main(["--out", str(tmp_path / "b.json")]) == 0
    assert bench.main(["--out", str(tmp_path / "b.json"), "--realtimeqa", "other"]) == 0
    assert given == [None, tmp_path, Path("other")]
