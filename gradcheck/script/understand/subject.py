"""From a recording to a subject: which function computes gradients, of which parameters, of which loss."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.numerics.arrays import same_values
from gradcheck.script.record.run import Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.layer import Layer
from gradcheck.script.replay.outputs import Kind, Output
from gradcheck.script.replay.perturb import moved
from gradcheck.script.replay.stage import LossExpression, Stage
from gradcheck.script.replay.units import Unit, moved_bases, moved_by, units_of
from gradcheck.script.request import Overrides
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import base_name, fold, is_gradient_word, is_maximised, loss_rank
from gradcheck.script.source.syntax import Code, Function, Loop
from gradcheck.script.understand.agreement import agreement, common_constant, likeness, own_ratio
from gradcheck.script.understand.applied import (
    as_change,
    insides,
    more_of_round,
    never_moved,
    set_to_steps,
    steps_astray,
)
from gradcheck.script.understand.candidates import find_backwards, missing, narrowed, not_found, read_variables
from gradcheck.script.understand.clipping import before_clipping
from gradcheck.script.understand.complaints import no_gradient, no_loss, not_repeatable, several_objects
from gradcheck.script.understand.followed import following
from gradcheck.script.understand.loss_choice import Choice, Rejected, choose_loss, is_never_run
from gradcheck.script.understand.losses import (
    implied_candidates,
    implied_in_loops,
    is_of_last_round,
    loss_candidates,
    named_loss,
    over_calls,
    reached,
    unique_losses,
    unnamed_candidates,
    written_in_loops,
)
from gradcheck.script.understand.observe import observed
from gradcheck.script.understand.rates import is_solved_for
from gradcheck.script.understand.scale import Scale
from gradcheck.script.understand.step_size import goes_on, step_size
from gradcheck.script.understand.trend import course_of
from gradcheck.script.understand.unchecked import (
    Unchecked,
    declared_and_left,
    is_same,
    left_out,
    other_parameters,
    standing_still,
    tells,
)

# rank of a name that people give to nothing but a loss
_CERTAIN = 2
# parameters that agree by more than chance
_SEVERAL = 2
# cosine from which on a step is along something
_ALONG = 0.9
# of a factor below which steps are too small to get anywhere
_SMALL = 0.26
# a factor that differs from 1 by less is 1
_ROUND = 1e-6


@dataclass(frozen=True)
class Subject:
    """What is checked.

    Attributes
    ----------
    backward : Backward
        The backward function, its recorded calls, and its gradients.
    forward : str or None
        The function that computes the prediction, for display.
    agreement : int
        With how many of the gradients the loss agrees.
    remark : str or None
        What was noticed about its gradients beside all this.
    seen : frozenset of str
        The names of the parameters whose gradients agreed when the loss was chosen.
    left_out : tuple of str
        What is handed to optimizers and could not be checked, a sentence each.
    basis : (str, str) or None
        The function with the first derivative and its part there, where this is a second one, which is compared with
        differences of it.
    written : str
        What the gradients are to the loss that the script does write down, where another one was inferred.
    elsewhere : str
        A loss that the script computes apart from the step, where one was inferred for that.
    is_minimised : bool
        Whether the script makes the loss small, or large: not where it is a constraint, or a sum of several values.
    """

    backward: Backward
    loss: LossExpression
    scale: Scale
    forward: str | None
    agreement: int = 0
    unchecked: tuple[Unchecked, ...] = ()
    remark: str | None = None
    seen: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    basis: tuple[str, str] | None = None
    written: str = ""
    elsewhere: str = ""
    is_minimised: bool = True

    @property
    def unpaired(self) -> list[Output]:
        """What the backward function also returned: neither a parameter's gradient nor the loss nor handed to it."""
        backward = self.backward
        if backward.is_round:
            return []
        paired = {pair.output.leaf.path for pair in backward.pairs}
        handed = {*backward.function.arguments, self.loss.name, self.loss.shown}
        return [
            output
            for output in backward.outputs
            if output.leaf.path not in paired
            and output.leaf.name != self.loss.text
            and not handed.intersection(output.labels)
            and not any(loss_rank(label) for label in output.labels)
        ]

    @property
    def convention(self) -> str | None:
        """What the values that are shown are multiplied by, and which loss was inferred, in words."""
        own: dict[str, list[str]] = {}
        for pair in self.backward.pairs:
            if pair.own_step:
                own.setdefault(pair.own_step, []).append(f"`{pair.slot.name}`")
        sizes = (f"the step size of {', '.join(names)} is another, {size}" for size, names in own.items())
        said = [self._common_convention] if self._common_convention else []
        if clips := sorted(text.partition("\n")[0] for text in self.backward.unclipped):
            more = f" and {len(clips) - 1} more" if len(clips) > 1 else ""
            said.append(f"gradients are compared as they are before they are clipped, by `{clips[0]}`{more}")
        return "; ".join([*said, *sizes]) or None

    @property
    def _common_convention(self) -> str | None:
        name = self.backward.stepping.name
        if self.loss.is_implied and not self.scale.applied:
            times = f"{self.scale.value:.6g} times " if abs(self.scale.value - 1) > _ROUND else ""
            why = ", as the script does not write it down"
            if self.written:
                why = ""
            elif self.elsewhere:
                why = f", as the step computes none, and {self.elsewhere} is called elsewhere"
            return (
                f"the loss was inferred from the output error{why}: {name} {self.backward.kind.value} the gradients of "
                f"{times}{self.loss.shown}{self.written}"
            )
        if self.loss.is_implied:
            inferred = f"the loss was inferred from the output error: {self.loss.shown}"
            return f"{self.scale.sentence(name)}; {inferred}{self.written}"
        return None if self.scale.value == 1 else self.scale.sentence(name)

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
    if isinstance(backward.region, Layer):
        return f"the call of `{backward.region.forward.name}`, and then its own"
    return backward.region.name if isinstance(backward.region, Loop) else f"the call of `{backward.region.name}`"


