"""Where in the script a returned gradient gets its value."""

from __future__ import annotations

import ast

from gradcheck.script.pairing import GradientMap
from gradcheck.script.result import GradientSource
from gradcheck.script.source import SourceFile
from gradcheck.script.syntax import Function

_FILLING = {"append", "insert", "extend", "update"}


def gradient_source(source: SourceFile, function: Function, pair: GradientMap) -> GradientSource | None:
    """Return the last statement that gives a returned gradient its value, or the returned expression itself."""
    if pair.output.expression is None:
        return None
    key = next((step.key for step in pair.output.leaf.path if isinstance(step.key, str)), None)
    return GradientSource(pair.slot.name, source.span(_origin(function, pair.output.expression, key, frozenset())))


def _origin(function: Function, expression: ast.expr, key: str | None, seen: frozenset[str]) -> ast.expr | ast.stmt:
    """Follow a name to the statement that assigns it, and a dictionary's key to what is stored under it."""
    stored = _items(expression).get(key) if key is not None else None
    if stored is not None:
        return _origin(function, stored, key, seen)
    if isinstance(expression, ast.Subscript):
        inner = expression.slice.value if isinstance(expression.slice, ast.Constant) else None
        found = _origin(function, expression.value, inner if isinstance(inner, str) else key, seen)
        return expression if found is expression.value else found
    name = ast.unparse(expression)
    if not isinstance(expression, ast.Name | ast.Attribute) or name in seen:
        return expression
    assigned = function.assignments(name)
    assigned = [s for s in assigned if key is not None and f"[{key!r}]" in ast.unparse(s)] or assigned
    if not assigned or assigned[-1].value is None:
        return expression
    value = assigned[-1].value
    if isinstance(value, ast.Name) or (key is not None and key in _items(value)):
        return _origin(function, value, key, seen | {name})
    return (_fillings(function, name) or assigned)[-1] if _is_empty(value) else assigned[-1]


def _items(expression: ast.expr) -> dict[object, ast.expr]:
    """Return what a dictionary display or a call of ``dict`` stores, by constant key."""
    match expression:
        case ast.Dict(keys, values):
            return {k.value: v for k, v in zip(keys, values, strict=True) if isinstance(k, ast.Constant)}
        case ast.Call(ast.Name("dict"), _, keywords):
            return {keyword.arg: keyword.value for keyword in keywords if keyword.arg is not None}
    return {}


def _is_empty(value: ast.expr) -> bool:
    match value:
        case ast.List([]) | ast.Dict([], _) | ast.Call(ast.Name("list" | "dict"), [], []):
            return True
    return False


def _fillings(function: Function, name: str) -> list[ast.stmt]:
    """Return the statements that put something into a container: ``grads.append(...)``."""
    found: list[ast.stmt] = []
    for statement in function.statements:
        match statement:
            case ast.Expr(ast.Call(ast.Attribute(holder, method))) if ast.unparse(holder) == name:
                found += [statement] if method in _FILLING else []
    return found
