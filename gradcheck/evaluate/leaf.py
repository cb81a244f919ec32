"""One parameter, an array, a number or a nested list of numbers, as a row of entries that can be read and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.evaluate.containers import Path
from gradcheck.numerics.arrays import FloatArray, IntArray

# entries that are moved at once: copies of a whole parameter would take much memory
_BLOCK = 2**16


class Leaf:
    """One parameter: the cells that hold its entries, in C order.

    Parameters
    ----------
    name : str
        How the user's code calls the parameter.
    dtype : dtype
        Type in which the entries are stored.
    array : array, optional
        The array, if the parameter is one.
    rebuilt : bool
        True if the cells are private, so that the structure must be built anew around them.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        array: npt.NDArray[Any] | None = None,
        cells: Sequence[tuple[Any, Any]] = (),
        rebuilt: bool = False,
    ) -> None:
        self.name, self.path, self.shape, self.dtype, self.rebuilt = name, path, shape, dtype, rebuilt
        self.array = array
        self._flat = None if array is None else array.flat
        self._cells = tuple(cells)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_flat": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._flat = None if self.array is None else self.array.flat

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self._cells) if self.array is None else self.array.size

    @property
    def content(self) -> object:
        """What stands in a rebuilt structure in place of the original: the private array or number."""
        return self.array if self.array is not None else self.get(0)

    def get(self, i: int) -> Any:
        """Return the stored object of entry `i`, as it is."""
        if self._flat is not None:
            return self._flat[i]
        container, key = self._cells[i]
        return container[key]

    def put(self, i: int, stored: Any) -> None:
        """Store an object in entry `i`, as it is."""
        if self._flat is not None:
            self._flat[i] = stored
            return
        container, key = self._cells[i]
        container[key] = stored

    def take(self, where: IntArray | slice) -> Any:
        """Return the stored objects of several entries, to be handed to `give`."""
        return [self.get(i) for i in self._positions(where)] if self._flat is None else self._flat[where]

    def give(self, where: IntArray | slice, stored: Any) -> None:
        """Store what `take` returned for the same entries, bit for bit."""
        if self._flat is not None:
            self._flat[where] = stored
            return
        for i, value in zip(self._positions(where), stored, strict=True):
            self.put(i, value)

    def shift(self, where: IntArray | slice, stored: Any, direction: FloatArray, t: float) -> None:
        """Store what `take` returned for the same entries, each moved by `t` times its direction, in its own type."""
        if self._flat is None:
            for i, value, change in zip(self._positions(where), stored, t * direction, strict=True):
                self.put(i, _like(value, value + change))
            return
        for first in range(0, len(direction), _BLOCK):
            block = slice(first, first + _BLOCK)
            self._flat[block if isinstance(where, slice) else where[block]] = stored[block] + t * direction[block]

    def _positions(self, where: IntArray | slice) -> list[int]:
        positions: list[int] = np.arange(self.size)[where].tolist()
        return positions

    def values(self) -> FloatArray:
        """Return all entries as a new flat float64 array."""
        if self.array is not None:
            return np.array(self.array, dtype=np.float64).reshape(-1)
        return np.array([float(self.get(i)) for i in range(self.size)], dtype=np.float64)

    def stored(self) -> npt.NDArray[Any]:
        """Return all entries as a new flat array of the parameter's own type."""
        if self.array is not None:
            return self.array.reshape(-1).copy()
        return np.array([self.get(i) for i in range(self.size)], dtype=self.dtype)

    def write(self, values: FloatArray) -> None:
        """Store all entries, each in the type that it has.

        Parameters
        ----------
        values : float array, shape (size,)
            New values.
        """
        if self.array is not None:
            self.array[...] = values.reshape(self.shape)
            return
        for i, value in enumerate(values):
            self.put(i, _like(self.get(i), value))


def _like(stored: Any, value: Any) -> Any:
    """Return a number as one of the type of the stored one; a float for an int."""
    return float(value) if type(stored) is int else type(stored)(value)


class Attributes:
    """The attributes of an object, read and written like items, so that they can be the cells of a `Leaf`."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __getitem__(self, name: str) -> Any:
        return getattr(self.owner, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self.owner, name, value)
