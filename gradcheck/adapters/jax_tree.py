"""The arguments of a JAX function as named real arrays, and a function of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.adapters.names import argument_names
from gradcheck.adapters.problem import Array, Arrays
from gradcheck.adapters.slots import nothing_to_differentiate
from gradcheck.errors import InputError


@dataclass(frozen=True)
class Leaf:
    """One floating-point leaf of the arguments.

    Parameters
    ----------
    name : str
        What the user calls it, in Python syntax.
    """

    name: str
    position: int
    value: Any
    dtype: Any

    @property
    def is_complex(self) -> bool:
        """Whether it is two parameters, its real and its imaginary part."""
        return bool(np.issubdtype(self.dtype, np.complexfloating))

    @property
    def names(self) -> list[str]:
        """The names of its real arrays."""
        return [f"{self.name}.real", f"{self.name}.imag"] if self.is_complex else [self.name]

    def arrays(self, double: bool) -> Arrays:
        """Return private copies of its real parts, in double precision or as they are."""
        content = np.asarray(self.value)
        if not double and self.dtype.itemsize < 4:
            raise InputError(f"`{self.name}` is {self.dtype}, too coarse to be checked: pass float32 or float64.")
        wanted = np.complex128 if self.is_complex else np.float64
        content = content.astype(wanted if double else self.dtype)
        parts = [content.real, content.imag] if self.is_complex else [content]
        return {name: np.array(part) for name, part in zip(self.names, parts, strict=True)}


class Tree:
    """The structure of the arguments, and where in it the parameters stand."""

    def __init__(self, function: Any, args: Sequence[Any], argnums: Sequence[int]) -> None:
        import jax
        import jax.numpy as jnp

        tops = argument_names(function, len(args))
        paths, self._structure = jax.tree_util.tree_flatten_with_path(tuple(args))
        self._values = [value for _, value in paths]
        self.leaves: list[Leaf] = []
        for position, (path, value) in enumerate(paths):
            if path[0].idx in argnums and _is_number(value) and np.size(value):
                dtype = jnp.result_type(value)
                if jnp.issubdtype(dtype, jnp.inexact):
                    name = tops[path[0].idx] + "".join(map(_suffix, path[1:]))
                    self.leaves.append(Leaf(name, position, value, dtype))
        if not self.leaves:
            raise nothing_to_differentiate(args, "floating-point arrays among the arguments")

    @property
    def names(self) -> list[str]:
        """The names of all real arrays."""
        return [name for leaf in self.leaves for name in leaf.names]

    def arrays(self, double: bool) -> Arrays:
        """Return private copies of all real arrays."""
        return {name: array for leaf in self.leaves for name, array in leaf.arrays(double).items()}

    def args(self, parts: Sequence[Any]) -> tuple[Any, ...]:
        """Return arguments like the user's with other real arrays, which may be traced."""
        return self._assembled(self._values, parts)

    def tangents(self, parts: Sequence[Any]) -> tuple[Any, ...]:
        """Return tangents of all arguments; of those that are not differentiated they are zero."""
        return self._assembled([_zero_tangent(value) for value in self._values], parts)

    def _assembled(self, values: Sequence[Any], parts: Sequence[Any]) -> tuple[Any, ...]:
        import jax

        placed, left = list(values), iter(parts)
        for leaf in self.leaves:
            part = next(left)
            placed[leaf.position] = jax.lax.complex(part, next(left)) if leaf.is_complex else part
        args: tuple[Any, ...] = jax.tree_util.tree_unflatten(self._structure, placed)
        return args

    def real_parts(self, cotangents: Sequence[Any]) -> Arrays:
        """Return the gradient that cotangents of all arguments stand for."""
        import jax

        flat = jax.tree_util.tree_leaves(tuple(cotangents))
        found: Arrays = {}
        for leaf in self.leaves:
            content = np.asarray(flat[leaf.position])
            # the derivative with respect to the imaginary part is minus the imaginary part of JAX's cotangent
            parts = [content.real, -content.imag] if leaf.is_complex else [content]
            found.update(zip(leaf.names, parts, strict=True))
        return found


def _zero_tangent(value: Any) -> Any:
    import jax
    import jax.numpy as jnp

    if not _is_number(value):
        return value
    kind = jnp.result_type(value)
    is_float = jnp.issubdtype(kind, jnp.inexact)
    return jnp.zeros(np.shape(value), kind) if is_float else np.zeros(np.shape(value), jax.dtypes.float0)


def real_outputs(returned: Any) -> tuple[list[Any], int]:
    """Return the floating-point leaves of what a function returned, as real arrays, and how many others there are."""
    import jax
    import jax.numpy as jnp

    found: list[Any] = []
    others = 0
    for value in jax.tree_util.tree_leaves(returned):
        dtype = jnp.result_type(value) if _is_number(value) else None
        if dtype is not None and jnp.issubdtype(dtype, jnp.complexfloating):
            found += [jnp.real(value), jnp.imag(value)]
        elif dtype is not None and jnp.issubdtype(dtype, jnp.floating):
            found.append(jnp.asarray(value))
        else:
            others += 1
    return found, others


def cotangents_like(returned: Any, weights: Sequence[Array]) -> Any:
    """Return weights of real outputs as cotangents of what the function returned."""
    import jax
    import jax.numpy as jnp

    left = iter(weights)

    def one(value: Any) -> Any:
        dtype = jnp.result_type(value)
        if jnp.issubdtype(dtype, jnp.complexfloating):
            return jnp.asarray(next(left) - 1j * next(left), dtype)
        if jnp.issubdtype(dtype, jnp.floating):
            return jnp.asarray(next(left), dtype)
        return np.zeros(np.shape(value), jax.dtypes.float0)

    return jax.tree_util.tree_map(one, returned)


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, complex, np.generic)) or (
        hasattr(value, "dtype") and hasattr(value, "shape")
    )


def _suffix(key: Any) -> str:
    # a node that was registered without names for its children counts them
    return f"[{key.key}]" if type(key).__name__ == "FlattenedIndexKey" else str(key)
