"""The section at the end of a test run: the gradients that were not shown to match, worst first, and counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gradcheck.pytest_plugin.record import VERDICTS, Found, Row
from gradcheck.report.styles import plain

_COLOURS = {"mismatch": "red", "error": "red", "inconclusive": "yellow", "unchecked": "yellow"}


def show(found: Sequence[Found], target: Path | None, terminal: pytest.TerminalReporter) -> None:
    """Write the section; with ``-q`` there is none."""
    if terminal.config.option.verbose < 0:
        return
    rows = sorted((row for one in found for row in one["rows"]), key=_badness)
    terminal.ensure_newline()
    terminal.section("gradcheck")
    shown = [row for row in rows if row["verdict"] in _COLOURS]
    width = max((len(row["verdict"]) for row in shown), default=0)
    for row in shown:
        terminal.write(f"{row['verdict']:{width}}", **{_COLOURS[row["verdict"]]: True})
        words = filter(None, (row["place"], row["parameter"], row["said"]))
        terminal.write(plain("".join(f"  {word}" for word in words)) + "\n")
    for line in _counts(rows):
        terminal.write_line(line)
    if target is not None:
        terminal.write_line(f"report: {target}")


def _badness(row: Row) -> tuple[int, float, str, str]:
    error = row["max_rel_error"]
    return VERDICTS.index(row["verdict"]), -math.inf if math.isnan(error) else -error, row["place"], row["parameter"]


def _counts(rows: Sequence[Row]) -> Iterator[str]:
    number = Counter(row["verdict"] for row in rows)
    gradients = {verdict: number[verdict] for verdict in ("match", "mismatch", "inconclusive") if number[verdict]}
    if total := sum(gradients.values()):
        counts = ", ".join(f"{count} {verdict}" for verdict, count in gradients.items())
        yield f"{_many(total, 'gradient')} checked: {counts}"
    if number["unchecked"]:
        yield f"{_many(number['unchecked'], 'gradient')} not checked"
    if number["error"]:
        yield f"{_many(number['error'], 'script')} could not be checked"
    if number["none"]:
        yield f"{_many(number['none'], 'file')} without gradients"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
