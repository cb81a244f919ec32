"""What a script hands to SciPy's optimizers is taken at its word: no name, no text decides what is a derivative."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

from gradcheck.script.record.exchange import listening
from gradcheck.script.record.handed import Target
from gradcheck.script.record.projected import Projection, along
from script_runs import check, check_only, snippet, verdicts

pytestmark = pytest.mark.usefixtures("forked_with_scipy")

DATA = """
import numpy as np
from functools import partial
from scipy import optimize
from scipy.optimize import (Bounds, NonlinearConstraint, check_grad, curve_fit, fmin_bfgs, fmin_cg, fmin_l_bfgs_b,
                            fmin_ncg, fmin_slsqp, fmin_tnc, fsolve, least_squares, leastsq, minimize, root, root_scalar)
rng = np.random.default_rng(0)
A = rng.normal(size=(20, 3))
b = rng.normal(size=20)
start = np.array([0.5, -0.3, 0.2])
# names that tell nothing, and sums that look like steps
def aa(v, M, t):
    r = M @ v - t
    out = 0.0
    out = out + r @ r
    return out / 2
def bb(v, M, t):
    acc = np.zeros(3)
    for i in range(len(t)):
        acc += FACTOR * (M[i] @ v - t[i]) * M[i]
    return acc
def cc(v, M, t):
    return aa(v, M, t), bb(v, M, t)
"""
SCALAR = {
    "minimize": "minimize(aa, start, args=(A, b), jac=bb)",
    "minimize-of-the-module": "optimize.minimize(aa, start, (A, b), 'BFGS', bb)",
    "minimize-with-both": "minimize(cc, start, args=(A, b), jac=True)",
    "fmin_bfgs": "fmin_bfgs(aa, start, fprime=bb, args=(A, b), disp=0)",
    "fmin_cg": "fmin_cg(aa, start, bb, (A, b), disp=0)",
    "fmin_ncg": "fmin_ncg(aa, start, bb, args=(A, b), disp=0, maxiter=3)",
    "fmin_l_bfgs_b": "fmin_l_bfgs_b(aa, start, fprime=bb, args=(A, b))",
    "fmin_l_bfgs_b-with-both": "fmin_l_bfgs_b(cc, start, args=(A, b))",
    "fmin_tnc": "fmin_tnc(aa, start, fprime=bb, args=(A, b), disp=0)",
    "fmin_tnc-with-both": "fmin_tnc(func=cc, x0=start, args=(A, b), disp=0)",
    "fmin_slsqp": "fmin_slsqp(aa, start, fprime=bb, args=(A, b), iprint=0)",
    "check_grad": "print(check_grad(aa, bb, start, A, b))",
    "partial": "minimize(partial(aa, M=A, t=b), start, jac=partial(bb, M=A, t=b))",
    "basinhopping": "optimize.basinhopping(aa, start, niter=1, minimizer_kwargs=dict(args=(A, b), jac=bb))",
}


@pytest.mark.parametrize("call", SCALAR.values(), ids=SCALAR)
def test_a_derivative_with_a_name_that_tells_nothing_is_judged_by_the_objective(tmp_path, call):
    assert verdicts(check_only(tmp_path, DATA.replace("FACTOR", "1") + call)) == {"v": "match"}


@pytest.mark.parametrize("call", SCALAR.values(), ids=SCALAR)
def test_a_factor_is_no_convention_where_an_optimizer_sees_the_objective(tmp_path, call):
    result = check(tmp_path, DATA.replace("FACTOR", "2") + call, fix=False)
    assert verdicts(result) == {"v": "mismatch"}
    parameter = result.parameters[0]
    np.testing.assert_allclose(parameter.analytic, 2 * parameter.numerical, rtol=1e-6)


PLACES = {
    "methods": """
class Model:
    def __init__(self, M, t):
        self.M, self.t = M, t
    def q(self, v):
        r = self.M @ v - self.t
        return r @ r
    def p(self, v):
        return self.M.T @ (self.M @ v - self.t) * FACTOR
    def go(self):
        self.x = minimize(self.q, start, jac=self.p).x
