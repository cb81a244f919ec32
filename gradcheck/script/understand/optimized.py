"""Understands a script by the word of its optimizers: what one is handed as the derivative is one, whatever its name.

What else the script moves is looked for as in any other script.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.numerics.arrays import same_values
from gradcheck.script.record.handed import Handed, Target
from gradcheck.script.record.leaves import is_numeric
from gradcheck.script.record.run import Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import RESULT
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.replay.stage import LossExpression, Stage
from gradcheck.script.replay.units import moved_bases, units_of
from gradcheck.script.request import Overrides
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import base_name, loss_rank
from gradcheck.script.source.optimizers import KEYWORDS, PLACES, TELLING
from gradcheck.script.source.syntax import Code, Function, called_name, walk
from gradcheck.script.understand.compared import compared_pairs
from gradcheck.script.understand.handed_loss import handed_losses
from gradcheck.script.understand.handed_pair import HandedPair, Refused
from gradcheck.script.understand.scale import Scale
from gradcheck.script.understand.subject import Subject, understand
from gradcheck.script.understand.unchecked import Unchecked, other_parameters
from gradcheck.script.understand.whose import own_function, shown_name


def understood(recording: Recording, overrides: Overrides) -> tuple[Subject, ...]:
    """Return what is to be checked: the pairs that optimizers were handed, then whatever else there is."""
    unreached = tuple(_unreached(recording))
    if not recording.recorder.handed:
        return _with_notes(understand(recording, overrides), unreached)
    subjects, refused, are_compared = _of_pairs(recording, overrides)
    if overrides.loss:
        subjects = [s for s in subjects if overrides.loss in (s.loss.text, s.loss.shown, s.loss.name)]
    if overrides.backward or overrides.params or overrides.loss:
        known = {name for subject in subjects for pair in subject.backward.pairs for name in _names(subject, pair)}
        return tuple(subjects) if subjects and known.issuperset(overrides.params) else understand(recording, overrides)
    if subjects and not are_compared:
        others, more = _others(recording, overrides, subjects)
        return _with_notes([*subjects, *others], (*unreached, *more), refused)
    # whoever only compares does not move anything by it: what the script does itself comes first
    try:
        found = understand(recording, overrides)
    except ScriptError as error:
        if subjects:
            return _with_notes(subjects, unreached, refused)
        if refused and error.slug in ("no-gradient", "no-loss"):
            said = "; ".join(f"not checked: `{row.name}`, {row.reason}" for row in refused)
            raise ScriptError(said, slug="no-gradient") from None
        raise
    used = _reached(recording.source, [unit for s in found for unit in (s.backward.function, s.backward.region)])
    others = [s for s in subjects if s.backward.function.name not in used]
    return _with_notes([*found, *others], unreached, refused)


def _with_notes(
    subjects: Sequence[Subject], notes: Sequence[str], unchecked: Sequence[Unchecked] = ()
) -> tuple[Subject, ...]:
    first = subjects[0]
    first = replace(first, left_out=(*first.left_out, *notes), unchecked=(*first.unchecked, *unchecked))
    return (first, *subjects[1:])


def _unreached(recording: Recording) -> Iterator[str]:
    """Name the calls of optimizers with a derivative that the run did not come to."""
    source = recording.source
    own = {function.short_name for function in source.functions.values()}
    reached = {line for file, line in recording.recorder.handing_lines if file == str(source.path)}
    for node in walk(source.tree):
        if not isinstance(node, ast.Call) or (name := called_name(node)) not in TELLING or name in own:
            continue
        given = [keyword.value for keyword in node.keywords if keyword.arg in KEYWORDS]
        given += node.args[PLACES[name] : PLACES[name] + 1] if name in PLACES else []
        has_derivative = any(not isinstance(value, ast.Constant) or value.value is True for value in given)
        if has_derivative and not any(line in reached for line in range(node.lineno, (node.end_lineno or 0) + 1)):
            yield f"not checked: what `{name}` is handed in line {node.lineno}, as the run did not come to that call"


def _of_pairs(recording: Recording, overrides: Overrides) -> tuple[list[Subject], list[Unchecked], bool]:
    """Return the subjects of all pairs, what cannot be checked of them, and whether all of them were only compared."""
    groups: dict[object, list[int]] = {}
    for number, handed in enumerate(recording.recorder.handed):
        groups.setdefault(handed.key, []).append(number)
    subjects: list[Subject] = []
    refused: list[Unchecked] = []
    compared: list[bool] = []
    bound = {Target.of(handed.derivative).code for handed in recording.recorder.handed if handed.objective is not None}
    for numbers in groups.values():
        handed = recording.recorder.handed[numbers[0]]
        if handed.objective is None and Target.of(handed.derivative).code in bound:
            continue  # it is checked where its function is handed over as well
        try:
            found = [
                subject
                for pair in _handed_pairs(recording, numbers)
                if overrides.backward in (None, pair.function.name, pair.function.short_name)
                for subject in _subjects(pair)
            ]
        except Refused as reason:
            refused.append(_refused(handed, str(reason)))
            continue
        kept = [subject for one in found if (subject := _narrowed(one, overrides.params)) is not None]
        subjects += kept
        compared += [handed.compares] * len(kept)
    return subjects, list(dict.fromkeys(refused)), all(compared)


def _handed_pairs(recording: Recording, numbers: Sequence[int]) -> Iterator[HandedPair]:
    """Return the pairs behind what was handed over several times."""
    source, handed = recording.source, recording.recorder.handed[numbers[0]]
    if handed.derivative is None:
        yield from compared_pairs(recording, numbers[0])
        return
    function = own_function(source, handed.derivative)
    if handed.objective is None:
        raise Refused("the function that it is the derivative of is not handed over")
    if isinstance(function, str):
        raise Refused(function)
    if function is not None:
        yield HandedPair(recording, function, numbers)
    # two functions of a library are nobody's mistake
    elif own_function(source, handed.objective) is not None:
        raise Refused("it is no function of the script")


def _refused(handed: Handed, reason: str) -> Unchecked:
    """Return what a report says of a derivative that cannot be checked: its function, and the argument of the point."""
    shape = np.shape(handed.point) if is_numeric(handed.point) else ()
    target = Target.of(handed.derivative)
    arguments = target.code.co_varnames[: target.code.co_argcount] if target.code else ()
    point = arguments[len(target.bound) + len(handed.leading) :][:1]
    name = ".".join((shown_name(handed.derivative), *point))
    return Unchecked(name, shape, f"which `{handed.optimizer}` is handed as a derivative: {reason}")


def _narrowed(subject: Subject, wanted: Sequence[str]) -> Subject | None:
    """Return the subject with the parameters that the user wants."""
    kept = tuple(pair for pair in subject.backward.pairs if not wanted or _names(subject, pair) & set(wanted))
    return replace(subject, backward=replace(subject.backward, pairs=kept)) if kept else None


def _names(subject: Subject, pair: GradientMap) -> set[str]:
    """Return what the user may call a parameter: by the name of the function as well, where several have it."""
    name = pair.slot.name
    return {name, base_name(name), f"{subject.backward.function.name}.{name}"}


def _subjects(pair: HandedPair) -> Iterator[Subject]:
    """Return what is to be checked of a pair: one for each way in which its function has to be called."""
    recording, function = pair.recording, pair.function
    moments = pair.moments()
    if not moments:
        raise Refused("it was not called")
    pairs = tuple(pair.gradients(moments[0].call))
    outputs = (pairs[0].output,)
    calls = tuple(moment.call for moment in moments)
    backward = Backward(function, calls[0], outputs, pairs, function, calls, handed=True)
    if not _repeats(recording, backward):
        raise Refused("called again with the same arguments, it does not return the same")
    reasons: list[str] = []
    left = list(moments)
    for loss in handed_losses(pair):
        kept = [
            moment
            for moment in left
            if set(loss.numbers) & set(moment.numbers)
            and _is_usable(recording, replace(backward, moments=(moment.call,)), loss.expression, reasons)
        ]
        left = [moment for moment in left if moment not in kept]
        if kept:
            own = replace(backward, example=kept[0].call, moments=tuple(moment.call for moment in kept))
            yield Subject(
                own,
                loss.expression,
                Scale(),
                None,
                agreement=len(pairs),
                basis=_basis(pair),
                is_minimised=not pair.handed.of_several,
            )
    if len(left) == len(moments):
        shown = shown_name(pair.handed.objective)
        raise Refused(f"its objective, `{shown}`, {reasons[0] if reasons else 'could not be called again'}")


def _basis(pair: HandedPair) -> tuple[str, str] | None:
    """Return the function with the derivative that this one is compared with, where that is handed over as well."""
    code, at = Target.of(pair.handed.objective).code, pair.handed.value_at
    handed = [h for h in pair.recording.recorder.handed if Target.of(h.derivative).code is code and h.slope_at == at]
    function = own_function(pair.recording.source, pair.handed.objective)
    if code is None or not handed or not isinstance(function, Function):
        return None
    return function.name, RESULT if at is None else f"{RESULT}[{at}]"


def _is_usable(recording: Recording, backward: Backward, loss: LossExpression, reasons: list[str]) -> bool:
    """Whether the objective can be called at a moment, and is a finite number there."""
    stage = Stage(recording, backward, backward.moments[0])
    try:
        value = stage.loss(loss)(stage.parameters)
    except Exception as error:  # noqa: BLE001 - the user's functions may fail in any way
        reasons.append(f"raises {type(error).__name__}: {error}")
        return False
    if not is_numeric(value) or np.size(value) != 1:
        kind = f"has shape {np.shape(value)}" if is_numeric(value) else f"returns a {type(value).__name__}"
        reasons.append(f"{kind}, not one number")
        return False
    if not np.isfinite(np.asarray(value, dtype=float)).all():
        reasons.append("is not finite")
        return False
    return True


def _repeats(recording: Recording, backward: Backward) -> bool:
    try:
        stage = Stage(recording, backward, backward.moments[0])
        first, second = (stage.gradient()(stage.parameters) for _ in range(2))
    except Exception:  # noqa: BLE001 - code that cannot be replayed may fail in any way
        return False
    return all(same_values(first[name], second[name]) for name in backward.names)


# -- what else the script does ----------------------------------------------------------------------------------------


def _others(recording: Recording, overrides: Overrides, subjects: Sequence[Subject]) -> tuple[list[Subject], list[str]]:
    """Return what the script moves besides, by code that no optimizer calls, and what of it cannot be checked."""
    source = recording.source
    covered = _covered(recording)
    path = str(source.path)
    around = [place for handed in recording.recorder.handed for place in handed.around if place[0] == path]
    lines = {line for _, _, line in around}
    loops = {
        loop.name
        for loop in source.loops
        if (loop.function is not None and loop.function.name in covered)
        or any(loop.line <= line <= (loop.node.end_lineno or loop.line) for line in lines)
    }
    out = covered | loops | {name for _, name, _ in around}
    if not any(name not in out and recording.of(name) for name in units_of(source, None)):
        return [], []
    rest = replace(recording, calls=tuple(call for call in recording.calls if call.function not in out))
    try:
        found = understand(rest, overrides)
    except ScriptError as error:
        return [], [] if error.slug == "no-gradient" else [f"not checked: {error.message}"]
    chosen = [pair for subject in subjects for pair in subject.backward.pairs]
    bases = moved_bases(source)
    others, notes = list[Subject](), list[str]()
    for subject in found:
        own = other_parameters(subject.backward, chosen, bases)
        if len(own) == len(subject.backward.pairs) and (subject.agreement or loss_rank(subject.loss.name)):
            others.append(subject)
        elif own:
            shown = ", ".join(f"`{pair.slot.name}`" for pair in own)
            notes.append(f"not checked: {shown}, which `{subject.backward.function.name}` moves by itself")
    return others, notes


def _covered(recording: Recording) -> set[str]:
    """Return the functions that optimizers call, directly or not."""
    source = recording.source
    handed = [called for pair in recording.recorder.handed for called in (pair.objective, pair.derivative) if called]
    found = [function for called in handed if isinstance(function := own_function(source, called), Function)]
    return _reached(source, found)


def _reached(source: SourceFile, units: Sequence[Code]) -> set[str]:
    """Return the names of some units and of the functions that they call, directly or not."""
    found: set[str] = set()
    pending = list(units)
    while pending:
        unit = pending.pop()
        if unit.name not in found:
            found.add(unit.name)
            pending += [other for other in source.functions.values() if other.short_name in unit.calls]
    return found
