"""What the cells of a notebook hold besides Python: magics, shell commands and requests for help.

They are replaced by Python that does nothing, but for changes of folder, so that every line keeps its number.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings

# of the magics that stand above a whole cell, those that run it as Python in the notebook
_RUN_THEIR_CELL = frozenset(
    ["capture", "time", "timeit", "prun", "memit", "mprun", "lprun", "snakeviz", "scalene", "gradcheck"]
)
_CELL_MAGIC = re.compile(r"\s*%%(?P<name>\w+)")
# `%time x = f()` runs its statement in the notebook
_TIMED = re.compile(r"(?P<indent>\s*)(?P<magic>%(?:time|timeit)\s+(?:-[a-z]+\s*\d*\s+)*)(?P<statement>[^-\s].*)")
_ASSIGNED = re.compile(r"(?P<start>\s*[^=!%#]+=\s*)(?P<sign>[!%])(?=[\w!{(])")
_FOLDER = re.compile(r"(?P<indent>\s*)%cd\s+(?P<folder>[^\s#{$~-][^#{$]*?)\s*(?:#.*)?$")
_COMMAND = re.compile(r"\s*(?:[%!?]|(?:pip|conda|mamba)\s+\w)")
_HELP = re.compile(r"\s*%{0,2}[\w.*\[\]'\"]+\?{1,2}\s*;?\s*(?:#.*)?$")


def without_magics(lines: list[str]) -> list[str]:
    """Return the lines of a cell with Python in place of what only a notebook understands."""
    if _is_python("\n".join(lines)):
        return lines
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is not None and (magic := _CELL_MAGIC.match(lines[first])):
        if magic["name"] not in _RUN_THEIR_CELL:
            return [""] * len(lines)
        return [""] * (first + 1) + without_magics(lines[first + 1 :])
    cleaned: list[str] = []
    goes_on = False
    for line in lines:
        replaced = "" if goes_on else _replaced(line)
        if replaced is not None and (goes_on or not _is_open(cleaned)):
            goes_on = line.endswith("\\")
            cleaned.append(replaced)
        else:
            cleaned.append(line)
    return cleaned


def _replaced(line: str) -> str | None:
    """Return Python for a line that is a magic, a command or a request for help; None for any other."""
    if timed := _TIMED.match(line):
        # as wide as the magic, so that the statement keeps its columns
        return f"{timed['indent']}{'if 1:':<{len(timed['magic'])}}{timed['statement']}"
    if goes := _FOLDER.match(line):
        # where there is no such folder, a notebook says so and goes on
        folder = repr(goes["folder"].strip("'\""))
        system = '__import__("os")'
        return f"{goes['indent']}{system}.path.isdir({folder}) and {system}.chdir({folder})"
    if _COMMAND.match(line) or _HELP.match(line):
        return f"{line[: len(line) - len(line.lstrip())]}pass"
    if assigned := _ASSIGNED.match(line):
        return f"{assigned['start']}{'[]' if assigned['sign'] == '!' else 'None'}"
    return None


def _is_open(lines: list[str]) -> bool:
    """Whether the next line goes on with a string or an expression, so that a sign at its start is an operator."""
    if lines and lines[-1].endswith("\\"):
        return True
    try:
        for _ in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
            pass
    except tokenize.TokenError:
        return True
    except SyntaxError:  # told with its line when the cell is parsed
        pass
    return False


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
