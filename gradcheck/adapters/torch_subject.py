"""What is checked: a function of tensors, whatever form it comes in, that can be called again and again."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gradcheck.adapters.torch_state import Lent, Reached
from gradcheck.adapters.torch_tensors import Inputs, Variable, forbid_overlap, input_names, is_strided
from gradcheck.errors import InputError
from gradcheck.evaluate.containers import children

_SHOWN = 5


@dataclass(frozen=True)
class Target:
    """What the user wants to have checked.

    Parameters
    ----------
    skipped : int
        How many parameters of that are not the user's to pass.
    """

    call: Callable[..., Any]
    described_by: Any
    skipped: int = 0
    module: Any = None
    function: Any = None

    @classmethod
    def of(cls, what: Any) -> Target:
        """Recognise a Function or its ``apply``, a module or a method of one, and any other callable."""
        import torch

        bound: Any = getattr(what, "__self__", None)
        for function in (what, bound):
            if _is_function(function):
                has_context = function.setup_context is torch.autograd.Function.setup_context
                return cls(function.apply, function.forward, skipped=int(has_context), function=function)
        if isinstance(what, torch.nn.Module):
            return cls(what, what.forward, module=what)
        if not callable(what) or isinstance(what, torch.Tensor):
            raise InputError(
                f"`what` must be a function of tensors, a torch.autograd.Function or a module, got "
                f"{type(what).__name__}."
            )
        module = bound if isinstance(what, types.MethodType) and isinstance(bound, torch.nn.Module) else None
        return cls(what, what, module=module)

    @property
    def has_jvp(self) -> bool:
        """Whether it is a Function that defines forward-mode derivatives."""
        import torch

        return self.function is not None and self.function.jvp is not torch.autograd.Function.jvp


@dataclass
class Subject:
    """A function of tensors at the point that is checked.

    Parameters
    ----------
    call : callable
        Takes what to pass in place of the leaf of a variable, and returns what the function returns.
    slots : list of str
        Names of the tensors that a Function is called with, in order.
    notes : list of str
        What the user should know about it.
    """

    call: Callable[[Callable[[Any], Any]], Any]
    variables: list[Variable]
    lent: Lent
    slots: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    module: Any = None

    @classmethod
    def of(cls, target: Target, inputs: Sequence[Any], loss: Any, lent: Lent, double: bool) -> Subject:
        """Return the user's function at copies of its inputs."""
        import torch

        names = input_names(target.described_by, len(inputs), target.skipped)
        own, frozen = _parameters(target.module)
        if target.module is not None:
            names = [f"inputs.{name}" if name in own else name for name in names]
        lent_inputs = Inputs(inputs, names, double)
        forbid_overlap(list(own.items()))
        variables = [*lent_inputs.variables, *(Variable(name, tensor) for name, tensor in own.items())]
        if not variables:
            raise InputError(
                "no tensor requires a gradient, so there is nothing to check: call `.requires_grad_()` on the inputs "
                "that are to be differentiated."
            )
        empty = [variable.name for variable in variables if variable.leaf.numel() == 0]
        if len(empty) == len(variables):
            raise InputError(f"{_listed(empty)} {_are(empty)} empty: there is nothing to check.")
        lent.hold(lent_inputs.constants)

        def call(swapped: Callable[[Any], Any]) -> Any:
            returned = target.call(*lent_inputs.values(swapped))
            return returned if loss is None else _one_number(loss(returned))

        checked = [variable for variable in variables if variable.name not in empty]
        subject = cls(call, checked, lent, module=target.module)
        if target.function is not None:
            subject.slots += [n for n, given in zip(names, inputs, strict=True) if isinstance(given, torch.Tensor)]
        if empty:
            subject.notes.append(f"{_listed(empty)} {_are(empty)} empty, and left out")
        if frozen:
            subject.notes.append(f"{_listed(frozen)} {_are(frozen)} frozen (requires_grad is False), and not checked")
        return subject

    def note(self, sentence: str) -> None:
        """Keep something that the user should know, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def outputs(self, swapped: Callable[[Any], Any] = lambda leaf: leaf) -> list[Any]:
        """Call the function at the tensors as they stand; return the floating-point tensors among its outputs."""
        for variable in self.variables:
            variable.push()
        self.lent.rewind()
        return tensors_in(self.call(swapped))

    def stacked_outputs(self, stacks: Sequence[Any]) -> list[Any]:
        """Call the function once under ``torch.vmap``; return its outputs, each with a new first axis."""
        import torch

        buffers = [] if self.module is None else list(self.module.buffers())
        leaves = [id(tensor) for tensor in (*(variable.leaf for variable in self.variables), *buffers)]

        def one(*moved: Any) -> list[Any]:
            places = dict(zip(leaves, moved, strict=True))
            with _standing_in(self.module, places):
                return tensors_in(self.call(lambda leaf: places.get(id(leaf), leaf)))

        self.lent.rewind()
        # each row has buffers of its own, as calls may change them
        own = [tensor.expand(len(stacks[0]), *tensor.shape).clone() for tensor in buffers]
        with warnings.catch_warnings():
            # of an operation that is done row by row; that is no slower than calls one by one
            warnings.filterwarnings("ignore", message="There is a performance drop")
            return list(torch.vmap(one, randomness="same")(*stacks, *own))


def unchecked(target: Target, reached: Reached, inputs: Sequence[Any]) -> list[str]:
    """Return notes about what a function computes with, could be differentiated, and is not among its inputs."""
    others = [module for module in reached.modules if module is not target.module]
    notes = [
        f"the parameters of the module {type(module).__name__}, which the function uses, were not checked: pass the "
        "module itself as `what` for that"
        for module in others
        if any(parameter.requires_grad for parameter in module.parameters())
    ]
    given = {id(tensor) for tensor in tensors_in(list(inputs))}
    free = [tensor for tensor in reached.tensors if tensor.requires_grad]
    if any(id(tensor) in given for tensor in free):
        notes.append(
            "the function refers to a tensor that it is also called with; what it does with that besides its argument "
            "was not checked"
        )
    if any(id(tensor) not in given for tensor in free):
        notes.append("the function refers to a tensor that requires a gradient and is no input; it was not checked")
    return notes


def reached_by(what: Any, inputs: Sequence[Any], loss: Any) -> Reached:
    """Return what takes part in a call besides the tensors that it is handed."""
    import torch

    handed = [node for node in inputs if not isinstance(node, torch.Tensor)]
    reached = Reached.by([what, loss, *(node for node in handed if children(node) is None)])
    for module in reached.modules:
        if any(torch.nn.parameter.is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
            raise InputError(
                f"{type(module).__name__} has parameters without a shape: call it once before it is checked."
            )
    return reached


def _is_function(what: Any) -> bool:
    import torch

    return isinstance(what, type) and issubclass(what, torch.autograd.Function)


def tensors_in(returned: Any) -> list[Any]:
    """Return the dense floating-point and complex tensors in what a function returns, in order."""
    import torch

    if isinstance(returned, torch.Tensor):
        if not (returned.is_floating_point() or returned.is_complex()):
            return []
        return [returned if is_strided(returned) else returned.to_dense()]
    return [tensor for _, child in children(returned) or [] for tensor in tensors_in(child)]


def _parameters(module: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters that require a gradient, tied ones once, and the names of the others."""
    named = dict(module.named_parameters()) if module is not None else {}
    return (
        {name: tensor for name, tensor in named.items() if tensor.requires_grad},
        [name for name, tensor in named.items() if not tensor.requires_grad],
    )


@contextmanager
def _standing_in(module: Any, places: dict[int, Any]) -> Iterator[None]:
    """Put other tensors in place of a module's parameters and buffers, by their identity, for a while."""
    parts = list(module.modules()) if module is not None else []
    swapped = [
        (kept, name, tensor)
        for part in parts
        for kept in (part._parameters, part._buffers)
        for name, tensor in kept.items()
        if id(tensor) in places
    ]
    try:
        for kept, name, tensor in swapped:
            kept[name] = places[id(tensor)]
        yield
    finally:
        for kept, name, tensor in swapped:
            kept[name] = tensor


def _one_number(value: Any) -> Any:
    import torch

    if not isinstance(value, torch.Tensor) or value.numel() != 1 or value.is_complex():
        shown = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise InputError(f"`loss` must return a tensor with one real number, got {shown}.")
    return value


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"`{name}`" for name in names[:_SHOWN]) + more


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
