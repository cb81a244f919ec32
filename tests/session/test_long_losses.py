"""Scripts whose losses take long: more processes, limits, and checks that go on where they were broken off."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gradcheck import check_grad
from gradcheck.checker.verdict import Reason
from gradcheck.cli import cli
from gradcheck.evaluate.forking import Forks
from script_runs import check, command, write

SLOW = """
    import time
    import numpy as np
    rng = np.random.default_rng(0)
    X, y, W = rng.normal(size=(20, 30)), rng.normal(size=20), rng.normal(size=30)
    def loss(W):
        time.sleep(0.005)
        return np.mean((X @ W - y) ** 2)
    def grad(W):
        return 2 * X.T @ (X @ W - y) / len(y)
    for _ in range(3):
        W = W - 0.01 * grad(W)
        print(loss(W))
"""
pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")
needs_forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")


def numbers(result):
    return [(p.name, p.verdicts, p.numerical.tobytes()) for p in result.parameters]


# -- forks --------------------------------------------------------------------------------------------------------


@needs_forks
def test_forks_give_the_numbers_of_one_process():
    w = np.linspace(0.1, 1.0, 40)
    home = os.getpid()
    seen = []

    def loss(w):
        import time

        time.sleep(0.005)
        if os.getpid() == home:
            seen.append(1)
        return float(np.sum(np.sin(w)))

    here = check_grad(loss, np.cos, w)
    alone = len(seen)
    there = check_grad(loss, np.cos, w, workers=Forks(2))
    assert numbers(here) == numbers(there)
    assert here.evaluations == there.evaluations
    assert len(seen) - alone < alone / 4


@needs_forks
def test_what_a_fork_cannot_do_is_done_here():
    home = os.getpid()
    w = np.linspace(0.1, 1.0, 40)

    def loss(w):
        import time

        time.sleep(0.005)
        if os.getpid() != home:
            os._exit(9)
        return float(np.sum(np.sin(w)))

    assert check_grad(loss, np.cos, w, workers=Forks(2)).passed


@needs_forks
def test_what_the_loss_raises_in_a_fork_comes_through():
    def loss(w):
        import time

        time.sleep(0.005)
        if w[30] != 1.0:
            raise ZeroDivisionError("of the user")
        return float(np.sum(w))

    with pytest.raises(ZeroDivisionError, match="of the user"):
        check_grad(loss, np.ones_like, np.ones(40), workers=Forks(2))


# -- scripts ------------------------------------------------------------------------------------------------------


@needs_forks
def test_a_script_is_evaluated_in_forks(tmp_path):
    here, there = check(tmp_path, SLOW, points=2), check(tmp_path, SLOW, points=2, workers=2)
    assert numbers(here) == numbers(there)
    assert there.verdict == "match"


def test_a_script_is_evaluated_so_often_and_no_more(tmp_path):
    result = check(tmp_path, SLOW, points=1, max_evals=20)
    (parameter,) = result.parameters
    assert result.verdict == "inconclusive"
    assert parameter.reason is Reason.LIMIT
    assert 5 <= [str(verdict) for verdict in parameter.verdicts].count("match") <= 12


def test_a_script_that_takes_too_long_is_checked_as_far_as_it_got(tmp_path):
    """The points that were done say what they say; the others are left out."""
    for scale in (1, 5, 25):
        # the share of the time that is the script's own, however busy the machine is otherwise
        result = check(tmp_path, SLOW.replace("0.005", f"{0.02 * scale}"), points=4, timeout=4 * scale)
        if result.error is None and result.verdict != "inconclusive":
            break
    assert result.error is None
    assert result.verdict == "match"
    assert result.check.points < 4


def test_a_check_of_a_script_goes_on(tmp_path):
    file = tmp_path / "evaluations"
    first = check(tmp_path, SLOW, points=2, resume=str(file))
    again = check(tmp_path, SLOW, points=2, resume=str(file))
    assert numbers(first) == numbers(again)
    assert again.evaluations < first.evaluations / 4


def test_a_file_of_something_else_is_no_place_for_evaluations(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("my notes\n")
    result = check(tmp_path, SLOW, resume=str(file))
    assert result.error is not None
    assert "`resume` must be a file that an earlier check has written" in result.error.message
    assert file.read_text() == "my notes\n"


# -- the command line ---------------------------------------------------------------------------------------------


def test_scripts_go_where_the_users_map_sends_them(tmp_path):
    write(tmp_path, SLOW, "a.py")
    write(tmp_path, SLOW, "b.py")
    pool = """
        seen = []
        def spread(function, jobs):
            jobs = list(jobs)
            print("sent", len(jobs), flush=True)
            return [function(job) for job in jobs]
    """
    write(tmp_path, pool, "pools.py")
    done = command("run", "a.py", "b.py", "--workers", "pools:spread", "--points", 1, "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "sent 2\na.py: the gradient matches\nb.py: the gradient matches\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--workers", "0"), "--workers: expected a number of at least 1 or MODULE:NAME, got 0"),
        (("--workers", "many"), "--workers: expected a number of at least 1 or MODULE:NAME, got many"),
        (("--workers", "nowhere:pool"), "--workers: cannot import nowhere:pool: ModuleNotFoundError"),
        (("--workers", "os:sep"), "`workers` must be None, a number of processes"),
        (("--max-evals", "0"), "max_evals: expected a positive number of evaluations, got 0"),
        (("b.py", "--resume", "x"), "--resume: expected one script, got 2"),
    ],
)
def test_wrong_usage(tmp_path: Path, monkeypatch, arguments, said):
    for name in ("a.py", "b.py"):
        write(tmp_path, SLOW, name)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["run", "a.py", *arguments])
    assert done.exit_code != 0
    assert said in done.output + str(done.exception)


def test_machines_get_utf_8_whatever_the_terminal_has(tmp_path):
    write(tmp_path, SLOW, "grün.py")
    done = command("run", "grün.py", "--format", "json", "--points", 1, cwd=tmp_path, PYTHONIOENCODING="ascii")
    import json

    assert json.loads(done.stdout)["scripts"][0]["path"] == "grün.py"
