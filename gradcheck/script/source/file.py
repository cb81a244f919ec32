"""A user's script as text and syntax tree, and the questions about it that need no execution."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gradcheck.errors import ScriptError
from gradcheck.script.source.lambdas import with_lambdas_defined
from gradcheck.script.source.notebook import SUFFIX, read_notebook
from gradcheck.script.source.place import Cells
from gradcheck.script.source.syntax import Function, Loop, functions_in, loops_in
from gradcheck.script.source.updates import updates_of

_DERIVATIVE_KEYWORDS = {"jac", "fprime", "grad", "gradient", "Dfun"}
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


@dataclass(frozen=True)
class ScriptText:
    """The text of a script that was read and not yet parsed.

    Attributes
    ----------
    code : str
        The Python in it: the file's text, or the code cells of a notebook one below the other.
    lines : tuple of str
        As many lines, as the author sees them.
    cells : Cells or None
        For a notebook: where its cells begin.
    """

    path: Path
    code: str
    lines: tuple[str, ...]
    cells: Cells | None = None

    @classmethod
    def read(cls, path: Path, content: str | None = None) -> ScriptText:
        """Read a script or a notebook."""
        is_notebook = path.suffix == SUFFIX
        text = _read_text(path, is_notebook=is_notebook) if content is None else content
        if not text.strip():
            raise ScriptError("the file is empty: there is nothing to check", slug="empty", line=1)
        if is_notebook:
            notebook = read_notebook(text)
            return cls(path, "\n".join(notebook.code) + "\n", notebook.lines, notebook.cells)
        # not splitlines, which ends lines at form feeds and other characters where Python does not
        return cls(path, text, tuple(text.removesuffix("\n").split("\n")))

    def parse(self) -> SourceFile:
        """Return the script with its syntax tree."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the script, which Python shows when it runs
                return SourceFile(self, with_lambdas_defined(self._tree()))
        except SyntaxError as error:
            raise ScriptError(f"not valid Python: {error.msg}", slug="syntax-error", line=error.lineno) from None
        except (RecursionError, MemoryError):
            raise ScriptError("too deeply nested to be parsed", slug="syntax-error", line=1) from None

    def _tree(self) -> ast.Module:
        if self.cells is None:
            return ast.parse(self.code, filename=str(self.path))
        code = self.code.split("\n")
        body: list[ast.stmt] = []
        for start in self.cells.starts:
            # each by itself, because a bracket that is left open in one is not closed by another
            end = self.cells.extent(start)[1]
            cell = "\n" * (start - 1) + "\n".join(code[start - 1 : end])
            try:
                tree = ast.parse(cell, filename=str(self.path))
                # what only compiling finds, `await` or `return` outside of a function, belongs to its cell, too
                compile(tree, str(self.path), "exec", dont_inherit=True)
            except SyntaxError as error:
                error.lineno = min(error.lineno or start, end)
                raise
            body += tree.body
        # each cell of a notebook may begin with these, a script only as a whole
        futures = [s for s in body if isinstance(s, ast.ImportFrom) and s.module == "__future__"]
        return ast.Module([*futures, *(s for s in body if s not in futures)], type_ignores=[])


class SourceFile:
    """A script that was read and parsed."""

    def __init__(self, text: ScriptText, tree: ast.Module) -> None:
        self.path = text.path
        self.text = text.code
        self.lines = list(text.lines)
        self.cells = text.cells
        self.tree = tree

    @classmethod
    def read(cls, path: Path, content: str | None = None) -> SourceFile:
        """Read and parse a script, see `ScriptText.read`."""
        return ScriptText.read(path, content).parse()

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
    def derivatives(self) -> frozenset[str]:
        """The functions that an optimizer is handed as the gradient, or that are named after another: ``df``, ``f``."""
        keywords = [k for node in ast.walk(self.tree) if isinstance(node, ast.Call) for k in node.keywords]
        handed = {k.value.id for k in keywords if k.arg in _DERIVATIVE_KEYWORDS and isinstance(k.value, ast.Name)}
        own = {f.short_name for f in self.functions.values()}
        return frozenset(own & handed | {name for name in own if name[:1] == "d" and name[1:].lstrip("_") in own})

    @cached_property
    def imported(self) -> frozenset[str]:
        """The names that ``import`` statements bind."""
        nodes = [node for node in ast.walk(self.tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        return frozenset(alias.asname or alias.name.partition(".")[0] for node in nodes for alias in node.names)

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

    def prepared(self, module: ast.Module) -> ast.Module:
        """Return what is compiled for a replay of a part of the script: that part, unless an heir adds to it."""
        return module

    def compiled_once(self, _node: ast.stmt, compiled: Callable[[], types.CodeType]) -> types.CodeType:
        """Return the code of a statement's replay; an heir may keep it for when it is asked for again."""
        return compiled()

    def span(self, node: ast.expr | ast.stmt) -> Span:
        """Return where a node stands, its columns in characters (``ast`` counts UTF-8 bytes)."""
        end_line, end_offset = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return self.span_of(node.lineno, node.col_offset, end_line, end_offset)

    def span_of(self, line: int, offset: int, end_line: int, end_offset: int) -> Span:
        """Return a stretch of the text, its columns in characters, from offsets in UTF-8 bytes."""
        return Span(line, self._character(line, offset) + 1, end_line, self._character(end_line, end_offset) + 1)

    def _character(self, line: int, offset: int) -> int:
        encoded = self.lines[line - 1].encode() if line <= len(self.lines) else b""
        return len(encoded[:offset].decode(errors="replace"))


def _read_text(path: Path, *, is_notebook: bool) -> str:
    """Read a file: a notebook is UTF-8, a script declares its encoding."""
    try:
        with path.open(encoding="utf-8-sig") if is_notebook else tokenize.open(path) as file:
            text = file.read()
    except FileNotFoundError:
        raise ScriptError(f"no such file: {path}", slug="unreadable") from None
    except IsADirectoryError:
        raise ScriptError(f"expected a script, got a folder: {path}", slug="unreadable") from None
    except (UnicodeDecodeError, SyntaxError) as error:
        advice = "" if is_notebook else ", or name its encoding in the first line: # -*- coding: latin-1 -*-"
        raise ScriptError(
            f"cannot be decoded: {_undecodable(path, error)}; save it as UTF-8{advice}", slug="unreadable"
        ) from None
    except (OSError, ValueError) as error:
        raise ScriptError(f"cannot be read: {getattr(error, 'strerror', None) or error}", slug="unreadable") from None
    if "\0" in text:
        raise ScriptError(
            f"holds null bytes, so it is not a {'notebook' if is_notebook else 'Python script'}",
            slug="unreadable",
            line=text.count("\n", 0, text.index("\0")) + 1,
        )
    return text


def _undecodable(path: Path, error: UnicodeDecodeError | SyntaxError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is 0x{error.object[error.start]:02x}, which is not {error.encoding}"
    return (error.msg or "its encoding is not known").replace(f" for '{path}'", "")
