"""The report as HTML, as a text: it holds together, needs nothing from elsewhere, and says the numbers."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import zlib
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner

from gradcheck.checker.result import Reason
from gradcheck.cli import cli
from gradcheck.comparison.record import Comparison
from gradcheck.errors import ScriptError
from gradcheck.report import html
from gradcheck.report.page.axis import Axis
from gradcheck.report.page.grid import Grid, where_wrong
from gradcheck.report.page.limits import MOST_PICTURES
from gradcheck.report.page.prose import paragraphs, pieces
from gradcheck.report.page.scatter import scatter
from gradcheck.report.page.source import Mark, segments
from gradcheck.report.page.sweep import sweep
from gradcheck.report.page.tokens import stretches
from gradcheck.report.page.trainings import thinned, trainings
from gradcheck.report.page.words import MINUS, TIMES
from gradcheck.script.source.file import Span
from gradcheck.script.source.place import Cells
from gradcheck.session.report import Report
from html_pages import HOSTILE, PAGES, comparison, page
from report_records import failed, finding, parameter, script, wrong

VOID = {"meta", "link", "img", "input", "br", "hr", "col"}
MEBIBYTES_2 = 2 * 1024 * 1024


@dataclass
class Page(HTMLParser):
    """A page taken apart; it refuses what is not nested as it should be."""

    text: str
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)
    raw: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        super().__init__()
        self.feed(self.text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), attrs
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert "svg" in self.stack, tag
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if self.stack and self.stack[-1] in ("script", "style"):
            self.raw[self.stack[-1]] = self.raw.get(self.stack[-1], "") + data
        else:
            self.words.append(data)

    def handle_decl(self, decl):
        assert decl == "DOCTYPE html"

    def handle_comment(self, data):
        pytest.fail(f"a comment: {data}")

    def all(self, name):
        """Return the values of an attribute."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def tags(self, *tags):
        return [(tag, attributes) for tag, attributes in self.elements if tag in tags]

    @property
    def said(self):
        return " ".join(" ".join(self.words).split())


def shown(*scripts):
    return Page(html.render(Report(scripts)))


@pytest.fixture(params=PAGES)
def parsed(request):
    return parsed_page(request.param)


@cache
def parsed_page(name):
    return Page(page(name))


def test_a_page_is_well_formed_and_small(parsed):
    assert parsed.text.startswith("<!DOCTYPE html>")
    assert len(parsed.text.encode()) < MEBIBYTES_2
    assert parsed.tags("html") == [("html", {"lang": "en"})]
    for tag in ("title", "h1", "main", "header", "footer", "style", "script"):
        assert len([t for t, _ in parsed.tags(tag)]) == (1 if tag != "title" else 1 + len(svg_titles(parsed)))


def svg_titles(parsed):
    first = [t for t, _ in parsed.elements].index("body")
    return [t for t, _ in parsed.elements[first:] if t == "title"]


def test_nothing_leaves_the_page(parsed):
    for name in ("src", "href", "xlink:href", "action", "srcset", "data", "poster"):
        for value in parsed.all(name):
            assert value.startswith(("data:", "#")), value
    assert "url(" not in parsed.raw["style"]
    assert "@import" not in parsed.raw["style"]
    assert not re.search(r"fetch|XMLHttp|import\(|https?:|Storage|cookie|eval", parsed.raw["script"])


