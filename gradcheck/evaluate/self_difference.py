"""Whether a gradient is a finite difference itself: comparing one with another proves nothing."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class CallCounter:
    """Counts the calls of a function, by whatever way they come about.

    Parameters
    ----------
    function : callable
        The function; one that is not written in Python is never counted.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.count = 0
        self._code = _code_of(function)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count while the body runs; a profiler or debugger that is at work keeps its place, and nothing is counted."""
        if self._code is None or sys.getprofile() is not None:
            yield
            return
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _profile(self, frame: types.FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is self._code:
            self.count += 1

    def note(self, entries: int) -> str | None:
        """Return what the user should know about a gradient with this many entries, if anything."""
        if self.count < max(entries + 1, 3):
            return None
        return (
            f"`grad` calls `loss` {self.count:,} times for {entries:,} entries: it is a finite difference itself, so "
            "this check compares one finite difference with another and says nothing about a gradient that was derived"
        )


def _code_of(function: Any) -> types.CodeType | None:
    while isinstance(function, (functools.partial, types.MethodType)):
        function = function.func if isinstance(function, functools.partial) else function.__func__
    if not isinstance(function, types.FunctionType):
        function = getattr(type(function), "__call__", None)  # noqa: B004 - the function itself is wanted
    return getattr(function, "__code__", None)
