"""What a script was answered on its standard input, kept so that a later run of it is answered the same.

What nobody has answered is answered by an empty line, as many scripts only wait for the Enter key.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, cast

# a script that asks again and again takes no empty line for an answer
_MOST_EMPTY = 100


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

    @property
    def was_answered(self) -> bool:
        """Whether something was read that is more than the end of a line."""
        return any(text.strip() for text in self._given)

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


class Questions:
    """Takes the place of ``input``: gives an empty line where there is nothing, or nothing more, to read.

    Attributes
    ----------
    unanswered : list of int
        The lines of the script that got one.
    is_over : bool
        Whether the script has been run, and is played again now: what was answered then cannot be read once more.
    """

    def __init__(self, ask: Any, path: Path) -> None:
        self._ask, self._path = ask, str(path)
        self.unanswered: list[int] = []
        self.is_over = False

    def __call__(self, prompt: object = "", /) -> str:
        """Ask for a line."""
        try:
            return str(self._ask(prompt))
        except EOFError:
            was_answered = isinstance(sys.stdin, Answers) and sys.stdin.was_answered
            if (self.is_over and was_answered) or len(self.unanswered) >= _MOST_EMPTY:
                raise
            if not self.is_over:
                self.unanswered.append(self._line())
            return ""

    def _line(self) -> int:
        frame = sys._getframe(2)
        while frame.f_back is not None and frame.f_code.co_filename != self._path:
            frame = frame.f_back
        return frame.f_lineno


# messages about what a script does with it name the type that `input` has in Python
Questions.__name__ = "builtin_function_or_method"


_ASK = builtins.input


def begin_input(path: Path) -> None:
    """Let the next run of a script read its standard input from the beginning."""
    if isinstance(sys.stdin, Answers):
        sys.stdin = cast(TextIO, sys.stdin.rewound())
    elif sys.stdin is not None:
        sys.stdin = cast(TextIO, Answers(sys.stdin))
    vars(builtins)["input"] = Questions(_ASK, path)


def end_input() -> None:
    """Take note that the script has been run."""
    if isinstance(builtins.input, Questions):
        builtins.input.is_over = True


def unanswered() -> list[int]:
    """Return the lines in which the last run has got an empty line for an answer."""
    return builtins.input.unanswered if isinstance(builtins.input, Questions) else []
