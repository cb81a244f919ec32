"""What a check found: frozen records from which every table and report is made.

The methods that return tables import ``gradcheck.report.table`` when they are called. This is the one place where the
core looks upward, so that a result can show itself in a notebook; pandas is not loaded before.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gradcheck.arrays import FloatArray as FloatArray
from gradcheck.arrays import IntArray
from gradcheck.tolerance import Tolerance, relative_error
from gradcheck.verdict import Reason as Reason
from gradcheck.verdict import Verdict as Verdict

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ParameterResult:
    """The comparison of one parameter, entry by entry.

    Parameters
    ----------
    name : str
        How the user's code calls the parameter.
    shape : tuple of int
        Its shape; () for a number.
    indices : int array, shape (checked,)
        Flat (C order) indices of the entries that were checked, ascending.
    analytic, numerical : float array, shape (checked,)
        Derivatives of the loss with respect to these entries.
    numerical_error : float array, shape (checked,)
        Bound of the error of `numerical`; infinite where nothing is known.
    verdicts : tuple of Verdict
        One per checked entry.
    reasons : tuple of Reason or None
        One per checked entry.
    tolerance : float array, shape (checked,)
        Largest accepted difference per entry.
    """

    name: str
    shape: tuple[int, ...]
    indices: IntArray
    analytic: FloatArray
    numerical: FloatArray
    numerical_error: FloatArray
    verdicts: tuple[Verdict, ...]
    reasons: tuple[Reason | None, ...]
    tolerance: FloatArray

    @property
    def size(self) -> int:
        """Number of entries of the parameter, checked or not."""
        return int(np.prod(self.shape, dtype=np.intp))

    @property
    def checked(self) -> int:
        """Number of entries that were checked."""
        return len(self.verdicts)

    @property
    def mismatched(self) -> int:
        """Number of checked entries whose verdict is `mismatch`."""
        return self.verdicts.count(Verdict.MISMATCH)

    @property
    def inconclusive(self) -> int:
        """Number of checked entries whose verdict is `inconclusive`."""
        return self.verdicts.count(Verdict.INCONCLUSIVE)

    @cached_property
    def verdict(self) -> Verdict:
        """The gravest verdict of any entry."""
        return Verdict.worst(self.verdicts)

    @cached_property
    def abs_error(self) -> FloatArray:
        """``|analytic - numerical|`` per checked entry."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(np.abs(self.analytic - self.numerical), dtype=np.float64)

    @cached_property
    def rel_error(self) -> FloatArray:
        """Relative error per checked entry, see `gradcheck.tolerance.relative_error`."""
        return relative_error(self.analytic, self.numerical)

    @property
    def max_abs_error(self) -> float:
        """Largest absolute error; NaN if any is NaN."""
        return float(np.max(self.abs_error))

    @property
    def max_rel_error(self) -> float:
        """Largest relative error; NaN if any is NaN."""
        return float(np.max(self.rel_error))

    @cached_property
    def order(self) -> IntArray:
        """Positions of the checked entries, worst first: by verdict, then by relative error; NaN counts as largest."""
        severity = np.array([verdict.severity for verdict in self.verdicts])
        error = np.where(np.isnan(self.rel_error), np.inf, self.rel_error)
        return np.lexsort((np.arange(self.checked), -error, -severity))

    @property
    def worst(self) -> int:
        """Position, among the checked entries, of the worst one."""
        return int(self.order[0])

    @property
    def worst_index(self) -> tuple[int, ...]:
        """Index of the worst entry in the parameter; () for a number."""
        return self.index(self.worst)

    @property
    def reason(self) -> Reason | None:
        """Reason of the worst entry."""
        return self.reasons[self.worst]

    def index(self, position: int) -> tuple[int, ...]:
        """Return the index in the parameter of the checked entry at `position`."""
        return tuple(int(i) for i in np.unravel_index(int(self.indices[position]), self.shape)) if self.shape else ()


