"""Understands a script by the word of its optimizers: what one is handed as the derivative is one, whatever its name.

What else the script moves is looked for as in any other script.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.script.record.handed import Handed, Projection, Target
from gradcheck.script.record.instrument import HOOK, can_be_replayed
from gradcheck.script.record.leaves import Leaf, Step, follow, is_numeric
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import RESULT, Output, element
from gradcheck.script.replay.pairing import GradientMap, Slot
from gradcheck.script.replay.stage import LossExpression, Stage
from gradcheck.script.replay.units import moved_bases, units_of
from gradcheck.script.request import Overrides
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import base_name, loss_rank
from gradcheck.script.source.optimizers import KEYWORDS, OPTIMIZERS, PLACES
from gradcheck.script.source.syntax import Code, Function, called_name
from gradcheck.script.understand.scale import Scale
from gradcheck.script.understand.subject import Subject, understand
from gradcheck.script.understand.unchecked import other_parameters

_PLAIN = (int, float, str, bool, type(None))
# of the recorded calls of a derivative
_MOST_MOMENTS = 8


class _Refused(Exception):
    """A pair that cannot be checked; the text says why."""


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
    notes = (*refused, *unreached)
    if subjects and not are_compared:
        others, more = _others(recording, overrides, subjects)
        return _with_notes([*subjects, *others], (*notes, *more))
    # whoever only compares does not move anything by it: what the script does itself comes first
    try:
        found = understand(recording, overrides)
    except ScriptError as error:
        if subjects:
            return _with_notes(subjects, notes)
        if refused and error.slug in ("no-gradient", "no-loss"):
            raise ScriptError("; ".join(refused), slug="no-gradient") from None
        raise
    used = _reached(recording.source, [unit for s in found for unit in (s.backward.function, s.backward.region)])
    return _with_notes([*found, *(s for s in subjects if s.backward.function.name not in used)], notes)


def _with_notes(subjects: Sequence[Subject], notes: Sequence[str]) -> tuple[Subject, ...]:
    return (replace(subjects[0], left_out=(*subjects[0].left_out, *notes)), *subjects[1:])


def _unreached(recording: Recording) -> Iterator[str]:
    """Name the calls of optimizers with a derivative that the run did not come to."""
    source = recording.source
    own = {function.short_name for function in source.functions.values()}
    reached = {line for file, line in recording.recorder.handing_lines if file == str(source.path)}
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or (name := called_name(node)) not in OPTIMIZERS or name in own:
            continue
        given = [keyword.value for keyword in node.keywords if keyword.arg == KEYWORDS[name]]
        given += node.args[PLACES[name] : PLACES[name] + 1] if name in PLACES else []
        has_derivative = any(not isinstance(value, ast.Constant) or value.value is True for value in given)
        if has_derivative and not any(line in reached for line in range(node.lineno, (node.end_lineno or 0) + 1)):
            yield f"not checked: what `{name}` is handed in line {node.lineno}, as the run did not come to that call"


def _of_pairs(recording: Recording, overrides: Overrides) -> tuple[list[Subject], list[str], bool]:
    """Return a subject for each pair, why others have none, and whether all of them were only compared."""
    groups: dict[object, list[int]] = {}
    for number, handed in enumerate(recording.recorder.handed):
        groups.setdefault(handed.key, []).append(number)
    subjects: list[Subject] = []
    refused: list[str] = []
    compared: list[bool] = []
    for numbers in groups.values():
        handed = recording.recorder.handed[numbers[0]]
        function = _own_function(recording.source, handed.derivative)
        if isinstance(function, Function) and overrides.backward not in (None, function.name, function.short_name):
            continue
        if function is None:
            continue
        try:
            if isinstance(function, str):
                raise _Refused(function)
            subject = _Pair(recording, function, numbers).subject()
        except _Refused as reason:
            shown = _shown_name(handed.derivative)
            refused.append(f"not checked: `{shown}`, which `{handed.optimizer}` is handed as a derivative: {reason}")
            continue
        if (kept := _narrowed(subject, overrides.params)) is not None:
            subjects.append(kept)
            compared.append(handed.compares)
    return subjects, list(dict.fromkeys(refused)), all(compared)


def _narrowed(subject: Subject, wanted: Sequence[str]) -> Subject | None:
    """Return the subject with the parameters that the user wants."""
    kept = tuple(pair for pair in subject.backward.pairs if not wanted or _names(subject, pair) & set(wanted))
    return replace(subject, backward=replace(subject.backward, pairs=kept)) if kept else None


def _names(subject: Subject, pair: GradientMap) -> set[str]:
    """Return what the user may call a parameter: by the name of the function as well, where several have it."""
    name = pair.slot.name
    return {name, base_name(name), f"{subject.backward.function.name}.{name}"}


def _shown_name(called: Any) -> str:
    function = Target.of(called).function
    name = type(called).__name__ if function is None else function.__qualname__
    return name.replace("<locals>.", "")


def _own_function(source: SourceFile, called: Any) -> Function | str | None:
    """Return the script's function behind a callable; why it cannot be replayed; or None where it is not the user's."""
    code = Target.of(called).code
    if code is None:
        return None
    if code.co_filename != str(source.path):
        beside = source.path.parent in Path(code.co_filename).parents and "site-packages" not in code.co_filename
        place = f"{Path(code.co_filename).name}, line {code.co_firstlineno}"
        return f"it stands in {place}; only functions of the script itself are looked at" if beside else None
    function = source.functions.get(code.co_qualname)
    if function is None:
        is_lambda = code.co_name == "<lambda>"
        return f"it is a lambda inside of an expression, in line {code.co_firstlineno}; give it a name" * is_lambda or (
            f"`{code.co_qualname}` cannot be called by itself"
        )
    if not can_be_replayed(function):
        return "it has a decorator, or is no plain function"
    if function.line != code.co_firstlineno and not function.decorators:
        return f"`{function.name}` is defined again below, and only its last definition can be called again"
    return function


@dataclass(frozen=True)
class _Given:
    """What an argument is given: the point, what the optimizer hands on, or what was bound before.

    `token` tells arguments of the two calls apart that are handed the same, `value` what is bound.
    """

    token: object
    value: Any = None


class _Pair:
    """A derivative and its objective."""

    def __init__(self, recording: Recording, function: Function, numbers: Sequence[int]) -> None:
        self._recording, self._function, self._numbers = recording, function, numbers
        self._handed: Handed = recording.recorder.handed[numbers[0]]
        self._target = Target.of(self._handed.derivative)
        self._objective = Target.of(self._handed.objective)

    def subject(self) -> Subject:
        """Return what is to be checked."""
        moments = self._moments()
        if not moments:
            raise _Refused("it was not called")
        pairs = tuple(self._pairs(moments[0]))
        outputs = (pairs[0].output,)
        backward = Backward(self._function, moments[0], outputs, pairs, self._function, moments, handed=True)
        if not _repeats(self._recording, backward):
            raise _Refused("called again with the same arguments, it does not return the same")
        reasons: list[str] = []
        for loss in self._losses():
            kept = tuple(m for m in moments if self._is_usable(replace(backward, moments=(m,)), loss, reasons))
            if kept:
                backward = replace(backward, moments=kept)
                return Subject(backward, loss, Scale(), None, agreement=len(pairs))
        raise _Refused(f"its objective, `{self._shown}`, {reasons[0] if reasons else 'could not be called again'}")

    def _moments(self) -> tuple[Call, ...]:
        """Return the calls that the optimizer has made, if any of them was recorded.

        Of several times that it was handed the same pair, with other data perhaps, each has its turn.
        """
        calls, name = self._recording.of(self._function.name), self._function.name
        windows = [w for n in self._numbers for w in self._recording.recorder.handed[n].windows]
        own = [[c for c in calls if b.get(name, 0) < c.number <= a.get(name, 0)] for b, a in windows]
        in_turn = [call for turn in zip_longest(*own) for call in turn if call is not None]
        fitting = [_opened(call, self._function) for call in in_turn or calls]
        try:
            return tuple(call for call in fitting if all(self._shapes(call)))[:_MOST_MOMENTS]
        except (KeyError, IndexError, TypeError):
            return ()

    def _shapes(self, call: Call) -> Iterator[bool]:
        for variable, path in self._places():
            yield is_numeric(follow(call.arguments[variable], path))

    # -- parameters and gradients -------------------------------------------------------------------------------------

    def _arguments(self, target: Target) -> tuple[list[_Given], dict[str, _Given]]:
        """Return what one of the two functions is called with by the optimizer."""
        handed = self._handed
        given = [_Given(None, value) for value in target.bound]
        given += [_Given(("leading", i), value) for i, value in enumerate(handed.leading)]
        count = 1
        if handed.is_spread and handed.point is not None:
            count = np.size(handed.point)
        elif handed.is_spread:  # as many as the derivative takes
            count = len(self._function.arguments) - len(self._target.bound) - len(handed.leading)
        given += [_Given(("point", i)) for i in range(count)]
        given += [_Given(("args", i), value) for i, value in enumerate(handed.args)]
        keywords = {name: _Given(None, value) for name, value in target.keywords.items()}
        return given, keywords | {name: _Given(("keyword", name), v) for name, v in handed.keywords.items()}

    def _texts(self) -> dict[object, str]:
        """Return how the derivative's own code names what it is called with, by token and by identity."""
        found: dict[object, str] = {}
        for name, path, given in self._bound():
            text = name + "".join(step.text for step in path)
            if given.token is not None:
                found.setdefault(given.token, text)
            if not isinstance(given.value, _PLAIN):
                found.setdefault(id(given.value), text)
        return found

    def _bound(self) -> Iterator[tuple[str, tuple[Step, ...], _Given]]:
        """Return the derivative's arguments with what each is given."""
        positional, keywords = self._arguments(self._target)
        written = self._function.node.args
        names = [a.arg for a in (*written.posonlyargs, *written.args)]
        yield from ((name, (), given) for name, given in zip(names, positional, strict=False))
        if written.vararg is not None:
            rest = enumerate(positional[len(names) :])
            yield from ((written.vararg.arg, (Step(i, attribute=False),), given) for i, given in rest)
        elif len(positional) > len(names):
            raise _Refused("it is called with more arguments than it has")
        own = {*names, *(a.arg for a in written.kwonlyargs)}
        for name, given in keywords.items():
            if name in own:
                yield name, (), given
            elif written.kwarg is not None:
                yield written.kwarg.arg, (Step(name, attribute=False),), given

    def _places(self) -> list[tuple[str, tuple[Step, ...]]]:
        """Return the arguments that the parameters lie in."""
        points = [(name, path) for name, path, given in self._bound() if _is_point(given)]
        if not points:
            raise _Refused("it has no argument for the point")
        # `*p` is one parameter
        return points if all(not path for _, path in points) else [(points[0][0], ())]

    def _pairs(self, moment: Call) -> Iterator[GradientMap]:
        handed, places = self._handed, self._places()
        output = self._output(moment)
        leaves = []
        for variable, path in places:
            value = follow(moment.arguments[variable], path)
            leaves.append(Leaf(variable, path, value, replaceable=True))
        count = sum(leaf.size for leaf in leaves)
        evidence = f"being what `{handed.optimizer}` hands to `{self._function.short_name}`"
        for number, leaf in enumerate(leaves):
            entry = number if len(leaves) > 1 else None
            # of a single value, the derivative is the gradient already
            shape = _shape(output.leaf.value)
            has_several = handed.of_several and (entry is not None or np.prod(shape) != count)
            if has_several and (len(shape) != 2 or shape[0 if handed.by_parameter else 1] != count):
                wanted = f"({count}, number of values)" if handed.by_parameter else f"(number of values, {count})"
                raise _Refused(f"expected is a matrix of shape {wanted}, received is one of shape {shape}")
            projection = Projection(count, handed.by_parameter, entry) if has_several else None
            slot = Slot(leaf, leaf.name, is_argument=True)
            yield GradientMap(slot, output, None, evidence, project=projection)

    def _output(self, moment: Call) -> Output:
        path = (Step(1, attribute=False),) if self._handed.both else ()
        try:
            leaf = Leaf(RESULT + "".join(s.text for s in path), path, follow(moment.result, path), replaceable=False)
        except (TypeError, KeyError, IndexError):
            raise _Refused("it does not return a value and its derivative") from None
        returns = self._function.returns
        expression = element(returns[-1].value, leaf) if returns and returns[-1].value is not None else None
        label = f"{self._function.short_name}()"
        return Output(leaf, (label,), expression)

    # -- the objective ------------------------------------------------------------------------------------------------

    @property
    def _shown(self) -> str:
        return _shown_name(self._handed.objective)

    def _losses(self) -> Iterator[LossExpression]:
        """Return the ways to call the objective with what the derivative is called with, the plainest first."""
        function = _own_function(self._recording.source, self._handed.objective)
        texts = self._texts()
        line = function.line if isinstance(function, Function) else self._function.line
        name = self._shown
        if isinstance(function, Function) and (call := self._written(function, texts)) is not None:
            shown = self._value_shown(function, call)
            yield self._loss(call, shown, line, name)
        given, keywords = self._arguments(replace(self._objective, bound=(), keywords={}))
        arguments = [texts[g.token] for g in given if g.token in texts]
        arguments += [f"{key}={texts[g.token]}" for key, g in keywords.items() if g.token in texts]
        for number in self._numbers:
            call = f"{HOOK}.handed[{number}].objective({', '.join(arguments)})"
            yield self._loss(call, f"{name}({', '.join(arguments)})", line, name)

    def _loss(self, call: str, shown: str, line: int, name: str) -> LossExpression:
        text = f"{call}[0]" if self._handed.both else call
        text = f"{HOOK}.along({text})" if self._handed.of_several else text
        evidence = f"handed to `{self._handed.optimizer}` as the objective"
        return LossExpression(text, shown, line, name, evidence, at_entry=True)

    def _value_shown(self, function: Function, call: str) -> str:
        """Show a value by the variable in which it is returned, or by what a lambda consists of."""
        returned = function.returns[-1].value if function.returns else None
        if self._handed.both:
            is_pair = isinstance(returned, ast.Tuple) and len(returned.elts) > 1
            first = returned.elts[0] if is_pair and isinstance(returned, ast.Tuple) else None
            return ast.unparse(first) if isinstance(first, ast.Name) else f"{call}[0]"
        if function.short_name.startswith("lambda_in_line_") and returned is not None:
            return ast.unparse(returned)
        return call

    def _written(self, function: Function, texts: Mapping[object, str]) -> str | None:
        """Return the call of the objective as it could stand in the derivative; None where something has no name."""
        given, keywords = self._arguments(self._objective)
        callee: str | None
        if self._objective.is_method and "classmethod" not in function.decorators:
            holder = self._text_of(given[0], texts)
            callee = None if holder is None else f"{holder}.{function.short_name}"
            given = given[1:]
        elif self._objective.is_method:
            callee, given = function.name, given[1:]
        else:
            callee = function.short_name if function.owner is None else function.name
        arguments = [self._text_of(g, texts) for g in given]
        arguments += [None if (t := self._text_of(g, texts)) is None else f"{k}={t}" for k, g in keywords.items()]
        known = [argument for argument in arguments if argument is not None]
        return f"{callee}({', '.join(known)})" if callee is not None and len(known) == len(arguments) else None

    def _text_of(self, given: _Given, texts: Mapping[object, str]) -> str | None:
        if given.token is not None:
            return texts.get(given.token)
        if isinstance(given.value, _PLAIN):
            return repr(given.value)
        if (own := texts.get(id(given.value))) is not None:
            return own
        shadowed = set(self._function.arguments)
        variables = self._recording.module.__dict__.items()
        return next((n for n, v in variables if v is given.value and n not in shadowed), None)

    def _is_usable(self, backward: Backward, loss: LossExpression, reasons: list[str]) -> bool:
        """Whether the objective can be called at a moment, and is a finite number there."""
        stage = Stage(self._recording, backward, backward.moments[0])
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


def _shape(derivative: Any) -> tuple[int, ...]:
    # a sparse matrix is no array
    return tuple(derivative.shape) if hasattr(derivative, "shape") else np.shape(derivative)


def _is_point(given: _Given) -> bool:
    return isinstance(given.token, tuple) and given.token[0] == "point"


def _opened(call: Call, function: Function) -> Call:
    """Return a call in which the values of `*p` lie in a list, where each can be changed."""
    extra = function.node.args.vararg
    if extra is None or not isinstance(call.arguments.get(extra.arg), tuple):
        return call
    return replace(call, arguments={**call.arguments, extra.arg: list(call.arguments[extra.arg])})


def _repeats(recording: Recording, backward: Backward) -> bool:
    try:
        stage = Stage(recording, backward, backward.moments[0])
        first, second = (stage.gradient()(stage.parameters) for _ in range(2))
    except Exception:  # noqa: BLE001 - code that cannot be replayed may fail in any way
        return False
    return all(np.array_equal(first[name], second[name], equal_nan=True) for name in backward.names)


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
    handed = [called for pair in recording.recorder.handed for called in (pair.objective, pair.derivative)]
    found = [function for called in handed if isinstance(function := _own_function(source, called), Function)]
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
