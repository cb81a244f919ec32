"""All output formats of a report: which file gets which, and that all of them say the same."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pandas as pd
import pytest
from click.testing import CliRunner
from junitparser import Error, Failure, JUnitXml, Skipped

from gradcheck.cli import cli
from gradcheck.errors import UsageError
from gradcheck.report.formats import FORMATS, NAMES, encoded, format_of, write
from gradcheck.report.markdown import LIMIT
from gradcheck.script.source.file import Span
from gradcheck.session.report import Report
from gradcheck.session.result import EntryPoints
from report_readers import annotations, rows_of
from report_records import failed, finding, mixed, notebook, parameter, script, wrong
from script_runs import command

Numbers = tuple[float, float]
_SAID = re.compile(r"analytic (?P<analytic>\S+), numerical (?P<numerical>\S+) \+-")


def expected(report: Report) -> dict[tuple[str, str], tuple[str, Numbers]]:
    return {
        (s.path, p.name): (p.verdict.value, (float(p.analytic[p.worst]), float(p.numerical[p.worst])))
        for s in report.scripts
        for p in s.parameters
    }


def same(found: Any, wanted: Any) -> bool:
    """Compare with NaN as equal to itself, and every number to its last bit."""
    return repr(found) == repr(wanted)


def test_the_report_is_one_that_can_go_wrong():
    report = mixed()
    assert {s.verdict for s in report.scripts} == {"match", "mismatch", "inconclusive", "error"}
    assert math.isnan(expected(report)["numbers.py", "nan"][1][0])


def from_json(text: str) -> Any:
    for s in json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))["scripts"]:
        yield from ((s["path"], p) for p in s["parameters"])


def from_jsonl(text: str) -> Any:
    for line in text.splitlines():
        yield from from_json(json.dumps({"scripts": [json.loads(line)]}))


def from_pandas(text: str) -> Any:
    # the other engine of older versions reads numbers to one unit in the last place
    numbers = {name: ["", "nan"] for name in ("analytic", "numerical")}
    frame = pd.read_csv(io.StringIO(text), engine="python", keep_default_na=False, na_values=numbers)
    frame = frame[frame["verdict"] != "error"]
    yield from ((row["path"], {"name": row["parameter"], **row}) for row in frame.to_dict("records"))


def from_csv(text: str) -> Any:
    for row in csv.DictReader(io.StringIO(text)):
        if row["verdict"] != "error":
            yield row["path"], {"name": row["parameter"], **row}


def from_markdown(text: str) -> Any:
    for path, (name, _, _, analytic, numerical, _, verdict) in rows_of(text):
        yield path, {"name": name, "analytic": analytic, "numerical": numerical, "verdict": verdict}


def from_junit(text: str) -> Any:
    verdicts = {Failure: "mismatch", Skipped: "inconclusive"}
    for suite in JUnitXml.fromstring(text.encode()):
        for case in suite:
            said = case.result[0].text if case.result else case.system_out
            if not case.result or not isinstance(case.result[0], Error):
                verdict = verdicts[type(case.result[0])] if case.result else "match"
                yield case.classname, {"name": case.name, "verdict": verdict, **_SAID.search(said).groupdict()}


READERS = [
    ("json", from_json),
    ("jsonl", from_jsonl),
    ("csv", from_pandas),
    ("csv", from_csv),
    ("markdown", from_markdown),
    ("junit", from_junit),
]


@pytest.mark.parametrize(("form", "read"), READERS, ids=lambda value: getattr(value, "__name__", None))
def test_a_format_has_every_parameter_with_its_verdict_and_all_digits(form, read):
    report = mixed()
    found = {}
    for path, fields in read(FORMATS[form].render(report)):
        numbers = (float(fields["analytic"]), float(fields["numerical"]))
        found[path, fields["name"]] = (fields["verdict"], numbers)
    assert same(found, expected(report))


def test_sarif_has_every_parameter_that_does_not_match():
    report = mixed()
    found = {}
    for result in json.loads(FORMATS["sarif"].render(report))["runs"][0]["results"]:
        path = unquote(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
        for fields in result["properties"]["parameters"]:
            numbers = (float(fields["analytic"]), float(fields["numerical"]))
            found[path, fields["name"]] = (fields["verdict"], numbers)
    wanted = {key: value for key, value in expected(report).items() if value[0] != "match"}
    assert same(sorted(found.items()), sorted(wanted.items()))


def test_annotations_have_every_script_and_parameter_that_does_not_match():
    report = Report(tuple(s for s in mixed().scripts if s.path != "numbers.py"))
    found = annotations(FORMATS["github"].render(report))
    wanted = expected(report)
    told = {(a.properties["file"], a.properties["title"].rpartition(": ")[2]): a for a in found}
    verdicts = {"error": "mismatch", "warning": "inconclusive"}
    for (path, name), annotation in told.items():
        if annotation.properties["title"].startswith("not checked"):
            assert (path, annotation.level) in {("bad|name.py", "error"), ("gone.py", "error")}
            continue
        verdict, numbers = wanted.pop((path, name))
        assert verdicts[annotation.level] == verdict
        if match := _SAID.search(annotation.message):
            assert same((float(match["analytic"]), float(match["numerical"])), numbers)
    assert {verdict for verdict, _ in wanted.values()} == {"match"}


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_scripts_in_error_are_told_with_slug_and_message(form):
    text = FORMATS[form].render(Report((failed("bad.py", "no-loss", "no loss, no check"),)))
    assert "no-loss" in text
    assert "no loss, no check" in text


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_report_without_scripts_can_be_read(form):
    text = FORMATS[form].render(Report(()))
    content = encoded(Report(()), form).decode()
    match form:
        case "json" | "sarif":
            assert json.loads(text)
        case "jsonl" | "github":
            assert (text, content) == ("", "")
        case "csv":
            assert list(pd.read_csv(io.StringIO(text)).columns)[:2] == ["path", "parameter"]
            assert len(pd.read_csv(io.StringIO(text))) == 0
        case "junit":
            assert ElementTree.fromstring(text).get("tests") == "0"
        case "markdown":
            assert "nothing to check" in text
        case _:
            assert text.endswith("\n") is False


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_format_does_not_end_with_an_empty_line(form):
    text = FORMATS[form].render(mixed())
    assert not text.endswith("\n")
    assert encoded(mixed(), form) == f"{text}\n".encode()


def test_one_script_checked_for_two_functions_keeps_them_apart():
    def of(function):
        return script("a.py", parameter(), entry_points=EntryPoints(function, None, "loss", ("w",), 1, 1))

    report = Report((of("f"), of("g"), wrong()))
    assert [suite.name for suite in JUnitXml.fromstring(FORMATS["junit"].render(report))] == [
        "a.py::f",
        "a.py::g",
        "net.py",
    ]
    assert [path for path, _ in rows_of(FORMATS["markdown"].render(report))][:3] == ["a.py::f", "a.py::g", "net.py"]


# -- JSON lines and CSV -------------------------------------------------------------------------------------------


def test_a_json_line_is_the_object_of_the_json_report_and_stands_alone():
    report = mixed()
    whole = json.loads(FORMATS["json"].render(report))
    heading = {name: whole[name] for name in ("schema", "gradcheck", "seed")}
    lines = FORMATS["jsonl"].render(report).split("\n")
    assert [json.loads(line) for line in lines] == [{**heading, **s} for s in whole["scripts"]]
    assert heading["seed"] == 7


def test_a_json_line_is_one_line_for_every_reader():
    text = FORMATS["jsonl"].render(Report((failed(message="a\nb\r\x0b\x0c\x1c\x85\u2028\u2029c"),)))
    assert len(text.splitlines()) == 1
    assert json.loads(text)["error"]["message"] == "a\nb\r\x0b\x0c\x1c\x85\u2028\u2029c"


def test_csv_tells_nan_from_what_there_is_not():
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"].render(mixed()))))
    by_name = {row["parameter"]: row for row in rows}
    assert (by_name["nan"]["analytic"], by_name["inf"]["analytic"]) == ("nan", "-inf")
    assert by_name["inf"]["numerical"] == "5e-324"
    (gone,) = (row for row in rows if row["path"] == "gone.py")
    assert (gone["verdict"], gone["error"], gone["message"]) == ("error", "unreadable", "no such file")
    assert (gone["analytic"], gone["parameter"]) == ("", "")


def test_csv_has_the_fields_of_a_parameter_and_the_codes_of_its_findings():
    findings = (finding(), finding(code="GC201", parameters=("b",)), finding(code="GC202"))
    report = Report((wrong(findings=findings), mixed().scripts[6]))
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"].render(report))))
    fields = json.loads(FORMATS["json"].render(report))["scripts"][0]["parameters"][0]
    assert set(fields) - {"name", "certified"} <= set(rows[0])
    assert [row["findings"] for row in rows[:2]] == ["GC213 GC202", "GC201"]
    assert json.loads(rows[-1]["shape"]) == [300, 400]
    assert (rows[-1]["certified_directions"], rows[-1]["certified_complete"]) == ("4", "True")
    assert rows[0]["checked"] == "2"


@pytest.mark.parametrize("path", ["=cmd|' /C calc'!A0.py", "+1.py", "-1.py", "@sum.py", "\t=1.py"])
def test_no_path_in_csv_is_a_formula(path):
    (row,) = csv.DictReader(io.StringIO(FORMATS["csv"].render(Report((failed(path),))), newline=""))
    assert row["path"] == f"./{path}"
    assert Path(row["path"]) == Path(path)


def test_a_line_end_of_any_kind_does_not_end_a_row():
    (row,) = csv.DictReader(io.StringIO(FORMATS["csv"].render(Report((failed(message='a\r\nb\rc\nd,"e"'),)))))
    assert row["message"] == 'a\nb\nc\nd,"e"'


# -- files and the command line -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("r.json", "json"),
        ("R.JSON", "json"),
        ("r.jsonl", "jsonl"),
        ("r.ndjson", "jsonl"),
        ("r.csv", "csv"),
        ("r.md", "markdown"),
        ("r.markdown", "markdown"),
        ("r.sarif", "sarif"),
        ("r.sarif.json", "sarif"),
        ("r.xml", "junit"),
        ("r.txt", "text"),
        ("r.log", "text"),
        ("r.out", "text"),
        ("report", "text"),
        ("v1.2.json", "json"),
    ],
)
def test_the_suffix_says_the_format(name, form):
    assert format_of(Path("some.pdf") / name) == form


@pytest.mark.parametrize("name", ["r.pdf", "r.docx", "r.png", "r.yaml", "r.json.gz"])
def test_a_suffix_that_stands_for_nothing_is_wrong_usage(name):
    with pytest.raises(UsageError, match=rf"\.json, .*\.xml.*\.txt.*got {name}"):
        format_of(Path(name))


@pytest.mark.parametrize("form", NAMES)
def test_every_format_can_be_written_into_a_file(form, tmp_path):
    suffix = FORMATS[form].suffixes[:1] if form != "text" else (".txt",)
    target = tmp_path / f"r{suffix[0] if suffix else ''}"
    write(mixed(), target, None if suffix else form)
    assert target.read_bytes() == encoded(mixed(), form)
    assert "größe_Ä" in target.read_text(encoding="utf-8")


def test_text_in_a_file_has_no_colours_and_is_not_cut(tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    write(Report((script("n.py", parameter("w" * 500, 1.0, 2.0)),)), tmp_path / "r.txt")
    text = (tmp_path / "r.txt").read_text()
    assert "\x1b" not in text
    assert re.search(r"w{500} +scalar +1 of 1 +1 +2 ", text)
    write(mixed(), tmp_path / "q.txt", verbosity=-1)
    assert len((tmp_path / "q.txt").read_text().splitlines()) == len(mixed().scripts) + 1  # one message has two lines


@pytest.mark.parametrize("form", NAMES)
def test_a_file_name_that_is_no_text_is_no_reason_to_fail(form, tmp_path):
    report = Report((wrong("caf\udce9.py"), failed("\udce9.py", message="caf\udce9")))
    write(report, tmp_path / "r", form)
    text = (tmp_path / "r").read_text(encoding="utf-8")
    if form == "json":
        assert json.loads(text)["scripts"][0]["path"] == "caf\udce9.py"
    if form == "sarif":
        assert "caf%E9.py" in text
    if form == "junit":
        assert ElementTree.fromstring(text)[0].get("name") == "caf\ufffd.py"


def test_a_file_that_cannot_be_written_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match=r"cannot write .*nowhere"):
        write(mixed(), tmp_path / "nowhere" / "r.json")


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Return a way to call the command line on a script whose report is known."""

    def of(*arguments, report=None):
        monkeypatch.setattr("sys.argv", ["gradcheck", *arguments])
        monkeypatch.setattr("gradcheck.commands.run.check", lambda *_: (report or mixed()).scripts)
        return CliRunner().invoke(cli, ["run", *arguments])

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return of


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_the_command_prints_every_format(invoke, form):
    done = invoke("net.py", "--format", form)
    assert done.exit_code == 1
    assert done.stdout_bytes == encoded(mixed(), form)
    assert done.stderr.startswith("8 scripts: ")


