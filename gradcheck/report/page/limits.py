"""How much of a report goes onto the page: pictures of what is worst, and a share of the source for each script."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcheck.session.result import ScriptResult

MOST_PICTURES = 40
# with more parameters than this, each has smaller pictures
_FEW = 12
_SIDE, _SMALLER_SIDE = 96, 48
_POINTS, _POINTS_EACH = 3000, 400
_LETTERS = 240_000


@dataclass(frozen=True)
class Limits:
    """What the size of a page allows.

    Attributes
    ----------
    pictured : frozenset of (int, int)
        The script and the parameter, by their places, that have pictures.
    side : int
        The largest number of rows and columns of a heat map.
    points : int
        The largest number of points of a scatter.
    letters : int
        How much of one script's source is on the page besides the surroundings of what was found.
    """

    pictured: frozenset[tuple[int, int]]
    side: int
    points: int
    letters: int

    @classmethod
    def of(cls, scripts: tuple[ScriptResult, ...]) -> Limits:
        """Return the limits of a page about some scripts: the worst parameters of all of them have pictures."""
        gravity = {
            (s, p): (-parameter.verdict.severity, -float(np.nan_to_num(parameter.max_rel_error, nan=np.inf)))
            for s, script in enumerate(scripts)
            for p, parameter in enumerate(script.parameters)
        }
        pictured = sorted(gravity, key=lambda place: (gravity[place], place))[:MOST_PICTURES]
        count = max(len(pictured), 1)
        return cls(
            frozenset(pictured),
            _SIDE if count <= _FEW else _SMALLER_SIDE,
            min(_POINTS // count, _POINTS_EACH),
            _LETTERS // max(len(scripts), 1),
        )