def understand(recording: Recording, overrides: Overrides) -> tuple[Subject, ...]:
    """Find the code that computes gradients, its parameters and the loss, from what was observed.

    There are several where a script trains several models, or computes the gradients of its parameters apart.
    """
    unrepeatable: dict[str, Function] = {}
    units = units_of(recording.source, overrides.backward)
    candidates = list(find_backwards(recording, overrides, unrepeatable))
    returned = narrowed(candidates, overrides.params)
    search = _Search(recording, overrides, moved_bases(recording.source))
    subjects = search.best(returned)
    chosen = {name: unit for name, unit in units.items() if overrides.backward in (None, name, unit.short_name)}
    more = list(observed(recording, chosen, read_variables(recording.source)))
    if wanted := missing([*candidates, *more], overrides.params) if candidates or more else []:
        raise not_found([*candidates, *more], wanted)
    others = narrowed(more, overrides.params)
    is_enough = subjects and not missing(returned, overrides.params) and not subjects[0].loss.is_implied
    if not is_enough or search.rank(subjects[0].backward)[0] < search.most_moved(units):
        search.bases |= {_base(name) for b in others if b.kind is Kind.CHANGE for name in b.names}
        again = [subject.backward for subject in subjects if not subject.loss.is_implied]
        subjects = _better(subjects, search.best([*again, *others]))
    # what the script does not move may be anything, an output for instance, where it moves something else
    is_moved = bool(subjects) and (not search.bases or search.rank(subjects[0].backward)[0] > 0)
    if not subjects or not subjects[0].agreement or not is_moved:
        moving = [backward for backward in others if backward.kind is Kind.CHANGE]
        along = [b for way in moving if (b := following(recording, way)) is not None]
        followed = search.best(along)
        subjects = followed if followed and (followed[0].agreement or not subjects) else subjects
        if not subjects:
            for ways in (along, moving):
                inner = search.best([inside for way in ways for inside in insides(recording, way)])
                subjects = [subject for subject in inner if _is_made_small(subject)] or subjects
                if subjects and subjects[0].agreement:
                    break
    if not subjects:
        unfit = [one for one in search.refused if one[1].slug == "bad-input"]
        if unfit:
            raise no_loss(recording.source, *unfit[0])
        if search.problems:
            raise search.problems[0]
        if search.refused:
            raise no_loss(recording.source, *search.most_telling())
        raise not_repeatable(unrepeatable) if unrepeatable else no_gradient(recording, overrides)
    first = subjects[0].backward
    if first.shared:
        raise several_objects(first)
    if overrides.backward and not missing([first], overrides.params):
        return (subjects[0],)
    found = _with_one_constant(search.beside(subjects[0], [*returned, *others]))
    if wanted := missing([subject.backward for subject in found], overrides.params):
        raise not_found([subject.backward for subject in found], wanted)
    if overrides.backward or overrides.params:
        return tuple(found)
    found = _with_one_constant(search.second(found, returned, others))
    moving = [backward for backward in others if backward.kind is Kind.CHANGE]
    if left_out(recording, [(subject.backward, subject.loss) for subject in found], moving):
        found = [_widened(recording, subject, moving) for subject in found]
    found = [_with_steps_that_follow(recording, _as_applied(recording, subject, moving), moving) for subject in found]
    found = [_with_what_is_set(recording, subject, moving) for subject in found]
    left = left_out(recording, [(subject.backward, subject.loss) for subject in found], moving)
    looked_at = [(recording, subject.backward, subject.loss) for subject in found]
    still = [row for one in looked_at for rows in (standing_still, declared_and_left) for row in rows(*one)]
    left += tuple(row for row in still if all(row.name != other.name for other in left))
    told = {row.name for subject in found for row in subject.unchecked}
    left = tuple(row for row in left if row.name not in told)
    return (replace(found[0], unchecked=(*found[0].unchecked, *left)), *found[1:])


