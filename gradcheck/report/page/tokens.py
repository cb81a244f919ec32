"""Which stretches of a source are comments, texts, numbers and keywords, so that it reads as in an editor."""

from __future__ import annotations

import io
import keyword
import token
import tokenize
from collections.abc import Iterable, Sequence

_TEXTS = {token.STRING} | {getattr(token, name) for name in dir(token) if name.startswith(("FSTRING_", "TSTRING_"))}
_KINDS = {tokenize.COMMENT: "comment", token.NUMBER: "number"} | dict.fromkeys(_TEXTS, "text")

# first and last column of a stretch, counted from 0, the last exclusive, and what it is
Stretch = tuple[int, int, str]


def stretches(lines: Sequence[str]) -> dict[int, list[Stretch]]:
    """Return the stretches of each line by its number; none beyond the place where the source cannot be read."""
    found: dict[int, list[Stretch]] = {}
    for kind, (line, start), (last, end) in _tokens(lines):
        for number in range(line, min(last, len(lines)) + 1):
            first = start if number == line else 0
            until = end if number == last else len(lines[number - 1])
            if until > first:
                found.setdefault(number, []).append((first, until, kind))
    return found


def _tokens(lines: Sequence[str]) -> Iterable[tuple[str, tuple[int, int], tuple[int, int]]]:
    text = io.StringIO("\n".join(lines) + "\n")
    try:
        for found in tokenize.generate_tokens(text.readline):
            kind = _KINDS.get(found.type, "")
            if found.type == token.NAME and keyword.iskeyword(found.string):
                kind = "keyword"
            if kind:
                yield kind, found.start, found.end
    except (tokenize.TokenError, SyntaxError):
        # what was read before is coloured, the rest is plain
        return
