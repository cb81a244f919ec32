"""Where in the arguments of a function, and in the containers among them, the parameters stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.errors import InputError
from gradcheck.evaluate.containers import NUMBERS, children, like


class Slots:
    """The parameters among the arguments of a function.

    Parameters
    ----------
    args : sequence
        The arguments: leaves, and lists, tuples, dicts and dataclasses of these.
    argnums : sequence of int, optional
        In which arguments; by default in all.

    Attributes
    ----------
    found : list of (str, object)
        The parameters with their names, in Python syntax.
    """

    def __init__(
        self,
        args: Sequence[Any],
        names: Sequence[str],
        is_parameter: Callable[[Any], bool],
        argnums: Sequence[int] | None = None,
    ) -> None:
        self._args, self._is_parameter = tuple(args), is_parameter
        self._argnums = range(len(args)) if argnums is None else argnums
        self.found: list[tuple[str, Any]] = []
        for number in self._argnums:
            self._collect(args[number], names[number])

    def filled(self, contents: Sequence[Any]) -> tuple[Any, ...]:
        """Return arguments like these with other parameters."""
        left = iter(contents)

        def fill(node: Any) -> Any:
            below = children(node)
            if below is not None:
                return like(node, [(step, fill(child)) for step, child in below])
            return next(left) if self._is_parameter(node) else node

        args = list(self._args)
        for number in self._argnums:
            args[number] = fill(args[number])
        return tuple(args)

    def _collect(self, node: Any, name: str) -> None:
        below = children(node)
        for step, child in below or []:
            self._collect(child, name + step.suffix)
        if below is None and self._is_parameter(node):
            self.found.append((name, node))


def is_float(node: Any) -> bool:
    """Tell whether a leaf is a floating-point array or number of NumPy or Python, real or complex, and not empty."""
    is_array = isinstance(node, (np.ndarray, *NUMBERS))
    return is_array and np.size(node) > 0 and np.issubdtype(np.asarray(node).dtype, np.inexact)


def nothing_to_differentiate(args: Sequence[Any], expected: str) -> InputError:
    """Return the error for arguments without parameters."""
    kinds = ", ".join(type(arg).__name__ for arg in args) or "no argument"
    return InputError(f"there is nothing to differentiate: expected {expected}, got {kinds}.")
