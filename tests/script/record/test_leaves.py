"""The numbers inside a user's variables, and moving them."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from gradcheck.script.record.leaves import follow, is_numeric, leaves
from gradcheck.script.replay.perturb import assign, moved


class Layer:
    __module__ = "__main__"

    def __init__(self, **values):
        vars(self).update(values)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (1.5, ["v"]),
        (2, ["v"]),
        (np.float32(1), ["v"]),
        (np.ones((2, 3)), ["v"]),
        (np.array(2.0), ["v"]),
        ([1.0, 2], ["v"]),
        ([[1, 2], [3, 4]], ["v"]),
        ([[1, 2], [3]], ["v[0]", "v[1]"]),
        ([np.ones(2), np.ones(3)], ["v[0]", "v[1]"]),
        ((1.0, 2.0), ["v[0]", "v[1]"]),
        ({"W": 1.0, 0: 2.0, (1, 2): 3.0}, ["v['W']", "v[0]"]),
        ({"a": {"b": [np.ones(1)]}}, ["v['a']['b'][0]"]),
        (types.SimpleNamespace(W=1.0, name="x"), ["v.W"]),
        (True, []),
        ("text", []),
        (None, []),
        ([], []),
        ([True, False], ["v"][:0]),
        (np.array([]), []),
        (np.array(["a"]), []),
        (np.array([True]), []),
        (1 + 2j, []),
        ([1.0, None], ["v[0]"]),
        (np.array([np.ones(2), None], dtype=object), ["v[0]"]),
        (np.array([np.ones(2), Layer(b=0.5)], dtype=object), ["v[0]", "v[1].b"]),
        (np.array([None, "x"], dtype=object), []),
        (np.array([[1.0, 2.0], [3.0, 4.0]], dtype=object), ["v"]),
    ],
)
def test_names_of_the_leaves(value, names):
    assert [leaf.name for leaf in leaves("v", value)] == names


def test_objects_of_the_script_are_looked_into_and_others_are_not():
    net = Layer(layers=[Layer(W=np.ones(2)), Layer(b=0.5)], log=sys.stdout)
    assert [leaf.name for leaf in leaves("net", net)] == ["net.layers[0].W", "net.layers[1].b"]


def test_cycles_end():
    net = Layer(W=1.0)
    net.self = net
    net.children = [net]
    assert [leaf.name for leaf in leaves("net", net)] == ["net.W"]


def test_a_leaf_is_found_again_by_its_path():
    value = {"a": [types.SimpleNamespace(W=np.ones(2))]}
    (leaf,) = leaves("v", value)
    assert follow(value, leaf.path) is value["a"][0].W


def test_what_lies_in_a_tuple_cannot_be_replaced_but_an_array_can_be_filled():
    number, array = leaves("v", (1.0, np.ones(1)))
    assert (number.replaceable, array.replaceable) == (False, True)


def test_shape_and_kind_of_a_leaf():
    (leaf,) = leaves("v", [[1, 2, 3], [4, 5, 6]])
    assert leaf.shape == (2, 3)


def test_a_very_long_list_of_numbers_is_one_leaf():
    assert len(leaves("v", list(range(100_000)))) == 1


@pytest.mark.parametrize("value", [float("nan"), np.inf, np.array([np.nan])])
def test_what_is_not_finite_is_still_a_number(value):
    assert is_numeric(value)


def test_moved_parameters_are_changed_in_place_and_come_back_bit_for_bit():
    array, rows = np.array([[-0.0, 1e-300], [np.pi, 2.0]]), [[0.5, 1.0], [2.0, 3.0]]
    parameters = {"a": array, "rows": rows, "x": 0.1, "other": 7.0}
    before = array.tobytes()
    with moved(parameters, ["a", "rows", "x"], np.random.default_rng(0)):
        assert parameters["a"] is array
        assert parameters["rows"] is rows
        assert not np.any(array == np.array([[0, 1e-300], [np.pi, 2.0]]))
        assert rows[0][0] != 0.5
        assert parameters["x"] != 0.1
        assert parameters["other"] == 7.0
    assert array.tobytes() == before
    assert (rows, parameters["x"]) == ([[0.5, 1.0], [2.0, 3.0]], 0.1)


def test_moved_parameters_come_back_after_an_exception():
    parameters = {"a": np.ones(3)}
    with pytest.raises(ValueError, match="stop"), moved(parameters, ["a"], np.random.default_rng(0)):
        raise ValueError("stop")
    assert parameters["a"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("value", [0.0, np.zeros((2, 2)), [0.0, 0.0], np.zeros(2, dtype=np.float32)])
def test_zeros_are_moved_away(value):
    """Zero biases and symmetric starts hide mistakes."""
    parameters = {"v": value}
    with moved(parameters, ["v"], np.random.default_rng(1)):
        assert np.min(np.abs(parameters["v"])) > 0.001


def test_one_seed_moves_in_one_way():
    def values(seed):
        parameters = {"v": np.zeros(3)}
        with moved(parameters, ["v"], np.random.default_rng(seed)):
            return parameters["v"].tolist()

    assert values(1) == values(1) != values(2)


def test_assign_keeps_the_type_of_the_array():
    parameters = {"v": np.zeros(2, dtype=np.float32)}
    assign(parameters, "v", np.array([1.5, 2.5]))
    assert parameters["v"].dtype == np.float32
