"""The source of a script for the page: what was found is marked, and far from it the lines are folded away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from gradcheck.report.page.tokens import Stretch, stretches
from gradcheck.report.page.words import counted
from gradcheck.script.source.file import Span
from gradcheck.session.result import ScriptResult

# lines around what was found, the shortest stretch that is worth folding, and the longest mark and line
_AROUND, _SHORTEST_FOLD, _LONGEST_MARK, _LONGEST_LINE = 3, 4, 12, 1000


@dataclass(frozen=True)
class Mark:
    """A stretch that is marked.

    Attributes
    ----------
    kind : str
        ``guilty`` for a finding, ``computed`` for where a wrong gradient is computed, ``error``.
    number : int
        The finding's, counted from 1; 0 for others.
    """

    span: Span
    kind: str
    number: int = 0


@dataclass(frozen=True)
class Part:
    """A piece of a line: its text, what it is in Python, how it is marked, and the findings whose marks end with it."""

    text: str
    token: str = ""
    mark: str = ""
    ends: tuple[int, ...] = ()


@dataclass(frozen=True)
class SourceLine:
    """A line.

    Attributes
    ----------
    label : int
        The number that is shown: in a notebook, that within its cell.
    role : str
        What begins here: ``backward``, ``loss``, or nothing.
    """

    line: int
    label: int
    parts: tuple[Part, ...]
    role: str = ""


@dataclass(frozen=True)
class Segment:
    """Lines that belong together.

    Attributes
    ----------
    folded : str
        What is folded away; empty where the lines are shown.
    left_out : bool
        Whether the page has no room for the lines, which are then empty.
    """

    lines: tuple[SourceLine, ...]
    title: str = ""
    folded: str = ""
    left_out: bool = False

    def has(self, line: int) -> bool:
        """Whether a line is shown here."""
        return not self.folded and self.lines[0].line <= line <= self.lines[-1].line


def segments(script: ScriptResult, marks: Sequence[Mark], letters: int) -> tuple[Segment, ...]:
    """Return the source from its first to its last line."""
    roles = _roles(script)
    shown = _unfolded(script, _shown(script, marks, roles))
    tokens = stretches(script.lines)
    found = []
    for first, last, is_shown in _runs(script, shown):
        title = _cell(script, first)
        if not is_shown:
            cost = sum(len(line) + 40 for line in script.lines[first - 1 : last])
            if cost > letters:
                found.append(
                    Segment((SourceLine(first, first, ()),), title, _folded(script, first, last), left_out=True)
                )
                continue
            letters -= cost
        lines = tuple(_line(script, n, tokens.get(n, []), marks, roles.get(n, "")) for n in range(first, last + 1))
        found.append(Segment(lines, title, "" if is_shown else _folded(script, first, last)))
    return tuple(found)


def _roles(script: ScriptResult) -> dict[int, str]:
    points = script.entry_points
    if points is None:
        return {}
    roles = {points.loss_line: "loss"}
    roles[points.backward_line] = "backward and loss" if points.backward_line in roles else "backward"
    return roles


def _shown(script: ScriptResult, marks: Iterable[Mark], roles: Iterable[int]) -> list[bool]:
    """Return of each line whether it is shown."""
    count = len(script.lines)
    shown = [False] * count
    stretches = [(m.span.line, min(m.span.end_line, m.span.line + _LONGEST_MARK)) for m in marks]
    for first, last in [*stretches, *((line, line) for line in roles)]:
        if 0 < first <= count:
            top, bottom = script.extent(first)
            for i in range(max(first - _AROUND, top), min(last + _AROUND, bottom) + 1):
                shown[i - 1] = True
    return shown


def _unfolded(script: ScriptResult, shown: list[bool]) -> list[bool]:
    """Show also what is too short to be worth folding, but for a cell of which nothing is shown."""
    found = list(shown)
    for first, last, is_shown in _runs(script, shown):
        if not is_shown and last - first + 1 < _SHORTEST_FOLD and script.extent(first) != (first, last):
            found[first - 1 : last] = [True] * (last - first + 1)
    return found


def _runs(script: ScriptResult, shown: list[bool]) -> Iterator[tuple[int, int, bool]]:
    """Return the stretches of lines, of one cell each, that are shown or not."""
    line = 1
    while line <= len(shown):
        bottom = script.extent(line)[1]
        last = line
        while last < bottom and shown[last] == shown[line - 1]:
            last += 1
        yield line, last, shown[line - 1]
        line = last + 1


def _cell(script: ScriptResult, line: int) -> str:
    place = script.place(line)
    return f"cell {place.cell}" if place.cell is not None else place.module or ""


def _folded(script: ScriptResult, first: int, last: int) -> str:
    start, end = script.place(first), script.place(last)
    a, b = (start.line, end.line) if start.cell is None else (start.cell_line, end.cell_line)
    title = _cell(script, first)
    said = f"{f'{title}: ' if title else ''}{counted(last - first + 1, 'line')}"
    if title and script.extent(first) == (first, last):
        return said
    return f"{said}, {a} to {b}" if last > first else f"{said}, {a}"


def _line(script: ScriptResult, number: int, tokens: list[Stretch], marks: Sequence[Mark], role: str) -> SourceLine:
    place = script.place(number)
    text = script.lines[number - 1].rstrip("\r\n")
    cut = len(text) > _LONGEST_LINE
    text = text[:_LONGEST_LINE]
    on_line = [(*_columns(mark.span, number, text), mark) for mark in marks]
    on_line = [(a, b, mark) for a, b, mark in on_line if b > a]
    bounds = sorted({0, len(text), *(min(c, len(text)) for a, b, _ in (*tokens, *on_line) for c in (a, b))})
    parts = []
    for a, b in pairwise(bounds):
        token = next((kind for x, y, kind in tokens if x <= a and b <= y), "")
        covering = [mark for x, y, mark in on_line if x <= a and b <= y]
        ends = tuple(m.number for x, y, m in on_line if y == b and m.number and m.span.end_line == number)
        kind = min((mark.kind for mark in covering), key=("guilty", "error", "computed").index, default="")
        parts.append(Part(text[a:b], token, kind, ends))
    if cut:
        parts.append(Part("…", "comment"))
    return SourceLine(number, place.cell_line or place.line, _joined(parts), role)


def _columns(span: Span, number: int, text: str) -> tuple[int, int]:
    """Return the columns of a span in a line, from 0; an empty stretch where it is not there."""
    if not span.line <= number <= min(span.end_line, span.line + _LONGEST_MARK):
        return 0, 0
    start = span.column - 1 if number == span.line else len(text) - len(text.lstrip())
    end = span.end_column - 1 if number == span.end_line else len(text.rstrip())
    marked = text[start:end]
    # a space on either side belongs to the span, but a mark below it says nothing
    return start + len(marked) - len(marked.lstrip()), start + len(marked.rstrip())


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """Put neighbours of one kind together."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        if last is not None and not last.ends and (last.token, last.mark) == (part.token, part.mark):
            found[-1] = replace(part, text=last.text + part.text)
        else:
            found.append(part)
    return tuple(found)
