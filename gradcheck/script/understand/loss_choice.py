"""Which of the possible losses is the one: tried at the recorded point, by dependence, name and agreement."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.script.record.leaves import is_numeric
from gradcheck.script.record.run import Call, OutOfTime, Recording, TooLongError
from gradcheck.script.replay.backward import Backward, has_places
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.replay.perturb import assign, moved, put_back
from gradcheck.script.replay.stage import LossExpression, Stage
from gradcheck.script.replay.units import moved_base
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import few, fold, loss_rank, parameter_of
from gradcheck.script.source.syntax import Function, Loop, loaded_names, onto_itself, walk
from gradcheck.script.understand.agreement import (
    Agreement,
    agreement,
    common_constant,
    common_ratio,
    enough_values,
    is_of_another_function,
    likeness,
)
from gradcheck.script.understand.decay import with_and_without_decay
from gradcheck.script.understand.depending import may_depend
from gradcheck.script.understand.in_turn import follows_in_turn
from gradcheck.script.understand.losses import is_per_sample
from gradcheck.script.understand.own_steps import with_own_steps
from gradcheck.script.understand.probing import Probe, Prober
from gradcheck.script.understand.rates import of_one_step_size, powers
from gradcheck.script.understand.scale import Scale, read_scale
from gradcheck.script.understand.shown_only import is_only_shown
from gradcheck.script.understand.step_size import has_momentum, of_one_factor

# moments that are tried for whether a loss depends on a parameter
_TRIED = 3
# that are looked at where a replay takes long
_FEW = 2
_RAISES, _NOT_SCALAR = "raises ", "loss-not-scalar"
# to judge what was seen until the time was over
_GRACE_SECONDS = 0.5
_SMALL_MOVE = 1e-3
# by what share of itself the value of what depends on nothing may change
_ROUND_OFF = 1e-14
# losses that are equal, and by how much gradients of other data point elsewhere
_SAME_LOSS, _OTHER_WAY = 1e-12, 1e-6
# parameters that have a factor in common by more than chance
_SEVERAL = 2
# cosine from which on a gradient is nearly that of a loss
_NEARLY = 0.95


@dataclass
class Rejected:
    """Why the losses that were tried do not do.

    Attributes
    ----------
    slug : str
        The gravest kind: ``no-loss``, ``loss-not-scalar``, ``loss-not-finite`` or ``bad-input``.
    grave : dict
        Those of the reasons that are of that kind.
    is_named : bool
        Whether the user has named the loss.
    foreign : list of LossExpression
        Those whose gradients are others.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    slug: str = "no-loss"
    grave: dict[str, str] = field(default_factory=dict)
    is_named: bool = False
    foreign: list[LossExpression] = field(default_factory=list)

    def add(self, loss: LossExpression, reason: str, slug: str | None = None) -> None:
        """Note why a loss does not do."""
        self.reasons[loss.shown] = reason
        # what is only perhaps a loss may be anything
        if slug is not None and (self.is_named or loss_rank(loss.name) > 1):
            self.grave = {**(self.grave if slug == self.slug else {}), loss.shown: reason}
            self.slug = slug


