"""By what a script multiplies a gradient when it moves its parameters in place: known only up to that factor."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import numpy as np

from gradcheck.result import CheckResult
from gradcheck.script.backward import Backward
from gradcheck.script.leaves import leaves
from gradcheck.script.names import is_maximised, is_step_size, is_undirected
from gradcheck.script.replay import LossExpression
from gradcheck.script.scale import Scale, agreeing, common_constant, enough_values
from gradcheck.script.units import moved_base
from gradcheck.script.updates import Update, factors

_SAME = 1e-6
_LARGEST_RATE = 10


def step_scale(backward: Backward, loss: LossExpression, probes: Sequence[CheckResult]) -> Scale | None:
    """Return what the changes of parameters are, as a multiple of the gradient; None if they seem to be no multiple.

    The step sizes that the code mentions are tried, and the numbers that it multiplies by. If none of them makes a
    parameter agree, a factor that several parameters have in common is taken: where the loss is no more than a guess,
    or where it differs from a step size by the number of samples, as the mean does from the sum. If nothing has a
    factor in common, everything may be wrong: then a single known step size is taken, if the script moves its
    parameters by plain products.

    Parameters
    ----------
    backward : Backward
        The code with the parameters that it moves.
    loss : LossExpression
        The loss.
    probes : sequence of CheckResult
        Numerical gradients, and changes, at several points.
    """
    signs = _signs(backward, loss)
    rates = dict(_rates(backward))
    known = [Scale(sign * rate, text, applied=True) for sign in signs for rate, text in rates.items()]
    votes = [agreeing(backward, scale.value, probes) for scale in known]
    if any(votes):
        return known[int(np.argmax(votes))]
    constant, count = common_constant(backward, probes)
    telling = 2 * count >= len(backward.names) and count > 0 and enough_values(backward, probes)
    if telling and np.sign(constant) in signs:
        if text := _by_samples(constant, known, backward):
            return Scale(constant, text, applied=True)
        if not loss.near or not known:
            return Scale(constant, "", applied=True)
    if len(rates) == 1 and loss.near and _is_plain(backward):
        return known[0]
    return None


def _signs(backward: Backward, loss: LossExpression) -> list[float]:
    """Return in which directions of the gradient steps may go: down, or up where the loss is to be made large.

    A name such as ``J`` or ``objective`` leaves that open; then steps that are added may go up.
    """
    if is_maximised(loss.name):
        return [1.0]
    adds = all(pair.update is not None and pair.update.adds for pair in backward.pairs)
    return [-1.0, 1.0] if adds and is_undirected(loss.name) else [-1.0]


def _rates(backward: Backward) -> Iterator[tuple[float, str]]:
    """Return the step sizes that may be in the updates, with how they are written.

    Those with a name; else the numbers up to 1 that a step is multiplied by; and 1 where there is none.
    """
    mentioned = {name for update in backward.updates for name in _written(update)}
    call, named = backward.example, False
    for name, value in {**call.variables, **call.local_variables, **call.arguments}.items():
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
    return any(is_step_size(name) for name in _written(update)) or any(True for _ in _numbers(update))


def _scalars(update: Update, backward: Backward) -> dict[str, float]:
    """Return the single numbers that a step is multiplied by: a step size may have a name in any language."""
    call = backward.example
    known = {**call.variables, **call.local_variables, **call.arguments}
    found = {}
    for factor in factors(update.step, dots=True):
        value = known.get(ast.unparse(factor))
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _LARGEST_RATE:
            found[ast.unparse(factor)] = float(value)
    return found


def _mentions(mentioned: frozenset[str] | set[str], name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return name in mentioned or any(other.rsplit(".", 1)[-1] == last for other in mentioned)


def _own(backward: Backward) -> list[Update]:
    return [pair.update for pair in backward.pairs if pair.update is not None]


def _written(update: Update) -> set[str]:
    return {ast.unparse(node) for node in ast.walk(update.step) if isinstance(node, ast.Name | ast.Attribute)}


def _numbers(update: Update) -> Iterator[float]:
    for factor in factors(update.step, dots=True):
        if isinstance(factor, ast.Constant) and isinstance(factor.value, int | float) and 0 < factor.value <= 1:
            yield float(factor.value)


def _by_samples(constant: float, known: Sequence[Scale], backward: Backward) -> str:
    """Return the factor as a step size times or through a number of samples, if it is one."""
    call = backward.example
    if not any(isinstance(node, ast.Div) for s in backward.function.statements for node in ast.walk(s)):
        return ""
    sizes: dict[float, None] = {}
    for value in (*call.local_variables.values(), *call.arguments.values(), *call.variables.values()):
        if isinstance(value, np.ndarray | list | tuple):
            sizes |= dict.fromkeys(
                float(n) for n in (np.shape(value) if isinstance(value, np.ndarray) else [len(value)])
            )
    for scale in known:
        ratio = constant / scale.value
        for size in sizes:
            if size > 1 and abs(ratio * size - 1) < _SAME:
                return f"{scale.text} / {size:.0f}"
            if size > 1 and abs(ratio / size - 1) < _SAME:
                return f"{scale.text} * {size:.0f}"
    return ""


def _is_plain(backward: Backward) -> bool:
    """Whether every parameter is moved by one statement of its own, by nothing that goes on from step to step."""
    remembered = {moved_base(update.target) for update in backward.updates}
    return all(
        pair.update is not None
        and pair.update.exact
        and not remembered & {moved_base(source) for source in pair.update.sources - {pair.update.target}}
        for pair in backward.pairs
    )
