"""The factor between what a script calls its gradients, or its steps, and the gradient of a loss."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.replay.stage import LossExpression
from gradcheck.script.source.names import base_name, fold, is_maximised, is_undirected, loss_rank
from gradcheck.script.source.syntax import Function, Loop, loaded_names, walk
from gradcheck.script.understand.agreement import Agreement, agreement, common_constant, enough_values, own_ratio
from gradcheck.script.understand.probing import Probe
from gradcheck.script.understand.rates import (
    folded_rates,
    in_sight,
    is_plain,
    named_rates,
    rates_in_sight,
    rates_of,
    step_sizes,
    written_rates,
)

# factors that differ by less are the same
_SAME = 1e-4


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
    # one mistake is likelier than two: what explains half of them, and people leave out by habit, is no other one,
    # where the rest is wrong in another way
    half = enough_values(backward, probes) and not explained and 2 * seen.count >= len(backward.names)
    rest = set(backward.names) - seen.names - seen.silent
    if (
        half
        and not any(own_ratio(name, probes) for name in rest)
        and math.copysign(1.0, constant) in _ways(backward, loss)
    ):
        habit = _natural(constant, shown, backward)
        if habit is not None:
            return habit
    if best is not None and explained:
        return shown[best]
    if backward.kind is Kind.CHANGE:
        rates = {rate for rate, _ in folded_rates(backward)} or {rate for rate, _ in named_rates(backward)}
        if len(rates) != 1 or not loss.near or not is_plain(backward):
            return None
        return next(scale for scale in shown if abs(scale.value) in rates)
    return _flowing(backward)


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
        natural = _natural(constant, [Scale(), *shown, *map(Scale, rates_in_sight(backward))], backward)
        return Scale(constant, "", applied) if applied or natural else None
    natural = _natural(constant, shown, backward)
    # where no step size is in sight, it may be anything that all steps have in common
    is_open = applied and seen.is_whole and not any(scale.text for scale in shown)
    return Scale(constant, "", applied=True) if natural is None and is_open else natural


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
    steps = step_sizes(backward) if bare else {}
    rates = written_rates(backward) if bare and not steps else []
    found = [Scale(), *(Scale(value, text) for text, value in steps.items())]
    found += [Scale(merged * rate) for merged in (1.0, 2.0, 0.5) for rate in rates]
    if _only_adds(backward):
        found += [Scale(-scale.value, f"-{scale.text or f'{scale.value:.6g}'}") for scale in found]
    return found + [Scale(float(n), f"the sum over {n} samples") for n in _sample_counts(backward)]


def _flowing(backward: Backward) -> Scale:
    """Return what is taken where no parameter agrees: a named step size that flows into every gradient, else 1."""
    if all(pair.is_bare for pair in backward.pairs):
        for text, value in step_sizes(backward).items():
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
    bases = {fold(base_name(name)).partition("[")[0] for name in backward.names}
    labels = {label for pair in backward.pairs for label in pair.output.labels}
    updates = [update for update in backward.updates if not update.counts]
    own = [u for u in updates if fold(base_name(u.target)).partition("[")[0] in bases or labels & set(u.sources)]
    # a division in what moves something else says nothing
    divides = [any(isinstance(node, ast.Div) for node in walk(update.step)) for update in own or updates]
    return sorted(_named_lengths(backward)) if any(divides) else []


def _named_lengths(backward: Backward) -> dict[int, str]:
    """Return the numbers of samples that the code may have in sight, each with an expression for it.

    These are the lengths of what is no parameter, nor shaped as one; a whole number of that size may be its name.
    """
    shapes = {pair.slot.leaf.shape for pair in backward.pairs}
    found: dict[int, str] = {}
    names: dict[int, str] = {}
    for name, value in in_sight(backward).items():
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


# -- steps ------------------------------------------------------------------------------------------------------------


def _step_scales(backward: Backward, loss: LossExpression) -> list[Scale]:
    """Return what steps may be, as multiples of the gradient: the step sizes that the code shows, in the right way."""
    # the code's own name for a step size comes last, and a name before a product
    rates = dict(named_rates(backward))
    for rate, text in rates_of(backward):
        rates.setdefault(rate, text)
    return [Scale(way * rate, text, applied=True) for way in _ways(backward, loss) for rate, text in rates.items()]
