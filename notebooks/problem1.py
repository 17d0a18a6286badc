import marimo

app = marimo.App(width="medium", app_title="Problem 1: one image, four answers")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Problem 1: one image, four answers

    **Question.** An image was damaged on its way to us. For every pixel we want the probability of each label, given all
    that we received. How far can one go with a method that is fast and not exact, and *how does one notice* that it has
    gone too far?

    ## The model

    Let $x_{ij}$ be the label received at pixel $(i, j)$ and $y_{ij}$ the one that was sent. We believe two things: what
    was received is mostly right, and neighbours are mostly alike. In nats:

    $$\log \tilde p(y) \;=\; \sum_{ij} e\,[x_{ij} = y_{ij}] \;+\; \sum_{(ij) \sim (kl)} \theta(|y_{ij} - y_{kl}|),
    \qquad p(y \mid x) = \tilde p(y) / Z .$$

    The evidence is $e = 10$; the coupling is $\theta(0) = 10$, $\theta(1) = 2$ and 0 beyond. The sum
    $Z = \sum_y \tilde p(y)$ has $K^{HW}$ terms: that is the whole difficulty. For the image `small`, 3 by 3 with two
    labels, they are 512, and we can simply list them.
    """)
    return


@app.cell
def _():
    import itertools

    import marimo as mo
    import numpy as np
    import torch

    import crosscheck as cc

    model = cc.GridMRF.potts(cc.load_image("small"), evidence=10.0, coupling=(10.0, 2.0))
    return cc, itertools, mo, model, np, torch


@app.cell
def _(itertools, model, torch):
    every = torch.tensor(list(itertools.product((0, 1), repeat=9))).reshape(512, 3, 3)
    log_p = model.log_joint({"labels": every})  # of 512 labellings at once
    log_Z = torch.logsumexp(log_p, 0)
    p_one = ((log_p - log_Z).exp()[:, None, None] * every).sum(0)  # p(y_ij = 1 | x)
    log_Z, p_one
    return log_Z, p_one


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    The lowest row was received as 1, the two above it as 0. Note how small the small numbers are, and that each of
    them is a sum of positive terms, so that every digit of $2 \cdot 10^{-15}$ is meaningful.

    The library has this enumeration as `brute_force`, and two more ways to the same numbers: a recursion along the
    rows (`strip`), which is exact up to about twenty columns, and pgmpy's variable elimination. *Predict*: to how many
    digits should they agree?
    """)
    return


@app.cell
def _(cc, model, np, p_one):
    exact = [cc.run(name, model) for name in ("brute_force", "strip", "variable_elimination_pgmpy")]
    {r.name: (r.log_evidence, float(np.abs(r.expected["labels"][..., 1] - p_one.numpy()).max())) for r in exact}
    return (exact,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Mean field

    Take $q(y) = \prod_{ij} q_{ij}(y_{ij})$, independent pixels, and make it as near to $p$ as such a $q$ can be. By
    Jensen's inequality

    $$\log Z \;\ge\; \mathcal L(q) = \mathbb E_q[\log \tilde p(y)] - \mathbb E_q[\log q(y)],
    \qquad \log Z - \mathcal L(q) = \mathrm{KL}(q \,\|\, p).$$

    Hold all pixels but one. What depends on $q_{ij}$ is $\sum_k q_{ij}(k) \lambda_{ij}(k) + H(q_{ij})$ with

    $$\lambda_{ij}(k) = e\,[x_{ij} = k] + \sum_{n \in \mathcal N(ij)} \sum_l q_n(l)\, \theta(|k - l|) .$$

    Write $q^* = \mathrm{softmax}(\lambda_{ij})$. The expression is
    $\log \sum_k e^{\lambda_{ij}(k)} - \mathrm{KL}(q_{ij} \,\|\, q^*)$, so it is largest at $q_{ij} = q^*$ and nowhere
    else. One line of mathematics, and one function:
    """)
    return


@app.cell
def _(cc):
    cc.code("mean_field", "mean_field_update")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    *Predict before you run.* $q$ minimises $\mathrm{KL}(q \,\|\, p)$, an average **under $q$**: where $q$ puts nothing, it
    pays nothing. With probability 0.0025 each pixel of the lowest row is really 0, and nearly always all three together.
    Will mean field be surer of the lowest row than it should be, or less sure?
    """)
    return


@app.cell
def _(cc, exact, model, np):
    mean_field = cc.run("mean_field", model, steps=30, schedule="synchronous")
    loopy_bp = cc.run("loopy_bp", model, steps=30)
    np.stack([r.expected["labels"][2, :, 0] for r in (exact[0], mean_field, loopy_bp)])  # p(y = 0), lowest row
    return loopy_bp, mean_field


