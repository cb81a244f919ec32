"""The check itself: validate, evaluate the gradient once, differentiate the loss, compare entry by entry."""

from __future__ import annotations

import enum
import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.errors import GradientMismatch, InputError
from gradcheck.finite_difference import BoolArray, Derivative, Noise, Samples, differentiate
from gradcheck.params import Leaf, Parameters
from gradcheck.result import CheckResult, ParameterResult, Reason, Verdict, summary_table
from gradcheck.step_size import (
    absolute_step,
    coarser,
    coarsest_epsilon,
    parameter_scale,
    relative_step,
    typical_scale,
)
from gradcheck.tolerance import Tolerance, make_tolerance, validate_tolerance

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
Entries = int | Literal["auto", "all"]
Method = Literal["auto", "central"]

ENTRY_BUDGET = 2000
_METHODS = ("auto", "central")
_WORST_ENTRIES = 5
_COARSE_ROUNDOFF = 1e-10
_COARSE_MARGIN = 4.0


def check_grad(
    loss: Callable[..., Any],
    grad: object,
    params: object,
    *,
    args: Sequence[object] = (),
    rtol: float | None = None,
    atol: float | None = None,
    method: str = "auto",
    points: int = 1,
    entries: Entries = "auto",
    workers: None = None,
    seed: int = 0,
) -> CheckResult:
    """Compare an analytic gradient with central differences of the loss.

    Parameters
    ----------
    loss : callable
        Returns the loss, a real scalar.
    grad : callable, True or gradient
        A callable with the same call that returns the gradient; True if `loss` returns ``(value, gradient)``; or the
        gradient itself. It has the structure and shapes of `params`; names may be decorated (``dW1``, ``grad_W1``).
    params : array, float, tuple, list, mapping or dataclass
        Where to check. A tuple or list is passed as ``loss(*params, *args)``, or as one argument where `loss` takes
        only that. A mapping is passed by keyword where the signature names its keys, otherwise as the first
        argument, as is everything else. Containers may be nested. Arrays are perturbed in place, one entry at a time,
        and come back bit for bit, also after an exception.
    args : sequence
        Further positional arguments of `loss` and `grad`.
    rtol, atol : float, optional
        Tolerances; by default rtol is that of the coarsest floating-point type involved (1e-5 for float64) and atol
        is 0. See `gradcheck.tolerance.Tolerance`.
    method : {"auto", "central"}
        How the loss is differentiated.
    points : int
        Number of points. The first is `params`; at the others all parameters are perturbed at random. Needs a `grad`
        that can be evaluated.
    entries : {"auto", "all"} or int
        Largest number of entries to check per parameter, drawn at random where there are more; "auto" means 2,000.
    workers : None
        Reserved.
    seed : int
        Seed of the random entries and points.

    Returns
    -------
    CheckResult
        True in a boolean context if every checked entry matches.

    Raises
    ------
    InputError
        If the input cannot be checked. What `loss` and `grad` raise comes through unchanged.

    Examples
    --------
    >>> import numpy as np
    >>> check_grad(lambda x: np.sum(x**3), lambda x: 3 * x**2, np.array([1.0, 2.0])).passed
    True
    """
    options = _Options.validated(rtol, atol, method, points, entries, workers, seed)
    problem = _Problem.build(loss, grad, params, args)
    if points > 1 and problem.gradient_of is None:
        raise InputError(
            f"`points`={points} needs a gradient that can be evaluated elsewhere: pass a callable (or True) as `grad`, "
            "not an already computed gradient."
        )
    try:
        result = CheckResult.merge(_check_points(problem, options))
        # also those of points that were left out
        return replace(result, evaluations=problem.objective.evaluations)
    finally:
        problem.objective.restore()


def assert_grad(
    loss: Callable[..., Any],
    grad: object,
    params: object,
    *,
    args: Sequence[object] = (),
    rtol: float | None = None,
    atol: float | None = None,
    method: str = "auto",
    points: int = 1,
    entries: Entries = "auto",
    workers: None = None,
    seed: int = 0,
) -> CheckResult:
    """Check a gradient as `check_grad` does, and raise unless it was shown to match.

    Parameters
    ----------
    loss, grad, params, args, rtol, atol, method, points, entries, workers, seed
        As for `check_grad`.

    Returns
    -------
    CheckResult
        A result that passed.

    Raises
    ------
    GradientMismatch
        If an entry does not match, or if an entry could be decided neither way: an assertion must not pass on what
        was not shown. The message holds the tables, the tolerance in effect and the seed.
    InputError
        If the input cannot be checked.
    """
    __tracebackhide__ = True
    result = check_grad(
        loss,
        grad,
        params,
        args=args,
        rtol=rtol,
        atol=atol,
        method=method,
        points=points,
        entries=entries,
        workers=workers,
        seed=seed,
    )
    if not result.passed:
        raise GradientMismatch(failure_message(result))
    return result


