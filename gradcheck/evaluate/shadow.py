"""Float64 copies of coarser parameters, where they can stand in for them.

Code in float32 is best judged by the same loss at the same point in float64: its differences are then free of float32's
noise. That works only where the loss is seen to read the copies, and to compute with them in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcheck.evaluate.leaf import Leaf
from gradcheck.evaluate.params import Parameters
from gradcheck.numerics.arrays import FloatArray
from gradcheck.numerics.step_size import parameter_scale


def float64_shadow(
    parameters: Parameters, loss: Callable[[Parameters], float], origin: float, epsilon: float
) -> Parameters | None:
    """Return float64 copies of the parameters on which the loss is the same function, or None if it is not."""
    shadow = Parameters(parameters.assemble([leaf.values() for leaf in parameters.leaves]))
    shadow.hands_out_copies = parameters.hands_out_copies
    try:
        fits = _Shadow(parameters, shadow, loss, origin, 50 * epsilon * abs(origin)).fits()
    except Exception:  # noqa: BLE001 - whatever a loss raises when handed float64, the originals serve then
        return None
    return shadow if fits else None


@dataclass(frozen=True)
class _Shadow:
    """Copies on trial; values of the loss at the original and the shadow may differ by `slack`."""

    original: Parameters
    shadow: Parameters
    loss: Callable[[Parameters], float]
    origin: float
    slack: float

    def fits(self) -> bool:
        """Tell whether the loss reads the copies, as it does the originals, and computes in float64."""
        value = self.loss(self.shadow)
        return (
            abs(value - self.origin) <= self.slack
            and self._resolves_tiny_changes(value)
            and all(
                self._agrees_on_change(leaf, twin, value)
                for leaf, twin in zip(self.original.leaves, self.shadow.leaves, strict=True)
            )
        )

    def _resolves_tiny_changes(self, value: float) -> bool:
        """Tell whether a change of 1e-8 in all parameters shows in the loss as half of a change of 2e-8."""
        leaves = self.shadow.leaves
        start = [leaf.values() for leaf in leaves]
        rng = np.random.default_rng(0)
        directions = [parameter_scale(x) * rng.uniform(0.6, 1, x.size) * rng.choice([-1, 1], x.size) for x in start]
        changes = []
        for factor in (1e-8, 2e-8):
            for leaf, x, direction in zip(leaves, start, directions, strict=True):
                leaf.write(x + factor * direction)
            changes.append(self.loss(self.shadow) - value)
        for leaf, x in zip(leaves, start, strict=True):
            leaf.write(x)
        return abs(changes[1] - 2 * changes[0]) <= 0.01 * abs(changes[1]) and changes[0] != 0

    def _agrees_on_change(self, leaf: Leaf, twin: Leaf, value: float) -> bool:
        """Tell whether a change of one parameter changes the loss alike in both precisions."""
        start = leaf.values()
        factor: FloatArray = np.random.default_rng(1).uniform(0.5, 1, start.size)
        try:
            leaf.write(start + 0.1 * parameter_scale(start) * factor)
            twin.write(leaf.values())
            change = self.loss(self.original) - self.origin
            shadow_change = self.loss(self.shadow) - value
        finally:
            leaf.write(start)
            twin.write(start)
        return abs(change - shadow_change) <= self.slack + 1e-2 * abs(change)
