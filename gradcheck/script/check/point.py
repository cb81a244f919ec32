"""A point at which a script was checked: its moment, where its parameters lay, and the numerical gradients there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gradcheck.checker.result import CheckResult, ParameterResult
from gradcheck.checker.verdict import Verdict
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.perturb import moved, resized
from gradcheck.script.replay.stage import Stage

_RIGHT, _ERRORS, _FLOOR = 1e-5, 3.0, 1e-9


@dataclass(frozen=True)
class Point:
    """A point at which the script was checked.

    Attributes
    ----------
    seed : tuple of int or None
        Seed of the move of its parameters; None where they are as they were recorded.
    size : float
        By what its parameters are multiplied before.
    result : CheckResult
        The numerical gradients there, and the analytic ones of the script as it is.
    """

    moment: Call
    seed: tuple[int, ...] | None
    result: CheckResult
    size: float = 1.0

    @cached_property
    def wanted(self) -> Wanted:
        """The numerical gradients, ready to be compared with."""
        return Wanted(self.result)


@contextmanager
def staged(recording: Recording, backward: Backward, point: Point) -> Iterator[Stage]:
    """Return a point's moment, ready to be played with its parameters, for the time of the block."""
    stage = Stage(recording, backward, point.moment)
    names = backward.names if point.seed is not None else ()
    with (
        resized(stage.parameters, backward.names, point.size),
        moved(stage.parameters, names, np.random.default_rng(point.seed or 0)),
    ):
        yield stage


class Wanted:
    """The numerical gradients at a point, and by how much others may differ from them."""

    def __init__(self, result: CheckResult) -> None:
        self._parameters = [p for p in result.parameters if p.indices.size]
        self._starts = np.cumsum([0, *(p.indices.size for p in self._parameters)])[:-1]
        self._numerical = self._joined([p.numerical for p in self._parameters])
        self._allowed = self._joined([_allowed(p) for p in self._parameters])
        # what matched before was matched by a finer test, with a tolerance that knows the precision
        matched = self._joined([[v is Verdict.MATCH for v in p.verdicts] for p in self._parameters])
        finer = self._joined([p.tolerance + p.abs_error for p in self._parameters])
        self._least = np.where(matched.astype(bool), finer, 0.0)
        decided = self._joined([[v is not Verdict.INCONCLUSIVE for v in p.verdicts] for p in self._parameters])
        self._decided = decided.astype(bool)

    @staticmethod
    def _joined(parts: Sequence[Any]) -> np.ndarray[Any, Any]:
        return np.concatenate([np.asarray(part, dtype=float).reshape(-1) for part in parts]) if parts else np.zeros(0)

    def wrong(self, gradients: Mapping[str, np.ndarray[Any, Any]]) -> frozenset[str]:
        """Return the parameters whose gradients are other ones, or missing, or of another size."""
        parts, missing = [], set[str]()
        for parameter in self._parameters:
            own = gradients.get(parameter.name)
            if own is None or np.size(own) != parameter.size:
                missing.add(parameter.name)
                own = np.zeros(parameter.size)
            parts.append(np.reshape(own, -1)[parameter.indices])
        if not parts:
            return frozenset()
        analytic = self._joined(parts)
        largest = np.maximum(np.abs(analytic), np.abs(self._numerical))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            allowed = np.maximum(_RIGHT * largest + self._allowed, self._least)
            # what is not finite is not within anything
            fits = (np.abs(analytic - self._numerical) <= allowed) & np.isfinite(analytic)
        over = np.logical_or.reduceat(~fits & self._decided, self._starts)
        return frozenset(p.name for p, is_over in zip(self._parameters, over, strict=True) if is_over) | missing


def _allowed(parameter: ParameterResult) -> np.ndarray[Any, Any]:
    """Return what a gradient may be off by, beside a share of itself."""
    size = float(np.max(np.abs(parameter.numerical), initial=0.0))
    return np.asarray(_ERRORS * parameter.numerical_error + _FLOOR * size + 1e-14)
