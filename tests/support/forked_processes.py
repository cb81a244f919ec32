"""Commands in forks of one process that has imported everything: a tenth of a second each, not a whole one.

They have their own arguments, environment, folder, streams and exit codes, as processes have that an interpreter is
started for. It is not started here, so what it does itself is tested with the real thing: what is imported when, what
its options and variables mean, what a script writes through an ``open`` that NumPy has kept.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import types
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# what hangs does so for ever, and what is slow may be so because others use the machine as well
PATIENCE = 300.0
IS_POSSIBLE = hasattr(os, "fork") and hasattr(socket, "send_fds")
# the one of whoever forks, for the processes that are forked
PLACE = "TESTS_FORKED_BY"
# what an interpreter reads at its start, and a fork does not
_OF_INTERPRETERS = ("PYTHON", "LC_", "LANG")
_OWN = {"PYTHONPATH", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
_PRELOADED = (
    "numpy.random",
    "numpy.ma",
    "scipy.optimize",
    "gradcheck.session.child",
    "gradcheck.session.course",
    "gradcheck.session.examine",
    "gradcheck.session.trial",
    "gradcheck.batch",
    "gradcheck.cli",
    "gradcheck.commands.progress",
    "gradcheck.comparison.compare",
    "gradcheck.fix",
    "gradcheck.report.formats",
    "gradcheck.report.text",
)
_RULES = "gradcheck.diagnosis.registry"
_SERVE = "--serve"


def told_to_run(module: str, place: str) -> str:
    """Return what an interpreter is told, in a shell, to run a module: where a place is given, in a fork from there."""
    return f"-I -S '{__file__}' '{module}'" if place else f"-P -m {module}"


class Forked:
    """A process that was forked elsewhere, to those who would have got it from ``subprocess.Popen``."""

    def __init__(self, place: str, job: Mapping[str, Any], streams: Sequence[int]) -> None:
        self.returncode: int | None = None
        self.stdout: Any = None
        self._ours = socket.socket(socket.AF_UNIX)
        self._ours.connect(place)
        text = json.dumps(job).encode()
        socket.send_fds(self._ours, [len(text).to_bytes(4, "big")], list(streams))
        self._ours.sendall(text)
        self._answers = self._ours.makefile("rb")
        self.pid = int(self._answers.readline())

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code."""
        if self.returncode is None:
            if not select.select([self._ours], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a fork", timeout or 0)
            self.returncode = int(self._answers.readline() or -signal.SIGKILL)
            self._answers.close()
            self._ours.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code of a process that has ended."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None


def start(place: str, command: Sequence[str], *, stdin: int | None = None, cwd: Any, env: Any, **_: Any) -> Forked:
    """Start a command whose output is one pipe, as ``subprocess.Popen`` would in a session of its own."""
    reading, writing = os.pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)
    job = {"command": list(command), "cwd": str(cwd), "environment": dict(env), "is_session": True}
    try:
        found = Forked(place, job, (0 if stdin is None else nothing, writing, writing))
    finally:
        os.close(writing)
        os.close(nothing)
    found.stdout = os.fdopen(reading, "rb", 0)  # whoever reads it closes it
    return found


def fork_children(place: str) -> Any:
    """Let ``Children.start`` fork; return a patch that can be undone."""
    from gradcheck.session import isolate

    class Subprocess:
        """The module, for `Children` alone."""

        PIPE, STDOUT, DEVNULL, TimeoutExpired = -1, -2, subprocess.DEVNULL, subprocess.TimeoutExpired
        run = staticmethod(subprocess.run)

        @staticmethod
        def Popen(command: Sequence[str], **settings: Any) -> Forked:  # noqa: N802 - as it is called there
            return start(place, command, **settings)

    return isolate, "subprocess", Subprocess


