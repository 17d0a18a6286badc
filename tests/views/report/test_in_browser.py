"""A report in a real browser: it loads alone, can be read and used by everybody, and its tables sort."""

import pytest

from tests.support import browser
from views.report import render
from views.report.about import ABOUT
from views.report.page import Figure, Made, Page, Part
from views.tables import Table

ROWS = [("loopy_bp", "0.5", "1,200", "<= 3 (0.1)"), ("gibbs", "2e-05", "30", "-"), ("mean_field", "0.1", "900", "~ 2")]
COLUMNS = ("method", "error", "seconds", "log Z")
WIDE = Table("A table that is wide", [f"column number {k}" for k in range(20)], [[str(k) for k in range(20)]] * 2)
BOTH = [(360, "light"), pytest.param(360, "dark", marks=pytest.mark.slow),
        pytest.param(1280, "light", marks=pytest.mark.slow), (1280, "dark")]
SORTED = {"method": ["gibbs", "loopy_bp", "mean_field"], "error": ["gibbs", "mean_field", "loopy_bp"],
          "seconds": ["gibbs", "mean_field", "loopy_bp"], "log Z": ["mean_field", "loopy_bp", "gibbs"]}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Every kind of page in one file."""
    from matplotlib import pyplot as plt

    from views.figures import save

    browser.found()
    folder = tmp_path_factory.mktemp("report")
    figure, axis = plt.subplots()
    axis.plot([1, 2, 3])
    save(figure, folder / "lines.png")
    part = Part("small", [Table("errors", COLUMNS, ROWS), WIDE], ["Said."], ["Give more --sweeps."],
                [Figure("lines.png", "It rises to 3.")])
    command = "python run.py --problem 1 --method " + " --method ".join(["mean_field", "loopy_bp", "gibbs"] * 9)
    made, passed = Made(command, 7, 1.5, {}, {"torch": "2"}), Table("Checks", ("id", ""), [("1", "FAIL")])
    pages = [Page(kind, kind, "Best.", [part], made, passed, {"gibbs": "#009E73"}) for kind in ABOUT]
    return render.write(pages, folder, [""] * len(pages))


@pytest.mark.parametrize(("width", "scheme"), BOTH)
def test_it_loads_alone_fits_the_screen_and_axe_finds_nothing(report, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    with browser.opened(report, width=width, scheme=scheme) as (page, wrong):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        legible = "[...document.images].every(i => i.clientWidth >= Math.min(i.naturalWidth, 768))"
        assert page.evaluate(legible)  # on a phone one scrolls to its sides, as in a table
        assert page.evaluate("[...document.querySelectorAll('pre .word')].every(w => w.getClientRects().length === 1 &&"
                             "w.getBoundingClientRect().height < 30)")  # no line ends in the middle of an option
        assert page.evaluate("[...document.querySelectorAll('math')].every(m => m.getBoundingClientRect().height > 9)")
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        found = axe.Axe().run(page).response["violations"]
        assert dark == (scheme == "dark")
        assert not found, [(v["id"], v["nodes"][0]["html"]) for v in found]
        assert not wrong


def test_a_table_sorts_as_its_numbers_by_the_keyboard_alone(report):
    def names():
        return [word.strip() for word in table.locator("tbody td:first-child").all_inner_texts()]

    with browser.opened(report) as (page, wrong):
        table = page.locator("table", has_text="errors").first
        for column, order in SORTED.items():
            button = table.get_by_role("button", name=column)
            while not button.evaluate("b => b === document.activeElement"):
                page.keyboard.press("Tab")
                assert page.evaluate("document.activeElement !== document.body")
            page.keyboard.press("Enter")
            assert names() == order and button.locator("..").get_attribute("aria-sort") == "ascending"
            page.keyboard.press("Space")
            assert names() == order[::-1] and button.locator("..").get_attribute("aria-sort") == "descending"
        assert not wrong


def test_it_prints_on_paper_without_cutting_a_table(report, tmp_path):
    with browser.opened(report) as (page, wrong):
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 700, "height": 1000})  # A4 between its margins
        cut = page.evaluate("[...document.querySelectorAll('table, img')]"
                            ".filter(t => t.getBoundingClientRect().right > 701)"
                            ".map(t => (t.innerText || t.alt).slice(0, 40))")
        assert not cut and page.pdf().startswith(b"%PDF") and not wrong
