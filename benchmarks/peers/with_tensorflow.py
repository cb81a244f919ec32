"""``tf.test.compute_gradient``: a function with a custom gradient that returns the one under test."""

from __future__ import annotations

import os

# before the import, which would tell of the machine's instructions
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.checkers import Answer, raised
from benchmarks.problems import Candidate, CountedLoss, Problem

# it returns two Jacobian matrices, and its documentation compares them with assertAllClose, whose defaults these are
_RTOL = _ATOL = 1e-6


class Tensorflow:
    """Every entry, with one step for all."""

    name = "tensorflow"
    version = tf.__version__
    rule = "tf.test.compute_gradient(f, params): mismatch where its two Jacobians differ with rtol=1e-6, atol=1e-6"

    def check(self, problem: Problem) -> list[Answer]:
        """Return an answer to every candidate of a problem."""
        return [_answer(problem, candidate) for candidate in problem.candidates]


def _answer(problem: Problem, candidate: Candidate) -> Answer:
    loss, names = CountedLoss(problem), list(problem.params)
    grad = [tf.constant(candidate.grad[name], dtype=tf.float64) for name in names]

    def value(*values: Any) -> float:
        return float(loss({name: one.numpy() for name, one in zip(names, values, strict=True)}))

    @tf.custom_gradient
    def hosted(*values: Any) -> tuple[Any, Any]:
        return tf.py_function(value, values, tf.float64), lambda outward: [outward * one for one in grad]

    point = [tf.constant(problem.params[name], dtype=tf.float64) for name in names]
    with np.errstate(all="ignore"):
        try:
            analytic, numerical = tf.test.compute_gradient(hosted, point)
        except Exception as exception:  # noqa: BLE001 - whatever a peer raises is its answer
            return raised(exception, loss.calls)
        pairs = zip(analytic, numerical, strict=True)
        fine = all(np.allclose(one, other, rtol=_RTOL, atol=_ATOL) for one, other in pairs)
    return Answer("match" if fine else "mismatch", loss.calls)
