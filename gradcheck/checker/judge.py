"""The verdict on each entry, from its analytic derivative, its numerical one and the tolerance."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gradcheck.checker.tolerance import Tolerance
from gradcheck.checker.verdict import Reason, Verdict
from gradcheck.numerics.arrays import BoolArray, FloatArray
from gradcheck.numerics.finite_difference import Derivative

_COARSE_ROUNDOFF = 1e-10
_COARSE_MARGIN = 2.0
# an error that is so far above round-off can be made smaller, and until then may be larger than it seems
_FAR_BELOW, _UNFINISHED_MARGIN = 0.01, 10.0
# part of a derivative below which a difference from it is small
_SLIGHT = 0.05
_ROUNDINGS = 16.0
_THOUSANDTH = 1e-3
# scatter of the loss, in units of the round-off of one value, that a sum of terms does not explain
_SCATTERED = 8.0
# an error bound of less than this part of what a change of the entry by its own scale makes of a derivative is small
_AWAY = 100.0
# part of a derivative that its error bound is to be smaller than, and evaluations after which that is not waited for
_FINE, _SOME = 1e-3, 14
# how far an entry has to be moved without any change of the loss, in units of its own scale or of 1: as far as it takes
# to make a derivative visible that changes the loss by 1e-14 of itself over that distance, or so far in any case
_HIDDEN, _FAR = 1e14, 0.5
# evaluations of an entry after which only what is undecided goes on
_ENOUGH = 14


@dataclass(frozen=True)
class Judgement:
    """Verdict of each entry on the evidence so far; arrays of shape (entries,).

    Parameters
    ----------
    settled : bool array
        True where more evaluations are not worth their cost.
    """

    verdicts: npt.NDArray[np.object_]
    reasons: npt.NDArray[np.object_]
    allowed: FloatArray
    settled: BoolArray
    target: FloatArray

    def with_wrong(self, where: BoolArray) -> Judgement:
        """Return this with the given entries mismatched."""
        verdicts, reasons = self.verdicts.copy(), self.reasons.copy()
        verdicts[where], reasons[where] = Verdict.MISMATCH, Reason.TIE
        return replace(self, verdicts=verdicts, reasons=reasons)

    def limited(self) -> Judgement:
        """Return this with what is not settled undecided: the check has reached its limits."""
        verdicts, reasons = self.verdicts.copy(), self.reasons.copy()
        verdicts[~self.settled], reasons[~self.settled] = Verdict.INCONCLUSIVE, Reason.LIMIT
        return replace(self, verdicts=verdicts, reasons=reasons)


@dataclass(frozen=True)
class Judge:
    """Compares analytic with numerical derivatives.

    An entry is a mismatch only if the difference exceeds the allowed one plus the error bound; a match only if it does
    not and the bound is small against the gradient; otherwise it is inconclusive. Every pass is a comparison that must
    be true, so NaN never passes.

    Parameters
    ----------
    analytic : float array, shape (entries,)
        The gradient under test.
    entry_scale : float array, shape (entries,)
        Natural scale of each entry.
    unit : float array, shape (entries,)
        By what entries of one parameter are compared with one another: their natural scale, as far as it is known.
    hint : float array, shape (entries,)
        Steps that the analytic derivative suggests: a mismatch is not called before one of that order was tried.
    kink_reach : float array, shape (entries,)
        Distance within which the code under test cannot tell on which side of a kink an entry stands.
    zero : float array, shape (entries,)
        Relative size below which an analytic derivative is zero up to its own round-off.
    """

    analytic: FloatArray
    tolerance: Tolerance
    entry_scale: FloatArray
    unit: FloatArray
    hint: FloatArray
    kink_reach: FloatArray
    zero: FloatArray
    loss: float

    def __call__(self, derivative: Derivative, gradient_scale: FloatArray) -> Judgement:
        """Return the verdicts on the evidence so far.

        Parameters
        ----------
        gradient_scale : float array, shape (entries,)
            Largest numerical derivative of the parameter that an entry belongs to, in the unit of the entry.
        """
        d, bound, analytic = derivative, derivative.error, self.analytic
        with np.errstate(all="ignore"):
            allowed = self._allowed(d, gradient_scale)
            difference, largest = np.abs(analytic - d.value), np.maximum(np.abs(analytic), np.abs(d.value))
            within = difference <= allowed + bound
            coarse = self.tolerance.resolution * gradient_scale
            # the best that noise allows may still rule out an error of a thousandth
            close = difference + bound <= np.maximum(_THOUSANDTH, self.tolerance.rtol) * largest
            resolved = (bound <= np.maximum(allowed, coarse)) | close
            at_kink, is_zero, idle = self._at_kink(d, allowed), self._is_zero(d), self._is_idle(d)
            finite = np.isfinite(analytic)
            match = finite & ((within & resolved) | at_kink | is_zero | idle)
            mismatch = ~finite | (~at_kink & self._is_wrong(d, difference - allowed))
            # what agrees so closely does not do so by chance, however small it is beside the others
            fine = np.maximum(allowed, self.tolerance.share(gradient_scale))
            quick = match & (difference <= allowed) & (bound <= fine)
            # beside entries of another unit an entry may look small and be seen well a few steps on
            clear = (bound <= 0.1 * coarse) & (d.evaluations > 2)
            seen = (bound <= _FINE * largest) | (d.evaluations >= _SOME)
            # what does not change the loss at all is seen at once
            done = at_kink | idle | (is_zero & (seen | (d.value == 0)))
            # a verdict against the code is confirmed at a third step; one that is about a small difference goes on, as
            # steps with kinks between them agree by chance now and then
            confirmed = (d.evaluations >= 6) & (difference > _SLIGHT * largest)
            settled = quick | (match & (done | (clear & seen))) | ~finite | (mismatch & confirmed)
            settled |= (match | mismatch) & (d.evaluations >= _ENOUGH)
            small = bound <= np.maximum(fine, self.tolerance.resolution * largest)
            target = np.fmax(allowed, 0.25 * difference)
        verdicts = _assign(Verdict.INCONCLUSIVE, bound.size, (match, Verdict.MATCH), (mismatch, Verdict.MISMATCH))
        reasons = _assign(
            Reason.UNSETTLED,
            bound.size,
            *self._doubts(d),
            (match, Reason.ZERO),
            (match & resolved, Reason.COARSE),
            (match & resolved & small, None),
            (match & idle & ~is_zero & (bound > 0), Reason.CONSTANT),
            (match & d.complex, Reason.COMPLEX_STEP),
            (match & at_kink, Reason.KINK),
            (mismatch, None),
            (~finite, Reason.NON_FINITE_GRADIENT),
        )
        return Judgement(verdicts, reasons, allowed, settled, target)

    def is_coarse(self, derivative: Derivative, judgement: Judgement) -> BoolArray:
        """Tell where differences alone do not come to a sharp verdict."""
        unclear = judgement.reasons == Reason.COARSE
        unclear |= (judgement.verdicts == Verdict.INCONCLUSIVE) & np.isfinite(derivative.value)
        return np.asarray(unclear & (derivative.kink == 0), dtype=bool)

    def _allowed(self, derivative: Derivative, gradient_scale: FloatArray) -> FloatArray:
        # a gradient that is right for parameters within their own rounding is right: near an optimum the residuals
        # are round-off, and so is what is left of the derivative
        conditioning = _ROUNDINGS * np.finfo(np.float64).eps * self.entry_scale * derivative.curvature
        epsilon = 2 * derivative.of_loss.unit_roundoff
        return self.tolerance.allowed(self.analytic, derivative.value, gradient_scale, epsilon) + conditioning

    def _is_wrong(self, derivative: Derivative, excess: FloatArray) -> BoolArray:
        """Tell where a difference that exceeds the allowed one by `excess` is proof of a mistake."""
        d = derivative
        # where the slope jumps at the point itself, correct code may return a subgradient of each of its terms, and
        # their sum need not lie between the slopes of the whole: no value is proof of a mistake there
        smooth = np.isfinite(d.value) & np.isfinite(d.error) & (d.kink == 0)
        explored = d.explored & (d.finest <= 20 * self.hint) & (d.coarsest >= 2 * self.kink_reach)
        # the steps of a wide layer of ReLUs have kinks between them, too: shorter ones pass between these
        unfinished = d.noise < _FAR_BELOW * d.error
        margin = np.where(unfinished, _UNFINISHED_MARGIN, _margin(d))
        return np.asarray(smooth & explored & (excess > margin * d.error))

    def _at_kink(self, derivative: Derivative, allowed: FloatArray) -> BoolArray:
        """Tell where the analytic derivative is one of the slopes of a kink, or lies between them."""
        d, bound = derivative, derivative.error
        within = np.abs(self.analytic - d.value) <= allowed + bound
        at_point = (d.kink > 0) & within & (bound - d.kink <= np.maximum(allowed, 0.1 * d.kink))
        # code in coarser arithmetic stands on either side of a kink that is closer than it can tell
        slack = allowed + _margin(d) * bound
        above = self.analytic >= np.minimum(d.value, d.beyond) - slack
        below = self.analytic <= np.maximum(d.value, d.beyond) + slack
        return np.asarray(at_point | (above & below & np.isfinite(bound)))

    def _is_zero(self, derivative: Derivative) -> BoolArray:
        """Tell where both derivatives are zero, to within errors that are small against the influence of other entries.

        Influence on the loss is derivative times natural scale, so that parameters of different units can be compared.
        """
        d, scale = derivative, self.entry_scale
        influence = np.max(d.certain * scale)
        negligible = (np.abs(self.analytic) * scale <= self.zero * influence) & (np.abs(d.value) <= d.error)
        resolved = d.error * scale <= self.tolerance.resolution * influence
        return np.asarray(negligible & resolved & (d.evaluations > 2))

    def _is_idle(self, derivative: Derivative) -> BoolArray:
        """Tell where the loss is the same to the last bit however far an entry is moved, and so says the gradient.

        That needs no other entry to compare with: a derivative that hides below the round-off of the loss would have to
        be smaller than any that matters.
        """
        d = derivative
        needed = min(_HIDDEN * d.of_loss.unit_roundoff, _FAR) * np.maximum(self.entry_scale, 1.0)
        return np.asarray((self.analytic == 0) & (d.unchanged >= needed) & (d.evaluations > 2))

    def _doubts(self, derivative: Derivative) -> list[tuple[BoolArray, Reason]]:
        """Return where and why entries could not be decided, the strongest reason last."""
        d, noise = derivative, derivative.of_loss
        if noise.floor > 0:
            cause = Reason.RANDOM
        elif noise.unit_roundoff > _COARSE_ROUNDOFF:
            cause = Reason.PRECISION
        elif noise.scatter is not None and noise.scatter > _SCATTERED * noise.unit_roundoff * abs(self.loss):
            cause = Reason.NOISE
        else:
            cause = Reason.CANCELLATION
        with np.errstate(all="ignore"):
            hidden = d.noise >= 0.3 * d.error
            # a step away from here the derivative would be seen well
            flat = (np.abs(d.value) <= d.error) & (d.curvature * self.entry_scale > _AWAY * d.error)
            return [
                (hidden, cause),
                (hidden & flat, Reason.OPTIMUM),
                ((d.suspect > 0.3 * d.error) | (d.kink > 0), Reason.KINK),
                (~np.isfinite(d.value), Reason.NON_FINITE_LOSS),
            ]


def _margin(derivative: Derivative) -> FloatArray:
    """Return how often the bound has to be exceeded before a difference is proof."""
    d = derivative
    # coarse arithmetic needs steps so long that several kinks fall between them, which the bound can understate; and
    # what averages round-off out is a matter of chance
    doubtful = (d.of_loss.unit_roundoff > _COARSE_ROUNDOFF) | (d.noise > 0.5 * d.error)
    return np.where(doubtful, _COARSE_MARGIN, 1.0)


def _assign(default: object, size: int, *cases: tuple[BoolArray, object]) -> npt.NDArray[np.object_]:
    """Return an array of objects: of each entry that of the last case that it falls into."""
    chosen = np.empty(size, dtype=object)
    chosen.fill(default)  # numpy.full would make a plain string of a verdict
    for where, value in cases:
        chosen[where] = value
    return chosen
