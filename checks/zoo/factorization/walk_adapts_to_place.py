"""A random walk whose step grows with the norm of U, with no correction for it.

Symptom: places where U is long are left more easily than they are reached.
"""

from checks.right.factorization.pieces import accept, noise

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(4):
        step = 0.03 * latents["U"].square().sum((-2, -1), keepdim=True).sqrt()
        new = {site: x + step * noise(rng, x) for site, x in latents.items()}
        latents = accept(rng, model.log_joint(new, data) - model.log_joint(latents, data), new, latents)
    return latents
