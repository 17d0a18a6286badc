"""Factorizations where more than U and V is learned: the noise alone, and everything."""
