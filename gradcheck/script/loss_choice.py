"""Which of the possible losses is the one: tried at the recorded point, by dependence, name and agreement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.check import check_grad
from gradcheck.errors import InputError, ScriptError
from gradcheck.result import CheckResult
from gradcheck.script.backward import Backward
from gradcheck.script.names import loss_rank
from gradcheck.script.perturb import moved
from gradcheck.script.record import Recording
from gradcheck.script.replay import LossExpression, Stage
from gradcheck.script.scale import agreeing, common_ratio, folded_scale, is_of_another_function

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
    """

    reasons: dict[str, str] = field(default_factory=dict)
    slug: str = "no-loss"

    def add(self, loss: LossExpression, reason: str, slug: str | None = None) -> None:
        """Note why a loss does not do."""
        self.reasons[loss.shown] = reason
        self.slug = slug or self.slug


def choose_loss(
    recording: Recording, backward: Backward, losses: Sequence[LossExpression], rejected: Rejected
) -> tuple[LossExpression, list[CheckResult]] | None:
    """Choose among the losses that depend on most parameters, have the best names and are nearest to the gradients.

    Where several with different gradients are left, it is the one with which most of the analytic gradients agree.

    Returns
    -------
    tuple or None
        The loss, and numerical and unscaled analytic gradients of a few entries at recorded points; None, with the
        reasons in `rejected`, where no loss does.

    Raises
    ------
    ScriptError
        With slug ``ambiguous`` if agreement does not decide either.
    """
    usable = [(count, loss) for loss in losses if (count := _dependence(recording, backward, loss, rejected))]
    if not usable:
        return None
    top = max((count, loss_rank(loss.name), loss.near) for count, loss in usable)
    different: list[tuple[LossExpression, list[CheckResult]]] = []
    for count, loss in usable:
        if (count, loss_rank(loss.name), loss.near) == top:
            probes = probe(recording, backward, loss)
            if not any(_same_gradients(probes, others) for _, others in different):
                different.append((loss, probes))
    different = [choice for choice in different if _is_plausible(backward, *choice, rejected)]
    if len(different) <= 1:
        return different[0] if different else None
    votes = [agreeing(backward, folded_scale(backward, probes).value, probes) for _, probes in different]
    winners = [choice for choice, vote in zip(different, votes, strict=True) if vote == max(votes)]
    winners = _wholes(backward, winners)
    if len(winners) > 1:
        raise _ambiguous(backward, [loss for loss, _ in winners])
    return winners[0]


def _is_plausible(backward: Backward, loss: LossExpression, probes: list[CheckResult], rejected: Rejected) -> bool:
    """Whether a loss may be the one that the gradients belong to; the reason is noted where it cannot."""
    if is_of_another_function(backward, probes):
        rejected.add(loss, "has gradients that are proportional at each point, but by a factor that changes")
        return False
    if not loss.near and not common_ratio(backward, probes):
        rejected.add(loss, "agrees with none of the gradients, up to a factor")
        return False
    return True


def _wholes(
    backward: Backward, choices: list[tuple[LossExpression, list[CheckResult]]]
) -> list[tuple[LossExpression, list[CheckResult]]]:
    """Drop a variable that is only a part of another choice, as ``data_loss`` is of ``loss``."""
    parts = {name for loss, _ in choices for name in backward.function.feeds({loss.shown, loss.text})}
    return [choice for choice in choices if choice[0].shown not in parts] or choices


def _dependence(recording: Recording, backward: Backward, loss: LossExpression, rejected: Rejected) -> int:
    """Return on how many of the parameters a loss depends; 0, with the reason noted, where it is none."""
    stage = Stage(recording, backward, backward.moments[0])
    evaluate = stage.loss(loss)
    try:
        value = evaluate(stage.parameters)
    except Exception as error:  # noqa: BLE001 - a guessed call may fail in any way
        rejected.add(loss, f"raises {type(error).__name__}: {error}")
        return 0
    if np.size(value) != 1 or np.asarray(value).dtype.kind not in "fiu":
        kind = f"has shape {np.shape(value)}" if np.size(value) != 1 else f"is a {type(value).__name__}"
        rejected.add(loss, f"{kind}, not one number", "loss-not-scalar")
        return 0
    base = float(np.asarray(value).reshape(-1)[0])
    if not np.isfinite(base):
        rejected.add(loss, f"is {base} at the first recorded call of `{backward.function.name}`", "loss-not-finite")
        return 0
    count = sum(_moves(evaluate, stage.parameters, name, base) for name in backward.names)
    if not count:
        rejected.add(loss, f"does not depend on {', '.join(backward.names)}")
    return count


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
        np.allclose(p.numerical, q.numerical, rtol=1e-5, atol=1e-12 + float(np.max(p.numerical_error, initial=0)))
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
