"""Hardware of the use cases of arXiv:2010.12535."""
