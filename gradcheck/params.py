"""The parameters under test: any nested structure of arrays and numbers, seen as named leaves of single entries.

Entries are changed in the caller's own arrays and containers wherever these can be written, so that a loss that
closes over the same objects sees the change; what cannot be written is rebuilt around a private copy.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.errors import InputError

FloatArray = npt.NDArray[np.float64]


class Step(NamedTuple):
    """One step from a container to a child: by key, by position or by attribute."""

    kind: str
    key: Hashable

    @property
    def suffix(self) -> str:
        """The step in Python syntax."""
        return f".{self.key}" if self.kind == "attribute" else f"[{self.key!r}]"


Path = tuple[Step, ...]


class Leaf:
    """One parameter: the cells that hold its entries, in C order.

    Parameters
    ----------
    name : str
        How the user's code calls the parameter.
    path : Path
        Where it sits in the structure.
    shape : tuple of int
        Its shape; () for a number.
    dtype : dtype
        Type in which the entries are stored.
    array : array, optional
        The array, if the parameter is one.
    cells : sequence of (container, key)
        Where each entry is found otherwise.
    rebuilt : bool
        True if the cells are private, so that the structure must be built anew around them.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        array: npt.NDArray[Any] | None = None,
        cells: Sequence[tuple[Any, Any]] = (),
        rebuilt: bool = False,
    ) -> None:
        self.name, self.path, self.shape, self.dtype, self.rebuilt = name, path, shape, dtype, rebuilt
        self.array = array
        self._flat = None if array is None else array.flat
        self._cells = tuple(cells)

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self._cells) if self.array is None else self.array.size

    @property
    def content(self) -> object:
        """What stands in a rebuilt structure in place of the original: the private array or number."""
        return self.array if self.array is not None else self.get(0)

    def get(self, i: int) -> Any:
        """Return the stored object of entry `i`, as it is."""
        if self._flat is not None:
            return self._flat[i]
        container, key = self._cells[i]
        return container[key]

    def put(self, i: int, stored: Any) -> None:
        """Store an object in entry `i`, as it is."""
        if self._flat is not None:
            self._flat[i] = stored
            return
        container, key = self._cells[i]
        container[key] = stored

    def values(self) -> FloatArray:
        """Return all entries as a new flat float64 array."""
        if self.array is not None:
            return np.array(self.array, dtype=np.float64).reshape(-1)
        return np.array([float(self.get(i)) for i in range(self.size)], dtype=np.float64)

    def write(self, values: FloatArray) -> None:
        """Store all entries, each in the type that it has.

        Parameters
        ----------
        values : float array, shape (size,)
            New values.
        """
        if self.array is not None:
            self.array[...] = values.reshape(self.shape)
            return
        for i, value in enumerate(values):
            kind = type(self.get(i))
            self.put(i, float(value) if kind is int else kind(value))


