"""In which direction a link is lost, judged by what comes back: a table of what happened and what is said of it."""

import pytest

from edge_agent.uplink.hearing import Hearing

LATE_MS = 1_000
SAID, CONFIRMED, TOLD, ANSWERED = "said", "confirmed", "told", "answered"


@pytest.mark.parametrize(
    ("course", "word"),
    [
        ([], "both"),
        ([(0, SAID)], "silent"),
        ([(0, SAID), (10, CONFIRMED)], "broker_only"),
        ([(0, SAID), (10, CONFIRMED), (20, ANSWERED)], "both"),
        ([(0, SAID), (10, CONFIRMED), (20, ANSWERED), (4_500, SAID)], "both"),
        ([(0, SAID), (500, TOLD)], "down_only"),
        ([(0, TOLD), (500, SAID)], "silent"),
        ([(0, SAID), (10, SAID), (20, ANSWERED)], "both"),
    ],
)
def test_what_is_said_of_the_link_after_five_seconds(course: list[tuple[int, str]], word: str) -> None:
    hearing = Hearing()
    hearing.connected()
    for at_ms, what in course:
        getattr(hearing, what)(*([at_ms] if what in (SAID, TOLD) else []))
    assert hearing.link(5_000, LATE_MS) == word
    waits = word in ("silent", "broker_only", "down_only")
    assert (hearing.unheard_ms(5_000, LATE_MS) > 0) == waits
    hearing.lost()
    assert hearing.link(5_000, LATE_MS) == "none"
    assert hearing.unheard_ms(5_000, LATE_MS) == 0
