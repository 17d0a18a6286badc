"""What Problem 1 is asked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

import numpy as np

from checks import planted
from data.builtin_images import BUILTIN
from data.grid_files import is_grid
from errors import InputError, short, unknown
from experiments.problem1 import checkpoints
from inference import load
from inference.method import Family
from runs import options, request
from runs.options import Fit
from runs.request import HELD, option

BY = ("likelihood", "pseudo_likelihood", "contrastive_divergence", "em")  # of what learns the weights
MODELLED = ("image", "unary", "learn", "learn_by", "labels", "palette", "truth", "mask", "clamp", "posterior", "export",
            "evidence", "coupling", "beta", "outside", "data_seed", "bare", "notebook")
IMAGE, MODEL, METHODS = "the image", "the model", "the methods"


@dataclass(frozen=True, kw_only=True)
class Request(request.Request):
    """Which image, under which model, by which methods."""

    problem: ClassVar[str] = "1"
    kind: ClassVar[str] = "grid"
    reads: ClassVar[tuple[str, ...]] = ("image", "unary", "truth", "mask", "learn", "clamp", "conformance", "outside")
    names: ClassVar[tuple[str, ...]] = BUILTIN
    image: str | None = option(None, "small, spiral, flag, bullseye, or a .npy, .png, .jpg, .uai or .fg file, the last "
                               "two also as .gz (default: small, then spiral)", metavar="IMAGE", group=IMAGE)
    labels: int | None = option(None, "number of labels (default: what the image has); a photograph's colours become "
                                "so many by k-means", metavar="K", group=IMAGE)
    palette: tuple[str, ...] = option((), "colours of the labels of a PNG, as '#rrggbb' '#rrggbb' ...",
                                      metavar="COLOUR", group=IMAGE, several=True)
    truth: Path | None = option(None, "the clean image, for the share of wrong pixels and a map of them",
                                metavar="FILE", group=IMAGE)
    mask: Path | None = option(None, "pixels to fill in: white in an image file, 1 in a .npy", metavar="FILE",
                               group=IMAGE)
    clamp: Path | None = option(None, "pixels known for certain: a .npy with -1 for the others, an image file that is "
                                "transparent there, or a .uai.evid", metavar="FILE", group=IMAGE)
    posterior: bool = option(False, "write every method's marginals too, as (H, W, K) in NAME.npy", group=IMAGE)
    export: Path | None = option(None, "write the image as .npy or .png, the whole model as .uai or .fg, or its exact "
                                 "marginals as .MAR, and stop", metavar="FILE", group=IMAGE)
    conformance: Path | None = option(None, "run every .uai and .fg below that folder that has a .MAR beside it, and "
                                      "print the largest error of every method", metavar="DIR", group=METHODS)
    unary: Path | None = option(None, "log-potentials of every label at every pixel, (H, W, K) nats in a .npy, in the "
                                "place of --image and --evidence", metavar="FILE", group=MODEL)
    evidence: float = option(10.0, "log-potential of a label that was observed (default 10)", group=MODEL)
    coupling: str = option("10,2", "log-potentials of neighbours by label distance 0, 1, ... (default 10,2), or the "
                           "whole table, rows separated by semicolons", metavar="A,B,...", group=MODEL)
    beta: float = option(1.0, "inverse temperature: multiplies all log-potentials (default 1)", group=MODEL)
    learn: Path | None = option(None, "learn evidence and coupling from the image and this truth of it, and use them",
                                metavar="FILE", group=MODEL)
    learn_by: str | None = option(None, f"how to learn: {', '.join(BY[:-1])} (default: the first where it is cheap, "
                                  "else the second), or, without --learn, em, from the image alone", metavar="NAME",
                                  group=MODEL)
    method: tuple[str, ...] = option((), "a method by name or from a file, with options of its own (--list NAME shows "
                                     "them); repeatable", metavar="NAME|FILE.py[:OPTION=VALUE,...]", group=METHODS)
    schedule: str | None = option(None, "order of the updates, for methods that have a choice (see --list NAME)",
                                  group=METHODS)
    damping: float | None = option(None, "share of the old value kept in an update, from 0 to below 1", group=METHODS)
    sweeps: int | None = option(None, "default 30; for MCMC 2,000 on small images and 100 on large ones",
                                group=METHODS)
    chains: int | None = option(None, "for MCMC (default 4 on small images, 2 on large ones)", group=METHODS)
    outside: Path | None = option(None, "a directory with grids that others have solved (uai/, fg/), for the "
                                  "checkpoints that use them", metavar="DIR")

    def __post_init__(self) -> None:
        if self.learn and not self.image:
            raise InputError("--learn TRUTH goes with --image FILE, the noisy image of that truth")
        if self.learn_by and self.learn_by not in BY:
            raise unknown("--learn-by", self.learn_by, BY)
        if self.learn_by and not (self.image if self.learn_by == "em" else self.learn):
            raise InputError(f"--learn-by {self.learn_by} goes with "
                             f"{'--image FILE' if self.learn_by == 'em' else '--learn TRUTH'}")
        for name in ("truth", "mask", "clamp"):
            if getattr(self, name) and not (self.image or self.unary or self.conformance):
                raise InputError(f"--{name} goes with --image FILE, which says of what image")
        if self.image and self.unary:
            raise InputError("give one of --image and --unary: each says what is known of the pixels")
        if self.conformance and not self.conformance.is_dir():
            raise InputError(f"--conformance {self.conformance} is not a folder")
        if not all(np.isfinite([self.evidence, self.beta])):
            raise InputError("--evidence and --beta must be finite numbers")
        if self.outside and not checkpoints.available(self.outside):
            raise InputError(f"--outside {self.outside} holds none of "
                             f"{', '.join(g.path for g in checkpoints.OUTSIDE)}")

    @property
    def reference(self) -> bool:
        """Whether the run is about the reference's image."""
        return self.image == "small" or not (self.image or self.unary)

    def idle(self) -> dict[str, str]:
        found = {"outside": "--bare leaves out the checkpoints that would read it"} if self.bare else {}
        if self.outside and not {fit.method.name for fit in self.chosen()} & checkpoints.METHODS_OUTSIDE:
            found["outside"] = f"its checkpoints are of {', '.join(sorted(checkpoints.METHODS_OUTSIDE))}"
        if self.bare:
            found["truth"] = "--bare compares nothing"
            found["posterior"] = "under --bare the .nc files alone are written, and hold it (group expected)"
        if self.learn or self.learn_by:
            found |= dict.fromkeys(("evidence", "coupling"), "--learn says it" if self.learn else "--learn-by says it")
        if self.learn_by == "em":
            found["learn"] = "em learns from the image alone"
        if self.unary:
            found |= dict.fromkeys(("labels", "palette", "evidence", "mask"), f"{self.unary} says it of every pixel")
            found["data_seed"] = "nothing is made at random"
        if self.conformance:
            found |= dict.fromkeys(MODELLED, f"the files of {self.conformance} are the models, and their answers")
        if self.image and is_grid(self.image):
            found |= dict.fromkeys(("labels", "palette", "evidence", "coupling", "mask", "learn", "learn_by"),
                                   f"{self.image} is a whole model with potentials of its own (--beta scales them)")
            found["truth"] = f"{self.image} is a model without an image"
        if self.image in BUILTIN and self.image != "small":
            found["truth"] = f"the clean image of {self.image} is known"
        if self.image and (self.image == "small" or self.image not in BUILTIN):
            found["data_seed"] = f"nothing of {self.image} is made at random"
        if self.export:
            others = [f.name for f in fields(self) if f.metadata.get("group") in (METHODS, HELD)]
            found |= dict.fromkeys(set(others) - {"data_seed", "device"}, "--export writes the image and stops")
            found["truth"] = found["posterior"] = "--export writes the image and stops"
            if self.export.suffix.lower() in (".npy", ".png"):
                found["clamp"] = "an image holds what was observed (a .uai holds what is certain)"
                found |= dict.fromkeys(("evidence", "coupling", "beta", "learn", "learn_by"),
                                       "an image has no potentials (a .uai has)")
        families = {fit.method.family for fit in self.chosen()} if {"sweeps", "chains"} & self.given else set()
        if families == {Family.EXACT}:
            found["sweeps"] = "an exact method takes one step"
        if families and Family.MCMC not in families:
            found["chains"] = "none of the methods is a sampler"
        return found

    def chosen(self, otherwise: tuple[str, ...] = ()) -> list[Fit]:
        """The methods asked for, else those named, else all; each with the options that it takes."""
        specs = self.method or otherwise or tuple(load.names(self.kind))
        fits = options.distinct([options.parse(self.kind, planted.resolved(spec)) for spec in specs])
        return options.given(fits, options.taken(fits, {"schedule": self.schedule, "damping": self.damping}),
                             options.taken(fits, self.set, "--set "))

    @property
    def table(self) -> list[float] | list[list[float]]:
        """--coupling: numbers by label distance, or a whole table with its rows separated by semicolons."""
        try:
            rows = [[float(word) for word in row.split(",")] for row in self.coupling.split(";")]
        except ValueError:
            rows = [[np.nan]]
        if not all(np.isfinite(row).all() and len(row) == len(rows[0]) for row in rows):
            raise InputError(f"--coupling must be finite numbers by label distance, like 10,2, or a square table, "
                             f"like '10,2;2,10', not '{short(self.coupling)}'")
        return rows[0] if len(rows) == 1 else rows
