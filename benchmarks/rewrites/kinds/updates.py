"""Updates that are written in another way: in place, or not."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator

from benchmarks.rewrites.made import Made, stands_for
from benchmarks.rewrites.new import bodies
from benchmarks.rewrites.subsets import subsets

_UFUNCS = {ast.Sub: "subtract", ast.Add: "add", ast.Mult: "multiply", ast.Div: "divide"}


def rebind(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Write ``w = w - a`` for ``w -= a``."""

    def made(node: ast.stmt) -> ast.stmt | None:
        match node:
            case ast.AugAssign(target, operator, value):
                return ast.Assign([target], ast.BinOp(_read(target), operator, value))
        return None

    yield from _exchanged(tree, rng, made)


def in_place(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Write ``w -= a`` for ``w = w - a``."""

    def made(node: ast.stmt) -> ast.stmt | None:
        match node:
            case ast.Assign([target], ast.BinOp(left, operator, value)) if _is_same(target, left):
                return ast.AugAssign(target, operator, value)  # type: ignore[arg-type]
        return None

    yield from _exchanged(tree, rng, made)


def ufunc_out(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Write ``np.subtract(w, a, out=w)`` for ``w -= a``."""
    numpy = numpy_name(tree)
    if numpy is None:
        return

    def made(node: ast.stmt) -> ast.stmt | None:
        match node:
            case ast.AugAssign(target, operator, value) if type(operator) in _UFUNCS:
                function = ast.Attribute(ast.Name(numpy, ast.Load()), _UFUNCS[type(operator)], ast.Load())
                return ast.Expr(ast.Call(function, [_read(target), value], [ast.keyword("out", _read(target))]))
        return None

    yield from _exchanged(tree, rng, made)


def add_negative(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Write ``w += -a`` for ``w -= a``, and ``w = w + -a`` for ``w = w - a``."""
    inside = rng.random() < 0.5

    def made(node: ast.stmt) -> ast.stmt | None:
        match node:
            case ast.AugAssign(target, ast.Sub(), value):
                return ast.AugAssign(target, ast.Add(), _negative(value, inside))
            case ast.Assign([target], ast.BinOp(left, ast.Sub(), value)) if _is_same(target, left):
                return ast.Assign([target], ast.BinOp(left, ast.Add(), _negative(value, inside)))
        return None

    yield from _exchanged(tree, rng, made)


def _exchanged(tree: ast.Module, rng: random.Random, made: Callable[[ast.stmt], ast.stmt | None]) -> Iterator[Made]:
    """Exchange statements: all at once, and fewer where that changes something."""
    places = [
        (body, number, new)
        for body in bodies(tree)
        for number, statement in enumerate(body)
        if (new := made(statement)) is not None
    ]
    for chosen in subsets(places, rng):
        before = [body[number] for body, number, _ in chosen]
        for body, number, new in chosen:
            body[number] = stands_for(body[number], new)
        yield Made(tree)
        for (body, number, _), statement in zip(chosen, before, strict=True):
            body[number] = statement


def _read(target: ast.expr) -> ast.expr:
    """Return the expression that reads what a target stores."""
    read = copy.deepcopy(target)
    read.ctx = ast.Load()  # type: ignore[attr-defined]
    return read


def _is_same(target: ast.expr, value: ast.expr) -> bool:
    return ast.unparse(target) == ast.unparse(value)


def _negative(value: ast.expr, inside: bool) -> ast.expr:
    """Return an expression with the other sign, in front of it or at its first factor: the same number, exactly."""
    match value:
        case ast.BinOp(left, ast.Mult() | ast.Div() as operator, right) if inside:
            return ast.BinOp(_negative(left, inside), operator, right)
    return ast.UnaryOp(ast.USub(), value)


def numpy_name(tree: ast.Module) -> str | None:
    """Return what the script calls NumPy."""
    for node in ast.walk(tree):
        for alias in node.names if isinstance(node, ast.Import) else []:
            if alias.name == "numpy":
                return alias.asname or alias.name
    return None
