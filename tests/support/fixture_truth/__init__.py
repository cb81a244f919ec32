"""The truth about the fixture scripts, found without the checker.

The gradients come from the script's own code: `first_pairs` calls the function that returns them, `stretch` runs any
piece of a script. They are compared with central differences of losses that are written out by hand, script by script,
in `first_pairs`, `networks`, `hard_networks`, `layers`, `sequences`, `models`, `optimizers`, `readings`, `shapes`,
`notebooks` and `long_trainings`, and once for all in `submissions`.
Nothing here imports gradcheck.
"""

from __future__ import annotations

from pathlib import Path

from fixture_scripts import entry_names

from . import (
    hard_networks,
    layers,
    long_trainings,
    models,
    networks,
    notebooks,
    optimizers,
    readings,
    sequences,
    shapes,
)
from .first_pairs import PROBES, first_call
from .points import Sample, along_directions, central_difference, disagreement, slope_beside_kinks
from .registry import LONG, NOTEBOOKS, STRETCHES
from .stretch import Stretch
from .submissions import SUBMISSIONS

__all__ = [
    "LONG",
    "NOTEBOOKS",
    "PROBES",
    "STEMS",
    "STRETCHES",
    "SUBMISSIONS",
    "disagreement",
    "errors",
    "first_call",
    "hard_networks",
    "hidden_at_start",
    "layers",
    "long_trainings",
    "models",
    "names",
    "networks",
    "notebooks",
    "optimizers",
    "readings",
    "rtol",
    "sample",
    "sequences",
    "shapes",
]

# scripts in correct/, with or without a twin in buggy/
STEMS = sorted({*PROBES, *STRETCHES})


def _stretch(path: Path) -> Stretch | None:
    own = {"notebooks": NOTEBOOKS, "submissions": SUBMISSIONS, "right": LONG, "wrong": LONG}
    return own.get(path.parent.name, STRETCHES).get(path.stem)


def sample(path: Path, seed: int | None) -> Sample:
    """Let a script compute its gradients at its own point or, with a seed, at a perturbed one."""
    stretch = _stretch(path)
    return PROBES[path.stem](path).sample(seed) if stretch is None else stretch.at(path, seed)


def errors(path: Path, seed: int | None) -> dict[str, float]:
    """Return the relative error of every gradient of a script."""
    here = sample(path, seed)
    stretch = _stretch(path)
    found = {}
    for name in here.point:
        if stretch is not None and stretch.directions is not None:
            found[name] = disagreement(*along_directions(here, name, stretch.directions))
            continue
        if stretch is not None and stretch.kinks and seed is None:
            numerical = slope_beside_kinks(here.loss, here, name)
        else:
            size = 1.0 if stretch is None else stretch.sizes.get(name, 1.0)
            numerical = central_difference(here.loss, here.point, name, 1e-5 * size)
        entries = entry_names(path).get(name)
        if entries is None:
            found[name] = disagreement(here.gradients[name], numerical)
        else:
            found |= {e: disagreement(here.gradients[name][[i]], numerical[[i]]) for i, e in enumerate(entries)}
    return found


def names(path: Path) -> set[str]:
    """Return the names of a script's parameters, as a report has them."""
    entries = entry_names(path)
    return {part for name in sample(path, None).point for part in entries.get(name, [name])}


def rtol(path: Path) -> float:
    """Return the largest relative error of a gradient that is right: agreement to seven digits unless said."""
    stretch = _stretch(path)
    return 1e-7 if stretch is None else stretch.rtol


def hidden_at_start(path: Path) -> frozenset[str]:
    """Return the parameters whose mistake does not show at the script's own point."""
    stretch = _stretch(path)
    return frozenset() if stretch is None else stretch.hidden
