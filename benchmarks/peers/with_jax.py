"""``jax.test_util.check_grads``: a function with a custom derivative rule that returns the gradient under test."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

from benchmarks.checkers import Answer, raised
from benchmarks.problems import Candidate, CountedLoss, Params, Problem

Tree = dict[str, jax.Array]

# in float32, which is JAX's default, every difference would be taken of rounded parameters
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


class Jax:
    """One random direction."""

    name = "jax"
    version = jax.__version__
    rule = 'jax.test_util.check_grads(f, (params,), order=1, modes=["rev"]) in float64: mismatch where it raises'

    def check(self, problem: Problem) -> list[Answer]:
        """Return an answer to every candidate of a problem."""
        return [_answer(problem, candidate) for candidate in problem.candidates]


def _answer(problem: Problem, candidate: Candidate) -> Answer:
    loss = CountedLoss(problem)
    grad = {name: jnp.asarray(value, dtype=jnp.float64) for name, value in candidate.grad.items()}

    @jax.custom_vjp
    def hosted(params: Tree) -> jax.Array:
        # never compiled: the values are there
        values: Params = {name: np.asarray(params[name]) for name in problem.params}
        return jnp.asarray(float(loss(values)))

    def forward(params: Tree) -> tuple[jax.Array, None]:
        return hosted(params), None

    def backward(_: None, outward: jax.Array) -> tuple[Tree]:
        return ({name: outward * value for name, value in grad.items()},)

    hosted.defvjp(forward, backward)
    point = {name: jnp.asarray(value, dtype=jnp.float64) for name, value in problem.params.items()}
    with np.errstate(all="ignore"):
        try:
            check_grads(hosted, (point,), order=1, modes=["rev"])
        except AssertionError:
            return Answer("mismatch", loss.calls)
        except Exception as exception:  # noqa: BLE001 - whatever a peer raises is its answer
            return raised(exception, loss.calls)
    return Answer("match", loss.calls)
