"""Evaluations in other processes, in threads and on a cluster: the numbers of a check in one process, bit for bit."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradcheck import CheckResult, check_grad, numerical_grad
from gradcheck.errors import InputError, WorkerError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 6)), RNG.normal(size=20)
# long enough to be sent
SECONDS = 2e-3


def loss(p: dict[str, np.ndarray]) -> float:
    time.sleep(SECONDS)
    return float(np.mean((np.tanh(X @ p["W"]) @ p["v"] + p["b"] - Y) ** 2))


def grad(p: dict[str, np.ndarray]) -> dict[str, Any]:
    hidden = np.tanh(X @ p["W"])
    residual = 2 * (hidden @ p["v"] + p["b"] - Y) / len(Y)
    return {
        "W": X.T @ (np.outer(residual, p["v"]) * (1 - hidden**2)) * 1.1,  # planted: a tenth too large
        "v": hidden.T @ residual,
        "b": residual.sum(),
    }


def params() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {"W": rng.normal(size=(6, 4)), "v": rng.normal(size=4), "b": 0.1}


def fingerprint(result: CheckResult) -> list[Any]:
    """Return everything that a check has found, numbers as their bits."""
    arrays = ("analytic", "numerical", "numerical_error", "step", "evaluations", "noise", "kink", "tolerance")
    return [
        (p.name, p.verdicts, p.reasons, *(getattr(p, name).tobytes() for name in arrays)) for p in result.parameters
    ] + [result.evaluations, result.loss, result.notes]


@pytest.fixture(scope="module")
def serial() -> list[Any]:
    return fingerprint(check_grad(loss, grad, params(), points=2))


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def dask_client() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_what_map_gives_is_what_one_process_gives(serial):
    assert fingerprint(check_grad(loss, grad, params(), points=2, workers=map)) == serial


def test_threads_work_on_copies(serial):
    given = params()
    before = {name: np.copy(value) for name, value in given.items()}
    with ThreadPoolExecutor(3) as pool:
        assert fingerprint(check_grad(loss, grad, given, points=2, workers=pool.map)) == serial
    assert all(np.array_equal(given[name], before[name]) for name in given)


def test_a_pool_of_processes(serial, processes):
    assert fingerprint(check_grad(loss, grad, params(), points=2, workers=processes)) == serial


def test_a_number_of_processes(serial):
    assert fingerprint(check_grad(loss, grad, params(), points=2, workers=2)) == serial


def test_a_cluster(serial, dask_client):
    assert fingerprint(check_grad(loss, grad, params(), points=2, workers=dask_client)) == serial
    executor = dask_client.get_executor()
    assert fingerprint(check_grad(loss, grad, params(), points=2, workers=executor.map)) == serial


def test_a_number_goes_to_the_backend_that_joblib_is_set_to(serial, dask_client):
    joblib = pytest.importorskip("joblib")
    with joblib.parallel_config(backend="dask"):
        assert fingerprint(check_grad(loss, grad, params(), points=2, workers=2)) == serial


def test_a_numerical_gradient(processes):
    here, there = numerical_grad(loss, params()), numerical_grad(loss, params(), workers=processes)
    assert all(np.array_equal(here[name], there[name]) for name in here)


def test_directions_are_evaluated_by_workers_as_well(processes):
    w = np.random.default_rng(2).normal(size=3000)

    def slow(w: np.ndarray) -> float:
        time.sleep(SECONDS)
        return float(np.sum(np.cos(w)))

    def wrong(w: np.ndarray) -> np.ndarray:
        g = -np.sin(w)
        g[1234] *= 1.5
        return g

    here, there = check_grad(slow, wrong, w), check_grad(slow, wrong, w, workers=processes)
    assert fingerprint(here) == fingerprint(there)
    assert 1234 in there.parameters[0].indices


def test_a_loss_that_works_with_arrays_from_outside_of_its_arguments(processes):
    """What is sent keeps its ties: the parameter is the array that the function looks up."""
    w = np.array([0.3, -0.7, 1.1])

    def closed() -> float:
        time.sleep(SECONDS * 10)
        return float(np.sum(w**3))

    result = check_grad(lambda _: closed(), lambda _: 3 * w**2, w, workers=processes)
    assert result.passed


def test_evaluations_really_happen_elsewhere(processes):
    def telling(x: np.ndarray, home: int) -> float:
        time.sleep(SECONDS * 10)
        return float(np.sum(x**2)) + (0.0 if os.getpid() == home else 1e3)

    # what the workers get is another loss, and that is told
    with pytest.raises(WorkerError, match="the workers get another loss than this process"):
        check_grad(telling, lambda x, home: 2 * x, np.ones(5), args=(os.getpid(),), workers=processes)


def test_short_rounds_are_not_sent():
    def refuse(function: Callable[..., Any], tasks: Any) -> Any:
        raise AssertionError("sent")

    assert check_grad(lambda x: float(x @ x), lambda x: 2 * x, np.ones(5), workers=refuse).passed


def test_tasks_are_worth_their_transport(monkeypatch):
    # an evaluation takes as long by this clock on a busy machine, too
    ticks = count(0.0, SECONDS)
    monkeypatch.setattr("gradcheck.evaluate.objective.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    sizes: list[int] = []

    def counting(function: Callable[..., Any], tasks: Any) -> list[Any]:
        tasks = list(tasks)
        sizes.extend(len(task.displacements) for task in tasks)
        return [function(task) for task in tasks]

    check_grad(loss, grad, params(), workers=counting)
    # 29 entries of two evaluations, each of which takes 2 ms: a dozen pairs make a task
    assert max(sizes) == 12


def test_the_loss_travels_once():
    sent: list[bool] = []

    def counting(function: Callable[..., Any], tasks: Any) -> list[Any]:
        tasks = list(tasks)
        sent.append(any(task.replica is not None for task in tasks))
        return [function(task) for task in tasks]

    check_grad(loss, grad, params(), workers=counting)
    assert sent[0]
    assert len(sent) > 2
    assert not any(sent[1:])


def test_a_worker_without_a_copy_gets_one(serial):
    """As one that has joined a cluster later: each task is done in a new thread, which knows nothing."""

    def forgetful(function: Callable[..., Any], tasks: Any) -> list[Any]:
        found = []
        for task in tasks:
            thread = threading.Thread(target=lambda task=task: found.append(function(task)))
            thread.start()
            thread.join()
        return found

    assert fingerprint(check_grad(loss, grad, params(), points=2, workers=forgetful)) == serial


def test_frozen_random_numbers(processes):
    """Dropout draws the same mask in every worker."""
    rng = np.random.default_rng(5)

    def dropped(w: np.ndarray) -> float:
        time.sleep(SECONDS)
        return float(np.sum((w * (rng.random(w.size) < 0.5)) ** 2))

    def slope(w: np.ndarray) -> np.ndarray:
        return 2 * w * (rng.random(w.size) < 0.5)

    here = check_grad(dropped, slope, np.arange(1.0, 41.0))
    there = check_grad(dropped, slope, np.arange(1.0, 41.0), workers=processes)
    assert here.passed
    assert fingerprint(here) == fingerprint(there)


def test_what_the_loss_raises_comes_through(processes):
    home = np.ones(60)

    def fails(x: np.ndarray) -> float:
        time.sleep(SECONDS)
        if x[40] != 1.0:
            raise ZeroDivisionError("in the loss of the user")
        return float(np.sum(x))

    with pytest.raises(ZeroDivisionError, match="in the loss of the user"):
        check_grad(fails, np.ones_like, home, workers=processes)
    assert np.array_equal(home, np.ones(60))


def test_a_worker_that_dies_is_told():
    home = os.getpid()

    def deadly(x: np.ndarray) -> float:
        time.sleep(SECONDS * 20)
        if os.getpid() != home:
            os._exit(3)
        return float(np.sum(x**2))

    x = np.ones(4)
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(WorkerError, match="the workers gave no answer"),
    ):
        check_grad(deadly, lambda x: 2 * x, x, workers=pool)
    assert np.array_equal(x, np.ones(4))


def test_an_interruption_brings_everything_back():
    def interrupted(function: Callable[..., Any], tasks: Any) -> Any:
        raise KeyboardInterrupt

    given = params()
    with pytest.raises(KeyboardInterrupt):
        check_grad(loss, grad, given, workers=interrupted)
    assert np.array_equal(given["W"], params()["W"])


def test_a_map_that_loses_results_is_told():
    with pytest.raises(WorkerError, match=r"expected \d+ results, got 0"):
        check_grad(loss, grad, params(), workers=lambda function, tasks: [])


def test_a_loss_that_cannot_be_sent_is_told():
    lock = threading.Lock()

    def locked(x: np.ndarray) -> float:
        time.sleep(SECONDS * 20)
        with lock:
            return float(np.sum(x**2))

    with pytest.raises(InputError, match="cannot be sent to workers"):
        check_grad(locked, lambda x: 2 * x, np.ones(4), workers=map)


@pytest.mark.parametrize("workers", [0, -2, "4", 1.5, True, object()])
def test_what_are_no_workers(workers):
    with pytest.raises(InputError, match="`workers` must be"):
        check_grad(loss, grad, params(), workers=workers)


@pytest.mark.parametrize("missing", ["joblib", "cloudpickle"])
def test_a_missing_library_is_named(monkeypatch, missing):
    import sys

    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr("gradcheck.evaluate.sending.find_spec", lambda name: None if name == missing else object())
    with pytest.raises(InputError, match=rf"needs {missing}.*gradcheck\[parallel\]"):
        check_grad(loss, grad, params(), workers=2)
