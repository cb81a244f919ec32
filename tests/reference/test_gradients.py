"""Every gradient of the reference trainer is checked by gradcheck, and each check finds an error planted in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from gradcheck import GradientMismatch, assert_grad, check_grad
from gradcheck.reference.activations import ACTIVATIONS
from gradcheck.reference.layers import Dense
from gradcheck.reference.losses import LOSSES, Loss, SquaredError
from gradcheck.reference.network import Network
from gradcheck.reference.optimizers import SGD, Adam, Momentum

SAMPLES = 7
PAIRS = [(output, loss) for loss in LOSSES.values() for output in ACTIVATIONS if loss.output in (None, output)]
HIDDEN = ["sigmoid", "tanh", "relu", "leaky_relu", "softmax", "linear"]


@dataclass
class Case:
    """A network with data, as the two functions that a checker wants."""

    network: Network
    loss_function: Loss
    X: np.ndarray
    Y: np.ndarray
    l2: float = 0.0
    params: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(1)
        self.network.vector += 0.3 * rng.normal(size=self.network.vector.shape).astype(self.network.dtype)
        self.params = {name: values.copy() for name, values in self.network.params.items()}

    def _put(self, params: dict[str, np.ndarray]) -> None:
        for name, values in self.network.params.items():
            values[...] = params[name]

    def loss(self, params: dict[str, np.ndarray]) -> float:
        self._put(params)
        return self.network.objective(self.X, self.Y, self.loss_function, l2=self.l2)

    def grad(self, params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self._put(params)
        return self.network.objective_and_grad(self.X, self.Y, self.loss_function, l2=self.l2)[1]


def case(
    *,
    widths: tuple[int, ...] = (3, 5, 4, 2),
    hidden: Any = "tanh",
    output: str = "linear",
    loss: str = "squared_error",
    l2: float = 0.0,
    dtype: str = "float64",
) -> Case:
    rng = np.random.default_rng(0)
    network = Network(widths, hidden=hidden, output=output, seed=2, dtype=dtype)
    X = rng.normal(size=(SAMPLES, widths[0]))
    Y = rng.uniform(0.05, 0.95, size=(SAMPLES, widths[-1]))
    if loss == "softmax_cross_entropy":
        Y /= Y.sum(axis=1, keepdims=True)
    return Case(network, LOSSES[loss], X, Y, l2)


# -- correct gradients ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("output", "loss"), PAIRS, ids=lambda value: value if isinstance(value, str) else value.name)
def test_loss_with_its_output_activation(output, loss):
    c = case(output=output, loss=loss.name)
    assert_grad(c.loss, c.grad, c.params)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("loss", LOSSES)
def test_hidden_activation(hidden, loss):
    c = case(hidden=hidden, output=LOSSES[loss].output or "linear", loss=loss)
    assert_grad(c.loss, c.grad, c.params)


@pytest.mark.parametrize("widths", [(1, 1), (1, 1, 1), (4, 1, 3), (2, 9, 1), (3, 4, 5, 4, 2)], ids=str)
def test_any_widths(widths):
    c = case(widths=widths, hidden=[*HIDDEN[: len(widths) - 2]])
    assert_grad(c.loss, c.grad, c.params)


@pytest.mark.parametrize("loss", LOSSES)
def test_penalty(loss):
    c = case(output=LOSSES[loss].output or "tanh", loss=loss, l2=0.3)
    assert_grad(c.loss, c.grad, c.params)


@pytest.mark.parametrize("loss", LOSSES)
def test_single_precision(loss):
    """Its own rounding hides the smallest entries, so they are compared with those of double precision, too."""
    single, double = (case(output=LOSSES[loss].output or "linear", loss=loss, dtype=d) for d in ("float32", "float64"))
    assert check_grad(single.loss, single.grad, single.params).verdict != "mismatch"
    for name, values in single.grad(single.params).items():
        assert values.dtype == np.float32
        expected = double.grad(double.params)[name]
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def test_hard_labels():
    c = case(output="sigmoid", loss="binary_cross_entropy")
    c.Y = np.round(c.Y)
    assert_grad(c.loss, c.grad, c.params)


@pytest.mark.parametrize("name", HIDDEN)
def test_activation_alone(name):
    f, weights = ACTIVATIONS[name], np.random.default_rng(3).normal(size=(4, 3))

    def value(Z):
        A = Z.copy()
        f.apply(A)
        return float(np.sum(weights * A))

    def grad(Z):
        A, D = Z.copy(), weights.copy()
        f.apply(A)
        f.pull_back(A, D)
        return D

    assert_grad(value, grad, np.random.default_rng(4).normal(size=(4, 3)))


def optimum(kind: Callable[[], Any], steps: int = 3) -> tuple[Callable[..., float], Callable[..., np.ndarray]]:
    """Return where an optimizer gets to from a start by a linear loss c.w, as a function of c; and its gradient.

    With a gradient that is constant, c, each rule has a closed form: the derivative of the way is known.
    """
    u = np.array([0.7, -1.2, 0.4])

    def way(c):
        w, rule = np.zeros_like(c), kind()
        for _ in range(steps):
            rule.update(w, c)
        return float(u @ w)

    def grad(c):
        rule = kind()
        if isinstance(rule, Adam):  # every step is -rate c / (|c| + epsilon)
            return -steps * rule.learning_rate * rule.epsilon / (np.abs(c) + rule.epsilon) ** 2 * u
        mu = getattr(rule, "momentum", 0.0)
        weight = sum(sum(mu**j for j in range(i + 1)) for i in range(steps))
        return -rule.learning_rate * weight * u

    return way, grad


RULES = [lambda: SGD(0.2), lambda: Momentum(0.2, 0.8), lambda: Adam(0.2, epsilon=0.5)]


@pytest.mark.parametrize("rule", RULES, ids=["sgd", "momentum", "adam"])
def test_way_of_an_optimizer(rule):
    way, grad = optimum(rule)
    assert_grad(way, grad, np.array([0.6, -0.9, 1.4]))


# -- planted errors ---------------------------------------------------------------------------------------------------


def plant(monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, wrong: Callable[..., Any]) -> None:
    """Replace a method by one that gets the right one as its first argument."""
    right = getattr(owner, method)
    monkeypatch.setattr(owner, method, lambda *arguments: wrong(right, *arguments))


def mismatched(c: Case) -> set[str]:
    result = check_grad(c.loss, c.grad, c.params)
    return {p.name for p in result.parameters if p.verdict == "mismatch"}


@pytest.mark.parametrize(("output", "loss"), PAIRS, ids=lambda value: value if isinstance(value, str) else value.name)
def test_an_error_of_a_thousandth_in_a_loss_is_found(output, loss, monkeypatch):
    def wrong(right, *arguments):
        value = right(*arguments)
        arguments[-1][...] *= 1.001
        return value

    c = case(output=output, loss=loss.name)
    plant(monkeypatch, loss, "value_and_delta", wrong)
    assert mismatched(c) == set(c.params)


def unscaled(right, Z, A, Y, D):
    value = right(Z, A, Y, D)
    D *= len(D)
    return value


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("loss", LOSSES)
def test_an_error_in_a_hidden_activation_is_found(hidden, loss, monkeypatch):
    """The layer above the activation stays right, and those below it inherit the error."""

    def wrong(right, A, D):
        right(A, D)
        D *= 1.001

    other = "tanh" if hidden == "linear" else "linear"
    c = case(widths=(3, 5, 2), hidden=hidden, output=LOSSES[loss].output or other, loss=loss)
    plant(monkeypatch, ACTIVATIONS[hidden], "pull_back", wrong)
    assert mismatched(c) == {"W1", "b1"}


@pytest.mark.parametrize("widths", [(1, 1), (1, 1, 1), (4, 1, 3), (2, 9, 1), (3, 4, 5, 4, 2)], ids=str)
def test_a_bias_that_is_averaged_is_found(widths, monkeypatch):
    def wrong(right, layer, X, D, dX):
        right(layer, X, D, dX)
        layer.db /= len(D)

    c = case(widths=widths)
    plant(monkeypatch, Dense, "backward", wrong)
    assert mismatched(c) == {name for name in c.params if name.startswith("b")}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_penalty_without_its_half_is_found(loss):
    c = case(output=LOSSES[loss].output or "tanh", loss=loss, l2=0.3)
    right = c.grad

    def wrong(params):
        c.l2 = 0.6
        found = right(params)
        c.l2 = 0.3
        return found

    c.grad = wrong  # type: ignore[method-assign]
    assert mismatched(c) == {name for name in c.params if name.startswith("W")}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_that_is_not_divided_by_the_samples_is_found_in_single_precision(loss, monkeypatch):
    c = case(output=LOSSES[loss].output or "linear", loss=loss, dtype="float32")
    plant(monkeypatch, LOSSES[loss], "value_and_delta", unscaled)
    assert mismatched(c) == set(c.params)


def test_a_derivative_of_the_square_that_lacks_its_two_is_found(monkeypatch):
    def halved(right, Z, A, Y, D):
        value = right(Z, A, Y, D)
        D *= 0.5
        return value

    c = case()
    plant(monkeypatch, LOSSES[SquaredError.name], "value_and_delta", halved)
    assert mismatched(c) == set(c.params)


@pytest.mark.parametrize("name", HIDDEN)
def test_an_activation_whose_derivative_is_taken_at_its_output_is_found(name):
    """A common mistake: f' of a where f' of z is meant, by applying f twice."""
    f, weights = ACTIVATIONS[name], np.random.default_rng(3).normal(size=(4, 3))

    def value(Z):
        A = Z.copy()
        f.apply(A)
        return float(np.sum(weights * A))

    def grad(Z):
        A, D = Z.copy(), weights.copy()
        f.apply(A)
        f.apply(A)
        f.pull_back(A, D)
        return D if name in ("sigmoid", "tanh", "softmax") else D[::-1]  # the others have the same slope there

    with pytest.raises(GradientMismatch, match="mismatch"):
        assert_grad(value, grad, np.random.default_rng(4).normal(size=(4, 3)))


@pytest.mark.parametrize("rule", RULES, ids=["sgd", "momentum", "adam"])
def test_a_way_of_an_optimizer_that_is_a_thousandth_off_is_found(rule):
    way, grad = optimum(rule)
    with pytest.raises(GradientMismatch, match="mismatch"):
        assert_grad(way, lambda c: 1.001 * grad(c), np.array([0.6, -0.9, 1.4]))
