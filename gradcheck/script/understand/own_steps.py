"""Step sizes of their own: weights that are moved by one learning rate, and biases by another."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import replace

from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import is_step_size
from gradcheck.script.source.syntax import walk
from gradcheck.script.source.updates import moves_in
from gradcheck.script.understand.rates import evaluated, in_sight, powers

_SAME = 1e-9


def with_own_steps(source: SourceFile, backward: Backward) -> list[Backward]:
    """Return the backward and, where the step sizes of its parameters differ, also with all steps by one of these."""
    if backward.kind is not Kind.CHANGE or len(backward.pairs) < 2:
        return [backward]
    sizes = [None if pair.update is None else _step_size(source, backward, pair.update.step) for pair in backward.pairs]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) or all(math.isclose(value, known[0][1], rel_tol=_SAME) for _, value in known):
        return [backward]
    common, size = min(known, key=lambda one: (not is_step_size(one[0]), not one[0].isidentifier(), len(one[0])))
    pairs = tuple(
        pair if text == common else replace(pair, own_step=_shown(text, value), stretch=size / value)
        for pair, (text, value) in zip(backward.pairs, known, strict=True)
    )
    return [backward, replace(backward, pairs=pairs)]


def _shown(text: str, value: float) -> str:
    return text if text == f"{value:.6g}" else f"{text} = {value:.6g}"


def _step_size(source: SourceFile, backward: Backward, step: ast.expr) -> tuple[str, float] | None:
    """Return the one number that a step is multiplied by and that nothing but steps is, with how it is written."""
    known = in_sight(backward)
    found: list[tuple[str, float]] = []
    for factor in _whole(step):
        value = evaluated(factor, known)
        if value is not None and _is_of_steps(source, factor):
            found.append((ast.unparse(factor), value))
    named = [(text, value) for text, value in found if is_step_size(text)]
    return (named or found)[0] if len(named or found) == 1 else None


def _whole(step: ast.expr) -> list[ast.expr]:
    """Return what a step is multiplied by; of a sum of multiples of one thing, the sum of these."""
    terms = _terms(step)
    if len(terms) > 1:
        split = [_split(term) for term in terms]
        if len({rest for _, rest in split}) == 1 and all(number is not None for number, _ in split):
            return [_sum([number for number, _ in split if number is not None])]
    return [factor for factor, power in powers(step, 1) if power > 0]


def _terms(step: ast.expr) -> list[ast.expr]:
    match step:
        case ast.BinOp(left, ast.Add(), right):
            return [*_terms(left), *_terms(right)]
    return [step]


def _split(term: ast.expr) -> tuple[ast.expr | None, str]:
    """Return the name or number that a term begins with, and what it multiplies."""
    match term:
        case ast.BinOp(ast.Name() | ast.Attribute() | ast.Constant() as number, ast.Mult(), rest):
            return number, ast.unparse(rest)
    return None, ast.unparse(term)


def _sum(terms: Sequence[ast.expr]) -> ast.expr:
    whole = terms[0]
    for term in terms[1:]:
        whole = ast.copy_location(ast.BinOp(whole, ast.Add(), term), whole)
    return whole


def _is_of_steps(source: SourceFile, factor: ast.expr) -> bool:
    """Whether a factor is a fraction that is written out, or is of names that are read nowhere but in steps."""
    if isinstance(factor, ast.Constant):
        return isinstance(factor.value, float)
    parts = [part for part in walk(factor) if isinstance(part, ast.Name | ast.Attribute)]
    names = {ast.unparse(part) for part in parts}
    names -= {ast.unparse(part.value) for part in parts if isinstance(part, ast.Attribute)}
    return bool(names) and all(is_step_size(name) or _is_read_in_steps(source, name) for name in names)


def _is_read_in_steps(source: SourceFile, name: str) -> bool:
    read = [id(node) for node in walk(source.tree) if _is_read(node, name)]
    steps = {id(node) for update in moves_in(source.tree) for node in walk(update.step)}
    return bool(read) and all(node in steps for node in read)


def _is_read(node: ast.AST, name: str) -> bool:
    is_name = isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
    return is_name and ast.unparse(node) == name
