"""The documentation says what the program does: its examples are run, and its lists are complete.

``PYTHONPATH=tests/support python tests/test_docs.py`` writes the screens of the pages anew.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib.metadata
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

import forked_processes
import gradcheck
import script_runs
from gradcheck import settings as config
from gradcheck.checker.result import Reason
from gradcheck.cli import cli
from gradcheck.demo import FILE_NAME, TEXT
from gradcheck.errors import ScriptError
from gradcheck.report import formats
from gradcheck.report.csv import COLUMNS
from gradcheck.report.json import render
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Confidence, Edit, Finding, Fix
from gradcheck.script.source.magics import without_magics
from gradcheck.script.source.place import Cells
from gradcheck.session.report import ExitCode, Report
from gradcheck.session.result import ScriptResult
from notebooks import notebook
from pages import DOCS, JSON_PAGE, ROOT, table

# of those that are made, the pages of the rules are tested with the rules
MADE = {"_build", "findings"}
PAGES = [ROOT / "README.md", *(page for page in sorted(DOCS.rglob("*.md")) if not MADE & set(page.parts))]
CUT = "..."
ANEW = "PYTHONPATH=tests/support python tests/test_docs.py"
# pytest finds the plugin by itself where gradcheck is installed, which a checkout is not
IS_INSTALLED = importlib.metadata.entry_points(group="pytest11", name="gradcheck")
PLUGIN = () if IS_INSTALLED else ("-p", "_gradcheck_pytest")
_FENCE = re.compile(r"^(?P<fence>`{3,}|:{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"^:(\w+): (.+)\n", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_ROW = re.compile(
    r"^  (?P<name>\S.*?) +(?P<shape>scalar|\d[\d x]*?) +(?P<wrong>\d+ of \d+)( +\S+){3} +(?P<verdict>\w+)$"
)
_CURVE = re.compile(r"(?<=[\d ] )\|[ ▁-█]*$|^ +1 +\d+$")
_COLUMNS = re.compile(r"\d (steps|# epochs)|# epochs|best constant|at first")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Parameters
    ----------
    page : Path
        The page.
    language : str
        What the fence names: ``python``, ``console``, ``{doctest}``.
    caption : str
        Name of the file that the block shows; empty for none.
    text : str
        Its content without options.
    start, end : int
        Where the content lies in the page.
    line : int
        Line of the fence.
    """

    page: Path
    language: str
    caption: str
    text: str
    start: int
    end: int
    line: int

    @property
    def label(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def screens(self) -> list[tuple[str, str]]:
        """The commands of a console block, each with the output that is shown for it."""
        parts = re.split(r"^\$ (.+)\n", self.text, flags=re.MULTILINE)
        return list(zip(parts[1::2], parts[2::2], strict=True))

    @property
    def is_shown(self) -> bool:
        """Whether this is a screen: commands of ours with their output."""
        ours = any(re.search(r"\bgradcheck ", command) for command, _ in self.screens)
        return self.language == "console" and ours and any(shown for _, shown in self.screens)


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        directive = re.fullmatch(r"\{code-block\} (\w+)", match["info"])
        body, options = match["body"], {}
        while option := _OPTION.match(body):
            options[option[1]] = option[2]
            body = body[option.end() :]
        language = directive[1] if directive else match["info"]
        line = text.count("\n", 0, match.start()) + 1
        end = match.end("body")
        found.append(Block(page, language, options.get("caption", ""), body.lstrip("\n"), end - len(body), end, line))
    return found


def files_before(block: Block) -> dict[str, str]:
    """Return the files that the page has shown above a block, with the changes that it has shown to them."""
    files: dict[str, str] = {}
    for other in blocks(block.page):
        if other.start >= block.start:
            break
        if other.caption and other.language == "python":
            files[other.caption] = other.text
        elif other.caption and other.language == "diff":
            files[other.caption] = changed(files.get(other.caption, TEXT), other.text)
    if "$ gradcheck demo\n" not in block.text:
        files.setdefault(FILE_NAME, TEXT)
    return files


def is_notebook(name: str) -> bool:
    return name.endswith(".ipynb")


def cells(text: str) -> list[str]:
    """Return the cells of a notebook that a page shows with a line ``# %%`` above each of them."""
    before, *found = re.split(r"^# %%\n", text, flags=re.MULTILINE)
    assert not before.strip(), "the first cell begins with # %%"
    return found


def changed(text: str, difference: str) -> str:
    """Apply lines of the form ``-old`` and ``+new``."""
    for old, new in re.findall(r"((?:^-.*\n)+)((?:^\+.*\n)+)", difference, flags=re.MULTILINE):
        before, after = (re.sub(r"^.", "", part, flags=re.MULTILINE) for part in (old, new))
        assert text.count(before) == 1, f"{before!r} must occur once"
        text = text.replace(before, after)
    return text


def outputs(block: Block, folder: Path, forks: str = "") -> list[tuple[str, str]]:
    """Run the commands of a block in a folder; return what each wrote to stdout, and to stderr.

    Parameters
    ----------
    forks : str
        Where commands are forked, if they are to be: ``Forks.place``.
    """
    for name, text in files_before(block).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(notebook(*cells(text)) if is_notebook(name) else text, encoding="utf-8")
    if not (folder / "fixtures").exists():
        (folder / "fixtures").symlink_to(ROOT / "fixtures")
    (folder / "bin").mkdir()
    for name, module in {"gradcheck": "gradcheck", "pytest": f"pytest {' '.join(PLUGIN)}"}.items():
        run = forked_processes.told_to_run(module, forks)
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec {sys.executable} {run} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(Path(gradcheck.__file__).parent.parent)}
    environment[forked_processes.PLACE] = forks
    found, code = [], 0
    for command, _ in block.screens:
        run = subprocess.run(
            ["sh", "-c", f"(exit {code}); {command}"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        code = run.returncode
        found.append((run.stdout, run.stderr))
    return found


def scrubbed(text: str) -> list[str]:
    """Return lines without what changes from run to run and from machine to machine: numbers, times, column widths."""
    lines = []
    for line in text.rstrip("\n").split("\n"):
        if row := _ROW.match(line):
            line = f"  {row['name']} {row['shape']} {row['wrong']} # # # {row['verdict']}"
        elif line.startswith("  parameter "):
            line = " ".join(line.split())
        # a curve has other heights, and a training other lengths, where the last digits of a sum are others
        line = _CURVE.sub("|", re.sub(r"\d+ epochs.*", "# epochs", line))
        if _COLUMNS.search(line):
            line = " ".join(line.split())
        line = re.sub(r"(analytic|numerical|\+-|relative error of) [-+.\w]+", r"\1 #", line)
        line = re.sub(r"\d+( evaluations|, *$)", r"#\1", line) if "evaluations" in line else line
        line = re.sub(r'"evaluations": \d+', '"evaluations": #', line)
        lines.append(re.sub(r"-?\d+(\.\d+(e[-+]\d+)?|e[-+]\d+)", "#", line).rstrip())
    return lines


def same_screen(shown: str, real: str) -> bool:
    """Whether a shown screen, perhaps cut at its end, is that of a real run."""
    expected, got = scrubbed(shown), scrubbed(real)
    if expected[-1] == CUT:
        expected = expected[:-1]
        got = got[: len(expected)]
    return expected == got


SCREENS = [block for page in PAGES for block in blocks(page) if block.is_shown]


@pytest.mark.parametrize("block", SCREENS, ids=lambda block: block.label)
def test_screen_is_what_is_printed(block, tmp_path, forks):
    """The demo draws other weights in each run; once in a hundred, they say less about a factor."""
    place = forks.place if forked_processes.IS_POSSIBLE else ""
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        advice = ""
        for (command, shown), (out, err) in zip(block.screens, outputs(block, folder, place), strict=True):
            if shown and not same_screen(shown, out) and not same_screen(shown, out + err):
                advice += f"{block.label}: {command}\n({ANEW} writes the screens anew)\n{out}{err}"
        if not advice:
            return
    pytest.fail(advice)


def test_there_are_screens():
    assert {"README.md", "first-run.md", "when-it-does-not-understand.md"} <= {block.page.name for block in SCREENS}


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        ("  w  3  1 of 3  -0.5  2e-05   1  mismatch", True),
        ("  w  3  1 of 3  1  2  3     match", False),
        ("  w  3  2 of 3  1  2  3  mismatch", False),
        ("  v  3  1 of 3  1  2  3  mismatch", False),
        ("     0.25 |▁▂█", False),
    ],
)
def test_screens_are_compared_by_what_they_say(shown, same):
    assert same_screen(shown, "  w  3  1 of 3  0.25  0.125  0.5  mismatch\n") is same


