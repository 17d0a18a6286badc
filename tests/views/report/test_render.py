"""A report says what its page holds, escaped, in one file."""

import base64
import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from views.report import render
from views.report.about import ABOUT
from views.report.page import Figure, Made, Page, Part
from views.tables import Table

EVIL = "<script>alert(1)</script>"
PAGE = Page("Problem 9", "grid", "loopy_bp is best.", [
    Part("small", [Table("errors", ("method", "error"), [("loopy_bp", "0.1"), ("gibbs", "0.02")])], ["Said."],
         ["gibbs has not mixed: give more --sweeps."], [Figure("lines.png", "The error is 0.1."),
                                                        Figure("picture.png", "A picture of 4 pixels.")])],
    Made("python run.py --problem 9", 7, 1.5, {"processor": "a chip", "cores": 2, "system": "Linux", "python": "3.11"},
         {"torch": "2"}), Table("Checkpoints", ("id", ""), [("1.1", "pass"), ("1.2", "FAIL")]), {"gibbs": "#009E73"})


@pytest.fixture
def folder(tmp_path):
    for name in ("lines.png", "picture.png", "lines.svg"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_it_says_everything_that_the_page_holds(folder):
    page = render.html([PAGE], folder)
    read = re.sub("<[^>]+>", "", page)
    for said in (PAGE.take_away, ABOUT["grid"].question, "Said.", "give more", "The error is 0.1.",
                 "python run.py --problem 9\n", "Seed 7", "took 1.5 s", "a chip", "torch 2", "FAIL"):
        assert said in read
    assert page.count("<math") == len(ABOUT["grid"].equations)
    shown = re.findall(r'src="data:(image/[a-z+]+);base64,([^"]+)"', page)
    assert [(kind, base64.b64decode(data)) for kind, data in shown] == [
        ("image/svg+xml", b"lines.svg"), ("image/png", b"picture.png")]


def test_a_table_whose_rows_go_on_from_those_above_does_not_sort(folder):
    rows = [("x", "gibbs"), ("", "loopy_bp"), ("y", "gibbs")]
    part = replace(PAGE.parts[0], tables=[Table("t", ("number", "method"), rows)])
    alone = replace(PAGE, parts=[part], checkpoints=None)
    assert "<button" in render.html([PAGE], folder) and "<button" not in render.html([alone], folder)


def test_it_is_a_function_of_the_page_and_comes_back_from_json(folder):
    again = Page.of(json.loads(json.dumps(asdict(PAGE))))
    assert render.html([again], folder) == render.html([PAGE], folder)


def test_nothing_in_it_leads_elsewhere(folder):
    page = render.html([PAGE], folder)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page) and "@import" not in page and "url(" not in page
    assert "default-src 'none'" in page


class Scripts(HTMLParser):
    """Counts the scripts that a browser would see."""

    found = 0

    def handle_starttag(self, tag, attrs):
        self.found += tag == "script" or any(name.startswith("on") for name, _ in attrs)


@pytest.mark.parametrize("where", ["title", "take_away", "table", "cell", "column", "said", "doubt", "caption",
                                   "command", "version", "colour"])
def test_words_of_other_people_are_escaped(folder, where):
    part, evil = PAGE.parts[0], f'"{EVIL}'
    table = Table(evil if where == "table" else "t", (evil if where == "column" else "a", "b"),
                  [(evil if where == "cell" else "x", "1"), ("gibbs", "2")])
    part = replace(part, tables=[table], said=[evil] * (where == "said"), doubts=[evil] * (where == "doubt"),
                   figures=[Figure("lines.png", evil if where == "caption" else "c")])
    made = replace(PAGE.made, command=evil if where == "command" else "c",
                   versions={"a": evil if where == "version" else "1"})
    page = replace(PAGE, parts=[part], made=made, colours={"gibbs": evil if where == "colour" else "#000000"},
                   title=evil if where == "title" else "t", take_away=evil if where == "take_away" else "")
    seen = Scripts()
    seen.feed(render.html([page], folder))
    assert seen.found == 1  # ours, which sorts


def test_several_problems_in_one_file_have_their_own_folders(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for file in ("lines.png", "picture.png"):
            (tmp_path / name / file).write_bytes(name.encode())
    page = render.html([PAGE, replace(PAGE, title="Problem 10")], tmp_path, ["a", "b"])
    shown = [base64.b64decode(data) for data in re.findall(r'base64,([^"]+)"', page)]
    assert shown == [b"a", b"a", b"b", b"b"] and page.count('id="title-') == 2 and 'href="#title-2"' in page


@pytest.mark.parametrize("kind", ABOUT)
def test_every_equation_and_drawing_is_well_formed(kind):
    for _, latex in ABOUT[kind].equations:
        found = ElementTree.fromstring(render.mathml(latex))
        assert found.tag.endswith("math") and "\\" not in "".join(found.itertext())
    assert ElementTree.fromstring(render.inline(ABOUT[kind].figure)).tag.endswith("svg")


def test_a_kind_of_model_that_nobody_described_has_a_report(folder):
    assert "Pyro program" in render.html([replace(PAGE, about="new kind")], folder)
