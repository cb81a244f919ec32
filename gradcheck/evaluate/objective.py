"""The loss and its analytic gradient, as functions of the parameters as they stand."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gradcheck.errors import InputError
from gradcheck.evaluate.arguments import Arguments
from gradcheck.evaluate.calls import Call, resolve_call
from gradcheck.evaluate.displacement import Displacement, everywhere
from gradcheck.evaluate.engine import Engine, Means
from gradcheck.evaluate.gradient import Gradient, match_gradient
from gradcheck.evaluate.loss import Loss, scalar, split_pair
from gradcheck.evaluate.params import Parameters
from gradcheck.evaluate.random_state import Randomness
from gradcheck.evaluate.self_difference import CallCounter
from gradcheck.evaluate.shadow import float64_shadow
from gradcheck.numerics.arrays import FloatArray, same_bits
from gradcheck.numerics.noise import Noise
from gradcheck.numerics.step_size import coarsest_epsilon, parameter_scale

_HERE = Means()
# of a change of the loss: two ways to call it that differ by less do not differ
_PART = 0.01
# in units of the natural scale
_AWAY = 1e-3


class Objective:
    """The user's loss and gradient with the parameters that they are evaluated at.

    Differences are taken on `probe`: the caller's parameters, or float64 copies of coarser ones, see `reference`.
    Where the functions draw random numbers, the generators, the global ones and those that can be reached from the
    functions, are brought back before every call.

    Parameters
    ----------
    means : Means
        By what means the loss is evaluated.

    Attributes
    ----------
    parameters, probe : Parameters
        The caller's, and those that differences are taken on.
    dtype : dtype
        Type of the loss at the probe.
    gradient_from : {"loss", "grad", None}
        The user's function that gives the gradient, if one does.
    notes : list of str
        What the user should know about the functions.
    """

    def __init__(self, loss: Any, params: object, args: Sequence[object], means: Means = _HERE) -> None:
        if not isinstance(args, (tuple, list)):
            raise InputError(f"`args` must be a tuple of further arguments, got {type(args).__name__}: write (value,).")
        call = resolve_call(loss, "loss", params, args)
        self.parameters = self.probe = Parameters(params, *call.names(params))
        self.evaluations = 0
        self.dtype: np.dtype[Any] = np.dtype(np.float64)
        self.gradient_from: Literal["loss", "grad"] | None = None
        self.notes: list[str] = []
        self._gradient: Call | Gradient | None = None
        self._arguments = Arguments(args)
        self._randomness = Randomness()
        self._loss = Loss(call, self._randomness, is_vectorized=means.is_vectorized)
        self._engine = Engine(self._loss, means)

    @classmethod
    def with_gradient(
        cls, loss: Any, grad: object, params: object, args: Sequence[object], means: Means = _HERE
    ) -> Objective:
        """Validate everything that can be validated without an evaluation."""
        objective = cls(loss, params, args, means)
        if grad is None:
            raise InputError("`grad` must be a callable, True (`loss` returns both) or a gradient, got None.")
        if grad is True and means.is_vectorized:
            raise InputError("with `vectorized` the loss returns losses alone: pass the gradient as a function.")
        if grad is True:
            objective.gradient_from = "loss"
            objective._loss.with_gradient = True
        elif callable(grad):
            objective.gradient_from = "grad"
            objective._gradient = resolve_call(grad, "grad", params, args)
        else:
            objective._gradient = match_gradient(objective.parameters, grad)
        return objective

    # -- evaluation ---------------------------------------------------------------------------------------------

    def start(self) -> float:
        """Return the loss at the point, after a first call under supervision."""
        functions = [call.function for call in (self._loss.call, self._gradient) if isinstance(call, Call)]
        self._randomness.reach([*functions, *self._loss.call.args])
        first = self.at_tree(self.parameters.tree())
        self._forbid_changes("loss")
        origin = scalar(first)
        self.dtype = np.asarray(first).dtype
        self._randomness.is_frozen = self._randomness.has_drawn()
        if self._randomness.is_frozen:
            origin = self.value_at(self.parameters)
        if not np.isfinite(origin):
            raise InputError(f"the loss must be finite at the point that is checked, got {origin}.")
        self._forbid_memory("loss", origin)
        if self._loss.is_vectorized:
            self._engine.forbid_mixing(self, coarsest_epsilon([self.dtype]))
        return origin

    def first_gradient(self, origin: float) -> Gradient:
        """Return the analytic gradient at the caller's parameters, after a first call under supervision."""
        if self.gradient_from is None:
            # nobody knows what it was computed with
            self._randomness.is_frozen = False
            return self.gradient()
        counter = CallCounter(self._loss.call.function)
        with counter.counting():
            gradient = self.gradient()
        self._forbid_changes(self.gradient_from)
        self._settle_draws(gradient)
        if self.gradient_from == "grad":
            self._forbid_memory("grad", origin)
            self.notes += filter(None, [counter.note(sum(leaf.size for leaf in self.parameters.leaves))])
        return gradient

    def gradient(self) -> Gradient:
        """Return the analytic gradient at the caller's parameters.

        To be called right after the loss there: a backward pass may read what the forward pass has left behind.
        """
        if isinstance(self._gradient, Gradient):
            return self._gradient
        if self._gradient is None:
            self.evaluations += 1
            returned = split_pair(self._loss.run(self._loss.call, self.parameters.tree()))[1]
        else:
            returned = self._loss.run(self._gradient, self.parameters.tree())
        return match_gradient(self.parameters, returned)

    def reference(self, origin: float) -> tuple[float, Noise]:
        """Choose the probe; return the loss there and how far its values may be off.

        Float64 copies of the parameters are the probe where any parameter is coarser and the copies can stand in.
        """
        dtypes = [leaf.dtype for leaf in self.parameters.leaves]
        if coarsest_epsilon(dtypes) > np.finfo(np.float64).eps:
            shadow = float64_shadow(self.parameters, self.value_at, origin, coarsest_epsilon([*dtypes, self.dtype]))
            if shadow is not None:
                self.probe, self.dtype, dtypes = shadow, np.dtype(np.float64), []
                origin = self.value()
        noise = Noise(coarsest_epsilon([*dtypes, self.dtype]) / 2)
        began = time.perf_counter()
        again = [origin, self.value()]
        self._engine.seconds = time.perf_counter() - began
        if again[1] == origin:
            return origin, noise
        again += [self.value() for _ in range(6)]
        self.notes.append(
            f"`loss` is not deterministic: its values at one point are up to {max(again) - min(again):.2g} apart, and "
            "smaller differences cannot be seen; seed what it draws, or mend what it remembers between calls"
        )
        self._engine.floor = 2 * (max(again) - min(again))
        return origin, replace(noise, floor=self._engine.floor, scatter=float(np.std(again, ddof=1)))

    def value(self) -> float:
        """Return the loss at the probe."""
        return self.value_at(self.probe)

    def value_at(self, parameters: Parameters) -> float:
        """Return the loss at the caller's parameters or at others of the same structure."""
        return scalar(self.at_tree(parameters.tree()))

    def evaluate(self, displacements: Sequence[Displacement]) -> list[tuple[float, ...]]:
        """Return what the loss gives at displaced parameters."""
        return self._engine.evaluate(self, displacements)

    def begin(self, origin: float) -> None:
        """Take note that the probe stands at another point, where the loss is `origin`."""
        self._engine.begin(self, origin)

    @property
    def is_spent(self) -> bool:
        """Whether evaluations were left out, because they would have cost too much."""
        return self._engine.is_spent

    def values(self, tree: object, count: int) -> npt.NDArray[Any]:
        """Return the loss at each of so many parameters that are stacked in a structure like the caller's."""
        self.evaluations += count
        return self._loss.values(tree, count)

    def at_tree(self, tree: object) -> Any:
        """Return what the loss gives at any structure like the caller's, as it is."""
        self.evaluations += 1
        return self._loss.at_tree(tree)

    def hand_out_copies(self) -> bool:
        """Hand new arrays to every call from now on, if that makes a difference; tell whether it does.

        A loss that knows by the identity of an array what it has computed for it sees no change of an entry. Whether it
        does is seen where all entries are moved, in the arrays themselves and in copies of them.
        """
        if self._loss.is_vectorized or self.probe.hands_out_copies or self.is_spent:
            return False
        trial = everywhere(self.probe)
        origin, moved = trial(self)
        still = fresh = math.nan
        self.probe.hands_out_copies = True
        try:
            # what is remembered of the arrays themselves is forgotten a little farther off
            places = [leaf.values() for leaf in self.probe.leaves]
            self.at_tree(self.probe.assemble([place - _AWAY * parameter_scale(place) for place in places]))
            still, fresh = trial(self)
        except Exception:  # noqa: BLE001 - whatever a loss raises that is handed copies, it wants no copies
            fresh = math.nan
        differs = abs(fresh - moved) > self._engine.floor + _PART * abs(fresh - still)
        self.probe.hands_out_copies = self.parameters.hands_out_copies = bool(differs and still == origin)
        if self.parameters.hands_out_copies:
            self._engine.forget()
            self.notes.append(
                "`loss` does not see that an entry of an array has changed, as it knows by the array which result "
                "belongs to it; a new array was handed to every call"
            )
        return self.parameters.hands_out_copies

    # -- supervision --------------------------------------------------------------------------------------------

    def _settle_draws(self, gradient: Gradient) -> None:
        """Decide whether the functions are to be given the same random numbers in every call.

        They are where the gradient depends on what is drawn, as with dropout. Where it does not, what is drawn is noise
        on the loss, and freezing it would differentiate another function than the one that the gradient belongs to.
        """
        loss_draws, self._randomness.is_frozen = self._randomness.is_frozen, False
        frozen = self._randomness.has_drawn()
        if not frozen and loss_draws:
            # the first call draws what was drawn before, the second something else
            self.value_at(self.parameters)
            self.value_at(self.parameters)
            again = self.gradient()
            frozen = not all(map(same_bits, gradient.values, again.values))
        self._randomness.is_frozen = frozen
        if frozen:
            self.notes.append("random numbers are drawn; the same ones were drawn in every call")

    def _forbid_memory(self, role: str, origin: float) -> None:
        """Raise InputError if a function has changed an argument on which the loss depends; note other changes."""
        changed = self._arguments.newly_changed()
        if not changed:
            return
        again = self.value_at(self.parameters)
        if again != origin:
            raise InputError(
                f"`{role}` changes {', '.join(changed)}, and the loss at the same parameters is {again:.10g} then, "
                f"not {origin:.10g}; the arrays were brought back. Let it work on copies."
            )
        self.notes.append(f"`{role}` writes to {', '.join(changed)}; the arrays were brought back after the check")

    # -- the parameters -----------------------------------------------------------------------------------------

    def move(self, values: Sequence[FloatArray]) -> None:
        """Set all parameters, the caller's and the probe's."""
        for leaf, twin, flat in zip(self.parameters.leaves, self.probe.leaves, values, strict=True):
            leaf.write(flat)
            if twin is not leaf:
                twin.write(leaf.values())

    def _forbid_changes(self, role: str) -> None:
        """Raise InputError if the user's function `role` has changed a parameter."""
        changed = self.parameters.changed()
        if changed:
            raise InputError(
                f"`{role}` changes the parameters it is given ({', '.join(changed)}); they were brought back. Let it "
                "work on copies, or take the update out of the function."
            )

    def restore(self) -> None:
        """Bring back parameters, arguments and random states to what they were before the check."""
        self.parameters.restore()
        self._arguments.restore()
        self._randomness.rewind()
        self._engine.close()
