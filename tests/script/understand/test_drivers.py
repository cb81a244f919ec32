"""What a clock or a counter does to a round is told from what the round trains."""

from __future__ import annotations

import pytest

from script_runs import check_only, verdicts

ROUND = """
import time
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 3)), rng.normal(size=20)
w, b = rng.normal(size=3), np.zeros(1)
began, spent = time.perf_counter(), 0.0
for i in range(8):
    BEFORE
    r = X @ w + b - Y
    w -= 0.1 * X.T @ r / len(Y)
    b -= 0.1 * FACTOR * np.mean(r)
    AFTER
    loss = 0.5 * np.mean(r**2)
    print(loss)
"""

CLOCKS = [
    ("pass", "spent = time.perf_counter() - began"),
    ("pass", "spent = spent + (time.perf_counter() - began)"),
    ("at = time.perf_counter()", "spent += time.perf_counter() - at"),
    ("pass", "began = time.time()"),
]


@pytest.mark.parametrize(("before", "after"), CLOCKS)
@pytest.mark.parametrize(("factor", "verdict"), [("1", "match"), ("2", "mismatch")])
def test_a_round_that_takes_its_time_is_checked(tmp_path, before, after, factor, verdict):
    text = ROUND.replace("BEFORE", before).replace("AFTER", after).replace("FACTOR", factor)
    assert verdicts(check_only(tmp_path, text)) == {"w": "match", "b": verdict}


def test_what_drives_a_step_and_is_drawn_anew_is_no_clock(tmp_path):
    """Numbers that no seed repeats are not left out: there is no verdict without them."""
    drawn = "w = w + 1e-3 * np.random.Generator(np.random.PCG64()).normal(size=3)"
    text = ROUND.replace("BEFORE", drawn).replace("AFTER", "pass").replace("FACTOR", "1")
    assert check_only(tmp_path, text).verdict != "match"