@dataclass(frozen=True)
class Choice:
    """A loss that may be the one, with the factor between its gradient and what the script has.

    Attributes
    ----------
    backward : Backward
        The code, with the parameters that the loss depends on.
    scale : Scale or None
        What the gradients are multiplied by; None if they seem to be no multiple of the gradient.
    seen : Agreement
        Which parameters' gradients agree, up to that factor.
    proportional : Agreement
        Which agree up to any one factor, be it wrong: such a loss is the one that was meant.
    aside : tuple of (GradientMap, str)
        Parameters that seem to follow another loss, or to be moved after others, with how that was seen.
    """

    backward: Backward
    loss: LossExpression
    scale: Scale | None
    seen: Agreement
    proportional: Agreement
    probes: tuple[Probe, ...] = ()
    aside: tuple[tuple[GradientMap, str], ...] = ()

    @classmethod
    def of(cls, backward: Backward, loss: LossExpression, probes: list[Probe]) -> Choice:
        """Find the factor, and what agrees with it."""
        scale = read_scale(backward, loss, probes)
        nothing = Agreement(frozenset(), frozenset(), len(backward.names))
        seen = nothing if scale is None else agreement(backward, scale.value, probes)
        return cls(backward, loss, scale, seen, common_constant(backward, probes)[1], tuple(probes))

    @property
    def is_of_no_known_size(self) -> bool:
        """Whether the steps are multiples of the gradient by a factor that nothing in the code explains."""
        return self.backward.kind is Kind.CHANGE and self.scale is not None and not self.scale.text

    @property
    def agreement(self) -> int:
        """For how many parameters the gradients agree."""
        return self.seen.count

    @property
    def evidence(self) -> tuple[bool, int, bool, bool, int]:
        """How much the numbers speak for it: is all explained, how much, by what the script shows, up to a factor.

        That several parameters have a factor in common is no chance, if it is none that the script shows.
        """
        plain = self.scale is not None and self.scale.constant == 1
        is_kin = enough_values(self.backward, self.probes)
        several = self.proportional.count if is_kin and self.proportional.count >= _SEVERAL else 0
        explained = self.seen.is_whole, self.agreement, plain and bool(self.agreement)
        return *explained, is_kin and self.proportional.is_whole, several

    @property
    def prior(self) -> tuple[int, bool]:
        """How much its name and place speak for it."""
        return loss_rank(self.loss.name), self.loss.near


def choose_loss(
    recording: Recording, backward: Backward, losses: Sequence[LossExpression], rejected: Rejected
) -> Choice | None:
    """Choose among the losses that depend on most parameters: by the numbers, and by names where these do not tell.

    A loss that explains the gradients of all parameters is taken, whatever it is called; then the one that explains
    most of them. Where none explains any, the loss is the one that is called so, or that is alone.

    Returns
    -------
    Choice or None
        None, with the reasons in `rejected`, where no loss does.
    """
    # in another object, of another depth perhaps, there may be no such places
    there = tuple(moment for moment in backward.moments if has_places(backward, moment))
    backward = replace(backward, moments=there or backward.moments)
    if backward.kind is Kind.CHANGE:
        # a step that is longer than another one would seem to be of a wrong gradient
        backward = replace(backward, moments=of_one_step_size(backward))
        backward = replace(backward, moments=of_one_factor(recording, backward))
    usable = dependences(recording, backward, losses, rejected)
    if not usable:
        return None
    most = max(len(names) for names, _ in usable)
    usable = [(names, loss) for names, loss in usable if len(names) == most]
    if backward.kind is Kind.CHANGE and has_momentum(recording, backward, usable[0][0]):
        # the first step is one of the gradient alone
        backward = replace(backward, moments=backward.moments[:1])
    groups = {
        names: _Group.of(recording, _depending(backward, names), [loss for own, loss in usable if own == [*names]])
        for names in dict.fromkeys(tuple(names) for names, _ in usable)
    }
    different: list[tuple[Backward, LossExpression, list[Probe]]] = []
    ways = [
        (group, way, loss) for names, loss in usable for group in [groups[tuple(names)]] for way in group.ways(loss)
    ]
    for group, way, loss in ways:
        try:
            probes = group.prober.probe(way, loss)
        except ScriptError as error:
            rejected.add(loss, error.message, error.slug if error.slug == "bad-input" else None)
            continue
        except OutOfTime:
            # what explains everything is taken, whatever else there may be
            if not any(Choice.of(*one).seen.is_whole for one in different):
                raise
            recording.recorder.deadline += _GRACE_SECONDS
            break
        if not any(_same_gradients(probes, others) for _, _, others in different):
            different.append((way, loss, probes))
    different = [choice for choice in different if _is_plausible(*choice, rejected)]
    choices = _wholes(recording.source, backward, [Choice.of(*one) for one in different])
    # which factor the number of samples makes is not left open where the steps have a size
    choices = [choice for choice in choices if not (is_per_sample(choice.loss) and choice.is_of_no_known_size)]
    # of all that may be a parameter, half have to speak for a loss that is not written down
    reached = {name for names, _ in usable for name in names}
    choices = [choice for choice in choices if not choice.loss.is_implied or 2 * _speaking(choice) >= len(reached)]
    if not choices:
        return None
    every = choices
    evidence = max(choice.evidence for choice in choices)
    choices = [choice for choice in choices if choice.evidence == evidence]
    if not evidence[1] and not evidence[3]:
        alone = len(choices) == 1
        choices = [c for c in choices if rejected.is_named or _is_supported(c, len(backward.names), alone=alone)]
        choices = [c for c in choices if rejected.is_named or _is_of_most(c, usable, rejected)]
        for choice in [c for c in choices if not rejected.is_named and is_only_shown(c.backward.function, c.loss)]:
            reason = "is of absolute errors, and no sign is in the code, which their slopes are: it may be shown only"
            rejected.add(choice.loss, reason)
            choices = [other for other in choices if other is not choice]
        choices = [
            choice
            for choice in choices
            if _is_of_the_same_data(recording, choice, rejected) and _is_of_the_same_noise(recording, choice, rejected)
        ]
        # what is defined and never called is no loss of this run where another is
        choices = [c for c in choices if not is_never_run(recording, c.loss)] or choices
        if not choices:
            return None
    prior = max(choice.prior for choice in choices)
    winners = [choice for choice in choices if choice.prior == prior]
    # what explains the same parameters leads to the same answer; what is not written down comes in the order of use
    disagree = len({choice.seen.names for choice in winners}) > 1 or not evidence[1]
    texts = {choice.loss.text for choice in winners}
    if disagree and len(texts) > 1 and not all(choice.loss.is_implied for choice in winners):
        raise _ambiguous(backward, [choice.loss for choice in winners])
    if disagree:
        # where some gradients are sums and others means, somebody has thought of the number of samples
        winners.sort(key=lambda choice: not is_per_sample(choice.loss))
        if winners[0].loss.over:
            winners.sort(key=_size_apart)
    return _without_followers_of_others(recording, winners[0], every)