def test_only_its_own_script_and_style_may_run(parsed):
    (policy,) = [a["content"] for _, a in parsed.tags("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    for name in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(parsed.raw[name].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    names = {name for _, attributes in parsed.elements for name in attributes}
    assert not [name for name in names if name.startswith("on")]
    assert "style" not in names


def test_every_id_is_unique_and_every_reference_is_tied(parsed):
    ids = parsed.all("id")
    assert len(ids) == len(set(ids))
    known = set(ids)
    assert all(re.fullmatch(r"[A-Za-z][\w-]*", i) for i in ids)
    for name in ("for", "aria-labelledby", "data-table"):
        for value in parsed.all(name):
            assert set(value.split()) <= known, value
    assert {value[1:] for value in parsed.all("href") if value.startswith("#")} <= known


def test_inputs_have_labels_and_pictures_have_words(parsed):
    labels = set(parsed.all("for"))
    assert all(attributes["id"] in labels for _, attributes in parsed.tags("input"))
    assert all(attributes["alt"] for _, attributes in parsed.tags("img"))
    for _, attributes in parsed.tags("svg"):
        if attributes.get("aria-hidden"):
            continue
        assert attributes["role"] == "img"
        assert len(attributes["aria-labelledby"].split()) == 2


def test_headings_come_in_order_and_headers_have_a_scope(parsed):
    levels = [int(tag[1]) for tag, _ in parsed.tags("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert all(attributes["scope"] in ("col", "row") for _, attributes in parsed.tags("th"))
    tables = len(parsed.tags("table"))
    assert len(parsed.tags("caption")) == tables > 0


def test_texts_are_what_they_were_but_for_what_a_browser_obeys():
    parsed = parsed_page("hostile")
    for text in HOSTILE[:3]:
        assert text in parsed.said
    for escape in (r"\x07", r"\x1b[31m", r"\x00", r"\x7f", r"\u202e", r"\u2066", r"\u200b", r"\ufeff", r"\udcff"):
        assert escape in parsed.said
    assert "{{ 7 * 7 }}" in parsed.said
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", parsed.text
    )
    assert len(parsed.tags("script")) == 1
    assert not [a for _, a in parsed.tags("img") if not a["src"].startswith("data:image/png")]


def test_numbers_keep_all_their_digits():
    tiny = parameter("tiny", 1 / 3, 1 / 3 + 3e-13, error=3e-13, verdict="match")
    rows = shown(script("a.py", tiny, parameter("gone", np.nan, 5e-324, error=np.inf))).all("data-value")
    for value in (1 / 3, 1 / 3 + 3e-13, 3e-13, 5e-324):
        assert repr(value) in rows
    assert "nan" in rows
    assert "inf" in rows


def test_a_row_says_what_was_not_checked_and_why():
    parsed = parsed_page("several")
    assert "entries were compared along 4 random directions at once" in parsed.said
    assert Reason.KINK.sentence in parsed.said
    assert "hatched" in parsed.said
    assert "0 of 120,000" in parsed.said


def test_errors_are_shown_where_they_stand():
    parsed = shown(failed("bad.py", "syntax-error", "a <b>bold</b> word", line=2))
    assert "Line 2: syntax-error: a <b>bold</b> word" in parsed.said
    assert ("mark", {"class": "error"}) in parsed.tags("mark")


def test_an_empty_report_is_a_page():
    assert "Nothing to check" in shown().said


def test_only_the_worst_parameters_have_pictures():
    parsed = parsed_page("many_parameters")
    pictured = [a for _, a in parsed.tags("details") if a.get("class") == "parameter"]
    assert len(pictured) == MOST_PICTURES
    assert all("open" in attributes for attributes in pictured)
    assert (
        f"Pictures are drawn for the {MOST_PICTURES} worst parameters of a report; 260 of 300 here have none"
        in parsed.said
    )
    assert len([a for _, a in parsed.tags("tr") if "data-verdict" in a]) == 300


def test_a_gradient_without_a_finding_is_shown_where_it_is_computed():
    parsed = shown(wrong(findings=()))
    assert "The gradient of w is computed in line 2" in parsed.said
    assert any("computed" in (a.get("class") or "") for _, a in parsed.tags("mark"))


def test_a_finding_links_to_its_line_and_its_fix():
    parsed = parsed_page("one_neuron")
    assert {"#s1-fix1", "#s1-f1", "#s1-f2"} <= set(parsed.all("href"))
    assert "mended by the fix of finding 1" in parsed.said
    assert "Fix, verified against finite differences at 8 fresh points" in parsed.said
    assert "1 other edit that also makes every gradient match" in parsed.said
    assert "gradcheck fix one_neuron_deltas.py --write" in parsed.said


def test_an_unknown_code_has_no_explanation():
    parsed = shown(wrong(findings=(finding(code="GC999"),)))
    assert "GC999" in parsed.said
    assert "Why this is wrong" not in parsed.said


def test_a_comparison_that_failed_says_why():
    broken = Comparison(failed("bad.py"), error=ScriptError("no data were found", slug="no-data"))
    parsed = Page(html.render_comparison(broken))
    assert "no-data: no data were found" in parsed.said
    assert "The trainings could not be compared" in parsed.said


def test_a_notebook_is_shown_by_cells():
    lines = tuple(f"x{k} = {k}" for k in range(30))
    found = segments(
        script("a.ipynb", lines=lines, cells=Cells((1, 11, 16), 30)), [Mark(Span(12, 1, 12, 3), "guilty", 1)], 10**6
    )
    assert [(s.title, s.folded) for s in found] == [
        ("cell 1", ""),
        ("cell 1", "cell 1: 6 lines, 5 to 10"),
        ("cell 2", ""),
        ("cell 3", "cell 3: 15 lines"),
    ]
    assert [line.label for line in found[2].lines] == [1, 2, 3, 4, 5]


def test_a_long_source_is_folded_and_a_very_long_one_left_out():
    lines = tuple(f"x{k} = {k}" for k in range(1000))
    marks = [Mark(Span(500, 1, 500, 5), "guilty", 1)]
    result = replace(script("a.py"), lines=lines, entry_points=None)
    found = segments(result, marks, 30_000)
    assert [(len(s.lines), s.folded) for s in found] == [
        (496, "496 lines, 1 to 496"),
        (7, ""),
        (1, "497 lines, 504 to 1000"),
    ]
    assert [s.left_out for s in found] == [False, False, True]


@pytest.mark.parametrize(
    "lines", [("x = '''", "never closed"), ("def f(:", "\tx = 1"), ("  a", " b"), ("$ % magic", "!ls")]
)
def test_a_source_that_cannot_be_read_is_plain(lines):
    stretches(lines)
    assert (
        "".join(
            part.text
            for part in segments(script(lines=lines, entry_points=None), [Mark(Span(1, 1, 2, 5), "error")], 99)[0]
            .lines[0]
            .parts
        )
        == lines[0]
    )


def test_a_source_reads_as_in_an_editor():
    assert stretches(["def f():  # why", "    return 'a' + 1"]) == {
        1: [(0, 3, "keyword"), (10, 15, "comment")],
        2: [(4, 10, "keyword"), (11, 14, "text"), (17, 18, "number")],
    }


def test_code_and_stress_in_sentences():
    assert pieces("`a` * b * c") == [("a", "code"), (" * b * c", "")]
    assert paragraphs("what *goes in*\nand ``x`y``\n\n3 * 4 * 5") == [
        [("what ", ""), ("goes in", "em"), (" and ", ""), ("x`y", "code")],
        [("3 * 4 * 5", "")],
    ]


def pixels(uri):
    """Return the size of a PNG, its palette and its places in it."""
    raw = base64.b64decode(uri.partition(",")[2])
    assert raw.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(raw):
        (length,) = struct.unpack(">I", raw[at : at + 4])
        name, content = raw[at + 4 : at + 8], raw[at + 8 : at + 8 + length]
        assert struct.unpack(">I", raw[at + 8 + length : at + 12 + length]) == (zlib.crc32(name + content),)
        chunks[name] = content
        at += 12 + length
    columns, rows = struct.unpack(">II", chunks[b"IHDR"][:8])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, columns + 1)
    assert not lines[:, 0].any()
    return lines[:, 1:], np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3), chunks.get(b"tRNS")


def heat(*parameters):
    parsed = shown(script("a.py", *parameters))
    return [(pixels(a["src"]), a) for _, a in parsed.tags("img") if a["class"] == "heat"], parsed.said


def test_heat_maps_have_an_entry_per_place_and_one_scale():
    values = np.arange(-6.0, 6.0).reshape(3, 4)
    other = values.copy()
    other[2] *= 1.5
    maps, said = heat(parameter("W", values, other))
    (analytic, colours, clear), attributes = maps[0]
    numerical = maps[1][0][0]
    assert analytic.shape == numerical.shape == (3, 4)
    assert np.array_equal(analytic[0], numerical[0])
    assert np.all(np.diff(analytic.ravel().astype(int)) > 0)
    assert clear == b"\x00"
    # zero is the middle of the scale, and light
    assert colours[analytic[1, 2]].min() > 230
    assert "Row 2 is wrong, the others are right." in said
    assert f"3 rows (axis 0){TIMES}4 columns (axis 1)" in said
    assert attributes["alt"] == "Analytic gradient of W: from -6 to 5."
    assert maps[2][1]["alt"].startswith("Relative error of W: largest 0.33 at W[2, ")


def test_what_was_not_compared_has_no_colour_and_what_is_not_finite_is_black():
    maps, said = heat(parameter("W", [np.nan, 2.0], [1.0, 2.0], shape=(2, 2)))
    places, colours, _ = maps[0][0]
    assert (places == 0).tolist() == [[False, False], [True, True]]
    assert colours[places[0, 0]].max() < 30
    assert "hatched: entries not compared one by one; black: not finite" in said


def test_a_large_array_is_shown_by_the_worst_entry_of_each_block():
    values = np.ones((300, 200))
    other = values.copy()
    other[151, 77] = 3
    found = parameter("W", values, other)
    grid = Grid.of(found, 96)
    assert grid.block == (4, 3)
    assert grid.chosen.shape == (75, 67)
    assert grid.chosen[151 // 4, 77 // 3] == 151 * 200 + 77
    assert grid.reduced == f"each place shows the worst entry of a block of 4{TIMES}3"


@pytest.mark.parametrize(
    ("shape", "split", "rows"), [((5,), 0, 1), ((2, 3), 1, 2), ((8, 3, 3, 3), 2, 24), ((2, 3, 5, 7), 3, 30)]
)
def test_arrays_are_laid_out_in_rows_and_columns(shape, split, rows):
    grid = Grid.of(parameter("k", np.ones(shape)), 96)
    assert (grid.split, grid.rows, grid.rows * grid.columns) == (split, rows, np.prod(shape))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (np.zeros((3, 3)), "No entry is wrong."),
        (np.ones((3, 3)), "Every entry is wrong."),
        (np.eye(3), "The entries on the diagonal are wrong, the others are right."),
        (1 - np.eye(3), "The entries off the diagonal are wrong, those on it are right."),
        ([[1, 1], [0, 0]], "Row 0 is wrong, the others are right."),
        ([[0, 1, 1], [0, 1, 1]], "Columns 1 and 2 are wrong, the others are right."),
        ([[1, 1, 1], [0, 0, 1]], "Row 0 and column 2 are wrong, the others are right."),
        ([[1, 0, 0], [0, 0, 1]], "2 entries are wrong, 4 are not."),
        ([1, 0, 0], "1 entry is wrong, 2 are not."),
        (np.tile([1.0, 0.0], (2, 10)), "10 whole columns are wrong, the others are right."),
    ],
)
def test_where_the_wrong_entries_lie(wrong, sentence):
    assert where_wrong(parameter("W", np.ones(np.shape(wrong)), 1 + np.asarray(wrong))) == sentence


