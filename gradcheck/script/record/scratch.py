"""What a script writes while it is examined goes to a scratch folder, so that the user's own files stay as they are."""

from __future__ import annotations

import builtins
import bz2
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
    """A layer over the file system: a folder that mirrors every file and folder that the script writes or makes."""

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

        Devices, what is not a path (a file descriptor), and new temporary files are left alone.
        """
        real = self._layered(path)
        if real is None or not self._has_parent(real) or (real.exists() and not real.is_file()):
            return path
        mirror = self._mirror(real)
        if real.parent == self._temporary and not real.exists() and not mirror.exists():
            self._own.add(real)
            return path
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


class _Diversion:
    """The functions that stand in for those of `os`, `io` and `shutil`, over a scratch layer."""

    def __init__(self, layer: Scratch) -> None:
        self._layer = layer
        self._inside = threading.local()
        self._real: dict[str, Callable[..., Any]] = {}

    def install(self) -> None:
        """Put the functions in their places."""
        places: dict[Any, dict[str, Callable[..., Any]]] = {
            builtins: {"open": self._open},
            io: {"open": self._open},
            shutil: {"rmtree": self._remove_tree, "copystat": lambda *_, **__: None},
            os: {
                "open": self._open_descriptor,
                "truncate": lambda path, length: self._real["truncate"](self._layer.writing(path), length),
                "rename": self._rename,
                "replace": self._rename,
                "mkdir": lambda path, *_, **__: self._layer.make_folder(path),
                "listdir": self._listdir,
                "scandir": self._scandir,
                **dict.fromkeys(("remove", "unlink", "rmdir"), self._remover),
                # modes and times are nobody's business here, a missing file is
                **dict.fromkeys(("chmod", "utime"), self._look),
                **{name: self._reader(name) for name in ("stat", "lstat", "access", "chdir")},
            },
        }
        for owner, functions in places.items():
            for name, replacement in functions.items():
                key = "open_file" if name == "open" and owner is not os else name
                self._real[key] = original = getattr(owner, name)
                setattr(owner, name, self._once(replacement, original))
        # these were imported before, and keep what they met
        vars(bz2)["_builtin_open"] = builtins.open
        if (closer := getattr(tempfile, "_TemporaryFileCloser", None)) is not None:
            closer.unlink = staticmethod(os.unlink)

    def _open(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("opener") is not None:  # it opens by itself, and is to meet the layer
            self._inside.busy = False
            return self._real["open_file"](file, mode, *args, **kwargs)
        place = self._layer.writing(file) if _WRITING & set(mode) else self._layer.reading(file)
        return self._real["open_file"](place, mode, *args, **kwargs)

    def _open_descriptor(self, path: Any, flags: int, *args: Any, **kwargs: Any) -> Any:
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        place = self._layer.writing(path) if writes else self._layer.reading(path)
        return self._real["open"](place, flags, *args, **kwargs)

    def _reader(self, name: str) -> Callable[..., Any]:
        return lambda path, *args, **kwargs: self._real[name](self._layer.reading(path), *args, **kwargs)

    def _look(self, path: Any, *_: Any, **__: Any) -> None:
        self._real["stat"](self._layer.reading(path))

    def _remover(self, path: Any, *_: Any, **__: Any) -> None:
        self._layer.remove(path)

    def _remove_tree(self, path: Any, ignore_errors: bool = False, *_: Any, **handlers: Any) -> None:
        try:
            self._layer.remove(path)
        except OSError:
            if not ignore_errors and not any(handlers.values()):
                raise

    def _rename(self, source: Any, target: Any, **_: Any) -> None:
        old = Path(self._layer.reading(source))
        if old.is_dir():
            self._layer.make_folder(target)
            shutil.copytree(old, self._layer.reading(target), dirs_exist_ok=True)
        else:
            Path(self._layer.writing(target)).write_bytes(old.read_bytes())
        self._layer.remove(source)

    def _scandir(self, path: Any = None) -> Any:
        found = self._layer.entries(path)
        return self._real["scandir"](path) if found is None else _Entries(found)

    def _listdir(self, path: Any = None) -> Any:
        found = self._layer.entries(path)
        return self._real["listdir"](path) if found is None else [entry.name for entry in found]

    def _once(self, replacement: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
        """Return the replacement; what it calls itself meets the originals."""

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            if getattr(self._inside, "busy", False):
                return original(*args, **kwargs)
            self._inside.busy = True
            try:
                return replacement(*args, **kwargs)
            finally:
                self._inside.busy = False

        return call


def divert_writes(folder: Path) -> None:
    """From now on, lead what this process's Python code writes to `folder`.

    Covered are ``open`` and ``os.open``, and with them ``pathlib``, NumPy, pandas, pickle and json, and removing,
    renaming, truncating and making files and folders. Links are not, nor are libraries that write through C code of
    their own (SQLite, HDF5), other programs, nor libraries that were imported before and kept ``open`` for themselves.
    """
    _Diversion(Scratch(folder)).install()
