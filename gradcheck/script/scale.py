"""The constant that a script folds into its gradients: a learning rate, a sign. Conventions, not mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.result import CheckResult, FloatArray
from gradcheck.script.gradients import Backward, GradientMap
from gradcheck.script.leaves import leaves
from gradcheck.script.names import is_step_size
from gradcheck.script.source import Function, loaded_names

_AGREEMENT = 1e-4


@dataclass(frozen=True)
class Scale:
    """What the returned gradients are multiplied by.

    Attributes
    ----------
    value : float
        The constant; 1 for plain gradients.
    text : str
        Where it comes from: ``LEARNING_RATE``, ``-self.lr``; empty for 1.
    """

    value: float = 1.0
    text: str = ""

    def sentence(self, function: str) -> str:
        """Say what was seen."""
        if self.value == -1:
            return f"{function} returns the negative gradient, and the update adds it: a convention, not a mistake"
        name = f"{self.text} = {self.value:.6g}" if self.text else f"the constant {self.value:.6g}"
        return (
            f"the learning rate is folded in: {function} returns {name} times the gradient; "
            "the values shown are divided by it"
        )


def folded_scale(backward: Backward, probes: Sequence[CheckResult]) -> Scale:
    """Find the constant that is folded into the gradients.

    Candidates are 1, -1 where the script adds its step, and the script's own step sizes that the function mentions;
    the one on which most parameters agree at all probes wins, and 1 wins a tie. Where the script applies the step
    bare (``w -= delta``), any constant on which most parameters agree is a step size. Where no parameter agrees with
    anything, a step size that flows into every returned gradient is taken.

    Parameters
    ----------
    backward : Backward
        The backward function with its gradients and calls.
    probes : sequence of CheckResult
        Numerical and unscaled analytic gradients at several points.
    """
    pairs = backward.pairs
    steps = _step_sizes(backward)
    candidates = [Scale(), *(Scale(value, text) for text, value in steps.items())]
    if any(pair.update is None or pair.update.adds for pair in pairs):
        candidates += [Scale(-scale.value, f"-{scale.text or 1}") for scale in candidates]
    votes = [agreeing(backward, scale.value, probes) for scale in candidates]
    best = int(np.argmax(votes))
    if all(pair.update is not None and pair.update.bare for pair in pairs):
        constant, count = _common_constant(backward, probes)
        if count > max(votes[best], (len(pairs) - 1) / 2):
            return Scale(constant)
    if votes[best]:
        return candidates[best]
    for text, value in steps.items():
        if all(_flows_into(backward.function, text, pair) for pair in pairs):
            negative = all(pair.update is not None and pair.update.adds for pair in pairs)
            return Scale(-value, f"-{text}") if negative else Scale(value, text)
    return Scale()


def agreeing(backward: Backward, scale: float, probes: Sequence[CheckResult]) -> int:
    """Return for how many parameters the analytic gradient is `scale` times the numerical one at all probes."""
    return sum(_agrees(name, scale, probes) for name in backward.names)


def _step_sizes(backward: Backward) -> dict[str, float]:
    found: dict[str, float] = {}
    call, mentioned = backward.example, backward.function.names
    for name, value in {**call.variables, **call.arguments}.items():
        for leaf in leaves(name, value):
            if is_step_size(leaf.name) and leaf.name in mentioned and leaf.shape == () and leaf.value:
                found[leaf.name] = float(leaf.value)
    return found


def _values(name: str, probes: Sequence[CheckResult]) -> tuple[FloatArray, FloatArray, FloatArray]:
    found = [p for probe in probes for p in probe.parameters if p.name == name]
    return (
        np.concatenate([p.analytic for p in found]),
        np.concatenate([p.numerical for p in found]),
        np.concatenate([p.numerical_error for p in found]),
    )


def _agrees(name: str, scale: float, probes: Sequence[CheckResult]) -> bool:
    analytic, numerical, error = _values(name, probes)
    expected = scale * numerical
    size = np.maximum(np.abs(analytic), np.abs(expected))
    allowed = _AGREEMENT * size + abs(scale) * error + 1e-9 * np.max(size, initial=0.0)
    return bool(np.any(np.abs(expected) > abs(scale) * error) and np.all(np.abs(analytic - expected) <= allowed))


def _common_constant(backward: Backward, probes: Sequence[CheckResult]) -> tuple[float, int]:
    """Return the constant ratio on which most parameters agree, and how many do."""
    best, most = 1.0, 0
    for name in backward.names:
        analytic, numerical, _ = _values(name, probes)
        norm = float(numerical @ numerical)
        constant = float(analytic @ numerical) / norm if norm > 0 else np.nan
        if np.isfinite(constant) and constant != 0 and (count := agreeing(backward, constant, probes)) > most:
            best, most = constant, count
    return best, most


def _flows_into(function: Function, text: str, pair: GradientMap) -> bool:
    if pair.output.expression is None:
        return False
    names = loaded_names(pair.output.expression)
    return text in names | function.feeds(names)
