"""Bayesian matrix factorization of ratings, variational inference"""
