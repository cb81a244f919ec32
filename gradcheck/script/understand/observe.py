"""What a stretch of code leaves behind: gradients that it stores, parameters that it moves; seen in a replay."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from gradcheck.numerics.arrays import FloatArray, same_values
from gradcheck.script.record.leaves import Leaf, Path, follow, is_object, leaves
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.record.wrapped import aligned, plain
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import Kind, Output
from gradcheck.script.replay.pairing import GradientMap, Slot, fits, slots
from gradcheck.script.replay.perturb import moved
from gradcheck.script.replay.region import Region, regions
from gradcheck.script.replay.stage import Stage
from gradcheck.script.replay.units import Unit, moved_base, moved_by
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import base_name, fold, is_gradient_word, loss_rank, parameter_of
from gradcheck.script.source.syntax import Function, Loop, assigned_names, flat_targets, walk
from gradcheck.script.source.updates import Motion, Update, hands_on, moves_in, updates_of
from gradcheck.script.understand.candidates import is_handed_nothing_computed
from gradcheck.script.understand.drivers import drivers, roles
from gradcheck.script.understand.left_over import without_left_over
from gradcheck.script.understand.losses import reached
from gradcheck.script.understand.motion import compared

# numbers beyond it are data, not parameters of a script that is checked within a minute
_MOST_LEAVES = 400
_LOOKED_AT = 3
# functions called and rounds begun in code that contains steps: what takes more is a whole training
_MOST_ENTRIES = 20_000
# kinds of arrays that hold more than whole numbers: those of objects may
_FRACTIONS = "fO"
# what a place lies in, from the innermost to the variable itself: the identities of the objects
Holders: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Sight:
    """What was seen at the end of a replay.

    Attributes
    ----------
    names : dict
        How the code calls the places that may hold parameters, by their number.
    kept : tuple of (Leaf, str)
        What it stores under names of gradients, with the variable that each lies in.
    holders : dict
        What the places lie in, by their number.
    kept_in : tuple of tuple of int
        What each of `kept` lies in.
    fresh : frozenset of str
        The names of those that were not there before, or with another value.
    changed : frozenset of int
        Numbers of the places whose contents have changed.
    floats : frozenset of int
        Numbers of those that do not hold whole numbers then.
    moves : dict
        By how much they have changed, by their number, in one dimension.
    """

    names: dict[int, str]
    kept: tuple[tuple[Leaf, str], ...]
    holders: dict[int, Holders]
    kept_in: tuple[Holders, ...]
    fresh: frozenset[str]
    changed: frozenset[int]
    floats: frozenset[int]
    moves: dict[int, FloatArray]
    variables: dict[str, Any]


def observed(recording: Recording, units: Mapping[str, Unit], read: frozenset[str]) -> Iterator[Backward]:
    """Return the stretches of code that store gradients, or that move parameters."""
    found: dict[str, list[Backward]] = {}
    steps: list[Loop] = []
    # the shortest first: what contains a whole training of rounds that move parameters is no step
    for name in sorted(units, key=lambda name: _length(units[name])):
        unit = units[name]
        found[name] = list(_of_unit(recording, unit, steps, read))
        if found[name] and isinstance(unit, Loop):
            steps.append(unit)
    yield from without_left_over([backward for name in units for backward in found[name]])


def _length(code: Unit) -> int:
    return (code.node.end_lineno or code.node.lineno) - code.node.lineno


def _of_unit(recording: Recording, unit: Unit, steps: Sequence[Loop], read: frozenset[str]) -> Iterator[Backward]:
    for region in regions(recording.source, unit) if isinstance(unit, Function) else [unit]:
        moments = recording.of(region.name)
        if not moments:
            continue
        most = _MOST_ENTRIES if _contains(recording.source, region, steps) else sys.maxsize
        found = list(_in_region(recording, Backward(unit, moments[0], (), (), region, moments), read, most))
        if found and region is not unit and is_handed_nothing_computed(recording, found[0]):
            # started further up, what else is moved there would follow the parameters
            own = recording.of(unit.name)
            found = list(_in_region(recording, Backward(unit, own[0], (), (), unit, own), read, most)) or found
        yield from found
        if found:
            break


def _contains(source: SourceFile, region: Region, steps: Sequence[Loop]) -> bool:
    """Whether some code has, or calls what has, one of the loops in it."""
    own = [region] if isinstance(region, Function | Loop) else []
    functions = [source.functions[name] for code in own for name in reached(source, code)]
    spans = [(code.node.lineno, code.node.end_lineno or code.node.lineno) for code in (*own, *functions)]
    return any(start < step.node.lineno <= end for step in steps for start, end in spans)


def _in_region(recording: Recording, blank: Backward, read: frozenset[str], most: int) -> Iterator[Backward]:
    places = [slot for slot in slots(blank.region, blank.moments[0], read) if slot.is_lasting]
    if len(places) > _MOST_LEAVES:
        places = [slot for slot in places if np.size(slot.leaf.value) > 1][:_MOST_LEAVES]
    try:
        sight = _look(recording, blank, places, most)
        for moment in blank.moments[1:_LOOKED_AT]:
            # a gradient that is zero by chance moves nothing
            later = _look(recording, replace(blank, moments=(moment,)), slots_again(places, moment), most)
            sight = replace(sight, changed=sight.changed | later.changed, floats=sight.floats | later.floats)
    except Exception:  # noqa: BLE001 - code that cannot be replayed from here may fail in any way
        return
    example = replace(_example(blank, sight.variables))
    blank = replace(blank, example=example, updates=moves_in(recording.source.tree))
    unmoved = _stepped_without_moving(blank, places, sight)
    moving = _with_unmoved(recording, blank, places, sight, unmoved)
    if left := _left_behind(places, sight, moving) - unmoved:
        moving = _with_unmoved(recording, blank, places, sight, unmoved | left)
    names = moving.unmoved
    kept = replace(blank, pairs=_kept(recording, blank, places, sight))
    moved_on = {pair.slot.name for pair in moving.pairs}
    stepped = names | {pair.slot.name for pair in kept.pairs if _is_fresh(pair, sight.fresh)} & moved_on
    if kept.pairs and (backward := _living(recording, kept, sight.fresh, stepped)) is not None:
        yield _named_alike(backward)
    if moving.pairs and (backward := _living(recording, moving, sight.fresh, names)) is not None:
        yield backward


def _with_unmoved(
    recording: Recording, blank: Backward, places: Sequence[Slot], sight: Sight, unmoved: frozenset[int]
) -> Backward:
    """Return what some code moves, with some places that it is to move, and does not."""
    if sight.changed:
        sight = replace(sight, changed=sight.changed | unmoved, floats=sight.floats | unmoved)
    names = frozenset(sight.names.get(number, places[number].name) for number in unmoved)
    return _moving(recording, replace(blank, pairs=_changed(recording, places, sight, unmoved), unmoved=names))


def _left_behind(places: Sequence[Slot], sight: Sight, moving: Backward) -> frozenset[int]:
    """Return the places that stand still, though what is beside them in two ways is moved: layer and kind of parameter.

    A bias of the same layer, and weights of the other layers, say that these weights are to be moved, too. Nothing of a
    layer that is kept as it is moves.
    """
    moved_on = [_position(pair.slot) for pair in moving.pairs]
    found = set()
    for number, slot in enumerate(places):
        own = _position(slot)
        if number in sight.changed or len(own) < 2 or np.asarray(slot.leaf.value).dtype.kind not in _FRACTIONS:
            continue
        ways = [
            [k for k, (a, b) in enumerate(zip(own, other, strict=True)) if a != b]
            for other in moved_on
            if len(other) == len(own)
        ]
        if len({way[0] for way in ways if len(way) == 1}) > 1:
            found.add(number)
    return frozenset(found)


def _position(slot: Slot) -> tuple[object, ...]:
    """Return the variable that a place lies in, and the steps to it."""
    return (slot.variable, *(step.key for step in slot.path))


def _stepped_without_moving(blank: Backward, places: Sequence[Slot], sight: Sight) -> frozenset[int]:
    """Return the places that each round steps, or is to step, from its text, and that have not moved: by zero, then."""
    always = [update for s in _unconditional(blank.function.node.body) for update in updates_of(s)]
    steps = {update.target for update in always if update.exact and not update.counts}
    meant = meant_to_move(blank.function)
    steps |= _stepped_alike(blank.function.node.body, {sight.names.get(n, places[n].name) for n in sight.changed})
    return frozenset(
        number
        for number, slot in enumerate(places)
        if number not in sight.changed
        and np.asarray(slot.leaf.value).dtype.kind in _FRACTIONS
        and {sight.names.get(number, ""), slot.name} & (steps | meant if _is_as_begun(slot) else steps)
    )


def _stepped_alike(body: Sequence[ast.stmt], moved: Set[str]) -> set[str]:
    """Return what is made anew of itself by a call, as what moves is: ``b = opt.step("b", b, db)``."""
    calls: dict[str, set[str]] = {}
    for statement in _unconditional(body):
        match statement:
            case ast.Assign([target], ast.Call(function)) if hands_on(statement):
                calls.setdefault(ast.unparse(function), set()).add(ast.unparse(target))
    return {name for names in calls.values() if names & moved for name in names}


def _is_as_begun(slot: Slot) -> bool:
    """Whether a place holds what a bias begins with: zeros, or an array of equal numbers. Data and settings do not."""
    value = np.asarray(plain(slot.leaf.value), dtype=float)
    return not np.any(value) if value.size == 1 else bool(np.ptp(value) == 0)


def meant_to_move(code: Function | Loop) -> set[str]:
    """Return what a function says it assigns, or hands back as it does what it moves, and never assigns to.

    Many declare what they only read, so this alone says little.
    """
    function = code if isinstance(code, Function) else code.function
    if function is None:
        return set()
    assigned = {
        part.id
        for node in walk(function.node)
        if isinstance(node, ast.Name | ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load)
        for part in walk(node)
        if isinstance(part, ast.Name)
    }
    declared = {n for s in walk(function.node) if isinstance(s, ast.Global | ast.Nonlocal) for n in s.names}
    handed_back: set[str] = set()
    for statement in function.returns:
        if isinstance(statement.value, ast.Tuple):
            names = {part.id for part in statement.value.elts if isinstance(part, ast.Name)}
            if names & assigned & set(function.arguments):
                handed_back |= names & set(function.arguments)
    return (declared | handed_back) - assigned


def _unconditional(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Return the statements of a body that run each time: those in its loops and contexts, and in no branch."""
    for statement in body:
        if isinstance(statement, ast.For | ast.With):
            yield from _unconditional(statement.body)
        elif isinstance(statement, ast.Assign | ast.AugAssign):
            yield statement
        elif any(isinstance(node, ast.Return | ast.Break | ast.Continue) for node in walk(statement)):
            return


