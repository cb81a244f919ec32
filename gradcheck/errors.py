"""Everything that gradcheck raises on purpose.

Each error carries a ``slug``: a stable word for programs, printed in JSON and explained in the documentation.
"""

from __future__ import annotations


class GradcheckError(Exception):
    """Base of all errors of this package.

    Parameters
    ----------
    message : str
        What was expected, what was received, and what to do.
    slug : str, optional
        Stable word that names the kind of error.
    """

    slug = "error"

    def __init__(self, message: str, *, slug: str | None = None) -> None:
        super().__init__(message)
        if slug is not None:
            self.slug = slug

    @property
    def message(self) -> str:
        """The sentence that is shown to the user."""
        return str(self.args[0])


class InputError(GradcheckError, ValueError):
    """The checker was called with something that cannot be checked.

    Common causes: parameters of an integer type, an empty array, a loss that is not a finite scalar at the point, a
    gradient whose structure or shapes differ from those of the parameters.
    """

    slug = "bad-input"


class WorkerError(GradcheckError):
    """The workers that evaluations were sent to gave no answer, or another one than this process."""

    slug = "workers"


class UsageError(GradcheckError):
    """The command line or a setting is wrong; nothing was run."""

    slug = "usage"


class FixError(GradcheckError):
    """A fix could not be written into its file; the file is as it was."""

    slug = "not-written"


class ScriptError(GradcheckError):
    """A script could not be read, run or understood.

    Parameters
    ----------
    message : str
        What was seen, and what to do.
    slug : str
        Stable word that names the kind of error.
    line : int, optional
        Line of the script, counted from 1.
    """

    slug = "script-error"

    def __init__(self, message: str, *, slug: str, line: int | None = None) -> None:
        super().__init__(message, slug=slug)
        self.line = line

    def __reduce__(self) -> tuple[object, ...]:
        # exceptions are rebuilt from positional arguments alone, which loses keyword-only ones
        return _rebuild_script_error, (self.message, self.slug, self.line)


def _rebuild_script_error(message: str, slug: str, line: int | None) -> ScriptError:
    return ScriptError(message, slug=slug, line=line)


class GradientMismatch(AssertionError):
    """Raised by ``assert_grad``; its message holds the table of the parameters that do not match."""