def _is_made_small(subject: Subject) -> bool:
    """Whether a loss that is seen inside of a round is its loss: by its name, by the way of the steps, or by all."""
    falls = subject.loss.is_implied or (subject.scale.applied and subject.scale.value < 0)
    return falls or bool(loss_rank(subject.loss.name)) or set(subject.backward.names) <= subject.seen


def _with_one_constant(found: Sequence[Subject]) -> list[Subject]:
    """Return subjects in which a constant is only excused if it is the same for all of them."""
    if len({subject.scale.constant for subject in found}) < 2:
        return list(found)
    remark = "{}, and others have another factor: that is the mistake"
    return [
        replace(s, scale=s.scale.without_constant, remark=remark.format(s.scale.factor)) if s.scale.constant != 1 else s
        for s in found
    ]


def _widened(recording: Recording, subject: Subject, moving: Sequence[Backward]) -> Subject:
    """Return a subject with gradients of more parameters, where the round around it shows these."""
    choice = more_of_round(recording, subject.backward, subject.loss, subject.agreement, moving)
    if choice is None or choice.scale is None:
        return subject
    return replace(
        subject,
        backward=choice.backward,
        loss=choice.loss,
        scale=choice.scale,
        agreement=choice.agreement,
        seen=choice.seen.names,
    )


def _as_applied(recording: Recording, subject: Subject, moving: Sequence[Backward]) -> Subject:
    """Return a subject as it is, or the round in which parameters are moved by something else than right gradients."""
    backward = subject.backward
    applied = steps_astray(recording, backward, subject.loss, subject.scale, subject.seen, moving)
    if applied is None:
        return _with_what_stands_still(recording, subject, moving)
    choice = applied.choice
    still = choice.backward.unmoved & applied.astray
    said = [
        f"{_listed(names)} {'are' if len(names) > 1 else 'is'} {how}"
        for names, how in ((applied.astray - still, "moved along something else"), (still, "not moved"))
        if names
    ]
    remark = f"`{backward.function.name}` computes the right gradients, and {', and '.join(said)}"
    return replace(
        subject,
        backward=choice.backward,
        loss=choice.loss,
        scale=applied.scale,
        agreement=choice.agreement,
        seen=choice.seen.names,
        remark=remark,
    )


def _with_what_stands_still(recording: Recording, subject: Subject, moving: Sequence[Backward]) -> Subject:
    """Return a subject in which the steps of parameters are looked at that no round moves, though it is to: zeros."""
    backward = subject.backward
    names = never_moved(recording, backward, subject.seen, moving)
    if not names or len(names) == len(backward.pairs):
        return subject
    # what tells the kind of all comes first
    pairs = sorted(
        (as_change(p) if p.slot.name in names else p for p in backward.pairs), key=lambda p: p.slot.name in names
    )
    many = "are" if len(names) > 1 else "is"
    remark = f"`{backward.function.name}` computes the right gradients, and {_listed(names)} {many} not moved"
    return replace(subject, backward=replace(backward, pairs=tuple(pairs)), remark=remark)


