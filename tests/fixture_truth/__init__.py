"""The truth about the fixture scripts, found without the checker.

The gradients come from the script's own code: `first_pairs` calls the function that returns them, `stretch` runs any
piece of a script. They are compared with central differences of losses that are written out by hand, script by script,
in `first_pairs`, `networks`, `sequences` and `models`. Nothing here imports gradcheck.
"""

from __future__ import annotations

from pathlib import Path

from . import models, networks, sequences
from .first_pairs import PROBES, first_call
from .points import Sample, central_difference, disagreement, slope_beside_kinks
from .registry import STRETCHES

__all__ = ["PROBES", "STEMS", "STRETCHES", "disagreement", "errors", "first_call", "hidden_at_start", "rtol", "sample"]

STEMS = sorted({*PROBES, *STRETCHES})


def sample(path: Path, seed: int | None) -> Sample:
    """Let a script compute its gradients at its own point or, with a seed, at a perturbed one."""
    if path.stem in PROBES:
        return PROBES[path.stem](path).sample(seed)
    return STRETCHES[path.stem].at(path, seed)


def errors(path: Path, seed: int | None) -> dict[str, float]:
    """Return the relative error of every gradient of a script."""
    here = sample(path, seed)
    stretch = STRETCHES.get(path.stem)
    found = {}
    for name in here.point:
        if stretch is not None and stretch.kinks and seed is None:
            numerical = slope_beside_kinks(here.loss, here, name)
        else:
            size = stretch.sizes.get(name, 1.0) if stretch is not None else 1.0
            numerical = central_difference(here.loss, here.point, name, 1e-5 * size)
        found[name] = disagreement(here.gradients[name], numerical)
    return found


def rtol(path: Path) -> float:
    """Return the largest relative error of a gradient that is right: agreement to seven digits unless said."""
    return STRETCHES[path.stem].rtol if path.stem in STRETCHES else 1e-7


def hidden_at_start(path: Path) -> frozenset[str]:
    """Return the parameters whose mistake does not show at the script's own point."""
    return STRETCHES[path.stem].hidden if path.stem in STRETCHES else frozenset()
