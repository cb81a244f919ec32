"""The way of a script, in this process: source, record, understand, check, diagnose, repair, report."""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from pathlib import Path

from gradcheck.errors import ScriptError
from gradcheck.script.check.parts import said_of_parts
from gradcheck.script.check.points import checked
from gradcheck.script.request import Request
from gradcheck.script.source.file import SourceFile
from gradcheck.script.understand.reading import run, understood
from gradcheck.session.causes import repaired
from gradcheck.session.curves import with_curves
from gradcheck.session.outcome import diagnosed, keeping, reported
from gradcheck.session.result import ScriptResult

# of the time limit, until a check ends with what is known
_SHARE_OF_CHECK = 0.9


def examine(request: Request) -> ScriptResult:
    """Examine a script; whatever is wrong with it ends up in the result.

    The script runs in this process, as ``__main__``; call this in a process of its own.
    """
    began = time.perf_counter()
    request = replace(request, deadline=time.monotonic() + _SHARE_OF_CHECK * request.seconds)
    source: SourceFile | None = None
    try:
        source = SourceFile.read(Path(request.path), request.content, request.call)
        recording = run(source, request)
        subjects = understood(recording, request)
        models = with_curves(checked(recording, subjects, request, keeping(subjects, request, began)), request)
        parts = said_of_parts(recording, models, request)
        results = [diagnosed(model, request, parts) for model in models]
        results = repaired(models, results, request, began)
        result = reported(results)
    except ScriptError as error:
        result = ScriptResult(request.path, error=error)
    except MemoryError:
        result = ScriptResult(request.path, error=ScriptError("ran out of memory", slug="memory"))
    except Exception as error:  # noqa: BLE001 - a mistake of ours must not look like one of the user's
        result = ScriptResult(request.path, error=internal_error(error))
    lines = () if source is None else tuple(source.lines)
    return replace(result, lines=lines, seconds=time.perf_counter() - began)


def internal_error(error: Exception) -> ScriptError:
    """Return what is said about a mistake of ours."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return ScriptError(
        f"gradcheck itself failed on this script ({type(error).__name__} in {place}: {error}); please report it, "
        "with the script if you can",
        slug="internal",
    )
