"""Numbers that are written in another way."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator

from benchmarks.rewrites.made import Made
from benchmarks.rewrites.subsets import subsets


def integers(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Start with 0 in place of 0.0."""
    places = [
        node
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Assign | ast.FunctionDef)
        for node in _starts(statement)
        if isinstance(node.value, float) and node.value.is_integer()
    ]
    for chosen in subsets(places, rng):
        before = [(node, node.value) for node in chosen]
        for node, value in before:
            node.value = int(value)  # type: ignore[arg-type]
        yield Made(tree)
        for node, value in before:
            node.value = value


def _starts(statement: ast.Assign | ast.FunctionDef) -> Iterator[ast.Constant]:
    """Return the numbers that a statement gives names to, and those within a display."""
    waiting = [statement.value] if isinstance(statement, ast.Assign) else [*statement.args.defaults]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Constant():
                yield node
            case ast.List(elts) | ast.Tuple(elts):
                waiting += elts
            case ast.Dict(values=values):
                waiting += values
            case ast.Call(ast.Attribute(attr="array"), [first, *_]):
                waiting.append(first)


def scale_back(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Multiply what is computed by two, and halve it: exactly the same number."""
    places = [
        (node, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Return | ast.Assign) and node.value is not None and _is_number(node.value)
    ]
    for chosen in subsets(places, rng, most=3):
        for node, value in chosen:
            node.value = ast.BinOp(ast.Constant(0.5), ast.Mult(), ast.BinOp(ast.Constant(2.0), ast.Mult(), value))
        yield Made(tree)
        for node, value in chosen:
            node.value = value


def _is_number(value: ast.expr) -> bool:
    """Whether an expression may well be a number or an array that is no index."""
    match value:
        case ast.BinOp(op=operator):
            return not isinstance(operator, ast.FloorDiv | ast.Mod)
        case ast.Call(ast.Attribute(attr=name)):
            return name in {"mean", "sum", "dot"}
    return False
