"""Settings, where they come from, and which of them wins: flag, comment in the script, environment, pyproject.toml."""

from __future__ import annotations

import ast
import math
import os
import re
import tomllib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from gradcheck.errors import UsageError

METHODS = ("auto", "central", "complex")
ENVIRONMENT_PREFIX = "GRADCHECK_"
_CODE = re.compile(r"GC\d{0,3}")


@dataclass(frozen=True)
class Options:
    """How a script is checked; None stands for "not said here".

    Attributes
    ----------
    loss : str, optional
        The loss: a variable of the backward function, a function, or an expression.
    points : int, optional
        At how many points to check; 4 by default.
    seed : int, optional
        Seed of the perturbed points; 0 by default.
    rtol, atol : float, optional
        Tolerances; by default they follow the precision of the gradients.
    memory : int, optional
        Address space of the script's process in MiB; unlimited by default.
    fix : bool, optional
        Whether to search for what mends a wrong gradient; true by default.
    select, ignore : tuple of str, optional
        Codes of findings to show and to leave out, or the beginnings of codes; all are shown by default.
    isolated : bool
        Whether to leave environment variables and pyproject.toml aside.
    curves : bool
        Whether to sweep the steps of the worst entries, for pictures of the error against the step.
    strict : bool
        Whether a harmless constant factor is called a mistake.
    max_evals : int, optional
        Largest number of evaluations of the loss at a point; what is not decided then is inconclusive.
    workers : int, optional
        In how many processes to evaluate the loss of a script; 1 by default.
    resume : str, optional
        A file that evaluations are written into, and from which those of an earlier run are taken.
    call : tuple of str, optional
        Statements that are run when a script has been run, as if they stood at its end.
    cwd : str, optional
        The folder in which a script is started; by default its own, or the current one where its data lie there.
    """

    loss: str | None = None
    backward: str | None = None
    params: tuple[str, ...] | None = None
    points: int | None = None
    seed: int | None = None
    rtol: float | None = None
    atol: float | None = None
    method: str | None = None
    timeout: float | None = None
    memory: int | None = None
    fix: bool | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    argv: tuple[str, ...] = ()
    isolated: bool = False
    curves: bool = False
    strict: bool = False
    max_evals: int | None = None
    workers: int | None = None
    resume: str | None = None
    call: tuple[str, ...] | None = None
    cwd: str | None = None

    def __post_init__(self) -> None:
        for name, (expected, holds) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not holds(value):
                raise UsageError(f"{name}: expected {expected}, got {value!r}")
        for text in self.call or ():
            if (problem := _no_python(text)) is not None:
                raise UsageError(f"call: expected Python such as grad(X, y, w), got {text!r}: {problem}")

    def over(self, other: Options) -> Options:
        """Return these options, with what they leave open taken from `other`."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        return replace(other, **said)

    @property
    def typed(self) -> tuple[str, ...]:
        """The flags that ask for the same check on the command line; the script's own arguments are not among them."""
        words = []
        for name in _TYPED:
            value = getattr(self, name)
            if value is not None:
                parts = value if name == "call" else (",".join(value),) if isinstance(value, tuple) else (value,)
                words += [word for part in parts for word in (f"--{name.replace('_', '-')}", _said(part))]
        return (*words, *(f"--{name}" for name in ("strict", "isolated") if getattr(self, name)))

    def shows(self, code: str) -> bool:
        """Whether findings with a code are shown, by `select` and `ignore`."""
        return (self.select is None or code.startswith(self.select)) and not code.startswith(self.ignore or ())


def _said(value: object) -> str:
    """Return a value as somebody would type it."""
    text = repr(value) if isinstance(value, float) else str(value)
    return text.removesuffix(".0") if isinstance(value, float) else text


def names_in(text: str) -> tuple[str, ...]:
    """Return the parts of a text between its commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _no_python(text: str) -> str | None:
    """Say why a text cannot stand at the end of a script; None where it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            is_empty = not ast.parse(text).body
            compile(text, "<call>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return error.msg
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error)
    return "it is empty" if is_empty else None


