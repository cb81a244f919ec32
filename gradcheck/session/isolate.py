"""A bounded child process for the user's script. It keeps accidents in; it is not a security sandbox."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from gradcheck.checker.result import CheckResult
from gradcheck.errors import ScriptError
from gradcheck.script.record.run import timeout_message
from gradcheck.script.request import RUNNING, Request
from gradcheck.session.child import ASKING, JOURNAL, REQUEST, RESPONSE, STATUS, TRACE
from gradcheck.session.course import Course, CourseRequest
from gradcheck.session.result import ScriptResult
from gradcheck.session.trial import TrialRequest

# the child answers by itself a little before it is killed
_GRACE_SECONDS = 1.0
_TAIL_BYTES = 4_000
# what it takes to say in which line a script is
_ANSWER_SECONDS = 0.2
# how often it is looked at what the child is doing
_LOOK_SECONDS = 0.5
# for an interpreter to start, at the most
_START_SECONDS, _POLL_SECONDS = 60.0, 0.02


class Children:
    """The child processes of a run, so that all of them can be ended at once, from any thread.

    Parameters
    ----------
    share_input : bool
        Whether a child reads our standard input; for several at the same time, there is no telling which of them
        would get what.
    """

    def __init__(self, *, share_input: bool = True) -> None:
        self._share_input = share_input
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def start(self, command: Sequence[str], **settings: Any) -> subprocess.Popen[bytes]:
        """Start a child in a session of its own."""
        stdin = None if self._share_input and not _is_terminal() else subprocess.DEVNULL
        with self._lock:
            if self._ended:
                raise InterruptedError("the run was ended")
            child = subprocess.Popen(command, stdin=stdin, start_new_session=True, **settings)
            self._running.add(child)
        return child

    def finish(self, child: subprocess.Popen[bytes]) -> None:
        """Kill a child and everything that it has left running."""
        kill_tree(child)
        with self._lock:
            self._running.discard(child)

    def end(self) -> None:
        """Kill all that are running, and let no more start."""
        with self._lock:
            self._ended = True
            for child in self._running:
                if child.returncode is None:  # of another, the number may be in use again
                    _kill(child)


def examine_isolated(
    request: Request,
    output: Callable[[bytes], object] | None = None,
    children: Children | None = None,
    told: Callable[[str], object] | None = None,
) -> ScriptResult:
    """Examine a script in a child process of its own session, killed with all its children at the time limit.

    Parameters
    ----------
    told : callable, optional
        Is told twice a second what the child is doing.
    """
    began = time.perf_counter()
    result = _answer(request, request, output, children, told)
    if isinstance(result, ScriptResult):
        return result
    return ScriptResult(request.path, error=result, seconds=time.perf_counter() - began)


def follow_isolated(
    job: CourseRequest, output: Callable[[bytes], object] | None = None, children: Children | None = None
) -> Course | ScriptError:
    """Follow a training in a child process, as `examine_isolated` examines a script."""
    found: Course | ScriptError = _answer(job, job.request, output, children)
    return found


def try_isolated(job: TrialRequest, children: Children | None = None) -> tuple[CheckResult, ...] | ScriptError:
    """Try a generated test out in a child process, as `examine_isolated` examines a script."""
    found: tuple[CheckResult, ...] | ScriptError = _answer(job, job.request, None, children)
    return found


def _answer(
    job: object,
    request: Request,
    output: Callable[[bytes], object] | None,
    children: Children | None,
    told: Callable[[str], object] | None = None,
) -> Any:
    """Return what a child makes of a job; a ScriptError where it gives no answer."""
    with tempfile.TemporaryDirectory(prefix="gradcheck-") as folder:
        place = Path(folder)
        (place / REQUEST).write_bytes(pickle.dumps(job))
        with _journal(place, request):
            code, tail = _run(place, request, output, children or Children(), told)
        response = place / RESPONSE
        if response.exists():
            return pickle.loads(response.read_bytes())
        status = (place / STATUS).read_text(encoding="utf-8") if (place / STATUS).exists() else ""
        trace = (place / TRACE).read_text(errors="replace") if (place / TRACE).exists() else ""
    return _explain(request, code, trace + tail, status)


@contextmanager
def _journal(place: Path, request: Request) -> Iterator[None]:
    """Lend the child the file of evaluations, and take it back also when the child, or we, are ended."""
    if request.resume is None:
        yield
        return
    kept, lent = Path(request.resume), place / JOURNAL
    if kept.exists():
        shutil.copyfile(kept, lent)
    try:
        yield
    finally:
        if lent.exists():
            shutil.copyfile(lent, kept)


def _run(
    place: Path,
    request: Request,
    output: Callable[[bytes], object] | None,
    children: Children,
    told: Callable[[str], object] | None,
) -> tuple[int | None, str]:
    """Run the child; return its exit code, None when it was killed at the limit, and the end of its output."""
    child = children.start(
        [sys.executable, "-P", "-m", "gradcheck.session.child", str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=request.cwd or Path(request.path).parent,
        env=_environment(),
    )
    tail = bytearray()
    reader = threading.Thread(target=_drain, args=(child.stdout, tail, output), daemon=True)
    reader.start()
    try:
        code = _exit_code(child, place, request.seconds + _GRACE_SECONDS, told)
    finally:
        children.finish(child)
        reader.join(_GRACE_SECONDS)
        if child.stdout is not None:
            child.stdout.close()
    return code, tail.decode(errors="replace")


def _environment() -> dict[str, str]:
    """Return the variables for a child; folders in which modules are looked up stay what they are from here."""
    found = {**os.environ, "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    if folders := os.environ.get("PYTHONPATH"):
        # an empty one would be the folder in which the child is started
        parts = [str(Path(part).absolute()) for part in folders.split(os.pathsep)]
        found["PYTHONPATH"] = os.pathsep.join(parts)
    return found


def _exit_code(
    child: subprocess.Popen[bytes], place: Path, seconds: float, told: Callable[[str], object] | None
) -> int | None:
    """Wait for a child, and tell what it is doing; return None when it takes longer than it may.

    Its time begins with the script's: on a busy machine, an interpreter takes seconds to start.
    """
    late = time.monotonic() + _START_SECONDS
    while not (place / TRACE).exists() and time.monotonic() < late:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(_POLL_SECONDS)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(left if told is None else min(left, _LOOK_SECONDS))
        if told is not None:
            with suppress(OSError):  # it has not said anything yet
                if text := (place / STATUS).read_text(encoding="utf-8"):
                    told(text)
    if ASKING is not None and (place / TRACE).exists():
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.kill(child.pid, ASKING)
            return child.wait(_ANSWER_SECONDS)
    return None


def _is_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return True


def _drain(stream: IO[bytes] | None, tail: bytearray, output: Callable[[bytes], object] | None) -> None:
    while stream is not None and (piece := os.read(stream.fileno(), 65_536)):
        if output is not None:
            output(piece)
        tail += piece
        del tail[:-_TAIL_BYTES]


def kill_tree(child: subprocess.Popen[bytes]) -> None:
    """Kill a child and everything that it started in its session."""
    _kill(child)
    with suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_SECONDS)


def _kill(child: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    elif child.poll() is None:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(child.pid)], capture_output=True, check=False)


def _explain(request: Request, code: int | None, trace: str, status: str) -> ScriptError:
    """Say why the child gave no answer, with the line in which the script was."""
    own = re.search(rf'File "{re.escape(str(Path(request.path)))}", line (\d+)', trace)
    line = int(own[1]) if own else None
    if code is None and status and status != RUNNING:
        # what the script itself did had come to its end by then
        return ScriptError(
            f"the script ran, and the time ran out while it was checked ({status.partition(', ')[0]}"
            f"{f', in line {line}' if line else ''}); allow more than {request.seconds:g} s with --timeout SECONDS",
            slug="timeout",
            line=line,
        )
    if code is None:
        return ScriptError(timeout_message(request.seconds, line), slug="timeout", line=line)
    killed = request.memory is not None and code < 0
    if "MemoryError" in trace or "Cannot allocate memory" in trace or killed:
        limit = f" of {request.memory} MiB (--memory)" if request.memory is not None else ""
        return ScriptError(f"the script ran out of memory{limit}", slug="memory", line=line)
    place = f" in line {line}" if line else ""
    how = f"was ended by signal {signal.Signals(-code).name}" if code < 0 else f"left Python with exit code {code}"
    return ScriptError(f"the script's process {how}{place}, without an answer", slug="crashed", line=line)
