"""``gradcheck run --watch`` checks again what is saved."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gradcheck.commands.jobs import Target, check, targets_in
from gradcheck.commands.output import chosen_format, write_report
from gradcheck.commands.shared import console

if TYPE_CHECKING:
    from rich.console import Console

    from gradcheck.commands.watch import Round
    from gradcheck.session.result import ScriptResult
    from gradcheck.settings import Options

# the width of the line between two checks
_RULE = 80


def check_again_and_again(paths: tuple[str, ...], options: Options, flags: dict[str, Any]) -> None:
    """Check all scripts, and then those that are saved; it ends with Ctrl-C, or at once where there are none."""
    from gradcheck.commands import standard_input
    from gradcheck.commands.watch import Watch, require_watchfiles, rounds
    from gradcheck.session.report import Report

    require_watchfiles()

    def targets() -> list[Target]:
        return targets_in(paths, flags["only"])

    def again(some: Sequence[Target]) -> tuple[ScriptResult, ...]:
        standard_input.rewind()
        return check(some, options, flags, lenient=bool(watch.results))

    for path, _ in targets():
        standard_input.keep(path)
    watch = Watch(targets, again)
    screen = console(stderr=flags["output"] is not None or chosen_format(flags) != "text")
    for number, found in enumerate(rounds(watch)):
        _announce(found, screen, is_first=not number)
        # a file has everything, the screen what is news
        whole = flags["output"] is not None
        if found.results or whole:
            write_report(Report(watch.report if whole else found.results), flags)
        sys.stdout.flush()


def _announce(found: Round, screen: Console, *, is_first: bool) -> None:
    """Write a rule with the time, and what is different from the last time."""
    from gradcheck.commands.watch import clock
    from gradcheck.report.snippet import show_line

    head = f"---- {clock()} {', '.join(found.saved or found.gone)} "
    show_line(screen, head.ljust(_RULE, "-"))
    for name in found.gone:
        show_line(screen, f"{name} is gone; waiting for it to come back")
    for said in found.changed:
        show_line(screen, said)
    if found.saved and not is_first and not found.changed:
        show_line(screen, "nothing has changed in what was found")
    show_line(screen, "")
