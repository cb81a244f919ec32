"""What a script learns from: which of its variables are the inputs and the targets, and what it predicts.

Three things are looked for at a recorded moment. A prediction and what is wanted are two sides of something that the
script computes, a difference most of the time: the one changes with the parameters, the other does not. The inputs are
the data that the prediction changes with, the targets those that what is wanted changes with.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.pairing import Slot, slots
from gradcheck.script.replay.perturb import moved
from gradcheck.script.replay.stage import Stage
from gradcheck.script.source.syntax import Code, assigned_names, called_name
from gradcheck.script.understand.candidates import read_variables
from gradcheck.script.understand.observe import slots_again
from gradcheck.script.understand.subject import Subject

Array = np.ndarray[Any, Any]

_MOST_PLACES, _MOST_MOMENTS = 300, 4
_ADDS_UP = 1e-5
# functions whose arguments have nothing to do with each other
_TELLING = {"print", "format", "round", "range", "zip", "enumerate", "append", "reshape", "isinstance"}
_LOG = re.compile(r"(?:^|\.)log\w*$")
_INPUT_NAME = re.compile(r"(?i)^(?:self\.)?(?:x\w?|xs|x_?\w*|inputs?\w*|data\w*|features?\w*|samples?\w*|\w*_x)$")


@dataclass(frozen=True)
class Sample:
    """What happened at one moment.

    Attributes
    ----------
    inputs, targets : ndarray
        The data that the code is handed, in its own layout: all of them, a batch, or a single one.
    prediction, wanted : ndarray
        What it predicts and what it compares that with.
    """

    parameters: dict[str, Array]
    inputs: Array
    targets: Array
    prediction: Array
    wanted: Array
    loss: float


@dataclass(frozen=True)
class Data:
    """Where a script has its data.

    Attributes
    ----------
    inputs, targets : Slot
        The places, in the moments of the subject's region.
    prediction, wanted : str
        What is compared, as expressions of the script.
    """

    inputs: Slot
    targets: Slot
    prediction: str
    wanted: str
    line: int


def find_data(recording: Recording, subject: Subject, inputs: str | None, targets: str | None) -> Data:
    """Find the inputs, the targets and the prediction of a script."""
    search = _Search(recording, subject, subject.backward.moments[:_MOST_MOMENTS])
    pairs = list(search.pairs())
    if not pairs:
        raise _no_data(subject, "no prediction was found that is compared with a target")
    reasons: list[str] = []
    for prediction, wanted, line in pairs:
        first, second = search.followed_by(prediction, wanted)
        chosen = _one(first, "inputs", inputs, prediction), _one(second, "targets", targets, wanted)
        reasons += [choice for choice in chosen if isinstance(choice, str)]
        if isinstance(chosen[0], Slot) and isinstance(chosen[1], Slot):
            return Data(chosen[0], chosen[1], prediction, wanted, line)
    raise _no_data(subject, reasons[0])


def _no_data(subject: Subject, seen: str) -> ScriptError:
    function = subject.backward.function
    return ScriptError(
        f"what `{function.name}` is trained on was not recognised: {seen}; name the variables with --inputs NAME "
        "--targets NAME",
        slug="no-data",
        line=function.line,
    )


def _one(found: list[Slot], role: str, wanted: str | None, follows: str) -> Slot | str:
    """Return the place of the inputs or targets, or why it is not known."""
    if wanted is not None:
        named = [slot for slot in found if wanted in (slot.name, slot.variable)]
        return named[0] if named else f"`{follows}` does not change with `{wanted}`"
    if not found:
        return f"`{follows}` changes with no variable that could hold the {role}"
    large = [slot for slot in found if slot.leaf.size > 1] or found
    called = [slot for slot in large if _INPUT_NAME.match(slot.name)] if role == "inputs" else []
    best = called if len(called) == 1 else large
    if len(best) == 1:
        return best[0]
    names = ", ".join(f"`{slot.name}`" for slot in best)
    return f"`{follows}` changes with {names}, and one of them holds the {role}"


@dataclass(frozen=True)
class _Search:
    """The search at some moments."""

    recording: Recording
    subject: Subject
    moments: tuple[Call, ...]

    def pairs(self) -> Iterator[tuple[str, str, int]]:
        """Return what is predicted, what is wanted, and the line where they meet, the likeliest first."""
        backward = self.subject.backward
        codes = dict.fromkeys([backward.function, backward.region])
        seen = dict.fromkeys(pair for code in codes for pair in _sides(code))
        for one, other, line in seen:
            for prediction, wanted in ((one, other), (other, one)):
                if self._is_pair(prediction, wanted):
                    yield prediction, wanted, line

    def _is_pair(self, prediction: str, wanted: str) -> bool:
        stage = Stage(self.recording, self.subject.backward, self.moments[0])
        try:
            before = _read(stage, self.subject, prediction, wanted)
            with moved(stage.parameters, self.subject.backward.names, np.random.default_rng(0)):
                after = _read(stage, self.subject, prediction, wanted)
        except Exception:  # noqa: BLE001 - an expression may fail in any way where it does not belong
            return False
        return (
            _fit(before[0], before[1])
            and not np.array_equal(before[0], after[0])
            and np.array_equal(before[1], after[1])
            and before[2] != after[2]
        )

    def followed_by(self, prediction: str, wanted: str) -> tuple[list[Slot], list[Slot]]:
        """Return the places that the prediction follows, and those that what is wanted follows."""
        first: dict[str, Slot] = {}
        second: dict[str, Slot] = {}
        backward, read = self.subject.backward, read_variables(self.recording.source)
        own = {(pair.slot.leaf.path and pair.slot.name) or pair.slot.variable for pair in backward.pairs}
        places = [slot for slot in slots(backward.region, self.moments[0], read) if slot.name not in own]
        for moment in self.moments:
            for slot in _again(places[:_MOST_PLACES], moment):
                if slot.name in first or slot.name in second:
                    continue
                moves = self._moves(moment, slot, prediction, wanted)
                if moves == (True, False):
                    first[slot.name] = slot
                elif moves == (False, True):
                    second[slot.name] = slot
        return list(first.values()), list(second.values())

    def _moves(self, moment: Call, slot: Slot, prediction: str, wanted: str) -> tuple[bool, bool]:
        stage = Stage(self.recording, self.subject.backward, moment)
        before = _read(stage, self.subject, prediction, wanted)
        moves = False, False
        for value in _others(slot.leaf.value):
            try:
                with stage.exchanged(slot, value):
                    after = _read(stage, self.subject, prediction, wanted)
            except Exception:  # noqa: BLE001 - a size or an index that is changed may fail in any way
                continue
            moves = not np.array_equal(before[0], after[0]), not np.array_equal(before[1], after[1])
            if any(moves):
                break
        return moves


def _again(places: list[Slot], moment: Call) -> Iterator[Slot]:
    for slot in places:
        try:
            yield from slots_again([slot], moment)
        except (AttributeError, IndexError, KeyError, TypeError):
            continue


def _fit(prediction: Array, wanted: Array) -> bool:
    if prediction.dtype.kind not in "fiu" or wanted.dtype.kind not in "fiub" or not prediction.size:
        return False
    if not np.all(np.isfinite(prediction)):
        return False
    if prediction.size == wanted.size:
        return True
    # the numbers of classes, whose probabilities add up to 1
    totals = [prediction.sum(axis=axis) for axis in range(prediction.ndim) if prediction.ndim == 2]
    return wanted.dtype.kind in "iu" and any(
        total.size == wanted.size and np.allclose(total, 1, atol=_ADDS_UP) for total in totals
    )


def _others(value: Any) -> Iterator[Any]:
    """Return other values of the same kind: in another order, which keeps labels labels, then moved."""
    array = np.asarray(value)
    is_list = isinstance(value, list)
    for shift in (1, 2):
        rolled = np.roll(array, shift, axis=0) if array.ndim else array
        if not np.array_equal(rolled, array):
            yield rolled.tolist() if is_list else rolled
    if array.dtype.kind in "iu":
        yield (1 - array).tolist() if is_list or not array.ndim else 1 - array
    for shifted in (array * 1.1 + 0.37, array * 0.0, array * -1.0):
        yield shifted.tolist() if is_list or not array.ndim else shifted.astype(np.result_type(array.dtype, np.float16))


def _read(stage: Stage, subject: Subject, prediction: str, wanted: str) -> tuple[Array, Array, float]:
    text = f"[({prediction}), ({wanted}), ({subject.loss.text})]"
    values = stage.loss(replace(subject.loss, text=text, over=""))(stage.parameters)
    return np.array(values[0]), np.array(values[1]), float(np.asarray(values[2]).reshape(()))


def samples_of(recording: Recording, subject: Subject, data: Data) -> tuple[Sample, ...]:
    """Return what happened at the first recorded moments."""
    found = []
    for moment in subject.backward.moments[:_MOST_MOMENTS]:
        stage = Stage(recording, subject.backward, moment)
        prediction, wanted, loss = _read(stage, subject, data.prediction, data.wanted)
        parameters = {name: np.array(value, dtype=float) for name, value in stage.parameters.items()}
        inputs, targets = (np.array(slot.leaf.value) for slot in slots_again([data.inputs, data.targets], moment))
        found.append(Sample(parameters, inputs, targets, prediction, wanted, loss))
    return tuple(found)


def _sides(code: Code) -> Iterator[tuple[str, str, int]]:
    """Return what may be a prediction and what it is compared with: differences, then other meetings of two values."""
    later: list[tuple[str, str, int]] = []
    own = {name for s in code.statements if isinstance(s, ast.Assign) for name in assigned_names(s) if "." not in name}
    for statement in code.statements:
        for node in ast.walk(statement):
            match node:
                case ast.BinOp(left, ast.Sub(), right) if not isinstance(left, ast.Constant):
                    yield ast.unparse(left), ast.unparse(right), node.lineno
                case ast.BinOp(left, ast.Mult(), ast.Call(function, [inner])) if _LOG.search(ast.unparse(function)):
                    later.append((ast.unparse(inner), ast.unparse(left), node.lineno))
                case ast.Subscript(value, ast.Tuple([*_, index])):
                    # what is indexed by the classes may be changed there, so other variables are looked at, too
                    names = [ast.unparse(value), *sorted(own)]
                    later += [(name, ast.unparse(index), node.lineno) for name in names]
                case ast.Call(_, arguments) if len(arguments) <= _MOST_ARGUMENTS and called_name(node) not in _TELLING:
                    later += _two_of(arguments, node.lineno)
    yield from later


_MOST_ARGUMENTS = 4


def _two_of(arguments: Iterable[ast.expr], line: int) -> Iterator[tuple[str, str, int]]:
    texts = [ast.unparse(argument) for argument in arguments if not isinstance(argument, ast.Starred | ast.Constant)]
    for number, one in enumerate(texts):
        for other in texts[number + 1 :]:
            yield one, other, line
