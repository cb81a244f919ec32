"""Differences of the loss at several steps, and what their spread tells of kinks.

Notation, per entry and step h: ``D = (f(x+h) - f(x-h)) / 2h`` is the central difference, ``S = (f(x+h) - 2 f(x) +
f(x-h)) / 2h`` is half the difference of the two one-sided slopes, and ``n`` bounds the round-off in D. S costs nothing
and tells a kink from curvature: it shrinks with h where the loss is smooth and stays where its slope jumps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gradcheck.numerics.arrays import FloatArray, IntArray
from gradcheck.numerics.noise import Noise

# steps that are this much longer than the reach tell of other kinks
_NEAR = 10.0
# a spread of so many times its round-off is none, although the bound of that may be too small by a factor or two:
# round-off grows as the step shrinks, too
_UNLIKE_ROUND_OFF = 8.0
# how many times its round-off a change of the loss has to be before something can be told from it
_VISIBLE = 100.0
# share of a jump that a step shows which is longer than the distance of the kink
_MOST = 0.5


class Samples(NamedTuple):
    """Values of the loss on both sides of x, one per entry, and half the distance really travelled between them."""

    plus: FloatArray
    minus: FloatArray
    half_width: FloatArray


class Round(NamedTuple):
    """One round of evaluations: arrays of shape (all entries,), NaN where an entry took no part or was not finite.

    A step that was tried in vain is kept in `step`; `magnitude` is that of the largest value of the loss.
    """

    step: FloatArray
    central: FloatArray
    spread: FloatArray
    magnitude: FloatArray

    @classmethod
    def of(cls, samples: Samples, origin: float, entries: IntArray, h: FloatArray, size: int) -> Round:
        """Form the differences of one round."""
        plus, minus, width = samples
        with np.errstate(all="ignore"):
            central = (plus - minus) / (2 * width)
            spread = ((plus - origin) - (origin - minus)) / (2 * width)
            valid = np.isfinite(central) & np.isfinite(spread) & (width > 0)
            magnitude = np.maximum(np.maximum(np.abs(plus), np.abs(minus)), abs(origin))
        one_round = cls(*(np.full(size, np.nan) for _ in cls._fields))
        one_round.step[entries] = np.where(valid, width, h)
        for whole, part in zip(one_round[1:], (central, spread, magnitude), strict=True):
            whole[entries] = np.where(valid, part, np.nan)
        return one_round


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

    @classmethod
    def of(cls, rounds: Sequence[Round], entries: IntArray, size: FloatArray, noise: Noise) -> Levels:
        """Order all rounds of some entries by descending step, those that are not finite last."""
        step, central, spread, magnitude = (
            np.array([part[entries] for part in parts]) for parts in zip(*rounds, strict=True)
        )
        order = np.argsort(np.where(np.isfinite(central), -step, np.inf), axis=0, kind="stable")
        step, central, spread, magnitude = (
            np.take_along_axis(field, order, axis=0) for field in (step, central, spread, magnitude)
        )
        # a loss computed in a coarser type than x rounds x as well
        round_off = (noise.of(magnitude) + noise.unit_roundoff * size * np.abs(central)) / step
        return cls(step, central, spread, round_off)

    def only(self, entries: IntArray) -> Levels:
        """Return the levels of some of the entries."""
        return Levels(self.step[:, entries], self.central[:, entries], self.spread[:, entries], self.noise[:, entries])

    def showing(self, spread: FloatArray) -> Levels:
        """Return the levels whose round-off leaves a spread of this size to be seen."""
        return replace(self, central=np.where(self.noise <= 0.3 * spread, self.central, np.nan))

    @property
    def count(self) -> IntArray:
        """Number of finite levels of each entry."""
        return np.asarray(np.isfinite(self.central).sum(axis=0), dtype=np.intp)

    def finest_two(self, field: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return `field` at the second finest and at the finest finite level of each entry."""
        last = np.maximum(self.count - 1, 0)[None]
        before = np.maximum(last - 1, 0)
        return np.take_along_axis(field, before, axis=0)[0], np.take_along_axis(field, last, axis=0)[0]

    def curvature(self) -> FloatArray:
        """Return the smallest magnitude of the second derivative that any step of an entry saw."""
        with np.errstate(all="ignore"):
            seen = 2 * np.maximum(np.abs(self.spread) - self.noise, 0.0) / self.step
        smallest: FloatArray = np.fmin.reduce(seen, axis=0)
        return np.nan_to_num(smallest, nan=0.0, posinf=0.0)

    def swing(self) -> FloatArray:
        """Return the largest change of the loss that any step of an entry has shown, and its round-off."""
        with np.errstate(all="ignore"):
            changes = self.step * (np.abs(self.central) + np.abs(self.spread) + self.noise)
        largest: FloatArray = np.fmax.reduce(changes, axis=0)
        return np.nan_to_num(largest, nan=np.inf, posinf=np.inf)

    def visible(self) -> FloatArray:
        """Return a change of the loss that is many times its round-off at the most exact step of an entry."""
        smallest: FloatArray = np.fmin.reduce(self.step * self.noise, axis=0)
        return np.asarray(_VISIBLE * np.nan_to_num(smallest, nan=0.0), dtype=np.float64)

    def unchanged(self) -> FloatArray:
        """Return the longest step of each entry up to which no step has changed the loss; 0 where any shorter has."""
        same = (self.central == 0) & (self.spread == 0)
        # from the finest step up
        held = np.logical_and.accumulate((same | np.isnan(self.central))[::-1], axis=0)[::-1]
        return np.asarray(np.max(np.where(held & same, self.step, 0.0), axis=0), dtype=np.float64)

    def persisting_spread(self) -> FloatArray:
        """Return the spread of each step where it shrinks too slowly for curvature, else 0; shape (levels, entries).

        The spread of a smooth loss shrinks like h. One that exceeds its round-off and shrinks slower than the root of
        h, since a step 1.5 times as long or longer, tells of kinks.
        """
        size = np.abs(self.spread)
        found = np.zeros_like(size)
        with np.errstate(all="ignore"):
            seen = size > self.noise
            for row in range(1, len(size)):
                ratio = self.step[:row] / self.step[row]
                slow = seen[:row] & (ratio > 1.5) & (size[row] * np.sqrt(ratio) > size[:row] + self.noise[row])
                found[row] = np.where(seen[row] & slow.any(axis=0), size[row], 0.0)
        return found

    def longest_without_jump(self) -> FloatArray:
        """Return the longest step of each entry below which the spread nowhere grows as the step shrinks."""
        size = np.abs(self.spread)
        with np.errstate(all="ignore"):
            grows = (size[1:] > 1.5 * size[:-1]) & (size[1:] > _UNLIKE_ROUND_OFF * self.noise[1:])
        longest: FloatArray = np.fmin.reduce(np.where(grows, self.step[1:], np.inf), axis=0)
        return longest

    def slope_beyond(self, value: FloatArray, error: FloatArray, reach: FloatArray) -> FloatArray:
        """Return the slope beyond a kink that is closer than `reach`; NaN where there is no sign of one.

        A step h that shows a kink at a distance d shifts D by half the jump times ``1 - d / h``, and S by as much. It
        shows most of the jump that longer steps do: a bend of a smooth loss shows less and less, and no more than the
        curvature that the finest steps see explains.

        Parameters
        ----------
        value, error : float array, shape (entries,)
            The derivatives at x with their error bounds.
        reach : float array, shape (entries,)
            The largest distance.
        """
        found = np.full(value.size, np.nan)
        with np.errstate(invalid="ignore"):
            # an entry with no longer step has nothing to compare with
            longer = np.zeros(value.size)
            bends = np.maximum(np.abs(self.spread) - 3 * self.noise, 0.0) / self.step
            bend = np.fmin(*self.finest_two(bends))
            for step, central, spread, noise in zip(self.step, self.central, self.spread, self.noise, strict=True):
                shift = central - value
                most = np.abs(spread) >= _MOST * longer
                longer = np.fmax(longer, np.abs(spread))
                telling = (step <= _NEAR * reach) & (np.abs(shift) > 0.5 * np.abs(spread)) & (np.abs(shift) > error)
                telling &= np.isnan(found) & (np.abs(spread) > np.maximum(3 * noise, bend * step)) & most
                # twice the shift, and what the distance may take from it
                found = np.where(telling, value + 3 * shift, found)
        return found

    def kink(self) -> FloatArray:
        """Return half the jump of the slope where the spread persists down to the finest two steps, else 0."""
        coarse, fine = self.finest_two(self.spread)
        noise = self.finest_two(self.noise)[1]
        persists = (coarse * fine > 0) & (np.abs(fine) > 0.6 * np.abs(coarse)) & (np.abs(fine) < 1.6 * np.abs(coarse))
        return np.where(persists & (np.abs(fine) > 3 * noise), np.abs(fine), 0.0)