def _moving(recording: Recording, backward: Backward) -> Backward:
    """Return the code without what it makes anew in each step, and without totals: what drives nothing.

    What no update names is kept if it is seen to be moved by small steps, or stands beside what is. What is stepped by
    nothing is kept if it drives the others.
    """
    found = roles(recording, backward) if backward.pairs else {}
    if not found:
        return replace(backward, pairs=tuple(pair for pair in backward.pairs if pair.update is not None))
    kept = drivers(found, backward.names)
    # a gradient may be the same at all parameters; what a step size moves is no total
    stepped = {p.slot.name for p in backward.pairs if p.update is not None and (p.update.steps or not p.update.adds)}
    kept |= {name for name in stepped if found[name].is_carried}
    kept |= {name for name in backward.unmoved if name in found and found[name].drives}
    pairs = [pair for pair in backward.pairs if pair.slot.name in kept]
    small = {_container(p.slot) for p in pairs if p.slot.path and found[p.slot.name].is_step}
    # what a call makes of itself goes on from where it was, however far
    steps = [s for s in backward.function.statements if isinstance(s, ast.Assign) and hands_on(s)]
    handed = {ast.unparse(step.targets[0]) for step in steps}
    stepped_pairs = tuple(
        pair
        for pair in pairs
        if pair.update is not None
        or found[pair.slot.name].is_step
        or _container(pair.slot) in small
        or pair.slot.name in backward.unmoved | handed
    )
    return replace(
        backward,
        pairs=stepped_pairs,
        driving=frozenset(name for name in kept if found[name].drives),
        remade=tuple(p for p in pairs if found[p.slot.name].drives and all(p is not other for other in stepped_pairs)),
    )


