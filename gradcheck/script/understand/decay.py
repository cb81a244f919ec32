"""Weight decay: the part of a step that is a multiple of the parameter itself, and belongs to no loss that is seen."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np

from gradcheck.script.record.leaves import is_numeric
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.replay.stage import LossExpression
from gradcheck.script.source.syntax import Code, onto_itself, walk
from gradcheck.script.source.updates import coefficient

_DEEPEST = 4


def with_and_without_decay(backward: Backward, loss: LossExpression) -> list[Backward]:
    """Return the backward, and where parameters decay, also with that left out of their gradients or changes.

    A written loss has to have the penalty in it that the gradients are of; one that is inferred cannot.
    """
    if backward.kind is not Kind.CHANGE and not loss.is_implied:
        return [backward]
    decays = [_decay(backward, pair, inferred=loss.is_implied) for pair in backward.pairs]
    if not any(decays):
        return [backward]
    pairs = tuple(replace(pair, decay=decay) for pair, decay in zip(backward.pairs, decays, strict=True))
    return [backward, replace(backward, pairs=pairs)]


def _decay(backward: Backward, pair: GradientMap, *, inferred: bool) -> str | None:
    """Return by what a parameter is multiplied in its change or gradient, if that makes it smaller."""
    found = pair.update.decay if pair.update is not None and backward.kind is Kind.CHANGE else None
    if found is None and backward.kind is Kind.CHANGE:
        found = _shrunk_apart(backward, pair)
    if found is None and inferred:
        found = _through_names(backward, pair)
    if found is None:
        return None
    call = backward.example
    try:
        code = compile(found, "<decay>", "eval", dont_inherit=True)
        value = eval(code, {**call.variables, **call.arguments, **call.local_variables})
    except Exception:  # noqa: BLE001 - what it is made of may be out of sight
        return found
    growing = 1.0 if backward.kind is Kind.CHANGE or pair.adds else -1.0
    return found if is_numeric(value) and np.all(growing * np.asarray(value) <= 0) else None


def _shrunk_apart(backward: Backward, pair: GradientMap) -> str | None:
    """Return by what a parameter is multiplied in a statement of its own: ``W *= 1 - rate * decay``."""
    names = {pair.slot.name} if pair.update is None else {pair.slot.name, pair.update.target}
    for statement in backward.function.statements:
        match onto_itself(statement):
            case ast.AugAssign(target, ast.Mult(), value) if ast.unparse(target) in names:
                return f"({ast.unparse(value)}) - 1"
    return None


def _through_names(backward: Backward, pair: GradientMap) -> str | None:
    """Return the coefficient of a parameter in its gradient, followed through the names that this is computed under."""
    code = backward.function
    for name in dict.fromkeys([pair.slot.name] if pair.update is None else [pair.slot.name, pair.update.target]):
        if backward.kind is Kind.CHANGE:
            step, less = _computed(code, name, _parsed(name)), " - 1"
        else:
            step, less = pair.output.expression, ""
            if step is None or isinstance(step, ast.Tuple | ast.List | ast.Dict):
                step = _parsed(pair.output.shown)
        found = None if step is None else coefficient(_spelled_out(code, step, name, _DEEPEST), name)
        if found is not None:
            return f"({ast.unparse(found)}){less}"
    return None


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def _spelled_out(code: Code, expression: ast.expr, target: str, depth: int) -> ast.expr:
    """Return an expression with what the code computes under its names in place of them, but for one name."""

    def spelled_out(part: ast.expr) -> ast.expr:
        text = ast.unparse(part)
        value = None if text == target or depth == 0 else _computed(code, text)
        return part if value is None else _spelled_out(code, value, target, depth - 1)

    return _Replacing(spelled_out).of(expression)


class _Replacing(ast.NodeTransformer):
    """Replaces the names, attributes and items in an expression, but not in the arguments of calls."""

    def __init__(self, replaced: Callable[[ast.expr], ast.expr]) -> None:
        self._replaced = replaced

    def of(self, expression: ast.expr) -> ast.expr:
        """Return a copy of an expression with all replaced."""
        return cast(ast.expr, self.visit(ast.parse(ast.unparse(expression), mode="eval").body))

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return self._replaced(node)
        return node if isinstance(node, ast.Call) else self.generic_visit(node)


def _computed(code: Code, name: str, start: ast.expr | None = None) -> ast.expr | None:
    """Return what a name stands for after the statements that assign to it; None where it cannot be told."""
    value = start
    for statement in code.node.body:
        if name not in _targets(statement):
            continue
        match statement:
            case ast.Assign([target], assigned) if ast.unparse(target) == name:
                value = _replaced(assigned, name, value)
            case ast.AugAssign(target, operator, added) if ast.unparse(target) == name and value is not None:
                value = ast.BinOp(value, operator, _replaced(added, name, value))
            case _:
                # within an inner loop or a branch it may be anything
                return None
    return None if value is start else value


def _targets(statement: ast.stmt) -> set[str]:
    """Return what is assigned to in a statement or in those inside of it, as it is written."""
    inner = (node for node in walk(statement) if isinstance(node, ast.Name | ast.Attribute | ast.Subscript))
    return {ast.unparse(node) for node in inner if isinstance(node.ctx, ast.Store)}


def _replaced(expression: ast.expr, name: str, value: ast.expr | None) -> ast.expr:
    """Return an expression with what a name stood for in its place."""
    if value is None:
        return expression
    return _Replacing(lambda part: value if ast.unparse(part) == name else part).of(expression)
