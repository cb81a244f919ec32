"""The entries of a gradient at several points, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.checker.result import FloatArray, ParameterResult
from gradcheck.checker.verdict import Verdict
from gradcheck.diagnosis.sight import Sight

# of an entry, and of the largest one
SAME, TINY = 1e-4, 1e-9


@dataclass(frozen=True)
class Values:
    """Entries of a gradient.

    Attributes
    ----------
    analytic, numerical, error : float array
        The gradients and the errors of the numerical one.
    point : int array
        At which point each of them is.
    """

    analytic: FloatArray
    numerical: FloatArray
    error: FloatArray
    wrong: np.ndarray[Any, Any]
    point: np.ndarray[Any, Any]
    parameter: FloatArray | None

    @classmethod
    def of(cls, found: Sequence[ParameterResult], seen: Sight) -> Values:
        """Return those entries of a parameter, checked at several points, whose numerical derivatives are finite."""
        own = seen.parameters.get(found[0].name, ())
        has_own = len(own) == len(found) and all(p.size == v.size for p, v in zip(found, own, strict=True))
        values = cls(
            np.concatenate([p.analytic for p in found]),
            np.concatenate([p.numerical for p in found]),
            np.concatenate([p.numerical_error for p in found]),
            np.concatenate([[v is Verdict.MISMATCH for v in p.verdicts] for p in found]),
            np.concatenate([np.full(p.checked, i) for i, p in enumerate(found)]),
            np.concatenate([v[p.indices] for p, v in zip(found, own, strict=True)]) if has_own else None,
        )
        return values.where(np.isfinite(values.numerical) & np.isfinite(values.error))

    def where(self, chosen: np.ndarray[Any, Any]) -> Values:
        """Return some of the entries."""
        own = None if self.parameter is None else self.parameter[chosen]
        return Values(
            self.analytic[chosen],
            self.numerical[chosen],
            self.error[chosen],
            self.wrong[chosen],
            self.point[chosen],
            own,
        )

    @property
    def points(self) -> np.ndarray[Any, Any]:
        """The points at which there are entries."""
        return np.unique(self.point)

    @property
    def size(self) -> float:
        """Size of the largest numerical entry."""
        return float(np.max(np.abs(self.numerical), initial=0.0))