def example_blocks() -> Iterator[Block]:
    for page in PAGES:
        for block in blocks(page):
            if ">>>" in block.text and block.language in ("python", "pycon", "{doctest}"):
                yield block


@pytest.mark.parametrize("page", sorted({b.page for b in example_blocks()}), ids=lambda page: page.name)
def test_examples_of_a_page(page):
    """The examples of a page are one session, as a reader types them."""
    text = "\n".join(block.text for block in example_blocks() if block.page == page)
    known = {"np": np, **{name: getattr(gradcheck, name) for name in ("assert_grad", "check_grad", "numerical_grad")}}
    # a readme has no set-up, the pages have that of docs/conf.py
    session = doctest.DocTestParser().get_doctest(text, {} if page.name == "README.md" else known, page.name, None, 0)
    report = io.StringIO()
    with contextlib.redirect_stdout(report):
        # a reader does not see the spaces at the end of pandas's lines
        result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(session)
    assert result.attempted > 0
    assert result.failed == 0, report.getvalue()


def test_readme_has_an_example():
    assert "README.md" in {block.page.name for block in example_blocks()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_of_a_page_are_python(page):
    for block in blocks(page):
        if block.language == "python" and is_notebook(block.caption):
            for cell in cells(block.text):
                ast.parse("\n".join(without_magics(cell.split("\n"))))
        elif block.language == "python" and ">>>" not in block.text:
            ast.parse(textwrap.dedent(block.text))


# -- commands and settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_command_and_its_options_have_help(name):
    command = cli.commands[name]
    assert command.get_short_help_str()
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, f"{name}: {parameter.name}"


def test_reference_shows_all_commands():
    page = (DOCS / "reference" / "cli.md").read_text()
    assert ".. click:: gradcheck.cli:cli" in page
    assert ":nested: full" in page


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "reference" / "cli.md"], ids=lambda page: page.name)
def test_exit_codes_are_those_of_the_program(page):
    documented = {int(row[0]) for row in table(page, "## Exit codes" if page.name == "cli.md" else "### Exit codes")}
    assert documented == {int(code) for code in ExitCode}


