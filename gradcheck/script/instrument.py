"""Hooks in a copy of the user's syntax tree: every function reports when it is entered and left.

Line numbers survive, so tracebacks and warnings still point at the user's own lines.
"""

from __future__ import annotations

import ast
import copy

from gradcheck.script.source import FunctionNode, SourceFile

HOOK = "__gradcheck__"
_HARMLESS_DECORATORS = {"staticmethod", "classmethod"}


def instrument(source: SourceFile) -> ast.Module:
    """Return a copy of the script's tree in which the functions that can be replayed call the hook.

    Left as they are: generators, coroutines, functions inside functions, and functions with decorators that may
    compile or replace them.
    """
    tree = copy.deepcopy(source.tree)
    ids = {(f.line, f.node.col_offset): name for name, f in source.functions.items()}
    for node in ast.walk(tree):
        name = ids.get((node.lineno, node.col_offset)) if isinstance(node, ast.FunctionDef) else None
        if name is not None and isinstance(node, ast.FunctionDef) and _can_be_replayed(node):
            _hook(node, name)
    return ast.fix_missing_locations(tree)


def _can_be_replayed(node: ast.FunctionDef) -> bool:
    decorators = {ast.unparse(d) for d in node.decorator_list}
    return decorators <= _HARMLESS_DECORATORS and not any(
        isinstance(inner, ast.Yield | ast.YieldFrom) for inner in _walk_own(node)
    )


def _hook(node: ast.FunctionDef, name: str) -> None:
    returns = _Returns(name)
    body = [returns.visit(statement) for statement in node.body]
    start = 1 if ast.get_docstring(node, clean=False) is not None else 0
    enter = ast.parse(f"if {HOOK}.enter({name!r}): {HOOK}.record({name!r}, {HOOK}.locals())").body[0]
    leave = ast.parse(f"{HOOK}.leave({name!r}, {HOOK}.locals(), None)").body[0]
    for statement, place in ((enter, node.body[start] if start < len(node.body) else node.body[-1]), (leave, body[-1])):
        for part in ast.walk(statement):
            ast.copy_location(part, place)
    node.body = [*body[:start], enter, *body[start:], leave]


class _Returns(ast.NodeTransformer):
    """Passes every returned value through the hook."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        call = ast.parse(f"{HOOK}.leave({self.name!r}, {HOOK}.locals(), None)", mode="eval").body
        for part in ast.walk(call):
            ast.copy_location(part, node)
        if node.value is not None and isinstance(call, ast.Call):
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
