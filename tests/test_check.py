"""The public functions: calls, options, safety of the caller's data, verdicts at the edges."""

import functools
import math
import random
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck import GradientMismatch, InputError, Verdict, assert_grad, check_grad, numerical_grad
from gradcheck.check import ENTRY_BUDGET
from gradcheck.result import Reason

X = np.random.default_rng(0).normal(size=(7, 3))
y = np.random.default_rng(1).normal(size=7)


def loss(W: Any, b: Any) -> Any:
    return np.sum((X @ W + b - y) ** 2)


def grad(W: Any, b: Any) -> Any:
    r = 2 * (X @ W + b - y)
    return X.T @ r, np.sum(r)


def cubic(x: Any) -> Any:
    return np.sum(np.asarray(x) ** 3)


def cubic_grad(x: Any) -> Any:
    return 3 * np.asarray(x) ** 2


def weights() -> np.ndarray:
    return np.array([0.3, -0.7, 1.1])


# -- ways to call -------------------------------------------------------------------------------------------------


@dataclass
class Model:
    W: Any
    b: Any


Pair = namedtuple("Pair", "W b")

CALLS: dict[str, tuple[Callable[..., Any], Any, Any, tuple[Any, ...], list[str]]] = {
    "array": (cubic, cubic_grad, weights(), (), ["x"]),
    "0-d array": (cubic, cubic_grad, np.array(1.5), (), ["x"]),
    "float": (lambda x: x**3, lambda x: 3 * x**2, 1.5, (), ["x"]),
    "tuple": (loss, grad, (weights(), 0.5), (), ["W", "b"]),
    "list": (loss, grad, [weights(), 0.5], (), ["W", "b"]),
    "tuple for *args": (lambda *p: loss(*p), lambda *p: grad(*p), (weights(), 0.5), (), ["params[0]", "params[1]"]),
    "namedtuple": (loss, grad, Pair(weights(), 0.5), (), ["W", "b"]),
    "namedtuple as one": (
        lambda p: loss(p.W, p.b),
        lambda p: Pair(*grad(*p)),
        Pair(weights(), 0.5),
        (),
        ["p.W", "p.b"],
    ),
    "list as one": (
        lambda layers: loss(*layers),
        lambda w: list(grad(*w)),
        [weights(), 0.5],
        (),
        ["layers[0]", "layers[1]"],
    ),
    "mapping by keyword": (
        loss,
        lambda W, b: dict(zip("Wb", grad(W, b), strict=True)),
        {"W": weights(), "b": 0.5},
        (),
        ["W", "b"],
    ),
    "mapping by **keyword": (
        lambda **p: loss(**p),
        lambda **p: Pair(*grad(**p)),
        {"W": weights(), "b": 0.5},
        (),
        ["W", "b"],
    ),
    "mapping as one": (
        lambda p: loss(p["W"], p["b"]),
        lambda p: dict(zip(["dW", "db"], grad(p["W"], p["b"]), strict=True)),
        {"W": weights(), "b": 0.5},
        (),
        ["W", "b"],
    ),
    "mapping with arguments": (
        lambda W, data, b, target: np.sum((data @ W + b - target) ** 2),
        lambda W, data, b, target: Pair(*grad(W, b)),  # noqa: ARG005
        {"W": weights(), "b": 0.5},
        (X, y),
        ["W", "b"],
    ),
    "array with arguments": (
        lambda w, data: np.sum((data @ w) ** 2),
        lambda w, data: 2 * data.T @ (data @ w),
        weights(),
        (X,),
        ["w"],
    ),
    "dataclass": (
        lambda m: loss(m.W, m.b),
        lambda m: Model(*grad(m.W, m.b)),
        Model(weights(), 0.5),
        (),
        ["m.W", "m.b"],
    ),
    "(value, gradient)": (lambda W, b: (loss(W, b), grad(W, b)), True, (weights(), 0.5), (), ["W", "b"]),
    "computed gradient": (loss, grad(weights(), 0.5), (weights(), 0.5), (), ["W", "b"]),
    "display names": (
        lambda leaves, /: loss(leaves["params['W']"], leaves["self.b"]) + sum(map(sum, leaves["U"])) ** 2,
        lambda leaves, /: {
            **dict(zip(leaves, grad(leaves["params['W']"], leaves["self.b"]), strict=False)),
            "U": np.full((2, 2), 2 * sum(map(sum, leaves["U"]))),
        },
        {"params['W']": weights(), "self.b": 0.5, "U": [[0.5, 0.25], [1.0, 2.0]]},
        (),
        ["params['W']", "self.b", "U"],
    ),
    "ufunc": (np.square, lambda x: 2 * x, 1.5, (), ["x"]),
    "partial": (functools.partial(lambda k, w: k * np.sum(w**2), 3.0), lambda w: 6 * w, weights(), (), ["w"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str) -> None:
    f, g, params, args, names = CALLS[name]
    result = check_grad(f, g, params, args=args, points=1 if name == "computed gradient" else 3)
    assert result.verdict is Verdict.MATCH, str(result)
    assert [p.name for p in result.parameters] == names


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"computed gradient", "ufunc"}))
def test_calls_with_a_wrong_gradient(name: str) -> None:
    f, g, params, args, _ = CALLS[name]
    if g is True:
        f = functools.partial(lambda inner, *a: (2 * inner(*a)[0], inner(*a)[1]), f)
    else:
        f = functools.wraps(f)(functools.partial(lambda inner, *a, **k: 2 * inner(*a, **k), f))
    result = check_grad(f, g, params, args=args)
    assert {p.verdict for p in result.parameters} == {Verdict.MISMATCH}


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.longdouble, ">f8"], ids=str)
@pytest.mark.parametrize("layout", [lambda a: a, lambda a: np.stack([a, a], axis=1)[:, 0], lambda a: a[::-1]])
def test_array_types_and_layouts(kind: Any, layout: Callable[[np.ndarray], np.ndarray]) -> None:
    x: Any = layout(weights().astype(kind))
    before = x.tobytes()
    assert check_grad(cubic, cubic_grad, x).passed
    assert not check_grad(cubic, lambda x: 1.2 * cubic_grad(x), x).passed
    assert x.tobytes() == before


