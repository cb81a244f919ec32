"""The settings of a test, and which of them wins: its call, its marker, the command line, the ini file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gradcheck.errors import UsageError
from gradcheck.settings import Options, from_texts

NAMES = ("rtol", "atol", "points", "seed", "method", "timeout")
_LISTS = ("params", "select", "ignore", "argv", "call")


def of_command_line(config: pytest.Config) -> Options:
    """Return the settings of the command line."""
    texts = {name: config.getoption(f"gradcheck_{name}") for name in NAMES}
    return _each(texts, "--gradcheck-{}")


def of_ini_file(config: pytest.Config) -> Options:
    """Return the settings of the ini file."""
    texts = {name: config.getini(f"gradcheck_{name}") for name in NAMES}
    return _each(texts, ini_place(config, "{}"))


def ini_place(config: pytest.Config, name: str) -> str:
    """Return where a setting of the ini file stands, for a message; without such a file, it is one of ``-o``."""
    return f"gradcheck_{name}" + (f" in {config.inipath}" if config.inipath else "")


def of_markers(node: pytest.Item) -> Options:
    """Return the settings of a test's markers, the nearest first."""
    __tracebackhide__ = True
    options = Options()
    for marker in node.iter_markers("gradcheck"):
        place = f"{node.nodeid}: the marker gradcheck"
        unknown = [*map(repr, marker.args), *(name for name in marker.kwargs if name not in NAMES)]
        if unknown:
            raise pytest.UsageError(f"{place}: expected the keywords {', '.join(NAMES)}, got {', '.join(unknown)}")
        try:
            options = options.over(from_values(marker.kwargs, place))
        except UsageError as error:
            raise pytest.UsageError(error.message) from None
    return options


def from_values(values: Mapping[str, Any], place: str) -> Options:
    """Return settings that are given as Python values; None stands for "not said here"."""
    texts = {name: value for name, value in values.items() if value is not None}
    lists: dict[str, Any] = {
        name: tuple(map(str, texts.pop(name))) for name in _LISTS if isinstance(texts.get(name), list | tuple)
    }
    isolated = bool(texts.pop("isolated", False))
    if "argv" in texts:
        raise UsageError(f"{place}: argv: expected a list of texts, got {texts['argv']!r}")
    options = from_texts({name: str(value) for name, value in texts.items()}, place)
    try:
        return replace(options, isolated=isolated, **lists)
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}") from None


def _each(texts: Mapping[str, str | None], place: str) -> Options:
    options = Options()
    for name, text in texts.items():
        if text is not None:
            try:
                options = options.over(from_texts({name: text}, place.format(name)))
            except UsageError as error:
                raise pytest.UsageError(error.message) from None
    return options
