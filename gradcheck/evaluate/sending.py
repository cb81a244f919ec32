"""How functions get to other processes, and what maps them over tasks there."""

from __future__ import annotations

import sys
import sysconfig
import types
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.errors import InputError

MapLike = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


def map_like(workers: Any) -> tuple[MapLike, int | None]:
    """Return what maps a function over tasks, and how many processes it has where that is known."""
    if find_spec("cloudpickle") is None:
        raise InputError("`workers` needs cloudpickle, which is not installed: pip install 'gradcheck[parallel]'.")
    if isinstance(workers, (int, np.integer)) and not isinstance(workers, bool):
        return _joblib_map(int(workers))
    if hasattr(workers, "gather") and hasattr(workers, "map"):
        # a Dask client: what its map returns are promises
        return (lambda function, tasks: workers.gather(workers.map(function, list(tasks), pure=False))), None
    if callable(getattr(workers, "map", None)):
        return workers.map, None
    if callable(workers):
        return workers, None
    raise InputError(
        "`workers` must be None, a number of processes, something that works like `map`, or an object with such a "
        f"method (a pool, an executor, a Dask client), got {workers!r}."
    )


def _joblib_map(count: int) -> tuple[MapLike, int | None]:
    if count == 0 or count < -1:
        raise InputError(f"`workers` must be a number of processes, or -1 for as many as there are cores, got {count}.")
    try:
        import joblib
    except ImportError:
        raise InputError("a number of `workers` needs joblib: pip install 'gradcheck[parallel]'.") from None

    def map_tasks(function: Callable[[Any], Any], tasks: Iterable[Any]) -> list[Any]:
        found: list[Any] = joblib.Parallel(n_jobs=count)(joblib.delayed(function)(task) for task in tasks)
        return found

    return map_tasks, joblib.effective_n_jobs(count)


def by_value(what: object) -> bytes:
    """Return an object as bytes; what stands in the user's own modules travels along, as workers may not find these."""
    import cloudpickle

    own = [module for name, module in list(sys.modules.items()) if _is_own(name, module)]
    registered = [module for module in own if module.__name__ not in cloudpickle.list_registry_pickle_by_value()]
    for module in registered:
        cloudpickle.register_pickle_by_value(module)
    try:
        pickled: bytes = cloudpickle.dumps(what)
    except Exception as error:
        raise InputError(
            f"the loss or its arguments cannot be sent to workers ({type(error).__name__}: {error}). Let it get what "
            "cannot be copied (files, locks, generators) in the call, or use workers=None."
        ) from error
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)
    return pickled


def _is_own(name: str, module: types.ModuleType) -> bool:
    """Whether a module is one of the user's: it lies neither with the installed packages nor with Python's own."""
    file = getattr(module, "__file__", None)
    if not isinstance(module, types.ModuleType) or not file or name != module.__name__ or name == "__main__":
        return False
    if name.partition(".")[0] in (__name__.partition(".")[0], *sys.stdlib_module_names):
        return False
    installed = {Path(sysconfig.get_path(key)) for key in ("purelib", "platlib", "stdlib")}
    return not any(folder in Path(file).parents for folder in installed)
