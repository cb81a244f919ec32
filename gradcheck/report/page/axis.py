"""The axes of a chart: where a number lies, and which numbers are written beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

# beyond this ratio of the largest and the smallest, equal ratios are drawn equally far apart
WIDE = 20.0
_MOST_TICKS = 6


@dataclass(frozen=True)
class Tick:
    """A number beside an axis.

    Attributes
    ----------
    at : float
        Where it stands: 0 at the beginning of the axis, 1 at its end.
    text : str
        How it is written.
    """

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """A stretch of numbers.

    Attributes
    ----------
    low, high : float
        Its ends.
    bend : callable
        What turns a number into a length.
    ticks : tuple of Tick
        What is written beside it.
    """

    low: float
    high: float
    bend: Callable[[float], float]
    ticks: tuple[Tick, ...] = ()

    def __call__(self, value: float) -> float:
        """Return where a number lies, between 0 and 1."""
        low, high = self.bend(self.low), self.bend(self.high)
        return min(max((self.bend(value) - low) / (high - low), 0.0), 1.0)

    def written(self, values: Iterable[float]) -> Axis:
        """Return this axis with numbers beside it."""
        inside = [v for v in values if self.low <= v <= self.high]
        return Axis(self.low, self.high, self.bend, tuple(Tick(self(v), f"{v:g}") for v in inside))

    @classmethod
    def linear(cls, low: float, high: float) -> Axis:
        """Return an axis on which equal differences are equally far apart."""
        if not high > low:
            low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
        # a half each, as the difference of two huge numbers would overflow
        exponent = math.floor(math.log10((high / 2 - low / 2) / (_MOST_TICKS - 1) * 2))
        steps = (factor * 10.0**exponent for factor in (1, 2, 5, 10))
        step = next(s for s in steps if high / s - low / s <= _MOST_TICKS - 0.5)
        count = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
        # an exponent below the smallest number has no power
        return cls(low, high, float).written(float(f"{k * step:.12g}") for k in count)

    @classmethod
    def logarithmic(cls, low: float, high: float) -> Axis:
        """Return an axis on which equal ratios are equally far apart; both ends are positive."""
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        last = max(last, first + 1)
        stride = -(-(last - first) // _MOST_TICKS)
        decades = (float(f"1e{k}") for k in range(first, last + 1, stride))
        return cls(float(f"1e{first}"), float(f"1e{last}"), math.log10).written(decades)

    @classmethod
    def both_signs(cls, size: float, fine: float) -> Axis:
        """Return an axis from ``-size`` to ``size`` that is linear up to `fine`, and logarithmic beyond."""

        def bend(value: float) -> float:
            return math.copysign(math.log10(1 + abs(value) / fine), value)

        first, last = math.ceil(math.log10(fine)), math.floor(math.log10(size))
        stride = max(-(-(last - first) // 2), 1)
        sizes = [float(f"1e{k}") for k in range(last, first - 1, -stride)]
        return cls(-size, size, bend).written([*(-s for s in sizes), 0.0, *reversed(sizes)])
