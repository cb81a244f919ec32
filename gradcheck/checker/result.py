"""What a check found: frozen records from which every table and report is made.

The methods that return tables and pictures, or show a result in a notebook, look their presenters up when they are
called; pandas and matplotlib are not loaded before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gradcheck.checker.certificate import Certificate
from gradcheck.checker.presented import presenter
from gradcheck.checker.step_curve import StepCurve
from gradcheck.checker.tolerance import Tolerance, relative_error
from gradcheck.checker.verdict import Reason as Reason
from gradcheck.checker.verdict import Verdict as Verdict
from gradcheck.numerics.arrays import BoolArray, IntArray
from gradcheck.numerics.arrays import FloatArray as FloatArray
from gradcheck.numerics.noise import Noise

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


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
    step : float array, shape (checked,)
        Largest step that `numerical` was formed with.
    evaluations : int array, shape (checked,)
        Number of evaluations of the loss.
    noise : float array, shape (checked,)
        The part of `numerical_error` that is round-off.
    kink : float array, shape (checked,)
        Half the jump of the slope where the loss has a kink at the point, else 0.
    kink_distance : float array, shape (checked,)
        Where a kink was seen: how far above (positive) or below the entry's value; NaN where none was.
    certificate : Certificate or None
        What random directions show of all entries, where not each of them was checked.
    curve : StepCurve or None
        How the difference of the worst entry depends on its step, where that was asked for.
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
    step: FloatArray
    evaluations: IntArray
    noise: FloatArray
    kink: FloatArray
    kink_distance: FloatArray
    certificate: Certificate | None = None
    curve: StepCurve | None = None

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

    @property
    def wrong(self) -> str:
        """How many entries are wrong, of how many: ``3+ of 864``, or ``? of 864``, where the search was stopped."""
        if self.certificate is None:
            return f"{self.mismatched:,} of {self.checked:,}"
        known = f"{self.mismatched:,}" if self.mismatched or self.certificate.complete else "?"
        return f"{known}{'' if known == '?' or self.certificate.complete else '+'} of {self.size:,}"

    @property
    def coverage(self) -> str | None:
        """What was and what was not checked, in words; None where every entry was compared."""
        along = self.certificate
        if self.checked == self.size:
            return None
        if along is None:
            return f"{self.checked:,} of {self.size:,} entries were checked, drawn at random"
        if not along.complete and not self.mismatched:
            return f"none of {self.size:,} entries was found to be wrong before the search was stopped"
        if not along.complete:
            return f"at least {self.mismatched:,} of {self.size:,} entries are wrong; the search for more was stopped"
        others = f"the other {self.size - self.checked:,}" if self.mismatched else f"all {self.size:,}"
        return (
            f"{others} entries were compared along {along.directions} random directions at once; one that is wrong by "
            f"{along.sensitivity:.1g} times a typical entry would have shown"
        )

    @cached_property
    def verdict(self) -> Verdict:
        """The gravest verdict of any entry, and of the random directions."""
        along = () if self.certificate is None else (self.certificate.verdict,)
        return Verdict.worst((*self.verdicts, *along))

    @cached_property
    def abs_error(self) -> FloatArray:
        """``|analytic - numerical|`` per checked entry."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(np.abs(self.analytic - self.numerical), dtype=np.float64)

    @cached_property
    def rel_error(self) -> FloatArray:
        """Relative error per checked entry, see `gradcheck.checker.tolerance.relative_error`."""
        return relative_error(self.analytic, self.numerical)

    @cached_property
    def excused(self) -> BoolArray:
        """Which of the entries match though their relative errors say nothing.

        These are zeros up to round-off, slopes at a kink, and what is so small beside other entries that it is accepted
        with an error of its own size, as that is one of the differences.
        """
        outcomes = zip(self.verdicts, self.reasons, self.rel_error, strict=True)
        return np.array(
            [
                verdict is Verdict.MATCH and (reason in _NO_ERROR or (reason is None and error > _OWN_SIZE))
                for verdict, reason, error in outcomes
            ],
            dtype=bool,
        )

    @property
    def max_abs_error(self) -> float:
        """Largest absolute error; NaN if any is NaN. What is excused counts where there is nothing else."""
        return self._largest(self.abs_error)

    @property
    def max_rel_error(self) -> float:
        """Largest relative error; NaN if any is NaN. What is excused counts where there is nothing else."""
        return self._largest(self.rel_error)

    def _largest(self, errors: FloatArray) -> float:
        return float(np.max(errors if self.excused.all() else errors[~self.excused]))

    @cached_property
    def order(self) -> IntArray:
        """Positions of the checked entries, worst first: by verdict, then by relative error; NaN counts as largest.

        What is excused comes last. Errors that only round-off tells apart are the same, so that the worst entry is the
        same one on every machine.
        """
        severity = np.array([verdict.severity for verdict in self.verdicts])
        error = _coarse(np.where(np.isnan(self.rel_error), np.inf, self.rel_error))
        return np.lexsort((np.arange(self.checked), -error, self.excused, -severity))

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
        """Reason of the worst entry, or of the random directions where these alone are wrong."""
        return self.reasons[self.worst] if self.verdicts[self.worst] is self.verdict else Reason.SPREAD

    def only(self, kept: BoolArray) -> ParameterResult:
        """Return what is known of some of the checked entries."""
        numbers = np.flatnonzero(kept)
        return replace(
            self,
            **{name: getattr(self, name)[kept] for name in _PER_ENTRY},
            verdicts=tuple(self.verdicts[n] for n in numbers),
            reasons=tuple(self.reasons[n] for n in numbers),
        )

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
        Seed of the sampled entries, the random directions and the further points.
    loss : float
        The loss at the first point.
    noise : Noise
        How far values of the loss may be off there.
    notes : tuple of str
        What the user should know about the functions: randomness that was frozen, a gradient that is a difference.
    """

    parameters: tuple[ParameterResult, ...]
    tolerance: Tolerance
    evaluations: int
    points: int
    seed: int
    loss: float
    noise: Noise
    notes: tuple[str, ...] = ()

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
        shown: pd.DataFrame = presenter("table", "parameter_table")(self)
        return shown

    def entries(self, *, details: bool = False) -> pd.DataFrame:
        """Return a data frame with one row per checked entry.

        Parameters
        ----------
        details : bool
            Whether to add how `numerical` was found: step, evaluations, noise, kink and kink_distance.
        """
        shown: pd.DataFrame = presenter("table", "entry_table")(self, details=details)
        return shown

    def mismatches(self) -> pd.DataFrame:
        """Return a data frame with one row per mismatched entry, worst first."""
        shown: pd.DataFrame = presenter("table", "mismatch_table")(self)
        return shown

    def plot(self, *, parameters: str | Sequence[str] | None = None) -> Figure:
        """Return a picture: heat maps, analytic against numerical, and error against step.

        A notebook shows it. The error against the step is drawn where ``check_grad`` was called with ``curves=True``.

        Parameters
        ----------
        parameters : str or sequence of str, optional
            Names of the parameters to draw; by default the worst, six at most.

        Returns
        -------
        matplotlib.figure.Figure
            Has ``savefig``; no window is opened.

        Raises
        ------
        UsageError
            If matplotlib is missing, or there is no parameter of a name.
        """
        shown: Figure = presenter("plot", "plot_check")(self, str(self.verdict), parameters)
        return shown

    def _repr_html_(self) -> str:
        shown: str = presenter("fragment", "result_html")(self)
        return shown

    def _repr_markdown_(self) -> str:
        shown: str = presenter("fragment_markdown", "result_markdown")(self)
        return shown

    def __repr__(self) -> str:
        entries = sum(parameter.checked for parameter in self.parameters)
        mismatched = sum(parameter.mismatched for parameter in self.parameters)
        return (
            f"<CheckResult: {self.verdict}, {len(self.parameters)} parameters, {mismatched} of {entries} entries "
            f"mismatched, {self.evaluations} evaluations>"
        )

    def __str__(self) -> str:
        covered = [f"{p.name}: {p.coverage}" for p in self.parameters if p.coverage]
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join((summary_table(self.parameters), *covered, *notes, self.footer))

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
        which the loss has a kink, or the check has reached its limits, gives way to any other.

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
            loss=first.loss,
            noise=first.noise,
            notes=tuple(dict.fromkeys(note for result in results for note in result.notes)),
        )


def summary_table(parameters: Sequence[ParameterResult]) -> str:
    """Return an aligned plain-text table with one line per parameter."""
    rows = [("parameter", "shape", "checked", "mismatched", "max rel error", "verdict")]
    for p in parameters:
        counted = str(p.size) if p.checked == p.size or p.certificate else f"{p.checked} of {p.size}"
        verdict = f"{p.verdict} ({p.reason.value})" if p.reason else str(p.verdict)
        rows.append((p.name, str(p.shape), counted, str(p.mismatched), f"{p.max_rel_error:.3g}", verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _coarse(error: FloatArray) -> FloatArray:
    """Return numbers of at least 0 with five significant digits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = 10.0 ** (np.floor(np.log10(error)) - 4)
        return np.where(np.isfinite(unit) & (unit > 0), np.round(error / unit) * unit, error)