# -- the caller's data --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 6, 9])
def test_an_exception_comes_through_and_leaves_everything_as_it_was(problem: BaseException, call: int) -> None:
    W, numbers = weights(), {"b": 0.1, "U": [[0.1, 0.2]]}
    tree = {"W": W, "inner": numbers}
    before = W.tobytes()
    count = 0

    def failing(p: Any) -> Any:
        nonlocal count
        count += 1
        if count == call:
            raise problem
        return np.sum(p["W"] ** 2) + p["inner"]["b"] ** 2 + sum(p["inner"]["U"][0]) ** 2

    def gradient(p: Any) -> Any:
        return {"W": 2 * p["W"], "inner": {"b": 0.2, "U": [[0.6, 0.6]]}}

    with pytest.raises(type(problem)) as caught:
        check_grad(failing, gradient, tree, points=2)
    assert caught.value is problem
    assert W.tobytes() == before
    assert tree["W"] is W
    assert numbers == {"b": 0.1, "U": [[0.1, 0.2]]}


def test_a_type_error_inside_the_loss_is_the_users_own() -> None:
    def broken(x: Any) -> Any:
        return len(x) + None  # type: ignore[operator]

    with pytest.raises(TypeError, match="unsupported operand"):
        check_grad(broken, cubic_grad, weights())


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=5), st.sampled_from([np.float64, np.float32]))
def test_arrays_come_back_bit_for_bit(values: list[float], dtype: type) -> None:
    x: Any = np.array(values, dtype=dtype)
    before = x.tobytes()
    check_grad(lambda x: np.sum(np.sin(x)), np.cos, x, points=2)
    assert x.tobytes() == before