EXTREMES = (
    [0.0, 0.0],
    [np.nan, np.inf],
    [np.nan, 1.0],
    [1.7e308, -1.7e308],
    [5e-324, 1e-310],
    [1e-300, 1e300],
    [0.0, 1e-320],
    [1.0, 1.0],
    [-np.inf, 0.0],
)


@pytest.mark.parametrize("values", EXTREMES)
@pytest.mark.parametrize("other", EXTREMES)
def test_any_numbers_can_be_drawn(values, other):
    steps = np.array([1e-12, 1e-3, 0.1])
    curves = {k: sweep_of(values[0], other[0], np.array([*other, values[1]]), steps) for k in ("w",)}
    text = html.render(Report((script("a.py", replace(parameter("w", values, other), curve=curves["w"])),)))
    drawn = re.findall(r' (?:d|cx|cy|x|y)="([^"]*)"', Page(text).text)
    assert not [d for d in drawn if re.search("nan|inf", d)]


def sweep_of(analytic, numerical, differences, steps):
    from gradcheck.checker.step_curve import StepCurve

    return StepCurve(0, float(analytic), float(numerical), steps, differences)


def test_the_scatter_has_every_wrong_entry_and_says_what_is_left_out():
    values = np.linspace(1, 2, 1000)
    other = values.copy()
    other[::100] *= -1
    chart = scatter(parameter("w", values, other), 400)
    assert len(chart.marks) == 400
    assert sum(mark.kind == "mismatch" for mark in chart.marks) == 10
    # those are drawn above the others
    assert {mark.kind for mark in chart.marks[-10:]} == {"mismatch"}
    assert chart.text == ("990 of 1,000 entries match; 10 are wrong. 400 entries are drawn, the wrong ones first.")
    assert chart.across == "numerical"
    assert "logarithmic" in scatter(parameter("w", np.geomspace(1e-6, 1, 50)), 400).across


