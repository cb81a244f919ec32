"""Check scripts again and again, as they are saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gradcheck.errors import UsageError
from gradcheck.report.changes import changes
from gradcheck.script.source.file import local_modules
from gradcheck.session.result import ScriptResult

# a script, and the function that it is narrowed to
Target = tuple[str, str | None]
# time of the last change, size and number of a file; None where there is none
Stamp = tuple[int, int, int] | None

_SETTINGS = "pyproject.toml"
# so long is waited for the rest of a save, and for what no notice came of, in milliseconds
_DEBOUNCE, _STEP, _LOOK = 400, 50, 1000


@dataclass(frozen=True)
class Round:
    """What is to be shown after a save.

    Attributes
    ----------
    gone : tuple of str
        The scripts whose files are no longer there.
    changed : tuple of str
        What is different from the last time, a sentence each.
    results : tuple of ScriptResult
        The examinations of the scripts that were checked again.
    """

    saved: tuple[str, ...]
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    results: tuple[ScriptResult, ...] = ()


@dataclass
class Watch:
    """The scripts that are watched, with what their files were and what was found when they were last checked.

    Parameters
    ----------
    targets : callable
        Returns the scripts that there are now.
    """

    targets: Callable[[], Sequence[Target]]
    check: Callable[[Sequence[Target]], tuple[ScriptResult, ...]]
    stamps: dict[Target, dict[Path, Stamp]] = field(default_factory=dict)
    results: dict[Target, ScriptResult] = field(default_factory=dict)
    gone: set[Target] = field(default_factory=set)

    def look(self) -> Round | None:
        """Check what was saved since the last look; None where nothing was.

        The files are looked at before they are checked, so that a save during a check is seen at the next look.
        """
        now = self.targets()
        # a file of a folder that is gone is still one of ours
        known = list(dict.fromkeys([*self.results, *now]))
        stamps = {target: stamps_of(Path(target[0])) for target in known}
        there = [target for target in known if stamps[target][Path(target[0]).absolute()] is not None]
        # what was never there is checked once, so that it is an error that says so
        first = [target for target in known if target not in self.stamps]
        saved = [t for t in known if t in first or (t in there and self._is_saved(t, stamps[t]))]
        gone = [target for target in known if target not in there and target not in {*self.gone, *first}]
        self.stamps |= stamps
        self.gone = {target for target in known if target not in there}
        if not saved and not gone:
            return None
        found = dict(zip(saved, self.check(saved), strict=True)) if saved else {}
        said = tuple(self._changes(found))
        self.results |= found
        return Round(tuple(map(_shown, saved)), tuple(map(_shown, gone)), said, tuple(found.values()))

    def _is_saved(self, target: Target, stamps: dict[Path, Stamp]) -> bool:
        return target in self.gone or self.stamps[target] != stamps

    def _changes(self, found: dict[Target, ScriptResult]) -> Iterator[str]:
        for target, result in found.items():
            if target in self.results:
                lead = f"{_shown(target)}: " if len(self.stamps) > 1 else ""
                yield from (f"{lead}{said}" for said in changes(self.results[target], result))

    @property
    def report(self) -> tuple[ScriptResult, ...]:
        """What was found last about the scripts that are there, in their order."""
        return tuple(self.results[target] for target in self.targets() if target in self.results)

    def folders(self) -> list[Path]:
        """Return the folders to be told about: not the files, which many editors replace by new ones."""
        files = {file for stamps in self.stamps.values() for file, stamp in stamps.items() if stamp is not None}
        places = {file.parent for file in files} | {Path(path).absolute().parent for path, _ in self.stamps}
        return sorted(place for place in places if place.is_dir())


def stamps_of(script: Path) -> dict[Path, Stamp]:
    """Return the files that an examination depends on, each with what tells that it was saved."""
    place = script.absolute()
    files = [place, *local_modules(place)]
    for folder in place.parents:
        files.append(folder / _SETTINGS)
        if files[-1].is_file():
            break
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _shown(target: Target) -> str:
    path, function = target
    return path if function is None else f"{path}::{function}"


def require_watchfiles() -> None:
    """Make sure, before a minute's work, that files can be watched."""
    try:
        import watchfiles  # noqa: F401 - it is only looked for
    except ImportError:
        raise UsageError(
            "--watch needs the package watchfiles, which is not installed: pip install 'gradcheck[watch]'"
        ) from None


def rounds(watch: Watch) -> Iterator[Round]:
    """Check everything, and then what is saved, without end."""
    from watchfiles import watch as notices

    first = watch.look()
    if first is None:
        return
    yield first
    # a notice only says when to look; looking now and then anyway finds what was saved before the first notice
    told = notices(
        *watch.folders(),
        watch_filter=None,
        debounce=_DEBOUNCE,
        step=_STEP,
        rust_timeout=_LOOK,
        yield_on_timeout=True,
        recursive=False,
    )
    for _ in told:
        found = watch.look()
        if found is not None:
            yield found


def clock() -> str:
    """Return the time of day."""
    return time.strftime("%H:%M:%S")