@dataclass(frozen=True)
class _Group:
    """Losses that depend on the same parameters.

    Attributes
    ----------
    moments : dict
        By loss, those at which it is computed, and not left over from another.
    """

    source: SourceFile
    backward: Backward
    prober: Prober
    moments: dict[LossExpression, tuple[Call, ...]]

    @classmethod
    def of(cls, recording: Recording, backward: Backward, losses: Sequence[LossExpression]) -> _Group:
        """Find the moments of each."""
        prober = Prober(recording, backward, losses)
        moments: dict[LossExpression, tuple[Call, ...]] = dict.fromkeys(losses, ())
        for moment in backward.moments if prober.is_quick else backward.moments[:_FEW]:
            _, found = _look(recording, backward, losses, moment, backward.names, one_is_enough=True)
            left_out = _not_taken(recording, backward, losses, moment)
            for loss, names in zip(losses, found, strict=True):
                if names and loss not in left_out:
                    moments[loss] += (moment,)
        return cls(recording.source, backward, prober, moments)

    def ways(self, loss: LossExpression) -> list[Backward]:
        """Return the ways to read the gradients at the moments of a loss."""
        there = self.moments[loss] or self.backward.moments
        decaying = with_and_without_decay(replace(self.backward, moments=there), loss)
        return [way for one in decaying for way in with_own_steps(self.source, one)]


def _not_taken(
    recording: Recording, backward: Backward, losses: Sequence[LossExpression], moment: Call
) -> set[LossExpression]:
    """Return the inferred losses whose differences are taken in a branch that a moment does not run."""
    inside = {loss: branch for loss in losses if loss.is_implied and (branch := _branch(backward, loss.line))}
    if not inside:
        return set()
    try:
        lines = Stage(recording, backward, moment).lines_run()
    except Exception:  # noqa: BLE001 - a round that cannot be replayed may fail in any way
        return set()
    return {loss for loss, branch in inside.items() if not lines.intersection(branch)}


def _branch(backward: Backward, line: int) -> range | None:
    """Return the lines of the innermost branch that a line stands in, where a parameter is moved there, too."""
    found = None
    for statement in backward.function.statements:
        for body in (statement.body, statement.orelse) if isinstance(statement, ast.If) else ():
            lines = range(body[0].lineno, (body[-1].end_lineno or body[-1].lineno) + 1) if body else range(0)
            if line in lines and any(update.line in lines for update in backward.updates if update.steps):
                found = lines
    return found


