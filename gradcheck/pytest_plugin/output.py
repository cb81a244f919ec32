"""The report of everything that was checked in a test run, as a file."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from pathlib import Path

import pytest

from gradcheck.errors import UsageError
from gradcheck.pytest_plugin.record import Found
from gradcheck.report import formats
from gradcheck.report.formats import format_of
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult


def refuse_unwritable(target: Path, place: str) -> None:
    """Say at once that a report could not be written, not after all tests have run."""
    try:
        format_of(target)
    except UsageError as error:
        raise pytest.UsageError(f"{place}: {error.message}") from None
    if not os.access(target.parent, os.W_OK):
        raise pytest.UsageError(f"{place}: cannot write {target}: {target.parent} is not a folder that can be written")


def write(found: Sequence[Found], target: Path) -> None:
    """Write one report of all that the tests have found, in the order of the paths."""
    try:
        formats.write(joined(found), target)
    except UsageError as error:
        pytest.exit(error.message, pytest.ExitCode.USAGE_ERROR)


def joined(found: Sequence[Found]) -> Report:
    """Return one report of all that the tests have found; a check of functions is named after its test."""
    scripts: list[ScriptResult] = []
    files: set[str] = set()
    for one in found:
        for place, script in pickle.loads(one["scripts"]):
            # each worker has examined the file by itself
            is_file = "::" not in place
            if not (is_file and place in files):
                scripts.append(script)
                files.add(place)
    return Report(tuple(sorted(scripts, key=lambda script: script.path)))
