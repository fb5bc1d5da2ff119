"""A discrete-event simulator of quantum networks, after NetSquid (arXiv:2010.12535)."""
