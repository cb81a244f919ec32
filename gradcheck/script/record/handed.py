"""What a script hands to the functions of ``scipy.optimize`` as it runs: objectives, and what is their derivatives."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from typing import Any

import numpy as np

from gradcheck.script.source.optimizers import ARGUMENTS, BOTH_BY_DEFAULT, COMPARE, OF_SEVERAL, OPTIMIZERS

_MODULE = "scipy.optimize"


@dataclass(frozen=True)
class Target:
    """The function behind a callable, and what is bound to it.

    Attributes
    ----------
    function : function or None
        The plain Python function; None where there is none.
    bound : tuple of object
        What its first arguments are: the object that a method belongs to, what a ``partial`` holds.
    is_method : bool
        Whether the first of what is bound is the object that it is a method of.
    """

    function: types.FunctionType | None
    bound: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    is_method: bool = False

    @classmethod
    def of(cls, called: Any) -> Target:
        """Unwrap methods, partial applications, wrappers and objects that can be called."""
        bound: tuple[Any, ...] = ()
        keywords: dict[str, Any] = {}
        is_method = False
        for _ in range(_DEPTH):
            if isinstance(called, functools.partial):
                bound, keywords = (*called.args, *bound), {**called.keywords, **keywords}
                called = called.func
            elif isinstance(called, types.MethodType):
                bound, is_method = (called.__self__, *bound), True
                called = called.__func__
            elif isinstance(called, types.FunctionType) and hasattr(called, "__wrapped__"):
                called = called.__wrapped__
            elif isinstance(inner := inspect.getattr_static(type(called), "__call__", None), types.FunctionType):
                bound, is_method = (called, *bound), True
                called = inner
            else:
                break
        return cls(called if isinstance(called, types.FunctionType) else None, bound, keywords, is_method)

    @property
    def code(self) -> types.CodeType | None:
        """The function's code."""
        return None if self.function is None else self.function.__code__


_DEPTH = 10


@dataclass
class Handed:
    """An objective and its derivative, as they were handed to an optimizer.

    Attributes
    ----------
    derivative : callable
        The derivative; the objective itself where that returns both.
    both : bool
        Whether the objective returns its value and the derivative.
    leading : tuple
        What stands before the parameters in a call.
    is_spread : bool
        Whether each parameter is an argument of its own.
    of_several : bool
        Whether the objective may have several values, and the derivative be a matrix.
    by_parameter : bool
        Whether a row of that matrix belongs to a parameter, rather than to a value.
    compares : bool
        Whether the derivative was only compared with differences.
    around : tuple of (str, str, int)
        The files, qualified names and lines of the code that was running, innermost first.
    windows : list of (dict, dict)
        How often each function had been called before, and when the optimizer was done.
    """

    optimizer: str
    objective: Any
    derivative: Any
    both: bool = False
    point: Any = None
    leading: tuple[Any, ...] = ()
    args: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    is_spread: bool = False
    of_several: bool = False
    by_parameter: bool = False
    compares: bool = False
    around: tuple[tuple[str, str, int], ...] = ()
    windows: list[tuple[dict[str, int], dict[str, int]]] = field(default_factory=list)

    @property
    def name(self) -> str | None:
        """The qualified name of the function that computes the derivative."""
        code = Target.of(self.derivative).code
        return None if code is None else code.co_qualname

    @property
    def key(self) -> object:
        """What is the same for two calls with the same pair of functions."""
        codes = tuple(Target.of(called).code or id(called) for called in (self.objective, self.derivative))
        return codes, self.both, self.by_parameter, self.is_spread, len(self.leading), len(self.args)


class HandedPairs:
    """Collects what is handed over while a script runs, at most a few times for the same two functions.

    Attributes
    ----------
    places : set of (str, int)
        The files and lines from which optimizers have been called with a derivative.
    """

    _MOST = 3

    def __init__(self) -> None:
        self.found: list[Handed] = []
        self.places: set[tuple[str, int]] = set()
        self._times: dict[object, int] = {}

    def add(self, handed: Handed, counts: Mapping[str, int]) -> Callable[[Mapping[str, int]], None] | None:
        """Keep a pair; return what is to be told the numbers of calls when the optimizer is done."""
        self.places |= {(file, line) for file, _, line in handed.around}
        times = self._times[handed.key] = self._times.get(handed.key, 0) + 1
        if times > self._MOST:
            return None
        self.found.append(handed)
        before = dict(counts)
        return lambda after: handed.windows.append((before, dict(after)))


# told of each pair, and given back what is to be called when the optimizer is done
Receive = Callable[[Handed], Callable[[], object] | None]
_receivers: list[Receive] = []
_wrappers: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {}


@contextmanager
def listening(receive: Receive) -> Iterator[None]:
    """Tell `receive` what is handed to ``scipy.optimize``, for the time of the block.

    SciPy is not imported: its functions are exchanged when the script imports them, and put back afterwards.
    """
    importer = _OnImport()
    _receivers.append(receive)
    sys.meta_path.insert(0, importer)
    if _MODULE in sys.modules:
        _exchange(sys.modules[_MODULE])
    try:
        yield
    finally:
        _receivers.remove(receive)
        sys.meta_path.remove(importer)
        if not _receivers and _MODULE in sys.modules:
            _put_back(sys.modules[_MODULE])