class _Attributes:
    """The fields of a dataclass instance, written and read like items."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __getitem__(self, name: str) -> Any:
        return getattr(self.owner, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self.owner, name, value)


class Parameters:
    """The caller's structure of parameters with its leaves, and a backup of everything that can be written.

    Parameters
    ----------
    tree : object
        Array, number, or nested containers (dict, list, tuple, namedtuple, dataclass) of these.
    root : str
        Name of the structure as a whole.
    names : sequence of str, optional
        Names of the children of the structure, in order; by default made from `root` or from a mapping's keys.

    Raises
    ------
    InputError
        If the structure holds no parameter, one of a type that cannot be checked, or the same memory twice.
    """

    def __init__(self, tree: object, root: str = "params", names: Sequence[str] | None = None) -> None:
        self._tree = tree
        self._root = root
        self._top = _top_names(tree, names)
        self._backups: list[tuple[Path, Any, Any]] = []
        self._seen: dict[int, Path] = {}
        self.leaves: list[Leaf] = []
        self._walk(tree, (), None, writable=False)
        if not self.leaves:
            raise InputError(f"`{root}` holds no parameters: expected arrays or floats, got {_describe(tree)}.")
        _forbid_shared_memory(self.leaves)
        self._by_path = {leaf.path: leaf for leaf in self.leaves}
        self._rebuilt = any(leaf.rebuilt for leaf in self.leaves)

    # -- the structure ------------------------------------------------------------------------------------------

    def tree(self) -> Any:
        """Return the structure to call the user's functions with: the caller's own objects where possible."""
        return self._rebuild(self._tree, ()) if self._rebuilt else self._tree

    def assemble(self, values: Sequence[FloatArray]) -> Any:
        """Return a new structure like the caller's, with other contents.

        Parameters
        ----------
        values : sequence of float array
            Flat values, one array per leaf.

        Returns
        -------
        object
            Arrays stay arrays, numbers become floats, and lists of numbers lists of floats.
        """
        contents = {leaf.path: flat.reshape(leaf.shape) for leaf, flat in zip(self.leaves, values, strict=True)}
        return self._fill(self._tree, (), contents)

    def name(self, path: Path) -> str:
        """Return the name of what stands at `path`, in Python syntax."""
        if not path:
            return self._root
        head = self._top.get(path[0], f"{self._root}{path[0].suffix}")
        return head + "".join(step.suffix for step in path[1:])

    # -- safety -------------------------------------------------------------------------------------------------

    def changed(self) -> list[str]:
        """Return the names of the parameters (or containers) that differ from the backup."""
        touched = []
        for path, holder, saved in self._backups:
            if isinstance(holder, np.ndarray):
                touched += [] if _same_bits(holder, saved) else [self.name(path)]
            else:
                is_leaf = path in self._by_path
                touched += [self.name(path if is_leaf else (*path, step)) for step in _changed_steps(holder, saved)]
        return list(dict.fromkeys(touched))

    def restore(self) -> None:
        """Bring back every array bit for bit, and every item of every container."""
        for _, holder, saved in self._backups:
            if isinstance(holder, np.ndarray):
                np.copyto(holder, saved)
            elif _changed_steps(holder, saved):
                _set_children(holder, saved)

    # -- construction -------------------------------------------------------------------------------------------

    def _walk(self, node: Any, path: Path, holder: Any, *, writable: bool) -> None:
        name = self.name(path)
        if isinstance(node, np.ndarray):
            self._add_array(node, path, name)
        elif isinstance(node, (bool, int, float, complex, np.generic)):
            self._add_number(node, path, name, holder if writable else None)
        elif path and isinstance(node, list) and (shape := _number_shape(node)) is not None:
            self._add_number_list(node, path, name, shape)
        else:
            children = _children(node)
            if children is None:
                raise InputError(
                    f"`{name}` cannot be checked: expected an array, a float, or a dict, list, tuple or dataclass of "
                    f"these, got {_describe(node)}."
                )
            if path and not children:
                raise InputError(f"`{name}` is empty: there is nothing to check. Leave it out.")
            can_write = isinstance(node, (list, MutableMapping)) or _is_writable_dataclass(node)
            if can_write:
                self._remember(node, path)
            for step, child in children:
                self._walk(child, (*path, step), node, writable=can_write)

    def _add_array(self, array: npt.NDArray[Any], path: Path, name: str) -> None:
        _require_real(array.dtype, name)
        if array.size == 0:
            raise InputError(f"`{name}` is empty (shape {array.shape}): there is nothing to check. Leave it out.")
        rebuilt = not array.flags.writeable
        own = array.copy() if rebuilt else array
        self._remember(array, path, own)
        self.leaves.append(Leaf(name, path, array.shape, array.dtype, array=own, rebuilt=rebuilt))

    def _add_number(self, number: Any, path: Path, name: str, holder: Any) -> None:
        dtype = np.asarray(number).dtype
        _require_real(dtype, name)
        if holder is None:
            cell: tuple[Any, Any] = ([number], 0)
        else:
            cell = (_Attributes(holder) if path[-1].kind == "attribute" else holder, path[-1].key)
        self.leaves.append(Leaf(name, path, (), dtype, cells=[cell], rebuilt=holder is None))

    def _add_number_list(self, rows: list[Any], path: Path, name: str, shape: tuple[int, ...]) -> None:
        cells = list(self._number_cells(rows, path))
        dtypes = [np.asarray(row[i]).dtype for row, i in cells]
        # ints among floats are how people write `[0, 0.5]`; a list cell takes any number, so nothing is truncated
        real = [dtype for dtype in dtypes if np.issubdtype(dtype, np.floating)] or dtypes
        for dtype in [*real, *(dtype for dtype in dtypes if not np.issubdtype(dtype, np.integer))]:
            _require_real(dtype, name)
        self.leaves.append(Leaf(name, path, shape, np.result_type(*real), cells=cells))

    def _number_cells(self, rows: list[Any], path: Path) -> Iterator[tuple[list[Any], int]]:
        self._remember(rows, path)
        for i, row in enumerate(rows):
            if isinstance(row, list):
                yield from self._number_cells(row, path)
            else:
                yield rows, i

    def _remember(self, holder: Any, path: Path, own: npt.NDArray[Any] | None = None) -> None:
        """Back up the children of a container, or an array (its private copy `own` where it is read-only)."""
        if id(holder) in self._seen:
            raise InputError(
                f"`{self.name(path)}` and `{self.name(self._seen[id(holder)])}` are the same object, so an entry of "
                "one cannot be changed alone. Pass tied parameters once, or copy one of them (rows made with "
                "`[[0.0] * n] * m` are one row m times: use a list comprehension)."
            )
        self._seen[id(holder)] = path
        if own is not None:
            self._backups.append((path, own, own.copy()))
        else:
            self._backups.append((path, holder, _children(holder)))

    def _rebuild(self, node: Any, path: Path) -> Any:
        leaf = self._by_path.get(path)
        if leaf is not None:
            return leaf.content if leaf.rebuilt else node
        children = _children(node) or []
        renewed = [self._rebuild(child, (*path, step)) for step, child in children]
        if all(new is child for new, (_, child) in zip(renewed, children, strict=True)):
            return node
        return _like(node, children, renewed)

    def _fill(self, node: Any, path: Path, contents: Mapping[Path, FloatArray]) -> Any:
        if path in contents:
            content = contents[path]
            if isinstance(node, np.ndarray):
                return content
            return content.tolist() if isinstance(node, list) else float(content)
        children = _children(node) or []
        return _like(node, children, [self._fill(child, (*path, step), contents) for step, child in children])

    # -- gradients ----------------------------------------------------------------------------------------------

    def match_gradient(self, gradient: object) -> tuple[list[FloatArray], list[np.dtype[Any]]]:
        """Return a gradient as flat private copies, one per leaf, and the types it came in.

        Parameters
        ----------
        gradient : object
            The structure of the parameters. Names may be decorated, all in the same way: dW, d_W, gradW, grad_W or
            W_grad.

        Raises
        ------
        InputError
            If structure, shape or type do not fit; the message names the parameter.
        """
        found = list(self._collect(self._tree, gradient, ()))
        return [flat for flat, _ in found], [dtype for _, dtype in found]

    def _collect(self, node: Any, gradient: Any, path: Path) -> Iterator[tuple[FloatArray, np.dtype[Any]]]:
        leaf = self._by_path.get(path)
        if leaf is not None:
            yield _gradient_array(leaf, gradient)
            return
        children = _children(node) or []
        for (step, child), part in zip(children, self._parts(path, children, gradient), strict=True):
            yield from self._collect(child, part, (*path, step))

    def _parts(self, path: Path, children: list[tuple[Step, Any]], gradient: Any) -> list[Any]:
        """Return the gradients of the children of one container, in their order."""
        name = self.name(path)
        if gradient is None:
            raise InputError(f"the gradient of `{name}` is None. Does the function end without a `return`?")
        named = _named_parts(gradient)
        if named is not None and all(step.kind != "index" for step, _ in children):
            return _by_name(name, [step.key for step, _ in children], named)
        is_sequence = isinstance(gradient, (list, tuple)) or (isinstance(gradient, np.ndarray) and gradient.ndim > 0)
        positional = all(step.kind == "index" for step, _ in children) or hasattr(self._at(path), "_fields")
        if positional and is_sequence and len(gradient) == len(children):
            return list(gradient)
        if len(children) == 1 and positional and (isinstance(gradient, (np.ndarray, float, np.floating))):
            return [gradient]
        raise InputError(
            f"the gradient must have the structure of `{name}`: expected {_describe(self._at(path))}, "
            f"got {_describe(gradient)}."
        )

    def _at(self, path: Path) -> Any:
        node = self._tree
        for step in path:
            node = dict(_children(node) or [])[step]
        return node


def _top_names(tree: object, names: Sequence[str] | None) -> dict[Step, str]:
    children = _children(tree) or []
    if names is not None:
        return {step: name for (step, _), name in zip(children, names, strict=True)}
    return {step: step.key for step, _ in children if isinstance(tree, Mapping) and isinstance(step.key, str)}


def _children(node: Any) -> list[tuple[Step, Any]] | None:
    """Return the children of a container with the steps that lead to them, or None if `node` is not a container."""
    if isinstance(node, Mapping):
        return [(Step("key", key), child) for key, child in node.items()]
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return [(Step("attribute", field), child) for field, child in zip(node._fields, node, strict=True)]
    if isinstance(node, (list, tuple)):
        return [(Step("index", i), child) for i, child in enumerate(node)]
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        return [(Step("attribute", field.name), getattr(node, field.name)) for field in dataclasses.fields(node)]
    return None


def _is_writable_dataclass(node: Any) -> bool:
    parameters: Any = getattr(node, "__dataclass_params__", None)
    return parameters is not None and not parameters.frozen


def _same_bits(array: npt.NDArray[Any], saved: npt.NDArray[Any]) -> bool:
    """Tell whether two arrays hold the same numbers, NaN equal to NaN and -0.0 different from 0.0."""
    return bool(np.array_equal(array, saved, equal_nan=True) and np.array_equal(np.signbit(array), np.signbit(saved)))


def _changed_steps(holder: Any, saved: list[tuple[Step, Any]]) -> list[Step]:
    """Return the steps whose child is another object than before, is gone, or is new."""
    before, after = dict(saved), dict(_children(holder) or [])
    gone = object()
    return [step for step in before | after if before.get(step, gone) is not after.get(step, gone)]


def _set_children(holder: Any, saved: list[tuple[Step, Any]]) -> None:
    if isinstance(holder, MutableMapping):
        holder.clear()
        holder.update((step.key, child) for step, child in saved)
    elif isinstance(holder, list):
        holder[:] = [child for _, child in saved]
    else:
        for step, child in saved:
            setattr(holder, str(step.key), child)


def _like(node: Any, children: list[tuple[Step, Any]], renewed: list[Any]) -> Any:
    """Return a copy of the container `node` with other children."""
    if isinstance(node, Mapping):
        items = {step.key: child for (step, _), child in zip(children, renewed, strict=True)}
        if type(node) is dict or not isinstance(node, MutableMapping):
            return items
        mapping = copy.copy(node)
        mapping.update(items)
        return mapping
    if isinstance(node, tuple) and hasattr(node, "_make"):
        return node._make(renewed)
    if isinstance(node, (list, tuple)):
        return list(renewed) if isinstance(node, list) else tuple(renewed)
    twin = copy.copy(node)
    for (step, _), child in zip(children, renewed, strict=True):
        object.__setattr__(twin, str(step.key), child)
    return twin


def _number_shape(node: list[Any]) -> tuple[int, ...] | None:
    """Return the shape of a regular nested list of plain numbers, None for any other list."""
    if not node:
        return None
    if all(isinstance(child, (bool, int, float, complex, np.generic)) for child in node):
        return (len(node),)
    shapes = {_number_shape(child) if isinstance(child, list) else None for child in node}
    inner = shapes.pop()
    return None if inner is None or shapes else (len(node), *inner)


def _require_real(dtype: np.dtype[Any], name: str) -> None:
    if np.issubdtype(dtype, np.floating):
        return
    if np.issubdtype(dtype, np.integer):
        advice = "Convert it to floating point, for example with `.astype(float)` or by writing 1.0 for 1."
    elif np.issubdtype(dtype, np.complexfloating):
        advice = "Pass real and imaginary part as two parameters."
    else:
        advice = "Only real floating-point parameters have a gradient."
    raise InputError(f"`{name}` must be of a floating-point type, got {dtype}. {advice}")


def _forbid_shared_memory(leaves: Sequence[Leaf]) -> None:
    arrays = [(leaf.name, leaf.array) for leaf in leaves if leaf.array is not None]
    for (name, array), (other, second) in itertools.combinations(arrays, 2):
        if np.may_share_memory(array, second) and np.shares_memory(array, second):
            raise InputError(
                f"`{name}` and `{other}` share memory, so an entry of one cannot be changed alone. Pass tied "
                "parameters once, or copy one of them."
            )


def _describe(node: Any) -> str:
    """Return a short description of a structure for a message."""
    if isinstance(node, np.ndarray):
        return f"an array of shape {node.shape}"
    if isinstance(node, Mapping):
        return f"a dict with keys {list(node)}"
    if isinstance(node, (list, tuple)):
        return f"a {type(node).__name__} of length {len(node)}"
    return f"{type(node).__name__} {node!r}" if isinstance(node, (int, float, str)) else f"{type(node).__name__}"


def _named_parts(gradient: Any) -> dict[Any, Any] | None:
    if isinstance(gradient, Mapping):
        return dict(gradient)
    parts = _children(gradient) or []
    return {step.key: part for step, part in parts} if parts and parts[0][0].kind == "attribute" else None


_DECORATIONS: tuple[Callable[[object], object], ...] = (
    lambda key: key,
    lambda key: f"d{key}",
    lambda key: f"d_{key}",
    lambda key: f"grad{key}",
    lambda key: f"grad_{key}",
    lambda key: f"{key}_grad",
)


def _by_name(name: str, keys: list[Hashable], parts: dict[Any, Any]) -> list[Any]:
    """Return the parts in the order of `keys`, whose names may be decorated, all in the same way."""
    for decorate in _DECORATIONS:
        names = [decorate(key) for key in keys]
        if len(parts) == len(names) and all(decorated in parts for decorated in names):
            return [parts[decorated] for decorated in names]
    missing = [key for key in keys if not any(decorate(key) in parts for decorate in _DECORATIONS)]
    known = {decorate(key) for key in keys for decorate in _DECORATIONS}
    unexpected = [key for key in parts if key not in known]
    raise InputError(
        f"the gradient must have the keys of `{name}`, {keys} (or dW, d_W, gradW, grad_W, W_grad for W): "
        f"got {list(parts)}; missing {missing}, unexpected {unexpected}."
    )


def _gradient_array(leaf: Leaf, gradient: Any) -> tuple[FloatArray, np.dtype[Any]]:
    """Return a flat private float64 copy of the gradient of one leaf, and its type."""
    if gradient is None:
        raise InputError(f"the gradient of `{leaf.name}` is None. Does the function end without a `return`?")
    try:
        array = np.asarray(gradient)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"the gradient of `{leaf.name}` is not an array: {error}") from error
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise InputError(
            f"the gradient of `{leaf.name}` must be real numbers of shape {leaf.shape}, got "
            f"{_describe(gradient)} of type {array.dtype}."
        )
    # a number's gradient often comes as an array of one entry; no other shape is reinterpreted
    if array.shape != leaf.shape and not (leaf.shape == () and array.size == 1):
        advice = " It has the transposed shape." if array.shape == leaf.shape[::-1] else ""
        raise InputError(
            f"the gradient of `{leaf.name}` must have the parameter's shape {leaf.shape}, got {array.shape}.{advice}"
        )
    dtype = array.dtype if np.issubdtype(array.dtype, np.floating) else np.dtype(np.float64)
    with np.errstate(over="ignore"):
        return np.array(array, dtype=np.float64).reshape(-1), dtype
