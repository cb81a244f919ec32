"""Comparison of a Jacobian matrix with differences: row by row, or in groups of rows where there are many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.adapters.compare import first_unless_worse, reverse, side_by_side
from gradcheck.adapters.cotangent import cotangent
from gradcheck.adapters.problem import Array, Arrays, Problem, Settings, Weighted
from gradcheck.checker.functions import check_grad
from gradcheck.checker.result import CheckResult, ParameterResult
from gradcheck.errors import InputError
from gradcheck.numerics.arrays import FloatArray

# into how many groups rows are divided, the second where values cannot be kept, and how many numbers are kept
_GROUPS, _FEW_GROUPS = 32, 4
_KEPT = 4_000_000


@dataclass(frozen=True)
class Matrix:
    """A vector-valued function with its Jacobian matrix, or with the product of a symmetric one.

    Parameters
    ----------
    jacobian : callable or None
        Returns the matrix: dense, sparse or a linear operator.
    role : str
        What the user calls the function that returns it.
    product : callable or None
        In place of the matrix: its product with a vector.
    """

    outputs: Callable[[FloatArray], FloatArray]
    jacobian: Callable[[FloatArray], Any] | None
    role: str
    product: Callable[[FloatArray, FloatArray], Any] | None = None

    def pulled(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return a combination of rows."""
        if self.product is not None:
            found = np.asarray(self.product(x, weights), dtype=np.float64)
            if found.shape != x.shape:
                raise InputError(f"`{self.role}` must return an array of shape {x.shape}, got {found.shape}.")
            return found
        matrix = self.at(x, weights.size)
        return np.asarray(matrix.T @ weights, dtype=np.float64).reshape(-1)

    def at(self, x: FloatArray, rows: int) -> Any:
        """Return the matrix."""
        matrix: Any = self.jacobian(x) if self.jacobian is not None else None
        if not hasattr(matrix, "T") or not hasattr(matrix, "shape"):
            matrix = np.asarray(matrix)
        if matrix.ndim < 2 and rows * x.size == matrix.size:
            matrix = np.reshape(matrix, (rows, x.size))
        if matrix.shape != (rows, x.size):
            advice = " It is transposed." if matrix.shape == (x.size, rows) else ""
            raise InputError(
                f"`{self.role}` must return a matrix of shape {(rows, x.size)}, got {tuple(matrix.shape)}.{advice}"
            )
        return matrix


def compare_matrix(matrix: Matrix, x: FloatArray, settings: Settings) -> CheckResult:
    """Compare a matrix with differences."""
    if matrix.product is not None:
        return _product(matrix, x, settings)
    outputs = _Remembered(matrix.outputs)
    if matrix.jacobian is not None:
        matrix = replace(matrix, jacobian=_last_kept(matrix.jacobian))
    first = matrix.at(x, outputs(x).size)
    weights = _weights(outputs(x), first, settings.seed)
    results, notes = [], []
    for rows in _groups(outputs(x).size, x.size):
        result = _group(matrix, outputs, x, rows, weights, settings)
        results.append(result)
        if len(rows) > 1 and result.parameters[0].mismatched:
            notes += _located(matrix, outputs, x, rows, result.parameters[0])
    if len(results) < len(weights):
        notes.insert(0, f"rows of `{matrix.role}` were compared in groups, weighted at random and summed")
    result = side_by_side(results)
    return replace(result, evaluations=outputs.evaluations, notes=(*result.notes, *notes))


class _Remembered:
    """A function whose values are kept, as groups of rows are differentiated at the same points."""

    def __init__(self, function: Callable[[FloatArray], FloatArray]) -> None:
        self._function = function
        self._kept: dict[bytes, FloatArray] = {}
        self._size = 0
        self.evaluations = 0

    def __call__(self, x: FloatArray) -> FloatArray:
        key = x.tobytes()
        if key not in self._kept:
            if self._size > _KEPT:
                self._kept.clear()
                self._size = 0
            self._kept[key] = self._function(x)
            self._size += self._kept[key].size
            self.evaluations += 1
        return self._kept[key]


