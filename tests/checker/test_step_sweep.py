"""The sweep of steps behind the picture of error against step."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck import check_grad
from gradcheck.checker.step_sweep import COST, MOST_CURVES, error_by_step
from script_runs import check

pytestmark = pytest.mark.usefixtures("forked")


def test_a_sweep_shows_truncation_and_round_off():
    """The error is smallest at a step between them; a gradient that is off by 1 % is off at every step there."""
    result = check_grad(lambda w: np.exp(w).sum(), lambda w: 1.01 * np.exp(w), np.array([1.0, 0.5]), curves=True)
    curve = result.parameters[0].curve
    errors = error_by_step(curve, curve.numerical)
    best = int(np.nanargmin(errors))
    assert 0 < best < errors.size - 1
    assert errors[best] < 1e-9 < min(errors[0], errors[-1])
    assert np.all(np.diff(curve.steps) > 0)
    assert np.allclose(error_by_step(curve, curve.analytic)[4:-4], 0.01 / 1.01, rtol=1e-2)


def test_a_sweep_costs_what_it_says_and_brings_everything_back():
    w = np.array([1.0, 0.0, 3.0])
    before = w.copy()
    plain = check_grad(lambda w: np.exp(w).sum(), np.exp, w)
    swept = check_grad(lambda w: np.exp(w).sum(), np.exp, w, curves=True)
    assert swept.evaluations - plain.evaluations == COST
    assert w.tobytes() == before.tobytes()
    assert plain.parameters[0].curve is None


def test_the_worst_parameters_are_swept_where_there_are_many():
    params = {f"p{i}": np.array([float(i + 1)]) for i in range(MOST_CURVES + 5)}

    def loss(**p):
        return sum(float((value**2).sum()) for value in p.values())

    def grad(**p):
        return {name: 2 * value * (2.0 if name == "p14" else 1.0) for name, value in p.items()}

    result = check_grad(loss, grad, params, curves=True)
    swept = [p.name for p in result.parameters if p.curve is not None]
    assert len(swept) == MOST_CURVES
    assert "p14" in swept


def test_a_loss_that_is_not_finite_nearby_leaves_gaps():
    result = check_grad(lambda x: np.log(x), lambda x: 1 / x, 1e-3, curves=True)
    curve = result.parameters[0].curve
    assert np.isfinite(curve.differences).sum() > 10
    with np.errstate(invalid="ignore"):
        far = check_grad(lambda x: np.sqrt(0.11 - x * x), lambda x: -x / np.sqrt(0.11 - x * x), 0.3, curves=True)
    curve = far.parameters[0].curve
    assert np.isnan(curve.differences[-1])
    assert np.isfinite(curve.differences[5])


SCRIPT = """
    import numpy as np
    X, y, w = np.arange(6.0).reshape(3, 2), np.array([1.0, 0.0, 2.0]), np.array([0.3, -0.2])
    def loss(w):
        return np.mean((X @ w - y) ** 2)
    def gradient(w):
        return 5 * X.T @ (X @ w - y) / 3
    for _ in range(3):
        w = w - 0.01 * gradient(w)
    print(loss(w))
"""


@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
def test_the_parameters_of_a_script_are_swept_where_that_is_asked_for(tmp_path, single):
    text = SCRIPT.replace("np.array([0.3, -0.2])", "np.array([0.3, -0.2], np.float32)") if single else SCRIPT
    (parameter,) = check(tmp_path, text, curves=True, fix=False).parameters
    assert parameter.verdict == "mismatch"
    curve = parameter.curve
    assert curve.index == parameter.indices[parameter.worst]
    assert np.nanmin(error_by_step(curve, curve.numerical)) < 1e-8
    assert np.nanmin(error_by_step(curve, curve.analytic)) > 0.1
    (plain,) = check(tmp_path, text, fix=False).parameters
    assert plain.curve is None
