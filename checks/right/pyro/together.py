"""Pyro's own guide of one normal for all entries together."""

from pyro.infer.autoguide import AutoMultivariateNormal


def guide(model):
    return AutoMultivariateNormal(model.program, init_scale=0.1)
