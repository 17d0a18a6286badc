"""Mistakes in kernels for models of one's own: a model of `checks/right/program/`, and a kernel that is wrong."""
