import marimo

app = marimo.App(width="medium", app_title="Problem 3: ratings by Gibbs sampling")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Problem 3: ratings by Gibbs sampling

    **Question.** The model is that of [Problem 2](problem2.py): $r_{ij} \sim \mathcal N(u_i^\top v_j, \sigma_\epsilon^2)$ with
    normal priors. Its posterior is no normal: it is a ring (turn $U$ and $V$ together, and no rating changes). Can one
    sample it all the same, and is it worth the time?

    ## One side, the other fixed

    Everything is hard in $U$ and $V$ together, and easy in one of them. With $V$ fixed, user $i$'s ratings are a linear
    regression: stack the vectors of the items that the user rated into $V_i$ and the ratings into $r_i$. The log joint as
    a function of $u_i$ is quadratic,

    $$-\frac{1}{2\sigma^2} u_i^\top u_i - \frac{1}{2 \sigma_\epsilon^2} \lVert r_i - V_i u_i \rVert^2 + \text{const}
    = -\tfrac12 (u_i - \mu_i)^\top \Sigma_i^{-1} (u_i - \mu_i) + \text{const},$$

    and comparing the coefficients gives

    $$\Sigma_i^{-1} = \frac{1}{\sigma^2} I + \frac{1}{\sigma_\epsilon^2} V_i^\top V_i, \qquad
    \mu_i = \frac{1}{\sigma_\epsilon^2} \Sigma_i V_i^\top r_i .$$

    No user appears in another's formula: given $V$, all rows of $U$ are independent and may be drawn at once.
    """)
    return


@app.cell
def _():
    import marimo as mo
    import numpy as np
    import torch

    import crosscheck as cc

    rng = torch.Generator().manual_seed(7)
    seen = torch.randperm(80 * 30, generator=rng)[:1800].sort().values
    world = cc.Factorization(80, 30, rank=2, prior_variance=1.0, noise_variance=1.0, pairs=(seen // 30, seen % 30))
    truth = world.prior(rng)
    parts = cc.split(world.simulate(rng, truth), (0.7, 0.0, 0.3), seed=0)
    model = cc.Factorization(80, 30, rank=2, prior_variance=1.0, noise_variance=1.0)
    return cc, mo, model, np, parts, torch, truth


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Trust nobody's algebra, not even one's own. A quadratic's mean is where its gradient is zero and its precision is
    minus its second derivative; torch differentiates the model's own `log_joint`, which knows nothing of our formula.
    """)
    return


@app.cell
def _(model, parts, torch, truth):
    U, V, data = truth["U"], truth["V"], parts.train
    mine = data.user == 0
    Vi, ri = V[data.item[mine]], data.rating[mine]
    precision = torch.eye(2) / model.prior_variance + Vi.T @ Vi / model.noise_variance
    mu = torch.linalg.solve(precision, Vi.T @ ri) / model.noise_variance

    def of_row(u):
        return model.log_joint({"U": torch.cat([u[None], U[1:]]), "V": V}, data)

    gradient = torch.func.grad(of_row)(mu)
    hessian = torch.func.hessian(of_row)(mu)
    {"gradient at mu": float(gradient.abs().max()), "precision + hessian": float((precision + hessian).abs().max())}
    return gradient, hessian, precision


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The sampler

    Draw $U$ given $V$, then $V$ given the new $U$, and again. Each half is an exact draw from a conditional, so each leaves
    the posterior as it is. To draw from $\mathcal N(\mu, \Sigma)$ with $\Sigma^{-1} = L L^\top$ take $\mu + L^{-\top} z$: the
    covariance is $L^{-\top} L^{-1} = \Sigma$, and no matrix is inverted.
    """)
    return


@app.cell
def _(cc):
    cc.code("row_gibbs", "sweep")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    *Predict.* A prediction may be scored by one draw of $(U, V)$, or by the mean of the densities of all draws so far. Which
    is better, and by how much? (Jensen: $\log$ of the mean is at least the mean of the $\log$.)
    """)
    return


