"""Central differences with an error bound per entry: two evaluations where that is enough, more only where in doubt.

Evaluation and analysis are apart: a `Sampler` is handed whole rounds of entries and steps; all else is pure. The
notation is that of `gradcheck.numerics.levels`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.numerics.arrays import BoolArray, FloatArray, IntArray
from gradcheck.numerics.extrapolation import Extrapolation, best_estimate
from gradcheck.numerics.levels import Levels, Round, Samples
from gradcheck.numerics.noise import Noise
from gradcheck.numerics.step_search import RATIO, StepSearch

# largest number of evaluations for one entry
MAX_EVALUATIONS = 32

# called with positions of entries and their steps; evaluates the loss at x + h and x - h for each
Sampler = Callable[[IntArray, FloatArray], Samples]


@dataclass(frozen=True)
class Derivative:
    """Numerical derivatives of several entries; all fields are arrays of shape (entries,).

    Parameters
    ----------
    value : float array
        The derivatives; NaN where the loss was not finite.
    error : float array
        Bound of the error: truncation, kink and round-off. After two evaluations only it is an estimate.
    step : float array
        Largest step that `value` was formed with.
    kink : float array
        Half the jump of the slope at x where a kink was found, else 0: the one-sided slopes are ``value -+ kink``.
    kink_distance : float array
        Where a kink was seen: how far above (positive) or below x; NaN where none was.
    beyond : float array
        The slope of the loss beyond a kink within reach; NaN where none was seen.
    noise : float array
        The part of `error` that is round-off.
    suspect : float array
        The part of `error` that looks like a kink.
    finest, coarsest : float array
        Smallest and largest step that was tried.
    curvature : float array
        Magnitude of the second derivative, the smallest that any step saw.
    unchanged : float array
        The longest step up to which the loss is the same to the last bit; 0 where it is not.
    explored : bool array
        Whether a derivative as large as the one that is claimed would have been seen by the steps that were tried.
    of_loss : Noise
        How far single values of the loss may be off; not an array.
    complex : bool array
        Where `value` is that of a complex step which the differences have confirmed.
    """

    value: FloatArray
    error: FloatArray
    evaluations: IntArray
    step: FloatArray
    kink: FloatArray
    kink_distance: FloatArray
    beyond: FloatArray
    noise: FloatArray
    suspect: FloatArray
    finest: FloatArray
    coarsest: FloatArray
    curvature: FloatArray
    unchanged: FloatArray
    explored: BoolArray
    of_loss: Noise
    complex: BoolArray

    @property
    def certain(self) -> FloatArray:
        """What of the magnitude of each derivative exceeds its error bound; 0 where nothing is known.

        At a kink that is the larger one of the two slopes.
        """
        slope = np.abs(self.value) + self.kink
        return np.nan_to_num(np.maximum(slope - np.maximum(self.error - self.kink, 0.0), 0.0), nan=0.0, posinf=0.0)


# called with the derivatives so far; returns which entries need no more, and the error wanted for the others
Goal = Callable[[Derivative], tuple[BoolArray, FloatArray]]


def differentiate(
    sample: Sampler,
    origin: float,
    steps: FloatArray,
    *,
    size: FloatArray,
    smallest: FloatArray,
    typical: FloatArray,
    largest: FloatArray,
    noise: Noise,
    goal: Goal,
    hint: FloatArray | None = None,
    reach: FloatArray | None = None,
    claim: FloatArray | None = None,
    scatter: Callable[[float], float] | None = None,
) -> Derivative:
    """Differentiate a loss with respect to single entries.

    Parameters
    ----------
    steps : float array, shape (entries,)
        First step per entry.
    size : float array, shape (entries,)
        Magnitude of each entry.
    smallest : float array, shape (entries,)
        Steps below it would vanish in the floating-point grid of the parameter.
    typical : float array, shape (entries,)
        A step that suits the other entries of the same parameter, tried where the own one drowns in round-off.
    largest : float array, shape (entries,)
        Steps are not enlarged beyond it.
    hint : float array, shape (entries,), optional
        Steps that are to be tried, if only larger ones were, before an entry is given up.
    reach : float array, shape (entries,), optional
        Distance up to which a kink is looked for beside x.
    claim : float array, shape (entries,), optional
        Magnitudes of the derivatives under test.
    """
    record = _Record(sample, origin, size, noise)
    everything = np.arange(steps.size)
    record.measure(everything, steps)
    search = StepSearch(steps, smallest, typical, largest, hint, reach, claim)
    levels = record.levels(everything)
    best = _first_estimate(levels, record.noise(), search.explored(everything, levels))
    while True:
        best = replace(best, evaluations=record.evaluations.copy(), of_loss=record.noise())
        done, target = goal(best)
        entries = np.flatnonzero(~done & ~search.stopped & (best.evaluations + 2 <= MAX_EVALUATIONS))
        if not entries.size:
            return best
        if scatter is not None and record.noise().scatter is None:
            record.learn(scatter(2 * record.noise().unit_roundoff * abs(origin)))
        wanted, paired = search.propose(entries, record.levels(entries), target[entries])
        going = np.isfinite(wanted)
        record.measure(entries[going], wanted[going])
        again = entries[going & paired]
        again = again[record.was_finite(again) & (record.evaluations[again] + 2 <= MAX_EVALUATIONS)]
        record.measure(again, record.last_step(again) / RATIO)
        levels = record.levels(entries)
        if len(levels.step) > 1:  # else no entry had room for a second step
            found = best_estimate(levels)
            search.note(entries, levels, found)
            best = _update(best, entries, levels, found, search)
            if reach is not None:
                best.beyond[entries] = levels.slope_beyond(best.value[entries], best.error[entries], reach[entries])


class _Record:
    """All rounds of evaluations so far."""

    def __init__(self, sample: Sampler, origin: float, size: FloatArray, noise: Noise) -> None:
        self.evaluations = np.zeros(size.size, dtype=np.intp)
        self._sample, self._origin, self._size, self._noise = sample, origin, size, noise
        self._rounds: list[Round] = []
        self._seen = [np.array([origin])]

    def measure(self, entries: IntArray, h: FloatArray) -> None:
        """Evaluate one round, unless it is empty."""
        if entries.size:
            samples = self._sample(entries, h)
            self._seen += samples[:2]
            self._rounds.append(Round.of(samples, self._origin, entries, h, self._size.size))
            self.evaluations[entries] += 2

    def learn(self, scatter: float) -> None:
        """Take note of the scatter of the loss."""
        self._noise = replace(self._noise, scatter=scatter)

    def noise(self) -> Noise:
        """Return the noise in the light of all values seen."""
        return self._noise.informed_by(np.concatenate(self._seen))

    def levels(self, entries: IntArray) -> Levels:
        """Return all that is known of some entries."""
        return Levels.of(self._rounds, entries, self._size[entries], self.noise())

    def was_finite(self, entries: IntArray) -> BoolArray:
        """Tell whether the last round gave finite values."""
        return np.isfinite(self._rounds[-1].central[entries])

    def last_step(self, entries: IntArray) -> FloatArray:
        """Return the steps of the last round."""
        return self._rounds[-1].step[entries]


def _first_estimate(levels: Levels, noise_of_loss: Noise, explored: BoolArray) -> Derivative:
    """Return the derivatives from one level of all entries: central differences with an estimate of their error.

    Parameters
    ----------
    levels : Levels
        Arrays of shape (1, entries).
    explored : bool array, shape (entries,)
        See `Derivative`.
    """
    step, central, spread, noise = levels.step[0], levels.central[0], np.abs(levels.spread[0]), levels.noise[0]
    # with one step, curvature cannot be told from a kink: a spread this large calls for a second step
    suspect = np.where(spread > 0.1 * np.abs(central) + 2 * noise, spread, 0.0)
    error = noise + suspect
    return Derivative(
        value=central,
        error=np.where(np.isfinite(error), error, np.inf),
        evaluations=np.full(step.size, 2, dtype=np.intp),
        step=step,
        kink=np.zeros(step.size),
        kink_distance=np.full(step.size, np.nan),
        beyond=np.full(step.size, np.nan),
        noise=noise,
        suspect=suspect,
        finest=step,
        coarsest=step,
        curvature=levels.curvature(),
        unchanged=levels.unchanged(),
        explored=explored,
        of_loss=noise_of_loss,
        complex=np.zeros(step.size, dtype=bool),
    )


def _update(
    best: Derivative, entries: IntArray, levels: Levels, found: Extrapolation, search: StepSearch
) -> Derivative:
    """Return `best` with what was found for some entries, where anything was."""
    better = np.isfinite(found.error)
    # an entry whose second step was consulted must not keep the first, unverified estimate
    names = (
        "value",
        "error",
        "step",
        "kink",
        "noise",
        "suspect",
        "finest",
        "coarsest",
        "curvature",
        "unchanged",
        "explored",
    )
    fields = {name: getattr(best, name).copy() for name in names}
    fields["error"][entries] = found.error
    fields["kink"][entries] = search.kink[entries]
    fields["finest"][entries] = np.fmin.reduce(levels.step, axis=0)
    fields["coarsest"][entries] = np.fmax.reduce(levels.step, axis=0)
    fields["curvature"][entries] = np.minimum(best.curvature[entries], levels.curvature())
    fields["explored"][entries] = search.explored(entries, levels)
    fields["unchanged"][entries] = levels.unchanged()
    for name in ("value", "step", "noise", "suspect"):
        fields[name][entries[better]] = getattr(found, name)[better]
    return replace(best, **fields, kink_distance=search.kink_distance(fields["value"]))
