"""What steps and gradients are made of: the step sizes and other numbers that a script multiplies them by."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from gradcheck.script.record.leaves import leaves
from gradcheck.script.record.run import Call
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.units import moved_base
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import base_name, fold, is_step_size
from gradcheck.script.source.syntax import Code, Function, Loop, assigned_names, called_name, loaded_names, walk
from gradcheck.script.source.updates import Update, factors

_SMALLEST_RATE, _LARGEST_RATE = 1e-6, 10
# functions that solve systems of equations
_SOLVING = {"solve", "inv", "pinv", "lstsq", "cho_solve", "lu_solve", "solve_triangular", "spsolve"}


def is_solved_for(source: SourceFile, backward: Backward) -> bool:
    """Whether steps come out of a system of equations, as those of Newton and Gauss-Newton: they are no gradients."""
    written = [pair.update.step for pair in backward.pairs if pair.update is not None]
    written += [pair.output.expression for pair in backward.pairs if pair.output.expression is not None]
    kept = [pair.output.leaf.name for pair in backward.pairs if pair.output.kind is Kind.KEPT]
    parts = _products(source, backward.function, [*written, *(ast.Name(name, ast.Load()) for name in kept)])
    return any(isinstance(part, ast.Call) and called_name(part) in _SOLVING for part in parts)


def _products(source: SourceFile, code: Code, expressions: Sequence[ast.expr]) -> Iterator[ast.expr]:
    """Return what expressions are products and sums of, also what is kept under names or returned by what they call."""
    pending, seen = [(code, expression) for expression in expressions], set[tuple[str, str]]()
    while pending:
        code, expression = pending.pop()
        for part in factors(expression, dots=True):
            yield part
            name = called_name(part) if isinstance(part, ast.Call) else part.id if isinstance(part, ast.Name) else ""
            if not name or (code.name, name) in seen:
                continue
            seen.add((code.name, name))
            if isinstance(part, ast.Name):
                pending += [(code, s.value) for s in code.assignments(name) if s.value is not None]
            else:
                called = [other for other in source.functions.values() if other.short_name == name]
                pending += [(other, s.value) for other in called for s in other.returns if s.value is not None]


def in_sight(backward: Backward) -> dict[str, Any]:
    """Return the variables that the code sees."""
    call = backward.example
    return {**call.variables, **call.local_variables, **call.arguments}


def rates_in_sight(backward: Backward) -> list[float]:
    """Return the numbers that may be step sizes: those with such a name, and those that gradients are multiplied by."""
    return [*(abs(value) for value in step_sizes(backward).values()), *written_rates(backward)]


def written_rates(backward: Backward) -> list[float]:
    """Return the numbers between 0 and 1 that are factors of what flows into the gradients, also those with a name."""
    function, known = backward.function, in_sight(backward)
    expressions = [pair.output.expression for pair in backward.pairs if pair.output.expression is not None]
    names = {name for expression in expressions for name in loaded_names(expression)}
    kept = {pair.output.leaf.name for pair in backward.pairs if pair.output.kind is Kind.KEPT}
    # an object has another name where it is seen than in its own methods
    bases = {base_name(name) for name in kept if "." in name}
    targets = {
        name for s in function.statements if isinstance(s, ast.Assign | ast.AugAssign) for name in assigned_names(s)
    }
    kept |= {name for name in targets if "." in name and base_name(name) in bases}
    # what is stored in a container is assigned to that
    names |= kept | {name.partition("[")[0] for name in kept}
    parts = [*_factors_of(function, names), *(part for value in expressions for part in factors(value, dots=True))]
    numbers = {number for part in parts if (number := evaluated(part, known)) is not None}
    return sorted(number for number in numbers if _SMALLEST_RATE < number < 1)


def of_one_step_size(backward: Backward) -> tuple[Call, ...]:
    """Return the moments at which the named step sizes are those of the first one, where these are several."""
    sizes = [step_sizes(backward, moment) for moment in backward.moments]
    same = tuple(moment for moment, own in zip(backward.moments, sizes, strict=True) if own == sizes[0])
    return same if len(same) > 1 else backward.moments


def step_sizes(backward: Backward, moment: Call | None = None) -> dict[str, float]:
    """Return the named step sizes that the code mentions, as they are at a moment; as in the example without one."""
    found: dict[str, float] = {}
    call, mentioned = moment or backward.example, backward.function.names
    for name, value in {**call.variables, **call.arguments}.items():
        for leaf in leaves(name, value):
            if is_step_size(leaf.name) and leaf.name in mentioned and leaf.shape == () and leaf.value:
                found[leaf.name] = float(leaf.value)
    return found


def rates_of(backward: Backward) -> Iterator[tuple[float, str]]:
    """Return the step sizes that may be in the updates, with how they are written, and what they are all in all."""
    yield from named_rates(backward)
    yield from (found for update in _own(backward) if (found := _coefficient(update, backward)) is not None)
    yield from folded_rates(backward)


def folded_rates(backward: Backward) -> Iterator[tuple[float, str]]:
    """Return the numbers that what flows into a bare step is multiplied by: a step size may be folded in earlier."""
    known = in_sight(backward)
    for update in _own(backward):
        if _has_rate(update) or _scalars(update, backward):
            continue
        for factor in _factors_of(backward.function, loaded_names(update.step)):
            value = evaluated(factor, known)
            if value is not None and value <= _LARGEST_RATE:
                yield value, ast.unparse(factor)


def _factors_of(function: Function | Loop, names: set[str]) -> Iterator[ast.expr]:
    """Return what the values of some names, and of all that flows into them, are products and sums of."""
    for name in names | function.feeds(names):
        for statement in function.assignments(name):
            if statement.value is not None:
                yield from factors(statement.value, dots=True)


def named_rates(backward: Backward) -> Iterator[tuple[float, str]]:
    """Return the step sizes in the updates by themselves.

    Those with a name; else the numbers that a step is multiplied by; and 1 where there is none.
    """
    mentioned = {name for update in backward.updates for name in _written(update)}
    named = False
    for name, value in in_sight(backward).items():
        if name.startswith("__"):
            continue
        for leaf in leaves(name, value):
            if is_step_size(leaf.name) and leaf.shape == () and leaf.value and _mentions(mentioned, leaf.name):
                named = True
                yield abs(float(leaf.value)), leaf.name
    if not named:
        unnamed = {name: value for update in _own(backward) for name, value in _scalars(update, backward).items()}
        yield from ((value, name) for name, value in unnamed.items())
        yield from ((number, f"{number:g}") for update in _own(backward) for number in _numbers(update))
        if any(not _scalars(update, backward) and not _has_rate(update) for update in _own(backward)):
            yield 1.0, ""


def _has_rate(update: Update) -> bool:
    return any(is_step_size(name) for name in _written(update)) or bool(_numbers(update))


def _scalars(update: Update, backward: Backward) -> dict[str, float]:
    """Return the single numbers that a step is multiplied by: a step size may have a name in any language."""
    known = in_sight(backward)
    found = {}
    for factor in factors(update.step, dots=True):
        value = known.get(ast.unparse(factor))
        if isinstance(value, int | float | np.number) and not isinstance(value, bool) and 0 < value <= _LARGEST_RATE:
            found[ast.unparse(factor)] = float(value)
    return found


def _mentions(mentioned: frozenset[str] | set[str], name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return name in mentioned or any(other.rsplit(".", 1)[-1] == last for other in mentioned)


def _own(backward: Backward) -> list[Update]:
    return [pair.update for pair in backward.pairs if pair.update is not None]


def _written(update: Update) -> set[str]:
    return {ast.unparse(node) for node in walk(update.step) if isinstance(node, ast.Name | ast.Attribute)}


def _numbers(update: Update) -> list[float]:
    """Return the numbers that a whole step is multiplied by; where there is none, those in its terms."""
    whole = _positive(factor for factor, power in powers(update.step, 1) if power > 0)
    return whole or _positive(factors(update.step, dots=True))


def _positive(parts: Iterable[ast.expr]) -> list[float]:
    numbers = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, int | float)]
    return [float(number) for number in numbers if number > 0]


def _coefficient(update: Update, backward: Backward) -> tuple[float, str] | None:
    """Return the product of all numbers that a step is multiplied and divided by: ``eta / len(batch)``."""
    known = {**backward.example.variables, **backward.example.arguments, **backward.example.local_variables}
    value, texts = 1.0, list[str]()
    for factor, power in powers(update.step, 1):
        number = evaluated(factor, known)
        if number is not None:
            value *= number**power
            texts.append(f"{'*' if power > 0 else '/'} {ast.unparse(factor)}")
    text = " ".join(texts)
    return (value, text.removeprefix("* ") if text[:1] == "*" else f"1 {text}") if texts else None


def powers(expression: ast.expr, power: int) -> Iterator[tuple[ast.expr, int]]:
    """Return what an expression is a product and quotient of, each with its power."""
    match expression:
        case ast.BinOp(left, ast.Mult() | ast.Div() | ast.MatMult() as sign, right):
            yield from powers(left, power)
            yield from powers(right, -power if isinstance(sign, ast.Div) else power)
        case ast.UnaryOp(ast.USub() | ast.UAdd(), inner):
            yield from powers(inner, power)
        case _:
            yield expression, power


def evaluated(expression: ast.expr, known: dict[str, Any]) -> float | None:
    """Return the number that an expression without calls of the script's own stands for; None where it is none."""
    harmless = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    for node in walk(expression):
        is_length = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("len", "float")
        if not isinstance(node, harmless) and not isinstance(node, ast.expr_context) and not is_length:
            return None
    try:
        value = eval(
            compile(ast.Expression(expression), "<step>", "eval", dont_inherit=True),
            {"len": len, "float": float, **known},
        )
    except Exception:  # noqa: BLE001 - what is not in sight any more may fail in any way
        return None
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return float(value) if is_number and np.isfinite(value) and value > 0 else None


def is_plain(backward: Backward) -> bool:
    """Whether every parameter is moved once, by a statement of its own, by nothing that goes on from step to step."""
    node = backward.function.node
    loops = [part for part in walk(node) if isinstance(part, ast.For | ast.While) and part is not node]
    repeated = {line for loop in loops for line in range(loop.lineno, (loop.end_lineno or loop.lineno) + 1)}
    made_anew = {
        fold(name)
        for statement in backward.function.statements
        if isinstance(statement, ast.Assign)
        for name in assigned_names(statement) - loaded_names(statement.value)
    }
    remembered = {moved_base(update.target) for update in backward.updates} - made_anew
    return all(
        pair.update is not None
        and pair.update.exact
        and pair.update.line not in repeated
        and not remembered & {moved_base(source) for source in pair.update.sources - {pair.update.target}}
        for pair in backward.pairs
    )