def _last_kept(jacobian: Callable[[FloatArray], Any]) -> Callable[[FloatArray], Any]:
    """Return a function that does not compute a matrix twice in succession."""
    last: tuple[bytes, Any] = (b"", None)

    def remembered(x: FloatArray) -> Any:
        nonlocal last
        if last[0] != x.tobytes():
            last = (x.tobytes(), jacobian(x))
        return last[1]

    return remembered


def _groups(rows: int, columns: int) -> list[range]:
    """Return consecutive rows that are compared together: as few as is affordable."""
    # where values cannot be kept, each group evaluates the function anew
    most = _GROUPS if 4 * rows * columns <= _KEPT else _FEW_GROUPS
    size = -(-rows // most)
    return [range(start, min(start + size, rows)) for start in range(0, rows, size)]


def _weights(outputs: FloatArray, matrix: Any, seed: int) -> FloatArray:
    """Return random weights that bring all rows to one magnitude."""
    weights = cotangent(outputs.shape, np.random.default_rng(seed))
    if _can_be_read(matrix):
        largest = abs(matrix).max(axis=1)
        largest = np.asarray(largest.toarray() if hasattr(largest, "toarray") else largest, np.float64).reshape(-1)
        weights /= np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    # what is left of a sum in which most cancels has fewer digits than its type says
    return np.copysign(weights, outputs) if outputs.dtype.itemsize < 8 else weights


def _can_be_read(matrix: Any) -> bool:
    return hasattr(matrix, "toarray") or isinstance(matrix, np.ndarray)


def _group(
    matrix: Matrix, outputs: _Remembered, x: FloatArray, rows: range, weights: FloatArray, settings: Settings
) -> CheckResult:
    name = f"{matrix.role}[{rows[0]}]" if len(rows) == 1 else f"{matrix.role}[{rows.start}:{rows.stop}]"
    mine = weights[rows.start : rows.stop]
    if len(rows) == 1 and _can_be_read(matrix.at(x, weights.size)):
        mine = np.ones(1)
    spread = np.zeros_like(weights)
    spread[rows.start : rows.stop] = mine

    def loss(values: Arrays, /) -> Any:
        found = outputs(values[name])
        value = np.sum(found[rows.start : rows.stop] * mine)
        return value.astype(found.dtype)

    def gradient(values: Arrays, /) -> Arrays:
        return {name: matrix.pulled(values[name], spread)}

    return check_grad(loss, gradient, {name: x}, method="central", **vars(settings))


def _product(matrix: Matrix, x: FloatArray, settings: Settings) -> CheckResult:
    name = matrix.role

    def outputs(values: Arrays) -> list[Array]:
        return [matrix.outputs(values[name])]

    def pull(values: Arrays, weights: Sequence[Array]) -> Arrays:
        return {name: matrix.pulled(values[name], weights[0])}

    problem = Problem({name: x}, outputs, pull)
    weighted = Weighted(problem, settings.seed)
    result = first_unless_worse([reverse(problem, weighted, weighted.weights(k), settings) for k in (1, 2)])
    return replace(result, notes=(*result.notes, f"`{name}` was compared for two random vectors"))


def _located(matrix: Matrix, outputs: _Remembered, x: FloatArray, rows: range, parameter: ParameterResult) -> list[str]:
    """Say which row of a group is wrong most in the worst column."""
    first = matrix.at(x, outputs(x).size)
    if not _can_be_read(first):
        return []
    column = int(parameter.indices[parameter.worst])
    ahead, behind = x.copy(), x.copy()
    ahead[column] += float(parameter.step[parameter.worst])
    behind[column] -= float(parameter.step[parameter.worst])
    differences = (outputs(ahead) - outputs(behind)) / (ahead[column] - behind[column])
    given = first[:, [column]]
    given = np.asarray(given.toarray() if hasattr(given, "toarray") else given).reshape(-1)
    apart = np.abs(given - differences)[rows.start : rows.stop]
    if not np.isfinite(apart).any():
        return []
    row = rows[int(np.nanargmax(apart))]
    said = f"in `{parameter.name}`, {matrix.role}[{row}][{column}] is wrong most"
    return [f"{said}: {given[row]:.6g}, where the difference is {differences[row]:.6g}"]
