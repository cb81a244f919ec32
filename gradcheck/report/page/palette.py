"""The colours of the heat maps, and which number has which; told apart also without red and green."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradcheck.numerics.arrays import FloatArray
from gradcheck.report.page.png import Colour, data_uri

# the first two places of every palette: entries that were not checked (no colour), and values that are not finite
_UNSEEN, _NOT_FINITE = 0, 1
_SPECIAL: tuple[Colour, ...] = ((0, 0, 0), (24, 24, 24))
_LEVELS = 33
_DIVERGING = (
    (5, 66, 122),
    (67, 137, 190),
    (157, 200, 224),
    (243, 242, 238),
    (240, 183, 128),
    (206, 108, 40),
    (122, 51, 8),
)
_RISING = ((243, 242, 238), (250, 215, 140), (233, 140, 70), (178, 58, 72), (84, 20, 78))


@dataclass(frozen=True)
class Scale:
    """The numbers that the first and the last colour stand for, and how they lie between.

    Attributes
    ----------
    low, high : float
        Those numbers; what lies beyond has the same colours.
    logarithmic : bool
        Whether equal ratios are equally far apart.
    """

    low: float
    high: float
    colours: tuple[Colour, ...]
    logarithmic: bool = False

    @classmethod
    def signed(cls, *values: FloatArray) -> Scale:
        """Return the one scale of several arrays, with 0 in its middle."""
        size = max((float(np.abs(v[np.isfinite(v)]).max(initial=0.0)) for v in values), default=0.0) or 1.0
        return cls(-size, size, _ramp(_DIVERGING))

    @classmethod
    def error(cls, low: float, high: float) -> Scale:
        """Return a scale of errors, by their orders of magnitude."""
        return cls(low, high, _ramp(_RISING), logarithmic=True)

    def picture(self, values: FloatArray, seen: npt.NDArray[np.bool_]) -> str:
        """Return a heat map as the address of an image.

        Parameters
        ----------
        values : float array, shape (rows, columns)
            The numbers.
        seen : bool array, shape (rows, columns)
            Where there are any.
        """
        finite = np.isfinite(values)
        known = np.where(finite & seen, values, self.high)
        # divided first, as the difference of the two ends may overflow
        if self.logarithmic:
            share = np.log(np.maximum(known, self.low) / self.low) / np.log(self.high / self.low)
        else:
            share = (known / self.high - self.low / self.high) / (1 - self.low / self.high)
        levels = np.rint(np.clip(share, 0, 1) * (_LEVELS - 1)).astype(np.uint8) + len(_SPECIAL)
        pixels = np.where(seen, np.where(finite, levels, _NOT_FINITE), _UNSEEN).astype(np.uint8)
        return data_uri(pixels, (*_SPECIAL, *self.colours))

    def strip(self) -> str:
        """Return all colours side by side, for a legend."""
        places = np.arange(_LEVELS, dtype=np.uint8)[None, :]
        return data_uri(places, self.colours, transparent=False)


def _ramp(anchors: tuple[Colour, ...]) -> tuple[Colour, ...]:
    at = np.linspace(0, len(anchors) - 1, _LEVELS)
    channels = [np.interp(at, range(len(anchors)), [anchor[k] for anchor in anchors]) for k in range(3)]
    return tuple((round(float(r)), round(float(g)), round(float(b))) for r, g, b in zip(*channels, strict=True))
