"""What a call of PyTorch code may change: modules, generators and settings, lent to a check and brought back."""

from __future__ import annotations

import functools
import types
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

from gradcheck.adapters.torch_tensors import working_copy
from gradcheck.evaluate.containers import children
from gradcheck.evaluate.random_state import Randomness

_DEPTH = 4
_NODES = 3000


@dataclass(frozen=True)
class Reached:
    """What a function computes with besides its arguments, as far as that can be seen without running it.

    Looked at are closures, defaults, bound objects and their attributes, the globals that a function's code names, and
    containers.

    Parameters
    ----------
    tensors : list of Tensor
        Floating-point and complex tensors that belong to no module and come out of no computation.
    """

    modules: list[Any]
    tensors: list[Any]
    generators: list[Any]
    roots: list[Any]

    @classmethod
    def by(cls, roots: Iterable[Any]) -> Reached:
        """Look at functions, objects and containers."""
        import torch

        modules: list[Any] = []
        tensors: list[Any] = []
        generators: list[Any] = []
        roots = list(roots)
        queue = deque((root, 0) for root in roots)
        seen: set[int] = set()
        while queue and len(seen) < _NODES:
            node, depth = queue.popleft()
            if id(node) in seen or isinstance(node, (type, types.ModuleType, str, bytes)):
                continue
            seen.add(id(node))
            if isinstance(node, torch.nn.Module):
                modules.append(node)
                own = [value for part in node.modules() for value in vars(part).values()]
                tensors += [value for value in own if isinstance(value, torch.Tensor)]
            elif isinstance(node, torch.Tensor):
                tensors.append(node)
            elif isinstance(node, torch.Generator):
                generators.append(node)
            elif depth < _DEPTH:
                queue += ((child, depth + 1) for child in _referred(node))
        inner = {id(part) for module in modules for part in module.modules() if part is not module}
        owned = {id(t) for module in modules for t in (*module.parameters(), *module.buffers())}
        return cls(
            [module for module in modules if id(module) not in inner],
            [t for t in tensors if id(t) not in owned and t.is_leaf and (t.is_floating_point() or t.is_complex())],
            generators,
            roots,
        )


def _referred(node: Any) -> Iterator[Any]:
    if isinstance(node, types.FunctionType):
        yield from (cell.cell_contents for cell in node.__closure__ or () if cell != types.CellType())
        yield from (*(node.__defaults__ or ()), *(node.__kwdefaults__ or {}).values())
        yield from (node.__globals__[name] for name in _names(node.__code__) if name in node.__globals__)
    elif isinstance(node, types.MethodType):
        yield from (node.__self__, node.__func__)
    elif isinstance(node, functools.partial):
        yield from (node.func, *node.args, *node.keywords.values())
    elif (below := children(node)) is not None:
        yield from (child for _, child in below)
    else:
        yield from vars(node).values() if hasattr(node, "__dict__") else ()


def _names(code: types.CodeType) -> Iterator[str]:
    """Yield the names that a function's code, and that of the functions inside it, looks up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


class Lent(AbstractContextManager["Lent"]):
    """Modules and tensors in the precision of a check, with all else that calls may change, while the context lasts.

    Tensors keep their identity: they are given other memory, and their own again at the end, so that
    whoever else refers to them sees the same. Before each call `rewind` brings back what the last one has changed.

    Parameters
    ----------
    double : bool
        Whether they are to compute in double precision.
    """

    def __init__(self, reached: Reached, double: bool) -> None:
        self._double, self._tensors, self._generators = double, reached.tensors, reached.generators
        self._modules = list({id(part): part for module in reached.modules for part in module.modules()}.values())
        self._constants: list[tuple[Any, Any, int]] = []
        self._randomness = Randomness()
        self._randomness.reach(reached.roots)
        self._randomness.is_frozen = True
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
        if self._randomness.is_frozen:
            self._randomness.rewind()
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

    def has_drawn(self) -> bool:
        """Tell whether a call has drawn random numbers since `rewind`; if not from NumPy, spare it to rewind that."""
        self._randomness.is_frozen = self._randomness.has_drawn()
        pairs = zip(self._states, self._random_states(), strict=False)
        return self._randomness.is_frozen or any(not bool((one == other).all()) for one, other in pairs)

    def _lend_settings(self, stack: ExitStack) -> None:
        import torch

        self._states = self._random_states()
        stack.callback(self._set_random_states)
        stack.callback(self._randomness.rewind)
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
        own = [t for part in self._modules for t in (*part._parameters.values(), *part._buffers.values())]
        for tensor in {id(t): t for t in (*own, *self._tensors)}.values():
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

        count = len(self._generators)
        for generator, state in zip(self._generators, self._states[:count], strict=True):
            generator.set_state(state)
        torch.set_rng_state(self._states[count])
        if len(self._states) > count + 1:
            torch.cuda.set_rng_state_all(self._states[count + 1 :])

    def _random_states(self) -> list[Any]:
        """Return the states of generators: those reached, the one of the host, and those of the devices in use."""
        import torch

        devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        return [*(generator.get_state() for generator in self._generators), torch.get_rng_state(), *devices]


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