def test_a_loss_that_closes_over_the_same_array_sees_the_change() -> None:
    W = weights()
    assert check_grad(lambda _: np.sum(W**2), lambda _: 2 * W, W).passed
    W32 = weights().astype(np.float32)
    assert check_grad(lambda _: np.sum(W32**2), lambda _: 2 * W32, W32).passed


def test_read_only_arrays() -> None:
    W = weights()
    W.flags.writeable = False
    assert check_grad(cubic, cubic_grad, W).passed
    assert not W.flags.writeable


@pytest.mark.parametrize("guilty", ["loss", "grad"])
def test_functions_that_change_parameters_are_named(guilty: str) -> None:
    W = weights()

    def f(p: Any) -> Any:
        if guilty == "loss":
            p["W"] += 1
        return np.sum(p["W"] ** 2)

    def g(p: Any) -> Any:
        if guilty == "grad":
            p["W"] -= 0.1 * p["W"]
        return {"W": 2 * p["W"]}

    with pytest.raises(InputError, match=rf"`{guilty}` changes the parameters it is given \(W\)"):
        check_grad(f, g, {"W": W})
    np.testing.assert_array_equal(W, weights())


def test_a_gradient_in_a_reused_buffer_is_copied() -> None:
    buffer = np.empty(3)

    def f(x: Any) -> Any:
        buffer[:] = 0
        return np.sum(x**2)

    def g(x: Any) -> Any:
        buffer[:] = 2 * x
        return buffer

    assert check_grad(f, g, weights()).passed


def test_a_gradient_that_is_the_parameter_itself() -> None:
    assert check_grad(lambda x: 0.5 * np.sum(x**2), lambda x: x, weights()).passed


def test_a_backward_pass_reads_what_the_forward_pass_left() -> None:
    cache = {}

    def forward(x: Any) -> Any:
        cache["x"] = np.array(x)
        return np.sum(x**3)

    def backward(_: Any) -> Any:
        return 3 * cache["x"] ** 2

    assert check_grad(forward, backward, weights(), points=3).passed
    assert check_grad(forward, backward, weights().astype(np.float32), points=3).passed


# -- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "g", "params", "message"),
    [
        (cubic, lambda _: np.ones((1, 3)), weights(), r"`x` must have the parameter's shape \(3,\), got \(1, 3\)"),
        (cubic, np.ones(4), weights(), r"`x` must have the parameter's shape \(3,\), got \(4,\)"),
        (cubic, None, weights(), "`grad` must be a callable.*got None"),
        (cubic, False, weights(), "gradient of `x` must be real numbers"),
        (loss, lambda W, b: {"W": W}, {"W": weights(), "b": 0.5}, r"missing \['b'\]"),  # noqa: ARG005
        (lambda x: x**2, cubic_grad, weights(), r"scalar, got an array of shape \(3,\)"),
        (lambda x: (cubic(x), x), cubic_grad, weights(), "tuple of length 2. Pass grad=True"),
        (cubic, True, weights(), r"must return \(value, gradient\), got float64"),
        (lambda x: None, cubic_grad, weights(), "got NoneType"),  # noqa: ARG005
        (lambda x: 1j * cubic(x), cubic_grad, weights(), "complex128"),
        (lambda x: cubic(x) * math.inf, cubic_grad, weights(), "must be finite at the point.*got inf"),
        (lambda x: cubic(x) * math.nan, cubic_grad, weights(), "must be finite at the point.*got nan"),
        (cubic, cubic_grad, np.arange(3), "`x` must be of a floating-point type, got int64"),
        (cubic, cubic_grad, 3, "`x` must be of a floating-point type"),
        (cubic, cubic_grad, np.zeros(0), "`x` is empty"),
        (cubic, cubic_grad, {}, "no parameters"),
        (cubic, lambda x, z: x, weights(), r"`grad` cannot be called.*missing a required argument: 'z'"),  # noqa: ARG005
        (lambda: 1.0, cubic_grad, weights(), "`loss` cannot be called.*too many positional arguments"),
        (3.0, cubic_grad, weights(), "`loss` must be callable, got float"),
        (lambda x: str(x), cubic_grad, weights(), "one real number, got str"),
    ],
)
def test_bad_input(f: Any, g: Any, params: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_grad(f, g, params)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "complex"}, r"`method` must be one of \['auto', 'central'\], got 'complex'"),
        ({"workers": 2}, "`workers` must be None.*got 2"),
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


