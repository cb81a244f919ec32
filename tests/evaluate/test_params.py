"""Structures of parameters: names, leaves, and restoration."""

from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import InputError
from gradcheck.evaluate.params import Parameters
from structures import FrozenLayer, Layer, Pair, trees


def names(tree: object, root: str = "params") -> list[str]:
    return [leaf.name for leaf in Parameters(tree, root).leaves]


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (np.ones(2), ["params"]),
        (1.5, ["params"]),
        ((np.ones(2), 1.0), ["params[0]", "params[1]"]),
        ({"params['W1']": np.ones(2), "self.b": 1.0}, ["params['W1']", "self.b"]),
        ({"layers": [{"W": np.ones(1)}, {"W": np.ones(1)}]}, ["layers[0]['W']", "layers[1]['W']"]),
        ({"net": Layer(np.ones(1), 0.5)}, ["net.W", "net.b"]),
        ({"net": Pair(np.ones(1), 0.5)}, ["net.W", "net.b"]),
        (Layer(np.ones(1), 0.5), ["params.W", "params.b"]),
        ({"U": [[0.1, 0.2], [0.3, 0.4]]}, ["U"]),
        ({"U": [[0.1], [0.2, 0.3]]}, ["U[0]", "U[1]"]),
        ({"weights": [np.ones(1), np.ones(1)]}, ["weights[0]", "weights[1]"]),
        ([0.5, 1.5], ["params[0]", "params[1]"]),
        ({0: np.ones(1)}, ["params[0]"]),
    ],
)
def test_names(tree: object, expected: list[str]) -> None:
    assert names(tree) == expected


def test_shape_and_entries_of_a_nested_list() -> None:
    rows = [[0.5, 1], [2.5, 3.5]]
    (leaf,) = Parameters({"U": rows}).leaves
    assert leaf.shape == (2, 2)
    np.testing.assert_array_equal(leaf.values(), [0.5, 1, 2.5, 3.5])
    leaf.put(3, 9.0)
    assert rows == [[0.5, 1], [2.5, 9.0]]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(12.0)[::2],
        np.array(2.5),
        np.arange(4, dtype=np.float32),
        np.arange(4, dtype=np.float16),
        np.arange(4, dtype=np.longdouble),
        np.arange(4.0).astype(">f8"),
    ],
    ids=["transposed", "strided", "0-d", "float32", "float16", "longdouble", "big-endian"],
)
def test_arrays_are_written_in_place_in_c_order(array: np.ndarray) -> None:
    parameters = Parameters({"W": array})
    (leaf,) = parameters.leaves
    assert parameters.tree()["W"] is array
    expected = np.array(array)
    for i in range(leaf.size):
        leaf.put(i, leaf.get(i) + 10)
    np.testing.assert_array_equal(array, expected + 10)
    parameters.restore()
    assert array.tobytes() == expected.tobytes()


def test_read_only_arrays_are_replaced_by_a_copy() -> None:
    array = np.arange(3.0)
    array.flags.writeable = False
    tree = {"W": array, "b": np.zeros(2)}
    parameters = Parameters(tree)
    parameters.leaves[0].put(0, 7.0)
    assert parameters.tree()["W"][0] == 7.0
    assert parameters.tree()["b"] is tree["b"]
    assert array[0] == 0.0


@pytest.mark.parametrize(
    "tree",
    [
        (1.0, 2.0),
        Pair(1.0, 2.0),
        FrozenLayer(1.0, 2.0),
        MappingProxyType({"W": 1.0, "b": 2.0}),
    ],
    ids=["tuple", "namedtuple", "frozen dataclass", "read-only mapping"],
)
def test_numbers_in_what_cannot_be_written_are_rebuilt(tree: Any) -> None:
    parameters = Parameters(tree)
    parameters.leaves[0].put(0, 7.0)
    rebuilt = parameters.tree()
    if isinstance(tree, FrozenLayer):
        assert (rebuilt.W, rebuilt.b, tree.W) == (7.0, 2.0, 1.0)
    else:
        values = list(rebuilt.values()) if isinstance(tree, MappingProxyType) else list(rebuilt)
        assert values == [7.0, 2.0]
    assert type(rebuilt) is (dict if isinstance(tree, MappingProxyType) else type(tree))


