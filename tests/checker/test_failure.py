"""What `assert_grad` raises."""

import pytest

from gradcheck import GradientMismatch, assert_grad
from problems import cubic, grad, loss, weights


def test_the_message_of_a_mismatch() -> None:
    with pytest.raises(GradientMismatch) as caught:
        assert_grad(loss, lambda W, b: (grad(W, b)[0] * [1, 1, 2], grad(W, b)[1]), (weights(), 0.5), seed=7)
    message = str(caught.value)
    assert "does not match in 1 of 2 parameters" in message
    assert "W[2]: analytic" in message
    assert "rel error 0.5" in message
    assert "W[0]" not in message
    assert "\nb " not in message
    assert "rtol=1e-05, atol=0" in message
    assert "seed=7" in message


def test_the_traceback_starts_in_the_users_test() -> None:
    with pytest.raises(GradientMismatch, match="does not match") as caught:
        assert_grad(cubic, lambda x: x, 3.0)
    assert caught.traceback[-1].frame.code.name == "assert_grad"
    assert caught.traceback.filter(caught)[-1].frame.code.name == "test_the_traceback_starts_in_the_users_test"
