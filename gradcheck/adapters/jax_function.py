"""A JAX function of real arrays, with its derivatives in both modes, and its derivative as such a function again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from gradcheck.adapters.batching import padded
from gradcheck.adapters.jax_tree import Tree, real_outputs
from gradcheck.adapters.names import argument_names, positional_count
from gradcheck.adapters.problem import Array, Arrays, Problem
from gradcheck.errors import InputError

Flat = Callable[[list[Any]], list[Any]]


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Let JAX compute in float64 for a while."""
    import jax

    # by name, as it has no truth value
    switch: Any = getattr(jax, "enable_x64", None)
    if switch is None:
        switch = import_module("jax.experimental").enable_x64
    with switch(True):
        yield


@dataclass(frozen=True)
class JaxFunction:
    """A function of a list of real arrays that returns a list of real arrays.

    Parameters
    ----------
    forward_only : bool
        Whether derivatives of derivatives are made in forward mode.
    """

    flat: Flat
    names: list[str]
    whose: Any
    forward_only: bool = False

    @classmethod
    def of(cls, function: Callable[..., Any], tree: Tree, forward_only: bool) -> JaxFunction:
        """Return the user's function as a function of real arrays."""

        def flat(parts: list[Any]) -> list[Any]:
            return real_outputs(function(*tree.args(parts)))[0]

        return cls(flat, tree.names, function, forward_only)

    def problem(self, arrays: Arrays) -> Problem:
        """Return what is compared at arrays."""
        return Problem(
            arrays, self.outputs, self.pull, self.push, lambda weights: self._derived(arrays, weights), self.stacked
        )

    def outputs(self, arrays: Arrays) -> list[Array]:
        """Return the outputs at arrays."""
        return [np.asarray(output) for output in self.flat(self.placed(arrays))]

    def stacked(self, arrays: Arrays) -> list[Array]:
        """Return the outputs at stacked arrays, from one call under ``jax.vmap``."""
        import jax

        count = len(next(iter(arrays.values())))
        more = padded(count) - count
        filled = {name: np.concatenate([array, np.repeat(array[-1:], more, axis=0)]) for name, array in arrays.items()}
        return [np.asarray(output)[:count] for output in jax.vmap(self.flat)(self.placed(filled))]

    def pull(self, arrays: Arrays, weights: Sequence[Array]) -> Arrays:
        """Return the gradient of weighted outputs at arrays."""
        with explained(self.whose):
            found = self._pulled(self.placed(arrays), weights)
        return dict(zip(self.names, map(np.asarray, found), strict=True))

    def push(self, arrays: Arrays, tangents: Arrays) -> list[Array]:
        """Return the derivatives of the outputs at arrays along tangents."""
        return [np.asarray(one) for one in self._pushed(self.placed(arrays), self.placed(tangents))]

    def placed(self, arrays: Arrays) -> list[Any]:
        """Return arrays as JAX's, in the order of the arguments."""
        import jax.numpy as jnp

        # a copy, as JAX may otherwise work on the memory of an array that is about to change
        return [jnp.array(arrays[name], dtype=arrays[name].dtype, copy=True) for name in self.names]

    def _pulled(self, parts: list[Any], weights: Sequence[Array]) -> list[Any]:
        import jax
        import jax.numpy as jnp

        outputs, pullback = jax.vjp(self.flat, parts)
        cotangents = [jnp.asarray(weight, output.dtype) for weight, output in zip(weights, outputs, strict=True)]
        found: list[Any] = pullback(cotangents)[0]
        return found

    def _pushed(self, parts: list[Any], tangents: list[Any]) -> list[Any]:
        import jax

        found: list[Any] = jax.jvp(self.flat, (parts,), (tangents,))[1]
        return found

    def _derived(self, arrays: Arrays, weights: Sequence[Array]) -> Problem:
        """Return the problem whose outputs are derivatives of this one: its gradient, or those along a direction."""
        if self.forward_only:
            rng = np.random.default_rng(0)
            tangents = self.placed({name: rng.normal(size=a.shape).astype(a.dtype) for name, a in arrays.items()})

            def flat(parts: list[Any]) -> list[Any]:
                return self._pushed(parts, tangents)
        else:

            def flat(parts: list[Any]) -> list[Any]:
                return self._pulled(parts, weights)

        return JaxFunction(flat, self.names, self.whose, self.forward_only).problem(arrays)


@contextlib.contextmanager
def explained(function: Any) -> Iterator[None]:
    """Say in one sentence what a backward pass returns that does not fit, in place of JAX's error."""
    try:
        yield
    except (TypeError, ValueError) as error:
        said = str(error)
        if not said.startswith("Custom VJP bwd rule"):
            raise
        raise InputError(_explanation(_custom(function), said)) from error


def is_without_forward_mode(error: Exception) -> bool:
    """Tell whether JAX has raised an error because a ``custom_vjp`` function has no forward mode."""
    return isinstance(error, TypeError) and "jvp" in str(error) and "custom_vjp" in str(error)


def _custom(function: Any) -> Any:
    """Return the ``custom_vjp`` function that a function is, under ``jit`` or not; None if it is none."""
    for candidate in (function, getattr(function, "__wrapped__", None)):
        if type(candidate).__name__ == "custom_vjp":
            return candidate
    return None


def _explanation(custom: Any, said: str) -> str:
    name = getattr(custom, "__name__", None)
    whose = f"the backward pass (bwd) of `{name}`" if name else "the backward pass (bwd) of a custom_vjp function"
    if "at output[" in said:
        number, _, rest = said.partition("at output[")[2].partition("]")
        count = int(number) + 1
        argument = argument_names(custom, count)[-1] if custom is not None else f"argument {number}"
        path, _, told = rest.partition(" the bwd rule produced an output of type ")
        got, _, wanted = told.partition(" corresponding to an input of type ")
        if wanted:
            return (
                f"{whose} must return for `{argument}{path}` an array of type and shape {wanted.partition(']')[0]}], "
                f"got {got}. Does it lack a sum over a broadcast axis, or a transpose?"
            )
    expected, names = "one gradient per argument", ""
    if custom is not None:
        count = positional_count(custom)
        names = ", ".join(f"`{one}`" for one in argument_names(custom, count)) if count else ""
    got = said.partition("but got bwd output structure ")[2].partition(" for primal input structure ")[0]
    return (
        f"{whose} must return a tuple of {expected}{f' ({names})' if names else ''}, each of the structure of its "
        f"argument, got {got or said}. A single gradient needs a comma: return (gradient,)."
    )
