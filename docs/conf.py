"""Settings of the documentation; building it needs no network."""

from gradcheck._version import __version__

project = "gradcheck"
author = "The gradcheck developers"
copyright = "2026, The gradcheck developers"
version = release = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx_click",
]
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [
    # types of libraries whose documentation is not here, and the words of docstrings ("array", "optional")
    (r"py:class", r"(?!gradcheck\b).*"),
]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings give types and shapes in words
numpydoc_show_class_members = False
# no "dollarmath": a page with formulas would fetch MathJax from a server, so formulas are written as text
myst_enable_extensions = ["colon_fence"]
# examples in docstrings use the names of their module, as elsewhere
doctest_global_setup = "import numpy as np\nfrom gradcheck import assert_grad, check_grad, numerical_grad"
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"gradcheck {release}"
html_static_path: list[str] = []
html_show_sphinx = False


def write_findings(app) -> None:
    """Write a page for each rule and the list of them; they are made from the rules and not kept."""
    from pathlib import Path

    from gradcheck.diagnosis.registry import rules
    from gradcheck.report.explanation import page

    folder = Path(app.srcdir) / "reference" / "findings"
    folder.mkdir(exist_ok=True)
    known = rules().values()
    for rule in known:
        (folder / f"{rule.code}.md").write_text(page(rule), encoding="utf-8")
    rows = "\n".join(f"| [{rule.code}]({rule.code}.md) | `{rule.name}` | {rule.summary} |" for rule in known)
    tree = "\n".join(rule.code for rule in known)
    (folder / "index.md").write_text(
        "# Findings\n\nEach mistake that is found has a code, which does not change, and a name. "
        "`gradcheck explain CODE` shows the same pages.\n\n"
        f"| code | name | what is wrong |\n|---|---|---|\n{rows}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{tree}\n```\n",
        encoding="utf-8",
    )


def setup(app) -> None:
    """Have the pages of the rules written before anything is read."""
    app.connect("builder-inited", write_findings)