@app.cell
def _(cc, exact, loopy_bp, mean_field):
    cc.figures.evidence_ladder("small", exact[0], [mean_field, loopy_bp])
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **What is seen.** First row of numbers: exact. Second: mean field, surer by a factor of fifty at the ends and of a
    hundred thousand in the middle. The ELBO lies 0.0025 nats below $\log Z$, and 0.0025 is the probability of what $q$
    leaves out: $-\log(1 - 0.0025)$. Mean field has not merely rounded; it has *dropped a mode*, and the ELBO told us its size.

    Third: belief propagation, right to eight digits.

    ## Belief propagation

    On a tree, sum out what hangs behind pixel $s$, seen from $t$. The sum is a function of $y_t$ alone, the message

    $$\lambda_{s \to t}(l) = \log \sum_k \exp\Big(\mathrm{field}_s(k) + \sum_{n \in \mathcal N(s) \setminus t}
    \lambda_{n \to s}(k) + \theta(|k - l|)\Big), \qquad
    b_s(k) \propto \exp\Big(\mathrm{field}_s(k) + \sum_{n} \lambda_{n \to s}(k)\Big).$$

    On a tree $b_s$ is exact, because the neighbours report about disjoint parts. On a grid they do not, evidence
    returns to where it came from, and one iterates in the hope of a fixed point.
    """)
    return


@app.cell
def _(cc):
    cc.code("loopy_bp", "bp_message")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Where both fail

    The weights of `small` are so strong that little is left to be wrong about. Multiply all of them by $\beta$ and look at
    an image with more pixels. *Predict:* mean field errs at small $\beta$, at large $\beta$, or between? And belief
    propagation?
    """)
    return


@app.cell
def _(cc, np, torch):
    noise = np.random.default_rng(3)
    clean = np.zeros((8, 8), int)
    clean[:, 4:] = 1
    received = np.where(noise.random(clean.shape) < 0.15, 1 - clean, clean)
    image = torch.nn.functional.one_hot(torch.tensor(received), 2)
    betas = (0.02, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2)
    found = {}
    for beta in betas:
        grid = cc.GridMRF.potts(image, 10.0, (10.0, 2.0)).scaled(beta)
        found[beta] = [cc.run("strip", grid), cc.run("mean_field", grid, steps=400), cc.run("loopy_bp", grid, steps=400)]
    return betas, found, grid, image


@app.cell
def _(betas, cc, found, np):
    def largest_error(result, judge):
        return float(np.abs(result.expected["labels"] - judge.expected["labels"]).max())

    errors = {name: {str(b): (e, e, e) for b in betas for e in [largest_error(found[b][n], found[b][0])]}
              for n, name in ((1, "mean_field"), (2, "loopy_bp"))}
    cc.figures.by_setting("beta", {str(b): b for b in betas},
                          [cc.figures.Panel("largest error of a marginal", errors, log=True)], 1)
    return (errors,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **What is seen.** Both are good where the coupling is weak: pixels hardly touch. Mean field is worse by an order of
    magnitude and more at every $\beta$, and stays bad: independence is exactly what it assumes. Belief propagation is at
    its worst between, near $\beta = 0.08$, where neighbours move together over long distances and loops matter most. (An
    infinite grid of two labels orders where the difference of the two couplings, $8 \beta$, reaches
    $\log(1 + \sqrt 2) = 0.88$: at $\beta = 0.11$.)

    ## Gibbs: exact, if one waits

    Draw each pixel from $p(y_{ij} \mid \text{the rest}) = \mathrm{softmax}_k(\mathrm{field}_{ij}(k) + \sum_n
    \theta(|k - y_n|))$, four neighbours and no more. It leaves $p$ as it is, so its averages are right in the limit. The
    limit can be far away. *Predict* the R-hat of two chains at the weakest $\beta$ above, and at the full weights.
    """)
    return


@app.cell
def _(betas, cc, image):
    weak = cc.run("gibbs", cc.GridMRF.potts(image, 10.0, (10.0, 2.0)).scaled(betas[2]), steps=600, chains=4, seed=1)
    strong = cc.run("gibbs", cc.GridMRF.potts(image * 0, 10.0, (10.0, 2.0)), steps=600, chains=4, seed=1)
    ones = {"weak": weak.draws["labels"].mean((2, 3)), "strong": strong.draws["labels"].mean((2, 3))}
    cc.figures.traces(ones, "share of 1")
    return ones, strong, weak


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Without any evidence and at full weights, both labels are equally probable at every pixel. Each chain has chosen
    one and stays. No chain shows any sign of trouble **by itself**: only chains from different starts, held against each
    other, do. That is what R-hat is for.

    ## Exercises

    1. Why does the ELBO of mean field lie below $\log Z$ on every image, but belief propagation's value on either side?

    <details><summary>Answer</summary>
    The ELBO is <code>log Z - KL(q||p)</code> for an actual distribution q, and a KL is never negative. Belief propagation
    evaluates the Bethe free energy at beliefs that need not belong to any joint distribution: its entropy is an
    approximation, which may err to either side.
    </details>

    2. Two pixels, no evidence, coupling $(c, 0)$. For which $c$ does mean field have more than one solution?

    <details><summary>Answer</summary>
    With m = q(1) - q(0), equation (4) is m<sub>1</sub> = tanh(c m<sub>2</sub> / 2), and alike for the other. The slope
    at 0 is c / 2, so beyond c = 2 there are two more solutions, m = ±m*, though the truth is m = 0 for every c. Belief
    propagation is exact here: two pixels are a tree.
    </details>

    3. In the last experiment, start all chains from the same labelling. What does R-hat say, and is it right?

    <details><summary>Answer</summary>
    It is near 1, and wrong: all chains explore one mode. R-hat can only compare what the starts made different.
    </details>

    4. Change `clean` to a checkerboard and run all cells again. Which method suffers, and why?

    <details><summary>Answer</summary>
    The coupling rewards equal neighbours, the image has none: evidence and coupling pull against each other, and
    near balance every method but the exact one is at its worst. Nothing is wrong with the methods: the model does not
    believe in checkerboards.
    </details>

    More: `docs/problem1.md` has all derivations; `python run.py --problem 1` all methods.
    """)
    return


if __name__ == "__main__":
    app.run()
