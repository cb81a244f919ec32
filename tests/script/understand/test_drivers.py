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


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("3", "mismatch")])
def test_what_begins_with_large_steps_is_a_parameter(tmp_path, factor, verdict):
    """The first step may be as large as what it moves, and no text need say that it is one."""
    text = f"""
import numpy as np
X = np.column_stack([np.linspace(-2, 2, 9), np.linspace(-2, 2, 9) ** 2])
Y = X @ [1.0, 2.0] + 1
w, b = np.array([0.01, 0.01]), 0.01
for i in range(60):
    off = X @ w + b - Y
    loss = np.mean(off**2)
    back = {factor} * (X.T @ off) / len(Y)
    new, newb = 0.5 * (2.0 * (w - 0.05 * back)), b - 0.05 * 2 * off.mean()
    w, b = new, newb
    print(loss)
"""
    assert verdicts(check_only(tmp_path, text)) == {"w": verdict, "b": "match"}


@pytest.mark.parametrize("name", ["neg_log_lik", "negative_loglik", "minus_log_lik", "log_lik"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_negated_likelihood_is_made_small(tmp_path, name, sign):
    """Only its name, and no gradient, tells the direction where a round moves its parameters at once."""
    value = "0.5 * np.sum((y - m) ** 2)" if name != "log_lik" else "-0.5 * np.sum((y - m) ** 2)"
    text = f"""
import numpy as np
y = np.array([1.0, 2.0, 4.0])
def {name}(m):
    return {value}
m = 0.5
for i in range(20):
    m -= {sign}0.1 * np.sum(m - y)
    print({name}(m))
"""
    assert verdicts(check_only(tmp_path, text)) == {"m": "mismatch" if sign else "match"}