def _size_apart(choice: Choice) -> float:
    """Return by what factor the size of the gradients differs from the numerical ones."""
    slopes = [one for probe in choice.probes for one in probe.parameters]
    here = float(np.linalg.norm(np.concatenate([one.analytic for one in slopes])))
    there = float(np.linalg.norm(np.concatenate([one.numerical for one in slopes])))
    scale = 1.0 if choice.scale is None else abs(choice.scale.value)
    return abs(math.log(here / (scale * there))) if here and there and scale else math.inf


def is_never_run(recording: Recording, loss: LossExpression) -> bool:
    """Whether a loss is the call of a function that the script defines, never calls, and hands to nothing."""
    own = [f for f in recording.source.functions.values() if f.short_name == loss.name]
    if not own or "(" not in loss.text or any(recording.counts.get(f.name) for f in own):
        return False
    nodes = walk(recording.source.tree)
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    values = (node for node in nodes if isinstance(node, ast.Name | ast.Attribute) and id(node) not in called)
    return not any(loss.name in (getattr(node, "id", ""), getattr(node, "attr", "")) for node in values)


def _speaking(choice: Choice) -> int:
    """Return how many parameters speak for a loss that is not written down."""
    both = max((choice.seen.names, choice.proportional.names), key=len)
    return len([pair for pair in choice.backward.pairs if pair.slot.name in both and not _proves_itself(choice, pair)])


def _proves_itself(choice: Choice, pair: GradientMap) -> bool:
    """Whether a step is the very difference that a loss is made of, with its own parameter in it.

    Times another parameter, it is the slope of a loss that has both of them in it.
    """
    backward, shown = choice.backward, choice.loss.shown
    known = [] if pair.update is None else [pair.update]
    own = {pair.slot.name, *(update.target for update in known)}
    others = {moved_base(p.slot.name) for p in backward.pairs} - {moved_base(pair.slot.name)}
    # there may be several, as in two branches
    for update in [*known, *(update for update in backward.updates if update.target in own)]:
        factors = [part for part, _ in powers(update.step, 1)]
        if any(others & set(map(moved_base, _mentioned(part))) for part in factors):
            continue
        for part in _parts(backward.function, update.step):
            if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub):
                left, right = ast.unparse(part.left), ast.unparse(part.right)
                is_loss = f"`{left} - {right}`" in shown or (f"`{left}`" in shown and f"`{right}`" in shown)
                if is_loss and moved_base(update.target) in map(moved_base, _mentioned(part)):
                    return True
    return False


def _parts(code: Function | Loop, step: ast.expr) -> Iterator[ast.expr]:
    """Return what a step is a product of, and what the code assigns to those of it that are names."""
    for part, _ in powers(step, 1):
        yield part
        if isinstance(part, ast.Name):
            yield from (s.value for s in code.assignments(part.id) if s.value is not None)


def _mentioned(expression: ast.expr) -> set[str]:
    nodes = walk(expression)
    return {ast.unparse(node) for node in nodes if isinstance(node, ast.Name | ast.Attribute | ast.Subscript)}


def _without_followers_of_others(recording: Recording, choice: Choice, every: Sequence[Choice]) -> Choice:
    """Return a choice without the parameters that another loss or moment nearly explains, and this one does not.

    Two models that are trained in turn have a loss each, and the second sees what the first has just moved. Parameters
    of one model may be moved one after the other, too, each along the gradient at the new values of those before it.
    """
    aside = []
    scale = 1.0 if choice.scale is None else choice.scale.value
    way = math.copysign(1.0, scale)
    losses = [choice.loss, *(other.loss for other in every if other.loss.text != choice.loss.text)]
    for pair in choice.backward.pairs:
        name = pair.slot.name
        if not choice.seen.names or name in choice.seen.names | choice.seen.silent:
            continue
        turn = follows_in_turn(recording, choice.backward, pair, losses, scale)
        if turn is not None:
            aside.append((pair, f"it is moved after others, along the gradient of `{turn.shown}` at their new values"))
            continue
        others = [o for o in every if o.loss.name != choice.loss.name and name in o.backward.names]
        likest = max(others, key=lambda o: way * likeness(name, o.probes), default=None)
        if likest is not None and way * likeness(name, likest.probes) > _NEARLY > way * likeness(name, choice.probes):
            aside.append((pair, f"its steps are nearly, but not quite, along the gradient of `{likest.loss.shown}`"))
    if not aside:
        return choice
    left = tuple(pair for pair in choice.backward.pairs if all(pair is not other for other, _ in aside))
    seen = Agreement(choice.seen.names, choice.seen.silent, len(left))
    beside = (*choice.backward.beside, *(pair for pair, _ in aside))
    return replace(choice, backward=replace(choice.backward, pairs=left, beside=beside), seen=seen, aside=tuple(aside))


