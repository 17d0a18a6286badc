"""Figures and tables: they read results and nothing else."""
