"""Gradients that are wrong in some of their entries only: in which, and what these have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcheck.checker.result import ParameterResult
from gradcheck.checker.verdict import Verdict
from gradcheck.diagnosis.proportion import proportion
from gradcheck.diagnosis.sight import Sight
from gradcheck.diagnosis.values import Values

_MOST_SHOWN = 6


def some(found: Sequence[ParameterResult], values: Values, seen: Sight) -> str:
    """Say which entries are wrong; empty where all are."""
    if any(not np.array_equal(p.indices, found[0].indices) for p in found):
        return ""
    wrong = np.array([[v is Verdict.MISMATCH for v in p.verdicts] for p in found])
    if np.all(np.any(wrong, axis=0)):
        return ""
    name = found[0].name
    said = _lines(found[0], wrong, seen) or f"{_count(wrong)} of {found[0].checked} checked entries are wrong"
    relation = proportion(values.where(values.wrong), seen, name, "in every one of these")
    return f"{said}, the others are right{f'; {relation}' if relation else ''}"


def _count(wrong: np.ndarray[Any, Any]) -> int:
    return int(np.sum(np.any(wrong, axis=0)))


def _lines(parameter: ParameterResult, wrong: np.ndarray[Any, Any], seen: Sight) -> str:
    """Say which rows or columns are wrong, where that is what the wrong entries have in common."""
    if parameter.checked != parameter.size or len(parameter.shape) not in (1, 2) or 1 in parameter.shape:
        return ""
    grids = wrong.reshape(len(wrong), *parameter.shape)
    kind = "row" if grids.ndim == 3 else "entry"
    rows = np.any(grids, axis=2) if grids.ndim == 3 else grids
    repeated = _repeated(rows, seen)
    if repeated:
        listed = _listed(kind, np.any(rows, axis=0))
        return f"{listed}, those that `{repeated}` holds more than once, {_are(rows)} wrong"
    ever = np.any(grids, axis=0)
    for said, lines in (("row", ever), ("column", ever.T)) if ever.ndim == 2 else ():
        if np.array_equal(np.all(lines, axis=1), np.any(lines, axis=1)):
            chosen = np.any(lines, axis=1)
            return f"{_listed(said, chosen)} {_are(chosen[None])} wrong"
    return ""


def _are(wrong: np.ndarray[Any, Any]) -> str:
    return "is" if _count(wrong) == 1 else "are"


def _listed(kind: str, wrong: np.ndarray[Any, Any]) -> str:
    numbers = np.flatnonzero(wrong)
    several = {"entry": "entries"}.get(kind, f"{kind}s")
    if len(numbers) > _MOST_SHOWN:
        return f"{len(numbers)} of {len(wrong)} {several}"
    return f"{several if len(numbers) > 1 else kind} {', '.join(map(str, numbers))} of {len(wrong)}"


def _repeated(rows: np.ndarray[Any, Any], seen: Sight) -> str:
    """Return the array of indices that, at every point, holds just the wrong rows more than once."""
    wrong = [set(np.flatnonzero(row)) for row in rows]
    for name, arrays in seen.indices.items():
        if len(arrays) != len(wrong):
            continue
        held = [np.unique(array % rows.shape[1], return_counts=True) for array in arrays]
        # where all are repeated, that says nothing
        tells = any(np.any(counts == 1) for _, counts in held)
        if tells and wrong == [set(numbers[counts > 1]) for numbers, counts in held]:
            return name
    return ""
