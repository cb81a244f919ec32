"""The state that a replay starts from: copies of variables, random states, and undoing what a call changed."""

from __future__ import annotations

import collections
import copy
import math
import operator
import random
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from gradcheck.evaluate.random_state import Legacy
from gradcheck.numerics.arrays import same_bits
from gradcheck.script.record.objects import is_history, own_attributes
from gradcheck.script.record.wrapped import is_pandas

_ATOMS = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
# of the parts of a history, so many are looked at for changes
_NEWEST = 256
# they hold nothing, cannot change, and are most of what lists of numbers and words lead to
_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None), np.float64, np.float32, np.int64, np.bool_})


class Copier:
    """Copies variables deeply, and a large array that has not changed since its last copy only once."""

    _LARGE_BYTES = 2**20

    def __init__(self) -> None:
        self._large: dict[int, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = {}

    def copy(self, *namespaces: Mapping[str, object]) -> list[dict[str, Any]]:
        """Copy namespaces deeply and together: what they share, their copies share.

        A value that cannot be copied (an open file, a lock, a figure) is kept as it is. Copies of large arrays are
        shared between calls, so they are not to be changed for good.
        """
        return _copy_variables(namespaces, dict(self._copied(namespaces)))

    def _copied(self, namespaces: Iterable[Mapping[str, object]]) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
        """Return copies of what need not be copied with the rest, by the identities of the originals."""
        for value in reachable(namespaces):
            if isinstance(value, np.ndarray) and value.nbytes >= self._LARGE_BYTES and value.dtype != object:
                yield id(value), self._copy_of(value)
            elif is_history(value):
                yield from ((id(array), array.copy()) for array in cast(list[np.ndarray[Any, Any]], value))

    def _copy_of(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        original, copied = self._large.get(id(array), (None, None))
        if original is array and copied is not None and same_bits(array, copied):
            return copied
        fresh = array.copy()
        self._large[id(array)] = (array, fresh)
        return fresh


def _copy_variables(namespaces: Iterable[Mapping[str, object]], memo: dict[int, Any]) -> list[dict[str, Any]]:
    kept: list[object] = [namespaces]
    memo[id(memo)] = kept  # copy.deepcopy keeps temporary objects alive there
    copies = []
    for namespace in namespaces:
        copied = {}
        for name, value in namespace.items():
            if isinstance(value, types.ModuleType):
                memo[id(value)] = value
            try:
                copied[name] = copy.deepcopy(value, memo)
            except Exception:  # noqa: BLE001 - a user's class may refuse to be copied in any way
                copied[name] = memo[id(value)] = value
        copies.append(copied)
    _follow_identities(memo)
    return copies


def _follow_identities(memo: Mapping[int, Any]) -> None:
    """Let copied dictionaries be keyed by the identities of the copies, where they were by those of the originals."""
    for copied in list(memo.values()):
        if isinstance(copied, dict) and any(type(key) is int and key in memo for key in copied):
            items = [(id(memo[k]) if type(k) is int and k in memo else k, value) for k, value in copied.items()]
            copied.clear()
            copied.update(items)


def module_variables(namespace: Mapping[str, object]) -> dict[str, object]:
    """Return the variables of a module that a call could read or change: no modules, functions, classes, dunders."""
    return {
        name: value
        for name, value in namespace.items()
        if not (name.startswith("__") and name.endswith("__")) and not isinstance(value, _ATOMS)
    }


class Undo:
    """Remembers every mutable object within reach of some roots, and puts back what has changed since.

    Objects are restored in place, so that everything that refers to them goes on doing so. The first calls of
    `restore`, and now and then a later one, compare everything; in between, only the objects that are known to change
    are compared. `settle` compares everything at once.

    Parameters
    ----------
    roots : iterable of object
        Where to start: usually the dictionaries of arguments and of module variables.
    keep : set of int, optional
        Identities of objects that are somebody else's to change and are left alone.
    """

    _LEARNING, _LEARNING_AGAIN = 3, 64

    def __init__(self, roots: Iterable[object], keep: Set[int] = frozenset()) -> None:
        found = (_remember(value, keep) for value in reachable(roots, keep))
        self._memories = [memory for memory in found if memory is not None]
        self._changing: dict[int, _Memory] = {}
        self._restores = 0

    def restore(self) -> None:
        """Put back what the last call changed."""
        self._restores += 1
        if self._restores <= self._LEARNING or self._restores % self._LEARNING_AGAIN == 0:
            self.settle()
            return
        for memory in self._changing.values():
            memory.put_back()

    def settle(self, largest: float = math.inf) -> None:
        """Put back everything that has changed.

        Parameters
        ----------
        largest : float
            Arrays of more bytes are not looked at.
        """
        for memory in self._memories:
            if memory.size <= largest and memory.changed():
                memory.put_back()
                self._changing[id(memory)] = memory


@dataclass(frozen=True)
class _Memory:
    changed: Callable[[], bool]
    put_back: Callable[[], None]
    size: int = 0


def reachable(roots: Iterable[object], keep: Set[int] = frozenset()) -> Iterator[object]:
    """Return every object within reach of some roots, once: no plain values, nothing in `keep` or in a history."""
    seen: set[int] = set(keep)
    pending = list(roots)
    while pending:
        value = pending.pop()
        if type(value) not in _PLAIN and id(value) not in seen and not isinstance(value, _ATOMS):
            seen.add(id(value))
            yield value
            pending.extend(_parts(value))


def _parts(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple | set | frozenset | collections.deque):
        return [] if is_history(value) else list(value)
    if isinstance(value, np.ndarray):
        return list(value.flat) if value.dtype == object else []
    if isinstance(value, types.MethodType):
        return [value.__self__]
    attributes = own_attributes(value)
    return [] if attributes is None else [attributes]


def _remember(value: object, keep: Set[int]) -> _Memory | None:
    """Return how to see whether `value` has changed and how to put it back, or None for what has no own state."""
    if isinstance(value, np.ndarray):
        return _remember_array(value) if value.flags.writeable else None
    if isinstance(value, list):
        items = list(value)
        if is_history(value):
            return _remember_history(value, items, keep)
        return _Memory(lambda: not _same_items(value, items), lambda: value.__setitem__(slice(None), items))
    if isinstance(value, dict):
        content = dict(value)

        def put_back() -> None:
            value.clear()
            value.update(content)

        return _Memory(lambda: not _same_mapping(value, content), put_back)
    if isinstance(value, bytearray):
        data = bytes(value)
        return _Memory(lambda: value != data, lambda: value.__setitem__(slice(None), data))
    if isinstance(value, collections.deque):
        queue = list(value)

        def requeue() -> None:
            value.clear()
            value.extend(queue)

        return _Memory(lambda: not _same_items(list(value), queue), requeue)
    if isinstance(value, set):
        members = set(value)

        def refill() -> None:
            value.clear()
            value.update(members)

        return _Memory(lambda: value != members, refill)
    return _remember_frame(value) if is_pandas(value) else _remember_generator(value)


def _remember_frame(value: Any) -> _Memory:
    saved = value.copy()
    return _Memory(lambda: not value.equals(saved), lambda: type(value).__init__(value, saved.copy()))


def _remember_array(value: np.ndarray[Any, Any]) -> _Memory:
    saved = value.copy()
    return _Memory(lambda: not same_bits(value, saved), lambda: np.copyto(value, saved), saved.nbytes)


def _remember_history(value: list[Any], items: list[np.ndarray[Any, Any]], keep: Set[int]) -> _Memory:
    # what is changed in a history, if anything, are its newest parts
    own = [array for array in items[-_NEWEST:] if array.flags.writeable and id(array) not in keep]
    saved = [array.copy() for array in own]

    def changed() -> bool:
        return not _same_items(value, items) or not all(map(same_bits, own, saved))

    def put_back() -> None:
        value[:] = items
        for array, copied in zip(own, saved, strict=True):
            np.copyto(array, copied)

    return _Memory(changed, put_back)


def _remember_generator(value: object) -> _Memory | None:
    if isinstance(value, random.Random):
        python = value.getstate()
        return _Memory(lambda: value.getstate() != python, lambda: value.setstate(python))
    if isinstance(value, np.random.RandomState):
        legacy = Legacy(value)
        return _Memory(lambda: True, legacy.put_back)
    if isinstance(value, np.random.Generator):
        bits = value.bit_generator
        state = copy.deepcopy(bits.state)
        return _Memory(lambda: True, lambda: setattr(bits, "state", state))
    return None


def _same_items(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(map(operator.is_, a, b))


def _same_mapping(a: dict[Any, Any], b: dict[Any, Any]) -> bool:
    return len(a) == len(b) and all(key in b and b[key] is value for key, value in a.items())
