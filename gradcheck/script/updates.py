"""How a script moves its parameters: the statements that add a step to something, and what was seen to happen."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from dataclasses import dataclass

from gradcheck.script.names import is_step_size
from gradcheck.script.syntax import called_name, loaded_names


@dataclass(frozen=True)
class Update:
    """A statement that moves a parameter: ``w -= rate * grad`` or ``w = w - rate * grad``.

    Attributes
    ----------
    target : str
        What is moved, as written.
    sources : frozenset of str
        The names that the step is a product or sum of, step sizes left out.
    adds : bool
        Whether the step is added.
    bare : bool
        Whether the step is one name alone, with no factor.
    steps : bool
        Whether a step size or a number is in it.
    line : int
        Where it stands.
    exact : bool
        Whether the step is added to the target as it is: not to a part of it, nor to each of its elements.
    """

    target: str
    sources: frozenset[str]
    adds: bool
    bare: bool
    steps: bool
    line: int
    exact: bool = True


@dataclass(frozen=True)
class Motion:
    """A parameter's change from one recorded moment to the next, against the gradient returned in between.

    Attributes
    ----------
    sign : int
        1 where it moved along what was returned, -1 against it, 0 where neither was to be seen.
    factor : float or None
        The change as a multiple of what was returned; None where it was none.
    """

    sign: int = 0
    factor: float | None = None

    @property
    def is_bare(self) -> bool:
        """Whether just what was returned was added or subtracted."""
        return self.factor is not None and math.isclose(abs(self.factor), 1, rel_tol=1e-6)


def updates_in(tree: ast.AST) -> tuple[Update, ...]:
    """Return all statements of a script that add a step to something, or subtract it."""
    return tuple(update for node in ast.walk(tree) for update in updates_of(node) if update.exact)


def updates_of(node: ast.AST) -> Iterator[Update]:
    """Return what a statement moves by a step."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        yield _update(node.target, node.value, isinstance(node.op, ast.Add), node.lineno)
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        targets, values = [node.targets[0]], [node.value]
        if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            targets, values = node.targets[0].elts, node.value.elts
        for target, value in zip(targets, values, strict=False):
            yield from _assigned(target, value, node.lineno)


def _assigned(target: ast.expr, value: ast.expr, line: int) -> Iterator[Update]:
    """Return the update that an assignment is: of the target itself, shrunk perhaps, or of each of its elements."""
    match value:
        case ast.BinOp(left, ast.Add() | ast.Sub() as sign, right):
            if any(ast.unparse(factor) == ast.unparse(target) for factor in factors(left)):
                exact = ast.unparse(left) == ast.unparse(target)
                yield _update(target, right, isinstance(sign, ast.Add), line, exact=exact)
        case ast.ListComp(element, [loop]) | ast.DictComp(_, element, [loop]):
            match element:
                case ast.BinOp(_, ast.Add() | ast.Sub() as sign, _):
                    walked = frozenset(loaded_names(loop.iter)) - {ast.unparse(target)}
                    yield Update(ast.unparse(target), walked, isinstance(sign, ast.Add), False, True, line, exact=False)


def _update(target: ast.expr, step: ast.expr, adds: bool, line: int, *, exact: bool = True) -> Update:
    terms = set(_terms(step))
    sources = frozenset(name for name in terms if not is_step_size(name))
    bare = isinstance(step, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    steps = terms != sources or any(isinstance(part, ast.Constant) for part in factors(step))
    return Update(ast.unparse(target), sources, adds, bare, steps, line, exact)


def _terms(step: ast.expr) -> Iterator[str]:
    """Return the names that a step is a product, quotient or sum of; what is inside dot products is not."""
    for factor in factors(step):
        if isinstance(factor, ast.Name | ast.Attribute | ast.Subscript):
            yield ast.unparse(factor)
        elif isinstance(factor, ast.Call):
            yield f"{called_name(factor)}()"


def factors(step: ast.expr, *, dots: bool = False) -> Iterator[ast.expr]:
    """Return what an expression is a product, quotient or sum of, also within dot products where `dots` is set."""
    if isinstance(step, ast.BinOp) and isinstance(step.op, _ARITHMETIC if not dots else (*_ARITHMETIC, ast.MatMult)):
        yield from factors(step.left, dots=dots)
        yield from factors(step.right, dots=dots)
    elif isinstance(step, ast.UnaryOp):
        yield from factors(step.operand, dots=dots)
    else:
        yield step


_ARITHMETIC = (ast.Mult, ast.Div, ast.Add, ast.Sub)
