"""What serves any Pyro model: its kernels as methods, Gibbs by blocks, its globals borrowed."""
