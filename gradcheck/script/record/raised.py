"""What is told of an exception of the user's code: in which line of his file, and what it may be about."""

from __future__ import annotations

import difflib
import inspect
import shlex
import traceback
import types
from collections.abc import Mapping
from typing import Any

from gradcheck.errors import ScriptError
from gradcheck.script.record.answers import unanswered
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.place import shown

_SHOWN = 12


def script_raised(error: BaseException, source: SourceFile) -> ScriptError:
    """Describe an exception of the user's code by its line in the user's file."""
    line = _line_of(error, source)
    if isinstance(error, MemoryError):
        return ScriptError("the script ran out of memory", slug="memory", line=line)
    asked = _asked(error, line)
    if asked is not None or (isinstance(error, EOFError) and line and "input" in source.lines[line - 1]):
        no_answer = f" (with an empty line in its place, it raised {_text(error)})" if asked is not None else ""
        return ScriptError(
            f"the script asks for input, and nothing (more) was piped in{no_answer}; pipe its answers: "
            f"{how_to_answer(source)}",
            slug="needs-input",
            line=asked or line,
        )
    return ScriptError(f"the script raised {_text(error)}", slug="script-raised", line=line)


def how_to_answer(source: SourceFile) -> str:
    """Return the command that gives a script its answers."""
    return f"printf 'first\\nsecond\\n' | gradcheck run {shlex.quote(source.path.name)}"


def _asked(error: BaseException, line: int | None) -> int | None:
    """Return the line of the question that an exception is about, as it was answered by an empty line."""
    lines = unanswered()
    # what `int` and `float` say of an empty text
    is_about_empty_text = isinstance(error, ValueError) and str(error).endswith("''")
    if isinstance(error, EOFError) or not lines or not (line in lines or is_about_empty_text):
        return None
    return line if line in lines else lines[-1]


def exited(error: SystemExit, source: SourceFile) -> ScriptError:
    """Describe how a script has ended itself."""
    code = 0 if error.code is None else error.code
    said = f"with exit code {code}" if isinstance(code, int) else f"and said: {code}"
    return ScriptError(f"the script ended itself {said}", slug="script-exited", line=_line_of(error, source))


def call_raised(error: BaseException, source: SourceFile, namespace: Mapping[str, Any]) -> ScriptError:
    """Describe an exception of what the user has asked to be run at the end of a script."""
    line = _line_of(error, source)
    if line is None or source.is_in_file(line):
        return script_raised(error, source)
    call = shown(source.lines[line - 1].strip())
    said = f"`{call}` was run at the end of the script, as was asked for, and raised {_text(error)}"
    if not isinstance(error, NameError):
        known = [name for name in _called(call, namespace) if isinstance(namespace[name], types.FunctionType)]
        heads = ", ".join(f"`{name}{_signature(namespace[name])}`" for name in known)
        return ScriptError(f"{said}{f'; the script defines {heads}' if heads else ''}", slug="bad-setting")
    own = [name for name, value in namespace.items() if not name.startswith("_") and not _is_module(value)]
    near = difflib.get_close_matches(str(error.name), own, 1)
    names = ", ".join(f"`{shown(name)}`" for name in own[:_SHOWN]) or "nothing"
    more = f" and {len(own) - _SHOWN} more" if len(own) > _SHOWN else ""
    meant = f"; did you mean `{near[0]}`?" if near else ""
    return ScriptError(f"{said}; the script defines {names}{more}{meant}", slug="bad-setting")


def _called(call: str, namespace: Mapping[str, Any]) -> list[str]:
    return [name for name in namespace if f"{name}(" in call]


def _signature(function: object) -> str:
    try:
        return str(inspect.signature(function))  # type: ignore[arg-type] # a function of the script
    except (TypeError, ValueError):
        return "(...)"


def _is_module(value: object) -> bool:
    return isinstance(value, types.ModuleType)


def _line_of(error: BaseException, source: SourceFile) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno for frame in frames if frame.filename == str(source.path)]
    return own[-1] if own else None


def _text(error: BaseException) -> str:
    """Return the last line of a traceback, made by the standard library because an exception's own text may fail."""
    return "".join(traceback.format_exception_only(error)).strip()
