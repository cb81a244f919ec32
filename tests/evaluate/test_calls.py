"""How the user's functions are called, with parameters of every structure."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck import Verdict, check_grad
from problems import X, cubic, cubic_grad, grad, loss, weights, y
from structures import Layer, Pair


def tells_signatures() -> bool:
    """Whether NumPy tells what the arguments of its functions are called, which it does from version 2 on."""
    return np.lib.NumpyVersion(np.__version__) >= "2.0.0"


CALLS: dict[str, tuple[Callable[..., Any], Any, Any, tuple[Any, ...], list[str]]] = {
    "array": (cubic, cubic_grad, weights(), (), ["x"]),
    "0-d array": (cubic, cubic_grad, np.array(1.5), (), ["x"]),
    "float": (lambda x: x**3, lambda x: 3 * x**2, 1.5, (), ["x"]),
    "tuple": (loss, grad, (weights(), 0.5), (), ["W", "b"]),
    "list": (loss, grad, [weights(), 0.5], (), ["W", "b"]),
    "tuple for *args": (lambda *p: loss(*p), lambda *p: grad(*p), (weights(), 0.5), (), ["params[0]", "params[1]"]),
    "namedtuple": (loss, grad, Pair(weights(), 0.5), (), ["W", "b"]),
    "namedtuple as one": (
        lambda p: loss(p.W, p.b),
        lambda p: Pair(*grad(*p)),
        Pair(weights(), 0.5),
        (),
        ["p.W", "p.b"],
    ),
    "list as one": (
        lambda layers: loss(*layers),
        lambda w: list(grad(*w)),
        [weights(), 0.5],
        (),
        ["layers[0]", "layers[1]"],
    ),
    "mapping by keyword": (
        loss,
        lambda W, b: dict(zip("Wb", grad(W, b), strict=True)),
        {"W": weights(), "b": 0.5},
        (),
        ["W", "b"],
    ),
    "mapping by **keyword": (
        lambda **p: loss(**p),
        lambda **p: Pair(*grad(**p)),
        {"W": weights(), "b": 0.5},
        (),
        ["W", "b"],
    ),
    "mapping as one": (
        lambda p: loss(p["W"], p["b"]),
        lambda p: dict(zip(["dW", "db"], grad(p["W"], p["b"]), strict=True)),
        {"W": weights(), "b": 0.5},
        (),
        ["W", "b"],
    ),
    "mapping with arguments": (
        lambda W, data, b, target: np.sum((data @ W + b - target) ** 2),
        lambda W, data, b, target: Pair(*grad(W, b)),
        {"W": weights(), "b": 0.5},
        (X, y),
        ["W", "b"],
    ),
    "array with arguments": (
        lambda w, data: np.sum((data @ w) ** 2),
        lambda w, data: 2 * data.T @ (data @ w),
        weights(),
        (X,),
        ["w"],
    ),
    "dataclass": (
        lambda m: loss(m.W, m.b),
        lambda m: Layer(*grad(m.W, m.b)),
        Layer(weights(), 0.5),
        (),
        ["m.W", "m.b"],
    ),
    "(value, gradient)": (lambda W, b: (loss(W, b), grad(W, b)), True, (weights(), 0.5), (), ["W", "b"]),
    "computed gradient": (loss, grad(weights(), 0.5), (weights(), 0.5), (), ["W", "b"]),
    "display names": (
        lambda leaves, /: loss(leaves["params['W']"], leaves["self.b"]) + sum(map(sum, leaves["U"])) ** 2,
        lambda leaves, /: {
            **dict(zip(leaves, grad(leaves["params['W']"], leaves["self.b"]), strict=False)),
            "U": np.full((2, 2), 2 * sum(map(sum, leaves["U"]))),
        },
        {"params['W']": weights(), "self.b": 0.5, "U": [[0.5, 0.25], [1.0, 2.0]]},
        (),
        ["params['W']", "self.b", "U"],
    ),
    "ufunc": (np.square, lambda x: 2 * x, 1.5, (), ["x" if tells_signatures() else "params"]),
    "partial": (functools.partial(lambda k, w: k * np.sum(w**2), 3.0), lambda w: 6 * w, weights(), (), ["w"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str) -> None:
    f, g, params, args, names = CALLS[name]
    result = check_grad(f, g, params, args=args, points=1 if name == "computed gradient" else 3)
    assert result.verdict is Verdict.MATCH, str(result)
    assert [p.name for p in result.parameters] == names


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"computed gradient", "ufunc"}))
def test_calls_with_a_wrong_gradient(name: str) -> None:
    f, g, params, args, _ = CALLS[name]
    if g is True:
        f = functools.partial(lambda inner, *a: (2 * inner(*a)[0], inner(*a)[1]), f)
    else:
        f = functools.wraps(f)(functools.partial(lambda inner, *a, **k: 2 * inner(*a, **k), f))
    result = check_grad(f, g, params, args=args)
    assert {p.verdict for p in result.parameters} == {Verdict.MISMATCH}


def test_a_type_error_inside_the_loss_is_the_users_own() -> None:
    def broken(x: Any) -> Any:
        return len(x) + None  # type: ignore[operator]

    with pytest.raises(TypeError, match="unsupported operand"):
        check_grad(broken, cubic_grad, weights())
