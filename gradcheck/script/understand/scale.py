"""The factor between what a script calls its gradients, or its steps, and the gradient of a loss."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from gradcheck.script.record.leaves import leaves
from gradcheck.script.record.run import Call
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.replay.stage import LossExpression
from gradcheck.script.replay.units import moved_base
from gradcheck.script.source.names import base_name, fold, is_maximised, is_step_size, is_undirected, loss_rank
from gradcheck.script.source.syntax import Function, Loop, assigned_names, called_name, loaded_names, walk
from gradcheck.script.source.updates import Update, factors
from gradcheck.script.understand.agreement import Agreement, agreement, common_constant, enough_values
from gradcheck.script.understand.probing import Probe

_SMALLEST_RATE, _LARGEST_RATE = 1e-6, 10
# factors that differ by less are the same
_SAME = 1e-4
# functions that solve systems of equations
_SOLVING = {"solve", "inv", "pinv", "lstsq", "cho_solve", "lu_solve", "solve_triangular", "spsolve"}
# rank of a name that people give to nothing but a loss
_CERTAIN = 2


@dataclass(frozen=True)
class Scale:
    """What the gradients that a script computes, or its steps, are multiplied by.

    Attributes
    ----------
    value : float
        The whole factor; 1 for plain gradients.
    text : str
        Where it comes from: ``LEARNING_RATE``, ``-self.lr``; empty for 1.
    applied : bool
        Whether the parameters are moved in place, so that the gradient was seen in their changes.
    constant : float
        The part of it that the script does not explain: 2, 1/2, or a number of samples. Plain descent sees only
        another step size; it is a mistake for everything that compares the gradient with the loss.
    length : str
        What has the length that the constant is made of, in words.
    upwards : bool
        Whether the steps go up the loss, of which no name says that it is to be made small.
    """

    value: float = 1.0
    text: str = ""
    applied: bool = False
    constant: float = 1.0
    length: str = ""
    upwards: bool = False

    @property
    def without_constant(self) -> Scale:
        """The factor without its unexplained part: what the gradients would have to be multiplied by."""
        return Scale(self.value / self.constant, self.text, self.applied)

    def sentence(self, function: str) -> str:
        """Say what was seen."""
        if self.constant != 1:
            return self._about_constant(function)
        if self.applied:
            seen = f"{function} moves its parameters in place: the gradients shown are their changes"
            return f"{seen}, taken as {self._steps}"
        if self.value == -1 and self.upwards:
            return (
                f"{function} computes the negative gradient, and steps against it go up: the loss is to be made large"
            )
        if self.value == -1:
            return f"{function} returns the negative gradient, and the update adds it: a convention, not a mistake"
        if self.text.startswith("the sum"):
            return f"{function} computes {self.text}, which the update divides; the values shown are divided by it"
        name = f"{self.text} = {self.value:.6g}" if self.text else f"the constant {self.value:.6g}"
        return (
            f"the learning rate is folded in: {function} returns {name} times the gradient; "
            "the values shown are divided by it"
        )

    @property
    def _steps(self) -> str:
        way = "down" if self.value < 0 else "up"
        size = abs(self.value / self.constant)
        known = "" if self.text in ("", f"{size:.6g}") else f"{self.text} = "
        return f"steps of {known}{size:.6g} {way} the gradient"

    @property
    def factor(self) -> str:
        """Say which constant all gradients have in common."""
        factor = _fraction(self.constant)
        if self.length:
            factor += f" ({self.length})"
        return f"the gradients are {factor} times those of the loss as it is written"

    def _about_constant(self, function: str) -> str:
        seen = f" ({function} moves its parameters in place, by {self._steps})" if self.applied else ""
        return (
            f"{self.factor}{seen}: harmless for plain descent, which only sees another step size, but not for an "
            "optimizer that is handed the loss; the values shown are divided by it, and --strict calls it a mistake"
        )


def _fraction(constant: float) -> str:
    near = Fraction(constant).limit_denominator(1_000_000)
    return str(near) if math.isclose(float(near), constant, rel_tol=1e-9) else f"{constant:.6g}"


def read_scale(backward: Backward, loss: LossExpression, probes: Sequence[Probe]) -> Scale | None:
    """Return the factor between what a script computes and the gradient of a loss; None if there seems to be none.

    What the script itself shows comes first: no factor, a learning rate, a sign that the update turns around. If that
    does not explain all parameters, one that they have in common is taken, if it is one that is left out by habit.
    """
    shown = _step_scales(backward, loss) if backward.kind is Kind.CHANGE else _folded_scales(backward)
    found = [agreement(backward, scale.value, probes) for scale in shown]
    best = max(range(len(shown)), key=lambda k: found[k].count, default=None)
    if best is not None and found[best].is_whole:
        return shown[best]
    constant, seen = common_constant(backward, probes)
    explained = best is not None and found[best].count > 0
    turned = agreement(backward, -constant, probes)
    # the same factor with the other sign for the rest says which factor was meant, another factor says nothing
    most = 2 * seen.count > len(backward.names) or seen.count + turned.count == len(backward.names)
    if loss.is_implied or (backward.kind is Kind.CHANGE and not shown):
        most = most or 2 * seen.count >= len(backward.names)
    if enough_values(backward, probes) and (seen.is_whole or (most and not explained)):
        common = _common_scale(backward, loss, constant, shown, seen)
        if common is not None:
            return common
    if best is not None and explained:
        return shown[best]
    if _is_solved_for(backward):
        return None
    if backward.kind is Kind.CHANGE:
        rates = {rate for rate, _ in _folded_rates(backward)} or {rate for rate, _ in _named_rates(backward)}
        if len(rates) != 1 or not loss.near or not _is_plain(backward):
            return None
        return next(scale for scale in shown if abs(scale.value) in rates)
    return _flowing(backward)


def _is_solved_for(backward: Backward) -> bool:
    """Whether steps come out of a system of equations, as those of Newton and Gauss-Newton: they are no gradients."""
    written = [pair.update.step for pair in backward.pairs if pair.update is not None]
    written += [pair.output.expression for pair in backward.pairs if pair.output.expression is not None]
    kept = [pair.output.leaf.name for pair in backward.pairs if pair.output.kind is Kind.KEPT]
    parts = _products(backward.function, [*written, *(ast.Name(name, ast.Load()) for name in kept)])
    return any(isinstance(part, ast.Call) and called_name(part) in _SOLVING for part in parts)


def _products(function: Function | Loop, expressions: Sequence[ast.expr]) -> Iterator[ast.expr]:
    """Return what expressions are products and sums of, also those that are kept under names."""
    pending, seen = list(expressions), set[str]()
    while pending:
        for part in factors(pending.pop(), dots=True):
            yield part
            if isinstance(part, ast.Name) and part.id not in seen:
                seen.add(part.id)
                pending += [s.value for s in function.assignments(part.id) if s.value is not None]


def _common_scale(
    backward: Backward, loss: LossExpression, constant: float, shown: Sequence[Scale], seen: Agreement
) -> Scale | None:
    """Return a factor that several parameters have in common as a scale, if the script or habit explains it."""
    applied = backward.kind is Kind.CHANGE
    is_right_way = math.copysign(1.0, constant) in _ways(backward, loss)
    if applied and not is_right_way and (seen.is_whole or not shown):
        # a step that goes the wrong way: it is compared with one that goes the right way
        known = next((scale for scale in shown if math.isclose(abs(scale.value), abs(constant), rel_tol=_SAME)), None)
        return Scale(-constant, known.text if known else "", applied=True)
    if not is_right_way:
        return None
    if not applied and constant < 0 and not _only_adds(backward) and abs(constant + 1) < _SAME:
        return Scale(-1.0, upwards=True)
    if applied and not shown:
        return Scale(constant, "", applied=True)
    if loss.is_implied or (applied and not loss.near):
        # a loss that is not written down may have any factor
        natural = _natural(constant, [Scale(), *shown, *map(Scale, _rates_in_sight(backward))], backward)
        return Scale(constant, "", applied) if applied or natural else None
    return _natural(constant, shown, backward)


def _natural(constant: float, shown: Sequence[Scale], backward: Backward) -> Scale | None:
    """Return a factor as one that the script shows times 2, 1/2, a number of samples, or their products; or None."""
    lengths = _named_lengths(backward)
    for n, name in [(1, ""), *lengths.items()]:
        for two in (1.0, 2.0, 0.5):
            for power in (1, -1) if n > 1 else (1,):
                factor = two * float(n) ** power
                for scale in shown:
                    for sign in (1.0, -1.0):
                        whole = scale.value * factor * sign
                        if abs(constant / whole - 1) < _SAME:
                            length = f"`{name}` is {n}" if name else ""
                            return Scale(whole, scale.text, scale.applied, sign * factor, length)
    return None


# -- which way --------------------------------------------------------------------------------------------------------


def _ways(backward: Backward, loss: LossExpression) -> tuple[float, ...]:
    """Return which signs the factor may have, the likelier first.

    A script that adds what it computes steps along it, so what it computes should be the negative gradient; a loss
    that is to be made large turns that around. Where the loss's name leaves that open, added steps may go up.
    """
    up = is_maximised(loss.name)
    if backward.kind is Kind.CHANGE:
        added = all(pair.update is not None and pair.update.adds for pair in backward.pairs)
        is_open = loss_rank(loss.name) == 0 or (added and (loss_rank(loss.name) == 1 or is_undirected(loss.name)))
        return (1.0,) if up else (-1.0, 1.0) if is_open and not loss.is_implied else (-1.0,)
    along = [adds for pair in backward.pairs if (adds := _adds(pair, backward)) is not None]
    way = -1.0 if (bool(along) and all(along)) != up else 1.0
    is_open = loss_rank(loss.name) == 0 and not loss.is_implied and not up and bool(along)
    return (way, -way) if is_open else (way,)


def _adds(pair: GradientMap, backward: Backward) -> bool | None:
    """Return whether a parameter is moved along its gradient, as it was seen or else as some update is written."""
    if pair.adds is not None or pair.output.kind is not Kind.KEPT:
        return pair.adds
    name = base_name(pair.output.leaf.name)
    own = [update.adds for update in backward.updates if any(base_name(source) == name for source in update.sources)]
    return own[0] if own else None


def _only_adds(backward: Backward) -> bool:
    """Whether the script adds its steps: all of the parameters' or, where none was seen, all with a step size.

    Where no update is to be seen at all, as with an optimizer that calls the function, nothing speaks for it.
    """
    own = [pair.adds for pair in backward.pairs if pair.adds is not None]
    added = own or [update.adds for update in backward.updates if update.steps and update.sources]
    return bool(added) and all(added)


# -- gradients --------------------------------------------------------------------------------------------------------


def _folded_scales(backward: Backward) -> list[Scale]:
    """Return the constants that may be folded into gradients, 1 first.

    A step size can only be folded in where the script moves its parameters by just what was computed (``w -= delta``):
    then it is a named step size that the function mentions, or a number below 1 that is a factor of the gradients,
    perhaps merged with the 2 of a square. The sign may be reversed where the script adds its steps.
    """
    bare = all(pair.is_bare for pair in backward.pairs)
    steps = _step_sizes(backward) if bare else {}
    rates = _written_rates(backward) if bare and not steps else []
    found = [Scale(), *(Scale(value, text) for text, value in steps.items())]
    found += [Scale(merged * rate) for merged in (1.0, 2.0, 0.5) for rate in rates]
    if _only_adds(backward):
        found += [Scale(-scale.value, f"-{scale.text or f'{scale.value:.6g}'}") for scale in found]
    return found + [Scale(float(n), f"the sum over {n} samples") for n in _sample_counts(backward)]


def _flowing(backward: Backward) -> Scale:
    """Return what is taken where no parameter agrees: a named step size that flows into every gradient, else 1."""
    if all(pair.is_bare for pair in backward.pairs):
        for text, value in _step_sizes(backward).items():
            if all(_flows_into(backward.function, text, pair) for pair in backward.pairs):
                return Scale(-value, f"-{text}") if _only_adds(backward) else Scale(value, text)
    return Scale()


def _flows_into(function: Function | Loop, text: str, pair: GradientMap) -> bool:
    if pair.output.expression is None:
        return False
    names = loaded_names(pair.output.expression)
    return text in names | function.feeds(names)


def _sample_counts(backward: Backward) -> list[int]:
    """Return the numbers of samples by which the script divides what it has summed up, in its updates."""
    divides = [any(isinstance(node, ast.Div) for node in walk(u.step)) for u in backward.updates if not u.counts]
    return sorted(_named_lengths(backward)) if any(divides) else []


def _named_lengths(backward: Backward) -> dict[int, str]:
    """Return the numbers of samples that the code may have in sight, each with an expression for it.

    These are the lengths of what is no parameter, nor shaped as one; a whole number of that size may be its name.
    """
    shapes = {pair.slot.leaf.shape for pair in backward.pairs}
    found: dict[int, str] = {}
    names: dict[int, str] = {}
    for name, value in _in_sight(backward).items():
        if name.startswith("__"):
            continue
        if isinstance(value, int) and not isinstance(value, bool):
            names.setdefault(value, name)
        shape = getattr(value, "shape", None) if not isinstance(value, list) else (len(value),)
        if isinstance(shape, tuple) and shape and shape not in shapes:
            size = int(np.prod(shape))
            found.setdefault(shape[0], f"len({name})")
            found.setdefault(size, f"{name}.size")
    return {n: names.get(n, text) for n, text in found.items() if n > 1}


def _in_sight(backward: Backward) -> dict[str, Any]:
    """Return the variables that the code sees."""
    call = backward.example
    return {**call.variables, **call.local_variables, **call.arguments}


def _rates_in_sight(backward: Backward) -> list[float]:
    return [*(abs(value) for value in _step_sizes(backward).values()), *_written_rates(backward)]


def _written_rates(backward: Backward) -> list[float]:
    """Return the numbers between 0 and 1 that are factors of what flows into the gradients, also those with a name."""
    function, known = backward.function, _in_sight(backward)
    expressions = [pair.output.expression for pair in backward.pairs if pair.output.expression is not None]
    names = {name for expression in expressions for name in loaded_names(expression)}
    kept = {pair.output.leaf.name for pair in backward.pairs if pair.output.kind is Kind.KEPT}
    # what is stored in a container is assigned to that
    names |= kept | {name.partition("[")[0] for name in kept}
    parts = [*_factors_of(function, names), *(part for value in expressions for part in factors(value, dots=True))]
    numbers = {number for part in parts if (number := _evaluated(part, known)) is not None}
    return sorted(number for number in numbers if _SMALLEST_RATE < number < 1)


def of_one_step_size(backward: Backward) -> tuple[Call, ...]:
    """Return the moments at which the named step sizes are those of the first one, where these are several."""
    sizes = [_step_sizes(backward, moment) for moment in backward.moments]
    same = tuple(moment for moment, own in zip(backward.moments, sizes, strict=True) if own == sizes[0])
    return same if len(same) > 1 else backward.moments


def _step_sizes(backward: Backward, moment: Call | None = None) -> dict[str, float]:
    found: dict[str, float] = {}
    call, mentioned = moment or backward.example, backward.function.names
    for name, value in {**call.variables, **call.arguments}.items():
        for leaf in leaves(name, value):
            if is_step_size(leaf.name) and leaf.name in mentioned and leaf.shape == () and leaf.value:
                found[leaf.name] = float(leaf.value)
    return found


# -- steps ------------------------------------------------------------------------------------------------------------


def _step_scales(backward: Backward, loss: LossExpression) -> list[Scale]:
    """Return what steps may be, as multiples of the gradient: the step sizes that the code shows, in the right way."""
    # the code's own name for a step size comes last, and a name before a product
    rates = dict(_named_rates(backward))
    for rate, text in _rates(backward):
        rates.setdefault(rate, text)
    return [Scale(way * rate, text, applied=True) for way in _ways(backward, loss) for rate, text in rates.items()]


def _rates(backward: Backward) -> Iterator[tuple[float, str]]:
    """Return the step sizes that may be in the updates, with how they are written, and what they are all in all."""
    yield from _named_rates(backward)
    yield from (found for update in _own(backward) if (found := _coefficient(update, backward)) is not None)
    yield from _folded_rates(backward)


def _folded_rates(backward: Backward) -> Iterator[tuple[float, str]]:
    """Return the numbers that what flows into a bare step is multiplied by: a step size may be folded in earlier."""
    known = _in_sight(backward)
    for update in _own(backward):
        if _has_rate(update) or _scalars(update, backward):
            continue
        for factor in _factors_of(backward.function, loaded_names(update.step)):
            value = _evaluated(factor, known)
            if value is not None and value <= _LARGEST_RATE:
                yield value, ast.unparse(factor)


def _factors_of(function: Function | Loop, names: set[str]) -> Iterator[ast.expr]:
    """Return what the values of some names, and of all that flows into them, are products and sums of."""
    for name in names | function.feeds(names):
        for statement in function.assignments(name):
            if statement.value is not None:
                yield from factors(statement.value, dots=True)


def _named_rates(backward: Backward) -> Iterator[tuple[float, str]]:
    """Return the step sizes in the updates by themselves.

    Those with a name; else the numbers that a step is multiplied by; and 1 where there is none.
    """
    mentioned = {name for update in backward.updates for name in _written(update)}
    named = False
    for name, value in _in_sight(backward).items():
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
    known = _in_sight(backward)
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
        number = _evaluated(factor, known)
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


def _evaluated(expression: ast.expr, known: dict[str, Any]) -> float | None:
    """Return the number that an expression without calls of the script's own stands for; None where it is none."""
    harmless = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    for node in walk(expression):
        is_length = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("len", "float")
        if not isinstance(node, harmless) and not isinstance(node, ast.expr_context) and not is_length:
            return None
    try:
        value = eval(compile(ast.Expression(expression), "<step>", "eval"), {"len": len, "float": float, **known})
    except Exception:  # noqa: BLE001 - what is not in sight any more may fail in any way
        return None
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return float(value) if is_number and np.isfinite(value) and value > 0 else None


def _is_plain(backward: Backward) -> bool:
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
