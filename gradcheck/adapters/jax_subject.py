"""One check of JAX code: in double precision, or in its own where it does not work in that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck.adapters.compare import available, examine
from gradcheck.adapters.jax_function import JaxFunction, double_precision, is_without_forward_mode
from gradcheck.adapters.jax_tree import Tree, real_outputs
from gradcheck.adapters.problem import Problem, Settings, settled_argnums, settled_modes
from gradcheck.checker.result import CheckResult
from gradcheck.errors import InputError


@dataclass(frozen=True)
class Plan:
    """What a check consists of.

    Parameters
    ----------
    argnums : int, sequence of int or None
        Which arguments are differentiated; None for all.
    strict : bool
        Whether it is an error if a function has no forward mode.
    """

    settings: Settings = field(default_factory=Settings)
    modes: tuple[str, ...] = ("rev", "fwd")
    order: int = 1
    argnums: int | Sequence[int] | None = None
    strict: bool = False


def examined(function: Callable[..., Any], args: Sequence[Any], plan: Plan) -> CheckResult:
    """Check a JAX function."""
    if not callable(function):
        raise InputError(f"`function` must be callable, got {type(function).__name__}.")
    modes = settled_modes(plan.modes, plan.order)
    # what custom_vjp and custom_jvp declare as not differentiable must stay as it is
    fixed = getattr(function, "nondiff_argnums", ())
    tree = Tree(function, args, settled_argnums(plan.argnums, len(args), fixed))
    flat = JaxFunction.of(function, tree, forward_only="rev" not in modes)

    def attempt(problem: Problem) -> tuple[Plan, list[str]]:
        return _tried(problem, plan, function, tree, flat)

    return in_best_precision(tree, flat.problem, attempt)


def in_best_precision(
    tree: Tree,
    problem_at: Callable[[Any], Problem],
    attempt: Callable[[Problem], tuple[Plan, list[str]]],
) -> CheckResult:
    """Compare in float64, or in the function's own precision where it raises in float64."""
    with double_precision():
        problem = problem_at(tree.arrays(double=True))
        try:
            plan, notes = attempt(problem)
        except InputError:
            raise
        except Exception as error:
            if all(leaf.dtype in (np.float64, np.complex128) for leaf in tree.leaves):
                raise
            failed = error
        else:
            return examine(problem, plan.settings, modes=plan.modes, order=plan.order, notes=notes)
    problem = problem_at(tree.arrays(double=False))
    plan, notes = attempt(problem)
    said = str(failed).partition("\n")[0][:100]
    notes.append(
        f"in float64 the function raises {type(failed).__name__} ({said}); it was checked in its own precision, in "
        "which small mistakes cannot be seen"
    )
    return examine(problem, plan.settings, modes=plan.modes, order=plan.order, notes=notes)


def _tried(problem: Problem, plan: Plan, function: Any, tree: Tree, flat: JaxFunction) -> tuple[Plan, list[str]]:
    """Call everything once."""
    notes = []
    outputs = problem.outputs(problem.arrays)
    others = real_outputs(function(*tree.args(flat.placed(problem.arrays))))[1]
    if others and outputs:
        notes.append(f"{others} of the outputs are no floating-point numbers and have no derivative")
    why = "a custom_vjp function has none"
    modes, said = available(problem, plan.modes, is_without_forward_mode, why, strict=plan.strict)
    return replace(plan, modes=modes), notes + said
