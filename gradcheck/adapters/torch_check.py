"""One check of PyTorch code: the steps, in their order, and what is told about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gradcheck.adapters.batching import not_batched
from gradcheck.adapters.compare import side_by_side
from gradcheck.adapters.problem import Settings
from gradcheck.adapters.torch_compare import (
    Backward,
    along_inputs,
    computes_in_single,
    disagreements,
)
from gradcheck.adapters.torch_products import BackwardError, Outputs, as_arrays
from gradcheck.adapters.torch_special import (
    forbid_other_batched,
    forbid_other_batched_forward,
    second_order,
    undefined_outputs,
)
from gradcheck.adapters.torch_state import Lent, Reached
from gradcheck.adapters.torch_subject import Subject, Target, reached_by, tensors_in, unchecked
from gradcheck.checker.result import CheckResult, ParameterResult
from gradcheck.checker.tolerance import Tolerance
from gradcheck.checker.verdict import Verdict
from gradcheck.errors import InputError


@dataclass(frozen=True)
class Plan:
    """What a check consists of.

    Parameters
    ----------
    order : {1, 2}
        Whether to check second derivatives too.
    forward : bool or "auto"
        Whether to check forward mode; "auto" where a Function defines it.
    nondet_tol : float, optional
        How far two backward passes at one point may differ; by default as far as the tolerance allows.
    undefined : {"several", "always", "never"}
        Whether to leave outputs without a gradient: where there are several of them, also where there is one, or not.
    balanced : bool
        Whether several outputs are brought to one magnitude.
    batched, batched_forward : bool
        Whether derivatives under ``torch.vmap`` are compared with single ones.
    same_dtypes : bool
        Whether gradients must be of the type of their tensors.
    """

    settings: Settings = field(default_factory=Settings)
    order: int = 1
    backward: bool = True
    forward: bool | Literal["auto"] = "auto"
    nondet_tol: float | None = None
    undefined: Literal["several", "always", "never"] = "several"
    balanced: bool = True
    batched: bool = False
    batched_forward: bool = False
    same_dtypes: bool = False


def examine(what: Any, inputs: Sequence[Any], loss: Any, plan: Plan) -> CheckResult:
    """Check a function in double precision, or in its own where it does not work in that."""
    target = Target.of(what)
    reached = reached_by(what, inputs, loss)
    notes = unchecked(target, reached, inputs)
    try:
        return _examined(target, reached, inputs, loss, plan, notes)
    except _DoesNotWork as failed:
        cause = failed.cause
    if not _has_coarse(inputs, reached):
        raise cause
    said = str(cause).partition("\n")[0][:100]
    notes.append(
        f"in double precision the function raises {type(cause).__name__} ({said}); it was checked in single precision, "
        "in which small mistakes cannot be seen"
    )
    return _examined(target, reached, inputs, loss, plan, notes, double=False)


def _first_unless_worse(results: Sequence[CheckResult]) -> CheckResult:
    """Return the first result, with those parameters of the others that came out worse."""
    merged = CheckResult.merge(results)
    pairs = zip(results[0].parameters, merged.parameters, strict=True)
    kept = tuple(first if first.verdict is worst.verdict else worst for first, worst in pairs)
    return replace(merged, parameters=kept, points=results[0].points)


class _DoesNotWork(Exception):
    """A function has raised when it was first called."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _examined(
    target: Target,
    reached: Reached,
    inputs: Sequence[Any],
    loss: Any,
    plan: Plan,
    notes: Sequence[str],
    *,
    double: bool = True,
) -> CheckResult:
    with Lent(reached, double) as lent:
        subject = Subject.of(target, inputs, loss, lent, double)
        subject.notes += notes
        try:
            outputs = Outputs(subject, plan.settings.seed, balanced=plan.balanced)
            if plan.backward:
                first = Backward(subject, outputs, plan.settings, is_single=False).gradient(outputs.weights(0))
                _forbid_other_dtypes(subject, first, plan)
        except InputError:
            raise
        except Exception as error:
            if not double:
                raise
            raise _DoesNotWork(error) from error
        return _Examination(subject, outputs, plan, target.has_jvp, double, has_loss=loss is not None).result()


def _has_coarse(inputs: Sequence[Any], reached: Reached) -> bool:
    """Tell whether anything that the function computes with is coarser than double precision."""
    own = [t for module in reached.modules for t in (*module.parameters(), *module.buffers())]
    tensors = tensors_in([list(inputs), own, reached.tensors])
    return any(t.dtype.itemsize < (16 if t.is_complex() else 8) for t in tensors)


def _forbid_other_dtypes(subject: Subject, found: Sequence[Any], plan: Plan) -> None:
    for variable, gradient in zip(subject.variables, found, strict=True):
        if plan.same_dtypes and gradient is not None and gradient.dtype != variable.leaf.dtype:
            raise BackwardError(
                f"the gradient of `{variable.name}` must be of its type {variable.leaf.dtype}, got {gradient.dtype}."
            )


