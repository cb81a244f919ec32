"""Hooks in a copy of the user's syntax tree: functions report when they are entered and left, loops each round.

In front of every statement that may change something there is a hook, too: a replay can stop there. What may clip
gradients asks the hook whether it is to run.

Line numbers survive, so tracebacks and warnings still point at the user's own lines.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence, Set
from functools import cache
from typing import Any, TypeVar, cast

from gradcheck.script.source.clips import MAY_CLIP, bounded, bounds
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.syntax import (
    PROPERTIES,
    Function,
    FunctionNode,
    Loop,
    flat_targets,
    loaded_names,
    without_copying,
)
from gradcheck.script.source.updates import updates_of

HOOK = "__gradcheck__"
_Node = TypeVar("_Node", bound=ast.AST)
_HARMLESS_DECORATORS = {"staticmethod", "classmethod", *PROPERTIES}


def instrument(source: SourceFile, units: Set[str] = frozenset()) -> ast.Module:
    """Return a copy of the script's tree in which the functions and loops that can be replayed call the hook."""
    tree = copied(source.tree)
    own = [code for code in (*source.functions.values(), *source.loops) if code.name in units]
    # a function has the statements of its loops, too
    statements = {statement for code in own for statement in code.statements}
    stops = {_place(statement) for statement in statements if may_change(statement)}
    functions = {_place(f.node): f for f in source.functions.values() if can_be_replayed(f)}
    loops = {_place(loop.node): loop for loop in source.loops if has_rounds(loop)}
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.While) and (loop := loops.get(_place(node))) is not None:
            node.body = [_entered(loop.name, "record_round", loop.function is not None, node.body[0]), *node.body]
        elif isinstance(node, ast.FunctionDef) and (function := functions.get(_place(node))) is not None:
            _hook(node, function.name)
    stopping_tree: ast.Module = _Stops(stops).visit(tree)
    return ast.fix_missing_locations(stopping_tree)


def copied(node: _Node) -> _Node:
    """Return a deep copy of a node, in a fraction of the time that ``copy.deepcopy`` takes."""
    found = type(node)()
    for name, value in vars(node).items():
        setattr(found, name, _copied_part(value))
    return found


def _copied_part(value: Any) -> Any:
    if isinstance(value, ast.AST):
        # a `Load` or an `Add` has nothing of its own
        return copied(value) if value._fields else value
    return [_copied_part(item) for item in value] if isinstance(value, list) else value


def stopping(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Return copies of statements that call the hook in front of each one that may change something."""
    below = [node for s in statements for node in ast.walk(s) if isinstance(node, ast.stmt)]
    stops = {_place(node) for node in below if may_change(node)}
    module = ast.Module(body=[copied(s) for s in statements], type_ignores=[])
    found: list[ast.stmt] = _Stops(stops).visit(module).body
    return found


def definition(function: Function) -> ast.FunctionDef:
    """Return a copy of a function's definition with all of its hooks."""
    node = copied(function.node)
    node.body = stopping(function.node.body)
    if isinstance(node, ast.FunctionDef) and can_be_replayed(function):
        _hook(node, function.name)
    return cast(ast.FunctionDef, node)


def may_change(statement: ast.stmt) -> bool:
    """Whether a statement may change the contents of something that exists already, or move a variable by a step."""
    match statement:
        case ast.AugAssign():
            return True
        case ast.Assign(targets, value):
            parts = [part for target in targets for part in flat_targets(target)]
            held = any(isinstance(part, ast.Attribute | ast.Subscript) for part in parts)
            names = {part.id for part in parts if isinstance(part, ast.Name)}
            # `w = np.subtract(w, step)` and `w_old = w_new.copy()` move a variable, too
            goes_on = isinstance(without_copying(value), ast.Name) or bool(names & loaded_names(value))
            return held or goes_on or any(True for _ in updates_of(statement))
        case ast.Expr(ast.Call()):
            return True
    return False


def can_be_replayed(function: Function) -> bool:
    """Whether a function can be called again by itself.

    Generators and coroutines cannot, nor functions with decorators that may compile or replace them.
    """
    return _is_plain(function) and not _yields(function.node)


@cache
def _yields(function: FunctionNode) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _walk_own(function))


def has_rounds(loop: Loop) -> bool:
    """Whether a round of a loop can be run again by itself, also one of a generator: without what it yields."""
    return loop.function is None or _is_plain(loop.function)


def _is_plain(function: Function) -> bool:
    return isinstance(function.node, ast.FunctionDef) and function.decorators <= _HARMLESS_DECORATORS


