"""Options are validated before anything is evaluated."""

import math
from typing import Any

import pytest

from gradcheck import InputError, check_grad
from problems import cubic, cubic_grad, weights


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "forward"}, r"`method` must be one of \['auto', 'central', 'complex'\], got 'forward'"),
        ({"workers": 0}, "`workers` must be a number of processes.*got 0"),
        ({"rtol": -1.0}, "`rtol`.*got -1.0"),
        ({"atol": math.nan}, "`atol`.*got nan"),
        ({"points": 0}, "`points` must be an integer of at least 1, got 0"),
        ({"points": True}, "`points`.*got True"),
        ({"entries": 0}, "`entries`.*got 0"),
        ({"entries": "some"}, "`entries`.*got 'some'"),
        ({"seed": -1}, "`seed`.*got -1"),
        ({"args": 3.0}, "`args` must be a tuple"),
    ],
)
def test_bad_options_are_refused_before_anything_is_evaluated(options: dict[str, Any], message: str) -> None:
    def never(_: Any) -> Any:
        raise AssertionError("evaluated")

    with pytest.raises(InputError, match=message):
        check_grad(never, never, weights(), **options)


def test_points_need_a_gradient_that_can_be_evaluated() -> None:
    with pytest.raises(InputError, match="`points`=2 needs a gradient that can be evaluated"):
        check_grad(cubic, cubic_grad(weights()), weights(), points=2)
