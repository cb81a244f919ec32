"""The next step of every entry in doubt, chosen by what dominates its error: round-off, a kink or truncation."""

from __future__ import annotations

import numpy as np

from gradcheck.numerics.arrays import BoolArray, FloatArray, IntArray
from gradcheck.numerics.extrapolation import Extrapolation, best_estimate
from gradcheck.numerics.levels import Levels

# Ratio of neighbouring steps: no power of two, so that an oscillation is not sampled at the same phase twice.
RATIO = 2.6

# A step this much longer than the distance of a kink shows most of its jump.
SHOWN = 4.0

# a gradient that is right for the steps that were tried changes the loss by no more than they have shown; a step at
# which it would change it by so small a part of that shows even an oscillation close enough
_CLAIM, _CLOSE = 3.0, 0.02
# number of levels after which only averaging goes on
_LEVELS = 7
_GOLDEN = 0.6180339887
# a kink is at the point if it is not left behind where round-off is this much smaller than its jump
_KINK_RESOLUTION = 1e4


class StepSearch:
    """Chooses the next step of every entry in doubt, and remembers what was tried.

    Parameters
    ----------
    steps : float array, shape (entries,)
        First step per entry.
    smallest : float array, shape (entries,)
        Steps below it would vanish in the floating-point grid of the parameter.
    typical : float array, shape (entries,)
        A step that suits the other entries of the same parameter.
    largest : float array, shape (entries,)
        Steps are not enlarged beyond it.
    hint : float array, shape (entries,), optional
        Steps that are to be tried before an entry is given up.
    reach : float array, shape (entries,), optional
        Distance of a kink that a step has to show before an entry is given up.
    claim : float array, shape (entries,), optional
        Magnitude of the derivatives that the gradient under test claims: where no change of the loss comes near it,
        shorter steps are tried before an entry is given up.

    Attributes
    ----------
    stopped : bool array, shape (entries,)
        Entries for which no step is left to try.
    kink : float array, shape (entries,)
        Half the jump of the slope at x where a kink was found, else 0.
    """

    def __init__(
        self,
        steps: FloatArray,
        smallest: FloatArray,
        typical: FloatArray,
        largest: FloatArray,
        hint: FloatArray | None = None,
        reach: FloatArray | None = None,
        claim: FloatArray | None = None,
    ) -> None:
        size = steps.size
        self.stopped = np.zeros(size, dtype=bool)
        self.kink = np.zeros(size)
        self._smallest, self._typical = smallest, typical
        self._reach = np.zeros(size) if reach is None else reach
        self._claim = np.zeros(size) if claim is None else claim
        self._hint = np.full(size, np.inf) if hint is None else np.maximum(hint, smallest)
        # beyond the size of its neighbours (or 1) an entry would leave the region in which the loss makes sense
        self._largest = np.maximum(largest, steps)
        self._at_kink = np.zeros(size, dtype=bool)
        self._tried_typical = np.zeros(size, dtype=bool)
        self._grown = np.zeros(size, dtype=bool)
        self._distance, self._shifted, self._half_jump = (np.full(size, np.nan) for _ in range(3))
        self._lower, self._upper = np.zeros(size), np.full(size, np.inf)
        self._last_error, self._improved = np.full(size, np.inf), np.ones(size, dtype=bool)

    def note(self, entries: IntArray, levels: Levels, found: Extrapolation) -> None:
        """Take note of the latest analysis of some entries."""
        # only steps chosen to leave a distant kink behind show that it is at the point itself
        persisting = levels.kink()
        # a step not much longer than the distance of a kink shows a part of its jump only
        jump = np.fmax(persisting, np.abs(self._half_jump[entries]))
        self.kink[entries] = np.where((persisting > 0) & self._at_kink[entries], jump, 0.0)
        self._improved[entries] = found.error < 0.5 * self._last_error[entries]
        self._last_error[entries] = found.error

    def kink_distance(self, value: FloatArray) -> FloatArray:
        """Return how far above (positive) or below x a kink was seen; 0 at x itself, NaN where none was seen.

        A kink above x shifts the central difference by as much as the spread, one below x by as much the other way.

        Parameters
        ----------
        value : float array, shape (entries,)
            The derivatives.
        """
        with np.errstate(invalid="ignore"):
            side = np.sign((self._shifted - value) * self._half_jump)
        return np.where(self.kink > 0, 0.0, side * self._distance)

    def explored(self, entries: IntArray, levels: Levels) -> BoolArray:
        """Tell which entries have been looked at so closely that the claimed derivative would have been seen."""
        with np.errstate(all="ignore"):
            finest = np.fmin.reduce(levels.step, axis=0)
            seen = self._claim[entries] * finest <= np.maximum(_CLAIM * levels.swing(), levels.visible())
        return np.asarray(seen | (finest <= 4 * self._smallest[entries]), dtype=bool)

    def propose(self, entries: IntArray, levels: Levels, target: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Choose the next step of some entries."""
        with np.errstate(all="ignore"):
            finite = np.where(np.isfinite(levels.central), levels.step, np.nan)
            finest = np.fmin.reduce(finite, axis=0)
            smallest_tried = np.fmin.reduce(levels.step, axis=0)
            wanted = np.where(levels.count == 0, smallest_tried / 100, finest / RATIO)
            paired = np.zeros(entries.size, dtype=bool)
            averaging = np.zeros(entries.size, dtype=bool)
            single = np.flatnonzero(levels.count == 1)
            if single.size:
                wanted[single] = self._second(entries[single], levels.only(single), target[single])
            several = np.flatnonzero(levels.count >= 2)
            if several.size:
                refined = self._refine(entries[several], levels.only(several), target[several])
                wanted[several], paired[several], averaging[several] = refined
            change = np.maximum(_CLOSE * levels.swing(), levels.visible())
            claimed = np.maximum(change / self._claim[entries], self._smallest[entries])
            hint = np.fmin(self._hint[entries], np.where(self.explored(entries, levels), np.inf, claimed))
            hinted = (levels.count >= 2) & (hint < 0.1 * smallest_tried)
            wanted, paired = np.where(hinted, hint, wanted), paired | hinted
            repeated = (np.abs(np.log(wanted / levels.step)) < 0.25).any(axis=0) & ~averaging
            given_up = ~np.isfinite(wanted) | repeated | (wanted < self._smallest[entries])
            narrow = (given_up | (levels.count >= 3)) & (levels.step[0] < 0.5 * SHOWN * self._reach[entries])
        wanted = np.where(narrow, SHOWN * self._reach[entries], np.where(given_up, np.nan, wanted))
        paired &= ~narrow
        self.stopped[entries] = ~np.isfinite(wanted)
        return wanted, paired

    def _second(self, entries: IntArray, levels: Levels, target: FloatArray) -> FloatArray:
        """Return the second step: larger than the first where that drowns in round-off, else smaller."""
        step, central, noise = levels.step[0], levels.central[0], levels.noise[0]
        noisy = (noise > 0.1 * np.abs(central)) & (noise > target)
        grown = self._grown_step(entries, step, noise / target, noisy, unresolved=noisy)
        return np.where(noisy, grown, step / RATIO)

    def _refine(self, entries: IntArray, levels: Levels, target: FloatArray) -> tuple[FloatArray, BoolArray, BoolArray]:
        """Choose the next step for entries with at least two levels, by the largest part of their error."""
        found = best_estimate(levels)
        # what the round-off explains is neither a kink nor truncation
        noisy = (found.noise >= 0.5 * found.error) | (np.maximum(found.suspect, found.truncation) < found.noise)
        seen = levels.showing(found.suspect)
        noisy |= (found.suspect > 0.3 * found.error) & (seen.count < 2)
        kinky = ~noisy & (found.suspect > 0.3 * found.error)
        smooth, smooth_paired = self._for_truncation(entries, levels, found, target, ~noisy & ~kinky)
        grown, averaging = self._for_noise(entries, levels, found, target, noisy)
        jumped = self._for_kink(entries, seen, found, kinky)
        wanted = np.where(noisy, grown, np.where(kinky, jumped, smooth))
        wanted = np.where(~noisy & (levels.count >= _LEVELS), np.nan, wanted)
        return wanted, ~noisy & (kinky | smooth_paired), noisy & averaging

    def _for_noise(
        self, entries: IntArray, levels: Levels, found: Extrapolation, target: FloatArray, noisy: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """Return larger steps as long as they help, then more steps of the best size; and which are the latter."""
        usable = np.isfinite(found.error)
        top, central, noise = levels.step[0], levels.central[0], levels.noise[0]
        unresolved = noise > 0.1 * np.abs(central)
        # a coarsest step that was not used, or that the finer ones contradict, is too long
        overshot = usable & ((found.step < 0.99 * top) | (np.abs(central - found.value) > 3 * (found.error + noise)))
        upper = np.where(noisy & overshot, np.minimum(self._upper[entries], top), self._upper[entries])
        self._upper[entries] = upper
        base = np.where(usable & overshot, found.step, top)
        futile = (3 * base >= upper) | (base >= 0.8 * self._largest[entries])
        futile |= self._grown[entries] & ~unresolved & ~self._improved[entries]
        error = np.where(unresolved, noise, found.error)
        h = self._grown_step(entries, base, error / target, noisy & ~futile, unresolved=unresolved & ~overshot)
        self._grown[entries] |= noisy & ~unresolved
        # spread evenly on a logarithmic scale, none twice
        more = base * 2.5 ** (0.2 - ((levels.count * _GOLDEN) % 1))
        return np.where(futile, more, h), futile

    def _grown_step(
        self, entries: IntArray, base: FloatArray, excess: FloatArray, noisy: BoolArray, *, unresolved: BoolArray
    ) -> FloatArray:
        """Return larger steps: a leap where nothing is resolved yet, else a moderate one."""
        leap = self._typical[entries] / base
        to_typical = unresolved & (leap > 8) & ~self._tried_typical[entries]
        factor = np.where(to_typical, leap, np.where(unresolved, 200.0, 6.0))
        h = base * np.minimum(factor, np.maximum(4.0, excess))
        upper = self._upper[entries]
        h = np.where(h > upper / 1.5, np.sqrt(base * upper), h)
        self._tried_typical[entries] |= noisy & to_typical
        self._lower[entries] = np.where(noisy, np.maximum(self._lower[entries], base), self._lower[entries])
        return np.minimum(h, self._largest[entries])

    def _for_kink(self, entries: IntArray, levels: Levels, found: Extrapolation, kinky: BoolArray) -> FloatArray:
        """Return a step short of the kink where its distance shows, else one so small that a kink can only be at x.

        A kink of jump J at distance d < h has S = J/2 - (J d / 2) / h, so two steps give d.
        """
        (h, fine), (s, fine_spread) = levels.finest_two(levels.step), levels.finest_two(levels.spread)
        slope = (s - fine_spread) / (1 / fine - 1 / h)
        half_jump = fine_spread + slope / fine
        distance = slope / half_jump
        distance = np.where(np.isfinite(distance) & (distance > 0.02 * fine), distance, 0.0)
        coarse_noise = levels.noise[0] * levels.step[0]
        at_point = _KINK_RESOLUTION * coarse_noise / found.suspect
        # the finest step stops short of the kink: one more like it gives the slope on this side
        left_behind = np.abs(fine_spread) <= np.maximum(0.3 * np.abs(s), 3 * levels.finest_two(levels.noise)[1])
        # a spread that still falls this close to x is more likely to be curvature than a kink
        falling = np.abs(fine_spread) <= 0.7 * np.abs(s)
        done = self._at_kink[entries]
        approach = kinky & ~done & ~left_behind
        self._distance[entries[approach]] = distance[approach]
        self._shifted[entries[approach]] = levels.finest_two(levels.central)[1][approach]
        self._half_jump[entries[approach]] = half_jump[approach]
        unknown = entries[kinky & left_behind & (self._distance[entries] == 0)]
        self._distance[unknown] = self._upper[unknown]
        self._at_kink[entries] |= approach & (0.6 * distance <= at_point)
        self._upper[entries] = np.where(kinky, np.minimum(self._upper[entries], fine), self._upper[entries])
        short = np.minimum(np.maximum(0.6 * distance, at_point), fine / 2)
        settled = np.where(falling, fine / 30, np.nan)
        return np.where(left_behind, fine / RATIO, np.where(done, settled, short))

    def _for_truncation(
        self, entries: IntArray, levels: Levels, found: Extrapolation, target: FloatArray, smooth: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """Return smaller steps: by the h^4 law where the ladder is regular, else far down to a fresh pair."""
        # a step that drowned in round-off is no place to go on from
        told = levels.noise <= found.error
        fine = np.fmin.reduce(np.where(np.isfinite(levels.central) & told, levels.step, np.inf), axis=0)
        fine = np.where(np.isfinite(fine), fine, levels.finest_two(levels.step)[1])
        below = np.fmax.reduce(np.where(levels.step < 0.99 * found.step, levels.step, 0.0), axis=0)
        gap = (found.step > 1.5 * RATIO * below) & ~found.is_regular
        largest = np.fmax.reduce(np.abs(levels.central), axis=0)
        regular = found.truncation < 0.1 * largest
        by_law = fine * np.clip((target / (2 * found.error)) ** 0.25, 1 / 40, 1 / RATIO)
        lower = self._lower[entries]
        far = np.where(fine / 30 <= lower, np.sqrt(fine * lower), fine / 30)
        real = smooth & (found.truncation > 3 * found.noise) & (found.noise < 0.5 * found.error)
        upper = self._upper[entries]
        self._upper[entries] = np.where(real, np.minimum(upper, found.step), upper)
        closer = np.where(found.is_regular, by_law, np.where(gap, np.sqrt(found.step * below), fine / RATIO))
        return np.where(regular, closer, far), ~regular
