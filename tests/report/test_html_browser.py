"""The report as HTML in a real browser: nothing is asked for elsewhere, and it can be read, sorted and printed."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from importlib.util import find_spec

import pytest

from html_pages import PAGES, page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}

# every element with words of its own whose contrast with what lies behind it is too small
CONTRAST = """() => {
  const rgba = (text) => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    return parts.length === 3 ? [...parts, 1] : parts;
  };
  const over = (top, below) => [0, 1, 2].map((k) => top[k] * top[3] + below[k] * (1 - top[3])).concat(1);
  const luminance = (c) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = c.slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const layers = [];
    for (let n = node; n; n = n.parentElement) layers.unshift(rgba(getComputedStyle(n).backgroundColor));
    return layers.reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const found = [];
  let seen = 0;
  for (const node of document.body.querySelectorAll("*")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || node.closest("script, style, title, desc, .hidden, .skip") || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const back = behind(node);
    const ink = over(rgba(node.closest("svg") ? style.fill : style.color), back);
    const [light, dark] = [luminance(ink), luminance(back)].sort((a, b) => b - a);
    seen += 1;
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) found.push([node.outerHTML.slice(0, 80), ratio]);
  }
  return [seen, found];
}"""
# elements that reach beyond the page and have no container of their own in which they could be scrolled
OVERFLOW = """() => [
  document.documentElement.scrollWidth - document.documentElement.clientWidth,
  [...document.body.querySelectorAll("*")].filter((node) => {
    const box = node.getBoundingClientRect();
    return box.right > innerWidth + 1 && box.width && !node.closest(".scroll, .source, .skip, .hidden, thead");
  }).map((node) => node.outerHTML.slice(0, 80)),
]"""
COLUMN = """([table, column]) => [...document.getElementById(table).tBodies[0].rows]
  .filter((row) => !row.hidden).map((row) => row.cells[column].textContent.trim())"""


@dataclass
class Opened:
    """A page in the browser, with what went wrong in it."""

    tab: object
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser():
    reason = "no Chromium" if CHROMIUM is None else "no playwright" if find_spec("playwright") is None else ""
    if reason:
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") == "1" else pytest.skip)(f"{reason} is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name in PAGES:
        (folder / f"{name}.html").write_text(page(name), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def tabs(browser, files):
    """Return the pages, each opened once; tests leave them as they were."""
    opened = {}

    def get(name):
        if name not in opened:
            opened[name] = show(browser, files / f"{name}.html")
        opened[name].tab.set_viewport_size(WIDE)
        opened[name].tab.emulate_media(media="screen", color_scheme="light")
        return opened[name]

    yield get
    for found in opened.values():
        found.tab.context.close()


def show(browser, path, **settings):
    tab = browser.new_context(viewport=WIDE, color_scheme="light", reduced_motion="reduce", **settings).new_page()
    tab.set_default_timeout(120_000)
    found = Opened(tab)
    tab.on("request", lambda request: found.requests.append(request.url))
    tab.on("pageerror", lambda error: found.complaints.append(str(error)))
    tab.on("console", lambda message: found.complaints.append(message.text))
    tab.goto(path.as_uri())
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_and_complains_of_nothing(tabs, name):
    found = tabs(name)
    # another test may have followed a link in it
    page = found.tab.url.partition("#")[0]
    assert [url for url in found.requests if not url.startswith("data:")] == [page]
    assert found.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_of_a_narrow_page(tabs, name):
    tab = tabs(name).tab
    tab.set_viewport_size(NARROW)
    assert tab.evaluate(OVERFLOW) == [0, []]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["one_neuron", "several", "comparison"])
def test_every_word_can_be_read(tabs, name, scheme):
    tab = tabs(name).tab
    tab.emulate_media(color_scheme=scheme)
    tab.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    seen, faint = tab.evaluate(CONTRAST)
    assert seen > 100
    assert faint == []


def background(tab):
    return tab.evaluate("getComputedStyle(document.body).backgroundColor")


def test_colours_follow_the_system_and_the_button(browser, files):
    tab = show(browser, files / "one_neuron.html").tab
    light = background(tab)
    tab.emulate_media(color_scheme="dark")
    dark = background(tab)
    assert dark != light
    button = tab.get_by_role("button", name="Light colours")
    button.focus()
    tab.keyboard.press("Enter")
    assert background(tab) == light
    tab.get_by_role("button", name="Dark colours").click()
    assert background(tab) == dark
    tab.context.close()


def table_of(tab, path):
    """Return the id of the table of parameters of a script."""
    return tab.evaluate(
        "(path) => [...document.querySelectorAll('section.script')].find((s) => s.textContent.includes(path))"
        ".querySelector('table').id",
        path,
    )


def test_tables_are_sorted_by_numbers_and_what_is_no_number_comes_last(tabs):
    tab = tabs("several").tab
    table = table_of(tab, "numbers.py")
    button = tab.locator(f"#{table} thead").get_by_role("button", name="rel. error")
    header = button.locator("..")
    button.click()
    assert header.get_attribute("aria-sort") == "descending"
    names = [name.split(" ")[0] for name in tab.evaluate(COLUMN, [table, 0])]
    assert names == ["inf", "tiny", "large", "nan"]
    button.focus()
    tab.keyboard.press("Space")
    assert header.get_attribute("aria-sort") == "ascending"
    names = [name.split(" ")[0] for name in tab.evaluate(COLUMN, [table, 0])]
    assert names == ["large", "tiny", "inf", "nan"]
    tab.locator(f"#{table} thead").get_by_role("button", name="parameter").press("Enter")
    assert header.get_attribute("aria-sort") is None
    assert tab.evaluate(COLUMN, [table, 0])[0].startswith("inf")


def test_a_large_table_is_sorted_by_shape_and_by_name_as_people_count(tabs):
    tab = tabs("many_parameters").tab
    head = tab.locator("#s1-parameters thead")
    head.get_by_role("button", name="rel. error").click()
    errors = [float(text) for text in tab.evaluate(COLUMN, ["s1-parameters", 7])]
    assert errors == sorted(errors, reverse=True)
    head.get_by_role("button", name="parameter").click()
    names = [name.split(" ")[0] for name in tab.evaluate(COLUMN, ["s1-parameters", 0])]
    assert names == [f"layers[{k}].W" for k in range(300)]


def test_tables_are_filtered_by_text_and_by_verdict(tabs):
    tab = tabs("many_parameters").tab
    status = tab.get_by_role("status")
    assert status.text_content() == "300 of 300 gradients shown"
    assert status.get_attribute("aria-live") == "polite"
    field = tab.get_by_label("Filter")
    field.focus()
    tab.keyboard.type("[10")
    assert status.text_content() == "11 of 300 gradients shown"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.value") == "mismatch"
    tab.keyboard.press("Space")
    assert status.text_content() == "8 of 300 gradients shown"
    assert set(tab.evaluate(COLUMN, ["s1-parameters", 2])) == {"match"}
    field.fill("")
    assert status.text_content() == "240 of 300 gradients shown"
    tab.get_by_label("mismatch").check()
    assert status.text_content() == "300 of 300 gradients shown"


def test_an_overview_is_filtered_and_leads_to_the_scripts(tabs):
    tab = tabs("several").tab
    tab.locator("#overview-text").fill("kink")
    assert tab.evaluate(COLUMN, ["overview", 1]) == ["inconclusive"]
    tab.locator("#overview a").filter(has_text="kink.py").click()
    assert tab.evaluate("document.querySelector(':target h2').textContent").startswith("kink.py")
    tab.locator("#overview-text").fill("")


def test_a_link_opens_what_is_folded_away(browser, files):
    found = show(browser, files / "one_neuron.html")
    tab = found.tab
    folded = tab.locator("details.fold").first
    assert folded.get_attribute("open") is None
    tab.evaluate("location.hash = '#s1-L20'")
    tab.locator("details.fold[open]").first.wait_for()
    # the first stop of the keyboard leads past the header
    tab.evaluate("scrollTo(0, 0); document.activeElement.blur()")
    tab.locator("a.skip").focus()
    assert tab.evaluate("document.querySelector('a.skip').getBoundingClientRect().left >= 0")
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    tab.context.close()


@pytest.mark.parametrize("scripted", [True, False])
def test_on_paper_everything_is_open(browser, files, scripted):
    tab = show(browser, files / "several.html", java_script_enabled=scripted).tab
    hidden = tab.locator("details.parameter:not([open]) table").first
    assert not hidden.is_visible()
    tab.emulate_media(media="print", color_scheme="dark")
    assert tab.locator("table").evaluate_all(
        "tables => tables.every((t) => t.checkVisibility({contentVisibilityAuto: true}))"
    )
    assert not tab.locator("#theme").is_visible()
    assert not tab.locator(".filter").first.is_visible()
    assert background(tab) in ("rgba(0, 0, 0, 0)", "rgb(255, 255, 255)")
    if scripted:
        assert tab.locator("details:not([open])").count() == 0
        tab.emulate_media(media="screen")
        tab.locator("details.parameter:not([open])").first.wait_for()
    tab.context.close()


def test_without_scripts_the_page_is_complete(browser, files):
    tab = show(browser, files / "several.html", java_script_enabled=False).tab
    rows = tab.locator("#overview tbody tr")
    assert rows.count() == 9
    assert rows.last.is_visible()
    assert tab.locator(".filter:visible, button:visible").count() == 0
    picture = tab.locator("details.parameter[open]").first
    name = picture.get_attribute("id")
    picture.locator("summary").first.click()
    assert tab.locator(f"#{name}").get_attribute("open") is None
    tab.context.close()


def test_pictures_are_drawn(tabs):
    tab = tabs("many_entries").tab
    broken = "() => [...document.images].filter((i) => !i.complete || !i.naturalWidth).length"
    assert tab.evaluate(broken) == 0
    sizes = tab.evaluate(
        "() => [...document.querySelectorAll('img.heat')].map((i) => [i.naturalWidth, i.naturalHeight])"
    )
    assert sizes[0] == [80, 84]
    box = tab.locator("svg").first.bounding_box()
    assert box["width"] > 300
    assert box["height"] > 250


def test_what_a_script_is_called_does_nothing(tabs):
    found = tabs("hostile")
    assert found.tab.evaluate("document.scripts.length") == 1
    assert "</script><script>alert(1)</script>" in found.tab.locator("h1").text_content()
    assert found.tab.locator("img:not([src^='data:image/png'])").count() == 0
