"""The numbers in sight, from a script to the sentence about a wrong gradient."""

from __future__ import annotations

import json

import pytest

from gradcheck.report.json import render
from gradcheck.session.report import Report
from script_runs import check
from small_scripts import DATA

pytestmark = pytest.mark.usefixtures("forked")

RIDGE = (
    DATA
    + """
LAM = 0.03
W, b = rng.normal(size=(3, 2)), np.ones(2)


def loss(W, b):
    return np.sum((X @ W + b - Y) ** 2) / len(X) + LAM * np.sum(W ** 2)


def backward(X, Y, W, b):
    error = X @ W + b - Y
    dW = 2 * X.T @ error / len(X) + 2 * LAM * W
    db = 2 * error.sum(axis=0) / len(X)
    return dW, db


for step in range(5):
    value = loss(W, b)
    dW, db = backward(X, Y, W, b)
    W -= 0.1 * dW
    b -= 0.1 * db
"""
)
EVERY = "in every entry, at every point"


@pytest.mark.parametrize(
    ("right", "wrong", "name", "expected"),
    [
        (" + 2 * LAM * W", "", "W", f"numerical - analytic = 0.06 (= 2 x 0.03) x W {EVERY}; `LAM` is 0.03"),
        ("2 * LAM * W", "LAM * W", "W", f"numerical - analytic = 0.03 x W {EVERY}; `LAM` is 0.03"),
        ("error.sum(axis=0) / len(X)", "error.sum(axis=0)", "b", "; `len(X)` is "),
        ("db = 2 * error", "db = error", "b", f"numerical = analytic x 2 {EVERY}"),
    ],
)
def test_a_planted_mistake_is_told_in_the_names_of_the_script(tmp_path, right, wrong, name, expected):
    assert RIDGE.count(right) == 1
    result = check(tmp_path, RIDGE.replace(right, wrong), fix=False)
    said = dict(result.signatures)
    assert expected in said[name]
    assert [n for n, text in said.items() if text] == [name]


def test_a_factor_of_nothing_in_sight_is_told_without_names(tmp_path):
    result = check(tmp_path, RIDGE.replace("db = 2 * error", "db = (1.9 + 0.07) * error"), fix=False)
    assert dict(result.signatures)["b"] == f"numerical = analytic x {2 / 1.97:.6g} {EVERY}"


def test_a_number_without_a_name_is_told_by_its_line(tmp_path):
    text = RIDGE.replace("LAM * np.sum", "0.03 * np.sum").replace("LAM = 0.03\n", "").replace(" + 2 * LAM * W", "")
    result = check(tmp_path, text, fix=False)
    line = next(n for n, row in enumerate(result.lines, 1) if "0.03" in row)
    assert f"0.03 stands in line {line}" in dict(result.signatures)["W"]


def test_json_has_the_sentence(tmp_path):
    result = check(tmp_path, RIDGE.replace("db = 2 * error", "db = error"), fix=False)
    parameters = json.loads(render(Report((result,))))["scripts"][0]["parameters"]
    assert [p["signature"] for p in parameters] == [None, f"numerical = analytic x 2 {EVERY}"]


IN_PLACE = (
    DATA
    + """
class Net:
    def __init__(self):
        self.W1, self.W2 = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
        self.rate = 0.2

    def step(self, X, Y):
        hidden = np.tanh(X @ self.W1)
        error = hidden @ self.W2 - Y
        loss = np.mean(np.sum(error ** 2, axis=1))
        d2 = 2 * error / len(X)
        self.W2 -= self.rate * hidden.T @ d2
        self.W1 -= self.rate * X.T @ (d2 @ self.W2.T * (1 - hidden ** 2))
        return loss


net = Net()
for k in range(20):
    net.step(X, Y)
"""
)


def test_an_error_that_vanishes_with_the_step(tmp_path):
    """What is used after it was moved makes an error that is proportional to the step."""
    said = dict(check(tmp_path, IN_PLACE, fix=False).signatures)
    assert said["self.W1"] == (
        "the error vanishes with the step: with `self.rate` a thousand times smaller, the gradient is right"
    )
    assert not said["self.W2"]


def test_an_error_that_has_nothing_to_do_with_the_step(tmp_path):
    result = check(tmp_path, IN_PLACE.replace(" * (1 - hidden ** 2)", ""), fix=False)
    assert "vanishes" not in dict(result.signatures)["self.W1"]
