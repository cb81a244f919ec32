"""A place in a script with its source, carets below what is meant."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from gradcheck.report.styles import plain
from gradcheck.script.source.file import Span
from gradcheck.session.result import ScriptResult

_CONTEXT_LINES = 1


def show_snippet(script: ScriptResult, span: Span, console: Console) -> None:
    """Show a stretch of the source with a line around it and carets below."""
    show_line(console, Text().append("  --> ", "blue").append(script.place(span.line).at(span.column)))
    last = min(span.end_line, span.line + 3)
    top, bottom = script.extent(span.line)
    gutter = len(str(last + _CONTEXT_LINES - top + 1))
    for number in range(max(top, span.line - _CONTEXT_LINES), min(last + _CONTEXT_LINES, bottom) + 1):
        source = plain(script.lines[number - 1])
        show_line(console, Text().append(f"  {number - top + 1:>{gutter}} | ", "blue").append(source.rstrip()))
        if span.line <= number <= last:
            show_line(
                console, Text().append(f"  {'':>{gutter}} | ", "blue").append(_carets(source, number, span), "red")
            )


def _carets(source: str, number: int, span: Span) -> str:
    first = span.column - 1 if number == span.line else len(source) - len(source.lstrip())
    end = span.end_column - 1 if number == span.end_line else len(source.rstrip())
    # tabs stay tabs and wide characters take two columns, so that the carets stand below what they mark
    lead = "".join("\t" if c == "\t" else " " * cell_len(c) for c in source[:first])
    return lead + "^" * max(cell_len(source[first:end]), 1)


def show_line(console: Console, text: str | Text) -> None:
    """Write one line as it is: nothing in it is markup, and a narrow terminal breaks it."""
    console.print(text, soft_wrap=True, markup=False, highlight=False, emoji=False)
