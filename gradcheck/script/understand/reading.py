"""The first steps of the way: run a script with an eye on its functions and loops, and understand what was seen."""

from __future__ import annotations

from dataclasses import replace

from gradcheck.errors import ScriptError
from gradcheck.script.record.answers import rewind_input
from gradcheck.script.record.kernel import stand_in_for_kernel
from gradcheck.script.record.run import Recording, record
from gradcheck.script.replay.units import forwards, recorded, units_of
from gradcheck.script.request import Overrides, Request
from gradcheck.script.source.file import SourceFile
from gradcheck.script.understand import optimized
from gradcheck.script.understand.layers import layers_in
from gradcheck.script.understand.losses import reached
from gradcheck.script.understand.subject import Subject

# of the time limit; the rest is for understanding and checking
_SHARE_OF_RUN = 0.5


def run(source: SourceFile, request: Request) -> Recording:
    """Run a script, and keep the calls and rounds in which gradients may be computed."""
    request.tell("running it")
    rewind_input()
    stand_in_for_kernel(source)
    units = units_of(source, request.overrides.backward)
    seconds = _SHARE_OF_RUN * request.seconds
    return record(source, request.argv, seconds, recorded(source, units), set(units), forwards(source, units))


def understood(recording: Recording, request: Request) -> tuple[Subject, ...]:
    """Find loss, gradients and parameters in a recording; there is one subject per model, and per layer by itself."""
    overrides = request.overrides
    try:
        return _with_layers(recording, optimized.understood(recording, overrides), overrides)
    except ScriptError as error:
        if overrides.loss is None and (layers := layers_in(recording, overrides)):
            return layers
        # a script that broke off before its gradients explains itself better than what was not found then
        units = units_of(recording.source, overrides.backward)
        reached = any(call.function in units for call in recording.calls) and error.slug != "no-gradient"
        raise (recording.problem if recording.problem is not None and not reached else error) from None


def _with_layers(recording: Recording, found: tuple[Subject, ...], overrides: Overrides) -> tuple[Subject, ...]:
    """Return subjects with the layers beside them, in a script that trains nothing.

    In a training, a layer is a part of the step, and the step is what is judged.
    """
    narrowed = overrides.loss or overrides.backward or overrides.params
    if narrowed or any(subject.backward.is_trained for subject in found):
        return found
    source = recording.source
    own = {s.backward.function.name for s in found}.union(*(reached(source, s.backward.function) for s in found))
    layers = [layer for layer in layers_in(recording, overrides) if layer.backward.function.name not in own]
    told = tuple(f"not checked: `{layer.backward.function.name}`," for layer in layers)
    first = replace(found[0], left_out=tuple(note for note in found[0].left_out if not note.startswith(told)))
    return (first, *found[1:], *layers)
