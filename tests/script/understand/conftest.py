"""What is found in scripts is tested here: each is examined in a fork, which is quicker."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def examined_in_forks(forked: None) -> None:
    """Ask for what other folders ask for by a mark; a file whose scripts import SciPy asks for forks that have it."""
