"""The first steps of the way: run a script with an eye on its functions and loops, and understand what was seen."""

from __future__ import annotations

import math
import time

from gradcheck.errors import ScriptError
from gradcheck.script.record.answers import rewind_input
from gradcheck.script.record.kernel import stand_in_for_kernel
from gradcheck.script.record.run import OutOfTime, Recording, record
from gradcheck.script.replay.units import recorded, units_of
from gradcheck.script.request import RUNNING, Request
from gradcheck.script.source.file import SourceFile
from gradcheck.script.understand import optimized
from gradcheck.script.understand.subject import Subject

# of the time limit; the rest is for understanding and checking
_SHARE_OF_RUN = 0.5
# what is left for checking when the search for loss and gradients ends
_SHARE_OF_CHECK = 0.2


def run(source: SourceFile, request: Request) -> Recording:
    """Run a script, and keep the calls and rounds in which gradients may be computed."""
    request.tell(RUNNING)
    rewind_input()
    stand_in_for_kernel(source)
    units = units_of(source, request.overrides.backward)
    seconds = min(_SHARE_OF_RUN * request.seconds, max(request.left, 0.0))
    return record(source, request.argv, seconds, recorded(source, units), set(units))


def understood(recording: Recording, request: Request) -> tuple[Subject, ...]:
    """Find loss, gradients and parameters in a recording; there is one subject per model."""
    request.tell("looking for its loss and gradients")
    recording.recorder.deadline = time.monotonic() + request.left - _SHARE_OF_CHECK * request.seconds
    try:
        return optimized.understood(recording, request.overrides)
    except OutOfTime:
        raise ScriptError(
            "the time ran out while gradcheck was looking for the loss and the gradients of this script, whose steps "
            f"take long; allow more than {request.seconds:g} s with --timeout SECONDS, or name them: "
            "--loss NAME --backward NAME",
            slug="timeout",
        ) from None
    except ScriptError as error:
        # a script that broke off before its gradients explains itself better than what was not found then
        units = units_of(recording.source, request.overrides.backward)
        reached = any(call.function in units for call in recording.calls) and error.slug != "no-gradient"
        raise (recording.problem if recording.problem is not None and not reached else error) from None
    finally:
        recording.recorder.deadline = math.inf
