"""Central differences with an error bound per entry: two evaluations where that is enough, more only where in doubt.

Notation, per entry and step h: ``D = (f(x+h) - f(x-h)) / 2h`` is the central difference, ``S = (f(x+h) - 2 f(x) +
f(x-h)) / 2h`` is half the difference of the two one-sided slopes, and ``n`` bounds the round-off in D. S costs nothing
and tells a kink from curvature: it shrinks with h where the loss is smooth and stays where its slope jumps.
Evaluation and analysis are apart: a `Sampler` is handed whole rounds of entries and steps; all else is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

# Ratio of neighbouring steps: no power of two, so that an oscillation is not sampled at the same phase twice.
RATIO = 2.6
MAX_EVALUATIONS = 14

# significant bits of bfloat16, float16 and float32, with their unit round-off
_ROUNDOFF_BY_BITS = ((8, 2.0**-8), (11, 2.0**-11), (24, 2.0**-24))


class Samples(NamedTuple):
    """Values of the loss on both sides of x, one per entry, and half the distance really travelled between them."""

    plus: FloatArray
    minus: FloatArray
    half_width: FloatArray


# called with positions of entries and their steps; evaluates the loss at x + h and x - h for each
Sampler = Callable[[IntArray, FloatArray], Samples]


@dataclass(frozen=True)
class Noise:
    """How far a value of the loss may be off.

    Parameters
    ----------
    unit_roundoff : float
        Half the machine epsilon of the precision in which the loss is computed.
    floor : float
        Spread of values at one and the same point.
    """

    unit_roundoff: float
    floor: float = 0.0

    def of(self, magnitude: FloatArray) -> FloatArray:
        """Return the bound for values of this `magnitude`: four units, as a sum is rarely rounded only once."""
        return np.asarray(4 * self.unit_roundoff * magnitude + self.floor, dtype=np.float64)

    def informed_by(self, values: FloatArray) -> Noise:
        """Return the noise that the bits of `values` of the loss tell of.

        Values whose mantissas end in zeros were computed in a coarser type than the one they are returned in.

        Parameters
        ----------
        values : float array
            The loss at several points.
        """
        telling = values[np.isfinite(values) & (values != 0)]
        if not telling.size:
            return self
        mantissas = (np.abs(np.frexp(telling)[0]) * 2.0**53).astype(np.int64)
        bits = 53 - int(np.log2((mantissas & -mantissas).min()))
        coarsest = next((u for limit, u in _ROUNDOFF_BY_BITS if bits <= limit), 0.0)
        return replace(self, unit_roundoff=max(self.unit_roundoff, coarsest))


@dataclass(frozen=True)
class Derivative:
    """Numerical derivatives of several entries; all fields are arrays of shape (entries,).

    Parameters
    ----------
    value : float array
        The derivatives; NaN where the loss was not finite.
    error : float array
        Bound of the error: truncation, kink and round-off. After two evaluations only it is an estimate.
    evaluations : int array
        Number of evaluations spent.
    step : float array
        Largest step that `value` was formed with.
    kink : float array
        Half the jump of the slope at x where a kink was found, else 0: the one-sided slopes are ``value -+ kink``.
    noise : float array
        The part of `error` that is round-off.
    suspect : float array
        The part of `error` that looks like a kink.
    unit_roundoff : float
        Precision in which the loss was seen to be computed, not an array.
    """

    value: FloatArray
    error: FloatArray
    evaluations: IntArray
    step: FloatArray
    kink: FloatArray
    noise: FloatArray
    suspect: FloatArray
    unit_roundoff: float = 0.0


# called with the derivatives so far; returns which entries need no more, and the error wanted for the others
Goal = Callable[[Derivative], tuple[BoolArray, FloatArray]]


@dataclass(frozen=True)
class Levels:
    """Differences at several steps; arrays of shape (levels, entries), coarsest step first, NaN where not known.

    Parameters
    ----------
    step, central, spread, noise : float array
        h, D, S and n of the module's notation. A step that was tried in vain has NaN in all but `step`.
    """

    step: FloatArray
    central: FloatArray
    spread: FloatArray
    noise: FloatArray


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
    max_evaluations: int = MAX_EVALUATIONS,
) -> Derivative:
    """Differentiate a loss with respect to single entries.

    Parameters
    ----------
    sample : Sampler
        Evaluates the loss.
    origin : float
        The loss at x.
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
    noise : Noise
        Error of single values of the loss.
    goal : Goal
        Decides after each round which entries need no more.
    max_evaluations : int
        Largest number of evaluations for one entry.

    Returns
    -------
    Derivative
        The best derivative of each entry with its error bound.
    """
    record = _Record(sample, origin, size, noise)
    everything = np.arange(steps.size)
    record.measure(everything, steps)
    best = first_estimate(record.levels(everything))
    search = _Search(steps, smallest, typical, largest)
    while True:
        best = replace(best, evaluations=record.evaluations.copy(), unit_roundoff=record.noise().unit_roundoff)
        done, target = goal(best)
        entries = np.flatnonzero(~done & ~search.stopped & (best.evaluations + 2 <= max_evaluations))
        if not entries.size:
            return best
        wanted, paired = search.propose(entries, record.levels(entries), target[entries])
        going = np.isfinite(wanted)
        search.stopped[entries[~going]] = True
        record.measure(entries[going], wanted[going])
        again = entries[going & paired]
        again = again[record.was_finite(again) & (record.evaluations[again] + 2 <= max_evaluations)]
        record.measure(again, record.last_step(again) / RATIO)
        levels = record.levels(entries)
        found = analyse(levels)
        search.note(entries, levels, found)
        best = _update(best, entries, found, search.kink)


class _Record:
    """All rounds of evaluations so far."""

    def __init__(self, sample: Sampler, origin: float, size: FloatArray, noise: Noise) -> None:
        self.evaluations = np.zeros(size.size, dtype=np.intp)
        self._sample, self._origin, self._size, self._noise = sample, origin, size, noise
        self._rows: list[_Row] = []
        self._seen = [np.array([origin])]

    def measure(self, entries: IntArray, h: FloatArray) -> None:
        """Evaluate one round, unless it is empty."""
        if entries.size:
            samples = self._sample(entries, h)
            self._seen += samples[:2]
            self._rows.append(_row(samples, self._origin, entries, h, self._size.size))
            self.evaluations[entries] += 2

    def noise(self) -> Noise:
        """Return the noise in the light of all values seen."""
        return self._noise.informed_by(np.concatenate(self._seen))

    def levels(self, entries: IntArray) -> Levels:
        """Return all that is known of some entries."""
        return _stack(self._rows, entries, self._size[entries], self.noise())

    def was_finite(self, entries: IntArray) -> BoolArray:
        """Tell whether the last round gave finite values."""
        return np.isfinite(self._rows[-1].central[entries])

    def last_step(self, entries: IntArray) -> FloatArray:
        """Return the steps of the last round."""
        return self._rows[-1].step[entries]


class _Row(NamedTuple):
    """One round of evaluations: arrays of shape (all entries,), NaN where an entry took no part or was not finite."""

    step: FloatArray
    central: FloatArray
    spread: FloatArray
    magnitude: FloatArray


def _row(samples: Samples, origin: float, entries: IntArray, h: FloatArray, size: int) -> _Row:
    """Form the differences of one round, at one step for each of `entries`."""
    plus, minus, width = samples
    with np.errstate(all="ignore"):
        central = (plus - minus) / (2 * width)
        spread = ((plus - origin) - (origin - minus)) / (2 * width)
        valid = np.isfinite(central) & np.isfinite(spread) & (width > 0)
        magnitude = np.maximum(np.maximum(np.abs(plus), np.abs(minus)), abs(origin))
    row = _Row(*(np.full(size, np.nan) for _ in range(4)))
    row.step[entries] = np.where(valid, width, h)
    for whole, part in ((row.central, central), (row.spread, spread), (row.magnitude, magnitude)):
        whole[entries] = np.where(valid, part, np.nan)
    return row


def _stack(rows: Sequence[_Row], entries: IntArray, size: FloatArray, noise: Noise) -> Levels:
    """Return the chosen entries of all rounds, by descending step, those that are not finite last."""
    step, central, spread, magnitude = (np.array([row[k][entries] for row in rows]) for k in range(4))
    order = np.argsort(np.where(np.isfinite(central), -step, np.inf), axis=0, kind="stable")
    step, central, spread, magnitude = (
        np.take_along_axis(field, order, axis=0) for field in (step, central, spread, magnitude)
    )
    # a loss computed in a coarser type than x rounds x as well
    round_off = (noise.of(magnitude) + noise.unit_roundoff * size * np.abs(central)) / step
    return Levels(step, central, spread, round_off)


def first_estimate(levels: Levels) -> Derivative:
    """Return the derivatives from one level of all entries: central differences with an estimate of their error.

    Parameters
    ----------
    levels : Levels
        Arrays of shape (1, entries).
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
        noise=noise,
        suspect=suspect,
    )


