"""A user's script as text and syntax tree, and the questions about it that need no execution."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import types
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from gradcheck.errors import ScriptError
from gradcheck.script.source.beside import Neighbourhood
from gradcheck.script.source.clips import with_clips_marked
from gradcheck.script.source.lambdas import with_lambdas_defined
from gradcheck.script.source.linking import MAIN, Linked, is_linkable, link
from gradcheck.script.source.notebook import SUFFIX, read_notebook
from gradcheck.script.source.place import CALL, Cells, Part
from gradcheck.script.source.rounds import with_rounds
from gradcheck.script.source.syntax import (
    Function,
    Loop,
    as_assignment,
    functions_in,
    is_future,
    loops_in,
    loops_of,
    own_statements,
    with_futures_first,
)
from gradcheck.script.source.updates import hands_on, updates_of

_DERIVATIVE_KEYWORDS = {"jac", "fprime", "grad", "gradient", "Dfun"}
_DIRECTIVE = re.compile(r"^\s*#\s*gradcheck:\s*(?P<settings>\S.*)$")
# a value goes on to the next key, so it may be an expression with commas; `=` in it belongs to a call
_SETTING = re.compile(r"(?P<key>\w+)\s*=(?!=)\s*(?P<value>(?:[^(),]|\([^()]*(?:\([^()]*\)[^()]*)*\)|,(?!\s*\w+\s*=))*)")


# the code of replays, by the statement and by what it is given
Codes = dict[tuple[ast.stmt, tuple[str, ...]], types.CodeType]


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
    parts : tuple of Part
        For a program of several files, whose modules stand below the script: where each of them stands. What is run at
        the end of the script stands between them.
    left_out : tuple of (int, str)
        For a notebook: the lines at which cells are no Python, and why; nothing of these cells is in the code.
    """

    path: Path
    code: str
    lines: tuple[str, ...]
    cells: Cells | None = None
    parts: tuple[Part, ...] = ()
    left_out: tuple[tuple[int, str], ...] = ()

    @classmethod
    def read(cls, path: Path, content: str | None = None) -> ScriptText:
        """Read a script or a notebook."""
        is_notebook = path.suffix == SUFFIX
        text = _read_text(path, is_notebook=is_notebook) if content is None else content
        if not text.strip():
            raise ScriptError("the file is empty: there is nothing to check", slug="empty", line=1)
        if is_notebook:
            notebook = read_notebook(text)
            code = "\n".join(notebook.code) + "\n"
            return cls(path, code, notebook.lines, notebook.cells, left_out=notebook.left_out)
        # not splitlines, which ends lines at form feeds and other characters where Python does not
        return cls(path, text, tuple(text.removesuffix("\n").split("\n")))

    def calling(self, calls: Sequence[str]) -> ScriptText:
        """Return the text with statements that are run as if they stood at its end, and that belong to no file."""
        if not calls:
            return self
        lines = "\n".join(calls).split("\n")
        script = Part(MAIN, str(self.path), 1, len(self.lines))
        call = Part(CALL, CALL, len(self.lines) + 1, len(self.lines) + len(lines))
        code = _ended(self.code) + _ended("\n".join(lines))
        return replace(self, code=code, lines=(*self.lines, *lines), parts=(script, call))

    def with_modules(self) -> ScriptText:
        """Return the program: the script, and below it the modules beside it that it imports."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.Module([statement for body in self._bodies() for statement in body], [])
        except (SyntaxError, RecursionError, MemoryError):
            return self
        around = Neighbourhood(self.path, tree)
        found = [(m, source) for m, source in around.modules(tree, _parsed_module) if isinstance(source, SourceFile)]
        while (names := {m.name for m, _ in found}) and (
            kept := [pair for pair in found if is_linkable(pair[1].tree.body, names)]
        ) != found:
            found = kept
        if not found:
            return self
        code, lines = _ended(self.code), list(self.lines)
        script, *call = self.parts or (Part(MAIN, str(self.path), 1, len(lines)),)
        parts = [replace(script, package=around.package), *call]
        for module, source in found:
            start = len(lines) + 1
            lines += source.lines
            code += _ended(source.text)
            parts.append(Part(module.name, str(module.path), start, len(lines), module.package))
        return replace(self, code=code, lines=tuple(lines), parts=tuple(parts))

    def parse(self) -> SourceFile:
        """Return the script with its syntax tree."""
        if self.left_out and not self.code.strip():
            line, why = self.left_out[0]
            raise ScriptError(f"not valid Python: {why}", slug="syntax-error", line=line)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the script, which Python shows when it runs
                tree, files = self._program()
                # most scripts have none, and to look for them in the tree takes as long as to parse the script
                tree = with_lambdas_defined(tree) if "lambda" in self.code else tree
                return SourceFile(self, with_clips_marked(with_rounds(tree)), files)
        except SyntaxError as error:
            raise ScriptError(f"not valid Python: {error.msg}", slug="syntax-error", line=error.lineno) from None
        except (RecursionError, MemoryError):
            raise ScriptError("too deeply nested to be parsed", slug="syntax-error", line=1) from None

    def _program(self) -> tuple[ast.Module, list[Linked]]:
        """Return the tree of all files, and what became of each where there are several."""
        bodies = self._bodies()
        files = [part for part in self.parts if part.name != CALL]
        if len(files) < 2:
            return with_futures_first([statement for body in bodies for statement in body]), []
        if len(files) < len(self.parts):
            script, call, *modules = bodies
            bodies = [[*script, *call], *modules]
        linked = link(files, bodies)
        return with_futures_first([statement for file in linked for statement in file.body]), linked

    def _bodies(self) -> list[list[ast.stmt]]:
        """Return the statements of each part."""
        if not self.parts:
            return [self._tree().body]
        code = self.code.split("\n")
        script = "\n".join(code[: self.parts[0].end]) + "\n"
        bodies = [replace(self, code=script, parts=())._tree().body]
        for part in self.parts[1:]:
            text = "\n" * (part.start - 1) + "\n".join(code[part.start - 1 : part.end])
            bodies.append(ast.parse(text, filename=str(self.path)).body)
        return bodies

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
                compile(with_futures_first(tree.body), str(self.path), "exec", dont_inherit=True)
            except SyntaxError as error:
                error.lineno = min(error.lineno or start, end)
                raise
            body += tree.body
        return with_futures_first(body)


def _parsed_module(path: Path) -> SourceFile | None:
    """Return a module beside a script; None if it cannot be read, which is Python's to say when it is imported."""
    try:
        return ScriptText.read(path).parse()
    except ScriptError:
        return None


