"""The command line. Heavy modules are imported inside the commands, so that ``--help`` stays quick."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck._version import __version__
from gradcheck.commands.shared import console, refuse_unwritable
from gradcheck.commands.train import train
from gradcheck.config import METHODS, Options, names_in
from gradcheck.errors import GradcheckError, UsageError

if TYPE_CHECKING:
    from gradcheck.report.record import Report
    from gradcheck.script.result import ScriptResult

_EXITS = """\b
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
    click.option("--memory", type=int, metavar="MIB", help="Memory limit per script. [default: none]"),
    click.option("--isolated", is_flag=True, help="Leave environment variables and pyproject.toml aside."),
)


def _settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how a script is checked."""
    for option in reversed(_SETTINGS):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXITS)
@click.version_option(__version__, prog_name="gradcheck", message="%(prog)s %(version)s")
def cli() -> None:
    """Find the mistake in a hand-written gradient.

    Start with: gradcheck demo
    """


@cli.command(epilog=_EXITS)
@click.argument("paths", nargs=-1, required=True, metavar="PATH... [-- SCRIPT_ARGUMENTS...]")
@_settings
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
    paths, script_arguments = _at_dashes(context, paths)
    if not paths:
        raise click.UsageError("expected at least one PATH before --")
    if flags["workers"] < 1:
        raise click.UsageError(f"--workers: expected a number of at least 1, got {flags['workers']}")
    options = _options(flags, script_arguments)
    refuse_unwritable(flags["output"])
    report = _check_all(paths, options, flags)
    _write(report, flags)
    context.exit(int(report.exit_code(strict=flags["strict"], exit_zero=flags["exit_zero"])))


@cli.command(epilog=_EXITS)
@click.argument("paths", nargs=-1, required=True, metavar="PATH [-- SCRIPT_ARGUMENTS...]")
@_settings
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

    paths, script_arguments = _at_dashes(context, paths)
    if len(paths) != 1:
        raise click.UsageError(f"expected one PATH, got {len(paths)}")
    path, function = _target(paths[0])
    options = _narrowed(_options(flags, script_arguments), function)
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


cli.add_command(train)


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


def _at_dashes(context: click.Context, merged: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the paths, and what follows ``--``; click has merged them."""
    arguments = context.meta.get("gradcheck.arguments", sys.argv[1:])
    after = tuple(arguments[arguments.index("--") + 1 :]) if "--" in arguments else ()
    return merged[: len(merged) - len(after)], after


def _options(flags: dict[str, Any], argv: tuple[str, ...]) -> Options:
    lists: dict[str, Any] = {name: names_in(flags[name]) for name in _LISTS if flags.get(name) is not None}
    try:
        return Options(
            argv=argv,
            **lists,
            **{name: flags[name] for name in _DIRECT if name in flags},
        )
    except UsageError as error:
        raise click.UsageError(error.message) from None


_DIRECT = ("loss", "backward", "points", "seed", "rtol", "atol", "method", "timeout", "memory", "fix", "isolated")
_LISTS = ("params", "select", "ignore")


def _check_all(paths: tuple[str, ...], options: Options, flags: dict[str, Any]) -> Report:
    from gradcheck.api import prepare
    from gradcheck.batch import run_all
    from gradcheck.progress import Progress
    from gradcheck.report.record import Report

    jobs = [prepare(path, _narrowed(options, function)) for path, function in _targets(paths, flags["only"])]
    workers = min(flags["workers"], len(jobs))
    with Progress(console(stderr=True), len(jobs), workers, show_output=flags["verbose"]) as progress:
        return Report(run_all(jobs, workers, progress))


def _targets(paths: tuple[str, ...], only: str | None) -> list[tuple[str, str | None]]:
    """Return the scripts to check, each with the function it is narrowed to."""
    from gradcheck.batch import scripts_below

    found: list[tuple[str, str | None]] = []
    for text in paths:
        path, function = _target(text)
        inside = map(str, scripts_below(Path(path))) if Path(path).is_dir() else (path,)
        found += [(script, function) for script in inside]
    return [target for target in found if only is None or only in target[0]]


def _target(text: str) -> tuple[str, str | None]:
    """Return the path of ``PATH::FUNCTION``, and the function."""
    path, _, function = text.partition("::")
    return path, function or None


def _narrowed(options: Options, function: str | None) -> Options:
    return options if function is None else replace(options, backward=function)


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
