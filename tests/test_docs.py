"""What README, docs, CONTRIBUTING and the examples say: the files they name are there, their links lead somewhere,
their commands and options are understood."""

import argparse
import re
import shlex
from functools import cache

import pytest

import run
from commands import check, compare, predict
from tests.support import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MADE = {"results", "uai", "fg"}  # by a run, or somewhere else
TORCHRUN = {"--nproc-per-node", "--nnodes", "--rdzv-backend", "--rdzv-endpoint"}
BENCH = {"--most", "--only", "--program", "--signatures"}  # of the benchmarks


@cache
def text(page):
    return page.read_text()


def named(page) -> set[str]:
    """Paths in backticks: of folders, and of files by their endings."""
    words = set(re.findall(r"`([\w./-]+)`", text(page)))
    paths = {word for word in words if "/" in word and re.search(r"/$|\.(py|md|csv|png|toml|txt|yml|cff|json)$", word)}
    return {path.rstrip("/") for path in paths} - MADE


@cache
def there() -> set[str]:
    """Every file and folder of the house, and every end of its path, for a page may leave out what it said before."""
    tops = [path for path in ROOT.iterdir() if path.name[0] != "." and path.name not in MADE]
    paths = [path for top in tops for path in (top, *top.rglob("*"))] + [ROOT / ".ci" / "run"]
    parts = [path.relative_to(ROOT).parts for path in paths]
    return {"/".join(part[n:]) for part in parts for n in range(len(part))}


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_every_file_that_is_named_is_there(page):
    """But for the changelog, which names what was."""
    assert not named(page) - there()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target, _, anchor in (link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", text(page))):
        if target.startswith("http"):
            continue
        there = page.parent / target if target else page
        assert there.exists(), f"{page.name} -> {target}"
        assert not anchor or anchor in anchors(text(there)), f"{page.name} -> {target}#{anchor}"


def anchors(markdown: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", markdown, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> list[str]:
    """Every `python run.py ...` in the pages, in a block or in backticks, and at the head of the examples."""
    found = []
    for page in PAGES + EXAMPLES:
        lines = re.sub(r"\\\n\s*", "", text(page)).splitlines()
        found += [line.strip() for line in lines if line.strip().startswith("python run.py")]
        found += re.findall(r"`(python run\.py [^`]+)`", text(page))
    return sorted({line.partition("  #")[0] for line in found if "NAME" not in line and "..." not in line})


@pytest.mark.parametrize("line", commands())
def test_every_command_is_understood(line):
    """Arguments that parse; the files of `examples/` are there."""
    words = shlex.split(line)[2:]
    assert all((ROOT / word.partition(".py:")[0]).exists() for word in words if word.startswith("examples/"))
    if words[0] in ("compare", "predict"):
        parser({"compare": compare, "predict": predict}[words[0]]).parse_args(words[1:])
    elif "--check" in words:
        parser(check).parse_args(words)
    else:
        problem = words[words.index("--problem") + 1] if "--problem" in words else None
        run.parser_for(problem).parse_args(words)


def parser(door) -> argparse.ArgumentParser:
    made = run.Parser(listed="")
    door.add_arguments(made)
    return made


def options() -> set[str]:
    """Every option that one of the doors has."""
    parsers = [run.parser_for(problem) for problem in (*run.PROBLEMS, "mine.py")] + [
        parser(door) for door in (check, compare, predict)]
    return {word for made in parsers for word in made._option_string_actions if word.startswith("--")}


def test_every_option_that_is_named_exists():
    known = options()
    for page in PAGES:
        ours = "\n".join(line for line in text(page).splitlines() if not re.match(r"\s*(pip|python -m|git) ", line))
        said = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", ours))
        assert not said - known - BENCH - TORCHRUN, page.name


def test_every_option_is_told():
    pages = "\n".join(text(page) for page in PAGES)
    assert not {word for word in options() - {"--help"} if not re.search(rf"{word}\b(?!-)", pages)}


def test_the_readme_and_ci_give_the_same_test_command():
    assert "\nmake test" in (ROOT / "README.md").read_text()
    assert re.search(r"^make .*test", (ROOT / ".ci" / "run").read_text(), re.M)
