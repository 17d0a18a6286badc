"""Mean field, belief propagation, Gibbs and the exact answer on an image that one draws."""

import marimo

app = marimo.App(width="medium", app_title="Crosscheck: denoising")


@app.cell
def _():
    import marimo as mo

    from playground import denoising, svg
    from playground.painter import Painter

    mo.md("""
    # Denoising: who is right?

    An image is drawn, noise is added, and four methods say how probable each label is at every pixel, given the noisy
    image $x$ under

    $$p(y) \\propto \\exp \\beta(\\sum_i e[y_i = x_i] + \\sum_{i \\sim j} c[y_i = y_j])$$

    Each pixel is the mixture of the labels' colours. Draw on the first panel (a click changes a label; arrows
    and digits do too), and move the sliders.
    """)
    return Painter, denoising, mo, svg


@app.cell
def _(mo):
    get_own, set_own = mo.state(False)  # whether an image was given after a shape was chosen
    return get_own, set_own


@app.cell
def _(denoising, mo, set_own):
    size = mo.ui.dropdown({"8 x 8": 8, "12 x 12": 12, "16 x 16": 16, "32 x 32": 32}, "12 x 12", label="size")
    states = mo.ui.dropdown({"2 labels": 2, "3 labels": 3}, "2 labels", label="labels")
    shape = mo.ui.dropdown(list(denoising.SHAPES), "cross", label="shape", on_change=lambda _: set_own(False))
    upload = mo.ui.file(filetypes=[".png", ".jpg", ".jpeg"], label="or an image of yours",
                        on_change=lambda given: set_own(bool(given)))
    noise = mo.ui.slider(0.0, 0.5, 0.01, 0.15, label="noise: share of pixels changed", show_value=True)
    evidence = mo.ui.slider(0.0, 4.0, 0.05, 1.5, label="evidence e", show_value=True)
    coupling = mo.ui.slider(-1.0, 2.0, 0.05, 0.7, label="coupling c", show_value=True)
    beta = mo.ui.slider(0.0, 3.0, 0.05, 1.0, label="beta", show_value=True)
    again = mo.ui.number(0, 10_000, 1, 0, label="seed of the noise")
    mo.vstack([mo.hstack([size, states, shape, again, upload], justify="start", wrap=True),
               mo.hstack([noise, evidence, coupling, beta], justify="start", wrap=True)])
    return again, beta, coupling, evidence, noise, shape, size, states, upload


@app.cell
def _(Painter, denoising, get_own, mo, shape, size, states, upload):
    given = upload.value[0].contents if get_own() else None
    trouble = denoising.trouble(given) if given is not None else ""
    mo.stop(trouble, mo.callout(trouble, kind="danger"))
    drawn = (denoising.SHAPES[shape.value](size.value, states.value) if given is None
             else denoising.read(given, size.value, states.value))
    painter = mo.ui.anywidget(Painter(width=size.value, states=states.value, labels=list(drawn)))
    return (painter,)


@app.cell
def _(mo):
    get_step, set_step = mo.state(20)
    play = mo.ui.switch(label="play")
    return get_step, play, set_step


@app.cell
def _(mo, play):
    tick = mo.ui.refresh(options=["0.4s"], default_interval="0.4s") if play.value else None
    return (tick,)


@app.cell
def _(denoising, play, set_step, tick):
    if play.value and tick is not None:
        _ = tick.value
        set_step(lambda now: now % denoising.STEPS + 1)
    return


@app.cell
def _(denoising, get_step, mo, set_step):
    step = mo.ui.slider(1, denoising.STEPS, 1, get_step(), on_change=set_step, label="after sweep", show_value=True)
    return (step,)


@app.cell
def _(again, beta, coupling, denoising, evidence, mo, noise, painter, states):
    mo.stop(again.value is None, mo.md("Give a seed, from 0 to 10,000."))
    clean = tuple(painter.value["labels"])
    scene = denoising.scene(clean, painter.value["width"], states.value, noise.value, again.value, evidence.value,
                            coupling.value, beta.value)
    films = denoising.films(scene)
    return clean, films, scene


@app.cell
def _(clean, denoising, films, mo, painter, play, scene, step, svg, tick):
    panels = [mo.vstack([mo.md("**drawn**"), painter])]
    panels += [mo.vstack([mo.md(f"**{p.name}**"), mo.Html(svg.picture(p.marginals, p.said) if p.marginals is not None
                                                         else ""), mo.md(p.said)], align="start")
               for p in denoising.panels(scene, clean, films, step.value)]
    mo.vstack([mo.hstack([step, play, *([tick] if tick is not None else [])], justify="start"),
               mo.hstack(panels, justify="start", wrap=True, align="start")])
    return


@app.cell
def _(denoising, films, mo, step, svg):
    series, level = denoising.ladder(films)
    mo.vstack([mo.md("**log Z**: mean field stays below it, belief propagation's Bethe value may be on either side"),
               mo.Html(svg.lines(series, "log Z by sweep", "sweep", step.value, level)),
               mo.md(denoising.said(films, step.value))])
    return


@app.cell
def _(denoising, films, mo, painter, scene, step, svg):
    at = painter.value["at"]
    if 0 <= at < len(scene.labels):
        row, column = divmod(at, scene.width)
        told = f"**Row {row + 1}, column {column + 1}**: what belief propagation multiplies there, and what comes of it"
        bars = mo.Html(svg.bars(denoising.at(scene, films, step.value, row, column), "the pixel"))
    else:
        told, bars = "Point at a pixel of the drawing to see its messages and beliefs.", mo.Html("")
    mo.vstack([mo.md(told), bars])
    return


if __name__ == "__main__":
    app.run()
