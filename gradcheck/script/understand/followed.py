"""What the steps follow: the values in a round whose signs every entry of a first step has, at several points.

An optimizer turns a gradient into a step in many ways. Before it has kept anything, each entry of its step goes along
the entry of the gradient, or against it; what is carried on from step to step is its own state, and no gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.numerics.arrays import FloatArray, same_values
from gradcheck.script.record.leaves import Leaf, Path, Step, follow, leaves
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.record.wrapped import plain
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import Kind, Output
from gradcheck.script.replay.pairing import GradientMap, Slot, fits
from gradcheck.script.replay.perturb import moved
from gradcheck.script.replay.stage import Stage
from gradcheck.script.source.updates import Motion, handed_beside

# how far the points are moved at which signs have to be the same: a single number has to change its sign on the way
_SIZES = (0.0, 0.5, 0.5, 2.0, 2.0, 8.0, 8.0, 32.0)
# of a row that may be the gradients of single numbers
_MOST_ENTRIES = 20
# of a step, that is no multiple of a gradient
_ROUND_OFF = 1e-6
# how far a value is moved to see whether the round goes on from it
_ELSEWHERE = 1.7


@dataclass(frozen=True)
class _Seen:
    """One value at the end of a round, at all points in turn, and whether it is another one at each.

    `holder` is the identity of the object whose attribute it is.
    """

    leaf: Leaf
    variable: str
    values: FloatArray
    is_living: bool
    holder: int | None


def following(recording: Recording, way: Backward) -> Backward | None:
    """Return a round that moves parameters with what it moves them along, where that is to be found in its variables.

    Parameters
    ----------
    way : Backward
        A round, with the changes of its parameters as gradients.

    Returns
    -------
    Backward or None
        None where there is no such value for any of them.
    """
    try:
        begun = _begun(recording, way)
        steps, holders, seen = _at_points(recording, way, begun)
    except Exception:  # noqa: BLE001 - code that cannot be replayed from here may fail in any way
        return None
    found: dict[str, tuple[_Seen, int]] = {}
    unclear: dict[str, list[tuple[_Seen, int]]] = {}
    handed = handed_beside(way.function.statements)
    for name in way.names:
        along = [(one, sign) for one in seen if (sign := _sign(one.values, steps[name])) is not None]
        along = [(one, sign) for one, sign in along if not _is_carried(recording, way, one)]
        # what is the same at all points follows nothing
        living = [(one, sign) for one, sign in along if one.is_living]
        if name not in begun:
            living = [(one, sign) for one, sign in living if _is_followed(recording, way, name, one, sign)]
        # a plain first step, or one with momentum, is a multiple of its gradient
        multiples = [(one, sign) for one, sign in living if _is_multiple(steps[name], one.values)]
        # where all entries have one sign at all points, this says nothing
        both = np.any(steps[name] > 0) and np.any(steps[name] < 0)
        # an object that keeps a value keeps its gradient beside it
        own = [(one, sign) for one, sign in living if one.holder is not None and one.holder == holders.get(name)]
        # what the call that makes it anew is handed, as it is written
        given = [(one, sign) for one, sign in along if one.leaf.name in handed.get(name, ())]
        living = own or given or multiples or (living if both else [])
        if living and all(_is_same(living[0][0], one) for one, _ in living):
            found[name] = living[0]
        else:
            unclear[name] = along or _single(seen, steps[name])
    for name, along in unclear.items():
        # all steps go down, or all go up
        beside = [
            (one, sign)
            for one, sign in along
            if any(_stands_beside(one, other) and sign == way for other, way in found.values())
        ]
        if len(beside) == 1:
            found[name] = beside[0]
    pairs = [_paired(pair, *found[pair.slot.name]) for pair in way.pairs if pair.slot.name in found]
    left = tuple(pair for pair in way.pairs if pair.slot.name not in found)
    return replace(way, pairs=tuple(pairs), beside=(*way.beside, *left)) if pairs else None


def _paired(pair: GradientMap, seen: _Seen, sign: int) -> GradientMap:
    leaf = seen.leaf
    output = Output(leaf, (leaf.name,), None, seen.variable, Kind.KEPT)
    return GradientMap(pair.slot, output, pair.update, f"`{leaf.name}`, whose signs its first step has", Motion(sign))


def _stands_beside(one: _Seen, other: _Seen) -> bool:
    """Whether two values lie in the same list or mapping, at different places."""
    same = one.variable == other.variable and one.leaf.path[:-1] == other.leaf.path[:-1]
    return same and bool(one.leaf.path) and one.leaf.path != other.leaf.path


def _at_points(
    recording: Recording, way: Backward, begun: Sequence[str]
) -> tuple[dict[str, FloatArray], dict[str, int | None], list[_Seen]]:
    """Return the first steps of the parameters, what these lie in, and what was there at the ends, at all points."""
    stage = Stage(recording, way, way.moments[0])
    shapes = {name: np.shape(value) for name, value in stage.parameters.items()}
    own = {(pair.slot.variable, pair.slot.path) for pair in way.pairs}
    holders: dict[str, int | None] = {}

    def read(variables: dict[str, Any], _: Any) -> dict[tuple[str, str], tuple[Leaf, FloatArray, int | None]]:
        places = _places(stage, way, variables)
        for pair in way.pairs:
            holders[pair.slot.name] = _holder(stage.root(pair.slot, variables), pair.slot.path)
        known = {(holders[pair.slot.name], pair.slot.path[-1:]) for pair in way.pairs}
        return {
            (variable, leaf.name): (leaf, value, holder)
            for variable, leaf in _all(variables, entries=() in shapes.values())
            if (variable, leaf.path) not in own
            and not any(_is_in(leaf.value, place) for place in places)
            and ((holder := _holder(variables[variable], leaf.path)) is None or (holder, leaf.path[-1:]) not in known)
            and (value := _numbers(leaf, shapes.values())) is not None
        }

    steps: dict[str, list[FloatArray]] = {name: [] for name in way.names}
    found: list[dict[tuple[str, str], tuple[Leaf, FloatArray, int | None]]] = []
    for number, size in enumerate(_SIZES):
        with moved(stage.parameters, begun, np.random.default_rng(number), size=size):
            try:
                here = {
                    n: np.asarray(s, dtype=float).reshape(-1) for n, s in stage.gradient()(stage.parameters).items()
                }
                there = stage.look(read)
            except Exception:
                if not number:
                    raise
                continue
        if all(np.all(np.isfinite(step)) for step in here.values()):
            found.append(there)
            for name, step in here.items():
                steps[name].append(step)
    seen = []
    for key, (leaf, value, holder) in found[0].items():
        values = [other[key][1] for other in found if key in other]
        if len(values) == len(found) and all(one.size == value.size for one in values):
            is_living = any(not same_values(one, value) for one in values)
            seen.append(_Seen(leaf, key[0], np.concatenate(values), is_living, holder))
    return {name: np.concatenate(several) for name, several in steps.items()}, holders, seen


def _holder(root: object, path: Path) -> int | None:
    """Return the identity of the object whose attribute something is; None for what lies in no object."""
    return id(follow(root, path[:-1])) if path and path[-1].attribute else None


def _begun(recording: Recording, way: Backward) -> list[str]:
    """Return the parameters that are moved: all that do not begin with zeros.

    What does may be the memory of an optimizer, which its first step is to find as it begins.
    """
    parameters = Stage(recording, way, way.moments[0]).parameters
    return [name for name, value in parameters.items() if np.any(value)] or list(way.names)


def _places(stage: Stage, way: Backward, variables: Mapping[str, Any]) -> list[np.ndarray]:
    """Return the arrays that the parameters lie in at the end of a round."""
    found = []
    for pair in way.pairs:
        try:
            value = plain(stage.now(pair.slot, variables))
        except (AttributeError, IndexError, KeyError, TypeError):
            continue
        if isinstance(value, np.ndarray):
            found.append(value)
    return found


def _is_in(value: object, place: np.ndarray) -> bool:
    """Whether a value is an array of a parameter, or a part of one, under another name."""
    array = plain(value)
    return isinstance(array, np.ndarray) and np.may_share_memory(array, place)


def _is_followed(recording: Recording, way: Backward, name: str, seen: _Seen, sign: int) -> bool:
    """Whether a step goes along a value, too, where a parameter that begins with zeros has been moved, and it alone.

    From zeros, its first step is its new value, and so is every copy of it.
    """
    stage = Stage(recording, way, way.moments[0])
    for number, size in enumerate(_SIZES[1:4]):
        with moved(stage.parameters, [name], np.random.default_rng(number), size=size):
            try:
                step = np.asarray(stage.gradient()(stage.parameters)[name], dtype=float).reshape(-1)
                value = stage.look(_reading(seen)).reshape(-1)
            except Exception:  # noqa: BLE001 - code that is replayed from elsewhere may fail in any way
                continue
        if np.any(step) and _sign(value, step) != sign:
            return False
    return True


def _all(variables: Mapping[str, Any], *, entries: bool) -> Iterator[tuple[str, Leaf]]:
    """Return all numbers, and the entries of short rows of them where single numbers are looked for."""
    for variable, value in variables.items():
        for leaf in () if variable.startswith("__") else leaves(variable, value):
            yield variable, leaf
            if entries and len(leaf.shape) == 1 and leaf.size <= _MOST_ENTRIES:
                for number, entry in enumerate(plain(leaf.value)):
                    step = Step(number, attribute=False)
                    one = replace(leaf, name=leaf.name + step.text, path=(*leaf.path, step), value=entry)
                    yield variable, one


def _numbers(leaf: Leaf, shapes: Any) -> FloatArray | None:
    """Return what may be a gradient of a parameter of such a shape, or one number for all of its entries."""
    if leaf.size > 1 and not any(fits(leaf.value, shape) and leaf.size == int(np.prod(shape)) for shape in shapes):
        return None
    array = np.asarray(plain(leaf.value))
    return np.array(array, dtype=float).reshape(-1) if array.dtype.kind == "f" else None


def _single(seen: list[_Seen], step: FloatArray) -> list[tuple[_Seen, int]]:
    """Return the single numbers that a step goes along which moves all entries of a parameter by the same."""
    found = []
    for one in seen:
        if one.leaf.size == 1 < step.size // one.values.size and one.is_living:
            size = step.size // one.values.size
            is_even = np.allclose(step, np.repeat(step[::size], size), rtol=_ROUND_OFF, atol=0.0)
            if is_even and (sign := _sign(one.values, step[::size])) is not None:
                found.append((one, sign))
    return found


def _sign(values: FloatArray, step: FloatArray) -> int | None:
    """Return whether a step goes along some values, entry by entry and at all points: 1, -1 against them, or None."""
    if values.size != step.size or not np.all(np.isfinite(values)) or not np.any(step):
        return None
    # a step that is added to a large number is rounded to nothing
    moves, slopes = (np.abs(one) > _ROUND_OFF * np.max(np.abs(one), initial=0.0) for one in (step, values))
    if np.any(moves & (values == 0)) or np.any(slopes & (step == 0)):
        return None
    products = np.sign(values[moves & slopes]) * np.sign(step[moves & slopes])
    return int(products[0]) if products.size and np.all(products == products[0]) else None


def _is_carried(recording: Recording, way: Backward, seen: _Seen) -> bool:
    """Whether a round makes a value of what it was before: it is the state of an optimizer, then."""
    if len(way.moments) < 2:
        # what an object keeps may be anything
        return any(step.attribute for step in seen.leaf.path)
    for moment in way.moments[1:2]:
        slot = _slot(moment, seen)
        if slot is None:
            # what is made in the round is new, and an object under another name may be anything
            return bool(seen.leaf.path) and not _is_known(moment, seen.variable)
        try:
            stage = Stage(recording, way, moment)
            read = _reading(seen)
            before = stage.look(read)
            value = np.asarray(plain(slot.leaf.value), dtype=float)
            with stage.exchanged(slot, _ELSEWHERE * value + 1.0 if value.shape else float(_ELSEWHERE * value + 1.0)):
                after = stage.look(read)
        except Exception:  # noqa: BLE001 - what it was may have to be what it was
            return True
        return not same_values(before, after)
    return False


def _reading(seen: _Seen) -> Any:
    return lambda variables, _: np.array(plain(follow(variables[seen.variable], seen.leaf.path)), dtype=float)


def _slot(moment: Call, seen: _Seen) -> Slot | None:
    """Return the place of a value at the beginning of a round, if it was there."""
    for root, is_argument in ((moment.arguments, True), (moment.variables, False)):
        if seen.variable in root:
            try:
                value = follow(root[seen.variable], seen.leaf.path)
            except (AttributeError, IndexError, KeyError, TypeError):
                return None
            if np.shape(plain(value)) != seen.leaf.shape:
                return None
            return Slot(replace(seen.leaf, value=value), seen.variable, is_argument)
    return None


def _is_known(moment: Call, variable: str) -> bool:
    return variable in moment.arguments or variable in moment.variables


def _is_multiple(step: FloatArray, values: FloatArray) -> bool:
    size = float(values @ values)
    rest = step - float(step @ values) / size * values if size else step
    return float(np.linalg.norm(rest)) <= _ROUND_OFF * float(np.linalg.norm(step))


def _is_same(one: _Seen, other: _Seen) -> bool:
    return same_values(one.values, other.values)
