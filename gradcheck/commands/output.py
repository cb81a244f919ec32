"""What ``gradcheck run`` writes: the report, pictures, and the page of a job on GitHub."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gradcheck.commands.shared import console
from gradcheck.errors import UsageError
from gradcheck.report.formats import encoded, format_of, write

if TYPE_CHECKING:
    from gradcheck.session.report import Report

T = TypeVar("T")
# where a job of GitHub's collects what its page shows
_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def chosen_format(flags: dict[str, Any]) -> str:
    """Return the output format that the flags ask for."""
    target: Path | None = flags["output"]
    if flags["form"] or target is None:
        return flags["form"] or "text"
    return _usage(lambda: format_of(target))


def write_report(report: Report, flags: dict[str, Any]) -> None:
    """Write a report where the flags say, and the counts to standard error."""
    from gradcheck.report import text as text_report

    target: Path | None = flags["output"]
    form = chosen_format(flags)
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


def draw(report: Report, path: Path) -> None:
    """Draw each script of a report into a file, and say which."""
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


def _usage(call: Callable[[], T]) -> T:
    try:
        return call()
    except UsageError as error:
        raise click.UsageError(error.message) from None
