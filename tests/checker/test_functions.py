"""The public functions: bad input, what they return, and what they import."""

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from gradcheck import InputError, assert_grad, check_grad, numerical_grad
from problems import cubic, cubic_grad, grad, loss, weights
from structures import Layer, Pair


@pytest.mark.parametrize(
    ("f", "g", "params", "message"),
    [
        (cubic, lambda _: np.ones((1, 3)), weights(), r"`x` must have the parameter's shape \(3,\), got \(1, 3\)"),
        (cubic, np.ones(4), weights(), r"`x` must have the parameter's shape \(3,\), got \(4,\)"),
        (cubic, None, weights(), "`grad` must be a callable.*got None"),
        (cubic, False, weights(), "gradient of `x` must be real numbers"),
        (loss, lambda W, b: {"W": W}, {"W": weights(), "b": 0.5}, r"missing \['b'\]"),
        (lambda x: x**2, cubic_grad, weights(), r"scalar, got an array of shape \(3,\)"),
        (lambda x: (cubic(x), x), cubic_grad, weights(), "tuple of length 2. Pass grad=True"),
        (cubic, True, weights(), r"must return \(value, gradient\), got float64"),
        (lambda x: None, cubic_grad, weights(), "got NoneType"),
        (lambda x: 1j * cubic(x), cubic_grad, weights(), "complex128"),
        (lambda x: cubic(x) * math.inf, cubic_grad, weights(), "must be finite at the point.*got inf"),
        (lambda x: cubic(x) * math.nan, cubic_grad, weights(), "must be finite at the point.*got nan"),
        (cubic, cubic_grad, np.arange(3), "`x` must be of a floating-point type, got int64"),
        (cubic, cubic_grad, 3, "`x` must be of a floating-point type"),
        (cubic, cubic_grad, np.zeros(0), "`x` is empty"),
        (cubic, cubic_grad, {}, "no parameters"),
        (cubic, lambda x, z: x, weights(), r"`grad` cannot be called.*missing a required argument: 'z'"),
        (lambda: 1.0, cubic_grad, weights(), "`loss` cannot be called.*too many positional arguments"),
        (3.0, cubic_grad, weights(), "`loss` must be callable, got float"),
        (lambda x: str(x), cubic_grad, weights(), "one real number, got str"),
    ],
)
def test_bad_input(f: Any, g: Any, params: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_grad(f, g, params)


def test_assert_grad_returns_what_passed() -> None:
    assert assert_grad(loss, grad, (weights(), 0.5), points=2).passed


def test_numerical_grad_has_the_structure_of_the_parameters() -> None:
    tree = {"W": weights(), "layers": [Layer([0.5, 1.0], 2.0)], "c": Pair(1.0, np.array(2.0))}

    def f(p: Any) -> Any:
        m = p["layers"][0]
        return np.sum(p["W"] ** 2) + m.W[0] * m.W[1] * m.b + p["c"].W * p["c"].b

    found = numerical_grad(f, tree)
    np.testing.assert_allclose(found["W"], 2 * weights(), rtol=1e-8)
    np.testing.assert_allclose(found["layers"][0].W, [2.0, 1.0])
    assert type(found["layers"][0].W) is list
    assert found["layers"][0].b == pytest.approx(0.5)
    assert type(found["layers"][0]) is Layer
    assert tuple(map(float, found["c"])) == pytest.approx((2.0, 1.0))
    assert type(found["c"]) is Pair


@pytest.mark.parametrize("x", [1e-8, 0.3, 40.0])
def test_numerical_grad_is_accurate(x: float) -> None:
    assert numerical_grad(np.exp, x) == pytest.approx(np.exp(x), rel=1e-7)


def test_numerical_grad_validates() -> None:
    with pytest.raises(InputError, match="`method` must be one of"):
        numerical_grad(cubic, weights(), method="forward")


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import gradcheck", set()),
        ("import gradcheck; gradcheck.InputError", set()),
        ("import gradcheck; print(gradcheck.check_grad(abs, lambda x: 1.0, 2.0))", {"numpy"}),
        ("import gradcheck; gradcheck.check_grad(abs, lambda x: 1.0, 2.0).table()", {"numpy", "pandas"}),
    ],
)
def test_heavy_libraries_are_loaded_when_needed(code: str, loaded: set[str]) -> None:
    probe = f"{code}\nimport sys; print(sorted({{'numpy', 'pandas'}} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == str(sorted(loaded))


def test_unknown_names_are_attribute_errors() -> None:
    import gradcheck

    with pytest.raises(AttributeError, match="no attribute 'chekc_grad'"):
        _ = gradcheck.chekc_grad
    assert set(gradcheck.__all__) <= set(dir(gradcheck))
