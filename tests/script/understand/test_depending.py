"""What no parameter can reach is not run again as a possible loss; what a parameter can reach is."""

from __future__ import annotations

import pytest

from script_runs import check_only, verdicts

HEAD = """
from pathlib import Path

import numpy as np

WORDS = {{"table": "ran.txt", "columns": ["a", "b"]}}


class Meter:
    def __init__(self, rate):
        self.rate = rate
        self.slope, self.offset = np.zeros(3), np.zeros(1)

    def value(self, x):
        return x @ self.slope + self.offset[0]

    def learn(self, X, y):
        for epoch in range(4):
            total = 0.0
            for x, target in zip(X, y):
                error = target - self.value(x)
                loss = error**2 / 2
                total += loss
                self.slope += self.rate * error * x{more}
                self.offset += self.rate * error
            print(total)

"""

ANEW = (
    HEAD
    + """
def demo():
    def rows(count):
        try:
            return np.random.default_rng(seed).normal(size=(count, len(WORDS["columns"]) + 1))
        except ValueError as problem:
            raise SystemExit(problem)

    seed = 3
    with open(Path(WORDS["table"]), "a") as file:
        file.write("x")
    meter = Meter(0.05)
    X = rows(12)
    return sum(map(lambda row: row.sum() + meter.value(row), X))


demo()
X = np.random.default_rng(1).normal(size=(12, 3))
meter = Meter(0.02)
meter.learn(X, X @ np.array([1.0, 2.0, -1.0]))
"""
)


@pytest.mark.parametrize(("more", "verdict"), [("", "match"), (" + 0.1", "mismatch")])
def test_what_makes_everything_anew_is_run_once(tmp_path, more, verdict):
    """It makes its own parameters: it depends on none of those that are moved."""
    result = check_only(tmp_path, ANEW.format(more=more))
    assert verdicts(result) == {"self.slope": verdict, "self.offset": "match"}
    assert (tmp_path / "ran.txt").read_text() == "x"


BY_OBJECT = (
    HEAD.replace("{more}", "")
    + """
class Cost:
    def __init__(self, meter):
        self.meter = meter

    def __float__(self):
        return float(np.mean((y - X @ self.meter.slope) ** 4))


def quartic():
    return float(Cost(meter))


X = np.random.default_rng(1).normal(size=(12, 3))
y = X @ np.array([1.0, 2.0, -1.0])
meter = Meter(0.02)
for step in range(20):
    print(quartic())
    error = y - X @ meter.slope
    gradient = -4 * X.T @ error**3 / len(y){more}
    meter.slope = meter.slope - meter.rate * gradient
"""
)


@pytest.mark.parametrize(("more", "verdict"), [("", "match"), (" + 0.1 * X[0]", "mismatch")])
def test_a_loss_that_reaches_its_parameters_through_an_object_is_found(tmp_path, more, verdict):
    """It has no arguments, and mentions nothing but an object and a class."""
    result = check_only(tmp_path, BY_OBJECT.format(more=more))
    assert set(verdicts(result).values()) == {verdict}
    assert "quartic()" in result.entry_points.loss
