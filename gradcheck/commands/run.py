"""``gradcheck run`` checks the gradients of scripts and notebooks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gradcheck.commands.shared import (
    EXITS,
    arguments_at_dashes,
    check_settings,
    console,
    narrowed,
    options_of,
    refuse_unwritable,
    target_of,
)
from gradcheck.errors import UsageError
from gradcheck.report.formats import NAMES, encoded, format_of, write

if TYPE_CHECKING:
    from gradcheck.config import Options
    from gradcheck.report.record import Report

T = TypeVar("T")
# where a job of GitHub's collects what its page shows
_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


@click.command(epilog=EXITS)
@click.argument("paths", nargs=-1, required=True, metavar="PATH... [-- SCRIPT_ARGUMENTS...]")
@check_settings
@click.option(
    "--workers",
    default="1",
    metavar="N|MODULE:NAME",
    help="Use N processes, or what works like map: a pool, a cluster's client. [default: 1]",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Go on from FILE, into which evaluations are written; for one script.",
)
@click.option("--fix/--no-fix", default=None, help="Search for what mends a wrong gradient. [default: --fix]")
@click.option("--select", metavar="CODE,...", help="Show findings whose codes begin so. [default: all]")
@click.option("--ignore", metavar="CODE,...", help="Leave out findings whose codes begin so. [default: none]")
@click.option("-k", "only", metavar="NAME", help="Check the scripts whose path contains NAME.")
@click.option("--strict", is_flag=True, help="Count what is inconclusive as a mismatch.")
@click.option("--exit-zero", is_flag=True, help="End with 0 although there are mismatches.")
@click.option(
    "--format", "form", type=click.Choice(NAMES), help="Output format. [default: that of the suffix of FILE, else text]"
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write to FILE.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw into FILE (.png, .svg, .pdf)."
)
@click.option("-q", "--quiet", is_flag=True, help="One line per script.")
@click.option("-v", "--verbose", is_flag=True, help="Show how a script was understood, and what it prints.")
@click.pass_context
def run(context: click.Context, /, paths: tuple[str, ...], **flags: Any) -> None:
    """Check the gradients of scripts and notebooks.

    A PATH is a script (.py), a notebook (.ipynb), a folder of them, or PATH::FUNCTION for one backward function. What
    follows -- is the script's own argument list; what is piped in is its standard input.
    """
    paths, script_arguments = arguments_at_dashes(context, paths)
    if not paths:
        raise click.UsageError("expected at least one PATH before --")
    flags["workers"] = _workers(flags["workers"])
    options = options_of(flags, script_arguments)
    form = _format(flags)
    for written in (flags["output"], flags["plot"]):
        refuse_unwritable(written)
    if flags["plot"] is not None:
        from gradcheck.report.plot import require_format

        require_format(flags["plot"])
    # the pictures show how the differences depend on their steps
    options = replace(options, curves=form == "html" or flags["plot"] is not None)
    report = _check_all(paths, options, flags)
    _write(report, form, flags)
    if flags["plot"] is not None:
        _draw(report, flags["plot"])
    context.exit(int(report.exit_code(strict=flags["strict"], exit_zero=flags["exit_zero"])))


def _check_all(paths: tuple[str, ...], options: Options, flags: dict[str, Any]) -> Report:
    from gradcheck.api import prepare
    from gradcheck.batch import run_all, run_elsewhere
    from gradcheck.progress import Progress
    from gradcheck.report.record import Report

    targets = _targets(paths, flags["only"])
    if flags["resume"] is not None:
        if len(targets) > 1:
            raise click.UsageError(f"--resume: expected one script, got {len(targets)}: each needs a file of its own")
        options = replace(options, resume=str(flags["resume"]))
    wanted = flags["workers"]
    workers = min(wanted, len(targets)) if isinstance(wanted, int) else 1
    if isinstance(wanted, int):
        options = replace(options, workers=max(wanted // max(workers, 1), 1))
    jobs = [prepare(path, narrowed(options, function)) for path, function in targets]
    with Progress(console(stderr=True), len(jobs), workers, show_output=flags["verbose"]) as progress:
        if not isinstance(wanted, int):
            return Report(run_elsewhere(jobs, wanted))
        return Report(run_all(jobs, workers, progress))


def _workers(text: str) -> Any:
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


def _targets(paths: tuple[str, ...], only: str | None) -> list[tuple[str, str | None]]:
    """Return the scripts to check, each with the function it is narrowed to."""
    from gradcheck.batch import scripts_below

    found: list[tuple[str, str | None]] = []
    for text in paths:
        path, function = target_of(text)
        inside = map(str, scripts_below(Path(path))) if Path(path).is_dir() else (path,)
        found += [(script, function) for script in inside]
    return [target for target in found if only is None or only in target[0]]


def _write(report: Report, form: str, flags: dict[str, Any]) -> None:
    from gradcheck.report import text as text_report

    target: Path | None = flags["output"]
    verbosity = -1 if flags["quiet"] else int(flags["verbose"])
    if target is not None:
        _usage(lambda: write(report, target, form, verbosity=verbosity))
    elif form == "text":
        text_report.render(report, console(file=sys.stdout), verbosity=verbosity)
    else:
        # what a program reads is UTF-8, whatever the terminal has
        click.echo(encoded(report, form), nl=False)
    if form == "github":
        _append_summary(report)
    if not flags["quiet"]:
        click.echo(text_report.summary(report) if report.scripts else "nothing to check", err=True)


def _draw(report: Report, path: Path) -> None:
    from gradcheck.report.plot import files_for, plot_script, save

    for script, file in zip(report.scripts, files_for(report.scripts, path), strict=True):
        if script.check is None:
            click.echo(f"no picture of {script.path}: nothing was compared", err=True)
        else:
            save(plot_script(script), file)
            click.echo(f"wrote {file}", err=True)


def _append_summary(report: Report) -> None:
    """Add the report as Markdown to the page of the job, if this is one of GitHub's."""
    name = os.environ.get(_STEP_SUMMARY)
    if not name:
        return
    from gradcheck.report.markdown import LIMIT, within

    try:
        with Path(name).open("ab") as file:
            # a blank line ends it, so that what comes after is not part of it
            if shown := within(report, LIMIT - file.tell() - 2):
                file.write(f"{shown}\n\n".encode("utf-8", "backslashreplace"))
    except OSError as error:
        # the page is an extra; what was found stays what the exit code says
        click.echo(f"cannot write the summary of the job, {name}: {error.strerror}", err=True)


def _format(flags: dict[str, Any]) -> str:
    """Return the output format; a file whose name stands for none is told before anything runs."""
    target: Path | None = flags["output"]
    if flags["form"] or target is None:
        return flags["form"] or "text"
    return _usage(lambda: format_of(target))


def _usage(call: Callable[[], T]) -> T:
    try:
        return call()
    except UsageError as error:
        raise click.UsageError(error.message) from None
