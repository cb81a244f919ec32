"""A function written for HIPS autograd as a function of real arrays, with its derivatives in both modes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.adapters.names import argument_names
from gradcheck.adapters.problem import Array, Arrays, Problem
from gradcheck.adapters.slots import Slots, is_float, nothing_to_differentiate


class Arguments:
    """The arguments of a function as real arrays.

    Parameters
    ----------
    args : sequence
        What it is called with: arrays, numbers, and lists, tuples and dicts of these.
    """

    def __init__(self, function: Any, args: Sequence[Any], argnums: Sequence[int]) -> None:
        # a primitive hides what it was made of
        names = argument_names(getattr(function, "fun", function), len(args))
        self._slots = Slots(args, names, is_float, argnums)
        if not self._slots.found:
            raise nothing_to_differentiate(args, "floating-point arrays among the arguments")

    def arrays(self) -> Arrays:
        """Return private copies of all real arrays, in double precision; a complex one is two."""
        found: Arrays = {}
        for name, value in self._slots.found:
            if np.iscomplexobj(value):
                content = np.asarray(value, dtype=np.complex128)
                found[f"{name}.real"], found[f"{name}.imag"] = np.array(content.real), np.array(content.imag)
            else:
                found[name] = np.array(value, dtype=np.float64)
        return found

    def filled(self, parts: Any) -> tuple[Any, ...]:
        """Return arguments like the user's with other real arrays, which may be traced."""
        contents, position = [], 0
        for _, value in self._slots.found:
            is_complex = np.iscomplexobj(value)
            contents.append(parts[position] + 1j * parts[position + 1] if is_complex else parts[position])
            position += 1 + is_complex
        return self._slots.filled(contents)


@dataclass(frozen=True)
class AutogradFunction:
    """A function of a tuple of real arrays that returns one vector, of all outputs."""

    flat: Callable[[Any], Any]
    names: list[str]

    @classmethod
    def of(cls, function: Callable[..., Any], arguments: Arguments) -> AutogradFunction:
        """Return the user's function as a function of real arrays."""

        def flat(parts: Any) -> Any:
            return _vector(function(*arguments.filled(parts)))

        return cls(flat, list(arguments.arrays()))

    def problem(self, arrays: Arrays) -> Problem:
        """Return what is compared at arrays."""
        return Problem(arrays, self.outputs, self.pull, self.push, lambda weights: self._derived(arrays, weights))

    def outputs(self, arrays: Arrays) -> list[Array]:
        """Return the outputs at arrays."""
        return [np.asarray(self.flat(self._placed(arrays)))]

    def pull(self, arrays: Arrays, weights: Sequence[Array]) -> Arrays:
        """Return the gradient of weighted outputs at arrays."""
        return dict(zip(self.names, self._pulled(self._placed(arrays), weights[0]), strict=True))

    def push(self, arrays: Arrays, tangents: Arrays) -> list[Array]:
        """Return the derivatives of the outputs at arrays along tangents."""
        from autograd.core import make_jvp

        return [np.asarray(make_jvp(self.flat, self._placed(arrays))(self._placed(tangents))[1])]

    def _placed(self, arrays: Arrays) -> tuple[Array, ...]:
        return tuple(np.array(arrays[name]) for name in self.names)

    def _pulled(self, parts: Any, weights: Array) -> Any:
        from autograd.core import make_vjp

        pullback, output = make_vjp(self.flat, parts)
        return pullback(np.reshape(weights, np.shape(output)))

    def _derived(self, arrays: Arrays, weights: Sequence[Array]) -> Problem:
        def flat(parts: Any) -> Any:
            return _vector(list(self._pulled(parts, weights[0])))

        return AutogradFunction(flat, self.names).problem(arrays)


def _vector(returned: Any) -> Any:
    """Return all floating-point outputs as one real vector, which may be traced; a lone number stays one."""
    import autograd.numpy as anp
    from autograd.tracer import getval

    parts: list[Any] = []

    def collect(node: Any) -> None:
        content = getval(node)
        if isinstance(content, dict):
            for key in content:
                collect(node[key])
        elif isinstance(content, (list, tuple)):
            for i in range(len(content)):
                collect(node[i])
        elif np.iscomplexobj(content):
            parts.extend((anp.real(node), anp.imag(node)))
        elif is_float(content):
            parts.append(node)

    collect(returned)
    if len(parts) == 1 and np.ndim(getval(parts[0])) == 0:
        return parts[0]
    return anp.concatenate([anp.ravel(part) for part in parts]) if parts else np.zeros(0)
