"""What a run of one method leaves behind, in memory and on disk.

On disk: `<name>.nc` (NetCDF as ArviZ reads it; groups `posterior`, `expected`, `trace`, and what `groups` has) holds
everything, see docs/results.md; `<name>.json` is the part that people read.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from errors import InputError, short
from files import room, seal, sealed, whole

if TYPE_CHECKING:
    import arviz
    import h5py
    import xarray as xr

PREVIEW = "arviz.preview"
SMALL = 2**20  # bytes, up to which a result is not compressed: that takes longer than all the rest of saving it
SAID = 0.05  # seconds of loading that are worth a word
HEADER = {"name": str, "family": str, "by": str, "seed": int, "options": dict, "log_evidence": float | int | None,
          "log_evidence_kind": str | None, "converged": bool | None, "steps": int, "seconds": float | int,
          "loading": float | int, "facts": dict, "versions": dict, "dims": dict}  # what `header` says, by type
OWN = ("posterior", "expected", "trace")  # the groups that every result has
NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"  # what netCDF calls a dimension without names
DRAWN = ("latents", "log_likelihood", "posterior_predictive")
FURTHER = (*DRAWN, "observed_data", "constant_data")  # the groups that a result may have besides its own three
LIBRARIES = ("torch", "pyro-ppl", "pgmpy", "numpy", "numba", "arviz")


@dataclass(frozen=True, repr=False)
class Result:
    """Draws, expectations and the trace of one method on one model.

    draws     {site: (chain, draw, *event)}
    expected  {quantity: array}, the method's own answer; for MCMC the mean over chains
    trace     {field of Info: (chain, step)}, nan where the method was silent
    seconds   (chain, step), wall time of each step
    groups    further groups of the file by name; those in DRAWN are (chain, draw, *event)
    coords    {name: (dim, labels)}, names of what stands along a dim, for whoever reads the file
    loading   seconds of compiling and loading, none of them in `seconds`; most of it once a process

    >>> arrays = {"draws": {"x": np.zeros((2, 9))}, "expected": {"x": np.zeros(())}, "trace": {}}
    >>> Result("gibbs", "mcmc", "hand", seconds=np.full((2, 9), 0.1), log_evidence=-12.5, log_evidence_kind="exact",
    ...        converged=None, seed=4, options={}, **arrays)
    gibbs         mcmc, by hand: 9 steps of 2 chains, 1.8 s, seed 4
    log evidence  -12.5 nats (exact)
    converged     not known
    draws         x (2, 9)
    expected      x ()
    """

    name: str
    family: str
    by: str
    draws: Mapping[str, np.ndarray]
    expected: Mapping[str, np.ndarray]
    trace: Mapping[str, np.ndarray]
    seconds: np.ndarray
    log_evidence: float | None
    log_evidence_kind: str | None
    converged: bool | None
    seed: int
    options: Mapping[str, Any]
    dims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of draws and of expected, by name
    facts: Mapping[str, Any] = field(default_factory=dict)  # anything else worth a line of JSON
    versions: Mapping[str, str] = field(default_factory=lambda: versions())
    loading: float = 0.0
    groups: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    coords: Mapping[str, tuple[str, np.ndarray]] = field(default_factory=dict)

    @classmethod
    def of_another_rank(cls, name: str) -> Result:
        """What the other ranks of a run know of a result that the first one has: nothing."""
        return cls(name, "", "", {}, {}, {}, np.zeros((1, 0)), None, None, None, 0, {})

    @property
    def steps(self) -> int:
        return self.seconds.shape[1]

    def final(self, name: str) -> float | None:
        """The last value of a trace, averaged over chains; None where there is none."""
        values = self.trace.get(name)
        if values is None or not np.isfinite(values[:, -1]).any():
            return None
        return float(np.nanmean(values[:, -1]))

    def _in_words(self) -> dict[str, str]:
        """What it is, a line each: what a person at a prompt wants to know of it."""
        def shapes(arrays: Mapping[str, np.ndarray]) -> str:
            return ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "none"

        chains = f" of {len(self.seconds)} chains" if len(self.seconds) > 1 else ""
        loading = f" after {self.loading:.2g} s of loading" if self.loading >= SAID else ""
        evidence = self.log_evidence
        return {
            self.name: f"{self.family}, by {self.by}: {self.steps} step{'s' * (self.steps != 1)}{chains}, "
                       f"{self.seconds.sum():.3g} s{loading}, seed {self.seed}",
            "log evidence": "none" if evidence is None else f"{evidence:.9g} nats ({self.log_evidence_kind})",
            "converged": {None: "not known", True: "yes", False: "no"}[self.converged],
            "draws": shapes(self.draws), "expected": shapes(self.expected),
        }

    def __repr__(self) -> str:
        said = self._in_words()
        return "\n".join(f"{what:{max(map(len, said))}}  {words}" for what, words in said.items())

    def _repr_html_(self) -> str:
        said = self._in_words()
        lines = (f"<tr><th>{escape(what)}</th><td>{escape(words)}</td></tr>" for what, words in said.items())
        return f"<table>{''.join(lines)}</table>"

    def header(self) -> dict[str, Any]:
        """The part that people read."""
        return {
            "name": self.name, "family": self.family, "by": self.by, "seed": self.seed,
            "options": dict(self.options), "log_evidence": self.log_evidence,
            "log_evidence_kind": self.log_evidence_kind, "converged": self.converged,
            "steps": self.steps, "seconds": float(self.seconds.sum()), "loading": self.loading,
            "facts": dict(self.facts), "versions": dict(self.versions),
        }

    def to_arviz(self) -> arviz.InferenceData:
        """Everything, as ArviZ's InferenceData."""
        az = import_arviz()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ArviZ remarks on groups that are not its own
            idata = az.InferenceData(**self._datasets())
        idata.attrs.update(self._header())
        return idata

    def _datasets(self) -> dict[str, xr.Dataset]:
        """Everything, by group."""
        import xarray as xr

        def dataset(values: Mapping[str, np.ndarray], lead: tuple[str, ...], kind: str) -> xr.Dataset:
            columns = {}
            for name, array in values.items():
                rest = self.dims.get(f"{kind}/{name}", self.dims.get(f"posterior/{name}", ()))
                if len(rest) != array.ndim - len(lead):
                    rest = tuple(f"{name}_{k}" for k in range(array.ndim - len(lead)))
                columns[name] = (lead + tuple(rest), array)
            sizes = {dim: n for dims, array in columns.values() for dim, n in zip(dims, array.shape, strict=True)}
            return xr.Dataset(columns, {label: (dim, names) for label, (dim, names) in self.coords.items()
                                        if sizes.get(dim) == len(names)})

        groups = {
            **{group: dataset(values, ("chain", "draw") if group in DRAWN else (), group)
               for group, values in self.groups.items()},
            "posterior": dataset(self.draws, ("chain", "draw"), "posterior"),
            "expected": dataset(self.expected, (), "expected"),
            "trace": dataset({**self.trace, "seconds": self.seconds}, ("chain", "step"), "trace"),
        }
        for group in ("posterior", *(g for g in FURTHER if g in self.groups)):
            groups[group].attrs.update(self._attrs())
        return groups

    def _header(self) -> dict[str, str]:
        return {"header": json.dumps(self.header() | {"dims": {k: list(v) for k, v in self.dims.items()}})}

    def _attrs(self) -> dict[str, Any]:
        """What ArviZ looks for beside a group's arrays."""
        libraries = {"pyro": "pyro-ppl"}
        return {"inference_library": self.by, "sampling_time": float(self.seconds.sum()), "method": self.name,
                "inference_library_version": self.versions.get(libraries.get(self.by, self.by), ""),
                "tuning_steps": int(self.facts.get("warmup", 0)),
                "seed": self.seed if -2**63 <= self.seed < 2**63 else str(self.seed)}  # of which HDF5 has no more

    def save(self, folder: Path) -> Path:
        """Write `<name>.nc` and `<name>.json` into `folder`, as one: there is never a `.nc` without `.json`, and after
        an error neither. What a kill between the two leaves, the next save completes."""
        path = Path(folder) / f"{self.name}.nc"
        path.parent.mkdir(parents=True, exist_ok=True)
        tree, beside = self._tree(), path.with_suffix(".json")
        packed = {"zlib": tree.nbytes > SMALL}
        encoding = {node.path: {name: packed for name, x in node.data_vars.items() if x.dtype.kind in "biuf"}
                    for node in tree.subtree}
        try:
            with whole(path) as arrays, whole(beside) as words:
                with room(arrays, tree.nbytes):
                    tree.to_netcdf(arrays, engine="netcdf4", encoding=encoding)
                seal(arrays)  # what can fail has failed before the first of the two appears
                words.write_text(self._words())
        except BaseException:
            if not path.exists():
                beside.unlink(missing_ok=True)
            raise
        return path

    def _tree(self) -> xr.DataTree:
        """As it is written: what ArviZ reads, without ArviZ, which takes two seconds to import."""
        import xarray as xr

        return xr.DataTree.from_dict({"/": xr.Dataset(attrs=self._header()), **self._datasets()})

    def mend(self, folder: Path) -> None:
        """Write `<name>.json` again where it is not that of this result."""
        path = Path(folder) / f"{self.name}.json"
        if not path.is_file() or path.read_text(errors="replace") != self._words():
            with whole(path) as words:
                words.write_text(self._words())

    def _words(self) -> str:
        return json.dumps(self.header(), indent=2) + "\n"

    @classmethod
    def load(cls, path: Path) -> Result:
        """A saved result. Errors: InputError if the file is absent, or is not as `save` wrote it."""
        path = Path(path)
        if not path.is_file():
            raise InputError(f"no result at {path}: give the .nc file of a saved result")
        if not sealed(path):
            raise InputError(f"{path} is not a saved result: it is damaged, was changed since, or another program or "
                             f"version wrote it; give a .nc file that a run wrote")
        try:
            header, groups, coords = _read(path)
        except MemoryError:
            raise
        except Exception as error:  # HDF5, which says nowhere what it raises
            header, groups, coords, fault = {}, {}, {}, short(error)
        else:
            fault = _fault(header, groups)
        if fault:
            raise InputError(f"{path} is not a saved result ({fault}): give a .nc file that a run wrote")
        seconds = groups["trace"].pop("seconds")
        dims = {k: tuple(v) for k, v in header.pop("dims").items()}
        for derived in ("steps", "seconds"):
            header.pop(derived)
        return cls(draws=groups["posterior"], expected=groups["expected"], trace=groups["trace"],
                   groups={name: groups[name] for name in FURTHER if groups[name]}, coords=coords,
                   seconds=seconds, dims=dims, **header)


