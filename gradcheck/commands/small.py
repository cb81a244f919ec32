"""``gradcheck explain`` and ``gradcheck demo``: what needs no script."""

from __future__ import annotations

from pathlib import Path

import click

from gradcheck.commands.shared import console


@click.command()
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


@click.command()
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