def test_the_format_beats_the_suffix(invoke):
    assert invoke("net.py", "--format", "csv", "-o", "r.pdf").exit_code == 1
    assert Path("r.pdf").read_bytes() == encoded(mixed(), "csv")


def test_an_unknown_suffix_is_told_before_anything_runs(invoke, monkeypatch):
    ran = []
    monkeypatch.setattr("gradcheck.api.prepare", lambda *_: ran.append(1))
    done = invoke("net.py", "-o", "report.pdf")
    assert done.exit_code == 2
    assert ".sarif" in done.stderr
    assert "report.pdf" in done.stderr
    assert not ran
    assert not Path("report.pdf").exists()


def test_the_command_says_if_a_file_cannot_be_written_after_all(invoke, tmp_path):
    (tmp_path / "r.csv").mkdir()
    assert invoke("net.py", "-o", "r.csv").exit_code == 2


def test_the_help_names_every_format(invoke):
    said = " ".join(invoke("--help").stdout.split())
    assert f"[{'|'.join(NAMES)}]" in said


# -- GitHub's annotations -----------------------------------------------------------------------------------------


def test_an_annotation_stands_at_its_place():
    (found,) = annotations(FORMATS["github"].render(Report((wrong("a b/c.py"),))))
    assert found.level == "error"
    assert found.properties == {
        "file": "a b/c.py",
        "line": "2",
        "endLine": "2",
        "col": "10",
        "endColumn": "15",
        "title": "GC213 constant-factor: w",
    }
    assert found.message.split("\n") == [
        "`dw` has `3`, where `2` belongs",
        "numerical = analytic x 0.667 in every entry",
        "fix, verified at 8 fresh points:",
        "@@ line 2 @@",
        "-    dw = 3 * x  # é",
        "+    dw = 2 * x  # é",
    ]


