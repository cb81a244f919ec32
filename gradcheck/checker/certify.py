"""Whether the gradients of whole parameters are right, without a look at every entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gradcheck.checker.certificate import Certificate
from gradcheck.checker.directional import Block, Directions, Trial
from gradcheck.checker.options import THOROUGH, Search
from gradcheck.checker.verdict import Verdict
from gradcheck.evaluate.leaf import Leaf
from gradcheck.numerics.arrays import FloatArray, IntArray

# generations of blocks in which everything is wrong before all of a block is taken to be
_GENERATIONS = 3
# entries of such a block that are looked at, and how many of these have to be wrong
_SAMPLE = 8
_SMALL = 2


class Box(NamedTuple):
    """A rectangular part of an array: from where to where along each axis."""

    ranges: tuple[tuple[int, int], ...]
    generations: int = 0

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod([stop - start for start, stop in self.ranges], dtype=np.intp))

    def halves(self, axis: int, generations: int) -> list[Box]:
        """Return the two halves along an axis."""
        start, stop = self.ranges[axis]
        middle = (start + stop) // 2
        before, after = self.ranges[:axis], self.ranges[axis + 1 :]
        return [Box((*before, part, *after), generations) for part in ((start, middle), (middle, stop))]


class Suspects(NamedTuple):
    """Entries that may be wrong.

    Parameters
    ----------
    complete : bool
        Whether all others were seen to be right.
    visible : float
        The largest contribution of a single entry that would not have shown among those.
    """

    where: IntArray
    complete: bool
    visible: float


class Bisection:
    """The search in one parameter.

    A wrong block is halved along its longest axis, and along the others if both halves are wrong: what is wrong with a
    row or a channel stays together that way.

    Parameters
    ----------
    budget : int
        Number of evaluations after which the search ends.
    sample : int
        Number of entries of what is left over then that are suspects.
    """

    def __init__(
        self,
        directions: Directions,
        owner: int,
        shape: tuple[int, ...],
        budget: int,
        sample: int,
        rng: np.random.Generator,
    ) -> None:
        self._directions, self._owner, self._shape, self._rng = directions, owner, shape, rng
        self._left_over = sample
        self._limit = directions.evaluations + budget
        self._visible = 0.0

    def search(self) -> Suspects:
        """Return the entries that may be wrong."""
        found: list[IntArray] = []
        complete = True
        boxes = [Box(tuple((0, n) for n in self._shape))]
        while boxes and self._directions.evaluations < self._limit:
            # the last one first, so that the search has found some entries whenever it ends
            box = boxes.pop()
            if box.size <= _SMALL:
                found.append(self._entries(box))
            elif box.generations >= _GENERATIONS and self._is_wrong_throughout(box, found):
                complete = False
            else:
                parts = self._wrong_parts(box)
                complete &= bool(parts)
                boxes += parts
        for box in boxes:
            complete = False
            found.append(self._sample(box, max(self._left_over // len(boxes), 1)))
        where = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.intp)
        return Suspects(where, complete, self._visible)

    def _wrong_parts(self, box: Box) -> list[Box]:
        """Return the wrong ones of the halves of a box; nothing if it is wrong as a whole only."""
        both: list[Box] = []
        for axis in np.argsort([start - stop for start, stop in box.ranges], kind="stable"):
            start, stop = box.ranges[axis]
            if stop - start == 1:
                break
            halves = box.halves(int(axis), box.generations + 1)
            trials = self._directions.compare([[Block(self._owner, self._entries(half))] for half in halves])
            wrong = [half for half, trial in zip(halves, trials, strict=True) if trial.is_wrong]
            if len(wrong) == 1:
                self._visible = max(self._visible, *(t.visible for t in trials if not t.is_wrong))
                return [wrong[0]._replace(generations=0)]
            both = both or wrong
        return both

    def _is_wrong_throughout(self, box: Box, found: list[IntArray]) -> bool:
        """Tell whether most of a sample of the box is wrong, and if so add the sample to `found`."""
        sample = self._sample(box, _SAMPLE)
        trials = self._directions.compare([[Block(self._owner, sample[i : i + 1])] for i in range(sample.size)])
        if 2 * sum(trial.is_wrong for trial in trials) < sample.size:
            return False
        found.append(sample)
        return True

    def _sample(self, box: Box, count: int) -> IntArray:
        entries = self._entries(box)
        return np.sort(self._rng.choice(entries, min(count, entries.size), replace=False))

    def _entries(self, box: Box) -> IntArray:
        """Return the flat indices of the entries of a box."""
        axes = [np.arange(start, stop) for start, stop in box.ranges]
        return np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), self._shape).reshape(-1)


# error of a single entry that has to show, relative to a typical one
_NEEDED = 0.1
# a parameter that has less influence on the loss than this part of the largest is measured against that
_INFLUENCE = 1e-3
_LEAST_WEIGHT = 1e-2
# a wrong parameter with no more entries is compared entry by entry at once, or where the search finds no end
_FEW, _MANAGEABLE = 64, 500
# how far entries that are all within their tolerance can add up, in standard deviations
_DEVIATIONS = 3.0


@dataclass(frozen=True)
class Outcome:
    """What directions show of one parameter.

    Parameters
    ----------
    directions : int
        Number of directions that moved all of its entries; 0 where the loss is too rough or too noisy for them.
    where : int array
        Entries that call for a look of their own.
    complete : bool
        Whether all others were seen to be right.
    tolerable : bool
        Whether entries that are all within their tolerance explain what was seen.
    """

    directions: int
    sensitivity: float
    where: IntArray
    complete: bool = True
    tolerable: bool = True

    def certificate(self, verdicts: Sequence[Verdict]) -> Certificate | None:
        """Return the certificate, in the light of the verdicts on the entries that were looked at; None without one."""
        if not self.directions:
            return None
        explained = self.tolerable or Verdict.MISMATCH in verdicts
        verdict = Verdict.MATCH if explained else Verdict.MISMATCH
        return Certificate(self.directions, self.sensitivity, verdict, self.complete)


def certify(
    directions: Directions, leaves: Sequence[Leaf], rtol: float, seed: int, search: Search = THOROUGH
) -> list[Outcome]:
    """Compare all parameters together along random directions; where that fails, each of them, and then parts of it."""
    typical, largest = np.zeros(len(leaves)), np.zeros(len(leaves), dtype=np.intp)
    for k, leaf in enumerate(leaves):
        # one after the other, as they take much memory
        contribution = directions.contribution(k)
        typical[k] = np.sqrt(float(contribution @ contribution) / leaf.size)
        largest[k] = np.argmax(contribution)
        del contribution
    unit = np.maximum(typical, _INFLUENCE * typical.max())
    weights = _weights(typical * np.sqrt([leaf.size for leaf in leaves]))
    together = [directions.whole(k, weight) for k, weight in enumerate(weights)]
    trials = [trial for way in _ways(directions) for trial in way.compare([together])]
    sensitivity = _relative(min(trial.visible for trial in trials), weights * unit)
    if any(trial.is_wrong for trial in trials):
        sensitivity[:] = np.inf
    outcomes: list[Outcome] = []
    for k, leaf in enumerate(leaves):
        outcome = Outcome(len(trials), float(sensitivity[k]), np.empty(0, dtype=np.intp))
        if not sensitivity[k] <= _NEEDED:
            outcome = _alone(directions, k, leaf, float(unit[k]), rtol, search, np.random.default_rng([seed, k]))
        # one entry at least is compared by itself
        outcomes.append(replace(outcome, where=np.union1d(outcome.where, largest[k])))
    return outcomes


def _alone(
    directions: Directions,
    owner: int,
    leaf: Leaf,
    unit: float,
    rtol: float,
    search: Search,
    rng: np.random.Generator,
) -> Outcome:
    """Compare one parameter along directions of its own, and look for the wrong entries if it is wrong."""
    own, even = (way.compare([[way.whole(owner)]])[0] for way in _ways(directions))
    count = len((own, even))
    seen = own.visible if even.is_wrong else min(own.visible, even.visible)
    sensitivity = float(_relative(seen, np.array([unit]))[0])
    if not own.is_wrong and (not even.is_wrong or sensitivity > _NEEDED):
        return Outcome(count if sensitivity <= _NEEDED else 0, sensitivity, np.empty(0, dtype=np.intp))
    # some entries may have gone so far that the loss is another one there: only entries that are wrong by themselves
    # are proof then
    tolerable = not own.is_wrong or all(_is_tolerable(trial, rtol) for trial in (own, even))
    if leaf.size <= _FEW:
        return Outcome(count, 0.0, np.arange(leaf.size), True, tolerable)
    # at two evaluations an entry, all of them could be compared by themselves
    search = search._replace(evaluations=min(search.evaluations, leaf.size))
    budget = search.tolerable if tolerable or leaf.size <= _MANAGEABLE else search.evaluations
    way = directions if own.is_wrong else directions.evenly()
    suspects = Bisection(way, owner, leaf.shape, budget, search.sample, rng).search()
    if leaf.size <= _MANAGEABLE and not suspects.complete:
        return Outcome(count, 0.0, np.arange(leaf.size), True, tolerable)
    if own.is_wrong and suspects.complete:
        sensitivity = float(_relative(suspects.visible, np.array([unit]))[0])
    return Outcome(count, sensitivity, suspects.where, suspects.complete or tolerable, tolerable)


def _ways(directions: Directions) -> tuple[Directions, Directions]:
    """Return two ways to move all entries: each by its own scale, and no entry less far than a typical one."""
    return directions, directions.evenly()


def _is_tolerable(trial: Trial, rtol: float) -> bool:
    return trial.difference <= trial.error + _DEVIATIONS * rtol * trial.norm


def _weights(influence: FloatArray) -> FloatArray:
    """Return weights that let each parameter change the loss about as much as the others, as far as is sensible."""
    positive = influence[influence > 0]
    if not positive.size:
        return np.ones_like(influence)
    with np.errstate(divide="ignore"):
        return np.clip(np.median(positive) / influence, _LEAST_WEIGHT, 1.0)


def _relative(visible: float, unit: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = visible / unit
    return np.where(np.isfinite(relative), relative, np.inf)
