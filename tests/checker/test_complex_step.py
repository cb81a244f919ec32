"""The complex step is a second opinion: it counts where differences confirm it, and nowhere else."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck import Verdict, check_grad
from gradcheck.checker.verdict import Reason
from problems import weights

OFFSET = 1e9


def far_away(w: Any) -> Any:
    """Return a loss that cancels so much that differences see little of it."""
    return OFFSET + np.sum(w**4)


def quartic_grad(w: Any) -> Any:
    return 4 * w**3


def test_it_settles_what_differences_see_too_coarsely() -> None:
    w = np.array([0.1, 0.5])
    doubtful = check_grad(far_away, quartic_grad, w, method="central")
    assert Reason.COARSE in doubtful.parameters[0].reasons or doubtful.verdict is Verdict.INCONCLUSIVE
    settled = check_grad(far_away, quartic_grad, w)
    assert settled.passed
    assert Reason.COMPLEX_STEP in settled.parameters[0].reasons
    position = settled.parameters[0].reasons.index(Reason.COMPLEX_STEP)
    assert settled.parameters[0].rel_error[position] < 1e-12


def test_unasked_it_never_speaks_against_a_gradient() -> None:
    w = np.array([0.1, 0.5])
    by_differences = check_grad(far_away, lambda w: 1.0001 * quartic_grad(w), w, method="central")
    with_opinion = check_grad(far_away, lambda w: 1.0001 * quartic_grad(w), w)
    assert with_opinion.parameters[0].verdicts == by_differences.parameters[0].verdicts


@pytest.mark.parametrize(("factor", "passed"), [(1.0, True), (1.0001, False)])
def test_asked_for_it_is_taken_for_every_entry_that_is_confirmed(factor: float, passed: bool) -> None:
    w = np.array([0.7, 1.5, 0.9])
    result = check_grad(far_away, lambda w: factor * quartic_grad(w), w, method="complex")
    assert result.passed is passed
    np.testing.assert_allclose(result.parameters[0].numerical, quartic_grad(w), rtol=1e-13)


def half_real(x: Any) -> Any:
    return np.sum(np.sin(x)) + np.sum(np.abs(x) ** 2)


UNSAFE: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = [
    ("magnitude", lambda x: np.sum(np.abs(x) ** 2), lambda x: 2 * x),
    ("partly", half_real, lambda x: np.cos(x) + 2 * x),
    ("norm", np.linalg.norm, lambda x: x / np.linalg.norm(x)),
    ("real-part", lambda x: np.sum(np.real(x) ** 2), lambda x: 2 * x),
    ("buffer", lambda x: np.sum(np.add(x, 0.0, out=np.empty(x.shape), casting="unsafe") ** 2), lambda x: 2 * x),
    ("raises", lambda x: sum(float(v) ** 2 for v in x), lambda x: 2 * x),
]


@pytest.mark.parametrize(("loss", "grad"), [case[1:] for case in UNSAFE], ids=[case[0] for case in UNSAFE])
@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_losses_that_drop_imaginary_parts_are_judged_by_differences(
    loss: Callable[[Any], Any], grad: Callable[[Any], Any], factor: float
) -> None:
    result = check_grad(loss, lambda x: factor * grad(x), weights(), method="complex")
    assert result.passed is (factor == 1.0)
    assert Reason.COMPLEX_STEP not in result.parameters[0].reasons
    np.testing.assert_allclose(result.parameters[0].numerical, grad(weights()), rtol=1e-6)


def test_numbers_and_lists_become_complex_too() -> None:
    params = {"b": 0.5, "U": [[0.1, 0.2], [0.3, 0.4]]}

    def loss(p: Any) -> Any:
        return OFFSET + p["b"] ** 3 + sum(value**3 for row in p["U"] for value in row)

    def grad(p: Any) -> Any:
        return {"b": 3 * p["b"] ** 2, "U": [[3 * value**2 for value in row] for row in p["U"]]}

    result = check_grad(loss, grad, params, method="complex")
    assert result.passed
    assert [reason for p in result.parameters for reason in p.reasons] == [Reason.COMPLEX_STEP] * 5
    assert params == {"b": 0.5, "U": [[0.1, 0.2], [0.3, 0.4]]}


def test_a_subgradient_at_a_kink_keeps_its_verdict() -> None:
    result = check_grad(lambda x: np.sum(np.maximum(x, 0)), lambda x: 0.3 * np.ones(2), np.zeros(2), method="complex")
    assert result.passed
    assert result.parameters[0].reasons == (Reason.KINK, Reason.KINK)
