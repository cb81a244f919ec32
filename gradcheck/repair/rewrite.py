"""Candidate edits: what they replace, what kind of mistake they would mend, and how natural they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from gradcheck.script.source.text import Splice, Text


@dataclass(frozen=True)
class Rewrite:
    """A candidate edit.

    Attributes
    ----------
    splices : tuple of Splice
        The stretches of the text that it replaces.
    code : str
        The code of the mistake that it would mend.
    cost : float
        How large and how unnatural it is.
    old, new : str
        What is taken away, and what is put in its place; either may be empty.
    reshapes : bool
        Whether it may give the value another shape.
    keeps_value : bool
        Whether it matters although the value stays the same, as a copy does.
    leaves_decay : bool
        Whether a decay of the parameter stays in its step, which is no part of the loss's gradient.
    turned : Rewrite or None
        For an edit that takes a term away, the one that turns its sign instead: a penalty may be in no written loss.
    """

    splices: tuple[Splice, ...]
    code: str
    cost: float
    old: str = ""
    new: str = ""
    reshapes: bool = False
    keeps_value: bool = False
    leaves_decay: bool = False
    turned: Rewrite | None = None


_ATOMIC, _POWER, _UNARY, _PRODUCT, _SUM, _SHIFT, _BIT, _COMPARE, _NOT, _BOOL, _ANY = 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0


def precedence(node: ast.expr) -> int:
    """Return how tightly an expression holds together."""
    match node:
        case ast.BinOp(_, ast.Pow()):
            return _POWER
        case ast.BinOp(_, ast.Mult() | ast.Div() | ast.MatMult() | ast.FloorDiv() | ast.Mod()):
            return _PRODUCT
        case ast.BinOp(_, ast.Add() | ast.Sub()):
            return _SUM
        case ast.BinOp(_, ast.LShift() | ast.RShift()):
            return _SHIFT
        case ast.BinOp():
            return _BIT
        case ast.UnaryOp(ast.Not()):
            return _NOT
        case ast.UnaryOp():
            return _UNARY
        case ast.Compare():
            return _COMPARE
        case ast.BoolOp():
            return _BOOL
        case ast.IfExp() | ast.Lambda() | ast.Tuple() | ast.GeneratorExp():
            return _ANY
    return _ATOMIC


@lru_cache(maxsize=10_000)
def precedence_of(text: str) -> int:
    """Return how tightly an expression's text holds together."""
    try:
        return precedence(ast.parse(f"({text}\n)", mode="eval").body)
    except SyntaxError:
        return _ANY


@dataclass(frozen=True)
class Spot:
    """A sub-expression, and what it asks of what is put there.

    Attributes
    ----------
    needs : int
        How tightly its replacement has to hold together.
    depth : int
        How deep inside the whole expression it is.
    above : tuple of ast.AST
        What it is inside of, the outermost first.
    factor : bool
        Whether a factor there is one of a whole term or operand.
    """

    node: ast.expr
    needs: int
    depth: int
    above: tuple[ast.AST, ...]
    factor: bool

    @property
    def parent(self) -> ast.AST | None:
        """What it is directly inside of."""
        return self.above[-1] if self.above else None


def spots(value: ast.expr) -> Iterator[Spot]:
    """Return an expression's sub-expressions that stand for numbers, the whole first."""
    yield from _spots(value, _ANY, 0, (), True)


