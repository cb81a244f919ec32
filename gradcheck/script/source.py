"""A user's script as text and syntax tree, and the questions about it that need no execution."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gradcheck.errors import ScriptError

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
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
class Function:
    """A function or method as the script defines it.

    Attributes
    ----------
    name : str
        Qualified name without the module: ``backprop``, ``Net.backward``.
    node : ast.FunctionDef
        Its definition.
    owner : str or None
        The class that a method belongs to.
    """

    name: str
    node: FunctionNode
    owner: str | None

    @property
    def line(self) -> int:
        """Line of the ``def``."""
        return self.node.lineno

    @property
    def short_name(self) -> str:
        """The name after the last dot."""
        return self.node.name

    @cached_property
    def decorators(self) -> frozenset[str]:
        """Its decorators as written."""
        return frozenset(ast.unparse(d) for d in self.node.decorator_list)

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """Names of all named arguments, in order."""
        a = self.node.args
        return tuple(arg.arg for arg in [*a.posonlyargs, *a.args, *a.kwonlyargs])

    @cached_property
    def required_arguments(self) -> tuple[str, ...]:
        """Names of the arguments without a default."""
        a = self.node.args
        positional = [arg.arg for arg in [*a.posonlyargs, *a.args]]
        keyword = [arg.arg for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True) if default is None]
        return tuple(positional[: len(positional) - len(a.defaults)] + keyword)

    @cached_property
    def statements(self) -> tuple[ast.stmt, ...]:
        """Every statement of the body, nested functions and classes left out."""
        return tuple(_own_statements(self.node.body))

    @cached_property
    def returns(self) -> tuple[ast.Return, ...]:
        """The ``return`` statements that give back a value."""
        return tuple(s for s in self.statements if isinstance(s, ast.Return) and s.value is not None)

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name and dotted name that the body mentions."""
        found: set[str] = set()
        for statement in self.node.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name | ast.Attribute):
                    found.add(ast.unparse(node))
        return frozenset(found)

    @cached_property
    def calls(self) -> frozenset[str]:
        """The names of the functions and methods that the body calls, without what stands before the dot."""
        nodes = (node for statement in self.node.body for node in ast.walk(statement))
        return frozenset(called_name(node) for node in nodes if isinstance(node, ast.Call))

    def assignments(self, name: str) -> list[ast.Assign | ast.AugAssign | ast.AnnAssign]:
        """Return the statements of the body that assign to `name`, in order; item assignments count."""
        return [s for s in self.statements if isinstance(s, _ASSIGNMENTS) and name in assigned_names(s)]

    def feeds(self, names: set[str]) -> set[str]:
        """Return the names whose values flow into `names` through the assignments of the body."""
        flow: dict[str, set[str]] = {}
        for statement in self.statements:
            if isinstance(statement, _ASSIGNMENTS) and statement.value is not None:
                for target in assigned_names(statement):
                    flow.setdefault(target, set()).update(loaded_names(statement.value))
        reached: set[str] = set()
        frontier = set(names)
        while frontier:
            frontier = {source for name in frontier for source in flow.get(name, ())} - reached
            reached |= frontier
        return reached


@dataclass(frozen=True)
class Loop:
    """A loop whose body calls functions of the script.

    Attributes
    ----------
    name : str
        How it is named in messages: ``the loop in line 59``.
    node : ast.For or ast.While
        Its definition.
    function : Function or None
        The function that it stands in; None at module level.
    calls : frozenset of str
        The names of what its body calls, inner loops left out.
    """

    name: str
    node: ast.For | ast.While
    function: Function | None
    calls: frozenset[str]

    @property
    def line(self) -> int:
        """Line of its head."""
        return self.node.lineno


_ASSIGNMENTS = (ast.Assign, ast.AugAssign, ast.AnnAssign)


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
        return {f.name: f for f in _functions(self.tree.body, prefix="", owner=None)}

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The loops at module level and in functions that call something of the script, inner ones too."""
        own = {f.short_name for f in self.functions.values()}
        found = [_loops(self.tree.body, None), *(_loops(f.node.body, f) for f in self.functions.values())]
        return tuple(loop for loops in found for loop in loops if loop.calls & own)

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


def called_name(call: ast.Call) -> str:
    """Return the name after the last dot of what is called, or an empty string."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def assigned_names(statement: ast.Assign | ast.AugAssign | ast.AnnAssign) -> set[str]:
    """Return the names that a statement assigns to: ``a``, ``self.W`` and, for ``grads['W'] = ...``, ``grads``."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    found: set[str] = set()
    for target in targets:
        for part in flat_targets(target):
            while isinstance(part, ast.Subscript | ast.Starred):
                part = part.value
            found.add(ast.unparse(part))
    return found


def flat_targets(target: ast.expr) -> list[ast.expr]:
    """Return the elements of a (nested) tuple or list target, or the target itself."""
    if isinstance(target, ast.Tuple | ast.List):
        return [part for element in target.elts for part in flat_targets(element)]
    return [target]


def loaded_names(expression: ast.expr) -> set[str]:
    """Return the names and dotted names that an expression reads."""
    return {ast.unparse(node) for node in ast.walk(expression) if isinstance(node, ast.Name | ast.Attribute)}


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


def _functions(body: list[ast.stmt], prefix: str, owner: str | None) -> Iterator[Function]:
    for statement in body:
        if isinstance(statement, FunctionNode):
            yield Function(prefix + statement.name, statement, owner)
        elif isinstance(statement, ast.ClassDef):
            name = prefix + statement.name
            yield from _functions(statement.body, prefix=f"{name}.", owner=name)
        else:
            for block in _blocks(statement):
                yield from _functions(block, prefix, owner)


def _loops(body: list[ast.stmt], function: Function | None) -> list[Loop]:
    loops = [s for s in _own_statements(body) if isinstance(s, ast.For | ast.While)]
    return [Loop(f"the loop in line {s.lineno}", s, function, frozenset(_calls_outside_loops(s.body))) for s in loops]


def _calls_outside_loops(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.For | ast.While | FunctionNode | ast.ClassDef):
            continue
        inner = [block for block in _blocks(statement) if block]
        for block in inner:
            yield from _calls_outside_loops(block)
        if not inner:
            yield from (called_name(node) for node in ast.walk(statement) if isinstance(node, ast.Call))


def _own_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        if not isinstance(statement, FunctionNode | ast.ClassDef):
            for block in _blocks(statement):
                yield from _own_statements(block)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        yield getattr(statement, field, [])
    for part in [*getattr(statement, "handlers", []), *getattr(statement, "cases", [])]:
        yield part.body
