"""For each function of SciPy that is handed derivatives: a right one is right, a wrong one wrong, whatever its form."""

from __future__ import annotations

import pytest

from script_runs import check, verdicts

pytestmark = pytest.mark.usefixtures("forked")

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
