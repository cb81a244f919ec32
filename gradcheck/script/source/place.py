"""Where something stands: a line of a script, of a module beside it, or of a notebook's cell."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import PurePath

# Names and expressions of the script stand in backquotes; after some words, its own text follows. A loop has no name of
# its own and is called by its line.
_LINES = re.compile(
    r"(?P<loop>`the (?:loop in|code from) line \d+`)|`[^`]*`|(?:the script raised|and said:) .*"
    r"|\b(?P<on>on )?line (?P<line>\d+)\b",
    re.DOTALL,
)


# U+02D1, a letter by Unicode
DOT = "ˑ"
# the part of a program that stands in no file: what the user has asked to be run at the end of the script
CALL = "--call"


def shown(text: str) -> str:
    """Return a text with names as the user knows them."""
    return text.replace(DOT, ".")


@dataclass(frozen=True)
class Part:
    """A file of a program.

    Attributes
    ----------
    name : str
        The module's dotted name; ``__main__`` for the script, `CALL` for what is run at its end.
    path : str
        The file; `CALL` where there is none.
    start, end : int
        Its first and last line in the text of the program, counted from 1.
    package : str
        The package in which its relative imports begin.
    """

    name: str
    path: str
    start: int
    end: int
    package: str = ""

    @property
    def is_package(self) -> bool:
        """Whether it is the file of a package itself."""
        return self.name == self.package


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
    module : str or None
        The file of a module, as it is seen from the script's folder.
    """

    path: str
    line: int
    cell: int | None = None
    cell_line: int | None = None
    module: str | None = None

    def __str__(self) -> str:
        if self.module is not None:
            return f"{self.module}, line {self.line}"
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


@dataclass(frozen=True)
class Layout:
    """Where the lines of a program stand: in cells, in the files of several modules, or just in a script."""

    cells: Cells | None = None
    parts: tuple[Part, ...] = ()

    def place(self, path: str, line: int) -> Place:
        """Return where a line stands, of a script that the user calls `path`."""
        part = self._module(line)
        if part is not None and part.name == CALL:
            return Place(CALL, line - part.start + 1, module=CALL)
        if part is not None:
            module = os.path.relpath(part.path, os.path.dirname(self.parts[0].path))  # noqa: PTH120 - of other roots, too
            module = PurePath(module).as_posix()
            beside = os.path.normpath(PurePath(path).parent / module)
            return Place(PurePath(beside).as_posix(), line - part.start + 1, module=module)
        return Place(path, line) if self.cells is None else self.cells.place(path, line)

    def extent(self, line: int, length: int) -> tuple[int, int]:
        """Return the first and the last line of what belongs together around a line: a file, or a cell."""
        part = self._module(line)
        if part is not None:
            return part.start, part.end
        if self.cells is not None:
            return self.cells.extent(line)
        return 1, self.parts[0].end if self.parts else length

    def _module(self, line: int) -> Part | None:
        return next((part for part in self.parts[1:] if part.start <= line <= part.end), None)

    def reword(self, text: str) -> str:
        """Return a sentence about the code, with ``cell 3, line 5`` or ``layers.py, line 5`` in place of ``line 27``.

        Whoever looks at a script need not know that it has several cells or files, so the sentences are made for lines
        and reworded once, where they leave. What is quoted from the script stays as it is.
        """
        return shown(_LINES.sub(self._reworded, text))

    def _reworded(self, match: re.Match[str]) -> str:
        if match["loop"]:
            return f"`{self.reword(match['loop'].strip('`'))}`"
        if match["line"]:
            place = self.place("", int(match["line"]))
            on = match["on"] or ""
            return f"{'in ' if on and (place.module or self.cells) else on}{place}"
        return match[0]
