"""What is looked at before anything is compared: randomness, changed arguments, a gradient that is a difference."""

import functools
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradcheck import InputError, Verdict, check_grad, numerical_grad
from gradcheck.evaluate.random_state import Generators
from problems import weights

X = np.random.default_rng(3).normal(size=(20, 3))
GLOBAL = np.random.default_rng(4)
KINDS: list[Callable[[int], Any]] = [np.random.default_rng, random.Random, np.random.RandomState]


def uniform(generator: Any, n: int) -> np.ndarray:
    draw = generator.random_sample if isinstance(generator, np.random.RandomState) else generator.random
    return np.array([draw() for _ in range(n)])


class Dropout:
    """A network with a mask that the forward pass draws and the backward pass reads."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator

    def loss(self, w: Any) -> Any:
        self.mask = uniform(self.generator, 20) < 0.6
        return np.sum(self.mask * np.tanh(X @ w) ** 2)

    def grad(self, w: Any) -> Any:
        t = np.tanh(X @ w)
        return X.T @ (2 * self.mask * t * (1 - t * t))


def in_attribute(generator: Any) -> tuple[Any, Any]:
    network = Dropout(generator)
    return network.loss, network.grad


def in_closure(generator: Any) -> tuple[Any, Any]:
    network = Dropout(generator)
    return lambda w: network.loss(w), lambda w: network.grad(w)


def in_default(generator: Any) -> tuple[Any, Any]:
    network = Dropout(None)

    def loss(w: Any, rng: Any = generator) -> Any:
        network.generator = rng
        return network.loss(w)

    return loss, network.grad


def in_partial(generator: Any) -> tuple[Any, Any]:
    network = Dropout(None)

    def loss(rng: Any, w: Any) -> Any:
        network.generator = rng
        return network.loss(w)

    return functools.partial(loss, generator), network.grad


def in_container(generator: Any) -> tuple[Any, Any]:
    state = {"layers": [SimpleNamespace(rng=generator)]}
    network = Dropout(None)

    def loss(w: Any) -> Any:
        network.generator = state["layers"][0].rng
        return network.loss(w)

    return loss, network.grad


HOMES = [in_attribute, in_closure, in_default, in_partial, in_container]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.__name__)
@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_mask_is_the_same_in_every_call_and_the_generator_comes_back(kind: Any, home: Any, factor: float) -> None:
    generator = kind(7)
    loss, grad = home(generator)
    result = check_grad(loss, lambda w: factor * grad(w), weights())
    assert result.verdict is (Verdict.MATCH if factor == 1.0 else Verdict.MISMATCH)
    assert any("random numbers" in note for note in result.notes)
    np.testing.assert_array_equal(uniform(generator, 5), uniform(kind(7), 5))


def test_a_generator_among_the_globals() -> None:
    before = GLOBAL.bit_generator.state
    cache = {}

    def loss(w: Any) -> Any:
        cache["mask"] = GLOBAL.random(20) < 0.6
        return np.sum(cache["mask"] * (X @ w) ** 2)

    assert check_grad(loss, lambda w: 2 * X.T @ (cache["mask"] * (X @ w)), weights()).passed
    assert GLOBAL.bit_generator.state == before


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_noise_that_the_gradient_does_not_know_is_noise(kind: Any) -> None:
    """Freezing it would differentiate a loss that is another function than the one with this gradient."""
    generator = kind(0)

    def loss(w: Any) -> Any:
        return np.sum(w**2) * (1 + 1e-3 * uniform(generator, 1)[0])

    result = check_grad(loss, lambda w: 2 * w, weights())
    assert result.verdict is not Verdict.MISMATCH
    assert any("not deterministic" in note for note in result.notes)


def test_the_numerical_gradient_of_a_random_loss_is_that_of_one_draw() -> None:
    rng = np.random.default_rng(2)
    found = numerical_grad(lambda w: np.sum(w**2) * rng.random(), weights())
    np.testing.assert_allclose(found, 2 * weights() * np.random.default_rng(2).random(), rtol=1e-6)


def test_the_search_for_generators_runs_no_code_and_ends() -> None:
    class Touchy:
        @property
        def rng(self) -> Any:
            raise AssertionError("read")

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    loop: list[Any] = [Touchy()]
    loop.append(loop)
    many = [[i] for i in range(100_000)]
    inner = np.random.default_rng(0)
    assert not Generators.reached_by([loop, many, lambda: None])
    assert [g for g, _ in Generators.reached_by([loop, {"a": (inner,)}]).states] == [inner]


@pytest.mark.parametrize("guilty", ["loss", "grad"])
def test_a_function_that_changes_an_argument_is_named(guilty: str) -> None:
    data = {"X": X.copy()}

    def f(w: Any, data: Any) -> Any:
        if guilty == "loss":
            data["X"] *= 0.9
        return np.sum((data["X"] @ w) ** 2)

    def g(w: Any, data: Any) -> Any:
        if guilty == "grad":
            data["X"] -= data["X"].mean(axis=0)
        return 2 * data["X"].T @ (data["X"] @ w)

    with pytest.raises(InputError, match=rf"`{guilty}` changes args\[0\]\['X'\], and the loss .* were brought back"):
        check_grad(f, g, weights(), args=(data,))
    np.testing.assert_array_equal(data["X"], X)


def test_a_buffer_among_the_arguments_is_no_mistake() -> None:
    buffer = np.zeros(20)

    def f(w: Any, out: Any) -> Any:
        np.matmul(X, w, out=out)
        return np.sum(out**2)

    result = check_grad(f, lambda w, out: 2 * X.T @ out, weights(), args=(buffer,))
    assert result.passed
    assert any("writes to args[0]" in note for note in result.notes)
    np.testing.assert_array_equal(buffer, np.zeros(20))


def test_a_cache_among_the_arguments_is_filled() -> None:
    def f(w: Any, cache: Any) -> Any:
        cache["out"] = X @ w
        return np.sum(cache["out"] ** 2)

    assert check_grad(f, lambda w, cache: 2 * X.T @ cache["out"], weights(), args=({},)).passed


@pytest.mark.parametrize("failing", [2, 9])
@pytest.mark.parametrize("problem", [ValueError("no"), KeyboardInterrupt()], ids=repr)
def test_arguments_come_back_after_an_exception(problem: BaseException, failing: int) -> None:
    buffer, count = np.zeros(3), 0

    def f(w: Any, out: Any) -> Any:
        nonlocal count
        count += 1
        out[:] = w
        if count == failing:
            raise problem
        return np.sum(out**2)

    with pytest.raises(type(problem)):
        check_grad(f, lambda w, out: 3 * w, weights(), args=(buffer,))
    np.testing.assert_array_equal(buffer, np.zeros(3))


def square(w: Any) -> Any:
    return np.sum(w**2)


def forward_differences(w: Any) -> Any:
    return np.array([(square(w + 1e-6 * row) - square(w)) / 1e-6 for row in np.eye(w.size)])


def test_a_gradient_that_is_a_finite_difference_proves_nothing() -> None:
    result = check_grad(square, forward_differences, weights(), rtol=1e-3)
    assert any("`grad` calls `loss` 6 times for 3 entries" in note for note in result.notes)
    assert "finite difference itself" in str(result)


@pytest.mark.parametrize(
    "grad", [lambda w: 2 * w, lambda w: 2 * w * (square(w) / square(w))], ids=["derived", "calls-the-loss-twice"]
)
def test_a_derived_gradient_is_not_suspected(grad: Any) -> None:
    result = check_grad(square, grad, weights())
    assert result.passed
    assert not result.notes
