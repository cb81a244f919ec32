"""TensorFlow code as it is."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.checker.result import Verdict
from gradcheck.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore")
tf = pytest.importorskip("tensorflow")
check = pytest.importorskip("gradcheck.adapters.tensorflow").check
X = np.array([0.3, -1.2, 0.8], np.float32)


def custom(factor=1.0, single=False):
    @tf.custom_gradient
    def sine(x):
        if single and x.dtype != tf.float32:
            raise TypeError("float32 only")
        return tf.sin(x), lambda upstream: upstream * factor * tf.cos(x)

    return sine


def verdicts(result):
    return {parameter.name: parameter.verdict.value for parameter in result.parameters}


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "tf.function"])
@pytest.mark.parametrize(("factor", "expected"), [(1.0, "match"), (1.001, "mismatch")])
def test_custom_gradients(wrapped, factor, expected):
    function = tf.function(custom(factor)) if wrapped else custom(factor)
    assert verdicts(check(function, tf.constant(X))) == {"x": expected}


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "match"), (1.05, "mismatch")])
def test_what_refuses_float64_is_checked_in_float32(factor, expected):
    result = check(custom(factor, single=True), X)
    assert verdicts(result) == {"x": expected}
    assert any("in float64 the function raises TypeError" in note for note in result.notes)


def test_variables_and_containers():
    for dtype in (np.float32, np.float64):
        variable = tf.Variable(X.astype(dtype))
        result = check(lambda v, data: tf.reduce_sum(v**2) * data["a"][0], variable, {"a": [2.0, 3]})
        assert verdicts(result) == {"v": "match", "data['a'][0]": "match"}
        assert (variable.numpy() == X).all()
        assert any("coarser than float64" in note for note in result.notes) is (dtype == np.float32)


class Layer(tf.keras.layers.Layer):
    def __init__(self, factor=1.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, x):
        return custom(self.factor)(x)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "match"), (1.001, "mismatch")])
def test_keras_models_are_checked_in_float64(factor, expected):
    layers = [tf.keras.layers.Dense(1, name="first"), Layer(factor), tf.keras.layers.Dense(1, name="last")]
    model = tf.keras.Sequential([tf.keras.Input((3,)), *layers])
    before = [weights.copy() for weights in model.get_weights()]
    result = check(model, X[None])
    assert verdicts(result) == {
        "inputs": expected,
        "first/kernel": expected,
        "first/bias": expected,
        "last/kernel": "match",
        "last/bias": "match",
    }
    assert "a copy of the model in float64 was checked" in result.notes
    assert all(map(np.array_equal, before, model.get_weights()))


def test_variables_come_back_after_an_exception():
    variable, calls = tf.Variable(X.astype(np.float64)), []

    def raises(v):
        calls.append(v)
        if len(calls) > 5:
            raise ZeroDivisionError("mine")
        return tf.reduce_sum(v**2)

    with pytest.raises(ZeroDivisionError, match="mine"):
        check(raises, variable)
    assert (variable.numpy() == X.astype(np.float64)).all()


def test_what_cannot_be_checked_is_said():
    with pytest.raises(InputError, match="nothing to differentiate"):
        check(tf.reduce_sum, tf.constant([1, 2]))
    with pytest.raises(InputError, match="must be callable"):
        check(3, tf.constant(X))
    with pytest.raises(InputError, match="must return floating-point numbers"):
        check(tf.argmax, tf.constant(X))


def test_beside_tensorflows_own_numbers():
    """``tf.test.compute_gradient`` in float32 is off by more than a planted error; no verdict can be read from it."""

    def loss(x):
        return tf.reduce_mean((x + 30.0) ** 2)

    ((theirs,), (numerical,)) = tf.test.compute_gradient(loss, [tf.constant(X)])
    assert np.max(np.abs(numerical / theirs - 1)) > 1e-3
    assert check(loss, tf.constant(X)).verdict is Verdict.MATCH
