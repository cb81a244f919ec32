"""The reference trainer: what it learns, that it repeats itself, and what it refuses."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

from gradcheck.reference import (
    SGD,
    TASKS,
    Adam,
    BinaryCrossEntropy,
    MLPClassifier,
    MLPRegressor,
    Momentum,
    Network,
    SoftmaxCrossEntropy,
    SquaredError,
    digits,
    load,
    moons,
    parity,
    save,
    train,
    xor,
)
from gradcheck.reference.activations import ACTIVATIONS
from gradcheck.reference.data import split, standardization
from gradcheck.reference.losses import LOSSES, loss_function
from gradcheck.reference.optimizers import optimizer

PARITY = parity()
TARGETS = PARITY.y[:, np.newaxis].astype(float)
MOONS = moons(120)


def curve(seed: int = 0, **settings) -> list[float]:
    network = Network((2, 6, 1), output="sigmoid", seed=seed)
    Y = MOONS.y[:, np.newaxis].astype(float)
    given = {"loss": BinaryCrossEntropy(), "optimizer": Adam(0.02), "epochs": 20, "batch_size": 16, **settings}
    return train(network, MOONS.X, Y, **given).loss


# -- what it learns ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_eight_hidden_units_learn_parity(seed):
    model = MLPClassifier((8,), loss="squared_error", learning_rate=0.05, epochs=4000, batch_size=None, seed=seed)
    model.fit(PARITY.X, PARITY.y)
    assert model.score(PARITY.X, PARITY.y) == 1.0
    assert model.history_.loss[-1] < 0.001


@pytest.mark.parametrize("seed", range(5))
def test_one_hidden_unit_does_not_learn_parity(seed):
    """Its output is monotone in its input, so the loss stays near the variance of the labels."""
    network = Network((1, 1, 1), hidden="sigmoid", output="sigmoid", seed=seed)
    history = train(network, PARITY.X, TARGETS, loss=SquaredError(), optimizer=Adam(0.03), epochs=5000)
    assert 0.22 < history.loss[-1] < 0.25


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "leaky_relu"])
def test_xor_is_learned(activation):
    task = xor()
    model = MLPClassifier((16,), activation=activation, epochs=1500).fit(task.X, task.y)
    assert model.score(task.X, task.y) == 1.0


@pytest.mark.parametrize("kind", ["sgd", "momentum", "adam"])
def test_every_optimizer_learns_two_moons(kind):
    model = MLPClassifier((16,), optimizer=kind, learning_rate=0.5 if kind == "sgd" else None, epochs=300).fit(
        MOONS.X, MOONS.y
    )
    test = moons(300, seed=1)
    assert model.score(test.X, test.y) > 0.95


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_digits_are_learned(loss, dtype):
    task, test = digits(800), digits(300, seed=1)
    model = MLPClassifier((32,), loss=loss, epochs=30, dtype=dtype).fit(task.X, task.y)
    assert model.score(test.X, test.y) > 0.93
    proba = model.predict_proba(test.X)
    assert proba.shape == (300, 10)
    assert proba.dtype == dtype
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("columns", [1, 2])
def test_numbers_are_predicted_in_their_own_scale(columns):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(300, 2))
    y = np.column_stack([1000 + 50 * X[:, 0] * X[:, 1], X[:, 0] ** 2])[:, :columns]
    y = y[:, 0] if columns == 1 else y
    model = MLPRegressor((16,), epochs=300).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert model.score(X, y) > 0.98


def test_labels_may_be_texts():
    names = np.array(["odd", "even"])[PARITY.y]
    model = MLPClassifier((8,), learning_rate=0.03, epochs=2000, batch_size=None).fit(PARITY.X, names)
    assert model.classes_.tolist() == ["even", "odd"]
    assert model.predict(PARITY.X).tolist() == names.tolist()


def test_inputs_are_scaled_by_the_numbers_of_the_training():
    """A single sample asked about later is not standardized by itself."""
    model = MLPClassifier((4,), epochs=5).fit(MOONS.X, MOONS.y)
    together, alone = model.predict_proba(MOONS.X), [model.predict_proba(x[np.newaxis])[0] for x in MOONS.X]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    np.testing.assert_array_equal(model.mean_, MOONS.X.mean(axis=0))


def test_constant_columns_are_left_in_place():
    mean, scale = standardization(np.column_stack([np.full(9, 0.1), np.arange(9.0)]))
    assert scale[0] == 1.0
    assert scale[1] == pytest.approx(np.arange(9.0).std())
    assert mean[1] == 4.0


def test_penalty_shrinks_the_weights():
    sizes = [np.linalg.norm(MLPClassifier(l2=l2).fit(MOONS.X, MOONS.y).network_.params["W1"]) for l2 in (0, 0.01, 0.1)]
    assert sizes == sorted(sizes, reverse=True)


# -- repetition and files ---------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits():
    first, again, other = (MLPClassifier(epochs=5, seed=s).fit(MOONS.X, MOONS.y) for s in (3, 3, 4))
    assert first.network_.vector.tobytes() == again.network_.vector.tobytes()
    assert first.history_ == again.history_
    assert first.network_.vector.tobytes() != other.network_.vector.tobytes()


def test_training_leaves_the_data_and_the_global_random_state_alone():
    X, y = MOONS.X.copy(), MOONS.y.copy()
    np.random.seed(1)  # noqa: NPY002 - it is about the old generator
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    MLPClassifier(epochs=2).fit(X, y)
    np.testing.assert_array_equal(X, MOONS.X)
    np.testing.assert_array_equal(y, MOONS.y)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (MLPClassifier((5, 4), activation="relu", epochs=3, patience=2), MOONS.y),
        (MLPClassifier((), epochs=3, dtype="float32", batch_size=None), np.array(["no", "yes"])[MOONS.y]),
        (MLPClassifier((3,), epochs=3, loss="squared_error"), MOONS.y + 0.5),
        (MLPRegressor((4,), epochs=3), MOONS.X[:, 0]),
        (MLPRegressor((4,), epochs=3, standardize=False), MOONS.X * 3),
    ],
    ids=["two layers", "texts", "squared error", "number", "two numbers"],
)
def test_a_loaded_model_is_the_saved_one(model, y, tmp_path):
    model.fit(MOONS.X, y)
    save(model, tmp_path / "model.anything")
    loaded = load(tmp_path / "model.anything")
    assert loaded.predict(MOONS.X).tobytes() == model.predict(MOONS.X).tobytes()
    assert loaded.score(MOONS.X, y) == model.score(MOONS.X, y)
    assert loaded.history_ == model.history_
    assert {**loaded.get_params(), "hidden_widths": None} == {**model.get_params(), "hidden_widths": None}


def test_a_file_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    np.savez(tmp_path / "objects.npz", facts=np.array([{}], dtype=object))
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("other", "objects", "text", "empty"):
        with pytest.raises(ValueError, match=rf"{name}\.npz: expected a file that save\(\) has written"):
            load(tmp_path / f"{name}.npz")


def test_a_cut_file_is_refused(tmp_path):
    save(MLPClassifier(epochs=1).fit(MOONS.X, MOONS.y), tmp_path / "model.npz")
    content = (tmp_path / "model.npz").read_bytes()
    (tmp_path / "model.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="expected a file that save"):
        load(tmp_path / "model.npz")


# -- training ---------------------------------------------------------------------------------------------------------


def test_every_sample_is_used_once_per_epoch():
    """With one linear weight, a gradient does not depend on the order, and a tiny step does not on the others."""
    X, Y = np.arange(1.0, 11.0)[:, np.newaxis], np.zeros((10, 1))
    ways = []
    for batch_size in (1, 3, 10, 99):
        network = Network((1, 1), seed=0)
        network.vector[...] = (1.0, 0.0)
        train(network, X, Y, loss=SquaredError(), optimizer=SGD(1e-9), epochs=1, batch_size=batch_size)
        batches = len(range(0, 10, min(batch_size, 10)))
        ways.append((1 - network.vector[0]) / batches)
    # batches of 3, 3, 3, 1 weigh the last sample differently, all others are the same mean
    assert ways[0] == pytest.approx(2e-9 * np.mean(X**2), rel=1e-6)
    assert ways[2:] == pytest.approx([2e-9 * np.mean(X**2)] * 2, rel=1e-6)


def test_the_order_is_new_in_each_epoch_and_follows_the_seed():
    assert curve(batch_size=16) == curve(batch_size=16)
    network_seed_is_the_same = curve(batch_size=16, **{"epochs": 3})
    assert network_seed_is_the_same == curve(batch_size=16)[:3]


def test_no_copy_of_the_data_is_made_in_an_epoch():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(40_000, 50)), rng.normal(size=(40_000, 1))
    network = Network((50, 4, 1))
    tracemalloc.start()
    train(network, X, Y, loss=SquaredError(), optimizer=Adam(), epochs=2, batch_size=64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 5  # once, the check whether all are finite takes an eighth


def test_loss_of_an_epoch_does_not_contain_the_penalty():
    assert curve(epochs=1, batch_size=None, l2=5.0) == curve(epochs=1, batch_size=None)


def test_early_stopping_keeps_the_best_parameters():
    network = Network((2, 30, 1), output="sigmoid")
    few, Y = moons(20, noise=0.4), lambda task: task.y[:, np.newaxis].astype(float)
    rest = moons(200, noise=0.4, seed=1)
    history = train(
        network,
        few.X,
        Y(few),
        loss=BinaryCrossEntropy(),
        optimizer=Adam(0.05),
        epochs=1000,
        validation=(rest.X, Y(rest)),
        patience=20,
    )
    assert history.stopped == "no progress"
    assert history.best_epoch == int(np.argmin(history.validation_loss))
    assert history.epochs == history.best_epoch + 21
    assert network.objective(rest.X, Y(rest), BinaryCrossEntropy()) == min(history.validation_loss)


def test_early_stopping_does_not_stop_while_there_is_progress():
    history = train(
        Network((2, 1), output="sigmoid"),
        MOONS.X,
        MOONS.y[:, np.newaxis],
        loss=BinaryCrossEntropy(),
        optimizer=SGD(0.1),
        epochs=50,
        patience=2,
    )
    assert (history.stopped, history.epochs, history.best_epoch) == ("finished", 50, 49)


def test_a_training_that_diverges_says_so():
    history = train(
        Network((1, 3, 1), hidden="relu"),
        PARITY.X * 100,
        TARGETS,
        loss=SquaredError(),
        optimizer=SGD(100.0),
        epochs=1000,
    )
    assert history.stopped == "diverged"
    assert history.epochs < 1000
    assert not np.isfinite(history.loss[-1])


def test_callback_sees_every_epoch():
    seen = []
    losses = curve(epochs=4, callback=lambda *arguments: seen.append(arguments))
    assert seen == list(enumerate(losses, 1))


def test_momentum_of_nothing_is_gradient_descent():
    assert curve(optimizer=Momentum(0.1, momentum=0)) == curve(optimizer=SGD(0.1))


@pytest.mark.parametrize("steps", [1, 2, 30])
def test_adam_is_the_rule_of_its_paper(steps):
    """The factors that are taken out of the vectors change nothing but the rounding."""
    rng, rule = np.random.default_rng(0), Adam(0.1, epsilon=1e-3)
    w = rng.normal(size=5)
    expected, m, v = w.copy(), np.zeros(5), np.zeros(5)
    for t in range(1, steps + 1):
        g = rng.normal(size=5)
        rule.update(w, g)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        expected -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-3)
    np.testing.assert_allclose(w, expected, rtol=1e-12)


# -- numbers at the edge ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z", "y", "expected"), [(-800, 0, 0), (800, 1, 0), (-800, 1, 800), (800, 0, 800), (40, 0, 40)]
)
def test_binary_cross_entropy_of_large_logits(z, y, expected):
    network = Network((1, 1), output="sigmoid")
    network.vector[...] = (z, 0)
    assert network.objective([[1.0]], [[y]], BinaryCrossEntropy()) == expected


def test_binary_cross_entropy_keeps_tiny_losses():
    network = Network((1, 1), output="sigmoid")
    network.vector[...] = (50, 0)
    assert network.objective([[1.0]], [[1]], BinaryCrossEntropy()) == pytest.approx(np.exp(-50), rel=1e-12)


@pytest.mark.parametrize(("logits", "expected"), [((900, 0), 0), ((0, 900), 900), ((-900, -900), np.log(2))])
def test_softmax_cross_entropy_of_large_logits(logits, expected):
    network = Network((1, 2), output="softmax")
    network.vector[...] = (*logits, 0, 0)
    assert network.objective([[1.0]], [[1, 0]], SoftmaxCrossEntropy()) == pytest.approx(expected, rel=1e-15)


def test_squared_error_is_a_mean_over_samples_and_outputs():
    network = Network((1, 2))
    network.vector[...] = 0
    assert network.objective([[1], [1]], [[1, 2], [3, 4]], SquaredError()) == (1 + 4 + 9 + 16) / 4


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_signals_keep_their_size_at_the_start(activation):
    """With the gain of its activation, the first layers pass on a variance that neither fades nor grows."""
    network = Network((400, 400, 400), hidden=activation, seed=1)
    W = network.params["W1"]
    X = np.random.default_rng(0).normal(size=(200, 400))
    size = np.sqrt(np.mean((X @ W) ** 2))
    assert size == pytest.approx(np.sqrt(ACTIVATIONS[activation].gain), rel=0.05)
    assert not network.params["b1"].any()


def test_parameters_are_views_of_one_vector():
    network = Network((3, 4, 2))
    assert {name: values.shape for name, values in network.params.items()} == {
        "W1": (3, 4),
        "b1": (4,),
        "W2": (4, 2),
        "b2": (2,),
    }
    network.vector[...] = np.arange(network.vector.size)
    assert sorted(itertools.chain(*(v.ravel() for v in network.params.values()))) == list(range(26))
    assert set(network.vector[: network.n_weights]) == {*network.params["W1"].flat, *network.params["W2"].flat}


# -- data -------------------------------------------------------------------------------------------------------------


def test_parity_is_that_of_the_numbers_from_one_to_nine():
    assert (PARITY.X[:, 0] * 9).round().astype(int).tolist() == list(range(1, 10))
    assert PARITY.y.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("name", TASKS)
def test_tasks_repeat_themselves(name):
    once, again = TASKS[name](), TASKS[name]()
    assert once.X.tobytes() == again.X.tobytes()
    assert len(once.X) == len(once.y)
    assert once.X.shape[1] == len(once.features)


def test_digits_are_ten_different_pictures():
    task = digits(10, noise=0)
    assert len({picture.tobytes() for picture in task.X > 0}) == 10


def test_split_divides_all_rows():
    kept, aside = split(10, 0.3)
    assert (len(kept), len(aside)) == (7, 3)
    assert sorted([*kept, *aside]) == list(range(10))


# -- settings as scikit-learn has them, and refusals -------------------------------------------------------------------


def test_settings_can_be_read_and_changed():
    model = MLPClassifier((3,), loss="squared_error", epochs=7)
    assert model.get_params()["epochs"] == 7
    assert MLPClassifier(**model.get_params()).get_params() == model.get_params()
    assert model.set_params(l2=0.1).l2 == 0.1
    assert repr(model) == "MLPClassifier(hidden_widths=(3,), epochs=7, l2=0.1, loss='squared_error')"
    with pytest.raises(ValueError, match="unknown setting 'alpha'; known are hidden_widths, activation, "):
        model.set_params(alpha=1)
    assert "loss" not in MLPRegressor().get_params()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_widths": (0,)}, r"widths: expected whole numbers of at least 1, got 0 in \(2, 0, 1\)"),
        ({"hidden_widths": (2.5,)}, "got 2.5 in"),
        ({"activation": "gelu"}, r"expected an activation \(linear, sigmoid, .*\), got 'gelu'"),
        ({"optimizer": "rmsprop"}, r"expected an optimizer \(sgd, momentum, adam\), got 'rmsprop'"),
        ({"learning_rate": 0.0}, "learning_rate: expected a positive number, got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a positive number, got nan"),
        ({"epochs": 0}, "epochs: expected a whole number of at least 1, got 0"),
        ({"batch_size": -1}, "batch_size: expected a whole number of at least 1, got -1"),
        ({"patience": 0}, "patience: expected a whole number"),
        ({"l2": -0.1}, "l2: expected a number of at least 0, got -0.1"),
        ({"validation_fraction": 1.0}, "fraction: expected a number of at least 0 and less than 1, got 1.0"),
        ({"dtype": "int8"}, "dtype: expected float64 or float32, got 'int8'"),
        ({"dtype": "nonsense"}, "dtype: expected float64 or float32, got 'nonsense'"),
        ({"loss": "hinge"}, "loss: expected cross_entropy or squared_error, got 'hinge'"),
    ],
    ids=str,
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**settings).fit(MOONS.X, MOONS.y)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (MOONS.X, np.zeros(120), "y: expected at least two labels, got 0.0 for all samples"),
        (MOONS.X[:5], MOONS.y, "expected one target per sample, got 5 samples and 120 targets"),
        (np.zeros((0, 2)), [], r"X: expected an array of shape \(samples, width\), not empty, got shape \(0, 2\)"),
        ([[1.0, np.nan], [1.0, 2.0]], [0, 1], "X: expected finite numbers, got nan in row 0, column 1"),
        ([[1e308], [-1e308]], [0, 1], r"expected numbers whose squares are finite, got 1e\+308 to be scaled"),
        ([[1.0, 2.0], [1.0, -np.inf]], [0, 1], "X: expected finite numbers, got -inf in row 1, column 1"),
        ([["a", "b"]], [0], "X: expected real numbers, got an array of type <U1"),
        ([[1.0], [1.0, 2.0]], [0, 1], "X: expected numbers in rows of equal length"),
        ([["1", "2"]], [0], "X: expected real numbers, got an array of type <U1"),
        ([[1j]], [0], "X: expected real numbers, got an array of type complex128"),
        (MOONS.X, np.full(120, np.nan), "y: expected finite numbers, got nan"),
        (MOONS.X, [None] * 120, "y: expected labels of one kind, numbers or texts"),
        (MOONS.X, np.zeros((120, 3)), r"y: expected an array of shape \(samples,\), not empty, got shape \(120, 3\)"),
    ],
    ids=range(13),
)
@pytest.mark.filterwarnings("error")
def test_wrong_data_are_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier().fit(X, y)


def test_what_is_not_trained_does_not_predict(tmp_path):
    for action in (lambda m: m.predict(MOONS.X), lambda m: save(m, tmp_path / "x")):
        with pytest.raises(ValueError, match="this MLPClassifier is not trained yet; call fit first"):
            action(MLPClassifier())


def test_inputs_of_another_width_are_refused():
    with pytest.raises(ValueError, match="X: expected 2 columns, got 3"):
        MLPClassifier(epochs=1).fit(MOONS.X, MOONS.y).predict(np.zeros((1, 3)))


def test_a_loss_wants_its_own_output_activation():
    with pytest.raises(ValueError, match="softmax_cross_entropy needs the output activation softmax, got sigmoid"):
        Network((2, 2), output="sigmoid").objective(MOONS.X, MOONS.X, SoftmaxCrossEntropy())


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=rf"expected a loss \({', '.join(LOSSES)}\), got 'hinge'"):
        loss_function("hinge")
    with pytest.raises(ValueError, match="got 'x'"):
        optimizer("x")
    with pytest.raises(ValueError, match="hidden: expected 2 activations, one per layer, got 1"):
        Network((1, 2, 3, 4), hidden=["tanh"])
    with pytest.raises(ValueError, match="widths: expected at least the numbers of inputs and outputs"):
        Network((3,))
    with pytest.raises(ValueError, match="momentum: expected a number of at least 0 and less than 1, got 1"):
        Momentum(0.1, momentum=1)
    with pytest.raises(ValueError, match="epsilon: expected a positive number, got 0"):
        Adam(epsilon=0)
    with pytest.raises(ValueError, match="samples: expected a number of at least 2, got 1"):
        moons(1)