def _container(slot: Slot) -> object:
    """Return what a place is a member of, if that is a list, a tuple or a mapping; objects may hold anything."""
    is_member = slot.path and not slot.path[-1].attribute
    return (slot.variable, slot.is_argument, slot.path[:-1]) if is_member else slot.name


def slots_again(places: Sequence[Slot], moment: Call) -> list[Slot]:
    """Return the same places with what lay in them at another moment."""
    found = []
    for slot in places:
        value = slot.at(moment)
        found.append(replace(slot, leaf=replace(slot.leaf, value=value)) if _is_array(value) else slot)
    return found


def _is_array(value: Any) -> bool:
    """Whether numbers still make an array: a list of zeros may have become one of arrays of several shapes."""
    try:
        np.shape(value)
    except ValueError:
        return False
    return True


def _look(recording: Recording, blank: Backward, places: Sequence[Slot], most: int) -> Sight:
    stage = Stage(recording, blank, blank.moments[0])
    before = [np.array(plain(slot.leaf.value)) for slot in places]
    assigned = _assigned(recording.source, blank)
    first = blank.moments[0]
    roots = {**first.variables, **first.arguments}
    old = {
        leaf.name: np.array(plain(leaf.value))
        for name, value in roots.items()
        for leaf in leaves(name, value)
        if _looks_like_gradient(leaf.name)
    }

    around = blank.function.function if isinstance(blank.function, Loop) else blank.function
    own = () if around is None else around.arguments

    stepped = _stepped_by_name(recording.source, blank)

    def preference(variable: str, leaf: Leaf) -> int:
        """Return how late a name comes: after those that the code is handed, and those that stay what they are.

        The variable that takes the steps comes first: elsewhere, the same array may be kept as the best so far.
        """
        if not leaf.path and variable in stepped:
            return -1
        return 0 if variable in own else 2 if variable in assigned else 1

    def read(variables: dict[str, Any], _: Any) -> Sight:
        tokens: dict[object, int] = {}
        moves, floats, holders = {}, set[int](), dict[int, Holders]()
        for number, slot in enumerate(places):
            try:
                holder = follow(stage.root(slot, variables), slot.path[:-1]) if slot.path else None
                value = stage.now(slot, variables)
                now = plain(aligned(value, slot.leaf.value))
            except (AttributeError, IndexError, KeyError, TypeError):
                continue
            if not _is_array(value):
                continue
            holders[number] = _holders(stage.root(slot, variables), slot.path)
            tokens |= dict.fromkeys(_tokens(slot.variable, holder, slot.leaf, value), number)
            if np.shape(now) == before[number].shape and not np.array_equal(now, before[number], equal_nan=True):
                moves[number] = np.asarray(now - before[number], dtype=float).reshape(-1)
                if np.asarray(value).dtype.kind in _FRACTIONS:
                    floats.add(number)
        names, kept = _named(variables, tokens, preference)
        fresh = {leaf.name for leaf, _ in kept if leaf.name not in old or not _equal(old[leaf.name], leaf.value)}
        kept_in = tuple(_holders(variables[variable], leaf.path) for leaf, variable in kept)
        sets = frozenset(fresh), frozenset(moves), frozenset(floats)
        return Sight(names, kept, holders, kept_in, *sets, moves, variables)

    sight: Sight = stage.look(read, most)
    return sight


