"""A fix as two columns: the lines as they are, and as they should be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from gradcheck.script.source.finding import Edit, Fix
from gradcheck.script.source.patch import new_lines
from gradcheck.session.result import ScriptResult

_AROUND = 2
_WORD = re.compile(r"\w+|\s+|.", re.DOTALL)

# a stretch of a line, and whether it is only on its own side
Piece = tuple[str, bool]


@dataclass(frozen=True)
class DiffRow:
    """A line on both sides.

    Attributes
    ----------
    old_label, new_label : str
        Their numbers; empty where there is no line on this side.
    kind : str
        ``same``, ``changed``, or ``gap`` where lines in between are left out.
    """

    old_label: str
    old: tuple[Piece, ...]
    new_label: str
    new: tuple[Piece, ...]
    kind: str


def rows(script: ScriptResult, fix: Fix) -> tuple[DiffRow, ...]:
    """Return what a fix changes, with some lines around it."""
    edits = {edit.line: edit for edit in fix.edits}
    shown: set[int] = set(edits)
    for line in edits:
        top, bottom = script.extent(line)
        shown |= set(range(max(line - _AROUND, top), min(line + _AROUND, bottom) + 1))
    found: list[DiffRow] = []
    previous = 0
    # how many lines the edits above have added; in a notebook, those in the same cell
    moved: dict[int | None, int] = {}
    for line in sorted(shown):
        place = script.place(line)
        if previous and line > previous + 1:
            found.append(DiffRow("", (), "", (), "gap"))
        shift = moved.get(place.cell, 0)
        if line in edits:
            found += _edited(edits[line], place.cell, place.cell_line or line, shift)
            moved[place.cell] = shift + len(new_lines(edits[line])) - 1
        else:
            text = ((script.lines[line - 1], False),)
            at = place.cell_line or line
            found.append(DiffRow(_label(place.cell, at), text, _label(place.cell, at + shift), text, "same"))
        previous = line
    return tuple(found)


def _edited(edit: Edit, cell: int | None, line: int, shift: int) -> list[DiffRow]:
    found = []
    for k, new in enumerate(new_lines(edit) or [None]):
        old = edit.old if k == 0 else None
        before, after = _compared(old or "", new or "")
        labels = (
            _label(cell, line) if old is not None else "",
            _label(cell, line + shift + k) if new is not None else "",
        )
        found.append(DiffRow(labels[0], before, labels[1], after, "changed"))
    return found


def _label(cell: int | None, line: int) -> str:
    return str(line) if cell is None else f"{cell}:{line}"


def _compared(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return two lines in pieces, with those that the other one does not have told apart."""
    words = _WORD.findall(old), _WORD.findall(new)
    before: list[Piece] = []
    after: list[Piece] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        before += _piece(words[0][a:b], kind != "equal")
        after += _piece(words[1][c:d], kind != "equal")
    return tuple(before), tuple(after)


def _piece(words: Sequence[str], is_own: bool) -> list[Piece]:
    return [("".join(words), is_own)] if words else []
