"""One call for whatever is to be checked: the framework that it belongs to is recognised, and none is imported."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from gradcheck.checker.result import CheckResult
from gradcheck.errors import InputError
from gradcheck.evaluate.containers import children

GROUP = "gradcheck.adapters"
# the package that an object's type comes from, and the adapter of ours that checks it
_OURS = {
    "torch": "torch",
    "jax": "jax",
    "jaxlib": "jax",
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
    "sklearn": "sklearn",
    "autograd": "autograd",
}
_MOST_LEAVES = 1000


def check(what: Any, *inputs: Any, **options: Any) -> CheckResult:
    """Check code of a framework as it is.

    Parameters
    ----------
    what : callable or estimator
        A ``torch.autograd.Function``, module or function of tensors; a JAX function; a function written for HIPS
        autograd; a TensorFlow function or Keras model; a scikit-learn estimator; or, with the option ``jac``, a
        function for ``scipy.optimize``.
    *inputs
        What it is called with; for an estimator, the data.
    **options
        Those of `gradcheck.check_grad`, such as `rtol`, `points` and `seed`, and those of the adapter.

    Returns
    -------
    CheckResult
        True in a boolean context if every checked entry matches.

    Raises
    ------
    InputError
        If nothing here says which framework it belongs to, or what the adapter raises.

    Notes
    -----
    A framework is recognised by the types of `what` and of its inputs, then by the modules that the function names. An
    installed package adds one of its own with an entry point in the group ``gradcheck.adapters``: its name is that of
    the framework's package, and it refers to a function with this signature. It is loaded only where the framework is
    imported already.
    """
    adapter = _adapter(what, inputs, options)
    if adapter is None:
        others = ", ".join(sorted(_foreign())) or "none"
        raise InputError(
            f"`what` is not recognised as code of a framework, got {_described(what)} with inputs "
            f"({', '.join(_described(one) for one in inputs)}). Expected code of PyTorch, JAX, autograd, TensorFlow or "
            f"scikit-learn, or `jac=` for scipy.optimize (adapters of other packages: {others}). For a loss and a "
            "gradient in NumPy, call gradcheck.check_grad(loss, grad, params); otherwise the adapter itself, as in "
            "gradcheck.adapters.jax.check(function, ...)."
        )
    return adapter(what, *inputs, **options)


def _adapter(what: Any, inputs: Sequence[Any], options: dict[str, Any]) -> Callable[..., CheckResult] | None:
    if "jac" in options:
        return _ours("scipy")
    foreign = _foreign()
    for package in _packages(what, inputs):
        if package in _OURS:
            return _ours(_OURS[package])
        if package in foreign and package in sys.modules:
            adapter: Callable[..., CheckResult] = foreign[package].load()
            return adapter
    return None


def _ours(name: str) -> Callable[..., CheckResult]:
    adapter: Callable[..., CheckResult] = import_module(f"gradcheck.adapters.{name}").check
    return adapter


def _foreign() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _packages(what: Any, inputs: Sequence[Any]) -> Iterator[str]:
    """Yield the packages that things belong to, the most telling ones first."""
    inner = list(_unwrapped(what))
    for one in inner:
        yield from _of_type(one)
    for leaf in _leaves(inputs):
        yield from _of_type(leaf)
    for one in inner:
        # a loss may well call a metric of scikit-learn's
        yield from (package for package in _named_by(one) if package != "sklearn")


def _unwrapped(what: Any) -> Iterator[Any]:
    """Yield a callable and what it wraps: partial applications, decorated functions, methods."""
    for _ in range(20):
        yield what
        inside = getattr(what, "func", None) if isinstance(what, functools.partial) else None
        if inside is None:
            inside = getattr(what, "__wrapped__", None)
        owner = getattr(what, "__self__", None)
        if owner is not None and not isinstance(owner, types.ModuleType):
            yield owner
        if inside is None:
            return
        what = inside


def _of_type(thing: Any) -> Iterator[str]:
    if getattr(thing, "_is_autograd_primitive", False):
        yield "autograd"
    for kind in (thing, type(thing)) if isinstance(thing, type) else (type(thing),):
        for base in kind.__mro__:
            yield _top(base.__module__)


def _leaves(inputs: Iterable[Any]) -> Iterator[Any]:
    waiting, count = list(inputs), 0
    while waiting and count < _MOST_LEAVES:
        node = waiting.pop(0)
        below = children(node)
        yield node
        count += 1
        if below is not None:
            waiting += [child for _, child in below]
        elif "jax" in sys.modules and not _is_plain(node):
            # containers that are registered with JAX
            inside = sys.modules["jax"].tree_util.tree_leaves(node)
            waiting += [leaf for leaf in inside if leaf is not node]


def _is_plain(node: Any) -> bool:
    return _top(type(node).__module__) in {"builtins", "numpy"}


def _named_by(function: Any) -> Iterator[str]:
    """Yield the packages of the modules that a function names, and of what it finds under global names."""
    code, known = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    if code is None:
        return
    cells = zip(code.co_freevars, getattr(function, "__closure__", None) or (), strict=False)
    found = [known[name] for name in code.co_names if name in known]
    for _, cell in cells:
        try:
            found.append(cell.cell_contents)
        except ValueError:
            continue
    for value in found:
        yield _top(value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None) or "")
        yield from _of_type(value)


def _top(module: Any) -> str:
    return str(module).partition(".")[0]


def _described(thing: Any) -> str:
    return getattr(thing, "__name__", None) or type(thing).__name__
