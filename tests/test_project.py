"""The files around the package agree with each other."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradcheck._version import __version__

ROOT = Path(__file__).parent.parent
GENERATED = {
    ".git",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".venv",
    "__pycache__",
    "_build",
    "build",
    "dist",
}
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root)/|/tmp/(?:gc)\b")


def text_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Walk the project's own files that are text."""
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if name not in GENERATED)
        # in one of several work trees, .git is a file
        for name in sorted(name for name in names if name not in GENERATED):
            path = Path(folder, name)
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def commands_for_tests(text: str) -> list[str]:
    """Find the commands of a file that run the tests."""
    return re.findall(r"python3 -m venv [^\n`']*tox run -e test\b", text)


def test_readme_and_ci_run_the_same_command():
    (command,) = commands_for_tests((ROOT / ".ci" / "run").read_text())
    assert set(commands_for_tests((ROOT / "README.md").read_text())) == {command}


def test_ci_script_is_executable_and_parses():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_ci_script_fails_when_the_tests_fail(tmp_path):
    """A failure in the middle of a chain of commands is not lost, and nothing runs after it."""
    (tmp_path / ".ci").mkdir()
    script = tmp_path / ".ci" / "run"
    script.write_bytes((ROOT / ".ci" / "run").read_bytes())
    broken = tmp_path / "bin" / "python3"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    # a browser is there, so that nothing is installed for this test
    (broken.parent / "chromium").write_text("#!/bin/sh\n")
    (broken.parent / "chromium").chmod(0o755)
    environment = {**os.environ, "PATH": f"{broken.parent}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(["bash", str(script)], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 7
    assert run.stdout.count("+ ") == 1


def test_changelog_ends_at_the_version():
    releases = re.findall(r"^## \[?(\d[^\]\s]*)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert releases[0] == __version__


def test_no_machine_path_in_the_project():
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path, text in text_files(ROOT)
        if (match := MACHINE_PATH.search(text))
    ]
    assert found == []


@pytest.mark.parametrize("place", ["/{}/main/x.py", "cd /{}/", "--cov=/{}/a"])
@pytest.mark.parametrize("folder", ["work", "root"])
def test_a_machine_path_is_found(place, folder, tmp_path):
    (tmp_path / "page.md").write_text("see " + place.format(folder))
    ((_, text),) = text_files(tmp_path)
    assert MACHINE_PATH.search(text)


def test_a_relative_path_is_no_machine_path():
    assert not MACHINE_PATH.search("docs/work/notes.md and ../root/x")
