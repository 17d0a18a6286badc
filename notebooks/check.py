import marimo

app = marimo.App(width="medium", app_title="Is this sampler right?")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Is this sampler right?

    **Question.** A sampler ran; its traces look like noise, its R-hat is 1.00. Is it right? Traces and R-hat ask whether
    the chains agree with *each other*. All of them may agree on something that is not the posterior. Without the posterior
    there seems to be nothing to compare with. There is.

    ## The idea

    Draw latents and data **together** from the model: $y \sim p(y)$, $x \sim p(x \mid y)$. Read the pair the other way: given
    $x$, the latents $y$ *are an exact draw from the posterior* $p(y \mid x)$, although nobody can compute it. Now move them
    once, $y' \sim T(y' \mid y, x)$. If $T$ leaves the posterior as it is,

    $$\int p(y \mid x)\, T(y' \mid y, x)\, dy = p(y' \mid x) \qquad\Longrightarrow\qquad (y', x) \sim p(y, x),$$

    so $(y', x)$ has the same distribution as $(y, x)$. **Any** function $f$ then has
    $\mathbb E f(y', x) = \mathbb E f(y, x)$, and over $n$ independent replicates

    $$z = \frac{\overline{f(y', x)} - \mathbb E f(y, x)}{\text{standard error}}$$

    is a standard normal. No chain needs to converge, nothing needs to be exact but the simulation. (Geweke 2004; Cook,
    Gelman and Rubin 2006; Gandy and Scott 2021.)
    """)
    return


@app.cell
def _():
    import marimo as mo
    import numpy as np
    import torch

    import crosscheck as cc

    return cc, mo, np, torch


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## A kernel, and a mistake

    Metropolis for an image of labels: propose another label at one pixel, accept it with probability
    $\min(1, p(y', x) / p(y, x))$. Below are two kernels. One is right; in the other a factor of one half has slipped into
    the log ratio (somebody once needed it elsewhere).

    *Predict.* Does the wrong one look different in a trace? Which way are its labels off: too much like the observed
    image and like each other, or too little?
    """)
    return


@app.cell
def _(torch):
    def step(rng, latents, model, data, factor):
        y = latents["labels"].flatten(-2)
        pixel = torch.randint(y.shape[-1], (*y.shape[:-1], 1), generator=rng)
        label = torch.randint(model.labels["labels"], pixel.shape, generator=rng)
        new = y.scatter(-1, pixel, label).reshape(latents["labels"].shape)
        gain = factor * (model.log_joint({"labels": new}, data) - model.log_joint(latents, data))
        accept = torch.rand(gain.shape, generator=rng, dtype=torch.float64).log() < gain
        return {"labels": torch.where(accept[..., None, None], new, latents["labels"])}

    def right(rng, latents, model, data):
        return step(rng, latents, model, data, 1.0)

    def wrong(rng, latents, model, data):
        return step(rng, latents, model, data, 0.5)

    for _kernel in (right, wrong):
        setattr(_kernel, "BATCHED", True)  # noqa: B010 - leading axes are replicates
    return right, wrong


@app.cell
def _(cc, right):
    passed = cc.check(right, "grid", budget=6)
    passed
    return (passed,)


@app.cell
def _(cc, wrong):
    failed = cc.check(wrong, "grid", budget=6)
    failed
    return (failed,)


@app.cell
def _(cc, failed):
    cc.figures.scores("half the log ratio", failed.scores)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **What is seen.** Each point is a function $f$; the grey band holds 99% of the points of a right kernel. Half a log ratio
    is the ratio of $\sqrt p$: the kernel samples a flatter distribution, so the log joint is too low and labels agree too
    little with the image. *Where it lies* asks for $\mathbb E f$; *how spread out it is* for $\mathbb E f^2$: a kernel
    that is right on average and too narrow is found by the second.

    ## What a verdict is worth

    Many functions, many problems, several looks at the data: by chance alone some $z$ will be large. The verdict is made
    so that **a right kernel is called wrong with probability at most `level`** (0.001 unless you say otherwise), over
    all functions and looks together. The other side cannot be promised, so it is told: a pass says which changes
    *would have been found*.
    """)
    return


@app.cell
def _(failed, passed):
    {"right": (passed.outcome.name, passed.assurance), "wrong": (failed.outcome.name, [str(f) for f in failed.findings[:2]])}
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Once by hand

    The whole argument fits in a few lines. Four pixels, $f$ the number of neighbours that are alike; 4,000 replicates. (The
    library does it with better functions, with bounds that hold, and in batches.)
    """)
    return


@app.cell
def _(cc, np, right, torch, wrong):
    def z_of(kernel, n=4000, seed=0):
        rng = torch.Generator().manual_seed(seed)
        grid = cc.GridMRF.potts(torch.zeros(2, 2, 2), evidence=1.0, coupling=(0.8, 0.0))
        before = torch.stack([grid.prior(rng)["labels"] for _ in range(n)])
        data = torch.stack([grid.simulate(rng, {"labels": y}) for y in before])
        after = kernel(rng, {"labels": before}, grid, data)["labels"]

        def alike(y):
            return (y[:, 0] == y[:, 1]).sum(-1) + (y[:, :, 0] == y[:, :, 1]).sum(-1)

        gain = (alike(after) - alike(before)).double().numpy()  # paired: the mean is 0 if the kernel is right
        return float(gain.mean() / (gain.std(ddof=1) / np.sqrt(n)))

    by_hand = {kernel.__name__: z_of(kernel) for kernel in (right, wrong)}
    by_hand
    return (by_hand,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Mistakes that others made

    `checks/zoo/` holds some two hundred mistakes in samplers and guides. *Guess first*: this one draws $U$ given $V$ and
    then $V$ given the **old** $U$. Each half is an exact conditional. Is the whole right?
    """)
    return


@app.cell
def _(cc):
    stale = cc.check("zoo/stale_u", "factorization", budget=10)
    stale
    return (stale,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Exercises

    1. A kernel that never moves leaves *every* distribution as it is. Does the argument above find it?

    <details><summary>Answer</summary>
    No: y' = y has the right distribution. The library therefore looks separately whether every latent moves and every label can be
    reached (FROZEN, and the like). Invariance without movement is worthless.
    </details>

    2. Why are the latents drawn first and the data from them, and not the other way round?

    <details><summary>Answer</summary>
    Drawing y from p(y) and x from p(x | y) is easy: it is the model read from top to bottom. Drawing x first and y from
    p(y | x) is the problem that the sampler is meant to solve.
    </details>

    3. Replace `min(1, ratio)` by Barker's rule, accept with probability ratio / (1 + ratio). Right or wrong?

    <details><summary>Answer</summary>
    Right: p(y) r / (1 + r) with r = p(y')/p(y) is p(y) p(y') / (p(y) + p(y')), which is symmetric, so detailed balance holds. It
    moves less often. Try it: <code>torch.sigmoid(gain)</code>.
    </details>

    4. The `z` by hand above is one number. With 1,000 functions, how large may the largest be for a right kernel?

    <details><summary>Answer</summary>
    For a total probability of 0.001 each may exceed its bound with 10<sup>-6</sup>: |z| up to about 4.9 (Bonferroni). This is why one needs
    replicates rather than cleverness: z of a fixed mistake grows with the square root of n.
    </details>

    More: `docs/check.md`; `python run.py --check mine.py`.
    """)
    return


if __name__ == "__main__":
    app.run()
