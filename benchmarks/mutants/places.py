"""Where a mistake can be planted, and what it takes to plant one."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.mutants.losses import RATES
from benchmarks.mutants.scripts import Network

Function = ast.FunctionDef | ast.Module
REDUCTIONS = {"sum": "mean", "mean": "sum"}


@dataclass(frozen=True)
class Mutation:
    """One planted mistake.

    Attributes
    ----------
    family : str
        What kind of mistake it is.
    start, end : int
        Offsets of the span of the text that is replaced.
    new : str
        What stands there then.
    lines : tuple of int
        The lines, in the text with the mistake, of which a finding has to cover one.
    statement : tuple of int
        Offsets of the statements that it touches.
    """

    family: str
    start: int
    end: int
    new: str
    lines: tuple[int, ...]
    statement: tuple[int, int]


def planted(network: Network, chosen: Iterable[Mutation]) -> str:
    """Return the text of a network with some mistakes, whose spans do not overlap.

    Parameters
    ----------
    network : Network
        A correct script.
    chosen : iterable of Mutation
        What to plant.
    """
    text = network.text
    for mutation in sorted(chosen, key=lambda one: one.start, reverse=True):
        text = text[: mutation.start] + mutation.new + text[mutation.end :]
    return text


@dataclass(frozen=True)
class Place:
    """One statement of the way back.

    Attributes
    ----------
    network : Network
        Where it stands.
    function : FunctionDef or Module
        The function around it.
    statement : stmt
        The statement.
    """

    network: Network
    function: Function
    statement: ast.stmt

    def nodes(self, *kinds: type[ast.expr]) -> Iterator[ast.expr]:
        """Return its expressions of some kinds that are read."""
        for node in ast.walk(self.statement):
            if isinstance(node, kinds) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
                yield node

    def calls(self) -> Iterator[ast.Call]:
        """Return its calls."""
        return (node for node in ast.walk(self.statement) if isinstance(node, ast.Call))

    def operations(self, *kinds: type[ast.operator]) -> Iterator[ast.BinOp]:
        """Return its binary operations of some kinds."""
        for node in ast.walk(self.statement):
            if isinstance(node, ast.BinOp) and isinstance(node.op, kinds) and not _in_brackets(self.statement, node):
                yield node

    def text(self, node: ast.expr) -> str:
        """Return the text of an expression."""
        return self.network.segment(node)

    def put(self, family: str, old: ast.expr, new: str) -> tuple[str, int, int, str]:
        """Replace an expression, with parentheses if it were read differently without them."""
        start, end = self.network.start(old), self.network.end(old)
        before = self.network.text[self.network.start(self.statement) : start]
        after = self.network.text[end : self.network.end(self.statement)]
        wrapped = f"({new})"
        if _parsed(before + new + after) == _parsed(before + wrapped + after):
            wrapped = new
        return family, start, end, wrapped

    def is_index(self, node: ast.expr) -> bool:
        """Tell whether an expression is part of an index or an axis, which have operators of their own."""
        return _in_brackets(self.statement, node)


def _in_brackets(statement: ast.stmt, node: ast.expr) -> bool:
    for other in ast.walk(statement):
        within = [other.slice] if isinstance(other, ast.Subscript) else []
        if isinstance(other, ast.Call):
            within += [keyword.value for keyword in other.keywords]
            within += other.args if isinstance(other.func, ast.Attribute) and other.func.attr in REDUCTIONS else []
        if any(node is inner for part in within for inner in ast.walk(part)):
            return True
    return False


def _parsed(text: str) -> str | None:
    try:
        return ast.dump(ast.parse(text))
    except SyntaxError:
        return None


def is_slope(node: ast.expr) -> bool:
    """Tell whether an expression looks like the derivative of an activation, or like a part of it."""
    match node:
        case ast.BinOp(left=ast.Constant(value=1), op=ast.Sub()):
            return True
        case ast.Compare():
            return True
        case ast.Name(id="slope"):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return "prime" in name
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return is_slope(left) and is_slope(right)
    return False


def siblings(place: Place, node: ast.expr) -> list[str]:
    """Return what else of the same kind the function has: names, attributes, texts in brackets."""
    outer = place.network.tree if isinstance(node, ast.Attribute) else place.function
    found: dict[str, None] = {}
    for other in ast.walk(outer):
        if isinstance(node, ast.Name) and isinstance(other, ast.Name | ast.arg):
            found[other.id if isinstance(other, ast.Name) else other.arg] = None
        elif isinstance(other, ast.expr) and type(other) is type(node) and _same_stem(node, other):
            found[place.text(other)] = None
    called = {place.text(call.func) for call in ast.walk(place.network.tree) if isinstance(call, ast.Call)}
    no_values = called | RATES | {"self", "np"}
    own = place.text(node)
    return [] if own in no_values else [text for text in found if text not in no_values | {own}]


def _same_stem(node: ast.expr, other: ast.expr) -> bool:
    match node, other:
        case ast.Attribute(value=ast.Name(id=one)), ast.Attribute(value=ast.Name(id=two)):
            return one == two == "self"
        case (
            ast.Subscript(value=ast.Name(id=one), slice=ast.Constant(value=str())),
            ast.Subscript(value=ast.Name(id=two), slice=ast.Constant(value=str())),
        ):
            return one == two
    return False
