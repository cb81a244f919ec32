"""A pytest plugin: where the adapters' tests have to run, a framework that is missing is an error and no skip."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import pytest
from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
# set by tox where the frameworks are installed
REQUIRE = "REQUIRE_FRAMEWORKS"
# where a distribution is not named like its package
_PACKAGES = {"scikit-learn": "sklearn", "tensorflow-cpu": "tensorflow"}

Report = TypeVar("Report", pytest.CollectReport, pytest.TestReport)


@cache
def expected() -> dict[str, str | None]:
    """Return the packages of the dependency group `adapters`, each with its distribution for this machine, if any."""
    group = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["dependency-groups"]["adapters"]
    found: dict[str, str | None] = {}
    for requirement in (Requirement(line) for line in group if isinstance(line, str)):
        name = _PACKAGES.get(requirement.name, requirement.name)
        here = requirement.marker is None or requirement.marker.evaluate()
        found[name] = requirement.name if here else found.get(name)
    return found


def required() -> bool:
    """Whether a missing framework is an error here."""
    return os.environ.get(REQUIRE) == "1"


def judged(report: Report) -> Report:
    """Make a failure of a skip for a module that could have been installed."""
    if not report.skipped or not required() or not isinstance(report.longrepr, tuple):
        return report
    reason = report.longrepr[2]
    module = re.search(r"could not import '(\w+)", reason)
    if module is not None and expected().get(module[1], module[1]) is not None:
        report.outcome = "failed"
        report.longrepr = (
            f"{reason}\n{REQUIRE}=1: expected it to be installed; it is in the group adapters of {PROJECT}"
        )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Judge the skips of whole modules."""
    return judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: object) -> Iterator[None]:
    """Judge the skips of tests."""
    return judged((yield))


def pytest_report_header() -> list[str]:
    """Say which frameworks are tested, and which there is none of for this machine."""
    if not required():
        return []
    said = []
    for name, distribution in expected().items():
        try:
            said.append(f"{name} has no wheel here" if distribution is None else f"{name} {version(distribution)}")
        except PackageNotFoundError:
            said.append(f"{name} is missing")
    return [f"frameworks: {', '.join(said)}"]