def _spots(node: ast.expr, needs: int, depth: int, above: tuple[ast.AST, ...], factor: bool) -> Iterator[Spot]:
    yield Spot(node, needs, depth, above, factor)
    inside, deeper = (*above, node), depth + 1
    match node:
        case ast.BinOp(left, op, right):
            own = precedence(node)
            is_power = isinstance(op, ast.Pow)
            factors = not isinstance(op, ast.Mult | ast.Div | ast.Pow)
            same = isinstance(op, ast.Mult | ast.Add)
            yield from _spots(left, _ATOMIC if is_power else own, deeper, inside, factors)
            yield from _spots(right, _UNARY if is_power else own if same else own + 1, deeper, inside, factors)
        case ast.UnaryOp(_, operand):
            yield from _spots(operand, _PRODUCT, deeper, inside, False)
        case ast.Call(func, arguments, keywords):
            if isinstance(func, ast.Attribute) and not _is_module(func.value):
                yield from _spots(func.value, _ATOMIC, deeper, inside, True)
            for argument in arguments:
                yield from _spots(argument, _ANY, deeper, inside, True)
            for keyword in keywords:
                if keyword.arg not in ("axis", "keepdims", "dtype", "out"):
                    yield from _spots(keyword.value, _ANY, deeper, inside, False)
        case ast.Attribute(inner) if node.attr == "T":
            yield from _spots(inner, _ATOMIC, deeper, inside, False)
        case ast.Subscript(inner):
            if not isinstance(inner, ast.Name | ast.Attribute):
                yield from _spots(inner, _ATOMIC, deeper, inside, False)
        case ast.Compare(left, _, others):
            for part in (left, *others):
                yield from _spots(part, _BIT, deeper, inside, False)
        case ast.Tuple(parts) | ast.List(parts):
            for part in parts:
                yield from _spots(part, _ANY, deeper, inside, True)
        case ast.Dict(_, parts):
            for part in parts:
                yield from _spots(part, _ANY, deeper, inside, True)
        case ast.IfExp(test, body, orelse):
            for part in (test, body, orelse):
                yield from _spots(part, _BOOL, deeper, inside, True)
        case ast.ListComp(element) | ast.GeneratorExp(element) | ast.SetComp(element):
            yield from _spots(element, _ANY, deeper, inside, True)
        case ast.DictComp(_, element):
            yield from _spots(element, _ANY, deeper, inside, True)


def _is_module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("np", "numpy", "math", "random", "scipy")


class Writer:
    """Makes the texts of edits."""

    def __init__(self, text: Text) -> None:
        self.text = text
        # most is put in the place of the same few
        self._extents: dict[ast.expr, tuple[int, int]] = {}
        self._texts: dict[ast.expr, str] = {}

    def extent(self, spot: Spot) -> tuple[int, int]:
        """Return where a sub-expression stands, with the brackets that are its own."""
        if spot.node not in self._extents:
            self._extents[spot.node] = self._found_extent(spot)
        return self._extents[spot.node]

    def _found_extent(self, spot: Spot) -> tuple[int, int]:
        start, end = self.text.start(spot.node), self.text.end(spot.node)
        code = self.text.code
        before, after = start - 1, end
        while before >= 0 and code[before] in " \t":
            before -= 1
        while after < len(code) and code[after] in " \t":
            after += 1
        bracketed = code[before : before + 1] == "(" and code[after : after + 1] == ")"
        if bracketed and not isinstance(spot.parent, ast.Call | ast.GeneratorExp | None) and spot.needs > _ANY:
            word = before > 0 and (code[before - 1].isalnum() or code[before - 1] in "_])")
            if not word:
                return before, after + 1
        return start, end

    def of(self, node: ast.expr) -> str:
        """Return a sub-expression's text without brackets around it."""
        if node not in self._texts:
            self._texts[node] = self.text.of(node)
        return self._texts[node]

    def held(self, node: ast.expr, needs: int) -> str:
        """Return its text, in brackets where it would fall apart otherwise."""
        return bracketed(self.of(node), needs, precedence(node))

    def put(self, spot: Spot, new: str) -> tuple[Splice, ...]:
        """Return what puts a text in the place of a sub-expression."""
        start, end = self.extent(spot)
        return (Splice(start, end, bracketed(new, spot.needs)),)


def bracketed(text: str, needs: int, own: int | None = None) -> str:
    """Return an expression's text, in brackets where the place asks for them."""
    if needs == _ANY:
        return text
    own = precedence_of(text) if own is None else own
    return f"({text})" if own < needs else text
