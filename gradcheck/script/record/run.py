"""Run a script as ``python script.py`` would, and keep real calls of its functions."""

from __future__ import annotations

import builtins
import inspect
import math
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradcheck.errors import ScriptError
from gradcheck.evaluate.random_state import RandomState
from gradcheck.script.record import implied
from gradcheck.script.record.answers import end_input, unanswered
from gradcheck.script.record.exchange import listening
from gradcheck.script.record.handed import Handed, HandedPairs
from gradcheck.script.record.instrument import HOOK, instrument
from gradcheck.script.record.leaves import Identities, identities
from gradcheck.script.record.modules import Importer
from gradcheck.script.record.pieces import Piece, apart
from gradcheck.script.record.projected import along, times
from gradcheck.script.record.raised import call_raised, exited, script_raised
from gradcheck.script.record.state import Copier, module_variables
from gradcheck.script.source.file import SourceFile

# early calls, because gradients near the optimum say nothing, and later ones for what goes wrong with time
RECORDED_CALLS = frozenset({1, 2, 3, 5, 10, 20, 50, 100, 200, 500})
QUIET_SECONDS = 1.5
# of the time that a script has, where that is short
_QUIET_SHARE = 0.1
# a script that sleeps for so long will not go on
PAUSE_SECONDS = 4.0
# the slug of what is no Python
SYNTAX = "syntax-error"
# what a script uses of the processor even while it sleeps
_ASLEEP_SECONDS = 0.03
_TICK_SECONDS = 0.1
# of the places from which functions are called, the first call of each is recorded where that is wanted
_MOST_PLACES = 60


class TooLongError(Exception):
    """What is evaluated goes on for as long as a training."""

    def __init__(self) -> None:
        super().__init__("takes as long as hundreds of steps, as a training does")


@dataclass
class Call:
    """One call of one of the script's functions, or one round of a loop.

    Attributes
    ----------
    function : str
        Qualified name, or the name of the loop.
    number : int
        1 for the first call of this function or the first round of this loop.
    arguments : dict
        Copies of the arguments (of the local variables, for a loop in a function) at entry, by name.
    variables : dict
        Copies of the module's variables at entry; what they share with the arguments, the copies share.
    local_variables : dict
        Copies of the local variables on return.
    identities : dict
        Those of the objects in its arguments, by where they lie: at entry, and what lay there on return.
    result_identities : dict
        Those of the objects that it returned.
    entered, left : int
        When it was entered and left, in the order of what was recorded; a round is not seen to be left.
    """

    function: str
    number: int
    arguments: dict[str, Any]
    variables: dict[str, Any]
    random_state: RandomState
    result: Any = None
    local_variables: dict[str, Any] = field(default_factory=dict)
    identities: Identities = field(default_factory=dict)
    result_identities: Identities = field(default_factory=dict)
    entered: int = 0
    left: int = 0


@dataclass(frozen=True)
class Recording:
    """What running the script showed.

    Attributes
    ----------
    module : types.ModuleType
        The script's module as it was left; replays run in it.
    recorder : Recorder
        The object behind the hooks of that module.
    problem : ScriptError or None
        Why the script did not run to its end, where it did not.
    failed : tuple of ScriptError
        What cells of a notebook have raised; those below them were run all the same.
    unanswered : tuple of int
        The lines that have asked for input and got an empty line.
    stops : dict
        Where replays of it, as it stands, have to end; kept by whoever replays.
    """

    source: SourceFile
    module: types.ModuleType
    recorder: Recorder
    calls: tuple[Call, ...]
    counts: dict[str, int]
    problem: ScriptError | None
    failed: tuple[ScriptError, ...] = ()
    unanswered: tuple[int, ...] = ()
    stops: dict[Any, Any] = field(default_factory=dict, init=False, compare=False)

    @property
    def failures(self) -> list[ScriptError]:
        """Why cells of a notebook were not run, or not to their end, from the top."""
        unread = [ScriptError(f"not valid Python: {why}", slug=SYNTAX, line=line) for line, why in self.source.left_out]
        return sorted([*unread, *self.failed], key=lambda error: error.line or 0)

    def of(self, name: str) -> tuple[Call, ...]:
        """Return the recorded calls of a function or rounds of a loop."""
        return tuple(call for call in self.calls if call.function == name)


