"""Imports point downwards only; the table below is the layout of the package."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gradcheck"

# what may import what: layers from the bottom to the top
MAY_IMPORT = {
    "version": set[str](),
    "core": {"version", "core"},
    "reference": {"reference"},
    "demo": set[str](),
    "config": {"version"},
    "analysis": {"version", "core", "analysis"},
    "adapters": {"core", "adapters"},
    "comparison": {"core", "analysis", "reference", "comparison"},
    "report": {"version", "core", "analysis", "comparison", "report"},
    "api": {"version", "core", "analysis", "comparison", "report", "config", "reference", "adapters", "api"},
    "front": {
        *("version", "core", "analysis", "comparison", "report", "config", "reference", "adapters", "api", "demo"),
        "front",
    },
    "facade": {"version", "core", "analysis", "report", "adapters", "api", "front"},
}
MODULES = {
    "_version": "version",
    "errors": "core",
    "arrays": "core",
    "tolerance": "core",
    "containers": "core",
    "leaf": "core",
    "backup": "core",
    "params": "core",
    "gradient": "core",
    "calls": "core",
    "random_state": "core",
    "generators": "core",
    "arguments": "core",
    "self_difference": "core",
    "step_size": "core",
    "noise": "core",
    "noise_scan": "core",
    "levels": "core",
    "extrapolation": "core",
    "richardson": "core",
    "least_squares": "core",
    "estimate": "core",
    "step_search": "core",
    "finite_difference": "core",
    "complex_step": "core",
    "line": "core",
    "directional": "core",
    "bisection": "core",
    "certificate": "core",
    "step_curve": "core",
    "step_sweep": "core",
    "certify": "core",
    "shadow": "core",
    "objective": "core",
    "displacement": "core",
    "loss": "core",
    "randomness": "core",
    "entries": "core",
    "partial_derivatives": "core",
    "ties": "core",
    "verdict": "core",
    "judge": "core",
    "result": "core",
    "failure": "core",
    "options": "core",
    "points": "core",
    "functions": "core",
    "parallel": "core",
    "sending": "core",
    "engine": "core",
    "forking": "core",
    "journal": "core",
    "limits": "core",
    "progress_line": "core",
    "tracking": "core",
    "inner_threads": "core",
    "stacking": "core",
    "reference": "reference",
    "demo": "demo",
    "config": "config",
    "script": "analysis",
    "diagnosis": "analysis",
    "repair": "analysis",
    "adapters": "adapters",
    "comparison": "comparison",
    "report": "report",
    "api": "api",
    "batch": "api",
    "mend": "api",
    "scaffold": "api",
    "compare": "api",
    "csv_data": "api",
    "training": "api",
    "progress": "front",
    "watch": "front",
    "commands": "front",
    "standard_input": "front",
    "cli": "front",
    "pytest_plugin": "front",
    "notebook_magic": "front",
    "": "facade",
    "__main__": "facade",
}
# libraries that only these modules may import, or those of these packages, wherever the import stands
ONLY_IN = {
    "pandas": {"gradcheck.report.table"},
    "click": {"gradcheck.cli", "gradcheck.commands"},
    "matplotlib": {"gradcheck.report.plot", "gradcheck.report.panels", "gradcheck.report.pictures"},
    "IPython": {"gradcheck.notebook_magic"},
    "rich": {
        "gradcheck.commands",
        "gradcheck.progress",
        "gradcheck.progress_line",
        "gradcheck.report.comparison",
        "gradcheck.report.failing",
        "gradcheck.report.findings",
        "gradcheck.report.overview",
        "gradcheck.report.snippet",
        "gradcheck.report.text",
    },
    "cloudpickle": {"gradcheck.sending"},
    "joblib": {"gradcheck.sending"},
    "threadpoolctl": {"gradcheck.inner_threads"},
    "jinja2": {"gradcheck.report.page.template"},
    "markupsafe": {"gradcheck.report.page.template"},
    "nbformat": {"gradcheck.script.notebook"},
    "pytest": {
        f"gradcheck.pytest_plugin.{name}"
        for name in ("collect", "fixture", "output", "place", "record", "settings", "shared", "summary")
    },
}
# a wrong setting is a usage error, so the settings see the errors and nothing else of the core
ALSO = {("gradcheck.config", "gradcheck.errors")}
# a result and a report show themselves, so these imports point upwards, at the time of the call
UPWARDS = {
    ("gradcheck.result", "gradcheck.report.fragment"),
    ("gradcheck.result", "gradcheck.report.fragment_markdown"),
    ("gradcheck.result", "gradcheck.report.plot"),
    ("gradcheck.result", "gradcheck.report.table"),
    ("gradcheck.report.record", "gradcheck.report.fragment"),
    ("gradcheck.report.record", "gradcheck.report.fragment_markdown"),
    ("gradcheck.report.record", "gradcheck.report.fragment_text"),
    ("gradcheck.report.record", "gradcheck.report.plot"),
}


@dataclass(frozen=True)
class Import:
    """One import statement's edge.

    Parameters
    ----------
    source, target : str
        Dotted names of the importing and the imported module.
    line : int
        Where the statement stands.
    lazy : bool
        Whether it stands in a function.
    typing_only : bool
        Whether it stands under ``if TYPE_CHECKING``.
    """

    source: str
    target: str
    line: int
    lazy: bool = False
    typing_only: bool = False


def modules(package: Path) -> dict[str, ast.Module]:
    """Parse all modules of a package, under their dotted names."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_bytes(), str(path))
    return found


