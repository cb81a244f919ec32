"""Which of several places are rewritten."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# single places that are tried where all of them at once are not safe
_SINGLE = 3


def subsets(places: Sequence[T], rng: random.Random, most: int | None = None) -> Iterator[list[T]]:
    """Return all places, half of them, and single ones, in the order in which they are to be tried.

    Parameters
    ----------
    most : int, optional
        The largest number of places at once.
    """
    order = rng.sample(places, len(places))
    sizes = [len(order), len(order) // 2]
    tried: set[int] = set()
    for size in (size if most is None else min(size, most) for size in sizes):
        if size > 1 and size not in tried:
            tried.add(size)
            yield order[:size]
    yield from ([place] for place in order[:_SINGLE])
