"""Gradients with the right numbers at the wrong places: transposed, reversed, in another order, of another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gradcheck.checker.result import CheckResult, FloatArray, ParameterResult
from gradcheck.diagnosis.values import SAME, TINY

_ENOUGH, _LARGEST = 3, 1e-6
_Change = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]


def order_of(found: Sequence[ParameterResult], checks: Sequence[CheckResult]) -> str:
    """Say where the right numbers are; empty where they are nowhere."""
    if not all(_is_whole(p) for p in found):
        return ""
    shape = found[0].shape
    for said, change in _orders(shape):
        if all(_equal(p.analytic, change(p.numerical.reshape(shape)).reshape(-1), p) for p in found):
            return f"the analytic gradient is {said}"
    for other in checks[0].parameters:
        if other.name != found[0].name and _is_that_of(other.name, found, checks):
            return f"the analytic gradient is, in every entry and at every point, the numerical one of {other.name}"
    several = all(len(np.unique(p.numerical)) >= _ENOUGH for p in found)
    if several and all(_equal(np.sort(p.analytic), np.sort(p.numerical), p) for p in found):
        return "the analytic gradient has the entries of the numerical one, in another order"
    return ""


def _is_whole(parameter: ParameterResult) -> bool:
    return parameter.checked == parameter.size and bool(np.all(np.isfinite(parameter.numerical)))


def _orders(shape: tuple[int, ...]) -> Iterator[tuple[str, _Change]]:
    if len(shape) == 2 and 1 not in shape:
        is_square = shape[0] == shape[1]
        said = "the transpose of the numerical one" if is_square else "the numerical one read column by column"
        yield said, np.transpose
        yield "the numerical one with its rows in reversed order", lambda a: a[::-1]
        yield "the numerical one with its columns in reversed order", lambda a: a[:, ::-1]
    if len(shape) > 2:
        yield "the numerical one with its last two axes in reversed order", lambda a: a[..., ::-1, ::-1]
    if int(np.prod(shape)) >= _ENOUGH:
        yield "the numerical one in reversed order", lambda a: a.reshape(-1)[::-1]


def _is_that_of(name: str, found: Sequence[ParameterResult], checks: Sequence[CheckResult]) -> bool:
    others = [p for check in checks for p in check.parameters if p.name == name]
    if len(others) != len(found) or sum(p.size for p in found) < _ENOUGH:
        return False
    return all(
        _is_whole(other) and other.size == own.size and _equal(own.analytic, other.numerical, other)
        for own, other in zip(found, others, strict=True)
    )


def _equal(analytic: FloatArray, numerical: FloatArray, parameter: ParameterResult) -> bool:
    size = float(np.max(np.abs(numerical), initial=0.0))
    # the errors of entries that could not be decided are large
    error = min(float(np.max(parameter.numerical_error)), _LARGEST * size)
    return size > 0 and np.allclose(analytic, numerical, rtol=SAME, atol=TINY * size + error)
