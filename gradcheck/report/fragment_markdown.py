"""Results as Markdown for notebooks that show no HTML; nothing in a name or a sentence is taken for a sign of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gradcheck.checker.result import CheckResult
from gradcheck.report.condensed import COLUMNS, Block, block_of, blocks_of
from gradcheck.report.styles import plain
from gradcheck.session.report import Report

_SIGNS = re.compile(r"([\\`*_{}\[\]<>|#~$&!])")


def result_markdown(result: CheckResult) -> str:
    """Return a comparison as Markdown."""
    return "\n".join(_block(block_of(result)))


def report_markdown(report: Report) -> str:
    """Return a report as Markdown."""
    head = [] if len(report.scripts) == 1 else [_text(report.counts), ""]
    return "\n".join([*head, *(line for block in blocks_of(report) for line in (*_block(block), ""))]).rstrip("\n")


def _text(text: str) -> str:
    return _SIGNS.sub(r"\\\1", plain(text))


def _block(block: Block) -> Iterator[str]:
    yield f"**{_text(block.title)}**"
    if block.rows:
        yield ""
        yield f"| {' | '.join(COLUMNS)} |"
        yield f"|{'---|' * len(COLUMNS)}"
        yield from (f"| {' | '.join(map(_text, row))} |" for row in block.rows)
    yield from _list(block.remarks)
    for mistake in block.mistakes:
        yield from ("", f"**{_text(mistake.title)}**, {_text(mistake.place)}")
        yield from _list(mistake.sentences)
        if mistake.fix:
            lines = [plain(line) for line in mistake.difference]
            # longer than any run of backquotes in the script's own lines
            fence = "`" * max(3, 1 + max(len(run) for line in lines for run in re.findall(r"`*", line)))
            yield from ("", f"{_text(mistake.fix)}:", "", f"{fence}diff", *lines, fence)
    if block.footer:
        yield from ("", _text(block.footer))


def _list(sentences: tuple[str, ...]) -> Iterator[str]:
    if sentences:
        yield ""
        yield from (f"- {_text(sentence)}" for sentence in sentences)