@pytest.mark.parametrize("tree", [{"w": 1.0}, [1.0], Layer(1.0, 2.0), OrderedDict(w=1.0)], ids=repr)
def test_numbers_in_writable_containers_are_set_in_place(tree: Any) -> None:
    parameters = Parameters(tree)
    parameters.leaves[0].put(0, 7.0)
    assert parameters.tree() is tree
    assert parameters.leaves[0].get(0) == 7.0
    assert parameters.changed() != []
    parameters.restore()
    assert parameters.changed() == []
    assert parameters.leaves[0].get(0) == 1.0


def test_number_type_is_kept() -> None:
    tree = {"w": np.float32(1.5)}
    parameters = Parameters(tree)
    parameters.leaves[0].write(np.array([2.5]))
    assert type(tree["w"]) is np.float32


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"W": np.arange(3)}, "`W` must be of a floating-point type, got int64"),
        ({"W": 3}, "`W` must be of a floating-point type, got int64"),
        ({"W": [1, 2]}, "`W` must be of a floating-point type"),
        ({"W": np.array([True])}, "`W` must be of a floating-point type, got bool"),
        ({"W": np.array([1j])}, "two parameters"),
        ({"W": [1.0, 2j]}, "`W` must be of a floating-point type, got complex128"),
        ({"W": np.array([None])}, "got object"),
        ({"W": np.zeros((0, 3))}, r"`W` is empty \(shape \(0, 3\)\)"),
        ({"W": []}, "`W` is empty"),
        ({"W": "weights"}, "got str 'weights'"),
        ({"W": None}, "`W` cannot be checked: expected an array"),
        ({}, "holds no parameters"),
        ((), "holds no parameters"),
    ],
)
def test_what_cannot_be_checked(tree: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Parameters(tree)


def test_the_same_array_twice() -> None:
    W = np.ones(3)
    with pytest.raises(InputError, match=r"`decoder` and `encoder` are the same object.*tied"):
        Parameters({"encoder": W, "decoder": W})


def test_overlapping_views() -> None:
    theta = np.ones(6)
    with pytest.raises(InputError, match="`W` and `b` share memory"):
        Parameters({"W": theta[:4], "b": theta[3:]})


def test_disjoint_views_of_one_buffer() -> None:
    theta = np.ones(6)
    assert names({"W": theta[::2], "b": theta[1::2]}) == ["W", "b"]


def test_one_row_several_times() -> None:
    with pytest.raises(InputError, match="list comprehension"):
        Parameters({"U": [[0.0] * 2] * 3})


def test_changes_are_named_and_undone() -> None:
    W, U = np.ones(2), [0.5, 1.5]
    tree: dict[str, Any] = {"W": W, "U": U, "b": 0.25, "v": np.zeros(2)}
    parameters = Parameters(tree)
    W[1] = 5.0
    U[0] = 3.0
    tree["b"] = 1.0
    tree["v"] = np.ones(2)
    assert set(parameters.changed()) == {"W", "U", "b", "v"}
    parameters.restore()
    assert parameters.changed() == []
    assert (W.tolist(), U, tree["b"], tree["v"].tolist()) == ([1.0, 1.0], [0.5, 1.5], 0.25, [0.0, 0.0])


def test_negative_zero_is_a_change() -> None:
    W = np.zeros(1)
    parameters = Parameters({"W": W})
    W[0] = -0.0
    assert parameters.changed() == ["W"]
    parameters.restore()
    assert not np.signbit(W[0])


@given(trees, st.integers(0, 10**6))
def test_restore_after_any_write(tree: object, seed: int) -> None:
    parameters = Parameters(tree)
    before = [leaf.values().tobytes() for leaf in parameters.leaves]
    rng = np.random.default_rng(seed)
    for leaf in parameters.leaves:
        if not leaf.rebuilt:
            leaf.write(rng.normal(size=leaf.size))
    parameters.restore()
    assert [leaf.values().tobytes() for leaf in parameters.leaves] == before
    assert parameters.changed() == []
