"""Metrics of a cluster's nodes, and what they say about its jobs (arXiv 2409.08949, 2107.11832)."""
