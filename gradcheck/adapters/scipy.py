"""Checks what is handed to ``scipy.optimize``: gradients, Jacobian matrices, Hessian matrices and their products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.adapters.bounds import Bounds
from gradcheck.adapters.compare import side_by_side
from gradcheck.adapters.matrix import Matrix, compare_matrix
from gradcheck.adapters.names import argument_names
from gradcheck.adapters.problem import Settings
from gradcheck.checker.functions import check_grad as core_check_grad
from gradcheck.checker.functions import numerical_grad
from gradcheck.checker.options import EntriesOption
from gradcheck.checker.result import CheckResult
from gradcheck.errors import InputError
from gradcheck.evaluate.tracking import Progress
from gradcheck.numerics.arrays import FloatArray


def check(
    fun: Callable[..., Any],
    x0: Any,
    jac: Any = None,
    *,
    args: Any = (),
    hess: Callable[..., Any] | None = None,
    hessp: Callable[..., Any] | None = None,
    bounds: Any = None,
    rtol: float | None = None,
    atol: float | None = None,
    points: int = 1,
    entries: EntriesOption = "auto",
    seed: int = 0,
    curves: bool = False,
    progress: bool | Callable[[Progress], object] = False,
) -> CheckResult:
    """Compare derivatives that are written for ``scipy.optimize`` with central differences.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns a number, or a vector of residuals.
    x0 : array_like
        Where to check.
    jac : callable or True
        ``jac(x, *args)`` returns the gradient, or the Jacobian matrix of the residuals: dense, sparse or a
        ``LinearOperator``. True if `fun` returns both.
    args : tuple
        Further arguments of all functions.
    hess, hessp : callable, optional
        ``hess(x, *args)`` returns the Hessian matrix, ``hessp(x, p, *args)`` its product with a vector. They are
        compared with differences of `jac`.
    bounds : scipy.optimize.Bounds, sequence of pairs or tuple of two arrays, optional
        Nothing outside is evaluated. A point at a bound is moved inside, which a note says.
    rtol, atol, points, entries, seed, curves, progress
        As for `gradcheck.check_grad`.

    Returns
    -------
    CheckResult
        True in a boolean context if every checked entry matches. A Jacobian matrix is one parameter per row,
        ``jac[2]``; where it has more than 32 rows, groups of them, ``jac[0:16]``, are weighted at random and summed.

    Raises
    ------
    InputError
        If it cannot be checked. What the user's functions raise comes through unchanged.

    Examples
    --------
    >>> from gradcheck.adapters.scipy import check
    >>> check(lambda x: x @ x, [1.0, 2.0], jac=lambda x: 2 * x).passed
    True
    """
    settings = Settings(rtol, atol, points, entries, seed, curves, progress)
    return _Subject.of(fun, x0, jac, args, bounds).compared(settings, hess, hessp)


def check_grad(
    func: Callable[..., Any],
    grad: Callable[..., Any],
    x0: Any,
    *args: Any,
    epsilon: float | None = None,
    direction: str = "all",
    rng: Any = None,
) -> float:
    """Stand in for ``scipy.optimize.check_grad``: how far a gradient is from an accurate numerical one.

    Parameters
    ----------
    func, grad : callable
        ``func(x, *args)`` returns a number, or a vector; `grad` its gradient, or its Jacobian matrix.
    x0 : array_like
        Where to check.
    *args
        Further arguments of both.
    epsilon : float, optional
        Ignored: each entry has a step of its own.
    direction : {"all", "random"}
        Whether to look along every entry, or along one random direction.
    rng : int or Generator, optional
        What the direction is drawn with.

    Returns
    -------
    float
        The 2-norm of the difference; NaN where there is no derivative. It is a number and no verdict, as SciPy's is:
        it grows with the loss, and 0.01 may be an error or none. `check` gives a verdict.
    """
    x = _point(x0)
    given = _dense(grad(x.copy(), *args))
    if direction == "random":
        if np.ndim(func(x.copy(), *args)) > 0 and np.size(func(x.copy(), *args)) > 1:
            raise InputError("`direction`='random' needs a `func` that returns a number.")
        v = np.random.default_rng(rng).standard_normal(x.shape)
        along = numerical_grad(lambda t, /: func(x + t * v, *args), 0.0)
        return float(abs(np.dot(given.reshape(-1), v) - along))
    if direction != "all":
        raise InputError(f"`direction` must be 'all' or 'random', got {direction!r}.")
    outputs = np.atleast_1d(np.asarray(func(x.copy(), *args)))
    if given.size != outputs.size * x.size:
        raise InputError(f"`grad` must return {outputs.size * x.size} numbers, got shape {given.shape}.")
    rows = [_row(func, args, x, number) for number in range(outputs.size)]
    return float(np.sqrt(np.sum(np.square(given.reshape(len(rows), -1) - np.stack(rows)))))


def check_derivative(
    fun: Callable[..., Any],
    jac: Callable[..., Any],
    x0: Any,
    bounds: Any = None,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
) -> float:
    """Stand in for SciPy's ``check_derivative``: the largest error of a gradient or of a Jacobian matrix.

    Parameters
    ----------
    fun, jac : callable
        ``fun(x, *args, **kwargs)`` returns a number or a vector, `jac` its gradient or its Jacobian matrix.
    x0 : array_like
        Where to check; a point at a bound is moved inside.
    bounds, args
        As for `check`.
    kwargs : dict, optional
        Further arguments by name.

    Returns
    -------
    float
        The largest of ``|analytic - numerical| / max(1, |numerical|)``; NaN where a derivative could not be found. For
        a Jacobian matrix of more than 32 rows, of weighted sums of some of them.
    """
    named = kwargs or {}

    def value(x: FloatArray, /, *more: Any) -> Any:
        return fun(x, *more, **named)

    def derivative(x: FloatArray, /, *more: Any) -> Any:
        return jac(x, *more, **named)

    result = check(value, x0, derivative, args=args, bounds=bounds, entries="all")
    errors = [p.abs_error / np.maximum(1, np.abs(p.numerical)) for p in result.parameters]
    return float(np.max(np.concatenate(errors)))


class _Subject:
    """The functions at a point inside the bounds.

    Parameters
    ----------
    users : tuple of callables
        What the user has passed, and what is called with the further arguments.
    """

    def __init__(self, fun: Any, jac: Any, x: FloatArray, args: tuple[Any, ...], bounds: Bounds) -> None:
        self.user_fun, self.user_jac, self.args, self.bounds = fun, jac, args, bounds
        self.x, self.notes = bounds.inward(x) if bounds.are_given else (x, [])
        self.name = argument_names(fun, 1)[0].replace("args[0]", "x")

    @classmethod
    def of(cls, fun: Any, x0: Any, jac: Any, args: Any, bounds: Any) -> _Subject:
        """Validate what can be validated without an evaluation."""
        for role, function in (("fun", fun), ("jac", jac)):
            if not callable(function) and not (role == "jac" and jac is True):
                advice = " There is nothing to check if SciPy takes differences." if role == "jac" else ""
                also = " or True (`fun` returns both)" if role == "jac" else ""
                raise InputError(f"`{role}` must be callable{also}, got {function!r}.{advice}")
        x = _point(x0)
        # SciPy takes a lone argument for a tuple of it
        return cls(fun, jac, x, args if isinstance(args, tuple) else (args,), Bounds(bounds, x.size))

    def compared(self, settings: Settings, hess: Any, hessp: Any) -> CheckResult:
        """Compare everything that was given."""
        first = np.asarray(self.value(self.x))
        if first.size == 1 and np.asarray(_dense(self.derivative(self.x))).size == self.x.size:
            parts = [self._scalar(settings)]
        else:
            parts = [self._vector(settings, first)]
            if hess is not None or hessp is not None:
                raise InputError(f"`hess` and `hessp` need a `fun` that returns a number, got shape {first.shape}.")
        parts += self._second(settings, hess, hessp)
        result = side_by_side(parts)
        return replace(result, notes=tuple(dict.fromkeys((*self.notes, *result.notes))))

    def value(self, x: FloatArray) -> Any:
        """Return what `fun` gives, the gradient left out."""
        returned = self.user_fun(x, *self.args)
        if self.user_jac is not True:
            return returned
        if not isinstance(returned, (tuple, list)) or len(returned) != 2:
            raise InputError(f"with `jac=True`, `fun` must return (value, gradient), got {type(returned).__name__}.")
        return returned[0]

    def derivative(self, x: FloatArray) -> Any:
        """Return the gradient or the Jacobian matrix as it comes."""
        return self.user_fun(x, *self.args)[1] if self.user_jac is True else self.user_jac(x, *self.args)

    def _scalar(self, settings: Settings) -> CheckResult:
        if not self.bounds.are_given:
            # the user's own functions, so that the core can see whether `jac` takes differences of `fun`
            return core_check_grad(
                self.user_fun, self.user_jac, self.x, args=self.args, method="central", **vars(settings)
            )

        def loss(values: dict[str, FloatArray], /) -> Any:
            x = values[self.name]
            return self.value(x) if self.bounds.contain(x) else np.nan

        def gradient(values: dict[str, FloatArray], /) -> Any:
            return {self.name: np.reshape(_dense(self.derivative(values[self.name])), self.x.shape)}

        return core_check_grad(loss, gradient, {self.name: self.x}, method="central", **vars(settings))

    def _vector(self, settings: Settings, first: Any) -> CheckResult:
        if first.ndim != 1:
            raise InputError(f"`fun` must return a number or a vector, got shape {first.shape}.")

        def outputs(x: FloatArray) -> FloatArray:
            inside = self.bounds.contain(x)
            return np.asarray(self.value(x) if inside else np.full(first.shape, np.nan))

        matrix = Matrix(outputs, self.derivative, "jac")
        return compare_matrix(matrix, self.x, settings)

    def _second(self, settings: Settings, hess: Any, hessp: Any) -> list[CheckResult]:
        def gradient(x: FloatArray) -> FloatArray:
            if not self.bounds.contain(x):
                return np.full(x.shape, np.nan)
            return np.asarray(_dense(self.derivative(x))).reshape(-1)

        parts = []
        for role, function in (("hess", hess), ("hessp", hessp)):
            if function is not None and not callable(function):
                raise InputError(
                    f"`{role}` must be callable, got {function!r}. There is nothing to check where SciPy takes "
                    "differences."
                )
        if hess is not None:
            matrix = Matrix(gradient, lambda x: hess(x, *self.args), "hess")
            parts.append(compare_matrix(matrix, self.x, settings))
        if hessp is not None:
            product = Matrix(gradient, None, "hessp", lambda x, p: hessp(x, p, *self.args))
            parts.append(compare_matrix(product, self.x, settings))
        return parts


def _point(x0: Any) -> FloatArray:
    try:
        x = np.atleast_1d(np.array(np.asarray(x0).astype(np.float64, casting="same_kind")))
    except (TypeError, ValueError):
        raise InputError(f"`x0` must be an array of real numbers, got {type(x0).__name__}.") from None
    if x.size == 0:
        raise InputError("`x0` is empty: there is nothing to check.")
    return x.reshape(-1)


def _dense(derivative: Any) -> Any:
    return derivative.toarray() if hasattr(derivative, "toarray") else np.asarray(derivative)


def _row(func: Callable[..., Any], args: Sequence[Any], x: FloatArray, number: int) -> FloatArray:
    """Return the numerical gradient of one output."""

    def output(values: FloatArray, /) -> Any:
        return np.atleast_1d(np.asarray(func(values, *args)))[number]

    return np.asarray(numerical_grad(output, x.copy()))
