"""The course of a whole training: the parameters on the way, the data, and what the script asks of its network."""

from __future__ import annotations

import ast
import random
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.script.record.answers import begin_input
from gradcheck.script.record.kernel import stand_in_for_kernel
from gradcheck.script.record.leaves import follow, is_numeric
from gradcheck.script.record.run import Recorder, run_script
from gradcheck.script.replay.pairing import GradientMap, Slot
from gradcheck.script.replay.units import moved_base
from gradcheck.script.request import Request
from gradcheck.script.source.file import SourceFile, Span
from gradcheck.script.source.finding import Edit
from gradcheck.script.source.names import base_name, fold
from gradcheck.script.source.patch import apply_edits
from gradcheck.script.source.syntax import assigned_names
from gradcheck.script.source.text import with_text
from gradcheck.script.source.updates import moves_in
from gradcheck.script.understand.reading import run, understood
from gradcheck.script.understand.subject import Subject
from gradcheck.session.dataset import Array, Data, Sample, find_data, samples_of
from gradcheck.session.examine import internal_error
from gradcheck.session.uses import Use, Uses

_SNAPSHOTS = 64
_MOST_CALLS_SEEN, _MOST_NUMBERS = 20_000, 4_000_000
_SHARE_OF_RUN = 0.6


@dataclass(frozen=True)
class CourseRequest:
    """Whose training to follow, and with which text.

    Attributes
    ----------
    request : Request
        The script, and how it is examined; its seed is that of the script's own random numbers, too.
    edits : tuple of Edit
        What is edited before it is run; the file stays as it is.
    """

    request: Request
    edits: tuple[Edit, ...] = ()
    inputs: str | None = None
    targets: str | None = None


@dataclass(frozen=True)
class Course:
    """The course of a training.

    Attributes
    ----------
    inputs, targets, prediction : str
        What they are called in the script.
    samples : tuple of Sample
        What happened at the first recorded moments.
    batches : tuple of (ndarray, ndarray)
        The different inputs and targets that were handed to the code, in its own layout.
    calls : tuple of int
        At which calls the parameters were kept; the last is the end of the script.
    places : dict
        Where parameters, ``inputs`` and ``targets`` get their first values, where ``prediction`` and target meet, and
        where the parameters are moved (``update``), as far as it was found.
    problem : ScriptError or None
        Why it did not run to its end.
    """

    inputs: str
    targets: str
    prediction: str
    line: int
    loss: str
    samples: tuple[Sample, ...]
    batches: tuple[tuple[Array, Array], ...]
    calls: tuple[int, ...]
    snapshots: tuple[dict[str, Array], ...]
    uses: tuple[Use, ...] = ()
    places: dict[str, Span] = field(default_factory=dict)
    problem: ScriptError | None = None


def follow_course(job: CourseRequest) -> Course | ScriptError:
    """Follow a training from its beginning to its end; what is wrong with it is returned.

    The script runs in this process, as ``__main__``; call this in a process of its own.
    """
    try:
        return _follow(job)
    except ScriptError as error:
        return error
    except MemoryError:
        return ScriptError("ran out of memory", slug="memory")
    except Exception as error:  # noqa: BLE001 - a mistake of ours must not look like one of the user's
        return internal_error(error)


def _follow(job: CourseRequest) -> Course:
    request = job.request
    source = SourceFile.read(Path(request.path), calls=request.call)
    if job.edits:
        source = with_text(source, "\n".join(apply_edits(source.text.split("\n"), job.edits)))
    _seed(request.seed)
    recording = run(source, request)
    subjects = understood(recording, request)
    subject = subjects[0]
    data = find_data(recording, subject, job.inputs, job.targets)
    samples = samples_of(recording, subject, data)
    begin_input(source.path)
    stand_in_for_kernel(source)
    _seed(request.seed)
    watch = Watch(source, subject, data)
    module, problem = run_script(source, request.argv, _SHARE_OF_RUN * request.seconds, watch, set(), set())
    watch.end(module)
    return Course(
        inputs=data.inputs.name,
        targets=data.targets.name,
        prediction=data.prediction,
        line=data.line,
        loss=subject.loss.shown,
        samples=samples,
        batches=tuple(watch.batches.values()),
        calls=tuple(watch.snapshots),
        snapshots=tuple(watch.snapshots.values()),
        uses=watch.uses.found(),
        places=_places(source, subject, data),
        problem=problem if problem is not None and problem.slug != "script-exited" else None,
    )


