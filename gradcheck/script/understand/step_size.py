"""The step size of a round: the number that all its steps are multiplied by, found by putting another in its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.numerics.arrays import same_values
from gradcheck.script.record.leaves import follow
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.record.wrapped import plain
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.pairing import Slot, slots
from gradcheck.script.replay.perturb import moved
from gradcheck.script.replay.stage import Stage
from gradcheck.script.replay.units import moved_bases

_SMALLEST, _LARGEST = 1e-6, 10.0
# by what a number is multiplied, and what of a step may be round-off
_TIMES, _ROUND_OFF = 1.5, 1e-9
# numbers and states that are tried
_MOST = 40
_ELSEWHERE = 1.7


def step_size(recording: Recording, backward: Backward) -> tuple[float, str] | None:
    """Return the number that all steps of a round are multiplied by, with its name, if nothing else is in them.

    None where there is no such number, or several, and where the steps go on from earlier ones: momentum and the like.
    """
    try:
        found = list(_factors(recording, backward))
        if not found or len({value for value, _ in found}) > 1 or goes_on(recording, backward):
            return None
    except Exception:  # noqa: BLE001 - code may raise anything at other numbers
        return None
    return found[0]


def of_one_factor(recording: Recording, backward: Backward) -> tuple[Call, ...]:
    """Return the moments at which the numbers that all steps are multiplied by, whatever their names, are the first's.

    A function that is called with several step sizes has the same one for many rounds: what is another number in each
    round is looked at no further.
    """
    moments = backward.moments
    try:
        there = {slot: [_number(slot, moment) for moment in moments] for slot in _numbers(recording, backward)}
        several = [slot for slot, values in there.items() if 1 < values.count(values[0]) < len(moments)]
        found = list(_multiplying(recording, backward, several)) if several else []
    except Exception:  # noqa: BLE001 - code may raise anything at other numbers
        return moments
    same = tuple(m for n, m in enumerate(moments) if all(there[slot][n] == there[slot][0] for slot in found))
    return same if len(same) > 1 else moments


def _number(slot: Slot, moment: Call) -> object:
    """Return the number in a place at a moment, None where there is no such place."""
    try:
        return slot.at(moment)
    except (AttributeError, IndexError, KeyError, TypeError):
        return None


def _factors(recording: Recording, backward: Backward) -> Iterator[tuple[float, str]]:
    for slot in _multiplying(recording, backward, _numbers(recording, backward)):
        yield float(slot.leaf.value), slot.name


def _numbers(recording: Recording, backward: Backward) -> list[Slot]:
    """Return where the numbers lie that may be step sizes."""
    own = {(pair.slot.variable, pair.slot.path) for pair in backward.pairs}
    return [
        slot
        for slot in _places(recording, backward, backward.moments[0])
        if slot.leaf.shape == () and (slot.variable, slot.path) not in own and _is_small(slot.leaf.value)
    ]


def _multiplying(recording: Recording, backward: Backward, numbers: Collection[Slot]) -> Iterator[Slot]:
    """Return those of some numbers that all steps are multiplied by."""
    stage = Stage(recording, backward, backward.moments[0])
    before = _steps(stage, backward)
    for slot in [*numbers][:_MOST]:
        with stage.exchanged(slot, slot.leaf.value * _TIMES):
            after = _steps(stage, backward)
        # the state is that of the first step, or none: a momentum is multiplied as a whole
        if np.any(before) and np.allclose(after, _TIMES * before, rtol=_ROUND_OFF, atol=0.0):
            yield slot


def _places(recording: Recording, backward: Backward, moment: Call) -> list[Slot]:
    read = frozenset(backward.function.names) | moved_bases(recording.source)
    return slots(backward.region, moment, read | frozenset(moment.variables))


def _steps(stage: Stage, backward: Backward) -> np.ndarray:
    steps = stage.gradient()(stage.parameters)
    return np.concatenate([np.ravel(np.asarray(steps[name], dtype=float)) for name in backward.names])


def _is_small(value: Any) -> bool:
    return isinstance(value, float | np.floating) and _SMALLEST <= abs(float(value)) <= _LARGEST


def goes_on(recording: Recording, backward: Backward) -> bool:
    """Whether a second step depends on what the first one has left, beside the parameters: on a velocity, say."""
    if len(backward.moments) < 2:
        return False
    try:
        return _remembers(recording, backward)
    except Exception:  # noqa: BLE001 - code may raise anything at other numbers
        return False


def has_momentum(recording: Recording, backward: Backward, names: Collection[str]) -> bool:
    """Whether the steps of the named places go on from a share of earlier ones, and not from gradients never cleared.

    What is added up without end grows by the same, whatever it was; of a velocity, a part is lost in each step.
    """
    own = replace(backward, pairs=tuple(pair for pair in backward.pairs if pair.slot.name in names))
    memory = [name for name in backward.names if name not in names]
    if not memory or not goes_on(recording, own):
        return False
    try:
        stage = Stage(recording, backward, backward.moments[1])
        before = stage.gradient()(stage.parameters)
        with moved(stage.parameters, memory, np.random.default_rng(0)):
            after = stage.gradient()(stage.parameters)
    except Exception:  # noqa: BLE001 - code may raise anything at other numbers
        return False
    return any(not same_values(before[name], after[name]) for name in memory)


def _remembers(recording: Recording, backward: Backward) -> bool:
    first, second = backward.moments[:2]
    own = {(pair.slot.variable, pair.slot.path) for pair in backward.pairs}
    left = [
        slot
        for slot in _places(recording, backward, second)
        if (slot.variable, slot.path) not in own
        and np.asarray(plain(slot.leaf.value)).dtype.kind == "f"
        and not _was_there(slot, first)
    ]
    stage = Stage(recording, backward, second)
    before = _steps(stage, backward)
    # there may be many of them, as where the gradients of all samples are kept: most remember nothing
    with ExitStack() as exchanges:
        for slot in left:
            exchanges.enter_context(stage.exchanged(slot, _other(slot.leaf.value)))
        if _has_steps(stage, backward, before):
            return False
    for slot in left[:_MOST]:
        with stage.exchanged(slot, _other(slot.leaf.value)):
            if not same_values(_steps(stage, backward), before):
                return True
    return len(left) > _MOST


def _other(value: Any) -> Any:
    numbers = np.asarray(plain(value), dtype=float)
    other = _ELSEWHERE * numbers + 1.0
    return other if numbers.shape else float(other)


def _has_steps(stage: Stage, backward: Backward, steps: np.ndarray) -> bool:
    try:
        return same_values(_steps(stage, backward), steps)
    except Exception:  # noqa: BLE001 - code may raise anything at other numbers
        return False


def _was_there(slot: Slot, moment: Call) -> bool:
    """Whether the same numbers lay in a place at another moment."""
    try:
        value = follow((moment.arguments if slot.is_argument else moment.variables)[slot.variable], slot.path)
    except (AttributeError, IndexError, KeyError, TypeError):
        return False
    one, other = np.asarray(plain(value)), np.asarray(plain(slot.leaf.value))
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=True)
