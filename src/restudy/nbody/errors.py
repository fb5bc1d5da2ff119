"""What a user of the N-body integrators did that cannot work, or that deserves a flag."""

from restudy.errors import UserError


class NBodyError(UserError):
    """A system, a step or a choice that cannot be computed."""


class StepWarning(UserWarning):
    """A step longer than a twentieth of the shortest period."""


class CloseEncounter(NBodyError):  # noqa: N818
    """Two bodies that came too close during a run for the integrator to be trusted.

    Parameters
    ----------
    time : float
        When, at the end of the step that found it [yr].
    pair : tuple of str
        The names of the two bodies.
    distance : float
        Between them [au].
    limit : float
        The least distance that was allowed [au].
    """

    def __init__(self, time: float, pair: tuple[str, str], distance: float, limit: float) -> None:
        super().__init__(
            f"{pair[0]} and {pair[1]} are {distance:.4g} au apart at {time:.10g} yr; expected more "
            f"than {limit:.4g} au: stop before, or follow them with the integrator of ias15."
        )
        self.time = time
        self.pair = pair
        self.distance = distance
        self.limit = limit

    def __reduce__(self) -> tuple[type, tuple[float, tuple[str, str], float, float]]:
        return type(self), (self.time, self.pair, self.distance, self.limit)
