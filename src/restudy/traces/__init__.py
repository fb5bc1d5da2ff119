"""Jobs of HPC clusters: readers, statistics and a generator (arXiv 2409.08949)."""
