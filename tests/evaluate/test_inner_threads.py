"""Processes that evaluate at the same time do not use all cores for linear algebra, each for itself."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest

from gradcheck import check_grad
from gradcheck.evaluate.displacement import Pair
from gradcheck.evaluate.forking import Forks
from gradcheck.evaluate.inner_threads import limited_to, prepared
from gradcheck.evaluate.parallel import Task, run_task

threadpoolctl = pytest.importorskip("threadpoolctl")


def most_threads(_: Any = None) -> float:
    return float(max((library["num_threads"] for library in threadpoolctl.threadpool_info()), default=1))


@pytest.fixture
def several() -> Any:
    """Let linear algebra use two threads, however many cores there are."""
    prepared.cache_clear()
    with threadpoolctl.threadpool_limits(2):
        if most_threads() < 2:
            pytest.skip("the linear algebra here has one thread")
        yield


def test_the_limit_is_taken_back(several: None) -> None:
    with limited_to(1):
        assert most_threads() == 1
    assert most_threads() == 2


def first_task() -> Task:
    """Return a task as it is sent to workers whose number is not known."""
    seen: list[Task] = []

    def keeping(function: Callable[..., Any], tasks: Any) -> list[Any]:
        seen.extend(tasks := list(tasks))
        return [function(task) for task in tasks]

    def loss(x: Any) -> float:
        time.sleep(0.002)
        return float(x @ x)

    check_grad(loss, lambda x: 2 * x, np.ones(200), workers=keeping)
    return seen[0]


def test_a_process_elsewhere_has_one_thread_and_this_one_keeps_its(several: None) -> None:
    task = first_task()
    assert task.origin == os.getpid()
    seen: list[float] = []

    class Probe(Pair):
        def __call__(self, place: Any) -> tuple[float, ...]:
            seen.append(most_threads())
            return super().__call__(place)

    probe = task._replace(displacements=(Probe(0, 0, 1e-3),))
    assert run_task(probe).problem is None
    assert run_task(probe._replace(origin=-1)).problem is None
    assert run_task(probe._replace(origin=None)).problem is None
    assert seen == [2, 1, 2]


def test_forks_share_the_cores(several: None, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("there are no forks")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    class Probe(Pair):
        def __call__(self, _: Any) -> tuple[float, ...]:
            return (most_threads(),)

    displacements = [Probe(0, 0, 1e-3)] * 2
    assert Forks(2).evaluate(displacements, 1.0, None) == [(1.0,), (1.0,)]  # type: ignore[arg-type]
    assert Forks(1).evaluate(displacements, 1.0, None) == [(2.0,), (2.0,)]  # type: ignore[arg-type]
    assert most_threads() == 2


def test_without_threadpoolctl_there_is_no_limit(several: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    prepared.cache_clear()
    with limited_to(1):
        monkeypatch.undo()
        assert most_threads() == 2
    prepared.cache_clear()


def test_a_pool_gives_the_numbers_of_one_process() -> None:
    A = np.random.default_rng(0).normal(size=(60, 60))

    def loss(x: Any) -> float:
        time.sleep(0.002)
        return float(np.sum(np.tanh(A @ x) ** 2))

    def grad(x: Any) -> Any:
        h = np.tanh(A @ x)
        return A.T @ (2 * h * (1 - h * h))

    x = np.random.default_rng(1).normal(size=60)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = check_grad(loss, grad, x, workers=pool)
    here = check_grad(loss, grad, x)
    assert there.passed
    np.testing.assert_array_equal(there.parameters[0].numerical, here.parameters[0].numerical)