def _truth(text: str) -> bool:
    try:
        return {"true": True, "false": False, "1": True, "0": False}[text.strip().lower()]
    except KeyError:
        raise ValueError(text) from None


def _are_codes(codes: tuple[str, ...]) -> bool:
    return bool(codes) and all(_CODE.fullmatch(code) for code in codes)


_RANGES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "points": ("a number of at least 1", lambda v: v >= 1),
    "seed": ("a number of at least 0", lambda v: v >= 0),
    "rtol": ("a positive number", lambda v: 0 < v < math.inf),
    "atol": ("a number of at least 0", lambda v: 0 <= v < math.inf),
    "method": (f"one of {', '.join(METHODS)}", lambda v: v in METHODS),
    "timeout": ("a positive number of seconds", lambda v: 0 < v < math.inf),
    "memory": ("a positive number of MiB", lambda v: v > 0),
    "max_evals": ("a positive number of evaluations", lambda v: v > 0),
    "workers": ("a number of at least 1", lambda v: v >= 1),
    "select": ("codes such as GC202 or GC2", _are_codes),
    "ignore": ("codes such as GC202 or GC2", _are_codes),
}
_KINDS: dict[str, Callable[[str], Any]] = {
    "loss": str,
    "backward": str,
    "params": names_in,
    "points": int,
    "seed": int,
    "rtol": float,
    "atol": float,
    "method": str,
    "timeout": float,
    "memory": int,
    "max_evals": int,
    "fix": _truth,
    "call": lambda text: (text,),
    "cwd": str,
    "select": names_in,
    "ignore": names_in,
}
# what decides whether the same mistakes and the same fix are found
_TYPED = (
    *("loss", "backward", "params", "points", "seed", "rtol", "atol", "method"),
    *("timeout", "max_evals", "memory", "call", "cwd"),
)
_KIND_NAMES: dict[Callable[[str], Any], str] = {int: "a whole number", float: "a number", _truth: "true or false"}


def resolve(flags: Options, comment: Options, script: Path, beside: Options | None = None) -> Options:
    """Return the options for one script, each from the first place that says something about it."""
    options = flags.over(comment)
    if flags.isolated:
        return options
    return options.over(_from_environment()).over(beside or Options()).over(_from_pyproject(script))


def from_texts(settings: Mapping[str, str], place: str) -> Options:
    """Return options from texts, as comments, environment variables and files give them."""
    values: dict[str, Any] = {}
    for key, text in settings.items():
        if key not in _KINDS:
            raise UsageError(f"{place}: unknown setting {key!r}; known are {', '.join(_KINDS)}")
        try:
            values[key] = _KINDS[key](text)
        except ValueError:
            expected = _KIND_NAMES.get(_KINDS[key], "another value")
            raise UsageError(f"{place}: {key}: expected {expected}, got {text!r}") from None
    try:
        return Options(**values)
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}") from None


def _from_environment() -> Options:
    options = Options()
    for key in _KINDS:
        name = ENVIRONMENT_PREFIX + key.upper()
        if name in os.environ:
            options = options.over(from_texts({key: os.environ[name]}, f"the environment variable {name}"))
    return options


def _joined(key: str, values: list[Any]) -> str:
    """Return a list as the text that means the same: statements stand on lines of their own."""
    return ("\n" if key == "call" else ",").join(map(str, values))


def _from_pyproject(script: Path) -> Options:
    for folder in script.absolute().parents:
        file = folder / "pyproject.toml"
        if file.is_file():
            try:
                table = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("gradcheck", {})
                table = dict(table)
            except (OSError, ValueError, AttributeError, TypeError) as error:
                raise UsageError(f"{file} cannot be read: {error}") from None
            texts = {k: _joined(k, v) if isinstance(v, list) else str(v) for k, v in table.items()}
            return from_texts(texts, f"[tool.gradcheck] in {file}")
    return Options()
