"""Examine scripts in forks of one process that has imported everything: a tenth of a second each, not half a second.

For tests of what is found in a script; that a script is kept apart from the caller is tested with the real thing.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from gradcheck.diagnosis.registry import rules
from gradcheck.script.request import Request
from gradcheck.session.examine import examine
from gradcheck.session.result import ScriptResult

# those of the real thing
SURROUNDINGS = {"MPLBACKEND": "Agg", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
# parts of NumPy that it imports when they are used
ALWAYS = ("numpy.random", "numpy.ma")
REQUEST, RESPONSE = "request.pickle", "response.pickle"


class Examiner:
    """The process that forks, started when it is first needed.

    Parameters
    ----------
    preloaded : str
        Modules that scripts then need not import; those that are missing are left out.
    """

    def __init__(self, *preloaded: str) -> None:
        self._preloaded = preloaded
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(
        self,
        request: Request,
        output: Callable[[bytes], object] | None = None,
        children: object = None,
        told: object = None,
    ) -> ScriptResult:
        """Stand in for ``examine_isolated``; what the script prints is dropped, and no child needs an end."""
        assert output is None
        del children, told
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, *self._preloaded],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **SURROUNDINGS},
            )
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, REQUEST).write_bytes(pickle.dumps(request))
            self._process.stdin.write(f"{folder}\n".encode())
            self._process.stdin.flush()
            assert self._process.stdout.readline() == b"0\n", "the examiner failed"
            return pickle.loads(Path(folder, RESPONSE).read_bytes())

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()


def main() -> None:
    """Fork for every folder that is named on standard input; answer with the exit code of the fork."""
    for name in (*ALWAYS, *sys.argv[1:]):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    rules()  # imports them; a fork would do so for each wrong gradient
    # what is imported stays, and is nothing to look through for garbage in every fork
    gc.freeze()
    while folder := sys.stdin.readline().strip():
        child = os.fork()
        if child == 0:
            _answer(Path(folder))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


def _answer(folder: Path) -> None:
    request = pickle.loads((folder / REQUEST).read_bytes())
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(2):
        os.dup2(nothing, descriptor)
    os.chdir(Path(request.path).parent)
    (folder / RESPONSE).write_bytes(pickle.dumps(examine(request)))
    os._exit(0)


if __name__ == "__main__":
    main()