Model(A, b).go()
""",
    "a method and a function": """
class Model:
    def __init__(self, M, t):
        self.M, self.t = M, t
    def q(self, v):
        r = self.M @ v - self.t
        return r @ r
model = Model(A, b)
def p(v):
    return A.T @ (A @ v - b) * FACTOR
minimize(model.q, start, jac=p)
""",
    "methods of two objects": """
class Value:
    def __init__(self, t):
        self.t = t
    def q(self, v):
        r = A @ v - self.t
        return r @ r
class Slope:
    def __init__(self, t):
        self.t = t
    def p(self, v):
        return A.T @ (A @ v - self.t) * FACTOR
def go():
    minimize(Value(b).q, start, jac=Slope(b).p)
go()
""",
    "closures": """
def go(M, t):
    def q(v):
        r = M @ v - t
        return r @ r
    def p(v):
        return M.T @ (M @ v - t) * FACTOR
    return minimize(q, start, jac=p)
go(A, b)
""",
    "closures over different things": """
def go(M, t):
    half = 1.0
    gram, side = M.T @ M, M.T @ t
    def q(v):
        r = M @ v - t
        return half * r @ r
    def p(v):
        return FACTOR * (gram @ v - side)
    return minimize(q, start, jac=p)
go(A, b)
""",
    "lambdas with names": """
q = lambda v: (A @ v - b) @ (A @ v - b)
p = lambda v: FACTOR * A.T @ (A @ v - b)
minimize(q, start, jac=p)
""",
    "lambdas in the call": """
minimize(lambda v: (A @ v - b) @ (A @ v - b), start, jac=lambda v: FACTOR * A.T @ (A @ v - b))
""",
    "lambdas around functions": """
def log_likelihood(v, M, t):
    return -np.sum((M @ v - t) ** 2)
def score(v, M, t):
    return -FACTOR * M.T @ (M @ v - t)
def go():
    return minimize(lambda v: -log_likelihood(v, A, b), start, jac=lambda v: -score(v, A, b))
go()
""",
    "callable objects": """
class Q:
    def __call__(self, v):
        return np.sum((A @ v - b) ** 2)
class P:
    def __call__(self, v):
        return FACTOR * A.T @ (A @ v - b)
minimize(Q(), start, jac=P())
""",
    "names rebound inside": """
def q(theta, M, t, lam):
    return np.sum((M @ theta - t) ** 2) + lam * np.sum(theta[1:] ** 2)
def p(v, M, t, lam):
    grad = FACTOR * M.T @ (M @ v - t)
    v = v.copy()
    v[0] = 0
    lam = 2 * lam
    return grad + lam * v
minimize(q, start, args=(A, b, 0.7), jac=p)
""",
    "an objective of the library": """
def p(v):
    v = np.asarray(v)
    g = np.zeros_like(v)
    g[1:-1] = 200 * (v[1:-1] - v[:-2] ** 2) - 400 * (v[2:] - v[1:-1] ** 2) * v[1:-1] - FACTOR * (1 - v[1:-1])
    g[0] = -400 * v[0] * (v[1] - v[0] ** 2) - 2 * (1 - v[0])
    g[-1] = 200 * (v[-1] - v[-2] ** 2)
    return g
minimize(optimize.rosen, start, jac=p)
""",
    "numbers in a list": """
def q(v):
    return (v[0] - 1) ** 2 + 3 * (v[1] - v[0]) ** 2
def p(v):
    return [2 * (v[0] - 1) - 6 * (v[1] - v[0]), 3 * FACTOR * (v[1] - v[0])]
fmin_bfgs(q, [0, 1], p, disp=0)
""",
}


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("1.5", "mismatch")])
def test_pairs_are_found_wherever_their_functions_live(tmp_path, text, factor, verdict):
    result = check(tmp_path, DATA.replace("FACTOR", "1") + text.replace("FACTOR", factor), fix=False)
    assert verdicts(result) == {"v": verdict}


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("1", "mismatch")])
def test_each_time_that_a_pair_is_handed_counts(tmp_path, factor, verdict):
    text = """
