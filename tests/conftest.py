"""Settings of the whole test suite."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the colours and settings of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name in {"FORCE_COLOR", "NO_COLOR"} or name.startswith("GRADCHECK_"):
            monkeypatch.delenv(name)
