"""The state of the global random number generators: kept, compared and brought back."""

from __future__ import annotations

import pickle
import random
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class RandomState:
    """The state of Python's and of NumPy's global random number generators."""

    python: Any
    numpy: Any

    @classmethod
    def capture(cls) -> RandomState:
        """Read both states."""
        return cls(random.getstate(), np.random.get_state())  # noqa: NPY002 - the users' own generator

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RandomState) and self._comparable() == other._comparable()

    __hash__ = None  # type: ignore[assignment]

    def _comparable(self) -> tuple[Any, bytes]:
        # NumPy's state is a tuple or a dictionary that holds arrays, and these have no equality of their own
        return self.python, pickle.dumps(self.numpy)

    def restore(self) -> None:
        """Set both states."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002