def numerical_grad(
    loss: Callable[..., Any],
    params: object,
    *,
    args: Sequence[object] = (),
    method: str = "auto",
    seed: int = 0,
) -> Any:
    """Return the numerical gradient of a loss, in the structure of `params`.

    Parameters
    ----------
    loss, params, args, method, seed
        As for `check_grad`.

    Returns
    -------
    object
        The structure of `params` with float64 arrays and floats; NaN where the loss is not finite nearby.

    Raises
    ------
    InputError
        If the input cannot be differentiated.

    Examples
    --------
    >>> round(numerical_grad(lambda x: x**3, 2.0), 6)
    12.0
    """
    options = _Options.validated(None, None, method, 1, "all", None, seed)
    objective = _Objective(*_resolve_loss(loss, params, args))
    try:
        origin, noise = objective.reference(objective.start())
        grid = _Grid.make(objective.probe.leaves, options)

        def goal(derivative: Derivative) -> tuple[BoolArray, FloatArray]:
            scale, _ = grid.scales(derivative)
            target = 1e-7 * np.maximum(np.abs(derivative.value), 1e-3 * scale)
            return (derivative.error <= target) & (derivative.evaluations > 2), target

        derivative = grid.differentiate(objective, origin, noise, goal)
        return objective.parameters.assemble(grid.split(derivative.value))
    finally:
        objective.restore()


def failure_message(result: CheckResult) -> str:
    """Return what `assert_grad` says about a result that did not pass.

    Parameters
    ----------
    result : CheckResult
        A result whose verdict is mismatch or inconclusive.
    """
    failed = [parameter for parameter in result.parameters if parameter.verdict is result.verdict]
    if result.verdict is Verdict.MISMATCH:
        title = f"the gradient does not match in {len(failed)} of {len(result.parameters)} parameters"
    else:
        title = "nothing was shown to be wrong, but the gradient could not be decided at every entry (inconclusive)"
    lines = [title, "", summary_table(failed), ""]
    for parameter in failed:
        worst = [int(i) for i in parameter.order[:_WORST_ENTRIES] if parameter.verdicts[i] is result.verdict]
        lines += [_entry_line(parameter, position) for position in worst]
    return "\n".join([*lines, "", result.footer])


def _entry_line(parameter: ParameterResult, position: int) -> str:
    index = parameter.index(position)
    reason = parameter.reasons[position]
    return (
        f"{parameter.name}{list(index) if index else ''}: analytic {parameter.analytic[position]:.6g}, "
        f"numerical {parameter.numerical[position]:.6g} +- {parameter.numerical_error[position]:.1g}, "
        f"rel error {parameter.rel_error[position]:.3g}, allowed difference {parameter.tolerance[position]:.1g}"
        + (f" ({reason.sentence})" if reason else "")
    )


# -- options ------------------------------------------------------------------------------------------------------


class _Options(NamedTuple):
    rtol: float | None
    atol: float | None
    points: int
    budget: int | None
    seed: int

    @classmethod
    def validated(
        cls,
        rtol: float | None,
        atol: float | None,
        method: str,
        points: int,
        entries: object,
        workers: object,
        seed: int,
    ) -> _Options:
        """Check all options before anything is evaluated."""
        validate_tolerance("rtol", rtol)
        validate_tolerance("atol", atol)
        if method not in _METHODS:
            raise InputError(f"`method` must be one of {list(_METHODS)}, got {method!r}.")
        if workers is not None:
            raise InputError(
                f"`workers` must be None: this version evaluates one loss after the other, got {workers!r}."
            )
        _require_int("points", points, 1)
        _require_int("seed", seed, 0)
        return cls(rtol, atol, points, _entry_budget(entries), seed)


def _entry_budget(entries: object) -> int | None:
    """Return the largest number of entries per parameter; None for no limit."""
    if isinstance(entries, str) and entries in ("auto", "all"):
        return ENTRY_BUDGET if entries == "auto" else None
    if isinstance(entries, (int, np.integer)) and not isinstance(entries, bool) and entries >= 1:
        return int(entries)
    raise InputError(f'`entries` must be "auto", "all" or an integer of at least 1, got {entries!r}.')


