"""The magic ``%%gradcheck`` of notebooks: runs a cell, and checks the gradients in it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gradcheck.api import prepare
from gradcheck.checker.result import ParameterResult, Verdict
from gradcheck.errors import UsageError
from gradcheck.report.problems import by_reason, names_of
from gradcheck.script.source.notebook import SUFFIX
from gradcheck.session.isolate import Children
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult
from gradcheck.settings import Options, from_texts

_MAGIC = "%%gradcheck"
_NAME = "notebook"
_OPTIONS = ("loss", "backward", "params", "points", "seed", "rtol", "atol", "method", "timeout", "memory", "call")


def register(shell: Any) -> None:
    """Give a shell the magic."""
    magic = Magic(shell)
    shell.register_magic_function(magic.check_cell, magic_kind="cell", magic_name=_MAGIC.lstrip("%"))
    shell.events.register("post_run_cell", magic.ran)


class Magic:
    """The magic of one shell.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
        The shell, whose history holds the cells that were run.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        # of the cells before, IPython 9 knows which have failed
        self._failed = set(getattr(shell.history_manager, "exceptions", ()))

    def ran(self, result: Any) -> None:
        """Take note of a cell that raised an exception."""
        if not result.success and result.info.store_history:
            self._failed.add(result.execution_count)

    def check_cell(self, line: str, cell: str) -> Report:
        """Run the cell, and check its gradients as if the notebook had been run up to here.

        The cells that were run before and this one are run once more, in the order in which they were run and in a
        process of their own, and the gradients are compared with finite differences of the loss. Options are those of
        ``gradcheck run``: --loss NAME, --backward NAME, --params A,B, --points N, --seed N, --rtol X, --atol X,
        --method NAME, --timeout SECONDS, --memory MIB, --no-fix, and --call EXPR, which is run at the end of the copy
        only: the notebook itself does not run it.
        """
        __tracebackhide__ = True
        cells, number = self._cells(line, cell)
        left_out = sorted(k for k in self._failed if 0 < k < number and cells[k - 1].strip())
        content = _notebook(["" if k + 1 in left_out else source for k, source in enumerate(cells)])
        try:
            job = prepare(Path.cwd() / f"{_NAME}{SUFFIX}", options_of(line), content=content)
        except UsageError as error:
            raise _sentence(error.message) from None
        _run(self._shell, cell, number)
        result = replace(job, path=_NAME).run(children=Children(share_input=False))
        result = within_cell(result, number)
        return Report((replace(result, notes=(*result.notes, *_notes(left_out))),))

    def _cells(self, line: str, cell: str) -> tuple[list[str], int]:
        """Return the cells that were run, this one last, and the number that a notebook shows beside it."""
        cells = list(self._shell.history_manager.input_hist_raw[1:])
        this = f"{_MAGIC} {line}\n{cell}".rstrip()
        # a cell that is run without leaving a trace in the history is not there
        if not (cells and cells[-1].lstrip().startswith(_MAGIC) and cells[-1].rstrip().endswith(cell.rstrip())):
            cells.append(this)
        return cells, len(cells)


def options_of(line: str) -> Options:
    """Return the settings that stand behind the magic."""
    try:
        words = iter(shlex.split(line))
    except ValueError as error:
        raise UsageError(f"{_MAGIC}: expected options such as --points 8, got {line!r}: {error}") from None
    said: dict[str, str] = {}
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if word in ("--fix", "--no-fix"):
            said["fix"] = str(word == "--fix")
        elif not word.startswith("--") or name not in _OPTIONS:
            known = ", ".join(f"--{option}" for option in (*_OPTIONS, "no-fix"))
            raise UsageError(f"{_MAGIC}: unknown option {word!r}; known are {known}")
        else:
            given = value if equals else next(words, None)
            if given is None:
                raise UsageError(f"{_MAGIC}: --{name}: expected a value behind it")
            # statements stand on lines of their own
            said[name] = f"{said[name]}\n{given}" if name == "call" and name in said else given
    return from_texts(said, _MAGIC)


def _notebook(cells: Sequence[str]) -> str:
    """Return the cells as a file of the format of notebooks."""
    made: list[dict[str, Any]] = [
        {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        for source in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


def within_cell(result: ScriptResult, number: int) -> ScriptResult:
    """Return a result with what is said about the gradients that one cell computes, if it computes any."""
    own = {source.parameter for source in result.sources if result.place(source.span.line).cell == number}
    others = [parameter for parameter in result.parameters if parameter.name not in own]
    if result.check is None or not own or not others:
        return result
    shown = tuple(parameter for parameter in result.parameters if parameter.name in own)
    findings = tuple(finding for finding in result.findings if own & set(finding.parameters))
    return replace(
        result,
        check=replace(result.check, parameters=shown),
        findings=findings,
        sources=tuple(source for source in result.sources if source.parameter in own),
        signatures=tuple((name, said) for name, said in result.signatures if name in own),
        # what was not checked belongs to no cell: it is said, and it is no row among those of one
        notes=(*result.notes, _elsewhere(others), *_unchecked(result)),
        unchecked=(),
    )


def _unchecked(result: ScriptResult) -> Iterator[str]:
    for group in by_reason(result.unchecked):
        yield f"{names_of(group, '`{}`'.format)} not checked: {group[0].reason}"


def _elsewhere(others: Sequence[ParameterResult]) -> str:
    counted = [
        f"{n} {verdict.value}" for verdict in Verdict if (n := sum(other.verdict is verdict for other in others))
    ]
    names = ", ".join(f"`{other.name}`" for other in others)
    return f"not shown, because other cells compute them: the gradients of {names} ({', '.join(counted)})"


def _notes(left_out: Sequence[int]) -> Iterator[str]:
    yield "a cell is called by the number in brackets beside it"
    if left_out:
        one = len(left_out) == 1
        numbers = ", ".join(map(str, left_out))
        were = "raised an exception and was" if one else "raised exceptions and were"
        yield f"cell{'' if one else 's'} {numbers} {were} left out"


def _run(shell: Any, cell: str, number: int) -> None:
    """Run a cell as without the magic; its exception comes through, to be shown once."""
    __tracebackhide__ = True
    with _inside(shell, number):
        done = shell.run_cell(cell, store_history=False)
    if done.error_before_exec is not None:
        # the way through the shell's own code says nothing about the cell
        raise done.error_before_exec.with_traceback(None)
    done.raise_error()


@contextmanager
def _inside(shell: Any, number: int) -> Iterator[None]:
    """Let a shell run a cell that stands in another, under that one's number; whoever runs that shows exceptions."""
    after = shell.execution_count
    shell.execution_count = number
    shell._showtraceback = lambda *_: None
    try:
        yield
    finally:
        del shell._showtraceback
        shell.execution_count = after


def _sentence(message: str) -> Exception:
    """Return an exception that a shell shows without a traceback."""
    from IPython.core.error import UsageError as Shown

    shown: Exception = Shown(message)
    return shown
