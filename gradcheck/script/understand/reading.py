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
    if recording.problem is not None and recording.problem.slug == "bad-setting":
        raise recording.problem  # what was asked for was not done
    try:
        return optimized.understood(recording, request.overrides)
    except ScriptError as error:
        # a script that broke off before its gradients explains itself better than what was not found then
        units = units_of(recording.source, request.overrides.backward)
        reached = any(call.function in units for call in recording.calls) and error.slug != "no-gradient"
        raise _explained(recording, error, reached=reached) from None


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
