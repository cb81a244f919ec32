"""Slopes of several losses along a few directions, beside what the script has for a gradient.

All losses of a step are read in the same replays, because a replay is what costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gradcheck.checker.functions import check_grad
from gradcheck.errors import InputError, ScriptError
from gradcheck.numerics.arrays import BoolArray, FloatArray
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.perturb import along, moved
from gradcheck.script.replay.stage import LossExpression, Stage
from gradcheck.script.replay.stale import computed_before

_MOMENTS = 3
# at how many of these the parameters are moved, and how far, as a share of a usual move
_ASIDE, _HOW_FAR = 2, 0.5
# directions in which a parameter of more entries than that is moved, at the first places, and at the others
_DIRECTIONS, _FIRST_PLACES, _LATER_DIRECTIONS = 3, 2, 1
# seconds of computing that a replay takes at most if all of these, or all wrong entries, are looked at
QUICK_SECONDS = 0.008
# replays for which there has to be time left then
_MANY = 1000
# as a share of a parameter's size, in double and in single precision
_STEP, _NARROW_STEP = 1e-4, 2e-2
# by how much slopes of two step sizes may differ, and how much of a slope may be round-off, if they are to do
_CLOSE, _CLEAR = 1e-4, 1e-5
# of the difference between two step sizes, what is left in the value extrapolated from both
_LEFT = 0.1
# where that difference is more of a slope, or the loss bends, as by kinks that lie close together, steps are shorter
_SMOOTH, _BENT, _SHORTER = 1e-6, 1e-4, 1 / 32
# of the bend over one step size, what is left at half of it: half where the loss is smooth, all at a kink
_NO_LESS = 0.75
# of the loss, for each of the sums that it is made of
_ROUND_OFF = 4.0


@dataclass(frozen=True)
class Slopes:
    """Slopes along directions of one parameter.

    Attributes
    ----------
    analytic, numerical : float array, shape (directions,)
        What the script's gradient says, and what the loss does.
    numerical_error : float array, shape (directions,)
        Bound of the error of `numerical`.
    decays : float array, shape (2, directions)
        What a decay along the parameter itself, and one along its signs, would say.
    kinked : bool array, shape (directions,)
        Where the loss has a kink just there: which of its slopes the script takes is its own affair.
    lengths : float array, shape (directions,)
        Those of the directions.
    """

    name: str
    analytic: FloatArray
    numerical: FloatArray
    numerical_error: FloatArray
    decays: FloatArray
    kinked: BoolArray
    lengths: FloatArray


@dataclass(frozen=True)
class Probe:
    """What was seen at one point, parameter by parameter.

    Attributes
    ----------
    is_first : bool
        Whether it is of the first moment, when nothing has been kept from earlier steps.
    """

    parameters: tuple[Slopes, ...]
    is_first: bool = False


@dataclass(frozen=True)
class _Place:
    """A recorded moment, and how far the parameters are moved from where they were then."""

    number: int
    moment: Call
    size: float

    @property
    def key(self) -> tuple[int, int]:
        return self.number, id(self.moment)


# slopes along directions, None if they say too little, with their errors; and where there are kinks
_Found = tuple[tuple[FloatArray, FloatArray] | None, BoolArray]
# the values of each loss at the point, and what was found along the directions of each parameter
_Seen = tuple[list[Any], list[dict[str, _Found]]]


class Prober:
    """Looks at some losses of one step, at recorded points and away from them.

    At equal weights and zero biases, and where there is one sample, many losses have proportional gradients.

    Parameters
    ----------
    backward : Backward
        Has the parameters that all of the losses depend on.
    """

    def __init__(self, recording: Recording, backward: Backward, losses: Sequence[LossExpression]) -> None:
        self._recording, self._backward, self._losses = recording, backward, list(losses)
        self._step = _NARROW_STEP if backward.is_narrow else _STEP
        self._epsilon = float(np.finfo(np.float32 if backward.is_narrow else np.float64).eps)
        self._seen: dict[tuple[int, int], _Seen] = {}
        # the largest slope of each parameter, by loss
        self._sizes: dict[tuple[int, str], float] = {}
        self._is_stale: bool | None = None

    @cached_property
    def is_quick(self) -> bool:
        """Whether a replay takes so little time that there may be hundreds; otherwise, less is looked at."""
        stage = Stage(self._recording, self._backward, self._backward.moments[0])
        evaluate = stage.losses(self._losses)
        evaluate(stage.parameters)
        before = time.process_time()
        evaluate(stage.parameters)
        left = self._recording.recorder.deadline - time.monotonic()
        return time.process_time() - before <= min(QUICK_SECONDS, left / _MANY)

    def _directions(self, value: Any, place: _Place) -> list[FloatArray]:
        is_thorough = self.is_quick and place.number < _FIRST_PLACES
        return directions(value, _DIRECTIONS if is_thorough else _LATER_DIRECTIONS)

    def probe(self, way: Backward, loss: LossExpression) -> list[Probe]:
        """Return what is seen of one loss, and of the gradients that a way of reading the step gives.

        Raises
        ------
        ScriptError
            When it can be looked at nowhere.
        """
        found: list[Probe] = []
        refused: ScriptError | None = None
        for place in self._places(way.moments):
            try:
                found.append(self._at(place, way, loss))
            except InputError as error:
                refused = ScriptError(error.message, slug=error.slug, line=way.function.line)
            except Exception as error:  # noqa: BLE001 - the user's functions may raise anything at other parameters
                refused = ScriptError(f"raises {type(error).__name__}: {error}", slug="script-raised")
        if refused is not None and not found:
            raise refused
        return found

    def _places(self, moments: Sequence[Call]) -> Iterator[_Place]:
        if self._is_stale is None:
            self._is_stale = computed_before(self._recording, self._backward) is not None
        aside = () if self._is_stale else moments[:_ASIDE]
        more = [(moment, _HOW_FAR) for moment in aside]
        more += [(moment, 0.0) for moment in moments[max(len(aside), 1) : _MOMENTS]]
        if not self.is_quick:
            last = max(len(aside) - 1, 0)
            more = more[last : last + 1]
        for number, (moment, size) in enumerate([(moments[0], 0.0), *more]):
            yield _Place(number, moment, size)

    def _at(self, place: _Place, way: Backward, loss: LossExpression) -> Probe:
        # before there is another stage: both would move the very arrays of the moment
        base, around = self._around(place)
        stage = Stage(self._recording, way, place.moment)
        with self._moved(stage, place):
            raw = stage.gradient()(stage.parameters)
            gradient = {name: np.asarray(raw[name], dtype=float) for name in way.names}
            function = stage.loss(loss)
            number = self._losses.index(loss)
            shapes = {name: np.shape(stage.parameters[name]) for name in way.names}
            if not _is_number(base[number]) or any(gradient[n].shape != shape for n, shape in shapes.items()):
                # the checker says what is wrong with it
                check_grad(function, raw, stage.parameters, entries=1)
            found = []
            for name in way.names:
                ways = self._directions(stage.parameters[name], place)
                analytic = np.array([float(np.sum(gradient[name] * one)) for one in ways])
                slopes, kinked = around[number][name]
                if slopes is None:
                    slopes = _measured(stage.parameters, name, ways, analytic, function)
                lengths = np.array([np.linalg.norm(one) for one in ways])
                found.append(Slopes(name, analytic, *slopes, _decays(stage.parameters[name], ways), kinked, lengths))
        return Probe(tuple(found), is_first=place.moment is way.moments[0])

    def _moved(self, stage: Stage, place: _Place) -> Any:
        names = self._backward.names if place.size else ()
        return moved(stage.parameters, names, np.random.default_rng(place.number), size=place.size)

    def _around(self, place: _Place) -> _Seen:
        """Return what all losses do around a place, of which the replays are run once."""
        if place.key not in self._seen:
            stage = Stage(self._recording, self._backward, place.moment)
            with self._moved(stage, place):
                self._seen[place.key] = self._evaluated(stage, place)
        return self._seen[place.key]

    def _evaluated(self, stage: Stage, place: _Place) -> _Seen:
        evaluate, parameters = stage.losses(self._losses), stage.parameters
        base = evaluate(parameters)
        around: list[dict[str, _Found]] = [{} for _ in self._losses]
        for name in self._backward.names:
            ways = self._directions(parameters[name], place)
            wide, short = self._step, self._step * _SHORTER
            values = self._values(evaluate, parameters, name, ways, wide)
            found = [_Differences(values[:, :, n], base[n], wide, self._epsilon) for n in range(len(self._losses))]
            if bent := [n for n, one in enumerate(found) if one.is_bent]:
                values = self._values(evaluate, parameters, name, ways, short)
                for n in bent:
                    nearer = _Differences(values[:, :, n], base[n], short, self._epsilon)
                    found[n] = nearer.where_better_than(found[n])
            for n, own in enumerate(around):
                size = max(self._sizes.get((n, name), 0.0), found[n].size)
                own[name] = found[n].slopes(size), found[n].kinked
                if own[name][0] is not None:
                    self._sizes[n, name] = size
        return base, around

    def _values(
        self, evaluate: Any, parameters: dict[str, Any], name: str, ways: Sequence[FloatArray], step: float
    ) -> FloatArray:
        """Return all losses, on the last axis, at a whole and half a step to both sides along each direction."""
        shifts = step * np.array([1.0, -1.0, 0.5, -0.5])
        found = np.full((len(ways), len(shifts), len(self._losses)), np.nan)
        with along(parameters, [(name, way) for way in ways]) as move:
            for index in np.ndindex(found.shape[:2]):
                move(shifts[index[1]] * np.eye(len(ways))[index[0]])
                try:
                    found[index] = [float(np.squeeze(v)) if _is_number(v) else np.nan for v in evaluate(parameters)]
                except Exception:  # noqa: BLE001 - even a small move may leave the domain
                    continue
        return found


class _Differences:
    """Slopes of one loss along some directions, extrapolated from two step sizes."""

    def __init__(self, values: FloatArray, base: Any, step: float, epsilon: float) -> None:
        here = float(np.squeeze(base)) if _is_number(base) else np.nan
        with np.errstate(all="ignore"):
            wide = (values[:, 0] - values[:, 1]) / (2 * step)
            near = (values[:, 2] - values[:, 3]) / step
            self.extrapolated = (4 * near - wide) / 3
            self.apart = np.abs(self.extrapolated - near)
            self.noise = _ROUND_OFF * epsilon * np.max(np.abs(values), axis=1) / step
            self.bends = np.abs(values[:, 0:4:2] + values[:, 1:4:2] - 2 * here) / (step * np.array([2.0, 1.0]))
        self.size = float(np.max(np.abs(self.extrapolated), initial=0.0))
        self.is_constant = bool(np.all(values == values[:, :1]))

    @property
    def kinked(self) -> BoolArray:
        """Where the slopes on both sides of the point differ, and no less over half a step."""
        whole, half = self.bends.T
        with np.errstate(all="ignore"):
            return np.asarray((half >= _NO_LESS * whole) & (half > _BENT * self.size + self.noise))

    @property
    def is_bent(self) -> bool:
        """Whether shorter steps may say more."""
        with np.errstate(all="ignore"):
            return bool(np.any((self.apart > _SMOOTH * self.size + self.noise) | self.kinked))

    def where_better_than(self, other: _Differences) -> _Differences:
        """Return what shorter steps show in place of longer ones, where these are less exact."""
        with np.errstate(all="ignore"):
            keep = ~(self.apart + self.noise <= other.apart + other.noise)
        for name in ("extrapolated", "apart", "noise", "bends"):
            getattr(self, name)[keep] = getattr(other, name)[keep]
        self.size = float(np.max(np.abs(self.extrapolated), initial=0.0))
        return self

    def slopes(self, size: float) -> tuple[FloatArray, FloatArray] | None:
        """Return the slopes and bounds of their errors; None if these are not small beside the largest slope."""
        if not np.all(np.isfinite(self.extrapolated)):
            return None
        does = np.all(self.apart <= _CLOSE * size + self.noise) and np.all(self.noise <= _CLEAR * size)
        return (self.extrapolated, _LEFT * self.apart + self.noise) if self.is_constant or does else None


def directions(value: Any, count: int = _DIRECTIONS) -> list[FloatArray]:
    """Return the ways in which a parameter is moved: along each of a few entries, or at random in all of many."""
    array = np.asarray(value, dtype=float)
    size = np.maximum(np.abs(array), _spread(array))
    if array.size <= count:
        units = np.eye(array.size).reshape(array.size, *array.shape)
        return [size * unit for unit in units]
    rng = np.random.default_rng(array.size)
    # each sign and weight is another one, so that no two entries can cancel in all directions
    return [size * rng.choice([-1.0, 1.0], array.shape) * rng.uniform(0.5, 1.0, array.shape) for _ in range(count)]


def _decays(value: Any, ways: Sequence[FloatArray]) -> FloatArray:
    array = np.asarray(value, dtype=float)
    return np.array([[float(np.sum(decay * way)) for way in ways] for decay in (array, np.sign(array))])


def _spread(array: FloatArray) -> float:
    """Return the usual size of a parameter's entries; 1 where all are zero."""
    largest = float(np.max(np.abs(array), initial=0.0))
    return largest * float(np.sqrt(np.mean((array / largest) ** 2))) if 0 < largest < np.inf else 1.0


def _measured(
    parameters: dict[str, Any],
    name: str,
    ways: Sequence[FloatArray],
    slopes: FloatArray,
    loss: Callable[[Mapping[str, Any]], Any],
) -> tuple[FloatArray, FloatArray]:
    """Return slopes along directions by differences whose steps are fitted to the loss, and their errors."""
    with along(parameters, [(name, way) for way in ways]) as move:

        def moved_loss(shifts: FloatArray) -> Any:
            move(shifts)
            return loss(parameters)

        (found,) = check_grad(moved_loss, slopes, np.zeros(len(ways))).parameters
    return found.numerical, found.numerical_error


def _is_number(value: Any) -> bool:
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return False
    return array.size == 1 and bool(np.isfinite(array).all())
