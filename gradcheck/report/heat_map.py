"""A parameter's entries as a grid of cells for a heat map: arrays and words, from which any format draws it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradcheck.checker.result import ParameterResult
from gradcheck.numerics.arrays import BoolArray, FloatArray, IntArray

# more cells along an axis than this cannot be told apart in a picture beside others
MOST_CELLS = 64
# relative errors beyond these look alike: the smaller ones are round-off, and 2 is the largest of finite numbers
ERROR_LIMITS = (1e-12, 2.0)


@dataclass(frozen=True, eq=False)
class HeatMap:
    """The checked entries of one parameter, laid out in rows and columns.

    Attributes
    ----------
    analytic, numerical, rel_error : float array, shape (rows, columns)
        Per cell; that of its worst entry where a cell stands for several. NaN where `checked` is false, and also where
        the number itself is NaN.
    checked : bool array, shape (rows, columns)
        Whether an entry of the cell was compared by itself.
    counts : int array, shape (rows, columns)
        How many entries a cell stands for; 0 where the last row has no more of them.
    limit : float
        Colours of `analytic` and `numerical` go from minus this to this, positive and finite.
    block : tuple of int
        How many rows and columns of entries a cell stands for.
    down, across : str
        What the rows and the columns are, in words.
    words : tuple of str
        What a reader must know: how the entries were laid out, and what was not checked.
    """

    analytic: FloatArray
    numerical: FloatArray
    rel_error: FloatArray
    checked: BoolArray
    counts: IntArray
    limit: float
    block: tuple[int, int]
    down: str
    across: str
    words: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns of cells."""
        rows, columns = self.checked.shape
        return rows, columns

    @property
    def error_levels(self) -> FloatArray:
        """The relative errors within `ERROR_LIMITS`, for a logarithmic scale of colours; NaN only where unchecked."""
        lowest, highest = ERROR_LIMITS
        known = np.clip(np.where(np.isnan(self.rel_error), highest, self.rel_error), lowest, highest)
        return np.where(self.checked, known, np.nan)


def heat_map(parameter: ParameterResult, most: int = MOST_CELLS) -> HeatMap:
    """Lay the entries of a parameter out in rows and columns."""
    rows, columns = _sheet(parameter.shape, most)
    block = (math.ceil(rows / most), math.ceil(columns / most))
    shape = (math.ceil(rows / block[0]), math.ceil(columns / block[1]))
    # the best first: of several entries of one cell, the assignment that comes last stays
    order = parameter.order[::-1]
    row, column = np.divmod(parameter.indices[order], columns)
    cells = row // block[0], column // block[1]
    checked = np.zeros(shape, dtype=bool)
    checked[cells] = True

    def laid_out(values: FloatArray) -> FloatArray:
        grid = np.full(shape, np.nan)
        grid[cells] = values[order]
        return grid

    down, across = _axes(parameter.shape, rows)
    return HeatMap(
        analytic=laid_out(parameter.analytic),
        numerical=laid_out(parameter.numerical),
        rel_error=laid_out(parameter.rel_error),
        checked=checked,
        counts=_counts(parameter.size, (rows, columns), block),
        limit=_limit(parameter.analytic, parameter.numerical),
        block=block,
        down=down,
        across=across,
        words=_words(parameter, (rows, columns), block),
    )


def _sheet(shape: tuple[int, ...], most: int) -> tuple[int, int]:
    """Return how many rows and columns the entries are written in, in the order in which they are stored."""
    if len(shape) >= 2:
        return shape[0], math.prod(shape[1:])
    size = math.prod(shape)
    columns = size if size <= most else max(most, math.isqrt(size - 1) + 1)
    return math.ceil(size / columns), columns


def _axes(shape: tuple[int, ...], rows: int) -> tuple[str, str]:
    if len(shape) < 2:
        return ("row" if rows > 1 else "", "entry" if shape else "")
    return ("row", "column") if len(shape) == 2 else ("first axis", "the other axes")


def _counts(size: int, sheet: tuple[int, int], block: tuple[int, int]) -> IntArray:
    there = np.zeros((-(-sheet[0] // block[0]) * block[0], -(-sheet[1] // block[1]) * block[1]), dtype=np.intp)
    there[: sheet[0], : sheet[1]] = (np.arange(sheet[0] * sheet[1]) < size).reshape(sheet)
    parts = there.reshape(there.shape[0] // block[0], block[0], -1, block[1])
    return np.asarray(parts.sum(axis=(1, 3)), dtype=np.intp)


def _limit(*values: FloatArray) -> float:
    """Return the largest finite absolute value; 1 where there is none, so that there is a scale."""
    sizes = np.abs(np.concatenate(values))
    return float(np.max(sizes, where=np.isfinite(sizes), initial=0.0)) or 1.0


def _words(parameter: ParameterResult, sheet: tuple[int, int], block: tuple[int, int]) -> tuple[str, ...]:
    said = []
    if len(parameter.shape) > 2:
        shape = " x ".join(map(str, parameter.shape))
        said.append(f"{shape}, drawn as {sheet[0]:,} x {sheet[1]:,}")
    elif len(parameter.shape) == 1 and sheet[0] > 1:
        said.append(f"{parameter.size:,} entries, in rows of {sheet[1]:,}")
    if block != (1, 1):
        said.append(f"a cell is the worst of {block[0]} x {block[1]} entries")
    if parameter.checked < parameter.size:
        said.append(f"grey: not compared by itself ({parameter.size - parameter.checked:,} of {parameter.size:,})")
    return tuple(said)
