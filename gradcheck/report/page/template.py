"""The template of the page, with its stylesheet and its script: files beside this module."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from gradcheck.report.page.words import visible


def fill(**content: Any) -> str:
    """Return the page."""
    return str(_template().render(**content))


@cache
def _template() -> Any:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    style, script = _asset("page.css"), _asset("page.js")
    # so that nothing is loaded and nothing runs but these two, whatever a script under test has in its texts
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(style=Markup(style), script=Markup(script), policy=policy)
    return environment.get_template("page.html")


def _asset(name: str) -> str:
    return files("gradcheck.report.page").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