def _holders(root: object, path: Path) -> Holders:
    return tuple(id(follow(root, path[:depth])) for depth in reversed(range(len(path))))


def _named(
    variables: Mapping[str, Any], tokens: Mapping[object, int], preference: Callable[[str, Leaf], int]
) -> tuple[dict[int, str], tuple[tuple[Leaf, str], ...]]:
    names: dict[int, str] = {}
    ranks: dict[int, int] = {}
    kept: list[tuple[Leaf, str]] = []
    for variable, value in variables.items():
        if variable.startswith("__"):
            continue
        for leaf in leaves(variable, value):
            holder = follow(value, leaf.path[:-1]) if leaf.path else None
            number = next((tokens[t] for t in _tokens(variable, holder, leaf, leaf.value) if t in tokens), None)
            if number is not None and (number not in names or preference(variable, leaf) < ranks[number]):
                names[number], ranks[number] = leaf.name, preference(variable, leaf)
            if _looks_like_gradient(leaf.name):
                kept.append((replace(leaf, value=np.array(plain(leaf.value))), variable))
    return names, tuple(kept)


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=True)


def _assigned(source: SourceFile, blank: Backward) -> set[str]:
    """Return the variables that are no more than passing names: of loops, and of what the code itself assigns."""
    loops = {ast.unparse(part) for s in walk(source.tree) if isinstance(s, ast.For) for part in flat_targets(s.target)}
    own = [s for s in blank.function.statements if isinstance(s, ast.Assign)]
    return loops | {name for s in own for name in assigned_names(s)}


