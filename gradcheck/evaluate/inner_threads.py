"""Threads of the libraries below NumPy: where several processes evaluate at a time, each of these has one."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def limited_to(count: int) -> Iterator[None]:
    """Let linear algebra use no more than so many threads for a while, if threadpoolctl is there to arrange that."""
    controller = prepared()
    if controller is None:
        yield
        return
    with controller.limit(limits=count):
        yield


@functools.cache
def prepared() -> Any:
    """Look for the libraries that are loaded, once and before this process is forked, as it takes a while."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()
