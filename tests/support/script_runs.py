"""Run small scripts and snippets: through the checker, through the command line, or in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

from forked_processes import PATIENCE, Forks, is_of_interpreters
from gradcheck.api import examine_script
from gradcheck.session.result import ScriptResult
from gradcheck.settings import Options

LIMIT = 30.0
# a script's own, which cuts off a search only where a machine is hopelessly busy
TIMEOUT = 120.0
# what runs commands in forks, where a test has asked for it
FORKS: Forks | None = None


def write(folder: Path, text: str, name: str = "script.py") -> Path:
    """Write a script and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def write_program(folder: Path, text: str) -> list[Path]:
    """Write a program of several files, each below a line that names it: ``# layers.py``."""
    _, *parts = re.split(r"^# (\S+\.(?:py|ipynb))\n", dedent(text), flags=re.MULTILINE)
    return [write(folder, body, name) for name, body in zip(parts[::2], parts[1::2], strict=True)]


def check(folder: Path, text: str, **options: Any) -> ScriptResult:
    """Check a script that is given as text."""
    return examine_script(write(folder, text), Options(**{"timeout": TIMEOUT, **options}))


def check_only(folder: Path, text: str, **options: Any) -> ScriptResult:
    """Check a script of which nobody asks what is wrong with it: causes and fixes are not looked for."""
    return check(folder, text, **{"fix": False, **options})


def verdicts(result: ScriptResult) -> dict[str, str]:
    """Return the verdicts by parameter; fail with the message where there was an error."""
    assert result.error is None, result.error.message
    return {parameter.name: parameter.verdict.value for parameter in result.parameters}


def command(*arguments: object, cwd: Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own, with nothing but `stdin` piped in."""
    if FORKS is not None and not is_of_interpreters(environment):
        texts, whole = ["-m", "gradcheck", *map(str, arguments)], {**os.environ, **environment}
        return FORKS.run(texts, cwd=cwd, stdin=stdin, environment=whole)
    return subprocess.run(
        [sys.executable, "-m", "gradcheck", *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **environment},
        timeout=PATIENCE,
        check=False,
    )


def snippet(code: str, *arguments: object, cwd: Path) -> Any:
    """Run code in a process of its own; it calls ``answer(value)`` once, and the value comes back through JSON."""
    # stdout is the snippet's own; a snippet that examines scripts may have its output replaced
    head = (
        "import sys, json, os\n"
        "def answer(value):\n"
        "    with open('answer.json', 'w') as file:\n"
        "        json.dump(value, file)\n"
    )
    told = ["-c", head + dedent(code), *map(str, arguments)]
    if FORKS is not None:
        finished = FORKS.run(told, cwd=cwd)
    else:
        finished = subprocess.run(
            [sys.executable, *told], cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    assert finished.returncode == 0, finished.stderr
    return json.loads((cwd / "answer.json").read_text())
