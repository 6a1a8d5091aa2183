"""The table of a command's states at the gateway."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.downlink.states import FINAL, NEXT, IllegalTransition, after_restart, move


@given(st.lists(st.sampled_from(sorted(NEXT)), max_size=12))
def test_only_the_table_moves_a_state(wanted: list[str]) -> None:
    state = ""
    acted = 0
    for to in wanted:
        if to in NEXT[state]:
            state = move(state, to)
            acted += state == "executing"
        else:
            with pytest.raises(IllegalTransition):
                move(state, to)
    assert acted <= 1, "a command acts at most once"


def test_final_states_stay() -> None:
    assert {"succeeded", "failed", "rejected", "expired", "cancelled", "unknown"} == FINAL


def test_a_crash_in_the_act_is_unknown_and_before_it_expired() -> None:
    assert after_restart("executing") == "unknown"
    assert after_restart("received") == "expired"
    assert all(after_restart(state) == state for state in FINAL)
