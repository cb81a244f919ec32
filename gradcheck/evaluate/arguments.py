"""The arrays among the further arguments of the user's functions: which were changed, and what they held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gradcheck.evaluate.backup import Backup
from gradcheck.evaluate.containers import Path, children


class Arguments:
    """A backup of the arrays in arguments, and in the containers among them.

    Containers themselves are the caller's business: to fill a cache that is handed over is what it is for.
    """

    def __init__(self, args: Sequence[object]) -> None:
        self._backup = Backup()
        self._known: set[Path] = set()
        for path, array in _arrays(list(args), (), set()):
            self._backup.add(path, array)

    def newly_changed(self) -> list[str]:
        """Return the names of the arrays that were changed since the last call: ``args[0]``, ``args[1]['X']``."""
        fresh = [path for path in self._backup.changed() if path not in self._known]
        self._known.update(fresh)
        return ["args" + "".join(step.suffix for step in path) for path in fresh]

    def restore(self) -> None:
        """Bring back every array bit for bit."""
        self._backup.restore()


def _arrays(node: object, path: Path, seen: set[int]) -> Iterator[tuple[Path, np.ndarray]]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, np.ndarray):
        if node.flags.writeable and node.dtype != object:
            yield path, node
        return
    for step, child in children(node) or []:
        yield from _arrays(child, (*path, step), seen)
