import marimo

app = marimo.App(width="medium", app_title="Problem 2: ratings by variational inference")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Problem 2: ratings by variational inference

    **Question.** Some people rated some jokes. What will they say of the others, *and how sure may we be*? The exact
    posterior is out of reach; we fit the best distribution of a simple family. What does the simplicity cost?

    ## The model

    User $i$ has a vector $u_i$ of $K$ numbers, item $j$ a vector $v_j$:

    $$u_i \sim \mathcal N(0, \sigma^2 I), \qquad v_j \sim \mathcal N(0, \sigma^2 I), \qquad
    r_{ij} \sim \mathcal N(u_i^\top v_j, \sigma_\epsilon^2).$$

    We make up a world of this kind, so that we can look behind the curtain: 60 users, 25 items, two factors, 300 ratings
    of the 1,500 that there could be.
    """)
    return


@app.cell
def _():
    import marimo as mo
    import numpy as np
    import torch

    import crosscheck as cc

    rng = torch.Generator().manual_seed(4)
    seen = torch.randperm(60 * 25, generator=rng)[:300].sort().values
    world = cc.Factorization(60, 25, rank=2, prior_variance=1.0, noise_variance=0.5, pairs=(seen // 25, seen % 25))
    truth = world.prior(rng)
    parts = cc.split(world.simulate(rng, truth), (0.7, 0.0, 0.3), seed=0)
    model = cc.Factorization(60, 25, rank=2, prior_variance=1.0, noise_variance=0.5)
    return cc, mo, model, np, parts, torch, truth


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## A lower bound

    Choose $q(U, V) = \prod_{ik} \mathcal N(u_{ik} \mid m_{ik}, s_{ik}^2) \prod_{jk} \mathcal N(v_{jk} \mid \dots)$: every
    number has its own normal. As always

    $$\log p(r) \ge \mathcal L(q) = \mathbb E_q[\log p(r \mid U, V)] - \mathrm{KL}(q(U) \,\|\, p(U)) -
    \mathrm{KL}(q(V) \,\|\, p(V)).$$

    The KL of two normals is closed form. Split it into cross-entropy and entropy,

    $$\mathrm{KL}(\mathcal N(m, s^2) \,\|\, \mathcal N(\mu, \sigma^2)) = \log \frac{\sigma}{s} +
    \frac{s^2 + (m - \mu)^2}{2 \sigma^2} - \frac12 .$$

    *Before you go on:* for which $s$ is it smallest, at $m = \mu$? And which of its three terms keeps a user without any
    rating from becoming certain of something?
    """)
    return


@app.cell
def _(cc):
    cc.code("elbo_by_hand", "kl_normal")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The gradient of an average

    The other term is an average over the $q$ that we want to change. Two ways to its gradient from draws:

    - *score function*: $\nabla \mathbb E_q[f] = \mathbb E_q[f \, \nabla \log q]$. It asks nothing of $f$, and pays for it
      in noise;
    - *reparameterisation*: write $u = m + s z$ with $z \sim \mathcal N(0, 1)$, and the average is over a fixed
      distribution: $\nabla \mathbb E_q[f] = \mathbb E_z[\nabla f(m + s z)]$.

    With the error $e_n = r_n - u_i^\top v_j$ the second reads, for one rating,
    $\partial / \partial m_i = e_n v_j / \sigma_\epsilon^2$, less the KL's part. This is all there is in
    """)
    return


@app.cell
def _(cc):
    cc.code("elbo_by_hand", "gradient")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    *Predict.* All three methods below climb the same bound with the same family. `coordinate_ascent` solves for each row
    in turn (the average is closed form for normals), the others take 60 passes of noisy steps. Who is highest after 60
    passes? Who predicts best?
    """)
    return


@app.cell
def _(cc, model, parts):
    scored = {"train": parts.train, "test": parts.test}
    fits = [cc.run(name, model, parts.train, steps=60, score=scored, seed=1)
            for name in ("coordinate_ascent", "elbo_by_hand", "score_function")]
    cc.compare(fits)
    return fits, scored


