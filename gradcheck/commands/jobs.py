"""Which scripts ``gradcheck run`` checks, and by how many processes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.commands.shared import console, narrowed, target_of
from gradcheck.errors import ScriptError, UsageError

if TYPE_CHECKING:
    from gradcheck.api import Job
    from gradcheck.session.result import ScriptResult
    from gradcheck.settings import Options

# a script, and the function that it is narrowed to
Target = tuple[str, str | None]


def targets_in(paths: tuple[str, ...], only: str | None) -> list[Target]:
    """Return the scripts to check, each with the function it is narrowed to."""
    from gradcheck.batch import scripts_below

    found: list[Target] = []
    for text in paths:
        path, function = target_of(text)
        inside = map(str, scripts_below(Path(path))) if Path(path).is_dir() else (path,)
        found += [(script, function) for script in inside]
    return [target for target in found if only is None or only in target[0]]


def check(
    targets: Sequence[Target], options: Options, flags: dict[str, Any], *, lenient: bool = False
) -> tuple[ScriptResult, ...]:
    """Check scripts, with their progress on a terminal."""
    from gradcheck.batch import run_all, run_elsewhere
    from gradcheck.commands.progress import Progress

    wanted = flags["workers"]
    at_once = min(wanted, len(targets)) if isinstance(wanted, int) else 1
    if isinstance(wanted, int):
        options = replace(options, workers=max(wanted // max(at_once, 1), 1))
    jobs = [_job(target, options, lenient=lenient) for target in targets]
    with Progress(console(stderr=True), len(jobs), at_once, show_output=flags["verbose"]) as progress:
        return run_all(jobs, at_once, progress) if isinstance(wanted, int) else run_elsewhere(jobs, wanted)


def resumed(options: Options, file: Path | None, targets: Sequence[Target]) -> Options:
    """Return settings with the file of evaluations."""
    if file is None:
        return options
    if len(targets) > 1:
        raise click.UsageError(f"--resume: expected one script, got {len(targets)}: each needs a file of its own")
    return replace(options, resume=str(file))


def _job(target: Target, options: Options, *, lenient: bool) -> Job:
    from gradcheck.api import Job, prepare

    path, function = target
    try:
        return prepare(path, narrowed(options, function))
    except UsageError as error:
        if not lenient:
            raise
        return Job(path, error=ScriptError(error.message, slug="bad-setting"))


def workers_of(text: str) -> Any:
    """Return a number of processes, or what an import path names."""
    module, _, name = text.partition(":")
    if text.isdecimal() and int(text) > 0:
        return int(text)
    if not name:
        raise click.UsageError(f"--workers: expected a number of at least 1 or MODULE:NAME, got {text}")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return attrgetter(name)(import_module(module))
    except Exception as error:  # noqa: BLE001 - the module is the user's
        raise click.UsageError(f"--workers: cannot import {text}: {type(error).__name__}: {error}") from None
    finally:
        sys.path.pop(0)
