"""What the values that a script computes have an influence on: on the loss, and on which gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.repair.bench import Trial
from gradcheck.repair.budget import Share
from gradcheck.repair.taps import Site
from gradcheck.script.record.wrapped import Wrapping

_SIZE, _SEEN = 1e-2, 1e-9


@dataclass(frozen=True)
class Influence:
    """What moves when the values of a site are moved.

    Attributes
    ----------
    order : int
        At which position, among all sites, it is evaluated first.
    gradients : frozenset of str or None
        The parameters whose gradients move; None where its values are nothing that could be moved.
    """

    site: Site
    order: int
    rounds: int
    gradients: frozenset[str] | None
    loss: bool


def influences(trial: Trial, sites: Sequence[Site], share: Share) -> list[Influence]:
    """Return the influence of every site that is evaluated in a replay, as far as the budget allows."""
    counts: dict[int, int] = {}
    movable: set[int] = set()
    rng = np.random.default_rng(0)

    def count(number: int, value: Any) -> Any:
        counts[number] = counts.get(number, 0) + 1
        if number not in movable and shaken(value, rng) is not value:
            movable.add(number)
        return value

    base, loss = trial.gradients(tap=count), trial.loss()
    if base is None:
        return []
    found = []
    for order, number in enumerate(counts):
        site = next((s for s in sites if s.number == number), None)
        if site is None or share.is_spent:
            continue
        gradients: frozenset[str] | None = None
        moves_loss = False
        if number in movable:
            gradients = _moved(base, trial.gradients(tap=_shaking(number)))
            moves_loss = trial.loss(_shaking(number)) != loss
        found.append(Influence(site, order, counts[number], gradients, moves_loss))
    return found


def _shaking(number: int) -> Callable[[int, Any], Any]:
    rng = np.random.default_rng(number)
    return lambda n, value: shaken(value, rng) if n == number else value


def _moved(base: dict[str, Any], other: dict[str, Any] | None) -> frozenset[str] | None:
    if other is None:
        return None
    names = set()
    for name, value in base.items():
        if name not in other or np.shape(value) != np.shape(other[name]):
            names.add(name)
            continue
        size = float(np.max(np.abs(value), initial=0.0))
        if not np.allclose(value, other[name], rtol=_SEEN, atol=_SEEN * size + 1e-300, equal_nan=True):
            names.add(name)
    return frozenset(names)


def shaken(value: Any, rng: np.random.Generator) -> Any:
    """Return a value with its numbers moved a little at random, and its truths turned; others as they are."""
    if isinstance(value, bool | np.bool_):
        return not value
    if isinstance(value, float | np.floating):
        return type(value)(value + _SIZE * max(abs(float(value)), 0.1) * (1 + rng.random()))
    if (wrapping := Wrapping.around(value)) is not None:
        return wrapping.made(_shaken_array(wrapping.numbers, rng))
    if isinstance(value, np.ndarray):
        return _shaken_array(value, rng)
    if isinstance(value, dict):
        items = {key: shaken(item, rng) for key, item in value.items()}
        return items if any(items[key] is not value[key] for key in items) else value
    if isinstance(value, list | tuple):
        parts = [shaken(item, rng) for item in value]
        if all(part is item for part, item in zip(parts, value, strict=True)):
            return value
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def _shaken_array(value: np.ndarray[Any, Any], rng: np.random.Generator) -> Any:
    if value.dtype.kind == "b":
        return np.logical_xor(value, rng.random(value.shape) < 0.5)
    if value.dtype.kind != "f" or not value.size:
        return value
    width = _SIZE * max(float(np.mean(np.abs(value))), 0.1)
    moved = value + width * (1 + rng.random(value.shape)) * rng.choice([-1.0, 1.0], value.shape)
    return moved.astype(value.dtype)
