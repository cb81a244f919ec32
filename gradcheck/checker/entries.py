"""Which entries of which parameters are under test, in one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from gradcheck.evaluate.leaf import Leaf
from gradcheck.numerics.arrays import FloatArray, IntArray

_Kind = TypeVar("_Kind", bound=np.generic)


def sample_entries(size: int, budget: int | None, seed: Sequence[int]) -> IntArray:
    """Return all flat indices up to the budget, beyond it a random sample of them, ascending."""
    if budget is None or size <= budget:
        return np.arange(size)
    return np.sort(np.random.default_rng(seed).choice(size, size=budget, replace=False))


@dataclass(frozen=True)
class Entries:
    """The entries under test, those of all parameters in one row.

    Parameters
    ----------
    owner : int array, shape (entries,)
        Position of the leaf that an entry belongs to.
    index : int array, shape (entries,)
        Flat (C order) index of the entry in its leaf.
    """

    owner: IntArray
    index: IntArray

    @classmethod
    def choose(cls, leaves: Sequence[Leaf], budget: int | None, seed: int) -> Entries:
        """Choose the entries: all of a parameter up to the budget, beyond it a random sample.

        Parameters
        ----------
        budget : int or None
            Largest number of entries per parameter; None for no limit.
        """
        return cls.of([sample_entries(leaf.size, budget, [seed, k]) for k, leaf in enumerate(leaves)])

    @classmethod
    def of(cls, chosen: Sequence[IntArray]) -> Entries:
        """Return the given entries, one array of flat indices per leaf, none of them empty."""
        owner = np.repeat(np.arange(len(chosen)), [part.size for part in chosen])
        return cls(owner, np.concatenate(chosen))

    def gather(self, per_leaf: Sequence[FloatArray]) -> FloatArray:
        """Return the chosen entries of flat arrays, one array per leaf."""
        return np.concatenate([values[self.index[self.owner == k]] for k, values in enumerate(per_leaf)])

    def spread(self, per_leaf: Sequence[float]) -> FloatArray:
        """Return one number per leaf for each of its entries."""
        return np.array(per_leaf, dtype=np.float64)[self.owner]

    def split(self, values: npt.NDArray[_Kind]) -> list[npt.NDArray[_Kind]]:
        """Return values of the chosen entries as one array per leaf."""
        return [values[self.owner == k] for k in range(self._count)]

    def largest(self, values: FloatArray) -> FloatArray:
        """Return for each entry the largest of `values` among the entries of its leaf; at least 0."""
        found = np.zeros(self._count)
        np.maximum.at(found, self.owner, values)
        return found[self.owner]

    def largest_in_unit(self, values: FloatArray, scale: FloatArray) -> FloatArray:
        """Return for each entry the largest derivative of its leaf, in the unit of the entry.

        Derivatives by entries of different units are compared by what a change of each entry by its own natural scale
        makes of the loss. An entry that is small by chance shares its unit with the others, so none counts for more
        than it is.

        Parameters
        ----------
        values : float array, shape (entries,)
            Magnitudes of the derivatives.
        scale : float array, shape (entries,)
            Natural scale of each entry.
        """
        return np.minimum(self.largest(values), self.largest(values * scale) / scale)

    @property
    def _count(self) -> int:
        """Number of leaves; each has at least one entry."""
        return int(self.owner[-1]) + 1