class _Candidates(NamedTuple):
    """Ways to combine levels: arrays of shape (ways, entries)."""

    value: FloatArray
    error: FloatArray
    noise: FloatArray
    suspect: FloatArray
    truncation: FloatArray
    step: FloatArray
    is_triple: BoolArray

    @classmethod
    def concatenate(cls, one: _Candidates, other: _Candidates) -> _Candidates:
        return cls(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))

    def best(self) -> _Candidates:
        """Return the way with the smallest error of each entry."""
        chosen = np.argmin(self.error, axis=0)[None]
        return _Candidates(*(np.take_along_axis(field, chosen, axis=0)[0] for field in self))


def analyse(levels: Levels) -> _Candidates:
    """Return the best extrapolated derivative of each entry, with its bound.

    Two neighbouring steps a > b give ``R = D_b + (D_b - D_a) / (r^2 - 1)`` with the bound ``|D_a - D_b| + K + n``,
    where K is the limit of S for h -> 0. Three steps that obey the h^2 law give a tighter bound. A way that a finer
    step contradicts is dropped.

    Parameters
    ----------
    levels : Levels
        At least one row; entries with fewer than two finite levels get an infinite error.

    References
    ----------
    .. [1] L. F. Richardson, Phil. Trans. R. Soc. A 210 (1911), 307-357.
    .. [2] C. J. F. Ridders, Adv. Eng. Softw. 4 (1982), 75-76.
    """
    with np.errstate(all="ignore"):
        pairs = _pairs(levels)
        ways = [_consistent(levels, pairs, 2)]
        if len(levels.step) > 2:
            ways.append(_consistent(levels, _triples(levels, pairs), 3))
    return (ways[0] if len(ways) == 1 else _Candidates.concatenate(*ways)).best()