# -- verdicts at the edges ----------------------------------------------------------------------------------------


def only_entry(result: Any) -> tuple[Verdict, Reason | None]:
    (parameter,) = result.parameters
    return parameter.verdicts[0], parameter.reasons[0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_analytic_gradient_that_is_not_finite(bad: float) -> None:
    result = check_grad(cubic, lambda _: np.array([bad, 3 * 0.49, 3 * 1.21]), weights())
    assert only_entry(result) == (Verdict.MISMATCH, Reason.NON_FINITE_GRADIENT)
    assert result.parameters[0].mismatched == 1


@pytest.mark.parametrize("analytic", [1.0, math.nan])
def test_a_loss_that_is_not_finite_nearby(analytic: float) -> None:
    result = check_grad(lambda x: x if x <= 1 else math.nan, lambda _: analytic, 1.0)
    verdict, reason = only_entry(result)
    if math.isnan(analytic):
        assert (verdict, reason) == (Verdict.MISMATCH, Reason.NON_FINITE_GRADIENT)
    else:
        assert (verdict, reason) == (Verdict.INCONCLUSIVE, Reason.NON_FINITE_LOSS)
        assert math.isnan(result.parameters[0].numerical[0])


@pytest.mark.parametrize("slope", [-1.0, -0.3, 0.0, 1.0])
def test_any_subgradient_is_accepted_at_a_kink(slope: float) -> None:
    assert only_entry(check_grad(abs, lambda _: slope, 0.0)) == (Verdict.MATCH, Reason.KINK)


@pytest.mark.parametrize("slope", [-1.01, 1.001, 3.0])
def test_what_is_no_subgradient_is_not(slope: float) -> None:
    assert only_entry(check_grad(abs, lambda _: slope, 0.0)) == (Verdict.MISMATCH, None)


def test_a_gradient_of_zero_that_nothing_is_known_of() -> None:
    # a loss of 3 could hide any derivative below its round-off, and there is no other entry to compare with
    result = check_grad(lambda x: 3.0 + 0 * x, lambda _: 0.0, 1.0)
    assert result.verdict is Verdict.INCONCLUSIVE
    with pytest.raises(GradientMismatch, match="could not be decided"):
        assert_grad(lambda x: 3.0 + 0 * x, lambda _: 0.0, 1.0)


def test_a_gradient_of_zero_beside_others() -> None:
    result = check_grad(lambda x: 3.0 + x[0] ** 2, lambda x: np.array([2 * x[0], 1e-17]), np.array([1.0, 1.0]))
    assert result.verdict is Verdict.MATCH


def test_a_missing_gradient_beside_others() -> None:
    result = check_grad(
        lambda x: 3.0 + x[0] ** 2 + 1e-6 * x[1], lambda x: np.array([2 * x[0], 0.0]), np.array([1.0, 1.0])
    )
    assert result.parameters[0].verdicts == (Verdict.MATCH, Verdict.MISMATCH)


def test_a_random_loss_is_not_accused() -> None:
    rng = np.random.default_rng(0)
    result = check_grad(lambda x: np.sum(x**2) * (1 + 1e-3 * rng.normal()), lambda x: 2 * x, weights())
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.parameters[0].reason is Reason.RANDOM


@pytest.mark.parametrize("draw", [lambda: np.random.rand(3), lambda: [random.random() for _ in range(3)]])  # noqa: NPY002
def test_global_randomness_is_frozen_and_given_back(draw: Callable[[], Any]) -> None:
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    expected = draw()
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)

    def dropout(x: Any) -> Any:
        mask = np.asarray(draw()) < 0.7
        return np.sum((x * mask) ** 2) + np.sum(x)

    def backward(x: Any) -> Any:
        return 2 * x * (np.asarray(draw()) < 0.7) + 1

    assert check_grad(dropout, backward, weights()).passed
    np.testing.assert_array_equal(draw(), expected)


