"""gradcheck finds the mistake in a hand-written gradient: which parameter, which line, why, and how to fix it.

Public names are loaded on first use, so that ``import gradcheck`` loads neither numpy nor pandas.
There are no assertions for pytest to rewrite, so it need not warn where this is imported before it: PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from gradcheck._version import __version__ as __version__

if TYPE_CHECKING:
    from gradcheck.adapters.dispatch import check as check
    from gradcheck.api import check_script as check_script
    from gradcheck.checker.functions import assert_grad as assert_grad
    from gradcheck.checker.functions import check_grad as check_grad
    from gradcheck.checker.functions import numerical_grad as numerical_grad
    from gradcheck.checker.result import CheckResult as CheckResult
    from gradcheck.checker.result import ParameterResult as ParameterResult
    from gradcheck.checker.result import Verdict as Verdict
    from gradcheck.errors import GradcheckError as GradcheckError
    from gradcheck.errors import GradientMismatch as GradientMismatch
    from gradcheck.errors import InputError as InputError
    from gradcheck.errors import ScriptError as ScriptError
    from gradcheck.errors import UsageError as UsageError
    from gradcheck.evaluate.tracking import Progress as Progress
    from gradcheck.session.report import Report as Report

_HOME = {
    "CheckResult": "gradcheck.checker.result",
    "GradcheckError": "gradcheck.errors",
    "GradientMismatch": "gradcheck.errors",
    "InputError": "gradcheck.errors",
    "ParameterResult": "gradcheck.checker.result",
    "Progress": "gradcheck.evaluate.tracking",
    "Report": "gradcheck.session.report",
    "ScriptError": "gradcheck.errors",
    "UsageError": "gradcheck.errors",
    "Verdict": "gradcheck.checker.result",
    "assert_grad": "gradcheck.checker.functions",
    "check": "gradcheck.adapters.dispatch",
    "check_grad": "gradcheck.checker.functions",
    "check_script": "gradcheck.api",
    "numerical_grad": "gradcheck.checker.functions",
}

__all__ = [
    "CheckResult",
    "GradcheckError",
    "GradientMismatch",
    "InputError",
    "ParameterResult",
    "Progress",
    "Report",
    "ScriptError",
    "UsageError",
    "Verdict",
    "__version__",
    "assert_grad",
    "check",
    "check_grad",
    "check_script",
    "numerical_grad",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'gradcheck' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def load_ipython_extension(shell: object) -> None:
    """Give a notebook the magic ``%%gradcheck``; ``%load_ext gradcheck`` calls this.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
        The notebook's shell.
    """
    from gradcheck.notebook.magic import register

    register(shell)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
