"""Nested containers: their children, the steps that lead to these, and copies with other children."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Hashable, Mapping, MutableMapping
from typing import Any, NamedTuple

import numpy as np

NUMBERS = (bool, int, float, complex, np.generic)


class Step(NamedTuple):
    """One step from a container to a child: by key, by position or by attribute."""

    kind: str
    key: Hashable

    @property
    def suffix(self) -> str:
        """The step in Python syntax."""
        return f".{self.key}" if self.kind == "attribute" else f"[{self.key!r}]"


Path = tuple[Step, ...]
Children = list[tuple[Step, Any]]


def children(node: Any) -> Children | None:
    """Return the children of a container with the steps that lead to them, or None if `node` is not a container."""
    if isinstance(node, Mapping):
        return [(Step("key", key), child) for key, child in node.items()]
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return [(Step("attribute", field), child) for field, child in zip(node._fields, node, strict=True)]
    if isinstance(node, (list, tuple)):
        return [(Step("index", i), child) for i, child in enumerate(node)]
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        return [(Step("attribute", field.name), getattr(node, field.name)) for field in dataclasses.fields(node)]
    return None


def is_writable(container: Any) -> bool:
    """Tell whether the children of a container can be replaced in place."""
    if isinstance(container, (list, MutableMapping)):
        return True
    parameters: Any = getattr(container, "__dataclass_params__", None)
    return parameters is not None and not parameters.frozen


def set_children(container: Any, saved: Children) -> None:
    """Give a writable container these children and no others."""
    if isinstance(container, MutableMapping):
        container.clear()
        container.update((step.key, child) for step, child in saved)
    elif isinstance(container, list):
        container[:] = [child for _, child in saved]
    else:
        for step, child in saved:
            setattr(container, str(step.key), child)


def like(container: Any, renewed: Children) -> Any:
    """Return a copy of a container with other children."""
    contents = [child for _, child in renewed]
    if isinstance(container, Mapping):
        items = {step.key: child for step, child in renewed}
        if type(container) is dict or not isinstance(container, MutableMapping):
            return items
        mapping = copy.copy(container)
        mapping.update(items)
        return mapping
    if isinstance(container, tuple) and hasattr(container, "_make"):
        return container._make(contents)
    if isinstance(container, (list, tuple)):
        return contents if isinstance(container, list) else tuple(contents)
    twin = copy.copy(container)
    for step, child in renewed:
        object.__setattr__(twin, str(step.key), child)
    return twin


def number_shape(node: list[Any]) -> tuple[int, ...] | None:
    """Return the shape of a regular nested list of plain numbers, None for any other list."""
    if not node:
        return None
    if all(isinstance(child, NUMBERS) for child in node):
        return (len(node),)
    shapes = {number_shape(child) if isinstance(child, list) else None for child in node}
    inner = shapes.pop()
    return None if inner is None or shapes else (len(node), *inner)


def describe(node: Any) -> str:
    """Return a short description of a structure for a message."""
    if isinstance(node, np.ndarray):
        return f"an array of shape {node.shape}"
    if isinstance(node, Mapping):
        return f"a dict with keys {list(node)}"
    if isinstance(node, (list, tuple)):
        return f"a {type(node).__name__} of length {len(node)}"
    return f"{type(node).__name__} {node!r}" if isinstance(node, (int, float, str)) else type(node).__name__