def _places(source: SourceFile, subject: Subject, data: Data) -> dict[str, Span]:
    """Return where what matters stands."""
    statements = [s for s in ast.walk(source.tree) if isinstance(s, ast.Assign | ast.AnnAssign)]
    statements.sort(key=lambda s: s.lineno)
    wanted = {pair.slot.name: (pair.slot, pair.update) for pair in subject.backward.pairs}
    found: dict[str, Span] = {}
    slots = {**{name: slot for name, (slot, _) in wanted.items()}, "inputs": data.inputs, "targets": data.targets}
    for name, slot in slots.items():
        names = {slot.name, slot.variable}
        first = next((s for s in statements if names & assigned_names(s)), None)
        if first is not None:
            found[name] = source.span(first)
    bases = {fold(base_name(name)) for name in wanted}
    moves = [update for update in moves_in(source.tree) if moved_base(update.target) in bases]
    update = next((update for update in [*(u for _, u in wanted.values()), *moves] if update is not None), None)
    lines = {"prediction": data.line, **({"update": update.line} if update is not None else {})}
    for name, line in lines.items():
        text = source.lines[line - 1]
        found[name] = Span(line, len(text) - len(text.lstrip()) + 1, line, len(text.rstrip()) + 1)
    return found


def _seed(seed: int) -> None:
    """Let a script that does not seed its generators draw the same numbers in each of its runs."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the generator that scripts share


class Watch(Recorder):
    """Looks at the parameters and the data at the calls of the code that computes gradients; keeps nothing else.

    Attributes
    ----------
    snapshots : dict
        The parameters by the number of the call: at most 64 of them, evenly spread.
    """

    def __init__(self, source: SourceFile, subject: Subject, data: Data) -> None:
        super().__init__(set())
        self.snapshots: dict[int, dict[str, Array]] = {}
        self.batches: dict[bytes, tuple[Array, Array]] = {}
        self.uses = Uses(source, subject)
        self._pairs, self._data = subject.backward.pairs, data
        self._region = subject.backward.region.name
        self._every, self._numbers, self._count = 1, 0, 0
        self._last: dict[str, Any] = {}
        self._seen: tuple[Any, Any] = (None, None)

    def enter(self, function: str) -> bool:
        """Look at what is there; nothing is ever recorded."""
        if self.recording and function in self.uses.names:
            self.uses.called(function, sys._getframe(1))
        if self.recording and function == self._region:
            self._look(sys._getframe(1).f_locals)
        return False

    def _look(self, variables: Mapping[str, Any]) -> None:
        self._count += 1
        try:
            self._last = {pair.slot.name: self._at(pair.slot, variables) for pair in self._pairs}
            pair = self._at(self._data.inputs, variables), self._at(self._data.targets, variables)
        except (AttributeError, IndexError, KeyError, TypeError):
            return
        if self._count <= 2 or self._count % self._every == 0:
            self._keep(self._count)
        if self._count <= _MOST_CALLS_SEEN and self._numbers < _MOST_NUMBERS and not self._is_same(pair):
            self._seen = pair
            self._keep_data(*(np.array(value) for value in pair))

    def _is_same(self, pair: tuple[Any, Any]) -> bool:
        return all(a is b and isinstance(a, list | np.ndarray) for a, b in zip(pair, self._seen, strict=True))

    def _keep_data(self, inputs: Array, targets: Array) -> None:
        key = inputs.tobytes() + b"|" + targets.tobytes()
        if key not in self.batches:
            self.batches[key] = inputs, targets
            self._numbers += inputs.size

    def _at(self, slot: Slot, variables: Mapping[str, Any]) -> Any:
        root = variables if slot.is_argument and slot.variable in variables else self.namespace
        return follow(root[slot.variable], slot.path)

    def _keep(self, number: int) -> None:
        self._note(number)
        if len(self.snapshots) > _SNAPSHOTS:
            self._every *= 2
            self.snapshots = {n: s for n, s in self.snapshots.items() if n <= 2 or n % self._every == 0}

    def _note(self, number: int) -> None:
        self.snapshots[number] = {name: np.array(value, dtype=float) for name, value in self._last.items()}

    def end(self, module: types.ModuleType) -> None:
        """Keep the parameters that the script has ended with."""
        if self._last:
            self._last = {pair.slot.name: self._final(pair, vars(module)) for pair in self._pairs}
            self._note(self._count + 1)

    def _final(self, pair: GradientMap, variables: Mapping[str, Any]) -> Any:
        """Return a parameter at the end: the variable that the script's own update moves, or what was seen last."""
        last = self._last[pair.slot.name]
        slot = pair.slot
        try:
            if not slot.is_argument:
                return follow(variables[slot.variable], slot.path)
            target = variables.get(pair.update.target if pair.update is not None else slot.variable)
        except (AttributeError, IndexError, KeyError, TypeError):
            return last
        return target if is_numeric(target) and np.shape(np.asarray(target)) == np.shape(last) else last
