"""Losses that are shown and not descended: means of absolute errors beside a gradient of squared ones."""

from __future__ import annotations

import ast
from collections.abc import Set

from gradcheck.script.replay.stage import LossExpression
from gradcheck.script.source.syntax import Function, Loop, called_name, walk

_ABSOLUTE = frozenset({"abs", "absolute", "fabs"})
_ADDING = frozenset({"mean", "sum", "average", "fsum", "float"})


def is_only_shown(function: Function | Loop, loss: LossExpression) -> bool:
    """Whether a loss is a mean of absolute errors, and the code has no sign, which the slope of one would be."""
    if not _is_absolute(ast.parse(loss.text, mode="eval").body, function, frozenset()):
        return False
    return not any(_tells_signs(node) for statement in function.node.body for node in walk(statement))


def _is_absolute(value: ast.expr, function: Function | Loop, seen: Set[str]) -> bool:
    """Whether a value is an absolute value, or a sum or mean of such."""
    parts: list[ast.expr] = []
    match value:
        case ast.Call() if called_name(value) in _ABSOLUTE:
            return True
        case ast.Call(holder, arguments) if called_name(value) in _ADDING:
            parts = [holder.value, *arguments] if isinstance(holder, ast.Attribute) else arguments
        case ast.BinOp(left, ast.Add() | ast.Mult() | ast.Div(), right):
            parts = [left, right]
        case ast.Name(name) if name not in seen:
            seen = {*seen, name}
            parts = [s.value for s in function.assignments(name) if s.value is not None]
            for statement in function.node.body:
                parts += [part for node in walk(statement) for part in _appended(node, name)]
    return any(_is_absolute(part, function, seen) for part in parts)


def _appended(node: ast.AST, name: str) -> list[ast.expr]:
    match node:
        case ast.Call(ast.Attribute(ast.Name(holder), "append"), [value]) if holder == name:
            return [value]
    return []


def _tells_signs(node: ast.AST) -> bool:
    match node:
        case ast.Compare(_, operators):
            return any(isinstance(operator, ast.Gt | ast.GtE | ast.Lt | ast.LtE) for operator in operators)
        case ast.Call():
            return called_name(node) == "sign"
    return False
