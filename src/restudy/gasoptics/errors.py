"""What a user of the gas optics did that cannot work, or that deserves a flag."""

from restudy.errors import UserError


class GasOpticsError(UserError):
    """A table, an atmosphere or a choice that cannot be computed."""


class ExtrapolationWarning(UserWarning):
    """A temperature outside the tables, to which the coefficients were extrapolated."""
