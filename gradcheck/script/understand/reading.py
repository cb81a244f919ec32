"""The first steps of the way: run a script with an eye on its functions and loops, and understand what was seen."""

from __future__ import annotations

import ast
import math
import time
from collections.abc import Iterator
from dataclasses import replace

from gradcheck.errors import ScriptError
from gradcheck.script.record.answers import begin_input
from gradcheck.script.record.kernel import stand_in_for_kernel
from gradcheck.script.record.run import OutOfTime, Recording, record
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.units import forwards, moved_base, moved_bases, moved_by, recorded, returning, units_of
from gradcheck.script.request import RUNNING, Overrides, Request
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import base_name, fold, is_gradient_word
from gradcheck.script.source.syntax import Function, FunctionNode, own_statements, walk
from gradcheck.script.understand import optimized
from gradcheck.script.understand.layers import Layers, layers_in
from gradcheck.script.understand.losses import reached
from gradcheck.script.understand.subject import Subject
from gradcheck.script.understand.unchecked import Unchecked

# of the time limit; the rest is for understanding and checking
_SHARE_OF_RUN = 0.5
# what is left for checking when the search for loss and gradients ends
_SHARE_OF_CHECK = 0.2
# what is called no oftener is tried out, and trains nothing
_SOME_CALLS = 5


def run(source: SourceFile, request: Request) -> Recording:
    """Run a script, and keep the calls and rounds in which gradients may be computed."""
    request.tell(RUNNING)
    begin_input(source.path)
    stand_in_for_kernel(source)
    units = units_of(source, request.overrides.backward)
    seconds = min(_SHARE_OF_RUN * request.seconds, max(request.left, 0.0))
    wanted = request.overrides.backward
    # what is asked for is waited for
    awaited = {name for name, unit in units.items() if wanted in (None, name, unit.short_name)} or set(units)
    return record(source, request.argv, seconds, recorded(source, units), awaited, forwards(source, units))


def understood(recording: Recording, request: Request) -> tuple[Subject, ...]:
    """Find loss, gradients and parameters in a recording; there is one subject per model, and per layer by itself."""
    if recording.problem is not None and recording.problem.slug == "bad-setting":
        raise recording.problem  # what was asked for was not done
    request.tell("looking for its loss and gradients")
    most = max(request.left - _SHARE_OF_CHECK * request.seconds, 0.0)
    recording.recorder.deadline = time.monotonic() + most
    try:
        found = _understood(recording, request.overrides)
        notes = () if request.overrides.backward else tuple(_not_come_to(recording))
        return (replace(found[0], left_out=(*found[0].left_out, *notes)), *found[1:])
    except OutOfTime:
        raise ScriptError(
            "the time ran out while gradcheck was looking for the loss and the gradients of this script, which had "
            f"{most:.3g} of the {request.seconds:g} s; allow more with --timeout SECONDS, or name them: --loss NAME "
            "--backward NAME",
            slug="timeout",
        ) from None
    finally:
        recording.recorder.deadline = math.inf


def _not_come_to(recording: Recording) -> Iterator[str]:
    """Name what may compute gradients further down, where a script was stopped as it had shown nothing new for long."""
    source, counts = recording.source, recording.counts
    names = {name for line in recording.recorder.stopped_at for name in _named_below(source, line)}
    called = [function for function in source.functions.values() if function.short_name in names]
    below = {f.name for f in called} | {name for f in called for name in reached(source, f)}
    open_ = {name for name in returning(source, None) if name in below and name not in counts}
    inner = {name for one in open_ for name in reached(source, source.functions[one])}
    outermost = [name for name in source.functions if name in open_ - inner]
    if outermost:
        listed = ", ".join(f"`{name}`" for name in outermost[:_SOME_CALLS])
        listed += f" and {len(outermost) - _SOME_CALLS} more" if len(outermost) > _SOME_CALLS else ""
        yield (
            f"not checked: {listed}, to which the run did not come: the script was stopped in line "
            f"{recording.recorder.stopped_at[-1]}, where it had shown nothing new for a while; --backward NAME waits "
            "for one of them"
        )


def _named_below(source: SourceFile, line: int) -> set[str]:
    """Return what is called or handed on below a line in the function, or at the module's level, where it stands."""
    around = [f.node for f in source.functions.values() if f.node.lineno < line <= (f.node.end_lineno or 0)]
    if around:
        body = min(around, key=lambda node: (node.end_lineno or 0) - node.lineno).body
    else:
        parts = [range(module.part.start, module.part.end + 1) for module in source.modules]
        body = [s for s in source.tree.body if not any(s.lineno in lines for lines in parts)]
    below = [s for s in own_statements(body) if s.lineno > line]
    nodes = [node for s in below if not isinstance(s, FunctionNode | ast.ClassDef) for node in walk(s)]
    return {n.id if isinstance(n, ast.Name) else n.attr for n in nodes if isinstance(n, ast.Name | ast.Attribute)}


