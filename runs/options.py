"""Which methods with which options: what the arguments name, as `Fit`s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from errors import InputError, listed, short, unknown
from inference import load
from inference.method import Method
from inference.options import option

Options = dict[str, Any]


@dataclass(frozen=True)
class Fit:
    """A method with the options it is to have; its name says which, where there are several."""

    method: Method
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.method.name


def parse(kind: str, spec: str) -> Fit:
    """`name`, `file.py`, `file.py:Name`, or these with options: `coordinate_ascent:covariance=row`."""
    return _fit(kind, *split(spec))


def parse_guide(kind: str, spec: str) -> Fit:
    """The same for a guide by its short name: `low_rank:columns=2` is guide_low_rank_pyro:columns=2."""
    name, words = split(spec)
    if ".py" in name:
        return _fit(kind, name, words)
    known = load.guides(kind)
    if name not in known:
        raise unknown("guide", name, known)
    method, fixed = split(known[name])
    return _fit(kind, method, fixed + words)


def split(spec: str) -> tuple[str, list[str]]:
    """What is named, and the words of the options after it.

    >>> split("gibbs:schedule=raster"), split("mine.py:Name")
    (('gibbs', ['schedule=raster']), ('mine.py:Name', []))
    """
    name = spec.partition("=")[0].rpartition(":")[0] if "=" in spec else spec
    return name, [word for word in spec[len(name) + 1 :].split(",") if word]


def _fit(kind: str, name: str, words: Sequence[str]) -> Fit:
    method, options = load.method(kind, name), {}
    for word in words:
        what, equals, value = word.partition("=")
        if not equals:
            spec = f"{name}:{','.join(words)}"
            raise InputError(f"{short(spec)}: after the colon come options like covariance=row, "
                             f"not '{short(word)}'")
        options[what] = option(method, what, value)
    suffix = [what if value is True else str(value) for what, value in options.items() if value is not False]
    return Fit(replace(method, name="_".join([method.name, *suffix]).replace("/", "_")), options)


def distinct(fits: Sequence[Fit]) -> list[Fit]:
    """All of them. Errors: InputError for two of one name, whose results would be one file."""
    names = [fit.name for fit in fits]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{', '.join(twice)} is asked for twice")
    return list(fits)


def given(fits: Sequence[Fit], *shared: Mapping[str, Options]) -> list[Fit]:
    """The fits with what is given to all of them, by name; a later one goes before an earlier, its own before all."""
    found = []
    for fit in fits:
        options: Options = {}
        for values in shared:
            options |= values.get(fit.name, {})
        found.append(Fit(fit.method, options | dict(fit.options)))
    return found


def taken(fits: Sequence[Fit], values: Mapping[str, Any], flag: str = "--") -> dict[str, Options]:
    """For every fit, by name, those of the values that its method has; what no method takes is an error.

    A value that one method does not know is left out for it as long as another knows it
    (`--schedule residual` is for loopy_bp, and mean_field keeps its own).
    """
    chosen: dict[str, Options] = {fit.name: {} for fit in fits}
    methods = [fit.method for fit in fits]
    for name, value in values.items():
        if value is None:
            continue
        takers, refusal, took = [m for m in methods if name in m.options], None, False
        for method in takers:
            try:
                chosen[method.name][name] = option(method, name, value)
                took = True
            except InputError as error:
                refusal = error
        if refusal and not took:
            raise refusal
        if not takers:
            word = name if " " in flag else name.replace("_", "-")
            known = listed(sorted({option for m in methods for option in m.options}), 120)
            raise InputError(f"{flag}{short(word)} is of no use to {listed([m.name for m in methods], 60)}: "
                             f"the options there are {known}")
    return chosen
