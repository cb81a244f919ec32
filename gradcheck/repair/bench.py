"""The gradients of a script's text at points where the numerical ones are known: what an edit is tried on."""

from __future__ import annotations

import signal
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.checker.result import CheckResult
from gradcheck.repair.budget import Budget, numbers_in
from gradcheck.repair.taps import Installed, Site, TappedSource, sites_of
from gradcheck.script.check.point import Point, staged
from gradcheck.script.record.run import Recorder, Recording, untouched
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.layer import Layer
from gradcheck.script.replay.region import Region
from gradcheck.script.replay.stage import Stage
from gradcheck.script.source.file import Codes, SourceFile
from gradcheck.script.source.syntax import Function, Loop
from gradcheck.script.understand.subject import Subject

# of computing, for one replay: an edit may have made an endless loop of it
_SECONDS = 2.0
# bytes of an array that is looked at after every edit
_SMALL = 100_000


class _TooLong(BaseException):
    """Ends a replay that takes too long."""


class Bench:
    """A text of the script, set up to have its gradients looked at.

    Parameters
    ----------
    recording : Recording
        The run of the script as it is.
    budget : Budget
        What replays and new texts are counted in.
    entries : mapping of str to tuple of str, optional
        The names of the entries of parameters that are looked at entry by entry.

    Attributes
    ----------
    scale : float
        What the script's gradients are multiplied by.
    budget : Budget
        What replays and new texts are counted in.
    """

    def __init__(
        self,
        recording: Recording,
        subject: Subject,
        budget: Budget,
        entries: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.budget = budget
        self._codes: Codes = {}
        self._entries = entries or {}
        self._recording = recording
        self._subject = subject
        self._installed = Installed(recording.source, recording.module.__dict__)
        self.scale = subject.scale.value
        self.source = recording.source
        self.load(recording.source)

    @property
    def original(self) -> SourceFile:
        """The script as it is."""
        return self._recording.source

    @property
    def recorder(self) -> Recorder:
        """The object behind the taps."""
        return self._recording.recorder

    def load(self, source: SourceFile, line: int | None = None) -> None:
        """Set up another text of the same script, perhaps one that differs in the statement at one line only."""
        self._backward = _backward_in(source, self._recording.source, self._subject.backward)
        self.source = source
        self._tapped = replace(self._recording, source=TappedSource(source, self._codes))
        self.budget.set_up()
        if line is None:
            self._whole = self.source, self._backward, self._tapped
            self._installed.install(source)
        else:
            self._installed.install_part(source, line)

    def unload(self) -> None:
        """Go back to the last text that was set up as a whole."""
        self.source, self._backward, self._tapped = self._whole
        self._installed.reset()

    @property
    def backward(self) -> Backward:
        """The code that computes the gradients, in this text."""
        return self._backward

    def sites(self) -> list[Site]:
        """Return the places of the text that can be tapped."""
        return [site for site in sites_of(self.source.tree) if self.source.is_in_file(site.line)]

    def close(self) -> None:
        """Put the functions back."""
        self.recorder.overrides, self.recorder.tap = {}, untouched
        self._installed.restore()

    def weigh(self, point: Point) -> None:
        """Find out what a replay costs."""
        statements = numbers = 0

        def count(_number: int, value: Any) -> Any:
            nonlocal statements, numbers
            statements += 1
            numbers += numbers_in(value)
            return value

        with self.at(point) as trial:
            trial.gradients(tap=count)
        self.budget.replay_is_worth(statements, numbers)

    def recast(self, trial: Trial) -> None:
        """Let a trial go on with the text that is set up now, from where it began."""
        trial.recast(self._tapped.source, self._backward)

    @contextmanager
    def at(self, point: Point) -> Iterator[Trial]:
        """Return what evaluates at a point, for the time of the block."""
        with staged(self._tapped, self._backward, point) as stage:
            try:
                yield Trial(stage, self.recorder, self._subject, point, self._entries, self.budget)
            finally:
                stage.settle()


class Trial:
    """A text at a point."""

    def __init__(
        self,
        stage: Stage,
        recorder: Recorder,
        subject: Subject,
        point: Point,
        entries: Mapping[str, tuple[str, ...]],
        budget: Budget,
    ) -> None:
        self._entries, self._budget = entries, budget
        self._stage, self._recorder, self._subject, self.point = stage, recorder, subject, point
        self._gradient = stage.gradient()
        self._loss: Callable[[Mapping[str, Any]], Any] | None = None

    def recast(self, source: SourceFile, backward: Backward) -> None:
        """Go on with another text of the script, from where this one began."""
        self._stage.settle()
        self._stage.recast(source, backward)
        self._loss = None

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters at the point, by name."""
        return self._stage.parameters

    def gradients(
        self, overrides: Mapping[int, types.CodeType] | None = None, tap: Callable[[int, Any], Any] = untouched
    ) -> dict[str, np.ndarray[Any, Any]] | None:
        """Return the gradients by parameter; None where the code does not come to an end."""
        found = self._guarded(lambda: self._gradient(self._stage.parameters), overrides or {}, tap)
        if overrides:
            self._stage.settle(_SMALL)
        if found is None:
            return None
        try:
            scaled = {n: np.asarray(v, dtype=float) / self._subject.scale.value for n, v in found.items()}
            return dict(self._taken_apart(scaled))
        except (TypeError, ValueError):
            return None

    def _taken_apart(self, gradients: Mapping[str, np.ndarray[Any, Any]]) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        for name, value in gradients.items():
            own = self._entries.get(name)
            if own is not None and value.size == len(own):
                yield from zip(own, value.reshape(-1), strict=True)
            elif own is None:
                yield name, value

    def loss(self, tap: Callable[[int, Any], Any] = untouched) -> float | None:
        """Return the loss; None where it cannot be computed."""
        if self._loss is None:
            # plays the moment once, which edited code may not survive
            self._loss = self._guarded(lambda: self._stage.loss(self._subject.loss), {}, untouched)
        evaluate = self._loss
        if evaluate is None:
            return None
        found = self._guarded(lambda: evaluate(self._stage.parameters), {}, tap)
        try:
            return None if found is None else float(np.asarray(found, dtype=float).reshape(-1)[0])
        except (TypeError, ValueError, IndexError):
            return None

    def seen_by_loss(self) -> tuple[str, dict[str, Any]]:
        """Return the loss as an expression, and the variables that it is of."""
        found = self._guarded(lambda: self._stage.look(lambda variables, _: variables), {}, untouched)
        return self._subject.loss.text, {} if found is None else found

    def _guarded(
        self, run: Callable[[], Any], overrides: Mapping[int, types.CodeType], tap: Callable[[int, Any], Any]
    ) -> Any:
        self._recorder.overrides, self._recorder.tap = dict(overrides), tap
        self._budget.replayed()
        try:
            with _limited(_SECONDS):
                return run()
        except _TooLong:
            return None
        except Exception:  # noqa: BLE001 - edited code may fail in any way
            return None
        finally:
            self._recorder.overrides, self._recorder.tap = {}, untouched

    def wrong(self, gradients: Mapping[str, np.ndarray[Any, Any]]) -> frozenset[str]:
        """Return the parameters whose gradients are not the numerical ones."""
        return self.point.wanted.wrong(gradients)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    if not hasattr(signal, "SIGPROF"):  # elsewhere the limit of the whole examination holds alone
        yield
        return

    def ring(_signal: int, _frame: types.FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _backward_in(source: SourceFile, original: SourceFile, backward: Backward) -> Backward:
    """Return the same code in another text."""
    function = _same(source, original, backward.function)
    is_region = backward.region is backward.function
    return replace(
        backward, function=function, region=function if is_region else _same_region(source, original, backward.region)
    )


def _same_region(source: SourceFile, original: SourceFile, region: Region) -> Region:
    if isinstance(region, Layer):
        own, back = source.functions[region.forward.name], source.functions[region.backward.name]
        return replace(region, node=own.node, forward=own, backward=back)
    return _same(source, original, region)


def _same(source: SourceFile, original: SourceFile, code: Function | Loop) -> Function | Loop:
    if isinstance(code, Function):
        return source.functions[code.name]
    position = next(i for i, loop in enumerate(original.loops) if loop.node is code.node)
    return source.loops[position]


def worst_error(results: Sequence[CheckResult], name: str) -> float:
    """Return a parameter's largest relative error at some points."""
    errors = [float(np.max(p.rel_error, initial=0.0)) for r in results for p in r.parameters if p.name == name]
    return max(errors, default=0.0)
