"""The correct networks: their text, and the statements of their way back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).parent / "networks"
# the comment with which people head these lines anyway
HEADING = re.compile(r"^(\s*)#.*\bbackward\b")
FUNCTIONS = (ast.FunctionDef, ast.Module)


@dataclass(frozen=True)
class Network:
    """One correct script.

    Attributes
    ----------
    name : str
        Its file name without the suffix.
    text : str
        Its source, ASCII only, so that columns of the syntax tree are columns of the text.
    """

    name: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """Its lines with their ends."""
        return self.text.splitlines(keepends=True)

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def way_back(self) -> frozenset[int]:
        """Numbers of the lines below a heading, up to an empty line, a comment or less indentation."""
        found: set[int] = set()
        indent: str | None = None
        for number, line in enumerate(self.lines, 1):
            if heading := HEADING.match(line):
                indent = heading[1]
            elif not line.strip() or line.lstrip().startswith("#") or (indent and not line.startswith(indent)):
                indent = None
            elif indent is not None:
                found.add(number)
        return frozenset(found)

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Return the offset at which a node begins."""
        return sum(map(len, self.lines[: node.lineno - 1])) + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Return the offset at which a node ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return sum(map(len, self.lines[: node.end_lineno - 1])) + node.end_col_offset

    def segment(self, node: ast.expr | ast.stmt) -> str:
        """Return the text of a node."""
        return self.text[self.start(node) : self.end(node)]

    def blocks(self) -> Iterator[tuple[ast.FunctionDef | ast.Module, list[ast.stmt]]]:
        """Return the lists of statements that have some of the way back, each with the function around it."""
        yield from _blocks(self.tree, self.tree, self.way_back)


def _blocks(
    scope: ast.FunctionDef | ast.Module, parent: ast.AST, lines: frozenset[int]
) -> Iterator[tuple[ast.FunctionDef | ast.Module, list[ast.stmt]]]:
    body = getattr(parent, "body", None)
    if not isinstance(body, list):
        return
    if guilty := [statement for statement in body if statement.lineno in lines and not hasattr(statement, "body")]:
        yield scope, guilty
    for statement in body:
        inner = statement if isinstance(statement, FUNCTIONS) else scope
        yield from _blocks(inner, statement, lines)


def networks() -> list[Network]:
    """Return all networks, in the order of their names."""
    return [Network(path.stem, path.read_text(encoding="ascii")) for path in sorted(FOLDER.glob("*.py"))]
