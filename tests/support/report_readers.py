"""Readers of reports that have no reader of their own: workflow commands and tables of Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt

_COMMAND = re.compile(r"^::(?P<level>\w+) (?P<properties>.*?)::(?P<message>.*)$")


@dataclass(frozen=True)
class Annotation:
    level: str
    properties: dict[str, str]
    message: str


def annotations(text: str) -> list[Annotation]:
    """Read workflow commands as a runner does."""
    found = []
    for line in text.split("\n") if text else ():
        match = _COMMAND.match(line)
        assert match, line
        pairs = (pair.partition("=") for pair in match["properties"].split(","))
        properties = {name: unescaped(value, {"%3A": ":", "%2C": ","}) for name, _, value in pairs}
        found.append(Annotation(match["level"], properties, unescaped(match["message"], {})))
    return found


def unescaped(text: str, more: dict[str, str]) -> str:
    for old, new in {"%0D": "\r", "%0A": "\n", **more, "%25": "%"}.items():
        text = text.replace(old, new)
    return text


def rows_of(text: str) -> list[tuple[str, list[str]]]:
    """Read the tables of a Markdown report: rows of plain cells, each with the path in the heading above it."""
    found, path, row = [], "", None
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for before, token in pairwise(tokens):
        if token.type == "inline" and before.type == "heading_open" and before.tag == "h3":
            path = next(child.content for child in token.children if child.type == "code_inline")
        elif token.type == "tr_open":
            row = []
            found.append((path, row))
        elif token.type == "inline" and before.type == "td_open":
            row.append("".join(child.content for child in token.children))
    return [(path, row) for path, row in found if row]
