import marimo

app = marimo.App(width="medium", app_title="A Pyro model of your own")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # A Pyro model of your own

    **Question.** You have written a model in Pyro, and there are five ways to its posterior. Which may you believe? The
    library can only hold them against each other, and against an exact answer where there is one. This notebook does so
    for twenty numbers out of a laboratory; put your own model in their place.

    ## Twenty animals

    Four doses of a substance $x_i$ (log g/ml), five animals at each, of which 0, 1, 3 and 5 died (Racine and others, 1986;
    the example is also in Gelman and others, *Bayesian Data Analysis*, section 3.7). Animal $i$ dies, $y_i = 1$, with

    $$y_i \sim \mathrm{Bernoulli}(\mathrm{logistic}(\alpha + \beta x_i)), \qquad
    \alpha \sim \mathcal N(0, 2^2), \quad \beta \sim \mathcal N(10, 10^2).$$
    """)
    return


@app.cell
def _():
    import marimo as mo
    import numpy as np
    import pyro
    import pyro.distributions as dist
    import torch

    import crosscheck as cc

    def model(dose, died):
        alpha = pyro.sample("alpha", dist.Normal(0.0, 2.0))
        beta = pyro.sample("beta", dist.Normal(10.0, 10.0))
        with pyro.plate("animal", len(dose)):
            pyro.sample("died", dist.Bernoulli(logits=alpha + beta * dose), obs=died)

    of_five = torch.arange(5)
    observed = (torch.tensor([-0.86, -0.30, -0.05, 0.73]).repeat_interleave(5),
                torch.cat([(of_five < deaths).double() for deaths in (0, 1, 3, 5)]))
    bioassay = cc.program(model, observed, "bioassay")
    return bioassay, cc, dist, mo, model, np, observed, pyro, torch


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Two numbers: that is few enough to integrate on a grid, and `quadrature` does. It gives the posterior *and* the
    evidence $\log p(y)$, to which everything else can be compared.

    *Predict.* Look at the doses. If $\alpha$ is larger, must $\beta$ be larger or smaller to explain the same deaths? What
    will a product of two normals make of that?
    """)
    return


@app.cell
def _(bioassay, cc):
    exact = cc.run("quadrature", bioassay)
    approximate = [cc.run("laplace", bioassay), cc.run("guide_normal_pyro", bioassay, steps=40),
                   cc.run("guide_multivariate_normal_pyro", bioassay, steps=40)]
    {r.name: (r.log_evidence, r.log_evidence_kind) for r in (exact, *approximate)}
    return approximate, exact


@app.cell
def _(approximate, cc, exact):
    draws, names = cc.numbers([exact, *approximate])
    cc.figures.pairs(draws, names, [0, 1], exact.name)
    return draws, names


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **What is seen.** The posterior is tilted and skew: a steep curve needs a larger intercept here. *Laplace* puts a normal
    on the peak, with its curvature, and misses the long tail. The *product of normals* cannot tilt and shrinks into the
    posterior. The *multivariate normal* tilts, and cannot be skew.

    The bounds say it in nats: the evidence less the ELBO is $\mathrm{KL}(q \,\|\, p)$, in this unit the cost of the family.

    ## The same in numbers

    (A guide keeps 100 draws: their correlation is known to $\pm 0.1$. That of the product of normals is 0.)
    """)
    return


@app.cell
def _(approximate, draws, exact, np):
    def told(name):
        x = draws[name].reshape(-1, 2)
        return {"mean": x.mean(0).round(2).tolist(), "sd": x.std(0).round(2).tolist(),
                "correlation": round(float(np.corrcoef(x.T)[0, 1]), 2)}

    {r.name: told(r.name) for r in (exact, *approximate)}
    return (told,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## A guide of your own

    A guide is a Pyro function of the model's arguments that samples the same sites. Here is one that knows the answer to
    the question above: $\beta$ first, $\alpha$ given $\beta$, and $\beta$ positive, with a long tail.

    *Predict*: is its bound above that of the multivariate normal? (A positive $\beta$ is a guess about the posterior. What
    would the bound say if it were a bad one?)
    """)
    return


