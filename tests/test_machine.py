"""The library against a plain dict (tests/torture/machine.py): a few runs, drawn anew each time and made short when one fails."""

from __future__ import annotations

import hypothesis
import pytest

from tests.torture.machine import Machine

TestLibrary = pytest.mark.slow(pytest.mark.timeout(600)(Machine.TestCase))
Machine.TestCase.settings = hypothesis.settings(
    max_examples=4,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