@app.cell
def _(cc, fits, parts):
    cc.figures.learning(fits, len(parts.train))
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **What is seen.** The same bound and the same family, so they may end in the same place; the score function is still far
    from it, and the reparameterised gradient not quite there. Noise in a
    gradient is paid for in passes over the data.

    ## Is the uncertainty right?

    We know the truth, so we can ask. In the test set, how often does the 90% interval of the *noiseless* $u_i^\top v_j$ hold
    the true one? *Predict:* the family has no dependence between $U$ and $V$. Is its interval too narrow or too wide?
    """)
    return


@app.cell
def _(cc, fits, model, np, parts, scored, truth):
    chains = cc.run("row_gibbs", model, parts.train, steps=400, score=scored, seed=1)
    true = (truth["U"][parts.test.user] * truth["V"][parts.test.item]).sum(-1).numpy()

    def inside(result):
        off = np.abs(result.expected["test_mean"] - true) / result.expected["test_spread"]
        return float((off < 1.645).mean())

    held = {r.name: inside(r) for r in (fits[0], chains)}
    held
    return chains, held


@app.cell
def _(cc, chains, fits):
    cc.figures.crosscheck(chains, fits[:1])
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **What it means.** The chain's intervals hold the truth about as often as they say, mean field's do not: its spreads are
    some two thirds of what they should be. A product of normals is fitted *inside* the posterior (the KL is an average
    under $q$), and what it cannot tilt it cuts off. If you want the prediction, mean field may serve; if you want the
    interval, look at [Problem 3](problem3.py).

    ## How many factors?

    *Predict*: the world has two. What happens to the test score at $K = 1$, and what at 5, by mean field and by the chain?
    """)
    return


@app.cell
def _(cc, model, parts):
    from dataclasses import replace

    test = {"test": parts.test}
    by_rank = {K: (cc.run("coordinate_ascent", replace(model, rank=K), parts.train, steps=150, score=test),
                   cc.run("row_gibbs", replace(model, rank=K), parts.train, steps=200, score=test))
               for K in (1, 2, 3, 5)}
    nll = {name: {str(K): (x, x, x) for K, both in by_rank.items() for x in [float(both[k].expected["test_nll"])]}
           for k, name in enumerate(("coordinate_ascent", "row_gibbs"))}
    cc.figures.by_setting("rank K", {str(K): K for K in by_rank},
                          [cc.figures.Panel("test NLL (nats per rating)", nll)], 1)
    return by_rank, nll


@app.cell
def _(by_rank, np):
    [np.round(np.sqrt((fit.expected["U_mean"] ** 2).mean(0)), 2) for fit, _ in by_rank.values()]
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **What is seen.** Below two factors the model cannot say what is there. Above, mean field *switches factors off*: of
    each column of $U$'s means the size is printed, and of five some are exactly zero (a factor that explains less than its
    KL costs is not worth having). The chain keeps all five, as the model asks: with $\sigma^2$ for each factor, a model
    of more factors believes in larger ratings, and its predictions grow wide. Here the cruder method predicts better,
    **by its own fault**: it is right about the world and wrong about the posterior. Keep these two questions apart.

    ## Exercises

    1. Show that $\mathbb E_q (r - u^\top v)^2 = (r - m_u^\top m_v)^2 + \sum_k (s_{uk}^2 s_{vk}^2 + s_{uk}^2 m_{vk}^2 +
       m_{uk}^2 s_{vk}^2)$.

    <details><summary>Answer</summary>
    The mean of u<sup>T</sup>v under q is m<sub>u</sub><sup>T</sup>m<sub>v</sub>, since u and v are independent, so the left side is the
    squared bias plus Var(u<sup>T</sup>v) = &Sigma;<sub>k</sub> Var(u<sub>k</sub> v<sub>k</sub>) and
    E u&sup2; E v&sup2; - (E u)&sup2; (E v)&sup2; is the bracket. The code is
    <code>cc.code("coordinate_ascent", ...)</code>: <code>expected_squared_error</code>.
    </details>

    2. With $V$ held fixed, the posterior of $u_i$ is normal with precision $\Lambda$. Show that the best product of normals
       has variances $1 / \Lambda_{kk}$, and that these are never larger than the true ones.

    <details><summary>Answer</summary>
    KL(q||p) as a function of the variances is &frac12; &Sigma; (&Lambda;<sub>kk</sub> s<sub>k</sub>&sup2; - log s<sub>k</sub>&sup2;) +
    const, smallest at s<sub>k</sub>&sup2; = 1/&Lambda;<sub>kk</sub>. This is the variance of u<sub>k</sub> given all the other factors,
    and conditioning cannot increase the variance of a normal: (&Lambda;<sup>-1</sup>)<sub>kk</sub> &ge; 1/&Lambda;<sub>kk</sub>.
    </details>

    3. Why may nobody compare the $U$ of two runs?

    <details><summary>Answer</summary>
    (UQ)(VQ)<sup>T</sup> = UV<sup>T</sup> for every rotation Q, and the prior is the same for UQ. The ratings cannot tell
    them apart; only u<sup>T</sup>v can be compared.
    </details>

    4. Give `elbo_by_hand` the option `samples=10` or `lr=0.3` (`python run.py --list elbo_by_hand` lists them). Which helps?

    <details><summary>Answer</summary>
    Run it: each costs or gains time and noise, and the comparison above is the judge. There is no answer for all data.
    </details>

    More: `docs/problem2.md`; `python run.py --problem 2`.
    """)
    return


if __name__ == "__main__":
    app.run()