def _require_int(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(f"`{name}` must be an integer of at least {least}, got {value!r}.")


# -- calling the user's functions ---------------------------------------------------------------------------------


class _Form(enum.Enum):
    """How the structure of parameters enters a call."""

    WHOLE = "as the first argument"
    SPREAD = "as separate positional arguments"
    KEYWORDS = "by keyword"


@dataclass(frozen=True)
class _Call:
    """A user's function with the form in which it takes the parameters."""

    function: Callable[..., Any]
    form: _Form
    args: tuple[object, ...]
    keywords: tuple[str, ...] = ()

    def __call__(self, tree: Any) -> Any:
        if self.form is _Form.WHOLE:
            return self.function(tree, *self.args)
        if self.form is _Form.SPREAD:
            return self.function(*tree, *self.args)
        return self.function(**dict(tree), **dict(zip(self.keywords, self.args, strict=True)))


def _resolve_call(function: Any, role: str, tree: object, args: Sequence[object]) -> _Call:
    """Return how `function` is to be called, or raise InputError where no form fits its signature."""
    if not callable(function):
        raise InputError(f"`{role}` must be callable, got {type(function).__name__} {function!r}.")
    signature = _signature(function)
    whole = _Call(function, _Form.WHOLE, tuple(args))
    spread = _Call(function, _Form.SPREAD, tuple(args))
    if signature is None:
        return spread if isinstance(tree, (list, tuple)) else whole
    if isinstance(tree, Mapping):
        candidates = _mapping_calls(whole, signature, tree)
    else:
        candidates = [spread, whole] if isinstance(tree, (list, tuple)) else [whole]
    problems = []
    for call in candidates:
        try:
            # bound beforehand, so that a TypeError raised inside the function is never taken for a wrong signature
            _Call(signature.bind, call.form, call.args, call.keywords)(tree)
        except TypeError as error:
            problems.append(str(error))
        else:
            return call
    raise InputError(
        f"`{role}` cannot be called with `params` {candidates[0].form.value} and {len(args)} further arguments: its "
        f"signature is {signature} ({problems[0]})."
    )


def _resolve_loss(loss: Any, params: object, args: Sequence[object]) -> tuple[_Call, Parameters]:
    if not isinstance(args, (tuple, list)):
        raise InputError(f"`args` must be a tuple of further arguments, got {type(args).__name__}: write (value,).")
    call = _resolve_call(loss, "loss", params, args)
    return call, Parameters(params, *_names(call, params))


def _mapping_calls(whole: _Call, signature: inspect.Signature, tree: Mapping[Any, Any]) -> list[_Call]:
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    named = [p.name for p in signature.parameters.values() if p.kind in (positional, inspect.Parameter.KEYWORD_ONLY)]
    if not all(isinstance(key, str) for key in tree):
        return [whole]
    others = [p.name for p in signature.parameters.values() if p.kind is positional and p.name not in tree]
    keywords = _Call(whole.function, _Form.KEYWORDS, whole.args, tuple(others[: len(whole.args)]))
    if len(keywords.keywords) < len(whole.args):
        return [whole]
    return [keywords, whole] if all(key in named for key in tree) else [whole, keywords]


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _names(call: _Call, tree: object) -> tuple[str, list[str] | None]:
    """Return the name of the structure and those of its children, as the signature of the loss has them."""
    signature = _signature(call.function)
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [p.name for p in signature.parameters.values() if p.kind in plain] if signature else []
    if call.form is _Form.SPREAD and isinstance(tree, (list, tuple)):
        return "params", [found[i] if i < len(found) else f"params[{i}]" for i in range(len(tree))]
    return (found[0] if found and call.form is _Form.WHOLE else "params"), None


class _Randomness:
    """The global random states, brought back before every call once a call is seen to draw from them."""

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = np.random.get_state()  # noqa: NPY002 - the user's code may draw from the legacy global state
        self.frozen = False

    def rewind(self) -> None:
        """Bring the states back to where the check began."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)  # noqa: NPY002

    def freeze_if_used(self) -> None:
        """From now on rewind before every call, if something has been drawn."""
        now, then = np.random.get_state(), self._numpy  # noqa: NPY002
        same = all(np.array_equal(a, b) for a, b in zip(now, then, strict=True))
        self.frozen = self.frozen or not same or random.getstate() != self._python


class _Objective:
    """The loss and the gradient as functions of the parameters as they stand.

    Differences are taken on `probe`: the caller's parameters, or float64 copies of coarser ones, see `reference`.
    """

    def __init__(
        self, loss: _Call, parameters: Parameters, gradient: _Call | None = None, *, joint: bool = False
    ) -> None:
        self.parameters = self.probe = parameters
        self.evaluations = 0
        self.dtype: np.dtype[Any] = np.dtype(np.float64)
        self._loss, self._gradient, self._joint = loss, gradient, joint
        self._randomness = _Randomness()

    def value(self) -> float:
        """Return the loss at the probe."""
        return self._value_at(self.probe)

    def value_of_caller(self) -> float:
        """Return the loss at the caller's parameters."""
        return self._value_at(self.parameters)

    def start(self) -> float:
        """Return the loss at the point, after a first call under supervision.

        Raises
        ------
        InputError
            If the loss is not a finite scalar, or changes the parameters.
        """
        first = self._loss_at(self.parameters)
        self.forbid_changes("loss")
        self._randomness.freeze_if_used()
        origin = _scalar(first)
        self.dtype = np.asarray(first).dtype
        if self._randomness.frozen:
            origin = self.value_of_caller()
        if not np.isfinite(origin):
            raise InputError(f"the loss must be finite at the point that is checked, got {origin}.")
        return origin

    def gradient(self) -> Any:
        """Return the analytic gradient at the caller's parameters, as the user's function gives it.

        To be called right after the loss there: a backward pass may read what the forward pass has left behind.
        """
        if self._gradient is None:
            self.evaluations += 1
            return _split(self._call(self._loss, self.parameters))[1]
        return self._call(self._gradient, self.parameters)

    def reference(self, origin: float) -> tuple[float, Noise]:
        """Choose the probe; return the loss there and how far its values may be off.

        Code in float32 is best judged by the same loss at the same point in float64. Float64 copies of the parameters
        serve where the loss is seen to read them, and to compute with them in float64.

        Parameters
        ----------
        origin : float
            The loss at the caller's parameters.
        """
        leaves = self.parameters.leaves
        dtypes = [*(leaf.dtype for leaf in leaves), self.dtype]
        if any(np.finfo(leaf.dtype).eps > np.finfo(np.float64).eps for leaf in leaves):
            wide = Parameters(self.parameters.assemble([leaf.values() for leaf in leaves]))
            if self._can_stand_in(wide, origin, coarsest_epsilon(dtypes)):
                self.probe = wide
                dtypes = [leaf.dtype for leaf in wide.leaves]
                origin = self.value()
        again = [self.value()]
        if again[0] != origin:
            again += [self.value() for _ in range(6)]
        floor = 2 * (max(origin, *again) - min(origin, *again))
        return origin, Noise(coarsest_epsilon(dtypes) / 2, floor)

    def move(self, values: Sequence[FloatArray]) -> None:
        """Set all parameters, the caller's and the probe's.

        Parameters
        ----------
        values : sequence of float array
            Flat values, one array per leaf.
        """
        for leaf, twin, flat in zip(self.parameters.leaves, self.probe.leaves, values, strict=True):
            leaf.write(flat)
            if twin is not leaf:
                twin.write(leaf.values())

    def forbid_changes(self, role: str) -> None:
        """Raise InputError if the user's function `role` has changed a parameter."""
        changed = self.parameters.changed()
        if changed:
            raise InputError(
                f"`{role}` changes the parameters it is given ({', '.join(changed)}); they were brought back. Let it "
                "work on copies, or take the update out of the function."
            )

    def restore(self) -> None:
        """Bring back parameters and random states to what they were before the check."""
        self.parameters.restore()
        self._randomness.rewind()

    def _call(self, call: _Call, parameters: Parameters) -> Any:
        if self._randomness.frozen:
            self._randomness.rewind()
        return call(parameters.tree())

    def _loss_at(self, parameters: Parameters) -> Any:
        self.evaluations += 1
        returned = self._call(self._loss, parameters)
        return _split(returned)[0] if self._joint else returned

    def _value_at(self, parameters: Parameters) -> float:
        return _scalar(self._loss_at(parameters))

    def _can_stand_in(self, wide: Parameters, origin: float, epsilon: float) -> bool:
        """Tell whether the loss reads the float64 copies `wide`, as it does the originals, and computes in float64."""
        try:
            value = self._value_at(wide)
            slack = 50 * epsilon * abs(origin)
            return (
                abs(value - origin) <= slack
                and self._resolves_tiny_changes(wide, value)
                and all(
                    self._agree_on_change(leaf, twin, wide, origin, value, slack)
                    for leaf, twin in zip(self.parameters.leaves, wide.leaves, strict=True)
                )
            )
        except Exception:  # noqa: BLE001 - whatever a loss raises when handed float64, the originals serve then
            return False

    def _resolves_tiny_changes(self, wide: Parameters, value: float) -> bool:
        """Tell whether a change of 1e-8 in all parameters shows in the loss as half of a change of 2e-8."""
        start = [leaf.values() for leaf in wide.leaves]
        rng = np.random.default_rng(0)
        directions = [parameter_scale(x) * rng.uniform(0.6, 1, x.size) * rng.choice([-1, 1], x.size) for x in start]
        changes = []
        for factor in (1e-8, 2e-8):
            for leaf, x, direction in zip(wide.leaves, start, directions, strict=True):
                leaf.write(x + factor * direction)
            changes.append(self._value_at(wide) - value)
        for leaf, x in zip(wide.leaves, start, strict=True):
            leaf.write(x)
        return abs(changes[1] - 2 * changes[0]) <= 0.01 * abs(changes[1]) and changes[0] != 0

    def _agree_on_change(
        self, leaf: Leaf, twin: Leaf, wide: Parameters, origin: float, value: float, slack: float
    ) -> bool:
        """Tell whether a change of one parameter changes the loss alike in both precisions."""
        start = leaf.values()
        try:
            leaf.write(start + 0.1 * parameter_scale(start) * np.random.default_rng(1).uniform(0.5, 1, start.size))
            twin.write(leaf.values())
            change = self.value_of_caller() - origin
            wide_change = self._value_at(wide) - value
        finally:
            leaf.write(start)
            twin.write(start)
        return abs(change - wide_change) <= slack + 1e-2 * abs(change)


def _split(returned: object) -> tuple[Any, Any]:
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise InputError(f"with `grad=True` the loss must return (value, gradient), got {_shown(returned)}.")
    return returned[0], returned[1]


def _scalar(value: Any) -> float:
    """Return a loss as a float, or raise InputError if it is not one real number."""
    if type(value) is float:
        return value
    if isinstance(value, (tuple, list, dict, str)) or value is None:
        advice = " Pass grad=True if it returns (value, gradient)." if isinstance(value, tuple) else ""
        raise InputError(f"the loss must be one real number, got {_shown(value)}.{advice}")
    array = np.asarray(value)
    if array.size != 1:
        raise InputError(
            f"the loss must be a scalar, got an array of shape {array.shape}. Did you mean its sum or mean?"
        )
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise InputError(f"the loss must be one real number, got {_shown(value)} of type {array.dtype}.")
    return float(array.reshape(-1)[0])


def _shown(value: object) -> str:
    length = f" of length {len(value)}" if isinstance(value, (tuple, list, dict)) else ""
    return f"{type(value).__name__}{length}"


@dataclass(frozen=True)
class _Problem:
    """Validated input: the objective, and where the gradient comes from."""

    objective: _Objective
    gradient_of: str | None
    given: list[FloatArray] | None
    given_dtypes: list[np.dtype[Any]]

    @classmethod
    def build(cls, loss: Any, grad: object, params: object, args: Sequence[object]) -> _Problem:
        """Validate everything that can be validated without an evaluation."""
        loss_call, parameters = _resolve_loss(loss, params, args)
        if grad is True:
            return cls(_Objective(loss_call, parameters, joint=True), "loss", None, [])
        if callable(grad):
            gradient_call = _resolve_call(grad, "grad", params, args)
            return cls(_Objective(loss_call, parameters, gradient_call), "grad", None, [])
        if grad is None:
            raise InputError("`grad` must be a callable, True (`loss` returns both) or a gradient, got None.")
        return cls(_Objective(loss_call, parameters), None, *parameters.match_gradient(grad))

    def gradient(self) -> tuple[list[FloatArray], list[np.dtype[Any]]]:
        """Return the analytic gradient at the parameters as they stand, per leaf, and the types it came in."""
        if self.given is not None:
            return self.given, self.given_dtypes
        return self.objective.parameters.match_gradient(self.objective.gradient())


# -- points and entries -------------------------------------------------------------------------------------------


def _check_points(problem: _Problem, options: _Options) -> list[CheckResult]:
    objective = problem.objective
    start = objective.start()
    gradients, dtypes = problem.gradient()
    if problem.gradient_of is not None:
        objective.forbid_changes(problem.gradient_of)
    tolerance = make_tolerance(options.rtol, options.atol, _float_dtypes(objective, dtypes))
    origin, noise = objective.reference(start)
    results = [_check_point(objective, options, tolerance, origin, noise, gradients, dtypes)]
    home = [leaf.values() for leaf in objective.parameters.leaves]
    for point in range(1, options.points):
        rng = np.random.default_rng([options.seed, point])
        shifts = [rng.normal(size=values.size) * _spread(values) for values in home]
        for shrink in (1.0, 0.25, 0.0625):
            objective.move([values + shrink * shift for values, shift in zip(home, shifts, strict=True)])
            objective.value_of_caller()
            gradients, _ = problem.gradient()
            origin = objective.value()
            if np.isfinite(origin) and all(np.isfinite(gradient).all() for gradient in gradients):
                results.append(_check_point(objective, options, tolerance, origin, noise, gradients, dtypes))
                break
        objective.move(home)
    return results


def _float_dtypes(objective: _Objective, dtypes: Sequence[np.dtype[Any]]) -> list[np.dtype[Any]]:
    every = [*dtypes, objective.dtype, *(leaf.dtype for leaf in objective.parameters.leaves)]
    return [dtype for dtype in every if np.issubdtype(dtype, np.floating)]


def _spread(values: FloatArray) -> float:
    """Return the standard deviation with which a parameter is perturbed for a further point."""
    size = max(float(np.std(values)), float(np.median(np.abs(values))))
    return 0.3 * size if size > 0 else 0.15


@dataclass(frozen=True)
class _Grid:
    """The entries under test, of all parameters in one row: arrays of shape (entries,)."""

    leaves: Sequence[Leaf]
    owner: IntArray
    index: IntArray

    @classmethod
    def make(cls, leaves: Sequence[Leaf], options: _Options) -> _Grid:
        """Choose the entries: all of a parameter up to the budget, beyond it a seeded random sample."""
        chosen = []
        for k, leaf in enumerate(leaves):
            if options.budget is None or leaf.size <= options.budget:
                chosen.append(np.arange(leaf.size))
            else:
                rng = np.random.default_rng([options.seed, k])
                chosen.append(np.sort(rng.choice(leaf.size, size=options.budget, replace=False)))
        owner = np.repeat(np.arange(len(leaves)), [part.size for part in chosen])
        return cls(leaves, owner, np.concatenate(chosen))

    def gather(self, per_leaf: Sequence[FloatArray]) -> FloatArray:
        """Return the chosen entries of flat arrays, one array per leaf."""
        return np.concatenate([values[self.index[self.owner == k]] for k, values in enumerate(per_leaf)])

    def split(self, values: FloatArray) -> list[FloatArray]:
        """Return the entries per leaf."""
        return [values[self.owner == k] for k in range(len(self.leaves))]

    def scale(self) -> FloatArray:
        """Return the natural scale of each entry at the parameters as they stand."""
        return self.gather([parameter_scale(leaf.values()) for leaf in self.leaves])

    def scales(self, derivative: Derivative) -> tuple[FloatArray, float]:
        """Return the gradient scale of each entry's parameter, and the largest influence of any entry on the loss.

        Both count only what exceeds the error bound. Influence is derivative times natural scale of the entry, which
        can be compared between parameters of different units.
        """
        certain = np.nan_to_num(np.maximum(np.abs(derivative.value) - derivative.error, 0.0), nan=0.0, posinf=0.0)
        largest = np.zeros(len(self.leaves))
        np.maximum.at(largest, self.owner, certain)
        return largest[self.owner], float(np.max(certain * self.scale()))

    def differentiate(
        self,
        objective: _Objective,
        origin: float,
        noise: Noise,
        goal: Callable[[Derivative], tuple[BoolArray, FloatArray]],
    ) -> Derivative:
        """Differentiate the loss with respect to the chosen entries, as the parameters stand."""
        dtypes = [leaf.dtype for leaf in self.leaves]
        coarsest = [
            dtype if objective.probe is not objective.parameters else coarser(dtype, objective.dtype)
            for dtype in dtypes
        ]
        relative = [relative_step(dtype) for dtype in coarsest]
        values = [leaf.values() for leaf in self.leaves]
        first = [absolute_step(x, dtype, relative=rel) for x, dtype, rel in zip(values, dtypes, relative, strict=True)]
        epsilons = [coarsest_epsilon([dtype]) for dtype in dtypes]
        typical = [rel * typical_scale(x) for x, rel in zip(values, relative, strict=True)]
        return differentiate(
            self._sampler(objective),
            origin,
            self.gather(first),
            size=self.gather([np.abs(x) for x in values]),
            smallest=self.gather([64 * eps * np.abs(x) for x, eps in zip(values, epsilons, strict=True)]),
            typical=np.array(typical)[self.owner],
            largest=np.maximum(1.0, self.gather([np.maximum(np.abs(x), typical_scale(x)) for x in values])),
            noise=noise,
            goal=goal,
        )

    def _sampler(self, objective: _Objective) -> Callable[[IntArray, FloatArray], Samples]:
        """Return the function that evaluates the loss on both sides of entries, one after the other."""

        def sample(entries: IntArray, steps: FloatArray) -> Samples:
            rows = [
                _two_sided(objective, self.leaves[self.owner[entry]], int(self.index[entry]), step)
                for entry, step in zip(entries.tolist(), steps.tolist(), strict=True)
            ]
            return Samples(*np.array(rows, dtype=np.float64).reshape(-1, 3).T)

        return sample


def _two_sided(objective: _Objective, leaf: Leaf, i: int, step: float) -> tuple[float, float, float]:
    """Return the loss above and below one entry, and half the distance between the two, as stored."""
    saved = leaf.get(i)
    try:
        leaf.put(i, saved + step)
        upper = leaf.get(i)
        plus = objective.value()
        leaf.put(i, saved - step)
        lower = leaf.get(i)
        minus = objective.value()
    finally:
        leaf.put(i, saved)
    # the difference of coarser types is exact in float64; that of long doubles is not
    exact = upper - lower if isinstance(saved, np.longdouble) else float(upper) - float(lower)
    return plus, minus, 0.5 * float(exact)


# -- judging ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judgement:
    """Verdict of each entry on the evidence so far; arrays of shape (entries,).

    Parameters
    ----------
    severity : int array
        0 match, 1 inconclusive, 2 mismatch.
    reasons : array of Reason or None
        Why.
    allowed : float array
        Largest accepted difference.
    settled : bool array
        True where more evaluations are not worth their cost.
    target : float array
        Error that would settle the others.
    """

    severity: IntArray
    reasons: npt.NDArray[np.object_]
    allowed: FloatArray
    settled: BoolArray
    target: FloatArray


def judge(
    analytic: FloatArray,
    derivative: Derivative,
    tolerance: Tolerance,
    *,
    gradient_scale: FloatArray,
    influence: float,
    entry_scale: FloatArray,
    zero: FloatArray,
    noise: Noise,
) -> Judgement:
    """Compare analytic with numerical derivatives.

    An entry is a mismatch only if the difference exceeds the allowed one plus the error bound; a match only if it does
    not and the bound is small against the gradient; otherwise it is inconclusive. Every pass is a comparison that must
    be true, so NaN never passes.

    Parameters
    ----------
    analytic : float array, shape (entries,)
        The gradient under test.
    derivative : Derivative
        The numerical derivatives.
    tolerance : Tolerance
        The tolerance in effect.
    gradient_scale : float array, shape (entries,)
        Largest numerical derivative of the parameter that an entry belongs to.
    influence : float
        Largest ``derivative * scale`` of any entry of any parameter.
    entry_scale : float array, shape (entries,)
        Natural scale of each entry.
    zero : float array, shape (entries,)
        Relative size below which an analytic derivative is zero up to its own round-off.
    noise : Noise
        Error of single values of the loss; tells randomness from round-off.
    """
    d, bound = derivative, derivative.error
    # coarse arithmetic needs steps so long that several kinks fall between them, which the bound can understate
    margin = _COARSE_MARGIN if d.unit_roundoff > _COARSE_ROUNDOFF else 1.0
    with np.errstate(all="ignore"):
        allowed = tolerance.allowed(analytic, d.value, gradient_scale)
        difference = np.abs(analytic - d.value)
        within = difference <= allowed + bound
        coarse = tolerance.resolution * gradient_scale
        resolved = bound <= np.maximum(allowed, coarse)
        at_kink = (d.kink > 0) & within & (bound - d.kink <= np.maximum(allowed, 0.1 * d.kink))
        is_zero = (np.abs(analytic) * entry_scale <= zero * influence) & (np.abs(d.value) <= bound)
        is_zero &= (bound * entry_scale <= tolerance.resolution * influence) & (d.evaluations > 2)
        finite = np.isfinite(analytic)
        match = finite & ((within & resolved) | at_kink | is_zero)
        mismatch = ~finite | (np.isfinite(d.value) & np.isfinite(bound) & (difference > allowed + margin * bound))
        quick = match & (difference <= allowed) & (bound <= allowed)
        clear = (bound <= 0.1 * coarse) & (d.evaluations > 2)
        # a verdict against the code is confirmed at a third step
        settled = quick | (match & (clear | at_kink | is_zero)) | ~finite | (mismatch & (d.evaluations >= 6))
        target = np.fmax(allowed, 0.25 * difference)
    severity = np.where(mismatch, 2, np.where(match, 0, 1)).astype(np.intp)
    small = bound <= np.maximum(allowed, tolerance.resolution * np.maximum(np.abs(analytic), np.abs(d.value)))
    explained = _doubts(derivative, noise)
    explained[match] = Reason.ZERO
    explained[match & resolved] = Reason.COARSE
    explained[match & resolved & small] = None
    explained[match & at_kink] = Reason.KINK
    explained[mismatch] = None
    explained[~finite] = Reason.NON_FINITE_GRADIENT
    return Judgement(severity, explained, allowed, settled, target)


def _doubts(derivative: Derivative, noise: Noise) -> npt.NDArray[np.object_]:
    """Return why each entry could not be decided."""
    d = derivative
    random_or_noise = Reason.RANDOM if noise.floor > 0 else Reason.NOISE
    with np.errstate(all="ignore"):
        cases = [~np.isfinite(d.value), d.suspect > 0.3 * d.error, d.noise >= 0.3 * d.error]
    reasons = [Reason.NON_FINITE_LOSS, Reason.KINK, random_or_noise]
    chosen = np.full(d.value.size, Reason.UNSETTLED, dtype=object)
    for case, reason in reversed(list(zip(cases, reasons, strict=True))):
        chosen[case] = reason
    return chosen


def _check_point(
    objective: _Objective,
    options: _Options,
    tolerance: Tolerance,
    origin: float,
    noise: Noise,
    gradients: Sequence[FloatArray],
    dtypes: Sequence[np.dtype[Any]],
) -> CheckResult:
    """Check the parameters as they stand."""
    before = objective.evaluations
    grid = _Grid.make(objective.probe.leaves, options)
    analytic = grid.gather(gradients)
    zero = np.array([1e3 * coarsest_epsilon([dtype]) for dtype in dtypes])[grid.owner]
    entry_scale = grid.scale()

    def judged(derivative: Derivative) -> Judgement:
        gradient_scale, influence = grid.scales(derivative)
        return judge(
            analytic,
            derivative,
            tolerance,
            gradient_scale=gradient_scale,
            influence=influence,
            entry_scale=entry_scale,
            zero=zero,
            noise=noise,
        )

    def goal(derivative: Derivative) -> tuple[BoolArray, FloatArray]:
        judgement = judged(derivative)
        return judgement.settled, judgement.target

    derivative = grid.differentiate(objective, origin, noise, goal)
    names = [leaf.name for leaf in objective.parameters.leaves]
    parameters = _parameter_results(grid, names, analytic, derivative, judged(derivative))
    return CheckResult(parameters, tolerance, objective.evaluations - before, 1, options.seed)


def _parameter_results(
    grid: _Grid, names: Sequence[str], analytic: FloatArray, derivative: Derivative, judgement: Judgement
) -> tuple[ParameterResult, ...]:
    with np.errstate(invalid="ignore"):
        # two evaluations show no truncation error, but agreement with the gradient says that it is no larger
        agreed = derivative.error + np.abs(analytic - derivative.value)
    error = np.where((derivative.evaluations == 2) & np.isfinite(agreed), agreed, derivative.error)
    verdicts = (Verdict.MATCH, Verdict.INCONCLUSIVE, Verdict.MISMATCH)
    results = []
    for k, (name, leaf) in enumerate(zip(names, grid.leaves, strict=True)):
        mine = np.flatnonzero(grid.owner == k)
        results.append(
            ParameterResult(
                name=name,
                shape=leaf.shape,
                indices=grid.index[mine],
                analytic=analytic[mine],
                numerical=derivative.value[mine],
                numerical_error=error[mine],
                verdicts=tuple(verdicts[severity] for severity in judgement.severity[mine]),
                reasons=tuple(judgement.reasons[mine]),
                tolerance=judgement.allowed[mine],
            )
        )
    return tuple(results)
