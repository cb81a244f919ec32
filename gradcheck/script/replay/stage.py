"""Play a recorded moment of the script again: with other parameters, the same data, and the same random numbers."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any, cast

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.evaluate.random_state import RandomState
from gradcheck.numerics.arrays import same_bits
from gradcheck.script.record.leaves import Leaf, follow, is_numeric, is_object, with_value
from gradcheck.script.record.run import Call, OutOfTime, Recording
from gradcheck.script.record.state import Undo
from gradcheck.script.record.wrapped import Wrapping, aligned, plain
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import RESULT, Kind
from gradcheck.script.replay.pairing import GradientMap, Slot
from gradcheck.script.replay.region import Region, body_of
from gradcheck.script.replay.widen import widened
from gradcheck.script.source.file import SourceFile


@dataclass(frozen=True)
class LossExpression:
    """A scalar that is taken for the loss: an expression over what is in sight when the backward function returns.

    Attributes
    ----------
    text : str
        The expression, over the function's variables, those of the loop or function that calls it, the module's, and
        ``result``, what the function returned.
    shown : str
        How it is shown to the user.
    name : str
        The name that makes it a loss: of the variable or of the called function.
    near : bool
        Whether it is of the same data for sure: computed with the gradients, or from all that the function is given.
        Another loss has to agree with a gradient, up to a factor, to be taken.
    is_implied : bool
        Whether the script does not write it down.
    at_entry : bool
        Whether it is of what the function is called with, rather than of its variables when it returns.
    over : {"", "sum", "mean"}
        What is made of its values at all calls of the function in a round; nothing where there is one call.
    each_line : int
        The line before which these values are there, if not those at the end of each call: in an inner loop, then.
    is_tried : bool
        Whether it is a function of the script applied to what the script itself does not apply it to.
    """

    text: str
    shown: str
    line: int
    name: str
    evidence: str
    near: bool = True
    is_implied: bool = False
    at_entry: bool = False
    over: str = ""
    each_line: int = 0
    is_tried: bool = False


# the first replays, and now and then a later one, are looked at for what they change
_LEARNING, _LEARNING_AGAIN = 4, 64
# of a round's statements, behind how many it is looked whether a parameter is changed; then behind each second of as
# many, behind each third, and so on
_LOOKS = 256
# what evaluating a loss may take at most, in calls and rounds: of those in a step, and at any rate
_STEPS, _ANY = 100, 20_000
# how long a guessed call may sleep, and what it uses of the processor even then
_WAIT_SECONDS, _ASLEEP_SECONDS = 2.0, 0.01


class _Draws:
    """Whether something draws random numbers, by what it has done; looking costs as much as a small network."""

    def __init__(self) -> None:
        self.times, self.seen = 0, False

    def is_looked_at(self) -> bool:
        """Whether to look this time."""
        self.times += 1
        return self.times <= _LEARNING or self.times % _LEARNING_AGAIN == 0


class NotReachedError(ScriptError):
    """A replayed moment ended without a call of the backward function."""

    def __init__(self, name: str) -> None:
        super().__init__(f"`{name}` was not called again when its surroundings were replayed", slug="not-repeatable")


class _Reached(BaseException):
    """Ends a replay when the backward function has returned; what follows would only move the parameters."""


# called with the variables and the result
Read = Callable[[dict[str, Any], Any], Any]


@dataclass(frozen=True)
class Stop:
    """A statement, by its line and by how many times it is met until then."""

    line: int
    count: int

    def counting(self, act: Callable[[], object]) -> Callable[[int], None]:
        """Return a function that is told of every statement, and acts at this one."""
        met = 0

        def at(line: int) -> None:
            nonlocal met
            met += line == self.line
            if met == self.count and line == self.line:
                act()

        return at


def _pass(_: int) -> None:
    """Let a statement be run."""


class Stage:
    """A recorded moment, set up to be played again and again, up to the return of the backward function.

    Parameters
    ----------
    backward : Backward
        The backward function, its parameters, and where a replay starts.

    Attributes
    ----------
    parameters : dict
        The parameters by name, ready to be perturbed: arrays and lists are those that the script's code sees.
    """

    # it does so after each replay, with all that the replay has changed
    puts_randomness_back = True

    def __init__(self, recording: Recording, backward: Backward, moment: Call) -> None:
        self._began = 0
        self._random_state = moment.random_state
        self._pairs, self._turned = backward.pairs, backward.turned
        self._beside, self._moment = backward.beside, moment
        self._recorder, self._stops = recording.recorder, recording.stops
        self._left_out = backward.unclipped
        self._namespace = recording.module.__dict__
        # the recorded variables themselves: what a replay changes in them is undone after each
        self._arguments = dict(moment.arguments)
        self._namespace.update(moment.variables)
        self.recast(recording.source, backward)
        self._bind()

    def recast(self, source: SourceFile, backward: Backward) -> None:
        """Play the same moment with another text of the script from now on."""
        self.evaluations = 0
        self._watched, self._region = backward.function, backward.region
        self._is_region = backward.region is backward.function or backward.is_round
        # where its gradients are to be seen
        self._end, self._is_repeated = backward.stepping, backward.is_repeated
        self._body = body_of(source, backward.region, self._namespace, self._arguments)
        # the key names by their identity what is kept alive with it; one moment may draw where another does not
        key = _Draws, id(backward.region), id(backward.function)
        self._draws: _Draws = self._stops.setdefault(key, (_Draws(), backward.region, backward.function))[0]
        self._first_change: Stop | None = None
        self._was_searched = False
        self._random_state.restore()

    def _bind(self) -> None:
        """Take the parameters, and what has to be undone after a replay, from where they lie now."""
        self.parameters: dict[str, Any] = {}
        self._wrappings: dict[str, Wrapping] = {}
        for pair in self._pairs:
            value = self._value(pair.slot)
            if (wrapping := Wrapping.around(value)) is not None:
                self._wrappings[pair.slot.name], value = wrapping, wrapping.numbers
            value = _differentiable(value)
            self.parameters[pair.slot.name] = value
            self._put(pair.slot, value)
        # where numbers lie in an object of the recorded moment, that is to stay as it was recorded
        own = {name: wrapping.numbers for name, wrapping in self._wrappings.items()}
        self._bound = {**self.parameters, **own}
        wrappings = [wrapping.held for wrapping in self._wrappings.values()]
        keep = {id(self._recorder), *map(id, wrappings), *_containers(self.parameters.values())}
        self._undo = Undo([self._arguments, self._namespace], keep)

    @contextmanager
    def in_double_precision(self) -> Iterator[None]:
        """Play in float64 for the time of the block, from the parameters as they are now."""
        bound = self._bound
        for pair in self._pairs:
            self._put(pair.slot, self.parameters[pair.slot.name])
        try:
            with widened([self._arguments, self._namespace], keep=[self._recorder]):
                self._bind()
                yield
        finally:
            self._bind()
            self._bound = bound
            for pair in self._pairs:
                self._put(pair.slot, bound[pair.slot.name])

    @contextmanager
    def exchanged(self, slot: Slot, value: Any) -> Iterator[None]:
        """Play with another value in a place, of data for instance, for the time of the block."""
        saved = self._value(slot)
        self._put(slot, value)
        try:
            yield
        finally:
            self._put(slot, saved)

    def loss(self, expression: LossExpression) -> Callable[[Mapping[str, Any]], Any]:
        """Return the loss as a function of the parameters: as they are before the script moves them."""
        code = compile(expression.text, "<loss>", "eval", dont_inherit=True)
        if expression.at_entry:
            return lambda parameters: self.look_at_entry(parameters, lambda variables, _: _one(eval(code, variables)))
        self._find_first_change()

        def read(variables: dict[str, Any], result: Any) -> Any:
            return _one(eval(code, _with_result(self._as_put(variables), result)))

        if expression.over:
            line = expression.each_line
            return lambda parameters: _together(self._play_all(parameters, read, line), expression.over)
        return lambda parameters: self._play(parameters, read, self._first_change)

    def losses(self, expressions: Sequence[LossExpression]) -> Callable[[Mapping[str, Any]], list[Any]]:
        """Return the values of expressions, or the exceptions that they raise, as a function of the parameters."""
        codes = [compile(expression.text, "<loss>", "eval", dont_inherit=True) for expression in expressions]
        self._find_first_change()
        recorder = self._recorder
        # what is only read comes first, as a call may change what another reads
        calls = ["(" in expression.text for expression in expressions]
        order = sorted(range(len(codes)), key=lambda k: calls[k])
        draws = [self._stops.setdefault((_Draws, expression.text), _Draws()) for expression in expressions]

        def read(variables: dict[str, Any], result: Any) -> list[Any]:
            looked_at = {k for k, call in enumerate(calls) if call and (draws[k].seen or draws[k].is_looked_at())}
            roots = _with_result(self._as_put(variables), result)
            state = RandomState.capture() if looked_at else None
            values: list[Any] = [None] * len(codes)
            most = max(_ANY, _STEPS * (recorder.entries - self._began))
            for number in order:
                waits = WaitingError, expressions[number].text
                try:
                    if waits in self._stops:  # seconds, each time
                        raise WaitingError
                    with self._patience(most), _not_waiting() if calls[number] else nullcontext():
                        values[number] = eval(codes[number], dict(roots))
                except WaitingError as error:
                    self._stops[waits] = True
                    values[number] = error
                except SystemExit:
                    values[number] = LeavesPythonError()
                except Exception as error:  # noqa: BLE001 - a guessed call may fail in any way
                    values[number] = error
                if state is not None and number in looked_at and state != RandomState.capture():
                    draws[number].seen = True
                    state.restore()
            return values

        if any(expression.over for expression in expressions):
            line = max(expression.each_line for expression in expressions)
            return lambda parameters: [
                _together(values, expression.over)
                for values, expression in zip(
                    zip(*self._play_all(parameters, read, line), strict=True), expressions, strict=True
                )
            ]
        return lambda parameters: cast(list[Any], self._play(parameters, read, self._first_change))

    def _as_put(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the variables with the parameters that were put in, where their names were bound anew since."""
        changed = {}
        for local, name in self._handed.items():
            now, before = variables.get(local), self._before[name]
            if (
                now is not None
                and is_numeric(now)
                and not np.array_equal(np.ravel(plain(now)), np.ravel(before), equal_nan=True)
            ):
                wrapping = self._wrappings.get(name)
                before = before if wrapping is None else wrapping.made(before)
                changed[local] = before.tolist() if isinstance(now, list) or before.shape == () else before
        return {**variables, **changed} if changed else variables

    def gradient(self) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """Return the script's own gradients, by parameter, as a function of the parameters."""
        return lambda parameters: cast(dict[str, Any], self._play(parameters, self._gradients, until=self._end))

    def settle(self, largest: float = math.inf) -> None:
        """Put back whatever has changed since the start: edited code may change what the script's own does not.

        Parameters
        ----------
        largest : float
            Arrays of more bytes are not looked at.
        """
        self._undo.settle(largest)

    def look(self, read: Read, most: int = sys.maxsize) -> Any:
        """Play once, and return what `read` makes of the variables and of the result at the end.

        Raises
        ------
        TooLongError
            When more than `most` functions are called and rounds begun.
        """
        with self._patience(most):
            return self._play(self.parameters, read)

    @contextmanager
    def _patience(self, most: int) -> Iterator[None]:
        """Let no more functions be called, and rounds begun, than that."""
        self._recorder.patience = self._recorder.entries + most
        try:
            yield
        finally:
            self._recorder.patience = sys.maxsize

    def look_before_change(self, read: Read) -> Any:
        """Play once up to the first change of a parameter; return what `read` makes of the variables there."""
        self._find_first_change()
        return self._play(self.parameters, read, self._first_change)

    def look_at_entry(self, parameters: Mapping[str, Any], read: Read) -> Any:
        """Play with these parameters up to the call of the watched function; return what `read` makes of it."""
        return self._play(parameters, read, at_entry=True)

    def _gradients(self, variables: dict[str, Any], result: Any) -> dict[str, Any]:
        roots = _with_result(variables, result)
        found = {}
        for pair in self._pairs:
            if pair.output.kind is Kind.CHANGE:
                before = self._before[pair.slot.name]
                now = self.in_order(pair.slot.name, self.now(pair.slot, variables))
                value = np.asarray(now, dtype=float) - before
            else:
                value = follow(roots[pair.output.variable], pair.output.leaf.path)
            value = self._without_decay(pair, value, roots)
            value = value if pair.stretch == 1 else pair.stretch * np.asarray(value, dtype=float)
            value = value if pair.project is None else pair.project(value)
            own = shaped(self.in_order(pair.slot.name, value), pair.slot.leaf)
            found[pair.slot.name] = -own if pair.slot.name in self._turned else own
        return found

    def _without_decay(self, pair: GradientMap, value: Any, roots: Mapping[str, Any]) -> Any:
        """Return a change or gradient without the multiple of the parameter that is in it."""
        if pair.decay is None:
            return value
        before = self._before[pair.slot.name]
        value = np.asarray(value, dtype=float)
        # what was not moved did not decay
        moves = value != 0 if pair.output.kind is Kind.CHANGE else True
        return value - np.where(
            moves, eval(compile(pair.decay, "<decay>", "eval", dont_inherit=True), dict(roots)) * before, 0.0
        )

    def in_order(self, name: str, value: Any) -> Any:
        """Return what has labels with these in the order that they have in a parameter at this moment."""
        wrapping = self._wrappings.get(name)
        return value if wrapping is None else aligned(value, wrapping.held)

    def now(self, slot: Slot, variables: Mapping[str, Any]) -> Any:
        """Return what lies in a slot, in the middle of a replay."""
        return follow(self.root(slot, variables), slot.path)

    def root(self, slot: Slot, variables: Mapping[str, Any]) -> Any:
        """Return the variable that a slot lies in, in the middle of a replay."""
        # a function within the one that is replayed may have bound a number of that one anew
        own = (variables if self._is_region else self._body.variables()) if slot.is_argument else {}
        return (own if slot.variable in own else self._root(slot))[slot.variable]

    def _play(
        self,
        parameters: Mapping[str, Any],
        read: Read,
        stop: Stop | None = None,
        *,
        at_entry: bool = False,
        until: Region | None = None,
        every: bool = False,
        each_line: int = 0,
    ) -> Any:
        """Run the moment with these parameters; return what `read` makes of the variables and the result.

        It ends with the watched function, or with what it runs `until`. What is read at `every` return of the function,
        or before `each_line`, is a list, which ends where the round does, or before the first change of a parameter.
        """
        if time.monotonic() > self._recorder.deadline:
            raise OutOfTime
        self.evaluations += 1
        self._began = self._recorder.entries
        for pair in self._pairs:
            self._put(pair.slot, parameters[pair.slot.name])
        self._before = {name: np.array(value) for name, value in parameters.items()}
        self._before_beside = [np.array(plain(self._value(pair.slot))) for pair in self._beside]
        items = {name: _items(value) for name, value in parameters.items()}
        found: list[Any] = []

        def reached(variables: dict[str, Any], result: Any) -> None:
            if not found:  # once more where the script has swallowed the end of an earlier replay
                self._recorder.watched, self._recorder.entered, self._recorder.at = None, None, _pass
                found.append(read(variables, result))
            raise _Reached

        def returned(local_variables: dict[str, Any], result: Any) -> None:
            variables = {**self._namespace, **self._body.variables(), **local_variables}
            if each_line:
                raise _Reached
            if every:
                with self._unwatched():
                    found.append(read(variables, result))
            else:
                reached(variables, result)

        def ends() -> None:
            if not each_line and not (every and found):
                reached(self._variables(), None)
            raise _Reached

        def at(line: int) -> None:
            if line == each_line:
                with self._unwatched():
                    found.append(read(self._variables(), None))
            to_stop(line)

        self._recorder.watched, self._recorder.returned = (until or self._watched).name, returned
        self._handed: dict[str, str] = {}
        if at_entry:
            self._recorder.entered = lambda arguments: returned(arguments, None)
        else:
            held = {**parameters, **{name: wrapping.held for name, wrapping in self._wrappings.items()}}
            self._recorder.entered = lambda arguments: self._handed.update(_handed(arguments, held))
        # whoever looks at all statements, and stops at none, has said so already
        to_stop = self._recorder.at if stop is None else stop.counting(ends)
        self._recorder.at = at if each_line else to_stop
        self._recorder.left_out = self._left_out
        try:
            with redirect_stdout(StringIO()), np.errstate(all="ignore"):
                self._body.run()
        except _Reached:
            pass
        except SystemExit:
            raise LeavesPythonError from None
        finally:
            self._recorder.watched = self._recorder.returned = self._recorder.entered = None
            self._recorder.at, self._recorder.left_out = _pass, frozenset()
            looked_at = self.evaluations == 1 or self._draws.is_looked_at()
            if looked_at and not self._draws.seen:
                self._draws.seen = self._random_state != RandomState.capture()
            if self._draws.seen:
                self._random_state.restore()
            self._undo.restore()
            for name, value in parameters.items():
                _write_back(value, items[name])
            for pair in self._pairs:
                self._put(pair.slot, self._bound[pair.slot.name])
        if not found:
            raise NotReachedError(self._watched.name)
        return found if every or each_line else found[0]

    @contextmanager
    def _unwatched(self) -> Iterator[None]:
        """Let what is called in the block pass: the replay goes on behind it."""
        recorder = self._recorder
        watched, entered, at = recorder.watched, recorder.entered, recorder.at
        recorder.watched, recorder.entered, recorder.at = None, None, _pass
        try:
            yield
        finally:
            recorder.watched, recorder.entered, recorder.at = watched, entered, at

    def _play_all(self, parameters: Mapping[str, Any], read: Read, line: int = 0) -> list[Any]:
        """Return what is read in a round until a parameter is changed: at each return of the function, or at a line."""
        found = self._play(parameters, read, self._first_change, every=not line, each_line=line)
        return cast(list[Any], found)

    def lines_run(self) -> set[int]:
        """Return the lines of the statements that are run and may change something, until the watched function ends."""
        lines: set[int] = set()
        self._recorder.at = lines.add
        self._play(self.parameters, lambda *_: None)
        return lines

    def calls_at_one_point(self) -> int:
        """Return how often a round calls the watched function; 0 if it changes the parameters between the calls."""
        self._find_first_change()
        calls = len(self._play(self.parameters, lambda *_: None, every=True))
        return calls if calls == len(self._play_all(self.parameters, lambda *_: None)) else 0

    def _find_first_change(self) -> None:
        """Find the statement that is the first to change a parameter: a loss has to be read before it."""
        if self._was_searched:
            return
        self._was_searched = True
        slots = (pair.slot for pair in (*self._pairs, *self._beside))
        places = tuple((slot.is_argument, slot.variable, slot.name) for slot in slots)
        key = id(self._moment), id(self._region), id(self._watched), places
        if key in self._stops:
            self._first_change = self._stops[key][0]
            return
        before, found = self._look_for_change(after=0)
        while found is not None and found - before > 1:
            # what lies between two looks is looked at more closely
            before, found = self._look_for_change(after=before)
        # what the key names by its identity is kept alive with it
        self._stops[key] = self._first_change, (self._moment, self._region, self._watched)

    def _look_for_change(self, after: int) -> tuple[int, int | None]:
        """Look for a statement that changes a parameter, after some of them, and note it.

        It is looked behind each of the next ones, and behind fewer and fewer of those that follow: a look costs more
        than most statements, and a round may have a hundred thousand of them.

        Returns
        -------
        int, int or None
            How many statements were run when nothing had changed yet, and when something had.
        """
        counts: dict[int, int] = {}
        last: Stop | None = None
        run, clean = 0, after
        changed: int | None = None

        def look() -> None:
            nonlocal clean, changed
            if changed is not None or last is None or run <= after:
                return
            if self._has_moved(self._variables()):
                self._first_change, changed = last, run
            else:
                clean = run

        def at(line: int) -> None:
            nonlocal last, run
            if (run - after) % max((run - after) // _LOOKS, 1) == 0:
                look()
            run += 1
            counts[line] = counts.get(line, 0) + 1
            last = Stop(line, counts[line])

        def end(variables: dict[str, Any], _: Any) -> None:
            nonlocal changed
            if changed is None and last is not None and self._has_moved(variables):
                self._first_change, changed = last, run

        self._recorder.at = at
        self._play(self.parameters, end, until=self._end if self._is_repeated else None)
        return clean, changed

    def _has_moved(self, variables: dict[str, Any]) -> bool:
        places = [(pair, self._before[pair.slot.name]) for pair in self._pairs]
        for pair, before in [*places, *zip(self._beside, self._before_beside, strict=True)]:
            try:
                now = plain(self.in_order(pair.slot.name, self.now(pair.slot, variables)))
                if not np.array_equal(now, before, equal_nan=True):
                    return True
            except (AttributeError, IndexError, KeyError, TypeError):
                continue
        return False

    def _variables(self) -> dict[str, Any]:
        """Return the variables that the watched code sees at this moment."""
        frame: types.FrameType | None = sys._getframe()
        while frame is not None and not self._is_watched(frame.f_code):
            frame = frame.f_back
        around = {**self._namespace, **self._body.variables()}
        if frame is None:
            return around
        # a variable that the function only binds later is not the module's of the same name
        own = {*frame.f_code.co_varnames, *frame.f_code.co_cellvars}
        return {**{name: value for name, value in around.items() if name not in own}, **frame.f_locals}

    def _is_watched(self, code: types.CodeType) -> bool:
        return code.co_name == self._watched.short_name and code.co_firstlineno == self._watched.line

    def _value(self, slot: Slot) -> Any:
        return follow(self._root(slot)[slot.variable], slot.path)

    def _root(self, slot: Slot) -> dict[str, Any]:
        return self._arguments if slot.is_argument else self._namespace

    def _put(self, slot: Slot, value: Any) -> None:
        root = self._root(slot)
        if (wrapping := self._wrappings.get(slot.name)) is not None and isinstance(value, np.ndarray):
            value = wrapping.filled(value)
        root[slot.variable] = with_value(root.get(slot.variable), slot.path, value)


class LeavesPythonError(Exception):
    """Code that is run at other numbers, or with other arguments, than its own ends Python: `exit(1)`."""

    def __init__(self) -> None:
        super().__init__("it ends Python")


class WaitingError(Exception):
    """A guessed call waits for something, a lock that its surroundings hold for instance."""

    def __init__(self) -> None:
        super().__init__("it waits for something")


@contextmanager
def _not_waiting() -> Iterator[None]:
    """End the block if it sleeps: one that computes has all the time that it needs."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    used = time.process_time()

    def tick(_signal: int, _frame: types.FrameType | None) -> None:
        nonlocal used
        now = time.process_time()
        if now - used < _ASLEEP_SECONDS:
            raise WaitingError
        used = now

    before = signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, _WAIT_SECONDS, _WAIT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _with_result(variables: dict[str, Any], result: Any) -> dict[str, Any]:
    """Return the variables with what was returned, if anything was: a script may have a variable of that name."""
    return variables if result is None else {**variables, RESULT: result}


def _together(values: Sequence[Any], over: str) -> Any:
    """Return the sum or the mean of a loss's values, or the first of them; what is no number comes as it was found."""
    first = values[0]
    if not over:
        return first
    if isinstance(first, tuple):
        return tuple(_together(part, over) for part in zip(*values, strict=True))
    others = (value for value in values if isinstance(value, Exception) or not is_numeric(value) or np.size(value) != 1)
    if (other := next(others, values)) is not values:
        return other
    return sum(values[1:], first) / (len(values) if over == "mean" else 1)


def _one(loss: Any) -> Any:
    """Return a loss that comes in a list, or in an array of objects, as a number; any other as it is."""
    is_held = isinstance(loss, list) or (isinstance(loss, np.ndarray) and loss.dtype == object)
    return np.array(loss, dtype=float) if is_held and is_numeric(loss) else loss


def _handed(arguments: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return which arguments of a call are parameters: the same object, or a number that no other parameter is."""
    found = {}
    for local, value in arguments.items():
        if is_object(value):
            same = [name for name, own in parameters.items() if own is value]
        else:
            numbers = {name: own for name, own in parameters.items() if isinstance(own, float)}
            same = [name for name, own in numbers.items() if isinstance(value, float) and own == value]
        if len(same) == 1:
            found[local] = same[0]
    return found


def _differentiable(value: Any) -> Any:
    """Return a parameter's value with floats for integers, because a derivative needs room on both sides."""
    if isinstance(value, np.ndarray):
        return value if value.dtype.kind == "f" else value.astype(float)
    if isinstance(value, list):
        for index, item in enumerate(value):
            value[index] = _differentiable(item)
        return value
    return float(value)


def shaped(gradient: Any, leaf: Leaf) -> Any:
    """Return a gradient as a float array in its parameter's shape, as the script's own update would use it.

    Axes of length one are dropped or added, and a single number is broadcast; other shapes come back unchanged, for
    the checker to refuse.
    """
    dtype = np.asarray(gradient).dtype
    array = np.array(gradient, dtype=float if dtype.kind == "O" else np.result_type(dtype, np.float16))
    if array.shape == leaf.shape:
        return array
    if array.size == 1:
        return np.full(leaf.shape, array.reshape(-1)[0])
    if [n for n in array.shape if n != 1] == [n for n in leaf.shape if n != 1]:
        return array.reshape(leaf.shape)
    return array


def _containers(values: Iterable[Any]) -> set[int]:
    """Return the identities of the parameters' arrays and lists: the checker perturbs them, so they are not undone."""
    found: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        if isinstance(value, np.ndarray | list):
            found.add(id(value))
        if isinstance(value, list):
            pending.extend(item for item in value if isinstance(item, list))
    return found


def _items(value: Any) -> Any:
    """Return a copy of an array, or a copy of a nested list with the same items; anything else as it is."""
    if isinstance(value, np.ndarray):
        return value.copy()
    return [_items(item) for item in value] if isinstance(value, list) else value


def _write_back(value: Any, items: Any) -> None:
    """Give a parameter that a replay has changed in place its values back."""
    if isinstance(value, np.ndarray):
        if not same_bits(value, items):
            np.copyto(value, items)
    elif isinstance(value, list):
        for index, item in enumerate(items):
            if isinstance(item, list):
                _write_back(value[index], item)
            elif value[index] is not item:
                value[index] = item