def test_an_entry_that_is_large_does_not_hide_a_small_one() -> None:
    result = check_grad(
        lambda x: 1e3 * np.sin(x[0]) + 1e-4 * np.sin(x[1]),
        lambda x: np.array([1e3 * np.cos(x[0]), -1e-4 * np.cos(x[1])]),
        np.array([0.5, 0.5]),
    )
    assert result.parameters[0].verdicts == (Verdict.MATCH, Verdict.MISMATCH)


def test_tolerances_are_used() -> None:
    def wrong(x: Any) -> Any:
        return 1.01 * cubic_grad(x)

    assert check_grad(cubic, wrong, weights(), rtol=0.02).passed
    assert not check_grad(cubic, wrong, weights(), rtol=0.005).passed
    assert check_grad(cubic, wrong, weights(), atol=0.1).passed
    assert not check_grad(cubic, lambda x: cubic_grad(x) * (1 + 1e-7), weights(), rtol=1e-9).passed


# -- points and entries -------------------------------------------------------------------------------------------


def test_further_points_find_what_a_zero_bias_hides() -> None:
    def f(b: Any) -> Any:
        return np.sum(b**2 + b)

    def g(b: Any) -> Any:
        return 3 * b + 1

    assert check_grad(f, g, np.zeros(2)).passed
    result = check_grad(f, g, np.zeros(2), points=3)
    assert result.verdict is Verdict.MISMATCH
    assert result.points == 3


def test_the_first_point_is_where_the_user_stands() -> None:
    seen = []

    def g(x: Any) -> Any:
        seen.append(x.copy())
        return cubic_grad(x)

    check_grad(cubic, g, weights(), points=3)
    np.testing.assert_array_equal(seen[0], weights())
    assert len(seen) == 3
    assert not np.array_equal(seen[1], seen[2])


def test_points_outside_the_domain_are_drawn_closer_or_left_out() -> None:
    x = np.full(3, 1e-3)
    result = check_grad(
        lambda x: np.sum(np.sqrt(np.where(np.abs(x - 1e-3) < 2e-4, x, np.nan))), lambda x: 0.5 / np.sqrt(x), x, points=4
    )
    assert result.passed
    assert 1 <= result.points <= 4
    never = check_grad(lambda x: x if abs(x - 1) < 1e-3 else math.nan, lambda _: 1.0, 1.0, points=3)
    assert (never.points, never.verdict) == (1, Verdict.MATCH)


def test_entries_are_sampled_beyond_the_budget() -> None:
    x = np.linspace(1, 2, 100)
    result = check_grad(cubic, cubic_grad, x, entries=10, seed=1)
    (parameter,) = result.parameters
    assert (parameter.checked, parameter.size) == (10, 100)
    assert "10 of 100" in str(result)
    again, other = (check_grad(cubic, cubic_grad, x, entries=10, seed=seed).parameters[0] for seed in (1, 2))
    np.testing.assert_array_equal(parameter.indices, again.indices)
    assert not np.array_equal(parameter.indices, other.indices)


