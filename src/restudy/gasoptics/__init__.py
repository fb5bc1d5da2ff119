"""Radiation of clear skies: RRTMGP's gas optics and the solvers above them, in torch."""
