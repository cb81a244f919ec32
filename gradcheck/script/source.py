"""A user's script as text and syntax tree, and the questions about it that need no execution."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gradcheck.errors import ScriptError
from gradcheck.script.syntax import Function, Loop, functions_in, loops_in
from gradcheck.script.updates import updates_of

_DIRECTIVE = re.compile(r"^\s*#\s*gradcheck:\s*(?P<settings>\S.*)$")
# a value goes on to the next key, so it may be an expression with commas; `=` in it belongs to a call
_SETTING = re.compile(r"(?P<key>\w+)\s*=(?!=)\s*(?P<value>(?:[^(),]|\([^()]*(?:\([^()]*\)[^()]*)*\)|,(?!\s*\w+\s*=))*)")


@dataclass(frozen=True)
class Span:
    """A stretch of the source; lines and columns count from 1, columns count characters, the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class SourceFile:
    """A script that was read and parsed.

    Parameters
    ----------
    path : Path
        Where it lies.
    text : str
        Its decoded text.
    tree : ast.Module
        Its syntax tree.
    """

    def __init__(self, path: Path, text: str, tree: ast.Module) -> None:
        self.path = path
        self.text = text
        self.tree = tree
        # not splitlines, which ends lines at form feeds and other characters where Python does not
        self.lines = text.removesuffix("\n").split("\n")

    @classmethod
    def read(cls, path: Path) -> SourceFile:
        """Read and parse a script.

        Raises
        ------
        ScriptError
            With slug ``unreadable``, ``empty`` or ``syntax-error``.
        """
        text = _read_text(path)
        if not text.strip():
            raise ScriptError("the file is empty: there is nothing to check", slug="empty", line=1)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the script, which Python shows when it runs
                tree = ast.parse(text, filename=str(path))
        except SyntaxError as error:
            raise ScriptError(f"not valid Python: {error.msg}", slug="syntax-error", line=error.lineno) from None
        except (RecursionError, MemoryError):
            raise ScriptError("too deeply nested to be parsed", slug="syntax-error", line=1) from None
        return cls(path, text, tree)

    @cached_property
    def functions(self) -> dict[str, Function]:
        """All functions and methods at module or class level, by qualified name."""
        return {f.name: f for f in functions_in(self.tree.body, prefix="", owner=None)}

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The loops that call something of the script or move something by a step, inner ones too."""
        own = {f.short_name for f in self.functions.values()}
        found = [loops_in(self.tree.body, None), *(loops_in(f.node.body, f) for f in self.functions.values())]
        return tuple(
            loop
            for loops in found
            for loop in loops
            if loop.round_calls & own or any(True for statement in loop.statements for _ in updates_of(statement))
        )

    @cached_property
    def directive(self) -> dict[str, str]:
        """Settings of the ``# gradcheck: key=value, ...`` comments; later ones win."""
        settings: dict[str, str] = {}
        for line in self.directive_lines.values():
            if found := _DIRECTIVE.match(line):
                pairs = {m["key"]: m["value"].strip() for m in _SETTING.finditer(found["settings"])}
                settings |= pairs or {found["settings"].strip(): ""}
        return settings

    @cached_property
    def directive_lines(self) -> dict[int, str]:
        """The ``# gradcheck:`` comments that have a line of their own, by line."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        comments = {token.start[0]: token.line for token in tokens if token.type == tokenize.COMMENT}
        return {number: line.rstrip() for number, line in comments.items() if _DIRECTIVE.match(line)}

    def span(self, node: ast.expr | ast.stmt) -> Span:
        """Return where a node stands, its columns in characters (``ast`` counts UTF-8 bytes)."""
        end_line, end_offset = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return Span(
            node.lineno,
            self._character(node.lineno, node.col_offset) + 1,
            end_line,
            self._character(end_line, end_offset) + 1,
        )

    def _character(self, line: int, offset: int) -> int:
        encoded = self.lines[line - 1].encode() if line <= len(self.lines) else b""
        return len(encoded[:offset].decode(errors="replace"))


def _read_text(path: Path) -> str:
    try:
        with tokenize.open(path) as file:
            text = file.read()
    except FileNotFoundError:
        raise ScriptError(f"no such file: {path}", slug="unreadable") from None
    except IsADirectoryError:
        raise ScriptError(f"expected a script, got a folder: {path}", slug="unreadable") from None
    except (UnicodeDecodeError, SyntaxError) as error:
        raise ScriptError(
            f"cannot be decoded: {_undecodable(path, error)}; save it as UTF-8, or name its encoding in the first "
            "line: # -*- coding: latin-1 -*-",
            slug="unreadable",
        ) from None
    except (OSError, ValueError) as error:
        raise ScriptError(f"cannot be read: {getattr(error, 'strerror', None) or error}", slug="unreadable") from None
    if "\0" in text:
        raise ScriptError(
            "holds null bytes, so it is not a Python script",
            slug="unreadable",
            line=text.count("\n", 0, text.index("\0")) + 1,
        )
    return text


def _undecodable(path: Path, error: UnicodeDecodeError | SyntaxError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is 0x{error.object[error.start]:02x}, which is not {error.encoding}"
    return (error.msg or "its encoding is not known").replace(f" for '{path}'", "")
