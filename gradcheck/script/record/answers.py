"""What a script was answered on its standard input, kept so that a later run of it is answered the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast


class Answers:
    """A standard input that remembers what was read from it.

    Parameters
    ----------
    again : tuple of str
        What is answered before anything is read from there.
    """

    def __init__(self, stream: TextIO, again: tuple[str, ...] = ()) -> None:
        self._stream = stream
        self._again = list(again)
        self._given: list[str] = []

    def rewound(self) -> Answers:
        """Return the same input from its beginning."""
        return Answers(self._stream, (*self._given, *self._again))

    def readline(self, size: int = -1) -> str:
        """Return the next line."""
        line = self._again.pop(0) if self._again else self._stream.readline(size)
        self._given.append(line)
        return line

    def read(self, size: int = -1) -> str:
        """Return the rest, or some characters of it."""
        before = "".join(self._again) if size < 0 or not self._again else self._again.pop(0)
        if size < 0:
            self._again.clear()
        text = before + self._stream.read(size) if size < 0 or not before else before
        self._given.append(text)
        return text

    def readlines(self) -> list[str]:
        """Return the lines that are left."""
        return list(self)

    def __iter__(self) -> Iterator[str]:
        return iter(self.readline, "")

    def __next__(self) -> str:
        if line := self.readline():
            return line
        raise StopIteration

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def rewind_input() -> None:
    """Let the next run of a script read its standard input from the beginning."""
    if isinstance(sys.stdin, Answers):
        sys.stdin = cast(TextIO, sys.stdin.rewound())
    elif sys.stdin is not None:
        sys.stdin = cast(TextIO, Answers(sys.stdin))