from scipy.optimize import minimize as smallest
class Ridge:
    def __init__(self, lam):
        self.lam = lam
    def fit(self):
        e = lambda v: A @ v - b
        self.v = smallest(lambda v: e(v) @ e(v) + self.lam * v @ v, start,
                          jac=lambda v: 2 * A.T @ e(v) + FACTOR * self.lam * v).x
for lam in [0.0, 0.1, 1.0]:
    Ridge(lam).fit()
"""
    result = check(tmp_path, DATA.replace("FACTOR", "1") + text.replace("FACTOR", factor), fix=False)
    assert verdicts(result) == {"v": verdict}


MODEL = """
def r(p, x, y):
    return p[0] * np.exp(-p[1] * x) - y
def J(p, x, y):
    e = np.exp(-p[1] * x)
    return np.column_stack([e, SIGN p[0] * x * e])
def D(p, x, y):
    return [*J(p, x, y).T]
x = np.linspace(0, 3, 20)
y = 2 * np.exp(-0.7 * x) + 0.01 * np.cos(9 * x)
"""
SEVERAL = {
    "least_squares": "least_squares(r, [1.0, 1.0], jac=J, args=(x, y), max_nfev=5)",
    "least_squares-by-keyword": "least_squares(r, [1.0, 1.0], jac=J, kwargs={'x': x, 'y': y}, max_nfev=5)",
    "least_squares-sparse": """
import scipy.sparse
least_squares(r, [1.0, 1.0], jac=lambda p, x, y: scipy.sparse.csr_matrix(J(p, x, y)), args=(x, y), max_nfev=5)
""",
    "leastsq": "leastsq(r, [1.0, 1.0], args=(x, y), Dfun=J, maxfev=9)",
    "leastsq-by-columns": "leastsq(r, [1.0, 1.0], args=(x, y), Dfun=D, col_deriv=1, maxfev=9)",
    "constraint": """
minimize(lambda p: p @ p, [1.0, 1.0], jac=lambda p: 2 * p, method='SLSQP', options={'maxiter': 3},
         constraints={'type': 'ineq', 'fun': r, 'jac': J, 'args': (x, y)})
""",
}


@pytest.mark.parametrize("call", SEVERAL.values(), ids=SEVERAL)
@pytest.mark.parametrize(("sign", "wrong"), [("-", []), ("", [1])])
def test_of_a_matrix_of_derivatives_the_wrong_column_is_told(tmp_path, call, sign, wrong):
    result = check(tmp_path, DATA + MODEL.replace("SIGN", sign) + call, fix=False)
    assert result.error is None
    # the objective has a gradient of its own beside the constraint's
    parameter = next(p for p in result.parameters if len(result.parameters) == 1 or p.name == "J.p")
    assert [i for i, verdict in enumerate(parameter.verdicts) if verdict.value == "mismatch"] == wrong


@pytest.mark.parametrize(("sign", "wrong"), [("-", "match"), ("", "mismatch")])
@pytest.mark.parametrize("arguments", ["x, a, k", "x, *p"])
def test_the_model_of_a_fitted_curve(tmp_path, arguments, sign, wrong):
    unpack = "a, k = p" if "*" in arguments else "pass"
    text = f"""
def f({arguments}):
    {unpack}
    return a * np.exp(-k * x)
def g({arguments}):
    {unpack}
    e = np.exp(-k * x)
    return np.column_stack([e, {sign} a * x * e])
try:
    curve_fit(f, x, y, p0=[1.0, 1.0], jac=g, maxfev=30)
except RuntimeError:
    pass