def _understood(recording: Recording, overrides: Overrides) -> tuple[Subject, ...]:
    try:
        return _with_layers(recording, optimized.understood(recording, overrides), overrides)
    except ScriptError as error:
        layers = layers_in(recording, overrides) if overrides.loss is None else None
        if layers is not None and layers.subjects:
            return _alone(recording, layers, error)
        if layers is not None and layers.doubts and error.slug == "no-gradient":
            name, reason = next(iter(layers.doubts.items()))
            text = f"{name} takes gradients back, but cannot be judged, {reason}"
            raise ScriptError(text, slug="ambiguous", line=recording.source.functions[name].line) from None
        # a script that broke off before its gradients explains itself better than what was not found then
        units = units_of(recording.source, overrides.backward)
        is_seen = any(call.function in units for call in recording.calls) and error.slug != "no-gradient"
        raise _explained(recording, error, reached=is_seen) from None


def _alone(recording: Recording, layers: Layers, error: ScriptError) -> tuple[Subject, ...]:
    """Return the layers of a script in which nothing else was understood; of a training, they are a part only."""
    first, *others = layers.subjects
    first = replace(first, left_out=(*first.left_out, *layers.notes()))
    moved = moved_bases(recording.source)
    pairs = [pair for subject in layers.subjects for pair in subject.backward.pairs]
    moves = any(pair.output.kind is Kind.CHANGE or fold(base_name(pair.slot.name)) in moved for pair in pairs)
    often = max(recording.counts[subject.backward.function.name] for subject in layers.subjects) > _SOME_CALLS
    stepped = _stepped(recording, layers)
    if often and (moves or stepped):
        reason = "no loss was found that its steps belong to, so that its layers were checked, each by itself"
        if error.slug == "ambiguous":
            reason = f"only its layers were checked, each by itself, as {error.message}"
        if stepped:
            reason += f"; not checked either: {', '.join(f'`{name}`' for name in stepped)}, which these move"
        first = replace(first, unchecked=(*first.unchecked, Unchecked("the training", (), reason)))
    return (first, *others)


def _stepped(recording: Recording, layers: Layers) -> list[str]:
    """Return what the classes of layers move by steps, as the script calls it: often by gradients that they keep.

    Of a layer whose first input is all zeros, for instance, no more than the gradient of this input can be seen.
    """
    source = recording.source
    backwards = [s.backward.function for s in layers.subjects if isinstance(s.backward.function, Function)]
    owners = {function.owner for function in backwards if function.owner is not None}
    own = [f for f in source.functions.values() if f.owner in owners and f.name in recording.counts]
    known = {pair.slot.name for subject in layers.subjects for pair in subject.backward.pairs}
    known |= {row.name for subject in layers.subjects for row in subject.unchecked}
    bases = {fold(base_name(name)) for name in known}
    return list(
        dict.fromkeys(
            f"{code.owner}.{update.target.removeprefix('self.')}"
            for code in own
            for update in moved_by(code)
            if update.exact and update.steps and update.target.startswith("self.")
            if not is_gradient_word(base_name(update.target)) and moved_base(update.target) not in bases
        )
    )


def _with_layers(recording: Recording, found: tuple[Subject, ...], overrides: Overrides) -> tuple[Subject, ...]:
    """Return subjects with the layers beside them, in a script that trains nothing.

    In a training, a layer is a part of the step, and the step is what is judged.
    """
    narrowed = overrides.loss or overrides.backward or overrides.params
    if narrowed or any(subject.backward.is_trained for subject in found):
        return found
    source = recording.source
    own = {s.backward.function.name for s in found}.union(*(reached(source, s.backward.function) for s in found))
    layers = layers_in(recording, overrides)
    more = [layer for layer in layers.subjects if layer.backward.function.name not in own]
    told = tuple(f"not checked: `{layer.backward.function.name}`," for layer in more)
    kept = (note for note in found[0].left_out if not told or not note.startswith(told))
    notes = layers.notes(own) if more else ()
    return (replace(found[0], left_out=(*kept, *notes)), *found[1:], *more)


def _explained(recording: Recording, error: ScriptError, *, reached: bool) -> ScriptError:
    """Return why a script was not understood: because of what it has raised, unless its gradients were seen."""
    problem, failures = recording.problem, recording.failures
    if not failures:
        return problem if problem is not None and not reached else error
    if reached:
        lines = ", ".join(f"line {failure.line}" for failure in failures)
        return ScriptError(f"{error.message}. Cells failed as well: {lines}", slug=error.slug, line=error.line)
    first, *more = failures
    others = f" (other cells failed as well: {', '.join(f'line {one.line}' for one in more)})" if more else ""
    where = f"no gradients were seen in the other cells{others}, and in this one "
    return ScriptError(f"{where}{first.message}", slug=first.slug, line=first.line)
