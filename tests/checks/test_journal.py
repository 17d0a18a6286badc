"""A check that is stopped and goes on says what an unbroken one says."""

import json
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

import run
from checks import journal
from checks.fits.judge import judge_fit
from checks.guides.guide import Guide
from checks.guides.judge import judge_guide
from checks.journal import Journal, kept, written
from checks.kernels import kernel as kernels
from checks.kernels.judge import judge
from checks.kernels.kernel import Kernel
from checks.problems.load import problem_set
from checks.right.guides import one_scale
from checks.verdict import Outcome, Verdict
from errors import InputError
from inference import checkpoint, load
from models.model import stream
from tests.support import ROOT


def door(*argv: object) -> int:
    return run.guarded([str(a) for a in argv])


@pytest.fixture
def stopped_at(monkeypatch):
    """Ctrl-C comes before the given piece of work, counted from 0."""
    real = Journal.kept

    def arm(piece: int) -> None:
        left = iter([*range(piece, 0, -1), 0])

        def kept(self, asked, make, rng):
            if next(left, 1) == 0:
                monkeypatch.setattr(Journal, "kept", real)
                raise KeyboardInterrupt
            return real(self, asked, make, rng)

        monkeypatch.setattr(Journal, "kept", kept)

    return arm


def gone_on(path: Path, make) -> tuple[Verdict, int]:
    """The verdict after Ctrl-C, and how many pieces of work were there already."""
    with pytest.raises(KeyboardInterrupt), written(path) as book:
        book.verdict(make)
    there = len(book.entries)
    with written(path) as book:
        return book.verdict(make), there


def same(one: Verdict, other: Verdict) -> bool:
    """Whether they say the same, but for how long it took."""
    a, b = (asdict(v) | {"seconds": 0} for v in (one, other))
    return repr(a) == repr(b)


def small(name: str):
    """The first test problem alone."""
    return replace(problem_set(name), problems=lambda: problem_set(name).problems()[:1], tiny=None)


@pytest.mark.parametrize(("file", "alone", "piece"), [
    ("right/grid/raster_gibbs.py", False, 9), ("right/grid/raster_gibbs.py", True, 60),
    ("zoo/grid/evidence_forgotten.py", False, 10)], ids=["batched", "one by one", "a mistake"])
def test_a_kernel_that_goes_on_has_the_unbroken_verdict(file, alone, piece, stopped_at, tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "PIECE", 0.0)  # every replicate is a piece
    method = load.method("grid", str(ROOT / "checks" / file))
    monkeypatch.setattr(method.module, "BATCHED", not alone)

    def make() -> Verdict:
        return judge(Kernel(method), small("grid"), seed=2, looks=(100,), explain=not alone)

    whole = make()
    stopped_at(piece)
    again, there = gone_on(tmp_path / "journal.npz", make)
    assert there == piece and same(whole, again)


@pytest.mark.slow
def test_a_guide_and_a_fit_that_go_on_too(stopped_at, tmp_path):
    """The questions and the fit of the guide; two of the three fits of the method."""
    ascent, short = load.method("grid", "mean_field"), replace(Guide.of(one_scale, "short"), samples=(40, 40))

    def guide() -> Verdict:
        return judge_guide(short, "factorization", seed=1, fits=1)

    def fit() -> Verdict:
        return judge_fit(ascent, "grid", seed=1)

    for make in (guide, fit):
        whole = make()
        stopped_at(1)
        again, there = gone_on(tmp_path / f"{make.__name__}.npz", make)
        assert there == 1 and same(whole, again)


def test_what_is_asked_differently_is_made_anew(tmp_path):
    made: list[str] = []

    def answers(asked: str, seed: int) -> list[torch.Tensor]:
        rng = stream(seed)

        def make() -> torch.Tensor:
            made.append(asked)
            return torch.rand(2, generator=rng)

        return [kept(name, make, rng) for name in asked]

    path = tmp_path / "journal.npz"
    with pytest.raises(KeyboardInterrupt), written(path):
        first = answers("ab", 0)
        raise KeyboardInterrupt
    for asked, anew in (("ab", 0), ("ac", 1), ("bc", 2)):
        made.clear()
        with written(path):
            found = answers(asked, 1)
        assert len(made) == anew  # the generator goes on from where the last answer left it
        assert all(torch.equal(x, y) for x, y in zip(first, found, strict=True)) == (anew < 2)


