"""A loss curve as lines of text, for terminals, pipes and logs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

_BLOCKS = " ▁▂▃▄▅▆▇█"
_PLAIN = "     ####"
# beyond this ratio of the largest and the smallest loss, the curve is one of their logarithms
_WIDE = 20.0


def curve(
    losses: Sequence[float],
    *,
    width: int = 60,
    height: int = 8,
    plain: bool = False,
    title: str = "loss by epoch",
    last: int | None = None,
) -> list[str]:
    """Draw losses of epochs as columns; where there are more of them than columns, a column is a mean."""
    columns = _means(losses, width)
    low, high = min(columns), max(columns)
    logarithmic = low > 0 and high / low > _WIDE
    scale = math.log if logarithmic else float
    bottom, top = scale(low), scale(high)
    # the lowest column has one eighth: there is a loss, though a small one
    levels = [
        1 + round((scale(c) - bottom) / (top - bottom) * (8 * height - 1)) if top > bottom else 1 for c in columns
    ]
    blocks = _PLAIN if plain else _BLOCKS
    lines = []
    for row in reversed(range(height)):
        label = f"{high:.3g}" if row == height - 1 else f"{low:.3g}" if row == 0 else ""
        drawn = "".join(blocks[min(max(level - 8 * row, 0), 8)] for level in levels)
        lines.append(f"{label:>9} |{drawn}".rstrip())
    if plain and height:
        lines[-1] = f"{lines[-1][:11]}{'#' * len(levels)}"
    ends = f"1{last or len(losses):>{max(len(levels) - 1, 1)}}" if len(losses) > 1 else "1"
    scaled = ", logarithmic" if logarithmic else ""
    return [f"{title}{scaled}", *lines, f"{'':11}{ends}"]


def _means(values: Sequence[float], count: int) -> list[float]:
    """Return at most so many means of neighbours."""
    if len(values) <= count:
        return list(values)
    ends = [len(values) * i // count for i in range(count + 1)]
    return [math.fsum(values[a:b]) / (b - a) for a, b in itertools.pairwise(ends)]
