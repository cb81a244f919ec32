"""What a script hands to optimizers as it runs: functions, and what is their derivatives."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


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

    @property
    def captured(self) -> dict[str, Any]:
        """What it has from around it: the variables of its closure, by their names."""
        if self.function is None or self.function.__closure__ is None:
            return {}
        cells = zip(self.function.__code__.co_freevars, self.function.__closure__, strict=True)
        found = {}
        for name, cell in cells:
            with suppress(ValueError):  # it is empty as yet
                found[name] = cell.cell_contents
        return found

    def defaults(self, count: int) -> dict[str, Any]:
        """Return what its arguments are that nobody passes, if it is called with so many others by position."""
        if self.function is None:
            return {}
        code, own = self.function.__code__, self.function.__defaults__ or ()
        names = code.co_varnames[: code.co_argcount]
        with_default = dict(zip(names[len(names) - len(own) :], own, strict=True))
        missing = {name: value for name, value in with_default.items() if name in names[count:]}
        return {**missing, **(self.function.__kwdefaults__ or {})}


_DEPTH = 10


@dataclass
class Handed:
    """A function and its derivative, as they were handed to an optimizer.

    Attributes
    ----------
    objective : callable
        The function: the objective, a constraint, or, where a second derivative is handed over, the gradient.
    derivative : callable
        The derivative; a function that returns both where it is one. None where the script has to tell which it is.
    value_at, slope_at : int or None
        Where in what they return value and derivative stand, if they return more.
    leading : tuple
        What stands before the parameters in a call.
    is_spread : bool
        Whether each parameter is an argument of its own.
    is_named : bool
        Whether the parameters are the values of the objects in a mapping that vary.
    of_several : bool
        Whether the objective may have several values, and the derivative be a matrix.
    by_parameter : bool
        Whether a row of that matrix belongs to a parameter, rather than to a value.
    by_entry : bool
        Whether each value depends on its own parameter alone.
    times : bool
        Whether the derivative is that of the values times numbers that it is handed behind the parameters.
    compares : bool
        Whether the derivative was only compared with differences.
    around : tuple of (str, str, int)
        The files, qualified names and lines of the code that was running, innermost first.
    callables : mapping
        Where the derivative is to be found in the script: what can be called among the variables of the caller.
    windows : list of (dict, dict)
        How often each function had been called before, and when the optimizer was done.
    """

    optimizer: str
    objective: Any
    derivative: Any
    value_at: int | None = None
    slope_at: int | None = None
    point: Any = None
    leading: tuple[Any, ...] = ()
    args: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    is_spread: bool = False
    is_named: bool = False
    of_several: bool = False
    by_parameter: bool = False
    by_entry: bool = False
    times: bool = False
    compares: bool = False
    around: tuple[tuple[str, str, int], ...] = ()
    callables: Mapping[str, Any] = field(default_factory=dict)
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
        how = self.value_at, self.slope_at, self.by_parameter, self.is_spread, self.times
        return codes, how, len(self.leading), len(self.args)


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
