"""Statements that may shorten gradients: those that bound a value, or rescale one by a factor that is not always there.

Whether they do is seen when the script is replayed with and without them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from gradcheck.script.source.syntax import FunctionNode, called_name, text_of, walk

# the attribute of a statement that may be left out of replays, with the text that tells it from others
MAY_CLIP = "gradcheck_may_clip"
_BOUNDS = frozenset({"clip", "clip_by_value", "clamp"})
# what a factor is made with that shortens what is too long
_SHORTENS = frozenset({"norm", "min", "max", "minimum", "maximum"})


def with_clips_marked(tree: ast.Module) -> ast.Module:
    """Return the tree with a mark at each statement that may clip gradients."""
    statements = list(_statements(tree.body))
    factors = _conditional(statements)
    for statement in statements:
        if _may_shorten(statement, factors) or bounds(statement):
            setattr(statement, MAY_CLIP, text_of(statement))
    return tree


def bounds(statement: ast.stmt) -> bool:
    """Whether a simple statement calls something that puts bounds to a value."""
    if not isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.Return):
        return False
    return any(bounded(node) is not None for node in walk(statement))


def bounded(call: ast.AST) -> ast.expr | None:
    """Return what a call puts bounds to; None where it writes that elsewhere, and of anything else."""
    if not isinstance(call, ast.Call) or called_name(call) not in _BOUNDS:
        return None
    match call.func:
        case ast.Attribute(value, _) if len(call.args) + len(call.keywords) < _OWN_ARGUMENTS:
            found = value
        case _ if call.args:
            found = call.args[0]
        case _:
            return None
    places = [text_of(keyword.value) for keyword in call.keywords if keyword.arg == "out"]
    return found if all(place == text_of(found) for place in places) else None


# of NumPy's function, with the array; its method has the bounds alone
_OWN_ARGUMENTS = 3


def is_symmetric(statement: ast.stmt) -> bool:
    """Whether all bounds that a statement puts are a number and its negative, as of gradients, and not of ratios."""
    calls = [node for node in walk(statement) if isinstance(node, ast.Call) and bounded(node) is not None]
    return all(_negative(call.args) for call in calls)


def _negative(arguments: Sequence[ast.expr]) -> bool:
    match arguments:
        case [*_, ast.UnaryOp(ast.USub(), low), high]:
            return text_of(low) == text_of(high)
    return False


def may_clip(source_tree: ast.AST) -> list[ast.stmt]:
    """Return the statements below a node that are marked."""
    return [node for node in walk(source_tree) if isinstance(node, ast.stmt) and hasattr(node, MAY_CLIP)]


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Return statements with all that stand in them."""
    for statement in body:
        yield statement
        for inner in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, inner, ()))
        for handler in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _statements(handler.body)


def _conditional(statements: Sequence[ast.stmt]) -> dict[str, bool]:
    """Return the variables that may be a factor, and whether it is one that is not always there."""
    found: dict[str, bool] = {}
    for statement in statements:
        if isinstance(statement, ast.If):
            names = (s.targets[0] for s in statement.body if isinstance(s, ast.Assign) and len(s.targets) == 1)
            found |= {name.id: True for name in names if isinstance(name, ast.Name)}
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            found[name] = found.get(name, False) or _shortens(statement.value, {})
    return found


def _shortens(factor: ast.expr, known: Mapping[str, bool]) -> bool:
    """Whether a factor depends on a length or a bound, or is one of several."""
    for node in walk(factor):
        if isinstance(node, ast.Call) and called_name(node) in _SHORTENS:
            return True
        if isinstance(node, ast.IfExp) or (isinstance(node, ast.Name) and known.get(node.id, False)):
            return True
    return False


def _may_shorten(statement: ast.stmt, factors: Mapping[str, bool]) -> bool:
    """Whether a statement makes something longer or shorter than it was, under a condition or by such a factor."""
    match statement:
        case ast.If(test, body, []):
            compares = any(isinstance(node, ast.Compare) for node in walk(test))
            return compares and _rescales(body)
        case ast.For(_, _, body, []) if not any(isinstance(s, FunctionNode) for s in body):
            return _rescales(body) and any(_may_shorten(s, factors) for s in body)
    return any(_shortens(factor, factors) for factor in _own_factors(statement))


def _rescales(body: Sequence[ast.stmt]) -> bool:
    """Whether statements rescale something and do nothing else but compute by what."""
    found = False
    for statement in body:
        inside = isinstance(statement, ast.For) and not statement.orelse and _rescales(statement.body)
        if inside or any(True for _ in _own_factors(statement)):
            found = True
        elif not _is_aside(statement):
            return False
    return found


def _is_aside(statement: ast.stmt) -> bool:
    """Whether a statement gives a value to a variable, shows something or is a remark."""
    match statement:
        case ast.Assign([ast.Name()]) | ast.Expr(ast.Constant()):
            return True
        case ast.Expr(ast.Call() as call):
            return called_name(call) == "print"
    return False


def _own_factors(statement: ast.stmt) -> Iterator[ast.expr]:
    """Return by what a statement multiplies or divides what it assigns to: ``g *= s``, ``g = g / n``, item by item."""
    match statement:
        case ast.AugAssign(_, ast.Mult() | ast.Div(), factor):
            yield factor
        case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)) if len(targets) == len(values):
            every = [_times(target, value) for target, value in zip(targets, values, strict=True)]
            yield from (each for each in every if each is not None and None not in every)
        case ast.Assign([target], value) if (times := _times(target, value)) is not None:
            yield times


def _times(target: ast.expr, value: ast.expr) -> ast.expr | None:
    """Return by what a value is a multiple of a target; None where it is none."""
    match value:
        case ast.ListComp(element, [ast.comprehension(each, items)]):
            return _times(each, element) if text_of(items) == text_of(target) else None
        case ast.DictComp(_, element, [ast.comprehension(ast.Tuple([_, each]), items)]):
            return _times(each, element) if text_of(items).startswith(text_of(target)) else None
        case ast.IfExp(_, one, other):
            same = text_of(target)
            changed = other if text_of(one) == same else one
            return value if same in (text_of(one), text_of(other)) and _times(target, changed) is not None else None
        case ast.BinOp(left, ast.Mult(), right):
            return value if _is_factor(target, left) or _is_factor(target, right) else None
        case ast.BinOp(left, ast.Div(), _):
            return value if _is_factor(target, left) else None
    return None


def _is_factor(target: ast.expr, value: ast.expr) -> bool:
    return text_of(value) == text_of(target) or _times(target, value) is not None
