"""The comparison of the two gradients at the user's point, and at others drawn around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.checker.certify import Outcome, certify
from gradcheck.checker.complex_step import complex_step, confirmed, with_opinion
from gradcheck.checker.directional import Directions
from gradcheck.checker.entries import Entries, sample_entries
from gradcheck.checker.judge import Judge, Judgement
from gradcheck.checker.options import Options
from gradcheck.checker.partial_derivatives import (
    kink_reach,
    natural_scale,
    natural_unit,
    partial_derivatives,
    suggested_steps,
)
from gradcheck.checker.result import CheckResult, ParameterResult
from gradcheck.checker.ties import broken_ties
from gradcheck.checker.tolerance import Tolerance, make_tolerance
from gradcheck.evaluate.gradient import Gradient
from gradcheck.evaluate.objective import Objective
from gradcheck.numerics.arrays import BoolArray, FloatArray
from gradcheck.numerics.finite_difference import Derivative
from gradcheck.numerics.noise import Noise
from gradcheck.numerics.step_size import coarsest_epsilon

# A further point that is not usable is moved towards the first by these factors before it is given up.
_SHRINKING = (1.0, 0.25, 0.0625)

# Entries of a parameter that are shown because they are not finite, beyond those that are compared anyway.
_NON_FINITE = 64


def check_points(objective: Objective, options: Options) -> list[CheckResult]:
    """Check the gradient at the parameters as they stand, and at further points."""
    start = objective.start()
    gradient = objective.first_gradient(start)
    comparison, result = _first(objective, options, start, gradient)
    if _is_in_doubt(result) and objective.hand_out_copies():
        start = objective.value_at(objective.parameters)
        comparison, result = _first(objective, options, start, objective.gradient())
    results = [result]
    home = [leaf.values() for leaf in objective.parameters.leaves]
    for point in range(1, options.points):
        results += comparison.near(home, np.random.default_rng([options.seed, point]))
        objective.move(home)
    return results


def _first(objective: Objective, options: Options, start: float, gradient: Gradient) -> tuple[_Comparison, CheckResult]:
    """Check the gradient at the parameters as they stand; return what goes on to other points as well."""
    dtypes = _float_dtypes(objective, gradient.dtypes)
    tolerance = make_tolerance(options.rtol, options.atol, dtypes)
    origin, noise = objective.reference(start)
    epsilons = [coarsest_epsilon([dtype]) for dtype in gradient.dtypes]
    comparison = _Comparison(objective, options, tolerance, noise, dtypes, epsilons)
    return comparison, comparison.at_point(origin, gradient.values)


def _is_in_doubt(result: CheckResult) -> bool:
    """Tell whether a loss that sees no change at all would explain a result."""
    return any((parameter.numerical == 0).any() and not parameter.kink.any() for parameter in result.parameters) and (
        not result.passed or all((parameter.numerical == 0).all() for parameter in result.parameters)
    )


@dataclass(frozen=True)
class _Comparison:
    """What is the same at all points; `epsilons` are those of the types in which the gradients came, one for each."""

    objective: Objective
    options: Options
    tolerance: Tolerance
    noise: Noise
    dtypes: Sequence[np.dtype[Any]]
    epsilons: Sequence[float]

    def near(self, home: Sequence[FloatArray], rng: np.random.Generator) -> list[CheckResult]:
        """Check at a random point near `home`, closer where need be; return nothing if no point is usable."""
        shifts = [rng.normal(size=values.size) * _deviation(values) for values in home]
        for shrink in _SHRINKING:
            self.objective.move([values + shrink * shift for values, shift in zip(home, shifts, strict=True)])
            self.objective.value_at(self.objective.parameters)
            gradient = self.objective.gradient().values
            origin = self.objective.value()
            if np.isfinite(origin) and all(np.isfinite(part).all() for part in gradient):
                return [self.at_point(origin, gradient)]
        return []

    def at_point(self, origin: float, gradient: Sequence[FloatArray]) -> CheckResult:
        """Check the parameters as they stand, where the loss is `origin`."""
        before, options = self.objective.evaluations, self.options
        self.objective.begin(origin)
        leaves = self.objective.parameters.leaves
        outcomes: Sequence[Outcome | None] = [None] * len(leaves)
        if options.directional and options.budget and sum(leaf.size for leaf in leaves) > options.budget:
            directions = Directions(self.objective, gradient, self.epsilons, origin, self.noise, options.seed)
            outcomes = certify(directions, leaves, self.tolerance.rtol, options.seed, options.search)
        chosen = []
        for k, (leaf, outcome) in enumerate(zip(leaves, outcomes, strict=True)):
            if outcome is not None and outcome.directions:
                where = outcome.where
            else:
                where = sample_entries(leaf.size, options.budget, [options.seed, k])
            # what is not finite is wrong without an evaluation
            chosen.append(np.union1d(where, np.flatnonzero(~np.isfinite(gradient[k]))[:_NON_FINITE]))
        parameters, noise = self._compare(origin, gradient, Entries.of(chosen), outcomes)
        spent = self.objective.evaluations - before
        return CheckResult(parameters, self.tolerance, spent, 1, options.seed, origin, noise)

    def _compare(
        self,
        origin: float,
        gradient: Sequence[FloatArray],
        entries: Entries,
        outcomes: Sequence[Outcome | None],
    ) -> tuple[tuple[ParameterResult, ...], Noise]:
        """Compare single entries, and combine what they show with what directions have shown."""
        analytic = entries.gather(gradient)
        scale = natural_scale(self.objective, entries)
        hint = suggested_steps(self.objective, entries, origin, analytic)
        judge = Judge(
            analytic,
            self.tolerance,
            entry_scale=scale,
            unit=natural_unit(self.objective, entries, scale, hint),
            hint=hint,
            kink_reach=kink_reach(self.objective, entries, coarsest_epsilon(self.dtypes)),
            zero=1e3 * entries.spread(self.epsilons),
            loss=origin,
        )
        # differences that are to confirm something need a bound that was verified
        fewest = 4 if self.options.method == "complex" else 2

        def goal(derivative: Derivative) -> tuple[BoolArray, FloatArray]:
            judgement = judge(derivative, entries.largest_in_unit(derivative.certain, judge.unit))
            done = judgement.settled & (derivative.evaluations >= fewest)
            return done | self.objective.is_spent, judgement.target

        derivative = partial_derivatives(
            self.objective, entries, origin, self.noise, goal, judge.hint, judge.kink_reach, np.abs(analytic)
        )
        judgement = judge(derivative, entries.largest_in_unit(derivative.certain, judge.unit))
        if self.options.method != "central":
            derivative, judgement = self._second_opinion(entries, judge, derivative, judgement)
        if (derivative.kink > 0).any():
            judgement = judgement.with_wrong(
                broken_ties(self.objective, entries, origin, analytic, derivative, self.tolerance)
            )
        if self.objective.is_spent:
            judgement = judgement.limited()
        error = _shown_error(analytic, derivative)
        results = []
        for k, (leaf, outcome) in enumerate(zip(self.objective.parameters.leaves, outcomes, strict=True)):
            mine = entries.owner == k
            verdicts = tuple(judgement.verdicts[mine])
            results.append(
                ParameterResult(
                    name=leaf.name,
                    shape=leaf.shape,
                    indices=entries.index[mine],
                    analytic=analytic[mine],
                    numerical=derivative.value[mine],
                    numerical_error=error[mine],
                    verdicts=verdicts,
                    reasons=tuple(judgement.reasons[mine]),
                    tolerance=judgement.allowed[mine],
                    step=derivative.step[mine],
                    evaluations=derivative.evaluations[mine],
                    noise=derivative.noise[mine],
                    kink=derivative.kink[mine],
                    kink_distance=derivative.kink_distance[mine],
                    certificate=None if outcome is None else outcome.certificate(verdicts),
                )
            )
        return tuple(results), derivative.of_loss

    def _second_opinion(
        self, entries: Entries, judge: Judge, derivative: Derivative, judgement: Judgement
    ) -> tuple[Derivative, Judgement]:
        """Ask the complex step about entries that differences see too coarsely, or about all where that was wished.

        Unasked it can only speak for a gradient: that two wrong values agree and lie within the bound is no chance.
        """
        every = self.options.method == "complex"
        asked = np.flatnonzero(every | judge.is_coarse(derivative, judgement))
        opinion = np.full(entries.index.size, np.nan)
        opinion[asked] = complex_step(self.objective, entries, asked)
        scale = entries.largest_in_unit(derivative.certain, judge.unit)
        where = confirmed(derivative, opinion)
        if not every:
            where &= np.abs(judge.analytic - opinion) <= judgement.allowed
        derivative = with_opinion(derivative, opinion, where, scale)
        return derivative, judge(derivative, entries.largest_in_unit(derivative.certain, judge.unit))


def _shown_error(analytic: FloatArray, derivative: Derivative) -> FloatArray:
    with np.errstate(invalid="ignore"):
        # two evaluations show no truncation error, but agreement with the gradient says that it is no larger
        agreed = derivative.error + np.abs(analytic - derivative.value)
    return np.where((derivative.evaluations == 2) & np.isfinite(agreed), agreed, derivative.error)


def _float_dtypes(objective: Objective, dtypes: Sequence[np.dtype[Any]]) -> list[np.dtype[Any]]:
    every = [*dtypes, objective.dtype, *(leaf.dtype for leaf in objective.parameters.leaves)]
    return [dtype for dtype in every if np.issubdtype(dtype, np.floating)]


def _deviation(values: FloatArray) -> float:
    """Return the standard deviation with which a parameter is perturbed for a further point."""
    size = max(float(np.std(values)), float(np.median(np.abs(values))))
    return 0.3 * size if size > 0 else 0.15
