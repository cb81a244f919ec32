"""What the parts of the text report have in common."""

from __future__ import annotations

import re

STYLES = {
    "match": "green",
    "mismatch": "bold red",
    "inconclusive": "yellow",
    "error": "bold red",
    "unchecked": "yellow",
}
INDENT = 2
# wide enough for any table: a log must not lose names
LOG_WIDTH = 10_000
# but for tabs; a terminal would obey them
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """Return a text with a question mark for each character that a terminal would obey."""
    return _CONTROL.sub("?", text)
