"""Where something stands in a file: a line of a script, or a line of a notebook's cell."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

# Names and expressions of the script stand in backquotes; after some words, its own text follows. A loop has no name of
# its own and is called by its line.
_LINES = re.compile(
    r"(?P<loop>`the loop in line \d+`)|`[^`]*`|(?:the script raised|and said:) .*|\b(?P<on>on )?line (?P<line>\d+)\b",
    re.DOTALL,
)


@dataclass(frozen=True)
class Place:
    """A line of a script or a notebook.

    Attributes
    ----------
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
        return _LINES.sub(self._reworded, text)

    def _reworded(self, match: re.Match[str]) -> str:
        if match["loop"]:
            return f"`{self.reword(match['loop'].strip('`'))}`"
        if match["line"]:
            return f"{'in ' if match['on'] else ''}{self.place('', int(match['line']))}"
        return match[0]