SETTINGS = DOCS / "reference" / "settings.md"


def test_every_setting_is_documented():
    rows = {row[0].strip("`"): row for row in table(SETTINGS, "## All settings")}
    assert set(rows) == set(config._KINDS)
    options = {option.name: option for option in cli.commands["run"].params}
    for name, (_, flag, variable, default, *_) in rows.items():
        option = options[name]
        assert flag.strip("`").split()[0] in option.opts
        assert variable == f"`{config.ENVIRONMENT_PREFIX}{name.upper()}`"
        told = re.search(r"\[default: (.+)\]", option.help)
        assert default == (told[1] if told else "found")


def test_every_flag_is_documented():
    text = SETTINGS.read_text()
    for option in cli.commands["run"].params:
        if isinstance(option, click.Option):
            assert any(f"`{name}" in text for name in option.opts), option.opts


def test_every_output_format_is_documented_with_its_suffixes():
    page = DOCS / "reference" / "output.md"
    suffixes = {row[0].strip("`"): tuple(re.findall(r"`(\.[\w.]+)`", row[1])) for row in table(page)}
    assert suffixes == {"text": formats.TEXT_SUFFIXES, **{f.name: f.suffixes for f in formats.FORMATS.values()}}
    assert set(formats.NAMES) <= set(headings(page))
    (columns,) = (shown for block in blocks(page) for command, shown in block.screens if command.endswith("csv"))
    assert columns.split("\n")[0].split(",") == list(COLUMNS)


# -- errors and reasons -------------------------------------------------------------------------------------------