def _with_what_is_set(recording: Recording, subject: Subject, moving: Sequence[Backward]) -> Subject:
    """Return a subject with a parameter that is set to its step, and not moved by it."""
    found = set_to_steps(recording, subject.backward, subject.loss, subject.scale, moving)
    if found is None:
        return subject
    backward, pair = found
    remark = f"`{pair.slot.name}` is set to its step, which each round should add to it"
    return replace(subject, backward=backward, remark=subject.remark or remark)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _with_steps_that_follow(recording: Recording, subject: Subject, moving: Sequence[Backward]) -> Subject:
    """Return a subject without the parameters whose steps are not along their gradients, though those of others are.

    What is applied is what counts: a right gradient that is not used is no match.
    """
    backward = subject.backward
    if backward.kind is Kind.CHANGE or backward.handed:
        return subject
    for way in moving:
        names = {name for name in way.names if name in backward.names}
        if way.function is not backward.function or len(names) < len(backward.pairs):
            continue
        try:
            choice = choose_loss(recording, way, [subject.loss], Rejected())
        except ScriptError:
            continue
        if choice is None or not choice.agreement:
            continue
        right = names & subject.seen - choice.seen.names - choice.seen.silent
        # a step that decays or clips as well still points nearly along the gradient
        astray = [n for n in right if not own_ratio(n, choice.probes) and likeness(n, choice.probes) > -_ALONG]
        kept = tuple(pair for pair in backward.pairs if pair.slot.name not in astray)
        if astray and kept:
            gone = [pair.slot for pair in backward.pairs if pair.slot.name in astray]
            reason = "what is taken for its gradient is not what it is moved along, though others follow theirs"
            rows = tuple(Unchecked(slot.name, slot.leaf.shape, reason) for slot in gone)
            beside = (*backward.beside, *(pair for pair in backward.pairs if pair.slot.name in astray))
            left = replace(backward, pairs=kept, beside=beside)
            return replace(subject, backward=left, unchecked=(*subject.unchecked, *rows))
    return subject


def _moves_the_same(backward: Backward, subject: Subject) -> bool:
    """Whether a step moves all parameters of a subject whose gradients are stored, and not seen in a step."""
    kinds = backward.kind, subject.backward.kind
    return kinds == (Kind.CHANGE, Kind.KEPT) and set(subject.backward.names) <= set(backward.names)


def _better(returned: list[Subject], moved: list[Subject]) -> list[Subject]:
    """Return what more gradients agree with: what is returned is not given up for something that moves more only.

    A loss that is written down for the step that is applied comes before one that is only inferred for a part of it.
    """
    if returned and moved and returned[0].loss.is_implied and not moved[0].loss.is_implied and moved[0].agreement:
        return moved
    if not moved or (returned and moved[0].agreement <= returned[0].agreement and returned[0].agreement):
        return returned
    return moved


