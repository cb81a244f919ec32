"""The functions of ``scipy.optimize``: which of their arguments hold objective, derivative and point."""

from __future__ import annotations

# the arguments that hold the objective, the derivative and the point
ARGUMENTS = {
    "minimize": ("fun", "jac", "x0"),
    "fmin_bfgs": ("f", "fprime", "x0"),
    "fmin_cg": ("f", "fprime", "x0"),
    "fmin_ncg": ("f", "fprime", "x0"),
    "fmin_l_bfgs_b": ("func", "fprime", "x0"),
    "fmin_tnc": ("func", "fprime", "x0"),
    "fmin_slsqp": ("func", "fprime", "x0"),
    "line_search": ("f", "myfprime", "xk"),
    "check_grad": ("func", "grad", "x0"),
    "least_squares": ("fun", "jac", "x0"),
    "leastsq": ("func", "Dfun", "x0"),
    "root": ("fun", "jac", "x0"),
    "fsolve": ("func", "fprime", "x0"),
    "root_scalar": ("f", "fprime", "x0"),
    "newton": ("func", "fprime", "x0"),
    "curve_fit": ("f", "jac", "p0"),
}
# their objectives may have several values
OF_SEVERAL = {"least_squares", "leastsq", "root", "fsolve", "root_scalar", "newton", "curve_fit"}
# without a derivative, their objective returns it beside its value
BOTH_BY_DEFAULT = {"fmin_l_bfgs_b", "fmin_tnc"}
# where the derivative stands in a call, if it has no name there
PLACES = {
    "minimize": 4,
    **dict.fromkeys(("check_grad", "line_search"), 1),
    **dict.fromkeys(("root", "fsolve"), 3),
    **dict.fromkeys(("fmin_bfgs", "fmin_cg", "fmin_ncg", "fmin_l_bfgs_b", "fmin_tnc", "least_squares", "newton"), 2),
}
# a user who compares does not move anything with what he hands over
COMPARE = {"check_grad"}
OPTIMIZERS = frozenset(ARGUMENTS)
KEYWORDS = {name: derivative for name, (_, derivative, _) in ARGUMENTS.items()}
