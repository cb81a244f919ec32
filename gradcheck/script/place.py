"""Where something stands in a file: a line of a script, or a line of a notebook's cell."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_LINE = re.compile(r"\b(on )?line (\d+)\b")
# names and expressions of the script stand in backquotes; after these words, its own text follows
_QUOTED = re.compile(r"(`[^`]*`|the script raised .*|and said: .*)", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """A line of a script or a notebook.

    Attributes
    ----------
    path : str
        The file.
    line : int
        The line, counted from 1; in a notebook, of all its code cells one below the other.
    cell : int or None
        In a notebook: the number of the code cell, counted from 1.
    cell_line : int or None
        In a notebook: the line within that cell, counted from 1.
    """

    path: str
    line: int
    cell: int | None = None
    cell_line: int | None = None

    def __str__(self) -> str:
        return f"line {self.line}" if self.cell is None else f"cell {self.cell}, line {self.cell_line}"

    def at(self, column: int) -> str:
        """Return the place with its file and a column: ``net.py:5:9`` or ``net.ipynb: cell 3, line 5:9``."""
        return f"{self.path}:{self.line}:{column}" if self.cell is None else f"{self.path}: {self}:{column}"


@dataclass(frozen=True)
class Cells:
    """The lines at which the code cells of a notebook begin, when they stand one below the other.

    Attributes
    ----------
    starts : tuple of int
        The first line of each cell, counted from 1.
    length : int
        Number of lines of all cells.
    """

    starts: tuple[int, ...]
    length: int

    def place(self, path: str, line: int) -> Place:
        """Return the cell of a line, and the line within it."""
        number = max(bisect_right(self.starts, line), 1)
        return Place(path, line, number, line - self.starts[number - 1] + 1)

    def extent(self, line: int) -> tuple[int, int]:
        """Return the first and the last line of the cell that a line is in."""
        number = max(bisect_right(self.starts, line), 1)
        after = self.starts[number] - 1 if number < len(self.starts) else self.length
        return self.starts[number - 1], after

    def reword(self, text: str) -> str:
        """Return a sentence about the code, with ``cell 3, line 5`` in place of ``line 27``.

        Whoever looks at a script need not know that it is a notebook, so the sentences are made for lines and
        reworded once, where they leave. What is quoted from the script stays as it is.
        """
        parts = _QUOTED.split(text)
        return "".join(part if i % 2 else _LINE.sub(self._named, part) for i, part in enumerate(parts))

    def _named(self, match: re.Match[str]) -> str:
        return f"{'in ' if match[1] else ''}{self.place('', int(match[2]))}"
