"""Named places at which a test may kill a program as a power cut would. Off unless LINLI_CRASH_AT names one."""

import os
import signal
from collections.abc import Callable


def crash_points(armed: str) -> Callable[[str], None]:
    """A function to call at each named place. ``armed``: "name" or "name:n" for the n-th pass; "" arms none."""
    name, _, count = armed.partition(":")
    left = int(count or 1)

    def passed(place: str) -> None:
        nonlocal left
        if place == name:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return passed if name else lambda place: None
