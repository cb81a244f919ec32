"""What a user's function calls its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

_PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def argument_names(function: Callable[..., Any], count: int) -> list[str]:
    """Return the names that a function's signature gives to its positional arguments."""
    parameters = _parameters(function)
    names = [parameter.name for parameter in parameters if parameter.kind in _PLAIN][:count]
    rest = next((p.name for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL), "args")
    return names + [f"{rest}[{i}]" for i in range(count - len(names))]


def positional_count(function: Callable[..., Any]) -> int:
    """Return how many positional arguments a function has; 0 where nobody knows."""
    return sum(parameter.kind in _PLAIN for parameter in _parameters(function))


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
