"""For each function of SciPy that is handed derivatives: a right one is right, a wrong one wrong, whatever its form."""

from __future__ import annotations

import pytest

from gradcheck.script.record.exchange import listening
from script_runs import check, verdicts

pytestmark = pytest.mark.usefixtures("forked_with_scipy")

# names that tell nothing; FACTOR is 1 where all is right
HEAD = """
import numpy as np
from scipy import optimize
from scipy.optimize import *
F = FACTOR
rng = np.random.default_rng(3)
A = rng.normal(size=(12, 3))
b = rng.normal(size=12)
start = np.array([0.5, -0.3, 0.2])
def f(v, M, t):
    return np.sum(np.log(np.cosh(M @ v - t)))
def g(v, M, t):
    return M.T @ np.tanh(M @ v - t)
def h(v, M, t):
    return F * M.T @ (M / np.cosh(M @ v - t)[:, None] ** 2)
def hp(v, p, M, t):
    return F * M.T @ ((M @ p) / np.cosh(M @ v - t) ** 2)
def fg(v, M, t):
    return f(v, M, t), F * g(v, M, t)
def G(v, M, t):
    return F * g(v, M, t)
def plain(v):
    return f(v, A, b)
def e(z):
    return np.array([z[0] ** 2 + z[1] - 3, z[0] - z[1] ** 3])
def k(z):
    return np.array([[2 * z[0], 1.0], [1.0, -3 * F * z[1] ** 2]])
def ek(z):
    return e(z), k(z)
"""
SCALAR = {
    "minimize hess": ("minimize(f, start, args=(A, b), jac=g, hess=h, method='Newton-CG')", "h"),
    "minimize hess, both": (
        "minimize(lambda v: (plain(v), g(v, A, b)), start, jac=True, hess=lambda q: h(q, A, b), method='trust-exact')",
        "q",
    ),
    "minimize hess, sparse": (
        """
from scipy.sparse import csr_matrix
def hs(v):
    return csr_matrix(h(v, A, b))
minimize(plain, start, jac=lambda v: g(v, A, b), hess=hs, method='trust-constr', options={'maxiter': 4})""",
        "hs",
    ),
    "minimize hess, operator": (
        """
from scipy.sparse.linalg import aslinearoperator
def ho(v):
    return aslinearoperator(h(v, A, b))
minimize(plain, start, jac=lambda v: g(v, A, b), hess=ho, method='trust-constr', options={'maxiter': 4})""",
        "ho",
    ),
    "minimize hessp": ("minimize(f, start, args=(A, b), jac=g, hessp=hp, method='trust-ncg')", "hp"),
    "fmin_ncg fhess": ("fmin_ncg(f, start, g, fhess=h, args=(A, b), disp=0)", "h"),
    "fmin_ncg fhess_p": ("fmin_ncg(f, start, fprime=g, fhess_p=hp, args=(A, b), disp=0)", "hp"),
    "fmin_tnc, both": ("fmin_tnc(fg, start, args=(A, b), disp=0)", "fg"),
    "fmin_l_bfgs_b, both": ("fmin_l_bfgs_b(fg, start, None, (A, b))", "fg"),
    "shgo": (
        "shgo(f, [(-2, 2)] * 3, args=(A, b), n=8, minimizer_kwargs={'method': 'L-BFGS-B', 'jac': G})",
        "G",
    ),
    "shgo by options": (
        "shgo(plain, [(-2, 2)] * 3, n=8, options={'jac': lambda v: G(v, A, b)}, minimizer_kwargs={'method': 'SLSQP'})",
        "lambda",
    ),
    "dual_annealing": (
        """
dual_annealing(f, [(-2, 2)] * 3, (A, b), maxiter=3, rng=1,
               minimizer_kwargs=dict(method='L-BFGS-B', jac=G, bounds=[(-2, 2)] * 3))""",
        "G",
    ),
    "basinhopping": ("basinhopping(f, start, niter=1, minimizer_kwargs=dict(args=(A, b), jac=G))", "G"),
    "root": ("root(e, [1.5, 1.0], jac=k)", "k"),
    "root, both": ("root(ek, [1.5, 1.0], jac=True)", "ek"),
    "root by columns": ("root(e, [1.5, 1.0], jac=lambda z: k(z).T, options=dict(col_deriv=1))", "lambda"),
    "root, lm by columns": ("root(e, [1.5, 1], (), 'lm', lambda z: k(z).T, options=dict(col_deriv=True))", "lambda"),
    "fsolve": ("fsolve(e, [1.5, 1.0], fprime=k)", "k"),
    "fsolve by columns": ("fsolve(e, [1.5, 1.0], (), lambda z: np.transpose(k(z)), 0, True)", "lambda"),
    "root_scalar": (
        "root_scalar(lambda z, a: z**3 - a, (5.0,), 'newton', fprime=lambda z, a: 3 * F * z**2, x0=2.0)",
        "",
    ),
    "root_scalar, both": ("root_scalar(lambda z: (z**3 - 5, 3 * F * z**2), fprime=True, x0=2.0, method='newton')", ""),
    "root_scalar fprime2": (
        """
root_scalar(lambda z: z**3 - 5, fprime=lambda z: 3 * z**2,
            fprime2=lambda z: F * 6 * z, x0=2.0, method='halley')""",
        "",
    ),
    "root_scalar, all in one": (
        "root_scalar(lambda z: (z**3 - 5, 3 * z**2, F * 6 * z), fprime=True, fprime2=True, x0=2.0, method='halley')",
        "",
    ),
    "newton": ("newton(lambda z: z**3 - 5, 2.0, lambda z: 3 * F * z**2)", ""),
    "newton fprime2": (
        "newton(lambda z: z**3 - 5, 2.0, fprime=lambda z: 3 * z**2, fprime2=lambda z: F * 6 * z)",
        "",
    ),
    "newton of many": (
        """
newton(lambda z, a: z**3 - a, np.array([2.0, 1.5, 3.0]), fprime=lambda z, a: 3 * F * z**2,
       args=(np.array([5.0, 4.0, 20.0]),))""",
        "",
    ),
    "fmin_slsqp": (
        "fmin_slsqp(plain, start, fprime=lambda v: G(v, A, b), iprint=0)",
        "",
    ),
    "fmin_slsqp f_eqcons": (
        """
fmin_slsqp(plain, start, f_eqcons=lambda v: np.array([v @ v - 1, v[0] - v[1]]), fprime=lambda v: g(v, A, b),
           fprime_eqcons=lambda v: np.array([2 * F * v, [1.0, -1.0, 0.0]]), iprint=0, iter=5)""",
        "",
    ),
    "fmin_slsqp f_ieqcons": (
        """
def inside(v, M, t):
    return np.array([1 - v @ v])
def slopes(v, M, t):
    return np.array([-2 * F * v])
fmin_slsqp(f, start, f_ieqcons=inside, fprime=g, fprime_ieqcons=slopes, iprint=0, iter=5, args=(A, b))""",
        "slopes",
    ),
    "constraint, a lambda": (
        """
minimize(plain, start, jac=lambda v: g(v, A, b), method='SLSQP',
         constraints=({'type': 'ineq', 'fun': lambda v: 1 - v @ v, 'jac': lambda v: -2 * F * v},))""",
        "",
    ),
    "constraint, a call of dict": (
        """
ball = dict(type="ineq", fun=lambda v, r: r - v @ v, jac=lambda v, r: -2 * F * v, args=(1.5,))
minimize(f, start, args=(A, b), constraints=ball)""",
        "",
    ),
    "NonlinearConstraint": (
        """
def c(v):
    return [v @ v, v[0] * v[1]]
def J(v):
    return [2 * v, [v[1], F * v[0], 0]]
minimize(plain, start, jac=lambda v: g(v, A, b), method='trust-constr', options={'maxiter': 5},
         constraints=[NonlinearConstraint(c, -1, 1, jac=J)])""",
        "J",
    ),
    "NonlinearConstraint hess": (
        """
def c(v):
    return np.array([v @ v, v[0] * v[1]])
def J(v):
    return np.array([2 * v, [v[1], v[0], 0]])
def H(v, w):
    return w[0] * 2 * F * np.eye(3) + w[1] * np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]])
minimize(plain, start, jac=lambda v: g(v, A, b), method='trust-constr', options={'maxiter': 5},
         constraints=[NonlinearConstraint(c, [0.2, -1], 1, jac=J, hess=H)])""",
        "H",
    ),
    "check_grad": ("print(check_grad(f, G, start, A, b))", "G"),
    "approx_fprime": (
        """
print(np.abs(approx_fprime(start, f, 1e-7, A, b) - G(start, A, b)).max())""",
        "G",
    ),
    "approx_fprime, other order": (
        """
def slope(M, t, v):
    return [0, G(v, M, t)]
def of(M, t, v):
    return G(v, M, t)
numbers = approx_fprime(start, f, 1e-7, A, b)
mine = of(A, b, start)
for one, two in zip(numbers, mine):
    print(one, two)
""",
        "of",
    ),
    "approx_fprime in a helper": (
        """
def compare(one, two, where):
    num = approx_fprime(where, one, 1e-7)
    own = two(where)
    print(np.linalg.norm(num - own))
def q(v):
    return v @ v
def p(v):
    return 2 * F * v
compare(q, p, start)
""",
        "p",
    ),
    "approx_fprime, both": (
        """
value, own = fg(start, A, b)
assert np.allclose(own, approx_fprime(start, lambda v: fg(v, A, b)[0]), rtol=1) or True
""",
        "fg",
    ),
}