def _stepped_by_name(source: SourceFile, blank: Backward) -> set[str]:
    """Return the variables that the code moves by steps, and that are no passing names of something else."""
    steps = {update.target for update in moved_by(blank.function)}
    others = [
        s for s in blank.function.statements if isinstance(s, ast.Assign) and not any(True for _ in updates_of(s))
    ]
    loops = {ast.unparse(part) for s in walk(source.tree) if isinstance(s, ast.For) for part in flat_targets(s.target)}
    return steps - loops - {name for s in others for name in assigned_names(s)}


def _tokens(variable: str, holder: object, leaf: Leaf, value: object) -> Iterator[object]:
    """Return what tells that two ways lead to the same place: its holder and key, its variable, or itself."""
    yield (id(holder), str(leaf.path[-1].key)) if leaf.path else variable
    if is_object(value):
        yield id(value)


def _looks_like_gradient(name: str) -> bool:
    return bool(parameter_of(name)) or any(map(is_gradient_word, _parts(name)))


def _is_among_gradients(name: str) -> bool:
    """Whether something lies in what is called gradients: it may have the name of a parameter there."""
    return any(map(is_gradient_word, _parts(name)[:-1]))


def _parts(name: str) -> list[str]:
    return name.replace("]", "").replace("[", ".").split(".")


# -- gradients that are kept ------------------------------------------------------------------------------------------


def _kept(recording: Recording, blank: Backward, places: Sequence[Slot], sight: Sight) -> tuple[GradientMap, ...]:
    """Pair what is stored under the names of gradients with parameters."""
    updates = moves_in(recording.source.tree)
    # a sum of gradients is no parameter, if it has the name of one
    targets = {fold(base_name(u.target)) for u in updates if not _is_among_gradients(u.target)}
    found: dict[int, list[GradientMap]] = {}
    own = {update.target for update in moved_by(blank.function)}
    for (leaf, variable), holders in zip(sight.kept, sight.kept_in, strict=True):
        if _goes_on(recording.source, blank, base_name(leaf.name)):
            continue
        number, update = _parameter_for(leaf, holders, places, sight, blank.updates, own)
        if number is not None:
            output = Output(leaf, (leaf.name,), None, variable, Kind.KEPT)
            motion = _motion(sight.moves.get(number), leaf)
            pair = GradientMap(places[number], output, update, f"`{leaf.name}`, which it stores", motion)
            found.setdefault(number, []).append(pair.called(sight.names[number]))
    # what has the parameter's letters is its gradient; what it is moved by may be a step of an optimizer
    pairs = {n: min(several, key=lambda pair: pair.update is not None) for n, several in found.items()}
    # what is called a gradient is none's parameter, though other gradients are added up in it
    pairs = {n: p for n, p in pairs.items() if not any(map(is_gradient_word, _parts(p.slot.name)))} or pairs
    pairs = {n: p for n, p in pairs.items() if p.update is None or not _is_total(p.slot.name, [p.update])}
    moving = {n: p for n, p in pairs.items() if n in sight.changed or _base(p.slot.name) in targets}
    return tuple((moving or pairs).values())