"""
    result = check(tmp_path, DATA + MODEL.replace("SIGN", "-") + text, fix=False)
    assert verdicts(result) == ({"p": wrong} if "*" in arguments else {"a": "match", "k": wrong})


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("3", "mismatch")])
@pytest.mark.parametrize(
    ("call", "count"),
    [
        ("root(h, [1.0, 2.0], jac=k)", 2),
        ("fsolve(h, [1.0, 2.0], fprime=k)", 2),
        ("root_scalar(lambda z: z * z - 2, x0=1.0, fprime=lambda z: FACTOR * z, method='newton')", 1),
        ("optimize.newton(lambda z: z * z - 2, 1.0, fprime=lambda z: FACTOR * z, disp=False)", 1),
    ],
)
def test_equations(tmp_path, call, count, factor, verdict):
    text = """
def h(z):
    return [z[0] ** 2 + z[1] - 3, z[0] - z[1]]
def k(z):
    return [[FACTOR * z[0], 1.0], [1.0, -1.0]]
"""
    result = check(tmp_path, DATA.replace("FACTOR", "1") + (text + call).replace("FACTOR", factor), fix=False)
    assert verdicts(result) == {"z": verdict}
    assert result.parameters[0].size == count


TWO = """
def cost(v):
    return np.sum((A @ v - b) ** 2)
def gradient(v):
    return 2 * A.T @ (A @ v - b)
def cost_reg(v, lam):
    return cost(v) + lam * v[1:] @ v[1:]
def gradient_reg(v, lam):
    return gradient(v) + 2 * lam * PENALTY
minimize(cost, start, jac=gradient)
minimize(cost_reg, start, args=(0.5,), jac=gradient_reg)
"""


@pytest.mark.parametrize(("penalty", "verdict"), [("np.r_[0, v[1:]]", "match"), ("v", "mismatch")])
def test_a_second_pair_is_checked_too(tmp_path, penalty, verdict):
    result = check(tmp_path, DATA.replace("FACTOR", "1") + TWO.replace("PENALTY", penalty), fix=False)
    assert verdicts(result) == {"gradient.v": "match", "gradient_reg.v": verdict}
    assert [source.parameter for source in result.sources] == ["gradient.v", "gradient_reg.v"]
    narrowed = check(
        tmp_path, DATA.replace("FACTOR", "1") + TWO.replace("PENALTY", penalty), fix=False, backward="gradient_reg"
    )
    assert verdicts(narrowed) == {"v": verdict}


def test_a_cause_that_two_pairs_share_is_told_once(tmp_path):
    text = TWO.replace("PENALTY", "np.r_[0, v[1:]]").replace("return 2 * A.T @ (A @ v - b)", "return A.T @ (A @ v - b)")
    result = check(tmp_path, DATA.replace("FACTOR", "1") + text)
    assert verdicts(result) == {"gradient.v": "mismatch", "gradient_reg.v": "mismatch"}
    places = [finding.span.line for finding in result.findings]
    assert len(places) == len(set(places))


def test_what_cannot_be_replayed_is_named_beside_what_is_checked(tmp_path):
    text = TWO.replace("PENALTY", "v").replace("def gradient_reg", "@wrapped\ndef gradient_reg")
    head = "def wrapped(f):\n    return lambda *args: f(*args)\n"
    result = check(tmp_path, DATA.replace("FACTOR", "1") + head + text, fix=False)
    assert verdicts(result) == {"v": "match"}
    (row,) = result.unchecked
    assert "lambda" in row.reason  # what the decorator makes of it
    assert "minimize" in row.reason
    assert result.verdict == "inconclusive"


def test_of_a_function_that_is_defined_twice_the_first_one_is_named(tmp_path):
    text = (
        TWO.replace("cost_reg", "cost")
        .replace("gradient_reg", "gradient")
        .replace("cost(v) + ", "np.sum((A @ v - b) ** 2) + ")
    )
    text = text.replace("gradient(v) + ", "2 * A.T @ (A @ v - b) + ")
    first = "minimize(cost, start, jac=gradient)\n"
    text = text.replace(first, "").replace("def cost(v, lam)", first + "def cost(v, lam)")
    for penalty, verdict in (("np.r_[0, v[1:]]", "match"), ("v", "mismatch")):
        result = check(tmp_path, DATA.replace("FACTOR", "1") + text.replace("PENALTY", penalty), fix=False)
        assert verdicts(result) == {"v": verdict}
        assert [(row.name, "defined again" in row.reason) for row in result.unchecked] == [("gradient.v", True)]


def test_what_alone_cannot_be_replayed_is_an_error(tmp_path):
    text = "minimize(aa, start, args=(A, b), jac=[lambda v, M, t: M.T @ (M @ v - t)][0])"
    error = check(tmp_path, DATA.replace("FACTOR", "1") + text).error
    assert error is not None
    assert "not checked" in error.message
    assert "lambda" in error.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("minimize(lambda v: v * 2, start, jac=lambda v: 2 * v)", "it was not called"),
        ("minimize(lambda v: v @ v, start, jac=lambda v: 2 * v, method='Powell')", "it was not called"),
        ("minimize(lambda v: v @ v + np.inf, start, jac=lambda v: 2 * v)", "not finite"),
        ("minimize(lambda v: v @ v, start, jac=partial(np.multiply, 2))", "it is no function of the script"),
        ("least_squares(lambda v: A @ v - b, start, jac=lambda v: A.T)", "shape (number of values, 3)"),
    ],
)
def test_what_is_wrong_with_a_pair_is_told(tmp_path, text, said):
    run = f"try:\n    {text}\nexcept (ValueError, TypeError):\n    pass\n"
    error = check(tmp_path, DATA.replace("FACTOR", "1") + run).error
    assert error is not None
    assert said in error.message


def test_the_applied_step_comes_before_what_was_only_compared(tmp_path):
    text = """
