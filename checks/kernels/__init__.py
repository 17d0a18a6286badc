"""Is a kernel right? Replicates, scores, reach, and what helps when it is wrong."""