def _named_alike(backward: Backward) -> Backward:
    """Return pairs under the code's own names if it knows all: ``self`` is one of several layers for a while only."""
    own = () if isinstance(backward.function, Loop) else backward.function.arguments
    known = [re.split(r"[.\[]", name)[0] in own for name in backward.names]
    if all(known) or not any(known):
        return backward
    ways = [pair.slot.variable + "".join(step.text for step in pair.slot.path) for pair in backward.pairs]
    pairs = tuple(pair.called(way) for pair, way in zip(backward.pairs, ways, strict=True))
    return replace(backward, pairs=pairs)


def _motion(change: FloatArray | None, gradient: Leaf) -> Motion:
    """Return how a parameter is moved with what is stored as its gradient, if that is done by then."""
    value = np.asarray(gradient.value, dtype=float).reshape(-1)
    return Motion() if change is None or change.size != value.size else compared(change, value)


def _goes_on(source: SourceFile, blank: Backward, base: str) -> bool:
    """Whether what a loop stores is used when the loop has ended, in a loop around it: a part of the gradient, then."""
    loop = blank.function
    if not isinstance(loop, Loop):
        return False
    lines = [u.line for u in blank.updates if any(base_name(source) == base for source in u.sources)]
    around = [other.node for other in source.loops if other is not loop and loop.node in walk(other.node)]
    own = range(loop.node.lineno, (loop.node.end_lineno or loop.node.lineno) + 1)
    return any(
        line not in own and node.lineno <= line <= (node.end_lineno or node.lineno) for line in lines for node in around
    ) and not any(line in own for line in lines)


def _parameter_for(
    leaf: Leaf, holders: Holders, places: Sequence[Slot], sight: Sight, updates: Sequence[Update], own: Set[str]
) -> tuple[int | None, Update | None]:
    """Return the place that a gradient's name belongs to: by its letters, then by the script's update.

    Of several, it is the one in the same object, and then the one that the same code moves, which is in `own`. An
    update of two things in one object (``p.value -= p.grad``) says nothing of what lies in two.
    """
    names = sight.names
    base = base_name(leaf.name)
    sources = [(u, [s for s in u.sources if base_name(s) == base and _ends_as(leaf, u.target, s)]) for u in updates]
    taken = [(u, own_sources) for u, own_sources in sources if own_sources]
    by_update = [(u.target, u) for u, _ in taken]
    apart = {id(u): [_apart(u.target, s) for s in own_sources] for u, own_sources in taken}
    holder = leaf.name[: len(leaf.name) - len(leaf.path[-1].text)] if leaf.path else ""
    wanted: list[tuple[str, Update | None]] = [*((name, None) for name in parameter_of(leaf.name)), *by_update]
    if leaf.path and not leaf.path[-1].attribute and is_gradient_word(base_name(holder)):
        wanted.append((f"[{leaf.path[-1].key!r}]", None))
    for name, update in wanted:
        fitting = [
            number
            for number, called in names.items()
            if called != leaf.name
            and _is_called(called, name)
            and np.size(leaf.value) == np.size(places[number].leaf.value)
            and fits(leaf.value, places[number].leaf.shape)
            and (update is None or any(_in_one(sight.holders[number], holders, a) for a in apart[id(update)]))
        ]
        fitting.sort(key=lambda number: (-_common(names[number], leaf.name), names[number] not in own))
        if fitting:
            return fitting[0], update
    return None, None


