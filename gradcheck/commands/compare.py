"""``gradcheck compare`` says whether it was the gradient at all."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.commands.shared import (
    arguments_at_dashes,
    check_settings,
    console,
    draws_blocks,
    narrowed,
    options_of,
    refuse_unwritable,
    target_of,
    widths,
)
from gradcheck.errors import UsageError
from gradcheck.report.formats import format_of

if TYPE_CHECKING:
    from gradcheck.comparison.record import Comparison
    from gradcheck.settings import Options

_ERROR = 3
_FORMATS = ("text", "json", "html")
_EXITS = """\b
Exit codes:
  0    the trainings were compared, whatever was found
  2    wrong usage
  3    the script could not be read, run or understood
  130  interrupted"""


@click.command(epilog=_EXITS)
@click.argument("paths", nargs=-1, required=True, metavar="PATH [-- SCRIPT_ARGUMENTS...]")
@check_settings
@click.option("--inputs", metavar="NAME", help="The variable that holds the inputs. [default: found]")
@click.option("--targets", metavar="NAME", help="The variable that holds the targets. [default: found]")
@click.option("--hidden", callback=widths, metavar="N,...", help="Hidden units of the wider reference. [default: 8]")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Output format. [default: text]")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write to FILE.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw the loss curves.")
@click.pass_context
def compare(context: click.Context, /, paths: tuple[str, ...], **flags: Any) -> None:
    """Say whether the gradient was the problem.

    The script is trained as it is and with its verified fix, and a reference network is trained on the same data: of
    the same size, and of larger ones. What follows -- is the script's own argument list.
    """
    paths, script_arguments = arguments_at_dashes(context, paths)
    if len(paths) != 1:
        raise click.UsageError(f"expected one PATH, got {len(paths)}")
    path, function = target_of(paths[0])
    form = _format(flags)
    for written in (flags["output"], flags["plot"]):
        refuse_unwritable(written)
    if flags["plot"] is not None:
        from gradcheck.report.plot import require_matplotlib

        require_matplotlib()
    # the page has pictures of the steps, too
    options = replace(options_of(flags, script_arguments), curves=form == "html")
    found = _compared(path, narrowed(options, function), flags)
    _write(found, form, flags)
    if flags["plot"] is not None and found.error is None:
        _draw(found, flags["plot"])
    context.exit(_ERROR if found.error is not None else 0)


def _compared(path: str, options: Options, flags: dict[str, Any]) -> Comparison:
    from gradcheck.commands import standard_input
    from gradcheck.compare import compare_script
    from gradcheck.comparison.compare import Choices

    standard_input.keep(path)
    chosen = Choices(flags["inputs"], flags["targets"], flags["hidden"])
    return compare_script(path, replace(options, fix=True), chosen, before_run=standard_input.rewind)


def _write(found: Comparison, form: str, flags: dict[str, Any]) -> None:
    from gradcheck.report.comparison import render_json, render_text

    written: Path | None = flags["output"]
    try:
        stream = written.open("w", encoding="utf-8") if written is not None else sys.stdout
    except OSError as error:
        raise click.UsageError(f"cannot write {written}: {error.strerror}") from None
    with stream if written is not None else nullcontext():
        if form == "json":
            print(render_json(found), file=stream)
        elif form == "html":
            from gradcheck.report.html import render_comparison

            # a browser reads UTF-8, whatever the terminal has
            click.echo(f"{render_comparison(found)}\n".encode(), file=stream, nl=False)
        else:
            render_text(found, console(file=stream), plain=written is None and not draws_blocks())


def _format(flags: dict[str, Any]) -> str:
    """Return the output format; a file whose name stands for none of them is told before anything runs."""
    written: Path | None = flags["output"]
    if flags["form"] or written is None:
        return flags["form"] or "text"
    try:
        found = format_of(written)
    except UsageError:
        found = ""
    if found not in _FORMATS:
        raise click.UsageError(f"expected a file for {', '.join(_FORMATS)}, got {written.name}; see --format")
    return found


def _draw(found: Comparison, path: Path) -> None:
    from gradcheck.report.comparison import curves
    from gradcheck.report.plot import plot_curves

    plot_curves(curves(found), path, title=found.result.path, shares=True)
    click.echo(f"wrote {path}", err=True)
