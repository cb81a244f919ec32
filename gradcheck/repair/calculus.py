"""Derivatives of NumPy expressions as text: what the way back has to compute, in the names of the way forward."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from gradcheck.script.source.syntax import called_name

_ATOMS = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant)
_STEP, _SAME = 1e-5, 1e-5
_MOVED, _HALF = "_moved", 0.5
ONE = "1"
# derivatives of functions of each element, where they have no shorter names
_SLOPES = {
    "exp": "np.exp({0})",
    "log": "1 / {0}",
    "log1p": "1 / (1 + {0})",
    "sqrt": "0.5 / np.sqrt({0})",
    "tanh": "1 - np.tanh({0}) ** 2",
    "sin": "np.cos({0})",
    "cos": "-np.sin({0})",
    "abs": "np.sign({0})",
}


class UnderivableError(Exception):
    """The rules do not know an expression, or its parts have no names where the derivative is to stand."""


@dataclass(frozen=True)
class Setting:
    """Where an expression stands, and where its derivative is to stand.

    Attributes
    ----------
    value : callable
        Returns the value of an expression of the way forward, in which some names may be given other values.
    here : callable
        Returns how an expression of the way forward, by its value, is written where the derivative is to stand.
    slope : callable
        Returns how an array of elementwise derivatives is written there.
    called : callable
        Returns the name of a derivative that has one there, or the text itself.
    """

    value: Callable[..., Any]
    here: Callable[[ast.expr], str]
    slope: Callable[[np.ndarray[Any, Any]], str]
    called: Callable[[str], str]


def pulled_back(node: ast.expr, adjoint: str, is_wanted: Callable[[ast.expr], bool], setting: Setting) -> Iterator[str]:
    """Return what an expression contributes to the derivative with respect to a part of it, once per occurrence.

    The vector-Jacobian products of the usual operations: for ``z = x @ w``, the derivative with respect to ``w`` is
    ``x.T @ d`` where that with respect to ``z`` is ``d``.
    """
    if is_wanted(node):
        yield adjoint
        return
    for child, own in _steps(node, setting.called(adjoint), setting):
        if any(isinstance(part, ast.expr) and is_wanted(part) for part in ast.walk(child)):
            yield from pulled_back(child, own(), is_wanted, setting)


def held(text: str) -> str:
    """Return a text in parentheses unless it stands for itself."""
    node = ast.parse(text, mode="eval").body
    return text if isinstance(node, _ATOMS) else f"({text})"


def transposed(text: str) -> str:
    """Return the transpose of a text."""
    return text.removesuffix(".T") if held(text) == text and text.endswith(".T") else f"{held(text)}.T"


def negative(text: str) -> str:
    """Return a text with the other sign."""
    node = ast.parse(text, mode="eval").body
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return ast.unparse(node.operand)
    is_product = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.MatMult)
    return f"-{text}" if is_product else f"-{held(text)}"


def added(parts: Iterable[str]) -> str:
    """Return the sum of some texts."""
    return " + ".join(parts).replace(" + -", " - ")


def product(one: str, other: str) -> str:
    """Return the product of two texts."""
    if one == "-1" and other != ONE:
        return negative(other)
    if one == ONE or other == ONE:
        return other if one == ONE else one
    if other == "-1":
        return negative(one)
    node = ast.parse(one, mode="eval").body
    # products are read from the left
    is_product = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.MatMult)
    return f"{one if is_product else held(one)} * {held(other)}"


def _steps(node: ast.expr, d: str, at: Setting) -> Iterator[tuple[ast.expr, Callable[[], str]]]:
    """Return the operands of an operation, each with what makes the derivative with respect to it."""
    here = at.here
    match node:
        case ast.BinOp(a, ast.Add(), b):
            yield a, lambda: _reduced(d, node, a, at)
            yield b, lambda: _reduced(d, node, b, at)
        case ast.BinOp(a, ast.Sub(), b):
            yield a, lambda: _reduced(d, node, a, at)
            yield b, lambda: _reduced(negative(d), node, b, at)
        case ast.BinOp(a, ast.Mult(), b):
            yield a, lambda: _reduced(product(d, here(b)), node, a, at)
            yield b, lambda: _reduced(product(d, here(a)), node, b, at)
        case ast.BinOp(a, ast.Div(), b):
            yield a, lambda: _reduced(f"{held(d)} / {held(here(b))}", node, a, at)
            yield b, lambda: _reduced(f"{negative(product(d, here(a)))} / {held(here(b))} ** 2", node, b, at)
        case ast.BinOp(a, ast.Pow(), ast.Constant(2)):
            yield a, lambda: product(product(d, "2"), here(a))
        case ast.BinOp(a, ast.Pow(), ast.Constant(int() | float() as n)):
            yield a, lambda: product(product(d, repr(n)), f"{held(here(a))} ** {n - 1}")
        case ast.UnaryOp(ast.USub(), a):
            yield a, lambda: negative(d)
        case ast.BinOp(a, ast.MatMult(), b):
            yield from _matrix_product(a, b, d, at)
        case ast.Call(ast.Attribute(_, "dot" | "matmul"), [a, b], []):
            yield from _matrix_product(a, b, d, at)
        case ast.Call(ast.Attribute(a, "dot"), [b], []):
            yield from _matrix_product(a, b, d, at)
        case ast.Attribute(a, "T"):
            yield a, lambda: transposed(d)
        case ast.Call(ast.Attribute(a, "reshape" | "ravel" | "flatten"), _):
            yield a, lambda: f"{held(d)}.reshape({here(a)}.shape)"
        case ast.Call(ast.Name("float") | ast.Attribute(ast.Name("np"), "array" | "asarray"), [a]):
            yield a, lambda: d
        case ast.Call() if called_name(node) in ("sum", "mean"):
            yield from _reduction(node, d, at)
        case ast.Call(_, arguments):
            for argument in arguments:
                yield argument, _elementwise(node, argument, d, at)
        case _:
            raise UnderivableError


def _matrix_product(a: ast.expr, b: ast.expr, d: str, at: Setting) -> Iterator[tuple[ast.expr, Callable[[], str]]]:
    left, right = np.ndim(at.value(a)), np.ndim(at.value(b))
    if (left, right) == (1, 1) or 0 in (left, right):
        yield a, lambda: product(d, at.here(b))
        yield b, lambda: product(d, at.here(a))
    elif (left, right) == (2, 2):
        yield a, lambda: f"{held(d)} @ {transposed(at.here(b))}"
        yield b, lambda: f"{transposed(at.here(a))} @ {held(d)}"
    elif (left, right) == (1, 2):
        yield a, lambda: f"{held(at.here(b))} @ {held(d)}"
        yield b, lambda: f"np.outer({at.here(a)}, {d})"
    elif (left, right) == (2, 1):
        yield a, lambda: f"np.outer({d}, {at.here(b)})"
        yield b, lambda: f"{transposed(at.here(a))} @ {held(d)}"
    else:
        raise UnderivableError


def _reduction(node: ast.Call, d: str, at: Setting) -> Iterator[tuple[ast.expr, Callable[[], str]]]:
    inner = node.args[0] if _is_numpy(node.func) else node.func.value if isinstance(node.func, ast.Attribute) else None
    if inner is None:
        raise UnderivableError
    shape, result = np.shape(at.value(inner)), np.shape(at.value(node))
    # a sum without its axis does not broadcast against what was summed
    if result and len(result) != len(shape):
        axes = [i for i in range(len(shape)) if (*shape[:i], *shape[i + 1 :]) == result]
        if len(axes) != 1 or len(shape) != 2:
            raise UnderivableError
        d = f"{held(d)}[:, None]" if axes[0] == 1 else held(d)
    named = next((part for part in ast.walk(inner) if _is_named(part) and np.shape(at.value(part)) == shape), inner)
    text = at.here(named)
    if called_name(node) == "mean":
        count = f"{held(text)}.size" if not result else str(int(np.prod(shape)) // max(int(np.prod(result)), 1))
        d = f"{held(d)} / {count}"
    # a single number goes through all operations as it is
    yield inner, lambda: product(d, f"np.ones_like({text})") if named is inner or result else d


def _is_named(node: ast.AST) -> TypeGuard[ast.expr]:
    return isinstance(node, ast.Name | ast.Attribute)


def _is_numpy(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "np"


def _elementwise(node: ast.Call, argument: ast.expr, d: str, at: Setting) -> Callable[[], str]:
    """Return what makes the derivative through a function of each element, told from its values alone."""

    def derivative() -> str:
        value = np.asarray(at.value(argument), dtype=float)
        if np.shape(at.value(node)) != value.shape:
            raise UnderivableError
        arguments = [ast.Name(_MOVED, ast.Load()) if other is argument else other for other in node.args]
        call = ast.Call(node.func, arguments, node.keywords)
        step = _STEP * np.maximum(np.abs(value), 1.0)
        ends = [np.asarray(at.value(call, {_MOVED: value + by}), dtype=float) for by in (step, -step)]
        some = np.random.default_rng(0).random(value.shape) < _HALF
        mixed = np.asarray(at.value(call, {_MOVED: np.where(some, value + step, value - step)}), dtype=float)
        if not np.array_equal(mixed, np.where(some, *ends)):
            raise UnderivableError
        slopes = (ends[0] - ends[1]) / (2 * step)
        try:
            return product(d, at.slope(slopes))
        except UnderivableError:
            form = _SLOPES.get(called_name(node))
            if form is None:
                raise
            return product(d, form.format(held(at.here(argument))))

    return derivative


def _reduced(d: str, node: ast.expr, part: ast.expr, at: Setting) -> str:
    """Return a derivative summed over the axes along which an operand was broadcast."""
    whole, own = np.shape(at.value(node)), np.shape(at.value(part))
    if own == whole:
        return d
    if not own:
        return f"np.sum({d})"
    if whole[-len(own) :] == own and len(whole) == len(own) + 1:
        return f"{held(d)}.sum(axis=0)"
    axes = [i for i, (long, short) in enumerate(zip(whole, own, strict=False)) if long != short]
    if len(own) == len(whole) and len(axes) == 1:
        return f"{held(d)}.sum(axis={axes[0]}, keepdims=True)"
    raise UnderivableError


def same(one: Any, other: Any) -> bool:
    """Whether two values are of one shape and equal, up to rounding."""
    try:
        a, b = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    except (TypeError, ValueError):
        return False
    size = float(np.max(np.abs(a), initial=0.0))
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=_SAME, atol=_SAME * size))
