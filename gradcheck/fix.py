"""A script's verified fix: as a diff, and written into its file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gradcheck.api import Job, prepare
from gradcheck.errors import FixError
from gradcheck.script.source.finding import Edit
from gradcheck.script.source.patch import edited_notebook, edited_script, unified_diff, verified_edits
from gradcheck.session.result import ScriptResult
from gradcheck.settings import Options


@dataclass(frozen=True)
class Changed:
    """A file with edits, before and after."""

    path: Path
    before: bytes
    after: bytes


@dataclass(frozen=True)
class Mended:
    """What mends a script.

    Attributes
    ----------
    edits : tuple of Edit
        The lines to replace; empty where no edit was verified.
    files : tuple of Changed
        The files in which they stand: the script, and modules beside it.
    """

    path: Path
    result: ScriptResult
    edits: tuple[Edit, ...]
    files: tuple[Changed, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user should know before he makes the edits: that the script trains worse with them, say."""
        fixes = [finding.fix for finding in self.result.findings if finding.fix is not None and finding.fix.verified]
        return tuple(fix.remark for fix in fixes if fix.remark is not None)

    @property
    def diff(self) -> bytes:
        """The edits as a unified diff; empty where there are none."""
        return b"".join(unified_diff(f.path.as_posix().lstrip("/"), f.before, f.after) for f in self.files)


def find_fix(path: str | Path, options: Options, output: Callable[[bytes], object] | None = None) -> Mended:
    """Check a script, and return what mends it; its files stay as they are."""
    place = Path(path)
    # what is hidden from a report is still wrong
    job = replace(prepare(path, replace(options, fix=True)), options=Options())
    known = {name: Path(name).read_bytes() for name in _files(job) if Path(name).is_file()}
    result = job.run(output)
    edits = verified_edits(result.findings)
    by_file: dict[str, list[Edit]] = {}
    for edit in edits:
        at = result.place(edit.line)
        moved = replace(edit, line=at.line) if at.module is not None else edit
        by_file.setdefault(at.path, []).append(moved)
    files = []
    for name, own in by_file.items():
        before = known.get(name, b"")
        cells = result.cells if name == result.path else None
        after = edited_script(before, own) if cells is None else edited_notebook(before, own, cells)
        files.append(Changed(Path(name), before, after))
    return Mended(place, result, edits, tuple(files))


def _files(job: Job) -> list[str]:
    """Return the files of a program, as the user would call them."""
    return [job.path, *(job.layout.place(job.path, part.start).path for part in job.layout.parts[1:])]


def write_fix(mended: Mended, options: Options, output: Callable[[bytes], object] | None = None) -> ScriptResult:
    """Write the edits into the files, check them again, and take them back if the gradients are not right then."""
    for file in mended.files:
        if file.path.resolve().read_bytes() != file.before:
            raise FixError(f"{file.path} has changed since it was checked; it is left as it is")
    known = {parameter.name for parameter in mended.result.parameters}
    written: list[Changed] = []
    kept = False
    try:
        for file in mended.files:
            replace_file(file.path.resolve(), file.after)  # a link stays a link
            written.append(file)
        result = prepare(mended.path, replace(options, fix=False)).run(output)
        # what was not checked before may stay so; what was checked must not get out of sight
        lost = [row.name for row in result.unchecked if row.name in known]
        kept = result.verdict in ("match", "inconclusive") and not lost
    finally:
        if not kept:
            for file in written:
                replace_file(file.path.resolve(), file.before)
    if not kept:
        if result.error is not None:
            seen = result.error.message
        elif lost:
            seen = f"no longer checked are {', '.join(lost)}"
        else:
            seen = f"wrong are {', '.join(result.mismatching)}"
        raise FixError(f"{mended.path} is not right with the edits, and is as it was before: {seen}")
    return result


def replace_file(target: Path, content: bytes) -> None:
    """Replace a file in one step: whoever reads it sees the old content or the new one, never a part."""
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise FixError(f"cannot write {target}: {error.strerror}") from None
