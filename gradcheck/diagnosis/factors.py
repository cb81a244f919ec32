"""Where a factor comes from: it is compared with the numbers in sight, their inverses, and products of two."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.checker.result import FloatArray
from gradcheck.diagnosis.sight import Number

# numbers that are equally far-fetched, so that both are named
_NEAR = 0.05
_MOST_PAIRED, _SMALL = 24, 8
TWO = Number("2", np.full(1, 2.0))


@dataclass(frozen=True)
class Source:
    """A form in which numbers in sight make a factor.

    Attributes
    ----------
    numbers : tuple of Number
        One or two of them, 2 among them.
    sign : int
        What it is multiplied by, 1 or -1.
    also : Number or None
        Another number that explains it just as well as the first.
    """

    form: str
    numbers: tuple[Number, ...]
    sign: int = 1
    also: Number | None = None

    @property
    def rank(self) -> float:
        """How far-fetched it is."""
        return _COSTS[self.form] + sum(number.rank for number in self.numbers)

    def in_numbers(self) -> str:
        """Return its size with values: ``1/30``."""
        return self.form.format(*(f"{abs(number.values[0]):.6g}" for number in self.numbers))

    def in_names(self) -> str:
        """Return it with the user's names."""
        return f"{'-' if self.sign < 0 else ''}{self.form.format(*(number.shown for number in self.numbers))}"

    def told(self) -> str:
        """Say what the numbers are: ```len(X)` is 30``."""
        named = [number for number in self.numbers if number is not TWO]
        said = [_told(number) for number in named]
        if self.also is not None:
            said[0] = f"{named[0].shown} and {self.also.shown} are {named[0].values[0]:.6g}"
        return " and ".join(said)


def _told(number: Number) -> str:
    value = f"{number.values[0]:.6g}"
    return f"{number.shown} is {value}" if number.line is None else f"{value} stands in line {number.line}"


_Form = tuple[str, Callable[[Any, Any], Any]]
_SINGLE: tuple[_Form, ...] = (("{}", lambda a, _: a), ("1/{}", lambda a, _: 1 / a))
_PRODUCT: tuple[_Form, ...] = (("{} x {}", lambda a, b: a * b), ("1/({} x {})", lambda a, b: 1 / (a * b)))
_QUOTIENT: tuple[_Form, ...] = (("{}/{}", lambda a, b: a / b),)
# the slopes of a sigmoid and of a hyperbolic tangent, by their values
_SLOPE: tuple[_Form, ...] = (
    ("{0} x (1 - {0})", lambda a, _: a * (1 - a)),
    ("(1 - {0} ** 2)", lambda a, _: 1 - a**2),
    ("1/({0} x (1 - {0}))", lambda a, _: 1 / (a * (1 - a))),
    ("1/(1 - {0} ** 2)", lambda a, _: 1 / (1 - a**2)),
)
_COSTS = {
    **dict.fromkeys((form for form, _ in _SINGLE), 0.0),
    **dict.fromkeys((form for form, _ in (*_PRODUCT, *_QUOTIENT, *_SLOPE)), 0.4),
}


def source_of(factor: FloatArray, numbers: Sequence[Number], tolerance: FloatArray) -> Source | None:
    """Return where a factor comes from; None where no numbers in sight make it at all points.

    Parameters
    ----------
    factor : float array, shape (points,)
        The factor at each point.
    tolerance : float array, shape (points,)
        How far, relatively, a number may be off.
    """
    useful = sorted((n for n in numbers if _is_useful(n)), key=lambda n: (n.rank, len(n.text), n.text))
    alone, paired = [(n, n) for n in useful], useful[:_MOST_PAIRED]
    doubled = [pair for number in useful for pair in ((TWO, number), (number, TWO))]
    mixed = [(a, b) for a in paired for b in paired if a is not b and _tells(a, b)]
    varies = bool(np.ptp(factor) > np.max(tolerance) * np.max(np.abs(factor)))
    families = [
        (_SINGLE, alone),
        (_PRODUCT + _QUOTIENT, doubled),
        # of two numbers that vary, one stands in place of the other; their product may be anything
        (_QUOTIENT if varies else _PRODUCT + _QUOTIENT, mixed),
        (_SLOPE if varies else (), alone),
    ]
    found = [source for forms, operands in families for source in _agreeing(factor, forms, operands, tolerance)]
    return _with_another(min(found, key=lambda source: source.rank), found) if found else None


def _is_useful(number: Number) -> bool:
    size = np.abs(number.values)
    return bool(np.all(np.isfinite(size) & (size > 0)) and not np.all(size == 1))


def _tells(one: Number, other: Number) -> bool:
    """Whether it says something that a factor is made of these two numbers."""
    both_written = one.line is not None and other.line is not None
    return not both_written and not (_is_small(one) and _is_small(other))


def _is_small(number: Number) -> bool:
    """Whether a number is one of those of which many a factor is a product or a quotient."""
    return bool(np.all(number.values == np.round(number.values)) and np.min(np.abs(number.values)) < _SMALL)


def _agreeing(
    factor: FloatArray, forms: Sequence[_Form], operands: Sequence[tuple[Number, Number]], tolerance: FloatArray
) -> Iterator[Source]:
    first = abs(float(factor[0]))
    for one, other in operands:
        a, b = float(one.values[0]), float(other.values[0])
        for form, value in forms:
            # at one point first, which is enough for nearly all of them
            with suppress(ZeroDivisionError):
                if abs(abs(value(a, b)) - first) > first * tolerance[0]:
                    continue
            with np.errstate(all="ignore"):
                ratio = value(one.values, other.values) / factor
            sign = 1 if ratio[0] > 0 else -1
            if np.all(np.abs(sign * ratio - 1) <= tolerance):
                yield Source(form, (one,) if one is other else (one, other), sign)


def _with_another(best: Source, found: Sequence[Source]) -> Source:
    """Return a source with another number that is as good, but not with two first axes of data: they are one number."""
    number = best.numbers[0]
    for source in found:
        other = source.numbers[0]
        is_near = abs(source.rank - best.rank) <= _NEAR
        if len(best.numbers) == 1 and source.form == best.form and other is not number and is_near:
            return best if number.is_length and other.is_length else replace(best, also=other)
    return best