# the arrays with one number for each checked entry
_PER_ENTRY = (
    *("indices", "analytic", "numerical", "numerical_error", "tolerance"),
    *("step", "evaluations", "noise", "kink", "kink_distance"),
)
# relative error that is no longer small
_OWN_SIZE = 0.1
# reasons for which an entry matches, whatever its error
_NO_ERROR = (Reason.ZERO, Reason.CONSTANT, Reason.KINK)
# reasons that say something about the point, not about the gradient
_OF_THE_POINT = (Reason.KINK, Reason.LIMIT)


def _weights(parameter: ParameterResult) -> list[int]:
    """Return how much the verdict of each entry counts against those at other points."""
    outcomes = zip(parameter.verdicts, parameter.reasons, strict=True)
    return [-1 if reason in _OF_THE_POINT else verdict.severity for verdict, reason in outcomes]


def _merge_parameter(group: Sequence[ParameterResult]) -> ParameterResult:
    certificate = Certificate.merge([parameter.certificate for parameter in group])
    known = [c for parameter in group if (c := parameter.certificate) is not None]
    if any(one.complete and one.verdict is Verdict.MATCH for one in known):
        # directions that move all entries at another point say more of an entry than a point that says nothing
        aside = [np.array([reason in _OF_THE_POINT for reason in parameter.reasons]) for parameter in group]
        if any(map(np.any, aside)) and not all(map(np.all, aside)):
            group = [p.only(~gone) for p, gone in zip(group, aside, strict=True) if not gone.all()]
            certificate = Certificate.merge(known)
    index = np.concatenate([parameter.indices for parameter in group])
    severity = np.concatenate([_weights(parameter) for parameter in group])
    error = np.concatenate(
        [np.where(np.isnan(parameter.rel_error), np.inf, parameter.rel_error) for parameter in group]
    )
    # lexsort sorts by its last key first; the last of each entry is its worst point
    order = np.lexsort((error, severity, index))
    chosen = order[np.flatnonzero(np.diff(index[order], append=-1))]
    verdicts = [verdict for parameter in group for verdict in parameter.verdicts]
    reasons = [reason for parameter in group for reason in parameter.reasons]

    def pick(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(parameter, name) for parameter in group])[chosen]

    return ParameterResult(
        name=group[0].name,
        shape=group[0].shape,
        **{name: pick(name) for name in _PER_ENTRY},
        verdicts=tuple(verdicts[i] for i in chosen),
        reasons=tuple(reasons[i] for i in chosen),
        certificate=certificate,
        curve=next((parameter.curve for parameter in group if parameter.curve is not None), None),
    )