def is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def statements(
    node: ast.AST, lazy: bool = False, typing_only: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    """Walk all import statements with the place where they stand."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, lazy, typing_only
    guarded = node.body if isinstance(node, ast.If) and is_type_checking(node.test) else []
    lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from statements(child, lazy, typing_only or child in guarded)


def imports(trees: dict[str, ast.Module]) -> list[Import]:
    """Resolve every import of every module to the module that it names."""
    packages = {name.rpartition(".")[0] for name in trees} | {"gradcheck"}
    edges = []
    for source, tree in trees.items():
        for node, lazy, typing_only in statements(tree):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            else:
                base = node.module or ""
                if node.level:
                    parent = source.split(".")[: None if source in packages else -1]
                    parent = parent[: len(parent) - node.level + 1]
                    base = ".".join([*parent, base] if base else parent)
                names = [f"{base}.{alias.name}" for alias in node.names]
                targets = sorted({name if name in trees else base for name in names})
            edges += [Import(source, target, node.lineno, lazy, typing_only) for target in targets]
    return edges


def layer(module: str) -> str | None:
    return MODULES.get((module + ".").split(".")[1])


def allowed(source: str, target: str) -> bool:
    """Whether a module of the package may import another one."""
    above = layer(source)
    if above is None or layer(target) is None:
        return False
    return layer(target) in MAY_IMPORT[above] or (source, target) in ALSO


def is_ours(module: str) -> bool:
    return module.split(".")[0] == "gradcheck"


def violations(trees: dict[str, ast.Module]) -> list[str]:
    """List every import that the layout forbids."""
    found = [f"{module} has no layer: enter it in MODULES" for module in trees if layer(module) is None]
    for edge in imports(trees):
        place = f"{edge.source}:{edge.line} imports {edge.target}"
        library = edge.target.split(".")[0]
        if is_ours(edge.target):
            exempt = (edge.source, edge.target) in UPWARDS and (edge.lazy or edge.typing_only)
            if not exempt and not allowed(edge.source, edge.target):
                found.append(f"{place}: {layer(edge.source)} must not import {layer(edge.target)}")
        elif library in sys.stdlib_module_names or edge.typing_only:
            continue
        elif library in ONLY_IN:
            if not {edge.source, edge.source.rpartition(".")[0]} & ONLY_IN[library]:
                found.append(f"{place}: only for {', '.join(sorted(ONLY_IN[library]))}")
        elif library != "numpy" and layer(edge.source) in {"core", "reference", "config"}:
            found.append(f"{place}: {layer(edge.source)} needs numpy and the standard library only")
        elif library != "numpy" and not edge.lazy:
            found.append(f"{place}: an optional library, so import it in the function that needs it")
    return found


def cycle(edges: Iterable[Import]) -> list[str]:
    """Return the modules of one import cycle, or nothing."""
    graph: dict[str, set[str]] = {}
    for edge in edges:
        upwards = (edge.source, edge.target) in UPWARDS
        if is_ours(edge.target) and not edge.typing_only and not upwards and edge.source != edge.target:
            graph.setdefault(edge.source, set()).add(edge.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def parse(**sources: str) -> dict[str, ast.Module]:
    """Build a synthetic package: ``script__record`` stands for ``gradcheck.script.record``."""
    return {f"gradcheck.{name.replace('__', '.')}": ast.parse(source) for name, source in sources.items()}


def test_imports_point_downwards():
    assert violations(modules(PACKAGE)) == []


def test_there_is_no_import_cycle():
    assert cycle(imports(modules(PACKAGE))) == []


def test_every_module_of_the_package_is_seen():
    """The walk finds the modules that the other tests judge, and some edges between them."""
    trees = modules(PACKAGE)
    assert {"gradcheck", "gradcheck.errors", "gradcheck._version"} <= set(trees)
    assert Import("gradcheck", "gradcheck._version", 1) in [
        Import(edge.source, edge.target, 1) for edge in imports(trees)
    ]


@pytest.mark.parametrize(
    ("sources", "complaint"),
    [
        ({"functions": "import pandas"}, "gradcheck.functions:1 imports pandas: only for gradcheck.report.table"),
        ({"functions": "def f():\n    import pandas as pd"}, "gradcheck.functions:2 imports pandas"),
        ({"functions": "import scipy.optimize"}, "core needs numpy and the standard library only"),
        ({"functions": "from gradcheck.script import record"}, "core must not import analysis"),
        ({"functions": "from .script.record import Call"}, "core must not import analysis"),
        ({"functions": "from gradcheck import script", "script": ""}, "core must not import analysis"),
        ({"functions": "from gradcheck import check_grad"}, "core must not import facade"),
        ({"result": "from gradcheck.report.table import frame"}, "core must not import report"),
        ({"script__record": "from ..report import text"}, "analysis must not import report"),
        ({"script__record": "from gradcheck.config import Settings"}, "analysis must not import config"),
        ({"diagnosis__rules__sign": "import gradcheck.api"}, "analysis must not import api"),
        ({"report__json": "from gradcheck.api import check_script"}, "report must not import api"),
        ({"report__json": "import rich.table"}, "only for gradcheck.commands, gradcheck.progress"),
        ({"report__html": "import jinja2"}, "only for gradcheck.report.page.template"),
        ({"api": "import click"}, "only for gradcheck.cli"),
        ({"api": "from gradcheck.cli import cli"}, "api must not import front"),
        ({"config": "from gradcheck.functions import check_grad"}, "config must not import core"),
        ({"reference__network": "from gradcheck.errors import InputError"}, "reference must not import core"),
        ({"adapters__torch": "import torch"}, "import it in the function"),
        ({"api": "if TYPE_CHECKING:\n    from gradcheck.cli import cli"}, "gradcheck.api:2 imports gradcheck.cli"),
        ({"helpers": ""}, "gradcheck.helpers has no layer"),
    ],
)
def test_an_offending_module_is_found(sources, complaint):
    (found,) = violations(parse(**sources))
    assert complaint in found


@pytest.mark.parametrize(
    "sources",
    [
        {"result": "def table(self):\n    from gradcheck.report.table import frame"},
        {"result": "if TYPE_CHECKING:\n    import pandas as pd"},
        {"config": "from gradcheck.errors import UsageError"},
        {"adapters__torch": "def load():\n    import torch"},
        {"report__table": "import pandas as pd\nimport numpy as np"},
        {"script__record": "from gradcheck.script.source import SourceFile\nfrom . import state"},
        {"script": "from .record import Call", "script__record": "from ..errors import ScriptError"},
        {"cli": "import click\nfrom gradcheck import api, reference", "api": "", "reference": ""},
    ],
)
def test_a_proper_module_is_not_found(sources):
    assert violations(parse(**sources)) == []


def test_a_cycle_is_found():
    trees = parse(script__a="from . import b", script__b="def f():\n    import gradcheck.script.a")
    assert set(cycle(imports(trees))) == {"gradcheck.script.a", "gradcheck.script.b"}
    assert cycle(imports(parse(script__a="from . import b", script__b=""))) == []
    typing_only = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import a"
    assert cycle(imports(parse(script__a="from . import b", script__b=typing_only))) == []
