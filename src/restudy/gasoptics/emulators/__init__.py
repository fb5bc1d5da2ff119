"""Networks that stand for RRTMGP's gas optics."""
