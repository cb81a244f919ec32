"""Tests that check a script as it is, pinned to what was understood, so that they cannot check something else later."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gradcheck.scaffold.layout import Group, Item, Quote, laid_out, names_tuple, quoted
from gradcheck.scaffold.target import Target, function_name
from gradcheck.session.usage import Usage
from gradcheck.settings import Options

# what a test is handed as it is, where the user has said it
_PASSED_ON = ("argv", "call", "points", "seed", "rtol", "atol", "method", "timeout", "memory", "isolated")


@dataclass(frozen=True)
class Pins:
    """What a test says about one model; None for what it leaves to be found."""

    backward: str | None
    loss: str | None
    params: tuple[str, ...] | None

    def options(self, options: Options) -> Options:
        """Return the settings with these pins."""
        return replace(options, backward=self.backward, loss=self.loss, params=self.params)


def possible_pins(usage: Usage) -> list[Pins]:
    """Return what may be said about a model, the most first."""
    backward, loss, params = usage.backward, usage.loss, usage.parameters
    found = [Pins(backward, loss, params), Pins(backward, None, params), Pins(None, loss, params)]
    return list(dict.fromkeys([*found, Pins(None, None, params), Pins(backward, None, None)]))


def pinned_test(target: Target, pins: Sequence[Pins], options: Options) -> str:
    """Return the text of a test file that checks a script as it is."""
    lines = [target.docstring, "", "from pathlib import Path", ""]
    if len(pins) > 1:
        lines += ["import pytest", ""]
    lines += [*laid_out(f"SCRIPT = {target.script_expression}"), "", ""]
    settings = tuple(_settings(options))
    if len(pins) == 1:
        lines += [f"def test_{_name(target, pins[0])}(gradcheck):"]
        lines += laid_out(Group("gradcheck.script(", ("SCRIPT", *_said(pins[0]), *settings), ")"), 1)
        return "\n".join([*lines, ""])
    names = [name for name in ("backward", "loss", "params") if any(getattr(p, name) is not None for p in pins)]
    cases = tuple(_case(one, names, ident) for one, ident in zip(pins, _idents(pins), strict=True))
    lines += laid_out(Group("@pytest.mark.parametrize(", (names_tuple("", tuple(names)), _list(cases)), ")"))
    lines += [f"def test_{target.word}(gradcheck, {', '.join(names)}):"]
    handed = tuple(f"{name}={name}" for name in names)
    lines += laid_out(Group("gradcheck.script(", ("SCRIPT", *handed, *settings), ")"), 1)
    return "\n".join([*lines, ""])


def _list(items: tuple[Item, ...]) -> Group:
    return Group("[", items, "]", is_display=True)


def _said(pins: Pins) -> Iterator[Item]:
    if pins.backward is not None:
        yield Quote("backward=", pins.backward)
    if pins.loss is not None:
        yield Quote("loss=", pins.loss)
    if pins.params is not None:
        yield names_tuple("params=", pins.params)


def _case(pins: Pins, names: Sequence[str], ident: str) -> Group:
    values = [getattr(pins, name) for name in names]
    items = tuple(
        "None" if value is None else Quote("", value) if isinstance(value, str) else names_tuple("", value)
        for value in values
    )
    return Group("pytest.param(", (*items, f"id={quoted(ident)}"), ")")


def _idents(pins: Sequence[Pins]) -> list[str]:
    """Return what the models are called in the list of tests: by their functions where that tells them apart."""
    by_function = [one.backward or "" for one in pins]
    if all(by_function) and len(set(by_function)) == len(pins):
        return [re.sub(r"[\[\]]", ".", name) for name in by_function]
    return ["-".join(re.findall(r"\w+", " ".join(one.params or ()))) or str(n) for n, one in enumerate(pins, 1)]


def _name(target: Target, pins: Pins) -> str:
    return target.word if pins.backward is None else function_name(pins.backward)


def _settings(options: Options) -> Iterator[Item]:
    empty = Options()
    for name in _PASSED_ON:
        value = getattr(options, name)
        if value != getattr(empty, name):
            yield names_tuple(f"{name}=", value) if isinstance(value, tuple) else f"{name}={_literal(value)}"


def _literal(value: object) -> str:
    return quoted(value) if isinstance(value, str) else repr(value)