@pytest.mark.parametrize("factor", [1, 1.5])
@pytest.mark.parametrize(("call", "name"), SCALAR.values(), ids=SCALAR)
def test_derivative_that_is_handed_over(tmp_path, call, name, factor):
    run = (
        "try:\n    " + "\n    ".join(call.strip("\n").split("\n")) + "\nexcept (RuntimeError, ValueError):\n    pass\n"
    )
    result = check(tmp_path, HEAD.replace("FACTOR", str(factor)) + run, fix=False)
    assert result.error is None
    assert not result.unchecked
    found = verdicts(result)
    if factor == 1:
        assert set(found.values()) == {"match"}
    else:
        wrong = [name for name, verdict in found.items() if verdict == "mismatch"]
        assert len(wrong) == 1
        # of several pairs, each has the name of its function
        assert len(found) == 1 or name in wrong[0]


SEVERAL_CLOSURES = {
    "a function that makes them": """
def make(i, top):
    def con(x):
        return top - x[i] ** 2
    def con_jac(x):
        out = np.zeros(3)
        out[i] = -2 * F * x[i]
        return out
    return {'type': 'ineq', 'fun': con, 'jac': con_jac}
cons = [make(0, 1.0), make(1, 2.0), make(2, 1.5)]
""",
    "defaults": """
cons = []
for i in range(3):
    cons.append({'type': 'ineq', 'fun': lambda x, i=i: 1.0 + i - x[i] ** 2,
                 'jac': lambda x, i=i: -2 * F * x[i] * np.eye(3)[i]})
""",
    "partial": """
from functools import partial
def con(i, x):
    return 1.0 + i - x[i] ** 2
def con_jac(i, x):
    return -2 * F * x[i] * np.eye(3)[i]
cons = [dict(type='ineq', fun=partial(con, i), jac=partial(con_jac, i)) for i in range(3)]
""",
}