@dataclass
class _Search:
    """The search for the subject among several candidates.

    Attributes
    ----------
    bases : frozenset of str
        The base names of what the script moves by a step.
    problems : list of ScriptError
        Why the loss of others could not be decided.
    """

    recording: Recording
    overrides: Overrides
    bases: frozenset[str]
    refused: list[tuple[Backward, Rejected]] = field(default_factory=list)
    problems: list[ScriptError] = field(default_factory=list)

    def rank(self, backward: Backward) -> tuple[int, int, int, bool]:
        """Return how good a candidate is: by the parameters that the script moves, then by all of them."""
        bases = [_base(name) for name in backward.names]
        moved = sum(base in self.bases for base in bases) if self.bases else len(bases)
        kind = [Kind.CHANGE, Kind.KEPT, Kind.RETURNED].index(backward.kind)
        return moved, kind, len(bases), is_gradient_word(backward.function.short_name)

    def most_moved(self, units: Mapping[str, Unit]) -> int:
        """Return how many parameters there may be: what the units move by a step."""
        return len({fold(base_name(update.target)) for unit in units.values() for update in moved_by(unit)})

    def best(self, candidates: Sequence[Backward]) -> list[Subject]:
        """Return the subjects of the highest rank, the best first."""
        subjects: list[Subject] = []
        for backward in sorted(candidates, key=self._order):
            if subjects and self.rank(backward) < self.rank(subjects[0].backward):
                if subjects[0].agreement:
                    break
                if not _moves_the_same(backward, subjects[0]):
                    continue
            rejected = Rejected(is_named=self.overrides.loss is not None)
            try:
                subject = _subject(self.recording, backward, self.overrides, rejected)
            except ScriptError as error:
                if error.slug not in ("ambiguous", "not-repeatable"):
                    raise
                self.problems.append(error)
                continue
            if subject is None:
                self.refused.append((backward, rejected))
            else:
                subjects.append(subject)
                # what the loss does not depend on is no parameter
                subjects.sort(key=lambda s: (*self._order(s.backward)[:4], -s.agreement, *self._order(s.backward)[4:]))
        if subjects and not subjects[0].agreement:
            # what is stored beside a parameter is not its gradient where a step is, and that is not
            explained = [s for s in subjects if s.agreement and _moves_the_same(s.backward, subjects[0])]
            subjects = explained or subjects
        return [s for s in subjects if self.rank(s.backward) == self.rank(subjects[0].backward)]

    def most_telling(self) -> tuple[Backward, Rejected]:
        """Return which of what was refused is to be named: the first, but for a step of more and other parameters.

        What a function returns may only be added up on the way.
        """
        first = self.refused[0]
        names = set(first[0].names)
        steps = [one for one in self.refused if one[0].kind is Kind.CHANGE and not names & set(one[0].names)]
        widest = max(steps, key=lambda one: len(one[0].pairs), default=first)
        return widest if first[0].kind is Kind.RETURNED and len(widest[0].pairs) > len(names) else first

    def beside(self, first: Subject, candidates: Sequence[Backward]) -> list[Subject]:
        """Return a subject with those of other parameters: a second model, or one function for each gradient."""
        found = [first]
        for backward in sorted(candidates, key=self._order):
            covered = [pair for subject in found for pair in subject.backward.pairs]
            if backward.shared or len(other_parameters(backward, covered, self.bases)) < len(backward.pairs):
                continue
            try:
                subject = _subject(self.recording, backward, self.overrides, Rejected())
            except ScriptError:
                continue
            if subject is not None and (subject.agreement or loss_rank(subject.loss.name)):
                found.append(subject)
        return found

    def second(
        self, found: Sequence[Subject], returned: Sequence[Backward], others: Sequence[Backward]
    ) -> list[Subject]:
        """Return the subjects with those of further code, which has no part in the steps that these check.

        That is what returns gradients, of whatever parameters, and what stores or applies some of other parameters.
        What cannot be judged is named.
        """
        subjects, notes = list(found), []
        for backward in [*sorted(returned, key=self._order), *sorted(others, key=self._order)]:
            is_returned = backward.kind is Kind.RETURNED
            if backward.shared or (not is_returned and not self._is_another(backward, subjects)):
                continue
            if any(self._is_part(backward, subject.backward) for subject in subjects):
                continue
            try:
                subject = _subject(self.recording, backward, self.overrides, Rejected())
            except ScriptError:
                subject = None
            least = 1 if is_returned else max(len(backward.pairs) / 2, 1)
            # what is called a loss is one, as in a script with one training
            known = not is_returned and subject is not None and not subject.loss.is_implied
            if subject is not None and (
                subject.agreement >= least or (known and loss_rank(subject.loss.name) >= _CERTAIN)
            ):
                subjects.append(subject)
            elif names := self._gradients_of(backward):
                listed = ", ".join(f"`{name}`" for name in names)
                what = backward.kind.value
                notes.append(f"not checked: `{backward.function.name}`, which {what} gradients of {listed} as well")
        subjects[0] = replace(subjects[0], left_out=(*subjects[0].left_out, *dict.fromkeys(notes)))
        return subjects

    def _is_another(self, backward: Backward, subjects: Sequence[Subject]) -> bool:
        """Whether all that some code has gradients of, or moves, are parameters that no values show to be known."""
        known = [pair.slot for subject in subjects for pair in subject.backward.pairs]
        telling = [pair.slot for pair in backward.pairs if tells(pair.slot)]
        bases = {_base(name) for name in backward.names}
        return (
            bool(telling)
            and not any(is_same(slot, other) for slot in telling for other in known)
            and (not self.bases or bool(bases & self.bases))
        )

    def _is_part(self, backward: Backward, checked: Backward) -> bool:
        """Whether some code is in, around or called by what is checked, or calls it."""
        source, function = self.recording.source, backward.function
        for other in {code for code in (checked.function, checked.stepping) if isinstance(code, Function | Loop)}:
            if function is other or _is_inside(function, other) or _is_inside(other, function):
                return True
            if function.name in reached(source, other) or other.name in reached(source, function):
                return True
        return isinstance(function, Function) and _calls_in_replay(self.recording, checked, function)

    def _gradients_of(self, backward: Backward) -> list[str]:
        """Return the parameters of which some code seems to have gradients: no losses, and what these depend on."""
        pairs = tuple(pair for pair in backward.pairs if not loss_rank(base_name(pair.slot.name)))
        return list(backward.names) if pairs and _follows(self.recording, replace(backward, pairs=pairs)) else []

    def _order(self, backward: Backward) -> tuple[Any, ...]:
        is_loop = isinstance(backward.function, Loop)
        # a method that calls the one that it replaces adds to it
        inherits = f"super().{backward.function.short_name}" not in backward.function.names
        size = len(backward.function.statements)
        return (*(-int(part) for part in self.rank(backward)), is_loop, inherits, size)