@dataclass
class _Examination:
    """A check whose function has been seen to work."""

    subject: Subject
    outputs: Outputs
    plan: Plan
    has_jvp: bool
    double: bool
    has_loss: bool

    def result(self) -> CheckResult:
        settings = self.plan.settings
        self.is_single = self.double and computes_in_single(self.subject, self.outputs, settings.seed)
        weights = self.outputs.weights(0)
        parts = [self._backward(weights)] if self.plan.backward else []
        if self.plan.forward is True or (self.plan.forward == "auto" and self.has_jvp):
            along = along_inputs(self.subject, self.outputs, weights, settings, self._gradient if parts else None)
            if along is not None:
                parts.append(along)
            if self.plan.batched_forward:
                forbid_other_batched_forward(self.subject, self.outputs)
        if not parts:
            raise InputError("neither forward nor backward mode was checked: ask for one of them.")
        if self.plan.order == 2:
            parts.append(self._second(weights))
        result = side_by_side(parts)
        return replace(result, notes=tuple(dict.fromkeys((*self._notes(), *result.notes))))

    def _backward(self, weights: Sequence[Any]) -> CheckResult:
        backward = Backward(self.subject, self.outputs, self.plan.settings, self.is_single)
        if self.plan.settings.vectorized and (why := backward.objection()):
            self.subject.notes.append(not_batched(why))
            backward = Backward(
                self.subject, self.outputs, replace(self.plan.settings, vectorized=False), self.is_single
            )
        found = backward.gradient(weights)
        self._gradient = as_arrays(self.subject, found)
        # a product that is wrong in the same way for all weights, or depends on them otherwise than linearly, is seen
        # with others; with a loss, what comes back is always 1
        results = [backward.compare(self.outputs.weights(k)) for k in ((0,) if self.has_loss else (0, 1))]
        result = self._with_absent(_first_unless_worse(results), found)
        rows, notes = self._second_run(backward, weights, result.tolerance)
        if self.plan.undefined != "never":
            alone = self.plan.undefined == "always"
            others = undefined_outputs(self.subject, self.outputs, weights, result.tolerance, alone=alone)
            rows, notes = rows + others[0], notes + others[1]
        if self.plan.batched:
            forbid_other_batched(self.subject, self.outputs)
        return replace(result, parameters=(*result.parameters, *rows), notes=(*result.notes, *notes))

    def _with_absent(self, result: CheckResult, found: Sequence[Any]) -> CheckResult:
        """Say of which wrong gradients there is none."""
        wrong = {parameter.name for parameter in result.parameters if parameter.verdict is not Verdict.MATCH}
        absent = [
            variable.name
            for variable, gradient in zip(self.subject.variables, found, strict=True)
            if gradient is None and wrong & set(variable.arrays())
        ]
        notes = [
            f"no gradient comes back to `{name}` (None), although the outputs depend on it: something on the way is "
            "detached, computed outside of PyTorch, or a backward pass returns None"
            for name in absent
        ]
        return replace(result, notes=(*result.notes, *notes))

    def _second_run(
        self, backward: Backward, weights: Sequence[Any], tolerance: Tolerance
    ) -> tuple[list[ParameterResult], list[str]]:
        """Compare two backward passes at the same point."""
        again = as_arrays(self.subject, backward.gradient(weights))
        apart = max(
            (float(abs(one - again[name]).max(initial=0.0)) for name, one in self._gradient.items()), default=0.0
        )
        if not apart > 0:
            return [], []
        allowed = tolerance if self.plan.nondet_tol is None else Tolerance(0.0, self.plan.nondet_tol)
        rows = disagreements(again, self._gradient, allowed, " (second run)")
        return rows, [f"the backward pass is not deterministic: two runs at one point are up to {apart:.2g} apart"]

    def _second(self, weights: Sequence[Any]) -> CheckResult:
        settings = replace(self.plan.settings, points=1, curves=False, vectorized=False)
        subject = second_order(self.subject, self.outputs, weights)
        outputs = Outputs(subject, settings.seed + 1, every=True)
        backward = Backward(subject, outputs, settings, self.is_single)
        result = backward.compare(outputs.weights(1))
        if all(gradient is None for gradient in backward.gradient(outputs.weights(1))):
            note = (
                "the backward pass cannot be differentiated: it is detached, marked with once_differentiable, or "
                "computed outside of PyTorch"
            )
            result = replace(result, notes=(*result.notes, note))
        named = tuple(replace(p, name=f"{p.name} (order 2)") for p in result.parameters)
        return replace(result, parameters=named)

    def _notes(self) -> list[str]:
        notes = list(self.subject.notes)
        if self.outputs.is_detached:
            notes.append("no gradient leads back from the outputs (none of them requires one): it was taken for zero")
        if self.outputs.left_out:
            listed = ", ".join(map(str, self.outputs.left_out))
            notes.append(f"outputs without a gradient were not checked (counted from 0: {listed})")
        if self.outputs.has_drawn:
            notes.append("random numbers are drawn; the same ones were drawn in every call")
        if self.is_single:
            notes.append("the outputs have no more digits than float32 although the inputs are float64")
        return notes
