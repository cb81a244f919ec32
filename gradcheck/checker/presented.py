"""How records show themselves: what draws and prints them stands above, and is looked up when it is called."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def presenter(module: str, name: str) -> Callable[..., Any]:
    """Return a function of ``gradcheck.report``: pandas and matplotlib are loaded with it, and not before."""
    found: Callable[..., Any] = getattr(import_module(f"gradcheck.report.{module}"), name)
    return found
