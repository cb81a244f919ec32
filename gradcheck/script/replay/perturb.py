"""Move parameters away from where the script had them, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

# of a parameter's own spread; far enough to break the symmetry of equal weights, near enough to stay in the domain
_RELATIVE = 0.3
_ABSOLUTE = 0.15


@contextmanager
def moved(
    parameters: dict[str, Any], names: Sequence[str], rng: np.random.Generator, size: float = 1.0
) -> Iterator[None]:
    """Move the named parameters at random, arrays and lists in place, for the time of the block.

    Each entry moves by a normal deviate of 0.3 times the spread of its parameter (its size, for a scalar), or of 0.15
    where that is smaller, times `size`.
    """
    with put_back(parameters, names) as values:
        for name, value in values.items():
            spread = float(np.std(value)) if value.size > 1 else float(np.abs(value).max())
            width = size * max(_RELATIVE * spread, _ABSOLUTE)
            assign(parameters, name, value + width * rng.standard_normal(value.shape))
        yield


@contextmanager
def resized(parameters: dict[str, Any], names: Sequence[str], size: float) -> Iterator[None]:
    """Multiply the named parameters by a number, arrays and lists in place, for the time of the block."""
    with put_back(parameters, names if size != 1 else ()) as values:
        for name, value in values.items():
            assign(parameters, name, size * value)
        yield


@contextmanager
def put_back(parameters: dict[str, Any], names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    """Return what the named parameters hold, and put it back at the end of the block."""
    saved = {name: np.array(parameters[name], dtype=float) for name in names}
    try:
        yield saved
    finally:
        for name, value in saved.items():
            assign(parameters, name, value)


@contextmanager
def along(
    parameters: dict[str, Any], ways: Sequence[tuple[str, np.ndarray]]
) -> Iterator[Callable[[Sequence[float] | np.ndarray], None]]:
    """Return what moves parameters along ways, by a number for each, from where they are; they go back at the end."""
    with put_back(parameters, list(dict.fromkeys(name for name, _ in ways))) as values:

        def move(shifts: Sequence[float] | np.ndarray) -> None:
            places = dict(values)
            for (name, way), shift in zip(ways, shifts, strict=True):
                if shift:
                    places[name] = places[name] + shift * way
            for name, place in places.items():
                assign(parameters, name, place)

        yield move


def assign(parameters: dict[str, Any], name: str, value: np.ndarray) -> None:
    """Give a parameter new values: arrays and lists of numbers in place, numbers in the mapping."""
    current = parameters[name]
    if isinstance(current, np.ndarray):
        np.copyto(current, value, casting="same_kind")
    elif isinstance(current, list):
        _assign_list(current, value)
    else:
        parameters[name] = float(value)


def _assign_list(target: list[Any], value: np.ndarray) -> None:
    for index, row in enumerate(value):
        if isinstance(target[index], list):
            _assign_list(target[index], row)
        else:
            target[index] = float(row)
