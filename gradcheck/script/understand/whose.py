"""Whether a callable that an optimizer is handed is a function of the script, and how it is called there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradcheck.script.record.handed import Target
from gradcheck.script.record.instrument import can_be_replayed
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.syntax import Function


def shown_name(called: Any) -> str:
    """Return the name of a callable."""
    function = Target.of(called).function
    if function is None:
        return str(getattr(called, "__name__", type(called).__name__))
    if function.__name__ == "<lambda>":
        return f"lambda_in_line_{function.__code__.co_firstlineno}"
    return function.__qualname__.replace("<locals>.", "")


def own_function(source: SourceFile, called: Any) -> Function | str | None:
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
