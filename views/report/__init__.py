"""The report of a run: one file that says and shows all of it, and needs nothing else."""
