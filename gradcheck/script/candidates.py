"""The functions of a script that returned gradients, found from its text and from what was recorded."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.script.backward import Backward
from gradcheck.script.motion import motion_of, slot_value
from gradcheck.script.names import base_name, fold, is_gradient_word, parameter_of
from gradcheck.script.outputs import outputs, possible_labels
from gradcheck.script.pairing import GradientMap, map_gradients, pair_in_order, slots
from gradcheck.script.record import Recording
from gradcheck.script.region import regions
from gradcheck.script.replay import Stage
from gradcheck.script.source import SourceFile
from gradcheck.script.syntax import Function
from gradcheck.script.updates import updates_in

# calls per round, above which not every round can have just one
_OFTEN = 1.5


@dataclass(frozen=True)
class Overrides:
    """What the user said about his script.

    Attributes
    ----------
    loss, backward : str or None
        A variable, function or expression; a function.
    params : tuple of str
        Names of parameters, empty for all that were found.
    """

    loss: str | None = None
    backward: str | None = None
    params: tuple[str, ...] = ()


def gradient_functions(source: SourceFile, overrides: Overrides) -> set[str]:
    """Return the functions that, from their text, may return gradients: those that are worth recording."""
    stepped = {name for update in updates_in(source.tree) for name in update.sources}
    words = {fold(base_name(name)) for name in _all_names(source)}
    found = set()
    for name, function in source.functions.items():
        labels = possible_labels(source, function)
        stripped = {fold(p.partition("[")[0]) for label in labels for p in parameter_of(label)}
        named = any(is_gradient_word(word) for word in (function.short_name, *labels))
        if named or labels & stepped or stripped & words or overrides.backward in (name, function.short_name):
            found.add(name)
    return found


def _all_names(source: SourceFile) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Name(name) | ast.Attribute(_, name) | ast.arg(name) | ast.Constant(str(name)):
                yield name


def regions_of(source: SourceFile, functions: Iterable[str]) -> set[str]:
    """Return the names of everything that replays of some functions may start from."""
    return {region.name for name in functions for region in regions(source, source.functions[name])}


def find_backwards(recording: Recording, overrides: Overrides, unrepeatable: dict[str, Function]) -> Iterator[Backward]:
    """Return the functions that returned gradients, each with the best start of a replay.

    Those whose replays fail or differ are noted in `unrepeatable`.
    """
    source = recording.source
    updates, read = updates_in(source.tree), _read(source)
    for name, function in source.functions.items():
        calls = recording.of(name)
        if not calls or (overrides.backward and overrides.backward not in (name, function.short_name)):
            continue
        found = tuple(outputs(source, function, calls[0]))
        own = map_gradients(function, found, slots(function, calls[0], read), updates)
        names = {pair.output.leaf.path: pair.slot.name for pair in own}
        best: Backward | None = None
        for region in regions(source, function):
            moments = recording.of(region.name)
            if not moments:
                continue
            places = slots(region, moments[0], read)
            pairs = map_gradients(function, found, places, updates)
            known = {part for pair in pairs for part in (pair.slot.name, base_name(pair.slot.name))}
            if overrides.backward and not known.issuperset(overrides.params):
                pairs = pair_in_order(found, places, overrides.params) or pairs
            pairs = [
                replace(pair, motion=motion_of(recording, function, moments, pair)).called(
                    names.get(pair.output.leaf.path, pair.slot.name)
                )
                for pair in pairs
            ]
            backward = Backward(function, calls[0], found, tuple(pairs), region, moments, updates)
            # the first that works is kept, unless one further down sees more of the parameters
            if pairs and (best is None or len(pairs) > len(best.pairs)) and _replays(recording, backward):
                best = backward
            elif pairs and best is None:
                unrepeatable[name] = function
        if best is not None:
            yield replace(best, shared=_is_shared(recording, best, own))


def _is_shared(recording: Recording, backward: Backward, own: Sequence[GradientMap]) -> bool:
    """Whether a moment calls the function more than once, and its first two calls are for different parameters."""
    calls, name = recording.of(backward.function.name), backward.function.name
    often = recording.counts[name] > _OFTEN * recording.counts.get(backward.region.name, 0)
    if backward.region is backward.function or not often or len(calls) < 2:
        return False
    try:
        pairs = [[slot_value(call, pair.slot) for call in calls[:2]] for pair in own]
    except (AttributeError, IndexError, KeyError, TypeError):
        return True
    return any(not np.array_equal(one, other) for one, other in pairs)


def _read(source: SourceFile) -> frozenset[str]:
    return frozenset(name.split(".")[0] for f in source.functions.values() for name in f.names)


def _replays(recording: Recording, backward: Backward) -> bool:
    """Whether a replay reaches the backward function and gives the same gradients twice."""
    try:
        stage = Stage(recording, backward, backward.moments[0])
        first, second = (stage.gradient()(stage.parameters) for _ in range(2))
    except Exception:  # noqa: BLE001 - a round that cannot be replayed may fail in any way
        return False
    return all(np.array_equal(first[name], second[name], equal_nan=True) for name in backward.names)


def narrowed(found: Sequence[Backward], wanted: Sequence[str]) -> list[Backward]:
    """Return what is left with the parameters that the user wants, by their whole names or their last parts.

    Raises
    ------
    ScriptError
        If one of them was not found; nothing is left out silently.
    """
    if not wanted:
        return list(found)
    names = {name for backward in found for name in backward.names}
    missing = [name for name in wanted if name not in names | {base_name(n) for n in names}]
    if missing:
        raise ScriptError(
            f"no gradient of {_listed(missing)} was found (--params); there are gradients of {_listed(sorted(names))}",
            slug="no-gradient",
            line=found[0].function.line,
        )
    kept = [
        replace(b, pairs=tuple(p for p in b.pairs if p.slot.name in wanted or base_name(p.slot.name) in wanted))
        for b in found
    ]
    return [backward for backward in kept if backward.pairs]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
