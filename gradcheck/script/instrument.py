"""Hooks in a copy of the user's syntax tree: functions report when they are entered and left, loops each round.

Line numbers survive, so tracebacks and warnings still point at the user's own lines.
"""

from __future__ import annotations

import ast
import copy
from typing import cast

from gradcheck.script.source import SourceFile
from gradcheck.script.syntax import Function, FunctionNode

HOOK = "__gradcheck__"
_HARMLESS_DECORATORS = {"staticmethod", "classmethod"}


def instrument(source: SourceFile) -> ast.Module:
    """Return a copy of the script's tree in which the functions and loops that can be replayed call the hook."""
    tree = copy.deepcopy(source.tree)
    functions = {_place(f.node): f for f in source.functions.values() if can_be_replayed(f)}
    loops = {
        _place(loop.node): loop for loop in source.loops if loop.function is None or can_be_replayed(loop.function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.While) and (loop := loops.get(_place(node))) is not None:
            values = "{}" if loop.function is None else f"{HOOK}.locals()"
            enter = f"if {HOOK}.enter({loop.name!r}): {HOOK}.record_round({loop.name!r}, {values})"
            node.body = [_statement(enter, node.body[0]), *node.body]
        elif isinstance(node, ast.FunctionDef) and (function := functions.get(_place(node))) is not None:
            _hook(node, function.name)
    return ast.fix_missing_locations(tree)


def can_be_replayed(function: Function) -> bool:
    """Whether a function can be called again by itself.

    Generators and coroutines cannot, nor functions with decorators that may compile or replace them.
    """
    node = function.node
    return (
        isinstance(node, ast.FunctionDef)
        and function.decorators <= _HARMLESS_DECORATORS
        and not any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in _walk_own(node))
    )


def _place(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _hook(node: ast.FunctionDef, name: str) -> None:
    returns = _Returns(name)
    body = [cast(ast.stmt, returns.visit(statement)) for statement in node.body]
    start = 1 if ast.get_docstring(node, clean=False) is not None else 0
    enter = f"if {HOOK}.enter({name!r}): {HOOK}.record({name!r}, {HOOK}.locals())"
    leave = f"{HOOK}.leave({name!r}, {HOOK}.locals(), None)"
    first = body[start] if start < len(body) else body[-1]
    node.body = [*body[:start], _statement(enter, first), *body[start:], _statement(leave, body[-1])]


def _statement(text: str, place: ast.stmt) -> ast.stmt:
    """Return a statement that stands, for tracebacks, where `place` does."""
    statement = ast.parse(text).body[0]
    for part in ast.walk(statement):
        ast.copy_location(part, place)
    return statement


class _Returns(ast.NodeTransformer):
    """Passes every value that a function returns through the hook; inner functions are left alone."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit(self, node: ast.AST) -> ast.AST:
        """Visit a node."""
        if isinstance(node, FunctionNode | ast.Lambda | ast.ClassDef):
            return node
        if isinstance(node, ast.Return):
            return self._hooked(node)
        return self.generic_visit(node)

    def _hooked(self, node: ast.Return) -> ast.Return:
        statement = _statement(f"{HOOK}.leave({self.name!r}, {HOOK}.locals(), None)", node)
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and node.value is not None:
            call.args[2] = node.value
        return ast.copy_location(ast.Return(call), node)


def _walk_own(node: ast.AST) -> list[ast.AST]:
    """All nodes below `node` that belong to the same function."""
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        found.append(child)
        if not isinstance(child, FunctionNode | ast.Lambda | ast.ClassDef):
            found.extend(_walk_own(child))
    return found