@pytest.mark.parametrize("factor", [1, 1.5])
@pytest.mark.parametrize("text", SEVERAL_CLOSURES.values(), ids=SEVERAL_CLOSURES)
def test_each_closure_is_compared_with_its_own_function(tmp_path, text, factor):
    run = "minimize(plain, start, constraints=cons, method='SLSQP', options={'maxiter': 6})"
    result = check(tmp_path, HEAD.replace("FACTOR", str(factor)) + text + run, fix=False)
    assert result.error is None
    assert set(verdicts(result).values()) == {"match" if factor == 1 else "mismatch"}
    # the other entries of each are zero, and right
    assert all(sum(v.value == "mismatch" for v in p.verdicts) == (factor != 1) for p in result.parameters)


MIXED = """
def own(i):
    return lambda x: 1 - x[i] ** 2
def derivative(i):
    def slope(x):
        out = np.zeros(3)
        out[i] = -2 * x[i]
        return out
    return slope
minimize(plain, start, method='SLSQP', options={'maxiter': 6},
         constraints={'type': 'ineq', 'fun': own(0), 'jac': derivative(OTHER)})
"""


@pytest.mark.parametrize(("other", "verdict"), [("0", "match"), ("1", "mismatch")])
def test_a_derivative_of_another_closure_is_wrong(tmp_path, other, verdict):
    text = HEAD.replace("FACTOR", "1") + MIXED.replace("OTHER", other)
    assert verdicts(check(tmp_path, text, fix=False)) == {"x": verdict}


