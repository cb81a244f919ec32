"""The functions of a script that returned gradients, found from its text and from what was recorded."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.numerics.arrays import same_values
from gradcheck.script.record.leaves import leaves
from gradcheck.script.record.run import Recording
from gradcheck.script.record.wrapped import plain
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import outputs
from gradcheck.script.replay.pairing import GradientMap, map_gradients, pair_in_order, slots
from gradcheck.script.replay.perturb import moved
from gradcheck.script.replay.region import regions
from gradcheck.script.replay.stage import Stage
from gradcheck.script.replay.units import moved_bases
from gradcheck.script.request import Overrides
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import base_name, fold
from gradcheck.script.source.syntax import Function, walk
from gradcheck.script.source.updates import updates_in
from gradcheck.script.understand.motion import motion_of, slot_value

# calls per round, above which not every round can have just one
_OFTEN = 1.5


def find_backwards(recording: Recording, overrides: Overrides, unrepeatable: dict[str, Function]) -> Iterator[Backward]:
    """Return the functions that returned gradients, each with the best start of a replay.

    Those whose replays fail or differ are noted in `unrepeatable`.
    """
    source = recording.source
    updates, read = updates_in(source.tree), read_variables(source)
    for name, function in source.functions.items():
        calls = recording.of(name)
        if not calls or (overrides.backward and overrides.backward not in (name, function.short_name)):
            continue
        found = tuple(outputs(source, function, calls[0]))
        own = map_gradients(function, found, slots(function, calls[0], read), updates, source.derivatives)
        names = {pair.output.leaf.path: pair.slot.name for pair in own}
        best: Backward | None = None
        trained = _trained_in(function)
        for region in regions(source, function):
            moments = recording.of(region.name)
            if not moments:
                continue
            places = slots(region, moments[0], read)
            pairs = map_gradients(function, found, places, updates, source.derivatives)
            known = {part for pair in pairs for part in (pair.slot.name, base_name(pair.slot.name))}
            if overrides.backward and not known.issuperset(overrides.params):
                pairs = pair_in_order(found, places, overrides.params) or pairs
            pairs = [
                replace(pair, motion=motion_of(recording, function, moments, pair)).called(
                    names.get(pair.output.leaf.path, pair.slot.name)
                )
                for pair in pairs
            ]
            # what is returned may be the parameters, as they are after a step or after a whole training
            pairs = [pair for pair in pairs if not pair.motion.is_value and pair.slot.name not in trained]
            backward = Backward(function, calls[0], found, tuple(pairs), region, moments, updates)
            backward = _without_totals(recording, backward)
            pairs = list(backward.pairs)
            # the first that works is kept, unless one further down sees more of the parameters
            if pairs and (best is None or _sees_more(recording, best, pairs)) and _replays(recording, backward):
                best = backward
            elif pairs and best is None:
                unrepeatable[name] = function
        if best is not None:
            if best.region is not function and len(own) == len(best.pairs):
                alone = replace(best, region=function, moments=calls, pairs=tuple(own))
                # started further up, what else is moved there would follow the parameters
                if is_handed_nothing_computed(recording, best) and _replays(recording, alone):
                    best = alone
            yield replace(best, shared=_is_shared(recording, best, own))


def _sees_more(recording: Recording, backward: Backward, pairs: Sequence[GradientMap]) -> bool:
    """Whether there are gradients of more parameters than a backward has: of what is not computed from these."""
    if len(pairs) <= len(backward.pairs):
        return False
    more = {pair.slot.name for pair in pairs}.difference(backward.names)
    followers = _followers(recording, backward)
    return followers is None or len(more - followers) > len(set(backward.names).difference(p.slot.name for p in pairs))


def is_handed_nothing_computed(recording: Recording, backward: Backward) -> bool:
    """Whether a function sees nothing that follows the parameters, but for what the script moves step by step."""
    changed = _followers(recording, backward)
    if changed is None:
        return False
    moved_on = moved_bases(recording.source)
    others = {
        name for name in changed.difference(backward.names) if not moved_on & set(map(fold, re.findall(r"\w+", name)))
    }
    # without a change of something else there is no reason to leave the place where the script itself starts
    return not others and bool(changed.difference(backward.names))


def _followers(recording: Recording, backward: Backward) -> set[str] | None:
    """Return what a function reads that is other when the parameters are; None where that cannot be replayed."""
    function = backward.function

    def read(variables: dict[str, Any], _: Any) -> dict[str, Any]:
        seen = {name for name in variables if name in function.arguments or name in function.names}
        found = [leaf for name in seen if not name.startswith("__") for leaf in leaves(name, variables[name])]
        return {leaf.name: np.array(plain(leaf.value)) for leaf in found}

    stage = Stage(recording, backward, backward.moments[0])
    try:
        before = stage.look_at_entry(stage.parameters, read)
        with moved(stage.parameters, backward.names, np.random.default_rng(0), size=1e-2):
            after = stage.look_at_entry(stage.parameters, read)
    except Exception:  # noqa: BLE001 - code that cannot be replayed from here may fail in any way
        return None
    same = {name for name in before if name in after and np.array_equal(before[name], after[name], equal_nan=True)}
    return set(before) - same


def _trained_in(function: Function) -> set[str]:
    """Return what a function moves in a loop of its own: what it returns for that is no gradient."""
    loops = [part for part in walk(function.node) if isinstance(part, ast.For | ast.While)]
    updates = [update for loop in loops for update in updates_in(loop) if not update.counts]
    return {update.target for update in updates}


def _without_totals(recording: Recording, backward: Backward) -> Backward:
    """Return the backward without numbers that just add up what is returned, and that nothing of it depends on."""
    totals = [p.slot.name for p in backward.pairs if p.slot.leaf.shape == () and p.is_bare and p.adds]
    kept = backward.pairs
    for name in totals:
        try:
            stage = Stage(recording, backward, backward.moments[0])
            before = stage.gradient()(stage.parameters)
            with moved(stage.parameters, [name], np.random.default_rng(0)):
                after = stage.gradient()(stage.parameters)
        except Exception:  # noqa: BLE001 - a round that cannot be replayed may fail in any way
            continue
        if all(np.array_equal(before[other], after[other], equal_nan=True) for other in backward.names):
            kept = tuple(pair for pair in kept if pair.slot.name != name)
    return replace(backward, pairs=kept)


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


def read_variables(source: SourceFile) -> frozenset[str]:
    """Return the names that functions of the script read."""
    return frozenset(name.split(".")[0] for f in source.functions.values() for name in f.names)


def _replays(recording: Recording, backward: Backward) -> bool:
    """Whether a replay reaches the backward function and gives the same gradients twice."""
    try:
        stage = Stage(recording, backward, backward.moments[0])
        first, second = (stage.gradient()(stage.parameters) for _ in range(2))
    except Exception:  # noqa: BLE001 - a round that cannot be replayed may fail in any way
        return False
    return all(same_values(first[name], second[name]) for name in backward.names)


def narrowed(found: Sequence[Backward], wanted: Sequence[str]) -> list[Backward]:
    """Return what is left with the parameters that the user wants, by their whole names or their last parts."""
    if not wanted:
        return list(found)
    kept = [
        replace(b, pairs=tuple(p for p in b.pairs if p.slot.name in wanted or base_name(p.slot.name) in wanted))
        for b in found
    ]
    return [backward for backward in kept if backward.pairs]


def missing(found: Sequence[Backward], wanted: Sequence[str]) -> list[str]:
    """Return which of the parameters that the user wants have no gradient."""
    names = {name for backward in found for name in backward.names}
    return [name for name in wanted if name not in names | {base_name(n) for n in names}]


def not_found(found: Sequence[Backward], names: Sequence[str]) -> ScriptError:
    """Return what is said about parameters without a gradient: nothing is left out silently."""
    known = sorted({name for backward in found for name in backward.names})
    return ScriptError(
        f"no gradient of {_listed(names)} was found (--params); there are gradients of {_listed(known)}",
        slug="no-gradient",
        line=found[0].function.line,
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
