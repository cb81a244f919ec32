"""The order in which reports show what does not fit whole: the worst first."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gradcheck.checker.result import ParameterResult


def worst_first(parameters: Iterable[ParameterResult]) -> list[ParameterResult]:
    """Return parameters by verdict, then by relative error; NaN counts as the largest."""
    return sorted(parameters, key=lambda p: (-p.verdict.severity, -np.nan_to_num(p.max_rel_error, nan=np.inf)))


def shortened(text: str, most: int) -> str:
    """Return a text without its middle where it is longer than `most` characters: a path tells by its end."""
    if len(text) <= most:
        return text
    head = (most - 1) // 3
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"