def slugs(tree: ast.AST) -> Iterator[str]:
    """Find the slugs in a module: keyword arguments, attributes and defaults called slug, and comparisons with one."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword("slug", ast.Constant(str(slug))):
                yield slug
            case ast.Assign([ast.Name("slug")], ast.Constant(str(slug))):
                yield slug
            case ast.AnnAssign(ast.Name("slug"), _, ast.Constant(str(slug))):
                yield slug
            case ast.Compare(ast.Attribute(_, "slug"), _, [ast.Constant(str(slug))]):
                yield slug
            case ast.Call(ast.Attribute(_, "add"), [_, _, ast.Constant(str(slug))]):
                yield slug


@cache
def source_slugs() -> set[str]:
    files = sorted((ROOT / "gradcheck").rglob("*.py"))
    return {slug for file in files for slug in slugs(ast.parse(file.read_text(encoding="utf-8")))}


def headings(page: Path) -> list[str]:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return re.findall(r"^#{1,3} (.+)$", text, flags=re.MULTILINE)


def test_every_error_has_a_heading_and_the_other_way_round():
    slug_headings = re.findall(r"^### (.+)$", (DOCS / "reference" / "errors.md").read_text(), flags=re.MULTILINE)
    assert len(slug_headings) == len(set(slug_headings))
    assert set(slug_headings) == source_slugs()


def test_slugs_are_found():
    assert {"no-loss", "loss-not-scalar", "usage", "timeout"} <= source_slugs()
    text = 'slug: str = "a"\nslug = "b"\nf(slug="c")\nx.add(1, 2, "d")\nif y.slug == "e": pass\nother = "f"'
    assert set(slugs(ast.parse(text))) == set("abcde")


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.value)
def test_every_reason_is_explained(reason):
    assert f"`{reason.value}`" in (DOCS / "explanation" / "how-a-verdict-is-reached.md").read_text()


# -- JSON ---------------------------------------------------------------------------------------------------------


def json_from(*paths: str) -> Any:
    """Return what is printed for some fixture scripts."""
    return json.loads(script_runs.command("run", "--format", "json", *paths, cwd=ROOT).stdout)


KINDS = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
    "boolean": bool,
    "null": type(None),
}


def assert_documented(heading: str, *objects: dict[str, Any]) -> None:
    """Compare the fields of JSON objects, and the types of their values, with the table of a section."""
    rows = {row[0].strip("`"): row[1] for row in table(JSON_PAGE, heading)}
    for object_ in objects:
        assert set(rows) == set(object_), heading
        for name, value in object_.items():
            words = re.findall("|".join(KINDS), rows[name])
            assert any(isinstance(value, KINDS[word]) for word in words), f"{heading}: {name}"


@pytest.mark.usefixtures("forked_commands")
def test_every_json_field_is_documented_with_its_type():
    report = json_from("fixtures/buggy/logit_ascent.py", "fixtures/unreadable/exits.py")
    good, bad = report["scripts"]
    assert_documented("## The report", report)
    assert_documented("## A script", good, bad)
    assert_documented("## entry_points", good["entry_points"])
    assert_documented("## A parameter", *good["parameters"])
    assert_documented("## error", bad["error"])


@pytest.mark.parametrize("cells", [None, Cells((1, 2), 3)], ids=["script", "notebook"])
def test_every_json_field_of_a_finding_is_documented_with_its_type(cells):
    fix = Fix((Edit(2, "b = 1", "b = 2\nc = 3"), Edit(3, "d = 1", "")), verified=True, points=8)
    place = Span(2, 5, 2, 6)
    with_fix = Finding("GC201", "wrong-variable", "m", ("w",), place, Confidence.VERIFIED, ("e",), fix)
    findings = (with_fix, replace(with_fix, fix=None))
    script = ScriptResult("net.py", findings=findings, cells=cells, error=ScriptError("m", slug="no-loss"))
    (shown,) = json.loads(render(Report((script,))))["scripts"]
    assert_documented("## A finding", *shown["findings"])
    assert_documented("## fix", shown["findings"][0]["fix"])
    assert_documented("## An edit", *shown["findings"][0]["fix"]["edits"])
    assert shown["findings"][0]["cell_line"] == (None if cells is None else 1)
    assert [edit["new"] for edit in shown["findings"][0]["fix"]["edits"]] == ["b = 2\nc = 3", ""]


# -- links --------------------------------------------------------------------------------------------------------


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


TEXTS = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "fixtures" / "README.md"]


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for match in _LINK.finditer(text):
        target, _, place = match["target"].partition("#")
        if not target.startswith(("http:", "https:")):
            file = page.parent / target if target else page
            assert file.exists(), match[0]
            assert not place or place in map(anchor, headings(file)), match[0]


def test_every_page_is_in_the_table_of_contents():
    entries = re.findall(r"^(?:tutorial|how-to|explanation|reference)/[\w-]+$", (DOCS / "index.md").read_text(), re.M)
    assert sorted(entries) == sorted(str(p.relative_to(DOCS).with_suffix("")) for p in PAGES[1:] if p.parent != DOCS)


# -- writing the screens anew -------------------------------------------------------------------------------------


def rewrite(page: Path) -> None:
    """Replace the screens of a page with what is printed now; screens that were cut are cut at the same line."""
    text = page.read_text(encoding="utf-8")
    for block in reversed([block for block in blocks(page) if block.is_shown]):
        with tempfile.TemporaryDirectory() as folder:
            found = outputs(block, Path(folder))
        parts = []
        for (command, shown), (out, err) in zip(block.screens, found, strict=True):
            real = (out or err) if shown else ""
            lines = shown.rstrip("\n").split("\n")
            if lines[-1] == CUT:
                real = "\n".join([*real.split("\n")[: len(lines) - 1], CUT, ""])
            parts.append(f"$ {command}\n{real}")
        text = text[: block.start] + "".join(parts) + text[block.end :]
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for page in PAGES:
        rewrite(page)
