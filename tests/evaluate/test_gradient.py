"""Gradients in the user's structure, matched to the parameters."""

import numpy as np
import pytest
from hypothesis import given

from gradcheck.errors import InputError
from gradcheck.evaluate.gradient import match_gradient
from gradcheck.evaluate.params import Parameters
from structures import Layer, Pair, trees


@given(trees)
def test_round_trip(tree: object) -> None:
    parameters = Parameters(tree)
    copy = parameters.assemble([leaf.values() for leaf in parameters.leaves])
    gradient = match_gradient(parameters, copy).values
    for leaf, flat in zip(parameters.leaves, gradient, strict=True):
        np.testing.assert_array_equal(flat, leaf.values())


@pytest.mark.parametrize("pattern", ["{}", "d{}", "d_{}", "grad{}", "grad_{}", "{}_grad"])
def test_gradient_keys(pattern: str) -> None:
    parameters = Parameters({"W1": np.ones(2), "b1": np.ones(1)})
    # in another order: only the names count
    gradient = {pattern.format("b1"): np.array([3.0]), pattern.format("W1"): np.array([1.0, 2])}
    flat = match_gradient(parameters, gradient).values
    assert [values.tolist() for values in flat] == [[1.0, 2.0], [3.0]]


@pytest.mark.parametrize(
    ("tree", "gradient"),
    [
        ((1.0, 2.0), np.array([3.0, 4.0])),
        ((1.0, 2.0), [3.0, 4.0]),
        ({"w": Pair(1.0, 2.0)}, {"w": (3.0, 4.0)}),
        ({"w": Pair(1.0, 2.0)}, {"w": {"dW": 3.0, "db": 4.0}}),
        ({"w": Layer(1.0, 2.0)}, {"w": Pair(3.0, 4.0)}),
        ((np.array([1.0, 2.0]),), np.array([3.0, 4.0])),
        ({"w": [1.0, 2.0]}, {"w": np.array([3, 4])}),
        ({"a": np.array(1.0), "b": 2.0}, {"a": 3.0, "b": np.array([[4.0]])}),
    ],
)
def test_gradient_structures(tree: object, gradient: object) -> None:
    flat = match_gradient(Parameters(tree), gradient).values
    assert np.concatenate(flat).tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    ("gradient", "message"),
    [
        ({"W": np.ones((3, 2)), "b": 1.0}, r"`W` must have the parameter's shape \(2, 3\), got \(3, 2\).*transposed"),
        ({"W": np.ones((2, 3)), "b": np.ones(2)}, r"`b` must have the parameter's shape \(\), got \(2,\)"),
        ({"W": np.ones((2, 3))}, r"missing \['b'\], unexpected \[\]"),
        ({"W": np.ones((2, 3)), "b": 1.0, "dX": 1.0}, r"missing \[\], unexpected \['dX'\]"),
        ((np.ones((2, 3)), 1.0), "got a tuple of length 2"),
        (None, "is None. Does the function end without a `return`"),
        ({"W": None, "b": 1.0}, "the gradient of `W` is None"),
        ({"W": np.ones((2, 3), dtype=complex), "b": 1.0}, "of type complex128"),
        ({"W": [[1.0], [1.0, 2.0]], "b": 1.0}, "the gradient of `W`"),
        (1.0, "got float 1.0"),
    ],
)
def test_gradients_that_do_not_fit(gradient: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        match_gradient(Parameters({"W": np.ones((2, 3)), "b": 1.0}), gradient)


def test_gradient_is_copied() -> None:
    W = np.ones(2)
    parameters = Parameters({"W": W})
    (flat,) = match_gradient(parameters, {"W": W}).values
    W[0] = 5.0
    assert flat.tolist() == [1.0, 1.0]
