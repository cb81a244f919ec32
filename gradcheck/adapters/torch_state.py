"""What a call of PyTorch code may change: modules, generators and settings, lent to a check and brought back."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from gradcheck.adapters.torch_tensors import working_copy
from gradcheck.containers import children

_DEPTH = 4


def reachable_modules(roots: Iterable[Any]) -> list[Any]:
    """Return the modules that functions compute with, the outermost ones, each once.

    Looked at are closures, defaults, bound objects, the globals that a function's code names, and containers.
    """
    import torch

    found: dict[int, Any] = {}
    seen: set[int] = set()

    def search(node: Any, depth: int) -> None:
        if id(node) in seen or depth > _DEPTH:
            return
        seen.add(id(node))
        if isinstance(node, torch.nn.Module):
            found[id(node)] = node
            return
        for child in _referred(node):
            search(child, depth + 1)

    for root in roots:
        search(root, 0)
    inner = {id(part) for module in found.values() for part in module.modules() if part is not module}
    return [module for key, module in found.items() if key not in inner]


def _referred(node: Any) -> Iterator[Any]:
    if isinstance(node, types.FunctionType):
        yield from (cell.cell_contents for cell in node.__closure__ or () if cell != types.CellType())
        yield from (*(node.__defaults__ or ()), *(node.__kwdefaults__ or {}).values())
        yield from (node.__globals__[name] for name in node.__code__.co_names if name in node.__globals__)
    elif isinstance(node, types.MethodType):
        yield from (node.__self__, node.__func__)
    elif isinstance(node, functools.partial):
        yield from (node.func, *node.args, *node.keywords.values())
    elif not isinstance(node, type):
        yield from (child for _, child in children(node) or [])


class Lent(AbstractContextManager["Lent"]):
    """Modules in the precision of a check, and everything else that calls may change, while the context lasts.

    Tensors of the modules keep their identity: they are given other memory, and their own again at the end, so that
    whoever else refers to them sees the same. Before each call `rewind` brings back what the last one has changed.

    Parameters
    ----------
    modules : sequence of Module
        The user's.
    double : bool
        Whether they are to compute in double precision.
    """

    def __init__(self, modules: Sequence[Any], double: bool) -> None:
        self._double = double
        self._modules = list({id(part): part for module in modules for part in module.modules()}.values())
        self._constants: list[tuple[Any, Any, int]] = []
        self._stack = ExitStack()

    def __enter__(self) -> Lent:
        with ExitStack() as stack:
            self._lend_settings(stack)
            self._lend_tensors(stack)
            self._attributes = [(part, dict(part.__dict__), part.training) for part in self._modules]
            stack.callback(self._restore_attributes)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def hold(self, tensors: Sequence[Any]) -> None:
        """Have these tensors brought back as well, where a call changes them."""
        self._constants += [(tensor, tensor.clone(), tensor._version) for tensor in tensors]

    def rewind(self) -> None:
        """Bring everything but the parameters back to what it was at the beginning."""
        self._set_random_states()
        self._restore_attributes()
        for part, name, buffer, content in self._buffers:
            if part._buffers[name] is not buffer:
                setattr(part, name, buffer)
            if buffer.shape == content.shape:
                buffer.detach().copy_(content)
            else:
                buffer.data = content.clone()
        for i, (tensor, content, version) in enumerate(self._constants):
            if tensor._version != version:
                if tensor.grad_fn is not None:
                    tensor.detach_()
                tensor.copy_(content)
                self._constants[i] = (tensor, content, tensor._version)

    @property
    def has_drawn(self) -> bool:
        """Whether a call has drawn random numbers from PyTorch's generators since `rewind`."""
        now = _random_states()
        return any(not bool((one == other).all()) for one, other in zip(self._states, now, strict=False))

    def _lend_settings(self, stack: ExitStack) -> None:
        import torch

        self._states = _random_states()
        stack.callback(self._set_random_states)
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        for device in ("cpu", "cuda"):
            stack.callback(torch.set_autocast_enabled, device, torch.is_autocast_enabled(device))
            torch.set_autocast_enabled(device, False)
        if self._double:
            # what a function makes on its way is not to spoil its precision
            torch.set_default_dtype(torch.float64)
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())

    def _lend_tensors(self, stack: ExitStack) -> None:
        tensors = {id(t): t for part in self._modules for t in (*part._parameters.values(), *part._buffers.values())}
        for tensor in tensors.values():
            if tensor is not None:
                stack.callback(_give_back, tensor, tensor.data, _grad(tensor), tensor.requires_grad)
                if _grad(tensor) is not None:
                    tensor.grad = None
                tensor.data = working_copy(tensor, self._double)
        self._buffers = [
            (part, name, buffer, buffer.detach().clone())
            for part in self._modules
            for name, buffer in part._buffers.items()
            if buffer is not None
        ]
        stack.callback(self._restore_buffers)

    def _restore_buffers(self) -> None:
        for part, name, buffer, _ in self._buffers:
            if part._buffers[name] is not buffer:
                setattr(part, name, buffer)

    def _restore_attributes(self) -> None:
        for part, saved, training in self._attributes:
            now = part.__dict__
            if len(now) != len(saved) or any(now.get(key, saved) is not value for key, value in saved.items()):
                now.clear()
                now.update(saved)
            if part.training != training:
                part.training = training

    def _set_random_states(self) -> None:
        import torch

        torch.set_rng_state(self._states[0])
        if len(self._states) > 1:
            torch.cuda.set_rng_state_all(self._states[1:])


def _random_states() -> list[Any]:
    """Return the states of PyTorch's generators: the one of the host, and those of the devices that are in use."""
    import torch

    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *devices]


def _grad(tensor: Any) -> Any:
    # to ask any other tensor for it is warned of
    return tensor.grad if tensor.is_leaf else None


def _give_back(tensor: Any, data: Any, grad: Any, requires_grad: bool) -> None:
    if tensor.is_leaf:
        tensor.grad = None
        tensor.data = data
        tensor.grad = grad
        tensor.requires_grad_(requires_grad)
    else:
        tensor.data = data