@dataclass(frozen=True, eq=False)
class CheckResult:
    """The comparison of an analytic gradient with finite differences. ``bool(result)`` is ``result.passed``.

    Parameters
    ----------
    parameters : tuple of ParameterResult
        One per parameter, in the order of the user's structure.
    tolerance : Tolerance
        The tolerance in effect.
    evaluations : int
        Number of times the loss was evaluated.
    points : int
        Number of points the gradient was checked at.
    seed : int
        Seed of the sampled entries and of the further points.
    """

    parameters: tuple[ParameterResult, ...]
    tolerance: Tolerance
    evaluations: int
    points: int
    seed: int

    @cached_property
    def verdict(self) -> Verdict:
        """The gravest verdict of any parameter."""
        return Verdict.worst(parameter.verdict for parameter in self.parameters)

    @property
    def passed(self) -> bool:
        """True if every checked entry matches."""
        return self.verdict is Verdict.MATCH

    def __bool__(self) -> bool:
        return self.passed

    def table(self) -> pd.DataFrame:
        """Return a data frame with one row per parameter."""
        from gradcheck.report.table import parameter_table

        return parameter_table(self)

    def entries(self) -> pd.DataFrame:
        """Return a data frame with one row per checked entry."""
        from gradcheck.report.table import entry_table

        return entry_table(self)

    def mismatches(self) -> pd.DataFrame:
        """Return a data frame with one row per mismatched entry, worst first."""
        from gradcheck.report.table import mismatch_table

        return mismatch_table(self)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>\n{self.table().to_html()}"

    def __repr__(self) -> str:
        entries = sum(parameter.checked for parameter in self.parameters)
        mismatched = sum(parameter.mismatched for parameter in self.parameters)
        return (
            f"<CheckResult: {self.verdict}, {len(self.parameters)} parameters, {mismatched} of {entries} entries "
            f"mismatched, {self.evaluations} evaluations>"
        )

    def __str__(self) -> str:
        return "\n".join((summary_table(self.parameters), self.footer))

    @property
    def footer(self) -> str:
        """One line with the tolerance in effect, the number of points and evaluations, and the seed."""
        tolerance = self.tolerance
        return (
            f"rtol={tolerance.rtol:g}, atol={tolerance.atol:g}, points={self.points}, "
            f"evaluations={self.evaluations}, seed={self.seed}"
        )

    @classmethod
    def merge(cls, results: Sequence[CheckResult]) -> CheckResult:
        """Return one result for checks of the same parameters at several points.

        Of each entry the worst verdict is kept, among equal ones that with the largest relative error. A point at
        which the loss has a kink gives way to any other.

        Parameters
        ----------
        results : sequence of CheckResult
            At least one; of the same parameters, entries, tolerance and seed.
        """
        first = results[0]
        if len(results) == 1:
            return first
        groups = zip(*(result.parameters for result in results), strict=True)
        return cls(
            parameters=tuple(_merge_parameter(group) for group in groups),
            tolerance=first.tolerance,
            evaluations=sum(result.evaluations for result in results),
            points=sum(result.points for result in results),
            seed=first.seed,
        )


def summary_table(parameters: Sequence[ParameterResult]) -> str:
    """Return an aligned plain-text table with one line per parameter.

    Parameters
    ----------
    parameters : sequence of ParameterResult
        What to show.
    """
    rows = [("parameter", "shape", "checked", "mismatched", "max rel error", "verdict")]
    for p in parameters:
        counted = f"{p.checked} of {p.size}" if p.checked < p.size else str(p.checked)
        verdict = f"{p.verdict} ({p.reason.value})" if p.reason else str(p.verdict)
        rows.append((p.name, str(p.shape), counted, str(p.mismatched), f"{p.max_rel_error:.3g}", verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _weights(parameter: ParameterResult) -> list[int]:
    """Return how much the verdict of each entry counts against those at other points."""
    outcomes = zip(parameter.verdicts, parameter.reasons, strict=True)
    return [-1 if reason is Reason.KINK else verdict.severity for verdict, reason in outcomes]


def _merge_parameter(group: Sequence[ParameterResult]) -> ParameterResult:
    severity = np.array([_weights(parameter) for parameter in group])
    error = np.array([np.where(np.isnan(parameter.rel_error), np.inf, parameter.rel_error) for parameter in group])
    # lexsort sorts by its last key first; the last row of the order is the worst point of each entry
    chosen = np.lexsort((error, severity), axis=0)[-1]
    positions = np.arange(chosen.size)

    def pick(name: str) -> FloatArray:
        stacked: FloatArray = np.array([getattr(parameter, name) for parameter in group], dtype=np.float64)
        return np.asarray(stacked[chosen, positions], dtype=np.float64)

    return ParameterResult(
        name=group[0].name,
        shape=group[0].shape,
        indices=group[0].indices,
        analytic=pick("analytic"),
        numerical=pick("numerical"),
        numerical_error=pick("numerical_error"),
        verdicts=tuple(group[k].verdicts[i] for i, k in enumerate(chosen)),
        reasons=tuple(group[k].reasons[i] for i, k in enumerate(chosen)),
        tolerance=pick("tolerance"),
    )
