"""What several commands need."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.errors import UsageError
from gradcheck.report.styles import LOG_WIDTH
from gradcheck.settings import METHODS, Options, names_in

if TYPE_CHECKING:
    from rich.console import Console

EXITS = """\b
Exit codes:
  0    every checked gradient matches
  1    at least one mismatch
  2    wrong usage
  3    a script could not be read, run or understood
  5    nothing to check
  130  interrupted
Several scripts: 1 beats 3 beats 0."""


_SETTINGS: tuple[Callable[[Any], Any], ...] = (
    click.option("--loss", metavar="NAME", help="The loss: a variable, a function, or an expression."),
    click.option("--backward", metavar="NAME", help="The function that returns the gradients."),
    click.option("--params", metavar="A,B,...", help="The parameters to check, separated by commas."),
    click.option(
        "--points", type=int, metavar="N", help="Check at N points, recorded and perturbed ones. [default: 4]"
    ),
    click.option("--seed", type=int, metavar="N", help="Seed of the perturbed points. [default: 0]"),
    click.option("--rtol", type=float, metavar="X", help="Relative tolerance. [default: by precision]"),
    click.option("--atol", type=float, metavar="X", help="Absolute tolerance. [default: 0]"),
    click.option("--method", type=click.Choice(METHODS), help="How to differentiate. [default: auto]"),
    click.option("--timeout", type=float, metavar="SECONDS", help="Time limit per script. [default: 60]"),
    click.option(
        "--max-evals", type=int, metavar="N", help="Evaluate the loss at most N times a point. [default: any]"
    ),
    click.option("--memory", type=int, metavar="MIB", help="Memory limit per script. [default: none]"),
    click.option(
        "--call",
        multiple=True,
        metavar="EXPR",
        help="Run EXPR when a script has been run, as if it stood at its end; may be given several times.",
    ),
    click.option("--cwd", metavar="DIR", help="Start scripts in this folder. [default: where they lie]"),
    click.option("--isolated", is_flag=True, help="Leave environment variables and pyproject.toml aside."),
)
# what the flags are called in the settings: those that are taken as they are, and those that are lists
_DIRECT = (
    "loss",
    "backward",
    "points",
    "seed",
    "rtol",
    "atol",
    "method",
    "timeout",
    "max_evals",
    "memory",
    "fix",
    "cwd",
    "isolated",
)
_LISTS = ("params", "select", "ignore")


def console(**settings: Any) -> Console:
    """Return a console that prints plain text as it is; settings are those of ``rich.console.Console``."""
    from rich.console import Console

    made = Console(highlight=False, markup=False, emoji=False, **settings)
    if not made.is_terminal:
        made.width = LOG_WIDTH
    return made


def refuse_unwritable(target: Path | None) -> None:
    """Say at once that a file could not be written, not after a minute's work."""
    if target is None:
        return
    folder = target.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise click.UsageError(f"cannot write {target}: {folder} is not a folder that can be written")


def check_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how a script is checked."""
    for option in reversed(_SETTINGS):
        command = option(command)
    return command


def arguments_at_dashes(context: click.Context, merged: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the paths, and what follows ``--``; click has merged them."""
    arguments = context.meta.get("gradcheck.evaluate.arguments", sys.argv[1:])
    after = tuple(arguments[arguments.index("--") + 1 :]) if "--" in arguments else ()
    return merged[: len(merged) - len(after)], after


def options_of(flags: dict[str, Any], argv: tuple[str, ...]) -> Options:
    """Return the settings that flags ask for."""
    lists: dict[str, Any] = {name: names_in(flags[name]) for name in _LISTS if flags.get(name) is not None}
    lists["call"] = flags.get("call") or None
    try:
        return Options(
            argv=argv,
            **lists,
            **{name: flags[name] for name in _DIRECT if name in flags},
        )
    except UsageError as error:
        raise click.UsageError(error.message) from None


def target_of(text: str) -> tuple[str, str | None]:
    """Return the path of ``PATH::FUNCTION``, and the function."""
    path, _, function = text.partition("::")
    return path, function or None


def narrowed(options: Options, function: str | None) -> Options:
    """Return the settings for one backward function, if one is named."""
    return options if function is None else replace(options, backward=function)


def widths(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """Read the widths of hidden layers, ``8,4``, or ``none``."""
    if text is None:
        return None
    try:
        found = tuple(int(part) for part in text.split(",") if text != "none")
    except ValueError:
        found = (0,)
    if any(width < 1 for width in found):
        raise click.BadParameter(f"expected whole numbers of at least 1, separated by commas, or none, got {text!r}")
    return found


def draws_blocks() -> bool:
    """Whether the standard output has the letters that curves are drawn with."""
    try:
        "█▁".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
