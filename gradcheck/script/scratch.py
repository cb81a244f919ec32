"""What a script writes while it is examined goes to a scratch folder, so that the user's own files stay as they are."""

from __future__ import annotations

import builtins
import errno
import functools
import io
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_WRITING = frozenset("wax+")


class Scratch:
    """A layer over the file system: a folder that mirrors every file and folder that the script writes or makes.

    Parameters
    ----------
    folder : Path
        Where the mirror lies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._temporary = Path(tempfile.gettempdir()).absolute()
        self._removed: set[Path] = set()
        self._own: set[Path] = {self._folder}

    def reading(self, path: Any) -> Any:
        """Return what to open to read `path`: its mirror, if there is one."""
        real = self._layered(path)
        if real is None:
            return path
        mirror = self._mirror(real)
        if os.path.lexists(mirror):
            return str(mirror)
        if self._is_removed(real):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return path

    def writing(self, path: Any) -> Any:
        """Return what to open to write `path`: its mirror, with what the file holds now.

        Devices, and what is not a path (a file descriptor), are left alone.
        """
        real = self._layered(path)
        if real is None or not self._has_parent(real) or (real.exists() and not real.is_file()):
            return path
        mirror = self._mirror(real)
        mirror.parent.mkdir(parents=True, exist_ok=True)
        if real.is_file() and not self._is_removed(real) and not mirror.exists():
            shutil.copyfile(real, mirror)
        return str(mirror)

    def remove(self, path: Any) -> None:
        """Remove a file or a folder with all that is in it, in the mirror only."""
        found = Path(self.reading(path))
        if not os.path.lexists(found):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        real = self._layered(path)
        mirror = found if real is None else self._mirror(real)
        if mirror.is_dir():
            shutil.rmtree(mirror)
        else:
            mirror.unlink(missing_ok=True)
        if real is not None:
            self._removed.add(real)

    def make_folder(self, path: Any) -> None:
        """Make a folder, in the mirror only; a temporary one may really be made."""
        real = self._layered(path)
        if real is None or real.parent == self._temporary:
            os.mkdir(path)  # noqa: PTH102 - stands in for it
            self._own.add(Path(os.path.abspath(os.fsdecode(path))))  # noqa: PTH100
            return
        mirror = self._mirror(real)
        if mirror.exists() or (real.exists() and not self._is_removed(real)):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        if not self._has_parent(real):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        mirror.mkdir(parents=True)

    def entries(self, path: Any) -> list[os.DirEntry[Any]] | None:
        """Return what is in a folder, the mirror's files among it; None where there is no such folder here."""
        real = self._layered("." if path is None else path)
        if real is None:
            return None
        mirror = self._mirror(real)
        own = {entry.name: entry for entry in os.scandir(mirror)} if mirror.is_dir() else {}
        if self._is_removed(real) or not real.is_dir():
            return list(own.values()) if mirror.is_dir() else None
        found = {entry.name: entry for entry in os.scandir(real) if real / entry.name not in self._removed}
        return list((found | own).values())

    def _layered(self, path: Any) -> Path | None:
        """Return the absolute path of what belongs to the layer, else None."""
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        real = Path(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100 - links are to stay
        return None if self._own.intersection((real, *real.parents)) else real

    def _mirror(self, real: Path) -> Path:
        return self._folder.joinpath("files", *(part.replace(":", "") for part in real.parts[1:]))

    def _is_removed(self, real: Path) -> bool:
        return not self._removed.isdisjoint((real, *real.parents))

    def _has_parent(self, real: Path) -> bool:
        return self._mirror(real.parent).is_dir() or (real.parent.is_dir() and not self._is_removed(real.parent))


class _Entries:
    """What ``os.scandir`` gives: an iterator that can be closed."""

    def __init__(self, entries: list[os.DirEntry[Any]]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[os.DirEntry[Any]]:
        return self._entries

    def __next__(self) -> os.DirEntry[Any]:
        return next(self._entries)

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget what is left."""
        self._entries = iter(())


def divert_writes(folder: Path) -> None:
    """From now on, lead what this process's Python code writes to `folder`.

    Covered are ``open`` and ``os.open``, and with them ``pathlib``, NumPy, pandas, pickle and json, and removing,
    renaming, truncating and making files and folders. Links are not, nor are libraries that write through C code of
    their own (SQLite, HDF5), nor those that were imported before and kept ``open`` for themselves.

    Parameters
    ----------
    folder : Path
        An empty folder; what is written into it directly is left alone.
    """
    layer = Scratch(folder)
    really_open, really_open_low, really_truncate = builtins.open, os.open, os.truncate
    really_stat, really_scandir, really_listdir = os.stat, os.scandir, os.listdir

    def open_(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        place = layer.writing(file) if _WRITING & set(mode) else layer.reading(file)
        return really_open(place, mode, *args, **kwargs)

    def stat(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        return really_stat(layer.reading(path), *args, **kwargs)

    def low_level_open(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        return really_open_low(layer.writing(path) if writes else layer.reading(path), flags, *args, **kwargs)

    def truncate(path: Any, length: int) -> None:
        really_truncate(layer.writing(path), length)

    def change(path: Any, *_: Any, **__: Any) -> None:
        really_stat(layer.reading(path))  # modes and times are nobody's business here, a missing file is

    def scandir(path: Any = None) -> Any:
        found = layer.entries(path)
        return really_scandir(path) if found is None else _Entries(found)

    def listdir(path: Any = None) -> list[Any]:
        found = layer.entries(path)
        return really_listdir(path) if found is None else [entry.name for entry in found]

    def rename(source: Any, target: Any, **_: Any) -> None:
        content = Path(layer.reading(source)).read_bytes()
        Path(layer.writing(target)).write_bytes(content)
        layer.remove(source)

    patches: list[tuple[Any, str, Callable[..., Any]]] = [
        (builtins, "open", open_),
        (io, "open", open_),
        (os, "stat", stat),
        (os, "open", low_level_open),
        (os, "truncate", truncate),
        (os, "chmod", change),
        (os, "utime", change),
        (shutil, "copystat", lambda *_, **__: None),
        (os, "listdir", listdir),
        (os, "scandir", scandir),
        (os, "rename", rename),
        (os, "replace", rename),
        (os, "mkdir", lambda path, *_, **__: layer.make_folder(path)),
    ]
    removers = ((os, "remove"), (os, "unlink"), (os, "rmdir"), (shutil, "rmtree"))
    patches += [(owner, name, lambda path, *_, **__: layer.remove(path)) for owner, name in removers]
    inside = threading.local()
    for owner, name, replacement in patches:
        setattr(owner, name, _once(replacement, getattr(owner, name), inside))


def _once(replacement: Callable[..., Any], original: Callable[..., Any], inside: threading.local) -> Callable[..., Any]:
    """Return the replacement; what it calls itself meets the originals."""

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if getattr(inside, "busy", False):
            return original(*args, **kwargs)
        inside.busy = True
        try:
            return replacement(*args, **kwargs)
        finally:
            inside.busy = False

    return call
