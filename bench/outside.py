"""How often is the first guess right for mistakes that are not in the zoo?

    python bench/outside.py        # 40 of them, the nearest named, and what would be right

Each is a right kernel with one thing in its source replaced, and the zoo's mistakes that would put its author on the
right track: none where the zoo has nothing of the kind, and then the right answer is to name nothing.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from checks.kernels.judge import judge
from checks.kernels.kernel import Kernel
from checks.problems.load import problem_set
from inference import load
from inference.engine import one_thread

RIGHT = Path(__file__).parents[1] / "checks" / "right"
NOISE = ("noise_sd_as_variance", "noise_variance_as_sd", "noise_taken_as_one")
PRIOR = ("prior_sd_as_variance", "precision_for_variance", "prior_of_one_side", "forgotten_prior_precision",
         "stabilising_ridge")
QUIET = ("wishful_noise", "noise_hair_too_small", "no_noise")
ROWS, HMC, MALA, WALK = (f"factorization/{k}" for k in ("row_gibbs", "hamiltonian", "mala", "walk"))
RASTER, METROPOLIS, CLUSTERS, SIGMA = "grid/raster_gibbs", "grid/metropolis", "grid/swendsen_wang", "ladder/noise_gibbs"
DRAW, RATED = "return normal(*natural, noise(rng, own))", "    U, V = latents"
SCORES = "choose(logits(model, field, y, i, j)"
WALKING = '''"""A random walk."""
import torch
from checks.right.factorization.pieces import accept, noise
BATCHED = True
def transition(rng, latents, model, data):
    for _ in range(4):
        new = {site: x + 0.15 * noise(rng, x) for site, x in latents.items()}
        ratio = model.log_joint(new, data) - model.log_joint(latents, data)
        latents = accept(rng, ratio, new, latents)
    return latents
'''


@dataclass(frozen=True)
class Mistake:
    """`old` replaced by `new` in a right kernel, or in the pieces that it imports; `akin` are names in the zoo."""

    name: str
    base: str
    old: str
    new: str
    akin: tuple[str, ...] = ()


MISTAKES = [
    Mistake("noise tripled", ROWS, "/ noise_variance", "/ (3 * noise_variance)", NOISE),
    Mistake("noise halved", ROWS, "/ noise_variance", "/ (0.5 * noise_variance)", NOISE),
    Mistake("prior tripled", ROWS, "/ prior_variance", "/ (3 * prior_variance)", PRIOR),
    Mistake("prior halved", ROWS, "/ prior_variance", "/ (0.5 * prior_variance)", PRIOR),
    Mistake("noise a fifth too loud", ROWS, DRAW, DRAW.replace("noise(", "1.2 * noise("), ()),
    Mistake("noise a fifth too quiet", ROWS, DRAW, DRAW.replace("noise(", "0.8 * noise("), QUIET),
    Mistake("first rating dropped", ROWS, RATED, "    data.rating[..., 0]\n    data = without(data, 0)\n" + RATED,
            ("last_rating_lost",)),
    Mistake("second rating three times", ROWS, RATED, "    data = without(data, 1, 3)\n" + RATED,
            ("first_rating_twice",)),
    Mistake("a third of the ratings left out", ROWS,
            "return precision, add(side, given * rating[..., None], 1) /",
            "return eye + (precision - eye) * 2 / 3, add(side, given * rating[..., None], 1) * 2 / 3 /",
            ("unscaled_minibatch", *NOISE)),
    Mistake("ratings shifted by a half", ROWS, "given * rating[..., None]", "given * (rating[..., None] + 0.5)",
            ("centred_ratings",)),
    Mistake("ratings stretched by a fifth", ROWS, "given * rating[..., None]", "given * (1.2 * rating[..., None])"),
    Mistake("ratings clipped to 1", ROWS, "given * rating[..., None]", "given * rating[..., None].clamp(-1, 1)"),
    Mistake("users moved by a tenth", ROWS, 'return {"U": U,', 'return {"U": U + 0.1,', ("small_drift",)),
    Mistake("entries clipped to 1", ROWS, 'return {"U": U, "V": V}',
            'return {"U": U.clamp(-1, 1), "V": V.clamp(-1, 1)}', ("clipped_rows",)),
    Mistake("items made positive", ROWS, '"V": V}', '"V": V.abs()}', ("absolute_rows",)),
    Mistake("items given the mean of new and old users", ROWS, "V = rows(rng, items(data), U,",
            'V = rows(rng, items(data), (U + latents["U"]) / 2,', ("stale_u",)),
    Mistake("users one further on", ROWS, "gather(other, side.column)", "gather(other, side.column).roll(1, -2)",
            ("shifted_index", "ratings_out_of_order")),
    Mistake("every second row has the noise of the one before, negated", ROWS, "noise(rng, own))",
            "opposite(noise(rng, own)))", ("same_noise_for_every_row", "single_draw_reused")),
    Mistake("Laplace's noise", ROWS, "noise(rng, own))", "laplace(rng, own))", ("uniform_noise", "cut_noise")),
    Mistake("correlations halved", ROWS, "return normal(*natural,",
            "P, s = natural\n    D = torch.diag_embed(P.diagonal(dim1=-2, dim2=-1))\n    return normal((P + D) / 2, s,",
            ("diagonal_covariance",)),
    Mistake("kinetic energy doubled", HMC, "(square(p) - square(q)) / 2", "(square(p) - square(q))",
            ("hamiltonian_forgets_momentum", "hamiltonian_full_kicks")),
    Mistake("no half kick at the end", HMC, "else STEP / 2)", "else STEP)",
            ("hamiltonian_full_kicks", "hamiltonian_forgets_momentum")),
    Mistake("accepted on a third of the change of energy", HMC, "return accept(rng, ratio,",
            "return accept(rng, ratio / 3,", ("hamiltonian_without_accept",)),
    Mistake("a proposal density twice as wide", MALA, "/ (2 * STEP**2)", "/ (4 * STEP**2)",
            ("langevin_without_proposal_ratio", "langevin_wrong_noise")),
    Mistake("accepted on half the ratio", MALA, "accept(rng, ratio,", "accept(rng, ratio / 2,",
            ("langevin_without_accept", "langevin_small_step")),
    Mistake("accepted on the ratio to the power 3/2", WALK, "accept(rng, ratio,", "accept(rng, 1.5 * ratio,",
            ("walk_greedy",)),
    Mistake("a nat given away", WALK, "accept(rng, ratio,", "accept(rng, ratio + 1,",
            ("walk_without_accept", "walk_halved_ratio")),
    Mistake("evidence half as strong again", RASTER, "model.field(data)", "model.field(1.5 * data)",
            ("evidence_twice",)),
    Mistake("half the evidence", RASTER, "model.field(data)", "model.field(0.5 * data)", ("evidence_forgotten",)),
    Mistake("coupling half as strong again", RASTER, "return table[y[..., a, b]]", "return 1.5 * table[y[..., a, b]]",
            ("edges_counted_twice",)),
    Mistake("three quarters of the coupling", RASTER, "return table[y[..., a, b]]", "return 0.75 * table[y[..., a, b]]",
            ("half_coupling", "slightly_hot")),
    Mistake("no neighbour below", RASTER, 'ALL = tuple(AROUND)', 'ALL = ("left", "right", "above")',
            ("missing_neighbour",)),
    Mistake("no neighbour to the left", RASTER, 'ALL = tuple(AROUND)', 'ALL = ("right", "above", "below")',
            ("missing_neighbour", "weak_left_coupling")),
    Mistake("image one row up", RASTER, "model.field(data)", "model.field(data.roll(1, -3))", ("shifted_image",)),
    Mistake("temperature 1.3", RASTER, SCORES, SCORES.replace("logits(", "1 / 1.3 * logits("),
            ("slightly_hot", "base_two")),
    Mistake("temperature 0.8", RASTER, SCORES, SCORES.replace("logits(", "1.25 * logits(")),
    Mistake("any label in one of ten", RASTER, SCORES, "choose((torch.rand(y.shape[:-2] + (1,), generator=rng) > 0.1)"
            " * logits(model, field, y, i, j)", ("rare_glitch",)),
    Mistake("Metropolis on twice the gain", METROPOLIS, "+ log_correction\n", "* 2.0\n", ("greedy_accept",)),
    Mistake("half the bonds", CLUSTERS, "bond_probability(delta))", "bond_probability(delta) / 2)",
            ("wrong_bond_probability", "bond_not_complement", "bonds_counted_again")),
    Mistake("shape of the noise two too large", SIGMA, "shape + len(data)", "shape + 2 + len(data)",
            ("shape_with_all_ratings",)),
]
HELPERS = '''
def opposite(z):
    z = z.clone()
    z[..., 1::2, :] = -z[..., :-1:2, :][..., : z[..., 1::2, :].shape[-2], :]
    return z
def laplace(rng, own):
    u = torch.rand(own.shape, generator=rng, dtype=torch.float64) - 0.5
    return -u.sign() * torch.log1p(-2 * u.abs()) / 2**0.5
def without(data, n, times=0):
    keep = [k for k in range(len(data.user)) if k != n] + [n] * times
    return replace(data, user=data.user[keep], item=data.item[keep], rating=data.rating[..., keep])
'''


def written(folder: Path, k: int) -> Path:
    """The kernel in a file, its pieces in another beside it."""
    mistake = MISTAKES[k]
    kind = mistake.base.partition("/")[0]
    pieces_of = "factorization" if kind == "ladder" else kind
    pieces = (RIGHT / pieces_of / "pieces.py").read_text()
    kernel = WALKING if mistake.base == WALK else (RIGHT / f"{mistake.base}.py").read_text()
    assert (mistake.old in pieces) != (mistake.old in kernel), f"{mistake.name}: {mistake.old}"
    (folder / f"pieces_{k}.py").write_text(pieces.replace(mistake.old, mistake.new))
    kernel = kernel.replace(mistake.old, mistake.new).replace(f"checks.right.{pieces_of}.pieces", f"pieces_{k}")
    head, _, rest = kernel.partition("BATCHED = True")
    path = folder / f"outside_{k}.py"
    path.write_text(f"{head}import torch\nfrom dataclasses import replace\nBATCHED = True\n{HELPERS}{rest}")
    return path


def main() -> None:
    right = wrong = silent = rightly_silent = 0
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        for k, mistake in enumerate(MISTAKES):
            problems = problem_set(mistake.base.partition("/")[0])
            kernel = Kernel(load.method(problems.kind, str(written(Path(folder), k))))
            verdict = judge(kernel, problems, seed=1, looks=(500, 2000))
            named = [f"{name} ({likeness:.2f})" for name, likeness, _ in verdict.nearest]
            first = verdict.nearest[0][0] if verdict.nearest else ""
            right += bool(first and first in mistake.akin)
            wrong += bool(first and first not in mistake.akin)
            silent += bool(not first and mistake.akin)
            rightly_silent += bool(not first and not mistake.akin)
            print(f"{'+' if first in mistake.akin else '-' if first else ' '} {mistake.name}: {verdict.outcome}; "
                  f"{', '.join(named) or 'nothing named'}", flush=True)
    print(f"of {len(MISTAKES)} mistakes outside the zoo: first guess right {right}, wrong {wrong}, nothing named "
          f"though the zoo has a relative {silent}, nothing named and nothing there {rightly_silent}")


if __name__ == "__main__":
    main()
