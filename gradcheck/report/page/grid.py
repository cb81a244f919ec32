"""How the entries of an array are laid out in rows and columns, and where among them the wrong ones lie."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradcheck.checker.result import ParameterResult, Verdict
from gradcheck.numerics.arrays import IntArray
from gradcheck.report.page.words import TIMES, counted, listed

# how many lines a sentence names before it only counts them
_NAMED = 6


@dataclass(frozen=True, eq=False)
class Grid:
    """The entries of an array in rows and columns, in blocks where there are too many for a picture.

    Attributes
    ----------
    split : int
        How many of the axes, the first ones, make up the rows.
    block : tuple of int
        How many rows and columns of entries one place of the picture stands for.
    chosen : int array, shape (picture rows, picture columns)
        The position, among the checked entries, of the worst entry in each block; -1 where none was checked.
    """

    rows: int
    columns: int
    split: int
    axes: int
    block: tuple[int, int]
    chosen: IntArray

    @classmethod
    def of(cls, parameter: ParameterResult, side: int) -> Grid:
        """Lay out a parameter."""
        shape = parameter.shape
        split = _split(shape)
        rows, columns = math.prod(shape[:split]), math.prod(shape[split:])
        block = (-(-rows // side), -(-columns // side))
        row, column = np.divmod(np.asarray(parameter.indices), columns)
        chosen = np.full((-(-rows // block[0]), -(-columns // block[1])), -1, dtype=np.intp)
        # the worst comes last, so it is the one that stays
        last = parameter.order[::-1]
        chosen[row[last] // block[0], column[last] // block[1]] = last
        return cls(rows, columns, split, len(shape), block, chosen)

    @property
    def layout(self) -> str:
        """What the rows and the columns are, in words."""
        if self.axes == 1:
            return f"{counted(self.columns, 'entry', 'entries')} in one row"
        down, across = _axes(range(self.split)), _axes(range(self.split, self.axes))
        return f"{self.rows:,} rows ({down}){TIMES}{self.columns:,} columns ({across})"

    @property
    def reduced(self) -> str:
        """What one place of the picture stands for, where that is more than one entry."""
        if self.block == (1, 1):
            return ""
        down, across = self.block
        return f"each place shows the worst entry of a block of {down:,}{TIMES}{across:,}"


def _split(shape: tuple[int, ...]) -> int:
    """Return how many axes make up the rows, so that the picture is closest to a square."""
    if len(shape) < 3:
        return len(shape) - 1
    ratios = [abs(math.log(math.prod(shape[:k]) / math.prod(shape[k:]))) for k in range(1, len(shape))]
    return 1 + ratios.index(min(ratios))


def _axes(numbers: range) -> str:
    return f"{'axis' if len(numbers) == 1 else 'axes'} {listed([str(n) for n in numbers])}"


def where_wrong(parameter: ParameterResult) -> str:
    """Return a sentence on how the wrong entries lie in an array, as that often tells the mistake."""
    wrong = np.array([verdict is Verdict.MISMATCH for verdict in parameter.verdicts])
    number = int(wrong.sum())
    if not number:
        return "No entry is wrong." if parameter.checked == parameter.size else "No entry that was checked is wrong."
    if number == parameter.checked:
        return "Every entry is wrong." if number == parameter.size else "Every entry that was checked is wrong."
    if len(parameter.shape) == 1 or parameter.checked < parameter.size:
        return f"{counted(number, 'entry is', 'entries are')} wrong, {parameter.checked - number:,} are not."
    table = wrong.reshape(math.prod(parameter.shape[: _split(parameter.shape)]), -1)
    return (
        _pattern(table)
        or f"{counted(number, 'entry is', 'entries are')} wrong, {parameter.checked - number:,} are not."
    )


def _pattern(wrong: npt.NDArray[np.bool_]) -> str:
    """Return a sentence if the wrong entries of a table are whole rows and columns, the diagonal, or all but that."""
    rows, columns = np.all(wrong, axis=1, keepdims=True), np.all(wrong, axis=0, keepdims=True)
    if np.array_equal(wrong, rows | columns):
        parts = [_lines(np.flatnonzero(rows), "row"), _lines(np.flatnonzero(columns), "column")]
        said = " and ".join(filter(None, parts))
        are = "is" if rows.sum() + columns.sum() == 1 else "are"
        return f"{said[0].upper()}{said[1:]} {are} wrong, the others are right."
    diagonal = np.arange(wrong.shape[0])[:, None] == np.arange(wrong.shape[1])
    if np.array_equal(wrong, diagonal):
        return "The entries on the diagonal are wrong, the others are right."
    if np.array_equal(wrong, np.logical_not(diagonal)):
        return "The entries off the diagonal are wrong, those on it are right."
    return ""


def _lines(numbers: IntArray, name: str) -> str:
    if not numbers.size:
        return ""
    if numbers.size > _NAMED:
        return f"{numbers.size:,} whole {name}s"
    return f"{name if numbers.size == 1 else name + 's'} {listed([str(n) for n in numbers])}"