def _is_supported(choice: Choice, parameters: int, *, alone: bool) -> bool:
    """Whether a loss that agrees with no gradient may be the one: it is called so, or is the only one of the step."""
    function = choice.backward.function.short_name
    # a function that is called ``df`` says what it is the derivative of
    if loss_rank(choice.loss.name) > 1 or fold(choice.loss.name) in map(fold, parameter_of(function)):
        return True
    written = loss_rank(choice.loss.name) > 0 and "(" not in choice.loss.text
    return alone and written and choice.loss.near and len(choice.backward.names) == parameters


def _is_of_most(choice: Choice, usable: Sequence[tuple[list[str], LossExpression]], rejected: Rejected) -> bool:
    """Whether a loss that agrees with no gradient at least depends on half of the parameters."""
    on = max((names for names, loss in usable if loss is choice.loss), key=len, default=[])
    if 2 * len(on) >= len(choice.backward.names):
        return True
    rejected.add(choice.loss, f"depends on {', '.join(on)} only")
    return False


def _is_of_the_same_data(recording: Recording, choice: Choice, rejected: Rejected) -> bool:
    """Whether a loss changes from one moment to the next, at the same parameters, if the gradients do.

    Gradients of a batch are not those of a loss of all data, and nothing can be said about them by it.
    """
    backward, loss = choice.backward, choice.loss
    if len(backward.moments) < 2:
        return True
    try:
        values: dict[str, np.ndarray] = {}
        seen = []
        for moment in backward.moments[:2]:
            # one after the other: a stage takes the module's variables as they were at its moment
            stage = Stage(recording, backward, moment)
            with put_back(stage.parameters, backward.names) as own:
                values = values or own
                for name, value in values.items():
                    assign(stage.parameters, name, value)
                gradients = stage.gradient()(stage.parameters)
                flat = np.concatenate([np.ravel(gradients[name]) for name in backward.names])
                seen.append((float(np.asarray(stage.loss(loss)(stage.parameters)).reshape(-1)[0]), flat))
    except Exception:  # noqa: BLE001 - the user's functions may raise anything
        return True
    (one, here), (other, there) = seen
    size = float(np.linalg.norm(here) * np.linalg.norm(there))
    if math.isclose(one, other, rel_tol=_SAME_LOSS) and size > 0 and abs(float(here @ there)) < (1 - _OTHER_WAY) * size:
        rejected.add(loss, "stays the same from step to step while the gradients change: it is of other data")
        return False
    return True


def _is_of_the_same_noise(recording: Recording, choice: Choice, rejected: Rejected) -> bool:
    """Whether a loss that has to be computed anew has the same value again: its noise is that of the step, then."""
    loss = choice.loss
    stage = Stage(recording, choice.backward, choice.backward.moments[0])
    try:
        one, other = stage.loss(replace(loss, text=f"({loss.text}), ({loss.text})"))(stage.parameters)
        # what is never the same twice, whatever is put back, is left to the check, which says so
        again = stage.loss(loss)(stage.parameters)
        same = np.array_equal(one, other, equal_nan=True) or not np.array_equal(one, again, equal_nan=True)
    except Exception:  # noqa: BLE001 - the user's functions may raise anything
        return True
    if not same:
        rejected.add(loss, "is random, and has other noise when it is computed anew")
    return same


