"""Other data for a recorded moment: what the step reads and does not move, changed a little.

An edit may be right for the script's own data only: where the columns add up to one, a sum that should not be there
changes nothing. All data are changed by one function of the single number, so that copies, slices and transposes of
the same data stay what they are; whole numbers stay, because they may be labels, indices or a column of ones.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from gradcheck.script.record.leaves import Path
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.pairing import Slot, slots
from gradcheck.script.replay.stage import Stage
from gradcheck.script.source.syntax import loaded_names
from gradcheck.script.understand.candidates import read_variables
from gradcheck.script.understand.subject import Subject

# a number loses up to this share of itself: it keeps its sign, and what is below one stays there
_LARGEST = 0.2
# so much less at a time for the tests of what data do
_SMALL = 1e-3
_LINEAR, _ONE = 1e-6, 1e-6
# of arrays and of their numbers; more are left as they are
_MOST, _MOST_NUMBERS = 30, 2_000_000

Array = np.ndarray[Any, Any]
Change = Callable[[Array], Array]


class FreshData:
    """The data of a subject's moments, and how they are changed.

    Attributes
    ----------
    names : tuple of str
        What can be changed; empty where that could make a right gradient look wrong.
    numbers : tuple of str
        Which single numbers can be changed: where an optimizer hands one on, loss and gradient have it from there.
    """

    def __init__(self, recording: Recording, subject: Subject) -> None:
        self._recording, self._subject = recording, subject
        self._read = read_variables(recording.source)
        # by their places: the backward function may have other names for them
        self._parameters = {_place(pair.slot) for pair in subject.backward.pairs}
        self.names: frozenset[str] = frozenset()
        self.names = self._changeable(subject.backward.moments[0])
        self.numbers = tuple(self._changeable_numbers(subject.backward.moments[0])) if subject.backward.handed else ()

    @contextmanager
    def changed(self, moment: Call, rng: np.random.Generator) -> Iterator[None]:
        """Change a moment's data, in place, for the time of the block."""
        shift, pace = rng.uniform(0, 2 * np.pi), rng.uniform(2, 5)
        change = lambda value: value * (1 - _LARGEST * (0.5 + 0.5 * np.sin(pace * value + shift)))  # noqa: E731
        arrays = [array for name, array in self._arrays(moment) if name in self.names]
        with _in_place(arrays, change), _exchanged(moment, self.numbers, change):
            yield

    def _changeable_numbers(self, moment: Call) -> Iterator[str]:
        """Return the arguments that are fractions, and that are handed to the loss as well."""
        handed_on = loaded_names(ast.parse(self._subject.loss.text, mode="eval").body)
        for name, value in moment.arguments.items():
            is_fraction = isinstance(value, float) and bool(_fractions(np.asarray(value)))
            if is_fraction and name in handed_on and (name, True, ()) not in self._parameters:
                yield name

    def _arrays(self, moment: Call) -> list[tuple[str, Array]]:
        """Return the arrays of fractions that are no parameters."""
        found, numbers = list[tuple[str, Array]](), 0
        places = slots(self._subject.backward.region, moment, self._read)
        own = [place.at(moment) for place in places]
        taken = [v for place, v in zip(places, own, strict=True) if _place(place) in self._parameters]
        for place, value in zip(places, own, strict=True):
            is_array = isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size > 1
            if not is_array or not value.flags.writeable or not np.any(_fractions(value)):
                continue
            # what shares its memory with another array changes with that one
            if any(isinstance(v, np.ndarray) and np.may_share_memory(v, value) for v in taken):
                continue
            taken.append(value)
            numbers += value.size
            if len(found) < _MOST and numbers <= _MOST_NUMBERS:
                # as a plain array: the product of two matrices is another thing
                found.append((place.name, np.asarray(value)))
        return found

    def _changeable(self, moment: Call) -> frozenset[str]:
        """Return what both the loss and the gradients read.

        Where one of them reads something that is neither that nor a copy of it (products that were computed before
        the training, say), there is no telling what it would be for other data: then all stay as they are.
        """
        arrays = self._arrays(moment)
        by_loss, by_gradients = set[str](), set[str]()
        base = self._values(moment)
        if base is None:
            return frozenset()
        for name, array in arrays:
            with _in_place([array], _moved_by(_SMALL)):
                other = self._values(moment)
            if other is None:
                continue
            if other[0] != base[0]:
                by_loss.add(name)
            if not all(np.array_equal(other[1][n], base[1][n], equal_nan=True) for n in base[1]):
                by_gradients.add(name)
        values = dict(arrays)
        shared = by_loss & by_gradients
        known = np.concatenate([values[name].ravel() for name in shared]) if shared else np.zeros(0)
        for name in by_loss ^ by_gradients:
            if not np.all(np.isin(values[name][_fractions(values[name])], known)):
                return frozenset()
        return frozenset(n for n in by_loss | by_gradients if not self._is_share(moment, values[n], base[0]))

    def _is_share(self, moment: Call, array: Array, base: float) -> bool:
        """Whether an array holds probabilities that are wanted: they add up to one, and the loss is linear in them."""
        sums = [np.sum(array, axis=axis) for axis in range(array.ndim)]
        if not any(np.allclose(total, 1, atol=_ONE) for total in sums):
            return False
        losses = []
        for size in (_SMALL, -_SMALL):
            with _in_place([array], _moved_by(size)):
                other = self._values(moment)
            losses.append(np.nan if other is None else other[0] - base)
        return bool(abs(sum(losses)) <= _LINEAR * abs(losses[0]) + 1e-12 * abs(base))

    def _values(self, moment: Call) -> tuple[float, dict[str, Any]] | None:
        """Return the loss and the gradients at a moment."""
        try:
            stage = Stage(self._recording, self._subject.backward, moment)
            loss = float(np.asarray(stage.loss(self._subject.loss)(stage.parameters)).reshape(-1)[0])
            return loss, stage.gradient()(stage.parameters)
        except Exception:  # noqa: BLE001 - the user's functions may raise anything where their data are others
            return None


def _place(slot: Slot) -> tuple[str, bool, Path]:
    return slot.variable, slot.is_argument, slot.path


def _fractions(value: Array) -> Array:
    """Return which numbers are no whole ones."""
    return np.asarray(np.isfinite(value) & (value != np.round(value)))


def _moved_by(size: float) -> Change:
    return lambda value: value * (1 - size * (1.5 + np.sin(3 * value)))


@contextmanager
def _exchanged(moment: Call, names: Sequence[str], change: Change) -> Iterator[None]:
    saved = {name: moment.arguments[name] for name in names}
    try:
        moment.arguments.update({name: float(change(np.asarray(value))) for name, value in saved.items()})
        yield
    finally:
        moment.arguments.update(saved)


@contextmanager
def _in_place(arrays: Sequence[Array], change: Change) -> Iterator[None]:
    saved = [array.copy() for array in arrays]
    try:
        for array in arrays:
            with np.errstate(all="ignore"):
                array[...] = np.where(_fractions(array), change(array), array)
        yield
    finally:
        for array, old in zip(arrays, saved, strict=True):
            np.copyto(array, old)
