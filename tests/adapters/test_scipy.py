"""Gradients, Jacobian and Hessian matrices as they are handed to scipy.optimize."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from gradcheck.adapters.bounds import Bounds
from gradcheck.adapters.scipy import check, check_derivative, check_grad
from gradcheck.checker.result import Reason, Verdict
from gradcheck.errors import InputError

optimize = pytest.importorskip("scipy.optimize")
sparse = pytest.importorskip("scipy.sparse")
X = np.array([1.3, 0.7, 0.8, 1.9])
T = np.linspace(0, 1, 5)
MANY = np.linspace(0, 1, 200)


def residuals(x, t):
    return np.exp(-x[0] * t) * x[1] + x[2]


def jacobian(x, t, factor=1.0, row=3):
    matrix = np.stack([-t * np.exp(-x[0] * t) * x[1], np.exp(-x[0] * t), np.ones_like(t)], 1)
    matrix[row, 1] *= factor
    return matrix


def factors(*which):
    return np.where(np.isin(np.arange(4), which), 1.001, 1.0)


def verdicts(result):
    return {parameter.name: parameter.verdict.value for parameter in result.parameters}


# -- scalar functions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("both", [False, True], ids=["two functions", "jac=True"])
@pytest.mark.parametrize(("wrong", "expected"), [((), "match"), ((1,), "mismatch")])
def test_gradient(both, wrong, expected):
    def gradient(x):
        return optimize.rosen_der(x) * factors(*wrong)

    fun = (lambda x: (optimize.rosen(x), gradient(x))) if both else optimize.rosen
    result = check(fun, X, True if both else gradient)
    assert verdicts(result) == {"x": expected}
    (parameter,) = result.parameters
    assert [parameter.index(i) for i in range(4) if parameter.verdicts[i] is Verdict.MISMATCH] == [(i,) for i in wrong]


def test_further_arguments_are_passed_as_scipy_passes_them():
    assert check(lambda x, a, b: a * x @ x + b, [1, 2], lambda x, a, b: 2 * a * x, args=(3.0, 1.0)).passed
    assert check(lambda x, a: a * x @ x, [1.0, 2.0], lambda x, a: 2 * a * x, args=3.0).passed


def test_the_point_and_arguments_come_back_also_after_an_exception():
    x, t = X[:3].copy(), T.copy()

    def raises(x, t):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        check(lambda x, t: float(residuals(x, t).sum()), x, raises, args=(t,))
    assert (x == X[:3]).all()
    assert (t == T).all()


def test_a_gradient_that_is_a_difference_itself_is_told():
    result = check(optimize.rosen, X, lambda x: optimize.approx_fprime(x, optimize.rosen))
    assert any("finite difference itself" in note for note in result.notes)


def test_hessians():
    result = check(optimize.rosen, X, optimize.rosen_der, hess=optimize.rosen_hess, hessp=optimize.rosen_hess_prod)
    assert verdicts(result) == dict.fromkeys(["x", *(f"hess[{i}]" for i in range(4)), "hessp"], "match")

    def hess(x):
        wrong = optimize.rosen_hess(x)
        wrong[2, 1] *= 1.001
        return sparse.csr_array(wrong)

    result = check(
        optimize.rosen,
        X,
        optimize.rosen_der,
        hess=hess,
        hessp=lambda x, p: 1.001 * optimize.rosen_hess_prod(x, p),
    )
    assert [name for name, verdict in verdicts(result).items() if verdict == "mismatch"] == ["hess[2]", "hessp"]


def test_a_product_that_ignores_its_vector_is_found():
    result = check(lambda x: 0.5 * x @ x, X, lambda x: x.copy(), hessp=lambda x, p: np.ones(4))
    assert verdicts(result) == {"x": "match", "hessp": "mismatch"}


# -- residuals ------------------------------------------------------------------------------------------------------

FORMS = {
    "dense": lambda matrix: matrix,
    "sparse": lambda matrix: sparse.csr_array(matrix),
    "lists": lambda matrix: matrix.tolist(),
    "operator": lambda matrix: __import__("scipy.sparse.linalg").sparse.linalg.aslinearoperator(matrix),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_jacobian_row_by_row(form, factor):
    result = check(residuals, [1.0, 2.0, 3.0], lambda x, t: FORMS[form](jacobian(x, t, factor)), args=(T,))
    expected = {f"jac[{row}]": "match" for row in range(5)}
    assert verdicts(result) == expected | ({} if factor == 1 else {"jac[3]": "mismatch"})


@pytest.mark.parametrize("form", ["dense", "sparse", "operator"])
@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_jacobian_in_groups_of_rows(form, factor):
    """One entry in 600 that is wrong by 0.1 % shows, and its row is named."""
    count = 0

    def fun(x, t):
        nonlocal count
        count += 1
        return residuals(x, t)

    result = check(fun, [1.0, 2.0, 3.0], lambda x, t: FORMS[form](jacobian(x, t, factor, 31)), args=(MANY,))
    wrong = [name for name, verdict in verdicts(result).items() if verdict == "mismatch"]
    assert wrong == ([] if factor == 1 else ["jac[28:35]"])
    assert any("jac[31][1] is wrong most" in note for note in result.notes) is (factor != 1 and form != "operator")
    assert count < 60


def test_a_wrong_shape_is_named():
    with pytest.raises(InputError, match=r"`jac` must return a matrix of shape \(5, 3\), got \(3, 5\). It is transp"):
        check(residuals, [1.0, 2.0, 3.0], lambda x, t: jacobian(x, t).T, args=(T,))


def test_single_precision_is_judged_by_its_own_noise():
    def fun(x, t):
        return residuals(x.astype(np.float32), t.astype(np.float32)).astype(np.float32)

    assert fun(np.ones(3), T).dtype == np.float32
    assert check(fun, [1.0, 2.0, 3.0], jacobian, args=(T,)).verdict is not Verdict.MISMATCH
    assert check(fun, [1.0, 2.0, 3.0], lambda x, t: jacobian(x, t, 1.5), args=(T,)).verdict is Verdict.MISMATCH


# -- bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.0, 1.001])
@pytest.mark.parametrize("vector", [False, True])
def test_nothing_outside_of_the_bounds_is_evaluated(vector, factor):
    def fun(x):
        assert (x >= 0).all()
        assert (x <= 2).all()
        return np.stack([np.sum(x**1.5), x[0]]) if vector else np.sum(x**1.5)

    def jac(x):
        gradient = 1.5 * np.sqrt(x)
        gradient[1] *= factor
        return np.stack([gradient, [1, 0, 0]]) if vector else gradient

    result = check(fun, [0.0, 2.0, 1.0], jac, bounds=[(0, None), (0, 2), (None, None)])
    assert result.passed is (factor == 1)
    assert "entries 0, 1 lie at a bound; they were moved inside by up to 0.1, as" in result.notes[0]


def test_where_the_bounds_leave_no_room_nothing_is_claimed():
    result = check(lambda x: x @ x, [1.0, 2.0], lambda x: 2 * x, bounds=[(1, 1), (0, 9)])
    (parameter,) = result.parameters
    assert parameter.verdicts == (Verdict.INCONCLUSIVE, Verdict.MATCH)
    assert parameter.reasons[0] is Reason.NON_FINITE_LOSS
    assert "entries whose bounds leave no room cannot be checked" in result.notes


@pytest.mark.parametrize(
    "given",
    [
        [(0, 4), (None, 5), (2, None)],
        ([0, -np.inf, 2], [4, 5, np.inf]),
        optimize.Bounds([0, -np.inf, 2], [4, 5, np.inf]),
    ],
    ids=["pairs", "two arrays", "Bounds"],
)
def test_forms_of_bounds(given):
    bounds = Bounds(given, 3)
    assert bounds.lower.tolist() == [0, -np.inf, 2]
    assert bounds.upper.tolist() == [4, 5, np.inf]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (((0, 1), (2, 3)), "two pairs or as lower and upper bounds"),
        ([(0, 1)], "for each of the 2 entries"),
        (3.0, "for each of the 2 entries"),
        ([(1, 0), (0, 1)], "lower bound must be at most"),
        ([(0, 1), (5, 6)], "`x0` lies outside"),
    ],
)
def test_bounds_that_do_not_fit(given, message):
    with pytest.raises(InputError, match=message):
        check(lambda x: x @ x, [0.5, 0.5], lambda x: 2 * x, bounds=given)


# -- mistakes of the caller -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jac": "2-point"}, "`jac` must be callable or True .*nothing to check if SciPy takes differences"),
        ({"jac": None}, "`jac` must be callable or True"),
        ({"jac": lambda x: 2 * x, "hess": "cs"}, "`hess` must be callable, got 'cs'"),
        ({"jac": lambda x: 2 * x, "hess": lambda x: np.eye(3)}, r"`hess` must return a matrix of shape \(2, 2\)"),
        ({"jac": lambda x: 2 * x, "hessp": lambda x, p: np.eye(2)}, r"`hessp` must return an array of shape \(2,\)"),
        ({"jac": True}, r"must return \(value, gradient\)"),
    ],
)
def test_what_cannot_be_checked_is_said(arguments, message):
    with pytest.raises(InputError, match=message):
        check(lambda x: x @ x, [0.5, 0.5], **arguments)


def test_hessians_need_a_scalar_function():
    with pytest.raises(InputError, match="need a `fun` that returns a number"):
        check(residuals, [1.0, 2.0, 3.0], jacobian, args=(T,), hess=lambda x, t: np.eye(3))


@pytest.mark.parametrize("x0", [[], "x", np.array([1j])])
def test_points_that_are_none(x0):
    with pytest.raises(InputError, match="`x0`"):
        check(lambda x: 0.0, x0, lambda x: x)


# -- beside SciPy's own ---------------------------------------------------------------------------------------------


def test_drop_ins_return_what_scipy_says_more_accurately():
    theirs, ours = (f(optimize.rosen, optimize.rosen_der, X) for f in (optimize.check_grad, check_grad))
    assert theirs > 1e-6
    assert ours < 1e-7
    planted = lambda x: optimize.rosen_der(x) * factors(0)  # noqa: E731
    expected = abs(0.001 * optimize.rosen_der(X)[0])
    assert check_grad(optimize.rosen, planted, X) == pytest.approx(expected, rel=1e-6)
    along = check_grad(optimize.rosen, planted, X, direction="random", rng=1)
    assert along == pytest.approx(expected * abs(np.random.default_rng(1).standard_normal(4)[0]), rel=1e-5)
    with pytest.raises(InputError, match="`direction`"):
        check_grad(optimize.rosen, planted, X, direction="some")


def test_drop_ins_take_jacobian_matrices():
    assert check_grad(residuals, jacobian, [1.0, 2.0, 3.0], T) < 1e-8
    assert check_derivative(residuals, jacobian, [1.0, 2.0, 3.0], args=(T,)) < 1e-7
    error = check_derivative(residuals, lambda x, t: jacobian(x, t, 1.001), [1.0, 2.0, 3.0], args=(T,))
    assert error == pytest.approx(0.001 * np.exp(-T[3]), rel=1e-4)


SIDE_BY_SIDE = [
    ("large loss", lambda x: 1e6 * np.sum(np.cosh(x)), lambda x: 1e6 * np.sinh(x), [1.0, 3.0], True),
    ("steep", lambda x: np.sum(np.exp(30 * x)), lambda x: 30 * np.exp(30 * x), [0.5, 0.6], True),
    ("tiny loss", lambda x: 1e-9 * np.sum(x**2), lambda x: 1e-9 * x, [1.0, 3.0], False),
]


@pytest.mark.parametrize(("name", "fun", "jac", "x", "is_right"), SIDE_BY_SIDE)
def test_a_number_is_no_verdict(name, fun, jac, x, is_right):
    """SciPy's number is larger for the correct gradients than for the wrong one; the verdicts are right."""
    number = optimize.check_grad(fun, jac, np.array(x))
    assert bool(number > 1e-3) is is_right
    assert check(fun, x, jac).passed is is_right
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "check-other-frameworks.md").read_text(encoding="utf-8")
    truth, verdict = ("right", "match") if is_right else ("wrong", "mismatch")
    (shown,) = re.findall(rf"^\| {name} \| {truth} \| (\S+) \| {verdict} \|$", text, flags=re.M)
    assert 0.3 < number / float(shown) < 3
