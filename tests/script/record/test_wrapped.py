"""Parameters that are pandas objects, matrices and arrays of Python's numbers, each right and wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gradcheck.script.record.wrapped import Wrapping, aligned, in_double_precision, is_wrapped, plain
from script_runs import check, verdicts

pytestmark = pytest.mark.usefixtures("forked_with_pandas")

DATA = """
import numpy as np
import pandas as pd

rng = np.random.default_rng(3)
X = rng.normal(size=(20, 3))
y = rng.normal(size=20)
t = y[:, None]
T = rng.normal(size=(20, 2))
"""
SERIES = """
table = pd.DataFrame(X, columns=["a", "b", "c"])
w = pd.Series(np.zeros(3), index=["a", "b", "c"])
def loss(w):
    return ((table.dot(w) - y) ** 2).mean()
def gradient(w):
    return 2 * table.T.dot(table.dot(w) - y) / len(y)
"""
MATRIX = """
M, t = np.matrix(X), np.matrix(t)
w = np.matrix(np.zeros((3, 1)))
def loss(w):
    return np.square(M * w - t).sum() / len(t)
def gradient(w):
    return 2 * M.T * (M * w - t) / len(t)
"""
OBJECTS = """
w = np.array([0.0, 0.1, 0.2], dtype=object)
def loss(w):
    return np.mean((X @ w - y) ** 2)
def gradient(w):
    return 2 * X.T @ (X @ w - y) / len(y)
"""
COLUMN = OBJECTS.replace("[0.0, 0.1, 0.2]", "[[0.0], [1], [np.float64(0.2)]]").replace("y)", "t)")
# the rows of the gradient come in another order, which pandas puts right
SHUFFLED = SERIES.replace("table.T.dot", "table[['c', 'a', 'b']].T.dot")
FRAME = """
w = pd.DataFrame(rng.normal(size=(3, 2)), columns=["u", "v"])
def loss(w):
    return np.mean((X @ w.values - T) ** 2)
def gradient(w):
    rest = X @ w.values - T
    return pd.DataFrame(2 * X.T @ rest / T.size, index=w.index, columns=w.columns)