class Forks:
    """The process that forks, started when it is first needed.

    Parameters
    ----------
    preloaded : str
        Modules that it imports; all that a fork may need where none is named.
    """

    def __init__(self, *preloaded: str) -> None:
        self._preloaded = preloaded or (*_PRELOADED, _RULES)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = ""

    @property
    def place(self) -> str:
        """The socket at which it is asked."""
        if self._process is None:
            # the path of a socket is short
            self._folder = tempfile.mkdtemp(prefix="forks-")
            self._process = subprocess.Popen(
                [sys.executable, __file__, _SERVE, f"{self._folder}/s", *self._preloaded],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONHASHSEED": "0", "MPLBACKEND": "Agg"},
            )
            assert self._process.stdout.readline() == b"ready\n", "it does not start"
        return f"{self._folder}/s"

    def run(
        self, arguments: Sequence[str], *, cwd: Path, stdin: str = "", environment: Mapping[str, str] = os.environ
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line, a script with ``-W`` or code with ``-c`` as a process."""
        texts = []
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin.encode())
            given.seek(0)
            command = [sys.executable, *arguments]
            job = {"command": command, "cwd": str(cwd), "environment": dict(environment), "is_session": False}
            forked = Forked(self.place, job, [file.fileno() for file in (given, out, err)])
            try:
                code = forked.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.kill(forked.pid, signal.SIGKILL)
                raise
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode().replace(os.linesep, "\n"))
        return subprocess.CompletedProcess(command, code, *texts)

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()


def is_of_interpreters(environment: Mapping[str, str]) -> bool:
    """Whether variables would change an interpreter at its start."""
    return any(name.startswith(_OF_INTERPRETERS) and name not in _OWN for name in environment)


# -- the process that forks -------------------------------------------------------------------------------------------


def serve(place: str, preloaded: Sequence[str]) -> None:
    """Fork for whoever connects, until standard input is closed."""
    del sys.path[0]  # this folder
    for name in preloaded:
        module = importlib.import_module(name)
        if name == _RULES:
            module.rules()  # imports them
    # what is imported stays, and is nothing to look through for garbage in every fork
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen(64)
    waking, awake = os.pipe()
    for end in (waking, awake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(awake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    for what in (0, listener, waking):
        selector.register(what, selectors.EVENT_READ)
    asked: dict[int, socket.socket] = {}
    print("ready", flush=True)  # noqa: T201
    while True:
        ready = [key.fileobj for key, _ in selector.select()]
        if waking in ready:
            os.read(waking, 4096)
        _tell_who_ended(asked)
        if listener in ready:
            ours, _ = listener.accept()
            size, streams, _, _ = socket.recv_fds(ours, 4, 3)
            text = b""
            while len(text) < int.from_bytes(size, "big"):
                text += ours.recv(65_536)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for kept in (listener, ours, *asked.values()):
                    kept.close()
                _become(json.loads(text), streams, place)
            for stream in streams:
                os.close(stream)
            asked[pid] = ours
            ours.sendall(f"{pid}\n".encode())
        if 0 in ready:
            shutil.rmtree(Path(place).parent)
            return


def _tell_who_ended(asked: dict[int, socket.socket]) -> None:
    while asked:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with asked.pop(pid) as theirs:
            try:
                theirs.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            except BrokenPipeError:
                continue  # nobody waits for it any more


def _become(job: Mapping[str, Any], streams: Sequence[int], place: str) -> None:
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if job["is_session"]:
            os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(job["cwd"])
        os.environ.clear()
        os.environ.update({**job["environment"], PLACE: place})
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False, errors="backslashreplace", buffering=1)  # noqa: SIM115
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
        code = _run(job["command"][1:], place)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if not isinstance(end.code, int | None):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 - as an interpreter ends
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                code = 120
        os._exit(code)


def _run(command: list[str], place: str) -> int:
    if command[0] == "-P":
        del command[0]
    else:
        sys.path.insert(0, str(Path.cwd()))
    option, module, *arguments = command
    if option == "-W":
        _warn(module)
        sys.argv = arguments
        sys.path[0] = str(Path(arguments[0]).parent)
        runpy.run_path(arguments[0], run_name="__main__")
        return 0
    if option == "-c":
        sys.argv = [option, *arguments]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(module, "<string>", "exec"), main.__dict__)
        return 0
    assert option == "-m"
    sys.argv = [importlib.util.find_spec(module).origin, *arguments]
    if module == "gradcheck.session.child":
        importlib.import_module(module).main(Path(arguments[0]))
    else:
        setattr(*fork_children(place))
        if module == "gradcheck":
            importlib.import_module("gradcheck.cli").main()
        else:
            return int(importlib.import_module(module).console_main())
    return 0


def _warn(action: Any) -> None:
    sys.warnoptions[:] = [action]
    warnings.resetwarnings()
    warnings.simplefilter(action)


# -- a command of a shell ---------------------------------------------------------------------------------------------


def ask(module: str, *arguments: str) -> int:
    """Let a command run elsewhere, with this process's streams, folder and environment."""
    command = [sys.executable, "-P", "-m", *module.split(), *arguments]
    job = {"command": command, "cwd": str(Path.cwd()), "environment": dict(os.environ), "is_session": False}
    return Forked(os.environ[PLACE], job, (0, 1, 2)).wait() % 256


if __name__ == "__main__":
    if sys.argv[1] == _SERVE:
        serve(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(ask(*sys.argv[1:]))
