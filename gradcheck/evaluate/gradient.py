"""The analytic gradient: what the user's function returns, matched to the parameters leaf by leaf."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from gradcheck.errors import InputError
from gradcheck.evaluate.containers import Children, Path, children, describe
from gradcheck.evaluate.leaf import Leaf
from gradcheck.evaluate.params import Parameters
from gradcheck.numerics.arrays import FloatArray

# how the gradient of W may be called
_DECORATIONS: tuple[Callable[[object], object], ...] = (
    lambda key: key,
    lambda key: f"d{key}",
    lambda key: f"d_{key}",
    lambda key: f"grad{key}",
    lambda key: f"grad_{key}",
    lambda key: f"{key}_grad",
)


class Gradient(NamedTuple):
    """A gradient as flat private float64 copies, one per leaf of the parameters, and the types it came in."""

    values: list[FloatArray]
    dtypes: list[np.dtype[Any]]


def match_gradient(parameters: Parameters, gradient: object) -> Gradient:
    """Match a gradient in the user's structure to the parameters."""
    found = list(_collect(parameters, parameters.original, gradient, ()))
    return Gradient([flat for flat, _ in found], [dtype for _, dtype in found])


def _collect(
    parameters: Parameters, node: Any, gradient: Any, path: Path
) -> Iterator[tuple[FloatArray, np.dtype[Any]]]:
    if gradient is None:
        raise InputError(
            f"the gradient of `{parameters.name(path)}` is None. Does the function end without a `return`?"
        )
    leaf = parameters.leaf_at(path)
    if leaf is not None:
        yield _gradient_array(leaf, gradient)
        return
    below = children(node) or []
    parts = _parts(parameters.name(path), node, below, gradient)
    for (step, child), part in zip(below, parts, strict=True):
        yield from _collect(parameters, child, part, (*path, step))


def _parts(name: str, node: Any, below: Children, gradient: Any) -> list[Any]:
    """Return the gradients of the children `below` the container `node`, in their order."""
    named = _named_parts(gradient)
    if named is not None and all(step.kind != "index" for step, _ in below):
        return _by_name(name, [step.key for step, _ in below], named)
    if all(step.kind == "index" for step, _ in below) or hasattr(node, "_fields"):
        is_sequence = isinstance(gradient, (list, tuple)) or (isinstance(gradient, np.ndarray) and gradient.ndim > 0)
        if is_sequence and len(gradient) == len(below):
            return list(gradient)
        if len(below) == 1 and isinstance(gradient, (np.ndarray, float, np.floating)):
            return [gradient]
    raise InputError(
        f"the gradient must have the structure of `{name}`: expected {describe(node)}, got {describe(gradient)}."
    )


def _named_parts(gradient: Any) -> dict[Any, Any] | None:
    if isinstance(gradient, Mapping):
        return dict(gradient)
    parts = children(gradient) or []
    return {step.key: part for step, part in parts} if parts and parts[0][0].kind == "attribute" else None


def _by_name(name: str, keys: list[Hashable], parts: dict[Any, Any]) -> list[Any]:
    """Return the parts in the order of `keys`, whose names may be decorated, all in the same way."""
    for decorate in _DECORATIONS:
        names = [decorate(key) for key in keys]
        if len(parts) == len(names) and all(decorated in parts for decorated in names):
            return [parts[decorated] for decorated in names]
    missing = [key for key in keys if not any(decorate(key) in parts for decorate in _DECORATIONS)]
    known = {decorate(key) for key in keys for decorate in _DECORATIONS}
    unexpected = [key for key in parts if key not in known]
    raise InputError(
        f"the gradient must have the keys of `{name}`, {keys} (or dW, d_W, gradW, grad_W, W_grad for W): "
        f"got {list(parts)}; missing {missing}, unexpected {unexpected}."
    )


def _gradient_array(leaf: Leaf, gradient: Any) -> tuple[FloatArray, np.dtype[Any]]:
    """Return a flat private float64 copy of the gradient of one leaf, and its type."""
    try:
        array = np.asarray(gradient)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"the gradient of `{leaf.name}` is not an array: {error}") from error
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise InputError(
            f"the gradient of `{leaf.name}` must be real numbers of shape {leaf.shape}, got "
            f"{describe(gradient)} of type {array.dtype}."
        )
    # a number's gradient often comes as an array of one entry; no other shape is reinterpreted
    if array.shape != leaf.shape and not (leaf.shape == () and array.size == 1):
        advice = " It has the transposed shape." if array.shape == leaf.shape[::-1] else ""
        raise InputError(
            f"the gradient of `{leaf.name}` must have the parameter's shape {leaf.shape}, got {array.shape}.{advice}"
        )
    dtype = array.dtype if np.issubdtype(array.dtype, np.floating) else np.dtype(np.float64)
    with np.errstate(over="ignore"):
        return np.array(array, dtype=np.float64).reshape(-1), dtype
