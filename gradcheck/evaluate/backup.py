"""What arrays and containers held, to tell what has changed since and to bring it back bit for bit."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.evaluate.containers import Children, Path, Step, children, set_children
from gradcheck.numerics.arrays import same_bits


class _ArrayMemory(NamedTuple):
    path: Path
    array: npt.NDArray[Any]
    saved: npt.NDArray[Any]

    def changed(self) -> list[Path]:
        return [] if same_bits(self.array, self.saved) else [self.path]

    def restore(self) -> None:
        if self.array.shape != self.saved.shape:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                # an array that was reshaped in place can be brought back only in place
                self.array.shape = self.saved.shape
        np.copyto(self.array, self.saved)


class _ContainerMemory(NamedTuple):
    path: Path
    container: Any
    saved: Children

    def changed(self) -> list[Path]:
        return [(*self.path, step) for step in _changed_steps(self.container, self.saved)]

    def restore(self) -> None:
        if self.changed():
            set_children(self.container, self.saved)


class Backup:
    """The contents of arrays and of writable containers, each known by its path in a structure."""

    def __init__(self) -> None:
        self._memories: list[_ArrayMemory | _ContainerMemory] = []

    def add(self, path: Path, holder: Any) -> None:
        """Remember the entries of an array, or the children of a container as the objects that they are."""
        if isinstance(holder, np.ndarray):
            self._memories.append(_ArrayMemory(path, holder, holder.copy()))
        else:
            self._memories.append(_ContainerMemory(path, holder, children(holder) or []))

    def changed(self) -> list[Path]:
        """Return the paths of the arrays that hold other numbers, and of the children that are other objects."""
        return [path for memory in self._memories for path in memory.changed()]

    def restore(self) -> None:
        """Bring back every array bit for bit, and every child of every container."""
        for memory in self._memories:
            memory.restore()


def _changed_steps(container: Any, saved: Children) -> list[Step]:
    """Return the steps whose child is another object than before, is gone, or is new."""
    before, after = dict(saved), dict(children(container) or [])
    gone = object()
    return [step for step in before | after if before.get(step, gone) is not after.get(step, gone)]
