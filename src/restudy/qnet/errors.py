"""What a user of the quantum-network simulator did that cannot work."""

from restudy.errors import UserError


class QnetError(UserError):
    """A network, a program, a state or a number that cannot be simulated."""
