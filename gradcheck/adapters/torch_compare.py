"""The comparison of PyTorch's derivatives with differences, and with one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.adapters.batching import objection, two_points
from gradcheck.adapters.compare import side_by_side
from gradcheck.adapters.cotangent import cotangent
from gradcheck.adapters.problem import Settings
from gradcheck.adapters.torch_products import Arrays, Outputs, as_arrays, gradients, value, values
from gradcheck.adapters.torch_subject import Subject
from gradcheck.checker.functions import check_grad
from gradcheck.checker.result import CheckResult, ParameterResult
from gradcheck.checker.tolerance import Tolerance
from gradcheck.checker.verdict import Verdict
from gradcheck.errors import InputError

_NUDGE = 1e-3


class Backward:
    """Reverse-mode derivatives against differences, with random weights of the outputs.

    Parameters
    ----------
    outputs : Outputs
        Those of its outputs that are differentiated.
    is_single : bool
        Whether the function computes in single precision, whatever its types say.
    """

    def __init__(self, subject: Subject, outputs: Outputs, settings: Settings, is_single: bool) -> None:
        self._subject, self._outputs, self._settings, self._is_single = subject, outputs, settings, is_single
        self._arrays: Arrays = {}
        for variable in subject.variables:
            self._arrays.update(variable.arrays())

    def gradient(self, weights: Sequence[Any]) -> list[Any]:
        """Return the gradient of the weighted outputs, one tensor or None per variable."""
        return gradients(self._subject, self._outputs.now(), weights)

    def compare(self, weights: Sequence[Any]) -> CheckResult:
        """Compare the gradient of the weighted outputs with differences."""

        def loss(arrays: object, /) -> float | np.float32:
            if arrays is not self._arrays:
                # entries are moved where the tensors lie, so copies cannot stand in for them
                raise InputError("the arrays of the tensors were expected.")
            found = value(self._outputs.now(), weights)
            return np.float32(found) if self._is_single else found

        def losses(arrays: Arrays, /) -> npt.NDArray[Any]:
            if any(arrays[name].dtype != array.dtype for name, array in self._arrays.items()):
                raise InputError("arrays of the same types were expected.")
            found = values(self._stacked(arrays), weights)
            return found.astype(np.float32) if self._is_single else found

        def gradient(*_: object) -> Arrays:
            return as_arrays(self._subject, self.gradient(weights))

        chosen = losses if self._settings.vectorized else loss
        return check_grad(chosen, gradient, self._arrays, method="central", **vars(self._settings))

    def objection(self) -> str | None:
        """Return why the function is not evaluated in batches; None if it can be."""
        points = two_points(self._arrays, self._settings.seed)
        alone = []
        with kept(self._arrays):
            for point in points:
                for name, array in self._arrays.items():
                    array[...] = point[name]
                alone.append([_on_host(output) for output in self._outputs.now()])
        return objection(points, alone, lambda arrays: [_on_host(output) for output in self._stacked(arrays)])

    def _stacked(self, arrays: Arrays) -> list[Any]:
        return self._outputs.stacked([variable.stacked(arrays) for variable in self._subject.variables])


@contextmanager
def kept(arrays: Arrays) -> Iterator[None]:
    """Bring back what is in arrays."""
    saved = {name: array.copy() for name, array in arrays.items()}
    try:
        yield
    finally:
        for name, array in arrays.items():
            array[...] = saved[name]


def _on_host(tensor: Any) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = tensor.detach().resolve_conj().resolve_neg().cpu().numpy()
    return found


def computes_in_single(subject: Subject, outputs: Outputs, seed: int) -> bool:
    """Tell whether outputs that move with the inputs have no more bits than single precision has."""
    import torch

    before = [output.detach().clone() for output in outputs.now()]
    arrays = {name: array for variable in subject.variables for name, array in variable.arrays().items()}
    rng = np.random.default_rng(seed)
    with kept(arrays):
        for array in arrays.values():
            array += _NUDGE * (np.abs(array) + 1e-3) * cotangent(array.shape, rng)
        after = [output.detach().clone() for output in outputs.now()]
    moved = [new[new != old] for old, new in zip(before, after, strict=True)]
    parts = [torch.view_as_real(part) if part.is_complex() else part for part in moved if part.numel()]
    return bool(parts) and all(bool((part == part.to(torch.float32).to(part.dtype)).all()) for part in parts)


def along_inputs(
    subject: Subject, outputs: Outputs, weights: Sequence[Any], settings: Settings, backward: Arrays | None
) -> CheckResult | None:
    """Compare forward-mode derivatives with differences along one random direction per input, and with the gradient."""
    plain = replace(settings, points=1, curves=False, vectorized=False)
    results = []
    for number, variable in enumerate(subject.variables):
        arrays = variable.arrays()
        rng = np.random.default_rng([settings.seed, number])
        direction = {name: _typical(array) * cotangent(array.shape, rng) for name, array in arrays.items()}
        if not (found := _forward_product(outputs, weights, variable, direction)):
            continue
        start = {name: array.copy() for name, array in arrays.items()}
        name = f"{variable.name} (forward mode)"

        def loss(
            values: dict[str, Any],
            /,
            name: str = name,
            start: Arrays = start,
            arrays: Arrays = arrays,
            direction: Arrays = direction,
        ) -> float:
            for part, array in arrays.items():
                array[...] = start[part] + float(values[name]) * direction[part]
            return value(outputs.now(), weights)

        with kept(arrays):
            results.append(check_grad(loss, {name: found[0]}, {name: np.zeros(())}, method="central", **vars(plain)))
        if backward is not None:
            expected = sum(float(np.sum(backward[part] * direction[part])) for part in arrays)
            size = sum(float(np.sum(np.abs(backward[part] * direction[part]))) for part in arrays)
            results[-1] = _with_product(results[-1], variable.name, found[0], expected, size)
    return side_by_side(results) if results else None


def _forward_product(outputs: Outputs, weights: Sequence[Any], variable: Any, direction: Arrays) -> tuple[float] | None:
    """Return the weighted derivative along a direction; nothing where the variable is not an argument of the call."""
    import torch
    from torch.autograd import forward_ad

    parts = [torch.from_numpy(np.asarray(part)) for part in direction.values()]
    tangent = torch.complex(*parts) if len(parts) == 2 else parts[0]
    leaf, swaps = variable.leaf, []
    with forward_ad.dual_level():
        primal = leaf.detach().requires_grad_()
        dual = forward_ad.make_dual(primal, tangent.to(leaf.dtype).to(leaf.device))

        def swapped(node: Any) -> Any:
            if node is not leaf:
                return node
            swaps.append(node)
            return dual

        found = outputs.now(swapped)
        tangents = [forward_ad.unpack_dual(output).tangent for output in found]
        pairs = [(t, w) for t, w in zip(tangents, weights, strict=True) if t is not None]
        return (value(*zip(*pairs, strict=True)) if pairs else 0.0,) if swaps else None


def _typical(array: npt.NDArray[Any]) -> float:
    size = float(np.sqrt(np.mean(np.square(array))))
    return size if size > 0 else 1.0


def _with_product(result: CheckResult, name: str, forward: float, backward: float, size: float) -> CheckResult:
    """Add what the two modes say of one another, where they disagree."""
    allowed = result.tolerance.atol + result.tolerance.rtol * size
    if abs(forward - backward) <= allowed:
        return result
    note = f"forward and backward mode of `{name}` disagree along a random direction: {forward:.6g} and {backward:.6g}"
    return replace(result, notes=(*result.notes, note))


# -- derivatives that are compared with one another -----------------------------------------------------------------


def disagreements(one: Arrays, other: Arrays, tolerance: Tolerance, suffix: str) -> list[ParameterResult]:
    """Return what is to be shown of two gradients that should be the same: those parameters in which they differ."""
    found = []
    for name, analytic in one.items():
        flat, expected = (np.asarray(array, dtype=np.float64).reshape(-1) for array in (analytic, other[name]))
        scale = float(np.max(np.abs(expected), initial=0.0))
        allowed = tolerance.allowed(flat, expected, scale)
        with np.errstate(invalid="ignore"):
            agrees = np.abs(flat - expected) <= allowed
        if not agrees.all():
            verdicts = tuple(Verdict.MATCH if fine else Verdict.MISMATCH for fine in agrees)
            found.append(_row(name + suffix, analytic.shape, flat, expected, allowed, verdicts))
    return found


def _row(
    name: str,
    shape: tuple[int, ...],
    analytic: npt.NDArray[Any],
    expected: npt.NDArray[Any],
    allowed: npt.NDArray[Any],
    verdicts: tuple[Verdict, ...],
) -> ParameterResult:
    nothing = np.zeros(analytic.size)
    return ParameterResult(
        name=name,
        shape=shape,
        indices=np.arange(analytic.size),
        analytic=analytic,
        numerical=expected,
        numerical_error=nothing,
        verdicts=verdicts,
        reasons=(None,) * analytic.size,
        tolerance=allowed,
        step=np.full(analytic.size, np.nan),
        evaluations=np.zeros(analytic.size, dtype=np.intp),
        noise=nothing,
        kink=nothing,
        kink_distance=np.full(analytic.size, np.nan),
    )
