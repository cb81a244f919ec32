"""``gradcheck run`` checks the gradients of scripts and notebooks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from gradcheck.errors import ScriptError, UsageError
from gradcheck.report.formats import FORMATS, NAMES, format_of

if TYPE_CHECKING:
    from rich.console import Console

    from gradcheck.api import Job
    from gradcheck.config import Options
    from gradcheck.report.record import Report
    from gradcheck.script.result import ScriptResult
    from gradcheck.watch import Round

# the width of the line between two checks of --watch
_RULE = 80


@click.command(epilog=EXITS)
@click.argument("paths", nargs=-1, required=True, metavar="PATH... [-- SCRIPT_ARGUMENTS...]")
@check_settings
@click.option("--workers", type=int, default=1, metavar="N", help="Check N scripts at the same time. [default: 1]")
@click.option("--fix/--no-fix", default=None, help="Search for what mends a wrong gradient. [default: --fix]")
@click.option("--select", metavar="CODE,...", help="Show findings whose codes begin so. [default: all]")
@click.option("--ignore", metavar="CODE,...", help="Leave out findings whose codes begin so. [default: none]")
@click.option("-k", "only", metavar="NAME", help="Check the scripts whose path contains NAME.")
@click.option("--strict", is_flag=True, help="Count what is inconclusive as a mismatch.")
@click.option("--exit-zero", is_flag=True, help="End with 0 although there are mismatches.")
@click.option("--watch", is_flag=True, help="Check again what is saved, until Ctrl-C; says what has changed.")
@click.option("--format", "form", type=click.Choice(NAMES), help="Output format. [default: text]")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write to FILE.")
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
    from gradcheck.report.record import Report

    paths, script_arguments = arguments_at_dashes(context, paths)
    if not paths:
        raise click.UsageError("expected at least one PATH before --")
    if flags["workers"] < 1:
        raise click.UsageError(f"--workers: expected a number of at least 1, got {flags['workers']}")
    options = options_of(flags, script_arguments)
    refuse_unwritable(flags["output"])
    if flags["watch"]:
        _check_again_and_again(paths, options, flags)
    report = Report(_check(_jobs(_targets(paths, flags["only"]), options), flags))
    _write(report, flags)
    context.exit(int(report.exit_code(strict=flags["strict"], exit_zero=flags["exit_zero"])))


def _jobs(targets: Sequence[tuple[str, str | None]], options: Options, *, lenient: bool = False) -> list[Job]:
    """Read scripts and settle their settings; with `lenient`, a wrong setting is an error of the script."""
    from gradcheck.api import Job, prepare

    found = []
    for path, function in targets:
        try:
            found.append(prepare(path, narrowed(options, function)))
        except UsageError as error:
            if not lenient:
                raise
            found.append(Job(path, error=ScriptError(error.message, slug="bad-setting")))
    return found


def _check(jobs: Sequence[Job], flags: dict[str, Any]) -> tuple[ScriptResult, ...]:
    from gradcheck.batch import run_all
    from gradcheck.progress import Progress

    workers = min(flags["workers"], len(jobs))
    with Progress(console(stderr=True), len(jobs), workers, show_output=flags["verbose"]) as progress:
        return run_all(jobs, workers, progress)


def _check_again_and_again(paths: tuple[str, ...], options: Options, flags: dict[str, Any]) -> None:
    """Check all scripts, and then those that are saved; it ends with Ctrl-C, or at once where there are none."""
    from gradcheck import standard_input
    from gradcheck.report.record import Report
    from gradcheck.watch import Target, Watch, require_watchfiles, rounds

    require_watchfiles()

    def targets() -> list[Target]:
        return _targets(paths, flags["only"])

    def check(some: Sequence[Target]) -> tuple[ScriptResult, ...]:
        standard_input.rewind()
        return _check(_jobs(some, options, lenient=bool(watch.results)), flags)

    for path, _ in targets():
        standard_input.keep(path)
    watch = Watch(targets, check)
    screen = console(stderr=flags["output"] is not None or _format(flags) != "text")
    for number, found in enumerate(rounds(watch)):
        _announce(found, screen, is_first=not number)
        # a file has everything, the screen what is news
        whole = flags["output"] is not None
        if found.results or whole:
            _write(Report(watch.report if whole else found.results), flags)
        sys.stdout.flush()


def _announce(found: Round, screen: Console, *, is_first: bool) -> None:
    """Write a rule with the time, and what is different from the last time."""
    from gradcheck.report.snippet import show_line
    from gradcheck.watch import clock

    head = f"---- {clock()} {', '.join(found.saved or found.gone)} "
    show_line(screen, head.ljust(_RULE, "-"))
    for name in found.gone:
        show_line(screen, f"{name} is gone; waiting for it to come back")
    for said in found.changed:
        show_line(screen, said)
    if found.saved and not is_first and not found.changed:
        show_line(screen, "nothing has changed in what was found")
    show_line(screen, "")


def _targets(paths: tuple[str, ...], only: str | None) -> list[tuple[str, str | None]]:
    """Return the scripts to check, each with the function it is narrowed to."""
    from gradcheck.batch import scripts_below

    found: list[tuple[str, str | None]] = []
    for text in paths:
        path, function = target_of(text)
        inside = map(str, scripts_below(Path(path))) if Path(path).is_dir() else (path,)
        found += [(script, function) for script in inside]
    return [target for target in found if only is None or only in target[0]]


def _write(report: Report, flags: dict[str, Any]) -> None:
    from gradcheck.report import text as text_report

    target: Path | None = flags["output"]
    form = _format(flags)
    verbosity = -1 if flags["quiet"] else int(flags["verbose"])
    try:
        stream = target.open("w", encoding="utf-8") if target is not None else sys.stdout
    except OSError as error:
        raise click.UsageError(f"cannot write {target}: {error.strerror}") from None
    with stream if target is not None else nullcontext():
        if form == "text":
            text_report.render(report, console(file=stream), verbosity=verbosity)
        else:
            print(FORMATS[form].render(report), file=stream)
    if not flags["quiet"]:
        click.echo(text_report.summary(report) if report.scripts else "nothing to check", err=True)


def _format(flags: dict[str, Any]) -> str:
    target: Path | None = flags["output"]
    name: str = flags["form"] or (format_of(target) if target is not None else "text")
    return name
