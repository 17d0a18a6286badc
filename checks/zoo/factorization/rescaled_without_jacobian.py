"""After a sweep U is stretched and V shrunk by one factor, accepted on the log joint alone.

Symptom: the norms of U and V are too spread out: the volume that the move changes is not counted.
"""

from checks.right.factorization import row_gibbs
from checks.right.factorization.pieces import accept, noise

BATCHED = True


def transition(rng, latents, model, data):
    old = row_gibbs.transition(rng, latents, model, data)
    stretch = (0.5 * noise(rng, old["U"][..., :1, :1])).exp()
    new = {"U": old["U"] * stretch, "V": old["V"] / stretch}
    return accept(rng, model.log_joint(new, data) - model.log_joint(old, data), new, old)