def _base(name: str) -> str:
    return fold(base_name(name)).partition("[")[0]


def _is_inside(code: Code, other: Code) -> bool:
    """Whether some code stands within other code."""
    own, around = code.node, other.node
    return around.lineno <= own.lineno and (own.end_lineno or own.lineno) <= (around.end_lineno or around.lineno)


def _calls_in_replay(recording: Recording, backward: Backward, function: Function) -> bool:
    """Whether a step calls a function, be it by another name: an object that is called, a function handed on."""
    seen = False

    def profile(frame: types.FrameType, event: str, _: Any) -> None:
        nonlocal seen
        code = frame.f_code
        own = (
            code.co_name == function.short_name and function.line <= code.co_firstlineno <= function.node.body[0].lineno
        )
        seen = seen or (event == "call" and own)

    before = sys.getprofile()
    try:
        stage = Stage(recording, backward, backward.moments[0])
        sys.setprofile(profile)
        stage.gradient()(stage.parameters)
    except Exception:  # noqa: BLE001 - what was seen until then counts
        return seen
    finally:
        sys.setprofile(before)
    return seen


def _follows(recording: Recording, backward: Backward) -> bool:
    """Whether what is taken for gradients is other at other parameters: what is a gradient of nothing is not."""
    try:
        stage = Stage(recording, backward, backward.moments[0])
        first = stage.gradient()(stage.parameters)
        with moved(stage.parameters, backward.names, np.random.default_rng(0)):
            second = stage.gradient()(stage.parameters)
    except Exception:  # noqa: BLE001 - the user's functions may raise anything at other parameters
        return True
    return any(not same_values(first[name], second[name]) for name in backward.names)


def _subject(recording: Recording, backward: Backward, overrides: Overrides, rejected: Rejected) -> Subject | None:
    """Return what is to be checked of some code, with its gradients as they are before it clips them."""
    unclipped = before_clipping(recording, backward)
    if not unclipped.unclipped:
        return _read(recording, backward, overrides, rejected)
    subject = _read(recording, unclipped, overrides, rejected)
    if subject is not None and subject.agreement:
        return subject
    other = _read(recording, backward, overrides, rejected)
    return other if other is not None and (subject is None or other.agreement) else subject


