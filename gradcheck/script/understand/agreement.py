"""With how many parameters a loss agrees: numerical gradients beside what the script has, at several points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.numerics.arrays import BoolArray, FloatArray
from gradcheck.script.replay.backward import Backward
from gradcheck.script.understand.probing import Probe, Slopes

_AGREEMENT = 1e-4
# values that can agree up to a factor by more than chance
_ENOUGH = 3
# digits after the first that a step size has at most, and by how much more it may leave unexplained than an estimate
_DIGITS, _AS_GOOD = 4, 1.5
# of the largest, by which values differ from which one constant says something
_VARIED = 1e-2


@dataclass(frozen=True)
class Agreement:
    """Which parameters a factor explains.

    Attributes
    ----------
    names : frozenset of str
        Those whose gradients are the factor times the numerical ones at all points.
    silent : frozenset of str
        Those of which both are zero at all points: nothing speaks for or against them.
    """

    names: frozenset[str]
    silent: frozenset[str]
    of: int

    @property
    def count(self) -> int:
        """For how many parameters it holds."""
        return len(self.names)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left unexplained."""
        return bool(self.names) and len(self.names | self.silent) == self.of


def agreement(backward: Backward, scale: float, probes: Sequence[Probe]) -> Agreement:
    """Return which parameters' gradients are `scale` times the numerical ones at all probes."""
    agreeing = frozenset(name for name in backward.names if _agrees(name, scale, probes))
    silent = frozenset(name for name in backward.names if _is_silent(name, probes))
    return Agreement(agreeing, silent, len(backward.names))


def common_constant(backward: Backward, probes: Sequence[Probe]) -> tuple[float, Agreement]:
    """Return the constant ratio on which most parameters agree, and which do."""
    best, most = 1.0, Agreement(frozenset(), frozenset(), len(backward.names))
    for name in backward.names:
        constant = _ratio(name, probes)
        if np.isfinite(constant) and constant != 0:
            seen = agreement(backward, constant, probes)
            if seen.count > most.count:
                best, most = constant, seen
    return _with_few_digits(best, most, probes), most


def _with_few_digits(constant: float, seen: Agreement, probes: Sequence[Probe]) -> float:
    """Return the number with the fewest digits that explains as much as one that was estimated: people write 0.05."""
    if not seen.names:
        return constant
    left = _left(constant, seen, probes)
    for digits in range(_DIGITS):
        plain = float(f"{constant:.{digits}e}")
        if abs(plain / constant - 1) < _AGREEMENT and _left(plain, seen, probes) <= _AS_GOOD * left:
            return plain
    return constant


def _left(constant: float, seen: Agreement, probes: Sequence[Probe]) -> float:
    """Return how much of the gradients a constant leaves unexplained."""
    values = [_values(name, probes) for name in sorted(seen.names)]
    return float(np.linalg.norm([np.linalg.norm(one - constant * other) for one, other, _ in values]))


def own_ratio(name: str, probes: Sequence[Probe]) -> bool:
    """Whether what the script has for one parameter is its gradient times any one factor."""
    constant = _ratio(name, probes)
    return bool(np.isfinite(constant)) and _agrees(name, constant, probes)


def common_sign(name: str, probes: Sequence[Probe]) -> float:
    """Return the sign of the factor that what the script has for a parameter is its gradient times."""
    return float(np.sign(_ratio(name, probes)))


def proportional_at_each(name: str, probes: Sequence[Probe]) -> bool:
    """Whether what the script has for a parameter is its gradient times a factor of each point's own, as if clipped.

    A single number always is, and nothing can be said about it.
    """
    return any(_values(name, [probe])[0].size > 1 for probe in probes) and all(
        own_ratio(name, [probe]) or _is_silent(name, [probe]) for probe in probes
    )


def common_ratio(backward: Backward, probes: Sequence[Probe]) -> bool:
    """Whether some parameter's analytic gradient is a constant times the numerical one, over several values."""
    constant, seen = common_constant(backward, probes)
    return seen.count > 0 and enough_values(backward, probes) and bool(np.isfinite(constant))


def enough_values(backward: Backward, probes: Sequence[Probe]) -> bool:
    """Whether agreement up to a factor is no matter of course: one number, or the same one again, always agrees."""
    return any(_varies(name, probes) for name in backward.names)


def _varies(name: str, probes: Sequence[Probe]) -> bool:
    found, kept = _seen(name, probes)
    slopes = np.concatenate([p.numerical / p.lengths for p in found])[kept]
    return bool(slopes.size and np.ptp(slopes) > _VARIED * np.max(np.abs(slopes)))


def is_of_another_function(backward: Backward, probes: Sequence[Probe]) -> bool:
    """Whether all gradients are proportional at each probe, with a factor that changes: of a function of the loss.

    One that grows where the loss falls is none that is meant.
    """
    factors, errors = [], []
    for single in probes:
        constant, seen = common_constant(backward, [single])
        if seen.count < len(backward.names):
            return False
        values = [_values(name, [single]) for name in backward.names]
        numerical, error = (np.concatenate([each[k] for each in values]) for k in (1, 2))
        if numerical.size < _ENOUGH:
            continue
        factors.append(constant)
        errors.append(abs(constant) * float(np.linalg.norm(error) / np.linalg.norm(numerical)))
    if len({factor > 0 for factor in factors}) > 1:
        return False
    return any(
        abs(factor - factors[0]) > _AGREEMENT * abs(factors[0]) + error + errors[0]
        for factor, error in zip(factors, errors, strict=True)
    )


def _ratio(name: str, probes: Sequence[Probe]) -> float:
    """Return what the script has for a parameter as a multiple of its numerical gradient, by least squares."""
    analytic, numerical, _ = _values(name, probes)
    norm = float(numerical @ numerical)
    return float(analytic @ numerical) / norm if norm > 0 else float("nan")


def likeness(name: str, probes: Sequence[Probe]) -> float:
    """Return the cosine between what the script has for a parameter and the numerical gradient, over all probes."""
    analytic, numerical, _ = _values(name, probes)
    size = float(np.linalg.norm(analytic) * np.linalg.norm(numerical))
    return float(analytic @ numerical) / size if analytic.size >= _ENOUGH and size > 0 else 0.0


def _values(name: str, probes: Sequence[Probe]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what was seen of a parameter: of kinks, only where there is nothing else."""
    found, kept = _seen(name, probes)
    return (
        np.concatenate([p.analytic for p in found])[kept],
        np.concatenate([p.numerical for p in found])[kept],
        np.concatenate([p.numerical_error for p in found])[kept],
    )


def _seen(name: str, probes: Sequence[Probe]) -> tuple[list[Slopes], BoolArray]:
    """Return the slopes of a parameter at all points, and which of them count."""
    found = [p for probe in probes for p in probe.parameters if p.name == name]
    kinked = np.concatenate([p.kinked for p in found])
    return found, ~kinked if not np.all(kinked) else kinked


def _agrees(name: str, scale: float, probes: Sequence[Probe]) -> bool:
    analytic, numerical, error = _values(name, probes)
    expected = scale * numerical
    size = np.maximum(np.abs(analytic), np.abs(expected))
    allowed = _AGREEMENT * size + abs(scale) * error + 1e-9 * np.max(size, initial=0.0)
    return bool(np.any(np.abs(expected) > abs(scale) * error) and np.all(np.abs(analytic - expected) <= allowed))


def _is_silent(name: str, probes: Sequence[Probe]) -> bool:
    analytic, numerical, error = _values(name, probes)
    return bool(np.all(analytic == 0) and np.all(np.abs(numerical) <= error))
