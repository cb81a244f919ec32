"""The pytest plugin's entry: options, marker, fixtures and hooks; what they do is loaded when it is first needed.

It stands beside the package, not in it, for two reasons: a test run that checks no gradient does not pay for loading
``gradcheck``, NumPy or pandas; and nothing of the package is imported before coverage has begun to measure.
PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gradcheck.pytest_plugin.collect import ScriptFile
    from gradcheck.pytest_plugin.fixture import Checker
    from gradcheck.pytest_plugin.record import Found

MARKER = (
    "gradcheck(rtol, atol, points, seed, method, timeout): settings of the fixture gradcheck in a test; the tests of "
    "scripts have this marker, too"
)
SETTINGS = {
    "rtol": ("X", "relative tolerance"),
    "atol": ("X", "absolute tolerance"),
    "points": ("N", "number of points to check at"),
    "seed": ("N", "seed of the perturbed points"),
    "method": ("NAME", "how to differentiate: auto, central or complex"),
    "timeout": ("SECONDS", "time limit per script"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the ini keys."""
    group = parser.getgroup("gradcheck", "checking gradients")
    group.addoption("--gradcheck", action="store_true", help="test the gradients of scripts and notebooks, too")
    for name, (value, said) in SETTINGS.items():
        group.addoption(f"--gradcheck-{name}", metavar=value, help=f"{said} (of gradients)")
        parser.addini(f"gradcheck_{name}", f"{said} (of gradients)", default=None)
    strict = "a script's gradient that cannot be decided or checked fails, where it would be skipped"
    group.addoption("--gradcheck-strict", action="store_true", help=strict)
    parser.addini("gradcheck_strict", strict, type="bool", default=False)
    report = "write a report of every gradient that was checked"
    group.addoption("--gradcheck-report", metavar="FILE", help=report)
    parser.addini("gradcheck_report", report, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and say at once that a setting is wrong."""
    config.addinivalue_line("markers", MARKER)
    names = [f"gradcheck_{name}" for name in SETTINGS]
    if any(config.getoption(name) is not None or config.getini(name) is not None for name in names):
        from gradcheck.pytest_plugin.settings import of_command_line, of_ini_file

        of_command_line(config)
        of_ini_file(config)
    if not hasattr(config, "workerinput"):  # what the workers of xdist find is put together where they report to
        config.pluginmanager.register(Controller(config, _report_file(config)), "gradcheck-controller")


def _report_file(config: pytest.Config) -> Path | None:
    """Return the file to write a report to; one that the ini file names lies where that does."""
    flag, key = config.getoption("gradcheck_report"), config.getini("gradcheck_report")
    if not (flag or key):
        return None
    from gradcheck.pytest_plugin.output import refuse_unwritable
    from gradcheck.pytest_plugin.settings import ini_place

    target: Path = config.invocation_params.dir / flag if flag else config.rootpath / key
    refuse_unwritable(target, "--gradcheck-report" if flag else ini_place(config, "report"))
    return target


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScriptFile | None:
    """Collect a script that was found in a folder, or a notebook."""
    if not parent.config.getoption("gradcheck"):
        return None
    from gradcheck.pytest_plugin.collect import script_file

    return script_file(file_path, parent)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> ScriptFile | None:
    """Collect a script that was named: pytest would import it."""
    if not parent.config.getoption("gradcheck"):
        return None
    from gradcheck.pytest_plugin.collect import script_file_for_module

    return script_file_for_module(module_path, parent)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker with wrong settings, also where no fixture would read it."""
    __tracebackhide__ = True
    if any(marker.args or marker.kwargs for marker in item.iter_markers("gradcheck")):
        from gradcheck.pytest_plugin.settings import of_markers

        of_markers(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send what a test has found along with its last report."""
    report = yield
    record = sys.modules.get("gradcheck.pytest_plugin.record")
    if record is not None and report.when == "teardown":
        record.attach(item, report)
    return report


class Controller:
    """Gathers what the tests have found, in this process or in the workers of xdist.

    Parameters
    ----------
    config : pytest.Config
        The run.
    target : Path or None
        The file to write a report to.
    """

    def __init__(self, config: pytest.Config, target: Path | None) -> None:
        self.config = config
        self.target = target
        self.found: list[Found] = []
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of xdist the folder in which the workers share what they find in scripts."""
        if self.config.getoption("gradcheck"):
            from gradcheck.pytest_plugin.shared import FOLDER

            if self.folder is None:
                self.folder = tempfile.TemporaryDirectory(prefix="gradcheck-")
            node.workerinput[FOLDER] = self.folder.name

    def pytest_unconfigure(self) -> None:
        """Take that folder away."""
        if self.folder is not None:
            self.folder.cleanup()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test has found."""
        found = getattr(report, "gradcheck", None)
        if found is not None:
            self.found.append(found)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write the report."""
        if self.target is not None and not self.config.option.collectonly:
            from gradcheck.pytest_plugin.output import write

            write(self.found, self.target)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the gradients that do not match."""
        if (self.found or self.target) and not self.config.option.collectonly:
            from gradcheck.pytest_plugin.summary import show

            show(self.found, self.target, terminalreporter)


@pytest.fixture(name="gradcheck")
def _gradcheck(request: pytest.FixtureRequest) -> Checker:
    """Check gradients: gradcheck(loss, grad, params), gradcheck.script(path), gradcheck.numerical(loss, params)."""
    __tracebackhide__ = True
    from gradcheck.pytest_plugin.fixture import Checker

    return Checker(request.node)


@pytest.fixture(name="gradient_checker")
def _gradient_checker(gradcheck: Checker) -> Checker:
    """Check gradients, as the fixture gradcheck does; for modules in which that name is another's."""
    return gradcheck
