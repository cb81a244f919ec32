"""How far a check has come: what is told, to whom, and that the numbers are those of a check without it."""

from __future__ import annotations

import io
import itertools
import time

import numpy as np
import pytest

import gradcheck
from gradcheck import InputError, Progress, assert_grad, check_grad, numerical_grad
from gradcheck.evaluate.limits import Limits
from gradcheck.evaluate.tracking import ProgressLine, Tracker

X = np.random.default_rng(0).normal(size=(12, 20))
W = np.random.default_rng(1).normal(size=20)


def loss(w):
    time.sleep(0.002)
    return np.mean(np.tanh(X @ w) ** 2)


def right(w):
    hidden = np.tanh(X @ w)
    return X.T @ (2 * hidden * (1 - hidden**2)) / len(X)


def wrong(w):
    return right(w) * np.where(np.arange(w.size) == 3, 1.01, 1.0)


def told(**options):
    """Return what is told during a check with shares of a few evaluations, and its result."""
    seen: list[Progress] = []
    return seen, check_grad(loss, options.pop("grad", right), W, progress=seen.append, **options)


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr("gradcheck.evaluate.engine._SHARE_SECONDS", 0.02)


@pytest.mark.parametrize("points", [1, 3])
@pytest.mark.parametrize("grad", [right, wrong])
def test_it_rises_to_the_end_and_changes_nothing(grad, points):
    seen, result = told(grad=grad, points=points)
    plain = check_grad(loss, grad, W, points=points)
    assert result.passed is (grad is right)
    assert result.evaluations == plain.evaluations
    for one, other in zip(result.parameters, plain.parameters, strict=True):
        assert one.verdicts == other.verdicts
        np.testing.assert_array_equal(one.numerical, other.numerical)
        np.testing.assert_array_equal(one.numerical_error, other.numerical_error)
    counts = [progress.evaluations for progress in seen]
    assert len(seen) > 3
    assert counts == sorted(counts)
    assert counts[-1] == result.evaluations
    assert all(0 < p.evaluations <= p.expected for p in seen)
    # earlier points may have taken a few more
    assert seen[-1].expected <= 1.1 * seen[-1].evaluations
    assert all(a.elapsed <= b.elapsed for a, b in itertools.pairwise(seen))


def test_a_right_gradient_is_estimated_well_from_the_beginning():
    seen, result = told(points=3)
    assert seen[0].expected == pytest.approx(result.evaluations, rel=0.1)


def test_time_is_estimated_from_the_pace():
    tracker_told = []
    tracker = Tracker(tracker_told.append, points=2, limits=Limits())
    tracker.begin(10)
    tracker._began -= 5.0
    tracker.tell(20, 30)
    (progress,) = tracker_told
    # 10 of 40 at this point, and as many at another
    assert progress.expected == 10 + 2 * 40
    assert progress.remaining == pytest.approx(70 * progress.elapsed / 10)
    assert progress.elapsed >= 5.0


def test_limits_are_part_of_the_estimate():
    seen, result = told(max_evals=30)
    assert result.evaluations <= 30
    assert all(progress.expected <= 30 for progress in seen)
    seen, _ = told(timeout=0.05)
    assert all(progress.remaining <= 0.05 for progress in seen)


def test_what_is_resumed_is_not_counted_again(tmp_path):
    first, _ = told(resume=tmp_path / "evaluations", max_evals=30)
    again, result = told(resume=tmp_path / "evaluations")
    assert result.passed
    assert again[-1].evaluations == result.evaluations < 30 + 10
    assert first


@pytest.mark.parametrize("vectorized", [False, True])
def test_all_functions_tell(vectorized):
    def losses(w):
        return np.mean(np.tanh(w @ X.T) ** 2, axis=-1)

    for call in (
        lambda tell: assert_grad(losses, right, W, vectorized=vectorized, progress=tell),
        lambda tell: numerical_grad(losses, W, vectorized=vectorized, progress=tell),
    ):
        seen = []
        call(seen.append)
        assert seen[-1].evaluations > 2 * W.size


def test_workers_tell_as_well():
    seen, result = told(workers=map)
    assert result.passed
    assert seen[-1].evaluations == result.evaluations


@pytest.mark.parametrize("progress", ["yes", 3, None])
def test_anything_else_is_refused(progress):
    with pytest.raises(InputError, match="`progress` must be True, False or a function of a Progress"):
        check_grad(loss, right, W, progress=progress)


def test_what_the_function_raises_comes_through_and_parameters_come_back():
    w = W.copy()

    def stop(progress):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        check_grad(loss, right, w, progress=stop)
    np.testing.assert_array_equal(w, W)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.1, "1 s"), (59.2, "1 min 0 s"), (61, "1 min 1 s"), (7300, "2 h 1 min"), (12.3, "13 s")]
)
def test_durations_are_in_words(seconds, said):
    assert str(Progress(1234, 5000, 1.0, seconds)) == f"1,234 of 5,000 evaluations, about {said} left"


def test_what_is_done_has_nothing_left():
    assert str(Progress(402, 402, 1.0, 0.0)) == "402 of 402 evaluations"


# -- the line on the terminal ---------------------------------------------------------------------------------------


class Screen(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("elapsed", [1.9, 2.1])
def test_a_line_is_shown_on_a_terminal_after_a_while(is_terminal, elapsed, monkeypatch):
    screen = Screen(is_terminal)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    line = ProgressLine()
    line(Progress(10, 40, elapsed, 30.0))
    line.close()
    line.close()
    assert ("10 of 40 evaluations, about 30 s left" in screen.getvalue()) is (is_terminal and elapsed > 2)
    assert is_terminal or not screen.getvalue()


def test_the_line_is_taken_away_also_after_an_error(monkeypatch):
    screen = Screen(True)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("gradcheck.evaluate.tracking._PATIENCE_SECONDS", 0.0)
    calls = []

    def breaks(w):
        calls.append(None)
        if len(calls) > 25:
            raise KeyboardInterrupt
        return loss(w)

    with pytest.raises(KeyboardInterrupt):
        check_grad(breaks, right, W, progress=True)
    assert "evaluations, about" in screen.getvalue()
    # the cursor is shown again
    assert screen.getvalue().rindex("\x1b[?25h") > screen.getvalue().rindex("\x1b[?25l")


def test_it_is_public():
    assert gradcheck.Progress is Progress
