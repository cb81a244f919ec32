"""Products of a Jacobian with random vectors: what PyTorch's own differentiation says of a function."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.adapters.cotangent import cotangent
from gradcheck.adapters.torch_subject import Subject
from gradcheck.adapters.torch_tensors import precision
from gradcheck.errors import InputError

Arrays = dict[str, npt.NDArray[Any]]


class BackwardError(InputError):
    """A backward pass returned something that does not fit the inputs, or raised."""


class Outputs:
    """Outputs of a function that are differentiated, weighted so that they make one number.

    Parameters
    ----------
    balanced : bool
        Whether several outputs are brought to one magnitude.
    every : bool
        Whether outputs that no gradient leads back from are to be compared as well, as constants.
    """

    def __init__(self, subject: Subject, seed: int, *, balanced: bool = True, every: bool = False) -> None:
        found = subject.outputs()
        if not found:
            raise InputError("the function returns no floating-point tensor, so there is nothing to check.")
        self._subject = subject
        self.has_drawn = subject.lent.has_drawn()
        attached = [i for i, output in enumerate(found) if output.requires_grad]
        # a function that is cut off from its inputs must have no derivative
        self.is_detached = not attached
        self._chosen = (not every and attached) or list(range(len(found)))
        self.left_out = [i for i in range(len(found)) if i not in self._chosen]
        self._count, self._shapes = len(found), [found[i].shape for i in self._chosen]
        self._is_scalar = len(self._chosen) == 1 and found[self._chosen[0]].numel() == 1
        self._templates = [found[i].detach() for i in self._chosen]
        self._sizes = [_magnitude(t) if balanced and len(self._chosen) > 1 else 1.0 for t in self._templates]
        self._seed = seed

    def __len__(self) -> int:
        return len(self._chosen)

    def now(self, swapped: Any = None) -> list[Any]:
        """Call the function; return the outputs that are differentiated."""
        found = self._subject.outputs() if swapped is None else self._subject.outputs(swapped)
        shapes = [found[i].shape for i in self._chosen] if len(found) == self._count else []
        if shapes != self._shapes:
            raise InputError(
                f"the function must return tensors of the same shapes wherever it is called: {_shown(self._shapes)} "
                f"became {_shown([tensor.shape for tensor in found])} where an input was moved a little."
            )
        return [found[i] for i in self._chosen]

    def stacked(self, stacks: Sequence[Any]) -> list[Any]:
        """Call the function once for several values of each variable; return outputs with a new first axis."""
        found = self._subject.stacked_outputs(stacks)
        return [found[i] for i in self._chosen]

    def weights(self, number: int) -> list[Any]:
        """Return random weights, one tensor per output."""
        import torch

        rng = np.random.default_rng([self._seed, number])
        weights = []
        for template, size in zip(self._templates, self._sizes, strict=True):
            values: Any = cotangent(template.shape, rng) / size
            if template.is_complex():
                values = values + 1j * cotangent(template.shape, rng) / size
            elif self._is_scalar and number == 0:
                values = np.ones(template.shape)
            weights.append(torch.from_numpy(np.asarray(values)).to(template.dtype).to(template.device))
        return weights


def value(outputs: Sequence[Any], weights: Sequence[Any]) -> float:
    """Return the weighted sum of all entries, ``Re(conj(weight) * output)`` where they are complex."""
    return float(values([output[None] for output in outputs], weights)[0])


def values(outputs: Sequence[Any], weights: Sequence[Any]) -> npt.NDArray[Any]:
    """Return the weighted sum for each row of outputs that have a new first axis, as `value` does."""
    total: Any = 0.0
    for output, weight in zip(outputs, weights, strict=True):
        # the sum itself is not to add round-off, where the device knows double precision
        wide = precision(weight.dtype, double=weight.device.type != "mps")
        product = weight.to(wide).conj() * output.detach().to(wide)
        total = total + (product.real if product.is_complex() else product).reshape(len(output), -1).sum(1)
    found: npt.NDArray[Any] = total.cpu().numpy()
    return found


def gradients(
    subject: Subject, outputs: Sequence[Any], weights: Sequence[Any], leaves: Sequence[Any] = (), **options: Any
) -> list[Any]:
    """Return the gradient of the weighted sum with respect to each variable; None where the graph does not lead."""
    import torch

    # the backward pass gets weights of its own, as it may write to what it is handed
    attached = [(o, w.to(o.dtype).clone()) for o, w in zip(outputs, weights, strict=True) if o.requires_grad]
    handed = [weight.clone() for _, weight in attached]
    leaves = list(leaves) or [variable.leaf for variable in subject.variables]
    if not attached:
        return [None] * len(leaves)
    try:
        found = list(
            torch.autograd.grad(
                [output for output, _ in attached],
                leaves,
                [weight for _, weight in attached],
                allow_unused=True,
                **options,
            )
        )
    except RuntimeError as error:
        if not _UNFIT.search(str(error)):
            raise
        raise BackwardError(_explained(str(error), subject)) from error
    if any(not torch.equal(weight, kept) for (_, weight), kept in zip(attached, handed, strict=True)):
        subject.note(
            "the backward pass changes `grad_output` in place, which may be the gradient of something else as well: "
            "let it make a new tensor"
        )
    return found


def as_arrays(subject: Subject, found: Sequence[Any]) -> Arrays:
    """Return gradients as arrays by name, zeros for None."""
    arrays: Arrays = {}
    for variable, gradient in zip(subject.variables, found, strict=True):
        arrays.update(variable.gradient(gradient))
    return arrays


# what PyTorch says of a backward pass whose results do not fit
_UNFIT = re.compile(r"returned an (invalid gradient|incorrect number of gradients)")


def _explained(message: str, subject: Subject) -> str:
    place, names = re.search(r"at index (\d+)", message), subject.slots
    if place and int(place[1]) < len(names):
        return f"the backward pass returns a gradient of the wrong shape for `{names[int(place[1])]}`: {message}."
    listed = ", ".join(f"`{name}`" for name in names or [variable.name for variable in subject.variables])
    return f"the backward pass must return a gradient for each argument ({listed}), None where it has none: {message}."


def _magnitude(tensor: Any) -> float:
    largest = float(tensor.abs().max().item()) if tensor.numel() else 0.0
    return largest if 0 < largest < float("inf") else 1.0


def _shown(shapes: Sequence[Any]) -> str:
    return "[" + ", ".join(str(tuple(shape)) for shape in shapes) + "]"