@app.cell
def _(cc, model, parts):
    scored = {"train": parts.train, "test": parts.test}
    chain = cc.run("row_gibbs", model, parts.train, steps=600, chains=2, score=scored, seed=1)
    cc.figures.sweeps([chain], 2)
    return chain, scored


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **What is seen.** The grey line (one draw) stays where it was after a few sweeps; the average of all draws falls below
    all of it, on both sets. How far the grey line lies above is how much the draws differ: the posterior at work.

    ## How long does a chain remember?

    $U$ itself says nothing (it turns). Of a prediction $u_i^\top v_j$ the question is well put. *Predict*: the lag after which
    a prediction has forgotten where it was, and that of $\lVert U \rVert^2$, which no rotation changes.
    """)
    return


@app.cell
def _(cc, chain, np):
    Us, Vs = (np.asarray(chain.draws[site]) for site in "UV")
    cc.figures.traces({"u.v of user 1, item 1": (Us[:, :, 0] * Vs[:, :, 0]).sum(-1), "|U|^2": (Us**2).sum((2, 3))}, "value")
    return Us, Vs


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Predictions are forgotten at once; the balance of $U$ against $V$ (make one larger and the other smaller) is not: only the
    priors hold it. A chain may be good enough for one question and too short for another, so R-hat and effective sample
    sizes belong to a *quantity*, never to a chain.

    ## Against the best single fit

    Maximum likelihood takes the $(U, V)$ under which the ratings are most probable. *Predict* its score on the training
    set, and on the test set, as $K$ grows; then that of Gibbs.
    """)
    return


@app.cell
def _(cc, model, parts, scored):
    from dataclasses import replace

    ranks = (1, 2, 4, 6)
    gibbs = {(1.0, K): cc.run("row_gibbs", replace(model, rank=K), parts.train, steps=300, score=scored) for K in ranks}
    point = {(1.0, K): cc.run("maximum_likelihood", replace(model, rank=K), parts.train, steps=40, score=scored)
             for K in ranks}
    cc.figures.overfitting(gibbs, point)
    return gibbs, point, ranks


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **What it means.** Maximum likelihood falls on the training set with every factor and rises on the test set: it
    explains noise. Gibbs draws whole worlds that explain the ratings and lets them vote; needless factors are random in
    each of them, and cancel. That is why the number of factors matters little to it.

    ## Exercises

    1. Murphy's general formula is $\Sigma_{x \mid y}^{-1} = \Sigma_x^{-1} + A^\top \Sigma_y^{-1} A$,
       $\mu_{x \mid y} = \Sigma_{x \mid y} [A^\top \Sigma_y^{-1} (y - b) + \Sigma_x^{-1} \mu_x]$. What are $A$, $b$ and $y$ here?

    <details><summary>Answer</summary>
    x = u<sub>i</sub>, y = r<sub>i</sub>, A = V<sub>i</sub>, b = 0, &Sigma;<sub>x</sub> = &sigma;&sup2; I,
    &Sigma;<sub>y</sub> = &sigma;<sub>&epsilon;</sub>&sup2; I, &mu;<sub>x</sub> = 0.
    </details>

    2. A colleague draws all rows of $U$ and of $V$ at once, from the old values of both. Is the posterior left as it is?

    <details><summary>Answer</summary>
    No. U is drawn given the old V, and V given the old U: together they are a pair that the posterior need not like. With
    two pixels it is easy to see that such a sampler has the wrong correlation. <code>cc.check("zoo/stale_u")</code> finds it;
    see the notebook on <code>--check</code>.
    </details>

    3. What is the distribution of $u_i$ for a user without ratings, and what is predicted for them?

    <details><summary>Answer</summary>
    The sum over V<sub>i</sub> is empty: u<sub>i</sub> ~ N(0, &sigma;&sup2; I). The prediction is 0 with variance
    &sigma;&sup2; |v<sub>j</sub>|&sup2; + &sigma;<sub>&epsilon;</sub>&sup2;: we know nothing, and say so.
    </details>

    4. Give maximum likelihood a prior (`python run.py --list maximum_likelihood` says by which option). How far does it
       close the gap to Gibbs?

    <details><summary>Answer</summary>
    <code>map="yes"</code>: it is the posterior's mode. It overfits less, and still stands on one point: its test score lies
    between the two, and its intervals are still too narrow.
    </details>

    More: `docs/problem3.md`; `python run.py --problem 3`.
    """)
    return


if __name__ == "__main__":
    app.run()
