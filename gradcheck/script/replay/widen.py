"""A script's single-precision world in double precision, for as long as its loss is differentiated.

Differences of a float32 loss drown in its round-off. At the same point, with parameters, data and casts in float64,
they are as good as those of any other script.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from gradcheck.script.record.state import reachable
from gradcheck.script.record.wrapped import in_double_precision, is_pandas

_NARROW = (np.float32, np.float16)
_NARROW_NAMES = {"float32": np.float32, "single": np.single, "float16": np.float16, "half": np.half}


@contextmanager
def widened(roots: Iterable[object], keep: Iterable[object]) -> Iterator[None]:
    """Replace float32 and float16 within reach of some roots by float64, and NumPy's names of these types, for a while.

    Arrays that were one array before are one array meanwhile.
    """
    wide: dict[int, Any] = {}
    undo: list[tuple[Any, Any, Any]] = []
    found: list[Any] = list(reachable(roots, {id(value) for value in keep}))
    for container in found:
        for key, value in _items(container):
            replacement = _widen(value, wide)
            if replacement is not value:
                undo.append((container, key, value))
                container[key] = replacement
    try:
        for name in _NARROW_NAMES:
            setattr(np, name, np.float64)
        yield
    finally:
        for name, kind in _NARROW_NAMES.items():
            setattr(np, name, kind)
        for container, key, value in reversed(undo):
            container[key] = value


def _items(container: object) -> list[tuple[Any, Any]]:
    if isinstance(container, dict):
        return list(container.items())
    return list(enumerate(container)) if isinstance(container, list) else []


def _widen(value: Any, wide: dict[int, Any]) -> Any:
    """Return the float64 form of an array, number, type or tuple of these, or the value itself."""
    if isinstance(value, np.ndarray) and value.dtype.type in _NARROW:
        if id(value) not in wide:
            wide[id(value)] = value.astype(np.float64)
        return wide[id(value)]
    if is_pandas(value):
        if id(value) not in wide:
            wide[id(value)] = in_double_precision(value)
        return wide[id(value)]
    if isinstance(value, _NARROW):
        return np.float64(value)
    if isinstance(value, type) and issubclass(value, _NARROW):
        return np.float64
    if isinstance(value, np.dtype) and value.type in _NARROW:
        return np.dtype(np.float64)
    if type(value) is tuple:
        parts = tuple(_widen(part, wide) for part in value)
        return parts if any(a is not b for a, b in zip(parts, value, strict=True)) else value
    return value
