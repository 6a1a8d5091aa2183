"""What happens to charge points."""

from typing import NamedTuple


class Troubles(NamedTuple):
    """How often a day, for each charge point, on average. away_s: of the wall clock, how long a cut lasts at most."""

    cuts: float = 0.0
    lost_answers: float = 0.0
    reboots: float = 0.0
    clocks: float = 0.0  # reboots after which the clock begins in 1970
    forgets: float = 0.0  # reboots after which its charging profiles are gone
    resets: float = 0.0  # of the energy register
    away_s: float = 5.0


KINDS = Troubles._fields[:-1]
