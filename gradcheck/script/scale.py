"""The constant that a script folds into its gradients: a learning rate, a sign. Conventions, not mistakes."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.result import CheckResult, FloatArray
from gradcheck.script.backward import Backward
from gradcheck.script.leaves import leaves
from gradcheck.script.names import is_step_size
from gradcheck.script.pairing import GradientMap
from gradcheck.script.syntax import Function, Loop, loaded_names
from gradcheck.script.updates import factors

_AGREEMENT = 1e-4
_SMALLEST_RATE = 1e-6
# values that can agree up to a factor by more than chance
_ENOUGH = 3


@dataclass(frozen=True)
class Scale:
    """What the returned gradients are multiplied by.

    Attributes
    ----------
    value : float
        The constant; 1 for plain gradients.
    text : str
        Where it comes from: ``LEARNING_RATE``, ``-self.lr``; empty for 1.
    applied : bool
        Whether the parameters are moved in place, so that the gradient was seen in their changes.
    """

    value: float = 1.0
    text: str = ""
    applied: bool = False

    def sentence(self, function: str) -> str:
        """Say what was seen."""
        if self.applied:
            way = "down" if self.value < 0 else "up"
            name = f"{self.text} = {abs(self.value):.6g}" if self.text else f"{abs(self.value):.6g}"
            return (
                f"{function} moves its parameters in place: the gradients shown are their changes, taken as steps of "
                f"{name} {way} the gradient"
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


def folded_scale(backward: Backward, probes: Sequence[CheckResult]) -> Scale:
    """Find the constant that is folded into the gradients.

    A step size can only be folded in where the script moves its parameters by just what was returned (``w -= delta``):
    then it is a named step size that the function mentions, or a number below 1 that is a factor of the gradients,
    perhaps merged with the 2 of a square. The sign may be reversed where the script adds its steps. The candidate on
    which most parameters agree at all probes wins, 1 first. Where no parameter agrees with anything, a named step size
    that flows into every returned gradient is taken.

    Parameters
    ----------
    backward : Backward
        The backward function with its gradients and calls.
    probes : sequence of CheckResult
        Numerical and unscaled analytic gradients at several points.
    """
    descends, bare = not _only_adds(backward), all(pair.is_bare for pair in backward.pairs)
    steps = _step_sizes(backward) if bare else {}
    rates = _written_rates(backward) if bare and not steps else []
    candidates = [Scale(), *(Scale(value, text) for text, value in steps.items())]
    candidates += [Scale(merged * rate) for merged in (1.0, 2.0, 0.5) for rate in rates]
    if not descends:
        candidates += [Scale(-scale.value, f"-{scale.text or f'{scale.value:.6g}'}") for scale in candidates]
    candidates += [Scale(float(n), f"the sum over {n} samples") for n in _sample_counts(backward)]
    votes = [agreeing(backward, scale.value, probes) for scale in candidates]
    if max(votes):
        return candidates[int(np.argmax(votes))]
    for text, value in steps.items():
        if all(_flows_into(backward.function, text, pair) for pair in backward.pairs):
            return Scale(value, text) if descends else Scale(-value, f"-{text}")
    return Scale()


def is_natural_factor(constant: float, backward: Backward) -> bool:
    """Whether a constant is one that people leave to a loss: 1, 2 or 1/2, perhaps over or times a number of samples."""
    counts = [1.0, *(float(n) for n in _lengths(backward))]
    rates = [1.0, *(abs(value) for value in _step_sizes(backward).values()), *_written_rates(backward)]
    natural = [two * rate * n**power for two in (0.5, 1, 2) for rate in rates for n in counts for power in (1, -1)]
    return constant > 0 and any(abs(constant / value - 1) < _AGREEMENT for value in natural)


def _sample_counts(backward: Backward) -> list[int]:
    """Return the numbers of samples by which the script divides what it has summed up, in its updates."""
    divides = [any(isinstance(node, ast.Div) for node in ast.walk(u.step)) for u in backward.updates if not u.counts]
    return _lengths(backward) if any(divides) else []


def _lengths(backward: Backward) -> list[int]:
    """Return the lengths of what the code has in sight."""
    call = backward.example
    values = (*call.arguments.values(), *call.local_variables.values(), *call.variables.values())
    sizes = [
        np.shape(v) if isinstance(v, np.ndarray) else (len(v),) for v in values if isinstance(v, np.ndarray | list)
    ]
    return sorted({n for shape in sizes for n in shape if n > 1})


def _written_rates(backward: Backward) -> list[float]:
    """Return the numbers between 0 and 1 that are factors of what flows into the gradients."""
    function = backward.function
    names = {n for p in backward.pairs if p.output.expression is not None for n in loaded_names(p.output.expression)}
    reached = names | function.feeds(names)
    values = [s.value for name in reached for s in function.assignments(name) if s.value is not None]
    values += [pair.output.expression for pair in backward.pairs if pair.output.expression is not None]
    numbers = {
        float(factor.value)
        for value in values
        for factor in factors(value, dots=True)
        if isinstance(factor, ast.Constant) and isinstance(factor.value, float)
    }
    return sorted(number for number in numbers if _SMALLEST_RATE < number < 1)


def _only_adds(backward: Backward) -> bool:
    """Whether the script adds its steps: all of the parameters' or, where none was seen, all with a step size.

    Where no update is to be seen at all, as with an optimizer that calls the function, nothing speaks for it.
    """
    own = [pair.adds for pair in backward.pairs if pair.adds is not None]
    added = own or [update.adds for update in backward.updates if update.steps and update.sources]
    return bool(added) and all(added)


def common_ratio(backward: Backward, probes: Sequence[CheckResult]) -> bool:
    """Whether some parameter's analytic gradient is a constant times the numerical one, over several values."""
    constant, count = common_constant(backward, probes)
    return count > 0 and enough_values(backward, probes) and bool(np.isfinite(constant))


def enough_values(backward: Backward, probes: Sequence[CheckResult]) -> bool:
    """Whether agreement up to a factor is no matter of course: a single number always agrees."""
    return any(_values(name, probes)[0].size > 1 for name in backward.names)


def is_of_another_function(backward: Backward, probes: Sequence[CheckResult]) -> bool:
    """Whether all gradients are proportional at each probe, with a factor that changes: of a function of the loss."""
    factors = []
    for single in probes:
        constant, count = common_constant(backward, [single])
        if count < len(backward.names) or sum(_values(n, [single])[0].size for n in backward.names) < _ENOUGH:
            return False
        factors.append(constant)
    return len(factors) > 1 and not np.allclose(factors, factors[0], rtol=_AGREEMENT)


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


def common_constant(backward: Backward, probes: Sequence[CheckResult]) -> tuple[float, int]:
    """Return the constant ratio on which most parameters agree, and how many do."""
    best, most = 1.0, 0
    for name in backward.names:
        analytic, numerical, _ = _values(name, probes)
        norm = float(numerical @ numerical)
        constant = float(analytic @ numerical) / norm if norm > 0 else np.nan
        if np.isfinite(constant) and constant != 0 and (count := agreeing(backward, constant, probes)) > most:
            best, most = constant, count
    return best, most


def _flows_into(function: Function | Loop, text: str, pair: GradientMap) -> bool:
    if pair.output.expression is None:
        return False
    names = loaded_names(pair.output.expression)
    return text in names | function.feeds(names)
