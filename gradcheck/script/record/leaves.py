"""The numbers inside a user's variables: scalars, arrays and lists of numbers, with the names that he knows them by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.script.record.objects import LONGEST, own_attributes
from gradcheck.script.record.wrapped import NUMBERS, is_wrapped

_DEPTH = 5
# of a container, so many parts are told apart
_MOST_PARTS = 50
# `self.__w` of a class Net is stored as `_Net__w`
_PRIVATE = re.compile(r"^_[A-Za-z]\w*?(?=__\w*[A-Za-z0-9]$)")


@dataclass(frozen=True)
class Step:
    """One step into a container: an item or an attribute."""

    key: Any
    attribute: bool

    def of(self, container: Any) -> Any:
        """Return what lies there."""
        return getattr(container, self.key) if self.attribute else container[self.key]

    def put(self, container: Any, value: Any) -> None:
        """Replace what lies there."""
        if self.attribute:
            setattr(container, self.key, value)
        else:
            container[self.key] = value

    @property
    def text(self) -> str:
        """The step as Python writes it."""
        return f".{_PRIVATE.sub('', self.key)}" if self.attribute else f"[{self.key!r}]"


Path = tuple[Step, ...]


@dataclass(frozen=True)
class Leaf:
    """A scalar, an array, a pandas object or a (nested) list of numbers inside a variable.

    Attributes
    ----------
    name : str
        As the user would write it: ``w1``, ``params['W1']``, ``self.layers[0].W``.
    path : tuple of Step
        The way to it from the variable.
    replaceable : bool
        Whether the container that holds it can be changed.
    """

    name: str
    path: Path
    value: Any
    replaceable: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape as an array; ``()`` for a scalar."""
        return np.shape(self.value)

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.size(self.value))

    @property
    def is_narrow(self) -> bool:
        """Whether it holds numbers of less than double precision."""
        dtype = np.asarray(self.value).dtype
        return dtype.kind == "f" and dtype.itemsize < np.dtype(np.float64).itemsize


def follow(value: Any, path: Path) -> Any:
    """Return what lies at the end of a path."""
    for step in path:
        value = step.of(value)
    return value


def with_value(container: Any, path: Path, value: Any) -> Any:
    """Put a value at the end of a path; return the container, or in the place of a tuple another one."""
    if not path:
        return value
    step = path[0]
    current = step.of(container)
    new = with_value(current, path[1:], value)
    if new is current:
        return container
    if isinstance(container, tuple):
        if step.attribute:
            return container._replace(**{step.key: new})  # type: ignore[attr-defined] # a named one
        return (*container[: step.key], new, *container[step.key + 1 :])
    step.put(container, new)
    return container


def leaves(name: str, value: Any) -> list[Leaf]:
    """Return all leaves within `value`, in order."""
    return list(_leaves(name, value, (), True, frozenset()))


def _leaves(name: str, value: Any, path: Path, replaceable: bool, above: frozenset[int]) -> Iterator[Leaf]:
    if is_numeric(value):
        yield Leaf(name, path, value, replaceable or is_object(value))
        return
    if len(path) >= _DEPTH or id(value) in above:
        return
    steps = _steps(value)
    if len(steps) > LONGEST:
        return
    changeable = isinstance(value, MutableMapping | MutableSequence | np.ndarray) or hasattr(value, "__dict__")
    for step in steps:
        yield from _leaves(name + step.text, step.of(value), (*path, step), changeable, above | {id(value)})


# what lies where in variables, by its identity
Identities = dict[tuple[str, Path], int]


def identities(variables: Mapping[str, Any]) -> Identities:
    """Return the identities of the arrays, containers and objects in some variables, by where they lie."""
    found: Identities = {}
    opened: set[int] = set()
    pending: list[tuple[str, Path, Any]] = [(name, (), value) for name, value in variables.items()]
    for name, path, value in pending:
        if isinstance(value, np.ndarray):
            found[name, path] = id(value)
            continue
        steps = [] if isinstance(value, list) and is_numeric(value) else _steps(value)[:_MOST_PARTS]
        if steps or isinstance(value, list) or own_attributes(value) is not None:
            found[name, path] = id(value)
        if len(path) < _DEPTH and id(value) not in opened:
            opened.add(id(value))
            pending += [(name, (*path, step), step.of(value)) for step in steps]
    return found


def _steps(value: Any) -> list[Step]:
    if isinstance(value, dict):
        return [Step(key, attribute=False) for key in value if isinstance(key, str | int)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [Step(field, attribute=True) for field in value._fields]
    if isinstance(value, list | tuple) or _is_array_of_objects(value):
        return [Step(index, attribute=False) for index in range(len(value))]
    return [Step(key, attribute=True) for key in own_attributes(value) or ()]


def _is_array_of_objects(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 1


def is_numeric(value: Any) -> bool:
    """Whether a value is a number, an array or pandas object of numbers, or a rectangular (nested) list of them."""
    if isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, NUMBERS):
        return True
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.dtype.kind in "fiu" and value.size > 0
    return is_wrapped(value) or (isinstance(value, list) and len(value) > 0 and _is_number_list(value))


def is_object(value: Any) -> bool:
    """Whether numbers lie in an object of their own, which is known again wherever it is met."""
    return not isinstance(value, NUMBERS)


def _is_number_list(value: list[Any]) -> bool:
    if all(isinstance(item, NUMBERS) and not isinstance(item, bool) for item in value):
        return True
    if not all(isinstance(item, list) and len(item) == len(value[0]) > 0 for item in value):
        return False
    return all(_is_number_list(item) for item in value)