@pytest.mark.parametrize(("factor", "of_gradient"), [("1", "match"), ("1.5", "mismatch")])
def test_a_second_derivative_is_not_judged_by_a_gradient_that_is_wrong(tmp_path, factor, of_gradient):
    text = HEAD.replace("return F * M.T", "return M.T").replace("FACTOR", factor)
    text += "minimize(f, start, args=(A, b), jac=G, hess=h, method='trust-exact', options={'maxiter': 4})"
    result = check(tmp_path, text, fix=False)
    rows = [(row.name, "`G`, which is wrong itself" in row.reason) for row in result.unchecked]
    if of_gradient == "match":
        assert verdicts(result) == {"G.v": "match", "h.v": "match"}
        assert not rows
    else:
        assert verdicts(result) == {"v": "mismatch"}
        assert rows == [("h.v", True)]


@pytest.mark.parametrize(
    ("call", "name", "reason"),
    [
        ("minimize(f, start, (A, b), jac=G, hessp=hp, method='CG')", "hp.v", "it was not called"),
        ("minimize(f, start, (A, b), 'trust-constr', '2-point', h, options={'maxiter': 2})", "h.v", "not handed over"),
        ("newton(lambda z: np.sin(z) + 0.1, x0=0.5, fprime=np.cos)", "cos", "no function of the script"),
    ],
)
def test_what_is_not_checked_stands_in_the_table(tmp_path, call, name, reason):
    text = HEAD.replace("FACTOR", "1") + call + "\nminimize(f, start, (A, b), jac=g)\n"
    result = check(tmp_path, text, fix=False)
    assert result.verdict == "inconclusive"
    assert [(row.name, reason in row.reason) for row in result.unchecked] == [(name, True)]
    assert set(verdicts(result).values()) == {"match"}


@pytest.mark.parametrize("constraint", ["NonlinearConstraint(lambda v: v @ v, 0, 9, jac='2-point')", "()"])
def test_what_is_no_function_is_nothing_to_check(tmp_path, constraint):
    text = HEAD.replace("FACTOR", "1") + f"minimize(f, start, (A, b), jac=g, hess='3-point', constraints={constraint})"
    result = check(tmp_path, "import warnings\nwarnings.simplefilter('ignore')\n" + text, fix=False)
    assert (verdicts(result), result.verdict) == ({"v": "match"}, "match")


@pytest.mark.parametrize("number", ["0.5", "0.35"])
def test_a_number_that_is_handed_on_is_no_constant_by_chance(tmp_path, number):
    """With 0.5, a division by the number would do for the lost factor 2."""
    text = f"""
import numpy as np
from scipy.optimize import minimize
t = np.array([0.3, 0.9, 1.4, 2.2, 3.1])
def q(v, w):
    return np.sum((v[0] * t + v[1] * t * t - np.sin(t)) ** 2) + w * np.sum(np.cos(v))
def p(v, w):
    r = v[0] * t + v[1] * t * t - np.sin(t)
    return np.array([r @ t, r @ (t * t)]) - w * np.sin(v)
minimize(q, np.array([0.7, 0.2]), args=({number},), jac=p, options=dict(maxiter=4))
"""
    result = check(tmp_path, text)
    assert verdicts(result) == {"v": "mismatch"}
    fixes = [finding.fix for finding in result.findings if finding.fix is not None]
    assert all("/ w" not in edit.new for fix in fixes for edit in fix.edits)