class WithoutYields(ast.NodeTransformer):
    """Has values computed that are yielded, and goes on as if nothing were sent back."""

    def visit_Yield(self, node: ast.Yield) -> ast.expr:
        """Compute it."""
        value = ast.Constant(None) if node.value is None else self.visit(node.value)
        both = ast.Tuple([value, ast.Constant(None)], ast.Load())
        return ast.copy_location(ast.Subscript(both, ast.Constant(1), ast.Load()), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Leave a function inside as it is."""
        return node


def _place(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


class _Stops(ast.NodeTransformer):
    """Puts a hook in front of the statements at some places."""

    def __init__(self, places: Set[tuple[int, int]]) -> None:
        self._places = places

    def visit(self, node: ast.AST) -> Any:
        """Visit a node."""
        if isinstance(node, ast.expr):  # there are no statements in it
            return node
        changed: Any = self.generic_visit(node)
        if (text := getattr(node, MAY_CLIP, None)) is not None:
            changed = _skippable(cast(ast.stmt, changed), text)
        if isinstance(node, ast.stmt) and _place(node) in self._places and may_change(node):
            place = _location(node)
            at = ast.Expr(_called("at", [ast.Constant(node.lineno, **place)], place), **place)
            return [at, changed]
        return changed


def _skippable(statement: ast.stmt, text: str) -> ast.stmt:
    """Return a statement that runs, or puts the bounds that it puts, only if the hook says so."""
    place = _location(statement)
    if bounds(statement):
        return cast(ast.stmt, _WithoutBounds(text, place).visit(statement))
    return ast.If(_called("runs", [ast.Constant(text, **place)], place), [statement], [], **place)


class _WithoutBounds(ast.NodeTransformer):
    """Has the hook asked whether what calls put bounds to is bounded."""

    def __init__(self, text: str, place: dict[str, Any]) -> None:
        self._text, self._place = text, place

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Put the call, or what it bounds, in its place."""
        value = bounded(node)
        call = cast(ast.expr, self.generic_visit(node))
        if value is None:
            return call
        asked = _called("runs", [ast.Constant(self._text, **self._place)], self._place)
        return ast.IfExp(asked, call, copied(value), **self._place)


def _hook(node: ast.FunctionDef, name: str) -> None:
    returns = _Returns(name)
    body = [cast(ast.stmt, returns.visit(statement)) for statement in node.body]
    start = 1 if ast.get_docstring(node, clean=False) is not None else 0
    first = body[start] if start < len(body) else body[-1]
    place = _location(body[-1])
    leave = ast.Expr(_left(name, ast.Constant(None, **place), place), **place)
    node.body = [*body[:start], _entered(name, "record", True, first), *body[start:], leave]


# nodes are made one by one, as texts that are parsed take several times as long, and there are many


def _location(statement: ast.stmt) -> dict[str, Any]:
    """Return where a hook stands, for tracebacks: where a statement does."""
    return {name: getattr(statement, name) for name in statement._attributes if hasattr(statement, name)}


def _called(name: str, arguments: list[ast.expr], place: dict[str, Any]) -> ast.Call:
    """Return ``HOOK.name(arguments)``."""
    load = ast.Load()
    hook = ast.Attribute(ast.Name(HOOK, load, **place), name, load, **place)
    return ast.Call(hook, arguments, [], **place)


def _entered(name: str, record: str, has_locals: bool, first: ast.stmt) -> ast.stmt:
    """Return ``if HOOK.enter(name): HOOK.record(name, HOOK.locals())``, with ``{}`` for variables of the module."""
    place = _location(first)
    values: ast.expr = _called("locals", [], place) if has_locals else ast.Dict([], [], **place)
    kept = _called(record, [ast.Constant(name, **place), values], place)
    return ast.If(_called("enter", [ast.Constant(name, **place)], place), [ast.Expr(kept, **place)], [], **place)


def _left(name: str, result: ast.expr, place: dict[str, Any]) -> ast.Call:
    """Return ``HOOK.leave(name, HOOK.locals(), result)``."""
    return _called("leave", [ast.Constant(name, **place), _called("locals", [], place), result], place)


class _Returns(ast.NodeTransformer):
    """Passes every value that a function returns through the hook; inner functions are left alone."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit(self, node: ast.AST) -> ast.AST:
        """Visit a node."""
        if isinstance(node, FunctionNode | ast.ClassDef | ast.expr):
            return node
        if isinstance(node, ast.Return):
            return self._hooked(node)
        return self.generic_visit(node)

    def _hooked(self, node: ast.Return) -> ast.Return:
        place = _location(node)
        result = ast.Constant(None, **place) if node.value is None else node.value
        hooked = ast.Return(_left(self.name, result, place), **place)
        if hasattr(node, MAY_CLIP):
            setattr(hooked, MAY_CLIP, getattr(node, MAY_CLIP))
        return hooked


def _walk_own(node: ast.AST) -> list[ast.AST]:
    """All nodes below `node` that belong to the same function."""
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        found.append(child)
        if not isinstance(child, FunctionNode | ast.Lambda | ast.ClassDef):
            found.extend(_walk_own(child))
    return found