def local_modules(script: Path) -> set[Path]:
    """Return the modules beside a script that it imports, directly or not; none where it cannot be read."""
    source = _parsed_module(script)
    if source is None:
        return set()
    return {module.path for module, _ in Neighbourhood(script, source.tree).modules(source.tree, _parsed_module)}


@lru_cache(maxsize=4096)
def _may_step(loop: ast.For | ast.While) -> bool:
    """Whether a loop may move something by a step."""
    statements = map(as_assignment, own_statements(loop.body))
    return any(hands_on(s) or any(True for _ in updates_of(s)) for s in statements)


def _ended(code: str) -> str:
    return code if code.endswith("\n") else code + "\n"


class SourceFile:
    """A script that was read and parsed."""

    def __init__(self, text: ScriptText, tree: ast.Module, files: Sequence[Linked] = ()) -> None:
        self.path, self.parts, self.files = text.path, text.parts, tuple(files)
        self.text = text.code
        self.lines = list(text.lines)
        self.cells, self.left_out = text.cells, text.left_out
        self.tree = tree
        self._codes: Codes = {}

    @classmethod
    def read(cls, path: Path, content: str | None = None, calls: Sequence[str] = ()) -> SourceFile:
        """Read and parse a script with what is run at its end and the modules beside it, see `ScriptText.read`."""
        return ScriptText.read(path, content).calling(calls).with_modules().parse()

    @property
    def modules(self) -> tuple[Linked, ...]:
        """The modules beside the script."""
        return self.files[1:]

    @property
    def call(self) -> Part | None:
        """What is run at the end of the script and stands in no file; None where there is none."""
        return next((part for part in self.parts if part.name == CALL), None)

    @property
    def called(self) -> list[str]:
        """The lines of that."""
        return [] if self.call is None else self.lines[self.call.start - 1 : self.call.end]

    def is_in_file(self, line: int) -> bool:
        """Whether a line stands in a file, so that it can be edited there."""
        return self.call is None or not self.call.start <= line <= self.call.end

    @property
    def unknown(self) -> frozenset[tuple[str, str]]:
        """Files with the names that each uses and does not have."""
        return frozenset((file.part.name, name) for file in self.files for name in file.unknown)

    @cached_property
    def functions(self) -> dict[str, Function]:
        """All functions and methods at module or class level, by qualified name."""
        return {f.name: f for f in functions_in(self.tree.body, prefix="", owner=None)}

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The loops that call something of the script or may move something by a step, inner ones too.

        Where a round has several loops that call something, such as one forward and one backward through the layers, it
        is these together that make a step.
        """
        own = {f.short_name for f in self.functions.values()}
        found = [loops_in(self.tree.body, None), *map(loops_of, self.functions.values())]
        every = [loop for loops in found for loop in loops]
        calling = [loop.node for loop in every if loop.round_calls & own]
        return tuple(
            loop
            for loop in every
            if loop.round_calls & own
            or sum(statement in calling for statement in loop.node.body) > 1
            or _may_step(loop.node)
        )

    @cached_property
    def derivatives(self) -> frozenset[str]:
        """The functions that an optimizer is handed as the gradient, or that are named after another: ``df``, ``f``."""
        keywords = [k for node in ast.walk(self.tree) if isinstance(node, ast.Call) for k in node.keywords]
        handed = {k.value.id for k in keywords if k.arg in _DERIVATIVE_KEYWORDS and isinstance(k.value, ast.Name)}
        own = {f.short_name for f in self.functions.values()}
        return frozenset(own & handed | {name for name in own if name[:1] == "d" and name[1:].lstrip("_") in own})

    @cached_property
    def rebound(self) -> frozenset[str]:
        """The names of functions to which the module gives another value later: ``cost = cost(w)``."""
        definitions = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
        nodes = [node for part in self.tree.body if not isinstance(part, definitions) for node in ast.walk(part)]
        bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        return frozenset(bound & self.functions.keys())

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

    def futures(self, line: int) -> list[ast.stmt]:
        """Return what the file in which a line stands says of how it is to be compiled; a cell says it for all."""

        def module_of(number: int) -> str | None:
            return next((m.part.name for m in self.modules if m.part.start <= number <= m.part.end), None)

        return [s for s in self.tree.body if is_future(s) and module_of(s.lineno) == module_of(line)]

    def prepared(self, module: ast.Module) -> ast.Module:
        """Return what is compiled for a replay of a part of the script: that part, unless an heir adds to it."""
        return module

    def compiled_once(
        self, node: ast.stmt, names: Sequence[str], compiled: Callable[[], types.CodeType]
    ) -> types.CodeType:
        """Return the code of a statement's replay, which is compiled once for each set of names that it is given."""
        key = node, tuple(names)
        if key not in self._codes:
            self._codes[key] = compiled()
        return self._codes[key]

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
