"""Where in the script a returned gradient gets its value."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.source.file import SourceFile, Span
from gradcheck.script.source.names import base_name
from gradcheck.script.source.syntax import Function, Loop, assigned_names, flat_targets
from gradcheck.script.source.updates import Update, updates_of

_FILLING = {"append", "insert", "extend", "update"}


@dataclass(frozen=True)
class GradientSource:
    """Where a parameter's gradient is computed in the script.

    Attributes
    ----------
    span : Span
        The statement that gives the returned gradient its value.
    """

    parameter: str
    span: Span


def gradient_source(source: SourceFile, function: Function | Loop, pair: GradientMap) -> GradientSource | None:
    """Return the last statement that gives a gradient its value, or the returned expression itself."""
    if pair.output.kind is Kind.KEPT:
        statement = _storing(source, function, pair.output.leaf.name)
    elif pair.output.kind is Kind.CHANGE:
        statement = _moving(source, function, pair)
    elif pair.output.expression is None:
        return None
    else:
        key = next((step.key for step in pair.output.leaf.path if isinstance(step.key, str)), None)
        return GradientSource(pair.slot.name, source.span(_origin(function, pair.output.expression, key, frozenset())))
    return None if statement is None else GradientSource(pair.slot.name, source.span(statement))


def _storing(source: SourceFile, function: Function | Loop, name: str) -> ast.stmt | None:
    """Return the last statement that assigns to a variable: in the code itself, or wherever its last part is stored."""
    if own := function.assignments(name):
        return own[-1]
    last = base_name(name).partition("[")[0]
    everywhere = [s for f in (function, *source.functions.values()) for s in f.statements]
    found = [s for s in everywhere if isinstance(s, ast.Assign | ast.AugAssign) and last in _last_parts(s)]
    return found[-1] if found else None


def _last_parts(statement: ast.Assign | ast.AugAssign) -> set[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    names = {base_name(ast.unparse(part)).partition("[")[0] for target in targets for part in flat_targets(target)}
    return names | {base_name(name) for name in assigned_names(statement)}


def _moving(source: SourceFile, function: Function | Loop, pair: GradientMap) -> ast.stmt | None:
    """Return what gives the gradient in a step its value, or the statement that takes the step."""
    if pair.update is None:
        return None
    everywhere = ((code, s) for code in (function, *source.functions.values()) for s in code.statements)
    steps = ((code, s, u) for code, s in everywhere for u in updates_of(s) if u.target == pair.update.target)
    first = next(steps, None)
    return None if first is None else _stepped_along(source, first[0], first[2]) or first[1]


def _stepped_along(source: SourceFile, code: Function | Loop, update: Update) -> ast.stmt | None:
    """Return the statement that gives a value to what a step is a multiple of, if the script computes just that."""
    # a step of a part of something may be wrong by how it is taken
    if update.target.endswith("]") or not all(name.replace(".", "").isidentifier() for name in update.sources):
        return None
    found = {name: _giving(source, code, name) for name in update.sources}
    computed = [statement for statement in found.values() if statement is not None]
    return computed[0] if len(computed) == 1 else None


def _giving(source: SourceFile, code: Function | Loop, name: str) -> ast.stmt | None:
    """Return the last statement that computes a value for a name: not one that sets it to a number, or hands it on."""
    if "." in name:
        statement = _storing(source, code, name)
        handed_on: tuple[type[ast.expr], ...] = (ast.Constant, ast.Attribute, ast.Name)
    else:
        own = code.assignments(name)
        statement, handed_on = (own[-1] if own else None), (ast.Constant, ast.Attribute)
    value = getattr(statement, "value", None)
    return None if value is None or isinstance(value, handed_on) else statement


def _origin(
    function: Function | Loop, expression: ast.expr, key: str | None, seen: frozenset[str]
) -> ast.expr | ast.stmt:
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


def _fillings(function: Function | Loop, name: str) -> list[ast.stmt]:
    """Return the statements that put something into a container: ``grads.append(...)``."""
    found: list[ast.stmt] = []
    for statement in function.statements:
        match statement:
            case ast.Expr(ast.Call(ast.Attribute(holder, method))) if ast.unparse(holder) == name:
                found += [statement] if method in _FILLING else []
    return found
