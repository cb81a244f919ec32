"""The first steps of the way: run a script with an eye on its functions and loops, and understand what was seen."""

from __future__ import annotations

from gradcheck.errors import ScriptError
from gradcheck.script.record.answers import begin_input
from gradcheck.script.record.kernel import stand_in_for_kernel
from gradcheck.script.record.run import Recording, record
from gradcheck.script.replay.units import recorded, units_of
from gradcheck.script.request import Request
from gradcheck.script.source.file import SourceFile
from gradcheck.script.understand import optimized
from gradcheck.script.understand.subject import Subject

# of the time limit; the rest is for understanding and checking
_SHARE_OF_RUN = 0.5


def run(source: SourceFile, request: Request) -> Recording:
    """Run a script, and keep the calls and rounds in which gradients may be computed."""
    request.tell("running it")
    begin_input(source.path)
    stand_in_for_kernel(source)
    units = units_of(source, request.overrides.backward)
    return record(source, request.argv, _SHARE_OF_RUN * request.seconds, recorded(source, units), set(units))


def understood(recording: Recording, request: Request) -> tuple[Subject, ...]:
    """Find loss, gradients and parameters in a recording; there is one subject per model."""
    try:
        return optimized.understood(recording, request.overrides)
    except ScriptError as error:
        # a script that broke off before its gradients explains itself better than what was not found then
        units = units_of(recording.source, request.overrides.backward)
        reached = any(call.function in units for call in recording.calls) and error.slug != "no-gradient"
        raise (recording.problem if recording.problem is not None and not reached else error) from None