def test_the_sweep_says_whether_any_step_would_do():
    steps = np.geomspace(1e-12, 0.1, 9)
    curve = sweep_of(2.0, 1.0, 1 + steps, steps)
    assert (
        "no choice of the step makes this gradient right" in sweep(replace(parameter("w", 2.0, 1.0), curve=curve)).text
    )
    right = sweep(replace(parameter("w", 1.0), curve=sweep_of(1.0, 1.0, 1 + steps, steps)))
    assert "truncation error grows" in right.text
    assert sweep(parameter("w")) is None
    assert sweep(replace(parameter("w"), curve=sweep_of(1.0, 1.0, np.full(9, np.nan), steps))) is None


def test_axes():
    assert [tick.text for tick in Axis.linear(0, 100).ticks] == ["0", "20", "40", "60", "80", "100"]
    assert [tick.text for tick in Axis.logarithmic(2e-3, 0.5).ticks] == ["0.001", "0.01", "0.1", "1"]
    assert [tick.text for tick in Axis.logarithmic(1e-9, 1e-6).ticks] == ["10⁻⁹", "10⁻⁸", "10⁻⁷", "10⁻⁶"]
    assert [tick.text for tick in Axis.logarithmic(1e-9, 1).ticks][-1] == "10⁻¹"
    fine = Axis.both_signs(2.0, 3e-13)
    assert min(b.at - a.at for a, b in pairwise(fine.ticks)) > 0.1
    assert {"0", "1", f"{MINUS}1"} < {tick.text for tick in fine.ticks}
    signed = Axis.both_signs(10.0, 0.01)
    assert signed(0.0) == 0.5
    assert signed(-10.0) == 0.0
    assert signed(1.0) - 0.5 == pytest.approx(0.5 - signed(-1.0))