def _ends_as(leaf: Leaf, target: str, source: str) -> bool:
    """Whether a place may be what an update takes: ``x.data`` is not what ``W.data -= W.grad.data`` takes of ``W``.

    A variable that is called a gradient may stand for one that lies deeper: ``g.data``, where ``g = W.grad``.
    """
    common = _common(target, source)
    ways = _parts(source)[common:] if common else []
    variable, *own = _parts(leaf.name)
    return own[-len(ways) :] == ways if len(own) >= len(ways) else _looks_like_gradient(variable)


def _apart(target: str, source: str) -> tuple[int, int]:
    """Return how many steps lead to each from what two names have in common; zeros where that is nothing."""
    common = _common(target, source)
    return (len(_parts(target)) - common, len(_parts(source)) - common) if common else (0, 0)


def _in_one(parameter: Holders, gradient: Holders, apart: tuple[int, int]) -> bool:
    """Whether two places may lie in one object, so many steps away from it, as far as this is known."""
    one, other = apart
    return (
        not one
        or not other
        or one > len(parameter)
        or other > len(gradient)
        or parameter[one - 1] == gradient[other - 1]
    )


def _is_called(own: str, name: str) -> bool:
    if name.startswith("["):
        return own.endswith(name) and not is_gradient_word(base_name(own[: -len(name)]))
    if _base(own) == _base(name):
        return True
    base, _, index = base_name(own).partition("[")
    short, _, position = base_name(name).partition("[")
    return bool(index) and index == position and bool(short) and fold(base).startswith(fold(short))


def _base(name: str) -> str:
    return fold(base_name(name))


def _common(one: str, other: str) -> int:
    """Return how many steps two names have in common from the start: a layer's gradient belongs to its own weight."""
    count = 0
    for a, b in zip(_parts(one), _parts(other), strict=False):
        if a != b:
            break
        count += 1
    return count


# -- parameters that are moved ----------------------------------------------------------------------------------------


def _changed(recording: Recording, places: Sequence[Slot], sight: Sight, stood: Set[int]) -> tuple[GradientMap, ...]:
    """Return what was moved by a step, with the change as its gradient; what should have been, and `stood`, as well."""
    moves = moves_in(recording.source.tree)
    bases = {_base(name) for name in sight.names.values()}
    targets = {moved_base(update.target) for update in moves}
    # a step may be added under another name: for p, g in zip(params, grads): p -= rate * g
    aliased = any(target not in bases for target in targets)
    set_anew = _set_anew(recording.source)
    pairs = []
    for number in sorted(sight.changed):
        slot = places[number]
        name = sight.names.get(number, slot.name)
        own = [update for called in (name, slot.name) for update in moves if _moves(update, called)]
        is_named = own or (aliased and _base(name) not in set_anew)
        if _is_total(name, own):
            continue
        if (is_named or number in sight.moves or number in stood) and number in sight.floats and not loss_rank(name):
            leaf = replace(slot.leaf, name=name)
            output = Output(leaf, (name,), None, slot.variable, Kind.CHANGE)
            line = f"line {own[0].line}: " if own else ""
            seen = "it is to be moved" if number in stood else "it is moved"
            pairs.append(GradientMap(slot, output, own[0] if own else None, f"{line}{seen}").called(name))
    return tuple(pairs)


def _moves(update: Update, name: str) -> bool:
    """Whether an update moves what is called so: ``weights[i]`` may be ``weights[1]``, and ``weights[0]`` is not."""
    if moved_base(update.target) != moved_base(name):
        return False
    index = re.compile(r"\[\d+\]$")
    return not (index.search(update.target) and index.search(name)) or _base(update.target) == _base(name)


def _is_total(name: str, updates: Sequence[Update]) -> bool:
    """Whether something is called a gradient and only ever added to: gradients of several terms are summed up in it."""
    return bool(updates) and is_gradient_word(name) and all(update.adds for update in updates)


