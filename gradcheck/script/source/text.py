"""The user's text: where the nodes of its syntax tree stand, and the text with some of its characters replaced."""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from gradcheck.script.source.clips import with_clips_marked
from gradcheck.script.source.file import ScriptText, SourceFile
from gradcheck.script.source.finding import Edit
from gradcheck.script.source.place import Cells
from gradcheck.script.source.rounds import with_rounds
from gradcheck.script.source.syntax import FunctionNode, is_once


@dataclass(frozen=True, order=True)
class Splice:
    """Characters that are replaced.

    Attributes
    ----------
    start, end : int
        The stretch of the text, counted from 0; the end is exclusive.
    """

    start: int
    end: int
    new: str


class Text:
    """A script's text with the offsets of its lines."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.lines = code.split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return starts

    def offset(self, line: int, column: int) -> int:
        """Return the place of a column, which counts bytes as ``ast`` does."""
        text = self.lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode(errors="replace"))
        return self._starts[line - 1] + column

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Return where a node begins."""
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Return where a node ends."""
        return self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def of(self, node: ast.expr | ast.stmt) -> str:
        """Return the text of a node."""
        return self.code[self.start(node) : self.end(node)]

    def line_start(self, line: int) -> int:
        """Return where a line begins."""
        return self._starts[line - 1]

    def indentation(self, line: int) -> str:
        """Return what stands in front of a line's first word."""
        text = self.lines[line - 1]
        return text[: len(text) - len(text.lstrip())]


def spliced(code: str, splices: Iterable[Splice]) -> str:
    """Return a text with some stretches replaced, which must not overlap."""
    for splice in sorted(splices, reverse=True):
        code = code[: splice.start] + splice.new + code[splice.end :]
    return code


def edits_between(shown: Iterable[str], old: str, new: str) -> tuple[Edit, ...]:
    """Return what makes one text of the other, line by line."""
    before, after, own = old.split("\n"), new.split("\n"), list(shown)
    found: dict[int, list[str]] = {}
    for tag, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if a == b == 0:  # and in front of everything, with the first line
            found[1] = [*after[c:d], own[0]]
        elif a == b:  # inserted lines go with the line above
            found.setdefault(a, [own[a - 1]]).extend(after[c:d])
        for position in range(a, b):
            last = position == b - 1
            taken = after[c + position - a : d if last else c + position - a + 1] if c + position - a < d else []
            found[position + 1] = taken
    return tuple(Edit(line, own[line - 1], "\n".join(lines)) for line, lines in sorted(found.items()))


def line_map(old: str, new: str) -> dict[int, int]:
    """Return for each line of the new text the line of the old one that it was, or stands at."""
    before, after = old.split("\n"), new.split("\n")
    found: dict[int, int] = {}
    for _, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for position in range(c, d):
            found[position + 1] = min(a + position - c, max(b - 1, 0)) + 1
    return found


def with_text(source: SourceFile, code: str) -> SourceFile:
    """Return a script with another text, parsed."""
    cells, parts = source.cells, source.parts
    lines = tuple(code.removesuffix("\n").split("\n"))
    if cells is not None or parts:
        moved = line_map(code, source.text)
        ends = [*(moved.get(part.start, part.start) - 1 for part in parts[1:]), len(lines)]
        parts = tuple(
            replace(p, start=moved.get(p.start, p.start), end=end) for p, end in zip(parts, ends, strict=bool(parts))
        )
        if cells is not None:
            cells = Cells(tuple(moved.get(start, start) for start in cells.starts), ends[0])
    return ScriptText(source.path, code, lines, cells, parts).parse()


def with_edit(source: SourceFile, splices: Sequence[Splice]) -> SourceFile:
    """Return a script with some stretches of its text replaced, parsed.

    Of a function, class or loop of the module in which all of them stand, that alone is parsed: whatever stands around
    it is shared with the script as it is, with the lines that it has there.
    """
    text = Text(source.text)
    code = spliced(text.code, splices)
    position = _edited_alone(source, text, splices)
    if position is None:
        return with_text(source, code)
    body = source.tree.body
    start, end = _extent(body[position], text)
    before = "\n" * text.code.count("\n", 0, start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = ast.parse(before + code[start : end + len(code) - len(text.code)], filename=str(source.path)).body
    if [type(node) for node in own] != [type(body[position])]:
        return with_text(source, code)
    own = with_clips_marked(with_rounds(ast.Module(own, type_ignores=[]))).body
    lines = tuple(code.removesuffix("\n").split("\n"))
    tree = ast.Module([*body[:position], *own, *body[position + 1 :]], source.tree.type_ignores)
    return SourceFile(ScriptText(source.path, code, lines), tree)


def _edited_alone(source: SourceFile, text: Text, splices: Sequence[Splice]) -> int | None:
    """Return which statement of the module can be parsed alone to get the tree of an edited text; None for none."""
    if source.parts or source.cells is not None:
        return None
    first, last = min(s.start for s in splices), max(s.end for s in splices)
    for position, node in enumerate(source.tree.body):
        if not isinstance(node, FunctionNode | ast.ClassDef | ast.For | ast.While) or is_once(node):
            continue
        start, end = _extent(node, text)
        if start <= first and last <= end:
            # a lambda may become a function of the module, and be given a name that others leave over
            is_plain = "lambda" not in text.code[start:end] and not any("lambda" in s.new for s in splices)
            around = source.tree.body[max(position - 1, 0) : position + 2]
            shares = sum(_extent(other, text)[0] < end and start < _extent(other, text)[1] for other in around) > 1
            return position if is_plain and not shares else None
    return None


def _extent(node: ast.stmt, text: Text) -> tuple[int, int]:
    """Return where the lines of a statement begin and end, those of its decorators included."""
    decorators = getattr(node, "decorator_list", [])
    first = min(part.lineno for part in (node, *decorators))
    return text.line_start(first), text.line_start((node.end_lineno or node.lineno) + 1)
