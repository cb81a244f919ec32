"""The loss and the gradient at the caller's parameters, which come back as they were."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck import InputError, check_grad
from problems import cubic, cubic_grad, weights


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.longdouble, ">f8"], ids=str)
@pytest.mark.parametrize("layout", [lambda a: a, lambda a: np.stack([a, a], axis=1)[:, 0], lambda a: a[::-1]])
def test_array_types_and_layouts(kind: Any, layout: Callable[[np.ndarray], np.ndarray]) -> None:
    x: Any = layout(weights().astype(kind))
    before = x.tobytes()
    assert check_grad(cubic, cubic_grad, x).passed
    assert not check_grad(cubic, lambda x: 1.2 * cubic_grad(x), x).passed
    assert x.tobytes() == before


@pytest.mark.parametrize("problem", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 6, 9])
def test_an_exception_comes_through_and_leaves_everything_as_it_was(problem: BaseException, call: int) -> None:
    W, numbers = weights(), {"b": 0.1, "U": [[0.1, 0.2]]}
    tree = {"W": W, "inner": numbers}
    before = W.tobytes()
    count = 0

    def failing(p: Any) -> Any:
        nonlocal count
        count += 1
        if count == call:
            raise problem
        return np.sum(p["W"] ** 2) + p["inner"]["b"] ** 2 + sum(p["inner"]["U"][0]) ** 2

    def gradient(p: Any) -> Any:
        return {"W": 2 * p["W"], "inner": {"b": 0.2, "U": [[0.6, 0.6]]}}

    with pytest.raises(type(problem)) as caught:
        check_grad(failing, gradient, tree, points=2)
    assert caught.value is problem
    assert W.tobytes() == before
    assert tree["W"] is W
    assert numbers == {"b": 0.1, "U": [[0.1, 0.2]]}


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=5), st.sampled_from([np.float64, np.float32]))
def test_arrays_come_back_bit_for_bit(values: list[float], dtype: type) -> None:
    x: Any = np.array(values, dtype=dtype)
    before = x.tobytes()
    check_grad(lambda x: np.sum(np.sin(x)), np.cos, x, points=2)
    assert x.tobytes() == before


def test_a_loss_that_closes_over_the_same_array_sees_the_change() -> None:
    W = weights()
    assert check_grad(lambda _: np.sum(W**2), lambda _: 2 * W, W).passed
    W32 = weights().astype(np.float32)
    assert check_grad(lambda _: np.sum(W32**2), lambda _: 2 * W32, W32).passed


def test_read_only_arrays() -> None:
    W = weights()
    W.flags.writeable = False
    assert check_grad(cubic, cubic_grad, W).passed
    assert not W.flags.writeable


@pytest.mark.parametrize("guilty", ["loss", "grad"])
def test_functions_that_change_parameters_are_named(guilty: str) -> None:
    W = weights()

    def f(p: Any) -> Any:
        if guilty == "loss":
            p["W"] += 1
        return np.sum(p["W"] ** 2)

    def g(p: Any) -> Any:
        if guilty == "grad":
            p["W"] -= 0.1 * p["W"]
        return {"W": 2 * p["W"]}

    with pytest.raises(InputError, match=rf"`{guilty}` changes the parameters it is given \(W\)"):
        check_grad(f, g, {"W": W})
    np.testing.assert_array_equal(W, weights())


def test_a_gradient_in_a_reused_buffer_is_copied() -> None:
    buffer = np.empty(3)

    def f(x: Any) -> Any:
        buffer[:] = 0
        return np.sum(x**2)

    def g(x: Any) -> Any:
        buffer[:] = 2 * x
        return buffer

    assert check_grad(f, g, weights()).passed


def test_a_gradient_that_is_the_parameter_itself() -> None:
    assert check_grad(lambda x: 0.5 * np.sum(x**2), lambda x: x, weights()).passed


def test_a_backward_pass_reads_what_the_forward_pass_left() -> None:
    cache = {}

    def forward(x: Any) -> Any:
        cache["x"] = np.array(x)
        return np.sum(x**3)

    def backward(_: Any) -> Any:
        return 3 * cache["x"] ** 2

    assert check_grad(forward, backward, weights(), points=3).passed
    assert check_grad(forward, backward, weights().astype(np.float32), points=3).passed


@pytest.mark.parametrize("draw", [lambda: np.random.rand(3), lambda: [random.random() for _ in range(3)]])  # noqa: NPY002
def test_global_randomness_is_frozen_and_given_back(draw: Callable[[], Any]) -> None:
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    expected = draw()
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)

    def dropout(x: Any) -> Any:
        mask = np.asarray(draw()) < 0.7
        return np.sum((x * mask) ** 2) + np.sum(x)

    def backward(x: Any) -> Any:
        return 2 * x * (np.asarray(draw()) < 0.7) + 1

    assert check_grad(dropout, backward, weights()).passed
    np.testing.assert_array_equal(draw(), expected)


def test_every_evaluation_is_counted() -> None:
    calls = 0

    def counted(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return cubic(x)

    assert check_grad(counted, cubic_grad, weights(), points=2).evaluations == calls