@app.cell
def _(bioassay, cc, dist, pyro, torch):
    def guide(dose, died):
        a, b, c = (pyro.param(name, torch.tensor(start)) for name, start in (("a", 0.0), ("b", 0.1), ("c", 2.0)))
        s = pyro.param("s", torch.tensor(0.5), constraint=dist.constraints.positive)
        t = pyro.param("t", torch.tensor(0.5), constraint=dist.constraints.positive)
        beta = pyro.sample("beta", dist.LogNormal(c, t))
        pyro.sample("alpha", dist.Normal(a + b * beta, s))

    mine = cc.run(guide, bioassay, steps=40)
    mine.log_evidence
    return guide, mine


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Is the kernel right?

    A bound that is low is honest; code that is wrong is not, and its answers look as good as any. So write the kernel of
    your choice (here: a Metropolis step, and the same without the prior of $\beta$) and *have it judged*: latents and data
    are drawn from the model together, the kernel moves the latents with the data fixed, and a right kernel leaves their
    joint distribution as it was. ([How that works](check.py).)
    """)
    return


@app.cell
def _(bioassay, cc, torch):
    def log_p(alpha, beta, dose, died, prior):
        eta = alpha[..., None] + beta[..., None] * dose
        likelihood = (died * eta - torch.nn.functional.softplus(eta)).sum(-1)
        return likelihood - alpha**2 / 8 - prior * (beta - 10) ** 2 / 200

    def moved(latents, dose, died, prior):
        alpha, beta = latents["alpha"], latents["beta"]
        to = alpha + torch.randn_like(alpha), beta + 5 * torch.randn_like(beta)
        gain = log_p(*to, dose, died, prior) - log_p(alpha, beta, dose, died, prior)
        accept = torch.rand_like(gain).log() < gain
        return {"alpha": torch.where(accept, to[0], alpha), "beta": torch.where(accept, to[1], beta)}

    def transition(latents, dose, died):
        return moved(latents, dose, died, prior=1)

    def forgetful(latents, dose, died):
        return moved(latents, dose, died, prior=0)

    verdicts = [cc.check(kernel, bioassay, budget=4) for kernel in (transition, forgetful)]
    verdicts[0]
    return (verdicts,)


@app.cell
def _(verdicts):
    verdicts[1]
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Exercises

    1. The dose at which half of the animals die is $-\alpha / \beta$. Draw its posterior by each method. For which methods is
       it wrong, and can you say so from the marginals of $\alpha$ and $\beta$ alone?

    <details><summary>Answer</summary>
    <code>x = draws[name].reshape(-1, 2); -x[:, 0] / x[:, 1]</code>. It depends on the two together: the product of normals, whose
    marginals are merely somewhat narrow, loses the correlation and with it the ratio. Marginals alone cannot show it.
    </details>

    2. Widen the priors to standard deviations of 100. Which method notices first?

    <details><summary>Answer</summary>
    The data then hardly bound &beta; from above (the deaths rise from 0 to 5: any steep curve will do), the posterior's tail
    grows, and the normals fall behind. The evidence falls too: most of the prior is spent on curves nobody saw.
    </details>

    3. In `log_p` multiply `softplus` by 1.2. What does the verdict say, and how would you have noticed without it?

    <details><summary>Answer</summary>
    It is called wrong: the posterior is that of another likelihood, and the scores of &alpha; and &beta; give it away. A trace plot
    would have looked perfect, R-hat too: the chain samples something well, only not your posterior.
    </details>

    4. Save the model in `mine.py` with a function `data()` and run `python run.py --problem mine.py`.

    <details><summary>Answer</summary>
    It runs all of this and more, and writes a report: <code>docs/any-model.md</code>.
    </details>
    """)
    return


if __name__ == "__main__":
    app.run()
