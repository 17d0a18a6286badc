"""One fit over several processes, as `torchrun` starts them: who this one is, what is whose, and sums over all."""
