"""Gradients that the script clips: they are read as they are before it does, in replays without what clips them.

What clips is seen from the numbers: without it, some gradients are longer and point the same way, or have entries that
were at a bound, and the others are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.numerics.arrays import FloatArray
from gradcheck.script.record.run import Recording
from gradcheck.script.record.wrapped import plain
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.perturb import moved
from gradcheck.script.replay.region import Region
from gradcheck.script.replay.stage import Stage
from gradcheck.script.source.clips import MAY_CLIP, bounds, is_symmetric, may_clip
from gradcheck.script.source.syntax import Function, Loop
from gradcheck.script.understand.losses import reached

# moments at which it is looked at moved parameters, too
_MOVED = 2
# statements that are tried
_MOST = 24
_SAME = 1e-9
# values that are proportional by more than chance
_ENOUGH = 3


def may_be_clipped(recording: Recording, backward: Backward) -> list[str]:
    """Return the texts of the statements that some code runs and that may clip gradients."""
    source = recording.source
    codes: list[Region] = [backward.function, backward.region]
    own = [code for code in codes if isinstance(code, Function | Loop)]
    names = {name for code in own for name in reached(source, code)}
    nodes = [code.node for code in own] + [source.functions[name].node for name in names]
    found = [statement for node in nodes for statement in may_clip(node)]
    return list(dict.fromkeys(getattr(statement, MAY_CLIP) for statement in found))


def before_clipping(recording: Recording, backward: Backward) -> Backward:
    """Return code as it is replayed without what clips its gradients."""
    texts = may_be_clipped(recording, backward)[:_MOST]
    if not texts:
        return backward
    known = {getattr(s, MAY_CLIP): bounds(s) and is_symmetric(s) for s in may_clip(recording.source.tree)}
    read = backward
    for text in texts:
        without = replace(read, unclipped=read.unclipped | {text})
        seen = _Seen()
        try:
            for with_it, without_it in _both(recording, read, without):
                seen.compare(with_it, without_it)
        except Exception:  # noqa: BLE001 - without a statement, the user's code may fail in any way
            continue
        # what has not clipped until now may do so elsewhere
        if seen.clips or (seen.is_idle and known[text]):
            read = without
    return read


def _both(recording: Recording, read: Backward, without: Backward) -> Iterator[tuple[dict[str, FloatArray], ...]]:
    """Return the gradients with and without a statement, at recorded and at moved parameters."""
    for number, moment in enumerate(read.moments):
        stages = [Stage(recording, one, moment) for one in (read, without)]
        for shift in range(2 if number < _MOVED else 1):
            found = []
            for stage in stages:
                names = read.names if shift else ()
                with moved(stage.parameters, names, np.random.default_rng((0, 2 * number + shift))):
                    found.append({n: np.ravel(plain(v)) * 1.0 for n, v in stage.gradient()(stage.parameters).items()})
            yield tuple(found)


@dataclass
class _Seen:
    """What was seen of a statement: by what it shortened, the bounds that it put, and whether it did something else."""

    factors: dict[str, list[float]] = field(default_factory=dict)
    bounds: list[float] = field(default_factory=list)
    entries: int = 0
    is_other: bool = False

    @property
    def is_idle(self) -> bool:
        """Whether it changed nothing."""
        return not self.is_other and not self.bounds and all(set(own) == {1.0} for own in self.factors.values())

    @property
    def clips(self) -> bool:
        """Whether it did nothing but clip: a factor that is always the same may be a mistake."""
        if self.is_other or self.entries < _ENOUGH:
            return False
        if self.bounds:
            return max(self.bounds) - min(self.bounds) <= _SAME * max(self.bounds)
        return any(max(own) - min(own) > _SAME for own in self.factors.values())

    def compare(self, clipped: dict[str, FloatArray], free: dict[str, FloatArray]) -> None:
        """Take note of the gradients at one point, with and without the statement."""
        for name, after in clipped.items():
            before = free[name]
            if after.shape != before.shape or not np.all(np.isfinite(before)):
                self.is_other = True
            elif np.array_equal(before, after):
                self.factors.setdefault(name, []).append(1.0)
            else:
                self.entries += before.size
                self._shortened(name, before, after)

    def _shortened(self, name: str, before: FloatArray, after: FloatArray) -> None:
        square = float(before @ before)
        factor = float(before @ after) / square if square else 0.0
        if 0 < factor < 1 and np.allclose(after, factor * before, rtol=_SAME, atol=_SAME * np.max(np.abs(after))):
            self.factors.setdefault(name, []).append(factor)
            return
        cut = np.abs(before - after) > _SAME * np.abs(before)
        bound = float(np.max(np.abs(after)))
        at_bound = np.allclose(np.abs(after[cut]), bound, rtol=_SAME)
        if at_bound and np.all(np.sign(after) == np.sign(before)) and np.all(np.abs(after[cut]) < np.abs(before[cut])):
            self.bounds.append(bound)
        else:
            self.is_other = True
