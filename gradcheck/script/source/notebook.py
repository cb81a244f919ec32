"""A Jupyter notebook as one script: its code cells, one below the other."""

from __future__ import annotations

import ast
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gradcheck.errors import ScriptError
from gradcheck.script.source.magics import without_magics
from gradcheck.script.source.place import Cells
from gradcheck.script.source.syntax import with_futures_first

SUFFIX = ".ipynb"
_FORMAT = 4


@dataclass(frozen=True)
class Notebook:
    """The code of a notebook.

    Attributes
    ----------
    lines : tuple of str
        The lines of all code cells, as their author sees them.
    code : tuple of str
        As many lines, with magics and shell commands replaced by Python that does nothing.
    left_out : tuple of (int, str)
        The lines at which cells are no Python, and why; such a cell is empty in the code.
    """

    lines: tuple[str, ...]
    code: tuple[str, ...]
    cells: Cells
    left_out: tuple[tuple[int, str], ...] = ()


def read_notebook(text: str) -> Notebook:
    """Return the code cells of a notebook."""
    content = _upgraded(text)
    _refuse_other_languages(content.get("metadata"))
    sources = [_dedented(source.split("\n")) for source in _code_cells(content.get("cells"))]
    if not sources:
        raise ScriptError("the notebook has no code cells: there is nothing to check", slug="empty")
    if not any(line.strip() for lines in sources for line in lines):
        raise ScriptError("the notebook's code cells are empty: there is nothing to check", slug="empty")
    starts = [1]
    code: list[str] = []
    left_out: list[tuple[int, str]] = []
    for lines in sources:
        cell = without_magics(lines)
        if (problem := _no_python(cell, starts[-1])) is not None:
            left_out.append(problem)
            cell = [""] * len(lines)
        code += cell
        starts.append(starts[-1] + len(lines))
    return Notebook(
        lines=tuple(line for lines in sources for line in lines),
        code=tuple(code),
        cells=Cells(tuple(starts[:-1]), starts[-1] - 1),
        left_out=tuple(left_out),
    )


def _no_python(cell: list[str], start: int) -> tuple[int, str] | None:
    """Return the line at which a cell that begins at a line is no Python, and why; None where it is Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the cell, which Python shows when it runs
            tree = ast.parse("\n" * (start - 1) + "\n".join(cell))
            # what only compiling finds, `await` or `return` outside of a function, belongs to its cell, too
            compile(with_futures_first(tree.body), "<cell>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return min(error.lineno or start, start + len(cell) - 1), error.msg
    except (RecursionError, MemoryError):
        return start, "too deeply nested to be parsed"
    return None


def _upgraded(text: str) -> Mapping[str, Any]:
    """Parse a notebook of any version of the format and bring it to the present one."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise _no_notebook(f"it is not JSON ({error.msg})", line=error.lineno) from None
    except RecursionError:
        raise _no_notebook("its JSON is too deeply nested") from None
    if not isinstance(content, dict) or not isinstance(content.get("nbformat"), int):
        raise _no_notebook("expected an object with a field `nbformat`, which holds the version of the format")
    # loading this library takes longer than checking a small script
    from nbformat import converter, reader

    try:
        with _silent():
            # not nbformat.read, which prints what it finds wrong and goes on
            upgraded = converter.convert(reader.reads(text), _FORMAT)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - the library meets a content that nobody has looked at
        raise _no_notebook(str(error).strip().partition("\n")[0] or type(error).__name__) from None
    if not isinstance(upgraded, Mapping):
        raise _no_notebook("expected an object")
    return upgraded


def _code_cells(cells: Any) -> Iterator[str]:
    if not isinstance(cells, list):
        raise _no_notebook(f"expected a list of cells in the field `cells`, got {type(cells).__name__}")
    for number, cell in enumerate(cells, start=1):
        kind, source = (cell.get("cell_type"), cell.get("source")) if isinstance(cell, Mapping) else (None, None)
        if not isinstance(kind, str) or not isinstance(source, str):
            raise _no_notebook(f"the entry {number} of its cells has no `cell_type` or no text in `source`")
        if kind == "code":
            if "\0" in source:
                raise _no_notebook(f"the entry {number} of its cells holds null bytes")
            yield source.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def _refuse_other_languages(metadata: Any) -> None:
    """Raise where the notebook says that it is not written in Python; one that says nothing is taken for Python."""
    about = _entry(metadata, "language_info")
    if _entry(about, "file_extension") == ".py":
        # opened with the kernel of another language, by mistake, it keeps that one's name
        return
    language = str(_entry(about, "name") or _entry(_entry(metadata, "kernelspec"), "language") or "python")
    if not language.lower().removeprefix("i").startswith("python"):
        raise ScriptError(
            f"expected a notebook in Python, got one in {language}: gradcheck runs Python only", slug="unreadable"
        )


def _entry(content: Any, key: str) -> Any:
    return content.get(key) if isinstance(content, Mapping) else None


def _dedented(lines: list[str]) -> list[str]:
    """Return a cell without the indentation of its first line, as a notebook runs it."""
    first = next((line for line in lines if line.strip()), "")
    return [line.removeprefix(first[: len(first) - len(first.lstrip())]) for line in lines]


def _no_notebook(reason: str, line: int | None = None) -> ScriptError:
    return ScriptError(
        f"not a notebook that can be read: {reason}; open it in Jupyter and save it again, or save it as a "
        "script (.py)",
        slug="unreadable",
        line=line,
    )


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the library's warnings and log to itself; what matters is told as an error."""
    logger = logging.getLogger("traitlets")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before
