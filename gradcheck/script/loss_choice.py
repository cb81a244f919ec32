"""Which of the possible losses is the one: tried at the recorded point, by dependence, name and agreement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck.errors import InputError, ScriptError
from gradcheck.functions import check_grad
from gradcheck.result import CheckResult
from gradcheck.script.backward import Backward
from gradcheck.script.leaves import is_numeric
from gradcheck.script.names import loss_rank
from gradcheck.script.outputs import Kind
from gradcheck.script.perturb import moved
from gradcheck.script.record import Recording
from gradcheck.script.replay import LossExpression, Stage
from gradcheck.script.scale import (
    Scale,
    agreeing,
    common_constant,
    common_ratio,
    enough_values,
    folded_scale,
    is_natural_factor,
    is_of_another_function,
)
from gradcheck.script.step_scale import step_scale
from gradcheck.script.syntax import loaded_names

_PROBED_MOMENTS, _PROBED_ENTRIES = 3, 6
_SMALL_MOVE = 1e-3


@dataclass
class Rejected:
    """Why the losses that were tried do not do.

    Attributes
    ----------
    reasons : dict
        A sentence by loss.
    slug : str
        The gravest kind: ``no-loss``, ``loss-not-scalar`` or ``loss-not-finite``.
    is_named : bool
        Whether the user has named the loss.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    slug: str = "no-loss"
    is_named: bool = False

    def add(self, loss: LossExpression, reason: str, slug: str | None = None) -> None:
        """Note why a loss does not do."""
        self.reasons[loss.shown] = reason
        # what is only perhaps a loss may be anything
        if slug is not None and (self.is_named or loss_rank(loss.name) > 1):
            self.slug = slug


@dataclass(frozen=True)
class Choice:
    """A loss that was chosen.

    Attributes
    ----------
    backward : Backward
        The code, with the parameters that the loss depends on.
    loss : LossExpression
        The loss.
    scale : Scale or None
        What the gradients are multiplied by; None if they seem to be no multiple of the gradient.
    agreement : int
        For how many parameters the gradients agree, up to that factor.
    """

    backward: Backward
    loss: LossExpression
    scale: Scale | None
    agreement: int

    @classmethod
    def of(cls, backward: Backward, loss: LossExpression, probes: list[CheckResult]) -> Choice:
        """Find the factor, and count the agreement with it."""
        moves = backward.kind is Kind.CHANGE
        scale = step_scale(backward, loss, probes) if moves else folded_scale(backward, probes)
        if loss.is_implied and not moves:
            # a loss that is not written down may have any factor: the 2 of a square, the number of samples
            constant, count = common_constant(backward, probes)
            natural = count and enough_values(backward, probes) and is_natural_factor(constant, backward)
            scale = Scale(constant, "") if natural else None
        return cls(backward, loss, scale, 0 if scale is None else agreeing(backward, scale.value, probes))


def choose_loss(
    recording: Recording, backward: Backward, losses: Sequence[LossExpression], rejected: Rejected
) -> Choice | None:
    """Choose among the losses that depend on most parameters, have the best names and are nearest to the gradients.

    Where several with different gradients are left, it is the one with which most of the analytic gradients agree.

    Returns
    -------
    Choice or None
        None, with the reasons in `rejected`, where no loss does.

    Raises
    ------
    ScriptError
        With slug ``ambiguous`` if agreement does not decide either.
    """
    usable = [(names, loss) for loss in losses if (names := _dependence(recording, backward, loss, rejected))]
    if not usable:
        return None
    top = max((len(names), loss_rank(loss.name), loss.near) for names, loss in usable)
    different: list[tuple[Backward, LossExpression, list[CheckResult]]] = []
    for names, loss in usable:
        if (len(names), loss_rank(loss.name), loss.near) == top:
            own = _with_moments(recording, _depending(backward, names), loss)
            for way in _with_and_without_decay(own):
                probes = probe(recording, way, loss)
                if not any(_same_gradients(probes, others) for _, _, others in different):
                    different.append((way, loss, probes))
    different = [choice for choice in different if _is_plausible(*choice, rejected)]
    choices = [Choice.of(*one) for one in different]
    winners = [choice for choice in choices if choice.agreement == max(c.agreement for c in choices)]
    winners = _wholes(backward, winners)
    # losses that are not written down come in the order in which people use them
    if len({choice.loss.text for choice in winners}) > 1 and not all(choice.loss.is_implied for choice in winners):
        raise _ambiguous(backward, [choice.loss for choice in winners])
    return winners[0] if winners else None


def _with_and_without_decay(backward: Backward) -> list[Backward]:
    """Return the backward, and where its updates let parameters decay, also with that left out of their changes."""
    decays = [None if pair.update is None else pair.update.decay for pair in backward.pairs]
    if backward.kind is not Kind.CHANGE or not any(decays):
        return [backward]
    pairs = tuple(replace(pair, decay=decay) for pair, decay in zip(backward.pairs, decays, strict=True))
    return [backward, replace(backward, pairs=pairs)]


def _depending(backward: Backward, names: Sequence[str]) -> Backward:
    """Return the backward without what is moved like a parameter, but is none: the state of an optimizer, a counter."""
    if backward.kind is Kind.RETURNED:
        return backward
    return replace(backward, pairs=tuple(pair for pair in backward.pairs if pair.slot.name in names))


