"""A method's beliefs step by step, for a slider."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from errors import InputError
from inference import load
from inference.job import generator
from inference.method import Info
from inference.threads import torch_on_one_thread
from models.grid import GridMRF

STEPS = 60
EXACT = 2**16  # states of a row of pixels up to which the exact answer is computed while one waits


@dataclass(frozen=True, eq=False)
class Film:
    """What a method believes after each of its steps; `states` are its own, `refused` why there are none."""

    name: str
    marginals: list[np.ndarray]  # (H, W, K) each
    infos: list[Info]
    states: list[Any]
    refused: str = ""

    def at(self, step: int) -> np.ndarray | None:
        """The marginals after so many steps, or after its last."""
        return self.marginals[min(step, len(self.marginals)) - 1] if self.marginals else None

    def log_evidence(self, step: int) -> float | None:
        """Nats, as it was then."""
        return self.infos[min(step, len(self.infos)) - 1].log_evidence if self.infos else None


@dataclass(frozen=True)
class Scene:
    """A noisy image and the weights of a Potts model, as values that can be looked up."""

    labels: tuple[int, ...]  # observed, row by row
    width: int
    states: int
    evidence: float
    coupling: float
    beta: float

    @property
    def model(self) -> GridMRF:
        """beta (evidence [y = x] + coupling [y = y'])."""
        image = torch.tensor(self.labels).reshape(-1, self.width)
        return GridMRF.potts(torch.nn.functional.one_hot(image, self.states), self.evidence,
                             (self.coupling, 0.0)).scaled(self.beta)

    @property
    def exact(self) -> bool:
        """Whether the strip recursion is quick enough."""
        return self.states ** min(self.width, len(self.labels) // self.width) <= EXACT


@lru_cache(maxsize=64)
@torch_on_one_thread()
def film(name: str, scene: Scene, steps: int = STEPS, seed: int = 0, **options: Any) -> Film:
    """The method's film of a scene; of one that is not for such a model, the sentence that says why."""
    method, model = load.method("grid", name), scene.model
    made = Film(name, [], [], [])
    rng = generator(seed, f"{name}/playground")
    try:
        state = method.init(rng, model, None, **options)
        for _ in range(steps):
            state, info = method.step(rng, state, model, None)
            found = method.expect(state, model) if method.expect else None
            made.marginals.append((found or {})["labels"].numpy())
            made.infos.append(info)
            made.states.append(state)
            if info.converged:
                break
    except InputError as error:
        return Film(name, [], [], [], str(error))
    return made


def noisy(labels: tuple[int, ...], states: int, noise: float, seed: int) -> tuple[int, ...]:
    """Every label, with probability `noise`, becomes one of the others, each as likely."""
    rng = np.random.default_rng(seed)
    flips, moves = rng.random(len(labels)) < noise, rng.integers(1, states, len(labels))
    return tuple(int(x) for x in np.where(flips, (np.array(labels) + moves) % states, labels))


def wrong(marginals: np.ndarray, labels: tuple[int, ...]) -> float:
    """The share of pixels whose most probable label is not that of the clean image."""
    return float((marginals.argmax(-1).ravel() != np.array(labels)).mean())


def apart(marginals: np.ndarray, exact: np.ndarray) -> float:
    """The largest difference of a marginal from the exact one."""
    return float(np.abs(marginals - exact).max())
