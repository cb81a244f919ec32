"""The global random generators: their state is kept, compared and brought back."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gradcheck.evaluate.random_state import Legacy, RandomState

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


@pytest.fixture(params=["global", "own"])
def twister(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Yield the functions of a Mersenne twister, and what `Legacy` is given for it."""
    before = Legacy()
    yield (np.random, None) if request.param == "global" else ((own := np.random.RandomState(3)), own)
    before.put_back()


@pytest.mark.parametrize("draw", ["rand", "randn", "seed"])
def test_it_is_seen_whether_a_twister_was_touched(twister, draw):
    functions, generator = twister
    functions.seed(5)
    before = Legacy(generator)
    assert before.is_untouched()
    functions.rand(0)
    assert before.is_untouched()
    getattr(functions, draw)()
    assert not before.is_untouched()
    before.put_back()
    assert before.is_untouched()


def test_a_number_that_was_kept_for_later_is_not_overlooked(twister):
    functions, generator = twister
    functions.seed(5)
    functions.randn()  # draws two, and keeps one
    before, state = Legacy(generator), RandomState.capture()
    assert not before.is_untouched()
    kept = functions.randn()
    if generator is None:
        assert RandomState.capture() != state
    before.put_back()
    assert functions.randn() == kept


def test_a_state_is_read_once_as_long_as_nothing_is_drawn(monkeypatch):
    np.random.seed(5)  # noqa: NPY002 - the users' own generator
    before = RandomState.capture()
    try:
        monkeypatch.setattr(np.random, "get_state", None)
        monkeypatch.setattr(np.random, "set_state", None)
        assert RandomState.capture() == before
        before.restore()
    finally:
        monkeypatch.undo()
