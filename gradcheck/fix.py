"""A script's verified fix: as a diff, and written into its file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gradcheck.api import prepare
from gradcheck.errors import FixError
from gradcheck.script.source.finding import Edit
from gradcheck.script.source.patch import edited_notebook, edited_script, unified_diff, verified_edits
from gradcheck.session.result import ScriptResult
from gradcheck.settings import Options


@dataclass(frozen=True)
class Mended:
    """What mends a script.

    Attributes
    ----------
    edits : tuple of Edit
        The lines to replace; empty where no edit was verified.
    """

    path: Path
    result: ScriptResult
    edits: tuple[Edit, ...]
    before: bytes
    after: bytes

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user should know before he makes the edits: that the script trains worse with them, say."""
        fixes = [finding.fix for finding in self.result.findings if finding.fix is not None and finding.fix.verified]
        return tuple(fix.remark for fix in fixes if fix.remark is not None)

    @property
    def diff(self) -> bytes:
        """The edits as a unified diff; empty where there are none."""
        name = self.path.as_posix().lstrip("/")
        return unified_diff(name, self.before, self.after)


def find_fix(path: str | Path, options: Options, output: Callable[[bytes], object] | None = None) -> Mended:
    """Check a script, and return what mends it; its file stays as it is."""
    place = Path(path)
    before = place.read_bytes() if place.is_file() else b""
    # what is hidden from a report is still wrong
    job = replace(prepare(path, replace(options, fix=True)), options=Options())
    result = job.run(output)
    edits = verified_edits(result.findings)
    if not edits:
        return Mended(place, result, (), before, before)
    cells = result.cells
    after = edited_script(before, edits) if cells is None else edited_notebook(before, edits, cells)
    return Mended(place, result, edits, before, after)


def write_fix(mended: Mended, options: Options, output: Callable[[bytes], object] | None = None) -> ScriptResult:
    """Write the edits into the file, check it again, and take them back if its gradients are not right then."""
    target = mended.path.resolve()  # a link stays a link
    if target.read_bytes() != mended.before:
        raise FixError(f"{mended.path} has changed since it was checked; it is left as it is")
    known = {parameter.name for parameter in mended.result.parameters}
    replace_file(target, mended.after)
    kept = False
    try:
        result = prepare(mended.path, replace(options, fix=False)).run(output)
        # what was not checked before may stay so; what was checked must not get out of sight
        lost = [row.name for row in result.unchecked if row.name in known]
        kept = result.verdict in ("match", "inconclusive") and not lost
    finally:
        if not kept:
            replace_file(target, mended.before)
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
