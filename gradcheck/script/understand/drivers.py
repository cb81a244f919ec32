"""Which of the things that a step moves are parameters: what is moved on from where it was, and drives what moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.numerics.arrays import FloatArray
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.perturb import moved
from gradcheck.script.replay.stage import Stage

# so many places are looked at one by one; where more change, they are data
_MOST_PLACES, _MOMENTS = 64, 3
# a small move shows slopes, a large one what only switches: a margin that is kept or not
_SIZES = (1e-3, 1.0)
# of what changes and of what it is added to, below which a difference is round-off
_ROUND_OFF, _OF_VALUE = 1e-7, 1e-13
# how alike a place's new value has to move with its old one, and how little it changes, for what no update names
_GOES_ON, _SMALL_STEP = 0.5, 0.5


@dataclass(frozen=True)
class Role:
    """What a moved place does in a step.

    Attributes
    ----------
    is_carried : bool
        Whether its new value is made of its old one; what is made anew is a cache, or data.
    drives : bool
        Whether its value decides how it, or anything else, moves; a total or a counter does not.
    is_step : bool
        Whether it is moved from where it was: by little, or by just as much wherever it is, where it drives others.
    """

    is_carried: bool
    drives: bool
    is_step: bool

    def __or__(self, other: Role) -> Role:
        """Return what is seen at one moment or another."""
        return Role(self.is_carried or other.is_carried, self.drives or other.drives, self.is_step or other.is_step)


def roles(recording: Recording, backward: Backward) -> dict[str, Role]:
    """Return the roles of what some code moves, by name; of nothing where too much changes, or no replay succeeds."""
    if len(backward.pairs) > _MOST_PLACES:
        return {}
    found: dict[str, Role] = {}
    for moment in backward.moments[:_MOMENTS]:
        # a sample may be zero, and then nothing depends on what it is multiplied by
        left = [name for name in backward.names if name not in found or not found[name].drives]
        found |= _seen(recording, backward, moment, left, found)
    # the first steps of a training may be as large as what they move
    left = [name for name, role in found.items() if role.drives and not role.is_step]
    for moment in backward.moments[_MOMENTS:][-1:]:
        found |= _seen(recording, backward, moment, left, found)
    return found


def _seen(
    recording: Recording, backward: Backward, moment: Call, names: Sequence[str], known: Mapping[str, Role]
) -> dict[str, Role]:
    """Return the roles of some places at a moment, with what is known of them; none where no replay succeeds."""
    if not names:
        return {}
    stage = Stage(recording, backward, moment)
    try:
        before, again = (stage.gradient()(stage.parameters) for _ in range(2))
        # a clock, for instance: where everything differs, it is not told apart
        restless = {name for name in before if _differs(before[name], again[name], before[name])}
        steady = set(before) - restless or set(before)
        seen = {name: _role(stage, name, before, steady) for name in names}
    except Exception:  # noqa: BLE001 - code that cannot be replayed from here may fail in any way
        return {}
    return {name: role | known[name] if name in known else role for name, role in seen.items()}


def _role(stage: Stage, name: str, before: Mapping[str, FloatArray], steady: Set[str]) -> Role:
    """Return the role of a place, by how what is the same in each replay moves; what is not is carried nowhere."""
    values = {other: np.array(value, dtype=float) for other, value in stage.parameters.items()}
    carried, drives, alike, goes_along = True, False, 1.0, False
    for number, size in enumerate(_SIZES):
        with moved(stage.parameters, [name], np.random.default_rng(number), size=size):
            with np.errstate(invalid="ignore"):
                shift = np.array(stage.parameters[name], dtype=float) - values[name]
            try:
                after = stage.gradient()(stage.parameters)
            except Exception:  # noqa: BLE001 - a large move may leave the domain
                continue
        if number == 0:
            if np.shape(after[name]) != shift.shape or np.shape(before[name]) != shift.shape:
                return Role(is_carried=True, drives=True, is_step=False)  # it grows, which a report tells
            with np.errstate(invalid="ignore"):
                new = np.asarray(after[name], dtype=float) - before[name] + shift
            # what stays as it is at this moment may be data that are put into another order
            carried = bool(np.any(before[name]) and np.linalg.norm(new) > _ROUND_OFF * np.linalg.norm(shift))
            alike = _cosine(new, shift)
            goes_along = bool(np.linalg.norm(new - shift) <= _ROUND_OFF * np.linalg.norm(shift))
        drives = any(_differs(before[other], after[other], values[other]) for other in steady)
        if drives:
            break
    if name not in steady and not drives:
        return Role(is_carried=False, drives=False, is_step=False)
    change, value = (float(np.linalg.norm(np.ravel(part))) for part in (before[name], values[name]))
    is_small = value == 0 or change < _SMALL_STEP * value
    return Role(carried, drives, alike > _GOES_ON and (is_small or (goes_along and drives)))


def _cosine(one: FloatArray, other: FloatArray) -> float:
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.ravel(one) @ np.ravel(other)) / size if size > 0 else 0.0


def _differs(one: Any, other: Any, value: FloatArray) -> bool:
    if np.shape(one) != np.shape(other):
        return True
    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    allowed = _ROUND_OFF * np.abs(one) + _OF_VALUE * np.max(np.abs(value), initial=1.0)
    with np.errstate(invalid="ignore"):
        return bool(np.any(np.abs(one - other) > allowed))


def drivers(found: Mapping[str, Role], names: Sequence[str]) -> set[str]:
    """Return the names of what may be a parameter: what drives, or all where nothing does, as with linear losses."""
    carried = [name for name in names if found[name].is_carried]
    return {name for name in carried if found[name].drives} or set(carried)
