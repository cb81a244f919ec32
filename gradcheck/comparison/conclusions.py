"""From losses to words: it was the gradient, the network, the steps, or nothing at all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from gradcheck.comparison.record import Cause, Conclusion, Run, Setting
from gradcheck.comparison.steps import Steps

# a training has come as far as another one if it has gained so much of what that one has gained over a constant
_AS_FAR = 0.9
# what gains less than this part of the loss of a constant prediction has not learned
_LEARNED = 0.2
# less than that, and most of this: it is on its way
_MOSTLY = 0.5
# a network that gains less than this part of what a wider one gains is too small
_TOO_SMALL = 0.5


class Losses:
    """The losses at the end, and how they compare.

    Parameters
    ----------
    is_learned_by_heart : bool
        Whether what a wider network gains is of no use for samples that it has not seen.
    """

    def __init__(self, setting: Setting, runs: Sequence[Run], *, is_learned_by_heart: bool = False) -> None:
        self.is_learned_by_heart = is_learned_by_heart
        self.baseline = setting.baseline
        finals: dict[str, float] = {}
        for run in runs:
            final = run.final if math.isfinite(run.final) else math.inf
            finals[run.name] = min(final, finals.get(run.name, math.inf))
        self.script = finals["script"]
        self.fixed = finals.get("fixed")
        self.same, self.wider = finals["reference"], finals["wider"]

    @property
    def own(self) -> float:
        """The loss of the script, with its fix where there is one."""
        return self.script if self.fixed is None else self.fixed

    @property
    def good(self) -> float:
        """The loss that is as good as that of the reference of the same size."""
        return self.baseline - _AS_FAR * (self.baseline - self.same)

    @property
    def is_learnable(self) -> bool:
        """Whether some network learns the task."""
        return self.baseline - min(self.same, self.wider, self.own) > _LEARNED * self.baseline

    @property
    def is_too_small(self) -> bool:
        """Whether a wider network learns what one of this size does not."""
        gained, possible = self.baseline - min(self.same, self.own), self.baseline - self.wider
        is_short = possible > _LEARNED * self.baseline and gained < _TOO_SMALL * possible
        return is_short and not self.is_learned_by_heart

    def is_better_fresh(self, same: float, wider: float) -> bool:
        """Whether a wider network gains twice as much on samples that were put aside, too."""
        return self.baseline - same < _TOO_SMALL * (self.baseline - wider)

    def is_well(self, loss: float) -> bool:
        """Whether a training works, be it at its end or not."""
        return self.has_learned(loss) or self.is_on_its_way(loss)

    def is_on_its_way(self, loss: float) -> bool:
        """Whether a loss has most of what the reference of the same size has gained, and not all of it."""
        gained, possible = self.baseline - loss, self.baseline - self.same
        return not self.has_learned(loss) and gained > max(_MOSTLY * possible, _LEARNED * self.baseline)

    def has_learned(self, loss: float) -> bool:
        """Whether a loss is as good as that of the reference of the same size."""
        return loss <= self.good and self.baseline - loss > _LEARNED * self.baseline


def conclude(
    losses: Losses, setting: Setting, runs: Sequence[Run], wrong: int, total: int, steps: Steps | None
) -> list[Conclusion]:
    """Return what follows from the trainings, the cause that matters most first."""
    best = min((run for run in runs if run.name == "wider"), key=lambda run: run.final)
    same = next(run for run in runs if run.name == "reference")
    found = list(_conclusions(losses, setting, same, best, wrong, total, steps))
    order = list(Cause)
    return sorted(found, key=lambda conclusion: order.index(conclusion.cause))


def _conclusions(
    losses: Losses, setting: Setting, same: Run, wider: Run, wrong: int, total: int, steps: Steps | None
) -> Iterator[Conclusion]:
    if same.output != wider.output:
        yield Conclusion(
            Cause.RANGE,
            f"the outputs cannot reach the targets: {same.output} of something ends at {losses.own:.3g} here, and at "
            f"{losses.same:.3g} in the reference of the same size; with a {wider.output} output, the loss goes down to "
            f"{losses.wider:.2g}",
        )
    elif losses.is_too_small:
        yield Conclusion(Cause.CAPACITY, _too_small(losses, setting, same, wider))
    if wrong:
        yield _about_gradients(losses, wrong, total)
    if losses.is_too_small or same.output != wider.output:
        return
    if not losses.is_learnable:
        yield Conclusion(
            Cause.UNKNOWN,
            f"nothing that was tried learns this: the best loss is {min(losses.same, losses.wider):.3g}, and a "
            f"constant has {losses.baseline:.3g}; the inputs may not tell the targets",
        )
    elif losses.has_learned(losses.own):
        if not wrong:
            yield Conclusion(
                Cause.NOTHING,
                f"training was never the problem: the gradients are right, and the script ends at {losses.own:.3g}, "
                f"the reference of the same size at {losses.same:.3g}",
            )
    elif losses.is_on_its_way(losses.own):
        if not wrong:
            yield Conclusion(
                Cause.UNFINISHED,
                f"training works, and is not at its end: the script ends at {losses.own:.3g}, the reference of the "
                f"same size at {losses.same:.3g}; more steps, or larger ones, may bring the rest",
            )
    elif steps is not None:
        yield _about_steps(losses, steps, "with its fix, the script" if losses.fixed is not None else "the script")


def _too_small(losses: Losses, setting: Setting, same: Run, wider: Run) -> str:
    subject = "the corrected network" if losses.fixed is not None else "the network"
    units = "-".join(map(str, wider.widths[1:-1]))
    reason = ""
    if set(same.widths) == {1}:
        reason = "; one unit in each layer makes its output rise all the way, or fall, as its one input grows"
    elif 1 in same.widths[1:-1]:
        reason = "; all that gets through its narrowest layer is one number"
    elif len(same.widths) == 2:
        reason = "; without a hidden layer, one weighted sum of the inputs decides"
    return (
        f"{subject} cannot represent the task: a {same.network} network ends at {losses.own:.3g}, and the reference "
        f"of the same size at {losses.same:.3g} at best, where a constant has {losses.baseline:.3g}{reason}. "
        f"With {units} hidden units the loss goes down to {losses.wider:.2g} on the same {setting.samples} samples"
    )


def _about_gradients(losses: Losses, wrong: int, total: int) -> Conclusion:
    said = f"{wrong} of {total} gradients {'is' if wrong == 1 else 'are'} wrong"
    if total == 1:
        said = "the gradient is wrong"
    if losses.fixed is None:
        if losses.has_learned(losses.script):
            return Conclusion(
                Cause.NOTHING, f"{said}, and yet the script learns: it ends at {losses.script:.3g}; no fix was verified"
            )
        cause = Cause.GRADIENT if losses.has_learned(losses.same) else Cause.UNKNOWN
        return Conclusion(
            cause,
            f"{said}, and no fix was verified: the script ends at {losses.script:.3g}, and the reference, whose "
            f"gradients are right, takes the same network to {losses.same:.3g}",
        )
    ends = f"as it is, training ends at {_number(losses.script)}, with the fix at {_number(losses.fixed)}"
    if losses.has_learned(losses.script) or (losses.is_on_its_way(losses.script) and not _helps(losses)):
        return Conclusion(Cause.NOTHING, f"{said}, and yet the script learns: {ends}")
    if losses.has_learned(losses.fixed):
        return Conclusion(Cause.GRADIENT, f"the gradient was the problem: {said}; {ends}")
    if not losses.is_too_small and _helps(losses):
        return Conclusion(Cause.GRADIENT, f"the gradient was most of the problem: {said}; {ends}")
    return Conclusion(Cause.ALSO_GRADIENT, f"the gradient was a mistake, but not the whole problem: {said}; {ends}")


def _helps(losses: Losses) -> bool:
    """Whether the fix brings most of what the reference has gained on the script."""
    return losses.fixed is not None and losses.script - losses.fixed > _TOO_SMALL * (losses.script - losses.same)


def _about_steps(losses: Losses, steps: Steps, subject: str) -> Conclusion:
    ends = f"{subject} ends at {_number(losses.own)}, the reference of the same size at {losses.same:.3g}"
    trial = steps.best(losses.good)
    if trial is None:
        return Conclusion(
            Cause.UNKNOWN,
            f"{ends}: the network could do better, from other starting values, with other steps or more of them",
        )
    if trial.scaled:
        return Conclusion(
            Cause.SCALING,
            f"the scaling of the inputs was the problem: {ends}; the same network from the same start, with the same "
            f"step on inputs of mean 0 and spread 1, ends at {trial.final:.3g}",
        )
    size = "small for so few of them" if trial.factor > 1 else "large"
    times = f"{trial.factor:g} times" if trial.factor > 1 else f"1/{1 / trial.factor:.0f} of"
    return Conclusion(
        Cause.STEP,
        f"the step size was the problem: it is too {size}: {ends}; the same network from the same start, with {times} "
        f"the step and as many of them, ends at {trial.final:.3g}",
    )


def _number(loss: float) -> str:
    return f"{loss:.3g}" if math.isfinite(loss) else "infinity"
