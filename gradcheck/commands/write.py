"""``gradcheck write`` writes a test file for pytest that keeps a script's gradients right."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.commands.shared import (
    arguments_at_dashes,
    check_settings,
    narrowed,
    options_of,
    refuse_unwritable,
    target_of,
)

if TYPE_CHECKING:
    from gradcheck.scaffold.generate import Written

_EXITS = """\b
Exit codes:
  0    the test was written, also where it fails until the gradients are right
  2    wrong usage, or the file is there already
  3    the script could not be read, run or understood; nothing was written
  130  interrupted"""


@click.command(epilog=_EXITS)
@click.argument("paths", nargs=-1, required=True, metavar="SCRIPT [-- SCRIPT_ARGUMENTS...]")
@check_settings
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to FILE, or to test_SCRIPT.py in a folder. [default: standard output]",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.pass_context
def write(context: click.Context, /, paths: tuple[str, ...], output: Path | None, force: bool, **flags: Any) -> None:
    """Write the pytest file that keeps the gradients of a script or a notebook right.

    Where the script can be imported without effect, the test calls its functions with small random arguments;
    otherwise it runs the script as it is. Either way it was tried out before it is written. Without -o, paths in it
    are those for a file in the current folder.
    """
    from gradcheck.report.text import sentence
    from gradcheck.scaffold.generate import write_test
    from gradcheck.scaffold.target import word_of

    paths, script_arguments = arguments_at_dashes(context, paths)
    if len(paths) != 1:
        raise click.UsageError(f"expected one SCRIPT, got {len(paths)}")
    path, function = target_of(paths[0])
    name = f"test_{word_of(Path(path))}.py"
    file = output / name if output is not None and output.is_dir() else output
    _refuse(file, force=force)
    written = write_test(path, file or Path(name), narrowed(options_of(flags, script_arguments), function))
    click.echo(sentence(written.result), err=True)
    if not written.text:
        context.exit(3)
    if file is None:
        click.echo(written.text, nl=False)
    else:
        _put(file, written.text)
    for line in _advice(written, file):
        click.echo(line, err=True)


def _refuse(file: Path | None, *, force: bool) -> None:
    """Say at once that a file cannot be written, or is not to be overwritten."""
    if file is None:
        return
    if file.suffix != ".py":
        raise click.UsageError(f"-o: expected a file whose name ends in .py, or a folder, got {file}")
    if file.exists() and not force:
        raise click.UsageError(f"{file} exists already; --force overwrites it")
    refuse_unwritable(file)


def _put(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"cannot write {file}: {error.strerror}") from None


def _advice(written: Written, file: Path | None) -> list[str]:
    """Return what is said about the test, and what to type next."""
    lines = [] if file is None else [f"wrote {file}; now type: pytest {shlex.quote(str(file))}"]
    if written.verdict == "mismatch":
        lines.append(f"the test fails until the gradients are right: {written.result.command('fix')}")
    elif written.verdict == "inconclusive":
        done = "decided" if written.result.undecided else "checked"
        lines.append(f"the test fails until the gradients can be {done}: {written.result.command('run')}")
    elif written.result.unchecked:
        names = ", ".join(row.name for row in written.result.unchecked)
        lines.append(f"the test leaves out what could not be checked: {names}")
    return lines
