"""A kernel, right or with a mistake to find: guess first, then the verdict."""

import marimo

app = marimo.App(width="medium", app_title="Crosscheck: find the mistake")


@app.cell
def _():
    import marimo as mo

    from playground import guessing, svg

    mo.md("""
    # Is this kernel right?

    Half of these kernels leave the posterior as it is, half have a mistake. Read one, guess, and let `--check`
    decide: it draws latents and data from the joint distribution, moves the latents by the kernel with the data
    fixed, and asks whether they still have the distribution that they had.
    """)
    return guessing, mo, svg


@app.cell
def _(guessing, mo):
    kind = mo.ui.radio(list(guessing.KINDS), "ratings", label="kernels for", inline=True)
    most = min(len(guessing.kernels(k)) for k in guessing.KINDS.values())
    number = mo.ui.number(1, most, 1, 1, label="kernel number")
    mo.hstack([kind, number], justify="start", gap=2)
    return kind, number


@app.cell
def _(guessing, kind, mo, number, svg):
    mo.stop(number.value is None, mo.md("Give the number of a kernel."))
    path = guessing.kernels(guessing.KINDS[kind.value])[number.value - 1]
    mo.Html(svg.code(guessing.shown(path), "the kernel"))
    return (path,)


@app.cell
def _(mo, path):
    _ = path  # another kernel, another guess
    guess = mo.ui.radio(["right", "wrong"], label="your guess", inline=True)
    judge = mo.ui.run_button(label="judge it")
    mo.hstack([guess, judge], justify="start", gap=2)
    return guess, judge


@app.cell
def _(guess, guessing, judge, kind, mo, path):
    mo.stop(not judge.value, mo.md("The verdict takes up to half a minute."))
    mo.stop(guess.value is None, mo.md("Guess first: right or wrong?"))
    verdict = guessing.verdict(path, guessing.KINDS[kind.value])
    mo.vstack([mo.md(guessing.said(path, guess.value, verdict)),
               mo.Html(verdict._repr_html_().replace(path.stem, "the kernel")), mo.md(verdict.assurance)])
    return


if __name__ == "__main__":
    app.run()
