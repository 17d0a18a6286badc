"""What is said of a method, as a value: the figures, the table and the JSON are made from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from html import escape
from typing import NotRequired, TypedDict

from errors import InputError

COLUMNS = ("quantity", "where", "is", "sd", "z", "mean", "should be")  # of a table of findings
SHOWN = 8  # findings in it


class Outcome(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "cannot tell"
    UNFIT = "cannot be judged"  # its form is at fault, and nothing is known of its distribution

    @property
    def status(self) -> int:
        """The exit status."""
        return {"right": 0, "wrong": 1, "cannot be judged": 2, "cannot tell": 3}[self.value]


@dataclass(frozen=True)
class Finding:
    """One function that is off: by `sd` standard deviations of its normal score, `z` of its standard errors."""

    quantity: str
    where: str
    direction: str  # "too large", "too small", "too spread out", "too little spread"
    sd: float
    z: float
    mean: float  # over the replicates, after the kernel's steps
    expected: float  # over the same replicates before them
    problem: str

    def __str__(self) -> str:
        return (f"{self.quantity} of {self.where} is {self.direction} by {abs(self.sd):.2g} sd "
                f"(mean {self.mean:.3g} instead of {self.expected:.3g})")


class Tested(TypedDict):
    """How much was looked at on one problem; `unit` where these are not replicates."""

    problem: str
    replicates: int
    functions: int
    unit: NotRequired[str]


class Score(TypedDict):
    """One function in the figure: z of where it lies and of how spread out it is, and how far off in sd."""

    quantity: str
    where: str
    place: float | None
    spread: float | None
    sd: float | None


@dataclass(repr=False)
class Verdict:
    """The whole answer; in a notebook, its headline and what is off."""

    method: str
    outcome: Outcome
    level: float
    faults: list[str] = field(default_factory=list)  # contract, reach: sentences
    findings: list[Finding] = field(default_factory=list)  # worst first
    implied: list[str] = field(default_factory=list)
    nearest: list[tuple[str, float, str]] = field(default_factory=list)  # mistake, likeness, symptom
    excluded: dict[str, float] = field(default_factory=dict)  # change -> factor - 1 that would have been found
    weights: dict[str, float] = field(default_factory=dict)  # term of the log joint -> |weight - 1| that was in reach
    informed: dict[str, float] = field(default_factory=dict)  # site -> sd of the posterior over that of the prior
    warnings: list[str] = field(default_factory=list)
    refused: int = 0  # test problems that it does not take
    why: str = ""  # cannot tell: because
    by_design: bool = False  # the file says EXACT = False: a bias is expected
    tested: list[Tested] = field(default_factory=list)
    scores: dict[str, list[Score]] = field(default_factory=dict)  # problem -> what the figure draws
    seconds: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        self.outcome = Outcome(self.outcome)
        if not 0 < self.level < 0.5:
            raise InputError(f"the level is the probability of a false alarm, between 0 and 0.5, not {self.level}")

    @property
    def headline(self) -> str:
        """The verdict in a sentence."""
        if self.outcome is Outcome.RIGHT and self.tested:
            least, most = (f(t["replicates"] for t in self.tested) for f in (min, max))
            n = f"{least:,}" + (f" to {most:,}" if most > least else "")
            where = f"on each of {len(self.tested)} problems" if len(self.tested) > 1 else "of one problem"
            unit = self.tested[0].get("unit", f"replicates {where}")
            but = f"; it refuses {self.refused} other{'s' * (self.refused != 1)}" if self.refused else ""
            return f"{self.method} is right, as far as {n} {unit} can tell{but}"
        if self.outcome is Outcome.UNKNOWN:
            return f"cannot tell whether {self.method} is right: {self.why}"
        if self.outcome is Outcome.UNFIT:
            return f"{self.method} cannot be judged: {self.faults[0]}"
        wrong = "approximate, as its file says (EXACT = False)" if self.by_design else "WRONG"
        said = "right" if self.outcome is Outcome.RIGHT else wrong
        return ": ".join([f"{self.method} is {said}", *[str(reason) for reason in (*self.faults, *self.findings)][:1]])

    def __repr__(self) -> str:
        return " ".join(self.headline.split())

    def _repr_html_(self) -> str:
        rows = [(f.quantity, f.where, f.direction, f"{abs(f.sd):.3g}", f"{f.z:+.1f}", f"{f.mean:.3g}",
                 f"{f.expected:.3g}") for f in self.findings[:SHOWN]]
        more = "".join(f"<p>{escape(line)}</p>" for line in (*self.faults[1:], *self.implied, *self.warnings))
        table = f"<table>{_row(COLUMNS, 'th')}{''.join(_row(row, 'td') for row in rows)}</table>" if rows else ""
        return f"<p><b>{escape(self.headline)}</b></p>{table}{more}"

    @property
    def word(self) -> str:
        """The verdict in a word or two, for a table."""
        return f"{self.outcome}, by design" if self.by_design and self.outcome is Outcome.WRONG else str(self.outcome)

    @property
    def assurance(self) -> str:
        """The false-alarm probability of a verdict that has one, in words; "" of others."""
        if self.outcome in (Outcome.UNFIT, Outcome.UNKNOWN) or (
                self.outcome is Outcome.WRONG and not self.findings and not any(map(reached, self.faults))):
            return ""
        return (f"a right method is called wrong with probability at most {self.level:g}; a rejection counts only "
                f"after fresh replicates repeat it")

    @property
    def exclusion(self) -> str:
        """What a pass excludes."""
        if self.weights:
            return weighed(self.weights)
        if not self.excluded:
            return ""
        found = [f"{what} off by {share(size)}" for what, size in self.excluded.items() if math.isfinite(size)]
        not_found = [what for what, size in self.excluded.items() if not math.isfinite(size)]
        said = f"would have been found (9 times in 10): {', '.join(found)} or more" if found else ""
        if not_found:
            said += f"{'; ' if said else ''}a change of 50% in {', '.join(not_found)} was not seen in a short run"
        return said

    @property
    def information(self) -> str:
        """What the example's data tell of each site."""
        told = ", ".join(f"{site} {ratio:.2f}" for site, ratio in sorted(self.informed.items(), key=lambda x: -x[1]))
        return f"sd of the posterior over that of the prior, on the example, at most: {told}" if told else ""

    def to_json(self) -> dict[str, object]:
        """Plain numbers and words."""
        return {**asdict(self), "outcome": str(self.outcome), "headline": self.headline,
                "assurance": self.assurance, "exclusion": self.exclusion, "information": self.information}


def reached(fault: str) -> bool:
    """Whether a fault is of reach, which is found in replicates, as a finding is."""
    return fault.startswith(("FROZEN", "NOT ERGODIC"))


def _row(cells: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def weighed(sizes: dict[str, float], size: float = 0.1) -> str:
    """Which weights of 0.9 and 1.1 would have been found, and how far off those of the others must be."""
    near = [name for name, x in sizes.items() if x <= size]
    far = sorted((x, name) for name, x in sizes.items() if x > size)
    others = ", ".join(f"{name} {100 * x:.0f}%" if x < 1 else f"{name} more than 100%" for x, name in far)
    if not near:
        return f"no weight of 0.9 or 1.1 would have been found (9 times in 10), only weights that are off by: {others}"
    return (f"weights of 0.9 and 1.1 of {', '.join(near)} would have been found (9 times in 10)"
            + (f"; of others only weights that are off by: {others}" if others else ""))


def share(size: float) -> str:
    return f"{100 * size:.0f}%" if size >= 0.095 else f"{100 * size:.1f}%"
