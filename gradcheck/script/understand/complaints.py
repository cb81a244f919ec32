"""What is told where a script was not understood: what was seen, and which flag or comment settles it."""

from __future__ import annotations

import ast
import builtins
import os
import shlex
import sys
from pathlib import Path

from gradcheck.errors import ScriptError
from gradcheck.script.record.run import Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.units import moved_bases, units_of
from gradcheck.script.request import Overrides
from gradcheck.script.source.beside import Neighbourhood
from gradcheck.script.source.callers import caller_of
from gradcheck.script.source.file import SourceFile, local_modules
from gradcheck.script.source.names import base_name, few, fold, loss_rank
from gradcheck.script.source.place import DOT
from gradcheck.script.source.syntax import Function, called_name, walk
from gradcheck.script.understand.loss_choice import Rejected

_SHOWN = 4


def no_gradient(recording: Recording, overrides: Overrides) -> ScriptError:
    """Say that no code was found that computes gradients."""
    source = recording.source
    named = next((f for n, f in source.functions.items() if overrides.backward in (n, f.short_name)), None)
    if overrides.backward and named is None:
        known = ", ".join(source.functions) or "none"
        text = f"the script has no function `{overrides.backward}` at module or class level; its functions: {known}"
        return ScriptError(text, slug="no-gradient")
    if named is not None and named.name not in recording.counts:
        return ScriptError(f"`{named.name}` was not called while the script ran", slug="no-gradient", line=named.line)
    if named is None and (uncalled := _uncalled(recording)):
        return _nothing_calls(recording, uncalled)
    return ScriptError(
        f"found no gradients: {_seen(recording)}. Looked for are numbers named after parameters (dW for W, grad_b for "
        "b) that a function returns or the code stores, and parameters that are moved step by step (w -= ...). Name "
        "the function with --backward NAME and its parameters, in the order of its results, with --params A,B, or with "
        "a comment in the script: # gradcheck: backward=NAME, params=A,B",
        slug="no-gradient",
    )


def _uncalled(recording: Recording) -> list[Function]:
    """Return the functions that may compute gradients, where none of them was called."""
    units = units_of(recording.source, None)
    if any(name in recording.counts for name in units):
        return []
    return [unit for unit in units.values() if isinstance(unit, Function) and unit.outer is None]


def _outermost(source: SourceFile, uncalled: list[Function]) -> list[Function]:
    """Return the functions that no other function calls: with a call of these, the others are called as well."""
    functions = source.functions.values()
    outermost = [f for f in uncalled if not any(f.short_name in other.calls for other in functions if other is not f)]
    return outermost or uncalled


def _nothing_calls(recording: Recording, uncalled: list[Function]) -> ScriptError:
    """Say that nothing calls the functions that may compute gradients, and which call would."""
    source = recording.source
    outermost = _outermost(source, uncalled)
    text = f"found no gradients: {_call_of(source, outermost)}"
    first = min(outermost, key=lambda function: len(_wanted(function)) > 0)
    module = _module_of(source, first)
    own = source.path if module is None else source.path.parent / module
    names = {_own_name(function) for function in uncalled}
    # files beside a module in another folder are called otherwise from here
    caller = caller_of(own, names) if own.parent == source.path.parent else None
    call, wanted = _example(source, first)
    if caller is not None:
        text += f". {caller.file} ({caller.place}) calls `{caller.function}`"
        text += "" if caller.to_type is None else f"; to check that call: {caller.to_type}"
        call, wanted = caller.call, sorted(caller.names - {*vars(recording.module), *vars(builtins)})
    given = f", with values for {', '.join(wanted)}" if wanted else ""
    begin = "; or to" if caller is not None and caller.to_type is not None else ". To"
    text += f"{begin} call it at the end of {'this script' if module is None else module}: "
    text += f"gradcheck run {shlex.quote(module or own.name)} --call {shlex.quote(call)}{given}"
    return ScriptError(text, slug="no-gradient", line=first.line)


def _call_of(source: SourceFile, outermost: list[Function]) -> str:
    """Say that functions were not called: by nothing, or by a line that was not reached."""
    inside = {id(node) for function in source.functions.values() for node in walk(function.node)}
    outside = [node for node in walk(source.tree) if isinstance(node, ast.Call) and id(node) not in inside]
    for function in outermost:
        for node in outside:
            if called_name(node) == function.short_name:
                return f"line {node.lineno} calls `{function.name}`, but it was not reached when the script ran"
    listed = ", ".join(f"`{function.name}`" for function in outermost[:_SHOWN])
    listed += " and others" if len(outermost) > _SHOWN else ""
    return f"nothing calls {listed}, which may compute {'them' if len(outermost) > 1 else 'some'}"


def _wanted(function: Function) -> list[str]:
    return [name for name in function.required_arguments if name not in ("self", "cls")]


def _own_name(function: Function) -> str:
    """Return the name that a function has in its own file."""
    return function.short_name.rpartition(DOT)[2]


def _example(source: SourceFile, function: Function) -> tuple[str, list[str]]:
    """Return a call of a function, and the names in it that somebody has to give values."""
    wanted = _wanted(function)
    call = f"{_own_name(function)}({', '.join(wanted)})"
    if function.owner is None:
        return call, wanted
    if function.decorators & {"staticmethod", "classmethod"}:
        return f"{function.owner}.{call}", wanted
    made = source.functions.get(f"{function.owner}.__init__")
    first = [] if made is None else _wanted(made)
    return f"{function.owner}({', '.join(first)}).{call}", list(dict.fromkeys([*first, *wanted]))


