"""Help and version come without the heavy libraries."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

HEAVY = {"numpy", "pandas"}


def imported_packages(*arguments: str) -> set[str]:
    """Run Python with some arguments and return the top-level packages that it imported."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return set(re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\w+)", run.stderr, flags=re.MULTILINE))


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option):
    packages = imported_packages("-m", "gradcheck", option)
    assert packages.isdisjoint(HEAVY)
    assert {"click", "gradcheck"} <= packages


@pytest.mark.parametrize("package", sorted(HEAVY))
def test_the_probe_sees_a_heavy_import(package):
    assert package in imported_packages("-c", f"import {package}")
