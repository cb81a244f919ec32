"""``gradcheck run`` checks the gradients of scripts and notebooks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gradcheck.commands.jobs import check, resumed, targets_in, workers_of
from gradcheck.commands.output import chosen_format, draw, write_report
from gradcheck.commands.shared import EXITS, arguments_at_dashes, check_settings, options_of, refuse_unwritable
from gradcheck.commands.watched import check_again_and_again
from gradcheck.report.formats import NAMES


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
@click.option(
    "--strict", is_flag=True, help="Count what is inconclusive, and a constant factor of all gradients, as a mismatch."
)
@click.option("--exit-zero", is_flag=True, help="End with 0 although there are mismatches.")
@click.option("--watch", is_flag=True, help="Check again what is saved, until Ctrl-C; says what has changed.")
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

    With --watch, a script is checked again when it, a local module that it imports, or pyproject.toml is saved. Ctrl-C
    ends that with 130, whatever was found.
    """
    from gradcheck.session.report import Report

    paths, script_arguments = arguments_at_dashes(context, paths)
    if not paths:
        raise click.UsageError("expected at least one PATH before --")
    flags["workers"] = workers_of(flags["workers"])
    options = options_of(flags, script_arguments)
    form = chosen_format(flags)
    for written in (flags["output"], flags["plot"]):
        refuse_unwritable(written)
    if flags["plot"] is not None:
        from gradcheck.report.plot import require_format

        require_format(flags["plot"])
    # the pictures show how the differences depend on their steps
    options = replace(options, curves=form == "html" or flags["plot"] is not None, strict=flags["strict"])
    targets = targets_in(paths, flags["only"])
    options = resumed(options, flags["resume"], targets)
    if flags["watch"]:
        check_again_and_again(paths, options, flags)
    report = Report(check(targets, options, flags))
    write_report(report, flags)
    if flags["plot"] is not None:
        draw(report, flags["plot"])
    context.exit(int(report.exit_code(strict=flags["strict"], exit_zero=flags["exit_zero"])))
