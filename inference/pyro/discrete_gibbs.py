"""Discrete sites of any Pyro model, each value drawn given everything else: nobody need write the conditionals.

    MCMC(Gibbs(model, [(DiscreteGibbs, ["label"]), (NUTS, None)]), ...)         # or alone, where every site is discrete

For each entry x of each site, with f(k) = log p(x = k, all else) from a run of the model per value k:

    Gibbs          x ~ softmax(f)
    modified       k != x ~ softmax(f) without x, accepted with probability min(1, (1 - p(x)) / (1 - p(k)))
    random_walk    k uniform (modified: and other than x), accepted with probability min(1, exp(f(k) - f(x)));
                   in an infinite support k = x + or - 2^j, j uniform in 0..7

Cells of plates are drawn together, K runs for all of them, on f_i(k): the terms of the sites in the same plates, every
cell set to k. If cells do touch each other, these terms say so: log p must change by what they change by. Where it does
not the move is refused, which leaves detailed balance as it is, and the site goes on cell by cell. Cost of a sweep: K
runs of the model for an entry, or for a plate of them; random_walk 1 for an entry, where K exceeds the cells.
Source: Liu, Peskun's theorem and a modified discrete-state Gibbs sampler (1996).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pyro import poutine
from pyro.infer.mcmc.mcmc_kernel import MCMCKernel
from torch import Tensor
from torch.distributions import Categorical, Transform, constraints

from errors import InputError
from inference.pyro.cells import Cells, index, put
from inference.pyro.held import Held, Values, fault, first_draw, survey, trace
from models import supports

MANY = 10_000  # values of a site, each of which costs a run of the model
STRIDES = 8  # of the random walk in an infinite support: 1, 2, 4, ... 128
Trace = Any


class DiscreteGibbs(MCMCKernel):
    """One sample moves every entry of every latent site of `model` once."""

    def __init__(self, model: Callable[..., Any] | None = None, *, random_walk: bool = False,
                 modified: bool = False) -> None:
        self.model = model  # None: the block's, once Gibbs has it
        self.random_walk, self.modified = random_walk, modified
        self.transforms: dict[str, Transform] = {}
        self._initial_params: Values | None = None
        self._apart: dict[str, bool] = {}  # sites whose cells were seen to touch each other

    def setup(self, warmup_steps: int, *args: object, **kwargs: object) -> None:
        if self.model is None:
            raise InputError("DiscreteGibbs has no model: DiscreteGibbs(model), or give it to Gibbs as a block")
        self._arguments = args, kwargs
        seen = self.model.seen if isinstance(self.model, Held) else survey(self.model, args, kwargs)
        self._held = self.model if isinstance(self.model, Held) else Held(self.model, {}, list(seen.sites), seen)
        for name in self._held.free:
            if not seen.sites[name].discrete:
                raise InputError(f"DiscreteGibbs moves discrete sites, and {name} is continuous: give it another block "
                                 f"of Gibbs, as (NUTS, ['{name}'])")
        if not self._held.free:
            raise InputError("the model has no discrete latent site for DiscreteGibbs to move")
        if self._initial_params is None:
            self._initial_params = first_draw(self.model, seen, args, kwargs)
        now = self._run(self._initial_params)
        for name in self._held.free:
            self._values(name, now)

    def sample(self, params: Values) -> Values:
        values = dict(params)
        now = self._run(values)
        for name in self._held.free:
            found, cells = self._values(name, now), Cells.of(now.nodes[name])
            if found is not None and cells.dims and not (self.random_walk and len(found) > cells.count):
                if not self._apart.get(name):
                    values, now = self._together(values, name, found, cells, now)
                if not self._apart.get(name):
                    continue
            values, now = self._one_by_one(values, name, found, Cells(cells.shape, (), cells.event), now)
        return values

    @property
    def initial_params(self) -> Values | None:
        return self._initial_params

    @initial_params.setter
    def initial_params(self, params: Values) -> None:
        self._initial_params = dict(params)

    def refresh(self, params: Values) -> None:
        """Nothing to forget: every sample looks at the density afresh."""

    def diagnostics(self) -> dict[str, Any]:
        return {"divergences": []}

    def cleanup(self) -> None:
        self._initial_params = None

    def _together(self, values: Values, name: str, found: Tensor, cells: Cells, now: Trace) -> tuple[Values, Trace]:
        """All cells of the site's plates at once, entry after entry of a cell, as long as no cell touches another."""
        for r in range(cells.entries):
            table = cells.table(values[name])
            x, cell = index(found, table[:, r]), torch.arange(cells.count)
            runs = [self._run(values | {name: cells.value(put(table, r, one))}) for one in found]
            f = torch.stack([cells.terms(name, run) for run in runs])
            if bool(f.isnan().any()) or not bool((f > -torch.inf).any(0).all()):
                self._apart[name] = True
                break
            k = self._choose(f, x)
            if bool((k == x).all()):
                continue
            moved = values | {name: cells.value(put(table, r, found[k]))}
            after = self._run(moved)
            change = _total(after) - _total(now)
            if not abs(change - float((f[k, cell] - f[x, cell]).sum())) <= _rounding(now):
                self._apart[name] = True
                break
            values, now = moved, after
        return values, now

    def _one_by_one(self, values: Values, name: str, found: Tensor | None, cells: Cells,
                    now: Trace) -> tuple[Values, Trace]:
        """Entry by entry, by the whole log joint."""
        support = supports.of(now.nodes[name]["fn"])
        for r in range(cells.entries):
            table = cells.table(values[name])
            x = None if found is None else index(found, table[:, r])
            if found is None or x is None or self.random_walk:
                one = _stride(table[:, r]) if found is None or x is None else found[self._uniform(len(found), x)]
                moved = values | {name: cells.value(put(table, r, one))}
                ok = supports.inside(support, moved[name])
                if ok is None or bool(ok.all()):  # else the model need not be asked, and may not know what to say
                    after = self._run(moved)
                    if float(torch.rand(()).log()) < self._log_joint(after) - self._log_joint(now):
                        values, now = moved, after
                continue
            all_of = [values | {name: cells.value(put(table, r, one))} for one in found]
            runs = [now if n == int(x) else self._run(one) for n, one in enumerate(all_of)]
            k = self._choose(torch.tensor([[self._log_joint(run)] for run in runs], dtype=torch.float64), x)
            values, now = all_of[int(k)], runs[int(k)]
        return values, now

    def _choose(self, f: Tensor, x: Tensor) -> Tensor:
        """The next value of each cell, (cells,), from f (values, cells) and the present ones x."""
        count, cell = len(f), torch.arange(f.shape[1])
        if self.random_walk:
            k = self._uniform(count, x)
            gain = f[k, cell] - f[x, cell]
        elif not self.modified:
            return Categorical(logits=f.T).sample()
        else:
            others = f.clone()
            others[x, cell] = -torch.inf
            stuck = (others == -torch.inf).all(0)
            k = torch.where(stuck, x, Categorical(logits=torch.where(stuck, f, others).T).sample())
            back = f.clone()
            back[k, cell] = -torch.inf
            gain = torch.where(stuck, 0.0, others.logsumexp(0) - back.logsumexp(0))
        return torch.where(torch.rand(gain.shape, dtype=gain.dtype).log() < gain, k, x)

    def _uniform(self, count: int, x: Tensor) -> Tensor:
        if not self.modified or count == 1:
            return torch.randint(count, x.shape)
        return (x + 1 + torch.randint(count - 1, x.shape)) % count

    def _values(self, name: str, now: Trace) -> Tensor | None:
        """All values of the site's support, (values, event); None if there is no end to them."""
        fn, like = now.nodes[name]["fn"], now.nodes[name]["value"]
        support = supports.base(supports.of(fn))
        if isinstance(support, type(constraints.boolean)):
            return torch.tensor([0, 1]).to(like)
        if isinstance(support, type(constraints.one_hot)):
            return torch.eye(like.shape[-1]).to(like)
        if isinstance(support, constraints.integer_interval):
            low, high = int(torch.as_tensor(support.lower_bound).min()), int(torch.as_tensor(support.upper_bound).max())
            if high - low < MANY or self.random_walk:
                return torch.arange(low, high + 1).to(like) if high - low < MANY else None
            raise InputError(f"the site {name} has {high - low + 1} values, and DiscreteGibbs tries each: use "
                             f"DiscreteGibbs(random_walk=True)")
        walks = isinstance(support, type(constraints.nonnegative_integer))
        if not walks:
            raise InputError(f"DiscreteGibbs cannot move the site {name}, of {supports.words(support)}: give it a "
                             f"block with a conditional")
        if not self.random_walk:
            raise InputError(f"the site {name} has infinitely many values: use DiscreteGibbs(random_walk=True), or a "
                             f"prior that ends somewhere")
        return None

    def _run(self, values: Values) -> Trace:
        return trace(poutine.condition(self._held, data=values), *self._arguments)

    def _log_joint(self, now: Trace) -> float:
        total = _total(now)
        if total == torch.inf or total != total:
            raise InputError(f"DiscreteGibbs meets a log joint that is no number: {fault(now)}")
        return total


def _stride(x: Tensor) -> Tensor:
    sign = 2 * torch.randint(2, x.shape) - 1
    return x + (sign * 2 ** torch.randint(STRIDES, x.shape)).to(x)


def _terms(now: Trace) -> list[Tensor]:
    return [site["log_prob"] for site in now.nodes.values() if site["type"] == "sample"]


def _total(now: Trace) -> float:
    """The log joint, in nats."""
    return sum(float(x) if x.ndim == 0 else float(x.sum(dtype=torch.float64)) for x in _terms(now))


def _rounding(now: Trace) -> float:
    """What rounding may change in the log joint, in nats: in proportion to the size of its terms."""
    terms = _terms(now)
    eps = max(torch.finfo(x.dtype).eps for x in terms if x.is_floating_point())
    return max(1e-9, 8 * eps) * (1 + float(sum(x.abs().sum(dtype=torch.float64) for x in terms)))
