"""The tensors under test: working copies of a function's inputs, and NumPy arrays in which their entries are moved."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.errors import InputError
from gradcheck.evaluate.containers import children, like


def precision(dtype: Any, double: bool) -> Any:
    """Return the type in which tensors of a type are checked: double precision, or theirs if NumPy has it."""
    import torch

    if dtype.is_complex:
        return torch.complex128 if double else (torch.complex64 if dtype.itemsize < 8 else dtype)
    if dtype.is_floating_point:
        return torch.float64 if double else (torch.float32 if dtype.itemsize < 4 else dtype)
    return dtype


def working_copy(tensor: Any, double: bool) -> Any:
    """Return a detached copy of a tensor in the precision of the check."""
    plain = tensor.detach()
    return plain.to(precision(plain.dtype, double), copy=True).resolve_conj().resolve_neg()


class Variable:
    """One tensor that is differentiated, wherever it lives.

    Notes
    -----
    Where NumPy can share the tensor's memory it does. Otherwise entries are moved in a copy on the host, and only
    those that have moved are sent to the device.
    """

    def __init__(self, name: str, leaf: Any) -> None:
        self.name, self.leaf = name, leaf
        data = leaf.detach()
        self._host: npt.NDArray[Any] = (data if is_on_host(data) else data.cpu().clone()).numpy()
        self._sent = None if is_on_host(data) else self._host.copy()

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the entries as real arrays that can be written, by name."""
        return self._parts(self._host)

    def stacked(self, arrays: dict[str, npt.NDArray[Any]]) -> Any:
        """Return a tensor like the leaf, with a new first axis, from arrays like those of `arrays` that have one."""
        import torch

        parts = [torch.from_numpy(np.array(arrays[name])) for name in self.arrays()]
        whole = torch.complex(*parts) if len(parts) == 2 else parts[0]
        return whole.to(self.leaf.device).requires_grad_()

    def push(self) -> None:
        """Bring the tensor up to date with the arrays."""
        if self._sent is None:
            return
        import torch

        moved = np.nonzero(np.atleast_1d(self._host != self._sent))
        if moved[0].size:
            data = torch.atleast_1d(self.leaf.detach())
            index = tuple(torch.from_numpy(axis).to(data.device) for axis in moved)
            data.index_put_(index, torch.from_numpy(np.atleast_1d(self._host)[moved]).to(data.device))
            self._sent[...] = self._host

    def gradient(self, found: Any) -> dict[str, npt.NDArray[Any]]:
        """Return a gradient with respect to the tensor in the form of `arrays`; zeros where there is none."""
        if found is None:
            return self._parts(np.zeros(self._host.shape, self._host.dtype))
        dense = found.detach() if is_strided(found) else found.detach().to_dense()
        return self._parts(dense.resolve_conj().resolve_neg().cpu().numpy())

    def _parts(self, array: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        if self._host.dtype.kind != "c":
            return {self.name: array.real}
        return {f"{self.name}.real": array.real, f"{self.name}.imag": array.imag}


def is_on_host(tensor: Any) -> bool:
    """Tell whether NumPy can share the memory of a tensor."""
    return bool(tensor.device.type == "cpu")


def is_strided(tensor: Any) -> bool:
    """Tell whether a tensor is dense."""
    import torch

    return bool(tensor.layout is torch.strided)


class _Sparse:
    """A sparse input, built anew around its specified values in every call."""

    def __init__(self, tensor: Any, double: bool) -> None:
        import torch

        tensor = tensor.detach()
        if tensor.layout is torch.sparse_coo:
            values, indices = tensor._values(), tensor._indices()
            options = {"is_coalesced": tensor.is_coalesced()}
            self._build: Any = lambda leaf: torch.sparse_coo_tensor(indices, leaf, tensor.shape, **options)
        elif tensor.layout in (torch.sparse_csr, torch.sparse_bsr, torch.sparse_csc, torch.sparse_bsc):
            by_row = tensor.layout in (torch.sparse_csr, torch.sparse_bsr)
            plain = tensor.crow_indices() if by_row else tensor.ccol_indices()
            other = tensor.col_indices() if by_row else tensor.row_indices()
            values, layout = tensor.values(), tensor.layout
            self._build = lambda leaf: torch.sparse_compressed_tensor(plain, other, leaf, tensor.shape, layout=layout)
        else:
            raise InputError(f"tensors of layout {tensor.layout} cannot be checked: pass a dense or a sparse one.")
        self.leaf = working_copy(values, double).requires_grad_()

    def build(self) -> Any:
        return self._build(self.leaf)


class Inputs:
    """Working copies of the inputs of a function.

    Parameters
    ----------
    inputs : sequence
        What the function is called with: tensors, containers of tensors, and anything else.
    double : bool
        Whether the copies are in double precision.

    Attributes
    ----------
    variables : list of Variable
        The copies of those that require a gradient.
    """

    def __init__(self, inputs: Sequence[Any], names: Sequence[str], double: bool) -> None:
        self._double = double
        self.variables: list[Variable] = []
        self.constants: list[Any] = []
        self._originals: list[tuple[str, Any]] = []
        self._tree = [self._lend(node, name) for node, name in zip(inputs, names, strict=True)]
        forbid_overlap(self._originals)

    def values(self, swapped: Callable[[Any], Any] = lambda leaf: leaf) -> list[Any]:
        """Return the arguments of a call."""
        leaves = {id(variable.leaf) for variable in self.variables}

        def build(node: Any) -> Any:
            if isinstance(node, _Sparse):
                return node.build()
            return swapped(node) if id(node) in leaves else _mapped(node, build)

        return [build(node) for node in self._tree]

    def _lend(self, node: Any, name: str) -> Any:
        import torch

        if not isinstance(node, torch.Tensor):
            below = children(node) or []
            return _rebuilt(node, [(step, child, self._lend(child, name + step.suffix)) for step, child in below])
        if not node.requires_grad:
            self.constants.append(working_copy(node, self._double))
            return self.constants[-1]
        self._originals.append((name, node))
        if is_strided(node):
            lent = leaf = working_copy(node, self._double).requires_grad_()
        else:
            lent = _Sparse(node, self._double)
            leaf, name = lent.leaf, f"{name}.values"
        self.variables.append(Variable(name, leaf))
        return lent


def _mapped(node: Any, change: Callable[[Any], Any]) -> Any:
    return _rebuilt(node, [(step, child, change(child)) for step, child in children(node) or []])


def _rebuilt(node: Any, triples: list[tuple[Any, Any, Any]]) -> Any:
    """Return a container with other children, or itself where they are the same."""
    if all(new is old for _, old, new in triples):
        return node
    return like(node, [(step, new) for step, _, new in triples])


def input_names(function: Any, count: int, skipped: int = 0) -> list[str]:
    """Return how a function calls its positional arguments; ``inputs[i]`` where it has no name for one."""
    try:
        parameters = list(inspect.signature(function).parameters.values())[skipped:]
    except (TypeError, ValueError):
        parameters = []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [parameter.name for parameter in parameters if parameter.kind in plain]
    return [names[i] if i < len(names) else f"inputs[{i}]" for i in range(count)]


# -- memory that is shared ------------------------------------------------------------------------------------------


def forbid_overlap(tensors: Sequence[tuple[str, Any]]) -> None:
    """Raise InputError if an entry of a tensor cannot be moved alone."""
    dense = [(name, tensor) for name, tensor in tensors if is_strided(tensor) and tensor.numel()]
    for name, tensor in dense:
        if _overlaps(tensor):
            raise InputError(
                f"entries of `{name}` share memory (it was expanded, or is a view of overlapping windows), so one "
                "cannot be changed alone: pass `.clone()` of it, or the tensor that it is a view of."
            )
    for (name, one), (other, two) in combinations(dense, 2):
        if one is two or _shares(one, two):
            raise InputError(
                f"`{name}` and `{other}` share memory, so an entry of one cannot be changed alone: pass a "
                "`.detach().clone().requires_grad_()` of one of them."
            )


def _overlaps(tensor: Any) -> bool:
    reach = 0
    for stride, size in sorted((s, n) for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n > 1):
        if stride <= reach:  # windows may overlap: look at where each entry is
            return bool(np.unique(_offsets(tensor)).size < tensor.numel())
        reach += (size - 1) * stride
    return False


def _span(tensor: Any) -> int:
    return 1 + sum((int(size) - 1) * int(stride) for size, stride in zip(tensor.shape, tensor.stride(), strict=True))


def _offsets(tensor: Any) -> npt.NDArray[Any]:
    """Return where in the storage the entries of a tensor are."""
    if tensor.is_contiguous():
        return np.arange(tensor.numel())
    grid = np.zeros((), dtype=np.intp)
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        grid = np.add.outer(grid, np.arange(size) * stride)
    return grid.reshape(-1)


def _shares(one: Any, two: Any) -> bool:
    if one.untyped_storage().data_ptr() != two.untyped_storage().data_ptr():
        return False
    starts = [tensor.storage_offset() for tensor in (one, two)]
    if starts[0] + _span(one) <= starts[1] or starts[1] + _span(two) <= starts[0]:
        return False
    return np.intersect1d(_offsets(one) + starts[0], _offsets(two) + starts[1]).size > 0