def _depending(backward: Backward, names: Sequence[str]) -> Backward:
    """Return the backward without what is moved like a parameter, but is none: the state of an optimizer, a counter."""
    if backward.kind is Kind.RETURNED:
        return backward
    return replace(backward, pairs=tuple(pair for pair in backward.pairs if pair.slot.name in names))


def _is_plausible(backward: Backward, loss: LossExpression, probes: list[Probe], rejected: Rejected) -> bool:
    """Whether a loss may be the one that the gradients belong to; the reason is noted where it cannot."""
    if is_of_another_function(backward, probes):
        rejected.add(loss, "has gradients that are proportional at each point, but by a factor that changes")
        return False
    if not loss.near and not common_ratio(backward, probes):
        rejected.add(loss, "agrees with none of the gradients, up to a factor")
        rejected.foreign.append(loss)
        return False
    return True


def _wholes(source: SourceFile, backward: Backward, choices: list[Choice]) -> list[Choice]:
    """Drop a variable that is only a part of another choice, as ``data_loss`` is of ``loss``."""
    own = [{choice.loss.shown, choice.loss.text} for choice in choices]
    # a total is made of its own last value
    parts = {name for names in own for name in backward.function.feeds(names) - names}
    totals = {text for names in own for text in names}
    parts |= {name for code in _around(source, choices) for name in _terms(code, totals)}
    sums = [step for s in backward.function.statements if (step := onto_itself(s)) is not None]
    parts |= {ast.unparse(step.value) for step in sums if ast.unparse(step.target) in totals}
    # what is returned may be made of a variable that is called the same
    texts = {choice.loss.text for choice in choices}
    returned = [o.expression for o in backward.outputs if o.leaf.name in texts and o.expression is not None]
    inner = {name for expression in returned for name in loaded_names(expression)}
    return [c for c in choices if c.loss.shown not in parts and c.loss.text not in inner] or choices


def _terms(code: Function, names: set[str]) -> Iterator[str]:
    """Return what some names are the plain sums of, where code gives them their values."""
    for name in names:
        for statement in code.assignments(name) if name.isidentifier() else ():
            terms = [] if statement.value is None else [statement.value]
            while terms:
                term = terms.pop()
                if isinstance(term, ast.BinOp) and isinstance(term.op, ast.Add):
                    terms += [term.left, term.right]
                elif term is not statement.value:
                    yield ast.unparse(term)


def _around(source: SourceFile, choices: Sequence[Choice]) -> list[Function]:
    """Return the functions in which losses are computed, where that is around what computes the gradients."""
    lines = {choice.loss.line for choice in choices if not choice.loss.is_implied}
    return [f for f in source.functions.values() if any(f.line < line <= (f.node.end_lineno or 0) for line in lines)]


def dependences(
    recording: Recording, backward: Backward, losses: Sequence[LossExpression], rejected: Rejected
) -> list[tuple[list[str], LossExpression]]:
    """Return the parameters that each loss depends on, with the loss; why a loss is none is noted.

    All of them are evaluated in the same few replays.
    """
    named = rejected.is_named
    reasons, found = _look(recording, backward, losses, backward.moments[0], backward.names, is_named=named)
    for moment in backward.moments[1:_TRIED]:
        # what is filled by the first round is empty before it, and data may be zero at the first moment
        open_ = [n for n, why in enumerate(reasons) if why is None or why[0].startswith(_RAISES)]
        missing = [name for name in backward.names if any(name not in found[number] for number in open_)]
        if not missing:
            break
        try:
            tried = [losses[number] for number in open_]
            again, more = _look(recording, backward, tried, moment, missing, is_named=named)
        except ScriptError:
            continue  # the moment may not be played again
        for number, why, names in zip(open_, again, more, strict=True):
            reasons[number] = None if why is None else reasons[number]
            found[number] |= names
    for loss, why, names in zip(losses, reasons, found, strict=True):
        if why is not None:
            rejected.add(loss, *why)
        elif not names:
            rejected.add(loss, f"does not depend on {few(backward.names)}")
    return [
        ([name for name in backward.names if name in names], loss)
        for loss, why, names in zip(losses, reasons, found, strict=True)
        if why is None and names
    ]