def _read(path: Path) -> tuple[Any, dict[str, dict[str, np.ndarray]], dict[str, tuple[str, np.ndarray]]]:
    """The header, the arrays of every group of ours, and the names along their dims, thirteen times as fast as ArviZ:
    h5netcdf, its reader, looks every dimension of every variable up again."""
    import h5py

    arrays: dict[str, dict[str, np.ndarray]] = {group: {} for group in (*OWN, *FURTHER)}
    coords: dict[str, tuple[str, np.ndarray]] = {}
    with h5py.File(path) as file:
        for group in (g for g in arrays if g in file):
            held = {name: x for name, x in file[group].items() if not x.attrs.get("NAME", b"").startswith(NO_VARIABLE)}
            named = {word for x in (file[group], *held.values()) for word in _said(x, "coordinates").split()}
            for name, x in held.items():
                values = np.asarray(x.asstr()[()].astype(str) if h5py.check_string_dtype(x.dtype) else x[()])
                if x.is_scale or name in named:
                    coords[name] = (name if x.is_scale else x.dims[0][0].name.rpartition("/")[2], values)
                else:
                    arrays[group][name] = values.astype(bool) if _said(x, "dtype") == "bool" else values
        return json.loads(_said(file, "header") or "null"), arrays, coords


def _said(of: h5py.HLObject, attribute: str) -> str:
    """Text, which netCDF writes as bytes where it is ASCII; nothing where there is none."""
    text = of.attrs.get(attribute, "")
    return text.decode() if isinstance(text, bytes) else str(text)