def _seen(recording: Recording) -> str:
    source = recording.source
    counts = {name: recording.counts[name] for name in source.functions if name in recording.counts}
    if counts:
        shown = [f"`{name}` ({count} {'call' if count == 1 else 'calls'})" for name, count in counts.items()]
        said = f"saw {', '.join(shown[:8])}{' and others' if len(shown) > 8 else ''}"
        return f"{said}; not looked into was {files}" if (files := _listed(_unseen(source), source)) else said
    places: dict[str, list[str]] = {}
    for name, function in source.functions.items():
        places.setdefault(_module_of(source, function) or "the script", []).append(f"`{name}`")
    if places:
        listed = [f"{place} defines {', '.join(names[:8])}" for place, names in list(places.items())[:_SHOWN]]
        said = f"{' and '.join(listed)}, but nothing calls {'it' if len(source.functions) == 1 else 'any of it'}"
    else:
        said = "the script defines no function at module or class level"
    known = {source.path, *(Path(part.path) for part in source.parts)}
    if files := _listed(local_modules(source.path) - known, source):
        said += (
            f"; not looked at was what it imports from {files}, as a module that takes all names of an installed one "
        )
        said += "(from ... import *) runs as it is"
    return said


def _unseen(source: SourceFile) -> set[Path]:
    """Return the files of the author that were imported from where nobody has looked for them."""
    around = Neighbourhood(source.path, source.tree)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    known = {source.path, *(Path(part.path) for part in source.parts)}
    return {path for file in files if file and (path := Path(file)) not in known and around.is_near(path)}


def _module_of(source: SourceFile, function: Function) -> str | None:
    """Return the file of the module beside the script in which a function stands; None for the script itself."""
    part = next((file.part for file in source.modules if file.part.start <= function.line <= file.part.end), None)
    return None if part is None else _beside(source, Path(part.path))


def _listed(files: set[Path], source: SourceFile) -> str:
    """Return the names of some files, and how many there are more; nothing where there is none."""
    names = sorted(_beside(source, path) for path in files)
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _beside(source: SourceFile, path: Path) -> str:
    return Path(os.path.relpath(path, source.path.parent)).as_posix()


def not_repeatable(functions: dict[str, Function]) -> ScriptError:
    """Say that a function does not return the same gradients twice."""
    name, function = next(iter(functions.items()))
    return ScriptError(
        f"`{name}` returns gradients, but called again with the same arguments, variables and random state it does "
        "not return the same twice: it depends on something that was not recorded (a random generator of its own, a "
        "file, the time)",
        slug="not-repeatable",
        line=function.line,
    )


def no_loss(source: SourceFile, backward: Backward, rejected: Rejected) -> ScriptError:
    """Say that no scalar was found that the gradients belong to, and what was tried."""
    function = backward.function
    if rejected.slug == "bad-input":
        return ScriptError(next(iter(rejected.grave.values())), slug=rejected.slug, line=function.line)
    # what only perhaps is a loss explains nothing where there is one of that name
    tried = [f"`{shown}` {reason}" for shown, reason in (rejected.grave or rejected.reasons).items()]
    listed = "; ".join(tried[:_SHOWN]) + (f"; and {len(tried) - _SHOWN} more" if len(tried) > _SHOWN else "")
    text = f"`{function.name}` {backward.kind.value} gradients of {few(backward.names)}, but "
    if rejected.slug == "no-loss" and (other := _derived(source, backward)) is not None:
        text = (
            f"`{function.name}` is, by its name, the derivative of `{other}`, and no step of the script moves "
            f"{backward.names[0]}; no loss was found that it belongs to{f' (tried: {listed})' if listed else ''}, and "
            "no gradient of another parameter. Name the function that returns the gradients of the parameters with "
            "--backward NAME and --params A,B, or the loss with --loss NAME, or with a comment in the script: "
            "# gradcheck: backward=NAME, params=A,B"
        )
    elif rejected.slug == "loss-not-finite":
        text += f"the loss is not finite: {listed}. Start from values at which it is"
    elif rejected.slug == "loss-not-scalar":
        text += f"the loss is not a scalar: {listed}. Reduce it with a mean or a sum, or name another: --loss NAME"
    else:
        text += f"no loss was found that they belong to{f' (tried: {listed})' if listed else ''}. "
        text += "Name it with --loss NAME, or with a comment in the script: # gradcheck: loss=NAME"
    return ScriptError(text, slug=rejected.slug, line=function.line)


def _derived(source: SourceFile, backward: Backward) -> str | None:
    """Return the function, an activation for instance, that another is called the derivative of; None for a gradient.

    What it is the derivative by is its only parameter, an argument, and nothing that the script moves.
    """
    function, moved = backward.function, moved_bases(source)
    if not isinstance(function, Function) or any(fold(base_name(name)) in moved for name in backward.names):
        return None
    if len(backward.pairs) != 1 or backward.names[0] not in function.arguments:
        return None
    own = fold(function.short_name)
    words = {fold(f.short_name): f.short_name for f in source.functions.values() if f is not function}
    found = [word for word in words if len(word) > 1 and word in own and not loss_rank(words[word])]
    return words[max(found, key=len)] if found else None


def several_objects(backward: Backward) -> ScriptError:
    """Say that a function is called with several values of its parameters, of which only the first could be checked."""
    function = backward.function
    where = f"`{backward.region.name}`" if isinstance(backward.region, Function) else backward.region.name
    return ScriptError(
        f"`{function.name}` is called several times in {where}, with other values of {few(backward.names)} (of "
        "several layers or nets, or moved in between); only the first call could be checked, so nothing is said. Check "
        "a function that returns all gradients at once, or a script that calls it once a step",
        slug="ambiguous",
        line=function.line,
    )