def _look(
    recording: Recording,
    backward: Backward,
    losses: Sequence[LossExpression],
    moment: Call,
    names: Sequence[str],
    *,
    one_is_enough: bool = False,
    is_named: bool = False,
) -> tuple[list[tuple[str, ...] | None], list[set[str]]]:
    """Return for each loss why its value at a moment is that of none, or None, and on which of the names it depends.

    Parameters
    ----------
    one_is_enough : bool
        Whether to look no further when each of the losses depends on something.
    is_named : bool
        Whether the user has named the loss, and wants to hear above all what it is instead of a number.
    """
    stage = Stage(recording, backward, moment)
    called = [n for n, loss in enumerate(losses) if may_depend(recording.source, backward, loss)]
    try:
        values = dict(zip(called, stage.losses([losses[n] for n in called])(stage.parameters), strict=True))
    except ScriptError:
        raise
    except Exception as error:  # noqa: BLE001 - what was recorded may not be all that the round is made of
        values = dict.fromkeys(called, error)
    constant = (f"does not depend on {few(backward.names)}",)
    reasons = [_why_no_loss(values[n], backward) if n in values else constant for n in range(len(losses))]
    found: list[set[str]] = [set() for _ in losses]
    usable = [n for n in called if reasons[n] is None]
    # what is several numbers, and the same ones everywhere, is no loss that lacks a sum: losses of earlier rounds, say
    odd = [] if is_named or one_is_enough else called
    several = [n for n in odd if _NOT_SCALAR in (reasons[n] or ())]
    looked_at = [*usable, *several]
    evaluate = stage.losses([losses[n] for n in looked_at])
    for name in names if looked_at else ():
        if one_is_enough and all(found[n] for n in usable):
            break
        with moved(stage.parameters, [name], np.random.default_rng(0), size=_SMALL_MOVE):
            try:
                after = evaluate(stage.parameters)
            except Exception:  # noqa: BLE001 - even a small move may leave the domain
                continue
        for n, value in zip(looked_at, after, strict=True):
            if not _is_equal(values[n], value):
                found[n].add(name)
    for n in several:
        reasons[n] = reasons[n] if found[n] else constant
        found[n] = set()
    return reasons, found


def _why_no_loss(value: Any, backward: Backward) -> tuple[str, ...] | None:
    if isinstance(value, TooLongError):
        return (str(value),)
    if isinstance(value, Exception):
        return (f"{_RAISES}{type(value).__name__}: {value}",)
    if not is_numeric(value) or np.size(value) != 1:
        kind = f"has shape {np.shape(value)}" if is_numeric(value) else f"is a {type(value).__name__}"
        return f"{kind}, not one number", _NOT_SCALAR
    base = float(np.asarray(value).reshape(-1)[0])
    if not np.isfinite(base):
        return f"is {base} at the first recorded call of `{backward.function.name}`", "loss-not-finite"
    return None


def _is_equal(one: Any, other: Any) -> bool:
    """Whether two values are the same, but for the round-off of a constant: of probabilities that are summed up."""
    try:
        here, there = (np.asarray(value, dtype=float) for value in (one, other))
    except (TypeError, ValueError):
        return isinstance(one, Exception)
    return here.shape == there.shape and np.allclose(here, there, rtol=_ROUND_OFF, atol=0.0, equal_nan=True)


def _same_gradients(one: list[Probe], other: list[Probe]) -> bool:
    return len(one) == len(other) and all(
        p.name == q.name
        and np.array_equal(p.analytic, q.analytic, equal_nan=True)
        and np.allclose(p.numerical, q.numerical, rtol=1e-5, atol=1e-12 + float(np.max(p.numerical_error, initial=0)))
        for a, b in zip(one, other, strict=True)
        for p, q in zip(a.parameters, b.parameters, strict=True)
    )


def _ambiguous(backward: Backward, losses: Sequence[LossExpression]) -> ScriptError:
    shown = "; ".join(f"`{loss.shown}` in line {loss.line} ({loss.evidence})" for loss in losses)
    return ScriptError(
        f"{len(losses)} scalars could be the loss of `{backward.function.name}`: {shown}. Say which with --loss NAME, "
        "or with a comment in the script: # gradcheck: loss=NAME",
        slug="ambiguous",
        line=backward.function.line,
    )
