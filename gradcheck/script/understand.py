"""From a recording to a subject: which function computes gradients, of which parameters, of which loss."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.result import CheckResult
from gradcheck.script.gradients import (
    Backward,
    map_gradients,
    outputs,
    pair_in_order,
    possible_labels,
    slots,
    updates_in,
)
from gradcheck.script.loss_choice import Rejected, choose_loss
from gradcheck.script.losses import loss_candidates, named_loss, unnamed_candidates
from gradcheck.script.names import base_name, fold, is_gradient_word, loss_rank, parameter_of
from gradcheck.script.record import Recording
from gradcheck.script.region import regions
from gradcheck.script.replay import LossExpression, Stage
from gradcheck.script.scale import Scale, agreeing, folded_scale
from gradcheck.script.source import Function, Loop, SourceFile


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


@dataclass(frozen=True)
class Subject:
    """What is checked.

    Attributes
    ----------
    backward : Backward
        The backward function, its recorded calls, and its gradients.
    loss : LossExpression
        The loss.
    scale : Scale
        What the gradients are multiplied by.
    forward : str or None
        The function that computes the prediction, for display.
    """

    backward: Backward
    loss: LossExpression
    scale: Scale
    forward: str | None

    @property
    def evidence(self) -> tuple[str, ...]:
        """How all this was seen, a sentence each."""
        function = self.backward.function
        return (
            f"backward: `{function.name}` in line {function.line}, replayed from {_where(self.backward)}",
            *(f"parameter: `{pair.slot.name}`, by {pair.evidence}" for pair in self.backward.pairs),
            f"loss: `{self.loss.shown}` in line {self.loss.line}, {self.loss.evidence}",
            *([f"scale: {self.scale.value:.6g}"] if self.scale.value != 1 else []),
        )


def _where(backward: Backward) -> str:
    if backward.region is backward.function:
        return "its own call"
    return backward.region.name if isinstance(backward.region, Loop) else f"the call of `{backward.region.name}`"


def gradient_functions(source: SourceFile, overrides: Overrides) -> set[str]:
    """Return the functions that, from their text, may return gradients: those that are worth recording."""
    stepped = {name for update in updates_in(source) for name in update.sources}
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


def understand(source: SourceFile, recording: Recording, overrides: Overrides) -> Subject:
    """Find the backward function, its parameters and the loss from what was observed.

    Raises
    ------
    ScriptError
        With slug ``no-gradient``, ``no-loss``, ``loss-not-scalar``, ``loss-not-finite`` or ``ambiguous``; the message
        says what was seen and which flag or comment settles it.
    """
    unrepeatable: dict[str, Function] = {}
    found = list(_backwards(source, recording, overrides, unrepeatable))
    if not found:
        raise _not_repeatable(unrepeatable) if unrepeatable else _no_gradient(source, recording, overrides)
    candidates = sorted(_narrowed(found, overrides.params), key=_rank, reverse=True)
    refused: list[tuple[Backward, Rejected]] = []
    subjects: list[Subject] = []
    for backward in candidates:
        if subjects and _rank(backward) < _rank(subjects[0].backward):
            break
        rejected = Rejected()
        subject = _subject(source, recording, backward, overrides, rejected)
        if subject is not None:
            subjects.append(subject)
        else:
            refused.append((backward, rejected))
    if not subjects:
        raise _no_loss(*refused[0])
    _refuse_ambiguity(source, subjects)
    return subjects[0]


def _rank(backward: Backward) -> tuple[int, bool]:
    return len(backward.pairs), is_gradient_word(backward.function.short_name)


def _backwards(
    source: SourceFile, recording: Recording, overrides: Overrides, unrepeatable: dict[str, Function]
) -> Iterator[Backward]:
    """Return the functions that returned gradients, each with the best start of a replay.

    Those whose replays fail or differ are noted in `unrepeatable`.
    """
    updates, read = updates_in(source), _read(source)
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
            pairs = [pair.called(names.get(pair.output.leaf.path, pair.slot.name)) for pair in pairs]
            if not pairs and overrides.backward:
                pairs = pair_in_order(found, places, overrides.params)
            backward = Backward(function, calls[0], found, tuple(pairs), region, moments, updates)
            # the first that works is kept, unless one further down sees more of the parameters
            if pairs and (best is None or len(pairs) > len(best.pairs)) and _replays(recording, backward):
                best = backward
            elif pairs and best is None:
                unrepeatable[name] = function
        if best is not None:
            yield best


def _narrowed(found: Sequence[Backward], wanted: Sequence[str]) -> list[Backward]:
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


def _subject(
    source: SourceFile, recording: Recording, backward: Backward, overrides: Overrides, rejected: Rejected
) -> Subject | None:
    if overrides.loss:
        choice = choose_loss(recording, backward, named_loss(source, backward, overrides.loss), rejected)
    else:
        choice = choose_loss(recording, backward, loss_candidates(source, backward), rejected)
        choice = choice or _unnamed_loss(source, recording, backward)
    if choice is None:
        return None
    loss, probes = choice
    return Subject(backward, loss, folded_scale(backward, probes), _forward(source, backward.function))


def _unnamed_loss(
    source: SourceFile, recording: Recording, backward: Backward
) -> tuple[LossExpression, list[CheckResult]] | None:
    """Return a function that depends on all parameters and has the gradient of at least one of them."""
    choice = choose_loss(recording, backward, unnamed_candidates(source, backward), Rejected())
    if choice is None or not agreeing(backward, folded_scale(backward, choice[1]).value, choice[1]):
        return None
    return choice


def _forward(source: SourceFile, function: Function) -> str | None:
    """Return the script's function that the backward function calls for its prediction, if it calls one."""
    for name, other in source.functions.items():
        word = other.short_name
        if word in function.calls and not is_gradient_word(word) and not loss_rank(word) and len(other.arguments) > 1:
            return name
    return None


