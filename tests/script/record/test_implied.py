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


CLASSES = np.array([0, 2, 1, 1])


def test_the_derivative_is_the_distribution_less_one_at_the_classes():
    expected = softmax(Z)
    expected[range(4), CLASSES] -= 1
    found = numerical_grad(lambda z: implied.picked(softmax(z), (range(4), CLASSES)), Z)
    assert np.allclose(found, expected)


def test_classes_are_picked_also_where_one_was_subtracted_already():
    delta = softmax(Z)
    delta[range(4), CLASSES] -= 1
    saved = delta.copy()
    assert implied.picked(delta, (range(4), CLASSES)) == pytest.approx(
        implied.picked(softmax(Z), (range(4), CLASSES)), rel=1e-12
    )
    assert np.array_equal(delta, saved)


def test_what_is_no_distribution_has_no_classes():
    assert np.isnan(implied.picked(2 * softmax(Z), (range(4), CLASSES)))
