"""The fixture ``gradcheck``: checks of functions and scripts within a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gradcheck.api import prepare
from gradcheck.checker.failure import failure_message
from gradcheck.checker.functions import check_grad, numerical_grad
from gradcheck.checker.result import CheckResult
from gradcheck.errors import GradientMismatch, ScriptError
from gradcheck.pytest_plugin.place import shown_path
from gradcheck.pytest_plugin.record import note
from gradcheck.pytest_plugin.settings import from_values, of_command_line, of_ini_file, of_markers
from gradcheck.report.failing import failure_text
from gradcheck.report.text import sentence
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult
from gradcheck.settings import Options

_OF_A_CHECK = ("rtol", "atol", "method", "points", "seed")


class Checker:
    """Checks gradients in a test, with the settings of its markers, of the command line and of the ini file.

    Parameters
    ----------
    node : pytest.Item
        The test.
    """

    def __init__(self, node: pytest.Item) -> None:
        __tracebackhide__ = True
        self._node = node
        self._said = of_markers(node).over(of_command_line(node.config))
        self._ini = of_ini_file(node.config)

    def __repr__(self) -> str:
        return "<the fixture gradcheck>"

    def __call__(self, loss: Callable[..., Any], grad: object, params: object, /, **settings: Any) -> CheckResult:
        """Check a gradient as ``assert_grad`` does, and raise unless it was shown to match.

        Parameters
        ----------
        loss, grad, params
            As for ``assert_grad``.
        **settings
            As for ``assert_grad``; they win over the marker, the command line and the ini file.

        Returns
        -------
        CheckResult
            A result that passed.

        Raises
        ------
        GradientMismatch
            If an entry does not match, or could not be decided.
        InputError
            If the input cannot be checked.
        """
        __tracebackhide__ = True
        known = self._defaults(_OF_A_CHECK)
        if not (callable(grad) or grad is True):
            known.pop("points", None)  # a gradient that is given as numbers is known at one point only
        result = check_grad(loss, grad, params, **{**known, **settings})
        note(self._node, self._node.nodeid, ScriptResult(self._node.nodeid, check=result), result.parameters)
        if not result.passed:
            raise GradientMismatch(failure_message(result))
        return result

    def numerical(self, loss: Callable[..., Any], params: object, /, **settings: Any) -> Any:
        """Return the numerical gradient of a loss, as ``numerical_grad`` does.

        Parameters
        ----------
        loss, params, **settings
            As for ``numerical_grad``.
        """
        __tracebackhide__ = True
        return numerical_grad(loss, params, **{**self._defaults(("method", "seed")), **settings})

    def script(self, path: str | Path, /, **settings: Any) -> Report:
        """Check the gradients of a script or a notebook as it is, and raise unless all of them were shown to match.

        Parameters
        ----------
        path : str or Path
            The file; a relative one is looked for in the folder of the test, then in pytest's root folder.
        **settings
            Fields of ``gradcheck.settings.Options``: loss, backward, params, points and so on.

        Returns
        -------
        Report
            With one script, which passed.

        Raises
        ------
        GradientMismatch
            If a gradient is wrong, could not be decided, or was not checked. The message has the table, the findings
            and the fix.
        ScriptError
            If the script cannot be read, run or understood.
        UsageError
            If a setting is wrong.
        """
        __tracebackhide__ = True
        options = from_values(settings, "gradcheck.script()").over(self._said)
        file, config = self._found(Path(path)), self._node.config
        job = replace(prepare(file, options, beside=self._ini), path=shown_path(config, file))
        script = job.run()
        note(self._node, self._node.nodeid, script, script.rows, prefix=f"{script.path}: ")
        if script.error is not None:
            raise ScriptError(sentence(script), slug=script.error.slug, line=script.error.line)
        if script.verdict != "match":
            raise GradientMismatch(failure_text(script))
        return Report((script,))

    def _defaults(self, names: tuple[str, ...]) -> dict[str, Any]:
        options: Options = self._said.over(self._ini)
        return {name: value for name in names if (value := getattr(options, name)) is not None}

    def _found(self, path: Path) -> Path:
        """Return the place of a file that a test names."""
        places = [folder / path for folder in (self._node.path.parent, self._node.config.rootpath)]
        return next((place for place in places if place.exists()), places[0])
