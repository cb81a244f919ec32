"""How much is lost of a gradient that is seen in the change of a parameter, which is rounded before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.script.record.wrapped import plain
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.replay.stage import Stage
from gradcheck.script.understand.subject import Subject

# roundings of a parameter on the way of its change, and of the change itself in single precision
_ROUNDINGS, _NARROW = 2.0, 1e-3


def rounded(stage: Stage, subject: Subject) -> float:
    """Return by how much gradients may be off that are seen in the changes of parameters."""
    off = [_lost(pair, stage.parameters[pair.slot.name], np.float64) for pair in _changed(subject)]
    return max(off, default=0.0) / abs(subject.scale.value)


def less_rounded(stage: Stage, subject: Subject, gradient: Mapping[str, Any]) -> dict[str, Any]:
    """Return a gradient with changes in double precision, where those in single precision are the same but rounded.

    Parameters
    ----------
    stage : Stage
        One that computes in double precision.
    gradient : mapping of str to array
        What was seen in single precision.
    """
    found, scale = dict(gradient), subject.scale.value
    changed = _changed(subject)
    better = stage.gradient()(stage.parameters) if changed else {}
    for pair in changed:
        name = pair.slot.name
        one, other = np.asarray(gradient[name], dtype=float), np.asarray(better[name], dtype=float) / scale + 0.0
        off = _lost(pair, stage.parameters[name], np.float32) / abs(scale) + _NARROW * np.abs(other)
        if one.shape == other.shape and np.all(np.abs(one - other) <= off):
            found[name] = other
    return found


def _changed(subject: Subject) -> list[GradientMap]:
    return [pair for pair in subject.backward.pairs if pair.output.kind is Kind.CHANGE]


def _lost(pair: GradientMap, parameter: Any, dtype: type[np.floating[Any]]) -> float:
    largest = np.max(np.abs(np.asarray(plain(parameter), dtype=float)), initial=0.0)
    return pair.stretch * _ROUNDINGS * float(np.finfo(dtype).eps) * float(largest)