def _fault(header: Any, groups: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """In what it is not the header and arrays of a result; nothing where it is."""
    if not isinstance(header, dict) or header.keys() != HEADER.keys():
        return "its header is of another version"
    wrong = next((name for name, kinds in HEADER.items() if not isinstance(header[name], kinds)), None)
    dims, seconds = header["dims"], groups["trace"].get("seconds")
    if wrong or not all(isinstance(v, list) and all(isinstance(d, str) for d in v) for v in dims.values()):
        return f"in its header '{wrong or 'dims'}' is {short(header[wrong or 'dims'])}"
    if seconds is None or seconds.ndim != 2 or not seconds.size or seconds.dtype.kind not in "fiu":
        return "it does not say how many seconds it took"
    least = {"posterior": 2, "trace": 2} | dict.fromkeys(DRAWN, 2)  # axes: chain and draw, chain and step
    for group, values in groups.items():
        for name, array in values.items():
            if array.dtype.kind not in "biuf" or array.ndim < least.get(group, 0):
                return f"'{short(name)}' of its {group} is {array.dtype} of shape {array.shape}"
            if group == "trace" and array.shape != seconds.shape:
                return f"'{short(name)}' of its trace has shape {array.shape}, its seconds {seconds.shape}"
    return ""


def versions() -> dict[str, str]:
    """The versions of the libraries that an answer may depend on."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def import_arviz() -> ModuleType:
    """ArviZ, without the announcement of its next version, and of where it could not note that it made it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            import arviz
        except OSError:  # no folder for that note; where the next version is, none is made
            there = ModuleType(PREVIEW)
            there.info = "".join(f"arviz_{part} available " for part in ("base", "stats", "plots"))  # type: ignore[attr-defined]
            sys.modules[PREVIEW] = there
            import arviz
            del sys.modules[PREVIEW]
    return arviz
