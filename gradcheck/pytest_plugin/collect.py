"""Scripts and notebooks as tests, one per parameter; none of them is imported."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from gradcheck.api import prepare
from gradcheck.batch import SUFFIXES, is_left_out
from gradcheck.checker.result import ParameterResult
from gradcheck.checker.verdict import Verdict
from gradcheck.errors import GradientMismatch, UsageError
from gradcheck.pytest_plugin.place import shown_path
from gradcheck.pytest_plugin.record import note, note_nothing
from gradcheck.pytest_plugin.settings import of_command_line, of_ini_file
from gradcheck.pytest_plugin.shared import examined_once
from gradcheck.report.failing import about, failure_text, headline_about
from gradcheck.report.text import sentence
from gradcheck.session.result import ScriptResult, Unchecked

_OF_PYTEST = ("conftest.py", "__init__.py")
# of a file that nobody has named, these say no more than that it has no gradients
_NO_GRADIENTS = ("no-gradient", "empty")
_KEY = re.compile(r"\[(?P<quote>['\"]?)(?P<key>.*?)(?P=quote)\]")


@dataclass(frozen=True)
class Examined:
    """A script that was examined.

    Attributes
    ----------
    is_told : bool
        Whether somebody has said which of its functions returns gradients, or of what.
    """

    script: ScriptResult
    is_told: bool


_EXAMINED = pytest.StashKey[dict[Path, Examined]]()


def script_file(path: Path, parent: pytest.Collector) -> ScriptFile | None:
    """Return the collector of a notebook, or of a script that was found in a folder; None for anything else."""
    named = parent.session.isinitpath(path)
    if named and path.suffix == ".py":
        return None  # of those, pytest makes modules, see below
    return _script_file(path, parent) if named or not _is_left_out(path, parent.session) else None


def script_file_for_module(path: Path, parent: pytest.Collector) -> ScriptFile | None:
    """Return the collector of a script that was named, which is to be no module; None for anything else."""
    return _script_file(path, parent) if parent.session.isinitpath(path) else None


def _script_file(path: Path, parent: pytest.Collector) -> ScriptFile | None:
    if path.suffix not in SUFFIXES or path.name in _OF_PYTEST:
        return None
    if path.suffix == ".py" and any(_matches(path, pattern) for pattern in parent.config.getini("python_files")):
        return None
    made: ScriptFile = ScriptFile.from_parent(parent, path=path)
    return made


def _matches(path: Path, pattern: str) -> bool:
    """Whether a path is what a pattern of ``python_files`` means: one without folders means the name."""
    if os.sep not in pattern and "/" not in pattern:
        return fnmatch(path.name, pattern)
    return fnmatch(str(path), pattern if Path(pattern).is_absolute() else f"*{os.sep}{pattern}")


def _is_left_out(path: Path, session: pytest.Session) -> bool:
    """Whether `gradcheck run` would leave a file out of a folder."""
    if path.name.startswith("."):
        return True
    for folder in path.parents:
        if session.isinitpath(folder, with_parents=True):
            return False
        if is_left_out(folder):
            return True
    return False


class ScriptFile(pytest.File):
    """A script or a notebook."""

    def collect(self) -> Iterator[pytest.Item]:
        """Examine the script, and return one test per parameter, or one that says why there is none."""
        examined = self._examined()
        script = examined.script
        if script.error is not None:
            is_none = script.error.slug in _NO_GRADIENTS and not examined.is_told
            without = is_none and not self.session.isinitpath(self.path)
            yield ScriptItem.from_parent(self, name=script.error.slug, script=script, is_without_gradients=without)
        names = item_names([parameter.name for parameter in script.rows])
        for name, parameter in zip(names, script.rows, strict=True):
            yield ScriptItem.from_parent(self, name=name, script=script, parameter=parameter)

    def _examined(self) -> Examined:
        """Examine the script, once in a process."""
        known = self.config.stash.setdefault(_EXAMINED, {})
        if self.path not in known:
            try:
                job = prepare(self.path, of_command_line(self.config), beside=of_ini_file(self.config))
            except UsageError as error:
                raise self.CollectError(error.message) from None
            job = replace(job, path=shown_path(self.config, self.path))
            # what cannot even be read is no work for anybody
            patience = 0.0 if job.request is None else 2 * job.request.seconds
            script = examined_once(self.config, self.path, job.run, patience)
            known[self.path] = Examined(script, bool(job.options.backward or job.options.params))
        return known[self.path]


def item_names(parameters: Sequence[str]) -> list[str]:
    """Return names for tests of parameters: without brackets, which would end the name, and each of them once."""
    names: list[str] = []
    for parameter in parameters:
        plain = re.sub(r"[\[\]\s]|::", "_", _KEY.sub(r".\g<key>", parameter))
        number = 1
        name = plain
        while name in names:
            number += 1
            name = f"{plain}-{number}"
        names.append(name)
    return names


def _open(parameter: ParameterResult | Unchecked) -> str:
    """Say why nothing is known of a gradient; nothing is said of one that was decided."""
    if isinstance(parameter, Unchecked):
        return f"not checked: {parameter.reason}"
    if parameter.verdict is not Verdict.INCONCLUSIVE:
        return ""
    return f"inconclusive: {parameter.reason.sentence if parameter.reason is not None else 'could not be decided'}"


class ScriptItem(pytest.Item):
    """The test of one parameter of a script, or of a script that could not be checked.

    Parameters
    ----------
    parameter : ParameterResult or Unchecked, optional
        The parameter; None where there was an error.
    is_without_gradients : bool
        Whether the error says no more than that the file has no gradients.
    """

    def __init__(
        self,
        *,
        script: ScriptResult,
        parameter: ParameterResult | Unchecked | None = None,
        is_without_gradients: bool = False,
        **node: Any,
    ) -> None:
        super().__init__(**node)
        self.script = script
        self.parameter = parameter
        self.add_marker("gradcheck")
        place = str(self.parent.nodeid) if self.parent is not None else script.path
        if is_without_gradients:
            note_nothing(self, place, sentence(script))
            self.add_marker(pytest.mark.skip(reason=sentence(script)))
            return
        note(self, place, script, () if parameter is None else (parameter,))
        strict = self.config.getoption("gradcheck_strict") or self.config.getini("gradcheck_strict")
        said = "" if parameter is None else _open(parameter)
        if parameter is not None and said and not strict:
            self.add_marker(pytest.mark.skip(reason=f"{parameter.name}: {said}"))

    def runtest(self) -> None:
        """Raise what is wrong."""
        if self.script.error is not None:
            raise self.script.error
        if isinstance(self.parameter, Unchecked):
            raise GradientMismatch(f"the gradient of {self.parameter.name} was not checked: {self.parameter.reason}")
        if self.parameter is not None and self.parameter.verdict is not Verdict.MATCH:
            narrowed = about(self.script, self.parameter)
            raise GradientMismatch(failure_text(narrowed, headline_about(narrowed, self.parameter)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *arguments: Any, **settings: Any) -> Any:
        """Return what is wrong as text; where it was found in our own code says nothing to anybody."""
        if isinstance(excinfo.value, GradientMismatch):
            return str(excinfo.value)
        if excinfo.value is self.script.error:
            return failure_text(self.script)
        return super().repr_failure(excinfo, *arguments, **settings)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the file, the line of the cause or of the gradient, counted from 0, and what the test is about."""
        subject = self.name if self.parameter is None else self.parameter.name
        # the lines of a notebook are those of its cells, not of its file
        line = 0 if self.script.cells is not None else max((self._line() or 1) - 1, 0)
        return self.path, line, f"{subject} in {self.script.path}"

    def _line(self) -> int | None:
        script = self.script
        if self.parameter is None:
            return script.error.line if script.error is not None else None
        if isinstance(self.parameter, Unchecked):
            return None
        lines = [finding.span.line for finding in about(script, self.parameter).findings]
        lines += [source.span.line for source in script.sources if source.parameter == self.parameter.name]
        lines += [script.entry_points.backward_line] if script.entry_points is not None else []
        return lines[0] if lines else None