def test_a_stretch_of_several_lines_has_no_columns():
    (found,) = annotations(FORMATS["github"].render(Report((wrong(findings=(finding(span=Span(1, 5, 2, 3)),)),))))
    assert {"line", "endLine"} <= set(found.properties)
    assert not {"col", "endColumn"} & set(found.properties)


def test_a_notebook_has_no_line_but_its_cell():
    (found,) = annotations(FORMATS["github"].render(Report((notebook("a.ipynb"),))))
    assert set(found.properties) == {"file", "title"}
    assert found.message.startswith("cell 2, line 1: `dw` has")
    (broken,) = annotations(FORMATS["github"].render(Report((failed("b.ipynb", "unreadable", "no", line=7),))))
    assert "line" not in broken.properties


def test_nothing_that_a_script_says_becomes_another_command():
    text = FORMATS["github"].render(Report((failed("a,b:c%0A.py", message="x\n::error::y\r\n%0A::set-output::z"),)))
    assert len(text.splitlines()) == 1
    (found,) = annotations(text)
    assert found.properties["file"] == "a,b:c%0A.py"
    assert found.message == "x\n::error::y\r\n%0A::set-output::z"


def test_thirty_findings_stay_within_what_github_shows():
    scripts = [wrong(f"net{i}.py") for i in range(30)]
    undecided = [script(f"k{i}.py", parameter("w", verdict="inconclusive")) for i in range(12)]
    found = annotations(FORMATS["github"].render(Report((*scripts, *undecided))))
    assert [a.level for a in found] == ["error"] * 10 + ["warning"] * 10 + ["notice"]
    assert found[-1].message.startswith("20 more errors and 2 more warnings than GitHub shows")
    assert "summary" in found[-1].message
    exact = annotations(FORMATS["github"].render(Report(tuple(scripts[:10]))))
    assert [a.level for a in exact] == ["error"] * 10


