"""``gradcheck fix`` shows what mends a script, or writes it into the file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from gradcheck.commands.shared import (
    EXITS,
    arguments_at_dashes,
    check_settings,
    narrowed,
    options_of,
    target_of,
)

if TYPE_CHECKING:
    from gradcheck.session.result import ScriptResult


@click.command(epilog=EXITS)
@click.argument("paths", nargs=-1, required=True, metavar="PATH [-- SCRIPT_ARGUMENTS...]")
@check_settings
@click.option(
    "--strict", is_flag=True, help="Count what is inconclusive, and a constant factor of all gradients, as a mismatch."
)
@click.option("--write", is_flag=True, help="Write the fix into the file, and check it again.")
@click.pass_context
def fix(context: click.Context, /, paths: tuple[str, ...], write: bool, **flags: Any) -> None:
    """Show what mends the gradients of a script or a notebook, as a unified diff.

    Only a fix that was verified at fresh points is shown. With --write it replaces the lines in the file, which keeps
    everything else byte for byte; if the gradients are not right then, the file is put back as it was.
    """
    from gradcheck.commands import standard_input
    from gradcheck.fix import find_fix, write_fix
    from gradcheck.report.text import sentence

    paths, script_arguments = arguments_at_dashes(context, paths)
    if len(paths) != 1:
        raise click.UsageError(f"expected one PATH, got {len(paths)}")
    path, function = target_of(paths[0])
    options = replace(narrowed(options_of(flags, script_arguments), function), strict=flags["strict"])
    if write:
        standard_input.keep(path)
    found = find_fix(path, options)
    click.echo(sentence(found.result), err=True)
    if not found.edits:
        if found.result.verdict == "mismatch":
            for note in found.result.notes:
                click.echo(f"note: {note}", err=True)
            click.echo(f"no edit was verified; to see what was found: {found.result.command('run')}", err=True)
        context.exit(int(_exit_code(found.result, strict=options.strict)))
    for remark in found.remarks:
        click.echo(f"note: {remark}", err=True)
    click.echo(found.diff, nl=False)  # bytes: the lines keep their encoding and their ends
    if not write:
        typed = found.result.command("fix", "--write")
        click.echo(f"verified at fresh points; to change the file: {typed}", err=True)
        context.exit(int(_exit_code(found.result, strict=options.strict)))
    standard_input.rewind()
    after = write_fix(found, options)
    count = len(found.edits)
    click.echo(f"changed {count} line{'' if count == 1 else 's'}, and checked again: {sentence(after)}", err=True)
    context.exit(int(_exit_code(after, strict=options.strict)))


def _exit_code(result: ScriptResult, *, strict: bool) -> int:
    from gradcheck.session.report import Report

    return Report((result,)).exit_code(strict=strict)
