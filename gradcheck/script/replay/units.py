"""The stretches of a script that may compute gradients or move parameters: what is recorded, and looked at closely."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gradcheck.script.record.instrument import can_be_replayed, has_rounds
from gradcheck.script.replay.outputs import possible_labels
from gradcheck.script.replay.region import regions
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import base_name, fold, is_gradient_word, parameter_of
from gradcheck.script.source.syntax import Function, Loop, assigned_names, walk
from gradcheck.script.source.updates import Update, hands_on, moves_in, updates_in, updates_of

Unit = Function | Loop


def units_of(source: SourceFile, backward: str | None) -> dict[str, Unit]:
    """Return the functions and loops that, from their text, may compute gradients, by name.

    These are functions that return something with the name of a gradient, whatever stores such a thing or moves
    something by a step, and what calls those.
    """
    own: list[Unit] = [f for f in source.functions.values() if can_be_replayed(f) and f.short_name != "__init__"]
    own += [loop for loop in source.loops if has_rounds(loop)]
    words = {fold(base_name(name)) for name in _all_names(source)}
    found = {unit.name for unit in own if _stores_gradients(unit, words) or any(moved_by(unit))}
    if not any(isinstance(unit, Loop) and any(moved_by(unit)) for unit in own):
        # the steps may be taken by something that is handed what it moves
        found |= {unit.name for unit in own if isinstance(unit, Loop) and any(map(hands_on, unit.statements))}
    found |= {name for name in returning(source, backward) if name in source.functions}
    grows = True
    while grows:
        called = {source.functions[name].short_name for name in found if name in source.functions}
        more = {unit.name for unit in own if unit.name not in found and unit.calls & called}
        grows = bool(more)
        found |= more
    return {unit.name: unit for unit in own if unit.name in found}


def returning(source: SourceFile, backward: str | None) -> set[str]:
    """Return the functions that, from their text, may return gradients."""
    stepped = {name for update in updates_in(source.tree) for name in update.sources}
    words = {fold(base_name(name)) for name in _all_names(source)}
    found = set()
    for name, function in source.functions.items():
        labels = possible_labels(source, function)
        stripped = {fold(p.partition("[")[0]) for label in labels for p in parameter_of(label)}
        named = any(is_gradient_word(word) for word in (function.short_name, *labels))
        named = named or function.short_name in source.derivatives
        if named or labels & stepped or stripped & words or backward in (name, function.short_name):
            found.add(name)
    return found


def recorded(source: SourceFile, units: dict[str, Unit]) -> set[str]:
    """Return the names of everything that replays of some units may start from."""
    functions = [unit for unit in units.values() if isinstance(unit, Function)]
    return {*units, *(region.name for function in functions for region in regions(source, function))}


def forwards(source: SourceFile, units: dict[str, Unit]) -> set[str]:
    """Return the functions whose results others may take back to their inputs, where a script has such others."""
    takes_back = any(isinstance(unit, Function) and is_gradient_word(unit.short_name) for unit in units.values())
    return {f.name for f in source.functions.values() if can_be_replayed(f)} if takes_back else set()


def moved_by(unit: Unit) -> Iterator[Update]:
    """Return what the statements of a unit move by a step that is no plain number."""
    for statement in unit.statements:
        for update in updates_of(statement):
            if not update.counts:
                yield update


def moved_bases(source: SourceFile) -> frozenset[str]:
    """Return the base names of what a script moves by a step that is more than a number."""
    return frozenset(moved_base(update.target) for update in moves_in(source.tree) if not update.counts)


def moved_base(target: str) -> str:
    """Return the base name of what an update moves, folded, without the indices of single entries."""
    while target.endswith("]") and not target.endswith(("']", '"]')):
        target = target[: target.rindex("[")]
    return fold(base_name(target))


def _stores_gradients(unit: Unit, words: set[str]) -> bool:
    for statement in unit.statements:
        if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign):
            for name in assigned_names(statement):
                base = base_name(name)
                if any(fold(parameter) in words for parameter in parameter_of(base)) or is_gradient_word(base):
                    return True
    return False


def _all_names(source: SourceFile) -> Iterator[str]:
    for node in walk(source.tree):
        match node:
            case ast.Name(name) | ast.Attribute(_, name) | ast.arg(name) | ast.Constant(str(name)):
                yield name
