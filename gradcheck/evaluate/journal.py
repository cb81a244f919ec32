"""Values of the loss in a file, so that a long check that was broken off goes on where it was.

A line holds one displacement of one point, as a digest, and the values there, bit for bit. What it was computed with is
not in the file: a value is taken again where the parameters, the loss at them and the displacement are the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gradcheck.errors import InputError
from gradcheck.evaluate.displacement import Displacement, Pair
from gradcheck.evaluate.params import Parameters

_HEAD = b'{"gradcheck": "evaluations", "version": 1}\n'


class Journal:
    """A file of values; it is made where there is none."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._known: dict[str, tuple[float, ...]] = {}
        self._point = b""
        try:
            self._known = self._read()
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"`resume` must be a file that an earlier check has written, or a new one: {self._path} is neither "
                f"({error})."
            ) from None

    def _read(self) -> dict[str, tuple[float, ...]]:
        held = self._path.read_bytes() if self._path.exists() else b""
        if held and not held.startswith(_HEAD):
            raise ValueError("it begins with something else")
        # what was being written when a run was broken off is no whole line
        whole = held[: held.rindex(b"\n") + 1] if held else _HEAD
        known = {key: tuple(map(float.fromhex, values)) for key, *values in map(json.loads, whole.splitlines()[1:])}
        if whole != held:
            self._path.write_bytes(whole)
        return known

    def begin(self, parameters: Parameters, loss: float) -> None:
        """Take note of the point that is checked now."""
        digest = hashlib.blake2b(loss.hex().encode())
        for leaf in parameters.leaves:
            digest.update(f"{leaf.name} {leaf.shape} {leaf.dtype}".encode())
            digest.update(np.ascontiguousarray(leaf.stored()).tobytes())
        self._point = digest.digest()

    def get(self, displacement: Displacement) -> tuple[float, ...] | None:
        """Return the values at a displacement; None where the file has none."""
        return self._known.get(self._key(displacement))

    def add(self, displacements: Iterable[Displacement], values: Iterable[tuple[float, ...]]) -> None:
        """Write values down."""
        lines = []
        for displacement, found in zip(displacements, values, strict=True):
            key = self._key(displacement)
            self._known[key] = found
            lines.append(json.dumps([key, *(float(value).hex() for value in found)]) + "\n")
        with self._path.open("a", encoding="ascii") as file:
            file.write("".join(lines))

    def _key(self, displacement: Displacement) -> str:
        digest = hashlib.blake2b(self._point, digest_size=12)
        if isinstance(displacement, Pair):
            digest.update(f"{displacement.owner} {displacement.entry} {float(displacement.step).hex()}".encode())
        else:
            digest.update(" ".join(float(t).hex() for t in displacement.positions).encode())
            for owner, where, direction in displacement.stretches:
                digest.update(f"{owner} {where if isinstance(where, slice) else ''}".encode())
                digest.update(b"" if isinstance(where, slice) else np.ascontiguousarray(where).tobytes())
                digest.update(np.ascontiguousarray(direction).tobytes())
        return digest.hexdigest()
