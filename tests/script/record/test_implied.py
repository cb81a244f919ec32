"""Losses whose derivative is the difference of output and target."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck import numerical_grad
from gradcheck.script.record import implied

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(4, 3))
ONE_HOT = np.eye(3)[[0, 2, 1, 1]]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("loss", "output"),
    [(implied.half_square, lambda z: z), (implied.cross_entropy, sigmoid), (implied.categorical, softmax)],
    ids=["half-square", "cross-entropy", "categorical"],
)
def test_the_derivative_is_the_difference(loss, output):
    found = numerical_grad(lambda z: loss(output(z), ONE_HOT), Z)
    np.testing.assert_allclose(found, output(Z) - ONE_HOT, atol=1e-8)


@pytest.mark.parametrize(
    ("probability", "target"),
    [(1.2, 1.0), (0.0, 1.0), (0.5, 2.0), (np.full(3, 0.5), np.ones((3, 1)))],
    ids=["above-1", "zero", "target-2", "broadcast"],
)
def test_what_is_no_probability_has_no_cross_entropy(probability, target):
    assert np.isnan(implied.cross_entropy(probability, target))
    assert np.isnan(implied.categorical(probability, target))