def _read(recording: Recording, backward: Backward, overrides: Overrides, rejected: Rejected) -> Subject | None:
    source, set_aside = recording.source, ""
    if overrides.loss:
        named = named_loss(source, backward, overrides.loss)
        choice = choose_loss(recording, backward, over_calls(named) if backward.is_repeated else named, rejected)
    else:
        written = unique_losses([*loss_candidates(source, backward), *unnamed_candidates(source, backward)])
        written = over_calls(written) if backward.is_repeated else written
        choice = choose_loss(recording, backward, written, rejected)
        if choice is None or not choice.seen.is_whole:
            choice = _of_all_rounds(recording, backward, choice, rejected)
        is_certain = choice is not None and loss_rank(choice.loss.name) >= _CERTAIN
        # what is called a loss and is none has to be said, not passed over
        is_open = rejected.slug == "no-loss" if choice is None else not choice.seen.is_whole
        # gradients that are proportional to those of a loss, but by no factor that makes sense, are of its kin
        is_kin = choice is not None and choice.proportional.is_whole and not choice.agreement
        if is_kin or (not is_certain and is_open):
            known, implied = choice, _implied_loss(recording, backward)
            if not is_certain or (implied is not None and implied.seen.is_whole):
                choice = _more_plausible(choice, implied)
            if choice is not None and choice is implied:
                set_aside = _beside_written(choice, known, rejected.foreign)
    if choice is None or any(choice.loss.text in pair.output.labels for pair in choice.backward.pairs):
        # what is returned is the loss itself, whatever the function is called
        return None
    if not choice.agreement and is_solved_for(source, choice.backward):
        rejected.add(choice.loss, "has no gradient that is a plain step: the steps come out of a system of equations")
        return None
    if choice.backward.kind is Kind.CHANGE and not choice.agreement:
        if choice.scale is None and choice.loss.near:
            choice = _with_step_size(recording, choice)
        # of steps with momentum, the choice has looked at the first one alone
        elif choice.scale is not None and goes_on(recording, replace(choice.backward, moments=backward.moments)):
            choice = replace(choice, scale=None)
    if choice.scale is None:
        rejected.add(choice.loss, "has no gradient that the parameters are moved along by plain steps")
        return None
    if not overrides.loss and choice.agreement:
        _see_that_it_runs(recording, choice, written)
    scale, remark = choice.scale, None
    if scale.constant != 1 and choice.seen.is_whole:
        if not _is_harmless(recording, choice, scale):
            what = "diverges" if abs(scale.constant) > 1 else "hardly gets anywhere"
            remark = f"{scale.factor}, and the training {what}: that factor is the mistake"
            scale = scale.without_constant
        elif overrides.strict:
            remark = f"{scale.factor}: harmless for plain descent, a mistake for --strict"
            scale = scale.without_constant
    if choice.loss.is_tried and remark is None and not overrides.loss:
        remark = _beside_called(recording, choice, written)
    forward = _forward(source, choice.backward)
    aside = tuple(Unchecked(pair.slot.name, pair.slot.leaf.shape, reason) for pair, reason in choice.aside)
    return Subject(
        choice.backward,
        choice.loss,
        scale,
        forward,
        choice.agreement,
        aside,
        remark=remark,
        seen=choice.seen.names,
        written=set_aside,
        elsewhere=_computed_elsewhere(recording, choice.backward) if choice.loss.is_implied else "",
    )


def _see_that_it_runs(recording: Recording, choice: Choice, written: Sequence[LossExpression]) -> None:
    """Raise a ScriptError where a loss agrees that the script never computes, and the one that it computes does not."""
    if choice.loss.is_implied or not is_never_run(recording, choice.loss):
        return
    run = [loss for loss in written if loss_rank(loss.name) >= _CERTAIN and not is_never_run(recording, loss)]
    other = choose_loss(recording, choice.backward, run, Rejected()) if run else None
    if other is None or other.proportional.is_whole or len(other.backward.names) < len(choice.backward.names):
        return
    function = choice.backward.function
    raise ScriptError(
        f"`{choice.backward.stepping.name}` {choice.backward.kind.value} the gradients of `{choice.loss.shown}`, which "
        f"the script never computes, and not those of `{other.loss.shown}`, which it does. Say which of the two is the "
        f"loss: --loss {choice.loss.name} or --loss {other.loss.name}, or with a comment in the script: "
        f"# gradcheck: loss={other.loss.name}",
        slug="ambiguous",
        line=function.line,
    )


def _computed_elsewhere(recording: Recording, backward: Backward) -> str:
    """Name a function with the name of a loss that the script has called, and not in the step."""
    source = recording.source
    codes = [code for code in (backward.function, backward.region) if isinstance(code, Function | Loop)]
    own = {name for code in codes for name in (code.name, *reached(source, code))}
    for name, function in source.functions.items():
        if name in recording.counts and name not in own and loss_rank(function.short_name) >= _CERTAIN:
            return f"`{name}` in line {function.line}"
    return ""


def _with_step_size(recording: Recording, choice: Choice) -> Choice:
    """Return a choice with the number that its steps are multiplied by, where nothing else tells their size."""
    found = step_size(recording, choice.backward)
    if found is None:
        return choice
    rate, name = found
    upwards = is_maximised(choice.loss.name)
    scale = Scale(rate if upwards else -rate, name, applied=True)
    return replace(choice, scale=scale, seen=agreement(choice.backward, scale.value, choice.probes))


