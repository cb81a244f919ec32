"""Which objects are the script's own, whose attributes are its variables; and which lists are histories of a run."""

from __future__ import annotations

import argparse
import functools
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.script.record.modules import LinkedModule

# what has more parts is a history: of the values of parameters, say, and none of them is a parameter
LONGEST = 4096
_PLAIN = (types.SimpleNamespace, argparse.Namespace)


def own_attributes(value: object) -> dict[str, Any] | None:
    """Return the attributes of an instance of one of the script's classes; None for all other objects.

    Classes of its other modules, and of what lies beside it, count as its own. The insides of a figure, a data frame
    or a logger are nobody's parameters, and not ours to put back.
    """
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return None
    if isinstance(value, _PLAIN) or any(_is_own(kind.__module__) for kind in type(value).__mro__[:-1]):
        return vars(value)
    return None


def is_history(value: object) -> bool:
    """Whether a value is a long list of nothing but arrays of numbers: they are many, so they are handled as one."""
    if type(value) is not list or len(value) <= LONGEST:
        return False
    return all(type(item) is np.ndarray and item.dtype != object for item in value)


def _is_own(module: str) -> bool:
    if module == "__main__":
        return True
    if isinstance(sys.modules.get(module), LinkedModule):
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return bool(file and main) and _is_beside(str(file), str(main))


@functools.cache
def _is_beside(file: str, main: str) -> bool:
    return "site-packages" not in file and Path(main).parent in Path(file).parents
