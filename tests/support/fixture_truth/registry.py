"""The stretches by the names of their scripts, and formulas that many losses share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .stretch import Stretch

STRETCHES: dict[str, Stretch] = {}
NOTEBOOKS: dict[str, Stretch] = {}
LONG: dict[str, Stretch] = {}


def stretch(
    start: str,
    names: str,
    gradients: str | None = None,
    registry: dict[str, Stretch] = STRETCHES,
    **options: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a loss under its own name, that of the script.

    Parameters
    ----------
    start : str
        As in `Stretch`.
    names, gradients : str
        As in `Stretch`, with blanks between them.
    registry : dict
        Where to.
    **options
        Further fields of a `Stretch`; ``hidden`` with blanks between the names.
    """
    hidden = frozenset(options.pop("hidden", "").split())
    expressions = None if gradients is None else gradients.split()

    def register(loss: Callable[..., Any]) -> Callable[..., Any]:
        registry[loss.__name__] = Stretch(loss, start, names.split(), gradients=expressions, hidden=hidden, **options)
        return loss

    return register


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def binary_cross_entropy(z: Any, y: Any) -> Any:
    """Cross-entropy of every sample, from the argument of the sigmoid."""
    return np.log1p(np.exp(z)) - y * z


def cross_entropy(scores: Any, labels: Any) -> Any:
    """Cross-entropy of every row of scores after a softmax."""
    return np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(labels)), labels]
