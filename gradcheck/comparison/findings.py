"""What is wrong with a training beside its gradients: findings with numbers, without edits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.comparison.architecture import Architecture
from gradcheck.comparison.conclusions import Losses
from gradcheck.comparison.measure import Task
from gradcheck.comparison.steps import Steps
from gradcheck.diagnosis.registry import rule
from gradcheck.reference.arrays import Array
from gradcheck.reference.network import Workspace
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Confidence, Finding
from gradcheck.session.course import Course
from gradcheck.session.uses import Use

_RANGES = {"sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, math.inf)}
# beyond the range by more than the range is wide
_FAR = 1.0
_MARGIN = 1e-9
# of the largest slope that an activation has
_FLAT = 0.01
_MANY = 0.5
_MOST_SHOWN = 4


@dataclass(frozen=True)
class Evidence:
    """What findings are made from.

    Attributes
    ----------
    course : Course
        The training as it is, or with its fix.
    """

    course: Course
    architecture: Architecture
    task: Task
    losses: Losses
    steps: Steps | None

    def place(self, *names: str) -> Span:
        """Return where the first of some things stands that has a place."""
        spans = [self.course.places[name] for name in (*names, "prediction") if name in self.course.places]
        return spans[0]


def find_training_mistakes(evidence: Evidence, uses: Sequence[Use]) -> tuple[Finding, ...]:
    """Return what is wrong with a training, beside its gradients."""
    found = [*_outside(evidence, uses), *_out_of_reach(evidence)]
    if not evidence.losses.is_well(evidence.losses.own):
        found += [*_flat(evidence), *_stepping(evidence)]
    return tuple(found)


def _finding(code: str, message: str, span: Span, evidence: Sequence[str], parameters: Sequence[str] = ()) -> Finding:
    return Finding(code, rule(code).name, message, tuple(parameters), span, Confidence.LIKELY, tuple(evidence))


# -- predictions ------------------------------------------------------------------------------------------------------


def _outside(evidence: Evidence, uses: Sequence[Use]) -> Iterator[Finding]:
    """Find predictions for inputs that are nowhere near those of the training."""
    X = evidence.task.X
    low, high = X.min(axis=0), X.max(axis=0)
    width = high - low
    for function in dict.fromkeys(use.function for use in uses):
        own = [use for use in uses if use.function == function]
        name = _input_of(own, X)
        far = [(use, values) for use in own if name is not None and (values := _far(use, name, low, high))]
        if not far:
            continue
        values = sorted({value for _, several in far for value in several}, key=abs)
        worst = max(values, key=lambda value: _beyond(value, low, high))
        lines = list(dict.fromkeys(use.span.line for use, _ in far))
        column = f" (feature {worst.feature + 1})" if X.shape[1] > 1 else ""
        beyond = _beyond(worst, low, high) / width[worst.feature]
        shown = [f"{value.value:.6g}" for value in values[:_MOST_SHOWN]]
        shown += ["others"] if len(values) > _MOST_SHOWN else []
        asked = " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
        yield _finding(
            "GC401",
            f"`{function}` is asked about {asked}{column}, and was trained on `{evidence.course.inputs}` from "
            f"{low[worst.feature]:.3g} to {high[worst.feature]:.3g}: these are not scaled as those were",
            far[0][0].span,
            [
                f"{worst.value:.6g} lies beyond the training range by {beyond:.3g} times its width",
                *([f"in lines {', '.join(map(str, lines))}"] if len(lines) > 1 else []),
            ],
        )


@dataclass(frozen=True)
class _Value:
    value: float
    feature: int

    def __abs__(self) -> float:
        return abs(self.value)


def _input_of(uses: Sequence[Use], X: Array) -> str | None:
    """Return the argument that was handed the training inputs at some time."""
    for name in dict.fromkeys(name for use in uses for name in use.arguments):
        for use in uses:
            for value in use.arguments.get(name, ()):
                rows = _rows(value, X.shape[1])
                if rows is not None and np.any(np.all(np.isclose(X, rows[0]), axis=1)):
                    return name
    return None


def _rows(value: Array, width: int) -> Array | None:
    value = np.asarray(value, dtype=float)
    if value.size == width:
        return value.reshape(1, width)
    if value.ndim == 1 and width == 1:
        return value.reshape(-1, 1)
    if value.ndim == 2 and width in value.shape:
        return value if value.shape[1] == width else value.T
    return None


def _far(use: Use, name: str, low: Array, high: Array) -> list[_Value]:
    found = []
    for value in use.arguments.get(name, ()):
        rows = _rows(value, len(low))
        for row in [] if rows is None else rows:
            numbers = [_Value(float(number), i) for i, number in enumerate(row)]
            found += [n for n in numbers if _beyond(n, low, high) > _FAR * (high - low)[n.feature] > 0]
    return found


def _beyond(value: _Value, low: Array, high: Array) -> float:
    return float(max(low[value.feature] - value.value, value.value - high[value.feature]))


# -- targets ----------------------------------------------------------------------------------------------------------


def _out_of_reach(evidence: Evidence) -> Iterator[Finding]:
    """Find targets that the output activation cannot give."""
    output, Y = evidence.architecture.output, evidence.task.Y
    if not is_out_of_reach(output, Y):
        return
    low, high = _RANGES[output]
    outside = np.any((low - _MARGIN > Y) | (high + _MARGIN < Y), axis=1)
    reach = f"{low:g} and {high:g}" if math.isfinite(high) else f"{low:g} and infinity"
    yield _finding(
        "GC402",
        f"the targets `{evidence.course.targets}` go from {Y.min():.4g} to {Y.max():.4g}, and the outputs, "
        f"{output} of something, stay between {reach}",
        evidence.place("targets"),
        [f"{int(np.sum(outside))} of {len(Y)} targets are out of reach, whatever the parameters are"],
    )


def is_out_of_reach(output: str, Y: Array) -> bool:
    """Whether an output activation cannot give some targets.

    Parameters
    ----------
    Y : ndarray of shape (samples, outputs)
        The targets.
    """
    low, high = _RANGES.get(output, (-math.inf, math.inf))
    return bool(np.any((low - _MARGIN > Y) | (high + _MARGIN < Y)))


# -- units ------------------------------------------------------------------------------------------------------------


def _flat(evidence: Evidence) -> Iterator[Finding]:
    """Find layers most of whose units do not react to any sample, neither at the start nor at the end."""
    first, last = (_reactions(evidence, evidence.course.snapshots[i]) for i in (0, -1))
    X, hidden = evidence.task.X, evidence.architecture.hidden
    for number, (before, after) in enumerate(zip(first, last, strict=True)):
        stuck = (before < _FLAT) & (after < _FLAT)
        if np.mean(stuck) < _MANY:
            continue
        name = _weights_of(evidence.architecture, number)
        size = np.ravel(np.abs(evidence.course.snapshots[0][name])).max()
        starts, ends = float(before[stuck].max()), float(after[stuck].max())
        word = "dead" if "relu" in hidden else "saturated"
        yield _finding(
            "GC403",
            f"{int(np.sum(stuck))} of {len(stuck)} units that `{name}` leads to are {word}: their slope is nearly zero "
            "for every sample, so that no gradient gets through",
            evidence.place(name),
            [
                f"of the largest slope they have {starts:.2g} at the start at most, {ends:.2g} at the end",
                f"inputs up to {np.abs(X).max():.3g} meet weights up to {size:.3g}"
                if number == 0
                else f"its first weights go up to {size:.3g}",
            ],
            [name],
        )


def _reactions(evidence: Evidence, parameters: dict[str, Array]) -> list[Array]:
    """Return for each hidden layer the largest slope of each unit over all samples, as a part of what there can be."""
    network = evidence.architecture.network(parameters)
    space = Workspace(network, len(evidence.task.X))
    with np.errstate(all="ignore"):
        network.forward(evidence.task.X, space)
    hidden = evidence.architecture.hidden
    return [np.asarray(np.max(_slope(hidden, A), axis=0)) for A in space.activations[:-1]]


def _slope(hidden: str, A: Array) -> Array:
    """Return the slopes of an activation at its outputs, as parts of the largest one."""
    if hidden == "sigmoid":
        return 4 * A * (1 - A)
    if hidden == "tanh":
        return 1 - A**2
    return np.asarray(A > 0, dtype=float) if hidden == "relu" else np.ones_like(A)


def _weights_of(architecture: Architecture, layer: int) -> str:
    """Return the parameter that holds the weights into a hidden layer."""
    sizes = [n * m for n, m in zip(architecture.widths, architecture.widths[1:], strict=False)]
    entry = int(architecture.indices[sum(sizes[:layer])])
    return architecture.name_of(entry)


# -- steps ------------------------------------------------------------------------------------------------------------


def _stepping(evidence: Evidence) -> Iterator[Finding]:
    """Find steps of a wrong size, and inputs that would have to be scaled."""
    steps, losses = evidence.steps, evidence.losses
    trial = steps.best(losses.good) if steps is not None else None
    if steps is None or steps.rate is None or trial is None:
        return
    ends = f"the script's training ends at {losses.own:.3g}"
    if trial.scaled:
        X = evidence.task.X
        yield _finding(
            "GC405",
            f"the inputs `{evidence.course.inputs}` go from {X.min():.4g} to {X.max():.4g}, and are not scaled",
            evidence.place("inputs"),
            [f"{ends}; the same one on inputs of mean 0 and spread 1 at {trial.final:.3g}"],
        )
        return
    yield _finding(
        "GC404",
        f"the steps are too {'small' if trial.factor > 1 else 'large'}: {trial.rate:.3g} instead of {steps.rate:.3g} "
        "times the gradient of the loss over the samples of a step would do",
        evidence.place("update"),
        [f"{ends}; the same one with these steps, and as many of them, at {trial.final:.3g}"],
    )