def test_one_annotation_per_parameter_and_not_per_entry():
    many = parameter("W", [float(i) for i in range(100)], [i + 1.0 for i in range(100)])
    (found,) = annotations(FORMATS["github"].render(Report((script("net.py", many),))))
    assert "100 of 100 entries are wrong" in found.message


def test_the_summary_of_the_job_gets_the_report(invoke, tmp_path, monkeypatch):
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    for form in ("json", "markdown", "text"):
        invoke("net.py", "--format", form)
    assert page.read_text() == "before\n"
    invoke("net.py", "--format", "github")
    text = page.read_text(encoding="utf-8")
    assert text == f"before\n{FORMATS['markdown'].render(mixed())}\n\n"


def test_the_summary_of_the_job_stays_within_its_limit(invoke, tmp_path, monkeypatch):
    page = tmp_path / "summary.md"
    page.write_bytes(b"x" * (LIMIT - 1500))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    assert invoke("net.py", "--format", "github").exit_code == 1
    assert LIMIT - 1500 < page.stat().st_size <= LIMIT
    assert "left out here" in page.read_text(encoding="utf-8")
    page.write_bytes(b"x" * (LIMIT - 10))
    assert invoke("net.py", "--format", "github").exit_code == 1
    assert page.stat().st_size == LIMIT - 10


def test_a_summary_that_cannot_be_written_does_not_change_the_exit_code(invoke, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "where"))
    done = invoke("net.py", "--format", "github")
    assert done.exit_code == 1
    assert "cannot write the summary" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the encoding of a console there is no variable's")
def test_what_a_program_reads_is_utf8_whatever_the_terminal_has(tmp_path):
    (tmp_path / "naïve.py").write_text("größe = (", encoding="utf-8")
    done = command("run", "naïve.py", "--format", "json", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["scripts"][0]["path"] == "naïve.py"
