"""The functions of ``scipy.optimize`` and lmfit: which of their arguments hold functions, derivatives and the point.

A *place* says where something lies in a call: the name of an argument, then keys or attributes behind dots
(``options.col_deriv``). Where several places are possible, they stand with ``|`` between them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chain:
    """Functions that are handed over together, each the derivative of the one before.

    Attributes
    ----------
    links : tuple of str
        The places of these functions. True in place of one says that the first function returns it as well.
    point : str
        The place of what the first function is differentiated by.
    args, keywords, leading : str
        The places of what stands behind, by name and before the point in every call. One argument of several behind the
        point may be given as it is, but for a place with ``*``.
    several : bool
        Whether the first function may have several values.
    is_both : bool
        Whether the first function returns its derivative, too, where that is not handed over.
    is_spread : bool
        Whether each entry of the point is an argument of its own.
    is_named : bool
        Whether the point is a mapping of objects that have a value each, and say whether they vary.
    by_entry : bool
        Whether each value of the first function depends on its own entry of the point alone.
    times : bool
        Whether the last link is the derivative of the values of the one before it, each times a number of its own that
        the last link is handed behind the point.
    by_parameter : str
        The place of what says that a row of the first derivative belongs to a parameter, rather than to a value.
    compares : bool
        Whether nothing is moved by what is handed over.
    """

    links: tuple[str, ...]
    point: str = "x0"
    args: str = "args"
    keywords: str = ""
    leading: str = ""
    several: bool = False
    is_both: bool = False
    is_spread: bool = False
    is_named: bool = False
    by_entry: bool = False
    times: bool = False
    by_parameter: str = ""
    compares: bool = False


def _of_scalar(*links: str, is_both: bool = False) -> tuple[Chain, ...]:
    return (Chain(links, is_both=is_both),)


def _of_lmfit(several: bool) -> tuple[Chain, ...]:
    derivative = "kws.Dfun|kws.jac|self.kws.Dfun|self.kws.jac"
    return (
        Chain(
            ("self.userfcn", derivative),
            "params|self.params",
            "*self.userargs",
            "self.userkws",
            several=several,
            is_named=True,
            by_parameter="kws.col_deriv|self.kws.col_deriv",
        ),
    )


# the functions of a module by the way to them
SCIPY = {
    "minimize": (Chain(("fun", "jac", "hess")), Chain(("fun", "jac", "hessp"), times=True)),
    "fmin_bfgs": _of_scalar("f", "fprime"),
    "fmin_cg": _of_scalar("f", "fprime"),
    "fmin_ncg": (Chain(("f", "fprime", "fhess")), Chain(("f", "fprime", "fhess_p"), times=True)),
    "fmin_l_bfgs_b": _of_scalar("func", "fprime", is_both=True),
    "fmin_tnc": _of_scalar("func", "fprime", is_both=True),
    "fmin_slsqp": (
        Chain(("func", "fprime")),
        Chain(("f_eqcons", "fprime_eqcons"), several=True),
        Chain(("f_ieqcons", "fprime_ieqcons"), several=True),
    ),
    "shgo": (
        Chain(("func", "minimizer_kwargs.jac|options.jac", "minimizer_kwargs.hess|options.hess"), point=""),
        Chain(("func", "minimizer_kwargs.jac|options.jac", "minimizer_kwargs.hessp|options.hessp"), "", times=True),
    ),
    "dual_annealing": (Chain(("func", "minimizer_kwargs.jac", "minimizer_kwargs.hess")),),
    "line_search": (Chain(("f", "myfprime"), "xk"),),
    "least_squares": (Chain(("fun", "jac"), keywords="kwargs", several=True),),
    "leastsq": (Chain(("func", "Dfun"), several=True, by_parameter="col_deriv"),),
    "root": (Chain(("fun", "jac"), several=True, by_parameter="options.col_deriv"),),
    "fsolve": (Chain(("func", "fprime"), several=True, by_parameter="col_deriv"),),
    "root_scalar": (Chain(("f", "fprime", "fprime2"), several=True),),
    "newton": (Chain(("func", "fprime", "fprime2"), several=True, by_entry=True),),
    "curve_fit": (Chain(("f", "jac"), "p0", "", leading="xdata", several=True, is_spread=True),),
    "check_grad": (Chain(("func", "grad"), args="*args", compares=True),),
    "approx_fprime": (Chain(("f",), "xk", "*args", compares=True),),
}
LMFIT = {
    "Minimizer.leastsq": _of_lmfit(several=True),
    "Minimizer.least_squares": _of_lmfit(several=True),
    "Minimizer.scalar_minimize": _of_lmfit(several=False),
}
MODULES = {"scipy.optimize": SCIPY, "lmfit.minimizer": LMFIT}
# where calls have constraints, each a dictionary or an object with these
CONSTRAINTS = "constraints"
CONSTRAINT = Chain(("fun", "jac", "hess"), several=True, times=True)
# how functions are called in the dictionaries that are handed over
IN_DICTIONARIES = ("fun", "jac", "hess", "hessp")

# the functions that tell what they are handed
TELLING = frozenset({*SCIPY, *(way.split(".")[-1] for way in LMFIT)})
# those that hand it on to them, too
NAMES = TELLING | {"basinhopping", "NonlinearConstraint", "Minimizer"}
# by which names derivatives are handed over
KEYWORDS = frozenset(
    place.split(".")[-1]
    for chains in (*SCIPY.values(), *LMFIT.values(), (CONSTRAINT,))
    for chain in chains
    for link in chain.links[1:]
    for place in link.split("|")
)
# where the derivative stands in a call, if it has no name there
PLACES = {
    **dict.fromkeys(("minimize", "root_scalar"), 4),
    **dict.fromkeys(("check_grad", "line_search"), 1),
    **dict.fromkeys(("root", "fsolve", "leastsq"), 3),
    **dict.fromkeys(("fmin_bfgs", "fmin_cg", "fmin_ncg", "fmin_l_bfgs_b", "fmin_tnc", "least_squares", "newton"), 2),
    "fmin_slsqp": 7,
    "curve_fit": 9,
}
