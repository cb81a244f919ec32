"""Edits as stretches of a text and what is put in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Edit
from gradcheck.script.source.patch import new_lines


def regions(lines: Sequence[str], edits: Sequence[Edit]) -> Iterator[tuple[Span, str]]:
    """Yield the stretches that edits replace, each with its new text; they do not touch one another."""
    for group in _neighbours(edits):
        first, last = group[0].line, group[-1].line
        end = len(group[-1].old) + 1
        text = [line for edit in group for line in new_lines(edit)]
        if text:
            yield Span(first, 1, last, end), "\n".join(text)
        elif last < len(lines):
            # the line end goes with the line
            yield Span(first, 1, last + 1, 1), ""
        elif first > 1:
            yield Span(first - 1, len(lines[first - 2]) + 1, last, end), ""
        else:
            yield Span(first, 1, last, end), ""


def _neighbours(edits: Sequence[Edit]) -> Iterator[list[Edit]]:
    group: list[Edit] = []
    for edit in edits:
        if group and edit.line > group[-1].line + 1:
            yield group
            group = []
        group.append(edit)
    if group:
        yield group
