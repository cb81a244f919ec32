"""The parameters under test: any nested structure of arrays and numbers, seen as named leaves of single entries.

Entries are changed in the caller's own arrays and containers wherever these can be written, so that a loss that
closes over the same objects sees the change; what cannot be written is rebuilt around a private copy.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.errors import InputError
from gradcheck.evaluate.backup import Backup
from gradcheck.evaluate.containers import NUMBERS, Path, Step, children, describe, is_writable, like, number_shape
from gradcheck.evaluate.leaf import Attributes, Leaf
from gradcheck.numerics.arrays import FloatArray


class Parameters:
    """The caller's structure of parameters with its leaves, and a backup of everything that can be written.

    Parameters
    ----------
    original : object
        Array, number, or nested containers (dict, list, tuple, namedtuple, dataclass) of these.
    root : str
        Name of the structure as a whole.
    names : sequence of str, optional
        Names of the children of the structure, in order; by default made from `root` or from a mapping's keys.

    Attributes
    ----------
    hands_out_copies : bool
        Whether each call of the user's functions gets new arrays and containers: some know by the identity of an array
        what they have computed for it.
    """

    def __init__(self, original: object, root: str = "params", names: Sequence[str] | None = None) -> None:
        self.original = original
        self.leaves: list[Leaf] = []
        self.hands_out_copies = False
        self._root = root
        self._top = _top_names(original, names)
        self._backup = Backup()
        self._seen: dict[int, Path] = {}
        self._walk(original, (), None)
        if not self.leaves:
            raise InputError(f"`{root}` holds no parameters: expected arrays or floats, got {describe(original)}.")
        _forbid_shared_memory(self.leaves)
        self._by_path = {leaf.path: leaf for leaf in self.leaves}
        self._rebuilt = any(leaf.rebuilt for leaf in self.leaves)

    def __getstate__(self) -> dict[str, Any]:
        # a copy that is sent away is not brought back, and objects have other addresses there
        return {**self.__dict__, "_backup": Backup(), "_seen": {}}

    # -- the structure ------------------------------------------------------------------------------------------

    def tree(self) -> Any:
        """Return the structure to call the user's functions with: the caller's own objects where possible."""
        if self.hands_out_copies:
            return self._copy(self.original, ())
        return self._rebuild(self.original, ()) if self._rebuilt else self.original

    def assemble(self, values: Sequence[FloatArray]) -> Any:
        """Return a new structure like the caller's, with other contents."""
        contents = {leaf.path: flat.reshape(leaf.shape) for leaf, flat in zip(self.leaves, values, strict=True)}
        return _fill(self.original, (), contents)

    def stack(self, stacks: Sequence[npt.NDArray[Any]]) -> Any:
        """Return a new structure like the caller's, of arrays that hold many values of each parameter.

        Parameters
        ----------
        stacks : sequence of array, each of shape (count, ...)
            One per leaf; numbers and lists of numbers are arrays in it, too.
        """
        return _replace(self.original, (), {leaf.path: s for leaf, s in zip(self.leaves, stacks, strict=True)})

    def leaf_at(self, path: Path) -> Leaf | None:
        """Return the leaf at `path`, or None where a container stands."""
        return self._by_path.get(path)

    def name(self, path: Path) -> str:
        """Return the name of what stands at `path`, in Python syntax."""
        if not path:
            return self._root
        head = self._top.get(path[0], f"{self._root}{path[0].suffix}")
        return head + "".join(step.suffix for step in path[1:])

    def _rebuild(self, node: Any, path: Path) -> Any:
        leaf = self.leaf_at(path)
        if leaf is not None:
            return leaf.content if leaf.rebuilt else node
        before = children(node) or []
        after = [(step, self._rebuild(child, (*path, step))) for step, child in before]
        unchanged = all(new is old for (_, new), (_, old) in zip(after, before, strict=True))
        return node if unchanged else like(node, after)

    def _copy(self, node: Any, path: Path) -> Any:
        leaf = self.leaf_at(path)
        if leaf is None:
            return like(node, [(step, self._copy(child, (*path, step))) for step, child in children(node) or []])
        return copy.deepcopy(leaf.content if leaf.rebuilt else node)

    # -- safety -------------------------------------------------------------------------------------------------

    def changed(self) -> list[str]:
        """Return the names of the parameters (or containers) that differ from the backup."""
        # what stands in a list of numbers is not a parameter, the list is
        paths = [path[:-1] if path[:-1] in self._by_path else path for path in self._backup.changed()]
        return list(dict.fromkeys(self.name(path) for path in paths))

    def restore(self) -> None:
        """Bring back every array bit for bit, and every item of every container."""
        self._backup.restore()

    # -- construction -------------------------------------------------------------------------------------------

    def _walk(self, node: Any, path: Path, holder: Any) -> None:
        """Find the leaves below `node`, which stands in the writable container `holder`, if any."""
        if isinstance(node, np.ndarray):
            self._add_array(node, path)
        elif isinstance(node, NUMBERS):
            self._add_number(node, path, holder)
        elif path and isinstance(node, list) and (shape := number_shape(node)) is not None:
            self._add_number_list(node, path, shape)
        else:
            self._walk_container(node, path)

    def _walk_container(self, node: Any, path: Path) -> None:
        name, below = self.name(path), children(node)
        if below is None:
            raise InputError(
                f"`{name}` cannot be checked: expected an array, a float, or a dict, list, tuple or dataclass of "
                f"these, got {describe(node)}."
            )
        if path and not below:
            raise InputError(f"`{name}` is empty: there is nothing to check. Leave it out.")
        holder = node if is_writable(node) else None
        if holder is not None:
            self._forbid_twice(node, path)
            self._backup.add(path, node)
        for step, child in below:
            self._walk(child, (*path, step), holder)

    def _add_array(self, array: npt.NDArray[Any], path: Path) -> None:
        name = self.name(path)
        _require_real(array.dtype, name)
        if array.size == 0:
            raise InputError(f"`{name}` is empty (shape {array.shape}): there is nothing to check. Leave it out.")
        self._forbid_twice(array, path)
        rebuilt = not array.flags.writeable
        own = array.copy() if rebuilt else array
        self._backup.add(path, own)
        self.leaves.append(Leaf(name, path, array.shape, array.dtype, array=own, rebuilt=rebuilt))

    def _add_number(self, number: Any, path: Path, holder: Any) -> None:
        name, dtype = self.name(path), np.asarray(number).dtype
        _require_real(dtype, name)
        if holder is None:
            cell: tuple[Any, Any] = ([number], 0)
        else:
            cell = (Attributes(holder) if path[-1].kind == "attribute" else holder, path[-1].key)
        self.leaves.append(Leaf(name, path, (), dtype, cells=[cell], rebuilt=holder is None))

    def _add_number_list(self, rows: list[Any], path: Path, shape: tuple[int, ...]) -> None:
        name, cells = self.name(path), list(self._number_cells(rows, path))
        dtypes = [np.asarray(row[i]).dtype for row, i in cells]
        # ints among floats are how people write `[0, 0.5]`; a list cell takes any number, so nothing is truncated
        real = [dtype for dtype in dtypes if np.issubdtype(dtype, np.floating)] or dtypes
        for dtype in [*real, *(dtype for dtype in dtypes if not np.issubdtype(dtype, np.integer))]:
            _require_real(dtype, name)
        self.leaves.append(Leaf(name, path, shape, np.result_type(*real), cells=cells))

    def _number_cells(self, rows: list[Any], path: Path) -> Iterator[tuple[list[Any], int]]:
        self._forbid_twice(rows, path)
        self._backup.add(path, rows)
        for i, row in enumerate(rows):
            if isinstance(row, list):
                yield from self._number_cells(row, path)
            else:
                yield rows, i

    def _forbid_twice(self, holder: Any, path: Path) -> None:
        if id(holder) in self._seen:
            raise InputError(
                f"`{self.name(path)}` and `{self.name(self._seen[id(holder)])}` are the same object, so an entry of "
                "one cannot be changed alone. Pass tied parameters once, or copy one of them (rows made with "
                "`[[0.0] * n] * m` are one row m times: use a list comprehension)."
            )
        self._seen[id(holder)] = path


def _top_names(tree: object, names: Sequence[str] | None) -> dict[Step, str]:
    below = children(tree) or []
    if names is not None:
        return {step: name for (step, _), name in zip(below, names, strict=True)}
    return {step: step.key for step, _ in below if isinstance(tree, Mapping) and isinstance(step.key, str)}


def _fill(node: Any, path: Path, contents: Mapping[Path, FloatArray]) -> Any:
    if path in contents:
        content = contents[path]
        if isinstance(node, np.ndarray):
            return content
        return content.tolist() if isinstance(node, list) else content.item()
    return like(node, [(step, _fill(child, (*path, step), contents)) for step, child in children(node) or []])


def _replace(node: Any, path: Path, contents: Mapping[Path, npt.NDArray[Any]]) -> Any:
    if path in contents:
        return contents[path]
    return like(node, [(step, _replace(child, (*path, step), contents)) for step, child in children(node) or []])


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