def _pairs(levels: Levels) -> _Candidates:
    h, d, s, n = (levels.step, levels.central, levels.spread, levels.noise)
    r = h[:-1] / h[1:]
    w = 1 / (r * r - 1)
    truncation = np.abs(d[:-1] - d[1:])
    limit = np.abs((r * s[1:] - s[:-1]) / (r - 1))
    # several kinks inside the stencil do not extrapolate: then the spread itself is the bound
    rough = (np.abs(s[1:]) > 0.6 * np.abs(s[:-1])) & (np.abs(s[1:]) > 0.7 * n[1:])
    suspect = np.where(rough, np.maximum(limit, np.maximum(np.abs(s[1:]), np.abs(s[:-1]))), limit)
    noise = (1 + w) * n[1:] + w * n[:-1]
    error = np.where(r > 1.2, truncation + suspect + noise, np.inf)
    value = d[1:] - w * (d[:-1] - d[1:])
    return _Candidates(value, _or_infinite(error), noise, suspect, truncation, h[:-1], np.zeros(r.shape, dtype=bool))


def _triples(levels: Levels, pairs: _Candidates) -> _Candidates:
    h, d, n = levels.step, levels.central, levels.noise
    q = (h[:-2] ** 2 - h[1:-1] ** 2) / (h[1:-1] ** 2 - h[2:] ** 2)
    change, finer_change = d[:-2] - d[1:-1], d[1:-1] - d[2:]
    slack = n[:-2] + n[1:-1] + q * (n[1:-1] + n[2:])
    obeys = np.abs(change - q * finer_change) <= 0.5 * np.abs(q * finer_change) + slack
    obeys &= (h[:-2] < 8 * h[1:-1]) & (h[1:-1] < 8 * h[2:])
    w = 1 / ((h[:-2] / h[2:]) ** 2 - 1)
    truncation = np.abs(pairs.value[:-1] - pairs.value[1:])
    noise = pairs.noise[1:] * (1 + w) + pairs.noise[:-1] * w
    # a smooth loss lets the limit of the spread die like h^3; a kink does not
    suspect = np.where(pairs.suspect[1:] < 0.25 * pairs.suspect[:-1], 0.0, pairs.suspect[1:])
    error = np.where(obeys, 2 * truncation + suspect + noise, np.inf)
    value = pairs.value[1:] + w * (pairs.value[1:] - pairs.value[:-1])
    triple = np.ones(q.shape, dtype=bool)
    return _Candidates(value, _or_infinite(error), noise, suspect, truncation, h[:-2], triple)


