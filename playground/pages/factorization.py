"""The posterior of one user's factors: a chain's cloud and a guide's ellipse."""

import marimo

app = marimo.App(width="medium", app_title="Crosscheck: factorization")


@app.cell
def _():
    import marimo as mo

    from playground import factorization, svg

    mo.md("""
    # Factorization: a cloud and an ellipse

    Ratings $r_{ij} \\sim N(u_i \\cdot v_j, 1)$ of a small matrix, $U$ and $V$ with entries $N(0, \\text{prior})$. A
    kernel walks through the posterior; a guide puts one Gaussian into it. Both are asked for the first two factors
    of one user.
    """)
    return factorization, mo, svg


@app.cell
def _(factorization, mo):
    guide = mo.ui.dropdown(list(factorization.GUIDES), next(iter(factorization.GUIDES)), label="guide")
    kernel = mo.ui.dropdown(list(factorization.KERNELS), next(iter(factorization.KERNELS)), label="kernel")
    rank = mo.ui.slider(1, 4, 1, 2, label="rank K", show_value=True)
    prior = mo.ui.slider(0.25, 10.0, 0.25, 5.0, label="prior variance", show_value=True)
    ratings = mo.ui.slider(1, 60, 1, 30, label="ratings seen, of 80", show_value=True)
    user = mo.ui.slider(1, 10, 1, 1, label="user", show_value=True)
    seed = mo.ui.number(0, 10_000, 1, 0, label="seed")
    mo.vstack([mo.hstack([guide, kernel, seed], justify="start", wrap=True),
               mo.hstack([rank, prior, ratings, user], justify="start", wrap=True)])
    return guide, kernel, prior, rank, ratings, seed, user


@app.cell
def _(factorization, guide, kernel, mo, prior, rank, ratings, seed):
    mo.stop(seed.value is None, mo.md("Give a seed, from 0 to 10,000."))
    world = factorization.World(10, 8, rank.value, prior.value, ratings.value, seed.value)
    beliefs = {guide.value: factorization.belief(factorization.GUIDES[guide.value], world),
               kernel.value: factorization.belief(factorization.KERNELS[kernel.value], world)}
    return beliefs, world


@app.cell
def _(beliefs, factorization, guide, kernel, mo, svg, user, world):
    fit, chain = beliefs[guide.value], beliefs[kernel.value]
    at = user.value - 1
    drawing = svg.cloud(kernel.value, factorization.plane(chain.users, at)[::3], factorization.plane(chain.path, at),
                        {guide.value: factorization.ellipse(fit.users, at)} if len(fit.users) else {},
                        factorization.METHODS, "the posterior of one user's first two factors")
    table = svg.table(factorization.predictions(world, beliefs, at), "u.v of this user")
    mo.vstack([mo.hstack([mo.Html(drawing), mo.Html(table)], justify="start", wrap=True, widths=[1, 1]),
               mo.md(factorization.said(beliefs, at))])
    return


if __name__ == "__main__":
    app.run()
