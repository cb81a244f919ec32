"""What is checked: a function of tensors, whatever form it comes in, that can be called again and again."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradcheck.adapters.torch_state import Lent, reachable_modules
from gradcheck.adapters.torch_tensors import Inputs, Variable, forbid_overlap, input_names, is_strided
from gradcheck.containers import children
from gradcheck.errors import InputError

_SHOWN = 5


@dataclass(frozen=True)
class Target:
    """What the user wants to have checked.

    Parameters
    ----------
    call : callable
        It.
    described_by : callable
        What its signature is read from.
    skipped : int
        How many parameters of that are not the user's to pass.
    module : Module or None
        Whose parameters are differentiated.
    function : type or None
        The ``torch.autograd.Function``, if it is one.
    """

    call: Callable[..., Any]
    described_by: Any
    skipped: int = 0
    module: Any = None
    function: Any = None

    @classmethod
    def of(cls, what: Any) -> Target:
        """Recognise a Function or its ``apply``, a module or a method of one, and any other callable.

        Raises
        ------
        InputError
            If it cannot be called.
        """
        import torch

        bound = getattr(what, "__self__", None)
        for function in (what, bound):
            if isinstance(function, type) and issubclass(function, torch.autograd.Function):
                base: Any = torch.autograd.Function
                has_context = function.setup_context is base.setup_context
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
    variables : list of Variable
        The tensors that are differentiated.
    lent : Lent
        What calls may change.
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

    @classmethod
    def of(cls, target: Target, inputs: Sequence[Any], loss: Any, lent: Lent, double: bool) -> Subject:
        """Return the user's function at copies of its inputs.

        Parameters
        ----------
        target : Target
            The user's function.
        inputs : sequence
            What it is called with.
        loss : callable or None
            What makes one number of its outputs.
        lent : Lent
            The modules.
        double : bool
            Whether the inputs are to be in double precision.

        Raises
        ------
        InputError
            If there is nothing to differentiate, or entries share memory.
        """
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

        subject = cls(call, [variable for variable in variables if variable.name not in empty], lent)
        if target.function is not None:
            subject.slots += [n for n, given in zip(names, inputs, strict=True) if isinstance(given, torch.Tensor)]
        if empty:
            subject.notes.append(f"{_listed(empty)} {_are(empty)} empty, and left out")
        if frozen:
            subject.notes.append(f"{_listed(frozen)} {_are(frozen)} frozen (requires_grad is False), and not checked")
        return subject

    def outputs(self, swapped: Callable[[Any], Any] = lambda leaf: leaf) -> list[Any]:
        """Call the function at the tensors as they stand; return the floating-point tensors among its outputs.

        Parameters
        ----------
        swapped : callable
            What to pass in place of the leaf of a variable.
        """
        for variable in self.variables:
            variable.push()
        self.lent.rewind()
        return tensors_in(self.call(swapped))


def unchecked_modules(target: Target, modules: Sequence[Any]) -> list[str]:
    """Return notes about modules that the function reaches, and whose parameters are not differentiated."""
    others = [module for module in modules if module is not target.module]
    names = [type(module).__name__ for module in others if any(p.requires_grad for p in module.parameters())]
    return [f"the parameters of {name}, which is not `what`, were not checked" for name in names]


def involved_modules(what: Any, inputs: Sequence[Any], loss: Any) -> list[Any]:
    """Return the modules that take part in a call.

    Raises
    ------
    InputError
        If one of them has not got its parameters yet.
    """
    import torch

    modules = reachable_modules([what, loss, list(inputs)])
    for module in modules:
        if any(torch.nn.parameter.is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
            raise InputError(
                f"{type(module).__name__} has parameters without a shape: call it once before it is checked."
            )
    return modules


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