def _is_plausible(backward: Backward, loss: LossExpression, probes: list[CheckResult], rejected: Rejected) -> bool:
    """Whether a loss may be the one that the gradients belong to; the reason is noted where it cannot."""
    if is_of_another_function(backward, probes):
        rejected.add(loss, "has gradients that are proportional at each point, but by a factor that changes")
        return False
    if not loss.near and not common_ratio(backward, probes):
        rejected.add(loss, "agrees with none of the gradients, up to a factor")
        return False
    return True


def _with_moments(recording: Recording, backward: Backward, loss: LossExpression) -> Backward:
    """Return the backward without the moments at which the loss is not computed, but left over from another."""
    kept = [m for m in backward.moments if _dependence(recording, replace(backward, moments=(m,)), loss, Rejected())]
    return replace(backward, moments=tuple(kept)) if kept else backward


def _wholes(backward: Backward, choices: list[Choice]) -> list[Choice]:
    """Drop a variable that is only a part of another choice, as ``data_loss`` is of ``loss``."""
    parts = {name for c in choices for name in backward.function.feeds({c.loss.shown, c.loss.text})}
    # what is returned may be made of a variable that is called the same
    texts = {choice.loss.text for choice in choices}
    returned = [o.expression for o in backward.outputs if o.leaf.name in texts and o.expression is not None]
    inner = {name for expression in returned for name in loaded_names(expression)}
    return [c for c in choices if c.loss.shown not in parts and c.loss.text not in inner] or choices


def _dependence(recording: Recording, backward: Backward, loss: LossExpression, rejected: Rejected) -> list[str]:
    """Return the parameters that a loss depends on; none, with the reason noted, where it is no loss."""
    stage = Stage(recording, backward, backward.moments[0])
    evaluate = stage.loss(loss)
    try:
        value = evaluate(stage.parameters)
    except Exception as error:  # noqa: BLE001 - a guessed call may fail in any way
        rejected.add(loss, f"raises {type(error).__name__}: {error}")
        return []
    if not is_numeric(value) or np.size(value) != 1:
        kind = f"has shape {np.shape(value)}" if is_numeric(value) else f"is a {type(value).__name__}"
        rejected.add(loss, f"{kind}, not one number", "loss-not-scalar")
        return []
    base = float(np.asarray(value).reshape(-1)[0])
    if not np.isfinite(base):
        rejected.add(loss, f"is {base} at the first recorded call of `{backward.function.name}`", "loss-not-finite")
        return []
    found = {name for name in backward.names if _moves(evaluate, stage.parameters, name, base)}
    for moment in backward.moments[1:_PROBED_MOMENTS]:
        if len(found) < len(backward.names):
            found |= _dependent(Stage(recording, backward, moment), loss, backward.names)
    if not found:
        rejected.add(loss, f"does not depend on {', '.join(backward.names)}")
    return [name for name in backward.names if name in found]


def _dependent(stage: Stage, loss: LossExpression, names: Sequence[str]) -> set[str]:
    """Return the parameters that a loss depends on at a later moment: data may be zero at the first."""
    evaluate = stage.loss(loss)
    try:
        base = float(np.asarray(evaluate(stage.parameters)).reshape(-1)[0])
    except Exception:  # noqa: BLE001 - a guessed call may fail in any way
        return set()
    return {name for name in names if _moves(evaluate, stage.parameters, name, base)}


def _moves(evaluate: Callable[[Mapping[str, Any]], Any], parameters: dict[str, Any], name: str, base: float) -> bool:
    """Whether the loss changes when one parameter does."""
    with moved(parameters, [name], np.random.default_rng(0), size=_SMALL_MOVE):
        try:
            value = evaluate(parameters)
        except Exception:  # noqa: BLE001 - even a small move may leave the loss's domain
            return True
    return not np.array_equal(np.asarray(value, dtype=float).reshape(-1), [base])


def probe(recording: Recording, backward: Backward, loss: LossExpression) -> list[CheckResult]:
    """Return numerical and unscaled analytic gradients of a few entries at recorded points.

    Raises
    ------
    ScriptError
        If the checker refuses the loss or the gradients at all of them.
    """
    results = []
    refused: InputError | None = None
    for moment in backward.moments[:_PROBED_MOMENTS]:
        stage = Stage(recording, backward, moment)
        try:
            results.append(check_grad(stage.loss(loss), stage.gradient(), stage.parameters, entries=_PROBED_ENTRIES))
        except InputError as error:
            refused = error
    if refused is not None and not results:
        raise ScriptError(refused.message, slug=refused.slug, line=backward.function.line)
    return results


def _same_gradients(one: list[CheckResult], other: list[CheckResult]) -> bool:
    return len(one) == len(other) and all(
        p.name == q.name
        and np.array_equal(p.analytic, q.analytic, equal_nan=True)
        and np.allclose(p.numerical, q.numerical, rtol=1e-5, atol=1e-12 + float(np.max(p.numerical_error, initial=0)))
        for a, b in zip(one, other, strict=True)
        for p, q in zip(a.parameters, b.parameters, strict=True)
    )


def _ambiguous(backward: Backward, losses: Sequence[LossExpression]) -> ScriptError:
    shown = "; ".join(f"`{loss.shown}` in line {loss.line} ({loss.evidence})" for loss in losses)
    return ScriptError(
        f"{len(losses)} scalars could be the loss of `{backward.function.name}`: {shown}. Say which with --loss NAME, "
        "or with a comment in the script: # gradcheck: loss=NAME",
        slug="ambiguous",
        line=backward.function.line,
    )
