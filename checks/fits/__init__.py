"""Is a variational method of the contract right, seen from outside?"""
