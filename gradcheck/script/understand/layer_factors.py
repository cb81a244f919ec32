"""Factors of the gradients of a layer that are no mistake: step sizes, and the number of samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.script.record.leaves import leaves
from gradcheck.script.replay.outputs import Kind, Output
from gradcheck.script.replay.pairing import Slot
from gradcheck.script.source.names import is_step_size
from gradcheck.script.understand.partners import Partners

# factors that differ by less are the same
_SAME = 1e-3


@dataclass(frozen=True)
class Times:
    """Multiplies what a script has for a gradient by a number: that of the samples that it divides by, for instance."""

    number: float

    def __call__(self, value: Any) -> Any:
        """Return the gradient."""
        return np.asarray(value) * self.number


@dataclass(frozen=True)
class Pairing:
    """An output that is the gradient of an input.

    Attributes
    ----------
    ratio : float
        What it is, as a multiple of what it should be; NaN where it is none.
    claimed : str or None
        The input that its name stands for, where that is another one.
    """

    slot: Slot
    output: Output
    ratio: float
    evidence: str
    claimed: str | None = None

    @property
    def name(self) -> str:
        """The name of the input."""
        return self.slot.name

    @property
    def is_moved(self) -> bool:
        """Whether the backward function moves the input itself."""
        return self.output.kind is Kind.CHANGE


def is_multiple(value: float, wanted: float) -> bool:
    """Whether a factor is the one that is wanted."""
    return bool(abs(value - wanted) <= _SAME * abs(wanted))


def factors_of(one: Partners, pairings: Sequence[Pairing]) -> tuple[dict[str, float], str | None]:
    """Return by what gradients are to be multiplied, by the names of inputs, and what is to be said about that.

    The numbers that are taken back leave a layer no factor to choose, but for two: where it moves its parameters itself
    that is by a step, and it may take the mean over the samples for its parameters, as the layers above do not.
    """
    factors: dict[str, float] = {}
    said = []
    moved = [pairing for pairing in pairings if pairing.is_moved]
    if moved and (rate := rate_of(one, pairings)) is not None:
        factors = {pairing.name: 1 / rate for pairing in moved}
        said.append(f"{one.layer.backward.name} moves {_shown(moved)} by {rate:.6g} times the gradient")
    averaged, count = _averaged(one, pairings, factors)
    if averaged:
        factors |= {pairing.name: count * factors.get(pairing.name, 1.0) for pairing in averaged}
        own = [p for p in averaged if is_multiple(p.ratio * factors[p.name], 1)]
        upstream = " and ".join(f"`{name}`" for name in one.taken_back)
        said.append(
            f"what {one.layer.backward.name} has for {_shown(own)} is 1/{count} of the gradient, a mean over {count} "
            f"samples: right where the loss is such a mean, and {upstream} is not divided by {count} yet; shown is "
            f"{count} times what it has for {_shown(averaged)}"
        )
    return factors, "; ".join(said) or None


def rate_of(one: Partners, pairings: Sequence[Pairing]) -> float | None:
    """Return by what multiple of their gradients inputs are moved: a number that the script has; None without one."""
    ratios = [pairing.ratio for pairing in pairings if pairing.is_moved and not math.isnan(pairing.ratio)]
    known = {
        leaf.name: float(leaf.value)
        for root in (one.call.arguments, one.call.variables)
        for name, value in root.items()
        for leaf in leaves(name, value)
        if leaf.shape == () and leaf.value
    }
    seen = [sign * number for number in known.values() for sign in (-1, 1)]
    agreeing = {rate: sum(is_multiple(ratio, rate) for ratio in ratios) for rate in seen}
    best = max(agreeing, key=lambda rate: agreeing[rate], default=None)
    if best is not None and agreeing[best]:
        return best
    named = {-value for name, value in known.items() if is_step_size(name)}
    return named.pop() if len(named) == 1 else None


def _averaged(one: Partners, pairings: Sequence[Pairing], factors: dict[str, float]) -> tuple[Sequence[Pairing], int]:
    """Return the gradients that are meant to be means over samples, and the number of samples."""
    ratios = {pairing.name: pairing.ratio * factors.get(pairing.name, 1.0) for pairing in pairings}
    right = [pairing for pairing in pairings if is_multiple(ratios[pairing.name], 1)]
    for count, axis in _counts(one, pairings):
        divided = [pairing for pairing in pairings if is_multiple(ratios[pairing.name], 1 / count)]
        of_samples = [p for p in pairings if _has(p.slot.leaf.shape, axis, count, len(_output_shape(one)))]
        parameters = [pairing for pairing in pairings if pairing not in of_samples]
        if not divided:
            continue
        if all(pairing in of_samples for pairing in right) and all(pairing in parameters for pairing in divided):
            return parameters, count
        # one of several that lacks it, or has it, is the one that is wrong
        if len(divided) > max(len(right), 1):
            return pairings, count
        divided = [pairing for pairing in divided if pairing in parameters]
        if not divided:
            continue
        left = [pairing for pairing in parameters if pairing in right]
        if len(divided) > len(left) or (len(divided) == len(left) and _is_larger(divided, left)):
            return parameters, count
    return (), 1


def _is_larger(divided: Sequence[Pairing], others: Sequence[Pairing]) -> bool:
    """Whether the larger parameters are divided: with a mean in place of a sum, a slip divides small ones."""
    return max(p.slot.leaf.size for p in divided) > max(p.slot.leaf.size for p in others)


def _counts(one: Partners, pairings: Sequence[Pairing]) -> Iterator[tuple[int, int]]:
    """Return what may be the number of samples, with its axis: a length that outputs and inputs have in common."""
    shape = _output_shape(one)
    arguments = [np.shape(value) for value in one.moment.arguments.values() if isinstance(value, np.ndarray | list)]
    shapes = [*arguments, *(pairing.slot.leaf.shape for pairing in pairings)]
    for axis in (0, -1):
        count = shape[axis]
        if count > 1 and any(_has(other, axis, count, len(shape)) for other in shapes):
            yield count, axis


def _has(shape: tuple[int, ...], axis: int, count: int, dimensions: int) -> bool:
    return len(shape) == dimensions and shape[axis] == count


def _output_shape(one: Partners) -> tuple[int, ...]:
    return np.shape(one.call.arguments[one.taken_back[0]])


def _shown(pairings: Sequence[Pairing]) -> str:
    return ", ".join(f"`{pairing.name}`" for pairing in pairings)
