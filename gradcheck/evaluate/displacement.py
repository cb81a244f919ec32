"""Evaluations of the loss at displaced parameters, as plain records: each can be done here, or wherever a copy is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from gradcheck.evaluate.params import Parameters
from gradcheck.numerics.arrays import FloatArray, IntArray
from gradcheck.numerics.step_size import parameter_scale

# how far all entries are moved to compare two ways to evaluate a loss, in units of their scale
_NUDGE = 1e-3
# all entries of a parameter
WHOLE = slice(None)


class Place(Protocol):
    """Where evaluations are done: parameters, and the loss at them."""

    @property
    def probe(self) -> Parameters:
        """The parameters that are displaced, and brought back."""

    def value(self) -> float:
        """Return the loss at the probe as it stands."""

    def values(self, tree: object, count: int) -> npt.NDArray[Any]:
        """Return the loss at each of so many parameters that are stacked in a structure like the probe's."""


class Pair(NamedTuple):
    """One entry moved up and down.

    Attributes
    ----------
    owner : int
        Position of its parameter among the probe's.
    """

    owner: int
    entry: int
    step: float

    @property
    def cost(self) -> int:
        """Number of evaluations."""
        return 2

    def __call__(self, place: Place) -> tuple[float, ...]:
        """Return the loss above and below the entry, and half the distance between the two, as stored."""
        leaf, i = place.probe.leaves[self.owner], self.entry
        saved = leaf.get(i)
        try:
            leaf.put(i, saved + self.step)
            upper = leaf.get(i)
            plus = place.value()
            leaf.put(i, saved - self.step)
            lower = leaf.get(i)
            minus = place.value()
        finally:
            leaf.put(i, saved)
        return plus, minus, _half(upper, lower)

    @property
    def unknown(self) -> tuple[float, ...]:
        """What stands for values that were not computed."""
        return math.nan, math.nan, self.step

    def place_in(self, rows: Sequence[npt.NDArray[Any]]) -> tuple[float, ...]:
        """Move the entry in two rows of stacked parameters; return half the distance between the two, as stored."""
        column = rows[self.owner][:, self.entry]
        saved = column[0]
        column[0], column[1] = saved + self.step, saved - self.step
        return (_half(column[0], column[1]),)


def _half(upper: Any, lower: Any) -> float:
    # the difference of coarser types is exact in float64; that of long doubles is not
    exact = upper - lower if isinstance(upper, np.longdouble) else float(upper) - float(lower)
    return 0.5 * float(exact)


class Stretch(NamedTuple):
    """Some entries of one parameter, and how far each of them goes.

    Attributes
    ----------
    owner : int
        Position of the parameter among the probe's.
    where : int array or slice
        Flat (C order) indices; `WHOLE` for all.
    """

    owner: int
    where: IntArray | slice
    direction: FloatArray


class Along(NamedTuple):
    """Many entries moved together, to several positions on a straight line.

    Attributes
    ----------
    positions : tuple of float
        How many times the direction to go.
    """

    stretches: Sequence[Stretch]
    positions: tuple[float, ...]

    @property
    def cost(self) -> int:
        """Number of evaluations."""
        return len(self.positions)

    def __call__(self, place: Place) -> tuple[float, ...]:
        """Return the loss at each position."""
        leaves = [place.probe.leaves[stretch.owner] for stretch in self.stretches]
        stored = [leaf.take(s.where) for leaf, s in zip(leaves, self.stretches, strict=True)]
        values = []
        try:
            for t in self.positions:
                for leaf, (_, where, direction), kept in zip(leaves, self.stretches, stored, strict=True):
                    leaf.shift(where, kept, direction, t)
                values.append(place.value())
        finally:
            for leaf, (_, where, _), kept in zip(leaves, self.stretches, stored, strict=True):
                leaf.give(where, kept)
        return tuple(values)

    @property
    def unknown(self) -> tuple[float, ...]:
        """What stands for values that were not computed."""
        return (math.nan,) * len(self.positions)

    def place_in(self, rows: Sequence[npt.NDArray[Any]]) -> tuple[float, ...]:
        """Move the entries in one row of stacked parameters for each position; nothing else is to be known of them."""
        for owner, where, direction in self.stretches:
            rows[owner][:, where] += np.outer(self.positions, direction).astype(rows[owner].dtype)
        return ()


Displacement = Pair | Along


def everywhere(probe: Parameters) -> Along:
    """Return a displacement of no entry and one of all: it shows whether two ways to evaluate a loss are the same."""
    stretches = [Stretch(k, WHOLE, _NUDGE * parameter_scale(leaf.values())) for k, leaf in enumerate(probe.leaves)]
    return Along(stretches, (0.0, 1.0))
