"""`--problem all`: every problem in its own folder, one report of them all, and what is there is not run again."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

import run
from commands import every
from errors import InputError
from runs import folder
from runs.records import Checkpoint
from runs.run import Run
from runs.story import Story
from views import tables


class Problem:
    """As short as a problem gets; it notes the words that it is asked in."""

    def __init__(self, name: str, passes: bool):
        self.name, self.passes, self.asked = name, passes, list[Any]()
        self.Request = SimpleNamespace(made=lambda arguments, argv, resume: (arguments, argv, resume))

    def run(self, request) -> int:
        arguments, argv, resume = request
        self.asked.append((arguments["seed"], resume))
        out = resume or folder.create(arguments["out"], self.name, argv)
        console = tables.console()
        this = Run(self.name, out, arguments["seed"], argv, console, Story(console, out, "grid"))
        this.say(f"a sentence of problem {self.name}")
        limit = 2.0 if self.passes else 0.5
        return this.conclude([Checkpoint.below("1", f"what {self.name} holds", 1.0, 1.0, limit)], [],
                             f"take {self.name}")


def ran(problems, tmp_path, *more, resume=None):
    parsers = {name: run.parser_for(name) for name in problems}
    return every.run(problems, parsers, ["--problem", "all", f"--out={tmp_path / 'out'}", *more], resume)


def test_one_report_of_all_with_every_checkpoint(tmp_path, capsys):
    problems: Any = {"1": Problem("1", True), "2": Problem("2", False)}
    assert ran(problems, tmp_path, "--seed=3") == 1
    assert problems["1"].asked == [(3, None)] == problems["2"].asked
    page = (tmp_path / "out" / "report.html").read_text()
    for name in problems:
        assert f"a sentence of problem {name}" in page and f"what {name} holds" in page and f"take {name}" in page
        assert (tmp_path / "out" / f"problem{name}" / "report.html").is_file()
    assert len(re.findall(r"<h3>Checkpoints", page)) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 2 checkpoints of 2 problems passed" in said and "take 1" in said


def test_what_is_done_is_not_done_again_and_what_was_begun_goes_on(tmp_path):
    problems: Any = {"1": Problem("1", True), "2": Problem("2", True)}
    out = tmp_path / "out"
    ran({"1": problems["1"]}, tmp_path)
    folder.create(out / "problem2", "2", [])
    assert ran(problems, tmp_path, resume=out) == 0
    assert len(problems["1"].asked) == 1 and problems["2"].asked == [(0, out / "problem2")]


def test_an_option_of_one_problem_is_refused(tmp_path):
    with pytest.raises(InputError, match="--problem all --help"):
        every.parser().parse_args(["--problem", "all", "--rank", "2"])
