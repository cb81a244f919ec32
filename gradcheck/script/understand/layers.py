"""Understands layers: pairs of a forward function and a backward function, which need no loss to be checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from gradcheck.script.record.instrument import can_be_replayed
from gradcheck.script.record.run import Recording
from gradcheck.script.replay.layer import Layer, Spot
from gradcheck.script.request import Overrides
from gradcheck.script.source.names import base_name, fold, is_gradient_word, is_upstream_word, parameter_of
from gradcheck.script.source.syntax import Function
from gradcheck.script.understand.layer_reading import DifferencesError, DoubtError, Reading, read_layer
from gradcheck.script.understand.losses import reached
from gradcheck.script.understand.partners import partners
from gradcheck.script.understand.subject import Subject

# of the layers that one function may belong to
_MOST_TRIED = 8
_FORWARD = re.compile(r"forward|^__call__$|fwd|fprop|feed|predict|appl(?:y|ied)|^call$", re.IGNORECASE)
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_OF_A_LAYER = {
    "forward",
    "fwd",
    "backward",
    "back",
    "bwd",
    "prop",
    "backprop",
    "pass",
    "grad",
    "gradient",
    "d",
    "deriv",
}


@dataclass(frozen=True)
class Layers:
    """The layers that a script calls.

    Attributes
    ----------
    subjects : tuple of Subject
        What is to be checked of them, in the order of the text.
    doubts : dict
        Why others cannot be judged, by their backward functions.
    unknown : dict
        Why what has the name of a backward function was not seen to be one.
    """

    subjects: tuple[Subject, ...]
    doubts: Mapping[str, str]
    unknown: Mapping[str, str]

    def notes(self, covered: Set[str] = frozenset()) -> tuple[str, ...]:
        """Return what is said about those that cannot be judged, but for some."""
        reasons = {**self.doubts, **self.unknown}
        return tuple(f"not checked: {name}, {reason}" for name, reason in reasons.items() if name not in covered)


def layers_in(recording: Recording, overrides: Overrides) -> Layers:
    """Find the layers of a script."""
    source = recording.source
    found: list[Subject] = []
    doubts: dict[str, str] = {}
    unknown: dict[str, str] = {}
    for function in source.functions.values():
        if overrides.backward not in (None, function.name, function.short_name) or function.outer is not None:
            continue
        try:
            is_called = can_be_replayed(function) and recording.of(function.name)
            reading = _best(recording, function) if is_called else None
        except DifferencesError:
            continue
        except DoubtError as doubt:
            doubts[function.name] = f"as {doubt}"
            continue
        subject = None if reading is None else _narrowed(reading.subject, overrides.params)
        if subject is not None:
            found.append(subject)
        elif reading is None and is_gradient_word(function.short_name):
            unknown[function.name] = (
                "as no function was seen whose outputs it takes back to their inputs"
                if function.name in recording.counts
                else "which was not called while the script ran"
            )
    inner = {name for subject in found for name in reached(source, subject.backward.function)}
    return Layers(tuple(found), doubts, {name: reason for name, reason in unknown.items() if name not in inner})


def _narrowed(subject: Subject, wanted: Sequence[str]) -> Subject | None:
    """Return the subject with the parameters that the user wants."""

    def is_wanted(name: str) -> bool:
        return not wanted or name in wanted or base_name(name) in wanted

    kept = tuple(pair for pair in subject.backward.pairs if is_wanted(pair.slot.name))
    backward = replace(subject.backward, pairs=kept, outputs=tuple(pair.output for pair in kept))
    rows = tuple(row for row in subject.unchecked if is_wanted(row.name))
    return replace(subject, backward=backward, unchecked=rows) if kept else None


def _best(recording: Recording, function: Function) -> Reading | None:
    """Return the layer that explains most of what a function computes; where none explains any, one of its name."""
    found: list[Reading] = []
    doubts: list[DoubtError] = []
    seen: set[Layer] = set()
    for one in partners(recording, function):
        if one.layer in seen or len(seen) >= _MOST_TRIED:
            continue
        seen.add(one.layer)
        try:
            reading = read_layer(recording, one)
        except DifferencesError:
            raise
        except DoubtError as doubt:
            doubts.append(doubt)
            continue
        except Exception:  # noqa: BLE001 - functions that were taken for a layer may fail in any way
            continue
        if reading is not None:
            found.append(reading)
            if reading.is_whole and reading.partners.is_final and reading.depth <= 1:
                break
    best = max(found, key=lambda reading: reading.rank, default=None)
    if best is None and doubts:
        raise doubts[0]
    if best is None or best.right:
        return best
    return next((reading for reading in found if _is_named_so(reading) and _takes_back(recording, reading)), None)


def _takes_back(recording: Recording, reading: Reading) -> bool:
    """Whether what is taken back is a gradient: by its name, or as another function computed it that is called so."""
    partners = reading.partners
    for name in partners.taken_back:
        identity = partners.call.identities.get((name, ()))
        made = (call.function for call in recording.calls if identity in call.result_identities.values())
        is_computed = any(is_gradient_word(base_name(function)) for function in made)
        if not (is_upstream_word(name) or is_gradient_word(name) or parameter_of(name) or is_computed):
            return False
    return True


def _is_named_so(reading: Reading) -> bool:
    """Whether names say that two functions are a layer, of which no gradient is right."""
    layer, pairs = reading.partners.layer, reading.subject.backward.pairs
    says = is_gradient_word(layer.backward.short_name) or any(
        fold(name) == fold(base_name(pair.slot.name))
        for pair in pairs
        for label in pair.output.labels
        for name in parameter_of(label)
    )
    if not says or not reading.partners.is_final:
        return False
    one, other = _words(layer.forward.short_name), _words(layer.backward.short_name)
    made = any(isinstance(given, Spot) and given.name is None for _, given in layer.given)
    same = layer.forward.owner is not None and layer.forward.owner == layer.backward.owner
    return (bool(one) and one == other) or ((made or same) and bool(_FORWARD.search(layer.forward.short_name)))


def _words(name: str) -> frozenset[str]:
    return frozenset(part.lower() for part in _PART.findall(name)) - _OF_A_LAYER
