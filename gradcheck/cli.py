"""The command line. Heavy modules are imported inside the commands, so that ``--help`` stays quick."""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck._version import __version__
from gradcheck.commands.compare import compare
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
from gradcheck.commands.train import train
from gradcheck.config import Options
from gradcheck.errors import GradcheckError

if TYPE_CHECKING:
    from gradcheck.report.record import Report
    from gradcheck.script.result import ScriptResult


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXITS)
@click.version_option(__version__, prog_name="gradcheck", message="%(prog)s %(version)s")
def cli() -> None:
    """Find the mistake in a hand-written gradient.

    Start with: gradcheck demo
    """


@cli.command(epilog=EXITS)
@click.argument("paths", nargs=-1, required=True, metavar="PATH... [-- SCRIPT_ARGUMENTS...]")
@check_settings
@click.option("--workers", type=int, default=1, metavar="N", help="Check N scripts at the same time. [default: 1]")
@click.option("--fix/--no-fix", default=None, help="Search for what mends a wrong gradient. [default: --fix]")
@click.option("--select", metavar="CODE,...", help="Show findings whose codes begin so. [default: all]")
@click.option("--ignore", metavar="CODE,...", help="Leave out findings whose codes begin so. [default: none]")
@click.option("-k", "only", metavar="NAME", help="Check the scripts whose path contains NAME.")
@click.option("--strict", is_flag=True, help="Count what is inconclusive as a mismatch.")
@click.option("--exit-zero", is_flag=True, help="End with 0 although there are mismatches.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), help="Output format. [default: text]")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write to FILE.")
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
    if flags["workers"] < 1:
        raise click.UsageError(f"--workers: expected a number of at least 1, got {flags['workers']}")
    options = options_of(flags, script_arguments)
    refuse_unwritable(flags["output"])
    report = _check_all(paths, options, flags)
    _write(report, flags)
    context.exit(int(report.exit_code(strict=flags["strict"], exit_zero=flags["exit_zero"])))


@cli.command(epilog=EXITS)
@click.argument("paths", nargs=-1, required=True, metavar="PATH [-- SCRIPT_ARGUMENTS...]")
@check_settings
@click.option("--write", is_flag=True, help="Write the fix into the file, and check it again.")
@click.pass_context
def fix(context: click.Context, /, paths: tuple[str, ...], write: bool, **flags: Any) -> None:
    """Show what mends the gradients of a script or a notebook, as a unified diff.

    Only a fix that was verified at fresh points is shown. With --write it replaces the lines in the file, which keeps
    everything else byte for byte; if the gradients are not right then, the file is put back as it was.
    """
    from gradcheck import standard_input
    from gradcheck.mend import find_fix, write_fix
    from gradcheck.report.text import sentence

    paths, script_arguments = arguments_at_dashes(context, paths)
    if len(paths) != 1:
        raise click.UsageError(f"expected one PATH, got {len(paths)}")
    path, function = target_of(paths[0])
    options = narrowed(options_of(flags, script_arguments), function)
    if write:
        standard_input.keep(path)
    found = find_fix(path, options)
    click.echo(sentence(found.result), err=True)
    if not found.edits:
        if found.result.verdict == "mismatch":
            click.echo(f"no edit was verified; gradcheck run {path} shows what was found", err=True)
        context.exit(int(_exit_code(found.result)))
    click.echo(found.diff, nl=False)  # bytes: the lines keep their encoding and their ends
    if not write:
        click.echo(f"verified at fresh points; gradcheck fix {path} --write changes the file", err=True)
        context.exit(int(_exit_code(found.result)))
    standard_input.rewind()
    after = write_fix(found, options)
    count = len(found.edits)
    click.echo(f"changed {count} line{'' if count == 1 else 's'}, and checked again: {sentence(after)}", err=True)
    context.exit(int(_exit_code(after)))


@cli.command()
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """Show the page of a finding's code, such as GC202; without one, list them all."""
    from gradcheck.diagnosis.registry import rule, rules
    from gradcheck.report.explanation import page

    if code is None:
        for known in rules().values():
            click.echo(f"{known.code}  {known.name:30} {known.summary}")
        return
    text = page(rule(code))
    screen = console()
    if screen.is_terminal:
        from rich.markdown import Markdown

        screen.print(Markdown(text))
    else:
        click.echo(text, nl=False)


@cli.command()
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def demo(force: bool) -> None:
    """Write an example with wrong gradients, and say what to type next."""
    from gradcheck.demo import FILE_NAME, TEXT

    target = Path(FILE_NAME)
    if target.exists() and not force:
        raise click.UsageError(f"{target} exists already; gradcheck demo --force overwrites it")
    try:
        target.write_text(TEXT, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"cannot write {target}: {error.strerror}") from None
    click.echo(
        f"wrote {target}: a network with one hidden neuron that does not learn\nnow type: gradcheck run {target}"
    )


for command in (compare, train):
    cli.add_command(command)


def main() -> None:
    """Run the command line; the exit codes are those of the documentation, also on Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a letter that the terminal does not have is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    _exit_on_signals()
    try:
        code = cli.main(standalone_mode=False, prog_name="gradcheck")
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = 2
    except click.UsageError as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = 130
    except (click.ClickException, GradcheckError) as error:
        click.echo(f"gradcheck: {error.message}", err=True)
        code = 2
    except BrokenPipeError:
        # the reader has seen enough (`| head`); nothing more can be written there
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    raise SystemExit(code or 0)


def _exit_on_signals() -> None:
    """Leave by an exception when we are told to end, so that what is running is ended on the way out."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
            signal.signal(number, lambda received, _: sys.exit(128 + received))


def _check_all(paths: tuple[str, ...], options: Options, flags: dict[str, Any]) -> Report:
    from gradcheck.api import prepare
    from gradcheck.batch import run_all
    from gradcheck.progress import Progress
    from gradcheck.report.record import Report

    jobs = [prepare(path, narrowed(options, function)) for path, function in _targets(paths, flags["only"])]
    workers = min(flags["workers"], len(jobs))
    with Progress(console(stderr=True), len(jobs), workers, show_output=flags["verbose"]) as progress:
        return Report(run_all(jobs, workers, progress))


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
    from gradcheck.report import json as json_report
    from gradcheck.report import text as text_report

    target: Path | None = flags["output"]
    form = flags["form"] or ("json" if target is not None and target.suffix == ".json" else "text")
    verbosity = -1 if flags["quiet"] else int(flags["verbose"])
    try:
        stream = target.open("w", encoding="utf-8") if target is not None else sys.stdout
    except OSError as error:
        raise click.UsageError(f"cannot write {target}: {error.strerror}") from None
    with stream if target is not None else nullcontext():
        if form == "json":
            print(json_report.render(report), file=stream)
        else:
            text_report.render(report, console(file=stream), verbosity=verbosity)
    if not flags["quiet"]:
        click.echo(text_report.summary(report) if report.scripts else "nothing to check", err=True)


def _exit_code(result: ScriptResult) -> int:
    from gradcheck.report.record import Report

    return Report((result,)).exit_code()
