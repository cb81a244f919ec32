"""The global random generators: their state is kept, compared and brought back."""

import random
from collections.abc import Iterator

import numpy as np
import pytest

from gradcheck.evaluate.random_state import RandomState

GENERATORS = [np.random.MT19937, np.random.PCG64, np.random.Philox]


@pytest.fixture(params=GENERATORS, ids=lambda kind: kind.__name__)
def _generator(request: pytest.FixtureRequest) -> Iterator[None]:
    own = np.random.get_bit_generator()
    np.random.set_bit_generator(request.param(1))
    yield
    np.random.set_bit_generator(own)


@pytest.mark.usefixtures("_generator")
@pytest.mark.filterwarnings("ignore:get_state and legacy")
@pytest.mark.parametrize("draw", [np.random.rand, np.random.randn, random.random])
def test_a_draw_changes_the_state_and_can_be_repeated(draw):
    before = RandomState.capture()
    assert RandomState.capture() == before
    first = draw()
    assert RandomState.capture() != before
    before.restore()
    assert RandomState.capture() == before
    assert draw() == first
    before.restore()


@pytest.mark.filterwarnings("ignore:get_state and legacy")
def test_another_generator_is_in_another_state():
    own, before = np.random.get_bit_generator(), RandomState.capture()
    np.random.set_bit_generator(np.random.PCG64(1))
    try:
        other = RandomState.capture()
        assert before != other
        assert other != before
    finally:
        np.random.set_bit_generator(own)
    assert RandomState.capture() == before
