"""Nested structures of parameters that several test modules use."""

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

Pair = namedtuple("Pair", "W b")


@dataclass
class Layer:
    W: Any
    b: Any


@dataclass(frozen=True)
class FrozenLayer:
    W: Any
    b: float


arrays = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=3), elements=st.floats(-9, 9))


trees = st.recursive(
    arrays | st.floats(-9, 9),
    lambda child: (
        st.dictionaries(st.sampled_from("abc"), child, min_size=1)
        | st.tuples(child, child)
        | st.builds(Layer, child, child)
    ),
    max_leaves=6,
)