class _OnImport:
    """Exchanges the functions of the module as soon as it has been run."""

    def __init__(self) -> None:
        self._is_asking = False

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        """Find the module as the others do, and have its loader tell."""
        if name != _MODULE or self._is_asking:
            return None
        self._is_asking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._is_asking = False
        loader = None if spec is None else spec.loader
        if spec is None or loader is None or not hasattr(loader, "exec_module"):
            return spec
        run = loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            del loader.exec_module  # the instance's own, which hides that of its class
            run(module)
            if _receivers:
                _exchange(module)

        loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _exchange(module: types.ModuleType) -> None:
    for name in OPTIMIZERS:
        original = getattr(module, name, None)
        if callable(original) and (name not in _wrappers or original is not _wrappers[name][0]):
            _wrappers[name] = _telling(name, original), original
            setattr(module, name, _wrappers[name][0])


def _put_back(module: types.ModuleType) -> None:
    for name, (wrapper, original) in _wrappers.items():
        if getattr(module, name, None) is wrapper:
            setattr(module, name, original)
    _wrappers.clear()


def _telling(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        done: list[Callable[[], object]] = []
        if _receivers:
            # what cannot be read here, SciPy itself complains about
            with suppress(Exception):
                for handed in _pairs(name, original, args, kwargs):
                    end = _receivers[-1](handed)
                    done += [] if end is None else [end]
        try:
            return original(*args, **kwargs)
        finally:
            for end in done:
                end()

    return call


def _pairs(name: str, original: Callable[..., Any], args: Any, kwargs: Any) -> Iterator[Handed]:
    bound = inspect.signature(original).bind(*args, **kwargs)
    bound.apply_defaults()
    given = bound.arguments
    if name == "check_grad":  # what follows is for the functions
        given["args"] = given["args"] if isinstance(given["args"], tuple) else ()
    objective, derivative, point = (given[key] for key in ARGUMENTS[name])
    around = tuple(_around(sys._getframe(2)))
    options = given.get("options") or {}
    both = isinstance(derivative, bool | int | np.bool_) and bool(derivative)
    both = both or (name in BOTH_BY_DEFAULT and derivative is None and not given.get("approx_grad"))
    if name == "newton" and np.size(point) > 1:  # element by element: no matrix
        return
    if both or callable(derivative):
        yield Handed(
            name,
            objective,
            objective if both else derivative,
            both,
            point,
            leading=(given["xdata"],) if name == "curve_fit" else (),
            args=() if name == "curve_fit" else _as_tuple(given.get("args", ())),
            keywords=given.get("kwargs") or {} if name == "least_squares" else {},
            is_spread=name == "curve_fit",
            of_several=name in OF_SEVERAL,
            by_parameter=bool(given.get("col_deriv") or (name == "root" and options.get("col_deriv"))),
            compares=name in COMPARE,
            around=around,
        )
    if name == "minimize":
        yield from _constraints(given.get("constraints", ()), point, around)


def _constraints(constraints: Any, point: Any, around: Any) -> Iterator[Handed]:
    for constraint in constraints if isinstance(constraints, list | tuple) else (constraints,):
        has = constraint if isinstance(constraint, dict) else getattr(constraint, "__dict__", {})
        if callable(has.get("fun")) and callable(has.get("jac")):
            args = _as_tuple(has.get("args", ()))
            yield Handed("minimize", has["fun"], has["jac"], point=point, args=args, of_several=True, around=around)


def _as_tuple(args: Any) -> tuple[Any, ...]:
    return args if isinstance(args, tuple) else (args,)


def _around(frame: types.FrameType | None) -> Iterator[tuple[str, str, int]]:
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno
        frame = frame.f_back


# -- objectives with several values -----------------------------------------------------------------------------------


def along(values: Any) -> float:
    """Return one number for an objective's values: their sum, each times a random number that is always the same."""
    flat = np.asarray(values).reshape(-1)
    return float(flat @ _weights(flat.size))


def _weights(count: int) -> np.ndarray[Any, Any]:
    if count == 1:
        return np.ones(1)
    rng = np.random.default_rng(count)
    signs: np.ndarray[Any, Any] = rng.choice([-1.0, 1.0], count)
    return signs * rng.uniform(0.5, 1.5, count)


@dataclass(frozen=True)
class Projection:
    """Makes of a matrix of derivatives the gradient of the number that `along` makes of the values.

    Attributes
    ----------
    by_parameter : bool
        Whether a row belongs to a parameter, rather than to a value.
    entry : int or None
        The parameter, where each is by itself.
    """

    count: int
    by_parameter: bool = False
    entry: int | None = None

    def __call__(self, derivative: Any) -> Any:
        """Return the gradient; a matrix that does not fit comes back as it is, for the checker to refuse."""
        dense = derivative.toarray() if hasattr(derivative, "toarray") else derivative
        array = np.asarray(dense)
        values = array.size // max(self.count, 1)
        if values == 1 and array.size == self.count:
            gradient = array.reshape(-1)
        elif array.shape == ((self.count, values) if self.by_parameter else (values, self.count)):
            gradient = (array if self.by_parameter else array.T) @ _weights(values)
        else:
            return array
        return gradient if self.entry is None else gradient[self.entry]