def _is_harmless(recording: Recording, choice: Choice, scale: Scale) -> bool:
    """Whether a constant that all gradients have in common is no more than another step size.

    It is a mistake where it is so large that the training diverges, or so small that it hardly gets anywhere.
    """
    if _SMALL < abs(scale.constant) <= 1:
        return True
    upwards = is_maximised(choice.loss.name) or scale.upwards or (scale.applied and scale.value > 0)
    course = course_of(recording, choice.backward, choice.loss, upwards=upwards)
    return not course.diverges if abs(scale.constant) > 1 else not course.creeps


def _more_plausible(written: Choice | None, implied: Choice | None) -> Choice | None:
    """Return a loss that the script does not write down where it explains enough, and more than what it does."""
    if implied is None or not (implied.proportional.is_whole or _is_enough(implied)):
        return written
    return implied if written is None or written.agreement < implied.agreement else written


def _beside_written(inferred: Choice, written: Choice | None, foreign: Sequence[LossExpression]) -> str:
    """Say what gradients are to the loss that the script writes down, where there is one, and it is not theirs."""
    loss = next((loss for loss in [*([written.loss] if written else []), *foreign] if loss_rank(loss.name) > 1), None)
    if loss is None:
        return ""
    own = f"those of `{loss.shown}` in line {loss.line}"
    if written is None or loss is not written.loss or not written.proportional.is_whole:
        return f"; the gradients are not {own}"
    constant, _ = common_constant(written.backward, written.probes)
    if inferred.scale is not None and inferred.scale.applied:
        constant /= inferred.scale.value
    return f"; the gradients are {constant:.6g} times {own}"


def _beside_called(recording: Recording, choice: Choice, written: Sequence[LossExpression]) -> str | None:
    """Say with what a loss function is called, where gradients are those of another call, which was only tried."""
    calls = [loss for loss in written if loss.name == choice.loss.name and not loss.is_tried and "(" in loss.text]
    rejected = Rejected()
    try:
        called = choose_loss(recording, choice.backward, calls, rejected) if calls else None
    except ScriptError:
        return None
    if called is not None and called.proportional.is_whole:
        return None
    others = [called.loss] if called is not None else rejected.foreign
    if not others:
        return None
    return (
        f"the gradients are those of `{choice.loss.shown}`, a call that stands nowhere in the script, and not those of "
        f"`{others[0].shown}`, which does: compare the shapes of what it is handed"
    )


def _is_enough(implied: Choice) -> bool:
    """Whether an inferred loss explains so much that this is no chance: half of the parameters, or several."""
    return 2 * implied.agreement >= implied.seen.of or implied.agreement >= _SEVERAL


def _of_all_rounds(
    recording: Recording, backward: Backward, choice: Choice | None, rejected: Rejected
) -> Choice | None:
    """Return a loss of all rounds of an inner loop where it explains more, and none that is of the last of them."""
    if backward.kind is Kind.RETURNED or backward.is_repeated:
        return choice
    for group in written_in_loops(recording.source, backward):
        try:
            other = choose_loss(recording, backward, group, Rejected())
        except ScriptError:
            continue
        if other is not None and other.agreement > (0 if choice is None else choice.agreement):
            choice = other
    if choice is not None and not choice.agreement and is_of_last_round(choice.backward, choice.loss):
        rejected.add(choice.loss, "is of the last round of an inner loop only")
        return None
    return choice


def _implied_loss(recording: Recording, backward: Backward) -> Choice | None:
    losses = implied_candidates(recording.source, backward)
    groups = [over_calls(losses) if backward.is_repeated else losses]
    if backward.kind is not Kind.RETURNED and not backward.is_repeated:
        groups += implied_in_loops(recording.source, backward)
    for group in groups:
        try:
            choice = choose_loss(recording, backward, group, Rejected())
        except ScriptError:
            continue
        if choice is not None:
            return choice
    return None


def _forward(source: SourceFile, backward: Backward) -> str | None:
    """Return the function of the parameters that the backward function calls for its prediction, if it calls one."""
    variables = {pair.slot.name.split(".")[0].split("[")[0] for pair in backward.pairs}
    for name, other in source.functions.items():
        word = other.short_name
        predicts = word in backward.function.calls and not is_gradient_word(word) and not loss_rank(word)
        if predicts and variables & ({*other.arguments} | other.names):
            return name
    return None
