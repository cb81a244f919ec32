"""Scripts that are run and examined in forks of one process that has imported everything.

Run as a file of its own, this is that process. It is told a job in a line, and answers with a line.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pickle
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradcheck.session.result import ScriptResult

# those of an examination
SURROUNDINGS = {"MPLBACKEND": "Agg", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
# what scripts import, or NumPy when it is used; what is missing is left out
_PRELOADED = (
    *("numpy.random", "numpy.ma", "scipy.optimize", "lmfit"),
    *("gradcheck.session.examine", "gradcheck.repair.engine", "gradcheck.api"),
)
# for a machine that is busy; nothing here takes a tenth of that
PATIENCE = 600.0
# seconds of computing, after which a script is taken for one that never ends, however busy the machine is
_MOST_COMPUTING = 120
ANSWER, OUTPUT = "answer.pickle", "output.txt"
_LATE = "was still running"


class Forks:
    """The process that forks, started when it is first needed.

    Parameters
    ----------
    seconds : float
        How long a job may take.
    preloaded : sequence of str
        Modules that jobs then need not import.
    """

    def __init__(self, seconds: float = PATIENCE, preloaded: Sequence[str] = _PRELOADED) -> None:
        self._seconds, self._preloaded = seconds, preloaded
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def output(self, script: Path) -> tuple[bool, str]:
        """Run a script; return whether it ran to its end, and what it printed or raised."""
        with tempfile.TemporaryDirectory() as folder:
            said = self._ask("run", script, Path(folder))
            return said == "0", _text(Path(folder, OUTPUT))

    def examined(self, script: Path, *, causes: bool = False) -> ScriptResult | str:
        """Check a script; return what was found, or why there is no answer."""
        with tempfile.TemporaryDirectory() as folder:
            said = self._ask("causes" if causes else "check", script, Path(folder))
            answer = Path(folder, ANSWER)
            if not answer.exists():
                lines = _text(Path(folder, OUTPUT)).strip().splitlines()
                return f"{said}: {lines[-1] if lines else 'no answer'}"
            found: ScriptResult = pickle.loads(answer.read_bytes())
            return found

    def _ask(self, what: str, script: Path, folder: Path) -> str:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, *self._preloaded],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **SURROUNDINGS},
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {"what": what, "script": str(script), "folder": str(folder), "seconds": self._seconds}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


# -- the process that forks --------------------------------------------------------------------------------------------


def serve() -> None:
    """Fork for every job on standard input, until that is closed."""
    del sys.path[0]  # this folder
    for name in sys.argv[1:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(job)
        print(_end_of(child, job["seconds"]), flush=True)


def _end_of(child: int, seconds: float) -> str:
    """Wait for a child, and end it with all that it has started when it is late or this process is to end."""
    late, pause, ended = time.monotonic() + seconds, 0.001, False
    try:
        while True:
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                ended = True
                return str(os.waitstatus_to_exitcode(status))
            if time.monotonic() > late:
                return _LATE
            # one job at a time: what comes before its answer is the end of whoever asked
            if select.select([sys.stdin], [], [], pause)[0]:
                sys.exit(1)
            pause = min(1.5 * pause, 0.02)
    finally:
        if not ended:
            for end in (os.killpg, os.kill):  # it may not lead a group yet
                with contextlib.suppress(ProcessLookupError):
                    end(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _become(job: dict[str, Any]) -> None:
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        import resource  # where there are forks, there is this

        resource.setrlimit(resource.RLIMIT_CPU, (_MOST_COMPUTING, _MOST_COMPUTING))
        script, folder = Path(job["script"]), Path(job["folder"])
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(folder / OUTPUT, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        for number, stream in enumerate((nothing, output, output)):
            os.dup2(stream, number)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        os.chdir(script.parent)
        if job["what"] == "run":
            _run(script)
        else:
            _examine(script, folder, job)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as an interpreter ends
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(script: Path) -> None:
    sys.argv = [str(script)]
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")


def _examine(script: Path, folder: Path, job: dict[str, Any]) -> None:
    from gradcheck.api import prepare
    from gradcheck.session.examine import examine
    from gradcheck.settings import Options

    # one of many that may share the machine: nothing is left out for want of time
    asked = prepare(str(script), Options(fix=job["what"] == "causes", timeout=job["seconds"]))
    answer = asked.run() if asked.request is None else examine(asked.request).laid_out(asked.layout)
    place = folder / f"{ANSWER}.partial"
    place.write_bytes(pickle.dumps(answer))
    place.replace(folder / ANSWER)


if __name__ == "__main__":
    serve()