@pytest.mark.parametrize(("entries", "expected"), [("auto", ENTRY_BUDGET), ("all", ENTRY_BUDGET + 5)])
def test_auto_and_all_entries(entries: Any, expected: int) -> None:
    x = np.ones(ENTRY_BUDGET + 5)
    assert check_grad(cubic, cubic_grad, x, entries=entries).parameters[0].checked == expected


def test_every_evaluation_is_counted() -> None:
    calls = 0

    def counted(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return cubic(x)

    assert check_grad(counted, cubic_grad, weights(), points=2).evaluations == calls


# -- raising ------------------------------------------------------------------------------------------------------


def test_assert_grad_returns_what_passed() -> None:
    assert assert_grad(loss, grad, (weights(), 0.5), points=2).passed


def test_the_message_of_a_mismatch() -> None:
    with pytest.raises(GradientMismatch) as caught:
        assert_grad(loss, lambda W, b: (grad(W, b)[0] * [1, 1, 2], grad(W, b)[1]), (weights(), 0.5), seed=7)
    message = str(caught.value)
    assert "does not match in 1 of 2 parameters" in message
    assert "W[2]: analytic" in message
    assert "rel error 0.5" in message
    assert "W[0]" not in message
    assert "\nb " not in message
    assert "rtol=1e-05, atol=0" in message
    assert "seed=7" in message


def test_the_traceback_starts_in_the_users_test() -> None:
    with pytest.raises(GradientMismatch, match="does not match") as caught:
        assert_grad(cubic, lambda x: x, 3.0)
    assert caught.traceback[-1].frame.code.name == "assert_grad"
    assert caught.traceback.filter(caught)[-1].frame.code.name == "test_the_traceback_starts_in_the_users_test"


# -- numerical gradients ------------------------------------------------------------------------------------------


def test_numerical_grad_has_the_structure_of_the_parameters() -> None:
    tree = {"W": weights(), "layers": [Model([0.5, 1.0], 2.0)], "c": Pair(1.0, np.array(2.0))}

    def f(p: Any) -> Any:
        m = p["layers"][0]
        return np.sum(p["W"] ** 2) + m.W[0] * m.W[1] * m.b + p["c"].W * p["c"].b

    found = numerical_grad(f, tree)
    np.testing.assert_allclose(found["W"], 2 * weights(), rtol=1e-8)
    np.testing.assert_allclose(found["layers"][0].W, [2.0, 1.0])
    assert type(found["layers"][0].W) is list
    assert found["layers"][0].b == pytest.approx(0.5)
    assert type(found["layers"][0]) is Model
    assert tuple(map(float, found["c"])) == pytest.approx((2.0, 1.0))
    assert type(found["c"]) is Pair


@pytest.mark.parametrize("x", [1e-8, 0.3, 40.0])
def test_numerical_grad_is_accurate(x: float) -> None:
    assert numerical_grad(np.exp, x) == pytest.approx(np.exp(x), rel=1e-7)


def test_numerical_grad_validates() -> None:
    with pytest.raises(InputError, match="`method` must be one of"):
        numerical_grad(cubic, weights(), method="forward")


# -- import -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import gradcheck", set()),
        ("import gradcheck; gradcheck.InputError", set()),
        ("import gradcheck; print(gradcheck.check_grad(abs, lambda x: 1.0, 2.0))", {"numpy"}),
        ("import gradcheck; gradcheck.check_grad(abs, lambda x: 1.0, 2.0).table()", {"numpy", "pandas"}),
    ],
)
def test_heavy_libraries_are_loaded_when_needed(code: str, loaded: set[str]) -> None:
    probe = f"{code}\nimport sys; print(sorted({{'numpy', 'pandas'}} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == str(sorted(loaded))


def test_unknown_names_are_attribute_errors() -> None:
    import gradcheck

    with pytest.raises(AttributeError, match="no attribute 'chekc_grad'"):
        _ = gradcheck.chekc_grad
    assert set(gradcheck.__all__) <= set(dir(gradcheck))
