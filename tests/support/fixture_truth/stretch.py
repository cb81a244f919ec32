"""Run a stretch of a script from a point of one's own choice.

The script is run under a trace. When it reaches the line where a stretch starts, its parameters are moved, and its data
are copied for the loss; when the stretch ends, its gradients are read, and the script is stopped. So the code that
computes the gradients is the script's own, whatever its form: a function, a method that updates in place, or the
body of a loop.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, FunctionType, ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from .points import Point, Sample, arrays, perturbed


class Reached(BaseException):
    """The end of the stretch; not an Exception, so that no script catches it."""


class Values(SimpleNamespace):
    """The names of a script as they are when the stretch starts; names that only exist at its end as well.

    ``end`` holds all of them as they are at the end, ``result`` is what the function returned.
    """

    end: SimpleNamespace
    result: Any

    def __getattr__(self, name: str) -> Any:
        if name == "end":
            raise AttributeError(name)
        return getattr(self.end, name)


@dataclass(frozen=True)
class Stretch:
    """Where the gradients of a script are computed, and the loss that they belong to.

    Parameters
    ----------
    loss : callable
        Takes the script's values and the parameters, in the order of the names.
    start : str
        How the line begins before which the parameters are moved; with ``def``, a call of this function.
    names : list of str
        Parameters as a report names them.
    stop : str, optional
        How the line begins that ends the stretch; without it the function that contains the start ends it by returning.
    gradients : list of str
        Expressions for the gradients, as the script has them at the end; ``result`` is what the function returned.
        None when the parameters are updated in place.
    rate : str, optional
        Expression for the learning rate of an update in place; negative for an ascent.
    paths : dict of str to str
        Expressions for parameters that the frame at the start reaches by other names.
    first, later : int
        Which time the start is reached that counts for the script's own point, and for the perturbed ones.
    hidden : frozenset of str
        Parameters whose mistake does not show at the script's own point.
    rtol : float
        Largest relative error of a gradient that is right.
    kinks : bool
        At the script's own point the loss has kinks, and the slope of either side is right there.
    sizes : dict of str to float
        Usual sizes of parameters that are far from one.
    directions : int, optional
        Along how many random directions a parameter is moved, where moving every entry takes too long.
    """

    loss: Callable[..., Any]
    start: str
    names: list[str]
    stop: str | None = None
    gradients: list[str] | None = None
    rate: str | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    first: int = 1
    later: int = 1
    hidden: frozenset[str] = frozenset()
    rtol: float = 1e-7
    kinks: bool = False
    sizes: Mapping[str, float] = field(default_factory=dict)
    directions: int | None = None

    def at(self, path: Path, seed: int | None) -> Sample:
        """Run the script up to the end of the stretch, from its own point or from a perturbed one.

        Raises
        ------
        LookupError
            When the script never gets there.
        """
        run = _Run(self, path, seed)
        run.go()
        values = run.values()

        def loss(point: Point) -> float:
            return float(np.squeeze(self.loss(values, *(point[name] for name in self.names))))

        return Sample(run.point, loss, run.gradients)


def python_source(path: Path) -> bytes:
    """Return the code of a script; of a notebook, its code cells one after the other, without magics."""
    if path.suffix != ".ipynb":
        return path.read_bytes()
    cells = [cell["source"] for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    lines = "\n".join("".join(source) for source in cells).splitlines()
    return "\n".join("pass" if line.startswith(("%", "!")) else line for line in lines).encode()


def line_number(code: bytes, beginning: str) -> int:
    """Return the number of the only line that begins like this, whatever its indentation.

    Raises
    ------
    LookupError
        When there is no such line, or more than one.
    """
    lines = enumerate(code.decode("utf-8", errors="replace").splitlines(), start=1)
    found = [number for number, line in lines if line.strip().startswith(beginning)]
    if len(found) != 1:
        raise LookupError(f"expected one line that begins with {beginning!r}, found {len(found)}")
    return found[0]


def _copies(names: Mapping[str, Any]) -> SimpleNamespace:
    copied = SimpleNamespace()
    for name, value in names.items():
        if not name.startswith("__") and not isinstance(value, ModuleType | FunctionType | type):
            with contextlib.suppress(TypeError):  # generators and files cannot be copied
                setattr(copied, name, copy.deepcopy(value))
    return copied


class _Run:
    """One run of a script; it knows where in the stretch it is."""

    def __init__(self, stretch: Stretch, path: Path, seed: int | None):
        self.stretch, self.path, self.seed = stretch, path, seed
        self.source = python_source(path)
        self.start = line_number(self.source, stretch.start)
        self.start_event = "call" if stretch.start.startswith("def ") else "line"
        self.stop = None if stretch.stop is None else line_number(self.source, stretch.stop)
        self.left = stretch.first if seed is None else stretch.later
        self.targets = {name: stretch.paths.get(name, name) for name in stretch.names}
        self.frame: FrameType | None = None
        self.gradients: Point = {}

    def go(self) -> None:
        code = compile(self.source, str(self.path), "exec")
        script = {"__name__": "__main__", "__file__": str(self.path)}
        random.seed(20)
        np.random.seed(20)  # noqa: NPY002 - the scripts use it
        previous = sys.gettrace()
        quiet, waits = contextlib.redirect_stdout(io.StringIO()), mock.patch.object(time, "sleep")
        with quiet, waits, mock.patch.object(sys, "argv", [str(self.path)]):
            sys.settrace(self.trace)
            try:
                exec(code, script)
            except Reached:
                return
            finally:
                sys.settrace(previous)
        raise LookupError(f"{self.path.name} never gets from {self.stretch.start!r} to the end of the stretch")

    def trace(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        if code.co_filename != str(self.path) or (code.co_name.startswith("<") and code.co_name != "<module>"):
            return None
        if self.frame is None:
            if event == self.start_event and frame.f_lineno == self.start:
                self.left -= 1
                if self.left == 0:
                    self.begin(frame)
                    # lines are many, and say nothing where the end is a return
                    frame.f_trace_lines = self.stop is not None
            elif self.start_event == "call":
                return None  # this call is not looked into
        elif (event == "line" and frame.f_lineno == self.stop) or (
            event == "return" and self.stop is None and frame is self.frame
        ):
            self.finish(frame, argument)
        elif self.stop is None and frame is not self.frame:
            return None
        return self.trace

    def begin(self, frame: FrameType) -> None:
        self.frame = frame
        names = frame.f_locals  # asking again would undo assignments to them
        self.point = self.read(frame.f_globals, names)
        if self.seed is not None:
            for name, value in perturbed(self.point, self.seed, self.stretch.sizes).items():
                self.assign(self.targets[name], value, frame.f_globals, names)
            self.point = self.read(frame.f_globals, names)  # rounded to the script's precision
        self.begun = _copies({**frame.f_globals, **names})

    def read(self, *names: Any) -> Point:
        return arrays(self.stretch.names, [eval(self.targets[name], *names) for name in self.stretch.names])

    @staticmethod
    def assign(target: str, value: np.ndarray, script: dict[str, Any], names: Any) -> None:
        now = eval(target, script, names)
        if isinstance(now, np.ndarray):
            now[...] = value
        elif isinstance(now, list):
            now[:] = value.tolist()
        elif hasattr(now, "iloc"):  # of pandas
            now[:] = value
        else:
            owner = script if target in script and target not in names else names
            exec(f"{target} = {float(value)!r}", script, owner)

    def finish(self, frame: FrameType, result: Any) -> None:
        names = {**frame.f_locals, "result": result}
        self.ended = _copies({**frame.f_globals, **names})
        if self.stretch.gradients is not None:
            values = [eval(expression, frame.f_globals, names) for expression in self.stretch.gradients]
        else:
            assert self.frame is not None
            rate = eval(str(self.stretch.rate), frame.f_globals, names)
            after = self.read(self.frame.f_globals, self.frame.f_locals)
            values = [(self.point[name] - after[name]) / rate for name in self.stretch.names]
        self.gradients = arrays(self.stretch.names, values)
        raise Reached

    def values(self) -> Values:
        values = Values(**vars(self.begun))
        values.end = self.ended
        return values
