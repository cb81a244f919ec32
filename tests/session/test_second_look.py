"""Edits are judged by what the search does not know: a loss chosen anew, other data, and the script's own training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gradcheck.checker.verdict import Verdict
from gradcheck.session.second_look import matching_points
from script_runs import check, snippet, verdicts, write

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

LOOK = """
import time
from dataclasses import asdict
from pathlib import Path
from gradcheck.script.source.text import with_text
from gradcheck.script.check.points import checked
from gradcheck.script.understand.reading import run, understood
from gradcheck.script.request import Request
from gradcheck.session.second_look import SecondLook
from gradcheck.script.source.file import SourceFile

path, left, *edits = sys.argv[1:]
source, request = SourceFile.read(Path(path)), Request(path)
recording = run(source, request)
(examined,) = checked(recording, understood(recording, request), request)
look = SecondLook(examined, request, time.monotonic() + float(left), 1.0)
answer([asdict(look(with_text(source, source.text.replace(*edit.split(" => "))))) for edit in edits])
"""


def judged(folder: Path, text: str, *edits: str, left: float = 600.0) -> list[dict[str, Any]]:
    """Return what is said about edits of a script."""
    path = write(folder, text)
    for edit in edits:
        assert path.read_text().count(edit.split(" => ")[0]) == 1
    found = snippet(LOOK, path, left, *edits, cwd=folder)
    assert isinstance(found, list)
    return found


SHARES = """
import numpy as np

rng = np.random.default_rng(3)
X = rng.uniform(0.5, 1.5, size=(12, 3))
X = X / X.sum(axis=0)
y = rng.normal(size=12)
w, b = rng.normal(size=3), 0.3


def loss(w, b):
    return np.sum((X @ w + b - y) ** 2)


def gradients(w, b):
    error = X @ w + b - y
    return X.T @ error, 2 * error.sum()


for step in range(200):
    dw, db = gradients(w, b)
    w = w - 0.01 * dw
    b = b - 0.01 * db
"""


def test_an_edit_that_fits_the_data_by_chance_is_refused(tmp_path):
    chance, right = judged(
        tmp_path,
        SHARES,
        "return X.T @ error, => return 2 * X.T @ error * X.sum(axis=0),",
        "return X.T @ error, => return 2 * X.T @ error,",
    )
    assert chance["points"] == 0
    assert right["points"] == 8
    assert right["remark"] is None


def test_data_may_be_matrices(tmp_path):
    text = SHARES.replace("y = rng.normal(size=12)", "X, y = np.matrix(X), np.matrix(rng.normal(size=(12, 1)))")
    text = text.replace("rng.normal(size=3), 0.3", "np.matrix(rng.normal(size=(3, 1))), 0.3")
    text = text.replace("np.sum((X @ w + b - y) ** 2)", "np.sum(np.square(X * w + b - y))").replace("X.T @", "X.T *")
    chance, right = judged(
        tmp_path,
        text,
        "return X.T * error, => return 2 * X.T * error * X[:, 0].sum(),",
        "return X.T * error, => return 2 * X.T * error,",
    )
    assert chance["points"] == 0
    assert right["points"] == 8


SOFT = """
import numpy as np

rng = np.random.default_rng(3)
X = rng.normal(size=(20, 4))
T = rng.uniform(size=(20, 3))
T = T / T.sum(axis=1, keepdims=True)
W, b = rng.normal(size=(4, 3)), np.zeros(3)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cross_entropy(W, b):
    return -np.sum(T * np.log(softmax(X @ W + b))) / len(X)


def gradients(W, b):
    delta = softmax(X @ W + b) - T
    return X.T @ delta / len(X), delta.sum(axis=0)


for step in range(200):
    dW, db = gradients(W, b)
    W -= 0.1 * dW
    b -= 0.1 * db
"""


def test_a_gradient_that_needs_the_targets_to_add_up_to_one_is_right(tmp_path):
    (right,) = judged(tmp_path, SOFT, "delta.sum(axis=0) => delta.mean(axis=0)")
    assert right["points"] == 8


PRODUCTS = """
import numpy as np

rng = np.random.default_rng(5)
X = rng.normal(size=(15, 3))
y = rng.normal(size=15)
G, c = X.T @ X, X.T @ y
w = rng.normal(size=3)


def loss(w):
    return np.sum((X @ w - y) ** 2)


def gradient(w):
    return 2 * G @ w - c


