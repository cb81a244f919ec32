"""What the rounds of a loop have left: a gradient of the last round, beside parameters that it has moved since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.source.syntax import Loop, walk
from gradcheck.script.understand.motion import slot_value

# rounds in a row; a loop over layers moves each of them in one
_ROUNDS = 3


def without_left_over(found: Sequence[Backward]) -> Iterator[Backward]:
    """Yield stretches of code without the gradients of the rounds of a loop inside, which is among them itself."""
    rounds = [way for way in found if way.kind is Kind.CHANGE and isinstance(way.function, Loop)]
    moving = [(way, names) for way in rounds if (names := _moved_in_each(way))]
    for backward in found:
        kept = backward.pairs if backward.kind is not Kind.KEPT else _without(moving, backward)
        if len(kept) == len(backward.pairs):
            yield backward
        elif kept:
            yield replace(backward, pairs=kept)


def _without(moving: Sequence[tuple[Backward, frozenset[str]]], backward: Backward) -> tuple[GradientMap, ...]:
    """Return the gradients of a stretch of code that no loop inside both computes and moves its parameters by."""
    inside = [(way, names) for way, names in moving if _is_inside(way, backward)]
    return tuple(
        pair
        for pair in backward.pairs
        if not any(pair.slot.name in names and way.function.assignments(pair.output.variable) for way, names in inside)
    )


def _moved_in_each(way: Backward) -> frozenset[str]:
    """Return the names of what each of the first rounds has moved."""
    moments = way.moments[:_ROUNDS]
    if len(moments) < _ROUNDS:
        return frozenset()
    found = set()
    for pair in way.pairs:
        try:
            values = [slot_value(moment, pair.slot) for moment in moments]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            continue
        if not any(np.array_equal(one, other) for one, other in pairwise(values)):
            found.add(pair.slot.name)
    return frozenset(found)


def _is_inside(way: Backward, backward: Backward) -> bool:
    own = backward.function.node
    return way.function.node is not own and any(node is way.function.node for node in walk(own))