def _set_anew(source: SourceFile) -> set[str]:
    """Return the base names of what functions and loops give new values that are no steps from the old ones."""
    found: set[str] = set()
    for code in [*source.functions.values(), *source.loops]:
        if code.short_name != "__init__":
            for statement in code.statements:
                if isinstance(statement, ast.Assign) and not any(True for _ in updates_of(statement)):
                    targets = [part for target in statement.targets for part in flat_targets(target)]
                    found |= {_base(ast.unparse(t)) for t in targets if isinstance(t, ast.Name | ast.Attribute)}
    return found


# -- both -------------------------------------------------------------------------------------------------------------


def _living(
    recording: Recording, backward: Backward, fresh: frozenset[str], stepped: frozenset[str]
) -> Backward | None:
    """Return the backward with the gradients that follow the parameters; None if none does, or not twice the same.

    Beside these, a gradient that is the same everywhere is one, too, where the script steps by it.
    """
    # what was just made is no leftover, even where it is the same at all parameters
    made = {p.slot.name for p in backward.pairs if _is_fresh(p, fresh)}
    living: set[str] = set(made) if len(made) < len(backward.pairs) else set()
    for moment in backward.moments[:_LOOKED_AT]:
        try:
            stage = Stage(recording, backward, moment)
            first, second = (stage.gradient()(stage.parameters) for _ in range(2))
            if any(not same_values(first[name], second[name]) for name in backward.names):
                return None
            following = _following(stage, backward, first, 1e-2)
        except Exception:  # noqa: BLE001 - code that cannot be replayed from here may fail in any way
            return None
        if not following and not living:
            # a step of the sign of a gradient is another one only where that has changed its sign
            with suppress(Exception):
                following = _following(stage, backward, first, 1.0)
        living |= following
        if living:
            living |= {p.slot.name for p in backward.pairs if _is_moved_unevenly(p, first[p.slot.name])}
            living |= stepped & set(backward.names)
            # a step that is the same at all parameters may be a wrong one
            living |= {p.slot.name for p in backward.pairs if _is_step(p)}
            # what decides how others move is moved on, too, if by the same at all parameters
            living |= backward.driving - {p.slot.name for p in backward.pairs if p.update and p.update.counts}
    pairs = tuple(pair for pair in backward.pairs if pair.slot.name in living)
    return replace(backward, pairs=pairs) if pairs else None


def _following(stage: Stage, backward: Backward, first: Mapping[str, Any], size: float) -> set[str]:
    """Return whose gradients are other ones, where all parameters are moved by so much."""
    with moved(stage.parameters, backward.names, np.random.default_rng(0), size=size):
        elsewhere = stage.gradient()(stage.parameters)
    return {name for name in backward.names if not np.array_equal(first[name], elsewhere[name])}


def _is_fresh(pair: GradientMap, fresh: Set[str]) -> bool:
    return pair.output.kind is Kind.KEPT and pair.output.leaf.name in fresh


def _is_step(pair: GradientMap) -> bool:
    update = pair.update
    if update is None or pair.output.kind is not Kind.CHANGE:
        return False
    return update.exact and update.steps and not update.counts


def _is_moved_unevenly(pair: GradientMap, change: Any) -> bool:
    """Whether a step moves the entries of an array by different amounts: what decays or is counted moves as a whole."""
    own = pair.output.kind is Kind.CHANGE and pair.update is not None and not pair.update.counts
    return own and np.size(change) > 1 and bool(np.ptp(change) > 0)


def _example(blank: Backward, variables: dict[str, Any]) -> Call:
    """Return a call that shows the local variables at the end."""
    first = blank.moments[0]
    # an object under the name of an earlier one is made anew in each round
    local = {
        name: value
        for name, value in variables.items()
        if name not in first.variables or (is_object(value) and value is not first.variables[name])
    }
    return Call(blank.function.name, first.number, first.arguments, first.variables, first.random_state, None, local)
