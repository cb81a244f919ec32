"""Small constants that keep a logarithm, a root or a quotient finite: gradients are often those of the loss without."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass

from gradcheck.script.source.file import ScriptText, SourceFile
from gradcheck.script.source.syntax import walk

# added to, or a bound of, something much larger
_LARGEST = 1.1e-4
# by how much such a constant is made smaller: zero would let logarithms of zero through
_SMALLER = 1e-6
_BOUNDING = {"clip", "maximum", "minimum", "max", "min", "fmax", "fmin"}


@dataclass(frozen=True)
class Guard:
    """A constant in the text."""

    line: int
    value: float


class GuardlessSource(SourceFile):
    """A script in which small constants that are added to something, or bound it, are made much smaller."""

    def __init__(self, source: SourceFile) -> None:
        text = ScriptText(source.path, source.text, tuple(source.lines), source.cells, source.parts, source.left_out)
        found: list[Guard] = []
        super().__init__(text, _Shrinking(found).visit(copy.deepcopy(source.tree)), source.files)
        self.guards = tuple(found)


def small_constants(source: SourceFile) -> tuple[Guard, ...]:
    """Return all constants of a script that may guard something, under a name of their own, too."""
    constants = [node for node in walk(source.tree) if isinstance(node, ast.Constant)]
    return tuple(
        Guard(node.lineno, node.value)
        for node in constants
        if isinstance(node.value, float) and 0 < node.value < _LARGEST
    )


class _Shrinking(ast.NodeTransformer):
    def __init__(self, found: list[Guard]) -> None:
        self._found = found

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Shrink what is added or subtracted."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Sub):
            node.left, node.right = self._shrunk(node.left), self._shrunk(node.right)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Shrink bounds."""
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _BOUNDING:
            node.args = [self._shrunk(part) for part in node.args]
        return node

    def _shrunk(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Constant) and isinstance(node.value, float) and 0 < node.value < _LARGEST:
            self._found.append(Guard(node.lineno, node.value))
            return ast.copy_location(ast.Constant(node.value * _SMALLER), node)
        return node