def _consistent(levels: Levels, ways: _Candidates, used: int) -> _Candidates:
    """Drop the ways that a step finer than the `used` ones of each contradicts beyond its own noise and spread."""
    error = ways.error.copy()
    size = np.abs(levels.spread)
    # where the spread persists, a kink inside the finer stencil moves its difference by as much
    persists = np.vstack([np.zeros_like(size[:1]), np.where(size[1:] > 0.6 * size[:-1], size[1:], 0.0)])
    for p in range(len(error)):
        for finer in range(p + used, len(size)):
            gap = np.abs(levels.central[finer] - ways.value[p])
            error[p] = np.where(gap > error[p] + 2 * levels.noise[finer] + persists[finer], np.inf, error[p])
    return ways._replace(error=error)


def _or_infinite(error: FloatArray) -> FloatArray:
    return np.where(np.isfinite(error), error, np.inf)


def _update(best: Derivative, entries: IntArray, found: _Candidates, kink: FloatArray) -> Derivative:
    """Return `best` with what was found for some entries, where anything was."""
    better = np.isfinite(found.error)
    # an entry whose second step was consulted must not keep the first, unverified estimate
    fields = {name: getattr(best, name).copy() for name in ("value", "error", "step", "kink", "noise", "suspect")}
    fields["error"][entries] = found.error
    fields["kink"][entries] = kink[entries]
    for name in ("value", "step", "noise", "suspect"):
        fields[name][entries[better]] = getattr(found, name)[better]
    return replace(best, **fields)


