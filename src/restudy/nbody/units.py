"""Units: astronomical units, years and solar masses."""

GRAVITY = 39.476926421373
"""The constant of gravity [au^3 / (M_sun yr^2)], as rebound has it in these units, which is what
the authors' notebook of Sun, Jupiter and Saturn used."""

KM_PER_S = 365.25 * 86400.0 / 149597870.7
"""A kilometre a second [au/yr]."""
