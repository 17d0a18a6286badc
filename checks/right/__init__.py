"""Right kernels, readable and over many replicates at once: what the zoo's mistakes start from."""