def cost(w):
    return np.mean((A @ w - b) ** 2)
def gradient(w):
    return 2 * A.T @ (A @ w - b) / len(b)
w = start.copy()
print(check_grad(cost, gradient, w))
for i in range(20):
    dw = gradient(w)
    w = w - 0.1 * dw
    print(cost(w))
"""
    result = check_only(tmp_path, DATA.replace("FACTOR", "1") + text)
    assert verdicts(result) == {"w": "match"}
    assert result.entry_points is not None
    assert result.entry_points.backward == "gradient"


OTHER = """
minimize(aa, start, args=(A, b), jac=bb)
def other_loss(W, c):
    return np.sum((A @ W + c - 1) ** 2)
def other_gradient(W, c):
    return ONE * A.T @ (A @ W + c - 1), TWO * np.sum(A @ W + c - 1)
W, c = np.array([0.1, 0.7, -0.4]), 0.1
for i in range(20):
    dW, dc = other_gradient(W, c)
    W = W - 0.01 * dW
    c = c - 0.01 * dc
print(other_loss(W, c))
"""


@pytest.mark.parametrize(
    ("one", "two", "wrong"),
    [
        ("2", "2", ""),
        ("2", "6", "c"),
        ("np.array([[2], [2], [3]])", "2", "W"),
        ("np.array([[2], [1], [3]])", "5", "Wc"),
    ],
)
def test_another_model_is_checked_beside_the_optimizer(tmp_path, one, two, wrong):
    text = DATA.replace("FACTOR", "1") + OTHER.replace("ONE", one).replace("TWO", two)
    found = verdicts(check(tmp_path, text, fix=False))
    assert found == {"v": "match", **{name: "mismatch" if name in wrong else "match" for name in "Wc"}}


def test_a_pair_that_was_only_compared_is_checked_beside_what_moves(tmp_path):
    text = OTHER.replace("minimize(aa, start, args=(A, b), jac=bb)", "print(check_grad(aa, bb, start, A, b))")
    text = DATA.replace("FACTOR", "3") + text.replace("ONE", "2").replace("TWO", "2")
    assert verdicts(check(tmp_path, text, fix=False)) == {"v": "mismatch", "W": "match", "c": "match"}


def test_a_call_that_the_run_does_not_come_to_is_named(tmp_path):
    text = DATA.replace("FACTOR", "1") + TWO.replace("PENALTY", "v").replace(
        "minimize(cost_reg", "len('') and minimize(cost_reg"
    )
    result = check(tmp_path, text, fix=False)
    assert verdicts(result) == {"v": "match"}
    line = next(i for i, line in enumerate(text.strip().split("\n"), start=1) if "minimize(cost_reg" in line)
    assert any(f"`minimize` is handed in line {line}" in note for note in result.notes)


def test_flags_choose_among_pairs(tmp_path):
    text = DATA.replace("FACTOR", "1") + TWO.replace("PENALTY", "v") + "minimize(aa, start, args=(A, b), jac=bb)"
    for options, expected in (
        ({"params": ("gradient_reg.v",)}, {"v": "mismatch"}),
        ({"loss": "aa(v, M, t)", "backward": "bb", "params": ("v",)}, {"v": "match"}),
        ({"loss": "cost_reg"}, {"v": "mismatch"}),
        ({"params": ("v",)}, {"gradient.v": "match", "gradient_reg.v": "mismatch", "bb.v": "match"}),
    ):
        assert verdicts(check(tmp_path, text, fix=False, **options)) == expected
    error = check(tmp_path, text, fix=False, params=("v", "u")).error
    assert error is not None
    assert "`u`" in error.message


def test_functions_of_a_library_are_nobodys_mistake(tmp_path):
    result = check(tmp_path, DATA + "print(minimize(optimize.rosen, start, jac=optimize.rosen_der).x)")
    assert result.error is not None
    assert result.error.slug == "no-gradient"


def test_the_functions_of_scipy_are_put_back_and_scipy_is_not_imported(tmp_path):
    code = """
    from gradcheck.script.record.exchange import listening
    seen = []
    with listening(lambda handed: seen.append(handed)):
        first = "scipy" in sys.modules
        from scipy.optimize import minimize
        minimize(lambda x: x @ x, [1.0], jac=lambda x: 2 * x)
        minimize(lambda x: x @ x, [1.0])
    from scipy import optimize
    minimize(lambda x: x @ x, [1.0], jac=lambda x: 2 * x)
    with listening(lambda handed: seen.append(handed)):
        optimize.minimize(lambda x: x @ x, [1.0], jac=lambda x: 2 * x)
    optimize.minimize(lambda x: x @ x, [1.0], jac=lambda x: 2 * x)
    answer([first, len(seen), optimize.minimize is minimize, hasattr(optimize.minimize, "__wrapped__"),
            [m for m in sys.meta_path if "gradcheck" in type(m).__module__]])
    """
    assert snippet(code, cwd=tmp_path) == [False, 2, False, False, []]


def test_a_projection_makes_the_gradient_of_the_number_that_is_made_of_the_values():
    rng = np.random.default_rng(0)
    jacobian, point = rng.normal(size=(5, 3)), rng.normal(size=3)
    gradient = [(along(jacobian @ (point + e)) - along(jacobian @ (point - e))) / 2 for e in np.eye(3)]
    np.testing.assert_allclose(Projection(3)(jacobian), gradient, rtol=1e-9)
    np.testing.assert_allclose(Projection(3, by_parameter=True)(list(jacobian.T)), gradient, rtol=1e-9)
    np.testing.assert_allclose(Projection(3, entry=1)(jacobian), gradient[1], rtol=1e-9)
    assert Projection(3)(jacobian.T).shape == (3, 5)  # for the checker to refuse
    assert along([2.5]) == 2.5


def test_targets():
    import functools

    class Both:
        def __call__(self, x):
            return x

        def method(self, a, x):
            return a * x

    owner = Both()
    target = Target.of(functools.partial(owner.method, 2))
    assert target.function is Both.method
    assert target.bound == (owner, 2)
    assert target.is_method
    assert Target.of(owner).function is Both.__call__
    assert Target.of(np.sin).function is None
    assert Target.of(Both).function is None


def test_the_importer_leaves_other_modules_alone():
    with listening(lambda _: None):
        assert importlib.import_module("scipy.linalg").__name__ == "scipy.linalg"
        assert sys.meta_path[0].find_spec("json") is None