def test_loss_curves_lose_no_peak_and_break_where_a_loss_is_not_finite():
    losses = [1.0] * 5000
    losses[2777] = 9.0
    assert max(thinned(losses)) == 9.0
    assert len(thinned(losses)) <= 244
    assert thinned([1.0, float("nan"), 2.0]) == [1.0, None, 2.0]
    chart = trainings(comparison())
    assert [line.kind for line in chart.lines] == ["baseline", "run run0", "run run1", "run run2", "run run3"]
    assert chart.lines[2].path.count("M") == 2
    assert chart.up == "squared error, logarithmic"
    places = [float(label.y) for label in chart.labels if label.kind.startswith("name")]
    assert min(np.diff(sorted(places))) >= 29.9
    assert max(places) < chart.bottom


@pytest.mark.usefixtures("forked")
def test_run_writes_a_page_with_pictures_of_the_steps(tmp_path):
    target = tmp_path / "report.HTM"
    source = tmp_path / "net.py"
    source.write_text(
        "def loss(w):\n    return w**3\n\n\ndef grad(w):\n    return 2 * w**2\n\n\nw = 1.5\nprint(loss(w), grad(w))\n"
    )
    run = CliRunner().invoke(cli, ["run", str(source), "--loss", "loss", "--no-fix", "-o", str(target), "--isolated"])
    assert run.exit_code == 1, run.output
    parsed = Page(target.read_text(encoding="utf-8"))
    assert "The gradient is wrong" in parsed.said
    assert "no choice of the step makes this gradient right" in parsed.said


@pytest.mark.parametrize("arguments", [["-o", "out.html"], ["--format", "html"]])
def test_compare_writes_a_page(monkeypatch, tmp_path, arguments):
    asked = []

    def compared(path, options, choices, before_run):
        asked.append(options.curves)
        return comparison()

    monkeypatch.setattr("gradcheck.compare.compare_script", compared)
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(cli, ["compare", "net.py", *arguments])
    assert run.exit_code == 0, run.output
    text = run.stdout if "--format" in arguments else (tmp_path / "out.html").read_text(encoding="utf-8")
    assert text.rstrip("\n") == page("comparison")
    assert asked == [True]


def test_only_a_page_has_its_steps_swept(monkeypatch):
    asked = []
    monkeypatch.setattr("gradcheck.api.prepare", lambda path, options: asked.append(options.curves))
    monkeypatch.setattr("gradcheck.batch.run_all", lambda *_: ())
    for arguments in (["--format", "html"], ["--format", "json"], []):
        CliRunner().invoke(cli, ["run", "net.py", *arguments])
    assert asked == [True, False, False]


def test_compare_refuses_a_file_for_what_it_does_not_write(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("out.csv", "out.foo"):
        run = CliRunner().invoke(cli, ["compare", "net.py", "-o", name])
        assert run.exit_code == 2
        assert f"expected a file for text, json, html, got {name}" in run.stderr
