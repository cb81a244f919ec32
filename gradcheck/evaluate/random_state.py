"""The state of the global random number generators: kept, compared and brought back."""

from __future__ import annotations

import copy
import ctypes
import functools
import random
import types
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


class Randomness:
    """The generators as they were at the beginning.

    Attributes
    ----------
    is_frozen : bool
        Whether the functions are to draw the same numbers in every call.
    """

    def __init__(self) -> None:
        self.is_frozen = False
        self._globals = RandomState.capture()
        self._reached = Generators()

    def reach(self, roots: Iterable[object]) -> None:
        """Take in the generators that functions and objects can reach, in their present states."""
        self._reached = Generators.reached_by(roots)

    def has_drawn(self) -> bool:
        """Whether any generator is in another state than at the beginning."""
        return bool(self._reached.moved()) or self._globals != RandomState.capture()

    def rewind(self) -> None:
        """Bring all of them back to the beginning."""
        self._globals.restore()
        self._reached.restore()


class Legacy:
    """The state of one of NumPy's older generators, whose functions are also those of ``np.random`` itself.

    To read or to set it takes longer than a replay of a small network does, so where nothing was drawn it is not done.

    Parameters
    ----------
    generator : np.random.RandomState, optional
        The generator; the global one, if none is given.
    """

    def __init__(self, generator: np.random.RandomState | None = None) -> None:
        self._generator = generator
        self._bits = self._bits_now()
        self.state: Any = (np.random if generator is None else generator).get_state()
        # of other generators it is a dictionary; and a number that was drawn and is kept for later lies elsewhere
        is_plain = isinstance(self.state, tuple) and not self.state[3]
        self._memory = _memory(self._bits) if is_plain else None

    def _bits_now(self) -> Any:
        generator: Any = self._generator
        return np.random.get_bit_generator() if generator is None else generator._bit_generator  # type: ignore[attr-defined]

    def is_untouched(self) -> bool:
        """Whether nothing was drawn since; False where that is not to be seen."""
        bits = self._bits_now()
        return self._memory is not None and bits is self._bits and _memory(bits) == self._memory

    def put_back(self) -> None:
        """Bring the generator back to this state."""
        if not self.is_untouched():
            (np.random if self._generator is None else self._generator).set_state(self.state)


def _memory(bits: Any) -> bytes:
    """Return what a Mersenne twister consists of: its numbers, and which of them is next."""
    return ctypes.string_at(bits.ctypes.state_address, 625 * 4)


# the global generator as it was seen last
_seen: list[Legacy] = []


def _global() -> Legacy:
    """Return the state of NumPy's global generator."""
    if not _seen or not _seen[0].is_untouched():
        _seen[:] = [Legacy()]
    return _seen[0]


@dataclass(frozen=True, eq=False)
class RandomState:
    """The state of Python's and of NumPy's global random number generators."""

    python: Any
    numpy: Legacy

    @classmethod
    def capture(cls) -> RandomState:
        """Read both states."""
        return cls(random.getstate(), _global())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RandomState) or self.python != other.python:
            return False
        return self.numpy is other.numpy or _same(self.numpy.state, other.numpy.state)

    __hash__ = None  # type: ignore[assignment]

    def restore(self) -> None:
        """Set both states."""
        random.setstate(self.python)
        self.numpy.put_back()


# a search that has not ended by then is in data, not in a model
_NODES = 3000
_DEPTH = 6
_LONG = 1000


@dataclass(frozen=True)
class Generators:
    """Generators with the states they were in."""

    states: tuple[tuple[Any, Any], ...] = ()

    @classmethod
    def reached_by(cls, roots: Iterable[object]) -> Generators:
        """Return the generators that functions and objects can reach, in their present states.

        Looked at are the globals that a function's code names, its closure and defaults, the attributes of the object
        that a method belongs to, and what stands in containers. No code of the user is run: properties are not read.
        An object of a class with a true `puts_randomness_back` sees to its own generators.
        """
        return cls(tuple((generator, _read(generator)) for generator in _search(roots)))

    def moved(self) -> Generators:
        """Return those whose state is another one now."""
        return Generators(tuple((g, state) for g, state in self.states if not _same(_read(g), state)))

    def restore(self) -> None:
        """Put every generator back into its state."""
        for generator, state in self.states:
            _write(generator, state)

    def __bool__(self) -> bool:
        return bool(self.states)


def _search(roots: Iterable[object]) -> list[object]:
    queue = deque((root, 0) for root in roots)
    seen: set[int] = set()
    found: list[object] = []
    while queue and len(seen) < _NODES:
        node, depth = queue.popleft()
        if id(node) in seen or isinstance(node, (str, bytes, int, float, complex, np.ndarray, types.ModuleType, type)):
            continue
        seen.add(id(node))
        if getattr(type(node), "puts_randomness_back", False):
            continue
        if isinstance(node, (random.Random, np.random.Generator, np.random.RandomState)):
            found.append(node)
        elif depth < _DEPTH:
            queue += ((child, depth + 1) for child in _children(node))
    return found


def _children(node: Any) -> Iterator[object]:
    """Yield what an object refers to, as far as it can be seen without running its code."""
    if isinstance(node, types.FunctionType):
        names = set(_names(node.__code__))
        yield from (node.__globals__[name] for name in names if name in node.__globals__)
        yield from (cell.cell_contents for cell in node.__closure__ or () if _is_filled(cell))
        yield from (*(node.__defaults__ or ()), *(node.__kwdefaults__ or {}).values())
    elif isinstance(node, types.MethodType):
        yield from (node.__self__, node.__func__)
    elif isinstance(node, functools.partial):
        yield from (node.func, *node.args, *node.keywords.values())
    elif isinstance(node, dict):
        yield from list(node.values())[:_LONG]
    elif isinstance(node, (list, tuple, set, frozenset, deque)):
        yield from list(node)[:_LONG]
    else:
        yield from _attributes(node)
        call = getattr(type(node), "__call__", None)  # noqa: B004 - the function itself is wanted
        if isinstance(call, types.FunctionType):
            yield call


def _attributes(node: object) -> Iterator[object]:
    try:
        held = object.__getattribute__(node, "__dict__")
    except AttributeError:
        return
    if isinstance(held, dict):
        yield from list(held.values())[:_LONG]


def _names(code: types.CodeType) -> Iterator[str]:
    """Yield the names that a function's code, and that of the functions inside it, looks up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises
    except ValueError:
        return False
    return True


def _read(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return copy.deepcopy(generator.bit_generator.state)


def _write(generator: Any, state: Any) -> None:
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state


def _same(one: Any, other: Any) -> bool:
    """Tell whether two states are the same; they are nested, and hold arrays."""
    if isinstance(one, dict):
        same_keys = isinstance(other, dict) and one.keys() == other.keys()
        return same_keys and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other))
    return bool(one == other)
