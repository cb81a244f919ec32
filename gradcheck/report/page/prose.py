"""Sentences with code in backquotes, and the paragraphs of a rule's explanation."""

from __future__ import annotations

import re

# code in one or two backquotes, emphasis between asterisks
_INLINE = re.compile(
    r"(?P<ticks>``?)(?P<code>.+?)(?P=ticks)|(?<![\w*])\*(?P<stress>[^*\s](?:[^*]*[^*\s])?)\*(?![\w*])", re.DOTALL
)

# a stretch of a sentence, and whether it is code, stressed or plain
Piece = tuple[str, str]


def pieces(text: str, *, stress: bool = False) -> list[Piece]:
    """Return a sentence as stretches, each with the name of the element it is written in; empty for none."""
    found: list[Piece] = []
    end = 0
    for match in _INLINE.finditer(text):
        if match["code"] is None and not stress:
            continue
        found += [
            (text[end : match.start()], ""),
            (match["code"] or match["stress"], "code" if match["code"] else "em"),
        ]
        end = match.end()
    return [piece for piece in (*found, (text[end:], "")) if piece[0]]


def paragraphs(markdown: str) -> list[list[Piece]]:
    """Return the paragraphs of a text, each as stretches."""
    blocks = re.split(r"\n\s*\n", markdown.strip())
    return [pieces(" ".join(block.split()), stress=True) for block in blocks if block.strip()]