class _Search:
    """Chooses the next step of every entry in doubt, from what dominates its error."""

    def __init__(self, steps: FloatArray, smallest: FloatArray, typical: FloatArray, largest: FloatArray) -> None:
        size = steps.size
        self.smallest, self.typical = smallest, typical
        # beyond the size of its neighbours (or 1) an entry would leave the region in which the loss makes sense
        self.largest = np.maximum(largest, steps)
        self.stopped = np.zeros(size, dtype=bool)
        self.kink = np.zeros(size)
        self._tried_kink = np.zeros(size, dtype=bool)
        self._tried_typical = np.zeros(size, dtype=bool)
        self._grown = np.zeros(size, dtype=bool)
        self._lower, self._upper = np.zeros(size), np.full(size, np.inf)
        self._last_error, self._improved = np.full(size, np.inf), np.ones(size, dtype=bool)

    def note(self, entries: IntArray, levels: Levels, found: _Candidates) -> None:
        """Take note of the latest analysis of some entries."""
        # only steps chosen to leave a distant kink behind show that it is at the point itself
        self.kink[entries] = kink_at_point(levels) * self._tried_kink[entries]
        self._improved[entries] = found.error < 0.5 * self._last_error[entries]
        self._last_error[entries] = found.error

    def propose(self, entries: IntArray, levels: Levels, target: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Return the next step per entry (NaN: give up), and whether a finer companion belongs to it."""
        with np.errstate(all="ignore"):
            count = np.isfinite(levels.central).sum(axis=0)
            finite = np.where(np.isfinite(levels.central), levels.step, np.nan)
            finest = np.fmin.reduce(finite, axis=0)
            smallest_tried = np.fmin.reduce(levels.step, axis=0)
            wanted = np.where(count == 0, smallest_tried / 100, finest / RATIO)
            paired = np.zeros(entries.size, dtype=bool)
            several = np.flatnonzero(count >= 2)
            if several.size:
                part = Levels(*(getattr(levels, name)[:, several] for name in ("step", "central", "spread", "noise")))
                wanted[several], paired[several] = self._refine(entries[several], part, target[several])
            repeated = (np.abs(np.log(wanted / levels.step)) < 0.25).any(axis=0)
        wanted = np.where(repeated | (wanted < self.smallest[entries]), np.nan, wanted)
        return wanted, paired

    def _refine(self, entries: IntArray, levels: Levels, target: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Choose the next step for entries with at least two levels, by the largest part of their error."""
        found = analyse(levels)
        noisy = found.noise >= 0.5 * found.error
        kinky = ~noisy & (found.suspect > 0.3 * found.error)
        smooth, smooth_paired = self._for_truncation(entries, levels, found, target)
        grown, grown_paired = self._for_noise(entries, levels, found, target, noisy)
        jumped = self._for_kink(entries, levels, found, kinky)
        wanted = np.where(noisy, grown, np.where(kinky, jumped, smooth))
        return wanted, np.where(noisy, grown_paired, kinky | smooth_paired)

    def _for_noise(
        self, entries: IntArray, levels: Levels, found: _Candidates, target: FloatArray, noisy: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """Return larger steps: a leap where nothing is resolved yet, else a moderate one as long as it helps."""
        base = np.where(np.isfinite(found.error), found.step, levels.step[0])
        unresolved = found.error > 0.1 * np.abs(found.value)
        leap = self.typical[entries] / base
        to_typical = unresolved & (leap > 8) & ~self._tried_typical[entries]
        factor = np.where(to_typical, leap, np.where(unresolved, 200.0, 6.0))
        h = base * np.minimum(factor, np.maximum(4.0, found.error / target))
        upper = self._upper[entries]
        h = np.where(h > upper / 1.5, np.sqrt(base * upper), h)
        h = np.minimum(h, self.largest[entries])
        futile = (4 * base >= upper) | (self._grown[entries] & ~unresolved & ~self._improved[entries])
        self._tried_typical[entries] |= noisy & to_typical
        self._grown[entries] |= noisy & ~unresolved
        self._lower[entries] = np.where(noisy, np.maximum(self._lower[entries], base), self._lower[entries])
        return np.where(futile, np.nan, h), h > 8 * base

    def _for_kink(self, entries: IntArray, levels: Levels, found: _Candidates, kinky: BoolArray) -> FloatArray:
        """Return a step short of the kink where its distance shows, else one so small that a kink can only be at x.

        A kink of jump J at distance d < h has S = J/2 - (J d / 2) / h, so two steps give d.
        """
        (h, fine), (s, fine_spread) = _finest_two(levels, levels.step), _finest_two(levels, levels.spread)
        slope = (s - fine_spread) / (1 / fine - 1 / h)
        distance = slope / (fine_spread + slope / fine)
        distance = np.where(np.isfinite(distance) & (distance > 0.02 * fine), distance, 0.0)
        coarse_noise = levels.noise[0] * levels.step[0]
        at_point = 1e5 * coarse_noise / found.suspect
        tried = self._tried_kink[entries]
        self._tried_kink[entries] |= kinky
        self._upper[entries] = np.where(kinky, np.minimum(self._upper[entries], fine), self._upper[entries])
        return np.where(tried, np.nan, np.minimum(np.maximum(0.6 * distance, at_point), fine / 2))

    def _for_truncation(
        self, entries: IntArray, levels: Levels, found: _Candidates, target: FloatArray
    ) -> tuple[FloatArray, BoolArray]:
        """Return smaller steps: by the h^4 law where the ladder is regular, else far down to a fresh pair."""
        fine = _finest_two(levels, levels.step)[1]
        largest = np.fmax.reduce(np.abs(levels.central), axis=0)
        regular = found.truncation < 0.1 * largest
        by_law = fine * np.clip((target / (2 * found.error)) ** 0.25, 1 / 40, 1 / RATIO)
        lower = self._lower[entries]
        far = np.where(fine / 30 <= lower, np.sqrt(fine * lower), fine / 30)
        real = (found.truncation > 3 * found.noise) & (found.noise < 0.5 * found.error)
        upper = self._upper[entries]
        self._upper[entries] = np.where(real, np.minimum(upper, found.step), upper)
        return np.where(regular, np.where(found.is_triple, by_law, fine / RATIO), far), ~regular


def _finest_two(levels: Levels, field: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return `field` at the second finest and at the finest finite level of each entry."""
    last = np.maximum(np.isfinite(levels.central).sum(axis=0) - 1, 0)[None]
    before = np.maximum(last - 1, 0)
    return np.take_along_axis(field, before, axis=0)[0], np.take_along_axis(field, last, axis=0)[0]


def kink_at_point(levels: Levels) -> FloatArray:
    """Return half the jump of the slope where the spread persists down to the finest two steps, else 0.

    Parameters
    ----------
    levels : Levels
        Arrays of shape (levels, entries).
    """
    coarse, fine = _finest_two(levels, levels.spread)
    noise = _finest_two(levels, levels.noise)[1]
    persists = (coarse * fine > 0) & (np.abs(fine) > 0.6 * np.abs(coarse)) & (np.abs(fine) < 1.6 * np.abs(coarse))
    return np.where(persists & (np.abs(fine) > 3 * noise), np.abs(fine), 0.0)
