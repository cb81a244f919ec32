"""The child process: reads a request, examines the script, writes the result. Run as ``python -m``."""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradcheck.script.record.scratch import divert_writes

if TYPE_CHECKING:
    from gradcheck.script.request import Request
    from gradcheck.session.course import CourseRequest
    from gradcheck.session.trial import TrialRequest

REQUEST, RESPONSE, TRACE, JOURNAL = "request.pickle", "response.pickle", "trace.txt", "evaluations.jsonl"
STATUS = "status.txt"
# asks where the script is; missing elsewhere
ASKING = getattr(signal, "SIGUSR2", None)
# there, before the parent's limit, so that the trace names the line in which a script hangs
_EARLY_SECONDS = 0.3


def main(folder: Path) -> None:
    """Answer the request that lies in `folder`."""
    # before NumPy is imported, which keeps the `open` that it meets
    divert_writes(folder)
    from gradcheck.script.request import Request

    origin = os.getpid()
    job: Request | CourseRequest | TrialRequest = pickle.loads((folder / REQUEST).read_bytes())
    limits = job if isinstance(job, Request) else job.request
    if limits.memory is not None:
        _limit_memory(limits.memory)
    with (folder / TRACE).open("w") as trace:
        faulthandler.enable(trace)
        if ASKING is not None:
            # in the thread that it is about: read from another one, frames may be gone in the middle
            faulthandler.register(ASKING, trace, all_threads=False)
        else:
            faulthandler.dump_traceback_later(max(limits.seconds - _EARLY_SECONDS, 0.1), file=trace)
        result = _answer(job, folder)
        _end_forks(origin)
        if ASKING is None:
            faulthandler.cancel_dump_traceback_later()
        else:
            # late questions are not answered any more
            signal.signal(ASKING, signal.SIG_IGN)
    _leave(result, folder)
    sys.stdout.flush()
    # the script's threads and exit handlers are not waited for
    os._exit(0)


def _end_forks(origin: int) -> None:
    """End this process where it is a fork of the script's: it has run the script, and does not answer for it."""
    if os.getpid() != origin:
        os._exit(0)


def _leave(result: object, folder: Path) -> None:
    """Write an answer, in place of one that was there: the parent takes what it finds when this process has ended."""
    partial = folder / f"{RESPONSE}.partial"
    partial.write_bytes(pickle.dumps(result))
    partial.replace(folder / RESPONSE)


def _lent(request: Request, folder: Path) -> Request:
    """Return a request whose files are those in the folder: others are out of reach here."""
    origin = os.getpid()

    def told(what: str) -> None:
        _end_forks(origin)
        # nobody reads a half of it
        partial = folder / f"{STATUS}.partial"
        partial.write_text(what, encoding="utf-8")
        partial.replace(folder / STATUS)

    def kept(result: object) -> None:
        _end_forks(origin)
        _leave(result, folder)

    request = replace(request, told=told, kept=kept)
    return request if request.resume is None else replace(request, resume=str(folder / JOURNAL))


def _answer(job: Request | CourseRequest | TrialRequest, folder: Path) -> object:
    from gradcheck.session.course import CourseRequest, follow_course
    from gradcheck.session.examine import examine
    from gradcheck.session.trial import TrialRequest, try_out

    if isinstance(job, CourseRequest):
        return follow_course(job)
    return try_out(job) if isinstance(job, TrialRequest) else examine(_lent(job, folder))


def _limit_memory(mebibytes: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows; the limit is documented as such
        return
    limit = mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
