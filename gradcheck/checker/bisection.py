"""From a parameter that is wrong along a random direction to the entries that make it so."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradcheck.checker.directional import Block, Directions
from gradcheck.numerics.arrays import IntArray

# generations of blocks in which everything is wrong before all of a block is taken to be
_GENERATIONS = 3
# entries of such a block that are looked at, and how many of these have to be wrong
_SAMPLE = 8
_SMALL = 2
_LEFTOVER = 64


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
    """

    def __init__(
        self, directions: Directions, owner: int, shape: tuple[int, ...], budget: int, rng: np.random.Generator
    ) -> None:
        self._directions, self._owner, self._shape, self._rng = directions, owner, shape, rng
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
            found.append(self._sample(box, max(_LEFTOVER // len(boxes), 1)))
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
