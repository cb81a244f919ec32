"""The axes of a chart: where a number lies, and which numbers are written beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from gradcheck.report.page.words import MINUS

# beyond this ratio of the largest and the smallest, equal ratios are drawn equally far apart
WIDE = 20.0
_MOST_TICKS = 6
# the smallest distance of two numbers beside half an axis, as a part of it
_APART = 0.25
# a stretch shorter than this has no steps that are numbers
_LEAST = 1e-290
# beyond so many digits before or behind the point, numbers are written as powers of ten
_PLAIN = 4.5
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _power(value: float) -> str:
    """Return a number as a multiple of a power of ten."""
    digits, exponent = f"{value:.12e}".split("e")
    if not int(exponent):
        return _plain(value)
    power = f"10{str(int(exponent)).translate(_RAISED)}"
    factor = _plain(float(digits))
    return f"{factor.removesuffix('1')}{power}" if factor in ("1", f"{MINUS}1") else f"{factor}·{power}"


def _plain(value: float) -> str:
    return f"{value:g}".replace("-", MINUS)


@dataclass(frozen=True)
class Tick:
    """A number beside an axis.

    Attributes
    ----------
    at : float
        Where it stands: 0 at the beginning of the axis, 1 at its end.
    """

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """A stretch of numbers.

    Attributes
    ----------
    bend : callable
        What turns a number into a length.
    """

    low: float
    high: float
    bend: Callable[[float], float]
    ticks: tuple[Tick, ...] = ()

    def __call__(self, value: float) -> float:
        """Return where a number lies, between 0 and 1; beyond the ends, the closer end."""
        low, high = self.bend(self.low), self.bend(self.high)
        # what lies beyond may have no length at all: a logarithmic axis has no place for 0
        return (self.bend(min(max(value, self.low), self.high)) - low) / (high - low)

    def written(self, values: Iterable[float]) -> Axis:
        """Return this axis with numbers beside it."""
        inside = [v for v in values if self.low <= v <= self.high]
        powers = max((abs(math.log10(abs(v))) for v in inside if v), default=0) > _PLAIN
        write = _power if powers else _plain
        return replace(self, ticks=tuple(Tick(self(v), write(v)) for v in inside))

    @classmethod
    def linear(cls, low: float, high: float) -> Axis:
        """Return an axis on which equal differences are equally far apart."""
        if not high / 2 - low / 2 > _LEAST:
            low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
        exponent = math.floor(math.log10((high / 2 - low / 2) / (_MOST_TICKS - 1) * 2))
        steps = (factor * 10.0**exponent for factor in (1, 2, 5, 10))
        step = next(s for s in steps if high / s - low / s <= _MOST_TICKS - 0.5)
        count = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
        size = max(abs(low), abs(high))
        # in units of the largest, as the difference of two huge numbers would overflow
        return cls(low, high, lambda value: value / size).written(float(f"{k * step:.12g}") for k in count)

    @classmethod
    def logarithmic(cls, low: float, high: float) -> Axis:
        """Return an axis on which equal ratios are equally far apart; both ends are positive."""
        # the largest power of ten that is a number is 1e308
        first = min(math.floor(math.log10(low)), 307)
        last = min(max(math.ceil(math.log10(high)), first + 1), 308)
        stride = -(-(last - first) // _MOST_TICKS)
        decades = (float(f"1e{k}") for k in range(first, last + 1, stride))
        return cls(float(f"1e{first}"), float(f"1e{last}"), math.log10).written(decades)

    @classmethod
    def both_signs(cls, size: float, fine: float) -> Axis:
        """Return an axis from ``-size`` to ``size`` that is linear up to `fine`, and logarithmic beyond."""

        def bend(value: float) -> float:
            return math.copysign(math.log10(1 + abs(value) / fine), value)

        sizes: list[float] = []
        nearest = bend(size) * (1 + _APART)
        for exponent in range(math.floor(math.log10(size)), math.ceil(math.log10(fine)) - 1, -1):
            decade = float(f"1e{exponent}")
            if _APART * bend(size) <= bend(decade) <= nearest - _APART * bend(size):
                sizes.append(decade)
                nearest = bend(decade)
        return cls(-size, size, bend).written([*(-s for s in sizes), 0.0, *reversed(sizes)])
