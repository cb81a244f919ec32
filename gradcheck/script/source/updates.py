"""How a script moves its parameters: the statements that add a step to something, and what was seen to happen."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from gradcheck.script.source.names import is_step_size
from gradcheck.script.source.syntax import as_assignment, as_operator, called_name, loaded_names, text_of, walk

# the attribute of an assignment whose result becomes the value of another variable, by the name of what it assigns to
MOVED_AS = "moved_as"


@dataclass(frozen=True)
class Update:
    """A statement that moves a parameter: ``w -= rate * grad`` or ``w = w - rate * grad``.

    Attributes
    ----------
    sources : frozenset of str
        The names that the step is a product or sum of, step sizes left out.
    bare : bool
        Whether the step is one name alone, with no factor.
    steps : bool
        Whether a step size or a number is in it.
    exact : bool
        Whether the step is added to the target as it is: not to a part of it, nor to each of its elements.
    decay : str or None
        By what the target itself is multiplied and added to the step: ``-rate * weight_decay``.
    """

    target: str
    sources: frozenset[str]
    adds: bool
    bare: bool
    steps: bool
    line: int
    step: ast.expr
    exact: bool = True
    decay: str | None = None

    @property
    def counts(self) -> bool:
        """Whether the step is a plain number, as that of a counter is."""
        return all(isinstance(part, ast.Constant) for part in factors(self.step))


@dataclass(frozen=True)
class Motion:
    """A parameter's change from one recorded moment to the next, against the gradient returned in between.

    Attributes
    ----------
    sign : int
        1 where it moved along what was returned, -1 against it, 0 where neither was to be seen.
    factor : float or None
        The change as a multiple of what was returned; None where it was none.
    is_value : bool
        Whether what was returned is the parameter itself, as it was afterwards.
    """

    sign: int = 0
    factor: float | None = None
    is_value: bool = False

    @property
    def is_bare(self) -> bool:
        """Whether just what was returned was added or subtracted."""
        return self.factor is not None and math.isclose(abs(self.factor), 1, rel_tol=1e-6)


def updates_in(tree: ast.AST) -> tuple[Update, ...]:
    """Return all statements of a script that add a step to something, or subtract it."""
    return tuple(update for update in moves_in(tree) if update.exact)


@lru_cache(maxsize=4096)
def moves_in(tree: ast.AST) -> tuple[Update, ...]:
    """Return also the statements that add a step to a part of something, or to each of its elements."""
    return tuple(update for node in walk(tree) for update in updates_of(node))


def updates_of(node: ast.AST) -> Iterator[Update]:
    """Return what a statement moves by a step."""
    node = as_assignment(node) if isinstance(node, ast.Expr) else node
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub) and not _is_joined(node.value):
        yield _update(node.target, _in_operators(node.value), isinstance(node.op, ast.Add), node.lineno)
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        targets, values = [node.targets[0]], [node.value]
        if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            targets, values = node.targets[0].elts, node.value.elts
        moved_as = getattr(node, MOVED_AS, {})
        for target, value in zip(targets, values, strict=False):
            name = moved_as.get(text_of(target))
            place = target if name is None else ast.copy_location(ast.Name(name, ast.Store()), target)
            yield from _assigned(place, _in_operators(value), node.lineno)


def _in_operators(expression: ast.expr) -> ast.expr:
    """Return an expression with operators for functions of NumPy: ``a - b`` for ``np.subtract(a, b)``."""
    match as_operator(expression):
        case ast.BinOp(left, operator, right):
            found: ast.expr = ast.BinOp(_in_operators(left), operator, _in_operators(right))
        case ast.UnaryOp(operator, operand):
            found = ast.UnaryOp(operator, _in_operators(operand))
        case ast.Call(ast.Name("float"), [ast.BinOp() as number], []):
            return _in_operators(number)
        case _:
            return expression
    return ast.copy_location(found, expression)


def _is_joined(value: ast.expr) -> bool:
    """Whether adding a value makes a list or a text longer."""
    match value:
        case ast.List() | ast.Tuple() | ast.JoinedStr() | ast.Constant(str()):
            return True
        case ast.ListComp(element):
            return not isinstance(element, ast.BinOp)
    return False


def hands_on(statement: ast.stmt) -> bool:
    """Whether a value is what a call makes of itself: ``w = step(w, by)``, ``w = concatenate([w[:9] - by])``."""
    match statement:
        case ast.Assign([target], ast.Call(_, arguments) as call):
            name = text_of(target)
            others = {text_of(part) for part in arguments if not isinstance(part, ast.Constant)}
            inside = (node for node in walk(call) if isinstance(node, ast.BinOp))
            return (name in others and len(others) > 1) or any(_adds_to(node, name) for node in inside)
    return False


def handed_beside(statements: Iterable[ast.stmt]) -> dict[str, set[str]]:
    """Return what calls are handed beside what they make anew: ``w`` with ``g``, for ``w = step(w, -g / n)``."""
    found: dict[str, set[str]] = {}
    for statement in statements:
        match statement:
            case ast.Assign([target], ast.Call(_, arguments)) if hands_on(statement):
                others = [part for part in arguments if text_of(part) != text_of(target)]
                found.setdefault(text_of(target), set()).update(name for part in others for name in _terms(part))
    return found


def _adds_to(node: ast.BinOp, name: str) -> bool:
    """Whether something is added to a value or to a part of it."""
    place = node.left
    while isinstance(place, ast.Subscript | ast.Call | ast.Attribute):
        place = place.func if isinstance(place, ast.Call) else place.value
    return isinstance(node.op, ast.Add | ast.Sub) and text_of(place) == name


def _assigned(target: ast.expr, value: ast.expr, line: int) -> Iterator[Update]:
    """Return the update that an assignment is: of the target itself, shrunk perhaps, or of each of its elements."""
    match value:
        case ast.BinOp(left, ast.Add() | ast.Sub() as sign, right) if not _is_joined(right):
            if any(text_of(factor) == text_of(target) for factor in factors(left)):
                shrunk = None if text_of(left) == text_of(target) else left
                yield _update(target, right, isinstance(sign, ast.Add), line, shrunk)
        case ast.ListComp(element, [loop]) | ast.DictComp(_, element, [loop]):
            yield from _comprehended(target, element, loop, line)
        case ast.List(parts) | ast.Tuple(parts) | ast.Dict(_, parts):
            for part in parts:
                yield from _rebuilt(target, part, line)


def _rebuilt(target: ast.expr, value: ast.expr, line: int) -> Iterator[Update]:
    """Return the updates in what a container is made anew of: ``layers = [(layers[0][0] - rate * dw, ...), ...]``."""
    match value:
        case ast.BinOp(ast.Subscript() as place, ast.Add() | ast.Sub() as sign, right):
            whole: ast.expr = place
            while isinstance(whole, ast.Subscript):
                whole = whole.value
            if text_of(whole) == text_of(target):
                yield _update(place, right, isinstance(sign, ast.Add), line)
        case ast.List(parts) | ast.Tuple(parts) | ast.Dict(_, parts):
            for part in parts:
                yield from _rebuilt(target, part, line)


def _comprehended(target: ast.expr, element: ast.expr, loop: ast.comprehension, line: int) -> Iterator[Update]:
    """Return the update that a comprehension is: ``[w - rate * g for w, g in zip(weights, grads)]``."""
    match element:
        case ast.BinOp(left, ast.Add() | ast.Sub() as sign, right):
            pass
        case _:
            return
    walked = _walked(loop)
    exact = walked.get(text_of(left)) == text_of(target)
    read = loaded_names(right)
    sources = frozenset(source for name, source in walked.items() if name in read and not is_step_size(source))
    if not walked:
        sources = frozenset(loaded_names(loop.iter)) - {text_of(target)}
    yield Update(text_of(target), sources, isinstance(sign, ast.Add), False, True, line, right, exact)


def _walked(loop: ast.comprehension) -> dict[str, str]:
    """Return what each variable of a comprehension over ``zip`` runs through."""
    match loop.iter, loop.target:
        case ast.Call(ast.Name("zip"), arguments), ast.Tuple(names) if len(arguments) == len(names):
            return {text_of(name): text_of(argument) for name, argument in zip(names, arguments, strict=True)}
    return {}


def _update(target: ast.expr, step: ast.expr, adds: bool, line: int, shrunk: ast.expr | None = None) -> Update:
    terms = set(_terms(step))
    sources = frozenset(name for name in terms if not is_step_size(name))
    bare = isinstance(step, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    steps = terms != sources or any(isinstance(part, ast.Constant) for part in factors(step))
    decay = _decay(target, step, adds, shrunk)
    return Update(text_of(target), sources, adds, bare, steps, line, step, shrunk is None, decay)


def _decay(target: ast.expr, step: ast.expr, adds: bool, shrunk: ast.expr | None) -> str | None:
    """Return the coefficient of the target in its own change; None where it is not in there."""
    in_step = coefficient(step, text_of(target))
    parts = [] if in_step is None else [f"{'+' if adds else '-'}({text_of(in_step)})"]
    if shrunk is not None and (kept := coefficient(shrunk, text_of(target))) is not None:
        parts.append(f"+({text_of(kept)}) - 1")
    return " ".join(parts) or None


def coefficient(expression: ast.expr, name: str) -> ast.expr | None:
    """Return what a name is multiplied by in an expression that is linear in it; None where it is not in there."""
    if text_of(expression) == name:
        return ast.Constant(1)
    match expression:
        case ast.UnaryOp(ast.USub(), inner):
            found = coefficient(inner, name)
            return None if found is None else ast.UnaryOp(ast.USub(), found)
        case ast.BinOp(left, ast.Add() | ast.Sub() as sign, right):
            one, other = coefficient(left, name), coefficient(right, name)
            if one is None or other is None:
                alone = other if isinstance(sign, ast.Add) or other is None else ast.UnaryOp(ast.USub(), other)
                return alone if one is None else one
            return ast.BinOp(one, sign, other)
        case ast.BinOp(left, ast.Mult() | ast.Div() as sign, right):
            if (found := coefficient(left, name)) is not None:
                return ast.BinOp(found, sign, right)
            found = coefficient(right, name) if isinstance(sign, ast.Mult) else None
            return None if found is None else ast.BinOp(left, sign, found)
    return None


def _terms(step: ast.expr) -> Iterator[str]:
    """Return the names that a step is a product, quotient or sum of; what is inside dot products is not."""
    for factor in factors(step):
        if isinstance(factor, ast.Name | ast.Attribute | ast.Subscript):
            yield text_of(factor)
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
