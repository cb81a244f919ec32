"""Try a generated test out: run its functions with a fixture that keeps the comparisons."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcheck.checker.functions import check_grad
from gradcheck.checker.result import CheckResult
from gradcheck.errors import ScriptError
from gradcheck.script.request import Request


@dataclass(frozen=True)
class TrialRequest:
    """What to try.

    Attributes
    ----------
    request : Request
        Its path is that of the test, which need not be written yet; the limits of time and memory are kept to.
    """

    request: Request
    text: str


def try_out(trial: TrialRequest) -> tuple[CheckResult, ...] | ScriptError:
    """Run the test functions of a text in this process; return what they compare, or why they cannot."""
    path = trial.request.path
    sys.path.insert(0, str(Path(path).parent))
    found: list[CheckResult] = []

    def fixture(loss: Callable[..., Any], grad: object, params: object, **settings: Any) -> None:
        found.append(check_grad(loss, grad, params, **settings))

    module = types.ModuleType("trial")
    module.__file__ = path
    try:
        exec(compile(trial.text, path, "exec", dont_inherit=True), module.__dict__)
        for name, value in list(vars(module).items()):
            if name.startswith("test_"):
                value(fixture)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's functions may raise anything
        return ScriptError(f"{type(error).__name__}: {error}", slug="script-raised")
    return tuple(found)
