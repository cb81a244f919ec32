"""The checker itself, checked: correct gradients match, gradients that are wrong by 0.1 % in one entry do not.

Both are asked of the same problems, in equal numbers: a checker that always accuses passes one half only.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck import Verdict, check_grad
from networks import Params, Problem, network


def batch_norm(rng: np.random.Generator) -> Problem:
    """Return a model whose bias has no influence: its true gradient is zero, its computed ones are round-off."""
    X, y = rng.normal(size=(40, 4)), rng.normal(size=40)
    params = {"W": rng.normal(size=4), "b": np.array([0.3]), "gamma": np.array([1.2])}

    def normal(p: Params) -> tuple[np.ndarray, float]:
        z = X @ p["W"] + p["b"]
        return (z - z.mean()) / z.std(), float(z.std())

    def loss(p: Params) -> Any:
        return np.mean((p["gamma"] * normal(p)[0] - y) ** 2)

    def grad(p: Params) -> Params:
        u, std = normal(p)
        r = 2 * (p["gamma"] * u - y) / y.size
        du = r * p["gamma"]
        dz = (du - du.mean() - u * np.mean(du * u)) / std
        return {"W": X.T @ dz, "b": np.array([dz.sum()]), "gamma": np.array([r @ u])}

    return loss, grad, params


def many_terms(rng: np.random.Generator) -> Problem:
    X, y = rng.normal(size=(20_000, 3)), rng.choice([-1.0, 1.0], 20_000)
    params = {"w": rng.normal(size=3)}

    def loss(p: Params) -> Any:
        return np.sum(np.log1p(np.exp(-y * (X @ p["w"]))))

    def grad(p: Params) -> Params:
        return {"w": X.T @ (-y / (1 + np.exp(y * (X @ p["w"]))))}

    return loss, grad, params


def rosenbrock(rng: np.random.Generator) -> Problem:
    params = {"x": rng.normal(size=6)}

    def loss(p: Params) -> Any:
        x = p["x"]
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def grad(p: Params) -> Params:
        x, g = p["x"], np.zeros(6)
        g[:-1] = -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
        g[1:] += 200 * (x[1:] - x[:-1] ** 2)
        return {"x": g}

    return loss, grad, params


def mixed_scales(rng: np.random.Generator) -> Problem:
    """Parameters, and with them gradients, whose sizes are 24 decades apart."""
    size = np.array([1e-12, 1e-6, 1.0, 1e6, 1e12])
    params = {"x": rng.uniform(0.5, 2, 5) * size}

    def loss(p: Params) -> Any:
        return np.sum(np.sin(p["x"] / size))

    def grad(p: Params) -> Params:
        return {"x": np.cos(p["x"] / size) / size}

    return loss, grad, params


def absolute_values(rng: np.random.Generator) -> Problem:
    """Return an L1 penalty with weights that are exactly zero: zero is a subgradient there."""
    params = {"w": np.where(np.arange(8) % 3 == 0, 0.0, rng.normal(size=8))}

    def loss(p: Params) -> Any:
        return np.sum(np.abs(p["w"])) + np.sum(np.sin(p["w"]))

    def grad(p: Params) -> Params:
        return {"w": np.sign(p["w"]) + np.cos(p["w"])}

    return loss, grad, params


def scaled(
    problem: Callable[[np.random.Generator], Problem], factor: float
) -> Callable[[np.random.Generator], Problem]:
    def build(rng: np.random.Generator) -> Problem:
        loss, grad, params = problem(rng)
        return (lambda p: factor * loss(p)), (lambda p: {k: factor * g for k, g in grad(p).items()}), params

    return build


def relu_softmax(rng: np.random.Generator) -> Problem:
    return network(rng, activation="relu", head="softmax")


PROBLEMS: dict[str, Callable[[np.random.Generator], Problem]] = {
    "tanh-mse": lambda rng: network(rng, activation="tanh", head="mse"),
    "sigmoid-mse": lambda rng: network(rng, activation="sigmoid", head="mse", zero_bias=False),
    "relu-mse": lambda rng: network(rng, activation="relu", head="mse", zero_bias=False),
    "relu-softmax": relu_softmax,
    "tanh-softmax": lambda rng: network(rng, activation="tanh", head="softmax"),
    "tiny-loss": scaled(relu_softmax, 1e-30),
    "huge-loss": scaled(relu_softmax, 1e30),
    "batch-norm": batch_norm,
    "many-terms": many_terms,
    "rosenbrock": rosenbrock,
    "mixed-scales": mixed_scales,
    "absolute-values": absolute_values,
}
SEEDS = range(6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_correct_gradient_matches(name: str, seed: int) -> None:
    loss, grad, params = PROBLEMS[name](np.random.default_rng(seed))
    result = check_grad(loss, grad, params)
    assert result.verdict is Verdict.MATCH, str(result)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_one_entry_wrong_by_a_thousandth_is_found(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    loss, grad, params = PROBLEMS[name](rng)
    correct = grad(params)
    # any entry with a gradient, large or small within its parameter, off kinks
    sure = [(k, i) for k, g in correct.items() for i in np.ndindex(g.shape) if abs(g[i]) > 1e-4 * np.abs(g).max()]
    sure = [(k, i) for k, i in sure if k != "b" and not (name == "absolute-values" and params[k][i] == 0)]
    key, index = sure[int(rng.integers(len(sure)))]

    def planted(p: Params) -> Params:
        wrong = {k: g.copy() for k, g in grad(p).items()}
        wrong[key][index] *= 1.001
        return wrong

    result = check_grad(loss, planted, params)
    found = [(p.name, p.worst_index, p.mismatched) for p in result.parameters if p.verdict is Verdict.MISMATCH]
    assert found == [(key, index, 1)], str(result)


MISTAKES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sign": lambda g: -g,
    "factor two": lambda g: 2 * g,
    "missing": np.zeros_like,
    "one batch size": lambda g: g / 30,
    "ten per cent": lambda g: 1.1 * g,
    "NaN": lambda g: np.where(np.arange(g.size).reshape(g.shape) == 1, np.nan, g),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", MISTAKES)
def test_common_mistakes_are_found(name: str, dtype: type) -> None:
    loss, grad, params = network(np.random.default_rng(3), activation="relu", head="softmax", dtype=dtype)
    result = check_grad(loss, lambda p: {**grad(p), "W1": MISTAKES[name](grad(p)["W1"])}, params)
    assert [p.name for p in result.parameters if p.verdict is Verdict.MISMATCH] == ["W1"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_correct_float32_code_matches(activation: str, seed: int) -> None:
    loss, grad, params = network(np.random.default_rng(seed), activation=activation, head="softmax", dtype=np.float32)
    result = check_grad(loss, grad, params)
    assert result.verdict is Verdict.MATCH, str(result)
    assert result.tolerance.rtol == 2e-3


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_float32_code_that_casts_is_not_accused(activation: str, seed: int) -> None:
    loss, grad, params = network(np.random.default_rng(seed), activation=activation, head="softmax", dtype=np.float32)

    def casting(p: Params) -> Any:
        return np.float32(loss({k: v.astype(np.float32) for k, v in p.items()}))

    result = check_grad(casting, grad, params)
    assert result.verdict is not Verdict.MISMATCH, str(result)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_evaluations_per_entry_when_the_gradient_is_right(seed: int) -> None:
    loss, grad, params = network(np.random.default_rng(seed), activation="tanh", head="softmax")
    result = check_grad(loss, grad, params)
    assert result.evaluations <= 2.2 * sum(p.checked for p in result.parameters)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bound_of_a_correct_gradient_holds(seed: int) -> None:
    loss, grad, params = network(np.random.default_rng(seed), activation="tanh", head="mse")
    for parameter in check_grad(loss, grad, params).parameters:
        assert np.all(parameter.abs_error <= parameter.numerical_error)


@pytest.mark.parametrize("wrong", [False, True], ids=["correct", "planted"])
@pytest.mark.parametrize("factor", [1e-300, 1e-20, 1e-8, 1e8, 1e100])
def test_the_scale_of_the_loss_changes_no_verdict(factor: float, wrong: bool) -> None:
    def verdicts(scale: float) -> list[Verdict]:
        loss, grad, params = network(np.random.default_rng(0), activation="tanh", head="softmax")

        def scaled_grad(p: Params) -> Params:
            found = {k: scale * g for k, g in grad(p).items()}
            if wrong:
                found["W0"][1, 2] *= 1.001
            return found

        result = check_grad(lambda p: scale * loss(p), scaled_grad, params)
        return [verdict for p in result.parameters for verdict in p.verdicts]

    assert verdicts(factor) == verdicts(1.0)