"""
NARROW = "X, y, T = (data.astype(np.float32) for data in (X, y, T))\n"
NARROW_SERIES = NARROW + SERIES.replace("np.zeros(3)", "np.zeros(3, np.float32)")
NARROW_FRAME = NARROW + FRAME.replace("size=(3, 2))", "size=(3, 2)).astype(np.float32)")
MODELS = {
    "series": SERIES,
    "series whose gradient has another order": SHUFFLED,
    "frame": FRAME,
    "series in single precision": NARROW_SERIES,
    "frame in single precision": NARROW_FRAME,
    "matrix": MATRIX,
    "objects": OBJECTS,
    "column of objects": COLUMN,
}
STEPS = {
    "new": "for step in range(20):\n    w = w - 0.1 * gradient(w)\n",
    "in place": "for step in range(20):\n    dw = gradient(w)\n    w -= 0.1 * dw\n",
}


@pytest.mark.parametrize(("factor", "verdict"), [("2 *", "match"), ("3 *", "mismatch")])
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("model", MODELS)
def test_the_gradient_of_wrapped_numbers_is_checked(tmp_path, model, steps, factor, verdict):
    text = DATA + MODELS[model].replace("2 *", factor) + STEPS[steps]
    result = check(tmp_path, f"{text}print(loss(w))\n", fix=False)
    (name, found), *others = verdicts(result).items()
    assert (found, others) == (verdict, [])
    assert name == "w"
    shape = {"frame": (3, 2), "frame in single precision": (3, 2), "matrix": (3, 1), "column of objects": (3, 1)}.get(
        model, (3,)
    )
    assert (result.parameters[0].shape, result.unchecked) == (shape, ())


LAST = {
    "series": ("2 * table.T", "2 * (table * [1, 1, -1]).T"),
    "series whose gradient has another order": (
        "2 * table[['c', 'a', 'b']].T",
        "2 * (table * [1, 1, -1])[['c', 'a', 'b']].T",
    ),
    "frame": ("2 * X.T", "2 * (X * [1, 1, -1]).T"),
    "series in single precision": ("2 * table.T", "2 * (table * np.array([1, 1, -1], np.float32)).T"),
    "frame in single precision": ("2 * X.T", "2 * (X * np.array([1, 1, -1], np.float32)).T"),
    "matrix": ("2 * M.T", "2 * np.diag([1, 1, -1]) * M.T"),
    "objects": ("2 * X.T", "2 * (X * [1, 1, -1]).T"),
    "column of objects": ("2 * X.T", "2 * (X * [1, 1, -1]).T"),
}


@pytest.mark.parametrize("model", MODELS)
def test_a_mistake_in_one_entry_is_found_in_that_entry(tmp_path, model):
    text = DATA + MODELS[model].replace(*LAST[model]) + STEPS["in place"] + "print(loss(w))\n"
    (parameter,) = check(tmp_path, text, fix=False).parameters
    assert (parameter.verdict.value, parameter.worst_index[0]) == ("mismatch", 2)
    assert parameter.mismatched == (2 if "frame" in model else 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pd.Series([1.0, 2.0]), True),
        (pd.Series([1, 2]), True),
        (pd.Series([1.0, 2.0], dtype=np.float32), True),
        (pd.DataFrame({"a": [1.0], "b": np.array([2], np.float16)}), True),
        (pd.DataFrame({"a": [1.0], "b": [2]}), True),
        (np.array([1.0, 2], dtype=object), True),
        (pd.Series([], dtype=float), False),
        (pd.Series([True, False]), False),
        (pd.Series(["a", 1.0]), False),
        (pd.Series([1, None], dtype="Int64"), False),
        (pd.DataFrame({"a": [1.0], "b": ["x"]}), False),
        (np.array([1.0, None], dtype=object), False),
        (np.array([1.0, True], dtype=object), False),
        (np.array([], dtype=object), False),
        (np.array([1.0, 2.0]), False),
        ([1.0, 2.0], False),
        (1.0, False),
        (pd.Index([1.0]), False),
    ],
)
def test_what_is_wrapped(value, expected):
    assert is_wrapped(value) is expected
    assert (Wrapping.around(value) is not None) is expected
    assert (plain(value) is not value) is expected


def test_an_object_is_filled_and_another_made_with_its_labels():
    series = pd.Series([1.0, 2.0], index=["a", "b"], name="w")
    wrapping = Wrapping.around(series)
    numbers = np.array([3.0, 4.0])
    assert wrapping.filled(numbers) is series
    pd.testing.assert_series_equal(series, pd.Series([3.0, 4.0], index=["a", "b"], name="w"))
    pd.testing.assert_series_equal(wrapping.made(numbers + 2), pd.Series([5.0, 6.0], index=["a", "b"], name="w"))
    series["a"] = 9.0
    assert numbers.tolist() == [3.0, 4.0]
    objects = np.array([1.0, 2], dtype=object)
    wrapping = Wrapping.around(objects)
    assert wrapping.filled(numbers) is objects
    assert (objects.dtype, objects.tolist()) == (object, [3.0, 4.0])
    assert wrapping.made(numbers).dtype == object


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numbers_keep_their_precision_until_they_are_widened(kind):
    series = pd.Series([1.0, 2.0], index=["a", "b"], name="w", dtype=kind)
    wrapping = Wrapping.around(series)
    assert wrapping.numbers.dtype == kind
    assert wrapping.filled(wrapping.numbers + kind(1)).dtype == wrapping.made(wrapping.numbers).dtype == kind
    wide = in_double_precision(series)
    assert (wide is series) is (kind is np.float64)
    pd.testing.assert_series_equal(wide, pd.Series([2.0, 3.0], index=["a", "b"], name="w"))


def test_only_narrow_columns_are_widened():
    frame = pd.DataFrame({"a": np.array([1, 2], np.float32), "b": [1, 2], "c": ["x", "y"], "d": [0.5, 1.5]})
    wide = in_double_precision(frame)
    assert [str(dtype) for dtype in wide.dtypes][:2] == ["float64", "int64"]
    assert wide["c"].dtype == frame["c"].dtype
    assert frame["a"].dtype == np.float32
    assert Wrapping.around(frame[["a", "d"]]).numbers.dtype == np.float64
    assert in_double_precision(frame[["b", "d"]].copy()).equals(frame[["b", "d"]])


def test_labels_decide_the_order_only_where_they_are_the_same():
    like = pd.Series([0.0, 0.0], index=["a", "b"])
    assert aligned(pd.Series([1.0, 2.0], index=["b", "a"]), like).tolist() == [2.0, 1.0]
    for index in (["b", "c"], ["b", "b"], ["a", "b", "c"]):
        other = pd.Series(np.arange(float(len(index))), index=index)
        assert aligned(other, like) is other
    array = np.arange(2.0)
    assert aligned(array, like) is array
