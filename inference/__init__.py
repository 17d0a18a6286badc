"""How beliefs are computed: one method, one file, all behind the contract in `method`."""
