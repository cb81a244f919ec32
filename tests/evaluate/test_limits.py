"""Checks that may cost only so much, and checks that go on where an earlier one was broken off."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcheck import check_grad, numerical_grad
from gradcheck.checker.verdict import Reason
from gradcheck.errors import InputError


class Loss:
    """A loss that counts its calls and can be slow, or break off."""

    def __init__(self, seconds: float = 0.0, last: int = 10**9) -> None:
        self.calls, self.seconds, self.last = 0, seconds, last

    def __call__(self, w: np.ndarray) -> float:
        self.calls += 1
        if self.calls > self.last:
            raise KeyboardInterrupt
        time.sleep(self.seconds)
        return float(np.sum(np.sin(w)))


def grad(w: np.ndarray) -> np.ndarray:
    return np.cos(w)


def wrong(w: np.ndarray) -> np.ndarray:
    g = np.cos(w)
    g[3] *= 1.01
    return g


W = np.linspace(0.1, 1.2, 30)


def test_what_was_not_decided_is_not_called_right():
    loss = Loss()
    result = check_grad(loss, grad, W.copy(), max_evals=31)
    (parameter,) = result.parameters
    assert loss.calls <= 33
    assert result.verdict == "inconclusive"
    decided = [verdict == "match" for verdict in parameter.verdicts]
    assert 10 <= sum(decided) < 20
    assert {r for r, ok in zip(parameter.reasons, decided, strict=True) if not ok} == {Reason.LIMIT}


def test_a_mistake_that_was_seen_only_once_is_not_proved():
    assert check_grad(Loss(), wrong, W.copy(), max_evals=62).parameters[0].verdicts[3] == "inconclusive"
    assert check_grad(Loss(), wrong, W.copy(), max_evals=200).parameters[0].verdicts[3] == "mismatch"


def test_a_limit_that_is_not_reached_changes_nothing():
    plain, limited = check_grad(Loss(), grad, W.copy()), check_grad(Loss(), grad, W.copy(), max_evals=500)
    assert limited.passed
    assert plain.evaluations == limited.evaluations
    assert plain.parameters[0].numerical.tobytes() == limited.parameters[0].numerical.tobytes()


def test_the_time_is_limited():
    loss = Loss(0.02)
    result = check_grad(loss, grad, W.copy(), timeout=0.3)
    assert loss.calls < check_grad(Loss(), grad, W.copy()).evaluations / 2
    assert result.verdict == "inconclusive"
    assert result.parameters[0].reason is Reason.LIMIT


def test_directions_keep_to_the_limit():
    w = np.random.default_rng(0).normal(size=5000)
    loss = Loss()
    result = check_grad(loss, wrong, w, max_evals=6)
    assert loss.calls <= 8
    assert result.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_evals": 0}, r"`max_evals` must be a positive number of evaluations or None, got 0"),
        ({"max_evals": 1.5}, r"`max_evals` .* got 1.5"),
        ({"timeout": -1}, r"`timeout` must be a positive number of seconds or None, got -1"),
        ({"timeout": float("nan")}, r"`timeout` .* got nan"),
    ],
)
def test_what_is_no_limit(settings: dict[str, Any], said: str):
    with pytest.raises(InputError, match=said):
        check_grad(Loss(), grad, W.copy(), **settings)


def test_a_check_goes_on_where_it_was_broken_off(tmp_path: Path):
    plain = check_grad(Loss(), wrong, W.copy(), points=2)
    file = tmp_path / "long.evaluations"
    first = Loss(seconds=0.015, last=40)
    with pytest.raises(KeyboardInterrupt):
        check_grad(first, wrong, W.copy(), points=2, resume=file)
    # a line that was being written
    file.write_bytes(file.read_bytes() + b'["0123')
    second = Loss()
    result = check_grad(second, wrong, W.copy(), points=2, resume=file)
    assert result.parameters[0].numerical.tobytes() == plain.parameters[0].numerical.tobytes()
    assert result.parameters[0].verdicts == plain.parameters[0].verdicts
    assert second.calls < plain.evaluations - 20
    third = Loss()
    check_grad(third, wrong, W.copy(), points=2, resume=file)
    assert third.calls < 10


def test_a_check_goes_on_behind_its_limit(tmp_path: Path):
    file = tmp_path / "long.evaluations"
    verdicts = [str(check_grad(Loss(), grad, W.copy(), max_evals=40, resume=file).verdict) for _ in range(2)]
    assert verdicts == ["inconclusive", "match"]


def test_other_parameters_and_other_losses_are_evaluated(tmp_path: Path):
    file = tmp_path / "long.evaluations"
    check_grad(Loss(), grad, W.copy(), resume=file)
    other = Loss()
    assert check_grad(other, grad, W + 0.1, resume=file).passed
    assert other.calls > 60
    assert check_grad(lambda w: 2 * float(np.sum(np.sin(w))), lambda w: 2 * np.cos(w), W.copy(), resume=file).passed


def test_directions_are_written_down_as_well(tmp_path: Path):
    w, file = np.random.default_rng(0).normal(size=5000), tmp_path / "long.evaluations"
    plain = check_grad(Loss(), wrong, w, resume=file)
    again = Loss()
    result = check_grad(again, wrong, w, resume=file)
    assert again.calls < 6
    assert result.parameters[0].numerical.tobytes() == plain.parameters[0].numerical.tobytes()


def test_the_file_of_something_else_is_left_alone(tmp_path: Path):
    file = tmp_path / "notes.txt"
    file.write_text("my notes\n")
    with pytest.raises(InputError, match="`resume` must be a file that an earlier check has written, or a new one"):
        check_grad(Loss(), grad, W.copy(), resume=file)
    assert file.read_text() == "my notes\n"


def test_a_numerical_gradient_with_limits(tmp_path: Path):
    file = tmp_path / "long.evaluations"
    partial = numerical_grad(Loss(), W.copy(), max_evals=20, resume=file)
    assert np.isfinite(partial).sum() < 15
    assert np.allclose(numerical_grad(Loss(), W.copy(), resume=file), np.cos(W))
