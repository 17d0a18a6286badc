"""Gibbs sampling for the factorization of ratings, against maximum likelihood"""
