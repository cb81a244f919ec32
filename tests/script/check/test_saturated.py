"""Training whose outputs are 0 or 1 to the last bit, so that a constant in the loss decides it."""

from __future__ import annotations

import pytest

from script_runs import check_only, verdicts

pytestmark = pytest.mark.usefixtures("forked")

SURE = """
import numpy as np
rng = np.random.default_rng(4)
X = rng.normal(size=(40, 3)) * [50, 80, 30] + [70, 90, 20]
y = (X @ [0.02, -0.03, 0.05] + rng.normal(size=40) > 0).astype(float)
def predict(w, c):
    return 1 / (1 + np.exp(-(X @ w + c)))
def loss(p, y, tiny=1e-15):
    return -np.mean(y * np.log(p + tiny) + (1 - y) * np.log(1 - p + tiny))
def gradient(p):
    return X.T @ (p - y) / len(y), np.FACTOR(p - y)
w, c = rng.normal(size=3), 0.5
for step in range(60):
    p = predict(w, c)
    if step % 20 == 0:
        print(loss(p, y))
    dw, dc = gradient(p)
    w -= 0.001 * dw
    c -= 0.001 * dc
"""


@pytest.mark.parametrize(("factor", "verdict"), [("mean", "match"), ("sum", "mismatch")])
def test_a_saturated_loss_is_compared_at_smaller_parameters(tmp_path, factor, verdict):
    result = check_only(tmp_path, SURE.replace("FACTOR", factor))
    assert verdicts(result) == {"w": "match", "c": verdict}
    assert any("times smaller than those of the training" in note for note in result.notes)


@pytest.mark.parametrize(("factor", "verdict"), [("mean", "match"), ("sum", "mismatch")])
def test_what_is_not_saturated_is_compared_where_it_is_trained(tmp_path, factor, verdict):
    result = check_only(tmp_path, SURE.replace("FACTOR", factor).replace("* [50, 80, 30] + [70, 90, 20]", "* 0.1"))
    assert verdicts(result) == {"w": "match", "c": verdict}
    assert not any("times smaller" in note for note in result.notes)