@pytest.mark.parametrize("sign", ["-", "+"])
@pytest.mark.parametrize(
    "call",
    [
        "lmfit.minimize(resid, pars, args=(t,), kws={'data': y}, Dfun=rows, col_deriv=1)",
        "lmfit.Minimizer(resid, pars, fcn_args=(t, y)).leastsq(Dfun=columns)",
        "lmfit.Minimizer(resid, pars, fcn_args=(t, y)).least_squares(jac=columns)",
        "lmfit.Minimizer(resid, pars, fcn_args=[t], fcn_kws=dict(data=y), Dfun=rows, col_deriv=True).minimize()",
        "lmfit.minimize(total, pars, 'bfgs', (t, y), Dfun=slope)",
    ],
)
def test_lmfit_tells_by_the_names_of_its_parameters(tmp_path, call, sign):
    pytest.importorskip("lmfit")
    text = f"""
import numpy as np
import lmfit
t = np.linspace(0, 4, 25)
y = 3 * np.exp(-0.8 * t) + 0.4 + 0.01 * np.cos(31 * t)
pars = lmfit.Parameters()
pars.add('amp', value=2.0, min=0)
pars.add('fixed', value=1.0, vary=False)
pars.add('decay', value=0.5, min=0.01, max=5)
pars.add('twice', expr='2 * fixed')
def resid(p, t, data=None):
    return p['amp'].value * np.exp(-p['decay'] * t) + 0.2 * p['twice'] - data
def rows(p, t, data=None):
    v = p.valuesdict()
    e = np.exp(-v['decay'] * t)
    return np.array([e, {sign} v['amp'] * t * e])
def columns(p, t, data):
    return rows(p, t, data).T
def total(p, t, data):
    return np.sum(resid(p, t, data) ** 2)
def slope(p, t, data):
    return 2 * rows(p, t, data) @ resid(p, t, data)
{call}
"""
    result = check(tmp_path, text, fix=False)
    assert result.error is None
    assert verdicts(result) == {"p['amp']": "match", "p['decay']": "match" if sign == "-" else "mismatch"}


def test_the_functions_of_an_optimizer_are_put_back_in_its_class():
    minimizer = pytest.importorskip("lmfit.minimizer").Minimizer
    before = minimizer.leastsq
    with listening(lambda _: None):
        assert minimizer.leastsq is not before
    assert minimizer.leastsq is before


@pytest.mark.parametrize(("sign", "fixes"), [("-", 0), ("", 1)])
def test_a_fix_is_judged_by_its_own_pair(tmp_path, sign, fixes):
    text = (
        HEAD.replace("FACTOR", "1")
        + f"""
def c(v):
    return np.array([1 - v @ v, v[0] - v[1] ** 3])
def J(v):
    return np.array([-2 * v, [1.0, {sign} 3 * v[1] ** 2, 0.0]])
minimize(f, start, (A, b), jac=g, method='SLSQP', constraints=[dict(type='ineq', fun=c, jac=J)])
"""
    )
    result = check(tmp_path, text)
    assert verdicts(result) == {"g.v": "match", "J.v": "mismatch" if fixes else "match"}
    found = [edit.new.strip() for finding in result.findings if finding.fix for edit in finding.fix.edits]
    assert len(found) == fixes
    namespace = {"v": [2.0, 5.0, 7.0]}
    for line in found:
        code = line.removeprefix("return np.array(").removesuffix(")").replace("-2 * v, ", "")
        assert eval(code, namespace) == [[1.0, -75.0, 0.0]]
