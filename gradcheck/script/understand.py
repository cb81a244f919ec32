"""From a recording to a subject: which function computes gradients, of which parameters, of which loss."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.result import CheckResult
from gradcheck.script.backward import Backward
from gradcheck.script.candidates import Overrides, find_backwards, narrowed
from gradcheck.script.complaints import no_gradient, no_loss, not_repeatable, several_candidates, several_objects
from gradcheck.script.loss_choice import Rejected, choose_loss
from gradcheck.script.losses import loss_candidates, named_loss, unnamed_candidates
from gradcheck.script.names import is_gradient_word, loss_rank
from gradcheck.script.outputs import Output
from gradcheck.script.record import Recording
from gradcheck.script.replay import LossExpression
from gradcheck.script.scale import Scale, agreeing, folded_scale
from gradcheck.script.source import SourceFile
from gradcheck.script.syntax import Function, Loop


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
    def unpaired(self) -> list[Output]:
        """What the backward function also returned: neither a parameter's gradient nor the loss nor handed to it."""
        backward = self.backward
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


def understand(recording: Recording, overrides: Overrides) -> Subject:
    """Find the backward function, its parameters and the loss from what was observed.

    Raises
    ------
    ScriptError
        With slug ``no-gradient``, ``no-loss``, ``loss-not-scalar``, ``loss-not-finite`` or ``ambiguous``; the message
        says what was seen and which flag or comment settles it.
    """
    unrepeatable: dict[str, Function] = {}
    found = list(find_backwards(recording, overrides, unrepeatable))
    if not found:
        raise not_repeatable(unrepeatable) if unrepeatable else no_gradient(recording, overrides)
    candidates = sorted(narrowed(found, overrides.params), key=_rank, reverse=True)
    refused: list[tuple[Backward, Rejected]] = []
    subjects: list[Subject] = []
    for backward in candidates:
        if subjects and _rank(backward) < _rank(subjects[0].backward):
            break
        rejected = Rejected()
        subject = _subject(recording, backward, overrides, rejected)
        if subject is not None:
            subjects.append(subject)
        else:
            refused.append((backward, rejected))
    if not subjects:
        raise no_loss(*refused[0])
    first = subjects[0].backward
    rivals = [s.backward for s in subjects[1:] if set(s.backward.names) != set(first.names)]
    if rivals:
        raise several_candidates(recording.source, [first, *rivals])
    if first.shared:
        raise several_objects(first)
    return subjects[0]


def _rank(backward: Backward) -> tuple[int, bool]:
    return len(backward.pairs), is_gradient_word(backward.function.short_name)


def _subject(recording: Recording, backward: Backward, overrides: Overrides, rejected: Rejected) -> Subject | None:
    source = recording.source
    if overrides.loss:
        choice = choose_loss(recording, backward, named_loss(source, backward, overrides.loss), rejected)
    else:
        choice = choose_loss(recording, backward, loss_candidates(source, backward), rejected)
        choice = choice or _unnamed_loss(recording, backward)
    if choice is None:
        return None
    loss, probes = choice
    return Subject(backward, loss, folded_scale(backward, probes), _forward(source, backward))


def _unnamed_loss(recording: Recording, backward: Backward) -> tuple[LossExpression, list[CheckResult]] | None:
    """Return a function that depends on all parameters and has the gradient of at least one of them."""
    choice = choose_loss(recording, backward, unnamed_candidates(recording.source, backward), Rejected())
    if choice is None or not agreeing(backward, folded_scale(backward, choice[1]).value, choice[1]):
        return None
    return choice


def _forward(source: SourceFile, backward: Backward) -> str | None:
    """Return the function of the parameters that the backward function calls for its prediction, if it calls one."""
    variables = {pair.slot.name.split(".")[0].split("[")[0] for pair in backward.pairs}
    for name, other in source.functions.items():
        word = other.short_name
        predicts = word in backward.function.calls and not is_gradient_word(word) and not loss_rank(word)
        if predicts and variables & ({*other.arguments} | other.names):
            return name
    return None
