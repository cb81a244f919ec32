"""The verdict benchmark counts right, and what it calls correct is correct."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from click.testing import CliRunner

import load_benchmarks  # noqa: F401 - the next imports need it
from benchmarks import networks
from benchmarks.__main__ import main
from benchmarks.checkers import Answer, GradcheckChecker, raised
from benchmarks.functions import CLASSES, PLANTED, SHAPES, function_problem, random_function
from benchmarks.networks import LABELS, SITUATIONS, Situation, network_problem, network_problems
from benchmarks.peers import load_peers
from benchmarks.peers.estimates import EstimatePeer, compared
from benchmarks.problems import Candidate, CountedLoss, Problem, flattened, unflattened
from benchmarks.speed import network, one_entry_wrong
from benchmarks.tables import by_error, by_group, by_label, markdown, totals
from benchmarks.tally import Tally, examine
from benchmarks.training import LOOPED, RATE, _looped_step, drawn_problem, reference_epochs, rows_of_training
from gradcheck.checker.tolerance import Tolerance
from gradcheck.reference import SGD, Network
from gradcheck.reference.losses import loss_function
from gradcheck.reference.network import Workspace

EXTENDED = pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="long double is no longer than double here")

# -- random functions ---------------------------------------------------------------------------------------------


def extended_difference(function) -> float:
    """Differentiate in long double, with steps too short to reach the kink and for the fastest term to turn."""
    x, unit = np.longdouble(function.x), np.longdouble(function.unit)
    step = 1e-3 / max(1.0, *(abs(term.rate) for term in function.terms))
    if function.kink:
        step = min(step, abs(float(x / unit) - function.kink[1]) / 2)

    def central(h):
        return (function.value(x + h, np.longdouble) - function.value(x - h, np.longdouble)) / (2 * h)

    step = np.longdouble(step) * unit
    return float((4 * central(step / 2) - central(step)) / 3)


@EXTENDED
@pytest.mark.parametrize("seed", range(6 * len(CLASSES)))
def test_closed_form_is_the_derivative(seed):
    function = random_function(seed)
    assert function.derivative == pytest.approx(extended_difference(function), rel=1e-6)


@EXTENDED
@pytest.mark.parametrize("shape", SHAPES)
def test_shape_and_its_derivative(shape):
    value, slope = SHAPES[shape]
    u, h = np.longdouble("0.7"), np.longdouble("1e-6")
    assert float(slope(u)) == pytest.approx(float((value(u + h) - value(u - h)) / (2 * h)), rel=1e-9)


def test_all_classes_take_turns():
    assert [random_function(seed).group for seed in range(2 * len(CLASSES))] == [*CLASSES, *CLASSES]


def test_a_seed_decides_everything():
    once, again = (function_problem(11) for _ in range(2))
    assert once.params == again.params
    assert [c.grad for c in once.candidates] == [c.grad for c in again.candidates]


def test_planted_errors_are_those_of_the_labels():
    problem = function_problem(5)
    right = problem.candidates[0].grad["x"]
    assert [c.label for c in problem.candidates] == [label for label, _ in PLANTED]
    assert [float((c.grad["x"] / right)[0]) for c in problem.candidates] == pytest.approx(
        [1, -1, 0, 2, 1.1, 1.01, 1.001]
    )
    assert [c.label for c in problem.candidates if not c.wrong] == ["correct"]


def test_classes_are_what_they_are_called():
    drawn = {group: [random_function(seed) for seed in range(i, 450, len(CLASSES))] for i, group in enumerate(CLASSES)}
    assert all(f.unit == 1 for f in drawn["smooth"])
    assert all(1e-14 <= f.noise <= 1e-4 for f in drawn["random noise"])
    assert all(abs(f.offset) >= 10 for f in drawn["large offset"])
    assert all(f.kink and f.kink[1] != f.x / f.unit for f in drawn["kink nearby"])
    assert all(max(abs(term.rate) for term in f.terms) >= 10 for f in drawn["oscillating"])
    units = [f.unit for f in drawn["tiny or huge units"]]
    assert min(units) < 1e-9
    assert max(units) > 1e9
    assert any(f.x == 0 for f in drawn["point near zero"])
    for function in drawn["float32 inside"]:
        value = function.loss()({"x": np.array([function.x])})
        assert value == float(np.float32(value))


def test_noise_starts_anew_for_each_checker():
    problem = function_problem(CLASSES.index("random noise"))
    first, second = problem.make_loss(), problem.make_loss()
    values = [first(problem.params) for _ in range(3)]
    assert len(set(values)) == 3
    assert [second(problem.params) for _ in range(3)] == values


# -- networks -----------------------------------------------------------------------------------------------------

SMOOTH = [situation for situation in SITUATIONS if situation.above_kink != 0.0]


@EXTENDED
@pytest.mark.parametrize("situation", SMOOTH, ids=lambda situation: situation.label)
def test_gradient_of_a_network(situation):
    for activation in situation.activations:
        problem = network_problem(activation, np.float64, situation, seed=1)
        rng, loss, grad = np.random.default_rng(2), problem.make_loss(), problem.candidates[0].grad
        for name, value in problem.params.items():
            direction = rng.choice([-1.0, 1.0], value.shape)
            ends = (value + sign * np.longdouble(1e-8) * direction for sign in (1, -1))
            above, below = (loss({**problem.params, name: end}) for end in ends)
            slope = float((above - below) / np.longdouble(2e-8))
            assert np.sum(grad[name] * direction) == pytest.approx(slope, rel=1e-6, abs=1e-9 * situation.loss_unit)


def test_network_has_the_size_that_the_tables_name():
    assert sum(value.size for value in network_problems(0)[0].params.values()) == 1045


@pytest.mark.parametrize("seed", range(3))
def test_planted_mistakes_are_in_the_parameters_that_are_called_wrong(seed):
    for problem in network_problems(seed):
        right = problem.candidates[0].grad
        assert tuple(c.label for c in problem.candidates) == LABELS
        for candidate in problem.candidates:
            for name, value in candidate.grad.items():
                assert value.dtype == problem.params[name].dtype
                off = np.linalg.norm(value - right[name]) / np.linalg.norm(right[name])
                assert (off > 5e-3) == (name in candidate.wrong), (problem.group, candidate.label, name)
                assert name in candidate.wrong or off == 0


def test_units_sit_where_the_situation_says():
    for situation in SITUATIONS:
        problem = network_problem("ReLU", np.float32, situation, seed=0)
        X, params = problem.make_loss().__self__.X, problem.params
        before = X @ params["W0"] + params["b0"]
        if situation.above_kink is not None:
            assert (before[0, :3] == np.float32(situation.above_kink)).all()
        assert (before[:, :5] < -10).all() == situation.saturated


# -- counting -----------------------------------------------------------------------------------------------------


class Always:
    """A checker with one answer."""

    version = "1"
    rule = "none"

    def __init__(self, verdict, named=None):
        self.name, self._answer = f"always {verdict}", Answer(verdict, 3, named)

    def check(self, problem):
        return [self._answer for _ in problem.candidates]


def counted(*checkers) -> Tally:
    tally = Tally()
    examine(checkers, map(function_problem, range(len(CLASSES))), tally)
    return tally


def test_tally_of_one_who_accepts_everything():
    tally, name = counted(Always("match")), "always match"
    assert tally.count(name) == len(PLANTED) * len(CLASSES)
    assert tally.count(name, labels=["correct"], verdict="match") == len(CLASSES)
    assert tally.count(name, labels=tally.wrong, verdict="match") == (len(PLANTED) - 1) * len(CLASSES)
    assert tally.count(name, groups=["smooth"], labels=["sign"], verdict="match") == 1
    assert tally.count(name, verdict="mismatch") == 0
    assert len(tally.mistakes[name]) == (len(PLANTED) - 1) * len(CLASSES)
    assert "missed: smooth, seed 0, sign" in tally.mistakes[name]
    assert tally.evaluations(name, wrong=False) == tally.evaluations(name, wrong=True) == 3


def test_tally_of_one_who_rejects_everything():
    tally, name = counted(Always("mismatch", frozenset({"x"}))), "always mismatch"
    assert tally.count(name, labels=["correct"], verdict="mismatch") == len(CLASSES)
    assert tally.named(name) == (len(PLANTED) - 1) * len(CLASSES)
    assert set(tally.mistakes[name]) == {f"false alarm: {group}, seed {i}, correct" for i, group in enumerate(CLASSES)}


def test_who_decides_nothing_makes_no_mistake():
    tally = counted(Always("inconclusive"))
    assert tally.mistakes == {}
    assert tally.count("always inconclusive", verdict="inconclusive") == tally.count("always inconclusive")


def test_wrong_names_are_a_mistake():
    tally = counted(Always("mismatch", frozenset({"y"})))
    assert tally.named("always mismatch") == 0
    assert "named y instead of x: smooth, seed 0, sign" in tally.mistakes["always mismatch"]


def test_first_error_is_kept():
    tally, problem = Tally(), function_problem(0)
    for text in ("one\nmore", "two"):
        tally.add("peer", problem, problem.candidates[0], raised(ValueError(text), 5))
    assert tally.errors == {"peer": "ValueError: one"}
    assert tally.count("peer", verdict="error") == 2


def test_tables_hold_the_counts():
    tally = counted(Always("match"), Always("mismatch"), Always("inconclusive"))
    cells = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in by_error(tally).splitlines()}
    shares = {name: [cell.strip() for cell in row] for name, row in cells.items()}
    wrong = len(PLANTED) - 1
    assert shares["always match"] == ["0.0 %"] + wrong * ["100.0 %"] + ["0.0 %", "0.0 %", "3.0", "3.0"]
    assert shares["always mismatch"] == ["100.0 %"] + wrong * ["0.0 %"] + ["0.0 %", "0.0 %", "3.0", "3.0"]
    assert shares["always inconclusive"] == (wrong + 1) * ["0.0 %"] + ["100.0 %", "100.0 %", "3.0", "3.0"]
    smooth = [cell.strip() for cell in by_group(tally, "class").splitlines()[2].split("|")[1:-1]]
    assert smooth == ["smooth", "0.0 % / 100.0 %", "100.0 % / 0.0 %", "0.0 % / 0.0 %"]
    assert by_label(tally, "error").splitlines()[2].split("|")[1:3] == [" sign  ", f"{9:>13} "]
    assert [cell.strip() for cell in totals(tally).splitlines()[2].split("|")[2:6]] == ["9", "0", "0", "0"]


def test_markdown_lines_up():
    assert markdown(["a", "number"], [["long name", "1"]]) == (
        "| a         | number |\n|-----------|-------:|\n| long name |      1 |"
    )


# -- peers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grad", "value", "error", "verdict"),
    [
        (1.0, 1.000001, 0.0, "match"),
        (1.0, 1.001, 0.0, "mismatch"),
        (1.0, 1.001, 0.01, "match"),
        (0.0, 1.0, 0.5, "mismatch"),
        (1.0, np.nan, 0.0, "inconclusive"),
        (1.0, 2.0, np.inf, "inconclusive"),
    ],
)
def test_rule_for_peers_with_an_error_estimate(grad, value, error, verdict):
    numbers = (np.array([number]) for number in (grad, value, error))
    assert compared(*numbers, Tolerance(1e-5)) == verdict


def test_one_wrong_entry_beside_an_undecided_one_is_a_mismatch():
    assert compared(np.ones(2), np.array([np.nan, 2.0]), np.zeros(2), Tolerance(1e-5)) == "mismatch"


class Exact(EstimatePeer):
    """Knows the derivative of the sum of squares."""

    name, version, rule = "exact", "1", ""

    def estimate(self, loss, x):
        assert loss(x) == np.sum(x**2)
        return 2 * x, np.zeros_like(x)


def squares(grad: np.ndarray, dtype: type = np.float64) -> Problem:
    params = {"W": np.arange(6.0).reshape(2, 3), "b": np.array([7.0])}
    candidate = Candidate("g", unflattened(grad.astype(dtype), params), frozenset())
    return Problem("g", "", 0, params, lambda: lambda p: np.sum(p["W"] ** 2) + p["b"][0] ** 2, (candidate,))


def test_peer_with_an_error_estimate_sees_one_vector():
    right = 2 * np.array([0, 1, 2, 3, 4, 5, 7.0])
    assert Exact().check(squares(right)) == [Answer("match", 1)]
    assert Exact().check(squares(right + np.eye(7)[3])) == [Answer("mismatch", 1)]


def test_float32_gradient_of_a_peer_gets_the_tolerance_of_float32():
    nearly = 2.002 * np.array([0, 1, 2, 3, 4, 5, 7.0])
    assert [Exact().check(squares(nearly, dtype))[0].verdict for dtype in (np.float32, np.float64)] == [
        "match",
        "mismatch",
    ]


def test_peer_that_raises_has_answered():
    class Broken(Exact):
        def estimate(self, loss, x):
            loss(x)
            raise ValueError("no")

    assert Broken().check(squares(np.zeros(7))) == [Answer("error", 1, message="ValueError: no")]


def test_vector_and_back():
    problem = squares(np.zeros(7))
    assert flattened(problem.params).tolist() == [0, 1, 2, 3, 4, 5, 7]
    back = unflattened(flattened(problem.params), problem.params)
    assert all(np.array_equal(back[name], value) for name, value in problem.params.items())
    loss = CountedLoss(problem)
    assert [loss.at(np.ones(7)), loss.calls] == [7.0, 1]


def test_peer_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "jacobi", None)
    monkeypatch.delitem(sys.modules, "benchmarks.peers.with_jacobi", raising=False)
    assert load_peers(["jacobi"]) == ([], ["jacobi is left out: jacobi is not installed"])


# -- the command line ---------------------------------------------------------------------------------------------


def test_gradcheck_itself():
    problem = function_problem(0)
    answers = GradcheckChecker().check(problem)
    assert [answer.verdict for answer in answers] == ["match"] + 6 * ["mismatch"]
    assert [answer.named for answer in answers] == [candidate.wrong for candidate in problem.candidates]
    assert all(answer.evaluations >= 2 for answer in answers)


def test_small_run_prints_tables(monkeypatch):
    # what is printed depends on no size
    monkeypatch.setattr(networks, "SIZES", (6, 8, 7, 5))
    monkeypatch.setattr(networks, "SITUATIONS", (Situation("saturated units", saturated=True, activations=("ReLU",)),))
    run = CliRunner().invoke(
        main, ["verdicts", "--functions", "9", "--networks", "1", "--peers", "", "--first-seed", "9"]
    )
    assert run.exit_code == 0, run.output
    assert "9 random functions, seeds 9 to 17\n" in run.output
    assert run.output.count("\n| gradcheck ") == 2
    assert all(f"\n| {name} " in run.output for name in (*CLASSES, *LABELS[1:], "saturated units"))
    assert run.output.count("mistakes of gradcheck: ") == 2


def test_unknown_peer_is_refused():
    run = CliRunner().invoke(main, ["verdicts", "--peers", "scipy,nobody"])
    assert run.exit_code == 2
    assert "nobody: choose from torch, torch-fast, jax" in run.output


def test_one_entry_is_wrong_by_a_hundredth():
    _, grad, params = network((3, 4, 2))
    right = grad(params)
    wrong = one_entry_wrong(right)
    ratios = np.concatenate([np.ravel(wrong[name] / right[name]) for name in right])
    assert sorted(ratios)[-2:] == pytest.approx([1, 1.01])
    assert np.count_nonzero(ratios != 1) == 1


# -- training -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("widths", "output", "loss"),
    [((2, 4, 1), "sigmoid", "binary_cross_entropy"), ((3, 4, 5, 3), "softmax", "softmax_cross_entropy")],
    ids=["binary", "softmax"],
)
def test_loop_in_plain_python_trains_the_same_network(widths, output, loss):
    given = drawn_problem(widths, 1, "float64", 20)
    network = Network(widths, hidden="relu", output=output)
    layers = [(layer.W.T.tolist(), layer.b.tolist()) for layer in network.layers]
    for x, y in zip(given.X, given.Y, strict=True):
        _looped_step(layers, x.tolist(), y.tolist())
        network.backpropagate(x[np.newaxis], y[np.newaxis], loss_function(loss), Workspace(network, 1))
        SGD(RATE).update(network.vector, network.grad_vector)
    for (W, b), layer in zip(layers, network.layers, strict=True):
        np.testing.assert_allclose(np.transpose(W), layer.W, rtol=1e-12)
        np.testing.assert_allclose(b, layer.b, rtol=1e-12, atol=1e-18)


def test_times_of_a_training_have_a_row_for_each_case(monkeypatch):
    monkeypatch.setattr("benchmarks.training.SIZES", ((2, 3, 1), (4, 3, 3)))
    monkeypatch.setattr("benchmarks.training.BATCHES", (8,))
    assert len(reference_epochs(drawn_problem((2, 3, 1), 8, "float32", 20), 4)) == 4
    rows = [line.split() for line in rows_of_training(1, 1, LOOPED)]
    assert [row[:3] for row in rows[-4:]] == [
        [widths, dtype, "8"] for widths in ("2-3-1", "4-3-3") for dtype in ("float64", "float32")
    ]
