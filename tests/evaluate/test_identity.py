"""Losses that know by the array which result belongs to it: entries that change in place are not seen by these."""

from typing import Any

import numpy as np
import pytest

from gradcheck import Verdict, check_grad, numerical_grad


class ByIdentity:
    """Computes again when it is handed another array."""

    def __init__(self) -> None:
        self.x: Any = None
        self.computed = 0

    def update(self, x: Any) -> None:
        if self.x is not x:
            self.x, self.value, self.slope = x, float(np.sum(x**3)), 3 * x**2
            self.computed += 1

    def loss(self, x: Any) -> float:
        self.update(x)
        return self.value

    def grad(self, x: Any) -> Any:
        self.update(x)
        return self.slope


class ByValue(ByIdentity):
    """Compares the values, but with those of an array that it has not copied."""

    def update(self, x: Any) -> None:
        if self.x is None or not np.array_equal(self.x, x):
            self.x, self.value, self.slope = x, float(np.sum(x**3)), 3 * x**2


class ByNumber(ByIdentity):
    """Keeps every result under the number of its array."""

    def update(self, x: Any) -> None:
        known = self.__dict__.setdefault("known", {})
        if id(x) not in known:
            known[id(x)] = (x, float(np.sum(x**3)), 3 * x**2)
        _, self.value, self.slope = known[id(x)]


@pytest.mark.parametrize("kind", [ByIdentity, ByValue, ByNumber])
@pytest.mark.parametrize("points", [1, 3])
def test_a_right_gradient_matches(kind: type[ByIdentity], points: int) -> None:
    memory, x = kind(), np.array([1.0, -2.0])
    result = check_grad(memory.loss, memory.grad, x, points=points)
    assert result.passed
    np.testing.assert_allclose(result.parameters[0].numerical, result.parameters[0].analytic, rtol=1e-5)
    assert "a new array was handed to every call" in " ".join(result.notes)
    assert x.tolist() == [1.0, -2.0]


@pytest.mark.parametrize("kind", [ByIdentity, ByValue, ByNumber])
@pytest.mark.parametrize("factor", [0.0, -1.0, 1.01])
def test_a_wrong_gradient_is_found(kind: type[ByIdentity], factor: float) -> None:
    memory = kind()
    result = check_grad(memory.loss, lambda x: factor * 3 * x**2, np.array([1.0, -2.0]))
    assert result.parameters[0].verdicts == (Verdict.MISMATCH, Verdict.MISMATCH)


def test_several_arrays_and_a_nested_list() -> None:
    known: dict[str, Any] = {}

    def loss(W: Any, rows: Any) -> float:
        if known.get("key") is not W:
            known["key"], known["value"] = W, float(np.sum(W**2) + sum(v * v for row in rows for v in row))
        return float(known["value"])

    params = (np.array([1.0, 2.0]), [[0.5, 1.0], [2.0, 3.0]])
    right = (2 * params[0], 2 * np.array(params[1]))
    assert check_grad(loss, right, params).passed
    assert check_grad(loss, (right[0], 3 * right[1]), params).verdict is Verdict.MISMATCH


def test_the_numerical_gradient() -> None:
    memory = ByIdentity()
    np.testing.assert_allclose(numerical_grad(memory.loss, np.array([1.0, -2.0])), [3, 12], rtol=1e-6)


def test_single_precision() -> None:
    memory, x = ByIdentity(), np.array([1.0, -2.0], np.float32)
    assert check_grad(memory.loss, memory.grad, x).passed
    assert check_grad(memory.loss, lambda x: 2 * x**2, x).verdict is Verdict.MISMATCH


def test_other_losses_are_handed_the_callers_own_array() -> None:
    x, seen = np.array([1.0, -2.0]), []

    def loss(given: Any) -> float:
        seen.append(given is x)
        return float(np.sum(x**3))  # as some do: not what it is handed

    assert check_grad(loss, 3 * x**2, x).passed
    assert all(seen)
    wrong = check_grad(loss, np.array([3.0, 0.0]), x)
    assert wrong.parameters[0].verdicts == (Verdict.MATCH, Verdict.MISMATCH)
    assert check_grad(loss, np.zeros(2), x).verdict is Verdict.MISMATCH
