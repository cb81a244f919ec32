"""The command line. Heavy modules are imported inside the commands, so that ``--help`` stays quick."""

from __future__ import annotations

import io
import os
import signal
import sys

import click

from gradcheck._version import __version__
from gradcheck.commands.compare import compare
from gradcheck.commands.fix import fix
from gradcheck.commands.run import run
from gradcheck.commands.shared import EXITS
from gradcheck.commands.small import demo, explain
from gradcheck.commands.train import train
from gradcheck.commands.write import write
from gradcheck.errors import GradcheckError


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXITS)
@click.version_option(__version__, prog_name="gradcheck", message="%(prog)s %(version)s")
def cli() -> None:
    """Find the mistake in a hand-written gradient.

    Start with: gradcheck demo
    """


for command in (compare, demo, explain, fix, run, train, write):
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
