"""Other checkers, each with the settings that it has by default, as its users call it.

Parameters are handed over as float64: torch and JAX ask for that in their documentation, the others convert by
themselves. Those that are not installed are left out.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from benchmarks.checkers import Checker

# name on the command line: module and class
PEERS = {
    "torch": ("with_torch", "TorchSlow"),
    "torch-fast": ("with_torch", "TorchFast"),
    "jax": ("with_jax", "Jax"),
    "autograd": ("with_autograd", "Autograd"),
    "tensorflow": ("with_tensorflow", "Tensorflow"),
    "scipy": ("with_scipy", "ScipyCheckGrad"),
    "scipy-derivative": ("with_scipy", "ScipyDifferentiate"),
    "numdifftools": ("with_numdifftools", "Numdifftools"),
    "jacobi": ("with_jacobi", "Jacobi"),
}


def load_peers(names: Iterable[str]) -> tuple[list[Checker], list[str]]:
    """Return the peers that are installed, and a note for each that is not.

    Parameters
    ----------
    names : iterable of str
        Keys of `PEERS`.
    """
    found: list[Checker] = []
    notes = []
    for name in names:
        module, class_name = PEERS[name]
        try:
            found.append(getattr(importlib.import_module(f"{__name__}.{module}"), class_name)())
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("benchmarks"):
                raise
            notes.append(f"{name} is left out: {error.name} is not installed")
    return found, notes
