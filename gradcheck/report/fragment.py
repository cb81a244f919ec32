"""Results as fragments of HTML for notebooks: everything is escaped, and no style reaches beyond the fragment.

The colours are of borders only, so that the text has those of a light or a dark notebook; the verdicts are words.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from gradcheck.checker.result import CheckResult
from gradcheck.report.condensed import COLUMNS, Block, Mistake, block_of, blocks_of
from gradcheck.report.styles import plain
from gradcheck.session.report import Report

_BORDERS = {"match": "#0072b2", "inconclusive": "#e69f00", "mismatch": "#d55e00", "error": "#d55e00"}
_QUOTED = re.compile("`([^`]+)`")
_LEFT = 'style="text-align:left"'
_NAME = 'style="text-align:left;max-width:24em;overflow-wrap:anywhere"'
_CODE = 'style="margin:0.2em 0 0.6em 1em"'
# text with dollar signs is not a formula
_NO_FORMULAS = 'class="tex2jax_ignore mathjax_ignore"'


def result_html(result: CheckResult) -> str:
    """Return a comparison as a fragment of HTML."""
    return "\n".join(_block(block_of(result)))


def report_html(report: Report) -> str:
    """Return a report as a fragment of HTML."""
    head = [] if len(report.scripts) == 1 else [f"<p>{_text(report.counts)}</p>"]
    return "\n".join([*head, *(line for block in blocks_of(report) for line in _block(block))])


def _text(text: str) -> str:
    return html.escape(plain(text))


def _block(block: Block) -> Iterator[str]:
    border = f"border-left:4px solid {_BORDERS[block.verdict]};padding-left:0.8em;margin:0.4em 0"
    yield f'<div {_NO_FORMULAS} style="{border}">'
    yield f"<p><strong>{_text(block.title)}</strong></p>"
    if block.rows:
        yield "<table>"
        yield f"<thead><tr>{''.join(f'<th {_LEFT}>{name}</th>' for name in COLUMNS)}</tr></thead>"
        yield "<tbody>"
        for row in block.rows:
            others = "".join(f"<td {_LEFT}>{_text(cell)}</td>" for cell in row[1:])
            yield f"<tr><td {_NAME}>{_text(row[0])}</td>{others}</tr>"
        yield "</tbody>"
        yield "</table>"
    yield from _list(block.remarks)
    for mistake in block.mistakes:
        yield from _mistake(mistake)
    if block.footer:
        yield f"<p><small>{_text(block.footer)}</small></p>"
    yield "</div>"


def _list(sentences: tuple[str, ...]) -> Iterator[str]:
    if sentences:
        yield "<ul>"
        shown = (_QUOTED.sub(r"<code>\1</code>", _text(sentence)) for sentence in sentences)
        yield from (f"<li>{sentence}</li>" for sentence in shown)
        yield "</ul>"


def _mistake(mistake: Mistake) -> Iterator[str]:
    yield f"<p><strong>{_text(mistake.title)}</strong>, {_text(mistake.place)}</p>"
    yield from _list(mistake.sentences)
    if mistake.fix:
        yield f"<p>{_text(mistake.fix)}:</p>"
        lines = "\n".join(map(_text, mistake.difference))
        yield f"<pre {_CODE}>{lines}</pre>"