for step in range(50):
    w = w - 0.01 * gradient(w)
"""


def test_data_that_depend_on_other_data_are_left_alone(tmp_path):
    right, wrong = judged(tmp_path, PRODUCTS, "2 * G @ w - c => 2 * (G @ w - c)", "2 * G @ w - c => 3 * G @ w - 2 * c")
    assert right["points"] == 8
    assert wrong["points"] == 0


STEPS = """
import numpy as np

rng = np.random.default_rng(1)
A = rng.normal(size=(40, 3))
y = A @ np.array([1.0, -2.0, 0.5]) + 0.1 * rng.normal(size=40)
w, b = np.zeros(3), 0.0


def loss(w, b):
    return np.mean((A @ w + b - y) ** 2)


def gradients(w, b):
    error = A @ w + b - y
    return 2 * A.T @ error / len(y) / 10, 2 * error.mean()


for step in range(60):
    dw, db = gradients(w, b)
    w = w - RATE * dw
    b = b - 0.1 * db
"""


def test_an_edit_that_destroys_the_training_is_refused(tmp_path):
    (said,) = judged(tmp_path, STEPS.replace("RATE", "5.0"), " / 10 =>  * 1")
    assert said["points"] == 0
    assert "takes it from" in said["harm"]
    assert "--loss NAME" in said["harm"]


def test_a_training_that_gets_worse_is_said(tmp_path):
    (said,) = judged(tmp_path, STEPS.replace("RATE", "1.28"), " / 10 =>  * 1")
    assert said["points"] == 8
    assert "at 0.02861, which is 0.01874 worse than the 0.009871" in said["remark"]


def test_nothing_is_said_about_a_training_that_gets_better(tmp_path):
    (said,) = judged(tmp_path, STEPS.replace("RATE", "0.3"), " / 10 =>  * 1")
    assert (said["points"], said["remark"], said["harm"]) == (8, None, None)


def test_a_training_that_went_wrong_before_is_no_reason(tmp_path):
    (said,) = judged(tmp_path, STEPS.replace("RATE", "50.0"), " / 10 =>  * 1")
    assert said["points"] == 8


def test_without_time_nothing_is_verified(tmp_path):
    (said,) = judged(tmp_path, STEPS.replace("RATE", "0.3"), " / 10 =>  * 1", left=0.5)
    assert said["points"] == 0
    assert said["is_open"]


UPHILL = """
import numpy as np

rng = np.random.RandomState(9)
hours = rng.uniform(0, 1, size=(35, 3))
usage = hours.dot([2.0, 0.5, -1.0]) + 0.05 * rng.randn(35)
w = np.array([0.5, 0.5, 0.5])


def squared_cost(w):
    return np.sum((usage - hours.dot(w)) ** 2)


def slope(w):
    return SLOPE


for sweep in range(150):
    w = w SIGN 0.01 * slope(w)
print(squared_cost(w))
"""


def uphill(slope: str, sign: str) -> str:
    return UPHILL.replace("SLOPE", slope).replace("SIGN", sign)


@pytest.mark.usefixtures("forked")
def test_no_fix_is_shown_that_would_send_a_training_uphill(tmp_path):
    """It steps the other way, and whatever is said of its gradient, nothing is to be mended."""
    result = check(tmp_path, uphill("hours.T.dot(usage - hours.dot(w))", "+ 2 *"))
    assert not any(finding.fix for finding in result.findings)
    assert result.findings == ()


@pytest.mark.usefixtures("forked")
def test_a_wrong_sign_is_mended_where_that_lets_the_training_go_downhill(tmp_path):
    result = check(tmp_path, uphill("2 * hours.T.dot(hours.dot(w) + usage)", "-"))
    assert verdicts(result) == {"w": "mismatch"}
    assert any(finding.fix for finding in result.findings)


@pytest.mark.parametrize(
    ("found", "matching"),
    [
        ("mmmmmmmm", 8),
        ("mmmmmmmi", 7),
        ("mmmmiiii", 4),
        ("mmmiiiii", 0),
        ("mmmmmmmw", 0),
        ("iiiiiiii", 0),
        ("", 0),
    ],
)
def test_a_few_points_may_be_undecided_and_none_wrong(found, matching):
    kinds = {"m": Verdict.MATCH, "i": Verdict.INCONCLUSIVE, "w": Verdict.MISMATCH}
    assert matching_points([kinds[letter] for letter in found]) == matching