def _refuse_ambiguity(source: SourceFile, subjects: Sequence[Subject]) -> None:
    first = subjects[0].backward
    rivals = [s.backward for s in subjects[1:] if set(s.backward.names) != set(first.names)]
    if rivals:
        shown = ", ".join(
            f"`{b.function.name}` in line {b.function.line} (of {', '.join(b.names)})" for b in [first, *rivals]
        )
        raise ScriptError(
            f"several functions return gradients: {shown}. Choose one with "
            f"{source.path.name}::{first.function.name} or --backward {first.function.name}",
            slug="ambiguous",
            line=first.function.line,
        )


def _not_repeatable(functions: dict[str, Function]) -> ScriptError:
    name, function = next(iter(functions.items()))
    return ScriptError(
        f"`{name}` returns gradients, but called again with the same arguments, variables and random state it does not "
        "return the same twice: it depends on something that was not recorded (a random generator of its own, a file, the "
        "time)",
        slug="not-repeatable",
        line=function.line,
    )


def _no_gradient(source: SourceFile, recording: Recording, overrides: Overrides) -> ScriptError:
    if overrides.backward:
        known = ", ".join(source.functions) or "none"
        function = next((f for n, f in source.functions.items() if overrides.backward in (n, f.short_name)), None)
        if function is None:
            return ScriptError(
                f"the script has no function `{overrides.backward}`; its functions: {known}", slug="no-gradient"
            )
        if function.name not in recording.counts:
            return ScriptError(
                f"`{function.name}` was not called while the script ran", slug="no-gradient", line=function.line
            )
    called = [f"`{name}` ({recording.counts[name]} calls)" for name in source.functions if name in recording.counts]
    seen = f"saw calls of {', '.join(called[:8])}" if called else "saw no call of a function of the script"
    return ScriptError(
        f"found no function that returns gradients: {seen}, and none of them returned numbers named after parameters "
        "(dW for W, grad_b for b). Name the function with --backward NAME and the parameters with --params A,B, or "
        "with a comment in the script: # gradcheck: backward=NAME, params=A,B, loss=NAME",
        slug="no-gradient",
    )


def _no_loss(backward: Backward, rejected: Rejected) -> ScriptError:
    function = backward.function
    listed = "; ".join(f"`{shown}` {reason}" for shown, reason in rejected.reasons.items())
    text = f"`{function.name}` returns gradients of {', '.join(backward.names)}, but "
    if rejected.slug == "loss-not-finite":
        text += f"the loss is not finite: {listed}. Start from values at which it is"
    elif rejected.slug == "loss-not-scalar":
        text += f"the loss is not a scalar: {listed}. Reduce it with a mean or a sum, or name another: --loss NAME"
    else:
        text += f"no loss was found that they belong to{f' (tried: {listed})' if listed else ''}. "
        text += "Name it with --loss NAME, or with a comment in the script: # gradcheck: loss=NAME"
    return ScriptError(text, slug=rejected.slug, line=function.line)
