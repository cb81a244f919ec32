"""The table at the end of a report on several scripts."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck.report.problems import names_of
from gradcheck.report.styles import INDENT, STYLES, plain
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult

# from the first to the last to give up where a terminal is too narrow for them
_OPTIONAL = ("seconds", "details")
_SMALLEST = 20


def show_overview(report: Report, console: Console) -> None:
    """Write one row per script, in the order in which they were asked for.

    That is the order of the blocks above and of JSON, it stays the same from run to run, and it is where somebody
    looks for a name; the verdicts have colours and the line of counts says how many there are of each.
    """
    rows = [_row(script, report.name(script)) for script in report.scripts]
    dropped = 0
    while dropped < len(_OPTIONAL) and _least_width(rows, dropped) > console.width:
        dropped += 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in _shown(rows[0], dropped):
        folds = name in ("script", "details")
        table.add_column(name, overflow="fold", no_wrap=not folds, justify="right" if name == "seconds" else "left")
    for row in rows:
        table.add_row(*(Text(row[name], STYLES.get(row[name], "")) for name in _shown(row, dropped)))
    console.print(Padding(table, (0, 0, 0, INDENT), expand=False))


def _row(script: ScriptResult, name: str) -> dict[str, str]:
    if script.error is not None:
        place = f" in {script.place(script.error.line)}" if script.error.line else ""
        details = f"{script.error.slug}{place}"
    else:
        details = in_doubt(script)
    return {
        "script": plain(name),
        "verdict": script.verdict,
        "details": plain(details),
        "seconds": f"{script.seconds:.1f}",
    }


def in_doubt(script: ScriptResult) -> str:
    """Return the names of the wrong gradients of a script; without any, of those that are undecided or unchecked."""
    if script.mismatching:
        return ", ".join(script.mismatching)
    unchecked = f"not checked: {names_of(script.unchecked)}" if script.unchecked else ""
    return "; ".join(filter(None, (", ".join(script.undecided), unchecked)))


def _shown(row: dict[str, str], dropped: int) -> list[str]:
    return [name for name in row if name not in _OPTIONAL[:dropped]]


def _least_width(rows: list[dict[str, str]], dropped: int) -> int:
    """Return the width below which the columns that fold become unreadable."""
    widths = {name: max(len(name), *(cell_len(row[name]) for row in rows)) for name in rows[0]}
    columns = [min(widths[n], _SMALLEST) if n in ("script", "details") else widths[n] for n in _shown(rows[0], dropped)]
    return INDENT + sum(columns) + len(columns) - 1