def _enclosed(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of functions around that the functions among some variables see beside these."""
    found: dict[str, Any] = {}
    pending = [value for value in variables.values() if isinstance(value, types.FunctionType)]
    while pending:
        function = pending.pop()
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name not in found and name not in variables and not name.startswith("__"):
                with suppress(ValueError):  # it may not have a value yet
                    found[name] = cell.cell_contents
                    pending += [found[name]] if isinstance(found[name], types.FunctionType) else []
    return found


class OutOfTime(BaseException):
    """Ends what is made of a recording, when there is no time left for it."""


class StopScript(BaseException):
    """Ends a script from which enough was seen; not an ``Exception``, so that ``except Exception`` lets it pass."""

    def __init__(self, problem: ScriptError | None = None) -> None:
        super().__init__()
        self.problem = problem


class Recorder:
    """The object behind the hooks in the instrumented script.

    Attributes
    ----------
    watched : str or None
        While a replay runs: the function whose return is waited for.
    returned : callable or None
        While a replay runs: receives the local variables and the result of the watched function.
    entered : callable or None
        While a replay runs: receives the arguments of the watched function.
    at : callable
        Receives the line of every statement that may change something, before it is run.
    overrides : dict
        While a replay runs with taps: expressions that are evaluated in place of others, by the number of a place.
    entries : int
        How many functions were called, and rounds of loops begun, until now.
    patience : int
        The number of entries from which on none is let pass any more.
    stopped_at : tuple of int
        The lines, the innermost first, in which the script was stopped because it had shown nothing new for a while;
        empty where it was not.
    deadline : float
        When no replay is begun any more, on the clock of ``time.monotonic``.
    failed : list of ScriptError
        What cells of a notebook have raised.
    left_out : set of str
        The texts of statements that may clip gradients and are not to do so in a replay.
    tap : callable
        While a replay runs with taps: receives the number of a place and its value, and returns what takes its place.
    """

    locals = staticmethod(builtins.locals)
    implied = implied
    along = staticmethod(along)
    times = staticmethod(times)

    def __init__(self, wanted: Set[str], by_place: Set[str] = frozenset(), rebound: Set[str] = frozenset()) -> None:
        self._by_place, self._places = by_place, set[tuple[str, types.CodeType, int]]()
        self._rebound = rebound
        self.calls: list[Call] = []
        self.counts: dict[str, int] = {}
        self.recording = True
        self.busy = False
        self.last_news = time.process_time()
        self.namespace: dict[str, Any] = {}
        self.failed: list[ScriptError] = []
        self.watched: str | None = None
        self.returned: Callable[[dict[str, Any], Any], object] | None = None
        self.entered: Callable[[dict[str, Any]], object] | None = None
        self.at: Callable[[int], object] = _pass
        self.overrides: dict[int, types.CodeType] = {}
        self.tap: Callable[[int, Any], Any] = untouched
        self.left_out: Set[str] = frozenset()
        self.entries, self.patience = 0, sys.maxsize
        self.deadline = math.inf
        self.stopped_at: tuple[int, ...] = ()
        self._open: list[tuple[Call, types.FrameType]] = []
        self._copier = Copier()
        self._time = 0
        # what is told apart by its identity has to stay alive until the script has ended
        self._alive: list[object] = []
        self._wanted = wanted
        self._handed, self._since = HandedPairs(), dict[str, int]()
        self._thread = threading.get_ident()
        # how many calls had been recorded when the last part began; None before that
        self._at_last: int | None = 0

    def wait(self) -> None:
        """Take note that more comes after what is run now."""
        self._at_last = None

    def begin_last(self) -> None:
        """Take note that the last part begins: it is recorded as if nothing had been before."""
        self._at_last = len(self.calls)
        self._since = dict(self.counts)

    def has_seen(self, awaited: Set[str]) -> bool:
        """Whether something that is waited for was recorded in the last part."""
        return self._at_last is not None and any(call.function in awaited for call in self.calls[self._at_last :])

    def enter(self, function: str) -> bool:
        """Count a call; True when it is to be recorded."""
        self.entries += 1
        if self.entries > self.patience:
            raise TooLongError
        if function == self.watched and self.entered is not None:
            self.entered(sys._getframe(1).f_locals)
        if not self.recording or threading.get_ident() != self._thread:
            return False
        count = self.counts[function] = self.counts.get(function, 0) + 1
        since = count - self._since.get(function, 0)
        is_new = function in self._by_place and self._is_from_new_place(function, sys._getframe(2))
        return (
            count == 1 or ((count in RECORDED_CALLS or since in RECORDED_CALLS) and function in self._wanted) or is_new
        )

    def _is_from_new_place(self, function: str, caller: types.FrameType) -> bool:
        """Whether a function has not been called from a place, and not yet from many others."""
        place = function, caller.f_code, caller.f_lineno
        if place in self._places or len(self._places) >= _MOST_PLACES:
            return False
        self._places.add(place)
        return True

    @property
    def handed(self) -> list[Handed]:
        """What was handed to optimizers."""
        return self._handed.found

    @property
    def handing_lines(self) -> Set[tuple[str, int]]:
        """The files and lines from which optimizers have been called with a derivative."""
        return self._handed.places

    def hand(self, handed: Handed) -> Callable[[], object] | None:
        """Keep what an optimizer is handed, and record its calls; return what is to be called when it is done."""
        if not self.recording or threading.get_ident() != self._thread:
            return None
        end = self._handed.add(handed, self.counts)
        if end is None:
            return None
        if (name := handed.name) is not None:
            self._wanted = {*self._wanted, name}
            self._since[name] = self.counts.get(name, 0)
        return lambda: end(self.counts)

    def record(self, function: str, arguments: dict[str, Any]) -> None:
        """Keep a call's arguments, the module's variables and the random states."""
        with self._undisturbed():
            call = self._call(function, arguments)
            call.identities, call.entered = self._identities(arguments), self._tick()
            self._open.append((call, sys._getframe(1)))

    def record_round(self, loop: str, variables: dict[str, Any]) -> None:
        """Keep the same at the beginning of a loop's round; a round is complete at once."""
        with self._undisturbed():
            call = self._call(loop, variables)
            call.identities, call.entered = self._identities(variables), self._tick()
            self.calls.append(call)

    def _call(self, function: str, arguments: dict[str, Any]) -> Call:
        if sys._getframe(2).f_code.co_flags & inspect.CO_NESTED:
            arguments = {**_enclosed(arguments), **arguments}
        # a function is what its name meant then, whatever it means when the script has ended
        functions = {name: self.namespace[name] for name in self._rebound if name in self.namespace}
        own, shared = self._copier.copy(arguments, {**functions, **module_variables(self.namespace)})
        return Call(function, self.counts[function], own, shared, RandomState.capture())

    def runs(self, statement: str) -> bool:
        """Whether a statement that may clip gradients is run, or puts its bounds."""
        return statement not in self.left_out

    def other(self, place: int) -> Any:
        """Return the value of what is evaluated in place of an expression, with the variables that it sees."""
        frame = sys._getframe(1)
        # one namespace, so that comprehensions see the local variables, too
        return eval(self.overrides[place], {**frame.f_globals, **frame.f_locals})

    def leave(self, function: str, local_variables: dict[str, Any], result: Any) -> Any:
        """Keep a call's local variables and result, which is passed on."""
        if function == self.watched and self.returned is not None:
            self.returned(local_variables, result)
        elif self.recording and self._open and threading.get_ident() == self._thread:
            self._close(local_variables, result)
        return result

    def _close(self, local_variables: dict[str, Any], result: Any) -> None:
        frame = sys._getframe(2)
        position = next((i for i, (_, own) in enumerate(self._open) if own is frame), None)
        if position is None:
            return
        with self._undisturbed():
            call = self._open[position][0]
            del self._open[position:]  # calls above it were left by an exception
            copied = self._copier.copy({"result": result}, local_variables)
            call.result, call.local_variables = copied[0]["result"], copied[1]
            call.result_identities = self._identities({"result": result})
            same = {name: local_variables[name] for name in call.arguments if name in local_variables}
            # a variable that was bound anew is no longer the argument
            call.identities = {**_within(self._identities(same)), **call.identities}
            call.left = self._tick()
            self.calls.append(call)
            self.last_news = time.process_time()

    def _tick(self) -> int:
        self._time += 1
        return self._time

    def _identities(self, variables: Mapping[str, object]) -> Identities:
        self._alive.append(list(variables.values()))
        return identities(variables)

    def forget(self) -> None:
        """Let go of the script's own objects."""
        self._alive.clear()

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        # the alarm must not stop the script in the middle of a copy
        self.busy = True
        try:
            yield
        finally:
            self.busy = False


def record(
    source: SourceFile,
    argv: Sequence[str],
    seconds: float,
    wanted: Set[str],
    awaited: Set[str],
    by_place: Set[str] = frozenset(),
) -> Recording:
    """Run the script in this process and record the calls of its functions.

    Parameters
    ----------
    wanted : set of str
        The functions and loops of which several calls are recorded.
    awaited : set of str
        Those of which one has to be recorded before the script may be stopped.
    by_place : set of str
        The functions of which the first call from each place of the script is recorded.
    """
    recorder = Recorder(wanted, by_place, source.rebound)
    module, problem = run_script(source, argv, seconds, recorder, wanted, awaited)
    calls, failed = tuple(recorder.calls), tuple(recorder.failed)
    asked = tuple(dict.fromkeys(unanswered()))
    return Recording(source, module, recorder, calls, dict(recorder.counts), problem, failed, asked)


def run_script(
    source: SourceFile, argv: Sequence[str], seconds: float, recorder: Recorder, stops: Set[str], awaited: Set[str]
) -> tuple[types.ModuleType, ScriptError | None]:
    """Run a script in this process; return its module as it is left, and why it did not run to its end."""
    module = types.ModuleType("__main__")
    module.__file__ = str(source.path)
    module.__dict__[HOOK] = recorder
    recorder.namespace = module.__dict__
    # dataclasses and pickles look their module up by its name
    sys.modules["__main__"] = module
    sys.argv = [str(source.path), *argv]
    sys.path.insert(0, str(source.path.parent))
    if source.cells is not None:
        # a notebook imports from the folder that it is in, wherever it has gone
        sys.path.append("")
    pieces, modules = apart(instrument(source, stops), source)
    Importer(source, modules, module.__dict__).install()
    problem: ScriptError | None = None
    try:
        with _alarm(recorder, seconds, awaited, source.path), listening(recorder.hand):
            problem = _run_pieces(pieces, source, recorder)
    except StopScript as stop:
        problem = stop.problem
    finally:
        recorder.recording = False
        recorder.forget()
        end_input()
    return module, problem


def _within(found: Identities) -> Identities:
    return {(name, path): identity for (name, path), identity in found.items() if path}


def _run_pieces(pieces: Sequence[Piece], source: SourceFile, recorder: Recorder) -> ScriptError | None:
    """Run a script; return why it did not run to its end."""
    last = pieces[-1] if pieces[-1].is_call else None
    if last is not None:
        recorder.wait()
    for piece in pieces if last is None else pieces[:-1]:
        try:
            exec(piece.code, recorder.namespace)
        except StopScript:
            raise
        except SystemExit as error:
            if last is None or error.code not in (None, 0):
                return exited(error, source)
            break
        except BaseException as error:  # noqa: BLE001 - whatever a user's script raises is reported
            problem = script_raised(error, source)
            if not piece.is_cell or not isinstance(error, Exception) or isinstance(error, MemoryError):
                return problem
            recorder.failed.append(problem)
    return None if last is None else _run_call(last, source, recorder)


def _run_call(call: Piece, source: SourceFile, recorder: Recorder) -> ScriptError | None:
    """Run what the user has asked for at the end of a script; return why it did not run to its end."""
    recorder.begin_last()
    try:
        exec(call.code, recorder.namespace)
    except StopScript:
        raise
    except SystemExit as error:
        return exited(error, source)
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is reported
        return call_raised(error, source, recorder.namespace)
    return None


def _pass(_: int) -> None:
    """Let a statement be run."""


def untouched(_: int, value: Any) -> Any:
    """Return a value as it is."""
    return value


@contextmanager
def _alarm(recorder: Recorder, seconds: float, awaited: Set[str], path: Path) -> Iterator[None]:
    """Stop the script after its time, or when it has shown nothing new for a while."""
    if not hasattr(signal, "setitimer"):  # elsewhere the parent's limit holds alone
        yield
        return
    began, quiet = time.monotonic(), min(QUIET_SECONDS, _QUIET_SHARE * seconds)
    active = began, time.process_time()

    def tick(_signal: int, frame: types.FrameType | None) -> None:
        nonlocal active
        if recorder.busy:
            return
        now = time.monotonic()
        if now - began > seconds:
            line = line_in(path, frame)
            message = f"{timeout_message(seconds, line)}, half of which is the script's"
            raise StopScript(ScriptError(message, slug="timeout", line=line))
        # time of the processor: a short pause of the script, or a busy machine, is no sign that all was seen
        used = time.process_time()
        if used - active[1] > _ASLEEP_SECONDS:
            active = now, used
        is_quiet = used - recorder.last_news > quiet or now - active[0] > PAUSE_SECONDS
        if is_quiet and recorder.has_seen(awaited):
            recorder.stopped_at = tuple(_lines_in(path, frame))
            raise StopScript

    before = signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, _TICK_SECONDS, _TICK_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def timeout_message(seconds: float, line: int | None) -> str:
    """Say where a script hung."""
    place = f", in line {line}" if line else ""
    return f"the script was still running after {seconds:.3g} s{place}; give it more time with --timeout SECONDS"


def line_in(path: Path, frame: types.FrameType | None) -> int | None:
    """Return the line of the innermost frame that runs code of `path`."""
    return next(_lines_in(path, frame), None)


def _lines_in(path: Path, frame: types.FrameType | None) -> Iterator[int]:
    """Return the lines of the frames that run code of `path`, the innermost first."""
    while frame is not None:
        if frame.f_code.co_filename == str(path):
            yield frame.f_lineno
        frame = frame.f_back
