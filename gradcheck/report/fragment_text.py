"""Reports as plain text for a shell of IPython on a terminal, which shows neither HTML nor Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck.report.condensed import COLUMNS, Block, blocks_of
from gradcheck.report.styles import plain
from gradcheck.session.report import Report


def report_text(report: Report) -> str:
    """Return a report as lines of text."""
    lines = [repr(report), *(line for block in blocks_of(report) for line in _block(block))]
    return "\n".join(plain(line).rstrip() for line in lines)


def _block(block: Block) -> Iterator[str]:
    yield block.title
    if block.rows:
        table = (COLUMNS, *block.rows)
        widths = [max(len(row[column]) for row in table) for column in range(len(COLUMNS))]
        for row in table:
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    yield from (f"  note: {sentence}" for sentence in block.remarks)
    for mistake in block.mistakes:
        yield from ("", f"{mistake.title}, {mistake.place}")
        yield from (f"  {sentence}" for sentence in mistake.sentences)
        if mistake.fix:
            yield f"  {mistake.fix}:"
            yield from (f"    {line}" for line in mistake.difference)