def test_the_door_says_how_to_go_on_and_goes_on(stopped_at, tmp_path, monkeypatch, capsys):
    made: list[str] = []

    def judged(asked, options, *, seed, level, **_) -> Verdict:
        rng = stream(seed)

        def drawn() -> float:
            made.append(asked.name)
            return float(torch.rand((), generator=rng))

        found = {name: kept(name, drawn, rng) for name in "abc"}
        return Verdict("mine", Outcome.RIGHT, level, excluded=found)

    monkeypatch.setattr("commands.check.judged", judged)
    mine = tmp_path / "mine.py"
    mine.write_text((ROOT / "examples" / "grid_transition.py").read_text())
    words = ["--check", mine, "--problem", "1", "--out"]
    assert door(*words, tmp_path / "whole") == 0
    stopped_at(2)
    assert door(*words, tmp_path / "out") == 130
    again = capsys.readouterr().err.partition("go on with: python run.py ")[2].split()
    assert again == ["--resume", str(tmp_path / "out"), "--check", str(mine)]
    assert door("--resume", tmp_path / "out") == 2 and "no file is executed" in capsys.readouterr().err
    assert door(*again) == 0 and made == ["mine"] * 6
    one, other = (json.loads((tmp_path / name / "check.json").read_text()) for name in ("whole", "out"))
    assert one == other
    assert door(*again) == 0 and len(made) == 6  # what is finished is shown again
    mine.write_text(mine.read_text() + "# another\n")
    assert door(*again) == 2 and "mine.py: not as when" in capsys.readouterr().err


@pytest.mark.parametrize("change", [
    lambda held: {}, lambda held: held | {"code": "older"}, lambda held: held | {"verdicts": [1]},
    lambda held: held | {"entries": [1]}, lambda held: [held]])
def test_a_journal_of_another_hand_is_refused(change, tmp_path):
    path = tmp_path / "journal.npz"
    with pytest.raises(KeyboardInterrupt), written(path):
        kept("a", lambda: 1)
        raise KeyboardInterrupt
    checkpoint.save(path, change(checkpoint.load(path, (journal.Entry,))))
    with pytest.raises(InputError, match="not as this version writes it: delete it"), written(path):
        pass


@pytest.mark.parametrize("ours", [False, True])
def test_what_a_forged_entry_breaks_is_made_without_it_and_a_fault_of_ours_is_met_again(ours, tmp_path):
    path = tmp_path / "journal.npz"
    with pytest.raises(KeyboardInterrupt), written(path) as book:
        book.verdict(lambda: Verdict("first", Outcome.RIGHT, 1e-3))
        kept("a", lambda: 1.0 if ours else "a word")
        raise KeyboardInterrupt

    def make() -> Verdict:
        found = kept("a", lambda: 2.0) / 2
        return Verdict("mine", Outcome.RIGHT, 1e-3, excluded={"a": found}, why=[][1] if ours else "")

    with pytest.raises(IndexError) if ours else nullcontext(), written(path) as book:
        assert [book.verdict(make).method for _ in range(2)] == ["first", "mine"]
        assert book.verdicts[1].excluded == {"a": 1.0}


def test_a_forged_verdict_is_no_fault_of_ours(tmp_path):
    path = tmp_path / "journal.npz"
    with written(path) as book:
        book.verdict(lambda: Verdict("first", Outcome.RIGHT, 1e-3, excluded={"a": "a word"}))  # type: ignore[dict-item]
    with pytest.raises(InputError, match="not as this version writes it"), written(path) as book:
        book.verdict(lambda: pytest.fail("it is there")).exclusion.strip()


def test_a_refusal_of_a_check_that_goes_on_loses_nothing(tmp_path):
    """As where less memory is free than before."""
    path = tmp_path / "check.journal.npz"
    with pytest.raises(KeyboardInterrupt), written(path):
        kept("work", lambda: 1)
        raise KeyboardInterrupt
    with pytest.raises(InputError), written(path):
        raise InputError("too much")
    with written(path):
        assert kept("work", lambda: 2) == 1
